//! The binary forms of types whose values are texts here, such as `inet` and `pg_lsn`, as
//! PostgreSQL's send functions write them and its receive functions read them.
//!
//! ```text
//! numeric        digits in groups of four, their weight, the sign, the digits after the point
//! inet, cidr     family (2 or 3), bits of the network, 0 or 1 for cidr, bytes of the address, address
//! macaddr        6 bytes
//! int4range …    see range_forms.rs
//! point …        see value_forms.rs
//! bit, varbit    4 bytes of the number of bits, the bits, zeros up to the next byte
//! pg_lsn         8 bytes
//! tid            4 bytes of the block, 2 bytes of the place in it
//! "char"         1 byte
//! regclass …     4 bytes of the object's id
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use lakegate_error::{Error, Result};
use lakegate_gateway::values::time::{Clock, ZonedTime};
use lakegate_gateway::values::{network_text, object_number};

use super::params::invalid;
use super::range_forms;
use super::types::{self, oid};
use super::value_forms;

/// The families of addresses in the form of `inet`.
const IPV4: u8 = 2;
const IPV6: u8 = 3;

/// How a text is written in binary format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its bytes.
    Plain,
    /// A version, and its bytes.
    Jsonb,
    Uuid,
    Numeric,
    Timetz,
    Char,
    /// `inet` or `cidr`.
    Network {
        is_cidr: bool,
    },
    MacAddress,
    /// One of `value_forms.rs`.
    Value(u32),
    /// `bit` or `varbit`.
    Bits(u32),
    /// A range of the type.
    Range(u32),
    LogPosition,
    RowPlace,
    /// The number of an object whose name the text is.
    Object(u32),
    /// There is none, or none of the text alone.
    Missing(u32),
}

impl Form {
    /// Returns the form of a type.
    pub(crate) fn of(type_oid: u32) -> Self {
        match type_oid {
            oid::JSONB => Self::Jsonb,
            oid::UUID => Self::Uuid,
            oid::NUMERIC => Self::Numeric,
            oid::TIMETZ => Self::Timetz,
            oid::CHAR => Self::Char,
            oid::INET => Self::Network { is_cidr: false },
            oid::CIDR => Self::Network { is_cidr: true },
            oid::MACADDR => Self::MacAddress,
            oid::BIT | oid::VARBIT => Self::Bits(type_oid),
            oid::INT4RANGE
            | oid::INT8RANGE
            | oid::NUMRANGE
            | oid::TSRANGE
            | oid::TSTZRANGE
            | oid::DATERANGE => Self::Range(type_oid),
            oid::PG_LSN => Self::LogPosition,
            oid::TID => Self::RowPlace,
            oid::ACLITEM
            | oid::ANYARRAY
            | oid::INT2VECTOR
            | oid::OIDVECTOR
            | oid::PG_NDISTINCT
            | oid::PG_DEPENDENCIES
            | oid::PG_MCV_LIST => Self::Missing(type_oid),
            other if types::is_value(other) => Self::Value(other),
            other if types::oid_like(other) => Self::Object(other),
            _ => Self::Plain,
        }
    }

    /// Appends the form of a text; that of [`Form::Plain`] and [`Form::Jsonb`] is the text itself.
    ///
    /// # Errors
    ///
    /// The text is not a value of the type, or the type has no binary form here.
    pub(crate) fn put(self, out: &mut BytesMut, text: &str) -> Result<()> {
        match self {
            Self::Plain | Self::Jsonb => out.put_slice(text.as_bytes()),
            Self::Uuid => match uuid::Uuid::parse_str(text) {
                Ok(uuid) => out.put_slice(uuid.as_bytes()),
                Err(_) => return Err(invalid(oid::UUID, text)),
            },
            Self::Numeric => {
                put_numeric(out, text).ok_or_else(|| invalid(oid::NUMERIC, text))?;
            }
            Self::Timetz => {
                // Values have their offsets.
                let time = ZonedTime::read(text, Clock::UTC, 0);
                let time = time.map_err(|_| invalid(oid::TIMETZ, text))?;
                out.put_i64(time.micros);
                // Seconds west of UTC.
                out.put_i32(-time.offset);
            }
            Self::Char => out.put_u8(byte(text)),
            Self::Network { is_cidr } => {
                let type_oid = if is_cidr { oid::CIDR } else { oid::INET };
                let (address, bits) = network(text).ok_or_else(|| invalid(type_oid, text))?;
                put_network(out, address, bits, is_cidr);
            }
            Self::MacAddress => {
                let address = mac_address(text).ok_or_else(|| invalid(oid::MACADDR, text))?;
                out.put_slice(&address);
            }
            Self::Value(type_oid) => {
                value_forms::put(out, type_oid, text).ok_or_else(|| invalid(type_oid, text))?;
            }
            Self::Bits(type_oid) => {
                put_bits(out, text).ok_or_else(|| invalid(type_oid, text))?;
            }
            Self::Range(type_oid) => {
                range_forms::put(out, type_oid, text).ok_or_else(|| invalid(type_oid, text))?;
            }
            Self::LogPosition => {
                out.put_u64(position(text).ok_or_else(|| invalid(oid::PG_LSN, text))?);
            }
            Self::RowPlace => {
                let (block, place) = row_place(text).ok_or_else(|| invalid(oid::TID, text))?;
                out.put_u32(block);
                out.put_u16(place);
            }
            Self::Object(type_oid) => match number(type_oid, text) {
                Some(number) => out.put_u32(number),
                None => return Err(without_form(type_oid)),
            },
            Self::Missing(type_oid) => return Err(without_form(type_oid)),
        }
        Ok(())
    }
}

