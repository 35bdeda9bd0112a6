//! CREATE TEMPORARY: what belongs to one session.

use super::cursor::{Cursor, Result};
use super::view;
use crate::ast::{Statement, Unsupported};

/// Moves past `[OR REPLACE] [LOCAL|GLOBAL] {TEMP|TEMPORARY}` and returns whether OR REPLACE is
/// among it. `None`: something else follows CREATE, and the cursor stays.
pub(super) fn begun(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut ahead = *cursor;
    let or_replace = ahead.eat_all("OR REPLACE");
    // As in PostgreSQL, both mean the same.
    ahead.eat_any(&["LOCAL", "GLOBAL"]);
    if !ahead.eat_any(&["TEMP", "TEMPORARY"]) {
        return None;
    }
    *cursor = ahead;
    Some(or_replace)
}

/// After [`begun`].
pub(super) fn create(cursor: &mut Cursor<'_>, or_replace: bool) -> Result<Statement> {
    if cursor.eat("VIEW") {
        return view::create(cursor, or_replace, true);
    }
    if cursor.is_word("TABLE") {
        return Ok(Statement::Unsupported(Unsupported {
            what: "CREATE TEMPORARY TABLE".to_owned(),
            nearest: Some("CREATE TEMPORARY VIEW".to_owned()),
        }));
    }
    Err(cursor.expected("TABLE or VIEW after CREATE TEMPORARY"))
}
