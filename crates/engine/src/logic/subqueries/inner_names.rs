//! Gives columns that a correlated condition reads names that are unique in the subquery.
//!
//! DataFusion pulls the condition out of the subquery, whose columns then all have the same
//! qualifier, and finds them by their bare names (`PullUpCorrelatedExpr` of `datafusion-optimizer`,
//! 55.2):
//!
//! ```text
//! EXISTS (SELECT u.a FROM u CROSS JOIN v WHERE v.a = t.a)        DataFusion: u.a = t.a
//! EXISTS (SELECT 1 AS a FROM v WHERE v.a = t.a)                  DataFusion: refused as ambiguous
//!
//!   Projection: __inner_0 AS u.a, __inner_1 AS v.a
//!     Filter: __inner_1 = t.a
//!       Projection: u.a AS __inner_0, v.a AS __inner_1
//! ```
//!
//! An analyzer rule that runs before subqueries are rewritten. Delete it when DataFusion finds
//! columns by their qualified names.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, Filter, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::{self, subquery_of};

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct InnerNames;

impl AnalyzerRule for InnerNames {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, |expr| matches!(expr, Expr::OuterReferenceColumn(..)))? {
            return Ok(plan);
        }
        let made = Cell::new(0);
        plan.transform_up_with_subqueries(|node| match node {
            // Also within LATERAL.
            LogicalPlan::Filter(filter) => renamed(filter, &HashSet::new(), &made),
            node => Ok(Transformed::no(node)),
        })?
        .transform_data(|plan| {
            plan.transform_up_with_subqueries(|node| {
                if !expressions::reads(&node, |part| subquery_of(part).is_some())? {
                    return Ok(Transformed::no(node));
                }
                node.map_expressions(|expr| expr.transform_up(|expr| within(expr, &made)))
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "inner_names"
    }
}

/// Renames columns in a subquery's conditions that have the same name as a value that it computes.
fn within(mut expr: Expr, made: &Cell<usize>) -> Result<Transformed<Expr>> {
    let subquery = match &mut expr {
        Expr::Exists(exists) => &mut exists.subquery,
        Expr::InSubquery(within) => &mut within.subquery,
        Expr::SetComparison(compared) => &mut compared.subquery,
        Expr::ScalarSubquery(subquery) => subquery,
        _ => return Ok(Transformed::no(expr)),
    };
    if subquery.outer_ref_columns.is_empty() {
        return Ok(Transformed::no(expr));
    }
    let given = given(&subquery.subquery);
    if given.is_empty() {
        return Ok(Transformed::no(expr));
    }
    let plan = LogicalPlan::clone(&subquery.subquery);
    let plan = plan.transform_up(|node| match node {
        LogicalPlan::Filter(filter) => renamed(filter, &given, made),
        node => Ok(Transformed::no(node)),
    })?;
    subquery.subquery = Arc::new(plan.data);
    Ok(Transformed::new_transformed(expr, plan.transformed))
}

/// Returns the names of the values that a subquery computes.
fn given(plan: &LogicalPlan) -> HashSet<String> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let fields = projection.schema.fields().iter();
            let columns = projection.expr.iter().zip(fields);
            let calculated = columns.filter(|(expr, field)| {
                !matches!(expr, Expr::Column(column) if column.name == *field.name())
            });
            calculated.map(|(_, field)| field.name().clone()).collect()
        }
        LogicalPlan::Sort(sort) => given(&sort.input),
        LogicalPlan::Limit(limit) => given(&limit.input),
        LogicalPlan::Filter(filter) => given(&filter.input),
        LogicalPlan::Distinct(Distinct::All(input)) => given(input),
        _ => HashSet::new(),
    }
}

/// Renames the columns of a filter that reads outer columns, if their names are not unique.
/// `taken`: names used above the filter.
fn renamed(
    filter: Filter,
    taken: &HashSet<String>,
    made: &Cell<usize>,
) -> Result<Transformed<LogicalPlan>> {
    let mut outer = false;
    let mut inner: HashSet<&Column> = HashSet::new();
    filter.predicate.apply(|part| {
        match part {
            Expr::OuterReferenceColumn(..) => outer = true,
            Expr::Column(column) => {
                inner.insert(column);
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !outer {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let schema = Arc::clone(filter.input.schema());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for field in schema.fields() {
        *counts.entry(field.name()).or_default() += 1;
    }
    let is_shared = |column: &&Column| {
        taken.contains(&column.name) || counts.get(column.name.as_str()).is_some_and(|n| *n > 1)
    };
    if !inner.iter().any(is_shared) {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let columns = schema.iter().map(|field| {
        let name = format!("__inner_{}", made.replace(made.get() + 1));
        (Column::from(field), name)
    });
    let names: HashMap<Column, String> = columns.collect();
    let unique = |column: &Column| names.get(column).cloned().unwrap_or_default();
    let below = schema.iter().map(|field| {
        let column = Column::from(field);
        let name = unique(&column);
        Expr::Column(column).alias(name)
    });
    let above = schema.iter().map(|field| {
        let name = unique(&Column::from(field));
        let column = Expr::Column(Column::new_unqualified(name));
        column.alias_qualified(field.0.cloned(), field.1.name())
    });
    let (below, above): (Vec<Expr>, Vec<Expr>) = (below.collect(), above.collect());
    let predicate = filter.predicate.transform_up(|part| match part {
        Expr::Column(column) => Ok(match names.get(&column) {
            Some(name) => Transformed::yes(Expr::Column(Column::new_unqualified(name))),
            None => Transformed::no(Expr::Column(column)),
        }),
        part => Ok(Transformed::no(part)),
    })?;
    let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(filter.input)).project(below)?;
    let filter = Filter::try_new(predicate.data, Arc::new(input.build()?))?;
    LogicalPlanBuilder::from(LogicalPlan::Filter(filter))
        .project(above)?
        .build()
        .map(Transformed::yes)
}
