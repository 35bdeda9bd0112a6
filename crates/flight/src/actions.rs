//! DoAction: prepared statements, cancellation, renewal, and the options of a session.

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedSubstraitPlanRequest, Any, Command,
    ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus,
    FlightEndpoint, FlightInfo, RenewFlightEndpointRequest,
};
use bytes::Bytes;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::tokens::TokenKind;
use lakegate_gateway::substrait_versions;
use lakegate_proto::arrow::flight::protocol::close_session_result::Status as Closing;
use lakegate_proto::arrow::flight::protocol::{
    CloseSessionRequest, CloseSessionResult, GetSessionOptionsRequest, SetSessionOptionsRequest,
};
use prost::Message;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use super::auth::Caller;
use super::info::{self, Part};
use super::statements::{no_transactions, unknown_handle};
use super::status::{not_prepared, to_status};
use super::{Door, session_options};

const ACTIONS: [(&str, &str); 9] = [
    (
        "CreatePreparedStatement",
        "Prepares a statement. Takes ActionCreatePreparedStatementRequest, returns ActionCreatePreparedStatementResult.",
    ),
    (
        "CreatePreparedSubstraitPlan",
        "Prepares a Substrait plan. Takes ActionCreatePreparedSubstraitPlanRequest, returns ActionCreatePreparedStatementResult.",
    ),
    (
        "ClosePreparedStatement",
        "Closes a prepared statement. Takes ActionClosePreparedStatementRequest, returns nothing.",
    ),
    (
        "CancelQuery",
        "Cancels a query by its FlightInfo. Takes ActionCancelQueryRequest, returns ActionCancelQueryResult.",
    ),
    (
        "CancelFlightInfo",
        "Cancels a query by its FlightInfo. Takes CancelFlightInfoRequest, returns CancelFlightInfoResult.",
    ),
    (
        "RenewFlightEndpoint",
        "Extends the lifetime of an endpoint. Takes RenewFlightEndpointRequest, returns FlightEndpoint.",
    ),
    (
        "SetSessionOptions",
        "Sets options of the session. Takes SetSessionOptionsRequest, returns SetSessionOptionsResult.",
    ),
    (
        "GetSessionOptions",
        "The options of the session. Takes GetSessionOptionsRequest, returns GetSessionOptionsResult.",
    ),
    (
        "CloseSession",
        "Ends the session. Takes CloseSessionRequest, returns CloseSessionResult.",
    ),
];

/// Lists the actions that this server supports.
pub(super) fn list() -> Vec<ActionType> {
    let substrait = substrait_versions().is_some();
    ACTIONS
        .iter()
        .filter(|(name, _)| substrait || *name != "CreatePreparedSubstraitPlan")
        .map(|(name, description)| ActionType {
            r#type: (*name).to_owned(),
            description: (*description).to_owned(),
        })
        .collect()
}

/// The answer to an action.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub bodies: Vec<Bytes>,
    pub set_cookie: Option<MetadataValue<Ascii>>,
}

impl Answer {
    fn of(message: &impl Message) -> Self {
        Self {
            bodies: vec![message.encode_to_vec().into()],
            set_cookie: None,
        }
    }

    /// Wraps a message of Flight SQL in an `Any`, as the protocol requires.
    fn packed(message: &impl ProstMessageExt) -> Self {
        Self::of(&message.as_any())
    }
}

fn unreadable(action: &str, why: &str) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("the body of action {action} cannot be read: {why}"),
    )
}

