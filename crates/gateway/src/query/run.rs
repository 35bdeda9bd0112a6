//! The path of a query: resolve, plan, snapshot, reuse, admit, run.
//!
//! [`Session::run_query`] resolves names and submits the query; [`QueryContext::start`] plans it,
//! binds it to a snapshot of each table (`run/plan.rs`), and looks for a result to reuse;
//! [`QueryContext::lead`] waits for a permit and runs it on the query threads.

mod plan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, Stream, StreamExt};
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::{ResultReuse, Settings, type_literals};
use lakegate_engine::{PlanRun, metered};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_policy::snapshots::SnapshotPlan;
use lakegate_sql::ast::Statement;
use parking_lot::Mutex;
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::announced_columns::{same_columns, same_columns_of_any_digits};
use crate::query::column_names::{ColumnNames, renamed};
use crate::query::constant_row::constant_row;
use crate::query::ending::Unfinished;
use crate::query::kept_plan::{KeptPlan, PlanInputs, PlanSlot};
use crate::query::life::{BatchStream, Phase, Query};
use crate::query::logical_plan::is_repeatable;
use crate::query::parameter_digits::with_room;
use crate::query::parameters::{check_parameters, declare_types};
use crate::query::planning::Planning;
use crate::query::source::QuerySource;
use crate::query::stream::QueryStream;
use crate::query::watch::QueryWatch;
use crate::results::{CachedResult, Lookup, QueryKey, ResultCache, ResultKey, Run, replay};
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::workgroup::Queue;
use crate::{Gateway, Protocol, Rows};

/// The context that a query is planned and run in.
#[derive(Debug, Clone)]
pub(crate) struct QueryContext {
    pub gateway: Arc<Gateway>,
    pub query: Arc<Query>,
    pub planning: Arc<Planning>,
    pub reuse: ResultReuse,
    /// The maximum age of a result that is reused although files have changed.
    pub staleness: Duration,
    /// The optimised plan, if it is known from an earlier execution.
    pub optimized: Option<LogicalPlan>,
    /// Takes the plan for later executions.
    pub keeper: Option<Keeper>,
    /// Whether decimals of the result may have other digits than those that were announced.
    pub has_open_digits: bool,
}

/// What takes a plan for later executions.
#[derive(Debug, Clone)]
pub(crate) enum Keeper {
    /// The plan, with its inputs.
    Slot(Arc<PlanSlot>, Box<PlanInputs>),
    /// The optimised plan.
    Plan(Arc<KeptPlan>),
}

impl Session {
    /// Runs the query of a prepared statement.
    ///
    /// `reuse`: overrides the session's setting.
    ///
    /// # Errors
    /// Planning fails; the query exceeds a limit of its workgroup or of the server.
    pub(crate) async fn run_query(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
        reuse: Option<ResultReuse>,
    ) -> Result<Rows> {
        let settings = self.settings();
        // Other protocols announce the digits that values have.
        let roomy = self
            .shows_digits()
            .then(|| with_room(prepared, &parameters));
        let roomy = roomy.flatten();
        let has_open_digits = roomy.is_some();
        let prepared = roomy.as_ref().unwrap_or(prepared);
        let slot = self.slot_of(prepared, &settings, &parameters);
        let known = slot.as_ref();
        let known = known.and_then(|slot| slot.answer(moment, &settings, &parameters));
        let expected = prepared.columns.as_ref();
        if let Some(answer) = known.filter(|answer| answer.serves(expected, reuse)) {
            return self.answered(prepared, &answer);
        }
        let reused = slot.as_ref();
        let reused = reused.and_then(|slot| slot.take(moment, &settings, &parameters));
        let (planned, optimized, planning, keeper) = match reused {
            Some(reused) => {
                let planning = self.renewed(moment, reused.planning)?;
                let planned = Some(reused.plan).filter(|_| reused.optimized.is_none());
                let keeper = reused.kept.map(Keeper::Plan);
                (planned, reused.optimized, planning, keeper)
            }
            None => {
                let keeper = self.keeper(moment, prepared, slot, &settings);
                let resolving = self.resolve_prepared(moment, prepared, parameters.len());
                let planning = Box::pin(resolving).await?;
                let keeper = keeper.filter(|_| self.settings() == settings);
                (None, None, planning, keeper)
            }
        };
        let text = prepared.source.text();
        let mut context = self.query_context(&text, planning)?;
        context.reuse = reuse.unwrap_or(context.reuse);
        context.optimized = optimized;
        context.keeper = keeper;
        context.has_open_digits = has_open_digits;
        context.run(planned, &parameters, expected).boxed().await
    }

