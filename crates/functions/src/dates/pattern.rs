//! A format of times: pieces that are written one after the other, and read in the same order
//! (`pattern_reading`). Names are English, as in a session of Athena.

use std::sync::OnceLock;

use datafusion::error::Result;
use lakegate_engine::time::{Clock, DAYS, MONTHS};
use lakegate_error::{Code, Error};

use super::calendar::{Local, MINUTE, date_of, out_of_range};
use super::digits::{Layout, Steps};
use super::fields::Field;
use super::values::push_padded;
use super::zones;

pub(super) const HALVES: [&str; 2] = ["AM", "PM"];
pub(super) const ERAS: [&str; 2] = ["BC", "AD"];

/// Letters of a short name.
pub(super) const SHORT: usize = 3;

/// The longest name of a zone, an abbreviation or an offset.
const ZONE: usize = 40;

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Number {
        field: Field,
        /// Digits that are written at least.
        least: usize,
        /// Digits that are read at most.
        most: usize,
        signed: bool,
    },
    /// The last two digits of a year.
    TwoDigits {
        field: Field,
        /// The year in the middle of the hundred that two digits mean.
        middle: i64,
        /// Whether other numbers of digits are read too.
        lenient: bool,
    },
    Name {
        field: Field,
        short: bool,
    },
    /// Digits of a second, which is known to the millisecond.
    Fraction {
        /// Digits that are written.
        digits: usize,
        /// Digits that are read at most.
        most: usize,
    },
    Literal(String),
    Offset {
        colon: bool,
    },
    /// An abbreviation such as `CEST`, or a name such as `Central European Summer Time`.
    ZoneName {
        long: bool,
    },
    /// A name such as `Europe/Berlin`.
    ZoneId,
}

/// Returns the names of a field, and its first value.
pub(super) fn names(field: Field) -> (&'static [&'static str], i64) {
    match field {
        Field::Month => (&MONTHS, 1),
        Field::DayOfWeek => (&DAYS, 1),
        Field::Half => (&HALVES, 0),
        _ => (&ERAS, 0),
    }
}

/// A format.
#[derive(Debug, Clone, Default)]
pub(super) struct Pattern {
    pub pieces: Vec<Piece>,
    /// The most bytes of a text.
    width: usize,
    /// Made of the pieces when they are complete.
    steps: OnceLock<Option<Steps>>,
    layout: OnceLock<Option<Layout>>,
}

impl Pattern {
    pub(super) fn push(&mut self, piece: Piece) {
        let width = match &piece {
            Piece::Number { least, .. } => 20 + least,
            Piece::TwoDigits { .. } => 2,
            Piece::Name { .. } => 9,
            Piece::Fraction { digits, .. } => *digits,
            Piece::Literal(text) => text.len(),
            Piece::Offset { .. } | Piece::ZoneName { .. } | Piece::ZoneId => ZONE,
        };
        self.width = self.width.saturating_add(width);
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::Literal(text)), Piece::Literal(more)) => text.push_str(&more),
            (_, piece) => self.pieces.push(piece),
        }
    }

    pub(super) fn literal(&mut self, character: char) {
        self.push(Piece::Literal(character.to_string()));
    }

    /// A number of digits, which are read up to `most`.
    pub(super) fn number(&mut self, field: Field, least: usize, most: usize) {
        self.push(Piece::Number {
            field,
            least,
            most: most.max(least),
            signed: matches!(field, Field::Year | Field::WeekYear | Field::Century),
        });
    }

    pub(super) fn name(&mut self, field: Field, short: bool) {
        self.push(Piece::Name { field, short });
    }

    /// The most bytes of a text.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// How most texts of the format are read.
    pub(super) fn steps(&self) -> Option<&Steps> {
        self.steps.get_or_init(|| Steps::of(&self.pieces)).as_ref()
    }

    /// How most times are written in the format.
    pub(super) fn layout(&self) -> Option<&Layout> {
        self.layout
            .get_or_init(|| Layout::of(&self.pieces))
            .as_ref()
    }

    /// Appends a time, which is rounded to milliseconds, in the format.
    ///
    /// # Errors
    ///
    /// The format has a zone, but the time does not, or the zone's name is not known.
    pub(super) fn write(&self, text: &mut String, time: Shown) -> Result<()> {
        let local = time.local;
        let date = date_of(local.day);
        for piece in &self.pieces {
            match piece {
                Piece::Number { field, least, .. } => {
                    push_padded(text, field.of_dated(local, date), *least)
                }
                Piece::TwoDigits { field, .. } => {
                    push_padded(text, field.of_dated(local, date).abs() % 100, 2);
                }
                Piece::Name { field, short } => {
                    let (names, first) = names(*field);
                    let place =
                        usize::try_from(field.of_dated(local, date) - first).unwrap_or_default();
                    let name = names.get(place).copied().unwrap_or_default();
                    text.push_str(match short {
                        true => name.get(..SHORT).unwrap_or(name),
                        false => name,
                    });
                }
                Piece::Fraction { digits, .. } => {
                    write_fraction(text, Field::OfSecond.of(local), *digits);
                }
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Offset { colon } => {
                    let (clock, instant) = time.zone()?;
                    write_offset(text, zones::offset(clock, instant), *colon);
                }
                Piece::ZoneName { long } => {
                    let (clock, instant) = time.zone()?;
                    if *long {
                        return Err(no_name(clock).into());
                    }
                    text.push_str(&abbreviation(clock, instant)?);
                }
                Piece::ZoneId => text.push_str(&zones::id(time.zone()?.0)),
            }
        }
        Ok(())
    }
}

