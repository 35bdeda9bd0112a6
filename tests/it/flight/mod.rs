//! The Flight SQL door, through Rust's own client.

mod catalog;
mod greedy;
mod hostile;
mod ingest;
mod logins;
mod malformed;
mod prepared;
mod running;
mod sessions;
mod statements;
mod stored;
mod substrait;
mod tokens;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest, Any, CommandGetDbSchemas,
    CommandGetTables, CommandStatementQuery, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightEndpoint, IpcMessage, RenewFlightEndpointRequest, Ticket,
};
use futures::StreamExt;
use prost::Message;
use tonic::Code;

use crate::harness::flight::{Fetched, status};
use crate::harness::{Client, Flight, Server, eventually};

const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";
/// Returns rows from the start, without end.
const ENDLESS: &str =
    "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";

async fn state_of(client: &Client, marker: &str) -> Option<String> {
    let states = client
        .column(&format!("SELECT state FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%'"))
        .await;
    states.into_iter().next()
}

fn marked(sql: &str, marker: &str) -> String {
    sql.replacen("SELECT", &format!("SELECT /* {marker} */"), 1)
}
