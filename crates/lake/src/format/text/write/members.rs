//! A file that is written as members: what gathers in memory is compressed and sent when it is a
//! few MiB.
//!
//! Each member is compressed on its own, as readers of all codecs take several in one file: between
//! two members a file holds no state of a codec, so that a thousand open files take the memory of
//! what they gather alone.

use std::fmt::Debug;
use std::ops::Range;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use lakegate_error::Result;

use super::compress::compressed;
use super::values::Values;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile, not_writable};

/// Bytes that are compressed together.
pub(in crate::format) const MEMBER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that are worth a member where memory is short.
const SMALL_MEMBER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(in crate::format) struct Members {
    codec: Codec,
    /// What is not sent yet.
    waiting: Vec<u8>,
    upload: Upload,
}

impl Members {
    /// # Errors
    /// The format has no such codec.
    pub(in crate::format) fn begin(codecs: &Codecs, file: &NewFile<'_>) -> Result<Self> {
        let upload = Upload::begin(file);
        if !codecs.take(file.codec) {
            let (codec, format) = (file.codec.name(), codecs.format);
            let what = format!("{codec} {format} of {}", upload.url());
            return Err(not_writable(&what));
        }
        Ok(Self {
            codec: file.codec,
            waiting: Vec::new(),
            upload,
        })
    }

    /// What names of files end with. The last part is what readers know the codec by.
    pub(in crate::format) fn extension(kind: &str, codec: Codec) -> String {
        let compression = match codec {
            Codec::Gzip => ".gz",
            Codec::Bzip2 => ".bz2",
            Codec::Zstd(_) => ".zst",
            Codec::Snappy => ".snappy",
            Codec::Lz4 => ".lz4",
            Codec::Deflate => ".deflate",
            Codec::Uncompressed | Codec::Brotli => "",
        };
        format!("{kind}{compression}")
    }

    pub(in crate::format) fn url(&self) -> &str {
        self.upload.url()
    }

    /// Sends what is not sent yet if it is worth a member.
    ///
    /// # Errors
    /// The store.
    async fn send_if_full(&mut self) -> Result<()> {
        match self.waiting.len() >= MEMBER_BYTES {
            true => self.send().await,
            false => Ok(()),
        }
    }

    /// Frees the memory of what is not sent yet, by sending it, unless it is little.
    ///
    /// # Errors
    /// The store.
    async fn encode(&mut self) -> Result<()> {
        if self.waiting.len() < SMALL_MEMBER_BYTES {
            return Ok(());
        }
        self.send().await?;
        self.waiting = Vec::new();
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let bytes: Bytes = match self.codec {
            Codec::Uncompressed => std::mem::take(&mut self.waiting).into(),
            codec => {
                let member = compressed(codec, &self.waiting).await;
                self.waiting.clear();
                member
                    .map_err(|error| failed(self.upload.url(), error))?
                    .into()
            }
        };
        let sent = self.upload.put(bytes).await;
        sent.map_err(|error| failed(self.upload.url(), error))
    }

    /// Bytes of the file so far.
    fn bytes(&self) -> usize {
        usize::try_from(self.upload.bytes())
            .unwrap_or(usize::MAX)
            .saturating_add(self.waiting.len())
    }

    fn memory(&self) -> usize {
        self.waiting.capacity() + self.upload.memory()
    }

    /// # Errors
    /// The store.
    async fn close(mut self) -> Result<ClosedFile> {
        self.send().await?;
        let url = self.upload.url().to_owned();
        let closed = self.upload.finish().await;
        closed.map_err(|error| failed(&url, error))
    }

    async fn abort(self) {
        self.upload.abort().await;
    }
}

/// Writes rows in the form of a format.
pub(in crate::format) trait Rows: Debug + Send {
    /// Appends rows to what waits, from the first one on, until there is enough for a member. Returns
    /// the next row. `columns`: those of the file.
    ///
    /// # Errors
    /// A value that cannot be read back, with its column and the remedy.
    fn append(
        &mut self,
        columns: &[Values<'_>],
        rows: Range<usize>,
        waiting: &mut Vec<u8>,
    ) -> Result<usize>;
}

/// A file that is written as members.
#[derive(Debug)]
pub(in crate::format) struct MemberFile<R> {
    rows: R,
    members: Members,
}

impl<R: Rows> MemberFile<R> {
    pub(in crate::format) fn new(rows: R, members: Members) -> Self {
        Self { rows, members }
    }
}

#[async_trait]
impl<R: Rows> FileWriter for MemberFile<R> {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter();
        let columns: Vec<Values<'_>> = columns
            .map(|column| Values::of(column.as_ref()))
            .collect::<Result<_>>()?;
        let mut next = 0;
        while next < rows.num_rows() {
            let rest = next..rows.num_rows();
            next = self
                .rows
                .append(&columns, rest, &mut self.members.waiting)?;
            self.members.send_if_full().await?;
        }
        Ok(())
    }

    async fn encode(&mut self) -> Result<()> {
        self.members.encode().await
    }

    fn bytes(&self) -> usize {
        self.members.bytes()
    }

    fn memory(&self) -> usize {
        self.members.memory()
    }

    async fn close(self: Box<Self>) -> Result<ClosedFile> {
        self.members.close().await
    }

    async fn abort(self: Box<Self>) {
        self.members.abort().await;
    }
}
