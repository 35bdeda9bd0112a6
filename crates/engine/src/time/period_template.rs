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
            Code::InvalidParameter,
            "invalid format specification for an interval value",
        )
        .with_hint("intervals are not tied to specific calendar dates")),
    }
}

impl Fields {
    /// Writes one field. Returns whether it is a number; `None` if an interval has no such field.
    fn write(&self, out: &mut String, pattern: &str, letters: Letters, bare: bool) -> Option<bool> {
        let years = self.months / 12;
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
            "HH" | "HH12" => number(
                match self.hours % 12 {
                    0 => 12,
                    hour => hour,
                },
                2,
            ),
            "MI" => number(self.seconds / 60, 2),
            "SS" => number(self.seconds % 60, 2),
            "SSSS" | "SSSSS" => number(self.hours * 3600 + self.seconds, 0),
            "MS" => number(self.micros / 1000, narrow(self.micros / 1000, 3)),
            "US" => number(self.micros, narrow(self.micros, 6)),
            "YYYY" => number(years, 4),
            "YYY" => number(years % 1000, 3),
            "YY" => number(years % 100, 2),
            "Y" => number(years % 10, 1),
            "Y,YYY" => {
                number(years / 1000, 0);
                out.push_str(&format!(",{:03}", years.unsigned_abs() % 1000));
            }
            "CC" => number(years / 100, 2),
            "MM" => number(self.months % 12, 2),
            "DD" => number(self.days, narrow(self.days, 2)),
            "DDD" => number(self.days, narrow(self.days, 3)),
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
            ("HH24:MI:SS", (0, 0, -7384 * SECOND), "-02:-03:-04"),
            ("YYYY MM Y,YYY YY Y", (12_000, 0, 0), "1000 00 1,000 00 0"),
            ("YYYY MM YY Y CC", (-14, 0, 0), "-0001 -02 -01 -1 00"),
            ("SSSS AM", (0, 0, 5 * 3600 * SECOND), "18000 AM"),
            ("FMHH24:FMMI", (0, 0, 5 * 3600 * SECOND), "5:0"),
            ("DDth DDD \"d\"", (0, 3, 0), "03rd 003 d"),
            ("SS.MS", (0, 0, -1_500_000), "-01.-500"),
            ("DD HH24:MI", (0, -1, -7_380 * SECOND), "-1 -02:-03"),
        ] {
            assert_eq!(
                written(template, months, days, micros).unwrap(),
                expected,
                "{template}"
            );
        }
        for template in ["Month", "Day", "D", "TZ", "BC", "RM"] {
            assert!(written(template, 1, 1, 1).is_err(), "{template}");
        }
        assert!(written("YYYY DD HH24:MI:SS.US", i32::MIN, i32::MIN, i64::MIN / 1000).is_ok());
    }
}
