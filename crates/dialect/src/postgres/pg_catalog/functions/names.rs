//! Names and numbers of objects: `regclass`, `regtype`, visibility, owners.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::procedures::{no_name, own_part, type_of};
use super::{Lookup, operators, procedures};
use crate::postgres::pg_catalog::data::PG_COLLATION;
use crate::postgres::pg_catalog::shape::{PG_CATALOG, type_of_rows};
use crate::postgres::pg_catalog::{oids, types};
use crate::postgres::shown_objects::OBJECTS;
use crate::postgres::{Cell, PgFunction, ROW_TYPE, quote_ident, split_name};

/// Finds the OID of a name.
type Find = fn(&Lookup, &str) -> std::result::Result<i64, Error>;
/// Finds the name of an OID.
type Name = fn(&Lookup, i64) -> Option<String>;

/// Returns the number of a relation.
///
/// # Errors
///
/// There is none that the principal may see.
pub(super) fn relation_oid(lookup: &Lookup, name: &str) -> std::result::Result<i64, Error> {
    let parts = split_name(name).ok_or_else(|| no_name(name))?;
    let found = lookup.relation_named(name);
    found.map(|relation| relation.oid()).ok_or_else(|| {
        let shown = parts.join(".");
        match parts.len() {
            ..=3 => Error::new(
                Code::TableNotFound,
                format!("relation \"{shown}\" does not exist"),
            ),
            _ => Error::new(
                Code::SyntaxError,
                format!("improper relation name (too many dotted names): {shown}"),
            ),
        }
    })
}

fn type_oid(_: &Lookup, name: &str) -> std::result::Result<i64, Error> {
    type_of(name)
}

/// Returns the last part of a name of an object in no schema.
///
/// # Errors
///
/// It is not a name.
fn last_part(name: &str) -> std::result::Result<String, Error> {
    let last = split_name(name).and_then(|mut parts| parts.pop());
    last.ok_or_else(|| no_name(name))
}

fn namespace_oid(lookup: &Lookup, name: &str) -> std::result::Result<i64, Error> {
    let found = lookup.namespace_oid(&last_part(name)?);
    found.ok_or_else(|| {
        let message = format!("schema \"{name}\" does not exist");
        Error::new(Code::SchemaNotFound, message)
    })
}

fn role_oid(lookup: &Lookup, name: &str) -> std::result::Result<i64, Error> {
    let found = lookup.role_oid(&last_part(name)?);
    found.ok_or_else(|| undefined("role", name))
}

fn collation_oid(_: &Lookup, name: &str) -> std::result::Result<i64, Error> {
    let own = own_part(name)?.unwrap_or_default();
    collation_named(&own).ok_or_else(|| {
        let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
        Error::new(Code::UndefinedObject, message)
    })
}

fn collation_named(name: &str) -> Option<i64> {
    let row = PG_COLLATION.find("collname", name)?;
    Some(PG_COLLATION.int(row, "oid"))
}

fn collation_name(_: &Lookup, oid: i64) -> Option<String> {
    let row = PG_COLLATION.with_oid(oid)?;
    Some(quote_ident(PG_COLLATION.text(row, "collname")))
}

/// Returns the number that an argument is or names.
///
/// # Errors
///
/// Nothing has the name.
fn read(lookup: &Lookup, argument: &Cell<'_>, find: Find) -> std::result::Result<i64, Error> {
    if let Cell::Int(oid) = argument {
        return Ok(*oid);
    }
    let name = argument.to_text().unwrap_or_default();
    match name.trim() {
        "-" => Ok(0),
        text => match text.parse() {
            Ok(oid) => Ok(oid),
            Err(_) => find(lookup, text),
        },
    }
}

