//! Parts of network addresses (`inet`), which are texts here.

use std::net::IpAddr;

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

pub(super) fn functions() -> Vec<PgFunction> {
    let host = PgFunction::new("host", 1..=1, DataType::Utf8, |args| {
        let (address, _) = args.first().map_or_else(nothing, address)?;
        Ok(Cell::text(address.to_string()))
    });
    let family = PgFunction::new("family", 1..=1, DataType::Int32, |args| {
        let (address, _) = args.first().map_or_else(nothing, address)?;
        Ok(Cell::Int(if address.is_ipv4() { 4 } else { 6 }))
    });
    let length = PgFunction::new("masklen", 1..=1, DataType::Int32, |args| {
        let (_, bits) = args.first().map_or_else(nothing, address)?;
        Ok(Cell::Int(i64::from(bits)))
    });
    vec![host.immutable(), family.immutable(), length.immutable()]
}

fn nothing() -> Result<(IpAddr, u8), Error> {
    address(&Cell::Null)
}

/// Returns an address and the bits of its network.
///
/// # Errors
///
/// The text is no address.
fn address(cell: &Cell<'static>) -> Result<(IpAddr, u8), Error> {
    let text = cell.to_text().unwrap_or_default();
    parse(&text).ok_or_else(|| {
        let message = format!("invalid input syntax for type inet: \"{text}\"");
        Error::new(Code::InvalidCast, message)
    })
}

fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|digit| digit.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    (bits <= most).then_some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_network() {
        for (text, expected) in [
            ("192.168.1.5/24", Some("192.168.1.5 24")),
            ("192.168.1.5", Some("192.168.1.5 32")),
            ("::1", Some("::1 128")),
            ("2001:0DB8::0001/64", Some("2001:db8::1 64")),
            ("192.168.1.5/33", None),
            ("192.168.1.5/+2", None),
            ("192.168.1.5/", None),
            ("192.168.1.256", None),
            ("localhost", None),
            ("", None),
        ] {
            let found = parse(text).map(|(address, bits)| format!("{address} {bits}"));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
