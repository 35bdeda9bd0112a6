//! From an accepted socket to a session: TLS, the startup packet, authentication, the gateway's
//! session.
//!
//! Nothing is trusted before authentication: packets have at most 10,000 bytes, and everything must
//! be done within a deadline.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::{ConnectionSlot, Encryption, Login, Protocol, Session};
use lakegate_transport::io::Io;
use lakegate_transport::opening::{self, OpeningSlot};
use lakegate_transport::tls::Identity;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::backend::{self, Severity};
use super::frontend::{FirstPacket, MAX_STARTUP, Startup};
use super::link::{Ended, Link};
use super::{Door, auth};

/// The protocol that is spoken: 3.2 differs from 3.0 in longer cancel keys only.
const NEWEST_MINOR: u16 = 2;

/// Bytes of a cancel key in protocol 3.0, which fixes them.
const SHORT_CANCEL_KEY: usize = 4;
/// Bytes of a cancel key in protocol 3.2, as PostgreSQL 18 makes them.
const LONG_CANCEL_KEY: usize = 32;

/// The ALPN name that a client must offer when it starts TLS directly.
const ALPN: &[u8] = b"postgresql";

/// An authenticated connection, ready for statements.
pub(super) struct LoggedIn {
    pub link: Link,
    pub session: Arc<Session>,
    pub slot: ConnectionSlot,
}

/// The opening of a connection.
enum Opening {
    Startup(Io, Startup, Option<Arc<Identity>>),
    /// The connection carried only a request to cancel a query of another connection.
    Cancelled(Io),
    Refused(Io, Error),
}

/// Opens a session. `None`: the connection is over, and the client has been sent the reason, if it
/// still reads.
///
/// Boxed, here and below, so that the compiler checks for each part separately that it is `Send`.
pub(super) fn open<'a>(
    door: &'a Door,
    tcp: TcpStream,
    peer: SocketAddr,
    slot: &'a OpeningSlot,
) -> BoxFuture<'a, Option<LoggedIn>> {
    open_within(door, tcp, peer, slot).boxed()
}

async fn open_within(
    door: &Door,
    tcp: TcpStream,
    peer: SocketAddr,
    slot: &OpeningSlot,
) -> Option<LoggedIn> {
    let deadline = tokio::time::Instant::now() + door.options.startup_timeout;
    let first = opening::until(deadline, peer, first(door, tcp));
    // Before its first packet, the client knows no message of the server.
    let first = slot.unless_evicted(first).await.flatten()?;
    let (stream, startup, identity) = match first {
        Opening::Startup(stream, startup, identity) => (stream, startup, identity),
        Opening::Cancelled(mut stream) => {
            // A connection over TLS ends with a close_notify, which libpq 18 waits for.
            let _ = tokio::time::timeout_at(deadline, stream.shutdown()).await;
            return None;
        }
        Opening::Refused(stream, error) => {
            refuse(Link::new(stream, peer, &door.shutdown), &error).await;
            return None;
        }
    };
    let mut link = Link::new(stream, peer, &door.shutdown);
    let opened = tokio::time::timeout_at(
        deadline,
        slot.unless_evicted(log_in(door, &mut link, &startup, identity.as_deref()).boxed()),
    )
    .await;
    let error = match opened.map(|opened| opened.unwrap_or_else(evicted)) {
        Ok(Ok(Ok((session, slot)))) => {
            link.allow_messages_of(door.options.max_message_bytes);
            link.count_in(door.inbox.share());
            return Some(LoggedIn {
                link,
                session,
                slot,
            });
        }
        Ok(Ok(Err(error))) => error,
        Ok(Err(Ended::Gone)) => return None,
        Ok(Err(Ended::Lost(error) | Ended::Idle(_, error))) => error,
        Ok(Err(Ended::ShuttingDown)) => super::shutting_down(),
        Err(_) => Error::new(
            Code::QueryCancelled,
            "canceling authentication due to timeout",
        ),
    };
    refuse(link, &error).await;
    None
}

