//! Streams a result to the client, batch by batch, at the client's pace.
//!
//! ```text
//! few values     encode ─▶ output ─▶ write
//!
//! many values    encode rows on the query threads ─▶ output ─▶ encode … ─▶ output
//!                                                     write the output ─▶  write
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::StreamExt;
use lakegate_error::{Error, Result};
use lakegate_gateway::values::IntervalStyle;
use lakegate_gateway::{BatchStream, Origin, QueryWatch, Rows, Session, Settings};

use super::backend;
use super::copy::{BINARY_HEAD, Lines};
use super::encode::{BatchEncoder, Format, RowEncoder, Style};
use super::link::{Ended, Link, WRITE_AT};

/// The least number of values in a batch that is encoded on the query threads. To hand them over takes
/// as long as to encode a tenth of them.
const MANY_VALUES: usize = 16 * 1024;
/// Bytes of output that the query threads encode at once: TLS takes 64 KiB at once.
const AHEAD: usize = 4 * 64 * 1024 - 4 * 1024;

/// Why a statement ends early: it failed, or the connection is over.
#[derive(Debug)]
pub(super) enum Failed {
    Statement(Error),
    Connection(Ended),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Statement(error)
    }
}

impl From<Ended> for Failed {
    fn from(ended: Ended) -> Self {
        Failed::Connection(ended)
    }
}

/// Returns the settings that text output depends on.
pub(super) fn style(settings: &Settings) -> Style {
    let value = |name: &str| settings.get(name).ok();
    let zone = value("TimeZone").map_or(super::encode::Zone::UTC, |name| {
        super::encode::Zone::parse(&name)
    });
    let float_digits = value("extra_float_digits")
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(1);
    let records = value("struct_output").is_some_and(|shown| shown == "composite");
    let flat_arrays = value("array_output").is_some_and(|shown| shown == "json");
    let intervals = value("IntervalStyle").map_or(IntervalStyle::default(), |name| {
        IntervalStyle::of_name(&name)
    });
    Style {
        zone,
        float_digits,
        records,
        flat_arrays,
        intervals,
    }
}

/// Announces the columns of a result.
///
/// `origins`: the columns of tables that they are. Columns beyond it are of none.
///
/// # Errors
///
/// The result has more columns than the protocol can count.
pub(super) fn describe(
    link: &mut Link,
    schema: &SchemaRef,
    origins: &[Option<Origin>],
    formats: &[Format],
    style: Style,
) -> Result<()> {
    if schema.fields().len() > i16::MAX as usize {
        return Err(Error::not_supported(format!(
            "a result has {} columns; Postgres' protocol counts to 32767",
            schema.fields().len()
        )));
    }
    let formats = formats
        .iter()
        .copied()
        .chain(std::iter::repeat(Format::Text));
    let origins = origins.iter().copied().chain(std::iter::repeat(None));
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .zip(origins)
        .zip(formats)
        .map(|((f, origin), format)| (f.name().as_str(), origin, style.type_of(f), format))
        .collect();
    backend::row_description(&mut link.out, columns.into_iter());
    Ok(())
}

/// What is sent for a row.
#[derive(Clone)]
pub(super) enum Form {
    /// A `DataRow`.
    Row,
    /// `CopyData` with a line.
    Line(Arc<Lines>),
    /// `CopyData` in COPY's binary format.
    Binary,
    /// Nothing: the rows are passed over.
    Nothing,
}

/// Writes rows, one after the other.
struct Writer {
    form: Form,
    /// Whether a row was written.
    begun: bool,
    scratch: BytesMut,
}

impl Writer {
    fn new(form: Form) -> Self {
        Self {
            form,
            begun: false,
            scratch: BytesMut::new(),
        }
    }

    /// Appends rows until there are `enough` bytes of output. Returns the row after the last one.
    ///
    /// Without an await, the loops over the rows keep their state in registers.
    fn fill(
        &mut self,
        out: &mut BytesMut,
        batch: &BatchEncoder<'_>,
        rows: Range<usize>,
        enough: usize,
    ) -> Result<usize> {
        let begun = std::mem::replace(&mut self.begun, true);
        let scratch = &mut self.scratch;
        match &self.form {
            Form::Row => fill(out, rows, enough, |out, row| batch.put_data_row(out, row)),
            Form::Line(lines) => fill(out, rows, enough, |out, row| {
                batch.put_copy_line(out, row, lines, scratch)
            }),
            Form::Binary => {
                // As in Postgres, the header is sent with the first row, which psycopg relies on.
                let mut head = if begun { &[] } else { BINARY_HEAD };
                fill(out, rows, enough, |out, row| {
                    batch.put_copy_binary(out, row, std::mem::take(&mut head))
                })
            }
            Form::Nothing => Ok(rows.end),
        }
    }
}

fn fill(
    out: &mut BytesMut,
    rows: Range<usize>,
    enough: usize,
    mut put: impl FnMut(&mut BytesMut, usize) -> Result<()>,
) -> Result<usize> {
    let end = rows.end;
    for row in rows {
        put(out, row)?;
        if out.len() >= enough {
            return Ok(row + 1);
        }
    }
    Ok(end)
}

/// Rows of a batch that the query threads encode while the connection writes the rows before them.
struct Ahead {
    encoder: Arc<RowEncoder>,
    batch: RecordBatch,
    writer: Writer,
    /// Empty.
    out: BytesMut,
}

