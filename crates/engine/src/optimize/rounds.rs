//! Lets the rows of a recursive query be NULL.
//!
//! The optimizer may turn an expression that is never NULL into one of which it does not know that,
//! and a recursive query keeps the columns that it had when the statement was read
//! (`RecursiveQuery`, `datafusion-expr`, 55.2). The rows of a round are then refused:
//!
//! ```text
//! SELECT true AS b UNION ALL SELECT CASE WHEN b THEN false ELSE true END FROM r
//!     column 0: field nullability differs
//! ```
//!
//! Delete this when the engine computes the columns of recursive queries anew.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

use crate::plans::expressions::has_operator;

/// Returns a plan that is ready to run, whose recursive queries may return NULL in each column.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn with_nullable_rounds(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_recursive = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::RecursiveQuery(_)));
    if !has_operator(&plan, is_recursive)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::RecursiveQuery(mut query) => {
            query.schema = Arc::new(nullable(&query.schema)?);
            Ok(Transformed::yes(LogicalPlan::RecursiveQuery(query)))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

fn nullable(schema: &DFSchema) -> Result<DFSchema> {
    let columns = schema.iter().map(|(relation, field)| {
        let field = field.as_ref().clone().with_nullable(true);
        (relation.cloned(), Arc::new(field))
    });
    DFSchema::new_with_metadata(columns.collect(), schema.as_arrow().metadata().clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    #[test]
    fn columns_of_recursive_queries_may_be_null() {
        let row = |value: bool| {
            let row = LogicalPlanBuilder::empty(true).project(vec![lit(value).alias("b")]);
            row.unwrap().build().unwrap()
        };
        let query = LogicalPlanBuilder::from(row(true))
            .to_recursive_query("r".to_owned(), row(false), false)
            .unwrap()
            .project(vec![lit(ScalarValue::Null)])
            .unwrap()
            .build()
            .unwrap();
        let inputs = query.inputs();
        assert!(!inputs.first().unwrap().schema().field(0).is_nullable());
        let query = with_nullable_rounds(query).unwrap();
        let inputs = query.inputs();
        assert!(inputs.first().unwrap().schema().field(0).is_nullable());
    }
}
