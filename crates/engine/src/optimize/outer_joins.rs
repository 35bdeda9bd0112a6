//! Outer joins whose rows of NULLs find no partner in the join above are joins without these rows.
//!
//! DataFusion turns an outer join into an inner one if a filter above it is not true for NULL
//! (`EliminateOuterJoin`, 55.2). A filter that compares columns of two tables has become a key of a
//! join by then:
//!
//! ```text
//! FROM sales LEFT JOIN returns ON …, reasons WHERE returns.reason = reasons.id
//!
//! Inner Join: returns.reason = reasons.id        NULL equals nothing
//!   Left Join: sales, returns              ▶     Inner Join: sales, returns
//!   reasons                                        reasons
//! ```
//!
//! Inner joins can be reordered, and their keys find their way to all scans: of TPC-DS 93, one reason
//! in 75 is left then. Delete this when DataFusion looks at the keys of joins, too.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchemaRef, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Union};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// How many operators there are between a join and an outer join below it, at most.
const MOST_LEVELS: usize = 32;

/// The logical rule.
#[derive(Debug)]
pub(super) struct NarrowOuterJoins;

impl OptimizerRule for NarrowOuterJoins {
    fn name(&self) -> &str {
        "narrow_outer_joins"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else {
            return Ok(Transformed::no(plan));
        };
        Ok(match narrowed_inputs(join) {
            Some(join) => Transformed::yes(LogicalPlan::Join(join)),
            None => Transformed::no(plan),
        })
    }
}

/// Returns a join whose inputs need no rows in which a key is NULL; `None` if nothing changes.
fn narrowed_inputs(join: &Join) -> Option<Join> {
    if join.null_equality != NullEquality::NullEqualsNothing {
        return None;
    }
    let (of_left, of_right) = match join.join_type {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        _ => (false, false),
    };
    let on = join.on.iter();
    let lefts = on.clone().filter_map(|(left, _)| column(left)).cloned();
    let rights = on.filter_map(|(_, right)| column(right)).cloned();
    let lefts: Vec<Column> = lefts.filter(|_| of_left).collect();
    let rights: Vec<Column> = rights.filter(|_| of_right).collect();
    let left = narrowed(&join.left, &lefts, 0);
    let right = narrowed(&join.right, &rights, 0);
    with_inputs(join, join.join_type, left, right)
}

/// Returns the column of a key that is NULL where the column is.
fn column(key: &Expr) -> Option<&Column> {
    match key {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => column(&cast.expr),
        _ => None,
    }
}

/// Returns the same join of this type with these inputs; `None` if nothing changes. As with
/// DataFusion's rule, columns that may not be NULL any more are not declared so.
fn with_inputs(
    join: &Join,
    join_type: JoinType,
    left: Option<LogicalPlan>,
    right: Option<LogicalPlan>,
) -> Option<Join> {
    if join_type == join.join_type && left.is_none() && right.is_none() {
        return None;
    }
    let input = |new: Option<LogicalPlan>, old: &Arc<LogicalPlan>| {
        new.map_or_else(|| Arc::clone(old), Arc::new)
    };
    Some(Join {
        left: input(left, &join.left),
        right: input(right, &join.right),
        join_type,
        ..join.clone()
    })
}

/// Returns a plan that may lack rows in which one of these columns is NULL; `None` if it has all.
fn narrowed(plan: &LogicalPlan, keys: &[Column], level: usize) -> Option<LogicalPlan> {
    if keys.is_empty() || level > MOST_LEVELS {
        return None;
    }
    let level = level + 1;
    match plan {
        LogicalPlan::Join(join) => {
            let (left, right) = (join.left.schema(), join.right.schema());
            let of = |side: &DFSchemaRef, other: &DFSchemaRef| -> Vec<Column> {
                let keys = keys.iter();
                let keys = keys.filter(|key| side.has_column(key) && !other.has_column(key));
                keys.cloned().collect()
            };
            let (lefts, rights) = match join.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                    (of(left, right), of(right, left))
                }
                _ => return None,
            };
            let join_type = match (join.join_type, lefts.is_empty(), rights.is_empty()) {
                (JoinType::Left, _, false)
                | (JoinType::Right, false, _)
                | (JoinType::Full, false, false) => JoinType::Inner,
                (JoinType::Full, false, true) => JoinType::Left,
                (JoinType::Full, true, false) => JoinType::Right,
                (unchanged, ..) => unchanged,
            };
            let left = narrowed(&join.left, &lefts, level);
            let right = narrowed(&join.right, &rights, level);
            with_inputs(join, join_type, left, right).map(LogicalPlan::Join)
        }
        LogicalPlan::Projection(projection) => {
            let keys = keys.iter().filter_map(|key| {
                let place = projection.schema.maybe_index_of_column(key)?;
                column(without_alias(projection.expr.get(place)?)).cloned()
            });
            let keys: Vec<Column> = keys.collect();
            let input = narrowed(&projection.input, &keys, level)?;
            let mut projection = projection.clone();
            projection.input = Arc::new(input);
            Some(LogicalPlan::Projection(projection))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let keys = by_place(keys, &alias.schema, &alias.input);
            let input = narrowed(&alias.input, &keys, level)?;
            let mut alias = alias.clone();
            alias.input = Arc::new(input);
            Some(LogicalPlan::SubqueryAlias(alias))
        }
        LogicalPlan::Union(union) => {
            let mut is_narrowed = false;
            let mut inputs = Vec::with_capacity(union.inputs.len());
            for input in &union.inputs {
                let keys = by_place(keys, &union.schema, input);
                let new = narrowed(input, &keys, level);
                is_narrowed |= new.is_some();
                inputs.push(new.map_or_else(|| Arc::clone(input), Arc::new));
            }
            let schema = Arc::clone(&union.schema);
            is_narrowed.then_some(LogicalPlan::Union(Union { inputs, schema }))
        }
        LogicalPlan::Filter(filter) => {
            let input = narrowed(&filter.input, keys, level)?;
            let mut filter = filter.clone();
            filter.input = Arc::new(input);
            Some(LogicalPlan::Filter(filter))
        }
        _ => None,
    }
}

