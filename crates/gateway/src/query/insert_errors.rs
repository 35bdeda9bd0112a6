//! Errors of INSERT, and of the columns of COPY, in PostgreSQL's words, with their places.
//!
//! ```text
//! INSERT INTO t (a) VALUES (1, 2)        INSERT has more expressions than target columns
//! INSERT INTO t (a, b) VALUES (1)        INSERT has more target columns than expressions
//! INSERT INTO t (a) VALUES (true)        column "a" is of type integer but expression is of type boolean
//! INSERT INTO t (a, a) VALUES (1, 2)     column "a" specified more than once
//! COPY t (b) FROM STDIN                  column "b" of relation "t" does not exist
//! ```
//!
//! The error of an `INSERT OVERWRITE` that names no columns and has fewer values stays as it is:
//! PostgreSQL has no such statement.

use arrow::datatypes::{DataType, Field};
use lakegate_dialect::postgres::pg_catalog::type_name;
use lakegate_error::{Code, Error, Misfit};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{Insert, Statement};
use sqlparser::ast::{Expr, SelectItem, SetExpr, Value, ValueWithSpan};

use super::error_position::at;
use super::error_words::{Word, expression_at, target_at, words};

/// Returns an error of an INSERT or a COPY as PostgreSQL has it; others as they are.
pub(crate) fn reported(error: Error, parsed: &Parsed) -> Error {
    let misfit = error.misfit();
    let worded = match &parsed.statement {
        Statement::Insert(insert) => misfit.and_then(|misfit| worded(misfit, insert)),
        Statement::CopyFrom(_) => misfit.and_then(of_copy),
        _ => None,
    };
    let Some((said, place)) = worded else {
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

/// Returns PostgreSQL's error and its place in the statement; `None` if PostgreSQL has no error. A
/// column that is missing is found by its name.
fn worded(misfit: &Misfit, insert: &Insert) -> Option<(Error, Option<Place>)> {
    match misfit {
        Misfit::Count { given, written } => of_counts(*given, *written, insert),
        Misfit::Type {
            place,
            target,
            given,
        } => Some(of_type(*place, target, given, insert)),
        Misfit::Missing { column, table } => Some((missing(column, table), None)),
        Misfit::Twice { column } => Some(of_twice(column, insert)),
    }
}

/// The same of a COPY, for which PostgreSQL tells no place.
fn of_copy(misfit: &Misfit) -> Option<(Error, Option<Place>)> {
    match misfit {
        Misfit::Missing { column, table } => Some((missing(column, table), None)),
        Misfit::Twice { column } => Some((twice(column), None)),
        Misfit::Count { .. } | Misfit::Type { .. } => None,
    }
}

fn missing(column: &str, table: &str) -> Error {
    let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
    Error::new(Code::ColumnNotFound, message)
}

fn twice(column: &str) -> Error {
    let message = format!("column \"{column}\" specified more than once");
    Error::new(Code::DuplicateColumn, message)
}

fn of_counts(given: usize, written: usize, insert: &Insert) -> Option<(Error, Option<Place>)> {
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

fn of_type(place: usize, target: &Field, given: &Field, insert: &Insert) -> (Error, Option<Place>) {
    let written = is_written(place, insert);
    let literal = value_at(insert, place).filter(|_| written);
    let given = match (given.data_type(), literal) {
        (DataType::Int64, Some(Value::Number(number, _))) if number.parse::<i32>().is_ok() => {
            "integer".to_owned()
        }
        (DataType::Float64, Some(Value::Number(..))) => "numeric".to_owned(),
        _ => type_name(given),
    };
    let message = format!(
        "column \"{}\" is of type {} but expression is of type {given}",
        target.name(),
        type_name(target)
    );
    let said = Error::new(Code::TypeMismatch, message)
        .with_hint("You will need to rewrite or cast the expression.");
    (said, written.then_some(Place::Expression(place)))
}

fn of_twice(column: &str, insert: &Insert) -> (Error, Option<Place>) {
    let places = insert.columns.iter().enumerate();
    let places = places.filter(|(_, named)| *named == column);
    let second = places.map(|(place, _)| place).nth(1);
    (twice(column), second.map(Place::Target))
}

/// Returns whether a value of the first row is written at its place: there is no `*` before it.
fn is_written(place: usize, insert: &Insert) -> bool {
    let SetExpr::Select(select) = insert.query.body.as_ref() else {
        return true;
    };
    let mut before = select.projection.iter().take(place);
    !before.any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    fn count(given: usize, written: usize) -> Misfit {
        Misfit::Count { given, written }
    }

    fn typed(place: usize, target: DataType, given: DataType) -> Misfit {
        Misfit::Type {
            place,
            target: Arc::new(Field::new("a", target, true)),
            given: Arc::new(Field::new("x", given, true)),
        }
    }

    fn named_twice() -> Misfit {
        let column = "a".to_owned();
        Misfit::Twice { column }
    }

    #[test]
    fn errors_are_those_of_postgres() {
        let integers = DataType::new_list(DataType::Int32, true);
        let absent = Misfit::Missing {
            column: "c".to_owned(),
            table: "t".to_owned(),
        };
        for (sql, misfit, expected, position) in [
            (
                "INSERT INTO d.t VALUES (1, f(2, 3), 4)",
                count(3, 2),
                "INSERT has more expressions than target columns",
                Some(37),
            ),
            (
                "INSERT INTO d.t (a) SELECT 1, b FROM c",
                count(2, 1),
                "INSERT has more expressions than target columns",
                Some(31),
            ),
            (
                "INSERT INTO d.t (a, b) VALUES (1)",
                count(1, 2),
                "INSERT has more target columns than expressions",
                Some(21),
            ),
            ("INSERT INTO d.t VALUES (1)", count(1, 2), "ours", None),
            (
                "INSERT INTO d.t (b, a) VALUES (1, 2)",
                typed(1, integers, DataType::Int64),
                "column \"a\" is of type integer[] but expression is of type integer",
                Some(35),
            ),
            (
                "INSERT INTO d.t VALUES (1, 3000000000)",
                typed(1, DataType::Date32, DataType::Int64),
                "column \"a\" is of type date but expression is of type bigint",
                Some(28),
            ),
            (
                "INSERT INTO d.t SELECT 1.5 FROM c",
                typed(0, DataType::Boolean, DataType::Float64),
                "column \"a\" is of type boolean but expression is of type numeric",
                Some(24),
            ),
            // The literal is not the second column.
            (
                "INSERT INTO d.t SELECT *, 1 FROM c",
                typed(1, DataType::Date32, DataType::Int64),
                "column \"a\" is of type date but expression is of type bigint",
                None,
            ),
            (
                "INSERT INTO d.t (a, b, A) VALUES (1, 2, 3)",
                named_twice(),
                "column \"a\" specified more than once",
                Some(24),
            ),
            (
                "INSERT INTO d.t (c) VALUES (1)",
                absent.clone(),
                "column \"c\" of relation \"t\" does not exist",
                None,
            ),
            (
                "COPY d.t (c) FROM STDIN",
                absent,
                "column \"c\" of relation \"t\" does not exist",
                None,
            ),
            (
                "COPY d.t (a, a) FROM STDIN",
                named_twice(),
                "column \"a\" specified more than once",
                None,
            ),
            ("SELECT 1", named_twice(), "ours", None),
        ] {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let error = Error::new(Code::TypeMismatch, "ours").with_misfit(misfit);
            let error = reported(error, &parsed);
            assert_eq!(error.message(), expected, "{sql}");
            assert_eq!(error.position(), position, "{sql}");
        }
    }
}
