//! COPY .. TO STDOUT and COPY .. FROM STDIN.

use super::cursor::{Cursor, Result};
use super::{names, parenthesized, query, returning};
use crate::ast::{
    Copy, CopyFormat, CopyFrom, CopyHeader, CopyOptions, ForcedColumns, Statement, TableName,
    Unsupported,
};

/// What is copied, before it is known in which direction.
enum Side {
    Query(Statement),
    Table(TableName, Vec<String>),
}

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("COPY")?;
    let mut given = Given::default();
    if cursor.is_word("BINARY") && !cursor.is_one_of_at(1, &["TO", "FROM"]) {
        cursor.advance();
        given.format = Some(CopyFormat::Binary);
    }
    let side = if cursor.is_sign('(') {
        Side::Query(query::statement(&parenthesized(cursor)?)?)
    } else {
        let table = names::table(cursor)?;
        let columns = if cursor.is_sign('(') {
            cursor.names_in_parentheses("a column's name")?
        } else {
            Vec::new()
        };
        Side::Table(table, columns)
    };
    match side {
        Side::Table(table, columns) if cursor.eat("FROM") => from(cursor, table, columns, given),
        Side::Query(Statement::Query(query)) => to(cursor, query, given),
        Side::Query(refused) => Ok(refused),
        Side::Table(table, columns) => {
            let query = query::of_text(&select(&table, &columns))?;
            to(cursor, query, given)
        }
    }
}

fn to(
    cursor: &mut Cursor<'_>,
    query: Box<sqlparser::ast::Query>,
    mut given: Given,
) -> Result<Statement> {
    cursor.expect("TO")?;
    // As in PostgreSQL, either word may stand for the client: PHP's PDO writes TO STDIN.
    if !cursor.eat_any(&["STDOUT", "STDIN"]) {
        if cursor.is_string() || cursor.is_word("PROGRAM") {
            return Ok(refuse("COPY .. TO a file", "COPY .. TO STDOUT"));
        }
        return Err(cursor.expected("STDOUT"));
    }
    options(cursor, &mut given)?;
    Ok(Statement::Copy(Copy {
        query,
        format: given.format.unwrap_or_default(),
        options: given.options,
    }))
}

/// After FROM.
fn from(
    cursor: &mut Cursor<'_>,
    table: TableName,
    columns: Vec<String>,
    mut given: Given,
) -> Result<Statement> {
    if !cursor.eat_any(&["STDIN", "STDOUT"]) {
        if cursor.is_string() || cursor.is_word("PROGRAM") {
            return Ok(refuse("COPY .. FROM a file", "COPY .. FROM STDIN"));
        }
        return Err(cursor.expected("STDIN"));
    }
    options(cursor, &mut given)?;
    let condition = match cursor.eat("WHERE") {
        true => match returning::condition(cursor, &table)? {
            Statement::Query(condition) => Some(condition),
            refused => return Ok(refused),
        },
        false => None,
    };
    if condition.is_some() {
        cursor.skip_rest();
    }
    Ok(Statement::CopyFrom(Box::new(CopyFrom {
        table,
        columns,
        condition,
        format: given.format.unwrap_or_default(),
        options: given.options,
    })))
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

/// The options so far.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    options: CopyOptions,
    /// Names of the options that were given.
    seen: Vec<String>,
}

impl Given {
    /// Notes an option.
    ///
    /// # Errors
    /// It is given twice.
    fn sees(&mut self, name: &str, at: &Cursor<'_>) -> Result<()> {
        if self.seen.iter().any(|seen| seen == name) {
            return Err(at.error("conflicting or redundant options".to_owned()));
        }
        self.seen.push(name.to_owned());
        Ok(())
    }
}

/// `[WITH] (option, ..)`, or the options of before PostgreSQL 9.
fn options(cursor: &mut Cursor<'_>, given: &mut Given) -> Result<()> {
    if given.format.is_some() {
        given.seen.push("format".to_owned());
    }
    let has_with = cursor.eat("WITH");
    if !cursor.eat_sign('(') {
        if has_with && cursor.at_end() {
            return Err(cursor.expected("options after WITH"));
        }
        while !cursor.at_end() && !cursor.is_word("WHERE") {
            old_option(cursor, given)?;
        }
        return Ok(());
    }
    cursor.list(|cursor| option(cursor, given))?;
    cursor.expect_sign(')')
}

