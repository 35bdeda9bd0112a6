//! One connection's session: its settings, its transaction block, what it prepared and declared, and the
//! dispatch of its statements.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_catalog::access::{Access, PRIMARY_WORKGROUP, WorkgroupState};
use lakegate_sql::ast::{self as sql, Statement};
use lakegate_sql::{Parsed, redact};
use parking_lot::Mutex;
use sqlparser::ast;
use uuid::Uuid;

use super::cursors::{Cursor, Cursors, forward};
use super::explain::{explain, explain_schema};
use super::prepared::{Prepared, declare_types, literal, parameter_types};
use super::query::{BatchStream, Query, Submission};
use super::run::{QueryContext, plan_statement};
use super::settings::{ResultReuse, Settings};
use super::transaction::{Transaction, TransactionStatus};
use super::{Execution, Gateway, Login, Protocol, Rows};
use crate::engine::{CATALOG, PlanSettings};
use crate::error::{Code, Error, Result, from_engine};
use crate::lake::meter::QueryStores;
use crate::lake::meter::{Cutoff, QueryMeter};
use crate::lake::scan::QueryLake;
use crate::statement::{self, Output, StatementContext};
use crate::telemetry::system::SystemSchema;
use crate::view::{View, ViewCatalogs};

/// Statements that one session may hold prepared by name in SQL.
const MAX_PREPARED: usize = 10_000;

pub struct Session {
    gateway: Arc<Gateway>,
    me: Weak<Session>,
    pid: i32,
    secret: Vec<u8>,
    user: String,
    protocol: Protocol,
    client_addr: SocketAddr,
    opened_at: DateTime<Utc>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    settings: Settings,
    transaction: Transaction,
    prepared: HashMap<String, Prepared>,
    cursors: Cursors,
    /// What runs, or ran last.
    active: Option<Arc<Query>>,
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

/// What planning needs, and running on.
struct Planning {
    state: Arc<SessionState>,
    lake: Arc<QueryLake>,
    settings: PlanSettings,
    meter: Arc<QueryMeter>,
    workgroup: String,
}

impl Session {
    pub(super) fn open(
        gateway: Arc<Gateway>,
        login: &Login<'_>,
        pid: i32,
        secret: Vec<u8>,
    ) -> Arc<Self> {
        let mut settings = Settings::default();
        settings.start_with("session_authorization", login.user);
        if let Some(name) = login.application_name {
            settings.start_with("application_name", name);
        }
        let control = gateway.control.snapshot();
        if let Some(workgroup) = control
            .users
            .get(login.user)
            .and_then(|user| user.default_workgroup.clone())
        {
            settings.start_with("workgroup", workgroup);
        }
        if control
            .access(login.user)
            .is_some_and(|access| access.is_administrator())
        {
            settings.start_with("is_superuser", "on");
        }
        Arc::new_cyclic(|me| Self {
            gateway,
            me: me.clone(),
            pid,
            secret,
            user: login.user.to_owned(),
            protocol: login.protocol,
            client_addr: login.client_addr,
            opened_at: Utc::now(),
            state: Mutex::new(State {
                settings,
                ..State::default()
            }),
        })
    }

