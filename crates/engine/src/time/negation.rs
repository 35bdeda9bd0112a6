//! `-x` in PostgreSQL's sessions. The time between two timestamps is an interval there, which can be
//! negated; the engine refuses its type of such times.
//!
//! ```text
//! -(t2 - t1)     -CAST(t2 - t1 AS INTERVAL)
//! ```
//!
//! The engine asks [`ExprPlanner`](datafusion::logical_expr::planner::ExprPlanner)s about operators
//! with two operands only. So the dialect writes `-x` as such an operator, of NULL and `x`.

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::{Code, Error};

use crate::sessions::functions;

/// The operator that the dialect writes. No statement can have it.
pub const NEGATION: &str = "$negation";

pub(crate) fn is_negation(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Custom(name) if name == NEGATION)
}

/// Returns an operand with the other sign.
///
/// # Errors
///
/// Returns an error if the operand is neither a number nor an interval.
pub(crate) fn planned(operand: Expr, schema: &DFSchema) -> Result<Expr> {
    let operand = match operand.get_type(schema)? {
        DataType::Duration(_) => cast(operand, DataType::Interval(IntervalUnit::MonthDayNano)),
        of if is_signed(&of) => operand,
        other => {
            let name = functions::type_name(&other);
            let message = format!("operator does not exist: - {name}");
            let error = Error::new(Code::FunctionNotFound, message);
            return Err(error.with_hint("cast it to a number or an interval").into());
        }
    };
    Ok(Expr::Negative(Box::new(operand)))
}

fn is_signed(of: &DataType) -> bool {
    of.is_null()
        || of.is_signed_integer()
        || of.is_floating()
        || of.is_decimal()
        || matches!(of, DataType::Interval(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Schema, TimeUnit};
    use datafusion::logical_expr::{Operator, binary_expr};
    use datafusion::prelude::lit;
    use datafusion::scalar::ScalarValue;

    use super::*;

    fn schema() -> DFSchema {
        DFSchema::try_from(Schema::empty()).unwrap()
    }

    #[test]
    fn times_between_timestamps_are_intervals() {
        let moment = || lit(ScalarValue::TimestampMicrosecond(Some(1), None));
        let between = binary_expr(moment(), Operator::Minus, moment());
        let between_type = between.get_type(&schema()).unwrap();
        assert_eq!(between_type, DataType::Duration(TimeUnit::Microsecond));
        let negated = planned(between, &schema()).unwrap();
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        assert_eq!(negated.get_type(&schema()).unwrap(), interval);
        assert_eq!(
            planned(lit(1), &schema()).unwrap(),
            Expr::Negative(Box::new(lit(1)))
        );
    }

    #[test]
    fn other_values_have_no_sign() {
        for operand in [
            lit(true),
            lit("x"),
            lit(ScalarValue::Date32(Some(1))),
            lit(ScalarValue::TimestampMicrosecond(Some(1), None)),
        ] {
            let error = lakegate_error::from_engine(planned(operand, &schema()).unwrap_err());
            assert_eq!(error.code(), Code::FunctionNotFound);
        }
    }
}
