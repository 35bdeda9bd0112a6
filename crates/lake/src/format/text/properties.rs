//! SERDEPROPERTIES and TBLPROPERTIES of the text formats, read once and checked.

use lakegate_error::{Code, Error, Result};

use super::matching::{GrokOptions, RegexOptions};
use super::patterns::Pattern;
use crate::format::encoding::Encoding;
use crate::format::properties::{Properties, invalid};

/// A text file of one row a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextFormat {
    pub serde: TextSerDe,
    /// Lines at the start of each file that are not rows (`skip.header.line.count`).
    pub header_lines: u64,
}

/// How a line becomes a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextSerDe {
    /// `org.openx.data.jsonserde.JsonSerDe`.
    OpenxJson(JsonOptions),
    /// `org.apache.hive.hcatalog.data.JsonSerDe`, and Hive's newer class of the same behaviour.
    HiveJson(JsonOptions),
    /// `com.amazon.emr.hive.serde.CloudTrailSerde`, and both JSON SerDes with
    /// `com.amazon.emr.cloudtrail.CloudTrailInputFormat`: the rows are the objects of the array
    /// `Records`.
    CloudTrail(JsonOptions),
    OpenCsv(OpenCsvOptions),
    LazySimple(LazySimpleOptions),
    /// `org.apache.hadoop.hive.serde2.RegexSerDe`, and the older class of the same behaviour.
    Regex(RegexOptions),
    /// `com.amazonaws.glue.serde.GrokSerDe`.
    Grok(GrokOptions),
}

/// Properties of both JSON SerDes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonOptions {
    /// `ignore.malformed.json`: a line that is no JSON object is a row of NULLs, a value that its
    /// column cannot hold is NULL; else both are errors.
    pub ignore_malformed: bool,
    /// `case.insensitive`: keys are lower-cased before they are compared with column names.
    pub case_insensitive: bool,
    /// `dots.in.keys`: dots in keys count as underscores.
    pub dots_in_keys: bool,
    /// `mapping.<column>` = key, ordered by column.
    pub mapping: Vec<(String, String)>,
    /// `timestamp.formats`, tried in order before the usual forms.
    pub timestamp_formats: Vec<Pattern>,
}

/// Properties of OpenCSVSerde. Each character is a single byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenCsvOptions {
    pub separator: u8,
    pub quote: u8,
    pub escape: u8,
    /// `serialization.null.format`: a field of exactly this text is NULL. Not set: no field is.
    pub null_format: Option<String>,
}

/// Properties of LazySimpleSerDe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LazySimpleOptions {
    /// By depth: fields of a row, items of a collection, keys of a map, and what nests below.
    pub delimiters: [u8; 8],
    pub escape: Option<u8>,
    /// `serialization.null.format`: a field of exactly these bytes is NULL.
    pub null_format: String,
    /// `serialization.last.column.takes.rest`.
    pub last_takes_rest: bool,
    pub timestamp_formats: Vec<Pattern>,
}

impl TextFormat {
    /// Feeds every property to a digest.
    pub(in crate::format) fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            serde,
            header_lines,
        } = self;
        to.number(*header_lines);
        match serde {
            TextSerDe::OpenxJson(options) => {
                to.tag(0);
                options.encode(to);
            }
            TextSerDe::HiveJson(options) => {
                to.tag(1);
                options.encode(to);
            }
            TextSerDe::CloudTrail(options) => {
                to.tag(6);
                options.encode(to);
            }
            TextSerDe::OpenCsv(options) => {
                to.tag(2);
                options.encode(to);
            }
            TextSerDe::LazySimple(options) => {
                to.tag(3);
                options.encode(to);
            }
            TextSerDe::Regex(options) => {
                to.tag(4);
                options.encode(to);
            }
            TextSerDe::Grok(options) => {
                to.tag(5);
                options.encode(to);
            }
        }
    }
}

impl JsonOptions {
    fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            ignore_malformed,
            case_insensitive,
            dots_in_keys,
            mapping,
            timestamp_formats,
        } = self;
        to.flag(*ignore_malformed);
        to.flag(*case_insensitive);
        to.flag(*dots_in_keys);
        to.length(mapping.len());
        for (column, key) in mapping {
            to.text(column);
            to.text(key);
        }
        encode_all(timestamp_formats, to);
    }
}

impl OpenCsvOptions {
    fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            separator,
            quote,
            escape,
            null_format,
        } = self;
        for byte in [separator, quote, escape] {
            to.tag(*byte);
        }
        to.option(null_format.as_deref(), Encoding::text);
    }
}

impl LazySimpleOptions {
    fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            delimiters,
            escape,
            null_format,
            last_takes_rest,
            timestamp_formats,
        } = self;
        for delimiter in delimiters {
            to.tag(*delimiter);
        }
        to.option(*escape, Encoding::tag);
        to.text(null_format);
        to.flag(*last_takes_rest);
        encode_all(timestamp_formats, to);
    }
}

