//! GRANT and REVOKE of privileges, and SHOW GRANTS.

use std::sync::Arc;

use arrow::array::BooleanArray;
use lakegate_catalog::access::{By, ControlSnapshot, Grant, Privilege, Resource};
use lakegate_catalog::model::Table;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;
use lakegate_sql::ast::{self, GrantResource, Grantee, PrivilegeSpec, ShowGrants};

use super::principals::{is_own, principal, shown_principal};
use super::rights::require_lasting;
use super::{Output, StatementContext, rows, workgroups};

pub(super) async fn grant(context: &StatementContext, grant: &ast::Grant) -> Result<Output> {
    let wanted = wanted(context, &grant.privileges, &grant.resource).await?;
    for (privilege, resource) in &wanted {
        check_owners(context, *privilege, resource).await?;
    }
    let mut grants = for_each(context, &wanted, &grant.grantees)?;
    for each in &mut grants {
        each.with_grant_option = grant.with_grant_option;
    }
    context
        .control
        .grant_by(&grants, context.access().by())
        .await?;
    Ok(Output::Command)
}

/// Users other than administrators revoke only what they granted themselves.
///
/// # Errors
///
/// Nothing was revoked: grants from others would otherwise stay unnoticed.
pub(super) async fn revoke(context: &StatementContext, revoke: &ast::Revoke) -> Result<Output> {
    if revoke.grant_option_only {
        return Err(Error::not_supported(
            "REVOKE GRANT OPTION FOR is not supported; REVOKE the privilege and GRANT it again without the option",
        ));
    }
    let wanted = wanted(context, &revoke.privileges, &revoke.resource).await?;
    let grants = for_each(context, &wanted, &revoke.grantees)?;
    let by = context.access().by();
    if context.control.revoke_by(&grants, by).await? > 0 {
        return Ok(Output::Command);
    }
    let Some(((privilege, resource), grantee)) = wanted.first().zip(revoke.grantees.first()) else {
        return Ok(Output::Command);
    };
    let grantee = match grantee {
        Grantee::CurrentUser => context.access().user(),
        named => named.name(),
    };
    if by != By::Administrator {
        // The error does not say whether the user or role exists.
        return Err(Error::new(
            Code::UndefinedObject,
            format!(
                "nothing was revoked: you have not granted {privilege} on {resource} to \"{grantee}\""
            ),
        )
        .with_hint("an administrator can revoke what others have granted"));
    }
    Err(Error::new(
        Code::UndefinedObject,
        format!(
            "nothing was revoked: {privilege} on {resource} is not granted to \"{grantee}\" itself"
        ),
    )
    .with_hint(format!(
        "it may come from a grant on what contains it, or to a role: SHOW GRANTS FOR {grantee} tells"
    )))
}

/// The privileges, each with its resource.
///
/// # Errors
///
/// A resource that does not exist for the caller, a privilege that the resource does not have.
async fn wanted(
    context: &StatementContext,
    privileges: &[PrivilegeSpec],
    on: &GrantResource,
) -> Result<Vec<(Privilege, Resource)>> {
    let whole = resource(context, on).await?;
    let mut wanted = Vec::with_capacity(privileges.len());
    for spec in privileges {
        let privilege: Privilege = spec.privilege.name().parse()?;
        let resource = match (&whole, spec.columns.is_empty()) {
            (_, true) => whole.clone(),
            (Resource::Table { database, table }, false) => {
                Resource::columns(database, table, spec.columns.iter().cloned())
            }
            (other, false) => {
                return Err(Error::invalid(format!(
                    "{privilege} with a column list is for a table, not for {other}; leave the list out or name a table"
                )));
            }
        };
        resource.expand(privilege)?;
        if !context.access().can_grant(privilege, &resource) {
            return Err(may_not_grant(privilege, &resource));
        }
        wanted.push((privilege, resource));
    }
    Ok(wanted)
}

/// # Errors
///
/// Files of a table belong to another table, and the caller may not grant the same privilege on
/// that one.
pub(super) async fn check_owners(
    context: &StatementContext,
    privilege: Privilege,
    on: &Resource,
) -> Result<()> {
    let (Resource::Table { database, table }
    | Resource::Columns {
        database, table, ..
    }) = on
    else {
        return Ok(());
    };
    let Some(granted) = context.view.metastore.table(database, table).await? else {
        return Ok(());
    };
    if context.access().is_administrator() {
        return Ok(());
    }
    let owners = context.view.owners(&granted).await?;
    for privilege in on.expand(privilege)? {
        let of_files = [Privilege::Select, Privilege::Insert, Privilege::Delete];
        let may = |owner: &Arc<Table>| {
            let owner = super::rights::resource(owner);
            context.access().can_grant(privilege, &owner)
        };
        if of_files.contains(&privilege) && !owners.iter().all(may) {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("permission denied: you may not grant {privilege} on {on}: its files belong to another table, on which you may not grant it"),
            )
            .with_hint("an administrator can grant it"));
        }
    }
    Ok(())
}

/// Every privilege for every grantee.
///
/// # Errors
///
/// A grantee that does not exist. Users other than administrators do not learn which names exist:
/// for them, a grant to a missing principal has no effect.
fn for_each(
    context: &StatementContext,
    wanted: &[(Privilege, Resource)],
    grantees: &[Grantee],
) -> Result<Vec<Grant>> {
    let snapshot = context.control.snapshot();
    let mut grants = Vec::new();
    for grantee in grantees {
        let grantee = match principal(context, &snapshot, grantee) {
            Ok(grantee) => grantee,
            Err(error) if context.access().is_administrator() => return Err(error),
            Err(_) => continue,
        };
        let each = wanted
            .iter()
            .map(|(privilege, resource)| Grant::new(&grantee, *privilege, resource.clone()));
        grants.extend(each);
    }
    Ok(grants)
}

