//! Addresses of devices (`macaddr`): six bytes.

const BYTES: usize = 6;

/// The bytes of the longest form.
const LONGEST: usize = 17;

/// Reads an address in one of PostgreSQL's forms:
///
/// ```text
/// 08:00:2b:01:02:03   08-00-2b-01-02-03    one or two digits a byte
/// 08002b:010203       08002b-010203
/// 0800.2b01.0203      0800-2b01-0203
/// 08002b010203
/// ```
pub(super) fn read(text: &str) -> Option<[u8; BYTES]> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let of_parts = |separator: char, parts: usize, digits: usize| {
        let found: Vec<&str> = text.split(separator).collect();
        (found.len() == parts && found.iter().all(|part| part.len() == digits))
            .then(|| found.concat())
    };
    let digits = bytes_apart(text, ':')
        .or_else(|| bytes_apart(text, '-'))
        .or_else(|| of_parts(':', 2, 6))
        .or_else(|| of_parts('-', 2, 6))
        .or_else(|| of_parts('.', 3, 4))
        .or_else(|| of_parts('-', 3, 4))
        .unwrap_or_else(|| text.to_owned());
    if digits.len() != 2 * BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(&digits, 16).ok()?;
    let [_, _, address @ ..] = number.to_be_bytes();
    Some(address)
}

/// Returns the digits of bytes that are apart, two for each.
fn bytes_apart(text: &str, separator: char) -> Option<String> {
    let parts: Vec<&str> = text.split(separator).collect();
    let fit = parts.len() == BYTES && parts.iter().all(|part| (1..=2).contains(&part.len()));
    fit.then(|| parts.iter().map(|part| format!("{part:0>2}")).collect())
}

/// Returns the text of an address, as PostgreSQL writes it.
pub(super) fn written(address: [u8; BYTES]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn forms_of_postgres_are_read() {
        let one = Some("08:00:2b:01:02:03");
        for (text, expected) in [
            ("08:00:2b:01:02:03", one),
            ("08-00-2B-01-02-03", one),
            ("8:0:2b:1:2:3", one),
            ("08002b:010203", one),
            ("08002b-010203", one),
            ("0800.2b01.0203", one),
            ("0800-2b01-0203", one),
            ("08002b010203", one),
            (" 08002b010203 ", one),
            ("08:00:2b:01:02", None),
            ("08:00:2b:01:02:03:04", None),
            ("08:00:2b:01:02:300", None),
            ("08:00:2b:01:02:", None),
            ("+8:00:2b:01:02:03", None),
            ("08002b01020", None),
            ("é8002b010203", None),
            ("", None),
            (":".repeat(1_000).as_str(), None),
        ] {
            let found = read(text).map(written);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
