//! The section `http` of the configuration.

use std::time::Duration;

use bytesize::ByteSize;
use lakegate_config::{Listen, bytes, section};
use lakegate_transport::opening::OpeningLimits;

section! {
    /// HTTP. It answers health checks: /health/live and /health/ready.
    pub struct HttpConfig {
        /// Address and port, or "none".
        pub listen: Listen = Listen::on(8080),
        /// Refuse requests without TLS, except for health checks.
        pub require_tls: bool = true,
        /// Maximum open connections; at most half of them from one address. At the maximum, the
        /// oldest is closed for a new one.
        pub max_connections: usize = 256,
        /// Maximum size of the request line and headers of one request: 8KiB to 1MiB.
        pub max_header_size: ByteSize = ByteSize::kib(64),
        /// A connection is closed if the head of a request has not arrived after this long.
        #[serde(with = "lakegate_config::time")]
        pub head_timeout: Duration = Duration::from_secs(30),
    }
}

impl HttpConfig {
    /// Returns the limits of open connections: in total, and half of them per address.
    pub fn connections(&self) -> OpeningLimits {
        OpeningLimits {
            total: self.max_connections,
            per_address: self.max_connections.div_ceil(2),
        }
    }

    /// Returns `max_header_size` in bytes.
    pub fn max_header_bytes(&self) -> usize {
        bytes(self.max_header_size)
    }
}
