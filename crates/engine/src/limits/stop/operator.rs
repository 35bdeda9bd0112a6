//! Wraps every operator of a plan so that it yields, stops, and does not work on one batch for
//! long.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, LikeExpr};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};
use lakegate_lake::casts::passes_on;
use tokio::task::coop;

use super::condition::{gives_pairs, interruptible};
use super::owned::owned;
use super::pace::{Pace, Parts};
use super::place::Place;
use super::window::{in_batches, kept};
use super::{Entered, PlanRun};
use crate::aggregation::chosen_steps::with_choice;
use crate::aggregation::finest_groups::with_finest_groups;
use crate::aggregation::first_steps::with_patience;
use crate::aggregation::near_groups::NearGroups;
use crate::aggregation::numbered_texts::NumberedTexts;
use crate::joins::spilling_join::{ordered_inputs, with_spilling};
use crate::joins::unread_partitions::without_waiting;
use crate::limits::bounded::made_much;
use crate::limits::gathered::{self, Kept, given};
use crate::limits::literals::{beside_results, may_be_large, rows_beside_subqueries};
use crate::logic::conjunctions::with_conjunction;
use crate::optimize::without_constant_order;
use crate::plans::operators::{as_the_inner, new_children_replace};
use crate::windows::running_windows::with_running_windows;

/// Working time for which a task is charged one unit of the 128 that tokio grants it before it must
/// yield.
const UNIT: Duration = Duration::from_micros(250);

/// Puts a `Stoppable` around each operator of a plan that is ready to run.
///
/// # Errors
///
/// Returns an error if one of DataFusion's operators cannot be rebuilt.
pub fn stoppable(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    // What reads the rows may rely on their order.
    around(without_waiting(plan)?, Place::default(), true, replaced)
}

/// Puts a `Stoppable` around each operator of a plan that another operator runs. None of them is
/// replaced.
///
/// # Errors
///
/// Returns an error if one of DataFusion's operators cannot be rebuilt.
pub(crate) fn stoppable_as_it_is(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    around(plan, Place::default(), true, |_, _| Ok(None))
}

/// Returns the operator that takes the place of another one in a run, with the same rows. The flag
/// says whether their order matters.
type Replace = fn(&Arc<dyn ExecutionPlan>, bool) -> Result<Option<Arc<dyn ExecutionPlan>>>;

fn around(
    plan: Arc<dyn ExecutionPlan>,
    place: Place,
    is_ordered: bool,
    replace: Replace,
) -> Result<Arc<dyn ExecutionPlan>> {
    let paced = paced_input(plan.as_ref());
    let pace = paced.as_ref().map(|(_, pace)| Arc::clone(pace));
    let ordered = ordered_inputs(plan.as_ref(), is_ordered);
    let mut children = Vec::new();
    for (index, child) in plan.children().into_iter().enumerate() {
        let input_is_ordered = ordered.get(index).copied().unwrap_or(true);
        let of_child = place.of_input(&plan, index, paced.as_ref());
        let child = Arc::clone(child);
        children.push(around(child, of_child, input_is_ordered, replace)?);
    }
    let shown = Arc::clone(&plan);
    let mut inner = plan;
    if !children.is_empty() {
        let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        inner = inner.replace_children(children, keep)?;
    }
    let replaced = replace(&inner, is_ordered)?;
    Ok(Arc::new(Stoppable {
        shown: replaced.is_some().then_some(shown),
        inner: replaced.unwrap_or(inner),
        pace,
        place,
    }))
}

fn replaced(
    inner: &Arc<dyn ExecutionPlan>,
    is_ordered: bool,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut replaced = interruptible(inner.as_ref())?;
    if replaced.is_none() {
        replaced = with_conjunction(inner.as_ref())?;
    }
    if replaced.is_none() {
        replaced = with_finest_groups(inner.as_ref(), alone)?;
    }
    if replaced.is_none() {
        replaced = with_choice::<NearGroups>(inner)?;
    }
    if replaced.is_none() {
        replaced = with_choice::<NumberedTexts>(inner)?;
    }
    if replaced.is_none() {
        replaced = without_constant_order(inner)?;
    }
    if replaced.is_none() {
        replaced = with_running_windows(inner)?;
    }
    let spilling = with_spilling(replaced.as_ref().unwrap_or(inner).as_ref(), is_ordered)?;
    Ok(spilling.or(replaced))
}

/// Puts a `Stoppable` around an operator whose inputs have theirs, or are within another operator.
fn alone(inner: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(Stoppable {
        inner,
        shown: None,
        pace: None,
        place: Place {
            is_merged: true,
            ..Place::default()
        },
    })
}

