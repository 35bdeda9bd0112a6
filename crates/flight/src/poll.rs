//! PollFlightInfo: a query that runs on its own while its client polls for progress.
//!
//! The gateway runs it and stores its result. A completely stored result is offered at several
//! endpoints, which can be read in parallel and any number of times until it expires. A result that
//! outgrows the store is read once, at one endpoint.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::Command;
use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::executions::Started;
use lakegate_gateway::detached::handles::Found;
use lakegate_gateway::detached::run::RunState;
use lakegate_gateway::detached::runs::{DetachedRun, NewRun};
use lakegate_gateway::detached::store::StoredResult;
use parking_lot::Mutex;

use super::Door;
use super::auth::Caller;
use super::bound::Bound;
use super::delivery::Delivery;
use super::info::{Part, flight_info, timestamp};
use super::sessions::FlightSession;
use super::statements::{announced, unknown_handle};
use super::stream::{Outgoing, StreamRequest};
use super::types;

/// The maximum number of endpoints of a stored result.
const MAX_ENDPOINTS: usize = 4;
/// Bytes of a result per endpoint.
const ENDPOINT_BYTES: usize = 1024 * 1024;
/// The maximum age of a result in ticket lifetimes, however often it is read.
const MAX_LIFETIMES: u32 = 4;
/// A poll is answered when the state changes, and after this long in any case.
const LONG_POLL: Duration = Duration::from_secs(5);

/// The door's data about a polled query.
#[derive(Debug)]
pub(super) struct PollDetails {
    session: Arc<FlightSession>,
    delivery: Delivery,
    /// As announced to the client; `None` for a command.
    schema: Option<SchemaRef>,
    /// The descriptor that the client polls with next.
    retry: Mutex<FlightDescriptor>,
}

/// A query that a client polls.
pub(super) type PolledQuery = DetachedRun<PollDetails>;

/// Splits a stored result into parts: ranges of its batches.
fn parts(result: &StoredResult) -> Vec<Range<usize>> {
    let batches = result.batches();
    let bytes: usize = batches.iter().map(|batch| batch.bytes).sum();
    let wanted = (bytes / ENDPOINT_BYTES + 1)
        .min(MAX_ENDPOINTS)
        .min(batches.len().max(1));
    let share = bytes / wanted + 1;
    let mut parts = Vec::with_capacity(wanted);
    let (mut start, mut gathered) = (0, 0);
    for (index, batch) in batches.iter().enumerate() {
        gathered += batch.bytes;
        if gathered >= share && parts.len() + 1 < wanted {
            parts.push(start..index + 1);
            (start, gathered) = (index + 1, 0);
        }
    }
    parts.push(start..batches.len());
    parts
}

/// Reads a part of the result, or the whole result.
///
/// # Errors
///
/// The query is still running or failed, there is no such part, or the result can be read only once
/// and was read.
fn read(polled: &PolledQuery, index: Option<u16>) -> Result<Started> {
    match polled.run.state() {
        RunState::Running => Err(Error::new(
            Code::ResultNotStored,
            "the query still runs; poll until it is done",
        )),
        RunState::Failed(error) => Err(error),
        RunState::Overflowed => polled.run.take_rows(),
        RunState::Stored(result) => {
            let part = parts(&result).get(usize::from(index.unwrap_or(0))).cloned();
            Ok(Started {
                schema: Arc::clone(result.schema()),
                batches: result.read(part.ok_or_else(|| unknown_handle("ticket"))?),
                usage: polled.run.usage(),
            })
        }
    }
}

impl Door {
    /// Starts a query, or reports the progress of a started one.
    ///
    /// # Errors
    ///
    /// Planning refuses the statement, too many queries are detached, or the query failed.
    pub(crate) async fn poll(
        &self,
        caller: &Caller,
        descriptor: FlightDescriptor,
        command: Command,
    ) -> Result<PollInfo> {
        let bound = match command {
            Command::CommandStatementQuery(query) => {
                self.bind_text(&caller.session, &query).await?
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                self.bind_plan(&caller.session, &plan).await?
            }
            Command::CommandPreparedStatementQuery(query) => {
                self.bound(caller, &query.prepared_statement_handle)?
            }
            Command::TicketStatementQuery(ticket) => {
                let found = Part::read(&ticket.statement_handle)
                    .and_then(|part| self.polled_of(caller, part))
                    .ok_or_else(|| unknown_handle("polled query"))?;
                found.value.run.wait(LONG_POLL).await;
                return self.poll_info(&found);
            }
            // Other commands are answered at once: there is nothing to poll.
            other => {
                let info = self.info(caller, descriptor, other).await?;
                return Ok(PollInfo {
                    info: Some(info),
                    flight_descriptor: None,
                    progress: Some(1.0),
                    expiration_time: None,
                });
            }
        };
        let found = self.start(bound, descriptor)?;
        self.poll_info(&found)
    }

