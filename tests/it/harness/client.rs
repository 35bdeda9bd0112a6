//! A Postgres client that reads like a transcript: run this, these are the rows, this fails so.

use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::tls::Tls;

pub type Row = Vec<Option<String>>;

pub struct Client {
    inner: tokio_postgres::Client,
    tls: Tls,
}

/// What the server said was wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    pub code: String,
    pub message: String,
    pub severity: String,
    pub position: Option<u32>,
    pub hint: Option<String>,
    pub detail: Option<String>,
}

impl From<&DbError> for Failure {
    fn from(error: &DbError) -> Self {
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            severity: error.severity().to_owned(),
            position: error.position().map(|position| match position {
                ErrorPosition::Original(at) => *at,
                ErrorPosition::Internal { position, .. } => *position,
            }),
            hint: error.hint().map(str::to_owned),
            detail: error.detail().map(str::to_owned),
        }
    }
}

impl Failure {
    pub fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => error.into(),
            None => Self {
                code: "none".to_owned(),
                message: format!("{error:?}"),
                severity: "CLIENT".to_owned(),
                position: None,
                hint: None,
                detail: None,
            },
        }
    }

    /// Message, detail and hint: all that a person reads.
    pub fn text(&self) -> String {
        let parts = [
            Some(self.message.clone()),
            self.detail.clone(),
            self.hint.clone(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    }

    #[track_caller]
    pub fn names(&self, parts: &[&str]) -> &Self {
        let text = self.text().to_lowercase();
        for part in parts {
            assert!(
                text.contains(&part.to_lowercase()),
                "the error does not name {part:?}: {self:?}"
            );
        }
        self
    }
}

pub fn config(
    host: &str,
    port: u16,
    user: &str,
    password: &str,
    database: &str,
) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config
        .host(host)
        .port(port)
        .user(user)
        .password(password)
        .dbname(database)
        .application_name("lakegate-tests")
        .connect_timeout(Duration::from_secs(20))
        .ssl_mode(SslMode::Require);
    config
}

impl Client {
    pub async fn connect(config: &tokio_postgres::Config, tls: Tls) -> Result<Self, Failure> {
        let (inner, connection) = config
            .connect(tls.clone())
            .await
            .map_err(|e| Failure::of(&e))?;
        tokio::spawn(async move {
            // An error here is the server's end; the statements of the test see it as well.
            let _ = connection.await;
        });
        Ok(Self { inner, tls })
    }

    /// Without TLS at all; whether the server takes that is what the test asks.
    pub async fn connect_in_clear(config: &tokio_postgres::Config) -> Result<(), Failure> {
        let mut config = config.clone();
        config.ssl_mode(SslMode::Disable);
        config
            .connect(NoTls)
            .await
            .map(|_| ())
            .map_err(|e| Failure::of(&e))
    }

    /// tokio-postgres itself, for the extended protocol.
    pub fn raw(&self) -> &tokio_postgres::Client {
        &self.inner
    }

    pub fn raw_mut(&mut self) -> &mut tokio_postgres::Client {
        &mut self.inner
    }

    pub async fn cancel(&self) {
        self.inner
            .cancel_token()
            .cancel_query(self.tls.clone())
            .await
            .unwrap();
    }

    /// The rows of the last statement that has any, as text, by the simple protocol.
    pub async fn try_rows(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        let messages = self
            .inner
            .simple_query(sql)
            .await
            .map_err(|e| Failure::of(&e))?;
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push(
                        (0..row.len())
                            .map(|i| row.get(i).map(str::to_owned))
                            .collect(),
                    );
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> impl Future<Output = Vec<Row>> {
        let caller = std::panic::Location::caller();
        async move {
            match self.try_rows(sql).await {
                Ok(rows) => rows,
                Err(e) => panic!(
                    "{caller}: {sql}\n  failed: {} {} at {:?}",
                    e.code,
                    e.text(),
                    e.position
                ),
            }
        }
    }

    /// Runs statements that must succeed, whatever they give.
    #[track_caller]
    pub fn run(&self, sql: &str) -> impl Future<Output = ()> {
        let rows = self.rows(sql);
        async move {
            rows.await;
        }
    }

    /// Rows joined by `|` and lines, NULL as `NULL`: for comparing with what a person would write.
    #[track_caller]
    pub fn text(&self, sql: &str) -> impl Future<Output = String> {
        let rows = self.rows(sql);
        async move {
            let lines = rows.await.into_iter().map(|row| {
                let cells: Vec<String> = row
                    .into_iter()
                    .map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()))
                    .collect();
                cells.join("|")
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }

    /// The first column of every row.
    #[track_caller]
    pub fn column(&self, sql: &str) -> impl Future<Output = Vec<String>> {
        let rows = self.rows(sql);
        async move {
            rows.await
                .into_iter()
                .map(|row| row[0].clone().unwrap_or_else(|| "NULL".to_owned()))
                .collect()
        }
    }

    /// The one value of the one row.
    #[track_caller]
    pub fn value(&self, sql: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        let rows = self.rows(sql);
        async move {
            let rows = rows.await;
            assert!(
                rows.len() == 1 && rows[0].len() == 1,
                "{caller}: one value expected of {sql}, got {rows:?}"
            );
            rows[0][0].clone().unwrap_or_else(|| "NULL".to_owned())
        }
    }

    #[track_caller]
    pub fn number(&self, sql: &str) -> impl Future<Output = i64> {
        let value = self.value(sql);
        async move { value.await.parse().unwrap() }
    }

    /// The names of the columns that a query gives.
    pub async fn columns(&self, sql: &str) -> Vec<String> {
        let messages = self
            .inner
            .simple_query(sql)
            .await
            .map_err(|e| Failure::of(&e))
            .unwrap();
        let names = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::RowDescription(columns) => Some(
                columns
                    .iter()
                    .map(|column| column.name().to_owned())
                    .collect(),
            ),
            _ => None,
        });
        names.unwrap_or_else(|| panic!("{sql} gave no columns"))
    }

    /// The error of a statement that must fail.
    #[track_caller]
    pub fn fails(&self, sql: &str) -> impl Future<Output = Failure> {
        let caller = std::panic::Location::caller();
        async move {
            match self.try_rows(sql).await {
                Ok(rows) => panic!(
                    "{caller}: {sql}\n  should fail, but gave {} rows: {rows:?}",
                    rows.len()
                ),
                Err(failure) => failure,
            }
        }
    }
}
