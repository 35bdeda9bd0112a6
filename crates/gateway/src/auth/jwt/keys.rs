//! A JSON Web Key Set (RFC 7517), and the signatures that each of its keys can check.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use lakegate_error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use tracing::debug;

/// Maximum length of a key set, in bytes.
pub(super) const MAX_SET: usize = 1024 * 1024;
/// Maximum number of keys of a key set.
const MAX_KEYS: usize = 256;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];
const ED25519: &[Algorithm] = &[Algorithm::EdDSA];

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

/// The keys that fit a token.
#[derive(Debug)]
pub(super) enum Chosen {
    Keys(Vec<DecodingKey>),
    Unknown,
    /// The token names no key, and several would fit.
    Ambiguous,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<Value>,
}

impl KeySet {
    /// Parses a key set. Skips keys that cannot check signatures: of unknown kinds, symmetric, for
    /// encryption. `from` names the set in errors.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a key set, or has too many keys or no usable one.
    pub(super) fn parse(text: &[u8], from: &str) -> Result<Self> {
        let invalid = |why: String| Error::invalid(format!("the key set {from} {why}"));
        let written: Written = serde_json::from_slice(text).map_err(|e| {
            invalid(format!(
                "is no JSON Web Key Set, an object with a list 'keys': {e}"
            ))
        })?;
        if written.keys.len() > MAX_KEYS {
            return Err(invalid(format!("has more than {MAX_KEYS} keys")));
        }
        let keys: Vec<Key> = written.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(invalid(
                "has no key that can check signatures: RSA, EC on P-256 or P-384, or Ed25519"
                    .to_owned(),
            ));
        }
        Ok(Self(keys))
    }

    /// Returns the keys of this id for this algorithm. Without an id, exactly one key must fit.
    pub(super) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Chosen {
        let fits = |key: &&Key| {
            key.algorithms.contains(&algorithm) && (id.is_none() || key.id.as_deref() == id)
        };
        let keys: Vec<DecodingKey> = self
            .0
            .iter()
            .filter(fits)
            .map(|key| key.key.clone())
            .collect();
        match keys.len() {
            0 => Chosen::Unknown,
            1 => Chosen::Keys(keys),
            _ if id.is_none() => Chosen::Ambiguous,
            _ => Chosen::Keys(keys),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = match serde_json::from_value(value) {
            Ok(jwk) => jwk,
            Err(error) => {
                debug!(%error, "a key of the JSON Web Key Set cannot be read");
                return None;
            }
        };
        let (algorithms, length) = kind(&jwk.algorithm)?;
        let common = &jwk.common;
        if matches!(&common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature) {
            return None;
        }
        if matches!(&common.key_operations, Some(uses) if !uses.contains(&KeyOperations::Verify)) {
            return None;
        }
        let algorithms = match common.key_algorithm {
            Some(named) => {
                let named = Algorithm::try_from(named).ok()?;
                algorithms.contains(&named).then(|| vec![named])?
            }
            None => algorithms.to_vec(),
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        if let Some(length) = length
            && key.try_get_as_bytes().ok()?.len() != length
        {
            return None;
        }
        Some(Self {
            id: common.key_id.clone(),
            algorithms,
            key,
        })
    }
}

/// Returns the algorithms of a kind of key, and the length of its public key if that is fixed.
fn kind(parameters: &AlgorithmParameters) -> Option<(&'static [Algorithm], Option<usize>)> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some((RSA, None)),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some((P256, Some(1 + 2 * 32))),
            EllipticCurve::P384 => Some((P384, Some(1 + 2 * 48))),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => Some((ED25519, Some(32))),
            _ => None,
        },
        _ => None,
    }
}
