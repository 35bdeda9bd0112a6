//! Passwords in the clear, from doors whose protocol hands them over inside TLS.
//!
//! A password is checked against the SCRAM verifier, which costs milliseconds by design. Clients of
//! some doors send it with every call: a password that was right is recognized for some minutes by
//! a keyed hash, whose key exists in this process only.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use lakegate_catalog::access::ScramVerifier;
use lakegate_error::{Code, Error, Result};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tracing::info;

use super::Principal;
use crate::Gateway;

/// How long a right password is recognized.
const REMEMBER: Duration = Duration::from_secs(300);
/// Maximum number of recognized passwords.
const MAX_REMEMBERED: u64 = 10_000;

/// The state of checking passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    key: [u8; 32],
    recognized: moka::sync::Cache<[u8; 32], ()>,
    /// Bounds the concurrent checks, each of which occupies a thread.
    permits: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, Into::into);
        Self {
            key: rand::random(),
            recognized: moka::sync::Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .time_to_live(REMEMBER)
                .build(),
            permits: Semaphore::new(threads),
        }
    }

    /// The digest of a user's password. A changed password has another verifier, and so another
    /// digest.
    fn digest(&self, user: &str, verifier: &ScramVerifier, password: &str) -> Option<[u8; 32]> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).ok()?;
        mac.update(&(user.len() as u64).to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(&verifier.stored_key);
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

impl Gateway {
    /// Waits as long as earlier failures of this user from this address require.
    ///
    /// # Errors
    ///
    /// Returns an error if the wait would be too long.
    pub(super) async fn delay_attempt(&self, user: &str, address: IpAddr) -> Result<()> {
        match self.throttle.wait(user, address, Instant::now()) {
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(seconds) => return Err(too_many_failures(user, address, seconds)),
        }
        Ok(())
    }

    /// Records a failed attempt.
    pub(super) fn attempt_failed(&self, user: &str, address: IpAddr, error: &Error) {
        self.throttle.failed(user, address, Instant::now());
        info!(user, %address, %error, "login failed");
    }

    /// Checks a password. Takes as long for a user that does not exist, and returns the same error.
    ///
    /// # Errors
    ///
    /// Returns an error if the user or the password is wrong, or too many were from this address.
    pub(super) async fn check_password(
        &self,
        user: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Principal> {
        let verifier = self.control.snapshot().scram_verifier(user);
        let digest = self.passwords.digest(user, &verifier, password);
        if let Some(digest) = &digest
            && self.passwords.recognized.contains_key(digest)
        {
            return self.principal(user).ok_or_else(|| wrong_password(user));
        }
        self.delay_attempt(user, address).await?;
        let right = {
            let _permit = self.passwords.permits.acquire().await;
            let password = password.to_owned();
            tokio::task::spawn_blocking(move || verifier.verify_password(&password))
                .await
                .map_err(|e| Error::internal(format!("a password cannot be checked: {e}")))?
        };
        let Some(principal) = self.principal(user).filter(|_| right) else {
            let error = wrong_password(user);
            self.attempt_failed(user, address, &error);
            return Err(error);
        };
        self.throttle.succeeded(user, address);
        if let Some(digest) = digest {
            self.passwords.recognized.insert(digest, ());
        }
        Ok(principal)
    }
}

/// Returns the one error for an unknown user and a wrong password.
pub(super) fn wrong_password(user: &str) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!("password authentication failed for user \"{user}\""),
    )
}

/// `seconds`: until the next attempt is looked at.
fn too_many_failures(user: &str, address: IpAddr, seconds: u64) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!("too many failed logins of user \"{user}\" from {address}"),
    )
    .with_hint(format!("wait {seconds} seconds"))
}
