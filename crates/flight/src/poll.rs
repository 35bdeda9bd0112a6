//! PollFlightInfo: a query that runs by itself while its client asks how far it is.
//!
//! What it gives is stored as it comes. A result that is stored whole can be read at several endpoints, in parallel, any number of times until
//! it expires. One that outgrows the store waits there, and is read once, the stored part and then the rest as it runs on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::sql::Command;
use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{FutureExt, StreamExt};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::handles::{Found, New, Overflow};
use lakegate_gateway::{BatchStream, Grants};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Door;
use super::auth::Caller;
use super::delivery::Delivery;
use super::execution::{self, Bound, Started, Tally};
use super::info::{Part, flight_info, timestamp};
use super::sessions::{FlightSession, InUse};
use super::statements::{announced, cancelled, unknown_handle};
use super::stream::{Outgoing, Parcel};
use super::types;

/// Bytes of a result that are stored.
const MAX_STORED: usize = 16 * 1024 * 1024;
/// Endpoints that a stored result is given out at, at most.
const MAX_ENDPOINTS: usize = 4;
/// Bytes of a result for which one more endpoint is worth it.
const ENDPOINT_BYTES: usize = 1024 * 1024;
/// How many lifetimes of a ticket a result is kept, however often it is read.
const MAX_LIFETIMES: u32 = 4;
/// A poll is answered when something has changed, and after so long in any case.
const LONG_POLL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Polled {
    session: Arc<FlightSession>,
    delivery: Delivery,
    /// As the client was told; `None` of a command.
    schema: Option<SchemaRef>,
    /// What the client asks for next.
    retry: Mutex<FlightDescriptor>,
    state: watch::Sender<State>,
    cancel: CancellationToken,
    /// What the principal held before the query was planned.
    grants: Grants,
    tally: Mutex<Option<Arc<Tally>>>,
    stored: Mutex<Stored>,
}

#[derive(Debug, Clone)]
enum State {
    Running,
    /// All of it is stored.
    Whole,
    /// What is stored is its beginning.
    Outgrown,
    Failed(Error),
}

#[derive(Default)]
struct Stored {
    /// As the engine has it.
    schema: Option<SchemaRef>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    /// Memory of the pool for the batches.
    held: Option<MemoryReservation>,
    /// What comes after the stored part, with the session that it keeps in use.
    rest: Option<(BatchStream, InUse)>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("batches", &self.batches.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Polled {
    /// Stops the query. `false`: it has ended already.
    pub fn cancel(&self) -> bool {
        let ran = matches!(*self.state.borrow(), State::Running | State::Outgrown);
        self.cancel.cancel();
        if let Some(query) = self.tally.lock().as_ref().and_then(|tally| tally.query()) {
            query.cancel();
        }
        let rest = self.stored.lock().rest.take();
        drop(rest);
        if ran {
            self.state.send_replace(State::Failed(cancelled()));
        }
        ran
    }

    fn progress(&self) -> Option<f64> {
        match *self.state.borrow() {
            State::Whole | State::Outgrown => Some(1.0),
            _ => self.tally.lock().as_ref()?.query()?.progress(),
        }
    }

    /// Runs until the result is stored, the store is full, or it fails.
    async fn run(self: Arc<Self>, bound: Bound) {
        let in_use = self.session.enter();
        let ended = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            ended = self.store(&bound, in_use) => ended,
        };
        let ended = ended.unwrap_or_else(State::Failed);
        self.state.send_modify(|state| {
            if matches!(state, State::Running) {
                *state = ended;
            }
        });
    }

    async fn store(&self, bound: &Bound, in_use: InUse) -> Result<State> {
        let Started {
            schema,
            mut batches,
            tally,
        } = Box::pin(execution::run(bound)).await?;
        *self.tally.lock() = Some(tally);
        self.stored.lock().schema = Some(schema);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut stored = self.stored.lock();
            let bytes = batch.get_array_memory_size();
            stored.bytes += bytes;
            stored.batches.push(batch);
            // Where queries need the memory, the result is read once too, as it runs on.
            let held = stored.held.as_ref();
            let is_held = held.is_none_or(|held| held.try_grow(bytes).is_ok());
            if stored.bytes > MAX_STORED || !is_held {
                stored.rest = Some((batches, in_use));
                return Ok(State::Outgrown);
            }
        }
        Ok(State::Whole)
    }

