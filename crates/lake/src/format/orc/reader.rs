//! Reads ORC files for the engine's scans, stripe by stripe.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;
use lakegate_error::{Code, Error, Result};

use super::Fault;
use super::decode::Rows;
use super::statistics;
use super::stripe::{Streams, StripeFooter};
use super::tail::{Stripe, Tail};
use super::types::Types;
use crate::format::Places;
use crate::format::columns::Mapping;
use crate::format::files::{Batches, FileReader, OpenedFile, ranges, refused_column};

/// How a table's columns are found in a file.
#[derive(Debug, Clone)]
pub(super) struct OrcReader {
    /// By their places; else by their names, whatever their case.
    pub by_place: bool,
    /// Of the columns that a principal may select among all that the table has.
    pub places: Places,
}

impl OrcReader {
    /// For each of the table's columns its place among those of the file's rows; `None`: the file
    /// lacks it.
    pub(super) fn found(&self, types: &Types, table: &SchemaRef) -> Vec<Option<usize>> {
        let columns: Vec<(u32, &str)> = types.columns().collect();
        let fields = table.fields().iter().enumerate();
        fields
            .map(|(index, field)| match self.by_place {
                true => Some(self.places.of(index)).filter(|place| *place < columns.len()),
                false => {
                    let name = field.name();
                    columns.iter().position(|(_, found)| found == name)
                }
            })
            .collect()
    }
}

#[async_trait]
impl FileReader for OrcReader {
    fn name(&self) -> &'static str {
        "ORC"
    }

    fn splits_files(&self) -> bool {
        true
    }

    async fn open(&self, file: OpenedFile) -> Result<Batches> {
        let tail = file
            .footers
            .tail(&file.root, &file.meta, &file.meter)
            .await?;
        let found = self.found(&tail.types, &file.file_schema);
        let columns: Vec<(u32, &str)> = tail.types.columns().collect();
        let mut wanted = Vec::new();
        let mut mapped = Vec::new();
        for index in file.columns.iter() {
            let place = found.get(*index).copied().flatten();
            let Some((id, name)) = place.and_then(|place| columns.get(place)) else {
                mapped.push(None);
                continue;
            };
            if let Some(why) = tail.types.refused(*id) {
                let declared = file.file_schema.fields().get(*index);
                let declared = declared.map_or(*name, |field| field.name().as_str());
                return Err(refused_column(&file.url, declared, &why));
            }
            let field = Field::new(*name, tail.types.arrow(*id), true);
            let known = wanted.iter().position(|known| known == id);
            let place = known.unwrap_or_else(|| {
                wanted.push(*id);
                wanted.len() - 1
            });
            mapped.push(Some((place, field)));
        }
        let mapping = Mapping::new(&file, mapped)?;
        let stripes = stripes(&file, &tail, &found);
        let scan = Scan {
            source: Source {
                file,
                tail,
                mapping,
                wanted,
            },
            stripes,
            open: None,
            bare: 0,
        };
        let batches = futures::stream::try_unfold(scan, |mut scan| async move {
            Ok::<_, Error>(scan.next().await?.map(|batch| (batch, scan)))
        });
        Ok(batches.boxed())
    }
}

/// The stripes of a file's range that can hold a matching row.
fn stripes(file: &OpenedFile, tail: &Tail, found: &[Option<usize>]) -> VecDeque<Stripe> {
    let matching = match &file.predicate {
        Some(_) => file.matching(&statistics::of_stripes(tail, &file.file_schema, found)),
        None => Vec::new(),
    };
    let mut matching = matching.into_iter();
    let mut stripes = VecDeque::new();
    for stripe in &tail.stripes {
        let is_matching = matching.next().unwrap_or(true);
        let range = file.range.as_ref();
        let is_here = range.is_none_or(|range| range.contains(&stripe.offset));
        if is_matching && is_here && stripe.rows > 0 {
            stripes.push_back(Stripe {
                columns: Vec::new(),
                ..stripe.clone()
            });
        }
    }
    stripes
}

/// What is read of one file.
struct Source {
    file: OpenedFile,
    tail: Arc<Tail>,
    mapping: Mapping,
    /// The columns of the file's rows that are read, by their numbers.
    wanted: Vec<u32>,
}

impl Source {
    fn batch(&self, columns: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        self.mapping.batch(&self.file, columns, rows)
    }

