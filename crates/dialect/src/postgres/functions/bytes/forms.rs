//! Bytes as text: the forms of `encode` and `decode`, and the encodings of text.

use lakegate_error::{Code, Error};

use super::wrong;
use crate::postgres::bytea::{bytea_of, decode_hex};
use crate::postgres::encodings::{Encoding, Named, encoding_named};

/// A form of bytes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Hex,
    /// In lines of 76 characters.
    Base64,
    Escape,
}

/// Characters of a line in base64.
const LINE: usize = 76;

const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Form {
    /// # Errors
    ///
    /// There is no form of this name.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_str() {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            "escape" => Ok(Self::Escape),
            _ => Err(wrong(format!("unrecognized encoding: \"{name}\""))
                .with_hint("the forms are base64, escape and hex")),
        }
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => {
                let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                digits
                    .filter_map(|digit| char::from_digit(u32::from(digit), 16))
                    .collect()
            }
            Self::Base64 => encode_base64(bytes),
            Self::Escape => {
                let mut text = String::with_capacity(bytes.len());
                for byte in bytes {
                    match byte {
                        b'\\' => text.push_str("\\\\"),
                        0 | 0x80.. => text.push_str(&format!("\\{byte:03o}")),
                        byte => text.push(char::from(*byte)),
                    }
                }
                text
            }
        }
    }

    /// # Errors
    ///
    /// The text is not of this form.
    pub(super) fn decode(self, text: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::Hex => decode_hex(text),
            Self::Base64 => decode_base64(text),
            // `\x` begins hex digits only in a literal.
            Self::Escape if text.starts_with("\\x") => {
                Err(wrong("invalid input syntax for type bytea"))
            }
            Self::Escape => bytea_of(text),
        }
    }
}

fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + bytes.len() / 57 + 4);
    let mut column = 0;
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let value = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4usize {
            if place > group.len() {
                text.push('=');
                continue;
            }
            let six = value >> (18 - 6 * place) & 63;
            let symbol = usize::try_from(six).ok().and_then(|six| SYMBOLS.get(six));
            text.push(symbol.map_or('=', |symbol| char::from(*symbol)));
        }
        column += 4;
        if column == LINE {
            text.push('\n');
            column = 0;
        }
    }
    text
}

fn decode_base64(text: &str) -> Result<Vec<u8>, Error> {
    let incomplete = || {
        wrong("invalid base64 end sequence")
            .with_hint("input data is missing padding, is truncated, or is otherwise corrupted")
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut value, mut symbols, mut padding) = (0u32, 0usize, 0usize);
    for character in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        let six = match character {
            'A'..='Z' => u32::from(character) - u32::from('A'),
            'a'..='z' => u32::from(character) - u32::from('a') + 26,
            '0'..='9' => u32::from(character) - u32::from('0') + 52,
            '+' => 62,
            '/' => 63,
            '=' if symbols >= 2 => {
                padding += 1;
                0
            }
            '=' => return Err(wrong("unexpected \"=\" while decoding base64 sequence")),
            other => {
                return Err(wrong(format!(
                    "invalid symbol \"{other}\" found while decoding base64 sequence"
                )));
            }
        };
        if padding > 0 && character != '=' {
            return Err(incomplete());
        }
        value = value << 6 | six;
        symbols += 1;
        if symbols == 4 {
            let group = value.to_be_bytes();
            bytes.extend(group.iter().skip(1).take(3usize.saturating_sub(padding)));
            (value, symbols, padding) = (0, 0, 0);
        }
    }
    match symbols {
        0 => Ok(bytes),
        _ => Err(incomplete()),
    }
}

/// An encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Ascii,
    Converted(&'static Encoding),
}

