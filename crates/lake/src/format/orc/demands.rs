//! What decoding a stripe takes: lengths that its streams hold, checked against what there is, and
//! the rows of a batch whose memory is bounded.

use std::cell::RefCell;

use super::runs::{Integers, set_bits};
use super::stripe::{DATA, DICTIONARY, LENGTH, PRESENT, SECONDARY, Streams, StripeFooter};
use super::types::{Kind, Types};
use super::{Result, broken};
use crate::format::files::{BATCH_BYTES, BATCH_VALUES};

/// Digits behind the point of a decimal at most.
const MAX_SCALE: i64 = 38;

/// Values of one column of a stripe at most, those of lists and maps.
const MAX_VALUES: u64 = i32::MAX as u64;

/// What one row takes at most: values, those in lists and maps counted, and bytes of texts.
const MAX_ROW_VALUES: u64 = 16 * 1024 * 1024;
const MAX_ROW_BYTES: u64 = 1024 * 1024 * 1024;

/// Streams of a stripe, which are about to be decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demands<'a> {
    pub types: &'a Types,
    pub footer: &'a StripeFooter,
    pub streams: &'a Streams,
    /// Gets the columns of times.
    pub times: &'a RefCell<Vec<TimeColumn>>,
}

/// A column of times.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeColumn {
    pub id: u32,
    /// NULLs left out.
    pub values: u64,
    /// Its times are of the time zone that the writer had.
    pub is_local: bool,
    /// Has nanoseconds below zero.
    pub is_negative: bool,
}

/// What one row takes at most.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    values: u64,
    /// Values of the whole stripe.
    total: u64,
    /// Of texts that are repeated from a dictionary; the others are bounded by the stripe.
    bytes: u64,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.total = self.total.saturating_add(other.total);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Demands<'_> {
    /// The rows of a batch, at most `batch_size`. `columns`: of rows, by their numbers.
    ///
    /// # Errors
    /// A stream is shorter than it should be, or claims lengths that are not there.
    pub(super) fn batch_rows(self, columns: &[u32], rows: u64, batch_size: usize) -> Result<usize> {
        let mut row = Row::default();
        for column in columns {
            let mut of_column = self.column(*column, rows)?;
            // Where all values of the stripe are not more than a batch's, none is too large.
            if of_column.total <= BATCH_VALUES {
                of_column.values = 1;
            }
            row.add(of_column);
        }
        if row.values > MAX_ROW_VALUES.max(columns.len() as u64) || row.bytes > MAX_ROW_BYTES {
            return Err(broken(format!(
                "a row claims {} values and {} bytes of texts, of at most {MAX_ROW_VALUES} and {MAX_ROW_BYTES}",
                row.values, row.bytes
            )));
        }
        let rows = (BATCH_VALUES / row.values.max(1)).min(BATCH_BYTES / row.bytes.max(1));
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(rows.min(batch_size).max(1))
    }

    /// `values`: of the column, NULLs counted.
    fn column(self, id: u32, values: u64) -> Result<Row> {
        let node = self
            .types
            .get(id)
            .ok_or_else(|| broken(format!("there is no column {id}")))?;
        let encoding = self.footer.encoding(id)?;
        let stream = |kind| self.streams.get(id, kind);
        let bytes = |kind| stream(kind).map_or(0, |stream| stream.len() as u64);
        let unsigned = Integers {
            second: encoding.is_second(),
            signed: false,
        };
        let present = match stream(PRESENT) {
            Some(bits) => set_bits(bits, values)?,
            None => values,
        };
        let mut row = Row {
            values: 1,
            total: values,
            bytes: 0,
        };
        match node.kind {
            Kind::Text | Kind::Char if encoding.has_dictionary() => {
                if encoding.dictionary > present {
                    return Err(broken(format!(
                        "column {id} has a dictionary of {} texts for {present} values",
                        encoding.dictionary
                    )));
                }
                let lengths = lengths(stream(LENGTH), unsigned, encoding.dictionary)?;
                check(id, lengths.sum, bytes(DICTIONARY))?;
                row.bytes = lengths.longest;
            }
            Kind::Text | Kind::Char | Kind::Binary => {
                let lengths = lengths(stream(LENGTH), unsigned, present)?;
                check(id, lengths.sum, bytes(DATA))?;
            }
            Kind::Float => check(id, present.saturating_mul(4), bytes(DATA))?,
            Kind::Double => check(id, present.saturating_mul(8), bytes(DATA))?,
            Kind::Decimal => {
                let scales = Integers {
                    signed: true,
                    ..unsigned
                };
                scales.each(
                    stream(SECONDARY).unwrap_or_default(),
                    present,
                    |scale| match (0..=MAX_SCALE).contains(&scale) {
                        true => Ok(()),
                        false => Err(broken(format!(
                            "column {id} has a decimal with {scale} digits behind the point"
                        ))),
                    },
                )?;
            }
            Kind::Timestamp | Kind::TimestampInstant => {
                let mut is_negative = false;
                let nanos = stream(SECONDARY).unwrap_or_default();
                unsigned.each(nanos, present, |nanos| {
                    is_negative |= nanos < 0;
                    Ok(())
                })?;
                self.times.borrow_mut().push(TimeColumn {
                    id,
                    values: present,
                    is_local: node.kind == Kind::Timestamp,
                    is_negative,
                });
            }
            Kind::List | Kind::Map => {
                let lengths = lengths(stream(LENGTH), unsigned, present)?;
                if lengths.sum > MAX_VALUES {
                    return Err(broken(format!(
                        "column {id} claims {} values in one stripe, of at most {MAX_VALUES}",
                        lengths.sum
                    )));
                }
                let mut of_one = Row::default();
                for child in &node.children {
                    of_one.add(self.column(*child, lengths.sum)?);
                }
                row.values = of_one.values.saturating_mul(lengths.longest).max(1);
                row.total = values.saturating_add(of_one.total);
                row.bytes = of_one.bytes.saturating_mul(lengths.longest);
            }
            Kind::Struct => {
                for child in &node.children {
                    row.add(self.column(*child, present)?);
                }
            }
            _ => {}
        }
        Ok(row)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Lengths {
    sum: u64,
    longest: u64,
}

fn lengths(stream: Option<&[u8]>, integers: Integers, count: u64) -> Result<Lengths> {
    let mut lengths = Lengths::default();
    integers.each(stream.unwrap_or_default(), count, |length| {
        let length = u64::try_from(length).map_err(|_| broken("a length is below zero"))?;
        lengths.sum = lengths.sum.saturating_add(length);
        lengths.longest = lengths.longest.max(length);
        Ok(())
    })?;
    Ok(lengths)
}

fn check(column: u32, claimed: u64, there: u64) -> Result<()> {
    match claimed <= there {
        true => Ok(()),
        false => Err(broken(format!(
            "column {column} claims {claimed} bytes and has {there}"
        ))),
    }
}
