//! The one place that configures DataFusion: session state, functions, memory, spill, and the runtime
//! that queries run on.
//!
//! Catalogs and stores are parameters: the engine knows nothing of principals and lake roots.

mod bounded;
mod checked;
mod cpu;
mod functions;
pub mod pg;
#[cfg(feature = "substrait")]
pub mod substrait;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

pub use cpu::CpuRuntime;
pub use functions::FunctionInfo;

use crate::error::{Error, Result, UNQUALIFIED, from_engine};

/// The name of the one catalog, as Athena has it.
pub const CATALOG: &str = "awsdatacatalog";

#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Bytes that all running queries share.
    pub memory_limit: usize,
    pub spill_dir: PathBuf,
    /// Bytes on disk that all spilling queries share.
    pub spill_limit: u64,
    pub threads: usize,
    /// Rows.
    pub batch_size: usize,
}

/// What of a session changes how its queries are planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanSettings {
    /// An IANA name, or an offset such as `+02:00`.
    pub time_zone: String,
    /// The databases of unqualified names, in order.
    pub search_path: Vec<String>,
}

#[derive(Debug)]
pub struct Engine {
    base: SessionState,
    runtime: Arc<RuntimeEnv>,
    cpu: CpuRuntime,
}

impl Engine {
    pub fn open(options: &EngineOptions) -> Result<Self> {
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
            .build_arc()
            .map_err(from_engine)?;

        let mut config = SessionConfig::new()
            .with_target_partitions(options.threads)
            .with_batch_size(options.batch_size)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, UNQUALIFIED);
        let settings = config.options_mut();
        // Athena sorts NULLs last whichever way it sorts.
        settings.sql_parser.default_null_ordering = "nulls_last".to_owned();
        let mut base = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features()
            .with_analyzer_rule(Arc::new(checked::CheckedIntegers))
            .build();
        bounded::bound(&mut base).map_err(from_engine)?;
        Ok(Self {
            base,
            runtime,
            cpu: CpuRuntime::start(options.threads)?,
        })
    }

    /// A session for one query: it sees these catalogs and these stores and no others. Unqualified names are looked up
    /// in the schema [`UNQUALIFIED`] of the catalog.
    pub fn session(
        &self,
        settings: &PlanSettings,
        catalogs: Arc<dyn CatalogProviderList>,
        stores: Arc<dyn ObjectStoreRegistry>,
    ) -> Result<SessionState> {
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime)
            .with_object_store_registry(stores)
            .build_arc()
            .map_err(from_engine)?;
        let mut config = self.base.config().clone();
        config.options_mut().execution.time_zone = Some(settings.time_zone.clone());
        let mut state = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_session_id(uuid::Uuid::new_v4().to_string())
            .with_config(config)
            .with_runtime_env(runtime)
            .with_catalog_list(catalogs)
            .build();
        state.mark_start_execution();
        Ok(state)
    }

    /// The functions that every query may call, by name. Those of PostgreSQL's catalog are not among them:
    /// `pg_catalog.pg_proc` lists these.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        functions::functions(&self.base)
    }

    /// Memory of the pool that queries share, none yet, for what is not a plan.
    pub fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.runtime.memory_pool)
    }

    /// Where plans run, so that they do not starve handshakes and catalog statements.
    pub fn cpu(&self) -> &CpuRuntime {
        &self.cpu
    }
}
