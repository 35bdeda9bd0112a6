//! A date and a time of day from a text, parsed as PostgreSQL does, or not at all.
//!
//! ```text
//! 2024-02-29 12:34:56.789+02       2024-02-29T12:34Z       2024-02-29 12:34 pm Europe/Berlin
//! 20240229 123456                  2024/2/9                0044-03-15 BC
//! 12:34                            epoch                   January 8, 1999
//! 1/31/2024 10:00                 31.1.2024, where the day comes first
//! 2024.060                        J2460370, see day_numbers.rs
//! ```
//!
//! Other forms that PostgreSQL accepts, such as `now`, are refused if their meaning depends on the
//! current time.

use super::SECOND;
use super::calendar::{DAY, at, days_in_month, days_of};
use super::clock::{Clock, offset};
use super::date_order::DateOrder;
use super::day_numbers::in_calendar;
use super::input::MAX_DIGITS;
use super::month_names::{numbers, year_first};
use super::template::MONTHS;

/// The date and time that a text contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Days since 1970-01-01.
    pub day: Option<i64>,
    /// Microseconds since midnight, at most a whole day.
    pub time: Option<i64>,
    pub zone: Option<Clock>,
    /// Whether it has an ISO 8601 form, in which PostgreSQL accepts no time of day without a date.
    is_iso: bool,
}

/// Why a text is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not written like one.
    Syntax,
    /// A part of it is out of range.
    Range,
    /// Its offset from UTC is out of range.
    Zone,
    /// It is 24:00, as a time of day.
    EndOfDay,
}

/// The last year of PostgreSQL's dates.
const LAST_YEAR: i64 = 5_874_897;

/// PostgreSQL's first time, 4714-11-24 BC, in microseconds since 1970. Its last time is after the
/// last one that 64 bits can represent.
pub(super) const FIRST_TIME: i64 = -210_866_803_200_000_000;

/// PostgreSQL's first date, in days since 1970.
const FIRST_DAY: i64 = -2_440_588;

/// The bytes of the longest text that is read. PostgreSQL reads 128, and spaces between them.
const LONGEST: usize = 4096;

impl Moment {
    /// Parses a text. Fractions finer than `digits` digits of a second are rounded half up, those of a
    /// microsecond in PostgreSQL half to even. `order`: of day, month and year in dates of numbers, which
    /// PostgreSQL always has.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a moment.
    pub(super) fn read(text: &str, digits: u8, order: DateOrder) -> Result<Self, Fault> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if text.len() > LONGEST {
            return Err(Fault::Syntax);
        }
        if text.eq_ignore_ascii_case("epoch") {
            return Ok(Self {
                day: Some(0),
                time: None,
                zone: Some(Clock::UTC),
                is_iso: false,
            });
        }
        if text.eq_ignore_ascii_case("allballs") {
            return Ok(Self {
                day: None,
                time: Some(0),
                zone: Some(Clock::UTC),
                is_iso: false,
            });
        }
        if order != DateOrder::Unknown
            && let Some(text) = in_calendar(text)
        {
            return Reader::of(&text, digits, order).moment();
        }
        let reader = Reader::of(text, digits, order);
        if !reader.is_date()
            && let Some(text) = year_first(text, order).or_else(|| numbers(text, order))
        {
            return Reader::of(&text, digits, order).moment();
        }
        reader.moment()
    }

    /// Returns the microseconds since 1970 as a clock without a zone shows them. A zone in the text
    /// is parsed and ignored.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no date, or if the time is out of range.
    pub(super) fn timestamp(self) -> Result<i64, Fault> {
        let day = self.day.ok_or(Fault::Syntax)?;
        let time = at(day, self.time.unwrap_or(0)).ok_or(Fault::Range)?;
        in_range(time)
    }

    /// Returns the instant in microseconds since 1970, by the zone in the text or else by `clock`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no date, or if the time is out of range.
    pub(super) fn instant(self, clock: Clock) -> Result<i64, Fault> {
        let zone = self.zone.unwrap_or(clock);
        let day = self.day.ok_or(Fault::Syntax)?;
        let shown = at(day, self.time.unwrap_or(0)).ok_or(Fault::Range)?;
        in_range(zone.instant(shown).ok_or(Fault::Range)?)
    }

    /// Returns the days since 1970.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no date.
    pub(super) fn date(self) -> Result<i32, Fault> {
        let day = self.day.ok_or(Fault::Syntax)?;
        i32::try_from(day).map_err(|_| Fault::Range)
    }

    /// Returns the microseconds since midnight, at most a whole day.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no time, if the zone needs a date, or if there is a date in an
    /// ISO 8601 form.
    pub(super) fn time_of_day(self) -> Result<i64, Fault> {
        let time = self.time.ok_or(Fault::Syntax)?;
        let needs_date = matches!(self.zone, Some(Clock::Named(_))) && self.day.is_none();
        match needs_date || (self.is_iso && self.day.is_some()) {
            true => Err(Fault::Syntax),
            false => Ok(time.min(DAY)),
        }
    }
}

