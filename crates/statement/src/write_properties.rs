//! The properties of CREATE TABLE AS and UNLOAD, with Athena's names: `format`, `write_compression`
//! and so on.

use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{
    CreateTable, Delimited, RowFormat, StorageFormat, StoredAs, WriteProperty, WriteValue,
};

/// Names of the formats, and the one that each means.
const FORMATS: [(&str, StorageFormat); 6] = [
    ("PARQUET", StorageFormat::Parquet),
    ("ORC", StorageFormat::Orc),
    ("AVRO", StorageFormat::Avro),
    ("JSON", StorageFormat::JsonFile),
    ("TEXTFILE", StorageFormat::TextFile),
    // Of CREATE TABLE AS alone.
    ("ION", StorageFormat::Ion),
];
/// The properties of CREATE TABLE AS.
const OF_TABLES: &str = "format, write_compression, parquet_compression, orc_compression, \
    compression_level, field_delimiter, ion_encoding, external_location, is_external, table_type, \
    partitioned_by, bucketed_by and bucket_count";
/// The properties of UNLOAD.
const OF_UNLOAD: &str =
    "format, compression, compression_level, field_delimiter and partitioned_by";

/// How and where the rows of a query are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub format: StorageFormat,
    /// Upper case. `None`: the format's default.
    pub compression: Option<String>,
    /// Of ZSTD only, from 1 to 22. `None`: the codec's default.
    pub compression_level: Option<u32>,
    /// One character, of TEXTFILE only.
    pub field_delimiter: Option<String>,
    /// `BINARY` or `TEXT`, of ION only. `None`: binary.
    pub ion_encoding: Option<String>,
    /// Lower case.
    pub partitioned_by: Vec<String>,
    /// `None`: the database's folder.
    pub location: Option<String>,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            format: StorageFormat::Parquet,
            compression: None,
            compression_level: None,
            field_delimiter: None,
            ion_encoding: None,
            partitioned_by: Vec::new(),
            location: None,
        }
    }
}

impl Stored {
    /// Reads the properties of CREATE TABLE AS.
    ///
    /// # Errors
    /// An unknown property; a value of another type, or that the format does not have; Iceberg and
    /// buckets, which are not supported.
    pub(super) fn of_table(properties: &[WriteProperty]) -> Result<Self> {
        let mut stored = Self::default();
        let mut compression: Option<(&str, String)> = None;
        for property in properties {
            let name = property.name.as_str();
            match name {
                "write_compression" | "parquet_compression" | "orc_compression" => {
                    if let Some((before, _)) = &compression {
                        return Err(invalid(format!(
                            "properties {before} and {name} exclude each other; leave one out"
                        )));
                    }
                    compression = Some((name, text(property)?.to_ascii_uppercase()));
                }
                "external_location" => stored.location = Some(text(property)?.to_owned()),
                "is_external" => {
                    if !boolean(property)? {
                        return Err(Error::not_supported(
                            "property is_external is false; every table is external, so it must be true",
                        ));
                    }
                }
                "table_type" => table_type(text(property)?)?,
                "ion_encoding" => stored.ion_encoding = Some(ion_encoding(property)?),
                "bucketed_by" | "bucket_count" => return Err(no_buckets(name)),
                _ if stored.takes(property)? => {}
                _ => return Err(unknown("CREATE TABLE AS", name, OF_TABLES)),
            }
        }
        if let Some((name, codec)) = compression {
            let only = match name {
                "parquet_compression" => Some(StorageFormat::Parquet),
                "orc_compression" => Some(StorageFormat::Orc),
                _ => None,
            };
            if only.is_some_and(|only| only != stored.format) {
                return Err(invalid(format!(
                    "property {name} does not go with format {}; use write_compression",
                    stored.format_name()
                )));
            }
            stored.compression = Some(codec);
        }
        stored.check()?;
        Ok(stored)
    }

    /// Reads the properties of UNLOAD.
    ///
    /// # Errors
    /// As of [`Stored::of_table`].
    pub(super) fn of_unload(properties: &[WriteProperty], location: &str) -> Result<Self> {
        let mut stored = Self {
            location: Some(format!("{}/", location.trim_end_matches('/'))),
            ..Self::default()
        };
        for property in properties {
            match property.name.as_str() {
                "compression" => {
                    stored.compression = Some(text(property)?.to_ascii_uppercase());
                }
                _ if stored.takes(property)? => {}
                name => return Err(unknown("UNLOAD", name, OF_UNLOAD)),
            }
        }
        if stored.format == StorageFormat::Ion {
            return Err(Error::not_supported(
                "UNLOAD does not write format 'ION'; write another format, or a table with CREATE TABLE AS",
            ));
        }
        stored.check()?;
        Ok(stored)
    }

