//! Stored results: small ones in memory, larger ones in a file of the spill directory.
//!
//! ```text
//!  batch ─ cut ─ plain ─┬─▶ memory, reserved in the engine's pool
//!                       └─▶ file, of which a reader holds one batch
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use lakegate_error::Result;
use lakegate_lake::sizes::bytes_in;

use crate::BatchStream;
use crate::detached::batch_file::{BatchFile, BatchFileWriter, unreadable};
use crate::detached::quota::Account;
use crate::results::plain;

/// The approximate size of a stored batch, in bytes. A larger row is a batch of its own.
const BATCH_BYTES: usize = 4 << 20;
/// A batch whose buffers exceed the size of its rows by more than this factor is copied.
const SLACK: usize = 2;

/// One batch of a stored result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSize {
    pub rows: usize,
    /// The size in memory, in bytes.
    pub bytes: usize,
}

/// A result, or its beginning, that can be read any number of times.
#[derive(Debug)]
pub struct StoredResult {
    schema: SchemaRef,
    sizes: Vec<BatchSize>,
    place: Place,
    /// Released when the result is dropped, after its last reader.
    _account: Account,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<RecordBatch>),
    Disk(BatchFile),
}

impl StoredResult {
    /// Returns the engine's schema of the result. Batches may have plain types where it has views.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the sizes of the batches, in order.
    pub fn batches(&self) -> &[BatchSize] {
        &self.sizes
    }

    /// Reads the batches of a range, one at a time.
    pub fn read(self: &Arc<Self>, batches: Range<usize>) -> BatchStream {
        let result = Arc::clone(self);
        let batches = batches.start..batches.end.min(self.sizes.len());
        if let Place::Memory(_) = &self.place {
            return futures::stream::iter(batches)
                .filter_map(move |index| std::future::ready(result.in_memory(index).map(Ok)))
                .boxed();
        }
        futures::stream::try_unfold((result, batches), |(result, mut batches)| async move {
            let Some(index) = batches.next() else {
                return Ok(None);
            };
            let reading = tokio::task::spawn_blocking(move || {
                let batch = result.on_disk(index)?;
                Ok((batch, (result, batches)))
            });
            reading.await.map_err(|error| unreadable(&error))?.map(Some)
        })
        .boxed()
    }

    fn in_memory(&self, index: usize) -> Option<RecordBatch> {
        match &self.place {
            Place::Memory(batches) => batches.get(index).cloned(),
            Place::Disk(_) => None,
        }
    }

    fn on_disk(&self, index: usize) -> Result<RecordBatch> {
        match &self.place {
            Place::Disk(file) => file.read(index),
            Place::Memory(_) => Err(unreadable(&"it is not in a file")),
        }
    }
}

/// Stores the batches of a result as they arrive.
#[derive(Debug)]
pub(crate) struct ResultWriter {
    schema: SchemaRef,
    account: Account,
    memory: Vec<RecordBatch>,
    file: Option<BatchFileWriter>,
    sizes: Vec<BatchSize>,
}

impl ResultWriter {
    pub(crate) fn new(schema: SchemaRef, account: Account) -> Self {
        Self {
            schema,
            account,
            memory: Vec::new(),
            file: None,
            sizes: Vec::new(),
        }
    }

