//! A plan whose sorts do not fit together is made again, with less parallel ones.
//!
//! Below a union with columns that are equal to each other, the engine moves a parallel sort to where it does not sort by all
//! that is asked for, and its last check refuses the plan (`EnsureRequirements` with `repartition_sorts`, 55.2). Delete this
//! when the plan of the test passes without it.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;

use super::rules::Operator;

/// Makes a plan that would be refused again.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    let made = rule.optimize(Arc::clone(&plan), config)?;
    if SanityCheckPlan::new()
        .optimize(Arc::clone(&made), config)
        .is_ok()
    {
        return Ok(made);
    }
    let mut config = config.clone();
    config.optimizer.repartition_sorts = false;
    rule.optimize(plan, &config)
}
