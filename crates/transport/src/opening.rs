//! Connections on which no user has logged in yet: their maximum number and duration.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// From accept to the end of authentication, on every door.
pub const OPENING_TIME: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a record that holds a part of the handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Returns whether the client begins with a TLS handshake. Waits for the first byte and leaves it
/// unread.
///
/// # Errors
///
/// The connection broke, or was closed before its first byte.
pub async fn begins_with_tls(tcp: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(first[0] == TLS_HANDSHAKE)
}

/// Runs a step of the opening of a connection. Returns `None` if it fails or does not finish before
/// `deadline`; the connection is then over, and the reason is logged at debug level.
pub async fn until<T>(
    deadline: Instant,
    peer: SocketAddr,
    step: impl Future<Output = io::Result<T>>,
) -> Option<T> {
    match tokio::time::timeout_at(deadline, step).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            debug!(%peer, %error, "connection closed while it opened");
            None
        }
        Err(_) => {
            debug!(%peer, "connection closed: it did not open in time");
            None
        }
    }
}

/// How many connections of a door may be opening at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningLimits {
    pub total: usize,
    /// Of these, connections from one address.
    pub per_address: usize,
}

impl Default for OpeningLimits {
    fn default() -> Self {
        Self {
            total: 512,
            per_address: 256,
        }
    }
}

/// The connections of one door that are opening. At a limit, the oldest is closed for the new one:
/// a client that logs in does so within a moment, so silent connections cannot lock clients out.
#[derive(Debug)]
pub(crate) struct OpeningConnections {
    limits: OpeningLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    next: u64,
    /// By address, in the order in which they were accepted.
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

    /// Evicts the oldest connection from `address`, or, without an address, the oldest from the
    /// address with the most.
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
    connections: Arc<OpeningConnections>,
    address: IpAddr,
    number: u64,
    evicted: CancellationToken,
}

impl OpeningSlot {
    /// Returns a token that is cancelled when the connection is evicted in favour of another while
    /// it is opening.
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Runs `future`; drops it and returns `None` if the connection is evicted in favour of
    /// another.
    pub async fn unless_evicted<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.evicted.cancelled() => {
                debug!(address = %self.address, "connection closed: too many others were opening");
                None
            }
        }
    }
}

impl OpeningConnections {
    pub(crate) fn new(limits: OpeningLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counts: Mutex::default(),
        })
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> OpeningSlot {
        let mut counts = self.counts.lock();
        let here = counts.by_address.get(&address).map_or(0, BTreeMap::len);
        if here >= self.limits.per_address {
            counts.evict(Some(address));
        } else if counts.total >= self.limits.total {
            counts.evict(None);
        }
        let (number, evicted) = (counts.next, CancellationToken::new());
        counts.next += 1;
        counts.total += 1;
        let of_address = counts.by_address.entry(address).or_default();
        of_address.insert(number, evicted.clone());
        OpeningSlot {
            connections: Arc::clone(self),
            address,
            number,
            evicted,
        }
    }
}

impl Drop for OpeningSlot {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock();
        counts.remove(self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_connections_are_bounded_and_the_oldest_gives_way() {
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let opening = OpeningConnections::new(OpeningLimits {
            total: 3,
            per_address: 2,
        });
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
