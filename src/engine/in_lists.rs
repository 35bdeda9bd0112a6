//! IN lists of one expression are not merged.
//!
//! The engine's simplifier takes the lists for sets of values that differ where their expressions do, and for NULL-free
//! (`datafusion-optimizer`, `expr_simplifier.rs`, `inlist_intersection` and `inlist_except`, 55.2):
//!
//! ```text
//! x IN (1, 2) AND x NOT IN (3, NULL)     became x IN (1, 2); is never true
//! x IN (a, 1) AND x IN (b, 2)            became false; is true where x = a = b
//! NOT (x IN (1, 2) AND x IN (3, 4))      became true; is NULL where x is
//! ```
//!
//! An analyzer rule makes the expressions of such lists differ, as [`Same`]: the simplifier then sees lists of several
//! expressions. Delete this when it minds NULLs and what is not a constant.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::expressions;

/// Keeps IN lists apart that stand in one AND or OR.
#[derive(Debug)]
pub struct SeparateInLists;

impl AnalyzerRule for SeparateInLists {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // The same for the same plan, which is a key of results.
        let made = Cell::new(0);
        expressions::rewritten(plan, |expr, _| separated(expr, &made))
    }

    fn name(&self) -> &str {
        "separate_in_lists"
    }
}

fn separated(mut expr: Expr, made: &Cell<u32>) -> Transformed<Expr> {
    let Expr::BinaryExpr(BinaryExpr {
        op: op @ (Operator::And | Operator::Or),
        ..
    }) = &expr
    else {
        return Transformed::no(expr);
    };
    let op = *op;
    let mut operands = Vec::new();
    collect(&expr, op, &mut operands);
    let tested: Vec<Expr> = operands
        .iter()
        .filter_map(|operand| listed(operand, op))
        .cloned()
        .collect();
    let mut repeated: Vec<Expr> = Vec::new();
    for (place, one) in tested.iter().enumerate() {
        if tested.iter().skip(place + 1).any(|other| other == one) && !repeated.contains(one) {
            repeated.push(one.clone());
        }
    }
    if repeated.is_empty() {
        return Transformed::no(expr);
    }
    // One of each stays as it is, for the files' statistics.
    let mut seen: Vec<Expr> = Vec::new();
    separate(&mut expr, op, &repeated, &mut seen, made);
    Transformed::yes(expr)
}

/// What stands between the ANDs or ORs.
fn collect<'a>(expr: &'a Expr, op: Operator, operands: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == op => {
            collect(&binary.left, op, operands);
            collect(&binary.right, op, operands);
        }
        expr => operands.push(expr),
    }
}

/// What an operand compares with a list, if the simplifier may merge it wrongly with another: in OR only what is negated;
/// in AND also an OR of equalities, which becomes a list.
fn listed(operand: &Expr, op: Operator) -> Option<&Expr> {
    match operand {
        Expr::InList(list) if op == Operator::And || list.negated => Some(&list.expr),
        Expr::BinaryExpr(binary) if op == Operator::And && binary.op == Operator::Or => {
            listed_by_or(operand)
        }
        _ => None,
    }
}

fn listed_by_or(operand: &Expr) -> Option<&Expr> {
    match operand {
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            let (left, right) = (listed_by_or(&binary.left)?, listed_by_or(&binary.right)?);
            (left == right).then_some(left)
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            match (binary.left.as_ref(), binary.right.as_ref()) {
                (column @ Expr::Column(_), _) | (_, column @ Expr::Column(_)) => Some(column),
                _ => None,
            }
        }
        Expr::InList(list) if !list.negated => Some(&list.expr),
        _ => None,
    }
}

/// Puts [`Same`] into all but the first list of each repeated expression.
fn separate(
    expr: &mut Expr,
    op: Operator,
    repeated: &[Expr],
    seen: &mut Vec<Expr>,
    made: &Cell<u32>,
) {
    if let Expr::BinaryExpr(binary) = expr
        && binary.op == op
    {
        separate(&mut binary.left, op, repeated, seen, made);
        separate(&mut binary.right, op, repeated, seen, made);
        return;
    }
    let Some(tested) = listed(expr, op)
        .filter(|tested| repeated.contains(tested))
        .cloned()
    else {
        return;
    };
    if seen.contains(&tested) {
        rename(expr, &tested, made);
    } else {
        seen.push(tested);
    }
}

