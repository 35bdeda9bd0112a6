//! Where the keys come from, and when they are read again: when the file changes, when the fetched ones have an age, and when a token names
//! a key that is not among them; never so often that tokens which somebody makes up weigh on the provider.

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

/// How often keys are read again, at most and at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two tries, whatever a token asks for.
    pub between: Duration,
    /// The age at which keys are read again, beside the call that notices it.
    pub fresh: Duration,
    /// The age at which the call waits for that: a key that was withdrawn must not be believed for long.
    pub stale: Duration,
    /// The age at which keys that could not be read again are not used any more.
    pub usable: Duration,
}

/// A file may be looked at often. Where it cannot be read any more, its keys stay, as those of certificates do.
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
/// For a fetch, from the name's lookup to the last byte.
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
    /// One reads, others wait for it.
    reading: Mutex<()>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url { client: reqwest::Client, url: Url },
}

#[derive(Debug, Default)]
struct Loaded {
    /// With when it was read.
    set: Option<(Arc<KeySet>, Instant)>,
    /// What it was read from.
    text: Vec<u8>,
    tried: Option<Instant>,
}

impl Source {
    pub async fn open(keys: JwtKeys) -> Result<Self> {
        match keys {
            JwtKeys::File(path) => {
                let source = Self::new(Place::File(path), OF_FILES);
                source.0.read().await?;
                Ok(source)
            }
            JwtKeys::Url(url) => {
                let source = Self::new(place(&url)?, OF_URLS);
                // A provider that is not there yet does not keep the server from starting.
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

    /// The keys. They are read again if they have an age, and nobody waits for that but the first to find them too old.
    pub async fn current(&self) -> Option<Arc<KeySet>> {
        let Pace { fresh, stale, .. } = self.0.pace;
        if self.0.is_due(Instant::now(), stale) {
            self.0.renew(stale).await;
        } else if self.0.is_due(Instant::now(), fresh) {
            self.renew_in_background();
        }
        self.0.usable(Instant::now())
    }

    /// The keys, read again if they were not just now.
    pub async fn renewed(&self) -> Option<Arc<KeySet>> {
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

    /// Whether the keys are older than `age`, and the last try is not too young.
    fn is_due(&self, now: Instant, age: Duration) -> bool {
        let loaded = self.loaded.read();
        let since = |then: Instant| now.saturating_duration_since(then);
        let waited = loaded.tried.is_none_or(|t| since(t) >= self.pace.between);
        let old = loaded.set.as_ref().is_none_or(|(_, t)| since(*t) >= age);
        waited && old
    }

    /// Reads the keys again if they are older than `age`. If that fails, those that are there stay.
    async fn renew(&self, age: Duration) {
        let _reading = self.reading.lock().await;
        // Somebody else may have read them while this one waited.
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
        // The cause, such as a certificate that nobody trusts, is further down.
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

/// Keys decide who may log in: they come over https, from where the URL says and nowhere else.
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
    /// Of a URL, at a pace of the test's own.
    pub(super) fn paced(url: &str, pace: Pace) -> Result<Self> {
        Ok(Self::new(place(url)?, pace))
    }

    /// As if the last try was long ago.
    pub(super) fn forget_tries(&self) {
        self.0.loaded.write().tried = None;
    }

    /// As if the keys were read ten seconds ago.
    pub(super) fn make_old(&self) {
        self.forget_tries();
        let then = Instant::now().checked_sub(Duration::from_secs(10));
        if let (Some((_, read)), Some(then)) = (&mut self.0.loaded.write().set, then) {
            *read = then;
        }
    }
}
