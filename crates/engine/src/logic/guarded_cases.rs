//! A CASE evaluates a branch only for the rows that reach it, also if it is a condition.
//!
//! DataFusion's simplifier turns a CASE of booleans into AND and OR (`expr_simplifier.rs` of
//! `datafusion-optimizer`, 55.2), which evaluate both sides. So what the CASE was written to avoid
//! is an error:
//!
//! ```text
//! WHERE CASE WHEN y = 0 THEN false ELSE x / y > 1 END
//!     DataFusion: y <> 0 AND x / y > 1, which divides by zero
//! ```
//!
//! The same happens to a comparison with one of the branches:
//!
//! ```text
//! CASE WHEN y = 0 THEN 'a' WHEN x / y > 1 THEN 'b' END = 'b'
//! ```
//!
//! So an analyzer rule, which runs after type coercion, turns a CASE of booleans that could fail
//! into a CASE of numbers. So it does if the conditions would be written too often: each of them is
//! in the AND of its own branch and in those of all later ones, so a CASE of many conditions, or one
//! within another's condition, takes more memory than there is. Delete this when the simplifier
//! checks whether a branch can fail, and keeps what would be long.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator, cast,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Maximum parts that all copies of the conditions of a CASE have together.
const MAX_COPIED: u64 = 1_000;
/// Fewer branches than this become ANDs and ORs whatever they are; more than that if so few of
/// them are true, or false, and all are constants (`expr_simplifier.rs`).
const FEW: usize = 3;

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct GuardedCases;

impl AnalyzerRule for GuardedCases {
    fn analyze(
        &self,
        plan: LogicalPlan,
        _: &ConfigOptions,
    ) -> datafusion::error::Result<LogicalPlan> {
        let cases = |expr: &Expr| matches!(expr, Expr::Case(case) if guards(case, None));
        expressions::rewritten(plan, cases, |expr, schema| match compared(expr, schema) {
            Ok(case) => Transformed::yes(of_numbers(Expr::Case(case), schema).data),
            Err(expr) => of_numbers(expr, schema),
        })
    }

    fn name(&self) -> &str {
        "guarded_cases"
    }
}

/// Returns whether the simplifier makes ANDs and ORs of a CASE if it is one of booleans.
pub(crate) fn becomes_junction(case: &Case) -> bool {
    let thens = || case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    let few = |wanted: bool| {
        let is_chosen = |then: &&Expr| match then {
            Expr::Literal(ScalarValue::Boolean(value), _) => *value == Some(wanted),
            _ => false,
        };
        thens().filter(is_chosen).count() < FEW
    };
    let are_constants = || thens().all(|then| matches!(then, Expr::Literal(..)));
    case.expr.is_none()
        && (case.when_then_expr.len() < FEW || (are_constants() && (few(true) || few(false))))
        && !is_copied_much(case)
}

/// Returns for each condition of a CASE how many copies of it the simplifier makes.
pub(crate) fn copies_of_conditions(case: &Case) -> impl Iterator<Item = u64> {
    (1..=case.when_then_expr.len() as u64).rev()
}

/// Returns whether the copies of the conditions would be long, or a CASE within one of them would
/// be copied with it.
fn is_copied_much(case: &Case) -> bool {
    let mut parts = 0u64;
    let whens = case.when_then_expr.iter().map(|(when, _)| when);
    whens.zip(copies_of_conditions(case)).any(|(when, copies)| {
        when.exists(|part| {
            parts = parts.saturating_add(copies);
            Ok(matches!(part, Expr::Case(_)) || parts > MAX_COPIED)
        })
        .unwrap_or(true)
    })
}

/// Returns whether the conditions would be written too often, or an expression other than the first
/// condition, which is evaluated for all rows, could fail.
///
/// `schema`: that of the columns; without one, they may have any types.
fn guards(case: &Case, schema: Option<&DFSchema>) -> bool {
    if case.expr.is_none() && is_copied_much(case) {
        return true;
    }
    let conditions = case.when_then_expr.iter().skip(1).map(|(when, _)| when);
    let branches = case.when_then_expr.iter().map(|(_, then)| then);
    let mut all = conditions.chain(branches).chain(&case.else_expr);
    all.any(|expr| could_fail(expr, schema))
}

fn could_fail(expr: &Expr, schema: Option<&DFSchema>) -> bool {
    // Casts of columns to wider numbers, which coercion adds, do not fail.
    let widens = |expr: &Expr, to: &DataType| {
        let of = schema.filter(|_| matches!(expr, Expr::Column(_)) && to.is_numeric());
        let of = of.and_then(|schema| expr.get_type(schema).ok());
        of.is_some_and(|of| !expressions::narrows(&of, to))
    };
    let fails = |expr: &Expr| match expr {
        Expr::BinaryExpr(binary) => expressions::is_arithmetic(binary.op),
        Expr::Cast(Cast { expr, field }) => !widens(expr, field.data_type()),
        expr => matches!(expr, Expr::ScalarFunction(_)),
    };
    expr.exists(|expr| Ok(fails(expr))).unwrap_or(true)
}

/// Turns a comparison between a CASE of constants and a constant into a CASE of comparisons.
/// Returns other expressions unchanged.
fn compared(expr: Expr, schema: &DFSchema) -> Result<Case, Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return Err(expr);
    };
    let is_equality = matches!(op, Operator::Eq | Operator::NotEq);
    match (*left, *right) {
        (Expr::Case(case), other) | (other, Expr::Case(case))
            if is_equality
                && guards(&case, Some(schema))
                && is_constant(&other)
                && gives_constants(&case) =>
        {
            let compare = |value: Box<Expr>| {
                Box::new(Expr::BinaryExpr(BinaryExpr::new(
                    value,
                    op,
                    Box::new(other.clone()),
                )))
            };
            let branches = case.when_then_expr.into_iter();
            Ok(Case {
                expr: case.expr,
                when_then_expr: branches.map(|(when, then)| (when, compare(then))).collect(),
                else_expr: case.else_expr.map(compare),
            })
        }
        (left, right) => Err(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(left),
            op,
            Box::new(right),
        ))),
    }
}

fn gives_constants(case: &Case) -> bool {
    let branches = case.when_then_expr.iter().map(|(_, then)| then);
    branches
        .chain(&case.else_expr)
        .all(|expr| is_constant(expr))
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Cast(cast) => is_constant(&cast.expr),
        _ => false,
    }
}

fn of_numbers(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_condition = matches!(expr.get_type(schema), Ok(DataType::Boolean));
    match expr {
        Expr::Case(mut case) if is_condition && guards(&case, Some(schema)) => {
            let branches = case.when_then_expr.iter_mut().map(|(_, then)| then);
            for branch in branches.chain(&mut case.else_expr) {
                let condition = std::mem::take(branch.as_mut());
                **branch = cast(condition, DataType::Int8);
            }
            Transformed::yes(cast(Expr::Case(case), DataType::Boolean))
        }
        expr => Transformed::no(expr),
    }
}
