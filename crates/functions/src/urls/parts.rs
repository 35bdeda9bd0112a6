//! `url_decode` and `url_extract_…`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::SECTION;
use super::uri::Uri;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{Texts, invalid, quoted, takes, text};

static DECODE: Page = Page {
    name: "url_decode",
    section: SECTION,
    syntax: "url_decode(text)",
    sentence: "Returns the text that was encoded for the query of a URL.",
    example: "url_decode('a+b%26c')",
    result: "a b&c",
};

static FRAGMENT: Page = Page {
    name: "url_extract_fragment",
    section: SECTION,
    syntax: "url_extract_fragment(url)",
    sentence: "Returns the fragment of a URL.",
    example: "url_extract_fragment('https://example.com/a#top')",
    result: "top",
};

static HOST: Page = Page {
    name: "url_extract_host",
    section: SECTION,
    syntax: "url_extract_host(url)",
    sentence: "Returns the host of a URL.",
    example: "url_extract_host('https://example.com:8080/a')",
    result: "example.com",
};

static PARAMETER: Page = Page {
    name: "url_extract_parameter",
    section: SECTION,
    syntax: "url_extract_parameter(url, name)",
    sentence: "Returns the first value of a name in the query of a URL, or NULL.",
    example: "url_extract_parameter('https://example.com/?a=1&b=x%20y', 'b')",
    result: "x y",
};

static PATH: Page = Page {
    name: "url_extract_path",
    section: SECTION,
    syntax: "url_extract_path(url)",
    sentence: "Returns the path of a URL.",
    example: "url_extract_path('https://example.com/a/b?c')",
    result: "/a/b",
};

static PORT: Page = Page {
    name: "url_extract_port",
    section: SECTION,
    syntax: "url_extract_port(url)",
    sentence: "Returns the port of a URL, or NULL if it has none.",
    example: "url_extract_port('https://example.com:8080/a')",
    result: "8080",
};

static PROTOCOL: Page = Page {
    name: "url_extract_protocol",
    section: SECTION,
    syntax: "url_extract_protocol(url)",
    sentence: "Returns the protocol of a URL.",
    example: "url_extract_protocol('https://example.com/a')",
    result: "https",
};

static QUERY: Page = Page {
    name: "url_extract_query",
    section: SECTION,
    syntax: "url_extract_query(url)",
    sentence: "Returns the query of a URL.",
    example: "url_extract_query('https://example.com/a?b=1&c=2')",
    result: "b=1&c=2",
};

pub(super) fn entries() -> Vec<Entry> {
    let one_text = || vec![takes([text()])];
    let utf8 = || Returns::Type(DataType::Utf8);
    let all = [
        Kernel::new(&DECODE, one_text(), utf8(), decode),
        Kernel::new(&FRAGMENT, one_text(), utf8(), |call| {
            part(call, |uri| uri.fragment, true)
        }),
        Kernel::new(&HOST, one_text(), utf8(), |call| {
            part(call, |uri| uri.host, false)
        }),
        Kernel::new(&PARAMETER, vec![takes([text(), text()])], utf8(), parameter),
        Kernel::new(&PATH, one_text(), utf8(), |call| {
            part(call, |uri| uri.path, true)
        }),
        Kernel::new(&PORT, one_text(), Returns::Type(DataType::Int64), port),
        Kernel::new(&PROTOCOL, one_text(), utf8(), |call| {
            part(call, |uri| uri.scheme, false)
        }),
        Kernel::new(&QUERY, one_text(), utf8(), |call| {
            part(call, |uri| uri.query, true)
        }),
    ];
    all.into_iter().map(Entry::scalar).collect()
}

/// A part that is not there is an empty text, as in Trino.
fn part(
    call: &Call<'_>,
    of: for<'a> fn(&Uri<'a>) -> Option<&'a str>,
    is_escaped: bool,
) -> Result<ArrayRef> {
    let urls = Texts::of(call, 0)?;
    let mut parts = StringBuilder::new();
    for row in 0..call.rows {
        call.work.step()?;
        let uri = urls.get(row).and_then(Uri::parse);
        let part = uri.map(|uri| of(&uri).unwrap_or_default());
        // A byte that is not UTF-8 becomes a character of three.
        call.work
            .builds(part.map_or(0, |part| part.len().saturating_mul(3)))?;
        match part {
            Some(part) if is_escaped && part.contains('%') => {
                parts.append_option(unescaped(part, false));
            }
            part => parts.append_option(part),
        }
    }
    Ok(Arc::new(parts.finish()))
}

