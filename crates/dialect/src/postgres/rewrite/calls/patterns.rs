//! LIKE with several patterns.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};
use lakegate_error::Error;

use super::super::build::{self, nested};
use super::super::{casts, comparisons, copies};
use super::unnested;

/// The patterns of `LIKE ANY (…)` and `LIKE ALL (…)`, as single comparisons.
#[derive(Debug)]
pub(in crate::postgres::rewrite) struct Patterns {
    /// Each with one pattern.
    pub comparisons: Vec<Expr>,
    /// How they are joined.
    pub op: BinaryOperator,
}

/// Returns the comparisons of a LIKE with several patterns; `None` if it has one.
///
/// # Errors
///
/// A literal array is malformed, or the patterns are those of a subquery, or not written in the
/// statement and have another escape character.
pub(in crate::postgres::rewrite) fn patterns(expr: &Expr) -> Result<Option<Patterns>, Error> {
    let (any, pattern) = match expr {
        Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } => (*any, pattern),
        _ => return Ok(None),
    };
    let (op, items) = match pattern.as_ref() {
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let op = match name.as_str() {
                "all" => BinaryOperator::And,
                "some" => BinaryOperator::Or,
                _ => return Ok(None),
            };
            match build::arguments(&function.args).as_deref() {
                Some([items]) => (op, items.clone()),
                _ => return Ok(None),
            }
        }
        items if any => (BinaryOperator::Or, items.clone()),
        _ => return Ok(None),
    };
    let items = match unnested(&items) {
        Expr::Array(array) => array.elem.clone(),
        other => match casts::literal_array(other)? {
            Some(items) => items,
            None => return in_list(expr, other, op).map(Some),
        },
    };
    let operand = match expr {
        Expr::Like { expr, .. } | Expr::ILike { expr, .. } => expr.as_ref(),
        other => other,
    };
    copies::check_conditions(items.len())?;
    copies::check(operand, items.len())?;
    let comparisons = items.into_iter().map(|item| with_pattern(expr, item));
    Ok(Some(Patterns {
        comparisons: comparisons.collect(),
        op,
    }))
}

/// Returns a comparison with the patterns of an array that is computed, such as a column.
fn in_list(comparison: &Expr, list: &Expr, op: BinaryOperator) -> Result<Patterns, Error> {
    let (operand, symbol) = match comparison {
        Expr::Like {
            negated,
            expr,
            escape_char: None,
            ..
        } => match negated {
            false => (expr, BinaryOperator::PGLikeMatch),
            true => (expr, BinaryOperator::PGNotLikeMatch),
        },
        Expr::ILike {
            negated,
            expr,
            escape_char: None,
            ..
        } => match negated {
            false => (expr, BinaryOperator::PGILikeMatch),
            true => (expr, BinaryOperator::PGNotILikeMatch),
        },
        _ => return Err(not_written()),
    };
    if matches!(list, Expr::Subquery(_)) {
        return Err(not_written());
    }
    let any = op == BinaryOperator::Or;
    Ok(Patterns {
        comparisons: vec![comparisons::quantified(operand, &symbol, list, any)?],
        op,
    })
}

fn not_written() -> Error {
    Error::not_supported("LIKE takes ANY and ALL of an array of patterns")
        .with_hint("write LIKE ANY (ARRAY['a%', 'b%']), or ANY (x) of an array x")
}

/// Returns a comparison with one pattern instead of its several ones.
fn with_pattern(comparison: &Expr, pattern: Expr) -> Expr {
    let pattern = Box::new(pattern);
    match comparison {
        Expr::Like {
            negated,
            expr,
            escape_char,
            ..
        } => Expr::Like {
            negated: *negated,
            any: false,
            expr: expr.clone(),
            pattern,
            escape_char: escape_char.clone(),
        },
        Expr::ILike {
            negated,
            expr,
            escape_char,
            ..
        } => Expr::ILike {
            negated: *negated,
            any: false,
            expr: expr.clone(),
            pattern,
            escape_char: escape_char.clone(),
        },
        other => other.clone(),
    }
}

impl Patterns {
    /// Returns all of them as one condition.
    pub(in crate::postgres::rewrite) fn joined(self) -> Expr {
        // Of no patterns, ALL is true and ANY false.
        if self.comparisons.is_empty() {
            return Expr::Value(Value::Boolean(self.op == BinaryOperator::And).into());
        }
        comparisons::all(self.comparisons.into_iter().map(nested), &self.op)
    }
}
