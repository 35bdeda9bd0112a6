//! SCRAM-SHA-256 and, over TLS, SCRAM-SHA-256-PLUS; the client's certificate; for users that are set
//! so, the password itself, or a token of the identity provider (OAUTHBEARER). pgwire implements
//! SCRAM; the gateway supplies the verifiers and decides.
//!
//! An unknown user goes through the same exchange with a stable mock verifier, so neither the salt,
//! nor the timing, nor the message reveals that the user does not exist.

use std::net::SocketAddr;

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::{
    ClientIdentity, Credentials, Gateway, LoginMethod, Principal, ScramAttempt,
};
use lakegate_transport::tls::Identity;
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth};
use pgwire::error::PgWireError;
use tracing::warn;

use super::backend::{self, Authentication};
use super::frontend;
use super::link::{Ended, Link};

const PLAIN: &str = "SCRAM-SHA-256";
const BOUND: &str = "SCRAM-SHA-256-PLUS";
const BEARER: &str = "OAUTHBEARER";

/// The longest message with a token, in bytes: tokens have at most 16 KiB.
const MAX_TOKEN_MESSAGE: usize = 17 * 1024;

/// The server side of SCRAM. `identity`: the certificate that this connection presented, for
/// channel binding.
fn server(identity: Option<&Identity>) -> (ScramServerAuth, &'static [&'static str]) {
    let mut server = ScramServerAuth::new();
    if let Some(identity) = identity {
        match server.configure_certificate(identity.leaf_pem().as_bytes()) {
            Ok(()) => return (server, &[BOUND, PLAIN]),
            // For example, an Ed25519 signature has no hash to bind to.
            Err(error) => warn!(%error, "no SCRAM channel binding with this certificate"),
        }
        return (ScramServerAuth::new(), &[PLAIN]);
    }
    (server, &[PLAIN])
}

/// The last message of an exchange, if it has one, and the user.
type Authenticated = (Option<String>, Principal);

/// Authenticates `user` by what it is set to log in with.
pub(super) async fn by_secret(
    link: &mut Link,
    gateway: &Gateway,
    identity: Option<&Identity>,
    user: &str,
) -> Result<Result<Authenticated>, Ended> {
    let (encrypted, address) = (link.stream().is_tls(), link.peer().ip());
    let method = match gateway.login_method(user, encrypted, address) {
        Ok(method) => method,
        Err(error) => return Ok(Err(error)),
    };
    let principal = match method {
        LoginMethod::Scram => {
            let proven = by_password(link, gateway, identity, user).await?;
            return Ok(proven.map(|(last, principal)| (Some(last), principal)));
        }
        LoginMethod::Password => by_cleartext(link, gateway, user).await?,
        LoginMethod::Token => by_token(link, gateway, user).await?,
    };
    Ok(principal.map(|principal| (None, principal)))
}

/// Authenticates `user` by the password itself, or by a token in its place.
async fn by_cleartext(
    link: &mut Link,
    gateway: &Gateway,
    user: &str,
) -> Result<Result<Principal>, Ended> {
    link.allow_messages_of(MAX_TOKEN_MESSAGE);
    backend::authentication(&mut link.out, &Authentication::CleartextPassword);
    let message = password_message(link).await?;
    let secret = match message.and_then(frontend::password) {
        Ok(secret) => secret,
        Err(error) => return Ok(Err(error)),
    };
    let credentials = gateway.password_or_token(user, &secret);
    let client = uncertified(link.peer());
    link.run(gateway.authenticate(client, credentials)).await
}

/// Authenticates `user` by a token of the identity provider, as PostgreSQL 18 does.
async fn by_token(
    link: &mut Link,
    gateway: &Gateway,
    user: &str,
) -> Result<Result<Principal>, Ended> {
    link.allow_messages_of(MAX_TOKEN_MESSAGE);
    backend::authentication(&mut link.out, &Authentication::Sasl(&[BEARER]));
    let message = password_message(link).await?;
    let (mechanism, data) = match message.and_then(frontend::sasl_initial) {
        Ok(initial) => initial,
        Err(error) => return Ok(Err(error)),
    };
    if mechanism != BEARER {
        return Ok(Err(Error::new(
            Code::ProtocolViolation,
            "the client chose an authentication mechanism that was not offered",
        )));
    }
    let refused = match frontend::bearer_token(&data) {
        Err(error) => return Ok(Err(error)),
        Ok(None) => Error::new(
            Code::InvalidPassword,
            format!("OAuth bearer authentication failed for user \"{user}\": no token was sent"),
        ),
        Ok(Some(token)) => {
            let credentials = Credentials::JwtOf { user, token };
            let client = uncertified(link.peer());
            match link.run(gateway.authenticate(client, credentials)).await? {
                Ok(principal) => return Ok(Ok(principal)),
                Err(error) => error,
            }
        }
    };
    // The client answers the document with an empty message, and then gets the error.
    backend::authentication(
        &mut link.out,
        &Authentication::SaslContinue(&gateway.token_discovery()),
    );
    Ok(password_message(link).await?.and(Err(refused)))
}

