//! Statement dispatch: each statement goes to the module that runs it.

use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_dialect::Dialect;
use lakegate_error::{Code, Error, Result, in_postgres};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{Statement, StatementKind};

use crate::moment::Moment;
use crate::query::error_position::{locate, within};
use crate::query::insert_errors;
use crate::query::internal_functions::not_suggested;
use crate::query::rewrites::{missing_from, twice_in_from};
use crate::query::source::QuerySource;
use crate::session::Session;
use crate::session::changes::Changes;
use crate::session::prepared::Prepared;
use crate::session::results::command;
use crate::session::temporary;
use crate::{Execution, Rows};

impl Session {
    /// Runs a prepared statement. A failing statement also fails the transaction block that it is
    /// in.
    ///
    /// # Errors
    /// The statement fails.
    pub fn execute<'a>(
        &'a self,
        prepared: &'a Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Execution>> {
        async move {
            let result = match self.begin_statement(prepared.statement()).await {
                Ok(moment) => self.dispatch(&moment, prepared, parameters).await,
                Err(error) => Err(error),
            };
            match result {
                Err(error) => {
                    self.fail_transaction();
                    Err(match prepared.source.sql() {
                        Some(parsed) => self.told(error, parsed),
                        None => error,
                    })
                }
                Ok(Execution::Rows(mut rows)) => {
                    let (session, dialect) = (self.me.clone(), self.dialect());
                    rows.stream = rows
                        .stream
                        .map_err(move |error| {
                            if let Some(session) = session.upgrade() {
                                session.fail_transaction();
                            }
                            match dialect {
                                Dialect::Postgres => in_postgres(error),
                                Dialect::Athena | Dialect::Trino => error,
                            }
                        })
                        .boxed();
                    Ok(Execution::Rows(rows))
                }
                command => command,
            }
        }
        .boxed()
    }

    /// Returns an error of a statement as its client reads it: with its position, and in the words of
    /// the session's dialect.
    pub(crate) fn told(&self, error: Error, parsed: &Parsed) -> Error {
        let error = not_suggested(error);
        let error = match self.dialect() {
            Dialect::Postgres => insert_errors::reported(error, parsed),
            Dialect::Athena | Dialect::Trino => error,
        };
        let error = locate(error, &parsed.text, parsed.position);
        match self.dialect() {
            Dialect::Postgres => {
                let error = twice_in_from::reported(error, &parsed.statement);
                in_postgres(missing_from::reported(error, &parsed.statement))
            }
            Dialect::Athena | Dialect::Trino => error,
        }
    }

    /// Runs the statements of a text and discards their rows.
    ///
    /// # Errors
    /// A statement fails; the later ones do not run.
    pub fn run_to_end<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            for parsed in self.parse(text).await? {
                let prepared = Prepared::undescribed(parsed);
                if let Execution::Rows(rows) = self.execute(&prepared, Vec::new()).await? {
                    rows.stream.try_for_each(|_| async { Ok(()) }).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// Takes the moment of a statement. In a transaction block it sees the block's changes, and the
    /// first statement that may change the catalog begins them.
    ///
    /// # Errors
    /// The session is over; a change of the block does not apply any more.
    pub(crate) async fn begin_statement(&self, statement: Option<&Statement>) -> Result<Moment> {
        let may_change = statement.is_some_and(|statement| {
            let executed = match statement {
                Statement::Explain(explain) => explain.statement.as_ref(),
                other => other,
            };
            statement.is_kept_for_commit() || matches!(executed, Statement::Execute(_))
        });
        let ends_block = statement.is_some_and(ends_block);
        if may_change {
            let none = || Changes::new(&self.gateway);
            self.state.lock().transaction.begin_changes(none);
        }
        // What does not apply any more must not keep a block from its end.
        match ends_block {
            true => self.moment(),
            false => self.current_moment().await,
        }
    }

    /// Returns a boxed future, because EXECUTE recurses into it.
    fn dispatch<'a>(
        &'a self,
        moment: &'a Moment,
        prepared: &'a Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Execution>> {
        self.dispatch_one(moment, prepared, parameters).boxed()
    }

    async fn dispatch_one(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        if let Some(statement) = prepared.statement() {
            self.check_stateful(statement)?;
            if ends_block(statement)
                && let Some(execution) = self.end_of_block(statement).await?
            {
                return Ok(execution);
            }
        }
        self.check_transaction(prepared.statement())?;
        if parameters.len() < prepared.parameters.len() {
            return Err(Error::invalid(format!(
                "the statement needs {} parameters, {} were given",
                prepared.parameters.len(),
                parameters.len()
            )));
        }
        match &prepared.source {
            QuerySource::Sql(parsed) => self.run_parsed(moment, parsed, prepared, parameters).await,
            QuerySource::Substrait(_) => {
                let rows = self.run_query(moment, prepared, parameters, None).await?;
                Ok(Execution::Rows(rows))
            }
        }
    }

    async fn run_parsed(
        &self,
        moment: &Moment,
        parsed: &Parsed,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        match &parsed.statement {
            Statement::Query(_) | Statement::Copy(_) => {
                let rows = self.run_query(moment, prepared, parameters, None).await?;
                let tag = parsed.statement.tag();
                Ok(Execution::Rows(Rows { tag, ..rows }))
            }
            statement if statement.written_query().is_some() => {
                let writing = self.run_write(moment, prepared, statement, parameters);
                Box::pin(writing).await
            }
            Statement::Explain(explain) if explain.writes() => {
                let writing = self.explain_write(moment, prepared, explain, parameters);
                Box::pin(writing).await
            }
            Statement::Explain(explain) => match explain.statement.as_ref() {
                Statement::Execute(execute) => {
                    let naming = self.explained_named(moment, prepared, explain, execute);
                    let (explained, values) = Box::pin(naming).await?;
                    self.dispatch(moment, &explained, values).await
                }
                _ => self.explain(moment, prepared, explain, parameters).await,
            },
            // Its rows are counted as they are.
            Statement::Analyze(analyze) if temporary::has(moment, &analyze.table) => {
                Ok(command(parsed.statement.tag()))
            }
            Statement::Analyze(analyze) => {
                Box::pin(self.analyze(moment, analyze, &parsed.text)).await
            }
            Statement::ShowStats(show) if show.query.is_some() => {
                Box::pin(self.show_query_stats(moment, parsed, show)).await
            }
            Statement::Prepare(prepare) => {
                let prepared = self.prepare_named(prepare, &parsed.text).await;
                prepared.map_err(|error| within(error, &prepare.text, parsed))
            }
            Statement::Execute(execute) => {
                let (prepared, values) = Box::pin(self.named_statement(moment, execute)).await?;
                self.dispatch(moment, &prepared, values).await
            }
            Statement::DeclareCursor(declare) => {
                self.declare(moment, declare, prepared, parameters).await
            }
            Statement::Fetch(fetch) => self.fetch(fetch),
            Statement::MoveCursor(fetch) => {
                let (cursor, wanted) = self.wanted_of(fetch)?;
                let rows = cursor.pass(wanted).await?;
                Ok(Execution::Command {
                    tag: "MOVE".to_owned(),
                    rows: Some(rows),
                })
            }
            Statement::CopyFrom(_) => Err(copies_by_protocol("COPY FROM STDIN")),
            Statement::CreateView(create) if create.temporary => {
                Box::pin(self.create_temporary_view(moment, parsed, create)).await
            }
            Statement::CreateTable(create) if create.temporary.is_some() => {
                self.create_temporary_table(moment, parsed, create).await
            }
            Statement::DropView(_) | Statement::DropTable(_)
                if temporary::drops_any(moment, &parsed.statement) =>
            {
                self.drop_temporary(moment, parsed)
            }
            Statement::Kill(kill) => self.kill(moment, &kill.query_id),
            Statement::LockTables(tables) => {
                let locked = self.session_statement(moment, &parsed.statement)?;
                let context = self.statement_context(moment).await?;
                context.check_visible(tables).await?;
                Ok(locked)
            }
            Statement::Use(used) => self.use_database(moment, &used.database.database).await,
            Statement::Unsupported(unsupported) => Err(Error::not_supported(unsupported.message())),
            Statement::CreateIndex(_) | Statement::DropIndex(_)
                if self.dialect() != Dialect::Postgres =>
            {
                let tag = parsed.statement.tag();
                Err(Error::not_supported(format!("{tag} is not supported")))
            }
            statement => match statement.kind() {
                StatementKind::Session | StatementKind::Transaction => {
                    self.session_statement(moment, statement)
                }
                StatementKind::Ddl
                | StatementKind::Dml
                | StatementKind::Access
                | StatementKind::Utility => self.run_catalog_statement(moment, parsed).await,
            },
        }
    }

    /// Checks the statement against the state of the transaction block.
    ///
    /// # Errors
    /// The transaction block has failed, is read-only, or does not allow this statement.
    pub(crate) fn check_transaction(&self, statement: Option<&Statement>) -> Result<()> {
        let mut state = self.state.lock();
        state.transaction.check()?;
        let is_query = |statement: &Statement| {
            matches!(
                statement,
                Statement::Query(_)
                    | Statement::Copy(_)
                    | Statement::CopyFrom(_)
                    | Statement::Insert(_)
                    | Statement::DeclareCursor(_)
                    | Statement::Fetch(_)
                    | Statement::Explain(_)
            )
        };
        if statement.is_some_and(is_query) {
            state.transaction.queries();
        }
        let own = state.transaction.temporary();
        let refused = |statement: &&Statement| {
            statement.is_refused_read_only() && !temporary::changes_only(own, statement)
        };
        if let Some(statement) = statement.filter(refused) {
            state.check_writable(statement.tag())?;
        }
        if let Some(Statement::Unsupported(refused)) = statement
            && let Some(query) = refused.locking_query()
        {
            state.check_writable(query)?;
        }
        match statement {
            Some(statement) if statement.is_refused_in_transaction() => {
                state.transaction.check_outside(statement.tag())
            }
            _ => Ok(()),
        }
    }

    /// Checks whether the session can run the statement.
    ///
    /// # Errors
    /// The statement changes session state, and no later call can use this session.
    pub(crate) fn check_stateful(&self, statement: &Statement) -> Result<()> {
        let changes_session = match statement {
            Statement::Show(_) | Statement::SetConstraints(_) | Statement::Unlisten => false,
            other => {
                let kind = other.kind();
                other.makes_temporary()
                    || matches!(kind, StatementKind::Session | StatementKind::Transaction)
            }
        };
        if self.stateful || !changes_session {
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
}

/// Returns whether a statement ends a transaction block or a part of it.
fn ends_block(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Commit(_) | Statement::Rollback(_) | Statement::RollbackTo(_)
    )
}

/// The error of a COPY that the client's protocol has no messages for.
pub(super) fn copies_by_protocol(what: &str) -> Error {
    Error::not_supported(format!("{what} needs the PostgreSQL protocol"))
}
