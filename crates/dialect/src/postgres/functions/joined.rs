//! The last step of `string_agg` of bytes, and of `string_agg` with a delimiter for each row, from
//! the list of the values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_engine::{bounded, stop};
use lakegate_error::{Code, Error};

/// The function that such calls are rewritten to: `$joined(values, delimiter)`. The delimiter is a
/// list, too, if each row has its own.
pub(in crate::postgres) const JOINED: &str = "$joined";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

pub(super) fn joined() -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Joined { signature }))
}

/// Returns the type of a list's items, or the type itself.
fn item(of: &DataType) -> &DataType {
    match of {
        DataType::List(item) => item.data_type(),
        other => other,
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        JOINED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [values, delimiter] = types {
            let (value, delimiter) = (item(values), item(delimiter));
            let is_text = |of: &DataType| of.is_string() || of.is_null();
            let is_bytes = |of: &DataType| of.is_binary() || of.is_null();
            if is_text(value) && is_text(delimiter) {
                return Ok(DataType::Utf8);
            }
            if is_bytes(value) && (is_bytes(delimiter) || is_text(delimiter)) {
                return Ok(DataType::Binary);
            }
        }
        let error = "function string_agg does not exist for such values; cast them to text";
        Err(Error::new(Code::FunctionNotFound, error).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let returns = args.return_field.data_type().clone();
        let [values, delimiters] = <[ColumnarValue; 2]>::try_from(args.args).map_err(|args| {
            DataFusionError::Internal(format!("{JOINED} with {} arguments", args.len()))
        })?;
        let joined = lists(&values.into_array(rows)?, &delimiters.into_array(rows)?)?;
        Ok(ColumnarValue::Array(cast(&joined, &returns)?))
    }
}

/// Joins the items of each list that are not NULL. A delimiter comes before its item, except before
/// the first one. A delimiter that is NULL is empty.
///
/// # Errors
///
/// A result is too large, or the query must stop.
fn lists(lists: &ArrayRef, delimiters: &ArrayRef) -> Result<ArrayRef> {
    let Some(lists) = lists.as_list_opt::<i32>() else {
        return Ok(Arc::new(BinaryArray::new_null(lists.len())));
    };
    let items = bytes(lists.values())?;
    let of_rows = delimiters.as_list_opt::<i32>();
    let delimiters = bytes(of_rows.map_or(delimiters, |lists| lists.values()))?;
    let starts = of_rows.map(|lists| lists.value_offsets());
    let mut made = BinaryBuilder::new();
    let mut total = 0_usize;
    for (row, ends) in lists.value_offsets().windows(2).enumerate() {
        stop::check()?;
        let &[start, end] = ends else { continue };
        let mut value: Option<Vec<u8>> = None;
        for place in start..end {
            let Some(item) = at(&items, place).filter(|_| lists.is_valid(row)) else {
                continue;
            };
            match &mut value {
                None => value = Some(item.to_vec()),
                Some(value) => {
                    let delimiter = match starts {
                        Some(starts) => starts.get(row).map(|first| first + (place - start)),
                        None => i32::try_from(row).ok(),
                    };
                    let delimiter = delimiter.and_then(|place| at(&delimiters, place));
                    value.extend_from_slice(delimiter.unwrap_or_default());
                    value.extend_from_slice(item);
                    bounded::check_value("string_agg", value.len())?;
                }
            }
        }
        total = total.saturating_add(value.as_ref().map_or(0, Vec::len));
        bounded::check_batch("string_agg", total)?;
        made.append_option(value);
    }
    Ok(Arc::new(made.finish()))
}

/// Returns a value; `None` if it is NULL, or there is none.
fn at(values: &BinaryArray, place: i32) -> Option<&[u8]> {
    let place = usize::try_from(place).ok()?;
    (place < values.len() && values.is_valid(place)).then(|| values.value(place))
}

fn bytes(values: &ArrayRef) -> Result<BinaryArray> {
    let values = match values.data_type().is_binary() {
        true => cast(values, &DataType::Binary)?,
        false => cast(&cast(values, &DataType::Utf8)?, &DataType::Binary)?,
    };
    Ok(values.as_binary::<i32>().clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ListBuilder, StringArray, StringBuilder};

    use super::*;

    fn texts(rows: &[Option<&[Option<&str>]>]) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in rows {
            let Some(row) = row else {
                lists.append(false);
                continue;
            };
            for text in *row {
                lists.values().append_option(*text);
            }
            lists.append(true);
        }
        Arc::new(lists.finish())
    }

    fn joined(values: &ArrayRef, delimiters: &ArrayRef) -> Vec<Option<String>> {
        let joined = lists(values, delimiters).unwrap();
        let joined = cast(&joined, &DataType::Utf8).unwrap();
        let texts = joined.as_string::<i32>().iter();
        texts.map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn delimiters_come_before_their_items() {
        let values = texts(&[
            Some(&[Some("a"), None, Some("b"), Some("c")]),
            None,
            Some(&[None]),
            Some(&[Some(""), Some("z")]),
        ]);
        let own = texts(&[
            Some(&[Some("1"), Some("2"), Some("3"), None]),
            None,
            Some(&[Some("4")]),
            Some(&[Some("5"), Some("6")]),
        ]);
        let expected = |texts: [Option<&str>; 4]| texts.map(|text| text.map(str::to_owned));
        assert_eq!(
            joined(&values, &own),
            expected([Some("a3bc"), None, None, Some("6z")])
        );
        let same: ArrayRef = Arc::new(StringArray::from(vec!["-"; 4]));
        assert_eq!(
            joined(&values, &same),
            expected([Some("a-b-c"), None, None, Some("-z")])
        );
        // The offsets of a slice do not begin at 0.
        assert_eq!(
            joined(&values.slice(3, 1), &own.slice(3, 1)),
            [Some("6z".to_owned())]
        );
    }
}
