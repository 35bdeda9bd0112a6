//! Partition projection: a table's partitions follow from its properties instead of being
//! registered, as in Athena.
//!
//! ```text
//!  properties ─▶ Projection ─┬─ a domain per key: enum, integer, date, injected
//!                            └─ template: texts of the keys ─▶ folder
//!
//!  filters of a query ─▶ a ValueSet per key ─▶ Projection::candidates ─▶ Candidates, lazily
//! ```
//!
//! A domain is a sequence that is indexed and never held: the values that a set selects are found
//! by arithmetic and binary search, at any length. Only what is left of the product of the keys is
//! enumerated.
//!
//! Source of the properties: Athena's user guide, "Partition projection".

mod candidates;
mod config;
mod dates;
mod domain;
mod integers;
mod pattern;
mod template;
mod value_set;

pub use candidates::{Candidates, ProjectedValue, Rows, Unbounded};
pub use value_set::{KeyValue, ValueSet};

use chrono::{DateTime, Utc};

use self::config::Properties;
use self::domain::Domain;
use self::template::Template;
use super::value::{PartitionKey, is_null};
use crate::error::{CatalogError, Result};
use crate::model::{Column, Parameters, Table, TableInput};

/// The property that turns projection on.
pub const ENABLED: &str = "projection.enabled";

/// The property that says where partitions are.
pub(crate) const TEMPLATE: &str = "storage.location.template";

/// Whether a table's partitions are projected, so that registered ones are not read.
pub fn is_enabled(parameters: &Parameters) -> bool {
    Properties::new(parameters)
        .get(ENABLED)
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// The folder that holds all folders of a table's template: its text before the first key, up to
/// the last `/`. `None`: projection is off, or the partitions are in the table's own folder.
pub fn template_folder(parameters: &Parameters) -> Option<String> {
    if !is_enabled(parameters) {
        return None;
    }
    let template = Properties::new(parameters).get(TEMPLATE)?;
    Some(template::folder(template).to_owned())
}

/// The projected partitions of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// `database.table`.
    table: String,
    keys: Vec<PartitionKey>,
    /// The values of each key.
    domains: Vec<Domain>,
    template: Template,
}

impl Projection {
    /// The projection of a table; `None` if it is off, or the table has no partition keys.
    ///
    /// # Errors
    /// `InvalidInput` for a configuration that cannot be used; it names the property and its value,
    /// or the keys without one.
    pub fn of(table: &Table) -> Result<Option<Projection>> {
        if table.partition_keys.is_empty() || !is_enabled(&table.parameters) {
            return Ok(None);
        }
        let location = table.storage_descriptor.location.as_deref();
        let keys = &table.partition_keys;
        Self::configured(table.full_name(), location, keys, &table.parameters).map(Some)
    }

    /// Checks the projection of a table that is created or changed.
    ///
    /// # Errors
    /// As of [`Projection::of`]; projection is enabled for a table without partition keys.
    pub fn check(database: &str, input: &TableInput) -> Result<()> {
        if !is_enabled(&input.parameters) {
            return Ok(());
        }
        let name = format!("{database}.{}", input.name);
        if input.partition_keys.is_empty() {
            return Err(CatalogError::invalid(format!(
                "Table {name} is configured for partition projection, but it has no partition columns; add PARTITIONED BY, or leave '{ENABLED}' out"
            )));
        }
        let location = input.storage_descriptor.location.as_deref();
        Self::configured(name, location, &input.partition_keys, &input.parameters).map(|_| ())
    }

