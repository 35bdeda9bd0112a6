//! The section `auth.jwt` of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use lakegate_config::{Value, section};
use lakegate_error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::JwtKeys;

const MAX_LEEWAY: Duration = Duration::from_secs(300);

section! {
    /// Tokens (JWT) of an identity provider: bearer tokens over Flight SQL, and over PostgreSQL's
    /// protocol for users that are set so. docs/authentication.md explains them.
    pub struct JwtConfig {
        /// What `iss` of a token must be, to the letter.
        pub issuer: String = String::new() => ("none; it must be set", "\"https://id.example.com/realms/data\""),
        /// What `aud` of a token must have; one of them, if this is a list.
        pub audience: Audience = Audience(Vec::new()) => ("none; it must be set", "\"lakegate\""),
        /// The issuer's public keys, a JSON Web Key Set: an https URL. Either this or `jwks_file`.
        pub jwks_url: Option<String> = None => ("none", "\"https://id.example.com/realms/data/protocol/openid-connect/certs\""),
        /// The same in a file, which is read again when it changes.
        pub jwks_file: Option<PathBuf> = None => ("none", "\"/etc/lakegate/keys.json\""),
        /// The claim that is the user's name.
        pub user_claim: String = "sub".to_owned(),
        /// Algorithms of signatures that are accepted; only ones with public keys.
        pub algorithms: Algorithms = Algorithms::default(),
        /// How far the issuer's clock may be from this machine's; at most 5min.
        #[serde(with = "lakegate_config::time")]
        pub leeway: Duration = Duration::from_secs(60),
    }
}

impl JwtConfig {
    /// Checks that the settings are consistent and accept no token without a private key's signature.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first wrong setting.
    pub fn validate(&self) -> Result<()> {
        let Audience(audience) = &self.audience;
        if self.issuer.is_empty() || audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(Error::invalid(
                "auth.jwt.issuer and auth.jwt.audience must be set: tokens of another issuer, or for another service, are refused by them",
            ));
        }
        self.keys()?;
        let symmetric = |algorithm: &Algorithm| algorithm.family() == AlgorithmFamily::Hmac;
        let Algorithms(algorithms) = &self.algorithms;
        if algorithms.is_empty() || algorithms.iter().any(symmetric) {
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

    /// The location of the public keys.
    ///
    /// # Errors
    ///
    /// Returns an error unless exactly one of file and URL is set.
    pub fn keys(&self) -> Result<JwtKeys> {
        match (&self.jwks_file, &self.jwks_url) {
            (Some(file), None) => Ok(JwtKeys::File(file.clone())),
            (None, Some(url)) => Ok(JwtKeys::Url(url.clone())),
            _ => Err(Error::invalid(
                "set either auth.jwt.jwks_file or auth.jwt.jwks_url: the issuer's public keys",
            )),
        }
    }
}

/// One audience or several.
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

impl Value for Audience {
    const KIND: &'static str = "text or list";

    fn toml(&self) -> Option<String> {
        self.0.toml()
    }
}

/// The accepted signature algorithms; by default, all with public keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Algorithms(pub Vec<Algorithm>);

impl Default for Algorithms {
    fn default() -> Self {
        Self(vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
        ])
    }
}

impl Value for Algorithms {
    const KIND: &'static str = "list";

    fn toml(&self) -> Option<String> {
        let names = self.0.iter().map(|algorithm| format!("{algorithm:?}"));
        names.collect::<Vec<_>>().toml()
    }
}
