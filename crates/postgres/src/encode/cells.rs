//! Short values of a column, a block of rows at a time.
//!
//! A loop over the values of one type makes words of at most 16 bytes, and rows are put together
//! from words ([`super::blocks`]): a word of which some bytes count is one store, while bytes of any
//! length are a call.

use std::ops::Range;
use std::sync::LazyLock;

use super::arrays::{Decimals, IntWidth, Ints, object_id};
use super::column::{Column, Data};
use super::number::{
    ASCII_ZEROS, eight_digits, short_float, short_numeric, short_scale, short_text, two_digits,
};
use super::time::{self, DAY_MICROS, day_digits, pg_date, pg_time, pg_timestamp};
use super::{DateForm, Format, Style};
use crate::forms::Form;

/// The most bytes of a short value.
pub(super) const WORD: usize = 16;

/// A short value, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Its first byte is the lowest one.
    word: u128,
    /// How many bytes of the word count; more than [`WORD`] stands for no short value.
    length: u8,
}

impl Cell {
    /// NULL, a longer value, or one that cannot be written.
    const OTHER: Self = Self {
        word: 0,
        length: u8::MAX,
    };

    #[inline]
    fn of(short: Option<(u128, usize)>) -> Self {
        match short {
            Some((word, length)) => Self {
                word,
                length: length as u8,
            },
            None => Self::OTHER,
        }
    }

    /// Returns the word and how many bytes of it count.
    #[inline]
    pub(super) fn short(self) -> Option<(u128, usize)> {
        let length = usize::from(self.length);
        (length <= WORD).then_some((self.word, length))
    }
}

/// Returns whether most values of a column are short.
pub(super) fn has_cells(column: &Column<'_>, format: Format, style: &Style) -> bool {
    match (format, &column.data) {
        (Format::Text, Data::Bool(_)) => true,
        (Format::Text, Data::Int(_, width)) => *width != IntWidth::Oid,
        (Format::Text, Data::Float64(_)) => style.float_digits > 0,
        (Format::Text, Data::Date(..)) => style.dates == DateForm::Iso,
        (_, Data::Decimal(_, scale)) => {
            short_scale(*scale).is_some() && (format == Format::Text || column.form == Form::Plain)
        }
        (Format::Text, _) => false,
        (Format::Binary, data) => {
            column.form == Form::Plain
                && matches!(
                    data,
                    Data::Bool(_)
                        | Data::Int(..)
                        | Data::Float32(_)
                        | Data::Float64(_)
                        | Data::Date(..)
                        | Data::Time(..)
                        | Data::Timestamp(..)
                )
        }
    }
}

/// Replaces the cells by those of some rows of a column, of which [`has_cells`] is true.
pub(super) fn fill(
    cells: &mut Vec<Cell>,
    column: &Column<'_>,
    format: Format,
    rows: &Range<usize>,
) {
    cells.clear();
    match format {
        Format::Text => texts(cells, &column.data, rows),
        Format::Binary => binaries(cells, &column.data, rows),
    }
    cells.resize(rows.len(), Cell::OTHER);
    if let Some(nulls) = column.nulls() {
        for (cell, row) in cells.iter_mut().zip(rows.clone()) {
            if nulls.is_null(row) {
                *cell = Cell::OTHER;
            }
        }
    }
}

fn texts(cells: &mut Vec<Cell>, data: &Data<'_>, rows: &Range<usize>) {
    match data {
        Data::Bool(values) => cells.extend(rows.clone().map(|row| {
            let text = if values.value(row) { b't' } else { b'f' };
            Cell::of(Some((u128::from(text), 1)))
        })),
        Data::Int(values, _) => integers(cells, values, rows, |value| {
            short_text(value < 0, value.unsigned_abs(), 0)
        }),
        Data::Float64(values) => all(cells, values, rows, short_float),
        Data::Decimal(values, scale) => {
            if let Some(scale) = short_scale(*scale) {
                decimals(cells, values, rows, |negative, magnitude| {
                    short_text(negative, magnitude, scale)
                });
            }
        }
        Data::Date(values, unit) => {
            let known = DAYS.as_slice();
            integers(cells, values, rows, |value| date(known, unit.days(value)));
        }
        _ => {}
    }
}

