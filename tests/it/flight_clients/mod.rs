//! Live tests of Flight SQL clients: each runs on its own against the shared server, and its
//! results are compared with the page that lists what works with which client (`page`). `./test`
//! installs what they need.

mod page;
mod rust;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use page::PAGE;
use serde_json::json;

use crate::harness::identity::{Authority, Certified, Provider};
use crate::harness::{Options, Server, java, lake, python};

/// A demo whose analyst can log in without a password.
struct Analyst {
    server: Server,
    /// A token of an identity provider that the server trusts.
    token: String,
    certified: Certified,
}

fn analyst() -> &'static Analyst {
    static ANALYST: OnceLock<Analyst> = OnceLock::new();
    ANALYST.get_or_init(|| {
        let dir = lake::scratch().join("identity");
        fs::create_dir_all(&dir).unwrap();
        let (provider, authority) = (Provider::new(&dir, "first"), Authority::new(&dir));
        let mut environment = provider.environment();
        let ca = authority.ca_file().to_str().unwrap().to_owned();
        environment.push(("LAKEGATE_TLS__CLIENT_CA_FILE", ca));
        let wanted = "optional".to_owned();
        environment.push(("LAKEGATE_FLIGHT__CLIENT_CERTIFICATES", wanted));
        let environment: Vec<_> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
        Analyst {
            server: Server::copied(&Options::default(), &environment),
            token: provider.token("analyst", 3600),
            certified: authority.sign("analyst", 1),
        }
    })
}

/// Runs the client's tests, which may log in as the analyst, and compares the results with the page.
fn run(name: &str, clients: &[&str], mut command: Command) {
    let analyst = analyst();
    let identity = json!({
        "token": analyst.token,
        "certificate": analyst.certified.certificate,
        "key": analyst.certified.key,
    });
    command.env("LAKEGATE_IDENTITY", identity.to_string());
    PAGE.run(name, clients, &analyst.server, command);
}

/// Runs these tests with the Python of this venv.
fn pytest(venv: &Path, tests: &[&str], clients: &[&str]) {
    run(clients[0], clients, python::pytest(venv, tests));
}

#[test]
fn pyarrow_flight_works_as_the_page_says() {
    let tests = ["test_pyarrow_flight.py", "test_flight_ingest.py::TestDoPut"];
    pytest(&python::venv(), &tests, &["pyarrow.flight"]);
}

#[test]
fn adbc_works_as_the_page_says() {
    let tests = ["test_adbc.py", "test_flight_ingest.py::TestIngest"];
    pytest(&python::venv(), &tests, &["ADBC (Python)"]);
}

#[test]
fn flightsql_dbapi_works_as_the_page_says() {
    let venv = python::cached("LAKEGATE_DBAPI_VENV", "lakegate-dbapi-venv");
    pytest(&venv, &["test_flightsql_dbapi.py"], &["flightsql-dbapi"]);
}

#[test]
fn data_frames_work_as_the_page_says() {
    let clients = ["polars", "pandas", "DuckDB", "ibis"];
    pytest(&python::venv(), &["test_frames.py"], &clients);
}

#[test]
fn jdbc_works_as_the_page_says() {
    let Analyst {
        server,
        token,
        certified,
    } = analyst();
    let door = &server.connection()["flight"];
    let host = door["host"].as_str().unwrap();
    let mut command = java::program("JdbcClient", "driver.txt");
    command
        .arg(format!("jdbc:arrow-flight-sql://{host}:{}", door["port"]))
        .args([
            server.ca_file(),
            server.password("admin"),
            server.password("scientist"),
            token,
        ])
        .args([&certified.certificate, &certified.key]);
    run("JdbcClient", &["JDBC"], command);
}

#[test]
fn go_adbc_works_as_the_page_says() {
    run("Go", &["ADBC (Go)"], python::go("."));
}

#[tokio::test]
async fn rust_client_works_as_the_page_says() {
    PAGE.check("Rust", &rust::shown().await);
}

#[test]
fn quickstart_notebook_runs() {
    let notebook = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/notebooks/quickstart.ipynb");
    let connection = serde_json::to_string(Server::shared().connection()).unwrap();
    let output = python::patient(python::program("python"))
        .arg(python::clients().join("run_notebook.py"))
        .arg(notebook)
        .env("LAKEGATE_CONNECTION", connection)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    python::printed("the notebook", &output);
}
