//! `parse_data_size`: the bytes of a size such as `2.3MB`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Builder};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, i256};
use datafusion::error::Result;

use super::arguments::{Texts, invalid, quoted, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// The units in their order: each is 1024 times the one before.
const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

/// Digits of a number, at most: with the greatest unit, it fits 256 bits.
const MOST_DIGITS: usize = 50;

const SIZE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

static PARSE: Page = Page {
    name: "parse_data_size",
    section: "Conversion",
    syntax: "parse_data_size(text)",
    sentence: "Returns the bytes of a size with a unit from B, kB and MB to YB, each of which is 1024 times the one before.",
    example: "parse_data_size('2.3MB')",
    result: "2411724",
};

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(&PARSE, vec![takes([text()])], Returns::Type(SIZE), parsed);
    vec![Entry::scalar(kernel.also(&["parse_presto_data_size"]))]
}

fn parsed(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut sizes = Decimal128Builder::with_capacity(call.rows).with_data_type(SIZE);
    for row in 0..call.rows {
        call.work.builds(16)?;
        sizes.append_option(texts.get(row).map(size).transpose()?);
    }
    Ok(Arc::new(sizes.finish()))
}

fn size(text: &str) -> Result<i128> {
    let wrong = || {
        invalid(format!(
            "{} is no size of data, such as 1kB or 2.3MB",
            quoted(text)
        ))
    };
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = UNITS.iter().position(|known| *known == unit);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.len() + fraction.len();
    let (Some(unit), 1..) = (unit, digits) else {
        return Err(wrong());
    };
    if digits > MOST_DIGITS || fraction.contains('.') {
        return Err(wrong());
    }
    let ten = i256::from_i128(10);
    let mut bytes = i256::ZERO;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = i256::from_i128(i128::from(digit - b'0'));
        bytes = bytes.wrapping_mul(ten).wrapping_add(digit);
    }
    bytes = bytes.wrapping_mul(i256::from_i128(1 << (10 * unit)));
    for _ in fraction.bytes() {
        bytes = bytes.wrapping_div(ten);
    }
    let most = 10i128.pow(u32::from(DECIMAL128_MAX_PRECISION));
    bytes
        .to_i128()
        .filter(|bytes| *bytes < most)
        .ok_or_else(|| invalid(format!("{} is more bytes than a decimal has", quoted(text))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    #[tokio::test]
    async fn sizes_are_bytes() {
        for (text, expected) in [
            ("0B", "0"),
            ("1B", "1"),
            ("1.9B", "1"),
            ("1kB", "1024"),
            (".5kB", "512"),
            ("1.kB", "1024"),
            (
                "6917529027641081856EB",
                "7975367974709495237422842361682067456",
            ),
        ] {
            let found = value(&format!("parse_data_size('{text}')")).await;
            assert_eq!(found.unwrap(), expected, "{text}");
        }
        let most = error("parse_data_size('99999999999999YB')").await;
        assert!(most.contains("more bytes"), "{most}");
        assert_eq!(value("parse_data_size(NULL)").await.unwrap(), "NULL");
        for text in ["", "B", "1", ".", ".B", "1.2.3B", "1KB", "1 kB", "-1B", "é"] {
            let found = error(&format!("parse_data_size('{text}')")).await;
            assert!(found.contains("no size of data"), "{text}: {found}");
        }
    }
}
