//! The certificate that every door presents: a configured one, read again when its files change, or
//! a generated one. Also the client certificates that are accepted (`clients`).
//!
//! rustls with ring, TLS 1.2 and later. If a changed certificate cannot be read (half written, key
//! of another), the last good one stays in use, with a warning.

mod clients;
mod generated;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lakegate_error::{Code, Error, Result};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

pub use self::clients::{CertificateUser, ClientAuth, ClientTrust};
pub use self::settings::ClientCertificates;

/// How long a certificate is used before its files are checked again.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// A certificate with its key.
pub struct Identity {
    certified: Arc<CertifiedKey>,
    leaf_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.certified.cert.len())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Returns the server's own certificate as PEM, which SCRAM's channel binding hashes.
    pub fn leaf_pem(&self) -> &str {
        &self.leaf_pem
    }

    /// Returns a configuration that presents exactly this certificate. `alpn`: protocols by
    /// preference, empty for none. `clients`: the authorities of client certificates, if any are
    /// requested. The configuration is for one connection, so it offers no resumption.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    pub fn server_config(
        &self,
        alpn: &[&[u8]],
        clients: Option<&ClientAuth>,
    ) -> Result<Arc<ServerConfig>> {
        let resolver = Arc::new(Fixed(self.certified.clone()));
        let mut config = server_config(resolver, alpn, clients)?;
        without_resumption(&mut config);
        Ok(Arc::new(config))
    }

    fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
            .map_err(|e| unreadable("certificate", certificate, &e))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable("key", key, &e))?;
        let Some(leaf) = chain.first() else {
            return Err(Error::invalid(format!(
                "{} holds no certificate: it must be a PEM chain, the server's own first",
                certificate.display()
            )));
        };
        let leaf_pem = pem(leaf);
        let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|e| {
            Error::invalid(format!(
                "the certificate {} and the key {} cannot be used: {e}",
                certificate.display(),
                key.display()
            ))
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            leaf_pem,
        })
    }
}

fn unreadable(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::Storage,
        format!("cannot read the TLS {what} {}: {error}", path.display()),
    )
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    alpn: &[&[u8]],
    clients: Option<&ClientAuth>,
) -> Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| Error::internal(format!("TLS cannot be set up: {e}")))?;
    let mut config = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients.verifier()),
        None => builder.with_no_client_auth(),
    }
    .with_cert_resolver(resolver);
    if clients.is_some() {
        // A resumed session would accept a certificate that has since expired or been revoked.
        without_resumption(&mut config);
    }
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

fn without_resumption(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[derive(Debug)]
struct Latest(Arc<Tls>);

impl ResolvesServerCert for Latest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current().certified.clone())
    }
}

/// Identifies a version of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self {
            modified: meta.modified().ok(),
            length: meta.len(),
            inode,
        })
    }
}

#[derive(Debug)]
struct Loaded {
    identity: Arc<Identity>,
    stamps: [Option<Stamp>; 2],
    checked: Instant,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// `Some` for a generated certificate: its folder and its host names.
    generated: Option<(PathBuf, Vec<String>)>,
    loaded: RwLock<Loaded>,
}

