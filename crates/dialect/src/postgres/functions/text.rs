//! Text: names of encodings, sizes, escapes, UUIDs. `quoting.rs` quotes, `format.rs` fills in templates.

mod format;
mod quoting;

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

pub(super) use self::format::format;
use self::quoting::quote_literal;
pub use self::quoting::{quote_ident, split_name};
use crate::postgres::{Cell, PgFunction};

const UTF8: i64 = 6;

/// Returns the text that a cast of a value writes; `None` for NULL.
pub(super) fn cast_text(value: &Cell<'static>) -> Option<String> {
    match value {
        Cell::Bool(value) => Some(value.to_string()),
        value => value.to_text(),
    }
}

/// Returns how many arguments are so.
pub(super) fn count(args: &[Cell<'static>], is_so: fn(&Cell<'static>) -> bool) -> Cell<'static> {
    let found = args.iter().filter(|cell| is_so(cell)).count();
    Cell::Int(i64::try_from(found).unwrap_or(i64::MAX))
}

/// Evaluates escapes such as `\00e9`, `\+01F600`, `\u00e9` and `\U0001F600`; `None` if one is
/// not valid.
fn unistr(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut high = None;
    while let Some(next) = rest.chars().next() {
        let after = rest.get(next.len_utf8()..)?;
        if next != '\\' || after.starts_with('\\') {
            if high.is_some() {
                return None;
            }
            out.push(next);
            rest = match next {
                '\\' => after.get(1..)?,
                _ => after,
            };
            continue;
        }
        let (digits, count) = match after.chars().next()? {
            '+' => (after.get(1..)?, 6),
            'u' => (after.get(1..)?, 4),
            'U' => (after.get(1..)?, 8),
            _ => (after, 4),
        };
        let number = digits.get(..count)?;
        if !number.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let code = u32::from_str_radix(number, 16).ok()?;
        rest = digits.get(count..)?;
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(first), 0xdc00..=0xdfff) => {
                let code = 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00);
                out.push(char::from_u32(code)?);
            }
            (None, code) if code != 0 => out.push(char::from_u32(code)?),
            _ => return None,
        }
    }
    high.is_none().then_some(out)
}

/// Formats a size in the largest unit that leaves at least ten: `10 kB`. Halves are rounded away from zero,
/// and what is less than half a unit is cut off first.
///
/// `text`: the size in bytes, which may have a fraction. `None` if it is not a number, or too large.
fn size_pretty(text: &str) -> Option<String> {
    /// Below this, a size is shown in bytes.
    const BYTES: u128 = 10 * 1024;
    /// Below this, one that is in halves of a unit is shown in the unit.
    const HALVES: u128 = 20 * 1024 - 1;
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let whole = text.split('.').next().unwrap_or(text);
    let bytes: i128 = whole.parse().ok()?;
    if bytes.unsigned_abs() < BYTES {
        return Some(format!("{text} bytes"));
    }
    let mut halves = bytes / 512;
    for unit in UNITS {
        if halves.unsigned_abs() < HALVES {
            return Some(format!("{} {unit}", (halves + halves.signum()) / 2));
        }
        halves /= 1024;
    }
    Some(format!("{} PB", (halves + halves.signum()) / 2))
}

/// Returns a UUID in PostgreSQL's form: digits in lower case, with hyphens. A hyphen may follow each
/// four digits of the text, and braces may enclose it.
fn uuid(text: &str) -> Option<String> {
    let text = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut bytes = text.bytes().peekable();
    let mut uuid = String::with_capacity(36);
    for byte in 0..16 {
        for _ in 0..2 {
            let digit = bytes.next().filter(u8::is_ascii_hexdigit)?;
            uuid.push(char::from(digit.to_ascii_lowercase()));
        }
        if byte % 2 == 1 && byte < 15 {
            let _ = bytes.next_if_eq(&b'-');
        }
        if matches!(byte, 3 | 5 | 7 | 9) {
            uuid.push('-');
        }
    }
    bytes.next().is_none().then_some(uuid)
}

