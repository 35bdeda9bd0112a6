//! Types of arrays, maps and their items, and casts to the type that several arguments have in
//! common.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::util::display::FormatOptions;
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

/// The most digits of a decimal.
const MAX_DIGITS: u8 = 38;

/// Returns the type of an array's items; `Null` for an untyped NULL.
///
/// # Errors
///
/// The type is not one of arrays.
pub(crate) fn item_type(name: &str, data_type: &DataType) -> Result<DataType> {
    match items(data_type) {
        Some(item) => Ok(item.clone()),
        None if data_type.is_null() => Ok(DataType::Null),
        None => Err(mismatch(name, "an array", data_type)),
    }
}

/// The type of an array's items; `None` if the type is not one of arrays.
pub(crate) fn items(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item.data_type()),
        _ => None,
    }
}

/// Returns the types of a map's keys and values; `Null` for an untyped NULL.
///
/// # Errors
///
/// The type is not one of maps.
pub(crate) fn map_types(name: &str, data_type: &DataType) -> Result<(DataType, DataType)> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match fields.as_ref() {
                [key, value] => Ok((key.data_type().clone(), value.data_type().clone())),
                _ => Err(mismatch(name, "a map", data_type)),
            },
            _ => Err(mismatch(name, "a map", data_type)),
        },
        DataType::Null => Ok((DataType::Null, DataType::Null)),
        _ => Err(mismatch(name, "a map", data_type)),
    }
}

/// The type of arrays of these items.
pub(crate) fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The type of maps of these keys and values.
pub(crate) fn map_type(key: DataType, value: DataType) -> DataType {
    let fields = Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(fields), false);
    DataType::Map(Arc::new(entries), false)
}

/// The type of rows without names, whose fields are shown as `field0`, `field1` and so on.
pub(crate) fn row_type(types: impl IntoIterator<Item = DataType>) -> DataType {
    let fields = types
        .into_iter()
        .enumerate()
        .map(|(index, data_type)| Field::new(format!("field{index}"), data_type, true));
    DataType::Struct(fields.collect())
}

/// An error of planning: an argument has the wrong type.
pub(crate) fn mismatch(name: &str, expected: &str, found: &DataType) -> DataFusionError {
    Error::new(
        Code::TypeMismatch,
        format!("{name} takes {expected}, not {found}"),
    )
    .into()
}

/// Checks that an argument is an integer.
///
/// # Errors
///
/// It has another type.
pub(crate) fn integer(name: &str, data_type: Option<&DataType>) -> Result<()> {
    match data_type {
        Some(data_type) if !data_type.is_integer() && !data_type.is_null() => {
            Err(mismatch(name, "an integer", data_type))
        }
        _ => Ok(()),
    }
}

/// Returns the type that values of both types can be cast to without loss.
///
/// # Errors
///
/// There is none.
pub(crate) fn common(name: &str, left: &DataType, right: &DataType) -> Result<DataType> {
    common_of(left, right).ok_or_else(|| {
        Error::new(
            Code::TypeMismatch,
            format!("{name} cannot be applied to values of the types {left} and {right}"),
        )
        .with_hint("cast one of them")
        .into()
    })
}

