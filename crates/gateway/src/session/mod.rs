//! The session of one connection: settings, transaction block, prepared statements and cursors.

mod activity;
pub(crate) mod catalog_source;
mod catalog_statement;
pub(crate) mod changes;
pub(crate) mod connections;
pub(crate) mod control;
mod cursors;
mod describe_prepared;
mod dispatch;
pub(crate) mod grants;
pub(crate) mod metadata;
mod named;
mod one;
pub(crate) mod options;
mod parse;
mod prepare;
pub(crate) mod prepared;
pub(crate) mod results;
mod session_statement;
mod state;
mod temporary;
pub(crate) mod transaction;
pub(crate) mod warnings;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};
use lakegate_catalog::model::names::RESERVED_DATABASES;
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::Settings;
use lakegate_engine::{CATALOG, SessionMemory};
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::auth::Principal;
use crate::moment::Moment;
use crate::query::life::Query;
use crate::query::watch::QueryWatch;
use crate::session::changes::Changes;
use crate::session::cursors::Cursors;
use crate::session::state::State;
use crate::session::transaction::TransactionStatus;
use crate::{Encryption, Gateway, Login, Protocol};

/// The database that PostgreSQL's programs connect to when they need any: `psql -l`, and tools before
/// they list the databases. It stands for the catalog, which may have a database of this name.
const MAINTENANCE_DATABASE: &str = "postgres";

/// A session of a user: its settings, transaction block, prepared statements and cursors. Its methods
/// are in the files of their subjects, here and in `query`.
pub struct Session {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) me: Weak<Session>,
    pid: i32,
    secret: Vec<u8>,
    pub(crate) user: String,
    principal: Principal,
    pub(crate) protocol: Protocol,
    pub(crate) stateful: bool,
    client_addr: SocketAddr,
    encryption: Option<Encryption>,
    opened_at: DateTime<Utc>,
    terminated: CancellationToken,
    /// The memory of its temporary tables.
    memory: Arc<SessionMemory>,
    pub(crate) state: Mutex<State>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("pid", &self.pid)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.gateway.forget(self.pid);
    }
}

impl Session {
    /// Opens a session with the settings of a login.
    ///
    /// # Errors
    /// The session of the principal is over.
    pub(crate) fn open(
        gateway: Arc<Gateway>,
        login: &Login<'_>,
        pid: i32,
        secret: Vec<u8>,
    ) -> Result<Arc<Self>> {
        let mut settings = Settings::default();
        let user = login.principal.user.as_str();
        let moment = gateway.moment(login.principal)?;
        settings.start_with("session_authorization", user);
        settings.start_with("dialect", login.protocol.dialect().name());
        let most = gateway.max_connections().to_string();
        settings.start_with("max_connections", most);
        if login.encryption.is_some() {
            settings.start_with("ssl", "on");
        }
        if let Some(name) = login.application_name {
            settings.start_with("application_name", name);
        }
        if let Some(workgroup) = moment.default_workgroup() {
            settings.start_with("workgroup", workgroup);
        }
        if moment.access().is_administrator() {
            settings.start_with("is_superuser", "on");
        }
        let memory = gateway.temporary.open();
        Ok(Arc::new_cyclic(|me| Self {
            gateway,
            me: me.clone(),
            pid,
            secret,
            user: user.to_owned(),
            principal: login.principal.clone(),
            protocol: login.protocol,
            stateful: login.stateful,
            client_addr: login.client_addr,
            encryption: login.encryption.clone(),
            opened_at: Utc::now(),
            terminated: CancellationToken::new(),
            memory,
            state: Mutex::new(State {
                settings,
                ..State::default()
            }),
        }))
    }

    /// Returns the memory that the session's temporary tables take.
    pub(crate) fn memory(&self) -> &Arc<SessionMemory> {
        &self.memory
    }

    /// Returns the principal that the session was opened for.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the server state for a statement that begins now.
    ///
    /// # Errors
    /// The session is over.
    pub(crate) fn moment(&self) -> Result<Moment> {
        self.check_open()?;
        let mut moment = self
            .gateway
            .moment_in(&self.principal, self.changes().as_deref())?;
        let state = self.state.lock();
        moment.view.temporary = Arc::clone(state.transaction.temporary());
        moment.block_began = state.transaction.began();
        Ok(moment)
    }

    /// Returns the server state as of now, also for the changes of a transaction block.
    ///
    /// # Errors
    /// The session is over; a change of the block does not apply any more.
    pub(crate) async fn current_moment(&self) -> Result<Moment> {
        if let Some(changes) = self.changes() {
            changes.refresh().await?;
        }
        self.moment()
    }

    /// Returns the changes of the open transaction block, if it has any. A failed block shows none.
    pub(crate) fn changes(&self) -> Option<Arc<Changes>> {
        let state = self.state.lock();
        match state.transaction.status() {
            TransactionStatus::InTransaction => state.transaction.changes().cloned(),
            TransactionStatus::Idle | TransactionStatus::Failed => None,
        }
    }

    /// Returns the current settings. The clone shares the values.
    pub fn settings(&self) -> Settings {
        self.state.lock().settings.clone()
    }

    /// Returns the dialect of the session's next statement.
    pub(crate) fn dialect(&self) -> Dialect {
        self.state.lock().settings.dialect()
    }

    /// Returns the databases in which unqualified names are looked up. `$user` is the database with
    /// the user's name.
    pub(crate) fn named_path(&self) -> Vec<String> {
        let path = self.settings().search_path();
        path.into_iter()
            .map(|name| match name.as_str() {
                "$user" => self.user.clone(),
                _ => name,
            })
            .collect()
    }

