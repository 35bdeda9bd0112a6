//! `to_number(text, template)` as in PostgreSQL. The steps are those of PostgreSQL, whose results
//! depend on their order.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use lakegate_error::{Code, Error};

use super::template::{Part, SignPlace, Template};
use crate::plans::expressions;

/// Digits of the result, and those after the point: a decimal without sizes.
const PRECISION: u8 = 38;
const SCALE: i8 = 10;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToNumber {
    signature: Signature,
}

impl ToNumber {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::new(TypeSignature::String(2), Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for ToNumber {
    fn name(&self) -> &str {
        "to_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(PRECISION, SCALE))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let texts = |argument: Option<&ColumnarValue>| -> Result<ArrayRef> {
            match argument {
                Some(values) => Ok(cast(&values.to_array(rows)?, &DataType::Utf8)?),
                None => Err(Error::internal("to_number without its arguments").into()),
            }
        };
        let (texts, templates) = (texts(args.args.first())?, texts(args.args.get(1))?);
        let (texts, templates) = (texts.as_string::<i32>(), templates.as_string::<i32>());
        let mut numbers =
            Decimal128Builder::with_capacity(rows).with_precision_and_scale(PRECISION, SCALE)?;
        let mut parsed: Option<(&str, Template)> = None;
        for row in 0..rows {
            crate::limits::stop::check()?;
            if texts.is_null(row) || templates.is_null(row) {
                numbers.append_null();
                continue;
            }
            let source = templates.value(row);
            let template = match parsed.take() {
                Some((known, template)) if known == source => template,
                _ => Template::parse(source)?,
            };
            numbers.append_value(decimal(&read(texts.value(row), &template)?)?);
            parsed = Some((source, template));
        }
        expressions::made(Arc::new(numbers.finish()), constant)
    }
}

/// Returns a number of digits and a point as a decimal of the result's type, rounded half away from
/// zero.
fn decimal(number: &str) -> Result<i128, Error> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::from(SCALE.unsigned_abs());
    let kept = fraction.get(..scale).unwrap_or(fraction);
    let all = format!("{whole}{kept:0<scale$}");
    let up = fraction
        .as_bytes()
        .get(scale)
        .is_some_and(|digit| *digit >= b'5');
    let value = all
        .parse::<i128>()
        .ok()
        .and_then(|value| value.checked_add(i128::from(up)))
        .ok_or_else(overflow)?;
    if value >= 10i128.pow(u32::from(PRECISION)) {
        return Err(overflow());
    }
    Ok(if negative { -value } else { value })
}

/// Reads a number: an optional minus, digits, and a point between digits.
///
/// # Errors
///
/// The template has patterns that only write numbers, the text has no digits, or more before the point
/// than the template.
fn read(text: &str, template: &Template) -> Result<String, Error> {
    let unsupported = |pattern: &str| {
        Error::not_supported(format!("\"{pattern}\" not supported for input"))
            .with_hint("it is a pattern of to_char")
    };
    if template.scientific {
        return Err(unsupported("EEEE"));
    }
    if template.roman {
        return Err(unsupported("RN"));
    }
    if template.shift > usize::from(SCALE.unsigned_abs()) {
        return Err(Error::not_supported(format!(
            "more than {SCALE} digits after \"V\" are not supported for input"
        )));
    }
    let mut reader = Reader {
        rest: text,
        template,
        sign: None,
        digits: String::new(),
        before: 0,
        after: 0,
        has_point: false,
    };
    for part in &template.parts {
        if reader.rest.is_empty() {
            break;
        }
        reader.part(*part);
    }
    let digits = reader.digits.trim_end_matches('.');
    if digits.is_empty() {
        return Err(Error::new(
            Code::InvalidCast,
            format!(
                "invalid input syntax for type numeric: \"{}\"",
                reader.sign.unwrap_or(' ')
            ),
        ));
    }
    let whole = digits.split('.').next().unwrap_or_default();
    if whole.trim_start_matches('0').len() > template.before + template.shift {
        return Err(overflow());
    }
    let sign = if reader.sign == Some('-') { "-" } else { "" };
    let zero = if digits.starts_with('.') { "0" } else { "" };
    Ok(format!("{sign}{zero}{}", shifted(digits, template.shift)))
}

