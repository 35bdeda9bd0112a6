//! Lines of LazySimpleSerDe, so that [`lazy_simple`](super::super::lazy_simple) and Hive read the
//! same values back.
//!
//! A field, and each part of a nested one, ends at its delimiter: a text cannot hold those of the
//! levels around it, a line break, or be exactly the null format, unless the table has an escape.
//! Some values have no form with or without one, as a list of one NULL is written as NULL is. All
//! of them are errors that name the column.

use std::collections::HashSet;
use std::ops::Range;

use arrow::datatypes::{DataType, SchemaRef};
use lakegate_error::{Code, Error, Result};

use super::RowWriter;
use super::values::{Unwritable, Values, items};
use crate::format::text::LazySimpleOptions;
use crate::format::text::rows::MAX_CELLS;
use crate::type_name;

/// What a byte means to a reader: bit `n` for the delimiter of level `n`, and these.
type Meaning = u16;
const BREAK: Meaning = 1 << 8;
const ESCAPE: Meaning = 1 << 9;

#[derive(Debug)]
pub(in crate::format::text) struct DelimitedWriter {
    options: LazySimpleOptions,
    meanings: Box<[Meaning; 256]>,
    schema: SchemaRef,
    has_header: bool,
    buffer: String,
    /// Values in nested columns of the row.
    cells: usize,
}

impl DelimitedWriter {
    /// `header`: lines of a file before its first row.
    ///
    /// # Errors
    /// A column that nests deeper than there are delimiters, or of another type than tables have;
    /// delimiters, an escape or a null format that cannot be told from each other; more than one
    /// line of a header.
    pub(in crate::format::text) fn new(
        options: &LazySimpleOptions,
        schema: &SchemaRef,
        header: u64,
    ) -> Result<Self> {
        if header > 1 {
            return Err(not_written(format!(
                "'skip.header.line.count' is {header}, and files are written with one line of a header at most"
            )));
        }
        let mut levels = 1;
        for field in schema.fields() {
            let needed = needed_levels(field.data_type(), 1);
            let needed = needed.filter(|needed| *needed <= options.delimiters.len());
            levels = levels.max(needed.ok_or_else(|| {
                not_written(format!(
                    "column \"{}\" is {}, which nests deeper than delimited text can, or has a map with keys of no simple type",
                    field.name(),
                    type_name(field.data_type())
                ))
            })?);
        }
        let mut meanings = Box::new([0; 256]);
        mark(&mut meanings, b'\n', BREAK);
        mark(&mut meanings, b'\r', BREAK);
        for (level, delimiter) in options.delimiters.iter().enumerate().take(levels) {
            if meaning(&meanings, *delimiter) != 0 {
                return Err(not_written(format!(
                    "delimiter {} of the table is used twice, or is a line break",
                    shown(*delimiter)
                )));
            }
            mark(&mut meanings, *delimiter, 1 << level);
        }
        if let Some(escape) = options.escape {
            // An escaped n or r is a line break.
            if meaning(&meanings, escape) != 0 || matches!(escape, b'n' | b'r') {
                return Err(not_written(format!(
                    "'escape.delim' is {}, which is a delimiter or a letter that stands for a line break",
                    shown(escape)
                )));
            }
            mark(&mut meanings, escape, ESCAPE);
        }
        let writer = Self {
            options: options.clone(),
            meanings,
            schema: SchemaRef::clone(schema),
            has_header: header == 1,
            buffer: String::new(),
            cells: 0,
        };
        writer.check_null_format()?;
        Ok(writer)
    }

    /// Checks that the null format is one field wherever it stands.
    fn check_null_format(&self) -> Result<()> {
        let mut bytes = self.options.null_format.bytes();
        while let Some(byte) = bytes.next() {
            let of_byte = meaning(&self.meanings, byte);
            if of_byte == ESCAPE && bytes.next().is_some() {
                continue;
            }
            if of_byte != 0 {
                return Err(not_written(format!(
                    "'serialization.null.format' is '{}', which holds a delimiter, a line break or an escape of nothing",
                    self.options.null_format.escape_default()
                )));
            }
        }
        Ok(())
    }

