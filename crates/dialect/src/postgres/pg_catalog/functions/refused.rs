//! Functions of PostgreSQL that act on a server's files, its log, its replicas or itself, and those of
//! kinds of values that do not exist here. A call is an error that says what to do instead.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use lakegate_error::{Code, Error};

use crate::postgres::PgFunction;
use crate::postgres::pg_catalog::data::REFUSED_FUNCTIONS;

/// Why functions are refused, and what takes their place, by the kind of the function.
const KINDS: [(&str, &str, &str); 17] = [
    (
        "ascii",
        "texts have characters that ASCII lacks",
        "normalize(x, NFD) and regexp_replace remove accents",
    ),
    (
        "commits",
        "the times of commits are not kept by transaction",
        "system.queries has when statements ran",
    ),
    (
        "enums",
        "there are no enums",
        "compare texts, or list the values with VALUES",
    ),
    (
        "events",
        "there are no triggers",
        "system.queries has the statements that ran",
    ),
    (
        "files",
        "",
        "no statement reads files of the server: CREATE EXTERNAL TABLE makes files of the storage a table",
    ),
    (
        "geometry",
        "there are no geometric types",
        "geospatial functions exist: ST_Point, ST_Polygon, ST_Distance",
    ),
    (
        "log",
        "there is no write-ahead log",
        "for a backup, copy the state directory and the storage",
    ),
    ("money", "there is no type money", "use numeric(38, 2)"),
    (
        "objects",
        "there are no large objects",
        "bytes are values of a column of type bytea",
    ),
    (
        "ranges",
        "there are no multiranges",
        "use ranges, such as int4range(1, 10)",
    ),
    (
        "replication",
        "nothing is replicated: there are no slots, origins or subscriptions",
        "readers share the files of the storage",
    ),
    (
        "search",
        "there is no full-text search",
        "use LIKE, ILIKE or regexp_like",
    ),
    (
        "sequences",
        "there are no sequences",
        "gen_random_uuid() makes keys, row_number() OVER () counts rows",
    ),
    (
        "server",
        "a session does not control the server",
        "settings of the server are in its configuration file",
    ),
    (
        "snapshots",
        "a session cannot read the snapshot of another one",
        "run the statements in one transaction block",
    ),
    (
        "statistics",
        "nothing is counted that could be reset",
        "system.queries has what statements read",
    ),
    (
        "xml",
        "there is no XML",
        "row_to_json and json_agg make JSON of rows",
    ),
];

/// The kind of the functions that PostgreSQL allows few users to call.
const FILES: &str = "files";

/// Returns the function of this name, whose calls fail.
pub(super) fn refused(name: &str) -> Option<Arc<ScalarUDF>> {
    let table = &*REFUSED_FUNCTIONS;
    let mut rows = table.rows.iter();
    let row = rows.find(|row| table.text(row, "name") == name)?;
    let arity = |column| usize::try_from(table.int(row, column)).unwrap_or(0);
    let of_row = table.text(row, "kind");
    let (kind, reason, instead) = *KINDS.iter().find(|(kind, ..)| *kind == of_row)?;
    let called = name.to_owned();
    let function = PgFunction::new(
        name,
        arity("min")..=arity("max"),
        DataType::Utf8,
        move |_| Err(error(&called, kind, reason).with_hint(instead).into()),
    );
    Some(function.called_on_null().volatile().into_udf())
}

fn error(function: &str, kind: &str, reason: &str) -> Error {
    match kind {
        FILES => Error::new(
            Code::PermissionDenied,
            format!("permission denied for function {function}"),
        ),
        _ => Error::not_supported(format!("{function} is not supported: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_is_a_function_with_a_remedy() {
        let table = &*REFUSED_FUNCTIONS;
        assert!(table.rows.len() > 100);
        for row in &table.rows {
            let name = table.text(row, "name");
            assert_eq!(refused(name).unwrap().name(), name);
            assert!(table.int(row, "min") <= table.int(row, "max"), "{name}");
        }
        for (kind, ..) in KINDS {
            let mut rows = table.rows.iter();
            assert!(rows.any(|row| table.text(row, "kind") == kind), "{kind}");
        }
        assert!(refused("pg_table_is_visible").is_none());
    }

    #[test]
    fn functions_of_files_are_forbidden_and_others_do_not_exist() {
        assert_eq!(error("f", FILES, "").code(), Code::PermissionDenied);
        let other = error("f", "log", "there is no log");
        assert_eq!(other.code(), Code::NotSupported);
        assert_eq!(other.message(), "f is not supported: there is no log");
    }
}