fn binaries(cells: &mut Vec<Cell>, data: &Data<'_>, rows: &Range<usize>) {
    match data {
        Data::Bool(values) => cells.extend(
            rows.clone()
                .map(|row| Cell::of(Some((u128::from(values.value(row)), 1)))),
        ),
        Data::Int(values, IntWidth::Two) => integers(cells, values, rows, |value| {
            Some(word(i16::try_from(value).ok()?.to_be_bytes()))
        }),
        Data::Int(values, IntWidth::Four) => integers(cells, values, rows, |value| {
            Some(word(i32::try_from(value).ok()?.to_be_bytes()))
        }),
        Data::Int(values, IntWidth::Eight) => {
            integers(cells, values, rows, |value| Some(word(value.to_be_bytes())));
        }
        Data::Int(values, IntWidth::Oid) => integers(cells, values, rows, |value| {
            Some(word(object_id(value).ok()?.to_be_bytes()))
        }),
        Data::Int(values, IntWidth::Numeric) => integers(cells, values, rows, |value| {
            short_numeric(value < 0, value.unsigned_abs(), 0)
        }),
        Data::Float32(values) => all(cells, values, rows, |value| Some(word(value.to_be_bytes()))),
        Data::Float64(values) => all(cells, values, rows, |value| Some(word(value.to_be_bytes()))),
        Data::Decimal(values, scale) => {
            if let Some(scale) = short_scale(*scale) {
                decimals(cells, values, rows, |negative, magnitude| {
                    short_numeric(negative, magnitude, scale)
                });
            }
        }
        Data::Date(values, unit) => integers(cells, values, rows, |value| {
            Some(word(pg_date(unit.days(value)).ok()?.to_be_bytes()))
        }),
        Data::Time(values, unit) => integers(cells, values, rows, |value| {
            let micros = time::micros(value, *unit, "time").and_then(pg_time);
            Some(word(micros.ok()?.to_be_bytes()))
        }),
        Data::Timestamp(values, unit, _) => all(cells, values, rows, |value| {
            let micros = time::micros(value, *unit, "timestamp").and_then(pg_timestamp);
            Some(word(micros.ok()?.to_be_bytes()))
        }),
        _ => {}
    }
}

/// Appends the cells of some rows.
#[inline]
fn all<T: Copy>(
    cells: &mut Vec<Cell>,
    values: &[T],
    rows: &Range<usize>,
    short: impl Fn(T) -> Option<(u128, usize)>,
) {
    let values = values.get(rows.clone()).unwrap_or_default();
    cells.extend(values.iter().map(|value| Cell::of(short(*value))));
}

