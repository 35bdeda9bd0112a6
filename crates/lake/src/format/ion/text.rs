//! Ion 1.0 text, of which the end may still be missing.

#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;

use super::cursor::{Item, MAX_DEPTH, Role, Stop, Value, too_deep};
use super::symbols::{Symbols, TABLE};
use super::{Fault, broken};

type Result<T> = std::result::Result<T, Stop>;

/// The symbol that says the version, alone at the top of a stream.
const MARKER: &str = "$ion_1_0";

/// Names of types behind `null.`.
const TYPES: [&str; 13] = [
    "null",
    "bool",
    "int",
    "float",
    "decimal",
    "timestamp",
    "symbol",
    "string",
    "clob",
    "blob",
    "list",
    "sexp",
    "struct",
];

/// A place between values.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
    /// More bytes may follow: what reaches the last of these may go on.
    has_more: bool,
    levels: Vec<Level>,
    /// The container that was returned last. The place is behind its bracket.
    pending: Option<Kind>,
    symbols: &'a Symbols,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    kind: Kind,
    /// A value was read: a comma or the end follows.
    is_after: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Sexp,
    Struct,
}

impl Kind {
    fn close(self) -> u8 {
        match self {
            Self::List => b']',
            Self::Sexp => b')',
            Self::Struct => b'}',
        }
    }
}

/// A symbol in quotes, or a word.
struct Word<'a> {
    text: Cow<'a, str>,
    is_quoted: bool,
}