fn common_of(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    if left == right {
        return Some(left.clone());
    }
    if let (Some(left), Some(right)) = (items(left), items(right)) {
        return Some(list_type(common_of(left, right)?));
    }
    let is_text = |of: &DataType| matches!(of, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let is_bytes = |of: &DataType| matches!(of, T::Binary | T::LargeBinary | T::BinaryView);
    match (left, right) {
        (T::Null, other) | (other, T::Null) => Some(other.clone()),
        (T::Map(..), T::Map(..)) => {
            let (left, right) = (map_types("", left).ok()?, map_types("", right).ok()?);
            let key = common_of(&left.0, &right.0)?;
            Some(map_type(key, common_of(&left.1, &right.1)?))
        }
        (T::Struct(left), T::Struct(right)) if left.len() == right.len() => {
            let fields = left.iter().zip(right.iter()).map(|(left, right)| {
                let data_type = common_of(left.data_type(), right.data_type())?;
                Some(Field::new(left.name(), data_type, true))
            });
            Some(T::Struct(fields.collect::<Option<Fields>>()?))
        }
        (left, right) if is_text(left) && is_text(right) => {
            Some(match [left, right].contains(&&T::LargeUtf8) {
                true => T::LargeUtf8,
                false => T::Utf8View,
            })
        }
        (left, right) if is_bytes(left) && is_bytes(right) => {
            Some(match [left, right].contains(&&T::LargeBinary) {
                true => T::LargeBinary,
                false => T::BinaryView,
            })
        }
        (T::Date32, time @ T::Timestamp(..)) | (time @ T::Timestamp(..), T::Date32) => {
            Some(time.clone())
        }
        (T::Timestamp(first, zone), T::Timestamp(second, other)) => {
            let zone = match (zone, other) {
                (Some(zone), Some(_)) => Some(Arc::clone(zone)),
                (None, None) => None,
                _ => return None,
            };
            Some(T::Timestamp(*first.max(second), zone))
        }
        _ => common_number(left, right),
    }
}

fn common_number(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    if !left.is_numeric() || !right.is_numeric() {
        return None;
    }
    if [left, right].contains(&&T::Float64) {
        return Some(T::Float64);
    }
    if left.is_floating() || right.is_floating() {
        return Some(T::Float32);
    }
    if let (Some(left), Some(right)) = (bytes_of(left), bytes_of(right)) {
        return Some(match left.max(right) {
            1 => T::Int8,
            2 => T::Int16,
            4 => T::Int32,
            _ => T::Int64,
        });
    }
    let (left, right) = (decimal_of(left)?, decimal_of(right)?);
    let scale = left.1.max(right.1);
    let whole = |(digits, scale): (u8, i8)| i16::from(digits) - i16::from(scale);
    let digits = whole(left).max(whole(right)) + i16::from(scale);
    let digits = u8::try_from(digits)
        .unwrap_or(MAX_DIGITS)
        .clamp(1, MAX_DIGITS);
    Some(T::Decimal128(digits, scale))
}

/// The bytes of the signed type that holds an integer type; `None` if there is none.
fn bytes_of(integer: &DataType) -> Option<u8> {
    Some(match integer {
        DataType::Int8 => 1,
        DataType::Int16 | DataType::UInt8 => 2,
        DataType::Int32 | DataType::UInt16 => 4,
        DataType::Int64 | DataType::UInt32 => 8,
        _ => return None,
    })
}

/// The digits and the scale of the decimals that hold a type.
fn decimal_of(number: &DataType) -> Option<(u8, i8)> {
    Some(match number {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale) => (*digits, *scale),
        _ => return None,
    })
}

/// Casts an array to a type of the same shape: fields of rows are taken by position.
///
/// # Errors
///
/// A value does not fit.
pub(crate) fn conformed(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    if from.is_null() {
        return Ok(new_null_array(to, array.len()));
    }
    if let Some(made) = of_parts(array, to, conformed)? {
        return Ok(made);
    }
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    Ok(cast_with_options(array, to, &options)?)
}

/// Makes lists, maps and rows of a type of parts that `part` makes: fields of rows are taken by
/// position. Returns `None` if the type is another one, or of another shape than the array.
///
/// # Errors
///
/// Returns the error of `part`, or an error if the parts are not those of the type.
pub(crate) fn of_parts(
    array: &ArrayRef,
    to: &DataType,
    part: impl Fn(&ArrayRef, &DataType) -> Result<ArrayRef>,
) -> Result<Option<ArrayRef>> {
    let made: ArrayRef = match (array.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            let items = part(lists.values(), item.data_type())?;
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            let lists = ListArray::try_new(Arc::clone(item), offsets, items, nulls)?;
            Arc::new(lists)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let maps = array.as_map();
            let own: ArrayRef = Arc::new(maps.entries().clone());
            let made = part(&own, entries.data_type())?;
            let Some(rows) = made.as_struct_opt() else {
                return Err(mismatch("a cast", "a map", to));
            };
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            let (entries, rows) = (Arc::clone(entries), rows.clone());
            Arc::new(MapArray::try_new(entries, offsets, rows, nulls, *sorted)?)
        }
        (DataType::Struct(own), DataType::Struct(fields)) if own.len() == fields.len() => {
            let rows = array.as_struct();
            let columns = rows
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| part(column, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            let (fields, nulls) = (fields.clone(), rows.nulls().cloned());
            let rows = StructArray::try_new_with_length(fields, columns, nulls, rows.len())?;
            Arc::new(rows)
        }
        _ => return Ok(None),
    };
    Ok(Some(made))
}
