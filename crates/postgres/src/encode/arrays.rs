//! Typed views of Arrow arrays: the values of a column by row, for any width of offsets, keys and
//! units.

use std::borrow::Cow;

use bytes::BytesMut;
use datafusion::arrow::array::*;
use datafusion::arrow::datatypes as arrow;
use datafusion::arrow::datatypes::{
    ArrowNativeType, DataType, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use lakegate_error::{Code, Error, Result};

use super::column::{Column, Data};
use super::number::put_start;
use super::time::Interval;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DateUnit {
    Days,
    Milliseconds,
}

impl DateUnit {
    /// Returns the days of a value.
    #[inline]
    pub(super) fn days(self, value: i64) -> i64 {
        match self {
            Self::Days => value,
            Self::Milliseconds => value.div_euclid(86_400_000),
        }
    }
}

/// Whether a timestamp is an instant, shown in the session's time zone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Zoned(pub bool);

/// The format of an integer in binary.
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

/// Returns the object id that a number is. A negative one is the same four bytes, unsigned.
///
/// # Errors
///
/// The number needs more than four bytes.
pub(super) fn object_id(value: i64) -> Result<u32> {
    let signed = || i32::try_from(value).map(|value| value as u32);
    u32::try_from(value)
        .or_else(|_| signed())
        .map_err(|_| Error::new(Code::NumericOutOfRange, "OID out of range"))
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
    /// Returns the value. One above `i64::MAX`, which only `U64` holds, wraps: see
    /// [`Ints::get_unsigned`].
    #[inline]
    pub(super) fn get(&self, row: usize) -> i64 {
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

    pub(super) fn get_unsigned(&self, row: usize) -> Option<u64> {
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

impl Decimals<'_> {
    /// Returns whether the value is negative, and its digits if they fit 64 bits.
    #[inline]
    pub(super) fn short(&self, row: usize) -> Option<(bool, u64)> {
        match self {
            Decimals::D32(v) => Some((v[row] < 0, u64::from(v[row].unsigned_abs()))),
            Decimals::D64(v) => Some((v[row] < 0, v[row].unsigned_abs())),
            Decimals::D128(v) => u64::try_from(v[row].unsigned_abs())
                .ok()
                .map(|magnitude| (v[row] < 0, magnitude)),
            Decimals::D256(v) => v[row].to_i128().and_then(|value| {
                let magnitude = u64::try_from(value.unsigned_abs()).ok()?;
                Some((value < 0, magnitude))
            }),
        }
    }
}

/// The longest text that is within its view, in bytes.
const INLINE: usize = 12;

pub(super) enum Strings<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl Strings<'_> {
    #[inline]
    pub(super) fn get(&self, row: usize) -> &str {
        match self {
            Strings::Utf8(a) => a.value(row),
            Strings::Large(a) => a.value(row),
            Strings::View(a) => a.value(row),
        }
    }

    /// Returns a text that is within its view, its first byte the lowest one of the word, and its
    /// length. The other bytes of the word are any.
    #[inline]
    pub(super) fn inline(&self, row: usize) -> Option<(u128, usize)> {
        let Strings::View(a) = self else {
            return None;
        };
        let view = a.views()[row];
        let length = view as u32 as usize;
        // Its bytes follow the length.
        (length <= INLINE).then_some((view >> 32, length))
    }

    /// Appends the value.
    #[inline]
    pub(super) fn put(&self, out: &mut BytesMut, row: usize) {
        if let Some((word, length)) = self.inline(row) {
            return put_start(out, &word.to_le_bytes(), length);
        }
        let text = self.get(row).as_bytes();
        match text.first_chunk::<INLINE>() {
            // Two copies of constant lengths that overlap.
            Some(first) if text.len() <= 2 * INLINE => {
                let last = text.last_chunk::<INLINE>().unwrap_or(first);
                put_start(out, first, text.len() - INLINE);
                out.extend_from_slice(last);
            }
            _ => out.extend_from_slice(text),
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
    pub(super) fn get(&self, row: usize) -> &[u8] {
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
    pub(super) fn get(&self, row: usize) -> Result<Interval> {
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
            Intervals::Duration(values, TimeUnit::Nanosecond) => between(values[row] / 1000),
            Intervals::Duration(values, unit) => {
                between(super::time::micros(values[row], *unit, "interval")?)
            }
        })
    }
}

/// Converts the difference of two timestamps to days and a remainder, like PostgreSQL.
fn between(micros: i64) -> Interval {
    const DAY: i64 = 86_400_000_000;
    Interval {
        months: 0,
        // Always fits: there are 2^63 microseconds.
        days: i32::try_from(micros / DAY).unwrap_or(i32::MAX),
        micros: micros % DAY,
    }
}

pub(super) enum Runs<'a> {
    R16(&'a RunArray<Int16Type>),
    R32(&'a RunArray<Int32Type>),
    R64(&'a RunArray<Int64Type>),
}

impl Runs<'_> {
    pub(super) fn physical(&self, row: usize) -> usize {
        match self {
            Runs::R16(a) => a.get_physical_index(row),
            Runs::R32(a) => a.get_physical_index(row),
            Runs::R64(a) => a.get_physical_index(row),
        }
    }
}

/// A list with any offset width: the rows' ranges within `values`.
pub(super) struct List<'a> {
    pub ranges: Ranges<'a>,
    pub values: Box<Column<'a>>,
    /// OID of the elements' type; 0 if the column is shown as JSON.
    pub element: u32,
    /// `int2vector` and `oidvector`: indexed from 0, and written `1 2 3`.
    pub vector: bool,
}

/// The most dimensions of PostgreSQL's arrays.
const MAX_DIMENSIONS: usize = 6;

pub(super) enum Ranges<'a> {
    Offsets32(&'a [i32]),
    Offsets64(&'a [i64]),
    Fixed(usize),
    Views32(&'a [i32], &'a [i32]),
    Views64(&'a [i64], &'a [i64]),
}

impl List<'_> {
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        match &self.ranges {
            Ranges::Offsets32(o) => o[row].as_usize()..o[row + 1].as_usize(),
            Ranges::Offsets64(o) => o[row].as_usize()..o[row + 1].as_usize(),
            Ranges::Fixed(size) => row * size..(row + 1) * size,
            Ranges::Views32(o, s) => o[row].as_usize()..o[row].as_usize() + s[row].as_usize(),
            Ranges::Views64(o, s) => o[row].as_usize()..o[row].as_usize() + s[row].as_usize(),
        }
    }
}

impl<'a> List<'a> {
    /// Returns the lists that are its items; `None` if these are not lists.
    pub(super) fn inner(&self) -> Option<&List<'a>> {
        match &self.values.data {
            Data::List(inner) if !inner.vector => Some(inner),
            _ => None,
        }
    }

    /// Returns whether a row has an item that is not a list. Without one, it is an empty array,
    /// whatever its lists.
    pub(super) fn has_items(&self, row: usize) -> bool {
        match self.inner() {
            Some(inner) => self
                .range(row)
                .any(|index| self.values.is_null(index) || inner.has_items(index)),
            None => !self.range(row).is_empty(),
        }
    }

    /// Returns the length of each dimension of a row.
    ///
    /// # Errors
    ///
    /// The lists of a dimension differ in their lengths, or one of them is NULL: no array of
    /// PostgreSQL is so.
    pub(super) fn dimensions(&self, row: usize) -> Result<Vec<usize>> {
        let mut lengths = Vec::new();
        self.measure(row, 0, &mut lengths)?;
        match lengths.len() <= MAX_DIMENSIONS {
            true => Ok(lengths),
            false => Err(no_array(format!(
                "the array has more than {MAX_DIMENSIONS} dimensions"
            ))),
        }
    }

    fn measure(&self, row: usize, dimension: usize, lengths: &mut Vec<usize>) -> Result<()> {
        let range = self.range(row);
        match lengths.get(dimension) {
            None => lengths.push(range.len()),
            Some(known) if *known == range.len() => {}
            Some(_) => {
                return Err(no_array("the arrays of the array differ in their lengths"));
            }
        }
        let Some(inner) = self.inner() else {
            return Ok(());
        };
        for index in range {
            if self.values.is_null(index) {
                return Err(no_array("an array of the array is NULL"));
            }
            inner.measure(index, dimension + 1, lengths)?;
        }
        Ok(())
    }
}

fn no_array(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::NotSupported, message)
        .with_hint("SET array_output = 'json' shows arrays of arrays as JSON, as to_json(x) does")
}

