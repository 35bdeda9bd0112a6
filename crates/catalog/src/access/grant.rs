//! Privileges, the resources that they are granted on, and grants.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{CatalogError, Kind, Result};
use crate::model::names::normalize;

/// A right. [`Resource::privileges`] says which of them apply to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Privilege {
    /// To read rows, of all columns or of some.
    Select,
    /// To see a table and its columns, without reading it.
    Describe,
    /// To add rows.
    Insert,
    /// To remove rows.
    Delete,
    /// To change columns, properties, location and partitions; of a database, its properties.
    Alter,
    /// To drop it.
    Drop,
    /// To create tables and views in a database.
    CreateTable,
    /// To create databases.
    CreateDatabase,
    /// Of a workgroup: to run queries in it.
    Usage,
    /// Of a folder of the lake: to use it, or what lies in it, as the location of a database, a
    /// table or a partition.
    DataLocation,
    /// Every privilege that applies to the resource. The store keeps it as those privileges, so
    /// that one of them can be revoked.
    All,
}

impl Privilege {
    const ALL: [Privilege; 11] = [
        Privilege::Select,
        Privilege::Describe,
        Privilege::Insert,
        Privilege::Delete,
        Privilege::Alter,
        Privilege::Drop,
        Privilege::CreateTable,
        Privilege::CreateDatabase,
        Privilege::Usage,
        Privilege::DataLocation,
        Privilege::All,
    ];

    /// The name in SQL with an underscore for the space, as Lake Formation has it: `SELECT`,
    /// `CREATE_TABLE`.
    pub fn name(self) -> &'static str {
        match self {
            Privilege::Select => "SELECT",
            Privilege::Describe => "DESCRIBE",
            Privilege::Insert => "INSERT",
            Privilege::Delete => "DELETE",
            Privilege::Alter => "ALTER",
            Privilege::Drop => "DROP",
            Privilege::CreateTable => "CREATE_TABLE",
            Privilege::CreateDatabase => "CREATE_DATABASE",
            Privilege::Usage => "USAGE",
            Privilege::DataLocation => "DATA_LOCATION",
            Privilege::All => "ALL",
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Privilege {
    type Err = CatalogError;

    /// Any case; a space or an underscore between two words.
    fn from_str(text: &str) -> Result<Self> {
        let mut name = text.trim().to_ascii_uppercase().replace(' ', "_");
        // Lake Formation's name in its API.
        if name == "DATA_LOCATION_ACCESS" {
            name = Privilege::DataLocation.name().to_owned();
        }
        Privilege::ALL
            .into_iter()
            .find(|privilege| privilege.name() == name)
            .ok_or_else(|| {
                let known: Vec<&str> = Privilege::ALL
                    .iter()
                    .map(|privilege| privilege.name())
                    .collect();
                CatalogError::invalid(format!(
                    "privilege {text:?} is not known; use one of {}",
                    known.join(", ")
                ))
            })
    }
}

/// A set of privileges.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PrivilegeSet(u16);

impl PrivilegeSet {
    /// Nothing.
    pub const EMPTY: PrivilegeSet = PrivilegeSet(0);

    /// All privileges.
    pub(crate) const EVERYTHING: PrivilegeSet = PrivilegeSet(u16::MAX);

    /// Adds one.
    pub fn insert(&mut self, privilege: Privilege) {
        self.0 |= 1 << privilege as u16;
    }

    /// Whether the set has a privilege.
    pub fn contains(self, privilege: Privilege) -> bool {
        self.0 & (1 << privilege as u16) != 0
    }

    /// The privileges of both sets.
    #[must_use]
    pub fn union(self, other: PrivilegeSet) -> PrivilegeSet {
        PrivilegeSet(self.0 | other.0)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Privilege> for PrivilegeSet {
    fn from_iter<I: IntoIterator<Item = Privilege>>(privileges: I) -> Self {
        let mut set = PrivilegeSet::EMPTY;
        privileges
            .into_iter()
            .for_each(|privilege| set.insert(privilege));
        set
    }
}

impl fmt::Debug for PrivilegeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(
                Privilege::ALL
                    .into_iter()
                    .filter(|privilege| self.contains(*privilege)),
            )
            .finish()
    }
}

/// What a privilege is granted on, as SQL names it. Names are lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// All databases with all their tables, present and future.
    Catalog,
    /// A database with all its tables, present and future.
    Database(String),
    Table {
        database: String,
        table: String,
    },
    /// Some columns of a table; only SELECT.
    Columns {
        database: String,
        table: String,
        columns: BTreeSet<String>,
    },
    /// A workgroup; only USAGE.
    Workgroup(String),
    /// A folder of the lake with all that lies in it; only DATA_LOCATION. Its URL in the canonical
    /// form of the storage, which ends in `/`: URLs with this prefix lie in it.
    Location(String),
}

const ON_CATALOG: [Privilege; 8] = [
    Privilege::Select,
    Privilege::Describe,
    Privilege::Insert,
    Privilege::Delete,
    Privilege::Alter,
    Privilege::Drop,
    Privilege::CreateTable,
    Privilege::CreateDatabase,
];
const ON_DATABASE: [Privilege; 7] = [
    Privilege::Select,
    Privilege::Describe,
    Privilege::Insert,
    Privilege::Delete,
    Privilege::Alter,
    Privilege::Drop,
    Privilege::CreateTable,
];
const ON_TABLE: [Privilege; 6] = [
    Privilege::Select,
    Privilege::Describe,
    Privilege::Insert,
    Privilege::Delete,
    Privilege::Alter,
    Privilege::Drop,
];
const ON_WORKGROUP: [Privilege; 1] = [Privilege::Usage];

impl Resource {
    /// A table.
    pub fn table(database: impl Into<String>, table: impl Into<String>) -> Resource {
        Resource::Table {
            database: database.into(),
            table: table.into(),
        }
    }

