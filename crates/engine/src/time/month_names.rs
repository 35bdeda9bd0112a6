//! Dates with the name of a month, and dates of numbers, rewritten with the year first.
//!
//! ```text
//! January 8, 1999 10:30           1999-1-8 10:30
//! 08-Jan-1999                     1999-1-8
//! 1999 Jan 8                      1999-1-8
//! Mon Feb 10 17:32:01 1997 PST    1997-2-10 17:32:01 PST
//! 1/31/1999 10:30, 1/2/99         1999-1-31 10:30, 1999-1-2
//! 31.1.1999                       1999-1-31, where the day comes first
//! ```

use super::date_order::DateOrder;
use super::moment::month_of;
use super::template::DAYS;

/// Returns a text that begins with a date with the name of a month, rewritten; `None` for any other
/// text.
pub(super) fn year_first(text: &str, order: DateOrder) -> Option<String> {
    let text = after_weekday(text).unwrap_or(text);
    let (year, month, day, time, rest) = match name(text) {
        Some((month, after)) => {
            let (day, after) = number(joined(after)?)?;
            match clock(after) {
                Some((time, after)) => {
                    let (year, rest) = number(joined(after)?)?;
                    (year, month, day, time, rest)
                }
                None => {
                    let (year, rest) = number(joined(after)?)?;
                    match order == DateOrder::Ymd && year.len() <= 2 {
                        true => (day, month, year, "", rest),
                        false => (year, month, day, "", rest),
                    }
                }
            }
        }
        None => {
            let (first, after) = number(text)?;
            let (month, after) = name(joined(after)?)?;
            let (last, rest) = number(joined(after)?)?;
            let is_year = order == DateOrder::Ymd && last.len() <= 2;
            match first.len() > 2 || is_year {
                true => (first, month, last, "", rest),
                false => (last, month, first, "", rest),
            }
        }
    };
    // A number before a colon is an hour.
    let ends = !rest.starts_with(|c: char| c == ':' || c.is_ascii_alphabetic());
    if day.len() > 2 || year.len() > 7 || !ends {
        return None;
    }
    let full = full_year(year, rest)?;
    let blank = if time.is_empty() { "" } else { " " };
    Some(format!("{full:04}-{month}-{day}{blank}{time}{rest}"))
}

/// Returns the year that is written in two digits or in all. `rest`: what follows the date.
fn full_year(year: &str, rest: &str) -> Option<u32> {
    let mut words = rest.split_ascii_whitespace();
    let before_christ = words.any(|word| word.eq_ignore_ascii_case("bc"));
    let is_short = year.len() <= 2 && !before_christ;
    Some(match year.parse::<u32>().ok()? {
        year @ ..70 if is_short => year + 2000,
        year if is_short => year + 1900,
        year => year,
    })
}

/// Returns a text that begins with a date of numbers, of which the first has at most two digits,
/// rewritten; `None` for any other text.
pub(super) fn numbers(text: &str, order: DateOrder) -> Option<String> {
    let (first, after) = number(text)?;
    let mark = after
        .chars()
        .next()
        .filter(|mark| matches!(mark, '/' | '-' | '.'))?;
    let (second, after) = number(after.strip_prefix(mark)?)?;
    let (third, rest) = number(after.strip_prefix(mark)?)?;
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace());
    let (year, month, day) = match order {
        DateOrder::Unknown if !has_one_meaning(first, second, third, mark) => return None,
        DateOrder::Unknown | DateOrder::Mdy => (third, first, second),
        DateOrder::Dmy => (third, second, first),
        DateOrder::Ymd => (first, second, third),
    };
    let is_year = matches!(year.len(), 1 | 2 | 4);
    if !ends || !is_year || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let year = full_year(year, rest)?;
    Some(format!("{year:04}-{month}-{day}{rest}"))
}

/// Returns whether a date of numbers can only be one with the month first, or is the same with the day
/// first.
fn has_one_meaning(first: &str, second: &str, year: &str, mark: char) -> bool {
    let numbers = first.parse::<u8>().ok().zip(second.parse::<u8>().ok());
    let is_clear = |(first, second): (u8, u8)| first <= 12 && (first == second || second > 12);
    mark != '.' && year.len() == 4 && numbers.is_some_and(is_clear)
}

/// Skips the name of a day.
fn after_weekday(text: &str) -> Option<&str> {
    let (word, after) = word(text)?;
    let is_day = DAYS.iter().any(|day| {
        let short = day.get(..3).unwrap_or(day);
        day.eq_ignore_ascii_case(word) || short.eq_ignore_ascii_case(word)
    });
    if is_day { joined(after) } else { None }
}

/// Returns the month that a text begins with, and what follows.
fn name(text: &str) -> Option<(i64, &str)> {
    let (word, after) = word(text)?;
    let month = match word.eq_ignore_ascii_case("sept") {
        true => Some(9),
        false => month_of(word),
    };
    Some((month?, after))
}

