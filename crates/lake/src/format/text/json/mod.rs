//! JSON lines, as the openx and the hcatalog SerDe read them: one object a line.
//!
//! | | openx | hcatalog |
//! |---|---|---|
//! | key that is there twice | the last counts | an error |
//! | object or array in a string column | its JSON text, as it stands | an error |
//! | scalar where an array is declared | an array of one | an error |
//! | array where a struct is declared | fields by position | an error |
//!
//! Both: keys without a column are skipped, columns without a key and JSON's `null` are NULL, blank
//! lines are not rows. Numbers are read from strings and strings from numbers and booleans. A
//! decimal is read exactly from its digits, a float may be `"NaN"` or `"Infinity"`. A timestamp is
//! text (see [`times`](super::times)) or a number since the Unix epoch whose size says its unit
//! (see [`epoch_micros`](super::scalars::epoch_micros)); a date may be a number of days. Binary is
//! Base64. What does not fit is an error, or with `ignore.malformed.json` NULL: the value alone,
//! however deep it is, and of a map the entry whose key does not fit is left out.

mod fields;
mod reader;
mod writer;

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::datatypes::DataType;

use self::fields::{Fields, Shape};
use self::reader::{Kind, Reader, SyntaxError};
pub(super) use self::writer::JsonWriter;
use super::JsonOptions;
use super::columns::{Column, Data, Map};
use super::rows::{BadRow, MAX_CELLS, RowDecoder, Rows, shown};
use super::scalars::{BinaryText, Epoch, Fractions, Misfit, ScalarRules};

/// Which of the two SerDes; see the table of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Openx,
    Hive,
}

#[derive(Debug)]
pub(super) struct JsonDecoder {
    rows: Rows,
    fields: Fields,
    shapes: Vec<Shape>,
    values: Values,
}

/// How values are read, and how many of them the row has so far.
#[derive(Debug)]
struct Values {
    dialect: Dialect,
    rules: ScalarRules,
    cells: usize,
    ignore_malformed: bool,
    /// Values of the row that were read as NULL for not fitting.
    malformed: usize,
}

#[derive(Debug)]
enum Failure {
    Syntax(SyntaxError),
    Value {
        start: usize,
        end: usize,
        wanted: DataType,
        misfit: Misfit,
    },
    Duplicate(String),
    TooManyValues,
}

impl From<SyntaxError> for Failure {
    fn from(error: SyntaxError) -> Self {
        Failure::Syntax(error)
    }
}

impl JsonDecoder {
    pub(super) fn new(rows: Rows, options: &JsonOptions, dialect: Dialect) -> Self {
        let names: Vec<&str> = (0..rows.columns.len())
            .map(|column| rows.name(column))
            .collect();
        Self {
            fields: Fields::new(names.into_iter(), options),
            shapes: rows
                .columns
                .iter()
                .map(|column| Shape::new(&column.data_type, options))
                .collect(),
            values: Values {
                dialect,
                rules: ScalarRules {
                    fractions: Fractions::Refuse,
                    epoch: Epoch::ByMagnitude,
                    binary: BinaryText::Base64,
                    patterns: options.timestamp_formats.clone(),
                },
                cells: 0,
                ignore_malformed: options.ignore_malformed,
                malformed: 0,
            },
            rows,
        }
    }

    fn row(&mut self, text: &str) -> Result<(), BadRow> {
        let mut reader = Reader::new(text);
        let syntax = |error: SyntaxError| malformed(text, error);
        match reader.kind().map_err(syntax)? {
            Kind::Object => {
                let mut more = reader.enter_object().map_err(syntax)?;
                let mut position = 0;
                while more {
                    let key = reader.key().map_err(syntax)?;
                    let column = self.fields.find(position, &key);
                    self.column(&mut reader, text, column)?;
                    position += 1;
                    more = reader.next_member().map_err(syntax)?;
                }
            }
            _ => {
                return Err(BadRow(format!(
                    "malformed JSON: a row is an object in braces: '{}'",
                    shown(text)
                )));
            }
        }
        reader.end().map_err(syntax)
    }

