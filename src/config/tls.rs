//! The section `tls`.

use std::path::PathBuf;

use lakegate_config::section;
use lakegate_transport::tls::CertificateUser;

section! {
    /// Certificates of the server, and the authorities of its clients' certificates.
    pub struct TlsConfig {
        /// A certificate of your own: a PEM chain that begins with the server's certificate. With
        /// `key_file`, it replaces the generated one, and is reloaded when the files change.
        pub cert_file: Option<PathBuf> = None => ("a certificate authority and a certificate in the state directory", "\"/etc/lakegate/server.pem\""),
        /// The key of `cert_file`, as PEM.
        pub key_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/server.key\""),
        /// Names and addresses in the generated certificate, in addition to localhost, 127.0.0.1
        /// and ::1.
        pub host_names: Vec<String> = Vec::new() => ("none", "[\"lake.example.com\"]"),
        /// Authorities that sign clients' certificates, as PEM. Reloaded when the file changes.
        pub client_ca_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/client-ca.pem\""),
        /// Revocation lists of these authorities, as PEM. If set, every authority between a client
        /// and a root needs a list. Reloaded when the file changes.
        pub client_crl_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/client-crl.pem\""),
        /// The part of a client's certificate that contains the user's name.
        pub client_user: CertificateUser = CertificateUser::Cn,
    }
}
