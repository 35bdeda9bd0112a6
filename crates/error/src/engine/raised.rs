//! What functions say about their arguments, with PostgreSQL's codes and words.

use crate::{Code, Error, wording};

/// How messages of functions about their arguments begin, and what PostgreSQL says instead.
const RAISED: [(&str, Code, &str); 6] = [
    (
        "cannot take square root of a negative number",
        Code::InvalidPower,
        "cannot take square root of a negative number",
    ),
    (
        "zero raised to a negative power is undefined",
        Code::InvalidPower,
        "zero raised to a negative power is undefined",
    ),
    (
        "NTILE requires a positive integer",
        Code::InvalidNtile,
        "argument of ntile must be greater than zero",
    ),
    (
        "negative count not allowed",
        Code::InvalidSubstring,
        "negative substring length not allowed",
    ),
    (
        "overlay start position must be at least 1",
        Code::InvalidSubstring,
        "negative substring length not allowed",
    ),
    (
        "factorial of a negative number is undefined",
        Code::NumericOutOfRange,
        "factorial of a negative number is undefined",
    ),
];

/// Returns the error of a function's message about an argument, if PostgreSQL has a code for it.
pub(super) fn raised(what: &str) -> Option<Error> {
    let found = RAISED.iter().find(|(start, _, _)| what.starts_with(start));
    let found = found.map(|(_, code, said)| Error::new(*code, *said));
    found
        .or_else(|| of_character(what))
        .or_else(|| of_unit(what))
}

/// Returns the error for a number that is not a character's.
fn of_character(what: &str) -> Option<Error> {
    let number = what.strip_prefix("invalid Unicode scalar value: ")?;
    let number: i64 = number.parse().ok()?;
    let (code, said) = match number {
        ..0 => {
            let message = "character number must be positive";
            return Some(Error::new(Code::InvalidParameter, message));
        }
        0x11_0000.. => (Code::ResultTooLarge, "too large"),
        _ => (Code::ResultTooLarge, "not valid"),
    };
    Some(Error::new(
        code,
        format!("requested character {said} for encoding: {number}"),
    ))
}

/// Returns the error for a field of a time that does not exist, or that its type does not have.
fn of_unit(what: &str) -> Option<Error> {
    let unknown = what.strip_prefix("Date part '");
    if let Some(unit) = unknown.and_then(|rest| rest.strip_suffix("' not supported")) {
        let unit = unit.to_lowercase();
        return Some(match unit.starts_with("timezone") {
            true => Error::not_supported(format!("unit \"{unit}\" not supported for this type")),
            false => Error::new(
                Code::InvalidParameter,
                format!("unit \"{unit}\" not recognized"),
            ),
        });
    }
    let (unit, data_type) = what.split_once(" does not support: ")?;
    let unit = match unit.rsplit(' ').next().unwrap_or(unit) {
        "dayOfWeekSunday0" => "dow".to_owned(),
        other => other.to_lowercase(),
    };
    let data_type = wording::of_types(data_type);
    Some(Error::not_supported(format!(
        "unit \"{unit}\" not supported for type {data_type}"
    )))
}
