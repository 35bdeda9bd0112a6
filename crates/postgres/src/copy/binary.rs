//! The rows of COPY FROM in binary format, found in bytes that arrive in pieces of any size.

use bytes::{Buf, Bytes, BytesMut};
use lakegate_error::{Code, Error, Result};

use super::records::{MAX_ROW, too_long};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags and the length of the extension.
const HEAD: usize = SIGNATURE.len() + 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the header's extension are still to be skipped.
    Extension(usize),
    Rows,
    Over,
}

/// Rows in bytes that arrive in pieces.
#[derive(Debug)]
pub(super) struct Tuples {
    buffer: BytesMut,
    state: State,
    /// Fields of a row.
    width: usize,
    /// The client has sent all.
    ended: bool,
    row: u64,
}

fn malformed(why: impl Into<String>) -> Error {
    Error::new(Code::BadData, why.into())
}

impl Tuples {
    pub(super) fn new(width: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Head,
            width,
            ended: false,
            row: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the number of bytes that wait to be looked at, or for the end of their row.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Says that no more bytes come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the number, from 1, of the row that was returned last or that is at fault.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Returns the fields of the next row, each with its length before it, all of them complete.
    /// `None` if the row is not complete, or there is none.
    ///
    /// # Errors
    ///
    /// The header or a row is malformed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.state {
                State::Head => {
                    if !self.head()? {
                        return Ok(None);
                    }
                }
                State::Extension(left) => {
                    let skipped = left.min(self.buffer.len());
                    self.buffer.advance(skipped);
                    if skipped < left {
                        self.state = State::Extension(left - skipped);
                        return match self.ended {
                            true => Err(malformed("invalid COPY file header (wrong length)")),
                            false => Ok(None),
                        };
                    }
                    self.state = State::Rows;
                }
                State::Rows => {
                    let found = self.tuple();
                    if !matches!(found, Ok(None)) {
                        self.row += 1;
                    }
                    return found;
                }
                State::Over if self.buffer.is_empty() => return Ok(None),
                State::Over => {
                    return Err(malformed("received copy data after EOF marker"));
                }
            }
        }
    }

    /// Reads the header; returns whether it is complete.
    fn head(&mut self) -> Result<bool> {
        let known = self.buffer.len().min(SIGNATURE.len());
        let not_known = || malformed("COPY file signature not recognized");
        if self.buffer.get(..known) != SIGNATURE.get(..known) {
            return Err(not_known());
        }
        if self.buffer.len() < HEAD {
            return match (self.ended, self.buffer.len() < SIGNATURE.len()) {
                (false, _) => Ok(false),
                (true, true) => Err(not_known()),
                (true, false) => Err(malformed("invalid COPY file header (missing flags)")),
            };
        }
        self.buffer.advance(SIGNATURE.len());
        let (flags, extension) = (self.buffer.get_u32(), self.buffer.get_i32());
        if flags & (1 << 16) != 0 {
            return Err(malformed("invalid COPY file header (WITH OIDS)"));
        }
        if flags >> 16 != 0 {
            return Err(malformed("unrecognized critical flags in COPY file header"));
        }
        let extension = usize::try_from(extension)
            .map_err(|_| malformed("invalid COPY file header (missing length)"))?;
        self.state = State::Extension(extension);
        Ok(true)
    }

    fn tuple(&mut self) -> Result<Option<Bytes>> {
        let incomplete = |ended: bool, bytes: usize| match ended {
            true if bytes > 0 => Err(malformed("unexpected EOF in COPY data")),
            _ if bytes > MAX_ROW => Err(too_long()),
            _ => Ok(None),
        };
        let mut rest = &self.buffer[..];
        let available = rest.len();
        if available < 2 {
            return incomplete(self.ended, available);
        }
        let count = rest.get_i16();
        if count == -1 {
            self.buffer.advance(2);
            self.state = State::Over;
            return Ok(None);
        }
        if usize::try_from(count) != Ok(self.width) {
            return Err(malformed(format!(
                "row field count is {count}, expected {}",
                self.width
            )));
        }
        let mut end = 2;
        for _ in 0..self.width {
            if rest.len() < 4 {
                return incomplete(self.ended, available);
            }
            let length = rest.get_i32();
            end += 4;
            if length == -1 {
                continue;
            }
            let length = usize::try_from(length).map_err(|_| malformed("invalid field size"))?;
            if length > MAX_ROW {
                return Err(too_long());
            }
            if rest.len() < length {
                return incomplete(self.ended, available);
            }
            rest.advance(length);
            end += length;
        }
        let mut row = self.buffer.split_to(end).freeze();
        row.advance(2);
        Ok(Some(row))
    }
}