    /// Reads the value at the reader into a column; without one it is checked and skipped.
    fn column(
        &mut self,
        reader: &mut Reader<'_>,
        text: &str,
        index: Option<usize>,
    ) -> Result<(), BadRow> {
        let target = index.and_then(|index| {
            Some((
                index,
                self.shapes.get_mut(index)?,
                self.rows.columns.get_mut(index)?,
            ))
        });
        let Some((index, shape, column)) = target else {
            return reader
                .skip()
                .map(|_| ())
                .map_err(|error| malformed(text, error));
        };
        let rows = self.rows.count;
        let start = reader.position();
        let failure = if column.len() > rows && self.values.dialect == Dialect::Hive {
            Failure::Duplicate(self.rows.name(index).to_owned())
        } else {
            column.truncate(rows);
            match self.values.read(reader, column, shape) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            }
        };
        if let Failure::Syntax(error) = failure {
            return Err(malformed(text, error));
        }
        if !self.values.ignore_malformed {
            return Err(self.explain(index, text, failure));
        }
        // The value is NULL, but what follows it must still be JSON.
        reader.rewind(start);
        reader.skip().map_err(|error| malformed(text, error))?;
        if let Some(column) = self.rows.columns.get_mut(index) {
            column.truncate(rows);
            column.append_null();
        }
        self.rows.malformed += 1;
        Ok(())
    }

    fn explain(&self, column: usize, text: &str, failure: Failure) -> BadRow {
        let name = self.rows.name(column);
        match failure {
            Failure::Syntax(error) => malformed(text, error),
            Failure::Value {
                start,
                end,
                wanted,
                misfit,
            } => BadRow::value(
                name,
                text.get(start..end).unwrap_or_default().trim(),
                &wanted,
                misfit,
            ),
            Failure::Duplicate(key) => BadRow(format!(
                "column '{name}': key '{}' is there twice",
                shown(&key)
            )),
            Failure::TooManyValues => BadRow(format!(
                "column '{name}': more than {MAX_CELLS} values in one row cannot be read"
            )),
        }
    }
}

fn malformed(text: &str, error: SyntaxError) -> BadRow {
    let before = text.get(..error.at).unwrap_or(text);
    // A few characters before the place make it easy to find.
    let start = before.char_indices().rev().nth(19).map_or(0, |(at, _)| at);
    let near = shown(text.get(start..).unwrap_or_default());
    BadRow(format!(
        "malformed JSON at character {}: {}, near '{near}' ('ignore.malformed.json' = 'true' reads such lines as NULLs)",
        before.chars().count() + 1,
        error.what,
    ))
}

impl RowDecoder for JsonDecoder {
    fn decode(&mut self, line: &[u8]) -> Result<(), BadRow> {
        let text = String::from_utf8_lossy(line);
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        self.values.cells = 0;
        self.values.malformed = 0;
        let read = self.row(&text);
        self.rows.cells += self.values.cells;
        self.rows.malformed += self.values.malformed;
        if let Err(error) = read {
            self.rows.roll_back();
            if !self.values.ignore_malformed {
                return Err(error);
            }
            self.rows.malformed += 1;
        }
        self.rows.commit();
        Ok(())
    }

    fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }
}

impl Values {
    /// Appends exactly one value. After an error the column must be cut back.
    fn read(
        &mut self,
        reader: &mut Reader<'_>,
        column: &mut Column,
        shape: &mut Shape,
    ) -> Result<(), Failure> {
        let (start, len) = (reader.position(), column.len());
        match self.read_value(reader, column, shape) {
            Err(Failure::Value { .. } | Failure::Duplicate(_)) if self.ignore_malformed => {
                reader.rewind(start);
                reader.skip()?;
                column.truncate(len);
                column.append_null();
                self.malformed += 1;
                Ok(())
            }
            read => read,
        }
    }

    fn read_value(
        &mut self,
        reader: &mut Reader<'_>,
        column: &mut Column,
        shape: &mut Shape,
    ) -> Result<(), Failure> {
        let openx = self.dialect == Dialect::Openx;
        let kind = reader.kind()?;
        let start = reader.position();
        if kind == Kind::Null {
            reader.literal("null")?;
            column.append_null();
            return Ok(());
        }
        let parents = column.len();
        match (kind, &mut column.data, shape) {
            (Kind::Array, Data::List(list), Shape::List(shape)) => {
                let mut more = reader.enter_array()?;
                while more {
                    self.count(list.item.leaves)?;
                    self.read(reader, &mut list.item, shape)?;
                    more = reader.next_element()?;
                }
            }
            (_, Data::List(list), Shape::List(shape)) if openx => {
                self.read(reader, &mut list.item, shape)?
            }
            (Kind::Object, Data::Map(map), Shape::Map(shape)) => {
                self.read_map(reader, map, shape)?
            }
            (Kind::Object, Data::Struct(_, children), Shape::Struct(fields, shapes)) => {
                self.read_struct(reader, parents, children, fields, shapes)?;
            }
            (Kind::Array, Data::Struct(_, children), Shape::Struct(_, shapes)) if openx => {
                let mut places = children.iter_mut().zip(shapes);
                let mut more = reader.enter_array()?;
                while more {
                    match places.next() {
                        Some((child, shape)) => self.read(reader, child, shape)?,
                        None => reader.skip().map(|_| ())?,
                    }
                    more = reader.next_element()?;
                }
            }
            _ => return self.read_scalar(reader, column, kind),
        }
        let end = reader.position();
        column.close().map_err(|misfit| Failure::Value {
            start,
            end,
            wanted: column.data_type.clone(),
            misfit,
        })
    }

