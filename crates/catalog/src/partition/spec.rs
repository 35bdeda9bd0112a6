//! `PARTITION (year = 2024, month = '07')`: values for some or all keys.

use std::sync::Arc;

use super::predicate::{Comparison, PartitionPredicate};
use super::set::{Partition, Partitions};
use super::value::{PartitionKey, canonical_value};
use crate::error::{CatalogError, Kind, Result};

/// Values for some or all keys of a table, compared as values of the keys' types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSpec {
    /// By key, in the table's order: the value as given, and its canonical text.
    values: Vec<Option<(String, String)>>,
    keys: Vec<PartitionKey>,
}

impl PartitionSpec {
    /// A spec from `key = value` pairs in any order; names in any case.
    ///
    /// # Errors
    /// `InvalidInput` for a key that the table does not have or that is given twice, and for a
    /// value of another type.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(
        keys: &[PartitionKey],
        pairs: &[(K, V)],
    ) -> Result<PartitionSpec> {
        let mut values: Vec<Option<(String, String)>> = vec![None; keys.len()];
        for (name, value) in pairs {
            let name = name.as_ref().to_lowercase();
            let slot = keys
                .iter()
                .zip(values.iter_mut())
                .find(|(key, _)| key.name == name);
            let Some((key, slot)) = slot else {
                let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
                return Err(match known.is_empty() {
                    true => CatalogError::invalid(format!(
                        "\"{name}\" is no partition key; the table is not partitioned"
                    )),
                    false => CatalogError::invalid(format!(
                        "\"{name}\" is no partition key; the keys are {}",
                        known.join(", ")
                    )),
                });
            };
            if slot.is_some() {
                return Err(CatalogError::invalid(format!(
                    "partition key \"{name}\" is given twice"
                )));
            }
            let canonical = canonical_value(key, value.as_ref())?.into_owned();
            *slot = Some((value.as_ref().to_owned(), canonical));
        }
        Ok(PartitionSpec {
            values,
            keys: keys.to_vec(),
        })
    }

    /// The values as given, in the order of the keys.
    ///
    /// # Errors
    /// `InvalidInput` that names a key without a value.
    pub fn complete_values(&self) -> Result<Vec<String>> {
        let pairs = self.keys.iter().zip(&self.values);
        pairs
            .map(|(key, value)| match value {
                Some((value, _)) => Ok(value.clone()),
                None => Err(CatalogError::invalid(format!(
                    "partition key \"{}\" has no value; give one for every key",
                    key.name
                ))),
            })
            .collect()
    }

    /// The predicate of partitions with these values.
    pub fn predicate(&self) -> PartitionPredicate {
        let given = self.keys.iter().zip(&self.values);
        given.fold(PartitionPredicate::all(), |all, (key, value)| match value {
            Some((value, _)) => all.and(&key.name, Comparison::Equal, value.clone()),
            None => all,
        })
    }

    /// Whether a partition has these values.
    pub fn matches(&self, partition: &Partition) -> bool {
        let wanted = self.keys.iter().zip(&self.values).zip(&partition.values);
        wanted
            .into_iter()
            .all(|((key, wanted), value)| match wanted {
                None => true,
                Some((_, wanted)) => {
                    canonical_value(key, value).is_ok_and(|canonical| canonical == wanted.as_str())
                }
            })
    }

    /// The error for a complete spec without a partition: `year=2024/month=07`.
    pub fn not_found(&self) -> CatalogError {
        let given = self.keys.iter().zip(&self.values);
        let parts: Vec<String> = given
            .filter_map(|(key, value)| {
                value
                    .as_ref()
                    .map(|(value, _)| format!("{}={value}", key.name))
            })
            .collect();
        CatalogError::not_found(Kind::Partition, parts.join("/"))
    }
}

impl Partitions {
    /// The partitions that a spec of some or all keys selects.
    pub fn matching<'a>(
        &'a self,
        spec: &'a PartitionSpec,
    ) -> impl Iterator<Item = &'a Arc<Partition>> {
        self.items
            .iter()
            .filter(|partition| spec.matches(partition))
    }
}
