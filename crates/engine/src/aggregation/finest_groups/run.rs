//! The groups of one partition.
//!
//! ```text
//!  by (a, b, c) ─▶ table of (a, b) ─▶ table of (a) ─▶ table of ()
//!       │               │                 │               │
//!       └───────────────┴── rows of the result ───────────┘
//! ```
//!
//! The groups of a step go to the result and into the tables of the steps that are made of them:
//! those by all keys when the input has them, those of a table at the end, or earlier:
//!
//! - If the pool has no memory for the tables, the groups of the largest one. It then starts anew.
//! - If a table has about as many groups as were added to it. What would be added to it is passed on
//!   as it is from then on.
//!
//! So the result may have several rows with equal set and keys. The next step of the aggregation
//! merges those of all partitions.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use futures::StreamExt;

use super::groups::{Groups, Table};
use super::no_rows::groups_of_no_rows;
use super::steps::Steps;

/// An aggregation that is being computed.
pub(super) struct Run {
    plan: Arc<Steps>,
    /// Groups by all keys: keys, states. `None` after the end.
    input: Option<SendableRecordBatchStream>,
    has_rows: bool,
    /// One for each step. The first has no table.
    levels: Vec<Level>,
    /// How many steps have ended. Nothing is added to them any more.
    ended: usize,
    /// Groups that are being passed on, last ones first.
    passed: Vec<Passed>,
    /// Rows of the result.
    ready: VecDeque<RecordBatch>,
    /// Rows of a batch.
    batch_size: usize,
    pays: Pays,
    /// The tables, and the groups that are being passed on.
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

#[derive(Default)]
struct Level {
    /// `None` while there are no groups.
    table: Option<Table>,
    /// Whether what would be added to the table is passed on as it is.
    is_skipped: bool,
}

/// Groups of a step, in parts.
struct Passed {
    step: usize,
    groups: Groups,
    /// How many have been passed on.
    done: usize,
    bytes: usize,
}

/// Whether a table has fewer groups than were added to it.
struct Pays {
    /// Groups that are added before it is known.
    rows: usize,
    /// The largest share of groups that may be left.
    ratio: f64,
}

impl Pays {
    fn new(context: &TaskContext) -> Self {
        let options = &context.session_config().options().execution;
        Self {
            rows: options.skip_partial_aggregation_probe_rows_threshold,
            ratio: options.skip_partial_aggregation_probe_ratio_threshold,
        }
    }

    fn is_skipped(&self, table: &Table) -> bool {
        let (groups, added) = table.counts();
        added >= self.rows && groups as f64 > self.ratio * added as f64
    }
}

impl Run {
    /// `input`: groups by all keys, which may be equal: keys, states. `memory`: empty.
    pub(super) fn new(
        plan: Arc<Steps>,
        input: SendableRecordBatchStream,
        context: &TaskContext,
        memory: MemoryReservation,
        metrics: BaselineMetrics,
    ) -> Self {
        Self {
            levels: plan.steps.iter().map(|_| Level::default()).collect(),
            plan,
            input: Some(input),
            has_rows: false,
            ended: 0,
            passed: Vec::new(),
            ready: VecDeque::new(),
            batch_size: context.session_config().batch_size().max(1),
            pays: Pays::new(context),
            memory,
            metrics,
        }
    }

