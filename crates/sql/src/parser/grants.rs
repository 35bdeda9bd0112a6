//! GRANT, REVOKE and SHOW GRANTS, SHOW ROLES.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{
    Grant, GrantResource, GrantRole, Grantee, PrivilegeKind, PrivilegeSpec, Revoke, RevokeRole,
    ShowGrants, ShowRoles, Statement,
};
use crate::lexer::TokenKind;

pub(super) fn grant(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("GRANT")?;
    if !is_of_privileges(cursor, "TO") {
        let roles = roles(cursor)?;
        cursor.expect("TO")?;
        let grantees = cursor.list(grantee)?;
        let with_admin_option = cursor.eat_all("WITH ADMIN OPTION");
        return Ok(Statement::GrantRole(GrantRole {
            roles,
            grantees,
            with_admin_option,
        }));
    }
    let privileges = privileges(cursor)?;
    cursor.expect("ON")?;
    let resource = resource(cursor)?;
    let privileges = resolve(privileges, &resource);
    cursor.expect("TO")?;
    let grantees = cursor.list(grantee)?;
    let with_grant_option = cursor.eat_all("WITH GRANT OPTION");
    Ok(Statement::Grant(Grant {
        privileges,
        resource,
        grantees,
        with_grant_option,
    }))
}

pub(super) fn revoke(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("REVOKE")?;
    if !is_of_privileges(cursor, "FROM") {
        let admin_option_only = cursor.eat_all("ADMIN OPTION FOR");
        let roles = roles(cursor)?;
        cursor.expect("FROM")?;
        let grantees = cursor.list(grantee)?;
        cursor.eat_any(&["CASCADE", "RESTRICT"]);
        return Ok(Statement::RevokeRole(RevokeRole {
            roles,
            grantees,
            admin_option_only,
        }));
    }
    let grant_option_only = cursor.eat_all("GRANT OPTION FOR");
    let privileges = privileges(cursor)?;
    cursor.expect("ON")?;
    let resource = resource(cursor)?;
    let privileges = resolve(privileges, &resource);
    cursor.expect("FROM")?;
    let grantees = cursor.list(grantee)?;
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    Ok(Statement::Revoke(Revoke {
        privileges,
        resource,
        grantees,
        grant_option_only,
    }))
}

/// Whether ON precedes the word that introduces the grantees: then privileges are granted, not
/// roles.
fn is_of_privileges(cursor: &Cursor<'_>, before: &str) -> bool {
    let words = cursor
        .rest()
        .iter()
        .filter(|token| token.kind == TokenKind::Word);
    for token in words {
        let word = cursor.text_of(*token);
        if word.eq_ignore_ascii_case("ON") {
            return true;
        }
        if word.eq_ignore_ascii_case(before) {
            break;
        }
    }
    // `GRANT SELECT TO r` lacks ON: report that instead of looking for a role named select.
    cursor.word_at(0).is_some_and(|word| kind(word).is_some())
}

fn roles(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    if cursor.is_word("ROLE") && !cursor.is_one_of_at(1, &["TO", "FROM"]) {
        cursor.advance();
    }
    cursor.list(|cursor| cursor.principal_name("a role's name"))
}

fn kind(word: &str) -> Option<PrivilegeKind> {
    Some(match word.to_ascii_uppercase().as_str() {
        "SELECT" => PrivilegeKind::Select,
        "DESCRIBE" => PrivilegeKind::Describe,
        "INSERT" => PrivilegeKind::Insert,
        "DELETE" => PrivilegeKind::Delete,
        "ALTER" => PrivilegeKind::Alter,
        "DROP" => PrivilegeKind::Drop,
        "CREATE_TABLE" | "CREATE" => PrivilegeKind::CreateTable,
        "CREATE_DATABASE" => PrivilegeKind::CreateDatabase,
        "USAGE" => PrivilegeKind::Usage,
        "DATA_LOCATION" | "DATA_LOCATION_ACCESS" => PrivilegeKind::DataLocation,
        "ALL" => PrivilegeKind::All,
        _ => return None,
    })
}

/// A privilege as written. A bare CREATE means tables or databases, depending on the resource.
struct Written {
    spec: PrivilegeSpec,
    bare_create: bool,
}

