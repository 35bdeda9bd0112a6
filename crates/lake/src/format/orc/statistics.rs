//! What an ORC file says of its columns, for the table's columns.
//!
//! | column | bounds | |
//! |---|---|---|
//! | integers, dates | exact | |
//! | texts | exact, or those of truncated texts | |
//! | `char` | none | they are of padded texts, whose order may be another |
//! | timestamps | widened by a millisecond | writers round them; old ones mean their own time zone: unknown |
//! | floating point | none | writers leave NaN out |
//! | decimals | exact | none where they have more digits than the type |
//! | the rest | none | |

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

use super::types::{Kind, Types};
use super::wire::{Fields, Value};
use super::{Result, tail::Tail};
use crate::format::parquet::{convert, keeps_order};

/// Bytes of a text that is kept as a bound.
const MAX_TEXT: usize = 1024;

/// Bytes of a decimal's text: 38 digits, a sign, a point and a zero, and some more zeros.
const MAX_DECIMAL: usize = 128;

/// Writers before this version merged the bounds of texts wrongly.
const MERGED_TEXTS: u32 = 1;

/// Since this version, times have bounds that do not depend on the writer's time zone.
const ZONELESS_TIMES: u32 = 6;

/// What is known of a column of a file or of a stripe.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Values that are not NULL. `None`: not known.
    values: Option<u64>,
    bounds: Bounds,
}

#[derive(Debug, Clone, Default)]
enum Bounds {
    #[default]
    Unknown,
    Numbers(i64, i64),
    Days(i64, i64),
    /// With whether each is a value of the column.
    Texts((String, bool), (String, bool)),
    /// As texts.
    Decimals(String, String),
    /// Milliseconds.
    Times(i64, i64),
}

