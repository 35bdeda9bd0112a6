//! The engine: sessions to plan with, and what plans run in.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use lakegate_error::{Error, Result, from_engine};
use lakegate_lake::meter::QueryStores;
use uuid::Uuid;

use crate::limits::stop::{self, PlanRun};
use crate::runtime::cpu::CpuRuntime;
use crate::runtime::ledger::Ledger;
use crate::runtime::planners::Planners;
use crate::runtime::space::{Space, keep_private};
use crate::sessions::functions::{self, FunctionInfo};
use crate::sessions::library::Library;
use crate::sessions::settings::{EngineOptions, Names, PlanSettings};
use crate::sessions::statement_state::{Shelf, StatementState};
use crate::{limits::literals, logic, optimize, sessions::states, shared};

/// Session states kept, one for each time zone.
const MAX_STATES: u64 = 64;

/// Threads for queries over built-in tables.
const CATALOG_THREADS: usize = 2;

/// Physical rules that move projections and filters towards the rows that are read, or drop rows before
/// they are sorted, which takes longer than few rows do.
const OF_MANY_ROWS: [&str; 5] = [
    "FilterPushdown",
    "FilterPushdown(Post)",
    "ProjectionPushdown",
    "row_filters",
    "first_ranks",
];

/// DataFusion as Lakegate configures it, with the threads and the memory that queries share.
#[derive(Debug)]
pub struct Engine {
    pub(crate) base: SessionState,
    library: Library,
    /// Keyed by time zone, because some functions are built for one, and by names. Building a state
    /// registers hundreds of functions.
    states: moka::sync::Cache<(String, Names), Arc<Shelf>>,
    /// States for plans that are not divided.
    undivided: moka::sync::Cache<(String, Names), Arc<SessionState>>,
    runtime: Arc<RuntimeEnv>,
    cpu: CpuRuntime,
    catalog_cpu: CpuRuntime,
    planners: Planners,
    ledger: Arc<Ledger>,
}

