//! OpenCSVSerde: quoted fields, one row a line.
//!
//! The fields of a line are those that opencsv 2.3 finds (`CSVParser.parseLine`), which is what
//! Hive and Athena read: once a field has begun, quoted or not, two quotes are one and a backslash
//! escapes a quote or itself; elsewhere a backslash is dropped. A quoted field does not go on in
//! the next line (it and what follows it are NULL). Missing columns are NULL, further fields are
//! ignored, an empty line is a row of NULLs.
//!
//! A string is the field as it is. Dates are days since the Unix epoch and timestamps milliseconds,
//! as Athena has it; both may also be text. An empty field is an error in a column that is no
//! string, as in Athena, unless it is the text of `serialization.null.format`, which is NULL.

use arrow::datatypes::DataType;
use lakegate_error::Result;

use super::OpenCsvOptions;
use super::rows::{BadRow, RowDecoder, Rows};
use super::scalars::{BinaryText, Epoch, Fractions, ScalarRules};

#[derive(Debug)]
pub(super) struct OpenCsvDecoder {
    rows: Rows,
    options: OpenCsvOptions,
    rules: ScalarRules,
    /// The field of each projected column, ascending.
    positions: Vec<usize>,
    fields: Fields,
}

/// The fields of one line, one after the other.
#[derive(Debug, Default)]
struct Fields {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    fn get(&self, position: usize) -> Option<&[u8]> {
        let end = *self.ends.get(position)?;
        let start = position
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        self.bytes.get(start..end)
    }

    fn current(&self) -> &[u8] {
        self.bytes
            .get(self.ends.last().copied().unwrap_or(0)..)
            .unwrap_or_default()
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Finds the first `wanted` fields.
    fn split(&mut self, line: &[u8], wanted: usize, options: &OpenCsvOptions) {
        self.bytes.clear();
        self.ends.clear();
        let OpenCsvOptions {
            separator,
            quote,
            escape,
            ..
        } = *options;
        if wanted == 0 || line.is_empty() {
            return;
        }
        if memchr::memchr2(quote, escape, line).is_none() {
            for field in line.split(|byte| *byte == separator).take(wanted) {
                self.bytes.extend_from_slice(field);
                self.end_field();
            }
            return;
        }
        let mut quoted = false;
        // Whether the field has begun; as in opencsv, each quote turns it over.
        let mut begun = false;
        // Java's characters before this byte.
        let mut characters = 0;
        let mut bytes = line.iter().copied().enumerate().peekable();
        while let Some((index, byte)) = bytes.next() {
            let next = bytes.peek().map(|(_, next)| *next);
            let at = characters;
            characters += utf16_units(byte);
            if byte == escape {
                let escaped = next.filter(|next| *next == quote || *next == escape);
                if let Some(escaped) = escaped.filter(|_| quoted || begun) {
                    self.bytes.push(escaped);
                    bytes.next();
                    characters += 1;
                }
            } else if byte == quote {
                if (quoted || begun) && next == Some(quote) {
                    self.bytes.push(quote);
                    bytes.next();
                    characters += 1;
                } else {
                    // A quote in the middle of a field belongs to it.
                    let after_separator = index.checked_sub(1).and_then(|before| line.get(before))
                        == Some(&separator);
                    if at > 2 && !after_separator && next.is_some_and(|next| next != separator) {
                        if is_blank(self.current()) {
                            self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
                        } else {
                            self.bytes.push(quote);
                        }
                    }
                    quoted = !quoted;
                }
                begun = !begun;
            } else if byte == separator && !quoted {
                self.end_field();
                begun = false;
                if self.ends.len() == wanted {
                    return;
                }
            } else {
                self.bytes.push(byte);
                begun = true;
            }
        }
        if !quoted {
            self.end_field();
        }
    }
}

/// How many of Java's characters begin with a byte of UTF-8.
fn utf16_units(byte: u8) -> usize {
    match byte {
        0x80..0xC0 => 0,
        0xF0.. => 2,
        _ => 1,
    }
}

/// Whether there is text, all of it white space for `java.lang.Character.isWhitespace`.
fn is_blank(text: &[u8]) -> bool {
    let blank = |c: char| match c {
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        '\u{1c}'..='\u{1f}' => true,
        other => other.is_whitespace(),
    };
    !text.is_empty() && std::str::from_utf8(text).is_ok_and(|text| text.chars().all(blank))
}

impl OpenCsvDecoder {
    /// `projection`: the field of each column of `rows`, ascending.
    ///
    /// # Errors
    /// A nested column, which this SerDe cannot hold.
    pub(super) fn new(rows: Rows, options: &OpenCsvOptions, projection: &[usize]) -> Result<Self> {
        rows.check_flat("OpenCSVSerde")?;
        Ok(Self {
            rows,
            options: options.clone(),
            rules: ScalarRules {
                fractions: Fractions::Refuse,
                epoch: Epoch::Millis,
                binary: BinaryText::Raw,
                patterns: Vec::new(),
            },
            positions: projection.to_vec(),
            fields: Fields::default(),
        })
    }

