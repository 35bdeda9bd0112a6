//! Statements sent as text: planned when the ticket is made, run once when it is redeemed.
//!
//! ```text
//!  GetFlightInfo ─ plan ─▶ ticket ─ DoGet ─▶ run under the policy of that moment ─▶ stream
//!                            └───── DoGet again ─▶ the stored result, if there is one
//! ```

use std::sync::{Arc, Weak};

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{CommandStatementQuery, CommandStatementSubstraitPlan, SubstraitPlan};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::executions::Started;
use lakegate_gateway::detached::handles::{New, Overflow};
use lakegate_gateway::{Prepared, QueryWatch};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Door;
use super::auth::Caller;
use super::bound::Bound;
use super::delivery::Delivery;
use super::info::{Part, flight_info};
use super::sessions::FlightSession;
use super::stream::{OpenStream, Outgoing, StreamRequest};
use super::types;

/// Estimated bytes of a statement in addition to its text: its syntax tree, its columns.
const STATEMENT_WEIGHT: usize = 4 * 1024;
/// Estimated bytes in memory per byte of text or Substrait plan, including its syntax tree.
const TEXT_WEIGHT: usize = 16;

/// A statement that runs once.
#[derive(Debug)]
pub(super) struct StatementTicket {
    bound: Bound,
    delivery: Delivery,
    /// As announced to the client; `None` for a command.
    schema: Option<SchemaRef>,
    descriptor: FlightDescriptor,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Fresh,
    /// Before the first row; the token cancels the statement.
    Starting(CancellationToken),
    Started {
        stream: Weak<OpenStream>,
        query: Option<QueryWatch>,
    },
    Cancelled,
}

impl StatementTicket {
    /// Stops the statement, or prevents it from running if it has not started. Returns whether
    /// there was something to stop.
    pub(crate) fn cancel(&self) -> bool {
        let before = {
            let mut state = self.state.lock();
            match &*state {
                State::Started { stream, .. }
                    if stream.upgrade().is_none_or(|stream| !stream.is_open()) =>
                {
                    return false;
                }
                State::Cancelled => return false,
                _ => std::mem::replace(&mut *state, State::Cancelled),
            }
        };
        match before {
            State::Starting(token) => token.cancel(),
            State::Started { stream, query } => {
                if let Some(query) = query {
                    query.cancel();
                }
                if let Some(stream) = stream.upgrade() {
                    stream.stop(cancelled());
                }
            }
            State::Fresh | State::Cancelled => {}
        }
        true
    }

    pub(crate) fn is_fresh(&self) -> bool {
        matches!(*self.state.lock(), State::Fresh)
    }

