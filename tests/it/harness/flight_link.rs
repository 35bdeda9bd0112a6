//! A session at the Flight SQL door, behind the [`Client`](super::Client) for either door.

use std::sync::Mutex;

use arrow::array::RecordBatch;
use arrow_flight::sql::client::PreparedStatement;
use arrow_flight::{CancelFlightInfoRequest, FlightInfo};
use lakegate_proto::google::rpc;
use prost::Message;
use tonic::Status;
use tonic::transport::Channel;

use super::client::{Failure, Row};
use super::flight::{Flight, status};
use super::{Server, render};

pub(crate) struct FlightLink {
    flight: Flight,
    /// The FlightInfo of the last query.
    last: Mutex<Option<FlightInfo>>,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let sqlstate = status.metadata().get("sqlstate");
        let code = sqlstate.map_or("none", |code| code.to_str().unwrap());
        let details = rpc::Status::decode(status.details()).unwrap_or_default();
        let info = details.details.first();
        let info = info.map(|any| rpc::ErrorInfo::decode(any.value.as_slice()).unwrap());
        let position = info.as_ref().and_then(|info| info.metadata.get("position"));
        let (text, hint) = split_off(status.message(), "\nHINT: ");
        let (message, detail) = split_off(text, "\nDETAIL: ");
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            severity: "ERROR".to_owned(),
            position: position.map(|position| position.parse().unwrap()),
            hint,
            detail,
        }
    }
}

fn split_off<'a>(text: &'a str, mark: &str) -> (&'a str, Option<String>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after.to_owned())),
        None => (text, None),
    }
}

/// Returns whether a client runs a statement as a query rather than as an update. Decides by the
/// first word, like tools that leave the choice to their user, and by RETURNING.
fn gives_rows(sql: &str) -> bool {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut words = text.split(|c: char| !c.is_alphabetic());
    let word = words.find(|word| !word.is_empty()).unwrap_or_default();
    [
        "SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXECUTE", "FETCH",
        "MSCK",
    ]
    .contains(&word.to_uppercase().as_str())
        || words.any(|word| word.eq_ignore_ascii_case("RETURNING"))
}

impl FlightLink {
    /// Logs in by Handshake, so that all statements are in one session.
    pub(crate) async fn open(
        server: &Server,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Self, Failure> {
        let mut flight = server.flight_anonymous().await;
        let header = flight.handshake(user, password).await?;
        let token = header.strip_prefix("Bearer ").unwrap();
        flight.sql.set_token(token.to_owned());
        let link = Self {
            flight,
            last: Mutex::default(),
        };
        if database != "awsdatacatalog" {
            link.rows(&format!("USE {database}")).await?;
        }
        Ok(link)
    }

    /// Returns the names of the columns and the rows; a command has none.
    pub(crate) async fn rows(&self, sql: &str) -> Result<(Vec<String>, Vec<Row>), Failure> {
        let mut flight = self.flight.clone();
        if !gives_rows(sql) {
            let updated = flight.sql.execute_update(sql.to_owned(), None).await;
            updated.map_err(status)?;
            return Ok((Vec::new(), Vec::new()));
        }
        let info = flight.info(sql).await?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        *self.last.lock().unwrap() = Some(info);
        let fetched = flight.fetch(ticket).await?;
        Ok(read(&fetched.batches))
    }

    pub(crate) async fn prepare(&self, sql: &str) -> Result<PreparedStatement<Channel>, Failure> {
        let mut flight = self.flight.clone();
        let prepared = flight.sql.prepare(sql.to_owned(), None).await;
        Ok(prepared.map_err(status)?)
    }

    pub(crate) async fn execute(
        &self,
        statement: &PreparedStatement<Channel>,
        parameters: RecordBatch,
    ) -> Result<Vec<Row>, Failure> {
        let mut statement = statement.clone();
        statement.set_parameters(parameters).unwrap();
        let info = statement.execute().await.map_err(status)?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let fetched = self.flight.clone().fetch(ticket).await?;
        Ok(read(&fetched.batches).1)
    }

    /// Cancels the last query with a call of its own; the query's call keeps waiting.
    pub(crate) async fn cancel(&self) {
        let info = self.last.lock().unwrap().clone();
        let info = info.expect("no query was asked for that could be cancelled");
        let request = CancelFlightInfoRequest::new(info).encode_to_vec();
        let mut flight = self.flight.clone();
        flight.act("CancelFlightInfo", request).await.unwrap();
    }
}

fn read(batches: &[RecordBatch]) -> (Vec<String>, Vec<Row>) {
    let names = batches.first().map(|batch| {
        let schema = batch.schema();
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    });
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| {
            let columns = batch.columns().iter();
            columns.map(|column| render::text(column, row)).collect()
        })
    });
    (names.unwrap_or_default(), rows.collect())
}
