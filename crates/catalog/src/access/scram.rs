//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677), which are kept instead of passwords.
//!
//! ```text
//!   salted  = PBKDF2-HMAC-SHA-256(SASLprep(password), salt, iterations)
//!   stored  = SHA-256(HMAC(salted, "Client Key"))        checks the client's proof
//!   server  = HMAC(salted, "Server Key")                 proves the server to the client
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{CatalogError, Result};

/// PBKDF2 rounds of a new verifier, as Postgres has them.
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// The most PBKDF2 rounds, so that a login cannot take much processor time.
pub const MAX_ITERATIONS: u32 = 100_000;

/// The longest password, in bytes of UTF-8.
pub const MAX_PASSWORD_BYTES: usize = 1024;

const SALT_BYTES: usize = 16;
const MAX_SALT_BYTES: usize = 64;

/// What a server needs to check a password without knowing it. `Display` and `FromStr` use
/// Postgres's text form, `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`; `Debug`
/// shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    /// 1 to [`MAX_ITERATIONS`].
    pub iterations: u32,
    /// 1 to 64 bytes.
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl ScramVerifier {
    /// A verifier with a random salt and [`DEFAULT_ITERATIONS`].
    ///
    /// # Errors
    /// If the password is empty or longer than [`MAX_PASSWORD_BYTES`].
    pub fn from_password(password: &str) -> Result<ScramVerifier> {
        ScramVerifier::with_iterations(password, DEFAULT_ITERATIONS)
    }

    /// The same as [`ScramVerifier::from_password`], on a blocking thread: it takes milliseconds of
    /// processor time by design.
    ///
    /// # Errors
    /// If the password is empty or longer than [`MAX_PASSWORD_BYTES`], or the runtime is shutting
    /// down.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn in_background(password: &str) -> Result<ScramVerifier> {
        let password = password.to_owned();
        let derived =
            tokio::task::spawn_blocking(move || ScramVerifier::from_password(&password)).await;
        derived.map_err(|e| CatalogError::Storage(format!("the password cannot be hashed: {e}")))?
    }

    /// A verifier with a random salt. Takes some milliseconds of CPU per 4096 iterations: not for
    /// an IO thread.
    ///
    /// # Errors
    /// If the password is empty or longer than [`MAX_PASSWORD_BYTES`], or the iterations are not 1
    /// to [`MAX_ITERATIONS`].
    pub fn with_iterations(password: &str, iterations: u32) -> Result<ScramVerifier> {
        check_password(password)?;
        check_iterations(iterations)?;
        let salt: [u8; SALT_BYTES] = rand::random();
        Ok(ScramVerifier::derive(password, &salt, iterations))
    }

    /// Whether this is the verifier's password. Takes the same time for every answer.
    pub fn verify_password(&self, password: &str) -> bool {
        // A password that cannot have been set is still hashed, bounded in length, so that the time
        // reveals nothing.
        let possible = check_password(password).is_ok();
        let candidate = ScramVerifier::derive(
            if possible { password } else { "" },
            &self.salt,
            self.iterations,
        );
        let same = candidate.stored_key.ct_eq(&self.stored_key)
            & candidate.server_key.ct_eq(&self.server_key);
        bool::from(same) & possible
    }

    /// A verifier for a name without a user, derived from a secret: its salt is the same at every
    /// attempt and is indistinguishable from a real one, and no known password matches it.
    pub(crate) fn mock(name: &str, secret: &[u8]) -> ScramVerifier {
        let part = |purpose: &str| {
            let message = [purpose.as_bytes(), b"\0", name.as_bytes()].concat();
            hmac_sha256(secret, &message)
        };
        ScramVerifier {
            iterations: DEFAULT_ITERATIONS,
            salt: part("mock salt").into_iter().take(SALT_BYTES).collect(),
            stored_key: part("mock stored key"),
            server_key: part("mock server key"),
        }
    }

    fn derive(password: &str, salt: &[u8], iterations: u32) -> ScramVerifier {
        // As Postgres does: a password that SASLprep refuses is used as it is.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let salted: [u8; 32] =
            pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(prepared.as_bytes(), salt, iterations);
        let client_key = hmac_sha256(&salted, b"Client Key");
        ScramVerifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac_sha256(&salted, b"Server Key"),
        }
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length. If it did not, the result must not match by knowing the key.
    match <Hmac<Sha256> as Mac>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => rand::random(),
    }
}

fn check_password(password: &str) -> Result<()> {
    if password.is_empty() {
        return Err(CatalogError::invalid(
            "the password is empty; give one of 1 to 1024 bytes",
        ));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(CatalogError::invalid(format!(
            "the password is longer than {MAX_PASSWORD_BYTES} bytes"
        )));
    }
    // Clients prepare the password too: one that vanishes in it would let an empty one in.
    if stringprep::saslprep(password).is_ok_and(|prepared| prepared.is_empty()) {
        return Err(CatalogError::invalid(
            "the password has no visible characters; give one that has",
        ));
    }
    Ok(())
}

fn check_iterations(iterations: u32) -> Result<()> {
    if (1..=MAX_ITERATIONS).contains(&iterations) {
        return Ok(());
    }
    Err(CatalogError::invalid(format!(
        "{iterations} SCRAM iterations are out of range; use 1 to {MAX_ITERATIONS}"
    )))
}

impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(self.stored_key),
            BASE64.encode(self.server_key)
        )
    }
}

impl FromStr for ScramVerifier {
    type Err = CatalogError;

