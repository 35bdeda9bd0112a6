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
    cursor.word_at(1).is_some_and(|word| {
        OPTIONS
            .iter()
            .any(|option| option.eq_ignore_ascii_case(word))
    })
}

const OPTIONS: [&str; 14] = [
    "FORMAT",
    "TYPE",
    "ANALYZE",
    "ANALYSE",
    "VERBOSE",
    "COSTS",
    "SETTINGS",
    "GENERIC_PLAN",
    "BUFFERS",
    "SERIALIZE",
    "WAL",
    "TIMING",
    "SUMMARY",
    "MEMORY",
];

fn option(cursor: &mut Cursor<'_>, explain: &mut Explain) -> Result<()> {
    if cursor.eat("FORMAT") {
        explain.format = Some(cursor.name_or_string("a format")?.to_uppercase());
    } else if cursor.eat("TYPE") {
        explain.plan_type = Some(cursor.name_or_string("a type of plan")?.to_uppercase());
    } else if cursor.eat_any(&["ANALYZE", "ANALYSE"]) {
        explain.analyze = boolean(cursor)?;
    } else if cursor.eat("VERBOSE") {
        explain.verbose = boolean(cursor)?;
    } else if OPTIONS.iter().any(|option| cursor.is_word(option)) {
        // Postgres' additions to the plan are accepted and ignored.
        cursor.advance();
        boolean(cursor)?;
    } else {
        return Err(cursor.expected("FORMAT, TYPE, ANALYZE or VERBOSE"));
    }
    Ok(())
}

/// `[true|false|on|off|1|0|none|text|binary]`; empty means true.
fn boolean(cursor: &mut Cursor<'_>) -> Result<bool> {
    if cursor.is_sign(',') || cursor.is_sign(')') {
        return Ok(true);
    }
    if let Some(number) = cursor.number() {
        return Ok(number != "0");
    }
    let value = cursor.name_or_string("TRUE or FALSE")?;
    Ok(!matches!(value.as_str(), "false" | "off" | "none"))
}
