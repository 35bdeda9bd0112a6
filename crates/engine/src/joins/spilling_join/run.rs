//! An execution of a join: its build side, and the partitions of its probe side.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::common::JoinType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, TryStreamExt};
use parking_lot::Mutex;

use super::buckets::{Bucket, Dividing, Writers};
use super::build::{Excess, Gathered, Rows, gathered};
use super::gate::{Ticket, empty};
use super::keys::Keys;
use super::side::Side;
use super::spilled::Spilled;
use super::unknown::Values;

/// A build side for one or several partitions of the probe side.
pub(super) struct Run {
    build: Shared<BoxFuture<'static, Found>>,
    left: Arc<Side>,
    /// Whether the build side is in memory, of DataFusion's join from then on.
    is_in_memory: Arc<AtomicBool>,
    /// Partitions of the probe side, and how many of them need nothing of this any more.
    partitions: usize,
    gone: AtomicUsize,
    together: Option<Together>,
    /// The values of a `NOT IN`.
    values: Option<Values>,
}

/// The build side, or the error of reading it, which all partitions get.
type Found = std::result::Result<Arc<Build>, Arc<DataFusionError>>;

enum Build {
    /// All rows, until a partition starts the join over them.
    Rows(Mutex<Option<Rows>>),
    Divided(Vec<Bucket>),
}

/// Where partitions of the probe side share a build side whose rows are returned by what has matched
/// in all of them, the last partition joins the rows of all.
struct Together {
    writers: OnceLock<Arc<Mutex<Writers>>>,
    /// Partitions that have not written all of their rows.
    unfinished: Mutex<usize>,
    /// Whether one of them will not.
    is_cut: AtomicBool,
}

impl Run {
    /// Creates a run, which reads the build side when a partition is polled. `keys`: where its keys
    /// are gathered.
    pub(super) fn new(
        join: &HashJoinExec,
        input: SendableRecordBatchStream,
        left: Arc<Side>,
        is_crowded: Arc<AtomicBool>,
        keys: Option<Arc<Keys>>,
    ) -> Self {
        let partitions = match join.partition_mode() {
            PartitionMode::CollectLeft => join.right().output_partitioning().partition_count(),
            _ => 1,
        };
        let is_in_memory = Arc::new(AtomicBool::new(false));
        let build = found(
            input,
            Arc::clone(&left),
            is_crowded,
            Arc::clone(&is_in_memory),
            keys,
        );
        let is_shared = partitions > 1 && returns_build_rows(*join.join_type());
        Self {
            build: build.boxed().shared(),
            left,
            is_in_memory,
            partitions,
            gone: AtomicUsize::new(0),
            together: is_shared.then(|| Together {
                writers: OnceLock::new(),
                unfinished: Mutex::new(partitions),
                is_cut: AtomicBool::new(false),
            }),
            values: Values::of(join),
        }
    }

    /// Returns what divides the rows of a partition of the probe side.
    fn dividing(&self, side: &Side, build: &[Bucket], join: JoinType) -> Dividing {
        let writers = || Arc::new(Mutex::new(Writers::of_probe(side, build, join)));
        let writers = match &self.together {
            Some(together) => Arc::clone(together.writers.get_or_init(writers)),
            None => writers(),
        };
        Dividing::new(side.divider(0), writers)
    }
}

/// Reads the build side.
async fn found(
    input: SendableRecordBatchStream,
    left: Arc<Side>,
    is_crowded: Arc<AtomicBool>,
    is_in_memory: Arc<AtomicBool>,
    keys: Option<Arc<Keys>>,
) -> Found {
    let excess = match left.can_spill() {
        true => Excess::Divided { level: 0 },
        false => Excess::Refused,
    };
    let build = gathered(input, &left, excess, Some(&is_crowded)).await;
    match (&keys, &build) {
        (Some(keys), Ok(Gathered::Rows(rows))) => {
            keys.add(rows.batches(), left.context());
        }
        (Some(keys), _) => keys.give_up(),
        (None, _) => {}
    }
    match build {
        Ok(Gathered::Rows(rows)) => {
            is_in_memory.store(true, Ordering::Relaxed);
            Ok(Arc::new(Build::Rows(Mutex::new(Some(rows)))))
        }
        Ok(Gathered::Divided(buckets)) => Ok(Arc::new(Build::Divided(buckets))),
        Ok(Gathered::Part(..)) => Err(Arc::new(DataFusionError::Internal(
            "a part of a build side was read where all of it is needed".to_owned(),
        ))),
        Err(error) => Err(Arc::new(error)),
    }
}