    fn row(&mut self) -> Result<(), BadRow> {
        for index in 0..self.positions.len() {
            let Some(column) = self.rows.columns.get_mut(index) else {
                continue;
            };
            let field = self
                .positions
                .get(index)
                .and_then(|position| self.fields.get(*position));
            let Some(field) = field else {
                column.append_null();
                continue;
            };
            let text = String::from_utf8_lossy(field);
            if self.options.null_format.as_deref() == Some(text.as_ref()) {
                column.append_null();
                continue;
            }
            if let Err(misfit) = column.append_text(&text, &self.rules) {
                let wanted: DataType = column.data_type.clone();
                let mut error = BadRow::value(self.rows.name(index), &text, &wanted, misfit);
                if text.is_empty() {
                    error.0.push_str(
                        "; declare it as string, or set 'serialization.null.format' = ''",
                    );
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl RowDecoder for OpenCsvDecoder {
    fn decode(&mut self, line: &[u8]) -> Result<(), BadRow> {
        let wanted = self.positions.last().map_or(0, |last| last + 1);
        self.fields.split(line, wanted, &self.options);
        let read = self.row();
        self.rows.end_row(read)
    }

    fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn options() -> OpenCsvOptions {
        OpenCsvOptions {
            separator: b',',
            quote: b'"',
            escape: b'\\',
            null_format: None,
        }
    }

    fn split(line: &str) -> Vec<String> {
        let mut fields = Fields::default();
        fields.split(line.as_bytes(), 20, &options());
        (0..20)
            .map_while(|position| {
                fields
                    .get(position)
                    .map(|field| String::from_utf8_lossy(field).into_owned())
            })
            .collect()
    }

    #[test]
    fn fields_are_those_of_opencsv() {
        for (line, expected) in [
            ("a,b,c", vec!["a", "b", "c"]),
            ("a,,", vec!["a", "", ""]),
            ("", vec![]),
            (r#""a,b",c"#, vec!["a,b", "c"]),
            (r#""say ""hi""",c"#, vec![r#"say "hi""#, "c"]),
            (r#""a\"b\\c",d"#, vec![r#"a"b\c"#, "d"]),
            (r#""a\nb""#, vec!["anb"]),
            (r"a\b,c", vec!["ab", "c"]),
            (r#"1,5\" pipe,steel"#, vec!["1", r#"5" pipe"#, "steel"]),
            (r"x,C:\\dir\\,y", vec!["x", r"C:\dir\", "y"]),
            (r#"1,5"" pipe,steel"#, vec!["1", r#"5" pipe"#, "steel"]),
            (r#"\\a,\"b"#, vec!["a"]),
            (r#"a,bc"d"ef,g"#, vec!["a", r#"bc"d"ef"#, "g"]),
            (r#"a, "b,c",d"#, vec!["a", "b,c", "d"]),
            (r#""","""#, vec!["", ""]),
            (r#""",x"#, vec!["", "x"]),
            (r#"a,"open,b"#, vec!["a"]),
            (r#"é,"ü""#, vec!["é", "ü"]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    /// Made by `tests/clients/opencsv/Fields.java`: `>` and a line, then `=` and a field each.
    #[test]
    fn random_lines_are_split_as_opencsv_splits_them() {
        let mut known = include_str!("tests/opencsv-2.3.txt").lines().peekable();
        let mut lines = 0;
        while let Some(line) = known.next() {
            let line = line.strip_prefix('>').unwrap();
            let mut expected = Vec::new();
            while let Some(field) = known.peek().and_then(|next| next.strip_prefix('=')) {
                expected.push(field);
                known.next();
            }
            assert_eq!(split(line), expected, "{line}");
            lines += 1;
        }
        assert_eq!(lines, 600);
    }

    #[test]
    fn only_the_wanted_fields_are_split() {
        let mut fields = Fields::default();
        for line in ["a,b,c,d", r#""a",b,"c",d"#] {
            fields.split(line.as_bytes(), 2, &options());
            assert_eq!(
                (fields.ends.len(), fields.get(1)),
                (2, Some(&b"b"[..])),
                "{line}"
            );
            fields.split(line.as_bytes(), 0, &options());
            assert!(fields.ends.is_empty());
        }
    }
}
