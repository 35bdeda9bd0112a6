//! Grants in the file: one row per grantee, privilege and object, one per column for SELECT on columns.

use rusqlite::params;

use super::write::Write;
use crate::access::{By, Grant, Privilege, Resource};
use crate::error::{CatalogError, Kind, Result};

/// What follows the name of a column that was dropped, in the grants on it: no column can be called so. The grant gives nothing any
/// more, not even to a new column of the name, and what it left out stays hidden.
pub(super) const DROPPED: &str = "/dropped";

impl Write<'_> {
    pub(super) fn grant(&mut self, grant: &Grant, by: By) -> Result<usize> {
        self.check_exists(&grant.resource)?;
        let grantee = self.any_principal(&grant.grantee)?;
        let privileges = grant.resource.expand(grant.privilege)?;
        let (resource, grantable) = (&grant.resource, grant.with_grant_option);
        self.insert_grants(grantee, resource, &privileges, grantor(by), grantable)
    }

    /// Everything on what a user makes, with grant option. Administrators need no grant.
    pub(super) fn grant_to_maker(&mut self, by: By, resource: &Resource) -> Result<()> {
        let By::User(id) = by else {
            return Ok(());
        };
        self.check_user(id)?;
        let privileges = resource.expand(Privilege::All)?;
        self.insert_grants(id, resource, &privileges, grantor(By::Administrator), true)?;
        Ok(())
    }

    /// The folder of a database that a user makes, for as long as the database is there.
    pub(super) fn grant_folder_to_maker(
        &mut self,
        by: By,
        database: i64,
        folder: String,
    ) -> Result<()> {
        let By::User(id) = by else {
            return Ok(());
        };
        self.check_user(id)?;
        let folder = Resource::Location(folder);
        let privileges = [Privilege::DataLocation];
        self.insert_grants(id, &folder, &privileges, of_database(database), false)?;
        Ok(())
    }

    pub(super) fn drop_folder_grants(&mut self, database: i64) -> Result<()> {
        let sql = "DELETE FROM grants WHERE kind = 'location' AND grantor_id = ?1";
        self.changed_any(sql, [of_database(database)])?;
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
        resource: &Resource,
        privileges: &[Privilege],
        grantor: i64,
        grantable: bool,
    ) -> Result<usize> {
        let sql = "INSERT INTO grants (grantee_id, kind, database_name, table_name, column_name, workgroup_name, location, privilege, grantor_id, grantable)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                   ON CONFLICT DO UPDATE SET grantable = 1 WHERE excluded.grantable = 1 AND grants.grantable = 0";
        let mut changed = 0;
        for privilege in privileges {
            for row in rows_of(resource) {
                let [kind, database, table, column, workgroup, location] = row;
                let values = params![
                    grantee,
                    kind,
                    database,
                    table,
                    column,
                    workgroup,
                    location,
                    privilege.name(),
                    grantor,
                    grantable
                ];
                changed += usize::from(self.changed_any(sql, values)?);
            }
        }
        Ok(changed)
    }

    /// Takes back what was granted by a user, or, for an administrator, by anybody.
    pub(super) fn revoke(&mut self, grant: &Grant, by: By) -> Result<usize> {
        let grantee = self.any_principal(&grant.grantee)?;
        let grantor = match by {
            By::Administrator => None,
            By::User(id) => Some(id),
        };
        let mut changed = 0;
        for privilege in grant.resource.expand(grant.privilege)? {
            for row in rows_of(&grant.resource) {
                let [kind, database, table, column, workgroup, location] = row;
                let sql = "DELETE FROM grants WHERE grantee_id = ?1 AND kind = ?2 AND database_name = ?3 AND table_name = ?4
                           AND column_name IN (?5, ?9) AND workgroup_name = ?6 AND location = ?7 AND privilege = ?8
                           AND (?10 IS NULL OR grantor_id = ?10)";
                let values = params![
                    grantee,
                    kind,
                    database,
                    table,
                    column,
                    workgroup,
                    location,
                    privilege.name(),
                    format!("{column}{DROPPED}"),
                    grantor
                ];
                changed += usize::from(self.changed_any(sql, values)?);
            }
            if let (Resource::Table { database, table }, Privilege::Select) =
                (&grant.resource, privilege)
            {
                let sql = "DELETE FROM grants WHERE grantee_id = ?1 AND kind = 'column' AND database_name = ?2 AND table_name = ?3
                           AND (?4 IS NULL OR grantor_id = ?4)";
                let columns = self
                    .tx
                    .execute(sql, params![grantee, database, table, grantor])?;
                if columns > 0 {
                    self.control_changed();
                }
                changed += columns;
            }
        }
        Ok(changed)
    }

    /// Ends the grants on columns that a table does not have any more.
    pub(super) fn drop_column_grants(
        &mut self,
        database: &str,
        table: &str,
        columns: &[&str],
    ) -> Result<()> {
        for column in columns {
            let sql = "UPDATE OR REPLACE grants SET column_name = ?4
                       WHERE kind = 'column' AND database_name = ?1 AND table_name = ?2 AND column_name = ?3";
            let dropped = format!("{column}{DROPPED}");
            self.changed_any(sql, params![database, table, column, dropped])?;
        }
        Ok(())
    }

    /// Refuses to grant on what is not there: the grant would wait for whatever gets the name
    /// later.
    fn check_exists(&self, resource: &Resource) -> Result<()> {
        match resource {
            Resource::Catalog => Ok(()),
            Resource::Database(database) => self.database(database).map(|_| ()),
            Resource::Table { database, table } => self.table(database, table).map(|_| ()),
            Resource::Columns {
                database,
                table,
                columns,
            } => {
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
            Resource::Workgroup(name) => self.workgroup(name).map(|_| ()),
            // A place, whether something is there or not.
            Resource::Location(_) => Ok(()),
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

/// Kind, database, table, column, workgroup and location of a resource's rows: one, or one per column.
fn rows_of(resource: &Resource) -> Vec<[&str; 6]> {
    match resource {
        Resource::Catalog => vec![["catalog", "", "", "", "", ""]],
        Resource::Database(database) => vec![["database", database, "", "", "", ""]],
        Resource::Table { database, table } => vec![["table", database, table, "", "", ""]],
        Resource::Columns {
            database,
            table,
            columns,
        } => columns
            .iter()
            .map(|column| ["column", database, table, column.as_str(), "", ""])
            .collect(),
        Resource::Workgroup(name) => vec![["workgroup", "", "", "", name, ""]],
        Resource::Location(folder) => vec![["location", "", "", "", "", folder]],
    }
}

/// Folds names, and refuses a privilege that its resource does not know before anything is written.
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
