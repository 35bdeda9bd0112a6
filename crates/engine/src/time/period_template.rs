//! Intervals by the templates of PostgreSQL's `to_char`: `HH24:MI:SS`, `YYYY-MM-DD`.

use arrow::datatypes::IntervalMonthDayNano;
use lakegate_error::{Code, Error};

use super::SECOND;
use super::template::{Letters, write_fields};

/// The fields of an interval, each with its own sign.
struct Fields {
    months: i64,
    days: i64,
    hours: i64,
    /// Seconds without the hours.
    seconds: i64,
    micros: i64,
}

/// Writes an interval by a template.
///
/// # Errors
///
/// The template has a field that an interval does not have, such as the name of a month.
pub(super) fn write_period(
    out: &mut String,
    template: &str,
    period: IntervalMonthDayNano,
) -> Result<(), Error> {
    let micros = period.nanoseconds / 1000;
    let seconds = micros / SECOND;
    let fields = Fields {
        months: i64::from(period.months),
        days: i64::from(period.days),
        hours: seconds / 3600,
        seconds: seconds % 3600,
        micros: micros % SECOND,
    };
    let mut unknown = false;
    write_fields(out, template, |out, pattern, letters, bare| {
        let known = fields.write(out, pattern, letters, bare);
        unknown |= known.is_none();
        known.unwrap_or_default()
    });
    match unknown {
        false => Ok(()),
        true => Err(Error::new(
            Code::InvalidDatetime,
            "invalid format specification for an interval value",
        )
        .with_hint("intervals are not tied to specific calendar dates")),
    }
}

/// The months, of which negative ones count from the end.
const NUMERALS: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];

impl Fields {
    fn all_days(&self) -> i64 {
        self.months * 30 + self.days
    }

