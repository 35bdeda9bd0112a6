//! `has_table_privilege` and similar functions: the current principal's privileges.
//!
//! Each takes `([user,] object, privilege)`. Privileges of other users are not known here: the
//! result is NULL, as for the number of an object that does not exist. A name that nothing visible has
//! is an error.

use std::sync::Arc;

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use super::names::{relation_oid, undefined};
use super::{Lookup, procedures};
use crate::postgres::pg_catalog::data::{PG_LANGUAGE, PG_TABLESPACE, StaticTable};
use crate::postgres::pg_catalog::privileges::{any_of, on_column, on_namespace, on_table};
use crate::postgres::pg_catalog::relations::{Relation, roles};
use crate::postgres::pg_catalog::shape::type_of_rows;
use crate::postgres::pg_catalog::{oids, types};
use crate::postgres::{Cell, PgFunction};

/// Returns whether a user argument names the principal.
///
/// # Errors
///
/// No visible role has the name.
fn is_principal(lookup: &Lookup, user: &Cell<'_>) -> Result<bool, Error> {
    let principal = lookup.catalog.principal.as_str();
    if let Cell::Int(oid) = user {
        return Ok(lookup.role_name(*oid) == Some(principal));
    }
    let name = user.to_text().unwrap_or_default();
    match name == principal {
        true => Ok(true),
        false if name == PUBLIC || is_role(lookup, &name) => Ok(false),
        false => Err(undefined("role", &name)),
    }
}

/// The name of what everybody holds.
const PUBLIC: &str = "public";

/// Roles that every server of PostgreSQL's has, and that tools ask for. Administrators hold them.
const PREDEFINED_ROLES: [&str; 14] = [
    "pg_checkpoint",
    "pg_create_subscription",
    "pg_database_owner",
    "pg_execute_server_program",
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_read_server_files",
    "pg_signal_backend",
    "pg_stat_scan_tables",
    "pg_use_reserved_connections",
    "pg_write_all_data",
    "pg_write_server_files",
];

/// Returns whether there is a role of this name that the principal may know of.
fn is_role(lookup: &Lookup, name: &str) -> bool {
    lookup.role_oid(name).is_some()
        || name == lookup.catalog.principal
        || PREDEFINED_ROLES.contains(&name)
}

