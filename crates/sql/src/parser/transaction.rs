//! Transactions and savepoints.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{
    Begin, EndTransaction, Isolation, Savepoint, Statement, TransactionModes, Unsupported,
};

pub(super) fn statement(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.eat("BEGIN") {
        cursor.eat_any(&["WORK", "TRANSACTION"]);
        let modes = modes(cursor)?;
        return Ok(Statement::Begin(Begin {
            modes,
            start: false,
        }));
    }
    if cursor.eat("START") {
        cursor.expect("TRANSACTION")?;
        let modes = modes(cursor)?;
        return Ok(Statement::Begin(Begin { modes, start: true }));
    }
    if cursor.eat("SAVEPOINT") {
        return savepoint(cursor).map(Statement::Savepoint);
    }
    if cursor.eat("RELEASE") {
        return eat_savepoint(cursor).map(Statement::ReleaseSavepoint);
    }
    if cursor.eat_any(&["COMMIT", "END"]) {
        if let Some(refused) = two_phase(cursor, "COMMIT PREPARED") {
            return Ok(refused);
        }
        return end(cursor).map(Statement::Commit);
    }
    cursor.advance();
    if let Some(refused) = two_phase(cursor, "ROLLBACK PREPARED") {
        return Ok(refused);
    }
    cursor.eat_any(&["WORK", "TRANSACTION"]);
    if cursor.eat("TO") {
        return eat_savepoint(cursor).map(Statement::RollbackTo);
    }
    end(cursor).map(Statement::Rollback)
}

fn two_phase(cursor: &Cursor<'_>, what: &str) -> Option<Statement> {
    cursor.is_word("PREPARED").then(|| {
        Statement::Unsupported(Unsupported {
            what: what.to_owned(),
            nearest: Some("COMMIT or ROLLBACK".to_owned()),
        })
    })
}

/// `[SAVEPOINT] n`
fn eat_savepoint(cursor: &mut Cursor<'_>) -> Result<Savepoint> {
    if cursor.is_word("SAVEPOINT") && cursor.rest().len() > 1 {
        cursor.advance();
    }
    savepoint(cursor)
}

fn savepoint(cursor: &mut Cursor<'_>) -> Result<Savepoint> {
    let name = names::folded(cursor, "a savepoint's name")?;
    Ok(Savepoint { name })
}

/// `[WORK|TRANSACTION] [AND [NO] CHAIN]`
fn end(cursor: &mut Cursor<'_>) -> Result<EndTransaction> {
    cursor.eat_any(&["WORK", "TRANSACTION"]);
    let mut chain = false;
    if cursor.eat("AND") {
        chain = !cursor.eat("NO");
        cursor.expect("CHAIN")?;
    }
    Ok(EndTransaction { chain })
}

/// Modes to the end of the statement, commas optional.
pub(super) fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    while !cursor.at_end() {
        if cursor.eat_all("ISOLATION LEVEL") {
            modes.isolation = Some(isolation(cursor)?);
        } else if cursor.eat_all("READ ONLY") {
            modes.read_only = Some(true);
        } else if cursor.eat_all("READ WRITE") {
            modes.read_only = Some(false);
        } else if cursor.eat_all("NOT DEFERRABLE") {
            modes.deferrable = Some(false);
        } else if cursor.eat("DEFERRABLE") {
            modes.deferrable = Some(true);
        } else {
            return Err(cursor.expected("ISOLATION LEVEL, READ ONLY, READ WRITE or DEFERRABLE"));
        }
        if cursor.eat_sign(',') && cursor.at_end() {
            return Err(cursor.expected("a transaction mode"));
        }
    }
    Ok(modes)
}

fn isolation(cursor: &mut Cursor<'_>) -> Result<Isolation> {
    for (words, level) in [
        ("READ UNCOMMITTED", Isolation::ReadUncommitted),
        ("READ COMMITTED", Isolation::ReadCommitted),
        ("REPEATABLE READ", Isolation::RepeatableRead),
        ("SERIALIZABLE", Isolation::Serializable),
    ] {
        if cursor.eat_all(words) {
            return Ok(level);
        }
    }
    Err(cursor.expected("READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ or SERIALIZABLE"))
}