    /// Returns the month as a Roman numeral. Whole years end with the last month, or before the
    /// first one; no months have none.
    fn numeral(&self) -> &'static str {
        let index = match self.months % 12 {
            0 if self.months == 0 => return "",
            0 if self.months > 0 => 11,
            0 => 0,
            month => (month - i64::from(month > 0)).rem_euclid(12),
        };
        let index = usize::try_from(index).unwrap_or_default();
        NUMERALS.get(index).copied().unwrap_or_default()
    }

    /// Writes one field. Returns whether it is a number; `None` if an interval has no such field.
    fn write(&self, out: &mut String, pattern: &str, letters: Letters, bare: bool) -> Option<bool> {
        let years = self.months / 12;
        // Fractions of a second have all their digits.
        let bare = bare && !pattern.starts_with("FF") && !matches!(pattern, "MS" | "US");
        // A minus sign is not one of the digits.
        let mut number = |value: i64, width: usize| {
            let width = if bare { 0 } else { width };
            if value < 0 {
                out.push('-');
            }
            out.push_str(&format!("{:0width$}", value.unsigned_abs()));
        };
        // A few fields count it as one.
        let narrow = |value: i64, width: usize| width - usize::from(value < 0);
        match pattern {
            "HH24" => number(self.hours, 2),
            "HH" | "HH12" => match self.hours % 12 {
                // The sign, which the width is for, is lost.
                0 if self.hours < 0 => number(12, 3),
                0 => number(12, 2),
                hour => number(hour, 2),
            },
            "MI" => number(self.seconds / 60, 2),
            "SS" => number(self.seconds % 60, 2),
            "SSSS" | "SSSSS" => number(self.hours * 3600 + self.seconds, 0),
            "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let digits = pattern
                    .bytes()
                    .next_back()
                    .map_or(6, |digit| digit.wrapping_sub(b'0'));
                let unit = 10_i64.pow(6_u32.saturating_sub(u32::from(digits)));
                let value = self.micros / unit;
                number(value, narrow(value, usize::from(digits)));
            }
            "MS" => number(self.micros / 1000, narrow(self.micros / 1000, 3)),
            "US" => number(self.micros, narrow(self.micros, 6)),
            "YYYY" => number(years, 4),
            "YYY" => number(years % 1000, 3),
            "YY" => number(years % 100, 2),
            "Y" => number(years % 10, 1),
            "Y,YYY" => {
                number(years / 1000, 0);
                out.push_str(&format!(",{:03}", years % 1000));
            }
            "CC" => number(years / 100, 2),
            "MM" => number(self.months % 12, 2),
            "DD" => number(self.days, narrow(self.days, 2)),
            // A month has 30 days.
            "DDD" => number(self.all_days(), narrow(self.all_days(), 3)),
            "WW" => {
                let week = (self.all_days() - 1) / 7 + 1;
                number(week, narrow(week, 2));
            }
            "W" => number((self.days - 1) / 7 + 1, 1),
            "Q" => match self.months % 12 {
                0 => return Some(false),
                month => number((month - 1) / 3 + 1, 1),
            },
            "RM" => {
                let numeral = self.numeral();
                if numeral.is_empty() {
                    return Some(false);
                }
                let padded = match bare {
                    true => numeral.to_owned(),
                    false => format!("{numeral:<4}"),
                };
                out.push_str(&match letters {
                    Letters::Lower => padded.to_lowercase(),
                    _ => padded,
                });
                return Some(false);
            }
            "AM" | "PM" | "A.M." | "P.M." => {
                let half = if self.hours % 24 >= 12 { "P" } else { "A" };
                let text = match pattern.contains('.') {
                    true => format!("{half}.M."),
                    false => format!("{half}M"),
                };
                out.push_str(&match letters {
                    Letters::Lower => text.to_lowercase(),
                    _ => text,
                });
                return Some(false);
            }
            "FX" => return Some(false),
            _ => return None,
        }
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(template: &str, months: i32, days: i32, micros: i64) -> Result<String, Error> {
        let mut out = String::new();
        let period = IntervalMonthDayNano::new(months, days, micros * 1000);
        write_period(&mut out, template, period).map(|()| out)
    }

    // Expected texts: PostgreSQL 15.
    #[test]
    fn intervals_are_written_as_postgres_writes_them() {
        let time = (4 * 3600 + 5 * 60 + 6) * SECOND + 789_000;
        for (template, (months, days, micros), expected) in [
            (
                "YYYY-MM-DD HH24:MI:SS.MS US",
                (14, 3, time),
                "0001-02-03 04:05:06.789 789000",
            ),
            ("HH24:MI:SS", (0, 0, 100 * 3600 * SECOND), "100:00:00"),
            ("HH:MI HH12", (0, 0, 100 * 3600 * SECOND), "04:00 04"),
            ("HH|HH12|FMHH", (0, 0, -12 * 3600 * SECOND), "012|012|12"),
            ("HH|HH24", (0, 0, -13 * 3600 * SECOND), "-01|-13"),
            ("HH24:MI:SS", (0, 0, -7384 * SECOND), "-02:-03:-04"),
            ("YYYY MM Y,YYY YY Y", (12_000, 0, 0), "1000 00 1,000 00 0"),
            ("YYYY MM YY Y CC", (-14, 0, 0), "-0001 -02 -01 -1 00"),
            ("SSSS AM", (0, 0, 5 * 3600 * SECOND), "18000 AM"),
            ("FMHH24:FMMI", (0, 0, 5 * 3600 * SECOND), "5:0"),
            ("DDth DDD \"d\"", (0, 3, 0), "03rd 003 d"),
            (
                "DDD WW W Q RM|rm|FMRM",
                (14, 3, 0),
                "423 61 1 1 II  |ii  |II",
            ),
            (
                "DDD WW W Q RM Y,YYY",
                (-14, -3, 0),
                "-423 -59 1 0 XI   0,-01",
            ),
            ("DDD Q|FMRM", (12, 0, 0), "360 |XII"),
            ("DDD Q|FMRM", (-12, -1, 0), "-361 |I"),
            ("DDD WW RM|", (0, 0, 0), "000 01 |"),
            ("FF1 FF3 FF6", (0, 0, time), "7 789 789000"),
            ("FMSS.FMMS FMUS|FMFF3", (0, 0, 5_000), "0.005 005000|005"),
            ("FF1 FF3 FF6", (0, 0, -10_000), "0 -10 -10000"),
            ("FF1 FF3 FF6", (0, 0, -500), "0 000 -00500"),
            ("SS.MS", (0, 0, -1_500_000), "-01.-500"),
            ("DD HH24:MI", (0, -1, -7_380 * SECOND), "-1 -02:-03"),
        ] {
            assert_eq!(
                written(template, months, days, micros).unwrap(),
                expected,
                "{template}"
            );
        }
        for template in ["Month", "Day", "D", "TZ", "BC", "IYYY"] {
            assert!(written(template, 1, 1, 1).is_err(), "{template}");
        }
        assert!(written("YYYY DD HH24:MI:SS.US", i32::MIN, i32::MIN, i64::MIN / 1000).is_ok());
    }
}
