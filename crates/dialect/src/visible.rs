//! The part of the catalog that a principal may see, as plain data: the only input of `pg_catalog`
//! and `information_schema`.
//!
//! Invariant: it contains no database, table, column, role or query that was not granted. Its
//! producer enforces that; the tables made from it show all of it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::error::Result;

pub use crate::like::is_like;

/// The source of a [`VisibleCatalog`], called for each part of it that a query needs.
#[async_trait]
pub trait CatalogSource: Debug + Send + Sync {
    /// Returns what the principal may see, sorted by name. Databases and roles are always complete;
    /// other parts are present if `needs` names them.
    async fn visible(&self, needs: &Needs) -> Result<Arc<VisibleCatalog>>;
}

/// The parts of the catalog beyond names that a query needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The tables that are needed.
    pub tables: Pins,
    /// The tables whose columns (and view texts) are needed.
    pub columns: Columns,
    /// Whether the numbers of rows and the bytes of files are needed.
    pub row_counts: bool,
    /// Whether the sessions are needed.
    pub activity: bool,
    /// Whether the prepared statements and the cursors of the session are needed.
    pub own: bool,
}

/// Tables whose columns are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Columns {
    #[default]
    None,
    /// Only tables that can pass the query's filters.
    Of(Pins),
    All,
}

impl Columns {
    /// Returns whether the columns of this table are needed.
    pub fn wants(&self, database: &str, table: &str, table_id: i64) -> bool {
        match self {
            Columns::None => false,
            Columns::Of(pins) => pins.admit(database, table, table_id),
            Columns::All => true,
        }
    }
}

/// Texts that a condition admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Texts {
    These(BTreeSet<String>),
    /// Those that match a pattern of LIKE, with `\` as the escape character.
    Like(String),
}

impl Texts {
    /// Returns whether the condition can hold for a text.
    pub fn admit(&self, text: &str) -> bool {
        match self {
            Texts::These(texts) => texts.contains(text),
            Texts::Like(pattern) => is_like(pattern, text),
        }
    }
}

/// Conditions that a query's filters impose on tables, all of which hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// `None` means no condition.
    pub table_ids: Option<BTreeSet<i64>>,
    /// `None` means no condition.
    pub database_ids: Option<BTreeSet<i64>>,
    pub tables: Vec<Texts>,
    pub databases: Vec<Texts>,
}

impl Pins {
    /// Admits no table.
    pub fn none() -> Self {
        Self {
            table_ids: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// Returns whether a table of this database can pass the filters.
    pub fn admit_database(&self, database: &str, database_id: i64) -> bool {
        let admits_none = |texts: &Texts| matches!(texts, Texts::These(these) if these.is_empty());
        self.databases.iter().all(|texts| texts.admit(database))
            && self
                .database_ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&database_id))
            && self.table_ids.as_ref().is_none_or(|ids| !ids.is_empty())
            && !self.tables.iter().any(admits_none)
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether a row of this table can pass the filters, if its database can.
    pub fn admit(&self, database: &str, table: &str, table_id: i64) -> bool {
        self.table_ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&table_id))
            && self.tables.iter().all(|texts| texts.admit(table))
            && self.databases.iter().all(|texts| texts.admit(database))
    }

    /// Returns the only names that tables can have to pass the filters; `None` if they are not
    /// known one by one.
    pub fn table_names(&self) -> Option<&BTreeSet<String>> {
        self.tables.iter().find_map(|texts| match texts {
            Texts::These(names) => Some(names),
            Texts::Like(_) => None,
        })
    }
}

/// The catalog as one principal sees it.
#[derive(Debug, Clone, Default)]
pub struct VisibleCatalog {
    /// The catalog's name, which is the Postgres database.
    pub catalog: String,
    /// The current principal.
    pub principal: String,
    pub is_admin: bool,
    pub roles: Vec<VisibleRole>,
    pub databases: Vec<VisibleDatabase>,
    pub activity: Vec<Backend>,
    /// The statements that the session keeps prepared.
    pub prepared: Vec<PreparedStatement>,
    /// The cursors that the session has open.
    pub cursors: Vec<OpenCursor>,
}

/// A statement that the session keeps prepared under a name.
#[derive(Debug, Clone, Default)]
pub struct PreparedStatement {
    pub name: String,
    /// As it was sent.
    pub statement: String,
    /// Microseconds since 1970, UTC.
    pub prepared_at: i64,
    pub parameters: Vec<DataType>,
    /// The types of its columns; `None` if it has none.
    pub results: Option<Vec<DataType>>,
    /// Whether PREPARE made it, and not the client's protocol.
    pub from_sql: bool,
}

/// A cursor of DECLARE.
#[derive(Debug, Clone, Default)]
pub struct OpenCursor {
    pub name: String,
    /// As it was sent.
    pub statement: String,
    pub hold: bool,
    pub binary: bool,
    pub scroll: bool,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
}

