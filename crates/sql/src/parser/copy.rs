//! COPY .. TO STDOUT.

use super::cursor::{Cursor, Result};
use super::{names, parenthesized, query};
use crate::ast::{Copy, CopyFormat, CopyOptions, ForceQuote, Statement, TableName, Unsupported};

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("COPY")?;
    let mut format = CopyFormat::Text;
    if cursor.is_word("BINARY") && !cursor.is_one_of_at(1, &["TO", "FROM"]) {
        cursor.advance();
        format = CopyFormat::Binary;
    }
    let query = if cursor.is_sign('(') {
        match query::statement(&parenthesized(cursor)?)? {
            Statement::Query(query) => query,
            refused => return Ok(refused),
        }
    } else {
        let table = names::table(cursor)?;
        let columns = if cursor.is_sign('(') {
            cursor.names_in_parentheses("a column's name")?
        } else {
            Vec::new()
        };
        query::of_text(&select(&table, &columns))?
    };
    if cursor.eat("FROM") {
        return Ok(refuse(
            "COPY .. FROM",
            "CREATE EXTERNAL TABLE over the files",
        ));
    }
    cursor.expect("TO")?;
    if !cursor.eat("STDOUT") {
        if cursor.is_string() || cursor.is_word("PROGRAM") {
            return Ok(refuse("COPY .. TO a file", "COPY .. TO STDOUT"));
        }
        return Err(cursor.expected("STDOUT"));
    }
    let mut copy = Copy {
        query,
        format,
        options: CopyOptions::default(),
    };
    cursor.eat("WITH");
    if cursor.eat_sign('(') {
        cursor.list(|cursor| option(cursor, &mut copy))?;
        cursor.expect_sign(')')?;
    } else {
        while !cursor.at_end() {
            old_option(cursor, &mut copy)?;
        }
    }
    Ok(Statement::Copy(copy))
}

fn refuse(what: &str, nearest: &str) -> Statement {
    Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}

fn select(table: &TableName, columns: &[String]) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let list = if list.is_empty() {
        "*".to_owned()
    } else {
        list.join(", ")
    };
    let path: Vec<String> = [&table.catalog, &table.database]
        .into_iter()
        .flatten()
        .chain([&table.table])
        .map(|part| quoted(part))
        .collect();
    format!("SELECT {list} FROM {}", path.join("."))
}

/// One option in parentheses: `FORMAT csv`, `HEADER [true]` …
fn option(cursor: &mut Cursor<'_>, copy: &mut Copy) -> Result<()> {
    if cursor.eat("FORMAT") {
        let before = *cursor;
        copy.format = match cursor.name_or_string("a format")?.as_str() {
            "text" => CopyFormat::Text,
            "csv" => CopyFormat::Csv,
            "binary" => CopyFormat::Binary,
            _ => return Err(before.expected("text, csv or binary")),
        };
    } else if cursor.eat("HEADER") {
        copy.options.header = boolean(cursor);
    } else if cursor.eat_any(&["FREEZE"]) {
        boolean(cursor);
    } else if cursor.eat("FORCE_QUOTE") {
        copy.options.force_quote = if cursor.eat_sign('*') {
            ForceQuote::All
        } else {
            ForceQuote::Columns(cursor.names_in_parentheses("a column's name")?)
        };
    } else {
        text_option(cursor, copy)?;
    }
    Ok(())
}

/// Options from before Postgres 9: `BINARY`, `CSV HEADER`, `DELIMITER AS ','`.
fn old_option(cursor: &mut Cursor<'_>, copy: &mut Copy) -> Result<()> {
    if cursor.eat("BINARY") {
        copy.format = CopyFormat::Binary;
    } else if cursor.eat("CSV") {
        copy.format = CopyFormat::Csv;
    } else if cursor.eat("HEADER") {
        copy.options.header = true;
    } else if cursor.eat_all("FORCE QUOTE") {
        copy.options.force_quote = if cursor.eat_sign('*') {
            ForceQuote::All
        } else {
            ForceQuote::Columns(cursor.list(|cursor| cursor.name("a column's name"))?)
        };
    } else {
        text_option(cursor, copy)?;
    }
    Ok(())
}

fn text_option(cursor: &mut Cursor<'_>, copy: &mut Copy) -> Result<()> {
    let options = &mut copy.options;
    for (word, slot) in [
        ("DELIMITER", &mut options.delimiter),
        ("NULL", &mut options.null),
        ("QUOTE", &mut options.quote),
        ("ESCAPE", &mut options.escape),
        ("ENCODING", &mut options.encoding),
    ] {
        if cursor.eat(word) {
            cursor.eat("AS");
            *slot = Some(cursor.string(&format!("a string after {word}"))?);
            return Ok(());
        }
    }
    Err(cursor.expected("FORMAT, HEADER, DELIMITER, NULL, QUOTE, ESCAPE, FORCE_QUOTE or ENCODING"))
}

/// `[true|false|on|off|1|0]`; empty means true.
fn boolean(cursor: &mut Cursor<'_>) -> bool {
    if let Some(number) = cursor.number() {
        return number != "0";
    }
    if cursor.eat_any(&["FALSE", "OFF"]) {
        return false;
    }
    cursor.eat_any(&["TRUE", "ON", "MATCH"]);
    true
}
