//! Portals of Bind and cursors of DECLARE are one namespace, as in PostgreSQL: FETCH, MOVE and CLOSE
//! find portals, and Execute finds cursors. asyncpg moves its portals in SQL.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::Parsed;
use lakegate_gateway::sql::ast::{Fetch, FetchDirection, Statement};
use lakegate_gateway::{Execution, Prepared, TransactionStatus};

use super::description::Description;
use super::{NamedStatement, State, cannot_run, name_taken, unknown_portal};
use crate::backend::{self, tag};
use crate::connection::Connection;
use crate::encode::{Format, RowEncoder};
use crate::rows::{Failed, Running, describe};

impl Connection {
    /// Returns the name of the portal that a FETCH, MOVE or CLOSE is about; `None` for other
    /// statements, and for cursors of DECLARE.
    pub(crate) fn portal_named<'a>(&self, statement: &'a Statement) -> Option<&'a str> {
        let name = match statement {
            Statement::Fetch(fetch) | Statement::MoveCursor(fetch) => fetch.name.as_str(),
            Statement::CloseCursor(close) => close.name.as_deref()?,
            _ => return None,
        };
        // In a failed block, the session refuses the statement.
        let is_open = self.session.transaction_status() != TransactionStatus::Failed;
        (is_open && !name.is_empty() && self.portals.contains_key(name)).then_some(name)
    }

    /// Prepares a FETCH, MOVE or CLOSE of a portal, which the session does not know.
    pub(super) fn prepare_on_portal(&self, parsed: Arc<Parsed>) -> NamedStatement {
        let columns = match &parsed.statement {
            Statement::Fetch(fetch) => {
                let portal = self.portals.get(&fetch.name);
                portal.and_then(|portal| portal.statement.columns().cloned())
            }
            _ => None,
        };
        let mut prepared = Prepared::undescribed(parsed);
        prepared.columns = columns;
        NamedStatement {
            prepared: Some(Arc::new(prepared)),
            parameters: Vec::new(),
            description: Description::default(),
        }
    }

    /// Runs a FETCH, MOVE or CLOSE of a portal.
    ///
    /// `formats`: of the columns that a FETCH sends. `describes`: the columns are announced first.
    ///
    /// Returns a boxed future, because a portal may be started for it.
    pub(crate) fn run_on_portal<'a>(
        &'a mut self,
        statement: &'a Statement,
        name: &'a str,
        formats: &'a [Format],
        describes: bool,
    ) -> BoxFuture<'a, Result<(), Failed>> {
        async move {
            let (direction, moves) = match statement {
                Statement::Fetch(fetch) => (fetch.direction, false),
                Statement::MoveCursor(fetch) => (fetch.direction, true),
                _ => {
                    self.portals.remove(name);
                    self.completed("CLOSE CURSOR", None);
                    return Ok(());
                }
            };
            let limit = rows_ahead(direction)?;
            // Removed from the map while it runs: a failed portal is gone.
            let mut portal = self
                .portals
                .remove(name)
                .ok_or_else(|| unknown_portal(name))?;
            let statement = Arc::clone(&portal.statement);
            let prepared = statement.prepared.as_ref();
            let is_query = prepared
                .is_some_and(|prepared| matches!(prepared.statement(), Some(Statement::Query(_))));
            let Some(columns) = statement.columns().filter(|_| is_query) else {
                return Err(cannot_run(name).into());
            };
            portal.state = match portal.state {
                State::Bound(values) => {
                    let starting = self.start(&statement, &portal.formats, values);
                    starting.boxed().await?
                }
                state => state,
            };
            let style = self.style();
            if describes && !moves {
                describe(&mut self.link, columns, &[], formats, style)?;
            }
            let mut passed = 0;
            portal.state = match portal.state {
                State::Running(mut running) => {
                    passed = match moves {
                        true => {
                            running
                                .send(&mut self.link, limit, |_, _, rows| Ok(rows.end))
                                .await?
                        }
                        false => {
                            let encoder = RowEncoder::new(columns, formats, style);
                            let own = running.encode_with(encoder);
                            let sent = running
                                .send(&mut self.link, limit, |out, batch, rows| {
                                    batch.put_data_rows(out, rows)
                                })
                                .await?;
                            running.encode_with(own);
                            sent
                        }
                    };
                    match running.is_done() {
                        true => State::Exhausted(running.tag),
                        false => State::Running(running),
                    }
                }
                state => state,
            };
            self.portals.insert(name.to_owned(), portal);
            let tag = match moves {
                true => "MOVE",
                false => "FETCH",
            };
            self.completed(tag, Some(passed));
            Ok(())
        }
        .boxed()
    }

    /// Checks that a name is free for a cursor of DECLARE.
    ///
    /// # Errors
    ///
    /// A portal has the name.
    pub(crate) fn check_declared(&self, statement: Option<&Statement>) -> Result<()> {
        match statement {
            Some(Statement::DeclareCursor(declare)) if self.portals.contains_key(&declare.name) => {
                Err(name_taken(&declare.name))
            }
            _ => Ok(()),
        }
    }

    /// Describes a cursor of DECLARE, as drivers describe it: as a portal.
    pub(crate) async fn describe_cursor(&mut self, name: &str) -> Result<(), Failed> {
        let (prepared, formats) = self.cursor(name, FetchDirection::Next).await?;
        let columns = prepared.columns.as_ref();
        let columns = columns.ok_or_else(|| unknown_portal(name))?;
        let style = self.style();
        Ok(describe(&mut self.link, columns, &[], &formats, style)?)
    }

    /// Sends rows of a cursor of DECLARE.
    pub(super) async fn execute_cursor(&mut self, name: &str, max_rows: i32) -> Result<(), Failed> {
        let limit = u64::try_from(max_rows).ok().filter(|limit| *limit > 0);
        let direction = match limit {
            Some(_) => FetchDirection::Forward(i64::from(max_rows)),
            None => FetchDirection::ForwardAll,
        };
        let (prepared, formats) = self.cursor(name, direction).await?;
        let session = Arc::clone(&self.session);
        let executing = session.execute(&prepared, Vec::new());
        let Execution::Rows(rows) = self.link.run(executing).await?? else {
            return Err(Error::internal("a FETCH has no rows").into());
        };
        let mut running = Running::new(rows, &formats, self.style());
        let sent = running
            .send(&mut self.link, None, |out, batch, rows| {
                batch.put_data_rows(out, rows)
            })
            .await?;
        match limit == Some(sent) {
            true => backend::empty(&mut self.link.out, tag::PORTAL_SUSPENDED),
            false => backend::command_complete(&mut self.link.out, "SELECT", Some(sent)),
        }
        Ok(())
    }

    /// Returns the FETCH from a cursor of DECLARE, and the formats of its columns.
    async fn cursor(
        &mut self,
        name: &str,
        direction: FetchDirection,
    ) -> Result<(Prepared, Vec<Format>), Failed> {
        let fetch = Fetch {
            name: name.to_owned(),
            direction,
        };
        let parsed = Parsed {
            statement: Statement::Fetch(fetch),
            text: String::new(),
            position: 1,
        };
        let session = Arc::clone(&self.session);
        let prepared = self
            .link
            .run(session.prepare(Arc::new(parsed), &[]))
            .await?;
        let prepared = prepared.map_err(|_| unknown_portal(name))?;
        let statement = prepared.statement();
        let binary = statement.is_some_and(|statement| session.fetches_binary(statement));
        let columns = prepared.columns.as_ref();
        let columns = columns.map_or(0, |columns| columns.fields().len());
        let formats = match binary {
            true => vec![Format::Binary; columns],
            false => Vec::new(),
        };
        Ok((prepared, formats))
    }
}

/// Returns how many rows a direction asks for; `None` for all.
///
/// # Errors
///
/// They are not the next ones.
fn rows_ahead(direction: FetchDirection) -> Result<Option<u64>> {
    let count = match direction {
        FetchDirection::Next => Some(1),
        FetchDirection::ForwardAll => return Ok(None),
        FetchDirection::Forward(count) => u64::try_from(count).ok(),
        _ => None,
    };
    match count {
        Some(count) => Ok(Some(count)),
        None => Err(
            Error::new(Code::ForwardOnlyCursor, "cursor can only scan forward")
                .with_hint("execute the statement again to start over"),
        ),
    }
}
