//! `format_datetime` and `parse_datetime`, whose formats are Joda-Time's.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{Datelike, Utc};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::fields::Field;
use super::function::{self, Asked, Session, Timed};
use super::mysql::formatted;
use super::pattern::{Pattern, Piece};
use super::pattern_reading::Reader;
use super::values::{Last, numbers, shortened};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

/// Digits of a year that are read where no other number follows.
const MOST_OF_YEAR: usize = 9;

static FORMAT: Page = Page {
    name: "format_datetime",
    section: SECTION,
    syntax: "format_datetime(timestamp, format)",
    sentence: "Writes a timestamp in a format of Joda-Time.",
    example: "format_datetime(TIMESTAMP '2024-02-29 15:04:05', 'EEE, d MMM yyyy HH:mm:ss')",
    result: "Thu, 29 Feb 2024 15:04:05",
};

static PARSE: Page = Page {
    name: "parse_datetime",
    section: SECTION,
    syntax: "parse_datetime(text, format)",
    sentence: "Reads a timestamp with time zone in a format of Joda-Time.",
    example: "parse_datetime('2024-02-29 15:04 +0200', 'yyyy-MM-dd HH:mm Z')",
    result: "2024-02-29 13:04:00.000 +00:00",
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
        |asked: &Asked<'_>| Ok(asked.zoned()),
        parsed,
    );
    vec![format.entry(), parse.entry()]
}

fn parsed(call: &Call<'_>, session: &Session<'_>) -> Result<ArrayRef> {
    let (texts, formats) = (call.columns[0].texts(), call.columns[1].texts());
    let clock = session.clock()?;
    let (mut last, mut reader) = (Last::new(), Reader::default());
    numbers::<TimestampMicrosecondType>(call, |row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            return Ok(None);
        };
        let pattern = last.of(format, pattern)?;
        let local = reader.local(pattern, text)?;
        reader.instant(local, clock).map(Some)
    })
}

/// A part of a format: letters that are alike, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Letters(char, usize),
    Text(String),
}

impl Token {
    fn is_number(&self) -> bool {
        match self {
            Self::Letters('M', count) => *count <= 2,
            Self::Letters(letter, _) => "CxyYdhHmsSeDwkK".contains(*letter),
            Self::Text(_) => false,
        }
    }
}

/// Splits a format. Text is in apostrophes, or has no ASCII letters; two apostrophes are one.
fn tokens(format: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = format.chars().peekable();
    while let Some(&first) = characters.peek() {
        if first.is_ascii_alphabetic() {
            let mut count = 0;
            while characters.next_if_eq(&first).is_some() {
                count += 1;
            }
            tokens.push(Token::Letters(first, count));
            continue;
        }
        let (mut text, mut quoted) = (String::new(), false);
        while let Some(character) =
            characters.next_if(|character| quoted || !character.is_ascii_alphabetic())
        {
            match character {
                '\'' if characters.next_if_eq(&'\'').is_some() => text.push('\''),
                '\'' => quoted = !quoted,
                character => text.push(character),
            }
        }
        tokens.push(Token::Text(text));
    }
    tokens
}

/// Reads a format of Joda-Time.
fn pattern(format: &str) -> Result<Pattern> {
    if format.is_empty() {
        return Err(
            Error::new(Code::InvalidParameter, "the format of a time is empty")
                .with_hint("write it as 'yyyy-MM-dd HH:mm:ss'")
                .into(),
        );
    }
    let tokens = tokens(format);
    let mut pattern = Pattern::default();
    for (place, token) in tokens.iter().enumerate() {
        let before_number = tokens.get(place + 1).is_some_and(Token::is_number);
        match token {
            Token::Text(text) => pattern.push(Piece::Literal(text.clone())),
            Token::Letters(letter, count) => {
                of_letter(&mut pattern, *letter, *count, before_number).ok_or_else(|| {
                    let letters: String = std::iter::repeat_n(*letter, *count).collect();
                    Error::new(
                        Code::InvalidParameter,
                        format!(
                            "'{}' means nothing in the format of a time",
                            shortened(&letters)
                        ),
                    )
                    .with_hint("text in a format is quoted: yyyy-MM-dd'T'HH:mm")
                })?;
            }
        }
    }
    Ok(pattern)
}

