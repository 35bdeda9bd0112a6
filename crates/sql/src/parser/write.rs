//! Statements that write the rows of a query: CREATE TABLE AS, INSERT and UNLOAD; and TRUNCATE and
//! DELETE.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, SetExpr, Value, Visitor};

use super::cursor::{Cursor, Result};
use super::{names, parenthesized, partitions, query, returning};
use crate::ast::{
    CreateTableAs, Delete, Insert, Statement, TableName, Truncate, Unload, Unsupported,
    WriteProperty, WriteValue,
};
use crate::lexer::TokenKind;
use crate::walk::walk;

/// Words that a query begins with.
const QUERY: &[&str] = &["SELECT", "WITH", "VALUES", "TABLE"];

/// How CREATE TABLE names the table that a query fills.
pub(super) struct NewTable {
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: TableName,
}

/// Whether what follows the name of CREATE TABLE is `[(c, ..)] [COMMENT 'c'] {WITH (..) | AS}`.
pub(super) fn is_create_as(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    if lists_names(&ahead) && ahead.names_in_parentheses("a column's name").is_err() {
        return false;
    }
    if ahead.eat("COMMENT") && ahead.string("a comment as a string").is_err() {
        return false;
    }
    ahead.is_one_of(&["AS", "SELECT"]) || (ahead.is_word("WITH") && ahead.is_sign_at(1, '('))
}

/// Whether the parenthesis at the cursor opens a list of names, rather than columns with their
/// types or a query.
pub(super) fn lists_names(cursor: &Cursor<'_>) -> bool {
    cursor.is_sign('(') && (cursor.is_sign_at(2, ',') || cursor.is_sign_at(2, ')'))
}

/// After the name of CREATE TABLE, where [`is_create_as`] holds.
pub(super) fn create_as(cursor: &mut Cursor<'_>, table: NewTable) -> Result<Statement> {
    let columns = if cursor.is_sign('(') {
        cursor.names_in_parentheses("a column's name")?
    } else {
        Vec::new()
    };
    let comment = cursor.string_after("COMMENT")?;
    let properties = with(cursor)?;
    cursor.expect("AS")?;
    let (inner, with_data) = without_data_clause(cursor);
    let query = match whole_query(&inner)? {
        Statement::Query(query) => query,
        refused => return Ok(refused),
    };
    cursor.skip_rest();
    Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
        temporary: None,
        or_replace: table.or_replace,
        if_not_exists: table.if_not_exists,
        name: table.name,
        columns,
        comment,
        properties,
        query,
        with_data,
        select_into: false,
    })))
}

/// The rest of the statement without `WITH [NO] DATA`, and whether there is data.
pub(super) fn without_data_clause<'a>(cursor: &Cursor<'a>) -> (Cursor<'a>, bool) {
    let count = cursor.rest().len();
    let ends_with = |words: &[&str]| {
        let start = count.checked_sub(words.len())?;
        let mut found = words.iter().enumerate();
        let ends = found.all(|(place, word)| cursor.is_word_at(start + place, word));
        ends.then(|| cursor.limited(start))
    };
    if let Some(query) = ends_with(&["WITH", "NO", "DATA"]) {
        return (query, false);
    }
    (ends_with(&["WITH", "DATA"]).unwrap_or(*cursor), true)
}

