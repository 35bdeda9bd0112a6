//! The runtime that plans execute on: threads of their own, at lower priority than the rest of the server.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// How far below the server's own threads the scheduler ranks query threads (`nice`, 0 to 19).
const NICE: i32 = 5;

/// Bytes of stack of a thread: deep plans are run, and dropped, one operator within another. Only what is used takes memory.
pub const STACK: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub struct CpuRuntime {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl CpuRuntime {
    pub fn start(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("lakegate-query")
            .thread_stack_size(STACK)
            .on_thread_start(|| {
                // On Linux this is the calling thread's own priority. Failing to lower it only costs fairness.
                if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                    tracing::debug!(%error, "query thread keeps its priority");
                }
            })
            .enable_all()
            .build()
            .map_err(|e| Error::internal(format!("query threads cannot start: {e}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Runs a future on the query threads. Dropping the handle does not stop it; aborting does.
    pub fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.as_ref().map(|runtime| runtime.spawn(future))
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
