//! The words of PostgreSQL for errors of its dialect.

use crate::{Code, Error, out_of_range, planner};

/// How messages begin that name types.
const NAMING_TYPES: [&str; 12] = [
    "operator does not exist: ",
    "function ",
    "argument of ",
    "UNION types ",
    "VALUES types ",
    "ARRAY types ",
    "CASE types ",
    "COALESCE types ",
    "GREATEST types ",
    "LEAST types ",
    "JOIN/USING types ",
    "cannot cast type ",
];

/// What the engine says of ANY and ALL without an array.
const NO_ARRAY: &str = "ANY and ALL need an array or a subquery on the right";

/// The maximum number of arrays around a type.
const MAX_DEPTH: usize = 32;

/// Returns an error as a session in PostgreSQL's dialect reads it, once nothing depends on its
/// message any more. The other dialects have their own words for these.
pub fn in_postgres(error: Error) -> Error {
    let error = worded(error);
    match NAMING_TYPES
        .iter()
        .find(|start| error.message().starts_with(*start))
    {
        Some(start) => error.reworded(|message| with_types(start, message)),
        None => error,
    }
}

fn worded(error: Error) -> Error {
    let message = error.message();
    if let Some(operation) = message.strip_prefix(crate::wording::NO_OPERATOR) {
        let logical = [" AND ", " OR "].into_iter().find_map(|operator| {
            let (left, right) = operation.split_once(operator)?;
            let given = if left == "boolean" { right } else { left };
            Some(planner::not_boolean(operator.trim(), given))
        });
        let operation = operation
            .replace(" IS NOT DISTINCT FROM ", " = ")
            .replace(" IS DISTINCT FROM ", " = ");
        let reworded = logical.unwrap_or_else(|| planner::operator_not_found(&operation));
        return error.said_by(reworded);
    }
    if let Some(table) = message.strip_prefix("invalid qualifier ") {
        let message = format!(
            "missing FROM-clause entry for table \"{}\"",
            table.replace('"', "")
        );
        let reworded = Error::new(Code::TableNotFound, message);
        return error.said_by(reworded);
    }
    if error.code() == Code::NumericOutOfRange
        && let Some(reworded) = out_of_range::reworded(message)
    {
        let detail = reworded.detail().map(str::to_owned);
        let error = error.said_by(reworded);
        return match detail {
            Some(detail) => error.with_detail(detail),
            None => error,
        };
    }
    if message == NO_ARRAY {
        let message = "op ANY/ALL (array) requires array on right side";
        let reworded = Error::new(Code::WrongObjectType, message);
        return error.said_by(reworded);
    }
    if let Some(shorter) = grouped(message) {
        return error.reworded(|_| shorter.clone());
    }
    let qualified = error.missing_column().filter(|name| name.contains('.'));
    if let Some(name) = qualified.map(str::to_owned) {
        return error.reworded(|_| format!("column {name} does not exist"));
    }
    error
}

/// Names the column of a message about GROUP BY by its table and itself: `"d.t.a"` is `"t.a"`.
fn grouped(message: &str) -> Option<String> {
    let rest = message.strip_prefix("column \"")?;
    let (name, rest) = rest.split_once("\" must appear in the GROUP BY clause")?;
    let (_, shorter) = name
        .split_once('.')
        .filter(|(_, rest)| rest.contains('.'))?;
    Some(format!(
        "column \"{shorter}\" must appear in the GROUP BY clause{rest}"
    ))
}

