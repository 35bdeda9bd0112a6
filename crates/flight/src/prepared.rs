//! Prepared statements: planned once, run with one or many rows of parameters.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, ActionCreatePreparedSubstraitPlanRequest,
};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use lakegate_error::{Error, Result};
use lakegate_gateway::Prepared;
use lakegate_gateway::detached::executions::Values;
use lakegate_gateway::detached::handles::{Found, Handle, New, Overflow};
use parking_lot::Mutex;
use tonic::Status;

use super::Door;
use super::auth::Caller;
use super::bound::Bound;
use super::incoming::{Incoming, Received};
use super::info::schema_bytes;
use super::parameters;
use super::sessions::FlightSession;
use super::statements::{announced, check_transaction, plan_bytes, unknown_handle, weight};
use super::status::to_status;

/// A prepared statement to which a client has a handle.
#[derive(Debug)]
pub(super) struct PreparedStatement {
    session: Arc<FlightSession>,
    /// As planned without values.
    original: Arc<Prepared>,
    bound: Mutex<Binding>,
}

/// The values that the statement runs with next.
#[derive(Debug)]
struct Binding {
    /// Planned for the types of the bound values.
    prepared: Arc<Prepared>,
    /// `None` before the first binding.
    rows: Option<Arc<Vec<Values>>>,
}

impl PreparedStatement {
    /// Returns the statement with the values that are bound now.
    ///
    /// # Errors
    ///
    /// The statement takes parameters, and none are bound.
    fn ready(&self) -> Result<Bound> {
        let bound = self.bound.lock();
        let rows = match &bound.rows {
            Some(rows) => Arc::clone(rows),
            None => once(&self.original)?,
        };
        Ok(Bound::new(&self.session, Arc::clone(&bound.prepared), rows))
    }
}

/// Returns the rows of one execution without values.
///
/// # Errors
///
/// The statement takes parameters.
fn once(prepared: &Prepared) -> Result<Arc<Vec<Values>>> {
    if prepared.parameters.is_empty() {
        return Ok(Arc::new(vec![Vec::new()]));
    }
    Err(Error::invalid(format!(
        "the statement needs {} parameters, and none were bound",
        prepared.parameters.len()
    )))
}

const WHAT: &str = "prepared statements";

impl Door {
    /// Prepares a statement.
    ///
    /// # Errors
    ///
    /// Planning refuses the statement, or too many statements are open.
    pub(crate) async fn prepare(
        &self,
        caller: &Caller,
        request: &ActionCreatePreparedStatementRequest,
    ) -> Result<ActionCreatePreparedStatementResult> {
        check_transaction(request.transaction_id.as_ref())?;
        let session = &caller.session.session;
        let prepared = session.prepare_one(&request.query).await?;
        self.keep_prepared(caller, prepared)
    }

    /// Prepares a Substrait plan.
    ///
    /// # Errors
    ///
    /// Planning refuses the plan, or too many statements are open.
    pub(crate) async fn prepare_plan(
        &self,
        caller: &Caller,
        request: &ActionCreatePreparedSubstraitPlanRequest,
    ) -> Result<ActionCreatePreparedStatementResult> {
        check_transaction(request.transaction_id.as_ref())?;
        let plan = plan_bytes(request.plan.as_ref())?;
        let session = &caller.session.session;
        let prepared = session.prepare_substrait(plan).await?;
        self.keep_prepared(caller, prepared)
    }

