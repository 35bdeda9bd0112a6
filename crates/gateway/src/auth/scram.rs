//! Logins with a SCRAM proof (RFC 5802). A door exchanges the messages; the gateway supplies the
//! verifier and counts failures.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::net::IpAddr;

use lakegate_catalog::access::ScramVerifier;
use lakegate_error::{Error, Result};

use super::password::wrong_password;
use super::{ClientIdentity, Principal};
use crate::Gateway;

/// One exchange of SCRAM messages.
#[derive(Debug)]
#[must_use = "an exchange that is not finished is not counted as a failure"]
pub struct ScramAttempt<'a> {
    gateway: &'a Gateway,
    user: &'a str,
    address: IpAddr,
    verifier: ScramVerifier,
    /// `None` if there is no such user: the verifier is a mock then, which no proof fits.
    principal: Option<Principal>,
}

impl Gateway {
    /// Begins an exchange. Waits first if the user's last passwords from this address were wrong.
    ///
    /// # Errors
    ///
    /// Returns an error if the wait would be too long, or the connection's client certificate is
    /// another user's.
    pub fn begin_scram<'a>(
        &'a self,
        client: ClientIdentity<'a>,
        user: &'a str,
    ) -> BoxFuture<'a, Result<ScramAttempt<'a>>> {
        async move {
            client.check(user)?;
            self.delay_attempt(user, client.address).await?;
            // The verifier and the principal are of one snapshot: a user that is dropped and created
            // again in between has another password.
            let control = self.control.snapshot();
            Ok(ScramAttempt {
                gateway: self,
                user,
                address: client.address,
                verifier: control.scram_verifier(user),
                principal: Principal::in_snapshot(&control, user),
            })
        }
        .boxed()
    }
}

impl ScramAttempt<'_> {
    /// The user's verifier. For a user that does not exist or is disabled, it is a mock that stays
    /// the same between attempts.
    pub fn verifier(&self) -> &ScramVerifier {
        &self.verifier
    }

    /// Returns the error for a proof that does not fit.
    pub fn wrong_password(&self) -> Error {
        wrong_password(self.user)
    }

    /// Ends the exchange with its outcome, and returns the principal if the proof was right.
    ///
    /// # Errors
    ///
    /// Returns the exchange's error, which counts as a failed login.
    pub fn finish<T>(self, outcome: Result<T>) -> Result<(T, Principal)> {
        let (user, address) = (self.user, self.address);
        let outcome = match (outcome, self.principal) {
            (Ok(proof), Some(principal)) => Ok((proof, principal)),
            (Ok(_), None) => Err(wrong_password(user)),
            (Err(error), _) => Err(error),
        };
        match &outcome {
            Ok(_) => self.gateway.throttle.succeeded(user, address),
            Err(error) => self.gateway.attempt_failed(user, address, error),
        }
        outcome
    }
}
