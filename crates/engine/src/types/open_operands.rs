//! The types of parameters beside times and intervals in PostgreSQL. The engine gives a parameter the
//! type of the other operand.
//!
//! ```text
//! moment + $1, time + $1       an INTERVAL
//! length * $1, length / $1     a DOUBLE, if length is an INTERVAL
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::plans::expressions::type_of;
use crate::types::operand_types::is_short;

/// Returns an operand with its type, if it is a parameter that has none and the operator takes another
/// type than that of the operand beside it.
pub(crate) fn typed(op: &BinaryOperator, operand: Expr, beside: &Expr, schema: &DFSchema) -> Expr {
    match operand {
        Expr::Placeholder(open) if open.field.is_none() => {
            let field = type_beside(op, beside, schema)
                .map(|data_type| Arc::new(Field::new("", data_type, true)));
            Expr::Placeholder(Placeholder::new_with_field(open.id, field))
        }
        other => other,
    }
}

fn type_beside(op: &BinaryOperator, beside: &Expr, schema: &DFSchema) -> Option<DataType> {
    use BinaryOperator as Op;
    if !is_short(beside) {
        return None;
    }
    match (op, type_of(beside, schema).ok()?) {
        (Op::Plus, DataType::Timestamp(..) | DataType::Time64(_)) => {
            Some(DataType::Interval(IntervalUnit::MonthDayNano))
        }
        (Op::Multiply | Op::Divide, DataType::Interval(_) | DataType::Duration(_)) => {
            Some(DataType::Float64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::datatypes::{Schema, TimeUnit};
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn parameters_have_the_type_that_the_operator_takes() {
        use BinaryOperator as Op;
        let interval = || DataType::Interval(IntervalUnit::MonthDayNano);
        let schema = DFSchema::try_from(Schema::new(vec![
            Field::new("m", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("i", interval(), true),
        ]))
        .unwrap();
        for (column, op, expected) in [
            ("m", Op::Plus, Some(interval())),
            ("i", Op::Multiply, Some(DataType::Float64)),
            ("i", Op::Divide, Some(DataType::Float64)),
            ("m", Op::Minus, None),
            ("i", Op::Plus, None),
        ] {
            let open = Expr::Placeholder(Placeholder::new_with_field("$1".to_owned(), None));
            let Expr::Placeholder(found) = typed(&op, open, &col(column), &schema) else {
                panic!("{column} {op}")
            };
            let found = found.field.map(|field| field.data_type().clone());
            assert_eq!(found, expected, "{column} {op}");
        }
    }
}
