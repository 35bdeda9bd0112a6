//! `regclass`, `regtype` and their like: numbers that are shown as names.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;

use super::cell::PG_TYPE;

/// The functions that give the name for a number, by the Postgres type of the number.
#[derive(Debug, Clone, Default)]
pub struct ShownAsNames {
    functions: HashMap<&'static str, Arc<ScalarUDF>>,
}

impl ShownAsNames {
    pub fn new(functions: HashMap<&'static str, Arc<ScalarUDF>>) -> Self {
        Self { functions }
    }

    fn function(&self, field: &Field) -> Option<&Arc<ScalarUDF>> {
        let pg_type = field.metadata().get(PG_TYPE)?;
        field
            .data_type()
            .is_integer()
            .then(|| self.functions.get(pg_type.as_str()))
            .flatten()
    }

    /// The plan of a whole query with names where a client would see them.
    pub fn finish(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if !plan
            .schema()
            .fields()
            .iter()
            .any(|field| self.function(field).is_some())
        {
            return Ok(plan);
        }
        let exprs: Vec<Expr> = plan
            .schema()
            .iter()
            .map(|(qualifier, field)| {
                let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
                match self.function(field) {
                    Some(function) => function.call(vec![column]).alias(field.name()),
                    None => column,
                }
            })
            .collect();
        LogicalPlanBuilder::from(plan).project(exprs)?.build()
    }

    fn expr(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let Expr::Cast(cast) = &expr else {
            return Ok(Transformed::no(expr));
        };
        if !matches!(
            cast.field.data_type(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        ) {
            return Ok(Transformed::no(expr));
        }
        let Ok((_, field)) = cast.expr.to_field(schema) else {
            return Ok(Transformed::no(expr));
        };
        let Some(function) = self.function(&field) else {
            return Ok(Transformed::no(expr));
        };
        let mut cast = cast.clone();
        cast.expr = Box::new(function.call(vec![*cast.expr]));
        Ok(Transformed::yes(Expr::Cast(cast)))
    }
}

/// A cast of such a number to text is a cast of its name.
impl AnalyzerRule for ShownAsNames {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(expr
                    .transform_up(|expr| self.expr(expr, &schema))?
                    .update_data(|expr| name.restore(expr)))
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "shown_as_names"
    }
}
