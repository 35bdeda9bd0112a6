//! ALTER TABLE and ALTER VIEW.

use super::cursor::{Cursor, Result};
use super::{alter_column, names, partitions, types};
use crate::ast::{
    AlterTableAddColumns, AlterTableIfExists, AlterTableRename, AlterTableReplaceColumns,
    AlterTableSetLocation, AlterTableSetProperties, AlterTableSetSerdeProperties,
    AlterTableUnsetProperties, PartitionSpec, Statement, TableName, Unsupported,
};

pub(super) fn table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let table = names::table(cursor)?;
    let change = change(cursor, table.clone())?;
    if !if_exists || matches!(change, Statement::Unsupported(_)) {
        return Ok(change);
    }
    Ok(Statement::AlterTableIfExists(AlterTableIfExists {
        table,
        change: Box::new(change),
    }))
}

/// After `ALTER VIEW`.
pub(super) fn view(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let table = names::table(cursor)?;
    if !cursor.eat_all("RENAME TO") {
        return Ok(refuse("ALTER VIEW", "CREATE OR REPLACE VIEW"));
    }
    let new_name = names::table(cursor)?;
    let rename = Statement::AlterTableRename(AlterTableRename {
        table: table.clone(),
        new_name,
        only_view: true,
    });
    if !if_exists {
        return Ok(rename);
    }
    Ok(Statement::AlterTableIfExists(AlterTableIfExists {
        table,
        change: Box::new(rename),
    }))
}

/// After the table's name.
fn change(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    if cursor.is_word("PARTITION") && cursor.is_sign_at(1, '(') {
        cursor.advance();
        let partition = partitions::spec(cursor)?;
        return of_partition(cursor, table, partition);
    }
    if cursor.eat("ADD") {
        return add(cursor, table);
    }
    if cursor.eat("DROP") {
        return drop(cursor, table);
    }
    if cursor.eat_all("REPLACE COLUMNS") {
        return replace_columns(cursor, table, None);
    }
    if cursor.eat("CHANGE") {
        return alter_column::change(cursor, of_table(table));
    }
    if cursor.eat("ALTER") {
        return alter_column::alter(cursor, of_table(table));
    }
    if cursor.is_word("RENAME") && !cursor.is_word_at(1, "TO") {
        cursor.advance();
        return alter_column::rename(cursor, of_table(table));
    }
    if cursor.eat_all("RENAME TO") {
        let new_name = names::table(cursor)?;
        return Ok(Statement::AlterTableRename(AlterTableRename {
            table,
            new_name,
            only_view: false,
        }));
    }
    if cursor.eat("UNSET") {
        return unset(cursor, table);
    }
    if cursor.eat_all("SET TBLPROPERTIES") {
        let properties = cursor.properties()?;
        return Ok(Statement::AlterTableSetProperties(
            AlterTableSetProperties { table, properties },
        ));
    }
    if let Some(statement) = set_location_or_serde(cursor, &table, None)? {
        return Ok(statement);
    }
    other(cursor)
}

/// The changes that apply to one partition.
fn of_partition(
    cursor: &mut Cursor<'_>,
    table: TableName,
    partition: PartitionSpec,
) -> Result<Statement> {
    if cursor.eat_all("RENAME TO PARTITION") {
        return partitions::rename(cursor, table, partition);
    }
    if cursor.eat_all("ADD COLUMNS") {
        return columns_of_add(cursor, table, Some(partition));
    }
    if cursor.eat_all("REPLACE COLUMNS") {
        return replace_columns(cursor, table, Some(partition));
    }
    if cursor.eat("CHANGE") {
        let partition = Some(partition);
        return alter_column::change(cursor, alter_column::Of { table, partition });
    }
    match set_location_or_serde(cursor, &table, Some(partition))? {
        Some(statement) => Ok(statement),
        None => other(cursor),
    }
}

