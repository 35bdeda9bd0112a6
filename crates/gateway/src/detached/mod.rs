//! State that outlives a request: queries that run without a waiting client, their results, the
//! handles by which clients refer to them, and sessions identified by a token.
//!
//! ```text
//!  endpoint ─▶ Runs ─ handle ─▶ Run ─▶ Executions ─▶ Session
//!                │               └──▶ ResultWriter ─▶ StoredResult ─▶ memory, or a spilled file
//!                │                        └ Account ─▶ Quota: limits per result, user, total
//!                ├ Registry       tickets, prepared statements
//!                └ TokenSessions  bearer tokens, cookies        all swept by one task
//! ```
//!
//! # Invariants
//!
//! - A handle is valid only for the principal that it was made for, and only until it expires.
//! - A result is served only while its principal has the same grants as when it was made.
//! - All stored data is counted: memory in the engine's pool, files in its spill limit.

mod batch_file;
pub mod executions;
pub mod handles;
mod quota;
pub mod run;
pub mod runs;
pub mod store;
pub mod sweep;
pub mod tokens;

use std::sync::Arc;

use lakegate_engine::Space;
pub use quota::DetachedLimits;

/// The state shared by the detached queries of all protocols.
#[derive(Debug)]
pub(crate) struct Detached {
    quota: Arc<quota::Quota>,
    sweeper: sweep::Sweeper,
}

impl Detached {
    pub(crate) fn new(limits: DetachedLimits, space: Space) -> Self {
        Self {
            quota: quota::Quota::new(limits, space),
            sweeper: sweep::Sweeper::default(),
        }
    }
}
