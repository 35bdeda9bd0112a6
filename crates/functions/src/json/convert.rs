//! Scalars as values of SQL, and the errors of casts.

use arrow::datatypes::FieldRef;
use datafusion::error::DataFusionError;
use lakegate_error::{Code, Error};

use super::numbers;
use super::scan::{Fault, Raw, Scalar};
use super::{strings, types};

/// Why a value was not cast.
#[derive(Debug)]
pub(super) enum Failure {
    /// The value is not of the type; what was expected, if that is not plain.
    Value(Option<String>),
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::Value(Some("it is not valid JSON".to_owned())),
            fault => Self::Fault(fault),
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Fault(error.into())
    }
}

/// The failure of a value that is not of the type.
pub(super) fn wrong<T>() -> Result<T, Failure> {
    Err(Failure::Value(None))
}

/// The failure of a value of another shape.
pub(super) fn expected<T>(what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Value(Some(what.into())))
}

/// A string's text, which goes into `scratch` if it is not in the JSON as it is.
pub(super) fn text_of<'a>(raw: Raw<'a>, scratch: &'a mut String) -> &'a str {
    if !raw.escaped {
        return raw.text;
    }
    strings::decode(raw, scratch);
    scratch
}

/// The text of a scalar as a number; one that is none if it is none.
pub(super) fn number_text<'a>(scalar: Scalar<'a>, scratch: &'a mut String) -> &'a str {
    match scalar {
        Scalar::Null => "",
        Scalar::Boolean(true) => "1",
        Scalar::Boolean(false) => "0",
        Scalar::Number(number) => number.text,
        Scalar::String(raw) => text_of(raw, scratch),
    }
}

/// A scalar as a whole number.
pub(super) fn whole(scalar: Scalar<'_>, scratch: &mut String) -> Result<i64, Failure> {
    match scalar {
        Scalar::Number(number) if !number.whole => {
            let double = number.text.parse().unwrap_or(f64::NAN);
            match numbers::rounded(double) {
                Some(whole) => Ok(whole),
                None => expected("it is out of range"),
            }
        }
        Scalar::Number(number) => match number.text.parse() {
            Ok(whole) => Ok(whole),
            Err(_) => expected("it is out of range"),
        },
        scalar => number_text(scalar, scratch).parse().or_else(|_| wrong()),
    }
}

/// A scalar as a boolean.
pub(super) fn boolean(scalar: Scalar<'_>, scratch: &mut String) -> Result<bool, Failure> {
    match scalar {
        Scalar::Boolean(boolean) => Ok(boolean),
        Scalar::Number(number) if !number.whole => {
            Ok(number.text.parse().unwrap_or(f64::NAN) != 0.0)
        }
        Scalar::Number(_) => Ok(whole(scalar, scratch)? != 0),
        Scalar::String(raw) => {
            let text = text_of(raw, scratch);
            let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            match (is(["true", "t", "1"]), is(["false", "f", "0"])) {
                (true, _) => Ok(true),
                (_, true) => Ok(false),
                _ => wrong(),
            }
        }
        Scalar::Null => wrong(),
    }
}

/// The error of a value that cannot be cast.
pub(super) fn cast_error(json: &str, field: &FieldRef, why: Option<&str>) -> DataFusionError {
    const SHOWN: usize = 200;
    let mut shown: String = json.chars().take(SHOWN).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    let mut message = format!("cannot cast '{shown}' to {}", types::name(field));
    if let Some(why) = why {
        message.push_str(": ");
        message.push_str(why);
    }
    Error::new(Code::InvalidCast, message)
        .with_hint("TRY_CAST gives NULL for such values")
        .into()
}