    /// Returns the slot that may have the plan of a statement: its own, or that of its text.
    pub(super) fn slot_of(
        &self,
        prepared: &Prepared,
        settings: &Settings,
        parameters: &[ScalarValue],
    ) -> Option<Arc<PlanSlot>> {
        let mut state = self.state.lock();
        if let Some(slot) = &prepared.plan {
            state.kept_plans.touch(slot);
            return Some(Arc::clone(slot));
        }
        let is_closed = prepared.parameters.is_empty() && parameters.is_empty();
        let parsed = prepared.source.sql();
        let parsed = parsed.filter(|_| is_closed && settings.keeps_plans())?;
        state.kept_plans.slot(parsed)
    }

    /// Returns what keeps the plan that is about to be made. `slot`: the statement's, if it has one.
    fn keeper(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        slot: Option<Arc<PlanSlot>>,
        settings: &Settings,
    ) -> Option<Keeper> {
        if !settings.keeps_plans() || moment.draft.is_some() {
            return None;
        }
        let slot = match slot {
            Some(slot) => slot,
            // Nothing finds the plan of a statement with values again.
            None if !prepared.parameters.is_empty() => return None,
            None => Arc::default(),
        };
        let found = prepared.plan.is_none().then(|| Prepared {
            plan: Some(Arc::clone(&slot)),
            ..prepared.clone()
        });
        let mut state = self.state.lock();
        state.kept_plans.add(&slot, found, None, moment);
        let inputs = Box::new(PlanInputs {
            moment: moment.clone(),
            settings: settings.clone(),
        });
        Some(Keeper::Slot(slot, inputs))
    }

    async fn resolve_prepared(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        given: usize,
    ) -> Result<Planning> {
        let parsed = match &prepared.source {
            QuerySource::Sql(parsed) => parsed,
            QuerySource::Substrait(plan) => {
                return self.resolve_substrait(moment, plan.clone()).await;
            }
        };
        let query = match &parsed.statement {
            Statement::Query(query) => query,
            Statement::Copy(copy) => &copy.query,
            Statement::DeclareCursor(declare) => &declare.query,
            other => return Err(Error::internal(format!("{} is not a query", other.tag()))),
        };
        // Cloned, because the rewrites change it and the statement may run again.
        let query = self.with_typed_literals(query);
        let planning = self.resolve_query(moment, query, prepared, given).await?;
        Ok(Planning {
            shows_digits: self.shows_digits(),
            ..planning
        })
    }

    /// Returns whether the rows of queries have a number of digits for each `numeric`. Only
    /// PostgreSQL's protocol has such values.
    pub(crate) fn shows_digits(&self) -> bool {
        self.dialect() == Dialect::Postgres && self.protocol == Protocol::Postgres
    }

    /// Returns a query whose result goes to the client: number literals have the types of the
    /// session's dialect that they do not have in what is stored.
    pub(crate) fn with_typed_literals(&self, query: &ast::Query) -> ast::Query {
        let mut query = query.clone();
        if self.dialect() == Dialect::Postgres {
            type_literals(&mut query);
        }
        query
    }

    /// Returns the names of a query's columns, and what they are shown as where only PostgreSQL's
    /// protocol has such types.
    pub(crate) fn column_names(&self, statement: &ast::Statement) -> ColumnNames {
        let names = ColumnNames::of(self.dialect(), statement);
        match self.shows_digits() {
            true => names.with_types(statement),
            false => names,
        }
    }

