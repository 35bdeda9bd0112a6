//! Reads Avro files for the engine's scans, block by block.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use datafusion::error::DataFusionError;
use futures::StreamExt;
use futures::stream::BoxStream;
use lakegate_error::{Result, from_engine};
use object_store::ObjectStoreExt;

use super::Fault;
use super::container::{Block, Header};
use super::decode::Decoder;
use super::schema::Schema;
use super::skim::Skim;
use crate::format::columns::Mapping;
use crate::format::files::{
    BATCH_BYTES, BATCH_VALUES, Batches, FileReader, OpenedFile, damaged, refused_column,
};

const NAME: &str = "Avro";

#[derive(Debug, Clone)]
pub(super) struct AvroReader {
    /// `avro.schema.literal`, which files are read with; else each is with its own.
    pub literal: Option<Arc<Schema>>,
}

#[async_trait]
impl FileReader for AvroReader {
    fn name(&self) -> &'static str {
        NAME
    }

    /// A block says nothing of its values, and where one begins is found by reading those before.
    fn splits_files(&self) -> bool {
        false
    }

    async fn open(&self, file: OpenedFile) -> Result<Batches> {
        let stream = file
            .store
            .get(&file.meta.location)
            .await
            .map_err(of_store)?;
        let mut input = Input {
            pieces: stream.into_stream(),
            bytes: BytesMut::new(),
            is_ended: false,
        };
        let header = header(&mut input, &file.url).await?;
        let reading = self.literal.as_deref().unwrap_or(&header.schema);
        let (fields, places) = wanted(&file, reading)?;
        let decoder = match fields.is_empty() {
            true => None,
            false => Some(
                Decoder::new(&header.schema, reading, &fields)
                    .map_err(|fault| fault.of(NAME, &file.url))?,
            ),
        };
        let mapped = places.into_iter().map(|place| {
            let decoder = decoder.as_ref()?;
            let place = place?;
            Some((place, decoder.fields.get(place)?.clone()))
        });
        let mapping = Mapping::new(&file, mapped.collect())?;
        let scan = Scan {
            file,
            input,
            header,
            mapping,
            decoder,
            records: Vec::new(),
            at: 0,
            left: 0,
            is_done: false,
        };
        let batches = futures::stream::try_unfold(scan, |mut scan| async move {
            Ok::<_, lakegate_error::Error>(scan.next().await?.map(|batch| (batch, scan)))
        });
        Ok(batches.boxed())
    }
}

/// The fields of a schema that a scan needs, by their places, and for each column of the scan its
/// place among them. `None`: there is no such field.
fn wanted(file: &OpenedFile, reading: &Schema) -> Result<(Vec<usize>, Vec<Option<usize>>)> {
    let mut fields = Vec::new();
    let mut places = Vec::new();
    for column in file.schema.fields() {
        let mut named = reading.fields.iter();
        let found = named.position(|field| field.name == *column.name());
        let Some((place, field)) =
            found.and_then(|found| Some((found, reading.fields.get(found)?)))
        else {
            places.push(None);
            continue;
        };
        if let Some(why) = field.node.refused() {
            return Err(refused_column(&file.url, column.name(), &why));
        }
        let known = fields.iter().position(|known| *known == place);
        places.push(Some(known.unwrap_or_else(|| {
            fields.push(place);
            fields.len() - 1
        })));
    }
    Ok((fields, places))
}

async fn header(input: &mut Input, url: &str) -> Result<Header> {
    // Bytes that are looked at before more are waited for: a header of many pieces is not read anew
    // with each of them.
    let mut enough = 0;
    loop {
        if input.bytes.len() >= enough || input.is_ended {
            let header = Header::parse(&input.bytes).map_err(|fault| fault.of(NAME, url))?;
            if let Some((header, length)) = header {
                input.bytes.advance(length);
                return Ok(header);
            }
            if input.is_ended {
                return Err(damaged(NAME, url, "its header is cut short"));
            }
            enough = input.bytes.len() * 2;
        }
        input.more().await?;
    }
}

fn of_store(error: object_store::Error) -> lakegate_error::Error {
    from_engine(DataFusionError::ObjectStore(Box::new(error)))
}

/// The bytes of a file as they come.
struct Input {
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    /// Which are not read yet.
    bytes: BytesMut,
    is_ended: bool,
}

