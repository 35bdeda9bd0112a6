//! What each catalog statement does, a file a family. Queries go on to the engine and never come here.
//!
//! ```text
//!  Statement ─ execute ─▶ rights ─▶ databases, tables, alter, partitions, msck ─▶ Metastore
//!                           │       principals, grants, workgroups ────────────▶ Control
//!                           └─────▶ show, describe, create_table_text ─────────▶ rows
//! ```
//!
//! Every statement asks `rights` before it does or tells anything. What never happens here: a name that the
//! principal may not see is told apart from one that does not exist, a LOCATION outside the lake roots is stored, a
//! password is kept, a half of a change stays.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use lakegate_catalog::store::Control;
use lakegate_sql::Statement;

use crate::error::{Error, Result};
use crate::lake::roots::Roots;
use crate::view::View;

/// On whose behalf and on what a statement runs.
#[derive(Debug, Clone)]
pub struct StatementContext {
    /// What the principal may see and do.
    pub view: View,
    pub control: Arc<dyn Control>,
    pub roots: Arc<Roots>,
    /// The database of unqualified names.
    pub database: String,
}

/// What a statement answers with.
#[derive(Debug, Clone)]
pub enum Output {
    /// Nothing but that it is done: [`Statement::tag`] says what.
    Command,
    /// Rows of [`columns`].
    Rows { batch: RecordBatch },
}

/// The columns that a statement answers with, known before it runs; `None` if it answers with a command tag.
pub fn columns(_statement: &Statement) -> Option<SchemaRef> {
    None
}

/// Whether this room runs the statement.
pub fn handles(_statement: &Statement) -> bool {
    false
}

/// Runs a statement that [`handles`] is true of. It commits by itself, and a failed one changed nothing.
///
/// Errors: a name that does not exist for the principal, a missing privilege (which is named, and who can grant it),
/// a LOCATION that is not under a lake root, what the catalog refuses.
pub async fn execute(_context: &StatementContext, _statement: &Statement) -> Result<Output> {
    Err(Error::not_supported("this statement is not supported yet"))
}
