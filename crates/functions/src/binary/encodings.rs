//! Bytes as texts and back: hexadecimal digits, base 64 and base 32.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Int32Type};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion::error::Result;
use datafusion::functions::string::to_hex as to_hex_of_integers;
use datafusion::logical_expr::{Coercion, TypeSignatureClass};
use lakegate_error::Error;

use super::{SECTION, each};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{Bytes, argument, as_type, bytes, invalid, quoted, takes, text};
use crate::text::called;

static TO_HEX: Page = Page {
    name: "to_hex",
    section: SECTION,
    syntax: "to_hex(value)",
    sentence: "Returns a varbinary, or an integer, in hexadecimal digits.",
    example: "to_hex(to_utf8('hi'))",
    result: "6869",
};

static FROM_HEX: Page = Page {
    name: "from_hex",
    section: SECTION,
    syntax: "from_hex(digits)",
    sentence: "Returns the varbinary of hexadecimal digits.",
    example: "from_hex('6869')",
    result: "68 69",
};

static TO_BASE64: Page = Page {
    name: "to_base64",
    section: SECTION,
    syntax: "to_base64(varbinary)",
    sentence: "Returns a varbinary in base 64.",
    example: "to_base64(to_utf8('hello'))",
    result: "aGVsbG8=",
};

static FROM_BASE64: Page = Page {
    name: "from_base64",
    section: SECTION,
    syntax: "from_base64(text)",
    sentence: "Returns the varbinary of a text in base 64.",
    example: "from_utf8(from_base64('aGVsbG8='))",
    result: "hello",
};

static TO_BASE64URL: Page = Page {
    name: "to_base64url",
    section: SECTION,
    syntax: "to_base64url(varbinary)",
    sentence: "Returns a varbinary in base 64 with the letters for URLs.",
    example: "to_base64url(from_hex('fbff'))",
    result: "-_8=",
};

static FROM_BASE64URL: Page = Page {
    name: "from_base64url",
    section: SECTION,
    syntax: "from_base64url(text)",
    sentence: "Returns the varbinary of a text in base 64 with the letters for URLs.",
    example: "from_base64url('-_8=')",
    result: "fb ff",
};

static TO_BASE32: Page = Page {
    name: "to_base32",
    section: SECTION,
    syntax: "to_base32(varbinary)",
    sentence: "Returns a varbinary in base 32.",
    example: "to_base32(to_utf8('hello'))",
    result: "NBSWY3DP",
};

static FROM_BASE32: Page = Page {
    name: "from_base32",
    section: SECTION,
    syntax: "from_base32(text)",
    sentence: "Returns the varbinary of a text in base 32.",
    example: "from_utf8(from_base32('NBSWY3DP'))",
    result: "hello",
};

/// Java's decoders take a text without its padding, and do not look at the bits that are left over.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn entries() -> Vec<Entry> {
    let encodes = || vec![takes([bytes()])];
    let decodes = || vec![takes([text()]), takes([bytes()])];
    let utf8 = || Returns::Type(DataType::Utf8);
    let binary = || Returns::Type(DataType::Binary);
    let integer = Coercion::new_exact(TypeSignatureClass::Integer);
    let all = [
        // PostgreSQL's takes an integer.
        Kernel::new(
            &TO_HEX,
            vec![takes([bytes()]), takes([integer])],
            Returns::From(hex_type),
            |call| match argument(call, 0)?.array.data_type().is_integer() {
                true => hex_of_integers(call),
                false => encoded(call, |length| length.saturating_mul(2), add_hex),
            },
        ),
        Kernel::new(&FROM_HEX, decodes(), binary(), |call| {
            each(call, |length| length / 2, from_hex)
        }),
        Kernel::new(&TO_BASE64, encodes(), utf8(), |call| {
            encoded(call, of_base64, |value, out| {
                STANDARD.encode_string(value, out);
            })
        }),
        Kernel::new(&FROM_BASE64, decodes(), binary(), |call| {
            each(
                call,
                |length| length,
                |value, out| from_base64(&STANDARD, value, out),
            )
        }),
        Kernel::new(&TO_BASE64URL, encodes(), utf8(), |call| {
            encoded(call, of_base64, |value, out| {
                URL_SAFE.encode_string(value, out);
            })
        }),
        Kernel::new(&FROM_BASE64URL, decodes(), binary(), |call| {
            each(
                call,
                |length| length,
                |value, out| from_base64(&URL_SAFE, value, out),
            )
        }),
        Kernel::new(&TO_BASE32, encodes(), utf8(), |call| {
            encoded(call, |length| length.saturating_mul(2) + 8, add_base32)
        }),
        Kernel::new(&FROM_BASE32, decodes(), binary(), |call| {
            each(call, |length| length, from_base32)
        }),
    ];
    all.into_iter().map(Entry::scalar).collect()
}

