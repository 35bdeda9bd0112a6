//! An address with the bits of its network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and the number of bits that its network has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    /// At most 32, or 128.
    bits: u8,
}

/// Returns the text of an `inet` or a `cidr`, as PostgreSQL writes it.
pub fn network_text(address: IpAddr, bits: u8, is_cidr: bool) -> String {
    let network = Network { address, bits };
    match is_cidr {
        true => network.cidr(),
        false => network.inet(),
    }
}

/// Returns the number of bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the number that an address is.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Returns a number whose lowest bits are 1, and the others 0.
fn ones(bits: u8) -> u128 {
    1_u128
        .checked_shl(u32::from(bits))
        .map_or(u128::MAX, |power| power - 1)
}

impl Network {
    /// Reads an `inet`: `192.168.1.5/24`, `2001:db8::1`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, bits) = parts(text)?;
        let address = match address.contains(':') {
            true => IpAddr::from(address.parse::<Ipv6Addr>().ok()?),
            false => {
                let octets: [u8; 4] = octets(address)?.try_into().ok()?;
                IpAddr::from(Ipv4Addr::from(octets))
            }
        };
        let bits = bits.unwrap_or_else(|| width(address));
        (bits <= width(address)).then_some(Self { address, bits })
    }

    /// Reads a `cidr`, whose octets of IPv4 may be fewer: `10` is `10.0.0.0/8`. The address may have
    /// bits that are not of its network.
    pub(super) fn read_cidr(text: &str) -> Option<Self> {
        if text.contains(':') {
            return Self::read(text);
        }
        let (address, bits) = parts(text)?;
        let given = octets(address)?;
        let bits = bits.map_or_else(|| class_bits(&given), Some)?;
        let mut octets = [0; 4];
        octets.get_mut(..given.len())?.copy_from_slice(&given);
        let address = IpAddr::from(Ipv4Addr::from(octets));
        (bits <= width(address)).then_some(Self { address, bits })
    }

    /// Returns its text as an `inet`.
    pub(super) fn inet(self) -> String {
        match self.bits == width(self.address) {
            true => self.host(),
            false => self.cidr(),
        }
    }

    /// Returns its text as a `cidr`.
    pub(super) fn cidr(self) -> String {
        format!("{}/{}", self.host(), self.bits)
    }

    /// Returns the text of the address alone.
    pub(super) fn host(self) -> String {
        match self.address {
            IpAddr::V6(address) => match address.segments() {
                // Rust writes only those that begin with `::ffff:` so.
                [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
                    let [.., a, b, c, d] = address.octets();
                    format!("::{a}.{b}.{c}.{d}")
                }
                _ => address.to_string(),
            },
            IpAddr::V4(address) => address.to_string(),
        }
    }

    /// Returns a text that compares as the address does: by its family, its network, the bits of that,
    /// and itself.
    pub(super) fn key(self) -> String {
        let (network, own) = (number(self.start().address), number(self.address));
        match self.address {
            IpAddr::V4(_) => format!("4{network:08x}{:02x}{own:08x}", self.bits),
            IpAddr::V6(_) => format!("6{network:032x}{:02x}{own:032x}", self.bits),
        }
    }

    pub(super) fn family(self) -> i64 {
        if self.address.is_ipv4() { 4 } else { 6 }
    }

    pub(super) fn bits(self) -> u8 {
        self.bits
    }

    fn with_number(self, number: u128) -> Option<Self> {
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::from(u32::try_from(number).ok()?)),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::from(number)),
        };
        Some(Self { address, ..self })
    }

    /// Returns the bits of an address that are not of the network, as ones.
    fn host_mask(self) -> u128 {
        ones(width(self.address).saturating_sub(self.bits))
    }

    /// Returns the first address of the network, with its bits.
    pub(super) fn start(self) -> Self {
        let start = number(self.address) & !self.host_mask();
        self.with_number(start).unwrap_or(self)
    }

    /// Returns the last address of the network, with its bits.
    pub(super) fn end(self) -> Self {
        let end = number(self.address) | self.host_mask();
        self.with_number(end).unwrap_or(self)
    }

    /// Returns an address of its family with these bits, which is a network of its own.
    fn alone(self, number: u128) -> Self {
        let found = self.with_number(number).unwrap_or(self);
        found.with_bits(None)
    }

    pub(super) fn netmask(self) -> Self {
        let all = ones(width(self.address));
        self.alone(all & !self.host_mask())
    }

    pub(super) fn hostmask(self) -> Self {
        self.alone(self.host_mask())
    }

    /// Returns the address in a network of so many bits; of all bits for `None`.
    fn with_bits(self, bits: Option<u8>) -> Self {
        let bits = bits.unwrap_or_else(|| width(self.address));
        Self { bits, ..self }
    }

    /// Returns the address with so many bits of the network, -1 for all; `None` if it has fewer.
    pub(super) fn with_length(self, bits: i64) -> Option<Self> {
        if bits == -1 {
            return Some(self.with_bits(None));
        }
        let bits = u8::try_from(bits).ok()?;
        (bits <= width(self.address)).then(|| self.with_bits(Some(bits)))
    }

    pub(super) fn is_of_family(self, other: Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
    }

    /// Returns whether the network has all addresses of another one, which may be the same.
    pub(super) fn contains(self, other: Self) -> bool {
        let below = u32::from(width(self.address).saturating_sub(self.bits));
        let shifted = |network: Self| number(network.address).checked_shr(below).unwrap_or(0);
        self.is_of_family(other) && self.bits <= other.bits && shifted(self) == shifted(other)
    }

    /// Returns the smallest network that has both.
    pub(super) fn merged(self, other: Self) -> Option<Self> {
        if !self.is_of_family(other) {
            return None;
        }
        let differ = number(self.address) ^ number(other.address);
        let width = width(self.address);
        // Zeros before the bits of an address do not count.
        let unused = 128 - u32::from(width);
        let common = u8::try_from(differ.leading_zeros().saturating_sub(unused)).ok()?;
        let bits = common.min(self.bits).min(other.bits);
        Some(self.with_bits(Some(bits)).start())
    }

    /// Returns the address so many further; `None` if there is none.
    pub(super) fn plus(self, by: i64) -> Option<Self> {
        let own = number(self.address);
        let moved = match by.is_negative() {
            true => own.checked_sub(u128::from(by.unsigned_abs()))?,
            false => own.checked_add(u128::from(by.unsigned_abs()))?,
        };
        self.with_number(moved)
    }

    /// Returns how much further the address is than another one; `None` for one of another family and
    /// for distances that are no `bigint`.
    pub(super) fn minus(self, other: Self) -> Option<i64> {
        if !self.is_of_family(other) {
            return None;
        }
        let (own, other) = (number(self.address), number(other.address));
        match own >= other {
            true => i64::try_from(own - other).ok(),
            false => i64::try_from(other - own).ok()?.checked_neg(),
        }
    }
}

