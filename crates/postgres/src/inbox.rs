//! Memory of large messages: what clients have sent and no query holds.
//!
//! ```text
//!  bytes arrive ─▶ message ─▶ values that it binds ─▶ executed: the query's memory
//!  └────────────── a connection's share ─────────┘
//! ```
//!
//! A message is kept until its last byte arrives, and bound values until they are executed. A client
//! can stop at any of these points. So all connections together have a limit for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lakegate_error::{Code, Error, Result};

/// Bytes of each connection that are not counted.
pub(super) const UNCOUNTED: usize = 1024 * 1024;

/// Shares are multiples of this number of bytes.
const STEP: usize = 1024 * 1024;

/// The memory that the connections of a listener have for large messages.
#[derive(Debug)]
pub(super) struct Inbox {
    /// In bytes.
    most: usize,
    held: AtomicUsize,
}

impl Inbox {
    /// `most`: the maximum bytes of all connections.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
        })
    }

    /// Returns the share of a new connection, which is empty.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share {
            inbox: Arc::clone(self),
            held: 0,
        }
    }
}

/// What one connection holds. It is given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    inbox: Arc<Inbox>,
    /// In bytes.
    held: usize,
}

impl Share {
    /// Holds as many bytes, instead of those before.
    ///
    /// # Errors
    ///
    /// All connections together would hold too much. The share stays as it is.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        let wanted = match bytes <= UNCOUNTED {
            true => 0,
            false => bytes.div_ceil(STEP).saturating_mul(STEP),
        };
        if wanted <= self.held {
            let less = self.held - wanted;
            if less > 0 {
                self.inbox.held.fetch_sub(less, Ordering::Relaxed);
                self.held = wanted;
            }
            return Ok(());
        }
        let (more, most) = (wanted - self.held, self.inbox.most);
        let grown = self
            .inbox
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(more).filter(|held| *held <= most)
            });
        match grown {
            Ok(_) => {
                self.held = wanted;
                Ok(())
            }
            Err(held) => Err(Error::new(
                Code::OutOfMemory,
                format!(
                    "the messages of all clients would take more than {most} bytes: {held} are in use"
                ),
            )
            .with_hint("try again when fewer clients send large values, or send them in parts")),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.inbox.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn connections_share_a_limit_and_give_back_what_they_held() {
        let inbox = Inbox::new(10 * MIB);
        let held = || inbox.held.load(Ordering::Relaxed);
        let (mut one, mut other) = (inbox.share(), inbox.share());
        one.hold(UNCOUNTED).unwrap();
        assert_eq!(held(), 0);
        one.hold(5 * MIB + 1).unwrap();
        other.hold(4 * MIB).unwrap();
        assert_eq!(held(), 10 * MIB);
        let error = other.hold(4 * MIB + 1).unwrap_err();
        assert_eq!(error.code(), Code::OutOfMemory);
        assert_eq!(held(), 10 * MIB);
        one.hold(2 * MIB).unwrap();
        other.hold(8 * MIB).unwrap();
        assert!(one.hold(usize::MAX).is_err());
        drop(other);
        assert_eq!(held(), 2 * MIB);
        one.hold(0).unwrap();
        assert_eq!(held(), 0);
    }
}
