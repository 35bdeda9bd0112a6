//! What ranges are to each other, and what they make together.

use std::cmp::Ordering;

use lakegate_error::{Code, Error};

use super::kind::RangeType;
use super::point::RangePoint;
use super::value::{Edge, RangeBound, RangeValue, lower_edge, upper_edge};

/// The bounds of a range that is not empty.
#[derive(Debug, Clone, Copy)]
struct Ends<'a> {
    lower: Option<&'a RangeBound>,
    upper: Option<&'a RangeBound>,
}

impl<'a> Ends<'a> {
    fn of(range: &'a RangeValue) -> Option<Self> {
        match range {
            RangeValue::Empty => None,
            RangeValue::Span { lower, upper } => Some(Self {
                lower: lower.as_ref(),
                upper: upper.as_ref(),
            }),
        }
    }

    fn start(self) -> Edge<'a> {
        lower_edge(self.lower)
    }

    fn end(self) -> Edge<'a> {
        upper_edge(self.upper)
    }

    fn overlaps(self, other: Self) -> bool {
        self.start() <= other.end() && other.start() <= self.end()
    }

    fn adjoins(self, other: Self) -> bool {
        meet(self.upper, other.lower) || meet(other.upper, self.lower)
    }

    /// Returns where the first of both begins.
    fn first_lower(self, other: Self) -> Option<&'a RangeBound> {
        match self.start() <= other.start() {
            true => self.lower,
            false => other.lower,
        }
    }

    /// Returns where the last of both ends.
    fn last_upper(self, other: Self) -> Option<&'a RangeBound> {
        match self.end() >= other.end() {
            true => self.upper,
            false => other.upper,
        }
    }
}

/// Returns the bounds of two ranges; `None` if one is empty.
fn both<'a>(one: &'a RangeValue, other: &'a RangeValue) -> Option<(Ends<'a>, Ends<'a>)> {
    Ends::of(one).zip(Ends::of(other))
}

/// Returns whether nothing is between the end of a range and the start of another one, and no value is in
/// both.
fn meet(upper: Option<&RangeBound>, lower: Option<&RangeBound>) -> bool {
    match (upper, lower) {
        (Some(upper), Some(lower)) => {
            upper.point == lower.point && upper.is_inclusive != lower.is_inclusive
        }
        _ => false,
    }
}

/// Returns whether a value is in a range.
pub(super) fn holds(range: &RangeValue, point: &RangePoint) -> bool {
    let at = Edge::At(point, 0);
    Ends::of(range).is_some_and(|ends| ends.start() <= at && at <= ends.end())
}

/// Returns whether all values of the other range are in this one.
pub(super) fn contains(range: &RangeValue, other: &RangeValue) -> bool {
    match (Ends::of(range), Ends::of(other)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(one), Some(other)) => one.start() <= other.start() && other.end() <= one.end(),
    }
}

/// Returns whether a value is in both ranges.
pub(super) fn overlaps(one: &RangeValue, other: &RangeValue) -> bool {
    both(one, other).is_some_and(|(one, other)| one.overlaps(other))
}

/// Returns whether a range ends before the other one begins.
pub(super) fn is_before(one: &RangeValue, other: &RangeValue) -> bool {
    both(one, other).is_some_and(|(one, other)| one.end() < other.start())
}

/// Returns whether a range does not end after the other one.
pub(super) fn ends_by(one: &RangeValue, other: &RangeValue) -> bool {
    both(one, other).is_some_and(|(one, other)| one.end() <= other.end())
}

/// Returns whether a range does not begin before the other one.
pub(super) fn starts_from(one: &RangeValue, other: &RangeValue) -> bool {
    both(one, other).is_some_and(|(one, other)| one.start() >= other.start())
}

/// Returns whether the ranges are next to each other.
pub(super) fn adjoins(one: &RangeValue, other: &RangeValue) -> bool {
    both(one, other).is_some_and(|(one, other)| one.adjoins(other))
}

/// Returns the values of both ranges.
///
/// # Errors
///
/// They are not one range.
pub(super) fn union(
    of: RangeType,
    one: &RangeValue,
    other: &RangeValue,
) -> Result<RangeValue, Error> {
    match both(one, other) {
        Some((first, second)) if !first.overlaps(second) && !first.adjoins(second) => {
            Err(apart("union"))
        }
        _ => merged(of, one, other),
    }
}

/// Returns the least range that contains both.
///
/// # Errors
///
/// As of [`RangeValue::new`].
pub(super) fn merged(
    of: RangeType,
    one: &RangeValue,
    other: &RangeValue,
) -> Result<RangeValue, Error> {
    match (Ends::of(one), Ends::of(other)) {
        (Some(first), Some(second)) => RangeValue::new(
            of,
            first.first_lower(second).cloned(),
            first.last_upper(second).cloned(),
        ),
        (Some(_), None) => Ok(one.clone()),
        (None, _) => Ok(other.clone()),
    }
}

/// Returns the values that are in both ranges.
///
/// # Errors
///
/// As of [`RangeValue::new`].
pub(super) fn intersection(
    of: RangeType,
    one: &RangeValue,
    other: &RangeValue,
) -> Result<RangeValue, Error> {
    let Some((first, second)) = both(one, other).filter(|(one, other)| one.overlaps(*other)) else {
        return Ok(RangeValue::Empty);
    };
    let lower = match first.start() >= second.start() {
        true => first.lower,
        false => second.lower,
    };
    let upper = match first.end() <= second.end() {
        true => first.upper,
        false => second.upper,
    };
    RangeValue::new(of, lower.cloned(), upper.cloned())
}

