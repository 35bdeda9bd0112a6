//! The system columns of a catalog table: `xmin`, `ctid` and so on.
//!
//! ```text
//! xmin   the state of the catalog in which the row is read, or 1 for a row that never changes
//! ctid   (its object, its place among the rows about that object)
//! cmin, cmax, xmax   0: no row is part of an open transaction
//! ```
//!
//! Any change of the catalog or of grants changes the `xmin` of every object of the lake, since the
//! catalog does not record which objects a grant shows differently. Tools that compare it read too
//! much then, never too little.

use super::Shape;
use crate::postgres::pg_catalog::oids::FIRST_OF_LAKE;
use crate::postgres::session::PERMANENT_TRANSACTION;
use crate::postgres::{Cell, SessionInfo};

/// How the system columns of a relation's rows are found.
pub(super) struct Places {
    /// The column with the OID of the object that a row is about.
    object: Option<&'static str>,
    /// The column that numbers the rows about one object.
    number: Option<&'static str>,
    /// The `xmin` of rows about objects of the lake.
    transaction: i64,
}

impl Places {
    pub(super) fn of(shape: &Shape, session: &SessionInfo) -> Self {
        let columns = || shape.columns.iter();
        let number = columns().find(|column| matches!(column.name, "attnum" | "objsubid"));
        Self {
            object: columns().next().map(|column| column.name),
            number: number.map(|column| column.name),
            transaction: match shape.name {
                // The functions of this release.
                "pg_proc" => PERMANENT_TRANSACTION,
                _ => session.transaction,
            },
        }
    }

    /// Returns a system column of a row. `of`: another column of the row.
    pub(super) fn value<'r>(
        &self,
        name: &str,
        of: impl Fn(&str) -> Option<Cell<'r>>,
    ) -> Option<Cell<'r>> {
        let number = |column: Option<&'static str>| of(column?)?.as_int();
        let object = number(self.object).unwrap_or_default();
        match name {
            "xmin" if object < FIRST_OF_LAKE => Some(Cell::Int(PERMANENT_TRANSACTION)),
            "xmin" => Some(Cell::Int(self.transaction)),
            "ctid" => Some(Cell::text(format!(
                "({object},{})",
                number(self.number).unwrap_or_default() + 1
            ))),
            _ => None,
        }
    }
}
