//! [`Control`] on the file: users, roles and workgroups. Grants are in `grants.rs`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::grants::normalized;
use super::load::signed;
use super::vacated;
use crate::access::{
    ADMINISTRATORS, Authentication, By, ControlSnapshot, Grant, Membership, PRIMARY_WORKGROUP,
    QueryLimits, ResourceId, Role, ScramVerifier, User, Workgroup, WorkgroupInput,
};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::normalize;
use crate::model::now;
use crate::store::{Control, Created};

/// Words that SQL has a meaning for where a user or role may stand.
const RESERVED_PRINCIPALS: [&str; 5] = [
    "public",
    "none",
    "current_user",
    "current_role",
    "session_user",
];

#[async_trait]
impl Control for SqliteStore {
    fn snapshot(&self) -> Arc<ControlSnapshot> {
        match &self.draft {
            Some(draft) => Arc::clone(&draft.view().control),
            None => Arc::clone(&self.inner.control.read()),
        }
    }

    async fn create_user(
        &self,
        name: &str,
        verifier: ScramVerifier,
        if_not_exists: bool,
    ) -> Result<Created<Arc<User>>> {
        let name = principal_name(Kind::User, name)?;
        self.write(move |write| {
            let created = match write.principal(&name)? {
                Some((_, Kind::User)) if if_not_exists => false,
                Some((_, kind)) => return Err(CatalogError::already_exists(kind, name)),
                None => {
                    let sql = "INSERT INTO principals (name, kind, verifier, created) VALUES (?1, 'user', ?2, ?3)";
                    write.tx.execute(sql, params![name, verifier.to_string(), now().timestamp_millis()])?;
                    write.control_changed();
                    true
                }
            };
            Ok((name, created))
        })
        .await
        .and_then(|(name, created)| {
            let user = self.snapshot().users.get(&name).cloned();
            user.map(|value| Created { value, created }).ok_or_else(|| CatalogError::not_found(Kind::User, name))
        })
    }

    async fn set_password(&self, name: &str, verifier: ScramVerifier) -> Result<()> {
        let name = name.to_lowercase();
        self.write(move |write| {
            let id = write.user(&name)?;
            let sql = "UPDATE principals SET verifier = ?2 WHERE id = ?1";
            write.tx.execute(sql, params![id, verifier.to_string()])?;
            write.control_changed();
            Ok(())
        })
        .await
    }

    async fn reset_password(&self, name: &str, verifier: ScramVerifier) -> Result<()> {
        let name = name.to_lowercase();
        self.write(move |write| {
            let id = write.user(&name)?;
            let sql = "UPDATE principals SET verifier = ?2, session_epoch = session_epoch + 1 WHERE id = ?1";
            write.changed_any(sql, params![id, verifier.to_string()])?;
            Ok(())
        })
        .await
    }

    async fn set_user_disabled(&self, name: &str, disabled: bool) -> Result<bool> {
        let name = name.to_lowercase();
        self.write(move |write| {
            let id = write.user(&name)?;
            // Sessions from before do not continue when the user is enabled again.
            let sql = "UPDATE principals SET disabled = ?2, session_epoch = session_epoch + ?2 WHERE id = ?1 AND disabled <> ?2";
            write.changed_any(sql, params![id, disabled])
        })
        .await
    }

    async fn end_sessions(&self, name: &str) -> Result<()> {
        let name = name.to_lowercase();
        self.write(move |write| {
            let id = write.user(&name)?;
            let sql = "UPDATE principals SET session_epoch = session_epoch + 1 WHERE id = ?1";
            write.changed_any(sql, [id])?;
            Ok(())
        })
        .await
    }

    async fn set_user_workgroup(&self, name: &str, workgroup: Option<&str>) -> Result<()> {
        let (name, workgroup) = (name.to_lowercase(), workgroup.map(str::to_lowercase));
        self.write(move |write| {
            let id = write.user(&name)?;
            if let Some(workgroup) = &workgroup {
                write.workgroup(workgroup)?;
            }
            write.tx.execute(
                "UPDATE principals SET default_workgroup = ?2 WHERE id = ?1",
                params![id, workgroup],
            )?;
            write.control_changed();
            Ok(())
        })
        .await
    }

    async fn set_user_authentication(&self, name: &str, method: Authentication) -> Result<()> {
        let name = name.to_lowercase();
        self.write(move |write| {
            let id = write.user(&name)?;
            let sql = "UPDATE principals SET authentication = ?2 WHERE id = ?1";
            write.changed_any(sql, params![id, method.name()])?;
            Ok(())
        })
        .await
    }

    async fn drop_user(&self, name: &str, if_exists: bool) -> Result<bool> {
        let name = name.to_lowercase();
        self.write(move |write| write.drop_principal(Kind::User, &name, if_exists))
            .await
    }

