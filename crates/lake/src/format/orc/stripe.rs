//! The footer of a stripe: where the streams of its columns are, and how they are encoded.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono_tz::Tz;

use super::blocks::Blocks;
use super::tail::Stripe;
use super::types::Types;
use super::wire::{Fields, Message};
use super::{Fault, Result, broken};

/// Bytes of the wanted columns of one stripe at most, once decompressed.
pub(super) const MAX_STRIPE: usize = 1024 * 1024 * 1024;

/// Streams of a stripe at most.
const MAX_STREAMS: usize = 1 << 20;

/// Kinds of streams, by their numbers in the file.
pub(super) const PRESENT: u64 = 0;
pub(super) const DATA: u64 = 1;
pub(super) const LENGTH: u64 = 2;
pub(super) const DICTIONARY: u64 = 3;
pub(super) const SECONDARY: u64 = 5;
pub(super) const ROW_INDEX: u64 = 6;

/// The streams that rows are decoded from; the others are indexes.
const READ: [u64; 5] = [PRESENT, DATA, LENGTH, DICTIONARY, SECONDARY];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    pub column: u32,
    pub kind: u64,
    /// Where in the file it is.
    pub range: Range<u64>,
}

/// How a column is encoded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Encoding {
    /// 0: direct, 1: dictionary; 2 and 3: the same with integers of the second version.
    pub kind: u64,
    pub dictionary: u64,
}

impl Encoding {
    pub(super) fn has_dictionary(self) -> bool {
        self.kind & 1 == 1
    }

    /// Whether integers are encoded in the second version.
    pub(super) fn is_second(self) -> bool {
        self.kind >= 2
    }

    /// As the footer of a stripe has it.
    pub(super) fn message(self) -> Vec<u8> {
        let mut message = Message::default();
        message.number(1, self.kind);
        if self.has_dictionary() {
            message.number(2, self.dictionary);
        }
        message.0
    }
}

#[derive(Debug, Default)]
pub(super) struct StripeFooter {
    streams: Vec<Stream>,
    encodings: Vec<Encoding>,
    /// The time zone that times without a zone were written in.
    zone: Option<String>,
}

impl StripeFooter {
    /// Reads the footer of a stripe. `bytes`: as they are in the file.
    ///
    /// # Errors
    /// It is damaged; a stream lies outside of the stripe.
    pub(super) fn parse(bytes: &[u8], blocks: Blocks, stripe: &Stripe) -> Result<Self> {
        let mut unpacked = Vec::new();
        blocks.unpack(bytes, MAX_STRIPE, &mut unpacked)?;
        let mut footer = Self::default();
        let place = stripe.streams();
        let mut start = place.start;
        let mut fields = Fields(&unpacked);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 if footer.streams.len() == MAX_STREAMS => {
                    return Err(broken("a stripe has too many streams"));
                }
                1 => {
                    let stream = stream(value.bytes()?, start)?;
                    start = stream.range.end;
                    if start > place.end {
                        return Err(broken("a stream is longer than its stripe"));
                    }
                    footer.streams.push(stream);
                }
                2 => footer.encodings.push(encoding(value.bytes()?)?),
                3 => footer.zone = Some(value.text()?.to_owned()),
                4 => {
                    return Err(Fault::NotSupported(
                        "is encrypted, which is not supported".to_owned(),
                    ));
                }
                _ => {}
            }
        }
        Ok(footer)
    }

    /// The streams that the rows of some columns are decoded from. `columns`: of rows, by their
    /// numbers.
    ///
    /// # Errors
    /// A column has two streams of one kind.
    pub(super) fn wanted(&self, types: &Types, columns: &[u32]) -> Result<Vec<Stream>> {
        let ranges: Vec<Range<u32>> = columns.iter().map(|id| types.range(*id)).collect();
        let is_wanted = |stream: &&Stream| {
            READ.contains(&stream.kind) && ranges.iter().any(|range| range.contains(&stream.column))
        };
        let mut seen = HashSet::new();
        let mut length = 0_u64;
        let mut wanted = Vec::new();
        for stream in self.streams.iter().filter(is_wanted) {
            if !seen.insert((stream.column, stream.kind)) {
                return Err(broken(format!(
                    "column {} has two streams of one kind",
                    stream.column
                )));
            }
            length += stream.range.end - stream.range.start;
            wanted.push(stream.clone());
        }
        if length > MAX_STRIPE as u64 {
            return Err(broken(format!(
                "the columns of a stripe have {length} bytes, of at most {MAX_STRIPE}"
            )));
        }
        Ok(wanted)
    }

    /// # Errors
    /// The column has none.
    pub(super) fn encoding(&self, column: u32) -> Result<Encoding> {
        let found = self.encodings.get(column as usize);
        found
            .copied()
            .ok_or_else(|| broken(format!("column {column} has no encoding")))
    }

    /// The time zone to convert times from; `None`: they are in UTC.
    ///
    /// # Errors
    /// The zone is not known.
    pub(super) fn zone(&self) -> Result<Option<Tz>> {
        let zone = self.zone.as_deref().unwrap_or_default().trim();
        match zone {
            "" | "UTC" | "GMT" | "Etc/UTC" | "Etc/GMT" | "Z" => Ok(None),
            _ => zone.parse().map(Some).map_err(|_| {
                Fault::NotSupported(format!(
                    "has times in time zone '{}', which is not known",
                    zone.escape_default()
                ))
            }),
        }
    }
}

