//! The properties of a table that say how its partitions are projected.

use std::collections::{HashMap, HashSet};

use super::candidates::ProjectedValue;
use super::dates::{DateKind, Dates, End, Unit, distinct_step};
use super::domain::Domain;
use super::integers::Integers;
use super::pattern::{DatePattern, Field};
use crate::error::{CatalogError, Result};
use crate::hive_type::HiveType;
use crate::model::Parameters;
use crate::partition::value::{PartitionKey, canonical_value};

/// The most values of an enum.
const MAX_ENUM_VALUES: usize = 100_000;

/// The most characters to which an integer is padded.
const MAX_DIGITS: u64 = 64;

/// The longest value of a property other than a list and a template, in bytes.
const MAX_PROPERTY: usize = 1024;

/// A table's properties, found by lower-case names.
pub(super) struct Properties<'a> {
    by_name: HashMap<String, &'a str>,
}

impl<'a> Properties<'a> {
    pub(super) fn new(parameters: &'a Parameters) -> Properties<'a> {
        let named = |name: &str| name.starts_with("projection.") || name == super::TEMPLATE;
        let lower = parameters
            .iter()
            .map(|(name, value)| (name.trim().to_lowercase(), value.as_str()));
        Properties {
            by_name: lower.filter(|(name, _)| named(name)).collect(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name).copied()
    }

    /// `projection.<key>.<what>`.
    pub(super) fn of_key(&self, key: &str, what: &str) -> Option<&'a str> {
        self.get(&property(key, what))
    }
}

fn property(key: &str, what: &str) -> String {
    format!("projection.{key}.{what}")
}

/// The properties of one key.
struct KeyProperties<'a> {
    table: &'a str,
    key: &'a PartitionKey,
    all: &'a Properties<'a>,
}

/// The values of a key, as its properties say.
///
/// # Errors
/// `InvalidInput` that names the property, its value and what would be right.
pub(super) fn domain(table: &str, key: &PartitionKey, all: &Properties<'_>) -> Result<Domain> {
    let properties = KeyProperties { table, key, all };
    let kind = properties.required("type", "enum, integer, date or injected")?;
    match kind.trim().to_ascii_lowercase().as_str() {
        "enum" => properties.list(),
        "integer" => properties.integers(),
        "date" => properties.dates(),
        "injected" if is_text(&key.data_type) => Ok(Domain::Injected),
        "injected" => Err(properties.wrong_type("type", "string")),
        _ => Err(properties.wrong("type", "use enum, integer, date or injected")),
    }
}

fn is_text(data_type: &HiveType) -> bool {
    matches!(
        data_type,
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_)
    )
}