/// After INSERT.
pub(super) fn insert(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("INSERT")?;
    let overwrite = if cursor.eat("OVERWRITE") {
        cursor.eat_any(&["TABLE", "INTO"]);
        true
    } else if cursor.eat("INTO") {
        cursor.eat("TABLE");
        false
    } else {
        return Err(cursor.expected("INTO or OVERWRITE after INSERT"));
    };
    if overwrite && cursor.is_one_of(&["DIRECTORY", "LOCAL"]) {
        return Ok(refuse("INSERT OVERWRITE DIRECTORY", "UNLOAD"));
    }
    let table = names::table(cursor)?;
    let alias = match cursor.eat("AS") {
        true => Some(cursor.name("an alias")?),
        false => None,
    };
    let has_partition = cursor.is_word("PARTITION") && cursor.is_sign_at(1, '(');
    let (fixed, dynamic) = match has_partition && cursor.eat("PARTITION") {
        true => partitions::keys_some_open(cursor)?,
        false => (Vec::new(), Vec::new()),
    };
    let columns = if lists_names(cursor) {
        cursor.names_in_parentheses("a column's name")?
    } else {
        Vec::new()
    };
    let mut insert = Insert {
        overwrite,
        table,
        fixed,
        dynamic,
        columns,
        query: query::of_text("VALUES (NULL)")?,
        only_defaults: false,
        returning: None,
    };
    if insert.columns.is_empty() && cursor.eat_all("DEFAULT VALUES") {
        insert.only_defaults = true;
        return match returning::split(cursor) {
            Some(_) if overwrite => Ok(refuse_returning()),
            Some((rows, list)) if rows.at_end() => {
                let clause = returning::query(&list, &insert.table, alias.as_deref())?;
                cursor.skip_rest();
                Ok(returns(insert, clause))
            }
            _ => Ok(Statement::Insert(Box::new(insert))),
        };
    }
    let conflicts =
        |at: usize| cursor.is_word_at(at, "ON") && cursor.is_word_at(at + 1, "CONFLICT");
    if (0..cursor.rest().len()).any(conflicts) {
        return Ok(refuse(
            "INSERT .. ON CONFLICT",
            "a query that leaves out the rows that the table has",
        ));
    }
    let (rows, clause) = match overwrite {
        true => (whole_query(cursor), None),
        false => rows_and_clause(cursor, &insert.table, alias.as_deref()),
    };
    insert.query = match rows {
        Ok(Statement::Query(query)) => query,
        Ok(refused) => return Ok(refused),
        // The word may also be a name, in a query that is read to its end.
        Err(_) if overwrite && has_returning(cursor) => return Ok(refuse_returning()),
        Err(error) => return Err(error),
    };
    fill_defaults(&mut insert.query.body);
    cursor.skip_rest();
    Ok(match clause {
        Some(clause) => returns(insert, clause),
        None => Statement::Insert(Box::new(insert)),
    })
}

/// The query to the end of the cursor without its RETURNING clause, and the clause's.
fn rows_and_clause(
    cursor: &Cursor<'_>,
    table: &TableName,
    alias: Option<&str>,
) -> (Result<Statement>, Option<Statement>) {
    let Some((rows, list)) = returning::split(cursor) else {
        return (whole_query(cursor), None);
    };
    match (whole_query(&rows), returning::query(&list, table, alias)) {
        (Ok(rows), Ok(clause)) => (Ok(rows), Some(clause)),
        // The word may also be a name.
        (Err(error), _) | (_, Err(error)) => (whole_query(cursor).map_err(|_| error), None),
    }
}

/// The INSERT with a RETURNING clause, or the reason to refuse the clause.
fn returns(mut insert: Insert, clause: Statement) -> Statement {
    match clause {
        Statement::Query(query) => {
            insert.returning = Some(query);
            Statement::Insert(Box::new(insert))
        }
        refused => refused,
    }
}

fn refuse_returning() -> Statement {
    refuse("INSERT OVERWRITE .. RETURNING", "SELECT after the INSERT")
}

/// Writes NULL for the cells DEFAULT of VALUES: no column has another default.
fn fill_defaults(body: &mut SetExpr) {
    match body {
        SetExpr::Query(query) => fill_defaults(&mut query.body),
        SetExpr::Values(values) => {
            let cells = values.rows.iter_mut().flat_map(|row| &mut row.content);
            for cell in cells {
                if is_default(cell) {
                    *cell = Expr::Value(Value::Null.into());
                }
            }
        }
        _ => {}
    }
}

