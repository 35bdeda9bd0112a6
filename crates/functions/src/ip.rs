//! Functions of IP addresses and networks, which are texts such as `10.1.2.3` and `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{
    Bigints, Bytes, Texts, argument, bigint, bytes, invalid, quoted, takes, text,
};

const SECTION: &str = "IP address";

static PREFIX: Page = Page {
    name: "ip_prefix",
    section: SECTION,
    syntax: "ip_prefix(address, bits)",
    sentence: "Returns the network of an address with a number of bits.",
    example: "ip_prefix('192.168.255.255', 9)",
    result: "192.128.0.0/9",
};

static SUBNET_MIN: Page = Page {
    name: "ip_subnet_min",
    section: SECTION,
    syntax: "ip_subnet_min(network)",
    sentence: "Returns the first address of a network.",
    example: "ip_subnet_min('192.64.1.1/9')",
    result: "192.0.0.0",
};

static SUBNET_MAX: Page = Page {
    name: "ip_subnet_max",
    section: SECTION,
    syntax: "ip_subnet_max(network)",
    sentence: "Returns the last address of a network.",
    example: "ip_subnet_max('192.64.0.0/9')",
    result: "192.127.255.255",
};

static SUBNET_RANGE: Page = Page {
    name: "ip_subnet_range",
    section: SECTION,
    syntax: "ip_subnet_range(network)",
    sentence: "Returns the first and the last address of a network as an array.",
    example: "ip_subnet_range('1.2.3.160/24')",
    result: "[1.2.3.0, 1.2.3.255]",
};

static IS_SUBNET_OF: Page = Page {
    name: "is_subnet_of",
    section: SECTION,
    syntax: "is_subnet_of(network, address)",
    sentence: "Tests whether a network has an address, or another network.",
    example: "is_subnet_of('192.168.3.131/26', '192.168.3.144')",
    result: "true",
};

static ADDRESS: Page = Page {
    name: "$ipaddress",
    section: SECTION,
    syntax: "$ipaddress(value)",
    sentence: "Returns the address that a text or bytes are, in its shortest form.",
    example: "\"$ipaddress\"('2001:DB8:0:0:0:0:0:1')",
    result: "2001:db8::1",
};

static NETWORK: Page = Page {
    name: "$ipprefix",
    section: SECTION,
    syntax: "$ipprefix(text)",
    sentence: "Returns the network that a text is, or that of one address.",
    example: "\"$ipprefix\"('10.1.2.3/8')",
    result: "10.0.0.0/8",
};

/// Bytes of the longest network.
const LONGEST: usize = 48;

pub(crate) fn entries() -> Vec<Entry> {
    let one_text = || vec![takes([text()])];
    let utf8 = || Returns::Type(DataType::Utf8);
    let all = [
        Kernel::new(&PREFIX, vec![takes([text(), bigint()])], utf8(), prefix),
        Kernel::new(&SUBNET_MIN, one_text(), utf8(), |call| ends(call, 0)),
        Kernel::new(&SUBNET_MAX, one_text(), utf8(), |call| ends(call, 1)),
        Kernel::new(
            &SUBNET_RANGE,
            one_text(),
            Returns::Type(DataType::new_list(DataType::Utf8, true)),
            ranges,
        ),
        Kernel::new(
            &IS_SUBNET_OF,
            vec![takes([text(), text()])],
            Returns::Type(DataType::Boolean),
            is_subnet_of,
        ),
    ];
    let casts = [
        Kernel::new(
            &ADDRESS,
            vec![takes([text()]), takes([bytes()])],
            utf8(),
            |call| match argument(call, 0)?.array.data_type().is_binary() {
                true => of_bytes(call),
                false => cast(call, |text| Ok(address(text)?.to_string())),
            },
        ),
        Kernel::new(&NETWORK, one_text(), utf8(), |call| {
            cast(call, |text| {
                let network = match text.contains('/') {
                    true => Network::parse(text)?,
                    false => Network::whole(address(text)?),
                };
                let [start, _] = network.ends();
                Ok(format!("{start}/{}", network.bits))
            })
        }),
    ];
    let all = all.into_iter().map(Entry::scalar);
    let casts = casts.into_iter().map(Entry::scalar);
    all.chain(casts.map(Entry::unlisted)).collect()
}

