//! COPY .. TO STDOUT.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use lakegate_error::{Error, Result};
use lakegate_gateway::Rows;
use lakegate_gateway::sql::ast::{self, CopyFormat, CopyHeader};

use super::BINARY_HEAD;
use super::options::{Direction, Options, chosen};
use crate::backend::{self, tag};
use crate::connection::Connection;
use crate::encode::{ASCII_ZEROS, BatchEncoder, DateForm, Format};
use crate::rows::{Failed, Running};

/// Every byte of the texts of numbers, booleans, dates, times and timestamps.
const PLAIN: &[u8] = b"0123456789+-.: tfeBCNaInity";

/// How values are written in a line.
pub(crate) struct Lines {
    options: Options,
    /// Per column: whether values other than NULL are always quoted.
    force_quote: Vec<bool>,
    /// By byte: whether a value with it is not written as it is.
    special: [bool; 256],
    /// Repeated in every byte: the two special bytes that are not control characters.
    printable: [u64; 2],
    /// Whether no value of bytes of [`PLAIN`] is special, or the text for NULL.
    plain_stays: bool,
}

impl Lines {
    /// # Errors
    ///
    /// The options do not fit each other, or name columns that are not there.
    pub(crate) fn new(copy: &ast::Copy, columns: &[&str]) -> Result<Self> {
        let options = Options::of(copy.format, &copy.options, Direction::Out)?;
        let force_quote = chosen(&copy.options.force_quote, columns, None)?;
        let csv = options.format == CopyFormat::Csv;
        let control: &[u8] = if csv { b"\n\r" } else { b"\x08\x0c\n\r\t\x0b" };
        let printable = [options.delimiter, if csv { options.quote } else { b'\\' }];
        let mut special = [false; 256];
        for byte in control.iter().chain(&printable) {
            special[usize::from(*byte)] = true;
        }
        let null = options.null.as_bytes();
        let null_differs = !csv || null.is_empty() || null.iter().any(|byte| !PLAIN.contains(byte));
        let is_special = |byte: &u8| special[usize::from(*byte)];
        Ok(Self {
            plain_stays: null_differs && !PLAIN.iter().any(is_special),
            options,
            force_quote,
            special,
            printable: printable.map(|byte| u64::from_le_bytes([byte; 8])),
        })
    }

    fn csv(&self) -> bool {
        self.options.format == CopyFormat::Csv
    }

    /// Appends what comes before the value of column `n`.
    #[inline]
    pub(crate) fn delimit(&self, out: &mut BytesMut, n: usize) {
        if n > 0 {
            out.extend_from_slice(&[self.options.delimiter]);
        }
    }

    pub(crate) fn put_null(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.null());
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.options.delimiter
    }

    /// Returns the text for NULL.
    pub(crate) fn null(&self) -> &[u8] {
        self.options.null.as_bytes()
    }

    /// Returns whether values of column `n` whose bytes are all of [`PLAIN`] stay as they are.
    #[inline]
    pub(crate) fn keeps_plain(&self, n: usize) -> bool {
        self.plain_stays && !self.is_forced(n)
    }

    /// Quotes or escapes the value of column `n`, which `out` has from `start` on, if it has to be.
    /// Most values stay as they are and are not copied.
    #[inline]
    pub(crate) fn finish(
        &self,
        out: &mut BytesMut,
        n: usize,
        start: usize,
        scratch: &mut BytesMut,
    ) {
        let is_forced = self.csv() && self.is_forced(n);
        if is_forced
            || self.may_be_special(out, start)
            || self.csv() && self.is_misread(&out[start..])
        {
            self.finish_with_care(out, is_forced, start, scratch);
        }
    }

    /// Returns whether a value of column `n` may be quoted although none of its bytes is special, by
    /// its length. True may be wrong, false is not.
    #[inline]
    pub(crate) fn may_be_quoted(&self, n: usize, length: usize) -> bool {
        let may_be_misread = || length == self.options.null.len() || self.force_quote.len() == 1;
        self.csv() && (may_be_misread() || self.is_forced(n))
    }

    /// Replaces what `out` has by the value of column `n` with quotes or escapes, and returns true;
    /// does nothing if the value has none.
    pub(crate) fn put_if_changed(&self, out: &mut BytesMut, n: usize, value: &[u8]) -> bool {
        let is_forced = self.csv() && self.is_forced(n);
        let changes = is_forced || self.is_changed(value);
        if changes {
            out.clear();
            self.put_changed(out, value);
        }
        changes
    }

    fn finish_with_care(
        &self,
        out: &mut BytesMut,
        is_forced: bool,
        start: usize,
        scratch: &mut BytesMut,
    ) {
        let value = &out[start..];
        if is_forced || self.is_changed(value) {
            scratch.clear();
            scratch.extend_from_slice(value);
            out.truncate(start);
            self.put_changed(out, scratch);
        }
    }

    /// Appends the name of a column. FORCE_QUOTE is not for names.
    fn put_name(&self, out: &mut BytesMut, name: &str) {
        match self.is_changed(name.as_bytes()) {
            true => self.put_changed(out, name.as_bytes()),
            false => out.extend_from_slice(name.as_bytes()),
        }
    }

    #[inline]
    fn is_forced(&self, n: usize) -> bool {
        self.force_quote.get(n).copied().unwrap_or(false)
    }

    /// Returns whether a value is quoted or escaped for what it is.
    fn is_changed(&self, value: &[u8]) -> bool {
        value.iter().any(|byte| self.special[usize::from(*byte)])
            || self.csv() && self.is_misread(value)
    }

    /// Returns whether a CSV value would be NULL if it were not quoted, or `\.` alone on a line,
    /// which would end the data.
    fn is_misread(&self, value: &[u8]) -> bool {
        value == self.options.null.as_bytes() || self.force_quote.len() == 1 && value == b"\\."
    }

    /// Looks for special bytes in what `out` has from `start` on, eight at a time. True may be wrong,
    /// false is not.
    #[inline]
    fn may_be_special(&self, out: &[u8], start: usize) -> bool {
        let value = &out[start..];
        let Some(last) = out.last_chunk::<8>() else {
            return true;
        };
        let last = u64::from_le_bytes(*last);
        let found = match value.len() {
            0 => 0,
            // The last bytes of the word, with digits instead of what is before the value.
            length @ 1..8 => {
                self.special_in(last >> (64 - 8 * length) | ASCII_ZEROS << (8 * length))
            }
            _ => {
                let (words, _) = value.as_chunks::<8>();
                let mut found = self.special_in(last);
                for word in words {
                    found |= self.special_in(u64::from_le_bytes(*word));
                }
                found
            }
        };
        found != 0
    }

    /// Looks for special bytes in the first bytes of a word, fewer than 16. True may be wrong, false is
    /// not.
    #[inline]
    pub(crate) fn special_in_first(&self, word: u128, length: usize) -> bool {
        self.special_in_word(Self::filled_up(word, length)) != 0
    }

    /// Returns a word with digits behind its first bytes, of which there are fewer than 16.
    #[inline]
    pub(crate) fn filled_up(word: u128, length: usize) -> u128 {
        word | (u128::from_le_bytes([b'0'; 16]) << (8 * length))
    }

    /// Returns zero if a word has no special byte.
    #[inline]
    pub(crate) fn special_in_word(&self, word: u128) -> u64 {
        self.special_in(word as u64) | self.special_in((word >> 64) as u64)
    }

    /// Returns zero if a word has no special byte.
    #[inline]
    fn special_in(&self, word: u64) -> u64 {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const HIGH: u64 = ONES << 7;
        // A subtraction borrows from the high bit of a byte that is less than what is subtracted.
        let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
        // Special control characters are less than 14.
        let control = word.wrapping_sub(ONES * 14) & !word;
        let [a, b] = self.printable;
        (control | is_zero(word ^ a) | is_zero(word ^ b)) & HIGH
    }

    /// Appends a value in quotes or with escapes.
    fn put_changed(&self, out: &mut BytesMut, value: &[u8]) {
        let Options { quote, escape, .. } = self.options;
        if self.csv() {
            out.extend_from_slice(&[quote]);
            put_with(out, value, |byte| {
                (byte == quote || byte == escape).then_some([escape, byte])
            });
            out.extend_from_slice(&[quote]);
        } else {
            put_with(out, value, |byte| {
                self.special[usize::from(byte)].then_some([b'\\', letter(byte)])
            });
        }
    }
}

