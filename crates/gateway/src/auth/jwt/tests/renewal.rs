//! Keys that change: in a file, and at an URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::auth::jwt::source::Pace;

const HOUR: Duration = Duration::from_secs(3600);

/// What the provider answers, and how often it was asked.
#[derive(Default)]
struct Provider {
    answer: Mutex<(StatusCode, Vec<u8>)>,
    asked: AtomicUsize,
}

impl Provider {
    /// At the URL that is given, until the test ends.
    async fn start(set: &Value) -> (Arc<Self>, String) {
        let provider = Arc::new(Self::default());
        provider.now_has(set);
        let answering = Arc::clone(&provider);
        let answer = move || {
            answering.asked.fetch_add(1, Ordering::Relaxed);
            let answer = answering.answer.lock().clone();
            async move { answer.into_response() }
        };
        let elsewhere = || async { axum::response::Redirect::temporary("/keys") };
        let router = Router::new()
            .route("/keys", get(answer))
            .route("/moved", get(elsewhere));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, format!("http://{address}"))
    }

    fn now_has(&self, set: &Value) {
        *self.answer.lock() = (StatusCode::OK, set.to_string().into_bytes());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn of_url(url: &str, pace: Pace) -> Jwt {
    let unused = Keys::new();
    let (mut jwt, _dir) = checking(&unused.set(), |_| {}).await;
    jwt.source = Source::paced(url, pace).unwrap();
    jwt
}

const SLOW: Pace = Pace {
    between: HOUR,
    fresh: HOUR,
    stale: HOUR,
    usable: HOUR,
};

#[tokio::test]
async fn file_is_read_again_and_keys_that_are_gone_are_not_believed() {
    let (old, new) = (Keys::new(), Keys::new());
    let (jwt, dir) = checking(&old.set(), |_| {}).await;
    let file = dir.path().join("keys.json");
    let of = |keys: &Keys| keys.token(&header("EdDSA", "ed"), &claims());
    assert!(jwt.user(&of(&old)).await.is_ok());
    std::fs::write(&file, new.set().to_string()).unwrap();
    jwt.source.make_old();
    assert_eq!(jwt.user(&of(&old)).await, Err(Refused::Signature));
    assert!(jwt.user(&of(&new)).await.is_ok());
    // Half written, or gone: the last good ones stay.
    for broken in [Some("{\"keys\": ["), Some("{\"keys\": []}"), None] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        jwt.source.make_old();
        assert!(jwt.user(&of(&new)).await.is_ok(), "{broken:?}");
    }
}

#[tokio::test]
async fn file_that_is_missing_or_too_long_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    let open = || Jwt::open(options(JwtKeys::File(file.clone())));
    let error = open().await.unwrap_err();
    assert!(error.message().contains("keys.json"), "{error}");
    std::fs::write(&file, " ".repeat(1024 * 1024 + 1)).unwrap();
    let error = open().await.unwrap_err();
    assert!(error.message().contains("longer than"), "{error}");
}

#[tokio::test]
async fn unknown_key_id_fetches_the_keys_again_but_not_each_one_that_is_made_up() {
    let keys = Keys::new();
    let mut set = keys.set();
    let (provider, url) = Provider::start(&set).await;
    let jwt = of_url(&format!("{url}/keys"), SLOW).await;
    let known = keys.token(&header("EdDSA", "ed"), &claims());
    assert_eq!(jwt.user(&known).await.unwrap(), "ada");
    assert_eq!(provider.asked(), 1);
    // The issuer begins to sign with a new key.
    set["keys"][0]["kid"] = json!("new");
    provider.now_has(&set);
    let rotated = keys.token(&header("EdDSA", "new"), &claims());
    for _ in 0..20 {
        let refused = jwt.user(&rotated).await;
        assert_eq!(refused, Err(Refused::UnknownKey("new".to_owned())));
    }
    assert_eq!(provider.asked(), 1, "the last fetch was just now");
    jwt.source.forget_tries();
    let together: Vec<_> = (0..10).map(|_| jwt.user(&rotated)).collect();
    for accepted in futures::future::join_all(together).await {
        assert_eq!(accepted.unwrap(), "ada");
    }
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn keys_stay_while_the_provider_is_away_but_not_for_ever() {
    let keys = Keys::new();
    let (provider, url) = Provider::start(&keys.set()).await;
    let pace = Pace {
        between: Duration::ZERO,
        fresh: Duration::ZERO,
        stale: Duration::ZERO,
        usable: Duration::from_millis(600),
    };
    let jwt = of_url(&format!("{url}/keys"), pace).await;
    let token = keys.token(&header("EdDSA", "ed"), &claims());
    assert!(jwt.user(&token).await.is_ok());
    provider.answer.lock().0 = StatusCode::SERVICE_UNAVAILABLE;
    assert!(jwt.user(&token).await.is_ok());
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(jwt.user(&token).await, Err(Refused::NoKeys));
    provider.answer.lock().0 = StatusCode::OK;
    assert!(jwt.user(&token).await.is_ok());
}

#[tokio::test]
async fn answers_that_are_no_key_set_are_not_used() {
    let keys = Keys::new();
    let (provider, url) = Provider::start(&keys.set()).await;
    let token = keys.token(&header("EdDSA", "ed"), &claims());
    let moved = of_url(&format!("{url}/moved"), SLOW).await;
    assert_eq!(moved.user(&token).await, Err(Refused::NoKeys));
    assert_eq!(provider.asked(), 0, "redirections are not followed");
    let absent = of_url(&format!("{url}/absent"), SLOW).await;
    assert_eq!(absent.user(&token).await, Err(Refused::NoKeys));
    *provider.answer.lock() = (StatusCode::OK, vec![b' '; 2 * 1024 * 1024]);
    let long = of_url(&format!("{url}/keys"), SLOW).await;
    assert_eq!(long.user(&token).await, Err(Refused::NoKeys));
}

#[tokio::test]
async fn provider_that_is_not_there_yet_does_not_keep_the_server_from_starting() {
    let url = "http://127.0.0.1:1/keys".to_owned();
    let jwt = Jwt::open(options(JwtKeys::Url(url))).await.unwrap();
    let token = Keys::new().token(&header("EdDSA", "ed"), &claims());
    assert_eq!(jwt.user(&token).await, Err(Refused::NoKeys));
}

#[tokio::test]
async fn keys_come_over_https_except_from_this_machine() {
    for right in [
        "https://id.example/keys",
        "http://localhost:1/keys",
        "http://127.0.0.1:1/keys",
        "http://[::1]:1/keys",
    ] {
        assert!(Source::paced(right, SLOW).is_ok(), "{right}");
    }
    for wrong in [
        "http://id.example/keys",
        "http://localhost.example/keys",
        "https://user:secret@id.example/keys",
        "file:///etc/keys.json",
        "id.example/keys",
        "",
    ] {
        let error = Source::paced(wrong, SLOW).unwrap_err();
        assert!(error.message().contains("auth.jwt.jwks_url"), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}
