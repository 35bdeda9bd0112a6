//! The extended protocol: prepared statements and portals.

mod cursors;
mod description;
mod waiting;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use futures::FutureExt;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast;
use lakegate_gateway::{Execution, Marks, Origin, Prepared, TransactionStatus, check_weight};

use self::description::Description;
use self::waiting::{read_aside, weight_of};
use super::backend::{self, tag};
use super::connection::Connection;
use super::copy;
use super::encode::Format;
use super::frontend::{Bind, Target};
use super::params::{self, Parameter};
use super::rows::{Failed, Running, describe};
use super::types;

/// A prepared statement.
#[derive(Debug)]
pub(super) struct NamedStatement {
    /// `None` for the empty statement.
    prepared: Option<Arc<Prepared>>,
    parameters: Vec<Parameter>,
    description: Description,
}

impl NamedStatement {
    /// Returns the approximate memory in bytes.
    fn weight(&self) -> usize {
        let prepared = self.prepared.as_ref();
        prepared.map_or(0, |prepared| prepared.weight())
    }

    fn columns(&self) -> Option<&SchemaRef> {
        self.prepared
            .as_ref()
            .and_then(|prepared| prepared.columns.as_ref())
    }

    fn origins(&self) -> &[Option<Origin>] {
        match &self.prepared {
            Some(prepared) => &prepared.origins,
            None => &[],
        }
    }
}

/// A statement bound to values.
#[derive(Debug)]
pub(super) struct Portal {
    statement: Arc<NamedStatement>,
    formats: Vec<Format>,
    state: State,
}

#[derive(Debug)]
enum State {
    Bound(Vec<ScalarValue>),
    Running(Box<Running>),
    /// All rows were sent; executing again returns this tag with no rows.
    Exhausted(&'static str),
    /// A command has run; it does not run again.
    Ran,
}

impl Connection {
    pub(super) async fn parse(
        &mut self,
        name: String,
        query: &str,
        declared: &[u32],
    ) -> Result<(), Failed> {
        if name.is_empty() {
            self.close_statement("");
        } else if self.statements.contains_key(&name) {
            return Err(Error::new(
                Code::DuplicatePreparedStatement,
                format!("prepared statement \"{name}\" already exists"),
            )
            .into());
        }
        if self.statements.len() >= self.options.max_statements {
            let why = format!(
                "too many prepared statements: a connection holds at most {}",
                self.options.max_statements
            );
            return Err(Error::new(Code::OutOfMemory, why)
                .with_hint("close those that are not needed any more")
                .into());
        }
        let mut parsed = self.session.parse(query).await?;
        if parsed.len() > 1 {
            return Err(Error::new(
                Code::SyntaxError,
                "cannot insert multiple commands into a prepared statement",
            )
            .into());
        }
        let statement = match parsed.pop() {
            None => NamedStatement {
                prepared: None,
                parameters: Vec::new(),
                description: Description::default(),
            },
            Some(parsed) if self.portal_named(&parsed.statement).is_some() => {
                self.prepare_on_portal(parsed)
            }
            Some(parsed) => {
                let types: Vec<Option<DataType>> =
                    declared.iter().map(|oid| types::arrow_of(*oid)).collect();
                let marks = declared.iter().enumerate();
                let marks = marks.filter(|(_, oid)| !matches!(**oid, 0 | types::oid::UNKNOWN));
                let marks = marks.map(|(place, oid)| (place, types::type_name(*oid)));
                let marks: Marks = marks.collect();
                let session = Arc::clone(&self.session);
                let prepared = session.prepare_as(parsed, &types, &marks);
                let prepared = self.link.run(prepared).await??;
                let declared = declared.iter().copied().chain(std::iter::repeat(0));
                let parameters = prepared.parameters.iter().zip(declared).enumerate();
                let parameters = parameters
                    .map(|(place, (inferred, declared))| Parameter {
                        declared: match declared {
                            0 | types::oid::UNKNOWN => {
                                let mark = prepared.marks.get(&place);
                                let marked = mark.and_then(|mark| types::by_name(mark));
                                marked.map_or(declared, |of| of.oid)
                            }
                            declared => declared,
                        },
                        inferred: inferred.clone(),
                    })
                    .collect();
                NamedStatement {
                    prepared: Some(Arc::new(prepared)),
                    parameters,
                    description: Description::default(),
                }
            }
        };
        check_weight(
            self.kept_statements().map(NamedStatement::weight),
            statement.weight(),
            "close those that are not needed any more",
        )?;
        // The statements of the protocol are those of EXECUTE, too.
        if let Some(prepared) = statement.prepared.as_ref().filter(|_| !name.is_empty()) {
            self.session.share_statement(&name, prepared);
        }
        self.statements.insert(name, Arc::new(statement));
        backend::empty(&mut self.link.out, tag::PARSE_COMPLETE);
        Ok(())
    }

