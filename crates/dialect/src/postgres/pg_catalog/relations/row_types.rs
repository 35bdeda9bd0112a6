//! `pg_type`: PostgreSQL's own types, the type of the rows of each relation, and that of arrays of them.

use super::{Input, Relation, fixed_value, relations};
use crate::postgres::Cell;
use crate::postgres::pg_catalog::data::{PG_TYPES, StaticRow};

/// The functions that read and write rows as text and in binary.
const RECORD_IN: i64 = 2290;
const RECORD_OUT: i64 = 2291;
const RECORD_RECEIVE: i64 = 2402;
const RECORD_SEND: i64 = 2403;

/// Those of arrays, and the functions that analyse them and read their items.
const ARRAY_IN: i64 = 750;
const ARRAY_OUT: i64 = 751;
const ARRAY_RECEIVE: i64 = 2400;
const ARRAY_SEND: i64 = 2401;
const ARRAY_ANALYZE: i64 = 3816;
const ARRAY_SUBSCRIPT: i64 = 6179;

/// A row of `pg_type`.
pub(super) enum Type<'a> {
    Fixed(&'static StaticRow),
    /// Of the rows of a relation.
    Rows(Relation<'a>),
    /// Of arrays of the rows of a relation.
    Arrays(Relation<'a>),
}

pub(super) fn types(input: &Input) -> Vec<Type<'_>> {
    let needed = match input.pins.without_row_types {
        true => Vec::new(),
        false => relations(input),
    };
    let of_relations = needed
        .into_iter()
        .flat_map(|relation| [Type::Rows(relation), Type::Arrays(relation)]);
    PG_TYPES
        .rows
        .iter()
        .map(Type::Fixed)
        .chain(of_relations)
        .collect()
}

pub(super) fn pg_type<'a>(row: &Type<'a>, column: &str, pg_type: &str) -> Option<Cell<'a>> {
    match row {
        Type::Fixed(row) => PG_TYPES
            .cell(row, column, pg_type)
            .or_else(|| fixed_value(column)),
        Type::Rows(relation) => Some(match column {
            "oid" => Cell::Int(relation.row_type()),
            "typname" => Cell::text(relation.name()),
            "typrelid" => Cell::Int(relation.oid()),
            "typarray" => Cell::Int(relation.array_type()),
            "typtype" => Cell::text("c"),
            "typcategory" => Cell::text("C"),
            "typinput" => Cell::Int(RECORD_IN),
            "typoutput" => Cell::Int(RECORD_OUT),
            "typreceive" => Cell::Int(RECORD_RECEIVE),
            "typsend" => Cell::Int(RECORD_SEND),
            _ => return of_rows(relation, column),
        }),
        Type::Arrays(relation) => Some(match column {
            "oid" => Cell::Int(relation.array_type()),
            "typname" => Cell::text(format!("_{}", relation.name())),
            "typelem" => Cell::Int(relation.row_type()),
            "typsubscript" => Cell::Int(ARRAY_SUBSCRIPT),
            "typtype" => Cell::text("b"),
            "typcategory" => Cell::text("A"),
            "typinput" => Cell::Int(ARRAY_IN),
            "typoutput" => Cell::Int(ARRAY_OUT),
            "typreceive" => Cell::Int(ARRAY_RECEIVE),
            "typsend" => Cell::Int(ARRAY_SEND),
            "typanalyze" => Cell::Int(ARRAY_ANALYZE),
            _ => return of_rows(relation, column),
        }),
    }
}

/// Returns what the types of the rows of a relation and of arrays of them have in common.
fn of_rows<'a>(relation: &Relation<'a>, column: &str) -> Option<Cell<'a>> {
    Some(match column {
        "typnamespace" => Cell::Int(relation.namespace_oid()),
        "typlen" | "typtypmod" => Cell::Int(-1),
        "typalign" => Cell::text("d"),
        "typstorage" => Cell::text("x"),
        _ => return fixed_value(column),
    })
}
