//! Values of a file in the table's types, where the engine's cast would be wrong or is missing.
//!
//! | file | table | |
//! |---|---|---|
//! | timestamp of a finer unit | timestamp, date | rounded down, before 1970 too |
//! | UUID | string | its text form |
//! | bytes of fixed length | string | the text that they are |
//! | floating point, timestamp, time | string | the text of a cast to VARCHAR |
//! | floating point | floating point | one NaN, which sorts behind all numbers |
//!
//! A conversion that merges values or changes their order is opaque to pruning: a condition on the
//! table's value says nothing about the file's. The engine moves its own casts to the constants.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, ListArray, MapArray, PrimitiveArray,
    StringViewBuilder, StructArray, new_null_array,
};
use arrow::compute::{cast, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use crate::texts::{is_written, texts};
use crate::{STRICT, decimal_scale};

type Result<T> = std::result::Result<T, ArrowError>;

/// The key of a field's metadata that says what its bytes are.
pub(in crate::format) const FORM: &str = "lakegate.form";
/// The value of [`FORM`] for a UUID.
pub(in crate::format) const UUID: &str = "uuid";

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// Whether values of `file` are converted here rather than by the engine's cast.
pub(super) fn is_ours(file: &Field, table: &DataType) -> bool {
    use DataType as T;
    match (file.data_type(), table) {
        (T::Struct(file), T::Struct(table)) => table.iter().any(|to| {
            let from = file.iter().find(|from| from.name() == to.name());
            from.is_some_and(|from| is_ours(from, to.data_type()))
        }),
        (T::List(file) | T::LargeList(file), T::List(table)) => is_ours(file, table.data_type()),
        (T::Map(file, _), T::Map(table, _)) => match (file.data_type(), table.data_type()) {
            (T::Struct(file), T::Struct(table)) => {
                let mut pairs = file.iter().zip(table);
                pairs.any(|(from, to)| is_ours(from, to.data_type()))
            }
            _ => false,
        },
        (T::Dictionary(_, value), table) => {
            is_ours(&file.clone().with_data_type(value.as_ref().clone()), table)
        }
        (_, table) if table.is_floating() => true,
        (file, table) => !is_transparent(file, table),
    }
}

/// Whether different values stay different, and in the same order.
fn is_transparent(file: &DataType, table: &DataType) -> bool {
    use DataType as T;
    let bytes = |t: &T| matches!(t, T::Binary | T::LargeBinary | T::BinaryView);
    match (file, table) {
        (file, table) if file == table => true,
        (file, table) if table.is_string() => file.is_string() || bytes(file),
        (file, table) if bytes(table) => file.is_string() || bytes(file),
        (file, table) if file.is_integer() => table.is_integer() || table.is_decimal(),
        (file, table) if file.is_decimal() => match (decimal_scale(file), decimal_scale(table)) {
            (Some(file), Some(table)) => file <= table,
            _ => false,
        },
        (T::Timestamp(file, _), T::Timestamp(table, _)) => per_second(*file) <= per_second(*table),
        _ => false,
    }
}

/// Whether values keep their order, though several may become one: a column's bounds stay bounds.
pub(in crate::format) fn keeps_order(file: &DataType, table: &DataType) -> bool {
    use DataType as T;
    match (file, table) {
        (T::Dictionary(_, value), table) => keeps_order(value, table),
        // What is known of floating-point columns is not a bound.
        (_, table) if table.is_floating() => false,
        (T::Timestamp(..), T::Timestamp(..) | T::Date32) | (T::Date32, T::Timestamp(..)) => true,
        (file, table) if file.is_decimal() => table.is_decimal(),
        (file, table) => is_transparent(file, table),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The values in the table's type.
///
/// # Errors
/// A value that the type does not hold; types of which none becomes the other.
pub(in crate::format) fn convert(
    array: &ArrayRef,
    file: &Field,
    table: &DataType,
) -> Result<ArrayRef> {
    use DataType as T;
    match (file.data_type(), table) {
        (T::Struct(_), T::Struct(to)) => {
            let array = array.as_struct();
            let columns = to
                .iter()
                .map(|to| match array.fields().find(to.name()) {
                    Some((index, from)) => {
                        let from = marked(from, file, to.name());
                        convert(array.column(index), &from, to.data_type())
                    }
                    None => Ok(new_null_array(to.data_type(), array.len())),
                })
                .collect::<Result<Vec<_>>>()?;
            let nulls = array.nulls().cloned();
            let array = StructArray::try_new_with_length(to.clone(), columns, nulls, array.len())?;
            Ok(Arc::new(array))
        }
        (T::LargeList(item), T::List(_)) => {
            let list = T::List(Arc::clone(item));
            let array = cast_with_options(array, &list, &STRICT)?;
            convert(&array, &file.clone().with_data_type(list), table)
        }
        (T::List(from), T::List(to)) => {
            let array = array.as_list::<i32>();
            let values = convert(array.values(), from, to.data_type())?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            let array = ListArray::try_new(Arc::clone(to), offsets, values, nulls)?;
            Ok(Arc::new(array))
        }
        (T::Map(from, _), T::Map(to, ordered)) => {
            let (T::Struct(from), T::Struct(pair)) = (from.data_type(), to.data_type()) else {
                return Err(unlike(file.data_type(), table));
            };
            let array = array.as_map();
            let entries = array.entries();
            let columns = entries
                .columns()
                .iter()
                .zip(from.iter().zip(pair))
                .map(|(column, (from, to))| convert(column, from, to.data_type()))
                .collect::<Result<Vec<_>>>()?;
            let entries = StructArray::try_new(pair.clone(), columns, entries.nulls().cloned())?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            let array = MapArray::try_new(Arc::clone(to), offsets, entries, nulls, *ordered)?;
            Ok(Arc::new(array))
        }
        (T::Dictionary(_, value), table) => {
            let array = cast_with_options(array, value, &STRICT)?;
            convert(
                &array,
                &file.clone().with_data_type(value.as_ref().clone()),
                table,
            )
        }
        (T::Timestamp(from, _), T::Timestamp(to, zone)) if per_second(*from) > per_second(*to) => {
            let divisor = per_second(*from) / per_second(*to);
            let ticks = cast(array, &T::Int64)?;
            let ticks = ticks.as_primitive::<Int64Type>();
            let rounded: PrimitiveArray<Int64Type> = ticks.unary(|ticks| ticks.div_euclid(divisor));
            cast(&rounded, &T::Timestamp(*to, zone.clone()))
        }
        (T::Timestamp(from, _), T::Date32) => {
            let day = per_second(*from) * 86_400;
            let ticks = cast(array, &T::Int64)?;
            let days: Date32Array = ticks.as_primitive::<Int64Type>().try_unary(|ticks| {
                i32::try_from(ticks.div_euclid(day)).map_err(|_| {
                    ArrowError::CastError(format!("timestamp {ticks} is out of range for a date"))
                })
            })?;
            Ok(Arc::new(days))
        }
        (T::Date32, T::Timestamp(TimeUnit::Microsecond, zone)) => {
            let micros = array
                .as_primitive::<Date32Type>()
                .try_unary::<_, TimestampMicrosecondType, _>(|days| {
                    i64::from(days)
                        .checked_mul(MICROSECONDS_A_DAY)
                        .ok_or_else(|| {
                            ArrowError::CastError(format!(
                                "day {days} is out of range for a timestamp"
                            ))
                        })
                })?;
            Ok(Arc::new(micros.with_timezone_opt(zone.clone())))
        }
        (T::FixedSizeBinary(_), T::Utf8 | T::LargeUtf8 | T::Utf8View) => {
            let text = match file.metadata().get(FORM).map(String::as_str) {
                Some(UUID) => uuids(array)?,
                _ => cast_with_options(&cast(array, &T::Binary)?, &T::Utf8View, &STRICT)?,
            };
            cast(&text, table)
        }
        (file, table) if table.is_string() && is_written(file) => cast(&texts(array)?, table),
        (_, T::Float32 | T::Float64) => {
            let array = cast_with_options(array, table, &STRICT)?;
            Ok(match table {
                T::Float32 => one_nan::<Float32Type>(array, |v| v.is_nan(), f32::NAN),
                _ => one_nan::<Float64Type>(array, |v| v.is_nan(), f64::NAN),
            })
        }
        (from, to) if from == to => Ok(Arc::clone(array)),
        _ => cast_with_options(array, table, &STRICT),
    }
}

/// A field of a struct's array, with what the file's schema says of it.
fn marked(from: &Field, parent: &Field, name: &str) -> Field {
    match parent.data_type() {
        DataType::Struct(fields) => fields
            .find(name)
            .map_or_else(|| from.clone(), |(_, field)| field.as_ref().clone()),
        _ => from.clone(),
    }
}

fn unlike(from: &DataType, to: &DataType) -> ArrowError {
    ArrowError::CastError(format!("{from} cannot be read as {to}"))
}

/// UUIDs as text, in lower case: `f81d4fae-7dec-11d0-a765-00a0c91e6bf6`.
fn uuids(array: &ArrayRef) -> Result<ArrayRef> {
    let array = array.as_fixed_size_binary();
    let mut texts = StringViewBuilder::with_capacity(array.len());
    for bytes in array {
        let text = bytes
            .map(|bytes| {
                let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| {
                    ArrowError::CastError(format!("a UUID has {} bytes", bytes.len()))
                })?;
                let digits = format!("{:032x}", u128::from_be_bytes(bytes));
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
                Ok::<_, ArrowError>(
                    parts
                        .map(|part| digits.get(part).unwrap_or_default())
                        .join("-"),
                )
            })
            .transpose()?;
        texts.append_option(text);
    }
    Ok(Arc::new(texts.finish()))
}

/// The same numbers with one NaN for all of them: the engine distinguishes them by their bits, and
/// sorts those with a sign before all numbers.
fn one_nan<T>(array: ArrayRef, is_nan: impl Fn(T::Native) -> bool, nan: T::Native) -> ArrayRef
where
    T: ArrowPrimitiveType,
{
    let values = array.as_primitive::<T>();
    if !values.values().iter().any(|value| is_nan(*value)) {
        return array;
    }
    let one: PrimitiveArray<T> = values.unary(|value| if is_nan(value) { nan } else { value });
    Arc::new(one)
}
