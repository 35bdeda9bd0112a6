//! Targets over Hive types, names of partition folders and properties of partition projections.

use std::ops::Bound;

use chrono::DateTime;
use lakegate_fuzzing::{Target, text};

use crate::hive_type::HiveType;
use crate::model::{Column, Parameters, StorageDescriptor, Table, TableInput};
use crate::partition::projection::{ENABLED, KeyValue, Projection, ValueSet};
use crate::partition::{PartitionKey, parse_partition_path, partition_path};

pub const TARGETS: [Target; 3] = [
    Target {
        name: "hive_type",
        accepts: hive_type,
    },
    Target {
        name: "partition_path",
        accepts: paths,
    },
    Target {
        name: "projection",
        accepts: projection,
    },
];

fn hive_type(bytes: &[u8]) -> bool {
    let Some(Ok(parsed)) = text(bytes).map(str::parse::<HiveType>) else {
        return false;
    };
    let written = parsed.to_string();
    assert_eq!(written.parse::<HiveType>().as_ref(), Ok(&parsed));
    let _ = (parsed.to_arrow(), parsed.to_trino());
    true
}

fn paths(bytes: &[u8]) -> bool {
    let Some(path) = text(bytes) else {
        return false;
    };
    let keys = [
        PartitionKey::new("year", HiveType::Int),
        PartitionKey::new("day", HiveType::Date),
        PartitionKey::new("name", HiveType::String),
    ];
    let mut accepted = false;
    for count in 1..=keys.len() {
        let keys = &keys[keys.len() - count..];
        if let Ok(values) = parse_partition_path(keys, path) {
            let again = parse_partition_path(keys, &partition_path(keys, &values));
            // An empty value is written as the name for NULL.
            assert!(values.iter().any(String::is_empty) || again == Ok(values));
            accepted = true;
        }
    }
    accepted
}

/// Properties of a table, a line each: `name=value`.
fn projection(bytes: &[u8]) -> bool {
    let Some(lines) = text(bytes) else {
        return false;
    };
    let properties = lines.lines().filter_map(|line| line.split_once('='));
    let mut parameters: Parameters = properties
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    parameters.insert(ENABLED.to_owned(), "true".to_owned());
    let keys = [("name", "string"), ("number", "int"), ("day", "date")];
    let input = TableInput {
        name: "t".to_owned(),
        storage_descriptor: StorageDescriptor {
            location: Some("s3://lake/t/".to_owned()),
            ..StorageDescriptor::default()
        },
        partition_keys: keys.map(|(name, of)| Column::new(name, of)).to_vec(),
        parameters,
        ..TableInput::default()
    };
    let now = DateTime::UNIX_EPOCH;
    let Ok(Some(projection)) = Projection::of(&Table::of_input(input, "db", now)) else {
        return false;
    };
    let name = || Bound::Included(KeyValue::text("a"));
    for names in [
        ValueSet::all(),
        ValueSet::points([KeyValue::text("a/b")]),
        ValueSet::range(name(), Bound::Unbounded),
    ] {
        let Ok(found) = projection.candidates(&[names], now) else {
            continue;
        };
        for row in found.rows().take(20) {
            let Some(location) = projection.location(&row) else {
                continue;
            };
            assert!(location.starts_with(projection.folder()));
            let values: Vec<String> = row.iter().map(|value| value.text().to_owned()).collect();
            // What is read is what is written.
            let written = projection.location_of(&values, now);
            assert!(written.is_ok_and(|written| written == location));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 20_000).unwrap();
    }
}
