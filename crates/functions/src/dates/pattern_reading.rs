//! Reads a text in a format, as Joda-Time does: numbers take as many digits as they may, literals
//! are of any case, names are long or short ones.

use std::str::FromStr;

use chrono_tz::Tz;
use datafusion::error::Result;
use lakegate_engine::time::Clock;
use lakegate_error::{Code, Error};

use super::calendar::Local;
use super::fields::{Field, Fields};
use super::pattern::{Pattern, Piece, SHORT, names};
use super::values::shortened;
use super::zones;

/// The longest name of a zone.
const LONGEST_ZONE: usize = 40;

/// Abbreviations that are read, with their zones.
const ABBREVIATIONS: [(&str, &str); 11] = [
    ("UTC", "UTC"),
    ("GMT", "UTC"),
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("UT", "UTC"),
];

/// The zone that a text has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    /// Minutes east of UTC.
    Offset(i64),
    Clock(Clock),
}

/// Reads texts; it keeps its memory from row to row.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub fields: Fields,
    pub zone: Option<Zone>,
}

impl Reader {
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.zone = None;
    }

    /// Reads a text as a time by the clock, ignoring a zone.
    ///
    /// # Errors
    ///
    /// The text does not have the format, or there is no such time.
    pub(super) fn local(&mut self, pattern: &Pattern, text: &str) -> Result<Local> {
        if let Some(local) = pattern.steps().and_then(|steps| steps.read(text)) {
            self.clear();
            return Ok(local);
        }
        self.piece_by_piece(pattern, text)
    }

    /// [`Self::local`] of any format, with the error of a text that does not have it.
    pub(super) fn piece_by_piece(&mut self, pattern: &Pattern, text: &str) -> Result<Local> {
        self.clear();
        let mut rest = Rest::of(text);
        for piece in &pattern.pieces {
            self.piece(&mut rest, piece)
                .ok_or_else(|| rest.malformed())?;
        }
        if !rest.is_empty() {
            return Err(rest.malformed().into());
        }
        self.fields.local()
    }

    /// Returns the instant of the time that was read, by the zone in the text or else a clock.
    ///
    /// # Errors
    ///
    /// The zone's clock does not show the time, or the instant is out of range.
    pub(super) fn instant(&self, local: Local, session: Clock) -> Result<i64> {
        let clock = match self.zone {
            Some(Zone::Offset(minutes)) => zones::at_offset(minutes)?,
            Some(Zone::Clock(clock)) => clock,
            None => session,
        };
        match zones::instant(clock, local)? {
            (instant, true) => Ok(instant),
            (_, false) => Err(Error::new(
                Code::InvalidParameter,
                format!(
                    "the clock of {} does not show the time: it was set forward",
                    zones::id(clock)
                ),
            )
            .into()),
        }
    }

    fn piece(&mut self, rest: &mut Rest<'_>, piece: &Piece) -> Option<()> {
        match piece {
            Piece::Number {
                field,
                most,
                signed,
                ..
            } => {
                let number = rest.number(*most, *signed)?;
                self.fields.push(*field, number);
            }
            Piece::TwoDigits {
                field,
                middle,
                lenient,
            } => {
                let year = two_digits(rest, *middle, *lenient)?;
                self.fields.push(*field, year);
            }
            Piece::Name { field, .. } => {
                let value = rest.name(*field)?;
                self.fields.push(*field, value);
            }
            Piece::Fraction { most, .. } => {
                let millis = rest.fraction(*most, 1000)?;
                self.fields.push(Field::OfSecond, millis);
            }
            Piece::Literal(literal) => rest.literal(literal)?,
            Piece::Offset { .. } => self.zone = Some(Zone::Offset(rest.offset()?)),
            Piece::ZoneName { long: true } => return None,
            Piece::ZoneName { long: false } => self.zone = Some(Zone::Clock(rest.abbreviation()?)),
            Piece::ZoneId => self.zone = Some(Zone::Clock(rest.zone()?)),
        }
        Some(())
    }
}

fn two_digits(rest: &mut Rest<'_>, middle: i64, lenient: bool) -> Option<i64> {
    let start = rest.place;
    if lenient {
        let signed = matches!(rest.bytes().first(), Some(b'-' | b'+'));
        let number = rest.number(rest.bytes().len(), true)?;
        if signed || rest.place - start != 2 {
            return Some(number);
        }
        rest.place = start;
    }
    let digits = rest.digits(2)?;
    let low = middle - 50;
    let of_low = low.rem_euclid(100);
    Some(low - of_low + digits + if digits < of_low { 100 } else { 0 })
}

/// What is still to be read of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a> {
    text: &'a str,
    pub place: usize,
}

