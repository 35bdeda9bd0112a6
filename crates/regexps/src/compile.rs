//! Compiles a spelling within bounds.

use fancy_regex::{CompileError, Regex, RegexBuilder, RuntimeError};
use lakegate_error::{Code, Error};

/// Maximum bytes of a pattern's text.
pub const MAX_TEXT: usize = 64 * 1024;
/// Maximum bytes of a compiled pattern.
pub const MAX_COMPILED: usize = 10 << 20;
/// Bytes that every compiled pattern may take, so that texts of any length can be searched for
/// single characters.
const LEAST_COMPILED: usize = 2048;
/// Bytes of a text times bytes of a compiled pattern: some seconds at worst, usually milliseconds.
const MAX_WORK: usize = 200_000_000_000;
/// Instructions of the part that backtracks.
const MAX_INSTRUCTIONS: usize = 1 << 18;
/// Steps back in one search, some tenths of a second.
const MAX_STEPS_BACK: usize = 10_000_000;
/// Characters of a pattern in an error.
const SHOWN: usize = 100;

/// Returns the bytes of a text that a pattern compiled within `within` bytes may search: the time
/// is at worst the product of the two.
pub fn longest(within: usize) -> usize {
    MAX_WORK / within.max(LEAST_COMPILED)
}

/// Returns the bytes that a compiled pattern may take to search a text of `length` bytes.
pub fn room(length: usize) -> usize {
    (MAX_WORK / length.max(1)).clamp(LEAST_COMPILED, MAX_COMPILED)
}

/// # Errors
///
/// The pattern's text is longer than [`MAX_TEXT`].
pub fn check_text(pattern: &str) -> Result<(), Error> {
    if pattern.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a regular expression of {} bytes is too long; {MAX_TEXT} are the most",
        pattern.len()
    )))
}

/// Compiles a spelling within `within` bytes; `pattern` is what errors show.
///
/// # Errors
///
/// The pattern is not valid, or too large.
pub fn compile(pattern: &str, spelled: &str, within: usize) -> Result<Regex, Error> {
    let built = RegexBuilder::new(spelled)
        .backtrack_limit(MAX_STEPS_BACK)
        .delegate_size_limit(within)
        .max_prog_size(MAX_INSTRUCTIONS)
        .build();
    let error = match built {
        Ok(regex) => return Ok(regex),
        Err(error) => error,
    };
    let too_large = match &error {
        fancy_regex::Error::CompileError(error) => match error.as_ref() {
            CompileError::InnerError(error) => error.size_limit().is_some(),
            CompileError::PatternTooComplex => true,
            _ => false,
        },
        _ => false,
    };
    Err(match too_large {
        true => Error::new(
            Code::TooComplex,
            format!(
                "the regular expression '{}' is too large: compiled, it may take {within} bytes",
                shortened(pattern)
            ),
        )
        .with_hint("search shorter texts, or use fewer repetitions such as {1,100}"),
        false => about(pattern, &error.to_string()),
    })
}

/// Returns the error of a search in a text of `bytes` bytes.
pub fn failed(pattern: &str, bytes: usize, error: &fancy_regex::Error) -> Error {
    match error {
        fancy_regex::Error::RuntimeError(
            RuntimeError::BacktrackLimitExceeded | RuntimeError::StackOverflow,
        ) => Error::new(
            Code::TooComplex,
            format!(
                "the regular expression '{}' takes too many steps in a text of {bytes} bytes",
                shortened(pattern)
            ),
        )
        .with_hint("repeat less within what is repeated, or do without look-around and \\1"),
        other => about(pattern, &other.to_string()),
    }
}

/// Returns the error of a pattern that is not valid.
pub fn about(pattern: &str, message: &str) -> Error {
    Error::invalid(format!(
        "the regular expression '{}' is not valid: {message}",
        shortened(pattern)
    ))
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_leave_little_room_for_the_pattern() {
        assert_eq!(room(0), MAX_COMPILED);
        assert_eq!(room(longest(MAX_COMPILED)), MAX_COMPILED);
        assert!(room(32 << 20) < 10_000);
        assert_eq!(room(usize::MAX), LEAST_COMPILED);
        assert!(longest(room(1 << 20)) >= 1 << 20);
    }

    #[test]
    fn long_patterns_are_refused() {
        assert!(check_text(&"x".repeat(MAX_TEXT)).is_ok());
        let error = check_text(&"x".repeat(MAX_TEXT + 1)).err();
        assert!(error.is_some_and(|error| error.message().contains("too long")));
    }
}
