//! Regular expressions that can be stopped.
//!
//! A search takes the length of the text times the size of the compiled pattern at worst, within one call that nothing interrupts. So
//! what would take longer than some seconds is an error; it is known by compiling the pattern within what the length of the text leaves
//! for it. Functions that search again and again may look at the whole rest of a text each time; where texts are long, that is done
//! here, and asks between two matches.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use regex::{Regex, RegexBuilder};

use super::check;
use crate::error::{Code, Error};

/// Functions of a text and a pattern, in this order.
pub(super) const SEARCHES: [&str; 5] = [
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
];

/// Bytes of a text times bytes of a compiled pattern: some seconds at worst, milliseconds mostly.
const MOST: usize = 200_000_000_000;
/// Bytes that a compiled pattern may take in any case, in the engine's functions.
const MOST_PATTERN: usize = 10 << 20;
/// The pattern of least bytes, so that texts are searched for single letters whatever their length.
const LEAST_PATTERN: usize = 2048;
/// Bytes of a text in which one search after the other does not take long.
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
    /// `None` for arguments that are no texts, which the function itself refuses.
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

fn as_texts(value: &ColumnarValue) -> Result<Option<ArrayRef>> {
    let array = match value {
        ColumnarValue::Array(array) => ArrayRef::clone(array),
        ColumnarValue::Scalar(scalar) => scalar.to_array()?,
    };
    Ok(match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(array),
        _ => None,
    })
}

/// A constant is one row for all.
fn value(array: &ArrayRef, row: usize) -> Option<&str> {
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

/// Bytes that each row's search looks at, for what calls the function in parts.
///
/// # Errors
/// A search would take too long.
pub(super) fn lengths(name: &str, args: &ScalarFunctionArgs) -> Result<Option<Vec<usize>>> {
    let Some(searched) = Searched::of(args)? else {
        return Ok(None);
    };
    let lengths: Vec<usize> = (0..searched.rows).map(|row| searched.bytes(row)).collect();
    // Of one pattern for all, the longest text decides.
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

/// Compiles the pattern within what a text of so many bytes leaves for it, where that is less than any pattern may take.
///
/// # Errors
/// The search would take too long; the work must stop.
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
                "{name} would take too long: the pattern takes more than the {within} bytes that it may for a text of {length} bytes"
            ),
        )
        .with_hint("search shorter texts, or with a pattern of fewer repetitions such as {1,100}")
        .into()),
        _ => Ok(()),
    }
}

/// How many of these rows one call takes, at least one.
pub(super) fn rows_of_part(lengths: &[usize]) -> usize {
    let mut all = 0usize;
    let within = lengths.iter().take_while(|length| {
        all = all.saturating_add(**length);
        all <= CALL && **length <= LONG
    });
    within.count().max(1)
}

/// Whether a row's text is long enough for [`searched`].
pub(super) fn is_long(length: usize) -> bool {
    length > LONG
}

/// What a function gives that searches one long text again and again; `None` where it searches once.
///
/// `args`: of one row.
///
/// # Errors
/// The pattern is none; the work must stop.
pub(super) fn searched(name: &str, args: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
    let Some(searched) = Searched::of(args)? else {
        return Ok(None);
    };
    let (Some(text), Some(pattern)) = (searched.text(0), searched.pattern(0)) else {
        return Ok(None);
    };
    let rest: Vec<ScalarValue> = args
        .args
        .iter()
        .skip(2)
        .map(|arg| match arg {
            ColumnarValue::Scalar(scalar) => Ok(scalar.clone()),
            ColumnarValue::Array(array) => ScalarValue::try_from_array(array, 0),
        })
        .collect::<Result<_>>()?;
    let made: ArrayRef = match (name, rest.as_slice()) {
        ("regexp_replace", [replacement, flags]) => {
            let (Some(Some(replacement)), Some(Some(flags))) =
                (replacement.try_as_str(), flags.try_as_str())
            else {
                return Ok(None);
            };
            if !flags.contains('g') {
                return Ok(None);
            }
            let regex = compiled(pattern, &flags.replace('g', ""))?;
            let replaced = replaced(&regex, text, &with_groups(replacement)?)?;
            std::sync::Arc::new(StringArray::from(vec![replaced]))
        }
        // From the first letter on.
        ("regexp_count", []) => std::sync::Arc::new(Int64Array::from(vec![counted(
            &compiled(pattern, "")?,
            text,
        )?])),
        _ => return Ok(None),
    };
    let made = cast(&made, args.return_field.data_type())?;
    Ok(Some(ColumnarValue::Array(made)))
}

