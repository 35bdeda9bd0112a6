//! The position of an error in a statement: the first occurrence of the name, the literal or the
//! operator that the error is about.

use lakegate_error::{Code, Error};
use lakegate_sql::Parsed;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::error_words::{
    Word, behind, cast_to, compared_with_any, numbered_key, of_operands, other_row, second_query,
    type_named, wide_subquery, words,
};

/// Adds a position to an error about a name, a literal or an operator, unless it has one.
///
/// `text`: the statement. `begins`: the position of the statement in the text that the client sent,
/// in characters from 1.
pub(crate) fn locate(error: Error, text: &str, begins: usize) -> Error {
    if error.position().is_some() {
        return error;
    }
    if let Some(operands) = error.operands() {
        let place = of_operands(operands, &words(text));
        return match place.and_then(|location| characters_before(location, text)) {
            Some(position) => error.with_position(begins + position),
            None => error,
        };
    }
    let place = match error.code() {
        Code::ColumnNotFound
        | Code::TableNotFound
        | Code::AmbiguousColumn
        | Code::GroupingError
        | Code::FunctionNotFound
        | Code::WrongObjectType
        | Code::UndefinedParameter => {
            named(&error).and_then(|name| position_of_name(&error, &name, text))
        }
        Code::InvalidCast
        | Code::InvalidDatetime
        | Code::DatetimeOutOfRange
        | Code::IntervalOutOfRange
        | Code::ZoneOutOfRange
        | Code::NumericOutOfRange => {
            quoted(&error).and_then(|value| position_of_literal(value, text))
        }
        _ => None,
    };
    let place = place.or_else(|| position_of_operator(operator(&error)?, text));
    let place = place.or_else(|| characters_before(of_clause(&error, &words(text))?, text));
    match place {
        Some(position) => error.with_position(begins + position),
        None => error,
    }
}

/// Counts the position of an error in a statement within another from the start of the outer one.
pub(crate) fn within(error: Error, inner: &str, outer: &Parsed) -> Error {
    let before = outer.text.find(inner).and_then(|at| outer.text.get(..at));
    match (error.position(), before) {
        (Some(position), Some(before)) => {
            let begins = outer.position.saturating_sub(1) + before.chars().count();
            error.with_position(begins + position)
        }
        _ => error,
    }
}

/// Returns where the clause, the query or the cast begins that a message is about.
fn of_clause(error: &Error, words: &[Word]) -> Option<Location> {
    let message = error.message();
    if let Some(types) = message.strip_prefix("cannot cast type ") {
        let (_, target) = types.rsplit_once(" to ")?;
        return cast_to(target.split([' ', '[']).next()?, words);
    }
    if let Some(name) = message.strip_prefix("type \"") {
        let name = name.strip_suffix("\" does not exist")?;
        return type_named(name, words);
    }
    if let Some(rest) = message.strip_prefix("argument of ") {
        let (clause, _) = rest.split_once(" must ")?;
        return match clause {
            "WHERE" => behind(&["WHERE"], words).or_else(|| behind(&["HAVING"], words)),
            "JOIN/ON" => behind(&["ON"], words),
            clause => behind(&[clause], words),
        };
    }
    if let Some(key) = message.strip_suffix(" is not in select list") {
        let (clause, number) = key.split_once(" BY position ")?;
        return numbered_key(clause, number, words).or_else(|| behind(&[clause, "BY"], words));
    }
    if let Some(rest) = message.strip_prefix("each ") {
        let (operation, _) = rest.split_once(" query must have the same number of columns")?;
        return second_query(operation, words);
    }
    if message.starts_with("UNION types ") {
        return second_query("UNION", words);
    }
    match message {
        "ANY and ALL need an array or a subquery on the right" => compared_with_any(words),
        "VALUES lists must all be the same length" => other_row(words),
        "subquery must return only one column" => wide_subquery(words),
        _ => None,
    }
}

/// Returns the text that a message quotes: `x` of `invalid input syntax for type integer: "x"`.
fn quoted(error: &Error) -> Option<&str> {
    let (_, rest) = error.message().split_once('"')?;
    rest.rsplit_once('"').map(|(value, _)| value)
}

/// Returns the operator of a message that its operands have the wrong types.
fn operator(error: &Error) -> Option<&str> {
    let starts = ["Cannot apply operator: ", "operator does not exist: "];
    let message = error.message();
    let operation = starts
        .iter()
        .find_map(|start| message.strip_prefix(start))?;
    let is_sign =
        |word: &&str| !word.is_empty() && word.chars().all(|sign| "+-*/%<>=!~|&^#@".contains(sign));
    let found = operation.split(' ').find(is_sign)?;
    Some(match found {
        "!=" => "<>",
        "~~" => "LIKE",
        "~~*" => "ILIKE",
        other => other,
    })
}

/// Returns the parts of the name in the message: `t` and `x` of `column "t.x" does not exist`.
fn named(error: &Error) -> Option<Vec<String>> {
    let message = error.message();
    let name = match message.split('"').nth(1) {
        Some(quoted) => quoted,
        None => ["function ", "window function ", "there is no parameter "]
            .iter()
            .find_map(|before| message.strip_prefix(before))?
            .split([' ', '('])
            .next()?,
    };
    Some(name.split('.').map(str::to_lowercase).collect())
}

