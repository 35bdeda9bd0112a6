//! What a user logs in with over PostgreSQL's protocol, in which the server asks for it.
//!
//! A user that does not exist, or is disabled, is asked for a SCRAM proof, as users are by default.

use std::net::IpAddr;

use lakegate_catalog::access::Authentication;
use lakegate_error::{Code, Error, Result};
use serde_json::json;

use super::Credentials;
use super::jwt::is_signed;
use crate::Gateway;

/// What a client is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    Scram,
    /// The password, or a token of the identity provider in its place.
    Password,
    /// A token of the identity provider.
    Token,
}

impl Gateway {
    /// Returns what a user is asked for. Secrets are sent inside TLS only, and on the machine
    /// itself.
    ///
    /// # Errors
    ///
    /// Returns an error if the user would send a secret over a connection that others can read, or
    /// a token that the server cannot check.
    pub fn login_method(
        &self,
        user: &str,
        encrypted: bool,
        address: IpAddr,
    ) -> Result<LoginMethod> {
        let control = self.control.snapshot();
        let known = control.users.get(user).filter(|user| !user.disabled);
        let method = match known.map(|user| user.authentication).unwrap_or_default() {
            Authentication::Scram => return Ok(LoginMethod::Scram),
            Authentication::Password => LoginMethod::Password,
            Authentication::OAuth => LoginMethod::Token,
        };
        if !encrypted && !address.to_canonical().is_loopback() {
            return Err(Error::new(
                Code::PermissionDenied,
                "this user logs in with a secret that is sent, which needs TLS",
            )
            .with_hint("connect with sslmode=verify-full and the server's CA certificate"));
        }
        if method == LoginMethod::Token && self.jwt.is_none() {
            return Err(Error::new(
                Code::PermissionDenied,
                "this user logs in with a token, and the server has no identity provider",
            )
            .with_hint("configure auth.jwt, or ALTER USER … RESET AUTHENTICATION"));
        }
        Ok(method)
    }

    /// Returns what a client has sent in the place of a password: a token of the identity provider
    /// if one is configured and the text is a signed JWT, and a password otherwise.
    pub fn password_or_token<'a>(&self, user: &'a str, secret: &'a str) -> Credentials<'a> {
        match self.jwt.is_some() && is_signed(secret) {
            true => Credentials::JwtOf {
                user,
                token: secret,
            },
            false => Credentials::Password {
                user,
                password: secret,
            },
        }
    }

    /// Returns where clients get tokens: the error document of OAUTHBEARER (RFC 7628), as
    /// PostgreSQL writes it.
    pub fn token_discovery(&self) -> String {
        let issuer = self.jwt.as_ref().map_or("", |jwt| jwt.issuer());
        let document = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        json!({
            "status": "invalid_token",
            "openid-configuration": document,
            "scope": "openid",
        })
        .to_string()
    }
}
