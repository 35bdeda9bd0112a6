//! How large the results of functions that grow may be, for their arguments.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::Estimate;
use super::measure::Argument;
use crate::limits::stop::{check, check_search};
use crate::plans::expressions;

/// The arguments of a call, and the number of its rows.
struct Call {
    arguments: Vec<Argument>,
    rows: usize,
    one_value: bool,
}

impl Call {
    fn of(args: &ScalarFunctionArgs) -> Result<Self> {
        let one_value = expressions::are_constants(&args.args);
        Ok(Self {
            arguments: args.args.iter().map(Argument::of).collect::<Result<_>>()?,
            rows: if one_value { 1 } else { args.number_rows },
            one_value,
        })
    }

    /// Returns the sum of the sizes of all rows.
    fn sum(&self, of_row: impl Fn(&[Argument], usize) -> u64) -> Result<Estimate> {
        let mut bytes = 0u64;
        for row in 0..self.rows {
            bytes = bytes.saturating_add(of_row(&self.arguments, row));
        }
        Ok(self.estimate(bytes))
    }

    fn estimate(&self, bytes: u64) -> Estimate {
        Estimate {
            bytes,
            one_value: self.one_value,
        }
    }

    fn total(&self) -> u64 {
        let totals = self.arguments.iter().map(|arg| arg.total(self.rows));
        totals.fold(0, u64::saturating_add)
    }
}

/// Minimum bytes of a list item, NULL or not.
const ITEM_BYTES: u64 = 8;
/// Maximum bytes of a number or a time as text.
const NUMBER_TEXT_BYTES: u64 = 48;

/// `repeat(text, times)`.
pub(super) fn repeated(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, times, ..] => text.bytes(row).saturating_mul(times.count(row)),
        _ => 0,
    })
}

/// `lpad(text, length[, fill])`: the length is in characters.
pub(super) fn padded(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, length, rest @ ..] => {
            if text.is_null(row) {
                return 0;
            }
            let widest = match rest.first() {
                None => 1,
                Some(fill) => match fill.text(row) {
                    None | Some("") => 0,
                    Some(fill) if fill.is_ascii() => 1,
                    Some(_) => 4,
                },
            };
            let padding = length.count(row).saturating_mul(widest);
            padding.saturating_add(text.bytes(row))
        }
        _ => 0,
    })
}

/// Replaces negative lengths by 0. The engine's own functions panic on a negative length that is
/// not a constant (`lpad.rs` of `datafusion-functions`, 55.2).
pub(super) fn not_negative(length: &mut ColumnarValue) {
    match length {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(length))) => *length = (*length).max(0),
        ColumnarValue::Array(lengths) => {
            if let Some(lengths) = lengths.as_primitive_opt::<Int64Type>()
                && lengths.iter().flatten().any(|length| length < 0)
            {
                let most: Int64Array = lengths.unary(|length| length.max(0));
                *length = ColumnarValue::Array(Arc::new(most));
            }
        }
        ColumnarValue::Scalar(_) => {}
    }
}

/// `array_repeat(item, times)`.
pub(super) fn array_repeated(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [item, times, ..] => {
            let item = item.bytes(row).max(ITEM_BYTES);
            item.saturating_mul(times.count(row))
        }
        _ => 0,
    })
}

/// `array_resize(list, length[, item])`.
pub(super) fn array_resized(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [list, length, rest @ ..] => {
            let item = rest.first().map_or(0, |item| item.bytes(row));
            let added = length.count(row).saturating_mul(item.max(ITEM_BYTES));
            added.saturating_add(list.bytes(row))
        }
        _ => 0,
    })
}

/// `replace(text, from, to)`.
pub(super) fn replaced(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, from, to, ..] => {
            let (Some(text), Some(from)) = (text.text(row), from.text(row)) else {
                return text.bytes(row);
            };
            let (length, to) = (text.len() as u64, to.bytes(row));
            if to <= from.len() as u64 {
                return length;
            }
            // An empty text is found before and after each character.
            let most = text.len().checked_div(from.len());
            let most = most.unwrap_or(text.len() + 1) as u64;
            let times = if most.saturating_mul(to) > super::MAX_VALUE_BYTES / 1024 {
                text.matches(from).count() as u64
            } else {
                most
            };
            length.saturating_add(times.saturating_mul(to))
        }
        _ => 0,
    })
}

/// `regexp_replace(text, pattern, to[, flags])`: `\1` in `to` refers to a part of the match.
pub(super) fn regexp_replaced(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    let [text, pattern, to, rest @ ..] = call.arguments.as_slice() else {
        return Ok(call.estimate(0));
    };
    let parts_of = |to: &str| to.matches(['\\', '$']).count() as u64;
    let parts_of_all = match to.is_constant() {
        true => to.text(0).map(parts_of),
        false => None,
    };
    let mut bytes = 0u64;
    for row in 0..call.rows {
        let (Some(text), Some(to)) = (text.text(row), to.text(row)) else {
            bytes = bytes.saturating_add(text.bytes(row));
            continue;
        };
        let parts = parts_of_all.unwrap_or_else(|| parts_of(to));
        let length = text.len() as u64;
        let flags = rest.iter().rev().find_map(|flags| flags.text(row));
        let flags = flags.unwrap_or_default();
        let times = match flags.contains('g') {
            false => 1,
            true => matches(text, pattern.text(row), flags, to.len() as u64)?,
        };
        let found = length.saturating_mul(parts + 1);
        let made = times.saturating_mul(to.len() as u64);
        bytes = bytes.saturating_add(found).saturating_add(made);
    }
    Ok(call.estimate(bytes))
}

