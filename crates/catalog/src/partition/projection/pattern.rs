//! Patterns of Java's DateTimeFormatter, as far as values of a partition key need them.
//!
//! Letters: `y` and `u` year, `M` month, `d` day, `D` day of the year, `H` hour, `m` minute, `s`
//! second, `S` fraction of a second; `'quoted'` text. A pattern tells a moment to some precision:
//! it has all larger fields of its smallest one.

use chrono::{DateTime, Datelike, Month, NaiveDate, NaiveDateTime, Timelike};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// A part of a moment, the larger ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Year,
    Month,
    DayOfYear,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// `width`: of digits; 0 for as many as the number has.
    Number {
        field: Field,
        width: usize,
    },
    /// `yy`: of the years 2000 to 2099.
    ShortYear,
    /// `MMM` or `MMMM`.
    MonthName {
        full: bool,
    },
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatePattern {
    items: Vec<Item>,
    /// The smallest field.
    smallest: Field,
    /// Digits of the fraction of a second.
    fraction: usize,
}

/// The year, month, … of a moment, as far as a text has them.
#[derive(Default)]
struct Parts {
    year: Option<u32>,
    month: Option<u32>,
    day_of_year: Option<u32>,
    day: Option<u32>,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    micros: Option<u32>,
}

impl DatePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Says what in the pattern is not supported, or what it lacks.
    pub(super) fn parse(pattern: &str) -> Result<DatePattern, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("it is longer than {MAX_PATTERN} bytes"));
        }
        let items = items(pattern)?;
        check_apart(&items)?;
        let mut seen: Vec<Field> = items.iter().filter_map(Item::field).collect();
        seen.sort_unstable();
        seen.dedup();
        let Some(smallest) = seen.last().copied() else {
            return Err(
                "it has no letter for a part of a date; use yyyy-MM-dd, for example".into(),
            );
        };
        for field in &seen {
            if let Some(missing) = missing_before(*field, &seen) {
                return Err(format!(
                    "it has the {} and not the {missing}; a value must tell its moment alone",
                    field.name()
                ));
            }
        }
        let fraction = items.iter().filter_map(|item| match item {
            Item::Number {
                field: Field::Fraction,
                width,
            } => Some(*width),
            _ => None,
        });
        Ok(DatePattern {
            fraction: fraction.max().unwrap_or_default(),
            items,
            smallest,
        })
    }

    /// The smallest field that texts have.
    pub(super) fn smallest(&self) -> Field {
        self.smallest
    }

    /// The microseconds from one text to the next; `None` for patterns of years and months.
    pub(super) fn micros(&self) -> Option<i64> {
        const SECOND: i64 = 1_000_000;
        Some(match self.smallest {
            Field::Year | Field::Month => return None,
            Field::DayOfYear | Field::Day => 86_400 * SECOND,
            Field::Hour => 3_600 * SECOND,
            Field::Minute => 60 * SECOND,
            Field::Second => SECOND,
            Field::Fraction => {
                let beyond = u32::try_from(6usize.saturating_sub(self.fraction));
                10i64.pow(beyond.unwrap_or_default())
            }
        })
    }

    /// The first and the last year that texts can have.
    pub(super) fn years(&self) -> (i32, i32) {
        match self.items.contains(&Item::ShortYear) {
            true => (2000, 2099),
            false => (1, 9999),
        }
    }

    /// Whether texts of later moments sort after those of earlier ones.
    pub(super) fn sorts(&self) -> bool {
        let mut seen: Vec<Field> = Vec::new();
        for item in &self.items {
            let Some(field) = item.field() else {
                continue;
            };
            if seen.contains(&field) {
                continue;
            }
            let width_varies =
                matches!(item, Item::MonthName { .. } | Item::Number { width: 0, .. });
            if width_varies || missing_before(field, &seen).is_some() {
                return false;
            }
            seen.push(field);
        }
        true
    }

    /// A moment as text. `at`: within [`DatePattern::years`].
    pub(super) fn format(&self, at: NaiveDateTime) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Literal(literal) => text.push_str(literal),
                Item::ShortYear => text.push_str(&format!("{:02}", at.year().rem_euclid(100))),
                Item::MonthName { full } => {
                    let month = usize::try_from(at.month0()).unwrap_or_default();
                    text.push_str(month_name(month, *full));
                }
                Item::Number {
                    field: Field::Fraction,
                    width,
                } => {
                    let nanos = format!("{:09}", at.nanosecond() % 1_000_000_000);
                    text.push_str(nanos.get(..*width).unwrap_or(&nanos));
                }
                Item::Number { field, width } => {
                    let number = match field {
                        Field::Year => at.year(),
                        Field::Month => signed(at.month()),
                        Field::DayOfYear => signed(at.ordinal()),
                        Field::Day => signed(at.day()),
                        Field::Hour => signed(at.hour()),
                        Field::Minute => signed(at.minute()),
                        Field::Second | Field::Fraction => signed(at.second()),
                    };
                    let width = *width;
                    text.push_str(&format!("{number:0width$}"));
                }
            }
        }
        text
    }

    /// The moment that a text tells; `None` if it is not as the pattern writes it.
    pub(super) fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.items {
            rest = match item {
                Item::Literal(literal) => rest.strip_prefix(literal.as_str())?,
                Item::ShortYear => {
                    let (number, rest) = digits(rest, 2, 2)?;
                    set(&mut parts.year, 2000 + number)?;
                    rest
                }
                Item::MonthName { full } => {
                    let named = |month: &usize| rest.starts_with(month_name(*month, *full));
                    let month = (0..12).find(named)?;
                    set(&mut parts.month, u32::try_from(month).ok()? + 1)?;
                    rest.strip_prefix(month_name(month, *full))?
                }
                Item::Number { field, width } => {
                    let most = match (width, field) {
                        (0, Field::Year) => 4,
                        (0, Field::DayOfYear) => 3,
                        (0, _) => 2,
                        (width, _) => *width,
                    };
                    let (number, rest) = digits(rest, (*width).max(1), most)?;
                    let part = match field {
                        Field::Year => &mut parts.year,
                        Field::Month => &mut parts.month,
                        Field::DayOfYear => &mut parts.day_of_year,
                        Field::Day => &mut parts.day,
                        Field::Hour => &mut parts.hour,
                        Field::Minute => &mut parts.minute,
                        Field::Second => &mut parts.second,
                        Field::Fraction => &mut parts.micros,
                    };
                    let number = match field {
                        Field::Fraction => micros(number, most)?,
                        _ => number,
                    };
                    set(part, number)?;
                    rest
                }
            };
        }
        let at = parts.moment().filter(|_| rest.is_empty())?;
        let (first, last) = self.years();
        (first..=last).contains(&at.year()).then_some(at)
    }

    /// The moment that the text of a moment tells: without what the pattern does not write.
    pub(super) fn truncated(&self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = at.date();
        match (self.smallest, self.micros()) {
            (Field::Year, _) => NaiveDate::from_ymd_opt(date.year(), 1, 1)?.and_hms_opt(0, 0, 0),
            (Field::Month, _) => {
                NaiveDate::from_ymd_opt(date.year(), date.month(), 1)?.and_hms_opt(0, 0, 0)
            }
            (_, None) => Some(at),
            (_, Some(unit)) => {
                let micros = at.and_utc().timestamp_micros();
                let whole = micros - micros.rem_euclid(unit);
                DateTime::from_timestamp_micros(whole).map(|at| at.naive_utc())
            }
        }
    }
}

