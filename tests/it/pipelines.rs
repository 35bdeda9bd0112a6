//! The pipelines of `docs/pipelines`: psql runs their scripts, and DuckDB's results of the same SQL
//! are compared with every table; `tests/clients/pipelines.py` documents the comparison.

use crate::harness::{Options, Server, lake, python};

fn same_as_duckdb(server: &Server, flow: &str) {
    let dsn = server.dsn("admin", "awsdatacatalog");
    let lake = server.dir.to_str().unwrap();
    let arguments = [flow, "--dsn", &dsn, "--lake", lake];
    let printed = python::run("pipelines.py", &arguments, &[]);
    assert!(printed.contains("all tables are the same"), "{printed}");
}

#[test]
fn medallion_flow_gives_the_tables_that_duckdb_gives() {
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let options = Options {
        scale: "0.0001".to_owned(),
        tpcds: Some("0.01".to_owned()),
        ..Options::default()
    };
    let server = Server::demo(&temp.path().join("lake"), &options, &[]);
    same_as_duckdb(&server, "medallion");
}

#[test]
fn order_flow_gives_the_tables_that_duckdb_gives_on_the_first_and_the_next_day() {
    same_as_duckdb(&Server::private(&[]), "orders");
}
