//! TPC-H and TPC-DS over one lake: their plans compared with those of `tests/tpc/plans`
//! (`tests/clients/plan_shapes.py`), and their rows with DuckDB's on the same files
//! (`tests/clients/tpc_compare.py`). The scripts document the comparisons.

use std::{fs, panic};

use crate::harness::{Options, Server, lake, python};

#[test]
fn tpc_queries_keep_their_plans_and_give_the_rows_that_duckdb_gives() {
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let dir = temp.path().join("lake");
    let options = Options {
        scale: "0.0001".to_owned(),
        tpch: Some("0.1".to_owned()),
        tpcds: Some("0.1".to_owned()),
        ..Options::default()
    };
    // Plans depend on how many partitions the server aims at.
    let server = Server::demo(&dir, &options, &[("LAKEGATE_ENGINE__THREADS", "2")]);
    let connection_file = temp.path().join("connection.json");
    fs::write(&connection_file, server.connection().to_string()).unwrap();
    let connection = ["--connection-file", connection_file.to_str().unwrap()];

    // A plan that has changed does not keep the rows from being compared.
    let plans = panic::catch_unwind(|| python::run("plan_shapes.py", &connection, &[]));
    let [option, file] = connection;
    let arguments = [option, file, "--lake", dir.to_str().unwrap()];
    let rows = python::run("tpc_compare.py", &arguments, &[]);
    // Shown with --nocapture, and by ./test.
    println!("{rows}");
    match plans {
        Ok(report) => println!("{report}"),
        Err(failure) => panic::resume_unwind(failure),
    }
}