    /// The parts of a stored result: where each begins and ends among the batches.
    fn parts(&self) -> Vec<std::ops::Range<usize>> {
        let stored = self.stored.lock();
        let wanted = (stored.bytes / ENDPOINT_BYTES + 1)
            .min(MAX_ENDPOINTS)
            .min(stored.batches.len().max(1));
        let share = stored.bytes / wanted + 1;
        let mut parts = Vec::with_capacity(wanted);
        let (mut start, mut bytes) = (0, 0);
        for (index, batch) in stored.batches.iter().enumerate() {
            bytes += batch.get_array_memory_size();
            if bytes >= share && parts.len() + 1 < wanted {
                parts.push(start..index + 1);
                (start, bytes) = (index + 1, 0);
            }
        }
        parts.push(start..stored.batches.len());
        parts
    }

    /// A part of the result, or the whole.
    ///
    /// Errors: the query is not done, or failed; there is no such part; the result is read once, and was.
    fn read(&self, index: Option<u16>) -> Result<Started> {
        let state = self.state.borrow().clone();
        let schema_of = |stored: &Stored| {
            let schema = stored.schema.clone();
            schema.unwrap_or_else(|| Arc::new(Schema::empty()))
        };
        let no_part = || unknown_handle("ticket");
        match state {
            State::Running => Err(Error::new(
                Code::ResultNotStored,
                "the query still runs; poll until it is done",
            )),
            State::Failed(error) => Err(error),
            State::Whole => {
                let range = self
                    .parts()
                    .get(usize::from(index.unwrap_or(0)))
                    .cloned()
                    .ok_or_else(no_part)?;
                let stored = self.stored.lock();
                let batches = stored.batches.get(range).unwrap_or_default().to_vec();
                Ok(Started {
                    schema: schema_of(&stored),
                    batches: futures::stream::iter(batches.into_iter().map(Ok)).boxed(),
                    tally: self.tally.lock().clone().unwrap_or_default(),
                })
            }
            State::Outgrown => {
                let mut stored = self.stored.lock();
                let (rest, in_use) = stored.rest.take().ok_or_else(|| {
                    Error::new(
                        Code::ResultNotStored,
                        "the ticket is used up: a result that is not stored whole is read once",
                    )
                })?;
                let first: VecDeque<RecordBatch> = std::mem::take(&mut stored.batches).into();
                stored.held = None;
                let first = futures::stream::iter(first.into_iter().map(Ok));
                let batches = first
                    .chain(rest)
                    .map(move |batch| {
                        let _in_use = &in_use;
                        batch
                    })
                    .boxed();
                Ok(Started {
                    schema: schema_of(&stored),
                    batches,
                    tally: self.tally.lock().clone().unwrap_or_default(),
                })
            }
        }
    }

    fn size(&self) -> (i64, i64) {
        let stored = self.stored.lock();
        let rows: usize = stored.batches.iter().map(RecordBatch::num_rows).sum();
        let signed = |number: usize| i64::try_from(number).unwrap_or(-1);
        (signed(rows), signed(stored.bytes))
    }
}

