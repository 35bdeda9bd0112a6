//! A partition, and all partitions of a table.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::path::{escape_path_name, partition_path};
use super::value::{PartitionKey, canonical_value};
use crate::error::{CatalogError, Result};
use crate::model::{Parameters, StorageDescriptor};
use crate::store::WriteId;

/// What a caller passes to add or change a partition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionInput {
    /// One per key, in the keys' order.
    pub values: Vec<String>,
    /// Where the files are; `None` is the storage descriptor's own location if one is given, else
    /// `<table location>/k=v/…/`.
    pub location: Option<String>,
    /// Columns and format; `None` is the table's as of now. Its location counts only if `location`
    /// is `None`.
    pub storage_descriptor: Option<Arc<StorageDescriptor>>,
    pub parameters: Parameters,
}

impl PartitionInput {
    /// A partition like its table, in the folder that Hive would give it.
    pub fn new<S: Into<String>>(values: impl IntoIterator<Item = S>) -> PartitionInput {
        PartitionInput {
            values: values.into_iter().map(Into::into).collect(),
            ..PartitionInput::default()
        }
    }

    /// A partition like its table, somewhere else.
    pub fn at<S: Into<String>>(
        values: impl IntoIterator<Item = S>,
        location: impl Into<String>,
    ) -> PartitionInput {
        PartitionInput {
            location: Some(location.into()),
            ..PartitionInput::new(values)
        }
    }
}

/// A partition as it is held in memory: lean, because a table may have a million. Partitions whose
/// descriptors differ by nothing but the location share one, and a location that follows from the
/// values is not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// One per key, in the keys' order, as they were given; [`super::HIVE_DEFAULT_PARTITION`] is
    /// NULL.
    pub values: Box<[Box<str>]>,
    /// Columns and format. Its `location` is not the partition's: ask [`Partition::location`].
    pub storage_descriptor: Arc<StorageDescriptor>,
    /// `None` is no parameters.
    pub parameters: Option<Arc<Parameters>>,
    pub creation_time: DateTime<Utc>,
    /// `None`: the folder that follows from the values, below `storage_descriptor.location`.
    pub(crate) own_location: Option<Box<str>>,
}

impl Partition {
    /// Where the partition's files are.
    pub fn location(&self, keys: &[PartitionKey]) -> String {
        match &self.own_location {
            Some(location) => location.to_string(),
            None => default_location(
                self.storage_descriptor
                    .location
                    .as_deref()
                    .unwrap_or_default(),
                keys,
                &self.values,
            ),
        }
    }

    /// Whether the partition's folder is one below this folder, by its text.
    pub fn is_below(&self, folder: &str) -> bool {
        let folder = folder.trim_end_matches('/');
        match &self.own_location {
            Some(own) => is_below(own, folder),
            None => {
                let base = self.storage_descriptor.location.as_deref();
                base.is_some_and(|base| base.trim_end_matches('/') == folder)
            }
        }
    }

    /// The descriptor with the partition's own location in it, as Glue shows it.
    pub fn full_storage_descriptor(&self, keys: &[PartitionKey]) -> StorageDescriptor {
        StorageDescriptor {
            location: Some(self.location(keys)),
            ..(*self.storage_descriptor).clone()
        }
    }

    /// `k=v/k2=v2`, as SHOW PARTITIONS writes it.
    pub fn name(&self, keys: &[PartitionKey]) -> String {
        partition_path(keys, &self.values)
    }
}