    /// Resolves the query of a prepared statement.
    ///
    /// `given`: the number of parameters.
    ///
    /// # Errors
    /// A parameter has no value; names do not resolve.
    pub(crate) async fn resolve_query(
        &self,
        moment: &Moment,
        query: ast::Query,
        prepared: &Prepared,
        given: usize,
    ) -> Result<Planning> {
        check_parameters(&query, given)?;
        let mut statement = ast::Statement::Query(Box::new(query));
        let types: Vec<Option<DataType>> = prepared.parameters.iter().cloned().map(Some).collect();
        // The casts of parameters name no columns.
        let names = self.column_names(&statement);
        declare_types(&mut statement, &types, &prepared.marks);
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        Ok(Planning { names, ..planning })
    }

    /// Submits a resolved query. From now on it is in the history and can be cancelled.
    ///
    /// # Errors
    /// The server is shutting down; the session is over.
    pub(crate) fn query_context(&self, text: &str, planning: Planning) -> Result<QueryContext> {
        let settings = self.settings();
        let staleness = settings.staleness().min(planning.limits.max_staleness);
        let meter = Arc::clone(&planning.lake.meter);
        let limits = planning.limits.clone();
        let query = self.submit(text, planning.database.clone(), limits, meter)?;
        Ok(QueryContext {
            gateway: Arc::clone(&self.gateway),
            query,
            planning: Arc::new(planning),
            reuse: settings.result_reuse(),
            staleness,
            optimized: None,
            keeper: None,
            has_open_digits: false,
        })
    }
}

impl QueryContext {
    /// Runs a query and returns a stream of its rows. The query ends when the stream does.
    ///
    /// # Errors
    /// Planning fails; the columns differ from `expected`; only stored results are allowed and
    /// there is none; the server is shutting down. Later errors are part of the stream.
    pub(crate) async fn run(
        self,
        planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
        expected: Option<&SchemaRef>,
    ) -> Result<Rows> {
        let unfinished = Unfinished::guard(&self.query);
        let outcome = Box::pin(self.start(planned, parameters, expected)).await;
        match outcome {
            Ok((schema, stream)) => {
                let shown = Arc::clone(&schema);
                let stream = stream.map(move |batch| renamed(batch?, &shown)).boxed();
                unfinished.disarm();
                Ok(Rows {
                    schema,
                    origins: self.planning.origins(),
                    tag: "SELECT",
                    stream: Box::pin(QueryStream::new(Arc::clone(&self.query), stream)),
                    query_id: Some(self.query.id),
                    query: Some(QueryWatch::of(&self.query)),
                })
            }
            Err(error) => {
                self.query.finish(0, Err(&error));
                Err(error.with_query(self.query.id))
            }
        }
    }

    async fn start(
        &self,
        planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
        expected: Option<&SchemaRef>,
    ) -> Result<(SchemaRef, BatchStream)> {
        let planning = self.pruned(planned, parameters);
        let pruned_plan = self.query.step(Phase::Planning, Box::pin(planning)).await?;
        let schema = self
            .planning
            .names
            .schema(pruned_plan.plan.schema().inner());
        let is_same = |expected: &SchemaRef| match self.has_open_digits {
            true => same_columns_of_any_digits(expected, &schema),
            false => same_columns(expected, &schema),
        };
        if expected.is_some_and(|expected| !is_same(expected)) {
            return Err(Error::new(
                Code::ResultTypeChanged,
                "cached plan must not change result type",
            )
            .with_hint("prepare the statement again"));
        }

        // Versions of what a block changed are not unique, and others must not get its rows.
        let cacheable = self.reuse != ResultReuse::Off
            && !self.planning.sees_changes()
            && pruned_plan.fully_snapshotted
            && is_repeatable(&pruned_plan.plan);
        if !cacheable && self.reuse == ResultReuse::Only {
            return Err(not_stored());
        }
        if !cacheable && let Some(row) = constant_row(&pruned_plan.plan) {
            self.query.reads_only_built_ins();
            self.query.runs();
            let rows = futures::stream::iter([Ok::<_, Error>(row)]);
            return Ok((schema, rows.boxed()));
        }
        if !cacheable {
            let snapshot = self.list(pruned_plan).await?;
            let run = ResultCache::private_run();
            return self
                .lead(run, snapshot, false)
                .map(|stream| (schema, stream));
        }
        let asked = Arc::new(QueryKey::new(
            pruned_plan.plan.clone(),
            self.planning.settings.clone(),
            pruned_plan.digest(),
        ));
        let results = &self.gateway.results;
        let fresh = self.reuse == ResultReuse::Fresh;
        if !fresh
            && !self.staleness.is_zero()
            && let Some(result) = results.recent(&asked, self.staleness)
        {
            return Ok((schema, self.reused(result)));
        }
        let as_of = Instant::now();
        let snapshot = self.list(pruned_plan).await?;
        let keep = snapshot.is_stable();
        let key = Arc::new(ResultKey::new(asked, snapshot.digest()));
        if self.reuse == ResultReuse::Only {
            let result = results.stored(&key, as_of).ok_or_else(not_stored)?;
            return Ok((schema, self.reused(result)));
        }
        loop {
            match results.lookup(&key, fresh, as_of) {
                Lookup::Hit(result) => return Ok((schema, self.reused(result))),
                Lookup::Follow(follower) => {
                    let waited = follower.wait(Arc::clone(&self.query) as _);
                    if let Some(result) = self.query.step(Phase::Queued, waited).await? {
                        return Ok((schema, self.reused(Arc::new(result))));
                    }
                }
                Lookup::Lead(run) => {
                    return self
                        .lead(run, snapshot, keep)
                        .map(|stream| (schema, stream));
                }
            }
        }
    }

