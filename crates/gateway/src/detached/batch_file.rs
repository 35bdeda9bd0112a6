//! A file of batches in the spill directory, each an Arrow IPC stream of its own.
//!
//! A batch includes its schema and dictionaries and is found by its offset, so any number of
//! readers can read any batch without those before it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::execution::spill_file::{SpillFile, SpillWriter};
use lakegate_error::{Code, Error, Result, from_engine};

/// The size of the write buffer, in bytes.
const WRITE_BUFFER: usize = 256 << 10;

/// A file of batches. Dropping it deletes the file.
pub(super) struct BatchFile {
    file: Arc<dyn SpillFile>,
    /// The offset of each batch, in bytes.
    offsets: Vec<u64>,
}

impl std::fmt::Debug for BatchFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchFile")
            .field("path", &self.file.path())
            .field("batches", &self.offsets.len())
            .finish()
    }
}

impl BatchFile {
    /// Reads one batch. The file is only open during the call, so slow readers hold no descriptors.
    ///
    /// # Errors
    ///
    /// The batch does not exist; the file cannot be read.
    pub(super) fn read(&self, index: usize) -> Result<RecordBatch> {
        let missing = || unreadable(&"it has no such batch");
        let (path, offset) = self
            .file
            .path()
            .zip(self.offsets.get(index))
            .ok_or_else(missing)?;
        let mut file = File::open(path).map_err(|error| unreadable(&error))?;
        file.seek(SeekFrom::Start(*offset))
            .map_err(|error| unreadable(&error))?;
        let batch = StreamReader::try_new(BufReader::new(file), None)
            .map_err(|error| unreadable(&error))?
            .next();
        batch
            .ok_or_else(missing)?
            .map_err(|error| unreadable(&error))
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> Option<&std::path::Path> {
        self.file.path()
    }
}

pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::Storage,
        format!("a stored result cannot be read: {error}"),
    )
}

/// A file of batches that is being written.
pub(super) struct BatchFileWriter {
    file: Arc<dyn SpillFile>,
    writer: Counted<BufWriter<Box<dyn SpillWriter>>>,
    offsets: Vec<u64>,
}

impl std::fmt::Debug for BatchFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchFileWriter")
            .field("path", &self.file.path())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

impl BatchFileWriter {
    /// Creates a file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub(super) fn create(file: Arc<dyn SpillFile>) -> Result<Self> {
        let writer = file.open_writer().map_err(from_engine)?;
        let writer = BufWriter::with_capacity(WRITE_BUFFER, writer);
        Ok(Self {
            file,
            writer: Counted { writer, written: 0 },
            offsets: Vec::new(),
        })
    }

    /// Returns the size of the file, in bytes.
    pub(super) fn written(&self) -> u64 {
        self.writer.written
    }

    /// Appends a batch, on a blocking thread.
    ///
    /// # Errors
    ///
    /// The spill directory is full, or cannot be written.
    pub(super) async fn write(mut self, batch: RecordBatch) -> Result<Self> {
        let writing = tokio::task::spawn_blocking(move || {
            self.offsets.push(self.writer.written);
            encode(&mut self.writer, &batch).map_err(unwritable)?;
            Ok(self)
        });
        let written = writing.await;
        written.map_err(|error| Error::internal(format!("a result cannot be stored: {error}")))?
    }

    pub(super) fn finish(self) -> BatchFile {
        BatchFile {
            file: self.file,
            offsets: self.offsets,
        }
    }
}

fn encode(writer: &mut impl Write, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
    let mut stream = StreamWriter::try_new(&mut *writer, &batch.schema())?;
    stream.write(batch)?;
    stream.finish()?;
    writer.flush()?;
    Ok(())
}

/// Distinguishes a full disk and an exceeded spill limit from other errors.
///
/// Inspects the message, because the engine's writer wraps system errors.
fn unwritable(error: ArrowError) -> Error {
    const FULL: [&str; 3] = [
        "used disk space during the spilling",
        // ENOSPC, EDQUOT.
        "(os error 28)",
        "(os error 122)",
    ];
    let text = error.to_string();
    if FULL.iter().any(|words| text.contains(words)) {
        return Error::new(
            Code::OutOfSpillSpace,
            "there is no space left to store the result in the spill directory",
        )
        .with_hint("select less, or raise engine.spill_limit");
    }
    Error::new(
        Code::Storage,
        format!("a result cannot be written to the spill directory: {text}"),
    )
}

/// A writer that counts the bytes written.
struct Counted<W> {
    writer: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_from_other_errors() {
        let system = |number| {
            let error = std::io::Error::from_raw_os_error(number);
            let wrapped = datafusion::error::DataFusionError::IoError(error);
            unwritable(std::io::Error::from(wrapped).into()).code()
        };
        let [no_space, no_quota, broken] = [28, 122, 5].map(system);
        assert_eq!(no_space, Code::OutOfSpillSpace);
        assert_eq!(no_quota, Code::OutOfSpillSpace);
        assert_eq!(broken, Code::Storage);
    }
}
