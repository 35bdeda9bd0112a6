//! A partition value: text that must be a value of its key's type.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::error::{CatalogError, Result};
use crate::hive_type::HiveType;
use crate::model::Table;

/// The value that stands for NULL.
pub const HIVE_DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The longest value, in characters (Glue's bound).
pub const MAX_VALUE_CHARS: usize = 1024;

/// Whether a partition value is NULL.
pub fn is_null(value: &str) -> bool {
    value == HIVE_DEFAULT_PARTITION
}

/// A partition key: a name and a primitive type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionKey {
    /// Lower case.
    pub name: String,
    pub data_type: HiveType,
}

impl PartitionKey {
    /// A key.
    pub fn new(name: impl Into<String>, data_type: HiveType) -> Self {
        PartitionKey {
            name: name.into(),
            data_type,
        }
    }

    /// The keys of a table, in order.
    ///
    /// # Errors
    /// `InvalidInput` if a key's type is not a Hive type; those of stored tables are.
    pub fn of_table(table: &Table) -> Result<Arc<[PartitionKey]>> {
        table
            .partition_keys
            .iter()
            .map(|column| Ok(PartitionKey::new(&column.name, column.data_type.parse()?)))
            .collect()
    }
}

/// The canonical text of a value: the same for two texts exactly if they are the same value of the
/// key's type (`07` and `7` of an `int`, `1.50` and `1.5` of a `decimal(3,2)`). NULL stays
/// [`HIVE_DEFAULT_PARTITION`].
///
/// Accepted: `YYYY-MM-DD` for a date, `YYYY-MM-DD HH:MM:SS[.f]` with at most microseconds for a
/// timestamp, digits with a sign and leading zeros for whole numbers, no more digits than the type
/// has for a decimal, `true` and `false` in any case.
///
/// # Errors
/// `InvalidInput` that names key, value and type.
pub fn canonical_value<'a>(key: &PartitionKey, value: &'a str) -> Result<Cow<'a, str>> {
    if is_null(value) {
        return Ok(Cow::Borrowed(value));
    }
    if value.is_empty() {
        return Err(CatalogError::invalid(format!(
            "partition key \"{}\" has an empty value; NULL is written {HIVE_DEFAULT_PARTITION}",
            key.name
        )));
    }
    if value.len() > MAX_VALUE_CHARS && value.chars().nth(MAX_VALUE_CHARS).is_some() {
        return Err(CatalogError::invalid(format!(
            "the value of partition key \"{}\" is longer than {MAX_VALUE_CHARS} characters",
            key.name
        )));
    }
    match canonical(&key.data_type, value) {
        Ok(text) => Ok(text),
        Err(wanted) => Err(CatalogError::invalid(format!(
            "partition key \"{}\": {:?} is not a value of type {}; {wanted}",
            key.name, value, key.data_type
        ))),
    }
}

/// The canonical text, or what would be right.
fn canonical<'a>(data_type: &HiveType, value: &'a str) -> Result<Cow<'a, str>, String> {
    match data_type {
        HiveType::String | HiveType::Binary => Ok(Cow::Borrowed(value)),
        HiveType::Varchar(most) => within(value, *most),
        // Trailing spaces do not count in a char.
        HiveType::Char(most) => within(value.trim_end_matches(' '), *most),
        HiveType::TinyInt => integer(value, i8::MIN.into(), i8::MAX.into()),
        HiveType::SmallInt => integer(value, i16::MIN.into(), i16::MAX.into()),
        HiveType::Int => integer(value, i32::MIN.into(), i32::MAX.into()),
        HiveType::BigInt => integer(value, i64::MIN, i64::MAX),
        HiveType::Float => match value.parse::<f32>() {
            // Adding 0 makes -0 into 0.
            Ok(number) if number.is_finite() => Ok(Cow::Owned((number + 0.0).to_string())),
            _ => Err("use a number such as 1.5".to_owned()),
        },
        HiveType::Double => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Cow::Owned((number + 0.0).to_string())),
            _ => Err("use a number such as 1.5".to_owned()),
        },
        HiveType::Decimal(precision, scale) => decimal(value, *precision, *scale),
        HiveType::Boolean if value.eq_ignore_ascii_case("true") => Ok(Cow::Borrowed("true")),
        HiveType::Boolean if value.eq_ignore_ascii_case("false") => Ok(Cow::Borrowed("false")),
        HiveType::Boolean => Err("use true or false".to_owned()),
        HiveType::Date => date(value),
        HiveType::Timestamp => timestamp(value),
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => {
            Err("a partition key must have a primitive type".to_owned())
        }
    }
}

fn within(value: &str, most: u32) -> Result<Cow<'_, str>, String> {
    let characters = usize::try_from(most).unwrap_or(usize::MAX);
    if value.chars().nth(characters).is_some() {
        Err(format!("use at most {most} characters"))
    } else {
        Ok(Cow::Borrowed(value))
    }
}

fn integer(value: &str, least: i64, most: i64) -> Result<Cow<'_, str>, String> {
    match value.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Cow::Owned(number.to_string())),
        _ => Err(format!("use a whole number from {least} to {most}")),
    }
}

