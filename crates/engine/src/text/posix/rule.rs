//! Rewrites `~`, `~*` and `regexp_like`. DataFusion matches patterns of the crate `regex`, and
//! turns simple ones into comparisons and LIKE.
//!
//! ```text
//! x ~ 'a.c'          x ~ 'a(?s:.)c'
//! x ~ pattern        posix_like(x, pattern)
//! ```
//!
//! An analyzer rule that runs before patterns are measured. A plan must be analyzed only once: a
//! pattern that is already rewritten would be read as PostgreSQL's again.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, ScalarUDF, lit, not};
use datafusion::optimizer::AnalyzerRule;

use super::functions::{Function, Kind};
use super::search::Pattern;
use super::tree::Flags;
use crate::plans::expressions;

/// Replaces PostgreSQL's patterns with those of the crate `regex`.
#[derive(Debug)]
pub(crate) struct PosixPatterns {
    /// Whether a function is one of the library's, whose patterns are not PostgreSQL's.
    pub of_library: fn(&ScalarUDF) -> bool,
}

impl AnalyzerRule for PosixPatterns {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => expressions::pattern_operator(binary.op).is_some(),
            Expr::ScalarFunction(call) => {
                call.func.name() == "regexp_like" && !(self.of_library)(&call.func)
            }
            _ => false,
        };
        expressions::rewritten(plan, concerns, |expr, schema| match concerns(&expr) {
            true => rewritten(expr, schema),
            false => Transformed::no(expr),
        })
    }

    fn name(&self) -> &str {
        "posix_patterns"
    }
}

fn constant(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Returns the pattern in the crate's syntax; `None` if the crate has none or the pattern is
/// invalid. The function then reports the error.
fn spelled(pattern: &Expr, flags: &str) -> Option<Expr> {
    let text = constant(pattern)?;
    let flags = Flags::of(flags).ok().filter(|flags| !flags.global)?;
    let spelled = Pattern::new(text, flags).ok()?;
    let spelled = spelled.spelled()?.to_owned();
    Some(match pattern {
        Expr::Literal(ScalarValue::Utf8View(_), _) => {
            Expr::Literal(ScalarValue::Utf8View(Some(spelled)), None)
        }
        Expr::Literal(ScalarValue::LargeUtf8(_), _) => {
            Expr::Literal(ScalarValue::LargeUtf8(Some(spelled)), None)
        }
        _ => lit(spelled),
    })
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.is_null())
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_text = |expr: &Expr| expr.get_type(schema).is_ok_and(|of| of.is_string());
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some((negated, any_case)) = expressions::pattern_operator(op) else {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            };
            if !is_text(&left) || !is_text(&right) || is_null(&right) {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            }
            if let Some(pattern) = spelled(&right, "") {
                let right = Box::new(pattern);
                return Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            }
            let mut args = vec![*left, *right];
            if any_case {
                args.push(lit("i"));
            }
            let found = expressions::call(Function::new(Kind::Like), args);
            Transformed::yes(if negated { not(found) } else { found })
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
            if func.name() != "regexp_like" || args.iter().any(is_null) {
                return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }));
            }
            let flags = match args.as_slice() {
                [_, _] => Some(""),
                [_, _, flags] => constant(flags),
                _ => None,
            };
            let pattern = args.get(1).zip(flags);
            match pattern.and_then(|(pattern, flags)| spelled(pattern, flags)) {
                Some(pattern) => {
                    args.truncate(1);
                    args.push(pattern);
                    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
                }
                None => Transformed::yes(expressions::call(Function::new(Kind::Like), args)),
            }
        }
        expr => Transformed::no(expr),
    }
}
