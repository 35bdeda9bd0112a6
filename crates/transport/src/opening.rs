//! What every door does with a socket that it has accepted: options of the socket, and bounds on connections that nobody has logged in
//! on yet.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Small answers go out at once; a peer that vanished without a word is noticed after a minute and a half.
pub fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10));
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

/// The connections of one door that are still opening, bounded in all and by address. At a bound, the oldest gives way to a new one:
/// a client that logs in does so within a moment, and connections that stay silent keep no client out.
#[derive(Debug)]
pub struct Opening {
    max: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    next: u64,
    /// In the order in which they came.
    by_address: HashMap<IpAddr, BTreeMap<u64, CancellationToken>>,
}

impl Counts {
    fn remove(&mut self, address: IpAddr, number: u64) -> Option<CancellationToken> {
        let here = self.by_address.get_mut(&address)?;
        let removed = here.remove(&number)?;
        if here.is_empty() {
            self.by_address.remove(&address);
        }
        self.total -= 1;
        Some(removed)
    }

    /// Ends the oldest from this address, or else from the one that has most.
    fn evict(&mut self, address: Option<IpAddr>) {
        let most = || {
            let addresses = self.by_address.iter();
            let most = addresses.max_by_key(|(_, here)| here.len());
            most.map(|(address, _)| *address)
        };
        let oldest = address.or_else(most).and_then(|address| {
            let here = self.by_address.get(&address)?;
            here.keys().next().map(|number| (address, *number))
        });
        if let Some((address, number)) = oldest
            && let Some(evicted) = self.remove(address, number)
        {
            evicted.cancel();
        }
    }
}

/// Counts an opening connection until it is dropped.
#[derive(Debug)]
pub struct OpeningSlot {
    opening: Arc<Opening>,
    address: IpAddr,
    number: u64,
    evicted: CancellationToken,
}

impl OpeningSlot {
    /// Cancelled when the connection has to give way to another while it is opening.
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }
}

impl Opening {
    pub fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            counts: Mutex::default(),
        })
    }

    pub fn take(self: &Arc<Self>, address: IpAddr) -> OpeningSlot {
        let mut counts = self.counts.lock();
        let here = counts.by_address.get(&address).map_or(0, BTreeMap::len);
        if here >= self.max_per_address {
            counts.evict(Some(address));
        } else if counts.total >= self.max {
            counts.evict(None);
        }
        let (number, evicted) = (counts.next, CancellationToken::new());
        counts.next += 1;
        counts.total += 1;
        let of_address = counts.by_address.entry(address).or_default();
        of_address.insert(number, evicted.clone());
        OpeningSlot {
            opening: Arc::clone(self),
            address,
            number,
            evicted,
        }
    }
}

impl Drop for OpeningSlot {
    fn drop(&mut self) {
        let mut counts = self.opening.counts.lock();
        counts.remove(self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_connections_are_bounded_and_the_oldest_gives_way() {
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let opening = Opening::new(3, 2);
        let given_way = |slot: &OpeningSlot| slot.evicted().is_cancelled();
        let first = opening.take(here);
        let second = opening.take(here);
        let third = opening.take(here);
        assert!(given_way(&first) && !given_way(&second) && !given_way(&third));
        let fourth = opening.take(there);
        assert!(!given_way(&second));
        let fifth = opening.take(there);
        assert!(given_way(&second), "the oldest of those with most");
        assert!(!given_way(&third) && !given_way(&fourth) && !given_way(&fifth));
        drop((first, second, third));
        let sixth = opening.take(here);
        drop((fourth, fifth, sixth));
        let counts = opening.counts.lock();
        assert!(counts.by_address.is_empty() && counts.total == 0);
    }
}
