//! Workgroups and KILL.

use super::cursor::{Cursor, Result};
use crate::ast::{
    AlterWorkgroup, CreateWorkgroup, DropWorkgroup, Kill, OptionValue, Statement, WorkgroupChange,
};

pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = cursor.if_not_exists()?;
    let name = cursor.principal_name("a workgroup's name")?;
    let options = if cursor.eat("WITH") {
        options(cursor)?
    } else {
        Vec::new()
    };
    Ok(Statement::CreateWorkgroup(CreateWorkgroup {
        if_not_exists,
        name,
        options,
    }))
}

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let name = cursor.principal_name("a workgroup's name")?;
    let change = if cursor.eat_any(&["SET", "WITH"]) {
        WorkgroupChange::Set(options(cursor)?)
    } else if cursor.eat("RESET") {
        let names = if cursor.is_sign('(') {
            cursor.names_in_parentheses("an option's name")?
        } else {
            cursor.list(|cursor| cursor.name("an option's name"))?
        };
        WorkgroupChange::Set(
            names
                .into_iter()
                .map(|name| (name, OptionValue::Default))
                .collect(),
        )
    } else if cursor.eat("ENABLE") {
        WorkgroupChange::Enable
    } else if cursor.eat("DISABLE") {
        WorkgroupChange::Disable
    } else {
        return Err(cursor.expected("SET (option = value), RESET (option), ENABLE or DISABLE"));
    };
    Ok(Statement::AlterWorkgroup(AlterWorkgroup { name, change }))
}

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let name = cursor.principal_name("a workgroup's name")?;
    Ok(Statement::DropWorkgroup(DropWorkgroup { if_exists, name }))
}

/// `(option = value, ..)`, the parentheses optional.
fn options(cursor: &mut Cursor<'_>) -> Result<Vec<(String, OptionValue)>> {
    let parenthesized = cursor.eat_sign('(');
    let options = cursor.list(|cursor| {
        let name = cursor.name_or_string("an option's name")?;
        if !cursor.eat_sign('=') {
            cursor.expect("TO").map_err(|_| cursor.expected("\"=\""))?;
        }
        let value = value(cursor)?;
        Ok((name, value))
    })?;
    if parenthesized {
        cursor.expect_sign(')')?;
    }
    Ok(options)
}

fn value(cursor: &mut Cursor<'_>) -> Result<OptionValue> {
    if let Some(number) = cursor.number() {
        return Ok(OptionValue::Number(number));
    }
    if cursor.eat_any(&["TRUE", "ON"]) {
        return Ok(OptionValue::Bool(true));
    }
    if cursor.eat_any(&["FALSE", "OFF"]) {
        return Ok(OptionValue::Bool(false));
    }
    if cursor.eat_any(&["NULL", "DEFAULT", "NONE", "UNLIMITED"]) {
        return Ok(OptionValue::Default);
    }
    if cursor.is_string() {
        return cursor.string("a value").map(OptionValue::String);
    }
    Err(cursor.expected("a number, a string, TRUE, FALSE or DEFAULT"))
}

pub(super) fn kill(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("KILL")?;
    cursor.eat("QUERY");
    let query_id = match cursor.number() {
        Some(number) => number,
        None => cursor.string("a query's id as a string")?,
    };
    Ok(Statement::Kill(Kill { query_id }))
}