fn add(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    if cursor.eat("COLUMNS") {
        return columns_of_add(cursor, table, None);
    }
    let of_partition = cursor.is_word("IF") && cursor.is_word_at(3, "PARTITION");
    if of_partition || cursor.is_word("PARTITION") {
        return partitions::add(cursor, table);
    }
    let is_constraint = cursor.is_one_of(&["CONSTRAINT", "PRIMARY", "FOREIGN"])
        || (cursor.is_one_of(&["UNIQUE", "CHECK"]) && cursor.is_sign_at(1, '('));
    if is_constraint {
        return Ok(Statement::Unsupported(Unsupported {
            what: "ALTER TABLE .. ADD CONSTRAINT".to_owned(),
            nearest: None,
        }));
    }
    if !cursor.is_name() {
        return Err(cursor.expected("COLUMN, COLUMNS or PARTITION after ADD"));
    }
    single_columns_of_add(cursor, table)
}

/// After `ADD`: `[COLUMN] [IF NOT EXISTS] a type, ADD ..`.
fn single_columns_of_add(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    let mut columns = Vec::new();
    let mut conditions = Vec::new();
    loop {
        let mut ahead = *cursor;
        if ahead.eat("COLUMN") && ahead.is_name() {
            *cursor = ahead;
        }
        let before = *cursor;
        conditions.push(cursor.if_not_exists()?);
        if conditions.first() != conditions.last() {
            return Err(before.error(
                "IF NOT EXISTS is for all columns of an ALTER TABLE, or for none".to_owned(),
            ));
        }
        match types::column(cursor) {
            Ok(column) => columns.push(column),
            Err(refused) => return refused.statement(),
        }
        let mut ahead = *cursor;
        if !(ahead.eat_sign(',') && ahead.eat("ADD")) {
            break;
        }
        *cursor = ahead;
    }
    Ok(added(AlterTableAddColumns {
        table,
        partition: None,
        columns,
        if_not_exists: conditions.contains(&true),
        sql_types: true,
    }))
}

fn columns_of_add(
    cursor: &mut Cursor<'_>,
    table: TableName,
    partition: Option<PartitionSpec>,
) -> Result<Statement> {
    let columns = match types::columns(cursor) {
        Ok(columns) => columns,
        Err(refused) => return refused.statement(),
    };
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    Ok(added(AlterTableAddColumns {
        table,
        partition,
        columns,
        if_not_exists: false,
        sql_types: false,
    }))
}

fn added(add: AlterTableAddColumns) -> Statement {
    match add.columns.iter().any(|column| column.not_null) {
        true => refuse_not_null("ALTER TABLE .. ADD COLUMN .. NOT NULL"),
        false => Statement::AlterTableAddColumns(add),
    }
}

/// Rows that the table has are without a value of the column.
fn refuse_not_null(what: &str) -> Statement {
    refuse(what, "the column without it")
}

fn replace_columns(
    cursor: &mut Cursor<'_>,
    table: TableName,
    partition: Option<PartitionSpec>,
) -> Result<Statement> {
    let columns = match types::columns(cursor) {
        Ok(columns) => columns,
        Err(refused) => return refused.statement(),
    };
    if columns.iter().any(|column| column.not_null) {
        return Ok(refuse_not_null("REPLACE COLUMNS with NOT NULL"));
    }
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    Ok(Statement::AlterTableReplaceColumns(
        AlterTableReplaceColumns {
            table,
            partition,
            columns,
        },
    ))
}

fn drop(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    if cursor.is_one_of(&["IF", "PARTITION"]) {
        return partitions::drop(cursor, table);
    }
    if cursor.is_word("COLUMN") {
        return alter_column::drop(cursor, of_table(table));
    }
    if cursor.is_word("COLUMNS") {
        return Ok(refuse(
            "ALTER TABLE .. DROP COLUMNS",
            "ALTER TABLE .. DROP COLUMN",
        ));
    }
    Err(cursor.expected("COLUMN or PARTITION after DROP"))
}

fn of_table(table: TableName) -> alter_column::Of {
    alter_column::Of {
        table,
        partition: None,
    }
}

fn unset(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    cursor.expect("TBLPROPERTIES")?;
    let if_exists = cursor.if_exists()?;
    cursor.expect_sign('(')?;
    let keys = cursor.list(|cursor| cursor.string("a property's name as a string"))?;
    cursor.expect_sign(')')?;
    Ok(Statement::AlterTableUnsetProperties(
        AlterTableUnsetProperties {
            table,
            if_exists,
            keys,
        },
    ))
}

