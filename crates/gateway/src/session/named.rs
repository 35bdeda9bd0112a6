//! Named objects of a session in SQL: prepared statements and cursors.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use lakegate_dialect::Dialect;
use lakegate_dialect::visible::{OpenCursor, PreparedStatement};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{self as sql, Statement};

use crate::moment::Moment;
use crate::query::literals::text_of_type;
use crate::query::parameters::fitted;
use crate::session::Session;
use crate::session::cursors::{Cursor, Wanted};
use crate::session::prepared::{Prepared, check_weight};
use crate::session::results::command;
use crate::session::transaction::TransactionStatus;
use crate::{Execution, Rows};

/// The maximum number of statements that a session may hold prepared by name.
const MAX_PREPARED: usize = 10_000;

/// A statement that is kept prepared under a name.
pub(crate) struct Kept {
    pub statement: Arc<Prepared>,
    /// What the client sent.
    text: String,
    since: DateTime<Utc>,
}

impl Kept {
    fn now(statement: Arc<Prepared>, text: String) -> Self {
        Self {
            statement,
            text,
            since: Utc::now(),
        }
    }

    /// `from_sql`: whether PREPARE made it.
    fn shown(&self, name: &str, from_sql: bool) -> PreparedStatement {
        let columns = self.statement.columns.as_ref();
        let types = columns.map(|columns| columns.fields().iter());
        PreparedStatement {
            name: name.to_owned(),
            statement: self.text.clone(),
            prepared_at: self.since.timestamp_micros(),
            parameters: self.statement.parameters.clone(),
            results: types.map(|fields| fields.map(|field| field.data_type().clone()).collect()),
            from_sql,
        }
    }
}

impl Session {
    /// Returns the statements that are kept prepared, and the open cursors, by name.
    pub(super) fn kept(&self) -> (Vec<PreparedStatement>, Vec<OpenCursor>) {
        let state = self.state.lock();
        let of_sql = state.prepared.iter();
        let of_sql = of_sql.map(|(name, kept)| kept.shown(name, true));
        let of_protocol = state.shared.iter();
        let of_protocol = of_protocol.map(|(name, kept)| kept.shown(name, false));
        let mut prepared: Vec<PreparedStatement> = of_sql.chain(of_protocol).collect();
        let cursors = state.cursors.all().map(|(name, cursor)| OpenCursor {
            name: name.clone(),
            statement: cursor.text.clone(),
            hold: cursor.hold,
            binary: cursor.binary,
            scroll: cursor.scroll,
            created_at: cursor.created_at.timestamp_micros(),
        });
        let mut cursors: Vec<OpenCursor> = cursors.collect();
        prepared.sort_by(|one, other| one.name.cmp(&other.name));
        cursors.sort_by(|one, other| one.name.cmp(&other.name));
        (prepared, cursors)
    }

    /// Runs PREPARE. `text`: the whole statement.
    ///
    /// # Errors
    /// The name is taken; too many statements are prepared, or they take too much memory; a declared
    /// type is unknown; preparing the statement fails.
    pub(super) async fn prepare_named(
        &self,
        prepare: &sql::Prepare,
        text: &str,
    ) -> Result<Execution> {
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
        let (declared, marks) = Box::pin(self.declared_types(&prepare.types)).await?;
        let prepared = self.prepare_as(Arc::new(parsed), &declared, &marks);
        let prepared = Box::pin(prepared).await?;
        let mut state = self.state.lock();
        check_weight(
            state.prepared.values().map(|kept| kept.statement.weight()),
            prepared.weight(),
            "DEALLOCATE those that are not needed any more",
        )?;
        let kept = Kept::now(Arc::new(prepared), text.to_owned());
        state.prepared.insert(prepare.name.clone(), kept);
        Ok(command("PREPARE"))
    }

    /// Lets EXECUTE find a statement that the endpoint keeps under a name, if it is one that PREPARE
    /// would take: a query, or a write of one.
    pub fn share_statement(&self, name: &str, prepared: &Arc<Prepared>) {
        let is_prepared = prepared.statement().is_some_and(|statement| {
            matches!(statement, Statement::Query(_)) || statement.written_query().is_some()
        });
        if is_prepared {
            let text = prepared.source.text().into_owned();
            let mut state = self.state.lock();
            let kept = Kept::now(Arc::clone(prepared), text);
            state.shared.insert(name.to_owned(), kept);
        }
    }

    /// Forgets a statement that the endpoint does not keep any more.
    pub fn unshare_statement(&self, name: &str) {
        self.state.lock().shared.remove(name);
    }

