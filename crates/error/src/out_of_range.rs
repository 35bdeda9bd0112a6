//! Numbers that are out of range, in PostgreSQL's words.

use crate::Error;
use crate::engine::numerics;

/// Returns PostgreSQL's message and detail of a message about a number, if it has others.
///
/// ```text
/// value 70000 is out of range for type smallint       smallint out of range
/// 1234.50 is too large to store in a Decimal128 …     numeric field overflow
/// int32Array overflow on abs(-2147483648)             integer out of range
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
    let arrays = [
        ("int16Array overflow on ", "smallint"),
        ("int32Array overflow on ", "integer"),
        ("int64Array overflow on ", "bigint"),
    ];
    if let Some((_, name)) = arrays.iter().find(|(start, _)| message.starts_with(start)) {
        return Some(of_type(name));
    }
    let (first, _) = message
        .strip_prefix("overflow happened on: ")?
        .split_once(" / ")?;
    let least = [
        (i64::from(i16::MIN), "smallint"),
        (i64::from(i32::MIN), "integer"),
        (i64::MIN, "bigint"),
    ];
    let number: i64 = first.trim().parse().ok()?;
    let (_, name) = least.iter().find(|(least, _)| *least == number)?;
    Some(of_type(name))
}

fn of_type(name: &str) -> Error {
    Error::new(
        crate::Code::NumericOutOfRange,
        format!("{name} out of range"),
    )
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
