//! What every door does with a socket that it has accepted: options of the socket, and bounds on connections that nobody has logged in
//! on yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Small answers go out at once; a peer that vanished without a word is noticed after a minute and a half.
pub(super) fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10));
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

/// The connections of one door that are still opening, bounded in all and by address.
#[derive(Debug)]
pub(super) struct Opening {
    max: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts an opening connection until it is dropped.
#[derive(Debug)]
pub(super) struct OpeningSlot {
    opening: Arc<Opening>,
    address: IpAddr,
}

impl Opening {
    pub fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            counts: Mutex::default(),
        })
    }

    /// `None`: there are as many as may be.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<OpeningSlot> {
        let mut counts = self.counts.lock();
        let here = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= self.max || here >= self.max_per_address {
            return None;
        }
        counts.total += 1;
        counts.by_address.insert(address, here + 1);
        Some(OpeningSlot {
            opening: Arc::clone(self),
            address,
        })
    }
}

impl Drop for OpeningSlot {
    fn drop(&mut self) {
        let mut counts = self.opening.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        match counts.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_connections_are_bounded_in_all_and_by_address() {
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let opening = Opening::new(3, 2);
        let first = opening.take(here);
        let second = opening.take(here);
        assert!(first.is_some() && second.is_some());
        assert!(opening.take(here).is_none());
        let third = opening.take(there);
        assert!(third.is_some() && opening.take(there).is_none());
        drop(first);
        assert!(opening.take(here).is_some());
        drop((second, third));
        assert!(opening.counts.lock().by_address.is_empty());
    }
}