/// Returns what each text is as an address or a network.
fn cast(call: &Call<'_>, read: fn(&str) -> Result<String>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut results = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(LONGEST)?;
        results.append_option(texts.get(row).map(read).transpose()?);
    }
    Ok(Arc::new(results.finish()))
}

/// Returns the addresses that are written as 4 or 16 bytes.
fn of_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let mut addresses = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(LONGEST)?;
        let Some(value) = values.get(row) else {
            addresses.append_null();
            continue;
        };
        let short = || <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
        let long = || <[u8; 16]>::try_from(value).ok().map(IpAddr::from);
        let address = short().or_else(long).ok_or_else(|| {
            let length = value.len();
            invalid(format!("a varbinary of {length} bytes is no IP address"))
        })?;
        addresses.append_value(address.to_canonical().to_string());
    }
    Ok(Arc::new(addresses.finish()))
}

/// Reads an address. One of version 4 that is written as one of version 6 is of version 4.
fn address(text: &str) -> Result<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    let address = address.ok_or_else(|| invalid(format!("{} is no IP address", quoted(text))))?;
    Ok(address.to_canonical())
}

/// A network: an address, whose lower bits may be set, and the number of its upper bits.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn of(address: IpAddr, bits: i64) -> Result<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        match u32::try_from(bits) {
            Ok(bits) if bits <= most => Ok(Self { address, bits }),
            _ => Err(invalid(format!(
                "the network of {address} must have from 0 to {most} bits, not {bits}"
            ))),
        }
    }

    /// The network of one address.
    fn whole(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, bits }
    }

    fn parse(text: &str) -> Result<Self> {
        let parts = text
            .split_once('/')
            .and_then(|(address, bits)| Some((address, bits.parse::<i64>().ok()?)));
        let Some((start, bits)) = parts else {
            return Err(invalid(format!(
                "{} is no network, such as 10.0.0.0/8",
                quoted(text)
            )));
        };
        Self::of(address(start)?, bits)
    }

    /// The first and the last address.
    fn ends(self) -> [IpAddr; 2] {
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shr(self.bits).unwrap_or(0);
                let start = address.to_bits() & !mask;
                [start, start | mask].map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shr(self.bits).unwrap_or(0);
                let start = address.to_bits() & !mask;
                [start, start | mask].map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
            }
        }
    }

    /// Both versions are in one order: those of version 4 are within those of version 6.
    fn contains(self, address: IpAddr) -> bool {
        let [first, last] = self.ends().map(place);
        (first..=last).contains(&place(address))
    }
}

fn place(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn prefix(call: &Call<'_>) -> Result<ArrayRef> {
    let (addresses, sizes) = (Texts::of(call, 0)?, Bigints::of(call, 1)?);
    let mut prefixes = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(LONGEST)?;
        let Some((text, bits)) = addresses.get(row).zip(sizes.get(row)) else {
            prefixes.append_null();
            continue;
        };
        let network = Network::of(address(text)?, bits)?;
        let [start, _] = network.ends();
        prefixes.append_value(format!("{start}/{bits}"));
    }
    Ok(Arc::new(prefixes.finish()))
}

/// The first address of each network, or the last.
fn ends(call: &Call<'_>, end: usize) -> Result<ArrayRef> {
    let networks = Texts::of(call, 0)?;
    let mut addresses = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(LONGEST)?;
        let ends = networks.get(row).map(Network::parse).transpose()?;
        let ends = ends.map(Network::ends);
        let address = ends.and_then(|ends| ends.get(end).copied());
        addresses.append_option(address.map(|address| address.to_string()));
    }
    Ok(Arc::new(addresses.finish()))
}

