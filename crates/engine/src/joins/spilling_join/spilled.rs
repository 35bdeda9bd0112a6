//! Joining buckets.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::JoinType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use super::buckets::{Bucket, Dividing, Writers, needs_other};
use super::build::{Excess, Gathered, Rows, gathered};
use super::gate::GivenExec;
use super::side::Side;
use crate::limits::stop::stoppable_as_it_is;

/// How often rows are divided.
const LEVELS: usize = 4;

/// The buckets of a join, one after the other.
pub(super) struct Spilled {
    join: Arc<HashJoinExec>,
    left: Arc<Side>,
    right: Arc<Side>,
    tasks: Vec<Task>,
    current: Option<SendableRecordBatchStream>,
    /// Rows that may still be returned, if the plan limits them.
    limit: Option<usize>,
    /// Whether rows of the build side without a key are left out.
    leaves_out_nulls: bool,
    returned: BaselineMetrics,
}

/// Rows of both sides whose keys are in one bucket.
struct Task {
    build: Source,
    probe: Bucket,
    /// How often they have been divided.
    level: usize,
    /// Whether `build` has rows of the plan's probe side, and `probe` those of its build side.
    is_swapped: bool,
}

enum Source {
    Bucket(Bucket),
    /// The rows after those that were joined.
    Rest(SendableRecordBatchStream),
}

impl Spilled {
    /// `build`, `probe`: rows that were divided once. `leaves_out_nulls`: of the rows of the build
    /// side, which the join returns alone, those whose key is NULL.
    pub(super) fn of(
        join: Arc<HashJoinExec>,
        left: Arc<Side>,
        right: Arc<Side>,
        build: Vec<Bucket>,
        probe: Vec<Bucket>,
        leaves_out_nulls: bool,
    ) -> Self {
        let (limit, returned) = (join.fetch(), right.returned());
        let mut spilled = Self {
            join,
            left,
            right,
            tasks: Vec::new(),
            current: None,
            limit,
            leaves_out_nulls,
            returned,
        };
        spilled.push(build, probe, 1);
        spilled
    }

    /// Returns the rows of the join.
    pub(super) fn into_stream(self) -> SendableRecordBatchStream {
        let schema = self.join.schema();
        let batches = stream::try_unfold(Box::new(self), |mut spilled| async move {
            let next = spilled.next_batch().await?;
            Ok::<_, DataFusionError>(next.map(|batch| (batch, spilled)))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.limit == Some(0) {
                return Ok(None);
            }
            if let Some(current) = &mut self.current {
                if let Some(batch) = current.try_next().await? {
                    let rows = batch.num_rows();
                    self.limit = self.limit.map(|limit| limit.saturating_sub(rows));
                    return Ok(Some(batch.record_output(&self.returned)));
                }
                // Its memory is free for the next bucket.
                self.current = None;
            }
            match self.tasks.pop() {
                Some(task) => self.begin(task).await?,
                None => return Ok(None),
            }
        }
    }

    /// Reads the build side of a bucket, and starts the join over it, or divides the bucket.
    async fn begin(&mut self, task: Task) -> Result<()> {
        let join = *self.join.join_type();
        let Task {
            build,
            probe,
            level,
            is_swapped,
        } = turned(task, join);
        let side = match is_swapped {
            true => Arc::clone(&self.right),
            false => Arc::clone(&self.left),
        };
        let input = match build {
            Source::Bucket(bucket) => bucket.read(&side)?,
            Source::Rest(rest) => rest,
        };
        let input = match self.leaves_out_nulls {
            true => side.known(input),
            false => input,
        };
        let excess = match level < LEVELS {
            true => Excess::Divided { level },
            false if is_swapped || joins_in_parts(join) => Excess::InParts,
            false => Excess::Refused,
        };
        match gathered(input, &side, excess, None).await? {
            Gathered::Rows(rows) => self.current = Some(self.joined(rows, &probe, is_swapped)?),
            Gathered::Part(rows, rest) => {
                self.current = Some(self.joined(rows, &probe, is_swapped)?);
                self.tasks.push(Task {
                    build: Source::Rest(rest),
                    probe,
                    level,
                    is_swapped,
                });
            }
            Gathered::Divided(build) => {
                let probe = self.divided(&probe, &build, level).await?;
                self.push(build, probe, level + 1);
            }
        }
        Ok(())
    }

    /// Starts the join over rows in memory and a bucket of the other side.
    fn joined(
        &self,
        rows: Rows,
        probe: &Bucket,
        is_swapped: bool,
    ) -> Result<SendableRecordBatchStream> {
        let (of_rows, of_probe) = match is_swapped {
            true => (&self.right, &self.left),
            false => (&self.left, &self.right),
        };
        let (rows, handed) = rows.into_stream(of_rows.schema());
        let probe = handed.trimmed_before(probe.read(of_probe)?);
        let (rows, probe) = (GivenExec::once(rows), GivenExec::once(probe));
        let inputs = match is_swapped {
            true => vec![probe, rows],
            false => vec![rows, probe],
        };
        let builder = self.join.builder().reset_state();
        let join = builder
            .with_new_children(inputs)?
            .with_partition_mode(PartitionMode::CollectLeft)
            .with_fetch(self.limit)
            .build()?;
        let plan: Arc<dyn ExecutionPlan> = match is_swapped {
            true => join.swap_inputs(PartitionMode::CollectLeft)?,
            false => Arc::new(join),
        };
        stoppable_as_it_is(plan)?.execute(0, handed.context(self.right.context()))
    }

    /// Divides a bucket of the probe side as the build side was.
    async fn divided(
        &mut self,
        probe: &Bucket,
        build: &[Bucket],
        level: usize,
    ) -> Result<Vec<Bucket>> {
        let writers = Writers::of_probe(&self.right, build, *self.join.join_type());
        let writers = Arc::new(Mutex::new(writers));
        let mut dividing = Dividing::new(self.right.divider(level), writers);
        dividing.add_all(probe.read(&self.right)?).await?;
        dividing.finish()
    }

    /// Adds buckets. One that has all rows of the build side is divided once more at most, because
    /// they may have one key.
    fn push(&mut self, build: Vec<Bucket>, probe: Vec<Bucket>, level: usize) {
        let join = *self.join.join_type();
        let all: u64 = build.iter().map(|bucket| bucket.rows).sum();
        for (build, probe) in build.into_iter().zip(probe) {
            if !needs_other(&build, join) || !needs_other(&probe, join.swap()) {
                continue;
            }
            let level = match build.rows == all {
                true => level.max(LEVELS - 1),
                false => level,
            };
            self.tasks.push(Task {
                build: Source::Bucket(build),
                probe,
                level,
                is_swapped: false,
            });
        }
    }
}

/// Swaps the sides of rows that are not divided any more, if only the rows of the other side can be
/// joined in parts.
fn turned(task: Task, join: JoinType) -> Task {
    let is_to_swap = !joins_in_parts(join) && joins_in_parts(join.swap());
    match task {
        Task {
            build: Source::Bucket(build),
            probe,
            level: LEVELS..,
            is_swapped: false,
        } if is_to_swap => Task {
            build: Source::Bucket(probe),
            probe: build,
            level: LEVELS,
            is_swapped: true,
        },
        task => task,
    }
}

/// Returns whether the rows of the build side can be joined some at a time, with all rows of the
/// probe side each time.
fn joins_in_parts(join: JoinType) -> bool {
    matches!(
        join,
        JoinType::Inner
            | JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark
    )
}
