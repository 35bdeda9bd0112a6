//! Statements on the temporary tables and views of a session.
//!
//! They belong to the session alone, and their state is kept with its transaction block
//! ([`Transaction`](super::transaction::Transaction)): no statement on them changes the catalog.

use std::sync::Arc;

use futures::FutureExt;
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Error, Result, table_not_found};
use lakegate_policy::{Temporary, TemporaryPart, TemporaryRows};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{CreateTable, CreateView, Statement, TableName};
use lakegate_statement::{
    NewTemporary, StatementContext, TemporaryChange, check_temporary_name, temporary_exists,
    temporary_view,
};

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
fn is_own(temporary: &Temporary, name: &TableName) -> bool {
    let in_catalog = name.catalog.as_deref().is_none_or(|named| named == CATALOG);
    let on_path = name.database.is_none() && temporary.relation(&name.table).is_some();
    in_catalog && (name.is_temporary() || on_path)
}

/// Whether a name is that of a temporary table or view.
pub(super) fn has(moment: &Moment, name: &TableName) -> bool {
    let temporary = &moment.view.temporary;
    is_own(temporary, name) && temporary.relation(&name.table).is_some()
}

/// Whether a statement writes rows to temporary tables and to no others, which a read-only
/// transaction allows.
pub(super) fn changes_only(temporary: &Temporary, statement: &Statement) -> bool {
    match statement {
        Statement::Insert(insert) => is_own(temporary, &insert.table),
        Statement::Delete(delete) => is_own(temporary, &delete.table),
        Statement::CopyFrom(copy) => is_own(temporary, &copy.table),
        Statement::Truncate(truncate) => truncate.tables.iter().all(|name| is_own(temporary, name)),
        _ => false,
    }
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
        check_temporary_name(&create.name)?;
        let name = &create.name.table;
        let temporary = &moment.view.temporary;
        let known = temporary.relation(name).map(|known| &known.table);
        if let Some(known) = known {
            if create.if_not_exists {
                return Ok(());
            }
            if !create.or_replace {
                return Err(temporary_exists(name));
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

    /// Runs CREATE TEMP TABLE with columns.
    ///
    /// # Errors
    /// The name is taken, or is in another schema; a column is named twice, or has a type that no
    /// table has; the session has too many tables.
    pub(super) async fn create_temporary_table(
        &self,
        moment: &Moment,
        parsed: &Parsed,
        create: &CreateTable,
    ) -> Result<Execution> {
        let context = self.statement_context(moment).await?;
        let query = self.begin_own(moment, &context, parsed)?;
        ended(&query, self.make_table(&context, create))?;
        Ok(command(parsed.statement.tag()))
    }

    fn make_table(&self, context: &StatementContext, create: &CreateTable) -> Result<()> {
        let new = context.temporary_table(create)?;
        let mut state = self.state.lock();
        let now = Arc::clone(state.transaction.temporary());
        if create.if_not_exists && now.relation(&new.input.name).is_some() {
            drop(state);
            let name = &new.input.name;
            self.notice(format!("relation \"{name}\" already exists, skipping"));
            return Ok(());
        }
        state.change_temporary(created(&now, &new, None)?);
        Ok(())
    }

    /// Makes the change of a write to temporary tables. Returns the number of rows that were
    /// written or removed.
    ///
    /// # Errors
    /// A table that is to be made exists, or another does not exist any more, or was changed by a
    /// statement that ran at the same time.
    pub(crate) fn change_temporary(
        &self,
        change: &TemporaryChange,
        part: TemporaryPart,
    ) -> Result<u64> {
        let written = part.rows as u64;
        let mut state = self.state.lock();
        let now = Arc::clone(state.transaction.temporary());
        let (next, rows) = match change {
            TemporaryChange::Create(new) => (created(&now, new, Some(part))?, written),
            TemporaryChange::Append(name) => {
                check_columns(&now, name, &part)?;
                (changed(&now, name, |rows| rows.and(part))?, written)
            }
            TemporaryChange::Replace(name) => {
                check_columns(&now, name, &part)?;
                let next = changed(&now, name, |_| TemporaryRows::only(part))?;
                (next, written)
            }
            TemporaryChange::Leave { table: name, of } => {
                let known = now.relation(name).and_then(|known| known.rows.as_ref());
                if !known.is_some_and(|known| known.are(of)) {
                    return Err(changed_meanwhile(name));
                }
                let next = changed(&now, name, |_| TemporaryRows::only(part))?;
                (next, of.count().saturating_sub(written))
            }
            TemporaryChange::Empty(names) => {
                let mut next = Temporary::clone(&now);
                for name in names {
                    next = changed(&next, name, |_| TemporaryRows::default())?;
                }
                (next, 0)
            }
        };
        state.change_temporary(next);
        Ok(rows)
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
        let mut missing = Vec::new();
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
                None if drop.if_exists => missing.push(name.table.as_str()),
                None => return Err(table_not_found(&name.to_string())),
            }
        }
        if !dropped.is_empty() {
            state.set_temporary(temporary.without(dropped));
        }
        std::mem::drop(state);
        let kind = if drop.views { "view" } else { "table" };
        for name in missing {
            self.notice(format!("{kind} \"{name}\" does not exist, skipping"));
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
/// The name is taken; the session has too many tables.
fn created(now: &Temporary, new: &NewTemporary, rows: Option<TemporaryPart>) -> Result<Temporary> {
    let known = now.relation(&new.input.name);
    if known.is_some_and(|known| known.rows.is_none() || !new.or_replace) {
        return Err(temporary_exists(&new.input.name));
    }
    now.with_table(new.input.clone(), rows, new.at_commit)
}

/// # Errors
/// There is no such table.
fn changed(
    now: &Temporary,
    name: &str,
    change: impl FnOnce(&TemporaryRows) -> TemporaryRows,
) -> Result<Temporary> {
    let next = now.with_rows(name, change);
    next.ok_or_else(|| table_not_found(name))
}

/// Checks that rows are of the table that has this name now: sessions of Flight may run several
/// statements at once.
///
/// # Errors
/// They have other columns.
fn check_columns(now: &Temporary, name: &str, part: &TemporaryPart) -> Result<()> {
    match now.relation(name) {
        Some(known) if !known.takes(part)? => Err(changed_meanwhile(name)),
        _ => Ok(()),
    }
}

fn changed_meanwhile(name: &str) -> Error {
    Error::new(
        Code::FileChanged,
        format!("table \"{name}\" was changed by another statement of the session"),
    )
    .with_hint("run the statement again")
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