    fn start(&self, bound: Bound, descriptor: FlightDescriptor) -> Result<Found<PolledQuery>> {
        let Bound {
            session,
            executions,
        } = bound;
        let delivery = session.options.delivery();
        let guard = session.enter();
        let new = NewRun {
            session: session.id,
            lifetime: self.options.config.ticket_lifetime,
            max_age: self.options.config.ticket_lifetime * MAX_LIFETIMES,
            details: PollDetails {
                schema: announced(&executions.prepared, delivery),
                delivery,
                retry: Mutex::new(descriptor),
                session,
            },
        };
        let found = self.polled.start(executions, new, guard)?;
        let whole = Part {
            handle: found.handle,
            index: None,
        };
        *found.value.details.retry.lock() = FlightDescriptor::new_cmd(whole.message());
        Ok(found)
    }

    /// Finds the query that a ticket or a descriptor names, and renews its lifetime.
    pub(crate) fn polled_of(&self, caller: &Caller, part: Part) -> Option<Found<PolledQuery>> {
        self.polled.get(part.handle, &caller.session.session)
    }

    fn poll_info(&self, found: &Found<PolledQuery>) -> Result<PollInfo> {
        let polled = &found.value;
        let state = polled.run.state();
        let retry = match &state {
            RunState::Failed(error) => return Err(error.clone()),
            RunState::Running => Some(polled.details.retry.lock().clone()),
            RunState::Stored(_) | RunState::Overflowed => None,
        };
        Ok(PollInfo {
            info: Some(self.info_of(found, &state)?),
            flight_descriptor: retry,
            progress: polled.run.progress(),
            expiration_time: Some(timestamp(found.expires)),
        })
    }

    /// Describes the part of the result that exists now.
    pub(crate) fn polled_info(&self, found: &Found<PolledQuery>) -> Result<FlightInfo> {
        self.info_of(found, &found.value.run.state())
    }

    fn info_of(&self, found: &Found<PolledQuery>, state: &RunState) -> Result<FlightInfo> {
        let details = &found.value.details;
        let count = match state {
            RunState::Running | RunState::Failed(_) => 0,
            RunState::Stored(result) => parts(result).len(),
            RunState::Overflowed => 1,
        };
        let endpoints = (0..count)
            .map(|index| {
                let part = Part {
                    handle: found.handle,
                    index: u16::try_from(index).ok(),
                };
                self.endpoint(part.message(), Some(found.expires))
            })
            .collect();
        // With this descriptor the query can be found and cancelled before it has any endpoint.
        let retry = details.retry.lock().clone();
        let mut info = flight_info(details.schema.as_deref(), endpoints, retry)?;
        if let RunState::Stored(result) = state {
            let batches = result.batches().iter();
            let (rows, bytes) = batches.fold((0, 0), |(rows, bytes), batch| {
                (rows + batch.rows, bytes + batch.bytes)
            });
            info.total_records = i64::try_from(rows).unwrap_or(-1);
            info.total_bytes = i64::try_from(bytes).unwrap_or(-1);
        }
        Ok(info)
    }

    /// Lists the polled queries of a principal.
    pub(crate) fn polled_infos(&self, caller: &Caller) -> Result<Vec<FlightInfo>> {
        let found = self.polled.list(&caller.session.session);
        found.iter().map(|found| self.polled_info(found)).collect()
    }

    /// Reads a part of a polled query's result.
    ///
    /// # Errors
    ///
    /// The part of the result cannot be read: see [`read`].
    pub(crate) fn read_polled(&self, polled: &PolledQuery, index: Option<u16>) -> Result<Outgoing> {
        let started = read(polled, index)?;
        let details = &polled.details;
        let schema = match &details.schema {
            Some(announced) => Arc::clone(announced),
            None => types::result_schema(&started.schema, details.delivery.types),
        };
        let request = StreamRequest {
            schema,
            started,
            delivery: details.delivery,
            in_use: details.session.enter(),
        };
        Outgoing::new(request, &self.streams)
    }
}
