//! A query with resolved names: the state that it is planned in, and its plan.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use lakegate_catalog::store::Draft;
use lakegate_dialect::postgres::pg_catalog::{self, PgCatalog};
use lakegate_dialect::postgres::{NamedApart, sorts_by_number};
use lakegate_engine::{
    LargeValues, Names, PlanSettings, StatementState, check_names, early_schema, with_equal_parts,
    with_offsets, with_shown_digits, with_shown_names, with_stated_casts, without_full_lists,
    without_long_literals,
};
use lakegate_error::{Result, from_engine};
use lakegate_lake::meter::QueryStores;
use lakegate_lake::scan::QueryLake;
use lakegate_policy::snapshots;
use sqlparser::ast;

use crate::query::announced_columns::with_types_of;
use crate::query::column_names::ColumnNames;
use crate::query::origins::{Origin, origins};
use crate::query::rewording;
use crate::query::rewrites::{hidden_columns, undefined_calls};
use crate::query::source::QuerySource;
use crate::workgroup::WorkgroupLimits;
use crate::write::assigned::{Target, assigned, assigned_to_analyzed, is_any_assigned, localized};

/// Everything needed to plan a query and then to run it. Copies share what is large.
#[derive(Debug, Clone)]
pub(crate) struct Planning {
    /// The rewritten statement, or the plan as it was sent.
    pub source: QuerySource<Arc<ast::Statement>>,
    /// The number of commits of writes before the first name was resolved.
    pub commits: u64,
    /// The changes of the transaction block that it is in.
    pub draft: Option<Arc<dyn Draft>>,
    /// When the transaction block began that it is in.
    pub block_began: Option<DateTime<Utc>>,
    /// The limits of the query.
    pub limits: WorkgroupLimits,
    pub state: Arc<StatementState>,
    /// The stores that the plan may read.
    pub stores: Arc<QueryStores>,
    pub lake: Arc<QueryLake>,
    pub settings: PlanSettings,
    /// The current database, for the history.
    pub database: String,
    pub system: Arc<PgCatalog>,
    pub names: ColumnNames,
    /// Which columns of tables the columns of the plan are, once there is one.
    pub origins: OnceLock<Arc<[Option<Origin>]>>,
    /// The analysed plan, once it is described or the casts of its values are known. It serves one
    /// execution.
    pub analysis: OnceLock<LogicalPlan>,
    /// Whether each `numeric` of the result is shown with the digits of its value.
    pub shows_digits: bool,
    /// Where the rows are written, if values are cast by assignment.
    pub assigned: Option<Target>,
    /// The places of columns whose times are written without their zone, once there is a plan.
    pub localized: OnceLock<Vec<usize>>,
}

/// A plan with the state that it was made in, and its columns as the client sees them.
#[derive(Debug)]
pub(crate) struct Planned {
    pub plan: LogicalPlan,
    pub columns: SchemaRef,
    pub planning: Planning,
}

impl Planning {
    /// Plans the query and determines its columns.
    ///
    /// # Errors
    /// As of [`Self::plan`].
    pub(crate) async fn described(self) -> Result<Planned> {
        let plan = self.plan().await?;
        Ok(Planned {
            columns: self.columns(&plan),
            plan,
            planning: self,
        })
    }

    /// Plans a query whose columns are not asked for. They have the planner's types.
    ///
    /// # Errors
    /// As of [`Self::plan`].
    pub(crate) async fn planned(self) -> Result<Planned> {
        let plan = self.plan().await?;
        Ok(Planned {
            columns: self.names.schema(plan.schema().inner()),
            plan,
            planning: self,
        })
    }

    /// Returns the same planning for a statement that begins now. In a transaction block, `now()` is
    /// the time of the block in PostgreSQL's sessions.
    pub(crate) fn begun_now(mut self) -> Self {
        let of_block = self.settings.names == Names::Postgres;
        let block_began = self.block_began.filter(|_| of_block);
        Arc::make_mut(&mut self.state).begin(block_began);
        self
    }

    /// Returns the same planning for another run, which has read nothing yet.
    pub(crate) fn unread(self, limits: WorkgroupLimits) -> Self {
        let meter = Arc::new(limits.meter());
        let roots = Arc::clone(&self.lake.roots);
        let lake = QueryLake {
            meter: Arc::clone(&meter),
            ..QueryLake::clone(&self.lake)
        };
        Self {
            limits,
            lake: Arc::new(lake),
            stores: Arc::new(QueryStores::new(roots, meter)),
            ..self
        }
    }

