//! `nullif(x, y)` of integers has the type of `x` in PostgreSQL, and of decimals its digits;
//! DataFusion's has the type that both have in common.
//!
//! ```text
//! nullif(smallint, integer)              CAST(nullif(smallint, integer) AS smallint)
//! nullif(numeric(4,0), numeric(4,1))     CAST(nullif(numeric(4,0), numeric(4,1)) AS numeric(4,0))
//! nullif(integer, numeric(4,1))          CAST(nullif(integer, numeric(4,1)) AS numeric(10,0))
//! ```
//!
//! So has that of a `real` and of a `date` in PostgreSQL, and not here: the operators above are planned
//! with DataFusion's type, as which a `real` beside an integer is calculated with more digits.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Casts the results. Runs before type coercion. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct NullifTypes;

impl AnalyzerRule for NullifTypes {
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
        "nullif_types"
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

/// Returns the type that the value has in PostgreSQL, if the other one would make it a wider integer or
/// a decimal of more fractional digits.
fn kept(value: &Expr, other: &Expr, schema: &DFSchema) -> Option<DataType> {
    use DataType as T;
    let (of, other) = (value.get_type(schema).ok()?, other.get_type(schema).ok()?);
    match (&of, &other) {
        (T::Int8 | T::Int16, T::Int32 | T::Int64) | (T::Int8, T::Int16) | (T::Int32, T::Int64) => {
            Some(of)
        }
        (T::Decimal128(_, digits), T::Decimal128(_, others)) if digits < others => Some(of),
        (T::Int16, T::Decimal128(_, 1..)) => Some(T::Decimal128(5, 0)),
        (T::Int32, T::Decimal128(_, 1..)) => Some(T::Decimal128(10, 0)),
        (T::Int64, T::Decimal128(_, 1..)) => Some(T::Decimal128(20, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn integers_keep_their_type_beside_wider_ones() {
        let columns = [
            ("s", DataType::Int16),
            ("i", DataType::Int32),
            ("l", DataType::Int64),
            ("r", DataType::Float32),
            ("f", DataType::Float64),
            ("n", DataType::Decimal128(4, 1)),
            ("w", DataType::Decimal128(9, 0)),
        ];
        let fields = columns.map(|(name, of)| Field::new(name, of, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).ok();
        let schema = schema.as_ref();
        for (value, other, expected) in [
            (col("s"), col("i"), Some(DataType::Int16)),
            (col("i"), col("l"), Some(DataType::Int32)),
            (col("s"), col("l"), Some(DataType::Int16)),
            (col("r"), col("f"), None),
            (col("r"), col("n"), None),
            (col("l"), col("i"), None),
            (col("i"), col("n"), Some(DataType::Decimal128(10, 0))),
            (col("w"), col("n"), Some(DataType::Decimal128(9, 0))),
            (col("n"), col("w"), None),
            (col("i"), col("w"), None),
            (col("i"), col("f"), None),
            (col("n"), col("f"), None),
        ] {
            let found = schema.and_then(|schema| kept(&value, &other, schema));
            assert_eq!(found, expected, "{value} {other}");
        }
    }
}
