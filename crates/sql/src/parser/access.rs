//! Users and roles. No error of this module shows text that may be a password.

use super::cursor::{Cursor, Result};
use crate::ParseError;
use crate::ast::{
    AlterUser, CreateRole, CreateUser, DropRole, DropUser, Secret, Statement, Unsupported,
    UserAuthentication, UserChange, UserRef,
};

/// Options that say of a role of PostgreSQL what holds for each user and role here.
const HELD_OPTIONS: [&str; 6] = [
    "NOSUPERUSER",
    "NOCREATEDB",
    "NOCREATEROLE",
    "INHERIT",
    "NOREPLICATION",
    "NOBYPASSRLS",
];

/// The first words of PostgreSQL's other options of roles.
const OTHER_OPTIONS: [&str; 18] = [
    "SUPERUSER",
    "CREATEDB",
    "CREATEROLE",
    "NOINHERIT",
    "LOGIN",
    "NOLOGIN",
    "REPLICATION",
    "BYPASSRLS",
    "CONNECTION",
    "PASSWORD",
    "ENCRYPTED",
    "UNENCRYPTED",
    "VALID",
    "IN",
    "ROLE",
    "ADMIN",
    "USER",
    "SYSID",
];

/// Skips the options that hold. `login`: the word that says whether it logs in.
fn skip_held_options(cursor: &mut Cursor<'_>, login: &str) {
    loop {
        if cursor.eat(login) || cursor.eat_any(&HELD_OPTIONS) {
            continue;
        }
        let mut limit = *cursor;
        if limit.eat_all("CONNECTION LIMIT") && limit.number().as_deref() == Some("-1") {
            *cursor = limit;
            continue;
        }
        return;
    }
}

pub(super) fn create_user(cursor: &mut Cursor<'_>) -> Result<Statement> {
    hiding(cursor, |cursor| {
        let if_not_exists = cursor.if_not_exists()?;
        let name = cursor.principal_name("a user's name")?;
        cursor.eat("WITH");
        skip_held_options(cursor, "LOGIN");
        let is_password = cursor.is_one_of(&["PASSWORD", "ENCRYPTED"]);
        if !is_password && cursor.is_one_of(&OTHER_OPTIONS) {
            return Ok(Statement::Unsupported(Unsupported {
                what: "CREATE USER with options other than a password".to_owned(),
                nearest: Some("CREATE USER .. PASSWORD, then GRANT".to_owned()),
            }));
        }
        let password = password(cursor)?;
        skip_held_options(cursor, "LOGIN");
        Ok(Statement::CreateUser(CreateUser {
            if_not_exists,
            name,
            password,
        }))
    })
}

/// `[ENCRYPTED] PASSWORD 'p'`
fn password(cursor: &mut Cursor<'_>) -> Result<Secret> {
    cursor.eat("ENCRYPTED");
    cursor.expect("PASSWORD")?;
    cursor.eat_sign('=');
    cursor.string("the password as a string").map(Secret::new)
}

pub(super) fn alter_user(cursor: &mut Cursor<'_>) -> Result<Statement> {
    hiding(cursor, |cursor| {
        let user = if cursor.is_word("CURRENT_USER") || cursor.is_word("SESSION_USER") {
            cursor.advance();
            UserRef::CurrentUser
        } else {
            UserRef::Named(cursor.principal_name("a user's name")?)
        };
        if cursor.eat_all("SET WORKGROUP") {
            return Ok(altered(user, UserChange::SetWorkgroup(workgroup(cursor)?)));
        }
        if cursor.eat_all("RESET WORKGROUP") {
            return Ok(altered(user, UserChange::SetWorkgroup(None)));
        }
        if cursor.eat_all("SET AUTHENTICATION") {
            return authentication(cursor, user);
        }
        if cursor.eat_all("RESET AUTHENTICATION") {
            let change = UserChange::SetAuthentication(UserAuthentication::Scram);
            return Ok(altered(user, change));
        }
        for (word, change) in [
            ("DISABLE", UserChange::Disable),
            ("ENABLE", UserChange::Enable),
            ("TERMINATE SESSIONS", UserChange::TerminateSessions),
        ] {
            if cursor.eat_all(word) {
                return Ok(altered(user, change));
            }
        }
        let other = || {
            Ok(Statement::Unsupported(Unsupported {
                what: "ALTER USER of other than a password or a workgroup".to_owned(),
                nearest: Some("ALTER USER .. PASSWORD or ALTER USER .. SET WORKGROUP".to_owned()),
            }))
        };
        if cursor.eat("RENAME") || cursor.is_word("SET") && !cursor.is_word_at(1, "PASSWORD") {
            return other();
        }
        cursor.eat("SET");
        cursor.eat("WITH");
        if !cursor.is_one_of(&["PASSWORD", "ENCRYPTED"]) {
            if cursor.is_one_of(&HELD_OPTIONS) || cursor.is_one_of(&OTHER_OPTIONS) {
                return other();
            }
            return Err(
                cursor.expected("PASSWORD, SET WORKGROUP, SET AUTHENTICATION, DISABLE, ENABLE or TERMINATE SESSIONS")
            );
        }
        let change = UserChange::SetPassword(password(cursor)?);
        Ok(Statement::AlterUser(AlterUser {
            user,
            change,
            terminate_sessions: cursor.eat_all("TERMINATE SESSIONS"),
        }))
    })
}

