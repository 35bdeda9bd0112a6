//! Names and numbers of objects: `regclass`, `regtype`, visibility, owners.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::Lookup;
use crate::postgres::pg_catalog::data::{
    PG_COLLATION, PG_OPERATOR, PG_PROC, StaticRow, StaticTable,
};
use crate::postgres::pg_catalog::relations::Relation;
use crate::postgres::pg_catalog::shape::PG_CATALOG;
use crate::postgres::pg_catalog::{oids, types};
use crate::postgres::shown_objects::OBJECTS;
use crate::postgres::{Cell, PgFunction, ROW_TYPE, quote_ident, split_name};

/// Finds the OID of a name.
type Find = fn(&Lookup, &str) -> Option<i64>;
/// Finds the name of an OID.
type Name = fn(&Lookup, i64) -> Option<String>;
/// The error for a name that nothing has.
type Missing = fn(&str) -> Error;

fn type_oid(_: &Lookup, name: &str) -> Option<i64> {
    types::parse_name(name).map(|found| found.oid)
}

fn last_part(name: &str) -> Option<String> {
    split_name(name)?.pop()
}

fn namespace_oid(lookup: &Lookup, name: &str) -> Option<i64> {
    lookup.namespace_oid(&last_part(name)?)
}

fn role_oid(lookup: &Lookup, name: &str) -> Option<i64> {
    lookup.role_oid(&last_part(name)?)
}

fn procedure_oid(_: &Lookup, name: &str) -> Option<i64> {
    let name = last_part(name.split('(').next().unwrap_or(name))?;
    let fixed = PG_PROC
        .rows
        .iter()
        .find(|row| PG_PROC.text(row, "proname") == name);
    Some(fixed.map_or_else(|| oids::function(&name), |row| PG_PROC.int(row, "oid")))
}

fn procedure_name(_: &Lookup, oid: i64) -> Option<String> {
    let row = PG_PROC
        .rows
        .iter()
        .find(|row| PG_PROC.int(row, "oid") == oid)?;
    Some(PG_PROC.text(row, "proname").to_owned())
}

/// Returns the row of a function with the types of its arguments: `lower(text)`.
fn procedure_with_arguments(name: &str) -> Option<i64> {
    let (name, arguments) = name.trim().strip_suffix(')')?.split_once('(')?;
    let name = last_part(name)?;
    let types = arguments.split(',').map(str::trim);
    let types = types.filter(|argument| !argument.is_empty());
    let types: Vec<String> = types
        .map(|argument| Some(types::parse_name(argument)?.oid.to_string()))
        .collect::<Option<_>>()?;
    let types = types.join(" ");
    let mut rows = PG_PROC.rows.iter();
    let found = rows.find(|row| {
        PG_PROC.text(row, "proname") == name && PG_PROC.text(row, "proargtypes") == types
    })?;
    Some(PG_PROC.int(found, "oid"))
}

fn procedure_by_signature(_: &Lookup, name: &str) -> Option<i64> {
    procedure_with_arguments(name)
}

/// Returns a function with the types of its arguments.
fn procedure_signature(lookup: &Lookup, oid: i64) -> Option<String> {
    let row = fixed_row(&PG_PROC, "oid", &oid.to_string())?;
    let arguments = PG_PROC.text(row, "proargtypes").split_whitespace();
    let arguments: Vec<String> = arguments
        .map(|oid| types::format_type(oid.parse().unwrap_or(0), None))
        .collect();
    let name = procedure_name(lookup, oid)?;
    Some(format!("{name}({})", arguments.join(",")))
}

