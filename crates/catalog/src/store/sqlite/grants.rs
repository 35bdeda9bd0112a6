//! Grants in the file: one row per grantee, privilege and resource, one per column for SELECT on
//! columns. Databases, tables and workgroups are named by id.

use rusqlite::params;

use super::write::Write;
use crate::access::{By, Grant, Privilege, Resource, ResourceId};
use crate::error::{CatalogError, Kind, Result};

/// Appended to the name of a dropped column in the grants on it: no column can be called so. The
/// grant has no effect any more, not even on a new column of the name, and still restricts the
/// grantee to the columns that were granted.
const DROPPED: &str = "/dropped";

/// What a row of `grants` is on.
struct Key {
    kind: &'static str,
    /// Of a database, table or workgroup; else 0.
    resource_id: i64,
    column: String,
    location: String,
}

impl Key {
    fn new(kind: &'static str, resource_id: i64) -> Key {
        Key {
            kind,
            resource_id,
            column: String::new(),
            location: String::new(),
        }
    }

    fn of(resource: ResourceId) -> Key {
        match resource {
            ResourceId::Database(id) => Key::new("database", id),
            ResourceId::Table(id) => Key::new("table", id),
            ResourceId::Workgroup(id) => Key::new("workgroup", id),
        }
    }

    fn folder(folder: &str) -> Key {
        Key {
            location: folder.to_owned(),
            ..Key::new("location", 0)
        }
    }
}

