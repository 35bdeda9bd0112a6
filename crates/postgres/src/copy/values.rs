//! The values of a column of COPY FROM, read as those of parameters and collected as an array.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use lakegate_error::{Error, Result, field_overflow};
use lakegate_gateway::values::type_name;

use crate::client_text::{self, not_text};
use crate::params::value::Value;
use crate::params::{Input, binary, out_of_range, text};
use crate::types::{self, input_name};

/// The values of a column so far.
#[derive(Debug)]
pub(super) struct Values {
    data_type: DataType,
    /// The type that values are read as.
    oid: u32,
    builder: Builder,
}

#[derive(Debug)]
enum Builder {
    Bool(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    /// Arrays.
    Other(Vec<ScalarValue>),
}

impl Builder {
    fn of(data_type: &DataType) -> Result<Option<Self>> {
        Ok(Some(match data_type {
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Int8 => Builder::Int8(Int8Builder::new()),
            DataType::Int16 => Builder::Int16(Int16Builder::new()),
            DataType::Int32 => Builder::Int32(Int32Builder::new()),
            DataType::Int64 => Builder::Int64(Int64Builder::new()),
            DataType::Float32 => Builder::Float32(Float32Builder::new()),
            DataType::Float64 => Builder::Float64(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => {
                let builder = Decimal128Builder::new()
                    .with_precision_and_scale(*precision, *scale)
                    .map_err(|error| Error::internal(format!("no column of decimals: {error}")))?;
                Builder::Decimal(builder, *precision, *scale)
            }
            DataType::Utf8 => Builder::Text(StringBuilder::new()),
            DataType::Binary => Builder::Bytes(BinaryBuilder::new()),
            DataType::Date32 => Builder::Date(Date32Builder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                Builder::Timestamp(TimestampMicrosecondBuilder::new())
            }
            DataType::List(item) if Self::of(item.data_type())?.is_some_and(|of| of.is_plain()) => {
                Builder::Other(Vec::new())
            }
            _ => return Ok(None),
        }))
    }

    fn is_plain(&self) -> bool {
        !matches!(self, Builder::Other(_))
    }
}

impl Values {
    /// # Errors
    ///
    /// Values of the column's type cannot be read.
    pub(super) fn new(field: &Field) -> Result<Self> {
        let data_type = field.data_type();
        let builder = Builder::of(data_type)?.ok_or_else(|| {
            Error::not_supported(format!(
                "column \"{}\" is of type {}, which COPY FROM does not read",
                field.name(),
                type_name(data_type)
            ))
            .with_hint("name the other columns in COPY, or use INSERT")
        })?;
        Ok(Self {
            oid: types::of_data_type(data_type).oid,
            data_type: data_type.clone(),
            builder,
        })
    }

    /// Appends a value in text format.
    ///
    /// # Errors
    ///
    /// The value is not of the column's type.
    pub(super) fn push_text(&mut self, bytes: &[u8], input: Input) -> Result<()> {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .ok_or_else(|| not_text(bytes))?;
        if let Builder::Text(builder) = &mut self.builder {
            builder.append_value(text);
            return Ok(());
        }
        self.push(text::read(self.oid, text, input)?, input)
    }

    /// Appends a value in binary format.
    ///
    /// # Errors
    ///
    /// The value is not of the column's type.
    pub(super) fn push_binary(&mut self, bytes: &[u8], input: Input) -> Result<()> {
        if let Builder::Text(builder) = &mut self.builder {
            builder.append_value(client_text::text(bytes, input.encoding)?);
            return Ok(());
        }
        self.push(binary::read(self.oid, bytes, input.encoding)?, input)
    }

    pub(super) fn push_null(&mut self) -> Result<()> {
        match &mut self.builder {
            Builder::Bool(builder) => builder.append_null(),
            Builder::Int8(builder) => builder.append_null(),
            Builder::Int16(builder) => builder.append_null(),
            Builder::Int32(builder) => builder.append_null(),
            Builder::Int64(builder) => builder.append_null(),
            Builder::Float32(builder) => builder.append_null(),
            Builder::Float64(builder) => builder.append_null(),
            Builder::Decimal(builder, ..) => builder.append_null(),
            Builder::Text(builder) => builder.append_null(),
            Builder::Bytes(builder) => builder.append_null(),
            Builder::Date(builder) => builder.append_null(),
            Builder::Timestamp(builder) => builder.append_null(),
            Builder::Other(values) => {
                let null = ScalarValue::try_new_null(&self.data_type);
                values.push(null.map_err(|error| Error::internal(error.to_string()))?);
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value, input: Input) -> Result<()> {
        let oid = self.oid;
        match (&mut self.builder, value) {
            (Builder::Bool(builder), Value::Bool(value)) => builder.append_value(value),
            (Builder::Int8(builder), Value::Int(value)) => {
                builder.append_value(fitting(value, oid)?);
            }
            (Builder::Int16(builder), Value::Int(value)) => {
                builder.append_value(fitting(value, oid)?);
            }
            (Builder::Int32(builder), Value::Int(value)) => {
                builder.append_value(fitting(value, oid)?);
            }
            (Builder::Int64(builder), Value::Int(value)) => builder.append_value(value),
            (Builder::Float32(builder), Value::Float32(value)) => builder.append_value(value),
            (Builder::Float64(builder), Value::Float64(value)) => builder.append_value(value),
            (Builder::Decimal(builder, precision, scale), Value::Numeric(value)) => {
                let (precision, scale) = (*precision, *scale);
                let rounded = value.rounded(precision, scale);
                builder.append_value(
                    rounded.ok_or_else(|| field_overflow(precision.into(), scale.into()))?,
                );
            }
            (Builder::Bytes(builder), Value::Bytes(value)) => builder.append_value(value),
            (Builder::Date(builder), Value::Date(value)) => builder.append_value(value),
            (Builder::Timestamp(builder), Value::Timestamp(value)) => builder.append_value(value),
            (Builder::Other(values), value) => {
                let scalar = value.fit(&self.data_type, input)?;
                if scalar.data_type() != self.data_type {
                    return Err(out_of_range(input_name(oid)));
                }
                values.push(scalar);
            }
            (_, other) => {
                return Err(Error::internal(format!(
                    "a value {other:?} is not of type {}",
                    self.data_type
                )));
            }
        }
        Ok(())
    }

    /// Takes the values so far.
    ///
    /// # Errors
    ///
    /// There are none, or they do not form an array.
    pub(super) fn take(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.builder {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int8(builder) => Arc::new(builder.finish()),
            Builder::Int16(builder) => Arc::new(builder.finish()),
            Builder::Int32(builder) => Arc::new(builder.finish()),
            Builder::Int64(builder) => Arc::new(builder.finish()),
            Builder::Float32(builder) => Arc::new(builder.finish()),
            Builder::Float64(builder) => Arc::new(builder.finish()),
            Builder::Decimal(builder, ..) => Arc::new(builder.finish()),
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Bytes(builder) => Arc::new(builder.finish()),
            Builder::Date(builder) => Arc::new(builder.finish()),
            Builder::Timestamp(builder) => Arc::new(builder.finish()),
            Builder::Other(values) => ScalarValue::iter_to_array(std::mem::take(values))
                .map_err(|error| Error::internal(format!("values form no array: {error}")))?,
        })
    }
}

fn fitting<T: TryFrom<i64>>(value: i64, type_oid: u32) -> Result<T> {
    T::try_from(value).map_err(|_| text::too_large(&value.to_string(), type_oid))
}