    /// Returns the next rows of the result; `None` after the last ones.
    ///
    /// # Errors
    ///
    /// Returns an error of the input or of a function.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch.record_output(&self.metrics)));
            }
            if self.pass_part()? {
                continue;
            }
            let Some(input) = &mut self.input else {
                if self.end_step()? {
                    continue;
                }
                self.memory.free();
                return Ok(None);
            };
            let next = input.next().await;
            match next {
                Some(batch) => self.take(&batch?)?,
                None => {
                    self.input = None;
                    if !self.has_rows {
                        self.ready.extend(groups_of_no_rows(&self.plan)?);
                    }
                }
            }
        }
    }

    /// Takes groups of the input.
    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        self.has_rows = true;
        let groups = Groups::finest(batch, self.plan.keys);
        self.pass(0, &groups)?;
        self.reserve()
    }

    /// Passes on a batch of the groups that are being passed on. Returns whether there was one.
    fn pass_part(&mut self) -> Result<bool> {
        let Some(mut passed) = self.passed.pop() else {
            return Ok(false);
        };
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let rest = passed.groups.count.saturating_sub(passed.done);
        let count = rest.min(self.batch_size);
        let (step, part) = (passed.step, passed.groups.slice(passed.done, count));
        passed.done += count;
        if count < rest {
            self.passed.push(passed);
        }
        self.pass(step, &part)?;
        self.reserve()?;
        Ok(true)
    }

    /// Passes groups of a step on: to the result, and to the steps that are made of them. Begins to
    /// pass on those of steps that have no tables any more.
    fn pass(&mut self, step: usize, groups: &Groups) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let Some(of) = plan.steps.get(step) else {
            return Ok(());
        };
        for number in &of.numbers {
            self.ready.push_back(groups.rows(number, &plan.schema)?);
        }
        for child in &of.children {
            let (Some(to), Some(level)) = (plan.steps.get(*child), self.levels.get_mut(*child))
            else {
                continue;
            };
            if level.is_skipped {
                // One after the other: of thousands of sets, the rows of all would be much. Their
                // columns are those of the finer groups.
                self.passed.push(Passed {
                    step: *child,
                    groups: groups.with_keys(&to.keys),
                    done: 0,
                    bytes: 0,
                });
                continue;
            }
            let table = match &mut level.table {
                Some(table) => table,
                none => none.insert(Table::new(to, &plan.functions)?),
            };
            table.add(groups, to, &plan.states)?;
            if self.pays.is_skipped(table) {
                level.is_skipped = true;
                self.empty(*child)?;
            }
        }
        Ok(())
    }

    /// Begins to pass on the groups of the next step that has some. Returns whether there was one.
    fn end_step(&mut self) -> Result<bool> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        while self.ended < self.levels.len() {
            let step = self.ended;
            self.ended += 1;
            self.empty(step)?;
            if !self.passed.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins to pass on the groups of a table, before all others that are being passed on.
    fn empty(&mut self, step: usize) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let table = self.levels.get_mut(step);
        let table = table.and_then(|level| level.table.take());
        if let (Some(table), Some(of)) = (table, plan.steps.get(step)) {
            let groups = table.into_groups(of, &plan)?;
            let bytes = groups.bytes();
            self.passed.push(Passed {
                step,
                groups,
                done: 0,
                bytes,
            });
        }
        Ok(())
    }

    /// Takes memory for the tables, and for what is being passed on. If there is none, begins to
    /// empty a table. Until it is empty, the memory is what it was.
    fn reserve(&mut self) -> Result<()> {
        let tables = self.levels.iter().filter_map(|level| level.table.as_ref());
        let tables = tables.map(Table::bytes);
        let passed = self.passed.iter().map(|passed| passed.bytes);
        let bytes = tables.chain(passed).fold(0, usize::saturating_add);
        let full = match self.memory.try_resize(bytes) {
            Err(full @ DataFusionError::ResourcesExhausted(_)) => full,
            other => return other,
        };
        // Those above become no smaller while their groups are being passed on.
        let first = self.passed.last().map_or(0, |passed| passed.step + 1);
        let tables = self.levels.iter().enumerate().skip(first);
        let tables = tables.filter_map(|(step, level)| Some((step, level.table.as_ref()?.bytes())));
        let largest = tables.max_by_key(|(_, bytes)| *bytes);
        match largest {
            Some((step, _)) => self.empty(step),
            // What is being passed on is there already, and becomes less.
            None if !self.passed.is_empty() => Ok(()),
            None => Err(full),
        }
    }
}
