//! Values that are not words: texts, numbers, bytes and containers.

use std::borrow::Cow;

use super::super::cursor::Value;
use super::super::{strings, tokens};
use super::{Kind, Result, Text, wrong};

impl<'a> Text<'a> {
    /// A value that is not a word. `byte`: its first.
    pub(super) fn value(&mut self, byte: u8) -> Result<Value<'a>> {
        match byte {
            b'"' => self.quoted(b"\"").map(Value::Text),
            b'\'' => self.long_text().map(Value::Text),
            b'{' if self.starts_with(b"{{")? => self.bytes(),
            b'{' => Ok(self.container(Kind::Struct)),
            b'[' => Ok(self.container(Kind::List)),
            b'(' => Ok(self.container(Kind::Sexp)),
            b'0'..=b'9' => self.number(),
            b'-' | b'+' if self.is_number()? => self.number(),
            _ if is_operator(byte) && self.is_in_sexp() => self.operator(),
            _ => wrong("something stands where a value should"),
        }
    }

    fn container(&mut self, kind: Kind) -> Value<'a> {
        self.at += 1;
        self.pending = Some(kind);
        match kind {
            Kind::Struct => Value::Struct,
            Kind::List | Kind::Sexp => Value::List,
        }
    }

    fn is_in_sexp(&self) -> bool {
        self.levels
            .last()
            .is_some_and(|level| level.kind == Kind::Sexp)
    }

    /// Whether a number begins with the sign that follows.
    fn is_number(&self) -> Result<bool> {
        if self.starts_with(b"-inf")? || self.starts_with(b"+inf")? {
            return Ok(true);
        }
        let is_digit = self
            .byte(self.at + 1)?
            .is_some_and(|byte| byte.is_ascii_digit());
        Ok(is_digit && self.starts_with(b"-")?)
    }

    fn number(&mut self) -> Result<Value<'a>> {
        let start = self.at;
        while let Some(byte) = self.byte(self.at)?
            && !is_end_of_number(byte)
        {
            self.at += 1;
        }
        let token = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(tokens::number(token)?)
    }

    /// A symbol of an S-expression that needs no quotes, such as `+`.
    fn operator(&mut self) -> Result<Value<'a>> {
        let start = self.at;
        while let Some(byte) = self.byte(self.at)?
            && is_operator(byte)
        {
            self.at += 1;
        }
        self.slice(start, self.at)
            .map(|text| Value::Text(text.into()))
    }

    /// What is between two quotes of the kind that follows.
    fn body(&mut self, quote: &[u8]) -> Result<&'a [u8]> {
        let bytes: &'a [u8] = self.bytes;
        let start = self.at + quote.len();
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(length) = strings::closing(rest, quote) else {
            return self.cut("a text does not end");
        };
        self.at = start + length + quote.len();
        Ok(rest.get(..length).unwrap_or_default())
    }

    pub(super) fn quoted(&mut self, quote: &[u8]) -> Result<Cow<'a, str>> {
        let body = self.body(quote)?;
        Ok(strings::text(body, false)?)
    }

    /// Texts between long quotes, which are one.
    pub(super) fn long_text(&mut self) -> Result<Cow<'a, str>> {
        let body = self.body(b"'''")?;
        let mut text = strings::text(body, true)?;
        loop {
            let end = self.at;
            self.skip_space()?;
            if !self.starts_with(b"'''")? {
                self.at = end;
                return Ok(text);
            }
            let body = self.body(b"'''")?;
            text.to_mut().push_str(&strings::text(body, true)?);
        }
    }

    /// A blob or a clob.
    fn bytes(&mut self) -> Result<Value<'a>> {
        self.at += 2;
        // There are no comments in it.
        let first = loop {
            match self.byte(self.at)? {
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                first => break first,
            }
        };
        let bytes = match first {
            Some(b'"') => strings::clob(self.body(b"\"")?, false)?,
            Some(b'\'') => {
                let mut all = Vec::new();
                while self.starts_with(b"'''")? {
                    all.extend(strings::clob(self.body(b"'''")?, true)?);
                    while self
                        .byte(self.at)?
                        .is_some_and(|byte| byte.is_ascii_whitespace())
                    {
                        self.at += 1;
                    }
                }
                all
            }
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let Some(length) = memchr::memchr(b'}', rest) else {
                    return self.cut("a blob does not end");
                };
                self.at += length;
                strings::blob(rest.get(..length).unwrap_or_default())?
            }
        };
        while self
            .byte(self.at)?
            .is_some_and(|byte| byte.is_ascii_whitespace())
        {
            self.at += 1;
        }
        if !self.starts_with(b"}}")? {
            return wrong("a blob or a clob does not end");
        }
        self.at += 2;
        Ok(Value::Bytes(bytes.into()))
    }
}

fn is_operator(byte: u8) -> bool {
    b"!#%&*+-./;<=>?@^`|~".contains(&byte)
}

/// A slash begins a comment.
fn is_end_of_number(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || b"{}[](),\"'/".contains(&byte)
}
