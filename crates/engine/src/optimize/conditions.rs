//! Keeps casts in conditions from being treated as reversible; see [`casts`](lakegate_lake::casts).

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};
use lakegate_lake::casts::{is_reversible, opaque};

use crate::expressions;

/// Makes the arguments of such casts opaque, in filters and in join conditions other than the keys.
/// Call it after all other optimization, so that scans get their conditions unchanged.
///
/// # Errors
///
/// Returns an error if the rewritten plan is invalid.
pub(crate) fn with_opaque_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_cast = |expr: &Expr| matches!(expr, Expr::Cast(Cast { expr, .. }) if is_clear(expr));
    if !expressions::has(&plan, is_cast)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(mut filter) => {
            let schema = DFSchemaRef::clone(filter.input.schema());
            let predicate = condition(filter.predicate, &schema)?;
            filter.predicate = predicate.data;
            let node = LogicalPlan::Filter(filter);
            Ok(Transformed::new(node, predicate.transformed, predicate.tnr))
        }
        LogicalPlan::Join(mut join) => {
            let Some(filter) = join.filter.take() else {
                return Ok(Transformed::no(LogicalPlan::Join(join)));
            };
            let sides = merge_schema(&[&join.left, &join.right]);
            let filter = condition(filter, &sides)?;
            join.filter = Some(filter.data);
            let node = LogicalPlan::Join(join);
            Ok(Transformed::new(node, filter.transformed, filter.tnr))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

fn condition(condition: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    condition.transform_up(|expr| {
        let Expr::Cast(Cast { expr: inner, field }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let hides = is_clear(&inner) && !is_reversible(&inner.get_type(schema)?, field.data_type());
        let expr = if hides {
            Box::new(opaque(*inner))
        } else {
            inner
        };
        let cast = Expr::Cast(Cast { expr, field });
        Ok(Transformed::new_transformed(cast, hides))
    })
}

/// Returns whether an argument is not opaque. Function calls are opaque already.
fn is_clear(argument: &Expr) -> bool {
    !matches!(argument, Expr::ScalarFunction(_) | Expr::Literal(..))
}
