//! Reads one JSON text from left to right, without building a tree: numbers stay text, strings are
//! borrowed where they have no escapes, what is not wanted is checked and skipped without
//! recursion.
//!
//! The grammar is RFC 8259's, but for control characters within strings and escaped surrogates
//! without their partner, which real files have: the former are kept, the latter become U+FFFD.

use std::borrow::Cow;

/// How deep a value may nest.
pub(super) const MAX_DEPTH: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Bytes from the start of the text.
    pub at: usize,
    pub what: &'static str,
}

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// A position to come back to.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a [`Self::position`].
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn text(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn error<T>(&self, what: &'static str) -> Result<T> {
        Err(SyntaxError { at: self.at, what })
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// What the next value is; nothing but white space is consumed.
    pub(super) fn kind(&mut self) -> Result<Kind> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.error("a value was expected"),
            None => self.error("it ends where a value was expected"),
        }
    }

    /// `true`, `false` or `null`.
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<&'static str> {
        if !self.rest().starts_with(literal.as_bytes()) {
            return self.error("a value was expected");
        }
        self.at += literal.len();
        Ok(literal)
    }

    pub(super) fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let leading = self.byte();
        if self.digits()? > 1 && leading == Some(b'0') {
            return self.error("a number cannot start with 0");
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.text(start, self.at))
    }

    fn digits(&mut self) -> Result<usize> {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return self.error("a digit was expected");
        }
        self.at += count;
        Ok(count)
    }

    /// Consumes the characters of a string and its closing quote; the opening one is consumed. Says
    /// whether there are escapes.
    fn string_body(&mut self) -> Result<bool> {
        let mut escapes = false;
        loop {
            let Some(stop) = memchr::memchr2(b'"', b'\\', self.rest()) else {
                self.at = self.text.len();
                return self.error("a string is not closed");
            };
            self.at += stop + 1;
            if self.text.as_bytes().get(self.at - 1) == Some(&b'"') {
                return Ok(escapes);
            }
            escapes = true;
            match self.byte() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                Some(b'u') => {
                    let hex = self.rest().get(1..5).unwrap_or_default();
                    if hex.len() != 4 || !hex.iter().all(u8::is_ascii_hexdigit) {
                        return self.error("\\u needs four hexadecimal digits");
                    }
                    self.at += 5;
                }
                _ => return self.error("there is no such escape in a string"),
            }
        }
    }

    /// A string, at its opening quote.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return self.error("a string was expected");
        }
        self.at += 1;
        let start = self.at;
        let escapes = self.string_body()?;
        let body = self.text(start, self.at - 1);
        Ok(if escapes {
            Cow::Owned(unescape(body))
        } else {
            Cow::Borrowed(body)
        })
    }

    fn skip_string(&mut self) -> Result<()> {
        if self.peek() != Some(b'"') {
            return self.error("a string was expected");
        }
        self.at += 1;
        self.string_body().map(|_| ())
    }

    /// Consumes `{` and says whether a member follows.
    pub(super) fn enter_object(&mut self) -> Result<bool> {
        self.enter(b'{', b'}')
    }

    /// Consumes `[` and says whether an element follows.
    pub(super) fn enter_array(&mut self) -> Result<bool> {
        self.enter(b'[', b']')
    }

    fn enter(&mut self, open: u8, close: u8) -> Result<bool> {
        if self.peek() != Some(open) {
            return self.error("an object or an array was expected");
        }
        self.at += 1;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After a member: consumes `,` (another follows) or `}`.
    pub(super) fn next_member(&mut self) -> Result<bool> {
        self.next(b'}', "',' or '}' was expected")
    }

    /// After an element: consumes `,` (another follows) or `]`.
    pub(super) fn next_element(&mut self) -> Result<bool> {
        self.next(b']', "',' or ']' was expected")
    }

    fn next(&mut self, close: u8, expected: &'static str) -> Result<bool> {
        let more = match self.peek() {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            _ => return self.error(expected),
        };
        self.at += 1;
        Ok(more)
    }

    /// A member's key and the colon after it.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>> {
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    fn colon(&mut self) -> Result<()> {
        if self.peek() != Some(b':') {
            return self.error("':' was expected");
        }
        self.at += 1;
        Ok(())
    }

    /// Checks one value, however deep, and returns its text.
    pub(super) fn skip(&mut self) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        let mut open: Vec<Kind> = Vec::new();
        loop {
            let kind = self.kind()?;
            let entered = match kind {
                Kind::Object => self.enter_object()?,
                Kind::Array => self.enter_array()?,
                Kind::String => self.skip_string().map(|()| false)?,
                Kind::Number => self.number().map(|_| false)?,
                Kind::True => self.literal("true").map(|_| false)?,
                Kind::False => self.literal("false").map(|_| false)?,
                Kind::Null => self.literal("null").map(|_| false)?,
            };
            if entered {
                if open.len() == MAX_DEPTH {
                    return self.error("it nests too deep");
                }
                open.push(kind);
                if kind == Kind::Object {
                    self.skip_string()?;
                    self.colon()?;
                }
                continue;
            }
            // A value is complete: so is each container that ends with it.
            loop {
                match open.last() {
                    None => return Ok(self.text(start, self.at)),
                    Some(Kind::Object) if self.next_member()? => {
                        self.skip_string()?;
                        self.colon()?;
                        break;
                    }
                    Some(Kind::Array) if self.next_element()? => break,
                    Some(_) => open.pop(),
                };
            }
        }
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.error("there is more text after its end"),
        }
    }
}

