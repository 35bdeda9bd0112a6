//! Logins with a JSON Web Token, which an identity provider has signed. One of its claims names a
//! user of the catalog.
//!
//! ```text
//!  token ─▶ header: algorithm, key id ─▶ keys (a file or a URL, reloaded)
//!        ─▶ signature ─▶ exp, nbf, iss, aud ─▶ user
//! ```
//!
//! Only the configuration decides which keys and algorithms are accepted. Headers that contain a key
//! (`jwk`, `jku`, `x5c`) are ignored, symmetric algorithms and `none` are not supported, and a key
//! checks signatures of its own kind only.

mod config;
mod crypto;
mod keys;
mod source;
#[cfg(test)]
mod tests;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation};
use lakegate_error::Result;
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

pub use self::config::{Algorithms, Audience, JwtConfig};
use self::keys::{Chosen, KeySet};
use self::source::Source;

/// Maximum length of a token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// Maximum number of characters of a token that go to the log.
const MAX_REASON: usize = 200;

/// The location of the public keys, a JSON Web Key Set.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    File(PathBuf),
    /// `https`, or `http` on this machine.
    Url(String),
}

/// Checks tokens.
#[derive(Debug)]
pub struct Jwt {
    issuer: String,
    audience: Vec<String>,
    user_claim: String,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    source: Source,
}

/// Why a token is refused: for the server's log, not for the client.
#[derive(Debug, ThisError, PartialEq, Eq)]
pub(crate) enum Refused {
    #[error("it is longer than {MAX_TOKEN} bytes")]
    TooLong,
    #[error("it is no signed JWT: {0}")]
    Malformed(String),
    #[error("the algorithm {0:?} is not among auth.jwt.algorithms")]
    Algorithm(Algorithm),
    #[error("its header has 'crit', and none of it is understood")]
    Critical,
    #[error("its type is {0}, which is no access or identity token")]
    Type(String),
    #[error("no usable key of the key set has its key id {0}")]
    UnknownKey(String),
    #[error("it names no key, and not exactly one of the key set fits")]
    NoKeyId,
    #[error("the signature is wrong")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("the issuer is another")]
    Issuer,
    #[error("the audience is another")]
    Audience,
    #[error("the claim {0} is missing or of a wrong type")]
    Claim(String),
    #[error("there are no keys to check it with")]
    NoKeys,
}

impl Jwt {
    /// Returns the issuer of the tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Reads a key file; fetches a URL in the background.
    ///
    /// # Errors
    ///
    /// Returns an error for settings that [`JwtConfig::validate`] refuses, a key file that cannot be
    /// read or holds no usable key, and a URL that is neither https nor on this machine.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(config: JwtConfig) -> BoxFuture<'static, Result<Self>> {
        async move {
            config.validate()?;
            // Once for the process; later calls change nothing.
            let _ = crypto::PROVIDER.install_default();
            Ok(Self {
                source: Source::open(config.keys()?).await?,
                issuer: config.issuer,
                audience: config.audience.0,
                user_claim: config.user_claim,
                algorithms: config.algorithms.0,
                leeway: config.leeway,
            })
        }
        .boxed()
    }

    /// Returns the user that a token names, which need not exist in the catalog.
    pub(crate) async fn user(&self, token: &str) -> Result<String, Refused> {
        let header = self.header(token)?;
        let keys = self.keys(&header).await?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        for key in keys {
            match jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation) {
                Ok(decoded) => return self.named(&decoded.claims),
                // Another key may have the same id.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(error) => return Err(refused(&error)),
            }
        }
        Err(Refused::Signature)
    }

    /// Returns the header, which selects the key and the algorithm.
    fn header(&self, token: &str) -> Result<Header, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::TooLong);
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|error| Refused::Malformed(shown(&error.to_string())))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Refused::Algorithm(header.alg));
        }
        if header.crit.is_some() {
            return Err(Refused::Critical);
        }
        if let Some(typ) = &header.typ {
            // A logout token or a DPoP proof has the same issuer, and is not a login.
            let lower = typ.to_ascii_lowercase();
            let kind = lower.strip_prefix("application/").unwrap_or(&lower);
            if kind != "jwt" && kind != "at+jwt" {
                return Err(Refused::Type(shown(typ)));
            }
        }
        Ok(header)
    }

    /// Returns the keys that may have signed the token. An unknown key id may be a new one, so the
    /// key set is reloaded then.
    async fn keys(&self, header: &Header) -> Result<Vec<jsonwebtoken::DecodingKey>, Refused> {
        let kid = header.kid.as_deref();
        let choose = |set: &KeySet| set.choose(kid, header.alg);
        let known = self.source.current().await.map(|set| choose(&set));
        if let Some(Chosen::Keys(keys)) = known {
            return Ok(keys);
        }
        match self.source.renewed().await.map(|set| choose(&set)) {
            Some(Chosen::Keys(keys)) => Ok(keys),
            Some(Chosen::Ambiguous) => Err(Refused::NoKeyId),
            Some(Chosen::Unknown) => {
                Err(kid.map_or(Refused::NoKeyId, |kid| Refused::UnknownKey(shown(kid))))
            }
            None => Err(Refused::NoKeys),
        }
    }

    fn named(&self, claims: &Map<String, Value>) -> Result<String, Refused> {
        // The library accepts a list of issuers, which RFC 7519 does not define.
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refused::Issuer);
        }
        let user = claims.get(&self.user_claim).and_then(Value::as_str);
        user.filter(|user| !user.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| Refused::Claim(self.user_claim.clone()))
    }
}

/// Whether a bearer token is a JWT rather than one of the server's own, which have no dots.
pub fn is_jwt(token: &str) -> bool {
    token.contains('.')
}

/// Whether the text in the place of a password is a signed JWT: three parts, of which the first is
/// a JSON object.
pub(crate) fn is_signed(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

fn refused(error: &jsonwebtoken::errors::Error) -> Refused {
    match error.kind() {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYet,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            Refused::Claim(claim.clone())
        }
        _ => Refused::Malformed(shown(&error.to_string())),
    }
}

/// Text of a client, cut and escaped for the log.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(MAX_REASON)
        .flat_map(char::escape_debug)
        .collect()
}