    /// Appends one value. `ends`: the delimiters that end it. `level`: the delimiter of what nests
    /// in it.
    fn put(
        &mut self,
        values: &Values<'_>,
        row: usize,
        ends: Meaning,
        level: usize,
        line: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if values.is_null(row) {
            line.extend_from_slice(self.options.null_format.as_bytes());
            return Ok(());
        }
        let start = line.len();
        match values {
            Values::List(list, values) => {
                let (delimiter, leaves) = (self.delimiter(level)?, values.leaves());
                let range = items(list.value_offsets(), row);
                for item in range.clone() {
                    if item > range.start {
                        line.push(delimiter);
                    }
                    self.count(leaves)?;
                    self.put(values, item, ends | 1 << level, level + 1, line)?;
                }
                if !range.is_empty() && line.len() == start {
                    return Err(Unwritable::new(
                        "an array of one empty text, which would be read as an empty array",
                        "leave the item out, or write to a table of JSON or Parquet",
                    ));
                }
            }
            Values::Map(map, values) => {
                let range = items(map.value_offsets(), row);
                self.put_map(&values.0, &values.1, range, ends, level, line)?;
            }
            Values::Struct(_, fields) => {
                let delimiter = self.delimiter(level)?;
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        line.push(delimiter);
                    }
                    self.put(field, row, ends | 1 << level, level + 1, line)?;
                }
            }
            _ => return self.put_scalar(values, row, ends, line),
        }
        match line.get(start..) == Some(self.options.null_format.as_bytes()) {
            false => Ok(()),
            true => Err(Unwritable::new(
                "an array, map or struct that is written as NULL is, and would be read as NULL",
                "set 'serialization.null.format' to another text, or write to a table of JSON or Parquet",
            )),
        }
    }

    fn put_map(
        &mut self,
        keys: &Values<'_>,
        values: &Values<'_>,
        range: Range<usize>,
        ends: Meaning,
        level: usize,
        line: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        let (delimiter, between) = (self.delimiter(level)?, self.delimiter(level + 1)?);
        let leaves = keys.leaves() + values.leaves();
        let of_entry = ends | 1 << level;
        let mut written: Vec<Range<usize>> = Vec::with_capacity(range.len());
        for entry in range.clone() {
            if entry > range.start {
                line.push(delimiter);
            }
            self.count(leaves)?;
            if keys.is_null(entry) {
                return Err(Unwritable::new("a map with NULL for a key", "leave it out"));
            }
            let start = line.len();
            self.put_scalar(keys, entry, of_entry | 1 << (level + 1), line)?;
            written.push(start..line.len());
            line.push(between);
            // The first delimiter ends the key, and no other.
            self.put(values, entry, of_entry, level + 2, line)?;
        }
        check_keys(&written, line)
    }

    /// Appends a value without children that is not NULL.
    fn put_scalar(
        &mut self,
        values: &Values<'_>,
        row: usize,
        ends: Meaning,
        line: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        let start = line.len();
        let mut buffer = std::mem::take(&mut self.buffer);
        let text = values.text(row, &self.options.timestamp_formats, &mut buffer);
        let put = text.and_then(|text| self.put_text(text.as_bytes(), ends, line));
        self.buffer = buffer;
        put?;
        if line.get(start..) != Some(self.options.null_format.as_bytes()) {
            return Ok(());
        }
        // With one more escape it is the same text, and not the null format.
        let spot = self.first_plain(line.get(start..).unwrap_or_default());
        match (self.options.escape, spot) {
            (Some(escape), Some(spot)) => {
                line.insert(start + spot, escape);
                Ok(())
            }
            (escape, _) => Err(Unwritable::new(
                format!(
                    "a value of exactly '{}', which is read as NULL",
                    self.options.null_format.escape_default()
                ),
                match escape {
                    Some(_) => "set 'serialization.null.format' to another text",
                    None => {
                        "set 'serialization.null.format' to another text, or give the table an escape (ESCAPED BY)"
                    }
                },
            )),
        }
    }

    /// The first byte that is not escaped, and means the same when it is.
    fn first_plain(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                _ if meaning(&self.meanings, *byte) & ESCAPE != 0 => at += 2,
                b'n' | b'r' => at += 1,
                _ => return Some(at),
            }
        }
        None
    }

    fn put_text(&self, text: &[u8], ends: Meaning, line: &mut Vec<u8>) -> Result<(), Unwritable> {
        let special = ends | BREAK | ESCAPE;
        let is_special = |byte: &u8| meaning(&self.meanings, *byte) & special != 0;
        let mut rest = text;
        while let Some(at) = rest.iter().position(is_special) {
            let (plain, after) = rest.split_at(at);
            line.extend_from_slice(plain);
            let Some((byte, after)) = after.split_first() else {
                break;
            };
            let escape = self.options.escape.ok_or_else(|| unescaped(*byte))?;
            line.push(escape);
            line.push(match byte {
                b'\n' => b'n',
                b'\r' => b'r',
                b'n' | b'r' => return Err(unescaped(*byte)),
                other => *other,
            });
            rest = after;
        }
        line.extend_from_slice(rest);
        Ok(())
    }

    fn delimiter(&self, level: usize) -> Result<u8, Unwritable> {
        let delimiter = self.options.delimiters.get(level).copied();
        delimiter.ok_or_else(|| {
            Unwritable::new(
                "values that nest deeper than delimited text can",
                "write to a table of JSON or Parquet",
            )
        })
    }

    fn count(&mut self, cells: usize) -> Result<(), Unwritable> {
        self.cells += cells;
        match self.cells > MAX_CELLS {
            false => Ok(()),
            true => Err(too_many_values()),
        }
    }
}

