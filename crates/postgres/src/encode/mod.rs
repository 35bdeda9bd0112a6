//! Encodes record batches directly as protocol bytes.
//!
//! A batch's columns are downcast once ([`column`]); then its rows are written into the connection's
//! buffer as `DataRow` (or lines of `COPY`), in text or binary format by column. Many rows are
//! written block by block ([`blocks`]), few rows, and those that are long or in another encoding than
//! UTF8, one by one. Nothing is allocated per value. Frequent types are appended with
//! `extend_from_slice` of arrays, which is compiled into its caller; `put_slice` and `put_u8` are
//! calls into the library.

mod arrays;
mod binary;
mod blocks;
mod cells;
mod column;
mod dates;
mod json;
mod number;
mod text;
pub(crate) mod time;

#[cfg(test)]
mod tests;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::time::DateOrder;
use lakegate_gateway::values::{Encoding, IntervalStyle};

use self::blocks::Blocks;
use self::column::Column;
pub(crate) use self::dates::{DateForm, ZoneName};
pub(crate) use self::number::{ASCII_ZEROS, put_uint};
pub(crate) use self::time::Zone;
use super::copy::Lines;
use super::forms::Form;
use super::types::{self, PgType};

/// The bytes of a field's length.
const LENGTH: usize = 4;

/// The longest message in bytes: clients read the length as an `int`, and libpq refuses more.
pub(crate) const MAX_MESSAGE: usize = 1 << 30;

/// The format of a column on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(crate) fn code(self) -> i16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }
}

/// The session's settings that text output depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub zone: Zone,
    pub zone_name: ZoneName,
    /// `extra_float_digits`; from 1 on, the shortest text that reads back as the same float.
    pub float_digits: i32,
    /// `struct_output`: structs are records instead of JSON.
    pub records: bool,
    /// `array_output`: arrays of arrays are JSON instead of arrays of several dimensions.
    pub flat_arrays: bool,
    pub intervals: IntervalStyle,
    /// The form of dates and timestamps, of `DateStyle`.
    pub dates: DateForm,
    /// The order of day, month and year in dates of numbers, of `DateStyle`.
    pub order: DateOrder,
    /// `bytea_output`: bytes are escaped instead of hexadecimal.
    pub escaped_bytes: bool,
    /// `client_encoding`; `None` is UTF8.
    pub encoding: Option<&'static Encoding>,
}

impl Style {
    /// Converts the text that `out` has from `start` on to the client's encoding.
    ///
    /// # Errors
    ///
    /// A character is not in it.
    pub(crate) fn recode(&self, out: &mut BytesMut, start: usize) -> Result<()> {
        match self.encoding {
            None => Ok(()),
            Some(encoding) => recode(out, start, encoding),
        }
    }

    /// Returns the type that a result column is shown as.
    pub(crate) fn type_of(&self, field: &Field) -> PgType {
        let of_record = match self.records {
            true => types::of_records(field),
            false => None,
        };
        of_record.unwrap_or_else(|| match self.flat_arrays {
            true => types::without_dimensions(field),
            false => types::of_field(field),
        })
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            zone: Zone::UTC,
            zone_name: ZoneName::default(),
            float_digits: 1,
            records: false,
            flat_arrays: false,
            intervals: IntervalStyle::default(),
            dates: DateForm::default(),
            order: DateOrder::Mdy,
            escaped_bytes: false,
            encoding: None,
        }
    }
}

/// Writes the rows of one result.
#[derive(Debug)]
pub(crate) struct RowEncoder {
    columns: Vec<(PgType, Format)>,
    style: Style,
}

impl RowEncoder {
    /// Builds an encoder. `formats` has one entry per column; columns beyond it are text.
    pub(crate) fn new(schema: &Schema, formats: &[Format], style: Style) -> Self {
        let formats = formats
            .iter()
            .copied()
            .chain(std::iter::repeat(Format::Text));
        let columns = schema
            .fields()
            .iter()
            .zip(formats)
            .map(|(field, format)| (style.type_of(field), format));
        Self {
            columns: columns.collect(),
            style,
        }
    }

    /// Downcasts a batch of the schema given to [`RowEncoder::new`].
    ///
    /// # Errors
    ///
    /// The batch does not have the columns of the result, or a type nests too deeply.
    pub(crate) fn batch<'a>(&'a self, batch: &'a RecordBatch) -> Result<BatchEncoder<'a>> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal(format!(
                "a batch has {} columns where its result has {}",
                batch.num_columns(),
                self.columns.len()
            )));
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for (array, (pg, format)) in batch.columns().iter().zip(&self.columns) {
            columns.push((Column::new(array.as_ref(), *pg)?, *format));
        }
        Ok(BatchEncoder {
            columns,
            style: &self.style,
            blocks: Blocks::default(),
        })
    }
}

/// A batch whose columns are downcast.
pub(crate) struct BatchEncoder<'a> {
    columns: Vec<(Column<'a>, Format)>,
    style: &'a Style,
    blocks: Blocks,
}

