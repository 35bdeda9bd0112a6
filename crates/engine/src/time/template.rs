//! The templates of PostgreSQL's `to_char` for times: `YYYY-MM-DD HH24:MI:SS.MS`,
//! `FMDay, DDth Month`.

use super::SECOND;
use super::calendar::{date_of, days_of, iso_week, split, weekday};

/// The English names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The English names of the days of a week, from Monday.
pub const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
pub(super) const ROMAN: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];

/// Patterns in upper case. A prefix of another pattern comes after it.
const PATTERNS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2",
    "FF3", "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY",
    "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS", "OF", "P.M.", "PM", "Q", "RM", "SSSSS",
    "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
];

/// A time as its clock shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Microseconds since 1970.
    pub time: i64,
    /// Seconds east of UTC.
    pub offset: i32,
    /// The zone's abbreviation at that time; empty without a zone.
    pub zone: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Upper,
    Lower,
    Capital,
}

/// Returns the pattern that a text begins with, and its letter case.
pub(super) fn pattern(text: &str) -> Option<(&'static str, Letters)> {
    PATTERNS.iter().find_map(|pattern| {
        let written = text.get(..pattern.len())?;
        if written == *pattern {
            return Some((*pattern, Letters::Upper));
        }
        // Patterns such as `FF1` contain digits, too.
        if written.eq_ignore_ascii_case(pattern) && written == pattern.to_ascii_lowercase() {
            return Some((*pattern, Letters::Lower));
        }
        let capital = matches!(*pattern, "MONTH" | "MON" | "DAY" | "DY")
            && written.get(..1) == pattern.get(..1)
            && written.get(1..) == pattern.to_ascii_lowercase().get(1..);
        capital.then_some((*pattern, Letters::Capital))
    })
}

/// Strips a prefix that suppresses padding with blanks and zeros.
pub(super) fn fills(text: &str) -> Option<&str> {
    let found = ["FM", "fm", "TM", "tm"];
    found.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// Writes a time by a template.
pub(super) fn write(out: &mut String, template: &str, shown: &Shown<'_>) {
    write_fields(out, template, |out, pattern, letters, bare| {
        write_field(out, pattern, letters, bare, shown)
    });
}

/// Writes a template, whose fields `field` writes: given the pattern, its letter case and whether
/// padding is suppressed. It returns whether the field is a number.
pub(super) fn write_fields(
    out: &mut String,
    template: &str,
    mut field: impl FnMut(&mut String, &'static str, Letters, bool) -> bool,
) {
    let mut rest = template;
    while !rest.is_empty() {
        let (bare, after) = match fills(rest) {
            Some(after) => (true, after),
            None => (false, rest),
        };
        if let Some((found, letters)) = pattern(after) {
            rest = after.get(found.len()..).unwrap_or_default();
            let start = out.len();
            let is_number = field(out, found, letters, bare);
            for (suffix, upper) in [("TH", true), ("th", false), ("SP", true)] {
                if let Some(after) = rest.strip_prefix(suffix) {
                    rest = after;
                    if is_number && suffix != "SP" {
                        let ordinal = ordinal(out.get(start..).unwrap_or_default(), upper);
                        out.push_str(ordinal);
                    }
                    break;
                }
            }
            continue;
        }
        let Some(next) = after.chars().next() else {
            return;
        };
        rest = after.get(next.len_utf8()..).unwrap_or_default();
        match next {
            '"' => rest = quoted(out, rest),
            '\\' if rest.starts_with('"') => {
                out.push('"');
                rest = rest.get(1..).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
}

/// Writes quoted text and returns what follows it.
fn quoted<'a>(out: &mut String, text: &'a str) -> &'a str {
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return text.get(at + 1..).unwrap_or_default(),
            '\\' => match chars.next() {
                Some((_, escaped)) => out.push(escaped),
                None => return "",
            },
            other => out.push(other),
        }
    }
    ""
}

fn ordinal(number: &str, upper: bool) -> &'static str {
    let mut digits = number.bytes().rev().map(|byte| byte.wrapping_sub(b'0'));
    let (last, before) = (digits.next(), digits.next());
    let which = match (last, before) {
        (_, Some(1)) => 0,
        (Some(last @ 1..=3), _) => usize::from(last),
        _ => 0,
    };
    let names = match upper {
        true => ["TH", "ST", "ND", "RD"],
        false => ["th", "st", "nd", "rd"],
    };
    names.get(which).copied().unwrap_or("th")
}

