//! The credentials of calls: Basic or an identity provider's token on each call, the bearer token
//! of a handshake, or a client certificate; and the session cookie.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::tokens::TokenKind;
use lakegate_gateway::{Credentials, Login, Principal, Protocol, is_jwt, unknown_token};
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

/// Maximum length of a client's name, in characters; longer ones are cut.
const MAX_APPLICATION_NAME: usize = 64;

/// One call's principal and session.
#[derive(Debug)]
pub(super) struct Caller {
    pub session: Arc<FlightSession>,
    /// How the session was found; `None` if it is of this call only.
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

/// The principal of a call, and the session of its bearer token.
struct Known {
    principal: Principal,
    session: Option<Arc<FlightSession>>,
}

/// What the authorization header of a call contains.
pub(super) enum Authorization {
    Basic { user: String, password: String },
    Bearer(String),
}

/// Parses the authorization header of a call; `None` if the call has none.
///
/// # Errors
///
/// Returns `UNAUTHENTICATED` if the header is neither Basic nor Bearer.
pub(super) fn authorization(metadata: &MetadataMap) -> Result<Option<Authorization>, Status> {
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
        return Ok(Some(Authorization::Bearer(rest.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = BASE64.decode(rest).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, password) = decoded.split_once(':').ok_or_else(malformed)?;
    Ok(Some(Authorization::Basic {
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
    /// Authenticates a call and finds its session.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is refused, the server is shutting down, the credentials
    /// are missing or wrong, or the token or cookie has expired.
    pub(crate) async fn caller(
        &self,
        metadata: &MetadataMap,
        peer: Option<&Peer>,
    ) -> Result<Caller, Status> {
        let peer = self.admitted(peer)?;
        let Known { principal, session } = self.known(authorization(metadata)?, peer).await?;
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

    /// Checks Basic credentials or a client certificate, and opens a session with a bearer token. A
    /// valid token is returned as it is: no session outlives the token of an identity provider.
    ///
    /// Returns the value of the `authorization` header for later calls.
    ///
    /// # Errors
    ///
    /// The same as [`Door::caller`].
    pub(crate) async fn handshake<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let (metadata, peer) = (request.metadata(), request.extensions().get());
        let peer = self.admitted(peer)?;
        let presented = authorization(metadata)?;
        let given = match &presented {
            Some(Authorization::Bearer(token)) => Some(format!("Bearer {token}")),
            Some(Authorization::Basic { .. }) | None => None,
        };
        let known = self.known(presented, peer).await?;
        if let Some(given) = given {
            return Ok(given);
        }
        let session = self.open(known.principal, metadata, peer, true).await?;
        let token = self.keep(TokenKind::Bearer, &session);
        Ok(format!("Bearer {token}"))
    }

    /// Authenticates a call. The gateway decides; the door knows the sessions of its own tokens.
    async fn known(&self, presented: Option<Authorization>, peer: &Peer) -> Result<Known, Status> {
        let mut session = None;
        let credentials = match (&presented, peer.certified()) {
            (Some(Authorization::Basic { user, password }), _) => {
                Credentials::Password { user, password }
            }
            (Some(Authorization::Bearer(token)), _) if is_jwt(token) => Credentials::Jwt(token),
            (Some(Authorization::Bearer(token)), _) => {
                let known = self.sessions.get(TokenKind::Bearer, token);
                let known = known.ok_or_else(|| to_status(unknown_token()))?;
                Credentials::Session(&session.insert(known).principal)
            }
            (None, Some(user)) => Credentials::Certificate { user },
            (None, None) => {
                return Err(unauthenticated(
                    "this call has no credentials: send Basic or Bearer in the authorization header",
                ));
            }
        };
        let authenticated = self.gateway.authenticate(peer.identity(), credentials);
        let principal = authenticated.await.map_err(to_status)?;
        peer.authenticated(&self.gateway, &principal.user)
            .map_err(to_status)?;
        Ok(Known { principal, session })
    }

    /// Opens a session that outlives the call, and returns it with the header that sets its cookie.
    pub(crate) async fn open_with_cookie<T>(
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

    /// Ends a session: drops its prepared statements and results, and cancels its queries.
    pub(crate) fn end_session(&self, session: &FlightSession) {
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
                encryption: peer.encryption(),
                protocol: Protocol::FlightSql,
                cancel_key_bytes: 0,
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

    /// Returns the connection of a call.
    ///
    /// # Errors
    ///
    /// Returns an error if calls on this connection are refused, or the server is shutting down.
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

/// Returns the status for an unknown cookie, with a header that makes the client delete it.
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
            let Some(Authorization::Basic { user, password }) = authorization(&metadata).unwrap()
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
            let refused = authorization(&metadata("authorization", header))
                .err()
                .unwrap();
            assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{header}");
        }
        assert!(authorization(&MetadataMap::new()).unwrap().is_none());
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