/// Whether a location is below a folder, by its text.
pub(crate) fn is_below(location: &str, folder: &str) -> bool {
    let rest = location.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// `<base>/k=v/k2=v2/`.
pub fn default_location<S: AsRef<str>>(base: &str, keys: &[PartitionKey], values: &[S]) -> String {
    format!(
        "{}/{}/",
        base.trim_end_matches('/'),
        partition_path(keys, values)
    )
}

/// `<base>/k=v/k2=v2/<write>/`: the folder of a partition whose rows a write replaces or removes. No
/// partition had it before, so that it has no file of others.
pub fn new_location<S: AsRef<str>>(
    base: &str,
    keys: &[PartitionKey],
    values: &[S],
    write: WriteId,
) -> String {
    format!("{}{write}/", default_location(base, keys, values))
}

/// Between the canonical values and their spelling in an [`identity_key`]: sorts before every
/// character of an escaped value, so that all spellings of the same values are neighbours.
const SPELLED: char = '\u{1}';

/// The text that identifies a partition: [`canonical_key`], and where a value is spelled in another
/// way, the spelling. As in Glue, `month=01` and `month=1` are two partitions, with a folder each.
///
/// # Errors
/// As of [`canonical_key`].
pub fn identity_key<S: AsRef<str>>(keys: &[PartitionKey], values: &[S]) -> Result<String> {
    let mut key = canonical_key(keys, values)?;
    let spelled: Vec<String> = values
        .iter()
        .map(|value| escape_path_name(value.as_ref()))
        .collect();
    let spelled = spelled.join("/");
    if spelled != key {
        key.push(SPELLED);
        key.push_str(&spelled);
    }
    Ok(key)
}

/// The range of the keys of all spellings of the values of a [`canonical_key`]: from the first,
/// below the second.
pub(crate) fn spellings(canonical: &str) -> (String, String) {
    (canonical.to_owned(), format!("{canonical}\u{2}"))
}

/// The text that identifies the values of a partition: the canonical values, escaped, with `/`
/// between.
///
/// # Errors
/// `InvalidInput` if there is not one value per key, or one is not of its key's type.
pub fn canonical_key<S: AsRef<str>>(keys: &[PartitionKey], values: &[S]) -> Result<String> {
    if keys.len() != values.len() {
        return Err(CatalogError::invalid(format!(
            "a partition has {} value(s) where the table has {} partition key(s); give one for each key",
            values.len(),
            keys.len()
        )));
    }
    let mut text = String::new();
    for (position, (key, value)) in keys.iter().zip(values).enumerate() {
        if position > 0 {
            text.push('/');
        }
        text.push_str(&escape_path_name(&canonical_value(key, value.as_ref())?));
    }
    Ok(text)
}

/// Partitions of a table at one moment: all, or those that a predicate selects. Immutable and
/// shared; every change creates a new one.
#[derive(Debug, Clone)]
pub struct Partitions {
    /// Increases with every change to the table's partitions, across restarts.
    pub version: u64,
    /// The table's partition keys.
    pub keys: Arc<[PartitionKey]>,
    /// In order of [`identity_key`]; use [`Partitions::get`] or [`Partitions::find`] to find one.
    pub items: Vec<Arc<Partition>>,
}

impl Partitions {
    /// How many.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The partition with these values, one per key, spelled as they are.
    ///
    /// # Errors
    /// `InvalidInput` if the values do not fit the keys.
    pub fn get<S: AsRef<str>>(&self, values: &[S]) -> Result<Option<&Arc<Partition>>> {
        let key = identity_key(&self.keys, values)?;
        Ok(self.search(&key).ok().and_then(|at| self.items.get(at)))
    }

    /// A partition with these values, one per key: the one with this spelling, or else the first;
    /// `7` finds `07` if the key is a number.
    ///
    /// # Errors
    /// `InvalidInput` if the values do not fit the keys.
    pub fn find<S: AsRef<str>>(&self, values: &[S]) -> Result<Option<&Arc<Partition>>> {
        if let Some(exact) = self.get(values)? {
            return Ok(Some(exact));
        }
        let canonical = canonical_key(&self.keys, values)?;
        let first = match self.search(&canonical) {
            Ok(at) | Err(at) => self.items.get(at),
        };
        let same = |partition: &&Arc<Partition>| {
            canonical_key(&self.keys, &partition.values).is_ok_and(|key| key == canonical)
        };
        Ok(first.filter(same))
    }

    /// All partitions with these values, one per key, in every spelling.
    ///
    /// # Errors
    /// `InvalidInput` if the values do not fit the keys.
    pub(crate) fn spelled<S: AsRef<str>>(&self, values: &[S]) -> Result<&[Arc<Partition>]> {
        let (first, end) = spellings(&canonical_key(&self.keys, values)?);
        let (Ok(first) | Err(first)) = self.search(&first);
        let (Ok(end) | Err(end)) = self.search(&end);
        Ok(self.items.get(first..end).unwrap_or_default())
    }

    /// Where an identity key is, or would be.
    pub(crate) fn search(&self, key: &str) -> Result<usize, usize> {
        // Stored values always have a key; one that had none would sort first and match nothing.
        self.items.binary_search_by(|partition| {
            identity_key(&self.keys, &partition.values)
                .unwrap_or_default()
                .as_str()
                .cmp(key)
        })
    }

    /// These partitions with others replaced or added, given in any order by identity key.
    pub(crate) fn with(
        &self,
        version: u64,
        mut changed: Vec<(String, Arc<Partition>)>,
    ) -> Partitions {
        changed.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut items = Vec::with_capacity(self.items.len() + changed.len());
        let mut taken = 0;
        for (key, partition) in changed {
            let (at, resume) = match self.search(&key) {
                Ok(at) => (at, at + 1),
                Err(at) => (at, at),
            };
            items.extend_from_slice(self.items.get(taken..at).unwrap_or_default());
            items.push(partition);
            taken = resume;
        }
        items.extend_from_slice(self.items.get(taken..).unwrap_or_default());
        Partitions {
            version,
            keys: Arc::clone(&self.keys),
            items,
        }
    }

    /// These partitions without the ones at some identity keys.
    pub(crate) fn without(&self, version: u64, keys: &[String]) -> Partitions {
        let mut gone: Vec<usize> = keys
            .iter()
            .filter_map(|key| self.search(key).ok())
            .collect();
        gone.sort_unstable();
        let kept = self
            .items
            .iter()
            .enumerate()
            .filter(|(at, _)| gone.binary_search(at).is_err());
        Partitions {
            version,
            keys: Arc::clone(&self.keys),
            items: kept.map(|(_, partition)| Arc::clone(partition)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::hive_type::HiveType;
    use crate::partition::PartitionSpec;

    fn keys() -> Arc<[PartitionKey]> {
        Arc::from(vec![
            PartitionKey::new("year", HiveType::Int),
            PartitionKey::new("city", HiveType::String),
        ])
    }

    fn partition(values: [&str; 2]) -> (String, Arc<Partition>) {
        let storage = StorageDescriptor {
            location: Some("s3://lake/t".into()),
            ..StorageDescriptor::default()
        };
        let partition = Partition {
            values: values.map(Box::from).into(),
            storage_descriptor: Arc::new(storage),
            parameters: None,
            creation_time: crate::model::now(),
            own_location: None,
        };
        (identity_key(&keys(), &values).unwrap(), Arc::new(partition))
    }

    fn names(partitions: &Partitions) -> Vec<String> {
        partitions
            .items
            .iter()
            .map(|p| p.name(&partitions.keys))
            .collect()
    }

    #[test]
    fn partitions_are_added_replaced_and_dropped_in_order() {
        let none = Partitions {
            version: 0,
            keys: keys(),
            items: vec![],
        };
        let some = none.with(
            1,
            vec![
                partition(["2024", "b"]),
                partition(["2023", "a"]),
                partition(["2025", "c"]),
            ],
        );
        assert_eq!(
            names(&some),
            ["year=2023/city=a", "year=2024/city=b", "year=2025/city=c"]
        );
        let more = some.with(
            2,
            vec![
                partition(["02024", "b"]),
                partition(["2024", "a"]),
                partition(["2026", "a"]),
            ],
        );
        assert_eq!(
            names(&more),
            [
                "year=2023/city=a",
                "year=2024/city=a",
                "year=2024/city=b",
                "year=02024/city=b",
                "year=2025/city=c",
                "year=2026/city=a"
            ]
        );
        let less = more.without(
            3,
            &[
                "2024/a".to_owned(),
                "2024/b".to_owned(),
                "2026/a".to_owned(),
                "1999/z".to_owned(),
            ],
        );
        assert_eq!(
            names(&less),
            ["year=2023/city=a", "year=02024/city=b", "year=2025/city=c"]
        );
        assert_eq!((none.version, less.version, less.len()), (0, 3, 3));
    }

    #[test]
    fn a_partition_is_found_by_its_spelling_or_by_the_value() {
        let spelled = [
            ["07", "x"],
            ["7", "x0"],
            ["007", "x"],
            ["7", "x "],
            ["70", "x"],
        ];
        let all = Partitions {
            version: 0,
            keys: keys(),
            items: vec![],
        }
        .with(1, spelled.map(partition).to_vec());
        let found = |values: [&str; 2]| {
            let partition = all.find(&values).unwrap();
            partition.map(|partition| partition.name(&all.keys))
        };
        for values in spelled {
            assert_eq!(
                &*all.get(&values).unwrap().unwrap().values,
                values.map(Box::from)
            );
            assert_eq!(found(values), Some(partition(values).1.name(&all.keys)));
        }
        assert!(all.get(&["7", "x"]).unwrap().is_none());
        assert_eq!(found(["7", "x"]).as_deref(), Some("year=007/city=x"));
        assert_eq!(found(["0070", "x"]).as_deref(), Some("year=70/city=x"));
        assert_eq!(found(["7", "X"]), None);
        assert!(
            all.get(&["7"])
                .unwrap_err()
                .to_string()
                .contains("2 partition key(s)")
        );
        let spec = PartitionSpec::new(&keys(), &[("YEAR", "0007")]).unwrap();
        assert_eq!(all.matching(&spec).count(), 4);
        assert!(
            spec.complete_values()
                .unwrap_err()
                .to_string()
                .contains("\"city\"")
        );
    }

    #[test]
    fn a_spec_refuses_what_is_no_key() {
        assert!(
            PartitionSpec::new(&keys(), &[("month", "1")])
                .unwrap_err()
                .to_string()
                .contains("the keys are year, city")
        );
        assert!(
            PartitionSpec::new(&keys(), &[("year", "1"), ("Year", "2")])
                .unwrap_err()
                .to_string()
                .contains("given twice")
        );
        assert!(PartitionSpec::new(&keys(), &[("year", "x")]).is_err());
    }

    #[test]
    fn the_folder_follows_from_the_values_unless_there_is_an_own_location() {
        let (_, plain) = partition(["07", "a/b"]);
        assert_eq!(plain.location(&keys()), "s3://lake/t/year=07/city=a%2Fb/");
        let elsewhere = Partition {
            own_location: Some("s3://lake/else/".into()),
            ..(*plain).clone()
        };
        assert_eq!(
            elsewhere.full_storage_descriptor(&keys()).location.unwrap(),
            "s3://lake/else/"
        );
    }
}
