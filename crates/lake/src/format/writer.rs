//! What a format offers to writers: one file at a time, on its way to the store, and how its bytes
//! may be compressed.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Code, Error, Result};

use crate::roots::Location;

/// How the bytes of new files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    Uncompressed,
    #[default]
    Snappy,
    Gzip,
    Zstd(ZstdLevel),
    Lz4,
    Brotli,
    Bzip2,
    /// ORC calls it ZLIB.
    Deflate,
}

/// A level of Zstandard, from 1 to 22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// Athena's default.
    pub const DEFAULT: Self = Self(3);

    /// `None`: it is not between 1 and 22.
    pub fn new(level: u8) -> Option<Self> {
        (1..=22).contains(&level).then_some(Self(level))
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for ZstdLevel {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Codec {
    /// Zstandard of the default level.
    pub const ZSTD: Self = Self::Zstd(ZstdLevel::DEFAULT);

    /// Parses the name that Hive and Athena give a codec, in any case. `None`: there is no such
    /// codec.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_uppercase().as_str() {
            "NONE" | "UNCOMPRESSED" => Self::Uncompressed,
            "SNAPPY" => Self::Snappy,
            "GZIP" => Self::Gzip,
            "ZSTD" => Self::ZSTD,
            "LZ4" => Self::Lz4,
            "BROTLI" => Self::Brotli,
            "BZIP2" => Self::Bzip2,
            "DEFLATE" | "ZLIB" => Self::Deflate,
            _ => return None,
        })
    }

    /// The name that [`Codec::parse`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uncompressed => "NONE",
            Self::Snappy => "SNAPPY",
            Self::Gzip => "GZIP",
            Self::Zstd(_) => "ZSTD",
            Self::Lz4 => "LZ4",
            Self::Brotli => "BROTLI",
            Self::Bzip2 => "BZIP2",
            Self::Deflate => "DEFLATE",
        }
    }
}

/// Which codecs the files of a format can have, and which property of a table chooses one.
#[derive(Debug)]
pub struct Codecs {
    /// The name of the format, for messages.
    pub format: &'static str,
    /// Properties of a table that name the codec; the first that is there counts.
    pub properties: &'static [&'static str],
    /// Where nothing names one.
    pub default: Codec,
    /// All that files can have, each at its default level.
    pub all: &'static [Codec],
}

impl Codecs {
    /// Of a format whose files are not compressed, or not written.
    pub const NONE: Self = Self {
        format: "files",
        properties: &["write.compression"],
        default: Codec::Uncompressed,
        all: &[Codec::Uncompressed],
    };

    /// The property of a table that has the level, of Zstandard alone.
    pub const LEVEL: &'static str = "compression_level";

    /// Whether files can have a codec, at any level.
    pub fn take(&self, codec: Codec) -> bool {
        self.all.iter().any(|one| one.name() == codec.name())
    }

    /// The codec that a table or a statement asks for. `asker`: what asks, for messages, such as
    /// `table sales.orders`. `None` for `name`: the default. `level`: of ZSTD, from 1 to 22.
    ///
    /// # Errors
    /// Files of the format do not have such a codec; a level that is not a number from 1 to 22, or one
    /// of another codec than ZSTD.
    pub fn choose(&self, asker: &str, name: Option<&str>, level: Option<&str>) -> Result<Codec> {
        let invalid = |message: String| Error::new(Code::InvalidTable, message);
        let codec = match name {
            None => self.default,
            Some(name) => {
                let codec = Codec::parse(name).filter(|codec| self.take(*codec));
                codec.ok_or_else(|| {
                    invalid(format!(
                        "{asker} asks for compression '{}' of {}; it can be {}",
                        name.escape_default(),
                        self.format,
                        self.names()
                    ))
                })?
            }
        };
        let Some(level) = level else {
            return Ok(codec);
        };
        let parsed = level.trim().parse().ok().and_then(ZstdLevel::new);
        let Some(parsed) = parsed else {
            return Err(invalid(format!(
                "{asker} asks for {} '{}'; it must be a number from 1 to 22",
                Self::LEVEL,
                level.escape_default()
            )));
        };
        match codec {
            Codec::Zstd(_) => Ok(Codec::Zstd(parsed)),
            other => Err(invalid(format!(
                "{asker} asks for a {} of {}; only ZSTD has levels",
                Self::LEVEL,
                other.name()
            ))
            .with_hint("leave the level out, or choose ZSTD")),
        }
    }