    pub(super) async fn use_database_of_login(&self, database: Option<&str>) -> Result<()> {
        let Some(name) = database
            .map(str::to_lowercase)
            .filter(|name| !name.is_empty() && name != CATALOG)
        else {
            return Ok(());
        };
        if !is_built_in(&name) && self.view()?.database(&name).await?.is_none() {
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

    /// The process id that the wire shows.
    pub fn backend_pid(&self) -> i32 {
        self.pid
    }

    /// With the process id, the key to cancel this session's query.
    pub fn cancel_secret(&self) -> &[u8] {
        &self.secret
    }

    pub(super) fn has_secret(&self, secret: &[u8]) -> bool {
        self.secret.len() == secret.len()
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

    pub fn opened_at(&self) -> DateTime<Utc> {
        self.opened_at
    }

    /// A parameter's value, such as `client_encoding`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.state.lock().settings.get(name).ok()
    }

    /// Sets a parameter as the start-up packet may: what is unknown is ignored.
    pub fn start_parameter(&self, name: &str, value: &str) {
        let mut state = self.state.lock();
        let mut probe = state.settings.clone();
        if probe.set(name, Some(value)).is_ok()
            && let Some(value) = probe.explicit(name)
        {
            state.settings.start_with(name, value);
        }
    }

    pub fn transaction_status(&self) -> TransactionStatus {
        self.state.lock().transaction.status()
    }

    /// An error happened: a block that is open takes nothing more but its end.
    pub fn fail_transaction(&self) {
        self.state.lock().transaction.fail();
    }

    /// Stops what the session runs.
    pub fn cancel(&self) {
        let active = self.state.lock().active.clone();
        if let Some(query) = active {
            query.cancel(Error::new(
                Code::QueryCancelled,
                "canceling statement due to user request",
            ));
        }
    }

    /// Whether a query runs, the text of the one that runs or ran last, and since when.
    pub(super) fn activity(&self) -> (bool, String, Option<DateTime<Utc>>) {
        let active = self.state.lock().active.clone();
        active.map_or((false, String::new(), None), |query| {
            let record = query.record();
            (
                !record.state.is_final(),
                record.query,
                Some(record.submitted_at),
            )
        })
    }

    /// Ends what the session still holds.
    pub async fn close(&self) {
        let mut state = self.state.lock();
        state.prepared.clear();
        state.cursors = Cursors::default();
    }

    /// Splits a text into statements.
    ///
    /// Errors: a statement that does not parse, with its position in the whole text.
    pub fn parse(&self, text: &str) -> Result<Vec<Parsed>> {
        lakegate_sql::parse(text).map_err(|e| {
            let mut error = Error::new(Code::SyntaxError, redact(&e.message));
            if let Some(position) = e.position {
                error = error.with_position(position);
            }
            if let Some(hint) = e.hint {
                error = error.with_hint(hint);
            }
            error
        })
    }

    /// Plans far enough to know the parameters and the columns.
    ///
    /// `declared`: types that the client gives for `$1`, `$2` …; the rest is inferred.
    pub async fn prepare(&self, parsed: Parsed, declared: &[Option<DataType>]) -> Result<Prepared> {
        let (parameters, columns) = match &parsed.statement {
            Statement::Query(query) => self.describe(query, declared).await?,
            Statement::Copy(copy) => (self.describe(&copy.query, declared).await?.0, None),
            Statement::Explain(explain) => {
                let parameters = match explain.statement.as_ref() {
                    Statement::Query(query) => self.describe(query, declared).await?.0,
                    _ => Vec::new(),
                };
                (parameters, Some(explain_schema()))
            }
            Statement::Execute(execute) => {
                let state = self.state.lock();
                (
                    Vec::new(),
                    state
                        .prepared
                        .get(&execute.name)
                        .and_then(|prepared| prepared.columns.clone()),
                )
            }
            Statement::Fetch(fetch) => (
                Vec::new(),
                Some(Arc::clone(&self.cursor(&fetch.name)?.schema)),
            ),
            Statement::Show(sql::Show::Setting(name)) => (Vec::new(), Some(text_schema(&[name]))),
            Statement::Show(sql::Show::All) => (
                Vec::new(),
                Some(text_schema(&["name", "setting", "description"])),
            ),
            other => (Vec::new(), statement::columns(other)),
        };
        Ok(Prepared {
            parsed,
            parameters,
            columns,
        })
    }

    async fn describe(
        &self,
        query: &ast::Query,
        declared: &[Option<DataType>],
    ) -> Result<(Vec<DataType>, Option<SchemaRef>)> {
        self.state.lock().transaction.check()?;
        let mut statement = ast::Statement::Query(Box::new(query.clone()));
        declare_types(&mut statement, declared);
        let planning = self.planning()?;
        let plan = plan_statement(&planning.state, statement).await?;
        let types = parameter_types(plan.get_parameter_types().map_err(from_engine)?, declared)?;
        Ok((types, Some(Arc::clone(plan.schema().inner()))))
    }

    /// Runs a prepared statement. A statement that fails also fails the transaction block it is in.
    pub async fn execute(
        &self,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let result = self.dispatch(prepared.clone(), parameters).await;
        match result {
            Err(error) => {
                self.fail_transaction();
                Err(error)
            }
            Ok(Execution::Rows(mut rows)) => {
                let session = self.me.clone();
                rows.stream = rows
                    .stream
                    .inspect_err(move |_| {
                        if let Some(session) = session.upgrade() {
                            session.fail_transaction();
                        }
                    })
                    .boxed();
                Ok(Execution::Rows(rows))
            }
            command => command,
        }
    }

    /// Runs one text to its end and drops its rows.
    pub async fn run_to_end(&self, text: &str) -> Result<()> {
        for parsed in self.parse(text)? {
            let prepared = self.prepare(parsed, &[]).await?;
            if let Execution::Rows(rows) = self.execute(&prepared, Vec::new()).await? {
                rows.stream.try_for_each(|_| async { Ok(()) }).await?;
            }
        }
        Ok(())
    }

    /// A boxed future: EXECUTE comes back here.
    fn dispatch(
        &self,
        prepared: Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'_, Result<Execution>> {
        async move { self.dispatch_one(&prepared, parameters).await }.boxed()
    }

    async fn dispatch_one(
        &self,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let statement = &prepared.parsed.statement;
        if let Some(execution) = self.end_of_block(statement)? {
            return Ok(execution);
        }
        {
            let state = self.state.lock();
            state.transaction.check()?;
            if statement.kind().is_refused_in_transaction() {
                state.transaction.check_outside(statement.tag())?;
            }
        }
        if parameters.len() < prepared.parameters.len() {
            return Err(Error::invalid(format!(
                "the statement needs {} parameters, {} were given",
                prepared.parameters.len(),
                parameters.len()
            )));
        }
        match statement {
            Statement::Query(query) => self.query(query, prepared, parameters, "SELECT").await,
            Statement::Copy(copy) => self.query(&copy.query, prepared, parameters, "COPY").await,
            Statement::Explain(explain) => self.explain(explain, prepared, parameters).await,
            Statement::Prepare(prepare) => self.prepare_named(prepare).await,
            Statement::Execute(execute) => self.execute_named(execute).await,
            Statement::DeclareCursor(declare) => self.declare(declare, prepared).await,
            Statement::Fetch(fetch) => self.fetch(fetch).await,
            Statement::MoveCursor(fetch) => {
                let cursor = self.cursor(&fetch.name)?;
                let moved = cursor.fetch(forward(fetch.direction)?).await?;
                let rows = moved.iter().map(|batch| batch.num_rows() as u64).sum();
                Ok(Execution::Command {
                    tag: "MOVE".to_owned(),
                    rows: Some(rows),
                })
            }
            Statement::Kill(kill) => self.kill(&kill.query_id),
            Statement::Use(used) => self.use_database(&used.database.database).await,
            Statement::Unsupported(unsupported) => Err(Error::not_supported(unsupported.message())),
            statement if statement::handles(statement) => {
                self.run_statement(statement, prepared).await
            }
            statement => self.session_statement(statement),
        }
    }

    /// COMMIT, ROLLBACK and ROLLBACK TO, which a failed block takes too.
    fn end_of_block(&self, statement: &Statement) -> Result<Option<Execution>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let tag = match statement {
            Statement::Commit(end) => {
                let tag = state.transaction.commit(&mut state.settings);
                state.cursors.end_transaction(tag == "COMMIT");
                if end.chain {
                    state.transaction.begin(&state.settings);
                }
                tag
            }
            Statement::Rollback(end) => {
                state.transaction.rollback(&mut state.settings);
                state.cursors.end_transaction(false);
                if end.chain {
                    state.transaction.begin(&state.settings);
                }
                "ROLLBACK"
            }
            Statement::RollbackTo(savepoint) => {
                state
                    .transaction
                    .rollback_to(&savepoint.name, &mut state.settings)?;
                "ROLLBACK"
            }
            _ => return Ok(None),
        };
        Ok(Some(command(tag)))
    }

    fn session_statement(&self, statement: &Statement) -> Result<Execution> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        match statement {
            Statement::Begin(_) => {
                state.transaction.begin(&state.settings);
            }
            Statement::Savepoint(savepoint) => {
                state
                    .transaction
                    .savepoint(savepoint.name.clone(), &state.settings)?;
            }
            Statement::ReleaseSavepoint(savepoint) => state.transaction.release(&savepoint.name)?,
            Statement::Set(set) => {
                drop(guard);
                self.set(set)?;
            }
            Statement::SetTransaction(set) => {
                if let Some(isolation) = set.modes.isolation {
                    let name = if set.session {
                        "default_transaction_isolation"
                    } else {
                        "transaction_isolation"
                    };
                    state.settings.set(name, Some(isolation.name()))?;
                }
            }
            Statement::Show(show) => return show_settings(&state.settings, show),
            Statement::Reset(sql::Reset::All) => state.settings.reset_all(),
            Statement::Reset(sql::Reset::Setting(name)) => state.settings.set(name, None)?,
            Statement::Discard(what) => {
                if *what == sql::Discard::All {
                    state.transaction.check_outside("DISCARD ALL")?;
                    state.settings.reset_all();
                    state.cursors.close(None)?;
                }
                if matches!(what, sql::Discard::All | sql::Discard::Plans) {
                    state.prepared.clear();
                }
            }
            Statement::Deallocate(deallocate) => match &deallocate.name {
                None => state.prepared.clear(),
                Some(name) => {
                    state
                        .prepared
                        .remove(name)
                        .ok_or_else(|| unknown_prepared(name))?;
                }
            },
            Statement::CloseCursor(close) => state.cursors.close(close.name.as_deref())?,
            Statement::Unlisten => {}
            other => {
                return Err(Error::not_supported(format!(
                    "{} is not supported",
                    other.tag()
                )));
            }
        }
        Ok(command(statement.tag()))
    }

