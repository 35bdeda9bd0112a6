//! One JSON object a line, so that both SerDes and the readers of other engines get the same values
//! back.
//!
//! Every column is a key, with `null` for NULL. Numbers and booleans are bare, decimals with all
//! their digits; a float that JSON has no number for is `"NaN"`, `"Infinity"` or `"-Infinity"`.
//! Dates and timestamps are text as Hive writes them, binary is Base64. The keys are the names of
//! the columns, or what `mapping.<column>` says.

use arrow::datatypes::{DataType, Fields as ArrowFields, SchemaRef};
use lakegate_error::{Code, Error, Result};

use super::fields::Fields;
use crate::format::text::JsonOptions;
use crate::format::text::patterns::Pattern;
use crate::format::text::rows::MAX_CELLS;
use crate::format::text::write::RowWriter;
use crate::format::text::write::delimited::{check_keys, too_many_values};
use crate::format::text::write::values::{Unwritable, Values, items};

#[derive(Debug)]
pub(in crate::format::text) struct JsonWriter {
    columns: Vec<Member>,
    schema: SchemaRef,
    values: ValueWriter,
}

#[derive(Debug)]
struct ValueWriter {
    patterns: Vec<Pattern>,
    buffer: String,
    /// Values in nested columns of the row.
    cells: usize,
}

/// A key with its quotes and its colon, and what its value has within.
type Member = (Vec<u8>, Keys);

/// The keys of the structs in a column.
#[derive(Debug)]
enum Keys {
    None,
    /// Of a list's items, or a map's values.
    Items(Box<Keys>),
    Struct(Vec<Member>),
}

impl JsonWriter {
    /// `header`: lines of a file before its first row.
    ///
    /// # Errors
    /// Two columns that would have the same key; lines of a header.
    pub(in crate::format::text) fn new(
        options: &JsonOptions,
        schema: &SchemaRef,
        header: u64,
    ) -> Result<Self> {
        if header > 0 {
            return Err(Error::not_supported(format!(
                "'skip.header.line.count' is {header}, and files of JSON are written without a header"
            ))
            .with_hint("take the property off the table"));
        }
        Ok(Self {
            columns: members(schema.fields(), options)?,
            schema: SchemaRef::clone(schema),
            values: ValueWriter {
                patterns: options.timestamp_formats.clone(),
                buffer: String::new(),
                cells: 0,
            },
        })
    }
}

fn members(columns: &ArrowFields, options: &JsonOptions) -> Result<Vec<Member>> {
    // The reader's own search says whether each key is found again.
    let mut fields = Fields::new(columns.iter().map(|column| column.name().as_str()), options);
    let mut members = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let name = column.name();
        let mapped = options.mapping.iter().find(|(column, _)| column == name);
        let key = mapped.map_or(name.as_str(), |(_, key)| key.as_str());
        if fields.find(index, key) != Some(index) {
            return Err(Error::new(
                Code::InvalidTable,
                format!("column \"{name}\" has the JSON key '{key}', which another has as well"),
            )
            .with_hint("give one of them another key with the property 'mapping.<column>'"));
        }
        let mut member = Vec::new();
        put_string(key, &mut member);
        member.push(b':');
        members.push((member, keys(column.data_type(), options)?));
    }
    Ok(members)
}

/// Recursion is bounded: Hive's types nest at most 32 levels deep.
fn keys(data_type: &DataType, options: &JsonOptions) -> Result<Keys> {
    Ok(match data_type {
        DataType::List(item) => Keys::Items(Box::new(keys(item.data_type(), options)?)),
        DataType::Map(entries, _) => {
            let value = match entries.data_type() {
                DataType::Struct(pair) => pair.get(1),
                _ => None,
            };
            let values = value.map(|value| keys(value.data_type(), options));
            Keys::Items(Box::new(values.transpose()?.unwrap_or(Keys::None)))
        }
        DataType::Struct(fields) => Keys::Struct(members(fields, options)?),
        _ => Keys::None,
    })
}

impl RowWriter for JsonWriter {
    fn header(&mut self, _text: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, columns: &[Values<'_>], row: usize, text: &mut Vec<u8>) -> Result<()> {
        self.values.cells = 0;
        text.push(b'{');
        for (index, ((key, keys), column)) in self.columns.iter().zip(columns).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(key);
            let put = self.values.put(column, keys, row, text);
            put.map_err(|unwritable| {
                let field = self.schema.fields().get(index);
                unwritable.of_column(field.map_or("", |field| field.name()))
            })?;
        }
        text.extend_from_slice(b"}\n");
        Ok(())
    }
}

