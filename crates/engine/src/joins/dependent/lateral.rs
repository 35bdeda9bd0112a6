//! LATERAL: a subquery in FROM that reads columns of the items before it.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, NullEquality, Result, TableReference};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, SubqueryAlias};

use super::bind::{Binder, bind};
use super::domain::Domain;
use super::{Rewriter, Target, columns_of, engine, keys, named, outer_columns};

impl Rewriter {
    pub(super) fn lateral_join(&mut self, join: Join) -> Result<LogicalPlan> {
        let (plan, alias) = item(&join.right);
        let is_known = matches!(join.join_type, JoinType::Inner | JoinType::Left);
        if !is_known
            || (is_marked(&join.right) && engine::joins_laterally(plan, join.left.schema())?)
        {
            return Ok(LogicalPlan::Join(join));
        }
        if join.join_type == JoinType::Inner && is_row_by_row(plan)? {
            return self.beside_rows(&join, plan, alias.as_ref());
        }
        let schema = Arc::clone(&join.schema);
        let own: Vec<Column> = plan.schema().columns();
        let mut target = Target::new(Arc::unwrap_or_clone(join.left));
        let (bound, domain) = self.bound(plan.clone(), &mut target, true)?;
        let columns: Vec<Expr> = named(&bound.columns, &domain)
            .chain(own.into_iter().map(Expr::Column))
            .collect();
        let mut right = LogicalPlanBuilder::from(bound.plan).project(columns)?;
        if let Some(alias) = &alias {
            right = right.alias(alias.clone())?;
        }
        let right = right.build()?;
        let (outer, inner) = keys(&domain, None);
        let inner = inner.into_iter().map(|column| Column {
            relation: alias.clone(),
            ..column
        });
        let keys = (outer, inner.collect::<Vec<_>>());
        let on = join.on.into_iter().map(|(left, right)| left.eq(right));
        let filter = on.chain(join.filter).reduce(Expr::and);
        LogicalPlanBuilder::from(target.joined)
            .join_detailed(
                right,
                join.join_type,
                keys,
                filter,
                NullEquality::NullEqualsNull,
            )?
            .project(columns_of(&schema))?
            .build()
    }

    /// Joins the subquery with the outer rows themselves instead of their values: no row is lost or
    /// joined with another row's results.
    fn beside_rows(
        &mut self,
        join: &Join,
        plan: &LogicalPlan,
        alias: Option<&TableReference>,
    ) -> Result<LogicalPlan> {
        let rows = Domain::rows(&join.left, self.next())?;
        let own: Vec<Column> = plan.schema().columns();
        let bound = bind(&mut Binder::new(&rows, plan)?, plan.clone())?;
        let outer = bound
            .columns
            .iter()
            .zip(&rows.outer)
            .map(|(now, (was, _))| {
                Expr::Column(now.clone()).alias_qualified(was.relation.clone(), was.name.clone())
            });
        let own = own.into_iter().map(|column| {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            let relation = alias.cloned().or(relation);
            Expr::Column(column).alias_qualified(relation, name)
        });
        let columns: Vec<Expr> = outer.chain(own).collect();
        let mut plan = LogicalPlanBuilder::from(bound.plan).project(columns)?;
        let on = join.on.iter().cloned();
        let on = on.map(|(left, right)| left.eq(right));
        if let Some(filter) = on.chain(join.filter.clone()).reduce(Expr::and) {
            plan = plan.filter(filter)?;
        }
        plan.build()
    }
}

/// Returns a LATERAL item, with its alias.
fn item(plan: &LogicalPlan) -> (&LogicalPlan, Option<TableReference>) {
    match plan {
        LogicalPlan::Subquery(subquery) => (&subquery.subquery, None),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => (&subquery.subquery, Some(alias.clone())),
            _ => (plan, None),
        },
        _ => (plan, None),
    }
}

/// Returns whether the engine recognizes a plan as LATERAL. It does not if the columns are read
/// deeper in the plan.
fn is_marked(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => {
            matches!(alias.input.as_ref(), LogicalPlan::Subquery(_))
        }
        _ => false,
    }
}

/// Returns the columns of a join's left side that its right side reads.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn read_columns(join: &Join) -> Result<Vec<Column>> {
    let marked = is_marked(&join.right);
    let mut columns = outer_columns(&join.right)?;
    columns.retain(|column| {
        (marked || column.relation.is_some()) && join.left.schema().has_column(column)
    });
    Ok(columns)
}

/// Returns whether the rows that a plan makes of an outer row depend on that row alone.
fn is_row_by_row(plan: &LogicalPlan) -> Result<bool> {
    if outer_columns(plan)?.is_empty() {
        return Ok(true);
    }
    Ok(match plan {
        LogicalPlan::Projection(list) => is_row_by_row(&list.input)?,
        LogicalPlan::Filter(filter) => is_row_by_row(&filter.input)?,
        LogicalPlan::SubqueryAlias(alias) => is_row_by_row(&alias.input)?,
        LogicalPlan::Unnest(unnest) => is_row_by_row(&unnest.input)?,
        LogicalPlan::Values(_) => true,
        _ => false,
    })
}