impl RowWriter for DelimitedWriter {
    fn header(&mut self, text: &mut Vec<u8>) -> Result<()> {
        if !self.has_header {
            return Ok(());
        }
        for (index, field) in self.schema.fields().iter().enumerate() {
            if index > 0 {
                text.extend(self.options.delimiters.first());
            }
            let written = self.put_text(field.name().as_bytes(), 1, text);
            written.map_err(|unwritable| unwritable.of_column(field.name()))?;
        }
        text.push(b'\n');
        Ok(())
    }

    fn row(&mut self, columns: &[Values<'_>], row: usize, text: &mut Vec<u8>) -> Result<()> {
        self.cells = 0;
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                text.extend(self.options.delimiters.first());
            }
            self.put(column, row, 1, 1, text).map_err(|unwritable| {
                let field = self.schema.fields().get(index);
                unwritable.of_column(field.map_or("", |field| field.name()))
            })?;
        }
        text.push(b'\n');
        Ok(())
    }
}

/// Checks that no key of a map is there twice: readers take one of them. `keys`: where they are in
/// the line.
pub(in crate::format::text) fn check_keys(
    keys: &[Range<usize>],
    line: &[u8],
) -> Result<(), Unwritable> {
    let mut seen = HashSet::with_capacity(keys.len());
    match keys.iter().all(|key| seen.insert(line.get(key.clone()))) {
        true => Ok(()),
        false => Err(Unwritable::new(
            "a map with a key that is there twice",
            "leave one of the entries out",
        )),
    }
}

pub(in crate::format) fn too_many_values() -> Unwritable {
    Unwritable::new(
        format!("more than {MAX_CELLS} values in one row, which cannot be read"),
        "write to a table of Parquet",
    )
}

/// The delimiters that a column needs, in the order of their levels. `None`: a map's keys nest.
/// Recursion is bounded: Hive's types nest at most 32 levels deep.
fn needed_levels(data_type: &DataType, level: usize) -> Option<usize> {
    match data_type {
        DataType::List(item) => Some(needed_levels(item.data_type(), level + 1)?.max(level + 1)),
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else {
                return None;
            };
            let [key, value] = pair.as_ref() else {
                return None;
            };
            let value = needed_levels(value.data_type(), level + 2)?;
            (!key.data_type().is_nested()).then_some(value.max(level + 2))
        }
        DataType::Struct(fields) => fields.iter().try_fold(level + 1, |most, field| {
            Some(most.max(needed_levels(field.data_type(), level + 1)?))
        }),
        _ => Some(level),
    }
}

fn meaning(meanings: &[Meaning; 256], byte: u8) -> Meaning {
    meanings.get(usize::from(byte)).copied().unwrap_or(0)
}

fn mark(meanings: &mut [Meaning; 256], byte: u8, of_byte: Meaning) {
    if let Some(meaning) = meanings.get_mut(usize::from(byte)) {
        *meaning |= of_byte;
    }
}

fn unescaped(byte: u8) -> Unwritable {
    let what = match byte {
        b'\n' | b'\r' => "a line break".to_owned(),
        other => format!("the delimiter {}", shown(other)),
    };
    Unwritable::new(
        format!("a value with {what} in it"),
        "give the table an escape (ESCAPED BY '\\\\'), or write to a table of JSON or Parquet",
    )
}

fn shown(byte: u8) -> String {
    format!("'{}'", byte.escape_ascii())
}

fn not_written(message: String) -> Error {
    Error::new(Code::NotSupported, message)
        .with_hint("alter the table's properties, or write to a table of JSON or Parquet")
}

#[cfg(test)]
mod tests;
