//! The section `server`.

use std::path::PathBuf;
use std::time::Duration;

use lakegate_config::section;

section! {
    /// The process, its files and its connections.
    pub struct ServerConfig {
        /// Directory for the catalog, grants, query history, certificates and spilled data. Created
        /// with mode 0700. Only one server at a time can use it.
        pub state_dir: PathBuf = PathBuf::from("lakegate-state"),
        /// How long running queries may continue after SIGTERM.
        #[serde(with = "lakegate_config::time")]
        pub grace_period: Duration = Duration::from_secs(30),
        /// Maximum open connections across all protocols. More are refused.
        pub max_connections: usize = 500,
        /// Of these, the connections that are reserved for administrators.
        pub reserved_connections: Option<usize> = None => ("3; of fewer than 12 connections, a quarter", "3"),
        /// Maximum open connections per user.
        pub max_connections_per_user: Option<usize> = None => ("nine tenths of those that are not reserved", "448"),
    }
}

impl ServerConfig {
    pub fn reserved_connections(&self) -> usize {
        self.reserved_connections
            .unwrap_or_else(|| (self.max_connections / 4).min(3))
    }

    pub fn max_connections_per_user(&self) -> usize {
        let ordinary = self
            .max_connections
            .saturating_sub(self.reserved_connections());
        self.max_connections_per_user
            .unwrap_or(ordinary - ordinary / 10)
    }
}