    /// Makes the logical plan.
    ///
    /// # Errors
    /// Names do not resolve, types do not match, or the engine does not support the syntax.
    pub(crate) async fn plan(&self) -> Result<LogicalPlan> {
        let plan = match &self.source {
            QuerySource::Sql(statement) => {
                let planned = plan_sql(&self.state, &self.system, statement, false).await;
                match planned {
                    Err(error) if self.settings.names == Names::Postgres => {
                        let typed = undefined_calls::with_types(&self.state, statement, error);
                        Err(Box::pin(typed).await)
                    }
                    planned => planned,
                }
            }
            QuerySource::Substrait(plan) => self.plan_substrait(plan).await,
        }?;
        // Planning again finds the same.
        let _ = self.origins.set(origins(&plan));
        match &self.assigned {
            Some(target) => self.assigned(plan, target),
            None => Ok(plan),
        }
    }

    /// Returns the plan with its values cast to the types that they are written as.
    ///
    /// # Errors
    /// The engine refuses the casts.
    fn assigned(&self, plan: LogicalPlan, target: &Target) -> Result<LogicalPlan> {
        // What cannot be analysed is refused later.
        let analysis = self.analyzed(plan.clone()).ok();
        let types = Arc::clone(analysis.as_ref().unwrap_or(&plan).schema());
        let columns = target.columns(&types);
        let _ = self.localized.set(localized(&types, &columns));
        let analysis = match is_any_assigned(&types, &columns) {
            true => analysis.and_then(|rows| {
                let known = assigned_to_analyzed(rows, &columns, |casts| self.analyzed(casts));
                known.ok().flatten()
            }),
            false => analysis,
        };
        if let Some(analysis) = analysis {
            let _ = self.analysis.set(analysis);
        }
        assigned(plan, &types, &columns).map_err(from_engine)
    }

    /// Returns the analysed plan, if it is known from before and the plan has no parameters.
    pub(crate) fn known_analysis(&self, parameters: &[ScalarValue]) -> Option<LogicalPlan> {
        let known = self.analysis.get();
        known.filter(|_| parameters.is_empty()).cloned()
    }

