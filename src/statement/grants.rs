//! GRANT and REVOKE of privileges, and SHOW GRANTS.

use std::sync::Arc;

use arrow::array::BooleanArray;
use lakegate_catalog::access::{ControlSnapshot, Grant, Privilege, Resource};
use lakegate_sql::Statement;
use lakegate_sql::ast::{self, GrantResource, PrivilegeSpec, ShowGrants};

use super::principals::{is_own, principal, shown_principal};
use super::{Output, StatementContext, rows, workgroups};
use crate::error::{Code, Error, Result};

pub(super) async fn grant(context: &StatementContext, grant: &ast::Grant) -> Result<Output> {
    let mut grants =
        grants_of(context, &grant.privileges, &grant.resource, &grant.grantees).await?;
    for each in &mut grants {
        each.with_grant_option = grant.with_grant_option;
    }
    context.control.grant(&grants).await?;
    Ok(Output::Command)
}

/// Errors if nothing of it was granted: what comes from elsewhere would stay, unnoticed.
pub(super) async fn revoke(context: &StatementContext, revoke: &ast::Revoke) -> Result<Output> {
    if revoke.grant_option_only {
        return Err(Error::not_supported(
            "REVOKE GRANT OPTION FOR is not supported; REVOKE the privilege and GRANT it again without the option",
        ));
    }
    let grants = grants_of(
        context,
        &revoke.privileges,
        &revoke.resource,
        &revoke.grantees,
    )
    .await?;
    if context.control.revoke(&grants).await? == 0
        && let Some(first) = grants.first()
    {
        return Err(Error::new(
            Code::UndefinedObject,
            format!(
                "nothing was revoked: {} on {} is not granted to \"{}\" itself",
                first.privilege, first.resource, first.grantee
            ),
        )
        .with_hint(format!(
            "it may come from a grant on what contains it, or to a role: SHOW GRANTS FOR {} tells",
            first.grantee
        )));
    }
    Ok(Output::Command)
}

/// Whoever makes a database or a table may do everything with it, and grant it on, as in Lake Formation.
pub(super) async fn to_creator(context: &StatementContext, resource: Resource) -> Result<()> {
    if context.access().is_administrator() {
        return Ok(());
    }
    let grant = Grant {
        with_grant_option: true,
        ..Grant::new(context.access().user(), Privilege::All, resource)
    };
    context.control.grant(&[grant]).await?;
    Ok(())
}

/// Every privilege for every grantee. Errors: a resource that does not exist for the caller, a privilege that the caller may not
/// grant, a grantee that does not exist.
async fn grants_of(
    context: &StatementContext,
    privileges: &[PrivilegeSpec],
    on: &GrantResource,
    grantees: &[ast::Grantee],
) -> Result<Vec<Grant>> {
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
    let snapshot = context.control.snapshot();
    let mut grants = Vec::new();
    for grantee in grantees {
        let grantee = principal(context, &snapshot, grantee)?;
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
    .with_hint("administrators may, and who was granted it WITH GRANT OPTION")
}

/// What is granted on. Errors: it does not exist, or not for the caller.
async fn resource(context: &StatementContext, on: &GrantResource) -> Result<Resource> {
    match on {
        GrantResource::Catalog(catalog) => match catalog.as_deref() {
            None | Some(crate::engine::CATALOG) => Ok(Resource::Catalog),
            Some(other) => Err(Error::new(
                Code::CatalogNotFound,
                format!(
                    "catalog \"{other}\" does not exist; the only catalog is {}",
                    crate::engine::CATALOG
                ),
            )),
        },
        GrantResource::Database(name) => {
            let database = context.database(name).await?;
            Ok(Resource::Database(database.name.clone()))
        }
        GrantResource::Table(name) => {
            let visible = context.table(name).await?;
            Ok(super::rights::resource(&visible.table))
        }
        GrantResource::Workgroup(name) => {
            workgroups::require_usable(context, name)?;
            Ok(Resource::Workgroup(name.clone()))
        }
    }
}

/// Everybody sees the grants to themselves and to their roles; administrators see all.
///
/// FOR a principal: also those that it has through roles. ON a resource: also those on what contains it.
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

/// Whether a grant says something of a resource: it is on it, on columns of it, or of a privilege that it knows on what contains it.
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
    }
}