fn without_form(type_oid: u32) -> Error {
    let name = types::type_name(type_oid);
    Error::not_supported(format!(
        "values of {name} have no binary format in this result"
    ))
    .with_hint("request the text format, or cast the value: x::text")
}

/// The most digits after the point: their number has 14 bits.
const MAX_SCALE: u16 = 0x3fff;

/// Appends the number of a text in decimal digits; `None` if it is none.
pub(crate) fn put_numeric(out: &mut BytesMut, text: &str) -> Option<()> {
    // Infinite numbers have a bit of their sign among the digits after the point (`numeric_send`).
    let special: Option<[u16; 4]> = match text {
        "NaN" => Some([0, 0, 0xc000, 0]),
        "Infinity" => Some([0, 0, 0xd000, 0x20]),
        "-Infinity" => Some([0, 0, 0xf000, 0x20]),
        _ => None,
    };
    if let Some(words) = special {
        words.into_iter().for_each(|word| out.put_u16(word));
        return Some(());
    }
    let (negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = u16::try_from(fraction.len()).ok();
    let scale = scale.filter(|scale| *scale <= MAX_SCALE)?;
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let before = "0".repeat(whole.len().next_multiple_of(4) - whole.len());
    let after = "0".repeat(fraction.len().next_multiple_of(4) - fraction.len());
    let digits = format!("{before}{whole}{fraction}{after}");
    let groups = digits.as_bytes().chunks(4).map(|group| {
        group.iter().try_fold(0u16, |value, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            Some(value * 10 + u16::from(digit))
        })
    });
    let groups: Vec<u16> = groups.collect::<Option<_>>()?;
    let first = groups.iter().position(|group| *group != 0);
    let last = groups.iter().rposition(|group| *group != 0);
    let (weight, groups) = match first.zip(last) {
        Some((first, last)) => {
            let weight = i16::try_from(whole.len().div_ceil(4)).ok()?;
            let weight = weight.checked_sub(i16::try_from(first).ok()?)?;
            (weight.checked_sub(1)?, groups.get(first..=last)?)
        }
        None => (0, &[][..]),
    };
    out.put_u16(u16::try_from(groups.len()).ok()?);
    out.put_i16(weight);
    // Zero has no sign.
    out.put_u16(match negative && !groups.is_empty() {
        true => 0x4000,
        false => 0,
    });
    out.put_u16(scale);
    groups.iter().for_each(|group| out.put_u16(*group));
    Some(())
}

/// Returns the byte of a `"char"`, which is shown as `\351` from 128 on.
fn byte(text: &str) -> u8 {
    let octal = text
        .strip_prefix('\\')
        .filter(|digits| digits.len() == 3)
        .and_then(|digits| u8::from_str_radix(digits, 8).ok());
    octal.unwrap_or_else(|| text.bytes().next().unwrap_or(0))
}

