//! Durations: `parse_duration`, `to_milliseconds` and `human_readable_seconds`.

use std::fmt::Write;

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::{DAY, HOUR, MILLI, MINUTE, SECOND};
use super::function::{self, INTERVAL, Timed};
use super::values::{Periods, numbers, shortened, texts};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

/// The most bytes of a duration in words.
const WORDS: usize = 96;

static PARSE: Page = Page {
    name: "parse_duration",
    section: SECTION,
    syntax: "parse_duration(text)",
    sentence: "Reads an interval, a number with one of the units ns, us, ms, s, m, h and d, to the \
               millisecond.",
    example: "to_milliseconds(parse_duration('1.5 m'))",
    result: "90000",
};

static MILLISECONDS: Page = Page {
    name: "to_milliseconds",
    section: SECTION,
    syntax: "to_milliseconds(interval)",
    sentence: "Returns the milliseconds of an interval of days and shorter units.",
    example: "to_milliseconds(INTERVAL '1' DAY)",
    result: "86400000",
};

static HUMAN: Page = Page {
    name: "human_readable_seconds",
    section: SECTION,
    syntax: "human_readable_seconds(seconds)",
    sentence: "Writes a number of seconds in weeks, days, hours, minutes and seconds.",
    example: "human_readable_seconds(3762)",
    result: "1 hour, 2 minutes, 42 seconds",
};

pub(super) fn entries() -> Vec<Entry> {
    let parse = Timed::new(
        &PARSE,
        |types| match types {
            [of] => Some(vec![function::text(of)?]),
            _ => None,
        },
        |_| Ok(INTERVAL),
        |call, _| {
            let texts = call.columns[0].texts();
            numbers::<IntervalMonthDayNanoType>(call, |row| {
                texts.get(row).map(duration).transpose()
            })
        },
    );
    let milliseconds = Timed::new(
        &MILLISECONDS,
        |types| match types {
            [DataType::Null] => Some(vec![INTERVAL]),
            [of] => Some(vec![function::interval(of)?]),
            _ => None,
        },
        |_| Ok(DataType::Int64),
        |call, _| {
            let periods = Periods::of(&call.columns[0])?;
            numbers::<Int64Type>(call, |row| match periods.get(row) {
                Some(period) if period.months != 0 => Err(Error::new(
                    Code::InvalidParameter,
                    "an interval with months or years has no milliseconds",
                )
                .with_hint("give it in days")
                .into()),
                period => Ok(period.map(|period| period.millis)),
            })
        },
    );
    let human = Timed::new(
        &HUMAN,
        |types| match types {
            [of] => Some(vec![function::number(of, DataType::Float64)?]),
            _ => None,
        },
        |_| Ok(DataType::Utf8),
        |call, _| in_words(call),
    );
    let all = [parse, milliseconds, human];
    all.into_iter().map(Timed::entry).collect()
}

/// Reads a number and its unit.
fn duration(text: &str) -> Result<IntervalMonthDayNano> {
    let fault = |code: Code, what: &str| {
        Error::new(code, format!("'{}' {what}", shortened(text)))
            .with_hint("write it as '90 s', with one of ns, us, ms, s, m, h and d")
    };
    let malformed = || fault(Code::InvalidParameter, "is not a duration");
    let (number, unit) = split(text).ok_or_else(malformed)?;
    // Milliseconds of the unit.
    let length = match unit {
        "ns" => 1e-6,
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => (SECOND / MILLI) as f64,
        "m" => (MINUTE / MILLI) as f64,
        "h" => (HOUR / MILLI) as f64,
        "d" => (DAY / MILLI) as f64,
        _ => return Err(malformed().into()),
    };
    let number: f64 = number.parse().map_err(|_| malformed())?;
    // Numbers beyond the most are the most.
    let millis = (number * length + 0.5).floor() as i64;
    let day = DAY / MILLI;
    let days = i32::try_from(millis / day)
        .map_err(|_| fault(Code::NumericOutOfRange, "is too long for an interval"))?;
    Ok(IntervalMonthDayNano::new(0, days, millis % day * 1_000_000))
}

