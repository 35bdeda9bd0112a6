//! The one place that configures DataFusion: session state, functions, memory, spill, and the
//! runtime that queries run on.
//!
//! Catalogs and stores are parameters: the engine knows nothing about principals or lake roots.

mod aggregates;
pub mod arrays;
pub mod barrier;
pub mod bounded;
mod byte_texts;
mod common_types;
pub mod complexity;
mod computed_limits;
mod containment;
mod dependent;
mod eager_groups;
mod early_types;
mod equal_keys;
mod estimates;
mod expressions;
mod extracts;
mod finest_groups;
mod frames;
mod full_lists;
mod functions;
mod gathered;
mod given_rows;
mod grouping_keys;
mod hidden_values;
mod infinite_times;
mod input_order;
mod interval_text;
mod join_order;
mod joined_texts;
mod library;
mod literals;
mod logic;
mod names;
mod negation;
mod nested;
mod numbers;
mod numeric_sums;
mod operand_types;
mod optimize;
mod origins;
mod period_sums;
mod plain_fallbacks;
mod posix;
mod running_windows;
mod runtime;
mod scalars;
mod set_operations;
mod shared;
mod shifted_sums;
mod sideways;
mod sorted_distinct;
mod spilling_join;
mod states;
pub mod stop;
#[cfg(feature = "substrait")]
pub mod substrait;
mod sum;
mod texts;
pub mod time;
mod untyped_bounds;
mod untyped_columns;
pub mod untyped_texts;
mod window_inputs;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
pub use dependent::DependentJoins;
pub use early_types::early_schema;
pub use equal_keys::KeyOf;
pub use expressions::{
    has as has_expression, has_operator, has_values, named as with_own_name, retyped, rewritten,
};
pub use frames::{
    BEYOND_ALL_ROWS, Exclusion, excluding, offset_mark, value_excluding, with_offsets, written_name,
};
pub use full_lists::without_full_lists;
pub use functions::{FunctionInfo, is_helper};
pub use input_order::is_hidden_order;
pub use interval_text::{IntervalStyle, write_interval};
use lakegate_error::{Error, Result, from_engine};
use lakegate_lake::meter::QueryStores;
pub use library::Library;
pub use logic::quantified;
pub use names::named_cast::{self, has_columns_of_one_name};
pub use names::named_columns::{NamedColumns, with_named_columns};
pub use names::output_names::{
    NUMBERED, OutputNames, apart, apart_in_relation, decoded, encoded, is_apart,
    is_apart_in_relation, shown,
};
pub use names::relations::{check as check_names, with_shown_names};
pub use negation::NEGATION;
pub use numbers::decimal_texts::number as exact_decimal;
pub use runtime::cpu::{CpuRuntime, STACK};
pub use runtime::cpu_time::{CpuMeter, current, metered};
use runtime::ledger::Ledger;
pub use runtime::machine;
pub use runtime::planners::Planners;
pub use runtime::session_memory::{HeldMemory, SessionMemory, SessionsMemory};
pub use runtime::space::Space;
use runtime::space::keep_private;
pub use shared::{shared_part, with_equal_parts};
pub use stop::{PlanRun, Stop, StopOnDrop};
pub use texts::as_written;
use uuid::Uuid;

/// The name of the only catalog, as in Athena.
pub const CATALOG: &str = "awsdatacatalog";

/// Session states kept, one for each time zone.
const MAX_STATES: u64 = 64;

/// Threads for queries over built-in tables.
const CATALOG_THREADS: usize = 2;

/// Limits and sizes of the engine, from the configuration.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Bytes shared by all running queries.
    pub memory_limit: usize,
    /// Folder for spilled data; created if it does not exist.
    pub spill_dir: PathBuf,
    /// Bytes on disk shared by all spilling queries.
    pub spill_limit: u64,
    /// Threads that run queries, and partitions of a plan.
    pub threads: usize,
    /// Rows in a batch.
    pub batch_size: usize,
}

/// Session settings that change how queries are planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanSettings {
    /// An IANA name, or an offset such as `+02:00`.
    pub time_zone: String,
    /// The databases in which unqualified names are looked up, in order.
    pub search_path: Vec<String>,
    pub names: Names,
}

/// Which function a name means where PostgreSQL and Trino have different ones of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    Postgres,
    Trino,
}

/// DataFusion as Lakegate configures it, with the threads and the memory that queries share.
#[derive(Debug)]
pub struct Engine {
    base: SessionState,
    library: Library,
    /// Keyed by time zone, because some functions are built for one, and by names. Building a state
    /// registers hundreds of functions; copying one is cheap.
    states: moka::sync::Cache<(String, Names), Arc<SessionState>>,
    /// The same, for plans that are not divided.
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
    ) -> Result<SessionState> {
        let made = self.made(settings)?;
        let mut state = SessionState::clone(&made);
        // The only place that registers catalogs: they are those of a principal's view.
        #[allow(clippy::disallowed_methods)]
        state.register_catalog_list(catalogs);
        state.mark_start_execution();
        Ok(state)
    }

    /// Returns the state to make a physical plan with that one thread runs, for plans that read
    /// little. It has no catalogs, and only the functions that all sessions have.
    ///
    /// # Errors
    ///
    /// Returns an error if a function of the library cannot be registered.
    pub fn undivided(&self, settings: &PlanSettings) -> Result<Arc<SessionState>> {
        let key = (settings.time_zone.clone(), settings.names);
        let made = self.undivided.try_get_with(key, || {
            let made = self.made(settings)?;
            let mut state = SessionState::clone(&made);
            *state.config_mut() = state.config().clone().with_target_partitions(1);
            // Functions are evaluated with the settings of the state.
            state.mark_start_execution();
            Ok(Arc::new(state))
        });
        made.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// Returns the state that those of all sessions with such settings are copies of.
    fn made(&self, settings: &PlanSettings) -> Result<Arc<SessionState>> {
        let key = (settings.time_zone.clone(), settings.names);
        let made = self.states.try_get_with(key, || {
            let mut state = states::of_settings(&self.base, &self.library, settings)?;
            (self.library.register_last)(&mut state, settings.names).map_err(from_engine)?;
            Ok(Arc::new(state))
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
    use std::path::Path;

    use arrow::datatypes::Schema;
    use datafusion::catalog::MemoryCatalogProviderList;
    use datafusion::physical_plan::empty::EmptyExec;
    use lakegate_lake::meter::QueryMeter;
    use lakegate_lake::roots::{Backing, Roots};

    use super::*;

    /// An engine with one thread and a megabyte, which spills into this directory.
    pub(crate) fn small_engine(directory: &Path) -> Engine {
        Engine::open(
            &EngineOptions {
                memory_limit: 1 << 20,
                spill_dir: directory.to_owned(),
                spill_limit: 1 << 20,
                threads: 1,
                batch_size: 8192,
            },
            Library::none(),
        )
        .unwrap()
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
