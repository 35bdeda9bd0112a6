//! A range: how it is read and written, and what it compares by.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

use lakegate_error::{Code, Error};

use super::kind::RangeType;
use super::point::{RangePoint, Reading};

const EMPTY: &str = "empty";

/// The end of a range that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeBound {
    pub point: RangePoint,
    pub is_inclusive: bool,
}

/// A range in its canonical form: one of integers or days includes its lower bound, and not its upper
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeValue {
    Empty,
    /// Without a bound, it has no end there.
    Span {
        lower: Option<RangeBound>,
        upper: Option<RangeBound>,
    },
}

/// A place on the line of values: before all of them, at one or next to it, after all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge<'a> {
    Start,
    /// The number is -1 before the value, 0 at it, and 1 after it.
    At(&'a RangePoint, i8),
    End,
}

/// Returns where a range begins.
pub(super) fn lower_edge(bound: Option<&RangeBound>) -> Edge<'_> {
    match bound {
        Some(bound) => Edge::At(&bound.point, i8::from(!bound.is_inclusive)),
        None => Edge::Start,
    }
}

/// Returns where a range ends.
pub(super) fn upper_edge(bound: Option<&RangeBound>) -> Edge<'_> {
    match bound {
        Some(bound) => Edge::At(&bound.point, -i8::from(!bound.is_inclusive)),
        None => Edge::End,
    }
}

impl RangeValue {
    /// Returns the range between two bounds, in its canonical form.
    ///
    /// # Errors
    ///
    /// The lower bound is greater than the upper one, or a bound has no next value.
    pub fn new(
        of: RangeType,
        lower: Option<RangeBound>,
        upper: Option<RangeBound>,
    ) -> Result<Self, Error> {
        if is_empty(lower.as_ref(), upper.as_ref())? {
            return Ok(Self::Empty);
        }
        if !of.is_discrete() {
            return Ok(Self::Span { lower, upper });
        }
        let stepped = |bound: Option<RangeBound>, is_inclusive: bool| match bound {
            Some(bound) if bound.is_inclusive != is_inclusive && !bound.point.is_infinite(of) => {
                let point = bound.point.next(of)?;
                Ok::<_, Error>(Some(RangeBound {
                    point,
                    is_inclusive,
                }))
            }
            bound => Ok(bound),
        };
        let (lower, upper) = (stepped(lower, true)?, stepped(upper, false)?);
        match is_empty(lower.as_ref(), upper.as_ref())? {
            true => Ok(Self::Empty),
            false => Ok(Self::Span { lower, upper }),
        }
    }

    /// Reads a range as results have it.
    ///
    /// # Errors
    ///
    /// The text is not a range of the type.
    pub fn read(of: RangeType, text: &str) -> Result<Self, Error> {
        Self::read_with(of, text, Reading::WRITTEN)
    }

    /// Reads a range in any of PostgreSQL's forms.
    ///
    /// # Errors
    ///
    /// As of [`RangeValue::read`].
    pub(super) fn read_with(of: RangeType, text: &str, reading: Reading) -> Result<Self, Error> {
        let Some(parts) = Parts::of(text).map_err(|detail| malformed(text, detail))? else {
            return Ok(Self::Empty);
        };
        let bound = |text: Option<String>, is_inclusive: bool| {
            text.map(|text| {
                let point = RangePoint::read(of, &text, reading)?;
                Ok::<_, Error>(RangeBound {
                    point,
                    is_inclusive,
                })
            })
            .transpose()
        };
        let lower = bound(parts.lower, parts.has_lower)?;
        let upper = bound(parts.upper, parts.has_upper)?;
        Self::new(of, lower, upper)
    }

    /// Returns the range as PostgreSQL writes it, where the clock shows UTC.
    ///
    /// # Errors
    ///
    /// A time is out of range.
    pub fn text(&self, of: RangeType) -> Result<String, Error> {
        self.text_with(of, Reading::WRITTEN)
    }

    /// Returns the range as PostgreSQL writes it.
    ///
    /// # Errors
    ///
    /// A time is out of range.
    pub(super) fn text_with(&self, of: RangeType, reading: Reading) -> Result<String, Error> {
        let Self::Span { lower, upper } = self else {
            return Ok(EMPTY.to_owned());
        };
        let is_inclusive =
            |bound: &Option<RangeBound>| bound.as_ref().is_some_and(|bound| bound.is_inclusive);
        let mut text = String::new();
        text.push(if is_inclusive(lower) { '[' } else { '(' });
        if let Some(bound) = lower {
            put_quoted(&mut text, &bound.point.text(of, reading)?);
        }
        text.push(',');
        if let Some(bound) = upper {
            put_quoted(&mut text, &bound.point.text(of, reading)?);
        }
        text.push(if is_inclusive(upper) { ']' } else { ')' });
        Ok(text)
    }

