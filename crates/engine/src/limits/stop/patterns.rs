//! Regular expressions that can be stopped.
//!
//! At worst, a search takes the length of the text times the size of the compiled pattern, within
//! one call that nothing interrupts. So a search that would take longer than some seconds is an
//! error. To find out, the pattern is compiled within the size that the length of the text leaves
//! for it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use lakegate_error::{Code, Error};
use regex::RegexBuilder;

use super::check;

/// Functions of a text and a pattern, in this order. The others are our own (`posix`), and check
/// between two matches.
pub(super) const SEARCHES: [&str; 1] = ["regexp_like"];

/// Bytes of a text times bytes of a compiled pattern: some seconds at worst, usually milliseconds.
const MOST: usize = 200_000_000_000;
/// Maximum bytes of a compiled pattern in DataFusion's functions.
const MOST_PATTERN: usize = 10 << 20;
/// Bytes that every pattern may take, so that texts of any length can be searched for single
/// characters.
const LEAST_PATTERN: usize = 2048;
/// Bytes of a text up to which several searches may share a call.
const LONG: usize = 32 * 1024;
/// Bytes of text that one call searches.
const CALL: usize = 2 << 20;

/// The texts and patterns of a call.
struct Searched {
    texts: ArrayRef,
    patterns: ArrayRef,
    rows: usize,
}

impl Searched {
    /// Returns `None` if the arguments are not texts. The function itself refuses those.
    fn of(args: &ScalarFunctionArgs) -> Result<Option<Self>> {
        let [text, pattern, ..] = args.args.as_slice() else {
            return Ok(None);
        };
        let (Some(texts), Some(patterns)) = (as_texts(text)?, as_texts(pattern)?) else {
            return Ok(None);
        };
        let rows = match (text, pattern) {
            (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)) => 1,
            _ => args.number_rows,
        };
        Ok(Some(Self {
            texts,
            patterns,
            rows,
        }))
    }

    fn text(&self, row: usize) -> Option<&str> {
        value(&self.texts, row)
    }

    fn pattern(&self, row: usize) -> Option<&str> {
        value(&self.patterns, row)
    }

    fn bytes(&self, row: usize) -> usize {
        self.text(row).map_or(0, str::len)
    }
}

/// Returns a text argument as a column, of one row for a constant; `None` if it is not a text.
pub(super) fn as_texts(value: &ColumnarValue) -> Result<Option<ArrayRef>> {
    let array = match value {
        ColumnarValue::Array(array) => ArrayRef::clone(array),
        ColumnarValue::Scalar(scalar) => scalar.to_array()?,
    };
    Ok(match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(array),
        _ => None,
    })
}

/// Returns the text of a row; `None` for NULL. A constant has one value for all rows.
pub(super) fn value(array: &ArrayRef, row: usize) -> Option<&str> {
    let row = if array.len() == 1 { 0 } else { row };
    if row >= array.len() || array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        _ => array.as_string_view().value(row),
    })
}

/// Returns the bytes that each row's search reads, for callers that call the function in parts.
///
/// # Errors
///
/// Returns an error if a search would take too long.
pub(super) fn lengths(name: &str, args: &ScalarFunctionArgs) -> Result<Option<Vec<usize>>> {
    let Some(searched) = Searched::of(args)? else {
        return Ok(None);
    };
    let lengths: Vec<usize> = (0..searched.rows).map(|row| searched.bytes(row)).collect();
    // If all rows have the same pattern, the longest text decides.
    let longest = (0..lengths.len()).max_by_key(|row| lengths.get(*row));
    let rows = match searched.patterns.len() {
        1 => longest.unwrap_or(0)..longest.map_or(0, |row| row + 1),
        _ => 0..lengths.len(),
    };
    for row in rows {
        let length = lengths.get(row).copied().unwrap_or(0);
        if let Some(pattern) = searched.pattern(row) {
            check_search(name, pattern, length)?;
        }
    }
    Ok(Some(lengths))
}

/// Compiles the pattern within the size that a text of `length` bytes leaves for it, if that is
/// less than any pattern may take.
///
/// # Errors
///
/// Returns an error if the search would take too long or the work must stop.
pub fn check_search(name: &str, pattern: &str, length: usize) -> Result<()> {
    let within = (MOST / length.max(1)).max(LEAST_PATTERN);
    if within >= MOST_PATTERN {
        return Ok(());
    }
    check()?;
    match RegexBuilder::new(pattern).size_limit(within).build() {
        Err(regex::Error::CompiledTooBig(_)) => Err(Error::new(
            Code::ResultTooLarge,
            format!(
                "{name} would take too long: for a text of {length} bytes, the compiled pattern may take {within} bytes at most"
            ),
        )
        .with_hint("search shorter texts, or use fewer repetitions such as {1,100}")
        .into()),
        _ => Ok(()),
    }
}

/// Returns how many of these rows one call takes, at least one.
pub(super) fn rows_of_part(lengths: &[usize]) -> usize {
    let mut all = 0usize;
    let within = lengths.iter().take_while(|length| {
        all = all.saturating_add(**length);
        all <= CALL && **length <= LONG
    });
    within.count().max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_come_in_parts_and_long_ones_alone() {
        assert_eq!(rows_of_part(&[10; 100]), 100);
        assert_eq!(rows_of_part(&[LONG; 1000]), CALL / LONG);
        assert_eq!(rows_of_part(&[10, LONG + 1, 10]), 1);
        assert_eq!(rows_of_part(&[LONG + 1, 10]), 1);
    }
}
