//! Grants in the file: one row per grantee, privilege and object, one per column for SELECT on columns.

use rusqlite::params;

use super::write::Write;
use crate::access::{Grant, Privilege, Resource};
use crate::error::{CatalogError, Kind, Result};

impl Write<'_> {
    pub(super) fn grant(&mut self, grant: &Grant) -> Result<usize> {
        self.check_exists(&grant.resource)?;
        let grantee = self.any_principal(&grant.grantee)?;
        let sql = "INSERT INTO grants VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT DO UPDATE SET grantable = 1 WHERE excluded.grantable = 1 AND grants.grantable = 0";
        let mut changed = 0;
        for privilege in grant.resource.expand(grant.privilege)? {
            for row in rows_of(&grant.resource) {
                let [kind, database, table, column, workgroup] = row;
                let values = params![
                    grantee,
                    kind,
                    database,
                    table,
                    column,
                    workgroup,
                    privilege.name(),
                    grant.with_grant_option
                ];
                changed += usize::from(self.changed_any(sql, values)?);
            }
        }
        Ok(changed)
    }

    pub(super) fn revoke(&mut self, grant: &Grant) -> Result<usize> {
        let grantee = self.any_principal(&grant.grantee)?;
        let mut changed = 0;
        for privilege in grant.resource.expand(grant.privilege)? {
            for row in rows_of(&grant.resource) {
                let [kind, database, table, column, workgroup] = row;
                let sql = "DELETE FROM grants WHERE grantee_id = ?1 AND kind = ?2 AND database_name = ?3 AND table_name = ?4
                           AND column_name = ?5 AND workgroup_name = ?6 AND privilege = ?7";
                let values = params![
                    grantee,
                    kind,
                    database,
                    table,
                    column,
                    workgroup,
                    privilege.name()
                ];
                changed += usize::from(self.changed_any(sql, values)?);
            }
            if let (Resource::Table { database, table }, Privilege::Select) =
                (&grant.resource, privilege)
            {
                let sql = "DELETE FROM grants WHERE grantee_id = ?1 AND kind = 'column' AND database_name = ?2 AND table_name = ?3";
                let columns = self.tx.execute(sql, params![grantee, database, table])?;
                if columns > 0 {
                    self.control_changed();
                }
                changed += columns;
            }
        }
        Ok(changed)
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
        }
    }
}

/// Kind, database, table, column and workgroup of a resource's rows: one, or one per column.
fn rows_of(resource: &Resource) -> Vec<[&str; 5]> {
    match resource {
        Resource::Catalog => vec![["catalog", "", "", "", ""]],
        Resource::Database(database) => vec![["database", database, "", "", ""]],
        Resource::Table { database, table } => vec![["table", database, table, "", ""]],
        Resource::Columns {
            database,
            table,
            columns,
        } => columns
            .iter()
            .map(|column| ["column", database, table, column.as_str(), ""])
            .collect(),
        Resource::Workgroup(name) => vec![["workgroup", "", "", "", name]],
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