    /// Returns a text that compares as the range does: the empty one is before all others, and those
    /// that begin at one place are ordered by where they end.
    pub(super) fn key(&self) -> String {
        let Self::Span { lower, upper } = self else {
            return "0".to_owned();
        };
        let mut key = "1".to_owned();
        match lower {
            None => key.push('0'),
            Some(bound) => {
                key.push('1');
                key.push_str(&bound.point.key());
                key.push(if bound.is_inclusive { '0' } else { '1' });
            }
        }
        match upper {
            Some(bound) => {
                key.push('1');
                key.push_str(&bound.point.key());
                key.push(if bound.is_inclusive { '1' } else { '0' });
            }
            None => key.push('2'),
        }
        key
    }
}

/// Returns whether no value is between two bounds.
///
/// # Errors
///
/// The lower bound is greater than the upper one.
fn is_empty(lower: Option<&RangeBound>, upper: Option<&RangeBound>) -> Result<bool, Error> {
    let (Some(lower), Some(upper)) = (lower, upper) else {
        return Ok(false);
    };
    match lower.point.cmp(&upper.point) {
        Ordering::Less => Ok(false),
        Ordering::Equal => Ok(!(lower.is_inclusive && upper.is_inclusive)),
        Ordering::Greater => {
            let message = "range lower bound must be less than or equal to range upper bound";
            Err(Error::new(Code::DataException, message))
        }
    }
}

fn malformed(text: &str, detail: &'static str) -> Error {
    let shown: String = text.chars().take(100).collect();
    let message = format!("malformed range literal: \"{shown}\"");
    Error::new(Code::InvalidCast, message).with_detail(detail)
}

/// Appends the text of a bound, in quotes if it has characters with a meaning.
fn put_quoted(text: &mut String, bound: &str) {
    let has_meaning =
        |c: char| matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',') || c.is_ascii_whitespace();
    if !bound.is_empty() && !bound.contains(has_meaning) {
        text.push_str(bound);
        return;
    }
    text.push('"');
    for c in bound.chars() {
        if matches!(c, '"' | '\\') {
            text.push(c);
        }
        text.push(c);
    }
    text.push('"');
}

/// The parts of a text: those of bounds, and whether the range has its bounds.
#[derive(Debug)]
struct Parts {
    lower: Option<String>,
    has_lower: bool,
    upper: Option<String>,
    has_upper: bool,
}

impl Parts {
    /// Splits a text; `None` stands for the empty range.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    fn of(text: &str) -> Result<Option<Self>, &'static str> {
        let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
        let text = text.trim_start_matches(is_space);
        let word = text.get(..EMPTY.len());
        if word.is_some_and(|word| word.eq_ignore_ascii_case(EMPTY)) {
            let rest = text.get(EMPTY.len()..).unwrap_or_default();
            return match rest.trim_start_matches(is_space) {
                "" => Ok(None),
                _ => Err("Junk after \"empty\" key word."),
            };
        }
        let mut rest = text.chars().peekable();
        let has_lower = match rest.next() {
            Some('[') => true,
            Some('(') => false,
            _ => return Err("Missing left parenthesis or bracket."),
        };
        let lower = bound(&mut rest)?;
        if rest.next() != Some(',') {
            return Err("Missing comma after lower bound.");
        }
        let upper = bound(&mut rest)?;
        let has_upper = match rest.next() {
            Some(']') => true,
            Some(')') => false,
            _ => return Err("Too many commas."),
        };
        match rest.all(is_space) {
            true => Ok(Some(Self {
                lower,
                has_lower,
                upper,
                has_upper,
            })),
            false => Err("Junk after right parenthesis or bracket."),
        }
    }
}