    /// Returns the statements that the connection holds: those with a name, and those that were
    /// closed while portals of them are open.
    fn kept_statements(&self) -> impl Iterator<Item = &NamedStatement> {
        let mut seen = HashSet::new();
        let of_portals = self.portals.values().map(|portal| &portal.statement);
        let all = self.statements.values().chain(of_portals);
        all.filter(move |kept| seen.insert(Arc::as_ptr(kept)))
            .map(AsRef::as_ref)
    }

    fn statement(&self, name: &str) -> Result<Arc<NamedStatement>> {
        self.statements.get(name).cloned().ok_or_else(|| {
            let why = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            Error::new(Code::InvalidPreparedStatement, why)
        })
    }

    pub(super) fn bind(&mut self, bind: Bind) -> Result<(), Failed> {
        let statement = self.statement(&bind.statement)?;
        if bind.portal.is_empty() {
            self.portals.remove("");
        } else if self.portals.contains_key(&bind.portal) || self.session.has_cursor(&bind.portal) {
            return Err(name_taken(&bind.portal).into());
        }
        if self.portals.len() >= self.options.max_portals {
            let why = format!(
                "too many portals: a connection holds at most {}",
                self.options.max_portals
            );
            return Err(Error::new(Code::OutOfMemory, why)
                .with_hint("close those that are not needed any more")
                .into());
        }
        let (supplied, required) = (bind.parameters.len(), statement.parameters.len());
        if supplied != required {
            let why = format!(
                "bind message supplies {supplied} parameters, but prepared statement \"{}\" requires {required}",
                bind.statement
            );
            return Err(Error::new(Code::ProtocolViolation, why).into());
        }
        let style = self.style();
        let length = bind.parameters.iter().flatten().map(|value| value.len());
        let values = read_aside(length.sum(), || {
            params::bind(
                &bind.parameters,
                &bind.parameter_formats,
                &statement.parameters,
                style,
            )
        })?;
        let weight = weight_of(&values).saturating_add(self.bound_weight());
        if weight > self.options.max_bound_bytes {
            let why = format!(
                "the values of portals take {weight} bytes; {} are the most of a connection",
                self.options.max_bound_bytes
            );
            return Err(Error::new(Code::OutOfMemory, why)
                .with_hint("execute or close portals before more are bound")
                .into());
        }
        self.link.count_values(weight)?;
        let columns = statement
            .columns()
            .map_or(0, |columns| columns.fields().len());
        let formats = params::formats(&bind.result_formats, columns, "column")?;
        self.portals.insert(
            bind.portal,
            Portal {
                statement,
                formats,
                state: State::Bound(values),
            },
        );
        backend::empty(&mut self.link.out, tag::BIND_COMPLETE);
        Ok(())
    }

