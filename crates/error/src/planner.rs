//! What the planner refuses, with PostgreSQL's codes and messages.
//!
//! The messages of the engine have their types in the words of SQL by now ([`crate::wording`]).

use crate::{Code, Error};

/// How messages begin, and what PostgreSQL says instead.
const SAID: [(&str, Code, &str); 21] = [
    (
        "Aggregate functions are not allowed in the WHERE clause",
        Code::GroupingError,
        "aggregate functions are not allowed in WHERE",
    ),
    (
        "Aggregate function calls cannot be nested",
        Code::GroupingError,
        "aggregate function calls cannot be nested",
    ),
    (
        "Aggregate function calls cannot contain window function calls",
        Code::GroupingError,
        "aggregate function calls cannot contain window function calls",
    ),
    (
        "Window function calls cannot be nested",
        Code::WindowingError,
        "window function calls cannot be nested",
    ),
    (
        "For SELECT DISTINCT, ORDER BY expressions ",
        Code::InvalidColumnReference,
        "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
    ),
    (
        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
        Code::InvalidColumnReference,
        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
    ),
    (
        "No `ON` expressions provided",
        Code::SyntaxError,
        "syntax error at or near \")\"",
    ),
    (
        "Unary operator '-' only supports signed numeric",
        Code::FunctionNotFound,
        "operator does not exist: - text",
    ),
    (
        "ORDER BY and WITHIN GROUP clauses cannot be used together",
        Code::SyntaxError,
        "cannot use multiple ORDER BY clauses with WITHIN GROUP",
    ),
    (
        "Inconsistent data length across values list",
        Code::SyntaxError,
        "VALUES lists must all be the same length",
    ),
    (
        "Too many columns! The subquery should only return one column",
        Code::SyntaxError,
        "subquery must return only one column",
    ),
    (
        "SELECT * with no tables specified",
        Code::SyntaxError,
        "SELECT * with no tables specified is not valid",
    ),
    (
        "Order by index starts at 1",
        Code::InvalidColumnReference,
        "ORDER BY position 0 is not in select list",
    ),
    (
        "LIMIT must be >=",
        Code::InvalidLimit,
        "LIMIT must not be negative",
    ),
    (
        "OFFSET must be >=",
        Code::InvalidOffset,
        "OFFSET must not be negative",
    ),
    (
        "Step cannot be zero",
        Code::InvalidParameter,
        "step size cannot equal zero",
    ),
    (
        "RANGE requires exactly one ORDER BY column",
        Code::WindowingError,
        "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
    ),
    (
        "GROUPS requires an ORDER BY clause",
        Code::WindowingError,
        "GROUPS mode requires an ORDER BY clause",
    ),
    (
        "Invalid window frame: start bound cannot be UNBOUNDED FOLLOWING",
        Code::WindowingError,
        "frame start cannot be UNBOUNDED FOLLOWING",
    ),
    (
        "Invalid window frame: end bound cannot be UNBOUNDED PRECEDING",
        Code::WindowingError,
        "frame end cannot be UNBOUNDED PRECEDING",
    ),
    (
        "Invalid window frame: frame offsets for ROWS",
        Code::InvalidFrameOffset,
        "the offsets of ROWS and GROUPS must be numbers that are not negative",
    ),
];

/// PostgreSQL's hint about a call or an operator that it does not have for these types.
const NO_CALL: &str = "No function matches the given name and argument types. You might need to add explicit type casts.";
const NO_PREFIX_OPERATOR: &str = "No operator matches the given name and argument type. You might need to add an explicit type cast.";
const NO_OPERATOR: &str = "No operator matches the given name and argument types. You might need to add explicit type casts.";

/// Returns the error of a message, if PostgreSQL has another code for it than that of any wrong
/// query.
pub(crate) fn refused(message: &str) -> Option<Error> {
    let said = SAID.iter().find(|(start, _, _)| message.starts_with(start));
    if let Some((_, code, said)) = said {
        return Some(Error::new(*code, *said));
    }
    let not_grouped = " to grouping function is not in grouping columns";
    if message.starts_with("Argument ") && message.contains(not_grouped) {
        let message =
            "arguments to GROUPING must be grouping expressions of the associated query level";
        return Some(Error::new(Code::GroupingError, message));
    }
    let in_having = message.starts_with("HAVING clause references: ");
    if in_having || message.contains("\" must appear in the GROUP BY clause") {
        return Some(Error::new(Code::GroupingError, message.to_owned()));
    }
    if message.starts_with("WITH query name ") && message.ends_with(" specified more than once") {
        return Some(Error::new(Code::DuplicateAlias, message.to_owned()));
    }
    let function = message.strip_prefix("function ");
    if let Some(call) = function.and_then(|rest| rest.strip_suffix(" does not exist")) {
        return Some(function_not_found(call));
    }
    by_place(message)
        .or_else(|| of_frame(message))
        .or_else(|| of_types(message))
        .or_else(|| no_operator(message))
}

