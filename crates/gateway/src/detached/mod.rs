//! What outlives a request: queries that run without a client that waits, their results, the
//! handles that clients come back with, and sessions that are found by a token.
//!
//! ```text
//!  door ─▶ Runs ─ handle ─▶ Run ─▶ Executions ─▶ Session
//!            │               └──▶ ResultWriter ─▶ StoredResult ─▶ memory, or a spilled file
//!            │                        └ Account ─▶ Quota: bounds of a result, a user, all
//!            ├ Registry       tickets, prepared statements
//!            └ TokenSessions  bearer tokens, cookies        all swept by one task
//! ```
//!
//! # What never happens
//!
//! - A handle is of use to another principal than the one that it was made for, or after its time.
//! - A result is served that was made under other grants than its principal holds now.
//! - What is stored is not counted: memory in the engine's pool, files in its spill limit.

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

/// What detached queries of all doors share.
#[derive(Debug)]
pub(crate) struct Detached {
    quota: Arc<quota::Quota>,
    sweeper: sweep::Sweeper,
}

impl Detached {
    pub fn new(limits: DetachedLimits, space: Space) -> Self {
        Self {
            quota: quota::Quota::new(limits, space),
            sweeper: sweep::Sweeper::default(),
        }
    }
}
