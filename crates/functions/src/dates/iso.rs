//! ISO 8601: `from_iso8601_date`, `from_iso8601_timestamp` and its variant with nanoseconds, and
//! `to_iso8601`.

#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::error::Result;
use lakegate_engine::time::Clock;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::{HOUR, Local, MINUTE, SECOND, date_of, date32, days_in_month, days_of};
use super::fields::{Field, Fields};
use super::function::{self, Asked, Session, Timed};
use super::pattern::write_offset;
use super::pattern_reading::{Reader, Rest, Zone};
use super::values::{Times, numbers, push_padded, texts};
use super::zones;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

/// The most bytes of a text that is written.
const WIDTH: usize = 48;

static FROM_DATE: Page = Page {
    name: "from_iso8601_date",
    section: SECTION,
    syntax: "from_iso8601_date(text)",
    sentence: "Reads a date of ISO 8601: of a month, of a week or of a year.",
    example: "from_iso8601_date('2025-W01-1')",
    result: "2024-12-30",
};

static FROM_TIMESTAMP: Page = Page {
    name: "from_iso8601_timestamp",
    section: SECTION,
    syntax: "from_iso8601_timestamp(text)",
    sentence: "Reads a timestamp of ISO 8601 to the millisecond; without an offset it is in the \
               session's time zone.",
    example: "from_iso8601_timestamp('2024-02-29T15:04:05.678+02:00')",
    result: "2024-02-29 13:04:05.678 +00:00",
};

static FROM_NANOS: Page = Page {
    name: "from_iso8601_timestamp_nanos",
    section: SECTION,
    syntax: "from_iso8601_timestamp_nanos(text)",
    sentence: "Reads a complete timestamp of ISO 8601, rounded to the microsecond.",
    example: "from_iso8601_timestamp_nanos('2024-02-29T15:04:05.123456789Z') = \
              from_iso8601_timestamp_nanos('2024-02-29T15:04:05.123457Z')",
    result: "true",
};

static TO: Page = Page {
    name: "to_iso8601",
    section: SECTION,
    syntax: "to_iso8601(x)",
    sentence: "Writes a date or a timestamp as in ISO 8601.",
    example: "to_iso8601(TIMESTAMP '2024-02-29 15:04:05.678')",
    result: "2024-02-29T15:04:05.678",
};

pub(super) fn entries() -> Vec<Entry> {
    let text = |types: &[DataType]| match types {
        [of] => Some(vec![function::text(of)?]),
        _ => None,
    };
    let from_date = Timed::new(
        &FROM_DATE,
        text,
        |_| Ok(DataType::Date32),
        |call, _| {
            let texts = call.columns[0].texts();
            let mut fields = Fields::default();
            numbers::<Date32Type>(call, |row| {
                let Some(text) = texts.get(row) else {
                    return Ok(None);
                };
                let mut rest = Rest::of(text);
                fields.clear();
                let read = date(&mut rest, &mut fields).filter(|()| rest.is_empty());
                read.ok_or_else(|| rest.malformed())?;
                date32(fields.local()?.day).map(Some)
            })
        },
    );
    let zoned = |asked: &Asked<'_>| Ok(asked.zoned());
    let from_timestamp = Timed::new(&FROM_TIMESTAMP, text, zoned, timestamps);
    let from_nanos = Timed::new(&FROM_NANOS, text, zoned, exact_timestamps);
    let to = Timed::new(
        &TO,
        |types| match types {
            [of] => Some(vec![function::time(of)?]),
            _ => None,
        },
        |_| Ok(DataType::Utf8),
        |call, _| written(call),
    );
    let all = [from_date, from_timestamp, from_nanos, to];
    all.into_iter().map(Timed::entry).collect()
}

fn timestamps(call: &Call<'_>, session: &Session<'_>) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let clock = session.clock()?;
    let mut reader = Reader::default();
    numbers::<TimestampMicrosecondType>(call, |row| {
        let Some(text) = texts.get(row) else {
            return Ok(None);
        };
        let mut rest = Rest::of(text);
        reader.clear();
        let read = date_and_time(&mut rest, &mut reader).filter(|()| rest.is_empty());
        read.ok_or_else(|| rest.malformed())?;
        let local = reader.fields.local()?;
        reader.instant(local, clock).map(Some)
    })
}

