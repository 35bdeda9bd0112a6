//! The byte stream of a connection, with or without TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use lakegate_error::Result;
use rustls::{ProtocolVersion, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::opening;
use crate::tls::ClientAuth;

/// What TLS has negotiated for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// As OpenSSL names it, such as `TLSv1.3`.
    pub version: &'static str,
    /// As OpenSSL names it, such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The length of the cipher's key.
    pub bits: i32,
}

/// A TCP connection, encrypted or not.
#[derive(Debug)]
pub enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Performs the TLS handshake if the client begins with one; otherwise the connection stays
    /// plain. Without an acceptor, every connection is plain. The door decides whether to serve a
    /// plain connection.
    ///
    /// # Errors
    ///
    /// The connection was closed or broke, or the handshake failed.
    pub async fn accept(tcp: TcpStream, tls: Option<&TlsAcceptor>) -> io::Result<Self> {
        let begins_with_tls = opening::begins_with_tls(&tcp).await?;
        match tls {
            Some(tls) if begins_with_tls => Self::encrypt(tcp, tls).await,
            _ => Ok(Self::Plain(tcp)),
        }
    }

    /// Performs the TLS handshake.
    ///
    /// # Errors
    ///
    /// The connection was closed or broke, or the handshake failed.
    pub async fn encrypt(tcp: TcpStream, tls: &TlsAcceptor) -> io::Result<Self> {
        Ok(Self::Tls(Box::new(tls.accept(tcp).await?)))
    }

    /// Returns the underlying socket.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Returns the TLS state, or `None` on a plain connection.
    pub fn tls(&self) -> Option<&ServerConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.get_ref().1),
        }
    }

    /// Returns what TLS has negotiated, or `None` on a plain connection.
    pub fn negotiated(&self) -> Option<Negotiated> {
        let tls = self.tls()?;
        let suite = tls.negotiated_cipher_suite()?.suite();
        let name = suite.as_str().unwrap_or_default();
        let version = match tls.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some(Negotiated {
            version,
            cipher: name.replace("TLS13_", "TLS_"),
            bits: match name.contains("_128_") {
                true => 128,
                false => 256,
            },
        })
    }

    /// Returns the user that the client's certificate names, or `None` if the client has presented
    /// none.
    ///
    /// # Errors
    ///
    /// The certificate names no user, or several.
    pub fn certified_user(&self, clients: Option<&ClientAuth>) -> Result<Option<String>> {
        match (clients, self.tls()) {
            (Some(clients), Some(tls)) => clients.user(tls),
            _ => Ok(None),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, buffers),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }
}
