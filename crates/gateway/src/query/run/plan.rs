//! The plan of a query: optimised, bound to the files that it reads, and made physical.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::FutureExt;
use lakegate_dialect::postgres::pg_catalog;
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_lake::write::RowOrder;
use lakegate_policy::snapshots::{self, PrunedPlan, SnapshotPlan};

use super::{Keeper, QueryContext};
use crate::query::kept_plan::{KeptPlan, PlanInputs};
use crate::query::life::Phase;
use crate::query::literal_list::is_literal_list;
use crate::query::planning::Planning;
use crate::query::source::QuerySource;

/// The maximum number of times that a query is planned. A plan becomes outdated before it is bound
/// to files only through commits of writes.
const MAX_PLANNINGS: usize = 10;

impl QueryContext {
    /// Plans a query in the principal's view, optimises the plan, and finds the partitions to read,
    /// without listing them yet. The plan and the later listings see the same state of the catalog,
    /// before or after any write is committed.
    ///
    /// `planned`: the plan, if the query was planned before to describe it.
    ///
    /// # Errors
    /// Names do not resolve, types do not match, or the engine does not support the syntax;
    /// [`snapshots::prune`] fails.
    pub(crate) async fn pruned(
        &self,
        planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<PrunedPlan> {
        if let Some(pruned) = self.pruned_constant()? {
            return Ok(pruned);
        }
        if self.is_short_to_plan() {
            return Box::pin(self.prune(planned, parameters)).await;
        }
        let (context, parameters) = (self.clone(), parameters.to_vec());
        let pruning = async move { context.prune(planned, &parameters).await };
        self.gateway.plan_for(&self.query, pruning.boxed()).await
    }

    /// Returns whether the query is planned before a planner thread would begin to.
    fn is_short_to_plan(&self) -> bool {
        match &self.planning.source {
            QuerySource::Sql(statement) => is_literal_list(statement),
            QuerySource::Substrait(_) => false,
        }
    }

    /// Returns the plan that is known to read no table: nothing is left to plan.
    fn pruned_constant(&self) -> Result<Option<PrunedPlan>> {
        let known = self.optimized.as_ref();
        let reads_none = |plan: &&LogicalPlan| {
            let tables = snapshots::tables(plan);
            tables.is_some_and(|tables| tables.is_empty())
        };
        let Some(plan) = known.filter(reads_none) else {
            return Ok(None);
        };
        let writes = self.gateway.write_log.open_writes();
        if writes.commits() != self.planning.commits {
            return Ok(None);
        }
        snapshots::prune(plan.clone(), &self.planning.lake, writes).map(Some)
    }

    async fn prune(
        &self,
        mut planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<PrunedPlan> {
        let mut commits = self.planning.commits;
        let mut known = self.optimized.clone();
        for attempt in 0..MAX_PLANNINGS {
            let optimized = match known.take() {
                Some(known) => known,
                None => {
                    // What replaces a plan of an earlier execution is of the time of this one.
                    let is_later = self.optimized.is_some();
                    let later = is_later.then(|| Planning::clone(&self.planning).begun_now());
                    let planning = later.as_ref().unwrap_or(self.planning.as_ref());
                    let (plan, analysis) = match planned.take() {
                        Some(plan) => (plan, planning.known_analysis(parameters)),
                        None => {
                            let plan = planning.plan().await?;
                            // A plan whose rows are written was analysed for their types.
                            let is_first = attempt == 0 && planning.assigned.is_some();
                            let known = is_first.then(|| planning.known_analysis(parameters));
                            (plan, known.flatten())
                        }
                    };
                    let kept = self.to_keep(&plan).filter(|_| attempt == 0);
                    let optimized = planning.optimized(plan, analysis, parameters).await?;
                    if attempt == 0 {
                        self.keep(kept, parameters, &optimized);
                    }
                    optimized
                }
            };
            let writes = match &self.planning.draft {
                None => self.gateway.write_log.open_writes(),
                Some(draft) => {
                    draft.refresh().await?;
                    draft.stores().write_log.open_writes()
                }
            };
            if writes.commits() == commits {
                return snapshots::prune(optimized, &self.planning.lake, writes);
            }
            commits = writes.commits();
        }
        Err(Error::new(
            Code::FileChanged,
            format!(
                "writes were committed each of the {MAX_PLANNINGS} times that the query was planned"
            ),
        )
        .with_hint("run it again"))
    }

    /// Returns the plan if it may be kept. Rules copy the operators of a plan that something else
    /// holds.
    fn to_keep(&self, plan: &LogicalPlan) -> Option<LogicalPlan> {
        let has_slot = matches!(self.keeper, Some(Keeper::Slot(..)));
        let may_last = has_slot && snapshots::tables(plan).is_some();
        may_last.then(|| plan.clone())
    }

    /// Keeps a plan for later executions, if it may serve them. `plan`: as of [`Self::to_keep`].
    fn keep(&self, plan: Option<LogicalPlan>, parameters: &[ScalarValue], optimized: &LogicalPlan) {
        match &self.keeper {
            None => {}
            Some(Keeper::Plan(kept)) => kept.keep_optimized(parameters, optimized),
            Some(Keeper::Slot(slot, inputs)) => {
                let Some(plan) = plan else { return };
                let inputs = PlanInputs::clone(inputs);
                // Counters and the memory of readers are those of this run.
                let planning = Planning::clone(&self.planning);
                let planning = planning.unread(self.planning.limits.clone());
                let kept = KeptPlan::new(inputs, plan, planning, &self.gateway.plans);
                if kept.lasts() {
                    kept.keep_optimized(parameters, optimized);
                    slot.put(kept);
                }
            }
        }
    }

    /// Plans a query and binds it to the files that it will read.
    ///
    /// # Errors
    /// Planning fails; the files cannot be listed.
    pub(crate) async fn snapshot(&self, parameters: &[ScalarValue]) -> Result<SnapshotPlan> {
        let pruned_plan = self.pruned(None, parameters).await?;
        pruned_plan.list(&self.planning.lake).await
    }

    /// Plans a query down to its physical plan, which is a step of it.
    ///
    /// # Errors
    /// Planning fails or takes too long; the files cannot be listed; the query was stopped.
    pub(crate) async fn planned(
        &self,
        parameters: &[ScalarValue],
    ) -> Result<(SnapshotPlan, Arc<dyn ExecutionPlan>)> {
        let planning = async {
            let snapshot = self.snapshot(parameters).await?;
            let physical = self.physical(&snapshot.plan).await?;
            Ok((snapshot, physical))
        };
        self.query.step(Phase::Planning, planning.boxed()).await
    }

    /// Makes the physical plan on a planner thread.
    ///
    /// # Errors
    /// Planning fails or takes too long.
    pub(crate) async fn physical(&self, snapshot: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        self.physical_in_order(snapshot, None).await
    }

    /// Makes the physical plan of rows that come in an order, on a planner thread.
    ///
    /// # Errors
    /// Planning fails or takes too long.
    pub(crate) async fn physical_in_order(
        &self,
        snapshot: &LogicalPlan,
        order: Option<RowOrder>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (context, snapshot) = (self.clone(), snapshot.clone());
        let planning = async move {
            let (engine, planning) = (&context.gateway.engine, &context.planning);
            let undivided = match pg_catalog::reads_few_rows(&snapshot).map_err(from_engine)? {
                true => Some(engine.undivided(&planning.settings)?),
                false => None,
            };
            let state: &SessionState = match &undivided {
                Some(state) => state,
                None => &planning.state,
            };
            let above = |plan| match order {
                Some(order) => order.above(plan),
                None => plan,
            };
            engine.physical(state, &snapshot, above).await
        };
        self.gateway.plan_for(&self.query, planning.boxed()).await
    }

    /// Lists the files that the query will read.
    ///
    /// # Errors
    /// The files cannot be listed; the query was stopped.
    pub(crate) async fn list(&self, pruned_plan: PrunedPlan) -> Result<SnapshotPlan> {
        let listing = pruned_plan.list(&self.planning.lake);
        let snapshot = self.query.step(Phase::Planning, Box::pin(listing)).await?;
        self.query.will_read(snapshot.bytes());
        Ok(snapshot)
    }
}
