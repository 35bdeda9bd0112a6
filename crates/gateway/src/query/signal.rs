//! A signal that is given once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// A signal that is given once. The token by which it wakes what waits is made when something waits:
/// a query whose answer is known needs none.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    is_given: AtomicBool,
    waited_for: OnceLock<CancellationToken>,
}

impl Signal {
    pub(crate) fn give(&self) {
        self.is_given.store(true, Ordering::SeqCst);
        // Of two at once, this one sees the token, or the one that waits sees the flag.
        fence(Ordering::SeqCst);
        if let Some(token) = self.waited_for.get() {
            token.cancel();
        }
    }

    pub(crate) fn is_given(&self) -> bool {
        self.is_given.load(Ordering::SeqCst)
    }

    /// Resolves when the signal is given, or at once if it was.
    pub(crate) async fn given(&self) {
        let token = self.waited_for.get_or_init(CancellationToken::new);
        fence(Ordering::SeqCst);
        if !self.is_given() {
            token.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn signals_reach_those_before_and_after() {
        let signal = Signal::default();
        assert!(!signal.is_given());
        assert!(signal.given().now_or_never().is_none());
        let waiting = signal.given();
        signal.give();
        waiting.await;
        assert!(signal.is_given());
        signal.given().await;
        signal.give();
        signal.given().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn signals_given_while_something_begins_to_wait_are_not_lost() {
        for _ in 0..500 {
            let signal = Arc::new(Signal::default());
            let giver = Arc::clone(&signal);
            let giving = tokio::spawn(async move { giver.give() });
            signal.given().await;
            giving.await.unwrap();
        }
    }
}