/// Returns the number of characters before the first matching name outside of strings and comments
/// that is not an alias behind AS. Either name may have more qualifiers than the other; what does not
/// exist is written with all of them, if it is anywhere.
fn position_of_name(error: &Error, name: &[String], text: &str) -> Option<usize> {
    let matches = |found: &Name| found.parts.ends_with(name) || name.ends_with(&found.parts);
    let mut names: Vec<Name> = names_in(text)?.into_iter().filter(matches).collect();
    if names.iter().any(|found| !found.is_alias) {
        names.retain(|found| !found.is_alias);
    }
    let is_missing = matches!(error.code(), Code::ColumnNotFound | Code::TableNotFound);
    let whole = names.iter().find(|found| found.parts.ends_with(name));
    let found = match (is_missing, whole) {
        (true, Some(whole)) => whole,
        // The clause is behind the list.
        _ if error.message().starts_with("ORDER BY ") => names.last()?,
        _ => names.first()?,
    };
    characters_before(found.begins, text)
}

/// Returns the number of characters before the first string of this value.
fn position_of_literal(value: &str, text: &str) -> Option<usize> {
    position_of_token(text, |token| match token {
        Token::SingleQuotedString(found) | Token::EscapedStringLiteral(found) => found == value,
        _ => false,
    })
}

fn position_of_operator(operator: &str, text: &str) -> Option<usize> {
    position_of_token(text, |token| match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(operator),
        Token::Whitespace(_) | Token::SingleQuotedString(_) => false,
        other => other.to_string() == operator,
    })
}

fn position_of_token(text: &str, is_it: impl Fn(&Token) -> bool) -> Option<usize> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .ok()?;
    let token = tokens.into_iter().find(|token| is_it(&token.token))?;
    characters_before(token.span.start, text)
}

/// Returns the number of characters before a location in a text.
pub(super) fn at(location: Location, text: &str) -> Option<usize> {
    characters_before(location, text)
}

fn characters_before(location: Location, text: &str) -> Option<usize> {
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let before: usize = text
        .split_inclusive('\n')
        .take(line)
        .map(|line| line.chars().count())
        .sum();
    Some(before + column)
}

/// A name in a text.
struct Name {
    /// Its parts, in lower case.
    parts: Vec<String>,
    begins: Location,
    /// Whether it is behind AS.
    is_alias: bool,
}

/// Returns the names in a text. Keywords count as names.
fn names_in(text: &str) -> Option<Vec<Name>> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .ok()?;
    let mut names: Vec<Name> = Vec::new();
    let (mut after_period, mut after_as) = (false, false);
    for token in tokens {
        match token.token {
            Token::Word(word) => {
                let part = word.value.to_lowercase();
                let is_as = word.quote_style.is_none() && part == "as";
                match names.last_mut() {
                    Some(name) if after_period => name.parts.push(part),
                    _ => names.push(Name {
                        parts: vec![part],
                        begins: token.span.start,
                        is_alias: after_as,
                    }),
                }
                (after_period, after_as) = (false, is_as);
            }
            Token::Placeholder(name) => names.push(Name {
                parts: vec![name],
                begins: token.span.start,
                is_alias: false,
            }),
            Token::Period => after_period = true,
            Token::Whitespace(_) => {}
            _ => (after_period, after_as) = (false, false),
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use lakegate_error::column_not_found;

    use super::*;

    #[test]
    fn position_is_that_of_the_name_and_not_of_a_string() {
        let error = locate(column_not_found("t.b"), "SELECT 'b',\n  a, B FROM t", 11);
        assert_eq!(error.position(), Some(11 + 17));
        let qualified = locate(column_not_found("t.b"), "SELECT x.b, t . b FROM t", 1);
        assert_eq!(qualified.position(), Some(1 + 12));
        for (message, code, text, position) in [
            (
                "invalid input syntax for type integer: \"x\"",
                Code::InvalidCast,
                "SELECT x, CAST('x' AS int)",
                16,
            ),
            (
                "operator does not exist: bigint + boolean",
                Code::FunctionNotFound,
                "SELECT 1 + true",
                10,
            ),
            (
                "Cannot apply operator: timestamp with time zone != bigint",
                Code::InvalidQuery,
                "SELECT now() <> 1",
                14,
            ),
            (
                "function abs(varchar) does not exist",
                Code::FunctionNotFound,
                "SELECT Abs('a')",
                8,
            ),
            (
                "column \"t.a\" must appear in the GROUP BY clause",
                Code::GroupingError,
                "SELECT a, count(*) FROM t",
                8,
            ),
        ] {
            let error = locate(Error::new(code, message), text, 1);
            assert_eq!(error.position(), Some(position), "{text}");
        }
        let behind_alias = locate(column_not_found("k"), "SELECT a AS k FROM t WHERE k > 1", 1);
        assert_eq!(behind_alias.position(), Some(1 + 27));
        let whole = locate(
            column_not_found("t.a"),
            "SELECT a FROM u JOIN v ON t.a = v.a",
            1,
        );
        assert_eq!(whole.position(), Some(1 + 26));
        let ambiguous = Error::new(Code::AmbiguousColumn, "ORDER BY \"x\" is ambiguous");
        let ambiguous = locate(ambiguous, "SELECT a AS x, x FROM t ORDER BY x", 1);
        assert_eq!(ambiguous.position(), Some(1 + 33));
        let key = Error::new(
            Code::InvalidColumnReference,
            "ORDER BY position 3 is not in select list",
        );
        let key = locate(key, "SELECT a FROM t WHERE a < 3 ORDER BY 1, 3", 1);
        assert_eq!(key.position(), Some(1 + 40));
        let shorter = locate(column_not_found("b"), "SELECT t.b FROM t", 1);
        assert_eq!(shorter.position(), Some(1 + 7));
        assert_eq!(
            locate(column_not_found("c"), "SELECT 1", 1).position(),
            None
        );
    }
}
