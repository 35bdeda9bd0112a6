//! The runtimes that plans execute on: separate threads with a lower priority than the rest of the
//! server.

use std::future::Future;
use std::time::Duration;

use lakegate_error::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::cpu_time::{current, meter_what_the_engine_spawns, metered};

/// How far the scheduler ranks query threads below the server's own threads (`nice`, 0 to 19).
const NICE: i32 = 5;
/// The same for the threads of catalog plans, which precede queries.
const CATALOG_NICE: i32 = 1;

/// Stack of a thread in bytes: nested operators of deep plans run, and are dropped, within one
/// another. Only the stack that is used takes memory.
pub const STACK: usize = 64 * 1024 * 1024;

/// How long a thread that waits for files waits for the next one. What it has freed goes back to the kernel
/// only when it ends, and queries that follow each other find it.
const IDLE: Duration = Duration::from_secs(1);

/// A thread pool for query plans.
#[derive(Debug)]
pub struct CpuRuntime {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl CpuRuntime {
    /// Starts the threads for queries.
    ///
    /// # Errors
    ///
    /// Returns an error if the threads cannot start.
    pub fn start(threads: usize) -> Result<Self> {
        Self::start_as("lakegate-query", threads, NICE)
    }

    /// Starts the threads for plans over built-in tables, which do not wait for queries.
    ///
    /// # Errors
    ///
    /// Returns an error if the threads cannot start.
    pub fn of_catalog(threads: usize) -> Result<Self> {
        Self::start_as("lakegate-catalog", threads, CATALOG_NICE)
    }

    fn start_as(name: &'static str, threads: usize, nice: i32) -> Result<Self> {
        meter_what_the_engine_spawns();
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK)
            .thread_keep_alive(IDLE)
            .thread_name(name)
            .on_thread_start(move || lower_priority(nice))
            .enable_all()
            .build()
            .map_err(|e| Error::internal(format!("query threads cannot start: {e}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Runs a future on the query threads, metered for the query that the caller works for, if any.
    /// Dropping the handle does not stop the future; aborting does. Returns `None` only while the
    /// runtime is dropped.
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

/// Lowers the priority of the calling thread: on Linux, the system call applies to that thread
/// only. A failure only costs fairness.
pub(crate) fn lower_priority(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

impl Drop for CpuRuntime {
    /// Shuts down in the background, because a runtime must not block when it is dropped within
    /// another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