/// Reads as much as it can; if that is not all, there is no such text.
fn optional<T>(rest: &mut Rest<'_>, read: impl FnOnce(&mut Rest<'_>) -> Option<T>) -> Option<T> {
    let start = *rest;
    let found = read(rest);
    if found.is_none() {
        *rest = start;
    }
    found
}

/// `date`, `dateTtime`, `dateTtimeOffset` or `Ttime`; the time may be missing after a date.
fn date_and_time(rest: &mut Rest<'_>, reader: &mut Reader) -> Option<()> {
    let letter = |rest: &mut Rest<'_>| rest.byte(b'T').or_else(|| rest.byte(b't'));
    if letter(rest).is_some() {
        time(rest, &mut reader.fields)?;
    } else {
        date(rest, &mut reader.fields)?;
        if rest.is_empty() {
            return Some(());
        }
        letter(rest)?;
        let before = reader.fields.len();
        if optional(rest, |rest| time(rest, &mut reader.fields)).is_none() {
            reader.fields.truncate(before);
        }
    }
    if let Some(minutes) = optional(rest, |rest| rest.offset()) {
        reader.zone = Some(Zone::Offset(minutes));
    }
    Some(())
}

/// `2024`, `2024-02`, `2024-02-29`, `2024-060`, `2024-W09` or `2024-W09-4`: the form that takes
/// most of the text.
fn date(rest: &mut Rest<'_>, fields: &mut Fields) -> Option<()> {
    const YEAR: usize = 9;
    let start = *rest;
    let year = rest.number(YEAR, true)?;
    if rest.byte(b'-').is_none() {
        fields.push(Field::Year, year);
        return Some(());
    }
    if rest.byte(b'W').or_else(|| rest.byte(b'w')).is_some() {
        let week = rest.number(2, false)?;
        fields.push(Field::WeekYear, year);
        fields.push(Field::Week, week);
        let day = optional(rest, |rest| {
            rest.byte(b'-')?;
            rest.number(1, false)
        });
        if let Some(day) = day {
            fields.push(Field::DayOfWeek, day);
        }
        return Some(());
    }
    let after = *rest;
    let of_year = rest.number(3, false);
    if let Some(day) = of_year.filter(|_| rest.place == after.place + 3) {
        fields.push(Field::Year, year);
        fields.push(Field::DayOfYear, day);
        return Some(());
    }
    *rest = after;
    fields.push(Field::Year, year);
    let Some(month) = rest.number(2, false) else {
        // Only the year has its form.
        *rest = start;
        rest.number(YEAR, true)?;
        return Some(());
    };
    fields.push(Field::Month, month);
    let day = optional(rest, |rest| {
        rest.byte(b'-')?;
        rest.number(2, false)
    });
    if let Some(day) = day {
        fields.push(Field::Day, day);
    }
    Some(())
}

/// `15`, `15:04` or `15:04:05`, the last of which may have a fraction.
fn time(rest: &mut Rest<'_>, fields: &mut Fields) -> Option<()> {
    let hour = rest.number(2, false)?;
    fields.push(Field::Hour, hour);
    let more = [
        (Field::OfHour, HOUR, Field::Minute),
        (Field::OfMinute, MINUTE, Field::Second),
    ];
    for (fraction, unit, next) in more {
        if let Some(millis) = of_unit(rest, unit) {
            fields.push(fraction, millis);
            return Some(());
        }
        let value = optional(rest, |rest| {
            rest.byte(b':')?;
            rest.number(2, false)
        });
        match value {
            Some(value) => fields.push(next, value),
            None => return Some(()),
        }
    }
    if let Some(millis) = of_unit(rest, SECOND) {
        fields.push(Field::OfSecond, millis);
    }
    Some(())
}

/// A fraction of a unit, in milliseconds.
fn of_unit(rest: &mut Rest<'_>, unit: i64) -> Option<i64> {
    optional(rest, |rest| {
        rest.byte(b'.').or_else(|| rest.byte(b','))?;
        rest.fraction(9, unit / 1000)
    })
}

fn exact_timestamps(call: &Call<'_>, session: &Session<'_>) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let clock = session.clock()?;
    numbers::<TimestampMicrosecondType>(call, |row| {
        let Some(text) = texts.get(row) else {
            return Ok(None);
        };
        let mut rest = Rest::of(text);
        let read = exact(&mut rest).filter(|_| rest.is_empty());
        let exact = read.ok_or_else(|| rest.malformed())?;
        exact.instant(clock).map(Some)
    })
}

