//! LazySimpleSerDe: fields between delimiters, without quotes.
//!
//! As in Hive nothing is an error: a value that its column cannot hold is NULL, missing columns are
//! NULL, further fields are ignored, an empty line is a row whose first field is empty. `1.5` in an
//! integer column is 1. Arrays, maps and structs are delimited by the collection and map key
//! delimiters, then by the control characters 4 to 8 as they nest deeper. Of a map key that is
//! there twice the first counts. With `escape.delim` a delimiter may be escaped, and an escaped `n`
//! or `r` is a line break.

use std::borrow::Cow;
use std::collections::HashSet;

use super::LazySimpleOptions;
use super::columns::{Column, Data};
use super::rows::{BadRow, MAX_CELLS, RowDecoder, Rows};
use super::scalars::{BinaryText, Epoch, Fractions, Misfit, ScalarRules};

#[derive(Debug)]
pub(super) struct LazySimpleDecoder {
    rows: Rows,
    /// The field of each projected column, ascending.
    positions: Vec<usize>,
    /// The table's last column takes the rest of the line.
    rest_at: Option<usize>,
    values: Values,
}

#[derive(Debug)]
struct Values {
    options: LazySimpleOptions,
    rules: ScalarRules,
    cells: usize,
}

impl LazySimpleDecoder {
    /// `projection`: the field of each column of `rows`, ascending. `last`: the table's last field.
    pub(super) fn new(
        rows: Rows,
        options: &LazySimpleOptions,
        projection: &[usize],
        last: usize,
    ) -> Self {
        Self {
            rows,
            positions: projection.to_vec(),
            rest_at: options.last_takes_rest.then_some(last),
            values: Values {
                rules: ScalarRules {
                    fractions: Fractions::Truncate,
                    epoch: Epoch::Refuse,
                    binary: BinaryText::Base64OrRaw,
                    patterns: options.timestamp_formats.clone(),
                },
                options: options.clone(),
                cells: 0,
            },
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<(), BadRow> {
        self.values.cells = 0;
        let Some(delimiter) = self.values.delimiter(0) else {
            return Ok(());
        };
        let mut fields = Split {
            rest: Some(line),
            delimiter,
            escape: self.values.options.escape,
        };
        let mut position = 0;
        let mut columns = self.rows.columns.iter_mut();
        for wanted in &self.positions {
            while position < *wanted {
                fields.next();
                position += 1;
            }
            let field = if self.rest_at == Some(*wanted) {
                fields.rest.take()
            } else {
                fields.next()
            };
            position += 1;
            let (Some(field), Some(column)) = (field, columns.next()) else {
                break;
            };
            self.values.append(column, field, 1);
            if self.values.cells > MAX_CELLS {
                return Err(BadRow(format!(
                    "more than {MAX_CELLS} values in one row cannot be read"
                )));
            }
        }
        Ok(())
    }
}

impl RowDecoder for LazySimpleDecoder {
    fn decode(&mut self, line: &[u8]) -> Result<(), BadRow> {
        let read = self.row(line);
        self.rows.cells += self.values.cells;
        self.rows.end_row(read)
    }

    fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }
}

impl Values {
    fn delimiter(&self, level: usize) -> Option<u8> {
        self.options.delimiters.get(level).copied()
    }

    /// Appends exactly one value; `level` is the delimiter of what nests in it.
    fn append(&mut self, column: &mut Column, field: &[u8], level: usize) {
        let len = column.len();
        if field != self.options.null_format.as_bytes()
            && self.append_value(column, field, level).is_ok()
        {
            return;
        }
        column.truncate(len);
        column.append_null();
    }

