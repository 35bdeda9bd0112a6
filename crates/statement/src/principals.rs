//! Users, roles and memberships.

use std::sync::Arc;

use arrow::array::BooleanArray;
use lakegate_catalog::access::{
    ADMINISTRATORS, Authentication, ControlSnapshot, Membership, PRIMARY_WORKGROUP, ScramVerifier,
};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;
use lakegate_sql::ast::{
    AlterUser, CreateRole, CreateUser, DropRole, DropUser, GrantRole, Grantee, RevokeRole,
    ShowRoles, UserAuthentication, UserChange, UserRef,
};

use super::{Output, StatementContext, rows};

pub(super) async fn create_user(context: &StatementContext, create: &CreateUser) -> Result<Output> {
    context.require_administrator("create users")?;
    let verifier = ScramVerifier::in_background(create.password.expose()).await?;
    context
        .control
        .create_user(&create.name, verifier, create.if_not_exists)
        .await?;
    Ok(Output::Command)
}

/// Users may change their own password and choose among their workgroups; everything else needs an
/// administrator.
pub(super) async fn alter_user(context: &StatementContext, alter: &AlterUser) -> Result<Output> {
    let me = context.access().user();
    let name = match &alter.user {
        UserRef::CurrentUser => me,
        UserRef::Named(name) => name,
    };
    if name != me {
        context.require_administrator("change other users")?;
    }
    match &alter.change {
        UserChange::SetPassword(password) => {
            let verifier = ScramVerifier::in_background(password.expose()).await?;
            if alter.terminate_sessions {
                context.control.reset_password(name, verifier).await?;
            } else {
                context.control.set_password(name, verifier).await?;
            }
        }
        UserChange::Disable => {
            context.require_administrator("disable users")?;
            if name == me {
                return Err(Error::new(
                    Code::ObjectInUse,
                    format!("user \"{name}\" is you; another administrator can disable you"),
                ));
            }
            context.control.set_user_disabled(name, true).await?;
        }
        UserChange::Enable => {
            context.require_administrator("enable users")?;
            context.control.set_user_disabled(name, false).await?;
        }
        UserChange::SetAuthentication(method) => {
            context.require_administrator("set the authentication of users")?;
            let method = match method {
                UserAuthentication::Scram => Authentication::Scram,
                UserAuthentication::Password => Authentication::Password,
                UserAuthentication::OAuth => Authentication::OAuth,
            };
            context
                .control
                .set_user_authentication(name, method)
                .await?;
        }
        UserChange::TerminateSessions => context.control.end_sessions(name).await?,
        UserChange::SetWorkgroup(workgroup) => {
            if let Some(workgroup) = workgroup {
                super::workgroups::require_usable(context, workgroup)?;
            }
            context
                .control
                .set_user_workgroup(name, workgroup.as_deref())
                .await?;
        }
    }
    Ok(Output::Command)
}