impl KeyProperties<'_> {
    fn get(&self, what: &str) -> Result<Option<&str>> {
        let Some(value) = self.all.of_key(&self.key.name, what) else {
            return Ok(None);
        };
        if value.len() > MAX_PROPERTY {
            let why = format!("it is longer than {MAX_PROPERTY} bytes");
            return Err(self.wrong(what, &why));
        }
        Ok(Some(value))
    }

    fn required(&self, what: &str, right: &str) -> Result<&str> {
        self.get(what)?.ok_or_else(|| self.missing(what, right))
    }

    fn missing(&self, what: &str, right: &str) -> CatalogError {
        CatalogError::invalid(format!(
            "table {}: property '{}' is missing; give it as {right}",
            self.table,
            property(&self.key.name, what)
        ))
    }

    fn wrong(&self, what: &str, why: &str) -> CatalogError {
        let name = property(&self.key.name, what);
        let value = self.all.get(&name).unwrap_or_default();
        let shown: String = value.chars().take(200).collect();
        CatalogError::invalid(format!(
            "table {}: property '{name}' is '{shown}': {why}",
            self.table
        ))
    }

    fn wrong_type(&self, what: &str, right: &str) -> CatalogError {
        let why = format!(
            "partition column \"{}\" has type {}, and a projection of this type needs {right}",
            self.key.name, self.key.data_type
        );
        self.wrong(what, &why)
    }

    /// A positive whole number.
    fn count(&self, what: &str, most: u64) -> Result<Option<u64>> {
        let Some(value) = self.get(what)? else {
            return Ok(None);
        };
        match value.trim().parse::<u64>() {
            Ok(count) if (1..=most).contains(&count) => Ok(Some(count)),
            _ => Err(self.wrong(what, &format!("use a whole number from 1 to {most}"))),
        }
    }

    /// The two ends of the range.
    fn range(&self, example: &str) -> Result<(&str, &str)> {
        let range = self.required("range", example)?;
        range
            .split_once(',')
            .filter(|(_, last)| !last.contains(','))
            .ok_or_else(|| self.wrong("range", &format!("use two values, such as {example}")))
    }

    fn list(&self) -> Result<Domain> {
        // A list may be long: its values are bounded instead.
        let Some(list) = self.all.of_key(&self.key.name, "values") else {
            return Err(self.missing("values", "a list such as a,b,c"));
        };
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        for value in list.split(',') {
            if values.len() >= MAX_ENUM_VALUES {
                let why = format!("it has more than {MAX_ENUM_VALUES} values");
                return Err(self.wrong("values", &why));
            }
            // White space is part of a value.
            canonical_value(self.key, value)
                .map_err(|error| self.wrong("values", &error.to_string()))?;
            if seen.insert(value) {
                values.push(ProjectedValue::same(value));
            }
        }
        Ok(Domain::Enum(values.into()))
    }

    fn integers(&self) -> Result<Domain> {
        let (least, most, is_number): (i64, i64, bool) = match self.key.data_type {
            HiveType::TinyInt => (i8::MIN.into(), i8::MAX.into(), true),
            HiveType::SmallInt => (i16::MIN.into(), i16::MAX.into(), true),
            HiveType::Int => (i32::MIN.into(), i32::MAX.into(), true),
            HiveType::BigInt => (i64::MIN, i64::MAX, true),
            HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => {
                (i64::MIN, i64::MAX, false)
            }
            _ => return Err(self.wrong_type("type", "int, bigint or string")),
        };
        let (first, last) = self.range("1,100")?;
        let bound = |text: &str| match text.trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(self.wrong(
                "range",
                &format!("use two whole numbers from {least} to {most}"),
            )),
        };
        let (min, max) = (bound(first)?, bound(last)?);
        if min > max {
            return Err(self.wrong("range", "the first value is greater than the second"));
        }
        let digits = self.count("digits", MAX_DIGITS)?;
        let integers = Integers {
            min,
            max,
            interval: self
                .count("interval", i64::MAX.unsigned_abs())?
                .unwrap_or(1),
            digits: digits
                .and_then(|digits| usize::try_from(digits).ok())
                .unwrap_or_default(),
            is_number,
        };
        // The widest texts are at the ends.
        for end in [0, integers.len() - 1] {
            let text = integers.text(end).unwrap_or_default();
            canonical_value(self.key, &text)
                .map_err(|error| self.wrong("range", &error.to_string()))?;
        }
        Ok(Domain::Integer(integers))
    }

    fn dates(&self) -> Result<Domain> {
        let kind = match self.key.data_type {
            HiveType::Date => DateKind::Date,
            HiveType::Timestamp => DateKind::Timestamp,
            HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => DateKind::Text,
            _ => return Err(self.wrong_type("type", "string, date or timestamp")),
        };
        let format = self.required("format", "a pattern such as yyyy-MM-dd")?;
        let pattern = DatePattern::parse(format).map_err(|why| self.wrong("format", &why))?;
        if kind == DateKind::Date && pattern.smallest() > Field::Day {
            let why = "partition column has type date, and the format has times; use timestamp or string for the column";
            return Err(self.wrong("format", why));
        }
        let (first, last) = self.range("2020-01-01,NOW")?;
        let end = |text: &str| End::parse(text, &pattern).map_err(|why| self.wrong("range", &why));
        let (first, last) = (end(first)?, end(last)?);
        if let (End::At(first), End::At(last)) = (first, last)
            && first > last
        {
            return Err(self.wrong("range", "the first date is later than the second"));
        }
        let step = self.step(&pattern)?;
        let step =
            distinct_step(step, &pattern).map_err(|why| self.wrong("interval.unit", &why))?;
        let dates = Dates {
            first,
            last,
            step,
            pattern,
            kind,
        };
        if kind == DateKind::Text {
            let longest = dates
                .pattern
                .format(chrono::DateTime::UNIX_EPOCH.naive_utc());
            canonical_value(self.key, &longest)
                .map_err(|error| self.wrong("format", &error.to_string()))?;
        }
        Ok(Domain::Date(Box::new(dates)))
    }

    fn step(&self, pattern: &DatePattern) -> Result<Unit> {
        let usual = match pattern.smallest() {
            Field::Day | Field::DayOfYear => Some("DAYS"),
            Field::Month => Some("MONTHS"),
            _ => None,
        };
        let count = self.count("interval", u32::MAX.into())?;
        let unit = self.get("interval.unit")?.map(str::trim);
        // Only dates of single days and months have an interval of their own.
        let Some(unit) = unit.or(usual) else {
            return Err(self.missing("interval.unit", "DAYS, HOURS or another unit"));
        };
        let count = match (count, usual) {
            (Some(count), _) => u32::try_from(count).unwrap_or(u32::MAX),
            (None, Some(_)) => 1,
            (None, None) => return Err(self.missing("interval", "a positive whole number")),
        };
        let Some(unit) = Unit::of_name(unit) else {
            return Err(self.wrong(
                "interval.unit",
                "use YEARS, MONTHS, WEEKS, DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS",
            ));
        };
        unit.times(count)
            .ok_or_else(|| self.wrong("interval", "it is longer than ten thousand years"))
    }
}
