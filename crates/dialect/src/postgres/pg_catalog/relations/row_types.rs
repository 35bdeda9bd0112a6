//! `pg_type`: PostgreSQL's own types, and the type of the rows of each table of the lake.

use super::{Input, Relation, fixed_value, relations};
use crate::postgres::Cell;
use crate::postgres::pg_catalog::data::{PG_TYPES, StaticRow};
use crate::postgres::pg_catalog::oids;
use crate::visible::VisibleTable;

/// The functions that read and write rows as text and in binary.
const RECORD_IN: i64 = 2290;
const RECORD_OUT: i64 = 2291;
const RECORD_RECEIVE: i64 = 2402;
const RECORD_SEND: i64 = 2403;

/// A row of `pg_type`.
pub(super) enum Type<'a> {
    Fixed(&'static StaticRow),
    /// Of the rows of a table.
    Rows(Relation<'a>, &'a VisibleTable),
}

pub(super) fn types(input: &Input) -> Vec<Type<'_>> {
    let needed = match input.pins.without_row_types {
        true => Vec::new(),
        false => relations(input),
    };
    let of_tables = needed.into_iter().filter_map(|relation| match relation {
        Relation::Lake(_, table) => Some(Type::Rows(relation, table)),
        Relation::System(..) => None,
    });
    PG_TYPES
        .rows
        .iter()
        .map(Type::Fixed)
        .chain(of_tables)
        .collect()
}

pub(super) fn pg_type<'a>(row: &Type<'a>, column: &str, pg_type: &str) -> Option<Cell<'a>> {
    match row {
        Type::Fixed(row) => PG_TYPES
            .cell(row, column, pg_type)
            .or_else(|| fixed_value(column)),
        Type::Rows(relation, table) => Some(match column {
            "oid" => Cell::Int(oids::row_type(table.id)),
            "typname" => Cell::text(table.name.as_str()),
            "typnamespace" => Cell::Int(relation.namespace_oid()),
            "typrelid" => Cell::Int(relation.oid()),
            "typlen" | "typtypmod" => Cell::Int(-1),
            "typtype" => Cell::text("c"),
            "typcategory" => Cell::text("C"),
            "typinput" => Cell::Int(RECORD_IN),
            "typoutput" => Cell::Int(RECORD_OUT),
            "typreceive" => Cell::Int(RECORD_RECEIVE),
            "typsend" => Cell::Int(RECORD_SEND),
            "typalign" => Cell::text("d"),
            "typstorage" => Cell::text("x"),
            _ => return fixed_value(column),
        }),
    }
}
