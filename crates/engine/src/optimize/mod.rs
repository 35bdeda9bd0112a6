//! DataFusion's optimizer rules, with guards around those that would change results.

mod common_expressions;
mod conditions;
mod constant_keys;
mod cross_join;
mod dependencies;
mod distinct;
mod empty_parts;
mod equalities;
mod grouping_sets;
mod joins;
mod leaves;
mod lookups;
mod nested_unions;
mod offsets;
mod outer_joins;
mod plain;
mod projections;
mod pushdown;
mod remembered;
mod repeated;
mod restated;
mod result_keys;
mod rounds;
mod rules;
mod set_comparisons;
mod sieve;
mod sorting;
mod statistics;
mod topk;
mod unions;
mod whole_conditions;
mod windows;
mod written_order;

use std::sync::Arc;

pub(crate) use conditions::with_opaque_casts;
pub(crate) use constant_keys::without_constant_order;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
pub(crate) use dependencies::{IndependentRelations, PlainColumns, with_plain_columns};
pub(crate) use lookups::is_plain;
pub(crate) use remembered::{
    around as remembering_statistics, within as with_remembered_statistics,
};
pub(crate) use rounds::with_nullable_rounds;

use self::rules::{
    GuardedLogical, GuardedPhysical, Logical, LogicalGuard, Operator, Physical, PhysicalGuard,
};
use crate::aggregation::eager_groups::EagerGroups;
use crate::barrier::SafeFilters;
use crate::joins::join_order::JoinOrder;
use crate::joins::sideways::{RowFilters, with_passages};
use crate::numbers::floats::CanonicalJoinKeys;
use crate::time::DateBounds;
use crate::windows::first_ranks::FirstRanks;

/// DataFusion's logical rules that are guarded, by name.
const LOGICAL: &[(&str, LogicalGuard)] = &[
    ("rewrite_set_comparison", set_comparisons::guard),
    ("simplify_expressions", plain::guard),
    ("push_down_filter", pushdown::guard),
    ("extract_leaf_expressions", leaves::of_parts),
    ("push_down_leaf_projections", leaves::guard),
    ("eliminate_cross_join", cross_join::guard),
    ("propagate_empty_relation", empty_parts::guard),
    ("optimize_unions", nested_unions::guard),
    ("eliminate_duplicated_expr", repeated::guard),
    ("replace_distinct_aggregate", dependencies::of_distinct),
    ("eliminate_join", dependencies::of_joins),
    ("single_distinct_aggregation_to_group_by", distinct::guard),
    ("optimize_projections", dependencies::of_groups),
    ("common_sub_expression_eliminate", common_expressions::guard),
    ("extract_equijoin_predicate", equalities::of_keys),
];

/// DataFusion's physical rules that are guarded, by name.
const PHYSICAL: &[(&str, PhysicalGuard)] = &[
    ("aggregate_statistics", statistics::guard),
    ("join_selection", remembered::guard),
    ("LimitAggregation", topk::guard),
    ("ProjectionPushdown", projections::guard),
    ("EnsureRequirements", sorting::guard),
    // Before and after the rules that decide on distribution and sorting.
    ("FilterPushdown", sieve::guard),
    ("FilterPushdown(Post)", of_joins),
];

/// Pushes the filters of joins, and lets them through more operators.
fn of_joins(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    with_passages(rule, plan, config, sieve::guard)
}

/// Returns DataFusion's logical rules in their order, with guards, and with the rules of dates and
/// of barriers.
pub(crate) fn logical_rules() -> Vec<Logical> {
    let mut rules = Optimizer::new().rules;
    for rule in &mut rules {
        if let Some((_, guard)) = LOGICAL.iter().find(|(name, _)| *name == rule.name()) {
            let (inner, guard) = (Arc::clone(rule), *guard);
            *rule = Arc::new(GuardedLogical { inner, guard });
        }
    }
    let place_of = |rules: &[Logical], name: &str| {
        let place = rules.iter().position(|rule| rule.name() == name);
        place.unwrap_or_default()
    };
    // The simplifier computes the constants.
    let place = place_of(&rules, "simplify_expressions") + 1;
    rules.insert(place, Arc::new(DateBounds));
    // The keys of joins are known, and filters are pushed into the inner joins.
    let place = place_of(&rules, "push_down_filter");
    rules.insert(place, Arc::new(outer_joins::NarrowOuterJoins));
    let place = place_of(&rules, "push_down_filter");
    rules.insert(place, Arc::new(SafeFilters));
    rules
}

/// Returns DataFusion's physical rules in their order, with guards and with the rules of this
/// module.
pub(crate) fn physical_rules() -> Vec<Physical> {
    let mut rules = PhysicalOptimizer::new().rules;
    for rule in &mut rules {
        if let Some((_, guard)) = PHYSICAL.iter().find(|(name, _)| *name == rule.name()) {
            let (inner, guard) = (Arc::clone(rule), *guard);
            *rule = Arc::new(GuardedPhysical { inner, guard });
        }
    }
    // Build sides and partitioning are chosen for the joins that there are then.
    insert_before(&mut rules, "join_selection", JoinOrder);
    // What is grouped early is joined in the order that is chosen by then.
    insert_before(&mut rules, "join_selection", EagerGroups);
    // `join_selection` has chosen the sides by then.
    insert_before(&mut rules, "EnsureRequirements", lookups::GROUP_LOOKUPS);
    insert_before(
        &mut rules,
        "EnsureRequirements",
        result_keys::COMPARE_RESULTS,
    );
    // `EnsureRequirements` decides what is sorted.
    insert_before(
        &mut rules,
        "EnsureRequirements",
        grouping_sets::FORGET_ORDER,
    );
    insert_before(&mut rules, "EnsureRequirements", joins::FORGET_SIDES);
    insert_before(&mut rules, "EnsureRequirements", unions::FORGET_CONSTANTS);
    insert_before(&mut rules, "EnsureRequirements", offsets::KEEP_ORDER);
    // `EnsureRequirements` decides what is partitioned by the keys too.
    insert_before(&mut rules, "FilterPushdown", CanonicalJoinKeys);
    // The filters of joins have reached the scans by then.
    insert_before(&mut rules, "SanityCheckPlan", RowFilters::default());
    // These come after everything that changes a plan.
    insert_before(&mut rules, "SanityCheckPlan", topk::FORGET_LIMIT);
    insert_before(&mut rules, "SanityCheckPlan", sorting::SORT_INPUTS);
    insert_before(&mut rules, "SanityCheckPlan", windows::STATE_ORDER);
    insert_before(&mut rules, "SanityCheckPlan", FirstRanks);
    rules
}

/// Inserts a rule before the first one of this name.
fn insert_before(
    rules: &mut Vec<Physical>,
    name: &str,
    rule: impl PhysicalOptimizerRule + Send + Sync + 'static,
) {
    let place = rules.iter().position(|rule| rule.name() == name);
    rules.insert(place.unwrap_or_default(), Arc::new(rule));
}

#[cfg(test)]
mod tests;
