//! Makes all of DataFusion's work for a query stoppable within a moment.
//!
//! ```text
//!  Stop ─ for one query's planning, or for one run of its plan
//!   │ checked
//!   ├─ before each rule, at each node ────────────── rules.rs
//!   ├─ at each poll of each operator of a plan ───── operator.rs   also yields to other tasks
//!   ├─ at each evaluation of a join's condition ──── condition.rs  a poll may pair rows for hours
//!   └─ between parts of a batch, in slow functions ─ functions.rs  see patterns.rs, matches.rs
//! ```
//!
//! An aborted task ends only when it yields, and DataFusion's operators may run without yielding: a
//! join that returns one batch after the other to an aggregate is never pending. DataFusion's own
//! remedy (`EnsureCooperative`) yields in leaves and exchanges only. While a join multiplies the
//! rows that a leaf returned, no leaf is polled.

mod condition;
mod functions;
mod linear;
mod matches;
mod operator;
mod owned;
mod pace;
mod patterns;
mod place;
mod rules;
mod window;

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use datafusion::error::{DataFusionError, Result as EngineResult};
pub use functions::stoppable_functions;
use lakegate_error::{Code, Error};
pub use linear::linear;
pub(crate) use matches::check_patterns;
pub use operator::stoppable;
pub(crate) use operator::stoppable_as_it_is;
pub(crate) use owned::compact;
pub(crate) use pace::copied;
pub use patterns::check_search;
pub use rules::{stoppable_analysis, stoppable_rules};
use tokio_util::sync::CancellationToken;

/// Whether a piece of work must stop, and why. A check costs less than reading a clock.
#[derive(Debug, Default)]
pub struct Stop {
    reason: OnceLock<Error>,
    stopped: CancellationToken,
}

impl Stop {
    /// Makes the work fail with this error from now on. Only the first reason counts.
    pub fn stop(&self, reason: Error) {
        if self.reason.set(reason).is_ok() {
            self.stopped.cancel();
        }
    }

    /// Resolves with the reason when the work must stop.
    pub async fn stopped(&self) -> Error {
        self.stopped.cancelled().await;
        let reason = self.reason.get().cloned();
        reason.unwrap_or_else(|| Error::internal("work was stopped without a reason"))
    }

    /// Returns whether the work must stop.
    pub fn is_stopped(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Checks whether the work must stop.
    ///
    /// # Errors
    ///
    /// Returns the reason if it must.
    pub fn check(&self) -> EngineResult<()> {
        match self.reason.get() {
            None => Ok(()),
            Some(reason) => Err(DataFusionError::from(reason.clone())),
        }
    }

    /// Makes [`check`] on this thread check this `Stop`, until the returned guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Entered {
        Entered(CURRENT.with_borrow_mut(|current| current.replace(Arc::clone(self))))
    }
}

/// Stops work when its result is no longer awaited. Has no effect on work that has ended.
#[derive(Debug)]
pub struct StopOnDrop(pub Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(Error::new(
            Code::QueryCancelled,
            "canceling statement: no client waits for its result",
        ));
    }
}

thread_local! {
    /// The `Stop` of the work that this thread is doing.
    static CURRENT: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

/// Restores the thread's previous `Stop` when dropped.
#[derive(Debug)]
pub struct Entered(Option<Arc<Stop>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Checks whether the work on this thread must stop. For code deep within work: a rule, a function,
/// a condition.
///
/// # Errors
///
/// Returns the reason if it must.
pub fn check() -> EngineResult<()> {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), |stop| stop.check()))
}

/// One run of a plan, shared by its streams. What it holds is dropped with the last of them, when
/// no thread works for the run.
pub struct PlanRun {
    stop: Arc<Stop>,
    _held: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for PlanRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanRun")
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl PlanRun {
    /// Creates a run. `held`, such as its admission slot, is kept as long as a thread works for the
    /// run.
    pub fn new(stop: Arc<Stop>, held: impl Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            stop,
            _held: Box::new(held),
        })
    }
}

#[cfg(test)]
mod tests;