/// A time to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub local: Local,
    /// The clock that shows it, and when.
    pub zone: Option<(Clock, i64)>,
}

impl Shown {
    fn zone(self) -> Result<(Clock, i64)> {
        self.zone.ok_or_else(|| {
            Error::new(
                Code::InvalidParameter,
                "the format has 'z' or 'Z', but the timestamp has no time zone",
            )
            .with_hint("give the timestamp a zone with with_timezone, or quote the letter")
            .into()
        })
    }
}

/// Rounds to milliseconds, half up.
///
/// # Errors
///
/// The result is out of range.
#[inline]
pub(super) fn in_millis(micros: i64) -> Result<i64> {
    let rest = micros.rem_euclid(1000);
    let rounded = match rest < 500 {
        true => micros.checked_sub(rest),
        false => micros.checked_add(1000 - rest),
    };
    rounded.ok_or_else(|| out_of_range().into())
}

/// Appends so many digits of a fraction in milliseconds.
fn write_fraction(text: &mut String, millis: i64, digits: usize) {
    // Joda-Time has fifteen digits at most, except of nothing.
    let digits = match millis {
        0 => digits,
        _ => digits.min(15),
    };
    let mut rest = millis;
    for unit in [100, 10, 1].into_iter().take(digits) {
        push_padded(text, rest / unit, 1);
        rest %= unit;
    }
    for _ in 3..digits {
        text.push('0');
    }
}

/// Appends an offset in microseconds as `+0200` or `+02:00`.
pub(super) fn write_offset(text: &mut String, offset: i64, colon: bool) {
    text.push(if offset < 0 { '-' } else { '+' });
    let seconds = offset.abs() / (MINUTE / 60);
    push_padded(text, seconds / 3600, 2);
    if colon {
        text.push(':');
    }
    push_padded(text, seconds / 60 % 60, 2);
}

/// Returns the abbreviation of a zone, or its offset if it is only that.
///
/// # Errors
///
/// The zone has a name in Java that is not known here.
fn abbreviation(clock: Clock, instant: i64) -> Result<String> {
    if let Clock::Fixed(_) = clock {
        return Ok(zones::id(clock).to_string());
    }
    let name = clock.abbreviation_at(instant);
    match name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        true => Ok(name),
        false => Err(no_name(clock).into()),
    }
}

fn no_name(clock: Clock) -> Error {
    let zone = zones::id(clock);
    Error::not_supported(format!(
        "what 'z' stands for is not known of the zone {zone}"
    ))
    .with_hint("write its offset with 'ZZ', or its name with 'ZZZ'")
}
