//! Formats of numbers and literals alone, which most are: read and written without a look at each
//! piece. What does not fit is left to `pattern_reading` and `pattern`, and so are all errors.

use super::calendar::{HOUR, Local, MILLI, MINUTE, SECOND, date_of, days_in_month, days_of};
use super::fields::{Field, MOST_YEARS};
use super::pattern::Piece;

/// The fields that are read, in the order of their values.
const FIELDS: [Field; 7] = [
    Field::Year,
    Field::Month,
    Field::Day,
    Field::Hour,
    Field::Minute,
    Field::Second,
    Field::OfSecond,
];

/// Digits of the longest number that is read here.
const LONGEST: usize = 9;

/// How a text is read that has a year and other fields of a date and a time, each at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps(Vec<Step>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A number of at most so many digits; `place` is that in [`FIELDS`].
    Number { place: usize, most: usize },
    /// At most so many digits of a second.
    Fraction { most: usize },
    /// A byte of a literal.
    Byte(u8),
}

fn place(field: Field) -> Option<usize> {
    FIELDS.iter().position(|one| *one == field)
}

impl Steps {
    /// `None` if a text of the format is not read here.
    pub(super) fn of(pieces: &[Piece]) -> Option<Self> {
        let mut steps = Vec::new();
        let mut known = [false; FIELDS.len()];
        for piece in pieces {
            let (field, step) = match piece {
                Piece::Number { field, most, .. } => {
                    let (place, most) = (place(*field)?, *most);
                    (*field, Step::Number { place, most })
                }
                Piece::Fraction { most, .. } => (Field::OfSecond, Step::Fraction { most: *most }),
                Piece::Literal(text) => {
                    steps.extend(text.bytes().map(Step::Byte));
                    continue;
                }
                _ => return None,
            };
            if std::mem::replace(known.get_mut(place(field)?)?, true) {
                return None;
            }
            steps.push(step);
        }
        let [year, month, day, ..] = known;
        (year && (month || !day)).then_some(Self(steps))
    }

    /// Returns the time of a text; `None` if it is not read here.
    #[inline]
    pub(super) fn read(&self, text: &str) -> Option<Local> {
        let bytes = text.as_bytes();
        let digit_at = |at: usize| {
            let digit = bytes.get(at)?.wrapping_sub(b'0');
            (digit < 10).then_some(i64::from(digit))
        };
        let mut values = [0, 1, 1, 0, 0, 0, 0];
        let mut at = 0;
        for step in &self.0 {
            match *step {
                Step::Byte(byte) => {
                    if bytes.get(at) != Some(&byte) {
                        return None;
                    }
                    at += 1;
                }
                Step::Number { place, most } => {
                    let from = at;
                    let mut number = 0;
                    while at - from < most
                        && let Some(digit) = digit_at(at)
                    {
                        if at - from == LONGEST {
                            return None;
                        }
                        number = number * 10 + digit;
                        at += 1;
                    }
                    if at == from {
                        return None;
                    }
                    *values.get_mut(place)? = number;
                }
                Step::Fraction { most } => {
                    let from = at;
                    let (mut millis, mut scale) = (0, 1000);
                    while at - from < most
                        && let Some(digit) = digit_at(at)
                    {
                        scale /= 10;
                        millis += digit * scale;
                        at += 1;
                    }
                    if at == from {
                        return None;
                    }
                    if let Some(last) = values.last_mut() {
                        *last = millis;
                    }
                }
            }
        }
        let [year, month, day, hour, minute, second, millis] = values;
        let sound = at == bytes.len()
            && year <= MOST_YEARS
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && millis < 1000;
        sound.then(|| Local {
            day: days_of(year, month, day),
            time: hour * HOUR + minute * MINUTE + second * SECOND + millis * MILLI,
        })
    }
}

/// A format in which all usual times take the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// A text of the format, with zeros for digits.
    template: Vec<u8>,
    slots: Vec<Slot>,
}

/// A number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// The first byte.
    at: usize,
    field: Field,
    digits: Digits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Two,
    Three,
    Four,
    /// The last two of a year.
    LastTwo,
}

impl Layout {
    /// `None` if a time is not written here.
    pub(super) fn of(pieces: &[Piece]) -> Option<Self> {
        let (mut template, mut slots) = (Vec::new(), Vec::new());
        for piece in pieces {
            let (field, digits, width) = match piece {
                Piece::Number { field, least, .. } => match least {
                    2 => (*field, Digits::Two, 2),
                    4 => (*field, Digits::Four, 4),
                    _ => return None,
                },
                Piece::TwoDigits { field, .. } => (*field, Digits::LastTwo, 2),
                // More digits are written of some times only.
                Piece::Fraction {
                    digits: digits @ 3..=15,
                    ..
                } => (Field::OfSecond, Digits::Three, *digits),
                Piece::Literal(text) => {
                    template.extend_from_slice(text.as_bytes());
                    continue;
                }
                _ => return None,
            };
            slots.push(Slot {
                at: template.len(),
                field,
                digits,
            });
            template.resize(template.len() + width, b'0');
        }
        Some(Self { template, slots })
    }

    /// Appends a time. Returns whether it could be: a year may have more digits.
    #[inline]
    pub(super) fn push(&self, bytes: &mut Vec<u8>, local: Local) -> bool {
        let start = bytes.len();
        bytes.extend_from_slice(&self.template);
        let date = date_of(local.day);
        let text = bytes.get_mut(start..).unwrap_or_default();
        let written = self.slots.iter().try_for_each(|slot| {
            let number = slot.field.of_dated(local, date);
            put(text.get_mut(slot.at..)?, slot.digits, number)
        });
        if written.is_none() {
            bytes.truncate(start);
        }
        written.is_some()
    }
}