/// Writes one field. Returns whether it is a number, which an ordinal suffix may follow.
fn write_field(
    out: &mut String,
    pattern: &str,
    letters: Letters,
    bare: bool,
    shown: &Shown<'_>,
) -> bool {
    let (day, time) = split(shown.time);
    let (year, month, date) = date_of(day);
    let (seconds, micros) = (time / SECOND, time % SECOND);
    let hour = seconds / 3600;
    // The year before 1 is 1 BC.
    let counted = |year: i64| if year > 0 { year } else { 1 - year };
    let mut number = |value: i64, width: usize| {
        let width = if bare { 0 } else { width };
        // A minus sign does not count as a digit.
        match value < 0 {
            true => out.push_str(&format!("-{:0width$}", value.unsigned_abs())),
            false => out.push_str(&format!("{value:0width$}")),
        }
        true
    };
    let (iso_year, iso) = iso_week(day);
    let of_year = day - days_of(year, 1, 1) + 1;
    match pattern {
        "HH24" => number(hour, 2),
        "HH" | "HH12" => number((hour + 11) % 12 + 1, 2),
        "MI" => number(seconds / 60 % 60, 2),
        "SS" => number(seconds % 60, 2),
        "SSSS" | "SSSSS" => number(seconds, 0),
        "Y,YYY" => {
            let year = counted(year);
            out.push_str(&format!("{},{:03}", year / 1000, year % 1000));
            true
        }
        "YYYY" => number(counted(year), 4),
        "YYY" => number(counted(year) % 1000, 3),
        "YY" => number(counted(year) % 100, 2),
        "Y" => number(counted(year) % 10, 1),
        "IYYY" => number(counted(iso_year), 4),
        "IYY" => number(counted(iso_year) % 1000, 3),
        "IY" => number(counted(iso_year) % 100, 2),
        "I" => number(counted(iso_year) % 10, 1),
        "CC" => number(
            if year > 0 {
                (year - 1) / 100 + 1
            } else {
                year / 100 - 1
            },
            2,
        ),
        "Q" => number((month - 1) / 3 + 1, 0),
        "MM" => number(month, 2),
        "DDD" => number(of_year, 3),
        "DD" => number(date, 2),
        "D" => number((weekday(day) + 1) % 7 + 1, 0),
        "IDDD" => number((iso - 1) * 7 + weekday(day) + 1, 3),
        "ID" => number(weekday(day) + 1, 0),
        "WW" => number((of_year - 1) / 7 + 1, 2),
        "W" => number((date - 1) / 7 + 1, 0),
        "IW" => number(iso, 2),
        "J" => number(day + 2_440_588, 0),
        "MS" => {
            out.push_str(&format!("{:03}", micros / 1000));
            true
        }
        "US" => {
            out.push_str(&format!("{micros:06}"));
            true
        }
        "FX" => false,
        _ => {
            write_name(out, pattern, letters, bare, shown);
            pattern.starts_with("FF")
        }
    }
}

