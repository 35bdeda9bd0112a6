//! `generate_series` of integers of 32 bits in PostgreSQL's sessions: its numbers have as many. Those of
//! the engine have 64.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::types::logical_int32;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass,
};

/// Replaces a session's function with this one.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.scalar_functions().get("generate_series").cloned() {
        let function = IntegerSeries::new(inner);
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// The session's function, which keeps the type of integers of 32 bits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IntegerSeries {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl IntegerSeries {
    fn new(inner: Arc<ScalarUDF>) -> Self {
        let integer = Coercion::new_exact(TypeSignatureClass::Native(logical_int32()));
        let mut signature = inner.signature().clone();
        let others = match signature.type_signature {
            TypeSignature::OneOf(forms) => forms,
            one => vec![one],
        };
        // Arguments that fit several forms become those of the first one.
        let own = [2, 3].map(|count| TypeSignature::Coercible(vec![integer.clone(); count]));
        let forms = own.into_iter().chain(others);
        signature.type_signature = TypeSignature::OneOf(forms.collect());
        Self { inner, signature }
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// Returns the type of a series of numbers of these types, if all have 32 bits.
fn series_of<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    let mut types = types.peekable();
    types.peek()?;
    let are_integers = types.all(|of| *of == DataType::Int32);
    are_integers.then(|| list_of(DataType::Int32))
}

impl ScalarUDFImpl for IntegerSeries {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

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
        let own = args.return_field.data_type().clone();
        if own != list_of(DataType::Int32) {
            return self.inner.invoke_with_args(args);
        }
        let numbers = args.args.iter();
        let numbers = numbers.map(|number| number.cast_to(&DataType::Int64, None));
        let numbers = numbers.collect::<Result<Vec<_>>>()?;
        let fields = args.arg_fields.iter();
        let fields = fields
            .map(|field| Arc::new(field.as_ref().clone().with_data_type(DataType::Int64)))
            .collect();
        let series = Field::new(self.name(), list_of(DataType::Int64), true);
        let lists = self.inner.invoke_with_args(ScalarFunctionArgs {
            args: numbers,
            arg_fields: fields,
            return_field: Arc::new(series),
            ..args
        })?;
        // All numbers are between the first and the last one.
        lists.cast_to(&own, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the type and the values of the only column.
    async fn column(sql: &str) -> (DataType, Vec<String>) {
        let mut state = SessionContext::new().state();
        register(&mut state).unwrap();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let data_type = frame.schema().field(0).data_type().clone();
        let mut values = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let column = batch.column(0);
            for row in 0..column.len() {
                values.push(array_value_to_string(column, row).unwrap());
            }
        }
        (data_type, values)
    }

    #[tokio::test]
    async fn series_have_the_type_of_their_arguments() {
        let int = |number: &str| format!("arrow_cast({number}, 'Int32')");
        for (args, of, expected) in [
            (
                vec![int("1"), int("3")],
                DataType::Int32,
                vec!["1", "2", "3"],
            ),
            (
                vec![int("2147483645"), int("2147483647"), int("2")],
                DataType::Int32,
                vec!["2147483645", "2147483647"],
            ),
            (
                vec![int("2"), int("-2147483648"), int("-2147483648")],
                DataType::Int32,
                vec!["2", "-2147483646"],
            ),
            (vec![int("3"), int("1")], DataType::Int32, vec![]),
            (
                vec![int("1"), "2".to_owned()],
                DataType::Int64,
                vec!["1", "2"],
            ),
            (
                vec!["1".to_owned(), "2".to_owned()],
                DataType::Int64,
                vec!["1", "2"],
            ),
        ] {
            let args = args.join(", ");
            let sql = format!("SELECT unnest(generate_series({args}))");
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(column(&sql).await, (of, expected), "{args}");
        }
    }

    #[tokio::test]
    async fn series_of_columns_have_it_too() {
        let (of, values) = column(
            "SELECT unnest(generate_series(arrow_cast(x, 'Int32'), arrow_cast(y, 'Int32'))) FROM (VALUES (1, 2), (NULL, 1), (5, NULL), (7, 7)) t(x, y)",
        )
        .await;
        assert_eq!(of, DataType::Int32);
        assert_eq!(values, ["1", "2", "7"]);
    }
}