impl Tls {
    /// Reads a PEM chain, the server's own certificate first, and its private key.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Arc<Self>> {
        Self::open(certificate.into(), key.into(), None)
    }

    /// Uses a certificate under `<state_dir>/tls` for this machine's own names and `hosts` (names
    /// and IP addresses). It is generated at the first start, and again when it is about to expire
    /// or `hosts` change. It is signed by a CA that stays the same, [`Tls::ca_file`], for clients
    /// to trust.
    ///
    /// # Errors
    ///
    /// A host name is not valid in a certificate, or a file cannot be read or written.
    pub fn generated(state_dir: &Path, hosts: &[String]) -> Result<Arc<Self>> {
        let dir = state_dir.join("tls");
        generated::ensure(&dir, hosts)?;
        Self::open(
            dir.join("server.pem"),
            dir.join("server.key"),
            Some((dir, hosts.to_vec())),
        )
    }

    fn open(
        certificate: PathBuf,
        key: PathBuf,
        generated: Option<(PathBuf, Vec<String>)>,
    ) -> Result<Arc<Self>> {
        let stamps = [Stamp::of(&certificate), Stamp::of(&key)];
        let identity = Arc::new(Identity::read(&certificate, &key)?);
        let loaded = RwLock::new(Loaded {
            identity,
            stamps,
            checked: Instant::now(),
        });
        Ok(Arc::new(Self {
            certificate,
            key,
            generated,
            loaded,
        }))
    }

    /// Returns the file of the CA that signed a generated certificate, for `sslrootcert`.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.generated.as_ref().map(|(dir, _)| dir.join("ca.pem"))
    }

    /// Returns the current certificate. Checks the files' times at most every two seconds.
    pub fn current(&self) -> Arc<Identity> {
        {
            let loaded = self.loaded.read();
            if loaded.checked.elapsed() < CHECK_EVERY {
                return loaded.identity.clone();
            }
        }
        self.refresh()
    }

    fn refresh(&self) -> Arc<Identity> {
        let mut loaded = self.loaded.write();
        if loaded.checked.elapsed() < CHECK_EVERY {
            return loaded.identity.clone();
        }
        loaded.checked = Instant::now();
        if let Some((dir, hosts)) = &self.generated
            && let Err(error) = generated::ensure(dir, hosts)
        {
            warn!(%error, "the generated TLS certificate could not be renewed");
        }
        let stamps = [Stamp::of(&self.certificate), Stamp::of(&self.key)];
        if stamps != loaded.stamps {
            match Identity::read(&self.certificate, &self.key) {
                Ok(identity) => {
                    info!(certificate = %self.certificate.display(), "TLS certificate reloaded");
                    loaded.identity = Arc::new(identity);
                    loaded.stamps = stamps;
                }
                Err(error) => {
                    warn!(%error, "the changed TLS certificate is not used; the last good one stays")
                }
            }
        }
        loaded.identity.clone()
    }

    /// Returns a configuration for many connections: each handshake presents the certificate that
    /// is current then.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    pub fn server_config(
        self: &Arc<Self>,
        alpn: &[&[u8]],
        clients: Option<&ClientAuth>,
    ) -> Result<Arc<ServerConfig>> {
        let resolver = Arc::new(Latest(self.clone()));
        Ok(Arc::new(server_config(resolver, alpn, clients)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Makes the next use check the files.
    fn expire(tls: &Tls) {
        tls.loaded.write().checked = Instant::now().checked_sub(CHECK_EVERY * 2).unwrap();
    }

    #[test]
    fn generated_certificate_is_kept_and_its_keys_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Tls::generated(dir.path(), &hosts(&["localhost", "127.0.0.1"])).unwrap();
        let again = Tls::generated(dir.path(), &hosts(&["localhost", "127.0.0.1"])).unwrap();
        assert_eq!(first.current().leaf_pem(), again.current().leaf_pem());
        assert!(first.ca_file().unwrap().exists());
        #[cfg(unix)]
        for name in ["server.key", "ca.key"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("tls").join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn changed_host_names_renew_the_certificate_under_the_same_ca() {
        let dir = tempfile::tempdir().unwrap();
        let first = Tls::generated(dir.path(), &hosts(&["localhost"])).unwrap();
        let ca = fs::read(first.ca_file().unwrap()).unwrap();
        let second = Tls::generated(dir.path(), &hosts(&["localhost", "lake.example"])).unwrap();
        assert_ne!(first.current().leaf_pem(), second.current().leaf_pem());
        assert_eq!(fs::read(second.ca_file().unwrap()).unwrap(), ca);
    }

    #[test]
    fn changed_files_are_read_again_and_broken_ones_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Tls::generated(a.path(), &hosts(&["a.example"])).unwrap();
        Tls::generated(b.path(), &hosts(&["b.example"])).unwrap();
        let install = |from: &Path| {
            for name in ["server.pem", "server.key"] {
                fs::copy(from.join("tls").join(name), dir.path().join(name)).unwrap();
            }
        };
        install(a.path());
        let tls =
            Tls::from_files(dir.path().join("server.pem"), dir.path().join("server.key")).unwrap();
        let first = tls.current();
        install(b.path());
        expire(&tls);
        let second = tls.current();
        assert_ne!(first.leaf_pem(), second.leaf_pem());
        fs::write(dir.path().join("server.pem"), "half").unwrap();
        expire(&tls);
        assert_eq!(tls.current().leaf_pem(), second.leaf_pem());
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Tls::generated(a.path(), &hosts(&["a.example"])).unwrap();
        Tls::generated(b.path(), &hosts(&["b.example"])).unwrap();
        let error = Tls::from_files(
            a.path().join("tls/server.pem"),
            b.path().join("tls/server.key"),
        )
        .unwrap_err();
        assert!(error.message().contains("cannot be used"), "{error}");
    }

    #[test]
    fn missing_file_is_named() {
        let error =
            Tls::from_files("/nonexistent/server.pem", "/nonexistent/server.key").unwrap_err();
        assert!(
            error.message().contains("/nonexistent/server.pem"),
            "{error}"
        );
    }

    #[test]
    fn configurations_carry_their_protocols() {
        let dir = tempfile::tempdir().unwrap();
        let tls = Tls::generated(dir.path(), &hosts(&["localhost"])).unwrap();
        assert_eq!(
            tls.current()
                .server_config(&[b"postgresql"], None)
                .unwrap()
                .alpn_protocols,
            [b"postgresql".to_vec()]
        );
        assert!(
            tls.server_config(&[], None)
                .unwrap()
                .alpn_protocols
                .is_empty()
        );
    }
}
