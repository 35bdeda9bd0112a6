//! The section `queries`.

use std::time::Duration;

use lakegate_config::section;

section! {
    /// Concurrency and time limits of queries.
    pub struct QueriesConfig {
        /// Maximum queries that run at once.
        pub max_concurrent: Option<usize> = None => ("four for each of engine.threads", "32"),
        /// Of these, the maximum per user.
        pub max_concurrent_per_user: Option<usize> = None => ("three quarters of queries.max_concurrent, at least 1", "24"),
        /// Maximum queries that wait to run. More are refused.
        pub max_queued: usize = 1000,
        /// A running query is cancelled if its client does not read its rows, or does not send the
        /// rows to ingest, for this long. The same applies to an unread result over Flight SQL.
        #[serde(with = "lakegate_config::time")]
        pub max_stall: Duration = Duration::from_secs(600),
        /// Maximum time to plan a statement. Planning that takes longer fails.
        #[serde(with = "lakegate_config::time")]
        pub max_planning_time: Duration = Duration::from_secs(30),
    }
}
