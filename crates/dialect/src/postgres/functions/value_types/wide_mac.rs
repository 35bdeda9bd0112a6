//! Addresses of devices (`macaddr8`): eight bytes. One of six bytes becomes one of eight.

use lakegate_error::Error;

use super::{invalid, is_blank};

const BYTES: usize = 8;

/// Returns an address as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not an address of a device.
pub(super) fn text(text: &str) -> Result<String, Error> {
    let address = read(text).ok_or_else(|| invalid("macaddr8", text))?;
    Ok(address.map(|byte| format!("{byte:02x}")).join(":"))
}

/// Reads two digits a byte, with one of the signs `:`, `-` and `.` after any of them. As in PostgreSQL,
/// one more character at the end is passed over.
fn read(text: &str) -> Option<[u8; BYTES]> {
    let mut rest = text.trim_start_matches(is_blank).as_bytes();
    let mut bytes: Vec<u8> = Vec::with_capacity(BYTES);
    let mut sign = None;
    while let [high, low, after @ ..] = rest {
        if bytes.len() == BYTES {
            return None;
        }
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = after;
        if let [found @ (b':' | b'-' | b'.'), after @ ..] = rest {
            if *sign.get_or_insert(*found) != *found {
                return None;
            }
            rest = after;
        }
        let may_end = matches!(bytes.len(), 6 | BYTES);
        if may_end && rest.first().is_some_and(|byte| is_blank(char::from(*byte))) {
            let is_end = rest.iter().all(|byte| is_blank(char::from(*byte)));
            if !is_end {
                return None;
            }
            rest = &[];
        }
    }
    match bytes.as_slice() {
        [a, b, c, d, e, f] => Some([*a, *b, *c, 0xff, 0xfe, *d, *e, *f]),
        eight => <[u8; BYTES]>::try_from(eight).ok(),
    }
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn forms_of_postgres_are_read() {
        let one = Some("08:00:2b:01:02:03:04:05");
        let short = Some("08:00:2b:ff:fe:01:02:03");
        for (address, expected) in [
            ("08:00:2b:01:02:03:04:05", one),
            ("08-00-2B-01-02-03-04-05", one),
            ("08002b:0102030405", one),
            ("08002b0102030405", one),
            ("08:00:2b:01:02:03:04:05:", one),
            ("08:00:2b:01:02:03:04:05x", one),
            ("08:00:2b:01:02:03", short),
            ("0800-2b01-0203", short),
            (" 08.00.2b.01.02.03 ", short),
            ("08002B-0102:030405", None),
            ("08:00:2b:01:02:03  x", None),
            ("08:00:2b:01:02", None),
            ("08:00:2b:01:02:03:04:05:06", None),
            ("zz:00:2b:01:02:03", None),
            ("é8002b010203", None),
            ("", None),
        ] {
            let found = text(address).ok();
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }
}
