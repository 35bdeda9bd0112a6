//! `"t$partitions"`: the partitions of a table as a table of its partition keys.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use lakegate_lake::table::{LakeTable, PartitionSource};

/// Rows of a batch.
const BATCH: usize = 8192;

/// The partitions of a table, a row each.
///
/// The rows are copied, a batch at a time, from the values that the table keeps in memory for
/// planning. No file is read.
#[derive(Debug, Clone)]
pub(crate) struct PartitionsTable {
    values: RecordBatch,
    schema: SchemaRef,
}

impl PartitionsTable {
    /// What follows the name of the table.
    pub(crate) const SUFFIX: &str = "$partitions";

    /// Returns `None` for a table without partitions.
    pub(crate) fn of(table: &LakeTable) -> Option<Self> {
        match &table.partitions {
            PartitionSource::Unpartitioned => None,
            PartitionSource::Registered { values, .. } => Some(Self {
                values: values.clone(),
                schema: Arc::clone(&table.keys),
            }),
        }
    }
}

#[async_trait]
impl TableProvider for PartitionsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let scan = StreamingTableExec::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(self.clone())],
            projection,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(scan))
    }
}

impl PartitionStream for PartitionsTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let values = self.values.clone();
        let rows = values.num_rows();
        // A slice would count in memory as the whole.
        let batches = (0..rows).step_by(BATCH).map(move |start| {
            let places = (start..rows.min(start + BATCH)).map(|row| u64::try_from(row).ok());
            let taken = take_record_batch(&values, &places.collect::<UInt64Array>());
            taken.map_err(DataFusionError::from)
        });
        let batches = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
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
        let table = PartitionsTable {
            values: RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(days)]).unwrap(),
            schema,
        };
        let batches = table.execute(Arc::new(TaskContext::default()));
        let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
        let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [BATCH, BATCH, 1]);
        let last = batches.last().unwrap();
        assert!(last.get_array_memory_size() < BATCH);
        let days = arrow::compute::concat_batches(&table.schema, &batches).unwrap();
        assert_eq!(days, table.values);
    }
}
