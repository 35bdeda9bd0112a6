//! The engine's optimizer rules, with guards around those that change what a query answers.

mod cross_join;
mod grouping_sets;
mod leaves;
mod pushdown;
mod sieve;
mod sorting;
mod statistics;

use std::sync::Arc;

use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

/// The engine's logical rules in their order.
pub fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    for rule in &mut rules {
        let inner = Arc::clone(rule);
        match rule.name() {
            "push_down_filter" => *rule = Arc::new(pushdown::Guarded { inner }),
            "push_down_leaf_projections" => *rule = Arc::new(leaves::Guarded { inner }),
            "eliminate_cross_join" => *rule = Arc::new(cross_join::Guarded { inner }),
            _ => {}
        }
    }
    rules
}

/// The engine's physical rules in their order.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    for rule in &mut rules {
        let inner = Arc::clone(rule);
        match rule.name() {
            "aggregate_statistics" => *rule = Arc::new(statistics::Guarded { inner }),
            "EnsureRequirements" => *rule = Arc::new(sorting::Guarded { inner }),
            // Before and after the rules that settle what runs where.
            name if name.starts_with("FilterPushdown") => {
                *rule = Arc::new(sieve::Guarded { inner });
            }
            _ => {}
        }
    }
    // Before what is sorted is decided.
    let sorting = rules
        .iter()
        .position(|rule| rule.name() == "EnsureRequirements");
    rules.insert(
        sorting.unwrap_or_default(),
        Arc::new(grouping_sets::ForgetOrder),
    );
    rules
}

#[cfg(test)]
mod tests;
