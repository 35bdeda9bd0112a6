//! Arrow values in PostgreSQL's text format, as in the golden files, derived only from the value
//! and its Arrow type.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::{as_datetime, as_time};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeZone};

/// Returns the text of one cell, or `None` for NULL.
pub(crate) fn text(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean if column.as_boolean().value(row) => "t".to_owned(),
        DataType::Boolean => "f".to_owned(),
        DataType::Binary => hex(column.as_binary::<i32>().value(row)),
        DataType::Timestamp(..) => timestamp(column, row, ' '),
        DataType::List(_) if has_items(column, row) == Some(false) => "{}".to_owned(),
        DataType::List(_) if has_items(column, row).is_some() => array(column, row),
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => json(column, row),
        _ => scalar(column, row),
    })
}

/// Returns whether an array of any dimensions has items; `None` if PostgreSQL has no arrays of their
/// type.
fn has_items(column: &ArrayRef, row: usize) -> Option<bool> {
    let DataType::List(mut item) = column.data_type().clone() else {
        return None;
    };
    while let DataType::List(inner) = item.data_type().clone() {
        item = inner;
    }
    if matches!(item.data_type(), DataType::Struct(_) | DataType::Map(..)) {
        return None;
    }
    let items = column.as_list::<i32>().value(row);
    Some(match items.data_type() {
        DataType::List(_) => (0..items.len())
            .any(|item| items.is_null(item) || has_items(&items, item) == Some(true)),
        _ => !items.is_empty(),
    })
}