pub(super) fn functions() -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    vec![
        PgFunction::new("quote_ident", 1..=1, text(), |args| {
            Ok(Cell::text(quote_ident(
                &args[0].to_text().unwrap_or_default(),
            )))
        })
        .immutable(),
        PgFunction::new("quote_literal", 1..=1, text(), |args| {
            Ok(Cell::text(quote_literal(
                &cast_text(&args[0]).unwrap_or_default(),
            )))
        })
        .of_texts()
        .immutable(),
        PgFunction::new("quote_nullable", 1..=1, text(), |args| {
            Ok(Cell::text(cast_text(&args[0]).map_or_else(
                || "NULL".to_owned(),
                |text| quote_literal(&text),
            )))
        })
        .called_on_null()
        .of_texts()
        .immutable(),
        PgFunction::new("format", 1..=16, text(), format)
            .called_on_null()
            .of_texts()
            .immutable(),
        PgFunction::new("num_nulls", 1..=100, DataType::Int32, |args| {
            Ok(count(args, Cell::is_null))
        })
        .called_on_null()
        .immutable(),
        PgFunction::new("num_nonnulls", 1..=100, DataType::Int32, |args| {
            Ok(count(args, |cell| !cell.is_null()))
        })
        .called_on_null()
        .immutable(),
        PgFunction::new("unistr", 1..=1, text(), |args| {
            let text = args[0].to_text().unwrap_or_default();
            unistr(&text).map(Cell::text).ok_or_else(|| {
                Error::new(Code::SyntaxError, "invalid Unicode escape")
                    .with_hint(
                        "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.",
                    )
                    .into()
            })
        })
        .immutable(),
        PgFunction::new("$uuid_in", 1..=1, text(), |args| {
            let text = args[0].to_text().unwrap_or_default();
            uuid(&text).map(Cell::text).ok_or_else(|| {
                let message = format!("invalid input syntax for type uuid: \"{text}\"");
                Error::new(Code::InvalidCast, message).into()
            })
        })
        .immutable()
        .shown_as("uuid"),
        PgFunction::new("pg_encoding_to_char", 1..=1, text(), |args| {
            Ok(Cell::text(match args[0].as_int() {
                Some(UTF8) => "UTF8",
                Some(0) => "SQL_ASCII",
                _ => "",
            }))
        })
        .immutable()
        .shown_as("name"),
        PgFunction::new("pg_encoding_max_length", 1..=1, DataType::Int32, |args| {
            Ok(match args.first().and_then(Cell::as_int) {
                Some(UTF8) => Cell::Int(4),
                Some(0) => Cell::Int(1),
                _ => Cell::Null,
            })
        })
        .immutable(),
        PgFunction::new("pg_char_to_encoding", 1..=1, DataType::Int32, |args| {
            let name = args[0]
                .to_text()
                .unwrap_or_default()
                .to_uppercase()
                .replace(['-', '_'], "");
            Ok(Cell::Int(match name.as_str() {
                "UTF8" | "UNICODE" => UTF8,
                "SQLASCII" => 0,
                _ => -1,
            }))
        })
        .immutable(),
        PgFunction::new("pg_size_pretty", 1..=1, text(), |args| {
            let Some(bytes) = args.first().and_then(Cell::to_text) else {
                return Ok(Cell::Null);
            };
            let shown = size_pretty(&bytes).ok_or_else(|| {
                let message = format!("invalid size: \"{bytes}\"");
                Error::new(Code::InvalidParameter, message)
                    .with_hint("write a number of bytes: pg_size_pretty(10240)")
            })?;
            Ok(Cell::text(shown))
        })
        .of_texts()
        .immutable(),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn unicode_escapes_are_evaluated() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(unistr("d\\0061t\\+000061"), some("data"));
        assert_eq!(unistr("\\u00e9\\U0001F600 \\\\"), some("é😀 \\"));
        assert_eq!(unistr("\\D83D\\DE00"), some("😀"));
        for bad in [
            "\\", "\\00", "\\xyzw", "\\D83D", "\\D83Dx", "\\DE00", "\\0000",
        ] {
            assert_eq!(unistr(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_rounded_in_the_unit_in_which_they_are_shown() {
        for (bytes, shown) in [
            ("0", "0 bytes"),
            ("-10239", "-10239 bytes"),
            ("1000.50", "1000.50 bytes"),
            ("10239.9", "10239.9 bytes"),
            ("10240", "10 kB"),
            ("-10240", "-10 kB"),
            ("10485247", "10239 kB"),
            ("10485248", "10 MB"),
            // Not from the number of kB, which would be 10752.
            ("11009536", "10 MB"),
            ("11010048", "11 MB"),
            ("1073741824", "1024 MB"),
            ("9223372036854775807", "8192 PB"),
            ("-9223372036854775808", "-8192 PB"),
        ] {
            assert_eq!(size_pretty(bytes).as_deref(), Some(shown), "{bytes}");
        }
        assert_eq!(size_pretty("many"), None);
    }

    #[test]
    fn uuids_are_read_as_postgres_does() {
        let expected = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [
            expected,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            assert_eq!(uuid(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ] {
            assert_eq!(uuid(bad), None, "{bad}");
        }
    }
}
