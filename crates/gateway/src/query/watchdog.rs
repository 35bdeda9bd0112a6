//! Cancels queries that exceed a limit, or whose client has stopped reading or sending.
//!
//! A dedicated thread checks every query ten times a second, so limits are enforced whatever the
//! other threads do, and also for queries that are not polled.

use std::sync::{Arc, Weak};
use std::time::Duration;

use lakegate_error::{Error, Result};

use crate::query::life::Query;
use crate::query::running::RunningQueries;

const EVERY: Duration = Duration::from_millis(100);

/// Starts the watchdog thread. It ends when `queries` is dropped.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn watch(queries: &Arc<RunningQueries>, max_stall: Duration) -> Result<()> {
    let queries = Arc::downgrade(queries);
    std::thread::Builder::new()
        .name("lakegate-limits".to_owned())
        .spawn(move || check_all(&queries, max_stall))
        .map(drop)
        .map_err(|e| Error::internal(format!("the query watchdog cannot start: {e}")))
}

fn check_all(queries: &Weak<RunningQueries>, max_stall: Duration) {
    while let Some(queries) = queries.upgrade() {
        let running: Vec<Arc<Query>> = queries.all();
        drop(queries);
        for query in running {
            if let Some(error) = query.exceeded(max_stall) {
                query.cancel(error);
            }
        }
        std::thread::sleep(EVERY);
    }
}