/// Returns the index and the pace of an input, for an operator whose work on one batch is bounded
/// by its number of rows only. Other operators either gather their input, or only compare, hash and
/// copy each row.
fn paced_input(plan: &dyn ExecutionPlan) -> Option<(usize, Arc<Pace>)> {
    let partitions = plan.properties().partitioning.partition_count();
    let paced =
        |input, first, copies| Some((input, Arc::new(Pace::new(partitions, first, copies))));
    if plan.is::<NestedLoopJoinExec>() {
        return paced(1, 4, false);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        // A join that returns each pair returns after a bounded number of them.
        let gives_pairs = join.filter().is_none() && gives_pairs(*join.join_type());
        return paced(1, if gives_pairs { 512 } else { 8 }, false);
    }
    if plan.is::<CrossJoinExec>() {
        return paced(1, 512, false);
    }
    if plan.is::<UnnestExec>() {
        return paced(0, 512, true);
    }
    let evaluates =
        plan.is::<FilterExec>() || plan.is::<ProjectionExec>() || plan.is::<AggregateExec>();
    (evaluates && may_take_long(plan))
        .then(|| paced(0, 512, true))
        .flatten()
}

/// Returns whether an operator evaluates an expression that may take longer for a row than reading
/// it, or more memory.
fn may_take_long(plan: &dyn ExecutionPlan) -> bool {
    let mut long = false;
    let walked = plan.apply_expressions(&mut |root| {
        root.apply(|expression| {
            let matches = expression
                .downcast_ref::<BinaryExpr>()
                .is_some_and(|binary| {
                    use Operator as O;
                    matches!(
                        binary.op(),
                        O::RegexMatch | O::RegexIMatch | O::RegexNotMatch | O::RegexNotIMatch
                    )
                });
            let call = expression.downcast_ref::<ScalarFunctionExpr>();
            let calls = call.is_some_and(|call| !passes_on(call));
            long |= matches || calls || expression.is::<LikeExpr>() || may_be_large(expression);
            Ok(TreeNodeRecursion::Continue)
        })
    });
    walked.is_err() || long
}

/// An operator that stops within a moment and yields to other tasks. In all else it behaves as the
/// inner operator, including its display and metrics.
#[derive(Debug)]
struct Stoppable {
    inner: Arc<dyn ExecutionPlan>,
    /// The operator that the inner one replaces, which has the same rows. It gives the display,
    /// properties and statistics.
    shown: Option<Arc<dyn ExecutionPlan>>,
    /// The pace at which the operator gets its batches.
    pace: Option<Arc<Pace>>,
    place: Place,
}

impl Stoppable {
    fn planned(&self) -> &Arc<dyn ExecutionPlan> {
        self.shown.as_ref().unwrap_or(&self.inner)
    }

    fn of(&self, inner: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            inner,
            shown: self.shown.clone(),
            pace: self.pace.clone(),
            place: self.place.clone(),
        }
    }
}

impl DisplayAs for Stoppable {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.planned().fmt_as(t, f)
    }
}

