//! `to_timestamp(text, template)` and `to_date(text, template)` as in PostgreSQL, if the text
//! matches the template. PostgreSQL skips what differs and fills in what is missing; here, both are
//! errors.

use lakegate_error::{Code, Error};

use super::SECOND;
use super::calendar::{at, days_in_month, days_of};
use super::template::{MONTHS, fills, pattern};

/// What a text contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// Microseconds since 1970, as a clock shows them.
    pub time: i64,
    /// Seconds east of UTC.
    pub offset: Option<i64>,
}

/// Why a text cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not match the template.
    Differs,
    /// A part of it is out of range.
    Range,
    /// The template contains a pattern that is not supported.
    Pattern(&'static str),
}

/// Returns the error for a text that cannot be parsed.
pub(super) fn error(text: &str, template: &str, fault: &Fault) -> Error {
    let text: String = text.chars().take(100).collect();
    let template: String = template.chars().take(100).collect();
    match fault {
        Fault::Differs => Error::new(
            Code::InvalidDatetime,
            format!("the text \"{text}\" does not match the template \"{template}\""),
        )
        .with_hint("both need the same separators, and a year"),
        Fault::Range => Error::new(
            Code::DatetimeOutOfRange,
            format!("date/time field value out of range: \"{text}\""),
        ),
        Fault::Pattern(pattern) => Error::not_supported(format!(
            "the template pattern {pattern} is not supported for parsing text"
        ))
        .with_hint("use YYYY, MM, DD, HH24, MI, SS, MS and similar patterns"),
    }
}

#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    is_half: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    before_christ: bool,
    offset_hours: Option<(i64, i64)>,
    offset_minutes: i64,
}

enum Element<'a> {
    Field(&'static str, bool),
    Literal(&'a str),
}

/// Parses a text by a template.
///
/// # Errors
///
/// Returns an error if the text does not match the template, or if the template contains an
/// unsupported pattern.
pub(super) fn read(text: &str, template: &str) -> Result<Said, Fault> {
    let elements = elements(template);
    let mut parts = Parts::default();
    let mut rest = text;
    for (at, element) in elements.iter().enumerate() {
        match element {
            Element::Literal(literal) => match rest.strip_prefix(literal) {
                Some(after) => rest = after,
                // A text may end early, as if the template ended there.
                None if rest.is_empty() => break,
                None if literal.trim().is_empty() => rest = rest.trim_start(),
                None => return Err(Fault::Differs),
            },
            Element::Field(name, bare) => {
                rest = rest.trim_start_matches(' ');
                if rest.is_empty() {
                    break;
                }
                // A number that is directly followed by another has a fixed number of digits.
                let next = elements.get(at + 1);
                let bounded = !bare && matches!(next, Some(Element::Field(..)));
                parts.field(name, bounded, &mut rest)?;
            }
        }
    }
    parts.said()
}

fn elements(template: &str) -> Vec<Element<'_>> {
    let mut elements = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (bare, after) = match fills(rest) {
            Some(after) => (true, after),
            None => (false, rest),
        };
        if let Some((found, _)) = pattern(after) {
            rest = after.get(found.len()..).unwrap_or_default();
            if found != "FX" {
                elements.push(Element::Field(found, bare));
            }
            continue;
        }
        let Some(next) = after.chars().next() else {
            break;
        };
        if next == '"' {
            let inner = after.get(1..).unwrap_or_default();
            let (quoted, after) = inner.split_once('"').unwrap_or((inner, ""));
            elements.push(Element::Literal(quoted));
            rest = after;
            continue;
        }
        let (literal, following) = after
            .split_at_checked(next.len_utf8())
            .unwrap_or((after, ""));
        elements.push(Element::Literal(literal));
        rest = following;
    }
    elements
}

/// Parses a number and returns it with its number of digits: exactly `width` digits if `bounded`,
/// otherwise all digits, at most 9.
fn number(rest: &mut &str, width: usize, bounded: bool) -> Result<(i64, usize), Fault> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let taken = if bounded { digits.min(width) } else { digits };
    if taken == 0 || taken > 9 || (bounded && taken < width) {
        return Err(Fault::Differs);
    }
    let (number, after) = rest.split_at_checked(taken).ok_or(Fault::Differs)?;
    *rest = after;
    Ok((number.parse().map_err(|_| Fault::Differs)?, taken))
}

