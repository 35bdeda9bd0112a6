//! The changes of ALTER TABLE to one column.

use super::cursor::{Cursor, Result};
use super::types;
use crate::ast::{
    AlterTableColumn, ColumnChange, ColumnDef, ColumnPlace, PartitionSpec, Statement, TableName,
    Unsupported,
};

/// A column of a table or of one of its partitions, after the words that begin its change.
pub(super) struct Of {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
}

impl Of {
    fn changed(self, column: String, if_exists: bool, change: ColumnChange) -> Statement {
        Statement::AlterTableColumn(AlterTableColumn {
            table: self.table,
            partition: self.partition,
            column,
            if_exists,
            change,
        })
    }
}

/// After `CHANGE`: `[COLUMN] a b type [COMMENT 'c'] [{FIRST|AFTER d}] [{CASCADE|RESTRICT}]`.
pub(super) fn change(cursor: &mut Cursor<'_>, of: Of) -> Result<Statement> {
    eat_column(cursor);
    let name = cursor.name("a column's name")?;
    let new_name = cursor.name("the column's new name, or its name again")?;
    let data_type = types::data_type(cursor)?;
    let comment = cursor.string_after("COMMENT")?;
    let place = if cursor.eat("FIRST") {
        Some(ColumnPlace::First)
    } else if cursor.eat("AFTER") {
        Some(ColumnPlace::After(cursor.name("a column's name")?))
    } else {
        None
    };
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    let column = ColumnDef {
        name: new_name,
        data_type,
        comment,
        not_null: false,
    };
    let change = ColumnChange::Definition { column, place };
    Ok(of.changed(name, false, change))
}

/// After `RENAME`: `[COLUMN] [IF EXISTS] a TO b`.
pub(super) fn rename(cursor: &mut Cursor<'_>, of: Of) -> Result<Statement> {
    eat_column(cursor);
    let if_exists = cursor.if_exists()?;
    let name = cursor.name("a column's name")?;
    cursor.expect("TO")?;
    let new_name = cursor.name("the column's new name")?;
    Ok(of.changed(name, if_exists, ColumnChange::Rename(new_name)))
}

/// After `ALTER`: `[COLUMN] a {[SET DATA] TYPE type | DROP NOT NULL}`.
pub(super) fn alter(cursor: &mut Cursor<'_>, of: Of) -> Result<Statement> {
    eat_column(cursor);
    let name = cursor.name("a column's name")?;
    if cursor.eat_all("DROP NOT NULL") {
        return Ok(of.changed(name, false, ColumnChange::DropNotNull));
    }
    if cursor.eat_all("SET NOT NULL") {
        return Ok(Statement::Unsupported(Unsupported {
            what: "ALTER TABLE .. ALTER COLUMN .. SET NOT NULL".to_owned(),
            nearest: Some("CREATE TABLE with the column NOT NULL, and INSERT".to_owned()),
        }));
    }
    if !cursor.eat("TYPE") && !cursor.eat_all("SET DATA TYPE") {
        if cursor.is_one_of(&["SET", "DROP", "ADD", "RESET"]) {
            return Ok(Statement::Unsupported(Unsupported {
                what: "ALTER TABLE .. ALTER COLUMN other than TYPE".to_owned(),
                nearest: Some("ALTER TABLE .. ALTER COLUMN .. SET DATA TYPE".to_owned()),
            }));
        }
        return Err(cursor.expected("TYPE or SET DATA TYPE"));
    }
    let data_type = types::data_type(cursor)?;
    Ok(of.changed(name, false, ColumnChange::Type(data_type)))
}

/// After `DROP`: `[COLUMN] [IF EXISTS] a [{CASCADE|RESTRICT}]`.
pub(super) fn drop(cursor: &mut Cursor<'_>, of: Of) -> Result<Statement> {
    eat_column(cursor);
    let if_exists = cursor.if_exists()?;
    let name = cursor.name("a column's name")?;
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    Ok(of.changed(name, if_exists, ColumnChange::Drop))
}

/// The word COLUMN, unless it is the name of the column.
fn eat_column(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    if ahead.eat("COLUMN") && ahead.is_name() && !ahead.is_one_of(&["TO", "TYPE", "SET"]) {
        *cursor = ahead;
    }
}