    /// Stores a batch. Returns the rows that do not fit if the result exceeds the limits.
    ///
    /// # Errors
    ///
    /// The spill directory is full, or cannot be written.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let (rows, each) = (batch.num_rows(), rows_of_part(&batch));
        let mut start = 0;
        while start < rows {
            let part = batch.slice(start, each.min(rows - start));
            if !self.write_part(plain(part, usize::MAX)).await? {
                return Ok(Some(batch.slice(start, rows - start)));
            }
            start += each;
        }
        Ok(None)
    }

    /// Stores part of a batch. Returns whether the limits allow it.
    async fn write_part(&mut self, batch: RecordBatch) -> Result<bool> {
        let mut size = BatchSize {
            rows: batch.num_rows(),
            bytes: bytes_in(&batch),
        };
        if self.file.is_none() {
            let batch = compact(batch.clone(), size.bytes);
            let bytes = batch.get_array_memory_size();
            if self.account.take_memory(bytes) {
                size.bytes = bytes;
                self.memory.push(batch);
                self.sizes.push(size);
                return Ok(true);
            }
        }
        if !self.account.take_disk(size.bytes as u64) {
            return Ok(false);
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.spill().await?,
        };
        file = file.write(batch).await?;
        self.account.settle_disk(file.written());
        self.file = Some(file);
        self.sizes.push(size);
        Ok(true)
    }

    /// Moves the batches in memory to a new file.
    async fn spill(&mut self) -> Result<BatchFileWriter> {
        let mut file = BatchFileWriter::create(self.account.space().file("stored result")?)?;
        for batch in std::mem::take(&mut self.memory) {
            file = file.write(batch).await?;
        }
        self.account.moved_to_disk(file.written());
        Ok(file)
    }

    /// Returns the stored result.
    pub(crate) fn finish(self) -> Arc<StoredResult> {
        let place = match self.file {
            Some(file) => Place::Disk(file.finish()),
            None => Place::Memory(self.memory),
        };
        Arc::new(StoredResult {
            schema: self.schema,
            sizes: self.sizes,
            place,
            _account: self.account,
        })
    }
}

/// Returns the number of rows of each part that a batch is split into.
fn rows_of_part(batch: &RecordBatch) -> usize {
    let rows = batch.num_rows().max(1);
    let parts = bytes_in(batch).div_ceil(BATCH_BYTES).clamp(1, rows);
    rows.div_ceil(parts)
}