/// Parses one of these words, in any case, and returns its index.
fn word(rest: &mut &str, words: &[&str]) -> Result<usize, Fault> {
    let found = words.iter().enumerate().find(|(_, word)| {
        rest.get(..word.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    });
    let (at, word) = found.ok_or(Fault::Differs)?;
    *rest = rest.get(word.len()..).unwrap_or_default();
    Ok(at)
}

impl Parts {
    fn field(&mut self, name: &'static str, bounded: bool, rest: &mut &str) -> Result<(), Fault> {
        match name {
            "YYYY" => self.year = Some(number(rest, 4, bounded)?.0),
            "YY" => {
                let (year, digits) = number(rest, 2, bounded)?;
                self.year = Some(match year {
                    year if digits > 2 => year,
                    ..70 => year + 2000,
                    year => year + 1900,
                });
            }
            "MM" => self.month = Some(number(rest, 2, bounded)?.0),
            "DD" => self.day = Some(number(rest, 2, bounded)?.0),
            "DDD" => self.day_of_year = Some(number(rest, 3, bounded)?.0),
            "HH24" => self.hour = Some(number(rest, 2, bounded)?.0),
            "HH" | "HH12" => {
                self.hour = Some(number(rest, 2, bounded)?.0);
                self.is_half = true;
            }
            "MI" => self.minute = number(rest, 2, bounded)?.0,
            "SS" => self.second = number(rest, 2, bounded)?.0,
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let width = match name {
                    "MS" => 3,
                    "US" => 6,
                    digits => usize::from(digits.as_bytes().last().map_or(6, |digit| digit - b'0')),
                };
                let (value, digits) = number(rest, width, bounded)?;
                let missing = 6usize.checked_sub(digits).filter(|_| digits <= width);
                let missing =
                    u32::try_from(missing.ok_or(Fault::Range)?).map_err(|_| Fault::Range)?;
                self.micros = value * 10i64.pow(missing);
            }
            "AM" | "PM" => self.afternoon = Some(word(rest, &["am", "pm"])? == 1),
            "A.M." | "P.M." => self.afternoon = Some(word(rest, &["a.m.", "p.m."])? == 1),
            "AD" | "BC" => self.before_christ = word(rest, &["ad", "bc"])? == 1,
            "MONTH" => self.month = month(word(rest, &MONTHS)?),
            "MON" => {
                let short: Vec<&str> = MONTHS.iter().filter_map(|name| name.get(..3)).collect();
                self.month = month(word(rest, &short)?);
            }
            "TZH" => {
                let sign = match rest.as_bytes().first() {
                    Some(b'-') => -1,
                    Some(b'+') => 1,
                    _ => return Err(Fault::Differs),
                };
                *rest = rest.get(1..).unwrap_or_default();
                self.offset_hours = Some((sign, number(rest, 2, bounded)?.0));
            }
            "TZM" => self.offset_minutes = number(rest, 2, bounded)?.0,
            other => return Err(Fault::Pattern(other)),
        }
        Ok(())
    }

    fn said(&self) -> Result<Said, Fault> {
        let year = match (self.year.ok_or(Fault::Differs)?, self.before_christ) {
            (0, _) => return Err(Fault::Range),
            (year, true) => 1 - year,
            (year, false) => year,
        };
        let day = match (self.day_of_year, self.month, self.day) {
            (Some(day), None, None) => {
                let days = days_of(year + 1, 1, 1) - days_of(year, 1, 1);
                let is_day = (1..=days).contains(&day);
                is_day.then(|| days_of(year, 1, 1) + day - 1)
            }
            (None, month, day) => {
                let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
                let is_month = (1..=12).contains(&month);
                let is_day = is_month && (1..=days_in_month(year, month)).contains(&day);
                is_day.then(|| days_of(year, month, day))
            }
            _ => return Err(Fault::Differs),
        };
        let hour = self.hour.unwrap_or(0);
        let is_half = self.is_half || self.afternoon.is_some();
        let bounds = if is_half && self.hour.is_some() {
            1..=12
        } else {
            0..=23
        };
        if !bounds.contains(&hour) || self.minute > 59 || self.second > 59 {
            return Err(Fault::Range);
        }
        let hour = match is_half {
            true => hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 },
            false => hour,
        };
        let offset = match self.offset_hours {
            Some((_, hours)) if hours > 15 || self.offset_minutes > 59 => return Err(Fault::Range),
            Some((sign, hours)) => Some(sign * (hours * 3600 + self.offset_minutes * 60)),
            None => None,
        };
        let time = ((hour * 60 + self.minute) * 60 + self.second) * SECOND + self.micros;
        let time = day.and_then(|day| at(day, time)).ok_or(Fault::Range)?;
        Ok(Said { time, offset })
    }
}

fn month(at: usize) -> Option<i64> {
    i64::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::calendar::DAY;

    #[test]
    fn texts_are_read_as_templates_say() {
        let day = days_of(2024, 3, 5) * DAY;
        let time = day + (13 * 3600 + 4 * 60 + 5) * SECOND;
        for (text, template, expected) in [
            ("2024-03-05", "YYYY-MM-DD", day),
            ("20240305", "YYYYMMDD", day),
            ("5/3/24", "DD/MM/YY", day),
            ("Mar 5, 2024", "Mon DD, YYYY", day),
            ("05 march 2024 rest", "DD Month YYYY", day),
            ("2024 065", "YYYY DDD", day),
            ("2024-03-05T13:04:05", "YYYY-MM-DD\"T\"HH24:MI:SS", time),
            ("2024-03-05 01:04:05 pm", "YYYY-MM-DD HH:MI:SS AM", time),
            (
                "2024-03-05 13:04:05.25",
                "YYYY-MM-DD HH24:MI:SS.MS",
                time + 250_000,
            ),
            ("20240305130405", "YYYYMMDDHH24MISS", time),
            ("2024-03", "YYYY-MM-DD", days_of(2024, 3, 1) * DAY),
        ] {
            let said = Said {
                time: expected,
                offset: None,
            };
            assert_eq!(read(text, template), Ok(said), "{text}");
        }
        let said = read(
            "2024-03-05 13:04:05 -05:30",
            "YYYY-MM-DD HH24:MI:SS TZH:TZM",
        );
        assert_eq!(
            said,
            Ok(Said {
                time,
                offset: Some(-19_800)
            })
        );
        for (text, template, fault) in [
            ("2024/03/05", "YYYY-MM-DD", Fault::Differs),
            ("x", "YYYY", Fault::Differs),
            ("05:00", "HH24:MI", Fault::Differs),
            ("2024-02-30", "YYYY-MM-DD", Fault::Range),
            ("2024-01-01 24:00", "YYYY-MM-DD HH24:MI", Fault::Range),
            ("2024 13", "YYYY HH", Fault::Range),
            ("2024-01", "IYYY-IW", Fault::Pattern("IYYY")),
        ] {
            assert_eq!(read(text, template), Err(fault), "{text}");
        }
    }
}