    async fn create_role(&self, name: &str, if_not_exists: bool) -> Result<Created<Arc<Role>>> {
        let name = principal_name(Kind::Role, name)?;
        self.write(move |write| {
            let created = match write.principal(&name)? {
                Some((_, Kind::Role)) if if_not_exists => false,
                Some((_, kind)) => return Err(CatalogError::already_exists(kind, name)),
                None => {
                    let sql =
                        "INSERT INTO principals (name, kind, created) VALUES (?1, 'role', ?2)";
                    write
                        .tx
                        .execute(sql, params![name, now().timestamp_millis()])?;
                    write.control_changed();
                    true
                }
            };
            Ok((name, created))
        })
        .await
        .and_then(|(name, created)| {
            let role = self.snapshot().roles.get(&name).cloned();
            role.map(|value| Created { value, created })
                .ok_or_else(|| CatalogError::not_found(Kind::Role, name))
        })
    }

    async fn drop_role(&self, name: &str, if_exists: bool) -> Result<bool> {
        let name = name.to_lowercase();
        if name == ADMINISTRATORS {
            return Err(CatalogError::invalid(format!(
                "the role \"{ADMINISTRATORS}\" is built in and cannot be dropped"
            )));
        }
        self.write(move |write| write.drop_principal(Kind::Role, &name, if_exists))
            .await
    }

    async fn grant_roles(&self, memberships: &[Membership]) -> Result<usize> {
        let memberships = folded(memberships);
        self.write(move |write| {
            let mut new = 0;
            for Membership { role, member } in &memberships {
                let (role_id, member_id) = (write.role(role)?, write.any_principal(member)?);
                new += usize::from(write.add_member(role_id, member_id, role, member)?);
            }
            Ok(new)
        })
        .await
    }

    async fn revoke_roles(&self, memberships: &[Membership]) -> Result<usize> {
        let memberships = folded(memberships);
        self.write(move |write| {
            let mut ended = 0;
            for Membership { role, member } in &memberships {
                let (role_id, member_id) = (write.role(role)?, write.any_principal(member)?);
                let sql = "DELETE FROM memberships WHERE role_id = ?1 AND member_id = ?2";
                ended += usize::from(write.changed_any(sql, params![role_id, member_id])?);
            }
            Ok(ended)
        })
        .await
    }

    async fn create_administrator(&self, name: &str, verifier: ScramVerifier) -> Result<()> {
        let name = principal_name(Kind::User, name)?;
        self.write(move |write| {
            let user = match write.principal(&name)? {
                Some((user, Kind::User)) => user,
                Some((_, kind)) => return Err(CatalogError::already_exists(kind, name)),
                None => {
                    let sql = "INSERT INTO principals (name, kind, verifier, created) VALUES (?1, 'user', ?2, ?3)";
                    write.tx.execute(sql, params![name, verifier.to_string(), now().timestamp_millis()])?;
                    write.tx.last_insert_rowid()
                }
            };
            let role = write.role(ADMINISTRATORS)?;
            write.add_member(role, user, ADMINISTRATORS, &name)?;
            Ok(())
        })
        .await
    }

    async fn grant_by(&self, grants: &[Grant], by: By) -> Result<usize> {
        let grants = normalized(grants)?;
        self.change(move |write| {
            let mut changed = 0;
            for grant in &grants {
                changed += write.grant(grant, by)?;
            }
            Ok(changed)
        })
        .await
    }

    async fn revoke_by(&self, grants: &[Grant], by: By) -> Result<usize> {
        let grants = normalized(grants)?;
        self.change(move |write| {
            let mut changed = 0;
            for grant in &grants {
                changed += write.revoke(grant, by)?;
            }
            Ok(changed)
        })
        .await
    }

    async fn forget(&self, resources: &[ResourceId]) -> Result<usize> {
        let resources = resources.to_vec();
        self.change(move |write| {
            let mut removed = 0;
            for resource in resources {
                removed += write.forget(resource)?;
            }
            Ok(removed)
        })
        .await
    }

    async fn vacate(&self, folders: Vec<String>) -> Result<()> {
        self.change(move |write| {
            let since = now().timestamp_millis();
            vacated::note(&write.tx, folders, since)?;
            write.control_changed();
            Ok(())
        })
        .await
    }

    async fn create_workgroup(
        &self,
        input: WorkgroupInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Workgroup>>> {
        let input = checked_workgroup(input)?;
        let (name, created) = self.write(move |write| {
            let cutoff = input.bytes_scanned_cutoff_per_query.map(signed);
            let staleness = milliseconds(input.max_staleness);
            let (cpu, run, rows, written) = limits(&input.limits);
            let sql = "INSERT INTO workgroups (name, description, state, bytes_scanned_cutoff_per_query, created, max_staleness_ms,
                                               cpu_time_limit_ms, run_time_limit_ms, rows_returned_limit, bytes_written_limit)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
            let (state, time) = (input.state.to_string(), now().timestamp_millis());
            let created = write.changed_any(
                sql,
                params![input.name, input.description, state, cutoff, time, staleness, cpu, run, rows, written],
            )?;
            if !created && !if_not_exists {
                return Err(CatalogError::already_exists(Kind::Workgroup, input.name));
            }
            Ok((input.name, created))
        }).await?;
        Ok(Created {
            value: self.stored_workgroup(name)?,
            created,
        })
    }

