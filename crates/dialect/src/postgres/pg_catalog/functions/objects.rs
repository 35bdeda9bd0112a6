//! Objects by the numbers of their catalog and of themselves: `pg_describe_object`, and the columns of
//! `pg_identify_object` and `pg_identify_object_as_address`, which `rewrite/records.rs` calls.
//!
//! An object that the principal may not see is one that does not exist.

use std::sync::Arc;

use arrow::datatypes::DataType;
use lakegate_error::Error;

use super::{Lookup, operators, procedures};
use crate::postgres::pg_catalog::data::{
    PG_AM, PG_CAST, PG_COLLATION, PG_LANGUAGE, PG_PROC, PG_TABLESPACE, StaticTable,
};
use crate::postgres::pg_catalog::relations::Relation;
use crate::postgres::pg_catalog::shape::type_of_rows;
use crate::postgres::pg_catalog::{oids, types};
use crate::postgres::{Cell, PgFunction, quote_ident};

/// The functions of one object's columns: `(class, object, column)`.
pub(in crate::postgres) const TYPE: &str = "$object_type";
pub(in crate::postgres) const SCHEMA: &str = "$object_schema";
pub(in crate::postgres) const NAME: &str = "$object_name";
pub(in crate::postgres) const IDENTITY: &str = "$object_identity";
pub(in crate::postgres) const NAMES: &str = "$object_names";
pub(in crate::postgres) const ARGUMENTS: &str = "$object_arguments";

/// The catalogs of the kinds of objects that exist, with what an object of each is called.
const CLASSES: [(i64, &str); 12] = [
    (1213, "tablespace"),
    (1247, "type"),
    (1255, "routine"),
    (1259, "relation"),
    (1260, "role"),
    (1262, "database"),
    (2601, "access method"),
    (2605, "cast"),
    (2612, "language"),
    (2615, "schema"),
    (2617, "operator"),
    (3456, "collation"),
];

/// The catalogs of kinds of objects of which there are none.
const EMPTY_CLASSES: [(i64, &str); 27] = [
    (826, "default acl"),
    (1417, "server"),
    (1418, "user mapping"),
    (2328, "foreign-data wrapper"),
    (2602, "operator of access method"),
    (2603, "function of access method"),
    (2604, "default value"),
    (2606, "constraint"),
    (2607, "conversion"),
    (2613, "large object"),
    (2616, "operator class"),
    (2618, "rule"),
    (2620, "trigger"),
    (2753, "operator family"),
    (3079, "extension"),
    (3256, "policy"),
    (3381, "statistics object"),
    (3466, "event trigger"),
    (3576, "transform"),
    (3600, "text search dictionary"),
    (3601, "text search parser"),
    (3602, "text search configuration"),
    (3764, "text search template"),
    (6100, "subscription"),
    (6104, "publication"),
    (6106, "publication relation"),
    (6237, "publication namespace"),
];

/// An object.
#[derive(Debug, Default, PartialEq)]
struct Object {
    /// `table`, `function` …
    kind: String,
    schema: Option<String>,
    /// `None` if the name alone does not identify it.
    name: Option<String>,
    identity: String,
    /// In words, for a person.
    description: String,
    /// The parts of its name.
    names: Vec<String>,
    /// The types of its arguments or operands.
    arguments: Vec<String>,
}

/// Returns the name of a type with its schema, unless SQL has a name for it.
fn qualified_type(oid: i64) -> String {
    let name = types::format_type(oid, None);
    let Some(found) = types::by_oid(oid) else {
        return name;
    };
    let element = types::by_oid(found.element).filter(|_| found.name.starts_with('_'));
    let of_sql = [
        "bit",
        "bool",
        "bpchar",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "numeric",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "varbit",
        "varchar",
    ];
    let is_of_sql = of_sql.contains(&element.unwrap_or(found).name);
    match is_of_sql || found.namespace != oids::PG_CATALOG {
        true => name,
        false => format!("pg_catalog.{name}"),
    }
}

/// Returns an object without a schema.
fn global(kind: &str, name: &str) -> Object {
    let quoted = quote_ident(name);
    Object {
        kind: kind.to_owned(),
        schema: None,
        identity: quoted.clone(),
        description: format!("{kind} {quoted}"),
        name: Some(quoted),
        names: vec![name.to_owned()],
        arguments: vec![],
    }
}

