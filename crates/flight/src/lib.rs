//! The Arrow Flight SQL door: sends results as the Arrow batches that the engine produced.
//!
//! ```text
//!  accept ─ connection ─▶ gate ─▶ service ─┬─ statements ─┬─▶ bound ─▶ executions (gateway)
//!           TLS, limits    │               ├─ prepared ───┤     │ batches
//!                        auth              ├─ poll ───────┘     ▼
//!                      sessions            ├─ metadata        stream ─ encoding ─ types ─▶ FlightData
//!                                          ├─ put ─ ingest ─▶ Session (gateway)
//!                                          └─ actions
//! ```
//!
//! A call has its own session or shares one with other calls: the session of the bearer token that
//! the handshake returned, or of a cookie. Tickets, prepared statements and polled queries outlive
//! a call. They are kept in the gateway's bounded registries, under unguessable handles that work
//! only for their principal. No SQL, no grants and no query limits here.

mod actions;
mod auth;
mod bound;
mod config;
mod connection;
mod delivery;
mod encoding;
mod expansion;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod incoming;
mod info;
mod ingest;
mod metadata;
mod panics;
mod parameters;
mod poll;
mod prepared;
mod put;
mod service;
mod session_options;
mod sessions;
mod sql_info;
mod statements;
mod status;
mod stream;
mod types;
mod unions;
mod xdbc;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use lakegate_gateway::Gateway;
use lakegate_gateway::detached::handles::{Limits, Registry};
use lakegate_gateway::detached::runs::Runs;
use lakegate_gateway::detached::sweep::Sweep;
use lakegate_gateway::detached::tokens::{TokenLimits, TokenSessions};
use lakegate_transport::accept::{self, Shutdown};
use lakegate_transport::opening::{OPENING_TIME, OpeningLimits};
use lakegate_transport::tls::{ClientAuth, Tls};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::error;

pub use self::config::FlightConfig;
use self::gate::Gate;
use self::poll::PollDetails;
use self::prepared::PreparedStatement;
use self::service::Service;
use self::sessions::DoorOptions;
use self::statements::StatementTicket;
use self::stream::OpenStreams;

/// How the door runs.
#[derive(Debug, Clone)]
pub struct FlightOptions {
    pub config: FlightConfig,
    /// The authorities whose certificates clients may, or must, log in with.
    pub clients: Option<ClientAuth>,
    /// From accept to the first call with valid credentials.
    pub startup_timeout: Duration,
    /// Concurrent calls on one connection.
    pub max_streams: u32,
    /// A connection without traffic for this long is sent an HTTP/2 ping.
    pub keep_alive: Duration,
    /// A stream that its client does not read for this long is ended.
    pub stall_timeout: Duration,
    /// Sessions of one user, and of all users.
    pub max_sessions_per_user: usize,
    pub max_sessions: usize,
    /// Tickets of one user; also the limit of a user's prepared statements.
    pub max_statements: usize,
    /// Connections on which no user has authenticated yet.
    pub opening: OpeningLimits,
}

impl Default for FlightOptions {
    fn default() -> Self {
        Self {
            config: FlightConfig::default(),
            clients: None,
            startup_timeout: OPENING_TIME,
            max_streams: 256,
            keep_alive: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(600),
            max_sessions_per_user: 1_000,
            max_sessions: 10_000,
            max_statements: 10_000,
            opening: OpeningLimits::default(),
        }
    }
}

/// Bytes of statements and their parameters that one user's tickets may hold; also the limit of a
/// user's prepared statements.
const MAX_STATEMENT_WEIGHT: usize = 256 * 1024 * 1024;

/// The state that the calls of one listener share.
struct Door {
    gateway: Arc<Gateway>,
    options: FlightOptions,
    sessions: TokenSessions<DoorOptions>,
    tickets: Registry<StatementTicket>,
    statements: Registry<PreparedStatement>,
    polled: Runs<PollDetails>,
    streams: OpenStreams,
}

