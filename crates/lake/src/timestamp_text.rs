//! A time as text, as PostgreSQL writes it: `2000-01-01 10:00:00.5`, and with a zone
//! `2000-01-01 10:00:00.5+02`.

use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// Writes a time in microseconds since 1970, with the seconds that a clock shows it east of UTC, if
/// it has a zone; `None` if the calendar ends before it.
pub fn write_timestamp(text: &mut String, micros: i64, offset: Option<i32>) -> Option<()> {
    let shown = micros.checked_add(i64::from(offset.unwrap_or(0)) * 1_000_000)?;
    let local = DateTime::from_timestamp_micros(shown)?.naive_utc();
    write_local(text, &local).ok()?;
    if let Some(offset) = offset {
        write_offset(text, offset).ok()?;
    }
    if local.year() <= 0 {
        text.push_str(" BC");
    }
    Some(())
}

fn write_local(text: &mut String, local: &NaiveDateTime) -> std::fmt::Result {
    // The year before 1 is 1 BC.
    let year = match local.year() {
        year if year <= 0 => 1 - year,
        year => year,
    };
    write!(
        text,
        "{year:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    )?;
    let micros = local.nanosecond() / 1000;
    if micros > 0 {
        let digits = format!("{micros:06}");
        write!(text, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

/// `+02`, `+05:30`, and seconds where a zone of old has them.
fn write_offset(text: &mut String, seconds: i32) -> std::fmt::Result {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = (
        seconds.abs() / 3600,
        seconds.abs() / 60 % 60,
        seconds.abs() % 60,
    );
    write!(text, "{sign}{hours:02}")?;
    if minutes > 0 || rest > 0 {
        write!(text, ":{minutes:02}")?;
    }
    if rest > 0 {
        write!(text, ":{rest:02}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(micros: i64, offset: Option<i32>) -> String {
        let mut text = String::new();
        write_timestamp(&mut text, micros, offset).unwrap();
        text
    }

    #[test]
    fn timestamps_are_written_as_postgres_writes_them() {
        assert_eq!(shown(0, None), "1970-01-01 00:00:00");
        assert_eq!(shown(500_000, None), "1970-01-01 00:00:00.5");
        assert_eq!(shown(-1, None), "1969-12-31 23:59:59.999999");
        assert_eq!(
            shown(253_402_300_799_999_999, None),
            "9999-12-31 23:59:59.999999"
        );
        assert_eq!(shown(253_402_300_800_000_000, None), "10000-01-01 00:00:00");
        assert_eq!(shown(-62_135_596_800_000_000, None), "0001-01-01 00:00:00");
        assert_eq!(
            shown(-62_135_596_800_000_001, None),
            "0001-12-31 23:59:59.999999 BC"
        );
        assert_eq!(shown(0, Some(0)), "1970-01-01 00:00:00+00");
        assert_eq!(shown(0, Some(19_800)), "1970-01-01 05:30:00+05:30");
        assert_eq!(shown(0, Some(-28_800)), "1969-12-31 16:00:00-08");
    }
}