/// Returns what is known of a client without a certificate.
fn uncertified(peer: SocketAddr) -> ClientIdentity<'static> {
    ClientIdentity {
        address: peer.ip(),
        certified: None,
    }
}

/// Authenticates `user` by a SCRAM proof. The result contains the last message of the exchange, to
/// be sent with AuthenticationOk once the session is open.
async fn by_password(
    link: &mut Link,
    gateway: &Gateway,
    identity: Option<&Identity>,
    user: &str,
) -> Result<Result<(String, Principal)>, Ended> {
    let client = uncertified(link.peer());
    let attempt = match link.run(gateway.begin_scram(client, user)).await? {
        Ok(attempt) => attempt,
        Err(error) => return Ok(Err(error)),
    };
    let outcome = exchange(link, identity, &attempt).await?;
    Ok(attempt.finish(outcome))
}

/// Authenticates `user` by the client's certificate, without a password, like PostgreSQL's `cert`
/// method.
pub(super) async fn by_certificate(
    link: &mut Link,
    gateway: &Gateway,
    certified: &str,
    user: &str,
) -> Result<Result<Principal>, Ended> {
    let client = ClientIdentity {
        address: link.peer().ip(),
        certified: Some(certified),
    };
    let login = gateway.authenticate(client, Credentials::Certificate { user });
    link.run(login).await
}

/// Exchanges the messages. The result is the last message.
async fn exchange(
    link: &mut Link,
    identity: Option<&Identity>,
    attempt: &ScramAttempt<'_>,
) -> Result<Result<String>, Ended> {
    let (server, mechanisms) = server(identity);
    backend::authentication(&mut link.out, &Authentication::Sasl(mechanisms));
    let (mechanism, first) = match password_message(link)
        .await?
        .and_then(frontend::sasl_initial)
    {
        Ok(initial) => initial,
        Err(error) => return Ok(Err(error)),
    };
    if !mechanisms.contains(&mechanism.as_str()) {
        return Ok(Err(malformed(
            "the client chose an authentication mechanism that was not offered",
        )));
    }
    // pgwire does not know which mechanism the client chose: with channel binding the client must
    // bind, without it the client must not.
    if first.starts_with(b"p=") != (mechanism == BOUND) {
        return Ok(Err(malformed(
            "the mechanism and the channel binding flag contradict each other",
        )));
    }
    let verifier = attempt.verifier();
    let secret = ScramSecret::Verifier {
        salt: verifier.salt.clone(),
        iterations: verifier.iterations as usize,
        stored_key: verifier.stored_key.to_vec(),
        server_key: verifier.server_key.to_vec(),
    };
    let (server_first, waiting) = match server.on_client_first_message_with_secret(&first, secret) {
        Ok(next) => next,
        Err(error) => return Ok(Err(failed(attempt, &error))),
    };
    backend::authentication(&mut link.out, &Authentication::SaslContinue(&server_first));
    let last = match password_message(link).await? {
        Ok(last) => last,
        Err(error) => return Ok(Err(error)),
    };
    let proven = waiting.on_client_final_message(&last);
    Ok(proven.map_err(|error| failed(attempt, &error)))
}

async fn password_message(link: &mut Link) -> Result<Result<bytes::Bytes>, Ended> {
    let frame = link.frame().await?;
    Ok(match frame.tag {
        b'p' => Ok(frame.body),
        b'X' => return Err(Ended::Gone),
        other => Err(Error::new(
            Code::ProtocolViolation,
            format!("expected a password response, got message type {other}"),
        )),
    })
}

fn malformed(why: &str) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("malformed SCRAM message: {why}"),
    )
}

fn failed(attempt: &ScramAttempt<'_>, error: &PgWireError) -> Error {
    match error {
        PgWireError::InvalidPassword(_) => attempt.wrong_password(),
        PgWireError::InvalidScramMessage(why) => malformed(why),
        other => malformed(&other.to_string()),
    }
}
