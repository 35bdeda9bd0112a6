//! The runtime that plans execute on: threads of their own, at lower priority than the rest of the server.

use std::future::Future;

use lakegate_error::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::cpu_time::{current, meter_what_the_engine_spawns, metered};

/// How far below the server's own threads the scheduler ranks query threads (`nice`, 0 to 19).
const NICE: i32 = 5;
/// The same for the threads of the catalog, which come before queries.
const CATALOG_NICE: i32 = 1;

/// Bytes of stack of a thread: deep plans are run, and dropped, one operator within another. Only what is used takes memory.
pub const STACK: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub struct CpuRuntime {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl CpuRuntime {
    pub fn start(threads: usize) -> Result<Self> {
        Self::start_as("lakegate-query", threads, NICE)
    }

    /// For plans over built-in tables, which are answered whatever queries do.
    pub fn of_catalog(threads: usize) -> Result<Self> {
        Self::start_as("lakegate-catalog", threads, CATALOG_NICE)
    }

    fn start_as(name: &'static str, threads: usize, nice: i32) -> Result<Self> {
        meter_what_the_engine_spawns();
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK)
            .thread_name(name)
            .on_thread_start(move || lower_priority(nice))
            .enable_all()
            .build()
            .map_err(|e| Error::internal(format!("query threads cannot start: {e}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Runs a future on the query threads, for the query that the caller works for, if it does. Dropping the handle does not stop it;
    /// aborting does.
    pub fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = self.runtime.as_ref()?;
        Some(match current() {
            Some(meter) => runtime.spawn(metered(meter, future)),
            None => runtime.spawn(future),
        })
    }
}

/// On Linux this is the calling thread's own priority. Failing to lower it only costs fairness.
pub(super) fn lower_priority(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

impl Drop for CpuRuntime {
    /// A runtime must not block when it is dropped within another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