/// Of an OR, one equality is enough: what is left is no list.
fn rename(expr: &mut Expr, tested: &Expr, made: &Cell<u32>) {
    match expr {
        Expr::InList(InList { expr, .. }) => {
            let inner = std::mem::take(expr.as_mut());
            **expr = same(inner, made);
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            rename(&mut binary.left, tested, made);
        }
        Expr::BinaryExpr(binary) => {
            let side = if binary.left.as_ref() == tested {
                &mut binary.left
            } else {
                &mut binary.right
            };
            let inner = std::mem::take(side.as_mut());
            **side = same(inner, made);
        }
        _ => {}
    }
}

fn same(expr: Expr, made: &Cell<u32>) -> Expr {
    made.set(made.get() + 1);
    let func = Arc::new(ScalarUDF::new_from_impl(Same {
        number: made.get(),
        signature: Signature::any(1, Volatility::Immutable),
    }));
    Expr::ScalarFunction(ScalarFunction {
        func,
        args: vec![expr],
    })
}

/// Its argument, which two of them are not seen to have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    number: u32,
    signature: Signature,
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &str {
        "same"
    }

    /// That of the argument: columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let name = args.first().map(|inner| inner.schema_name().to_string());
        Ok(name.unwrap_or_default())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = args.arg_fields.first().cloned();
        field.ok_or_else(|| DataFusionError::Internal("same of nothing".to_owned()))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let argument = args.args.into_iter().next();
        argument.ok_or_else(|| DataFusionError::Internal("same of nothing".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    /// One column of a query, in order.
    async fn column(sql: &str) -> Vec<String> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(SeparateInLists))
            .build();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let mut values = Vec::new();
        for batch in frame.collect().await.unwrap() {
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(batch.column(0), row).unwrap());
            }
        }
        values
    }

    const T: &str = "(VALUES (1, 5, 5), (2, 6, 7), (NULL, 1, 1)) t(x, a, b)";

    #[tokio::test]
    async fn lists_of_one_expression_mean_what_each_means() {
        for (expression, expected) in [
            (
                "x IN (1, 2, 3, 4) AND x NOT IN (5, 6, 7, NULL)",
                ["", "", ""],
            ),
            (
                "x NOT IN (5, 6, 7, NULL) AND x IN (1, 2, 3, 4)",
                ["", "", ""],
            ),
            (
                "x IN (1, 2, 3, 4) AND x NOT IN (2, 6, 7, 8)",
                ["true", "false", ""],
            ),
            (
                "x IN (1, 2, 3, 4) AND x IN (1, 6, 7, 8)",
                ["true", "false", ""],
            ),
            (
                "x IN (1, 2, 3, 4) AND x IN (5, 6, 7, 8)",
                ["false", "false", ""],
            ),
            (
                "x + 4 IN (a, 1, 2, 3) AND x + 4 IN (b, 4, 8, 9)",
                ["true", "false", ""],
            ),
            (
                "x + 4 IN (5, 1, 2, 3) AND x + 4 NOT IN (b, 4, 8, 9)",
                ["false", "false", ""],
            ),
            (
                "x NOT IN (1, 2, 3, 4) OR x NOT IN (5, 6, 7, 8)",
                ["true", "true", ""],
            ),
            (
                "x NOT IN (1, 2, 3, NULL) OR x NOT IN (1, 6, 7, 8)",
                ["false", "true", ""],
            ),
            (
                "NOT (x IN (1, 2, 3, 4) AND x IN (5, 6, 7, 8))",
                ["true", "true", ""],
            ),
            (
                "NOT ((x = 1 OR x = 2) AND (x = 3 OR x = 4))",
                ["true", "true", ""],
            ),
            (
                "(x = 1 OR x = 2) AND x NOT IN (3, 4, 5, NULL)",
                ["", "", ""],
            ),
            (
                "x IN (1, 2, 3, 4) AND a > 0 AND x NOT IN (1, 9, 8, 7) AND x IN (2, 3, 4, 5)",
                ["false", "true", ""],
            ),
            (
                "x NOT IN (1, 6, 7, 8) AND x NOT IN (1, 9, 4, 5)",
                ["false", "true", ""],
            ),
            (
                "x IN (1, 6, 7, 8) OR x IN (1, 9, 4, 5)",
                ["true", "false", ""],
            ),
        ] {
            let sql = format!("SELECT {expression} FROM {T} ORDER BY x");
            assert_eq!(column(&sql).await, expected, "{sql}");
            // As a condition, and under one.
            let kept = expected.iter().filter(|value| **value == "true").count();
            let sql = format!("SELECT count(*) FROM {T} WHERE {expression}");
            assert_eq!(column(&sql).await, [kept.to_string()], "{sql}");
            let kept = expected.iter().filter(|value| **value == "false").count();
            let sql = format!("SELECT count(*) FROM {T} WHERE NOT ({expression})");
            assert_eq!(column(&sql).await, [kept.to_string()], "{sql}");
        }
    }
}