/// `[=|TO] {scram|password|oauth|DEFAULT}`
fn authentication(cursor: &mut Cursor<'_>, user: UserRef) -> Result<Statement> {
    if !cursor.eat_sign('=') {
        cursor.eat("TO");
    }
    for (word, method) in [
        ("SCRAM", UserAuthentication::Scram),
        ("DEFAULT", UserAuthentication::Scram),
        ("PASSWORD", UserAuthentication::Password),
        ("OAUTH", UserAuthentication::OAuth),
    ] {
        if cursor.eat(word) {
            return Ok(altered(user, UserChange::SetAuthentication(method)));
        }
    }
    if cursor.eat("MD5") {
        return Ok(Statement::Unsupported(Unsupported {
            what: "the authentication md5, whose verifier is as good as the password,".to_owned(),
            nearest: Some("ALTER USER .. SET AUTHENTICATION password, inside TLS".to_owned()),
        }));
    }
    Err(cursor.expected("scram, password or oauth"))
}

fn altered(user: UserRef, change: UserChange) -> Statement {
    Statement::AlterUser(AlterUser {
        user,
        change,
        terminate_sessions: false,
    })
}

/// `[=|TO] {w|DEFAULT|NULL}`
fn workgroup(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if !cursor.eat_sign('=') {
        cursor.eat("TO");
    }
    if cursor.eat_any(&["DEFAULT", "NULL"]) {
        return Ok(None);
    }
    cursor.principal_name("a workgroup's name").map(Some)
}

/// Runs a parser that must stop at the end of its statement, and removes from its error what may be
/// a password.
fn hiding(
    cursor: &mut Cursor<'_>,
    parse: impl FnOnce(&mut Cursor<'_>) -> Result<Statement>,
) -> Result<Statement> {
    let parsed = parse(cursor).and_then(|statement| {
        if !matches!(statement, Statement::Unsupported(_)) {
            cursor.expect_end()?;
        }
        Ok(statement)
    });
    parsed.map_err(|error| hidden(cursor, error))
}

fn hidden(cursor: &Cursor<'_>, error: ParseError) -> ParseError {
    let Some(token) = cursor.token() else {
        return error;
    };
    let shown = format!("\"{}\"", super::cursor::shown(cursor.text_of(token)));
    let harmless = cursor
        .word_at(0)
        .is_some_and(|word| !cursor.follows_password() && word.len() < 20);
    if harmless {
        return error;
    }
    ParseError {
        message: error.message.replacen(&shown, "\"***\"", 1),
        ..error
    }
}

pub(super) fn drop_user(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let name = cursor.principal_name("a user's name")?;
    Ok(Statement::DropUser(DropUser { if_exists, name }))
}

pub(super) fn create_role(cursor: &mut Cursor<'_>) -> Result<Statement> {
    hiding(cursor, |cursor| {
        let if_not_exists = cursor.if_not_exists()?;
        let name = cursor.principal_name("a role's name")?;
        cursor.eat("WITH");
        skip_held_options(cursor, "NOLOGIN");
        if cursor.is_one_of(&OTHER_OPTIONS) {
            return Ok(Statement::Unsupported(Unsupported {
                what: "CREATE ROLE with options".to_owned(),
                nearest: Some(
                    "CREATE USER .. PASSWORD for a login, CREATE ROLE for a set of grants"
                        .to_owned(),
                ),
            }));
        }
        Ok(Statement::CreateRole(CreateRole {
            if_not_exists,
            name,
        }))
    })
}

pub(super) fn drop_role(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let name = cursor.principal_name("a role's name")?;
    Ok(Statement::DropRole(DropRole { if_exists, name }))
}