fn decimal(value: &str, precision: u8, scale: u8) -> Result<Cow<'_, str>, String> {
    let wanted = || {
        format!(
            "use a number with at most {} digits before the point and {scale} after it",
            precision.saturating_sub(scale)
        )
    };
    let (negative, digits) = match value.as_bytes().first() {
        Some(b'-') => (true, value.get(1..).unwrap_or_default()),
        Some(b'+') => (false, value.get(1..).unwrap_or_default()),
        _ => (false, value),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit());
    if !all_digits || whole.len() + fraction.len() == 0 {
        return Err(wanted());
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > usize::from(precision.saturating_sub(scale))
        || fraction.len() > usize::from(scale)
    {
        return Err(wanted());
    }
    let mut text = String::with_capacity(value.len() + 1);
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        text.push('-');
    }
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    Ok(Cow::Owned(text))
}

/// Whether text has digits where the pattern has `0`, and else the pattern's characters. Chrono
/// alone takes `2024-1-1` and more.
fn has_shape(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, shape)| {
            if shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == shape
            }
        })
}

fn date(value: &str) -> Result<Cow<'_, str>, String> {
    let exists = has_shape(value, "0000-00-00")
        && chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok();
    if exists {
        Ok(Cow::Borrowed(value))
    } else {
        Err("use a date as YYYY-MM-DD".to_owned())
    }
}

fn timestamp(value: &str) -> Result<Cow<'_, str>, String> {
    let wanted = || "use a timestamp as YYYY-MM-DD HH:MM:SS[.ffffff]".to_owned();
    let (seconds, fraction) = match value.split_once('.') {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (value, None),
    };
    let is_fraction =
        |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !has_shape(seconds, "0000-00-00 00:00:00") || fraction.is_some_and(|text| !is_fraction(text))
    {
        return Err(wanted());
    }
    // Chrono takes second 60, a leap second; there is none in a Hive timestamp.
    if seconds.ends_with(":60")
        || NaiveDateTime::parse_from_str(seconds, "%Y-%m-%d %H:%M:%S").is_err()
    {
        return Err(wanted());
    }
    match fraction.map(|text| text.trim_end_matches('0')) {
        None | Some("") => Ok(Cow::Owned(seconds.to_owned())),
        // Rounding would make two folders one partition.
        Some(text) if text.len() > 6 => Err(wanted()),
        Some(text) => Ok(Cow::Owned(format!("{seconds}.{text}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn key(data_type: &str) -> PartitionKey {
        PartitionKey::new("k", data_type.parse().unwrap())
    }

    #[test]
    fn equal_values_have_one_canonical_text() {
        for (data_type, value, canonical) in [
            ("int", "07", "7"),
            ("int", "-0", "0"),
            ("bigint", "-9223372036854775808", "-9223372036854775808"),
            ("tinyint", "127", "127"),
            ("decimal(5,2)", "001.50", "1.5"),
            ("decimal(5,2)", "-0.00", "0"),
            ("decimal(5,2)", ".5", "0.5"),
            ("double", "1.50", "1.5"),
            ("double", "-0", "0"),
            ("boolean", "TRUE", "true"),
            ("date", "2024-02-29", "2024-02-29"),
            ("timestamp", "2024-01-01 00:00:00", "2024-01-01 00:00:00"),
            (
                "timestamp",
                "2024-01-01 00:00:00.500",
                "2024-01-01 00:00:00.5",
            ),
            (
                "timestamp",
                "2024-01-01 00:00:00.000000000",
                "2024-01-01 00:00:00",
            ),
            ("string", "07", "07"),
            ("char(4)", "ab  ", "ab"),
            ("varchar(2)", "ab", "ab"),
            ("int", HIVE_DEFAULT_PARTITION, HIVE_DEFAULT_PARTITION),
        ] {
            assert_eq!(
                canonical_value(&key(data_type), value).unwrap(),
                canonical,
                "{value} as {data_type}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_key_value_and_type() {
        let error = canonical_value(&key("date"), "2024-02-30").unwrap_err();
        assert_eq!(
            error.to_string(),
            "partition key \"k\": \"2024-02-30\" is not a value of type date; use a date as YYYY-MM-DD"
        );
        for (data_type, value) in [
            ("date", "2024-2-3"),
            ("date", "20240203"),
            ("timestamp", "2024-01-01"),
            ("timestamp", "2024-01-01T00:00:00"),
            ("timestamp", "2024-01-01 24:00:00"),
            ("timestamp", "2024-01-01 23:59:60"),
            ("timestamp", "2024-01-01 00:00:00."),
            ("timestamp", "2024-01-01 00:00:00.0000001"),
            ("int", "7 "),
            ("int", "7.0"),
            ("int", "2147483648"),
            ("tinyint", "128"),
            ("decimal(3,2)", "12.5"),
            ("decimal(3,2)", "1.255"),
            ("decimal(3,2)", "."),
            ("decimal(3,2)", "--1"),
            ("double", "nan"),
            ("float", "1e99"),
            ("boolean", "1"),
            ("varchar(2)", "abc"),
            ("string", ""),
        ] {
            assert!(
                canonical_value(&key(data_type), value).is_err(),
                "{value:?} as {data_type}"
            );
        }
        assert!(canonical_value(&key("string"), &"x".repeat(MAX_VALUE_CHARS + 1)).is_err());
    }
}