/// The end of a connection whose place another one took.
fn evicted<T>() -> Result<Result<T>, Ended> {
    Ok(Err(Error::new(
        Code::TooManyConnections,
        "too many connections are logging in; the oldest is closed",
    )
    .with_hint("log in at once after connecting")))
}

/// Sends the reason as the last message.
pub(super) fn refuse(link: Link, error: &Error) -> BoxFuture<'static, ()> {
    // Postgres: 28000, invalid authorization specification.
    let sqlstate = if error.code() == Code::PermissionDenied {
        "28000"
    } else {
        error.code().sqlstate()
    };
    refuse_as(link, sqlstate, error)
}

/// Sends the reason as the last message, with an explicit SQLSTATE.
pub(super) fn refuse_as(mut link: Link, sqlstate: &str, error: &Error) -> BoxFuture<'static, ()> {
    let start = link.out.len();
    backend::error_as(&mut link.out, Severity::Fatal, sqlstate, error);
    if let Err(error) = link.convert(start) {
        // Of ASCII only.
        backend::error_as(&mut link.out, Severity::Fatal, sqlstate, &error);
    }
    link.close().boxed()
}

/// TLS, encryption requests, and the first packet.
async fn first(door: &Door, mut tcp: TcpStream) -> std::io::Result<Opening> {
    let identity;
    let mut stream = if opening::begins_with_tls(&tcp).await? {
        let (stream, shown) = accept_tls(door, tcp).await?;
        identity = shown;
        let alpn = stream.tls().and_then(|tls| tls.alpn_protocol());
        if alpn != Some(ALPN) {
            let why = Error::new(
                Code::ProtocolViolation,
                "received direct SSL connection request without ALPN protocol negotiation extension",
            );
            return Ok(Opening::Refused(stream, why));
        }
        stream
    } else {
        let mut asked = (false, false);
        loop {
            let packet = match packet(&mut tcp).await? {
                Ok(packet) => packet,
                Err(error) => return Ok(Opening::Refused(Io::Plain(tcp), error)),
            };
            match FirstPacket::parse(packet) {
                Ok(FirstPacket::Ssl) if !asked.0 => {
                    asked.0 = true;
                    if door.tls.is_none() {
                        tcp.write_all(b"N").await?;
                        continue;
                    }
                    // The packet was read to its last byte and no further: bytes that an attacker
                    // injects after it go into the handshake, and break it.
                    tcp.write_all(b"S").await?;
                    let (stream, shown) = accept_tls(door, tcp).await?;
                    identity = shown;
                    break stream;
                }
                Ok(FirstPacket::GssEnc) if !asked.1 => {
                    asked.1 = true;
                    tcp.write_all(b"N").await?;
                }
                Ok(FirstPacket::Ssl | FirstPacket::GssEnc) => {
                    let why = Error::new(Code::ProtocolViolation, "encryption was asked for twice");
                    return Ok(Opening::Refused(Io::Plain(tcp), why));
                }
                // A cancel key is not a secret worth TLS: libpq before 17 sends it in the clear.
                opening => return Ok(opened(door, Io::Plain(tcp), opening, None)),
            }
        }
    };
    let opening = match packet(&mut stream).await? {
        Ok(packet) => FirstPacket::parse(packet),
        Err(error) => Err(error),
    };
    Ok(opened(door, stream, opening, Some(identity)))
}

fn opened(
    door: &Door,
    stream: Io,
    opening: Result<FirstPacket>,
    identity: Option<Arc<Identity>>,
) -> Opening {
    match opening {
        Ok(FirstPacket::Startup(startup)) => Opening::Startup(stream, startup, identity),
        Ok(FirstPacket::Cancel { pid, secret }) => {
            door.gateway.cancel(pid, &secret);
            Opening::Cancelled(stream)
        }
        Ok(FirstPacket::Ssl | FirstPacket::GssEnc) => Opening::Refused(
            stream,
            Error::new(
                Code::ProtocolViolation,
                "encryption was asked for on an encrypted connection",
            ),
        ),
        Err(error) => Opening::Refused(stream, error),
    }
}