impl Known {
    /// `version`: of the file's writer.
    ///
    /// # Errors
    /// The message is damaged.
    pub(super) fn parse(bytes: &[u8], version: u32) -> Result<Self> {
        let mut known = Self::default();
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => known.values = Some(value.number()?),
                2 => {
                    if let (Some(min), Some(max)) = pair(value, 1)? {
                        known.bounds = Bounds::Numbers(min, max);
                    }
                }
                4 if version >= MERGED_TEXTS => known.bounds = texts(value)?,
                6 if version >= MERGED_TEXTS => known.bounds = decimals(value)?,
                7 => {
                    if let (Some(min), Some(max)) = pair(value, 1)? {
                        known.bounds = Bounds::Days(min, max);
                    }
                }
                9 if version >= ZONELESS_TIMES => {
                    if let (Some(min), Some(max)) = pair(value, 3)? {
                        known.bounds = Bounds::Times(min, max);
                    }
                }
                _ => {}
            }
        }
        Ok(known)
    }

    pub(super) fn memory(&self) -> usize {
        let texts = match &self.bounds {
            Bounds::Texts(min, max) => min.0.len() + max.0.len(),
            Bounds::Decimals(min, max) => min.len() + max.len(),
            _ => 0,
        };
        size_of::<Self>() + texts
    }

    /// The bounds as arrays of one value of the file's type, with whether each is exact.
    fn arrays(&self, kind: Kind, file: &DataType) -> Option<[(ArrayRef, bool); 2]> {
        let exact = |min: ArrayRef, max: ArrayRef| Some([(min, true), (max, true)]);
        match (&self.bounds, kind) {
            (Bounds::Numbers(min, max), _) if min > max => None,
            (Bounds::Numbers(min, max), Kind::Byte) => {
                let value = |v: &i64| Some(Arc::new(Int8Array::from(vec![i8::try_from(*v).ok()?])));
                exact(value(min)?, value(max)?)
            }
            (Bounds::Numbers(min, max), Kind::Short) => {
                let value =
                    |v: &i64| Some(Arc::new(Int16Array::from(vec![i16::try_from(*v).ok()?])));
                exact(value(min)?, value(max)?)
            }
            (Bounds::Numbers(min, max), Kind::Int) => {
                let value =
                    |v: &i64| Some(Arc::new(Int32Array::from(vec![i32::try_from(*v).ok()?])));
                exact(value(min)?, value(max)?)
            }
            (Bounds::Numbers(min, max), Kind::Long) => {
                let value = |v: &i64| Arc::new(Int64Array::from(vec![*v]));
                exact(value(min), value(max))
            }
            (Bounds::Days(min, max), Kind::Date) if min <= max => {
                let value =
                    |v: &i64| Some(Arc::new(Date32Array::from(vec![i32::try_from(*v).ok()?])));
                exact(value(min)?, value(max)?)
            }
            (Bounds::Texts(min, max), Kind::Text) if min.0 <= max.0 => {
                let value = |(text, exact): &(String, bool)| {
                    let array: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
                    (array, *exact)
                };
                Some([value(min), value(max)])
            }
            (Bounds::Decimals(min, max), Kind::Decimal) => {
                let DataType::Decimal128(precision, scale) = file else {
                    return None;
                };
                let number = |text: &str| {
                    let limit = 10_u128.checked_pow(u32::from(*precision))?;
                    unscaled(text, *scale).filter(|number| number.unsigned_abs() < limit)
                };
                let (min, max) = (number(min)?, number(max)?);
                let value = |number: i128| -> Option<ArrayRef> {
                    let array = Decimal128Array::from(vec![number]);
                    let array = array.with_precision_and_scale(*precision, *scale);
                    Some(Arc::new(array.ok()?))
                };
                match min <= max {
                    true => exact(value(min)?, value(max)?),
                    false => None,
                }
            }
            (Bounds::Times(min, max), Kind::Timestamp) if min <= max => {
                let value = |millis: Option<i64>| -> Option<ArrayRef> {
                    let micros = millis?.checked_mul(1000)?;
                    Some(Arc::new(TimestampMicrosecondArray::from(vec![micros])))
                };
                let min = value(min.checked_sub(1))?;
                let max = value(max.checked_add(1))?;
                Some([(min, false), (max, false)])
            }
            _ => None,
        }
    }

    fn of_column(&self, kind: Kind, file: &Field, table: &Field, rows: u64) -> ColumnStatistics {
        let mut known = ColumnStatistics::new_unknown();
        if file.data_type().is_nested() {
            return known;
        }
        let nulls = self.values.and_then(|values| rows.checked_sub(values));
        if let Some(nulls) = nulls.and_then(|nulls| usize::try_from(nulls).ok()) {
            known.null_count = Precision::Exact(nulls);
        }
        if keeps_order(file.data_type(), table.data_type())
            && let Some([min, max]) = self.arrays(kind, file.data_type())
            && let Some(min) = bound(&min, file, table)
            && let Some(max) = bound(&max, file, table)
        {
            (known.min_value, known.max_value) = (min, max);
        }
        known
    }
}

/// The least and the greatest of two signed numbers, in fields `first` and the next.
fn pair(value: Value<'_>, first: u64) -> Result<(Option<i64>, Option<i64>)> {
    let (mut min, mut max) = (None, None);
    let mut fields = Fields(value.bytes()?);
    while let Some((field, value)) = fields.next()? {
        if field == first {
            min = Some(value.signed()?);
        } else if field == first + 1 {
            max = Some(value.signed()?);
        }
    }
    Ok((min, max))
}

fn texts(value: Value<'_>) -> Result<Bounds> {
    let (mut min, mut max) = (None, None);
    let mut fields = Fields(value.bytes()?);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => min = Some((value.bytes()?, true)),
            2 => max = Some((value.bytes()?, true)),
            4 => min = Some((value.bytes()?, false)),
            5 => max = Some((value.bytes()?, false)),
            _ => {}
        }
    }
    let text = |found: Option<(&[u8], bool)>| {
        let (bytes, exact) = found.filter(|(bytes, _)| bytes.len() <= MAX_TEXT)?;
        Some((std::str::from_utf8(bytes).ok()?.to_owned(), exact))
    };
    Ok(match (text(min), text(max)) {
        (Some(min), Some(max)) => Bounds::Texts(min, max),
        _ => Bounds::Unknown,
    })
}

