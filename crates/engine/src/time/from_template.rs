//! `to_timestamp(text, template)` and `to_date(text, template)` as in PostgreSQL: a separator of the
//! template matches any separator of the text, or nothing, and another character any character. Fields
//! that are missing or 0 are those of the first day of the year 1 BC.

mod elements;
#[cfg(test)]
mod tests;

use lakegate_error::{Code, Error};

use self::elements::{Element, is_digits, is_separator};
use super::SECOND;
use super::calendar::{at, days_in_month, days_of, weekday};
use super::template::{DAYS, MONTHS, ROMAN};
use crate::limits::stop;

/// How many parts of a template are read before the next check whether the query is stopped.
const BETWEEN_CHECKS: usize = 1024;

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
    /// It has a day of the year without a year.
    NoYear,
    /// A part of it is out of range.
    Range,
    /// An hour that the 12-hour clock does not have.
    Hour(i64),
    /// The template has this field twice, with different values.
    Conflict(&'static str),
    /// The template has fields of the ISO calendar and others.
    Calendars,
    /// The template contains a pattern that is not supported.
    Pattern(&'static str),
    /// The template has more than [`MAX_TEMPLATE`] bytes.
    Long,
}

/// The most bytes of a template. Each of its fields may read the whole text.
const MAX_TEMPLATE: usize = 4096;

/// Returns the error for a text that cannot be parsed.
pub(super) fn error(text: &str, template: &str, fault: &Fault) -> Error {
    let text: String = text.chars().take(100).collect();
    let template: String = template.chars().take(100).collect();
    match fault {
        Fault::Differs => Error::new(
            Code::InvalidDatetime,
            format!("the text \"{text}\" does not match the template \"{template}\""),
        )
        .with_hint("each field needs its number or its name"),
        Fault::NoYear => Error::new(
            Code::InvalidDatetime,
            "cannot calculate day of year without year information",
        ),
        Fault::Range => Error::new(
            Code::DatetimeOutOfRange,
            format!("date/time field value out of range: \"{text}\""),
        ),
        Fault::Hour(hour) => Error::new(
            Code::InvalidDatetime,
            format!("hour \"{hour}\" is invalid for the 12-hour clock"),
        )
        .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."),
        Fault::Conflict(pattern) => Error::new(
            Code::InvalidDatetime,
            format!("conflicting values for \"{pattern}\" field in formatting string"),
        ),
        Fault::Calendars => Error::new(
            Code::InvalidDatetime,
            "invalid combination of date conventions",
        )
        .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."),
        Fault::Pattern(pattern) => Error::not_supported(format!(
            "the template pattern {pattern} is not supported for parsing text"
        ))
        .with_hint("use YYYY, MM, DD, HH24, MI, SS, MS and similar patterns"),
        Fault::Long => Error::new(
            Code::InvalidParameter,
            format!("a template of a time has at most {MAX_TEMPLATE} bytes"),
        ),
    }
}

#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    /// How many digits of the year its pattern has.
    year_digits: usize,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    /// From 0, Monday.
    weekday: Option<i64>,
    julian: Option<i64>,
    /// Whether the fields of the date are those of the ISO calendar.
    is_iso: Option<bool>,
    hour: Option<i64>,
    is_half: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    seconds_of_day: Option<i64>,
    micros: i64,
    before_christ: bool,
    offset_hours: Option<(i64, i64)>,
    offset_minutes: Option<i64>,
}

