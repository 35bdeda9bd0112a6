//! `docs/flight-clients.md`.

use crate::harness::page::{Page, Table};

pub(super) static PAGE: Page = Page {
    file: "docs/flight-clients.md",
    tests: "flight_clients",
    tables: &[Table {
        heading: "",
        clients: &[
            "pyarrow.flight",
            "ADBC (Python)",
            "flightsql-dbapi",
            "polars",
            "pandas",
            "DuckDB",
            "ibis",
            "JDBC",
            "ADBC (Go)",
            "Rust",
        ],
    }],
    capabilities: &[
        "TLS with certificate verification",
        "user and password",
        "error for a wrong password",
        "token of an identity provider",
        "client certificate",
        "query",
        "result as Arrow data",
        "nested types",
        "reading a result in pieces",
        "reading partitions of a result elsewhere",
        "row limit",
        "statement that returns no rows",
        "batch of statements",
        "message and position of an error",
        "SQLSTATE of an error",
        "cancel",
        "timeout",
        "query cost in the last message",
        "prepared statement",
        "parameters of all types",
        "several rows of parameters",
        "schema of a result without execution",
        "catalogs, databases, tables",
        "columns",
        "columns without a grant are hidden",
        "table types",
        "schema of a table",
        "primary and foreign keys (always empty)",
        "type information of the server",
        "information about the server",
        "current catalog and database",
        "setSchema",
        "session settings",
        "error for a transaction",
        "bulk ingestion",
        "DBeaver's calls",
    ],
};

#[test]
fn page_is_as_it_would_be_written() {
    PAGE.is_as_it_would_be_written();
}
