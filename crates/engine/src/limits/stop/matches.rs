//! The pattern operators `~`, SIMILAR TO and LIKE, if the pattern may take long.
//!
//! One match is one call into DataFusion, for a text of any length. A pattern that is not small
//! becomes a call of `regexp_like`, which is measured first ([`patterns`](super::patterns)). LIKE
//! has a bound on its wildcards, and a constant pattern that ends with its escape character, which
//! the engine takes for the character itself, is an error where a text goes on there. Operators that
//! the planner turns into functions are handled by [`functions`](super::functions).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Like, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit, not,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};
use regex::RegexBuilder;

use super::functions::stoppable_call;
use crate::plans::expressions;

/// Bytes of a compiled pattern that may be matched with texts of any length.
const SMALL: usize = 8 * 1024;
/// Most `%` in a pattern of LIKE.
const MOST_GAPS: usize = 100;
/// Most `%` and `_` together in a pattern of LIKE.
const MOST_WILDCARDS: usize = 1_000;

/// `search` is the stoppable `regexp_like`.
#[derive(Debug)]
pub(super) struct BoundedMatches {
    pub search: Arc<ScalarUDF>,
}

impl AnalyzerRule for BoundedMatches {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, concerns, |expr, schema| self.rewritten(expr, schema))
    }

    fn name(&self) -> &str {
        "bounded_matches"
    }
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => expressions::pattern_operator(binary.op).is_some(),
        expr => matches!(
            expr,
            Expr::SimilarTo(_) | Expr::Like(_) | Expr::ScalarFunction(_)
        ),
    }
}

impl BoundedMatches {
    fn rewritten(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let Some((negated, any_case)) = expressions::pattern_operator(op) else {
                    return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
                };
                if !is_text(&left, schema) || !is_text(&right, schema) || is_small(&right) {
                    return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
                }
                Transformed::yes(self.searched(*left, *right, negated, any_case))
            }
            Expr::SimilarTo(like)
                if is_text(&like.expr, schema)
                    && is_text(&like.pattern, schema)
                    && !is_small(&like.pattern) =>
            {
                let Like {
                    negated,
                    expr,
                    pattern,
                    case_insensitive,
                    ..
                } = like;
                Transformed::yes(self.searched(*expr, *pattern, negated, case_insensitive))
            }
            Expr::Like(like) if unfinished(&like).is_some() => Transformed::yes(reached(like)),
            Expr::Like(mut like)
                if is_text(&like.pattern, schema) && !has_few_gaps(&like.pattern) =>
            {
                let function = Wildcards {
                    signature: Signature::any(1, Volatility::Immutable),
                };
                like.pattern = Box::new(expressions::call(function, vec![*like.pattern]));
                Transformed::yes(Expr::Like(like))
            }
            Expr::ScalarFunction(call) => stoppable_call(call),
            expr => Transformed::no(expr),
        }
    }

    fn searched(&self, text: Expr, pattern: Expr, negated: bool, any_case: bool) -> Expr {
        let mut args = vec![text, pattern];
        if any_case {
            args.push(lit("i"));
        }
        let func = Arc::clone(&self.search);
        let found = Expr::ScalarFunction(ScalarFunction { func, args });
        if negated { not(found) } else { found }
    }
}

fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    let data_type = expr.get_type(schema);
    data_type.is_ok_and(|data_type| data_type.is_string())
}

fn constant(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Returns whether a pattern is a constant that is cheap to match, so that DataFusion may turn it
/// into anything.
pub(super) fn is_small(pattern: &Expr) -> bool {
    match pattern {
        Expr::Literal(ScalarValue::Null, _) => true,
        pattern => constant(pattern).is_some_and(|pattern| {
            let compiled = RegexBuilder::new(pattern).size_limit(SMALL).build();
            !matches!(compiled, Err(regex::Error::CompiledTooBig(_)))
        }),
    }
}

fn has_few_gaps(pattern: &Expr) -> bool {
    constant(pattern).is_some_and(|pattern| check_wildcards(pattern).is_ok())
}

/// Checks the number of wildcards in a pattern of LIKE.
///
/// # Errors
///
/// Returns an error if the pattern has too many wildcards.
fn check_wildcards(pattern: &str) -> Result<()> {
    let gaps = pattern.matches('%').count();
    let all = gaps + pattern.matches('_').count();
    if gaps <= MOST_GAPS && all <= MOST_WILDCARDS {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidParameter,
        format!(
            "the pattern of LIKE has {gaps} % and {} _; {MOST_GAPS} % and {MOST_WILDCARDS} in all are the most",
            all - gaps
        ),
    )
    .with_hint("split it into several conditions")
    .into())
}

