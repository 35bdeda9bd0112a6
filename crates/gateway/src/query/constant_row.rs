//! The row of a query of literals, such as `SELECT 1`. It needs no operators, no threads and no
//! place in a queue.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The maximum size of the values of a row that is made outside of the memory pool, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Returns the row of an optimised plan whose columns are small literals, and `None` for any other
/// plan.
pub(crate) fn constant_row(plan: &LogicalPlan) -> Option<RecordBatch> {
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    let LogicalPlan::EmptyRelation(input) = projection.input.as_ref() else {
        return None;
    };
    if !input.produce_one_row || projection.expr.is_empty() {
        return None;
    }
    let values: Vec<&ScalarValue> = projection.expr.iter().map(literal).collect::<Option<_>>()?;
    let bytes: usize = values.iter().map(|value| value.size()).sum();
    if bytes > MAX_BYTES {
        return None;
    }
    let columns = values.iter().map(|value| value.to_array().ok());
    let columns = columns.collect::<Option<Vec<ArrayRef>>>()?;
    RecordBatch::try_new(Arc::clone(projection.schema.inner()), columns).ok()
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    let mut expr = expr;
    while let Expr::Alias(alias) = expr {
        expr = alias.expr.as_ref();
    }
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;
    use datafusion::functions::expr_fn::random;
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    fn row(from: LogicalPlanBuilder, columns: Vec<Expr>) -> Option<RecordBatch> {
        constant_row(&from.project(columns).unwrap().build().unwrap())
    }

    #[test]
    fn literals_are_one_row() {
        let one = LogicalPlanBuilder::empty(true);
        let columns = vec![
            lit(7),
            lit("x").alias("a").alias("b"),
            lit(ScalarValue::Null),
        ];
        let made = row(one, columns).unwrap();
        assert_eq!(made.num_rows(), 1);
        assert_eq!(made.column(0).as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(made.schema().field(1).name(), "b");
        assert!(made.column(2).is_nullable());
    }

    #[test]
    fn other_plans_and_large_values_are_left_to_the_engine() {
        let one = || LogicalPlanBuilder::empty(true);
        assert!(row(one(), vec![lit(1), random()]).is_none());
        assert!(row(one(), vec![lit(1) + lit(1)]).is_none());
        assert!(row(one(), vec![lit("x".repeat(MAX_BYTES))]).is_none());
        assert!(row(LogicalPlanBuilder::empty(false), vec![lit(1)]).is_none());
        assert!(constant_row(&one().build().unwrap()).is_none());
    }
}