pub(super) async fn drop_user(context: &StatementContext, drop: &DropUser) -> Result<Output> {
    context.require_administrator("drop users")?;
    if drop.name == context.access().user() {
        return Err(Error::new(
            Code::ObjectInUse,
            format!(
                "user \"{}\" is you; another administrator can drop you",
                drop.name
            ),
        ));
    }
    context
        .control
        .drop_user(&drop.name, drop.if_exists)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn create_role(context: &StatementContext, create: &CreateRole) -> Result<Output> {
    context.require_administrator("create roles")?;
    context
        .control
        .create_role(&create.name, create.if_not_exists)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn drop_role(context: &StatementContext, drop: &DropRole) -> Result<Output> {
    context.require_administrator("drop roles")?;
    context
        .control
        .drop_role(&drop.name, drop.if_exists)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn grant_role(context: &StatementContext, grant: &GrantRole) -> Result<Output> {
    context.require_administrator("grant roles")?;
    if grant.with_admin_option {
        return Err(Error::not_supported(
            "GRANT … WITH ADMIN OPTION is not supported; administrators manage memberships",
        ));
    }
    let memberships = memberships(context, &grant.roles, &grant.grantees)?;
    context.control.grant_roles(&memberships).await?;
    Ok(Output::Command)
}

pub(super) async fn revoke_role(context: &StatementContext, revoke: &RevokeRole) -> Result<Output> {
    context.require_administrator("revoke roles")?;
    if revoke.admin_option_only {
        return Err(Error::not_supported(
            "REVOKE ADMIN OPTION FOR is not supported: there is no admin option; REVOKE the role itself",
        ));
    }
    let memberships = memberships(context, &revoke.roles, &revoke.grantees)?;
    let revoked = context.control.revoke_roles(&memberships).await?;
    match memberships.first() {
        Some(Membership { role, member }) if revoked == 0 => Err(Error::new(
            Code::UndefinedObject,
            format!("nothing was revoked: \"{member}\" is not a direct member of role \"{role}\""),
        )
        .with_hint(format!(
            "SHOW ROLES FOR {member} tells the roles, also those that come through roles"
        ))),
        _ => Ok(Output::Command),
    }
}

/// Every role with every grantee.
///
/// # Errors
///
/// A role or grantee that does not exist.
fn memberships(
    context: &StatementContext,
    roles: &[String],
    grantees: &[Grantee],
) -> Result<Vec<Membership>> {
    let snapshot = context.control.snapshot();
    let members: Vec<String> = grantees
        .iter()
        .map(|grantee| principal(context, &snapshot, grantee))
        .collect::<Result<_>>()?;
    let mut pairs = Vec::new();
    for role in roles {
        if !snapshot.roles.contains_key(role) {
            return Err(missing("role", role));
        }
        pairs.extend(members.iter().map(|member| Membership {
            role: role.clone(),
            member: member.clone(),
        }));
    }
    Ok(pairs)
}

/// The name of an existing user or role.
pub(super) fn principal(
    context: &StatementContext,
    snapshot: &ControlSnapshot,
    grantee: &Grantee,
) -> Result<String> {
    let is_user = |name: &str| snapshot.users.contains_key(name);
    let is_role = |name: &str| snapshot.roles.contains_key(name);
    match grantee {
        Grantee::CurrentUser => Ok(context.access().user().to_owned()),
        Grantee::User(name) if is_user(name) => Ok(name.clone()),
        Grantee::User(name) => Err(missing("user", name)),
        Grantee::Role(name) if is_role(name) => Ok(name.clone()),
        Grantee::Role(name) => Err(missing("role", name)),
        Grantee::Named(name) if is_user(name) || is_role(name) => Ok(name.clone()),
        Grantee::Named(name) => Err(missing("user or role", name)),
    }
}

/// Whether a principal is the caller or one of the caller's roles, about which every user may ask.
pub(super) fn is_own(context: &StatementContext, principal: &str) -> bool {
    principal == context.access().user() || context.access().roles().contains(principal)
}

/// The principal of SHOW … FOR.
///
/// # Errors
///
/// The caller is not an administrator, and the principal is neither the caller nor one of its roles.
/// The error does not say whether the principal exists.
pub(super) fn shown_principal(
    context: &StatementContext,
    snapshot: &ControlSnapshot,
    grantee: &Grantee,
    to: &str,
) -> Result<String> {
    let own = matches!(grantee, Grantee::CurrentUser) || is_own(context, grantee.name());
    if !own {
        context.require_administrator(to)?;
    }
    principal(context, snapshot, grantee)
}

fn missing(kind: &str, name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("{kind} \"{name}\" does not exist"),
    )
    .with_hint("SHOW USERS and SHOW ROLES list those that do")
}

/// Administrators see all users, others only themselves.
pub(super) fn show_users(context: &StatementContext, statement: &Statement) -> Result<Output> {
    let snapshot = context.control.snapshot();
    let me = context.access().user();
    let all = context.access().is_administrator();
    let users: Vec<_> = snapshot
        .users
        .values()
        .filter(|user| all || user.name == me)
        .collect();
    let roles: Vec<String> = users
        .iter()
        .map(|user| listed(snapshot.roles_of(&user.name)))
        .collect();
    let workgroups = users.iter().map(|user| {
        Some(
            user.default_workgroup
                .as_deref()
                .unwrap_or(PRIMARY_WORKGROUP),
        )
    });
    let administrators = users
        .iter()
        .map(|user| Some(snapshot.roles_of(&user.name).contains(ADMINISTRATORS)));
    let arrays = vec![
        rows::strings(users.iter().map(|user| Some(&user.name)))?,
        rows::strings(roles.iter().map(Some))?,
        rows::strings(workgroups)?,
        Arc::new(BooleanArray::from_iter(administrators)),
        rows::strings(users.iter().map(|user| Some(user.authentication.name())))?,
        rows::strings(
            users
                .iter()
                .map(|user| Some(if user.disabled { "DISABLED" } else { "ENABLED" })),
        )?,
    ];
    rows::answer(statement, arrays)
}

/// Administrators see all roles and their members; others see the roles that they are members of.
pub(super) fn show_roles(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowRoles,
) -> Result<Output> {
    let snapshot = context.control.snapshot();
    let all = context.access().is_administrator();
    let roles: Vec<String> = match &show.principal {
        Some(grantee) => {
            let principal =
                shown_principal(context, &snapshot, grantee, "see the roles of others")?;
            snapshot.roles_of(&principal).into_iter().collect()
        }
        None if all => snapshot.roles.keys().cloned().collect(),
        None => context.access().roles().iter().cloned().collect(),
    };
    let members = roles.iter().map(|role| {
        let memberships = snapshot.memberships.iter();
        let members = memberships.filter(|membership| membership.role == *role);
        all.then(|| listed(members.map(|membership| membership.member.clone())))
    });
    let arrays = vec![
        rows::strings(roles.iter().map(Some))?,
        rows::strings(members)?,
    ];
    rows::answer(statement, arrays)
}

fn listed(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::store::Control;
    use lakegate_error::Code;

    use super::super::testing::Lake;

    fn opens(lake: &Lake, user: &str, password: &str) -> bool {
        lake.store.snapshot().users[user]
            .verifier
            .verify_password(password)
    }

    #[tokio::test]
    async fn users_change_their_own_password_only() {
        let lake = Lake::new().await;
        lake.ok_as("ann", "ALTER USER ann WITH PASSWORD 'first new one'")
            .await;
        assert!(opens(&lake, "ann", "first new one") && !opens(&lake, "ann", "old secret"));
        lake.ok_as("ann", "ALTER USER CURRENT_USER PASSWORD 'second new one'")
            .await;
        assert!(opens(&lake, "ann", "second new one"));
        let error = lake
            .fails("ann", "ALTER USER ben WITH PASSWORD 'stolen'")
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(!error.to_string().contains("stolen"), "{error}");
        // The error does not say whether the user exists.
        assert_eq!(
            lake.fails("ann", "ALTER USER nobody WITH PASSWORD 'x'")
                .await
                .message(),
            error.message()
        );
        assert!(opens(&lake, "ben", "old secret"));
        lake.ok("ALTER USER ben WITH PASSWORD 'from the administrator'")
            .await;
        assert!(opens(&lake, "ben", "from the administrator"));
    }

    #[tokio::test]
    async fn only_administrators_manage_users_and_roles() {
        let lake = Lake::new().await;
        lake.ok("CREATE ROLE readers").await;
        for sql in [
            "CREATE USER eve WITH PASSWORD 'a long secret'",
            "DROP USER ben",
            "CREATE ROLE r",
            "DROP ROLE readers",
            "GRANT readers TO ann",
            "GRANT administrators TO ann",
            "REVOKE administrators FROM admin",
            "ALTER USER ben SET WORKGROUP primary",
        ] {
            let error = lake.fails("ann", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(
                error.message().contains("must be an administrator"),
                "{sql}: {error}"
            );
        }
        lake.ok("CREATE USER eve WITH PASSWORD 'a long secret'; CREATE USER IF NOT EXISTS eve WITH PASSWORD 'another'; DROP USER eve; DROP USER IF EXISTS eve").await;
        assert_eq!(
            lake.fails("admin", "DROP USER admin").await.code(),
            Code::ObjectInUse
        );
        assert_eq!(
            lake.fails("admin", "CREATE USER ann WITH PASSWORD 'x'")
                .await
                .code(),
            Code::DuplicateObject
        );
    }

    #[tokio::test]
    async fn roles_come_and_go_with_membership() {
        let lake = Lake::new().await;
        lake.ok(
            "CREATE ROLE readers; CREATE ROLE staff; GRANT readers TO staff; GRANT staff TO ann",
        )
        .await;
        assert_eq!(
            lake.text("ann", "SHOW ROLES").await,
            "readers|NULL\nstaff|NULL"
        );
        assert_eq!(lake.text("ben", "SHOW ROLES").await, "");
        assert_eq!(
            lake.text("admin", "SHOW ROLES").await,
            "administrators|admin\nreaders|staff\nstaff|ann"
        );
        assert_eq!(
            lake.text("admin", "SHOW ROLES FOR ann").await,
            "readers|staff\nstaff|ann"
        );
        assert_eq!(
            lake.fails("ben", "SHOW ROLES FOR ann").await.code(),
            Code::PermissionDenied
        );
        assert_eq!(
            lake.fails("admin", "REVOKE readers FROM ann").await.code(),
            Code::UndefinedObject
        );
        assert_eq!(
            lake.fails("admin", "GRANT nothing TO ann").await.code(),
            Code::UndefinedObject
        );
        assert_eq!(
            lake.fails("admin", "GRANT readers TO nobody").await.code(),
            Code::UndefinedObject
        );
        lake.ok("REVOKE staff FROM ann").await;
        assert_eq!(lake.text("ann", "SHOW ROLES").await, "");
    }

    #[tokio::test]
    async fn users_see_themselves_and_administrators_see_all() {
        let lake = Lake::new().await;
        assert_eq!(
            lake.text("ann", "SHOW USERS").await,
            "ann||primary|false|scram|ENABLED"
        );
        lake.ok("ALTER USER ben DISABLE").await;
        assert_eq!(
            lake.text("admin", "SHOW USERS").await,
            "admin|administrators|primary|true|scram|ENABLED\nann||primary|false|scram|ENABLED\nben||primary|false|scram|DISABLED"
        );
    }

    #[tokio::test]
    async fn only_administrators_choose_what_users_log_in_with() {
        let lake = Lake::new().await;
        let sql = "ALTER USER ann SET AUTHENTICATION password";
        for user in ["ann", "ben"] {
            let refused = lake.fails(user, sql).await;
            assert_eq!(refused.code(), Code::PermissionDenied, "{user}");
        }
        lake.ok(sql).await;
        assert_eq!(
            lake.text("ann", "SHOW USERS").await,
            "ann||primary|false|password|ENABLED"
        );
        lake.ok("ALTER USER ann RESET AUTHENTICATION").await;
        assert_eq!(
            lake.text("ann", "SHOW USERS").await,
            "ann||primary|false|scram|ENABLED"
        );
    }

    #[tokio::test]
    async fn only_administrators_disable_users_and_never_the_last_of_them() {
        let lake = Lake::new().await;
        for sql in ["ALTER USER ben DISABLE", "ALTER USER ann ENABLE"] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::PermissionDenied,
                "{sql}"
            );
        }
        let refused = lake.fails("admin", "ALTER USER admin DISABLE").await;
        assert_eq!(refused.code(), Code::ObjectInUse);
        lake.ok("GRANT administrators TO ann; ALTER USER ann DISABLE")
            .await;
        // A disabled administrator does not count.
        let refused = lake
            .fails("admin", "REVOKE administrators FROM admin")
            .await;
        assert!(refused.message().contains("no administrator"), "{refused}");
        lake.ok("ALTER USER ann ENABLE; REVOKE administrators FROM admin")
            .await;
    }

    #[tokio::test]
    async fn password_may_take_the_sessions_with_it() {
        let lake = Lake::new().await;
        let epoch = || lake.store.snapshot().users["ann"].session_epoch;
        lake.ok_as("ann", "ALTER USER ann PASSWORD 'first new one'")
            .await;
        assert_eq!(epoch(), 0);
        lake.ok_as(
            "ann",
            "ALTER USER ann PASSWORD 'second new one' TERMINATE SESSIONS",
        )
        .await;
        assert_eq!(epoch(), 1);
        assert!(opens(&lake, "ann", "second new one"));
        lake.ok("ALTER USER ann TERMINATE SESSIONS").await;
        assert_eq!(epoch(), 2);
        let error = lake.fails("ann", "ALTER USER ben TERMINATE SESSIONS").await;
        assert_eq!(error.code(), Code::PermissionDenied);
    }
}
