//! A stripe of a new file: its columns, one after the other, and its index and footer.
//!
//! ```text
//!  index of each column: for 10,000 rows where they begin, and what they have │ streams │ footer
//! ```

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::emit::Position;
use super::encode::{Column, Encoded};
use super::new_texts::Dictionary;
use super::pack::{Packed, Packer};
use super::stripe::{Encoding, ROW_INDEX};
use super::summary::Summary;
use super::tail::Stripe;
use super::wire::Message;

/// Rows that an entry of the index is of.
pub(super) const GROUP_ROWS: usize = 10_000;

/// The rows of a stripe, by the groups of the index.
pub(super) struct Groups(Vec<Vec<RecordBatch>>);

impl Groups {
    pub(super) fn new(batches: Vec<RecordBatch>) -> Self {
        let mut groups = Vec::new();
        let mut group: Vec<RecordBatch> = Vec::new();
        let mut room = GROUP_ROWS;
        for batch in batches {
            let mut from = 0;
            while from < batch.num_rows() {
                let some = room.min(batch.num_rows() - from);
                group.push(batch.slice(from, some));
                (from, room) = (from + some, room - some);
                if room == 0 {
                    groups.push(std::mem::take(&mut group));
                    room = GROUP_ROWS;
                }
            }
        }
        if !group.is_empty() {
            groups.push(group);
        }
        Self(groups)
    }

    /// The struct of the rows.
    pub(super) fn row(&self) -> Encoded {
        let groups = self.0.iter().map(|group| {
            let values = group.iter().map(|batch| batch.num_rows() as u64).sum();
            let summary = Summary {
                values,
                ..Summary::default()
            };
            (Vec::new(), summary)
        });
        Encoded {
            encoding: Encoding::default(),
            streams: Vec::new(),
            groups: groups.collect(),
        }
    }

    /// A column of the rows, and those inside of it.
    ///
    /// # Errors
    /// Values of its type are not encoded.
    pub(super) fn column(
        &self,
        place: usize,
        data_type: &DataType,
    ) -> Result<Vec<Encoded>, ArrowError> {
        let mut column = Column::new(data_type)?;
        if *data_type == DataType::Utf8 {
            let batches = self.0.iter().flatten();
            let arrays = batches.filter_map(|batch| batch.columns().get(place));
            if let Some(dictionary) = Dictionary::of(arrays) {
                column = column.with(dictionary);
            }
        }
        for group in &self.0 {
            let arrays = group.iter().filter_map(|batch| batch.columns().get(place));
            for array in arrays {
                column.add(array)?;
            }
            column.end_group();
        }
        let mut encoded = Vec::new();
        column.finish(&mut encoded);
        Ok(encoded)
    }
}

/// A stripe that gets its columns, in the order of their numbers.
pub(super) struct NewStripe {
    packer: Packer,
    index: Vec<u8>,
    data: Vec<u8>,
    index_streams: Message,
    data_streams: Message,
    encodings: Message,
    /// Of the columns so far.
    pub summaries: Vec<Summary>,
}

impl NewStripe {
    pub(super) fn new(packer: Packer) -> Self {
        Self {
            packer,
            index: Vec::new(),
            data: Vec::new(),
            index_streams: Message::default(),
            data_streams: Message::default(),
            encodings: Message::default(),
            summaries: Vec::new(),
        }
    }

    /// Appends the next column.
    ///
    /// # Errors
    /// As of [`Packer::pack`].
    pub(super) fn add(&mut self, column: Encoded) -> io::Result<()> {
        let id = self.summaries.len() as u64;
        let mut packed = Vec::with_capacity(column.streams.len());
        for (kind, bytes) in column.streams {
            let stream = self.packer.pack(bytes)?;
            self.data_streams.bytes(1, &stream_of(id, kind, &stream));
            self.data.extend_from_slice(&stream.bytes);
            packed.push(Packed {
                // Only the places of its blocks are needed any more.
                bytes: Vec::new(),
                ..stream
            });
        }
        let mut whole = Summary::default();
        let mut entries = Message::default();
        for (begin, summary) in &column.groups {
            entries.bytes(1, &entry(&packed, begin, summary));
            whole.add(summary);
        }
        let index = self.packer.pack(entries.0)?;
        self.index_streams
            .bytes(1, &stream_of(id, ROW_INDEX, &index));
        self.index.extend_from_slice(&index.bytes);
        self.encodings.bytes(2, &column.encoding.message());
        self.summaries.push(whole);
        Ok(())
    }

    /// The parts of the stripe, and where it is if it begins at `offset`.
    ///
    /// # Errors
    /// As of [`Packer::pack`].
    pub(super) fn finish(self, offset: u64, rows: u64) -> io::Result<([Vec<u8>; 3], Stripe)> {
        let mut footer = self.index_streams;
        footer.0.extend_from_slice(&self.data_streams.0);
        footer.0.extend_from_slice(&self.encodings.0);
        footer.bytes(3, b"UTC");
        let footer = self.packer.pack(footer.0)?.bytes;
        let stripe = Stripe {
            offset,
            index: self.index.len() as u64,
            data: self.data.len() as u64,
            footer: footer.len() as u64,
            rows,
            columns: Vec::new(),
        };
        Ok(([self.index, self.data, footer], stripe))
    }
}

fn stream_of(id: u64, kind: u64, stream: &Packed) -> Vec<u8> {
    let mut message = Message::default();
    message.number(1, kind);
    message.number(2, id);
    message.number(3, stream.bytes.len() as u64);
    message.0
}

/// An entry of the index.
fn entry(streams: &[Packed], begin: &[Position], summary: &Summary) -> Vec<u8> {
    let mut places = Vec::new();
    for (stream, position) in streams.iter().zip(begin) {
        stream.locate(*position, &mut places);
    }
    let mut entry = Message::default();
    entry.packed(1, &places);
    entry.bytes(2, &summary.message());
    entry.0
}
