//! The section `history`.

use std::time::Duration;

use lakegate_config::section;

section! {
    /// The query history.
    pub struct HistoryConfig {
        /// How long system.queries keeps a query.
        #[serde(with = "lakegate_config::time")]
        pub retention: Duration = Duration::from_secs(45 * 24 * 3600),
    }
}