async fn accept_tls(door: &Door, tcp: TcpStream) -> std::io::Result<(Io, Arc<Identity>)> {
    let Some(tls) = &door.tls else {
        return Err(std::io::ErrorKind::Unsupported.into());
    };
    let identity = tls.current();
    let config = identity
        .server_config(&[ALPN], door.options.clients.as_ref())
        .map_err(std::io::Error::other)?;
    let stream = Io::encrypt(tcp, &TlsAcceptor::from(config)).await?;
    Ok((stream, identity))
}

/// A packet without a type: its body, exactly.
async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Result<Bytes>> {
    let length = stream.read_u32().await? as usize;
    if !(8..=MAX_STARTUP).contains(&length) {
        return Ok(Err(Error::new(
            Code::ProtocolViolation,
            format!("invalid length of startup packet: it must be 8 to {MAX_STARTUP} bytes"),
        )));
    }
    let mut body = BytesMut::zeroed(length - 4);
    stream.read_exact(&mut body).await?;
    Ok(Ok(body.freeze()))
}

async fn log_in(
    door: &Door,
    link: &mut Link,
    startup: &Startup,
    identity: Option<&Identity>,
) -> Result<Result<(Arc<Session>, ConnectionSlot)>, Ended> {
    if let Err(error) = check(door, link, startup) {
        return Ok(Err(error));
    }
    let Some(user) = startup.get("user") else {
        return Ok(Err(Error::new(
            Code::PermissionDenied,
            "no PostgreSQL user name specified in startup packet",
        )));
    };
    // Checked before authentication, which costs more than the refusal.
    if let Err(error) = door.gateway.room_for_connection() {
        return Ok(Err(error));
    }
    // 3.1 never existed.
    let minor = match startup.minor {
        0 | 1 => 0,
        newer => newer.min(NEWEST_MINOR),
    };
    if minor != startup.minor || !startup.protocol_options.is_empty() {
        backend::negotiate_protocol_version(&mut link.out, minor, &startup.protocol_options);
    }
    let certified = link.stream().certified_user(door.options.clients.as_ref());
    let authenticated = match certified {
        Ok(Some(certified)) => auth::by_certificate(link, &door.gateway, &certified, user)
            .await?
            .map(|principal| (None, principal)),
        Ok(None) => auth::by_secret(link, &door.gateway, identity, user).await?,
        Err(error) => Err(error),
    };
    let (server_final, principal) = match authenticated {
        Ok(authenticated) => authenticated,
        Err(error) => return Ok(Err(error)),
    };
    let login = Login {
        principal: &principal,
        database: startup.get("database"),
        application_name: startup.get("application_name"),
        client_addr: link.peer(),
        encryption: link.stream().negotiated().map(|tls| Encryption {
            version: tls.version.to_owned(),
            cipher: tls.cipher,
            bits: tls.bits,
        }),
        protocol: Protocol::Postgres,
        cancel_key_bytes: match minor {
            0 => SHORT_CANCEL_KEY,
            _ => LONG_CANCEL_KEY,
        },
        stateful: true,
    };
    if let Some(server_final) = &server_final {
        backend::authentication(
            &mut link.out,
            &backend::Authentication::SaslFinal(server_final),
        );
    }
    backend::authentication(&mut link.out, &backend::Authentication::Ok);
    // The client learns that the password was right before it learns that the database does not
    // exist.
    link.flush().await?;
    let slot = match door.gateway.connection_slot(user) {
        Ok(slot) => slot,
        Err(error) => return Ok(Err(error)),
    };
    let session = match link.run(door.gateway.connect(login)).await? {
        Ok(session) => session,
        Err(error) => return Ok(Err(error)),
    };
    for (name, value) in settings(startup) {
        if let Err(error) = session.start_parameter(&name, &value) {
            return Ok(Err(error));
        }
    }
    link.ends_with(session.termination());
    Ok(Ok((session, slot)))
}

