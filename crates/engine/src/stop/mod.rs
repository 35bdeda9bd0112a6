//! Whatever the engine does for a query can be stopped within a moment.
//!
//! ```text
//!  Stop ─ of one query's planning, or of one run of its plan
//!   │ checked
//!   ├─ before each rule, at each node ─────────────── rules.rs
//!   ├─ at each poll of each operator of a plan ────── operator.rs    these also yield to other tasks
//!   ├─ at each evaluation of a join's condition ───── condition.rs   a join may pair rows for hours within one poll
//!   └─ between parts of a batch, in slow functions ── functions.rs   searches by patterns: patterns.rs, matches.rs
//! ```
//!
//! An aborted task ends only when it yields, and operators of the engine may go on without: a join that gives one batch after the other
//! to an aggregate is never pending. The engine's own remedy (`EnsureCooperative`) yields in leaves and exchanges only; as long as a join
//! multiplies what a leaf gave it, no leaf is asked.

mod condition;
mod functions;
mod matches;
mod operator;
mod pace;
mod patterns;
mod rules;
mod window;

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use datafusion::error::{DataFusionError, Result as EngineResult};
pub use functions::stoppable_functions;
use lakegate_error::{Code, Error};
pub use operator::stoppable;
pub use patterns::check_search;
pub use rules::stoppable_rules;
use tokio_util::sync::CancellationToken;

/// Whether a piece of work must stop, and why. Checking it costs less than looking at a clock.
#[derive(Debug, Default)]
pub struct Stop {
    reason: OnceLock<Error>,
    stopped: CancellationToken,
}

impl Stop {
    /// From now on the work fails with this error; only the first reason counts.
    pub fn stop(&self, reason: Error) {
        if self.reason.set(reason).is_ok() {
            self.stopped.cancel();
        }
    }

    /// Resolves when it must stop, with the reason.
    pub async fn stopped(&self) -> Error {
        self.stopped.cancelled().await;
        let reason = self.reason.get().cloned();
        reason.unwrap_or_else(|| Error::internal("work was stopped without a reason"))
    }

    pub fn is_stopped(&self) -> bool {
        self.reason.get().is_some()
    }

    /// # Errors
    /// The reason, when it must stop.
    pub fn check(&self) -> EngineResult<()> {
        match self.reason.get() {
            None => Ok(()),
            Some(reason) => Err(DataFusionError::from(reason.clone())),
        }
    }

    /// Until what this gives is dropped, [`check`] on this thread asks this one.
    pub fn enter(self: &Arc<Self>) -> Entered {
        Entered(CURRENT.with_borrow_mut(|current| current.replace(Arc::clone(self))))
    }
}

/// Stops work that nobody waits for any more. Work that has ended does not mind.
#[derive(Debug)]
pub struct StopOnDrop(pub Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(Error::new(
            Code::QueryCancelled,
            "canceling statement: nobody waits for its result",
        ));
    }
}

thread_local! {
    /// Of the work that this thread does now.
    static CURRENT: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

/// Puts back what this thread did before.
#[derive(Debug)]
pub struct Entered(Option<Arc<Stop>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// For code that is deep within work: a rule, a function, a condition.
///
/// # Errors
/// The work that this thread does must stop.
pub fn check() -> EngineResult<()> {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), |stop| stop.check()))
}

/// One run of a plan, known to each of its streams. What it holds is let go of with the last of them, so when no thread works for the
/// run any more.
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
    /// `held`: for as long as a thread works for the run, such as its place.
    pub fn new(stop: Arc<Stop>, held: impl Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            stop,
            _held: Box::new(held),
        })
    }
}

#[cfg(test)]
mod tests;
