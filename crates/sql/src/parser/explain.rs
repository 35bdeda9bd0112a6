//! EXPLAIN, with Athena's and Postgres' options. Of a statement that writes, it shows the plan of
//! the query; with ANALYZE, the statement runs. The query of a DELETE depends on its table, so it is
//! made later.

use super::cursor::{Cursor, Result};
use crate::ast::{Explain, Statement, Unsupported};

pub(super) fn explain(cursor: &mut Cursor<'_>, depth: usize) -> Result<Statement> {
    cursor.expect("EXPLAIN")?;
    let mut explain = Explain {
        analyze: false,
        verbose: false,
        costs: true,
        timing: None,
        summary: None,
        wal: false,
        generic_plan: false,
        format: None,
        plan_type: None,
        statement: Box::new(Statement::Unlisten),
    };
    loop {
        if cursor.eat_any(&["ANALYZE", "ANALYSE"]) {
            explain.analyze = true;
        } else if cursor.eat("VERBOSE") {
            explain.verbose = true;
        } else if cursor.eat("FORMAT") {
            explain.format = Some(cursor.name_or_string("a format")?.to_uppercase());
        } else if cursor.is_sign('(') && holds_options(cursor) {
            cursor.advance();
            cursor.list(|cursor| option(cursor, &mut explain))?;
            cursor.expect_sign(')')?;
        } else {
            break;
        }
    }
    let inner = super::statement(*cursor, depth + 1)?;
    cursor.skip_rest();
    let tag = inner.tag();
    match inner {
        Statement::CreateTableAs(_) | Statement::Insert(_) | Statement::Unload(_)
            if explain.analyze =>
        {
            explain.statement = Box::new(inner);
            Ok(Statement::Explain(explain))
        }
        Statement::CreateTableAs(create) => {
            explain.statement = Box::new(Statement::Query(create.query));
            Ok(Statement::Explain(explain))
        }
        Statement::Insert(insert) => {
            explain.statement = Box::new(Statement::Query(insert.query));
            Ok(Statement::Explain(explain))
        }
        Statement::Unload(unload) => {
            explain.statement = Box::new(Statement::Query(unload.query));
            Ok(Statement::Explain(explain))
        }
        Statement::Query(_) | Statement::Execute(_) | Statement::Delete(_) => {
            explain.statement = Box::new(inner);
            Ok(Statement::Explain(explain))
        }
        Statement::DeclareCursor(declared) => {
            explain.statement = Box::new(Statement::Query(declared.query));
            Ok(Statement::Explain(explain))
        }
        Statement::Unsupported(refused) => Ok(Statement::Unsupported(Unsupported {
            what: format!("EXPLAIN {}", refused.what),
            nearest: Some("EXPLAIN of a query".to_owned()),
        })),
        _ => Ok(Statement::Unsupported(Unsupported {
            what: format!("EXPLAIN {tag}"),
            nearest: Some("EXPLAIN of a query".to_owned()),
        })),
    }
}

/// Whether a parenthesis opens options rather than a query.
fn holds_options(cursor: &Cursor<'_>) -> bool {
    cursor.word_at(1).is_some() && !cursor.is_one_of_at(1, &QUERIES)
}

/// How a query begins.
const QUERIES: [&str; 5] = ["SELECT", "WITH", "VALUES", "TABLE", "FROM"];

/// Options of PostgreSQL that add nothing to a plan here.
const IGNORED: [&str; 3] = ["SETTINGS", "BUFFERS", "MEMORY"];

fn option(cursor: &mut Cursor<'_>, explain: &mut Explain) -> Result<()> {
    let option = *cursor;
    if cursor.eat("FORMAT") {
        explain.format = Some(cursor.name_or_string("a format")?.to_uppercase());
    } else if cursor.eat("TYPE") {
        explain.plan_type = Some(cursor.name_or_string("a type of plan")?.to_uppercase());
    } else if cursor.eat_any(&["ANALYZE", "ANALYSE"]) {
        explain.analyze = boolean(cursor, "analyze")?;
    } else if cursor.eat("VERBOSE") {
        explain.verbose = boolean(cursor, "verbose")?;
    } else if cursor.eat("COSTS") {
        explain.costs = boolean(cursor, "costs")?;
    } else if cursor.eat("TIMING") {
        explain.timing = Some(boolean(cursor, "timing")?);
    } else if cursor.eat("SUMMARY") {
        explain.summary = Some(boolean(cursor, "summary")?);
    } else if cursor.eat("WAL") {
        explain.wal = boolean(cursor, "wal")?;
    } else if cursor.eat("GENERIC_PLAN") {
        explain.generic_plan = boolean(cursor, "generic_plan")?;
    } else if cursor.eat("SERIALIZE") {
        if !cursor.eat_any(&["NONE", "TEXT", "BINARY"]) {
            boolean(cursor, "serialize")?;
        }
    } else if let Some(ignored) = IGNORED.iter().find(|option| cursor.is_word(option)) {
        cursor.advance();
        boolean(cursor, &ignored.to_lowercase())?;
    } else {
        let name = cursor.name("FORMAT, TYPE, ANALYZE or VERBOSE")?;
        return Err(option.error(format!("unrecognized EXPLAIN option \"{name}\"")));
    }
    Ok(())
}

/// `[true|false|on|off|1|0]`, as PostgreSQL's options have them; empty means true.
fn boolean(cursor: &mut Cursor<'_>, option: &str) -> Result<bool> {
    if cursor.is_sign(',') || cursor.is_sign(')') {
        return Ok(true);
    }
    let start = *cursor;
    let value = match cursor.number() {
        Some(number) => number,
        None => cursor.name_or_string("TRUE or FALSE")?,
    };
    match value.as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(start.error(format!("{option} requires a Boolean value"))),
    }
}
