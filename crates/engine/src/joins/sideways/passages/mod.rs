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
mod tests;
