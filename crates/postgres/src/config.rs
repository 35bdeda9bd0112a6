//! The section `postgres` of the configuration.

use lakegate_config::{Listen, section};
use lakegate_transport::tls::ClientCertificates;

section! {
    /// The PostgreSQL wire protocol.
    pub struct PostgresConfig {
        /// Address and port, or "none". "0.0.0.0:15432" listens on all addresses.
        pub listen: Listen = Listen::on(15432),
        /// Refuse connections without TLS.
        pub require_tls: bool = true,
        /// Whether clients log in with certificates that an authority in `tls.client_ca_file` has
        /// signed.
        pub client_certificates: ClientCertificates = ClientCertificates::Off,
    }
}
