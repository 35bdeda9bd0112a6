//! The values of a Bind message as scalars of the statement's parameter types.
//!
//! A value is read with its declared type (or, if the client declared none, with the inferred one)
//! and then fitted to the inferred type. A value is never changed to fit: one with more digits than
//! the inferred type keeps a type of its own.

mod array_text;
pub(super) mod binary;
pub(super) mod text;
pub(super) mod value;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::Encoding;
use lakegate_gateway::values::time::DateOrder;

use super::client_text;
use super::encode::{Format, Style, Zone};
use super::types::{self, oid};

/// The maximum number of elements of an array that a client sends. Each takes some hundred bytes
/// until the array is built, and two on the wire.
const MAX_ELEMENTS: usize = 1_000_000;

/// The maximum number of dimensions of an array, as in PostgreSQL.
const MAX_DIMENSIONS: usize = 6;

/// What the meaning of a value from a client depends on beside its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub zone: Zone,
    /// `None` is UTF8.
    pub encoding: Option<&'static Encoding>,
    pub order: DateOrder,
}

impl From<Zone> for Input {
    fn from(zone: Zone) -> Self {
        Self {
            zone,
            encoding: None,
            order: DateOrder::Mdy,
        }
    }
}

impl From<Style> for Input {
    fn from(style: Style) -> Self {
        Self {
            zone: style.zone,
            encoding: style.encoding,
            order: style.order,
        }
    }
}

/// Resolves the formats of `count` parameters or columns from a list that has no code (all text),
/// one (for all) or one each.
pub(super) fn formats(codes: &[i16], count: usize, what: &str) -> Result<Vec<Format>> {
    let format = |code: &i16| match code {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        other => Err(Error::new(
            Code::ProtocolViolation,
            format!("unsupported format code {other}: it is 0 for text or 1 for binary"),
        )),
    };
    match codes {
        [] => Ok(vec![Format::Text; count]),
        [one] => Ok(vec![format(one)?; count]),
        each if each.len() == count => each.iter().map(format).collect(),
        each => Err(Error::new(
            Code::ProtocolViolation,
            match what {
                "column" => format!(
                    "bind message has {} result formats but query has {count} columns",
                    each.len()
                ),
                _ => format!(
                    "bind message has {} {what} formats but {count} {what}s",
                    each.len()
                ),
            },
        )),
    }
}

/// The type of one parameter, declared and inferred.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    /// The OID in the Parse message; 0 if not specified.
    pub declared: u32,
    pub inferred: DataType,
}

impl Parameter {
    /// Returns the type to announce, and to read values with.
    pub(crate) fn oid(&self) -> u32 {
        match self.declared {
            0 | oid::UNKNOWN => types::of_data_type(&self.inferred).oid,
            declared => declared,
        }
    }
}

/// Reads the values of a Bind message.
///
/// # Errors
///
/// A count or format does not fit (`ProtocolViolation`), or a value is not valid for its type
/// (`InvalidCast`, `InvalidDatetime`, `NumericOutOfRange`). The context of the error names the parameter.
pub(super) fn bind(
    values: &[Option<Bytes>],
    codes: &[i16],
    parameters: &[Parameter],
    input: impl Into<Input>,
) -> Result<Vec<ScalarValue>> {
    let input = input.into();
    if values.len() != parameters.len() {
        return Err(Error::new(
            Code::ProtocolViolation,
            format!(
                "bind message supplies {} parameters, but the prepared statement requires {}",
                values.len(),
                parameters.len()
            ),
        ));
    }
    let formats = formats(codes, values.len(), "parameter")?;
    let mut scalars = Vec::with_capacity(values.len());
    for (n, ((value, format), parameter)) in values.iter().zip(formats).zip(parameters).enumerate()
    {
        let scalar = one(value.as_deref(), format, parameter, input)
            .map_err(|error| error.with_context(format!("parameter ${}", n + 1)))?;
        scalars.push(scalar);
    }
    Ok(scalars)
}

fn one(
    bytes: Option<&[u8]>,
    format: Format,
    parameter: &Parameter,
    input: Input,
) -> Result<ScalarValue> {
    let target = match &parameter.inferred {
        DataType::Null => &DataType::Utf8,
        inferred => inferred,
    };
    let Some(bytes) = bytes else {
        return ScalarValue::try_new_null(target)
            .map_err(|e| Error::not_supported(format!("no NULL of type {target}: {e}")));
    };
    let value = match format {
        Format::Text => {
            let text = client_text::text(bytes, input.encoding)?;
            text::read(parameter.oid(), &text, input)?
        }
        Format::Binary => binary::read(parameter.oid(), bytes, input.encoding)?,
    };
    value.fit(target, input)
}

/// Builds the error for a value that is not valid for its type.
pub(super) fn invalid(type_oid: u32, text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    let why = match types::element_oid(type_oid) {
        Some(_) => format!("malformed array literal: \"{shown}\""),
        None => format!(
            "invalid input syntax for type {}: \"{shown}\"",
            types::input_name(type_oid)
        ),
    };
    let code = match type_oid {
        oid::DATE | oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => {
            Code::InvalidDatetime
        }
        _ => Code::InvalidCast,
    };
    Error::new(code, why)
}

pub(super) fn out_of_range(what: impl std::fmt::Display) -> Error {
    Error::new(
        Code::NumericOutOfRange,
        format!("value out of range for type {what}"),
    )
}

fn too_many_elements() -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("an array has at most {MAX_ELEMENTS} elements when it is sent; send several"),
    )
}