/// Returns the batch without the buffers of a larger one that it is a slice of.
fn compact(batch: RecordBatch, bytes: usize) -> RecordBatch {
    if batch.get_array_memory_size() / SLACK <= bytes.max(4096) {
        return batch;
    }
    let Ok(rows) = u32::try_from(batch.num_rows()) else {
        return batch;
    };
    let all = UInt32Array::from_iter_values(0..rows);
    take_record_batch(&batch, &all).unwrap_or(batch)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use arrow::array::{
        ArrayRef, AsArray, DictionaryArray, Int64Array, ListBuilder, StringViewArray,
        StringViewBuilder,
    };
    use arrow::datatypes::{DataType, Int32Type, Int64Type};
    use futures::TryStreamExt;
    use lakegate_error::Code;

    use super::*;
    use crate::Principal;
    use crate::detached::quota::tests::{engine, limits};
    use crate::detached::quota::{DetachedLimits, Quota};

    fn numbers(rows: Range<i64>) -> RecordBatch {
        let texts = rows
            .clone()
            .map(|n| format!("a text of more than twelve bytes {n}"));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap()
    }

    fn first_numbers(batches: &[RecordBatch]) -> Vec<i64> {
        batches
            .iter()
            .flat_map(|batch| {
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect()
    }

    /// Stores batches of 1000 rows. Returns the result and the number of rows left of the first
    /// batch that did not fit.
    async fn stored(quota: &Arc<Quota>, user: i64, batches: i64) -> (Arc<StoredResult>, usize) {
        let account = quota.open(&Principal::sample("user", user)).unwrap();
        let mut writer = ResultWriter::new(numbers(0..0).schema(), account);
        for batch in 0..batches {
            let rows = numbers(batch * 1000..(batch + 1) * 1000);
            if let Some(rest) = writer.write(rows).await.unwrap() {
                return (writer.finish(), rest.num_rows());
            }
        }
        (writer.finish(), 0)
    }

    async fn rows_of(result: &Arc<StoredResult>, batches: Range<usize>) -> Vec<i64> {
        let batches: Vec<_> = result.read(batches).try_collect().await.unwrap();
        first_numbers(&batches)
    }

    #[tokio::test]
    async fn small_result_is_in_memory_which_is_counted_until_it_is_dropped() {
        let (engine, _folder) = engine();
        let space = engine.space();
        let quota = Quota::new(limits(), space.clone());
        let (result, rest) = stored(&quota, 1, 5).await;
        assert_eq!((rest, result.batches().len()), (0, 5));
        let held: usize = result.batches().iter().map(|batch| batch.bytes).sum();
        assert_eq!(space.reserved(), held);
        assert_eq!(space.disk_used(), 0);
        assert_eq!(
            rows_of(&result, 1..3).await,
            (1000..3000).collect::<Vec<_>>()
        );
        let reader = result.read(0..5);
        drop(result);
        assert_eq!(space.reserved(), held, "it is still read");
        drop(reader);
        assert_eq!(space.reserved(), 0);
    }

    #[tokio::test]
    async fn larger_result_is_in_a_file_that_is_gone_when_it_is_dropped() {
        let (engine, folder) = engine();
        let space = engine.space();
        let quota = Quota::new(limits(), space.clone());
        let (result, rest) = stored(&quota, 1, 30).await;
        assert_eq!((rest, result.batches().len()), (0, 30));
        assert_eq!(space.reserved(), 0);
        assert!(space.disk_used() > 1 << 20);
        let Place::Disk(file) = &result.place else {
            panic!("it is in memory")
        };
        let path = file.path().unwrap().to_owned();
        assert!(path.starts_with(folder.path()));
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        // Ranges can be read repeatedly and concurrently.
        let (some, all) = tokio::join!(rows_of(&result, 7..9), rows_of(&result, 0..30));
        assert_eq!(some, (7000..9000).collect::<Vec<_>>());
        assert_eq!(all, (0..30_000).collect::<Vec<_>>());
        let mut reader = result.read(0..30);
        reader.try_next().await.unwrap().unwrap();
        drop(result);
        assert_eq!(
            reader.try_fold(1, async |n, _| Ok(n + 1)).await.unwrap(),
            30
        );
        assert!(!path.exists());
        assert_eq!(space.disk_used(), 0);
    }

    #[tokio::test]
    async fn result_beyond_the_bounds_is_stored_as_far_as_they_go() {
        let (engine, _folder) = engine();
        let quota = Quota::new(limits(), engine.space());
        let (result, rest) = stored(&quota, 1, 200).await;
        assert_eq!(rest, 1000);
        let rows = rows_of(&result, 0..usize::MAX).await;
        assert_eq!(rows.len(), result.batches().len() * 1000);
        let bytes: usize = result.batches().iter().map(|batch| batch.bytes).sum();
        assert!((3 << 20..=5 << 20).contains(&bytes), "{bytes}");
    }

    #[tokio::test]
    async fn one_users_results_leave_room_for_anothers() {
        let (engine, _folder) = engine();
        let space = engine.space();
        // Large enough for one of the results, but not for two.
        let limits = DetachedLimits {
            memory_per_user: 7 << 17,
            ..limits()
        };
        let quota = Quota::new(limits, space.clone());
        let (first, _) = stored(&quota, 1, 10).await;
        let (second, _) = stored(&quota, 1, 10).await;
        assert!(matches!(first.place, Place::Memory(_)));
        assert!(matches!(second.place, Place::Disk(_)));
        assert!(space.reserved() <= limits.memory_per_user);
        let (other, rest) = stored(&quota, 2, 10).await;
        assert!(matches!(other.place, Place::Memory(_)));
        assert_eq!(rest, 0);
    }

    #[tokio::test]
    async fn full_spill_directory_is_an_error_that_says_so() {
        let (engine, _folder) = engine();
        let space = engine.space();
        let quota = Quota::new(limits(), space.clone());
        // A query has used up the spill limit.
        let taken = space.file("a sort").unwrap();
        let mut writer = taken.open_writer().unwrap();
        writer.write_all(&vec![0; (64 << 20) - 1000]).unwrap();
        let account = quota.open(&Principal::sample("user", 1)).unwrap();
        let mut writer = ResultWriter::new(numbers(0..0).schema(), account);
        let mut failed = None;
        for batch in 0..30 {
            let rows = numbers(batch * 1000..(batch + 1) * 1000);
            if let Err(error) = writer.write(rows).await {
                failed = Some(error);
                break;
            }
        }
        assert_eq!(failed.unwrap().code(), Code::OutOfSpillSpace);
        drop(writer);
        assert_eq!(space.reserved(), 0);
        assert!(space.disk_used() < 64 << 20);
    }

    #[tokio::test]
    async fn stored_batches_hold_nothing_but_their_rows() {
        let (engine, _folder) = engine();
        let quota = Quota::new(limits(), engine.space());
        let account = quota.open(&Principal::sample("user", 1)).unwrap();
        let mut writer = ResultWriter::new(numbers(0..0).schema(), account);
        let large = numbers(0..100_000);
        writer.write(large.slice(500, 10)).await.unwrap();
        let result = writer.finish();
        assert!(result.batches()[0].bytes < 10_000, "{:?}", result.batches());
        let batch = result.read(0..1).try_next().await.unwrap().unwrap();
        assert_eq!(batch.column(1).data_type(), &DataType::Utf8);
        assert_eq!(result.schema().field(1).data_type(), &DataType::Utf8View);
        assert_eq!(first_numbers(&[batch]), (500..510).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn dictionaries_and_nested_views_come_back_from_a_file() {
        let (engine, _folder) = engine();
        let none = DetachedLimits {
            memory_per_result: 0,
            ..limits()
        };
        let quota = Quota::new(none, engine.space());
        let batch = |word: &str| {
            let words: DictionaryArray<Int32Type> = [word, "b", word].into_iter().collect();
            let mut lists = ListBuilder::new(StringViewBuilder::new());
            for text in ["a text of more than twelve bytes", word, ""] {
                lists.values().append_value(text);
                lists.append(true);
            }
            let words: ArrayRef = Arc::new(words);
            let lists: ArrayRef = Arc::new(lists.finish());
            RecordBatch::try_from_iter([("d", words), ("l", lists)]).unwrap()
        };
        let batches = [batch("one"), batch("another"), batch("one").slice(1, 2)];
        let account = quota.open(&Principal::sample("user", 1)).unwrap();
        let mut writer = ResultWriter::new(batches[0].schema(), account);
        for batch in &batches {
            assert!(writer.write(batch.clone()).await.unwrap().is_none());
        }
        let result = writer.finish();
        assert!(matches!(result.place, Place::Disk(_)));
        let read: Vec<_> = result.read(0..3).try_collect().await.unwrap();
        assert_eq!(read, batches);
    }

    #[tokio::test]
    async fn large_batch_is_stored_in_parts() {
        let (engine, _folder) = engine();
        let quota = Quota::new(
            DetachedLimits {
                bytes_per_result: 1 << 30,
                bytes_per_user: 1 << 30,
                ..limits()
            },
            engine.space(),
        );
        let account = quota.open(&Principal::sample("user", 1)).unwrap();
        let mut writer = ResultWriter::new(numbers(0..0).schema(), account);
        let rest = writer.write(numbers(0..90_000)).await.unwrap();
        assert!(rest.is_none());
        let result = writer.finish();
        assert!(result.batches().len() > 1);
        assert!(
            result
                .batches()
                .iter()
                .all(|batch| batch.bytes <= BATCH_BYTES)
        );
        assert_eq!(
            rows_of(&result, 0..9).await,
            (0..90_000).collect::<Vec<_>>()
        );
    }
}
