//! Live tests of Flight SQL clients: each runs on its own against the shared server, and its
//! results are compared with the page that lists what works with which client (`page`). `./test`
//! installs what they need.

mod page;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use page::Shown;
use serde_json::json;

use crate::harness::identity::{Authority, Certified, Provider};
use crate::harness::{Options, Server, lake, python};

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

/// Returns the path where `./test` puts the JDBC driver that `tests/clients/jdbc/driver.txt` names.
fn jdbc_driver() -> PathBuf {
    let pin = fs::read_to_string(python::clients().join("jdbc/driver.txt")).unwrap();
    let (_, artifact) = pin.trim().split_once(':').unwrap();
    let folder = python::cached("LAKEGATE_JDBC", "lakegate-jdbc");
    let jar = folder.join(format!("{}.jar", artifact.replace(':', "-")));
    assert!(
        jar.exists(),
        "{} is missing: run the tests with ./test, which fetches it",
        jar.display()
    );
    jar
}

/// Builds a command that is ended if it hangs.
fn patient(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", "300"])
        .arg(program.as_ref());
    command
}

/// Runs the client's tests, checks that no capability was left out, and compares the results with
/// the page.
fn run(name: &str, clients: &[&str], mut command: Command) {
    let shown = lake::scratch().join(format!("shown-{}.jsonl", name.replace(' ', "-")));
    let analyst = analyst();
    let connection = serde_json::to_string(analyst.server.connection()).unwrap();
    let identity = json!({
        "token": analyst.token,
        "certificate": analyst.certified.certificate,
        "key": analyst.certified.key,
    });
    let output = command
        .env("LAKEGATE_IDENTITY", identity.to_string())
        .env("LAKEGATE_CONNECTION", connection)
        .env("LAKEGATE_SHOWN", &shown)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = python::printed(name, &output);
    assert!(
        printed.contains(" passed") && !printed.contains(" skipped"),
        "{printed}"
    );
    let lines = fs::read_to_string(&shown).unwrap();
    let shown: Vec<Shown> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for client in clients {
        page::check(client, &shown);
    }
}

/// Runs these tests with the Python of this venv.
fn pytest(venv: &Path, tests: &[&str], clients: &[&str]) {
    let mut command = patient(venv.join("bin/python"));
    command
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"])
        .args(tests)
        .current_dir(python::clients());
    run(clients[0], clients, command);
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
    let mut command = patient("java");
    let driver = jdbc_driver();
    let classes = lake::scratch().join("jdbc-client");
    let compiled = Command::new("javac")
        .arg("-d")
        .arg(&classes)
        .args(["Runner.java", "JdbcClient.java"])
        .current_dir(python::clients().join("jdbc"))
        .output()
        .expect("javac is missing: run the tests with ./test, which installs it");
    python::printed("javac", &compiled);
    let mut path = driver.into_os_string();
    path.push(":");
    path.push(&classes);
    // The program runs for seconds: the optimizing compiler would cost more time than it saves.
    command
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(path)
        .arg("--add-opens=java.base/java.nio=ALL-UNNAMED")
        // The driver interprets times without a zone in the machine's zone.
        .arg("-Duser.timezone=UTC")
        .arg("JdbcClient")
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
    let go = std::env::var_os("LAKEGATE_GO").unwrap_or_else(|| "go".into());
    let program = lake::scratch().join("flight-client");
    let built = Command::new(&go)
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(python::clients().join("go"))
        .output()
        .expect("go is missing: run the tests with ./test, which finds or installs it");
    python::printed("go build", &built);
    run("Go", &["ADBC (Go)"], patient(program));
}

#[tokio::test]
async fn rust_client_works_as_the_page_says() {
    page::check("Rust", &rust::shown().await);
}

#[test]
fn quickstart_notebook_runs() {
    let notebook = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/notebooks/quickstart.ipynb");
    let connection = serde_json::to_string(Server::shared().connection()).unwrap();
    let output = patient(python::program("python"))
        .arg(python::clients().join("run_notebook.py"))
        .arg(notebook)
        .env("LAKEGATE_CONNECTION", connection)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    python::printed("the notebook", &output);
}
