//! Logins with a password in the clear, from doors whose protocol hands it over inside TLS, with an identity provider's token, or by a client
//! certificate; and who is logged in.
//!
//! A password is checked against the SCRAM verifier, which costs milliseconds by design. Doors that send it with every call would pay
//! them each time: a password that was right is known again for some minutes, by a keyed hash that dies with the process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use lakegate_catalog::access::{Access, ControlSnapshot, ScramVerifier, User};
use lakegate_error::{Code, Error, Result};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tracing::info;

use crate::auth::jwt::shown;
use crate::{Gateway, Throttle};

/// How long a password that was right is known again.
const REMEMBER: Duration = Duration::from_secs(300);
/// Passwords that are known again, at most.
const MAX_REMEMBERED: u64 = 10_000;

/// A user that has logged in, as what was logged in with is bound to: sessions, tokens, handles and results are of one principal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    pub user: String,
    /// Of the catalog; a user of the same name that is made later has another.
    id: i64,
    /// The user's epoch at the login; what ends the user's sessions raises it.
    epoch: i64,
}

impl Principal {
    #[cfg(test)]
    pub(crate) fn named(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            id: 1,
            epoch: 0,
        }
    }

    pub(crate) fn of(user: &User) -> Self {
        Self {
            user: user.name.clone(),
            id: user.id,
            epoch: user.session_epoch,
        }
    }

    /// What the principal may do; `None`: its session is over.
    pub(crate) fn access(&self, control: &ControlSnapshot) -> Option<Arc<Access>> {
        let known = control.users.get(&self.user)?;
        let access = control.access(&self.user)?;
        (Self::of(known) == *self).then_some(access)
    }

    /// The user's id in the catalog, which is not used again.
    pub fn id(&self) -> i64 {
        self.id
    }
}

#[cfg(test)]
impl Principal {
    pub(crate) fn sample(user: &str, id: i64) -> Self {
        Self {
            user: user.to_owned(),
            id,
            epoch: 0,
        }
    }
}

/// What checking passwords needs.
#[derive(Debug)]
pub(crate) struct Passwords {
    key: [u8; 32],
    known: moka::sync::Cache<[u8; 32], ()>,
    /// Checks at once: each takes a thread to itself.
    places: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, Into::into);
        Self {
            key: rand::random(),
            known: moka::sync::Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .time_to_live(REMEMBER)
                .build(),
            places: Semaphore::new(threads),
        }
    }

    /// A changed password has another verifier, and so is another entry.
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
    /// What slows down guessing; every door asks it before it looks at a password.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Checks a password. Takes as long for a user who does not exist, and says the same.
    ///
    /// Errors: user or password is wrong; too many were, from this address.
    pub async fn log_in(&self, user: &str, password: &str, address: IpAddr) -> Result<Principal> {
        let verifier = self.scram_verifier(user);
        let digest = self.passwords.digest(user, &verifier, password);
        if let Some(digest) = &digest
            && self.passwords.known.contains_key(digest)
        {
            return self.principal(user).ok_or_else(|| wrong_password(user));
        }
        match self.throttle.wait(user, address, Instant::now()) {
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(seconds) => return Err(too_many_failures(user, address, seconds)),
        }
        let right = {
            let _place = self.passwords.places.acquire().await;
            let password = password.to_owned();
            tokio::task::spawn_blocking(move || verifier.verify_password(&password))
                .await
                .map_err(|e| Error::internal(format!("a password cannot be checked: {e}")))?
        };
        let principal = self.principal(user).filter(|_| right);
        let Some(principal) = principal else {
            self.throttle.failed(user, address, Instant::now());
            let error = wrong_password(user);
            info!(user, %address, %error, "login failed");
            return Err(error);
        };
        self.throttle.succeeded(user, address);
        if let Some(digest) = digest {
            self.passwords.known.insert(digest, ());
        }
        Ok(principal)
    }

    /// Checks a token of the identity provider.
    ///
    /// Errors: it is not accepted, or its user does not exist. The words are the same for every reason, and for a server without an identity
    /// provider: why, only the log says.
    pub async fn log_in_with_jwt(&self, token: &str, address: IpAddr) -> Result<Principal> {
        let refused = |why: &dyn std::fmt::Display| {
            info!(%address, %why, "a bearer token was refused");
            Error::new(
                Code::InvalidPassword,
                "the bearer token is not accepted: log in again, or ask the administrator, whose log says why",
            )
        };
        let Some(jwt) = &self.jwt else {
            return Err(refused(
                &"it looks like a JWT, and auth.jwt is not configured",
            ));
        };
        let user = jwt.user(token).await.map_err(|why| refused(&why))?;
        self.principal(&user)
            .ok_or_else(|| refused(&format!("there is no user \"{}\"", shown(&user))))
    }

    /// Takes the user of a client certificate that TLS has verified.
    ///
    /// Errors: he does not exist.
    pub fn log_in_with_certificate(&self, user: &str, address: IpAddr) -> Result<Principal> {
        self.principal(user).ok_or_else(|| {
            info!(%address, user = %shown(user), "the user of a client certificate does not exist");
            wrong_certificate(user)
        })
    }

    /// The user of this name, if there is one that may log in.
    pub fn principal(&self, user: &str) -> Option<Principal> {
        let control = self.control.snapshot();
        let known = control.users.get(user)?;
        (!known.disabled).then(|| Principal::of(known))
    }

    /// Whether what the principal has logged in with still holds: the user was neither dropped nor disabled, and its sessions were not ended.
    pub fn is_current(&self, principal: &Principal) -> bool {
        self.principal(&principal.user).as_ref() == Some(principal)
    }

    /// Cancels what runs for users that were dropped or disabled, or whose sessions were ended, and forgets what their sessions hold.
    pub(crate) fn end_what_is_over(&self) {
        for query in self.running.all() {
            if !self.is_current(query.principal()) {
                query.cancel(session_is_over(&query.principal().user));
            }
        }
        for session in self.sessions() {
            if !self.is_current(session.principal()) {
                session.forget_all();
            }
        }
    }
}

/// A session goes on no more: its user was dropped or disabled, or all sessions of the user were ended.
pub(crate) fn session_is_over(user: &str) -> Error {
    Error::new(
        Code::SessionEnded,
        format!("terminating connection: the session of user \"{user}\" is over"),
    )
    .with_hint("log in again; where that fails, an administrator can tell whether the user was dropped or disabled")
}

/// The same words for a user who does not exist and a password that is wrong.
pub fn wrong_password(user: &str) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!("password authentication failed for user \"{user}\""),
    )
}

/// As PostgreSQL says it: the certificate is of another user than who logs in, or of none.
pub fn wrong_certificate(user: &str) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!(
            "certificate authentication failed for user \"{}\"",
            shown(user)
        ),
    )
}

/// `seconds`: until a try is looked at again.
pub fn too_many_failures(user: &str, address: IpAddr, seconds: u64) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!("too many failed logins of user \"{user}\" from {address}"),
    )
    .with_hint(format!("wait {seconds} seconds"))
}