/// Decodes escapes; with `plus`, a `+` is a space. `None` if an escape is wrong.
fn unescaped(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if plus => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn decoded(text: &str) -> Result<String> {
    unescaped(text, true).ok_or_else(|| {
        invalid(format!(
            "{} has a '%' that two hexadecimal digits do not follow",
            quoted(text)
        ))
    })
}

fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut all = StringBuilder::new();
    for row in 0..call.rows {
        let text = texts.get(row);
        call.work
            .builds(text.map_or(0, |text| text.len().saturating_mul(3)))?;
        match text {
            Some(text) if text.contains(['%', '+']) => all.append_value(decoded(text)?),
            text => all.append_option(text),
        }
    }
    Ok(Arc::new(all.finish()))
}

fn parameter(call: &Call<'_>) -> Result<ArrayRef> {
    let (urls, names) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let mut values = StringBuilder::new();
    for row in 0..call.rows {
        call.work.step()?;
        let query = urls.get(row).and_then(Uri::parse).and_then(|uri| uri.query);
        let value = query.zip(names.get(row)).and_then(|(query, name)| {
            query.split('&').find_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key == name).then_some(value)
            })
        });
        call.work
            .builds(value.map_or(0, |value| value.len().saturating_mul(3)))?;
        values.append_option(value.map(decoded).transpose()?);
    }
    Ok(Arc::new(values.finish()))
}

fn port(call: &Call<'_>) -> Result<ArrayRef> {
    let urls = Texts::of(call, 0)?;
    let mut ports = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        let port = urls.get(row).and_then(Uri::parse).and_then(|uri| uri.port);
        ports.append_option(port.map(i64::from));
    }
    Ok(Arc::new(ports.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn encoded_texts_are_decoded() {
        let query = "SELECT url_decode(x) FROM (VALUES ('k%3Dv%26x'), ('a+b'), ('%C3%A9%F0%9F%98%80'), ('é'), (''), (NULL), ('%ff')) t(x)";
        let expected = ["k=v&x", "a b", "é😀", "é", "", "NULL", "\u{fffd}"];
        assert_eq!(rows(query).await.unwrap(), expected);
        for text in ["%", "%2", "%zz", "a%+1"] {
            let message = error(&format!("url_decode('{text}')")).await;
            assert!(message.contains("hexadecimal"), "{message}");
        }
        assert_eq!(
            value("url_decode(url_encode('a b/é?'))").await.unwrap(),
            "a b/é?"
        );
    }

    #[tokio::test]
    async fn parts_are_empty_if_they_are_missing_and_null_if_there_is_no_url() {
        let urls = "(VALUES ('http://a.b:1/c%20d?e=%26#f%20g'), ('http://a.b'), (''), ('no url'), (NULL), ('mailto:x')) t(x)";
        for (part, expected) in [
            ("protocol", ["http", "http", "", "NULL", "NULL", "mailto"]),
            ("host", ["a.b", "a.b", "", "NULL", "NULL", ""]),
            ("port", ["1", "NULL", "NULL", "NULL", "NULL", "NULL"]),
            ("path", ["/c d", "", "", "NULL", "NULL", ""]),
            ("query", ["e=&", "", "", "NULL", "NULL", ""]),
            ("fragment", ["f g", "", "", "NULL", "NULL", ""]),
        ] {
            let query = format!("SELECT url_extract_{part}(x) FROM {urls}");
            assert_eq!(rows(&query).await.unwrap(), expected, "{part}");
        }
    }

    #[tokio::test]
    async fn parameters_are_the_first_of_their_name() {
        let query = "SELECT url_extract_parameter(x, n) FROM (VALUES ('http://a/?b=1&b=2', 'b'), ('http://a/?b', 'b'), ('http://a/?b=c=d+e', 'b'), ('http://a/?b', 'c'), ('http://a/', 'b'), ('no url', 'b'), (NULL, 'b'), ('http://a/?b=1', NULL)) t(x, n)";
        let expected = ["1", "", "c=d e", "NULL", "NULL", "NULL", "NULL", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
    }
}