fn set_location_or_serde(
    cursor: &mut Cursor<'_>,
    table: &TableName,
    partition: Option<PartitionSpec>,
) -> Result<Option<Statement>> {
    let table = table.clone();
    if let Some(location) = cursor.string_after("SET LOCATION")? {
        return Ok(Some(Statement::AlterTableSetLocation(
            AlterTableSetLocation {
                table,
                partition,
                location,
            },
        )));
    }
    let (class, properties) = if let Some(class) = cursor.string_after("SET SERDE")? {
        let properties = if cursor.eat_all("WITH SERDEPROPERTIES") {
            cursor.properties()?
        } else {
            Vec::new()
        };
        (Some(class), properties)
    } else if cursor.eat_all("SET SERDEPROPERTIES") {
        (None, cursor.properties()?)
    } else {
        return Ok(None);
    };
    Ok(Some(Statement::AlterTableSetSerdeProperties(
        AlterTableSetSerdeProperties {
            table,
            partition,
            class,
            properties,
        },
    )))
}

/// What Hive, Athena or Postgres supports and Lakegate does not.
fn other(cursor: &Cursor<'_>) -> Result<Statement> {
    let refused = [
        (
            "EXCHANGE",
            "ALTER TABLE .. EXCHANGE PARTITION",
            "ALTER TABLE .. DROP PARTITION and ADD PARTITION",
        ),
        (
            "ARCHIVE",
            "ALTER TABLE .. ARCHIVE PARTITION",
            "ALTER TABLE .. SET LOCATION",
        ),
        (
            "UNARCHIVE",
            "ALTER TABLE .. UNARCHIVE PARTITION",
            "ALTER TABLE .. SET LOCATION",
        ),
        (
            "TOUCH",
            "ALTER TABLE .. TOUCH",
            "ALTER TABLE .. SET TBLPROPERTIES",
        ),
        ("COMPACT", "ALTER TABLE .. COMPACT", "MSCK REPAIR TABLE"),
        (
            "CONCATENATE",
            "ALTER TABLE .. CONCATENATE",
            "MSCK REPAIR TABLE",
        ),
        (
            "RECOVER",
            "ALTER TABLE .. RECOVER PARTITIONS",
            "MSCK REPAIR TABLE",
        ),
        (
            "CLUSTERED",
            "ALTER TABLE .. CLUSTERED BY",
            "DROP TABLE and CREATE EXTERNAL TABLE",
        ),
        (
            "NOT",
            "ALTER TABLE .. NOT",
            "DROP TABLE and CREATE EXTERNAL TABLE",
        ),
        (
            "SKEWED",
            "ALTER TABLE .. SKEWED BY",
            "PARTITIONED BY in CREATE EXTERNAL TABLE",
        ),
        ("ENABLE", "ALTER TABLE .. ENABLE", "GRANT and REVOKE"),
        ("DISABLE", "ALTER TABLE .. DISABLE", "GRANT and REVOKE"),
        ("OWNER", "ALTER TABLE .. OWNER TO", "GRANT ALL ON TABLE"),
        ("EXECUTE", "ALTER TABLE .. EXECUTE", "MSCK REPAIR TABLE"),
    ];
    if cursor.is_word("SET") && cursor.is_word_at(1, "FILEFORMAT") {
        return Ok(refuse(
            "ALTER TABLE .. SET FILEFORMAT",
            "ALTER TABLE .. SET SERDE, or DROP TABLE and CREATE EXTERNAL TABLE .. STORED AS",
        ));
    }
    refused
        .iter()
        .find(|(word, _, _)| cursor.is_word(word))
        .map(|(_, what, nearest)| refuse(what, nearest))
        .ok_or_else(|| {
            cursor.expected(
                "ADD, ALTER COLUMN, CHANGE COLUMN, DROP, PARTITION, RENAME, REPLACE COLUMNS, SET LOCATION, SET SERDEPROPERTIES, SET TBLPROPERTIES or UNSET TBLPROPERTIES",
            )
        })
}

fn refuse(what: &str, nearest: &str) -> Statement {
    Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}
