//! Computes the statistics of operators once while a rule runs.
//!
//! DataFusion's rules ask for the statistics of the inputs of each operator, and each answer is
//! computed from the scans up (`join_selection.rs` and `enforce_distribution.rs` of
//! `datafusion-physical-optimizer`, 55.2). So the work grows with the square of a plan's height. While
//! such a rule runs, a [`Remembering`] stands in the place of each operator. It is taken for this
//! operator, and asks for no statistics of its inputs once it has its own.
//!
//! ```text
//! HashJoinExec           Remembering(HashJoinExec)
//!   FilterExec      ──▶    Remembering(FilterExec)
//!     scan                   Remembering(scan)
//! ```
//!
//! An operator that the rule builds has none around it: its statistics are computed each time, from
//! inputs that have theirs. Delete this when the rules share what they have computed.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};

use super::rules::Operator;
use crate::plans::operators::{new_children_replace, stands_for};

/// Operators of a plan from which on it is worth it.
const LEAST_OPERATORS: usize = 8;

/// Runs a rule over operators that remember their statistics.
///
/// # Errors
///
/// Returns the errors of the rule and of rebuilding operators.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    within(plan, |plan| rule.optimize(plan, config))
}

/// Runs a rule over operators that remember their statistics. The rule may neither push filters nor
/// sorts, nor tell operators by their addresses from those of another plan.
///
/// # Errors
///
/// Returns the errors of the rule and of rebuilding operators.
pub(crate) fn within(
    plan: Operator,
    rule: impl FnOnce(Operator) -> Result<Operator>,
) -> Result<Operator> {
    let mut operators = 0;
    plan.apply(|_| {
        operators += 1;
        Ok(match operators < LEAST_OPERATORS {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    match operators < LEAST_OPERATORS {
        true => rule(plan),
        false => remembered(plan, rule),
    }
}

fn remembered(plan: Operator, rule: impl FnOnce(Operator) -> Result<Operator>) -> Result<Operator> {
    let plan = plan.transform_up(|node| Ok(Transformed::yes(around(node))));
    let plan = rule(plan.data()?)?;
    let plan = plan.transform_up(|node| {
        let operator = remembering(&node).map(|outer| Arc::clone(&outer.operator));
        Ok(operator.map_or(Transformed::no(node), Transformed::yes))
    });
    plan.data()
}

/// Returns an operator that remembers its statistics, for a plan of which only these are asked.
pub(crate) fn around(operator: Operator) -> Operator {
    Arc::new(Remembering {
        operator,
        statistics: OnceLock::new(),
    })
}

/// Returns an operator that remembers its statistics as what it is. Other ways to look at it find the
/// operator in its place.
fn remembering(plan: &Operator) -> Option<&Remembering> {
    (&**plan as &dyn Any).downcast_ref::<Remembering>()
}

/// In the place of an operator.
#[derive(Debug)]
struct Remembering {
    operator: Operator,
    /// Of all partitions.
    statistics: OnceLock<Arc<Statistics>>,
}

impl DisplayAs for Remembering {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operator.fmt_as(format, f)
    }
}

impl ExecutionPlan for Remembering {
    stands_for!(operator);

    fn schema(&self) -> SchemaRef {
        self.operator.schema()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let operator = Arc::clone(&self.operator).replace_children(children, options)?;
        Ok(around(operator))
    }

    new_children_replace!();

    fn repartitioned(
        &self,
        target_partitions: usize,
        config: &ConfigOptions,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        self.operator.repartitioned(target_partitions, config)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.operator.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.operator.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        if partition.is_none() && self.statistics.get().is_some() {
            return vec![ChildStats::Skip; self.children().len()];
        }
        self.operator.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        if args.partition().is_some() {
            return self.operator.statistics_from_inputs(inputs, args);
        }
        // What was not asked for is not looked at.
        if let Some(known) = self.statistics.get() {
            return Ok(Arc::clone(known));
        }
        let known = self.operator.statistics_from_inputs(inputs, args)?;
        Ok(Arc::clone(self.statistics.get_or_init(|| known)))
    }

    /// Recursive queries look for the operator that reads their table with it.
    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.operator.with_new_state(state).map(around)
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.operator.supports_limit_pushdown()
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        self.operator.with_fetch(limit)
    }

    fn fetch(&self) -> Option<usize> {
        self.operator.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.operator.cardinality_effect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::physical_plan::joins::HashJoinExec;
    use datafusion::physical_plan::statistics::StatisticsContext;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::testing::{physical_plan, sorted_lines, with_physical_rules};

    async fn planned(sql: &str) -> Operator {
        physical_plan(&with_physical_rules(), sql).await
    }

    fn statistics(plan: &Operator) -> Arc<Statistics> {
        let context = StatisticsContext::new();
        let known = context.compute(plan.as_ref(), &StatisticsArgs::new());
        known.unwrap()
    }

    fn text(plan: &Operator) -> String {
        displayable(plan.as_ref()).indent(true).to_string()
    }

    /// Returns the operators of a plan, from the top down.
    fn operators(plan: &Operator) -> Vec<Operator> {
        let mut operators = Vec::new();
        let walked = plan.apply(|node| {
            operators.push(Arc::clone(node));
            Ok(TreeNodeRecursion::Continue)
        });
        walked.unwrap();
        operators
    }

    const SQL: &str = "SELECT y, count(*) FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) f(k, x)
        JOIN (VALUES (1, 1), (2, 2)) t(j, y) ON k = j WHERE y < 2 GROUP BY y ORDER BY y LIMIT 3";

    #[tokio::test]
    async fn statistics_are_the_same_and_computed_once() {
        let plan = planned(SQL).await;
        let before = operators(&plan);
        let same = remembered(Arc::clone(&plan), |inside| {
            let inside = operators(&inside);
            assert_eq!(inside.len(), before.len());
            assert!(inside.iter().any(|operator| operator.is::<HashJoinExec>()));
            for (own, other) in before.iter().zip(&inside) {
                assert_eq!(own.name(), other.name());
                assert_eq!(own.schema(), other.schema());
                let known = statistics(other);
                assert_eq!(statistics(own), known, "{}", own.name());
                assert!(Arc::ptr_eq(&known, &statistics(other)), "{}", own.name());
            }
            Ok(Arc::clone(&inside[0]))
        });
        let same = same.unwrap();
        assert_eq!(text(&plan), text(&same));
        let outside = operators(&same);
        assert!(
            outside
                .iter()
                .all(|operator| remembering(operator).is_none())
        );
    }

    #[tokio::test]
    async fn a_recursive_query_keeps_its_table() {
        let plan = planned(
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5)
             SELECT sum(n) FROM r",
        );
        let same = remembered(plan.await, |inside| remembered(inside, Ok)).unwrap();
        let batches = collect(same, SessionContext::new().task_ctx()).await;
        assert_eq!(sorted_lines(&batches.unwrap()), ["15|"]);
    }

    #[tokio::test]
    async fn an_operator_with_other_inputs_has_other_statistics() {
        let plan = planned("SELECT x + 1 AS y FROM (VALUES (1), (2), (3)) t(x)").await;
        let one = planned("SELECT x + 1 AS y FROM (VALUES (1)) t(x)").await;
        let one = operators(&one).pop().unwrap();
        let changed = remembered(plan, |inside| {
            assert_eq!(statistics(&inside).num_rows.get_value(), Some(&3));
            let inside = inside.transform_up(|node| {
                Ok(match node.children().is_empty() {
                    true => Transformed::yes(Arc::clone(&one)),
                    false => Transformed::no(node),
                })
            });
            let inside = inside.data()?;
            assert!(remembering(&inside).is_some());
            assert_eq!(statistics(&inside).num_rows.get_value(), Some(&1));
            Ok(inside)
        });
        assert!(remembering(&changed.unwrap()).is_none());
    }
}