    /// Takes a property that both statements have. Returns whether it is one.
    fn takes(&mut self, property: &WriteProperty) -> Result<bool> {
        match property.name.as_str() {
            "format" => self.format = format(text(property)?)?,
            "compression_level" => self.compression_level = Some(whole(property)?),
            "field_delimiter" => self.field_delimiter = Some(text(property)?.to_owned()),
            "partitioned_by" => {
                let keys = texts(property)?.iter();
                self.partitioned_by = keys.map(|key| key.to_lowercase()).collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks the properties against the format, which may be named after them.
    fn check(&self) -> Result<()> {
        if let Some(delimiter) = &self.field_delimiter {
            if self.format != StorageFormat::TextFile {
                return Err(invalid(format!(
                    "property field_delimiter does not go with format {}; it is of TEXTFILE only",
                    self.format_name()
                )));
            }
            let mut characters = delimiter.chars();
            let one = characters.next().filter(char::is_ascii);
            if one.is_none() || characters.next().is_some() || delimiter == "\n" {
                return Err(invalid(format!(
                    "property field_delimiter is '{}'; it must be one ASCII character, and not the end of a line",
                    delimiter.escape_default()
                )));
            }
        }
        if self.ion_encoding.is_some() && self.format != StorageFormat::Ion {
            return Err(invalid(format!(
                "property ion_encoding does not go with format {}; it is of ION only",
                self.format_name()
            )));
        }
        if let Some(level) = self.compression_level {
            if self.compression.as_deref() != Some("ZSTD") {
                return Err(invalid(
                    "property compression_level goes with compression ZSTD only; leave it out, or name this codec"
                        .to_owned(),
                ));
            }
            if !(1..=22).contains(&level) {
                return Err(invalid(format!(
                    "property compression_level is {level}; it must be between 1 and 22"
                )));
            }
        }
        let Some(codec) = &self.compression else {
            return Ok(());
        };
        let known = codecs(self.format);
        if known.contains(&codec.as_str()) {
            return Ok(());
        }
        Err(invalid(format!(
            "compression '{codec}' does not go with format {}; it can be {}",
            self.format_name(),
            known.join(", ")
        )))
    }

    fn format_name(&self) -> &'static str {
        let mut formats = FORMATS.iter();
        let found = formats.find(|(_, format)| *format == self.format);
        found.map_or("PARQUET", |(name, _)| *name)
    }

    /// Puts the format and its properties into the definition of a table.
    pub(super) fn define(&self, create: &mut CreateTable) {
        create.stored_as = Some(StoredAs::Format(self.format));
        if let Some(delimiter) = &self.field_delimiter {
            create.row_format = Some(RowFormat::Delimited(Delimited {
                fields: Some(delimiter.clone()),
                ..Delimited::default()
            }));
        }
        let codec = match (&self.compression, self.format) {
            (Some(codec), _) => Some(codec.as_str()),
            // Athena's default.
            (None, StorageFormat::JsonFile | StorageFormat::TextFile | StorageFormat::Ion) => {
                Some("GZIP")
            }
            (None, _) => None,
        };
        if let Some(codec) = codec {
            let name = match self.format {
                StorageFormat::Parquet => "parquet.compression",
                StorageFormat::Orc => "orc.compress",
                _ => "write.compression",
            };
            create.properties.push((name.to_owned(), codec.to_owned()));
        }
        if let Some(encoding) = &self.ion_encoding {
            let encoding = ("ion.encoding".to_owned(), encoding.clone());
            create.properties.push(encoding);
        }
        if let Some(level) = self.compression_level {
            let level = ("compression_level".to_owned(), level.to_string());
            create.properties.push(level);
        }
    }
}

/// The codecs of a format, as Athena writes them.
fn codecs(format: StorageFormat) -> &'static [&'static str] {
    match format {
        StorageFormat::Orc => &["ZLIB", "SNAPPY", "ZSTD", "LZ4", "NONE"],
        StorageFormat::Avro => &["SNAPPY", "DEFLATE", "BZIP2", "ZSTD", "NONE"],
        StorageFormat::Ion => &["GZIP", "BZIP2", "SNAPPY", "LZ4", "ZSTD", "NONE"],
        StorageFormat::JsonFile | StorageFormat::TextFile => {
            &["GZIP", "BZIP2", "DEFLATE", "SNAPPY", "LZ4", "ZSTD", "NONE"]
        }
        _ => &[
            "SNAPPY",
            "GZIP",
            "ZSTD",
            "LZ4",
            "BROTLI",
            "NONE",
            "UNCOMPRESSED",
        ],
    }
}

fn format(name: &str) -> Result<StorageFormat> {
    let mut formats = FORMATS.iter();
    let found = formats.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, format)| *format).ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        invalid(format!(
            "format '{}' is not one that rows are written in; it can be {}",
            name.escape_default(),
            known.join(", ")
        ))
    })
}

