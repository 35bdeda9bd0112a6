//! Which columns of tables the columns of a result are, for clients that ask for the tables of a
//! result.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::pg_catalog::oids;
pub use lakegate_lake::TextLength;
use lakegate_policy::{ColumnOrigin, column_origins};

/// A table's column, as `pg_attribute` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// `attrelid`.
    pub table: u32,
    /// `attnum`.
    pub column: i16,
    /// What `atttypid` and `atttypmod` say of a text.
    pub length: Option<TextLength>,
}

/// Returns for each column of a plan the table's column that it is, unchanged; nothing for plans of
/// very many columns.
pub(crate) fn origins(plan: &LogicalPlan) -> Arc<[Option<Origin>]> {
    let found = column_origins(plan).into_iter();
    found.map(|origin| shown(origin?)).collect()
}

fn shown(origin: ColumnOrigin) -> Option<Origin> {
    Some(Origin {
        table: u32::try_from(oids::table(origin.table_id)).ok()?,
        column: origin.number,
        length: origin.length,
    })
}
