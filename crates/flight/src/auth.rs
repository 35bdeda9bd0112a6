//! Who calls: Basic credentials or an identity provider's token on each call, the bearer token that the handshake gave, a client
//! certificate; and the session cookie.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::tokens::TokenKind;
use lakegate_gateway::{Login, Principal, Protocol};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Request, Status};

use super::connection::Peer;
use super::sessions::{DoorOptions, FlightSession, InUse};
use super::status::{to_status, unauthenticated};
use super::{Door, status};

/// The cookie that names a session.
pub(super) const COOKIE: &str = "lakegate_session";

/// Some clients pad base64 and some do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Characters of a client's name that are kept.
const MAX_APPLICATION_NAME: usize = 64;

/// One call's principal and session.
#[derive(Debug)]
pub(super) struct Caller {
    pub session: Arc<FlightSession>,
    /// What the session was found by; `None`: the call stands alone.
    pub by: Option<TokenKind>,
    _in_use: InUse,
}

impl Caller {
    fn new(session: Arc<FlightSession>, by: Option<TokenKind>) -> Self {
        Self {
            _in_use: session.enter(),
            session,
            by,
        }
    }
}

/// Who calls, and the session that his token is.
struct Known {
    principal: Principal,
    session: Option<Arc<FlightSession>>,
}

pub(super) enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

/// The credentials of a call; `None`: it has none.
pub(super) fn credentials(metadata: &MetadataMap) -> Result<Option<Credentials>, Status> {
    let Some(header) = metadata.get("authorization") else {
        return Ok(None);
    };
    let malformed = || {
        unauthenticated(
            "the authorization header is malformed: it must be Basic, with user:password in base64, or Bearer, with a token",
        )
    };
    let header = header.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = header.trim().split_once(' ').ok_or_else(malformed)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Credentials::Bearer(rest.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = BASE64.decode(rest).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, password) = decoded.split_once(':').ok_or_else(malformed)?;
    Ok(Some(Credentials::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    }))
}