/// One option in parentheses: `FORMAT csv`, `HEADER [true]` …
fn option(cursor: &mut Cursor<'_>, given: &mut Given) -> Result<()> {
    let before = *cursor;
    let name = cursor.name("an option of COPY")?;
    given.sees(&name, &before)?;
    let options = &mut given.options;
    match name.as_str() {
        "format" => {
            let at = *cursor;
            let format = argument(cursor, &name)?;
            given.format = Some(match format.as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                other => return Err(at.error(format!("COPY format \"{other}\" not recognized"))),
            });
        }
        "header" => {
            options.header = match optional(cursor)? {
                None => CopyHeader::Line,
                Some(value) => header(&value, &before)?,
            };
        }
        // Rows are in new files anyway.
        "freeze" => {
            if let Some(value) = optional(cursor)? {
                boolean(&value)
                    .ok_or_else(|| before.error("freeze requires a Boolean value".to_owned()))?;
            }
        }
        "delimiter" => options.delimiter = Some(argument(cursor, &name)?),
        "null" => options.null = Some(argument(cursor, &name)?),
        "quote" => options.quote = Some(argument(cursor, &name)?),
        "escape" => options.escape = Some(argument(cursor, &name)?),
        "encoding" => options.encoding = Some(argument(cursor, &name)?),
        "force_quote" => options.force_quote = columns(cursor, &name, &before)?,
        "force_not_null" => options.force_not_null = columns(cursor, &name, &before)?,
        "force_null" => options.force_null = columns(cursor, &name, &before)?,
        "default" => options.default = Some(argument(cursor, &name)?),
        "on_error" => {
            let action = argument(cursor, &name)?;
            options.ignore_errors = action.eq_ignore_ascii_case("ignore");
            if !options.ignore_errors && !action.eq_ignore_ascii_case("stop") {
                return Err(before.error(format!("COPY ON_ERROR \"{action}\" not recognized")));
            }
        }
        other => return Err(before.error(format!("option \"{other}\" not recognized"))),
    }
    Ok(())
}

/// The value of an option, if it has one.
fn optional(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.is_sign(',') || cursor.is_sign(')') {
        return Ok(None);
    }
    if let Some(number) = cursor.number() {
        return Ok(Some(number));
    }
    // Strings in double quotes are names here.
    if cursor.is_name() {
        return names::folded(cursor, "a value").map(Some);
    }
    cursor.string("a value").map(Some)
}

/// The value that an option must have.
fn argument(cursor: &mut Cursor<'_>, name: &str) -> Result<String> {
    let before = *cursor;
    optional(cursor)?.ok_or_else(|| before.error(format!("{name} requires a parameter")))
}

/// The columns that an option must have: all, or a list. `before`: the cursor at the option.
fn columns(cursor: &mut Cursor<'_>, name: &str, before: &Cursor<'_>) -> Result<ForcedColumns> {
    if cursor.eat_sign('*') {
        return Ok(ForcedColumns::All);
    }
    if !cursor.eat_sign('(') {
        return Err(before.error(format!(
            "argument to option \"{name}\" must be a list of column names"
        )));
    }
    let columns = cursor.list(|cursor| cursor.name_or_string("a column's name"))?;
    cursor.expect_sign(')')?;
    Ok(ForcedColumns::Columns(columns))
}

fn header(value: &str, at: &Cursor<'_>) -> Result<CopyHeader> {
    if value.eq_ignore_ascii_case("match") {
        return Ok(CopyHeader::Match);
    }
    match boolean(value) {
        Some(true) => Ok(CopyHeader::Line),
        Some(false) => Ok(CopyHeader::Absent),
        None => Err(at.error("header requires a Boolean value or \"match\"".to_owned())),
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// All columns, or a list without parentheses.
fn old_columns(cursor: &mut Cursor<'_>) -> Result<ForcedColumns> {
    if cursor.eat_sign('*') {
        return Ok(ForcedColumns::All);
    }
    let columns = cursor.list(|cursor| cursor.name("a column's name"))?;
    Ok(ForcedColumns::Columns(columns))
}

/// Options from before PostgreSQL 9: `BINARY`, `CSV HEADER`, `DELIMITER AS ','`.
fn old_option(cursor: &mut Cursor<'_>, given: &mut Given) -> Result<()> {
    let before = *cursor;
    let format = if cursor.eat("BINARY") {
        Some(CopyFormat::Binary)
    } else if cursor.eat("CSV") {
        Some(CopyFormat::Csv)
    } else {
        None
    };
    if format.is_some() {
        given.format = format;
        return given.sees("format", &before);
    }
    if cursor.eat("HEADER") {
        given.options.header = CopyHeader::Line;
        return given.sees("header", &before);
    }
    if cursor.eat("FREEZE") {
        return given.sees("freeze", &before);
    }
    if cursor.eat_all("FORCE QUOTE") {
        given.options.force_quote = old_columns(cursor)?;
        return given.sees("force_quote", &before);
    }
    if cursor.eat_all("FORCE NOT NULL") {
        given.options.force_not_null = old_columns(cursor)?;
        return given.sees("force_not_null", &before);
    }
    if cursor.eat_all("FORCE NULL") {
        given.options.force_null = old_columns(cursor)?;
        return given.sees("force_null", &before);
    }
    cursor.eat("USING");
    let words = [
        "DELIMITERS",
        "DELIMITER",
        "NULL",
        "QUOTE",
        "ESCAPE",
        "ENCODING",
    ];
    let Some(word) = words.into_iter().find(|word| cursor.eat(word)) else {
        return Err(cursor.expected(
            "BINARY, CSV, HEADER, DELIMITER, NULL, QUOTE, ESCAPE, FORCE QUOTE, FORCE NOT NULL, FORCE NULL or ENCODING",
        ));
    };
    cursor.eat("AS");
    let value = Some(cursor.string(&format!("a string after {word}"))?);
    let options = &mut given.options;
    let name = match word {
        "NULL" => {
            options.null = value;
            "null"
        }
        "QUOTE" => {
            options.quote = value;
            "quote"
        }
        "ESCAPE" => {
            options.escape = value;
            "escape"
        }
        "ENCODING" => {
            options.encoding = value;
            "encoding"
        }
        _ => {
            options.delimiter = value;
            "delimiter"
        }
    };
    given.sees(name, &before)
}
