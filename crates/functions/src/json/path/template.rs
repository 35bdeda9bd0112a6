//! Templates of `datetime("YYYY-MM-DD HH24:MI")`, by which PostgreSQL reads dates and times. Of its
//! fields, those are known of which a date or a time is made.
//!
//! Separators must be in the text as they are in the template. A number takes two digits (a year four)
//! if another number follows it, and else all that there are.

#[cfg(test)]
mod tests;

use chrono::{Datelike, NaiveDate};

use super::datetime::{DAY, Datetime, LAST_YEAR, SECOND};

/// Digits that a number may have: no more are in a date or a time.
const MAX_DIGITS: usize = 9;

/// The largest hour of an offset.
const LAST_ZONE: i64 = 15;

/// Digits of a second's fraction.
const MICROS: usize = 6;

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Field(Field),
    /// A separator, or a character in quotes.
    Text(char),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    /// An hour from 1 to 12.
    HalfDayHour,
    Minute,
    Second,
    /// The first digits of a fraction of a second, so many at most.
    Fraction(usize),
    /// `AM` or `PM`.
    HalfDay,
    /// `A.M.` or `P.M.`
    DottedHalfDay,
    ZoneHour,
    ZoneMinute,
}

/// The fields by the words that templates have for them, in capitals. Those that begin with another one
/// come first.
const FIELDS: &[(&str, Field)] = &[
    ("YYYY", Field::Year),
    ("MM", Field::Month),
    ("DD", Field::Day),
    ("HH24", Field::Hour),
    ("HH12", Field::HalfDayHour),
    ("HH", Field::HalfDayHour),
    ("MI", Field::Minute),
    ("SS", Field::Second),
    ("MS", Field::Fraction(3)),
    ("US", Field::Fraction(6)),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("AM", Field::HalfDay),
    ("PM", Field::HalfDay),
    ("A.M.", Field::DottedHalfDay),
    ("P.M.", Field::DottedHalfDay),
    ("TZH", Field::ZoneHour),
    ("TZM", Field::ZoneMinute),
];

/// Words that begin with those above, and what changes a field that it follows.
const OTHERS: &[&str] = &["DDD", "SSSS", "TH"];

const SEPARATORS: &str = "-./,':; ";

const UNSUPPORTED: &str = "a template of datetime() with other parts than YYYY, MM and DD, HH24 or HH12 with AM, MI, SS, MS, US, FF1 to FF6, TZH and TZM is not supported";

impl Field {
    /// Returns whether a text of digits is read for it, as PostgreSQL counts it.
    fn is_number(self) -> bool {
        !matches!(
            self,
            Self::HalfDay | Self::DottedHalfDay | Self::ZoneHour | Self::Fraction(_)
        )
    }

    /// Returns how many digits it has beside another number.
    fn digits(self) -> usize {
        match self {
            Self::Year => 4,
            Self::Fraction(digits) => digits,
            _ => 2,
        }
    }

    fn is_alike(self, other: Self) -> bool {
        use Field::{DottedHalfDay, Fraction, HalfDay, HalfDayHour, Hour};
        self == other
            || matches!((self, other), (Fraction(_), Fraction(_)))
            || matches!((self, other), (Hour | HalfDayHour, Hour | HalfDayHour))
            || matches!(
                (self, other),
                (HalfDay | DottedHalfDay, HalfDay | DottedHalfDay)
            )
    }
}

