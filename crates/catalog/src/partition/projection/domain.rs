//! The values that a key can have, and those of them that a set selects.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::candidates::{KeyCandidates, ProjectedValue};
use super::dates::{DateSequence, Dates};
use super::integers::{Integers, Run};
use super::template;
use super::value_set::{KeyValue, ValueSet, is_above, is_below, single};
use crate::error::{CatalogError, Result};
use crate::hive_type::HiveType;
use crate::partition::value::{PartitionKey, canonical_value, is_null};

/// What a key's projection type allows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Domain {
    /// A list of values.
    Enum(Arc<[ProjectedValue]>),
    Integer(Integers),
    Date(Box<Dates>),
    /// The values that a query names.
    Injected,
}

/// The values of a key at one moment, by their places.
#[derive(Debug, Clone)]
pub(super) enum Sequence {
    List(Arc<[ProjectedValue]>),
    Integers(Integers),
    Dates(Box<DateSequence>),
}

impl Domain {
    pub(super) fn is_enum(&self) -> bool {
        matches!(self, Domain::Enum(_))
    }

    pub(super) fn held_values(&self) -> usize {
        match self {
            Domain::Enum(values) => values.len(),
            _ => 0,
        }
    }

    /// The values that are in a set; `None` for an injected key without a list of values.
    pub(super) fn select(
        &self,
        key: &PartitionKey,
        set: &ValueSet,
        now: DateTime<Utc>,
    ) -> Option<KeyCandidates> {
        let sequence = match self {
            Domain::Enum(values) => Sequence::List(Arc::clone(values)),
            Domain::Integer(integers) => Sequence::Integers(integers.clone()),
            Domain::Date(dates) => Sequence::Dates(Box::new(dates.at(now))),
            Domain::Injected => {
                let values: Option<Vec<&KeyValue>> = set.ranges().iter().map(single).collect();
                let texts = values?.into_iter().filter_map(|value| match value {
                    // No folder has such a name.
                    KeyValue::Text(text)
                        if canonical_value(key, text).is_err() || is_null(text) =>
                    {
                        None
                    }
                    KeyValue::Text(text) => Some(ProjectedValue::same(text)),
                    KeyValue::Int(_) => None,
                });
                let list = Sequence::List(texts.collect());
                let all = 0..list.len();
                return Some(KeyCandidates::new(list, vec![all]));
            }
        };
        let all = 0..sequence.len();
        let spans = match set.has_all_values() {
            // NULL is only in lists, and is found there by the filters themselves.
            true => vec![all],
            false => sequence.spans(key, set),
        };
        Some(KeyCandidates::new(sequence, spans))
    }

    /// The projected value that is this value of the key's type, in canonical form.
    ///
    /// # Errors
    /// The text is not a value of the key's type.
    pub(super) fn find(
        &self,
        key: &PartitionKey,
        value: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<ProjectedValue>> {
        let canonical = canonical_value(key, value)?;
        let wanted = || typed(&key.data_type, &canonical);
        Ok(match self {
            Domain::Enum(values) => {
                let same = |known: &&ProjectedValue| {
                    canonical_value(key, known.text()).is_ok_and(|known| known == canonical)
                };
                let exact = values.iter().find(|known| known.text() == value);
                exact.or_else(|| values.iter().find(same)).cloned()
            }
            Domain::Injected => Some(ProjectedValue::same(value)),
            Domain::Integer(integers) => wanted()
                .and_then(|wanted| integers.position(&wanted))
                .and_then(|at| integers.value(at)),
            Domain::Date(dates) => {
                let dates = dates.at(now);
                wanted()
                    .and_then(|wanted| dates.position(&wanted))
                    .and_then(|at| dates.value(at))
            }
        })
    }

    /// Checks that the values can be in the names of folders as they are.
    ///
    /// # Errors
    /// `InvalidInput` that names a value that cannot.
    pub(super) fn check_in_template(&self, table: &str, key: &PartitionKey) -> Result<()> {
        let texts: Vec<String> = match self {
            Domain::Enum(values) => values
                .iter()
                .map(|value| value.folder_text().to_owned())
                .collect(),
            Domain::Date(dates) => vec![dates.pattern.format(DateTime::UNIX_EPOCH.naive_utc())],
            Domain::Integer(_) | Domain::Injected => Vec::new(),
        };
        match texts.iter().find(|text| !template::is_clean(text)) {
            None => Ok(()),
            Some(text) => Err(CatalogError::invalid(format!(
                "table {table}: the value {text:?} of partition key \"{}\" cannot be in 'storage.location.template': no part of it may be empty, '.' or '..', and ? # \\ are not allowed",
                key.name
            ))),
        }
    }
}

impl Sequence {
    pub(super) fn len(&self) -> u128 {
        match self {
            Sequence::List(values) => u128::try_from(values.len()).unwrap_or_default(),
            Sequence::Integers(integers) => integers.len(),
            Sequence::Dates(dates) => dates.len(),
        }
    }

