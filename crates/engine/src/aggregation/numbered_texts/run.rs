//! The aggregation of a partition.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::kinds::{BITS, Kinds, numbers};
use super::{TOGETHER, TextKey, numbered};
use crate::aggregation::chosen_steps::Partition;
use crate::plans::given_input::{again, begun};

/// Rows that are looked at.
const TRIED: usize = 8192;

/// The share of different texts among these rows that is few, as a divisor.
const FEW: usize = 8;

/// The texts of a key that have numbers.
struct Numbered {
    text: TextKey,
    kinds: Kinds,
}

/// What the rows and the groups of a partition share.
struct Shared {
    /// In the order of the keys.
    texts: Vec<Numbered>,
    memory: MemoryReservation,
    /// Rows that have no numbers any more.
    rest: Option<SendableRecordBatchStream>,
}

/// Returns the groups of the rows of a partition. `texts`: the keys that are columns of texts.
///
/// # Errors
///
/// Returns those of the input and of the aggregation.
pub(super) async fn groups(
    texts: Vec<TextKey>,
    partition: Partition,
    rows: SendableRecordBatchStream,
) -> Result<SendableRecordBatchStream> {
    let (first, rows) = begun(rows, TRIED).await?;
    let few = few(texts, &first);
    let rows = again(first, rows);
    let keys: Vec<TextKey> = few.iter().map(|few| few.text).collect();
    let numbered = match keys.is_empty() {
        true => None,
        false => numbered(&partition.aggregate, &keys)?,
    };
    let Some(numbered) = numbered else {
        return partition.run(Arc::<AggregateExec>::clone(&partition.aggregate), rows);
    };
    let name = format!("NumberedTexts[{}]", partition.partition);
    let memory = MemoryConsumer::new(name).register(partition.context.memory_pool());
    let shared = Arc::new(Mutex::new(Shared {
        texts: few,
        memory,
        rest: None,
    }));
    let input = numbered.children().into_iter().next();
    let schema = input.map_or_else(|| rows.schema(), |input| input.schema());
    let rows = with_numbers(rows, Arc::clone(&shared), schema);
    let groups = partition.run(numbered, rows)?;
    let schema = partition.aggregate.schema();
    let result = Arc::clone(&schema);
    let of_numbers = Arc::clone(&shared);
    let groups = groups.map(move |groups| of_numbers.lock().with_texts(&groups?, &result));
    let others = stream::once(async move {
        let rest = shared.lock().rest.take();
        let aggregate = Arc::<AggregateExec>::clone(&partition.aggregate);
        match rest {
            Some(rest) => partition.run(aggregate, rest),
            None => Ok(nothing(&partition.aggregate.schema())),
        }
    });
    let groups = groups.chain(others.try_flatten());
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, groups)))
}

/// Returns the keys of which few texts are different among the first rows of a partition.
fn few(texts: Vec<TextKey>, first: &[RecordBatch]) -> Vec<Numbered> {
    let rows: usize = first.iter().map(RecordBatch::num_rows).sum();
    if rows < TRIED {
        return Vec::new();
    }
    let few = texts.into_iter().filter_map(|text| {
        let mut kinds = Kinds::new();
        for batch in first {
            let texts = batch.columns().get(text.column)?.as_string_view_opt()?;
            let mut codes = vec![0; texts.len()];
            kinds.number(texts, 0, &mut codes)?;
        }
        (kinds.len() <= rows / FEW).then_some(Numbered { text, kinds })
    });
    few.collect()
}

/// Returns the rows with columns of numbers after their own, which have this schema, as far as there are
/// numbers. The other rows are left.
fn with_numbers(
    rows: SendableRecordBatchStream,
    shared: Arc<Mutex<Shared>>,
    schema: SchemaRef,
) -> SendableRecordBatchStream {
    let numbered = Arc::clone(&schema);
    let batches = stream::try_unfold(Some(rows), move |rows| {
        let (shared, schema) = (Arc::clone(&shared), Arc::clone(&numbered));
        async move {
            let Some(mut rows) = rows else {
                return Ok(None);
            };
            let Some(batch) = rows.next().await.transpose()? else {
                return Ok(None);
            };
            let mut shared = shared.lock();
            let Some(with_numbers) = shared.with_numbers(&batch, &schema)? else {
                shared.rest = Some(again(vec![batch], rows));
                return Ok(None);
            };
            Ok::<_, DataFusionError>(Some((with_numbers, Some(rows))))
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn nothing(schema: &SchemaRef) -> SendableRecordBatchStream {
    let none = stream::empty::<Result<RecordBatch>>();
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), none))
}

impl Shared {
    /// Returns rows with their numbers; `None`: too many texts are different, or there is no memory for
    /// them.
    fn with_numbers(
        &mut self,
        rows: &RecordBatch,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        let mut columns = rows.columns().to_vec();
        for together in self.texts.chunks_mut(TOGETHER) {
            let mut codes = vec![0; rows.num_rows()];
            for (place, numbered) in (0..).zip(together) {
                let texts = rows.columns().get(numbered.text.column);
                let texts = texts.and_then(|texts| texts.as_string_view_opt());
                let known =
                    texts.and_then(|texts| numbered.kinds.number(texts, place * BITS, &mut codes));
                if known.is_none() {
                    return Ok(None);
                }
            }
            columns.push(Arc::new(UInt64Array::from(codes)));
        }
        let bytes: usize = self
            .texts
            .iter()
            .map(|numbered| numbered.kinds.bytes())
            .sum();
        let missing = bytes.saturating_sub(self.memory.size());
        if missing > 0 && self.memory.try_grow(missing).is_err() {
            return Ok(None);
        }
        let rows = RecordBatch::try_new(Arc::clone(schema), columns)?;
        Ok(Some(rows))
    }

    /// Returns groups with the texts of their numbers.
    fn with_texts(&mut self, groups: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let what = || DataFusionError::Internal("groups by numbers have none".to_owned());
        let columns = groups.columns();
        let codes = columns.split_at_checked(self.texts.len().div_ceil(TOGETHER));
        let (codes, others) = codes.ok_or_else(what)?;
        let mut columns: Vec<ArrayRef> = others.to_vec();
        for (codes, together) in codes.iter().zip(self.texts.chunks_mut(TOGETHER)) {
            let codes = codes.as_primitive_opt::<UInt64Type>().ok_or_else(what)?;
            for (place, numbered) in (0..).zip(together) {
                let numbers = numbers(codes, place * BITS);
                let texts = take(&numbered.kinds.texts(), &numbers, None)?;
                // The columns of the keys before it are there.
                let key = numbered.text.key.min(columns.len());
                columns.insert(key, texts);
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