    /// Returns the statement and the values of EXECUTE.
    ///
    /// # Errors
    /// The statement does not exist; a value is not constant, or does not fit its parameter.
    pub(crate) async fn named_statement(
        &self,
        moment: &Moment,
        execute: &sql::Execute,
    ) -> Result<(Arc<Prepared>, Vec<ScalarValue>)> {
        let prepared = self.state.lock().named(&execute.name).cloned();
        let prepared = prepared.ok_or_else(|| unknown_prepared(&execute.name))?;
        if matches!(prepared.statement(), Some(Statement::Execute(_))) {
            // The parser only allows queries here. This guards against recursion if that changes.
            return Err(Error::internal("a prepared statement executes another"));
        }
        if execute.parameters.len() != prepared.parameters.len() {
            return Err(Error::new(
                Code::SyntaxError,
                format!(
                    "wrong number of parameters for prepared statement \"{}\"",
                    execute.name
                ),
            )
            .with_detail(format!(
                "Expected {} parameters but got {}.",
                prepared.parameters.len(),
                execute.parameters.len()
            )));
        }
        let reads_texts = self.dialect() == Dialect::Postgres;
        let mut values = Vec::with_capacity(prepared.parameters.len());
        for (expr, data_type) in execute.parameters.iter().zip(&prepared.parameters) {
            let read = text_of_type(expr, data_type).filter(|_| reads_texts);
            let value = self.constant(moment, read.as_ref().unwrap_or(expr)).await?;
            values.push(fitted(value, data_type)?);
        }
        Ok((prepared, values))
    }

    /// Returns whether DECLARE has opened a cursor of this name.
    pub fn has_cursor(&self, name: &str) -> bool {
        self.cursor(name).is_ok()
    }

    /// Returns the cursor of this name.
    ///
    /// # Errors
    /// The cursor does not exist.
    pub(crate) fn cursor(&self, name: &str) -> Result<Arc<Cursor>> {
        self.state.lock().cursors.get(name)
    }

    /// Runs DECLARE CURSOR: starts its query.
    ///
    /// # Errors
    /// No transaction block is open and the cursor is not WITH HOLD; the query fails; the name is
    /// taken; too many cursors are open.
    pub(super) async fn declare(
        &self,
        moment: &Moment,
        declare: &sql::DeclareCursor,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        if !declare.hold && self.transaction_status() == TransactionStatus::Idle {
            return Err(Error::new(
                Code::NoActiveTransaction,
                "DECLARE CURSOR can only be used in transaction blocks",
            )
            .with_hint("BEGIN first, or declare the cursor WITH HOLD"));
        }
        let rows = self.run_query(moment, prepared, parameters, None).await?;
        let text = prepared.source.text().into_owned();
        let cursor = Cursor::new(declare, text, rows, self.memory());
        let mut state = self.state.lock();
        let in_block = state.transaction.status() != TransactionStatus::Idle;
        state.cursors.open(&declare.name, cursor, in_block)?;
        Ok(command("DECLARE CURSOR"))
    }

    /// Returns the cursor of a FETCH or MOVE, and the rows that it requests. A request to cancel stops
    /// the cursor's query from now on.
    ///
    /// # Errors
    /// The cursor does not exist; the direction is not forward, and it was declared without SCROLL.
    pub(super) fn wanted_of(&self, fetch: &sql::Fetch) -> Result<(Arc<Cursor>, Wanted)> {
        let cursor = self.cursor(&fetch.name)?;
        let wanted = cursor.wanted(fetch.direction)?;
        if let Some(query) = &cursor.query {
            self.resumes(query);
        }
        Ok((cursor, wanted.within(self.settings().statement_timeout())))
    }

    /// Runs FETCH.
    ///
    /// # Errors
    /// As of [`Self::wanted_of`]; an earlier FETCH is still being read.
    pub(super) fn fetch(&self, fetch: &sql::Fetch) -> Result<Execution> {
        let (cursor, wanted) = self.wanted_of(fetch)?;
        Ok(Execution::Rows(Rows {
            schema: Arc::clone(&cursor.schema),
            origins: Arc::default(),
            tag: "FETCH",
            stream: cursor.fetch(wanted)?,
            query_id: None,
            query: None,
        }))
    }
}

impl Session {
    /// Whether the statement is a FETCH from a cursor that was declared BINARY.
    pub fn fetches_binary(&self, statement: &Statement) -> bool {
        let Statement::Fetch(fetch) = statement else {
            return false;
        };
        let cursor = self.cursor(&fetch.name);
        cursor.is_ok_and(|cursor| cursor.binary)
    }
}

pub(super) fn unknown_prepared(name: &str) -> Error {
    Error::new(
        Code::InvalidPreparedStatement,
        format!("prepared statement \"{name}\" does not exist"),
    )
}
