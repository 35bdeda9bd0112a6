//! A column of a batch, downcast once: what the row writers match on, instead of asking every cell for its type.

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes as arrow;
use datafusion::arrow::datatypes::{
    ArrowNativeType, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Field, Float16Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalUnit, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use super::super::types::{self, PgType, oid};
use super::time::Interval;
use crate::error::{Error, Result};

/// How deep types may nest: far more than a catalog's type text may say, far less than the stack holds.
const MAX_DEPTH: usize = 64;

/// One column, ready to be written row by row.
pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    pub data: Data<'a>,
}

pub(super) enum Data<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int(Ints<'a>, IntWidth),
    Float32(&'a [f32]),
    Float16(&'a Float16Array),
    Float64(&'a [f64]),
    Decimal(Decimals<'a>, i8),
    Text(Strings<'a>),
    Bytes(Binaries<'a>),
    Date(Ints<'a>, DateUnit),
    Time(Ints<'a>, TimeUnit),
    Timestamp(&'a [i64], TimeUnit, Zoned),
    Interval(Intervals<'a>),
    Dictionary(Ints<'a>, Box<Column<'a>>),
    Runs(Runs<'a>, Box<Column<'a>>),
    List(List<'a>),
    Struct(Vec<(&'a str, Column<'a>)>),
    Map {
        entries: &'a MapArray,
        keys: Box<Column<'a>>,
        values: Box<Column<'a>>,
    },
    Union {
        union: &'a UnionArray,
        children: Vec<(i8, Column<'a>)>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DateUnit {
    Days,
    Milliseconds,
}

/// Whether a timestamp is a moment, shown in the session's zone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Zoned(pub bool);

/// The bytes of an integer in binary format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IntWidth {
    Two,
    Four,
    Eight,
    /// An object id: four bytes, unsigned.
    Oid,
    /// A `numeric` without fraction.
    Numeric,
}

#[derive(Clone, Copy)]
pub(super) enum Ints<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

impl Ints<'_> {
    /// The value; one above `i64::MAX`, which only `U64` holds, wraps: see [`Ints::get_unsigned`].
    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Ints::I8(v) => i64::from(v[row]),
            Ints::I16(v) => i64::from(v[row]),
            Ints::I32(v) => i64::from(v[row]),
            Ints::I64(v) => v[row],
            Ints::U8(v) => i64::from(v[row]),
            Ints::U16(v) => i64::from(v[row]),
            Ints::U32(v) => i64::from(v[row]),
            Ints::U64(v) => v[row] as i64,
        }
    }

    pub fn get_unsigned(&self, row: usize) -> Option<u64> {
        match self {
            Ints::U64(v) => Some(v[row]),
            _ => None,
        }
    }
}

pub(super) enum Decimals<'a> {
    D32(&'a [i32]),
    D64(&'a [i64]),
    D128(&'a [i128]),
    D256(&'a [i256]),
}

pub(super) enum Strings<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl Strings<'_> {
    #[inline]
    pub fn get(&self, row: usize) -> &str {
        match self {
            Strings::Utf8(a) => a.value(row),
            Strings::Large(a) => a.value(row),
            Strings::View(a) => a.value(row),
        }
    }
}

pub(super) enum Binaries<'a> {
    Binary(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    View(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl Binaries<'_> {
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        match self {
            Binaries::Binary(a) => a.value(row),
            Binaries::Large(a) => a.value(row),
            Binaries::View(a) => a.value(row),
            Binaries::Fixed(a) => a.value(row),
        }
    }
}

pub(super) enum Intervals<'a> {
    YearMonth(&'a IntervalYearMonthArray),
    DayTime(&'a IntervalDayTimeArray),
    MonthDayNano(&'a IntervalMonthDayNanoArray),
    Duration(&'a [i64], TimeUnit),
}

impl Intervals<'_> {
    pub fn get(&self, row: usize) -> Result<Interval> {
        Ok(match self {
            Intervals::YearMonth(a) => Interval {
                months: a.value(row),
                days: 0,
                micros: 0,
            },
            Intervals::DayTime(a) => {
                let value = a.value(row);
                Interval {
                    months: 0,
                    days: value.days,
                    micros: i64::from(value.milliseconds) * 1000,
                }
            }
            Intervals::MonthDayNano(a) => {
                let value = a.value(row);
                Interval {
                    months: value.months,
                    days: value.days,
                    micros: value.nanoseconds / 1000,
                }
            }
            Intervals::Duration(values, TimeUnit::Nanosecond) => Interval {
                months: 0,
                days: 0,
                micros: values[row] / 1000,
            },
            Intervals::Duration(values, unit) => Interval {
                months: 0,
                days: 0,
                micros: super::time::micros(values[row], *unit, "interval")?,
            },
        })
    }
}

pub(super) enum Runs<'a> {
    R16(&'a RunArray<Int16Type>),
    R32(&'a RunArray<Int32Type>),
    R64(&'a RunArray<Int64Type>),
}

impl Runs<'_> {
    pub fn physical(&self, row: usize) -> usize {
        match self {
            Runs::R16(a) => a.get_physical_index(row),
            Runs::R32(a) => a.get_physical_index(row),
            Runs::R64(a) => a.get_physical_index(row),
        }
    }
}

/// A list of any offset width: the rows' ranges within `values`.
pub(super) struct List<'a> {
    ranges: Ranges<'a>,
    pub values: Box<Column<'a>>,
    /// OID of the elements' type; 0 where the column is shown as JSON.
    pub element: u32,
    /// `int2vector` and `oidvector`: counted from 0, and spelled `1 2 3`.
    pub vector: bool,
}

enum Ranges<'a> {
    Offsets32(&'a [i32]),
    Offsets64(&'a [i64]),
    Fixed(usize),
    Views32(&'a [i32], &'a [i32]),
    Views64(&'a [i64], &'a [i64]),
}

impl List<'_> {
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        match &self.ranges {
            Ranges::Offsets32(o) => o[row].as_usize()..o[row + 1].as_usize(),
            Ranges::Offsets64(o) => o[row].as_usize()..o[row + 1].as_usize(),
            Ranges::Fixed(size) => row * size..(row + 1) * size,
            Ranges::Views32(o, s) => o[row].as_usize()..o[row].as_usize() + s[row].as_usize(),
            Ranges::Views64(o, s) => o[row].as_usize()..o[row].as_usize() + s[row].as_usize(),
        }
    }
}

impl<'a> Column<'a> {
    /// Downcasts `array`, shown as `pg`; nested children are shown as their own types.
    pub fn new(array: &'a dyn Array, pg: PgType) -> Result<Self> {
        Self::build(array, pg, 0)
    }

    fn child(array: &'a dyn Array, field: Option<&Field>, depth: usize) -> Result<Self> {
        let pg = field.map_or_else(|| types::of_data_type(array.data_type()), types::of_field);
        Self::build(array, pg, depth + 1)
    }

    fn build(array: &'a dyn Array, pg: PgType, depth: usize) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(Error::not_supported(format!(
                "a column's type nests deeper than {MAX_DEPTH} levels"
            )));
        }
        let data = match array.data_type() {
            DataType::Null => Data::Null,
            DataType::Boolean => Data::Bool(array.as_boolean()),
            DataType::Float16 => Data::Float16(array.as_primitive::<Float16Type>()),
            DataType::Float32 => Data::Float32(array.as_primitive::<arrow::Float32Type>().values()),
            DataType::Float64 => Data::Float64(array.as_primitive::<arrow::Float64Type>().values()),
            DataType::Decimal32(_, s) => Data::Decimal(
                Decimals::D32(array.as_primitive::<Decimal32Type>().values()),
                *s,
            ),
            DataType::Decimal64(_, s) => Data::Decimal(
                Decimals::D64(array.as_primitive::<Decimal64Type>().values()),
                *s,
            ),
            DataType::Decimal128(_, s) => Data::Decimal(
                Decimals::D128(array.as_primitive::<Decimal128Type>().values()),
                *s,
            ),
            DataType::Decimal256(_, s) => Data::Decimal(
                Decimals::D256(array.as_primitive::<Decimal256Type>().values()),
                *s,
            ),
            DataType::Utf8 => Data::Text(Strings::Utf8(array.as_string())),
            DataType::LargeUtf8 => Data::Text(Strings::Large(array.as_string())),
            DataType::Utf8View => Data::Text(Strings::View(array.as_string_view())),
            DataType::Binary => Data::Bytes(Binaries::Binary(array.as_binary())),
            DataType::LargeBinary => Data::Bytes(Binaries::Large(array.as_binary())),
            DataType::BinaryView => Data::Bytes(Binaries::View(array.as_binary_view())),
            DataType::FixedSizeBinary(_) => {
                Data::Bytes(Binaries::Fixed(array.as_fixed_size_binary()))
            }
            DataType::Date32 => Data::Date(
                Ints::I32(array.as_primitive::<arrow::Date32Type>().values()),
                DateUnit::Days,
            ),
            DataType::Date64 => Data::Date(
                Ints::I64(array.as_primitive::<arrow::Date64Type>().values()),
                DateUnit::Milliseconds,
            ),
            DataType::Time32(unit) => Data::Time(time32(array, *unit), *unit),
            DataType::Time64(unit) => Data::Time(time64(array, *unit), *unit),
            DataType::Timestamp(unit, zone) => {
                Data::Timestamp(timestamps(array, *unit), *unit, Zoned(zone.is_some()))
            }
            DataType::Duration(unit) => {
                Data::Interval(Intervals::Duration(durations(array, *unit), *unit))
            }
            DataType::Interval(unit) => Data::Interval(match unit {
                IntervalUnit::YearMonth => Intervals::YearMonth(array.as_primitive()),
                IntervalUnit::DayTime => Intervals::DayTime(array.as_primitive()),
                IntervalUnit::MonthDayNano => Intervals::MonthDayNano(array.as_primitive()),
            }),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                Data::Dictionary(
                    ints(dictionary.keys())?,
                    Box::new(Self::build(dictionary.values(), pg, depth + 1)?),
                )
            }
            DataType::RunEndEncoded(ends, _) => {
                let (runs, values) = match ends.data_type() {
                    DataType::Int16 => runs::<Int16Type>(array, Runs::R16)?,
                    DataType::Int32 => runs::<Int32Type>(array, Runs::R32)?,
                    _ => runs::<Int64Type>(array, Runs::R64)?,
                };
                Data::Runs(runs, Box::new(Self::build(values, pg, depth + 1)?))
            }
            DataType::List(field) => {
                let list = array.as_list::<i32>();
                Self::list(
                    Ranges::Offsets32(list.value_offsets()),
                    list.values(),
                    field,
                    pg,
                    depth,
                )?
            }
            DataType::LargeList(field) => {
                let list = array.as_list::<i64>();
                Self::list(
                    Ranges::Offsets64(list.value_offsets()),
                    list.values(),
                    field,
                    pg,
                    depth,
                )?
            }
            DataType::FixedSizeList(field, size) => {
                let list = array.as_fixed_size_list();
                Self::list(
                    Ranges::Fixed(size.as_usize()),
                    list.values(),
                    field,
                    pg,
                    depth,
                )?
            }
            DataType::ListView(field) => {
                let list = array.as_list_view::<i32>();
                Self::list(
                    Ranges::Views32(list.value_offsets(), list.value_sizes()),
                    list.values(),
                    field,
                    pg,
                    depth,
                )?
            }
            DataType::LargeListView(field) => {
                let list = array.as_list_view::<i64>();
                Self::list(
                    Ranges::Views64(list.value_offsets(), list.value_sizes()),
                    list.values(),
                    field,
                    pg,
                    depth,
                )?
            }
            DataType::Struct(fields) => {
                let children = array.as_struct().columns().iter().zip(fields.iter());
                let children = children.map(|(child, field)| {
                    Ok((
                        field.name().as_str(),
                        Self::child(child, Some(field), depth)?,
                    ))
                });
                Data::Struct(children.collect::<Result<_>>()?)
            }
            DataType::Map(..) => {
                let entries = array.as_map();
                let (keys, values) = entries.entries_fields();
                Data::Map {
                    entries,
                    keys: Box::new(Self::child(entries.keys(), Some(keys), depth)?),
                    values: Box::new(Self::child(entries.values(), Some(values), depth)?),
                }
            }
            DataType::Union(fields, _) => {
                let union = array.as_union();
                let children = fields
                    .iter()
                    .map(|(id, field)| Ok((id, Self::child(union.child(id), Some(field), depth)?)));
                Data::Union {
                    union,
                    children: children.collect::<Result<_>>()?,
                }
            }
            _ => Data::Int(ints(array)?, width(pg)),
        };
        Ok(Self {
            nulls: array.nulls(),
            data,
        })
    }

    fn list(
        ranges: Ranges<'a>,
        values: &'a ArrayRef,
        field: &Field,
        pg: PgType,
        depth: usize,
    ) -> Result<Data<'a>> {
        let vector = matches!(pg.oid, oid::INT2VECTOR | oid::OIDVECTOR);
        let element = match pg.oid {
            oid::INT2VECTOR => oid::INT2,
            oid::OIDVECTOR => oid::OID,
            _ => pg.element,
        };
        let values = if element == 0 {
            Self::child(values, Some(field), depth)?
        } else {
            let inner = types::of_field(field);
            Self::build(
                values,
                PgType {
                    oid: element,
                    ..inner
                },
                depth + 1,
            )?
        };
        Ok(Data::List(List {
            ranges,
            values: Box::new(values),
            element,
            vector,
        }))
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return true;
        }
        match &self.data {
            Data::Null => true,
            Data::Dictionary(keys, values) => values.is_null(keys.get(row) as usize),
            Data::Runs(runs, values) => values.is_null(runs.physical(row)),
            Data::Union { union, children } => {
                union_child(union, children, row).is_none_or(|(child, index)| child.is_null(index))
            }
            _ => false,
        }
    }
}

/// The child that holds a union's row, and the row in it.
pub(super) fn union_child<'c, 'a>(
    union: &UnionArray,
    children: &'c [(i8, Column<'a>)],
    row: usize,
) -> Option<(&'c Column<'a>, usize)> {
    let id = union.type_id(row);
    let (_, child) = children.iter().find(|(child, _)| *child == id)?;
    Some((child, union.value_offset(row)))
}

fn width(pg: PgType) -> IntWidth {
    match pg.oid {
        oid::INT2 => IntWidth::Two,
        oid::INT4 => IntWidth::Four,
        oid::INT8 => IntWidth::Eight,
        oid::NUMERIC => IntWidth::Numeric,
        _ => IntWidth::Oid,
    }
}

fn ints(array: &dyn Array) -> Result<Ints<'_>> {
    Ok(match array.data_type() {
        DataType::Int8 => Ints::I8(array.as_primitive::<Int8Type>().values()),
        DataType::Int16 => Ints::I16(array.as_primitive::<Int16Type>().values()),
        DataType::Int32 => Ints::I32(array.as_primitive::<Int32Type>().values()),
        DataType::Int64 => Ints::I64(array.as_primitive::<Int64Type>().values()),
        DataType::UInt8 => Ints::U8(array.as_primitive::<UInt8Type>().values()),
        DataType::UInt16 => Ints::U16(array.as_primitive::<UInt16Type>().values()),
        DataType::UInt32 => Ints::U32(array.as_primitive::<UInt32Type>().values()),
        DataType::UInt64 => Ints::U64(array.as_primitive::<UInt64Type>().values()),
        other => {
            return Err(Error::internal(format!(
                "no encoder for values of type {other}"
            )));
        }
    })
}

fn time32(array: &dyn Array, unit: TimeUnit) -> Ints<'_> {
    Ints::I32(match unit {
        TimeUnit::Second => array.as_primitive::<arrow::Time32SecondType>().values(),
        _ => array
            .as_primitive::<arrow::Time32MillisecondType>()
            .values(),
    })
}

fn time64(array: &dyn Array, unit: TimeUnit) -> Ints<'_> {
    Ints::I64(match unit {
        TimeUnit::Nanosecond => array.as_primitive::<arrow::Time64NanosecondType>().values(),
        _ => array
            .as_primitive::<arrow::Time64MicrosecondType>()
            .values(),
    })
}

fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<arrow::TimestampSecondType>().values(),
        TimeUnit::Millisecond => array
            .as_primitive::<arrow::TimestampMillisecondType>()
            .values(),
        TimeUnit::Microsecond => array
            .as_primitive::<arrow::TimestampMicrosecondType>()
            .values(),
        TimeUnit::Nanosecond => array
            .as_primitive::<arrow::TimestampNanosecondType>()
            .values(),
    }
}

fn durations(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<DurationSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().values(),
    }
}

fn runs<'a, R: arrow::RunEndIndexType>(
    array: &'a dyn Array,
    wrap: impl FnOnce(&'a RunArray<R>) -> Runs<'a>,
) -> Result<(Runs<'a>, &'a dyn Array)> {
    let runs = array.as_run_opt::<R>().ok_or_else(|| {
        Error::internal("a run-end encoded column has another type of run ends than it says")
    })?;
    Ok((wrap(runs), runs.values().as_ref()))
}
