//! ANALYZE, in the grammars of Hive, PostgreSQL and Trino.

use super::cursor::{Cursor, Result};
use super::{names, partitions};
use crate::ast::{Analyze, AnalyzedPartitions, PartitionSpec, Statement, Unsupported};

pub(super) fn analyze(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.advance();
    options(cursor)?;
    if cursor.at_end() {
        return Ok(refuse("ANALYZE without a table", "ANALYZE table"));
    }
    cursor.eat("TABLE");
    let table = names::table(cursor)?;
    let mut analyzed = None;
    if cursor.eat("PARTITION") {
        let (values, open) = partitions::keys_some_open(cursor)?;
        let spec = PartitionSpec { values };
        analyzed = Some(AnalyzedPartitions { spec, open });
        if !cursor.is_word("COMPUTE") {
            return Err(cursor.expected("COMPUTE STATISTICS"));
        }
    }
    let columns = if cursor.is_sign('(') {
        Some(cursor.names_in_parentheses("a column's name")?)
    } else if cursor.eat_all("COMPUTE STATISTICS") {
        of_hive(cursor)?
    } else if cursor.eat("WITH") {
        match of_trino(cursor)? {
            Ok(columns) => columns,
            Err(refused) => return Ok(refused),
        }
    } else {
        None
    };
    if cursor.is_sign(',') {
        return Ok(refuse("ANALYZE of several tables", "ANALYZE of each"));
    }
    Ok(Statement::Analyze(Analyze {
        table,
        partitions: analyzed,
        columns,
    }))
}

/// PostgreSQL's options, which change nothing: `VERBOSE`, `SKIP_LOCKED`.
fn options(cursor: &mut Cursor<'_>) -> Result<()> {
    if cursor.eat("VERBOSE") || !cursor.eat_sign('(') {
        return Ok(());
    }
    cursor.list(|cursor| {
        if !cursor.eat_any(&["VERBOSE", "SKIP_LOCKED"]) {
            return Err(cursor.expected("VERBOSE or SKIP_LOCKED"));
        }
        cursor.eat_any(&["TRUE", "FALSE", "ON", "OFF"]);
        Ok(())
    })?;
    cursor.expect_sign(')')
}

/// After COMPUTE STATISTICS: `[NOSCAN] [FOR {COLUMNS [c, ..] | ALL COLUMNS}]`.
fn of_hive(cursor: &mut Cursor<'_>) -> Result<Option<Vec<String>>> {
    cursor.eat("NOSCAN");
    if !cursor.eat("FOR") {
        return Ok(Some(Vec::new()));
    }
    if cursor.eat_all("ALL COLUMNS") {
        return Ok(None);
    }
    cursor.expect("COLUMNS")?;
    if cursor.at_end() {
        return Ok(None);
    }
    cursor
        .list(|cursor| cursor.name("a column's name"))
        .map(Some)
}

/// After WITH: `(columns = ARRAY['c', ..])`. The error within is a form that is refused.
fn of_trino(
    cursor: &mut Cursor<'_>,
) -> Result<std::result::Result<Option<Vec<String>>, Statement>> {
    cursor.expect_sign('(')?;
    if cursor.is_word("PARTITIONS") {
        let nearest = "ANALYZE TABLE table PARTITION (key = value, key) COMPUTE STATISTICS";
        return Ok(Err(refuse("ANALYZE with partitions", nearest)));
    }
    cursor.expect("COLUMNS")?;
    cursor.expect_sign('=')?;
    cursor.expect("ARRAY")?;
    cursor.expect_sign('[')?;
    let columns = match cursor.is_sign(']') {
        true => Vec::new(),
        false => cursor.list(|cursor| {
            let name = cursor.string("a column's name as a string")?;
            Ok(name.to_lowercase())
        })?,
    };
    cursor.expect_sign(']')?;
    cursor.expect_sign(')')?;
    Ok(Ok(Some(columns)))
}

fn refuse(what: &str, nearest: &str) -> Statement {
    Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}