/// Builds a function that reads a list of names, for a cast of a parameter.
fn list(lookup: &Arc<Lookup>, (name, pg_type): (&str, &'static str), find: Find) -> PgFunction {
    let of = Arc::clone(lookup);
    let numbers = DataType::new_list(DataType::Int64, true);
    PgFunction::new(name, 1..=1, numbers, move |args| {
        let Some(Cell::List(items)) = args.first() else {
            return Ok(Cell::Null);
        };
        let number = |item: &Cell<'static>| -> Result<Cell<'static>> {
            match item.is_null() {
                true => Ok(Cell::Null),
                false => Ok(Cell::Int(read(&of, item, find)?)),
            }
        };
        Ok(Cell::List(items.iter().map(number).collect::<Result<_>>()?))
    })
    .shown_as(pg_type)
}

/// Builds the functions that read a name: that of a cast, and `to_regclass` and the like, which
/// return NULL where the cast fails.
fn input(lookup: &Arc<Lookup>, pg_type: &'static str, find: Find) -> [PgFunction; 2] {
    let of = Arc::clone(lookup);
    let strict = PgFunction::new(
        &format!("{pg_type}_in"),
        1..=1,
        DataType::Int64,
        move |args| {
            let read = read(&of, &args[0], find);
            read.map(Cell::Int).map_err(Into::into)
        },
    )
    .shown_as(pg_type);
    let of = Arc::clone(lookup);
    let lenient = PgFunction::new(
        &format!("to_{pg_type}"),
        1..=1,
        DataType::Int64,
        move |args| Ok(read(&of, &args[0], find).map_or(Cell::Null, Cell::Int)),
    )
    .shown_as(pg_type);
    [strict, lenient]
}

/// Returns how an object of a type is shown: an unknown number unchanged, zero as `-`, except for
/// operators.
fn shown(lookup: &Lookup, pg_type: &str, name: Name, oid: i64) -> String {
    match oid {
        0 if !pg_type.starts_with("regoper") => "-".to_owned(),
        _ => name(lookup, oid).unwrap_or_else(|| oid.to_string()),
    }
}

fn type_name(lookup: &Lookup, oid: i64) -> Option<String> {
    match types::by_oid(oid) {
        Some(found) => Some(types::format_type(found.oid, None)),
        None => {
            let of_rows = type_of_rows(oid)?;
            let name = lookup.relation_name(of_rows.relation)?;
            Some(match of_rows.is_array {
                true => format!("{name}[]"),
                false => name,
            })
        }
    }
}

fn namespace_name(lookup: &Lookup, oid: i64) -> Option<String> {
    lookup.namespace_name(oid).map(quote_ident)
}

fn role_name(lookup: &Lookup, oid: i64) -> Option<String> {
    lookup.role_name(oid).map(quote_ident)
}

/// Returns the functions that show numbers as names, and lists of numbers as lists of names, by type.
pub(super) fn output(lookup: &Arc<Lookup>) -> Vec<(&'static str, PgFunction)> {
    let mut all = Vec::with_capacity(2 * OBJECTS.len());
    for &(pg_type, of_list) in &OBJECTS {
        let name: Name = match pg_type {
            "regclass" => Lookup::relation_name,
            "regtype" => type_name,
            "regnamespace" => namespace_name,
            "regrole" => role_name,
            "regproc" => |_, oid| procedures::name(oid),
            "regprocedure" => |_, oid| procedures::signature(oid),
            "regoper" => |_, oid| operators::name(oid),
            "regoperator" => |_, oid| operators::signature(oid),
            _ => collation_name,
        };
        let of = Arc::clone(lookup);
        let out = format!("{pg_type}_out");
        let one = PgFunction::new(&out, 1..=1, DataType::Utf8, move |args| {
            let oid = args[0].as_int().unwrap_or(0);
            Ok(Cell::text(shown(&of, pg_type, name, oid)))
        });
        all.push((pg_type, one));
        let of = Arc::clone(lookup);
        let names = DataType::new_list(DataType::Utf8, true);
        let list = PgFunction::new(&format!("${pg_type}_names"), 1..=1, names, move |args| {
            let Some(Cell::List(items)) = args.first() else {
                return Ok(Cell::Null);
            };
            let names = items.iter().map(|item| match item.as_int() {
                Some(oid) => Cell::text(shown(&of, pg_type, name, oid)),
                None => Cell::Null,
            });
            Ok(Cell::List(names.collect()))
        });
        all.push((of_list, list));
    }
    all
}

/// Returns whether the unqualified name of a type refers to it; `None` if there is no such type.
fn type_is_visible(oid: i64) -> Option<bool> {
    match types::by_oid(oid) {
        // The domains of `information_schema` are the only types elsewhere that have a name here.
        Some(found) => Some(found.namespace == oids::PG_CATALOG),
        None => type_of_rows(oid).map(|_| true),
    }
}

/// Builds the function that reads the name of a relation as the type of its rows.
fn row_type(lookup: &Arc<Lookup>) -> PgFunction {
    let of = Arc::clone(lookup);
    PgFunction::new(ROW_TYPE, 1..=1, DataType::Int64, move |args| {
        let name = args.first().and_then(Cell::to_text).unwrap_or_default();
        match of.relation_named(&name) {
            Some(relation) => Ok(Cell::Int(relation.row_type())),
            None => Err(undefined("type", &name).into()),
        }
    })
    .shown_as("regtype")
}

/// Returns the number of an object of PostgreSQL's own catalog that is shown as `name`; `None` for other
/// objects, and for names that several have.
pub fn object_number(pg_type: &str, name: &str) -> Option<u32> {
    let oid = match pg_type {
        "regtype" => types::parse_name(name)?.oid,
        "regproc" => procedures::named(name).ok()?,
        "regprocedure" => procedures::with_arguments(name).ok()?,
        "regoper" => operators::named(name).ok()?,
        "regoperator" => operators::with_operands(name).ok()?,
        "regcollation" => collation_named(&own_part(name).ok()??)?,
        "regclass" => PG_CATALOG.get(name)?.oid,
        _ => return None,
    };
    u32::try_from(oid).ok()
}

pub(super) fn undefined(what: &str, name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("{what} \"{name}\" does not exist"),
    )
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let mut all: Vec<PgFunction> = output(lookup)
        .into_iter()
        .map(|(_, function)| function)
        .collect();
    all.push(row_type(lookup));
    let inputs: [(&'static str, Find); 9] = [
        ("regclass", relation_oid),
        ("regtype", type_oid),
        ("regnamespace", namespace_oid),
        ("regrole", role_oid),
        ("regproc", |_, name| procedures::named(name)),
        ("regprocedure", |_, name| procedures::with_arguments(name)),
        ("regoper", |_, name| operators::named(name)),
        ("regoperator", |_, name| operators::with_operands(name)),
        ("regcollation", collation_oid),
    ];
    for (pg_type, find) in inputs {
        all.extend(input(lookup, pg_type, find));
    }
    let lists: [(&str, &'static str, Find); 3] = [
        ("$regtype_list", "regtype[]", type_oid),
        ("$regnamespace_list", "regnamespace[]", namespace_oid),
        ("$regrole_list", "regrole[]", role_oid),
    ];
    for (name, pg_type, find) in lists {
        all.push(list(lookup, (name, pg_type), find));
    }
    all.push(
        PgFunction::new("format_type", 2..=2, DataType::Utf8, |args| {
            Ok(match args[0].as_int() {
                Some(oid) => Cell::text(types::format_type(oid, args[1].as_int())),
                None => Cell::Null,
            })
        })
        .called_on_null()
        .immutable(),
    );
    let of = Arc::clone(lookup);
    all.push(
        PgFunction::new("pg_get_userbyid", 1..=1, DataType::Utf8, move |args| {
            let oid = args[0].as_int().unwrap_or(0);
            Ok(Cell::text(of.role_name(oid).map_or_else(
                || format!("unknown (OID={oid})"),
                str::to_owned,
            )))
        })
        .shown_as("name"),
    );
    let of = Arc::clone(lookup);
    all.push(PgFunction::new(
        "pg_table_is_visible",
        1..=1,
        DataType::Boolean,
        move |args| {
            Ok(args[0]
                .as_int()
                .and_then(|oid| of.is_visible(oid))
                .map_or(Cell::Null, Cell::Bool))
        },
    ));
    type Visible = fn(i64) -> Option<bool>;
    let visible: [(&str, Visible); 4] = [
        ("pg_type_is_visible", type_is_visible),
        ("pg_function_is_visible", |oid| {
            let is_known = procedures::by_oid(oid).is_some() || oids::is_function(oid);
            is_known.then_some(true)
        }),
        ("pg_operator_is_visible", |oid| {
            operators::name(oid).map(|_| true)
        }),
        ("pg_collation_is_visible", |oid| {
            PG_COLLATION.with_oid(oid).map(|_| true)
        }),
    ];
    all.extend(visible.map(|(name, answer)| {
        PgFunction::new(name, 1..=1, DataType::Boolean, move |args| {
            let found = args[0].as_int().and_then(answer);
            Ok(found.map_or(Cell::Null, Cell::Bool))
        })
    }));
    // Of these there are none.
    all.extend(
        [
            "pg_opclass_is_visible",
            "pg_opfamily_is_visible",
            "pg_conversion_is_visible",
            "pg_statistics_obj_is_visible",
            "pg_ts_config_is_visible",
            "pg_ts_dict_is_visible",
            "pg_ts_parser_is_visible",
            "pg_ts_template_is_visible",
        ]
        .map(|name| {
            PgFunction::new(
                name,
                1..=1,
                DataType::Boolean,
                |_| -> Result<Cell<'static>> { Ok(Cell::Null) },
            )
        }),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_catalog_have_numbers() {
        for (pg_type, name, expected) in [
            ("regtype", "integer", Some(23)),
            ("regtype", "character varying", Some(1043)),
            ("regtype", "text[]", Some(1009)),
            ("regtype", "orders", None),
            ("regclass", "pg_class", Some(1259)),
            ("regclass", "curated.orders", None),
            ("regproc", "array_in", Some(750)),
            ("regproc", "no_such_function", None),
            ("regprocedure", "array_in(cstring,oid,integer)", Some(750)),
            ("regproc", "pg_catalog.generate_series", None),
            ("regoperator", "+(integer,integer)", Some(551)),
            ("regoper", "pg_catalog.+", None),
            ("regrole", "admin", None),
        ] {
            assert_eq!(object_number(pg_type, name), expected, "{name}");
        }
    }
}