fn table_type(name: &str) -> Result<()> {
    if name.eq_ignore_ascii_case("HIVE") {
        return Ok(());
    }
    if name.eq_ignore_ascii_case("ICEBERG") {
        return Err(Error::not_supported(
            "table_type 'ICEBERG' is not supported yet; leave it out for a Hive table",
        ));
    }
    Err(invalid(format!(
        "table_type '{}' is not known; it can be HIVE",
        name.escape_default()
    )))
}

/// How files of Ion are written.
fn ion_encoding(property: &WriteProperty) -> Result<String> {
    let encoding = text(property)?.to_ascii_uppercase();
    match encoding.as_str() {
        "BINARY" | "TEXT" => Ok(encoding),
        _ => Err(mistyped(property, "'BINARY' or 'TEXT'")),
    }
}

fn no_buckets(name: &str) -> Error {
    Error::not_supported(format!(
        "property {name} is not supported: bucketed tables cannot be written"
    ))
    .with_hint("partition the table with partitioned_by, or leave the buckets out")
}

fn unknown(statement: &str, name: &str, known: &str) -> Error {
    Error::new(
        Code::InvalidParameter,
        format!("{statement} has no property {name}; its properties are {known}"),
    )
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidParameter, message)
}

fn mistyped(property: &WriteProperty, right: &str) -> Error {
    invalid(format!(
        "property {} is {}; it must be {right}",
        property.name, property.value
    ))
}

fn text(property: &WriteProperty) -> Result<&str> {
    match &property.value {
        WriteValue::Text(text) => Ok(text),
        _ => Err(mistyped(property, "a string, such as 'text'")),
    }
}

fn texts(property: &WriteProperty) -> Result<&[String]> {
    match &property.value {
        WriteValue::Texts(texts) => Ok(texts),
        _ => Err(mistyped(
            property,
            "an array of strings, such as ARRAY['a']",
        )),
    }
}

fn boolean(property: &WriteProperty) -> Result<bool> {
    match &property.value {
        WriteValue::Boolean(value) => Ok(*value),
        _ => Err(mistyped(property, "true or false")),
    }
}

