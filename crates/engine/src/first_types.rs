//! `nullif(x, y)` has the type of `x` in PostgreSQL, where `x` is compared with `y` as it is;
//! DataFusion's has the type that both have in common.
//!
//! ```text
//! nullif(smallint, integer)     CAST(nullif(smallint, integer) AS smallint)
//! nullif(real, numeric)         CAST(nullif(real, numeric) AS real)
//! nullif(date, timestamp)       CAST(nullif(date, timestamp) AS date)
//! nullif(integer, numeric)      as it is: a numeric in PostgreSQL, too
//! ```

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use super::expressions;

/// Casts the results. Runs before type coercion. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct FirstTypes;

impl AnalyzerRule for FirstTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => is_nullif(call),
            _ => false,
        };
        if !expressions::has(&plan, concerns)? {
            return Ok(plan);
        }
        expressions::retyped(plan, &narrowed, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "first_types"
    }
}

fn is_nullif(call: &ScalarFunction) -> bool {
    call.func.name() == "nullif"
}

fn narrowed(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let kept = match &expr {
        Expr::ScalarFunction(call) if is_nullif(call) => match call.args.as_slice() {
            [value, other] => kept(value, other, schema),
            _ => None,
        },
        _ => None,
    };
    Ok(match kept {
        Some(of) => Transformed::yes(cast(expr, of)),
        None => Transformed::no(expr),
    })
}

/// Returns the type of the value, if the other one would make it another type, and PostgreSQL compares
/// the two as they are.
fn kept(value: &Expr, other: &Expr, schema: &DFSchema) -> Option<DataType> {
    use DataType as T;
    let (of, other) = (value.get_type(schema).ok()?, other.get_type(schema).ok()?);
    let is_kept = matches!(
        (&of, &other),
        (T::Int8 | T::Int16, T::Int32 | T::Int64)
            | (T::Int8, T::Int16)
            | (T::Int32, T::Int64)
            | (T::Float32, T::Float64 | T::Decimal128(..))
            | (T::Date32, T::Timestamp(_, None))
    );
    is_kept.then_some(of)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn types_that_are_compared_as_they_are_stay() {
        let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
        let columns = [
            ("s", DataType::Int16),
            ("i", DataType::Int32),
            ("l", DataType::Int64),
            ("r", DataType::Float32),
            ("f", DataType::Float64),
            ("n", DataType::Decimal128(4, 1)),
            ("d", DataType::Date32),
            ("t", moment),
        ];
        let fields = columns.map(|(name, of)| Field::new(name, of, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).ok();
        let schema = schema.as_ref();
        for (value, other, expected) in [
            (col("s"), col("i"), Some(DataType::Int16)),
            (col("i"), col("l"), Some(DataType::Int32)),
            (col("r"), col("f"), Some(DataType::Float32)),
            (col("r"), col("n"), Some(DataType::Float32)),
            (col("d"), col("t"), Some(DataType::Date32)),
            (col("l"), col("i"), None),
            (col("i"), col("n"), None),
            (col("i"), col("f"), None),
            (col("n"), col("f"), None),
        ] {
            let found = schema.and_then(|schema| kept(&value, &other, schema));
            assert_eq!(found, expected, "{value} {other}");
        }
    }
}