fn is_default(cell: &Expr) -> bool {
    matches!(cell, Expr::Identifier(name)
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}

/// After UNLOAD.
pub(super) fn unload(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("UNLOAD")?;
    if !cursor.is_sign('(') {
        return Err(cursor.expected("a query in parentheses"));
    }
    let query = match whole_query(&parenthesized(cursor)?)? {
        Statement::Query(query) => query,
        refused => return Ok(refused),
    };
    cursor.expect("TO")?;
    let location = cursor.string("a folder as a string, such as 's3://bucket/folder/'")?;
    let properties = with(cursor)?;
    Ok(Statement::Unload(Box::new(Unload {
        query,
        location,
        properties,
    })))
}

/// After TRUNCATE.
pub(super) fn truncate(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("TRUNCATE")?;
    cursor.eat("TABLE");
    let tables = cursor.list(|cursor| {
        // PostgreSQL's `ONLY t`: there are no tables that inherit.
        if cursor.is_word("ONLY") && names_follow(cursor) {
            cursor.eat("ONLY");
        }
        names::table(cursor)
    })?;
    // There are no sequences and no foreign keys.
    let _ = cursor.eat_all("RESTART IDENTITY") || cursor.eat_all("CONTINUE IDENTITY");
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    let query = query::of_text("SELECT 1 AS n")?;
    Ok(Statement::Truncate(Box::new(Truncate { tables, query })))
}

/// Whether a name follows the word at the cursor, which may be a name itself.
fn names_follow(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    ahead.advance();
    let ends = [
        "WHERE", "AS", "USING", "RESTART", "CONTINUE", "CASCADE", "RESTRICT",
    ];
    ahead.is_name() && !ahead.is_one_of(&ends)
}

/// After DELETE.
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DELETE")?;
    cursor.expect("FROM")?;
    if cursor.is_word("ONLY") && names_follow(cursor) {
        cursor.eat("ONLY");
    }
    let table = names::table(cursor)?;
    let has_alias = cursor.eat("AS")
        || (cursor.is_name() && !cursor.is_one_of(&["WHERE", "USING", "RETURNING"]));
    let alias = match has_alias {
        true => Some(cursor.name("an alias")?),
        false => None,
    };
    if cursor.is_word("USING") {
        return Ok(refuse("DELETE .. USING", "a condition on partition keys"));
    }
    if has_returning(cursor) {
        return Ok(refuse("DELETE .. RETURNING", "SELECT before the DELETE"));
    }
    if !cursor.eat("WHERE") {
        let query = query::of_text("SELECT 1 AS n")?;
        return Ok(Statement::Delete(Box::new(Delete {
            table,
            alias,
            query,
        })));
    }
    if cursor.is_word("CURRENT") && cursor.is_word_at(1, "OF") {
        return Ok(refuse(
            "DELETE .. WHERE CURRENT OF",
            "a condition on partition keys",
        ));
    }
    if cursor.at_end() {
        return Err(cursor.expected("a condition"));
    }
    let query = match query::of_condition(cursor)? {
        Statement::Query(query) => query,
        refused => return Ok(refused),
    };
    cursor.skip_rest();
    let delete = Delete {
        table,
        alias,
        query,
    };
    let condition = delete.condition();
    if condition.is_some_and(|condition| walk(condition, &mut Subqueries).is_break()) {
        return Ok(refuse(
            "DELETE with a subquery in its condition",
            "the values that the subquery returns",
        ));
    }
    Ok(Statement::Delete(Box::new(delete)))
}

/// Whether a RETURNING clause follows. That of a function is in parentheses.
fn has_returning(cursor: &Cursor<'_>) -> bool {
    let mut depth = 0_usize;
    cursor.rest().iter().enumerate().any(|(at, token)| {
        match token.kind {
            TokenKind::Sign('(') => depth += 1,
            TokenKind::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && cursor.is_word_at(at, "RETURNING")
    })
}

/// Finds a subquery.
pub(super) struct Subqueries;

impl Visitor for Subqueries {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// The query that extends to the end of the cursor.
pub(super) fn whole_query(cursor: &Cursor<'_>) -> Result<Statement> {
    if !cursor.is_sign('(') && !cursor.is_one_of(QUERY) {
        return Err(cursor.expected("a query"));
    }
    query::statement(cursor)
}

/// `[WITH (k = v, ..)]`.
pub(super) fn with(cursor: &mut Cursor<'_>) -> Result<Vec<WriteProperty>> {
    if !cursor.eat("WITH") {
        return Ok(Vec::new());
    }
    cursor.expect_sign('(')?;
    let mut properties: Vec<WriteProperty> = Vec::new();
    loop {
        let before = *cursor;
        let name = match cursor.is_string() && !cursor.is_name() {
            true => cursor.string("a property's name")?.to_lowercase(),
            false => cursor.name("a property's name")?,
        };
        cursor.expect_sign('=')?;
        let value = value(cursor)?;
        if properties.iter().any(|known| known.name == name) {
            return Err(before.error(format!("property {name} is given twice")));
        }
        properties.push(WriteProperty { name, value });
        if !cursor.eat_sign(',') {
            break;
        }
    }
    cursor.expect_sign(')')?;
    Ok(properties)
}

fn value(cursor: &mut Cursor<'_>) -> Result<WriteValue> {
    if let Some(number) = cursor.number() {
        return Ok(WriteValue::Number(number));
    }
    if cursor.eat("TRUE") {
        return Ok(WriteValue::Boolean(true));
    }
    if cursor.eat("FALSE") {
        return Ok(WriteValue::Boolean(false));
    }
    if !cursor.eat("ARRAY") {
        let text = cursor.string("a string, a number, true, false or ARRAY[..]")?;
        return Ok(WriteValue::Text(text));
    }
    cursor.expect_sign('[')?;
    let texts = if cursor.is_sign(']') {
        Vec::new()
    } else {
        cursor.list(|cursor| cursor.string("a string"))?
    };
    cursor.expect_sign(']')?;
    Ok(WriteValue::Texts(texts))
}

fn refuse(what: &str, nearest: &str) -> Statement {
    Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}