/// Returns the columns of an input that are at the places of these columns in a schema.
fn by_place(keys: &[Column], schema: &DFSchemaRef, input: &LogicalPlan) -> Vec<Column> {
    let names = input.schema().columns();
    let keys = keys.iter().filter_map(|key| {
        let place = schema.maybe_index_of_column(key)?;
        names.get(place).cloned()
    });
    keys.collect()
}

fn without_alias(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => without_alias(&alias.expr),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::super::logical_rules;
    use crate::testing::{Random, sorted_lines};

    fn context(rules: bool) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(2);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features();
        let state = match rules {
            true => state.with_optimizer_rules(logical_rules()),
            false => state.with_optimizer_rules(Vec::new()),
        };
        SessionContext::new_with_state(state.build())
    }

    async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
        let frame = context.sql(sql).await.unwrap();
        sorted_lines(&frame.collect().await.unwrap())
    }

    /// The types of the joins of a query, from the top.
    async fn joins(sql: &str) -> Vec<String> {
        let frame = context(true).sql(sql).await.unwrap();
        let plan = frame.into_optimized_plan().unwrap();
        let shown = plan.display_indent().to_string();
        let joins = shown.lines().filter_map(|line| {
            let (kind, _) = line.trim().split_once(" Join:")?;
            Some(kind.to_owned())
        });
        joins.collect()
    }

    const S: &str = "(VALUES (1, 1), (2, 2), (3, NULL), (NULL, 4)) s(a, b)";
    const R: &str = "(VALUES (1, 10), (2, NULL), (5, 20), (NULL, 10)) r(b, c)";
    const K: &str = "(VALUES (10, 'x'), (20, 'y'), (NULL, 'z')) k(c, d)";

    #[tokio::test]
    async fn rows_without_a_partner_above_are_not_made() {
        for (sql, expected) in [
            (
                format!("SELECT * FROM {S} LEFT JOIN {R} ON s.b = r.b, {K} WHERE r.c = k.c"),
                vec!["Inner", "Inner"],
            ),
            (
                format!("SELECT * FROM {S} FULL JOIN {R} ON s.b = r.b JOIN {K} ON r.c = k.c"),
                vec!["Inner", "Right"],
            ),
            (
                format!(
                    "SELECT * FROM (SELECT a + 1 AS e, c AS f FROM {S} LEFT JOIN {R} ON s.b = r.b) t JOIN {K} ON f = k.c"
                ),
                vec!["Inner", "Inner"],
            ),
            (
                format!(
                    "SELECT * FROM (SELECT a AS e, b AS f FROM {S} UNION ALL SELECT a, c FROM {S} LEFT JOIN {R} ON s.b = r.b) t JOIN {K} ON f = k.c"
                ),
                vec!["Inner", "Inner"],
            ),
            (
                format!(
                    "SELECT * FROM {K} LEFT JOIN ({S} LEFT JOIN {R} ON s.b = r.b) ON r.c = k.c"
                ),
                vec!["Left", "Inner"],
            ),
        ] {
            assert_eq!(joins(&sql).await, expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn rows_that_the_join_above_has_stay() {
        const OUTER: &str = "LEFT JOIN (VALUES (1, 10), (2, NULL)) r(b, c) ON s.b = r.b";
        for sql in [
            format!("SELECT * FROM {S} {OUTER} JOIN {K} ON s.a = k.c"),
            format!("SELECT * FROM {S} {OUTER} LEFT JOIN {K} ON r.c = k.c"),
            format!("SELECT * FROM {S} {OUTER} JOIN {K} ON coalesce(r.c, 10) = k.c"),
            format!("SELECT * FROM {S} {OUTER} JOIN {K} ON r.c IS NOT DISTINCT FROM k.c"),
            format!("SELECT * FROM {S} {OUTER} JOIN {K} ON r.c = k.c OR k.c = 10"),
        ] {
            let found = joins(&sql).await;
            assert!(found.contains(&"Left".to_owned()), "{sql}: {found:?}");
        }
    }

    #[tokio::test]
    async fn random_joins_have_the_same_rows() {
        let (with, without) = (context(true), context(false));
        let kinds = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"];
        for seed in 1..=150 {
            let mut random = Random::new(seed);
            let of_r = random.of(&["s.b = r.b", "s.a = r.b", "s.b = r.b AND s.a < 3"]);
            let of_k = random.of(&[
                "r.c = k.c",
                "s.a = k.c",
                "s.b * 10 = k.c",
                "r.c = k.c AND s.a = r.b",
            ]);
            let of_l = random.of(&["l.b = r.b", "l.a = s.a", "l.b * 10 = k.c"]);
            let sql = format!(
                "SELECT * FROM {S} {} {R} ON {of_r} {} {K} ON {of_k} {} (VALUES (1, 1), (2, NULL), (NULL, 2)) l(a, b) ON {of_l}",
                random.of(&kinds),
                random.of(&kinds),
                random.of(&kinds),
            );
            assert_eq!(rows(&with, &sql).await, rows(&without, &sql).await, "{sql}");
        }
    }
}
