//! Reads one file, or one byte range of it, into record batches.

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::Count;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakegate_error::{Code, Error, from_engine};

use super::framing::{FrameError, Framing, Lines};
use super::input::{self, Compression, Input, PlannedFile};
use super::records::Records;
use super::rows::{MAX_CELLS, RowDecoder};
use crate::sight::Sight;

/// A batch ends after this many bytes of lines, however few rows they are.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How a file is to be read.
pub(super) struct FileRead {
    pub file: PlannedFile,
    /// Of the lines that start in these bytes. None: all.
    pub range: Option<std::ops::Range<u64>>,
    /// The file as a user knows it, for errors.
    pub url: String,
    pub header_lines: u64,
    /// The rows are the records of CloudTrail's files. Then the range is all of the file.
    pub is_of_records: bool,
    pub batch_size: usize,
    /// The longest row, in bytes after decompression.
    pub max_row_bytes: usize,
    pub decoder: Box<dyn RowDecoder>,
    pub malformed: Count,
    pub sight: Sight,
}

impl FileRead {
    /// # Errors
    /// The store; a compression that is not supported.
    pub(super) async fn open(
        self,
    ) -> Result<BoxStream<'static, Result<RecordBatch, DataFusionError>>, DataFusionError> {
        let sight = self.sight.clone();
        self.opened().await.map_err(|error| reported(&sight, error))
    }

    async fn opened(
        self,
    ) -> Result<BoxStream<'static, Result<RecordBatch, DataFusionError>>, DataFusionError> {
        let input = input::open(self.file, self.range).await?;
        if let Compression::Other(name) = input.compression {
            return Err(Error::not_supported(format!(
                "file {} is compressed with {name}, which is not supported for text",
                self.url
            ))
            .of_a_file(format!(
                " is compressed with {name}, which is not supported for text"
            ))
            .with_hint("unpack the files, or compress them with gzip, zstd, bzip2, snappy or lz4")
            .into());
        }
        let Input {
            pieces,
            compression,
            range,
        } = input;
        let start = range.as_ref().map_or(0, |range| range.start);
        let framing = if self.is_of_records {
            Framing::Records(Records::new(self.max_row_bytes))
        } else {
            let mut lines = Lines::new(start.saturating_sub(1), self.max_row_bytes);
            if start > 0 {
                lines.drop_first();
            }
            Framing::Lines(lines)
        };
        let batches = Batches {
            pieces,
            place: Place {
                url: self.url,
                compression,
                numbered: start == 0,
                unit: framing.unit(),
            },
            framing,
            decoder: self.decoder,
            end: range.map_or(u64::MAX, |range| range.end),
            headers: if start > 0 { 0 } else { self.header_lines },
            batch_size: self.batch_size,
            max_row_bytes: self.max_row_bytes,
            malformed: self.malformed,
            done: false,
        };
        let sight = self.sight;
        Ok(
            futures::stream::try_unfold(batches, |mut batches| async move {
                Ok(batches.next().await?.map(|batch| (batch, batches)))
            })
            .map_err(move |error| reported(&sight, error))
            .boxed(),
        )
    }
}

struct Batches {
    pieces: BoxStream<'static, std::io::Result<bytes::Bytes>>,
    framing: Framing,
    decoder: Box<dyn RowDecoder>,
    /// Lines that start here or later belong to the next range.
    end: u64,
    headers: u64,
    batch_size: usize,
    max_row_bytes: usize,
    place: Place,
    malformed: Count,
    done: bool,
}

/// Why no more lines are decoded for now.
enum Step {
    /// The batch is full, or the range is done.
    Ended,
    /// More bytes are needed.
    More,
    /// Others must have their turn.
    Pause,
}

