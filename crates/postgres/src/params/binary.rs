//! Parameters in binary format: the receive functions of Postgres' types. Every length is checked.

use bytes::Buf;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::Encoding;
use lakegate_gateway::values::time::ZonedTime;

use super::super::client_text;
use super::super::encode::time::{EPOCH_DAYS, EPOCH_MICROS};
use super::super::forms;
use super::super::types::{element_oid, oid, oid_like, type_name};
use super::value::{MAX_DIGITS, Numeric, Value};
use super::{MAX_DIMENSIONS, MAX_ELEMENTS, too_many_elements};

/// The largest offset of a time with a zone, in seconds: 15:59:59.
const MAX_OFFSET: i32 = 16 * 3600 - 1;

/// Reads a value of the type `type_oid`. `encoding`: of texts; `None` is UTF8.
pub(crate) fn read(
    type_oid: u32,
    mut bytes: &[u8],
    encoding: Option<&'static Encoding>,
) -> Result<Value> {
    let wrong = || {
        Error::new(
            Code::ProtocolViolation,
            format!(
                "incorrect binary data format for type {}",
                type_name(type_oid)
            ),
        )
    };
    let fixed = |length: usize| {
        if bytes.len() == length {
            Ok(())
        } else {
            Err(wrong())
        }
    };
    Ok(match type_oid {
        oid::BOOL => {
            fixed(1)?;
            Value::Bool(bytes[0] != 0)
        }
        oid::INT2 => {
            fixed(2)?;
            Value::Int(i64::from(bytes.get_i16()))
        }
        oid::INT4 => {
            fixed(4)?;
            Value::Int(i64::from(bytes.get_i32()))
        }
        oid::INT8 | oid::XID8 => {
            fixed(8)?;
            Value::Int(bytes.get_i64())
        }
        oid::FLOAT4 => {
            fixed(4)?;
            Value::Float32(bytes.get_f32())
        }
        oid::FLOAT8 => {
            fixed(8)?;
            Value::Float64(bytes.get_f64())
        }
        oid::NUMERIC => Value::Numeric(numeric(bytes).ok_or_else(wrong)??),
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::REFCURSOR
        | oid::JSON
        | oid::UNKNOWN
        | 0 => Value::Text(client_text::text(bytes, encoding)?),
        oid::JSONB => match bytes.split_first() {
            Some((1, text)) => Value::Text(client_text::text(text, encoding)?),
            _ => return Err(wrong()),
        },
        oid::UUID => {
            fixed(16)?;
            let mut raw = [0; 16];
            bytes.copy_to_slice(&mut raw);
            Value::Text(uuid::Uuid::from_bytes(raw).to_string())
        }
        oid::BYTEA => Value::Bytes(bytes.to_vec()),
        oid::DATE => {
            fixed(4)?;
            let days = i64::from(finite(bytes.get_i32(), i32::MIN, i32::MAX, "date")?) + EPOCH_DAYS;
            Value::Date(i32::try_from(days).map_err(|_| super::out_of_range("date"))?)
        }
        oid::TIME => {
            fixed(8)?;
            let micros = bytes.get_i64();
            if !(0..=86_400_000_000).contains(&micros) {
                return Err(super::out_of_range("time"));
            }
            Value::time_of_day(micros)?
        }
        oid::TIMETZ => {
            fixed(12)?;
            let (micros, west) = (bytes.get_i64(), bytes.get_i32());
            let is_time = (0..=86_400_000_000).contains(&micros);
            if !is_time || !(-MAX_OFFSET..=MAX_OFFSET).contains(&west) {
                return Err(super::out_of_range("time with time zone"));
            }
            let offset = -west;
            Value::Text(ZonedTime { micros, offset }.to_string())
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            fixed(8)?;
            let since_2000 = finite(bytes.get_i64(), i64::MIN, i64::MAX, "timestamp")?;
            let micros = since_2000
                .checked_add(EPOCH_MICROS)
                .ok_or_else(|| super::out_of_range("timestamp"))?;
            if type_oid == oid::TIMESTAMP {
                Value::Timestamp(micros)
            } else {
                Value::Instant(micros)
            }
        }
        oid::INTERVAL => {
            fixed(16)?;
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            Value::Interval {
                months,
                days,
                micros,
            }
        }
        other if oid_like(other) => {
            fixed(4)?;
            Value::Int(i64::from(bytes.get_u32()))
        }
        other => {
            if let Some(read) = forms::read(other, bytes) {
                return read.map(Value::Text).ok_or_else(wrong);
            }
            match element_oid(other) {
                Some(element) => array(element, bytes, encoding).ok_or_else(wrong)??,
                None => {
                    return Err(Error::not_supported(format!(
                        "binary parameters of {} are not supported: send it as text",
                        type_name(type_oid)
                    )));
                }
            }
        }
    })
}