fn name_of(resource: &Resource) -> String {
    match resource {
        Resource::Catalog => crate::engine::CATALOG.to_owned(),
        Resource::Database(name) | Resource::Workgroup(name) => name.clone(),
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
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    Some(columns.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::testing::Lake;
    use crate::error::Code;

    #[tokio::test]
    async fn grants_are_made_shown_and_taken_back() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE ROLE readers; GRANT readers TO ann;
                 GRANT SELECT (id, email) ON TABLE orders TO readers;
                 GRANT SELECT, DESCRIBE ON DATABASE sales TO ann WITH GRANT OPTION;
                 GRANT ALTER ON orders TO ben; GRANT USAGE ON WORKGROUP primary TO ben; GRANT CREATE_DATABASE ON CATALOG TO ben").await;
        let of_ann = "ann|USER|SELECT|DATABASE|sales|NULL|true\nann|USER|DESCRIBE|DATABASE|sales|NULL|true\nreaders|ROLE|SELECT|TABLE|sales.orders|email, id|false";
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(
            sorted(&lake.text("ann", "SHOW GRANTS").await),
            sorted(of_ann)
        );
        assert_eq!(
            sorted(&lake.text("admin", "SHOW GRANTS FOR ann").await),
            sorted(of_ann)
        );
        assert_eq!(
            lake.text("ben", "SHOW GRANTS ON TABLE orders").await,
            "ben|USER|ALTER|TABLE|sales.orders|NULL|false"
        );
        assert_eq!(lake.text("admin", "SHOW GRANTS").await.lines().count(), 6);
        assert_eq!(
            lake.fails("ben", "SHOW GRANTS FOR ann").await.code(),
            Code::PermissionDenied
        );
        lake.ok("REVOKE SELECT (email) ON TABLE orders FROM readers")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW GRANTS FOR readers").await,
            "readers|ROLE|SELECT|TABLE|sales.orders|id|false"
        );
        lake.ok("REVOKE ALL ON TABLE orders FROM ben").await;
        assert!(!lake.text("ben", "SHOW GRANTS").await.contains("orders"));
    }

    #[tokio::test]
    async fn revoke_of_what_comes_from_elsewhere_says_so() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT ON DATABASE sales TO ann").await;
        let error = lake
            .fails("admin", "REVOKE SELECT ON TABLE orders FROM ann")
            .await;
        assert_eq!(error.code(), Code::UndefinedObject);
        assert!(
            error.hint().unwrap().contains("SHOW GRANTS FOR ann"),
            "{error}"
        );
        for sql in [
            "REVOKE GRANT OPTION FOR SELECT ON DATABASE sales FROM ann",
            "GRANT administrators TO ann WITH ADMIN OPTION",
        ] {
            assert_eq!(
                lake.fails("admin", sql).await.code(),
                Code::NotSupported,
                "{sql}"
            );
        }
    }

    #[tokio::test]
    async fn granting_on_needs_the_grant_option() {
        let lake = Lake::with_orders().await;
        assert_eq!(
            lake.fails("ann", "GRANT SELECT ON TABLE sales.orders TO ben")
                .await
                .code(),
            Code::TableNotFound
        );
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann WITH GRANT OPTION; GRANT DESCRIBE ON TABLE orders TO ann").await;
        lake.ok_as("ann", "GRANT SELECT (id) ON TABLE sales.orders TO ben")
            .await;
        assert_eq!(lake.text("ben", "SHOW COLUMNS IN orders").await, "id");
        for sql in [
            "GRANT SELECT ON TABLE sales.orders TO ben",
            "GRANT SELECT (email) ON TABLE sales.orders TO ben",
            "GRANT DESCRIBE ON TABLE sales.orders TO ben",
            "GRANT ALL ON DATABASE sales TO ann",
            "GRANT CREATE_DATABASE ON CATALOG TO ann",
        ] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::PermissionDenied,
                "{sql}"
            );
        }
        // A hidden column and a missing one give the same error.
        let hidden = lake
            .fails("ann", "GRANT SELECT (email) ON TABLE sales.orders TO ben")
            .await;
        let missing = lake
            .fails("ann", "GRANT SELECT (e_ail) ON TABLE sales.orders TO ben")
            .await;
        assert_eq!(
            hidden.message().replace("email", "e_ail"),
            missing.message()
        );
        lake.ok_as("ann", "REVOKE SELECT (id) ON TABLE sales.orders FROM ben")
            .await;
        assert_eq!(lake.text("ben", "SHOW GRANTS").await, "");
    }

    #[tokio::test]
    async fn what_cannot_be_granted_is_refused_by_name() {
        let lake = Lake::with_orders().await;
        for (sql, code) in [
            (
                "GRANT SELECT (x) ON TABLE orders TO ann",
                Code::ColumnNotFound,
            ),
            ("GRANT SELECT ON TABLE missing TO ann", Code::TableNotFound),
            (
                "GRANT SELECT ON DATABASE missing TO ann",
                Code::SchemaNotFound,
            ),
            (
                "GRANT SELECT ON TABLE orders TO nobody",
                Code::UndefinedObject,
            ),
            (
                "GRANT USAGE ON WORKGROUP missing TO ann",
                Code::UndefinedObject,
            ),
            (
                "GRANT SELECT ON TABLE orders TO ROLE ann",
                Code::UndefinedObject,
            ),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
        assert_eq!(lake.text("admin", "SHOW GRANTS").await, "");
    }
}