impl Charset {
    /// # Errors
    ///
    /// The encoding does not exist or is not supported.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        match encoding_named(name) {
            Some(Named::Same("UTF8")) => Ok(Self::Utf8),
            Some(Named::Same(_)) => Ok(Self::Ascii),
            Some(Named::Converted(encoding)) => Ok(Self::Converted(encoding)),
            Some(Named::Unsupported(name)) => Err(Error::not_supported(format!(
                "the encoding \"{name}\" is not supported"
            ))),
            None => Err(wrong(format!("invalid encoding name \"{name}\""))
                .with_hint("encodings are those of client_encoding, such as UTF8 and LATIN1")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF8",
            Self::Ascii => "SQL_ASCII",
            Self::Converted(encoding) => encoding.name(),
        }
    }

    /// Returns bytes in this encoding as text.
    ///
    /// # Errors
    ///
    /// The bytes are not valid in it.
    pub(super) fn text(self, bytes: &[u8]) -> Result<String, Error> {
        let invalid = |byte: u8| {
            Error::new(
                Code::InvalidEncoding,
                format!(
                    "invalid byte sequence for encoding \"{}\": 0x{byte:02x}",
                    self.name()
                ),
            )
        };
        if let Self::Converted(encoding) = self {
            return encoding.decode(bytes);
        }
        if bytes.contains(&0) {
            return Err(invalid(0));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let byte = bytes.get(error.valid_up_to()).copied();
            invalid(byte.unwrap_or_default())
        })?;
        match bytes.iter().find(|byte| !byte.is_ascii()) {
            Some(byte) if self == Self::Ascii => Err(invalid(*byte)),
            _ => Ok(text.to_owned()),
        }
    }

    /// Returns a text in this encoding.
    ///
    /// # Errors
    ///
    /// It lacks one of the characters.
    pub(super) fn bytes(self, text: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Converted(encoding) => Ok(encoding.encode(text)?.into_owned()),
            Self::Ascii => match text.chars().find(|character| !character.is_ascii()) {
                None => Ok(text.as_bytes().to_vec()),
                Some(character) => Err(wrong(format!(
                    "character \"{character}\" has no equivalent in encoding \"{}\"",
                    self.name()
                ))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected texts: PostgreSQL 15.
    #[test]
    fn bytes_are_written_as_postgres_writes_them() {
        assert_eq!(Form::Base64.encode(b"abc"), "YWJj");
        assert_eq!(Form::Base64.encode(b"ab"), "YWI=");
        assert_eq!(Form::Base64.encode(b"a"), "YQ==");
        assert_eq!(Form::Base64.encode(b""), "");
        let long = Form::Base64.encode(&[b'a'; 58]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [76, 4]);
        assert!(Form::Base64.encode(&[b'a'; 57]).ends_with('\n'));
        assert_eq!(Form::Escape.encode(b"a\0b\\\xff"), "a\\000b\\\\\\377");
        assert_eq!(Form::Hex.encode(b"\x12\xab"), "12ab");
    }

    #[test]
    fn forms_are_read_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        for form in [Form::Hex, Form::Base64, Form::Escape] {
            assert_eq!(form.decode(&form.encode(&bytes)).unwrap(), bytes);
        }
        assert_eq!(Form::Base64.decode("Y W\nJj").unwrap(), b"abc");
        assert_eq!(Form::Base64.decode("YQ==YQ==").unwrap(), b"aa");
        for (form, text) in [
            (Form::Base64, "YQ"),
            (Form::Base64, "Y==="),
            (Form::Base64, "YQ="),
            (Form::Base64, "YW%j"),
            (Form::Base64, "é"),
            (Form::Hex, "1"),
            (Form::Hex, "zz"),
            (Form::Hex, "0 1"),
            (Form::Escape, "\\9"),
            (Form::Escape, "\\x61"),
        ] {
            assert!(form.decode(text).is_err(), "{text}");
        }
        assert!(Form::named("foo").is_err());
    }

    #[test]
    fn texts_have_encodings() {
        let latin1 = Charset::named("latin1").unwrap();
        assert_eq!(latin1.text(b"\xe9").unwrap(), "é");
        assert_eq!(latin1.bytes("é").unwrap(), b"\xe9");
        let windows = Charset::named("WIN1252").unwrap();
        assert_eq!(windows.text(b"\x80").unwrap(), "€");
        assert_eq!(Charset::named("utf-8").unwrap(), Charset::Utf8);
        assert!(Charset::Utf8.text(b"\xff").is_err());
        assert!(latin1.bytes("☃").is_err());
        assert!(Charset::Ascii.bytes("é").is_err());
        assert!(Charset::named("MULE_INTERNAL").is_err());
        assert!(Charset::named("cp1252").is_err());
    }
}