/// Returns digits, which have no point if `places` is not 0, with a point before the last `places`.
fn shifted(digits: &str, places: usize) -> Cow<'_, str> {
    if places == 0 {
        return Cow::Borrowed(digits);
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    Cow::Owned(format!("{whole}.{fraction}"))
}

fn overflow() -> Error {
    Error::new(Code::NumericOutOfRange, "numeric field overflow")
}

struct Reader<'a> {
    rest: &'a str,
    template: &'a Template,
    sign: Option<char>,
    /// The digits and the point so far.
    digits: String,
    /// Digits before the point and after it.
    before: usize,
    after: usize,
    has_point: bool,
}

impl Reader<'_> {
    fn next(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Moves past a character.
    fn skip(&mut self) {
        let mut rest = self.rest.chars();
        rest.next();
        self.rest = rest.as_str();
    }

    /// Moves past characters that do not belong to a number, at most so many.
    fn skip_text(&mut self, most: usize) {
        for _ in 0..most {
            match self.next() {
                Some('0'..='9' | '.' | ',' | '+' | '-') | None => return,
                Some(_) => self.skip(),
            }
        }
    }

    fn part(&mut self, part: Part) {
        match part {
            Part::Digit | Part::Zero | Part::Point => {
                let is_digit = part != Part::Point;
                self.digit(is_digit);
                self.skip();
            }
            Part::Group => {
                if !self.template.fills && self.next() == Some(',') {
                    self.skip();
                }
            }
            Part::Currency | Part::Text(_) => self.skip_text(1),
            Part::Ordinal { .. } => {
                if self.sign != Some('-') && !self.template.has_point {
                    self.skip_text(2);
                }
            }
            Part::Minus => self.signed(&['-']),
            Part::Plus => self.signed(&['+']),
            Part::AnySign => self.signed(&['-', '+']),
            Part::Sign
            | Part::Brackets
            | Part::Roman { .. }
            | Part::Shift
            | Part::Scientific
            | Part::Fill
            | Part::Ignored => {}
        }
    }

    fn signed(&mut self, signs: &[char]) {
        match self.next().filter(|next| signs.contains(next)) {
            Some(sign) => {
                self.sign = Some(sign);
                self.skip();
            }
            None => self.skip_text(1),
        }
    }

    /// Reads up to a digit or a point, which the caller moves past.
    fn digit(&mut self, is_digit: bool) {
        if self.next() == Some(' ') {
            self.skip();
        }
        if self.sign.is_none() && is_digit && self.digits.trim_matches('.').is_empty() {
            let before = self.template.signed && self.template.sign == SignPlace::Before;
            match self.next() {
                Some('-') => self.sign = Some('-'),
                Some('<') if self.template.brackets && !before => self.sign = Some('-'),
                Some('+') => self.sign = Some('+'),
                _ => {}
            }
            if self.sign.is_some() {
                self.skip();
            }
        }
        let mut was_read = false;
        match self.next() {
            None => return,
            Some(digit @ '0'..='9') => {
                if self.has_point && self.after == self.template.after {
                    return;
                }
                self.digits.push(digit);
                match self.has_point {
                    true => self.after += 1,
                    false => self.before += 1,
                }
                was_read = true;
            }
            Some('.') if self.template.has_point && !self.has_point => {
                self.digits.push('.');
                self.has_point = true;
                was_read = true;
            }
            Some(_) => {}
        }
        if self.sign.is_some() || self.before + self.after == 0 {
            return;
        }
        if self.template.signed && was_read {
            // The sign is behind the last digit.
            let mut behind = self.rest.chars();
            behind.next();
            if let Some(sign @ ('-' | '+')) = behind.clone().next() {
                self.rest = behind.as_str();
                self.sign = Some(sign);
            }
        } else if !was_read && !self.template.signed && (self.template.plus || self.template.minus)
        {
            self.sign = self.next().filter(|next| matches!(next, '-' | '+'));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(text: &str, template: &str) -> Result<String, Error> {
        read(text, &Template::parse(template)?)
    }

    // Expected numbers: PostgreSQL 15.
    #[test]
    fn numbers_are_read_as_postgres_reads_them() {
        for (text, template, expected) in [
            ("1,234.56", "9G999D99", "1234.56"),
            ("1,234.56", "9999.99", "1234.5"),
            ("1234.56", "9,999.99", "1234.56"),
            ("  12", "99", "1"),
            (
                "-34,338,492.654,878",
                "99G999G999D999G999",
                "-34338492.654878",
            ),
            ("<564646.654564>", "999999.999999PR", "-564646.654564"),
            ("0.00001-", "9.999999S", "-0.00001"),
            ("5.01-", "FM9.999999S", "-5.01"),
            ("5.01-", "FM9.999999MI", "-5.01"),
            ("5 4 4 4 4 8 . 7 8", "9 9 9 9 9 9 . 9 9", "544448.78"),
            (".01", "FM9.99", "0.01"),
            ("0", "99.99", "0"),
            (".-01", "S99.99", "-0.01"),
            (".01-", "99.99S", "-0.01"),
            (" . 0 1-", " 9 9 . 9 9 S", "-0.01"),
            ("34,50", "999,99", "3450"),
            ("123,000", "999G", "123"),
            ("123456", "999G999", "123456"),
            ("$1,234.56", "L99,999.99", "1234.56"),
            ("1234.56", "L99,999.99", "1234.56"),
            ("42nd", "99th", "42"),
            ("12a", "999", "12"),
            ("12", "9", "1"),
            ("12+", "99S", "12"),
            ("-12", "99", "-12"),
            ("- 12", "S99", "-1"),
            ("12.345", "99.9", "12.3"),
            ("12,345", "99999", "1234"),
            ("xyz12", "\"abc\"99", "12"),
            ("  -12 ", "S99", "-1"),
            ("12-", "99MI", "-12"),
            ("-12", "MI99", "-12"),
            ("-12", "SG99", "-12"),
            ("(12)", "99PR", "1"),
            ("100%", "999%", "100"),
            ("12.", "99.", "12"),
            ("1234", "99V99", "12.34"),
            ("1234", "99V9", "12.3"),
            ("-12", "S99V99", "-0.12"),
            ("0012", "99V99", "00.12"),
            ("12", "V99", "0.12"),
            ("1.234", "9V999", "0.123"),
            ("0012", "9.9", "001"),
        ] {
            assert_eq!(
                number(text, template).unwrap(),
                expected,
                "{text} {template}"
            );
        }
        for (text, template) in [
            ("", "99"),
            (" ", "99"),
            ("1e5", "9EEEE"),
            ("XII", "RN"),
            ("12", "9V99999999999"),
        ] {
            assert!(number(text, template).is_err(), "{text} {template}");
        }
        // More digits than the template has before its point.
        for (text, template) in [
            ("<123>", "MI0.99"),
            ("1,234.56", "FM99.99TH"),
            ("12.5", "SG0.9MI"),
            ("1 234", "PL999.9TH"),
            ("1.5", ".99"),
        ] {
            let error = number(text, template).unwrap_err();
            assert_eq!(
                error.message(),
                "numeric field overflow",
                "{text} {template}"
            );
        }
    }

    #[test]
    fn decimals_are_rounded_and_bounded() {
        assert_eq!(decimal("-1.5").unwrap(), -15_000_000_000);
        assert_eq!(decimal("0.00000000005").unwrap(), 1);
        assert!(decimal(&"9".repeat(29)).is_err());
        assert!(decimal(&"9".repeat(10_000)).is_err());
    }
}
