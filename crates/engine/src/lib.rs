//! The one place that configures DataFusion: session state, functions, memory, spill, and the
//! runtime that queries run on.
//!
//! Catalogs and stores are parameters: the engine knows nothing about principals or lake roots.

mod aggregates;
pub mod arrays;
pub mod barrier;
pub mod bounded;
mod byte_texts;
mod chains;
mod checked;
mod common_types;
pub mod complexity;
mod conjunctions;
mod containment;
mod cpu;
mod cpu_time;
mod decimal_places;
mod decimal_texts;
mod decimals;
mod dependent;
mod digits;
mod divisors;
mod early_types;
mod equal_keys;
mod expressions;
mod extracts;
mod finest_groups;
mod float_decimals;
mod floats;
mod frames;
mod full_lists;
mod functions;
mod gathered;
mod given_rows;
mod grouping_keys;
mod guarded_cases;
mod guarded_logic;
mod halves;
mod hidden_values;
mod in_lists;
mod input_order;
mod interval_text;
mod join_order;
mod joined_booleans;
mod joined_texts;
mod ledger;
mod literals;
pub mod machine;
pub mod named_cast;
mod named_columns;
mod nested;
mod numerals;
mod operand_types;
mod optimize;
mod output_names;

mod plain_fallbacks;
mod planners;
mod posix;
pub mod quantified;
mod quotients;
mod relations;
mod rounding;
mod session_memory;
mod set_operations;
mod shared;
mod shifted_sums;
mod sideways;
mod sorted_distinct;
mod space;
pub mod stop;
mod subqueries;
#[cfg(feature = "substrait")]
pub mod substrait;
mod sum;
mod texts;
pub mod time;
mod untyped_columns;
pub mod untyped_texts;
mod whole_decimals;
mod window_inputs;
mod xors;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use cpu::{CpuRuntime, STACK};
pub use cpu_time::{CpuMeter, current, metered};
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
pub use decimal_texts::{LONG_NUMBER, number as exact_decimal};
pub use dependent::DependentJoins;
pub use early_types::early_schema;
pub use equal_keys::KeyOf;
pub use expressions::{has as has_expression, has_operator, has_values, retyped, rewritten};
pub use full_lists::without_full_lists;
pub use functions::{FunctionInfo, is_helper};
pub use interval_text::{IntervalStyle, write_interval};
use lakegate_error::{Error, Result, UNQUALIFIED, from_engine};
use lakegate_lake::meter::QueryStores;
pub use named_cast::has_columns_of_one_name;
pub use named_columns::{NamedColumns, with_named_columns};
pub use output_names::{
    NUMBERED, OutputNames, apart, apart_in_relation, decoded, encoded, is_apart,
    is_apart_in_relation, shown,
};
pub use planners::Planners;
pub use relations::{check as check_names, with_shown_names};
pub use session_memory::{HeldMemory, SessionMemory, SessionsMemory};
pub use shared::shared_part;
pub use space::Space;
pub use stop::{PlanRun, Stop, StopOnDrop};
use uuid::Uuid;

/// The name of the only catalog, as in Athena.
pub const CATALOG: &str = "awsdatacatalog";

/// Session states kept, one for each time zone.
const MAX_STATES: u64 = 64;

/// Threads for queries over built-in tables.
const CATALOG_THREADS: usize = 2;

/// Functions that expose a row's file, which the engine removes. A path contains the values of all
/// partition keys, and a row's position in its file shows how rows are sorted by columns that are
/// not granted.
const FUNCTIONS_OF_FILES: &[&str] = &["file_row_index", "input_file_name"];

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

/// Functions beside those of the engine.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    /// Adds the functions to those of a session with these names.
    pub register: fn(&mut SessionState, Names) -> datafusion::error::Result<()>,
    /// Rules for their calls, which come before the engine's.
    pub rules: fn() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
    /// Rules of sessions with these names, which come before all others.
    pub rules_of: fn(Names) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
    /// Planners of operators of sessions with these names, which come before the engine's.
    pub planners_of: fn(Names) -> Vec<Arc<dyn ExprPlanner>>,
    /// Whether a function is one of the library's, which check their results as they build them.
    pub measures_itself: fn(&ScalarUDF) -> bool,
    /// The keys of the values of types that Arrow lacks.
    pub key_of: KeyOf,
}