fn encode_all(patterns: &[Pattern], to: &mut Encoding<'_>) {
    to.length(patterns.len());
    for pattern in patterns {
        pattern.encode(to);
    }
}

impl Properties<'_> {
    pub(super) fn header_lines(&self) -> Result<u64> {
        let footer = self.lines("skip.footer.line.count")?;
        if footer > 0 {
            return Err(Error::not_supported(format!(
                "'skip.footer.line.count' = '{footer}' is not supported; remove the last lines from the files"
            )));
        }
        self.lines("skip.header.line.count")
    }

    /// These belong to the table first: a crawler writes them on the descriptor as well.
    fn lines(&self, key: &str) -> Result<u64> {
        let Some(value) = self
            .table
            .get(key)
            .map(String::as_str)
            .or_else(|| self.get(key))
        else {
            return Ok(0);
        };
        value
            .trim()
            .parse()
            .map_err(|_| invalid(key, value, "a whole number of lines, 0 or more"))
    }

    pub(super) fn json(&self) -> Result<JsonOptions> {
        let case_insensitive = self.flag("case.insensitive", true)?;
        let mut mapping = Vec::new();
        for (key, value) in self.serde {
            if let Some(column) = key.strip_prefix("mapping.") {
                mapping.push((column.to_lowercase(), value.clone()));
            }
        }
        mapping.sort();
        Ok(JsonOptions {
            ignore_malformed: self.flag("ignore.malformed.json", false)?,
            case_insensitive,
            dots_in_keys: self.flag("dots.in.keys", false)?,
            mapping,
            timestamp_formats: self.timestamp_formats()?,
        })
    }

    pub(super) fn open_csv(&self) -> Result<OpenCsvOptions> {
        self.check_encoding()?;
        let character =
            |key: &str, default| match self.serde.get(key).filter(|value| !value.is_empty()) {
                None => Ok(default),
                Some(value) => single_byte(value)
                    .ok_or_else(|| invalid(key, value, "a single ASCII character")),
            };
        let separator = character("separatorChar", b',')?;
        let quote = character("quoteChar", b'"')?;
        // The SerDe's class takes a quote for "no escape given" and falls back to the backslash.
        let escape = match character("escapeChar", b'\\')? {
            b'"' => b'\\',
            other => other,
        };
        if separator == quote || separator == escape || quote == escape {
            return Err(Error::new(
                Code::InvalidTable,
                "'separatorChar', 'quoteChar' and 'escapeChar' must be three different characters",
            ));
        }
        let null_format = self.get("serialization.null.format").map(str::to_owned);
        Ok(OpenCsvOptions {
            separator,
            quote,
            escape,
            null_format,
        })
    }

    pub(super) fn lazy_simple(&self) -> Result<LazySimpleOptions> {
        self.check_encoding()?;
        if let Some(line) = self
            .get("line.delim")
            .filter(|line| !matches!(*line, "\n" | "\\n" | "10"))
        {
            return Err(invalid("line.delim", line, "a newline"));
        }
        let mut delimiters = [1, 2, 3, 4, 5, 6, 7, 8];
        // `colelction` is Hive's own spelling, the other what people write.
        let named: [&[&str]; 3] = [
            &["field.delim", "serialization.format"],
            &["colelction.delim", "collection.delim"],
            &["mapkey.delim"],
        ];
        for (delimiter, keys) in delimiters.iter_mut().zip(named) {
            if let Some((key, value)) = keys.iter().find_map(|key| {
                self.get(key)
                    .filter(|value| !value.is_empty())
                    .map(|value| (key, value))
            }) {
                *delimiter = delimiter_byte(value).ok_or_else(|| {
                    invalid(
                        key,
                        value,
                        "a single ASCII character or a number from -128 to 127",
                    )
                })?;
            }
        }
        let escape = match self.get("escape.delim").filter(|value| !value.is_empty()) {
            None => None,
            Some(value) => Some(
                delimiter_byte(value)
                    .ok_or_else(|| invalid("escape.delim", value, "a single ASCII character"))?,
            ),
        };
        Ok(LazySimpleOptions {
            delimiters,
            escape,
            null_format: self
                .get("serialization.null.format")
                .unwrap_or("\\N")
                .to_owned(),
            last_takes_rest: self.flag("serialization.last.column.takes.rest", false)?,
            timestamp_formats: self.timestamp_formats()?,
        })
    }

    fn timestamp_formats(&self) -> Result<Vec<Pattern>> {
        let Some(formats) = self.get("timestamp.formats") else {
            return Ok(Vec::new());
        };
        formats
            .split(',')
            .map(str::trim)
            .filter(|format| !format.is_empty())
            .map(|format| {
                Pattern::parse(format).map_err(|why| {
                    Error::new(
                        Code::InvalidTable,
                        format!("'timestamp.formats' holds '{format}': {why}"),
                    )
                })
            })
            .collect()
    }

    pub(super) fn check_encoding(&self) -> Result<()> {
        match self.get("serialization.encoding") {
            None => Ok(()),
            Some(name)
                if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8") =>
            {
                Ok(())
            }
            Some(name) => Err(Error::not_supported(format!(
                "'serialization.encoding' = '{name}' is not supported; convert the files to UTF-8"
            ))),
        }
    }
}

