//! A Glue table: an external table or a view.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Column, Parameters, StorageDescriptor, epoch_seconds};

/// `TableType` of a table whose data lies under a location.
pub const EXTERNAL_TABLE: &str = "EXTERNAL_TABLE";
/// `TableType` of a view.
pub const VIRTUAL_VIEW: &str = "VIRTUAL_VIEW";

/// What a caller passes to create or change a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TableInput {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Days, kept for Glue's clients; nothing is deleted because of it.
    pub retention: i32,
    pub storage_descriptor: StorageDescriptor,
    pub partition_keys: Vec<Column>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_original_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_expanded_text: Option<String>,
    /// [`EXTERNAL_TABLE`] or [`VIRTUAL_VIEW`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_type: Option<String>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// As [`Table::definer`]. Not serialised, so that no client can name another user.
    #[serde(skip)]
    pub definer: Option<i64>,
}

/// A table as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Table {
    /// Not part of Glue's model: never reused, also not after a drop. Grants and OIDs are by it.
    /// Not serialised.
    #[serde(skip)]
    pub id: i64,
    /// The id of the table's database, as [`Table::id`]. Not serialised.
    #[serde(skip)]
    pub database_id: i64,
    pub database_name: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(with = "epoch_seconds")]
    pub create_time: DateTime<Utc>,
    #[serde(with = "epoch_seconds")]
    pub update_time: DateTime<Utc>,
    #[serde(default)]
    pub retention: i32,
    /// Location, format and columns; of a view, its columns.
    pub storage_descriptor: StorageDescriptor,
    /// In order; not among `storage_descriptor.columns`. Never null in Glue's JSON.
    #[serde(default)]
    pub partition_keys: Vec<Column>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_original_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_expanded_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_type: Option<String>,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// 0 at creation, one more with each update of the table itself (partitions have a version of
    /// their own). A string in Glue's JSON.
    #[serde(with = "version_text")]
    pub version_id: u64,
    /// The id of the user with whose rights a view runs. `None`: it runs with those of the user that
    /// queries it. Not part of Glue's model, and not serialised.
    #[serde(skip)]
    pub definer: Option<i64>,
    /// By what right the table has its folder. Not part of Glue's model, and kept by the embedded
    /// store alone. Not serialised.
    #[serde(skip)]
    pub claim: Claim,
    /// By what right it has the folders of partitions outside of its own folder; `None` if there
    /// are none. As `claim`.
    #[serde(skip)]
    pub outer_claim: Option<Claim>,
}

/// Since when a table has a folder, and by whose right: a folder that two tables share belongs to
/// one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// When it was registered, in milliseconds since 1970; of several, the last.
    pub since: i64,
    /// Whether an administrator registered it; of several, all.
    pub by_administrator: bool,
}

impl Claim {
    /// The claim for the folders of both.
    #[must_use]
    pub fn with(self, other: Claim) -> Claim {
        Claim {
            since: self.since.max(other.since),
            by_administrator: self.by_administrator && other.by_administrator,
        }
    }

    /// Whether a folder of both belongs to the table of this claim: an administrator's claim goes
    /// before others, then the older one.
    ///
    /// Of two claims of the same moment, each goes before the other.
    pub fn goes_before(&self, other: &Claim) -> bool {
        let rank = |claim: &Claim| (!claim.by_administrator, claim.since);
        rank(self) <= rank(other)
    }
}

impl Table {
    /// A new table of an input, without an id yet.
    pub fn of_input(input: TableInput, database: &str, created: DateTime<Utc>) -> Table {
        Table {
            id: 0,
            database_id: 0,
            database_name: database.to_owned(),
            name: input.name,
            description: input.description,
            owner: input.owner,
            create_time: created,
            update_time: created,
            retention: input.retention,
            storage_descriptor: input.storage_descriptor,
            partition_keys: input.partition_keys,
            view_original_text: input.view_original_text,
            view_expanded_text: input.view_expanded_text,
            table_type: input.table_type,
            parameters: input.parameters,
            version_id: 0,
            definer: input.definer,
            claim: Claim::default(),
            outer_claim: None,
        }
    }

    /// Whether this is a view. The columns of a view are in the storage descriptor too.
    pub fn is_view(&self) -> bool {
        self.table_type
            .as_deref()
            .is_some_and(|t| t.eq_ignore_ascii_case(VIRTUAL_VIEW))
    }

    /// `database.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.database_name, self.name)
    }

    /// All columns in the order of `SELECT *`: those of the files, then the partition keys.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.storage_descriptor
            .columns
            .iter()
            .chain(&self.partition_keys)
    }

    /// The names of [`Table::columns`], as [`crate::access::Access::table`] takes them.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns().map(|column| column.name.as_str()).collect()
    }

    /// The input that would create this table again: start from it to change one property.
    pub fn to_input(&self) -> TableInput {
        TableInput {
            name: self.name.clone(),
            description: self.description.clone(),
            owner: self.owner.clone(),
            retention: self.retention,
            storage_descriptor: self.storage_descriptor.clone(),
            partition_keys: self.partition_keys.clone(),
            view_original_text: self.view_original_text.clone(),
            view_expanded_text: self.view_expanded_text.clone(),
            table_type: self.table_type.clone(),
            parameters: self.parameters.clone(),
            definer: self.definer,
        }
    }
}

/// Glue's `VersionId` is an integer in a string.
mod version_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        version: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(version)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| D::Error::custom(format!("version id \"{text}\" is not a whole number")))
    }
}