fn whole(property: &WriteProperty) -> Result<u32> {
    let number = match &property.value {
        WriteValue::Number(number) => number.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| mistyped(property, "a whole number"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_sql::Statement;

    use super::*;

    fn of_table(properties: &str) -> Result<Stored> {
        let sql = format!("CREATE TABLE t WITH ({properties}) AS SELECT 1");
        match lakegate_sql::parse(&sql).unwrap().remove(0).statement {
            Statement::CreateTableAs(create) => Stored::of_table(&create.properties),
            other => panic!("{other:?}"),
        }
    }

    fn of_unload(properties: &str) -> Result<Stored> {
        let sql = format!("UNLOAD (SELECT 1) TO 's3://b/x' WITH ({properties})");
        match lakegate_sql::parse(&sql).unwrap().remove(0).statement {
            Statement::Unload(unload) => Stored::of_unload(&unload.properties, &unload.location),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn properties_of_athena_are_taken() {
        let stored = of_table(
            "field_delimiter = ';', format = 'textfile', write_compression = 'gzip', table_type = 'HIVE', \
             is_external = true, external_location = 's3://b/x/', partitioned_by = ARRAY['Day', 'h']",
        )
        .unwrap();
        assert_eq!(stored.format, StorageFormat::TextFile);
        assert_eq!(stored.compression.as_deref(), Some("GZIP"));
        assert_eq!(stored.field_delimiter.as_deref(), Some(";"));
        assert_eq!(stored.partitioned_by, ["day", "h"]);
        assert_eq!(stored.location.as_deref(), Some("s3://b/x/"));
        assert_eq!(
            of_table("format = 'ORC', orc_compression = 'ZLIB'")
                .unwrap()
                .format,
            StorageFormat::Orc
        );
        let stored = of_table("format = 'ion', ion_encoding = 'text'").unwrap();
        assert_eq!(stored.format, StorageFormat::Ion);
        assert_eq!(stored.ion_encoding.as_deref(), Some("TEXT"));
        let stored =
            of_unload("format = 'JSON', compression = 'zstd', compression_level = 9").unwrap();
        assert_eq!(stored.compression_level, Some(9));
        assert_eq!(stored.location.as_deref(), Some("s3://b/x/"));
        assert_eq!(stored.compression.as_deref(), Some("ZSTD"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        for (properties, code, part) in [
            (
                "formt = 'ORC'",
                Code::InvalidParameter,
                "no property formt; its properties are format, ",
            ),
            (
                "compression = 'GZIP'",
                Code::InvalidParameter,
                "no property compression",
            ),
            (
                "format = 'CSV'",
                Code::InvalidParameter,
                "it can be PARQUET, ORC, AVRO, JSON, TEXTFILE",
            ),
            (
                "format = 3",
                Code::InvalidParameter,
                "property format is 3; it must be a string",
            ),
            ("partitioned_by = 'a'", Code::InvalidParameter, "ARRAY['a']"),
            (
                "is_external = 'true'",
                Code::InvalidParameter,
                "true or false",
            ),
            ("is_external = false", Code::NotSupported, "must be true"),
            (
                "table_type = 'ICEBERG'",
                Code::NotSupported,
                "'ICEBERG' is not supported yet",
            ),
            (
                "table_type = 'DELTA'",
                Code::InvalidParameter,
                "it can be HIVE",
            ),
            (
                "bucketed_by = ARRAY['a']",
                Code::NotSupported,
                "bucketed_by",
            ),
            ("bucket_count = 4", Code::NotSupported, "bucket_count"),
            (
                "write_compression = 'LZO'",
                Code::InvalidParameter,
                "'LZO' does not go with format PARQUET; it can be SNAPPY, ",
            ),
            (
                "parquet_compression = 'GZIP', format = 'ORC'",
                Code::InvalidParameter,
                "use write_compression",
            ),
            (
                "parquet_compression = 'GZIP', write_compression = 'GZIP'",
                Code::InvalidParameter,
                "exclude each other",
            ),
            (
                "field_delimiter = ','",
                Code::InvalidParameter,
                "TEXTFILE only",
            ),
            (
                "format = 'TEXTFILE', field_delimiter = 'ab'",
                Code::InvalidParameter,
                "one ASCII character",
            ),
            (
                "ion_encoding = 'TEXT'",
                Code::InvalidParameter,
                "it is of ION only",
            ),
            (
                "format = 'ION', ion_encoding = 'XML'",
                Code::InvalidParameter,
                "'BINARY' or 'TEXT'",
            ),
            (
                "format = 'ION', write_compression = 'ZLIB'",
                Code::InvalidParameter,
                "'ZLIB' does not go with format ION; it can be GZIP, ",
            ),
            (
                "compression_level = 'x'",
                Code::InvalidParameter,
                "a whole number",
            ),
            (
                "compression_level = 3",
                Code::InvalidParameter,
                "compression_level goes with compression ZSTD only",
            ),
            (
                "compression_level = 23, write_compression = 'ZSTD'",
                Code::InvalidParameter,
                "compression_level is 23; it must be between 1 and 22",
            ),
        ] {
            let error = of_table(properties).unwrap_err();
            assert_eq!(error.code(), code, "{properties}: {error}");
            assert!(error.message().contains(part), "{properties}: {error}");
        }
        for (properties, part) in [
            (
                "write_compression = 'GZIP'",
                "UNLOAD has no property write_compression; its properties are format, compression",
            ),
            (
                "external_location = 's3://b/'",
                "UNLOAD has no property external_location",
            ),
            ("format = 'ION'", "UNLOAD does not write format 'ION'"),
        ] {
            let error = of_unload(properties).unwrap_err();
            assert!(error.message().contains(part), "{properties}: {error}");
        }
    }
}