    /// Checks a level of ZSTD for files that are written at the default level only.
    ///
    /// # Errors
    /// It is another one.
    pub(super) fn check_level(&self, level: ZstdLevel) -> Result<()> {
        if level == ZstdLevel::DEFAULT {
            return Ok(());
        }
        Err(Error::not_supported(format!(
            "{} files are written with {} {} alone; leave it out",
            self.format,
            Self::LEVEL,
            ZstdLevel::DEFAULT.get()
        )))
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.all.iter().map(|codec| codec.name()).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// A file that is to be written.
#[derive(Debug)]
pub struct NewFile<'a> {
    pub folder: &'a Location,
    /// The file's name in the folder.
    pub name: &'a str,
    /// The columns of the file, partition keys left out.
    pub schema: SchemaRef,
    /// The types that the table declares for the columns; `None` where it has none that is known.
    /// Empty: there is no table.
    pub declared: &'a [Option<HiveType>],
    pub codec: Codec,
    /// What the rows will come sorted by.
    pub sorted_by: &'a [SortKey],
}

/// A column that rows are sorted by, as Hive and Trino do it: NULLs first in ascending order, and
/// last in descending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// Its place among the columns of the file.
    pub column: usize,
    pub descending: bool,
}

impl SortKey {
    pub fn nulls_first(self) -> bool {
        !self.descending
    }
}

/// A file that is in the store.
#[derive(Debug, Clone)]
pub struct ClosedFile {
    pub location: Location,
    /// Its length.
    pub bytes: u64,
}

/// One file on its way to the store. It is in the store once [`FileWriter::close`] returns; a
/// writer that is dropped before leaves no file, but parts of an upload may stay until the store
/// clears them.
#[async_trait]
pub trait FileWriter: Debug + Send {
    /// Appends rows.
    ///
    /// # Errors
    /// The store; values that the format cannot hold. The file can only be given up then.
    async fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Encodes what was appended so far, to hold less memory.
    ///
    /// # Errors
    /// As of [`FileWriter::write`].
    async fn encode(&mut self) -> Result<()>;

    /// Sends what was appended so far, to hold as little memory as can be. Later rows may lie less
    /// well in the file.
    ///
    /// # Errors
    /// As of [`FileWriter::write`].
    async fn flush(&mut self) -> Result<()> {
        self.encode().await
    }

    /// Bytes of the file so far, with an estimate for rows that are not encoded yet.
    fn bytes(&self) -> usize;

    /// Bytes that are held in memory.
    fn memory(&self) -> usize;

    /// Ends the file. It need not be on disk yet.
    ///
    /// # Errors
    /// As of [`FileWriter::write`].
    async fn close(self: Box<Self>) -> Result<ClosedFile>;

    /// Stops the upload. A file that was sent whole already stays.
    async fn abort(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOME: Codecs = Codecs {
        format: "Parquet",
        properties: &["parquet.compression"],
        default: Codec::Snappy,
        all: &[Codec::Snappy, Codec::ZSTD, Codec::Uncompressed],
    };

    #[test]
    fn codec_and_level_are_those_that_are_asked_for() {
        let level = |level| Codec::Zstd(ZstdLevel::new(level).unwrap());
        for (name, asked, codec) in [
            (None, None, Codec::Snappy),
            (Some("none"), None, Codec::Uncompressed),
            (Some("Zstd"), None, level(3)),
            (Some("ZSTD"), Some("22"), level(22)),
        ] {
            assert_eq!(SOME.choose("table d.t", name, asked).unwrap(), codec);
        }
    }

    #[test]
    fn what_the_format_does_not_have_is_refused_with_what_it_has() {
        for (name, level, part) in [
            (
                Some("LZO"),
                None,
                "'LZO' of Parquet; it can be SNAPPY, ZSTD or NONE",
            ),
            (Some("gzip"), None, "'gzip' of Parquet"),
            (
                Some("ZSTD"),
                Some("23"),
                "'23'; it must be a number from 1 to 22",
            ),
            (Some("ZSTD"), Some("x"), "'x'"),
            (None, Some("3"), "only ZSTD has levels"),
        ] {
            let error = SOME.choose("table d.t", name, level).unwrap_err();
            assert!(
                error.message().starts_with("table d.t asks for "),
                "{error}"
            );
            assert!(error.message().contains(part), "{error}");
        }
    }
}
