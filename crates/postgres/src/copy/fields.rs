//! The fields of a line of COPY FROM in text and CSV format.

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast::CopyFormat;

use super::options::Options;

/// The fields of one line, unescaped. The memory is used again for the next line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    /// Where each field ends in `bytes`, and whether it is NULL, for the first `most` fields. A line
    /// may have as many as it has bytes.
    ends: Vec<(usize, bool)>,
    most: usize,
    /// Number of all fields.
    count: usize,
    /// The first field that stands for its column's default.
    default: Option<usize>,
}

impl Fields {
    /// Returns the number of fields of the line.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the first field that stands for its column's default.
    pub(super) fn defaulted(&self) -> Option<usize> {
        self.default
    }

    /// Returns field `n`: `None` if there is none, `Some(None)` if it is NULL. None is there after
    /// those that were asked for.
    pub(super) fn get(&self, n: usize) -> Option<Option<&[u8]>> {
        let (end, is_null) = *self.ends.get(n)?;
        let start = match n.checked_sub(1) {
            Some(before) => self.ends.get(before)?.0,
            None => 0,
        };
        if is_null {
            return Some(None);
        }
        self.bytes.get(start..end).map(Some)
    }

    /// Splits a line, of which the first `most` fields are asked for.
    ///
    /// # Errors
    ///
    /// A quote has no end.
    pub(super) fn split(&mut self, line: &[u8], options: &Options, most: usize) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        (self.most, self.count, self.default) = (most, 0, None);
        match options.format {
            CopyFormat::Csv => self.split_csv(line, options),
            CopyFormat::Text | CopyFormat::Binary => {
                self.split_text(line, options);
                Ok(())
            }
        }
    }

    /// `raw`: the field as it is in the line; `None` if it is in quotes.
    fn field_ends(&mut self, raw: Option<&[u8]>, options: &Options) {
        if let Some(default) = &options.default
            && raw == Some(default.as_bytes())
        {
            self.default.get_or_insert(self.count);
        }
        self.count += 1;
        if self.count <= self.most {
            let is_null = raw == Some(options.null.as_bytes());
            self.ends.push((self.bytes.len(), is_null));
        }
    }

    /// As PostgreSQL's `CopyReadAttributesText`.
    fn split_text(&mut self, line: &[u8], options: &Options) {
        let mut rest = line;
        loop {
            let field = rest;
            loop {
                let plain = rest
                    .iter()
                    .position(|byte| *byte == b'\\' || *byte == options.delimiter);
                let (data, special) = rest.split_at(plain.unwrap_or(rest.len()));
                self.bytes.extend_from_slice(data);
                match special {
                    [b'\\', escaped @ ..] => rest = self.unescape(escaped),
                    other => {
                        rest = other;
                        break;
                    }
                }
            }
            let raw = field.get(..field.len() - rest.len());
            self.field_ends(raw, options);
            match rest.split_first() {
                Some((_, after)) => rest = after,
                None => return,
            }
        }
    }

    /// Appends what follows a backslash, and returns the rest. A backslash at the end of a line is
    /// dropped.
    fn unescape<'a>(&mut self, escaped: &'a [u8]) -> &'a [u8] {
        let Some((first, rest)) = escaped.split_first() else {
            return escaped;
        };
        let (byte, rest) = match first {
            b'0'..=b'7' => digits(escaped, 3, 8),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => digits(rest, 2, 16),
            b'b' => (0x08, rest),
            b'f' => (0x0c, rest),
            b'n' => (b'\n', rest),
            b'r' => (b'\r', rest),
            b't' => (b'\t', rest),
            b'v' => (0x0b, rest),
            other => (*other, rest),
        };
        self.bytes.push(byte);
        rest
    }

    /// As PostgreSQL's `CopyReadAttributesCSV`.
    fn split_csv(&mut self, line: &[u8], options: &Options) -> Result<()> {
        let mut bytes = line.iter().copied().enumerate().peekable();
        let mut start = 0;
        let mut saw_quote = false;
        while let Some((place, byte)) = bytes.next() {
            if byte == options.delimiter {
                self.csv_field_ends(line.get(start..place), saw_quote, options);
                start = place + 1;
                saw_quote = false;
                continue;
            }
            if byte != options.quote {
                self.bytes.push(byte);
                continue;
            }
            saw_quote = true;
            loop {
                let Some((_, byte)) = bytes.next() else {
                    return Err(Error::new(Code::BadData, "unterminated CSV quoted field"));
                };
                if byte == options.escape
                    && let Some((_, next)) =
                        bytes.next_if(|(_, next)| *next == options.escape || *next == options.quote)
                {
                    self.bytes.push(next);
                    continue;
                }
                if byte == options.quote {
                    break;
                }
                self.bytes.push(byte);
            }
        }
        self.csv_field_ends(line.get(start..), saw_quote, options);
        Ok(())
    }

    fn csv_field_ends(&mut self, raw: Option<&[u8]>, saw_quote: bool, options: &Options) {
        self.field_ends(raw.filter(|_| !saw_quote), options);
    }
}

/// Reads up to `most` digits as a byte, which wraps as in PostgreSQL.
fn digits(text: &[u8], most: usize, radix: u32) -> (u8, &[u8]) {
    let mut value = 0_u32;
    let mut rest = text;
    for _ in 0..most {
        let Some((first, after)) = rest.split_first() else {
            break;
        };
        let Some(digit) = char::from(*first).to_digit(radix) else {
            break;
        };
        value = value * radix + digit;
        rest = after;
    }
    ((value & 0xff) as u8, rest)
}