/// Splits `12.5 ms` into a number and its unit.
fn split(text: &str) -> Option<(&str, &str)> {
    let is_space = |character: char| matches!(character, ' ' | '\t'..='\r');
    let text = text.trim_matches(is_space);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let (before, after) = text.split_at_checked(whole)?;
    let fraction = after.strip_prefix('.').map(digits);
    let end = match fraction {
        Some(0) => return None,
        Some(fraction) => whole + 1 + fraction,
        None => whole,
    };
    let (number, unit) = text.split_at_checked(end)?;
    (!before.is_empty()).then(|| (number, unit.trim_start_matches(is_space)))
}

fn in_words(call: &Call<'_>) -> Result<ArrayRef> {
    const UNITS: [(&str, u64); 5] = [
        ("week", 604_800),
        ("day", 86_400),
        ("hour", 3600),
        ("minute", 60),
        ("second", 1),
    ];
    let seconds = call.columns[0].primitives::<Float64Type>();
    texts(call, |row, text| {
        let Some(seconds) = seconds.get(row) else {
            call.work.step()?;
            return Ok(false);
        };
        if !seconds.is_finite() {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("{seconds} seconds cannot be written in words"),
            )
            .with_hint("use try(…) for NULL instead")
            .into());
        }
        call.work.builds(WORDS)?;
        // A number beyond the most is the most, as in Java.
        let mut rest = ((seconds.abs() + 0.5).floor() as i64).unsigned_abs();
        for (unit, length) in UNITS {
            let many = rest / length;
            rest %= length;
            if many == 0 && (unit != "second" || !text.is_empty()) {
                continue;
            }
            let comma = if text.is_empty() { "" } else { ", " };
            let plural = if many == 1 { "" } else { "s" };
            // Text takes everything.
            let _ = write!(text, "{comma}{many} {unit}{plural}");
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [
            ("42.8ms", "43"),
            ("3.81 d", "329184000"),
            ("5m", "300000"),
            ("  1.5\\th ", "error"),
            (" 1.5  h ", "5400000"),
            ("999999 ns", "1"),
            ("499 us", "0"),
            ("0s", "0"),
            ("100000 d", "8640000000000"),
        ] {
            let call = format!("to_milliseconds(parse_duration('{text}'))");
            match value(&call).await {
                Ok(found) => assert_eq!(found, millis, "{text}"),
                Err(_) => assert_eq!(millis, "error", "{text}"),
            }
        }
        for text in [
            "", "5", "s", "-5 s", "5.s", ".5 s", "5 S", "5 weeks", "1e3 s", "5 s x", "é",
        ] {
            let message = error(&format!("parse_duration('{text}')")).await;
            assert!(message.contains("is not a duration"), "{text}: {message}");
        }
        let long = error("parse_duration('99999999999999999999 d')").await;
        assert!(long.contains("too long"), "{long}");
        assert_eq!(value("parse_duration(NULL)").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn intervals_are_milliseconds() {
        for (call, expected) in [
            ("to_milliseconds(INTERVAL '-90' SECOND)", "-90000"),
            (
                "to_milliseconds(TIMESTAMP '2024-01-02 00:00:00' - TIMESTAMP '2024-01-01 00:00:00')",
                "86400000",
            ),
            ("to_milliseconds(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let months = error("to_milliseconds(INTERVAL '1' MONTH)").await;
        assert!(months.contains("has no milliseconds"), "{months}");
    }

    #[tokio::test]
    async fn seconds_are_written_in_words() {
        for (seconds, expected) in [
            ("0", "0 seconds"),
            ("0.4", "0 seconds"),
            ("-96", "1 minute, 36 seconds"),
            (
                "56363463",
                "93 weeks, 1 day, 8 hours, 31 minutes, 3 seconds",
            ),
            ("604800", "1 week"),
            (
                "1e300",
                "15250284452471 weeks, 3 days, 15 hours, 30 minutes, 7 seconds",
            ),
        ] {
            let call = format!("human_readable_seconds({seconds})");
            assert_eq!(value(&call).await.unwrap(), expected, "{seconds}");
        }
        let query = "SELECT human_readable_seconds(x) FROM (VALUES (1.0), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1 second", "NULL"]);
        let nan = error("human_readable_seconds(CAST('NaN' AS DOUBLE))").await;
        assert!(nan.contains("cannot be written"), "{nan}");
    }
}