    fn keep_prepared(
        &self,
        caller: &Caller,
        prepared: Prepared,
    ) -> Result<ActionCreatePreparedStatementResult> {
        let session = &caller.session;
        let dataset_schema = match announced(&prepared, session.options.delivery()) {
            Some(schema) => schema_bytes(&schema)?,
            None => Bytes::new(),
        };
        let parameter_schema = if prepared.parameters.is_empty() {
            Bytes::new()
        } else {
            schema_bytes(&parameters::schema_of(&prepared.parameters))?
        };
        let weight = weight(&prepared);
        let prepared = Arc::new(prepared);
        let statement = Arc::new(PreparedStatement {
            session: Arc::clone(session),
            original: Arc::clone(&prepared),
            bound: Mutex::new(Binding {
                prepared,
                rows: None,
            }),
        });
        let found = self.statements.insert(
            statement,
            New {
                owner: &session.principal,
                session: session.id,
                weight,
                lifetime: self.options.config.token_lifetime,
                max_age: None,
                overflow: Overflow::Refuse,
            },
            WHAT,
        )?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: Bytes::copy_from_slice(found.handle.bytes()),
            dataset_schema,
            parameter_schema,
        })
    }

    /// Closes a prepared statement. Does nothing if it is not open.
    pub(crate) fn close_prepared(
        &self,
        caller: &Caller,
        request: &ActionClosePreparedStatementRequest,
    ) {
        if let Some(handle) = Handle::read(&request.prepared_statement_handle) {
            self.statements.remove(handle, &caller.session.principal);
        }
    }

    fn prepared(&self, caller: &Caller, handle: &[u8]) -> Result<Found<PreparedStatement>> {
        Handle::read(handle)
            .and_then(|handle| self.statements.get(handle, &caller.session.principal, true))
            .ok_or_else(|| unknown_handle("prepared statement"))
    }

    /// Returns a prepared statement with the parameters that were bound last.
    ///
    /// # Errors
    ///
    /// The handle is unknown, or the statement takes parameters and none are bound.
    pub(crate) fn bound(&self, caller: &Caller, handle: &[u8]) -> Result<Bound> {
        self.prepared(caller, handle)?.value.ready()
    }

    /// Returns the latest plan of a prepared statement.
    ///
    /// # Errors
    ///
    /// The handle is unknown.
    pub(crate) fn planned(&self, caller: &Caller, handle: &[u8]) -> Result<Arc<Prepared>> {
        let found = self.prepared(caller, handle)?;
        let bound = found.value.bound.lock();
        Ok(Arc::clone(&bound.prepared))
    }

    /// Makes a ticket for a prepared statement with its current parameters.
    ///
    /// # Errors
    ///
    /// The handle is unknown, parameters are not bound, or the statement exceeds the bytes that a
    /// user's tickets may hold.
    pub(crate) fn prepared_info(
        &self,
        caller: &Caller,
        handle: &[u8],
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let bound = self.bound(caller, handle)?;
        let session = Arc::clone(&bound.session);
        self.ticket_info(&session, bound, descriptor)
    }

    /// Binds the rows that a client sends, replacing those bound before.
    ///
    /// # Errors
    ///
    /// The handle is unknown, the values do not match the parameters, or they exceed the bounds.
    pub(crate) async fn bind(
        &self,
        caller: &Caller,
        handle: &[u8],
        incoming: Incoming,
    ) -> Result<(), Status> {
        let found = self.prepared(caller, handle).map_err(to_status)?;
        let received = parameters::receive(incoming).await?;
        let weight = weight(&found.value.original) + received.bytes;
        let binding = self
            .binding(&found.value, received)
            .await
            .map_err(to_status)?;
        self.statements
            .reweigh(found.handle, weight, WHAT)
            .map_err(to_status)?;
        *found.value.bound.lock() = binding;
        Ok(())
    }

    /// Returns the statement for an update, with the rows that the client sends, or else those
    /// bound before.
    ///
    /// # Errors
    ///
    /// The handle is unknown, the values do not match the parameters, or values are missing.
    pub(crate) async fn bind_for_update(
        &self,
        caller: &Caller,
        handle: &[u8],
        incoming: Incoming,
    ) -> Result<Bound, Status> {
        let found = self.prepared(caller, handle).map_err(to_status)?;
        let received = parameters::receive(incoming).await?;
        let sent = received
            .schema
            .as_ref()
            .is_some_and(|schema| !schema.fields().is_empty());
        if !sent {
            return found.value.ready().map_err(to_status);
        }
        let binding = self
            .binding(&found.value, received)
            .await
            .map_err(to_status)?;
        Ok(Bound::new(
            &found.value.session,
            binding.prepared,
            binding.rows.unwrap_or_default(),
        ))
    }

    /// Plans the statement for the types of the received values, and converts the values to its
    /// parameters' types.
    async fn binding(&self, statement: &PreparedStatement, received: Received) -> Result<Binding> {
        let sent: Vec<DataType> = received
            .schema
            .iter()
            .flat_map(|schema| schema.fields())
            .map(|field| field.data_type().clone())
            .collect();
        let original = &statement.original;
        if sent.len() != original.parameters.len() {
            return Err(Error::invalid(format!(
                "the statement takes {} parameters, {} were sent",
                original.parameters.len(),
                sent.len()
            )));
        }
        if sent.is_empty() {
            return Ok(Binding {
                prepared: Arc::clone(original),
                rows: Some(once(original)?),
            });
        }
        let session = &statement.session.session;
        let prepared = session.prepare_for(original, &sent).await?;
        let rows = parameters::values(&received.batches, &prepared.parameters)?;
        Ok(Binding {
            prepared,
            rows: Some(Arc::new(rows)),
        })
    }
}
