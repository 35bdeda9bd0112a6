//! Addresses of networks and devices (`inet`, `cidr`, `macaddr`), which are texts here.
//!
//! ```text
//! address.rs     an address with the bits of its network: reading, writing, keys, parts
//! mac.rs         addresses of devices
//! functions.rs   the functions and operators of them
//! ```

mod address;
mod functions;
mod mac;

use lakegate_error::{Code, Error};

use self::address::Network;
pub use self::address::network_text;
pub(super) use self::functions::{
    CONTAINS, CONTAINS_OR_EQUAL, DISTANCE, MINUS, NETWORK, OVERLAP, PLUS, WITHIN, WITHIN_OR_EQUAL,
    all, function,
};

/// Returns an `inet` as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not an address.
pub(super) fn inet(text: &str) -> Result<String, Error> {
    Ok(inet_of(text)?.inet())
}

/// Returns a `cidr` as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not an address, or the address has bits that are not of its network.
pub(super) fn cidr(text: &str) -> Result<String, Error> {
    let network = Network::read_cidr(text).ok_or_else(|| invalid("cidr", text))?;
    if network.start() != network {
        let message = format!("invalid cidr value: \"{}\"", shown(text));
        return Err(Error::new(Code::InvalidCast, message)
            .with_detail("Value has bits set to right of mask."));
    }
    Ok(network.cidr())
}

/// Returns a text that compares as the address does.
///
/// # Errors
///
/// The text is not an address.
pub(super) fn key(text: &str) -> Result<String, Error> {
    Ok(inet_of(text)?.key())
}

/// Returns the text of an address that a cast makes of it, which always has the bits of its network.
///
/// # Errors
///
/// The text is not an address.
pub(super) fn full_text(text: &str) -> Result<String, Error> {
    Ok(inet_of(text)?.cidr())
}

/// Returns a `macaddr` as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not an address of a device.
pub(super) fn mac_address(text: &str) -> Result<String, Error> {
    let address = mac::read(text).ok_or_else(|| invalid("macaddr", text))?;
    Ok(mac::written(address))
}

fn inet_of(text: &str) -> Result<Network, Error> {
    Network::read(text).ok_or_else(|| invalid("inet", text))
}

fn invalid(pg_type: &str, text: &str) -> Error {
    let message = format!(
        "invalid input syntax for type {pg_type}: \"{}\"",
        shown(text)
    );
    Error::new(Code::InvalidCast, message)
}

/// Returns the start of a text, for a message.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