/// Returns the name of a row of a table of fixed rows.
fn fixed_name(table: &'static StaticTable, column: &str, oid: i64) -> Option<&'static str> {
    let row = table.with_oid(oid)?;
    Some(table.text(row, column))
}

fn relation(lookup: &Lookup, oid: i64, column: i64) -> Option<Object> {
    let relation = lookup.relation(oid)?;
    let kind = if relation.is_view() { "view" } else { "table" };
    let (schema, name) = (relation.namespace(), relation.name());
    let shown = lookup.relation_name(oid)?;
    let mut object = Object {
        kind: kind.to_owned(),
        schema: Some(quote_ident(schema)),
        name: Some(quote_ident(name)),
        identity: format!("{}.{}", quote_ident(schema), quote_ident(name)),
        description: format!("{kind} {shown}"),
        names: vec![schema.to_owned(), name.to_owned()],
        arguments: vec![],
    };
    if column == 0 {
        return Some(object);
    }
    let place = usize::try_from(column.checked_sub(1)?).ok()?;
    let column = match relation {
        Relation::System(_, shape) => shape.columns.get(place)?.name,
        Relation::Lake(_, table) => table.columns.get(place)?.name.as_str(),
    };
    object.kind.push_str(" column");
    object.identity = format!("{}.{}", object.identity, quote_ident(column));
    object.description = format!("column {} of {}", quote_ident(column), object.description);
    object.names.push(column.to_owned());
    Some(object)
}

fn type_object(lookup: &Lookup, oid: i64) -> Option<Object> {
    let (schema, name, identity, shown) = match types::by_oid(oid) {
        Some(found) => (
            lookup.namespace_name(found.namespace)?,
            found.name.to_owned(),
            qualified_type(oid),
            types::format_type(oid, None),
        ),
        None => {
            let of_rows = type_of_rows(oid)?;
            let relation = lookup.relation(of_rows.relation)?;
            let (schema, name) = (relation.namespace(), relation.name());
            let identity = format!("{}.{}", quote_ident(schema), quote_ident(name));
            let shown = lookup.relation_name(of_rows.relation)?;
            match of_rows.is_array {
                true => {
                    let (identity, shown) = (format!("{identity}[]"), format!("{shown}[]"));
                    (schema, format!("_{name}"), identity, shown)
                }
                false => (schema, name.to_owned(), identity, shown),
            }
        }
    };
    Some(Object {
        kind: "type".to_owned(),
        schema: Some(quote_ident(schema)),
        name: Some(quote_ident(&name)),
        description: format!("type {shown}"),
        names: vec![identity.clone()],
        identity,
        arguments: vec![],
    })
}

fn procedure(oid: i64) -> Option<Object> {
    let row = procedures::by_oid(oid)?;
    let name = PG_PROC.text(row, "proname");
    let kind = match PG_PROC.text(row, "prokind") {
        "a" => "aggregate",
        _ => "function",
    };
    let arguments = PG_PROC.text(row, "proargtypes").split_whitespace();
    let arguments: Vec<String> = arguments
        .map(|oid| qualified_type(oid.parse().unwrap_or(0)))
        .collect();
    Some(Object {
        kind: kind.to_owned(),
        schema: Some("pg_catalog".to_owned()),
        name: None,
        identity: format!("pg_catalog.{}({})", quote_ident(name), arguments.join(",")),
        description: format!("function {}", procedures::signature(oid)?),
        names: vec!["pg_catalog".to_owned(), name.to_owned()],
        arguments,
    })
}

fn operator(oid: i64) -> Option<Object> {
    let (name, operands) = operators::parts(oid)?;
    let operand = |oid: &i64| match oid {
        0 => "NONE".to_owned(),
        oid => qualified_type(*oid),
    };
    let shown = operands.iter().map(operand).collect::<Vec<_>>().join(",");
    let arguments = operands.iter().filter(|oid| **oid != 0).map(operand);
    Some(Object {
        kind: "operator".to_owned(),
        schema: Some("pg_catalog".to_owned()),
        name: None,
        identity: format!("pg_catalog.{name}({shown})"),
        description: format!("operator {}", operators::signature(oid)?),
        names: vec!["pg_catalog".to_owned(), name.to_owned()],
        arguments: arguments.collect(),
    })
}

fn collation(oid: i64) -> Option<Object> {
    let name = fixed_name(&PG_COLLATION, "collname", oid)?;
    let of = global("collation", name);
    Some(Object {
        schema: Some("pg_catalog".to_owned()),
        identity: format!("pg_catalog.{}", of.identity),
        names: vec!["pg_catalog".to_owned(), name.to_owned()],
        ..of
    })
}

fn cast(oid: i64) -> Option<Object> {
    let row = PG_CAST.with_oid(oid)?;
    let (from, to) = (
        PG_CAST.int(row, "castsource"),
        PG_CAST.int(row, "casttarget"),
    );
    let (source, target) = (qualified_type(from), qualified_type(to));
    Some(Object {
        kind: "cast".to_owned(),
        identity: format!("({source} AS {target})"),
        description: format!(
            "cast from {} to {}",
            types::format_type(from, None),
            types::format_type(to, None)
        ),
        names: vec![source],
        arguments: vec![target],
        ..Object::default()
    })
}

/// Returns an object; `None` if there is none with these numbers.
fn object(lookup: &Lookup, class: i64, oid: i64, column: i64) -> Option<Object> {
    match class {
        1213 => Some(global(
            "tablespace",
            fixed_name(&PG_TABLESPACE, "spcname", oid)?,
        )),
        1247 => type_object(lookup, oid),
        1255 => procedure(oid),
        oids::CLASS_PG_CLASS => relation(lookup, oid, column),
        1260 => Some(global("role", lookup.role_name(oid)?)),
        1262 => (oid == oids::DATABASE).then(|| global("database", &lookup.session.database)),
        2601 => Some(global("access method", fixed_name(&PG_AM, "amname", oid)?)),
        2605 => cast(oid),
        2612 => Some(global(
            "language",
            fixed_name(&PG_LANGUAGE, "lanname", oid)?,
        )),
        oids::CLASS_PG_NAMESPACE => Some(global("schema", lookup.namespace_name(oid)?)),
        2617 => operator(oid),
        3456 => collation(oid),
        _ => None,
    }
}

/// Returns what an object of a catalog is called.
///
/// # Errors
///
/// Objects are not kept in it.
fn kind(class: i64, column: i64) -> Result<&'static str, Error> {
    if class == oids::CLASS_PG_CLASS && column != 0 {
        return Ok("table column");
    }
    let mut all = CLASSES.iter().chain(&EMPTY_CLASSES);
    let found = all.find(|(oid, _)| *oid == class);
    let found = found.ok_or_else(|| {
        Error::invalid(format!("unrecognized object class: {class}"))
            .with_hint("the class is the number of a catalog: 'pg_class'::regclass")
    })?;
    Ok(found.1)
}

