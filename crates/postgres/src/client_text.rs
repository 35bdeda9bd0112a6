//! Text from a client, in the encoding of its session and without zero bytes.

use bytes::BytesMut;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::Encoding;

use super::backend;

/// Decodes text from a client. `encoding`: `None` is UTF8.
///
/// # Errors
///
/// The bytes are not of the encoding, or contain a zero byte (`InvalidEncoding`), or have no
/// equivalent in UTF8 (`UntranslatableCharacter`).
pub(super) fn text(bytes: &[u8], encoding: Option<&'static Encoding>) -> Result<String> {
    match encoding {
        None => utf8(bytes),
        Some(encoding) => encoding.decode(bytes),
    }
}

/// Decodes text in UTF8.
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
    .with_hint("set client_encoding to the encoding of the texts that you send")
}

/// Converts the texts of the messages that `out` has from `start` on, which the server wrote in
/// UTF8: of errors and notices, parameter statuses and descriptions of rows.
///
/// # Errors
///
/// A character is not in the encoding (`UntranslatableCharacter`). The messages are taken back.
pub(super) fn convert_messages(
    out: &mut BytesMut,
    start: usize,
    encoding: &'static Encoding,
) -> Result<()> {
    if start >= out.len() {
        return Ok(());
    }
    let written = out.split_off(start);
    let mut rest = &written[..];
    while let [tag, a, b, c, d, ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (message, after) = rest.split_at_checked(1 + length).unwrap_or((rest, &[]));
        let body = message.get(5..).unwrap_or_default();
        match converted(*tag, body, encoding) {
            Ok(body) => backend::message(out, *tag, |out| out.extend_from_slice(&body)),
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
        rest = after;
    }
    Ok(())
}

/// Converts the texts of one message's body.
fn converted(tag: u8, body: &[u8], encoding: &'static Encoding) -> Result<Vec<u8>> {
    // Bytes at the beginning, and before and behind each text.
    let (head, before, behind) = match tag {
        b'E' | b'N' => (0, 1, 0),
        b'S' => (0, 0, 0),
        b'T' => (2, 0, 18),
        _ => return Ok(body.to_vec()),
    };
    let mut out = Vec::with_capacity(body.len());
    let mut rest = copied(&mut out, body, head);
    // The fields of an error end with a zero byte instead of a code.
    while !rest.is_empty() && rest != [0] {
        rest = copied(&mut out, rest, before);
        let end = rest.iter().position(|byte| *byte == 0);
        let (text, after) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, &[]));
        let text = std::str::from_utf8(text).map_err(|_| not_text(text))?;
        out.extend_from_slice(&encoding.encode(text)?);
        rest = copied(&mut out, after, 1 + behind);
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// Appends the first bytes, as many as there are, and returns the rest.
fn copied<'a>(out: &mut Vec<u8>, bytes: &'a [u8], length: usize) -> &'a [u8] {
    let (copied, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    out.extend_from_slice(copied);
    rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use lakegate_gateway::values::{Named, encoding_named};

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

    fn encoding(name: &str) -> &'static Encoding {
        match encoding_named(name) {
            Some(Named::Converted(encoding)) => encoding,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn texts_of_messages_are_converted_and_numbers_are_not() {
        let latin1 = encoding("LATIN1");
        let mut out = BytesMut::from(&b"before"[..]);
        backend::parameter_status(&mut out, "application_name", "é");
        let error = Error::invalid("Zoë").with_hint("naïf");
        backend::error(&mut out, backend::Severity::Error, &error);
        let columns = [(
            "é",
            None,
            crate::types::of_data_type(&datafusion::arrow::datatypes::DataType::Int32),
            crate::encode::Format::Text,
        )];
        backend::row_description(&mut out, columns.into_iter());
        backend::empty(&mut out, backend::tag::NO_DATA);
        convert_messages(&mut out, 6, latin1).unwrap();
        assert!(out.starts_with(b"before"));
        let rest = &out[6..];
        assert!(rest.starts_with(b"S\0\0\0\x17application_name\0\xe9\0E"));
        let has = |bytes: &[u8]| rest.windows(bytes.len()).any(|window| window == bytes);
        assert!(has(b"MZo\xeb\0Hna\xeff\0"));
        let row =
            b"T\0\0\0\x1a\0\x01\xe9\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0n\0\0\0\x04";
        assert!(rest.ends_with(row));
    }

    #[test]
    fn messages_with_other_characters_are_taken_back() {
        let mut out = BytesMut::from(&b"before"[..]);
        backend::parameter_status(&mut out, "a", "b");
        backend::parameter_status(&mut out, "application_name", "€");
        let error = convert_messages(&mut out, 6, encoding("LATIN1")).unwrap_err();
        assert_eq!(error.code().sqlstate(), "22P05");
        assert_eq!(&out[..], b"before");
    }
}