/// Returns the text of the byte of a `"char"`.
fn char_text(byte: u8) -> String {
    match byte {
        0 => String::new(),
        1..128 => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// Reads an address with the bits of its network, as results have it.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

fn put_network(out: &mut BytesMut, address: IpAddr, bits: u8, is_cidr: bool) {
    let mut head = |family: u8, length: u8| {
        out.put_slice(&[family, bits, u8::from(is_cidr), length]);
    };
    match address {
        IpAddr::V4(address) => {
            head(IPV4, 4);
            out.put_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            head(IPV6, 16);
            out.put_slice(&address.octets());
        }
    }
}

/// Appends the bits of a text of the digits 0 and 1; `None` if it has others.
fn put_bits(out: &mut BytesMut, text: &str) -> Option<()> {
    if !text.bytes().all(|digit| matches!(digit, b'0' | b'1')) {
        return None;
    }
    out.put_i32(i32::try_from(text.len()).ok()?);
    for digits in text.as_bytes().chunks(8) {
        let bits = digits
            .iter()
            .fold(0, |bits: u8, digit| (bits << 1) | u8::from(*digit == b'1'));
        // The first bit is the highest one.
        out.put_u8(bits << (8 - digits.len()));
    }
    Some(())
}

/// Reads bits as a text of the digits 0 and 1.
fn read_bits(bytes: &[u8]) -> Option<String> {
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    if bytes.len() != length.div_ceil(8) {
        return None;
    }
    let is_set = |place: usize| {
        let byte = bytes.get(place / 8);
        byte.is_some_and(|byte| byte & (0x80_u8 >> (place % 8)) != 0)
    };
    let digits = (0..length).map(|place| if is_set(place) { '1' } else { '0' });
    Some(digits.collect())
}

fn mac_address(text: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut address {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(address)
}

/// Reads a position in the log: `16/B374D848`.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |digits: &str| u32::from_str_radix(digits, 16).ok();
    Some((u64::from(half(high)?) << 32) | u64::from(half(low)?))
}

/// Reads the place of a row: `(0,1)`.
fn row_place(text: &str) -> Option<(u32, u16)> {
    let (block, place) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some((block.parse().ok()?, place.parse().ok()?))
}

/// Returns the number of an object; `-` stands for none, and a number for one without a name. Tables,
/// schemas and users have numbers that their names do not tell.
fn number(type_oid: u32, text: &str) -> Option<u32> {
    match text {
        "-" => Some(0),
        text => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => object_number(&types::type_name(type_oid), text),
        },
    }
}

/// Reads a parameter of one of these types into its text. The outer `None` stands for another type,
/// the inner one for bytes that are no value of it.
pub(crate) fn read(type_oid: u32, bytes: &[u8]) -> Option<Option<String>> {
    Some(match type_oid {
        oid::CHAR => match bytes {
            [byte] => Some(char_text(*byte)),
            _ => None,
        },
        oid::INET | oid::CIDR => read_network(bytes, type_oid == oid::CIDR),
        oid::MACADDR => <[u8; 6]>::try_from(bytes).ok().map(|address| {
            let parts = address.map(|byte| format!("{byte:02x}"));
            parts.join(":")
        }),
        oid::BIT | oid::VARBIT => read_bits(bytes),
        oid::PG_LSN => <[u8; 8]>::try_from(bytes).ok().map(|bytes| {
            let position = u64::from_be_bytes(bytes);
            format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
        }),
        oid::TID => match bytes {
            [a, b, c, d, e, f] => {
                let block = u32::from_be_bytes([*a, *b, *c, *d]);
                let place = u16::from_be_bytes([*e, *f]);
                Some(format!("({block},{place})"))
            }
            _ => None,
        },
        other if types::is_value(other) => value_forms::read(other, bytes),
        other => return range_forms::read(other, bytes),
    })
}

fn read_network(bytes: &[u8], is_cidr: bool) -> Option<String> {
    let [family, bits, _, length, address @ ..] = bytes else {
        return None;
    };
    let address = match (*family, *length) {
        (IPV4, 4) => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)),
        (IPV6, 16) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
        _ => return None,
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    (*bits <= most).then(|| network_text(address, *bits, is_cidr))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // The bytes are those of PostgreSQL 15's send functions.
    #[test]
    fn forms_are_those_of_postgres() {
        let cases: [(u32, &str, &[u8]); 23] = [
            (oid::INET, "10.1.2.3", &[2, 32, 0, 4, 10, 1, 2, 3]),
            (oid::INET, "10.1.2.3/8", &[2, 8, 0, 4, 10, 1, 2, 3]),
            (oid::CIDR, "10.0.0.0/8", &[2, 8, 1, 4, 10, 0, 0, 0]),
            (
                oid::INET,
                "::1",
                &[
                    3, 128, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                ],
            ),
            (
                oid::CIDR,
                "2001:db8::/32",
                &[
                    3, 32, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
            (
                oid::INET,
                "::1.2.3.4",
                &[
                    3, 128, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4,
                ],
            ),
            (oid::MACADDR, "08:00:2b:01:02:03", &[8, 0, 0x2b, 1, 2, 3]),
            (oid::BIT, "101", &[0, 0, 0, 3, 0xa0]),
            (oid::BIT, "101010101", &[0, 0, 0, 9, 0xaa, 0x80]),
            (oid::VARBIT, "00000001", &[0, 0, 0, 8, 1]),
            (oid::VARBIT, "", &[0; 4]),
            (oid::PG_LSN, "0/0", &[0; 8]),
            (
                oid::PG_LSN,
                "16/B374D848",
                &[0, 0, 0, 0x16, 0xb3, 0x74, 0xd8, 0x48],
            ),
            (oid::PG_LSN, "FFFFFFFF/FFFFFFFF", &[255; 8]),
            (oid::TID, "(0,1)", &[0, 0, 0, 0, 0, 1]),
            (oid::TID, "(4294967295,65535)", &[255; 6]),
            (oid::CHAR, "r", b"r"),
            (oid::CHAR, "", &[0]),
            (oid::CHAR, "\\303", &[0o303]),
            (oid::REGCLASS, "-", &[0; 4]),
            (oid::REGCLASS, "4294967295", &[255; 4]),
            (oid::REGTYPE, "integer", &[0, 0, 0, 23]),
            (oid::NAME, "é", "é".as_bytes()),
        ];
        for (type_oid, text, bytes) in cases {
            let mut out = BytesMut::new();
            Form::of(type_oid).put(&mut out, text).unwrap();
            assert_eq!(&out[..], bytes, "{text}");
            if let Some(read) = read(type_oid, bytes) {
                assert_eq!(read.as_deref(), Some(text));
            }
        }
    }

    #[test]
    fn texts_of_numbers_have_the_form_of_numbers() {
        let cases: [(&str, &[u16]); 10] = [
            ("0", &[0, 0, 0, 0]),
            ("0.00", &[0, 0, 0, 2]),
            ("-0.0", &[0, 0, 0, 1]),
            ("1.50", &[2, 0, 0, 2, 1, 5000]),
            ("-12345.678", &[3, 1, 0x4000, 3, 1, 2345, 6780]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("0.00001", &[1, 0xfffe, 0, 5, 1000]),
            ("NaN", &[0, 0, 0xc000, 0]),
            ("Infinity", &[0, 0, 0xd000, 0x20]),
            ("-Infinity", &[0, 0, 0xf000, 0x20]),
        ];
        for (text, words) in cases {
            let mut out = BytesMut::new();
            Form::Numeric.put(&mut out, text).unwrap();
            let expected: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(&out[..], expected, "{text}");
        }
        let long = "9".repeat(100);
        Form::Numeric.put(&mut BytesMut::new(), &long).unwrap();
    }

    #[test]
    fn other_texts_and_bytes_are_refused() {
        for (type_oid, text) in [
            (oid::NUMERIC, "1e5"),
            (oid::NUMERIC, "1.2.3"),
            (oid::NUMERIC, ""),
            (oid::NUMERIC, "-."),
            (oid::INET, "10.1.2"),
            (oid::INET, "10.1.2.3/33"),
            (oid::MACADDR, "08:00:2b:01:02"),
            (oid::MACADDR, "08:00:2b:01:02:03:04"),
            (oid::BIT, "102"),
            (oid::PG_LSN, "0"),
            (oid::TID, "(0,65536)"),
            (oid::UUID, "x"),
            (oid::REGCLASS, "orders"),
            (oid::ACLITEM, "=r/admin"),
            (oid::ANYARRAY, "{1}"),
        ] {
            let put = Form::of(type_oid).put(&mut BytesMut::new(), text);
            assert!(put.is_err(), "{text}");
        }
        let long = [0_u8; 5];
        let wrong: [(u32, &[u8]); 12] = [
            (oid::INET, &[]),
            (oid::INET, &[2, 33, 0, 4, 1, 2, 3, 4]),
            (oid::INET, &[2, 32, 0, 4, 1, 2, 3]),
            (oid::INET, &[3, 32, 0, 4, 1, 2, 3, 4]),
            (oid::MACADDR, &long),
            (oid::BIT, &[0, 0, 0, 9, 1]),
            (oid::BIT, &[0, 0, 0, 8, 1, 0]),
            (oid::VARBIT, &[255, 255, 255, 255]),
            (oid::VARBIT, &[0, 0, 0]),
            (oid::PG_LSN, &long),
            (oid::TID, &long),
            (oid::CHAR, b"ab"),
        ];
        for (type_oid, bytes) in wrong {
            assert_eq!(read(type_oid, bytes), Some(None), "{type_oid}");
        }
        assert_eq!(read(oid::TEXT, b"a"), None);
    }
}
