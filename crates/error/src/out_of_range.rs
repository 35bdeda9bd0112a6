//! Numbers and dates that are out of range, in PostgreSQL's words.

use crate::engine::numerics;
use crate::{Code, Error};

/// Returns PostgreSQL's error of a message about a number or a date, if it has another.
///
/// ```text
/// value 70000 is out of range for type smallint       smallint out of range
/// 1234.50 is too large to store in a Decimal128 …     numeric field overflow
/// int32Array overflow on abs(-2147483648)             integer out of range
/// cannot cast Date32 value 2145042905 to Timestamp …  date out of range for timestamp
/// ```
pub(crate) fn reworded(message: &str) -> Option<Error> {
    if let Some(rest) = message.strip_prefix("value ")
        && !rest.starts_with('"')
        && let Some((_, name)) = rest.split_once(" is out of range for type ")
    {
        let is_integer = ["smallint", "integer", "bigint"].contains(&name);
        return is_integer.then(|| of_type(name));
    }
    if let Some((number, _)) = message.split_once(" is too large to store in a Decimal")
        && !number.contains(' ')
    {
        return numerics::of_number(message);
    }
    let of_dates = [
        (
            "cannot cast Date32 value ",
            "date out of range for timestamp",
        ),
        ("date arithmetic overflow: ", "date out of range"),
    ];
    if let Some((_, said)) = of_dates
        .iter()
        .find(|(start, _)| message.starts_with(start))
    {
        return Some(Error::new(Code::DatetimeOutOfRange, *said));
    }
    let arrays = [
        ("int16Array overflow on ", "smallint"),
        ("int32Array overflow on ", "integer"),
        ("int64Array overflow on ", "bigint"),
    ];
    if let Some((_, name)) = arrays.iter().find(|(start, _)| message.starts_with(start)) {
        return Some(of_type(name));
    }
    let operation = message.strip_prefix("overflow happened on: ")?;
    if is_of_intervals(operation) {
        let said = "interval out of range";
        return Some(Error::new(Code::DatetimeOutOfRange, said));
    }
    let (first, _) = operation.split_once(" / ")?;
    let least = [
        (i64::from(i16::MIN), "smallint"),
        (i64::from(i32::MIN), "integer"),
        (i64::MIN, "bigint"),
    ];
    let number: i64 = first.trim().parse().ok()?;
    let (_, name) = least.iter().find(|(least, _)| *least == number)?;
    Some(of_type(name))
}

/// Returns whether an operation that overflows is one of intervals: a sum, a difference or a negation of
/// months or days. Those of integers have messages of their own.
fn is_of_intervals(operation: &str) -> bool {
    let (left, right) = match operation.strip_prefix("- ") {
        Some(operand) => ("0", operand),
        None => {
            let sum = operation.split_once(" + ");
            match sum.or_else(|| operation.split_once(" - ")) {
                Some(operands) => operands,
                None => return false,
            }
        }
    };
    let is_count = |number: &str| number.parse::<i32>().is_ok();
    is_count(left) && is_count(right)
}

fn of_type(name: &str) -> Error {
    Error::new(Code::NumericOutOfRange, format!("{name} out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_have_the_words_of_postgres() {
        for (message, expected, detail) in [
            (
                "value 70000 is out of range for type smallint",
                Some("smallint out of range"),
                None,
            ),
            (
                "value \"70000\" is out of range for type smallint",
                None,
                None,
            ),
            ("value 7 is out of range for type oid", None, None),
            (
                "int32Array overflow on abs(-2147483648)",
                Some("integer out of range"),
                None,
            ),
            (
                "overflow happened on: -2147483648 / -1",
                Some("integer out of range"),
                None,
            ),
            (
                "12345.68 is too large to store in a Decimal128 of precision 5. Max is 999.99",
                Some("numeric field overflow"),
                Some(
                    "A field with precision 5, scale 2 must round to an absolute value less than 10^3.",
                ),
            ),
            (
                "1.5 is too large to store in a Decimal128 of precision 2. Max is 0.99",
                Some("numeric field overflow"),
                Some(
                    "A field with precision 2, scale 2 must round to an absolute value less than 1.",
                ),
            ),
            (
                "cannot cast Date32 value 2145042905 to Timestamp(us): converted value exceeds the representable i64 range",
                Some("date out of range for timestamp"),
                None,
            ),
            (
                "date arithmetic overflow: 2145042905 + IntervalMonthDayNano { months: 0, days: 1, nanoseconds: 0 }",
                Some("date out of range"),
                None,
            ),
            (
                "overflow happened on: 2147483647 + 1",
                Some("interval out of range"),
                None,
            ),
            (
                "overflow happened on: -2147483648 - 1",
                Some("interval out of range"),
                None,
            ),
            (
                "overflow happened on: - -2147483648",
                Some("interval out of range"),
                None,
            ),
            ("overflow happened on: 9223372036854775807 + 1", None, None),
            ("the sum is out of range", None, None),
            (
                "column x: 1.5 is too large to store in a Decimal128 of precision 2. Max is 0.99",
                None,
                None,
            ),
        ] {
            let found = reworded(message);
            let said = found.as_ref().map(Error::message);
            assert_eq!(said, expected, "{message}");
            assert_eq!(found.as_ref().and_then(Error::detail), detail, "{message}");
        }
    }
}
