//! Casts to UUID, whose values are texts in lower case.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::arguments::{Bytes, argument, bytes, quoted, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static UUID: Page = Page {
    name: "$uuid",
    section: "Conversion",
    syntax: "$uuid(value)",
    sentence: "Returns the UUID that a text or a varbinary of 16 bytes is.",
    example: "\"$uuid\"('12151FD2-7586-11E9-8F9E-2A86E4085A59')",
    result: "12151fd2-7586-11e9-8f9e-2a86e4085a59",
};

/// The characters of a UUID, and where its hyphens are.
const LENGTH: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// The bytes of a UUID.
const BYTES: usize = 16;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::scalar(Kernel::new(
            &UUID,
            vec![takes([text()]), takes([bytes()])],
            Returns::Type(DataType::Utf8),
            uuids,
        ))
        .unlisted(),
    ]
}

fn uuids(call: &Call<'_>) -> Result<ArrayRef> {
    let is_binary = argument(call, 0)?.array.data_type().is_binary();
    let values = Bytes::of(call, 0)?;
    let mut uuids = StringBuilder::with_capacity(call.rows, call.rows * LENGTH);
    for row in 0..call.rows {
        call.work.builds(LENGTH)?;
        match values.get(row) {
            None => uuids.append_null(),
            Some(value) => {
                let uuid = match is_binary {
                    true => of_bytes(value),
                    false => of_text(value),
                };
                let refused = || {
                    let shown = match is_binary {
                        true => format!("a varbinary of {} bytes", value.len()),
                        false => quoted(&String::from_utf8_lossy(value)),
                    };
                    let message = format!("{shown} is not a UUID");
                    Error::new(Code::InvalidCast, message).with_hint(
                        "write it as '12151fd2-7586-11e9-8f9e-2a86e4085a59', or as 16 bytes",
                    )
                };
                uuids.append_value(uuid.ok_or_else(refused)?);
            }
        }
    }
    Ok(Arc::new(uuids.finish()))
}

fn of_text(text: &[u8]) -> Option<String> {
    let sound = |(place, byte): (usize, &u8)| match HYPHENS.contains(&place) {
        true => *byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    let is_uuid = text.len() == LENGTH && text.iter().enumerate().all(sound);
    let lower = || {
        text.iter()
            .map(|byte| char::from(byte.to_ascii_lowercase()))
    };
    is_uuid.then(|| lower().collect())
}

fn of_bytes(bytes: &[u8]) -> Option<String> {
    if bytes.len() != BYTES {
        return None;
    }
    let mut uuid = String::with_capacity(LENGTH);
    for byte in bytes {
        if HYPHENS.contains(&uuid.len()) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn uuids_are_texts_of_one_form() {
        let of_bytes = "\"$uuid\"(from_hex('12151fd2758611e98f9e2a86e4085a59'))";
        let uuid = "12151fd2-7586-11e9-8f9e-2a86e4085a59";
        assert_eq!(value(of_bytes).await.unwrap(), uuid);
        let column = "SELECT \"$uuid\"(x) FROM (VALUES (upper('12151fd2-7586-11e9-8f9e-2a86e4085a59')), (NULL)) t(x)";
        assert_eq!(rows(column).await.unwrap(), [uuid, "NULL"]);
        for wrong in [
            "'x'",
            "'12151fd2758611e98f9e2a86e4085a59'",
            "'12151fd2-7586-11e9-8f9e-2a86e4085a5g'",
            "'12151fd2-7586-11e9-8f9e-2a86e4085aé'",
            "from_hex('00')",
        ] {
            let call = format!("\"$uuid\"({wrong})");
            assert!(error(&call).await.contains("is not a UUID"), "{wrong}");
        }
    }
}
