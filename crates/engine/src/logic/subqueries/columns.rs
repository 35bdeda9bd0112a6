//! Predicates over subqueries in a SELECT list, GROUP BY, an aggregate's arguments, a sort key or a
//! window: each becomes a column that is joined to the input.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchemaRef, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Projection, Sort, Subquery, Window, lit,
};

use super::is_predicate;
use super::logic::Logic;
use crate::joins::dependent::is_correlated;

pub(super) struct Columns<'a> {
    /// The number of the last name generated for the plan.
    pub(super) names: &'a Cell<usize>,
}

impl Columns<'_> {
    /// Rewrites a node that is neither a filter nor a join.
    ///
    /// # Errors
    ///
    /// Returns an error if the rewritten node is invalid.
    pub(super) fn outside_filters(
        &self,
        node: LogicalPlan,
        logic: &Logic<'_>,
    ) -> Result<LogicalPlan> {
        match node {
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let mut input = Arc::unwrap_or_clone(input);
                let expr = self.replaced(expr, logic, &mut input)?;
                LogicalPlanBuilder::from(input).project(expr)?.build()
            }
            LogicalPlan::Aggregate(Aggregate {
                input,
                group_expr,
                aggr_expr,
                ..
            }) => {
                let mut input = Arc::unwrap_or_clone(input);
                let groups = self.replaced(group_expr, logic, &mut input)?;
                let aggregates = self.replaced(aggr_expr, logic, &mut input)?;
                let plan = LogicalPlanBuilder::from(input).aggregate(groups, aggregates)?;
                plan.build()
            }
            LogicalPlan::Window(Window {
                input, window_expr, ..
            }) => {
                let mut input = Arc::unwrap_or_clone(input);
                let mut columns = columns_of(input.schema());
                let exprs = self.replaced(window_expr, logic, &mut input)?;
                columns.extend(
                    exprs.iter().map(|expr| {
                        Expr::Column(Column::from_name(expr.schema_name().to_string()))
                    }),
                );
                LogicalPlanBuilder::from(input)
                    .window(exprs)?
                    .project(columns)?
                    .build()
            }
            LogicalPlan::Sort(Sort { expr, input, fetch }) => {
                let mut input = Arc::unwrap_or_clone(input);
                let columns = columns_of(input.schema());
                let mut keys = expr;
                for key in &mut keys {
                    let value = logic.value(key.expr.clone())?;
                    key.expr = self.column(value, &mut input)?;
                }
                let plan = LogicalPlanBuilder::from(input).sort_with_limit(keys, fetch)?;
                plan.project(columns)?.build()
            }
            node => Ok(node),
        }
    }

    fn replaced(
        &self,
        exprs: Vec<Expr>,
        logic: &Logic<'_>,
        input: &mut LogicalPlan,
    ) -> Result<Vec<Expr>> {
        exprs
            .into_iter()
            .map(|expr| {
                if !expr.exists(|expr| Ok(is_predicate(expr)))? {
                    return Ok(expr);
                }
                let name = expr.schema_name().to_string();
                let expr = self.column(logic.value(expr)?, input)?;
                let unchanged = expr.schema_name().to_string() == name;
                Ok(match unchanged {
                    true => expr,
                    false => expr.alias(name),
                })
            })
            .collect()
    }

    fn column(&self, expr: Expr, input: &mut LogicalPlan) -> Result<Expr> {
        expr.transform_down(|expr| {
            Ok(match expr {
                Expr::Exists(Exists { subquery, negated }) if !is_correlated(&subquery)? => {
                    Transformed::yes(any_row(subquery, negated)?)
                }
                Expr::InSubquery(InSubquery {
                    expr,
                    subquery,
                    negated: false,
                }) if !is_correlated(&subquery)? => {
                    Transformed::yes(self.found(*expr, &subquery, input)?)
                }
                expr => Transformed::no(expr),
            })
        })
        .data()
    }

    /// Returns whether `x` is among the values of a subquery.
    fn found(&self, x: Expr, subquery: &Subquery, input: &mut LogicalPlan) -> Result<Expr> {
        self.names.set(self.names.get() + 1);
        let alias = format!("__in_{}", self.names.get());
        let values = subquery.subquery.as_ref().clone();
        let value = Expr::Column(Column::from(values.schema().qualified_field(0)));
        let values = LogicalPlanBuilder::from(values)
            .filter(value.clone().is_not_null())?
            .project([value.alias("value")])?
            .distinct()?
            .project([
                Expr::Column(Column::from_name("value")),
                lit(true).alias("found"),
            ])?
            .alias(alias.as_str())?
            .build()?;
        let equal = x.eq(Expr::Column(Column::new(Some(alias.as_str()), "value")));
        *input = LogicalPlanBuilder::from(input.clone())
            .join_on(values, JoinType::Left, [equal])?
            .build()?;
        let found = Expr::Column(Column::new(Some(alias.as_str()), "found"));
        Ok(found.is_not_null())
    }
}

/// Returns an EXISTS with the same result for all rows, in a form that DataFusion supports
/// everywhere: `(SELECT count(*) > 0 FROM (S LIMIT 1))`.
fn any_row(subquery: Subquery, negated: bool) -> Result<Expr> {
    use datafusion::functions_aggregate::count::count_udaf;
    let rows = LogicalPlanBuilder::from(Arc::unwrap_or_clone(subquery.subquery))
        .limit(0, Some(1))?
        .aggregate(
            Vec::<Expr>::new(),
            vec![count_udaf().call(vec![lit(1i64)]).alias("rows")],
        )?;
    let counted = Expr::Column(Column::from_name("rows"));
    let expected = match negated {
        true => counted.eq(lit(0i64)),
        false => counted.gt(lit(0i64)),
    };
    let plan = rows.project([expected])?.build()?;
    Ok(Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns: vec![],
        spans: subquery.spans,
    }))
}

fn columns_of(schema: &DFSchemaRef) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}
