//! A side of a join that is spilled.

use std::sync::{Arc, OnceLock};

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::NullEquality;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use lakegate_lake::sizes::bytes_in;

use super::buckets::Divider;
use super::unknown::known;
use crate::limits::stop::{self, copied};

/// Bytes of a batch that is put together from what files have.
const BYTES: usize = 1 << 20;

/// The keys, the files and the memory of one side of a join, for one partition.
pub(super) struct Side {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    null_equality: NullEquality,
    schema: SchemaRef,
    partition: usize,
    context: Arc<TaskContext>,
    metrics: ExecutionPlanMetricsSet,
    /// Made for the first file, so that joins that do not spill show no metrics of files.
    files: OnceLock<SpillManager>,
}

impl Side {
    /// Returns a side of a join. `metrics`: where files are counted.
    pub(super) fn of(
        join: &HashJoinExec,
        is_build: bool,
        partition: usize,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Arc<Self> {
        let input = match is_build {
            true => join.left(),
            false => join.right(),
        };
        let keys = join.on().iter().map(|(left, right)| match is_build {
            true => Arc::clone(left),
            false => Arc::clone(right),
        });
        Arc::new(Self {
            keys: keys.collect(),
            null_equality: join.null_equality(),
            schema: input.schema(),
            partition,
            context: Arc::clone(context),
            metrics: metrics.clone(),
            files: OnceLock::new(),
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    pub(super) fn context(&self) -> &Arc<TaskContext> {
        &self.context
    }

    /// Returns whether there may be files.
    pub(super) fn can_spill(&self) -> bool {
        self.context.runtime_env().disk_manager.tmp_files_enabled()
    }

    /// Returns an empty reservation for a build side, with the name that DataFusion's has.
    pub(super) fn memory(&self) -> MemoryReservation {
        MemoryConsumer::new("HashJoinInput").register(self.context.memory_pool())
    }

    /// Returns the bytes that a bucket, or a part of one, may take: half of what the pool has left,
    /// or a share that leaves as much to the other partitions.
    pub(super) fn part(&self) -> usize {
        let pool = self.context.memory_pool();
        let MemoryLimit::Finite(bytes) = pool.memory_limit() else {
            return usize::MAX;
        };
        let share = bytes / 4 / self.partitions();
        share.max(bytes.saturating_sub(pool.reserved()) / 2)
    }

    pub(super) fn files(&self) -> &SpillManager {
        self.files.get_or_init(|| {
            let spilled = SpillMetrics::new(&self.metrics, self.partition);
            SpillManager::new(self.context.runtime_env(), spilled, self.schema())
                .with_compression_type(self.context.session_config().spill_compression())
        })
    }

    /// Returns the metrics of rows that are returned from buckets.
    pub(super) fn returned(&self) -> BaselineMetrics {
        BaselineMetrics::new(&self.metrics, self.partition)
    }

    /// Returns the number of buckets that rows are divided into at a time: fewer where there are many
    /// partitions, because each has an open file for each side.
    pub(super) fn buckets(&self) -> usize {
        (64 / self.partitions()).clamp(4, 16)
    }

    /// Returns how many partitions of a plan run at a time.
    fn partitions(&self) -> usize {
        self.context.session_config().target_partitions().max(1)
    }

    /// `level`: how often the rows have been divided before.
    pub(super) fn divider(&self, level: usize) -> Divider {
        let keys = self.keys.clone();
        Divider::new(keys, self.null_equality, level, self.buckets())
    }

    /// Returns the rows whose first key is not NULL.
    pub(super) fn known(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        match self.keys.first() {
            Some(key) => known(Arc::clone(key), rows),
            None => rows,
        }
    }

    /// Returns rows in batches of the usual size, or of about [`BYTES`].
    pub(super) fn coalesced(&self, input: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let (schema, rows) = (self.schema(), self.context.session_config().batch_size());
        let start = (input, Arc::clone(&schema));
        let batches = stream::try_unfold(start, move |(mut input, schema)| async move {
            let (mut batches, mut count, mut bytes) = (Vec::new(), 0, 0);
            while count < rows && bytes < BYTES {
                let Some(batch) = input.try_next().await? else {
                    break;
                };
                stop::check()?;
                count += batch.num_rows();
                bytes += bytes_in(&batch);
                batches.push(batch);
            }
            if batches.is_empty() {
                return Ok(None);
            }
            // Without the buffers that the file was read into.
            let batch = copied(&concat_batches(&schema, &batches)?)?;
            Ok::<_, DataFusionError>(Some((batch, (input, schema))))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}