fn message<M: Message + Default>(action: &Action) -> Result<M> {
    M::decode(action.body.clone()).map_err(|e| unreadable(&action.r#type, &e.to_string()))
}

fn packed<M: ProstMessageExt>(action: &Action) -> Result<M> {
    let any: Any = message(action)?;
    any.unpack()
        .map_err(|e| unreadable(&action.r#type, &e.to_string()))?
        .ok_or_else(|| unreadable(&action.r#type, &format!("its type is '{}'", any.type_url)))
}

/// The request of an action, decoded from its body.
#[derive(Debug)]
pub(super) enum Asked {
    Prepare(ActionCreatePreparedStatementRequest),
    PreparePlan(ActionCreatePreparedSubstraitPlanRequest),
    ClosePrepared(ActionClosePreparedStatementRequest),
    CancelQuery(FlightInfo),
    CancelFlightInfo(FlightInfo),
    Renew(FlightEndpoint),
    SetOptions(SetSessionOptionsRequest),
    GetOptions,
    CloseSession,
}

impl Asked {
    /// Decodes an action.
    ///
    /// # Errors
    ///
    /// There is no such action, or its body is not the message that the action takes.
    pub(crate) fn read(action: &Action) -> Result<Self> {
        let lacks = |what: &str| unreadable(&action.r#type, &format!("it has no {what}"));
        Ok(match action.r#type.as_str() {
            "CreatePreparedStatement" => Self::Prepare(packed(action)?),
            "CreatePreparedSubstraitPlan" => Self::PreparePlan(packed(action)?),
            "ClosePreparedStatement" => Self::ClosePrepared(packed(action)?),
            "CancelQuery" => {
                let asked: ActionCancelQueryRequest = packed(action)?;
                let info = FlightInfo::decode(asked.info)
                    .map_err(|e| unreadable(&action.r#type, &e.to_string()))?;
                Self::CancelQuery(info)
            }
            "CancelFlightInfo" => {
                let asked: CancelFlightInfoRequest = message(action)?;
                Self::CancelFlightInfo(asked.info.ok_or_else(|| lacks("FlightInfo"))?)
            }
            "RenewFlightEndpoint" => {
                let asked: RenewFlightEndpointRequest = message(action)?;
                Self::Renew(asked.endpoint.ok_or_else(|| lacks("endpoint"))?)
            }
            "SetSessionOptions" => Self::SetOptions(message(action)?),
            "GetSessionOptions" => {
                let _: GetSessionOptionsRequest = message(action)?;
                Self::GetOptions
            }
            "CloseSession" => {
                let _: CloseSessionRequest = message(action)?;
                Self::CloseSession
            }
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                return Err(no_transactions());
            }
            other => {
                return Err(Error::not_supported(format!(
                    "there is no action '{other}'; ListActions lists those that there are"
                )));
            }
        })
    }
}

impl Door {
    /// Performs an action.
    ///
    /// # Errors
    ///
    /// There is no such action, or it fails.
    pub(crate) async fn act(
        &self,
        caller: &Caller,
        request: &Request<Action>,
    ) -> Result<Answer, Status> {
        match Asked::read(request.get_ref()).map_err(to_status)? {
            Asked::Prepare(asked) => {
                let prepared = self.prepare(caller, &asked).await;
                let prepared = prepared.map_err(|error| not_prepared(&error))?;
                Ok(Answer::packed(&prepared))
            }
            Asked::PreparePlan(asked) => Ok(Answer::packed(
                &self.prepare_plan(caller, &asked).await.map_err(to_status)?,
            )),
            Asked::ClosePrepared(asked) => {
                self.close_prepared(caller, &asked);
                Ok(Answer::default())
            }
            Asked::CancelQuery(info) => {
                let result = ActionCancelQueryResult {
                    result: self.cancel(caller, &info).map_err(to_status)?.into(),
                };
                Ok(Answer::packed(&result))
            }
            Asked::CancelFlightInfo(info) => {
                let status = self.cancel(caller, &info).map_err(to_status)?;
                Ok(Answer::of(&CancelFlightInfoResult::new(status)))
            }
            Asked::Renew(endpoint) => Ok(Answer::of(
                &self.renew(caller, endpoint).map_err(to_status)?,
            )),
            Asked::SetOptions(asked) => self.set_options(caller, request, &asked).await,
            Asked::GetOptions if caller.by.is_some() => {
                Ok(Answer::of(&session_options::get(&caller.session)))
            }
            Asked::CloseSession if caller.by.is_some() => {
                self.end_session(&caller.session);
                Ok(Answer::of(&CloseSessionResult {
                    status: Closing::Closed.into(),
                }))
            }
            Asked::GetOptions | Asked::CloseSession => Err(to_status(no_session())),
        }
    }

    /// Sets options of the caller's session. A call without a session opens one and returns its
    /// cookie, by which later calls find it.
    async fn set_options(
        &self,
        caller: &Caller,
        request: &Request<Action>,
        asked: &SetSessionOptionsRequest,
    ) -> Result<Answer, Status> {
        match caller.by {
            Some(TokenKind::Bearer | TokenKind::Cookie) => {
                let result = session_options::set(&caller.session, asked).await;
                Ok(Answer::of(&result))
            }
            None => {
                let (session, cookie) = self.open_with_cookie(caller, request).await?;
                let result = session_options::set(&session, asked).await;
                Ok(Answer {
                    set_cookie: Some(cookie),
                    ..Answer::of(&result)
                })
            }
        }
    }

    /// Cancels the queries that a FlightInfo names.
    ///
    /// # Errors
    ///
    /// The FlightInfo names no query of this principal.
    fn cancel(&self, caller: &Caller, info: &FlightInfo) -> Result<CancelStatus> {
        let tickets = info.endpoint.iter().filter_map(|endpoint| {
            let ticket = endpoint.ticket.as_ref()?;
            Some(&ticket.ticket)
        });
        let descriptor = info.flight_descriptor.iter().map(|known| &known.cmd);
        let mut known = false;
        let mut cancelled = false;
        for part in tickets.chain(descriptor).filter_map(part_of) {
            let owner = &caller.session.principal;
            if let Some(found) = self.tickets.get(part.handle, owner, false) {
                known = true;
                cancelled |= found.value.cancel();
            }
            if let Some(stopped) = self.polled.cancel(part.handle, &caller.session.session) {
                known = true;
                cancelled |= stopped;
            }
        }
        match (known, cancelled) {
            (true, true) => Ok(CancelStatus::Cancelled),
            // The query has ended, or was cancelled before.
            (true, false) => Ok(CancelStatus::NotCancellable),
            (false, _) => Err(unknown_handle("query")),
        }
    }

    /// Extends the lifetime of a ticket.
    ///
    /// # Errors
    ///
    /// The ticket is unknown, or of a kind that does not expire.
    fn renew(&self, caller: &Caller, endpoint: FlightEndpoint) -> Result<FlightEndpoint> {
        let ticket = endpoint.ticket.as_ref().map(|ticket| &ticket.ticket);
        let part = ticket.and_then(part_of);
        let part = part.ok_or_else(|| unknown_handle("ticket"))?;
        let owner = &caller.session.principal;
        let expires = self
            .tickets
            .get(part.handle, owner, true)
            .map(|found| found.expires)
            .or_else(|| self.polled.renew(part.handle, &caller.session.session))
            .ok_or_else(|| unknown_handle("ticket"))?;
        Ok(FlightEndpoint {
            expiration_time: Some(info::timestamp(expires)),
            ..endpoint
        })
    }
}

/// Returns the part of a result that a ticket or a descriptor names, if it names one.
pub(super) fn part_of(bytes: &Bytes) -> Option<Part> {
    match info::command(bytes).ok()? {
        Command::TicketStatementQuery(ticket) => Part::read(&ticket.statement_handle),
        _ => None,
    }
}

fn no_session() -> Error {
    Error::new(Code::SessionRequired, "this call belongs to no session").with_hint(
        "log in by Handshake and send its bearer token, or keep cookies and begin with SetSessionOptions",
    )
}
