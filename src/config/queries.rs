//! The section `queries`.

use std::time::Duration;

use lakegate_config::section;

section! {
    /// Places of queries, and how long they may take.
    pub struct QueriesConfig {
        /// Queries that run at once.
        pub max_concurrent: Option<usize> = None => ("four for each of engine.threads", "32"),
        /// Of these, queries of one user.
        pub max_concurrent_per_user: Option<usize> = None => ("three quarters of queries.max_concurrent, at least 1", "24"),
        /// Queries that may wait for a place. More are refused.
        pub max_queued: usize = 1000,
        /// A running query is ended whose client does not read its rows, or does not send those it
        /// ingests, for so long. So is a result on the Flight SQL door that is not read.
        #[serde(with = "lakegate_config::time")]
        pub max_stall: Duration = Duration::from_secs(600),
        /// A statement that takes longer to plan is an error.
        #[serde(with = "lakegate_config::time")]
        pub max_planning_time: Duration = Duration::from_secs(30),
    }
}
