//! The properties of CREATE TABLE AS and UNLOAD, with Athena's names: `format`, `write_compression`
//! and so on.

use std::collections::HashSet;

use lakegate_catalog::model::BUCKETING_VERSION;
use lakegate_catalog::store::MAX_BUCKETS;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{
    ClusteredBy, CreateTable, Delimited, RowFormat, SortColumn, StorageFormat, StoredAs,
    WriteProperty, WriteValue,
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
    partitioned_by, bucketed_by, bucket_count and sorted_by";
/// The properties of UNLOAD.
const OF_UNLOAD: &str =
    "format, compression, compression_level, field_delimiter and partitioned_by";

/// How and where the rows of a query are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
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
    pub bucketed_by: Option<ClusteredBy>,
    pub sorted_by: Vec<SortColumn>,
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
            bucketed_by: None,
            sorted_by: Vec::new(),
            location: None,
        }
    }
}

impl Stored {
    /// Reads the properties of CREATE TABLE AS.
    ///
    /// # Errors
    /// An unknown property; a value of another type, or that the format does not have; one of
    /// `bucketed_by` and `bucket_count` without the other; Iceberg, which is not supported.
    pub(crate) fn of_table(properties: &[WriteProperty]) -> Result<Self> {
        let mut stored = Self::default();
        let mut compression: Option<(&str, String)> = None;
        let mut bucketed_by = Vec::new();
        let mut bucket_count = None;
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
                "bucketed_by" => {
                    let columns = texts(property)?.iter();
                    bucketed_by = columns.map(|column| column.to_lowercase()).collect();
                }
                "bucket_count" => bucket_count = Some(buckets(property)?),
                "sorted_by" => {
                    let columns = texts(property)?.iter();
                    stored.sorted_by = columns.map(|column| sort_column(column)).collect();
                }
                _ if stored.takes(property)? => {}
                _ => return Err(unknown("CREATE TABLE AS", name, OF_TABLES)),
            }
        }
        stored.bucketed_by = match (bucketed_by, bucket_count) {
            (columns, None) if columns.is_empty() => None,
            (columns, Some(buckets)) if !columns.is_empty() => {
                Some(ClusteredBy { columns, buckets })
            }
            _ => {
                return Err(invalid(
                    "bucketed_by and bucket_count must be specified together; set both or neither"
                        .to_owned(),
                ));
            }
        };
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

    /// Reads the properties of CREATE TABLE without a query.
    ///
    /// # Errors
    /// As of [`Stored::of_table`]; buckets, which hold the rows of a query.
    pub(crate) fn of_empty_table(properties: &[WriteProperty]) -> Result<Self> {
        let stored = Self::of_table(properties)?;
        match stored.bucketed_by {
            None => Ok(stored),
            Some(_) => Err(Error::not_supported(
                "property bucketed_by is for CREATE TABLE AS, because no rows are added to a table with buckets; leave it out",
            )),
        }
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

    /// Checks that a table can be bucketed and sorted by the columns that are asked for. `names`:
    /// its columns, partition keys among them.
    ///
    /// # Errors
    /// A column that is not there, is a partition key, or is named twice.
    pub(crate) fn check_clustering(&self, names: &[&str]) -> Result<()> {
        let bucketed = self.bucketed_by.iter().flat_map(|by| &by.columns);
        let bucketed = bucketed.map(|column| ("bucketed_by", column));
        let sorted = self.sorted_by.iter();
        let sorted = sorted.map(|column| ("sorted_by", &column.name));
        let mut seen = HashSet::new();
        for (property, column) in bucketed.chain(sorted) {
            if self.partitioned_by.contains(column) {
                return Err(Error::new(
                    Code::InvalidTable,
                    format!(
                        "{property} names column \"{column}\", which is a partition key; all rows of a partition have one value of it, so leave it out"
                    ),
                ));
            }
            if !names.contains(&column.as_str()) {
                return Err(Error::new(
                    Code::ColumnNotFound,
                    format!("{property} names column \"{column}\", which the query does not have"),
                )
                .with_hint(format!("its columns are {}", names.join(", "))));
            }
            if !seen.insert((property, column)) {
                return Err(Error::new(
                    Code::DuplicateColumn,
                    format!("{property} names column \"{column}\" twice; name it once"),
                ));
            }
        }
        Ok(())
    }

    fn format_name(&self) -> &'static str {
        let mut formats = FORMATS.iter();
        let found = formats.find(|(_, format)| *format == self.format);
        found.map_or("PARQUET", |(name, _)| *name)
    }

    /// Puts the format and its properties into the definition of a table.
    pub(crate) fn define(&self, create: &mut CreateTable) {
        create.stored_as = Some(StoredAs::Format(self.format));
        create.clustered_by.clone_from(&self.bucketed_by);
        create.sorted_by.clone_from(&self.sorted_by);
        if self.bucketed_by.is_some() {
            // Of Hive's hash functions the first, as Athena and Trino write it.
            let version = (BUCKETING_VERSION.to_owned(), "1".to_owned());
            create.properties.push(version);
        }
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
        StorageFormat::Ion | StorageFormat::JsonFile | StorageFormat::TextFile => {
            &["GZIP", "BZIP2", "SNAPPY", "LZ4", "ZSTD", "NONE"]
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

/// The number of buckets.
fn buckets(property: &WriteProperty) -> Result<u32> {
    let count = whole(property)?;
    if (1..=MAX_BUCKETS).contains(&count) {
        return Ok(count);
    }
    Err(invalid(format!(
        "property {} is {count}; it must be between 1 and {MAX_BUCKETS}",
        property.name
    )))
}

/// `name`, `name ASC` or `name DESC`.
fn sort_column(text: &str) -> SortColumn {
    let text = text.trim();
    let (name, direction) = match text.rsplit_once(char::is_whitespace) {
        Some((name, last)) => (name.trim_end(), last),
        None => (text, ""),
    };
    let ascending = !direction.eq_ignore_ascii_case("DESC");
    let is_direction = !ascending || direction.eq_ignore_ascii_case("ASC");
    let name = if is_direction { name } else { text };
    SortColumn {
        name: name.to_lowercase(),
        ascending,
    }
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
mod tests;
