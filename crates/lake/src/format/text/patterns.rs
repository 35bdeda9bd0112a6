//! `timestamp.formats`: Joda-Time patterns such as `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.

use super::scalars;
use super::times::{Cursor, Moment};
use crate::format::encoding::Encoding;

/// The longest pattern, in characters.
const MAX_PATTERN: usize = 128;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A pattern that timestamps are read with. `millis` is Hive's own word for milliseconds since the
/// Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Literal(String),
    /// A letter and how often it stands.
    Field(char, usize),
    Millis,
}

impl Pattern {
    /// Feeds the pattern to a digest.
    pub(super) fn encode(&self, to: &mut Encoding<'_>) {
        let Self { parts } = self;
        to.length(parts.len());
        for part in parts {
            match part {
                Part::Literal(text) => {
                    to.tag(0);
                    to.text(text);
                }
                Part::Field(letter, times) => {
                    to.tag(1);
                    to.number(u64::from(u32::from(*letter)));
                    to.length(*times);
                }
                Part::Millis => to.tag(2),
            }
        }
    }

    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("millis") {
            return Ok(Self {
                parts: vec![Part::Millis],
            });
        }
        if text.chars().count() > MAX_PATTERN {
            return Err(format!("a pattern has at most {MAX_PATTERN} characters"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => {
                    let mut literal = String::new();
                    loop {
                        match letters.next() {
                            Some('\'') if letters.next_if_eq(&'\'').is_some() => literal.push('\''),
                            Some('\'') => break,
                            Some(other) => literal.push(other),
                            None => return Err("a quote is not closed".to_owned()),
                        }
                    }
                    // Two quotes in a row are one quote.
                    parts.push(Part::Literal(if literal.is_empty() {
                        "'".to_owned()
                    } else {
                        literal
                    }));
                }
                'y' | 'Y' | 'u' | 'M' | 'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' | 'S' | 'a'
                | 'E' | 'Z' | 'X' | 'z' => {
                    let mut count = 1;
                    while letters.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    parts.push(Part::Field(letter, count));
                }
                letter if letter.is_ascii_alphabetic() => {
                    return Err(format!(
                        "letter '{letter}' is not supported; quote text that stands for itself"
                    ));
                }
                other => parts.push(Part::Literal(other.to_string())),
            }
        }
        Ok(Self { parts })
    }

    /// Microseconds since the Unix epoch; `None` where the text does not match.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        if self.parts == [Part::Millis] {
            return scalars::integer(text, scalars::Fractions::Refuse)
                .ok()?
                .checked_mul(1000);
        }
        let mut at = Cursor {
            rest: text.trim().as_bytes(),
        };
        let mut moment = Moment::EPOCH;
        let mut afternoon = None;
        for (index, part) in self.parts.iter().enumerate() {
            let (letter, count) = match part {
                Part::Literal(literal) => {
                    at.literal(literal.as_bytes())?;
                    continue;
                }
                Part::Millis => return None,
                Part::Field(letter, count) => (*letter, *count),
            };
            // Where digits follow digits, the count alone says where one field ends.
            let fixed =
                matches!(self.parts.get(index + 1), Some(Part::Field(next, _)) if is_number(*next));
            let mut number = |usual: usize| {
                if fixed {
                    at.number(count, count)
                } else {
                    at.number(1, count.max(usual))
                }
            };
            match letter {
                'y' | 'Y' | 'u' => {
                    let year = i32::try_from(number(4)?).ok()?;
                    moment.year = match (count, year) {
                        (2, 0..=68) => 2000 + year,
                        (2, 69..=99) => 1900 + year,
                        _ => year,
                    };
                }
                'M' if count >= 3 => moment.month = month_name(&mut at)?,
                'M' => moment.month = number(2)?,
                'd' => moment.day = number(2)?,
                'H' => moment.hour = number(2)?,
                'k' => moment.hour = number(2).filter(|hour| (1..=24).contains(hour))? % 24,
                'h' => moment.hour = number(2).filter(|hour| (1..=12).contains(hour))? % 12,
                'K' => moment.hour = number(2).filter(|hour| *hour < 12)?,
                'm' => moment.minute = number(2)?,
                's' => moment.second = number(2)?,
                'S' => moment.micros = at.fraction()?,
                'a' => {
                    afternoon = Some(
                        at.word("pm")
                            .map(|()| true)
                            .or_else(|| at.word("am").map(|()| false))?,
                    );
                }
                'E' => {
                    let letters = at
                        .rest
                        .iter()
                        .take_while(|byte| byte.is_ascii_alphabetic())
                        .count();
                    at.rest = at.rest.get(letters..).filter(|_| letters > 0)?;
                }
                _ => moment.offset = at.zone()?,
            }
        }
        if !at.rest.is_empty() {
            return None;
        }
        if afternoon == Some(true) && moment.hour < 12 {
            moment.hour += 12;
        }
        moment.to_micros()
    }
}

fn is_number(letter: char) -> bool {
    !matches!(letter, 'a' | 'E' | 'Z' | 'X' | 'z')
}

fn month_name(at: &mut Cursor<'_>) -> Option<u32> {
    for (name, number) in MONTHS.iter().zip(1..) {
        if at.word(name).is_some() || at.word(name.get(..3)?).is_some() {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn read(pattern: &str, text: &str) -> Option<i64> {
        Pattern::parse(pattern).unwrap().read(text)
    }

    #[test]
    fn patterns_read_what_they_describe() {
        let noon = Some(1_704_196_800_000_000); // 2024-01-02 12:00:00 UTC
        for (pattern, text) in [
            ("yyyy-MM-dd'T'HH:mm:ss", "2024-01-02T12:00:00"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-01-02T13:00:00.000+0100"),
            ("yyyy-MM-dd'T'HH:mm:ssZZ", "2024-01-02T12:00:00Z"),
            ("yyyyMMddHHmmss", "20240102120000"),
            ("dd/MMM/yyyy:HH:mm:ss Z", "02/Jan/2024:12:00:00 +0000"),
            ("EEE, d MMMM yy h:mm a", "Tue, 2 January 24 12:00 PM"),
            ("M/d/yyyy H:mm", "1/2/2024 12:00"),
            ("''yyyy-MM-dd H", "'2024-01-02 12"),
            ("millis", "1704196800000"),
        ] {
            assert_eq!(read(pattern, text), noon, "{pattern}");
        }
        assert_eq!(
            read("yyyy-MM-dd HH:mm:ss.SSS", "1970-01-01 00:00:00.25"),
            Some(250_000)
        );
        assert_eq!(read("h a", "12 AM"), Some(0));
    }

    #[test]
    fn text_that_does_not_match_is_none() {
        for (pattern, text) in [
            ("yyyy-MM-dd", "2024-01-02 12:00:00"),
            ("yyyy-MM-dd", "2024/01/02"),
            ("yyyy-MM-dd", ""),
            ("HH:mm", "25:00"),
            ("h", "13"),
            ("MMM", "Foo"),
            ("millis", "soon"),
            ("EEE", "1"),
            ("yyyyMMdd", "202401"),
        ] {
            assert_eq!(read(pattern, text), None, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_that_are_not_understood_say_why() {
        assert!(Pattern::parse("yyyy-QQ").unwrap_err().contains("'Q'"));
        assert!(Pattern::parse("yyyy'T").unwrap_err().contains("quote"));
        assert!(Pattern::parse(&"y-".repeat(100)).is_err());
    }
}
