//! Descriptions of objects: comments, view texts, signatures of functions.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::names::relation_oid;
use super::{Lookup, procedures};
use crate::postgres::pg_catalog::data::PG_PROC;
use crate::postgres::pg_catalog::relations::column_comment;
use crate::postgres::pg_catalog::types;
use crate::postgres::{Cell, PgFunction};

/// Builds a function of the number of a function, whose result is a column of the function's row.
fn about_procedure(name: &str, column: &'static str) -> PgFunction {
    PgFunction::new(name, 1..=1, DataType::Utf8, move |args| {
        let row = args[0].as_int().and_then(procedures::by_oid);
        Ok(row.map_or(Cell::Null, |row| Cell::text(PG_PROC.text(row, column))))
    })
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
            name => Some(relation_oid(&of, &name.to_text().unwrap_or_default())?),
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
        about_procedure("pg_get_function_result", "result"),
        about_procedure("pg_get_function_arguments", "arguments"),
        about_procedure("pg_get_function_identity_arguments", "identity"),
        PgFunction::new("pg_get_functiondef", 1..=1, text(), |args| {
            Ok(match args[0].as_int() {
                Some(oid) => optional(procedures::definition(oid)?),
                None => Cell::Null,
            })
        }),
        PgFunction::new("oidvectortypes", 1..=1, text(), |args| {
            Ok(match &args[0] {
                Cell::List(types) => Cell::text(type_names(types.iter().filter_map(Cell::as_int))),
                _ => Cell::Null,
            })
        }),
    ]
}
