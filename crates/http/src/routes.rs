//! The routes and their handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lakegate_gateway::Gateway;

/// Returns all routes.
pub(crate) fn all(gateway: Arc<Gateway>, max_body: usize) -> Router {
    bounded(health(gateway), max_body)
}

/// Returns the routes for connections without TLS on a door that requires it.
pub(crate) fn without_tls(gateway: Arc<Gateway>, max_body: usize) -> Router {
    bounded(health(gateway).fallback(tls_required), max_body)
}

/// Returns the health checks. `/health/live`: 200 while the process answers. `/health/ready`: 200
/// while queries are accepted, 503 once the server is shutting down.
fn health(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(gateway)
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> (StatusCode, &'static str) {
    if gateway.is_shutting_down() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn tls_required() -> (StatusCode, &'static str) {
    (
        StatusCode::FORBIDDEN,
        "this server accepts only requests with TLS: use https://\n",
    )
}

/// Refuses a body whose declared length exceeds `max`, and stops reading any other body at `max`
/// bytes.
fn bounded(routes: Router, max: usize) -> Router {
    routes
        .layer(from_fn_with_state(max, announced_body))
        .layer(DefaultBodyLimit::max(max))
}

async fn announced_body(State(max): State<usize>, request: Request, next: Next) -> Response {
    let announced = request.headers().get(CONTENT_LENGTH);
    let length = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max as u64) {
        let refused = format!("the body of a request may have at most {max} bytes\n");
        return (StatusCode::PAYLOAD_TOO_LARGE, refused).into_response();
    }
    next.run(request).await
}
