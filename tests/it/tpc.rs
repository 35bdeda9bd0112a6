//! TPC-H and TPC-DS compared with DuckDB on the same files; `tests/clients/tpc_compare.py`
//! documents the comparison.

use std::fs;

use crate::harness::{Options, Server, lake, python};

#[test]
fn tpc_queries_give_the_rows_that_duckdb_gives() {
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let dir = temp.path().join("lake");
    let options = Options {
        scale: "0.0001".to_owned(),
        tpch: Some("0.1".to_owned()),
        tpcds: Some("0.1".to_owned()),
        ..Options::default()
    };
    let server = Server::demo(&dir, &options, &[]);
    let connection_file = temp.path().join("connection.json");
    fs::write(&connection_file, server.connection().to_string()).unwrap();
    let report = python::run(
        "tpc_compare.py",
        &[
            "--connection-file",
            connection_file.to_str().unwrap(),
            "--lake",
            dir.to_str().unwrap(),
        ],
        &[],
    );
    // Shown with --nocapture, and by ./test.
    println!("{report}");
}
