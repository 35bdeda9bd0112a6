//! Operators that pass more of a join's filter on than DataFusion lets them.
//!
//! A filter of keys moves from a join down to the scans of its probe side. DataFusion (55.2) stops
//! it at windows. At an inner join it moves it to the side that the column is of; if this is the
//! probe side, the build side is read in full:
//!
//! ```text
//! HashJoinExec: f.k = s.k
//!   keys f
//!   WindowAggExec: PARTITION BY k        s.k is a key of all windows: the filter goes on
//!     …
//! HashJoinExec: f.k = r.k
//!   keys f
//!   HashJoinExec: l.k = r.k              l.k is equal to r.k: the filter goes to l, too
//!     …
//! ```
//!
//! This is right because
//!
//! - a window's values of a row depend on the rows of its partition only, and a filter of keys is
//!   true for all rows of a partition or for none. While the join has not read its build side the
//!   filter is true for all, so that rows of a partition may be missing later on; the join drops
//!   the others of that partition;
//! - each row that an inner join returns has equal keys on both sides, and a row of the other side
//!   whose key the filter drops has no part in the rows that are needed.
//!
//! Keys of floating-point numbers and nested types are left out: values that a window or a join
//! takes for equal may differ.
//!
//! While filters are pushed, a [`Passage`] is in the place of such an operator, if the key of a join
//! above leads to it. Delete this when DataFusion passes these filters on.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation, PushedDown, PushedDownPredicate,
};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::Operator;
use super::values::{index, origins, picked};

/// How far a key is followed.
const MOST_OPERATORS: usize = 64;

/// Runs a rule that pushes filters, with passages in the plan. `push` runs it with what else guards
/// it.
///
/// # Errors
///
/// Returns the rule's errors.
pub(crate) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
    push: fn(&dyn PhysicalOptimizerRule, Operator, &ConfigOptions) -> Result<Operator>,
) -> Result<Operator> {
    let openings = openings(&plan)?;
    if openings.is_empty() {
        return push(rule, plan, config);
    }
    let opened = plan
        .transform_down(|node| {
            let is_opening = openings.iter().any(|opening| Arc::ptr_eq(opening, &node));
            Ok(match is_opening {
                true => Transformed::yes(Arc::new(Passage { operator: node }) as Operator),
                false => Transformed::no(node),
            })
        })
        .data()?;
    push(rule, opened, config)?
        .transform_up(|node| {
            let passage = node.downcast_ref::<Passage>();
            let operator = passage.map(|passage| Arc::clone(&passage.operator));
            Ok(operator.map_or(Transformed::no(node), Transformed::yes))
        })
        .data()
}

