//! Live tests of PostgreSQL's clients: their results are compared with
//! `docs/postgres-compatibility.md`, which lists what works with which client. `./test` installs
//! what they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::identity::Authority;
use crate::harness::page::{Page, Table};
use crate::harness::{Server, java, lake, python};

static PAGE: Page = Page {
    file: "docs/postgres-compatibility.md",
    tests: "postgres_clients",
    tables: &[
        Table {
            heading: "PostgreSQL's programs, and a pooler",
            clients: &["psql", "pgbench", "postgres_fdw", "PgBouncer"],
        },
        Table {
            heading: "Python: drivers",
            clients: &["psycopg", "psycopg2", "asyncpg", "pg8000"],
        },
        Table {
            heading: "Python: libraries",
            clients: &[
                "SQLAlchemy",
                "Django",
                "pandas",
                "polars",
                "connectorx",
                "ADBC (PostgreSQL)",
                "ibis",
                "DuckDB (ATTACH)",
                "pgcli",
            ],
        },
        Table {
            heading: "Node",
            clients: &[
                "node pg",
                "pg-cursor",
                "pg-query-stream",
                "postgres.js",
                "knex",
                "TypeORM",
                "Drizzle",
                "Prisma",
                "Sequelize",
                "Kysely",
            ],
        },
        Table {
            heading: "Java, Go, ODBC",
            clients: &[
                "pgjdbc",
                "Hibernate",
                "jOOQ",
                "pgx",
                "lib/pq",
                "gorm",
                "psqlODBC",
            ],
        },
        Table {
            heading: "Rust",
            clients: &["sqlx", "tokio-postgres"],
        },
        Table {
            heading: "Ruby, R, Perl, PHP",
            clients: &[
                "Ruby's pg",
                "Rails' ActiveRecord",
                "R's RPostgreSQL",
                "Perl's DBD::Pg",
                "PHP's PDO",
            ],
        },
        Table {
            heading: "BI tools",
            clients: &["Superset"],
        },
    ],
    capabilities: &[
        "TLS with certificate verification",
        "error for a wrong password",
        "simple query",
        "results of all types",
        "parameters of all types",
        "uuid",
        "prepared statement",
        "reading a result in pieces",
        "transaction with rollback",
        "SQLSTATE and position of an error",
        "cancel",
        "cancel by pg_cancel_backend",
        "timeout",
        "pool",
        "tables and columns",
        "views and comments",
        "columns without a grant are hidden",
        "psql's \\d commands",
        "creating a table",
        "bulk load",
        "COPY TO",
    ],
};

/// Returns the certificate of an authority that the server's certificate is not from.
fn other_ca() -> PathBuf {
    static AUTHORITY: OnceLock<PathBuf> = OnceLock::new();
    let file = AUTHORITY.get_or_init(|| {
        let dir = lake::scratch().join("other-authority");
        fs::create_dir_all(&dir).unwrap();
        Authority::new(&dir).ca_file()
    });
    file.clone()
}

/// Runs the clients' tests on the shared server, and compares the results with the page.
fn run(name: &str, clients: &[&str], mut command: Command) {
    command
        .env("LAKEGATE_OTHER_CA", other_ca())
        // libpq must not find files of the user's.
        .env("PGSYSCONFDIR", lake::scratch())
        .env("TZ", "UTC");
    PAGE.run(name, clients, Server::shared(), command);
}

fn pytest(venv: &Path, tests: &[&str], clients: &[&str]) {
    let name = format!("postgres {}", clients[0]);
    run(&name, clients, python::pytest(venv, tests));
}

/// Runs a program of `tests/clients/node` with the packages that `./test` installs.
fn node(script: &str, clients: &[&str]) {
    let modules = python::cached("LAKEGATE_NODE", "lakegate-node").join("node_modules");
    assert!(
        modules.exists(),
        "{} is missing: run the tests with ./test, which installs it",
        modules.display()
    );
    let mut command = python::patient("node");
    command
        .arg(python::clients().join("node").join(script))
        .env("LAKEGATE_NODE_MODULES", modules);
    run(script, clients, command);
}

#[test]
fn postgres_programs_work_as_the_page_says() {
    let tests = [
        "test_pg_tools.py::TestPsql",
        "test_pg_tools.py::TestForeignDataWrapper",
        "test_pg_tools.py::TestPgbench",
        "test_pg_tools.py::TestPgbouncer",
    ];
    let clients = ["psql", "postgres_fdw", "pgbench", "PgBouncer"];
    pytest(&python::venv(), &tests, &clients);
}