/// Messages about a place in a list, a window, or numbers of columns.
fn by_place(message: &str) -> Option<Error> {
    let clause = [
        ("Cannot find column with position ", " in ", "GROUP BY"),
        (
            "Order by column out of bounds, specified: ",
            ",",
            "ORDER BY",
        ),
    ];
    let place = clause.into_iter().find_map(|(before, after, clause)| {
        let (place, _) = message.strip_prefix(before)?.split_once(after)?;
        Some(format!("{clause} position {place} is not in select list"))
    });
    if let Some(message) = place {
        return Some(Error::new(Code::InvalidColumnReference, message));
    }
    let window = message.strip_prefix("The window ");
    if let Some(name) = window.and_then(|rest| rest.strip_suffix(" is not defined!")) {
        let message = format!("window \"{}\" does not exist", name.replace('"', ""));
        return Some(Error::new(Code::UndefinedObject, message));
    }
    if let Some(name) = window.and_then(|rest| rest.strip_suffix(" is defined multiple times!")) {
        let message = format!("window \"{}\" is already defined", name.replace('"', ""));
        return Some(Error::new(Code::WindowingError, message));
    }
    let (operation, _) = message.split_once(" queries have different number of columns")?;
    let operation = operation.split(' ').next().unwrap_or(operation);
    Some(Error::new(
        Code::SyntaxError,
        format!("each {operation} query must have the same number of columns"),
    ))
}

/// The message about a window frame that begins behind its end.
fn of_frame(message: &str) -> Option<Error> {
    let bounds = message.strip_prefix("Invalid window frame: start bound (")?;
    let (start, end) = bounds.split_once(") cannot be larger than end bound (")?;
    let end = end.trim_end_matches(')');
    let from = match (start, end) {
        ("CURRENT ROW", _) => "current row",
        (start, "CURRENT ROW") if start.ends_with("FOLLOWING") => "following row",
        (start, end) if start.ends_with("FOLLOWING") && end.ends_with("PRECEDING") => {
            "following row"
        }
        // The bounds may be intervals, which are not words of SQL here.
        _ => {
            let message = "a RANGE frame that begins after its end is not supported";
            let hint =
                "its start needs the larger offset of PRECEDING, or the smaller one of FOLLOWING";
            return Some(Error::not_supported(message).with_hint(hint));
        }
    };
    Some(Error::new(
        Code::WindowingError,
        format!("frame starting from {from} cannot have preceding rows"),
    ))
}

/// Messages about a value that is not of the type that its place needs.
fn of_types(message: &str) -> Option<Error> {
    let places = [
        (
            "Cannot create filter with non-boolean predicate",
            "' returning ",
            "WHERE",
        ),
        ("Unary operator 'NOT' requires a boolean", ", got ", "NOT"),
        ("Join condition must be boolean", "but got ", "JOIN/ON"),
    ];
    let place = places.into_iter().find_map(|(start, before, place)| {
        let (_, given) = message.strip_prefix(start)?.rsplit_once(before)?;
        Some(not_boolean(place, given))
    });
    if place.is_some() {
        return place;
    }
    for clause in ["LIMIT", "OFFSET"] {
        let start = format!("Expected {clause} to be an integer or null, but got ");
        if let Some(given) = message.strip_prefix(&start) {
            return Some(Error::new(
                Code::TypeMismatch,
                format!("argument of {clause} must be type bigint, not type {given}"),
            ));
        }
    }
    if let Some((kind, first, second)) = two_types(message) {
        return Some(Error::new(
            Code::TypeMismatch,
            format!("{kind} types {first} and {second} cannot be matched"),
        ));
    }
    let union =
        message.strip_prefix("Incompatible inputs for Union: Previous inputs were of type ")?;
    let (first, rest) = union.split_once(", but got incompatible type ")?;
    let (second, _) = rest.split_once(" on column")?;
    Some(Error::new(
        Code::TypeMismatch,
        format!("UNION types {first} and {second} cannot be matched"),
    ))
}

/// Reads a message about values of two types in a list: where they are, and the types.
fn two_types(message: &str) -> Option<(&'static str, &str, &str)> {
    if let Some(rest) = message.strip_prefix("Inconsistent data type across values list at row ") {
        let (_, types) = rest.split_once(". Was ")?;
        let (first, second) = types.split_once(" but found ")?;
        return Some(("VALUES", first, second));
    }
    let rest = message.strip_prefix("Failed to unify argument types of make_array: [")?;
    let (first, second) = rest.strip_suffix(']')?.split_once(", ")?;
    let is_one = |name: &str| !name.contains(['(', ',']);
    (is_one(first) && is_one(second)).then_some(("ARRAY", first, second))
}

pub(crate) fn not_boolean(place: &str, given: &str) -> Error {
    Error::new(
        Code::TypeMismatch,
        format!(
            "argument of {place} must be type boolean, not type {}",
            given.trim_end_matches('.')
        ),
    )
}

