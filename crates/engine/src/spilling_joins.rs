//! Joins that spill, for plans whose hash joins do not fit into memory.
//!
//! DataFusion's hash join keeps its build side in memory, and fails if the pool has no room for it
//! (apache/datafusion#24768, 55.2). A join of sorted inputs spills with its sorts, and takes longer
//! where there is room. So plans have hash joins, and one that has failed is made again with
//! [`Joins::Spilling`]. Its order of joins is the same: hash joins are replaced once it is known.
//!
//! Delete this when DataFusion's hash join spills.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::JoinSide;
use datafusion::common::config::ConfigExtension;
use datafusion::common::extensions_options;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// Build sides of fewer bytes and rows, by estimates, stay in memory: sorting the other side of the
/// join would cost more.
const SMALL_BYTES: usize = 1024 * 1024;
const SMALL_ROWS: usize = 10_000;

/// How a plan joins by equal columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// By hash tables, in memory.
    Hashed,
    /// By sorted inputs, which spill; by hash tables where one side is small.
    Spilling,
}

extensions_options! {
    /// What the rule does.
    struct SpillingOptions {
        /// Whether hash joins are replaced.
        pub enabled: bool, default = false
    }
}

impl ConfigExtension for SpillingOptions {
    const PREFIX: &'static str = "lakegate_spilling_joins";
}

/// Returns a state that plans spilling joins.
pub(crate) fn spilling(state: &SessionState) -> SessionState {
    let mut state = state.clone();
    let options = SpillingOptions { enabled: true };
    let extensions = &mut state.config_mut().options_mut().extensions;
    extensions.insert(options);
    state
}

/// Returns whether a plan that is ready to run has hash joins, or others that differ between
/// [`Joins`].
pub(crate) fn has_hash_joins(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut found = false;
    let walked = plan.apply(|node| {
        found |= node.name() == HashJoinExec::static_name();
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    walked.is_ok() && found
}

/// The physical rule. It comes before inputs are partitioned and sorted as operators require.
#[derive(Debug)]
pub(crate) struct SpillingJoins;

impl PhysicalOptimizerRule for SpillingJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = config.extensions.get::<SpillingOptions>();
        if options.is_none_or(|options| !options.enabled) {
            return Ok(plan);
        }
        plan.transform_up(sorted).data()
    }

    fn name(&self) -> &str {
        "spilling_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Replaces a hash join by a join of sorted inputs.
///
/// A condition of an inner join is tested above it; other joins with conditions stay. DataFusion moves
/// projections below joins of sorted inputs without looking at their conditions
/// (`sort_merge_join/exec.rs` of `datafusion-physical-plan`, 55.2), which then read other columns.
fn sorted(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(Transformed::no(node));
    };
    let is_possible = match join.join_type() {
        JoinType::Inner => true,
        JoinType::Left
        | JoinType::Right
        | JoinType::Full
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti => join.filter().is_none(),
        _ => false,
    };
    // NOT IN with NULLs is known to hash joins only.
    if !is_possible || join.null_aware || join.fetch().is_some() || is_small(join.left()) {
        return Ok(Transformed::no(node));
    }
    let mut plan: Arc<dyn ExecutionPlan> = Arc::new(SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        join.on().to_vec(),
        None,
        *join.join_type(),
        vec![SortOptions::default(); join.on().len()],
        join.null_equality(),
    )?);
    if let Some(filter) = join.filter() {
        let condition = of_rows(filter, join.left().schema().fields().len())?;
        plan = Arc::new(FilterExec::try_new(condition, plan)?);
    }
    let Some(projection) = join.projection.as_deref() else {
        return Ok(Transformed::yes(plan));
    };
    let schema = plan.schema();
    let shown = projection.iter().filter_map(|index| {
        let field = schema.fields().get(*index)?;
        let column = Arc::new(Column::new(field.name(), *index));
        Some(ProjectionExpr::new(column, field.name()))
    });
    let shown: Vec<ProjectionExpr> = shown.collect();
    Ok(Transformed::yes(Arc::new(ProjectionExec::try_new(
        shown, plan,
    )?)))
}