    /// Optimises a plan for these values of its parameters, and reads the tables of the catalog that
    /// its functions are about.
    ///
    /// `analysis`: the analysed plan, if it is known.
    ///
    /// # Errors
    /// Types do not match; a rule fails; the catalog cannot be read.
    pub(crate) async fn optimized(
        &self,
        plan: LogicalPlan,
        analysis: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<LogicalPlan> {
        let pool = &self.state.runtime_env().memory_pool;
        let large = LargeValues::of(parameters, pool).map_err(from_engine)?;
        if large.is_empty() {
            return self.optimized_with(plan, analysis, parameters).await;
        }
        let named = large.named(plan.clone()).map_err(from_engine)?;
        let others = large.others(parameters);
        let optimized = Box::pin(self.optimized_with(named, analysis, &others)).await;
        let props = self.state.execution_props();
        match optimized.and_then(|plan| large.put(plan, props).map_err(from_engine)) {
            Ok(optimized) => Ok(optimized),
            // A rule wants to know a value, or the error is of the statement.
            Err(_) => Box::pin(self.optimized_with(plan, None, parameters)).await,
        }
    }

    /// Optimises a plan with all of its values in it.
    ///
    /// # Errors
    /// As of [`Self::optimized`].
    async fn optimized_with(
        &self,
        plan: LogicalPlan,
        analysis: Option<LogicalPlan>,
        parameters: &[ScalarValue],
    ) -> Result<LogicalPlan> {
        let state: &SessionState = &self.state;
        let plan = match parameters.is_empty() {
            true => plan,
            false => {
                let values = parameters.to_vec();
                let plan = plan.with_param_values(values).map_err(from_engine)?;
                with_offsets(plan, parameters).map_err(from_engine)?
            }
        };
        let system = &self.system;
        system.read_constants(&plan).await.map_err(from_engine)?;
        // Only analysis determines the types of a UNION whose first SELECT is NULL or narrower.
        let analyzed = match analysis {
            Some(analyzed) => analyzed,
            None => match self.without_rows(&plan).map_err(from_engine)? {
                Some(empty) => empty,
                None => self.analyzed(plan)?,
            },
        };
        // Not the plan: rules copy each operator that something else holds.
        let announced = Arc::clone(analyzed.schema());
        let optimized = pg_catalog::without_empty_relations(analyzed)
            .and_then(|plan| state.optimizer().optimize(plan, state, |_, _| {}))
            .and_then(pg_catalog::narrowed)
            .and_then(|optimized| with_types_of(&announced, optimized))
            .map_err(from_engine)?;
        system.read_tables(&optimized).await.map_err(from_engine)?;
        // Tables of the catalog are read as the conditions on them were when they were loaded.
        let similar = with_equal_parts(&optimized).map_err(from_engine)?;
        let of_lake = similar.filter(|plan| snapshots::tables(plan).is_some());
        Ok(of_lake.unwrap_or(optimized))
    }

    /// Returns what a plan over relations of the catalog that are always empty is optimised to, as
    /// most of psql's `\d` is, without the whole analysis; `None` for other plans.
    ///
    /// # Errors
    /// The types of expressions do not match.
    fn without_rows(&self, plan: &LogicalPlan) -> EngineResult<Option<LogicalPlan>> {
        if !pg_catalog::has_no_rows(plan)? {
            return Ok(None);
        }
        let schema = early_schema(&self.state, plan.clone())?;
        Ok(schema.map(|schema| {
            LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row: false,
                schema,
            })
        }))
    }

    /// Returns which columns of tables the columns of the plan are; empty if that is not known.
    pub(crate) fn origins(&self) -> Arc<[Option<Origin>]> {
        self.origins.get().cloned().unwrap_or_default()
    }

    /// Whether the query may see what others do not see.
    pub(crate) fn sees_changes(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.changes() > 0)
    }

    /// Returns the columns as the client sees them.
    fn columns(&self, plan: &LogicalPlan) -> SchemaRef {
        // A plan with an untyped parameter cannot be analysed: then the planner's types are used.
        let analyzed = match self.without_rows(plan) {
            Ok(Some(empty)) => Ok(empty),
            // Of an error too: it may be that of a parameter.
            Ok(None) | Err(_) => self.analyzed(plan.clone()),
        };
        let shown = analyzed.as_ref().unwrap_or(plan);
        let columns = self.names.schema(shown.schema().inner());
        if let Ok(analyzed) = analyzed {
            let _ = self.analysis.set(analyzed);
        }
        columns
    }

    /// Returns the plan with the final types of its columns. For a UNION, the planner knows only
    /// the types of the first SELECT.
    ///
    /// # Errors
    /// Types do not match; a parameter has no type.
    pub(crate) fn analyzed(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if !self.shows_digits {
            let plan = without_long_literals(plan).map_err(from_engine)?;
            return analyzed(&self.state, plan);
        }
        let plan = with_stated_casts(plan).map_err(from_engine)?;
        let plan = analyzed(&self.state, plan)?;
        with_shown_digits(plan, self.state.aggregate_functions()).map_err(from_engine)
    }
}

/// Returns a plan with the final types of its columns.
///
/// # Errors
/// Types do not match; a parameter has no type.
pub(crate) fn analyzed(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    without_full_lists(plan)
        .and_then(|plan| lakegate_engine::analyzed(state, plan))
        .map_err(from_engine)
}

/// Makes the logical plan of a statement whose names resolve in `state`.
///
/// `is_part`: the plan is part of another one, in which its columns are named.
///
/// # Errors
/// Names do not resolve, types do not match, or the engine does not support the syntax.
pub(crate) async fn plan_sql(
    state: &SessionState,
    system: &PgCatalog,
    statement: &ast::Statement,
    is_part: bool,
) -> Result<LogicalPlan> {
    let hidden;
    let statement = match NamedApart::of(statement).any() {
        true => {
            hidden = Box::pin(hidden_columns::hidden(state, statement)).await?;
            &hidden
        }
        false => statement,
    };
    let plan = Box::pin(rewording::planned(state, statement)).await?;
    check_names(&plan, sorts_by_number(statement))?;
    let plan = match is_part {
        true => with_shown_names(plan).map_err(from_engine)?,
        false => plan,
    };
    system.finish(plan).map_err(from_engine)
}
