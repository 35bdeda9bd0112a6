//! Values that come with a type, of formats whose files are no text.

use super::{Column, Data, narrow};
use crate::format::text::scalars::Misfit;

/// A value without children.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) enum Typed<'a> {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// Of a decimal, without its point. Its digits were checked against the precision.
    Unscaled(i128),
    /// Since the Unix epoch.
    Days(i32),
    /// Microseconds since the Unix epoch.
    Micros(i64),
    /// Of text or of a binary value.
    Bytes(&'a [u8]),
}

impl Column {
    /// Appends a value. On an error nothing is appended.
    pub(in crate::format) fn append_typed(&mut self, value: Typed<'_>) -> Result<(), Misfit> {
        match (&mut self.data, value) {
            (Data::Boolean(values), Typed::Boolean(value)) => values.append(value),
            (Data::Int8(values), Typed::Integer(value)) => values.push(narrow(value)?),
            (Data::Int16(values), Typed::Integer(value)) => values.push(narrow(value)?),
            (Data::Int32(values), Typed::Integer(value)) => values.push(narrow(value)?),
            (Data::Int64(values), Typed::Integer(value)) => values.push(value),
            (Data::Float32(values), Typed::Float(value)) => values.push(value as f32),
            (Data::Float64(values), Typed::Float(value)) => values.push(value),
            (Data::Decimal(values, ..), Typed::Unscaled(value)) => values.push(value),
            (Data::Date(values), Typed::Days(value)) => values.push(value),
            (Data::Timestamp(values), Typed::Micros(value)) => values.push(value),
            (Data::Text(values) | Data::Binary(values), Typed::Bytes(value)) => {
                values.push(value)?;
            }
            _ => return Err(Misfit::NotA),
        }
        self.nulls.append_non_null();
        Ok(())
    }
}
