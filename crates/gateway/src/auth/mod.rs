//! Authentication. A door reads credentials from its protocol; the rules that decide on them are
//! here, once for all doors:
//!
//! - A connection with a client certificate serves the certificate's user only, whatever other
//!   credentials it presents. This is checked before a password, so that no password can be guessed
//!   over such a connection.
//! - Failed passwords delay the next attempts for that user from that address ([`throttle`]),
//!   whether the password came in the clear or as a SCRAM proof.
//! - An unknown user, a disabled user and a wrong password take the same time and return the same
//!   error.
//! - Why a token or a certificate was refused goes to the log only.

pub(crate) mod jwt;
mod method;
mod password;
mod principal;
mod scram;
mod throttle;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::fmt;
use std::net::IpAddr;

use lakegate_catalog::access::ScramVerifier;
use lakegate_error::{Code, Error, Result};
pub use method::LoginMethod;
pub(crate) use password::Passwords;
pub use principal::Principal;
pub(crate) use principal::session_is_over;
pub use scram::ScramAttempt;
pub(crate) use throttle::Throttle;
use tracing::info;

use crate::Gateway;
use crate::auth::jwt::shown;

/// What the transport knows about a client.
#[derive(Debug, Clone, Copy)]
pub struct ClientIdentity<'a> {
    pub address: IpAddr,
    /// The user that the client's certificate names, if the client has presented one and TLS has
    /// verified it.
    pub certified: Option<&'a str>,
}

/// What a client presents to log in.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// Nothing but the connection's client certificate.
    Certificate { user: &'a str },
    /// A password in the clear, which the door has received over TLS.
    Password { user: &'a str, password: &'a str },
    /// A token of the identity provider.
    Jwt(&'a str),
    /// A token of the identity provider, for this user only.
    JwtOf { user: &'a str, token: &'a str },
    /// A token of the server's own, which the door has found to be a session of this principal.
    Session(&'a Principal),
}

/// Shows neither passwords nor tokens.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { user } => f.debug_tuple("Certificate").field(user).finish(),
            Self::Password { user, .. } => f.debug_tuple("Password").field(user).finish(),
            Self::Jwt(_) => f.write_str("Jwt"),
            Self::JwtOf { user, .. } => f.debug_tuple("JwtOf").field(user).finish(),
            Self::Session(principal) => f.debug_tuple("Session").field(principal).finish(),
        }
    }
}

impl Gateway {
    /// Authenticates a client.
    ///
    /// # Errors
    ///
    /// Returns [`Code::InvalidPassword`] if the credentials are wrong, are another user's than the
    /// client certificate, or are not looked at after too many failures.
    pub fn authenticate<'a>(
        &'a self,
        client: ClientIdentity<'a>,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Principal>> {
        async move {
            let principal = match credentials {
                Credentials::Certificate { user } => self.check_certificate(client, user)?,
                Credentials::Password { user, password } => {
                    client.check(user)?;
                    self.check_password(user, password, client.address).await?
                }
                Credentials::Jwt(token) => self.check_jwt(token, client.address).await?,
                Credentials::JwtOf { user, token } => {
                    client.check(user)?;
                    self.check_jwt_of(user, token, client.address).await?
                }
                Credentials::Session(principal) => match self.is_current(principal) {
                    true => principal.clone(),
                    false => return Err(unknown_token()),
                },
            };
            client.check(&principal.user)?;
            Ok(principal)
        }
        .boxed()
    }

    /// Checks the user of a client certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if the client has no certificate of this user, or the user does not exist.
    fn check_certificate(&self, client: ClientIdentity<'_>, user: &str) -> Result<Principal> {
        client.check(user)?;
        let certified = client.certified.and_then(|user| self.principal(user));
        certified.ok_or_else(|| {
            let (address, user) = (client.address, shown(user));
            info!(%address, %user, "login failed: no user has this client certificate");
            wrong_certificate(&user)
        })
    }

    /// Checks a token of the identity provider.
    ///
    /// # Errors
    ///
    /// Returns the same error for every reason, and for a server without an identity provider: only
    /// the log says why.
    async fn check_jwt(&self, token: &str, address: IpAddr) -> Result<Principal> {
        let refused = |why: &dyn fmt::Display| token_refused(address, why);
        let Some(jwt) = &self.jwt else {
            return Err(refused(
                &"it looks like a JWT, and auth.jwt is not configured",
            ));
        };
        let user = jwt.user(token).await.map_err(|why| refused(&why))?;
        self.principal(&user)
            .ok_or_else(|| refused(&format!("there is no user \"{}\"", shown(&user))))
    }

    /// Checks a token for a user that the client has named. Failures count as wrong passwords do.
    ///
    /// # Errors
    ///
    /// As of [`Self::check_jwt`], also for a token of another user.
    async fn check_jwt_of(&self, user: &str, token: &str, address: IpAddr) -> Result<Principal> {
        self.delay_attempt(user, address).await?;
        let checked = match self.check_jwt(token, address).await {
            Ok(principal) if principal.user != user => {
                let why = format!("it is of user \"{}\"", shown(&principal.user));
                Err(token_refused(address, &why))
            }
            checked => checked,
        };
        match &checked {
            Ok(_) => self.throttle.succeeded(user, address),
            Err(error) => self.attempt_failed(user, address, error),
        }
        checked
    }

    /// Creates a user that may do everything, unless one of this name exists.
    ///
    /// # Errors
    ///
    /// Returns an error if the password cannot be used or the user cannot be stored.
    pub fn create_administrator<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            let verifier = ScramVerifier::in_background(password).await?;
            Ok(self.control.create_administrator(user, verifier).await?)
        }
        .boxed()
    }
}

impl ClientIdentity<'_> {
    /// Checks that the connection may serve this user.
    ///
    /// # Errors
    ///
    /// Returns an error if the client certificate is another user's.
    fn check(&self, user: &str) -> Result<()> {
        match self.certified {
            Some(certified) if certified != user => {
                let (address, user, certified) = (self.address, shown(user), shown(certified));
                info!(%address, %user, %certified, "login failed: the client certificate is another user's");
                Err(wrong_certificate(&user).with_hint(
                    "the client certificate is another user's: log in as its user, or connect without it",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the error for a token of the server's own that is not, or no longer, a session.
pub fn unknown_token() -> Error {
    Error::new(
        Code::InvalidPassword,
        "the bearer token is unknown, has expired or was closed: log in again",
    )
}

/// Logs why a token is refused, and returns the error, which does not say it.
fn token_refused(address: IpAddr, why: &dyn fmt::Display) -> Error {
    info!(%address, %why, "a bearer token was refused");
    Error::new(
        Code::InvalidPassword,
        "the bearer token is not accepted: log in again, or ask the administrator, whose log says why",
    )
}

/// As PostgreSQL words it. `user` is shown as it is.
fn wrong_certificate(user: &str) -> Error {
    Error::new(
        Code::InvalidPassword,
        format!("certificate authentication failed for user \"{user}\""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_its_user_and_no_other() {
        let client = |certified| ClientIdentity {
            address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            certified,
        };
        assert!(client(None).check("ada").is_ok());
        assert!(client(Some("ada")).check("ada").is_ok());
        for certified in ["ben", "", "Ada", "ada\0"] {
            let refused = client(Some(certified)).check("ada").map_err(|e| e.code());
            assert_eq!(refused, Err(Code::InvalidPassword), "{certified:?}");
        }
    }
}
