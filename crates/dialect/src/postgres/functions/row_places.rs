//! Places of rows in a table (`tid`), which are texts here, such as `(0,1)`.

use lakegate_error::{Code, Error};

/// Returns a place as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not a place.
pub(super) fn read(text: &str) -> Result<String, Error> {
    let (block, row) = parse(text).ok_or_else(|| invalid(text))?;
    Ok(format!("({block},{row})"))
}

/// Returns a text that compares as the place does.
///
/// # Errors
///
/// The text is not a place.
pub(super) fn key(text: &str) -> Result<String, Error> {
    let (block, row) = parse(text).ok_or_else(|| invalid(text))?;
    Ok(format!("{block:08x}{row:04x}"))
}

fn invalid(text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    let message = format!("invalid input syntax for type tid: \"{shown}\"");
    Error::new(Code::InvalidCast, message)
}

/// Returns the block and the row in it.
fn parse(text: &str) -> Option<(u32, u16)> {
    let inner = text.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let (block, row) = inner.split_once(',')?;
    let digits = |part: &str| {
        let part = part.trim_start().to_owned();
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(part)
    };
    Some((digits(block)?.parse().ok()?, digits(row)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_compared() {
        for (text, expected) in [
            ("(0,1)", Some("(0,1)")),
            (" (1, 2)", Some("(1,2)")),
            ("(4294967295,65535)", Some("(4294967295,65535)")),
            ("(0,65536)", None),
            ("(-1,1)", None),
            ("(0,+1)", None),
            ("(0)", None),
            ("(,)", None),
            ("0,1", None),
            ("", None),
        ] {
            assert_eq!(read(text).ok().as_deref(), expected, "{text}");
        }
        let keys: Vec<Option<String>> = ["(2,9)", "(2,10)", "(10,1)"]
            .map(|text| key(text).ok())
            .into();
        assert!(keys.is_sorted() && keys.iter().all(Option::is_some));
    }
}