#[inline]
fn integers(
    cells: &mut Vec<Cell>,
    values: &Ints<'_>,
    rows: &Range<usize>,
    short: impl Fn(i64) -> Option<(u128, usize)>,
) {
    match values {
        Ints::I8(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::I16(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::I32(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::I64(values) => all(cells, values, rows, short),
        Ints::U8(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::U16(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::U32(values) => all(cells, values, rows, |value| short(i64::from(value))),
        Ints::U64(values) => all(cells, values, rows, |value| {
            short(i64::try_from(value).ok()?)
        }),
    }
}

/// `short`: of whether a decimal is negative, and its digits.
#[inline]
fn decimals(
    cells: &mut Vec<Cell>,
    values: &Decimals<'_>,
    rows: &Range<usize>,
    short: impl Fn(bool, u64) -> Option<(u128, usize)>,
) {
    match values {
        Decimals::D32(values) => all(cells, values, rows, |value| {
            short(value < 0, u64::from(value.unsigned_abs()))
        }),
        Decimals::D64(values) => all(cells, values, rows, |value| {
            short(value < 0, value.unsigned_abs())
        }),
        Decimals::D128(values) => all(cells, values, rows, |value| {
            short(value < 0, u64::try_from(value.unsigned_abs()).ok()?)
        }),
        // Types of so many digits are rare.
        Decimals::D256(_) => {}
    }
}

/// Returns some bytes as a word, and how many they are.
#[inline]
fn word<const N: usize>(bytes: [u8; N]) -> (u128, usize) {
    let bytes = bytes.iter().rev();
    let word = bytes.fold(0, |word: u128, byte| (word << 8) | u128::from(*byte));
    (word, N)
}

/// The days from 1970 on of which the digits are known.
const KNOWN_DAYS: i64 = 36_525;

/// The digits of the first days from 1970 on, as of [`day_digits`].
static DAYS: LazyLock<Vec<u64>> =
    LazyLock::new(|| (0..KNOWN_DAYS).filter_map(day_digits).collect());

/// Returns a date as `YYYY-MM-DD`, given in days since 1970, if its year has four digits.
#[inline]
fn date(known: &[u64], days: i64) -> Option<(u128, usize)> {
    let place = usize::try_from(days).ok();
    let digits = match place.and_then(|place| known.get(place)) {
        Some(digits) => *digits,
        None => day_digits(days)?,
    };
    let (year, month, day) = (digits & 0xffff_ffff, (digits >> 32) & 0xffff, digits >> 48);
    let dash = u64::from(b'-');
    let first = year | (dash << 32) | (month << 40) | (dash << 56);
    Some((u128::from(first) | (u128::from(day) << 64), 10))
}

/// Returns the ISO text of a timestamp that is not NULL as two words, and its length, if its year has
/// four digits.
#[inline]
pub(super) fn moment(column: &Column<'_>, row: usize, style: &Style) -> Option<([u128; 2], usize)> {
    let Data::Timestamp(values, unit, zoned) = &column.data else {
        return None;
    };
    if style.dates != DateForm::Iso {
        return None;
    }
    let micros = time::micros(*values.get(row)?, *unit, "timestamp").ok()?;
    timestamp(micros, zoned.0.then(|| style.zone.offset_at(micros)))
}

/// `micros`: since 1970. `offset`: the seconds east of UTC of the clock that shows it, which follow.
fn timestamp(micros: i64, offset: Option<i32>) -> Option<([u128; 2], usize)> {
    let shift = i64::from(offset.unwrap_or(0)) * 1_000_000;
    let shown = micros.checked_add(shift)?;
    let (days, of_day) = (shown.div_euclid(DAY_MICROS), shown.rem_euclid(DAY_MICROS));
    let (date, _) = date(DAYS.as_slice(), days)?;
    let (seconds, fraction) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    let clock = seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60;
    // `HHMMSS`, and with colons.
    let digits = (eight_digits(clock) | ASCII_ZEROS) >> 16;
    let colon = u64::from(b':');
    let minutes = (digits & 0xffff) | (colon << 16) | ((digits & 0xffff_0000) << 8);
    let clock = minutes | (colon << 40) | ((digits >> 32) << 48);
    // Ten bytes of the date, a space, and five bytes of the clock.
    let space = u128::from(b' ') << 80;
    let first = date | space | (u128::from(clock & 0xff_ffff_ffff) << 88);
    let (mut second, mut length) = (u128::from(clock >> 40), 3);
    if fraction > 0 {
        let digits = eight_digits(fraction) >> 16;
        let zeros = (digits.leading_zeros() - 16) / 8;
        let count = 6 - zeros;
        let text = (digits | (ASCII_ZEROS >> 16)) & ((1 << (8 * count)) - 1);
        second |= ((u128::from(text) << 8) | u128::from(b'.')) << 24;
        length += 1 + count;
    }
    if let Some(offset) = offset {
        let sign = if offset < 0 { b'-' } else { b'+' };
        let minutes = offset.unsigned_abs() / 60;
        if minutes * 60 != offset.unsigned_abs() {
            return None;
        }
        let ([a, b], [c, d]) = (two_digits(minutes / 60), two_digits(minutes % 60));
        let (text, count) = match minutes % 60 {
            0 => ([sign, a, b, 0, 0, 0, 0, 0], 3),
            _ => ([sign, a, b, b':', c, d, 0, 0], 6),
        };
        second |= u128::from(u64::from_le_bytes(text)) << (8 * length);
        length += count;
    }
    Some(([first, second], WORD + length as usize))
}
