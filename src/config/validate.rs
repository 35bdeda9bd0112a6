//! Limits of settings, and dependencies between them.

use bytesize::ByteSize;
use lakegate_error::{Error, Result};
use lakegate_transport::tls::ClientCertificates;

use super::{Config, TlsConfig};

impl Config {
    /// Checks settings against their limits and against each other.
    ///
    /// # Errors
    ///
    /// A setting is invalid. The message names the first one.
    pub(super) fn validate(&self) -> Result<()> {
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err(Error::invalid(
                "tls.cert_file and tls.key_file belong together; set both or neither",
            ));
        }
        if let Some(jwt) = &self.auth.jwt {
            jwt.validate()?;
        }
        self.validate_client_certificates()?;
        let Self {
            flight, http, lake, ..
        } = self;
        let (kib, mib, gib) = (ByteSize::kib, ByteSize::mib, ByteSize::gib);
        for (name, size, least, most) in [
            (
                "flight.max_message_size",
                flight.max_message_size,
                kib(64),
                gib(2),
            ),
            (
                "flight.result_message_size",
                flight.result_message_size,
                kib(64),
                gib(1),
            ),
            (
                "flight.max_header_size",
                flight.max_header_size,
                kib(4),
                mib(16),
            ),
            ("http.max_header_size", http.max_header_size, kib(8), mib(1)),
            ("lake.max_row_size", lake.max_row_size, kib(1), gib(1)),
        ] {
            if !(least..=most).contains(&size) {
                return Err(Error::invalid(format!(
                    "{name} is {} bytes; it must be at least {least} and at most {most}",
                    size.as_u64()
                )));
            }
        }
        if let Some(limit) = self.engine.process_memory_limit
            && limit < mib(256)
        {
            return Err(Error::invalid(format!(
                "engine.process_memory_limit is {} bytes; it must be at least {}",
                limit.as_u64(),
                mib(256)
            )));
        }
        if let Some(location) = &self.flight.location
            && !location.starts_with("grpc")
        {
            return Err(Error::invalid(format!(
                "flight.location '{location}' is no location; write one like grpc+tls://lake.example:32010"
            )));
        }
        if self.engine.batch_size == 0
            || self.engine.threads == Some(0)
            || self.queries.max_concurrent == Some(0)
            || self.queries.max_concurrent_per_user == Some(0)
            || self.server.max_connections_per_user == Some(0)
            || self.http.max_connections == 0
        {
            return Err(Error::invalid(
                "engine.batch_size, engine.threads, queries.max_concurrent, queries.max_concurrent_per_user, \
                 server.max_connections_per_user and http.max_connections must be at least 1",
            ));
        }
        if self.server.reserved_connections() >= self.server.max_connections {
            return Err(Error::invalid(format!(
                "server.reserved_connections is {}; it must be less than server.max_connections, which is {}",
                self.server.reserved_connections(),
                self.server.max_connections
            )));
        }
        if self.queries.max_stall.is_zero() {
            return Err(Error::invalid(
                "queries.max_stall is 0; it must be at least some seconds, such as 10min",
            ));
        }
        if self.http.head_timeout.is_zero() {
            return Err(Error::invalid(
                "http.head_timeout is 0; it must be at least some seconds, such as 30s",
            ));
        }
        for root in &self.lake.roots {
            if root.path.is_some() && (root.endpoint.is_some() || root.access_key_id.is_some()) {
                return Err(Error::invalid(format!(
                    "lake root {}: path makes it a directory, so endpoint and credentials cannot be set",
                    root.url
                )));
            }
            if root.access_key_id.is_some() != root.secret_access_key.is_some() {
                return Err(Error::invalid(format!(
                    "lake root {}: access_key_id and secret_access_key belong together",
                    root.url
                )));
            }
        }
        Ok(())
    }

    fn validate_client_certificates(&self) -> Result<()> {
        let TlsConfig {
            client_ca_file: ca,
            client_crl_file: crl,
            ..
        } = &self.tls;
        if ca.is_none() && crl.is_some() {
            return Err(Error::invalid(
                "tls.client_crl_file belongs to tls.client_ca_file; set that too",
            ));
        }
        for (door, wanted, require_tls) in [
            (
                "postgres",
                self.postgres.client_certificates,
                self.postgres.require_tls,
            ),
            (
                "flight",
                self.flight.client_certificates,
                self.flight.require_tls,
            ),
        ] {
            if wanted != ClientCertificates::Off && ca.is_none() {
                return Err(Error::invalid(format!(
                    "{door}.client_certificates needs tls.client_ca_file: the authorities that sign them"
                )));
            }
            if wanted == ClientCertificates::Required && !require_tls {
                return Err(Error::invalid(format!(
                    "{door}.client_certificates is required, so {door}.require_tls cannot be off"
                )));
            }
        }
        Ok(())
    }
}