impl Library {
    /// Returns a library without functions.
    pub fn none() -> Self {
        Self {
            register: |_, _| Ok(()),
            rules: Vec::new,
            rules_of: |_| Vec::new(),
            planners_of: |_| Vec::new(),
            measures_itself: |_| false,
            key_of: |_| None,
        }
    }
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
    ledger: Arc<ledger::Ledger>,
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
        space::keep_private(&runtime.disk_manager)?;

        let mut config = SessionConfig::new()
            .with_target_partitions(options.threads)
            .with_batch_size(options.batch_size)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, UNQUALIFIED);
        let settings = config.options_mut();
        // Athena sorts NULLs last for ascending and descending order. See `session` for PostgreSQL.
        settings.sql_parser.default_null_ordering = "nulls_last".to_owned();
        // The check refuses plans in which an expression is nullable in one schema and not in the
        // other, such as `x IS TRUE` (apache/datafusion, 55.2).
        settings.execution.skip_physical_aggregate_schema_check = true;
        // The bounds of one min or max remove rows that another one needs, over an expression or
        // with FILTER (`AggrDynFilter` of `datafusion-physical-plan`, 55.2).
        settings.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        // `InputOrder` drops the sorts whose order nothing shows.
        settings.sql_parser.enable_subquery_sort_elimination = false;
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(grouping_keys::GroupingKeys));
        rules.insert(0, Arc::new(optimize::PlainColumns));
        rules.insert(0, Arc::new(plain_fallbacks::PlainFallbacks));
        rules.insert(2, Arc::new(nested::NestedAreNoTexts));
        rules.insert(2, Arc::new(time::WindowsByLength));
        rules.insert(2, Arc::new(decimal_texts::DecimalTexts));
        rules.insert(2, Arc::new(common_types::CommonTypes));
        rules.insert(2, Arc::new(time::MeetingZones));
        rules.insert(2, Arc::new(input_order::InputOrder));
        rules.splice(0..0, (library.rules)());
        let mut base = SessionStateBuilder::new()
            .with_expr_planners(vec![Arc::new(arrays::Subscripts)])
            .with_config(config)
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features()
            .with_analyzer_rules(rules)
            .with_relation_planners(vec![
                Arc::new(optimize::IndependentRelations),
                Arc::new(relations::NamedRelations),
            ])
            .with_query_planner(Arc::new(barrier::BarrierPlanner))
            .with_optimizer_rules(optimize::logical_rules())
            .with_physical_optimizer_rules(optimize::physical_rules())
            .with_analyzer_rule(Arc::new(set_operations::CountedSetOperations))
            .with_analyzer_rule(Arc::new(time::Microseconds))
            .with_analyzer_rule(Arc::new(equal_keys::EqualKeys {
                of_library: library.key_of,
            }))
            .with_analyzer_rule(Arc::new(shifted_sums::ShiftedSums))
            .with_analyzer_rule(Arc::new(checked::CheckedIntegers))
            .with_analyzer_rule(Arc::new(xors::NullableXors))
            .with_analyzer_rule(Arc::new(decimals::DecimalLiterals))
            .with_analyzer_rule(Arc::new(float_decimals::NearestCasts))
            .with_analyzer_rule(Arc::new(digits::BoundedDigits))
            .with_analyzer_rule(Arc::new(hidden_values::EmptyNulls))
            .with_analyzer_rule(Arc::new(dependent::OptionalValues))
            .with_analyzer_rule(Arc::new(subqueries::Existence))
            .with_analyzer_rule(Arc::new(subqueries::InnerNames))
            .with_analyzer_rule(Arc::new(subqueries::ThreeValuedSubqueries))
            .with_analyzer_rule(Arc::new(dependent::DependentJoins))
            .with_analyzer_rule(Arc::new(in_lists::SeparateInLists))
            .with_analyzer_rule(Arc::new(rounding::RoundingCasts))
            .with_analyzer_rule(Arc::new(guarded_logic::GuardedLogic))
            .with_analyzer_rule(Arc::new(guarded_cases::GuardedCases))
            .with_analyzer_rule(Arc::new(floats::CanonicalFloats))
            .with_analyzer_rule(Arc::new(window_inputs::WindowInputs))
            .with_analyzer_rule(Arc::new(posix::PosixPatterns {
                of_library: library.measures_itself,
            }))
            .build();
        for name in FUNCTIONS_OF_FILES {
            base.deregister_udf(name).map_err(from_engine)?;
        }
        arrays::register(&mut base).map_err(from_engine)?;
        posix::register(&mut base).map_err(from_engine)?;
        stop::stoppable_functions(&mut base).map_err(from_engine)?;
        time::register_templates(&mut base).map_err(from_engine)?;
        bounded::bound(&mut base, library.measures_itself).map_err(from_engine)?;
        floats::register(&mut base).map_err(from_engine)?;
        whole_decimals::register(&mut base).map_err(from_engine)?;
        frames::register(&mut base).map_err(from_engine)?;
        sum::register(&mut base).map_err(from_engine)?;
        joined_texts::register(&mut base).map_err(from_engine)?;
        time::register(&mut base).map_err(from_engine)?;
        quantified::register(&mut base).map_err(from_engine)?;
        decimal_texts::register(&mut base).map_err(from_engine)?;
        named_cast::register(&mut base).map_err(from_engine)?;
        untyped_texts::register(&mut base).map_err(from_engine)?;
        gathered::register(&mut base).map_err(from_engine)?;
        Ok(Self {
            base: stop::stoppable_rules(base),
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
    /// Unqualified names are looked up in the schema [`UNQUALIFIED`] of the catalog.
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
            let mut config = self.base.config().clone();
            config.options_mut().execution.time_zone = Some(settings.time_zone.clone());
            let parser = &mut config.options_mut().sql_parser;
            match settings.names {
                Names::Trino => {
                    // `1.5` is a decimal in Trino.
                    parser.parse_float_as_decimal = true;
                }
                Names::Postgres => {
                    // NULLs are greater than all values: the last ones in ascending order, and the
                    // first ones in descending order.
                    parser.default_null_ordering = "nulls_max".to_owned();
                }
            }
            let mut state = SessionStateBuilder::new_from_existing(self.base.clone());
            if let Some(analyzer) = state.analyzer() {
                let mut rules = (self.library.rules_of)(settings.names);
                if settings.names == Names::Postgres {
                    rules.push(Arc::new(untyped_texts::UntypedTexts));
                    rules.push(Arc::new(untyped_columns::UntypedColumns));
                    rules.push(Arc::new(extracts::ExtractedColumns));
                    rules.push(Arc::new(joined_booleans::JoinedBooleans));
                    rules.push(Arc::new(halves::HalvesToEven));
                    rules.push(Arc::new(byte_texts::ByteTexts));
                    rules.push(Arc::new(decimal_places::DecimalPlaces));
                    rules.push(Arc::new(sorted_distinct::SortedDistinct));
                    rules.push(Arc::new(divisors::Divisors));
                }
                analyzer.rules.splice(0..0, stop::stoppable_analysis(rules));
                if settings.names == Names::Postgres {
                    let last = stop::stoppable_analysis(vec![Arc::new(floats::CheckedFloats)]);
                    analyzer.rules.extend(last);
                }
            }
            if let Some(planners) = state.expr_planners() {
                planners.splice(0..0, (self.library.planners_of)(settings.names));
                if settings.names == Names::Postgres {
                    planners.insert(0, Arc::new(operand_types::OperandTypes));
                }
            }
            let types = time::MicrosecondTypes {
                time_zone: Some(settings.time_zone.clone()),
            };
            let mut state = state
                .with_config(config)
                .with_type_planner(Arc::new(types))
                .build();
            // After the state is built: building one registers functions again by all their names,
            // and a replaced function that still has an alias would return.
            if settings.names == Names::Postgres {
                sum::register_spreads(&mut state).map_err(from_engine)?;
            }
            (self.library.register)(&mut state, settings.names).map_err(from_engine)?;
            if settings.names == Names::Postgres {
                floats::register_domains(&mut state).map_err(from_engine)?;
            }
            gathered::gather(&mut state).map_err(from_engine)?;
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
            .and_then(in_lists::by_rows)
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
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        Ok(functions::functions(&self.session(&settings, catalogs)?))
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