/// Writes a number to the start of some bytes; `None` if it has more digits, or a sign.
#[inline]
fn put(bytes: &mut [u8], digits: Digits, number: i64) -> Option<()> {
    match digits {
        Digits::Two => *bytes.first_chunk_mut()? = pair(number)?,
        Digits::LastTwo => *bytes.first_chunk_mut()? = pair(number.abs() % 100)?,
        Digits::Three => {
            let ([_, one], [two, three]) = (pair(number / 100)?, pair(number % 100)?);
            *bytes.first_chunk_mut()? = [one, two, three];
        }
        Digits::Four => {
            let ([one, two], [three, four]) = (pair(number / 100)?, pair(number % 100)?);
            *bytes.first_chunk_mut()? = [one, two, three, four];
        }
    }
    Some(())
}

/// The numbers from 00 to 99.
static PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}

/// Returns the digits of a number from 0 to 99.
#[inline]
pub(super) fn pair(number: i64) -> Option<[u8; 2]> {
    PAIRS.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::calendar::DAY;
    use super::super::pattern::{Pattern, Shown};
    use super::super::pattern_reading::Reader;
    use super::*;

    /// `2024-02-29 13:04:05.678`, with these widths.
    fn pattern(year: usize, others: usize, fraction: usize) -> Pattern {
        let mut pattern = Pattern::default();
        let fields = [
            (Field::Year, year, '-'),
            (Field::Month, others, '-'),
            (Field::Day, others, 'T'),
            (Field::Hour, others, ':'),
            (Field::Minute, others, ':'),
            (Field::Second, others, 'é'),
        ];
        for (field, least, after) in fields {
            pattern.number(field, least, least);
            pattern.literal(after);
        }
        pattern.push(Piece::Fraction {
            digits: fraction,
            most: 9,
        });
        pattern
    }

    #[test]
    fn times_are_written_as_piece_by_piece() {
        let pattern = pattern(4, 2, 6);
        let layout = Layout::of(&pattern.pieces).unwrap();
        let mut bytes = Vec::new();
        for day in (-800_000i64..4_000_000).step_by(7919) {
            let time = (day.unsigned_abs() as i64 * 987_654_321_987) % DAY / MILLI * MILLI;
            let local = Local { day, time };
            bytes.clear();
            let written = layout.push(&mut bytes, local);
            let (year, ..) = date_of(day);
            assert_eq!(written, (0..10_000).contains(&year));
            if written {
                let mut text = String::new();
                let shown = Shown { local, zone: None };
                pattern.write(&mut text, shown).unwrap();
                assert_eq!(str::from_utf8(&bytes).unwrap(), text);
                assert_eq!(Steps::of(&pattern.pieces).unwrap().read(&text), Some(local));
            } else {
                assert!(bytes.is_empty());
            }
        }
        assert!(Layout::of(&super::tests::pattern(4, 1, 6).pieces).is_none());
        assert!(Layout::of(&super::tests::pattern(4, 2, 16).pieces).is_none());
    }

    #[test]
    fn texts_are_read_as_piece_by_piece() {
        let pattern = pattern(4, 2, 3);
        let steps = Steps::of(&pattern.pieces).unwrap();
        let mut slow = Reader::default();
        let mut read = 0;
        for text in [
            "2024-02-29T13:04:05é678",
            "2024-02-29T13:04:05é6789",
            "2024-2-9T1:4:5é6",
            "2023-02-29T13:04:05é678",
            "2024-13-01T00:00:00é0",
            "2024-00-01T00:00:00é0",
            "2024-01-00T00:00:00é0",
            "2024-01-01T24:00:00é0",
            "2024-01-01T00:60:00é0",
            "2024-01-01T00:00:60é0",
            "-001-01-01T00:00:00é0",
            "2024-01-01t00:00:00É0",
            "2024-01-01T00:00:00é",
            "2024-01-01T00:00:00é0 ",
            "0000-12-31T23:59:59é999999999",
            "",
            "é",
        ] {
            // The same pieces without the steps of the pattern.
            let expected = slow.piece_by_piece(&pattern, text);
            match steps.read(text) {
                Some(local) => {
                    read += 1;
                    assert_eq!(expected.unwrap(), local, "{text}");
                }
                None => {
                    let all = Reader::default().local(&pattern, text);
                    assert_eq!(all.ok(), expected.ok(), "{text}");
                }
            }
        }
        assert_eq!(read, 4);
    }

    #[test]
    fn other_formats_have_no_steps() {
        let of = |fields: &[Field]| {
            let mut pattern = Pattern::default();
            for field in fields {
                pattern.number(*field, 2, 10);
            }
            Steps::of(&pattern.pieces)
        };
        assert!(of(&[Field::Year]).is_some());
        assert!(of(&[Field::Year, Field::Month, Field::Day]).is_some());
        assert!(of(&[Field::Year, Field::Day]).is_none());
        assert!(of(&[Field::Month, Field::Day]).is_none());
        assert!(of(&[Field::Year, Field::Year]).is_none());
        assert!(of(&[Field::Year, Field::ClockHour]).is_none());
        let year = of(&[Field::Year]).unwrap();
        assert!(year.read("123456789").is_some());
        assert!(year.read("1234567890").is_none());
        assert!(year.read("999999999").is_none());
    }
}