/// A complete timestamp.
#[derive(Debug, Clone, Copy)]
struct Exact {
    local: Local,
    /// Minutes east of UTC.
    offset: Option<i64>,
    zone: Option<Clock>,
}

impl Exact {
    /// # Errors
    ///
    /// The instant is out of range.
    fn instant(self, session: Clock) -> Result<i64> {
        let clock = match (self.offset, self.zone) {
            (Some(minutes), _) => zones::at_offset(minutes)?,
            (None, Some(zone)) => zone,
            (None, None) => session,
        };
        Ok(zones::instant(clock, self.local)?.0)
    }
}

/// `2024-02-29T15:04[:05[.123456789]][+02:00][[Europe/Berlin]]`; `None` for a time that does not
/// exist.
fn exact(rest: &mut Rest<'_>) -> Option<Exact> {
    let signed = matches!(rest.bytes().first(), Some(b'-' | b'+'));
    let start = rest.place + usize::from(signed);
    let year = rest.number(9, true)?;
    let long = rest.place - start;
    // More than four digits have a sign, and no others but negative ones.
    if long < 4 || (long > 4) != signed && year >= 0 {
        return None;
    }
    rest.byte(b'-')?;
    let month = rest.digits(2).filter(|month| (1..=12).contains(month))?;
    rest.byte(b'-')?;
    let most = days_in_month(year, month);
    let date = rest.digits(2).filter(|date| (1..=most).contains(date))?;
    rest.byte(b'T').or_else(|| rest.byte(b't'))?;
    let hour = rest.digits(2).filter(|hour| *hour < 24)?;
    rest.byte(b':')?;
    let minute = rest.digits(2).filter(|minute| *minute < 60)?;
    let (mut second, mut nanos) = (0, 0);
    if rest.byte(b':').is_some() {
        second = rest.digits(2).filter(|second| *second < 60)?;
        if rest.byte(b'.').is_some() {
            let before = rest.place;
            let number = rest.number(9, false).unwrap_or(0);
            let digits = rest.place - before;
            nanos = (digits..9).fold(number, |nanos, _| nanos * 10);
        }
    }
    let local = Local {
        day: days_of(year, month, date),
        time: hour * HOUR + minute * MINUTE + second * SECOND,
    };
    let offset = optional(rest, |rest| rest.offset());
    let zone = match rest.byte(b'[') {
        Some(()) => {
            let zone = rest.zone()?;
            rest.byte(b']')?;
            Some(zone)
        }
        None => None,
    };
    Some(Exact {
        local: local.later((nanos + 500) / 1000),
        offset,
        zone,
    })
}

fn written(call: &Call<'_>) -> Result<ArrayRef> {
    let times = Times::of(&call.columns[0])?;
    texts(call, |row, text| {
        let Some(local) = times.local(row) else {
            call.work.step()?;
            return Ok(false);
        };
        call.work.builds(WIDTH)?;
        let is_date = matches!(times, Times::Dates(_));
        write_date(text, local.day, is_date);
        if is_date {
            return Ok(true);
        }
        text.push('T');
        push_padded(text, local.time / HOUR, 2);
        text.push(':');
        push_padded(text, local.time / MINUTE % 60, 2);
        text.push(':');
        push_padded(text, local.time / SECOND % 60, 2);
        text.push('.');
        let micros = local.time % SECOND;
        match micros % 1000 {
            0 => push_padded(text, micros / 1000, 3),
            _ => push_padded(text, micros, 6),
        }
        if let Times::Zoned(instants, clock) = &times {
            let instant = instants.get(row).unwrap_or_default();
            write_zone(text, zones::offset(*clock, instant))?;
        }
        Ok(true)
    })
}

fn write_date(text: &mut String, day: i64, is_date: bool) {
    let (year, month, date) = date_of(day);
    if year > 9999 && !is_date {
        text.push('+');
    }
    push_padded(text, year, 4);
    text.push('-');
    push_padded(text, month, 2);
    text.push('-');
    push_padded(text, date, 2);
}

fn write_zone(text: &mut String, offset: i64) -> Result<()> {
    if offset % MINUTE != 0 {
        return Err(Error::new(
            Code::InvalidParameter,
            "the offset of the time zone has seconds, which ISO 8601 does not have",
        )
        .with_hint("use at_timezone(x, 'UTC')")
        .into());
    }
    match offset {
        0 => text.push('Z'),
        offset => write_offset(text, offset, true),
    }
    Ok(())
}
