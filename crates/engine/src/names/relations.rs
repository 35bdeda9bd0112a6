//! Relations in FROM with duplicate column names, or with fewer aliases than columns.
//!
//! ```text
//! (SELECT 1 AS a, 2 AS a) AS t          columns a and, with a mark, a
//! (VALUES (1, 2)) AS t (x)              columns x and column2
//! ```
//!
//! Such columns are shown under one name (`query/column_names.rs` of the gateway crate), and a
//! statement that names one of them is [refused](check).
//! statement that names one of them is [refused](check).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{TableAlias, TableFactor};
use lakegate_error::{Code, Error};

use super::output_names::{
    apart, apart_in_relation, decoded, is_apart_in_relation, shown, shown_in_relation,
};
use crate::plans::expressions::until;

/// Plans subqueries in FROM, and tables with column aliases.
#[derive(Debug)]
pub(crate) struct NamedRelations;

impl RelationPlanner for NamedRelations {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let alias = match &mut relation {
            TableFactor::Derived { alias, .. } => alias.take(),
            TableFactor::Table {
                alias, args: None, ..
            } => alias.take_if(|alias| !alias.columns.is_empty()),
            _ => None,
        };
        let Some(alias) = alias else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan = context.plan(relation)?;
        let plan = named(plan, alias, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, None,
        ))))
    }
}

fn named(
    plan: LogicalPlan,
    alias: TableAlias,
    context: &dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let table = context.normalize_ident(alias.name);
    let columns = alias.columns.into_iter().map(|column| column.name);
    let (written, outputs) = decoded(columns.collect());
    let schema = Arc::clone(plan.schema());
    let count = schema.fields().len();
    if written.len() > count {
        let error = Error::new(
            Code::InvalidColumnReference,
            format!(
                "table \"{table}\" has {count} columns available but {} columns specified",
                written.len()
            ),
        );
        return Err(DataFusionError::External(Box::new(error)));
    }
    let written: Vec<String> = written
        .into_iter()
        .map(|name| context.normalize_ident(name))
        .collect();
    let fits = outputs.fit(count);
    let mut seen = HashSet::new();
    let mut changes = false;
    let names: Vec<String> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(place, field)| {
            let output = || outputs.get(place, count).filter(|_| fits);
            let name = written
                .get(place)
                .cloned()
                .or_else(output)
                .unwrap_or_else(|| shown_in_relation(field.name()).to_owned());
            let own = match seen.insert(name.clone()) {
                true => name,
                false => apart_in_relation(&name, place),
            };
            changes |= own != *field.name();
            own
        })
        .collect();
    let plan = match changes {
        true => renamed(plan, names)?,
        false => plan,
    };
    LogicalPlanBuilder::from(plan)
        .alias(TableReference::bare(table))?
        .build()
}

/// Renames the columns. A projection on top gets the aliases itself, as if it had been written with
/// them.
fn renamed(plan: LogicalPlan, names: Vec<String>) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let fields = schema.iter().zip(names);
    let (input, items): (LogicalPlan, Vec<Expr>) = match plan {
        LogicalPlan::Projection(list) => (Arc::unwrap_or_clone(list.input), list.expr),
        plan => {
            let columns = plan.schema().iter().map(Expr::from).collect();
            (plan, columns)
        }
    };
    let items = items
        .into_iter()
        .zip(fields)
        .map(|(item, ((_, field), name))| match *field.name() == name {
            true => item,
            false => item.unalias().alias(name),
        });
    LogicalPlanBuilder::from(input).project(items)?.build()
}

/// Gives the columns their shown names, each under a relation of its own.
///
/// # Errors
///
/// Returns an error if the new plan is invalid.
pub fn with_shown_names(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    if schema
        .fields()
        .iter()
        .all(|field| shown(field.name()) == field.name())
    {
        return Ok(plan);
    }
    let columns = schema.iter().enumerate().map(|(place, column)| {
        let relation = TableReference::bare(format!("column {place}"));
        Expr::from(column).alias_qualified(Some(relation), shown(column.1.name()))
    });
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// A column name with its relation.
type Named = (Option<TableReference>, String);

/// Refuses a plan that names one of several columns with the same name. A `*` is allowed, because
/// it takes all of them.
///
/// `by_number`: the statement sorts by column numbers, which the plan holds as names.
///
/// # Errors
///
/// Returns an error if a column is ambiguous.
pub fn check(plan: &LogicalPlan, by_number: bool) -> lakegate_error::Result<()> {
    let mut ambiguous = None;
    let walked = plan.apply_with_subqueries(|node| {
        if !(by_number && matches!(node, LogicalPlan::Sort(_))) {
            ambiguous = ambiguous_in(node)?;
        }
        Ok(until(ambiguous.is_some()))
    });
    match (walked, ambiguous) {
        (Err(error), _) => Err(lakegate_error::from_engine(error)),
        (Ok(_), Some(name)) => Err(Error::new(
            Code::AmbiguousColumn,
            format!("column reference \"{name}\" is ambiguous"),
        )
        .with_hint("give the columns of the subquery names that differ")),
        (Ok(_), None) => Ok(()),
    }
}

fn ambiguous_in(node: &LogicalPlan) -> Result<Option<String>> {
    let inputs = node.inputs();
    let marked: Vec<Named> = inputs
        .iter()
        .flat_map(|input| input.schema().iter())
        .filter(|(_, field)| is_apart_in_relation(field.name()))
        .map(|(relation, field)| (relation.cloned(), field.name().clone()))
        .collect();
    if marked.is_empty() {
        return Ok(None);
    }
    let mut counts: HashMap<Named, usize> = HashMap::new();
    let mut count = |column: &Column| {
        let key = (column.relation.clone(), column.name.clone());
        *counts.entry(key).or_default() += 1;
    };
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            match part {
                Expr::Column(column) => count(column),
                Expr::ScalarSubquery(subquery) => outer(&subquery.outer_ref_columns, &mut count),
                Expr::Exists(exists) => outer(&exists.subquery.outer_ref_columns, &mut count),
                Expr::InSubquery(of) => outer(&of.subquery.outer_ref_columns, &mut count),
                Expr::SetComparison(of) => outer(&of.subquery.outer_ref_columns, &mut count),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    for input in &inputs {
        let input = match input {
            LogicalPlan::SubqueryAlias(alias) => alias.input.as_ref(),
            input => input,
        };
        if let LogicalPlan::Subquery(lateral) = input {
            outer(&lateral.outer_ref_columns, &mut count);
        }
    }
    let ambiguous = marked.into_iter().find(|(relation, name)| {
        let of = |name: &str| counts.get(&(relation.clone(), name.to_owned()));
        let first = shown(name);
        // The first one may be an alias with a period.
        of(first).or_else(|| of(&apart(first, 0))) != of(name)
    });
    Ok(ambiguous.map(|(_, name)| shown(&name).to_owned()))
}

fn outer(columns: &[Expr], count: &mut impl FnMut(&Column)) {
    for column in columns {
        if let Expr::OuterReferenceColumn(_, column) = column {
            count(column);
        }
    }
}