fn privileges(cursor: &mut Cursor<'_>) -> Result<Vec<Written>> {
    cursor.list(|cursor| {
        let Some(mut privilege) = cursor.word_at(0).and_then(kind) else {
            let mut error = cursor.expected("a privilege");
            error.hint = Some(
                "privileges are SELECT, DESCRIBE, INSERT, DELETE, ALTER, DROP, CREATE TABLE, CREATE DATABASE, USAGE, DATA_LOCATION and ALL"
                    .to_owned(),
            );
            return Err(error);
        };
        let mut bare_create = cursor.is_word("CREATE");
        cursor.advance();
        if bare_create && cursor.eat("TABLE") {
            bare_create = false;
        } else if bare_create && cursor.eat_any(&["DATABASE", "SCHEMA"]) {
            bare_create = false;
            privilege = PrivilegeKind::CreateDatabase;
        }
        if privilege == PrivilegeKind::All {
            cursor.eat("PRIVILEGES");
        }
        let columns = if cursor.is_sign('(') {
            cursor.names_in_parentheses("a column's name")?
        } else {
            Vec::new()
        };
        let spec = PrivilegeSpec { privilege, columns };
        Ok(Written { spec, bare_create })
    })
}

fn resolve(privileges: Vec<Written>, resource: &GrantResource) -> Vec<PrivilegeSpec> {
    let on_catalog = matches!(resource, GrantResource::Catalog(_));
    privileges
        .into_iter()
        .map(|written| {
            let mut spec = written.spec;
            if written.bare_create && on_catalog {
                spec.privilege = PrivilegeKind::CreateDatabase;
            }
            spec
        })
        .collect()
}

/// After ON.
fn resource(cursor: &mut Cursor<'_>) -> Result<GrantResource> {
    if cursor.eat_all("ALL TABLES IN") {
        if !cursor.eat_any(&["DATABASE", "SCHEMA"]) {
            return Err(cursor.expected("DATABASE or SCHEMA"));
        }
        return names::database(cursor).map(GrantResource::Database);
    }
    // In double quotes it is the name of a table.
    let is_location = |ahead: usize| {
        let token = cursor.rest().get(ahead);
        token.is_some_and(|token| {
            matches!(
                token.kind,
                TokenKind::Single { .. } | TokenKind::Dollar { .. }
            )
        })
    };
    let after_word = cursor.is_word("LOCATION") && is_location(1);
    if after_word || is_location(0) {
        if after_word {
            cursor.advance();
        }
        return cursor
            .string("the location as a string")
            .map(GrantResource::Location);
    }
    let named = cursor.rest().len() > 1 && !cursor.is_sign_at(1, '.');
    if named && cursor.eat_any(&["DATABASE", "SCHEMA"]) {
        return names::database(cursor).map(GrantResource::Database);
    }
    if named && cursor.eat("WORKGROUP") {
        return cursor
            .principal_name("a workgroup's name")
            .map(GrantResource::Workgroup);
    }
    if named && cursor.eat("CATALOG") {
        let name = if cursor.is_one_of(&["TO", "FROM", "FOR"]) || !cursor.is_name() {
            None
        } else {
            Some(cursor.name("a catalog's name")?)
        };
        return Ok(GrantResource::Catalog(name));
    }
    if cursor.is_word("CATALOG") && cursor.rest().len() == 1 {
        cursor.advance();
        return Ok(GrantResource::Catalog(None));
    }
    if named {
        cursor.eat("TABLE");
    }
    names::table(cursor).map(GrantResource::Table)
}

fn grantee(cursor: &mut Cursor<'_>) -> Result<Grantee> {
    if cursor.eat_any(&["CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"]) {
        return Ok(Grantee::CurrentUser);
    }
    // A principal may itself be named user or role; then nothing, a comma or an option follows.
    let mut ahead = *cursor;
    ahead.advance();
    let names_one = (ahead.is_name() || ahead.is_string())
        && !ahead.is_one_of(&["WITH", "ON", "CASCADE", "RESTRICT"]);
    if names_one && cursor.is_one_of(&["ROLE", "GROUP"]) {
        cursor.advance();
        return cursor.principal_name("a role's name").map(Grantee::Role);
    }
    if names_one && cursor.eat("USER") {
        return cursor.principal_name("a user's name").map(Grantee::User);
    }
    cursor
        .principal_name("a user's or role's name")
        .map(Grantee::Named)
}

/// After SHOW GRANTS: `[{FOR|TO|OF} p] [ON r]`, in either order.
pub(super) fn show_grants(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let mut shown = ShowGrants {
        principal: None,
        resource: None,
    };
    while !cursor.at_end() {
        if shown.resource.is_none() && cursor.eat("ON") {
            shown.resource = Some(resource(cursor)?);
        } else if shown.principal.is_none() {
            cursor.eat_any(&["FOR", "TO", "OF"]);
            shown.principal = Some(grantee(cursor)?);
        } else {
            return Err(cursor.expected("the end of the statement"));
        }
    }
    Ok(Statement::ShowGrants(shown))
}

/// After SHOW ROLES: `[{FOR|TO|OF} p]`
pub(super) fn show_roles(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let principal = if cursor.eat_any(&["FOR", "TO", "OF"]) {
        Some(grantee(cursor)?)
    } else {
        None
    };
    Ok(Statement::ShowRoles(ShowRoles { principal }))
}
