//! Text literals in IN and BETWEEN beside booleans and intervals, which take their type in PostgreSQL.
//! The engine does so beside numbers and times, and refuses these.
//!
//! ```text
//! b IN ('t', 'no')                    b IN (CAST('t' AS BOOLEAN), CAST('no' AS BOOLEAN))
//! length BETWEEN '1 hour' AND '1 day' length BETWEEN CAST('1 hour' AS INTERVAL) AND …
//! ```

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Gives the literals their types. Not for Trino's dialects, where they are errors.
#[derive(Debug)]
pub(crate) struct UntypedBounds;

impl AnalyzerRule for UntypedBounds {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let has_texts = |expr: &Expr| match expr {
            Expr::InList(list) => list.list.iter().any(is_text),
            Expr::Between(between) => is_text(&between.low) || is_text(&between.high),
            _ => false,
        };
        let is_typed = |expr: &Expr, schema: &DFSchema| type_of_bounds(expr, schema).is_some();
        if !expressions::has_typed(&plan, has_texts, is_typed)? {
            return Ok(plan);
        }
        let rewrite = |expr: Expr, schema: &DFSchema| Ok(typed(expr, schema));
        expressions::retyped(plan, &rewrite, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "untyped_bounds"
    }
}

/// Returns the type that literals beside this operand get; `None` if they stay texts.
fn type_of_bounds(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let operand = match expr {
        Expr::InList(list) => list.expr.get_type(schema),
        Expr::Between(between) => between.expr.get_type(schema),
        _ => return None,
    };
    match operand.ok()? {
        DataType::Boolean => Some(DataType::Boolean),
        DataType::Interval(_) | DataType::Duration(_) => {
            Some(DataType::Interval(IntervalUnit::MonthDayNano))
        }
        _ => None,
    }
}

fn typed(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Some(data_type) = type_of_bounds(&expr, schema) else {
        return Transformed::no(expr);
    };
    let give = |text: &mut Expr| {
        let is_typed = is_text(text);
        if is_typed {
            *text = cast(std::mem::take(text), data_type.clone());
        }
        is_typed
    };
    let mut is_changed = false;
    let operand = match &mut expr {
        Expr::InList(list) => {
            for text in &mut list.list {
                is_changed |= give(text);
            }
            list.expr.as_mut()
        }
        Expr::Between(between) => {
            is_changed |= give(&mut between.low);
            is_changed |= give(&mut between.high);
            between.expr.as_mut()
        }
        other => other,
    };
    if is_changed && data_type != DataType::Boolean {
        *operand = cast(std::mem::take(operand), data_type);
    }
    Transformed::new_transformed(expr, is_changed)
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.try_as_str().flatten().is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn texts_take_the_type_of_booleans_and_intervals() {
        let fields = [
            ("b", DataType::Boolean),
            ("d", DataType::Duration(TimeUnit::Microsecond)),
            ("n", DataType::Int64),
        ];
        let fields = fields.map(|(name, of)| Field::new(name, of, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let of_booleans = typed(col("b").in_list(vec![lit("t"), lit(true)], true), &schema);
        let expected = vec![cast(lit("t"), DataType::Boolean), lit(true)];
        assert_eq!(of_booleans.data, col("b").in_list(expected, true));
        assert!(of_booleans.transformed);
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let between = typed(col("d").between(lit("1 hour"), lit("1 day")), &schema).data;
        let bounds = [lit("1 hour"), lit("1 day")].map(|bound| cast(bound, interval.clone()));
        let [low, high] = bounds;
        assert_eq!(between, cast(col("d"), interval).between(low, high));
        for same in [
            col("n").in_list(vec![lit("1")], false),
            col("b").in_list(vec![lit(true)], false),
            col("b").eq(lit("t")),
        ] {
            assert!(!typed(same, &schema).transformed);
        }
    }
}
