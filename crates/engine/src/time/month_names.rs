//! Dates with the name of a month, and dates of numbers with one meaning whether their month or their
//! day comes first, rewritten with the year first.
//!
//! ```text
//! January 8, 1999 10:30           1999-1-8 10:30
//! 08-Jan-1999                     1999-1-8
//! 1999 Jan 8                      1999-1-8
//! Mon Feb 10 17:32:01 1997 PST    1997-2-10 17:32:01 PST
//! 1/31/1999 10:30, 1/1/1999       1999-1-31 10:30, 1999-1-1
//! ```
//!
//! No setting changes their meaning, unlike that of `01/02/1999`.

use super::moment::month_of;
use super::template::DAYS;

/// Returns a text that begins with such a date, rewritten; `None` for any other text.
pub(super) fn year_first(text: &str) -> Option<String> {
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
                    (year, month, day, "", rest)
                }
            }
        }
        None => {
            let (first, after) = number(text)?;
            let (month, after) = name(joined(after)?)?;
            let (last, rest) = number(joined(after)?)?;
            match first.len() > 2 {
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
    let mut words = rest.split_ascii_whitespace();
    let before_christ = words.any(|word| word.eq_ignore_ascii_case("bc"));
    let is_short = year.len() <= 2 && !before_christ;
    let full = match year.parse::<u32>().ok()? {
        year @ ..70 if is_short => year + 2000,
        year if is_short => year + 1900,
        year => year,
    };
    let blank = if time.is_empty() { "" } else { " " };
    Some(format!("{full:04}-{month}-{day}{blank}{time}{rest}"))
}

/// Returns a text that begins with a date whose month can only be its first number, rewritten; `None`
/// for any other text.
pub(super) fn month_first(text: &str) -> Option<String> {
    let (month, after) = number(text)?;
    let mark = after
        .chars()
        .next()
        .filter(|mark| matches!(mark, '/' | '-'))?;
    let (day, after) = number(after.strip_prefix(mark)?)?;
    let (year, rest) = number(after.strip_prefix(mark)?)?;
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace());
    if month.len() > 2 || day.len() > 2 || year.len() != 4 || !ends {
        return None;
    }
    let (first, second) = (month.parse::<u8>().ok()?, day.parse::<u8>().ok()?);
    let has_one_meaning = first == second || second > 12;
    (first <= 12 && has_one_meaning).then(|| format!("{year}-{month}-{day}{rest}"))
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
            assert_eq!(year_first(text).as_deref(), Some(expected), "{text}");
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
            assert_eq!(year_first(text), None, "{text}");
        }
    }

    #[test]
    fn months_that_can_only_be_the_first_number_come_second() {
        for (text, expected) in [
            ("1/31/2024", "2024-1-31"),
            ("02-29-2024 10:30 pm", "2024-02-29 10:30 pm"),
            ("1/1/1000", "1000-1-1"),
            ("12/12/2024", "2024-12-12"),
        ] {
            assert_eq!(month_first(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "01/02/2024",
            "31/1/2024",
            "13/13/2024",
            "1/31/24",
            "1/31-2024",
            "1/31/2024T10:00",
            "1/31/2024/1",
            "001/31/2024",
            "1.31.2024",
            "/1/2024",
            "",
        ] {
            assert_eq!(month_first(text), None, "{text}");
        }
    }
}
