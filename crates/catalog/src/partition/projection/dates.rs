//! The values of a date key: from a first to a last moment, in steps, written by a pattern. Times
//! are in UTC.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, Utc};

use super::candidates::ProjectedValue;
use super::integers::Run;
use super::pattern::{DatePattern, Field};
use super::value_set::KeyValue;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What the values of a date key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateKind {
    /// The texts of the pattern.
    Text,
    Date,
    Timestamp,
}

/// A unit of intervals, as ChronoUnit names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Months(u32),
    Micros(i64),
}

impl Unit {
    /// `plural`: `YEARS`, in any case. `None`: there is no such unit.
    pub(super) fn of_name(plural: &str) -> Option<Unit> {
        Some(match plural.to_ascii_uppercase().as_str() {
            "YEARS" => Unit::Months(12),
            "MONTHS" => Unit::Months(1),
            "WEEKS" => Unit::Micros(7 * DAY),
            "DAYS" => Unit::Micros(DAY),
            "HOURS" => Unit::Micros(3_600 * SECOND),
            "MINUTES" => Unit::Micros(60 * SECOND),
            "SECONDS" => Unit::Micros(SECOND),
            "MILLISECONDS" => Unit::Micros(1_000),
            _ => return None,
        })
    }

    /// So many units; `None` for more than ten thousand years.
    pub(super) fn times(self, count: u32) -> Option<Unit> {
        match self {
            Unit::Months(months) => {
                let months = months.checked_mul(count)?;
                (months <= 120_000).then_some(Unit::Months(months))
            }
            Unit::Micros(micros) => {
                let micros = micros.checked_mul(i64::from(count))?;
                (micros <= 3_660_000 * DAY).then_some(Unit::Micros(micros))
            }
        }
    }
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    At(NaiveDateTime),
    /// `NOW`, and what is added to or taken from it.
    Now {
        back: bool,
        by: Unit,
    },
}

impl End {
    /// An end as the range property has it.
    ///
    /// # Errors
    /// Says why it is none.
    pub(super) fn parse(text: &str, pattern: &DatePattern) -> Result<End, String> {
        let trimmed = text.trim();
        if let Some(at) = pattern.read(trimmed).or_else(|| pattern.read(text)) {
            return Ok(End::At(at));
        }
        let wrong = || {
            format!(
                "'{text}' is neither a date of the format nor relative to NOW, such as NOW-3YEARS"
            )
        };
        let rest = strip_word(trimmed, "NOW").ok_or_else(wrong)?.trim_start();
        if rest.is_empty() {
            return Ok(End::Now {
                back: false,
                by: Unit::Micros(0),
            });
        }
        let (back, rest) = match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong()),
        };
        let rest = rest.trim_start();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = rest.split_at_checked(length).ok_or_else(wrong)?;
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let unit = unit.trim().to_ascii_uppercase();
        let plural = match unit.ends_with('S') {
            true => unit,
            false => format!("{unit}S"),
        };
        let by = Unit::of_name(&plural)
            .filter(|_| plural != "MILLISECONDS")
            .ok_or_else(wrong)?
            .times(count)
            .ok_or_else(|| format!("'{text}' is too far from NOW"))?;
        Ok(End::Now { back, by })
    }

    fn moment(self, now: DateTime<Utc>) -> NaiveDateTime {
        match self {
            End::At(at) => at,
            End::Now { back, by } => {
                let now = now.naive_utc();
                let moved = match (by, back) {
                    (Unit::Months(months), true) => now.checked_sub_months(Months::new(months)),
                    (Unit::Months(months), false) => now.checked_add_months(Months::new(months)),
                    (Unit::Micros(micros), true) => {
                        now.checked_sub_signed(chrono::Duration::microseconds(micros))
                    }
                    (Unit::Micros(micros), false) => {
                        now.checked_add_signed(chrono::Duration::microseconds(micros))
                    }
                };
                moved.unwrap_or(match back {
                    true => NaiveDateTime::MIN,
                    false => NaiveDateTime::MAX,
                })
            }
        }
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(word.len())?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

/// The configuration of a date key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    pub first: End,
    pub last: End,
    pub step: Unit,
    pub pattern: DatePattern,
    pub kind: DateKind,
}

/// The step between texts that differ: one that the pattern does not write is as good as the
/// smallest one that it writes.
///
/// # Errors
/// Some texts would be equal, and others left out.
pub(super) fn distinct_step(step: Unit, pattern: &DatePattern) -> Result<Unit, String> {
    let uneven = "an interval of whole months or years is needed with this format".to_owned();
    Ok(match (step, pattern.smallest(), pattern.micros()) {
        (Unit::Months(months), Field::Year, _) => Unit::Months(months.max(12)),
        (Unit::Micros(micros), Field::Year, _) if micros <= 365 * DAY => Unit::Months(12),
        (Unit::Micros(micros), Field::Year, _) if micros < 366 * DAY => return Err(uneven),
        (Unit::Micros(micros), Field::Month, _) if micros <= 28 * DAY => Unit::Months(1),
        (Unit::Micros(micros), Field::Month, _) if micros < 31 * DAY => return Err(uneven),
        (Unit::Micros(micros), _, Some(unit)) => Unit::Micros(micros.max(unit)),
        (step, ..) => step,
    })
}

