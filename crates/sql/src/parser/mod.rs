//! Text to statements: dispatch on the first words, then one file per family.
//!
//! Queries go to `sqlparser` (`query`); everything else is parsed by recursive descent on the
//! crate's own tokens (`cursor`). Nesting is bounded everywhere, so no text can exhaust the stack.

mod access;
mod alter;
mod alter_column;
mod analyze;
mod array_types;
pub(crate) mod calls;
mod comment;
mod complexity;
mod copy;
mod cursor;
mod cursors;
mod database;
mod explain;
mod frames;
mod full_names;
mod grants;
mod grouping;
mod index;
mod joins;
mod json_operators;
mod lists;
mod literal;
mod named_queries;
mod names;
mod normalize;
mod only;
mod partitions;
mod prepared;
mod query;
mod query_error;
mod recursive;
mod repeated;
mod reserved;
mod returning;
mod row_fields;
mod rows_from;
mod sample;
mod search;
mod select_into;
mod session;
mod show;
mod show_stats;
mod spellings;
mod strings;
mod substrings;
mod table;
mod table_columns;
mod table_like;
mod temporary;
mod ties;
mod tokens;
mod transaction;
mod typed_texts;
mod types;
mod unicode;
mod unsupported;
mod view;
mod whole_rows;
mod workgroup;
mod write;

#[cfg(test)]
mod tests;

use cursor::{Cursor, Result, unterminated};

use crate::ast::Statement;
use crate::lexer::{self, TokenKind};
use crate::{MAX_TEXT_CHARS, ParseError, Parsed};

/// How deeply EXPLAIN, PREPARE and DECLARE may nest.
const MAX_NESTED_STATEMENTS: usize = 4;

pub(crate) fn parse(sql: &str) -> Result<Vec<Parsed>> {
    check_length(sql)?;
    let mut position = Positions::default();
    lexer::split(sql)
        .iter()
        .filter_map(|raw| raw.span().map(|span| (raw, span)))
        .map(|(raw, (start, end))| {
            if let Some(open) = raw.tokens.iter().find(|token| token.unterminated) {
                return Err(unterminated(sql, *open));
            }
            Ok(Parsed {
                statement: statement(Cursor::new(sql, &raw.tokens), 0)?,
                text: sql.get(start..end).unwrap_or_default().to_owned(),
                position: position.of(sql, start),
            })
        })
        .collect()
}

fn check_length(sql: &str) -> Result<()> {
    if sql.len() <= MAX_TEXT_CHARS || sql.chars().nth(MAX_TEXT_CHARS).is_none() {
        return Ok(());
    }
    Err(ParseError {
        message: format!("the text has more than {MAX_TEXT_CHARS} characters"),
        position: None,
        hint: Some(
            "send it in several statements, or join with a table instead of a long list".to_owned(),
        ),
    })
}

/// Character positions of increasing byte offsets, counted incrementally.
#[derive(Default)]
struct Positions {
    offset: usize,
    chars: usize,
}

impl Positions {
    fn of(&mut self, sql: &str, offset: usize) -> usize {
        self.chars += sql
            .get(self.offset..offset)
            .unwrap_or_default()
            .chars()
            .count();
        self.offset = offset;
        self.chars + 1
    }
}

/// One statement, which must extend to the end of the cursor.
fn statement(mut cursor: Cursor<'_>, depth: usize) -> Result<Statement> {
    if depth > MAX_NESTED_STATEMENTS {
        return Err(cursor.error(format!(
            "statements nest at most {MAX_NESTED_STATEMENTS} deep in EXPLAIN, PREPARE and DECLARE"
        )));
    }
    if cursor.is_sign('(') {
        return query::statement(&cursor);
    }
    let Some(word) = cursor.word_at(0).map(str::to_ascii_uppercase) else {
        return Err(cursor.expected("a statement"));
    };
    match word.as_str() {
        "SELECT" => return select_into::statement(&cursor),
        "WITH" => {
            return match write::behind_with(&cursor) {
                Some(place) => write::insert_with(&cursor, place),
                None => select_into::statement(&cursor),
            };
        }
        "VALUES" => return query::statement(&cursor),
        "TABLE" if !cursor.is_sign_at(1, '(') => return query::statement(&cursor),
        _ => {}
    }
    if let Some(refused) = unsupported::recognise(&cursor) {
        return Ok(Statement::Unsupported(refused));
    }
    let parsed = match word.as_str() {
        "EXPLAIN" => explain::explain(&mut cursor, depth),
        "COPY" => copy::copy(&mut cursor),
        "INSERT" => write::insert(&mut cursor),
        "UNLOAD" => write::unload(&mut cursor),
        "TRUNCATE" => write::truncate(&mut cursor),
        "DELETE" => write::delete(&mut cursor),
        "USE" => database::use_database(&mut cursor),
        "CREATE" => create(&mut cursor),
        "ALTER" => alter(&mut cursor),
        "DROP" => drop(&mut cursor),
        "ANALYZE" | "ANALYSE" => analyze::analyze(&mut cursor),
        "COMMENT" => comment::comment(&mut cursor),
        "MSCK" => partitions::msck(&mut cursor),
        "SHOW" => show::show(&mut cursor),
        "DESCRIBE" | "DESC" => show::describe(&mut cursor),
        "GRANT" => grants::grant(&mut cursor),
        "REVOKE" => grants::revoke(&mut cursor),
        "KILL" => workgroup::kill(&mut cursor),
        "SET" => session::set(&mut cursor),
        "RESET" => session::reset(&mut cursor),
        "DISCARD" => session::discard(&mut cursor),
        "UNLISTEN" => session::unlisten(&mut cursor),
        "LOCK" => session::lock(&mut cursor),
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            transaction::statement(&mut cursor)
        }
        "PREPARE" => prepared::prepare(&mut cursor, depth),
        "EXECUTE" => prepared::execute(&mut cursor, depth),
        "DEALLOCATE" => prepared::deallocate(&mut cursor),
        "DECLARE" => cursors::declare(&mut cursor),
        "FETCH" | "MOVE" => cursors::fetch(&mut cursor),
        "CLOSE" => cursors::close(&mut cursor),
        _ => Err(cursor.expected("a statement")),
    }?;
    if !matches!(parsed, Statement::Unsupported(_)) {
        cursor.expect_end()?;
    }
    Ok(parsed)
}

fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("CREATE")?;
    if cursor.eat_any(&["DATABASE", "SCHEMA"]) {
        database::create(cursor)
    } else if cursor.is_one_of(&["TABLE", "EXTERNAL"]) {
        table::create(cursor, false)
    } else if cursor.is_word("OR")
        && cursor.is_word_at(1, "REPLACE")
        && cursor.is_word_at(2, "TABLE")
    {
        cursor.expect_all("OR REPLACE")?;
        table::create(cursor, true)
    } else if cursor.eat("INDEX") {
        index::create(cursor)
    } else if cursor.eat("VIEW") {
        view::create(cursor, false, false)
    } else if cursor.eat_all("OR REPLACE VIEW") {
        view::create(cursor, true, false)
    } else if let Some(or_replace) = temporary::begun(cursor) {
        temporary::create(cursor, or_replace)
    } else if cursor.eat("USER") {
        access::create_user(cursor)
    } else if cursor.eat("ROLE") {
        access::create_role(cursor)
    } else if cursor.eat("WORKGROUP") {
        workgroup::create(cursor)
    } else {
        Err(cursor.expected(
            "DATABASE, TABLE, EXTERNAL TABLE, VIEW, USER, ROLE or WORKGROUP after CREATE",
        ))
    }
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("ALTER")?;
    if cursor.eat_any(&["DATABASE", "SCHEMA"]) {
        database::alter(cursor)
    } else if cursor.eat("TABLE") {
        alter::table(cursor)
    } else if cursor.eat("VIEW") {
        alter::view(cursor)
    } else if cursor.eat("USER") || cursor.eat("ROLE") {
        access::alter_user(cursor)
    } else if cursor.eat("WORKGROUP") {
        workgroup::alter(cursor)
    } else {
        Err(cursor.expected("DATABASE, TABLE, VIEW, USER or WORKGROUP after ALTER"))
    }
}

fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DROP")?;
    if cursor.eat_any(&["DATABASE", "SCHEMA"]) {
        database::drop(cursor)
    } else if cursor.eat("TABLE") {
        table::drop(cursor)
    } else if cursor.eat("INDEX") {
        index::drop(cursor)
    } else if cursor.eat("VIEW") {
        view::drop(cursor)
    } else if cursor.eat("USER") {
        access::drop_user(cursor)
    } else if cursor.eat("ROLE") {
        access::drop_role(cursor)
    } else if cursor.eat("WORKGROUP") {
        workgroup::drop(cursor)
    } else {
        Err(cursor.expected("DATABASE, TABLE, VIEW, USER, ROLE or WORKGROUP after DROP"))
    }
}

/// The tokens inside the parentheses that open at the cursor, which moves past them.
fn parenthesized<'a>(cursor: &mut Cursor<'a>) -> Result<Cursor<'a>> {
    cursor.expect_sign('(')?;
    let mut depth = 0usize;
    for (index, token) in cursor.rest().iter().enumerate() {
        match token.kind {
            TokenKind::Sign('(') => depth += 1,
            TokenKind::Sign(')') if depth == 0 => {
                let inner = cursor.limited(index);
                for _ in 0..=index {
                    cursor.advance();
                }
                return Ok(inner);
            }
            TokenKind::Sign(')') => depth -= 1,
            _ => {}
        }
    }
    let mut end = *cursor;
    end.skip_rest();
    Err(end.expected("\")\""))
}
