//! One connection after start-up: the message loop, the simple protocol, and unsolicited
//! ParameterStatus messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Code, Error};
use lakegate_gateway::sql::ast;
use lakegate_gateway::{Execution, Prepared, Session, Settings, TransactionStatus};
use tracing::debug;

use super::backend::{self, Severity, tag};
use super::copy;
use super::encode::{Format, Style};
use super::extended::{NamedStatement, Portal};
use super::frontend::Message;
use super::link::{Ended, Frame, Link};
use super::rows::{Failed, Running, describe, style};
use super::startup::LoggedIn;
use super::{Door, PostgresOptions, startup};

/// Reported at start-up and on every change, as PostgreSQL does; drivers rely on them.
const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

pub(super) struct Connection {
    pub link: Link,
    pub session: Arc<Session>,
    pub statements: HashMap<String, Arc<NamedStatement>>,
    pub portals: HashMap<String, Portal>,
    pub options: PostgresOptions,
    /// The last reported value of each of [`REPORTED`].
    reported: Vec<Option<String>>,
    /// The settings at the last report.
    reported_of: Option<Settings>,
    /// How long the client may send nothing, outside of a transaction block and within one. Of the
    /// settings at the last report.
    idle_limits: [Option<Duration>; 2],
    /// What text output depends on, with the settings that it is of.
    style: Option<(Settings, Style)>,
    /// After an error in the extended protocol, messages are skipped up to the next Sync.
    skipping: bool,
    /// ReadyForQuery was the last message that was sent: the client may be idle.
    is_ready: bool,
}

/// Serves a connection until it ends.
pub(super) fn serve(door: &Door, opened: LoggedIn) -> BoxFuture<'static, ()> {
    serve_with(door.options.clone(), opened).boxed()
}

async fn serve_with(options: PostgresOptions, opened: LoggedIn) {
    let LoggedIn {
        link,
        session,
        slot,
    } = opened;
    let mut connection = Connection {
        link,
        session,
        statements: HashMap::new(),
        portals: HashMap::new(),
        options,
        reported: vec![None; REPORTED.len()],
        reported_of: None,
        idle_limits: [None; 2],
        style: None,
        skipping: false,
        is_ready: false,
    };
    connection.report();
    let (pid, secret) = (
        connection.session.backend_pid(),
        connection.session.cancel_secret().to_vec(),
    );
    backend::backend_key_data(&mut connection.link.out, pid, &secret);
    connection.ready();
    let ended = connection.messages().await;
    // Portals hold streams: dropping them cancels running queries.
    connection.portals.clear();
    connection.session.close().await;
    drop(slot);
    match ended {
        Ended::Gone => {
            debug!(peer = %connection.link.peer(), "connection closed by the client");
        }
        Ended::ShuttingDown => startup::refuse(connection.link, &super::shutting_down()).await,
        Ended::Lost(error) => startup::refuse(connection.link, &error).await,
        Ended::Idle(sqlstate, error) => {
            startup::refuse_as(connection.link, sqlstate, &error).await;
        }
    }
}

/// Returns whether the error ends the connection because its session is over.
fn is_over(error: &Error) -> bool {
    error.code() == Code::SessionEnded
}

