//! A scalar subquery without rows is NULL, also where its column never is.
//!
//! The engine says of `(SELECT 9 FROM t WHERE …)` that it is not NULL, as 9 is not, and leaves IS NULL, COALESCE and CASE out
//! (`Expr::nullable` of `datafusion-expr`, 55.2). An analyzer rule says of the column that it may be NULL, but where there is a row for
//! sure, as of `(SELECT count(*) FROM t)`. Delete this when the engine says so of the subquery.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Subquery, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::engine::expressions;

/// The rule.
#[derive(Debug)]
pub struct MissingRows;

impl AnalyzerRule for MissingRows {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerned = |expr: &Expr| match expr {
            Expr::ScalarSubquery(subquery) => is_mistaken(&subquery.subquery),
            _ => false,
        };
        if !expressions::has(&plan, concerned)? {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| {
            if !expressions::reads(&node, concerned)? {
                return Ok(Transformed::no(node));
            }
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                expressions::named(expr, &names, &|expr| match expr {
                    Expr::ScalarSubquery(subquery) if is_mistaken(&subquery.subquery) => {
                        nullable(subquery)
                            .map(Expr::ScalarSubquery)
                            .map(Transformed::yes)
                    }
                    expr => Ok(Transformed::no(expr)),
                })
            })?
            .map_data(|node| node.recompute_schema())
        })
        .data()
    }

    fn name(&self) -> &str {
        "missing_rows"
    }
}

/// Whether a subquery may have no row, and a column that says that it is not NULL.
fn is_mistaken(plan: &LogicalPlan) -> bool {
    let never_null = plan
        .schema()
        .fields()
        .iter()
        .all(|field| !field.is_nullable());
    never_null && !has_a_row(plan)
}

/// Whether there is a row for sure.
fn has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_a_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_a_row(&alias.input),
        LogicalPlan::Sort(sort) => has_a_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(relation) => relation.produce_one_row,
        _ => false,
    }
}

fn nullable(subquery: Subquery) -> Result<Subquery> {
    let columns = subquery.subquery.schema().columns();
    let exprs = columns.into_iter().map(|column| {
        let (relation, name) = (column.relation.clone(), column.name.clone());
        let function = Nullable {
            signature: Signature::any(1, Volatility::Immutable),
        };
        expressions::call(function, vec![Expr::Column(column)]).alias_qualified(relation, name)
    });
    let plan = Projection::try_new(exprs.collect(), subquery.subquery)?;
    Ok(Subquery {
        subquery: Arc::new(LogicalPlan::Projection(plan)),
        ..subquery
    })
}

/// Its argument, which may be NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Nullable {
    signature: Signature,
}

fn nothing() -> DataFusionError {
    DataFusionError::Internal("nullable of nothing".to_owned())
}

impl ScalarUDFImpl for Nullable {
    fn name(&self) -> &str {
        "nullable"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(nothing)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = args.arg_fields.first().ok_or_else(nothing)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args.into_iter().next().ok_or_else(nothing)
    }
}