    fn fault(&self, fault: Fault) -> Error {
        fault.of("ORC", &self.file.url)
    }

    async fn read(&self, wanted: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let store = self.file.store.as_ref();
        let path = &self.file.meta.location;
        ranges("ORC", store, path, &self.file.url, wanted).await
    }

    /// Holds `bytes` of the query's memory for a stripe.
    fn hold(&self, memory: Option<&MemoryReservation>, bytes: usize) -> Result<()> {
        let held = memory.map_or(Ok(()), |memory| memory.try_resize(bytes));
        held.map_err(|_| {
            let what = "has a stripe that does not fit in the memory that is left for queries";
            Error::new(Code::OutOfMemory, format!("file {} {what}", self.file.url))
                .of_a_file(format!(" {what}"))
                .with_detail(format!("its columns take {bytes} bytes"))
                .with_hint(
                    "read fewer columns, rewrite the file with smaller stripes, or raise engine.memory_limit",
                )
        })
    }

    async fn opened(&self, stripe: &Stripe) -> Result<OpenStripe> {
        let blocks = self.tail.blocks;
        let types = &self.tail.types;
        let mut bytes = self.read(&[stripe.footer()]).await?;
        let bytes = bytes.pop().unwrap_or_default();
        let footer = StripeFooter::parse(&bytes, blocks, stripe);
        let footer = footer.map_err(|fault| self.fault(fault))?;
        let wanted = footer.wanted(types, &self.wanted);
        let mut wanted = wanted.map_err(|fault| self.fault(fault))?;
        wanted.retain(|stream| !stream.range.is_empty());
        let places: Vec<Range<u64>> = wanted.iter().map(|stream| stream.range.clone()).collect();
        let length = |place: &Range<u64>| usize::try_from(place.end - place.start);
        // What is still to be decompressed.
        let mut packed: usize = places.iter().map(|place| length(place).unwrap_or(0)).sum();
        let memory = self.file.meter.reservation("ORC stripe");
        self.hold(memory.as_ref(), packed)?;
        let pieces = match places.is_empty() {
            true => Vec::new(),
            false => self.read(&places).await?,
        };
        let mut streams = Streams::default();
        for (stream, piece) in wanted.iter().zip(pieces) {
            let added = streams.add(stream, &piece, blocks);
            added.map_err(|fault| self.fault(fault))?;
            packed = packed.saturating_sub(piece.len());
            self.hold(memory.as_ref(), packed + streams.bytes())?;
            // Others must have their turn.
            tokio::task::consume_budget().await;
        }
        let size = self.file.batch_size;
        // The decoder gets a copy.
        let unpacked = streams.bytes();
        self.hold(memory.as_ref(), 2 * unpacked)?;
        let rows = Rows::new(types, &self.wanted, &footer, streams, stripe.rows, size);
        let rows = rows.map_err(|fault| self.fault(fault))?;
        self.hold(memory.as_ref(), unpacked)?;
        Ok(OpenStripe {
            rows,
            _memory: memory,
        })
    }
}

/// A stripe that rows are decoded from.
struct OpenStripe {
    rows: Rows,
    /// Held until the last row.
    _memory: Option<MemoryReservation>,
}

/// One file while it is read.
struct Scan {
    source: Source,
    /// Which are still to be opened.
    stripes: VecDeque<Stripe>,
    /// Of the stripe that is open.
    open: Option<OpenStripe>,
    /// Rows of which no column is read, and which are still to be returned.
    bare: u64,
}

impl Scan {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.bare > 0 {
                let rows = usize::try_from(self.bare).unwrap_or(usize::MAX);
                let rows = rows.min(self.source.file.batch_size);
                self.bare -= rows as u64;
                return self.source.batch(&[], rows).map(Some);
            }
            if let Some(open) = &mut self.open {
                let next = open.rows.next().map_err(|fault| self.source.fault(fault))?;
                if let Some((columns, rows)) = next {
                    return self.source.batch(&columns, rows).map(Some);
                }
                self.open = None;
            }
            let Some(stripe) = self.stripes.pop_front() else {
                return Ok(None);
            };
            if self.source.wanted.is_empty() {
                self.bare = stripe.rows;
            } else {
                self.open = Some(self.source.opened(&stripe).await?);
            }
        }
    }
}