fn wrong<T>(what: &str) -> Result<T> {
    Err(Stop::Fault(broken(what)))
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8], has_more: bool, symbols: &'a Symbols) -> Self {
        Self {
            bytes,
            at: 0,
            has_more,
            levels: Vec::new(),
            pending: None,
            symbols,
        }
    }

    /// Bytes before the place.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn enter(&mut self) -> Result<()> {
        let Some(kind) = self.pending.take() else {
            return wrong("a value is not a container");
        };
        if self.levels.len() >= MAX_DEPTH {
            return Err(too_deep().into());
        }
        self.levels.push(Level {
            kind,
            is_after: false,
        });
        Ok(())
    }

    /// Checks all that is skipped.
    pub(super) fn leave_to(&mut self, depth: usize) -> Result<()> {
        if self.pending.is_some() {
            self.enter()?;
        }
        while self.levels.len() > depth {
            match self.step()? {
                Some(item) if item.value.is_container() => self.enter()?,
                Some(_) => {}
                None => {
                    // Its bracket.
                    self.at += 1;
                    self.levels.pop();
                }
            }
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>> {
        self.leave_to(self.levels.len())?;
        self.step()
    }

    /// The next value where none is pending.
    fn step(&mut self) -> Result<Option<Item<'a>>> {
        let first = self.skip_space()?;
        let Some(level) = self.levels.last().copied() else {
            return match first {
                None => Ok(None),
                Some(byte) => self.item(None, byte).map(Some),
            };
        };
        let Some(mut byte) = first else {
            return wrong("a container is cut short");
        };
        if level.is_after && level.kind != Kind::Sexp && byte != level.kind.close() {
            if byte != b',' {
                return wrong("a comma is missing between two values");
            }
            self.at += 1;
            byte = self.some_after_space()?;
        }
        if byte == level.kind.close() {
            return Ok(None);
        }
        let field = match level.kind {
            Kind::Struct => {
                let name = self.name(byte)?;
                byte = self.some_after_space()?;
                Some(name)
            }
            _ => None,
        };
        let item = self.item(field.flatten(), byte)?;
        // A container's own level is not entered yet.
        if let Some(level) = self.levels.last_mut() {
            level.is_after = true;
        }
        Ok(Some(item))
    }

    /// A byte of these. `None`: there are no more at all.
    fn byte(&self, at: usize) -> Result<Option<u8>> {
        match self.bytes.get(at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.has_more => Err(Stop::More),
            None => Ok(None),
        }
    }

    fn starts_with(&self, text: &[u8]) -> Result<bool> {
        for (index, wanted) in text.iter().enumerate() {
            if self.byte(self.at + index)? != Some(*wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Skips white space and comments. Returns the byte that follows.
    fn skip_space(&mut self) -> Result<Option<u8>> {
        loop {
            let Some(byte) = self.byte(self.at)? else {
                return Ok(None);
            };
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.starts_with(b"//")? => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    match memchr::memchr2(b'\n', b'\r', rest) {
                        Some(length) => self.at += length,
                        None if self.has_more => return Err(Stop::More),
                        None => self.at = self.bytes.len(),
                    }
                }
                b'/' if self.starts_with(b"/*")? => {
                    self.at += 2;
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    match memchr::memmem::find(rest, b"*/") {
                        Some(length) => self.at += length + 2,
                        None => return self.cut("a comment does not end"),
                    }
                }
                byte => return Ok(Some(byte)),
            }
        }
    }

    fn some_after_space(&mut self) -> Result<u8> {
        match self.skip_space()? {
            Some(byte) => Ok(byte),
            None => wrong("a container is cut short"),
        }
    }

    /// What should follow is missing.
    fn cut<T>(&self, what: &str) -> Result<T> {
        match self.has_more {
            true => Err(Stop::More),
            false => wrong(what),
        }
    }

    /// A name of a struct and the colon behind it. `None`: the text of its symbol is not known.
    fn name(&mut self, byte: u8) -> Result<Option<Cow<'a, str>>> {
        let name = match byte {
            b'"' => Some(self.quoted(b"\"")?),
            b'\'' if self.starts_with(b"'''")? => Some(self.long_text()?),
            _ => match self.word(byte)? {
                Some(word) => self.symbol(word)?,
                None => return wrong("a struct has a value without a name"),
            },
        };
        if self.skip_space()? != Some(b':') {
            return wrong("a struct has a name without a colon");
        }
        self.at += 1;
        Ok(name)
    }

    /// A value with its annotations. `byte`: its first.
    fn item(&mut self, field: Option<Cow<'a, str>>, mut byte: u8) -> Result<Item<'a>> {
        let mut role = None;
        loop {
            let is_long = byte == b'\'' && self.starts_with(b"'''")?;
            let word = match is_long {
                true => None,
                false => self.word(byte)?,
            };
            let Some(word) = word else {
                let value = self.value(byte)?;
                return Ok(Item {
                    field,
                    role: role.unwrap_or(Role::Data),
                    value,
                });
            };
            let end = self.at;
            let colon = self.skip_space()?;
            if colon == Some(b':') && self.starts_with(b"::")? {
                self.at += 2;
                let text = self.symbol(word)?;
                role.get_or_insert(match text.as_deref() {
                    Some(TABLE) => Role::Table,
                    _ => Role::Data,
                });
                byte = match self.skip_space()? {
                    Some(byte) => byte,
                    None => return wrong("annotations have no value"),
                };
                continue;
            }
            // What follows belongs to the next value; `null.int` is one word.
            self.at = end;
            let is_marker = role.is_none() && self.levels.is_empty() && !word.is_quoted;
            let is_marker = is_marker && is_version(&word.text);
            if is_marker && word.text != MARKER {
                return Err(Stop::Fault(Fault::NotSupported(format!(
                    "is of version {}; {MARKER} is read",
                    word.text
                ))));
            }
            let role = match is_marker {
                true => Role::Marker,
                false => role.unwrap_or(Role::Data),
            };
            let value = self.meaning(word)?;
            return Ok(Item { field, role, value });
        }
    }

    /// A symbol in single quotes, or one without quotes. `None`: something else follows.
    fn word(&mut self, byte: u8) -> Result<Option<Word<'a>>> {
        if byte == b'\'' {
            let text = self.quoted(b"'")?;
            return Ok(Some(Word {
                text,
                is_quoted: true,
            }));
        }
        if !(byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$')) {
            return Ok(None);
        }
        let start = self.at;
        while let Some(byte) = self.byte(self.at)?
            && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
        {
            self.at += 1;
        }
        let text = self.slice(start, self.at)?;
        Ok(Some(Word {
            text: text.into(),
            is_quoted: false,
        }))
    }

    fn slice(&self, start: usize, end: usize) -> Result<&'a str> {
        let bytes: &'a [u8] = self.bytes;
        let text = str::from_utf8(bytes.get(start..end).unwrap_or_default());
        text.or_else(|_| wrong("a text is not UTF-8"))
    }

    /// The text of a symbol, which may be written as its number. `None`: it is not known.
    fn symbol(&self, word: Word<'a>) -> Result<Option<Cow<'a, str>>> {
        let symbols = self.symbols;
        let number = match word.is_quoted {
            true => None,
            false => word.text.strip_prefix('$'),
        };
        let is_number = number.is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !is_number {
            return Ok(Some(word.text));
        }
        let Some(Ok(id)) = number.map(str::parse::<u64>) else {
            return wrong("a symbol has too large a number");
        };
        Ok(symbols.text(id)?.map(Cow::Borrowed))
    }

    /// The value that a word is.
    fn meaning(&mut self, word: Word<'a>) -> Result<Value<'a>> {
        if word.is_quoted {
            return Ok(Value::Text(word.text));
        }
        Ok(match &*word.text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            "nan" => Value::Float(f64::NAN),
            "null" => {
                if self.byte(self.at)? == Some(b'.') {
                    self.null_type()?;
                }
                Value::Null
            }
            _ => self.symbol(word)?.map_or(Value::Unknown, Value::Text),
        })
    }

    /// The type behind `null`.
    fn null_type(&mut self) -> Result<()> {
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.byte(self.at)?
            && byte.is_ascii_alphabetic()
        {
            self.at += 1;
        }
        match TYPES.contains(&self.slice(start, self.at)?) {
            true => Ok(()),
            false => wrong("null has a type that there is not"),
        }
    }
}

/// Whether a symbol is a version marker, such as `$ion_1_0`.
fn is_version(text: &str) -> bool {
    let are_digits = |part: &str| {
        (1..10).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let numbers = text
        .strip_prefix("$ion_")
        .and_then(|rest| rest.split_once('_'));
    numbers.is_some_and(|(major, minor)| are_digits(major) && are_digits(minor))
}