/// Returns the operators of a plan that keys of joins above lead to.
fn openings(plan: &Operator) -> Result<Vec<Operator>> {
    let mut openings = Vec::new();
    plan.apply(|node| {
        if let Some(join) = node.downcast_ref::<HashJoinExec>()
            && join.join_type().on_lr_is_preserved().1
        {
            for (_, key) in join.on() {
                if let Some(key) = index(key) {
                    follow(join.right(), key, &mut openings);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(openings)
}

/// Follows a column down to where it comes from, and gathers the operators on the way that pass a
/// filter of it on.
fn follow(plan: &Operator, column: usize, openings: &mut Vec<Operator>) {
    let (mut plan, mut column) = (plan, column);
    for _ in 0..MOST_OPERATORS {
        let next = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let Some((is_left, origin)) = side(join, column) else {
                return;
            };
            if !is_left && build_key(join, origin).is_some() {
                openings.push(Arc::clone(plan));
            }
            match is_left {
                true => (join.left(), origin),
                false => (join.right(), origin),
            }
        } else if let Some((windows, input)) = windows(plan.as_ref()) {
            if !keys(windows, input).contains(&column) {
                return;
            }
            openings.push(Arc::clone(plan));
            (input, column)
        } else {
            match origins(plan, column)[..] {
                [origin] => origin,
                _ => return,
            }
        };
        (plan, column) = next;
    }
}

/// Returns the side of a join that a column of its output is of, if a filter of it goes on to that
/// side, and the column of the side.
fn side(join: &HashJoinExec, column: usize) -> Option<(bool, usize)> {
    use JoinType as J;
    let column = picked(join.projection.as_deref(), column)?;
    let of_left = join.left().schema().fields().len();
    match join.join_type() {
        J::Inner => Some(match column.checked_sub(of_left) {
            Some(right) => (false, right),
            None => (true, column),
        }),
        J::LeftSemi | J::LeftAnti => Some((true, column)),
        J::RightSemi | J::RightAnti => Some((false, column)),
        J::Left => (column < of_left).then_some((true, column)),
        J::Right => column.checked_sub(of_left).map(|right| (false, right)),
        J::Full | J::LeftMark | J::RightMark => None,
    }
}

/// Returns the column of the build side that an inner join finds equal to a column of its probe
/// side.
fn build_key(join: &HashJoinExec, column: usize) -> Option<Column> {
    if *join.join_type() != JoinType::Inner {
        return None;
    }
    let (build, probe) = (join.left().schema(), join.right().schema());
    let probe_type = probe.fields().get(column)?.data_type();
    join.on().iter().find_map(|(left, right)| {
        let left = left.downcast_ref::<Column>()?;
        let build_type = build.fields().get(left.index())?.data_type();
        let is_equal =
            index(right) == Some(column) && build_type == probe_type && is_exact(build_type);
        is_equal.then(|| left.clone())
    })
}

/// Returns whether equal values of a type are the same.
fn is_exact(data_type: &DataType) -> bool {
    !data_type.is_floating() && !data_type.is_nested()
}

/// Returns the windows of an operator, and its input.
fn windows(plan: &dyn ExecutionPlan) -> Option<(&[Arc<dyn WindowExpr>], &Operator)> {
    if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        return Some((window.window_expr(), window.input()));
    }
    let window = plan.downcast_ref::<BoundedWindowAggExec>()?;
    Some((window.window_expr(), window.input()))
}

/// Returns the columns of the input that each of these windows is partitioned by.
fn keys(windows: &[Arc<dyn WindowExpr>], input: &Operator) -> Vec<usize> {
    let Some((first, others)) = windows.split_first() else {
        return Vec::new();
    };
    let schema = input.schema();
    let of_first = first.partition_by().iter().filter_map(index);
    let exact = of_first.filter(|key| {
        let field = schema.fields().get(*key);
        field.is_some_and(|field| is_exact(field.data_type()))
    });
    let in_all = exact.filter(|key| {
        let mut others = others.iter();
        others.all(|window| {
            let mut by = window.partition_by().iter();
            by.any(|own| index(own) == Some(*key))
        })
    });
    in_all.collect()
}

/// In the place of an operator while filters are pushed. It is never run.
#[derive(Debug)]
struct Passage {
    operator: Operator,
}

/// Returns what goes on to the sides of an inner join. `own`: what the join passes on.
///
/// # Errors
///
/// Returns an error if a filter cannot be rebuilt.
fn to_both(join: &HashJoinExec, own: FilterDescription) -> Result<FilterDescription> {
    let (passed, selves) = (own.parent_filters(), own.self_filters());
    let ([build, probe], [of_build, of_probe]) = (&passed[..], &selves[..]) else {
        return Ok(own);
    };
    let own_only = |filter: &PushedDownPredicate| match filter.discriminant {
        PushedDown::Yes => Arc::clone(&filter.predicate),
        PushedDown::No => nowhere(),
    };
    let mut to_build = Vec::with_capacity(build.len());
    for (own, other) in build.iter().zip(probe) {
        let equal = match (own.discriminant, other.discriminant) {
            (PushedDown::No, PushedDown::Yes) => equal(join, other)?,
            _ => None,
        };
        to_build.push(equal.unwrap_or_else(|| own_only(own)));
    }
    let to_probe: Vec<_> = probe.iter().map(own_only).collect();
    let build = described(&to_build, join.left())?.with_self_filters(of_build.clone());
    let probe = described(&to_probe, join.right())?.with_self_filters(of_probe.clone());
    Ok(FilterDescription::new().with_child(build).with_child(probe))
}

/// Describes filters of an input's columns.
fn described(
    filters: &[Arc<dyn PhysicalExpr>],
    input: &Operator,
) -> Result<ChildFilterDescription> {
    let places = 0..input.schema().fields().len();
    ChildFilterDescription::from_child_with_allowed_indices(filters, places.collect(), input)
}

/// Returns a filter of the probe side's keys as one of the build side's; `None` if it reads other
/// columns.
fn equal(
    join: &HashJoinExec,
    filter: &PushedDownPredicate,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut is_of_keys = true;
    let moved = Arc::clone(&filter.predicate).transform_down(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let other = build_key(join, column.index());
        is_of_keys &= other.is_some();
        Ok(match other {
            Some(other) => Transformed::yes(Arc::new(other) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(part),
        })
    })?;
    Ok(is_of_keys.then_some(moved.data))
}

/// Returns a filter that no input can take.
fn nowhere() -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("", usize::MAX))
}

impl DisplayAs for Passage {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passage")
    }
}

