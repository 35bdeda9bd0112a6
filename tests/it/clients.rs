//! Real clients of the Postgres door: psql and the Python clients of `tests/clients`.

use std::process::Command;

use crate::harness::identity::{Authority, Provider};
use crate::harness::{Server, python};

/// Runs psql on the shared server and returns its output.
pub(crate) fn psql(user: &str, database: &str, arguments: &[&str]) -> String {
    let server = Server::shared();
    let output = Command::new("psql")
        .arg(server.dsn(user, database))
        .args(["-X", "-v", "ON_ERROR_STOP=1", "-P", "pager=off"])
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "20")
        .output()
        .expect("psql is missing: run the tests with ./test, which installs it");
    python::printed(&format!("psql {arguments:?}"), &output)
}

fn command(user: &str, database: &str, command: &str) -> String {
    psql(user, database, &["-c", command])
}

#[test]
fn psql_lists_relations_of_the_search_path() {
    let shown = command("admin", "curated", "\\d");
    for table in ["customers", "orders", "products", "users"] {
        assert!(shown.contains(table), "{shown}");
    }
    assert!(!shown.contains("sales_fact"), "{shown}");
}

#[test]
fn psql_lists_all_tables_of_all_schemas_that_are_granted() {
    let shown = command("admin", "awsdatacatalog", "\\dt *.*");
    for table in ["curated", "sales_fact", "daily_sales", "raw"] {
        assert!(shown.contains(table), "{shown}");
    }
    let shown = command("scientist", "awsdatacatalog", "\\dt *.*");
    assert!(
        shown.contains("customers") && !shown.contains("sales_fact") && !shown.contains("raw"),
        "{shown}"
    );
}

#[test]
fn psql_describes_a_table_with_its_types() {
    let shown = command("admin", "awsdatacatalog", "\\d curated.orders");
    for line in [
        "order_id | text",
        "quantity | integer",
        "price | numeric(10,2)",
        "total | numeric(10,2)",
        "created_at | timestamp without time zone",
        "order_date | date",
    ] {
        let flat: Vec<String> = shown
            .lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(
            flat.iter().any(|shown| shown.starts_with(line)),
            "{line} is not in\n{shown}"
        );
    }
}

#[test]
fn psql_describes_only_granted_columns() {
    let shown = command("scientist", "awsdatacatalog", "\\d curated.customers");
    assert!(
        shown.contains("segment") && !shown.contains("email") && !shown.contains("phone"),
        "{shown}"
    );
}

#[test]
fn psql_lists_databases_and_schemas() {
    let shown = command("admin", "awsdatacatalog", "\\l");
    assert!(shown.contains("awsdatacatalog"), "{shown}");
    let shown = command("admin", "awsdatacatalog", "\\dn");
    for schema in ["raw", "curated", "analytics"] {
        assert!(shown.contains(schema), "{shown}");
    }
    let shown = command("scientist", "awsdatacatalog", "\\dn");
    assert!(
        shown.contains("curated") && !shown.contains("raw"),
        "{shown}"
    );
}

#[test]
fn psql_runs_its_other_lists_without_error() {
    for list in [
        "\\du",
        "\\df",
        "\\dv",
        "\\di",
        "\\dx",
        "\\dp",
        "\\d+ curated.orders",
        "\\dt+ curated.*",
        "\\dT",
        "\\conninfo",
        "\\encoding",
    ] {
        command("admin", "awsdatacatalog", list);
    }
}

#[test]
fn psql_prints_errors_with_the_place_and_goes_on_in_scripts() {
    let server = Server::shared();
    let output = Command::new("psql")
        .arg(server.dsn("admin", "curated"))
        .args([
            "-X",
            "-At",
            "-v",
            "VERBOSITY=verbose",
            "-c",
            "SELECT no_such FROM orders",
            "-c",
            "SELECT 'still here'",
        ])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("42703")
            && errors.contains("LINE 1: SELECT no_such FROM orders")
            && errors.contains("^"),
        "{errors}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("still here"));
}

#[test]
fn psql_pages_a_large_result_by_fetch_count() {
    let shown = psql(
        "admin",
        "curated",
        &[
            "-At",
            "-v",
            "FETCH_COUNT=100",
            "-c",
            "SELECT order_id FROM orders WHERE order_date < DATE '2024-02-01'",
        ],
    );
    let counted = psql(
        "admin",
        "curated",
        &[
            "-At",
            "-c",
            "SELECT count(*) FROM orders WHERE order_date < DATE '2024-02-01'",
        ],
    );
    assert_eq!(shown.lines().count().to_string(), counted.trim());
}

#[test]
fn python_clients_pass_their_tests() {
    let server = Server::shared();
    let connection = serde_json::to_string(server.connection()).unwrap();
    let output = Command::new(python::program("python"))
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"])
        .args(
            [
                "test_psycopg.py",
                "test_bi_statements.py",
                "test_connect_pages.py",
                "test_copy.py",
                "test_driver_statements.py",
                "test_ion_files.py",
                "test_orc_avro_files.py",
                "test_parquet_files.py",
                "test_pg_encodings.py",
                "test_pg_protocol.py",
                "test_pg_values.py",
                "test_plan_shapes.py",
                "test_tool_statements.py",
                "test_tpc_compare.py",
            ]
            .map(|file| python::clients().join(file)),
        )
        .env("LAKEGATE_CONNECTION", connection)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = python::printed("pytest", &output);
    assert!(
        printed.contains(" passed") && !printed.contains(" skipped"),
        "{printed}"
    );
}

#[test]
fn python_clients_log_in_by_token_and_by_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Provider::new(dir.path(), "first");
    let authority = Authority::new(dir.path());
    let analyst = authority.sign("analyst", 1);
    let ca_file = authority.ca_file();
    let mut environment = provider.environment();
    environment.extend([
        (
            "LAKEGATE_TLS__CLIENT_CA_FILE",
            ca_file.to_str().unwrap().to_owned(),
        ),
        (
            "LAKEGATE_FLIGHT__CLIENT_CERTIFICATES",
            "optional".to_owned(),
        ),
        (
            "LAKEGATE_POSTGRES__CLIENT_CERTIFICATES",
            "optional".to_owned(),
        ),
    ]);
    let environment: Vec<_> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let server = Server::private(&environment);
    let printed = python::run(
        "logins.py",
        &[],
        &[
            ("LAKEGATE_CONNECTION", &server.connection().to_string()),
            ("ANALYST_TOKEN", &provider.token("analyst", 600)),
            ("EXPIRED_TOKEN", &provider.token("analyst", -600)),
            ("CERTIFICATE", analyst.certificate.to_str().unwrap()),
            ("KEY", analyst.key.to_str().unwrap()),
        ],
    );
    assert!(printed.contains("all logged in"), "{printed}");
}