    /// Answers the query from a stored result.
    fn reused(&self, result: Arc<CachedResult>) -> BatchStream {
        self.query.served_from_cache();
        self.query.runs();
        replay(result)
    }

    /// Starts a run on the query threads and reads it. The run continues as long as it has a
    /// reader.
    fn lead(&self, run: Arc<Run>, snapshot: SnapshotPlan, keep: bool) -> Result<BatchStream> {
        let reader = run.reader(Arc::clone(&self.query) as _)?;
        if snapshot.system_only {
            self.query.reads_only_built_ins();
        }
        let context = self.clone();
        let threads = self.gateway.threads(&snapshot);
        let working = Arc::new(Mutex::new(Some(self.query.working())));
        let (stop, worker) = (Arc::clone(run.stop()), Arc::clone(&working));
        let start = async move {
            let query = &context.query;
            let admitted = context.gateway.admit(query, queue_of(&snapshot));
            let permit = query.queued(admitted).await?;
            let permit = (permit, query.holds_permit());
            context.query.runs();
            let before = std::time::Instant::now();
            let plan = context.physical(&snapshot.plan).await?;
            context.query.spent(Phase::Planning, before.elapsed());
            // The permit is released when the last thread that works for the run has ended.
            let held = (permit, worker, snapshot.held.clone());
            context.execute(&plan, PlanRun::new(stop, held))
        };
        let execution = metered(
            Arc::clone(&self.query.resources.cpu),
            Arc::clone(&run).execute(start, keep),
        );
        threads
            .spawn(execution)
            .ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        let query = Arc::clone(&self.query);
        tokio::spawn(async move {
            query.ended().await;
            // If the run continues, it is for other queries.
            if run.is_read() {
                working.lock().take();
            }
        });
        Ok(reader.into_stream())
    }

    /// Executes a plan on the caller's runtime.
    ///
    /// # Errors
    /// The plan cannot be started. Later errors are part of the stream.
    pub(crate) fn execute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        run: Arc<PlanRun>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
        let planning = &self.planning;
        let stores = Arc::clone(&planning.stores);
        let engine = &self.gateway.engine;
        let task = engine.task(&planning.state, stores as _, self.query.id, plan, run)?;
        // Readers of files hold memory for the query, too.
        let meter = &self.query.resources.meter;
        meter.hold_memory_in(task.memory_pool());
        let stream = execute_stream(Arc::clone(plan), task).map_err(from_engine)?;
        Ok(stream.map(|batch| batch.map_err(from_engine)))
    }
}

/// Returns the queue in which a plan waits to run.
pub(crate) fn queue_of(plan: &SnapshotPlan) -> Queue {
    if plan.system_only {
        Queue::System
    } else {
        Queue::Lake
    }
}

fn not_stored() -> Error {
    Error::new(
        Code::ResultNotStored,
        "no stored result of this query is as good as running it",
    )
}