fn of_letter(pattern: &mut Pattern, letter: char, count: usize, before_number: bool) -> Option<()> {
    let two = |field| Piece::TwoDigits {
        field,
        middle: *MIDDLE,
        lenient: !before_number,
    };
    let most_of_year = if before_number { count } else { MOST_OF_YEAR };
    match (letter, count) {
        ('G', _) => pattern.name(Field::Era, false),
        ('C', _) => pattern.number(Field::Century, count, count),
        ('x', 2) => pattern.push(two(Field::WeekYear)),
        ('y' | 'Y', 2) => pattern.push(two(Field::Year)),
        ('x', _) => pattern.number(Field::WeekYear, count, most_of_year),
        ('y', _) => pattern.number(Field::Year, count, most_of_year),
        ('Y', _) => pattern.number(Field::YearOfEra, count, most_of_year),
        ('M', 1 | 2) => pattern.number(Field::Month, count, 2),
        ('M', _) => pattern.name(Field::Month, count == 3),
        ('d', _) => pattern.number(Field::Day, count, 2),
        ('a', _) => pattern.name(Field::Half, false),
        ('h', _) => pattern.number(Field::ClockHourOfHalf, count, 2),
        ('H', _) => pattern.number(Field::Hour, count, 2),
        ('k', _) => pattern.number(Field::ClockHour, count, 2),
        ('K', _) => pattern.number(Field::HourOfHalf, count, 2),
        ('m', _) => pattern.number(Field::Minute, count, 2),
        ('s', _) => pattern.number(Field::Second, count, 2),
        ('S', _) => pattern.push(Piece::Fraction {
            digits: count,
            most: count.min(18),
        }),
        ('e', _) => pattern.number(Field::DayOfWeek, count, 1),
        ('E', _) => pattern.name(Field::DayOfWeek, count < 4),
        ('D', _) => pattern.number(Field::DayOfYear, count, 3),
        ('w', _) => pattern.number(Field::Week, count, 2),
        ('z', 1..=3) => pattern.push(Piece::ZoneName { long: false }),
        ('z', _) => pattern.push(Piece::ZoneName { long: true }),
        ('Z', 1 | 2) => pattern.push(Piece::Offset { colon: count == 2 }),
        ('Z', _) => pattern.push(Piece::ZoneId),
        _ => return None,
    }
    Some(())
}