/// Returns whether a join returns a row of its build side by whether it has matched at all.
fn returns_build_rows(join: JoinType) -> bool {
    matches!(
        join,
        JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark
            | JoinType::Full
    )
}

impl Together {
    /// Counts a partition that has written all of its rows, or will not. Returns whether it is the
    /// last one.
    fn leave(&self) -> Result<bool> {
        let mut unfinished = self.unfinished.lock();
        *unfinished = unfinished.checked_sub(1).ok_or_else(|| {
            DataFusionError::Internal("a partition of a spilled join is read twice".to_owned())
        })?;
        Ok(*unfinished == 0)
    }
}

/// Where the partitions of one build side find their run.
pub(super) type Current = Arc<Mutex<Option<Arc<Run>>>>;

/// The part of a partition of the probe side in a run.
pub(super) struct Member {
    run: Arc<Run>,
    current: Current,
    /// Whether it has written all of its rows.
    is_finished: bool,
}

impl Member {
    pub(super) fn of(run: Arc<Run>, current: &Current) -> Self {
        Self {
            run,
            current: Arc::clone(current),
            is_finished: false,
        }
    }

    /// Returns the rows that the partition joins; `None` if another partition does.
    ///
    /// # Errors
    ///
    /// Returns an error if rows of another partition are missing.
    fn finished(mut self, dividing: Dividing) -> Result<Option<Vec<Bucket>>> {
        self.is_finished = true;
        if let Some(together) = &self.run.together {
            if !together.leave()? {
                return Ok(None);
            }
            if together.is_cut.load(Ordering::Relaxed) {
                return Err(DataFusionError::Internal(
                    "a partition of a spilled join was not read to its end".to_owned(),
                ));
            }
        }
        dividing.finish().map(Some)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(together) = &self.run.together
            && !self.is_finished
        {
            together.is_cut.store(true, Ordering::Relaxed);
            // Nothing waits for it.
            let _ = together.leave();
        }
        let gone = self.run.gone.fetch_add(1, Ordering::Relaxed) + 1;
        if gone >= self.run.partitions && !self.run.is_in_memory.load(Ordering::Relaxed) {
            let mut current = self.current.lock();
            let ended = current.take_if(|run| Arc::ptr_eq(run, &self.run));
            drop(current);
            // Files are deleted without the lock.
            drop(ended);
        }
    }
}

/// A partition of the probe side that was started.
pub(super) struct Partition {
    pub join: Arc<HashJoinExec>,
    pub member: Member,
    pub ticket: Ticket,
    pub right: SendableRecordBatchStream,
    pub side: Arc<Side>,
}

impl Partition {
    /// Returns the rows of the join.
    ///
    /// # Errors
    ///
    /// Returns the errors of the inputs, of the join and of the pool, and an error if the disk has no
    /// room.
    pub(super) async fn joined(self) -> Result<SendableRecordBatchStream> {
        let Self {
            join,
            member,
            ticket,
            mut right,
            side,
        } = self;
        let build = member.run.build.clone().await;
        let build = build.map_err(|error| DataFusionError::from(&error))?;
        let buckets = match &*build {
            Build::Rows(rows) => return ticket.start(rows, right),
            Build::Divided(buckets) => buckets.clone(),
        };
        drop((build, ticket));
        let run = Arc::clone(&member.run);
        let mut dividing = run.dividing(&side, &buckets, *join.join_type());
        while let Some(batch) = right.try_next().await? {
            let decides = match &run.values {
                Some(values) => values.add(&batch)?,
                None => true,
            };
            if decides {
                dividing.add(&batch).await?;
            }
        }
        drop(right);
        let Some(probe) = member.finished(dividing)? else {
            return Ok(empty(join.schema()));
        };
        let (join, leaves_out_nulls) = match &run.values {
            None => (join, false),
            Some(values) if values.have_null() => return Ok(empty(join.schema())),
            Some(values) => {
                let anti = join.builder().with_null_aware(false).build()?;
                (Arc::new(anti), values.are_some())
            }
        };
        let left = Arc::clone(&run.left);
        Ok(Spilled::of(join, left, side, buckets, probe, leaves_out_nulls).into_stream())
    }
}
