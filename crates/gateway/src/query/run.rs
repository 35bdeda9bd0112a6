//! The way of a query: resolve, plan, snapshot, reuse, admit, run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, Stream, StreamExt};
use lakegate_engine::{PlanRun, complexity, has_expression, metered};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_policy::snapshots::{self, PrunedPlan, SnapshotPlan};
use parking_lot::Mutex;
use sqlparser::ast;

use crate::query::column_names::renamed;
use crate::query::life::{BatchStream, Phase, Query};
use crate::query::planning::Planning;
use crate::query::stream::QueryStream;
use crate::query::watch::QueryWatch;
use crate::results::{CachedResult, Lookup, QueryKey, ResultCache, ResultKey, Run, replay};
use crate::session::settings::ResultReuse;
use crate::{Gateway, Rows};

/// How often a query is planned whose plan is out of date before it is bound to files: only commits of writes make it so.
const MAX_PLANNINGS: usize = 10;

/// What a query runs with.
#[derive(Debug, Clone)]
pub(crate) struct QueryContext {
    pub gateway: Arc<Gateway>,
    pub query: Arc<Query>,
    pub planning: Arc<Planning>,
    pub reuse: ResultReuse,
    /// How old a result may be that is reused although files have changed.
    pub staleness: Duration,
}

/// Ends a query that did not come as far as a stream, whatever kept it from it.
pub(crate) struct Unfinished(Option<Arc<Query>>);

impl Unfinished {
    pub(crate) fn guard(query: &Arc<Query>) -> Self {
        Self(Some(Arc::clone(query)))
    }

    /// Something else ends the query now, such as its stream.
    pub(crate) fn streams(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(query) = self.0.take() {
            let gone = Error::new(
                Code::QueryCancelled,
                "the client went away before the query ran",
            );
            query.finish(0, Err(&gone));
        }
    }
}

