//! Positions in the write-ahead log (`pg_lsn`), which are texts here, and how far they are apart.

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

/// The function that reads a text as a position, and writes it as PostgreSQL does.
pub(in crate::postgres) const LSN_IN: &str = "$pg_lsn_in";

/// The function of the operator `-` between two positions.
pub(in crate::postgres) const LOG_DISTANCE: &str = "pg_wal_lsn_diff";

/// The digits of each half of a position, at most.
const MAX_DIGITS: usize = 8;

pub(super) fn functions() -> Vec<PgFunction> {
    let read = PgFunction::new(LSN_IN, 1..=1, DataType::Utf8, |args| {
        let read = args.first().map_or(Ok(0), position)?;
        Ok(Cell::text(written(read)))
    });
    let distance = PgFunction::new(LOG_DISTANCE, 2..=2, DataType::Decimal128(38, 0), |args| {
        let position_at = |place| args.get(place).map_or(Ok(0), position);
        let distance = i128::from(position_at(0)?) - i128::from(position_at(1)?);
        let distance = i64::try_from(distance).map_err(|_| {
            let message = "the distance of the positions in the log is out of range";
            Error::new(Code::NumericOutOfRange, message)
        })?;
        Ok(Cell::Int(distance))
    });
    vec![read.immutable(), distance.immutable()]
}

/// Returns the byte of the log that a position such as `16/B374D848` is.
///
/// # Errors
///
/// The text is no position.
fn position(cell: &Cell<'static>) -> Result<u64, Error> {
    let text = cell.to_text().unwrap_or_default();
    parse(&text).ok_or_else(|| {
        let message = format!("invalid input syntax for type pg_lsn: \"{text}\"");
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
}