fn stream(bytes: &[u8], start: u64) -> Result<Stream> {
    let (mut kind, mut column, mut length) = (0, 0, 0);
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => kind = value.number()?,
            2 => column = value.small()?,
            3 => length = value.number()?,
            _ => {}
        }
    }
    let end = start.checked_add(length);
    let end = end.ok_or_else(|| broken("a stream is longer than its stripe"))?;
    Ok(Stream {
        column,
        kind,
        range: start..end,
    })
}

fn encoding(bytes: &[u8]) -> Result<Encoding> {
    let mut encoding = Encoding::default();
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => encoding.kind = value.number()?,
            2 => encoding.dictionary = value.number()?,
            _ => {}
        }
    }
    match encoding.kind {
        0..=3 => Ok(encoding),
        other => Err(broken(format!("a column has the unknown encoding {other}"))),
    }
}

/// Streams of one stripe, decompressed.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: HashMap<(u32, u64), Vec<u8>>,
    bytes: usize,
}

impl Streams {
    /// Adds a stream. `bytes`: as they are in the file.
    ///
    /// # Errors
    /// They are damaged; the stripe has too many.
    pub(super) fn add(&mut self, stream: &Stream, bytes: &[u8], blocks: Blocks) -> Result<()> {
        let mut unpacked = Vec::new();
        blocks.unpack(bytes, MAX_STRIPE - self.bytes, &mut unpacked)?;
        self.bytes += unpacked.len();
        self.streams.insert((stream.column, stream.kind), unpacked);
        Ok(())
    }

    pub(super) fn get(&self, column: u32, kind: u64) -> Option<&[u8]> {
        self.streams.get(&(column, kind)).map(Vec::as_slice)
    }

    /// Puts another stream in the place of one.
    pub(super) fn replace(&mut self, column: u32, kind: u64, stream: Vec<u8>) {
        self.bytes += stream.len();
        if let Some(old) = self.streams.insert((column, kind), stream) {
            self.bytes -= old.len();
        }
    }

    /// The bytes of all streams.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the streams of a column, by their kinds.
    pub(super) fn take(&mut self, column: u32) -> impl Iterator<Item = (u64, Vec<u8>)> {
        READ.into_iter().filter_map(move |kind| {
            let stream = self.streams.remove(&(column, kind))?;
            Some((kind, stream))
        })
    }
}
