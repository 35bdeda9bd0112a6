//! Targets over Hive types and names of partition folders.

use lakegate_fuzzing::{Target, text};

use crate::hive_type::HiveType;
use crate::partition::{PartitionKey, parse_partition_path, partition_path};

pub const TARGETS: [Target; 2] = [
    Target {
        name: "hive_type",
        accepts: hive_type,
    },
    Target {
        name: "partition_path",
        accepts: paths,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 20_000).unwrap();
    }
}