impl Input {
    async fn more(&mut self) -> Result<()> {
        match self.pieces.next().await {
            Some(piece) => self.bytes.extend_from_slice(&piece.map_err(of_store)?),
            None => self.is_ended = true,
        }
        // A store in memory is always ready: others must have their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }
}

/// One file while it is read.
struct Scan {
    file: OpenedFile,
    input: Input,
    header: Header,
    mapping: Mapping,
    /// `None`: no field is read.
    decoder: Option<Decoder>,
    /// Of the block that is read, decompressed.
    records: Vec<u8>,
    /// Where in it the next record begins.
    at: usize,
    /// Records of it that are still to come.
    left: u64,
    is_done: bool,
}

impl Scan {
    fn damaged(&self, what: &str) -> lakegate_error::Error {
        damaged(NAME, &self.file.url, what)
    }

    fn fault(&self, fault: Fault) -> lakegate_error::Error {
        fault.of(NAME, &self.file.url)
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut batch = Pending::default();
        while !self.is_done {
            if self.left > 0 {
                self.take(&mut batch)?;
            }
            if batch.is_full(self.file.batch_size) {
                break;
            }
            if self.left == 0 {
                self.next_block().await?;
            }
        }
        match (batch.rows, &self.decoder) {
            (0, _) => Ok(None),
            (rows, Some(decoder)) if !batch.bytes.is_empty() => {
                let arrays = decoder.decode(&batch.bytes, rows);
                let arrays = arrays.map_err(|fault| self.fault(fault))?;
                self.mapping.batch(&self.file, &arrays, rows).map(Some)
            }
            (rows, _) => self.mapping.batch(&self.file, &[], rows).map(Some),
        }
    }

    /// Moves records of the block into the batch.
    fn take(&mut self, batch: &mut Pending) -> Result<()> {
        let size = self.file.batch_size;
        if self.decoder.is_none() {
            let room = (size - batch.rows) as u64;
            let rows = self.left.min(room);
            self.left -= rows;
            batch.rows += usize::try_from(rows).unwrap_or(0);
            return Ok(());
        }
        let all = self.records.get(self.at..).unwrap_or_default();
        let mut skim = Skim::new(all);
        let mut taken = 0;
        let mut walked = Ok(());
        while self.left > 0 && !batch.is_full_with(size, taken) {
            match skim.record(&self.header.schema.root) {
                Ok(values) => batch.values += values,
                Err(fault) => {
                    walked = Err(fault);
                    break;
                }
            }
            taken = all.len() - skim.left();
            self.left -= 1;
            batch.rows += 1;
        }
        walked.map_err(|fault| self.fault(fault))?;
        batch
            .bytes
            .extend_from_slice(all.get(..taken).unwrap_or_default());
        self.at += taken;
        match self.left == 0 && self.at != self.records.len() {
            true => Err(self.damaged("a block has more bytes than its records")),
            false => Ok(()),
        }
    }

    async fn next_block(&mut self) -> Result<()> {
        let Some((block, head)) = self.block_head().await? else {
            self.is_done = true;
            return Ok(());
        };
        let length = head + Header::length(block);
        while self.input.bytes.len() < length && !self.input.is_ended {
            self.input.more().await?;
        }
        let bytes = self.input.bytes.get(head..length);
        let bytes = bytes.ok_or_else(|| self.damaged("its last block is cut short"))?;
        let records = self.header.records(block, bytes);
        self.records = records.map_err(|fault| self.fault(fault))?;
        self.input.bytes.advance(length);
        (self.at, self.left) = (0, block.records);
        Ok(())
    }

    /// The head of the next block and its bytes; `None`: the file ends.
    async fn block_head(&mut self) -> Result<Option<(Block, usize)>> {
        loop {
            let block = self.header.block(&self.input.bytes);
            let block = block.map_err(|fault| self.fault(fault))?;
            if block.is_some() {
                return Ok(block);
            }
            if self.input.is_ended {
                return match self.input.bytes.is_empty() {
                    true => Ok(None),
                    false => Err(self.damaged("its last block is cut short")),
                };
            }
            self.input.more().await?;
        }
    }
}

/// Records that become one batch.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    rows: usize,
    values: u64,
}

impl Pending {
    fn is_full(&self, rows: usize) -> bool {
        self.is_full_with(rows, 0)
    }

    /// `more`: bytes that are about to be added.
    fn is_full_with(&self, rows: usize, more: usize) -> bool {
        let bytes = (self.bytes.len() + more) as u64;
        self.rows >= rows || bytes >= BATCH_BYTES || self.values >= BATCH_VALUES
    }
}
