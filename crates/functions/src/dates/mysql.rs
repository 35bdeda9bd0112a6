//! `date_format` and `date_parse`, whose formats are MySQL's.

use std::sync::Arc;

use arrow::array::{ArrayRef, NullBufferBuilder, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::Local;
use super::fields::Field;
use super::function::{self, TIMESTAMP, Timed};
use super::pattern::{Pattern, Piece, Shown, in_millis};
use super::pattern_reading::Reader;
use super::values::{Last, Times, numbers};
use super::zones;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

/// The year in the middle of those that `%y` means: 70 is 1970, and 69 is 2069.
const MIDDLE: i64 = 2020;

/// The most bytes that are reserved for texts before they are written.
const RESERVED: usize = 1 << 20;

static FORMAT: Page = Page {
    name: "date_format",
    section: SECTION,
    syntax: "date_format(timestamp, format)",
    sentence: "Writes a timestamp in a format of MySQL.",
    example: "date_format(TIMESTAMP '2024-02-29 15:04:05', '%W, %e %M %Y, %l:%i %p')",
    result: "Thursday, 29 February 2024, 3:04 PM",
};

static PARSE: Page = Page {
    name: "date_parse",
    section: SECTION,
    syntax: "date_parse(text, format)",
    sentence: "Reads a timestamp in a format of MySQL.",
    example: "date_parse('29/02/2024 15:04', '%d/%m/%Y %H:%i')",
    result: "2024-02-29 15:04:00.000",
};

pub(super) fn entries() -> Vec<Entry> {
    let format = Timed::new(
        &FORMAT,
        |types| match types {
            [of, format] => Some(vec![function::timestamp(of)?, function::text(format)?]),
            _ => None,
        },
        |_| Ok(DataType::Utf8),
        |call, _| formatted(call, pattern),
    );
    let parse = Timed::new(
        &PARSE,
        |types| match types {
            [text, format] => Some(vec![function::text(text)?, function::text(format)?]),
            _ => None,
        },
        |_| Ok(TIMESTAMP),
        |call, _| parsed(call),
    );
    vec![format.entry(), parse.entry()]
}

/// Writes timestamps in the formats that `pattern` reads.
///
/// # Errors
///
/// A format is unknown, needs a zone that its timestamp does not have, or the texts are too large.
pub(super) fn formatted(call: &Call<'_>, pattern: fn(&str) -> Result<Pattern>) -> Result<ArrayRef> {
    let times = Times::of(&call.columns[0])?;
    let formats = call.columns[1].texts();
    let mut last = Last::new();
    // The texts of all rows, one after the other.
    let mut bytes = Vec::with_capacity(call.rows.saturating_mul(16).min(RESERVED));
    let mut ends = Vec::with_capacity(call.rows + 1);
    ends.push(0i32);
    let mut nulls = NullBufferBuilder::new(call.rows);
    let mut other = String::new();
    for row in 0..call.rows {
        let (micros, clock) = match &times {
            Times::Timestamps(micros) => (micros.get(row), None),
            Times::Zoned(instants, clock) => (instants.get(row), Some(*clock)),
            _ => (None, None),
        };
        let (Some(micros), Some(format)) = (micros, formats.get(row)) else {
            call.work.step()?;
            ends.extend_from_within(row..);
            nulls.append_null();
            continue;
        };
        let pattern = last.of(format, pattern)?;
        call.work.builds(pattern.width())?;
        let instant = in_millis(micros)?;
        let local = match clock {
            Some(clock) => zones::shown(clock, instant),
            None => Local::of(instant),
        };
        let layout = pattern.layout();
        if layout.is_none_or(|layout| !layout.push(&mut bytes, local)) {
            let zone = clock.map(|clock| (clock, instant));
            other.clear();
            pattern.write(&mut other, Shown { local, zone })?;
            bytes.extend_from_slice(other.as_bytes());
        }
        let end = i32::try_from(bytes.len());
        ends.push(end.map_err(|_| Error::internal("texts of more than 2 GiB"))?);
        nulls.append_non_null();
    }
    let ends = OffsetBuffer::new(ends.into());
    let texts = StringArray::try_new(ends, Buffer::from_vec(bytes), nulls.finish())?;
    Ok(Arc::new(texts))
}

fn parsed(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, formats) = (call.columns[0].texts(), call.columns[1].texts());
    let (mut last, mut reader) = (Last::new(), Reader::default());
    numbers::<TimestampMicrosecondType>(call, |row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            return Ok(None);
        };
        let pattern = last.of(format, pattern)?;
        reader.local(pattern, text)?.micros().map(Some)
    })
}

