//! Text files that are written: rows become lines, lines are compressed in members of a few MiB.
//!
//! ```text
//!  batch ─ Values ─▶ RowWriter (delimited, json) ─▶ text ─ compressed ─▶ Upload
//!                    a line a row                   a member when it is full
//! ```
//!
//! Each member is compressed on its own, as readers of all codecs take several in one file: between
//! two members a file holds no state of a codec, so that a thousand open files take the memory of
//! their text alone. What never happens: a row is written that reads back as another.

pub(in crate::format) mod compress;
pub(in crate::format) mod delimited;
pub(in crate::format) mod values;

use std::fmt::Debug;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use lakegate_error::{Code, Error, Result};

use self::compress::compressed;
use self::delimited::DelimitedWriter;
use self::values::Values;
use super::json::JsonWriter;
use super::{MAX_ROW_BYTES, TextFormat, TextSerDe};
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile, not_writable};

/// GZIP is the default, as of Athena's new tables of TEXTFILE and JSON.
pub(super) const CODECS: Codecs = Codecs {
    format: "text",
    properties: &["write.compression"],
    default: Codec::Gzip,
    all: &[
        Codec::Bzip2,
        Codec::Gzip,
        Codec::Lz4,
        Codec::Snappy,
        Codec::ZSTD,
        Codec::Uncompressed,
    ],
};

/// Bytes of text that are compressed together.
const MEMBER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of text that are worth a member where memory is short.
const SMALL_MEMBER_BYTES: usize = 64 * 1024;
/// UTF-8's byte order mark. Readers leave out one at the start of a file.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the names of files end with. The last part is what readers know the codec by.
pub(super) fn extension(format: &TextFormat, codec: Codec) -> String {
    let text = match format.serde {
        TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) => "json",
        _ => "txt",
    };
    let compression = match codec {
        Codec::Gzip => ".gz",
        Codec::Bzip2 => ".bz2",
        Codec::Zstd(_) => ".zst",
        Codec::Snappy => ".snappy",
        Codec::Lz4 => ".lz4",
        Codec::Deflate => ".deflate",
        Codec::Uncompressed | Codec::Brotli => "",
    };
    format!("{text}{compression}")
}

/// Whether rows can be written for a SerDe. Athena does not write OpenCSVSerde's either: it reads
/// every column as a string, so that NULL and the empty string are one.
pub(super) fn is_written(serde: &TextSerDe) -> bool {
    matches!(
        serde,
        TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) | TextSerDe::LazySimple(_)
    )
}

/// Turns rows into lines.
pub(in crate::format::text) trait RowWriter: Debug + Send {
    /// The lines that a file begins with, if it has any.
    ///
    /// # Errors
    /// A column's name that cannot be written.
    fn header(&mut self, text: &mut Vec<u8>) -> Result<()>;

    /// Appends the line of one row, with its line break. `columns`: those of the file.
    ///
    /// # Errors
    /// A value that cannot be read back, with its column and the remedy.
    fn row(&mut self, columns: &[Values<'_>], row: usize, text: &mut Vec<u8>) -> Result<()>;
}

#[derive(Debug)]
pub(super) struct TextFileWriter {
    rows: Box<dyn RowWriter>,
    codec: Codec,
    /// Lines that are not compressed yet.
    text: Vec<u8>,
    /// Whether there is a line already.
    begun: bool,
    upload: Upload,
}

impl TextFileWriter {
    /// # Errors
    /// Rows are not written for the SerDe, or not with its properties; the columns have no form in
    /// it; text has no such codec.
    pub(super) fn create(format: &TextFormat, file: &NewFile<'_>) -> Result<Self> {
        let upload = Upload::begin(file);
        if !CODECS.take(file.codec) {
            let what = format!("{} text of {}", file.codec.name(), upload.url());
            return Err(not_writable(&what));
        }
        let (schema, header) = (&file.schema, format.header_lines);
        let rows: Box<dyn RowWriter> = match &format.serde {
            TextSerDe::LazySimple(options) => {
                Box::new(DelimitedWriter::new(options, schema, header)?)
            }
            TextSerDe::OpenxJson(options) | TextSerDe::HiveJson(options) => {
                Box::new(JsonWriter::new(options, schema, header)?)
            }
            _ => return Err(not_writable(&format!("location '{}'", upload.url()))),
        };
        Ok(Self {
            rows,
            codec: file.codec,
            text: Vec::new(),
            begun: false,
            upload,
        })
    }

    /// Appends rows from `row` on, until a member is full. Returns the next row.
    fn lines(&mut self, columns: &[Values<'_>], row: usize, rows: usize) -> Result<usize> {
        let mut next = row;
        while next < rows && self.text.len() < MEMBER_BYTES {
            if !self.begun {
                self.rows.header(&mut self.text)?;
            }
            let start = self.text.len();
            self.rows.row(columns, next, &mut self.text)?;
            let length = self.text.len() - start;
            if length > MAX_ROW_BYTES {
                return Err(Error::new(
                    Code::DataException,
                    format!(
                        "a row is a line of {length} bytes, and the longest line that is read has {MAX_ROW_BYTES}"
                    ),
                )
                .with_hint("write to a table of Parquet"));
            }
            if !self.begun && self.text.starts_with(MARK) {
                // Another mark before it is the one that readers leave out.
                drop(self.text.splice(0..0, MARK.iter().copied()));
            }
            self.begun = true;
            next += 1;
        }
        Ok(next)
    }

    /// Sends what is not sent yet.
    async fn send(&mut self) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let bytes: Bytes = match self.codec {
            Codec::Uncompressed => std::mem::take(&mut self.text).into(),
            codec => {
                let member = compressed(codec, &self.text).await;
                self.text.clear();
                member
                    .map_err(|error| failed(self.upload.url(), error))?
                    .into()
            }
        };
        let sent = self.upload.put(bytes).await;
        sent.map_err(|error| failed(self.upload.url(), error))
    }
}

#[async_trait]
impl FileWriter for TextFileWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter();
        let columns: Vec<Values<'_>> = columns
            .map(|column| Values::of(column.as_ref()))
            .collect::<Result<_>>()?;
        let mut next = 0;
        while next < rows.num_rows() {
            next = self.lines(&columns, next, rows.num_rows())?;
            if self.text.len() >= MEMBER_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn encode(&mut self) -> Result<()> {
        if self.text.len() < SMALL_MEMBER_BYTES {
            return Ok(());
        }
        self.send().await?;
        self.text = Vec::new();
        Ok(())
    }

    fn bytes(&self) -> usize {
        usize::try_from(self.upload.bytes())
            .unwrap_or(usize::MAX)
            .saturating_add(self.text.len())
    }

    fn memory(&self) -> usize {
        self.text.capacity() + self.upload.memory()
    }

    async fn close(mut self: Box<Self>) -> Result<ClosedFile> {
        self.send().await?;
        let url = self.upload.url().to_owned();
        let closed = self.upload.finish().await;
        closed.map_err(|error| failed(&url, error))
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}
