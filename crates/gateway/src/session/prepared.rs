//! Prepared statements: what a statement takes and returns, known before it runs.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Parsed;
use lakegate_sql::ast::Statement;

use crate::query::kept_plan::PlanSlot;
use crate::query::source::QuerySource;

/// Bytes that statements which one connection keeps prepared take together, by [`Prepared::weight`].
pub const MAX_PREPARED_WEIGHT: usize = 64 * 1024 * 1024;

/// Memory of a parsed statement for each byte of its text.
const PARSED_BYTES: usize = 32;
/// Memory of a column or parameter that was described.
const FIELD_BYTES: usize = 256;
/// Memory of any statement.
const FIXED_BYTES: usize = 1024;

/// `remedy`: how a client releases a statement.
///
/// # Errors
/// With `one` more, the statements take more memory than one connection may use.
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
    /// Indices of the parameters whose type is neither declared nor inferred; they are text.
    pub untyped: Vec<usize>,
    /// The columns of its rows; `None` for a command.
    pub columns: Option<SchemaRef>,
    /// Its plan, for the first execution.
    pub(crate) plan: Option<Arc<PlanSlot>>,
}

impl Prepared {
    /// A statement without parameters that runs without being described first, so that it is planned
    /// once.
    pub fn undescribed(parsed: Parsed) -> Self {
        Self::of(QuerySource::Sql(parsed))
    }

    /// A statement of which nothing but its source is known.
    pub(crate) fn of(source: QuerySource) -> Self {
        Self {
            source,
            parameters: Vec::new(),
            untyped: Vec::new(),
            columns: None,
            plan: None,
        }
    }

    /// The SQL statement; `None` for a Substrait plan.
    pub fn statement(&self) -> Option<&Statement> {
        self.source.sql().map(|parsed| &parsed.statement)
    }

    /// Bytes of its source: the text of the statement, or the Substrait plan.
    pub fn source_bytes(&self) -> usize {
        self.source.bytes()
    }

    /// About the bytes that it takes in memory: a parsed statement takes many times its text.
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