    fn configured(
        table: String,
        location: Option<&str>,
        columns: &[Column],
        parameters: &Parameters,
    ) -> Result<Projection> {
        let properties = Properties::new(parameters);
        let missing: Vec<&str> = columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| properties.of_key(name, "type").is_none())
            .collect();
        if !missing.is_empty() {
            return Err(CatalogError::invalid(format!(
                "Table {table} is configured for partition projection, but the following partition columns are missing projection configuration: [{}] (table {table})",
                missing.join(", ")
            )));
        }
        let mut keys = Vec::with_capacity(columns.len());
        let mut domains = Vec::with_capacity(columns.len());
        for column in columns {
            let key = PartitionKey::new(&column.name, column.data_type.parse()?);
            domains.push(config::domain(&table, &key, &properties)?);
            keys.push(key);
        }
        let template = match properties.get(TEMPLATE) {
            Some(template) => {
                let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
                let template = Template::parse(&table, template, &names)?;
                for (key, domain) in keys.iter().zip(&domains) {
                    domain.check_in_template(&table, key)?;
                }
                template
            }
            None => Template::of_location(&table, location)?,
        };
        Ok(Projection {
            table,
            keys,
            domains,
            template,
        })
    }

    /// `database.table`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The partition keys, in the table's order.
    pub fn keys(&self) -> &[PartitionKey] {
        &self.keys
    }

    /// The folder that holds the folders of all partitions.
    pub fn folder(&self) -> &str {
        self.template.folder()
    }

    /// Whether the values of a key are not known without a query that names them.
    pub fn is_injected(&self) -> bool {
        self.domains.contains(&Domain::Injected)
    }

    /// The most texts that the projection holds: the values of its enums.
    pub fn held_values(&self) -> usize {
        self.domains.iter().map(Domain::held_values).sum()
    }

    /// The partitions whose values are in these sets, one per key, in the table's order; a key
    /// beyond the sets may have any value. Takes time by the number of ranges in the sets and of
    /// values in the enums, not by the number of partitions.
    ///
    /// `now`: what `NOW` in a range means.
    ///
    /// # Errors
    /// An injected key for which the set is not a list of single values.
    pub fn candidates(
        &self,
        sets: &[ValueSet],
        now: DateTime<Utc>,
    ) -> Result<Candidates, Unbounded> {
        let all = ValueSet::all();
        let mut found = Vec::with_capacity(self.keys.len());
        for (index, (key, domain)) in self.keys.iter().zip(&self.domains).enumerate() {
            let set = sets.get(index).unwrap_or(&all);
            let values = domain.select(key, set, now);
            found.push(values.ok_or(Unbounded { key: index })?);
        }
        Ok(Candidates::new(found))
    }

    /// The location of a partition, which ends in `/`; `None` for values that no folder of the
    /// template can have.
    pub fn location(&self, values: &[ProjectedValue]) -> Option<String> {
        self.template.expand(&self.keys, values)
    }

    /// `k=v/k2=v2`, as registered partitions are named.
    pub fn name(&self, values: &[ProjectedValue]) -> String {
        let parts: Vec<String> = self
            .keys
            .iter()
            .zip(values)
            .map(|(key, value)| template::default_part(key, value.folder_text()))
            .collect();
        parts.join("/")
    }

    /// The location for new rows with these values, one per key, in canonical form.
    ///
    /// # Errors
    /// `InvalidInput` that names a key whose value the projection does not have: the rows could not
    /// be read again.
    pub fn location_of(&self, values: &[String], now: DateTime<Utc>) -> Result<String> {
        let mut found = Vec::with_capacity(self.keys.len());
        for ((key, domain), value) in self.keys.iter().zip(&self.domains).zip(values) {
            let projected = match is_null(value) && !domain.is_enum() {
                true => None,
                false => domain.find(key, value, now)?,
            };
            found.push(projected.ok_or_else(|| self.outside(key, value))?);
        }
        if found.len() != self.keys.len() {
            return Err(CatalogError::invalid(format!(
                "a partition has {} value(s) where table {} has {} partition key(s)",
                found.len(),
                self.table,
                self.keys.len()
            )));
        }
        self.location(&found).ok_or_else(|| {
            CatalogError::invalid(format!(
                "the values of a row's partition keys cannot be in the names of folders of table {}: no part may be empty, '.' or '..', and ? # \\ are not allowed",
                self.table
            ))
        })
    }

    fn outside(&self, key: &PartitionKey, value: &str) -> CatalogError {
        let shown = match is_null(value) {
            true => "NULL".to_owned(),
            false => format!("'{value}'"),
        };
        CatalogError::invalid(format!(
            "{shown} is outside of the projection of partition key \"{}\" of table {}, so that the rows could not be read again; change the properties projection.{}.*",
            key.name, self.table, key.name
        ))
    }
}

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