    /// Returns the schema to send.
    ///
    /// # Errors
    ///
    /// The result's schema differs from the announced one.
    fn checked(&self, started: &Started) -> Result<SchemaRef> {
        let actual = types::result_schema(&started.schema, self.delivery.types);
        match &self.schema {
            Some(announced) if !types::same_columns(announced, &actual) => Err(Error::new(
                Code::ResultTypeChanged,
                "the columns of the result have changed since the statement was planned",
            )
            .with_hint("ask for a new FlightInfo")),
            Some(announced) => Ok(Arc::clone(announced)),
            None => Ok(actual),
        }
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(
        Code::QueryCancelled,
        "canceling statement due to user request",
    )
}

/// Checks that a request names no transaction.
///
/// # Errors
///
/// The client names a transaction; this server has none.
pub(super) fn check_transaction(id: Option<&Bytes>) -> Result<()> {
    match id {
        None => Ok(()),
        Some(id) if id.is_empty() => Ok(()),
        Some(_) => Err(no_transactions()),
    }
}

pub(super) fn no_transactions() -> Error {
    Error::not_supported("this server has no transactions")
        .with_hint("every statement commits by itself; use autocommit")
}

/// Returns the schema of a statement as announced to clients, or `None` for a command.
pub(super) fn announced(prepared: &Prepared, delivery: Delivery) -> Option<SchemaRef> {
    let columns = prepared.columns.as_ref()?;
    Some(types::result_schema(columns, delivery.types))
}

/// Estimates the bytes of a statement in memory.
pub(super) fn weight(prepared: &Prepared) -> usize {
    STATEMENT_WEIGHT + prepared.source_bytes() * TEXT_WEIGHT
}

/// Returns the bytes of a Substrait plan.
///
/// # Errors
///
/// The client sent no plan.
pub(super) fn plan_bytes(plan: Option<&SubstraitPlan>) -> Result<Bytes> {
    let plan = plan.map(|plan| plan.plan.clone());
    plan.ok_or_else(|| Error::new(Code::ProtocolViolation, "the command has no Substrait plan"))
}

/// Binds a statement that takes no parameters.
///
/// # Errors
///
/// The statement takes parameters.
fn without_parameters(session: &Arc<FlightSession>, prepared: Prepared) -> Result<Bound> {
    if !prepared.parameters.is_empty() {
        return Err(Error::invalid(format!(
            "the statement needs {} parameters",
            prepared.parameters.len()
        ))
        .with_hint("prepare it and bind them"));
    }
    let once = Arc::new(vec![Vec::new()]);
    Ok(Bound::new(session, Arc::new(prepared), once))
}

impl Door {
    /// Plans a statement and makes a ticket for it.
    ///
    /// # Errors
    ///
    /// Planning refuses the statement, or it takes parameters.
    pub(crate) async fn statement_info(
        &self,
        caller: &Caller,
        command: &CommandStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let bound = self.bind_text(&caller.session, command).await?;
        self.ticket_info(&caller.session, bound, descriptor)
    }

    /// Plans a statement without parameters.
    ///
    /// # Errors
    ///
    /// Planning refuses the statement, it takes parameters, or the client names a transaction.
    pub(crate) async fn bind_text(
        &self,
        session: &Arc<FlightSession>,
        command: &CommandStatementQuery,
    ) -> Result<Bound> {
        check_transaction(command.transaction_id.as_ref())?;
        let prepared = session.session.prepare_closed(&command.query).await?;
        without_parameters(session, prepared)
    }

    /// Plans a Substrait plan without parameters.
    ///
    /// # Errors
    ///
    /// Planning refuses the plan, it takes parameters, or the client names a transaction.
    pub(crate) async fn bind_plan(
        &self,
        session: &Arc<FlightSession>,
        command: &CommandStatementSubstraitPlan,
    ) -> Result<Bound> {
        check_transaction(command.transaction_id.as_ref())?;
        let plan = plan_bytes(command.plan.as_ref())?;
        let prepared = session.session.prepare_substrait(plan).await?;
        without_parameters(session, prepared)
    }

    /// Makes a ticket for a statement that is ready to run.
    ///
    /// # Errors
    ///
    /// The statement exceeds the bytes that a user's tickets may hold.
    pub(crate) fn ticket_info(
        &self,
        session: &FlightSession,
        bound: Bound,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let delivery = session.options.delivery();
        let schema = announced(bound.prepared(), delivery);
        let weight = weight(bound.prepared());
        let ticket = Arc::new(StatementTicket {
            bound,
            delivery,
            schema: schema.clone(),
            descriptor: descriptor.clone(),
            state: Mutex::new(State::Fresh),
        });
        let found = self.tickets.insert(
            ticket,
            New {
                owner: &session.principal,
                session: session.id,
                weight,
                lifetime: self.options.config.ticket_lifetime,
                max_age: None,
                overflow: Overflow::Evict,
            },
            "tickets",
        )?;
        let part = Part {
            handle: found.handle,
            index: None,
        };
        let endpoint = self.endpoint(part.message(), Some(found.expires));
        flight_info(schema.as_deref(), vec![endpoint], descriptor)
    }

