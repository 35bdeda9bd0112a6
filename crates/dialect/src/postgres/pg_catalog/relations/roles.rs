//! Users and roles.

use super::Input;
use crate::postgres::Cell;
use crate::postgres::pg_catalog::oids;
use crate::postgres::pg_catalog::privileges::OWNER_NAME;
use crate::visible::{VisibleCatalog, VisibleRole};

type Value<'a> = Option<Cell<'a>>;

/// Returns the visible roles, including the one that owns the catalog.
pub(crate) fn roles(input: &Input) -> Vec<std::borrow::Cow<'_, VisibleRole>> {
    use std::borrow::Cow;
    let known = &input.catalog.roles;
    let mut rows: Vec<Cow<'_, VisibleRole>> = known.iter().map(Cow::Borrowed).collect();
    rows.push(Cow::Owned(VisibleRole {
        oid: oids::OWNER,
        name: OWNER_NAME.to_owned(),
        ..VisibleRole::default()
    }));
    rows
}

pub(crate) fn pg_roles<'a>(row: &std::borrow::Cow<'a, VisibleRole>, column: &str) -> Value<'a> {
    Some(match column {
        "oid" => Cell::Int(row.oid),
        "rolname" => Cell::text(row.name.clone()),
        "rolsuper" | "rolcreaterole" | "rolcreatedb" => Cell::Bool(row.is_admin),
        "rolinherit" => Cell::Bool(true),
        "rolcanlogin" => Cell::Bool(row.can_login),
        "rolconnlimit" => Cell::Int(-1),
        "rolpassword" => Cell::text("********"),
        _ => return None,
    })
}

/// Returns a value of `pg_authid`. Passwords are shown to nobody.
pub(crate) fn pg_authid<'a>(row: &std::borrow::Cow<'a, VisibleRole>, column: &str) -> Value<'a> {
    match column {
        "rolpassword" => Some(Cell::Null),
        _ => pg_roles(row, column),
    }
}

/// Returns the roles that cannot log in.
pub(crate) fn groups(input: &Input) -> Vec<&VisibleRole> {
    let roles = input.catalog.roles.iter();
    roles.filter(|role| !role.can_login).collect()
}

pub(crate) fn pg_group<'a>(input: &'a Input, row: &&'a VisibleRole, column: &str) -> Value<'a> {
    let members = input.catalog.roles.iter().filter_map(|member| {
        let holds = member.member_of.contains(&row.oid);
        holds.then_some(Cell::Int(member.oid))
    });
    Some(match column {
        "groname" => Cell::text(row.name.as_str()),
        "grosysid" => Cell::Int(row.oid),
        "grolist" => Cell::List(members.collect()),
        _ => return None,
    })
}

/// Returns the users, and the owner of the catalog: clients look for the owners of schemas among the
/// users.
pub(crate) fn users(input: &Input) -> Vec<std::borrow::Cow<'_, VisibleRole>> {
    let mut users = roles(input);
    users.retain(|role| role.can_login || role.oid == oids::OWNER);
    users
}

pub(crate) fn pg_user<'a>(row: &std::borrow::Cow<'a, VisibleRole>, column: &str) -> Value<'a> {
    Some(match column {
        "usename" => Cell::text(row.name.clone()),
        "usesysid" => Cell::Int(row.oid),
        "usecreatedb" | "usesuper" => Cell::Bool(row.is_admin),
        "passwd" => Cell::text("********"),
        _ => return None,
    })
}

/// Returns a value of `pg_shadow`. Passwords are shown to nobody.
pub(crate) fn pg_shadow<'a>(row: &std::borrow::Cow<'a, VisibleRole>, column: &str) -> Value<'a> {
    match column {
        "passwd" => Some(Cell::Null),
        _ => pg_user(row, column),
    }
}

/// Returns the roles that a user or role holds, directly or through others, excluding itself.
pub(crate) fn held_by<'a>(catalog: &'a VisibleCatalog, name: &str) -> Vec<&'a VisibleRole> {
    let find = |oid: i64| catalog.roles.iter().find(|role| role.oid == oid);
    let mut held: Vec<&VisibleRole> = Vec::new();
    let mut open: Vec<&VisibleRole> = catalog
        .roles
        .iter()
        .filter(|role| role.name == name)
        .collect();
    while let Some(role) = open.pop() {
        for next in role.member_of.iter().filter_map(|oid| find(*oid)) {
            if next.name != name && !held.iter().any(|known| known.oid == next.oid) {
                held.push(next);
                open.push(next);
            }
        }
    }
    held
}

/// Returns pairs of a member and a role that it holds.
pub(crate) fn members(input: &Input) -> Vec<(i64, i64)> {
    let roles = &input.catalog.roles;
    roles
        .iter()
        .flat_map(|role| role.member_of.iter().map(|held| (role.oid, *held)))
        .collect()
}

pub(crate) fn pg_auth_members<'a>((member, role): &(i64, i64), column: &str) -> Value<'a> {
    Some(match column {
        // Stable while both roles exist: the pair combined into one number.
        "oid" => Cell::Int((role.wrapping_mul(65_536) ^ member) & i64::from(u32::MAX)),
        "roleid" => Cell::Int(*role),
        "member" => Cell::Int(*member),
        "grantor" => Cell::Int(oids::OWNER),
        "inherit_option" | "set_option" => Cell::Bool(true),
        _ => return None,
    })
}
