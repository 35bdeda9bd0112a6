//! Client certificates: which authorities may sign them, which are revoked, and which users they
//! name.
//!
//! The authorities and the revocation lists are read again when their files change, like the
//! server's own certificate. Changes apply to new handshakes; open connections are not closed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use lakegate_error::{Code, Error, Result};
use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConnection, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use webpki::EndEntityCert;
use x509_certificate::X509Certificate;

use super::{CHECK_EVERY, Stamp, provider, unreadable};

/// The authorities whose client certificates a door accepts, and whether it requires one.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    pub trust: Arc<ClientTrust>,
    pub required: bool,
}

impl ClientAuth {
    /// Returns the user of the certificate that the client presented in its handshake, or `None` if
    /// it presented none.
    ///
    /// # Errors
    ///
    /// The certificate names no user, or several.
    pub fn user(&self, connection: &ServerConnection) -> Result<Option<String>> {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        shown
            .map(|certificate| self.trust.user_of(certificate))
            .transpose()
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Latest(self.clone()))
    }
}

/// The authorities in use.
#[derive(Debug)]
pub struct ClientTrust {
    ca_file: PathBuf,
    crl_file: Option<PathBuf>,
    user: CertificateUser,
    loaded: RwLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    verifier: Arc<dyn ClientCertVerifier>,
    stamps: [Option<Stamp>; 2],
    checked: Instant,
}

impl ClientTrust {
    /// Reads PEM certificates of authorities, and PEM revocation lists. With revocation lists,
    /// every authority between a client and a root needs its own list.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or contains no certificate or no list.
    pub fn open(
        ca_file: PathBuf,
        crl_file: Option<PathBuf>,
        user: CertificateUser,
    ) -> Result<Arc<Self>> {
        let stamps = stamps(&ca_file, crl_file.as_deref());
        let verifier = read(&ca_file, crl_file.as_deref())?;
        Ok(Arc::new(Self {
            ca_file,
            crl_file,
            user,
            loaded: RwLock::new(Loaded {
                verifier,
                stamps,
                checked: Instant::now(),
            }),
        }))
    }

    /// Returns the current verifier. Checks the files' times at most every two seconds.
    fn current(&self) -> Arc<dyn ClientCertVerifier> {
        {
            let loaded = self.loaded.read();
            if loaded.checked.elapsed() < CHECK_EVERY {
                return Arc::clone(&loaded.verifier);
            }
        }
        let mut loaded = self.loaded.write();
        if loaded.checked.elapsed() >= CHECK_EVERY {
            loaded.checked = Instant::now();
            let stamps = stamps(&self.ca_file, self.crl_file.as_deref());
            if stamps != loaded.stamps {
                match read(&self.ca_file, self.crl_file.as_deref()) {
                    Ok(verifier) => {
                        info!(ca = %self.ca_file.display(), "authorities of client certificates reloaded");
                        loaded.verifier = verifier;
                        loaded.stamps = stamps;
                    }
                    Err(error) => {
                        warn!(%error, "the changed authorities of client certificates are not used; the last good ones stay")
                    }
                }
            }
        }
        Arc::clone(&loaded.verifier)
    }

    /// Returns the user that a verified certificate names.
    ///
    /// # Errors
    ///
    /// The certificate names no user, or several.
    fn user_of(&self, certificate: &CertificateDer<'_>) -> Result<String> {
        let refused = |why: &str| {
            Error::new(
                Code::InvalidPassword,
                format!("the client certificate {why}"),
            )
        };
        let names = names(certificate, self.user).ok_or_else(|| refused("cannot be read"))?;
        match names.as_slice() {
            [name] if !name.is_empty() => Ok(name.clone()),
            [] | [_] => Err(refused(&format!("has no {}", what(self.user)))),
            _ => Err(refused(&format!("has more than one {}", what(self.user)))),
        }
    }
}

/// The field of a client's certificate that holds the user's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateUser {
    /// The common name of its subject.
    #[default]
    Cn,
    /// The DNS name among its subject alternative names.
    SanDns,
    /// The URI among its subject alternative names.
    SanUri,
}