/// Returns the settings of a startup packet. Those of its own win over those in `options`.
fn settings(startup: &Startup) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for (name, value) in &startup.parameters {
        if name == "options" {
            settings.extend(options(value));
        }
    }
    let own = startup.parameters.iter().filter(|(name, value)| {
        let is_other = matches!(
            name.as_str(),
            "user" | "database" | "replication" | "options"
        );
        // Drivers that send `auto` take what the server has.
        !(is_other || name == "client_encoding" && value == "auto")
    });
    settings.extend(own.cloned());
    settings
}

fn check(door: &Door, link: &Link, startup: &Startup) -> Result<()> {
    if door.options.config.require_tls && !link.stream().is_tls() {
        return Err(Error::new(Code::PermissionDenied, "this server accepts only connections with TLS")
            .with_hint("connect with sslmode=require, or with sslmode=verify-full and the server's CA certificate as sslrootcert"));
    }
    if startup
        .get("replication")
        .is_some_and(|value| !matches!(value, "false" | "off" | "no" | "0"))
    {
        return Err(Error::not_supported(
            "replication connections are not supported",
        ));
    }
    Ok(())
}

/// Parses the settings in libpq's `options`: `-c name=value`, `--name=value`. A backslash escapes a
/// space.
pub(super) fn options(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words
                .last_mut()
                .map_or((), |word| word.extend(chars.next())),
            c if c.is_ascii_whitespace() => words.push(String::new()),
            c => words.last_mut().map_or((), |word| word.push(c)),
        }
    }
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().unwrap_or_default(),
            Some(setting) => setting.to_owned(),
            None => continue,
        };
        if let Some((name, value)) = setting.split_once('=') {
            settings.push((name.replace('-', "_"), value.to_owned()));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn options_are_settings() {
        let expect = |text: &str, settings: &[(&str, &str)]| {
            let settings: Vec<_> = settings
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(options(text), settings, "{text}");
        };
        expect(
            "-c statement_timeout=5min -csearch_path=a,b",
            &[("statement_timeout", "5min"), ("search_path", "a,b")],
        );
        expect("--time-zone=UTC -B 100", &[("time_zone", "UTC")]);
        expect(
            r"-c application_name=my\ tool",
            &[("application_name", "my tool")],
        );
        expect("-c", &[]);
        expect("  ", &[]);
    }

    #[test]
    fn settings_of_the_packet_win_over_its_options() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let startup = Startup {
            minor: 0,
            parameters: vec![
                pair("user", "ada"),
                pair("application_name", "tool"),
                pair("options", "-c application_name=other -c a.b=1"),
                pair("client_encoding", "utf8"),
            ],
            protocol_options: Vec::new(),
        };
        assert_eq!(
            settings(&startup),
            [
                pair("application_name", "other"),
                pair("a.b", "1"),
                pair("application_name", "tool"),
                pair("client_encoding", "utf8"),
            ]
        );
    }

    #[tokio::test]
    async fn startup_packets_are_bounded_before_they_are_read() {
        for (sent, fits) in [
            (&b"\0\0\0\x08\x04\xd2\x16\x2f"[..], true),
            (b"\x7f\xff\xff\xff", false),
            (b"\0\0\0\x07abc", false),
            (b"\0\0\x27\x11", false),
        ] {
            let mut sent = sent;
            assert_eq!(packet(&mut sent).await.unwrap().is_ok(), fits);
        }
        let mut cut = &b"\0\0\0\x10abc"[..];
        assert!(packet(&mut cut).await.is_err());
    }
}
