//! The threads that queries are planned on.
//!
//! Planning does not yield: it may take seconds for one statement, and only its rules check whether
//! it is still wanted ([`stop`](crate::limits::stop)). So each planning has its own thread for as long as
//! it takes. The operating system schedules these threads, and neither connections nor running
//! queries wait for them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lakegate_error::{Code, Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use super::cpu::lower_priority;
use crate::limits::stop::{Stop, StopOnDrop};

/// Concurrent plannings. The gateway allows each user far fewer.
const MAX_THREADS: usize = 256;

/// Priority of planning relative to the server's threads (`nice`, 0 to 19): above running queries.
const NICE: i32 = 2;

/// Bytes of stack, committed as they are used. Planning recurses as deep as a statement is nested,
/// and as deep as an expression is after columns are replaced by their definitions. Each of the
/// parts that [`complexity`](crate::limits::complexity) allows takes a few KB.
const STACK: usize = 128 << 20;

/// How long a thread waits for another planning. The memory of a plan stays with the thread that
/// planned it until that thread ends, also once the plan is freed: 250 MiB after the 99 queries of
/// TPC-DS. So a thread ends soon, but serves short statements that follow each other.
const IDLE: Duration = Duration::from_millis(50);

/// Threads for planning, one for each query that is being planned.
#[derive(Debug)]
pub struct Planners {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl Planners {
    /// Starts the planning threads.
    ///
    /// # Errors
    ///
    /// Returns an error if the machine has no more threads.
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MAX_THREADS)
            .thread_stack_size(STACK)
            .thread_keep_alive(IDLE)
            .thread_name("lakegate-plan")
            .on_thread_start(|| lower_priority(NICE))
            .build()
            .map_err(|e| Error::internal(format!("planning threads cannot start: {e}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Runs the work on its own thread. I/O that it awaits is driven by the calling runtime.
    /// Dropping the future stops the work.
    ///
    /// `stop` belongs to this planning alone, and is stopped at the end.
    ///
    /// `held` is kept until the thread is done, which may be after this returns.
    ///
    /// # Errors
    ///
    /// Returns the errors of the work. If the work is stopped, returns the reason at once.
    pub async fn plan<T: Send + 'static>(
        &self,
        stop: &Arc<Stop>,
        held: impl Send + 'static,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(shutting_down());
        };
        let (caller, stopping) = (Handle::current(), Arc::clone(stop));
        let planning = runtime.spawn_blocking(move || {
            let _held = held;
            let _entered = stopping.enter();
            caller.block_on(async {
                tokio::select! {
                    biased;
                    reason = stopping.stopped() => Err(reason),
                    planned = work => planned,
                }
            })
        });
        let _unwanted = StopOnDrop(Arc::clone(stop));
        tokio::select! {
            biased;
            reason = stop.stopped() => Err(reason),
            planned = planning => match planned {
                Ok(planned) => planned,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => Err(shutting_down()),
            },
        }
    }
}

fn shutting_down() -> Error {
    Error::new(Code::ShuttingDown, "the server is shutting down")
}

impl Drop for Planners {
    /// A runtime must not block if it is dropped within another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn planning_that_is_stopped_answers_at_once_and_its_thread_ends_at_the_next_rule() {
        let planners = Planners::start().unwrap();
        let stop = Arc::new(Stop::default());
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        let stubborn = async {
            loop {
                std::thread::sleep(Duration::from_millis(10));
                crate::limits::stop::check().map_err(lakegate_error::from_engine)?;
            }
            #[allow(unreachable_code)]
            Ok(())
        };
        let planning = planners.plan(&stop, held, stubborn);
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.stop(Error::new(Code::StatementTimeout, "too long"));
        };
        let (planned, ()) = tokio::join!(planning, stopping);
        assert_eq!(planned.unwrap_err().code(), Code::StatementTimeout);
        assert!(ended.await.is_err(), "what was held is let go of");
    }

    #[tokio::test]
    async fn thread_of_a_planning_ends_when_it_has_none() {
        let planners = Planners::start().unwrap();
        let thread = async || {
            let stop = Arc::new(Stop::default());
            let work = async { Ok(std::thread::current().id()) };
            planners.plan(&stop, (), work).await.unwrap()
        };
        let first = thread().await;
        let mut attempts = 0;
        loop {
            // The machine may be busy.
            assert!(attempts < 20, "the thread has not ended");
            attempts += 1;
            tokio::time::sleep(IDLE * 3).await;
            if thread().await != first {
                break;
            }
        }
    }

    #[tokio::test]
    async fn planning_that_nobody_waits_for_ends() {
        let planners = Planners::start().unwrap();
        let stop = Arc::new(Stop::default());
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        let waiting = planners.plan(&stop, held, std::future::pending::<Result<()>>());
        let given_up = tokio::time::timeout(Duration::from_millis(50), waiting).await;
        assert!(given_up.is_err());
        assert!(ended.await.is_err());
    }
}