impl Ahead {
    /// Returns the output and the row after the last one in it.
    fn encode(mut self, rows: Range<usize>) -> Result<(Writer, BytesMut, usize)> {
        let batch = self.encoder.batch(&self.batch)?;
        let next = self.writer.fill(&mut self.out, &batch, rows, AHEAD)?;
        Ok((self.writer, self.out, next))
    }
}

/// A result whose rows may be partly sent.
pub(super) struct Running {
    pub tag: &'static str,
    stream: BatchStream,
    /// Records how far the client has read, and is charged for encoding.
    query: Option<QueryWatch>,
    /// The current batch, and its next row.
    batch: Option<(RecordBatch, usize)>,
    encoder: Arc<RowEncoder>,
    done: bool,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("tag", &self.tag)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Running {
    pub(crate) fn new(rows: Rows, formats: &[Format], style: Style) -> Self {
        let encoder = RowEncoder::new(&rows.schema, formats, style);
        Self {
            tag: rows.tag,
            stream: rows.stream,
            query: rows.query,
            batch: None,
            encoder: Arc::new(encoder),
            done: false,
        }
    }

    /// Encodes the next rows with this encoder, and returns the one before it.
    pub(crate) fn encode_with(&mut self, encoder: Arc<RowEncoder>) -> Arc<RowEncoder> {
        std::mem::replace(&mut self.encoder, encoder)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Returns the query that produces the rows; `None` for SHOW, FETCH and the like.
    pub(crate) fn query(&self) -> Option<&QueryWatch> {
        self.query.as_ref()
    }

    /// Sends rows until the end or until `limit` rows are sent; returns the count. Dropping the
    /// future drops the stream's batch, which cancels the query.
    pub(crate) async fn send(
        &mut self,
        link: &mut Link,
        session: &Session,
        limit: Option<u64>,
        form: Form,
    ) -> Result<u64, Failed> {
        let writer = Writer::new(form);
        match self.query.clone() {
            Some(query) => {
                query
                    .metered(self.send_rows(link, session, limit, writer))
                    .await
            }
            None => self.send_rows(link, session, limit, writer).await,
        }
    }

    async fn send_rows(
        &mut self,
        link: &mut Link,
        session: &Session,
        limit: Option<u64>,
        mut writer: Writer,
    ) -> Result<u64, Failed> {
        let mut sent = 0;
        while limit.is_none_or(|limit| sent < limit) {
            let (batch, first) = match self.batch.take() {
                Some(begun) => begun,
                None => match self.next(link, sent > 0).await? {
                    Some(batch) => (batch, 0),
                    None => {
                        self.done = true;
                        break;
                    }
                },
            };
            let rest = (batch.num_rows() - first) as u64;
            let end = first + limit.map_or(rest, |limit| rest.min(limit - sent)) as usize;
            let rows = first..end;
            let values = rows.len().saturating_mul(batch.num_columns());
            writer = match values < MANY_VALUES || matches!(writer.form, Form::Nothing) {
                true => self.send_here(link, &batch, rows, writer).await?,
                false => self.send_ahead(link, session, &batch, rows, writer).await?,
            };
            sent += (end - first) as u64;
            if end < batch.num_rows() {
                self.batch = Some((batch, end));
            }
        }
        Ok(sent)
    }

    /// Encodes rows on the thread of the connection.
    async fn send_here(
        &mut self,
        link: &mut Link,
        batch: &RecordBatch,
        rows: Range<usize>,
        mut writer: Writer,
    ) -> Result<Writer, Failed> {
        let encoder = Arc::clone(&self.encoder);
        let encoder = encoder.batch(batch)?;
        let mut next = rows.start;
        while next < rows.end {
            next = writer.fill(&mut link.out, &encoder, next..rows.end, WRITE_AT)?;
            if link.out.len() >= WRITE_AT {
                self.flush(link).await?;
            }
        }
        Ok(writer)
    }

    /// Encodes rows on the query threads, while the rows before them are written.
    async fn send_ahead(
        &mut self,
        link: &mut Link,
        session: &Session,
        batch: &RecordBatch,
        rows: Range<usize>,
        mut writer: Writer,
    ) -> Result<Writer, Failed> {
        let mut out = BytesMut::new();
        let mut next = rows.start;
        while next < rows.end {
            let ahead = Ahead {
                encoder: Arc::clone(&self.encoder),
                batch: batch.clone(),
                writer,
                out,
            };
            let rest = next..rows.end;
            let encoding = session.aside(move || ahead.encode(rest));
            let encoded;
            (writer, encoded, next) = link.run_and_write(encoding).await???;
            self.flush(link).await?;
            out = std::mem::replace(&mut link.out, encoded);
        }
        Ok(writer)
    }

    /// Writes all output, and records that the client has taken it.
    async fn flush(&mut self, link: &mut Link) -> Result<(), Failed> {
        link.flush().await?;
        if let Some(query) = &self.query {
            query.client_takes();
        }
        Ok(())
    }

    async fn next(&mut self, link: &mut Link, begun: bool) -> Result<Option<RecordBatch>, Failed> {
        let next = self.stream.next();
        // Rows that are ready do not wait for later ones; a short answer stays one packet.
        let batch = if begun {
            link.run_and_write(next).await?
        } else {
            link.run(next).await?
        };
        Ok(batch.transpose()?)
    }
}