/// A user or a role.
#[derive(Debug, Clone, Default)]
pub struct VisibleRole {
    /// Stable, unique among roles, in 16384 ..= 2^32 - 1. The role that owns the catalog is not
    /// among these.
    pub oid: i64,
    pub name: String,
    pub is_user: bool,
    pub is_admin: bool,
    pub can_login: bool,
    /// The OIDs of the roles it holds.
    pub member_of: Vec<i64>,
}

/// A Glue database, or a built-in schema such as `system`.
#[derive(Debug, Clone, Default)]
pub struct VisibleDatabase {
    /// Stable; the database's OID derives from it. Negative for a built-in schema.
    pub id: i64,
    pub name: String,
    pub comment: Option<String>,
    /// Whether the principal may create tables in it.
    pub can_create: bool,
    /// Whether it is the schema of the session's temporary tables and views, which unqualified names
    /// refer to first.
    pub temporary: bool,
    pub tables: Vec<VisibleTable>,
}

/// What a relation of the catalog is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TableKind {
    #[default]
    Table,
    View,
}

/// A table or a view, as the principal sees it.
#[derive(Debug, Clone, Default)]
pub struct VisibleTable {
    /// Stable; the table's OID derives from it. Negative for a built-in table.
    pub id: i64,
    pub name: String,
    pub kind: TableKind,
    pub comment: Option<String>,
    /// The text of a view, if [`Needs::columns`] includes it.
    pub definition: Option<String>,
    /// The columns visible to the principal, partition keys last; empty unless [`Needs::columns`]
    /// includes the table.
    pub columns: Vec<VisibleColumn>,
    pub privileges: TablePrivileges,
    /// How many rows the last ANALYZE found, if the principal may select any column and
    /// [`Needs::row_counts`] asks for it.
    pub row_count: Option<u64>,
    /// The bytes of the files that these rows were in, if the principal may select all columns and
    /// [`Needs::row_counts`] asks for it.
    pub file_bytes: Option<u64>,
}

/// The principal's privileges on a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TablePrivileges {
    /// SELECT on the table, or on at least one of its columns.
    pub select: bool,
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}

/// A column that the principal sees.
#[derive(Debug, Clone)]
pub struct VisibleColumn {
    pub name: String,
    pub data_type: DataType,
    /// The type as in a table definition, such as `array<int>`.
    pub hive_type: String,
    pub comment: Option<String>,
    pub partition_key: bool,
    /// Whether rows that are written must have a value of it.
    pub required: bool,
    /// Whether the principal may select it.
    pub selectable: bool,
    /// What the last ANALYZE found, if the principal may select it.
    pub measured: Option<MeasuredColumn>,
}

/// What is known of a column's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredColumn {
    /// From 0 to 1.
    pub null_fraction: f64,
    /// Of values whose type has no one length.
    pub average_length: Option<f64>,
    pub distinct_values: Option<u64>,
}

/// A connection that the principal may know of.
#[derive(Debug, Clone, Default)]
pub struct Backend {
    pub pid: i32,
    pub user: String,
    pub application: String,
    pub client_addr: Option<String>,
    pub client_port: Option<i32>,
    /// `active`, `idle`, `idle in transaction` …
    pub state: String,
    /// The type and the name of the event that it waits for.
    pub waits_for: Option<(&'static str, &'static str)>,
    /// The running or last query, without passwords.
    pub query: String,
    pub query_id: Option<i64>,
    /// Microseconds since 1970, UTC.
    pub backend_start: Option<i64>,
    /// Of the open transaction block, or of the running query. Microseconds since 1970, UTC.
    pub xact_start: Option<i64>,
    /// Microseconds since 1970, UTC.
    pub query_start: Option<i64>,
    /// Microseconds since 1970, UTC.
    pub state_change: Option<i64>,
    /// `None` for a plain connection.
    pub encryption: Option<BackendEncryption>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Default)]
pub struct BackendEncryption {
    /// Such as `TLSv1.3`.
    pub version: String,
    pub cipher: String,
    /// The length of the cipher's key.
    pub bits: i32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn pins_admit_only_what_every_condition_admits() {
        let pins = Pins {
            tables: vec![
                Texts::These(["orders".to_owned(), "users".to_owned()].into()),
                Texts::Like("o%".to_owned()),
            ],
            databases: vec![Texts::These(["curated".to_owned()].into())],
            database_ids: Some([1, 2].into()),
            ..Pins::default()
        };
        assert!(Columns::Of(pins.clone()).wants("curated", "orders", 7));
        assert!(pins.admit_database("curated", 1) && !pins.admit_database("raw", 1));
        assert!(!pins.admit_database("curated", 3));
        assert!(Pins::default().admit_database("raw", 1));
        assert!(!Pins::none().admit_database("raw", 1));
        assert!(!Pins::none().admit("curated", "orders", 7));
        assert!(!pins.admit("raw", "orders", 7));
        assert!(!pins.admit("curated", "users", 7));
        assert!(
            !Pins {
                table_ids: Some([8].into()),
                ..pins
            }
            .admit("curated", "orders", 7)
        );
    }
}
