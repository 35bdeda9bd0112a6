//! The places of subqueries: each kind of node whose expressions may have them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection, Sort, Window,
};

use super::{
    Rewriter, Target, columns_of, engine, lateral, on, outer_aggregates, refused, subquery_of,
};

/// A place of an expression, by the subqueries that the engine supports there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// EXISTS, IN and scalar subqueries.
    Condition,
    /// Scalar subqueries.
    List,
    /// Only uncorrelated scalar subqueries.
    Elsewhere,
}

impl Place {
    /// Returns whether an expression is a subquery that the engine does not join with these rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    pub(super) fn replaces(self, expr: &Expr, rows: &DFSchema) -> Result<bool> {
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                let plan = &subquery.subquery;
                !subquery.outer_ref_columns.is_empty()
                    && (self == Self::Elsewhere || !engine::groups(plan, rows)?)
            }
            Expr::Exists(exists) => {
                self != Self::Condition || !engine::joins(&exists.subquery.subquery, rows)?
            }
            Expr::InSubquery(within) => {
                !self.knows(within, rows)? || Self::Elsewhere.wants(&within.expr, rows)?
            }
            _ => false,
        })
    }

    /// Returns whether the engine joins the subquery of IN with these rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    pub(super) fn knows(self, within: &InSubquery, rows: &DFSchema) -> Result<bool> {
        Ok(self == Self::Condition && engine::joins(&within.subquery.subquery, rows)?)
    }

    /// Returns whether an expression has a subquery that the engine does not join with these rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the expression cannot be walked.
    pub(super) fn wants(self, expr: &Expr, rows: &DFSchema) -> Result<bool> {
        expr.exists(|expr| self.replaces(expr, rows))
    }

    fn wants_one(self, exprs: &[Expr], rows: &DFSchema) -> Result<bool> {
        for expr in exprs {
            if self.wants(expr, rows)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Rewriter {
    pub(super) fn node(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Aggregate(aggregate) = &node {
            outer_aggregates::refuse(aggregate)?;
        }
        let node = node.map_expressions(|expr| expr.transform_up(|expr| self.inside(expr)))?;
        let (node, changed) = (node.data, node.transformed);
        let rewritten = match node {
            LogicalPlan::Projection(projection)
                if Place::List.wants_one(&projection.expr, projection.input.schema())? =>
            {
                self.projection(projection)?
            }
            LogicalPlan::Filter(filter)
                if Place::Condition.wants(&filter.predicate, filter.input.schema())? =>
            {
                self.filter(filter)?
            }
            LogicalPlan::Aggregate(aggregate)
                if Place::Elsewhere
                    .wants_one(&aggregate.group_expr, aggregate.input.schema())?
                    || Place::Elsewhere
                        .wants_one(&aggregate.aggr_expr, aggregate.input.schema())? =>
            {
                self.aggregate(aggregate)?
            }
            LogicalPlan::Window(window)
                if Place::Elsewhere.wants_one(&window.window_expr, window.input.schema())? =>
            {
                self.window(window)?
            }
            LogicalPlan::Sort(sort) if wants_key(&sort)? => self.sort(sort)?,
            LogicalPlan::Join(join) if !lateral::read_columns(&join)?.is_empty() => {
                self.lateral_join(join)?
            }
            LogicalPlan::Join(join)
                if (join.filter.as_ref()).is_some_and(|filter| {
                    filter.exists(|expr| Ok(is_placed(expr))).unwrap_or(true)
                }) =>
            {
                self.join_on(join)?
            }
            other => {
                return Ok(Transformed::new(
                    other,
                    changed,
                    TreeNodeRecursion::Continue,
                ));
            }
        };
        Ok(Transformed::yes(rewritten))
    }

    fn projection(&mut self, projection: Projection) -> Result<LogicalPlan> {
        let mut target = Target::new(Arc::unwrap_or_clone(projection.input));
        let mut exprs = Vec::with_capacity(projection.expr.len());
        for expr in projection.expr {
            exprs.push(self.replace(expr, &mut target, Place::List)?);
        }
        LogicalPlanBuilder::from(target.joined)
            .project(exprs)?
            .build()
    }

    /// Applies the conditions without subqueries first, because fewer rows have fewer values.
    ///
    /// # Errors
    ///
    /// Returns an error if a subquery is not supported.
    pub(super) fn filter(&mut self, filter: Filter) -> Result<LogicalPlan> {
        let schema = Arc::clone(filter.input.schema());
        let (later, first): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter.predicate)
            .into_iter()
            .partition(|part| {
                part.exists(|expr| Ok(subquery_of(expr).is_some()))
                    .unwrap_or(true)
            });
        let mut rows = LogicalPlanBuilder::from(Arc::unwrap_or_clone(filter.input));
        if let Some(first) = conjunction(first) {
            rows = rows.filter(first)?;
        }
        let mut target = Target::new(rows.build()?);
        let mut conditions = Vec::new();
        for condition in later {
            conditions.push(self.replace(condition, &mut target, Place::Condition)?);
        }
        let mut plan = LogicalPlanBuilder::from(target.joined);
        if let Some(predicate) = conjunction(conditions) {
            plan = plan.filter(predicate)?;
        }
        plan.project(columns_of(&schema))?.build()
    }

    fn aggregate(&mut self, aggregate: Aggregate) -> Result<LogicalPlan> {
        let has_sets = (aggregate.group_expr.iter()).any(|key| matches!(key, Expr::GroupingSet(_)));
        let rows = aggregate.input.schema();
        if has_sets && Place::Elsewhere.wants_one(&aggregate.group_expr, rows)? {
            return refused(
                "a subquery in a key of GROUPING SETS, ROLLUP or CUBE is not supported",
            );
        }
        let mut target = Target::new(Arc::unwrap_or_clone(aggregate.input));
        let mut all = |exprs: Vec<Expr>| -> Result<Vec<Expr>> {
            exprs
                .into_iter()
                .map(|expr| self.replace(expr, &mut target, Place::Elsewhere))
                .collect()
        };
        let group = all(aggregate.group_expr)?;
        let aggregates = all(aggregate.aggr_expr)?;
        LogicalPlanBuilder::from(target.joined)
            .aggregate(group, aggregates)?
            .build()
    }

    fn window(&mut self, window: Window) -> Result<LogicalPlan> {
        let mut columns = columns_of(window.input.schema());
        let mut target = Target::new(Arc::unwrap_or_clone(window.input));
        let mut exprs = Vec::new();
        for expr in window.window_expr {
            let expr = self.replace(expr, &mut target, Place::Elsewhere)?;
            let name = expr.schema_name().to_string();
            columns.push(Expr::Column(Column::from_name(name)));
            exprs.push(expr);
        }
        LogicalPlanBuilder::from(target.joined)
            .window(exprs)?
            .project(columns)?
            .build()
    }

    fn sort(&mut self, sort: Sort) -> Result<LogicalPlan> {
        let schema = Arc::clone(sort.input.schema());
        let mut read = Vec::new();
        for key in &sort.expr {
            read.extend(on::columns_of_expr(&key.expr)?);
        }
        let rows = with_columns(Arc::unwrap_or_clone(sort.input), &read)?;
        let mut target = Target::new(rows);
        let mut keys = Vec::with_capacity(sort.expr.len());
        for mut key in sort.expr {
            key.expr = self.replace(key.expr, &mut target, Place::Elsewhere)?;
            keys.push(key);
        }
        LogicalPlanBuilder::from(target.joined)
            .sort_with_limit(keys, sort.fetch)?
            .project(columns_of(&schema))?
            .build()
    }
}

/// Adds the columns to a SELECT list that are read above it, for example by a subquery in ORDER BY.
fn with_columns(plan: LogicalPlan, read: &[Column]) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(list) = plan else {
        return Ok(plan);
    };
    let below = list.input.schema();
    let lacking = read
        .iter()
        .filter(|column| !list.schema.has_column(column) && below.has_column(column))
        .cloned()
        .map(Expr::Column);
    let lacking: Vec<Expr> = lacking.collect();
    if lacking.is_empty() {
        return Ok(LogicalPlan::Projection(list));
    }
    let columns: Vec<Expr> = list.expr.into_iter().chain(lacking).collect();
    LogicalPlanBuilder::from(Arc::unwrap_or_clone(list.input))
        .project(columns)?
        .build()
}

fn wants_key(sort: &Sort) -> Result<bool> {
    for key in &sort.expr {
        if Place::Elsewhere.wants(&key.expr, sort.input.schema())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether an expression in ON must be replaced.
fn is_placed(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
        Expr::Exists(_) | Expr::InSubquery(_) => true,
        _ => false,
    }
}
