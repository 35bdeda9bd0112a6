//! AND and OR evaluate an operand that divides, takes a logarithm or a root, or casts to a type that
//! does not have all values, only for the rows that the operands before it do not decide, as in
//! PostgreSQL and Trino.
//!
//! DataFusion evaluates it for all rows unless the operands before it decide most of them
//! (`expressions/binary.rs` of `datafusion-physical-expr`, 55.2). So an analyzer rule, which runs
//! after type coercion and before [`guarded_cases`](super::guarded_cases), makes them a CASE:
//!
//! ```text
//! x = 0 OR y / x > 1      CASE WHEN x = 0 THEN true WHEN y / x > 1 THEN true
//!                              ELSE x = 0 OR y / x > 1 END
//! x <> 0 AND y / x > 1    CASE WHEN NOT x <> 0 THEN false WHEN NOT y / x > 1 THEN false
//!                              ELSE x <> 0 AND y / x > 1 END
//! ```
//!
//! What is left for the ELSE, NULL or the opposite, is evaluated for rows that no operand fails for.
//! What the first operand has too is evaluated for all rows in any case.
//! The ANDs of a filter and of a join stay, because they are planned one by one;
//! [`conjunctions`](super::conjunctions) does the same for them. Delete this when `BinaryExpr` does.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Parts of an expression that becomes a CASE, at most: a CASE has each of them twice.
const MAX_PARTS: usize = 256;

/// Functions that have no result for some numbers, and quotients and remainders of decimals.
const UNDEFINED: [&str; 12] = [
    "/", "%", "acos", "acosh", "asin", "atanh", "ln", "log", "log10", "log2", "power", "sqrt",
];

/// Functions that read a value from a text.
const OF_TEXTS: [&str; 24] = [
    "$array_in",
    "$bit_cast",
    "$bit_in",
    "$cidr_in",
    "$daterange_in",
    "$inet_in",
    "$int4range_in",
    "$int8range_in",
    "$jsonb_in",
    "$macaddr_in",
    "$numrange_in",
    "$pg_lsn_in",
    "$tid_in",
    "$timetz_in",
    "$tsrange_in",
    "$tstzrange_in",
    "$uuid_in",
    "$varbit_cast",
    "$varbit_in",
    "date",
    "interval",
    "time",
    "timestamp",
    "timestamp with time zone",
];

/// Types whose values the dialect reads with a function of their name: `$point_in`.
const READ: [&str; 11] = [
    "box",
    "circle",
    "line",
    "lseg",
    "macaddr8",
    "path",
    "pg_snapshot",
    "point",
    "polygon",
    "refcursor",
    "txid_snapshot",
];

/// Functions that make a range of its bounds, and fail if they are not in order.
const OF_BOUNDS: [&str; 6] = [
    "daterange",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
];

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct GuardedLogic;

impl AnalyzerRule for GuardedLogic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::of_readers(plan, is_loose, |node| {
            let names = NamePreserver::new(&node);
            let schema = expressions::schema_of_inputs(&node);
            let keeps_rows = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
            node.map_expressions(|expr| match expr {
                expr if keeps_rows => of_condition(expr, &schema),
                expr @ Expr::GroupingSet(_) => Ok(Transformed::no(expr)),
                expr => {
                    let name = names.save(&expr);
                    Ok(guarded(expr, &schema)?.update_data(|expr| name.restore(expr)))
                }
            })
        })
    }

    fn name(&self) -> &str {
        "guarded_logic"
    }
}

/// Returns whether an expression is an AND or OR whose last operand may fail for values of some type.
fn is_loose(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) => {
            is_logic(*op) && right.exists(|part| Ok(could_fail(part))).unwrap_or(true)
        }
        _ => false,
    }
}

fn is_logic(op: Operator) -> bool {
    matches!(op, Operator::And | Operator::Or)
}

/// Returns whether an operator, a function or a cast may fail for values of some type.
pub(super) fn could_fail(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) => {
            matches!(op, Operator::Divide | Operator::Modulo) && !is_divisor(right)
        }
        Expr::Cast(Cast { expr, field }) => {
            !is_constant(expr) && !field.data_type().is_string() && !field.data_type().is_nested()
        }
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            if OF_TEXTS.contains(&name) || reads_value(name) || makes_range(name) {
                return call.args.iter().any(|argument| !is_constant(argument));
            }
            let divides = matches!(name, "/" | "%");
            UNDEFINED.contains(&name) && !(divides && call.args.last().is_some_and(is_divisor))
        }
        _ => false,
    }
}

/// Returns whether a function reads a value of one of the types [`READ`].
fn reads_value(function: &str) -> bool {
    let name = function.strip_prefix('$');
    let name = name.and_then(|name| name.strip_suffix("_in"));
    name.is_some_and(|name| READ.contains(&name))
}

/// Returns whether a function makes a range, which is none for some arguments: a constructor, or the
/// operator `+` or `-` of two ranges.
fn makes_range(function: &str) -> bool {
    let name = function.strip_prefix('$').unwrap_or(function);
    let operator = name
        .strip_suffix("_union")
        .or_else(|| name.strip_suffix("_difference"));
    OF_BOUNDS.contains(&operator.unwrap_or(name))
}