/// Returns an upper bound of the number of matches of a pattern in a text. The matches are counted
/// only if the maximum number would make the result large; `to` is the size of the replacement in
/// bytes.
fn matches(text: &str, pattern: Option<&str>, flags: &str, to: u64) -> Result<u64> {
    let most = text.len() as u64 + 1;
    if most.saturating_mul(to) <= super::MAX_VALUE_BYTES / 1024 {
        return Ok(most);
    }
    let flags: String = flags
        .chars()
        .filter(|flag| "imsUx".contains(*flag))
        .collect();
    let pattern = match flags.is_empty() {
        true => pattern.map(ToOwned::to_owned),
        false => pattern.map(|pattern| format!("(?{flags}){pattern}")),
    };
    let Some(pattern) = pattern else {
        return Ok(0);
    };
    check_search("regexp_replace", &pattern, text.len())?;
    let Ok(regex) = regex::Regex::new(&pattern) else {
        return Ok(most);
    };
    let mut times = 0;
    for _ in regex.find_iter(text) {
        check()?;
        times += 1;
    }
    Ok(times)
}

/// `array_to_string(list, separator[, for_null])`, also of nested lists.
pub(super) fn listed(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [list, separator, rest @ ..] => {
            let held = list.bytes(row);
            // The items of nested lists are not counted; each takes at least one bit.
            let items = list.items(row).max(match list.is_list_of_lists() {
                true => held.saturating_mul(8),
                false => 0,
            });
            let for_null = rest.first().map_or(0, |text| text.bytes(row));
            let each = separator
                .bytes(row)
                .saturating_add(for_null)
                .saturating_add(NUMBER_TEXT_BYTES);
            items.saturating_mul(each).saturating_add(held)
        }
        _ => 0,
    })
}

/// `encode(bytes, format)`: at most two digits per byte; nested calls multiply the factor.
pub(super) fn encoded(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    let first = call.arguments.first();
    let bytes = first.map_or(0, |bytes| bytes.total(call.rows));
    Ok(call.estimate(bytes.saturating_mul(2)))
}

/// `to_char(time, format)`: two letters of a format produce at most 40 bytes.
pub(super) fn formatted(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    let format = call.arguments.get(1);
    let bytes = format.map_or(0, |format| format.total(call.rows));
    Ok(call.estimate(bytes.saturating_mul(20)))
}

/// `translate(text, from, to)`: replaces one character by one character.
pub(super) fn translated(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, _, to, ..] => {
            let widest = match to.text(row) {
                Some(to) if !to.is_ascii() => 4,
                _ => 1,
            };
            text.bytes(row).saturating_mul(widest)
        }
        _ => 0,
    })
}

/// Functions whose result holds all arguments: a value that is passed twice counts twice.
pub(super) fn together(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    Ok(call.estimate(call.total()))
}

/// `concat_ws(separator, …)`.
pub(super) fn separated(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    let separator = call.arguments.first();
    let one = separator.map_or(0, |separator| separator.total(call.rows));
    let more = call.arguments.len().saturating_sub(3) as u64;
    let bytes = call.total().saturating_add(one.saturating_mul(more));
    Ok(call.estimate(bytes))
}

/// `array_replace(list, from, to[, times])`: any item may become `to`.
pub(super) fn items_replaced(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [list, _, to, ..] => {
            let made = list.items(row).saturating_mul(to.bytes(row));
            made.saturating_add(list.bytes(row))
        }
        _ => 0,
    })
}

/// `string_to_array(text, separator[, null])`: each piece takes a list entry.
pub(super) fn in_pieces(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, separator, ..] => {
            let (Some(text), separator) = (text.text(row), separator.text(row)) else {
                return 0;
            };
            let pieces = match separator {
                // One piece per character.
                None => text.len() as u64,
                Some("") => 1,
                Some(separator) => text.matches(separator).count() as u64 + 1,
            };
            let entries = pieces.saturating_mul(2 * ITEM_BYTES);
            entries.saturating_add(text.len() as u64)
        }
        _ => 0,
    })
}

/// `regexp_match(text, pattern[, flags])`: each group may hold the whole text.
pub(super) fn captured(args: &ScalarFunctionArgs) -> Result<Estimate> {
    Call::of(args)?.sum(|args, row| match args {
        [text, pattern, ..] => {
            let groups = pattern.text(row).unwrap_or_default().matches('(').count() as u64;
            text.bytes(row).saturating_mul(groups + 1)
        }
        _ => 0,
    })
}

/// Casts to a type that an argument names. A type of fixed width takes its width for NULL too.
pub(super) fn of_type(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let call = Call::of(args)?;
    let width = width(args.return_field.data_type());
    let fixed = width.saturating_mul(call.rows.max(1) as u64);
    Ok(call.estimate(fixed.saturating_add(call.total())))
}

/// Returns the bytes that every value of this type takes.
pub(super) fn width(data_type: &arrow::datatypes::DataType) -> u64 {
    use arrow::datatypes::DataType as T;
    match data_type {
        T::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0),
        T::FixedSizeList(item, length) => {
            let length = u64::try_from(*length).unwrap_or(0);
            length.saturating_mul(width(item.data_type()).max(1))
        }
        T::Struct(fields) => fields
            .iter()
            .map(|field| width(field.data_type()))
            .fold(0, u64::saturating_add),
        other => other.primitive_width().unwrap_or(4) as u64,
    }
}