    /// Sets the search path to the database of a login, unless that is the catalog itself, or stands
    /// for it.
    ///
    /// # Errors
    /// The database does not exist or is not visible to the user.
    pub(crate) async fn use_database_of_login(&self, database: Option<&str>) -> Result<()> {
        let Some(name) = database
            .map(str::to_lowercase)
            .filter(|name| !name.is_empty() && name != CATALOG)
        else {
            return Ok(());
        };
        let is_visible = is_built_in(&name) || self.moment()?.view.database(&name).await?.is_some();
        let is_of_programs = self.protocol == Protocol::Postgres && name == MAINTENANCE_DATABASE;
        if !is_visible && is_of_programs {
            return Ok(());
        }
        if !is_visible {
            return Err(Error::new(
                Code::CatalogNotFound,
                format!("database \"{name}\" does not exist"),
            )
            .with_hint(format!(
                "connect to \"{CATALOG}\", or to a database of it that you may see"
            )));
        }
        self.state.lock().settings.start_with("search_path", name);
        Ok(())
    }

    /// Returns the process id that clients see.
    pub fn backend_pid(&self) -> i32 {
        self.pid
    }

    /// Returns the secret that, with the process id, authorizes cancelling this session's query.
    pub fn cancel_secret(&self) -> &[u8] {
        &self.secret
    }

    pub(crate) fn has_secret(&self, secret: &[u8]) -> bool {
        !self.secret.is_empty()
            && self.secret.len() == secret.len()
            && self
                .secret
                .iter()
                .zip(secret)
                .fold(0, |differs, (a, b)| differs | (a ^ b))
                == 0
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn client_addr(&self) -> SocketAddr {
        self.client_addr
    }

    pub(crate) fn opened_at(&self) -> DateTime<Utc> {
        self.opened_at
    }

    pub fn transaction_status(&self) -> TransactionStatus {
        self.state.lock().transaction.status()
    }

    /// Marks an open transaction block as failed: it accepts nothing but its end.
    pub fn fail_transaction(&self) {
        self.state.lock().transaction.fail();
    }

    /// Notes that the endpoint answers a message of the client. Until [`Session::has_answered`],
    /// [`Session::cancel`] also stops what begins after it, so that a request that comes between two
    /// steps of a statement is not lost.
    pub fn answers(&self) {
        let mut state = self.state.lock();
        state.is_answering = true;
        state.cancelled = None;
    }

    /// Notes that the endpoint waits for the client, so that there is nothing to cancel.
    pub fn has_answered(&self) {
        let mut state = self.state.lock();
        state.is_answering = false;
        state.cancelled = None;
    }

    /// Checks that the message that is being answered was not cancelled.
    ///
    /// # Errors
    /// It was.
    pub fn check_wanted(&self) -> Result<()> {
        match &self.state.lock().cancelled {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }

    /// Cancels the session's running query or planning.
    pub fn cancel(&self) {
        let reason = Error::new(
            Code::QueryCancelled,
            "canceling statement due to user request",
        );
        {
            let mut state = self.state.lock();
            if state.is_answering {
                state.cancelled = Some(reason.clone());
            }
        }
        self.stop_work(&reason);
    }

    /// Makes a query the one that [`Session::cancel`] stops: the client reads more of its rows, perhaps
    /// after other queries.
    pub fn resumes(&self, query: &QueryWatch) {
        self.activate(query.query());
    }

    /// Makes a query the active one. A message that was cancelled cancels it.
    pub(crate) fn activate(&self, query: &Arc<Query>) {
        let cancelled = {
            let mut state = self.state.lock();
            state.active = Some(Arc::clone(query));
            state.cancelled.clone()
        };
        if let Some(reason) = cancelled {
            query.cancel(reason);
        }
    }

    /// Ends the session: cancels its running query or planning, and refuses further statements.
    pub(crate) fn terminate(&self) {
        self.terminated.cancel();
        self.stop_work(&terminated());
    }

    fn stop_work(&self, reason: &Error) {
        let (active, planning) = {
            let state = self.state.lock();
            (state.active.clone(), state.planning.clone())
        };
        if let Some(planning) = planning {
            planning.stop(reason.clone());
        }
        if let Some(query) = active {
            query.cancel(reason.clone());
        }
    }

    /// Returns a token that is cancelled once the session is terminated.
    pub fn termination(&self) -> &CancellationToken {
        &self.terminated
    }

    /// Checks that the session was not terminated.
    ///
    /// # Errors
    /// It was.
    pub(crate) fn check_open(&self) -> Result<()> {
        match self.terminated.is_cancelled() {
            true => Err(terminated()),
            false => Ok(()),
        }
    }

    /// Returns whether the session is one that users see. A session that is over ends with its
    /// next message, and is shown to nobody.
    pub(crate) fn is_shown(&self) -> bool {
        !self.terminated.is_cancelled() && self.gateway.is_current(&self.principal)
    }

    /// Returns how the session's connection is encrypted.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// Releases the resources that the session still holds.
    pub fn close<'a>(&'a self) -> BoxFuture<'a, ()> {
        async move {
            self.forget_all();
        }
        .boxed()
    }

    /// Drops all named prepared statements and cursors, and all temporary tables and views.
    pub fn forget_all(&self) {
        let mut state = self.state.lock();
        state.transaction.forget_temporary();
        state.prepared.clear();
        state.shared.clear();
        state.kept_plans.clear();
        state.cursors = Cursors::default();
    }
}

pub(crate) fn on_or_off(is_on: bool) -> &'static str {
    match is_on {
        true => "on",
        false => "off",
    }
}

/// Returns the error of a session that was terminated by its user or by an administrator.
fn terminated() -> Error {
    Error::new(
        Code::SessionEnded,
        "terminating connection due to administrator command",
    )
}

pub(crate) fn is_built_in(database: &str) -> bool {
    RESERVED_DATABASES.contains(&database)
}
