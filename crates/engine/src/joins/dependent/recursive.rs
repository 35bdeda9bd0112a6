//! Recursive queries within a subquery, for each value of its domain.
//!
//! ```text
//! WITH RECURSIVE c AS (SELECT outer.x AS n UNION ALL SELECT n + 1 FROM c WHERE n < 3)
//!
//!   RecursiveQuery c
//!     Projection key, n        the rows of the first SELECT, bound to the domain
//!     Projection c.key, n + 1  the rows of a round, with the keys of those that they come from
//!       Filter n < 3
//!         TableScan c          the rows of the last round, with their keys
//! ```

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::logical_plan::RecursiveQuery;
use datafusion::logical_expr::{
    Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, TableScan, binary_expr,
};

use super::bind::{Binder, Bound, bind, own_columns, refs};
use super::refused;
use crate::plans::expressions;

/// Binds a recursive query.
///
/// # Errors
///
/// Returns an error if the recursive part reads its own rows in any way but filters, projections
/// and joins.
pub(super) fn bind_recursive(binder: &mut Binder<'_>, query: RecursiveQuery) -> Result<Bound> {
    let own = own_columns(&query.static_term);
    let first_rows = bind(binder, Arc::unwrap_or_clone(query.static_term))?;
    let places = 0..first_rows.columns.len();
    let names: Vec<String> = places.map(|_| binder.next("recursive")).collect();
    let keys = refs(&first_rows.columns).zip(&names);
    let exprs: Vec<Expr> = keys.map(|(key, name)| key.alias(name)).chain(own).collect();
    let first_rows = LogicalPlanBuilder::from(first_rows.plan)
        .project(exprs)?
        .build()?;
    let fields = first_rows.schema().fields().iter().take(names.len());
    let work_table = WorkTable {
        name: query.name.clone(),
        keys: fields
            .map(|field| Arc::new(Field::clone(field).with_nullable(true)))
            .collect(),
    };
    let own = own_columns(&query.recursive_term);
    let next = work_table.carried(binder, Arc::unwrap_or_clone(query.recursive_term))?;
    let exprs: Vec<Expr> = refs(&next.columns).chain(own).collect();
    let next_rows = LogicalPlanBuilder::from(next.plan)
        .project(exprs)?
        .build()?;
    let plan = LogicalPlanBuilder::from(first_rows)
        .to_recursive_query(query.name, next_rows, query.is_distinct)?
        .build()?;
    let columns: Vec<Column> = names.iter().map(Column::new_unqualified).collect();
    Ok(Bound {
        plan,
        first: columns.len(),
        columns,
    })
}

/// The rows of the last round.
struct WorkTable {
    name: String,
    /// The domain's columns, which are its first.
    keys: Vec<FieldRef>,
}

impl WorkTable {
    /// Returns the rows of a plan with the keys of the rows that they come from.
    fn carried(&self, binder: &mut Binder<'_>, plan: LogicalPlan) -> Result<Bound> {
        match plan {
            LogicalPlan::TableScan(scan) if self.is_read_by(&scan) => self.scan(&scan),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.carried(binder, Arc::unwrap_or_clone(alias.input))?;
                input.aliased(alias.alias)
            }
            LogicalPlan::Projection(projection) => {
                let input = self.carried(binder, Arc::unwrap_or_clone(projection.input))?;
                input.projected(binder, projection.expr)
            }
            LogicalPlan::Filter(filter) => {
                let input = self.carried(binder, Arc::unwrap_or_clone(filter.input))?;
                let predicate = binder.unnamed(filter.predicate, &input.columns)?;
                let plan = LogicalPlanBuilder::from(input.plan)
                    .filter(predicate)?
                    .build()?;
                Ok(Bound { plan, ..input })
            }
            LogicalPlan::Join(join) => self.join(binder, join),
            other => refused(&format!(
                "a correlated recursive query is not supported here: {}",
                other.display()
            )),
        }
    }

    fn join(&self, binder: &mut Binder<'_>, join: Join) -> Result<Bound> {
        let from_left = self.is_in(&join.left)?;
        let other = match from_left {
            true => &join.right,
            false => &join.left,
        };
        let keeps_rows = match join.join_type {
            JoinType::Inner => true,
            JoinType::Left => from_left,
            JoinType::Right => !from_left,
            _ => false,
        };
        if !keeps_rows || join.null_aware || self.is_in(other)? || binder.reads_domain(other)? {
            return refused("a join of this kind in a correlated recursive query is not supported");
        }
        let own = own_columns(&LogicalPlan::Join(join.clone()));
        let (mut left, mut right) = (join.left, join.right);
        let carrying = match from_left {
            true => &mut left,
            false => &mut right,
        };
        let Bound { plan, columns, .. } = self.carried(binder, LogicalPlan::clone(carrying))?;
        *carrying = Arc::new(plan);
        let equal = match join.null_equality {
            NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
            NullEquality::NullEqualsNothing => Operator::Eq,
        };
        let mut conditions = Vec::new();
        for (left, right) in join.on {
            let left = binder.unnamed(left, &columns)?;
            let right = binder.unnamed(right, &columns)?;
            conditions.push(binary_expr(left, equal, right));
        }
        if let Some(filter) = join.filter {
            conditions.push(binder.unnamed(filter, &columns)?);
        }
        let builder = LogicalPlanBuilder::from(Arc::unwrap_or_clone(left));
        let right = Arc::unwrap_or_clone(right);
        let joined = match (conditions.is_empty(), join.join_type) {
            (true, JoinType::Inner) => builder.cross_join(right)?,
            (_, join_type) => builder.join_on(right, join_type, conditions)?,
        };
        let exprs: Vec<Expr> = refs(&columns).chain(own).collect();
        Ok(Bound {
            plan: joined.project(exprs)?.build()?,
            first: columns.len(),
            columns,
        })
    }

    /// Returns the scan of the table with its keys.
    fn scan(&self, scan: &TableScan) -> Result<Bound> {
        if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
            return refused("a part of a recursive query's rows is not supported here");
        }
        let own = scan.source.schema();
        let fields: Vec<FieldRef> = self.keys.iter().chain(own.fields()).cloned().collect();
        let table = CteWorkTable::new(&self.name, Arc::new(Schema::new(fields)));
        let source = provider_as_source(Arc::new(table));
        let keys = self.keys.iter();
        let columns: Vec<Column> = keys
            .map(|key| Column::new(Some(scan.table_name.clone()), key.name()))
            .collect();
        let plan = LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build()?;
        Ok(Bound {
            plan,
            first: columns.len(),
            columns,
        })
    }

    fn is_read_by(&self, scan: &TableScan) -> bool {
        source_as_provider(&scan.source).is_ok_and(|table| {
            let table = table.downcast_ref::<CteWorkTable>();
            table.is_some_and(|table| table.name() == self.name)
        })
    }

    /// Returns whether a plan or its subqueries read the table.
    fn is_in(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            found = matches!(node, LogicalPlan::TableScan(scan) if self.is_read_by(scan));
            Ok(expressions::until(found))
        })?;
        Ok(found)
    }
}