    fn append_value(
        &mut self,
        column: &mut Column,
        field: &[u8],
        level: usize,
    ) -> Result<(), Misfit> {
        let escape = self.options.escape;
        let parts = |delimiter| Split {
            rest: Some(field),
            delimiter,
            escape,
        };
        match &mut column.data {
            Data::List(list) => {
                let delimiter = self.delimiter(level).ok_or(Misfit::NotA)?;
                for item in parts(delimiter).filter(|_| !field.is_empty()) {
                    self.count(list.item.leaves)?;
                    self.append(&mut list.item, item, level + 1);
                }
            }
            Data::Map(map) => {
                let delimiter = self.delimiter(level).ok_or(Misfit::NotA)?;
                let between = self.delimiter(level + 1).ok_or(Misfit::NotA)?;
                let mut seen = HashSet::new();
                for entry in parts(delimiter).filter(|_| !field.is_empty()) {
                    let mut pair = Split {
                        rest: Some(entry),
                        delimiter: between,
                        escape,
                    };
                    let Some(key) = pair.next() else { continue };
                    self.count(map.key.leaves + map.value.leaves)?;
                    let is_null = key == self.options.null_format.as_bytes();
                    // A key that is not a value of its type is left out, as a map has no NULL for a
                    // key.
                    if is_null
                        || !seen.insert(key)
                        || map.key.append_text(&self.text(key), &self.rules).is_err()
                    {
                        continue;
                    }
                    match pair.rest {
                        Some(value) => self.append(&mut map.value, value, level + 2),
                        None => map.value.append_null(),
                    }
                }
            }
            Data::Struct(_, children) => {
                let delimiter = self.delimiter(level).ok_or(Misfit::NotA)?;
                let mut fields = parts(delimiter);
                for child in children {
                    let Some(field) = fields.next() else { break };
                    self.append(child, field, level + 1);
                }
            }
            _ => return column.append_text(&self.text(field), &self.rules),
        }
        column.close()
    }

    fn count(&mut self, cells: usize) -> Result<(), Misfit> {
        self.cells += cells;
        if self.cells > MAX_CELLS {
            Err(Misfit::OutOfRange)
        } else {
            Ok(())
        }
    }

    fn text<'a>(&self, field: &'a [u8]) -> Cow<'a, str> {
        match self.options.escape.filter(|escape| field.contains(escape)) {
            None => String::from_utf8_lossy(field),
            Some(escape) => {
                let mut plain = Vec::with_capacity(field.len());
                let mut bytes = field.iter().copied();
                while let Some(byte) = bytes.next() {
                    plain.push(if byte == escape {
                        match bytes.next() {
                            Some(b'n') => b'\n',
                            Some(b'r') => b'\r',
                            Some(other) => other,
                            None => escape,
                        }
                    } else {
                        byte
                    });
                }
                Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
            }
        }
    }
}

/// The parts between delimiters that are not escaped; always at least one.
struct Split<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
    escape: Option<u8>,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let end = match self.escape {
            None => memchr::memchr(self.delimiter, rest),
            Some(escape) => {
                let mut at = 0;
                loop {
                    let Some(ahead) = rest.get(at..) else {
                        break None;
                    };
                    match memchr::memchr2(self.delimiter, escape, ahead) {
                        None => break None,
                        Some(found) if ahead.get(found) == Some(&escape) => at += found + 2,
                        Some(found) => break Some(at + found),
                    }
                }
            }
        };
        let Some(end) = end else { return Some(rest) };
        self.rest = rest.get(end + 1..);
        rest.get(..end)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn split(text: &str, escape: Option<u8>) -> Vec<String> {
        let parts = Split {
            rest: Some(text.as_bytes()),
            delimiter: b',',
            escape,
        };
        parts
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    #[test]
    fn parts_are_split_where_the_delimiter_is_not_escaped() {
        assert_eq!(split("a,,b,", None), ["a", "", "b", ""]);
        assert_eq!(split("", None), [""]);
        assert_eq!(split(r"a\,b,c", Some(b'\\')), [r"a\,b", "c"]);
        assert_eq!(split(r"a\\,b\", Some(b'\\')), [r"a\\", r"b\"]);
        assert_eq!(split(r"a\,b", None), [r"a\", "b"]);
    }
}
