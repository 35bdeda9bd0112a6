//! The error type of all crates; each error has a stable [`Code`] that every endpoint maps to its
//! own.

mod code;
mod conversions;
mod engine;
mod error;
mod in_postgres;
mod misfit;
mod out_of_range;
mod planner;
mod similar;
mod store;
mod wording;

pub use code::Code;
pub use conversions::find;
pub use engine::from_engine;
pub use engine::numerics::field_overflow;
pub use error::{Error, Operands};
pub use in_postgres::in_postgres;
use lakegate_catalog::model::names::RESERVED_DATABASES;
pub use misfit::Misfit;
pub use planner::{function_not_found, operator_not_found};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The engine's schema for names without a database. No database can have this name, since names
/// contain no `/`.
pub const UNQUALIFIED: &str = "/";

/// A schema that statements of PostgreSQL write before the relations of outer queries, and that
/// errors leave out. No database can have this name either.
pub const OUTER: &str = "/outer";

/// The same message whether the table is missing or not granted.
pub fn table_not_found(name: &str) -> Error {
    let shown = name.replace('"', "");
    let hint = match shown.split_once('.') {
        Some((schema, _)) if RESERVED_DATABASES.contains(&schema) => built_in_hint(schema),
        _ if is_of_iceberg(&shown) => {
            "Iceberg's tables of history, snapshots and files are not supported; \"t$partitions\" is a table of the partitions of t"
                .to_owned()
        }
        Some((database, _)) => format!("SHOW TABLES IN {database} lists those you may see"),
        // Unqualified names of that form are looked up in pg_catalog.
        None if shown.starts_with("pg_") => built_in_hint("pg_catalog"),
        None => "SHOW TABLES lists those you may see".to_owned(),
    };
    Error::new(
        Code::TableNotFound,
        format!("relation \"{shown}\" does not exist"),
    )
    .with_hint(hint)
}

/// Whether a name is that of a table of Iceberg's metadata: `t$snapshots`.
fn is_of_iceberg(name: &str) -> bool {
    let kinds = [
        "entries",
        "files",
        "history",
        "manifests",
        "metadata_log_entries",
        "properties",
        "refs",
        "snapshots",
    ];
    name.rsplit_once('$')
        .is_some_and(|(_, kind)| kinds.contains(&kind))
}

/// The hint for a built-in schema, which SHOW TABLES does not list.
pub fn built_in_hint(schema: &str) -> String {
    format!(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{schema}' tells what is in it"
    )
}

/// The same message whether the column is missing or not granted.
pub fn column_not_found(name: &str) -> Error {
    Error::new(
        Code::ColumnNotFound,
        format!("column \"{}\" does not exist", name.replace('"', "")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_about_a_missing_table_is_a_statement_that_works() {
        for (name, hint) in [
            ("curated.x", "SHOW TABLES IN curated"),
            ("x", "SHOW TABLES lists"),
            ("curated.x$history", "t$partitions"),
            ("x$snapshots", "Iceberg"),
            ("pg_catalog.pg_x", "table_schema = 'pg_catalog'"),
            ("pg_x", "table_schema = 'pg_catalog'"),
            (
                "information_schema.x",
                "table_schema = 'information_schema'",
            ),
            ("system.x", "table_schema = 'system'"),
        ] {
            let error = table_not_found(name);
            assert!(
                error.hint().is_some_and(|shown| shown.contains(hint)),
                "{name}: {error:?}"
            );
        }
    }
}
