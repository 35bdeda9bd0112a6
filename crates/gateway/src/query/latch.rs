//! A flag that is set once and can be awaited.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// A flag that is set once and can be awaited. The token that wakes tasks is made by the first task that
/// waits: a query whose answer is known needs none.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    is_set: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl Latch {
    /// Sets the latch and wakes the tasks that wait. Later calls change nothing.
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        // If a task begins to wait meanwhile, the token is seen here or the flag is seen there.
        fence(Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// Resolves when the latch is set, or at once if it is.
    pub(crate) async fn wait(&self) {
        let token = self.token.get_or_init(CancellationToken::new);
        fence(Ordering::SeqCst);
        if !self.is_set() {
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
    async fn latches_wake_tasks_before_and_after() {
        let latch = Latch::default();
        assert!(!latch.is_set());
        assert!(latch.wait().now_or_never().is_none());
        let waiting = latch.wait();
        latch.set();
        waiting.await;
        assert!(latch.is_set());
        latch.wait().await;
        latch.set();
        latch.wait().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_latch_set_while_a_task_begins_to_wait_wakes_it() {
        for _ in 0..500 {
            let latch = Arc::new(Latch::default());
            let setter = Arc::clone(&latch);
            let setting = tokio::spawn(async move { setter.set() });
            latch.wait().await;
            setting.await.unwrap();
        }
    }
}