/// The value of a cookie. Several headers may hold several cookies each.
pub(super) fn cookie(metadata: &MetadataMap, name: &str) -> Option<String> {
    metadata
        .get_all("cookie")
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

impl Door {
    /// Authenticates a call, and finds the session that it belongs to.
    ///
    /// Errors: the connection is refused, the server is shutting down, no or wrong credentials, a token or cookie that has expired.
    pub async fn caller(
        &self,
        metadata: &MetadataMap,
        peer: Option<&Peer>,
    ) -> Result<Caller, Status> {
        let peer = self.admitted(peer)?;
        let Known { principal, session } = self.known(credentials(metadata)?, peer).await?;
        if let Some(session) = session {
            return Ok(Caller::new(session, Some(TokenKind::Bearer)));
        }
        if let Some(cookie) = cookie(metadata, COOKIE) {
            let session = self.sessions.get(TokenKind::Cookie, &cookie);
            let session = session.filter(|known| known.principal == principal);
            let session = session.ok_or_else(session_is_over)?;
            return Ok(Caller::new(session, Some(TokenKind::Cookie)));
        }
        let session = self.open(principal, metadata, peer, false).await?;
        Ok(Caller::new(session, None))
    }

    /// Checks Basic credentials or a client certificate, and begins a session with a bearer token. A valid token is given back as it is: an
    /// identity provider's ends when it says, and no session of ours outlives it.
    ///
    /// The result is what goes into the `authorization` header.
    pub async fn handshake<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let (metadata, peer) = (request.metadata(), request.extensions().get());
        let peer = self.admitted(peer)?;
        let credentials = credentials(metadata)?;
        let given = match &credentials {
            Some(Credentials::Bearer(token)) => Some(format!("Bearer {token}")),
            Some(Credentials::Basic { .. }) | None => None,
        };
        let known = self.known(credentials, peer).await?;
        if let Some(given) = given {
            return Ok(given);
        }
        let session = self.open(known.principal, metadata, peer, true).await?;
        let token = self.keep(TokenKind::Bearer, &session);
        Ok(format!("Bearer {token}"))
    }

    /// Checks what a call shows. A connection with a client certificate serves the certificate's user only, whatever else it shows.
    async fn known(&self, credentials: Option<Credentials>, peer: &Peer) -> Result<Known, Status> {
        let address = peer.address().ip();
        let certified = peer.certified();
        let is_other = |user: &str| certified.is_some_and(|certified| certified != user);
        let mut session = None;
        let principal = match (credentials, certified) {
            (None, Some(user)) => self
                .gateway
                .log_in_with_certificate(user, address)
                .map_err(to_status)?,
            (None, None) => {
                return Err(unauthenticated(
                    "this call has no credentials: send Basic or Bearer in the authorization header",
                ));
            }
            (Some(Credentials::Basic { user, password }), _) => {
                // Before the password is looked at, which it then cannot be guessed by.
                if is_other(&user) {
                    return Err(of_another());
                }
                self.gateway
                    .log_in(&user, &password, address)
                    .await
                    .map_err(to_status)?
            }
            // Our own tokens have no dots.
            (Some(Credentials::Bearer(token)), _) if token.contains('.') => self
                .gateway
                .log_in_with_jwt(&token, address)
                .await
                .map_err(to_status)?,
            (Some(Credentials::Bearer(token)), _) => {
                let known = self.sessions.get(TokenKind::Bearer, &token);
                let known = known.filter(|known| self.gateway.is_current(&known.principal));
                let known = known.ok_or_else(|| {
                    unauthenticated(
                        "the bearer token is unknown, has expired or was closed: log in again",
                    )
                })?;
                session.insert(known).principal.clone()
            }
        };
        if is_other(&principal.user) {
            return Err(of_another());
        }
        peer.authenticated(&self.gateway, &principal.user)
            .map_err(to_status)?;
        Ok(Known { principal, session })
    }

    /// A session that lasts, for a caller who has none, and the header that sets its cookie.
    pub async fn open_with_cookie<T>(
        &self,
        caller: &Caller,
        request: &Request<T>,
    ) -> Result<(Arc<FlightSession>, MetadataValue<Ascii>), Status> {
        let principal = caller.session.principal.clone();
        let (metadata, peer) = (request.metadata(), request.extensions().get());
        let session = self
            .open(principal, metadata, self.admitted(peer)?, true)
            .await?;
        let cookie = self.keep(TokenKind::Cookie, &session);
        let header = format!("{COOKIE}={cookie}; Path=/; HttpOnly; Secure; SameSite=Strict");
        let header = header
            .parse()
            .map_err(|_| status::status(&Error::internal("a cookie cannot be written")))?;
        Ok((session, header))
    }

    fn keep(&self, kind: TokenKind, session: &Arc<FlightSession>) -> String {
        let (token, evicted) = self.sessions.keep(kind, session);
        for session in evicted {
            self.end_session(&session);
        }
        token
    }

    /// Ends a session: what it has prepared is forgotten, what it runs is cancelled.
    pub fn end_session(&self, session: &FlightSession) {
        self.sessions.close(session);
        for ticket in self.tickets.end_session(session.id) {
            ticket.cancel();
        }
        self.polled.end_session(session.id);
        self.statements.end_session(session.id);
        session.session.forget_all();
    }

    async fn open(
        &self,
        principal: Principal,
        metadata: &MetadataMap,
        peer: &Peer,
        stateful: bool,
    ) -> Result<Arc<FlightSession>, Status> {
        let application_name: Option<String> = metadata
            .get("user-agent")
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(MAX_APPLICATION_NAME).collect());
        let session = self
            .gateway
            .connect(Login {
                principal: &principal,
                database: None,
                application_name: application_name.as_deref(),
                client_addr: peer.address(),
                protocol: Protocol::FlightSql,
                stateful,
            })
            .await
            .map_err(to_status)?;
        Ok(FlightSession::new(
            principal,
            session,
            DoorOptions::default(),
        ))
    }

    /// The connection that a call came over, if its calls are answered at all.
    fn admitted<'a>(&self, peer: Option<&'a Peer>) -> Result<&'a Peer, Status> {
        let peer = peer.ok_or_else(|| {
            status::status(&Error::internal("a call came over no known connection"))
        })?;
        if let Some(error) = peer.refused() {
            return Err(status::status(error));
        }
        if self.gateway.is_shutting_down() {
            return Err(status::status(&Error::new(
                Code::ShuttingDown,
                "the server is shutting down and takes no new calls",
            )));
        }
        Ok(peer)
    }
}

fn of_another() -> Status {
    unauthenticated("the authorization header is of another user than the client certificate")
}

/// Tells a client that keeps cookies to forget this one.
fn session_is_over() -> Status {
    let mut status = unauthenticated(
        "the session of this cookie is unknown, has expired or was closed: set its options again",
    );
    let header = format!("{COOKIE}=; Path=/; Max-Age=0");
    if let Ok(header) = header.parse() {
        status.metadata_mut().insert("set-cookie", header);
    }
    status
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn metadata(name: &'static str, value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(name, value.parse().unwrap());
        metadata
    }

    #[test]
    fn basic_credentials_are_read_with_padding_and_without() {
        for encoded in ["YWRhOnBhOnNz", "YWRhOnA=", "YWRhOnA"] {
            let metadata = metadata("authorization", &format!("Basic {encoded}"));
            let Some(Credentials::Basic { user, password }) = credentials(&metadata).unwrap()
            else {
                panic!("no credentials in {encoded}")
            };
            assert_eq!(user, "ada");
            assert!(password == "pa:ss" || password == "p");
        }
    }

    #[test]
    fn malformed_credentials_are_unauthenticated() {
        for header in [
            "Basic",
            "Basic !!",
            "Basic YWRh",
            "Digest x",
            "",
            "Basic /w==",
        ] {
            let refused = credentials(&metadata("authorization", header))
                .err()
                .unwrap();
            assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{header}");
        }
        assert!(credentials(&MetadataMap::new()).unwrap().is_none());
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut metadata = metadata("cookie", "a=1; lakegate_session=\"x\"; b=2");
        assert_eq!(cookie(&metadata, COOKIE).unwrap(), "x");
        assert!(cookie(&metadata, "c").is_none());
        metadata.append("cookie", "c=3".parse().unwrap());
        assert_eq!(cookie(&metadata, "c").unwrap(), "3");
    }
}
