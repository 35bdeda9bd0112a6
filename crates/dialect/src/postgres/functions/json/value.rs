//! JSON values as PostgreSQL reads and writes them: `json` keeps the text of a value, `jsonb` has
//! one form of each.

use std::borrow::Cow;

use lakegate_error::{Code, Error};

/// Maximum values in one JSON text, which bounds the memory of a parsed text.
const MAX_VALUES: usize = 1_000_000;
/// Maximum depth of arrays and objects, which bounds the recursion.
const MAX_DEPTH: usize = 200;

/// A value with its text, which is empty for a value that a function made.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub raw: &'a str,
    pub value: Json<'a>,
}

#[derive(Debug, Clone)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(Cow<'a, str>),
    String(String),
    Array(Vec<Node<'a>>),
    /// In the order of the text; a key may occur more than once.
    Object(Vec<(String, Node<'a>)>),
}

impl<'a> Node<'a> {
    pub(super) fn made(value: Json<'a>) -> Self {
        Self { raw: "", value }
    }
}

enum Fault {
    Syntax,
    Large,
}

/// Parses a whole text.
///
/// # Errors
///
/// The text is not JSON, or holds more values than are supported.
pub(super) fn parse(text: &str) -> Result<Node<'_>, Error> {
    let mut parser = Parser {
        text,
        at: 0,
        values: 0,
    };
    let parsed = parser.value(0).and_then(|node| {
        parser.blanks();
        match parser.at == text.len() {
            true => Ok(node),
            false => Err(Fault::Syntax),
        }
    });
    parsed.map_err(|fault| match fault {
        Fault::Syntax => Error::new(Code::InvalidCast, "invalid input syntax for type json"),
        Fault::Large => Error::new(
            Code::ResultTooLarge,
            format!(
                "a JSON value has more than {MAX_VALUES} values, or nests deeper than {MAX_DEPTH}"
            ),
        ),
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips a byte if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        self.values += 1;
        if self.values > MAX_VALUES || depth > MAX_DEPTH {
            return Err(Fault::Large);
        }
        self.blanks();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Json::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(Cow::Borrowed(self.number()?)),
            _ => self.word()?,
        };
        Ok(Node {
            raw: self.since(start),
            value,
        })
    }

    fn word(&mut self) -> Result<Json<'a>, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words = [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
        ];
        let found = words.into_iter().find(|(word, _)| rest.starts_with(*word));
        let Some((word, value)) = found else {
            return Err(Fault::Syntax);
        };
        self.at += word.len();
        match self.peek() {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => Err(Fault::Syntax),
            _ => Ok(value),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(Fault::Syntax);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        self.at += 1;
        let mut pairs = Vec::new();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Json::Object(pairs));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(Fault::Syntax);
            }
            let key = self.string()?;
            self.blanks();
            if !self.eat(b':') {
                return Err(Fault::Syntax);
            }
            pairs.push((key, self.value(depth + 1)?));
            self.blanks();
            if self.eat(b'}') {
                return Ok(Json::Object(pairs));
            }
            if !self.eat(b',') {
                return Err(Fault::Syntax);
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || zero && whole > 1 {
            return Err(Fault::Syntax);
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(Fault::Syntax);
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return Err(Fault::Syntax);
            }
        }
        match self.peek() {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => Err(Fault::Syntax),
            _ => Ok(self.since(start)),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.push_str(self.since(start));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escaped()?);
                }
                _ => return Err(Fault::Syntax),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Fault> {
        let escape = self.peek().ok_or(Fault::Syntax)?;
        self.at += 1;
        Ok(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if !(self.eat(b'\\') && self.eat(b'u')) {
                            return Err(Fault::Syntax);
                        }
                        let second = self.unit()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(Fault::Syntax);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    // Text cannot hold the character 0.
                    0 => return Err(Fault::Syntax),
                    other => other,
                };
                char::from_u32(code).ok_or(Fault::Syntax)?
            }
            _ => return Err(Fault::Syntax),
        })
    }

    /// Reads four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Fault::Syntax)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Fault::Syntax);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Fault::Syntax)
    }
}

/// Returns the name of a value's type, as `json_typeof` does.
pub(super) fn type_of(value: &Json<'_>) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            "nul",
            "nullx",
            "01",
            "1.",
            "-",
            "1e",
            "[1,]",
            "[1",
            "{a:1}",
            "{\"a\"}",
            "\"a",
            "\"\\x\"",
            "\"\\u00\"",
            "\"\\ud800\"",
            "1 2",
            "\"\n\"",
            "'a'",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(parse(&deep).unwrap_err().code(), Code::ResultTooLarge);
    }
}