/// Builds a function of an object. `missing`: its result for the kind of an object that does not exist.
fn about(
    lookup: &Arc<Lookup>,
    name: &str,
    returns: DataType,
    found: fn(Object) -> Cell<'static>,
    missing: fn(&'static str) -> Cell<'static>,
) -> PgFunction {
    let of = Arc::clone(lookup);
    PgFunction::new(name, 3..=3, returns, move |args| {
        let number = |place: usize| args.get(place).and_then(Cell::as_int).unwrap_or(0);
        let (class, oid, column) = (number(0), number(1), number(2));
        let kind = kind(class, column)?;
        let object = object(&of, class, oid, column);
        Ok(object.map_or_else(|| missing(kind), found))
    })
}

fn null(_: &'static str) -> Cell<'static> {
    Cell::Null
}

fn optional(text: Option<String>) -> Cell<'static> {
    text.map_or(Cell::Null, Cell::text)
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    let texts = || DataType::new_list(DataType::Utf8, true);
    vec![
        about(
            lookup,
            "pg_describe_object",
            text(),
            |object| Cell::text(object.description),
            null,
        ),
        about(
            lookup,
            TYPE,
            text(),
            |object| Cell::text(object.kind),
            Cell::text,
        ),
        about(
            lookup,
            SCHEMA,
            text(),
            |object| optional(object.schema),
            null,
        ),
        about(lookup, NAME, text(), |object| optional(object.name), null),
        about(
            lookup,
            IDENTITY,
            text(),
            |object| Cell::text(object.identity),
            null,
        ),
        about(
            lookup,
            NAMES,
            texts(),
            |object| Cell::texts(object.names),
            null,
        ),
        about(
            lookup,
            ARGUMENTS,
            texts(),
            |object| Cell::texts(object.arguments),
            null,
        ),
    ]
}

#[cfg(test)]
mod tests;
