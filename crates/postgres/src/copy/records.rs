//! The lines of COPY FROM in text and CSV format, found in bytes that arrive in pieces of any size.
//!
//! As in PostgreSQL's `CopyReadLineText`: the first line end decides what ends lines, in CSV a line
//! end within quotes does not, and a line `\.` ends the data.

use bytes::{Buf, Bytes, BytesMut};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast::CopyFormat;

use super::options::Options;

/// The longest line, and the longest row in binary format, in bytes.
pub(super) const MAX_ROW: usize = 64 * 1024 * 1024;

/// What ends lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Newline,
    Return,
    Both,
}

/// Lines in bytes that arrive in pieces.
#[derive(Debug)]
pub(super) struct Records {
    buffer: BytesMut,
    /// Bytes of the buffer that were looked at: no line ends in them.
    looked: usize,
    csv: bool,
    quote: u8,
    /// `None`: the quote escapes itself.
    escape: Option<u8>,
    line_end: Option<LineEnd>,
    in_quote: bool,
    after_escape: bool,
    /// Line ends within quotes, in the bytes that were looked at.
    quoted_ends: u64,
    /// The client has sent all.
    ended: bool,
    /// The data has ended: what comes is ignored.
    over: bool,
    line: u64,
}

/// What was found at a position of the buffer.
enum Step {
    /// More bytes are needed to tell.
    Wait,
    /// This many bytes belong to the line.
    Over(usize),
    /// The line ends here, with so many bytes of line end.
    End(usize),
    /// The line and the data end here.
    Last,
}

impl Records {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            buffer: BytesMut::new(),
            looked: 0,
            csv: options.format == CopyFormat::Csv,
            quote: options.quote,
            escape: (options.escape != options.quote).then_some(options.escape),
            line_end: None,
            in_quote: false,
            after_escape: false,
            quoted_ends: 0,
            ended: false,
            over: false,
            line: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.over {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the number of bytes that wait to be looked at, or for the end of their line.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Says that no more bytes come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the number, from 1, of the line that was returned last or that is at fault.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Returns the next line without its end; `None` if it is not complete, or there is none.
    ///
    /// # Errors
    ///
    /// Lines end in different ways; a line is too long; `\.` is within a line.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let found = self.find();
        if found.is_err() {
            self.line += 1 + self.quoted_ends;
        }
        found
    }

    fn find(&mut self) -> Result<Option<Bytes>> {
        if self.over {
            self.buffer.clear();
            return Ok(None);
        }
        loop {
            self.skip_plain();
            let step = match self.ahead(0) {
                Some(byte) => self.step(byte)?,
                None => Step::Wait,
            };
            match step {
                Step::Over(bytes) => self.looked += bytes,
                Step::End(bytes) => return Ok(Some(self.take(bytes))),
                Step::Last => {
                    self.over = true;
                    return Ok((self.looked > 0).then(|| self.take(0)));
                }
                Step::Wait if self.ended => {
                    self.over = true;
                    self.looked = self.buffer.len();
                    return Ok((self.looked > 0).then(|| self.take(0)));
                }
                Step::Wait if self.buffer.len() > MAX_ROW => {
                    return Err(too_long());
                }
                Step::Wait => return Ok(None),
            }
        }
    }

    /// The byte so many places after those that were looked at.
    fn ahead(&self, places: usize) -> Option<u8> {
        self.buffer.get(self.looked + places).copied()
    }

    /// Looks at the bytes that mean nothing but themselves.
    fn skip_plain(&mut self) {
        let (csv, quote, escape) = (self.csv, self.quote, self.escape);
        let is_special = |byte: &u8| {
            matches!(byte, b'\n' | b'\r' | b'\\')
                || (csv && (*byte == quote || Some(*byte) == escape))
        };
        let rest = self.buffer.get(self.looked..).unwrap_or_default();
        let plain = rest.iter().position(is_special).unwrap_or(rest.len());
        if plain > 0 {
            self.after_escape = false;
            self.looked += plain;
        }
    }