/// The year in the middle of those that `yy` means.
static MIDDLE: LazyLock<i64> = LazyLock::new(|| i64::from(Utc::now().year()) - 30);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Token, tokens};
    use crate::testing::{error, rows, value};

    #[test]
    fn formats_have_letters_and_quoted_text() {
        let text = |text: &str| Token::Text(text.to_owned());
        for (format, expected) in [
            (
                "yyyyMM",
                vec![Token::Letters('y', 4), Token::Letters('M', 2)],
            ),
            (
                "d'T'H",
                vec![Token::Letters('d', 1), text("T"), Token::Letters('H', 1)],
            ),
            (
                "h 'o''clock'",
                vec![Token::Letters('h', 1), text(" o'clock")],
            ),
            ("''é", vec![text("'é")]),
            ("'open", vec![text("open")]),
            ("", vec![]),
        ] {
            assert_eq!(tokens(format), expected, "{format}");
        }
    }

    #[tokio::test]
    async fn every_letter_is_written() {
        let time = "TIMESTAMP '2024-02-09 15:04:05.123456'";
        for (format, expected) in [
            (
                "G C Y yy yyyy yyyyyy x xx",
                "AD 20 2024 24 2024 002024 2024 24",
            ),
            ("M MM MMM MMMM", "2 02 Feb February"),
            ("d dd ddd D DDD", "9 09 009 40 040"),
            ("e ee E EEE EEEE w ww", "5 05 Fri Fri Friday 6 06"),
            ("a h hh H K k", "PM 3 03 15 3 15"),
            ("m mm s ss", "4 04 5 05"),
            ("S SS SSS SSSS SSSSSSSSS", "1 12 123 1230 123000000"),
            ("yyyy''MM 'de' ''", "2024'02 de '"),
        ] {
            let format = format.replace('\'', "''");
            let call = format!("format_datetime({time}, '{format}')");
            assert_eq!(value(&call).await.unwrap(), expected, "{format}");
        }
        for format in ["b", "yyyy-MM-ddTHH", "", "zzz", "ZZ"] {
            let call = format!("format_datetime({time}, '{format}')");
            assert!(value(&call).await.is_err(), "{format}");
        }
        assert_eq!(value("format_datetime(NULL, 'y')").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn zones_are_written() {
        let zoned = |zone| format!("with_timezone(TIMESTAMP '2024-07-01 12:00:00', '{zone}')");
        for (zone, format, expected) in [
            (
                "Europe/Berlin",
                "H z Z ZZ ZZZ",
                "12 CEST +0200 +02:00 Europe/Berlin",
            ),
            ("America/New_York", "H z Z", "12 EDT -0400"),
            ("UTC", "z Z ZZ ZZZ", "UTC +0000 +00:00 UTC"),
            ("-05:30", "z Z ZZ ZZZ", "-05:30 -0530 -05:30 -05:30"),
        ] {
            let call = format!("format_datetime({}, '{format}')", zoned(zone));
            assert_eq!(value(&call).await.unwrap(), expected, "{call}");
        }
        for (zone, format) in [("Europe/Berlin", "zzzz"), ("America/Sao_Paulo", "z")] {
            let call = format!("format_datetime({}, '{format}')", zoned(zone));
            assert!(value(&call).await.is_err(), "{call}");
        }
        let quoted = "format_datetime(TIMESTAMP '2024-07-01 12:00:00', 'HH''Z''')";
        assert_eq!(value(quoted).await.unwrap(), "12Z");
    }

    #[tokio::test]
    async fn texts_are_read_by_their_zone_or_the_sessions() {
        for (text, format, expected) in [
            (
                "2024-02-29 12:00",
                "yyyy-MM-dd HH:mm",
                "2024-02-29 12:00:00.000 +00:00",
            ),
            ("20240229", "yyyyMMdd", "2024-02-29 00:00:00.000 +00:00"),
            (
                "29/Feb/2024:12:00:00 +0200",
                "dd/MMM/yyyy:HH:mm:ss Z",
                "2024-02-29 10:00:00.000 +00:00",
            ),
            (
                "2024-02-29 12:00 -05:30",
                "yyyy-MM-dd HH:mm ZZ",
                "2024-02-29 17:30:00.000 +00:00",
            ),
            (
                "2024-02-29 12:00 Z",
                "yyyy-MM-dd HH:mm Z",
                "2024-02-29 12:00:00.000 +00:00",
            ),
            (
                "2024-07-01 12:00 PST",
                "yyyy-MM-dd HH:mm z",
                "2024-07-01 19:00:00.000 +00:00",
            ),
            (
                "2024-07-01 12:00 Europe/Berlin",
                "yyyy-MM-dd HH:mm ZZZ",
                "2024-07-01 10:00:00.000 +00:00",
            ),
            (
                "2024-10-27 02:30 Europe/Berlin",
                "yyyy-MM-dd HH:mm ZZZ",
                "2024-10-27 00:30:00.000 +00:00",
            ),
            (
                "Monday 1 July 2024 at 3 pm",
                "EEEE d MMMM yyyy 'at' h a",
                "2024-07-01 15:00:00.000 +00:00",
            ),
            ("12345", "y", "12345-01-01 00:00:00.000 +00:00"),
            ("00", "yy", "2000-01-01 00:00:00.000 +00:00"),
            ("1234", "yy", "1234-01-01 00:00:00.000 +00:00"),
            (
                "12:00:00.1234",
                "HH:mm:ss.SSSS",
                "1970-01-01 12:00:00.123 +00:00",
            ),
        ] {
            let call = format!("parse_datetime('{text}', '{}')", format.replace('\'', "''"));
            let found = value(&call).await.unwrap();
            assert_eq!(found.trim_start_matches('+'), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn texts_of_other_formats_are_errors() {
        for (text, format) in [
            ("2024-03-31 02:30 Europe/Berlin", "yyyy-MM-dd HH:mm ZZZ"),
            ("2024-03-31 02:30 Nowhere", "yyyy-MM-dd HH:mm ZZZ"),
            ("2024-03-31 +1500", "yyyy-MM-dd Z"),
            ("2024-03-31 +0", "yyyy-MM-dd Z"),
            ("999999999", "y"),
            ("99999999999", "yyyyyyyyyyy"),
            ("-0", "dd"),
            ("2024 AD", "yyyy zzzz"),
            ("2024", "yyyyb"),
        ] {
            let call = format!("parse_datetime('{text}', '{format}')");
            assert!(value(&call).await.is_err(), "{call}");
        }
        let clock =
            error("parse_datetime('2024-03-31 02:30 Europe/Berlin', 'yyyy-MM-dd HH:mm ZZZ')");
        assert!(clock.await.contains("set forward"));
        let query = "SELECT parse_datetime(x, 'yyyy') FROM (VALUES ('2024'), (NULL)) t(x)";
        let expected = ["2024-01-01 00:00:00.000 +00:00", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
    }
}
