//! Text from a client, which is UTF8 without zero bytes.

use lakegate_error::{Code, Error, Result};

/// Decodes text from a client. The only client encoding is UTF8.
///
/// # Errors
///
/// The bytes are not UTF8, or contain a zero byte (`InvalidEncoding`).
pub(super) fn utf8(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).ok();
    let text = text.filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| not_text(bytes))
}

/// Returns the error of bytes that are not text: the first character that is none, in PostgreSQL's
/// words.
pub(super) fn not_text(bytes: &[u8]) -> Error {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text.find('\0').unwrap_or_default(),
        Err(error) => error.valid_up_to(),
    };
    let rest = bytes.get(valid..).unwrap_or_default();
    let length = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = rest
        .iter()
        .take(length)
        .map(|byte| format!("0x{byte:02x}"))
        .collect();
    Error::new(
        Code::InvalidEncoding,
        format!(
            "invalid byte sequence for encoding \"UTF8\": {}",
            shown.join(" ")
        ),
    )
    .with_hint("the only client encoding is UTF8: set client_encoding to it")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_bytes_that_are_no_text_are_named() {
        assert_eq!(utf8("é€".as_bytes()).unwrap(), "é€");
        for (bytes, named) in [
            (&b"a\xffb"[..], "0xff"),
            (&b"a\0b"[..], "0x00"),
            (&b"\xe2\x28\xa1"[..], "0xe2 0x28 0xa1"),
            (&b"ab\xc3"[..], "0xc3"),
            (&b"\xf0\x9f\x98"[..], "0xf0 0x9f 0x98"),
            (&b"\xed\xa0\x80x"[..], "0xed 0xa0 0x80"),
        ] {
            let error = utf8(bytes).unwrap_err();
            assert_eq!(error.code().sqlstate(), "22021");
            assert_eq!(
                error.message(),
                format!("invalid byte sequence for encoding \"UTF8\": {named}")
            );
        }
    }
}