impl<'a> Rest<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, place: 0 }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.place..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.place >= self.text.len()
    }

    pub(super) fn malformed(&self) -> Error {
        let text = shortened(self.text);
        let message = match self.text.get(self.place..) {
            Some("") => format!("the time '{text}' is too short for its format"),
            Some(rest) => format!(
                "the time '{text}' does not have its format at '{}'",
                shortened(rest)
            ),
            None => format!("the time '{text}' does not have its format"),
        };
        Error::new(Code::InvalidParameter, message).with_hint("use try(…) for NULL instead")
    }

    /// Takes a byte.
    pub(super) fn byte(&mut self, byte: u8) -> Option<()> {
        (self.bytes().first() == Some(&byte)).then(|| self.place += 1)
    }

    /// Takes exactly so many digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.bytes().get(..count)?;
        let number = value(digits)?;
        self.place += count;
        Some(number)
    }

    /// Takes at least one digit, and at most `most`.
    pub(super) fn number(&mut self, most: usize, signed: bool) -> Option<i64> {
        let bytes = self.bytes();
        let sign = usize::from(signed && matches!(bytes.first(), Some(b'-' | b'+')));
        let digits = bytes.get(sign..)?;
        let many = digits
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if many == 0 {
            return None;
        }
        let number = value(digits.get(..many)?)?;
        let number = match bytes.first() {
            Some(b'-') if sign == 1 => -number,
            _ => number,
        };
        self.place += sign + many;
        (number.abs() <= i64::from(i32::MAX)).then_some(number)
    }

    /// Takes at most `most` digits of a fraction of `unit` milliseconds; returns whole ones.
    pub(super) fn fraction(&mut self, most: usize, unit: i64) -> Option<i64> {
        let bytes = self.bytes();
        let digits = bytes
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit());
        // Hours have fewer milliseconds than nine digits of a fraction distinguish.
        let (mut total, mut scale, mut many) = (0, unit * 10, 0);
        for digit in digits {
            scale /= 10;
            total += i64::from(digit - b'0') * scale;
            many += 1;
        }
        self.place += many;
        (many > 0).then_some(total / 10)
    }

    /// Takes a literal in any case.
    fn literal(&mut self, literal: &str) -> Option<()> {
        let rest = self.text.get(self.place..)?;
        if let Some(after) = rest.strip_prefix(literal) {
            self.place = self.text.len() - after.len();
            return Some(());
        }
        let mut characters = rest.chars();
        for expected in literal.chars() {
            let found = characters.next()?;
            let alike = found == expected
                || found.to_uppercase().eq(expected.to_uppercase())
                || found.to_lowercase().eq(expected.to_lowercase());
            if !alike {
                return None;
            }
        }
        self.place = self.text.len() - characters.as_str().len();
        Some(())
    }

    /// Takes the longest name of a value of a field, written as usual, in capitals or in small
    /// letters.
    fn name(&mut self, field: Field) -> Option<i64> {
        let rest = self.text.get(self.place..)?;
        let (names, first) = names(field);
        let found = names.iter().zip(first..).filter_map(|(name, value)| {
            let short = name.get(..SHORT).unwrap_or(name);
            let length = [*name, short]
                .into_iter()
                .find(|name| is_written(rest, name))?
                .len();
            Some((length, value))
        });
        let others = (field == Field::Era).then(|| {
            [("BCE", 0), ("CE", 1)]
                .into_iter()
                .filter(|(name, _)| is_written(rest, name))
                .map(|(name, value)| (name.len(), value))
        });
        let (length, value) = found.chain(others.into_iter().flatten()).max()?;
        self.place += length;
        Some(value)
    }

    /// Takes `Z`, `+02`, `+0200`, `+02:00` or one with seconds that are 0; returns minutes.
    pub(super) fn offset(&mut self) -> Option<i64> {
        if matches!(self.bytes().first(), Some(b'Z' | b'z')) {
            self.place += 1;
            return Some(0);
        }
        let negative = match self.bytes().first()? {
            b'-' => true,
            b'+' => false,
            _ => return None,
        };
        self.place += 1;
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        let colon = self.byte(b':').is_some();
        let is_digit = |rest: &Self| rest.bytes().first().is_some_and(u8::is_ascii_digit);
        let mut minutes = hours * 60;
        if colon || is_digit(self) {
            minutes += self.digits(2).filter(|minutes| *minutes < 60)?;
            let more = match colon {
                true => self.byte(b':').is_some(),
                false => is_digit(self),
            };
            // A zone has whole minutes.
            if more && self.digits(2)? != 0 {
                return None;
            }
        }
        Some(if negative { -minutes } else { minutes })
    }

    fn abbreviation(&mut self) -> Option<Clock> {
        let rest = self.text.get(self.place..)?;
        let (name, zone) = ABBREVIATIONS
            .iter()
            .find(|(name, _)| rest.starts_with(name))?;
        self.place += name.len();
        zones::named(zone).ok()
    }

    /// Takes the longest name of a zone.
    pub(super) fn zone(&mut self) -> Option<Clock> {
        let rest = self.text.get(self.place..)?;
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
        let longest = rest
            .bytes()
            .take(LONGEST_ZONE)
            .take_while(is_of_name)
            .count();
        (1..=longest).rev().find_map(|length| {
            let zone = Tz::from_str(rest.get(..length)?).ok()?;
            self.place += length;
            Some(Clock::Named(zone))
        })
    }
}

/// Returns the value of digits; `None` if one is none, or if there are too many.
fn value(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn is_written(text: &str, name: &str) -> bool {
    let Some(start) = text.get(..name.len()) else {
        return false;
    };
    let in_case = |of: fn(&u8) -> u8| start.bytes().eq(name.bytes().map(|byte| of(&byte)));
    start == name || in_case(u8::to_ascii_uppercase) || in_case(u8::to_ascii_lowercase)
}