/// As [`could_fail`], of values of the types that the columns have.
pub(super) fn fails(expr: &Expr, schema: &DFSchema) -> bool {
    let of = |operand: &Expr| operand.get_type(schema).ok();
    could_fail(expr)
        && match expr {
            Expr::Cast(Cast { expr, field }) => {
                of(expr).is_some_and(|from| expressions::narrows(&from, field.data_type()))
            }
            Expr::ScalarFunction(call) if OF_TEXTS.contains(&call.func.name()) => {
                let first = call.args.first().and_then(of);
                first.is_some_and(|first| first.is_string())
            }
            _ => true,
        }
}

/// Returns whether an operand but the first may fail for a row for which the first does not.
fn may_fail(operands: &[Expr], schema: &DFSchema) -> bool {
    let Some((first, rest)) = operands.split_first() else {
        return false;
    };
    let is_new = |part: &Expr| {
        fails(part, schema) && !first.exists(|known| Ok(known == part)).unwrap_or(false)
    };
    let found = |operand: &Expr| operand.exists(|part| Ok(is_new(part)));
    rest.iter().any(|operand| found(operand).unwrap_or(true))
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, .. }) => is_constant(expr),
        _ => false,
    }
}

/// Returns whether an expression is a number other than 0.
fn is_divisor(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => {
            let zero = ScalarValue::new_zero(&value.data_type());
            !value.is_null() && zero.is_ok_and(|zero| zero != *value)
        }
        Expr::Cast(Cast { expr, .. }) => is_divisor(expr),
        _ => false,
    }
}

/// Guards the operands of a filter, but for those of its own ANDs.
fn of_condition(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !matches!(&expr, Expr::BinaryExpr(binary) if binary.op == Operator::And) {
        return guarded(expr, schema);
    }
    let (parts, changed) = guarded_operands(expr, Operator::And, schema)?;
    let whole = joined(&parts, Operator::And);
    Ok(Transformed::new_transformed(whole, changed))
}

fn guarded(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_down(|expr| {
        let op = match &expr {
            Expr::BinaryExpr(binary) if is_logic(binary.op) => binary.op,
            _ => return Ok(Transformed::no(expr)),
        };
        let (parts, mut changed) = guarded_operands(expr, op, schema)?;
        let whole = joined(&parts, op);
        let whole = match may_fail(&parts, schema) && is_repeatable(&whole)? {
            true => {
                changed = true;
                one_by_one(parts, op, whole)
            }
            false => whole,
        };
        // The operands are done.
        Ok(Transformed::new(whole, changed, TreeNodeRecursion::Jump))
    })
}

/// Returns the operands of a chain of an operator, each of them guarded, and whether one changed.
fn guarded_operands(expr: Expr, op: Operator, schema: &DFSchema) -> Result<(Vec<Expr>, bool)> {
    let mut changed = false;
    let parts = operands(expr, op).into_iter().map(|part| {
        let part = guarded(part, schema)?;
        changed |= part.transformed;
        Ok(part.data)
    });
    let parts = parts.collect::<Result<Vec<Expr>>>()?;
    Ok((parts, changed))
}

/// Returns the operands of a chain of an operator in their order.
fn operands(expr: Expr, of: Operator) -> Vec<Expr> {
    let mut operands = Vec::new();
    let mut left = vec![expr];
    while let Some(expr) = left.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr {
                left: first,
                op,
                right,
            }) if op == of => {
                left.push(*right);
                left.push(*first);
            }
            operand => operands.push(operand),
        }
    }
    operands
}

/// Returns the chain of operands.
fn joined(operands: &[Expr], op: Operator) -> Expr {
    let operands = operands.iter().cloned();
    let chain = operands.reduce(|left, right| {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
    });
    chain.unwrap_or_else(|| lit(op == Operator::And))
}

/// Returns whether an expression may be evaluated twice.
pub(super) fn is_repeatable(expr: &Expr) -> Result<bool> {
    let mut parts = 0;
    let is_not = expr.exists(|expr| {
        parts += 1;
        Ok(parts > MAX_PARTS || is_bound(expr))
    })?;
    Ok(!is_not && !expr.is_volatile())
}

/// Returns whether an expression is planned by where it is: the engine groups the rows of a scalar
/// subquery by the columns that equal outer ones.
fn is_bound(expr: &Expr) -> bool {
    let has_columns = |expr: &Expr| !expr.column_refs().is_empty();
    let is_outer = |expr: &Expr| expr.contains_outer() && !has_columns(expr);
    match expr {
        Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::ScalarSubquery(_)
        | Expr::SetComparison(_) => true,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            *op == Operator::Eq
                && (is_outer(left) && has_columns(right) || is_outer(right) && has_columns(left))
        }
        _ => false,
    }
}