/// Returns a constant pattern of LIKE without its last character, if that is an escape character.
fn unfinished(like: &Like) -> Option<&str> {
    if !matches!(like.escape_char, None | Some('\\')) {
        return None;
    }
    if !matches!(
        like.pattern.as_ref(),
        Expr::Literal(
            ScalarValue::Utf8(_) | ScalarValue::LargeUtf8(_) | ScalarValue::Utf8View(_),
            _
        )
    ) {
        return None;
    }
    let rest = constant(&like.pattern)?.strip_suffix('\\')?;
    let before = rest.len() - rest.trim_end_matches('\\').len();
    before.is_multiple_of(2).then_some(rest)
}

/// Returns a comparison with a pattern that ends with an escape character: no text matches it.
///
/// ```text
/// x LIKE 'a\'        like_escape_reached(x LIKE 'a_%')
/// x NOT LIKE 'a\'    NOT like_escape_reached(x LIKE 'a_%')
/// ```
fn reached(mut like: Like) -> Expr {
    let negated = std::mem::take(&mut like.negated);
    if let Some(rest) = unfinished(&like) {
        let pattern = format!("{rest}_%");
        // Types are coerced already.
        let pattern = match like.pattern.as_ref() {
            Expr::Literal(ScalarValue::Utf8View(_), _) => ScalarValue::Utf8View(Some(pattern)),
            Expr::Literal(ScalarValue::LargeUtf8(_), _) => ScalarValue::LargeUtf8(Some(pattern)),
            _ => ScalarValue::Utf8(Some(pattern)),
        };
        like.pattern = Box::new(Expr::Literal(pattern, None));
    }
    let function = EscapeReached {
        signature: Signature::any(1, Volatility::Immutable),
    };
    let matches = expressions::call(function, vec![Expr::Like(like)]);
    if negated { not(matches) } else { matches }
}

/// Fails for the texts that reach the escape character at the end of a pattern of LIKE.
#[derive(Debug, PartialEq, Eq, Hash)]
struct EscapeReached {
    signature: Signature,
}

impl ScalarUDFImpl for EscapeReached {
    fn name(&self) -> &str {
        "like_escape_reached"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(reached) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let is_reached = match &reached {
            ColumnarValue::Scalar(value) => *value == ScalarValue::Boolean(Some(true)),
            ColumnarValue::Array(values) => values
                .as_boolean_opt()
                .is_some_and(|values| values.has_true()),
        };
        match is_reached {
            true => Err(Error::new(
                Code::InvalidEscape,
                "LIKE pattern must not end with escape character",
            )
            .into()),
            false => Ok(reached),
        }
    }
}

/// Returns a pattern of LIKE unchanged if it does not have too many wildcards.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Wildcards {
    signature: Signature,
}

impl ScalarUDFImpl for Wildcards {
    fn name(&self) -> &str {
        "like_pattern"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(pattern) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
        };
        match &pattern {
            ColumnarValue::Scalar(value) => {
                if let Some(Some(pattern)) = value.try_as_str() {
                    check_wildcards(pattern)?;
                }
            }
            ColumnarValue::Array(patterns) => check_patterns(patterns)?,
        }
        Ok(pattern)
    }
}

/// Checks the number of wildcards in patterns of LIKE.
///
/// # Errors
///
/// Returns an error if a pattern has too many wildcards.
pub(crate) fn check_patterns(patterns: &ArrayRef) -> Result<()> {
    match patterns.data_type() {
        DataType::Utf8 => patterns
            .as_string::<i32>()
            .iter()
            .flatten()
            .try_for_each(check_wildcards),
        DataType::LargeUtf8 => patterns
            .as_string::<i64>()
            .iter()
            .flatten()
            .try_for_each(check_wildcards),
        DataType::Utf8View => patterns
            .as_string_view()
            .iter()
            .flatten()
            .try_for_each(check_wildcards),
        _ => Ok(()),
    }
}
