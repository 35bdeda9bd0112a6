//! `"t$partitions"`: the partitions of a table as a table of its partition keys.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use lakegate_catalog::partition::projection::Candidates;
use lakegate_lake::table::{LakeTable, PartitionSource, projected_batches};

/// Rows of a batch.
const BATCH: usize = 8192;

/// The partitions of a table, a row each.
///
/// The rows of registered partitions are copied, a batch at a time, from the values that the table
/// keeps in memory for planning; projected partitions are enumerated while they are read, of those
/// that the query's conditions leave. No file is read.
#[derive(Debug, Clone)]
pub(crate) struct PartitionsTable {
    table: Arc<LakeTable>,
}

/// The rows of one scan.
#[derive(Debug)]
struct PartitionRows {
    source: Source,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Source {
    Registered(RecordBatch),
    Projected(Candidates),
}

impl PartitionsTable {
    /// What follows the name of the table.
    pub(crate) const SUFFIX: &str = "$partitions";

    /// Returns `None` for a table without partitions.
    pub(crate) fn of(table: &Arc<LakeTable>) -> Option<Self> {
        match &table.partitions {
            PartitionSource::Unpartitioned => None,
            PartitionSource::Registered { .. } | PartitionSource::Projected(_) => Some(Self {
                table: Arc::clone(table),
            }),
        }
    }

    /// # Errors
    /// An injected key whose values the filters do not list.
    fn rows(&self, filters: &[Expr]) -> lakegate_error::Result<PartitionRows> {
        let source = match &self.table.partitions {
            PartitionSource::Registered { values, .. } => Source::Registered(values.clone()),
            PartitionSource::Unpartitioned | PartitionSource::Projected(_) => {
                let candidates = self.table.projected_candidates(filters)?;
                match candidates {
                    Some(candidates) => Source::Projected(candidates),
                    None => {
                        let keys = Arc::clone(&self.table.keys);
                        Source::Registered(RecordBatch::new_empty(keys))
                    }
                }
            }
        };
        Ok(PartitionRows {
            source,
            schema: Arc::clone(&self.table.keys),
        })
    }
}

#[async_trait]
impl TableProvider for PartitionsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.keys)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        let support = match &self.table.partitions {
            PartitionSource::Projected(_) => TableProviderFilterPushDown::Inexact,
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(vec![support; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let rows = self.rows(filters)?;
        let scan = StreamingTableExec::try_new(
            Arc::clone(&rows.schema),
            vec![Arc::new(rows)],
            projection,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(scan))
    }
}

impl PartitionStream for PartitionRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let values = match &self.source {
            Source::Registered(values) => values.clone(),
            Source::Projected(candidates) => {
                let batches = projected_batches(candidates.clone(), Arc::clone(&self.schema));
                let batches = batches.map(|batch| batch.map_err(DataFusionError::from));
                let batches = futures::stream::iter(batches);
                return Box::pin(RecordBatchStreamAdapter::new(schema, batches));
            }
        };
        let rows = values.num_rows();
        // A slice would count in memory as the whole.
        let batches = (0..rows).step_by(BATCH).map(move |start| {
            let places = (start..rows.min(start + BATCH)).map(|row| u64::try_from(row).ok());
            let taken = take_record_batch(&values, &places.collect::<UInt64Array>());
            taken.map_err(DataFusionError::from)
        });
        let batches = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Int32Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn partitions_are_streamed_in_batches_that_are_copies() {
        let schema = Arc::new(Schema::new(vec![Field::new("day", DataType::Int32, true)]));
        let count = i32::try_from(2 * BATCH + 1).unwrap();
        let days = Int32Array::from_iter_values(0..count);
        let values = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(days)]).unwrap();
        let table = PartitionRows {
            source: Source::Registered(values.clone()),
            schema,
        };
        let batches = table.execute(Arc::new(TaskContext::default()));
        let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
        let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [BATCH, BATCH, 1]);
        let last = batches.last().unwrap();
        assert!(last.get_array_memory_size() < BATCH);
        let days = arrow::compute::concat_batches(&table.schema, &batches).unwrap();
        assert_eq!(days, values);
    }
}
