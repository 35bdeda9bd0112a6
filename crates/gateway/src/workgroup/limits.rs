//! The limits of a workgroup, as they apply to one query.

use std::time::Duration;

use lakegate_catalog::access::{QueryLimits, Workgroup};
use lakegate_error::{Code, Error};
use lakegate_lake::meter::{Cutoff, QueryMeter};

/// The limits of a workgroup for one query.
#[derive(Debug, Clone, Default)]
pub struct WorkgroupLimits {
    pub workgroup: String,
    /// The maximum number of bytes that the query may scan.
    pub bytes_scanned: Option<u64>,
    pub per_query: QueryLimits,
    /// The maximum age of a result that the query may reuse although files have changed.
    pub max_staleness: Duration,
}

impl WorkgroupLimits {
    pub fn of(workgroup: &Workgroup) -> Self {
        Self {
            workgroup: workgroup.name.clone(),
            bytes_scanned: workgroup.bytes_scanned_cutoff_per_query,
            per_query: workgroup.limits,
            max_staleness: workgroup.max_staleness,
        }
    }

    /// Returns limits that restrict nothing and allow no stale results, for a workgroup of this
    /// name.
    pub fn none(workgroup: &str) -> Self {
        Self {
            workgroup: workgroup.to_owned(),
            ..Self::default()
        }
    }

    /// Returns a meter that stops the query at the workgroup's cutoff.
    pub fn meter(&self) -> QueryMeter {
        QueryMeter::new(self.bytes_scanned.map(|limit| Cutoff {
            workgroup: self.workgroup.clone(),
            limit,
        }))
    }

    /// Returns an error if `used` exceeds the CPU time limit.
    pub fn cpu_time(&self, used: Duration) -> Option<Error> {
        let most = self.per_query.cpu_time.filter(|most| used > *most)?;
        Some(
            Error::new(
                Code::CpuTimeLimit,
                format!(
                    "query used {} of CPU time; workgroup \"{}\" allows {}",
                    seconds(rounded_up(used)),
                    self.workgroup,
                    seconds(most)
                ),
            )
            .with_hint(
                "join or sort less, or use a workgroup with a higher cpu_time_limit_per_query",
            ),
        )
    }

    /// Returns an error if `ran` exceeds the run time limit. Time spent in queues does not count.
    pub fn run_time(&self, ran: Duration) -> Option<Error> {
        let most = self.per_query.run_time.filter(|most| ran > *most)?;
        Some(
            Error::new(
                Code::RunTimeLimit,
                format!(
                    "query ran for {}; workgroup \"{}\" allows {}",
                    seconds(rounded_up(ran)),
                    self.workgroup,
                    seconds(most)
                ),
            )
            .with_hint("read less, or use a workgroup with a higher run_time_limit_per_query"),
        )
    }

    /// Returns an error if `written` exceeds the limit of bytes that a query may write.
    pub fn bytes_written(&self, written: u64) -> Option<Error> {
        let most = self
            .per_query
            .bytes_written
            .filter(|most| written > *most)?;
        Some(
            Error::new(
                Code::BytesWrittenLimit,
                format!(
                    "query wrote more than {most} bytes; workgroup \"{}\" allows {most}",
                    self.workgroup
                ),
            )
            .with_hint(
                "write fewer rows or columns, or use a workgroup with a higher bytes_written_limit_per_query",
            ),
        )
    }

    /// Returns the error that a client receives in place of the first row after `most`.
    pub fn rows_returned(&self, most: u64) -> Error {
        Error::new(
            Code::RowsReturnedLimit,
            format!(
                "query returns more than {most} rows; workgroup \"{}\" allows {most}",
                self.workgroup
            ),
        )
        .with_hint(
            "add LIMIT or aggregate, or use a workgroup with a higher rows_returned_limit_per_query",
        )
    }
}

/// Returns how many digits of the fraction of a second are shown.
fn places(time: Duration) -> usize {
    match time.as_secs() {
        0 => 3,
        1..10 => 2,
        _ => 1,
    }
}

/// Rounds up to the digits that [`seconds`] shows, so that a time above a limit is not shown as
/// the limit itself.
fn rounded_up(time: Duration) -> Duration {
    let unit = match places(time) {
        3 => Duration::from_millis(1),
        2 => Duration::from_millis(10),
        _ => Duration::from_millis(100),
    };
    let over = time.as_nanos() % unit.as_nanos();
    match u64::try_from(over) {
        Ok(over @ 1..) => time.saturating_add(unit.saturating_sub(Duration::from_nanos(over))),
        _ => time,
    }
}

/// Formats a duration as `60 s`, `61.2 s` or `0.05 s`.
pub(crate) fn seconds(time: Duration) -> String {
    let (whole, part) = (time.as_secs(), time.subsec_millis());
    let places = places(time);
    if part == 0 {
        return format!("{whole} s");
    }
    let text = format!("{:.places$}", time.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_shown_as_exactly_as_they_matter() {
        for (milliseconds, shown) in [
            (60_000, "60 s"),
            (61_234, "61.2 s"),
            (9_999, "10 s"),
            (1_500, "1.5 s"),
            (1_234, "1.23 s"),
            (50, "0.05 s"),
            (0, "0 s"),
            (100_004, "100 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), shown);
        }
        for (microseconds, shown) in [
            (300_000, "0.3 s"),
            (300_001, "0.301 s"),
            (1_230_001, "1.24 s"),
            (60_000_001, "60.1 s"),
        ] {
            let time = Duration::from_micros(microseconds);
            assert_eq!(seconds(rounded_up(time)), shown);
        }
    }

    #[test]
    fn errors_name_the_figure_the_limit_and_the_workgroup() {
        let limits = WorkgroupLimits {
            workgroup: "small".to_owned(),
            per_query: QueryLimits {
                cpu_time: Some(Duration::from_secs(60)),
                run_time: Some(Duration::from_secs(600)),
                rows_returned: Some(10),
                bytes_written: Some(1_000),
            },
            ..WorkgroupLimits::default()
        };
        assert!(limits.cpu_time(Duration::from_secs(60)).is_none());
        assert_eq!(
            limits
                .cpu_time(Duration::from_millis(61_200))
                .unwrap()
                .message(),
            "query used 61.2 s of CPU time; workgroup \"small\" allows 60 s"
        );
        assert_eq!(
            limits.run_time(Duration::from_secs(601)).unwrap().message(),
            "query ran for 601 s; workgroup \"small\" allows 600 s"
        );
        assert_eq!(
            limits
                .run_time(Duration::from_micros(600_000_001))
                .unwrap()
                .message(),
            "query ran for 600.1 s; workgroup \"small\" allows 600 s"
        );
        assert_eq!(
            limits.rows_returned(10).message(),
            "query returns more than 10 rows; workgroup \"small\" allows 10"
        );
        assert!(limits.bytes_written(1_000).is_none());
        assert_eq!(
            limits.bytes_written(1_001).unwrap().message(),
            "query wrote more than 1000 bytes; workgroup \"small\" allows 1000"
        );
        let none = WorkgroupLimits::default();
        assert!(none.cpu_time(Duration::MAX).is_none() && none.run_time(Duration::MAX).is_none());
    }
}
