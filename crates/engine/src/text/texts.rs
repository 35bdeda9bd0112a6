//! Writes values as text as PostgreSQL does: `CAST(x AS VARCHAR)`, `x || ''`, `concat(x)`.
//!
//! ```text
//! double, real     1, 1e+15, Infinity              DataFusion: 1.0, 1e15, inf
//! interval         1 day, -01:00:00                1 days, -1 hours
//! time             10:00:00.5                      10:00:00.500
//! date             10000-01-01, 0044-03-15 BC      +10000-01-01, -0043-03-15
//! array            {1,NULL,"a b"}                  [1, , a b]
//! row              (1,,"a b")                     an error
//! ```
//!
//! Timestamps, at every depth, are written by `time`. DataFusion writes all other types the same
//! way as PostgreSQL.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float32Type, Float64Type,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_lake::each_text;
use lakegate_lake::float_text::{put_f32, put_f64};

use crate::limits::bounded::check_value;
use crate::limits::stop;
use crate::time::{texts_of_timestamps, with_texts, write_date};
use crate::write_interval;
use crate::{plans::expressions, text::byte_texts};

/// Microseconds per day.
const DAY: i64 = 86_400_000_000;

/// Returns whether values of this type are written here rather than by DataFusion.
pub(crate) fn is_written(data_type: &DataType) -> bool {
    with_texts(data_type).is_some()
        || matches!(
            data_type,
            DataType::Float16
                | DataType::Float32
                | DataType::Float64
                | DataType::Duration(_)
                | DataType::Interval(_)
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Date32
                | DataType::List(_)
                | DataType::LargeList(_)
                | DataType::ListView(_)
                | DataType::FixedSizeList(..)
                | DataType::Struct(_)
        )
}

/// Returns values as a cast to text writes them, if that takes more than their digits: those of
/// texts, integers, booleans and bytes stay as they are.
///
/// # Errors
///
/// Returns an error if the work must stop.
pub fn as_written(values: ArrayRef) -> Result<ArrayRef> {
    let data_type = values.data_type();
    Ok(match is_written(data_type) || data_type.is_decimal() {
        true => Arc::new(texts(&values)?),
        false => values,
    })
}

/// Returns `CAST(value AS target)` for a type that [`is_written`] here; `target` is a text type.
pub(crate) fn written(value: Expr, target: DataType) -> Expr {
    let function = Text {
        target,
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Text {
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Text {
    fn name(&self) -> &str {
        "varchar"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| {
            Ok(cast(&texts(values)?, &self.target)?)
        })
    }
}

/// Returns the values as text, as a cast writes them.
///
/// # Errors
///
/// Returns an error if the type has no text form or the work must stop.
pub(crate) fn texts(values: &ArrayRef) -> Result<StringArray> {
    Ok(match values.data_type() {
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>().iter();
            each_text(values, |out, value| put_f64(out, value, 1))
        }
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>().iter();
            each_text(values, |out, value| put_f32(out, value, 1))
        }
        DataType::Float16 => texts(&cast(values, &DataType::Float32)?)?,
        DataType::Duration(_) => {
            let micros = cast(values, &DataType::Duration(TimeUnit::Microsecond))?;
            let values = micros.as_primitive::<DurationMicrosecondType>().iter();
            each_text(values, |out, value| {
                let days = i32::try_from(value / DAY).unwrap_or(i32::MAX);
                // Cannot fail: the buffer grows.
                let _ = write_interval(out, 0, days, value % DAY);
            })
        }
        DataType::Interval(_) => {
            let parts = cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let values = parts.as_primitive::<IntervalMonthDayNanoType>().iter();
            each_text(values, |out, value| {
                let micros = value.nanoseconds / 1000;
                let _ = write_interval(out, value.months, value.days, micros);
            })
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let micros = cast(values, &DataType::Time64(TimeUnit::Microsecond))?;
            let texts = cast(&micros, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>().iter();
            let trimmed = texts.map(|text| {
                text.map(|text| match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.'),
                    false => text,
                })
            });
            trimmed.collect()
        }
        DataType::Date32 => {
            let values = values.as_primitive::<Date32Type>().iter();
            each_text(values, |out, days| {
                let _ = write_date(out, days);
            })
        }
        DataType::List(_) => lists(values)?,
        DataType::LargeList(item) | DataType::ListView(item) | DataType::FixedSizeList(item, _) => {
            lists(&cast(values, &DataType::List(Arc::clone(item)))?)?
        }
        DataType::Struct(_) => rows(values)?,
        // Unchanged except for timestamps inside it.
        _ => cast(&texts_of_timestamps(values)?, &DataType::Utf8)?
            .as_string::<i32>()
            .clone(),
    })
}