/// Why a text is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misread {
    /// It has another form.
    Form(String),
    /// A number is out of range.
    Range,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// It has parts that are not supported.
    pub(super) fn of(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if next == '"' {
                let quoted = rest.get(1..).unwrap_or_default();
                let (quoted, after) = quoted.split_once('"').ok_or(UNSUPPORTED)?;
                if quoted.contains('\\') {
                    return Err(UNSUPPORTED);
                }
                parts.extend(quoted.chars().map(Part::Text));
                rest = after;
                continue;
            }
            if SEPARATORS.contains(next) {
                parts.push(Part::Text(next));
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
                continue;
            }
            let begins = |word: &str| {
                rest.starts_with(word) || rest.starts_with(word.to_ascii_lowercase().as_str())
            };
            if OTHERS.iter().any(|word| begins(word)) {
                return Err(UNSUPPORTED);
            }
            let field = FIELDS.iter().find(|(word, _)| begins(word));
            let (word, field) = field.ok_or(UNSUPPORTED)?;
            parts.push(Part::Field(*field));
            rest = rest.get(word.len()..).unwrap_or_default();
        }
        let template = Self { parts };
        match template.is_whole() {
            true => Ok(template),
            false => Err(UNSUPPORTED),
        }
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(field) => Some(*field),
            Part::Text(_) => None,
        })
    }

    fn has(&self, wanted: Field) -> bool {
        self.fields().any(|field| field.is_alike(wanted))
    }

    fn is_dated(&self) -> bool {
        self.has(Field::Year)
    }

    fn is_timed(&self) -> bool {
        self.has(Field::Hour)
    }

    /// Returns whether the fields make a date, a time or both, and are there once.
    fn is_whole(&self) -> bool {
        let fields: Vec<Field> = self.fields().collect();
        let is_once = fields.iter().enumerate().all(|(place, field)| {
            let mut before = fields.iter().take(place);
            !before.any(|other| other.is_alike(*field))
        });
        let dates = [Field::Year, Field::Month, Field::Day].map(|field| self.has(field));
        let is_date = dates.iter().all(|has| *has == self.is_dated());
        let of_time = [
            Field::Minute,
            Field::Second,
            Field::Fraction(0),
            Field::ZoneHour,
        ];
        let is_time = self.is_timed() || !of_time.iter().any(|field| self.has(*field));
        let is_half_day = fields.contains(&Field::HalfDayHour) == self.has(Field::HalfDay);
        let is_zone = self.has(Field::ZoneHour) || !self.has(Field::ZoneMinute);
        let is_any = self.is_dated() || self.is_timed();
        is_once && is_date && is_time && is_half_day && is_zone && is_any
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// The text has another form than the template, or a number is out of range.
    pub(super) fn read(&self, text: &str) -> Result<Datetime, Misread> {
        let mut read = Read {
            rest: text,
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            is_afternoon: None,
            minute: 0,
            second: 0,
            micros: 0,
            is_west: false,
            zone_hour: 0,
            zone_minute: 0,
        };
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            if read.rest.is_empty() {
                let what = "input string is too short for datetime format";
                return Err(Misread::Form(what.to_owned()));
            }
            match part {
                Part::Text(text) => read.text(*text)?,
                Part::Field(field) => {
                    let is_beside = match parts.peek() {
                        Some(Part::Field(next)) => next.is_number(),
                        Some(Part::Text(next)) => next.is_ascii_digit(),
                        None => false,
                    };
                    read.field(*field, is_beside)?;
                }
            }
        }
        if !read.rest.trim_start_matches(' ').is_empty() {
            let what = "trailing characters remain in input string after datetime format";
            return Err(Misread::Form(what.to_owned()));
        }
        self.made(&read)
    }

    fn made(&self, read: &Read<'_>) -> Result<Datetime, Misread> {
        let offset = match self.has(Field::ZoneHour) {
            true => Some(read.offset()?),
            false => None,
        };
        let time = match self.is_timed() {
            true => Some(read.time()?),
            false => None,
        };
        let date = match self.is_dated() {
            true => Some(read.date()?),
            false => None,
        };
        Ok(match (date, time, offset) {
            (Some(date), Some(time), offset) => {
                if date.year() > LAST_YEAR {
                    return Err(Misread::Range);
                }
                let shown = i64::from(date.to_epoch_days()) * DAY + time;
                match offset {
                    None => Datetime::Timestamp(shown),
                    Some(offset) => Datetime::Instant(shown - offset * SECOND, offset),
                }
            }
            (Some(date), None, _) => Datetime::Date(date.to_epoch_days()),
            (None, Some(time), Some(offset)) => Datetime::ZonedTime(time, offset),
            (None, time, _) => Datetime::Time(time.unwrap_or_default()),
        })
    }
}

/// What is left of a text, and what has been read.
struct Read<'a> {
    rest: &'a str,
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    /// `None` if hours are counted to 24.
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    is_west: bool,
    zone_hour: i64,
    zone_minute: i64,
}

