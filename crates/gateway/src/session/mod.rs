//! One connection's session: its settings, its transaction block, what it prepared and declared.

pub(crate) mod catalog_source;
pub(crate) mod connections;
pub(crate) mod cursors;
pub(crate) mod dispatch;
pub(crate) mod grants;
pub(crate) mod metadata;
pub(crate) mod one;
pub(crate) mod options;
pub(crate) mod prepared;
pub(crate) mod settings;
pub(crate) mod transaction;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_catalog::model::names::RESERVED_DATABASES;
use lakegate_engine::{CATALOG, Stop};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{self as sql, Statement};
use lakegate_sql::{ParseError, Parsed, redact};
use parking_lot::Mutex;
use sqlparser::ast;

use crate::auth::logins::{Principal, session_is_over};
use crate::query::error_position::locate;
use crate::query::explain::explain_schema;
use crate::query::kept_plan::Described;
use crate::query::life::Query;
use crate::query::planners::PlannedText;
use crate::query::planning::{Planned, Planning};
use crate::session::cursors::Cursors;
use crate::session::dispatch::text_schema;
use crate::session::prepared::{
    Prepared, declare_types, inferred_types, list_of, lists_as_items, named_parameters,
    open_parameters, parameter_types,
};
use crate::session::settings::Settings;
use crate::session::transaction::{Transaction, TransactionStatus};
use crate::{Execution, Gateway, Login, Protocol};

/// Bytes of a text that is parsed on the thread that reads it, some milliseconds.
const PARSED_AT_ONCE: usize = 8192;

/// Bytes that are shown of a text that does not parse.
const SHOWN_BYTES: usize = 64 * 1024;