    /// Lists the principal's tickets that have not been redeemed.
    pub(crate) fn fresh_tickets(&self, caller: &Caller) -> Result<Vec<FlightInfo>> {
        let tickets = self.tickets.of_owner(&caller.session.principal);
        tickets
            .into_iter()
            .filter(|found| found.value.is_fresh())
            .map(|found| {
                let part = Part {
                    handle: found.handle,
                    index: None,
                };
                let endpoint = self.endpoint(part.message(), Some(found.expires));
                let ticket = &found.value;
                let schema = ticket.schema.as_deref();
                flight_info(schema, vec![endpoint], ticket.descriptor.clone())
            })
            .collect()
    }

    /// Redeems a ticket.
    ///
    /// # Errors
    ///
    /// The ticket is used up and no result is cached, or the statement fails before its first row.
    /// After such a failure the ticket can be redeemed again.
    pub(crate) async fn redeem(&self, ticket: &StatementTicket) -> Result<Outgoing> {
        let token = CancellationToken::new();
        let fresh = {
            let mut state = ticket.state.lock();
            match &*state {
                State::Fresh => {
                    *state = State::Starting(token.clone());
                    true
                }
                State::Cancelled => return Err(cancelled()),
                State::Starting(_) | State::Started { .. } => false,
            }
        };
        if !fresh {
            let started = ticket.bound.executions.replay().await;
            let started = started.map_err(|error| match error.code() {
                Code::ResultNotStored => used_up(),
                _ => error,
            })?;
            return self.send(ticket, started);
        }
        // If it does not start, the ticket stays fresh.
        let attempt = Attempt(Some(ticket));
        let started = tokio::select! {
            biased;
            () = token.cancelled() => return Err(cancelled()),
            started = ticket.bound.executions.run() => started?,
        };
        let query = started.usage.query();
        let outgoing = self.send(ticket, started)?;
        let started = State::Started {
            stream: Arc::downgrade(outgoing.stream()),
            query,
        };
        attempt.succeeds(started)?;
        Ok(outgoing)
    }

    /// Runs a statement without a ticket.
    ///
    /// # Errors
    ///
    /// The statement fails before its first row.
    pub(crate) async fn run_bound(&self, bound: &Bound) -> Result<Outgoing> {
        let delivery = bound.session.options.delivery();
        let started = bound.executions.run().await?;
        let request = StreamRequest {
            schema: types::result_schema(&started.schema, delivery.types),
            started,
            delivery,
            in_use: bound.session.enter(),
        };
        Outgoing::new(request, &self.streams)
    }

    /// Sends a started statement's rows.
    ///
    /// # Errors
    ///
    /// The result's schema differs from the announced one.
    fn send(&self, ticket: &StatementTicket, started: Started) -> Result<Outgoing> {
        let request = StreamRequest {
            schema: ticket.checked(&started)?,
            started,
            delivery: ticket.delivery,
            in_use: ticket.bound.session.enter(),
        };
        Outgoing::new(request, &self.streams)
    }
}

/// Makes a ticket fresh again if its statement did not start.
struct Attempt<'a>(Option<&'a StatementTicket>);

impl Attempt<'_> {
    /// Records that the statement started.
    ///
    /// # Errors
    ///
    /// The ticket was cancelled meanwhile.
    fn succeeds(mut self, started: State) -> Result<()> {
        let Some(ticket) = self.0.take() else {
            return Ok(());
        };
        let mut state = ticket.state.lock();
        if matches!(*state, State::Cancelled) {
            return Err(cancelled());
        }
        *state = started;
        Ok(())
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.0.take() {
            let mut state = ticket.state.lock();
            if matches!(*state, State::Starting(_)) {
                *state = State::Fresh;
            }
        }
    }
}

fn used_up() -> Error {
    Error::new(
        Code::ResultNotStored,
        "the ticket is used up: a statement runs once, and its result is not stored",
    )
    .with_hint("ask for a new FlightInfo")
}

/// Returns the same error for handles that never existed, have expired, or belong to another user.
pub(super) fn unknown_handle(what: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("the {what} is unknown, has expired, or is another user's"),
    )
}
