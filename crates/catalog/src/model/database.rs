//! A Glue database: a schema of SQL.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Parameters, epoch_seconds};

/// What a caller passes to create or change a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DatabaseInput {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The folder for tables without a LOCATION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_uri: Option<String>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
}

/// A database as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Database {
    /// Not part of Glue's model: never reused, also not after a drop. Grants and OIDs are by it.
    /// Not serialised.
    #[serde(skip)]
    pub id: i64,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    #[serde(with = "epoch_seconds")]
    pub create_time: DateTime<Utc>,
}

impl Database {
    /// A new database of an input, without an id yet.
    pub fn of_input(input: DatabaseInput, created: DateTime<Utc>) -> Database {
        Database {
            id: 0,
            name: input.name,
            description: input.description,
            location_uri: input.location_uri,
            parameters: input.parameters,
            create_time: created,
        }
    }

    /// The input that would create this database again: start from it to change one property.
    pub fn to_input(&self) -> DatabaseInput {
        DatabaseInput {
            name: self.name.clone(),
            description: self.description.clone(),
            location_uri: self.location_uri.clone(),
            parameters: self.parameters.clone(),
        }
    }
}
