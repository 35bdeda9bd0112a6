//! Session settings: SET, SHOW, RESET, DISCARD, UNLISTEN, and LOCK.

use super::cursor::{Cursor, Result};
use super::{names, transaction};
use crate::ast::{
    Discard, Reset, Set, SetScope, SetTransaction, SetValue, Show, Statement, Unsupported,
};
use crate::lexer::TokenKind;

pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("SET")?;
    if cursor.eat_all("SESSION CHARACTERISTICS AS TRANSACTION") {
        if cursor.at_end() {
            return Err(cursor.expected("a transaction mode"));
        }
        let modes = transaction::modes(cursor)?;
        return Ok(Statement::SetTransaction(SetTransaction {
            session: true,
            modes,
        }));
    }
    // As in PostgreSQL, SESSION and LOCAL mean nothing here.
    let place = usize::from(cursor.is_word("SESSION") || cursor.is_word("LOCAL"));
    if cursor.is_word_at(place, "TRANSACTION")
        && cursor.is_one_of_at(place + 1, &["ISOLATION", "READ", "NOT", "DEFERRABLE"])
    {
        for _ in 0..=place {
            cursor.advance();
        }
        let modes = transaction::modes(cursor)?;
        return Ok(Statement::SetTransaction(SetTransaction {
            session: false,
            modes,
        }));
    }
    if cursor.eat("CONSTRAINTS") {
        return constraints(cursor);
    }
    if let Some(what) = refused(cursor) {
        return Ok(Statement::Unsupported(Unsupported {
            what: what.to_owned(),
            nearest: None,
        }));
    }
    if cursor.eat_all("SESSION AUTHORIZATION") {
        return single(cursor, SetScope::Session, "session_authorization");
    }
    let scope = scope(cursor);
    if cursor.eat_all("SESSION AUTHORIZATION") {
        return single(cursor, scope, "session_authorization");
    }
    if cursor.eat_all("TIME ZONE") {
        return time_zone(cursor, scope);
    }
    if cursor.eat_all("XML OPTION") {
        let Some(option) = ["DOCUMENT", "CONTENT"]
            .into_iter()
            .find(|option| cursor.eat(option))
        else {
            return Err(cursor.expected("DOCUMENT or CONTENT"));
        };
        return Ok(Statement::Set(Set {
            scope,
            name: "xmloption".to_owned(),
            value: SetValue::Values(vec![option.to_lowercase()]),
        }));
    }
    if cursor.is_word("NAMES") && cursor.rest().len() == 1 {
        cursor.advance();
        return Ok(Statement::Set(Set {
            scope,
            name: "client_encoding".to_owned(),
            value: SetValue::Default,
        }));
    }
    for (word, name) in [
        ("NAMES", "client_encoding"),
        ("ROLE", "role"),
        ("SCHEMA", "search_path"),
    ] {
        let as_setting =
            cursor.is_sign_at(1, '=') || cursor.is_word_at(1, "TO") || cursor.is_sign_at(1, '.');
        if !as_setting && cursor.eat(word) {
            return single(cursor, scope, name);
        }
    }
    let name = setting_name(cursor)?;
    if !cursor.eat_sign('=') {
        if !cursor.is_word("TO") {
            return Err(cursor.expected("= or TO"));
        }
        cursor.advance();
    }
    let value = values(cursor)?;
    Ok(Statement::Set(Set { scope, name, value }))
}

/// After SET CONSTRAINTS: `{ALL|name, …} {DEFERRED|IMMEDIATE}`.
fn constraints(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let mut named = None;
    if !cursor.eat("ALL") {
        let names = cursor.list(|cursor| qualified(cursor, "a constraint's name"))?;
        named = names.into_iter().next();
    }
    if !cursor.eat_any(&["DEFERRED", "IMMEDIATE"]) {
        return Err(cursor.expected("DEFERRED or IMMEDIATE"));
    }
    Ok(Statement::SetConstraints(named))
}