/// Writes fields that are not numbers: names, halves of the day, offsets, and digits of a fraction.
fn write_name(out: &mut String, pattern: &str, letters: Letters, bare: bool, shown: &Shown<'_>) {
    let (day, time) = split(shown.time);
    let (year, month, _) = date_of(day);
    let month = usize::try_from(month - 1).unwrap_or_default();
    let weekday = usize::try_from(weekday(day)).unwrap_or_default();
    let named = |names: &[&'static str], at: usize| names.get(at).copied().unwrap_or_default();
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let half = if time >= 43_200 * SECOND { "PM" } else { "AM" };
    let dotted = if time >= 43_200 * SECOND {
        "P.M."
    } else {
        "A.M."
    };
    let (name, width) = match pattern {
        "MONTH" => (named(&MONTHS, month), 9),
        "MON" => (short(named(&MONTHS, month)), 0),
        "DAY" => (named(&DAYS, weekday), 9),
        "DY" => (short(named(&DAYS, weekday)), 0),
        "RM" => (named(&ROMAN, month), 4),
        "AM" | "PM" => (half, 0),
        "A.M." | "P.M." => (dotted, 0),
        "AD" | "BC" => (if year > 0 { "AD" } else { "BC" }, 0),
        "A.D." | "B.C." => (if year > 0 { "A.D." } else { "B.C." }, 0),
        "TZ" => (shown.zone, 0),
        other => return write_part(out, other, shown),
    };
    let name = match letters {
        Letters::Upper => name.to_uppercase(),
        Letters::Lower => name.to_lowercase(),
        Letters::Capital => name.to_owned(),
    };
    let width = if bare { 0 } else { width };
    out.push_str(&format!("{name:width$}"));
}

/// Writes an offset, or digits of a fraction.
fn write_part(out: &mut String, pattern: &str, shown: &Shown<'_>) {
    let sign = if shown.offset < 0 { '-' } else { '+' };
    let minutes = shown.offset.unsigned_abs() / 60;
    match pattern {
        "OF" => {
            out.push_str(&format!("{sign}{:02}", minutes / 60));
            if !minutes.is_multiple_of(60) {
                out.push_str(&format!(":{:02}", minutes % 60));
            }
        }
        "TZH" => out.push_str(&format!("{sign}{:02}", minutes / 60)),
        "TZM" => out.push_str(&format!("{:02}", minutes % 60)),
        fraction => {
            let digits = fraction
                .strip_prefix("FF")
                .and_then(|digits| digits.parse().ok());
            let micros = format!("{:06}", split(shown.time).1 % SECOND);
            out.push_str(micros.get(..digits.unwrap_or(6)).unwrap_or(&micros));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::calendar::DAY;

    fn written(template: &str, (year, month, day): (i64, i64, i64), micros: i64) -> String {
        let shown = Shown {
            time: days_of(year, month, day) * DAY + micros,
            offset: 19_800,
            zone: "IST",
        };
        let mut out = String::new();
        write(&mut out, template, &shown);
        out
    }

    #[test]
    fn templates_are_those_of_postgres() {
        let afternoon = (18 * 3600 + 34 * 60 + 5) * SECOND + 67_000;
        let morning = (4 * 60 + 5) * SECOND;
        for (template, date, micros, expected) in [
            (
                "YYYY-MM-DD\"T\"HH24:MI:SS.MS US FF1 FF3 FF6 ff2",
                (2024, 7, 1),
                afternoon,
                "2024-07-01T18:34:05.067 067000 0 067 067000 06",
            ),
            (
                "tzh|TZH|tzm|TZM|TZ|tz|OF|of|Tz",
                (2024, 7, 1),
                afternoon,
                "+05|+05|30|30|IST|ist|+05:30|+05:30|Tz",
            ),
            (
                "YYYY Y,YYY YYY YY Y BC B.C. bc ad CC J Q WW W IW IYYY IYY IY I IDDD ID D DDD DD",
                (-43, 3, 5),
                morning,
                "0044 0,044 044 44 4 BC B.C. bc bc -01 1705418 1 10 1 10 0044 044 44 4 065 2 3 064 05",
            ),
            (
                "Month|MONTH|month|Mon|MON|mon|Day|DAY|day|Dy|DY|dy|RM|rm|FMMonth|FMDay|FMDD|FMRM|FMMM/FMDD|FMHH12:MI AM|HH12 a.m. P.M. pm|SSSS|SSSSS",
                (2024, 3, 5),
                morning,
                "March    |MARCH    |march    |Mar|MAR|mar|Tuesday  |TUESDAY  |tuesday  |Tue|TUE|tue|III |iii |March|Tuesday|5|III|3/5|12:04 AM|12 a.m. A.M. am|245|245",
            ),
            (
                "DDth DDTH FMDDth MMth HH24th YYYYth Mi mI HH24MISS yyyymmdd Yyyy \\YYYY \"Y\\\"Y\" dd\"D\"D'",
                (2024, 3, 5),
                morning,
                "05th 05TH 5th 03rd 00th 2024th M4 m4 000405 20240305 4024 \\2024 Y\"Y 05D3'",
            ),
            (
                "SP DDSP|TMMonth|FXDD|WWth|äYYYY|  YYYY",
                (1850, 7, 1),
                morning,
                "SP 01|July|01|26th|ä1850|  1850",
            ),
            (
                "YYYY|FMYYYY|YYY|Y,YYY|IYYY",
                (12_024, 3, 5),
                morning,
                "12024|12024|024|12,024|12024",
            ),
        ] {
            assert_eq!(written(template, date, micros), expected, "{template}");
        }
        assert_eq!(written("TMM TMON FMx FM", (2024, 1, 1), 0), "M ON x ");
        assert_eq!(written("\"open", (2024, 1, 1), 0), "open");
        assert_eq!(written("YYYY\\", (2024, 1, 1), 0), "2024\\");
    }
}