impl Dates {
    /// The values as of a moment.
    pub(super) fn at(&self, now: DateTime<Utc>) -> DateSequence {
        let (first_year, last_year) = self.pattern.years();
        let least = NaiveDate::from_ymd_opt(first_year, 1, 1).unwrap_or(NaiveDate::MIN);
        let most = NaiveDate::from_ymd_opt(last_year, 12, 31).unwrap_or(NaiveDate::MAX);
        let least = least.and_time(chrono::NaiveTime::MIN);
        let most = most.and_time(chrono::NaiveTime::MIN) + chrono::Duration::microseconds(DAY - 1);
        let end = |end: End| {
            let moment = end.moment(now).clamp(least, most);
            self.pattern.truncated(moment).unwrap_or(moment)
        };
        DateSequence::new(self.clone(), end(self.first), end(self.last))
    }
}

/// A sequence of moments.
#[derive(Debug, Clone)]
pub(super) struct DateSequence {
    dates: Dates,
    start: NaiveDateTime,
    count: u128,
}

impl DateSequence {
    fn new(dates: Dates, start: NaiveDateTime, end: NaiveDateTime) -> DateSequence {
        let steps = match dates.step {
            _ if end < start => None,
            Unit::Micros(step) => {
                let span = micros(end).saturating_sub(micros(start));
                u128::try_from(span / step.max(1)).ok()
            }
            Unit::Months(step) => {
                let mut months = months(end) - months(start);
                // The last month is not complete.
                let reached = u32::try_from(months)
                    .ok()
                    .and_then(|months| start.checked_add_months(Months::new(months)));
                if reached.is_none_or(|reached| reached > end) {
                    months -= 1;
                }
                u128::try_from(months / i64::from(step.max(1))).ok()
            }
        };
        DateSequence {
            dates,
            start,
            count: steps.map_or(0, |steps| steps + 1),
        }
    }

    pub(super) fn len(&self) -> u128 {
        self.count
    }

    fn moment(&self, at: u128) -> Option<NaiveDateTime> {
        if at >= self.count {
            return None;
        }
        let moment = match self.dates.step {
            Unit::Micros(step) => {
                let offset = i64::try_from(at).ok()?.checked_mul(step)?;
                let moment = micros(self.start).checked_add(offset)?;
                DateTime::from_timestamp_micros(moment)?.naive_utc()
            }
            Unit::Months(step) => {
                let months = u32::try_from(at).ok()?.checked_mul(step)?;
                self.start.checked_add_months(Months::new(months))?
            }
        };
        self.dates.pattern.truncated(moment)
    }

    pub(super) fn key(&self, at: u128) -> Option<KeyValue> {
        let moment = self.moment(at)?;
        Some(match self.dates.kind {
            DateKind::Text => KeyValue::text(self.dates.pattern.format(moment)),
            DateKind::Date => KeyValue::Int(micros(moment).div_euclid(DAY)),
            DateKind::Timestamp => KeyValue::Int(micros(moment)),
        })
    }

    pub(super) fn value(&self, at: u128) -> Option<ProjectedValue> {
        let moment = self.moment(at)?;
        let folder = self.dates.pattern.format(moment);
        Some(match self.dates.kind {
            DateKind::Text => ProjectedValue::same(&folder),
            DateKind::Date => ProjectedValue::new(&folder, &moment.format("%Y-%m-%d").to_string()),
            DateKind::Timestamp => {
                let fraction = moment.format("%.6f").to_string();
                let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
                let text = format!("{}{fraction}", moment.format("%Y-%m-%d %H:%M:%S"));
                ProjectedValue::new(&folder, &text)
            }
        })
    }

    /// Where a value is; `None` if it is not in the sequence.
    pub(super) fn position(&self, value: &KeyValue) -> Option<u128> {
        let moment = match (value, self.dates.kind) {
            (KeyValue::Text(text), DateKind::Text) => self.dates.pattern.read(text)?,
            (KeyValue::Int(days), DateKind::Date) => moment_of(days.checked_mul(DAY)?)?,
            (KeyValue::Int(micros), DateKind::Timestamp) => moment_of(*micros)?,
            _ => return None,
        };
        let at = match self.dates.step {
            Unit::Micros(step) => {
                let offset = micros(moment).checked_sub(micros(self.start))?;
                ceiling(offset, step)?
            }
            Unit::Months(step) => ceiling(months(moment) - months(self.start), step.into())?,
        };
        (self.moment(at) == Some(moment) && self.key(at).as_ref() == Some(value)).then_some(at)
    }

    /// The parts in which the values ascend; none if they are in no order.
    pub(super) fn runs(&self) -> Vec<Run> {
        let ordered = self.dates.kind != DateKind::Text || self.dates.pattern.sorts();
        let run = Run {
            span: 0..self.count,
            descends: false,
        };
        ordered.then_some(run).into_iter().collect()
    }
}

/// The quotient, rounded up; `None` for a negative number.
fn ceiling(number: i64, by: i64) -> Option<u128> {
    let number = u128::try_from(number).ok()?;
    let by = u128::try_from(by).ok().filter(|by| *by > 0)?;
    Some(number.div_ceil(by))
}

fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

fn moment_of(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc())
}

/// The months since the year 0.
fn months(moment: NaiveDateTime) -> i64 {
    i64::from(moment.year()) * 12 + i64::from(moment.month0())
}

#[cfg(test)]
mod tests;