    async fn update_workgroup(&self, input: WorkgroupInput) -> Result<Arc<Workgroup>> {
        let input = checked_workgroup(input)?;
        let name = self.write(move |write| {
            write.workgroup(&input.name)?;
            let cutoff = input.bytes_scanned_cutoff_per_query.map(signed);
            let staleness = milliseconds(input.max_staleness);
            let (cpu, run, rows, written) = limits(&input.limits);
            let sql = "UPDATE workgroups SET description = ?2, state = ?3, bytes_scanned_cutoff_per_query = ?4, max_staleness_ms = ?5,
                                             cpu_time_limit_ms = ?6, run_time_limit_ms = ?7, rows_returned_limit = ?8, bytes_written_limit = ?9
                       WHERE name = ?1";
            let state = input.state.to_string();
            write.changed_any(
                sql,
                params![input.name, input.description, state, cutoff, staleness, cpu, run, rows, written],
            )?;
            Ok(input.name)
        }).await?;
        self.stored_workgroup(name)
    }

    async fn drop_workgroup(&self, name: &str, if_exists: bool) -> Result<bool> {
        let name = name.to_lowercase();
        if name == PRIMARY_WORKGROUP {
            return Err(CatalogError::invalid(format!(
                "the workgroup \"{PRIMARY_WORKGROUP}\" is built in and cannot be dropped"
            )));
        }
        self.write(move |write| {
            let id = match write.workgroup(&name) {
                Ok(id) => id,
                Err(CatalogError::NotFound { .. }) if if_exists => return Ok(false),
                Err(error) => return Err(error),
            };
            write.changed_any("DELETE FROM workgroups WHERE id = ?1", [id])?;
            write.forget(ResourceId::Workgroup(id))?;
            write.tx.execute(
                "UPDATE principals SET default_workgroup = NULL WHERE default_workgroup = ?1",
                params![name],
            )?;
            Ok(true)
        })
        .await
    }
}

impl SqliteStore {
    fn stored_workgroup(&self, name: String) -> Result<Arc<Workgroup>> {
        let workgroup = self.snapshot().workgroups.get(&name).cloned();
        workgroup.ok_or_else(|| CatalogError::not_found(Kind::Workgroup, name))
    }
}

fn folded(memberships: &[Membership]) -> Vec<Membership> {
    let folded = memberships.iter().map(|each| Membership {
        role: each.role.to_lowercase(),
        member: each.member.to_lowercase(),
    });
    folded.collect()
}

fn principal_name(kind: Kind, name: &str) -> Result<String> {
    let name = normalize(kind, name)?;
    if RESERVED_PRINCIPALS.contains(&name.as_str()) {
        return Err(CatalogError::invalid(format!(
            "\"{name}\" has a meaning in SQL; choose another name for the {kind}"
        )));
    }
    Ok(name)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// As the file has them.
fn limits(limits: &QueryLimits) -> (Option<i64>, Option<i64>, Option<i64>, Option<i64>) {
    (
        limits.cpu_time.map(milliseconds),
        limits.run_time.map(milliseconds),
        limits.rows_returned.map(signed),
        limits.bytes_written.map(signed),
    )
}

fn checked_workgroup(mut input: WorkgroupInput) -> Result<WorkgroupInput> {
    input.name = normalize(Kind::Workgroup, &input.name)?;
    let QueryLimits {
        cpu_time,
        run_time,
        rows_returned,
        bytes_written,
    } = input.limits;
    let stops_all = |limit: Option<Duration>| limit.is_some_and(|limit| milliseconds(limit) == 0);
    let counts = [rows_returned, bytes_written];
    if stops_all(cpu_time) || stops_all(run_time) || counts.contains(&Some(0)) {
        return Err(CatalogError::invalid(
            "a limit of 0 would stop every query; leave it out for no limit, or disable the workgroup",
        ));
    }
    let mut counts = counts.into_iter().flatten();
    if counts.any(|count| i64::try_from(count).is_err()) {
        return Err(CatalogError::invalid(format!(
            "a limit of rows or bytes is at most {}",
            i64::MAX
        )));
    }
    match input.bytes_scanned_cutoff_per_query {
        Some(0) => Err(CatalogError::invalid(
            "a cutoff of 0 bytes would stop every query; leave it out for no limit, or disable the workgroup",
        )),
        Some(bytes) if i64::try_from(bytes).is_err() => Err(CatalogError::invalid(format!(
            "the cutoff of {bytes} bytes is too large; the most is {}",
            i64::MAX
        ))),
        _ => Ok(input),
    }
}
