//! The section `flight` of the configuration.

use std::time::Duration;

use bytesize::ByteSize;
use lakegate_config::{Listen, bytes, section};
use lakegate_transport::tls::ClientCertificates;

section! {
    /// Arrow Flight SQL.
    pub struct FlightConfig {
        /// Address and port, or "none".
        pub listen: Listen = Listen::on(32010),
        /// Refuse calls without TLS.
        pub require_tls: bool = true,
        /// Whether clients log in with certificates that an authority in `tls.client_ca_file` has
        /// signed.
        pub client_certificates: ClientCertificates = ClientCertificates::Off,
        /// URI from which clients fetch results. Set it if results must not pass through the proxy
        /// that calls pass through.
        pub location: Option<String> = None => ("where they called", "\"grpc+tls://lake.example.com:32010\""),
        /// Maximum size of a client's message: 64KiB to 2GiB.
        pub max_message_size: ByteSize = ByteSize::mib(64),
        /// Approximate size of the messages in which results are sent: 64KiB to 1GiB. A longer row
        /// is sent as one message.
        pub result_message_size: ByteSize = ByteSize::mib(2),
        /// Maximum size of all headers of one call: 4KiB to 16MiB.
        pub max_header_size: ByteSize = ByteSize::kib(64),
        /// A bearer token, a session cookie or a prepared statement expires when it is not used for
        /// this long.
        #[serde(with = "lakegate_config::time")]
        pub token_lifetime: Duration = Duration::from_secs(12 * 3600),
        /// How long a ticket can be redeemed and the result of a polled query can be read.
        #[serde(with = "lakegate_config::time")]
        pub ticket_lifetime: Duration = Duration::from_secs(600),
    }
}

impl FlightConfig {
    /// Returns `max_message_size` in bytes.
    pub fn max_message_bytes(&self) -> usize {
        bytes(self.max_message_size)
    }

    /// Returns `result_message_size` in bytes.
    pub(crate) fn result_message_bytes(&self) -> usize {
        bytes(self.result_message_size)
    }

    /// Returns `max_header_size` in bytes.
    pub fn max_header_bytes(&self) -> u32 {
        u32::try_from(self.max_header_size.as_u64()).unwrap_or(u32::MAX)
    }
}