fn decimals(value: Value<'_>) -> Result<Bounds> {
    let (mut min, mut max) = (None, None);
    let mut fields = Fields(value.bytes()?);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => min = Some(value.bytes()?),
            2 => max = Some(value.bytes()?),
            _ => {}
        }
    }
    let text = |found: Option<&[u8]>| {
        let bytes = found.filter(|bytes| bytes.len() <= MAX_DECIMAL)?;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    };
    Ok(match (text(min), text(max)) {
        (Some(min), Some(max)) => Bounds::Decimals(min, max),
        _ => Bounds::Unknown,
    })
}

/// A decimal without its point. `None`: the text is none, or has more digits behind the point than
/// `scale`.
fn unscaled(text: &str, scale: i8) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let zeros = usize::try_from(scale).ok()?.checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}{}", "0".repeat(zeros));
    // A number may begin with a sign, which was read.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i128 = digits.parse().ok().filter(|_| is_number)?;
    Some(sign * number)
}

/// The bound as a value of the table.
fn bound(
    (array, exact): &(ArrayRef, bool),
    file: &Field,
    table: &Field,
) -> Option<Precision<ScalarValue>> {
    let array = convert(array, file, table.data_type()).ok()?;
    let value = ScalarValue::try_from_array(&array, 0).ok()?;
    match (value.is_null(), exact) {
        (true, _) => None,
        (false, true) => Some(Precision::Exact(value)),
        (false, false) => Some(Precision::Inexact(value)),
    }
}

/// Statistics of rows in the table's columns. `known`: of the columns of the file's rows; `columns`:
/// for each of the table's columns its place among them, `None` where the file lacks it.
fn of_rows(
    types: &Types,
    known: &[Known],
    rows: u64,
    schema: &SchemaRef,
    columns: &[Option<usize>],
) -> Statistics {
    let Ok(counted) = usize::try_from(rows) else {
        return Statistics::new_unknown(schema);
    };
    let of_columns = schema.fields().iter().zip(columns).map(|(table, place)| {
        let Some(place) = place else {
            return ColumnStatistics {
                null_count: Precision::Exact(counted),
                ..ColumnStatistics::new_unknown()
            };
        };
        let mut found = ColumnStatistics::new_unknown();
        if let Some((id, name)) = types.columns().nth(*place)
            && let Some(node) = types.get(id)
            && let Some(known) = known.get(*place)
        {
            let file = Field::new(name, types.arrow(id), true);
            found = known.of_column(node.kind, &file, table, rows);
        }
        if let Some(width) = table.data_type().primitive_width() {
            found.byte_size = Precision::Exact(width.saturating_mul(counted));
        }
        found
    });
    Statistics {
        num_rows: Precision::Exact(counted),
        total_byte_size: Precision::Absent,
        column_statistics: of_columns.collect(),
    }
}

/// Statistics of a whole file. `schema`: the table's data columns; `columns`: as of [`of_rows`].
pub(super) fn of_file(tail: &Tail, schema: &SchemaRef, columns: &[Option<usize>]) -> Statistics {
    of_rows(&tail.types, &tail.columns, tail.rows, schema, columns)
}

/// Statistics of each stripe, as of [`of_file`].
pub(super) fn of_stripes(
    tail: &Tail,
    schema: &SchemaRef,
    columns: &[Option<usize>],
) -> Vec<Arc<Statistics>> {
    let stripes = tail.stripes.iter().map(|stripe| {
        let known = &stripe.columns;
        Arc::new(of_rows(&tail.types, known, stripe.rows, schema, columns))
    });
    stripes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_from_their_texts() {
        for (text, scale, number) in [
            ("0", 0, Some(0)),
            ("-12.5", 2, Some(-1250)),
            ("12.500", 1, Some(125)),
            ("0.01", 10, Some(100_000_000)),
            (".5", 1, Some(5)),
            ("12.55", 1, None),
            ("+1", 0, None),
            ("--1", 0, None),
            ("1E+3", 0, None),
            ("", 0, None),
            (
                "99999999999999999999999999999999999999",
                0,
                Some(10_i128.pow(38) - 1),
            ),
            ("999999999999999999999999999999999999999999", 0, None),
        ] {
            assert_eq!(unscaled(text, scale), number, "{text}");
        }
    }
}
