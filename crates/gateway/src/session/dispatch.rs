//! The dispatch of a session's statements: what belongs to the session is done here, the rest goes on.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_dialect::postgres::{milliseconds, shown_time};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{self as sql, Statement, StatementKind};
use uuid::Uuid;

use crate::query::life::BatchStream;
use crate::query::planning::Asked;
use crate::session::cursors::{Cursor, forward};
use crate::session::prepared::{Prepared, check_weight, fitted, literal};
use crate::session::settings::Settings;
use crate::session::transaction::TransactionStatus;
use crate::session::{Session, is_built_in};
use crate::{Execution, Rows};

/// Statements that one session may hold prepared by name in SQL.
const MAX_PREPARED: usize = 10_000;

impl Session {
    /// A boxed future: EXECUTE comes back here.
    pub(crate) fn dispatch(
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
        self.access()?;
        self.check_lasting(statement)?;
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
        if let Some(plan) = &prepared.substrait {
            let asked = Asked::Substrait(plan);
            let rows = self.rows_of(asked, prepared, parameters, None).await?;
            return Ok(Execution::Rows(rows));
        }
        match statement {
            Statement::Query(query) => self.query(query, prepared, parameters, "SELECT").await,
            Statement::Copy(copy) => self.query(&copy.query, prepared, parameters, "COPY").await,
            Statement::Explain(explain) => self.explain(explain, prepared, parameters).await,
            Statement::Prepare(prepare) => self.prepare_named(prepare).await,
            Statement::Execute(execute) => self.execute_named(execute).await,
            Statement::DeclareCursor(declare) => self.declare(declare, prepared).await,
            Statement::Fetch(fetch) => self.fetch(fetch),
            Statement::MoveCursor(fetch) => {
                let cursor = self.cursor(&fetch.name)?;
                let rows = cursor.pass(forward(fetch.direction)?).await?;
                Ok(Execution::Command {
                    tag: "MOVE".to_owned(),
                    rows: Some(rows),
                })
            }
            Statement::Kill(kill) => self.kill(&kill.query_id),
            Statement::Use(used) => self.use_database(&used.database.database).await,
            Statement::Unsupported(unsupported) => Err(Error::not_supported(unsupported.message())),
            Statement::ShowFunctions(_) => self.run_statement(statement, prepared).await,
            statement if lakegate_statement::handles(statement) => {
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

    pub(crate) fn set(&self, set: &sql::Set) -> Result<()> {
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
        if set.name == "staleness"
            && let Some(value) = &value
        {
            self.check_staleness(value)?;
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

    /// Errors: it is longer than the workgroup of the session allows. What is no time is not looked at here.
    fn check_staleness(&self, value: &str) -> Result<()> {
        let asked = Duration::from_millis(milliseconds(value).unwrap_or(0));
        let workgroup = self.state.lock().settings.workgroup();
        let allowed = self.max_staleness(&workgroup);
        if asked <= allowed {
            return Ok(());
        }
        let shown =
            |time: Duration| shown_time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Err(Error::invalid(format!(
            "a staleness of {} is more than workgroup \"{workgroup}\" allows, which is {}",
            shown(asked),
            shown(allowed)
        ))
        .with_hint(
            "an administrator may raise it: ALTER WORKGROUP … SET (max_staleness = '1min'), or SET workgroup to another",
        ))
    }

    pub(crate) fn check_workgroup(&self, workgroup: &str) -> Result<()> {
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
            query.principal().id() == self.principal().id()
                || self.access().is_ok_and(|access| access.is_administrator())
        });
        let Some(query) = mine else {
            return Err(Error::new(Code::UndefinedObject, format!("query \"{query_id}\" does not run"))
                .with_hint("SELECT query_id FROM system.queries WHERE state = 'RUNNING' lists those you may kill"));
        };
        let stopped = query.cancel(Error::new(
            Code::QueryCancelled,
            format!("query was killed by user \"{}\"", self.user),
        ));
        if !stopped {
            return Err(Error::new(
                Code::ObjectInUse,
                format!(
                    "query \"{}\" cannot be stopped any more: it commits what it did",
                    query.id
                ),
            )
            .with_hint("it ends by itself in a moment"));
        }
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
        let mut state = self.state.lock();
        check_weight(
            state.prepared.values().map(Prepared::weight),
            prepared.weight(),
            "DEALLOCATE those that are not needed any more",
        )?;
        state.prepared.insert(prepare.name.clone(), prepared);
        Ok(command("PREPARE"))
    }

    async fn execute_named(&self, execute: &sql::Execute) -> Result<Execution> {
        let prepared = self.state.lock().prepared.get(&execute.name).cloned();
        let prepared = prepared.ok_or_else(|| unknown_prepared(&execute.name))?;
        if matches!(prepared.parsed.statement, Statement::Execute(_)) {
            // The parser prepares queries alone; this keeps a change there from recursing here.
            return Err(Error::internal("a prepared statement executes another"));
        }
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
            .map(|(value, data_type)| fitted(value, data_type))
            .collect::<Result<Vec<_>>>()?;
        self.dispatch(prepared, values).await
    }

    /// Errors: the statement changes the session, to which nobody will come back.
    pub(crate) fn check_lasting(&self, statement: &Statement) -> Result<()> {
        let changes_session = match statement {
            Statement::Show(_) | Statement::Unlisten => false,
            other => matches!(
                other.kind(),
                StatementKind::Session | StatementKind::Transaction
            ),
        };
        if self.lasting || !changes_session {
            return Ok(());
        }
        Err(Error::new(
            Code::SessionRequired,
            format!(
                "{} needs a session, and this call stands alone",
                statement.tag()
            ),
        )
        .with_hint(
            "log in by Handshake and send its bearer token, or keep cookies and begin with SetSessionOptions",
        ))
    }

    pub(crate) fn cursor(&self, name: &str) -> Result<Arc<Cursor>> {
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
        let query = Prepared::undescribed(prepared.parsed.clone());
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

    fn fetch(&self, fetch: &sql::Fetch) -> Result<Execution> {
        let cursor = self.cursor(&fetch.name)?;
        let count = forward(fetch.direction)?;
        Ok(Execution::Rows(Rows {
            schema: Arc::clone(&cursor.schema),
            tag: "FETCH",
            stream: cursor.fetch(count)?,
            query_id: None,
            query: None,
        }))
    }
}

fn unknown_prepared(name: &str) -> Error {
    Error::new(
        Code::InvalidPreparedStatement,
        format!("prepared statement \"{name}\" does not exist"),
    )
}

pub(crate) fn command(tag: &str) -> Execution {
    Execution::Command {
        tag: tag.to_owned(),
        rows: None,
    }
}

pub(crate) fn rows(tag: &'static str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Execution {
    let stream: BatchStream = Box::pin(futures::stream::iter(batches.into_iter().map(Ok)));
    Execution::Rows(Rows {
        schema,
        tag,
        stream,
        query_id: None,
        query: None,
    })
}

pub(crate) fn text_schema<S: AsRef<str>>(names: &[S]) -> SchemaRef {
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
