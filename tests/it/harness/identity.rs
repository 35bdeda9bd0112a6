//! An identity provider that signs JWTs, and an authority that signs client certificates, each for
//! one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::tls::Tls;

pub(crate) const ISSUER: &str = "https://id.example/";
pub(crate) const AUDIENCE: &str = "lakegate";

/// Signs with one Ed25519 key, and publishes it in a file.
pub(crate) struct Provider {
    key: Ed25519KeyPair,
    kid: String,
    file: PathBuf,
}

impl Provider {
    pub(crate) fn new(dir: &Path, kid: &str) -> Self {
        let written = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let provider = Self {
            key: Ed25519KeyPair::from_pkcs8(written.as_ref()).unwrap(),
            kid: kid.to_owned(),
            file: dir.join("keys.json"),
        };
        let x = URL_SAFE_NO_PAD.encode(provider.key.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x}]});
        let new = dir.join("keys.json.new");
        fs::write(&new, set.to_string()).unwrap();
        fs::rename(&new, &provider.file).unwrap();
        provider
    }

    /// Returns the environment variables of a server that trusts the provider.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LAKEGATE_AUTH__JWT__ISSUER", ISSUER.to_owned()),
            ("LAKEGATE_AUTH__JWT__AUDIENCE", AUDIENCE.to_owned()),
            (
                "LAKEGATE_AUTH__JWT__JWKS_FILE",
                self.file.to_str().unwrap().to_owned(),
            ),
            ("LAKEGATE_AUTH__JWT__LEEWAY", "0s".to_owned()),
        ]
    }

    /// Signs a token that expires this many seconds from now; a negative number is in the past.
    pub(crate) fn token(&self, user: &str, seconds: i64) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(since.as_secs()).unwrap();
        self.signed(&json!({"iss": ISSUER, "aud": AUDIENCE, "sub": user, "exp": now + seconds}))
    }

    pub(crate) fn signed(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Signs client certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
}

/// A client certificate with its key, also as files.
pub(crate) struct Certified {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certified {
    /// Returns `tls` with this certificate, for servers that request one.
    pub(crate) fn over(&self, tls: &Tls) -> Tls {
        tls.showing(&self.certificate, &self.key)
    }
}

impl Authority {
    /// Writes `client-ca.pem`, and an empty `client-crl.pem`.
    pub(crate) fn new(dir: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("clients of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        replace(&dir.join("client-ca.pem"), &pem);
        let authority = Self {
            issuer: Issuer::new(params, key),
            dir: dir.to_owned(),
        };
        authority.revoke(&[]);
        authority
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.join("client-ca.pem")
    }

    pub(crate) fn crl_file(&self) -> PathBuf {
        self.dir.join("client-crl.pem")
    }

    pub(crate) fn sign(&self, user: &str, serial: u64) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str| self.dir.join(format!("client-{serial}.{end}"));
        let certified = Certified {
            certificate: file("pem"),
            key: file("key"),
        };
        fs::write(&certified.certificate, certificate.pem()).unwrap();
        fs::write(&certified.key, key.serialize_pem()).unwrap();
        // libpq rejects a key that other users can read.
        let mut permissions = fs::metadata(&certified.key).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        fs::set_permissions(&certified.key, permissions).unwrap();
        certified
    }

    /// Revokes exactly these serial numbers.
    pub(crate) fn revoke(&self, serials: &[u64]) {
        let now = SystemTime::now();
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + std::time::Duration::from_secs(86_400)).into(),
            crl_number: SerialNumber::from(serials.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = list.signed_by(&self.issuer).unwrap().pem().unwrap();
        replace(&self.crl_file(), &pem);
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}
