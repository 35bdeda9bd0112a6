//! A column of a batch, downcast once: the row writers match on it instead of checking the type of
//! every cell.

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes as arrow;
use datafusion::arrow::datatypes::{
    ArrowNativeType, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field,
    Float16Type, Int16Type, Int32Type, Int64Type, IntervalUnit, TimeUnit,
};
use lakegate_error::{Error, Result};

use super::super::forms::Form;
use super::super::types::{self, PgType, oid};
use super::arrays::{
    Binaries, DateUnit, Decimals, IntWidth, Intervals, Ints, List, Ranges, Runs, Strings, Zoned,
    durations, ints, runs, time32, time64, timestamps,
};

/// The maximum nesting depth of types: far more than a catalog's type text allows, far less than
/// the stack holds.
const MAX_DEPTH: usize = 64;

/// One column, ready to be written row by row.
pub(super) struct Column<'a> {
    /// `None` if the array itself has no nulls.
    nulls: Option<&'a NullBuffer>,
    /// Whether rows that `nulls` does not say are null can be null.
    nulls_within: bool,
    /// The binary form of its texts.
    pub form: Form,
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
    Struct(Vec<Member<'a>>),
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

/// A field of a struct.
pub(super) struct Member<'a> {
    pub name: &'a str,
    /// The type of its values in a record.
    pub oid: u32,
    pub values: Column<'a>,
}

impl<'a> Column<'a> {
    /// Downcasts `array`, shown as `pg`; nested children are shown as their own types.
    ///
    /// # Errors
    ///
    /// The type nests too deeply.
    pub(super) fn new(array: &'a dyn Array, pg: PgType) -> Result<Self> {
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
                let members = children.map(|(child, field)| {
                    Ok(Member {
                        name: field.name().as_str(),
                        oid: match types::unwrapped(field.data_type()) {
                            DataType::Struct(_) => oid::RECORD,
                            _ => types::of_field(field).oid,
                        },
                        values: Self::child(child, Some(field), depth)?,
                    })
                });
                Data::Struct(members.collect::<Result<_>>()?)
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
            nulls: array.nulls().filter(|nulls| nulls.null_count() > 0),
            nulls_within: matches!(
                data,
                Data::Null | Data::Dictionary(..) | Data::Runs(..) | Data::Union { .. }
            ),
            form: match &data {
                Data::Text(_) => Form::of(pg.oid),
                // Numbers are written as they are.
                _ if pg.oid == oid::NUMERIC => Form::Plain,
                _ => Form::of(pg.oid),
            },
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
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
            || self.nulls_within && self.is_null_within(row)
    }

    /// Returns the rows that are null, but for those of which only the values say so.
    #[inline]
    pub(super) fn nulls(&self) -> Option<&'a NullBuffer> {
        self.nulls
    }

    /// Returns whether its texts are short, and only of digits, letters, signs, points, colons and
    /// spaces: those of numbers, booleans, dates, times and timestamps.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        matches!(
            self.data,
            Data::Bool(_)
                | Data::Int(..)
                | Data::Float16(_)
                | Data::Float32(_)
                | Data::Float64(_)
                | Data::Decimal(..)
                | Data::Date(..)
                | Data::Time(..)
                | Data::Timestamp(..)
        )
    }

    fn is_null_within(&self, row: usize) -> bool {
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

/// Returns the child that holds the row of a union, and the row in it.
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
        oid::INT8 | oid::XID8 => IntWidth::Eight,
        oid::NUMERIC => IntWidth::Numeric,
        _ => IntWidth::Oid,
    }
}
