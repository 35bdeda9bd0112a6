//! The doors: where they listen, and what they ask of clients.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use lakegate_transport::opening::OpeningLimits;
use serde::{Deserialize, Serialize};

use super::ClientCertificates;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// `none` closes the door.
    pub listen: Listen,
    /// Refuse connections without TLS.
    pub require_tls: bool,
    /// Whether clients log in by a certificate that `tls.client_ca_file` has signed.
    pub client_certificates: ClientCertificates,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            listen: Listen::on(15432),
            require_tls: true,
            client_certificates: ClientCertificates::Off,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlightConfig {
    /// `none` closes the door.
    pub listen: Listen,
    /// Refuse calls without TLS.
    pub require_tls: bool,
    /// Whether clients log in by a certificate that `tls.client_ca_file` has signed.
    pub client_certificates: ClientCertificates,
    /// Where clients are told to fetch results, such as `grpc+tls://lake.example:32010`; by default where they asked.
    pub location: Option<String>,
    /// Longest message of a client; 64 KiB to 2 GiB.
    pub max_message_size: ByteSize,
    /// Batches of results are sent in messages of about this size, or of one row, if that is longer; 64 KiB to 1 GiB.
    pub result_message_size: ByteSize,
    /// Headers of one call, together; 4 KiB to 16 MiB.
    pub max_header_size: ByteSize,
    /// A bearer token, a session cookie or a prepared statement that was not used for so long is forgotten.
    #[serde(with = "humantime_serde")]
    pub token_lifetime: Duration,
    /// How long a ticket can be redeemed, and a polled result be read.
    #[serde(with = "humantime_serde")]
    pub ticket_lifetime: Duration,
}

impl Default for FlightConfig {
    fn default() -> Self {
        Self {
            listen: Listen::on(32010),
            require_tls: true,
            client_certificates: ClientCertificates::Off,
            location: None,
            max_message_size: ByteSize::mib(64),
            result_message_size: ByteSize::mib(2),
            max_header_size: ByteSize::kib(64),
            token_lifetime: Duration::from_secs(12 * 3600),
            ticket_lifetime: Duration::from_secs(600),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Health answers here; `none` closes the door.
    pub listen: Listen,
    /// Refuse requests without TLS, except for health checks.
    pub require_tls: bool,
    /// Connections of this door; half of them from one address. Of more, the oldest is closed.
    pub max_connections: usize,
    /// Request line and headers of one request; 8 KiB to 1 MiB.
    pub max_header_size: ByteSize,
    /// A connection on which no head of a request has arrived for so long is closed.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
}

impl HttpConfig {
    /// Connections in all and from one address.
    pub fn connections(&self) -> OpeningLimits {
        OpeningLimits {
            total: self.max_connections,
            per_address: self.max_connections.div_ceil(2),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: Listen::on(8080),
            require_tls: true,
            max_connections: 256,
            max_header_size: ByteSize::kib(64),
            head_timeout: Duration::from_secs(30),
        }
    }
}

/// An address and port to listen on, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub Option<SocketAddr>);

impl Listen {
    fn on(port: u16) -> Self {
        Self(Some(SocketAddr::from(([127, 0, 0, 1], port))))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|address| Self(Some(address)))
            .map_err(|_| {
                format!(
                    "'{text}' is no address to listen on; write one like 127.0.0.1:15432, or none"
                )
            })
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen
            .0
            .map_or_else(|| "none".to_owned(), |address| address.to_string())
    }
}