/// Returns the row of a table of fixed rows that has a value in a column.
fn fixed_row(table: &'static StaticTable, column: &str, value: &str) -> Option<&'static StaticRow> {
    let mut rows = table.rows.iter();
    rows.find(|row| table.text(row, column) == value)
}

fn fixed_oid(table: &'static StaticTable, column: &str, name: &str) -> Option<i64> {
    fixed_row(table, column, name).map(|row| table.int(row, "oid"))
}

fn operator_name(_: &Lookup, oid: i64) -> Option<String> {
    let row = fixed_row(&PG_OPERATOR, "oid", &oid.to_string())?;
    Some(PG_OPERATOR.text(row, "oprname").to_owned())
}

/// Returns an operator with the types of its operands: `=(integer,bigint)`.
fn operator_signature(lookup: &Lookup, oid: i64) -> Option<String> {
    let row = fixed_row(&PG_OPERATOR, "oid", &oid.to_string())?;
    let operand = |column| match PG_OPERATOR.int(row, column) {
        0 => "NONE".to_owned(),
        oid => types::format_type(oid, None),
    };
    let name = operator_name(lookup, oid)?;
    Some(format!(
        "{name}({},{})",
        operand("oprleft"),
        operand("oprright")
    ))
}

fn operator_oid(_: &Lookup, name: &str) -> Option<i64> {
    let name = name.split('(').next().unwrap_or(name).trim();
    fixed_oid(&PG_OPERATOR, "oprname", name.rsplit('.').next()?)
}

fn collation_name(_: &Lookup, oid: i64) -> Option<String> {
    let row = fixed_row(&PG_COLLATION, "oid", &oid.to_string())?;
    Some(quote_ident(PG_COLLATION.text(row, "collname")))
}

fn collation_oid(_: &Lookup, name: &str) -> Option<i64> {
    fixed_oid(&PG_COLLATION, "collname", &last_part(name)?)
}

/// Returns the number that an argument is or names.
///
/// # Errors
///
/// The name, if nothing has it.
fn read(lookup: &Lookup, argument: &Cell<'_>, find: Find) -> std::result::Result<i64, String> {
    match argument {
        Cell::Int(oid) => Ok(*oid),
        other => {
            let name = other.to_text().unwrap_or_default();
            match name.trim() {
                "-" => Ok(0),
                text => text.parse().ok().or_else(|| find(lookup, text)).ok_or(name),
            }
        }
    }
}

/// Builds a function that reads a list of names, for a cast of a parameter.
fn list(
    lookup: &Arc<Lookup>,
    (name, pg_type): (&str, &'static str),
    find: Find,
    missing: Missing,
) -> PgFunction {
    let of = Arc::clone(lookup);
    let numbers = DataType::new_list(DataType::Int64, true);
    PgFunction::new(name, 1..=1, numbers, move |args| {
        let Some(Cell::List(items)) = args.first() else {
            return Ok(Cell::Null);
        };
        let number = |item: &Cell<'static>| -> Result<Cell<'static>> {
            if item.is_null() {
                return Ok(Cell::Null);
            }
            let oid = read(&of, item, find).map_err(|name| missing(&name))?;
            Ok(Cell::Int(oid))
        };
        Ok(Cell::List(items.iter().map(number).collect::<Result<_>>()?))
    })
    .shown_as(pg_type)
}

fn input(
    lookup: &Arc<Lookup>,
    pg_type: &'static str,
    find: Find,
    missing: Missing,
) -> [PgFunction; 2] {
    let of = Arc::clone(lookup);
    let strict = PgFunction::new(
        &format!("{pg_type}_in"),
        1..=1,
        DataType::Int64,
        move |args| {
            read(&of, &args[0], find)
                .map(Cell::Int)
                .map_err(|name| missing(&name).into())
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
        None => lookup.relation_name(oids::table_of_row_type(oid)?),
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
            "regproc" => procedure_name,
            "regprocedure" => procedure_signature,
            "regoper" => operator_name,
            "regoperator" => operator_signature,
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

/// Builds the function that reads the name of a table as the type of its rows.
fn row_type(lookup: &Arc<Lookup>) -> PgFunction {
    let of = Arc::clone(lookup);
    PgFunction::new(ROW_TYPE, 1..=1, DataType::Int64, move |args| {
        let name = args.first().and_then(Cell::to_text).unwrap_or_default();
        match of.relation_named(&name) {
            Some(Relation::Lake(_, table)) => Ok(Cell::Int(oids::row_type(table.id))),
            _ => Err(no_type(&name).into()),
        }
    })
    .shown_as("regtype")
}

/// Returns the number of an object of PostgreSQL's own catalog that is shown as `name`; `None` for other
/// objects, and for names that several have.
pub fn object_number(pg_type: &str, name: &str) -> Option<u32> {
    let only = |table: &StaticTable, column: &str, value: &str| {
        let mut found = table
            .rows
            .iter()
            .filter(|row| table.text(row, column) == value);
        let first = found.next()?;
        found.next().is_none().then(|| table.int(first, "oid"))
    };
    let oid = match pg_type {
        "regtype" => types::parse_name(name)?.oid,
        "regproc" => only(&PG_PROC, "proname", name)?,
        "regprocedure" => procedure_with_arguments(name)?,
        "regcollation" => only(&PG_COLLATION, "collname", &last_part(name)?)?,
        "regclass" => PG_CATALOG.get(name)?.oid,
        _ => return None,
    };
    u32::try_from(oid).ok()
}

fn undefined(what: &str, name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("{what} \"{name}\" does not exist"),
    )
}

fn no_type(name: &str) -> Error {
    undefined("type", name)
}

fn no_role(name: &str) -> Error {
    undefined("role", name)
}

fn no_schema(name: &str) -> Error {
    let message = format!("schema \"{name}\" does not exist");
    Error::new(Code::SchemaNotFound, message)
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let mut all: Vec<PgFunction> = output(lookup)
        .into_iter()
        .map(|(_, function)| function)
        .collect();
    all.push(row_type(lookup));
    all.extend(input(
        lookup,
        "regclass",
        |l, name| l.relation_named(name).map(|r| r.oid()),
        |name| {
            let name = split_name(name).map_or_else(|| name.to_owned(), |parts| parts.join("."));
            Error::new(
                Code::TableNotFound,
                format!("relation \"{name}\" does not exist"),
            )
        },
    ));
    for (pg_type, of_list, find, missing) in [
        (
            "regtype",
            ("$regtype_list", "regtype[]"),
            type_oid as Find,
            no_type as Missing,
        ),
        (
            "regnamespace",
            ("$regnamespace_list", "regnamespace[]"),
            namespace_oid as Find,
            no_schema as Missing,
        ),
        (
            "regrole",
            ("$regrole_list", "regrole[]"),
            role_oid as Find,
            no_role as Missing,
        ),
    ] {
        all.extend(input(lookup, pg_type, find, missing));
        all.push(list(lookup, of_list, find, missing));
    }
    for (pg_type, find) in [
        ("regproc", procedure_oid as Find),
        ("regprocedure", procedure_by_signature as Find),
    ] {
        all.extend(input(lookup, pg_type, find, |name| {
            Error::new(
                Code::FunctionNotFound,
                format!("function \"{name}\" does not exist"),
            )
        }));
    }
    for (pg_type, find) in [
        ("regoper", operator_oid as Find),
        ("regoperator", operator_oid as Find),
    ] {
        all.extend(input(lookup, pg_type, find, |name| {
            undefined("operator", name)
        }));
    }
    all.extend(input(lookup, "regcollation", collation_oid, |name| {
        undefined("collation", name)
    }));
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
    // The domains of `information_schema` are the only types elsewhere that have a name here.
    all.push(PgFunction::new(
        "pg_type_is_visible",
        1..=1,
        DataType::Boolean,
        |args| {
            let found = args[0].as_int().and_then(types::by_oid);
            let visible = found.is_none_or(|found| found.namespace == oids::PG_CATALOG);
            Ok(Cell::Bool(visible))
        },
    ));
    // All of these are in `pg_catalog`, which is always searched first.
    all.extend(
        [
            "pg_function_is_visible",
            "pg_operator_is_visible",
            "pg_opclass_is_visible",
            "pg_opfamily_is_visible",
            "pg_collation_is_visible",
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
                |_| -> Result<Cell<'static>> { Ok(Cell::Bool(true)) },
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
            ("regrole", "admin", None),
        ] {
            assert_eq!(object_number(pg_type, name), expected, "{name}");
        }
    }
}
