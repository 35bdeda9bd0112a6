//! The position of an error in a statement: the first occurrence of the name that the error is
//! about.

use lakegate_error::{Code, Error};
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

/// Adds a position to an error about a name, unless it has one.
///
/// `text`: the statement. `begins`: the position of the statement in the text that the client sent,
/// in characters from 1.
pub(crate) fn locate(error: Error, text: &str, begins: usize) -> Error {
    let about_a_name = matches!(
        error.code(),
        Code::ColumnNotFound
            | Code::TableNotFound
            | Code::AmbiguousColumn
            | Code::FunctionNotFound
            | Code::UndefinedParameter
    );
    if error.position().is_some() || !about_a_name {
        return error;
    }
    match named(&error).and_then(|name| position_of(&name, text)) {
        Some(position) => error.with_position(begins + position),
        None => error,
    }
}

/// Returns the parts of the name in the message: `t` and `x` of `column "t.x" does not exist`.
fn named(error: &Error) -> Option<Vec<String>> {
    let message = error.message();
    let name = match message.split('"').nth(1) {
        Some(quoted) => quoted,
        None => ["function ", "there is no parameter "]
            .iter()
            .find_map(|before| message.strip_prefix(before))?
            .split(' ')
            .next()?,
    };
    Some(name.split('.').map(str::to_lowercase).collect())
}

/// Returns the number of characters before the first matching name outside of strings and comments.
/// Either name may have more qualifiers than the other.
fn position_of(name: &[String], text: &str) -> Option<usize> {
    let (_, location) = names_in(text)?
        .into_iter()
        .find(|(found, _)| found.ends_with(name) || name.ends_with(found))?;
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let before: usize = text
        .split_inclusive('\n')
        .take(line)
        .map(|line| line.chars().count())
        .sum();
    Some(before + column)
}

/// Returns the parts of each name in a text, and where it begins. Keywords count as names.
fn names_in(text: &str) -> Option<Vec<(Vec<String>, Location)>> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .ok()?;
    let mut names: Vec<(Vec<String>, Location)> = Vec::new();
    let mut after_period = false;
    for token in tokens {
        match token.token {
            Token::Word(word) => {
                let part = word.value.to_lowercase();
                match names.last_mut() {
                    Some((parts, _)) if after_period => parts.push(part),
                    _ => names.push((vec![part], token.span.start)),
                }
                after_period = false;
            }
            Token::Placeholder(name) => names.push((vec![name], token.span.start)),
            Token::Period => after_period = true,
            Token::Whitespace(_) => {}
            _ => after_period = false,
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
        let shorter = locate(column_not_found("b"), "SELECT t.b FROM t", 1);
        assert_eq!(shorter.position(), Some(1 + 7));
        assert_eq!(
            locate(column_not_found("c"), "SELECT 1", 1).position(),
            None
        );
    }
}