impl Engine {
    /// Creates the spill folder and starts the threads. `library`: functions that the sessions have
    /// besides the engine's own.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder cannot be created, a thread cannot start, or
    /// DataFusion refuses a setting or a function.
    pub fn open(options: &EngineOptions, library: Library) -> Result<Self> {
        std::fs::create_dir_all(&options.spill_dir).map_err(|e| {
            Error::invalid(format!(
                "spill directory {}: {e}",
                options.spill_dir.display()
            ))
        })?;
        let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(
            FairSpillPool::new(options.memory_limit),
            std::num::NonZeroUsize::new(3).unwrap_or(std::num::NonZeroUsize::MIN),
        ));
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![
                options.spill_dir.clone(),
            ]))
            .with_max_temp_directory_size(options.spill_limit);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(pool)
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(QueryStores::none()))
            .build_arc()
            .map_err(from_engine)?;
        keep_private(&runtime.disk_manager)?;

        Ok(Self {
            base: states::base(options, &runtime, &library)?,
            library,
            states: moka::sync::Cache::new(MAX_STATES),
            undivided: moka::sync::Cache::new(MAX_STATES),
            runtime,
            cpu: CpuRuntime::start(options.threads)?,
            catalog_cpu: CpuRuntime::of_catalog(CATALOG_THREADS)?,
            planners: Planners::start()?,
            ledger: Arc::default(),
        })
    }

    /// Returns the state to plan one query with. It has these catalogs only, and no object store.
    /// Unqualified names are looked up in the schema
    /// [`UNQUALIFIED`](lakegate_error::UNQUALIFIED) of the catalog.
    ///
    /// # Errors
    ///
    /// Returns an error if a function of the library cannot be registered.
    pub fn session(
        &self,
        settings: &PlanSettings,
        catalogs: Arc<dyn CatalogProviderList>,
    ) -> Result<StatementState> {
        Ok(self.made(settings)?.take(catalogs))
    }

    /// Returns the state to make a physical plan with that one thread runs, for plans that read
    /// little. It has no catalogs, no rules that only many rows are worth, and no functions of a
    /// session.
    ///
    /// # Errors
    ///
    /// Returns an error if a function of the library cannot be registered.
    pub fn undivided(&self, settings: &PlanSettings) -> Result<Arc<SessionState>> {
        let key = (settings.time_zone.clone(), settings.names);
        let made = self.undivided.try_get_with(key, || {
            let shelf = self.made(settings)?;
            let made = &shelf.made;
            let rules = made.physical_optimizers().iter();
            let rules = rules.filter(|rule| !OF_MANY_ROWS.contains(&rule.name()));
            let rules = rules.cloned().collect();
            let config = made.config().clone().with_target_partitions(1);
            let mut state = SessionStateBuilder::new_from_existing(made.clone())
                .with_config(config)
                .with_physical_optimizer_rules(rules)
                .build();
            // Functions are evaluated with the settings of the state.
            state.mark_start_execution();
            Ok(Arc::new(state))
        });
        made.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// Returns the states of sessions with such settings.
    fn made(&self, settings: &PlanSettings) -> Result<Arc<Shelf>> {
        let key = (settings.time_zone.clone(), settings.names);
        let made = self.states.try_get_with(key, || {
            let mut state = states::of_settings(&self.base, &self.library, settings)?;
            (self.library.register_last)(&mut state, settings.names).map_err(from_engine)?;
            Ok(Shelf::new(state))
        });
        made.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// Returns the state to plan with if a plan's constants are large: its batches are small enough
    /// to bound the memory of the constants. `None` if the default batches are small enough.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    fn fitting(&self, state: &SessionState, plan: &LogicalPlan) -> Result<Option<SessionState>> {
        let rows = state.config().batch_size();
        let fitting = literals::rows_of_plan(plan, rows).map_err(from_engine)?;
        Ok((fitting < rows).then(|| {
            let mut state = state.clone();
            *state.config_mut() = state.config().clone().with_batch_size(fitting);
            state
        }))
    }

    /// Creates the physical plan of an optimized plan. The result can be stopped: see [`stop`].
    /// Equal parts of the plan are computed once.
    ///
    /// `above`: puts further operators on top of the plan.
    ///
    /// # Errors
    ///
    /// Returns an error if DataFusion cannot run the plan, or if the planning thread must stop.
    pub async fn physical(
        &self,
        state: &SessionState,
        plan: &LogicalPlan,
        above: impl FnOnce(Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> + Send,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let fitting = self.fitting(state, plan)?;
        let state = fitting.as_ref().unwrap_or(state);
        let plan = optimize::with_plain_columns(plan.clone())
            .and_then(optimize::with_opaque_casts)
            .and_then(optimize::with_nullable_rounds)
            .and_then(logic::in_lists::by_rows)
            .map_err(from_engine)?;
        let physical = shared::planned(&plan, state, shared::BOUND).await;
        let physical = physical.map(above).and_then(stop::stoppable);
        let physical = physical.map_err(from_engine)?;
        shared::show(&physical).map_err(from_engine)?;
        Ok(physical)
    }

    /// Returns the context to run `plan` in, which was made with `state`. The plan can read these
    /// stores only, and stops when `run` is stopped. Its memory is counted for `query`.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    pub fn task(
        &self,
        state: &SessionState,
        stores: Arc<dyn ObjectStoreRegistry>,
        query: Uuid,
        plan: &Arc<dyn ExecutionPlan>,
        run: Arc<PlanRun>,
    ) -> Result<Arc<TaskContext>> {
        let runtime = RuntimeEnv {
            object_store_registry: stores,
            memory_pool: self.ledger.pool(query, &self.runtime.memory_pool),
            ..RuntimeEnv::clone(&self.runtime)
        };
        let mut config = state.config().clone();
        let rows = config.batch_size();
        let fitting = literals::rows_of_execution(plan, rows).map_err(from_engine)?;
        if fitting < rows {
            config = config.with_batch_size(fitting);
        }
        // The functions can stay empty: a plan holds those that it calls.
        Ok(Arc::new(TaskContext::new(
            None,
            Uuid::new_v4().to_string(),
            config.with_extension(run),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            Arc::new(runtime),
        )))
    }

    /// Returns the queries that hold memory of the pool and their bytes, largest first.
    pub fn largest_queries(&self) -> Vec<(Uuid, usize)> {
        self.ledger.largest()
    }

    /// Returns the functions that every query may call, by name. Functions of PostgreSQL's catalog
    /// are not included: `pg_catalog.pg_proc` lists them.
    ///
    /// # Errors
    ///
    /// Returns an error if a function of the library cannot be registered.
    pub fn functions(&self, names: Names) -> Result<Vec<FunctionInfo>> {
        let settings = PlanSettings {
            time_zone: "UTC".to_owned(),
            search_path: Vec::new(),
            names,
        };
        let state = states::of_settings(&self.base, &self.library, &settings)?;
        Ok(functions::functions(&state))
    }

    /// Returns an empty reservation in the shared memory pool, for memory that no plan holds.
    pub fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.runtime.memory_pool)
    }

    /// Returns memory and disk for data that is kept after its plan has ended.
    pub fn space(&self) -> Space {
        Space::of(&self.runtime)
    }

    /// Returns the runtime for query plans, separate from handshakes and catalog statements.
    pub fn cpu(&self) -> &CpuRuntime {
        &self.cpu
    }

    /// Returns the runtime for plans over built-in tables only, so that they do not wait for other
    /// queries.
    pub fn catalog_cpu(&self) -> &CpuRuntime {
        &self.catalog_cpu
    }

    /// Returns the threads that queries are planned on.
    pub fn planners(&self) -> &Planners {
        &self.planners
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::Schema;
    use datafusion::catalog::MemoryCatalogProviderList;
    use datafusion::physical_plan::empty::EmptyExec;
    use lakegate_lake::meter::QueryMeter;
    use lakegate_lake::roots::{Backing, Roots};

    use super::*;
    use crate::testing::small_engine;

    #[test]
    fn plans_of_few_rows_are_made_without_the_rules_of_many() {
        let directory = tempfile::tempdir().unwrap();
        let engine = small_engine(directory.path());
        let settings = PlanSettings {
            time_zone: "UTC".to_owned(),
            search_path: Vec::new(),
            names: Names::Postgres,
        };
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        let all = engine.session(&settings, catalogs).unwrap();
        let few = engine.undivided(&settings).unwrap();
        let has = |state: &SessionState, name: &str| {
            let mut rules = state.physical_optimizers().iter();
            rules.any(|rule| rule.name() == name)
        };
        for name in OF_MANY_ROWS {
            assert!(has(&all, name) && !has(&few, name), "{name}");
        }
        assert!(has(&few, "EnsureRequirements"));
        assert_eq!(few.config().target_partitions(), 1);
        let zone = few.config_options().execution.time_zone.as_deref();
        assert_eq!(zone, Some("UTC"));
    }

    #[test]
    fn planning_reads_nothing_and_a_task_reads_its_own_stores() {
        let directory = tempfile::tempdir().unwrap();
        let engine = small_engine(directory.path());
        let state = |zone: &str| {
            let settings = PlanSettings {
                time_zone: zone.to_owned(),
                search_path: Vec::new(),
                names: Names::Postgres,
            };
            let catalogs = Arc::new(MemoryCatalogProviderList::new());
            engine.session(&settings, catalogs).unwrap()
        };
        let backing = Backing::Directory {
            path: directory.path().to_owned(),
            excluded: Vec::new(),
        };
        let roots = Arc::new(Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap());
        let lake = roots.iter().next().unwrap().engine_url().clone();
        for zone in ["UTC", "+02:00", "UTC"] {
            let state = state(zone);
            let known = &state.config_options().execution.time_zone;
            assert_eq!(known.as_deref(), Some(zone));
            assert!(
                state
                    .runtime_env()
                    .object_store_registry
                    .get_store(lake.as_ref())
                    .is_err()
            );
            let meter = Arc::new(QueryMeter::new(None));
            let stores = QueryStores::new(Arc::clone(&roots), meter);
            let run = PlanRun::new(Arc::default(), ());
            let plan: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(Schema::empty())));
            let task = engine
                .task(&state, Arc::new(stores), Uuid::new_v4(), &plan, run)
                .unwrap();
            assert!(
                task.runtime_env()
                    .object_store_registry
                    .get_store(lake.as_ref())
                    .is_ok()
            );
        }
    }
}
