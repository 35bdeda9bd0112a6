//! Principals, memberships and workgroups in the file: the steps of changes to them.

use rusqlite::{OptionalExtension, params};

use super::write::Write;
use crate::error::{CatalogError, Kind, Result};

impl Write<'_> {
    pub(super) fn principal(&self, name: &str) -> Result<Option<(i64, Kind)>> {
        let sql = "SELECT id, kind FROM principals WHERE name = ?1";
        let found = self.tx.query_row(sql, [name], |row| {
            let kind = if row.get::<_, String>(1)? == "role" {
                Kind::Role
            } else {
                Kind::User
            };
            Ok((row.get(0)?, kind))
        });
        Ok(found.optional()?)
    }

    pub(super) fn any_principal(&self, name: &str) -> Result<i64> {
        self.principal(name)?
            .map(|(id, _)| id)
            .ok_or_else(|| CatalogError::not_found(Kind::Principal, name))
    }

    pub(super) fn user(&self, name: &str) -> Result<i64> {
        let found = self
            .principal(name)?
            .filter(|(_, kind)| *kind == Kind::User);
        found
            .map(|(id, _)| id)
            .ok_or_else(|| CatalogError::not_found(Kind::User, name))
    }

    pub(super) fn role(&self, name: &str) -> Result<i64> {
        let found = self
            .principal(name)?
            .filter(|(_, kind)| *kind == Kind::Role);
        found
            .map(|(id, _)| id)
            .ok_or_else(|| CatalogError::not_found(Kind::Role, name))
    }

    pub(super) fn workgroup(&self, name: &str) -> Result<i64> {
        let found = self
            .tx
            .query_row("SELECT id FROM workgroups WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()?;
        found.ok_or_else(|| CatalogError::not_found(Kind::Workgroup, name))
    }

    /// Whether `member` is `role`, or a member of it directly or through roles.
    fn is_member(&self, member: i64, role: i64) -> Result<bool> {
        let sql = "WITH RECURSIVE roles (id) AS (
                       SELECT ?1 UNION SELECT m.role_id FROM memberships m JOIN roles r ON m.member_id = r.id)
                   SELECT EXISTS (SELECT 1 FROM roles WHERE id = ?2)";
        Ok(self.tx.query_row(sql, [member, role], |row| row.get(0))?)
    }

    pub(super) fn add_member(
        &mut self,
        role_id: i64,
        member_id: i64,
        role: &str,
        member: &str,
    ) -> Result<bool> {
        if self.is_member(role_id, member_id)? {
            return Err(CatalogError::invalid(format!(
                "role \"{role}\" cannot be granted to \"{member}\": \"{role}\" is itself a member of \"{member}\""
            )));
        }
        let sql =
            "INSERT INTO memberships (role_id, member_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.changed_any(sql, params![role_id, member_id])
    }

    pub(super) fn drop_principal(
        &mut self,
        kind: Kind,
        name: &str,
        if_exists: bool,
    ) -> Result<bool> {
        let Some((id, _)) = self.principal(name)?.filter(|(_, found)| *found == kind) else {
            return if if_exists {
                Ok(false)
            } else {
                Err(CatalogError::not_found(kind, name))
            };
        };
        // Memberships and grants go with it.
        self.changed_any("DELETE FROM principals WHERE id = ?1", [id])
    }
}