/// Replaces the escapes of a string that [`Reader::string_body`] has accepted.
fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let Some(letter) = escape.chars().next() else {
            break;
        };
        rest = escape.get(letter.len_utf8()..).unwrap_or_default();
        out.push(match letter {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = hex(rest);
                rest = rest.get(4..).unwrap_or_default();
                match (first, rest.strip_prefix("\\u").map(hex)) {
                    (0xD800..0xDC00, Some(second @ 0xDC00..0xE000)) => {
                        rest = rest.get(6..).unwrap_or_default();
                        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            other => other,
        });
    }
    out.push_str(rest);
    out
}

fn hex(text: &str) -> u32 {
    text.get(..4)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn skipped(text: &str) -> Result<&str> {
        let mut reader = Reader::new(text);
        let value = reader.skip()?;
        reader.end()?;
        Ok(value)
    }

    #[test]
    fn grammar_is_that_of_serde_json() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-0",
            "-0.5e+10",
            "1E3",
            "\"\"",
            "\"a\\n\\u00e9\\\"\"",
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1,2]",
            "[[],{}]",
            "{\"a\":[1,{\"b\":null}]}",
            "{\"a\":1,\"a\":2}",
            "",
            " ",
            "nul",
            "tru",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1]",
            "[1}",
            "1 2",
            "{}}",
            "[",
            "{",
            "{\"a\":1",
            "'a'",
            "NaN",
            "/**/1",
            "\u{feff}1",
            "\"é\"",
            "[\"\\u12\"]",
        ] {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(skipped(text).is_ok(), theirs, "{text:?}");
        }
    }

    #[test]
    fn random_edits_are_judged_as_serde_json_judges_them() {
        let seed = r#"{"a":[1,-2.5e3,"x\u00e9\\",true,null],"b":{"c":{},"d":[]}}"#;
        let mut state = 7_u64;
        let mut random = move |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % bound
        };
        for _ in 0..20_000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = b"{}[]\",:\\0e-.ntu "[random(16)],
                    1 => bytes.truncate(at.max(1)),
                    _ => {
                        bytes.remove(at);
                        bytes.push(b'}');
                    }
                }
            }
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let theirs: std::result::Result<serde_json::Value, _> = serde_json::from_str(&text);
            // Numbers too large for a float and lone surrogates are the known differences.
            match theirs {
                Ok(_) => assert!(skipped(&text).is_ok(), "{text}"),
                Err(e)
                    if e.to_string().contains("out of range")
                        || e.to_string().contains("surrogate") => {}
                Err(e) => assert!(skipped(&text).is_err(), "{text}: {e}"),
            }
        }
    }

    #[test]
    fn escapes_are_replaced() {
        for (text, value) in [
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u00e9\ud83d\ude00!""#, "é😀!"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00\ud83dx""#, "\u{fffd}\u{fffd}x"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            ("\"tab\there\"", "tab\there"),
        ] {
            assert_eq!(Reader::new(text).string().unwrap(), value, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(skipped(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(
            skipped(&deep(MAX_DEPTH + 2)).unwrap_err().what,
            "it nests too deep"
        );
        assert!(skipped(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn skipped_value_is_returned_as_it_stands() {
        let mut reader = Reader::new(r#"{"a": {"x" : [1, 2]} , "b":1}"#);
        assert!(reader.enter_object().unwrap());
        assert_eq!(reader.key().unwrap(), "a");
        assert_eq!(reader.skip().unwrap(), r#"{"x" : [1, 2]}"#);
    }
}
