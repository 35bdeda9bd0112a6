//! The nodes of aggregations.

use std::sync::Arc;

use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use super::build::{Builder, passes_rows_on};
use super::expressions::sql;
use super::numbers::{Cost, UNKNOWN_GROUPS, width};
use super::{Fact, Node, Role};

impl Builder<'_> {
    /// The operators of both phases of an aggregation are one node, unless joins are between them.
    pub(super) fn aggregated(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        aggregate: &AggregateExec,
    ) -> Node {
        let partial = match aggregate.mode() {
            AggregateMode::Final | AggregateMode::FinalPartitioned => partial_of(plan),
            _ => None,
        };
        let phase = match aggregate.mode() {
            AggregateMode::Final | AggregateMode::FinalPartitioned if partial.is_none() => {
                "Finalize"
            }
            AggregateMode::Partial if !aggregate.aggr_expr().is_empty() => "Partial",
            _ => "Simple",
        };
        let partial = partial.unwrap_or_else(|| Arc::clone(plan));
        let input = self.first(&partial);
        let groups = match partial.downcast_ref::<AggregateExec>() {
            Some(partial) => group_keys(partial),
            None => group_keys(aggregate),
        };
        let sorted = matches!(aggregate.input_order_mode(), InputOrderMode::Sorted);
        let (label, strategy) = match (groups.is_empty(), sorted) {
            (true, _) => ("Aggregate", "Plain"),
            (false, true) => ("GroupAggregate", "Sorted"),
            (false, false) => ("HashAggregate", "Hashed"),
        };
        let before = input.cost.rows;
        let rows = self.rows(plan).unwrap_or(match groups.is_empty() {
            true => 1.0,
            false => before.min(UNKNOWN_GROUPS),
        });
        let functions = aggregate.aggr_expr().len() + groups.len();
        let operations = before * functions.max(1) as f64;
        let width = width(&plan.schema());
        let cost = match strategy {
            "Sorted" => Cost::along(&[input.cost], operations, rows, width),
            _ => Cost::after(&[input.cost], operations, rows, width),
        };
        let label = match phase {
            "Simple" => label.to_owned(),
            phase => format!("{phase} {label}"),
        };
        let mut node = Node::new("Aggregate", cost)
            .labelled(label)
            .with_attribute("Strategy", strategy)
            .with_attribute("Partial Mode", phase);
        for keys in groups {
            node = node.with_fact("Group Key", Fact::List(keys));
        }
        self.finished(plan, node.with_input(Role::Outer, input))
    }
}

/// Returns the operator of the first phase of an aggregation, below that of the second one.
fn partial_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let mut below = Arc::clone(plan);
    loop {
        let child = Arc::clone(below.children().first()?);
        if let Some(aggregate) = child.downcast_ref::<AggregateExec>() {
            let is_partial = matches!(aggregate.mode(), AggregateMode::Partial);
            return is_partial.then_some(child);
        }
        if !passes_rows_on(child.as_ref()) {
            return None;
        }
        below = child;
    }
}

/// Returns the keys of an aggregation, of each grouping set.
fn group_keys(aggregate: &AggregateExec) -> Vec<Vec<String>> {
    let by = aggregate.group_expr();
    if by.expr().is_empty() {
        return Vec::new();
    }
    let keys: Vec<String> = by.expr().iter().map(|(key, _)| sql(key)).collect();
    if !by.has_grouping_set() {
        return vec![keys];
    }
    let sets = by.groups().iter().map(|absent| {
        let present = keys.iter().zip(absent).filter(|(_, absent)| !**absent);
        let present: Vec<String> = present.map(|(key, _)| key.clone()).collect();
        match present.is_empty() {
            true => vec!["()".to_owned()],
            false => present,
        }
    });
    sets.collect()
}
