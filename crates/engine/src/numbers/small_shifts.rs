//! `<<` and `>>` of a `smallint` are of the type `smallint` in PostgreSQL: the bits are those of an
//! `integer`, of which the lowest 16 are kept. DataFusion makes them as wide as the number of places.
//!
//! ```text
//! s >> n    ((s::int) >> n)::smallint
//! s << n    ((((s::int) << n) << 16) >> 16)::smallint    the last 16 bits with their sign
//! ```

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::integer_literals::narrowed;

/// The longest chain of operators whose type is looked for.
const MAX_CHAIN: usize = 8;

/// Plans such shifts.
#[derive(Debug)]
pub(crate) struct SmallShifts;

impl ExprPlanner for SmallShifts {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::PGBitwiseShiftLeft => Operator::BitwiseShiftLeft,
            BinaryOperator::PGBitwiseShiftRight => Operator::BitwiseShiftRight,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let places = narrowed(expr.right.clone());
        if !is_small(&expr.left, schema) || !is_integer(&places, schema) {
            return Ok(PlannerResult::Original(expr));
        }
        let shifted = shift(
            cast(expr.left, DataType::Int32),
            op,
            cast(places, DataType::Int32),
        );
        let kept = match op {
            Operator::BitwiseShiftLeft => {
                let high = shift(shifted, Operator::BitwiseShiftLeft, lit(16_i32));
                shift(high, Operator::BitwiseShiftRight, lit(16_i32))
            }
            _ => shifted,
        };
        Ok(PlannerResult::Planned(cast(kept, DataType::Int16)))
    }
}

fn shift(left: Expr, op: Operator, places: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(places)))
}

fn is_small(expr: &Expr, schema: &DFSchema) -> bool {
    let mut first = expr;
    for _ in 0..MAX_CHAIN {
        match first {
            Expr::BinaryExpr(binary) => first = &binary.left,
            _ => {
                let of = expr.get_type(schema);
                return matches!(of, Ok(DataType::Int8 | DataType::Int16));
            }
        }
    }
    false
}

/// Returns whether a number of places is an `integer` or narrower: PostgreSQL has no others.
fn is_integer(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(
        expr.get_type(schema),
        Ok(DataType::Int8 | DataType::Int16 | DataType::Int32)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::col;

    use super::*;

    #[test]
    fn shifts_of_small_integers_are_small() {
        let columns = Schema::new(vec![
            Field::new("s", DataType::Int16, true),
            Field::new("i", DataType::Int32, true),
            Field::new("l", DataType::Int64, true),
        ]);
        let columns = DFSchema::try_from(columns).unwrap();
        let of = |left: Expr, right: Expr| {
            let expr = RawBinaryExpr {
                op: BinaryOperator::PGBitwiseShiftLeft,
                left,
                right,
            };
            match SmallShifts.plan_binary_op(expr, &columns).unwrap() {
                PlannerResult::Planned(planned) => Some(planned.get_type(&columns).unwrap()),
                _ => None,
            }
        };
        assert_eq!(of(col("s"), lit(2_i64)), Some(DataType::Int16));
        assert_eq!(of(col("s"), col("i")), Some(DataType::Int16));
        assert_eq!(of(col("s"), col("l")), None);
        assert_eq!(of(col("i"), lit(2_i64)), None);
    }
}
