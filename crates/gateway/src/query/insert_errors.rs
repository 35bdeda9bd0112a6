//! Errors of INSERT in PostgreSQL's words, with their places.
//!
//! ```text
//! INSERT INTO t (a) VALUES (1, 2)        INSERT has more expressions than target columns
//! INSERT INTO t (a, b) VALUES (1)        INSERT has more target columns than expressions
//! INSERT INTO t (a) VALUES (true)        column "a" is of type integer but expression is of type boolean
//! INSERT INTO t (a, a) VALUES (1, 2)     column "a" specified more than once
//! ```
//!
//! Where fewer values than columns are given and none is named, the error stays as it is: PostgreSQL
//! would write NULLs.

use lakegate_error::{Code, Error};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{Insert, Statement};
use sqlparser::ast::{Expr, SelectItem, SetExpr, Value, ValueWithSpan};

use super::error_position::at;
use super::error_words::{Word, expression_at, target_at, words};

/// Returns an error of an INSERT as PostgreSQL has it; others as they are.
pub(crate) fn reported(error: Error, parsed: &Parsed) -> Error {
    let Statement::Insert(insert) = &parsed.statement else {
        return error;
    };
    let found = match error.code() {
        Code::TypeMismatch => of_counts(&error, insert).or_else(|| of_type(&error, insert)),
        Code::ColumnNotFound => of_missing(&error),
        Code::DuplicateColumn => of_twice(&error, insert),
        _ => None,
    };
    let Some((said, place)) = found else {
        return error;
    };
    let words = words(&parsed.text);
    let location = place.and_then(|place| place.location(&words));
    let error = error.said_by(said);
    match location.and_then(|location| at(location, &parsed.text)) {
        Some(before) => error.with_position(parsed.position + before),
        None => error,
    }
}

/// A part of an INSERT, by its number from 0.
enum Place {
    /// A column that it names.
    Target(usize),
    /// A value of its first row.
    Expression(usize),
}

impl Place {
    fn location(&self, words: &[Word]) -> Option<sqlparser::tokenizer::Location> {
        match self {
            Self::Target(place) => target_at(*place, words),
            Self::Expression(place) => expression_at(*place, words),
        }
    }
}

/// Reads `the query has 1 column, and 2 columns of table t are written: …`.
fn of_counts(error: &Error, insert: &Insert) -> Option<(Error, Option<Place>)> {
    let rest = error.message().strip_prefix("the query has ")?;
    let (given, rest) = rest.split_once(", and ")?;
    let (written, _) = rest.split_once(" of table ")?;
    let number = |counted: &str| counted.split(' ').next()?.parse::<usize>().ok();
    let (given, written) = (number(given)?, number(written)?);
    let (message, place) = match given > written {
        true => (
            "INSERT has more expressions than target columns",
            Place::Expression(written),
        ),
        false if insert.columns.is_empty() => return None,
        false => (
            "INSERT has more target columns than expressions",
            Place::Target(given),
        ),
    };
    Some((Error::new(Code::SyntaxError, message), Some(place)))
}

/// Reads `column "a" of table t is of type int, and the query gives boolean`.
fn of_type(error: &Error, insert: &Insert) -> Option<(Error, Option<Place>)> {
    let rest = error.message().strip_prefix("column \"")?;
    let (name, rest) = rest.split_once("\" of table ")?;
    let (_, rest) = rest.split_once(" is of type ")?;
    let (wanted, given) = rest.split_once(", and the query gives ")?;
    let place = insert.columns.iter().position(|column| column == name);
    let literal = place.and_then(|place| value_at(insert, place));
    let given = match (given, literal) {
        ("bigint", Some(Value::Number(number, _))) if number.parse::<i32>().is_ok() => {
            "integer".to_owned()
        }
        ("double", Some(Value::Number(_, _))) => "numeric".to_owned(),
        (given, _) => in_postgres(given),
    };
    let message = format!(
        "column \"{name}\" is of type {} but expression is of type {given}",
        in_postgres(wanted)
    );
    let said = Error::new(Code::TypeMismatch, message)
        .with_hint("You will need to rewrite or cast the expression.");
    Some((said, place.map(Place::Expression)))
}

/// Reads `column "a" of table d.t does not exist`. It has its place by its name.
fn of_missing(error: &Error) -> Option<(Error, Option<Place>)> {
    let rest = error.message().strip_prefix("column \"")?;
    let (name, rest) = rest.split_once("\" of table ")?;
    let table = rest.strip_suffix(" does not exist")?;
    let table = table.rsplit('.').next().unwrap_or(table);
    let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
    Some((Error::new(Code::ColumnNotFound, message), None))
}