    /// Some columns of a table.
    pub fn columns<S: Into<String>>(
        database: impl Into<String>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = S>,
    ) -> Resource {
        Resource::Columns {
            database: database.into(),
            table: table.into(),
            columns: columns.into_iter().map(Into::into).collect(),
        }
    }

    /// The privileges that apply to the resource, without [`Privilege::All`].
    pub fn privileges(&self) -> &'static [Privilege] {
        match self {
            Resource::Catalog => &ON_CATALOG,
            Resource::Database(_) => &ON_DATABASE,
            Resource::Table { .. } => &ON_TABLE,
            Resource::Columns { .. } => &[Privilege::Select],
            Resource::Workgroup(_) => &ON_WORKGROUP,
            Resource::Location(_) => &[Privilege::DataLocation],
        }
    }

    /// What `privilege` stands for here: itself, or for [`Privilege::All`] all that apply to the
    /// resource.
    ///
    /// # Errors
    /// [`CatalogError::InvalidInput`] if the privilege does not apply to the resource.
    pub fn expand(&self, privilege: Privilege) -> Result<Vec<Privilege>> {
        let known = self.privileges();
        match privilege {
            // ALL (a, b) would read as more than SELECT; Lake Formation refuses it too.
            Privilege::All if !matches!(self, Resource::Columns { .. }) => Ok(known.to_vec()),
            privilege if known.contains(&privilege) => Ok(vec![privilege]),
            _ => {
                let names: Vec<&str> = known.iter().map(|privilege| privilege.name()).collect();
                Err(CatalogError::invalid(format!(
                    "{privilege} cannot be granted on {self}; use {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// Checks the names and lower-cases them; a column list must not be empty.
    ///
    /// # Errors
    /// [`CatalogError::InvalidInput`] that says which rule is broken.
    pub(crate) fn normalized(&self) -> Result<Resource> {
        Ok(match self {
            Resource::Catalog => Resource::Catalog,
            Resource::Database(name) => Resource::Database(normalize(Kind::Database, name)?),
            Resource::Table { database, table } => Resource::Table {
                database: normalize(Kind::Database, database)?,
                table: normalize(Kind::Table, table)?,
            },
            Resource::Columns {
                database,
                table,
                columns,
            } => {
                if columns.is_empty() {
                    return Err(CatalogError::invalid(format!(
                        "the column list of a grant on {database}.{table} is empty"
                    )));
                }
                Resource::Columns {
                    database: normalize(Kind::Database, database)?,
                    table: normalize(Kind::Table, table)?,
                    columns: columns
                        .iter()
                        .map(|column| normalize(Kind::Column, column))
                        .collect::<Result<_>>()?,
                }
            }
            Resource::Workgroup(name) => Resource::Workgroup(normalize(Kind::Workgroup, name)?),
            Resource::Location(folder) => {
                if !folder.contains("://") || !folder.ends_with('/') {
                    return Err(CatalogError::invalid(format!(
                        "location '{folder}' of a grant is not the URL of a folder; it must be one such as s3://bucket/folder/"
                    )));
                }
                Resource::Location(folder.clone())
            }
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Catalog => f.write_str("the catalog"),
            Resource::Database(name) => write!(f, "database {name}"),
            Resource::Table { database, table } => write!(f, "table {database}.{table}"),
            Resource::Columns {
                database,
                table,
                columns,
            } => {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                write!(
                    f,
                    "columns ({}) of table {database}.{table}",
                    columns.join(", ")
                )
            }
            Resource::Workgroup(name) => write!(f, "workgroup {name}"),
            Resource::Location(folder) => write!(f, "location '{folder}'"),
        }
    }
}

/// What a stored grant is on. Ids are never used again, so a grant never passes to another resource
/// that gets the name later, and a rename keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceId {
    Database(i64),
    Table(i64),
    Workgroup(i64),
}

impl ResourceId {
    /// As [`Resource::privileges`].
    pub fn privileges(self) -> &'static [Privilege] {
        match self {
            ResourceId::Database(_) => &ON_DATABASE,
            ResourceId::Table(_) => &ON_TABLE,
            ResourceId::Workgroup(_) => &ON_WORKGROUP,
        }
    }
}

/// A privilege of a user or a role on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// A user's or a role's name, lower case.
    pub grantee: String,
    pub resource: Resource,
    pub privilege: Privilege,
    /// Whether the grantee may pass it on.
    pub with_grant_option: bool,
}

impl Grant {
    /// A grant without grant option.
    pub fn new(grantee: impl Into<String>, privilege: Privilege, resource: Resource) -> Grant {
        Grant {
            grantee: grantee.into(),
            resource,
            privilege,
            with_grant_option: false,
        }
    }
}

/// The principal that makes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// An administrator, or the server itself.
    #[default]
    Administrator,
    /// A user that is not an administrator, by id.
    User(i64),
}
