//! Makes a cast part of a column's name.
//!
//! DataFusion names a column without the casts in its expression (`Expr::schema_name`), and refuses
//! a plan with two columns of the same name: `sum(x)` beside `sum(CAST(x AS DOUBLE))` (55.2). It also
//! takes the name of an output for that of a column which is cast in a key of the groups:
//!
//! ```text
//! SELECT CAST(x AS INT) AS a, count(*) AS x FROM t GROUP BY 1 ORDER BY x     sorts by a
//! ```
//!
//! Such a statement is planned again with its casts inside calls of [`NAMED_CAST`], which name the
//! type; `postgres/rewrite/named_casts.rs` of the dialect crate writes them. Delete both when casts
//! are part of names.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Column;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::numbers::open_numerics;
use crate::plans::expressions::{has_operator, until};

/// A function of a cast and the type's name that returns the cast.
pub const NAMED_CAST: &str = "named_cast";

/// Returns whether two groups or aggregates of the plan have the same name, which DataFusion
/// refuses when it optimizes the plan, or whether an output has the name of a column that is cast in
/// a key of groups.
pub fn has_columns_of_one_name(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let mut casts = Vec::new();
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            let mut names = HashSet::new();
            let keys = || aggregate.group_expr.iter().flat_map(keys_in);
            let mut columns = keys().chain(&aggregate.aggr_expr);
            found |= columns.any(|column| !names.insert(column.schema_name().to_string()));
            casts.extend(keys().filter_map(CastColumn::of));
        }
        Ok(until(found))
    });
    if walked.is_err() || found || casts.is_empty() {
        return found && walked.is_ok();
    }
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Projection(projection) = node {
            let mut outputs = projection.expr.iter();
            found |= outputs.any(|output| casts.iter().any(|cast| cast.is_called(output)))
                && has_groups(&projection.input);
        }
        Ok(until(found))
    });
    found && walked.is_ok()
}

fn has_groups(plan: &LogicalPlan) -> bool {
    has_operator(plan, |node| Ok(matches!(node, LogicalPlan::Aggregate(_)))).unwrap_or(true)
}

/// A key of groups that casts a column.
struct CastColumn {
    /// The name of the key.
    key: String,
    /// The name of the column, without that of its relation.
    column: String,
}

impl CastColumn {
    fn of(key: &Expr) -> Option<Self> {
        let column = column_of_cast(key)?;
        Some(Self {
            key: key.schema_name().to_string(),
            column: column.name.clone(),
        })
    }

    /// Returns whether an output that is not the key has the name of the column.
    fn is_called(&self, output: &Expr) -> bool {
        let Expr::Alias(alias) = output else {
            return false;
        };
        let is_key = matches!(alias.expr.as_ref(), Expr::Column(of) if of.name == self.key);
        alias.name == self.column && !is_key
    }
}

/// Returns the keys of grouping sets, or the key itself.
fn keys_in(key: &Expr) -> Vec<&Expr> {
    match key {
        Expr::GroupingSet(sets) => sets.distinct_expr(),
        key => vec![key],
    }
}

fn column_of_cast(key: &Expr) -> Option<&Column> {
    match key {
        Expr::Cast(cast) => column_within(&cast.expr),
        Expr::TryCast(cast) => column_within(&cast.expr),
        Expr::ScalarFunction(call) => open_numerics::value_of(call).and_then(column_within),
        _ => None,
    }
}

fn column_within(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        cast => column_of_cast(cast),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn names_of_columns_that_are_cast_in_keys_are_no_other_outputs() {
        const T: &str = "(VALUES (1, 2), (3, 4)) t(x, y)";
        for (list, rest, expected) in [
            ("CAST(x AS INT) AS a, count(*) AS x", "GROUP BY 1", true),
            (
                "CAST(x AS INT) AS a, max(y) AS x",
                "GROUP BY ROLLUP (CAST(x AS INT))",
                true,
            ),
            (
                "CAST(CAST(x AS INT) AS TEXT) AS a, max(y) AS x",
                "GROUP BY 1 ORDER BY x",
                true,
            ),
            (
                "CAST(x AS INT) AS a, x AS b",
                "GROUP BY CUBE (CAST(x AS INT), x)",
                true,
            ),
            ("x, y", "GROUP BY CUBE (x, y)", false),
            ("CAST(x AS INT) AS x, count(*) AS n", "GROUP BY 1", false),
            ("CAST(x AS INT), count(*)", "GROUP BY 1", false),
            ("x AS a, count(*) AS x", "GROUP BY 1", false),
            ("x + 1 AS a, count(*) AS x", "GROUP BY 1", false),
            ("CAST(x AS INT) AS a, y AS x", "", false),
        ] {
            let sql = format!("SELECT {list} FROM {T} {rest}");
            let plan = SessionContext::new()
                .state()
                .create_logical_plan(&sql)
                .await;
            assert_eq!(has_columns_of_one_name(&plan.unwrap()), expected, "{sql}");
        }
    }
}
