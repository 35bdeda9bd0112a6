//! The Postgres door: wire protocol 3 for psql, drivers and BI tools.
//!
//! ```text
//!  accept ─ startup ─ auth ─▶ connection ─┬─ simple ───┬─▶ Session (gateway)
//!           TLS, limits               ▲   └─ extended ─┤     │
//!                                     │     params     │     ▼ batches
//!                                   link ◀── rows, copy ◀── encode
//! ```
//!
//! The connection loop, the message parser (`frontend`) and the encoders (`encode`) are this
//! crate's own, because a result must stream at the client's pace while the client is watched;
//! SCRAM is pgwire's. No SQL, no grants and no query limits here.

mod auth;
mod backend;
mod client_text;
mod config;
mod connection;
mod copy;
mod encode;
mod extended;
mod forms;
mod frontend;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod inbox;
mod link;
mod params;
mod range_forms;
mod rows;
mod startup;
mod types;
mod value_forms;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

use lakegate_error::{Code, Error};
use lakegate_gateway::Gateway;
use lakegate_transport::accept::{self, Accepted, Shutdown};
use lakegate_transport::opening::{OPENING_TIME, OpeningLimits};
use lakegate_transport::tls::{ClientAuth, Tls};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use self::config::PostgresConfig;
use self::inbox::Inbox;

/// Large messages may take 1/`PART_OF_MEMORY` of the memory that queries share, beside it.
const PART_OF_MEMORY: usize = 4;

/// How the door runs.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `require_tls` does not apply to CancelRequests: libpq before 17 sends them without TLS.
    pub config: PostgresConfig,
    /// The authorities whose certificates clients may, or must, log in with.
    pub clients: Option<ClientAuth>,
    /// From accept to the end of authentication.
    pub startup_timeout: Duration,
    /// The longest message that an authenticated client may send.
    pub max_message_bytes: usize,
    /// Prepared statements per connection.
    pub max_statements: usize,
    /// Portals per connection.
    pub max_portals: usize,
    /// Bytes of the values of all portals of a connection that are bound and not yet executed.
    pub max_bound_bytes: usize,
    /// Connections on which no user has authenticated yet.
    pub opening: OpeningLimits,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            config: PostgresConfig::default(),
            clients: None,
            startup_timeout: OPENING_TIME,
            max_message_bytes: 64 * 1024 * 1024,
            max_statements: 10_000,
            max_portals: 1_000,
            max_bound_bytes: 128 * 1024 * 1024,
            opening: OpeningLimits::default(),
        }
    }
}

/// The state that the connections of one listener share.
struct Door {
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: PostgresOptions,
    inbox: Arc<Inbox>,
    shutdown: Shutdown,
}

fn shutting_down() -> Error {
    Error::new(
        Code::ShuttingDown,
        "terminating connection due to administrator command",
    )
}

/// Serves connections until `shutdown`. Then it accepts no more connections, closes idle ones with
/// an error, lets busy ones finish their statement, and cuts off the rest. Returns when no
/// connection is left.
///
/// Without `tls` and with `require_tls`, every connection is refused.
pub fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: PostgresOptions,
    shutdown: CancellationToken,
) -> BoxFuture<'static, ()> {
    async move {
        if tls.is_none() && options.config.require_tls {
            error!("TLS is required and there is no certificate: every connection will be refused");
        }
        let shutdown = Shutdown::on(shutdown);
        let limits = options.opening;
        // At least the longest message, with the values that are read from it.
        let longest = options.max_message_bytes.saturating_mul(3);
        let inbox = Inbox::new(longest.max(gateway.memory_limit() / PART_OF_MEMORY));
        let door = Arc::new(Door {
            gateway,
            tls,
            options,
            inbox,
            shutdown: shutdown.clone(),
        });
        let serve = |accepted| connection(Arc::clone(&door), accepted);
        accept::run(listener, limits, shutdown, serve).await;
    }
    .boxed()
}

async fn connection(door: Arc<Door>, accepted: Accepted) {
    let Accepted {
        tcp,
        peer,
        slot,
        open,
    } = accepted;
    let opened = startup::open(&door, tcp, peer, &slot).await;
    drop(slot);
    if let Some(opened) = opened {
        connection::serve(&door, opened).await;
    }
    drop(open);
}
