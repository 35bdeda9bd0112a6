//! Authenticates every call except the handshake by its headers, before its body is read.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use lakegate_error::Error;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};

use super::Door;
use super::auth::Caller;
use super::connection::Peer;
use super::panics::guarded;
use super::status::status;

const HANDSHAKE: &str = "/arrow.flight.protocol.FlightService/Handshake";

/// Wraps the service; passes it the [`Caller`] in the request's extensions.
#[derive(Clone)]
pub(super) struct Gate<S> {
    pub door: Arc<Door>,
    pub inner: S,
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        // `poll_ready` was called on this instance, so this instance must take the call, not its
        // clone.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        let door = Arc::clone(&self.door);
        Box::pin(async move {
            if request.uri().path() != HANDSHAKE {
                let metadata = MetadataMap::from_headers(request.headers().clone());
                let peer = request.extensions().get::<Peer>().cloned();
                let caller = guarded("authentication", async {
                    door.caller(&metadata, peer.as_ref()).await
                });
                match caller.await {
                    Ok(caller) => request.extensions_mut().insert(Arc::new(caller)),
                    Err(refused) => return Ok(refused.into_http()),
                };
            }
            inner.call(request.map(whole)).await
        })
    }
}

/// Turns the client's cancellation into an error of the body. tonic treats the body of a cancelled
/// call as complete, so half of an ingestion would be committed.
fn whole(body: Body) -> Body {
    Body::new(body.map_err(|status| match status.code() {
        Code::Cancelled => Status::aborted("the client cancelled the call"),
        _ => status,
    }))
}

/// Returns the caller that the gate authenticated.
pub(super) fn caller_of<T>(request: &Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    caller.ok_or_else(|| status(&Error::internal("a call came past the gate")))
}