/// Returns the values of a range that are not in the other one.
///
/// # Errors
///
/// They are not one range.
pub(super) fn difference(
    of: RangeType,
    one: &RangeValue,
    other: &RangeValue,
) -> Result<RangeValue, Error> {
    let Some((first, second)) = both(one, other) else {
        return Ok(one.clone());
    };
    if !first.overlaps(second) {
        return Ok(one.clone());
    }
    let begins = first.start().cmp(&second.start());
    let ends = first.end().cmp(&second.end());
    match (begins, ends) {
        (Ordering::Less, Ordering::Greater) => Err(apart("difference")),
        (Ordering::Less, _) => RangeValue::new(of, first.lower.cloned(), inverted(second.lower)),
        (_, Ordering::Greater) => RangeValue::new(of, inverted(second.upper), first.upper.cloned()),
        _ => Ok(RangeValue::Empty),
    }
}

/// Returns the bound of the values beyond a bound.
fn inverted(bound: Option<&RangeBound>) -> Option<RangeBound> {
    bound.map(|bound| RangeBound {
        point: bound.point.clone(),
        is_inclusive: !bound.is_inclusive,
    })
}

fn apart(operation: &str) -> Error {
    let message = format!("result of range {operation} would not be contiguous");
    Error::new(Code::DataException, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn range(text: &str) -> RangeValue {
        RangeValue::read(RangeType::Num, text).unwrap()
    }

    // Expected values: PostgreSQL 15.
    #[test]
    fn relations_are_those_of_postgres() {
        // Contains, overlaps, is before, ends by, starts from, adjoins.
        for (one, other, expected) in [
            ("[1,5)", "[2,3]", [true, true, false, false, false, false]),
            ("[1,5)", "[5,6)", [false, false, true, true, false, true]),
            ("[1,5)", "(5,6)", [false, false, true, true, false, false]),
            ("[1,5]", "(5,6)", [false, false, true, true, false, true]),
            ("[1,5]", "[5,6)", [false, true, false, true, false, false]),
            ("[1,5)", "empty", [true, false, false, false, false, false]),
            ("empty", "[1,5)", [false; 6]),
            ("(,)", "[1,5)", [true, true, false, false, false, false]),
            ("[5,9)", "(,5)", [false, false, false, false, true, true]),
            ("[1,5)", "(1,5]", [false, true, false, true, false, false]),
            ("[3,)", "[1,4]", [false, true, false, false, true, false]),
        ] {
            let (first, second) = (range(one), range(other));
            let found = [contains, overlaps, is_before, ends_by, starts_from, adjoins]
                .map(|relation| relation(&first, &second));
            assert_eq!(found, expected, "{one} {other}");
        }
    }

    #[test]
    fn operations_are_those_of_postgres() {
        // Intersection, the least range around both, difference, sum.
        let apart = None;
        for (one, other, expected) in [
            (
                "[1,5)",
                "[2,3]",
                [Some("[2,3]"), Some("[1,5)"), apart, Some("[1,5)")],
            ),
            (
                "[1,5)",
                "[5,6)",
                [Some("empty"), Some("[1,6)"), Some("[1,5)"), Some("[1,6)")],
            ),
            (
                "[1,5]",
                "[5,6)",
                [Some("[5,5]"), Some("[1,6)"), Some("[1,5)"), Some("[1,6)")],
            ),
            (
                "[1,5)",
                "empty",
                [Some("empty"), Some("[1,5)"), Some("[1,5)"), Some("[1,5)")],
            ),
            (
                "empty",
                "[1,5)",
                [Some("empty"), Some("[1,5)"), Some("empty"), Some("[1,5)")],
            ),
            (
                "[5,9)",
                "(,5)",
                [Some("empty"), Some("(,9)"), Some("[5,9)"), Some("(,9)")],
            ),
            (
                "[1,5)",
                "(1,5]",
                [Some("(1,5)"), Some("[1,5]"), Some("[1,1]"), Some("[1,5]")],
            ),
            (
                "[3,)",
                "[1,4]",
                [Some("[3,4]"), Some("[1,)"), Some("(4,)"), Some("[1,)")],
            ),
            (
                "[1,5]",
                "[1,5]",
                [Some("[1,5]"), Some("[1,5]"), Some("empty"), Some("[1,5]")],
            ),
            (
                "[1,2)",
                "[3,4)",
                [Some("empty"), Some("[1,4)"), Some("[1,2)"), apart],
            ),
        ] {
            let (first, second) = (range(one), range(other));
            let found = [intersection, merged, difference, union].map(|operation| {
                let made = operation(RangeType::Num, &first, &second).ok()?;
                made.text(RangeType::Num).ok()
            });
            assert_eq!(
                found.each_ref().map(Option::as_deref),
                expected,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn values_are_in_ranges() {
        for (text, expected) in [
            ("[1,5)", [true, false]),
            ("(1,5]", [false, true]),
            ("(,)", [true, true]),
            ("empty", [false, false]),
        ] {
            let found = [1, 5].map(|value| {
                let range = RangeValue::read(RangeType::Int8, text).unwrap();
                holds(&range, &RangePoint::Whole(value))
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