pub(super) fn ints(array: &dyn Array) -> Result<Ints<'_>> {
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

pub(super) fn time32(array: &dyn Array, unit: TimeUnit) -> Ints<'_> {
    Ints::I32(match unit {
        TimeUnit::Second => array.as_primitive::<arrow::Time32SecondType>().values(),
        _ => array
            .as_primitive::<arrow::Time32MillisecondType>()
            .values(),
    })
}

pub(super) fn time64(array: &dyn Array, unit: TimeUnit) -> Ints<'_> {
    Ints::I64(match unit {
        TimeUnit::Nanosecond => array.as_primitive::<arrow::Time64NanosecondType>().values(),
        _ => array
            .as_primitive::<arrow::Time64MicrosecondType>()
            .values(),
    })
}

pub(super) fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
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

pub(super) fn durations(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<DurationSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().values(),
    }
}

pub(super) fn runs<'a, R: arrow::RunEndIndexType>(
    array: &'a dyn Array,
    wrap: impl FnOnce(&'a RunArray<R>) -> Runs<'a>,
) -> Result<(Runs<'a>, &'a dyn Array)> {
    let runs = array.as_run_opt::<R>().ok_or_else(|| {
        Error::internal("a run-end encoded column has another type of run ends than it says")
    })?;
    Ok((wrap(runs), runs.values().as_ref()))
}
