//! Turns expressions that are keys of grouping sets into columns.
//!
//! A rule that rewrites an expression keeps its name with an alias, which a key of ROLLUP, CUBE or
//! GROUPING SETS cannot have: the nodes above then look for a column that no longer exists
//! (`datafusion-optimizer`, 55.2). A constant key is also treated as constant above the sets, where
//! it may be NULL.
//!
//! ```text
//! ROLLUP (x NOT IN (1, 2))      "column does not exist"
//! ```
//!
//! So the keys become columns of a projection below, before any other rule sees them. Delete this
//! when the keys of grouping sets keep their names.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::has_operator;

/// The analyzer rule. It runs before the rules that rewrite expressions.
#[derive(Debug)]
pub(crate) struct GroupingKeys;

impl AnalyzerRule for GroupingKeys {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        match has_operator(&plan, |node| Ok(has_sets(node)))? {
            true => plan.transform_up_with_subqueries(rewritten).data(),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "grouping_keys"
    }
}

fn has_sets(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Aggregate(aggregate) => {
            matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)])
        }
        _ => false,
    }
}

fn rewritten(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return Ok(Transformed::no(node));
    };
    let mut keys = Keys::default();
    let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let set = match set.clone() {
        GroupingSet::Rollup(of) => GroupingSet::Rollup(keys.columns(of)),
        GroupingSet::Cube(of) => GroupingSet::Cube(keys.columns(of)),
        GroupingSet::GroupingSets(sets) => {
            let sets = sets.into_iter().map(|of| keys.columns(of));
            GroupingSet::GroupingSets(sets.collect())
        }
    };
    if keys.0.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let Aggregate {
        input,
        aggr_expr,
        schema,
        ..
    } = aggregate;
    // Uses the columns of the projection below, because grouping(key) names them too.
    let functions = aggr_expr.into_iter().map(|function| {
        function
            .transform_down(|part| Ok(keys.of_grouping(part)))
            .data()
    });
    let functions = functions.collect::<Result<Vec<_>>>()?;
    let below = input.schema().iter().map(Expr::from);
    let below: Vec<Expr> = below.chain(keys.named()).collect();
    let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(below)?;
    let set = vec![Expr::GroupingSet(set)];
    let aggregate = Aggregate::try_new(Arc::new(input.build()?), set, functions)?;
    // The grouping id is the aggregate's own column; grouping() is computed from it there.
    let columns = aggregate.schema.iter().zip(schema.iter());
    let columns = columns.filter(|(_, (_, field))| field.name() != Aggregate::INTERNAL_GROUPING_ID);
    let columns = columns.map(|(column, (relation, field))| {
        let own = Expr::from(column);
        match column.0 == relation && column.1.name() == field.name() {
            true => own,
            false => own.alias_qualified(relation.cloned(), field.name()),
        }
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate))
        .project(columns)?
        .build()
        .map(Transformed::yes)
}

/// Keys that become columns of the projection below.
#[derive(Default)]
struct Keys(Vec<Expr>);

impl Keys {
    fn columns(&mut self, of: Vec<Expr>) -> Vec<Expr> {
        of.into_iter().map(|key| self.column(key)).collect()
    }

    fn column(&mut self, key: Expr) -> Expr {
        if matches!(key, Expr::Column(_)) {
            return key;
        }
        let place = self.0.iter().position(|known| *known == key);
        let place = place.unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        });
        Expr::Column(Column::new_unqualified(name(place)))
    }

    fn of_grouping(&mut self, expr: Expr) -> Transformed<Expr> {
        let Expr::AggregateFunction(mut function) = expr else {
            return Transformed::no(expr);
        };
        if function.func.name() != "grouping" {
            return Transformed::no(Expr::AggregateFunction(function));
        }
        for argument in &mut function.params.args {
            if let Some(place) = self.0.iter().position(|key| is_of(key, argument)) {
                *argument = Expr::Column(Column::new_unqualified(name(place)));
            }
        }
        Transformed::yes(Expr::AggregateFunction(function))
    }

    fn named(self) -> impl Iterator<Item = Expr> {
        let keys = self.0.into_iter().enumerate();
        keys.map(|(place, key)| key.alias(name(place)))
    }
}

/// Returns whether a key is an expression, which it may have under the name that it had before.
fn is_of(key: &Expr, expr: &Expr) -> bool {
    match key {
        Expr::Alias(alias) => is_of(&alias.expr, expr),
        key => key == expr,
    }
}

fn name(place: usize) -> String {
    format!("__grouping_key_{place}")
}
