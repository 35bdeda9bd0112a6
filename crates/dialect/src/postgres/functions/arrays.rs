//! Array functions of Postgres that the engine lacks.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{partition, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction, invalid};

/// The function that `mode()` calls.
pub(in crate::postgres) const MOST_FREQUENT: &str = "$most_frequent";

/// Functions that return an array of their argument's elements.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Copy)]
enum Kind {
    /// `array_or_empty(a)`: an empty array for NULL, which `ARRAY(SELECT …)` returns.
    OrEmpty,
    /// `pg_expandarray(a)`: a list of `{x: item, n: its index from 1}`.
    Expand,
    /// `$most_frequent(a)`: the most frequent item of a sorted array, the first of several.
    MostFrequent,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayFunction {
    kind: Kind,
    signature: Signature,
}

impl ArrayFunction {
    fn udf(kind: Kind) -> Arc<ScalarUDF> {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { kind, signature }))
    }
}

fn item_field(data_type: &DataType) -> Result<FieldRef> {
    match data_type {
        DataType::List(item) => Ok(Arc::clone(item)),
        DataType::Null => Ok(Arc::new(Field::new_list_field(DataType::Null, true))),
        other => Err(invalid(format!("an array is wanted here, not {other}"))),
    }
}

fn expanded_fields(item: &Field) -> Fields {
    vec![
        Field::new("x", item.data_type().clone(), true),
        Field::new("n", DataType::Int64, true),
    ]
    .into()
}

impl ScalarUDFImpl for ArrayFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::OrEmpty => "array_or_empty",
            Kind::Expand => "pg_expandarray",
            Kind::MostFrequent => MOST_FREQUENT,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let item = item_field(types.first().unwrap_or(&DataType::Null))?;
        Ok(match self.kind {
            Kind::OrEmpty => DataType::List(item),
            Kind::Expand => DataType::new_list(DataType::Struct(expanded_fields(&item)), true),
            Kind::MostFrequent => item.data_type().clone(),
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        Ok(Arc::new(Field::new(
            self.name(),
            self.return_type(&types)?,
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let Some(list) = args.args.into_iter().next() else {
            return Err(DataFusionError::Internal(format!(
                "{} without an argument",
                self.name()
            )));
        };
        let list = list.into_array(rows)?;
        if self.kind == Kind::MostFrequent {
            return Ok(ColumnarValue::Array(most_frequent(&list)?));
        }
        if list.data_type() == &DataType::Null {
            let DataType::List(item) = args.return_field.data_type() else {
                return Err(invalid("an array is wanted here"));
            };
            return Ok(ColumnarValue::Array(Arc::new(ListArray::new_null(
                Arc::clone(item),
                rows,
            ))));
        }
        let (values, lengths) = compact(list.as_list::<i32>())?;
        let item = item_field(list.data_type())?;
        let (item, values): (FieldRef, ArrayRef) = match self.kind {
            Kind::OrEmpty | Kind::MostFrequent => (item, values),
            Kind::Expand => {
                let numbers = lengths
                    .iter()
                    .flat_map(|length| (1..=*length).map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
                let fields = expanded_fields(&item);
                let items = StructArray::try_new(fields.clone(), vec![values, numbers], None)?;
                (
                    Arc::new(Field::new_list_field(DataType::Struct(fields), true)),
                    Arc::new(items),
                )
            }
        };
        let list = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// Returns the most frequent item of each list, whose equal items are neighbours; NULL of an empty
/// one.
///
/// # Errors
///
/// The query must stop.
fn most_frequent(lists: &ArrayRef) -> Result<ArrayRef> {
    let Some(lists) = lists.as_list_opt::<i32>() else {
        return Ok(new_null_array(&DataType::Null, lists.len()));
    };
    let mut places: Vec<Option<u32>> = Vec::with_capacity(lists.len());
    for (row, offset) in lists.value_offsets().iter().take(lists.len()).enumerate() {
        stop::check()?;
        if lists.is_null(row) {
            places.push(None);
            continue;
        }
        let mut longest = 0..0;
        for range in partition(&[lists.value(row)])?.ranges() {
            if range.len() > longest.len() {
                longest = range;
            }
        }
        let start = u32::try_from(longest.start).ok();
        let place = u32::try_from(*offset).ok().zip(start);
        places.push(match longest.is_empty() {
            true => None,
            false => place.and_then(|(offset, start)| offset.checked_add(start)),
        });
    }
    Ok(take(lists.values(), &UInt32Array::from(places), None)?)
}

/// Returns the items of all lists, without those under a NULL, and the lists' lengths.
fn compact(list: &ListArray) -> Result<(ArrayRef, Vec<usize>)> {
    let mut indices = Vec::new();
    let mut lengths = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let start = u32::try_from(list.value_offsets()[row]).unwrap_or(0);
        let length = if list.is_null(row) {
            0
        } else {
            u32::try_from(list.value_length(row)).unwrap_or(0)
        };
        indices.extend(start..start + length);
        lengths.push(length as usize);
    }
    Ok((
        take(list.values(), &UInt32Array::from(indices), None)?,
        lengths,
    ))
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        ArrayFunction::udf(Kind::OrEmpty),
        ArrayFunction::udf(Kind::Expand),
        ArrayFunction::udf(Kind::MostFrequent),
        // Converts a LIKE pattern from another escape character, since the engine supports only the
        // backslash.
        PgFunction::new("like_escape", 2..=2, DataType::Utf8, |args| {
            let (pattern, escape) = (
                args[0].to_text().unwrap_or_default(),
                args[1].to_text().unwrap_or_default(),
            );
            let Some(pattern) = with_backslash(&pattern, &escape) else {
                let error = Error::new(Code::InvalidEscape, "invalid escape string");
                return Err(error
                    .with_hint("Escape string must be empty or one character.")
                    .into());
            };
            Ok(Cell::text(pattern))
        })
        .immutable()
        .into_udf(),
    ]
}

/// Returns a pattern of LIKE with the backslash in the place of another escape character, or of none;
/// `None` if the escape has several characters.
pub(in crate::postgres) fn with_backslash(pattern: &str, escape: &str) -> Option<String> {
    let mut letters = escape.chars();
    let escape = letters.next();
    if letters.next().is_some() {
        return None;
    }
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            out.push('\\');
            out.extend(chars.next());
        } else if c == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(c);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn the_first_of_the_most_frequent_items_is_found() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), Some(2), Some(2), Some(3), Some(3)]),
            Some(vec![]),
            None,
            Some(vec![Some(7)]),
        ]);
        let found = most_frequent(&(Arc::new(lists.slice(0, 4)) as ArrayRef)).unwrap();
        let found = found.as_primitive::<Int32Type>();
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            [Some(2), None, None, Some(7)]
        );
        // The offsets of a slice do not begin at 0.
        let found = most_frequent(&(Arc::new(lists.slice(2, 2)) as ArrayRef)).unwrap();
        let found = found.as_primitive::<Int32Type>();
        assert_eq!(found.iter().collect::<Vec<_>>(), [None, Some(7)]);
    }

    #[test]
    fn another_escape_character_becomes_the_backslash() {
        let with = |pattern: &str, escape: &str| with_backslash(pattern, escape).unwrap();
        assert_eq!(with("pg/_%", "/"), "pg\\_%");
        assert_eq!(with("a//b\\c", "/"), "a\\/b\\\\c");
        assert_eq!(with("a_b", ""), "a_b");
        assert_eq!(with("a/", "/"), "a\\");
        assert_eq!(with_backslash("a", "//"), None);
    }
}
