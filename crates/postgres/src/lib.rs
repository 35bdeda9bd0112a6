//! The Postgres endpoint: protocol 3 for psql, drivers and BI tools.
//!
//! ```text
//!  accept ─ startup ─ auth ─▶ connection ─┬─ simple ───┬─▶ Session (gateway)
//!           TLS, limits               ▲   └─ extended ─┤     │
//!                                     │     params     │     ▼ batches
//!                                   link ◀── rows, copy ◀── encode
//! ```
//!
//! The connection's loop, the message parser (`frontend`) and the encoders (`encode`) are this
//! crate's own, because a result must stream at the client's pace while the client is watched;
//! SCRAM is pgwire's. No SQL, no grants and no query limits here.

mod auth;
mod backend;
mod connection;
mod copy;
mod encode;
mod extended;
mod frontend;
mod link;
mod params;
mod rows;
mod startup;
mod types;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lakegate_error::{Code, Error};
use lakegate_gateway::Gateway;
use lakegate_transport::opening::{self, Opening, OpeningSlot};
use lakegate_transport::tls::{ClientAuth, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

/// How the door is run.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Refuse connections without TLS. CancelRequests are taken without it: libpq before 17 sends no others.
    pub require_tls: bool,
    /// Whose certificates clients may, or must, log in by.
    pub clients: Option<ClientAuth>,
    /// From accept to the end of authentication.
    pub startup_timeout: Duration,
    /// How long busy connections may go on after the shutdown began.
    pub grace: Duration,
    /// Longest message that an authenticated client may send.
    pub max_message_bytes: usize,
    /// Prepared statements a connection.
    pub max_statements: usize,
    /// Portals a connection.
    pub max_portals: usize,
    /// Bytes of the values of all portals of a connection that were bound and not yet executed.
    pub max_bound_bytes: usize,
    /// Connections that are still opening, all together.
    pub max_opening: usize,
    /// Connections that are still opening, from one address.
    pub max_opening_per_address: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            require_tls: true,
            clients: None,
            startup_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(30),
            max_message_bytes: 64 * 1024 * 1024,
            max_statements: 10_000,
            max_portals: 1_000,
            max_bound_bytes: 128 * 1024 * 1024,
            max_opening: 512,
            max_opening_per_address: 256,
        }
    }
}

/// What the connections of one listener share.
struct Door {
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: PostgresOptions,
    opening: Arc<Opening>,
    /// Ends idle connections.
    stop: CancellationToken,
    /// Ends all.
    kill: CancellationToken,
}

fn shutting_down() -> Error {
    Error::new(
        Code::ShuttingDown,
        "terminating connection due to administrator command",
    )
}

/// Serves connections until `shutdown`. Then no more are accepted, idle ones are told and closed, busy ones may finish their statement
/// within the grace period, and the rest is cut off. Returns when no connection is left.
///
/// Without `tls` and with `require_tls` every connection is refused.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: PostgresOptions,
    shutdown: CancellationToken,
) {
    if tls.is_none() && options.require_tls {
        error!("TLS is required and there is no certificate: every connection will be refused");
    }
    let kill = CancellationToken::new();
    let opening = Opening::new(options.max_opening, options.max_opening_per_address);
    let door = Arc::new(Door {
        gateway,
        tls,
        options,
        opening,
        stop: shutdown.clone(),
        kill: kill.clone(),
    });
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => accept(&door, tcp, peer, &connections),
            Err(error) => {
                // Out of file descriptors, most likely: others close in the meantime.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(door.options.grace, connections.wait())
        .await
        .is_err()
    {
        info!(
            connections = connections.len(),
            "the grace period is over: connections are cut off"
        );
        kill.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), connections.wait()).await;
    }
}

fn accept(door: &Arc<Door>, tcp: TcpStream, peer: SocketAddr, connections: &TaskTracker) {
    opening::prepare(&tcp);
    let slot = door.opening.take(peer.ip());
    let door = Arc::clone(door);
    connections.spawn(async move {
        // A defect must not leave a client without an end of its connection, nor the log without a line.
        let served = std::panic::AssertUnwindSafe(connection(door, slot, tcp, peer))
            .catch_unwind()
            .await;
        if served.is_err() {
            error!(%peer, "a connection ended by a panic");
        }
    });
}

async fn connection(door: Arc<Door>, slot: OpeningSlot, tcp: TcpStream, peer: SocketAddr) {
    let evicted = slot.evicted();
    let opened = tokio::select! {
        biased;
        opened = startup::open(&door, tcp, peer) => opened,
        () = evicted.cancelled() => {
            debug!(%peer, "connection closed: it had not opened, and too many others were opening");
            return;
        }
    };
    drop(slot);
    if let Some(opened) = opened {
        connection::serve(&door, opened).await;
    }
}
