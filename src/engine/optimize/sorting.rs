//! What an operator asks to be sorted is sorted.
//!
//! The engine leaves sorts out where they follow from what it knows of the rows below, and later makes a plan of which it knows less;
//! its last check refuses that (`SanityCheckPlan`, 55.2). It does so with a key that is a constant below a join, and moves a parallel
//! sort below a union to where it does not sort by all that is asked for:
//!
//! ```text
//! SELECT min(u.b) OVER (ORDER BY t.c) FROM (SELECT a, 0 AS c FROM t) t JOIN u ON u.a = t.a
//! ```
//!
//! A rule after all others sorts what is not known to be sorted. Delete this when the plans of the tests pass without it.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlanProperties, ReplaceChildrenOptions,
};

use super::rules::{EachOperator, Operator};

/// Sorts the inputs that are not known to be sorted as the operator asks for.
pub const SORT_INPUTS: EachOperator = EachOperator {
    name: "sort_inputs",
    rewrite: with_sorted_inputs,
};

fn with_sorted_inputs(plan: Operator) -> Result<Transformed<Operator>> {
    let mut inputs = Vec::new();
    let mut changed = false;
    for (input, order) in plan
        .children()
        .into_iter()
        .zip(plan.required_input_ordering())
    {
        let mut input = Arc::clone(input);
        if let Some(order) = order.map(|order| order.into_single())
            && !input
                .equivalence_properties()
                .ordering_satisfy_requirement(order.clone())?
        {
            let is_parallel = input.output_partitioning().partition_count() > 1;
            let sort = SortExec::new(LexOrdering::from(order), input);
            input = Arc::new(sort.with_preserve_partitioning(is_parallel));
            changed = true;
        }
        inputs.push(input);
    }
    match changed {
        true => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            plan.replace_children(inputs, options).map(Transformed::yes)
        }
        false => Ok(Transformed::no(plan)),
    }
}