impl ValueWriter {
    fn put(
        &mut self,
        values: &Values<'_>,
        keys: &Keys,
        row: usize,
        text: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if values.is_null(row) {
            text.extend_from_slice(b"null");
            return Ok(());
        }
        match (values, keys) {
            (Values::List(list, values), Keys::Items(keys)) => {
                let leaves = values.leaves();
                let range = items(list.value_offsets(), row);
                text.push(b'[');
                for item in range.clone() {
                    if item > range.start {
                        text.push(b',');
                    }
                    self.count(leaves)?;
                    self.put(values, keys, item, text)?;
                }
                text.push(b']');
            }
            (Values::Map(map, entries), Keys::Items(keys)) => {
                let (names, values) = &**entries;
                let leaves = names.leaves() + values.leaves();
                let range = items(map.value_offsets(), row);
                let mut written = Vec::with_capacity(range.len());
                text.push(b'{');
                for entry in range.clone() {
                    if entry > range.start {
                        text.push(b',');
                    }
                    self.count(leaves)?;
                    if names.is_null(entry) {
                        return Err(Unwritable::new("a map with NULL for a key", "leave it out"));
                    }
                    let start = text.len();
                    let name = names.text(entry, &self.patterns, &mut self.buffer)?;
                    put_string(name, text);
                    written.push(start..text.len());
                    text.push(b':');
                    self.put(values, keys, entry, text)?;
                }
                check_keys(&written, text)?;
                text.push(b'}');
            }
            (Values::Struct(_, fields), Keys::Struct(members)) => {
                text.push(b'{');
                for (index, (field, (key, keys))) in fields.iter().zip(members).enumerate() {
                    if index > 0 {
                        text.push(b',');
                    }
                    text.extend_from_slice(key);
                    self.put(field, keys, row, text)?;
                }
                text.push(b'}');
            }
            _ => {
                let value = values.text(row, &self.patterns, &mut self.buffer)?;
                match values.is_bare(row) {
                    true => text.extend_from_slice(value.as_bytes()),
                    false => put_string(value, text),
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, cells: usize) -> Result<(), Unwritable> {
        self.cells += cells;
        match self.cells > MAX_CELLS {
            false => Ok(()),
            true => Err(too_many_values()),
        }
    }
}

/// A string with its quotes and escapes. Line breaks are escaped as all control characters are, so
/// that an object is one line.
fn put_string(string: &str, text: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    text.push(b'"');
    let mut rest = string.as_bytes();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
    while let Some(at) = rest.iter().position(is_special) {
        let (plain, after) = rest.split_at(at);
        text.extend_from_slice(plain);
        let Some((byte, after)) = after.split_first() else {
            break;
        };
        match byte {
            b'"' => text.extend_from_slice(b"\\\""),
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            other => {
                text.extend_from_slice(b"\\u00");
                for digit in [other >> 4, other & 15] {
                    text.extend(HEX.get(usize::from(digit)));
                }
            }
        }
        rest = after;
    }
    text.extend_from_slice(rest);
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn options(mapping: &[(&str, &str)]) -> JsonOptions {
        let mapping = mapping.iter();
        JsonOptions {
            ignore_malformed: false,
            case_insensitive: true,
            dots_in_keys: false,
            mapping: mapping
                .map(|(column, key)| ((*column).to_owned(), (*key).to_owned()))
                .collect(),
            timestamp_formats: Vec::new(),
        }
    }

    #[test]
    fn strings_are_those_that_serde_json_reads() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        for string in ["", "plain", "\"\\/\n\r\t\u{0}\u{1f}\u{7f}\u{2028}😀", &all] {
            let mut text = Vec::new();
            put_string(string, &mut text);
            assert!(!text.contains(&b'\n') && !text.contains(&b'\r'));
            assert_eq!(serde_json::from_slice::<String>(&text).unwrap(), string);
        }
    }

    #[test]
    fn two_columns_of_one_key_are_refused() {
        let field = |name: &str| Field::new(name, DataType::Int32, true);
        let schema = Arc::new(Schema::new(vec![field("a"), field("b")]));
        assert!(JsonWriter::new(&options(&[("a", "@A")]), &schema, 0).is_ok());
        let error = JsonWriter::new(&options(&[("a", "B")]), &schema, 0).unwrap_err();
        assert_eq!(error.code(), Code::InvalidTable);
        assert!(error.message().contains("column \"a\""), "{error}");
        assert!(JsonWriter::new(&options(&[]), &schema, 1).is_err());
    }
}