impl Door {
    fn new(gateway: Arc<Gateway>, options: FlightOptions) -> Arc<Self> {
        let of_statements = Limits {
            per_owner: options.max_statements,
            total: usize::MAX,
            weight_per_owner: MAX_STATEMENT_WEIGHT,
        };
        let of_sessions = TokenLimits {
            lifetime: options.config.token_lifetime,
            per_user: options.max_sessions_per_user,
            total: options.max_sessions,
        };
        let door = Arc::new(Self {
            sessions: TokenSessions::new(of_sessions),
            tickets: Registry::new(of_statements),
            statements: Registry::new(of_statements),
            polled: Runs::new(Arc::clone(&gateway)),
            streams: OpenStreams::new(Arc::clone(&gateway), options.config.result_message_bytes()),
            gateway,
            options,
        });
        door.gateway.register_sweep(&door);
        door
    }
}

impl Sweep for Door {
    fn sweep(&self) {
        for closed in self.sessions.sweep(&self.gateway) {
            self.end_session(&closed);
        }
        self.tickets.sweep();
        self.statements.sweep();
        self.polled.sweep();
        self.streams.stop_stalled(self.options.stall_timeout);
    }
}

/// Serves calls until `shutdown`. Then it accepts no more connections, sends GOAWAY on open ones,
/// lets running streams end, and cuts off the rest. Returns when no connection is left.
///
/// Without `tls` and with `require_tls`, every call is refused.
pub fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: FlightOptions,
    shutdown: CancellationToken,
) -> BoxFuture<'static, ()> {
    async move {
        // One configuration for all connections: each handshake presents the certificate that is
        // current then.
        let clients = options.clients.clone();
        let tls =
            tls.and_then(
                |tls| match tls.server_config(&[connection::ALPN], clients.as_ref()) {
                    Ok(config) => Some(TlsAcceptor::from(config)),
                    Err(error) => {
                        error!(%error, "the Flight SQL endpoint has no TLS");
                        None
                    }
                },
            );
        if tls.is_none() && options.config.require_tls {
            error!("TLS is required and there is no certificate: every call will be refused");
        }
        let door = Door::new(Arc::clone(&gateway), options);
        let ending = Shutdown::on(shutdown.clone());
        let (opened, mut receiver) = mpsc::channel(HANDED_OVER);
        let opener = Arc::new(connection::Opener {
            gateway,
            tls,
            require_tls: door.options.config.require_tls,
            clients,
            startup_timeout: door.options.startup_timeout,
            shutdown: ending.clone(),
            opened,
        });
        let open = move |accepted| Arc::clone(&opener).open(accepted);
        let accepting = accept::run(listener, door.options.opening, ending.clone(), open);
        let incoming = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
        let service = Gate {
            inner: FlightServiceServer::new(Service(Arc::clone(&door)))
                .max_decoding_message_size(door.options.config.max_message_bytes())
                .max_encoding_message_size(usize::MAX),
            door: Arc::clone(&door),
        };
        let serving = Server::builder()
            .http2_max_header_list_size(door.options.config.max_header_bytes())
            .max_concurrent_streams(door.options.max_streams)
            .http2_keepalive_interval(Some(door.options.keep_alive))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_with_incoming_shutdown(service, incoming, shutdown.clone().cancelled_owned());
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = &mut serving => Some(ended),
            // The connections are closed or cut off, so serving ends as well.
            () = accepting => tokio::time::timeout(Duration::from_secs(1), serving).await.ok(),
        };
        if let Some(Err(error)) = ended {
            error!(%error, "the Flight SQL endpoint failed");
        }
        ending.cut_off().cancel();
    }
    .boxed()
}

/// Connections whose handshake is complete and which the call server has not picked up yet.
const HANDED_OVER: usize = 64;

/// Bytes that a client may send on a stream, and on a connection, before the server has consumed
/// them.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