fn in_range(time: i64) -> Result<i64, Fault> {
    (time >= FIRST_TIME).then_some(time).ok_or(Fault::Range)
}

struct Reader<'a> {
    rest: &'a str,
    digits: u8,
    /// Whether half a microsecond is rounded to even.
    to_even: bool,
}

impl<'a> Reader<'a> {
    fn of(rest: &'a str, digits: u8, order: DateOrder) -> Self {
        let to_even = order != DateOrder::Unknown;
        Self {
            rest,
            digits,
            to_even,
        }
    }

    fn moment(mut self) -> Result<Moment, Fault> {
        let mut day = None;
        let mut years = None;
        let mut is_iso = false;
        if self.is_date() {
            is_iso = self.digits_ahead() == 8;
            let (date, has_name) = self.date()?;
            years = Some(date);
            let goes_on = self.rest.as_bytes().first().is_none_or(|next| {
                next.is_ascii_whitespace()
                    || (matches!(next, b'T' | b't') && !has_name)
                    || matches!(next, b'Z' | b'z' | b'+')
            });
            if !goes_on {
                return Err(Fault::Syntax);
            }
        }
        let mut time: Option<(i64, i64)> = None;
        let mut zone = None;
        let mut era = None;
        let mut half = None;
        loop {
            let before = self.rest.len();
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c.is_ascii_whitespace());
            let Some(next) = self.rest.as_bytes().first() else {
                break;
            };
            let spaced = self.rest.len() < before;
            let then_digit = self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
            match next {
                b'T' | b't' if then_digit && time.is_none() => {
                    is_iso = true;
                    self.rest = self.rest.get(1..).unwrap_or_default();
                }
                b'0'..=b'9' if time.is_none() => {
                    is_iso |= self.digits_ahead() > 2;
                    time = Some(self.time()?);
                }
                b'+' | b'-' if zone.is_none() && (time.is_some() || years.is_some()) => {
                    let end = |c: char| !(c.is_ascii_digit() || c == ':');
                    let sign = self.taken(1);
                    let digits = self.until(end);
                    let seconds =
                        offset(&format!("{sign}{digits}")).ok_or_else(|| of_offset(digits))?;
                    zone = Some(Clock::Fixed(seconds));
                }
                b'a'..=b'z' | b'A'..=b'Z' => {
                    let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic);
                    let letters = self.rest.get(..letters.count()).unwrap_or_default();
                    let is_mark = ["am", "pm", "ad", "bc"]
                        .iter()
                        .any(|mark| letters.eq_ignore_ascii_case(mark));
                    let word = match is_mark {
                        true => self.taken(letters.len()),
                        false => self.until(|c| !(c.is_ascii_alphanumeric() || "/_+-".contains(c))),
                    };
                    // PostgreSQL reads a sign attached to such a mark as a zone, and ignores the
                    // mark.
                    if is_mark && self.rest.starts_with(['+', '-']) {
                        return Err(Fault::Syntax);
                    }
                    match word.to_ascii_lowercase().as_str() {
                        "bc" if era.is_none() && years.is_some() && spaced => era = Some(true),
                        "ad" if era.is_none() && years.is_some() && spaced => era = Some(false),
                        "am" if half.is_none() && time.is_some() => half = Some(0),
                        "pm" if half.is_none() && time.is_some() => half = Some(12),
                        _ if zone.is_none() && (time.is_some() || years.is_some()) => {
                            zone = Some(Clock::in_text(word).ok_or(Fault::Syntax)?);
                        }
                        _ => return Err(Fault::Syntax),
                    }
                }
                _ => return Err(Fault::Syntax),
            }
        }
        if let Some((year, month, of_month)) = years {
            let year = match era {
                _ if year == 0 || year > LAST_YEAR => return Err(Fault::Range),
                Some(true) => 1 - year,
                _ => year,
            };
            if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&of_month) {
                return Err(Fault::Range);
            }
            day = Some(days_of(year, month, of_month));
            if day < Some(FIRST_DAY) {
                return Err(Fault::Range);
            }
        }
        let time = match (time, half) {
            (Some((hour, _)), Some(_)) if hour > 12 => return Err(Fault::Range),
            (Some((hour, rest)), Some(half)) => Some(((hour % 12 + half), rest)),
            (time, _) => time,
        };
        let time = time.map(|(hour, rest)| hour * 3600 * SECOND + rest);
        if time > Some(DAY) {
            return Err(Fault::Range);
        }
        Ok(Moment {
            day,
            time,
            zone,
            is_iso,
        })
    }

    /// Returns whether the next digits begin a date.
    fn is_date(&self) -> bool {
        let digits = self.digits_ahead();
        match self.rest.as_bytes().get(digits) {
            // Six digits may be a time of day with a zone or a fraction.
            Some(mark @ (b'-' | b'/' | b'.')) if digits == 6 => self.is_year(digits, *mark),
            Some(b'-' | b'/' | b'.') => digits >= 3,
            Some(b':') => false,
            _ => digits == 8,
        }
    }

    /// Returns whether so many digits before a mark are a year: a month and the same mark follow.
    fn is_year(&self, digits: usize, mark: u8) -> bool {
        let after = self.rest.as_bytes().get(digits + 1..).unwrap_or_default();
        let month = after
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric())
            .count();
        month > 0 && after.get(month) == Some(&mark)
    }

    fn digits_ahead(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// Parses year, month and day. Also returns whether the month is a name.
    fn date(&mut self) -> Result<((i64, i64, i64), bool), Fault> {
        let digits = self.number(8)?;
        let mark = match self.rest.as_bytes().first() {
            Some(mark @ (b'-' | b'/' | b'.')) => *mark,
            _ => {
                let number = digits.1;
                return Ok(((number / 10_000, number / 100 % 100, number % 100), false));
            }
        };
        let year = digits.1;
        self.taken(1);
        let has_name = mark == b'-' && self.rest.starts_with(|c: char| c.is_ascii_alphabetic());
        let month = match has_name {
            true => month_of(self.until(|c| !c.is_ascii_alphabetic())).ok_or(Fault::Syntax)?,
            false => self.number(2)?.1,
        };
        if self.rest.as_bytes().first() != Some(&mark) {
            return Err(Fault::Syntax);
        }
        self.taken(1);
        Ok(((year, month, self.number(2)?.1), has_name))
    }

    /// Parses hours, and the microseconds of the hour.
    fn time(&mut self) -> Result<(i64, i64), Fault> {
        let (digits, number) = self.number(6)?;
        let next = self.rest.as_bytes().first();
        let (hour, minute, second) = match (digits, next) {
            (1 | 2, Some(b':')) => {
                self.taken(1);
                let minute = self.number(2)?.1;
                let second = match self.rest.as_bytes().first() {
                    Some(b':') => {
                        self.taken(1);
                        Some(self.number(2)?.1)
                    }
                    _ => None,
                };
                (number, minute, second)
            }
            (4, _) => (number / 100, number % 100, None),
            (6, _) => (number / 10_000, number / 100 % 100, Some(number % 100)),
            _ => return Err(Fault::Syntax),
        };
        let fraction = match (second, self.rest.as_bytes().first()) {
            (Some(_), Some(b'.')) => {
                self.taken(1);
                let digits = self.until(|c| !c.is_ascii_digit());
                fraction(digits, self.digits, self.to_even)
            }
            _ => 0,
        };
        let second = second.unwrap_or(0);
        if minute > 59 || second > 60 {
            return Err(Fault::Range);
        }
        Ok((hour, (minute * 60 + second) * SECOND + fraction))
    }

    /// Parses the next digits, at most `most`. Returns how many there are, and their number.
    fn number(&mut self, most: usize) -> Result<(usize, i64), Fault> {
        let digits = self.until(|c| !c.is_ascii_digit());
        match digits.len() {
            1.. if digits.len() <= most => digits
                .parse()
                .map(|number| (digits.len(), number))
                .map_err(|_| Fault::Range),
            _ => Err(Fault::Syntax),
        }
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        self.taken(self.rest.find(end).unwrap_or(self.rest.len()))
    }

    fn taken(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// Returns why digits and colons are no offset from UTC.
fn of_offset(digits: &str) -> Fault {
    let parts: Vec<&str> = digits.split(':').take(4).collect();
    match parts.len() > 3 || parts.contains(&"") {
        true => Fault::Syntax,
        false => Fault::Zone,
    }
}

/// Returns the microseconds from the digits of a fraction, rounded half up to `digits` digits, or half
/// to even.
fn fraction(text: &str, digits: u8, to_even: bool) -> i64 {
    let kept = usize::from(digits.min(MAX_DIGITS));
    if to_even && digits >= MAX_DIGITS && text.len() > kept {
        // PostgreSQL rounds the nearest double.
        let seconds: f64 = format!("0.{text}").parse().unwrap_or_default();
        return (seconds * SECOND as f64).round_ties_even() as i64;
    }
    let number = |digits: &str| -> i64 {
        digits
            .bytes()
            .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let written = text.get(..kept.min(text.len())).unwrap_or_default();
    let rounds = text
        .as_bytes()
        .get(kept)
        .is_some_and(|digit| *digit >= b'5');
    let missing = u32::try_from(usize::from(MAX_DIGITS) - written.len()).unwrap_or_default();
    let unit = 10i64.pow(u32::from(MAX_DIGITS) - u32::try_from(kept).unwrap_or_default());
    number(written) * 10i64.pow(missing) + if rounds { unit } else { 0 }
}

/// Returns the number of a month from its English name or the first three letters of it.
pub(super) fn month_of(name: &str) -> Option<i64> {
    let found = MONTHS.iter().position(|month| {
        let short = month.get(..3).unwrap_or(month);
        month.eq_ignore_ascii_case(name) || short.eq_ignore_ascii_case(name)
    });
    i64::try_from(found? + 1).ok()
}

#[cfg(test)]
mod tests;