#[test]
fn python_drivers_work_as_the_page_says() {
    let tests = ["test_pg_psycopg.py", "test_pg_drivers.py"];
    let clients = ["psycopg", "psycopg2", "asyncpg", "pg8000"];
    pytest(&python::venv(), &tests, &clients);
}

#[test]
fn sqlalchemy_works_as_the_page_says() {
    pytest(&python::venv(), &["test_pg_sqlalchemy.py"], &["SQLAlchemy"]);
}

#[test]
fn python_libraries_work_as_the_page_says() {
    let clients = [
        "pandas",
        "polars",
        "connectorx",
        "ADBC (PostgreSQL)",
        "ibis",
        "Django",
        "pgcli",
    ];
    pytest(&python::venv(), &["test_pg_libraries.py"], &clients);
}

#[test]
fn duckdb_attaches_as_the_page_says() {
    let venv = python::cached("LAKEGATE_DUCKDB_VENV", "lakegate-duckdb-venv");
    pytest(&venv, &["test_pg_duckdb.py"], &["DuckDB (ATTACH)"]);
}

#[test]
fn node_drivers_work_as_the_page_says() {
    let clients = ["node pg", "pg-cursor", "pg-query-stream", "postgres.js"];
    node("drivers.mjs", &clients);
}

#[test]
fn node_libraries_work_as_the_page_says() {
    node("orms.mjs", &["knex", "TypeORM", "Drizzle"]);
    node("builders.mjs", &["Sequelize", "Kysely"]);
}

#[test]
fn prisma_works_as_the_page_says() {
    node("prisma.mjs", &["Prisma"]);
}

/// Gives a program of `tests/clients/jdbc` the URL, the files and the passwords that it takes.
fn jdbc(name: &str, mut command: Command) {
    let server = Server::shared();
    command
        .arg(format!(
            "jdbc:postgresql://{}:{}/awsdatacatalog?sslmode=verify-full",
            server.host(),
            server.port()
        ))
        .args([
            server.ca_file(),
            server.password("admin"),
            server.password("scientist"),
        ])
        .arg(other_ca());
    run(name, &[name], command);
}

#[test]
fn pgjdbc_works_as_the_page_says() {
    jdbc(
        "pgjdbc",
        java::program("PostgresClient", "postgres-driver.txt"),
    );
}

#[test]
fn hibernate_works_as_the_page_says() {
    jdbc(
        "Hibernate",
        java::program_with_libraries("HibernateClient", "postgres-driver.txt"),
    );
}

#[test]
fn jooq_works_as_the_page_says() {
    jdbc(
        "jOOQ",
        java::program_with_libraries("JooqClient", "postgres-driver.txt"),
    );
}

#[test]
fn go_clients_work_as_the_page_says() {
    let clients = ["pgx", "lib/pq", "gorm"];
    run("postgres Go", &clients, python::go("./postgres"));
}

#[test]
fn rust_clients_work_as_the_page_says() {
    let clients = ["sqlx", "tokio-postgres"];
    run("postgres Rust", &clients, python::rust());
}

#[test]
fn odbc_works_as_the_page_says() {
    pytest(
        &python::venv(),
        &["test_pg_tools.py::TestOdbc"],
        &["psqlODBC"],
    );
}

#[test]
fn ruby_r_perl_and_php_work_as_the_page_says() {
    let clients = [
        "Ruby's pg",
        "Rails' ActiveRecord",
        "R's RPostgreSQL",
        "Perl's DBD::Pg",
        "PHP's PDO",
    ];
    pytest(&python::venv(), &["test_pg_scripts.py"], &clients);
}

/// Superset is 800 MB: it runs where it is installed, and `.ci/run` installs it.
#[test]
fn superset_works_as_the_page_says() {
    let venv = python::cached("LAKEGATE_SUPERSET_VENV", "lakegate-superset");
    if !venv.join("bin/superset").exists() {
        assert!(
            std::env::var_os("LAKEGATE_SUPERSET_VENV").is_none(),
            "{} has no Superset: run the tests with ./test, which installs it",
            venv.display()
        );
        println!("Superset is not installed: its tests did not run");
        return;
    }
    pytest(&venv, &["test_superset.py"], &["Superset"]);
}

#[test]
fn page_is_as_it_would_be_written() {
    PAGE.is_as_it_would_be_written();
}
