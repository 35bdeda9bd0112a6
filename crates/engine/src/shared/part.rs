//! A part of a plan that is computed once, and its runs.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchemaRef, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use parking_lot::Mutex;

use super::log::Log;
use super::once::refused;
use crate::plans::operators::of_plan;

/// A part of a plan that several operators read.
pub(super) struct Part {
    /// The number that EXPLAIN shows, from 1.
    pub number: usize,
    pub schema: DFSchemaRef,
    /// Bytes of rows that are kept in memory.
    bound: usize,
    /// Whether a second run may return other rows, so that there must be none.
    has_one_run: bool,
    plan: OnceLock<Arc<dyn ExecutionPlan>>,
    /// Operators that were planned to read it, of which the optimizer may drop some.
    planned: AtomicUsize,
    /// Operators that read it in the plan that runs.
    readers: AtomicUsize,
    /// The operator that shows the part's plan as its input.
    shown_by: OnceLock<usize>,
    statistics: OnceLock<Arc<Statistics>>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    /// Whether a run has the state of the planned operators. Later runs have operators of their own.
    is_used: bool,
    runs: Vec<Run>,
}

/// The logs of a run of the part.
struct Run {
    context: Weak<TaskContext>,
    plan: Arc<dyn ExecutionPlan>,
    /// One for each partition.
    logs: Vec<Arc<Log>>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Part {
    pub(super) fn new(number: usize, schema: DFSchemaRef, bound: usize) -> Self {
        Self {
            number,
            schema,
            bound,
            has_one_run: false,
            plan: OnceLock::new(),
            planned: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
            shown_by: OnceLock::new(),
            statistics: OnceLock::new(),
            runs: Mutex::default(),
        }
    }

    /// Returns the part as one whose second run is an error.
    pub(super) fn of_one_run(self) -> Self {
        Self {
            has_one_run: true,
            ..self
        }
    }

    /// Returns whether the part may be run once only.
    pub(super) fn has_one_run(&self) -> bool {
        self.has_one_run
    }

    /// Sets the physical plan. Returns whether it has the names of the part's columns, without which
    /// it cannot take their place.
    pub(super) fn planned(&self, plan: Arc<dyn ExecutionPlan>) -> bool {
        let schema = plan.schema();
        schema.fields().len() == self.schema.fields().len()
            && self.schema.matches_arrow_schema(&schema)
            && self.plan.set(plan).is_ok()
    }

    /// Returns the physical plan, and the number of a new reader.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no plan yet.
    pub(super) fn read(&self) -> Result<(Arc<dyn ExecutionPlan>, usize)> {
        let plan = self.plan.get().ok_or_else(|| {
            DataFusionError::Internal("a shared part is planned after its readers".to_owned())
        })?;
        let reader = self.planned.fetch_add(1, Ordering::Relaxed);
        Ok((Arc::clone(plan), reader))
    }

    /// Counts a reader of the plan that will run. The first one shows the part's plan.
    pub(super) fn count(&self, reader: usize) {
        self.readers.fetch_add(1, Ordering::Relaxed);
        self.shown_by.get_or_init(|| reader);
    }

    /// Returns whether this reader shows the part's plan as its input.
    pub(super) fn is_shown_by(&self, reader: usize) -> bool {
        self.shown_by.get() == Some(&reader)
    }

    /// Returns what is known of the rows.
    ///
    /// # Errors
    ///
    /// Returns the errors of the part's operators.
    pub(super) fn statistics(
        &self,
        plan: &dyn ExecutionPlan,
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let compute = || StatisticsContext::new().compute(plan, args);
        if args.partition().is_some() {
            return compute();
        }
        if let Some(known) = self.statistics.get() {
            return Ok(Arc::clone(known));
        }
        let found = compute()?;
        Ok(Arc::clone(self.statistics.get_or_init(|| found)))
    }

    /// Joins the log of a partition as a new reader, and starts its input if no reader did. `metrics`:
    /// of the operator that reads.
    ///
    /// # Errors
    ///
    /// Returns an error if the input cannot be started.
    pub(super) fn join(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Member> {
        let context = of_plan(context);
        let (plan, member) = self.member(plan, partition, &context, metrics)?;
        let start = || plan.execute(partition, context);
        member.log.start(start)?;
        Ok(member)
    }

    /// Finds a run of this context whose first rows are still there, or begins one.
    fn member(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<(Arc<dyn ExecutionPlan>, Member)> {
        let mut known = self.runs.lock();
        known.runs.retain(|run| run.context.strong_count() > 0);
        let mut expected = self.readers.load(Ordering::Relaxed);
        let mut is_again = false;
        for run in &known.runs {
            if !std::ptr::eq(run.context.as_ptr(), Arc::as_ptr(context)) {
                continue;
            }
            // A reader that reads again gets rows of its own.
            (expected, is_again) = (1, true);
            let log = run.logs.get(partition).ok_or_else(|| absent(partition))?;
            if let Some(member) = Member::of(log) {
                return Ok((Arc::clone(&run.plan), member));
            }
        }
        if self.has_one_run && known.is_used {
            return Err(refused());
        }
        let plan = match std::mem::replace(&mut known.is_used, true) {
            false => Arc::clone(plan),
            // To reset them would take their results from those that still read.
            true if is_again && plan.exists(|node| Ok(node.is::<ScalarSubqueryExec>()))? => {
                let what = "rows of a query with subqueries cannot be computed again";
                return Err(DataFusionError::ResourcesExhausted(what.to_owned()));
            }
            true => reset_plan_states(Arc::clone(plan))?,
        };
        let run = self.begun(plan, expected, context, metrics);
        let log = run.logs.get(partition).ok_or_else(|| absent(partition))?;
        let member = Member::of(log).ok_or_else(|| absent(partition))?;
        let plan = Arc::clone(&run.plan);
        known.runs.push(run);
        Ok((plan, member))
    }

    fn begun(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        expected: usize,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Run {
        let partitions = plan.properties().partitioning.partition_count();
        let bound = self.bound / partitions.max(1);
        let log = |partition| {
            let spilled = SpillMetrics::new(metrics, partition);
            let files = SpillManager::new(context.runtime_env(), spilled, plan.schema())
                .with_compression_type(context.session_config().spill_compression());
            let memory = MemoryConsumer::new("shared rows").register(context.memory_pool());
            Arc::new(Log::new(expected, bound, memory, files))
        };
        Run {
            context: Arc::downgrade(context),
            logs: (0..partitions).map(log).collect(),
            plan,
        }
    }
}

/// A reader's membership in a log, which ends when it is dropped.
pub(super) struct Member {
    pub log: Arc<Log>,
    pub reader: usize,
}

impl Member {
    fn of(log: &Arc<Log>) -> Option<Self> {
        let reader = log.join()?;
        Some(Self {
            log: Arc::clone(log),
            reader,
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.log.leave(self.reader);
    }
}

fn absent(partition: usize) -> DataFusionError {
    DataFusionError::Internal(format!("a shared part has no partition {partition}"))
}
