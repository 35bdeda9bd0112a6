//! Tokens of an identity provider.

use arrow_flight::HandshakeRequest;
use serde_json::json;

use super::*;
use crate::harness::identity::{AUDIENCE, ISSUER, Provider};

/// Starts a server that trusts a provider, with a user `tokenflier`.
async fn server() -> (Server, Provider, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let provider = Provider::new(dir.path(), "first");
    let environment = provider.environment();
    let environment: Vec<_> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let server = Server::private(&environment);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER tokenflier WITH PASSWORD 'a secret phrase'")
        .await;
    (server, provider, dir)
}

async fn bearing(server: &Server, token: &str) -> Flight {
    let mut flight = server.flight_anonymous().await;
    flight.with_bearer(token);
    flight
}

#[tokio::test]
async fn token_of_the_provider_is_its_user_on_each_call() {
    let (server, provider, _dir) = server().await;
    let mut flight = bearing(&server, &provider.token("tokenflier", 600)).await;
    let shown = flight.run("SELECT current_user").await.value();
    assert_eq!(shown, "tokenflier");
    let refused = flight.fails("SET search_path = curated").await;
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "every call stands alone"
    );
    // The user's grants apply, and a ticket works only for its user.
    assert_eq!(
        flight
            .fails("SELECT count(*) FROM curated.orders")
            .await
            .code(),
        Code::NotFound
    );
    let ticket = flight.ticket("SELECT 1").await.unwrap();
    let mut admin = bearing(&server, &provider.token("admin", 600)).await;
    assert_eq!(
        admin.fetch(ticket).await.unwrap_err().code(),
        Code::NotFound
    );
    admin.run("SELECT count(*) FROM curated.orders").await;
}

#[tokio::test]
async fn all_refusals_say_the_same_and_the_log_says_why() {
    let (server, provider, _dir) = server().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Provider::new(elsewhere.path(), "first");
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER tokenless WITH PASSWORD 'a secret phrase'")
        .await;
    let dropped = provider.token("tokenless", 600);
    bearing(&server, &dropped).await.run("SELECT 1").await;
    admin.run("DROP USER tokenless").await;
    let claims = |issuer: &str, audience: &str| json!({"iss": issuer, "aud": audience, "sub": "admin", "exp": 4_000_000_000_u64});
    let mut words = Vec::new();
    for (token, reason) in [
        (provider.token("tokenflier", -1), "it has expired"),
        (stranger.token("tokenflier", 600), "the signature is wrong"),
        (
            provider.signed(&claims("https://evil.example/", AUDIENCE)),
            "the issuer is another",
        ),
        (
            provider.signed(&claims(ISSUER, "another service")),
            "the audience is another",
        ),
        (provider.token("nobody", 600), "no user"),
        (dropped, "no user"),
        ("e30.e30.".to_owned(), "no signed JWT"),
        ("x".repeat(20_000) + ".e30.", "longer than"),
    ] {
        let before = server.log().len();
        let refused = bearing(&server, &token).await.fails("SELECT 1").await;
        assert_eq!(refused.code(), Code::Unauthenticated, "{reason}");
        words.push(refused.message().to_owned());
        let logged = server.log()[before..].to_owned();
        assert!(logged.contains(reason), "{reason}: {logged}");
        assert!(!logged.contains(&token), "a token is not logged: {logged}");
    }
    words.dedup();
    assert_eq!(words.len(), 1, "{words:?}");
}

#[tokio::test]
async fn session_of_a_cookie_belongs_to_the_user_and_each_call_needs_a_valid_token() {
    let (server, provider, _dir) = server().await;
    let short = provider.token("admin", 10);
    let flight = server.flight_anonymous().await;
    let mut request = tonic::Request::new(arrow_flight::Action::new("SetSessionOptions", ""));
    let bearer = |token: &str| format!("Bearer {token}").parse().unwrap();
    request
        .metadata_mut()
        .insert("authorization", bearer(&short));
    let mut sql = flight.sql.clone();
    let answer = sql.inner_mut().do_action(request).await.unwrap();
    let set = answer.metadata().get("set-cookie").unwrap();
    let cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();

    let mut session = bearing(&server, &short).await;
    session.sql.set_header("cookie", &cookie);
    session.run("SET search_path = curated").await;
    session.run("SELECT count(*) FROM orders").await;
    let mut other = bearing(&server, &provider.token("tokenflier", 600)).await;
    other.sql.set_header("cookie", &cookie);
    assert_eq!(other.fails("SELECT 1").await.code(), Code::Unauthenticated);

    let expired = eventually("the token to expire", || {
        let mut session = session.clone();
        async move { session.try_run("SELECT 1").await.err() }
    })
    .await;
    assert_eq!(expired.code(), Code::Unauthenticated, "{expired:?}");
    // With a fresh token, the session continues.
    session.with_bearer(&provider.token("admin", 600));
    session.run("SELECT count(*) FROM orders").await;
}

#[tokio::test]
async fn handshake_gives_a_token_of_the_provider_back_and_no_session_that_outlives_it() {
    let (server, provider, _dir) = server().await;
    let handshake = async |token: &str| {
        let mut request = tonic::Request::new(futures::stream::iter([HandshakeRequest::default()]));
        let header = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", header);
        let mut flight = server.flight_anonymous().await;
        let answer = flight.sql.inner_mut().handshake(request).await?;
        let header = answer.metadata().get("authorization").unwrap();
        Ok::<_, tonic::Status>(header.to_str().unwrap().to_owned())
    };
    let token = provider.token("tokenflier", 600);
    assert_eq!(handshake(&token).await.unwrap(), format!("Bearer {token}"));
    let refused = handshake(&provider.token("tokenflier", -1)).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn new_keys_of_the_provider_are_believed_without_a_restart_and_old_ones_are_not() {
    let (server, provider, dir) = server().await;
    let mut old = bearing(&server, &provider.token("tokenflier", 600)).await;
    old.run("SELECT 1").await;
    let renewed = Provider::new(dir.path(), "second");
    let new = bearing(&server, &renewed.token("tokenflier", 600)).await;
    eventually("the new key", || {
        let mut new = new.clone();
        async move { new.try_run("SELECT 1").await.ok() }
    })
    .await;
    assert_eq!(old.fails("SELECT 1").await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn token_of_a_server_without_a_provider_is_refused_alike() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Provider::new(dir.path(), "first");
    let server = Server::shared();
    let mut flight = bearing(server, &provider.token("admin", 600)).await;
    let refused = flight.fails("SELECT 1").await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("not accepted"), "{refused:?}");
}
