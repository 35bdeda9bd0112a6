//! The memory of the plans that sessions keep, which has one bound for all of them.

use std::sync::Arc;

use parking_lot::Mutex;

/// The maximum memory of the plans that all sessions keep, in bytes.
const MAX_BYTES: usize = 256 << 20;

/// The memory of the plans that all sessions keep.
#[derive(Debug, Default)]
pub(crate) struct PlanSpace(Mutex<usize>);

impl PlanSpace {
    /// Claims memory; `None` if there is not enough.
    pub(super) fn claim(self: &Arc<Self>, bytes: usize) -> Option<Claim> {
        let mut used = self.0.lock();
        *used = used.checked_add(bytes).filter(|used| *used <= MAX_BYTES)?;
        Some(Claim {
            space: Arc::clone(self),
            bytes,
        })
    }
}

/// Memory of a kept plan, given back when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    space: Arc<PlanSpace>,
    bytes: usize,
}

impl Claim {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        *self.space.0.lock() -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_of_all_plans_is_bounded_and_given_back() {
        let space: Arc<PlanSpace> = Arc::default();
        let most = space.claim(MAX_BYTES).unwrap();
        assert!(space.claim(1).is_none());
        drop(most);
        let some = space.claim(MAX_BYTES - 1).unwrap();
        assert!(space.claim(2).is_none());
        assert!(space.claim(1).is_some());
        drop(some);
        assert_eq!(*space.0.lock(), 0);
    }
}