/// Messages about operands of LIKE and `||`.
fn no_operator(message: &str) -> Option<Error> {
    let concatenated =
        message.strip_prefix("Cannot infer common string type for string concat operation ");
    if let Some(operation) = concatenated {
        return Some(operator_not_found(operation));
    }
    let like = message.strip_prefix("There isn't a common type to coerce ")?;
    let (types, operator) = like.strip_suffix(" expression")?.rsplit_once(" in ")?;
    let (left, right) = types.split_once(" and ")?;
    let operator = match operator {
        "LIKE" => "~~",
        "ILIKE" => "~~*",
        other => other,
    };
    Some(operator_not_found(&format!("{left} {operator} {right}")))
}

/// The error of an operator without these operands. `operation`: `integer = text`, `- text`.
pub fn operator_not_found(operation: &str) -> Error {
    let is_prefix = !operation.starts_with(|first: char| first.is_alphanumeric() || first == '"');
    let hint = match is_prefix {
        true => NO_PREFIX_OPERATOR,
        false => NO_OPERATOR,
    };
    Error::new(
        Code::FunctionNotFound,
        format!("operator does not exist: {operation}"),
    )
    .with_hint(hint)
}

/// The error of a function without these arguments. `call`: `f(integer, unknown)`.
pub fn function_not_found(call: &str) -> Error {
    Error::new(
        Code::FunctionNotFound,
        format!("function {call} does not exist"),
    )
    .with_hint(NO_CALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_codes_and_words_of_postgres() {
        for (engine, sqlstate, message) in [
            (
                "Aggregate function calls cannot be nested: 'sum(a)' is nested inside 'sum(sum(a))'",
                "42803",
                "aggregate function calls cannot be nested",
            ),
            (
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
                "42803",
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
            ),
            (
                "Cannot find column with position 5 in SELECT clause. Valid columns: 1 to 1",
                "42P10",
                "GROUP BY position 5 is not in select list",
            ),
            (
                "Order by column out of bounds, specified: 5, max: 1",
                "42P10",
                "ORDER BY position 5 is not in select list",
            ),
            (
                "The window w is not defined!",
                "42704",
                "window \"w\" does not exist",
            ),
            (
                "The window w is defined multiple times!",
                "42P20",
                "window \"w\" is already defined",
            ),
            (
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
                "42P10",
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            ),
            (
                "HAVING clause references: t.a > 1 must appear in the GROUP BY clause or be used in an aggregate function",
                "42803",
                "HAVING clause references: t.a > 1 must appear in the GROUP BY clause or be used in an aggregate function",
            ),
            (
                "Argument t.b to grouping function is not in grouping columns t.a",
                "42803",
                "arguments to GROUPING must be grouping expressions of the associated query level",
            ),
            (
                "UNION queries have different number of columns",
                "42601",
                "each UNION query must have the same number of columns",
            ),
            (
                "Cannot create filter with non-boolean predicate 't.a' returning bigint",
                "42804",
                "argument of WHERE must be type boolean, not type bigint",
            ),
            (
                "Incompatible inputs for Union: Previous inputs were of type boolean, but got incompatible type bigint on column '1'",
                "42804",
                "UNION types boolean and bigint cannot be matched",
            ),
            (
                "Inconsistent data type across values list at row 1 column 0. Was bigint but found boolean",
                "42804",
                "VALUES types bigint and boolean cannot be matched",
            ),
            (
                "Failed to unify argument types of make_array: [bigint, boolean]",
                "42804",
                "ARRAY types bigint and boolean cannot be matched",
            ),
            (
                "There isn't a common type to coerce bigint and varchar in LIKE expression",
                "42883",
                "operator does not exist: bigint ~~ varchar",
            ),
            (
                "function abs(varchar) does not exist",
                "42883",
                "function abs(varchar) does not exist",
            ),
            (
                "LIMIT must be >= 0, '-1' was provided",
                "2201W",
                "LIMIT must not be negative",
            ),
            (
                "Invalid window frame: start bound (1 FOLLOWING) cannot be larger than end bound (1 PRECEDING)",
                "42P20",
                "frame starting from following row cannot have preceding rows",
            ),
            (
                "Invalid window frame: start bound (CURRENT ROW) cannot be larger than end bound (2 PRECEDING)",
                "42P20",
                "frame starting from current row cannot have preceding rows",
            ),
            (
                "Invalid window frame: start bound (IntervalMonthDayNano { months: 0, days: 1, nanoseconds: 0 } PRECEDING) cannot be larger than end bound (IntervalMonthDayNano { months: 1, days: 0, nanoseconds: 0 } PRECEDING)",
                "0A000",
                "a RANGE frame that begins after its end is not supported",
            ),
            (
                "RANGE requires exactly one ORDER BY column",
                "42P20",
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
            ),
        ] {
            let error = refused(engine);
            let said = error
                .as_ref()
                .map(|error| (error.code().sqlstate(), error.message()));
            assert_eq!(said, Some((sqlstate, message)), "{engine}");
        }
        assert!(refused("Something else is wrong").is_none());
    }
}
