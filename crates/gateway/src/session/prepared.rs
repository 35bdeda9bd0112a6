//! Prepared statements: a statement's parameters and columns, known before it runs.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Parsed;
use lakegate_sql::ast::Statement;

use crate::query::kept_plan::PlanSlot;
use crate::query::origins::Origin;
use crate::query::parameter_marks::Marks;
use crate::query::source::QuerySource;

/// The maximum memory of the statements that one connection keeps prepared, in bytes of
/// [`Prepared::weight`].
pub(crate) const MAX_PREPARED_WEIGHT: usize = 64 * 1024 * 1024;

/// Estimated bytes of memory of a parsed statement per byte of its text.
const PARSED_BYTES: usize = 32;
/// Estimated bytes of memory of a described column or parameter.
const FIELD_BYTES: usize = 256;
/// Estimated bytes of memory of any statement.
const FIXED_BYTES: usize = 1024;

/// Checks that a connection may keep another prepared statement.
///
/// `kept`: the weights of its statements. `one`: the weight of the new one. `remedy`: how a client
/// releases a statement.
///
/// # Errors
/// With the new statement, they exceed `MAX_PREPARED_WEIGHT`.
pub fn check_weight(kept: impl Iterator<Item = usize>, one: usize, remedy: &str) -> Result<()> {
    let weight = kept.fold(one, usize::saturating_add);
    if weight <= MAX_PREPARED_WEIGHT {
        return Ok(());
    }
    Err(Error::new(
        Code::OutOfMemory,
        format!(
            "prepared statements would take {weight} bytes; {MAX_PREPARED_WEIGHT} are the most of a connection"
        ),
    )
    .with_hint(remedy.to_owned()))
}

/// A statement that can be executed any number of times.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub source: QuerySource,
    /// The types of `$1`, `$2` …
    pub parameters: Vec<DataType>,
    /// Indices of the parameters whose type is neither declared nor inferred. They are text.
    pub untyped: Vec<usize>,
    /// PostgreSQL's types of parameters, where the engine has them as others.
    pub marks: Marks,
    /// The columns of the result; `None` for a command.
    pub columns: Option<SchemaRef>,
    /// The columns of tables that `columns` are. Empty if that is not known.
    pub origins: Arc<[Option<Origin>]>,
    /// The plan for its executions.
    pub(crate) plan: Option<Arc<PlanSlot>>,
}

impl Prepared {
    /// Wraps a statement without parameters that runs without being described first, so that it is
    /// planned only once.
    pub fn undescribed(parsed: Arc<Parsed>) -> Self {
        Self::of(QuerySource::Sql(parsed))
    }

    /// Creates a prepared statement of which only the source is known.
    pub(crate) fn of(source: QuerySource) -> Self {
        Self {
            source,
            parameters: Vec::new(),
            untyped: Vec::new(),
            marks: Marks::new(),
            columns: None,
            origins: Arc::default(),
            plan: None,
        }
    }

    /// Returns the SQL statement, or `None` for a Substrait plan.
    pub fn statement(&self) -> Option<&Statement> {
        self.source.sql().map(|parsed| &parsed.statement)
    }

    /// Returns the size of the source, in bytes: the statement's text, or the Substrait plan.
    pub fn source_bytes(&self) -> usize {
        self.source.bytes()
    }

    /// Estimates the memory of the statement, in bytes. A parsed statement takes many times the
    /// size of its text.
    pub fn weight(&self) -> usize {
        let columns = self
            .columns
            .as_ref()
            .map_or(0, |columns| columns.fields().len());
        self.source_bytes() * PARSED_BYTES
            + (columns + self.parameters.len()) * FIELD_BYTES
            + FIXED_BYTES
    }
}