/// Builds a function `name([user,] objects…, privilege)`; `check` receives the objects and the
/// privilege.
fn function(
    lookup: &Arc<Lookup>,
    name: &str,
    objects: usize,
    check: impl Fn(&Lookup, &[Cell<'static>], &str) -> Result<Option<bool>, Error>
    + Send
    + Sync
    + 'static,
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
            if let Some(user) = user
                && !is_principal(&lookup, user)?
            {
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

fn relation<'a>(lookup: &'a Lookup, object: &Cell<'_>) -> Result<Option<Relation<'a>>, Error> {
    let oid = match object {
        Cell::Int(oid) => *oid,
        other => relation_oid(lookup, &other.to_text().unwrap_or_default())?,
    };
    Ok(lookup.relation(oid))
}

/// Privileges on tables that nobody holds on a relation of the system.
const WRITES: [&str; 7] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
];

/// Those of them that columns have.
const COLUMN_WRITES: [&str; 3] = ["INSERT", "UPDATE", "REFERENCES"];

/// Returns whether a privilege on a system relation is held: every user may read them, and none may
/// write them.
fn on_system(privilege: &str, writes: &[&str]) -> Result<Option<bool>, Error> {
    let held = any_of(privilege, |name| match name {
        "SELECT" => Some(true),
        name => writes.contains(&name).then_some(false),
    });
    Ok(Some(held.ok_or_else(|| unknown(privilege))?))
}

/// Returns the place of a column in its table; `None` for the number of none.
///
/// # Errors
///
/// No column has the name.
fn place<'a>(
    mut names: impl Iterator<Item = &'a str>,
    column: &Cell<'_>,
) -> Result<Option<usize>, Error> {
    if let Cell::Int(number) = column {
        let place = number.checked_sub(1).map(usize::try_from);
        return Ok(place.and_then(Result::ok));
    }
    let name = column.to_text().unwrap_or_default();
    let found = names.position(|known| known == name);
    Ok(Some(
        found.ok_or_else(|| lakegate_error::column_not_found(&name))?,
    ))
}

fn on_column_of(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    let [table, column] = objects else {
        return Ok(None);
    };
    match relation(lookup, table)? {
        None => Ok(None),
        Some(Relation::System(_, shape)) => {
            let names = shape.columns.iter().map(|column| column.name);
            match place(names, column)?.is_some_and(|place| place < shape.columns.len()) {
                true => on_system(privilege, &COLUMN_WRITES),
                false => Ok(None),
            }
        }
        Some(Relation::Lake(_, table)) => {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let column = place(names, column)?.and_then(|place| table.columns.get(place));
            let held = column.map(|column| {
                let held = on_column(table, column, privilege);
                held.ok_or_else(|| unknown(privilege))
            });
            held.transpose()
        }
    }
}

/// Returns whether a privilege is held on any column of a table.
fn on_any_column(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    let of_columns = any_of(privilege, |name| {
        let is_known = name == "SELECT" || COLUMN_WRITES.contains(&name);
        is_known.then_some(true)
    });
    match of_columns {
        Some(_) => on_relation(lookup, objects, privilege),
        None => Err(unknown(privilege)),
    }
}

fn on_relation(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    let [table] = objects else {
        return Ok(None);
    };
    match relation(lookup, table)? {
        None => Ok(None),
        Some(Relation::System(..)) => on_system(privilege, &WRITES),
        Some(Relation::Lake(_, table)) => Ok(Some(
            on_table(table, privilege).ok_or_else(|| unknown(privilege))?,
        )),
    }
}

fn on_schema(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    let name = match objects {
        [Cell::Int(oid)] => lookup.namespace_name(*oid).map(str::to_owned),
        [other] => other.to_text(),
        _ => None,
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
        )),
    }
}

fn on_database(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    match objects {
        [Cell::Int(oids::DATABASE)] => {}
        [Cell::Int(_)] => return Ok(None),
        [other] => {
            let name = other.to_text().unwrap_or_default();
            if name != lookup.session.database {
                let message = format!("database \"{name}\" does not exist");
                return Err(Error::new(Code::CatalogNotFound, message));
            }
        }
        _ => return Ok(None),
    }
    // Everybody makes temporary tables.
    let held: &[&str] = match lookup.catalog.is_admin {
        true => &["CONNECT", "TEMPORARY", "TEMP", "CREATE"],
        false => &["CONNECT", "TEMPORARY", "TEMP"],
    };
    plain(privilege, held, &["CONNECT", "CREATE", "TEMPORARY", "TEMP"])
}

/// Returns whether a privilege on a sequence is held, of which there are none.
fn on_sequence(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    plain(privilege, &[], &["USAGE", "SELECT", "UPDATE"])?;
    let found = match objects {
        [sequence] => relation(lookup, sequence)?,
        _ => None,
    };
    match found {
        None => Ok(None),
        Some(relation) => Err(Error::new(
            Code::WrongObjectType,
            format!("\"{}\" is not a sequence", relation.name()),
        )),
    }
}

fn on_role(
    lookup: &Lookup,
    objects: &[Cell<'static>],
    privilege: &str,
) -> Result<Option<bool>, Error> {
    let name = match objects {
        [Cell::Int(oid)] => lookup.role_name(*oid).map(str::to_owned),
        [other] => {
            let name = other.to_text().unwrap_or_default();
            if !is_role(lookup, &name) {
                return Err(undefined("role", &name));
            }
            Some(name)
        }
        _ => None,
    };
    let Some(name) = name else { return Ok(None) };
    let principal = &lookup.catalog.principal;
    let holds = lookup.catalog.is_admin
        || name == *principal
        || roles::held_by(&lookup.catalog, principal)
            .iter()
            .any(|role| role.name == name);
    let all = ["USAGE", "MEMBER", "SET"];
    plain(privilege, if holds { &all } else { &[] }, &all)
}

/// Returns whether one of `held` is among the privileges; `known`: all that there are.
fn plain(privilege: &str, held: &[&str], known: &[&str]) -> Result<Option<bool>, Error> {
    let answer = any_of(privilege, |name| {
        known.contains(&name).then(|| held.contains(&name))
    });
    Ok(Some(answer.ok_or_else(|| unknown(privilege))?))
}

/// Objects that are the same for everybody.
struct Kind {
    function: &'static str,
    /// Returns whether there is an object with this number.
    exists: fn(i64) -> bool,
    /// Finds the number of a name.
    find: fn(&str) -> Result<i64, Error>,
    held: &'static [&'static str],
    known: &'static [&'static str],
}

