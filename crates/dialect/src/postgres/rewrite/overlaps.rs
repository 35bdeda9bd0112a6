//! `OVERLAPS`, written out as comparisons.
//!
//! ```text
//! (a, b) OVERLAPS (c, d)                    CASE WHEN start > other_start THEN start < other_end … END
//! (a, INTERVAL '1 day') OVERLAPS (c, d)     the same with $period_end(a, INTERVAL '1 day')
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use lakegate_engine::time::PERIOD_END;
use lakegate_error::Error;

use super::build::{self, binary, nested};
use super::calls::{is_interval, text_of};
use super::copies;

/// How often [`rewrite`] writes each time, at most.
const OVERLAPS_COPIES: usize = 48;

/// Builds `(a, b) OVERLAPS (c, d)`: whether two periods have a common moment. Each is two times in
/// any order, or a time and an interval.
pub(super) fn rewrite(left: &[Expr], right: &[Expr]) -> Result<Option<Expr>, Error> {
    let ([a, b], [c, d]) = (left, right) else {
        return Ok(None);
    };
    for time in [a, b, c, d] {
        copies::check(time, OVERLAPS_COPIES)?;
    }
    let ((first, end), (second, other_end)) = (period(a, b)?, period(c, d)?);
    let compare = |left: &Expr, op, right: &Expr| binary(left.clone(), op, right.clone());
    // False, or NULL if the time is NULL: what does not overlap so far might if the end were known.
    let or_unknown = |known: Expr, end: &Expr| {
        let unknown = compare(end, BinaryOperator::NotEq, end);
        binary(known, BinaryOperator::Or, nested(unknown))
    };
    let is_known = |end: &Expr| nested(compare(end, BinaryOperator::Eq, end));
    let equal = compare(&first, BinaryOperator::Eq, &second);
    build::case(
        vec![
            (
                compare(&first, BinaryOperator::Gt, &second),
                or_unknown(compare(&first, BinaryOperator::Lt, &other_end), &end),
            ),
            (
                compare(&first, BinaryOperator::Lt, &second),
                or_unknown(compare(&second, BinaryOperator::Lt, &end), &other_end),
            ),
            (
                equal,
                binary(is_known(&end), BinaryOperator::And, is_known(&other_end)),
            ),
        ],
        build::null(),
    )
    .map(Some)
}

/// Returns the start and the end of a period. One time alone is its start.
fn period(from: &Expr, to: &Expr) -> Result<(Expr, Expr), Error> {
    let (is_text, is_end) = (text_of(from).is_some(), is_end(to));
    let from = nested(from.clone());
    let to = match is_interval(to) {
        // The text is a time because it is added to.
        true if is_text => nested(binary(
            from.clone(),
            BinaryOperator::Plus,
            nested(to.clone()),
        )),
        false if is_end => nested(to.clone()),
        _ => build::call(PERIOD_END, vec![from.clone(), to.clone()]),
    };
    let turned = binary(to.clone(), BinaryOperator::Lt, from.clone());
    let earlier = build::case(vec![(turned.clone(), to.clone())], from.clone())?;
    let start = build::call("coalesce", vec![earlier, to.clone()]);
    let no_start = Expr::IsNull(Box::new(from.clone()));
    let null = build::null();
    let end = build::case(vec![(no_start, null), (turned, from)], to)?;
    Ok((start, nested(end)))
}

/// Returns whether the second element of a period cannot be an interval: a literal has the type of the
/// first.
fn is_end(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner) => is_end(inner),
        Expr::Cast { .. } => !is_interval(expr),
        _ => false,
    }
}
