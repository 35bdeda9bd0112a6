//! Sessions that clients come back to, by bearer token or by cookie: bounded, and forgotten when nobody uses them.
//!
//! What is kept of a token is its hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lakegate_gateway::{Principal, Session};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::FlightOptions;
use super::delivery::Delivery;

/// Bytes of a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// A session of the gateway, with how its results travel.
#[derive(Debug)]
pub(super) struct FlightSession {
    /// Unique in the process.
    pub id: u64,
    pub principal: Principal,
    pub session: Arc<Session>,
    pub delivery: Mutex<Delivery>,
    used: Mutex<Instant>,
    calls: AtomicUsize,
}

/// While it is held, the session is in use.
#[derive(Debug)]
pub(super) struct InUse(Arc<FlightSession>);

impl FlightSession {
    pub fn new(principal: Principal, session: Arc<Session>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            principal,
            session,
            delivery: Mutex::default(),
            used: Mutex::new(Instant::now()),
            calls: AtomicUsize::new(0),
        })
    }

    pub fn delivery(&self) -> Delivery {
        *self.delivery.lock()
    }

    pub fn enter(self: &Arc<Self>) -> InUse {
        self.calls.fetch_add(1, Ordering::Relaxed);
        InUse(Arc::clone(self))
    }

    /// For how long nobody has used it.
    fn idle(&self, now: Instant) -> Duration {
        if self.calls.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(*self.used.lock())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *self.0.used.lock() = Instant::now();
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a client shows which session it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Bearer,
    Cookie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl Key {
    fn of(kind: Kind, token: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update([kind as u8]);
        digest.update(token);
        Self(digest.finalize().into())
    }
}

#[derive(Debug)]
pub(super) struct Sessions {
    open: Mutex<HashMap<Key, Arc<FlightSession>>>,
    lifetime: Duration,
    max_per_user: usize,
    max: usize,
}

impl Sessions {
    pub fn new(options: &FlightOptions) -> Self {
        Self {
            open: Mutex::default(),
            lifetime: options.token_lifetime,
            max_per_user: options.max_sessions_per_user.max(1),
            max: options.max_sessions.max(1),
        }
    }

    /// Keeps a session and gives its token. Where there are too many, that which was not used for longest makes room: clients that never
    /// close theirs must not lock out those that come. `evicted` are those that made room.
    pub fn keep(
        &self,
        kind: Kind,
        session: &Arc<FlightSession>,
    ) -> (String, Vec<Arc<FlightSession>>) {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let now = Instant::now();
        let mut open = self.open.lock();
        let mut evicted = Vec::new();
        let of_user = |known: &Arc<FlightSession>| known.principal == session.principal;
        let mine = open.values().filter(|known| of_user(known)).count();
        let idlest = if mine >= self.max_per_user {
            longest_idle(&open, now, of_user)
        } else if open.len() >= self.max {
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

    /// `None`: there is no such token, or it was not used for too long.
    pub fn get(&self, kind: Kind, token: &str) -> Option<Arc<FlightSession>> {
        let session = self.open.lock().get(&Key::of(kind, token)).cloned()?;
        (session.idle(Instant::now()) <= self.lifetime).then_some(session)
    }

    /// Forgets a session, by whatever token it is known.
    pub fn close(&self, session: &FlightSession) {
        self.open.lock().retain(|_, known| known.id != session.id);
    }

    /// Forgets what was not used for too long, and what `ended` says; gives what it has forgotten.
    pub fn sweep(&self, ended: impl Fn(&FlightSession) -> bool) -> Vec<Arc<FlightSession>> {
        let now = Instant::now();
        let mut forgotten = Vec::new();
        self.open.lock().retain(|_, session| {
            let keep = session.idle(now) <= self.lifetime && !ended(session);
            if !keep {
                forgotten.push(Arc::clone(session));
            }
            keep
        });
        forgotten
    }
}

fn longest_idle(
    open: &HashMap<Key, Arc<FlightSession>>,
    now: Instant,
    among: impl Fn(&Arc<FlightSession>) -> bool,
) -> Option<Key> {
    open.iter()
        .filter(|(_, session)| among(session))
        .max_by_key(|(_, session)| session.idle(now))
        .map(|(key, _)| *key)
}