    /// Describes a statement or a portal. `None`: there is no such portal, but perhaps a cursor.
    pub(super) fn describe(&mut self, target: &Target) -> Option<Result<(), Failed>> {
        let style = self.style();
        let (statement, formats) = match target {
            Target::Statement(name) => {
                let statement = match self.statement(name) {
                    Ok(statement) => statement,
                    Err(unknown) => return Some(Err(unknown.into())),
                };
                backend::parameter_description(
                    &mut self.link.out,
                    statement.parameters.iter().map(Parameter::oid),
                );
                (statement, &[][..])
            }
            Target::Portal(name) => {
                let portal = self.portals.get(name)?;
                (Arc::clone(&portal.statement), &portal.formats[..])
            }
        };
        let is_plain = self.link.encoding.is_none() && formats.iter().all(|f| *f == Format::Text);
        let known = statement.description.get(&style).filter(|_| is_plain);
        let described = match (known, statement.columns()) {
            (Some(known), _) => {
                self.link.out.extend_from_slice(known);
                Ok(())
            }
            (None, Some(columns)) => {
                let start = self.link.out.len();
                let origins = statement.origins();
                let described = describe(&mut self.link, columns, origins, formats, style);
                if described.is_ok() && is_plain {
                    let message = self.link.out.get(start..).unwrap_or_default();
                    statement.description.keep(&style, message);
                }
                described
            }
            (None, None) => {
                backend::empty(&mut self.link.out, tag::NO_DATA);
                Ok(())
            }
        };
        Some(described.map_err(Failed::from))
    }