fn refused(cursor: &Cursor<'_>) -> Option<&'static str> {
    if cursor.is_word("TRANSACTION") && cursor.is_word_at(1, "SNAPSHOT") {
        Some("SET TRANSACTION SNAPSHOT")
    } else if cursor.is_word("PATH")
        && cursor
            .word_at(1)
            .is_some_and(|word| !word.eq_ignore_ascii_case("TO"))
    {
        Some("SET PATH")
    } else {
        None
    }
}

fn scope(cursor: &mut Cursor<'_>) -> SetScope {
    // A setting may itself be named session or local.
    let qualified = cursor
        .word_at(1)
        .is_some_and(|word| !word.eq_ignore_ascii_case("TO"));
    if qualified && cursor.eat("LOCAL") {
        SetScope::Local
    } else {
        if qualified {
            cursor.eat("SESSION");
        }
        SetScope::Session
    }
}

fn setting_name(cursor: &mut Cursor<'_>) -> Result<String> {
    qualified(cursor, "a setting's name")
}

/// `name` or `name.part`, lower case.
fn qualified(cursor: &mut Cursor<'_>, what: &str) -> Result<String> {
    let mut name = cursor.name(what)?;
    while cursor.eat_sign('.') {
        name.push('.');
        name.push_str(&cursor.name(what)?);
    }
    Ok(name)
}

fn single(cursor: &mut Cursor<'_>, scope: SetScope, name: &str) -> Result<Statement> {
    let value = if cursor.eat("DEFAULT") {
        SetValue::Default
    } else {
        SetValue::Values(vec![value(cursor)?])
    };
    Ok(Statement::Set(Set {
        scope,
        name: name.to_owned(),
        value,
    }))
}

fn time_zone(cursor: &mut Cursor<'_>, scope: SetScope) -> Result<Statement> {
    let value = if cursor.eat_any(&["LOCAL", "DEFAULT"]) {
        SetValue::Default
    } else if cursor.eat("INTERVAL") {
        SetValue::Values(vec![offset(cursor)?])
    } else {
        SetValue::Values(vec![value(cursor)?])
    };
    Ok(Statement::Set(Set {
        scope,
        name: "timezone".to_owned(),
        value,
    }))
}

/// After `TIME ZONE INTERVAL`: `[-] 'hours[:minutes]' [HOUR [TO MINUTE]]`, as an offset `+hh:mm`.
/// Another interval is `INTERVAL '…'`.
fn offset(cursor: &mut Cursor<'_>) -> Result<String> {
    let negated = cursor.eat_sign('-');
    let text = cursor.string("an interval as a string")?;
    let minus = if negated { "-" } else { "" };
    if cursor.eat("MINUTE") {
        return Ok(format!("INTERVAL '{minus}{text} minute'"));
    }
    if !cursor.eat_all("HOUR TO MINUTE") {
        cursor.eat("HOUR");
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (!negated, unsigned),
        None => (negated, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (hours, minutes) = unsigned.split_once(':').unwrap_or((unsigned, "0"));
    match (hours.parse::<u8>(), minutes.parse::<u8>()) {
        (Ok(hours), Ok(minutes)) => {
            let sign = if sign { '-' } else { '+' };
            Ok(format!("{sign}{hours:02}:{minutes:02}"))
        }
        _ => Ok(format!("INTERVAL '{minus}{text}'")),
    }
}

fn values(cursor: &mut Cursor<'_>) -> Result<SetValue> {
    if cursor.is_word("DEFAULT") && cursor.rest().len() == 1 {
        cursor.advance();
        return Ok(SetValue::Default);
    }
    cursor.list(value).map(SetValue::Values)
}

fn value(cursor: &mut Cursor<'_>) -> Result<String> {
    if cursor.is_string() {
        return cursor.string("a value");
    }
    if let Some(mut number) = cursor.number() {
        // `5min`, `64MB`
        if let Some(token) = cursor.token().filter(|token| token.kind == TokenKind::Word) {
            number.push_str(cursor.text_of(token));
            cursor.advance();
        }
        return Ok(number);
    }
    if cursor
        .token()
        .is_some_and(|token| token.kind == TokenKind::Word)
    {
        return cursor.name("a value");
    }
    Err(cursor.expected("a value"))
}

/// After SHOW: a setting.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.is_word("ALL") {
        cursor.advance();
        return Ok(Statement::Show(Show::All));
    }
    setting_by_words(cursor).map(|name| Statement::Show(Show::Setting(name)))
}

pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("RESET")?;
    if cursor.eat("ALL") {
        return Ok(Statement::Reset(Reset::All));
    }
    setting_by_words(cursor).map(|name| Statement::Reset(Reset::Setting(name)))
}

/// A setting's name, or Postgres' multi-word form of it.
fn setting_by_words(cursor: &mut Cursor<'_>) -> Result<String> {
    for (words, name) in [
        ("TIME ZONE", "timezone"),
        ("TRANSACTION ISOLATION LEVEL", "transaction_isolation"),
        ("SESSION CHARACTERISTICS", "transaction_isolation"),
        ("SESSION AUTHORIZATION", "session_authorization"),
    ] {
        if cursor.eat_all(words) {
            return Ok(name.to_owned());
        }
    }
    if cursor.is_word("SESSION") && cursor.word_at(1).is_some() {
        cursor.advance();
    }
    setting_name(cursor)
}

pub(super) fn discard(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DISCARD")?;
    let what = match cursor.word_at(0).map(str::to_ascii_uppercase).as_deref() {
        Some("ALL") => Discard::All,
        Some("PLANS") => Discard::Plans,
        Some("TEMP" | "TEMPORARY") => Discard::Temp,
        Some("SEQUENCES") => Discard::Sequences,
        _ => return Err(cursor.expected("ALL, PLANS, TEMP or SEQUENCES")),
    };
    cursor.advance();
    Ok(Statement::Discard(what))
}

pub(super) fn unlisten(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("UNLISTEN")?;
    if !cursor.eat_sign('*') {
        cursor.name("a channel's name or *")?;
    }
    Ok(Statement::Unlisten)
}

/// `LOCK [TABLE] [ONLY] t, … IN ACCESS SHARE MODE [NOWAIT]`.
pub(super) fn lock(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("LOCK")?;
    cursor.eat("TABLE");
    let tables = cursor.list(|cursor| {
        // Unless it is the name of the table.
        if !cursor.is_word_at(1, "IN") {
            cursor.eat("ONLY");
        }
        names::table(cursor)
    })?;
    if !cursor.eat_all("IN ACCESS SHARE MODE") {
        return Ok(Statement::Unsupported(Unsupported {
            what: "LOCK".to_owned(),
            nearest: Some("LOCK TABLE .. IN ACCESS SHARE MODE".to_owned()),
        }));
    }
    cursor.eat("NOWAIT");
    Ok(Statement::LockTables(tables))
}