/// Items written between two checks whether the work must stop.
const ITEMS: usize = 64 * 1024;

/// Writes `{a,"b c",NULL}`. Arrays in arrays are not quoted.
fn lists(values: &ArrayRef) -> Result<StringArray> {
    let lists = values.as_list::<i32>();
    let nested = matches!(
        lists.value_type(),
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::FixedSizeList(..)
    );
    let items = lists.values();
    let pieces = (0..items.len()).step_by(ITEMS).map(|start| {
        stop::check()?;
        item_texts(&items.slice(start, ITEMS.min(items.len() - start)))
    });
    let pieces: Vec<StringArray> = pieces.collect::<Result<_>>()?;
    let mut built = StringBuilder::new();
    for (row, ends) in lists.value_offsets().windows(2).enumerate() {
        if lists.is_null(row) {
            built.append_null();
            continue;
        }
        let bounds = |end: Option<&i32>| end.and_then(|end| usize::try_from(*end).ok());
        let range = bounds(ends.first()).unwrap_or(0)..bounds(ends.last()).unwrap_or(0);
        let mut text = String::from("{");
        for index in range.clone() {
            if index > range.start {
                text.push(',');
            }
            if index % ITEMS == 0 {
                stop::check()?;
            }
            let piece = pieces.get(index / ITEMS);
            let item = piece.filter(|piece| piece.is_valid(index % ITEMS));
            match item.map(|piece| piece.value(index % ITEMS)) {
                None => text.push_str("NULL"),
                Some(item) if nested => text.push_str(item),
                Some(item) => push_item(&mut text, item),
            }
        }
        text.push('}');
        built.write_str(&text)?;
        built.append_value("");
    }
    Ok(built.finish())
}

/// Writes values as parts of arrays and rows.
///
/// # Errors
///
/// Returns an error if the type has no text form, the texts are too large or the work must stop.
pub(crate) fn item_texts(items: &ArrayRef) -> Result<StringArray> {
    if let Some(flags) = items.as_boolean_opt() {
        let flags = flags.iter();
        return Ok(flags
            .map(|flag| flag.map(|flag| if flag { "t" } else { "f" }))
            .collect());
    }
    match items.data_type().is_binary() {
        true => Ok(byte_texts::texts(items)?.as_string::<i32>().clone()),
        false => texts(items),
    }
}

/// Writes `(a,"b c",)`. NULL is nothing.
fn rows(values: &ArrayRef) -> Result<StringArray> {
    let rows = values.as_struct();
    let members = rows.columns().iter().map(item_texts);
    let members: Vec<StringArray> = members.collect::<Result<_>>()?;
    let mut built = StringBuilder::new();
    for row in 0..rows.len() {
        if row % ITEMS == 0 {
            stop::check()?;
        }
        if rows.is_null(row) {
            built.append_null();
            continue;
        }
        let mut text = String::from("(");
        for (place, member) in members.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            if member.is_valid(row) {
                push_member(&mut text, member.value(row));
            }
        }
        text.push(')');
        check_value("row", text.len())?;
        built.append_value(text);
    }
    Ok(built.finish())
}

/// Appends a value of a row, in quotes if it would otherwise be read differently.
fn push_member(text: &mut String, member: &str) {
    let special =
        |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',' | '\u{b}') || c.is_ascii_whitespace();
    if !member.is_empty() && !member.contains(special) {
        text.push_str(member);
        return;
    }
    text.push('"');
    for c in member.chars() {
        if matches!(c, '"' | '\\') {
            text.push(c);
        }
        text.push(c);
    }
    text.push('"');
}

