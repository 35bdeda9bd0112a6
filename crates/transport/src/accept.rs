//! The accept loop of every door, and the end of its connections.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{error, info, warn};

use crate::opening::{OpeningConnections, OpeningLimits, OpeningSlot};

/// How long connections may continue once the server stops accepting. Queries have ended by then,
/// within `server.grace_period`: this is the time for the rest of a response to reach its client.
pub const CLOSING_TIME: Duration = Duration::from_secs(5);
/// The time that connections have for their last message after they were cut off.
const CUT_OFF_TIME: Duration = Duration::from_secs(1);
/// Pause after a failed accept. The usual reason is a lack of file descriptors, which other
/// connections free as they close.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The two steps in which the connections of a door end.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Shutdown {
    /// Begins the shutdown when `stop` is cancelled.
    pub fn on(stop: CancellationToken) -> Self {
        Self {
            stop,
            cut: CancellationToken::new(),
        }
    }

    /// Returns a token that is cancelled when no more connections are accepted. Idle connections
    /// end then.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns a token that is cancelled when all connections must end, even busy ones.
    pub fn cut_off(&self) -> &CancellationToken {
        &self.cut
    }
}

/// A connection that was accepted, and on which nothing was read yet.
#[derive(Debug)]
pub struct Accepted {
    pub tcp: TcpStream,
    pub peer: SocketAddr,
    /// Held by the door until a user has logged in.
    pub slot: OpeningSlot,
    /// Held by the door as long as the connection is open.
    pub open: OpenConnection,
}

/// Counts an open connection until it is dropped. The accept loop waits for that before it returns,
/// but not for connections that ignore being cut off.
#[derive(Debug)]
pub struct OpenConnection(#[allow(dead_code)] TaskTrackerToken);

/// Accepts connections until the shutdown begins, and runs `serve` for each in a task of its own. A
/// panic in a task ends its connection only.
///
/// Returns when no connection is left. Connections still open [`CLOSING_TIME`] after the shutdown
/// began are cut off.
pub async fn run<F>(
    listener: TcpListener,
    limits: OpeningLimits,
    shutdown: Shutdown,
    mut serve: impl FnMut(Accepted) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let opening = OpeningConnections::new(limits);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let accepted = Accepted {
                    slot: opening.take(peer.ip()),
                    open: OpenConnection(connections.token()),
                    tcp,
                    peer,
                };
                prepare(&accepted.tcp);
                spawn(peer, serve(accepted));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let closed = tokio::time::timeout(CLOSING_TIME, connections.wait()).await;
    if closed.is_err() {
        info!(
            connections = connections.len(),
            "connections are cut off: they did not close in time"
        );
        shutdown.cut.cancel();
        let _ = tokio::time::timeout(CUT_OFF_TIME, connections.wait()).await;
    }
}

fn spawn(peer: SocketAddr, serve: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        if AssertUnwindSafe(serve).catch_unwind().await.is_err() {
            error!(%peer, "a connection ended by a panic");
        }
    });
}

/// Sets socket options: small responses are sent at once, and a vanished peer is noticed after two
/// and a half minutes (Linux sends nine probes by default).
fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10));
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMITS: OpeningLimits = OpeningLimits {
        total: 2,
        per_address: 2,
    };

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Echoes what it receives until the client closes or the connection has to end.
    async fn echo(accepted: Accepted, shutdown: Shutdown) {
        let Accepted {
            mut tcp,
            slot,
            open,
            ..
        } = accepted;
        let mut byte = [0];
        let echo = async {
            while tcp.read_exact(&mut byte).await.is_ok() && byte[0] != b'!' {
                tcp.write_all(&byte).await.unwrap();
            }
            assert!(byte[0] != b'!', "asked to panic");
        };
        tokio::select! {
            _ = slot.unless_evicted(echo) => {}
            () = shutdown.cut_off().cancelled() => {}
        }
        drop(open);
    }

    async fn answers(client: &mut TcpStream) -> bool {
        let mut byte = [0];
        client.write_all(b"x").await.is_ok() && client.read_exact(&mut byte).await.is_ok()
    }

    #[tokio::test]
    async fn a_panic_ends_its_connection_only_and_more_than_may_open_end_the_oldest() {
        let (listener, address) = listener().await;
        let shutdown = Shutdown::default();
        let served = shutdown.clone();
        let door = tokio::spawn(run(listener, LIMITS, shutdown.clone(), move |accepted| {
            echo(accepted, served.clone())
        }));
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut first).await);
        let mut second = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut second).await);
        second.write_all(b"!").await.unwrap();
        assert!(!answers(&mut second).await);
        assert!(answers(&mut first).await);

        let mut third = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut third).await && answers(&mut first).await);
        let mut fourth = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut fourth).await && answers(&mut third).await);
        assert!(!answers(&mut first).await, "the oldest gives way");

        drop((third, fourth));
        shutdown.stopping().cancel();
        door.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn connections_that_stay_open_are_cut_off_after_the_closing_time() {
        let (listener, address) = listener().await;
        let shutdown = Shutdown::default();
        let served = shutdown.clone();
        let door = tokio::spawn(run(listener, LIMITS, shutdown.clone(), move |accepted| {
            echo(accepted, served.clone())
        }));
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut client).await);
        let begun = Instant::now();
        shutdown.stopping().cancel();
        assert!(answers(&mut client).await, "open ones go on for a while");
        door.await.unwrap();
        assert!(begun.elapsed() >= CLOSING_TIME && !answers(&mut client).await);
    }
}
