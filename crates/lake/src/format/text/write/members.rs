//! A file that is written as members: what gathers in memory is compressed and sent when it is a
//! few MiB.
//!
//! Each member is compressed on its own, as readers of all codecs take several in one file: between
//! two members a file holds no state of a codec, so that a thousand open files take the memory of
//! what they gather alone.

use bytes::Bytes;
use lakegate_error::Result;

use super::compress::compressed;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, NewFile, not_writable};

/// Bytes that are compressed together.
pub(in crate::format) const MEMBER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that are worth a member where memory is short.
const SMALL_MEMBER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(in crate::format) struct Members {
    codec: Codec,
    /// What is not sent yet.
    pub waiting: Vec<u8>,
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
    pub(in crate::format) async fn send_if_full(&mut self) -> Result<()> {
        match self.waiting.len() >= MEMBER_BYTES {
            true => self.send().await,
            false => Ok(()),
        }
    }

    /// Frees the memory of what is not sent yet, by sending it, unless it is little.
    ///
    /// # Errors
    /// The store.
    pub(in crate::format) async fn encode(&mut self) -> Result<()> {
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
    pub(in crate::format) fn bytes(&self) -> usize {
        usize::try_from(self.upload.bytes())
            .unwrap_or(usize::MAX)
            .saturating_add(self.waiting.len())
    }

    pub(in crate::format) fn memory(&self) -> usize {
        self.waiting.capacity() + self.upload.memory()
    }

    /// # Errors
    /// The store.
    pub(in crate::format) async fn close(mut self) -> Result<ClosedFile> {
        self.send().await?;
        let url = self.upload.url().to_owned();
        let closed = self.upload.finish().await;
        closed.map_err(|error| failed(&url, error))
    }

    pub(in crate::format) async fn abort(self) {
        self.upload.abort().await;
    }
}
