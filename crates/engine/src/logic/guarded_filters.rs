//! An aggregate with FILTER evaluates its arguments, and what it orders them by, only for the rows that
//! the filter keeps, as in PostgreSQL and Trino.
//!
//! DataFusion evaluates the arguments of groups and windows for all rows
//! (`aggregates/grouped_hash_stream.rs` and `windows` of `datafusion-physical-plan`, 55.2), so that
//! what the filter was written to avoid is an error. An analyzer rule, which runs after type coercion
//! and before [`guarded_cases`](super::guarded_cases), makes arguments that may fail a CASE:
//!
//! ```text
//! sum(x / y) FILTER (WHERE y <> 0)
//!     sum(CASE WHEN y <> 0 THEN x / y END) FILTER (WHERE y <> 0)
//! ```
//!
//! Delete this when the aggregates evaluate arguments behind filters.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Case, Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::guarded_logic::{could_fail, fails, is_repeatable};
use crate::plans::expressions;

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct GuardedFilters;

impl AnalyzerRule for GuardedFilters {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, is_loose, guarded)
    }

    fn name(&self) -> &str {
        "guarded_filters"
    }
}

/// Returns whether an expression is an aggregate with FILTER of which a part may fail for values of some
/// type.
fn is_loose(expr: &Expr) -> bool {
    let filter = match expr {
        Expr::AggregateFunction(call) => &call.params.filter,
        Expr::WindowFunction(window) => &window.params.filter,
        _ => return false,
    };
    filter.is_some() && expr.exists(|part| Ok(could_fail(part))).unwrap_or(true)
}

fn guarded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::AggregateFunction(mut call) => {
            let params = &mut call.params;
            let order = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            let values = params.args.iter_mut().chain(order);
            let is_changed = guard(values, params.filter.as_deref(), schema);
            Transformed::new_transformed(Expr::AggregateFunction(call), is_changed)
        }
        Expr::WindowFunction(mut window) => {
            let params = &mut window.params;
            let is_changed = guard(params.args.iter_mut(), params.filter.as_deref(), schema);
            Transformed::new_transformed(Expr::WindowFunction(window), is_changed)
        }
        expr => Transformed::no(expr),
    }
}

/// Makes values that may fail NULL for rows that a filter does not keep. Returns whether there are any.
fn guard<'a>(
    values: impl Iterator<Item = &'a mut Expr>,
    filter: Option<&Expr>,
    schema: &DFSchema,
) -> bool {
    let is_fixed = |expr: &Expr| is_repeatable(expr).unwrap_or(false);
    let Some(filter) = filter.filter(|filter| is_fixed(filter)) else {
        return false;
    };
    let mut is_changed = false;
    for value in values {
        let may_fail = value.exists(|part| Ok(fails(part, schema)));
        if may_fail.unwrap_or(false) && is_fixed(value) {
            let branch = (Box::new(filter.clone()), Box::new(std::mem::take(value)));
            *value = Expr::Case(Case::new(None, vec![branch], None));
            is_changed = true;
        }
    }
    is_changed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::logic::guarded_cases::GuardedCases;

    const ROWS: &str = "(VALUES (1, 0, '1'), (1, 5, 'x'), (2, NULL, '3'), (2, 2, NULL)) t(g, x, s)";

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Vec<String> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(GuardedFilters))
            .with_analyzer_rule(Arc::new(GuardedCases))
            .build();
        let frame = SessionContext::new_with_state(state);
        let frame = frame.sql(sql).await.unwrap();
        let mut values = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let column = batch.column(0);
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(column, row).unwrap());
            }
        }
        values
    }

    // PostgreSQL 15.
    #[tokio::test]
    async fn arguments_are_evaluated_for_the_rows_that_the_filter_keeps() {
        for (select, expected) in [
            (
                "sum(10 / x) FILTER (WHERE x <> 0) FROM rows GROUP BY g ORDER BY g",
                vec!["2", "5"],
            ),
            ("sum(10 / x) FILTER (WHERE x <> 0) FROM rows", vec!["7"]),
            (
                "max(CAST(s AS INT)) FILTER (WHERE s <> 'x') FROM rows GROUP BY g ORDER BY g",
                vec!["1", "3"],
            ),
            (
                "bool_or(10 / x > 4) FILTER (WHERE x <> 0) FROM rows GROUP BY g ORDER BY g",
                vec!["false", "true"],
            ),
            (
                "sum(10 / x) FILTER (WHERE x <> 0) OVER (PARTITION BY g) FROM rows ORDER BY g, x",
                vec!["2", "2", "5", "5"],
            ),
            (
                "count(10 / x) FILTER (WHERE x IS NULL) FROM rows GROUP BY g ORDER BY g",
                vec!["0", "0"],
            ),
        ] {
            let sql = format!("SELECT {}", select.replace("rows", ROWS));
            assert_eq!(values(&sql).await, expected, "{sql}");
        }
    }

    #[test]
    fn only_arguments_that_may_fail_are_guarded() {
        use arrow::datatypes::{DataType, Field, Schema};
        use datafusion::functions_aggregate::expr_fn::sum;
        use datafusion::logical_expr::{ExprFunctionExt, col, lit};

        let fields = ["x", "y"].map(|name| Field::new(name, DataType::Int64, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let changes = |argument: Expr| {
            let call = sum(argument).filter(col("y").gt(lit(0))).build().unwrap();
            guarded(call, &schema).transformed
        };
        assert!(changes(col("x") / col("y")));
        assert!(!changes(col("x") / lit(2_i64)));
        assert!(!changes(col("x") + col("y")));
        assert!(!guarded(sum(col("x") / col("y")), &schema).transformed);
    }
}