impl Item {
    fn field(&self) -> Option<Field> {
        match self {
            Item::Literal(_) => None,
            Item::ShortYear => Some(Field::Year),
            Item::MonthName { .. } => Some(Field::Month),
            Item::Number { field, .. } => Some(*field),
        }
    }
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Year => "year",
            Field::Month => "month",
            Field::DayOfYear => "day of the year",
            Field::Day => "day",
            Field::Hour => "hour",
            Field::Minute => "minute",
            Field::Second => "second",
            Field::Fraction => "fraction of a second",
        }
    }
}

impl Parts {
    fn moment(&self) -> Option<NaiveDateTime> {
        let year = i32::try_from(self.year?).ok()?;
        let date = match self.day_of_year {
            Some(day) => {
                let date = NaiveDate::from_yo_opt(year, day)?;
                let agrees = self.month.is_none_or(|month| month == date.month())
                    && self.day.is_none_or(|of_month| of_month == date.day());
                agrees.then_some(date)?
            }
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        date.and_hms_micro_opt(
            self.hour.unwrap_or_default(),
            self.minute.unwrap_or_default(),
            // Chrono takes a leap second by its fraction, so none comes from here.
            self.second.unwrap_or_default(),
            self.micros.unwrap_or_default(),
        )
    }
}

/// Sets a part that may be in a text twice; `None` if the two differ.
fn set(part: &mut Option<u32>, number: u32) -> Option<()> {
    match part {
        Some(known) => (*known == number).then_some(()),
        None => {
            *part = Some(number);
            Some(())
        }
    }
}

/// A number at the beginning of a text, and the rest.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let length = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if length < least {
        return None;
    }
    let (number, rest) = text.split_at_checked(length)?;
    Some((number.parse().ok()?, rest))
}

/// A fraction of so many digits, in microseconds; `None` if it has smaller parts.
fn micros(fraction: u32, digits: usize) -> Option<u32> {
    let digits = u32::try_from(digits).ok()?;
    if digits <= 6 {
        return fraction.checked_mul(10u32.checked_pow(6 - digits)?);
    }
    let beyond = 10u32.checked_pow(digits - 6)?;
    fraction.is_multiple_of(beyond).then_some(fraction / beyond)
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

/// `month`: from 0.
fn month_name(month: usize, full: bool) -> &'static str {
    let month = u8::try_from(month + 1).ok();
    let month = month.and_then(|month| Month::try_from(month).ok());
    let name = month.map_or("", |month| month.name());
    match full {
        true => name,
        false => name.get(..3).unwrap_or(name),
    }
}

