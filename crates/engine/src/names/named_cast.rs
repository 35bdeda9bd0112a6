//! Makes a cast part of a column's name.
//!
//! DataFusion names a column without the casts in its expression (`Expr::schema_name`), and refuses
//! a plan with two columns of the same name: `sum(x)` beside `sum(CAST(x AS DOUBLE))` (55.2). Such
//! a statement is planned again with its casts inside calls of [`NAMED_CAST`], which name the type;
//! `postgres/rewrite/named_casts.rs` of the dialect crate writes them. Delete both when casts are
//! part of names.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

/// A function of a cast and the type's name that returns the cast.
pub const NAMED_CAST: &str = "named_cast";

/// Returns whether two groups or aggregates of the plan have the same name, which DataFusion
/// refuses when it optimizes the plan.
pub fn has_columns_of_one_name(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            let mut names = HashSet::new();
            let mut columns = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            found |= columns.any(|column| !names.insert(column.schema_name().to_string()));
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    found && walked.is_ok()
}

/// Registers [`NAMED_CAST`].
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    let function = NamedCast {
        signature: Signature::any(2, Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NamedCast {
    signature: Signature,
}

fn of_nothing() -> DataFusionError {
    DataFusionError::Internal("a named cast of nothing".to_owned())
}

impl ScalarUDFImpl for NamedCast {
    fn name(&self) -> &str {
        NAMED_CAST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(of_nothing)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        args.arg_fields.first().cloned().ok_or_else(of_nothing)
    }

    /// Leaves only the cast: columns keep their names during simplification.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let cast = args.into_iter().next().ok_or_else(of_nothing)?;
        Ok(ExprSimplifyResult::Simplified(cast))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args.into_iter().next().ok_or_else(of_nothing)
    }
}