    fn set(&self, set: &sql::Set) -> Result<()> {
        let value = match &set.value {
            sql::SetValue::Default => None,
            sql::SetValue::Values(values) => Some(values.join(", ")),
        };
        if set.name == "session_authorization" || set.name == "role" {
            return match value.as_deref() {
                None | Some("none" | "default") => Ok(()),
                Some(name) if name == self.user => Ok(()),
                Some(_) => Err(Error::new(
                    Code::PermissionDenied,
                    "a session keeps the user that it logged in with; connect as the other user",
                )),
            };
        }
        if set.name == "workgroup"
            && let Some(workgroup) = &value
        {
            self.check_workgroup(&workgroup.to_lowercase())?;
        }
        let value = if set.name == "workgroup" {
            value.map(|value| value.to_lowercase())
        } else {
            value
        };
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if set.scope == sql::SetScope::Local
            && !state.transaction.set_local(&set.name, &state.settings)
        {
            // As Postgres: outside of a block SET LOCAL has no effect.
            return Ok(());
        }
        state.settings.set(&set.name, value.as_deref())
    }

    fn check_workgroup(&self, workgroup: &str) -> Result<()> {
        let known = self
            .gateway
            .control
            .snapshot()
            .workgroups
            .contains_key(workgroup);
        // The same words for one that is not there and one that is not granted.
        if !known || !self.access()?.can_use_workgroup(workgroup) {
            return Err(Error::new(
                Code::UndefinedObject,
                format!("workgroup \"{workgroup}\" does not exist"),
            )
            .with_hint("SHOW WORKGROUPS lists those you may use"));
        }
        Ok(())
    }

