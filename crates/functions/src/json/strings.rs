//! The strings of JSON: their escapes, and the order of names.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::scan::{Raw, plain};

/// A part of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Char(char),
    /// Half of a character of UTF-16, without its other half.
    Lone(u16),
}

/// The parts of a string whose escapes are valid.
#[derive(Debug, Clone)]
struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(raw: Raw<'a>) -> Self {
        Self { rest: raw.text }
    }

    /// Takes the unit of UTF-16 that `uXXXX` at the start of a text stands for.
    fn unit(text: &str) -> Option<u16> {
        u16::from_str_radix(text.get(1..5)?, 16).ok()
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.rest;
        let Some(escape) = rest.strip_prefix('\\') else {
            let end = rest.find('\\').unwrap_or(rest.len());
            let (text, rest) = rest.split_at(end);
            self.rest = rest;
            return (!text.is_empty()).then_some(Piece::Text(text));
        };
        let letter = escape.chars().next()?;
        self.rest = escape.get(1..)?;
        let plain = match letter {
            'u' => None,
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            other => Some(other),
        };
        if let Some(plain) = plain {
            return Some(Piece::Char(plain));
        }
        let first = Self::unit(escape)?;
        self.rest = escape.get(5..)?;
        if let Some(char) = char::from_u32(u32::from(first)) {
            return Some(Piece::Char(char));
        }
        let second = self.rest.strip_prefix('\\');
        let second = second.filter(|escape| escape.starts_with('u'));
        if let Some(second) = second.and_then(Self::unit)
            && let Some(Ok(char)) = char::decode_utf16([first, second]).next()
        {
            self.rest = self.rest.get(6..)?;
            return Some(Piece::Char(char));
        }
        Some(Piece::Lone(first))
    }
}

/// Appends a string's text. Half a character becomes `?`, as it does in Java's UTF-8.
pub(super) fn decode(raw: Raw<'_>, into: &mut String) {
    if !raw.escaped {
        into.push_str(raw.text);
        return;
    }
    for piece in Pieces::of(raw) {
        match piece {
            Piece::Text(text) => into.push_str(text),
            Piece::Char(char) => into.push(char),
            Piece::Lone(_) => into.push('?'),
        }
    }
}

/// Whether a string's text is this.
#[inline]
pub(super) fn equals(raw: Raw<'_>, text: &str) -> bool {
    if !raw.escaped {
        return raw.text == text;
    }
    let mut rest = text;
    for piece in Pieces::of(raw) {
        let after = match piece {
            Piece::Text(part) => rest.strip_prefix(part),
            Piece::Char(char) => rest.strip_prefix(char),
            Piece::Lone(_) => None,
        };
        let Some(after) = after else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

/// Appends a string with its quotes, with no more escapes than it needs.
pub(super) fn rewrite(raw: Raw<'_>, into: &mut String) {
    into.push('"');
    for piece in Pieces::of(raw) {
        match piece {
            Piece::Text(text) => into.push_str(text),
            Piece::Char(char) => push(char, into),
            Piece::Lone(unit) => {
                let _ = write!(into, "\\u{unit:04X}");
            }
        }
    }
    into.push('"');
}

/// Appends a text as a string, with its quotes.
pub(super) fn encode(text: &str, into: &mut String) {
    into.push('"');
    let mut rest = text;
    loop {
        let (before, from) = rest.split_at(plain(rest.as_bytes()));
        into.push_str(before);
        let mut chars = from.chars();
        let Some(char) = chars.next() else {
            break;
        };
        push(char, into);
        rest = chars.as_str();
    }
    into.push('"');
}

/// Appends a character of a string, escaped if it must be.
fn push(char: char, into: &mut String) {
    let letter = match char {
        '"' | '\\' => char,
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\0'..' ' => {
            let _ = write!(into, "\\u{:04X}", u32::from(char));
            return;
        }
        _ => {
            into.push(char);
            return;
        }
    };
    into.push('\\');
    into.push(letter);
}

/// The order of names, which is Java's of strings: by units of UTF-16.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    // Of the first bytes of characters, only these two are in another order than in UTF-16: they
    // begin U+E000 to U+FFFF, which come after the pairs.
    let rank = |byte: u8| match byte {
        0xee | 0xef => byte + 0x10,
        _ => byte,
    };
    let differing = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    match differing {
        Some((a, b)) => rank(a).cmp(&rank(b)),
        None => a.len().cmp(&b.len()),
    }
}

/// The order of two strings as they are written.
pub(super) fn order_written(a: &str, b: &str) -> Ordering {
    if !a.contains('\\') && !b.contains('\\') {
        return order(a, b);
    }
    let units = |text| -> Vec<u16> {
        let mut units = Vec::new();
        let raw = Raw {
            text,
            escaped: true,
        };
        for piece in Pieces::of(raw) {
            match piece {
                Piece::Text(text) => units.extend(text.encode_utf16()),
                Piece::Char(char) => units.extend(char.encode_utf16(&mut [0; 2]).iter()),
                Piece::Lone(unit) => units.push(unit),
            }
        }
        units
    };
    units(a).cmp(&units(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw {
            text,
            escaped: text.contains('\\'),
        }
    }

    #[test]
    fn escapes_are_decoded() {
        let decoded = |text| {
            let mut decoded = String::new();
            decode(raw(text), &mut decoded);
            decoded
        };
        assert_eq!(decoded("plain é"), "plain é");
        assert_eq!(decoded(r#"a\"\\\/\b\f\n\r\tz"#), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(decoded(r"\u00e9\uD83D\uDE00x"), "é😀x");
        assert_eq!(decoded(r"\ud83dx\ude00\ud83d"), "?x??");
        assert_eq!(decoded(r"\ud83d\u0041"), "?A");
    }

    #[test]
    fn strings_are_written_with_few_escapes() {
        let rewritten = |text| {
            let mut rewritten = String::new();
            rewrite(raw(text), &mut rewritten);
            rewritten
        };
        assert_eq!(rewritten(r"\/\u0041\u00e9"), "\"/Aé\"");
        assert_eq!(
            rewritten(r"\u0022\u005c\u000a\u001f\u0000"),
            r#""\"\\\n\u001F\u0000""#
        );
        assert_eq!(rewritten(r"\ud83d\ude00"), "\"😀\"");
        assert_eq!(rewritten(r"\ud83d"), r#""\uD83D""#);
        let mut encoded = String::new();
        encode("a\"b\\c\n\u{1}é😀", &mut encoded);
        assert_eq!(encoded, r#""a\"b\\c\n\u0001é😀""#);
    }

    #[test]
    fn names_are_compared_by_their_text() {
        assert!(equals(raw("a b"), "a b"));
        assert!(equals(raw(r"\u0061\tb"), "a\tb"));
        assert!(!equals(raw(r"\u0061"), "ab"));
        assert!(!equals(raw(r"\u0061b"), "a"));
        assert!(!equals(raw(r"\ud83d"), "?"));
    }

    #[test]
    fn names_are_ordered_as_in_java() {
        assert_eq!(order("a", "b"), Ordering::Less);
        assert_eq!(order("a", "ab"), Ordering::Less);
        assert_eq!(order("é", "z"), Ordering::Greater);
        assert_eq!(order("\u{ff5e}", "😀"), Ordering::Greater);
        assert_eq!(order("\u{d7ff}", "😀"), Ordering::Less);
        assert_eq!(order_written(r"\n", "A"), Ordering::Less);
    }
}