    /// Takes the line that was looked at, and drops its end.
    fn take(&mut self, end: usize) -> Bytes {
        let line = self.buffer.split_to(self.looked).freeze();
        self.buffer.advance(end.min(self.buffer.len()));
        self.looked = 0;
        self.in_quote = false;
        self.after_escape = false;
        self.line += 1 + self.quoted_ends;
        self.quoted_ends = 0;
        line
    }

    /// Looks at a special byte, which is the next one.
    fn step(&mut self, byte: u8) -> Result<Step> {
        if byte == b'\\' && (!self.csv || self.looked == 0) {
            match (self.ahead(1), self.ahead(2)) {
                (None, _) | (Some(b'.'), None) if !self.ended => return Ok(Step::Wait),
                (Some(b'.'), None | Some(b'\n' | b'\r')) => return Ok(Step::Last),
                (Some(b'.'), Some(_)) if !self.csv => {
                    return Err(Error::new(Code::BadData, "end-of-copy marker corrupt"));
                }
                // What follows a backslash is data, a line end included.
                (Some(_), _) if !self.csv => return Ok(Step::Over(2)),
                _ => {}
            }
        }
        if self.csv {
            self.toggle(byte);
        }
        match byte {
            b'\r' if !self.in_quote => self.carriage_return(),
            b'\n' if !self.in_quote => self.newline(),
            b'\r' | b'\n' => {
                let counted = match self.line_end {
                    Some(LineEnd::Return) => b'\r',
                    _ => b'\n',
                };
                self.quoted_ends += u64::from(byte == counted);
                Ok(Step::Over(1))
            }
            _ => Ok(Step::Over(1)),
        }
    }

    /// Follows quotes. An escape counts within quotes only, and not if it is escaped itself.
    fn toggle(&mut self, byte: u8) {
        let is_escape = Some(byte) == self.escape;
        if self.in_quote && is_escape {
            self.after_escape = !self.after_escape;
        }
        if byte == self.quote && !self.after_escape {
            self.in_quote = !self.in_quote;
        }
        if !is_escape {
            self.after_escape = false;
        }
    }

    fn carriage_return(&mut self) -> Result<Step> {
        match (self.line_end, self.ahead(1)) {
            (Some(LineEnd::Return), _) => Ok(Step::End(1)),
            (Some(LineEnd::Newline), _) => Err(self.literal("carriage return", "\\r")),
            (None | Some(LineEnd::Both), None) if !self.ended => Ok(Step::Wait),
            (None | Some(LineEnd::Both), Some(b'\n')) => {
                self.line_end = Some(LineEnd::Both);
                Ok(Step::End(2))
            }
            (Some(LineEnd::Both), _) => Err(self.literal("carriage return", "\\r")),
            (None, _) => {
                self.line_end = Some(LineEnd::Return);
                Ok(Step::End(1))
            }
        }
    }

    fn newline(&mut self) -> Result<Step> {
        match self.line_end {
            None | Some(LineEnd::Newline) => {
                self.line_end = Some(LineEnd::Newline);
                Ok(Step::End(1))
            }
            Some(LineEnd::Return | LineEnd::Both) => Err(self.literal("newline", "\\n")),
        }
    }

    /// A character that ends no line here, where lines end in another way.
    fn literal(&self, what: &str, escaped: &str) -> Error {
        let (kind, remedy) = match self.csv {
            true => ("unquoted", "use quoted CSV field".to_owned()),
            false => ("literal", format!("use \"{escaped}\"")),
        };
        Error::new(Code::BadData, format!("{kind} {what} found in data"))
            .with_hint(format!("{remedy} to represent {what}"))
    }
}

pub(super) fn too_long() -> Error {
    Error::new(
        Code::OutOfMemory,
        format!(
            "a row of COPY is too long: {} MiB are the most",
            MAX_ROW / 1024 / 1024
        ),
    )
}