/// Reads the text of a bound, up to what ends it; `None` if there is none.
///
/// # Errors
///
/// The text ends before.
fn bound(rest: &mut Peekable<Chars<'_>>) -> Result<Option<String>, &'static str> {
    let ends = |c: char| matches!(c, ',' | ')' | ']');
    if rest.peek().copied().is_some_and(ends) {
        return Ok(None);
    }
    let mut text = String::new();
    let mut is_quoted = false;
    loop {
        let next = *rest.peek().ok_or("Unexpected end of input.")?;
        if !is_quoted && ends(next) {
            return Ok(Some(text));
        }
        rest.next();
        match next {
            '\\' => text.push(rest.next().ok_or("Unexpected end of input.")?),
            '"' if !is_quoted => is_quoted = true,
            '"' if rest.peek() == Some(&'"') => {
                rest.next();
                text.push('"');
            }
            '"' => is_quoted = false,
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn ranges_have_the_form_of_postgres() {
        for (of, text, expected) in [
            (RangeType::Int4, "[1,10]", "[1,11)"),
            (RangeType::Int8, "(1,10)", "[2,10)"),
            (RangeType::Int4, "[1,1)", "empty"),
            (RangeType::Int4, "(1,2)", "empty"),
            (RangeType::Int4, " EMPTY ", "empty"),
            (RangeType::Int4, "[,5]", "(,6)"),
            (RangeType::Int4, "[,]", "(,)"),
            (RangeType::Int4, "[ 1 ,\"2\"]", "[1,3)"),
            (RangeType::Int4, "[\\1,2)", "[1,2)"),
            (RangeType::Num, "[1.50,2]", "[1.50,2]"),
            (RangeType::Num, "(1,)", "(1,)"),
            (RangeType::Num, "[NaN,NaN]", "[NaN,NaN]"),
            (
                RangeType::Date,
                "[2024-01-01,2024-01-31]",
                "[2024-01-01,2024-02-01)",
            ),
            (
                RangeType::Date,
                "(2024-01-01,infinity)",
                "[2024-01-02,infinity)",
            ),
            (
                RangeType::Date,
                "[-infinity,infinity]",
                "[-infinity,infinity]",
            ),
            (
                RangeType::Ts,
                "[\"2024-01-01 10:00\",2024-01-02]",
                "[\"2024-01-01 10:00:00\",\"2024-01-02 00:00:00\"]",
            ),
            (
                RangeType::Tstz,
                "[2024-01-01 10:00+02,)",
                "[\"2024-01-01 08:00:00+00\",)",
            ),
        ] {
            let found = RangeValue::read(of, text).unwrap();
            assert_eq!(found.text(of).unwrap(), expected, "{text}");
            assert_eq!(RangeValue::read(of, expected).unwrap(), found, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_as_postgres_does() {
        for (of, text, code, expected) in [
            (
                RangeType::Int4,
                "",
                Code::InvalidCast,
                "malformed range literal: \"\"",
            ),
            (
                RangeType::Int4,
                "[1,2",
                Code::InvalidCast,
                "malformed range literal: \"[1,2\"",
            ),
            (
                RangeType::Int4,
                "1,2)",
                Code::InvalidCast,
                "malformed range literal: \"1,2)\"",
            ),
            (
                RangeType::Int4,
                "[1)",
                Code::InvalidCast,
                "malformed range literal: \"[1)\"",
            ),
            (
                RangeType::Int4,
                "[1,2,3)",
                Code::InvalidCast,
                "malformed range literal: \"[1,2,3)\"",
            ),
            (
                RangeType::Int4,
                "[1,2) x",
                Code::InvalidCast,
                "malformed range literal: \"[1,2) x\"",
            ),
            (
                RangeType::Int4,
                "empty x",
                Code::InvalidCast,
                "malformed range literal: \"empty x\"",
            ),
            (
                RangeType::Int4,
                "[1,2\\",
                Code::InvalidCast,
                "malformed range literal: \"[1,2\\\"",
            ),
            (
                RangeType::Int4,
                "[a,2)",
                Code::InvalidCast,
                "invalid input syntax for type integer: \"a\"",
            ),
            (
                RangeType::Int4,
                "[\"\",2)",
                Code::InvalidCast,
                "invalid input syntax for type integer: \"\"",
            ),
            (
                RangeType::Int4,
                "[3,2)",
                Code::DataException,
                "range lower bound must be less than or equal to range upper bound",
            ),
            (
                RangeType::Int4,
                "[1,2147483647]",
                Code::NumericOutOfRange,
                "integer out of range",
            ),
            (
                RangeType::Int4,
                "[99999999999,)",
                Code::NumericOutOfRange,
                "value \"99999999999\" is out of range for type integer",
            ),
            (
                RangeType::Int8,
                "[1,9223372036854775807]",
                Code::NumericOutOfRange,
                "bigint out of range",
            ),
            (
                RangeType::Num,
                "[x,)",
                Code::InvalidCast,
                "invalid input syntax for type numeric: \"x\"",
            ),
        ] {
            let error = RangeValue::read(of, text).unwrap_err();
            assert_eq!((error.code(), error.message()), (code, expected), "{text}");
        }
    }

    #[test]
    fn keys_compare_as_ranges() {
        let sorted = [
            "empty", "(,-5)", "(,1)", "(,1]", "(,)", "[-3,-2]", "[1,1]", "[1,2)", "[1,2]", "[1,)",
            "(1,2)", "(1,)", "[1.5,2)", "[10,11)",
        ];
        let keys = sorted.map(|text| RangeValue::read(RangeType::Num, text).unwrap().key());
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
        let key = |text: &str| RangeValue::read(RangeType::Num, text).unwrap().key();
        assert_eq!(key("[1.0,2.00)"), key("[1,2)"));
        let sorted = ["(,0)", "[-5,3)", "[-5,)", "[0,1)", "[7,8)", "[10,11)"];
        let keys = sorted.map(|text| RangeValue::read(RangeType::Int8, text).unwrap().key());
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
    }
}
