//! Descriptions of objects: comments, view texts, signatures of functions.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::Lookup;
use crate::postgres::pg_catalog::data::{PG_PROC, StaticRow};
use crate::postgres::pg_catalog::relations::column_comment;
use crate::postgres::pg_catalog::types;
use crate::postgres::{Cell, PgFunction};

fn procedure(oid: Option<i64>) -> Option<&'static StaticRow> {
    let oid = oid?;
    PG_PROC
        .rows
        .iter()
        .find(|row| PG_PROC.int(row, "oid") == oid)
}

fn arguments(row: &StaticRow) -> String {
    let types = PG_PROC
        .text(row, "proargtypes")
        .split_whitespace()
        .filter_map(|oid| oid.parse().ok());
    type_names(types)
}

fn type_names(types: impl Iterator<Item = i64>) -> String {
    types
        .map(|oid| types::format_type(oid, None))
        .collect::<Vec<_>>()
        .join(", ")
}

fn optional(text: Option<String>) -> Cell<'static> {
    text.map_or(Cell::Null, Cell::text)
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    let of = Arc::clone(lookup);
    let object = PgFunction::new("obj_description", 1..=2, text(), move |args| {
        let oid = args[0].as_int().unwrap_or(0);
        let class = args.get(1).and_then(Cell::to_text);
        let table = || of.table(oid).and_then(|(_, table)| table.comment.clone());
        let namespace = || {
            of.database_of(oid)
                .and_then(|database| database.comment.clone())
        };
        Ok(optional(match class.as_deref() {
            Some("pg_class") => table(),
            Some("pg_namespace") => namespace(),
            Some(_) => None,
            None => table().or_else(namespace),
        }))
    });
    let of = Arc::clone(lookup);
    let column = PgFunction::new("col_description", 2..=2, text(), move |args| {
        let place = args[1]
            .as_int()
            .and_then(|number| usize::try_from(number.checked_sub(1)?).ok());
        let table = args[0].as_int().and_then(|oid| of.table(oid));
        Ok(optional(table.zip(place).and_then(
            |((_, table), place)| column_comment(table.columns.get(place)?),
        )))
    });
    let of = Arc::clone(lookup);
    let view = PgFunction::new("pg_get_viewdef", 1..=2, text(), move |args| {
        let oid = match &args[0] {
            Cell::Int(oid) => Some(*oid),
            name => of
                .relation_named(&name.to_text().unwrap_or_default())
                .map(|relation| relation.oid()),
        };
        let text = oid
            .and_then(|oid| of.table(oid))
            .and_then(|(_, table)| table.definition.clone());
        Ok(optional(text.map(|text| {
            format!("{};", text.trim_end().trim_end_matches(';'))
        })))
    });
    vec![
        object,
        column,
        view,
        PgFunction::new("shobj_description", 2..=2, text(), |_| Ok(Cell::Null)),
        PgFunction::new("pg_get_function_result", 1..=1, text(), |args| {
            Ok(optional(procedure(args[0].as_int()).map(|row| {
                types::format_type(PG_PROC.int(row, "prorettype"), None)
            })))
        }),
        PgFunction::new("pg_get_function_arguments", 1..=1, text(), |args| {
            Ok(optional(procedure(args[0].as_int()).map(arguments)))
        }),
        PgFunction::new(
            "pg_get_function_identity_arguments",
            1..=1,
            text(),
            |args| Ok(optional(procedure(args[0].as_int()).map(arguments))),
        ),
        PgFunction::new("oidvectortypes", 1..=1, text(), |args| {
            Ok(match &args[0] {
                Cell::List(types) => Cell::text(type_names(types.iter().filter_map(Cell::as_int))),
                _ => Cell::Null,
            })
        }),
    ]
}
