//! Joins with groups look rows up by the keys of the groups, and then compare results of aggregates.
//!
//! ```text
//! SELECT * FROM t WHERE x = (SELECT max(x) FROM u WHERE u.k = t.k)
//! ```
//!
//! DataFusion (55.2) joins `t` with the groups of `u` by `k` and by the maximum. The filter of these
//! keys that the join passes on to its probe side stops at the aggregation, as it reads a result of it.
//! So all of `u` is read and grouped, however few groups are asked for. Here the maximum becomes a
//! condition:
//!
//! ```text
//! HashJoinExec: (t.k, u.k), (t.x, max(u.x))       HashJoinExec: (t.k, u.k), filter t.x = max(u.x)
//!   t                                               t
//!   AggregateExec: by u.k                           AggregateExec: by u.k
//!     u                                               u, rows with a key of t
//! ```
//!
//! The other keys have to be all those of the groups. Then a row meets one group at most, so that few
//! results are compared. Delete this when DataFusion passes on a filter for each key.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::{PhysicalExprRef, conjunction};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, JoinOn};
use datafusion::physical_plan::projection::ProjectionExec;

use super::lookups::is_plain;
use super::rules::{EachOperator, Operator};

/// Compares results of aggregates after the keys of groups were found.
pub(super) const COMPARE_RESULTS: EachOperator = EachOperator {
    name: "compare_results",
    rewrite: compared,
};

fn compared(node: Operator) -> Result<Transformed<Operator>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(Transformed::no(node));
    };
    // A condition that there is may fail for rows that the results leave out.
    let is_possible = *join.join_type() == JoinType::Inner
        && join.null_equality() == NullEquality::NullEqualsNothing
        && join.filter().is_none()
        && join.on().len() > 1;
    let groups = is_possible.then(|| Groups::of(join.right())).flatten();
    let Some(groups) = groups else {
        return Ok(Transformed::no(node));
    };
    let mut on = JoinOn::new();
    let mut results = Vec::new();
    let mut found = BTreeSet::new();
    for (of_row, of_group) in join.on() {
        let place = index(of_group).and_then(|column| groups.places.get(column).copied());
        if let Some(place) = place.flatten() {
            if let Some(pair) = pair(join, of_row, of_group).filter(|_| place >= groups.keys) {
                results.push(pair);
                continue;
            }
            found.insert(place);
        }
        on.push((Arc::clone(of_row), Arc::clone(of_group)));
    }
    let are_keys = (0..groups.keys).all(|key| found.contains(&key));
    if results.is_empty() || !are_keys {
        return Ok(Transformed::no(node));
    }
    let filter = equal(join, &results)?;
    let join = HashJoinExecBuilder::from(join)
        .with_on(on)
        .with_filter(Some(filter))
        .recompute_properties();
    Ok(Transformed::yes(join.build_exec()?))
}

/// What an operator shows of groups.
struct Groups {
    /// For each column of the operator, the column of the aggregation that it is.
    places: Vec<Option<usize>>,
    /// How many of these are keys, which are the first ones.
    keys: usize,
}

impl Groups {
    /// Returns the groups that an operator shows by projections; `None` for others.
    fn of(plan: &Operator) -> Option<Self> {
        let columns = 0..plan.schema().fields().len();
        let mut places: Vec<Option<usize>> = columns.map(Some).collect();
        let mut plan = plan;
        while let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let shown = projection.expr();
            for place in &mut places {
                *place = place.and_then(|place| index(&shown.get(place)?.expr));
            }
            plan = projection.input();
        }
        let aggregate = plan.downcast_ref::<AggregateExec>()?;
        let is_last = matches!(
            aggregate.mode(),
            AggregateMode::Final
                | AggregateMode::FinalPartitioned
                | AggregateMode::Single
                | AggregateMode::SinglePartitioned
        );
        let keys = aggregate.group_expr();
        (is_last && keys.is_single() && !keys.is_empty()).then(|| Self {
            places,
            keys: keys.expr().len(),
        })
    }
}

fn index(expression: &PhysicalExprRef) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

/// Returns the columns of both sides that a join compares, if they are of one type whose equal values
/// are the same.
fn pair(
    join: &HashJoinExec,
    left: &PhysicalExprRef,
    right: &PhysicalExprRef,
) -> Option<(usize, usize)> {
    let (left, right) = (index(left)?, index(right)?);
    let (of_left, of_right) = (join.left().schema(), join.right().schema());
    let left_type = of_left.fields().get(left)?.data_type();
    let right_type = of_right.fields().get(right)?.data_type();
    (left_type == right_type && is_plain(left_type)).then_some((left, right))
}

