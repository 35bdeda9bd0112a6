//! First steps of aggregations whose form each partition chooses by its first rows.
//!
//! Such a step takes the place of the plan's own one in a plan that is ready to run. In all but its run and its
//! metrics it is that of the plan: properties and `EXPLAIN` do not change. It may get its rows in any order and
//! return a group several times, because the last step merges the groups of several partitions in any case.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use crate::aggregation::finest_groups::is_merged;
use crate::plans::given_input::{Given, metrics_of};
use crate::plans::operators::{new_children_replace, stands_for};

/// An operator of a physical plan.
pub(crate) type Operator = Arc<dyn ExecutionPlan>;

/// The forms of a first step that a partition may choose.
pub(crate) trait Choice: Clone + Send + Sync + 'static {
    /// The name of the operator in its `Debug` form.
    const NAME: &'static str;

    /// Returns the forms of an aggregation; `None` if it has only that of the plan.
    ///
    /// # Errors
    ///
    /// Returns an error if DataFusion refuses the aggregation in another form.
    fn of(aggregate: &AggregateExec) -> Result<Option<Self>>;

    /// Returns the groups of the rows of a partition.
    ///
    /// # Errors
    ///
    /// Returns those of the input and of the aggregation.
    fn groups(
        self,
        partition: Partition,
        rows: SendableRecordBatchStream,
    ) -> impl Future<Output = Result<SendableRecordBatchStream>> + Send + 'static;
}

/// Returns the same aggregation, of which each partition chooses the form; `None` for other operators and
/// aggregations.
///
/// # Errors
///
/// Returns those of [`Choice::of`].
pub(crate) fn with_choice<C: Choice>(plan: &Operator) -> Result<Option<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let is_possible = aggregate.group_expr().is_single()
        && *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| is_merged(function));
    if !is_possible {
        return Ok(None);
    }
    let Some(choice) = C::of(aggregate)? else {
        return Ok(None);
    };
    Ok(Some(Arc::new(ChosenStep {
        aggregate: Arc::new(aggregate.clone()),
        choice,
        made: Arc::default(),
    })))
}

/// The operator.
struct ChosenStep<C> {
    /// The step of the plan.
    aggregate: Arc<AggregateExec>,
    choice: C,
    /// What runs, for each partition.
    made: Arc<Mutex<Vec<Operator>>>,
}

impl<C: Choice> fmt::Debug for ChosenStep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::NAME)
            .field("made", &*self.made.lock())
            .finish_non_exhaustive()
    }
}

impl<C: Choice> DisplayAs for ChosenStep<C> {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregate.fmt_as(form, f)
    }
}

impl<C: Choice> ExecutionPlan for ChosenStep<C> {
    stands_for!(aggregate);

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Operator>,
        options: ReplaceChildrenOptions,
    ) -> Result<Operator> {
        let aggregate = Arc::clone(&self.aggregate).replace_children(children, options)?;
        Ok(with_choice::<C>(&aggregate)?.unwrap_or(aggregate))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.aggregate.input();
        let rows = rows.execute(partition, Arc::clone(&context))?;
        let partition = Partition {
            aggregate: Arc::clone(&self.aggregate),
            made: Arc::clone(&self.made),
            partition,
            context,
        };
        let groups = stream::once(self.choice.clone().groups(partition, rows)).try_flatten();
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, groups)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(metrics_of(&self.made.lock()))
    }
}

/// A partition that is aggregated.
pub(crate) struct Partition {
    /// The step of the plan.
    pub aggregate: Arc<AggregateExec>,
    made: Arc<Mutex<Vec<Operator>>>,
    /// Its number, from 0.
    pub partition: usize,
    /// What the aggregation runs in.
    pub context: Arc<TaskContext>,
}

impl Partition {
    /// Runs an aggregation over rows of the partition, instead of its input.
    ///
    /// # Errors
    ///
    /// Returns those of the aggregation.
    pub(crate) fn run(
        &self,
        aggregate: Operator,
        rows: SendableRecordBatchStream,
    ) -> Result<SendableRecordBatchStream> {
        let input = aggregate.children().into_iter().next().map(Arc::clone);
        let what = || DataFusionError::Internal("an aggregation has no input".to_owned());
        let given: Operator = Arc::new(Given::new(&input.ok_or_else(what)?, None, Some(rows)));
        let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        let made = aggregate.replace_children(vec![given], keep)?;
        self.made.lock().push(Arc::clone(&made));
        made.execute(self.partition, Arc::clone(&self.context))
    }
}
