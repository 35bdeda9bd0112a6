//! `pg_table_size` and the like: the bytes of a table's files, as far as its statistics know them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::Lookup;
use super::names::relation_oid;
use crate::postgres::pg_catalog::relations::Relation;
use crate::postgres::{Cell, PgFunction};
use crate::visible::TableKind;

/// The functions of a relation's size.
pub(in crate::postgres::pg_catalog) const ABOUT_SIZES: &[&str] = &[
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_indexes_size",
];

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    let of = Arc::clone(lookup);
    let main = PgFunction::new("pg_relation_size", 1..=2, DataType::Int64, move |args| {
        let Some(relation) = relation(&of, args.first())? else {
            return Ok(Cell::Null);
        };
        let fork = args.get(1).and_then(Cell::to_text);
        Ok(match fork.as_deref() {
            None | Some("main") => shown(bytes(&relation)),
            // What PostgreSQL keeps beside the rows.
            Some("fsm" | "vm" | "init") => Cell::Int(0),
            Some(_) => {
                let error = Error::new(Code::InvalidParameter, "invalid fork name");
                let known = "Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".";
                return Err(error.with_hint(known).into());
            }
        })
    });
    let whole = |name: &str| {
        let of = Arc::clone(lookup);
        PgFunction::new(name, 1..=1, DataType::Int64, move |args| {
            let relation = relation(&of, args.first())?;
            Ok(shown(relation.and_then(|relation| bytes(&relation))))
        })
    };
    let of = Arc::clone(lookup);
    let indexes = PgFunction::new("pg_indexes_size", 1..=1, DataType::Int64, move |args| {
        let relation = relation(&of, args.first())?;
        Ok(relation.map_or(Cell::Null, |_| Cell::Int(0)))
    });
    vec![
        main,
        whole("pg_table_size"),
        whole("pg_total_relation_size"),
        indexes,
    ]
}

/// Returns the relation that an argument is the number or the name of; `None` if no relation has the
/// number.
///
/// # Errors
///
/// No relation has the name.
fn relation<'a>(lookup: &'a Lookup, argument: Option<&Cell<'_>>) -> Result<Option<Relation<'a>>> {
    let oid = match argument {
        Some(Cell::Int(oid)) => *oid,
        Some(name) => relation_oid(lookup, &name.to_text().unwrap_or_default())?,
        None => return Ok(None),
    };
    Ok(lookup.relation(oid))
}

/// Returns the bytes of a relation's files; `None` if they are not known. Views and relations of the
/// system have no files.
fn bytes(relation: &Relation<'_>) -> Option<u64> {
    match relation {
        Relation::Lake(_, table) if table.kind == TableKind::Table => table.file_bytes,
        _ => Some(0),
    }
}

fn shown(bytes: Option<u64>) -> Cell<'static> {
    bytes.map_or(Cell::Null, |bytes| {
        Cell::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
    })
}