fn finite<T: PartialEq>(value: T, least: T, most: T, what: &str) -> Result<T> {
    if value == least || value == most {
        return Err(Error::new(
            Code::NumericOutOfRange,
            format!("an infinite {what} is not supported"),
        ));
    }
    Ok(value)
}

/// Reads a numeric; `None` if it is malformed.
fn numeric(mut bytes: &[u8]) -> Option<Result<Numeric>> {
    if bytes.len() < 8 {
        return None;
    }
    let (count, weight, sign, scale) = (
        bytes.get_u16(),
        bytes.get_i16(),
        bytes.get_u16(),
        bytes.get_u16(),
    );
    let count = usize::from(count);
    if bytes.len() != count * 2 {
        return None;
    }
    let negative = match sign {
        0 => false,
        0x4000 => true,
        0xC000 | 0xD000 | 0xF000 => {
            return Some(Err(Error::new(
                Code::NumericOutOfRange,
                "numeric NaN and infinity are not supported",
            )));
        }
        _ => return None,
    };
    // Groups of four digits, starting at 10000^weight; groups before the point that are not sent
    // are zero.
    let weight = i32::from(weight);
    let groups_after_point = count as i32 - 1 - weight;
    if count > MAX_DIGITS / 2 || weight.abs() > MAX_DIGITS as i32 || usize::from(scale) > 16_383 {
        return Some(Err(Error::new(
            Code::NumericOutOfRange,
            format!("a numeric has at most {MAX_DIGITS} digits"),
        )));
    }
    let mut digits = String::with_capacity(count * 4);
    for _ in 0..count {
        let group = bytes.get_u16();
        if group > 9999 {
            return None;
        }
        digits.push_str(&format!("{group:04}"));
    }
    if groups_after_point < 0 {
        digits.push_str(&"0000".repeat(groups_after_point.unsigned_abs() as usize));
    }
    Some(Numeric::new(
        negative,
        &digits,
        groups_after_point.max(0) as usize * 4,
    ))
}

/// Reads an array; `None` if it is malformed.
fn array(
    element: u32,
    mut bytes: &[u8],
    encoding: Option<&'static Encoding>,
) -> Option<Result<Value>> {
    if bytes.len() < 12 {
        return None;
    }
    let (dimensions, _has_null, sent) = (bytes.get_i32(), bytes.get_i32(), bytes.get_u32());
    if sent != element {
        return None;
    }
    if dimensions == 0 {
        return bytes.is_empty().then_some(Ok(Value::Array {
            element,
            values: Vec::new(),
        }));
    }
    let dimensions = usize::try_from(dimensions).ok()?;
    if dimensions > MAX_DIMENSIONS || bytes.len() < dimensions * 8 {
        return None;
    }
    let mut lengths = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        let (length, _lower_bound) = (bytes.get_i32(), bytes.get_i32());
        lengths.push(usize::try_from(length).ok()?);
    }
    // The arrays of the inner dimensions count, too.
    let (mut count, mut items) = (1_usize, 0_usize);
    for length in &lengths {
        count = count.checked_mul(*length)?;
        items = items.saturating_add(count);
    }
    // Each element has at least a four-byte length, so a false count allocates nothing.
    if count > bytes.len() / 4 {
        return None;
    }
    if items > MAX_ELEMENTS {
        return Some(Err(too_many_elements()));
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        if bytes.len() < 4 {
            return None;
        }
        let length = bytes.get_i32();
        if length == -1 {
            values.push(None);
            continue;
        }
        let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        bytes = rest;
        match read(element, value, encoding) {
            Ok(value) => values.push(Some(value)),
            Err(error) => return Some(Err(error)),
        }
    }
    if !bytes.is_empty() {
        return None;
    }
    // The elements of the last dimension come first.
    for length in lengths.into_iter().skip(1).rev() {
        values = rows(element, values, length);
    }
    Some(Ok(Value::Array { element, values }))
}

/// Divides values into arrays of a length. There are none of no length.
fn rows(element: u32, values: Vec<Option<Value>>, length: usize) -> Vec<Option<Value>> {
    let mut values = values.into_iter().peekable();
    let mut rows = Vec::new();
    while length > 0 && values.peek().is_some() {
        rows.push(Some(Value::Array {
            element,
            values: values.by_ref().take(length).collect(),
        }));
    }
    rows
}
