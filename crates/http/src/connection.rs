//! One HTTP/1.1 connection, from its opening to its end.

use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lakegate_gateway::Gateway;
use lakegate_transport::accept::{Accepted, Shutdown};
use lakegate_transport::io::Io;
use lakegate_transport::opening;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use crate::{HttpOptions, routes};

/// The only protocol that a client can negotiate in its TLS handshake.
pub(crate) const ALPN: &[u8] = b"http/1.1";

/// The state that the connections of one listener share.
pub(crate) struct Door {
    tls: Option<TlsAcceptor>,
    options: HttpOptions,
    shutdown: Shutdown,
    /// For connections with TLS, and for all connections if TLS is not required.
    routes: Router,
    /// For connections without TLS if it is required.
    without_tls: Router,
}

impl Door {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        tls: Option<TlsAcceptor>,
        options: HttpOptions,
        shutdown: Shutdown,
    ) -> Self {
        let max_body = options.max_body_bytes;
        Self {
            tls,
            shutdown,
            routes: routes::all(Arc::clone(&gateway), max_body),
            without_tls: routes::without_tls(gateway, max_body),
            options,
        }
    }

    /// Serves a connection to its end. The connection keeps its slot: no user logs in on this door,
    /// so all of its connections count as opening.
    pub(crate) async fn serve(self: Arc<Self>, accepted: Accepted) {
        let Accepted {
            tcp,
            peer,
            slot,
            open,
        } = accepted;
        let served = async {
            let deadline = Instant::now() + self.options.startup_timeout;
            let handshake = Io::accept(tcp, self.tls.as_ref());
            let Some(io) = opening::until(deadline, peer, handshake).await else {
                return;
            };
            if let Err(error) = self.requests(io).await {
                debug!(%peer, %error, "connection closed");
            }
        };
        slot.unless_evicted(served).await;
        drop(open);
    }

    async fn requests(&self, io: Io) -> hyper::Result<()> {
        let routes = if io.is_tls() || !self.options.config.require_tls {
            &self.routes
        } else {
            &self.without_tls
        };
        let service = TowerToHyperService::new(routes.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Counted from the opening of the connection or the previous response, so idle
            // connections time out too.
            .header_read_timeout(self.options.config.head_timeout)
            .max_header_size(self.options.config.max_header_bytes())
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = &mut connection => return ended,
            () = self.shutdown.stopping().cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = self.shutdown.cut_off().cancelled() => Ok(()),
        }
    }
}