/// What `regexp_match` gives: the groups of the first match, of one without groups the whole; a group that took no part is NULL, where
/// the engine's own leaves it out (`arrow-string`, `regexp.rs`, 59.3). `None` for arguments that it refuses.
///
/// # Errors
/// The pattern is none; the work must stop.
pub(super) fn matched(args: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
    let Some(searched) = Searched::of(args)? else {
        return Ok(None);
    };
    let flags = match args.args.get(2) {
        None => None,
        Some(ColumnarValue::Scalar(flags)) => match flags.try_as_str().flatten() {
            Some(flags) if flags.chars().all(|flag| "imsUx".contains(flag)) => Some(flags),
            _ => return Ok(None),
        },
        Some(ColumnarValue::Array(_)) => return Ok(None),
    };
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut last: Option<(&str, Regex)> = None;
    for row in 0..searched.rows {
        check()?;
        let (Some(text), Some(pattern)) = (searched.text(row), searched.pattern(row)) else {
            lists.append(false);
            continue;
        };
        let regex = match last.take() {
            Some((known, regex)) if known == pattern => regex,
            _ => compiled(pattern, flags.unwrap_or_default())?,
        };
        match regex.captures(text) {
            None => lists.append(false),
            Some(found) => {
                let first = usize::from(found.len() > 1);
                for group in found.iter().skip(first) {
                    lists
                        .values()
                        .append_option(group.map(|group| group.as_str()));
                }
                lists.append(true);
            }
        }
        last = Some((pattern, regex));
    }
    let lists: ArrayRef = std::sync::Arc::new(lists.finish());
    let lists = cast(&lists, args.return_field.data_type())?;
    let is_constant = |arg: &ColumnarValue| matches!(arg, ColumnarValue::Scalar(_));
    Ok(Some(match args.args.iter().all(is_constant) {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?),
        false => ColumnarValue::Array(lists),
    }))
}

fn compiled(pattern: &str, flags: &str) -> Result<Regex> {
    let pattern = match flags {
        "" => pattern.to_owned(),
        flags => format!("(?{flags}){pattern}"),
    };
    Regex::new(&pattern).map_err(|e| DataFusionError::External(Box::new(e)))
}

/// `\1` is written `${1}` for the replacement of a match (`regexpreplace.rs` of `datafusion-functions`, 55.2).
fn with_groups(replacement: &str) -> Result<String> {
    let groups = compiled(r"\\{1,2}(\d+)", "")?;
    Ok(groups.replace_all(replacement, "$${$1}").into_owned())
}

fn replaced(regex: &Regex, text: &str, replacement: &str) -> Result<String> {
    let mut made = String::new();
    let mut last = 0;
    for found in regex.captures_iter(text) {
        check()?;
        let Some(whole) = found.get(0) else {
            continue;
        };
        made.push_str(text.get(last..whole.start()).unwrap_or_default());
        found.expand(replacement, &mut made);
        crate::engine::bounded::check_value("regexp_replace", made.len())?;
        last = whole.end();
    }
    made.push_str(text.get(last..).unwrap_or_default());
    Ok(made)
}

fn counted(regex: &Regex, text: &str) -> Result<i64> {
    let mut count = 0;
    for _ in regex.find_iter(text) {
        check()?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn long_texts_are_replaced_and_counted_as_short_ones_are() {
        for (pattern, replacement) in [
            ("b", "x"),
            ("(a)(b)?", r"[\2\1]"),
            ("", "-"),
            ("z", "y"),
            ("(?i)A+", r"$0\\1"),
            ("ä|b$", "ß"),
        ] {
            let text = "aabäbaab";
            let regex = Regex::new(pattern).unwrap();
            let replacement = with_groups(replacement).unwrap();
            assert_eq!(
                replaced(&regex, text, &replacement).unwrap(),
                regex.replace_all(text, replacement.as_str()),
                "{pattern}"
            );
            let count = regex.find_iter(text).count();
            assert_eq!(usize::try_from(counted(&regex, text).unwrap()), Ok(count));
        }
    }

    #[test]
    fn rows_come_in_parts_and_long_ones_alone() {
        assert_eq!(rows_of_part(&[10; 100]), 100);
        assert_eq!(rows_of_part(&[LONG; 1000]), CALL / LONG);
        assert_eq!(rows_of_part(&[10, LONG + 1, 10]), 1);
        assert_eq!(rows_of_part(&[LONG + 1, 10]), 1);
    }
}