/// Returns the number of a row of a table of fixed rows.
fn fixed(table: &StaticTable, column: &str, what: &str, name: &str) -> Result<i64, Error> {
    let found = table.find(column, name);
    let found = found.ok_or_else(|| undefined(what, name))?;
    Ok(table.int(found, "oid"))
}

const KINDS: [Kind; 6] = [
    Kind {
        function: "has_function_privilege",
        exists: |oid| procedures::by_oid(oid).is_some() || oids::is_function(oid),
        find: procedures::with_arguments,
        held: &["EXECUTE"],
        known: &["EXECUTE"],
    },
    Kind {
        function: "has_type_privilege",
        exists: |oid| types::by_oid(oid).is_some() || type_of_rows(oid).is_some(),
        find: procedures::type_of,
        held: &["USAGE"],
        known: &["USAGE"],
    },
    // Nobody makes functions.
    Kind {
        function: "has_language_privilege",
        exists: |oid| PG_LANGUAGE.with_oid(oid).is_some(),
        find: |name| fixed(&PG_LANGUAGE, "lanname", "language", name),
        held: &[],
        known: &["USAGE"],
    },
    Kind {
        function: "has_tablespace_privilege",
        exists: |oid| PG_TABLESPACE.with_oid(oid).is_some(),
        find: |name| fixed(&PG_TABLESPACE, "spcname", "tablespace", name),
        held: &[],
        known: &["CREATE"],
    },
    Kind {
        function: "has_server_privilege",
        exists: |_| false,
        find: |name| Err(undefined("server", name)),
        held: &[],
        known: &["USAGE"],
    },
    Kind {
        function: "has_foreign_data_wrapper_privilege",
        exists: |_| false,
        find: |name| Err(undefined("foreign-data wrapper", name)),
        held: &[],
        known: &["USAGE"],
    },
];

/// Builds a function about objects that are the same for everybody.
fn of_kind(lookup: &Arc<Lookup>, kind: Kind) -> PgFunction {
    let Kind {
        function: name,
        exists,
        find,
        held,
        known,
    } = kind;
    function(lookup, name, 1, move |_, objects, privilege| {
        let oid = match objects {
            [Cell::Int(oid)] => *oid,
            [other] => find(&other.to_text().unwrap_or_default())?,
            _ => return Ok(None),
        };
        match exists(oid) {
            true => plain(privilege, held, known),
            false => Ok(None),
        }
    })
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let mut all = vec![
        function(lookup, "has_table_privilege", 1, on_relation),
        function(lookup, "has_any_column_privilege", 1, on_any_column),
        function(lookup, "has_column_privilege", 2, on_column_of),
        function(lookup, "has_schema_privilege", 1, on_schema),
        function(lookup, "has_database_privilege", 1, on_database),
        function(lookup, "has_sequence_privilege", 1, on_sequence),
        function(lookup, "has_parameter_privilege", 1, |_, _, privilege| {
            plain(privilege, &["SET"], &["SET", "ALTER SYSTEM"])
        }),
        function(lookup, "pg_has_role", 1, on_role),
        PgFunction::new("row_security_active", 1..=1, DataType::Boolean, |_| {
            Ok(Cell::Bool(false))
        }),
    ];
    all.extend(KINDS.map(|kind| of_kind(lookup, kind)));
    all
}