impl ExecutionPlan for Stoppable {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.inner.as_ref())
    }

    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.planned().properties()
    }

    as_the_inner!(inner);

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inner.children()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).replace_children(children, options)?;
        Ok(Arc::new(self.of(inner)))
    }

    new_children_replace!();

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).reset_state()?;
        Ok(Arc::new(self.of(inner)))
    }

    fn with_new_state(
        &self,
        state: Arc<dyn std::any::Any + Send + Sync>,
    ) -> Option<Arc<dyn ExecutionPlan>> {
        let inner = self.inner.with_new_state(state)?;
        Some(Arc::new(self.of(inner)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let beside = self.place.beside.as_deref();
        let beside = beside.and_then(|plan| plan.downcast_ref::<ScalarSubqueryExec>());
        let context = match beside {
            Some(subqueries) => beside_results(subqueries, self.planned(), context)?,
            None => context,
        };
        let context = with_patience(self.inner.as_ref(), self.place.is_merged, context);
        let run = context.session_config().get_extension::<PlanRun>();
        let guard = run.as_ref().map(|run| run.stop.enter());
        if let Some(pace) = &self.pace {
            // Subqueries have ended when what reads their results is executed.
            pace.bound(rows_beside_subqueries(self.planned().as_ref())?);
        }
        let kept = kept(self.inner.as_ref(), context.memory_pool());
        let rows = context.session_config().batch_size();
        let inner = self.inner.execute(partition, context)?;
        let inner = match kept {
            Some(_) => in_batches(rows, inner),
            None => inner,
        };
        let inner = match self.place.is_kept {
            true => owned(inner),
            false => inner,
        };
        drop(guard);
        Ok(Box::pin(StoppableStream {
            schema: inner.schema(),
            kept,
            inner,
            run,
            partition,
            pace: self.pace.clone(),
            pace_of_parent: self.place.pace.clone(),
            parts: Parts::default(),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.inner.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.planned().child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.planned().statistics_from_inputs(inputs, args)
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.inner.cardinality_effect()
    }
}

struct StoppableStream {
    schema: SchemaRef,
    inner: SendableRecordBatchStream,
    run: Option<Arc<PlanRun>>,
    partition: usize,
    /// Counts what the operator keeps; `None` if it is not counted here.
    kept: Option<Arc<Kept>>,
    pace: Option<Arc<Pace>>,
    pace_of_parent: Option<Arc<Pace>>,
    /// The rest of the last batch.
    parts: Parts,
}

thread_local! {
    /// Since when the operator on this thread has worked by itself, outside of its inputs.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// State of an operator while it is polled.
struct Polled {
    /// Whether the parent operator was polled on this thread, too.
    within: bool,
    _stop: Option<Entered>,
    _kept: gathered::Entered,
}

impl StoppableStream {
    /// Charges the parent for its work so far, when it requests a batch. It may request batches
    /// forever within one poll.
    fn asked(&self, cx: &mut Context<'_>) {
        let now = Instant::now();
        if let Some(since) = SINCE.get() {
            SINCE.set(Some(now));
            let much = made_much();
            if let Some(pace) = &self.pace_of_parent {
                pace.worked(self.partition, now - since, much);
            }
            spend(cx, now - since);
        }
    }

    fn begin(&self) -> Polled {
        Polled {
            within: SINCE.replace(Some(Instant::now())).is_some(),
            _stop: self.run.as_ref().map(|run| run.stop.enter()),
            _kept: Kept::enter(self.kept.as_ref()),
        }
    }

    /// Counts what the operator keeps and returns, and what it passes to a parent that keeps it.
    fn counted(
        &self,
        next: Poll<Option<Result<RecordBatch>>>,
    ) -> Poll<Option<Result<RecordBatch>>> {
        let counted = match (&next, &self.kept) {
            (Poll::Ready(Some(Ok(batch))), Some(kept)) => kept.gave(batch.num_rows()),
            (Poll::Pending, Some(kept)) => kept.gave(0),
            (_, Some(kept)) => {
                kept.free();
                Ok(())
            }
            (_, None) => Ok(()),
        };
        let counted = counted.and_then(|()| match &next {
            Poll::Ready(Some(Ok(batch))) => given(batch),
            _ => Ok(()),
        });
        match counted {
            Ok(()) => next,
            Err(full) => Poll::Ready(Some(Err(full))),
        }
    }

    /// Charges the operator's work since it, or one below it, was last polled.
    fn end(&self, polled: &Polled, cx: &mut Context<'_>) {
        let now = Instant::now();
        if let Some(since) = SINCE.replace(polled.within.then_some(now)) {
            let much = made_much();
            if let Some(pace) = &self.pace {
                pace.worked(self.partition, now - since, much);
            }
            spend(cx, now - since);
        }
    }
}

impl Stream for StoppableStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(run) = &self.run
            && let Err(stopped) = run.stop.check()
        {
            return Poll::Ready(Some(Err(stopped)));
        }
        self.asked(cx);
        // A poll without a batch uses its unit, too.
        ready!(coop::poll_proceed(cx)).made_progress();
        let polled = self.begin();
        let this = &mut *self;
        let pace = this.pace_of_parent.as_deref();
        let rest = pace.and_then(|pace| this.parts.next(pace, this.partition));
        let next = match (rest, pace) {
            (Some(rest), _) => Poll::Ready(Some(rest)),
            (None, Some(pace)) => match this.inner.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(batch))) => {
                    Poll::Ready(Some(this.parts.cut(batch, pace, this.partition)))
                }
                other => other,
            },
            (None, None) => this.inner.poll_next_unpin(cx),
        };
        self.end(&polled, cx);
        drop(polled);
        self.counted(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for StoppableStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// Charges the task's budget for the time that it has worked.
fn spend(cx: &mut Context<'_>, time: Duration) {
    let units = time.as_micros() / UNIT.as_micros();
    for _ in 0..units.min(128) {
        if !coop::has_budget_remaining() {
            return;
        }
        if let Poll::Ready(budget) = coop::poll_proceed(cx) {
            budget.made_progress();
        }
    }
}