impl Door {
    /// Starts a query, or tells how far the one is that was started.
    ///
    /// Errors: what planning refuses; too many are polled; what the query failed with.
    pub async fn poll(
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
                let mut changes = found.value.state.subscribe();
                let running = matches!(*changes.borrow_and_update(), State::Running);
                if running {
                    // Answered in any case, with what is known by then.
                    let _ = tokio::time::timeout(LONG_POLL, changes.changed()).await;
                }
                return self.poll_info(&found);
            }
            // What is answered at once has nothing to poll for.
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
        let found = self.start(&bound, descriptor)?;
        tokio::spawn(Arc::clone(&found.value).run(bound).boxed());
        self.poll_info(&found)
    }

    fn start(&self, bound: &Bound, descriptor: FlightDescriptor) -> Result<Found<Polled>> {
        let session = &bound.session;
        let delivery = session.delivery();
        let polled = Arc::new(Polled {
            session: Arc::clone(session),
            delivery,
            schema: announced(&bound.prepared, delivery),
            retry: Mutex::new(descriptor),
            state: watch::Sender::new(State::Running),
            cancel: CancellationToken::new(),
            grants: session.session.grants()?,
            tally: Mutex::default(),
            stored: Mutex::new(Stored {
                held: Some(self.gateway.reservation("polled result")),
                ..Stored::default()
            }),
        });
        let found = self.polled.insert(
            polled,
            New {
                owner: &session.principal,
                session: session.id,
                weight: 0,
                lifetime: self.options.ticket_lifetime,
                max_age: Some(self.options.ticket_lifetime * MAX_LIFETIMES),
                overflow: Overflow::Refuse,
            },
            "polled queries",
        )?;
        let whole = Part {
            handle: found.handle,
            index: None,
        };
        *found.value.retry.lock() = FlightDescriptor::new_cmd(whole.message());
        Ok(found)
    }

    /// What a ticket or a poll names, its time begun anew. A result that was made under other grants than the principal holds now is
    /// forgotten.
    pub fn polled_of(&self, caller: &Caller, part: Part) -> Option<Found<Polled>> {
        let principal = &caller.session.principal;
        let found = self.polled.get(part.handle, principal, true)?;
        self.may_read(caller, &found).then_some(found)
    }

    fn may_read(&self, caller: &Caller, found: &Found<Polled>) -> bool {
        let may = caller.session.session.holds(&found.value.grants);
        if !may {
            found.value.cancel();
            self.polled.remove(found.handle, &caller.session.principal);
        }
        may
    }

    fn poll_info(&self, found: &Found<Polled>) -> Result<PollInfo> {
        let polled = &found.value;
        let state = polled.state.borrow().clone();
        let retry = match state {
            State::Failed(error) => return Err(error),
            State::Running => Some(polled.retry.lock().clone()),
            State::Whole | State::Outgrown => None,
        };
        Ok(PollInfo {
            info: Some(self.polled_info(found)?),
            flight_descriptor: retry,
            progress: polled.progress(),
            expiration_time: Some(timestamp(found.expires)),
        })
    }

    /// What there is of the result by now.
    pub fn polled_info(&self, found: &Found<Polled>) -> Result<FlightInfo> {
        let polled = &found.value;
        let state = polled.state.borrow().clone();
        let count = match state {
            State::Running | State::Failed(_) => 0,
            State::Whole => polled.parts().len(),
            State::Outgrown => 1,
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
        // By the descriptor the query is found again, to cancel it, before there is any endpoint.
        let retry = polled.retry.lock().clone();
        let mut info = flight_info(polled.schema.as_deref(), endpoints, retry)?;
        if matches!(state, State::Whole) {
            (info.total_records, info.total_bytes) = polled.size();
        }
        Ok(info)
    }

    /// The polled queries of a principal.
    pub fn polled_infos(&self, caller: &Caller) -> Result<Vec<FlightInfo>> {
        let found = self.polled.of_owner(&caller.session.principal);
        found
            .iter()
            .filter(|found| self.may_read(caller, found))
            .map(|found| self.polled_info(found))
            .collect()
    }

    /// Reads a part of a polled query's result.
    pub fn read_polled(&self, polled: &Polled, index: Option<u16>) -> Result<Outgoing> {
        let started = polled.read(index)?;
        let schema = match &polled.schema {
            Some(told) => Arc::clone(told),
            None => types::result_schema(&started.schema, polled.delivery.types),
        };
        let parcel = Parcel {
            schema,
            started,
            delivery: polled.delivery,
            in_use: polled.session.enter(),
        };
        Outgoing::new(parcel, &self.lanes)
    }
}
