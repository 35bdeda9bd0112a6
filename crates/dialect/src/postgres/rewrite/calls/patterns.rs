//! LIKE with several patterns.
//!
//! ```text
//! x LIKE ANY (ARRAY['a%', 'b%'])     (x LIKE 'a%') OR (x LIKE 'b%')
//! x NOT ILIKE ALL (array)            compare_all('!~~*', x, array)
//! x LIKE ANY (SELECT y FROM t)       compare_any('~~', x, array_or_empty((SELECT array_agg(y) FROM t)))
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_error::Error;

use super::super::build::{self, nested};
use super::super::{array_queries, casts, comparisons, copies};
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
/// A literal array is malformed, or has too many patterns; ESCAPE follows patterns that are not
/// written in the statement.
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
            None => return computed(expr, other, op).map(Some),
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

/// Returns the comparison with the patterns of an array, or of a query, that is not written in the
/// statement.
fn computed(comparison: &Expr, patterns: &Expr, op: BinaryOperator) -> Result<Patterns, Error> {
    let (operand, operators, negated, escape) = match comparison {
        Expr::Like {
            expr,
            negated,
            escape_char,
            ..
        } => (expr, ["~~", "!~~"], negated, escape_char),
        Expr::ILike {
            expr,
            negated,
            escape_char,
            ..
        } => (expr, ["~~*", "!~~*"], negated, escape_char),
        _ => return Err(Error::internal("patterns without LIKE")),
    };
    if escape.is_some() {
        let message = "ESCAPE after LIKE ANY or ALL of an array that is not written in the statement is not supported";
        return Err(Error::not_supported(message).with_hint("write \\ before % and _"));
    }
    let [is, is_not] = operators;
    let operator = if *negated { is_not } else { is };
    let array = match patterns {
        Expr::Subquery(query) => array_queries::array_of(query.as_ref().clone())?,
        array => array.clone(),
    };
    let name = match op {
        BinaryOperator::And => ALL,
        _ => ANY,
    };
    let args = vec![build::text(operator), operand.as_ref().clone(), array];
    Ok(Patterns {
        comparisons: vec![build::call(name, args)],
        op,
    })
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
            return build::boolean(self.op == BinaryOperator::And);
        }
        comparisons::all(self.comparisons.into_iter().map(nested), &self.op)
    }
}
