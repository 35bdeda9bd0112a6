//! A scanner of JSON text: it validates and finds values without building them.
//!
//! A value is a slice of the text. Containers are walked in a loop with one bit for each open one,
//! so neither the stack nor the heap grows with the nesting of a text.

use datafusion::error::DataFusionError;
use lakegate_error::{Code, Error};

use crate::work::Work;

/// Containers that may be open at once.
pub(super) const MAX_DEPTH: usize = 1000;

/// Why a text was not scanned to its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The text is not JSON.
    Malformed,
    /// Containers are nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The query was stopped, or a result grew too large.
    Stopped(Box<DataFusionError>),
}

pub(super) type Scan<T> = Result<T, Fault>;

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Self {
        Self::Stopped(Box::new(error))
    }
}

impl Fault {
    /// The error of the query; `malformed` is the one for a text that is not JSON.
    pub(super) fn error(self, malformed: impl FnOnce() -> DataFusionError) -> DataFusionError {
        match self {
            Self::Malformed => malformed(),
            Self::TooDeep => too_deep(),
            Self::Stopped(error) => *error,
        }
    }
}

/// The error for a text that is nested too deep.
pub(super) fn too_deep() -> DataFusionError {
    let message = format!("JSON may be nested at most {MAX_DEPTH} levels deep");
    Error::new(Code::TooComplex, message).into()
}

/// Returns a result, or `None` for a text that is not JSON.
///
/// # Errors
///
/// The text is nested too deep, or the query was stopped.
pub(super) fn or_null<T>(scan: Scan<Option<T>>) -> Result<Option<T>, DataFusionError> {
    match scan {
        Ok(value) => Ok(value),
        Err(Fault::Malformed) => Ok(None),
        Err(fault) => Err(fault.error(too_deep)),
    }
}

/// The inside of a string's quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    pub text: &'a str,
    pub escaped: bool,
}

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number<'a> {
    pub text: &'a str,
    /// Whether it has neither a fraction nor an exponent.
    pub whole: bool,
}

