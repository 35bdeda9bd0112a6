//! Statements on the temporary tables and views of a session.
//!
//! They belong to the session alone, and their state is kept with its transaction block
//! ([`Transaction`](super::transaction::Transaction)): no statement on them changes the catalog.

use std::sync::Arc;

use futures::FutureExt;
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Error, Result, table_not_found};
use lakegate_policy::Temporary;
use lakegate_sql::Parsed;
use lakegate_sql::ast::{CreateView, Statement, TableName};
use lakegate_statement::{StatementContext, temporary_view};

use crate::Execution;
use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::life::{Phase, Query};
use crate::query::resolve::NameScope;
use crate::session::Session;
use crate::session::results::command;

/// What a DROP statement drops.
struct Dropping<'a> {
    names: &'a [TableName],
    if_exists: bool,
    /// DROP VIEW, and not DROP TABLE.
    views: bool,
}

impl<'a> Dropping<'a> {
    fn of(statement: &'a Statement) -> Option<Self> {
        match statement {
            Statement::DropTable(drop) => Some(Self {
                names: &drop.names,
                if_exists: drop.if_exists,
                views: false,
            }),
            Statement::DropView(drop) => Some(Self {
                names: &drop.names,
                if_exists: drop.if_exists,
                views: true,
            }),
            _ => None,
        }
    }
}

/// Whether a name refers to a temporary table or view, or to none because it is not there.
pub(crate) fn is_own(temporary: &Temporary, name: &TableName) -> bool {
    let in_catalog = name.catalog.as_deref().is_none_or(|named| named == CATALOG);
    let on_path = name.database.is_none() && temporary.relation(&name.table).is_some();
    in_catalog && (name.is_temporary() || on_path)
}

/// Whether a DROP statement names a temporary table or view.
pub(super) fn drops_any(moment: &Moment, statement: &Statement) -> bool {
    let temporary = &moment.view.temporary;
    Dropping::of(statement)
        .is_some_and(|drop| drop.names.iter().any(|name| is_own(temporary, name)))
}

impl Session {
    /// Runs CREATE TEMP VIEW.
    ///
    /// # Errors
    /// The name is taken, or is in another schema; the query cannot be planned, has parameters, or
    /// reads the view that it replaces; the session has too many views.
    pub(super) async fn create_temporary_view(
        &self,
        moment: &Moment,
        parsed: &Parsed,
        create: &CreateView,
    ) -> Result<Execution> {
        let context = self.statement_context(moment).await?;
        let query = self.begin_own(moment, &context, parsed)?;
        let unfinished = Unfinished::guard(&query);
        let work = self.make_view(moment, &context, create).boxed();
        let outcome = query.step(Phase::Planning, work).await;
        unfinished.disarm();
        ended(&query, outcome)?;
        Ok(command(parsed.statement.tag()))
    }

    async fn make_view(
        &self,
        moment: &Moment,
        context: &StatementContext,
        create: &CreateView,
    ) -> Result<()> {
        check_schema(&create.name)?;
        let name = &create.name.table;
        let temporary = &moment.view.temporary;
        let known = temporary.relation(name).map(|known| &known.table);
        if let Some(known) = known {
            if create.if_not_exists {
                return Ok(());
            }
            if !create.or_replace {
                return Err(taken(name).with_hint(
                    "CREATE OR REPLACE VIEW replaces a view; another name makes a new one",
                ));
            }
            if !known.is_view() {
                return Err(not_of_kind(name, true));
            }
        }
        let seen = moment.with_temporary(temporary.seen_by_new(name, known.is_some()));
        let scope = NameScope {
            views: known.cloned().into_iter().collect(),
            ..self.scope()
        };
        let columns = Box::pin(self.columns_of_view(&seen, &scope, &create.query)).await?;
        let input = temporary_view(context, create, &columns, self.view_syntax())?;
        let mut state = self.state.lock();
        let next = state.transaction.temporary().with_view(input, scope.path)?;
        state.set_temporary(next);
        Ok(())
    }

    /// Runs DROP TABLE and DROP VIEW of temporary ones.
    ///
    /// # Errors
    /// One does not exist, without IF EXISTS, or is of the other kind; others are of the catalog.
    pub(super) fn drop_temporary(&self, moment: &Moment, parsed: &Parsed) -> Result<Execution> {
        let shown = self.named_path().into_iter().next().unwrap_or_default();
        let limits = moment.statement_limits(&self.settings().workgroup());
        let query = self.submit(&parsed.text, shown, limits, Arc::default())?;
        query.runs();
        ended(&query, self.drop_own(&parsed.statement))?;
        Ok(command(parsed.statement.tag()))
    }

    fn drop_own(&self, statement: &Statement) -> Result<()> {
        let drop = Dropping::of(statement).ok_or_else(|| Error::internal("it drops nothing"))?;
        let mut state = self.state.lock();
        let temporary = Arc::clone(state.transaction.temporary());
        let mut dropped = Vec::with_capacity(drop.names.len());
        for name in drop.names {
            if !is_own(&temporary, name) {
                return Err(Error::not_supported(format!(
                    "\"{name}\" is not temporary, and the statement drops others that are; drop them in statements of their own"
                )));
            }
            match temporary.relation(&name.table) {
                Some(known) if known.table.is_view() != drop.views => {
                    return Err(not_of_kind(&name.table, drop.views));
                }
                Some(_) => dropped.push(name.table.as_str()),
                None if drop.if_exists => {}
                None => return Err(table_not_found(&name.to_string())),
            }
        }
        if !dropped.is_empty() {
            state.set_temporary(temporary.without(dropped));
        }
        Ok(())
    }

    /// Adds a statement on the session's own to the history.
    fn begin_own(
        &self,
        moment: &Moment,
        context: &StatementContext,
        parsed: &Parsed,
    ) -> Result<Arc<Query>> {
        let limits = moment.statement_limits(&self.settings().workgroup());
        let query = self.submit(&parsed.text, context.path.shown(), limits, Arc::default())?;
        query.runs();
        Ok(query)
    }
}

/// Ends the query of a statement that has no rows.
fn ended(query: &Query, outcome: Result<()>) -> Result<()> {
    query.finish(0, outcome.as_ref().copied());
    outcome
}

/// # Errors
/// The name is in a schema of the catalog.
fn check_schema(name: &TableName) -> Result<()> {
    if name.database.is_none() || name.is_temporary() {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidTable,
        "cannot create temporary relation in non-temporary schema",
    )
    .with_hint("leave out the schema, or leave out TEMP"))
}

fn taken(name: &str) -> Error {
    Error::new(
        Code::DuplicateTable,
        format!("relation \"{name}\" already exists"),
    )
}

/// The error for a table where a view is meant, or the other way round.
fn not_of_kind(name: &str, view: bool) -> Error {
    let (wanted, hint) = match view {
        true => ("a view", "it is a table; use DROP TABLE"),
        false => ("a table", "it is a view; use DROP VIEW"),
    };
    Error::new(
        Code::InvalidParameter,
        format!("\"{name}\" is not {wanted}"),
    )
    .with_hint(hint)
}
