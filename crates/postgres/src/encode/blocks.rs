//! Rows of a batch, written into room that is there: lines of COPY, and the messages whose bodies
//! are a count and fields.
//!
//! ```text
//!             cells of a block                 out
//! l_quantity  17.00  36.00  8.00  …            d ····\t17.00\t28351.92\t…\n
//! l_tax       0.02   0.06   0.02  …     ->     d ····\t36.00\t45696.96\t…\n
//! ```
//!
//! Short values come from the cells of their column ([`super::cells`]), which are filled for some
//! rows at a time; texts are copied from the batch; other values are written by the functions for
//! single values first. A row that does not fit is written by [`BatchEncoder::put_data_row`] and the
//! like, which grow the buffer.

use std::ops::Range;

use bytes::BytesMut;
use lakegate_error::{Error, Result};

use super::cells::{Cell, WORD, fill, has_cells, moment};
use super::column::{Column, Data};
use super::{BatchEncoder, Format, LENGTH, Style, binary, text};
use crate::copy::Lines;
use crate::forms::Form;
use crate::link::WRITE_AT;

/// The most rows of a block. Its cells and its output fit the first cache of a processor.
const BLOCK: usize = 64;

/// Fewer rows are written one by one: cells would cost more than they save.
const FEW: usize = 16;

/// The length in bytes that output grows to at most by rows that are shorter. TLS takes as much at
/// once.
const ROOM: usize = 64 * 1024;

/// The type and the length of a message.
const HEAD: usize = 5;

