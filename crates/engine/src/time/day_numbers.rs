//! Dates that are written as numbers of days, rewritten with a month and a day.
//!
//! ```text
//! J2451187 10:30        1999-01-08 10:30        days since 4714-11-24 BC
//! 1999.008, 1999-008    1999-01-08              a year and the day of it
//! J0                    4714-11-24 BC
//! ```

use super::calendar::{date_of, days_of};

/// 1970-01-01 in days since 4714-11-24 BC.
const OF_1970: i64 = 2_440_588;

/// Digits of a year, and of the day of it.
const YEAR: usize = 4;
const DAY: usize = 3;

/// Returns a text that begins with such a date, rewritten; `None` for any other text.
pub(super) fn in_calendar(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| c.is_ascii_whitespace())
        .unwrap_or(text.len());
    let (date, rest) = text.split_at_checked(end)?;
    let (days, rest) = match date.strip_prefix(['J', 'j']) {
        Some(days) => (number(days)?.checked_sub(OF_1970)?, without_era(rest)),
        None => (of_year(date).filter(|_| !has_era(rest))?, rest.to_owned()),
    };
    let (year, month, day) = date_of(days);
    let (year, era) = match year {
        1.. => (year, ""),
        _ => (1 - year, " BC"),
    };
    Some(format!("{year:04}-{month:02}-{day:02}{rest}{era}"))
}

/// Returns the days since 1970 of a year and the day of it.
fn of_year(date: &str) -> Option<i64> {
    if date.len() != YEAR + 1 + DAY {
        return None;
    }
    let (year, day) = date.split_at_checked(YEAR)?;
    let day = day.strip_prefix(['.', '-'])?;
    let (year, day) = (number(year)?, number(day)?);
    let is_day = year > 0 && (1..=366).contains(&day);
    is_day.then(|| days_of(year, 1, day))
}

fn has_era(rest: &str) -> bool {
    rest.split_ascii_whitespace().any(is_era)
}

/// Returns the words without the era, which says nothing about a number of days.
fn without_era(rest: &str) -> String {
    let words = rest.split_ascii_whitespace().filter(|word| !is_era(word));
    words.flat_map(|word| [" ", word]).collect()
}

fn is_era(word: &str) -> bool {
    word.eq_ignore_ascii_case("bc") || word.eq_ignore_ascii_case("ad")
}

/// Parses up to seven digits.
fn number(digits: &str) -> Option<i64> {
    let is_number = (1..=7).contains(&digits.len());
    let is_number = is_number && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_days_are_dates() {
        for (text, expected) in [
            ("J2451187", Some("1999-01-08")),
            ("j2451187 10:30+02", Some("1999-01-08 10:30+02")),
            ("J0", Some("4714-11-24 BC")),
            ("J0 10:00", Some("4714-11-24 10:00 BC")),
            ("J2451187 BC", Some("1999-01-08")),
            ("J0 10:00 bc", Some("4714-11-24 10:00 BC")),
            ("J2451187 10:30 AD", Some("1999-01-08 10:30")),
            ("1999.008", Some("1999-01-08")),
            ("2024-060 10:20", Some("2024-02-29 10:20")),
            ("2024.366", Some("2024-12-31")),
            ("2023.366", Some("2024-01-01")),
            ("1999.000", None),
            ("1999.367", None),
            ("1999.008 BC", None),
            ("0000.008", None),
            ("1999.08", None),
            ("1999/008", None),
            ("J", None),
            ("J12345678", None),
            ("J2451187.5", None),
            ("Jan 8, 1999", None),
            ("", None),
            ("ä999.008", None),
        ] {
            assert_eq!(in_calendar(text).as_deref(), expected, "{text}");
        }
    }
}