impl ExecutionPlan for Passage {
    fn name(&self) -> &str {
        "Passage"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.operator.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.operator.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.operator.apply_expressions(f)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let operator = Arc::clone(&self.operator).replace_children(children, recompute)?;
        Ok(Arc::new(Self { operator }))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Err(DataFusionError::Internal("a passage is not run".to_owned()))
    }

    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        if let Some((windows, input)) = windows(self.operator.as_ref()) {
            let child = ChildFilterDescription::from_child_with_allowed_indices(
                &parent_filters,
                keys(windows, input).into_iter().collect(),
                input,
            )?;
            return Ok(FilterDescription::new().with_child(child));
        }
        let operator = &self.operator;
        let own = operator.gather_filters_for_pushdown(phase, parent_filters, config)?;
        match self.operator.downcast_ref::<HashJoinExec>() {
            Some(join) => to_both(join, own),
            None => Ok(own),
        }
    }

    /// Takes the passage out again, whose inputs have their filters by then.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let operator = &self.operator;
        let mut handled = operator.handle_child_pushdown_result(phase, result, config)?;
        let kept = || Arc::clone(operator);
        handled.updated_node = Some(handled.updated_node.take().unwrap_or_else(kept));
        Ok(handled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::logical_expr::Operator as Comparison;
    use datafusion::physical_expr::expressions::{BinaryExpr, lit};
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::optimize::physical_rules;

    const LEFT: &str = "(VALUES (1, 'a'), (2, 'b'), (2, NULL), (NULL, 'c')) l(k, x)";
    const RIGHT: &str = "(VALUES (2, 7), (2, 8), (3, 9), (NULL, 10)) r(j, y)";

    fn context() -> SessionContext {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_default_features()
            .with_physical_optimizer_rules(physical_rules())
            .build();
        SessionContext::new_with_state(state)
    }

    async fn plan(sql: &str) -> Operator {
        let frame = context().sql(sql).await.unwrap();
        frame.create_physical_plan().await.unwrap()
    }

    /// Returns the first operator of a plan of which this is true.
    fn find(plan: &Operator, wanted: fn(&Operator) -> bool) -> Operator {
        let mut found = None;
        plan.apply(|node| {
            if wanted(node) {
                found = Some(Arc::clone(node));
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        found.unwrap()
    }

    /// Returns, for each input of an operator, the filter `column = value` that it gets.
    fn passed(operator: &Operator, column: &str) -> Vec<Option<String>> {
        let place = operator.schema().index_of(column).unwrap();
        let is_one = BinaryExpr::new(
            Arc::new(Column::new(column, place)),
            Comparison::Eq,
            lit(1_i64),
        );
        let passage = Passage {
            operator: Arc::clone(operator),
        };
        let phase = FilterPushdownPhase::Post;
        let config = ConfigOptions::new();
        let passed = passage.gather_filters_for_pushdown(phase, vec![Arc::new(is_one)], &config);
        let filters = passed.unwrap().parent_filters().into_iter();
        let first = filters.map(|filters| filters.into_iter().next().unwrap());
        let shown = first.map(|filter| match filter.discriminant {
            PushedDown::Yes => Some(filter.predicate.to_string()),
            PushedDown::No => None,
        });
        shown.collect()
    }

    #[tokio::test]
    async fn a_filter_of_a_probe_key_goes_to_the_build_side_too() {
        let sql = format!("SELECT k, x, j, y FROM {LEFT} JOIN {RIGHT} ON k = j");
        let join = find(&plan(&sql).await, |node| node.is::<HashJoinExec>());
        let on = join.downcast_ref::<HashJoinExec>().unwrap().on();
        let name = |key: &Arc<dyn PhysicalExpr>| {
            let column = key.downcast_ref::<Column>().unwrap();
            (column.name().to_owned(), format!("{column} = 1"))
        };
        let ((build, of_build), (probe, of_probe)) = (name(&on[0].0), name(&on[0].1));
        let both = [Some(of_build.clone()), Some(of_probe)];
        assert_eq!(passed(&join, &probe), both);
        // The join itself tells the probe side of the keys that are left.
        assert_eq!(passed(&join, &build), [Some(of_build), None]);
        let others = passed(&join, "x");
        assert_eq!(others.iter().flatten().count(), 1, "{others:?}");
    }

    #[tokio::test]
    async fn a_filter_of_partition_keys_goes_below_windows() {
        let sql = format!(
            "SELECT k, x, count(*) OVER (PARTITION BY k), row_number() OVER (PARTITION BY x, k ORDER BY k) FROM {LEFT}"
        );
        let plan = plan(&sql).await;
        let mut windows = 0;
        plan.apply(|node| {
            if let Some((exprs, _)) = super::windows(node.as_ref()) {
                windows += 1;
                assert!(passed(node, "k")[0].is_some());
                let by_x = exprs.iter().all(|expr| expr.partition_by().len() == 2);
                assert_eq!(passed(node, "x")[0].is_some(), by_x);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        assert!(windows > 0);
        let by_float = format!(
            "SELECT f, count(*) OVER (PARTITION BY f) FROM (SELECT CAST(k AS DOUBLE) AS f FROM {LEFT}) s"
        );
        let window = find(&super::tests::plan(&by_float).await, |node| {
            super::windows(node.as_ref()).is_some()
        });
        assert_eq!(passed(&window, "f"), [None]);
    }

    #[tokio::test]
    async fn plans_have_no_passages_and_the_same_rows() {
        let few = "(VALUES (2), (3), (NULL)) f(i)";
        for (sql, expected) in [
            (
                format!(
                    "SELECT i, x, n FROM {few} JOIN (SELECT k, x, count(*) OVER (PARTITION BY k) AS n FROM {LEFT}) s ON s.k = i"
                ),
                vec!["2 b 2", "2  2"],
            ),
            (
                format!(
                    "SELECT i, x, y FROM {few} JOIN (SELECT j, x, y FROM {LEFT} JOIN {RIGHT} ON k = j WHERE y > 7) s ON s.j = i"
                ),
                vec!["2 b 8", "2  8"],
            ),
            (
                format!(
                    "SELECT i, n FROM {few} LEFT JOIN (SELECT j, count(*) AS n FROM {LEFT} JOIN {RIGHT} ON k = j GROUP BY j) s ON s.j = i"
                ),
                vec!["2 4", "3 ", " "],
            ),
        ] {
            let plan = plan(&sql).await;
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert!(!shown.contains("Passage"), "{shown}");
            let batches = context().sql(&sql).await.unwrap().collect().await.unwrap();
            let mut rows = Vec::new();
            for batch in batches {
                for row in 0..batch.num_rows() {
                    let cells = batch.columns().iter().map(|column| {
                        arrow::util::display::array_value_to_string(column, row).unwrap()
                    });
                    rows.push(cells.collect::<Vec<_>>().join(" "));
                }
            }
            rows.sort();
            let mut expected = expected;
            expected.sort_unstable();
            assert_eq!(rows, expected, "{sql}");
        }
    }
}
