//! The engine's optimizer rules, with guards around those that change what a query answers.

mod conditions;
mod cross_join;
mod grouping_sets;
mod joins;
mod leaves;
mod projections;
mod pushdown;
mod restated;
mod sieve;
mod sorting;
mod statistics;
mod windows;

use std::sync::Arc;

use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

pub use conditions::with_opaque_casts;

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
            "ProjectionPushdown" => *rule = Arc::new(projections::Guarded { inner }),
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
        .position(|rule| rule.name() == "EnsureRequirements")
        .unwrap_or_default();
    let before: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 2] = [
        Arc::new(grouping_sets::ForgetOrder),
        Arc::new(joins::ForgetSides),
    ];
    rules.splice(sorting..sorting, before);
    // After everything that changes a plan.
    let checks = rules
        .iter()
        .position(|rule| rule.name() == "SanityCheckPlan")
        .unwrap_or(rules.len());
    rules.insert(checks, Arc::new(windows::StateOrder));
    rules
}

#[cfg(test)]
mod tests;