impl Read<'_> {
    fn text(&mut self, wanted: char) -> Result<(), Misread> {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(Misread::Form(format!(
                "unmatched format separator \"{wanted}\""
            ))),
        }
    }

    /// Reads a field. `is_beside`: whether a number follows it.
    fn field(&mut self, field: Field, is_beside: bool) -> Result<(), Misread> {
        match field {
            Field::HalfDay => {
                self.is_afternoon = Some(self.one_of(["am", "pm"])?);
                return Ok(());
            }
            Field::DottedHalfDay => {
                self.is_afternoon = Some(self.one_of(["a.m.", "p.m."])?);
                return Ok(());
            }
            Field::ZoneHour => {
                if let Some(rest) = self.rest.strip_prefix(['+', '-', ' ']) {
                    self.is_west = self.rest.starts_with('-');
                    self.rest = rest;
                }
            }
            _ => {}
        }
        let digits = self.digits(field, is_beside)?;
        let out_of_range = |_| Misread::Range;
        let number: i64 = digits.parse().map_err(out_of_range)?;
        match field {
            Field::Year => self.year = number,
            // 0 is the first.
            Field::Month => self.month = number.max(1),
            Field::Day => self.day = number.max(1),
            Field::Hour | Field::HalfDayHour => self.hour = number,
            Field::Minute => self.minute = number,
            Field::Second => self.second = number,
            Field::Fraction(most) if digits.len() <= most => {
                let padded = format!("{digits:0<MICROS$}");
                self.micros = padded.parse().map_err(out_of_range)?;
            }
            Field::Fraction(_) => {
                let what = format!("invalid value \"{digits}\" for a fraction of a second");
                return Err(Misread::Form(what));
            }
            Field::ZoneHour => self.zone_hour = number,
            Field::ZoneMinute => self.zone_minute = number,
            Field::HalfDay | Field::DottedHalfDay => {}
        }
        Ok(())
    }

    /// Takes the digits of a number.
    fn digits(&mut self, field: Field, is_beside: bool) -> Result<String, Misread> {
        let rest = self
            .rest
            .trim_start_matches(|c: char| c.is_ascii_whitespace());
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let wanted = match is_beside {
            true => field.digits(),
            false => count,
        };
        let wrong = || {
            let shown: String = rest.chars().take(field.digits()).collect();
            Misread::Form(format!("invalid value \"{shown}\" in a date or a time"))
        };
        if !(1..=count).contains(&wanted) {
            return Err(wrong());
        }
        if wanted > MAX_DIGITS {
            return Err(Misread::Range);
        }
        let (digits, rest) = rest.split_at_checked(wanted).ok_or_else(wrong)?;
        self.rest = rest;
        Ok(digits.to_owned())
    }

    /// Takes one of two words, and returns whether it is the second.
    fn one_of(&mut self, words: [&str; 2]) -> Result<bool, Misread> {
        for (word, is_second) in words.into_iter().zip([false, true]) {
            if let Some((found, rest)) = self.rest.split_at_checked(word.len())
                && found.eq_ignore_ascii_case(word)
            {
                self.rest = rest;
                return Ok(is_second);
            }
        }
        let [first, second] = words;
        let what = format!("neither {first} nor {second} is in the text where the template has it");
        Err(Misread::Form(what))
    }

    fn offset(&self) -> Result<i64, Misread> {
        if self.zone_hour > LAST_ZONE || self.zone_minute > 59 {
            return Err(Misread::Range);
        }
        let offset = (self.zone_hour * 60 + self.zone_minute) * 60;
        Ok(if self.is_west { -offset } else { offset })
    }

    /// Returns the microseconds since midnight.
    fn time(&self) -> Result<i64, Misread> {
        let hour = match self.is_afternoon {
            None => self.hour,
            Some(is_afternoon) => {
                if !(1..=12).contains(&self.hour) {
                    let what = format!("hour \"{}\" is invalid for the 12-hour clock", self.hour);
                    return Err(Misread::Form(what));
                }
                self.hour % 12 + if is_afternoon { 12 } else { 0 }
            }
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return Err(Misread::Range);
        }
        Ok(((hour * 60 + self.minute) * 60 + self.second) * SECOND + self.micros)
    }

    fn date(&self) -> Result<NaiveDate, Misread> {
        let part = |number: i64| u32::try_from(number).ok();
        let year = i32::try_from(self.year).ok();
        let date = year
            .zip(part(self.month))
            .zip(part(self.day))
            .and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day));
        date.ok_or(Misread::Range)
    }
}
