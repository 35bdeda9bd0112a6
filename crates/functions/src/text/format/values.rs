//! The values that `format` writes, read by row.

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array};
use arrow::array::{Float64Array, Int64Array, Time64MicrosecondArray, TimestampMicrosecondArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use datafusion::error::Result;

use super::super::arguments::{Texts, as_type, invalid};
use crate::columns::Column;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Real(f32),
    Decimal(i128, i8),
    Text(&'a str),
    Date(NaiveDate),
    Time(NaiveTime),
    Timestamp(NaiveDateTime),
    /// With the name of its zone.
    Zoned(DateTime<Tz>, &'a str),
}

/// A column of values.
#[derive(Debug)]
pub(super) struct Source {
    array: Values,
    constant: bool,
}

#[derive(Debug)]
enum Values {
    Nulls,
    Booleans(BooleanArray),
    Integers(Int64Array),
    Doubles(Float64Array),
    Reals(Float32Array),
    Decimals(Decimal128Array, i8),
    Texts(Texts),
    Dates(Date32Array),
    Times(Time64MicrosecondArray),
    Timestamps(TimestampMicrosecondArray),
    Zoned(TimestampMicrosecondArray, Tz, String),
}

/// Whether `format` writes values of a type.
pub(super) fn is_written(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Null
            | DataType::Boolean
            | DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Date32
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(..)
    ) || data_type.is_integer()
}

impl Source {
    /// # Errors
    ///
    /// The column has a type whose values are not written.
    pub(super) fn of(column: &Column) -> Result<Self> {
        let array = &column.array;
        let cast = |data_type: DataType| as_type(array, &data_type);
        let values = match array.data_type() {
            DataType::Null => Values::Nulls,
            DataType::Boolean => Values::Booleans(array.as_boolean().clone()),
            DataType::Float64 => Values::Doubles(array.as_primitive::<Float64Type>().clone()),
            DataType::Float16 | DataType::Float32 => {
                let reals = cast(DataType::Float32)?;
                Values::Reals(reals.as_primitive::<Float32Type>().clone())
            }
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                let decimals = cast(DataType::Decimal128(*precision, *scale))?;
                let decimals = decimals.as_primitive::<Decimal128Type>().clone();
                Values::Decimals(decimals, *scale)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Values::Texts(Texts::from(column)?)
            }
            DataType::Date32 => Values::Dates(array.as_primitive::<Date32Type>().clone()),
            DataType::Time32(_) | DataType::Time64(_) => {
                let times = cast(DataType::Time64(TimeUnit::Microsecond))?;
                Values::Times(times.as_primitive::<Time64MicrosecondType>().clone())
            }
            DataType::Timestamp(_, zone) => {
                let moments = cast(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
                let moments = moments.as_primitive::<TimestampMicrosecondType>().clone();
                match zone {
                    None => Values::Timestamps(moments),
                    Some(name) => Values::Zoned(moments, name.parse()?, name.to_string()),
                }
            }
            data_type if data_type.is_integer() => {
                let integers = cast(DataType::Int64)?;
                Values::Integers(integers.as_primitive::<Int64Type>().clone())
            }
            other => return Err(not_written(other)),
        };
        Ok(Self {
            array: values,
            constant: column.constant,
        })
    }

    /// The value of a row.
    ///
    /// # Errors
    ///
    /// A time is out of range.
    pub(super) fn get(&self, row: usize) -> Result<Value<'_>> {
        let index = if self.constant { 0 } else { row };
        Ok(match &self.array {
            Values::Nulls => Value::Null,
            Values::Texts(texts) => texts.get(row).map_or(Value::Null, Value::Text),
            Values::Booleans(array) if array.is_valid(index) => Value::Boolean(array.value(index)),
            Values::Integers(array) if array.is_valid(index) => Value::Integer(array.value(index)),
            Values::Doubles(array) if array.is_valid(index) => Value::Double(array.value(index)),
            Values::Reals(array) if array.is_valid(index) => Value::Real(array.value(index)),
            Values::Decimals(array, scale) if array.is_valid(index) => {
                Value::Decimal(array.value(index), *scale)
            }
            Values::Dates(array) if array.is_valid(index) => {
                Value::Date(in_range(array.value_as_date(index))?)
            }
            Values::Times(array) if array.is_valid(index) => {
                Value::Time(in_range(array.value_as_time(index))?)
            }
            Values::Timestamps(array) if array.is_valid(index) => {
                Value::Timestamp(in_range(moment(array.value(index)))?)
            }
            Values::Zoned(array, zone, name) if array.is_valid(index) => {
                let moment = in_range(moment(array.value(index)))?;
                Value::Zoned(moment.and_utc().with_timezone(zone), name)
            }
            _ => Value::Null,
        })
    }
}

fn moment(microseconds: i64) -> Option<NaiveDateTime> {
    NaiveDateTime::default().checked_add_signed(TimeDelta::microseconds(microseconds))
}

fn in_range<T>(time: Option<T>) -> Result<T> {
    time.ok_or_else(|| invalid("format cannot write a time so far away"))
}

/// The error of a type whose values are not written.
pub(super) fn not_written(data_type: &DataType) -> datafusion::error::DataFusionError {
    invalid(format!(
        "format does not write values of type {data_type}; CAST them to varchar"
    ))
}
