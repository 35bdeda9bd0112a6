//! Who is believed beside a user with his password: an identity provider's tokens, and client certificates.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use lakegate_error::{Error, Result};
use lakegate_gateway::{ALGORITHMS, LEEWAY, USER_CLAIM};
pub use lakegate_transport::tls::CertificateUser;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Takes the tokens of an identity provider as bearer tokens.
    pub jwt: Option<JwtConfig>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwtConfig {
    /// What `iss` must be.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Audience,
    /// The issuer's public keys, a JSON Web Key Set, read again when the file changes. Either this or `jwks_url`.
    pub jwks_file: Option<PathBuf>,
    /// The same, fetched: an https URL.
    pub jwks_url: Option<String>,
    /// The claim that is the user's name.
    pub user_claim: String,
    /// Of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock may be from this one; at most 5 minutes.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
}

const MAX_LEEWAY: Duration = Duration::from_secs(300);

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Audience(Vec::new()),
            jwks_file: None,
            jwks_url: None,
            user_claim: USER_CLAIM.to_owned(),
            algorithms: ALGORITHMS.to_vec(),
            leeway: LEEWAY,
        }
    }
}

impl JwtConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let Audience(audience) = &self.audience;
        if self.issuer.is_empty() || audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(Error::invalid(
                "auth.jwt.issuer and auth.jwt.audience must be set: tokens of another issuer, or for another service, are refused by them",
            ));
        }
        if self.jwks_file.is_some() == self.jwks_url.is_some() {
            return Err(Error::invalid(
                "set either auth.jwt.jwks_file or auth.jwt.jwks_url: the issuer's public keys",
            ));
        }
        let symmetric = |algorithm: &Algorithm| algorithm.family() == AlgorithmFamily::Hmac;
        if self.algorithms.is_empty() || self.algorithms.iter().any(symmetric) {
            return Err(Error::invalid(
                "auth.jwt.algorithms must name algorithms with public keys, such as RS256, ES256 or EdDSA",
            ));
        }
        if self.user_claim.is_empty() {
            return Err(Error::invalid(
                "auth.jwt.user_claim must name a claim, such as sub or email",
            ));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(Error::invalid("auth.jwt.leeway may be at most 5min"));
        }
        Ok(())
    }
}

/// One text, or several.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Audience(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Audience {
    fn from(written: OneOrMany) -> Self {
        match written {
            OneOrMany::One(one) => Self(vec![one]),
            OneOrMany::Many(many) => Self(many),
        }
    }
}

/// Whether a door asks clients for a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    #[default]
    Off,
    /// Whoever shows one is its user; others log in otherwise.
    Optional,
    /// No connection without one.
    Required,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::result_large_err)]
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const JWT: &str = "[auth.jwt]\nissuer = \"https://id.example/\"\naudience = \"lake\"\n";

    fn load(text: &str) -> Result<Config> {
        let mut loaded = None;
        figment::Jail::expect_with(|jail| {
            jail.create_file("c.toml", text)?;
            loaded = Some(Config::load(Some(Path::new("c.toml")), BTreeMap::new()));
            Ok(())
        });
        loaded.unwrap()
    }

    #[test]
    fn jwt_is_off_unless_configured_and_then_has_safe_defaults() {
        assert!(load("").unwrap().auth.jwt.is_none());
        let text = format!("{JWT}jwks_url = \"https://id.example/keys\"\n");
        let jwt = load(&text).unwrap().auth.jwt.unwrap();
        assert_eq!(jwt.audience.0, ["lake"]);
        assert_eq!((jwt.user_claim.as_str(), jwt.leeway.as_secs()), ("sub", 60));
        assert!(
            jwt.algorithms
                .iter()
                .all(|algorithm| algorithm.family() != AlgorithmFamily::Hmac)
        );
    }

    #[test]
    fn jwt_comes_from_the_environment_too() {
        figment::Jail::expect_with(|jail| {
            for (name, value) in [
                ("ISSUER", "https://id.example/"),
                ("AUDIENCE", "[\"lake\", \"other\"]"),
                ("JWKS_FILE", "/etc/keys.json"),
                ("ALGORITHMS", "[\"ES256\"]"),
                ("LEEWAY", "5s"),
            ] {
                jail.set_env(format!("LAKEGATE_AUTH__JWT__{name}"), value);
            }
            let config = Config::load(None, BTreeMap::new()).unwrap();
            let jwt = config.auth.jwt.unwrap();
            assert_eq!(jwt.audience.0, ["lake", "other"]);
            assert_eq!(jwt.algorithms, [Algorithm::ES256]);
            Ok(())
        });
    }

    #[test]
    fn what_would_let_too_many_in_is_refused_by_name() {
        let keys = "jwks_file = \"k\"\n";
        for (text, named) in [
            (JWT.to_owned(), "jwks_file"),
            (
                format!("{JWT}{keys}jwks_url = \"https://x/\"\n"),
                "jwks_url",
            ),
            (
                "[auth.jwt]\nissuer = \"x\"\njwks_file = \"k\"\n".to_owned(),
                "audience",
            ),
            (
                "[auth.jwt]\naudience = \"x\"\njwks_file = \"k\"\n".to_owned(),
                "issuer",
            ),
            (
                format!("{JWT}{keys}algorithms = [\"HS256\"]\n"),
                "algorithms",
            ),
            (format!("{JWT}{keys}algorithms = [\"none\"]\n"), "none"),
            (format!("{JWT}{keys}algorithms = []\n"), "algorithms"),
            (format!("{JWT}{keys}leeway = \"1h\"\n"), "leeway"),
            (format!("{JWT}{keys}user_claim = \"\"\n"), "user_claim"),
            (
                "[flight]\nclient_certificates = \"required\"\n".to_owned(),
                "tls.client_ca_file",
            ),
            (
                "[tls]\nclient_crl_file = \"r\"\n".to_owned(),
                "tls.client_crl_file",
            ),
            (
                "[tls]\nclient_ca_file = \"c\"\n[postgres]\nrequire_tls = false\nclient_certificates = \"required\"\n"
                    .to_owned(),
                "postgres.require_tls",
            ),
            (
                "[flight]\nclient_certificates = \"yes\"\n".to_owned(),
                "client_certificates",
            ),
        ] {
            let error = load(&text).unwrap_err();
            assert!(error.message().contains(named), "{text}: {error}");
        }
    }
}