pub struct Session {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) me: Weak<Session>,
    pid: i32,
    secret: Vec<u8>,
    pub(crate) user: String,
    principal: Principal,
    pub(crate) protocol: Protocol,
    pub(crate) lasting: bool,
    client_addr: SocketAddr,
    opened_at: DateTime<Utc>,
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) transaction: Transaction,
    pub(crate) prepared: HashMap<String, Prepared>,
    pub(crate) cursors: Cursors,
    pub(crate) described: Option<Described>,
    pub(crate) plans_kept: u64,
    /// What runs, or ran last.
    pub(crate) active: Option<Arc<Query>>,
    /// What is planned before it is a query.
    pub(crate) planning: Option<Arc<Stop>>,
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
    pub(crate) fn open(
        gateway: Arc<Gateway>,
        login: &Login<'_>,
        pid: i32,
        secret: Vec<u8>,
    ) -> Result<Arc<Self>> {
        let mut settings = Settings::default();
        let user = login.principal.user.as_str();
        let access = gateway
            .access_of(login.principal)
            .ok_or_else(|| session_is_over(user))?;
        settings.start_with("session_authorization", user);
        if let Some(name) = login.application_name {
            settings.start_with("application_name", name);
        }
        let control = gateway.control.snapshot();
        if let Some(workgroup) = control
            .users
            .get(user)
            .and_then(|user| user.default_workgroup.clone())
        {
            settings.start_with("workgroup", workgroup);
        }
        if access.is_administrator() {
            settings.start_with("is_superuser", "on");
        }
        Ok(Arc::new_cyclic(|me| Self {
            gateway,
            me: me.clone(),
            pid,
            secret,
            user: user.to_owned(),
            principal: login.principal.clone(),
            protocol: login.protocol,
            lasting: login.lasting,
            client_addr: login.client_addr,
            opened_at: Utc::now(),
            state: Mutex::new(State {
                settings,
                ..State::default()
            }),
        }))
    }

    /// As whom the session was opened.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) async fn use_database_of_login(&self, database: Option<&str>) -> Result<()> {
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

    pub(crate) fn has_secret(&self, secret: &[u8]) -> bool {
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

    /// Stops what the session runs or plans.
    pub fn cancel(&self) {
        let (active, planning) = {
            let state = self.state.lock();
            (state.active.clone(), state.planning.clone())
        };
        let reason = Error::new(
            Code::QueryCancelled,
            "canceling statement due to user request",
        );
        if let Some(planning) = planning {
            planning.stop(reason.clone());
        }
        if let Some(query) = active {
            query.cancel(reason);
        }
    }

    /// Whether a query runs, the text of the one that runs or ran last, and since when.
    pub(crate) fn activity(&self) -> (bool, String, Option<DateTime<Utc>>) {
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
        self.forget_all();
    }

    /// Forgets what was prepared and declared by name.
    pub fn forget_all(&self) {
        let mut state = self.state.lock();
        state.prepared.clear();
        state.cursors = Cursors::default();
    }

    /// Splits a text into statements. A long one is parsed where statements are planned: that may take a second, in which nobody waits
    /// for it but its user.
    ///
    /// Errors: a statement that does not parse, with its position in the whole text.
    pub async fn parse(&self, text: &str) -> Result<Vec<Parsed>> {
        if text.len() <= PARSED_AT_ONCE {
            return self.parsed(lakegate_sql::parse(text), text);
        }
        let long = text.to_owned();
        let work = async move { Ok(lakegate_sql::parse(&long)) };
        let parsed = self.plan(PlannedText::Text(text), work.boxed()).await?;
        self.parsed(parsed, text)
    }

    fn parsed(
        &self,
        parsed: std::result::Result<Vec<Parsed>, ParseError>,
        text: &str,
    ) -> Result<Vec<Parsed>> {
        parsed.map_err(|e| {
            let mut error = Error::new(Code::SyntaxError, redact(&e.message));
            if let Some(position) = e.position {
                error = error.with_position(position);
            }
            if let Some(hint) = e.hint {
                error = error.with_hint(hint);
            }
            // What does not parse may hold a password in any place.
            let database = self.named_path().into_iter().next().unwrap_or_default();
            if let Ok(query) = self.submit(&without_strings(text), database, Arc::default()) {
                query.finish(0, Err(&error));
            }
            error
        })
    }

    /// Plans far enough to know the parameters and the columns.
    ///
    /// `declared`: types that the client gives for `$1`, `$2` …; the rest is inferred.
    pub async fn prepare(&self, parsed: Parsed, declared: &[Option<DataType>]) -> Result<Prepared> {
        self.access()?;
        let mut prepared = Prepared::undescribed(parsed);
        let parsed = &prepared.parsed;
        match &parsed.statement {
            Statement::Query(query) => {
                let basis = self.basis();
                let described = self.describe(query, declared).await;
                let described =
                    described.map_err(|error| locate(error, &parsed.text, parsed.position))?;
                prepared.columns = Some(described.columns);
                prepared.parameters = described.parameters;
                prepared.open = described.open;
                prepared.plan = Some(self.keep_plan(basis, described.plan, described.planning));
            }
            Statement::Copy(copy) => {
                let described = self.describe(&copy.query, declared).await?;
                prepared.parameters = described.parameters;
                prepared.open = described.open;
            }
            Statement::Explain(explain) => {
                if let Statement::Query(query) = explain.statement.as_ref() {
                    let described = self.describe(query, declared).await?;
                    prepared.parameters = described.parameters;
                    prepared.open = described.open;
                }
                prepared.columns = Some(explain_schema());
            }
            Statement::Execute(execute) => {
                let state = self.state.lock();
                let executed = state.prepared.get(&execute.name);
                prepared.columns = executed.and_then(|executed| executed.columns.clone());
            }
            Statement::Fetch(fetch) => {
                prepared.columns = Some(Arc::clone(&self.cursor(&fetch.name)?.schema));
            }
            Statement::Show(sql::Show::Setting(name)) => {
                prepared.columns = Some(text_schema(&[name]));
            }
            Statement::Show(sql::Show::All) => {
                prepared.columns = Some(text_schema(&["name", "setting", "description"]));
            }
            other => prepared.columns = lakegate_statement::columns(other),
        }
        Ok(prepared)
    }

    async fn describe(
        &self,
        query: &ast::Query,
        declared: &[Option<DataType>],
    ) -> Result<Description> {
        self.state.lock().transaction.check()?;
        let mut asked = query.clone();
        let lists = lists_as_items(&mut asked, declared);
        let mut planned = Box::pin(self.plan_query(&asked, declared)).await?;
        let mut inferred = inferred_types(&planned.plan)?;
        for name in named_parameters(query) {
            inferred.entry(name).or_default();
        }
        let mut parameters = parameter_types(inferred.clone(), declared)?;
        let open = open_parameters(&inferred, declared, parameters.len());
        for (index, data_type) in parameters.iter_mut().enumerate() {
            if lists.contains(&(index + 1)) {
                *data_type = list_of(data_type);
            }
        }
        let settled: Vec<Option<DataType>> = parameters.iter().cloned().map(Some).collect();
        if settled != declared {
            // As it will run.
            planned = Box::pin(self.plan_query(query, &settled)).await?;
        }
        Ok(Description {
            parameters,
            open,
            plan: planned.plan,
            columns: planned.columns,
            planning: planned.planning,
        })
    }

    /// Plans a query whose parameters have the types that are known of them.
    async fn plan_query(&self, query: &ast::Query, types: &[Option<DataType>]) -> Result<Planned> {
        let mut statement = ast::Statement::Query(Box::new(query.clone()));
        declare_types(&mut statement, types);
        let planning = Box::pin(self.planning(statement)).await?;
        let text = PlannedText::Query(query, planning.database.clone());
        self.plan(text, planning.described().boxed()).await
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
                let parsed = &prepared.parsed;
                Err(match &prepared.substrait {
                    Some(_) => error,
                    None => locate(error, &parsed.text, parsed.position),
                })
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
        for parsed in self.parse(text).await? {
            let prepared = Prepared::undescribed(parsed);
            if let Execution::Rows(rows) = self.execute(&prepared, Vec::new()).await? {
                rows.stream.try_for_each(|_| async { Ok(()) }).await?;
            }
        }
        Ok(())
    }
}

/// What a query asks for, and its plan with the types of all parameters settled.
struct Description {
    parameters: Vec<DataType>,
    open: Vec<usize>,
    plan: LogicalPlan,
    columns: SchemaRef,
    planning: Planning,
}

pub(crate) fn is_built_in(database: &str) -> bool {
    RESERVED_DATABASES.contains(&database)
}

/// The text, if it is not long, with the content of everything in single quotes taken out.
pub(crate) fn without_strings(text: &str) -> String {
    let text = text
        .get(..text.floor_char_boundary(SHOWN_BYTES))
        .unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    for (index, part) in text.split('\'').enumerate() {
        shown.push_str(if index % 2 == 1 { "'***'" } else { part });
    }
    shown
}
