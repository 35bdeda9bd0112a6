//! Where in a statement an error is about: the first place where the name stands that the error names.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Code, Error};

/// Adds a position to an error about a name, unless it has one.
///
/// `text`: the statement. `begins`: where it stands in what the client sent, in characters from 1.
pub fn locate(error: Error, text: &str, begins: usize) -> Error {
    let about_a_name = matches!(
        error.code(),
        Code::ColumnNotFound | Code::TableNotFound | Code::AmbiguousColumn | Code::FunctionNotFound
    );
    if error.position().is_some() || !about_a_name {
        return error;
    }
    match named(&error).and_then(|name| position_of(&name, text)) {
        Some(position) => error.with_position(begins + position),
        None => error,
    }
}

/// The last part of the name in the message: `x` of `column "t.x" does not exist`.
fn named(error: &Error) -> Option<String> {
    let message = error.message();
    let name = match message.split('"').nth(1) {
        Some(quoted) => quoted,
        None => message.strip_prefix("function ")?.split(' ').next()?,
    };
    name.rsplit('.').next().map(str::to_lowercase)
}

/// Characters before the first word of this name outside of strings and comments.
fn position_of(name: &str, text: &str) -> Option<usize> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .ok()?;
    let location = tokens.into_iter().find_map(|token| match &token.token {
        Token::Word(word) if word.value.to_lowercase() == name => Some(token.span.start),
        _ => None,
    })?;
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let before: usize = text
        .split_inclusive('\n')
        .take(line)
        .map(|line| line.chars().count())
        .sum();
    Some(before + column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::column_not_found;

    #[test]
    fn position_is_that_of_the_name_and_not_of_a_string() {
        let error = locate(column_not_found("t.b"), "SELECT 'b',\n  a, B FROM t", 11);
        assert_eq!(error.position(), Some(11 + 17));
        assert_eq!(
            locate(column_not_found("c"), "SELECT 1", 1).position(),
            None
        );
    }
}