    async fn use_database(&self, name: &str) -> Result<Execution> {
        if !is_built_in(name) {
            self.view()?.require_database(name).await?;
        }
        self.state.lock().settings.set("search_path", Some(name))?;
        Ok(command("USE"))
    }

    fn kill(&self, query_id: &str) -> Result<Execution> {
        let query = Uuid::parse_str(query_id.trim())
            .ok()
            .and_then(|id| self.gateway.running.get(id));
        let mine = query.filter(|query| {
            query.user() == self.user || self.access().is_ok_and(|access| access.is_administrator())
        });
        let Some(query) = mine else {
            return Err(Error::new(Code::UndefinedObject, format!("query \"{query_id}\" does not run"))
                .with_hint("SELECT query_id FROM system.queries WHERE state = 'RUNNING' lists those you may kill"));
        };
        query.cancel(Error::new(
            Code::QueryCancelled,
            format!("query was killed by user \"{}\"", self.user),
        ));
        Ok(command("KILL"))
    }

    async fn prepare_named(&self, prepare: &sql::Prepare) -> Result<Execution> {
        {
            let state = self.state.lock();
            if state.prepared.contains_key(&prepare.name) {
                return Err(Error::new(
                    Code::DuplicatePreparedStatement,
                    format!("prepared statement \"{}\" already exists", prepare.name),
                ));
            }
            if state.prepared.len() >= MAX_PREPARED {
                return Err(Error::new(
                    Code::TooManyQueries,
                    format!(
                        "{MAX_PREPARED} statements are prepared; DEALLOCATE one before another is"
                    ),
                ));
            }
        }
        let parsed = Parsed {
            statement: prepare.statement.as_ref().clone(),
            text: prepare.text.clone(),
            position: 1,
        };
        let prepared = Box::pin(self.prepare(parsed, &[])).await?;
        self.state
            .lock()
            .prepared
            .insert(prepare.name.clone(), prepared);
        Ok(command("PREPARE"))
    }