fn what(user: CertificateUser) -> &'static str {
    match user {
        CertificateUser::Cn => "common name in its subject",
        CertificateUser::SanDns => "DNS name among its subject alternative names",
        CertificateUser::SanUri => "URI among its subject alternative names",
    }
}

/// Returns the names in `user`'s field, or `None` if the certificate cannot be read.
fn names(certificate: &CertificateDer<'_>, user: CertificateUser) -> Option<Vec<String>> {
    if user == CertificateUser::Cn {
        let parsed = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_name().iter_common_name();
        return names.map(|name| name.to_string().ok()).collect();
    }
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    Some(if user == CertificateUser::SanDns {
        parsed.valid_dns_names().map(str::to_owned).collect()
    } else {
        parsed.valid_uri_names().map(str::to_owned).collect()
    })
}

fn stamps(ca_file: &Path, crl_file: Option<&Path>) -> [Option<Stamp>; 2] {
    [Stamp::of(ca_file), crl_file.and_then(Stamp::of)]
}

/// Reads the files into a verifier. Whether a certificate is required is decided by [`Latest`].
fn read(ca_file: &Path, crl_file: Option<&Path>) -> Result<Arc<dyn ClientCertVerifier>> {
    const CA: &str = "authorities of client certificates";
    const CRL: &str = "revocation lists of client certificates";
    let mut roots = RootCertStore::empty();
    let authorities =
        CertificateDer::pem_file_iter(ca_file).map_err(|e| unreadable(CA, ca_file, &e))?;
    for authority in authorities {
        let authority = authority.map_err(|e| unreadable(CA, ca_file, &e))?;
        roots
            .add(authority)
            .map_err(|e| unreadable(CA, ca_file, &e))?;
    }
    let none = |path: &Path, what: &str| {
        Error::invalid(format!("{} holds no {what}, as PEM", path.display()))
    };
    if roots.is_empty() {
        return Err(none(ca_file, "certificate"));
    }
    let mut lists = Vec::new();
    if let Some(crl_file) = crl_file {
        lists = CertificateRevocationListDer::pem_file_iter(crl_file)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
            .map_err(|e| unreadable(CRL, crl_file, &e))?;
        if lists.is_empty() {
            return Err(none(crl_file, "revocation list"));
        }
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .with_crls(lists)
        .build()
        .map_err(|e| {
            Error::invalid(format!(
                "the authorities of client certificates in {} cannot be used: {e}",
                ca_file.display()
            ))
        })
}

/// Delegates to the current verifier.
#[derive(Debug)]
struct Latest(ClientAuth);

impl ClientCertVerifier for Latest {
    fn client_auth_mandatory(&self) -> bool {
        self.0.required
    }

    /// Returns none. Hints help clients with several certificates to choose, but would have to
    /// outlive a change of the file.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        let verifier = self.0.trust.current();
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.0.trust.current();
        verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.0.trust.current();
        verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.trust.current().supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::time::SystemTime;

    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
        ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
        RevokedCertParams, SanType, SerialNumber,
    };

    use super::*;

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn client(
        authority: &Authority,
        change: impl Fn(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();
        certificate.der().clone()
    }

    fn named(name: &str) -> impl Fn(&mut CertificateParams) {
        move |params| params.distinguished_name.push(DnType::CommonName, name)
    }

    fn trust(dir: &Path, crl: bool, user: CertificateUser) -> Arc<ClientTrust> {
        let crl = crl.then(|| dir.join("crl.pem"));
        ClientTrust::open(dir.join("ca.pem"), crl, user).unwrap()
    }

    fn accepts(trust: &ClientTrust, certificate: &CertificateDer<'_>) -> bool {
        let verifier = trust.current();
        verifier
            .verify_client_cert(certificate, &[], UnixTime::now())
            .is_ok()
    }

    fn expire(trust: &ClientTrust) {
        trust.loaded.write().checked = Instant::now().checked_sub(CHECK_EVERY * 2).unwrap();
    }

    #[test]
    fn common_name_is_the_user_and_must_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let ours = authority("ours");
        fs::write(dir.path().join("ca.pem"), &ours.pem).unwrap();
        let trust = trust(dir.path(), false, CertificateUser::Cn);
        let ada = client(&ours, named("ada"));
        assert_eq!(trust.user_of(&ada).unwrap(), "ada");
        for (certificate, why) in [
            (client(&ours, |_| {}), "no common name"),
            (client(&ours, named("")), "no common name"),
        ] {
            let error = trust.user_of(&certificate).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
        let error = trust
            .user_of(&CertificateDer::from(vec![0x30, 0x82, 0xff]))
            .unwrap_err();
        assert!(error.message().contains("cannot be read"), "{error}");
    }

    #[test]
    fn alternative_names_are_users_where_they_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let ours = authority("ours");
        fs::write(dir.path().join("ca.pem"), &ours.pem).unwrap();
        let ada = client(&ours, |params| {
            params.distinguished_name.push(DnType::CommonName, "other");
            params.subject_alt_names = vec![
                SanType::URI("spiffe://lake.example/ada".try_into().unwrap()),
                SanType::DnsName("a.example".try_into().unwrap()),
                SanType::DnsName("b.example".try_into().unwrap()),
            ];
        });
        let user = |user| trust(dir.path(), false, user).user_of(&ada);
        assert_eq!(
            user(CertificateUser::SanUri).unwrap(),
            "spiffe://lake.example/ada"
        );
        let error = user(CertificateUser::SanDns).unwrap_err();
        assert!(
            error.message().contains("more than one DNS name"),
            "{error}"
        );
        let bare = client(&ours, named("ada"));
        let uri = trust(dir.path(), false, CertificateUser::SanUri);
        assert!(uri.user_of(&bare).is_err());
    }

    #[test]
    fn other_authorities_ends_and_purposes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (authority("ours"), authority("ours"));
        fs::write(dir.path().join("ca.pem"), &ours.pem).unwrap();
        let trust = trust(dir.path(), false, CertificateUser::Cn);
        assert!(accepts(&trust, &client(&ours, named("ada"))));
        assert!(!accepts(&trust, &client(&theirs, named("ada"))));
        let expired = client(&ours, |params| {
            params.not_before = (SystemTime::now() - CHECK_EVERY * 1000).into();
            params.not_after = (SystemTime::now() - CHECK_EVERY * 10).into();
        });
        assert!(!accepts(&trust, &expired));
        let server = client(&ours, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        assert!(!accepts(&trust, &server));
    }

    #[test]
    fn changed_authorities_are_read_again_and_broken_files_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (authority("first"), authority("second"));
        let (ada, bob) = (client(&first, named("ada")), client(&second, named("bob")));
        fs::write(dir.path().join("ca.pem"), &first.pem).unwrap();
        let trust = trust(dir.path(), false, CertificateUser::Cn);
        assert!(accepts(&trust, &ada) && !accepts(&trust, &bob));
        fs::write(dir.path().join("new"), &second.pem).unwrap();
        fs::rename(dir.path().join("new"), dir.path().join("ca.pem")).unwrap();
        expire(&trust);
        assert!(!accepts(&trust, &ada) && accepts(&trust, &bob));
        fs::write(dir.path().join("ca.pem"), "half").unwrap();
        expire(&trust);
        assert!(accepts(&trust, &bob));
    }

    #[test]
    fn revoked_certificates_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ours = authority("ours");
        fs::write(dir.path().join("ca.pem"), &ours.pem).unwrap();
        let numbered = |number: u64| {
            client(&ours, move |params| {
                params.serial_number = Some(SerialNumber::from(number));
            })
        };
        let (kept, revoked) = (numbered(7), numbered(8));
        let now = SystemTime::now();
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + CHECK_EVERY * 10_000).into(),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(8u64),
                revocation_time: now.into(),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&ours.issuer).unwrap().pem().unwrap();
        fs::write(dir.path().join("crl.pem"), list).unwrap();
        let trust = trust(dir.path(), true, CertificateUser::Cn);
        assert!(accepts(&trust, &kept) && !accepts(&trust, &revoked));
    }

    #[test]
    fn files_without_content_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (empty, absent) = (dir.path().join("empty.pem"), dir.path().join("absent.pem"));
        fs::write(&empty, "").unwrap();
        for file in [&empty, &absent] {
            let error = ClientTrust::open(file.clone(), None, CertificateUser::Cn).unwrap_err();
            assert!(
                error.message().contains(&file.display().to_string()),
                "{error}"
            );
        }
    }
}
