//! Partition values in DDL, and the statements on partitions.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{
    AlterTableAddPartitions, AlterTableDropPartitions, AlterTableRenamePartition, CompareOp,
    MsckMode, MsckRepair, NewPartition, PartitionCondition, PartitionFilter, PartitionSpec,
    PartitionValue, Statement, TableName,
};

pub(super) fn msck(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("MSCK")?;
    cursor.eat("REPAIR");
    cursor.expect("TABLE")?;
    let table = names::table(cursor)?;
    let mode = if cursor.eat_all("ADD PARTITIONS") {
        MsckMode::Add
    } else if cursor.eat_all("DROP PARTITIONS") {
        MsckMode::Drop
    } else if cursor.eat_all("SYNC PARTITIONS") {
        MsckMode::Sync
    } else {
        MsckMode::Add
    };
    Ok(Statement::MsckRepair(MsckRepair { table, mode }))
}

/// After ADD.
pub(super) fn add(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    let if_not_exists = cursor.if_not_exists()?;
    let mut partitions = Vec::new();
    loop {
        cursor.expect("PARTITION")?;
        let spec = spec(cursor)?;
        let location = cursor.string_after("LOCATION")?;
        partitions.push(NewPartition { spec, location });
        // Athena has no comma here, but users of DROP write one.
        if !cursor.eat_sign(',') && !cursor.is_word("PARTITION") {
            break;
        }
    }
    Ok(Statement::AlterTableAddPartitions(
        AlterTableAddPartitions {
            table,
            if_not_exists,
            partitions,
        },
    ))
}

/// After DROP.
pub(super) fn drop(cursor: &mut Cursor<'_>, table: TableName) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let filters = cursor.list(|cursor| {
        cursor.expect("PARTITION")?;
        filter(cursor)
    })?;
    cursor.eat("PURGE");
    Ok(Statement::AlterTableDropPartitions(
        AlterTableDropPartitions {
            table,
            if_exists,
            filters,
        },
    ))
}

/// After PARTITION (..) RENAME TO PARTITION.
pub(super) fn rename(
    cursor: &mut Cursor<'_>,
    table: TableName,
    from: PartitionSpec,
) -> Result<Statement> {
    let to = spec(cursor)?;
    Ok(Statement::AlterTableRenamePartition(
        AlterTableRenamePartition { table, from, to },
    ))
}

/// `(k = v, ..)`
pub(super) fn spec(cursor: &mut Cursor<'_>) -> Result<PartitionSpec> {
    cursor.expect_sign('(')?;
    let values = cursor.list(|cursor| {
        let key = cursor.name("a partition key's name")?;
        cursor.expect_sign('=')?;
        cursor.eat_sign('=');
        let value = value(cursor)?;
        Ok(PartitionValue { key, value })
    })?;
    cursor.expect_sign(')')?;
    Ok(PartitionSpec { values })
}

/// `(k = v, k2, ..)` of INSERT and ANALYZE: the keys with a value, and those without.
pub(super) fn keys_some_open(
    cursor: &mut Cursor<'_>,
) -> Result<(Vec<PartitionValue>, Vec<String>)> {
    let (mut fixed, mut dynamic) = (Vec::new(), Vec::new());
    cursor.expect_sign('(')?;
    loop {
        let key = cursor.name("a partition key's name")?;
        if cursor.eat_sign('=') {
            cursor.eat_sign('=');
            let value = value(cursor)?;
            fixed.push(PartitionValue { key, value });
        } else {
            dynamic.push(key);
        }
        if !cursor.eat_sign(',') {
            break;
        }
    }
    cursor.expect_sign(')')?;
    Ok((fixed, dynamic))
}

/// `(k < v, ..)`; AND is accepted for a comma.
pub(super) fn filter(cursor: &mut Cursor<'_>) -> Result<PartitionFilter> {
    cursor.expect_sign('(')?;
    let mut conditions = Vec::new();
    loop {
        let key = cursor.name("a partition key's name")?;
        let op = compare_op(cursor)?;
        let before = *cursor;
        let value = value(cursor)?;
        if value.is_none() && !matches!(op, CompareOp::Eq | CompareOp::NotEq) {
            return Err(before.error(format!(
                "NULL is neither less nor greater than {key}: compare it with = or <>"
            )));
        }
        conditions.push(PartitionCondition { key, op, value });
        if !cursor.eat_sign(',') && !cursor.eat("AND") {
            break;
        }
    }
    cursor.expect_sign(')')?;
    Ok(PartitionFilter { conditions })
}

fn compare_op(cursor: &mut Cursor<'_>) -> Result<CompareOp> {
    Ok(if cursor.eat_signs('<', '=') {
        CompareOp::LtEq
    } else if cursor.eat_signs('>', '=') {
        CompareOp::GtEq
    } else if cursor.eat_signs('<', '>') || cursor.eat_signs('!', '=') {
        CompareOp::NotEq
    } else if cursor.eat_sign('<') {
        CompareOp::Lt
    } else if cursor.eat_sign('>') {
        CompareOp::Gt
    } else if cursor.eat_signs('=', '=') || cursor.eat_sign('=') {
        CompareOp::Eq
    } else {
        return Err(cursor.expected("=, <>, <, <=, > or >="));
    })
}

/// A value's text; `None` is NULL.
fn value(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.is_string() {
        return cursor.string("a value").map(Some);
    }
    if let Some(number) = cursor.number() {
        return Ok(Some(number));
    }
    if cursor.eat("NULL") {
        return Ok(None);
    }
    if cursor.is_one_of(&["DATE", "TIMESTAMP"]) {
        let mut ahead = *cursor;
        ahead.advance();
        if ahead.is_string() {
            *cursor = ahead;
            return cursor.string("a value").map(Some);
        }
    }
    if cursor.is_name() {
        return cursor.raw_name("a value").map(Some);
    }
    Err(cursor.expected("a value: a string, a number, DATE '..', TRUE, FALSE or NULL"))
}
