//! From an accepted socket to a stream that HTTP/2 is spoken on: TLS, the bounds on connections, and their end.
//!
//! A connection that is refused still speaks HTTP/2, so that its calls are answered with the reason. One on which nobody authenticates in
//! time is closed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::{ConnectionSlot, Gateway};
use lakegate_transport::opening::{self, Opening, OpeningSlot};
use lakegate_transport::tls::ClientAuth;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

/// What a client must ask for in its TLS handshake, if it asks for anything.
pub(super) const ALPN: &[u8] = b"h2";
/// Connections between their handshake and the server that takes them.
const HANDED_OVER: usize = 64;

/// What accepting needs.
pub(super) struct Acceptor {
    pub gateway: Arc<Gateway>,
    pub tls: Option<TlsAcceptor>,
    pub require_tls: bool,
    /// Whose certificates clients log in by.
    pub clients: Option<ClientAuth>,
    pub startup_timeout: Duration,
    pub opening: Arc<Opening>,
    /// Ends all connections.
    pub kill: CancellationToken,
}

/// Who is at the other end; every call on the connection has it among its extensions.
#[derive(Clone)]
pub(super) struct Peer(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    /// The user of the client's certificate, if it has shown one.
    certified: Option<String>,
    refused: Option<Error>,
    authenticated: AtomicBool,
    opening: Mutex<Option<OpeningSlot>>,
    /// From the first right credentials on.
    slot: Mutex<Option<ConnectionSlot>>,
}

impl Peer {
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The user whom the client's certificate names. Nobody else calls on this connection.
    pub fn certified(&self) -> Option<&str> {
        self.0.certified.as_deref()
    }

    /// Why no call on this connection is answered, if none is.
    pub fn refused(&self) -> Option<&Error> {
        self.0.refused.as_ref()
    }

    /// Somebody has shown right credentials: the connection is counted as this user's, and may stay.
    ///
    /// Errors: there are too many connections.
    pub fn authenticated(&self, gateway: &Gateway, user: &str) -> Result<()> {
        let mut slot = self.0.slot.lock();
        if slot.is_none() {
            *slot = Some(gateway.connection_slot(user)?);
            self.0.authenticated.store(true, Ordering::Relaxed);
            self.0.opening.lock().take();
        }
        Ok(())
    }
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection, until the peer closes it, nobody has authenticated in time, or the server ends.
pub(super) struct Connection {
    io: Io,
    peer: Peer,
    /// `None` once it has ended.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Accepts until `shutdown`; handshakes run beside one another.
pub(super) fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    shutdown: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let (sender, mut receiver) = mpsc::channel(HANDED_OVER);
    tokio::spawn(accept(listener, Arc::new(acceptor), shutdown, sender));
    futures::stream::poll_fn(move |context| receiver.poll_recv(context).map(|next| next.map(Ok)))
}

async fn accept(
    listener: TcpListener,
    acceptor: Arc<Acceptor>,
    shutdown: CancellationToken,
    sender: mpsc::Sender<Connection>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: others close in the meantime.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        opening::prepare(&tcp);
        let slot = acceptor.opening.take(address.ip());
        let evicted = slot.evicted();
        let (acceptor, sender) = (Arc::clone(&acceptor), sender.clone());
        tokio::spawn(async move {
            let opened = tokio::time::timeout(
                acceptor.startup_timeout,
                open(&acceptor, tcp, address, slot),
            );
            let opened = tokio::select! {
                biased;
                opened = opened => opened,
                () = evicted.cancelled() => return,
            };
            match opened {
                // Nobody takes connections any more once the server has ended.
                Ok(Ok(connection)) => drop(sender.send(connection).await),
                Ok(Err(error)) => {
                    debug!(peer = %address, %error, "connection closed while it opened")
                }
                Err(_) => debug!(peer = %address, "connection closed: it did not open in time"),
            }
        });
    }
}

async fn open(
    acceptor: &Acceptor,
    tcp: TcpStream,
    address: SocketAddr,
    opening: OpeningSlot,
) -> io::Result<Connection> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // A TLS handshake record, where HTTP/2 without TLS begins with a word.
    let io = match &acceptor.tls {
        Some(tls) if first[0] == 0x16 => Io::Tls(Box::new(tls.accept(tcp).await?)),
        _ => Io::Plain(tcp),
    };
    let admitted = admit(acceptor, &io);
    let (certified, refused) = match admitted {
        Ok(certified) => (certified, None),
        Err(error) => (None, Some(error)),
    };
    let evicted = opening.evicted();
    let peer = Peer(Arc::new(Inner {
        address,
        certified,
        refused,
        authenticated: AtomicBool::new(false),
        opening: Mutex::new(Some(opening)),
        slot: Mutex::default(),
    }));
    let (kill, timeout, inner) = (
        acceptor.kill.clone(),
        acceptor.startup_timeout,
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
            () = kill.cancelled() => {}
            () = evicted.cancelled() => {}
            () = unknown => {}
        }
    };
    Ok(Connection {
        io,
        peer,
        ended: Some(Box::pin(ended)),
    })
}

/// The user of the client's certificate, if it has shown one.
fn admit(acceptor: &Acceptor, io: &Io) -> Result<Option<String>> {
    if acceptor.require_tls && matches!(io, Io::Plain(_)) {
        return Err(Error::new(
            Code::PermissionDenied,
            "this server accepts only calls with TLS",
        )
        .with_hint("use grpc+tls:// with the server's CA certificate"));
    }
    let certified = match (&acceptor.clients, io) {
        (Some(clients), Io::Tls(tls)) => clients.user(tls.get_ref().1)?,
        _ => None,
    };
    acceptor.gateway.room_for_connection()?;
    Ok(certified)
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
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Io::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Io::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Io::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, buffers),
            Io::Tls(tls) => Pin::new(tls).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(tcp) => tcp.is_write_vectored(),
            Io::Tls(tls) => tls.is_write_vectored(),
        }
    }
}