    /// Reads Postgres's text form. The message of an error does not contain the text.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            CatalogError::invalid(
                "the SCRAM verifier is not of the form SCRAM-SHA-256$iterations:salt$stored:server",
            )
        };
        let mut parts = text.split('$');
        let (Some("SCRAM-SHA-256"), Some(head), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        let (iterations, salt) = head.split_once(':').ok_or_else(invalid)?;
        let (stored, server) = keys.split_once(':').ok_or_else(invalid)?;
        let iterations: u32 = iterations.parse().map_err(|_| invalid())?;
        check_iterations(iterations)?;
        let salt = BASE64.decode(salt).map_err(|_| invalid())?;
        if salt.is_empty() || salt.len() > MAX_SALT_BYTES {
            return Err(invalid());
        }
        let key = |text: &str| {
            BASE64
                .decode(text)
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .ok_or_else(invalid)
        };
        Ok(ScramVerifier {
            iterations,
            salt,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramVerifier(redacted)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn keys_are_those_of_rfc_7677() {
        // The example of RFC 7677, section 3: user "user", password "pencil".
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = ScramVerifier::derive("pencil", &salt, 4096);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let signature = hmac_sha256(&verifier.server_key, message.as_bytes());
        assert_eq!(
            BASE64.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let proof = BASE64
            .decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let client_signature = hmac_sha256(&verifier.stored_key, message.as_bytes());
        let client_key: Vec<u8> = proof
            .iter()
            .zip(client_signature)
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(
            <[u8; 32]>::from(Sha256::digest(client_key)),
            verifier.stored_key
        );
    }

    #[test]
    fn only_the_password_itself_verifies() {
        let verifier = ScramVerifier::with_iterations("p\u{e4}ss w\u{f6}rd", 10).unwrap();
        assert!(verifier.verify_password("p\u{e4}ss w\u{f6}rd"));
        // SASLprep: composed and decomposed are the same, and so are the kinds of space.
        assert!(verifier.verify_password("pa\u{308}ss\u{a0}wo\u{308}rd"));
        assert!(!verifier.verify_password("p\u{e4}ss w\u{f6}rd "));
        assert!(!verifier.verify_password(""));
        assert!(!verifier.verify_password(&"x".repeat(MAX_PASSWORD_BYTES + 1)));
    }

    #[test]
    fn one_key_of_the_password_is_not_enough() {
        let verifier = ScramVerifier::with_iterations("pencil", 1).unwrap();
        for (stored_key, server_key) in [
            (verifier.stored_key, [0; 32]),
            ([0; 32], verifier.server_key),
        ] {
            let half = ScramVerifier {
                stored_key,
                server_key,
                ..verifier.clone()
            };
            assert!(!half.verify_password("pencil"));
        }
    }

    #[test]
    fn passwords_are_bounded() {
        assert!(ScramVerifier::from_password("").is_err());
        assert!(
            ScramVerifier::from_password("\u{ad}").is_err(),
            "a soft hyphen is nothing after SASLprep"
        );
        assert!(ScramVerifier::with_iterations(&"x".repeat(MAX_PASSWORD_BYTES), 1).is_ok());
        assert!(ScramVerifier::with_iterations(&"x".repeat(MAX_PASSWORD_BYTES + 1), 1).is_err());
        assert!(ScramVerifier::with_iterations("x", 0).is_err());
        assert!(ScramVerifier::with_iterations("x", MAX_ITERATIONS + 1).is_err());
    }

    #[test]
    fn the_text_form_is_that_of_postgres() {
        let verifier = ScramVerifier::with_iterations("pencil", 7).unwrap();
        let text = verifier.to_string();
        assert!(text.starts_with("SCRAM-SHA-256$7:"), "{text}");
        let read: ScramVerifier = text.parse().unwrap();
        assert_eq!(read, verifier);
        assert!(read.verify_password("pencil"));
        let zeros = BASE64.encode([0u8; 32]);
        let salted = |bytes: usize| {
            let salt = BASE64.encode(vec![1; bytes]);
            format!("SCRAM-SHA-256$1:{salt}${zeros}:{zeros}").parse::<ScramVerifier>()
        };
        for (bytes, possible) in [(1, true), (64, true), (65, false), (300, false)] {
            assert_eq!(salted(bytes).is_ok(), possible, "{bytes}");
        }
        for broken in [
            "".to_owned(),
            "md5abc".to_owned(),
            format!("SCRAM-SHA-256$0:AAAA${zeros}:{zeros}"),
            format!("SCRAM-SHA-256$4294967295:AAAA${zeros}:{zeros}"),
            format!("SCRAM-SHA-256$1:${zeros}:{zeros}"),
            format!("SCRAM-SHA-256$1:AAAA${zeros}:AAAA"),
            format!("SCRAM-SHA-256$1:AAAA${zeros}:{zeros}$x"),
        ] {
            assert!(broken.parse::<ScramVerifier>().is_err(), "{broken}");
        }
    }

    #[test]
    fn an_unknown_user_gets_the_same_mock_every_time() {
        let mock = ScramVerifier::mock("nobody", b"secret");
        assert_eq!(mock, ScramVerifier::mock("nobody", b"secret"));
        assert_ne!(mock.salt, ScramVerifier::mock("somebody", b"secret").salt);
        assert_ne!(mock.salt, ScramVerifier::mock("nobody", b"other").salt);
        assert_eq!(
            (mock.salt.len(), mock.iterations),
            (SALT_BYTES, DEFAULT_ITERATIONS)
        );
        assert!(!mock.verify_password("nobody"));
    }

    #[test]
    fn debug_shows_nothing_of_a_verifier() {
        let verifier = ScramVerifier::with_iterations("pencil", 1).unwrap();
        assert_eq!(format!("{verifier:?}"), "ScramVerifier(redacted)");
    }
}