/// Why a row is not written.
enum Stop {
    /// There is no room for it.
    Full,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// Where what was written ends.
type Written = std::result::Result<usize, Stop>;

/// What a batch keeps from row to row.
#[derive(Default)]
pub(super) struct Blocks {
    /// The rows that the cells are of.
    rows: Range<usize>,
    /// Per column: its cells, or `None` if they are not looked at. Empty until the first block.
    cells: Vec<Option<Vec<Cell>>>,
    /// A value that is on its way to the output.
    value: BytesMut,
    /// One with its quotes and escapes.
    changed: BytesMut,
}

impl Blocks {
    /// Decides which columns have cells. `stays`: whether the short values of a column are written as
    /// they are.
    fn begin(
        &mut self,
        columns: &[(Column<'_>, Format)],
        style: &Style,
        stays: impl Fn(usize) -> bool,
    ) {
        let columns = columns.iter().enumerate();
        let cells = columns.map(|(place, (column, format))| {
            (stays(place) && has_cells(column, *format, style)).then(Vec::new)
        });
        self.cells = cells.collect();
    }

    /// Fills the cells of rows.
    fn fill(&mut self, columns: &[(Column<'_>, Format)], rows: Range<usize>) {
        for ((column, format), cells) in columns.iter().zip(&mut self.cells) {
            if let Some(cells) = cells {
                fill(cells, column, *format, &rows);
            }
        }
        self.rows = rows;
    }

    /// Frees the memory of a long value.
    fn shrink(&mut self) {
        for buffer in [&mut self.value, &mut self.changed] {
            if buffer.capacity() > ROOM {
                *buffer = BytesMut::new();
            }
        }
    }
}

impl BatchEncoder<'_> {
    /// Appends rows as `DataRow` until there is enough output to write. Returns the row after the
    /// last one; if it is none, what `out` has is to be written first.
    ///
    /// # Errors
    ///
    /// As for [`BatchEncoder::put_data_row`]. The rows before stay.
    pub(crate) fn put_data_rows(
        &mut self,
        out: &mut BytesMut,
        rows: Range<usize>,
    ) -> Result<usize> {
        self.put_rows(
            out,
            rows,
            |_| true,
            |batch, out, row| batch.write_fields(out, row, b'D'),
            |batch, out, row| batch.put_data_row(out, row),
        )
    }

    /// As [`BatchEncoder::put_data_rows`], as `CopyData` in COPY's binary format.
    ///
    /// # Errors
    ///
    /// As for [`BatchEncoder::put_data_rows`].
    pub(crate) fn put_copy_rows(
        &mut self,
        out: &mut BytesMut,
        rows: Range<usize>,
    ) -> Result<usize> {
        self.put_rows(
            out,
            rows,
            |_| true,
            |batch, out, row| batch.write_fields(out, row, b'd'),
            |batch, out, row| batch.put_copy_binary(out, row, &[]),
        )
    }

    /// As [`BatchEncoder::put_data_rows`], as `CopyData` with a line each.
    ///
    /// # Errors
    ///
    /// As for [`BatchEncoder::put_data_rows`].
    pub(crate) fn put_copy_lines(
        &mut self,
        out: &mut BytesMut,
        rows: Range<usize>,
        lines: &Lines,
    ) -> Result<usize> {
        self.put_rows(
            out,
            rows,
            |place| lines.keeps_plain(place),
            |batch, out, row| batch.write_line(out, row, lines),
            |batch, out, row| {
                let mut scratch = std::mem::take(&mut batch.blocks.changed);
                let put = batch.put_copy_line(out, row, lines, &mut scratch);
                batch.blocks.changed = scratch;
                put
            },
        )
    }

    /// Appends rows until there is enough output to write.
    ///
    /// `stays`: as of [`Blocks::begin`]. `write`: writes a row at the beginning of some room. `grow`:
    /// appends a row of any length.
    fn put_rows(
        &mut self,
        out: &mut BytesMut,
        rows: Range<usize>,
        stays: impl Fn(usize) -> bool,
        write: impl Fn(&mut Self, &mut [u8], usize) -> Written,
        grow: impl Fn(&mut Self, &mut BytesMut, usize) -> Result<()>,
    ) -> Result<usize> {
        let Range { start, end } = rows;
        let mut row = start;
        let has_count = (1..=i16::MAX as usize).contains(&self.columns.len());
        if !has_count || rows.len() < FEW || self.style.encoding.is_some() {
            while row < end && out.len() < WRITE_AT {
                grow(self, out, row)?;
                row += 1;
            }
            return Ok(row);
        }
        if self.blocks.cells.is_empty() {
            self.blocks.begin(&self.columns, self.style, stays);
        }
        let mut at = out.len();
        // Short results do not need all of the room.
        let guess = rows.len() * (HEAD + 2 * WORD * self.columns.len());
        out.resize(ROOM.min(at + guess).max(at), 0);
        while row < end && at < WRITE_AT {
            if !self.blocks.rows.contains(&row) {
                let block = row..end.min(row + BLOCK);
                self.blocks.fill(&self.columns, block);
            }
            match write(self, out.get_mut(at..).unwrap_or_default(), row) {
                Ok(length) => {
                    at += length;
                    row += 1;
                }
                Err(Stop::Full) if out.len() < ROOM => out.resize(ROOM, 0),
                Err(Stop::Full) => {
                    out.truncate(at);
                    self.blocks.shrink();
                    if at == 0 {
                        grow(self, out, row)?;
                        row += 1;
                    }
                    return Ok(row);
                }
                Err(Stop::Failed(error)) => {
                    out.truncate(at);
                    return Err(error);
                }
            }
        }
        out.truncate(at);
        Ok(row)
    }

    /// Writes a `CopyData` with a line.
    #[inline]
    fn write_line(&mut self, out: &mut [u8], row: usize, lines: &Lines) -> Written {
        let blocks = &mut self.blocks;
        let n = row - blocks.rows.start;
        let delimiter = lines.delimiter();
        // The head takes the place of the delimiter before the first value.
        let mut at = HEAD - 1;
        for (place, ((column, _), cells)) in self.columns.iter().zip(&blocks.cells).enumerate() {
            let cell = cells.as_ref().and_then(|cells| cells.get(n));
            if let Some((word, length)) = cell.and_then(|cell| cell.short()) {
                let [first, value @ ..] = room::<{ 1 + WORD }>(out, at)?;
                *first = delimiter;
                *value = word.to_le_bytes();
                at += 1 + length;
                continue;
            }
            *room(out, at)? = [delimiter];
            at += 1;
            if column.is_null(row) {
                at = copy(out, at, lines.null(), |_| {})?;
                continue;
            }
            let (column, row) = distinct(column, row);
            if lines.keeps_plain(place)
                && let Some((words, length)) = moment(column, row, self.style)
            {
                put_words(out, at, words)?;
                at += length;
                continue;
            }
            let (end, found) = match &column.data {
                Data::Text(texts) => match texts.inline(row) {
                    Some((word, length)) => {
                        *room(out, at)? = word.to_le_bytes();
                        (at + length, lines.special_in_first(word, length))
                    }
                    None => copy_seen(out, at, texts.get(row).as_bytes(), lines)?,
                },
                _ => {
                    blocks.value.clear();
                    text::put(&mut blocks.value, column, row, self.style)?;
                    copy_seen(out, at, &blocks.value, lines)?
                }
            };
            if found || lines.may_be_quoted(place, end - at) {
                let value = match &column.data {
                    Data::Text(texts) => texts.get(row).as_bytes(),
                    _ => &blocks.value[..],
                };
                if lines.put_if_changed(&mut blocks.changed, place, value) {
                    at = copy(out, at, &blocks.changed, |_| {})?;
                    continue;
                }
            }
            at = end;
        }
        *room(out, at)? = [b'\n'];
        at += 1;
        write_head(out, b'd', at)?;
        Ok(at)
    }

    /// Writes a message of a count and fields, each with its length.
    #[inline]
    fn write_fields(&mut self, out: &mut [u8], row: usize, tag: u8) -> Written {
        let blocks = &mut self.blocks;
        let n = row - blocks.rows.start;
        // There are no more columns than the count has numbers.
        *room(out, HEAD)? = (self.columns.len() as i16).to_be_bytes();
        let mut at = HEAD + 2;
        for ((column, format), cells) in self.columns.iter().zip(&blocks.cells) {
            let cell = cells.as_ref().and_then(|cells| cells.get(n));
            if let Some((word, length)) = cell.and_then(|cell| cell.short()) {
                let [a, b, c, d, value @ ..] = room::<{ LENGTH + WORD }>(out, at)?;
                [*a, *b, *c, *d] = (length as u32).to_be_bytes();
                *value = word.to_le_bytes();
                at += LENGTH + length;
                continue;
            }
            if column.is_null(row) {
                *room(out, at)? = (-1i32).to_be_bytes();
                at += LENGTH;
                continue;
            }
            let (column, row) = distinct(column, row);
            let start = at + LENGTH;
            let end = match (&column.data, format) {
                (Data::Text(texts), _) if *format == Format::Text || column.form == Form::Plain => {
                    match texts.inline(row) {
                        Some((word, length)) => {
                            *room(out, start)? = word.to_le_bytes();
                            start + length
                        }
                        None => copy(out, start, texts.get(row).as_bytes(), |_| {})?,
                    }
                }
                (_, Format::Text) => match moment(column, row, self.style) {
                    Some((words, length)) => {
                        put_words(out, start, words)?;
                        start + length
                    }
                    None => {
                        blocks.value.clear();
                        text::put(&mut blocks.value, column, row, self.style)?;
                        copy(out, start, &blocks.value, |_| {})?
                    }
                },
                (_, Format::Binary) => {
                    blocks.value.clear();
                    binary::put(&mut blocks.value, column, row, self.style)?;
                    copy(out, start, &blocks.value, |_| {})?
                }
            };
            *room(out, at)? = ((end - start) as u32).to_be_bytes();
            at = end;
        }
        write_head(out, tag, at)?;
        Ok(at)
    }
}

/// Returns the column that has the values of a dictionary, and the place of the one of a row that is
/// not NULL; of other columns, what is given.
#[inline]
fn distinct<'c, 'a>(column: &'c Column<'a>, row: usize) -> (&'c Column<'a>, usize) {
    match &column.data {
        Data::Dictionary(keys, values) => (values.as_ref(), keys.get(row) as usize),
        _ => (column, row),
    }
}

/// Returns the place of some bytes.
#[inline]
fn room<const N: usize>(out: &mut [u8], at: usize) -> std::result::Result<&mut [u8; N], Stop> {
    let rest = out.get_mut(at..).unwrap_or_default();
    rest.first_chunk_mut().ok_or(Stop::Full)
}

/// Writes the type and the length of a message of so many bytes.
#[inline]
fn write_head(out: &mut [u8], tag: u8, length: usize) -> std::result::Result<(), Stop> {
    let [a, b, c, d] = ((length - 1) as u32).to_be_bytes();
    *room(out, 0)? = [tag, a, b, c, d];
    Ok(())
}

/// Writes two words.
#[inline]
fn put_words(out: &mut [u8], at: usize, words: [u128; 2]) -> std::result::Result<(), Stop> {
    let [first, second] = words.map(u128::to_le_bytes);
    *room(out, at)? = first;
    *room(out, at + WORD)? = second;
    Ok(())
}

/// Copies a value, as words of which some overlap. `see`: looks at each word; bytes that are not of
/// the value are the digit 0.
#[inline]
fn copy(out: &mut [u8], at: usize, value: &[u8], mut see: impl FnMut(u128)) -> Written {
    let end = at + value.len();
    let Some(last) = value.last_chunk::<WORD>() else {
        let word = short_word(value);
        *room(out, at)? = word.to_le_bytes();
        see(Lines::filled_up(word, value.len()));
        return Ok(end);
    };
    let mut to = at;
    for chunk in value.as_chunks::<WORD>().0 {
        *room(out, to)? = *chunk;
        see(u128::from_le_bytes(*chunk));
        to += WORD;
    }
    if to < end {
        *room(out, end - WORD)? = *last;
        see(u128::from_le_bytes(*last));
    }
    Ok(end)
}

/// Copies a value. Returns its end, and whether it may have a special byte.
#[inline]
fn copy_seen(
    out: &mut [u8],
    at: usize,
    value: &[u8],
    lines: &Lines,
) -> std::result::Result<(usize, bool), Stop> {
    let mut found = 0;
    let end = copy(out, at, value, |word| found |= lines.special_in_word(word))?;
    Ok((end, found != 0))
}

/// Returns a value of fewer than [`WORD`] bytes, the first in the lowest one.
#[inline]
fn short_word(value: &[u8]) -> u128 {
    // The first and the last bytes overlap, where they are the same.
    if let (Some(first), Some(last)) = (value.first_chunk::<8>(), value.last_chunk::<8>()) {
        let last = u128::from(u64::from_le_bytes(*last));
        return u128::from(u64::from_le_bytes(*first)) | (last << (8 * (value.len() - 8)));
    }
    if let (Some(first), Some(last)) = (value.first_chunk::<4>(), value.last_chunk::<4>()) {
        let last = u128::from(u32::from_le_bytes(*last));
        return u128::from(u32::from_le_bytes(*first)) | (last << (8 * (value.len() - 4)));
    }
    let bytes = value.iter().rev();
    bytes.fold(0, |word: u128, byte| (word << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests;
