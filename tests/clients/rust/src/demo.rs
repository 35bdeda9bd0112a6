//! The demo that the clients connect to, and what their checks share.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, PgPool};

const LOCK: &str = include_str!("../Cargo.lock");

/// The server's connection file.
#[derive(Deserialize)]
struct Connection {
    postgres: Address,
    tls: Tls,
    users: Vec<User>,
}

#[derive(Deserialize)]
struct Address {
    host: String,
    port: u16,
}

#[derive(Deserialize)]
struct Tls {
    ca_file: String,
}

#[derive(Deserialize)]
struct User {
    name: String,
    password: String,
}

pub struct Demo {
    connection: Connection,
    pub admin: PgPool,
    /// How many checks have failed.
    pub failed: usize,
}

impl Demo {
    pub async fn from_environment() -> Self {
        let json = std::env::var("LAKEGATE_CONNECTION").unwrap();
        let connection: Connection = serde_json::from_str(&json).unwrap();
        let options = options(&connection, "admin");
        let admin = PgPoolOptions::new().connect_with(options).await.unwrap();
        Self {
            connection,
            admin,
            failed: 0,
        }
    }

    pub fn options(&self, user: &str) -> PgConnectOptions {
        options(&self.connection, user)
    }

    pub fn host(&self) -> &str {
        &self.connection.postgres.host
    }

    pub fn port(&self) -> u16 {
        self.connection.postgres.port
    }

    pub fn ca_file(&self) -> &str {
        &self.connection.tls.ca_file
    }

    pub fn password(&self, user: &str) -> &str {
        password(&self.connection, user)
    }

    /// Notes that the capability works, or counts a failure.
    pub fn judge(&mut self, client: &str, capability: &str, passed: bool) {
        if passed {
            note(client, capability);
        } else {
            println!("{client}: {capability}: failed");
            self.failed += 1;
        }
    }

    /// Waits until as many queries with the mark run.
    pub async fn running(&self, mark: &str, count: i64) {
        let sql = format!(
            "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* {mark} */%' \
             AND query NOT LIKE '%system.queries%'"
        );
        for _ in 0..600 {
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
                .fetch_one(&self.admin)
                .await
                .unwrap();
            if found == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("still not {count} of {mark}");
    }

    /// Makes a table `things` in a database of its own, without rows.
    pub async fn make_things(&self, database: &str) {
        self.drop_things(database).await;
        self.run(format!("CREATE DATABASE {database}")).await;
        let folder = uuid::Uuid::new_v4();
        self.run(format!(
            "CREATE EXTERNAL TABLE {database}.things (id int, name string, price decimal(10,2), at timestamp) \
             STORED AS PARQUET LOCATION 's3://datalake/{database}/{folder}/'"
        ))
        .await;
    }

    pub async fn drop_things(&self, database: &str) {
        self.run(format!("DROP DATABASE IF EXISTS {database} CASCADE"))
            .await;
    }

    async fn run(&self, sql: String) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.admin)
            .await
            .unwrap();
    }
}

/// Returns whether the check ended without a panic, whose message is printed.
pub async fn passes(check: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(check).catch_unwind().await.is_ok()
}

/// Returns a query that runs for longer than any test.
pub fn forever(mark: &str) -> String {
    format!(
        "SELECT /* {mark} */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), \
         generate_series(1, 100000) c(z) WHERE x + y > z"
    )
}

pub fn other_ca() -> String {
    std::env::var("LAKEGATE_OTHER_CA").unwrap()
}

fn options(connection: &Connection, user: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&connection.postgres.host)
        .port(connection.postgres.port)
        .username(user)
        .password(password(connection, user))
        .database("awsdatacatalog")
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(&connection.tls.ca_file)
}

fn password<'a>(connection: &'a Connection, user: &str) -> &'a str {
    let found = connection.users.iter().find(|known| known.name == user);
    &found.unwrap().password
}

fn note(client: &str, capability: &str) {
    let Ok(path) = std::env::var("LAKEGATE_SHOWN") else {
        return;
    };
    let line = serde_json::json!({
        "client": client, "version": version(client), "capability": capability, "fails_because": null,
    });
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    writeln!(file, "{line}").unwrap();
}

/// Returns the version of a crate in `Cargo.lock`.
fn version(client: &str) -> &'static str {
    let (_, rest) = LOCK
        .split_once(&format!("name = \"{client}\"\nversion = \""))
        .unwrap();
    rest.split('"').next().unwrap()
}
