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
    .with_hint("administrators may, and who was granted it WITH GRANT OPTION")
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

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
    async fn folders_are_granted_shown_and_taken_back() {
        let lake = Lake::new().await;
        lake.ok("GRANT DATA_LOCATION ON 's3://lake//raw' TO ann WITH GRANT OPTION")
            .await;
        let of_ann = "ann|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/raw/|NULL|true";
        assert_eq!(lake.text("ann", "SHOW GRANTS").await, of_ann);
        // The grantor may grant on a subfolder, but not on the parent folder.
        lake.ok_as(
            "ann",
            "GRANT DATA_LOCATION ON LOCATION 's3://lake/raw/deep/' TO ben",
        )
        .await;
        for sql in [
            "GRANT DATA_LOCATION ON 's3://lake/' TO ben",
            "GRANT DATA_LOCATION ON 's3://lake/rawer/' TO ben",
        ] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::PermissionDenied,
                "{sql}"
            );
        }
        assert_eq!(
            lake.fails("ben", "GRANT DATA_LOCATION ON 's3://lake/raw/deep/' TO ben")
                .await
                .code(),
            Code::PermissionDenied
        );
        assert_eq!(
            lake.text("admin", "SHOW GRANTS ON 's3://lake/raw/deep/er/'")
                .await,
            format!(
                "{of_ann}\nben|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/raw/deep/|NULL|false"
            )
        );
        for (sql, code) in [
            (
                "GRANT DATA_LOCATION ON 's3://elsewhere/' TO ann",
                Code::LocationRefused,
            ),
            (
                "GRANT SELECT ON 's3://lake/raw/' TO ann",
                Code::InvalidParameter,
            ),
            (
                "GRANT DATA_LOCATION ON DATABASE sales TO ann",
                Code::InvalidParameter,
            ),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
        lake.ok("REVOKE ALL ON 's3a://lake/raw/' FROM ann; REVOKE DATA_LOCATION ON 's3://lake/raw/deep/' FROM ben").await;
        assert_eq!(lake.text("admin", "SHOW GRANTS").await, "");
    }

    #[tokio::test]
    async fn others_than_administrators_take_back_what_they_gave() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT ON TABLE orders TO ann WITH GRANT OPTION; GRANT SELECT ON TABLE orders TO ben").await;
        let error = lake
            .fails("ann", "REVOKE SELECT ON TABLE orders FROM ben")
            .await;
        assert_eq!(error.code(), Code::UndefinedObject);
        // The error does not say whether the user exists.
        let nobody = lake
            .fails("ann", "REVOKE SELECT ON TABLE orders FROM bob")
            .await;
        assert_eq!(nobody.message(), error.message().replace("ben", "bob"));
        assert_eq!(
            lake.text("ben", "SHOW COLUMNS IN orders").await,
            "id\nemail\nday"
        );
        // A privilege granted by two grantors is gone when both have revoked it.
        lake.ok_as(
            "ann",
            "GRANT SELECT ON TABLE orders TO ben; REVOKE SELECT ON TABLE orders FROM ben",
        )
        .await;
        assert_eq!(
            lake.text("ben", "SHOW COLUMNS IN orders").await,
            "id\nemail\nday"
        );
        lake.ok_as("ann", "GRANT SELECT ON TABLE orders TO ben")
            .await;
        lake.ok("REVOKE SELECT ON TABLE orders FROM ben").await;
        assert_eq!(lake.text("ben", "SHOW GRANTS").await, "");
        // A column grant by an administrator counts too.
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ben").await;
        for sql in [
            "REVOKE SELECT ON TABLE orders FROM ben",
            "REVOKE SELECT (id) ON TABLE orders FROM ben",
        ] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::UndefinedObject,
                "{sql}"
            );
        }
    }

    #[tokio::test]
    async fn grant_to_nobody_tells_nothing() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT ON TABLE orders TO ann WITH GRANT OPTION")
            .await;
        lake.ok_as("ann", "GRANT SELECT ON TABLE orders TO bob, ben; GRANT SELECT ON TABLE orders TO ROLE readers").await;
        lake.ok("CREATE USER bob WITH PASSWORD 'a long secret'; CREATE ROLE readers")
            .await;
        assert_eq!(lake.text("bob", "SHOW GRANTS").await, "");
        assert_eq!(lake.text("admin", "SHOW GRANTS FOR readers").await, "");
        assert_eq!(
            lake.text("ben", "SHOW COLUMNS IN orders").await,
            "id\nemail\nday"
        );
        assert_eq!(
            lake.fails("admin", "GRANT SELECT ON TABLE orders TO bill")
                .await
                .code(),
            Code::UndefinedObject
        );
    }

    #[tokio::test]
    async fn grant_on_a_column_ends_with_the_column() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT (email), DESCRIBE ON TABLE orders TO ann; ALTER TABLE orders REPLACE COLUMNS (id INT)").await;
        // Columns outside the grant stay hidden.
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "");
        assert_eq!(
            lake.text("ann", "SHOW GRANTS").await.lines().next(),
            Some("ann|USER|DESCRIBE|TABLE|sales.orders|NULL|false")
        );
        lake.ok("ALTER TABLE orders ADD COLUMNS (email STRING)")
            .await;
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "");
        assert!(
            lake.text("ann", "SHOW GRANTS")
                .await
                .contains("email (dropped)")
        );
        lake.ok("GRANT SELECT (email) ON TABLE orders TO ann").await;
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "email");
        lake.ok("REVOKE SELECT (email) ON TABLE orders FROM ann")
            .await;
        assert_eq!(
            lake.text("ann", "SHOW COLUMNS IN orders").await,
            "id\nemail\nday"
        );
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