    async fn execute_named(&self, execute: &sql::Execute) -> Result<Execution> {
        let prepared = self.state.lock().prepared.get(&execute.name).cloned();
        let prepared = prepared.ok_or_else(|| unknown_prepared(&execute.name))?;
        let values = execute
            .parameters
            .iter()
            .map(literal)
            .collect::<Result<Vec<_>>>()?;
        if values.len() != prepared.parameters.len() {
            return Err(Error::invalid(format!(
                "wrong number of parameters for prepared statement \"{}\": expected {}, got {}",
                execute.name,
                prepared.parameters.len(),
                values.len()
            )));
        }
        let values = values
            .into_iter()
            .zip(&prepared.parameters)
            .map(|(value, data_type)| value.cast_to(data_type).map_err(from_engine))
            .collect::<Result<Vec<_>>>()?;
        self.dispatch(prepared, values).await
    }

    fn cursor(&self, name: &str) -> Result<Arc<Cursor>> {
        self.state.lock().cursors.get(name)
    }

    async fn declare(
        &self,
        declare: &sql::DeclareCursor,
        prepared: &Prepared,
    ) -> Result<Execution> {
        if !declare.hold && self.transaction_status() == TransactionStatus::Idle {
            return Err(Error::new(
                Code::NoActiveTransaction,
                "DECLARE CURSOR can only be used in transaction blocks",
            )
            .with_hint("BEGIN first, or declare the cursor WITH HOLD"));
        }
        let query = Prepared {
            columns: None,
            parameters: Vec::new(),
            parsed: prepared.parsed.clone(),
        };
        let Execution::Rows(rows) = self
            .query(&declare.query, &query, Vec::new(), "FETCH")
            .await?
        else {
            return Err(Error::internal("a cursor's query gave no rows"));
        };
        let cursor = Cursor::new(rows.schema, declare.hold, rows.stream);
        self.state.lock().cursors.open(&declare.name, cursor)?;
        Ok(command("DECLARE CURSOR"))
    }

    async fn fetch(&self, fetch: &sql::Fetch) -> Result<Execution> {
        let cursor = self.cursor(&fetch.name)?;
        let count = forward(fetch.direction)?;
        let batches = cursor.fetch(count).await?;
        Ok(rows("FETCH", Arc::clone(&cursor.schema), batches))
    }

    // What follows makes queries.

    fn access(&self) -> Result<Arc<Access>> {
        self.gateway
            .control
            .snapshot()
            .access(&self.user)
            .ok_or_else(|| {
                Error::new(
                    Code::PermissionDenied,
                    format!("user \"{}\" was dropped", self.user),
                )
            })
    }