    fn read_scalar(
        &self,
        reader: &mut Reader<'_>,
        column: &mut Column,
        kind: Kind,
    ) -> Result<(), Failure> {
        let start = reader.position();
        let stands_for_itself =
            self.dialect == Dialect::Openx && matches!(column.data, Data::Text(_));
        let text: Option<Cow<'_, str>> = match kind {
            Kind::String => Some(reader.string()?),
            Kind::Number => Some(reader.number()?.into()),
            Kind::True => Some(reader.literal("true")?.into()),
            Kind::False => Some(reader.literal("false")?.into()),
            Kind::Null => Some(reader.literal("null")?.into()),
            Kind::Object | Kind::Array => {
                let text = reader.skip()?;
                stands_for_itself.then_some(text.into())
            }
        };
        text.map_or(Err(Misfit::NotA), |text| {
            column.append_text(&text, &self.rules)
        })
        .map_err(|misfit| Failure::Value {
            start,
            end: reader.position(),
            wanted: column.data_type.clone(),
            misfit,
        })
    }

    fn read_struct(
        &mut self,
        reader: &mut Reader<'_>,
        parents: usize,
        children: &mut [Column],
        fields: &mut Fields,
        shapes: &mut [Shape],
    ) -> Result<(), Failure> {
        let mut more = reader.enter_object()?;
        let mut position = 0;
        while more {
            let key = reader.key()?;
            let field = fields.find(position, &key);
            let target =
                field.and_then(|field| Some((children.get_mut(field)?, shapes.get_mut(field)?)));
            match target {
                None => {
                    reader.skip()?;
                }
                Some((child, shape)) => {
                    if child.len() > parents {
                        if self.dialect == Dialect::Hive {
                            return Err(Failure::Duplicate(key.into_owned()));
                        }
                        child.truncate(parents);
                    }
                    self.read(reader, child, shape)?;
                }
            }
            position += 1;
            more = reader.next_member()?;
        }
        Ok(())
    }

    /// Of a key that is there twice the last value counts, so the values are read when all keys are
    /// known.
    fn read_map(
        &mut self,
        reader: &mut Reader<'_>,
        map: &mut Map,
        shape: &mut Shape,
    ) -> Result<(), Failure> {
        let cells = map.key.leaves + map.value.leaves;
        let mut entries: Vec<(Cow<'_, str>, usize)> = Vec::new();
        let mut more = reader.enter_object()?;
        while more {
            self.count(cells)?;
            let key = reader.key()?;
            entries.push((key, reader.position()));
            reader.skip()?;
            more = reader.next_member()?;
        }
        let end = reader.position();
        let last: HashMap<&str, usize> = entries
            .iter()
            .map(|(key, at)| (key.as_ref(), *at))
            .collect();
        let twice = last.len() < entries.len();
        for (key, at) in &entries {
            if twice && last.get(key.as_ref()) != Some(at) {
                if self.dialect == Dialect::Hive {
                    return Err(Failure::Duplicate(key.to_string()));
                }
                continue;
            }
            match map.key.append_text(key, &self.rules) {
                Ok(()) => {}
                Err(_) if self.ignore_malformed => {
                    self.malformed += 1;
                    continue;
                }
                Err(misfit) => {
                    return Err(Failure::Value {
                        start: at.saturating_sub(key.len() + 3),
                        end: *at,
                        wanted: map.key.data_type.clone(),
                        misfit,
                    });
                }
            }
            reader.rewind(*at);
            self.read(reader, &mut map.value, shape)?;
        }
        reader.rewind(end);
        Ok(())
    }

    fn count(&mut self, cells: usize) -> Result<(), Failure> {
        self.cells += cells;
        if self.cells > MAX_CELLS {
            Err(Failure::TooManyValues)
        } else {
            Ok(())
        }
    }
}