/// Parses a text by a template.
///
/// # Errors
///
/// Returns an error if the text does not match the template, if the template is too long or contains
/// an unsupported pattern, or if the query is stopped.
pub(super) fn read(text: &str, template: &str) -> Result<Said, Fault> {
    if template.len() > MAX_TEMPLATE {
        return Err(Fault::Long);
    }
    let elements = elements::of(template).ok_or(Fault::Differs)?;
    let mut parts = Parts::default();
    let mut rest = text;
    let mut fixed = false;
    // Blanks that the text has beyond the separators of the template.
    let mut extra = 0i64;
    for (at, element) in elements.iter().enumerate() {
        if at.is_multiple_of(BETWEEN_CHECKS) && stop::check().is_err() {
            return Err(Fault::Differs);
        }
        let is_field = matches!(element, Element::Field { .. });
        if !fixed && (is_field || at == 0) {
            extra += skip_blanks(&mut rest);
        }
        // A text may end early, as if the template ended there.
        let Some(next) = rest.chars().next() else {
            break;
        };
        match element {
            Element::Fixed => fixed = true,
            Element::Separator if is_separator(next) => {
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
            Element::Separator if fixed => return Err(Fault::Differs),
            Element::Separator => extra -= 1,
            Element::Char { .. } if extra > 0 && !fixed => extra -= 1,
            Element::Char { .. } => rest = rest.get(next.len_utf8()..).unwrap_or_default(),
            Element::Field {
                name,
                bare,
                ordinal,
            } => {
                let before = text.len() - rest.len();
                let minus = extra > 0
                    && text
                        .get(..before)
                        .is_some_and(|before| before.ends_with('-'));
                // A number that is directly followed by another has a fixed number of digits.
                let bounded = !bare && !ordinal && elements.get(at + 1).is_some_and(is_digits);
                parts.field(name, bounded, minus, &mut rest)?;
                if *ordinal {
                    let letters = rest.bytes().take(2).take_while(u8::is_ascii_alphabetic);
                    rest = rest.get(letters.count()..).unwrap_or_default();
                }
                if !fixed {
                    extra = skip_blanks(&mut rest);
                }
            }
        }
    }
    parts.said()
}

/// Skips blanks, and returns how many.
fn skip_blanks(rest: &mut &str) -> i64 {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let skipped = rest.len() - after.len();
    *rest = after;
    i64::try_from(skipped).unwrap_or(i64::MAX)
}

/// The most digits of a number.
const MAX_DIGITS: usize = 9;

/// Parses a number, which may have a sign, and returns it with its number of characters: exactly
/// `width` if `bounded`, otherwise all digits, at most [`MAX_DIGITS`].
fn number(rest: &mut &str, width: usize, bounded: bool) -> Result<(i64, usize), Fault> {
    let sign = usize::from(rest.starts_with(['+', '-']));
    // Not further than decides: a text of digits only would be counted again for each field.
    let most = width.max(MAX_DIGITS + 1);
    let digits = rest.bytes().skip(sign).take(most);
    let digits = digits.take_while(u8::is_ascii_digit);
    let all = digits.count() + sign;
    let taken = if bounded { all.min(width) } else { all };
    if taken <= sign || (bounded && taken < width) {
        return Err(Fault::Differs);
    }
    if taken - sign > MAX_DIGITS {
        return Err(Fault::Range);
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

/// The first three letters of names.
fn short(names: &[&'static str]) -> Vec<&'static str> {
    names.iter().filter_map(|name| name.get(..3)).collect()
}

/// Returns the year that is meant by its last digits: one from 1970 to 2069, or near to them.
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

/// Returns a field that is neither missing nor 0.
fn given(field: Option<i64>) -> Option<i64> {
    field.filter(|value| *value != 0)
}

fn set(part: &mut Option<i64>, value: i64, name: &'static str) -> Result<(), Fault> {
    match part.replace(value) {
        Some(before) if before != value => Err(Fault::Conflict(name)),
        _ => Ok(()),
    }
}

/// Returns whether a field is one of the ISO calendar; `None` for fields that both calendars have.
fn is_iso(name: &str) -> Option<bool> {
    match name {
        "IYYY" | "IYY" | "IY" | "I" | "IW" | "ID" | "IDDD" => Some(true),
        "Y,YYY" | "YYYY" | "YYY" | "YY" | "Y" | "MM" | "MONTH" | "MON" | "RM" | "DDD" | "DD"
        | "D" | "WW" | "W" => Some(false),
        _ => None,
    }
}

impl Parts {
    /// Parses a field. `minus` says that a minus sign before it has been read as a separator.
    fn field(
        &mut self,
        name: &'static str,
        bounded: bool,
        minus: bool,
        rest: &mut &str,
    ) -> Result<(), Fault> {
        let is_iso = is_iso(name);
        if is_iso.is_some() && self.is_iso.is_some() && is_iso != self.is_iso {
            return Err(Fault::Calendars);
        }
        self.is_iso = self.is_iso.or(is_iso);
        match name {
            "Y,YYY" | "YYYY" | "IYYY" | "YYY" | "IYY" | "YY" | "IY" | "Y" | "I" => {
                return self.set_year(name, bounded, rest);
            }
            "CC" => set(&mut self.century, number(rest, 2, bounded)?.0, name)?,
            "MM" => set(&mut self.month, number(rest, 2, bounded)?.0, name)?,
            "DD" => set(&mut self.day, number(rest, 2, bounded)?.0, name)?,
            "DDD" | "IDDD" => set(&mut self.day_of_year, number(rest, 3, bounded)?.0, name)?,
            "WW" | "IW" => set(&mut self.week, number(rest, 2, bounded)?.0, name)?,
            "W" => set(&mut self.week_of_month, number(rest, 1, bounded)?.0, name)?,
            "J" => set(&mut self.julian, number(rest, 1, bounded)?.0, name)?,
            // They name no day.
            "Q" | "D" => {
                number(rest, 1, bounded)?;
            }
            // Other numbers are Sunday.
            "ID" => match number(rest, 1, bounded)?.0 {
                day @ 1..=6 => set(&mut self.weekday, day - 1, name)?,
                _ => set(&mut self.weekday, 6, name)?,
            },
            "DAY" => set(&mut self.weekday, index(word(rest, &DAYS)?), name)?,
            "DY" => set(&mut self.weekday, index(word(rest, &short(&DAYS))?), name)?,
            "MONTH" => set(&mut self.month, index(word(rest, &MONTHS)?) + 1, name)?,
            "MON" => set(
                &mut self.month,
                index(word(rest, &short(&MONTHS))?) + 1,
                name,
            )?,
            "RM" => {
                // A number comes before those that it begins with.
                let last_first: Vec<&str> = ROMAN.iter().rev().copied().collect();
                set(&mut self.month, 12 - index(word(rest, &last_first)?), name)?;
            }
            "HH24" => set(&mut self.hour, number(rest, 2, bounded)?.0, name)?,
            "HH" | "HH12" => {
                set(&mut self.hour, number(rest, 2, bounded)?.0, name)?;
                self.is_half = true;
            }
            "MI" => self.minute = number(rest, 2, bounded)?.0,
            "SS" => self.second = number(rest, 2, bounded)?.0,
            "SSSS" | "SSSSS" => {
                let (seconds, _) = number(rest, name.len(), bounded)?;
                set(&mut self.seconds_of_day, seconds, name)?;
            }
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
            "A.D." | "B.C." => self.before_christ = word(rest, &["a.d.", "b.c."])? == 1,
            "TZH" => return self.set_offset_hours(bounded, minus, rest),
            "TZM" => self.offset_minutes = Some(number(rest, 2, bounded)?.0),
            other => return Err(Fault::Pattern(other)),
        }
        Ok(())
    }

    fn set_year(
        &mut self,
        name: &'static str,
        bounded: bool,
        rest: &mut &str,
    ) -> Result<(), Fault> {
        if name == "Y,YYY" {
            let (thousands, _) = number(rest, 9, false)?;
            *rest = rest.strip_prefix(',').ok_or(Fault::Differs)?;
            let (hundreds, _) = number(rest, 3, true)?;
            self.year_digits = 4;
            return set(&mut self.year, thousands * 1000 + hundreds, name);
        }
        self.year_digits = name.len();
        let (year, digits) = number(rest, name.len(), bounded)?;
        let year = match name.len() {
            4 => year,
            _ if digits > 3 => year,
            _ => near_2020(year),
        };
        set(&mut self.year, year, name)
    }

    fn set_offset_hours(
        &mut self,
        bounded: bool,
        minus: bool,
        rest: &mut &str,
    ) -> Result<(), Fault> {
        let sign = match rest.as_bytes().first() {
            Some(b'-') => Some(-1),
            Some(b'+') => Some(1),
            _ => None,
        };
        if sign.is_some() {
            *rest = rest.get(1..).unwrap_or_default();
        }
        let sign = sign.unwrap_or(if minus { -1 } else { 1 });
        self.offset_hours = Some((sign, number(rest, 2, bounded)?.0));
        Ok(())
    }

    /// Returns the year, of which 0 is 1 BC; `None` if there is none.
    fn full_year(&self) -> Option<i64> {
        let of_era = |value: i64| if self.before_christ { -value } else { value };
        match (given(self.year), given(self.century).map(of_era)) {
            (Some(year), Some(century)) if self.year_digits <= 2 => Some(match year % 100 {
                0 if century >= 0 => century * 100,
                0 => century * 100 + 1,
                year if century >= 0 => year + (century - 1) * 100,
                year => (century + 1) * 100 - year + 1,
            }),
            (Some(year), _) => Some(match of_era(year) {
                before @ ..0 => before + 1,
                year => year,
            }),
            (None, Some(century @ 0..)) => Some((century - 1) * 100 + 1),
            (None, Some(century)) => Some(century * 100 + 1),
            (None, None) => None,
        }
    }

    /// Returns the day, in days since 1970.
    fn date(&self) -> Result<i64, Fault> {
        if let Some(julian) = given(self.julian) {
            return Ok(julian - 2_440_588);
        }
        let (week, day_of_year) = (given(self.week), given(self.day_of_year));
        let is_iso = self.is_iso == Some(true);
        let year = match self.full_year() {
            Some(year) => year,
            None if day_of_year.is_some() || (week.is_some() && !is_iso) => {
                return Err(Fault::NoYear);
            }
            None => 0,
        };
        let first = days_of(year, 1, 1);
        let days = days_of(year + 1, 1, 1) - first;
        if is_iso && (week.is_some() || day_of_year.is_some()) {
            // The first week is that of January 4th.
            let january = days_of(year, 1, 4);
            let monday = january - weekday(january);
            return match (week, day_of_year) {
                (Some(week), _) => Ok(monday + (week - 1) * 7 + self.weekday.unwrap_or(0)),
                (None, Some(day @ 1..=371)) => Ok(monday + day - 1),
                _ => Err(Fault::Range),
            };
        }
        let first_of_week = |week: i64| (week - 1) * 7 + 1;
        let day_of_year = day_of_year.or(week.map(first_of_week));
        let day = given(self.week_of_month).map(first_of_week);
        let day = day.or(given(self.day));
        let date = match (day_of_year, given(self.month), day) {
            (Some(day), None, None) => (1..=days).contains(&day).then(|| first + day - 1),
            (None, month, day) => {
                let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
                let is_month = (1..=12).contains(&month);
                let is_day = is_month && (1..=days_in_month(year, month)).contains(&day);
                is_day.then(|| days_of(year, month, day))
            }
            _ => return Err(Fault::Differs),
        };
        date.ok_or(Fault::Range)
    }

    fn said(&self) -> Result<Said, Fault> {
        let day = self.date()?;
        let of_day = self.seconds_of_day.unwrap_or(0);
        let is_half = self.is_half || self.afternoon.is_some();
        let hour = match self.hour {
            Some(hour) if is_half && !(1..=12).contains(&hour) => return Err(Fault::Hour(hour)),
            hour => hour.unwrap_or(0),
        };
        let in_range = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
            && (0..86_400).contains(&of_day)
            && self.micros >= 0;
        if !in_range {
            return Err(Fault::Range);
        }
        let hour = match is_half {
            true => hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 },
            false => hour,
        };
        let minutes = self.offset_minutes.unwrap_or(0);
        let offset = match self.offset_hours {
            _ if !(0..60).contains(&minutes) => return Err(Fault::Range),
            Some((_, hours)) if !(0..16).contains(&hours) => return Err(Fault::Range),
            Some((sign, hours)) => Some(sign * (hours * 3600 + minutes * 60)),
            None => self.offset_minutes.map(|minutes| minutes * 60),
        };
        let seconds = (hour * 60 + self.minute) * 60 + self.second + of_day;
        let time = at(day, seconds * SECOND + self.micros).ok_or(Fault::Range)?;
        Ok(Said { time, offset })
    }
}

fn index(at: usize) -> i64 {
    i64::try_from(at).unwrap_or_default()
}