fn of_base64(length: usize) -> usize {
    (length / 3 + 1).saturating_mul(4)
}

/// Makes a text of each row's bytes. `add` adds it to an empty one; `most` is its size.
fn encoded(
    call: &Call<'_>,
    most: fn(usize) -> usize,
    add: fn(&[u8], &mut String),
) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let mut made = StringBuilder::new();
    let mut buffer = String::new();
    for row in 0..call.rows {
        let Some(value) = values.get(row) else {
            call.work.step()?;
            made.append_null();
            continue;
        };
        call.work.builds(most(value.len()))?;
        buffer.clear();
        add(value, &mut buffer);
        made.append_value(&buffer);
    }
    Ok(Arc::new(made.finish()))
}

fn hex_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [integer] if integer.is_integer() => {
            to_hex_of_integers().return_type(std::slice::from_ref(integer))
        }
        _ => Ok(DataType::Utf8),
    }
}

/// Returns integers in hexadecimal digits: a negative one has those of its 64 bits, or of 32 bits if
/// it is no `bigint`, as in PostgreSQL.
fn hex_of_integers(call: &Call<'_>) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(16))?;
    let column = argument(call, 0)?;
    if !matches!(
        column.array.data_type(),
        DataType::Int8 | DataType::Int16 | DataType::Int32
    ) {
        return called(call, &to_hex_of_integers());
    }
    let values = as_type(&column.array, &DataType::Int32)?;
    let values = values.as_primitive::<Int32Type>();
    let digits = (0..call.rows).map(|row| {
        let place = column.at(row);
        let is_value = values.is_valid(place);
        is_value.then(|| format!("{:x}", values.value(place)))
    });
    let digits: StringArray = digits.collect();
    Ok(Arc::new(digits))
}

fn add_hex(value: &[u8], out: &mut String) {
    let digit = |digit: u8| match digit {
        0..=9 => char::from(b'0' + digit),
        _ => char::from(b'A' + digit - 10),
    };
    out.reserve(2 * value.len());
    for byte in value {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xf));
    }
}

fn from_hex(digits: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if !digits.len().is_multiple_of(2) {
        return Err(invalid(format!(
            "from_hex takes an even number of digits, not {}",
            digits.len()
        )));
    }
    let digit = |digit: u8| -> Result<u8> {
        Ok(match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => {
                let character = quoted(&char::from(digit).to_string());
                return Err(invalid(format!("{character} is no hexadecimal digit")));
            }
        })
    };
    for pair in digits.chunks_exact(2) {
        if let [high, low] = pair {
            out.push(digit(*high)? << 4 | digit(*low)?);
        }
    }
    Ok(())
}

fn from_base64(engine: &GeneralPurpose, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // Padding that is there is complete.
    let is_cut = text.last() == Some(&b'=') && !text.len().is_multiple_of(4);
    let reason = match is_cut {
        true => "the padding is not complete".to_owned(),
        false => match engine.decode_vec(text, out) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string().to_lowercase(),
        },
    };
    let text = quoted(&String::from_utf8_lossy(text));
    Err(invalid(format!("{text} is not in base 64: {reason}")))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn add_base32(value: &[u8], out: &mut String) {
    for group in value.chunks(5) {
        let mut bits = 0u64;
        for place in 0..5 {
            bits = bits << 8 | u64::from(group.get(place).copied().unwrap_or(0));
        }
        let digits = (group.len() * 8).div_ceil(5);
        for place in 0..8 {
            let index = (bits >> (35 - 5 * place)) & 0x1f;
            let digit = usize::try_from(index).ok().and_then(|at| BASE32.get(at));
            match digit {
                Some(digit) if place < digits => out.push(char::from(*digit)),
                _ => out.push('='),
            }
        }
    }
}