/// Returns a message with the types in PostgreSQL's names. `start`: how it begins.
fn with_types(start: &str, message: &str) -> String {
    // The name of a function may be that of a type.
    let begins = match start {
        "function " => message.find('('),
        _ => Some(start.len()),
    };
    let Some((before, mut rest)) = begins.and_then(|begins| message.split_at_checked(begins))
    else {
        return message.to_owned();
    };
    let mut out = before.to_owned();
    let mut within_word = false;
    while let Some(first) = rest.chars().next() {
        let found = match within_word {
            true => None,
            false => type_name(rest, 0),
        };
        if let Some((name, after)) = found {
            out.push_str(&name);
            rest = after;
            within_word = true;
            continue;
        }
        within_word = first.is_alphanumeric() || first == '_' || first == '"';
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Reads a type whose name PostgreSQL does not have. Returns PostgreSQL's, and what follows.
fn type_name(text: &str, depth: usize) -> Option<(String, &str)> {
    let (word, after) = first_word(text)?;
    let zoned = [" with time zone", " without time zone"];
    let named = match word {
        "varchar" => "text",
        "varbinary" => "bytea",
        "tinyint" => "smallint",
        "double" => match after.strip_prefix(" precision") {
            Some(after) => return Some(("double precision".to_owned(), after)),
            None => "double precision",
        },
        "time" | "timestamp" => {
            let zone = zoned.iter().find(|zone| after.starts_with(**zone));
            let after = zone.map_or(after, |zone| after.get(zone.len()..).unwrap_or_default());
            let zone = zone.unwrap_or(&zoned[1]);
            return Some((format!("{word}{zone}"), after));
        }
        "decimal" => {
            let (_, after) = after.strip_prefix('(')?.split_once(')')?;
            return Some(("numeric".to_owned(), after));
        }
        "array" if depth < MAX_DEPTH => {
            let inner = after.strip_prefix('(')?;
            let plain = || first_word(inner).map(|(name, after)| (name.to_owned(), after));
            let (item, after) = type_name(inner, depth + 1).or_else(plain)?;
            let after = after.strip_prefix(')')?;
            // An array of any number of dimensions has one type.
            let item = item.strip_suffix("[]").unwrap_or(&item);
            return Some((format!("{item}[]"), after));
        }
        _ => return None,
    };
    Some((named.to_owned(), after))
}

/// Returns the word at the start of a text, and what follows it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let (word, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
    (!word.is_empty()).then_some((word, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_postgres() {
        for (said, message) in [
            (
                "function abs(varchar) does not exist",
                "function abs(text) does not exist",
            ),
            (
                "function double(double, decimal(10,2)) does not exist",
                "function double(double precision, numeric) does not exist",
            ),
            (
                "function f(array(array(varchar)), array(bigint)) does not exist",
                "function f(text[], bigint[]) does not exist",
            ),
            (
                "operator does not exist: timestamp + varbinary",
                "operator does not exist: timestamp without time zone + bytea",
            ),
            (
                "operator does not exist: timestamp with time zone - double precision",
                "operator does not exist: timestamp with time zone - double precision",
            ),
            (
                "argument of WHERE must be type boolean, not type varchar",
                "argument of WHERE must be type boolean, not type text",
            ),
            (
                "operator does not exist: array(row(a varchar)) + map(varchar, bigint)",
                "operator does not exist: array(row(a text)) + map(text, bigint)",
            ),
            (
                "function varchar does not exist",
                "function varchar does not exist",
            ),
            (
                "column \"varchar\" does not exist",
                "column \"varchar\" does not exist",
            ),
        ] {
            let error = in_postgres(Error::new(Code::FunctionNotFound, said));
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn postgres_has_words_of_its_own() {
        for (code, said, sqlstate, message) in [
            (
                Code::InvalidQuery,
                "Cannot apply operator: bigint + boolean",
                "42883",
                "operator does not exist: bigint + boolean",
            ),
            (
                Code::InvalidQuery,
                "Cannot apply operator: bigint AND boolean",
                "42804",
                "argument of AND must be type boolean, not type bigint",
            ),
            (
                Code::InvalidQuery,
                "invalid qualifier a",
                "42P01",
                "missing FROM-clause entry for table \"a\"",
            ),
            (
                Code::ColumnNotFound,
                "column \"t.a\" does not exist",
                "42703",
                "column t.a does not exist",
            ),
            (
                Code::GroupingError,
                "column \"d.t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
                "42803",
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
            ),
            (
                Code::ColumnNotFound,
                "column \"a\" does not exist",
                "42703",
                "column \"a\" does not exist",
            ),
        ] {
            let error = in_postgres(Error::new(code, said).with_position(3));
            assert_eq!(
                (error.code().sqlstate(), error.message()),
                (sqlstate, message)
            );
            assert_eq!(error.position(), Some(3), "{said}");
        }
    }
}