/// The field without which another one tells no moment, if it is not among those seen.
fn missing_before(field: Field, seen: &[Field]) -> Option<&'static str> {
    let has = |field: Field| seen.contains(&field);
    let missing = match field {
        Field::Year => return None,
        Field::Month | Field::DayOfYear => Field::Year,
        Field::Day => Field::Month,
        Field::Hour if has(Field::DayOfYear) => return None,
        Field::Hour => Field::Day,
        Field::Minute => Field::Hour,
        Field::Second => Field::Minute,
        Field::Fraction => Field::Second,
    };
    (!has(missing)).then(|| missing.name())
}

/// # Errors
/// A number of varying length right before another number: texts of two moments may be equal.
fn check_apart(items: &[Item]) -> Result<(), String> {
    for pair in items.windows(2) {
        let [first, second] = pair else {
            continue;
        };
        let varies = matches!(first, Item::Number { width: 0, .. });
        let is_number = matches!(second, Item::Number { .. } | Item::ShortYear)
            || matches!(second, Item::Literal(text) if text.starts_with(|c: char| c.is_ascii_digit()));
        if varies && is_number {
            return Err(
                "a single letter before another number is ambiguous; double the letter, as in MM"
                    .into(),
            );
        }
    }
    Ok(())
}

fn items(pattern: &str) -> Result<Vec<Item>, String> {
    let mut items: Vec<Item> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (literal, after) = quoted(rest)?;
            push_literal(&mut items, &literal);
            rest = after;
            continue;
        }
        if first.is_ascii_alphabetic() {
            let count = rest.chars().take_while(|c| *c == first).count();
            items.push(letters(first, count)?);
            rest = rest.get(count..).unwrap_or_default();
            continue;
        }
        if matches!(first, '[' | ']' | '{' | '}' | '#') {
            return Err(format!(
                "'{first}' is not supported; put text of its own into quotes"
            ));
        }
        push_literal(&mut items, first.encode_utf8(&mut [0; 4]));
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    Ok(items)
}

/// The text between quotes at the beginning of a pattern, and what follows. `''` is a quote.
fn quoted(pattern: &str) -> Result<(String, &str), String> {
    let inside = pattern.strip_prefix('\'').unwrap_or(pattern);
    if let Some(after) = inside.strip_prefix('\'') {
        return Ok(("'".to_owned(), after));
    }
    let mut literal = String::new();
    let mut rest = inside;
    loop {
        let Some((text, after)) = rest.split_once('\'') else {
            return Err("a quote is not closed".into());
        };
        literal.push_str(text);
        match after.strip_prefix('\'') {
            Some(after) => {
                literal.push('\'');
                rest = after;
            }
            None => return Ok((literal, after)),
        }
    }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(last)) => last.push_str(text),
        _ => items.push(Item::Literal(text.to_owned())),
    }
}

/// The item of a letter that is repeated.
fn letters(letter: char, count: usize) -> Result<Item, String> {
    let number = |field, width| Ok(Item::Number { field, width });
    match (letter, count) {
        ('y' | 'u', 1) => number(Field::Year, 0),
        ('y' | 'u', 2) => Ok(Item::ShortYear),
        ('y' | 'u', 4) => number(Field::Year, 4),
        ('M', 1) => number(Field::Month, 0),
        ('M', 2) => number(Field::Month, 2),
        ('M', 3) => Ok(Item::MonthName { full: false }),
        ('M', 4) => Ok(Item::MonthName { full: true }),
        ('d', 1) => number(Field::Day, 0),
        ('d', 2) => number(Field::Day, 2),
        ('D', 1) => number(Field::DayOfYear, 0),
        ('D', 3) => number(Field::DayOfYear, 3),
        ('H', 1) => number(Field::Hour, 0),
        ('H', 2) => number(Field::Hour, 2),
        ('m', 1) => number(Field::Minute, 0),
        ('m', 2) => number(Field::Minute, 2),
        ('s', 1) => number(Field::Second, 0),
        ('s', 2) => number(Field::Second, 2),
        ('S', 1..=9) => number(Field::Fraction, count),
        _ => {
            let shown: String = std::iter::repeat_n(letter, count.min(16)).collect();
            let hint = match letter {
                'Y' => "; the letter of the calendar's year is y",
                'h' | 'K' | 'k' | 'a' => "; the letter of hours from 00 to 23 is H",
                'z' | 'Z' | 'X' | 'x' | 'V' | 'O' => "; times are in UTC: put a Z into quotes",
                'T' => "; put the T into quotes",
                _ => "; the letters are y, u, M, d, D, H, m, s and S, and text is put into quotes",
            };
            Err(format!("'{shown}' is not supported{hint}"))
        }
    }
}

#[cfg(test)]
mod tests;
