//! Streams a result to the client, batch by batch, at the client's pace.

use std::ops::Range;

use bytes::BytesMut;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::StreamExt;
use lakegate_error::{Error, Result};
use lakegate_gateway::values::IntervalStyle;
use lakegate_gateway::values::time::DateOrder;
use lakegate_gateway::{BatchStream, Origin, QueryWatch, Rows, Settings};

use super::backend;
use super::encode::{BatchEncoder, DateForm, Format, RowEncoder, Style, ZoneName};
use super::link::{Ended, Link, WRITE_AT};
use super::types::with_length;

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
    let zone = super::encode::Zone::parse(&settings.time_zone());
    let float_digits = value("extra_float_digits")
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(1);
    let records = value("struct_output").is_some_and(|shown| shown == "composite");
    let flat_arrays = value("array_output").is_some_and(|shown| shown == "json");
    let intervals = value("IntervalStyle").map_or(IntervalStyle::default(), |name| {
        IntervalStyle::of_name(&name)
    });
    let dates = value("DateStyle").unwrap_or_default();
    Style {
        zone,
        zone_name: ZoneName::of_setting(&value("TimeZone").unwrap_or_default()),
        float_digits,
        records,
        flat_arrays,
        intervals,
        dates: DateForm::of_setting(&dates),
        order: DateOrder::of_setting(&dates),
        escaped_bytes: value("bytea_output").is_some_and(|shown| shown == "escape"),
        encoding: settings.client_encoding(),
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
        .map(|((f, origin), format)| {
            let length = origin.and_then(|origin| origin.length);
            let shown = with_length(style.type_of(f), length);
            (f.name().as_str(), origin, shown, format)
        })
        .collect();
    let start = link.out.len();
    backend::row_description(&mut link.out, columns.into_iter());
    link.convert(start)
}

/// A result whose rows may be partly sent.
pub(super) struct Running {
    pub tag: &'static str,
    stream: BatchStream,
    /// Records how far the client has read, and is charged for encoding.
    query: Option<QueryWatch>,
    /// The current batch, and its next row.
    batch: Option<(RecordBatch, usize)>,
    encoder: RowEncoder,
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
            encoder,
            done: false,
        }
    }

    /// Encodes the next rows with this encoder, and returns the one before it.
    pub(crate) fn encode_with(&mut self, encoder: RowEncoder) -> RowEncoder {
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
    ///
    /// `put`: appends rows of a batch until there is enough output to write, and returns the row after
    /// the last one.
    pub(crate) async fn send(
        &mut self,
        link: &mut Link,
        limit: Option<u64>,
        put: impl FnMut(&mut BytesMut, &mut BatchEncoder<'_>, Range<usize>) -> Result<usize>,
    ) -> Result<u64, Failed> {
        match self.query.clone() {
            Some(query) => query.metered(self.send_rows(link, limit, put)).await,
            None => self.send_rows(link, limit, put).await,
        }
    }

    async fn send_rows(
        &mut self,
        link: &mut Link,
        limit: Option<u64>,
        mut put: impl FnMut(&mut BytesMut, &mut BatchEncoder<'_>, Range<usize>) -> Result<usize>,
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
            {
                let mut rows = self.encoder.batch(&batch)?;
                let mut next = first;
                while next < end {
                    next = put(&mut link.out, &mut rows, next..end)?;
                    if next < end || link.out.len() >= WRITE_AT {
                        link.flush().await?;
                        if let Some(query) = &self.query {
                            query.client_takes();
                        }
                    }
                }
            }
            sent += (end - first) as u64;
            if end < batch.num_rows() {
                self.batch = Some((batch, end));
            }
        }
        Ok(sent)
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
