//! Loads the keys, and reloads them when the file changes, when fetched keys reach an age, and when a
//! token names an unknown key. A minimum interval keeps forged tokens from loading the provider.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakegate_error::{Code, Error, Result};
use parking_lot::RwLock;
use reqwest::redirect::Policy;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tracing::{info, warn};
use url::{Host, Url};

use super::JwtKeys;
use super::keys::{KeySet, MAX_SET};

/// How often keys are reloaded, at most and at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Minimum time between two attempts.
    pub between: Duration,
    /// The age at which keys are reloaded in the background.
    pub fresh: Duration,
    /// The age at which a login waits for the reload: a withdrawn key must not be accepted for long.
    pub stale: Duration,
    /// The age at which keys that could not be reloaded are no longer used.
    pub usable: Duration,
}

/// Reading a file is cheap. If it becomes unreadable, its keys stay in use, like certificates.
const OF_FILES: Pace = Pace {
    between: Duration::from_secs(2),
    fresh: Duration::from_secs(2),
    stale: Duration::from_secs(2),
    usable: Duration::MAX,
};
const OF_URLS: Pace = Pace {
    between: Duration::from_secs(10),
    fresh: Duration::from_secs(300),
    stale: Duration::from_secs(600),
    usable: Duration::from_secs(24 * 3600),
};
/// Maximum time of a fetch, from the DNS lookup to the last byte.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The keys in use.
#[derive(Debug, Clone)]
pub(super) struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    pace: Pace,
    loaded: RwLock<Loaded>,
    /// Held while the keys are read; other readers wait.
    reading: Mutex<()>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url { client: reqwest::Client, url: Url },
}

#[derive(Debug, Default)]
struct Loaded {
    /// The keys and when they were read.
    set: Option<(Arc<KeySet>, Instant)>,
    /// The text of the keys.
    text: Vec<u8>,
    tried: Option<Instant>,
}

impl Source {
    pub(super) async fn open(keys: JwtKeys) -> Result<Self> {
        match keys {
            JwtKeys::File(path) => {
                let source = Self::new(Place::File(path), OF_FILES);
                source.0.read().await?;
                Ok(source)
            }
            JwtKeys::Url(url) => {
                let source = Self::new(place(&url)?, OF_URLS);
                // The server starts without a reachable provider.
                source.renew_in_background();
                Ok(source)
            }
        }
    }

    fn new(place: Place, pace: Pace) -> Self {
        Self(Arc::new(Inner {
            place,
            pace,
            loaded: RwLock::default(),
            reading: Mutex::default(),
        }))
    }

    /// Returns the keys, and reloads them if they reached an age. Only a caller that finds them stale
    /// waits for that.
    pub(super) async fn current(&self) -> Option<Arc<KeySet>> {
        let Pace { fresh, stale, .. } = self.0.pace;
        if self.0.is_due(Instant::now(), stale) {
            self.0.renew(stale).await;
        } else if self.0.is_due(Instant::now(), fresh) {
            self.renew_in_background();
        }
        self.0.usable(Instant::now())
    }

    /// Returns the keys, reloaded unless the last attempt was just now.
    pub(super) async fn renewed(&self) -> Option<Arc<KeySet>> {
        self.0.renew(Duration::ZERO).await;
        self.0.usable(Instant::now())
    }

    fn renew_in_background(&self) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.renew(inner.pace.fresh).await });
    }
}

impl Inner {
    fn usable(&self, now: Instant) -> Option<Arc<KeySet>> {
        let loaded = self.loaded.read();
        let (set, read) = loaded.set.as_ref()?;
        (now.saturating_duration_since(*read) <= self.pace.usable).then(|| Arc::clone(set))
    }

    /// Whether the keys are older than `age` and the last attempt is long enough ago.
    fn is_due(&self, now: Instant, age: Duration) -> bool {
        let loaded = self.loaded.read();
        let since = |then: Instant| now.saturating_duration_since(then);
        let waited = loaded.tried.is_none_or(|t| since(t) >= self.pace.between);
        let old = loaded.set.as_ref().is_none_or(|(_, t)| since(*t) >= age);
        waited && old
    }

