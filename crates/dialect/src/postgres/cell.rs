//! One value of a catalog table or function, between Arrow's columns and plain Rust.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, ListArray, NullArray,
    StringBuilder, TimestampMicrosecondBuilder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit,
};
use datafusion::error::{DataFusionError, Result};

/// Field metadata key for the Postgres type of a column whose type Arrow lacks: `oid`, `name`,
/// `char` …
pub const PG_TYPE: &str = "pg.type";

/// Field metadata key for the modifier of a column's type, as in `atttypmod`.
pub(super) const PG_TYPMOD: &str = "pg.typmod";

/// Builds a field that is shown as the Postgres type `pg_type`.
pub fn hinted_field(name: &str, data_type: DataType, pg_type: &str) -> Field {
    marked(Field::new(name, data_type, true), pg_type)
}

/// Returns a field with the mark of a Postgres type as its only metadata.
pub(super) fn marked(field: Field, pg_type: &str) -> Field {
    field.with_metadata([(PG_TYPE.to_owned(), pg_type.to_owned())].into())
}

/// Makes the target of a cast one that has its own metadata only. A target without a name is a
/// plain type, which takes over the operand's. Returns whether that changed it.
pub(super) fn drops_marks(target: &mut FieldRef) -> bool {
    let is_plain = target.name().is_empty();
    if is_plain {
        *target = Arc::new(target.as_ref().clone().with_name("cast"));
    }
    is_plain
}

/// One value.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
    List(Vec<Cell<'a>>),
}

impl<'a> Cell<'a> {
    pub fn text(value: impl Into<Cow<'a, str>>) -> Self {
        Cell::Text(value.into())
    }

    /// Wraps a text; NULL for `None`.
    pub(crate) fn optional_text(value: Option<&'a str>) -> Self {
        value.map_or(Cell::Null, Cell::text)
    }

    /// A list of texts.
    pub fn texts<S: Into<Cow<'a, str>>>(values: impl IntoIterator<Item = S>) -> Self {
        Cell::List(values.into_iter().map(Cell::text).collect())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    /// Returns the text; `None` for a value of another kind.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the integer, also if it is stored as text.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Cell::Int(value) => Some(*value),
            Cell::Text(text) => text.trim().parse().ok(),
            Cell::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
            _ => None,
        }
    }

    /// Returns the boolean, also if it is stored as text.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self {
            Cell::Bool(value) => Some(*value),
            Cell::Text(text) => match text.as_ref() {
                "t" | "true" | "on" | "1" => Some(true),
                "f" | "false" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the value in Postgres' text form, or `None` for NULL.
    pub(crate) fn to_text(&self) -> Option<String> {
        match self {
            Cell::Null => None,
            Cell::Bool(value) => Some(if *value { "t" } else { "f" }.to_owned()),
            Cell::Int(value) => Some(value.to_string()),
            Cell::Timestamp(value) => chrono::DateTime::from_timestamp_micros(*value)
                .map(|time| time.format("%Y-%m-%d %H:%M:%S%.f+00").to_string()),
            Cell::Float(value) => Some(value.to_string()),
            Cell::Text(text) => Some(text.to_string()),
            Cell::List(cells) => {
                let items = cells
                    .iter()
                    .map(|cell| cell.to_text().unwrap_or_else(|| "NULL".to_owned()));
                Some(format!("{{{}}}", items.collect::<Vec<_>>().join(",")))
            }
        }
    }
}

fn mismatch(data_type: &DataType, cell: &Cell<'_>) -> DataFusionError {
    DataFusionError::Internal(format!("catalog value {cell:?} in a column of {data_type}"))
}

macro_rules! build {
    ($builder:expr, $cells:expr, $data_type:expr, $($pattern:pat => $value:expr),+) => {{
        let mut builder = $builder;
        for cell in $cells {
            match cell {
                Cell::Null => builder.append_null(),
                $($pattern => builder.append_value($value),)+
                other => return Err(mismatch($data_type, &other)),
            }
        }
        Arc::new(builder.finish()) as ArrayRef
    }};
}

fn narrow<T: TryFrom<i64>>(value: i64, data_type: &DataType) -> Result<T> {
    T::try_from(value).map_err(|_| {
        DataFusionError::Internal(format!("catalog value {value} in a column of {data_type}"))
    })
}

/// Returns an interval without months and days.
fn of_micros(micros: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano::new(0, 0, micros.saturating_mul(1000))
}