    pub(super) fn value(&self, at: u128) -> Option<ProjectedValue> {
        match self {
            Sequence::List(values) => values.get(usize::try_from(at).ok()?).cloned(),
            Sequence::Integers(integers) => integers.value(at),
            Sequence::Dates(dates) => dates.value(at),
        }
    }

    /// Parts of the sequence that hold every value of a set, and perhaps others.
    fn spans(&self, key: &PartitionKey, set: &ValueSet) -> Vec<Range<u128>> {
        match self {
            Sequence::List(values) => {
                let places = (0u128..).zip(values.iter());
                places
                    .filter(|(_, value)| may_be_in(set, key, value.text()))
                    .map(|(place, _)| place..place + 1)
                    .collect()
            }
            Sequence::Integers(integers) => found(
                set,
                integers.len(),
                &integers.runs(),
                |value| integers.position(value),
                |at| integers.key(at),
            ),
            Sequence::Dates(dates) => found(
                set,
                dates.len(),
                &dates.runs(),
                |value| dates.position(value),
                |at| dates.key(at),
            ),
        }
    }
}

/// Whether a value can be in a set: also `true` where values of the type are not compared here.
fn may_be_in(set: &ValueSet, key: &PartitionKey, value: &str) -> bool {
    if is_null(value) {
        return set.has_null();
    }
    let Ok(canonical) = canonical_value(key, value) else {
        return true;
    };
    // Texts are compared as they are: a trailing space of a char counts in the engine.
    let text = match key.data_type {
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => value,
        _ => &*canonical,
    };
    typed(&key.data_type, text).is_none_or(|value| set.contains(&value))
}

/// The value of a canonical text; `None` for types that are not compared here.
pub(super) fn typed(data_type: &HiveType, text: &str) -> Option<KeyValue> {
    match data_type {
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => Some(KeyValue::text(text)),
        HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt => {
            text.parse().ok().map(KeyValue::Int)
        }
        HiveType::Date => {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            let days = date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive());
            Some(KeyValue::Int(days.num_days()))
        }
        HiveType::Timestamp => {
            let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
            Some(KeyValue::Int(moment.and_utc().timestamp_micros()))
        }
        _ => None,
    }
}

/// Parts of a sequence that hold every value of a set.
///
/// `runs`: where the values ascend or descend; none if they are in no order. `position`: the place
/// of a value. `value`: the value at a place.
fn found(
    set: &ValueSet,
    len: u128,
    runs: &[Run],
    position: impl Fn(&KeyValue) -> Option<u128>,
    value: impl Fn(u128) -> Option<KeyValue>,
) -> Vec<Range<u128>> {
    let mut spans = Vec::new();
    for range in set.ranges() {
        if let Some(single) = single(range) {
            spans.extend(position(single).map(|at| at..at + 1));
            continue;
        }
        if runs.is_empty() {
            let all = 0..len;
            return vec![all];
        }
        let (low, high) = range;
        let before = |at| value(at).is_some_and(|value| is_below(&value, low));
        let after = |at| value(at).is_some_and(|value| is_above(&value, high));
        for run in runs {
            let (first, end) = match run.descends {
                false => (
                    first_not(&run.span, before),
                    first_not(&run.span, |at| !after(at)),
                ),
                true => (
                    first_not(&run.span, after),
                    first_not(&run.span, |at| !before(at)),
                ),
            };
            if first < end {
                spans.push(first..end);
            }
        }
    }
    spans
}

/// The first place of a span for which a condition does not hold, which it then does for none of
/// the later ones; the end of the span, if it always holds.
fn first_not(span: &Range<u128>, holds: impl Fn(u128) -> bool) -> u128 {
    let (mut low, mut high) = (span.start, span.end);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}