fn of_twice(error: &Error, insert: &Insert) -> Option<(Error, Option<Place>)> {
    let name = error.message().strip_prefix("column \"")?;
    let name = name.strip_suffix("\" is named twice; name it once")?;
    let places = insert.columns.iter().enumerate();
    let places = places.filter(|(_, column)| *column == name);
    let second = places.map(|(place, _)| place).nth(1);
    let message = format!("column \"{name}\" specified more than once");
    let said = Error::new(Code::DuplicateColumn, message);
    Some((said, second.map(Place::Target)))
}

/// Returns the literal at a place of the first row.
fn value_at(insert: &Insert, place: usize) -> Option<&Value> {
    let expr = match insert.query.body.as_ref() {
        SetExpr::Values(values) => values.rows.first()?.content.get(place)?,
        SetExpr::Select(select) => match select.projection.get(place)? {
            SelectItem::UnnamedExpr(expr) => expr,
            _ => return None,
        },
        _ => return None,
    };
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => Some(value),
        _ => None,
    }
}

/// Returns PostgreSQL's name of a type of a table.
fn in_postgres(hive: &str) -> String {
    if let Some(item) = hive
        .strip_prefix("array<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        let item = in_postgres(item);
        return format!("{}[]", item.trim_end_matches("[]"));
    }
    let (name, modifier) = match hive.split_once('(') {
        Some((name, modifier)) => (name, Some(modifier)),
        None => (hive, None),
    };
    match (name, modifier) {
        ("int", _) => "integer".to_owned(),
        ("string", _) => "text".to_owned(),
        ("tinyint", _) => "smallint".to_owned(),
        ("float", _) => "real".to_owned(),
        ("double", _) => "double precision".to_owned(),
        ("decimal", _) => "numeric".to_owned(),
        ("binary", _) => "bytea".to_owned(),
        ("timestamp", None) => "timestamp without time zone".to_owned(),
        ("time", None) => "time without time zone".to_owned(),
        ("varchar", Some(length)) => format!("character varying({length}"),
        ("char", Some(length)) => format!("character({length}"),
        _ => hive.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_are_those_of_postgres() {
        for (sql, code, message, expected, position) in [
            (
                "INSERT INTO d.t VALUES (1, f(2, 3), 4)",
                Code::TypeMismatch,
                "the query has 3 columns, and 2 columns of table d.t are written: the last ones have no column",
                Some("INSERT has more expressions than target columns"),
                Some(37),
            ),
            (
                "INSERT INTO d.t (a) SELECT 1, b FROM c",
                Code::TypeMismatch,
                "the query has 2 columns, and 1 column of table d.t are written: the last ones have no column",
                Some("INSERT has more expressions than target columns"),
                Some(31),
            ),
            (
                "INSERT INTO d.t (a, b) VALUES (1)",
                Code::TypeMismatch,
                "the query has 1 column, and 2 columns of table d.t are written: column \"b\" gets no value",
                Some("INSERT has more target columns than expressions"),
                Some(21),
            ),
            (
                "INSERT INTO d.t VALUES (1)",
                Code::TypeMismatch,
                "the query has 1 column, and 2 columns of table d.t are written: column \"b\" gets no value",
                None,
                None,
            ),
            (
                "INSERT INTO d.t (b, a) VALUES (1, 2)",
                Code::TypeMismatch,
                "column \"a\" of table d.t is of type array<int>, and the query gives bigint",
                Some("column \"a\" is of type integer[] but expression is of type integer"),
                Some(35),
            ),
            (
                "INSERT INTO d.t (a, b, A) VALUES (1, 2, 3)",
                Code::DuplicateColumn,
                "column \"a\" is named twice; name it once",
                Some("column \"a\" specified more than once"),
                Some(24),
            ),
            (
                "INSERT INTO d.t (c) VALUES (1)",
                Code::ColumnNotFound,
                "column \"c\" of table d.t does not exist",
                Some("column \"c\" of relation \"t\" does not exist"),
                None,
            ),
            (
                "SELECT 1",
                Code::DuplicateColumn,
                "column \"a\" is named twice; name it once",
                None,
                None,
            ),
        ] {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let error = reported(Error::new(code, message), &parsed);
            assert_eq!(error.message(), expected.unwrap_or(message), "{sql}");
            assert_eq!(error.position(), position, "{sql}");
        }
    }

    #[test]
    fn types_of_tables_have_the_names_of_postgres() {
        for (hive, expected) in [
            ("array<array<string>>", "text[]"),
            ("decimal(10,2)", "numeric"),
            ("varchar(5)", "character varying(5)"),
            ("timestamp", "timestamp without time zone"),
            ("timestamp with time zone", "timestamp with time zone"),
            ("map<int,string>", "map<int,string>"),
        ] {
            assert_eq!(in_postgres(hive), expected);
        }
    }
}
