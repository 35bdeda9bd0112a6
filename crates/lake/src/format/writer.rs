//! What a format offers to writers: one file at a time, on its way to the store.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use lakegate_error::Result;

use crate::roots::Location;

/// How the bytes of new files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    Uncompressed,
    #[default]
    Snappy,
    Gzip,
    Zstd,
    Lz4,
    Brotli,
}

impl Codec {
    /// Parses the name that Hive and Athena give a codec, in any case. `None`: there is no such
    /// codec.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "NONE" | "UNCOMPRESSED" => Self::Uncompressed,
            "SNAPPY" => Self::Snappy,
            "GZIP" => Self::Gzip,
            "ZSTD" => Self::Zstd,
            "LZ4" => Self::Lz4,
            "BROTLI" => Self::Brotli,
            _ => return None,
        })
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
    pub codec: Codec,
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

    /// Bytes of the file so far, with an estimate for rows that are not encoded yet.
    fn bytes(&self) -> usize;

    /// Bytes that are held in memory.
    fn memory(&self) -> usize;

    /// Ends the file and returns its location. It need not be on disk yet.
    ///
    /// # Errors
    /// As of [`FileWriter::write`].
    async fn close(self: Box<Self>) -> Result<Location>;

    /// Stops the upload. A file that was sent whole already stays.
    async fn abort(self: Box<Self>);
}
