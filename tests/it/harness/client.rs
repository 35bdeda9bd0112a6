//! A client for either door, for tests that read like transcripts: run this, expect these rows,
//! fail like this.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow_flight::sql::client::PreparedStatement;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tonic::transport::Channel;

use super::flight_link::FlightLink;
use super::tls::Tls;

pub(crate) type Row = Vec<Option<String>>;

pub(crate) struct Client {
    link: Link,
}

enum Link {
    Postgres {
        inner: tokio_postgres::Client,
        tls: Tls,
    },
    Flight(Box<FlightLink>),
}

/// A statement prepared by its client.
pub(crate) enum Prepared {
    Postgres(tokio_postgres::Statement),
    Flight(Box<PreparedStatement<Channel>>),
}

/// An error that the server reported.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
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
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
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

    /// Returns message, detail and hint: everything that a user reads.
    pub(crate) fn text(&self) -> String {
        let parts = [
            Some(self.message.clone()),
            self.detail.clone(),
            self.hint.clone(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    }

    #[track_caller]
    pub(crate) fn names(&self, parts: &[&str]) -> &Self {
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

pub(crate) fn config(
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
    pub(crate) async fn connect(
        config: &tokio_postgres::Config,
        tls: Tls,
    ) -> Result<Self, Failure> {
        let (inner, connection) = config
            .connect(tls.clone())
            .await
            .map_err(|e| Failure::of(&e))?;
        tokio::spawn(async move {
            // An error here means that the server has ended; the statements of the test see it as
            // well.
            let _ = connection.await;
        });
        Ok(Self {
            link: Link::Postgres { inner, tls },
        })
    }

    pub(crate) fn flying(link: FlightLink) -> Self {
        Self {
            link: Link::Flight(Box::new(link)),
        }
    }

    /// Connects without TLS; whether the server accepts that is up to the test.
    pub(crate) async fn connect_in_clear(config: &tokio_postgres::Config) -> Result<(), Failure> {
        let mut config = config.clone();
        config.ssl_mode(SslMode::Disable);
        config
            .connect(NoTls)
            .await
            .map(|_| ())
            .map_err(|e| Failure::of(&e))
    }

    /// Returns the tokio-postgres client, for the extended protocol.
    pub(crate) fn raw(&self) -> &tokio_postgres::Client {
        match &self.link {
            Link::Postgres { inner, .. } => inner,
            Link::Flight(_) => panic!("this client came through the Flight SQL door"),
        }
    }

    pub(crate) fn raw_mut(&mut self) -> &mut tokio_postgres::Client {
        match &mut self.link {
            Link::Postgres { inner, .. } => inner,
            Link::Flight(_) => panic!("this client came through the Flight SQL door"),
        }
    }

    /// Cancels the running query by the means of its protocol. The statement's own call keeps
    /// waiting for its rows.
    pub(crate) async fn cancel(&self) {
        match &self.link {
            Link::Postgres { inner, tls } => {
                let token = inner.cancel_token();
                token.cancel_query(tls.clone()).await.unwrap();
            }
            Link::Flight(link) => link.cancel().await,
        }
    }

    pub(crate) async fn prepare(&self, sql: &str) -> Prepared {
        match &self.link {
            Link::Postgres { inner, .. } => Prepared::Postgres(inner.prepare(sql).await.unwrap()),
            Link::Flight(link) => Prepared::Flight(Box::new(link.prepare(sql).await.unwrap())),
        }
    }

    /// Runs a prepared statement with one text parameter, and returns the number of its rows.
    pub(crate) async fn try_execute(
        &self,
        statement: &Prepared,
        parameter: &str,
    ) -> Result<usize, Failure> {
        match (&self.link, statement) {
            (Link::Postgres { inner, .. }, Prepared::Postgres(statement)) => {
                let rows = inner.query(statement, &[&parameter]).await;
                Ok(rows.map_err(|e| Failure::of(&e))?.len())
            }
            (Link::Flight(link), Prepared::Flight(statement)) => {
                let values: ArrayRef = Arc::new(StringArray::from(vec![parameter]));
                let row = RecordBatch::try_from_iter([("1", values)]).unwrap();
                Ok(link.execute(statement, row).await?.len())
            }
            _ => panic!("the statement was prepared at the other door"),
        }
    }

    /// Returns the rows of the last statement that has any, as text; at the Postgres door by the
    /// simple protocol.
    pub(crate) async fn try_rows(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        Ok(self.try_table(sql).await?.1)
    }

    /// Like `try_rows`, with the names of the columns; a command has none.
    async fn try_table(&self, sql: &str) -> Result<(Vec<String>, Vec<Row>), Failure> {
        let inner = match &self.link {
            Link::Postgres { inner, .. } => inner,
            Link::Flight(link) => return link.rows(sql).await,
        };
        let messages = inner.simple_query(sql).await;
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for message in messages.map_err(|e| Failure::of(&e))? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    names = columns.iter().map(|c| c.name().to_owned()).collect();
                    rows.clear();
                }
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|i| row.get(i).map(str::to_owned));
                    rows.push(cells.collect());
                }
                _ => {}
            }
        }
        Ok((names, rows))
    }

    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> impl Future<Output = Vec<Row>> {
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

    /// Runs statements that must succeed, and ignores their results.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) -> impl Future<Output = ()> {
        let rows = self.rows(sql);
        async move {
            rows.await;
        }
    }

    /// Returns cells joined by `|` and rows by line breaks, with NULL as `NULL`, for comparison
    /// with literals.
    #[track_caller]
    pub(crate) fn text(&self, sql: &str) -> impl Future<Output = String> {
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

    /// Returns the first column of every row.
    #[track_caller]
    pub(crate) fn column(&self, sql: &str) -> impl Future<Output = Vec<String>> {
        let rows = self.rows(sql);
        async move {
            rows.await
                .into_iter()
                .map(|row| row[0].clone().unwrap_or_else(|| "NULL".to_owned()))
                .collect()
        }
    }

    /// Returns the only value of the only row.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> impl Future<Output = String> {
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
    pub(crate) fn number(&self, sql: &str) -> impl Future<Output = i64> {
        let value = self.value(sql);
        async move { value.await.parse().unwrap() }
    }

    /// Runs statements one after the other, for protocols without scripts.
    #[track_caller]
    pub(crate) fn run_each<'a>(
        &'a self,
        statements: &'a [&'a str],
    ) -> impl Future<Output = ()> + 'a {
        let runs: Vec<_> = statements.iter().map(|sql| self.run(sql)).collect();
        async move {
            for run in runs {
                run.await;
            }
        }
    }

    /// Returns the names of a query's columns.
    pub(crate) async fn columns(&self, sql: &str) -> Vec<String> {
        let (names, _) = self.try_table(sql).await.unwrap();
        assert!(!names.is_empty(), "{sql} gave no columns");
        names
    }

    /// Returns the error of a statement that must fail.
    #[track_caller]
    pub(crate) fn fails(&self, sql: &str) -> impl Future<Output = Failure> {
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
