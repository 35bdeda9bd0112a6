//! Text: quoting, formatting, names of encodings, sizes.

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_engine::bounded;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction, invalid};

const UTF8: i64 = 6;

/// Quotes an identifier for SQL where necessary.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn is_reserved(name: &str) -> bool {
    use datafusion::sql::sqlparser::keywords::{
        ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS,
    };
    let upper = name.to_uppercase();
    ALL_KEYWORDS
        .binary_search(&upper.as_str())
        .is_ok_and(|index| {
            let keyword = &ALL_KEYWORDS_INDEX[index];
            RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
                || RESERVED_FOR_TABLE_ALIAS.contains(keyword)
        })
        || matches!(
            upper.as_str(),
            "USER"
                | "TABLE"
                | "CURRENT_USER"
                | "SESSION_USER"
                | "NULL"
                | "TRUE"
                | "FALSE"
                | "CASE"
                | "COLUMN"
        )
}

/// Quotes a string for SQL.
pub(super) fn quote_literal(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains('\\') {
        format!("E{}", quoted.replace('\\', "\\\\"))
    } else {
        quoted
    }
}

/// Returns the text that a cast of a value writes; `None` for NULL.
pub(super) fn cast_text(value: &Cell<'static>) -> Option<String> {
    match value {
        Cell::Bool(value) => Some(value.to_string()),
        value => value.to_text(),
    }
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn digits(chars: &mut Letters<'_>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits
}

fn place(digits: &str) -> Result<usize> {
    digits
        .parse::<u32>()
        .ok()
        .and_then(|place| usize::try_from(place).ok())
        .ok_or_else(|| invalid("number is out of range"))
}

/// Returns the width that follows: `10`, `*` for that of the next argument, or `*2$`. A negative
/// one pads on the right.
fn width_of(
    chars: &mut Letters<'_>,
    args: &[Cell<'static>],
    next: &mut usize,
    left: &mut bool,
) -> Result<Option<usize>> {
    if chars.next_if_eq(&'*').is_none() {
        let digits = digits(chars);
        return match digits.is_empty() {
            true => Ok(None),
            false => place(&digits).map(Some),
        };
    }
    let digits = digits(chars);
    let at = match digits.is_empty() {
        true => *next,
        false if chars.next_if_eq(&'$').is_some() => place(&digits)?,
        false => return Err(invalid("width argument position must be ended by \"$\"")),
    };
    *next = at + 1;
    let width = args
        .get(at)
        .filter(|_| at > 0)
        .ok_or_else(|| invalid("too few arguments for format()"))?;
    let width = width.as_int().unwrap_or(0);
    *left |= width < 0;
    let width =
        u32::try_from(width.unsigned_abs()).map_err(|_| invalid("number is out of range"))?;
    Ok(usize::try_from(width).ok())
}

/// Formats like `format('%I.%I', …)`: `%s`, `%I`, `%L` and `%%`, with `n$` positions and widths.
pub(super) fn format(args: &[Cell<'static>]) -> Result<Cell<'static>> {
    let Some(template) = args[0].as_str() else {
        return Ok(Cell::Null);
    };
    let mut out = String::new();
    let mut next = 1;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        bounded::check_value("format", out.len())?;
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut width = None;
        let mut left = false;
        let mut position = None;
        let digits = digits(&mut chars);
        if !digits.is_empty() && chars.next_if_eq(&'$').is_some() {
            position = Some(place(&digits)?);
        } else if !digits.is_empty() {
            width = Some(place(&digits)?);
        }
        if width.is_none() {
            while chars.next_if_eq(&'-').is_some() {
                left = true;
            }
            width = width_of(&mut chars, args, &mut next, &mut left)?;
        }
        let at = position.unwrap_or(next);
        let value = args
            .get(at)
            .filter(|_| at > 0)
            .ok_or_else(|| invalid("too few arguments for format()"))?;
        next = at + 1;
        let text = match (chars.next(), value.to_text()) {
            (Some('s'), text) => text.unwrap_or_default(),
            (Some('I'), Some(text)) => quote_ident(&text),
            (Some('I'), None) => {
                return Err(invalid(
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            (Some('L'), Some(text)) => quote_literal(&text),
            (Some('L'), None) => "NULL".to_owned(),
            (other, _) => {
                let other = other.map_or_else(|| "its end".to_owned(), |c| format!("\"{c}\""));
                return Err(invalid(format!(
                    "format() knows %s, %I, %L and %%, not % before {other}"
                )));
            }
        };
        let blanks = width.unwrap_or(0).saturating_sub(text.chars().count());
        bounded::check_value("format", out.len().saturating_add(blanks))?;
        let blanks = " ".repeat(blanks);
        match left {
            true => out.extend([text, blanks]),
            false => out.extend([blanks, text]),
        }
    }
    Ok(Cell::text(out))
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

/// Formats a size in the largest unit that leaves at least ten: `10 kB`.
fn size_pretty(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let mut value = i128::from(bytes);
    let mut unit = 0;
    while unit + 1 < UNITS.len() && value.abs() >= 10 * 1024 {
        // Rounds half away from zero, like Postgres.
        value = (value + 512 * value.signum()) / 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
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

/// Returns the parts of a qualified name: `curated."Orders"`. White space around them does not count.
pub fn split_name(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut chars = name.trim().chars().peekable();
    loop {
        let mut part = String::new();
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' if chars.next_if_eq(&'"').is_some() => part.push('"'),
                    '"' => break,
                    c => part.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.' && *c != '"') {
                part.extend(c.to_lowercase());
            }
            part = part.trim().to_owned();
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
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
            Ok(args[0]
                .as_int()
                .map_or(Cell::Null, |bytes| Cell::text(size_pretty(bytes))))
        })
        .immutable(),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn identifiers_and_literals_are_quoted_only_where_they_must_be() {
        assert_eq!(quote_ident("orders"), "orders");
        assert_eq!(quote_ident("Orders"), "\"Orders\"");
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_ident("select"), "\"select\"");
        assert_eq!(quote_ident("1a"), "\"1a\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
    }

    #[test]
    fn format_quotes_identifiers_and_literals() {
        let args = [
            Cell::text("%I.%s = %L%% %1$s"),
            Cell::text("My t"),
            Cell::text("c"),
            Cell::text("x'y"),
        ];
        assert_eq!(
            format(&args).unwrap(),
            Cell::text("\"My t\".c = 'x''y'% My t")
        );
        let padded = [
            Cell::text("|%10s|%-10s|%-3s|%*s|%2$-4s|"),
            Cell::text("foo"),
            Cell::text("bar"),
            Cell::text("long"),
            Cell::Int(-4),
            Cell::text("é"),
        ];
        assert_eq!(
            format(&padded).unwrap(),
            Cell::text("|       foo|bar       |long|é   |bar |")
        );
        assert!(format(&[Cell::text("%I")]).is_err());
        assert!(format(&[Cell::text("%0$s"), Cell::text("a")]).is_err());
    }

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
    fn sizes_round_half_up() {
        assert_eq!(size_pretty(10_239), "10239 bytes");
        assert_eq!(size_pretty(10_240), "10 kB");
        assert_eq!(size_pretty(1_073_741_824), "1024 MB");
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

    #[test]
    fn names_split_at_dots_outside_quotes() {
        assert_eq!(split_name("Curated.\"My.T\"").unwrap(), ["curated", "My.T"]);
        assert_eq!(
            split_name(" \"curated\" . \"My T\"\n. x ").unwrap(),
            ["curated", "My T", "x"]
        );
        for bad in [
            "a.",
            "",
            "\"a",
            "a . ",
            ". a",
            "\"a\" \"b\"",
            "a \"b\"",
            "a..b",
        ] {
            assert_eq!(split_name(bad), None, "{bad}");
        }
    }
}