impl QueryContext {
    /// Plans a query in the principal's view, optimises the plan and finds the partitions that it will read, of which nothing is listed
    /// yet. What listings will show is of the state of the catalog that names were resolved in, before a write was committed or after it.
    ///
    /// `planned`: the plan, where the query was planned to be described.
    ///
    /// Errors: names that do not resolve, types that do not fit, syntax the engine does not plan; what [`snapshots::prune`] refuses.
    async fn pruned(
        &self,
        planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<PrunedPlan> {
        let (context, parameters) = (self.clone(), parameters.to_vec());
        let pruning = async move { context.prune(planned, &parameters).await };
        self.gateway.plan_for(&self.query, pruning.boxed()).await
    }

    async fn prune(
        &self,
        mut planned: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<PrunedPlan> {
        let mut commits = self.planning.commits;
        for _ in 0..MAX_PLANNINGS {
            let mut plan = match planned.take() {
                Some(plan) => plan,
                None => self.planning.plan().await?,
            };
            if !parameters.is_empty() {
                plan = plan
                    .with_param_values(parameters.to_vec())
                    .map_err(from_engine)?;
            }
            let optimized = self.optimized(&plan)?;
            let writes = self.gateway.write_log.open_writes();
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

    /// Plans a query and binds it to the files that it will read.
    pub async fn pinned(&self, parameters: &[ScalarValue]) -> Result<SnapshotPlan> {
        let unlisted = self.pruned(None, parameters).await?;
        unlisted.list(&self.planning.lake).await
    }

    fn optimized(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let state = &self.planning.state;
        // Only analysis settles the types of a UNION, whose first SELECT may be NULL or narrower.
        let analyzed = self.planning.analyzed(plan)?;
        state
            .optimizer()
            .optimize(analyzed.clone(), state, |_, _| {})
            .and_then(|optimized| with_types_of(&analyzed, optimized))
            .map_err(from_engine)
    }

    pub async fn physical(&self, pinned: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        let (context, pinned) = (self.clone(), pinned.clone());
        let planning = async move {
            let (engine, state) = (&context.gateway.engine, &context.planning.state);
            engine.physical(state, &pinned).await
        };
        self.gateway.plan_for(&self.query, planning.boxed()).await
    }

    /// Runs a query to a stream of rows. The query is recorded as ended when the stream is.
    pub async fn run(
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
                unfinished.streams();
                Ok(Rows {
                    schema,
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
        let unlisted = self.query.step(Phase::Planning, Box::pin(planning)).await?;
        let schema = self.planning.names.schema(unlisted.plan.schema().inner());
        if expected.is_some_and(|expected| !same_columns(expected, &schema)) {
            return Err(Error::new(
                Code::ResultTypeChanged,
                "cached plan must not change result type",
            )
            .with_hint("prepare the statement again"));
        }

        let cacheable = self.reuse != ResultReuse::Off
            && unlisted.fully_snapshotted
            && is_repeatable(&unlisted.plan);
        if !cacheable && self.reuse == ResultReuse::Only {
            return Err(not_stored());
        }
        if !cacheable {
            let pinned = self.list(unlisted).await?;
            let run = ResultCache::private_run();
            return self.lead(run, pinned, false).map(|stream| (schema, stream));
        }
        let asked = Arc::new(QueryKey::new(
            unlisted.plan.clone(),
            self.planning.settings.clone(),
            unlisted.digest(),
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
        let pinned = self.list(unlisted).await?;
        let keep = pinned.is_stable();
        let key = Arc::new(ResultKey::new(asked, pinned.digest()));
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
                    return self.lead(run, pinned, keep).map(|stream| (schema, stream));
                }
            }
        }
    }

    async fn list(&self, unlisted: PrunedPlan) -> Result<SnapshotPlan> {
        let listing = unlisted.list(&self.planning.lake);
        let pinned = self.query.step(Phase::Planning, Box::pin(listing)).await?;
        self.query.will_read(pinned.bytes());
        Ok(pinned)
    }

    /// The query is answered from a result that is there.
    fn reused(&self, result: Arc<CachedResult>) -> BatchStream {
        self.query.served_from_cache();
        self.query.runs();
        replay(result)
    }

    /// Starts a run on the query threads and reads it. The run goes on while anyone reads it.
    fn lead(&self, run: Arc<Run>, pinned: SnapshotPlan, keep: bool) -> Result<BatchStream> {
        let reader = run.reader(Arc::clone(&self.query) as _)?;
        if pinned.system_only {
            self.query.reads_only_built_ins();
        }
        let context = self.clone();
        let threads = self.gateway.threads(&pinned);
        let working = Arc::new(Mutex::new(Some(self.query.working())));
        let (stop, worker) = (Arc::clone(run.stop()), Arc::clone(&working));
        let start = async move {
            let query = &context.query;
            let admitted = context.gateway.admit(&pinned, &query.principal().user);
            let place = query.queued(admitted).await?;
            let place = (place, query.has_place());
            context.query.runs();
            let before = std::time::Instant::now();
            let plan = context.physical(&pinned.plan).await?;
            context.query.spent(Phase::Planning, before.elapsed());
            // The place is given back when the last thread has ended that works for the run.
            context.execute(&plan, PlanRun::new(stop, (place, worker)))
        };
        let execution = metered(
            Arc::clone(&self.query.cpu),
            Arc::clone(&run).execute(start, keep),
        );
        threads
            .spawn(execution)
            .ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        let query = Arc::clone(&self.query);
        tokio::spawn(async move {
            query.ended().await;
            // What goes on is for others.
            if run.is_read() {
                working.lock().take();
            }
        });
        Ok(reader.into_stream())
    }

    /// Executes a plan on the runtime of the caller.
    pub fn execute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        run: Arc<PlanRun>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
        let planning = &self.planning;
        let stores = Arc::clone(&planning.stores);
        let engine = &self.gateway.engine;
        let task = engine.task(&planning.state, stores as _, self.query.id, plan, run)?;
        let stream = execute_stream(Arc::clone(plan), task).map_err(from_engine)?;
        Ok(stream.map(|batch| batch.map_err(from_engine)))
    }
}

fn not_stored() -> Error {
    Error::new(
        Code::ResultNotStored,
        "no stored result of this query is as good as running it",
    )
}

/// Plans a statement that only reads.
pub async fn plan_statement(
    state: &SessionState,
    statement: ast::Statement,
) -> Result<LogicalPlan> {
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
    let plan = state
        .statement_to_plan(statement)
        .await
        .map_err(from_engine)?;
    // Before anything walks it.
    complexity::check(&plan).map_err(from_engine)?;
    let only_reads = datafusion::execution::context::SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    only_reads.verify_plan(&plan).map_err(from_engine)?;
    Ok(plan)
}

/// The optimizer may change a type: beside one distinct aggregate, a sum of decimals becomes a wider sum of sums.
/// The columns stay as the client was told they are.
fn with_types_of(planned: &LogicalPlan, optimized: LogicalPlan) -> EngineResult<LogicalPlan> {
    if same_types(planned, &optimized) {
        return Ok(optimized);
    }
    let fields = planned.schema().iter().zip(optimized.schema().iter());
    let columns: Vec<Expr> = fields
        .map(|((qualifier, told), made)| {
            let column = Expr::Column(Column::from(made));
            cast(column, told.data_type().clone()).alias_qualified(qualifier.cloned(), told.name())
        })
        .collect();
    LogicalPlanBuilder::from(optimized)
        .project(columns)?
        .build()
}

fn same_types(a: &LogicalPlan, b: &LogicalPlan) -> bool {
    let mut types = a.schema().fields().iter().zip(b.schema().fields());
    types.all(|(a, b)| a.data_type() == b.data_type())
}

fn same_columns(a: &SchemaRef, b: &SchemaRef) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| a.name() == b.name() && is_same_type(a.data_type(), b.data_type()))
}

/// Whether types are the same but for the time zone, which is the session's and may have been set since.
fn is_same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Timestamp(a, Some(_)), DataType::Timestamp(b, Some(_))) => a == b,
        (a, b) => a == b,
    }
}

/// Whether running the plan again over the same files gives the same rows.
fn is_repeatable(plan: &LogicalPlan) -> bool {
    matches!(has_expression(plan, Expr::is_volatile_node), Ok(false))
}
