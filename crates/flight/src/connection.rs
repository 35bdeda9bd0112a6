//! From an accepted socket to an HTTP/2 connection: TLS, limits on connections, and their end.
//!
//! A refused connection still speaks HTTP/2, so that its calls return the reason. A connection
//! without a successful login in time is closed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::{ClientIdentity, ConnectionSlot, Encryption, Gateway};
use lakegate_transport::accept::{Accepted, OpenConnection, Shutdown};
use lakegate_transport::io::Io;
use lakegate_transport::opening::{self, OpeningSlot};
use lakegate_transport::tls::ClientAuth;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

/// The protocol that a client's TLS handshake must offer, if it offers any.
pub(super) const ALPN: &[u8] = b"h2";

/// Opens accepted connections and hands them to the server of calls.
pub(super) struct Opener {
    pub gateway: Arc<Gateway>,
    pub tls: Option<TlsAcceptor>,
    pub require_tls: bool,
    /// The certificate authorities of clients.
    pub clients: Option<ClientAuth>,
    pub startup_timeout: Duration,
    pub shutdown: Shutdown,
    /// Takes connections whose TLS handshake is done.
    pub opened: mpsc::Sender<io::Result<Connection>>,
}

/// The client of a connection, in the extensions of each of its calls.
#[derive(Clone)]
pub(super) struct Peer(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    /// The user of the client's certificate, if the client has presented one.
    certified: Option<String>,
    encryption: Option<Encryption>,
    refused: Option<Error>,
    authenticated: AtomicBool,
    opening: Mutex<Option<OpeningSlot>>,
    /// Set by the first successful login.
    slot: Mutex<Option<ConnectionSlot>>,
}

impl Peer {
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) fn encryption(&self) -> Option<Encryption> {
        self.0.encryption.clone()
    }

    /// The address and the certificate's user, by which the gateway decides on logins.
    pub(crate) fn identity(&self) -> ClientIdentity<'_> {
        ClientIdentity {
            address: self.0.address.ip(),
            certified: self.certified(),
        }
    }

    /// The user that the client's certificate names.
    pub(crate) fn certified(&self) -> Option<&str> {
        self.0.certified.as_deref()
    }

    /// The reason why calls on this connection are refused, if they are.
    pub(crate) fn refused(&self) -> Option<&Error> {
        self.0.refused.as_ref()
    }

    /// Records a successful login: the connection counts as this user's, and stays open.
    ///
    /// # Errors
    ///
    /// Returns an error if there are too many connections.
    pub(crate) fn authenticated(&self, gateway: &Gateway, user: &str) -> Result<()> {
        let mut slot = self.0.slot.lock();
        if slot.is_none() {
            *slot = Some(gateway.connection_slot(user)?);
            self.0.authenticated.store(true, Ordering::Relaxed);
            self.0.opening.lock().take();
        }
        Ok(())
    }
}

/// A connection, until the client closes it, no login succeeds in time, or the server ends.
pub(super) struct Connection {
    io: Io,
    peer: Peer,
    /// `None` once it has ended.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _open: OpenConnection,
}

impl Opener {
    /// Performs the TLS handshake. Closes a connection that does not open in time.
    pub(crate) async fn open(self: Arc<Self>, accepted: Accepted) {
        let Accepted {
            tcp,
            peer,
            slot,
            open,
        } = accepted;
        let deadline = Instant::now() + self.startup_timeout;
        let handshake = Io::accept(tcp, self.tls.as_ref());
        let opened = slot.unless_evicted(opening::until(deadline, peer, handshake));
        let Some(io) = opened.await.flatten() else {
            return;
        };
        let (certified, refused) = match self.admit(&io) {
            Ok(certified) => (certified, None),
            Err(error) => (None, Some(error)),
        };
        let evicted = slot.evicted();
        let peer = Peer(Arc::new(Inner {
            address: peer,
            certified,
            encryption: io.negotiated().map(|tls| Encryption {
                version: tls.version.to_owned(),
                cipher: tls.cipher,
                bits: tls.bits,
            }),
            refused,
            authenticated: AtomicBool::new(false),
            opening: Mutex::new(Some(slot)),
            slot: Mutex::default(),
        }));
        let (cut_off, timeout, inner) = (
            self.shutdown.cut_off().clone(),
            self.startup_timeout,
            Arc::downgrade(&peer.0),
        );
        let ended = async move {
            let unknown = async {
                tokio::time::sleep(timeout).await;
                let known = inner
                    .upgrade()
                    .is_some_and(|inner| inner.authenticated.load(Ordering::Relaxed));
                if known {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = cut_off.cancelled() => {}
                () = evicted.cancelled() => {}
                () = unknown => {}
            }
        };
        let connection = Connection {
            io,
            peer,
            ended: Some(Box::pin(ended)),
            _open: open,
        };
        // Fails once the server of calls has ended; the connection is then closed.
        let _ = self.opened.send(Ok(connection)).await;
    }

    /// Returns the user of the client's certificate, if the client has presented one.
    ///
    /// # Errors
    ///
    /// Returns an error if TLS is required and not used, the certificate names no user, or there
    /// are too many connections.
    fn admit(&self, io: &Io) -> Result<Option<String>> {
        if self.require_tls && !io.is_tls() {
            return Err(Error::new(
                Code::PermissionDenied,
                "this server accepts only calls with TLS",
            )
            .with_hint("use grpc+tls:// with the server's CA certificate"));
        }
        let certified = io.certified_user(self.clients.as_ref())?;
        self.gateway.room_for_connection()?;
        Ok(certified)
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl Connection {
    fn poll_ended(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(ended) = &mut self.ended
            && ended.as_mut().poll(context).is_pending()
        {
            return Ok(());
        }
        self.ended = None;
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_ended(context)?;
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
