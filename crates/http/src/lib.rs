//! The HTTP door. For now it answers health checks, and tells nothing else to anybody.

mod bounded;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use lakegate_gateway::Gateway;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers until `stop`, then finishes the requests that it has begun.
///
/// `/health/live`: 200 while the process can answer at all. `/health/ready`: 200 while queries are taken,
/// 503 once the server is shutting down.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(gateway);
    axum::serve(bounded::BoundedListener::new(listener), routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> (StatusCode, &'static str) {
    if gateway.is_shutting_down() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}