fn array(column: &ArrayRef, row: usize) -> String {
    let items = column.as_list::<i32>().value(row);
    let is_nested = matches!(items.data_type(), DataType::List(_));
    let items: Vec<String> = (0..items.len())
        .map(|item| match is_nested && items.is_valid(item) {
            true => array(&items, item),
            false => text(&items, item).map_or_else(|| "NULL".to_owned(), quoted_item),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

/// Returns the text of a value that is the same on its own and as part of another value.
fn scalar(column: &ArrayRef, row: usize) -> String {
    use DataType as T;
    match column.data_type() {
        T::Int8 => number::<Int8Type>(column, row),
        T::Int16 => number::<Int16Type>(column, row),
        T::Int32 => number::<Int32Type>(column, row),
        T::Int64 => number::<Int64Type>(column, row),
        T::UInt8 => number::<UInt8Type>(column, row),
        T::UInt16 => number::<UInt16Type>(column, row),
        T::UInt32 => number::<UInt32Type>(column, row),
        T::UInt64 => number::<UInt64Type>(column, row),
        T::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            float(&format!("{value:e}"), &value.to_string(), 6)
        }
        T::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            float(&format!("{value:e}"), &value.to_string(), 15)
        }
        T::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        T::Decimal256(..) => column.as_primitive::<Decimal256Type>().value_as_string(row),
        T::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        T::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        T::Date32 => date(moment::<Date32Type>(column, row).date()),
        T::Date64 => date(moment::<Date64Type>(column, row).date()),
        T::Time32(TimeUnit::Second) => time::<Time32SecondType>(column, row),
        T::Time32(_) => time::<Time32MillisecondType>(column, row),
        T::Time64(TimeUnit::Microsecond) => time::<Time64MicrosecondType>(column, row),
        T::Time64(_) => time::<Time64NanosecondType>(column, row),
        T::Interval(IntervalUnit::MonthDayNano) => {
            let value = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            interval(value.months, value.days, value.nanoseconds / 1_000)
        }
        T::Duration(unit) => {
            let value = match unit {
                TimeUnit::Second => number::<DurationSecondType>(column, row) + "000000",
                TimeUnit::Millisecond => number::<DurationMillisecondType>(column, row) + "000",
                TimeUnit::Microsecond => number::<DurationMicrosecondType>(column, row),
                TimeUnit::Nanosecond => {
                    let value = column.as_primitive::<DurationNanosecondType>().value(row);
                    (value / 1_000).to_string()
                }
            };
            let micros: i64 = value.parse().unwrap();
            let days = i32::try_from(micros / 86_400_000_000).unwrap();
            interval(0, days, micros % 86_400_000_000)
        }
        other => panic!("no text is known of a value of type {other}"),
    }
}

fn number<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> String
where
    T::Native: ToString,
{
    column.as_primitive::<T>().value(row).to_string()
}

/// Returns the fewest digits that identify the number, with an exponent if that is below -4 or
/// there are `most` digits before the point.
fn float(scientific: &str, plain: &str, most: i32) -> String {
    match scientific {
        "inf" => return "Infinity".to_owned(),
        "-inf" => return "-Infinity".to_owned(),
        "NaN" => return "NaN".to_owned(),
        _ => {}
    }
    let (digits, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    if (-4..most).contains(&exponent) {
        return plain.to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{digits}")
}

fn date(date: NaiveDate) -> String {
    if date.year() > 0 {
        date.format("%Y-%m-%d").to_string().replace('+', "")
    } else {
        // There is no year 0.
        format!("{:04}{} BC", 1 - date.year(), date.format("-%m-%d"))
    }
}

/// Returns `.5` for half a second, and nothing for a whole one.
fn fraction(micros: u32) -> String {
    let digits = format!(".{micros:06}");
    digits
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn time<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> String
where
    i64: From<T::Native>,
{
    use chrono::Timelike;
    let value = column.as_primitive::<T>().value(row);
    let time = as_time::<T>(value.into()).unwrap();
    format!(
        "{}{}",
        time.format("%H:%M:%S"),
        fraction(time.nanosecond() / 1_000)
    )
}

fn moment<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> NaiveDateTime
where
    i64: From<T::Native>,
{
    let value = column.as_primitive::<T>().value(row);
    as_datetime::<T>(value.into()).unwrap()
}

/// Formats a timestamp in the time zone of its type.
fn timestamp(column: &ArrayRef, row: usize, between: char) -> String {
    let DataType::Timestamp(unit, zone) = column.data_type() else {
        panic!("{} is no timestamp", column.data_type());
    };
    let moment = match unit {
        TimeUnit::Second => moment::<TimestampSecondType>(column, row),
        TimeUnit::Millisecond => moment::<TimestampMillisecondType>(column, row),
        TimeUnit::Microsecond => moment::<TimestampMicrosecondType>(column, row),
        TimeUnit::Nanosecond => moment::<TimestampNanosecondType>(column, row),
    };
    let (moment, offset) = match zone {
        None => (moment, String::new()),
        Some(zone) => {
            let there = in_zone(moment, zone);
            (there.naive_local(), offset(*there.offset()))
        }
    };
    let micros = moment.and_utc().timestamp_subsec_micros();
    let day = date(moment.date());
    let (day, era) = match day.strip_suffix(" BC") {
        Some(day) => (day, " BC"),
        None => (day.as_str(), ""),
    };
    let clock = moment.format("%H:%M:%S");
    format!("{day}{between}{clock}{}{offset}{era}", fraction(micros))
}

fn in_zone(utc: NaiveDateTime, zone: &str) -> DateTime<FixedOffset> {
    if let Ok(offset) = zone.parse::<FixedOffset>() {
        return offset.from_utc_datetime(&utc);
    }
    let zone: chrono_tz::Tz = zone.parse().unwrap();
    let there = zone.from_utc_datetime(&utc);
    there.with_timezone(&there.offset().fix())
}

/// Formats an offset: `+09`, `+05:30`.
fn offset(offset: FixedOffset) -> String {
    let seconds = offset.local_minus_utc();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    match minutes % 60 {
        0 => format!("{sign}{:02}", minutes / 60),
        rest => format!("{sign}{:02}:{rest:02}", minutes / 60),
    }
}

/// Formats an interval as with `intervalstyle` postgres: `1 year 2 mons 3 days 04:05:06.7`.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut parts = Vec::new();
    for (count, one, many) in [
        (months / 12, "year", "years"),
        (months % 12, "mon", "mons"),
        (days, "day", "days"),
    ] {
        if count != 0 {
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        let rest = u32::try_from(micros % 1_000_000).unwrap();
        parts.push(format!(
            "{sign}{:02}:{:02}:{:02}{}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            fraction(rest)
        ));
    }
    parts.join(" ")
}

/// Quotes an item like `array_out`.
fn quoted_item(item: String) -> String {
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',') || c.is_ascii_whitespace();
    if !item.is_empty() && !item.eq_ignore_ascii_case("null") && !item.contains(special) {
        return item;
    }
    let escaped = item.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Formats a value like `to_json`.
fn json(column: &ArrayRef, row: usize) -> String {
    use DataType as T;
    if column.is_null(row) {
        return "null".to_owned();
    }
    let string = |text: &str| serde_json::Value::from(text).to_string();
    match column.data_type() {
        T::Null => "null".to_owned(),
        T::Boolean => column.as_boolean().value(row).to_string(),
        T::Struct(fields) => {
            let members = fields.iter().zip(column.as_struct().columns());
            let members: Vec<String> = members
                .map(|(field, values)| format!("{}:{}", string(field.name()), json(values, row)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        T::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let members: Vec<String> = (0..entries.len())
                .map(|entry| {
                    let key = text(keys, entry).unwrap();
                    format!("{}:{}", string(&key), json(values, entry))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
        T::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items: Vec<String> = (0..items.len()).map(|item| json(&items, item)).collect();
            format!("[{}]", items.join(","))
        }
        T::Binary => string(&hex(column.as_binary::<i32>().value(row))),
        T::Timestamp(..) => string(&timestamp(column, row, 'T')),
        T::Float32 | T::Float64 => {
            let text = scalar(column, row);
            let finite = !text.contains(['N', 'I']);
            if finite { text } else { string(&text) }
        }
        numeric if numeric.is_numeric() => scalar(column, row),
        _ => string(&scalar(column, row)),
    }
}
