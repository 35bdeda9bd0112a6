//! `generate_series` of numbers in PostgreSQL's sessions: series of integers of 32 bits and of decimals
//! have the types of their arguments. The engine's are of integers of 64 bits and of times.

mod decimals;
mod integers;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature,
};

use crate::plans::scalars::named_as_the_inner;

/// Replaces a session's function with this one.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.scalar_functions().get("generate_series").cloned() {
        let function = NumberSeries::new(inner);
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// The session's function, with series of these numbers, too.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberSeries {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl NumberSeries {
    fn new(inner: Arc<ScalarUDF>) -> Self {
        let mut signature = inner.signature().clone();
        let others = match signature.type_signature {
            TypeSignature::OneOf(forms) => forms,
            one => vec![one],
        };
        // Arguments that fit several forms become those of the first one.
        let forms = integers::forms().into_iter().chain(others);
        let forms = forms.chain(decimals::forms());
        signature.type_signature = TypeSignature::OneOf(forms.collect());
        Self { inner, signature }
    }
}

/// Returns the forms of a call: the first and the last number, and perhaps a step.
fn forms_of(number: &Coercion) -> [TypeSignature; 2] {
    [2, 3].map(|count| TypeSignature::Coercible(vec![number.clone(); count]))
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// Returns the type of a series of numbers of these types; `None` for a series of the engine.
fn series_of<'a>(types: impl Iterator<Item = &'a DataType> + Clone) -> Option<DataType> {
    integers::series_of(types.clone()).or_else(|| decimals::series_of(types))
}

impl ScalarUDFImpl for NumberSeries {
    named_as_the_inner!();

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match series_of(types.iter()) {
            Some(series) => Ok(series),
            None => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        match series_of(types) {
            Some(series) => Ok(Arc::new(Field::new(self.name(), series, true))),
            None => self.inner.return_field_from_args(args),
        }
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.return_field.data_type() {
            own if *own == list_of(DataType::Int32) => integers::lists(&self.inner, args),
            DataType::List(item) if item.data_type().is_decimal() => decimals::lists(&args, item),
            _ => self.inner.invoke_with_args(args),
        }
    }
}

#[cfg(test)]
mod tests;
