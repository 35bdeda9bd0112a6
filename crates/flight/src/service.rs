//! The gRPC service: dispatches each call that passed the gate to its module and sends the answer.
//! A panic in a call becomes an error of that call alone.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::Command;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt;
use lakegate_error::{Code, Error, Result};
use tonic::{Request, Response, Status, Streaming};

use super::auth::Caller;
use super::gate::caller_of;
use super::info::{self, Part, schema_bytes};
use super::panics::{Answers, guarded, guarded_stream};
use super::statements::{announced, unknown_handle};
use super::status::{status, to_status};
use super::stream::Outgoing;
use super::{Door, actions, metadata};

#[derive(Clone)]
pub(super) struct Service(pub Arc<Door>);

fn answers<T: Send + 'static>(items: Vec<T>) -> Answers<T> {
    futures::stream::iter(items.into_iter().map(Ok)).boxed()
}

#[tonic::async_trait]
impl FlightService for Service {
    // The methods name these types and not `Self::…Stream`: to resolve such a projection among the lifetimes
    // of an async method, the compiler proves that all of `Door` is Send and Sync, at ten seconds a method.
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    /// Ignores everything that the client sends except its headers.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Answers<HandshakeResponse>>, Status> {
        guarded("Handshake", async move {
            let bearer = self.0.handshake(&request).await?;
            let response = HandshakeResponse {
                protocol_version: 0,
                payload: bearer.clone().into(),
            };
            let mut response = Response::new(answers(vec![response]));
            let header = bearer
                .parse()
                .map_err(|_| status(&Error::internal("a token cannot be written")))?;
            response.metadata_mut().insert("authorization", header);
            Ok(response)
        })
        .await
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Answers<FlightInfo>>, Status> {
        guarded("ListFlights", async move {
            let caller = caller_of(&request)?;
            if !request.get_ref().expression.is_empty() {
                return Err(to_status(Error::not_supported(
                    "ListFlights knows no criteria",
                )));
            }
            let mut flights = self.0.fresh_tickets(&caller).map_err(to_status)?;
            flights.extend(self.0.polled_infos(&caller).map_err(to_status)?);
            Ok(Response::new(answers(flights)))
        })
        .await
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        guarded("GetFlightInfo", async move {
            let caller = caller_of(&request)?;
            let descriptor = request.into_inner();
            let command = info::described(&descriptor).map_err(to_status)?;
            let info = self
                .0
                .info(&caller, descriptor, command)
                .await
                .map_err(to_status)?;
            Ok(Response::new(info))
        })
        .await
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        guarded("PollFlightInfo", async move {
            let caller = caller_of(&request)?;
            let descriptor = request.into_inner();
            let command = info::described(&descriptor).map_err(to_status)?;
            let info = self
                .0
                .poll(&caller, descriptor, command)
                .await
                .map_err(to_status)?;
            Ok(Response::new(info))
        })
        .await
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        guarded("GetSchema", async move {
            let caller = caller_of(&request)?;
            let command = info::described(request.get_ref()).map_err(to_status)?;
            let schema = self.0.schema(&caller, command).await.map_err(to_status)?;
            Ok(Response::new(SchemaResult { schema }))
        })
        .await
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Answers<FlightData>>, Status> {
        guarded("DoGet", async move {
            let caller = caller_of(&request)?;
            let command = info::command(&request.get_ref().ticket).map_err(to_status)?;
            let rows = self.0.rows(&caller, command).await.map_err(to_status)?;
            Ok(Response::new(guarded_stream(rows)))
        })
        .await
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Answers<PutResult>>, Status> {
        guarded("DoPut", async move {
            let caller = caller_of(&request)?;
            let incoming = request.into_inner().peekable();
            let result = self.0.put(&caller, incoming).await?;
            Ok(Response::new(answers(vec![result])))
        })
        .await
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Answers<arrow_flight::Result>>, Status> {
        guarded("DoAction", async move {
            let caller = caller_of(&request)?;
            let answer = self.0.act(&caller, &request).await?;
            let bodies = answer.bodies.into_iter();
            let results = bodies.map(|body| arrow_flight::Result { body }).collect();
            let mut response = Response::new(answers(results));
            if let Some(cookie) = answer.set_cookie {
                response.metadata_mut().insert("set-cookie", cookie);
            }
            Ok(response)
        })
        .await
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Answers<ActionType>>, Status> {
        guarded("ListActions", async move {
            caller_of(&request)?;
            Ok(Response::new(answers(actions::list())))
        })
        .await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Answers<FlightData>>, Status> {
        guarded("DoExchange", async move {
            caller_of(&request)?;
            Err(to_status(Error::not_supported(
                "Flight SQL has no DoExchange",
            )))
        })
        .await
    }
}

fn no_query(command: &Command) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("{} is not asked for in this way", command.type_url()),
    )
}

/// Returns the schema of a statement without columns.
fn nothing() -> SchemaRef {
    Arc::new(Schema::empty())
}

impl Door {
    /// Answers GetFlightInfo.
    ///
    /// # Errors
    ///
    /// Planning refuses the statement, or the command has no rows to fetch.
    pub(crate) async fn info(
        &self,
        caller: &Caller,
        descriptor: FlightDescriptor,
        command: Command,
    ) -> Result<FlightInfo> {
        match command {
            Command::CommandStatementQuery(query) => {
                self.statement_info(caller, &query, descriptor).await
            }
            Command::CommandPreparedStatementQuery(query) => {
                self.prepared_info(caller, &query.prepared_statement_handle, descriptor)
            }
            Command::TicketStatementQuery(ticket) => {
                let found = Part::read(&ticket.statement_handle)
                    .and_then(|part| self.polled_of(caller, part))
                    .ok_or_else(|| unknown_handle("polled query"))?;
                self.polled_info(&found)
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                let bound = self.bind_plan(&caller.session, &plan).await?;
                self.ticket_info(&caller.session, bound, descriptor)
            }
            other => {
                let refused = no_query(&other);
                self.catalog_info(other, descriptor)?.ok_or(refused)
            }
        }
    }

    /// Answers GetSchema with an encapsulated IPC message.
    async fn schema(&self, caller: &Caller, command: Command) -> Result<bytes::Bytes> {
        let delivery = caller.session.options.delivery();
        let schema = match &command {
            Command::CommandStatementQuery(query) => {
                let session = &caller.session.session;
                let prepared = session.prepare_one(&query.query).await?;
                announced(&prepared, delivery).unwrap_or_else(nothing)
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = &query.prepared_statement_handle;
                let planned = self.planned(caller, handle)?;
                announced(&planned, delivery).unwrap_or_else(nothing)
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                let bound = self.bind_plan(&caller.session, plan).await?;
                announced(bound.prepared(), delivery).unwrap_or_else(nothing)
            }
            other => metadata::schema(other).ok_or_else(|| no_query(other))?,
        };
        schema_bytes(&schema)
    }

    /// Answers DoGet.
    ///
    /// # Errors
    ///
    /// The ticket is unknown or used up, or the statement fails before its first row.
    async fn rows(&self, caller: &Caller, command: Command) -> Result<Outgoing> {
        match command {
            Command::TicketStatementQuery(ticket) => {
                let part = Part::read(&ticket.statement_handle);
                let part = part.ok_or_else(|| unknown_handle("ticket"))?;
                let owner = &caller.session.principal;
                if let Some(found) = self.tickets.get(part.handle, owner, false) {
                    return self.redeem(&found.value).await;
                }
                let found = self.polled_of(caller, part);
                let found = found.ok_or_else(|| unknown_handle("ticket"))?;
                self.read_polled(&found.value, part.index)
            }
            // The handle is not a ticket: each DoGet runs the statement again.
            Command::CommandPreparedStatementQuery(query) => {
                let bound = self.bound(caller, &query.prepared_statement_handle)?;
                self.run_bound(&bound).await
            }
            other => {
                let refused = no_query(&other);
                self.catalog_rows(caller, other).await?.ok_or(refused)
            }
        }
    }
}