impl BatchEncoder<'_> {
    /// Appends a `DataRow`. On an error `out` is unchanged.
    ///
    /// # Errors
    ///
    /// A value is outside Postgres' range, or the row is too long or has too many columns.
    pub(crate) fn put_data_row(&self, out: &mut BytesMut, row: usize) -> Result<()> {
        self.message(out, b'D', |out| self.put_fields(out, row))
    }

    /// Appends a `CopyData` with a row in COPY's binary format, whose body is that of a `DataRow`.
    /// `before`: the header, with the first row.
    ///
    /// # Errors
    ///
    /// As for [`BatchEncoder::put_data_row`].
    pub(crate) fn put_copy_binary(
        &self,
        out: &mut BytesMut,
        row: usize,
        before: &[u8],
    ) -> Result<()> {
        self.message(out, b'd', |out| {
            out.put_slice(before);
            self.put_fields(out, row)
        })
    }

    /// Appends a `CopyData` with a line.
    ///
    /// # Errors
    ///
    /// As for [`BatchEncoder::put_data_row`].
    pub(crate) fn put_copy_line(
        &self,
        out: &mut BytesMut,
        row: usize,
        lines: &Lines,
        scratch: &mut BytesMut,
    ) -> Result<()> {
        self.message(out, b'd', |out| {
            let line = out.len();
            for (n, (column, _)) in self.columns.iter().enumerate() {
                lines.delimit(out, n);
                if column.is_null(row) {
                    lines.put_null(out);
                    continue;
                }
                let start = out.len();
                text::put(out, column, row, self.style)?;
                if !(column.is_plain() && lines.keeps_plain(n)) {
                    lines.finish(out, n, start, scratch);
                }
            }
            out.extend_from_slice(b"\n");
            self.style.recode(out, line)
        })
    }

    fn put_fields(&self, out: &mut BytesMut, row: usize) -> Result<()> {
        let start = out.len();
        // Postgres allows 1,600 columns; the 16-bit count of the protocol allows 32,767.
        let count = i16::try_from(self.columns.len())
            .map_err(|_| Error::not_supported("a result has at most 32767 columns"))?;
        out.extend_from_slice(&count.to_be_bytes());
        if let Some(encoding) = self.style.encoding {
            return self.put_recoded(out, row, encoding);
        }
        for (column, format) in &self.columns {
            put_field(out, column, row, *format, self.style)?;
            if out.len() - start > MAX_MESSAGE {
                return Err(too_long());
            }
        }
        Ok(())
    }

    /// Appends the fields of a row in the client's encoding. Texts in binary format are converted
    /// where they are written.
    fn put_recoded(
        &self,
        out: &mut BytesMut,
        row: usize,
        encoding: &'static Encoding,
    ) -> Result<()> {
        let start = out.len();
        for (column, format) in &self.columns {
            let field = out.len();
            put_field(out, column, row, *format, self.style)?;
            let value = field + LENGTH;
            if *format == Format::Text && out.len() > value {
                recode(out, value, encoding)?;
                let length = (out.len() - value) as u32;
                out[field..value].copy_from_slice(&length.to_be_bytes());
            }
            if out.len() - start > MAX_MESSAGE {
                return Err(too_long());
            }
        }
        Ok(())
    }

    fn message(
        &self,
        out: &mut BytesMut,
        tag: u8,
        body: impl FnOnce(&mut BytesMut) -> Result<()>,
    ) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(&[tag, 0, 0, 0, 0]);
        let written = body(out).and_then(|()| {
            let length = out.len() - start - 1;
            if length < MAX_MESSAGE {
                Ok(length)
            } else {
                Err(too_long())
            }
        });
        match written {
            Ok(length) => {
                out[start + 1..start + 5].copy_from_slice(&(length as u32).to_be_bytes());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

/// Converts the text that `out` has from `start` on to another encoding.
///
/// # Errors
///
/// A character is not in it.
fn recode(out: &mut BytesMut, start: usize, encoding: &'static Encoding) -> Result<()> {
    let written = out.get(start..).unwrap_or_default();
    if written.is_ascii() {
        return Ok(());
    }
    let text = std::str::from_utf8(written)
        .map_err(|_| Error::internal("a text of the result is not UTF8"))?;
    let converted = encoding.encode(text)?.into_owned();
    out.truncate(start);
    out.extend_from_slice(&converted);
    Ok(())
}

fn too_long() -> Error {
    Error::new(Code::OutOfMemory, "a row is longer than 1 GiB on the wire")
        .with_hint("select fewer columns, or parts of the long ones")
}

/// Appends a field with its length, -1 for NULL.
fn put_field(
    out: &mut BytesMut,
    column: &Column<'_>,
    row: usize,
    format: Format,
    style: &Style,
) -> Result<()> {
    if column.is_null(row) {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let is_plain = column.form == Form::Plain;
    if format == Format::Binary && is_plain && binary::put_fixed(out, column, row)? {
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match format {
        Format::Text => text::put(out, column, row, style)?,
        Format::Binary => binary::put(out, column, row, style)?,
    }
    let length = out.len() - start - 4;
    if length > MAX_MESSAGE {
        return Err(too_long());
    }
    out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(())
}