/// A value that holds no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(Number<'a>),
    String(Raw<'a>),
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    #[inline]
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The bytes from one place to another.
    #[inline]
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Moves past a byte if it is the next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Moves past the end, which only space may precede.
    pub(super) fn end(&mut self) -> Scan<()> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Fault::Malformed),
        }
    }

    /// Moves into the container that opens here, and to its first item. Returns whether it has one.
    #[inline]
    pub(super) fn enter(&mut self, close: u8) -> bool {
        self.at += 1;
        self.space();
        !self.eat(close)
    }

    /// Moves from the end of an item to the next one. Returns whether there is one.
    #[inline]
    pub(super) fn next(&mut self, close: u8) -> Scan<bool> {
        self.space();
        if self.eat(b',') {
            self.space();
            return Ok(true);
        }
        match self.eat(close) {
            true => Ok(false),
            false => Err(Fault::Malformed),
        }
    }

    /// Moves past a member's name, to its value.
    #[inline]
    pub(super) fn key(&mut self) -> Scan<Raw<'a>> {
        let key = self.string()?;
        self.space();
        if !self.eat(b':') {
            return Err(Fault::Malformed);
        }
        self.space();
        Ok(key)
    }

    /// Moves past a string.
    pub(super) fn string(&mut self) -> Scan<Raw<'a>> {
        if !self.eat(b'"') {
            return Err(Fault::Malformed);
        }
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(Fault::Malformed),
            }
        }
        let text = self.slice(from, self.at);
        self.at += 1;
        Ok(Raw { text, escaped })
    }

    /// Moves past what follows a backslash.
    fn escape(&mut self) -> Scan<()> {
        let digits = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            _ => return Err(Fault::Malformed),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(Fault::Malformed);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > from {
            true => Ok(()),
            false => Err(Fault::Malformed),
        }
    }

    fn number(&mut self) -> Scan<Number<'a>> {
        let from = self.at;
        let mut whole = true;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            whole = false;
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        self.delimited()?;
        let text = self.slice(from, self.at);
        Ok(Number { text, whole })
    }

    fn word(&mut self, word: &str) -> Scan<()> {
        let to = self.at + word.len();
        if self.text.get(self.at..to) != Some(word) {
            return Err(Fault::Malformed);
        }
        self.at = to;
        self.delimited()
    }

    /// Checks that no letter or digit follows a number or word.
    fn delimited(&self) -> Scan<()> {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}') => Ok(()),
            Some(_) => Err(Fault::Malformed),
        }
    }

    /// Moves past a value that holds no others.
    pub(super) fn scalar(&mut self) -> Scan<Scalar<'a>> {
        Ok(match self.peek() {
            Some(b'"') => Scalar::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Scalar::Number(self.number()?),
            Some(b't') => {
                self.word("true")?;
                Scalar::Boolean(true)
            }
            Some(b'f') => {
                self.word("false")?;
                Scalar::Boolean(false)
            }
            Some(b'n') => {
                self.word("null")?;
                Scalar::Null
            }
            _ => return Err(Fault::Malformed),
        })
    }

    /// Moves past a value of any kind, and validates it.
    pub(super) fn skip(&mut self, work: &Work) -> Scan<()> {
        if !matches!(self.peek(), Some(b'{' | b'[')) {
            return self.scalar().map(|_| ());
        }
        let mut open = Open::default();
        loop {
            match self.peek() {
                Some(b'{') => {
                    if self.enter(b'}') {
                        open.push(true)?;
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    if self.enter(b']') {
                        open.push(false)?;
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            loop {
                let Some(object) = open.innermost() else {
                    return Ok(());
                };
                work.step()?;
                if self.next(if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Moves past a value, and returns its text.
    pub(super) fn value(&mut self, work: &Work) -> Scan<&'a str> {
        let from = self.at;
        self.skip(work)?;
        Ok(self.slice(from, self.at))
    }
}

/// The open containers of a walk: one bit for each.
#[derive(Debug, Default)]
pub(super) struct Open {
    objects: [u64; MAX_DEPTH.div_ceil(64)],
    depth: usize,
}

impl Open {
    /// Opens an object or an array.
    pub(super) fn push(&mut self, object: bool) -> Scan<()> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        if let Some(word) = self.objects.get_mut(self.depth / 64) {
            let bit = 1 << (self.depth % 64);
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
        Ok(())
    }

    /// Closes the innermost container.
    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost container is an object; `None` if none is open.
    pub(super) fn innermost(&self) -> Option<bool> {
        let last = self.depth.checked_sub(1)?;
        let word = self.objects.get(last / 64)?;
        Some(word >> (last % 64) & 1 == 1)
    }
}

/// Returns how many bytes from the start are neither a quote, a backslash nor a control character.
pub(super) fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the bytes that are zero; a mark above the lowest may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = quotes | backslashes | controls;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let from = words.len() * 8;
    from + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn valid(text: &str) -> Scan<()> {
        let mut scanner = Scanner::new(text);
        scanner.space();
        scanner.skip(&Work::new("test", true))?;
        scanner.end()
    }

    #[test]
    fn texts_of_the_grammar_are_json() {
        for text in [
            "0",
            "-0",
            "-12.5e+3",
            "1E-7",
            "true",
            "false",
            "null",
            "\"\"",
            "\"é😀 \\u00e9\\n\\/\"",
            "[]",
            "{}",
            " [ 1 , [ ] , { } , \"a\" ] ",
            "{\"a\":{\"b\":[1,{\"c\":null}]},\"a\":2}",
            "\t\r\n1\n",
        ] {
            assert!(valid(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            " ",
            "01",
            "-",
            "+1",
            ".5",
            "5.",
            "1e",
            "1x",
            "NaN",
            "tru",
            "truex",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "[",
            "[1",
            "[1,]",
            "[1 2]",
            "[,]",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "[] []",
            "// a\n1",
            "\u{feff}1",
        ] {
            assert!(matches!(valid(text), Err(Fault::Malformed)), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(valid(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(valid(&nested(MAX_DEPTH + 2)), Err(Fault::TooDeep)));
        assert!(matches!(valid(&"[".repeat(100_000)), Err(Fault::TooDeep)));
        let mixed = "{\"a\":[".repeat(400) + "1" + &"]}".repeat(400);
        assert!(valid(&mixed).is_ok());
    }

    #[test]
    fn special_bytes_are_found_at_every_place() {
        for special in ["\"", "\\", "\u{1f}", "\0", "\n"] {
            for before in 0..40 {
                let text = format!(
                    "{}{special}\"zz",
                    "é".repeat(before / 2) + &"x".repeat(before % 2)
                );
                assert_eq!(
                    plain(text.as_bytes()),
                    before / 2 * 2 + before % 2,
                    "{text:?}"
                );
            }
        }
        assert_eq!(plain("a\u{7f}é! #[]".as_bytes()), "a\u{7f}é! #[]".len());
    }

    #[test]
    fn values_are_slices_of_the_text() {
        let mut scanner = Scanner::new("[ {\"a\" : [1, 2]} , 3]");
        let work = Work::new("test", true);
        assert!(scanner.enter(b']'));
        assert_eq!(scanner.value(&work).unwrap(), "{\"a\" : [1, 2]}");
        assert!(scanner.next(b']').unwrap());
        assert_eq!(scanner.value(&work).unwrap(), "3");
        assert!(!scanner.next(b']').unwrap());
    }
}
