//! The one error of this crate.

use std::fmt;

/// What a [`CatalogError`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A Glue database, which is a schema of SQL.
    Database,
    /// A table or a view.
    Table,
    /// A column or a partition key.
    Column,
    /// A partition, named `database.table/k=v`.
    Partition,
    /// A user, which can log in.
    User,
    /// A named set of grants.
    Role,
    /// A name of a user or a role.
    Principal,
    /// Limits under which queries run.
    Workgroup,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Database => "database",
            Kind::Table => "table",
            Kind::Column => "column",
            Kind::Partition => "partition",
            Kind::User => "user",
            Kind::Role => "role",
            Kind::Principal => "user or role",
            Kind::Workgroup => "workgroup",
        })
    }
}

/// Why the catalog refused or failed. Messages name the resource and, where there is one, the
/// remedy.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("{kind} \"{name}\" does not exist")]
    NotFound { kind: Kind, name: String },

    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists { kind: Kind, name: String },

    /// The request can never succeed as it is: a bad name, type, value or combination.
    #[error("{0}")]
    InvalidInput(String),

    #[error(
        "database \"{database}\" is not empty: it has {tables} table(s); drop them first or use CASCADE"
    )]
    NotEmpty { database: String, tables: usize },

    /// An update expected a version of the table that is not the current one.
    #[error(
        "table \"{table}\" was changed meanwhile: expected version {expected}, found {found}; read it again and repeat the change"
    )]
    Conflict {
        table: String,
        expected: u64,
        found: u64,
    },

    /// Changes that were held back do not apply to what the catalog is by now.
    #[error(
        "the changes of the transaction block do not apply any more: {0}; ROLLBACK and repeat the block"
    )]
    Outdated(String),

    /// What the change was planned for is not there any more as it was.
    #[error("{0}; repeat the statement")]
    Changed(String),

    /// Another process holds the store.
    #[error("the catalog at {path} is in use by {holder}; stop that process or use another file")]
    Locked { path: String, holder: String },

    #[error(
        "the catalog at {path} has schema version {found}, and this program knows versions up to {supported}; use a newer lakegate"
    )]
    NewerSchema {
        path: String,
        found: i64,
        supported: i64,
    },

    /// The store itself failed: disk, corruption, a task that panicked.
    #[error("the catalog's storage failed: {0}")]
    Storage(String),
}

impl CatalogError {
    /// A [`CatalogError::NotFound`].
    pub fn not_found(kind: Kind, name: impl Into<String>) -> Self {
        CatalogError::NotFound {
            kind,
            name: name.into(),
        }
    }

    /// A [`CatalogError::AlreadyExists`].
    pub(crate) fn already_exists(kind: Kind, name: impl Into<String>) -> Self {
        CatalogError::AlreadyExists {
            kind,
            name: name.into(),
        }
    }

    /// A [`CatalogError::InvalidInput`].
    pub fn invalid(message: impl Into<String>) -> Self {
        CatalogError::InvalidInput(message.into())
    }
}

impl From<rusqlite::Error> for CatalogError {
    fn from(error: rusqlite::Error) -> Self {
        CatalogError::Storage(error.to_string())
    }
}

impl From<serde_json::Error> for CatalogError {
    fn from(error: serde_json::Error) -> Self {
        CatalogError::Storage(format!(
            "a stored value cannot be read or written as JSON: {error}"
        ))
    }
}

impl From<std::io::Error> for CatalogError {
    fn from(error: std::io::Error) -> Self {
        CatalogError::Storage(error.to_string())
    }
}

/// This crate's result.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;
