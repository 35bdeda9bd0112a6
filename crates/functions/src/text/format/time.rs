//! Dates and times as Java writes them.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, Timelike};

use lakegate_engine::time::{DAYS, MONTHS};

use super::values::Value;

/// `2020-01-31`, as `LocalDate.toString`.
pub(super) fn date(date: NaiveDate) -> String {
    let year = date.year();
    let (month, day) = (date.month(), date.day());
    match year {
        10_000.. => format!("+{year}-{month:02}-{day:02}"),
        0.. => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("-{:04}-{month:02}-{day:02}", year.unsigned_abs()),
    }
}

/// `10:15`, with seconds and their parts if they are not 0, as `LocalTime.toString`.
pub(super) fn time(time: NaiveTime) -> String {
    let mut text = format!("{:02}:{:02}", time.hour(), time.minute());
    let (seconds, nanos) = (time.second(), time.nanosecond());
    if seconds > 0 || nanos > 0 {
        text.push_str(&format!(":{seconds:02}"));
    }
    match nanos {
        0 => {}
        _ if nanos % 1_000_000 == 0 => text.push_str(&format!(".{:03}", nanos / 1_000_000)),
        _ if nanos % 1000 == 0 => text.push_str(&format!(".{:06}", nanos / 1000)),
        _ => text.push_str(&format!(".{nanos:09}")),
    }
    text
}

/// `2020-01-31T10:15`, as `LocalDateTime.toString`.
pub(super) fn timestamp(moment: NaiveDateTime) -> String {
    format!("{}T{}", date(moment.date()), time(moment.time()))
}

/// `Z`, `+01:00`
pub(super) fn offset(seconds: i32, separator: &str) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
}

/// A moment with a zone, as `ZonedDateTime.toString`.
pub(super) fn zoned(moment: NaiveDateTime, offset_seconds: i32, zone: &str) -> String {
    let shift = match offset_seconds {
        0 => "Z".to_owned(),
        seconds => offset(seconds, ":"),
    };
    let named = match zone.starts_with(['+', '-']) || zone == "Z" {
        true => String::new(),
        false => format!("[{zone}]"),
    };
    format!("{}{shift}{named}", timestamp(moment))
}

/// A field of a date or a time; `None` if the value does not have it or Java does not know it.
pub(super) fn field(value: &Value<'_>, field: char) -> Option<String> {
    let (date, time, zone) = match value {
        Value::Date(date) => (Some(*date), None, None),
        Value::Time(time) => (None, Some(*time), None),
        Value::Timestamp(moment) => (Some(moment.date()), Some(moment.time()), None),
        Value::Zoned(moment, name) => {
            let local = moment.naive_local();
            let shift = moment.offset().fix().local_minus_utc();
            let zone = (shift, *name, moment.timestamp_millis());
            (Some(local.date()), Some(local.time()), Some(zone))
        }
        _ => return None,
    };
    let month = || MONTHS.get(usize::try_from(date?.month0()).ok()?).copied();
    let day = || {
        let day = date?.weekday().num_days_from_monday();
        DAYS.get(usize::try_from(day).ok()?).copied()
    };
    let half = || Some(if time?.hour() < 12 { "am" } else { "pm" });
    let twelve = || Some(time?.hour12().1);
    let short = |name: &str| name.chars().take(3).collect::<String>();
    Some(match field {
        'Y' => format!("{:04}", date?.year()),
        'y' => format!("{:02}", date?.year().rem_euclid(100)),
        'C' => format!("{:02}", date?.year().div_euclid(100)),
        'm' => format!("{:02}", date?.month()),
        'd' => format!("{:02}", date?.day()),
        'e' => date?.day().to_string(),
        'j' => format!("{:03}", date?.ordinal()),
        'B' => month()?.to_owned(),
        'b' | 'h' => short(month()?),
        'A' => day()?.to_owned(),
        'a' => short(day()?),
        'H' => format!("{:02}", time?.hour()),
        'k' => time?.hour().to_string(),
        'I' => format!("{:02}", twelve()?),
        'l' => twelve()?.to_string(),
        'M' => format!("{:02}", time?.minute()),
        'S' => format!("{:02}", time?.second()),
        'L' => format!("{:03}", time?.nanosecond() / 1_000_000),
        'N' => format!("{:09}", time?.nanosecond()),
        'p' => half()?.to_owned(),
        'R' => format!("{:02}:{:02}", time?.hour(), time?.minute()),
        'T' => time?.format("%H:%M:%S").to_string(),
        'r' => format!(
            "{:02}:{:02}:{:02} {}",
            twelve()?,
            time?.minute(),
            time?.second(),
            half()?.to_uppercase()
        ),
        'D' => format!(
            "{:02}/{:02}/{:02}",
            date?.month(),
            date?.day(),
            date?.year().rem_euclid(100)
        ),
        'F' => format!(
            "{:04}-{:02}-{:02}",
            date?.year(),
            date?.month(),
            date?.day()
        ),
        'z' => offset(zone?.0, ""),
        'Z' => zone?.1.to_owned(),
        's' => zone?.2.div_euclid(1000).to_string(),
        'Q' => zone?.2.to_string(),
        'c' => format!(
            "{} {} {:02} {} {} {:04}",
            short(day()?),
            short(month()?),
            date?.day(),
            time?.format("%H:%M:%S"),
            zone?.1,
            date?.year()
        ),
        _ => return None,
    })
}