/// Reads a format of MySQL. A character after `%` that means nothing stands for itself.
fn pattern(format: &str) -> Result<Pattern> {
    let mut pattern = Pattern::default();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        let meant = match character {
            '%' => characters.next(),
            literal => {
                pattern.literal(literal);
                continue;
            }
        };
        // A '%' at the end means nothing.
        let Some(meant) = meant else { break };
        of_letter(&mut pattern, meant)?;
    }
    match pattern.pieces.is_empty() {
        true => Err(
            Error::new(Code::InvalidParameter, "the format of a time is empty")
                .with_hint("write it as '%Y-%m-%d %H:%i:%s'")
                .into(),
        ),
        false => Ok(pattern),
    }
}

fn of_letter(pattern: &mut Pattern, letter: char) -> Result<()> {
    let clock = |pattern: &mut Pattern, hour: Field| {
        pattern.number(hour, 2, 2);
        pattern.literal(':');
        pattern.number(Field::Minute, 2, 2);
        pattern.literal(':');
        pattern.number(Field::Second, 2, 2);
    };
    match letter {
        'a' => pattern.name(Field::DayOfWeek, true),
        'b' => pattern.name(Field::Month, true),
        'c' => pattern.number(Field::Month, 1, 2),
        'd' => pattern.number(Field::Day, 2, 2),
        'e' => pattern.number(Field::Day, 1, 2),
        'f' => pattern.push(Piece::Fraction { digits: 6, most: 9 }),
        'H' => pattern.number(Field::Hour, 2, 2),
        'h' | 'I' => pattern.number(Field::ClockHourOfHalf, 2, 2),
        'i' => pattern.number(Field::Minute, 2, 2),
        'j' => pattern.number(Field::DayOfYear, 3, 3),
        'k' => pattern.number(Field::Hour, 1, 2),
        'l' => pattern.number(Field::ClockHourOfHalf, 1, 2),
        'M' => pattern.name(Field::Month, false),
        'm' => pattern.number(Field::Month, 2, 2),
        'p' => pattern.name(Field::Half, false),
        'r' => {
            clock(pattern, Field::ClockHourOfHalf);
            pattern.literal(' ');
            pattern.name(Field::Half, false);
        }
        'S' | 's' => pattern.number(Field::Second, 2, 2),
        'T' => clock(pattern, Field::Hour),
        'v' => pattern.number(Field::Week, 2, 2),
        'x' => pattern.number(Field::WeekYear, 4, 4),
        'W' => pattern.name(Field::DayOfWeek, false),
        'Y' => pattern.number(Field::Year, 4, 4),
        'y' => pattern.push(Piece::TwoDigits {
            field: Field::Year,
            middle: MIDDLE,
            lenient: false,
        }),
        'D' | 'U' | 'u' | 'V' | 'w' | 'X' => {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("%{letter} is not supported in the format of a time"),
            )
            .with_hint("weeks start on Monday: use %v and %x; use %d for the day")
            .into());
        }
        literal => pattern.literal(literal),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn every_letter_is_written() {
        let time = "TIMESTAMP '2024-02-09 00:04:05.123456'";
        for (format, expected) in [
            ("%a %b %c %d %e", "Fri Feb 2 09 9"),
            ("%f", "123000"),
            ("%H %h %I %i %j %k %l", "00 12 12 04 040 0 12"),
            ("%M %m %p", "February 02 AM"),
            ("%r|%T", "12:04:05 AM|00:04:05"),
            ("%S %s", "05 05"),
            ("%v %x %W", "06 2024 Friday"),
            ("%Y %y %% %q é", "2024 24 % q é"),
            ("%Y%", "2024"),
        ] {
            let call = format!("date_format({time}, '{format}')");
            assert_eq!(value(&call).await.unwrap(), expected, "{format}");
        }
        for format in ["%D", "%U", "%u", "%V", "%w", "%X", ""] {
            let call = format!("date_format({time}, '{format}')");
            let message = error(&call).await;
            assert!(message.contains("the format of a time"), "{message}");
        }
    }

    #[tokio::test]
    async fn dates_zones_and_early_years_are_written() {
        for (call, expected) in [
            (
                "date_format(DATE '2024-12-30', '%x-%v %T')",
                "2025-01 00:00:00",
            ),
            ("date_format(DATE '0001-01-01', '%Y %y')", "0001 01"),
            (
                "date_format(TIMESTAMP '2024-01-01 23:59:59.9999', '%Y-%m-%d %f')",
                "2024-01-02 000000",
            ),
            (
                "date_format(with_timezone(TIMESTAMP '2024-07-01 12:00:00', 'Asia/Tokyo'), '%H')",
                "12",
            ),
            ("date_format(NULL, '%Y')", "NULL"),
            ("date_format(DATE '2024-12-30', NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn every_letter_is_read() {
        for (text, format, expected) in [
            (
                "2024-02-29 13:04:05",
                "%Y-%m-%d %H:%i:%s",
                "2024-02-29 13:04:05.000",
            ),
            ("2024-2-9", "%Y-%c-%e", "2024-02-09 00:00:00.000"),
            ("20240229130405", "%Y%m%d%H%i%S", "2024-02-29 13:04:05.000"),
            ("Feb 3 99", "%b %e %y", "1999-02-03 00:00:00.000"),
            ("february 3 05", "%M %e %y", "2005-02-03 00:00:00.000"),
            ("12:30:15 pm", "%r", "1970-01-01 12:30:15.000"),
            ("12:30 AM", "%h:%i %p", "1970-01-01 00:30:00.000"),
            ("2024-060", "%Y-%j", "2024-02-29 00:00:00.000"),
            ("2025 01 Monday", "%x %v %W", "2024-12-30 00:00:00.000"),
            ("00:00:00.123456789", "%T.%f", "1970-01-01 00:00:00.123"),
            ("0:0:5", "%k:%i:%s", "1970-01-01 00:00:05.000"),
            ("29 Feb", "%d %b", "2000-02-29 00:00:00.000"),
            ("100%X", "1%e%%x", "2000-01-01 00:00:00.000"),
        ] {
            let call = format!("date_parse('{text}', '{format}')");
            if text == "100%X" {
                // The day 00 does not exist.
                assert!(error(&call).await.contains("day of the month 0"), "{call}");
                continue;
            }
            assert_eq!(value(&call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn texts_of_other_formats_are_errors() {
        for (text, format) in [
            ("2023-02-29", "%Y-%m-%d"),
            ("2024-13-01", "%Y-%m-%d"),
            ("2024-01-01 x", "%Y-%m-%d"),
            ("2024-01", "%Y-%m-%d"),
            ("", "%Y"),
            ("24:00:00", "%T"),
            ("Foo", "%b"),
            ("2024", ""),
            ("2024", "%D"),
            ("é", "%Y"),
            ("2024é", "%Ye"),
        ] {
            let call = format!("date_parse('{text}', '{format}')");
            assert!(value(&call).await.is_err(), "{call}");
        }
        let message = error("date_parse('2024-01-01 x', '%Y-%m-%d')").await;
        assert!(
            message.contains("'2024-01-01 x' does not have its format at ' x'"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn formats_may_be_columns() {
        let query = "SELECT date_parse(x, f) FROM (VALUES ('2024-02-29', '%Y-%m-%d'), \
                     ('29.2.24', '%e.%c.%y'), (NULL, '%Y'), ('2024', NULL)) t(x, f)";
        let day = "2024-02-29 00:00:00.000";
        assert_eq!(rows(query).await.unwrap(), [day, day, "NULL", "NULL"]);
        let query = "SELECT date_format(x, '%Y') FROM (VALUES (TIMESTAMP '2024-01-01 00:00:00'), \
                     (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["2024", "NULL"]);
    }
}