impl Batches {
    async fn next(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        let mut bytes = 0;
        while !self.done {
            match self.decode_lines(&mut bytes)? {
                Step::Ended => break,
                Step::Pause => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Step::More => {}
            }
            if self.framing.is_ended() || self.framing.offset() >= self.end {
                self.done = true;
                break;
            }
            match self.pieces.next().await {
                Some(Ok(piece)) => self.framing.push(piece),
                Some(Err(error)) => return Err(self.place.read_error(error)),
                None => self.framing.end(),
            }
            // A store in memory is always ready: others must have their turn.
            tokio::task::consume_budget().await;
        }
        let rows = self.decoder.rows();
        self.malformed.add(std::mem::take(&mut rows.malformed));
        if rows.count == 0 {
            return Ok(None);
        }
        Ok(Some(rows.flush()?))
    }

    /// Decodes what lines are at hand.
    fn decode_lines(&mut self, bytes: &mut usize) -> Result<Step, DataFusionError> {
        loop {
            let rows = self.decoder.rows();
            // Blank lines alone, however many, are no batch: an empty one would end the file.
            let large = *bytes >= BATCH_BYTES || rows.cells >= MAX_CELLS;
            if rows.count >= self.batch_size || (large && rows.count > 0) {
                return Ok(Step::Ended);
            }
            let number = self.framing.number() + 1;
            let next_offset = self.framing.offset();
            let line = match self.framing.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(Step::More),
                Err(FrameError::Broken(what)) => {
                    let message = format!("file {} cannot be read: {what}", self.place.url);
                    return Err(bad_data(message, format!(" cannot be read: {what}")));
                }
                Err(FrameError::TooLong) => {
                    let what = format!(
                        "a row has at most {} bytes, this one has more (lake.max_row_size)",
                        self.max_row_bytes
                    );
                    let at = self.place.at(number, next_offset);
                    let reported = format!("{}: {what}", self.place.anonymous(number));
                    return Err(bad_data(format!("{at}: {what}"), reported));
                }
            };
            if line.offset >= self.end {
                self.done = true;
                return Ok(Step::Ended);
            }
            if self.headers > 0 {
                self.headers -= 1;
                continue;
            }
            *bytes += line.bytes.len();
            if let Err(bad) = self.decoder.decode(line.bytes) {
                let what = bad.of_a_column().unwrap_or("it is malformed");
                let reported = format!("{}: {what}", self.place.anonymous(number));
                let at = self.place.at(number, line.offset);
                return Err(bad_data(format!("{at}: {bad}"), reported));
            }
            if self.decoder.wants_pause() {
                return Ok(Step::Pause);
            }
        }
    }
}

/// `reported`: the text that shows neither the file's name nor its content.
fn bad_data(message: String, reported: String) -> DataFusionError {
    Error::new(Code::BadData, message)
        .of_a_file(reported)
        .into()
}

/// An error as it is reported with this sight.
fn reported(sight: &Sight, error: DataFusionError) -> DataFusionError {
    if sight.is_whole() {
        return error;
    }
    sight.of_file(from_engine(error)).into()
}

/// Where in which file an error is.
struct Place {
    url: String,
    compression: Compression,
    /// Lines are counted from the file's start.
    numbered: bool,
    /// A line or a record.
    unit: &'static str,
}

impl Place {
    fn at(&self, number: u64, offset: u64) -> String {
        if self.numbered {
            format!("file {} {} {number}", self.url, self.unit)
        } else {
            format!("file {} {} at byte {offset}", self.url, self.unit)
        }
    }

    /// Without the file's name. The offset of a line is left out: it would reveal the sizes of
    /// hidden columns.
    fn anonymous(&self, number: u64) -> String {
        if self.numbered {
            format!(" {} {number}", self.unit)
        } else {
            String::new()
        }
    }

    /// An error of the store comes back as what it was; others are the decompressor's.
    fn read_error(&self, error: std::io::Error) -> DataFusionError {
        match error.downcast::<object_store::Error>() {
            Ok(store) => DataFusionError::ObjectStore(Box::new(store)),
            Err(error) => {
                let kind = self.compression.name();
                bad_data(
                    format!(
                        "file {} cannot be decompressed as {kind}: {error}; it is damaged or cut short",
                        self.url
                    ),
                    format!(" cannot be decompressed as {kind}; it is damaged or cut short"),
                )
            }
        }
    }
}