fn word(text: &str) -> Option<(&str, &str)> {
    first(text, |c| c.is_ascii_alphabetic())
}

fn number(text: &str) -> Option<(&str, &str)> {
    first(text, |c| c.is_ascii_digit())
}

/// Returns a time of day such as `17:32:01` after blanks, and what follows.
fn clock(text: &str) -> Option<(&str, &str)> {
    let after = text.trim_start();
    let (time, rest) = first(after, |c| !c.is_ascii_whitespace())?;
    let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.contains(':');
    (is_time && after.len() < text.len()).then_some((time, rest))
}

/// Returns the first characters of a kind, at least one, and what follows.
fn first(text: &str, is: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is(c)).unwrap_or(text.len());
    let (found, rest) = text.split_at_checked(end)?;
    (!found.is_empty()).then_some((found, rest))
}

/// Skips what separates two parts of a date: one of `-/.`, or blanks and commas.
fn joined(text: &str) -> Option<&str> {
    if let Some(after) = text.strip_prefix(['-', '/', '.']) {
        return Some(after);
    }
    let after = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    (after.len() < text.len()).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_comes_first() {
        for (text, expected) in [
            ("January 8, 1999", "1999-1-8"),
            ("Jan 8 1999 10:30", "1999-1-8 10:30"),
            ("8 jan 1999", "1999-1-8"),
            ("08-Jan-99", "1999-1-08"),
            ("Jan-08-1999", "1999-1-08"),
            ("10 Sept 20", "2020-9-10"),
            ("1999 Jan 08", "1999-1-08"),
            ("January 8, 99 BC", "0099-1-8 BC"),
            ("Sunday, January 10, 1999", "1999-1-10"),
            ("Mon Feb 10 17:32:01.5 1997 PST", "1997-2-10 17:32:01.5 PST"),
            ("Feb 10 5:32PM 1997", "1997-2-10 5:32PM"),
            ("Feb 10 17:32:01 1997 -0800", "1997-2-10 17:32:01 -0800"),
        ] {
            let found = year_first(text, DateOrder::Mdy);
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "Jan",
            "Jan 1999",
            "8 Jan",
            "Jan 8 10:30",
            "Monday",
            "10:30",
            "2024-01-01",
            "01/02/2024",
            "Feb 16 17:32:01 -0097",
            "Jan 8 1999x",
            "Foo 8 1999",
        ] {
            assert_eq!(year_first(text, DateOrder::Mdy), None, "{text}");
        }
        for (text, expected) in [
            ("01-Feb-03", "2001-2-03"),
            ("Feb 01 03", "2001-2-03"),
            ("1 Feb 2003", "2003-2-1"),
            ("Feb 1, 2003", "2003-2-1"),
        ] {
            let found = year_first(text, DateOrder::Ymd);
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_without_an_order_have_one_meaning() {
        for (text, expected) in [
            ("1/31/2024", "2024-1-31"),
            ("02-29-2024 10:30 pm", "2024-02-29 10:30 pm"),
            ("1/1/1000", "1000-1-1"),
            ("12/12/2024", "2024-12-12"),
        ] {
            let found = numbers(text, DateOrder::Unknown);
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for text in [
            "01/02/2024",
            "31/1/2024",
            "13/13/2024",
            "1/31/24",
            "1.31.2024",
            "999/31/2024",
        ] {
            assert_eq!(numbers(text, DateOrder::Unknown), None, "{text}");
        }
    }

    // Expected dates: PostgreSQL 15, which refuses those of days and months that do not exist.
    #[test]
    fn numbers_are_in_the_order_of_the_session() {
        for (text, mdy, dmy, ymd) in [
            ("01/02/2003", "2003-01-02", "2003-02-01", ""),
            ("1/2/03", "2003-1-2", "2003-2-1", "2001-2-03"),
            ("1-2-70", "1970-1-2", "1970-2-1", "2001-2-70"),
            ("1.2.3", "2003-1-2", "2003-2-1", "2001-2-3"),
            ("1.31.2024", "2024-1-31", "2024-31-1", ""),
            ("1/2/03 BC", "0003-1-2 BC", "0003-2-1 BC", "0001-2-03 BC"),
            ("1/2/2003 10:30", "2003-1-2 10:30", "2003-2-1 10:30", ""),
        ] {
            for (order, expected) in [
                (DateOrder::Mdy, mdy),
                (DateOrder::Dmy, dmy),
                (DateOrder::Ymd, ymd),
            ] {
                let found = numbers(text, order);
                assert_eq!(found.unwrap_or_default(), expected, "{text} {order:?}");
            }
        }
        for text in [
            "1/31-2024",
            "1/31/2024T10:00",
            "1/31/2024/1",
            "001/31/2024",
            "/1/2024",
            "1/2/123",
            "1/2/20030",
            "1.2",
            "",
        ] {
            assert_eq!(numbers(text, DateOrder::Mdy), None, "{text}");
        }
    }
}