impl Connection {
    async fn messages(&mut self) -> Ended {
        loop {
            let limit = match self.is_ready {
                true => self.idle_limit(),
                false => None,
            };
            self.recount();
            let frame = match self.link.frame_within(limit).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return self.idle(),
                Err(ended) => return ended,
            };
            self.session.answers();
            let answered = self.frame(frame).await;
            // A message that is there is answered next, which says the same.
            if !self.link.has_frame() {
                self.session.has_answered();
            }
            if let Err(ended) = answered {
                return ended;
            }
            if let Err(ended) = self.link.flush_if_large().await {
                return ended;
            }
        }
    }

    /// Returns how long the client may send nothing in the state that the session is in.
    fn idle_limit(&self) -> Option<Duration> {
        let [outside, within] = self.idle_limits;
        match self.session.transaction_status() {
            TransactionStatus::Idle => outside,
            TransactionStatus::InTransaction | TransactionStatus::Failed => within,
        }
    }

    /// Returns the end of a connection whose client was idle for too long.
    fn idle(&self) -> Ended {
        let (sqlstate, state) = match self.session.transaction_status() {
            TransactionStatus::Idle => ("57P05", "idle-session"),
            TransactionStatus::InTransaction | TransactionStatus::Failed => {
                ("25P03", "idle-in-transaction")
            }
        };
        let why = format!("terminating connection due to {state} timeout");
        Ended::Idle(sqlstate, Error::new(Code::SessionEnded, why))
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), Ended> {
        let Frame { tag, body, refused } = frame;
        self.is_ready = false;
        if tag == b'p' {
            let why = "a password message came after authentication";
            return Err(Ended::Lost(Error::new(Code::ProtocolViolation, why)));
        }
        if self.skipping && !matches!(tag, b'S' | b'X') {
            return Ok(());
        }
        let message = match refused {
            // Left over from a COPY that has ended.
            Some(_) if matches!(tag, b'd' | b'c' | b'f') => return Ok(()),
            Some(error) => Err(error),
            None => Message::parse(tag, body, self.link.encoding),
        };
        let message = match message {
            Ok(message) => message,
            Err(error) if matches!(tag, b'Q' | b'F' | b'S') => {
                self.skipping = false;
                return self.message_failed(&error).boxed().await;
            }
            Err(error) => {
                self.extended_failed(&error);
                return Ok(());
            }
        };
        let done = match message {
            Message::Query(text) => return self.query(text).boxed().await,
            Message::FunctionCall => {
                let error = Error::not_supported("function calls over the wire are not supported")
                    .with_hint("SELECT the function");
                return self.message_failed(&error).boxed().await;
            }
            Message::Sync => {
                self.skipping = false;
                // Most messages are no transaction, and need no future for its end.
                let ended = match self.session.is_in_message() {
                    true => self.end_message().boxed().await,
                    false => Ok(()),
                };
                match ended {
                    Ok(()) => {}
                    Err(Failed::Statement(error)) if is_over(&error) => {
                        return Err(Ended::Lost(error));
                    }
                    Err(Failed::Statement(error)) => self.statement_failed(&error),
                    Err(Failed::Connection(ended)) => return Err(ended),
                }
                // The output is written once no further message is buffered.
                self.message_ended();
                return Ok(());
            }
            Message::Terminate => return Err(Ended::Gone),
            Message::Flush => return self.link.flush().await,
            // Left over from a COPY that has ended.
            Message::Copy => return Ok(()),
            Message::Parse { name, query, types } => self.parse(name, &query, &types).boxed().await,
            Message::Bind(bind) => self.bind(bind),
            Message::Describe(target) => match self.describe(&target) {
                Some(done) => done,
                None => self.describe_cursor(target.name()).boxed().await,
            },
            Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).boxed().await,
            Message::Close(target) => {
                self.close(&target);
                Ok(())
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(Failed::Statement(error)) if is_over(&error) => Err(Ended::Lost(error)),
            Err(Failed::Statement(error)) => {
                self.extended_failed(&error);
                Ok(())
            }
            Err(Failed::Connection(ended)) => Err(ended),
        }
    }

    fn statement_failed(&mut self, error: &Error) {
        self.session.fail_transaction();
        self.tell_warnings();
        let start = self.link.out.len();
        backend::error(&mut self.link.out, Severity::Error, error);
        if let Err(error) = self.link.convert(start) {
            // Of ASCII only.
            backend::error(&mut self.link.out, Severity::Error, &error);
        }
    }

    fn extended_failed(&mut self, error: &Error) {
        self.statement_failed(error);
        self.skipping = true;
    }

    fn ready(&mut self) {
        self.is_ready = true;
        self.tell_warnings();
        backend::ready_for_query(&mut self.link.out, self.session.transaction_status());
    }

    /// Sends the warnings and notices since the last call. Those of a statement come before its outcome.
    pub(super) fn tell_warnings(&mut self) {
        for warning in self.session.take_warnings() {
            let start = self.link.out.len();
            backend::warning(&mut self.link.out, &warning);
            // One that the client's encoding has no characters for is left out.
            let _ = self.link.convert(start);
        }
    }

    /// Reports the parameters whose values have changed since the last report.
    fn report(&mut self) {
        let settings = self.session.settings();
        let known = self.reported_of.as_ref();
        if known.is_some_and(|known| known.is_same(&settings)) {
            return;
        }
        self.link.encoding = settings.client_encoding();
        let limits = [
            "idle_session_timeout",
            "idle_in_transaction_session_timeout",
        ];
        self.idle_limits = limits.map(|name| settings.time_limit(name));
        for (name, reported) in REPORTED.iter().zip(&mut self.reported) {
            let value = settings.get(name).ok();
            if value.is_some() && value != *reported {
                let start = self.link.out.len();
                backend::parameter_status(
                    &mut self.link.out,
                    name,
                    value.as_deref().unwrap_or_default(),
                );
                // One that the client's encoding has no characters for is left out.
                let _ = self.link.convert(start);
                *reported = value;
            }
        }
        self.reported_of = Some(settings);
    }

    /// Returns the session's current settings that text output depends on.
    pub(super) fn style(&mut self) -> Style {
        let settings = self.session.settings();
        if let Some((known, style)) = &self.style
            && known.is_same(&settings)
        {
            return *style;
        }
        let style = style(&settings);
        self.style = Some((settings, style));
        style
    }

    /// Runs a simple query: its statements in order, up to the first that fails.
    async fn query(&mut self, text: String) -> Result<(), Ended> {
        // A simple query discards the unnamed statement.
        self.close_statement("");
        self.portals.remove("");
        let mut done = self.simple(&text).boxed().await;
        if done.is_ok() {
            done = self.end_message().boxed().await;
        }
        match done {
            Ok(()) => {}
            Err(Failed::Statement(error)) if is_over(&error) => return Err(Ended::Lost(error)),
            Err(Failed::Statement(error)) => return self.message_failed(&error).boxed().await,
            Err(Failed::Connection(ended)) => return Err(ended),
        }
        self.message_ended();
        Ok(())
    }

    /// Reports the failure of a message that the server answers with ReadyForQuery, and takes back what
    /// the statements before it changed.
    async fn message_failed(&mut self, error: &Error) -> Result<(), Ended> {
        self.statement_failed(error);
        if let Err(Failed::Connection(ended)) = self.end_message().boxed().await {
            return Err(ended);
        }
        self.message_ended();
        Ok(())
    }

    /// Outside of a transaction block, the end of a message ends its transaction and its portals.
    fn message_ended(&mut self) {
        if self.session.transaction_status() == TransactionStatus::Idle {
            self.portals.clear();
        }
        self.report();
        self.ready();
    }

    async fn simple(&mut self, text: &str) -> Result<(), Failed> {
        let statements = self.session.parse(text).await?;
        if statements.is_empty() {
            backend::empty(&mut self.link.out, tag::EMPTY_QUERY);
            return Ok(());
        }
        let last = statements.len() - 1;
        for (place, parsed) in statements.into_iter().enumerate() {
            self.link.flush_if_large().await?;
            self.session.check_wanted()?;
            if last > 0 {
                self.begin_in_message(&parsed.statement).boxed().await?;
            }
            if self.deallocate(&parsed.statement) {
                continue;
            }
            if let Some(name) = self.portal_named(&parsed.statement) {
                self.run_on_portal(&parsed.statement, name, &[], true)
                    .await?;
                continue;
            }
            self.check_declared(Some(&parsed.statement))?;
            let session = Arc::clone(&self.session);
            let prepared = Prepared::undescribed(parsed);
            if let Some(copy) = copy::from_stdin(&prepared) {
                self.copy_in(&prepared, copy).boxed().await?;
                continue;
            }
            let execution = self
                .link
                .run(session.execute(&prepared, Vec::new()))
                .await??;
            match execution {
                Execution::Command { tag, rows } => {
                    // A commit that fails is the failure of the last statement.
                    if place == last {
                        self.end_message().boxed().await?;
                    }
                    self.completed(&tag, rows);
                }
                Execution::Rows(rows) => {
                    if let Some(copy) = copy::to_stdout(&prepared) {
                        self.copy_out(rows, copy).boxed().await?;
                        continue;
                    }
                    let statement = prepared.statement();
                    let binary =
                        statement.is_some_and(|statement| self.session.fetches_binary(statement));
                    let formats = match binary {
                        true => vec![Format::Binary; rows.schema.fields().len()],
                        false => Vec::new(),
                    };
                    let style = self.style();
                    describe(&mut self.link, &rows.schema, &rows.origins, &formats, style)?;
                    let mut running = Running::new(rows, &formats, style);
                    let sent = running
                        .send(&mut self.link, None, |out, batch, rows| {
                            batch.put_data_rows(out, rows)
                        })
                        .await?;
                    if place == last {
                        self.end_message().boxed().await?;
                    }
                    self.tell_warnings();
                    backend::command_complete(
                        &mut self.link.out,
                        running.tag,
                        backend::counts_rows(running.tag).then_some(sent),
                    );
                }
            }
        }
        Ok(())
    }

    /// Makes a statement part of the transaction that the statements of a message are, or those up
    /// to Sync.
    pub(super) async fn begin_in_message(
        &mut self,
        statement: &ast::Statement,
    ) -> Result<(), Failed> {
        let session = Arc::clone(&self.session);
        self.link.run(session.begin_in_message(statement)).await??;
        Ok(())
    }

    /// Ends the transaction that the statements of a message are, if they are one.
    async fn end_message(&mut self) -> Result<(), Failed> {
        if self.session.is_in_message() {
            let session = Arc::clone(&self.session);
            self.link.run(session.end_message()).await??;
        }
        Ok(())
    }

    pub(super) fn completed(&mut self, command: &str, rows: Option<u64>) {
        self.tell_warnings();
        backend::command_complete(&mut self.link.out, command, rows);
        // These also apply to statements that were prepared through the protocol, which the session
        // does not know.
        if matches!(command, "DISCARD ALL" | "DEALLOCATE ALL") {
            self.statements.clear();
            self.portals.clear();
        }
        if command == "CLOSE CURSOR ALL" {
            self.portals.clear();
        }
        // The next message may be in another encoding.
        if matches!(
            command,
            "SET" | "RESET" | "DISCARD ALL" | "COMMIT" | "ROLLBACK"
        ) {
            self.link.encoding = self.style().encoding;
        }
    }
}