    pub(super) fn view(&self) -> Result<View> {
        Ok(View {
            access: self.access()?,
            metastore: Arc::clone(&self.gateway.metastore),
            tables: self.gateway.tables.clone(),
        })
    }

    /// The database of unqualified names.
    fn database(&self) -> String {
        let path = self.state.lock().settings.search_path();
        path.into_iter()
            .find(|name| !name.starts_with('$'))
            .unwrap_or_else(|| "default".to_owned())
    }

    fn planning(&self) -> Result<Planning> {
        let view = self.view()?;
        let (workgroup, time_zone) = {
            let state = self.state.lock();
            (state.settings.workgroup(), state.settings.time_zone())
        };
        let settings = PlanSettings {
            time_zone,
            database: self.database(),
        };
        let meter = Arc::new(QueryMeter::new(self.cutoff(&workgroup)?));
        let lake = Arc::new(QueryLake {
            roots: Arc::clone(&self.gateway.roots),
            meter: Arc::clone(&meter),
            footers: self.gateway.footers.clone(),
            max_statistics_files: self.gateway.max_statistics_files,
        });
        let shown = (!view.access.is_administrator()).then(|| self.user.clone());
        let system = SystemSchema::new(Arc::clone(&self.gateway.history), shown);
        let built_in = HashMap::from([("system".to_owned(), Arc::new(system) as _)]);
        let stores = QueryStores::new(Arc::clone(&self.gateway.roots), Arc::clone(&meter));
        let state = self.gateway.engine.session(
            &settings,
            Arc::new(ViewCatalogs::new(view, built_in)),
            Arc::new(stores),
        )?;
        Ok(Planning {
            state: Arc::new(state),
            lake,
            settings,
            meter,
            workgroup,
        })
    }

