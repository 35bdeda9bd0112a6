//! `json_array_length`, `json_array_get` and `json_array_contains`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringBuilder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;

use super::canonical::{Members, Writer};
use super::scan::{Scalar, Scan, Scanner, or_null};
use super::{extract, scalar_text, sized, strings};
use crate::kernel::Call;

/// Evaluates a function of arrays: `of` has the scanner at the start of a row's array. The result
/// is NULL for what is not an array.
fn of_arrays<T>(
    call: &Call<'_>,
    row: usize,
    of: impl FnOnce(&mut Scanner<'_>) -> Scan<Option<T>>,
) -> Result<Option<T>> {
    let Some(text) = call.columns[0].texts().get(row) else {
        return Ok(None);
    };
    let mut scanner = Scanner::new(text);
    scanner.space();
    match scanner.peek() {
        Some(b'[') => or_null(of(&mut scanner)),
        _ => Ok(None),
    }
}

pub(super) fn array_length(call: &Call<'_>) -> Result<ArrayRef> {
    let lengths = (0..call.rows).map(|row| {
        call.work.builds(8)?;
        of_arrays(call, row, |scanner| sized(scanner, &call.work).map(Some))
    });
    Ok(Arc::new(lengths.collect::<Result<Int64Array>>()?))
}

pub(super) fn array_get(call: &Call<'_>) -> Result<ArrayRef> {
    let indexes = call.columns[1].primitives::<Int64Type>();
    let mut writer = Writer::default();
    let mut element = String::new();
    let mut elements = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(0)?;
        let Some(index) = indexes.get(row) else {
            elements.append_null();
            continue;
        };
        element.clear();
        let found = of_arrays(call, row, |scanner| {
            let index = match usize::try_from(index) {
                Ok(index) => Some(index),
                Err(_) => {
                    let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                    let length = extract::count(&mut scanner.clone(), &call.work)?;
                    length.and_then(|length| length.checked_sub(from_end))
                }
            };
            if !extract::element(scanner, index, &call.work)? {
                return Ok(None);
            }
            let from = scanner.at;
            if matches!(scanner.peek(), Some(b'{' | b'[')) {
                writer.write(scanner, Members::AsWritten, &mut element, &call.work)?;
            } else {
                let mut decoded = String::new();
                let Some(text) = scalar_text(&mut scanner.clone(), &mut decoded)? else {
                    return Ok(None);
                };
                element.push_str(text);
                scanner.scalar()?;
            }
            call.work.builds(scanner.at - from)?;
            Ok(Some(()))
        })?;
        elements.append_option(found.map(|()| &element));
    }
    Ok(Arc::new(elements.finish()))
}

/// A value to look for in arrays.
#[derive(Debug, Clone, Copy)]
enum Sought<'a> {
    Boolean(bool),
    Whole(i64),
    Double(f64),
    Text(&'a str),
}

impl Sought<'_> {
    /// Whether an element is this value. A number with a fraction or an exponent is a double, and
    /// others are not.
    fn is(self, element: Scalar<'_>) -> bool {
        match (self, element) {
            (Self::Boolean(value), Scalar::Boolean(element)) => value == element,
            (Self::Whole(value), Scalar::Number(number)) if number.whole => {
                number.text.parse() == Ok(value)
            }
            (Self::Double(value), Scalar::Number(number)) if !number.whole => {
                value.is_finite() && number.text.parse() == Ok(value)
            }
            (Self::Text(value), Scalar::String(raw)) => strings::equals(raw, value),
            _ => false,
        }
    }
}

pub(super) fn array_contains(call: &Call<'_>) -> Result<ArrayRef> {
    let value = &call.columns[1];
    let found = (0..call.rows).map(|row| -> Result<Option<bool>> {
        call.work.builds(1)?;
        if value.is_null(row) {
            return Ok(None);
        }
        let index = value.at(row);
        let sought = match value.array.data_type() {
            DataType::Boolean => Sought::Boolean(value.array.as_boolean().value(index)),
            DataType::Int64 => Sought::Whole(value.array.as_primitive::<Int64Type>().value(index)),
            DataType::Float64 => {
                Sought::Double(value.array.as_primitive::<Float64Type>().value(index))
            }
            _ => Sought::Text(value.array.as_string::<i32>().value(index)),
        };
        of_arrays(call, row, |scanner| {
            let mut more = scanner.enter(b']');
            while more {
                call.work.step()?;
                match scanner.peek() {
                    Some(b'{' | b'[') => scanner.skip(&call.work)?,
                    _ if sought.is(scanner.scalar()?) => return Ok(Some(true)),
                    _ => (),
                }
                more = scanner.next(b']')?;
            }
            Ok(Some(false))
        })
    });
    Ok(Arc::new(found.collect::<Result<BooleanArray>>()?))
}
