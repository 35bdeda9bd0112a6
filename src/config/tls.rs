//! The section `tls`.

use std::path::PathBuf;

use lakegate_config::section;
use lakegate_transport::tls::CertificateUser;

section! {
    /// Certificates of the server, and the authorities of its clients' certificates.
    pub struct TlsConfig {
        /// Your own certificate: a PEM chain, the server's own first. With `key_file`, it replaces
        /// the generated one, and is read again when the files change.
        pub cert_file: Option<PathBuf> = None => ("a certificate authority and a certificate in the state directory", "\"/etc/lakegate/server.pem\""),
        /// The key of `cert_file`, as PEM.
        pub key_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/server.key\""),
        /// Names and addresses in the generated certificate, beside localhost, 127.0.0.1 and ::1.
        pub host_names: Vec<String> = Vec::new() => ("none", "[\"lake.example.com\"]"),
        /// Authorities that sign clients' certificates, as PEM. Read again when the file changes.
        pub client_ca_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/client-ca.pem\""),
        /// Their revocation lists, as PEM. With it, every authority between a client and a root needs
        /// its list. Read again when the file changes.
        pub client_crl_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/client-crl.pem\""),
        /// What in a client's certificate is the user's name.
        pub client_user: CertificateUser = CertificateUser::Cn,
    }
}