/// Returns the condition of an inner join over its rows, of which `left` columns are those of the
/// left side.
fn of_rows(filter: &JoinFilter, left: usize) -> Result<Arc<dyn PhysicalExpr>> {
    let condition = Arc::clone(filter.expression());
    let renumbered = condition.transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let index = filter.column_indices().get(column.index());
        let index = match index.map(|index| (index.side, index.index)) {
            Some((JoinSide::Left, index)) => index,
            Some((JoinSide::Right, index)) => left + index,
            _ => {
                return Err(DataFusionError::Internal(format!(
                    "a join condition has no column {column}"
                )));
            }
        };
        let renumbered: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column.name(), index));
        Ok(Transformed::yes(renumbered))
    });
    renumbered.data()
}

/// Returns whether a build side is known to be small.
fn is_small(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let context = StatisticsContext::new();
    let Ok(known) = context.compute(plan.as_ref(), &StatisticsArgs::new()) else {
        return false;
    };
    let bytes = known.total_byte_size.get_value();
    let rows = known.num_rows.get_value();
    rows.is_some_and(|rows| *rows < SMALL_ROWS) && bytes.is_none_or(|bytes| *bytes < SMALL_BYTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    const LARGE: &str =
        "(SELECT value AS v, CASE WHEN value % 7 = 0 THEN NULL ELSE value % 20011 END AS k
                          FROM generate_series(1, 60000))";

    fn context(joins: Joins) -> SessionContext {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_default_features()
            .with_physical_optimizer_rules(crate::optimize::physical_rules())
            .build();
        SessionContext::new_with_state(match joins {
            Joins::Hashed => state,
            Joins::Spilling => spilling(&state),
        })
    }

    async fn plan(context: &SessionContext, sql: &str) -> String {
        let plan = context.sql(sql).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        displayable(plan.as_ref()).indent(false).to_string()
    }

    async fn rows(context: &SessionContext, sql: &str) -> String {
        let batches = context.sql(sql).await.unwrap().collect().await;
        let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
        arrow::util::pretty::pretty_format_batches(&batches)
            .unwrap()
            .to_string()
    }

    #[tokio::test]
    async fn all_kinds_of_joins_have_the_same_rows() {
        let (hashed, spilling) = (context(Joins::Hashed), context(Joins::Spilling));
        let (mut merged, mut some) = (0, 0);
        for join in [
            "JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "LEFT SEMI JOIN",
            "RIGHT SEMI JOIN",
            "LEFT ANTI JOIN",
            "RIGHT ANTI JOIN",
        ] {
            for condition in ["", " AND a.v < b.v", " AND a.v + b.v > 50000"] {
                let (shown, sums) = match join {
                    "LEFT SEMI JOIN" | "LEFT ANTI JOIN" => ("a.v, a.k", "sum(a.v), count(a.k)"),
                    "RIGHT SEMI JOIN" | "RIGHT ANTI JOIN" => ("b.v, b.k", "sum(b.v), count(b.k)"),
                    _ => ("a.v, b.v AS w", "sum(a.v), sum(b.v)"),
                };
                let joined = format!(
                    "FROM {LARGE} a {join} (SELECT * FROM {LARGE} WHERE v > 10) b
                     ON a.k = b.k{condition}"
                );
                let sql = format!("SELECT count(*), {sums} {joined}");
                let expected = rows(&hashed, &sql).await;
                assert_eq!(rows(&spilling, &sql).await, expected, "{sql}");
                let sql = format!("SELECT {shown} {joined} ORDER BY 1 DESC, 2 LIMIT 20");
                let expected = rows(&hashed, &sql).await;
                assert_eq!(rows(&spilling, &sql).await, expected, "{sql}");
                some += usize::from(expected.lines().count() > 10);
                merged += usize::from(plan(&spilling, &sql).await.contains("SortMergeJoin"));
                assert!(!plan(&hashed, &sql).await.contains("SortMergeJoin"));
            }
        }
        // All without a condition, and the inner ones.
        assert_eq!(merged, 10);
        assert!(some > 15, "{some}");
    }

    #[tokio::test]
    async fn small_build_sides_and_not_in_are_hashed() {
        let spilling = context(Joins::Spilling);
        let small = "(VALUES (1), (2)) s(k)";
        let sql = format!("SELECT * FROM {LARGE} a JOIN {small} ON a.k = s.k");
        assert!(plan(&spilling, &sql).await.contains("HashJoin"));
        let sql =
            format!("SELECT * FROM {LARGE} a WHERE k NOT IN (SELECT k FROM {LARGE} WHERE v > 3)");
        let plan = plan(&spilling, &sql).await;
        assert!(!plan.contains("SortMergeJoin"), "{plan}");
    }
}