/// Builds a column of `data_type` with these values. An interval is an integer: its microseconds.
///
/// # Errors
///
/// A value is not of the type.
pub fn build_array<'a>(
    data_type: &DataType,
    cells: impl Iterator<Item = Cell<'a>>,
) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Boolean => {
            build!(BooleanBuilder::new(), cells, data_type, Cell::Bool(value) => value)
        }
        DataType::Int16 => {
            build!(Int16Builder::new(), cells, data_type, Cell::Int(value) => narrow(value, data_type)?)
        }
        DataType::Int32 => {
            build!(Int32Builder::new(), cells, data_type, Cell::Int(value) => narrow(value, data_type)?)
        }
        DataType::Int64 => build!(Int64Builder::new(), cells, data_type, Cell::Int(value) => value),
        DataType::Float32 => {
            build!(Float32Builder::new(), cells, data_type, Cell::Float(value) => value as f32, Cell::Int(value) => value as f32)
        }
        DataType::Float64 => {
            build!(Float64Builder::new(), cells, data_type, Cell::Float(value) => value, Cell::Int(value) => value as f64)
        }
        DataType::Decimal128(_, 0) => {
            let builder = Decimal128Builder::new().with_data_type(data_type.clone());
            build!(builder, cells, data_type, Cell::Int(value) => i128::from(value))
        }
        DataType::Utf8 => {
            build!(StringBuilder::new(), cells, data_type, Cell::Text(value) => value.as_ref())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let builder = TimestampMicrosecondBuilder::new().with_timezone_opt(zone.clone());
            build!(builder, cells, data_type, Cell::Timestamp(value) => value)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            build!(IntervalMonthDayNanoBuilder::new(), cells, data_type, Cell::Int(micros) => of_micros(micros))
        }
        DataType::Null => Arc::new(NullArray::new(cells.count())),
        DataType::List(item) => build_list(item, cells)?,
        // The other types are those of columns without values.
        other => {
            let mut rows = 0;
            for cell in cells {
                if !cell.is_null() {
                    return Err(mismatch(other, &cell));
                }
                rows += 1;
            }
            new_null_array(other, rows)
        }
    })
}

fn build_list<'a>(item: &FieldRef, cells: impl Iterator<Item = Cell<'a>>) -> Result<ArrayRef> {
    let mut values = Vec::new();
    let mut lengths = Vec::new();
    let mut valid = Vec::new();
    for cell in cells {
        match cell {
            Cell::Null => {
                lengths.push(0);
                valid.push(false);
            }
            Cell::List(items) => {
                lengths.push(items.len());
                valid.push(true);
                values.extend(items);
            }
            other => return Err(mismatch(&DataType::List(Arc::clone(item)), &other)),
        }
    }
    let values = build_array(item.data_type(), values.into_iter())?;
    let list = ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::from_lengths(lengths),
        values,
        Some(NullBuffer::from(valid)),
    )?;
    Ok(Arc::new(list))
}

/// Returns the values of a column.
///
/// # Errors
///
/// Catalog functions do not accept values of its type.
pub(super) fn cells_of(array: &ArrayRef) -> Result<Vec<Cell<'static>>> {
    let rows = array.len();
    let with_nulls = |value: &dyn Fn(usize) -> Cell<'static>| {
        (0..rows)
            .map(|row| {
                if array.is_null(row) {
                    Cell::Null
                } else {
                    value(row)
                }
            })
            .collect::<Vec<_>>()
    };
    Ok(match array.data_type() {
        DataType::Null => vec![Cell::Null; rows],
        DataType::Boolean => {
            let values = array.as_boolean();
            with_nulls(&|row| Cell::Bool(values.value(row)))
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            with_nulls(&|row| Cell::text(values.value(row).to_owned()))
        }
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            cells_of(&cast(array, &DataType::Utf8)?)?
        }
        data_type if data_type.is_integer() => {
            let values = cast(array, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            with_nulls(&|row| {
                if values.is_null(row) {
                    Cell::Null
                } else {
                    Cell::Int(values.value(row))
                }
            })
        }
        data_type if data_type.is_numeric() => {
            let values = cast(array, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            with_nulls(&|row| Cell::Float(values.value(row)))
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let items = cells_of(lists.values())?;
            let offsets = lists.value_offsets();
            with_nulls(&|row| {
                let range = usize::try_from(offsets[row]).unwrap_or(0)
                    ..usize::try_from(offsets[row + 1]).unwrap_or(0);
                Cell::List(items[range].to_vec())
            })
        }
        DataType::LargeList(item) | DataType::ListView(item) | DataType::FixedSizeList(item, _) => {
            cells_of(&cast(array, &DataType::List(Arc::clone(item)))?)?
        }
        _ => {
            let values = cast(array, &DataType::Utf8)?;
            cells_of(&values)?
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn cells_survive_a_column() {
        let data_type = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        let cells = vec![
            Cell::texts(["a", "b"]),
            Cell::Null,
            Cell::List(vec![]),
            Cell::List(vec![Cell::Null]),
        ];
        let array = build_array(&data_type, cells.clone().into_iter()).unwrap();
        assert_eq!(cells_of(&array).unwrap(), cells);
    }
}