fn may_not_grant(privilege: Privilege, resource: &Resource) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("permission denied: you may not grant or revoke {privilege} on {resource}"),
    )
    .with_hint("administrators may, and users to whom it was granted WITH GRANT OPTION")
}

/// The resource of a grant.
///
/// # Errors
///
/// It does not exist, or does not exist for the caller.
async fn resource(context: &StatementContext, on: &GrantResource) -> Result<Resource> {
    match on {
        GrantResource::Catalog(catalog) => match catalog.as_deref() {
            None | Some(lakegate_engine::CATALOG) => Ok(Resource::Catalog),
            Some(other) => Err(Error::new(
                Code::CatalogNotFound,
                format!(
                    "catalog \"{other}\" does not exist; the only catalog is {}",
                    lakegate_engine::CATALOG
                ),
            )),
        },
        GrantResource::Database(name) => {
            let database = context.database(name).await?;
            Ok(Resource::Database(database.name.clone()))
        }
        GrantResource::Table(name) => {
            let visible = context.table(name).await?;
            require_lasting(&visible)?;
            Ok(super::rights::resource(&visible.table))
        }
        GrantResource::Workgroup(name) => {
            workgroups::require_usable(context, name)?;
            Ok(Resource::Workgroup(name.clone()))
        }
        GrantResource::Location(location) => {
            // Grants under a root that is no longer configured can still be shown and revoked.
            let granted = context.control.snapshot();
            let folder = format!("{}/", location.trim_end_matches('/'));
            let known = Resource::Location(folder);
            if granted.grants.iter().any(|grant| grant.resource == known) {
                return Ok(known);
            }
            let folder = context.roots.locate(location)?.folder()?;
            Ok(Resource::Location(folder))
        }
    }
}

/// Users see the grants to themselves and to their roles; administrators see all.
///
/// FOR a principal includes grants through its roles. ON a resource includes grants on the
/// resources that contain it.
pub(super) async fn show(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowGrants,
) -> Result<Output> {
    let on = match &show.resource {
        None => None,
        Some(on) => Some(resource(context, on).await?),
    };
    let snapshot = context.control.snapshot();
    let of = match &show.principal {
        None => None,
        Some(grantee) => {
            let principal =
                shown_principal(context, &snapshot, grantee, "see the grants of others")?;
            let mut names = snapshot.roles_of(&principal);
            names.insert(principal);
            Some(names)
        }
    };
    let all = context.access().is_administrator();
    let grants: Vec<&Grant> = snapshot
        .grants
        .iter()
        .filter(|grant| all || is_own(context, &grant.grantee))
        .filter(|grant| {
            of.as_ref()
                .is_none_or(|names| names.contains(&grant.grantee))
        })
        .filter(|grant| on.as_ref().is_none_or(|on| concerns(grant, on)))
        .collect();
    let arrays = vec![
        rows::strings(grants.iter().map(|grant| Some(&grant.grantee)))?,
        rows::strings(
            grants
                .iter()
                .map(|grant| Some(kind_of(&snapshot, &grant.grantee))),
        )?,
        rows::strings(grants.iter().map(|grant| Some(grant.privilege.name())))?,
        rows::strings(grants.iter().map(|grant| Some(type_of(&grant.resource))))?,
        rows::strings(grants.iter().map(|grant| Some(name_of(&grant.resource))))?,
        rows::strings(grants.iter().map(|grant| columns_of(&grant.resource)))?,
        Arc::new(BooleanArray::from_iter(
            grants.iter().map(|grant| Some(grant.with_grant_option)),
        )),
    ];
    rows::answer(statement, arrays)
}

/// Whether a grant concerns a resource: it is on the resource, on columns of it, or on a container
/// with a privilege that applies to the resource.
fn concerns(grant: &Grant, on: &Resource) -> bool {
    let contains = match (&grant.resource, on) {
        (Resource::Catalog, Resource::Database(_) | Resource::Table { .. }) => true,
        (Resource::Database(granted), Resource::Table { database, .. }) => granted == database,
        (
            Resource::Columns {
                database, table, ..
            },
            Resource::Table {
                database: on_database,
                table: on_table,
            },
        ) => database == on_database && table == on_table,
        (Resource::Location(granted), Resource::Location(on)) => on.starts_with(granted.as_str()),
        _ => false,
    };
    grant.resource == *on || (contains && on.privileges().contains(&grant.privilege))
}

fn kind_of(snapshot: &ControlSnapshot, grantee: &str) -> &'static str {
    if snapshot.users.contains_key(grantee) {
        "USER"
    } else {
        "ROLE"
    }
}

fn type_of(resource: &Resource) -> &'static str {
    match resource {
        Resource::Catalog => "CATALOG",
        Resource::Database(_) => "DATABASE",
        Resource::Table { .. } | Resource::Columns { .. } => "TABLE",
        Resource::Workgroup(_) => "WORKGROUP",
        Resource::Location(_) => "DATA_LOCATION",
    }
}

fn name_of(resource: &Resource) -> String {
    match resource {
        Resource::Catalog => lakegate_engine::CATALOG.to_owned(),
        Resource::Database(name) | Resource::Workgroup(name) | Resource::Location(name) => {
            name.clone()
        }
        Resource::Table { database, table }
        | Resource::Columns {
            database, table, ..
        } => {
            format!("{database}.{table}")
        }
    }
}

fn columns_of(resource: &Resource) -> Option<String> {
    let Resource::Columns { columns, .. } = resource else {
        return None;
    };
    let columns: Vec<String> = columns
        .iter()
        .map(|column| column.replace("/dropped", " (dropped)"))
        .collect();
    Some(columns.join(", "))
}

#[cfg(test)]
mod tests;