    /// What the workgroup allows one query to scan.
    ///
    /// Errors: the workgroup is gone, disabled, or no longer granted.
    fn cutoff(&self, name: &str) -> Result<Option<Cutoff>> {
        self.check_workgroup(name)?;
        let control = self.gateway.control.snapshot();
        let workgroup = control.workgroups.get(name).ok_or_else(|| {
            Error::new(
                Code::UndefinedObject,
                format!("workgroup \"{name}\" does not exist"),
            )
        })?;
        if workgroup.state == WorkgroupState::Disabled {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("workgroup \"{name}\" is disabled"),
            )
            .with_hint(format!(
                "SET workgroup = '{PRIMARY_WORKGROUP}', or ask an administrator to enable it"
            )));
        }
        let limit = workgroup.bytes_scanned_cutoff_per_query;
        Ok(limit.map(|limit| Cutoff {
            workgroup: name.to_owned(),
            limit,
        }))
    }

    /// Everything that a query runs with; the query is in the history from here on.
    fn query_context(&self, text: &str) -> Result<QueryContext> {
        if self.gateway.is_shutting_down() {
            return Err(Error::new(
                Code::ShuttingDown,
                "the server is shutting down and takes no new queries",
            ));
        }
        let planning = self.planning()?;
        let (timeout, application_name, reuse) = {
            let state = self.state.lock();
            let settings = &state.settings;
            (
                settings.statement_timeout(),
                settings.application_name(),
                settings.result_reuse(),
            )
        };
        let query = Query::submit(
            Submission {
                user_name: self.user.clone(),
                workgroup: planning.workgroup,
                database: planning.settings.database.clone(),
                text: redact(text),
                protocol: self.protocol.name().to_owned(),
                application_name: Some(application_name).filter(|name| !name.is_empty()),
                timeout,
            },
            planning.meter,
            Arc::clone(&self.gateway.history),
            Arc::clone(&self.gateway.running),
        );
        self.state.lock().active = Some(Arc::clone(&query));
        Ok(QueryContext {
            gateway: Arc::clone(&self.gateway),
            query,
            state: planning.state,
            lake: planning.lake,
            settings: planning.settings,
            reuse,
        })
    }

    async fn query(
        &self,
        query: &ast::Query,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
        tag: &'static str,
    ) -> Result<Execution> {
        let mut statement = ast::Statement::Query(Box::new(query.clone()));
        let types: Vec<Option<DataType>> = prepared.parameters.iter().cloned().map(Some).collect();
        declare_types(&mut statement, &types);
        let context = self.query_context(&prepared.parsed.text)?;
        let expected = prepared.columns.as_ref();
        let mut rows = context.run(statement, parameters, expected).boxed().await?;
        rows.tag = tag;
        Ok(Execution::Rows(rows))
    }

    async fn explain(
        &self,
        explained: &sql::Explain,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let query = match explained.statement.as_ref() {
            Statement::Query(query) => query,
            Statement::DeclareCursor(declare) => &declare.query,
            Statement::Unsupported(unsupported) => {
                return Err(Error::not_supported(unsupported.message()));
            }
            other => {
                return Err(Error::not_supported(format!(
                    "EXPLAIN of {} is not supported; use it on a query",
                    other.tag()
                )));
            }
        };
        let mut context = self.query_context(&prepared.parsed.text)?;
        context.reuse = ResultReuse::Off;
        let statement = ast::Statement::Query(query.clone());
        let result = explain(
            &context,
            statement,
            parameters,
            explained.analyze,
            explained.verbose,
        )
        .boxed()
        .await;
        match result {
            Ok(batch) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows("EXPLAIN", explain_schema(), vec![batch]))
            }
            Err(error) => {
                context.query.finish(0, Err(&error));
                Err(error)
            }
        }
    }

    async fn run_statement(&self, statement: &Statement, prepared: &Prepared) -> Result<Execution> {
        let query = self.query_context(&prepared.parsed.text)?.query;
        query.runs();
        let context = StatementContext {
            view: self.view()?,
            control: Arc::clone(&self.gateway.control),
            roots: Arc::clone(&self.gateway.roots),
            database: self.database(),
        };
        match statement::execute(&context, statement).boxed().await {
            Ok(Output::Command) => {
                query.finish(0, Ok(()));
                Ok(command(statement.tag()))
            }
            Ok(Output::Rows { batch }) => {
                query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows(statement.tag(), batch.schema(), vec![batch]))
            }
            Err(error) => {
                query.finish(0, Err(&error));
                Err(error)
            }
        }
    }
}

fn is_built_in(database: &str) -> bool {
    matches!(database, "system" | "information_schema" | "pg_catalog")
}

fn unknown_prepared(name: &str) -> Error {
    Error::new(
        Code::InvalidPreparedStatement,
        format!("prepared statement \"{name}\" does not exist"),
    )
}

fn command(tag: &str) -> Execution {
    Execution::Command {
        tag: tag.to_owned(),
        rows: None,
    }
}

fn rows(tag: &'static str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Execution {
    let stream: BatchStream = Box::pin(futures::stream::iter(batches.into_iter().map(Ok)));
    Execution::Rows(Rows {
        schema,
        tag,
        stream,
        query_id: None,
    })
}

fn text_schema<S: AsRef<str>>(names: &[S]) -> SchemaRef {
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(name.as_ref(), DataType::Utf8, true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn show_settings(settings: &Settings, show: &sql::Show) -> Result<Execution> {
    let (schema, columns) = match show {
        sql::Show::Setting(name) => (text_schema(&[name]), vec![vec![settings.get(name)?]]),
        sql::Show::All => {
            let all = settings.all();
            let column = |pick: &dyn Fn(&(String, String, String)) -> String| {
                all.iter().map(pick).collect::<Vec<_>>()
            };
            (
                text_schema(&["name", "setting", "description"]),
                vec![
                    column(&|row| row.0.clone()),
                    column(&|row| row.1.clone()),
                    column(&|row| row.2.clone()),
                ],
            )
        }
    };
    let columns = columns
        .into_iter()
        .map(|values| Arc::new(StringArray::from(values)) as _)
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|e| Error::internal(format!("settings cannot be shown: {e}")))?;
    Ok(rows("SHOW", schema, vec![batch]))
}