/// Returns the address of a text, and the bits if it has any.
fn parts(text: &str) -> Option<(&str, Option<u8>)> {
    let Some((address, bits)) = text.split_once('/') else {
        return Some((text, None));
    };
    Some((address, Some(decimal(bits)?)))
}

/// Reads a number of digits only.
fn decimal(digits: &str) -> Option<u8> {
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Reads up to four octets. A zero before their digits does not make them octal.
fn octets(text: &str) -> Option<Vec<u8>> {
    let octets = text.split('.').take(5).map(decimal);
    let octets: Vec<u8> = octets.collect::<Option<_>>()?;
    (octets.len() <= 4).then_some(octets)
}

/// Returns the bits of a network that are not written: those of its class, and at least those of the
/// octets that are written.
fn class_bits(octets: &[u8]) -> Option<u8> {
    let first = *octets.first()?;
    let of_class = match first {
        240.. => 32,
        224.. => 8,
        192.. => 24,
        128.. => 16,
        _ => 8,
    };
    let bits = u8::try_from(8 * octets.len()).ok()?.max(of_class);
    Some(match bits {
        8 if first == 224 => 4,
        bits => bits,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn network(text: &str) -> Network {
        Network::read(text).unwrap()
    }

    // Expected values: PostgreSQL 15.
    #[test]
    fn addresses_are_written_as_postgres_writes_them() {
        for (text, expected) in [
            ("192.168.1.5/24", Some("192.168.1.5/24")),
            ("192.168.1.5/32", Some("192.168.1.5")),
            ("010.1.1.1/08", Some("10.1.1.1/8")),
            ("::1", Some("::1")),
            ("::2", Some("::2")),
            ("1::", Some("1::")),
            ("::1:0", Some("::0.1.0.0")),
            ("::1.2.3.4", Some("::1.2.3.4")),
            ("::FFFF:1.2.3.4", Some("::ffff:1.2.3.4")),
            ("2001:0DB8::0001/64", Some("2001:db8::1/64")),
            ("::/0", Some("::/0")),
            ("192.168.1.5/33", None),
            ("::1/129", None),
            ("192.168.1.5/+2", None),
            ("192.168.1.5/", None),
            ("192.168.1.256", None),
            ("10.0.0", None),
            ("1.2.3.4.5", None),
            (" 10.0.0.1", None),
            ("localhost", None),
            ("1..2.3", None),
            ("", None),
        ] {
            let found = Network::read(text).map(Network::inet);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn networks_may_be_short() {
        for (text, expected) in [
            ("10", "10.0.0.0/8"),
            ("10.1", "10.1.0.0/16"),
            ("128.1", "128.1.0.0/16"),
            ("192.168", "192.168.0.0/24"),
            ("192.168.1", "192.168.1.0/24"),
            ("224", "224.0.0.0/4"),
            ("224.1", "224.1.0.0/16"),
            ("240", "240.0.0.0/32"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("10/8", "10.0.0.0/8"),
            ("::/0", "::/0"),
        ] {
            let found = Network::read_cidr(text).map(Network::cidr);
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for text in ["", ".", "10.0.0.0.0", "10/33", "x"] {
            assert_eq!(Network::read_cidr(text), None, "{text}");
        }
    }

    #[test]
    fn keys_have_the_order_of_addresses() {
        // As PostgreSQL 15 sorts them.
        let sorted = [
            "0.0.0.0/0",
            "9.255.255.255",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "10.255.0.0/8",
            "10.0.0.0/9",
            "10.0.0.0",
            "10.0.0.1",
            "10.0.0.10",
            "10.0.1.0/24",
            "255.255.255.255",
            "::/0",
            "::1",
            "2001:db8::/32",
            "2001:db8::1",
        ];
        assert!(sorted.map(|text| network(text).key()).is_sorted());
    }

    #[test]
    fn networks_have_parts() {
        let of = network("10.1.2.3/8");
        assert_eq!(of.start().cidr(), "10.0.0.0/8");
        assert_eq!(of.end().inet(), "10.255.255.255/8");
        assert_eq!(of.netmask().inet(), "255.0.0.0");
        assert_eq!(of.hostmask().inet(), "0.255.255.255");
        assert_eq!(of.with_length(16).unwrap().inet(), "10.1.2.3/16");
        assert_eq!(of.with_length(-1).unwrap().inet(), "10.1.2.3");
        assert_eq!(of.with_length(33), None);
        assert_eq!(of.with_length(-2), None);
        let all = network("::/0");
        assert_eq!(
            all.end().inet(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0"
        );
        assert_eq!(all.netmask().inet(), "::");
        let merged = network("192.168.1.5/24").merged(network("192.168.2.5/24"));
        assert_eq!(merged.unwrap().cidr(), "192.168.0.0/22");
        assert_eq!(network("1.1.1.1").merged(network("::1")), None);
        assert_eq!(
            network("1.1.1.1")
                .merged(network("1.1.1.1"))
                .unwrap()
                .cidr(),
            "1.1.1.1/32"
        );
    }

    #[test]
    fn networks_contain_networks() {
        for (one, other, expected) in [
            ("10.0.0.0/8", "10.1.1.1", true),
            ("10.9.9.9/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("::/0", "1.2.3.4", false),
            ("::/0", "::1", true),
        ] {
            assert_eq!(
                network(one).contains(network(other)),
                expected,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn addresses_are_counted() {
        let plus = |text: &str, by| network(text).plus(by).map(Network::inet);
        assert_eq!(plus("10.0.0.255", 1).as_deref(), Some("10.0.1.0"));
        assert_eq!(plus("10.0.0.1/8", -2).as_deref(), Some("9.255.255.255/8"));
        assert_eq!(plus("255.255.255.255", 1), None);
        assert_eq!(plus("0.0.0.0", -1), None);
        assert_eq!(plus("::", i64::MIN), None);
        assert_eq!(network("10.0.1.0").minus(network("10.0.0.0")), Some(256));
        assert_eq!(network("10.0.0.0").minus(network("10.0.1.0")), Some(-256));
        assert_eq!(network("ffff::").minus(network("::")), None);
        assert_eq!(network("::1").minus(network("0.0.0.1")), None);
    }
}
