//! `to_char`, `to_date` and `to_timestamp` with Teradata's formats, as Trino has them.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::calendar::out_of_range;
use super::fields::Field;
use super::function::{self, TIMESTAMP, Timed};
use super::mysql::formatted;
use super::pattern::{Pattern, Piece};
use super::pattern_reading::Reader;
use super::values::{Last, numbers, shortened};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

const SECTION: &str = "Teradata";

/// The year in the middle of those that `yy` means, which are 2000 to 2099.
const MIDDLE: i64 = 2050;

const MICROS_OF_DAY: i64 = 86_400_000_000;

static TO_CHAR: Page = Page {
    name: "to_char",
    section: SECTION,
    syntax: "to_char(timestamp, format)",
    sentence: "Writes a timestamp in a format of yyyy, yy, mm, dd, hh24, hh, mi and ss.",
    example: "to_char(TIMESTAMP '2024-02-29 15:04:05', 'dd.mm.yyyy hh24:mi')",
    result: "29.02.2024 15:04",
};

static TO_DATE: Page = Page {
    name: "to_date",
    section: SECTION,
    syntax: "to_date(text, format)",
    sentence: "Reads a date in a format of Teradata.",
    example: "to_date('29.02.2024', 'dd.mm.yyyy')",
    result: "2024-02-29",
};

static TO_TIMESTAMP: Page = Page {
    name: "to_timestamp",
    section: SECTION,
    syntax: "to_timestamp(text, format)",
    sentence: "Reads a timestamp in a format of Teradata.",
    example: "to_timestamp('2024/02/29 15:04', 'yyyy/mm/dd hh24:mi')",
    result: "2024-02-29 15:04:00.000",
};

pub(super) fn entries() -> Vec<Entry> {
    let of_texts: function::Takes = |types| match types {
        [text, format] => Some(vec![function::text(text)?, function::text(format)?]),
        _ => None,
    };
    let to_char = Timed::new(
        &TO_CHAR,
        |types| match types {
            [of, format] => Some(vec![function::timestamp(of)?, function::text(format)?]),
            _ => None,
        },
        |_| Ok(DataType::Utf8),
        |call, _| formatted(call, pattern),
    );
    let to_date = Timed::new(
        &TO_DATE,
        of_texts,
        |_| Ok(DataType::Date32),
        |call, _| {
            read::<Date32Type>(call, |micros| {
                i32::try_from(micros.div_euclid(MICROS_OF_DAY)).map_err(|_| out_of_range().into())
            })
        },
    );
    let to_timestamp = Timed::new(
        &TO_TIMESTAMP,
        of_texts,
        |_| Ok(TIMESTAMP),
        |call, _| read::<TimestampMicrosecondType>(call, Ok),
    );
    let all = [to_char, to_date, to_timestamp];
    all.map(|function| function.entry().in_trino()).into()
}

/// Reads the texts of the first argument in the formats of the second one.
fn read<T: arrow::array::ArrowPrimitiveType>(
    call: &Call<'_>,
    of_micros: impl Fn(i64) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let (texts, formats) = (call.columns[0].texts(), call.columns[1].texts());
    let (mut last, mut reader) = (Last::new(), Reader::default());
    numbers::<T>(call, |row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            return Ok(None);
        };
        let pattern = last.of(format, pattern)?;
        let micros = reader.local(pattern, text)?.micros()?;
        of_micros(micros).map(Some)
    })
}

/// Reads a format of Teradata, whose words are in lower case.
fn pattern(format: &str) -> Result<Pattern> {
    const WORDS: [&str; 8] = ["yyyy", "yy", "mm", "dd", "hh24", "hh", "mi", "ss"];
    let mut pattern = Pattern::default();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let word = WORDS.into_iter().find(|word| rest.starts_with(word));
        match word {
            Some("yyyy") => pattern.push(Piece::Number {
                field: Field::Year,
                least: 4,
                most: 4,
                signed: true,
            }),
            Some("yy") => pattern.push(Piece::TwoDigits {
                field: Field::Year,
                middle: MIDDLE,
                lenient: false,
            }),
            Some("mm") => pattern.number(Field::Month, 2, 2),
            Some("dd") => pattern.number(Field::Day, 2, 2),
            Some("hh24") => pattern.number(Field::Hour, 2, 2),
            Some("hh") => pattern.number(Field::HourOfHalf, 2, 2),
            Some("mi") => pattern.number(Field::Minute, 2, 2),
            Some("ss") => pattern.number(Field::Second, 2, 2),
            _ if "-/,.;:".contains(first) || first.is_ascii_whitespace() => {
                pattern.literal(first);
            }
            _ => {
                return Err(Error::new(
                    Code::InvalidParameter,
                    format!(
                        "the format of a time has no meaning from '{}' on",
                        shortened(rest)
                    ),
                )
                .with_hint("its words are yyyy, yy, mm, dd, hh24, hh, mi and ss")
                .into());
            }
        }
        let length = word.map_or(first.len_utf8(), str::len);
        rest = rest.get(length..).unwrap_or_default();
    }
    match pattern.pieces.is_empty() {
        true => Err(
            Error::new(Code::InvalidParameter, "the format of a time is empty")
                .with_hint("write it as 'yyyy-mm-dd hh24:mi:ss'")
                .into(),
        ),
        false => Ok(pattern),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    #[tokio::test]
    async fn times_are_written_and_read() {
        for (call, expected) in [
            ("to_date('1988/04/08', 'yyyy/mm/dd')", "1988-04-08"),
            ("to_date(';198804:08', ';yyyymm:dd')", "1988-04-08"),
            ("to_date('8 04 1988', 'dd mm yyyy')", "1988-04-08"),
            ("to_date('88/04/08', 'yy/mm/dd')", "2088-04-08"),
            ("to_date('1969-12-31', 'yyyy-mm-dd')", "1969-12-31"),
            ("to_date(NULL, 'yyyy')", "NULL"),
            (
                "to_timestamp('1988/04/08 2', 'yyyy/mm/dd hh')",
                "1988-04-08 02:00:00.000",
            ),
            (
                "to_timestamp('1988/04/08 14:15:16', 'yyyy/mm/dd hh24:mi:ss')",
                "1988-04-08 14:15:16.000",
            ),
            (
                "to_timestamp('1988/04/08 2:3:4', 'yyyy/mm/dd hh24:mi:ss')",
                "1988-04-08 02:03:04.000",
            ),
            (
                "to_char(TIMESTAMP '1988-04-08 14:15:16', 'hh:mi:ss')",
                "02:15:16",
            ),
            ("to_char(TIMESTAMP '1988-04-08 00:00:00', 'yy')", "88"),
            (
                "to_char(DATE '1988-04-08', 'yyyy/mm/dd hh24')",
                "1988/04/08 00",
            ),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let refused = error("to_date('1988', 'YYYY')").await;
        assert!(refused.contains("no meaning"), "{refused}");
        let refused = error("to_date('1988-13-01', 'yyyy-mm-dd')").await;
        assert!(!refused.starts_with("no error"), "{refused}");
        assert!(
            error("to_char(DATE '1988-04-08', '')")
                .await
                .contains("empty")
        );
    }
}
