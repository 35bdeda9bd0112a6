//! What Ion text has between quotes: strings, symbols, and the bytes of blobs and clobs.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Result, broken};

/// Where the quote is that ends a text. `None`: it is not there.
pub(super) fn closing(bytes: &[u8], quote: &[u8]) -> Option<usize> {
    let first = *quote.first()?;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += memchr::memchr2(first, b'\\', rest)?;
        match bytes.get(at..)? {
            [b'\\', ..] => at += 2,
            rest if rest.starts_with(quote) => return Some(at),
            _ => at += 1,
        }
    }
}

/// The text between short or long quotes.
///
/// # Errors
/// It is not UTF-8, has an escape that is none, or a line break between short quotes.
pub(super) fn text(body: &[u8], is_long: bool) -> Result<Cow<'_, str>> {
    let text = str::from_utf8(body).map_err(|_| broken("a text is not UTF-8"))?;
    if !is_long && memchr::memchr2(b'\n', b'\r', body).is_some() && !breaks_are_escaped(body) {
        return Err(broken("a text between short quotes has a line break"));
    }
    let is_plain = memchr::memchr2(b'\\', b'\r', body).is_none();
    if is_plain {
        return Ok(text.into());
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {}
            // Line breaks of all kinds are one.
            '\r' => {
                letters.next_if_eq(&'\n');
                out.push('\n');
                continue;
            }
            letter => {
                out.push(letter);
                continue;
            }
        }
        let code = match letters.next() {
            Some('x') => hex(&mut letters, 2)?,
            Some('u') => match hex(&mut letters, 4)? {
                high @ 0xD800..0xDC00 => low_surrogate(high, &mut letters)?,
                code => code,
            },
            Some('U') => hex(&mut letters, 8)?,
            Some('\n') => continue,
            Some('\r') => {
                letters.next_if_eq(&'\n');
                continue;
            }
            Some(letter) => u32::from(simple(letter)?),
            None => return Err(no_escape()),
        };
        out.push(char::from_u32(code).ok_or_else(no_escape)?);
    }
    Ok(out.into())
}

/// The second half of a letter that is written as two.
fn low_surrogate(high: u32, letters: &mut impl Iterator<Item = char>) -> Result<u32> {
    let is_next = letters.next() == Some('\\') && letters.next() == Some('u');
    if !is_next {
        return Err(no_escape());
    }
    match hex(letters, 4)? {
        low @ 0xDC00..0xE000 => Ok(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)),
        _ => Err(no_escape()),
    }
}

fn breaks_are_escaped(body: &[u8]) -> bool {
    let mut is_escaped = false;
    let mut last = 0;
    for byte in body {
        match byte {
            b'\n' if last == b'\r' => {}
            b'\n' | b'\r' if !is_escaped => return false,
            _ => {}
        }
        is_escaped = *byte == b'\\' && !is_escaped;
        last = *byte;
    }
    true
}

fn hex(letters: &mut impl Iterator<Item = char>, digits: usize) -> Result<u32> {
    let mut code = 0_u32;
    for _ in 0..digits {
        let digit = letters.next().and_then(|letter| letter.to_digit(16));
        code = (code << 4) | digit.ok_or_else(no_escape)?;
    }
    Ok(code)
}

/// An escape of one letter.
fn simple(letter: char) -> Result<char> {
    Ok(match letter {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'v' => '\u{b}',
        '"' | '\'' | '?' | '\\' | '/' => letter,
        _ => return Err(no_escape()),
    })
}

fn no_escape() -> super::Fault {
    broken("a text has an escape that is none")
}

/// The bytes of a clob, whose text is ASCII with escapes.
///
/// # Errors
/// It is not.
pub(super) fn clob(body: &[u8], is_long: bool) -> Result<Vec<u8>> {
    if !body.is_ascii() || has_wide_escape(body) {
        return Err(broken("a clob is not ASCII"));
    }
    let text = text(body, is_long)?;
    let bytes = text.chars().map(|letter| u8::try_from(u32::from(letter)));
    bytes
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| broken("a clob is not ASCII"))
}

/// Whether a letter is written by its number of 16 or 32 bits.
fn has_wide_escape(body: &[u8]) -> bool {
    let mut is_escaped = false;
    for byte in body {
        if is_escaped && matches!(byte, b'u' | b'U') {
            return true;
        }
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    false
}

/// The bytes of a blob, whose text is Base64 with white space in it.
///
/// # Errors
/// It is not.
pub(super) fn blob(body: &[u8]) -> Result<Vec<u8>> {
    let letters = body.iter().copied();
    let letters: Vec<u8> = letters
        .filter(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c))
        .collect();
    let bytes = STANDARD.decode(letters);
    bytes.map_err(|_| broken("a blob is not Base64"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn escapes_are_replaced() {
        for (body, is_long, value) in [
            ("plain é", false, "plain é"),
            (
                r#"\0\a\b\t\n\f\r\v\"\'\?\\\/"#,
                false,
                "\0\u{7}\u{8}\t\n\u{c}\r\u{b}\"'?\\/",
            ),
            (r"\xe9\u00e9\U0001F600\ud83d\ude00", false, "éé😀😀"),
            ("a\\\nb", false, "ab"),
            ("a\\\r\nb", false, "ab"),
            ("a\r\nb\rc\nd", true, "a\nb\nc\nd"),
        ] {
            assert_eq!(text(body.as_bytes(), is_long).unwrap(), value, "{body:?}");
        }
        for body in [
            "\\",
            "\\q",
            "\\x1",
            "\\u123",
            "\\ud83d",
            "\\ud83dx",
            "\\ude00",
            "\\UFFFFFFFF",
            "a\nb",
            "\\\\\nb",
        ] {
            assert!(text(body.as_bytes(), false).is_err(), "{body:?}");
        }
        assert!(text(&[0xff], true).is_err());
    }

    #[test]
    fn ends_are_found_behind_escapes() {
        assert_eq!(closing(br#"a\"b"c"#, b"\""), Some(4));
        assert_eq!(closing(br"a\\'", b"'"), Some(3));
        assert_eq!(closing(b"a'b''c'''d", b"'''"), Some(6));
        assert_eq!(closing(b"abc\\", b"'"), None);
        assert_eq!(closing(b"", b"'"), None);
    }

    #[test]
    fn bytes_are_decoded() {
        assert_eq!(blob(b" SGVs\n bG8= ").unwrap(), b"Hello");
        assert!(blob(b"!").is_err());
        assert_eq!(clob(br"a\xff\n", false).unwrap(), b"a\xff\n");
        assert_eq!(clob(br"\\u", false).unwrap(), b"\\u");
        assert!(clob("é".as_bytes(), false).is_err());
        assert!(clob(br"\u00e9", false).is_err());
    }
}
