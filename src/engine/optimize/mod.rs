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
mod topk;
mod windows;

use std::sync::Arc;

use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::floats::CanonicalJoinKeys;
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
            "LimitAggregation" => *rule = Arc::new(topk::Guarded { inner }),
            "ProjectionPushdown" => *rule = Arc::new(projections::Guarded { inner }),
            "EnsureRequirements" => *rule = Arc::new(sorting::Guarded { inner }),
            // Before and after the rules that settle what runs where.
            name if name.starts_with("FilterPushdown") => {
                *rule = Arc::new(sieve::Guarded { inner });
            }
            _ => {}
        }
    }
    // What is sorted is decided then.
    insert_before(&mut rules, "EnsureRequirements", grouping_sets::ForgetOrder);
    insert_before(&mut rules, "EnsureRequirements", joins::ForgetSides);
    // So is what is partitioned by the keys.
    insert_before(&mut rules, "FilterPushdown", CanonicalJoinKeys);
    // After everything that changes a plan.
    insert_before(&mut rules, "SanityCheckPlan", windows::StateOrder);
    rules
}

/// Puts a rule before the first of this name.
fn insert_before(
    rules: &mut Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
    name: &str,
    rule: impl PhysicalOptimizerRule + Send + Sync + 'static,
) {
    let place = rules.iter().position(|rule| rule.name() == name);
    rules.insert(place.unwrap_or_default(), Arc::new(rule));
}

#[cfg(test)]
mod tests;
