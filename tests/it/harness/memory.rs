//! The memory of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::Server;

pub(crate) const MIB: u64 = 1 << 20;

/// The maximum anonymous memory of a process since the watch began; file-backed memory does not
/// count.
pub(crate) struct Watch {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn over(server: &Server) -> Self {
        let status = format!("/proc/{}/status", server.pid());
        let (most, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (seen, stopped) = (Arc::clone(&most), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let status = std::fs::read_to_string(&status).unwrap_or_default();
                let line = status
                    .lines()
                    .find_map(|line| line.strip_prefix("RssAnon:"));
                let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
                seen.fetch_max(kib.unwrap_or(0) * 1024, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { most, stop }
    }

    #[track_caller]
    pub(crate) fn stayed_under(&self, bytes: u64, what: &str) {
        let most = self.most.load(Ordering::Relaxed);
        assert!(most > 0, "the process was not watched");
        assert!(most < bytes, "{most} bytes were held, by {what}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