fn from_base32(text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let wrong = |reason: &str| {
        let text = quoted(&String::from_utf8_lossy(text));
        Err(invalid(format!("{text} is not in base 32: {reason}")))
    };
    let end = text.iter().rposition(|digit| *digit != b'=');
    let digits = text.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
    if matches!(digits.len() % 8, 1 | 3 | 6) {
        return wrong("the length is wrong");
    }
    for group in digits.chunks(8) {
        let mut bits = 0u64;
        for place in 0..8 {
            let value = match group.get(place) {
                None => 0,
                Some(digit @ b'A'..=b'Z') => digit - b'A',
                Some(digit @ b'2'..=b'7') => digit - b'2' + 26,
                Some(_) => return wrong("it has another character"),
            };
            bits = bits << 5 | u64::from(value);
        }
        let [_, _, _, bytes @ ..] = bits.to_be_bytes();
        let length = group.len() * 5 / 8;
        let bytes = bytes.get(..length);
        out.extend_from_slice(bytes.ok_or_else(|| Error::internal("a group is too long"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn bytes_become_hexadecimal_digits_and_back() {
        let query = "SELECT to_hex(from_hex(x)) FROM (VALUES ('00ff7F'), (''), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["00FF7F", "", "NULL"]);
        assert_eq!(value("to_hex(255)").await.unwrap(), "ff");
        let query = "SELECT to_hex(x) FROM (VALUES (16), (-1), (NULL)) t(x)";
        assert_eq!(
            rows(query).await.unwrap(),
            ["10", "ffffffffffffffff", "NULL"]
        );
        for narrow in ["INT", "SMALLINT"] {
            let query =
                format!("SELECT to_hex(CAST(x AS {narrow})) FROM (VALUES (16), (-1), (NULL)) t(x)");
            assert_eq!(rows(&query).await.unwrap(), ["10", "ffffffff", "NULL"]);
        }
        assert_eq!(value("to_hex(CAST(-2 AS INT))").await.unwrap(), "fffffffe");
        assert!(error("from_hex('f')").await.contains("even"));
        assert!(error("from_hex('fg')").await.contains("'g'"));
        assert!(
            error("from_hex('éé')")
                .await
                .contains("no hexadecimal digit")
        );
    }

    #[tokio::test]
    async fn bytes_become_base_64_and_back() {
        let query = "SELECT from_base64(to_base64(from_hex(x))) FROM (VALUES ('00'), ('fbff'), ('fbffbf'), (''), (NULL)) t(x)";
        assert_eq!(
            rows(query).await.unwrap(),
            ["00", "fb ff", "fb ff bf", "", "NULL"]
        );
        assert_eq!(value("to_base64(from_hex('fbff'))").await.unwrap(), "+/8=");
        assert_eq!(value("from_base64('Zg')").await.unwrap(), "66");
        assert_eq!(value("from_base64(to_utf8('Zg=='))").await.unwrap(), "66");
        assert!(error("from_base64('Zg=')").await.contains("padding"));
        assert!(error("from_base64('Z')").await.contains("base 64"));
        assert!(error("from_base64('Z g=')").await.contains("base 64"));
        assert!(error("from_base64('-_8=')").await.contains("base 64"));
        assert!(error("from_base64url('+/8=')").await.contains("base 64"));
    }

    #[tokio::test]
    async fn bytes_become_base_32_and_back() {
        for (text, encoded) in [
            ("", ""),
            ("f", "MY======"),
            ("fo", "MZXQ===="),
            ("foo", "MZXW6==="),
            ("foob", "MZXW6YQ="),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            let to = value(&format!("to_base32(to_utf8('{text}'))"))
                .await
                .unwrap();
            assert_eq!(to, encoded);
            let from = value(&format!("from_utf8(from_base32('{encoded}'))")).await;
            assert_eq!(from.unwrap(), text);
        }
        assert_eq!(value("from_base32('MY')").await.unwrap(), "66");
        assert!(error("from_base32('M')").await.contains("length"));
        assert!(error("from_base32('my')").await.contains("character"));
    }
}
