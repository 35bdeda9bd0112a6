//! Sessions that clients return to by a bearer token or a cookie: limited in number, and closed
//! after a period without use.
//!
//! Only a token's hash is stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{Gateway, Principal, Session};

/// The length of a token, in bytes.
const TOKEN_BYTES: usize = 32;

/// A session of the gateway, with options of its endpoint.
#[derive(Debug)]
pub struct TokenSession<O> {
    /// Unique in the process.
    pub id: u64,
    pub principal: Principal,
    pub session: Arc<Session>,
    pub options: O,
    activity: Activity,
}

/// The last use of a session.
#[derive(Debug)]
struct Activity {
    used: Mutex<Instant>,
    /// The number of uses in progress.
    open: AtomicUsize,
}

impl Activity {
    fn new() -> Self {
        Self {
            used: Mutex::new(Instant::now()),
            open: AtomicUsize::new(0),
        }
    }

    fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self) {
        *self.used.lock() = Instant::now();
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the time since the last use; zero while in use.
    fn idle(&self, now: Instant) -> Duration {
        if self.open.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(*self.used.lock())
    }
}

/// A guard that marks the session as in use.
#[derive(Debug)]
pub struct InUse<O>(Arc<TokenSession<O>>);

impl<O> TokenSession<O> {
    pub fn new(principal: Principal, session: Arc<Session>, options: O) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            principal,
            session,
            options,
            activity: Activity::new(),
        })
    }

    pub fn enter(self: &Arc<Self>) -> InUse<O> {
        self.activity.begin();
        InUse(Arc::clone(self))
    }
}

impl<O> Drop for InUse<O> {
    fn drop(&mut self) {
        self.0.activity.end();
    }
}

/// The way in which a client sends its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    Bearer,
    Cookie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl Key {
    fn of(kind: TokenKind, token: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update([kind as u8]);
        digest.update(token);
        Self(digest.finalize().into())
    }
}

/// Limits of an endpoint's token sessions.
#[derive(Debug, Clone, Copy)]
pub struct TokenLimits {
    /// A session that was not used for longer than this is closed.
    pub lifetime: Duration,
    pub per_user: usize,
    pub total: usize,
}

/// The sessions of one endpoint that have a token.
#[derive(Debug)]
pub struct TokenSessions<O> {
    limits: TokenLimits,
    open: Mutex<HashMap<Key, Arc<TokenSession<O>>>>,
}

impl<O> TokenSessions<O> {
    pub fn new(limits: TokenLimits) -> Self {
        Self {
            limits,
            open: Mutex::default(),
        }
    }

    /// Adds a session. Returns its token and the sessions evicted for it. At a limit, the session
    /// that was idle for longest is evicted, so that clients that never close their sessions cannot
    /// lock out new ones.
    pub fn keep(
        &self,
        kind: TokenKind,
        session: &Arc<TokenSession<O>>,
    ) -> (String, Vec<Arc<TokenSession<O>>>) {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let now = Instant::now();
        let mut open = self.open.lock();
        let mut evicted = Vec::new();
        let of_user = |known: &Arc<TokenSession<O>>| known.principal == session.principal;
        let mine = open.values().filter(|known| of_user(known)).count();
        let idlest = if mine >= self.limits.per_user.max(1) {
            longest_idle(&open, now, of_user)
        } else if open.len() >= self.limits.total.max(1) {
            longest_idle(&open, now, |_| true)
        } else {
            None
        };
        if let Some(key) = idlest {
            evicted.extend(open.remove(&key));
        }
        open.insert(Key::of(kind, &token), Arc::clone(session));
        (token, evicted)
    }

    /// Returns the session of a token, or `None` if there is none, it was terminated, or it was
    /// idle for too long.
    pub fn get(&self, kind: TokenKind, token: &str) -> Option<Arc<TokenSession<O>>> {
        let session = self.open.lock().get(&Key::of(kind, token)).cloned()?;
        let open = session.session.check_open().is_ok();
        (open && session.activity.idle(Instant::now()) <= self.limits.lifetime).then_some(session)
    }

    /// Closes a session, whatever its token.
    pub fn close(&self, session: &TokenSession<O>) {
        self.open.lock().retain(|_, known| known.id != session.id);
    }

    /// Closes and returns the sessions that were terminated, that were idle for too long, or whose
    /// users are gone.
    pub fn sweep(&self, gateway: &Gateway) -> Vec<Arc<TokenSession<O>>> {
        let now = Instant::now();
        let mut closed = Vec::new();
        self.open.lock().retain(|_, session| {
            let keep = session.activity.idle(now) <= self.limits.lifetime
                && session.session.check_open().is_ok()
                && gateway.is_current(&session.principal);
            if !keep {
                closed.push(Arc::clone(session));
            }
            keep
        });
        closed
    }
}

fn longest_idle<O>(
    open: &HashMap<Key, Arc<TokenSession<O>>>,
    now: Instant,
    among: impl Fn(&Arc<TokenSession<O>>) -> bool,
) -> Option<Key> {
    open.iter()
        .filter(|(_, session)| among(session))
        .max_by_key(|(_, session)| session.activity.idle(now))
        .map(|(key, _)| *key)
}