/// Returns the condition that these columns of both sides are equal.
fn equal(join: &HashJoinExec, results: &[(usize, usize)]) -> Result<JoinFilter> {
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut indices = Vec::new();
    let mut column = |side: JoinSide, index: usize| {
        let schema = match side {
            JoinSide::Left => join.left().schema(),
            _ => join.right().schema(),
        };
        let field = schema.fields().get(index).ok_or_else(|| {
            DataFusionError::Internal(format!("a join compares an unknown column {index}"))
        })?;
        let column: PhysicalExprRef = Arc::new(Column::new(field.name(), fields.len()));
        fields.push(Arc::clone(field));
        indices.push(ColumnIndex { index, side });
        Ok::<_, DataFusionError>(column)
    };
    let mut parts: Vec<PhysicalExprRef> = Vec::with_capacity(results.len());
    for (left, right) in results {
        let left = column(JoinSide::Left, *left)?;
        let right = column(JoinSide::Right, *right)?;
        parts.push(Arc::new(BinaryExpr::new(left, Op::Eq, right)));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(JoinFilter::new(conjunction(parts), indices, schema))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::super::physical_rules;
    use super::*;
    use crate::testing::sorted_lines;

    fn session(has_rule: bool) -> SessionContext {
        let mut rules = physical_rules();
        assert!(rules.iter().any(|rule| rule.name() == COMPARE_RESULTS.name));
        rules.retain(|rule| has_rule || rule.name() != COMPARE_RESULTS.name);
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_default_features()
            .with_physical_optimizer_rules(rules)
            .build();
        SessionContext::new_with_state(state)
    }

    const ROWS: &str = "(VALUES (1, 4951, 1), (1, 4951, 1), (1, 3, 1), (2, 4952, 0), (3, 7, 1),
        (NULL, 1, 1), (0, 5000, 0), (0, NULL, 0), (77, 77, 1)) t(k, x, j)";

    /// Groups of 5000 numbers. The greatest of key 7 is NULL.
    fn groups(keys: &str) -> String {
        format!(
            "(SELECT {keys}, max(n) AS m, count(n) AS c FROM (SELECT value % 50 AS k, value % 2 AS j,
             CASE WHEN value % 50 <> 7 THEN value END AS n FROM generate_series(1, 5000)) u GROUP BY {keys}) g"
        )
    }

    /// Returns the rows of a query, and its plan.
    async fn run(context: &SessionContext, sql: &str) -> (Vec<String>, String) {
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        (sorted_lines(&frame.collect().await.unwrap()), shown)
    }

    /// Returns whether a join compares results.
    fn compares(plan: &str) -> bool {
        let mut lines = plan.lines();
        lines.any(|line| line.contains("HashJoinExec") && line.contains("filter="))
    }

    #[tokio::test]
    async fn results_are_compared_after_keys() {
        let (with, without) = (session(true), session(false));
        let (by_k, by_both) = (groups("k"), groups("k, j"));
        for (sql, expected) in [
            (
                format!("SELECT t.*, g.c FROM {ROWS} JOIN {by_k} ON t.k = g.k AND t.x = g.m"),
                true,
            ),
            (
                format!(
                    "SELECT g.m, t.x, g.k FROM {ROWS} JOIN {by_k} ON t.k = g.k AND t.x = g.m AND t.j = g.c"
                ),
                true,
            ),
            (
                format!(
                    "SELECT t.x, g.c FROM {ROWS} JOIN {by_both} ON t.k = g.k AND t.x = g.m AND t.j = g.j"
                ),
                true,
            ),
            // Not all keys, no results, numbers with a point, another condition, and no inner joins.
            (
                format!("SELECT t.x, g.c FROM {ROWS} JOIN {by_both} ON t.k = g.k AND t.x = g.m"),
                false,
            ),
            (
                format!("SELECT t.x, g.c FROM {ROWS} JOIN {by_both} ON t.k = g.k AND t.j = g.j"),
                false,
            ),
            (
                format!(
                    "SELECT t.x, g.c FROM {ROWS} JOIN {by_k} ON t.k = g.k AND CAST(t.x AS DOUBLE) = g.m"
                ),
                false,
            ),
            (
                format!("SELECT t.x, g.m FROM {ROWS} LEFT JOIN {by_k} ON t.k = g.k AND t.x = g.m"),
                false,
            ),
        ] {
            let (rows, plan) = run(&with, &sql).await;
            let (plain, _) = run(&without, &sql).await;
            assert_eq!(rows, plain, "{sql}");
            assert_eq!(compares(&plan), expected, "{sql}\n{plan}");
        }
        let first = format!("SELECT t.*, g.c FROM {ROWS} JOIN {by_k} ON t.k = g.k AND t.x = g.m");
        let expected = [
            "0|5000|0|100|",
            "1|4951|1|100|",
            "1|4951|1|100|",
            "2|4952|0|100|",
        ];
        assert_eq!(run(&with, &first).await.0, expected);
    }
}
