//! `floor`, `ceil`, `round` and `trunc` of `real` are `double precision` in PostgreSQL's sessions, as
//! PostgreSQL has these functions of `double precision` and `numeric` only.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_wholes(state: &mut SessionState) -> Result<()> {
    for name in ["ceil", "floor", "round", "trunc"] {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(OfReals { inner })))?;
        }
    }
    Ok(())
}

/// The session's function, which takes a `real` as a `double precision`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfReals {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for OfReals {
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
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Float32] => Ok(DataType::Float64),
            types => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] if field.data_type() == &DataType::Float32 => {
                let nullable = field.is_nullable();
                Ok(Arc::new(Field::new(
                    self.name(),
                    DataType::Float64,
                    nullable,
                )))
            }
            _ => self.inner.return_field_from_args(args),
        }
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        match inputs {
            [input] if input.data_type() == DataType::Float32 => {
                Interval::make_unbounded(&DataType::Float64)
            }
            inputs => self.inner.evaluate_bounds(inputs),
        }
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let of = args.first().map(|arg| info.get_data_type(arg));
        match of {
            // The bounds would not have the type of the argument.
            Some(Ok(DataType::Float32)) => Ok(PreimageResult::None),
            _ => self.inner.preimage(args, literal, info),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [real] = args.args.as_mut_slice()
            && real.data_type() == DataType::Float32
        {
            *real = real.cast_to(&DataType::Float64, None)?;
            let fields = args.arg_fields.iter().map(|field| {
                let field = Field::clone(field);
                Arc::new(field.with_data_type(DataType::Float64))
            });
            args.arg_fields = fields.collect();
        }
        self.inner.invoke_with_args(args)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the only row, with the types of its values.
    async fn row(sql: &str) -> Vec<String> {
        let mut state = SessionContext::new().state();
        register_wholes(&mut state).unwrap();
        let frame = SessionContext::new_with_state(state).sql(sql).await;
        let batches = frame.unwrap().collect().await.unwrap();
        let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
        let columns = batch.columns().iter();
        columns
            .map(|column| {
                let value = array_value_to_string(column, 0).unwrap();
                format!("{value} {}", column.data_type())
            })
            .collect()
    }

    #[tokio::test]
    async fn whole_numbers_of_reals_are_doubles() {
        let sql = "SELECT floor(x), ceil(x), trunc(x), round(x + CAST(0.25 AS REAL))
            FROM (VALUES (CAST(-3.5 AS REAL))) t(x)";
        let expected = [
            "-4.0 Float64",
            "-3.0 Float64",
            "-3.0 Float64",
            "-3.0 Float64",
        ];
        assert_eq!(row(sql).await, expected);
        let constant = "SELECT floor(CAST(16777217 AS REAL)), floor(CAST(NULL AS REAL))";
        assert_eq!(row(constant).await, ["16777216.0 Float64", " Float64"]);
    }

    #[tokio::test]
    async fn other_types_stay() {
        let sql = "SELECT floor(CAST(2.5 AS DOUBLE)), round(CAST(2.25 AS REAL), 1), ceil(x) = 3
            FROM (VALUES (CAST(2.5 AS REAL))) t(x) WHERE floor(x) = 2 AND floor(x) < 3.0";
        let shown = row(sql).await;
        assert_eq!(shown[0], "2.0 Float64");
        assert!(shown[1].ends_with("Float32"), "{}", shown[1]);
        assert_eq!(shown[2], "true Boolean");
    }
}
