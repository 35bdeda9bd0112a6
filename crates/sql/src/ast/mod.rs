//! The syntax tree: one struct or enum per statement, grouped by family.
//!
//! Names that the catalog knows (databases, tables, columns, users, roles, workgroups) are
//! lower-cased here, so that no caller has to. Queries stay in `sqlparser`'s form, which DataFusion
//! plans.

mod access;
mod copy;
mod cursor;
mod ddl;
mod describe;
mod partitions;
mod query;
mod session;
mod statement;
mod workgroup;
mod write;

use std::fmt;

pub use access::*;
pub use copy::*;
pub use cursor::*;
pub use ddl::*;
pub use describe::*;
pub use partitions::*;
pub use query::*;
pub use session::*;
pub use statement::*;
pub use workgroup::*;
pub use write::*;

/// The schema of a session's temporary tables and views, as it is listed.
pub const TEMPORARY_SCHEMA: &str = "pg_temp_1";

/// The name of [`TEMPORARY_SCHEMA`] in statements, in which it may be written too.
pub const TEMPORARY_ALIAS: &str = "pg_temp";

/// A table's name as written, lower-cased. The session supplies missing parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    pub catalog: Option<String>,
    pub database: Option<String>,
    pub table: String,
}

impl TableName {
    /// A name without catalog and database.
    pub fn bare(table: impl Into<String>) -> TableName {
        TableName {
            catalog: None,
            database: None,
            table: table.into(),
        }
    }

    /// Whether it is named as a table or view of the session. A name without a database may be one,
    /// too.
    pub fn is_temporary(&self) -> bool {
        let schema = self.database.as_deref();
        schema.is_some_and(|schema| schema == TEMPORARY_SCHEMA || schema == TEMPORARY_ALIAS)
    }

    /// A name with its database.
    pub fn in_database(database: impl Into<String>, table: impl Into<String>) -> TableName {
        TableName {
            catalog: None,
            database: Some(database.into()),
            table: table.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.catalog, &self.database].into_iter().flatten() {
            write!(formatter, "{part}.")?;
        }
        formatter.write_str(&self.table)
    }
}

/// A database's name as written, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseName {
    pub catalog: Option<String>,
    pub database: String,
}

impl DatabaseName {
    /// A name without its catalog.
    pub fn bare(database: impl Into<String>) -> DatabaseName {
        DatabaseName {
            catalog: None,
            database: database.into(),
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(catalog) = &self.catalog {
            write!(formatter, "{catalog}.")?;
        }
        formatter.write_str(&self.database)
    }
}

/// Keys and values of TBLPROPERTIES and similar clauses, in the order written. Keys keep their
/// case, as in Glue's Parameters.
pub type Properties = Vec<(String, String)>;