/// Appends a value, with two bytes instead of each for which `instead` has them.
fn put_with(out: &mut BytesMut, value: &[u8], instead: impl Fn(u8) -> Option<[u8; 2]>) {
    let mut done = 0;
    for (at, byte) in value.iter().enumerate() {
        if let Some(two) = instead(*byte) {
            out.extend_from_slice(&value[done..at]);
            out.extend_from_slice(&two);
            done = at + 1;
        }
    }
    out.extend_from_slice(&value[done..]);
}

/// Returns what follows the backslash in the escape of a byte in text format.
fn letter(byte: u8) -> u8 {
    match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        other => other,
    }
}

impl Connection {
    pub(crate) async fn copy_out(&mut self, rows: Rows, copy: &ast::Copy) -> Result<(), Failed> {
        let schema = rows.schema.clone();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if names.len() > i16::MAX as usize {
            return Err(Error::not_supported("COPY of more than 32767 columns").into());
        }
        let format = if copy.format == CopyFormat::Binary {
            Format::Binary
        } else {
            Format::Text
        };
        let mut lines = Lines::new(copy, &names)?;
        let mut style = self.style();
        if format == Format::Text {
            style.encoding = lines.options.encoding(style.encoding);
        }
        // Other forms have other characters.
        lines.plain_stays &= style.dates == DateForm::Iso;
        let mut running = Running::new(rows, &vec![format; names.len()], style);
        backend::copy_out_response(&mut self.link.out, format, names.len());
        let sent = if format == Format::Binary {
            // As in Postgres, the header is sent with the first row, which psycopg relies on; a row
            // of -1 columns is the end.
            let mut head = BINARY_HEAD;
            let put = |out: &mut BytesMut, batch: &mut BatchEncoder<'_>, mut rows: Range<usize>| {
                let before = std::mem::take(&mut head);
                if !before.is_empty() {
                    batch.put_copy_binary(out, rows.start, before)?;
                    rows.start += 1;
                }
                batch.put_copy_rows(out, rows)
            };
            let sent = running.send(&mut self.link, None, put).await?;
            backend::message(&mut self.link.out, b'd', |out| {
                out.put_slice(if sent == 0 { BINARY_HEAD } else { &[] });
                out.put_i16(-1);
            });
            sent
        } else {
            if lines.options.header == CopyHeader::Line {
                let mut line = BytesMut::new();
                for (n, name) in names.iter().enumerate() {
                    lines.delimit(&mut line, n);
                    lines.put_name(&mut line, name);
                }
                line.put_u8(b'\n');
                style.recode(&mut line, 0)?;
                backend::message(&mut self.link.out, b'd', |out| out.put_slice(&line));
            }
            running
                .send(&mut self.link, None, |out, batch, rows| {
                    batch.put_copy_lines(out, rows, &lines)
                })
                .await?
        };
        backend::empty(&mut self.link.out, tag::COPY_DONE);
        self.tell_warnings();
        backend::command_complete(&mut self.link.out, "COPY", Some(sent));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
