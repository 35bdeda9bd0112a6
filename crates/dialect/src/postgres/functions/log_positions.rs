//! Positions in the write-ahead log (`pg_lsn`), which are texts here, and how far they are apart.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

/// The function that reads a text as a position, and writes it as PostgreSQL does.
pub(in crate::postgres) const LSN_IN: &str = "$pg_lsn_in";

/// The digits of each half of a position, at most.
const MAX_DIGITS: usize = 8;

/// The function of the operator `-` between two positions.
static DISTANCE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let returns = DataType::Decimal128(38, 0);
    let distance = PgFunction::new("pg_wal_lsn_diff", 2..=2, returns, |args| {
        let position_at = |place: usize| {
            let text = args.get(place).and_then(Cell::to_text);
            position(&text.unwrap_or_default())
        };
        let distance = i128::from(position_at(0)?) - i128::from(position_at(1)?);
        let distance = i64::try_from(distance).map_err(|_| {
            let message = "the distance of the positions in the log is out of range";
            Error::new(Code::NumericOutOfRange, message)
        })?;
        Ok(Cell::Int(distance))
    });
    distance.immutable().into_udf()
});

/// Returns the function of how many bytes of the log are between two positions.
pub(super) fn distance() -> Arc<ScalarUDF> {
    Arc::clone(&DISTANCE)
}

/// Returns a position as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not a position.
pub(super) fn read(text: &str) -> Result<String, Error> {
    position(text).map(written)
}

/// Returns a text that compares as the position does.
///
/// # Errors
///
/// The text is not a position.
pub(super) fn key(text: &str) -> Result<String, Error> {
    position(text).map(|position| format!("{position:016x}"))
}

/// Returns the byte of the log that a position such as `16/B374D848` is.
///
/// # Errors
///
/// The text is not a position.
fn position(text: &str) -> Result<u64, Error> {
    parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        let message = format!("invalid input syntax for type pg_lsn: \"{shown}\"");
        Error::new(Code::InvalidCast, message)
    })
}

fn parse(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some((u64::from(half(high)?) << 32) | u64::from(half(low)?))
}

fn half(digits: &str) -> Option<u32> {
    // Rust also reads a sign.
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match is_hexadecimal && digits.len() <= MAX_DIGITS {
        true => u32::from_str_radix(digits, 16).ok(),
        false => None,
    }
}

fn written(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_as_they_are_read() {
        for (text, expected) in [
            ("0/0", Some("0/0")),
            ("16/b374d848", Some("16/B374D848")),
            ("00000001/0000000a", Some("1/A")),
            ("FFFFFFFF/FFFFFFFF", Some("FFFFFFFF/FFFFFFFF")),
            ("000000001/0", None),
            ("/0", None),
            ("0/", None),
            ("+1/0", None),
            ("g/0", None),
            ("0/0/0", None),
            (" 0/0", None),
            ("0", None),
            ("", None),
        ] {
            let found = parse(text).map(written);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn keys_compare_as_positions() {
        let keys = ["0/0", "0/A", "0/10", "1/0", "10/0", "FFFFFFFF/FFFFFFFF"];
        let keys = keys.map(|text| key(text).ok());
        assert!(keys.is_sorted() && keys.iter().all(Option::is_some));
    }
}
