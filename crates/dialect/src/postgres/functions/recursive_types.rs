//! A recursive query whose recursive term has another type than its first term is an error, where its
//! values would lose digits or hours:
//!
//! ```text
//! WITH RECURSIVE t (x) AS (SELECT 1 UNION ALL SELECT x + 0.5 FROM t …)
//! ```
//!
//! The planner casts the recursive term to the types of the first one, and such a cast is found here.
//! Casts that the statement has at these places are written twice, so that their types agree: see
//! `rewrite/recursive_casts.rs`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, RecursiveQuery};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

use crate::postgres::pg_catalog::types::{format_type, of_arrow};

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(RecursiveTypes)
}

#[derive(Debug)]
struct RecursiveTypes;

impl AnalyzerRule for RecursiveTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::RecursiveQuery(query) = node {
                check(query)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "recursive_types"
    }
}

/// # Errors
///
/// A column of the recursive term has a wider type than that of the first term.
fn check(query: &RecursiveQuery) -> Result<()> {
    let LogicalPlan::Projection(term) = query.recursive_term.as_ref() else {
        return Ok(());
    };
    let columns = query.static_term.schema().fields().iter();
    for (place, (expr, column)) in term.expr.iter().zip(columns).enumerate() {
        let mut expr = expr;
        while let Expr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        let Expr::Cast(cast) = expr else {
            continue;
        };
        // The type of an expression that is not coerced yet may be unknown.
        let Ok(of) = cast.expr.get_type(term.input.schema().as_ref()) else {
            continue;
        };
        if loses(&of, column.data_type()) {
            let [first, overall] =
                [column.data_type(), &of].map(|of| format_type(of_arrow(of).oid, None));
            let message = format!(
                "recursive query \"{}\" column {} has type {first} in non-recursive term but type {overall} overall",
                query.name,
                place + 1
            );
            let error = Error::new(Code::TypeMismatch, message)
                .with_hint("Cast the output of the non-recursive term to the correct type.");
            return Err(error.into());
        }
    }
    Ok(())
}

/// Returns whether values of a type lose a part as values of another type.
fn loses(from: &DataType, to: &DataType) -> bool {
    match to {
        DataType::Date32 => matches!(from, DataType::Timestamp(..)),
        to if to.is_integer() => from.is_floating() || from.is_decimal(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, cast, lit};

    use super::*;

    fn recursive(first: Expr, next: Expr) -> Result<LogicalPlan> {
        let row = |value: Expr| LogicalPlanBuilder::values(vec![vec![value]])?.build();
        let next = LogicalPlanBuilder::from(row(lit("x"))?)
            .project([next])?
            .build()?;
        LogicalPlanBuilder::from(row(first)?)
            .to_recursive_query("t".to_owned(), next, false)?
            .build()
    }

    #[test]
    fn wider_types_are_refused() {
        let refused = |first: Expr, next: Expr| {
            let plan = recursive(first, next).unwrap();
            let analyzed = RecursiveTypes.analyze(plan, &ConfigOptions::default());
            analyzed.err().map(|error| error.to_string())
        };
        let error = refused(lit(1_i32), lit(1.5)).unwrap();
        assert!(error.contains("column 1 has type integer in non-recursive term"));
        assert!(error.contains("double precision overall"));
        assert_eq!(refused(lit(1_i32), lit(2_i64)), None);
        assert_eq!(refused(lit(1.5), lit(2_i64)), None);
        assert_eq!(refused(lit("a"), lit(2_i64)), None);
        let whole = cast(lit(1.5), DataType::Int32);
        assert_eq!(refused(lit(1_i32), cast(whole, DataType::Int32)), None);
    }
}