fn ranges(call: &Call<'_>) -> Result<ArrayRef> {
    let networks = Texts::of(call, 0)?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        call.work.builds(2 * LONGEST)?;
        match networks.get(row).map(Network::parse).transpose()? {
            None => lists.append_null(),
            Some(network) => {
                for address in network.ends() {
                    lists.values().append_value(address.to_string());
                }
                lists.append(true);
            }
        }
    }
    Ok(Arc::new(lists.finish()))
}

fn is_subnet_of(call: &Call<'_>) -> Result<ArrayRef> {
    let (networks, parts) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let mut within = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(1)?;
        let Some((network, part)) = networks.get(row).zip(parts.get(row)) else {
            within.append_null();
            continue;
        };
        let network = Network::parse(network)?;
        within.append_value(match part.contains('/') {
            true => {
                let ends = Network::parse(part)?.ends();
                ends.iter().all(|end| network.contains(*end))
            }
            false => network.contains(address(part)?),
        });
    }
    Ok(Arc::new(within.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn networks_begin_where_their_bits_end() {
        let query = "SELECT ip_prefix(x, n) FROM (VALUES ('10.1.2.3', 8), ('10.1.2.3', 0), ('10.1.2.3', 32), ('2001:DB8:0:0:1::5', 64), ('::ffff:1.2.3.4', 24), (NULL, 1), ('1.2.3.4', NULL)) t(x, n)";
        let expected = [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "10.1.2.3/32",
            "2001:db8::/64",
            "1.2.3.0/24",
            "NULL",
            "NULL",
        ];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert!(error("ip_prefix('1.2.3.4', 33)").await.contains("32"));
        assert!(error("ip_prefix('::1', -1)").await.contains("128"));
        assert!(
            error("ip_prefix('1.2.3', 3)")
                .await
                .contains("no IP address")
        );
        assert!(
            error("ip_prefix('01.2.3.4', 3)")
                .await
                .contains("no IP address")
        );
    }

    #[tokio::test]
    async fn casts_shorten_addresses_and_networks() {
        for (call, expected) in [
            ("\"$ipaddress\"('::ffff:1.2.3.4')", "1.2.3.4"),
            ("\"$ipaddress\"('2001:DB8::0:1')", "2001:db8::1"),
            (
                "\"$ipaddress\"(from_hex('00000000000000000000ffffc0a80709'))",
                "192.168.7.9",
            ),
            ("\"$ipprefix\"('10.1.2.3/8')", "10.0.0.0/8"),
            ("\"$ipprefix\"('::1')", "::1/128"),
            ("\"$ipprefix\"(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        assert!(
            error("\"$ipaddress\"('1.2.3')")
                .await
                .contains("no IP address")
        );
    }

    #[tokio::test]
    async fn networks_have_ends() {
        let query = "SELECT ip_subnet_range(x) FROM (VALUES ('64:ff9b::52f4/120'), ('0.0.0.0/0'), ('1.2.3.4/32'), (NULL)) t(x)";
        let expected = [
            "[64:ff9b::5200, 64:ff9b::52ff]",
            "[0.0.0.0, 255.255.255.255]",
            "[1.2.3.4, 1.2.3.4]",
            "NULL",
        ];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(
            value("ip_subnet_max('::/0')").await.unwrap(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
        assert!(
            error("ip_subnet_min('1.2.3.4')")
                .await
                .contains("no network")
        );
        assert!(
            error("ip_subnet_min('1.2.3.4/x')")
                .await
                .contains("no network")
        );
    }

    #[tokio::test]
    async fn networks_contain_addresses_and_networks() {
        let query = "SELECT is_subnet_of(x, y) FROM (VALUES ('1.2.3.128/26', '1.2.3.129'), ('1.2.3.128/26', '1.2.5.1'), ('192.168.3.131/26', '192.168.3.144/30'), ('192.168.3.131/26', '192.168.3.0/24'), ('::/0', '1.2.3.4'), ('1.2.3.0/24', '::1'), (NULL, '::1')) t(x, y)";
        let expected = ["true", "false", "true", "false", "true", "false", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
    }
}