impl Write<'_> {
    pub(super) fn grant(&mut self, grant: &Grant, by: By) -> Result<usize> {
        let keys = self.keys(&grant.resource)?;
        self.check_columns(&grant.resource)?;
        let grantee = self.any_principal(&grant.grantee)?;
        let privileges = grant.resource.expand(grant.privilege)?;
        self.insert_grants(
            grantee,
            &keys,
            &privileges,
            grantor(by),
            grant.with_grant_option,
        )
    }

    /// Grants a user everything on what it created, with grant option. Administrators need no
    /// grant.
    pub(super) fn grant_owner(&mut self, by: By, resource: ResourceId) -> Result<()> {
        let By::User(id) = by else {
            return Ok(());
        };
        self.check_user(id)?;
        let grantor = grantor(By::Administrator);
        self.insert_grants(
            id,
            &[Key::of(resource)],
            resource.privileges(),
            grantor,
            true,
        )?;
        Ok(())
    }

    /// Grants a user the folder of a database that it created, for as long as the database exists.
    pub(super) fn grant_database_folder(
        &mut self,
        by: By,
        database: i64,
        folder: &str,
    ) -> Result<()> {
        let By::User(id) = by else {
            return Ok(());
        };
        self.check_user(id)?;
        let privileges = [Privilege::DataLocation];
        let grantor = of_database(database);
        self.insert_grants(id, &[Key::folder(folder)], &privileges, grantor, false)?;
        Ok(())
    }

    /// Removes all grants on a resource that is gone. Returns how many.
    pub(super) fn forget(&mut self, resource: ResourceId) -> Result<usize> {
        let (sql, id) = match resource {
            ResourceId::Database(id) => {
                let sql = "DELETE FROM grants WHERE kind = 'location' AND grantor_id = ?1";
                self.changed_any(sql, [of_database(id)])?;
                (
                    "DELETE FROM grants WHERE kind = 'database' AND resource_id = ?1",
                    id,
                )
            }
            ResourceId::Table(id) => (
                "DELETE FROM grants WHERE kind IN ('table', 'column') AND resource_id = ?1",
                id,
            ),
            ResourceId::Workgroup(id) => (
                "DELETE FROM grants WHERE kind = 'workgroup' AND resource_id = ?1",
                id,
            ),
        };
        let removed = self.tx.execute(sql, [id])?;
        if removed > 0 {
            self.control_changed();
        }
        Ok(removed)
    }

    /// Ends the grants on columns that a table does not have any more.
    pub(super) fn forget_columns(&mut self, table: i64, columns: &[String]) -> Result<()> {
        for column in columns {
            let sql = "UPDATE OR REPLACE grants SET column_name = ?3
                       WHERE kind = 'column' AND resource_id = ?1 AND column_name = ?2";
            let dropped = format!("{column}{DROPPED}");
            self.changed_any(sql, params![table, column, dropped])?;
        }
        Ok(())
    }

    /// Takes the new name of a table into memory where grants are on it.
    pub(super) fn renamed(&mut self, table: i64) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM grants WHERE kind IN ('table', 'column') AND resource_id = ?1)";
        if self
            .tx
            .query_row(sql, [table], |row| row.get::<_, bool>(0))?
        {
            self.control_changed();
        }
        Ok(())
    }

    fn check_user(&self, id: i64) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM principals WHERE id = ?1)";
        if !self.tx.query_row(sql, [id], |row| row.get::<_, bool>(0))? {
            return Err(CatalogError::not_found(Kind::User, format!("#{id}")));
        }
        Ok(())
    }

    fn insert_grants(
        &mut self,
        grantee: i64,
        keys: &[Key],
        privileges: &[Privilege],
        grantor: i64,
        grantable: bool,
    ) -> Result<usize> {
        let sql = "INSERT INTO grants (grantee_id, kind, resource_id, column_name, location, privilege, grantor_id, grantable)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT DO UPDATE SET grantable = 1 WHERE excluded.grantable = 1 AND grants.grantable = 0";
        let mut changed = 0;
        for privilege in privileges {
            for key in keys {
                let values = params![
                    grantee,
                    key.kind,
                    key.resource_id,
                    key.column,
                    key.location,
                    privilege.name(),
                    grantor,
                    grantable
                ];
                changed += usize::from(self.changed_any(sql, values)?);
            }
        }
        Ok(changed)
    }

    /// Revokes what a user granted, or, for an administrator, what every grantor granted.
    pub(super) fn revoke(&mut self, grant: &Grant, by: By) -> Result<usize> {
        let grantee = self.any_principal(&grant.grantee)?;
        let grantor = match by {
            By::Administrator => None,
            By::User(id) => Some(id),
        };
        let privileges = grant.resource.expand(grant.privilege)?;
        let keys = match self.keys(&grant.resource) {
            Ok(keys) => keys,
            // Nothing is granted on what does not exist.
            Err(CatalogError::NotFound { .. }) => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut changed = 0;
        for privilege in privileges {
            for key in &keys {
                let sql =
                    "DELETE FROM grants WHERE grantee_id = ?1 AND kind = ?2 AND resource_id = ?3
                           AND column_name IN (?4, ?5) AND location = ?6 AND privilege = ?7
                           AND (?8 IS NULL OR grantor_id = ?8)";
                let values = params![
                    grantee,
                    key.kind,
                    key.resource_id,
                    key.column,
                    format!("{}{DROPPED}", key.column),
                    key.location,
                    privilege.name(),
                    grantor
                ];
                changed += usize::from(self.changed_any(sql, values)?);
                if key.kind == "table" && privilege == Privilege::Select {
                    let sql = "DELETE FROM grants WHERE grantee_id = ?1 AND kind = 'column' AND resource_id = ?2
                               AND (?3 IS NULL OR grantor_id = ?3)";
                    let values = params![grantee, key.resource_id, grantor];
                    let columns = self.tx.execute(sql, values)?;
                    if columns > 0 {
                        self.control_changed();
                    }
                    changed += columns;
                }
            }
        }
        Ok(changed)
    }

    /// What the rows of a resource are on: one, or one per column.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    fn keys(&self, resource: &Resource) -> Result<Vec<Key>> {
        Ok(match resource {
            Resource::Catalog => vec![Key::new("catalog", 0)],
            Resource::Database(database) => {
                let id = self.database(database)?.database.id;
                vec![Key::of(ResourceId::Database(id))]
            }
            Resource::Table { database, table } => {
                let id = self.table(database, table)?.id;
                vec![Key::of(ResourceId::Table(id))]
            }
            Resource::Columns {
                database,
                table,
                columns,
            } => {
                let id = self.table(database, table)?.id;
                let key = |column: &String| Key {
                    column: column.clone(),
                    ..Key::new("column", id)
                };
                columns.iter().map(key).collect()
            }
            Resource::Workgroup(name) => {
                vec![Key::of(ResourceId::Workgroup(self.workgroup(name)?))]
            }
            // A place, whether something is there or not.
            Resource::Location(folder) => vec![Key::folder(folder)],
        })
    }

    /// # Errors
    /// `NotFound` for a column that its table does not have.
    fn check_columns(&self, resource: &Resource) -> Result<()> {
        let Resource::Columns {
            database,
            table,
            columns,
        } = resource
        else {
            return Ok(());
        };
        let table = self.table(database, table)?;
        let missing = columns
            .iter()
            .find(|wanted| !table.columns().any(|column| column.name == **wanted));
        match missing {
            Some(column) => Err(CatalogError::not_found(
                Kind::Column,
                format!("{}.{column}", table.full_name()),
            )),
            None => Ok(()),
        }
    }
}

/// 0 stands for administrators, whose grants stay when one of them goes.
fn grantor(by: By) -> i64 {
    match by {
        By::Administrator => 0,
        By::User(id) => id,
    }
}

/// The grantor of what goes with a database.
fn of_database(database: i64) -> i64 {
    -database
}

/// Folds names, and refuses a privilege that does not apply to its resource before anything is
/// written.
pub(super) fn normalized(grants: &[Grant]) -> Result<Vec<Grant>> {
    grants
        .iter()
        .map(|grant| {
            let resource = grant.resource.normalized()?;
            resource.expand(grant.privilege)?;
            Ok(Grant {
                grantee: grant.grantee.to_lowercase(),
                resource,
                ..grant.clone()
            })
        })
        .collect()
}