/// A delimiter as Hive reads one: a number is a character's code, else the first character counts.
fn delimiter_byte(text: &str) -> Option<u8> {
    match text.trim().parse::<i8>() {
        Ok(code) => Some(code.cast_unsigned()),
        Err(_) => single_byte(text),
    }
}

/// One ASCII character, written as it is or as an escape that a client left in place (`\t`, `\001`,
/// `\u0001`).
fn single_byte(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() {
        return byte.is_ascii().then_some(*byte);
    }
    let escape = text.strip_prefix('\\')?;
    match escape {
        "t" => Some(b'\t'),
        "n" => Some(b'\n'),
        "r" => Some(b'\r'),
        "\\" | "'" | "\"" => escape.bytes().next(),
        _ => match escape.strip_prefix('u') {
            Some(hex) if hex.len() == 4 => u8::from_str_radix(hex, 16).ok(),
            None if escape.len() <= 3 && escape.bytes().all(|b| b.is_ascii_digit()) => {
                u8::from_str_radix(escape, 8).ok()
            }
            _ => None,
        }
        .filter(u8::is_ascii),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::model::Parameters;

    use super::*;

    fn with<T>(serde: &[(&str, &str)], read: impl FnOnce(&Properties<'_>) -> T) -> T {
        let serde = serde
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let none = Parameters::new();
        read(&Properties {
            serde: &serde,
            descriptor: &none,
            table: &none,
        })
    }

    #[test]
    fn delimiters_are_characters_codes_or_escapes() {
        for (text, byte) in [
            (",", 44),
            ("9", 9),
            ("1", 1),
            ("\t", 9),
            ("\\t", 9),
            ("\\001", 1),
            ("\\u0001", 1),
            ("-2", 254),
            ("|", 124),
        ] {
            assert_eq!(delimiter_byte(text), Some(byte), "{text:?}");
        }
        for text in ["ab", "é", "\\q", "300", "\\777", "\\u00e9"] {
            assert_eq!(delimiter_byte(text), None, "{text:?}");
        }
    }

    #[test]
    fn lazy_simple_has_hives_defaults_and_both_spellings() {
        let default = with(&[], |p| p.lazy_simple()).unwrap();
        assert_eq!(
            (default.delimiters, default.escape),
            ([1, 2, 3, 4, 5, 6, 7, 8], None)
        );
        assert_eq!(default.null_format, "\\N");
        let set = with(
            &[
                ("serialization.format", ","),
                ("collection.delim", "|"),
                ("mapkey.delim", ":"),
                ("escape.delim", "\\"),
            ],
            |p| p.lazy_simple(),
        )
        .unwrap();
        assert_eq!(
            (&set.delimiters[..3], set.escape),
            (&b",|:"[..], Some(b'\\'))
        );
        let both = [("serialization.format", "1"), ("field.delim", "\t")];
        assert_eq!(
            with(&both, |p| p.lazy_simple()).unwrap().delimiters[0],
            b'\t'
        );
    }

    #[test]
    fn open_csv_characters_must_differ() {
        let options = with(&[("separatorChar", "\t"), ("escapeChar", "\"")], |p| {
            p.open_csv()
        })
        .unwrap();
        assert_eq!(
            (options.separator, options.quote, options.escape),
            (b'\t', b'"', b'\\')
        );
        assert!(with(&[("quoteChar", ",")], |p| p.open_csv()).is_err());
        let error = with(&[("separatorChar", "||")], |p| p.open_csv()).unwrap_err();
        assert!(error.message().contains("separatorChar"), "{error}");
    }

    #[test]
    fn wrong_property_values_are_named() {
        let error = with(&[("ignore.malformed.json", "yes")], |p| p.json()).unwrap_err();
        assert!(
            error.message().contains("ignore.malformed.json") && error.message().contains("yes"),
            "{error}"
        );
        assert!(with(&[("timestamp.formats", "yyyy-QQ")], |p| p.json()).is_err());
        assert!(with(&[("line.delim", "|")], |p| p.lazy_simple()).is_err());
        assert!(with(&[("serialization.encoding", "latin1")], |p| p.lazy_simple()).is_err());
    }

    #[test]
    fn mappings_are_read_from_the_serde() {
        let options = with(&[("mapping.Ts", "timeStamp"), ("mapping.id", "@id")], |p| {
            p.json()
        })
        .unwrap();
        let expected =
            [("id", "@id"), ("ts", "timeStamp")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let mapping = options.mapping;
        assert_eq!(mapping, expected);
    }
}
