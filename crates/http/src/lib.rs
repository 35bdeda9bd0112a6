//! The HTTP door. For now it answers only health checks.
//!
//! ```text
//!  accept ─▶ connection ─▶ routes ─▶ Gateway
//!            TLS, bounds
//! ```
//!
//! Health checks carry no secret and are answered without TLS too, because some probes cannot
//! verify certificates. If TLS is required, all other requests without TLS are refused.

mod config;
mod connection;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use lakegate_gateway::Gateway;
use lakegate_transport::accept::{self, Shutdown};
use lakegate_transport::opening::OPENING_TIME;
use lakegate_transport::tls::Tls;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use self::config::HttpConfig;
use self::connection::Door;

/// How the door runs.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Includes the limit of open connections. At the limit, the oldest is closed for the new one.
    pub config: HttpConfig,
    /// From accept to the first byte and the end of the TLS handshake.
    pub startup_timeout: Duration,
    /// Body of one request, in bytes.
    pub max_body_bytes: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            config: HttpConfig::default(),
            startup_timeout: OPENING_TIME,
            max_body_bytes: 1024 * 1024,
        }
    }
}

/// Answers requests until `shutdown`. Then no connection is accepted, idle ones are closed,
/// requests in progress may finish, and the rest is cut off. Returns when no connection is left.
///
/// Without `tls`, every connection is plain.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    options: HttpOptions,
    shutdown: CancellationToken,
) {
    let tls = tls.and_then(|tls| match tls.server_config(&[connection::ALPN], None) {
        Ok(config) => Some(TlsAcceptor::from(config)),
        Err(error) => {
            error!(%error, "the HTTP endpoint has no TLS");
            None
        }
    });
    let shutdown = Shutdown::on(shutdown);
    let limits = options.config.connections();
    let door = Arc::new(Door::new(gateway, tls, options, shutdown.clone()));
    let serve = |accepted| Arc::clone(&door).serve(accepted);
    accept::run(listener, limits, shutdown, serve).await;
}