fn one_by_one(operands: Vec<Expr>, op: Operator, whole: Expr) -> Expr {
    let decides = op == Operator::Or;
    let branch = |operand: Expr| {
        let when = match decides {
            true => operand,
            false => Expr::Not(Box::new(operand)),
        };
        (Box::new(when), Box::new(lit(decides)))
    };
    Expr::Case(Case {
        expr: None,
        when_then_expr: operands.into_iter().map(branch).collect(),
        else_expr: Some(Box::new(whole)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::logical_expr::cast;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::logic::guarded_cases::GuardedCases;

    const ROWS: &str = "(VALUES (1, 0, true), (2, 2, false), (3, NULL, NULL), (4, 0, NULL), (5, 5, NULL), (6, 1, true)) t(i, x, b)";

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Vec<String> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(GuardedLogic))
            .with_analyzer_rule(Arc::new(GuardedCases))
            .build();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let mut values = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let column = batch.column(0);
            for row in 0..batch.num_rows() {
                values.push(match column.is_null(row) {
                    true => "NULL".to_owned(),
                    false => array_value_to_string(column, row).unwrap(),
                });
            }
        }
        values
    }

    // PostgreSQL 15.
    #[tokio::test]
    async fn operands_are_evaluated_for_the_rows_that_reach_them() {
        for (condition, expected) in [
            (
                "x = 0 OR 10 / x > 4",
                ["true", "true", "NULL", "true", "false", "true"],
            ),
            (
                "x <> 0 AND 10 / x > 4",
                ["false", "true", "NULL", "false", "false", "true"],
            ),
            (
                "x = 0 OR b OR 10 / x > 4",
                ["true", "true", "NULL", "true", "NULL", "true"],
            ),
            (
                "NOT (x = 0 OR 10 / x > 4)",
                ["false", "false", "NULL", "false", "true", "false"],
            ),
            (
                "x = 0 OR (x <> 0 AND 10 % x = 0 AND b)",
                ["true", "false", "NULL", "true", "NULL", "true"],
            ),
            (
                // The text of 6 is ':'.
                "i < 6 AND CAST(chr(52 + i) AS INT) > 6",
                ["false", "false", "true", "true", "true", "false"],
            ),
            (
                "CASE WHEN x <> 0 AND 10 / x = 5 THEN true ELSE b END",
                ["true", "true", "NULL", "NULL", "NULL", "true"],
            ),
        ] {
            let sql = format!("SELECT {condition} FROM {ROWS} ORDER BY i");
            assert_eq!(values(&sql).await, expected, "{condition}");
        }
    }

    #[tokio::test]
    async fn filters_keep_the_rows_that_they_kept() {
        for (condition, expected) in [
            ("x = 0 OR 10 / x > 4", "1 2 4 6"),
            ("i > 1 AND (x = 0 OR 10 / x > 4)", "2 4 6"),
            ("(x <> 0 AND 10 / x > 4) OR i = 5", "2 5 6"),
            ("i = 5 OR sqrt(x) > 1", "2 5"),
        ] {
            let sql = format!("SELECT i FROM {ROWS} WHERE {condition} ORDER BY i");
            assert_eq!(values(&sql).await.join(" "), expected, "{condition}");
        }
    }

    #[test]
    fn only_operands_that_may_fail_are_guarded() {
        let column = |name: &str| datafusion::logical_expr::col(name);
        let fields = [
            ("a", DataType::Int64),
            ("b", DataType::Int64),
            ("t", DataType::Utf8),
        ];
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let plain = column("a").gt(lit(1)).or(column("b").lt(lit(2)));
        assert!(!guarded(plain, &schema).unwrap().transformed);
        let by_two = column("a").gt(lit(1)).or((column("b") / lit(2)).lt(lit(2)));
        assert!(!guarded(by_two, &schema).unwrap().transformed);
        let first = (column("b") / column("a"))
            .lt(lit(2))
            .or(column("a").gt(lit(1)));
        assert!(!guarded(first, &schema).unwrap().transformed);
        let loose = column("a")
            .gt(lit(1))
            .or((column("b") / column("a")).lt(lit(2)));
        let Transformed { data, .. } = guarded(loose, &schema).unwrap();
        assert!(matches!(data, Expr::Case(_)), "{data}");
        let number = |data_type: DataType| cast(column("t"), data_type);
        for condition in [
            column("a")
                .gt(lit(1))
                .and(cast(column("b"), DataType::Float64).gt(lit(1.0))),
            number(DataType::Int32)
                .gt(lit(1))
                .or(number(DataType::Int32).lt(lit(0))),
        ] {
            assert!(!guarded(condition, &schema).unwrap().transformed);
        }
        for condition in [
            column("t")
                .gt(lit("1"))
                .and(number(DataType::Int32).gt(lit(1))),
            column("a")
                .gt(lit(1))
                .or(cast(column("b"), DataType::Int16).gt(lit(1))),
            number(DataType::Int32)
                .gt(lit(1))
                .or(number(DataType::Float64).lt(lit(0.0))),
        ] {
            assert!(guarded(condition, &schema).unwrap().transformed);
        }
        // A long chain is not repeated.
        let quotient = (column("b") / column("a")).lt(lit(2));
        let first = column("a").gt(lit(1));
        let long = (0..200).fold(first, |chain, _| chain.or(quotient.clone()));
        assert!(!guarded(long, &schema).unwrap().transformed);
    }
}