/// Appends an item, in quotes if it would otherwise be read differently.
fn push_item(text: &mut String, item: &str) {
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',') || c.is_ascii_whitespace();
    let plain = !item.is_empty() && !item.eq_ignore_ascii_case("null") && !item.contains(special);
    if plain {
        text.push_str(item);
        return;
    }
    text.push('"');
    for c in item.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{
        BinaryArray, BooleanArray, Float32Array, Float64Array, ListArray, StructArray,
    };
    use arrow::datatypes::{Field, Int32Type, IntervalMonthDayNano};
    use lakegate_error::{Code, Error};

    use super::*;

    fn shown(values: ArrayRef) -> Vec<Option<String>> {
        let texts = texts(&values).unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    // Expected texts: PostgreSQL 15.
    #[test]
    fn numbers_and_intervals_are_written_as_postgres_writes_them() {
        let doubles = Float64Array::from(vec![1.0, 0.1, 1e15, 1e-5, f64::NEG_INFINITY, -0.0]);
        assert_eq!(
            shown(Arc::new(doubles)),
            some(&["1", "0.1", "1e+15", "1e-05", "-Infinity", "-0"])
        );
        let reals = Float32Array::from(vec![1.5, 1e6, f32::NAN]);
        assert_eq!(shown(Arc::new(reals)), some(&["1.5", "1e+06", "NaN"]));
        let hour = 3_600_000_000_000;
        let intervals = arrow::array::IntervalMonthDayNanoArray::from(vec![
            IntervalMonthDayNano::new(0, 1, 0),
            IntervalMonthDayNano::new(0, 0, -hour),
            IntervalMonthDayNano::new(14, -1, 100 * hour + 500_000_000),
            IntervalMonthDayNano::new(0, 0, 0),
        ]);
        assert_eq!(
            shown(Arc::new(intervals)),
            some(&[
                "1 day",
                "-01:00:00",
                "1 year 2 mons -1 days +100:00:00.5",
                "00:00:00"
            ])
        );
        let durations = arrow::array::DurationMicrosecondArray::from(vec![DAY, -DAY - 1_000_000]);
        assert_eq!(
            shown(Arc::new(durations)),
            some(&["1 day", "-1 days -00:00:01"])
        );
    }

    #[test]
    fn arrays_are_written_as_postgres_writes_them() {
        let numbers = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            Some(vec![]),
            None,
        ]);
        let written = shown(Arc::new(numbers));
        assert_eq!(written, [&some(&["{1,NULL}", "{}"])[..], &[None]].concat());
        let mut text = String::new();
        for item in ["a", "b c", "", "NULL", "a\"b", "c\\d", "{x}", "a,b"] {
            push_item(&mut text, item);
            text.push(' ');
        }
        assert_eq!(text, r#"a "b c" "" "NULL" "a\"b" "c\\d" "{x}" "a,b" "#);
    }

    #[test]
    fn rows_are_written_as_postgres_writes_them() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[255_u8][..], &[]]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a b", ""]));
        let members = [("n", numbers), ("f", flags), ("b", bytes), ("t", texts)];
        let fields = members.map(|(name, values)| {
            let field = Field::new(name, values.data_type().clone(), true);
            (Arc::new(field), values)
        });
        let rows: ArrayRef = Arc::new(StructArray::from(fields.to_vec()));
        let expected = [r#"(1,t,"\\xff","a b")"#, r#"(,f,"\\x","")"#];
        assert_eq!(shown(rows), some(&expected));
        let mut text = String::new();
        for member in ["a", "", "x\"y", "a\\b", "(", ",", "null"] {
            push_member(&mut text, member);
            text.push(' ');
        }
        assert_eq!(text, r#"a "" "x""y" "a\\b" "(" "," null "#);
    }

    #[test]
    fn long_arrays_are_written_in_pieces_and_stop_between_them() {
        let items = (0..2 * ITEMS as i32 + 10).map(|n| (n % 7 != 0).then_some(n));
        let items: Vec<Option<i32>> = items.collect();
        let long: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(-1)]),
            Some(items.clone()),
        ]));
        let shown_items = items.iter().map(|item| match item {
            Some(item) => item.to_string(),
            None => "NULL".to_owned(),
        });
        let expected = format!("{{{}}}", shown_items.collect::<Vec<_>>().join(","));
        assert_eq!(shown(Arc::clone(&long)), some(&["{-1}", expected.as_str()]));
        let stop = Arc::new(stop::Stop::default());
        let _entered = stop.enter();
        stop.stop(Error::new(Code::QueryCancelled, "stopped"));
        assert!(texts(&long).is_err());
    }
}
