//! DECLARE, FETCH, MOVE and CLOSE.

use super::cursor::{Cursor, Result};
use super::{names, query};
use crate::ast::{CloseCursor, DeclareCursor, Fetch, FetchDirection, Statement};

pub(super) fn declare(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DECLARE")?;
    let name = names::folded(cursor, "a cursor's name")?;
    let mut binary = false;
    let mut scroll = None;
    loop {
        if cursor.eat("BINARY") {
            binary = true;
        } else if cursor.eat_all("NO SCROLL") {
            scroll = Some(false);
        } else if cursor.eat("SCROLL") {
            scroll = Some(true);
        } else if !cursor.eat_any(&["INSENSITIVE", "ASENSITIVE"]) {
            break;
        }
    }
    cursor.expect("CURSOR")?;
    let hold = cursor.eat_all("WITH HOLD");
    if !hold {
        cursor.eat_all("WITHOUT HOLD");
    }
    cursor.expect("FOR")?;
    let text = cursor.rest_text().to_owned();
    let declared = match query::statement(cursor)? {
        Statement::Query(query) => DeclareCursor {
            name,
            binary,
            scroll,
            hold,
            query,
            text,
        },
        refused => return Ok(refused),
    };
    cursor.skip_rest();
    Ok(Statement::DeclareCursor(declared))
}

/// FETCH and MOVE.
pub(super) fn fetch(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let moves = cursor.is_word("MOVE");
    cursor.advance();
    let direction = if cursor.is_one_of(&["FROM", "IN"]) || cursor.rest().len() == 1 {
        FetchDirection::Next
    } else {
        direction(cursor)?
    };
    cursor.eat_any(&["FROM", "IN"]);
    let name = names::folded(cursor, "a cursor's name")?;
    let fetch = Fetch { name, direction };
    Ok(if moves {
        Statement::MoveCursor(fetch)
    } else {
        Statement::Fetch(fetch)
    })
}

fn direction(cursor: &mut Cursor<'_>) -> Result<FetchDirection> {
    if let Some(count) = count(cursor)? {
        return Ok(FetchDirection::Forward(count));
    }
    for (word, direction) in [
        ("NEXT", FetchDirection::Next),
        ("PRIOR", FetchDirection::Prior),
        ("FIRST", FetchDirection::First),
        ("LAST", FetchDirection::Last),
        ("ALL", FetchDirection::ForwardAll),
    ] {
        if cursor.eat(word) {
            return Ok(direction);
        }
    }
    if cursor.eat("FORWARD") {
        if cursor.eat("ALL") {
            return Ok(FetchDirection::ForwardAll);
        }
        return Ok(FetchDirection::Forward(count(cursor)?.unwrap_or(1)));
    }
    if cursor.eat("BACKWARD") {
        if cursor.eat("ALL") {
            return Ok(FetchDirection::BackwardAll);
        }
        return Ok(FetchDirection::Backward(count(cursor)?.unwrap_or(1)));
    }
    if cursor.eat("ABSOLUTE") {
        return needed(cursor).map(FetchDirection::Absolute);
    }
    if cursor.eat("RELATIVE") {
        return needed(cursor).map(FetchDirection::Relative);
    }
    Err(cursor.expected(
        "a count, NEXT, PRIOR, FIRST, LAST, ALL, FORWARD, BACKWARD, ABSOLUTE or RELATIVE",
    ))
}

fn needed(cursor: &mut Cursor<'_>) -> Result<i64> {
    match count(cursor)? {
        Some(count) => Ok(count),
        None => Err(cursor.expected("a number")),
    }
}

fn count(cursor: &mut Cursor<'_>) -> Result<Option<i64>> {
    let before = *cursor;
    let Some(number) = cursor.number() else {
        return Ok(None);
    };
    match number.parse() {
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(before.error(format!(
            "{number} is not a whole number of rows that fits 64 bits"
        ))),
    }
}

pub(super) fn close(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("CLOSE")?;
    let name = if cursor.eat("ALL") {
        None
    } else {
        Some(names::folded(cursor, "a cursor's name")?)
    };
    Ok(Statement::CloseCursor(CloseCursor { name }))
}