    pub(super) async fn execute(&mut self, name: &str, max_rows: i32) -> Result<(), Failed> {
        // Removed from the map while it runs: a failed portal is gone.
        let Some(mut portal) = self.portals.remove(name) else {
            return self.execute_cursor(name, max_rows).boxed().await;
        };
        let first = matches!(portal.state, State::Bound(_));
        portal.state = match portal.state {
            State::Bound(values) => {
                let statement = Arc::clone(&portal.statement);
                self.start(&statement, &portal.formats, values)
                    .boxed()
                    .await?
            }
            state => state,
        };
        portal.state = match portal.state {
            State::Running(mut running) => {
                if let Some(query) = running.query().filter(|_| !first) {
                    self.session.resumes(query);
                }
                // 0 or less means all rows, as in Postgres.
                let limit = u64::try_from(max_rows).ok().filter(|limit| *limit > 0);
                let sent = running
                    .send(&mut self.link, limit, |out, batch, rows| {
                        batch.put_data_rows(out, rows)
                    })
                    .await?;
                if running.is_done() {
                    self.tell_warnings();
                    backend::command_complete(
                        &mut self.link.out,
                        running.tag,
                        backend::counts_rows(running.tag).then_some(sent),
                    );
                    State::Exhausted(running.tag)
                } else {
                    backend::empty(&mut self.link.out, tag::PORTAL_SUSPENDED);
                    State::Running(running)
                }
            }
            State::Exhausted(tag) => {
                backend::command_complete(
                    &mut self.link.out,
                    tag,
                    backend::counts_rows(tag).then_some(0),
                );
                State::Exhausted(tag)
            }
            State::Ran if first => State::Ran,
            State::Ran => return Err(cannot_run(name).into()),
            State::Bound(_) => return Err(Error::internal("a portal ran and did not start").into()),
        };
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Starts the statement of a portal.
    async fn start(
        &mut self,
        statement: &NamedStatement,
        formats: &[Format],
        values: Vec<ScalarValue>,
    ) -> Result<State, Failed> {
        let Some(prepared) = &statement.prepared else {
            backend::empty(&mut self.link.out, tag::EMPTY_QUERY);
            return Ok(State::Ran);
        };
        if prepared
            .statement()
            .is_some_and(|statement| self.deallocate(statement))
        {
            return Ok(State::Ran);
        }
        if let Some(statement) = prepared.statement()
            && let Some(name) = self.portal_named(statement)
        {
            self.run_on_portal(statement, name, formats, false).await?;
            return Ok(State::Ran);
        }
        self.check_declared(prepared.statement())?;
        // The statements up to Sync are one transaction. One that nothing follows commits at once.
        let may_change =
            |statement: &&ast::Statement| !matches!(statement, ast::Statement::Query(_));
        if let Some(statement) = prepared.statement().filter(may_change) {
            let is_alone = self.link.is_sync_next()
                && self.session.transaction_status() == TransactionStatus::Idle;
            if !is_alone {
                self.begin_in_message(statement).boxed().await?;
            }
        }
        if let Some(copy) = copy::from_stdin(prepared) {
            self.copy_in(prepared, copy).boxed().await?;
            return Ok(State::Ran);
        }
        let execution = match self.session.known_answer(prepared, &values) {
            Some(rows) => Execution::Rows(rows),
            None => {
                let session = Arc::clone(&self.session);
                self.link.run(session.execute(prepared, values)).await??
            }
        };
        let rows = match execution {
            Execution::Command { tag, rows } => {
                self.completed(&tag, rows);
                return Ok(State::Ran);
            }
            Execution::Rows(rows) => rows,
        };
        if let Some(copy) = copy::to_stdout(prepared) {
            self.copy_out(rows, copy).boxed().await?;
            return Ok(State::Ran);
        }
        if let Some(described) = &prepared.columns
            && !same_types(described, &rows.schema)
        {
            return Err(Error::new(
                Code::ResultTypeChanged,
                "cached plan must not change result type",
            )
            .with_hint("a table of the statement has changed: prepare it again")
            .into());
        }
        let running = Running::new(rows, formats, self.style());
        Ok(State::Running(Box::new(running)))
    }

    pub(super) fn close(&mut self, target: &Target) {
        match target {
            Target::Statement(name) => self.close_statement(name),
            Target::Portal(name) => {
                self.portals.remove(name);
            }
        }
        backend::empty(&mut self.link.out, tag::CLOSE_COMPLETE);
    }

    /// Closes a statement. As in PostgreSQL its portals stay: pgjdbc reads several results at once,
    /// all of the unnamed statement.
    pub(super) fn close_statement(&mut self, name: &str) {
        self.session.unshare_statement(name);
        self.statements.remove(name);
    }

    /// Executes a `DEALLOCATE` of a statement that was prepared through the protocol, which the
    /// session does not know. Drivers that cannot send Close do this. Returns whether there was
    /// such a statement.
    pub(super) fn deallocate(&mut self, statement: &ast::Statement) -> bool {
        let ast::Statement::Deallocate(deallocate) = statement else {
            return false;
        };
        match &deallocate.name {
            Some(name)
                if self.statements.contains_key(name)
                    && self.session.transaction_status() != TransactionStatus::Failed =>
            {
                self.close_statement(name);
                backend::command_complete(&mut self.link.out, "DEALLOCATE", None);
                true
            }
            _ => false,
        }
    }
}

fn unknown_portal(name: &str) -> Error {
    Error::new(
        Code::InvalidCursor,
        format!("portal \"{name}\" does not exist"),
    )
}

fn cannot_run(name: &str) -> Error {
    Error::new(
        Code::InvalidCursor,
        format!("portal \"{name}\" cannot be run again"),
    )
}

fn name_taken(name: &str) -> Error {
    Error::new(
        Code::DuplicateCursor,
        format!("cursor \"{name}\" already exists"),
    )
}

/// Returns whether the types of `actual` match the announced `described`.
fn same_types(described: &SchemaRef, actual: &SchemaRef) -> bool {
    if Arc::ptr_eq(described, actual) {
        return true;
    }
    let (described, actual) = (described.fields(), actual.fields());
    let mut pairs = described.iter().zip(actual.iter());
    described.len() == actual.len()
        && pairs.all(|(one, other)| {
            Arc::ptr_eq(one, other) || types::of_field(one).oid == types::of_field(other).oid
        })
}
