//! `has_table_privilege` and similar functions: the current principal's privileges.
//!
//! Each takes `([user,] object, privilege)`. Privileges of other users are not known here: the
//! result is NULL, as for an object that does not exist.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::Lookup;
use crate::postgres::pg_catalog::privileges::{any_of, on_column, on_namespace, on_table};
use crate::postgres::pg_catalog::relations::{Relation, roles};
use crate::postgres::{Cell, PgFunction};
use crate::visible::{VisibleColumn, VisibleTable};

/// Returns whether a user argument names the principal.
fn is_principal(lookup: &Lookup, user: &Cell<'_>) -> bool {
    match user {
        Cell::Int(oid) => lookup.role_name(*oid) == Some(lookup.catalog.principal.as_str()),
        other => other.as_str() == Some(lookup.catalog.principal.as_str()),
    }
}

/// Builds a function `name([user,] objects…, privilege)`; `check` receives the objects and the
/// privilege.
fn function(
    lookup: &Arc<Lookup>,
    name: &str,
    objects: usize,
    check: impl Fn(&Lookup, &[Cell<'static>], &str) -> Result<Option<bool>> + Send + Sync + 'static,
) -> PgFunction {
    let lookup = Arc::clone(lookup);
    PgFunction::new(
        name,
        objects + 1..=objects + 2,
        DataType::Boolean,
        move |args| {
            let (user, rest) = match args.len() > objects + 1 {
                true => (args.first(), &args[1..]),
                false => (None, args),
            };
            if user.is_some_and(|user| !is_principal(&lookup, user)) {
                return Ok(Cell::Null);
            }
            let privilege = rest[objects].to_text().unwrap_or_default();
            Ok(check(&lookup, &rest[..objects], &privilege)?.map_or(Cell::Null, Cell::Bool))
        },
    )
}

fn unknown(privilege: &str) -> Error {
    Error::invalid(format!("unrecognized privilege type: \"{privilege}\""))
}

fn relation<'a>(lookup: &'a Lookup, object: &Cell<'_>) -> Result<Option<Relation<'a>>> {
    match object {
        Cell::Int(oid) => Ok(lookup.relation(*oid)),
        other => {
            let name = other.to_text().unwrap_or_default();
            let found = lookup.relation_named(&name);
            let missing = || {
                Error::new(
                    Code::TableNotFound,
                    format!("relation \"{name}\" does not exist"),
                )
            };
            Ok(Some(found.ok_or_else(missing)?))
        }
    }
}

/// Returns whether a privilege on a system relation is held: every user may read them, and none may
/// write them.
fn on_system(privilege: &str) -> Result<Option<bool>> {
    let held = any_of(privilege, |name| match name {
        "SELECT" => Some(true),
        "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | "REFERENCES" | "TRIGGER" | "MAINTAIN" => {
            Some(false)
        }
        _ => None,
    });
    Ok(Some(held.ok_or_else(|| unknown(privilege))?))
}

fn column<'a>(table: &'a VisibleTable, column: &Cell<'_>) -> Result<Option<&'a VisibleColumn>> {
    if let Cell::Int(number) = column {
        return Ok(usize::try_from(number - 1)
            .ok()
            .and_then(|place| table.columns.get(place)));
    }
    let name = column.to_text().unwrap_or_default();
    let found = table.columns.iter().find(|column| column.name == name);
    Ok(Some(
        found.ok_or_else(|| lakegate_error::column_not_found(&name))?,
    ))
}

fn plain(privilege: &str, held: &[&str], known: &[&str]) -> Result<Option<bool>> {
    let answer = any_of(privilege, |name| {
        known.contains(&name).then(|| held.contains(&name))
    });
    Ok(Some(answer.ok_or_else(|| unknown(privilege))?))
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let on_relation = |lookup: &Lookup, objects: &[Cell<'static>], privilege: &str| match relation(
        lookup,
        &objects[0],
    )? {
        None => Ok(None),
        Some(Relation::System(..)) => on_system(privilege),
        Some(Relation::Lake(_, table)) => Ok(Some(
            on_table(table, privilege).ok_or_else(|| unknown(privilege))?,
        )),
    };
    vec![
        function(lookup, "has_table_privilege", 1, on_relation),
        function(lookup, "has_any_column_privilege", 1, on_relation),
        function(
            lookup,
            "has_column_privilege",
            2,
            |lookup, objects, privilege| match relation(lookup, &objects[0])? {
                None => Ok(None),
                Some(Relation::System(..)) => on_system(privilege),
                Some(Relation::Lake(_, table)) => match column(table, &objects[1])? {
                    None => Ok(None),
                    Some(column) => Ok(Some(
                        on_column(table, column, privilege).ok_or_else(|| unknown(privilege))?,
                    )),
                },
            },
        ),
        function(
            lookup,
            "has_schema_privilege",
            1,
            |lookup, objects, privilege| {
                let name = match &objects[0] {
                    Cell::Int(oid) => lookup.namespace_name(*oid).map(str::to_owned),
                    other => other.to_text(),
                };
                let Some(name) = name else { return Ok(None) };
                if matches!(name.as_str(), "pg_catalog" | "information_schema") {
                    return plain(privilege, &["USAGE"], &["USAGE", "CREATE"]);
                }
                match lookup.database(&name) {
                    Some(database) => Ok(Some(
                        on_namespace(database, privilege).ok_or_else(|| unknown(privilege))?,
                    )),
                    None => Err(Error::new(
                        Code::SchemaNotFound,
                        format!("schema \"{name}\" does not exist"),
                    )
                    .into()),
                }
            },
        ),
        function(
            lookup,
            "has_database_privilege",
            1,
            |lookup, _, privilege| {
                let held: &[&str] = if lookup.catalog.is_admin {
                    &["CONNECT", "CREATE"]
                } else {
                    &["CONNECT"]
                };
                plain(privilege, held, &["CONNECT", "CREATE", "TEMPORARY", "TEMP"])
            },
        ),
        function(lookup, "has_function_privilege", 1, |_, _, p| {
            plain(p, &["EXECUTE"], &["EXECUTE"])
        }),
        function(lookup, "has_type_privilege", 1, |_, _, p| {
            plain(p, &["USAGE"], &["USAGE"])
        }),
        function(lookup, "has_language_privilege", 1, |_, _, p| {
            plain(p, &[], &["USAGE"])
        }),
        function(lookup, "has_tablespace_privilege", 1, |_, _, p| {
            plain(p, &[], &["CREATE"])
        }),
        function(lookup, "has_sequence_privilege", 1, |_, _, p| {
            plain(p, &[], &["USAGE", "SELECT", "UPDATE"])
        }),
        function(lookup, "has_parameter_privilege", 1, |_, _, p| {
            plain(p, &["SET"], &["SET", "ALTER SYSTEM"])
        }),
        function(lookup, "pg_has_role", 1, |lookup, objects, privilege| {
            let name = match &objects[0] {
                Cell::Int(oid) => lookup.role_name(*oid).map(str::to_owned),
                other => other.to_text(),
            };
            let Some(name) = name else { return Ok(None) };
            let principal = &lookup.catalog.principal;
            let holds = lookup.catalog.is_admin
                || name == *principal
                || roles::held_by(&lookup.catalog, principal)
                    .iter()
                    .any(|role| role.name == name);
            plain(
                privilege,
                if holds {
                    &["USAGE", "MEMBER", "SET"]
                } else {
                    &[]
                },
                &["USAGE", "MEMBER", "SET"],
            )
        }),
        PgFunction::new("row_security_active", 1..=1, DataType::Boolean, |_| {
            Ok(Cell::Bool(false))
        }),
    ]
}
