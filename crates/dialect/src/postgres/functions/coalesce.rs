//! `coalesce` of times and texts: a text takes the type of the times, as a literal does in
//! PostgreSQL. DataFusion types a call while it plans, before any rule, and refuses these types.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

/// The name of the function.
pub(in crate::postgres) const COALESCE: &str = "coalesce";

/// Puts the function around the session's.
///
/// # Errors
///
/// The session has no such function.
pub(in crate::postgres) fn register(state: &mut SessionState) -> Result<()> {
    let inner = state.udf(COALESCE)?;
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(Coalesce { inner })))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce {
    inner: Arc<ScalarUDF>,
}

/// Returns the type of the times if all other values are texts or NULLs.
fn of_times(types: &[DataType]) -> Option<DataType> {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let mut others = types.iter().filter(|of| !is_text(of) && !of.is_null());
    let first = others.next()?;
    let is_time = matches!(
        first,
        DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_)
    );
    let has_text = types.iter().any(is_text);
    (is_time && has_text && others.all(|other| other == first)).then(|| first.clone())
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match of_times(types) {
            Some(times) => Ok(vec![times; types.len()]),
            None => self.inner.coerce_types(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn texts_take_the_one_type_of_times() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let (text, date, null) = (DataType::Utf8, DataType::Date32, DataType::Null);
        for (types, expected) in [
            (vec![&date, &text], Some(&date)),
            (vec![&null, &text, &time], Some(&time)),
            (vec![&date, &time, &text], None),
            (vec![&date, &null], None),
            (vec![&text, &null], None),
            (vec![&DataType::Int64, &text], None),
        ] {
            let types: Vec<DataType> = types.into_iter().cloned().collect();
            assert_eq!(of_times(&types), expected.cloned(), "{types:?}");
        }
    }
}