    /// Reloads the keys if they are older than `age`. If that fails, the present keys stay.
    async fn renew(&self, age: Duration) {
        let _reading = self.reading.lock().await;
        // Another task may have read them in the meantime.
        if self.is_due(Instant::now(), age)
            && let Err(error) = self.read().await
        {
            warn!(%error, "the keys that JWTs are checked with cannot be read again");
        }
    }

    async fn read(&self) -> Result<()> {
        self.loaded.write().tried = Some(Instant::now());
        let text = match &self.place {
            Place::File(path) => read_file(path).await?,
            Place::Url { client, url } => fetch(client, url).await?,
        };
        let now = Instant::now();
        let mut loaded = self.loaded.write();
        if loaded.text == text
            && let Some((_, read)) = &mut loaded.set
        {
            *read = now;
            return Ok(());
        }
        let from = match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Url { url, .. } => url.to_string(),
        };
        let set = KeySet::parse(&text, &from)?;
        info!(%from, keys = set.len(), "the keys that JWTs are checked with were read");
        loaded.set = Some((Arc::new(set), now));
        loaded.text = text;
        Ok(())
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e: std::io::Error| {
        Error::new(
            Code::Storage,
            format!("cannot read the key set {}: {e}", path.display()),
        )
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = Vec::new();
    let mut bounded = file.take(MAX_SET as u64 + 1);
    bounded.read_to_end(&mut text).await.map_err(unreadable)?;
    if text.len() > MAX_SET {
        return Err(too_long(&path.display().to_string()));
    }
    Ok(text)
}

async fn fetch(client: &reqwest::Client, url: &Url) -> Result<Vec<u8>> {
    let failed = |e: reqwest::Error| {
        let error = e.without_url();
        let mut why = error.to_string();
        // The root cause, such as an untrusted certificate, is among the sources.
        let mut cause = std::error::Error::source(&error);
        while let Some(deeper) = cause {
            why = format!("{why}: {deeper}");
            cause = deeper.source();
        }
        Error::new(
            Code::Storage,
            format!("cannot fetch the key set {url}: {why}"),
        )
    };
    let mut answer = client.get(url.clone()).send().await.map_err(failed)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(Error::new(
            Code::Storage,
            format!(
                "cannot fetch the key set {url}: the answer is {}",
                answer.status()
            ),
        ));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if text.len() + chunk.len() > MAX_SET {
            return Err(too_long(url.as_str()));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn too_long(from: &str) -> Error {
    Error::invalid(format!("the key set {from} is longer than {MAX_SET} bytes"))
}

/// Parses the URL of the keys. They decide on logins, so they come over https, without redirects.
fn place(url: &str) -> Result<Place> {
    let url = Url::parse(url).map_err(|e| {
        Error::invalid(format!(
            "auth.jwt.jwks_url is no URL: {e}; write one like https://id.example.com/keys"
        ))
    })?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    let secure = url.scheme() == "https" || (url.scheme() == "http" && here);
    if !secure || !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid(
            "auth.jwt.jwks_url must be an https URL without a user; http is for this machine only",
        ));
    }
    let mut client = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .https_only(url.scheme() == "https")
        .user_agent(concat!("lakegate/", env!("CARGO_PKG_VERSION")));
    if here {
        client = client.no_proxy();
    }
    let client = client
        .build()
        .map_err(|e| Error::internal(format!("no HTTP client for the key set: {e}")))?;
    Ok(Place::Url { client, url })
}

#[cfg(test)]
impl Source {
    /// A source of a URL with this pace.
    pub(super) fn paced(url: &str, pace: Pace) -> Result<Self> {
        Ok(Self::new(place(url)?, pace))
    }

    /// Forgets when the keys were last read.
    pub(super) fn forget_tries(&self) {
        self.0.loaded.write().tried = None;
    }

    /// Makes the keys ten seconds old.
    pub(super) fn make_old(&self) {
        self.forget_tries();
        let then = Instant::now().checked_sub(Duration::from_secs(10));
        if let (Some((_, read)), Some(then)) = (&mut self.0.loaded.write().set, then) {
            *read = then;
        }
    }
}
