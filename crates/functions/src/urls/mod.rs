//! `url_encode`, `url_decode` and the parts of a URL.

mod parts;
mod uri;

use std::sync::Arc;

use arrow::array::StringBuilder;
use arrow::datatypes::DataType;

use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Kernel, Returns};
use crate::text::arguments::{Texts, takes, text};

const SECTION: &str = "URL";

static ENCODE: Page = Page {
    name: "url_encode",
    section: SECTION,
    syntax: "url_encode(text)",
    sentence: "Encodes a text for the query of a URL.",
    example: "url_encode('a b&c')",
    result: "a+b%26c",
};

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = parts::entries();
    all.push(Entry::scalar(Kernel::new(
        &ENCODE,
        vec![takes([text()])],
        Returns::Type(DataType::Utf8),
        |call| {
            let texts = Texts::of(call, 0)?;
            let mut encoded = StringBuilder::new();
            for row in 0..call.rows {
                let text = texts.get(row);
                // A byte becomes at most three.
                call.work.builds(text.map_or(0, |text| 3 * text.len()))?;
                encoded.append_option(text.map(url_encoded));
            }
            Ok(Arc::new(encoded.finish()))
        },
    )));
    all
}

/// Encodes a text as `application/x-www-form-urlencoded`, as Java's `URLEncoder` does.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{rows, value};

    #[tokio::test]
    async fn reserved_and_long_characters_are_encoded() {
        let query = "SELECT url_encode(x) FROM (VALUES ('k=v&x/y?~'), ('Az09-_.*'), ('é😀'), (''), (NULL)) t(x)";
        let expected = [
            "k%3Dv%26x%2Fy%3F%7E",
            "Az09-_.*",
            "%C3%A9%F0%9F%98%80",
            "",
            "NULL",
        ];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(value("url_encode('a b')").await.unwrap(), "a+b");
    }
}
