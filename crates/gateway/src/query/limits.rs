//! What ends a query that takes too much, or whose client does not take what it asked for.
//!
//! One thread of its own looks at all queries ten times a second, so that limits hold whatever the other threads do, and for queries that
//! nobody polls. It only cancels: what a query does then is in its own file.

use std::sync::{Arc, Weak};
use std::time::Duration;

use lakegate_catalog::access::QueryLimits;
use lakegate_error::{Code, Error, Result};

use crate::query::life::{Query, RunningQueries};

const EVERY: Duration = Duration::from_millis(100);

/// What one query may take beside bytes, and who says so.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub workgroup: String,
    pub most: QueryLimits,
}

impl Limits {
    pub fn cpu_time(&self, used: Duration) -> Option<Error> {
        let most = self.most.cpu_time.filter(|most| used > *most)?;
        Some(
            Error::new(
                Code::CpuTimeLimit,
                format!(
                    "query used {} of CPU time; workgroup \"{}\" allows {}",
                    seconds(used),
                    self.workgroup,
                    seconds(most)
                ),
            )
            .with_hint(
                "join or sort less, or use a workgroup with a higher cpu_time_limit_per_query",
            ),
        )
    }

    pub fn run_time(&self, ran: Duration) -> Option<Error> {
        let most = self.most.run_time.filter(|most| ran > *most)?;
        Some(
            Error::new(
                Code::RunTimeLimit,
                format!(
                    "query ran for {}; workgroup \"{}\" allows {}",
                    seconds(ran),
                    self.workgroup,
                    seconds(most)
                ),
            )
            .with_hint("read less, or use a workgroup with a higher run_time_limit_per_query"),
        )
    }

    /// The error in the place of the first row that is too many.
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

/// Which way a client has come to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    Reading,
    Sending,
}

impl Stalled {
    pub fn error(self, time: Duration) -> Error {
        let what = match self {
            Stalled::Reading => "read",
            Stalled::Sending => "send",
        };
        Error::new(
            Code::ClientStalled,
            format!(
                "canceling statement: its client did not {what} for {}",
                seconds(time)
            ),
        )
        .with_hint("a query that runs holds a place that others may wait for; queries.max_stall is how long")
    }
}

/// Why a stream ends that its client has not read for so long.
pub fn client_stalled(time: Duration) -> Error {
    Stalled::Reading.error(time)
}

/// `60 s`, `61.2 s`, `0.05 s`.
fn seconds(time: Duration) -> String {
    let (whole, part) = (time.as_secs(), time.subsec_millis());
    let places = match whole {
        0 => 3,
        1..10 => 2,
        _ => 1,
    };
    if part == 0 {
        return format!("{whole} s");
    }
    let text = format!("{:.places$}", time.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Holds queries to their limits as long as there are any that could run.
///
/// Errors: the thread cannot be started.
pub(crate) fn watch(queries: &Arc<RunningQueries>, max_stall: Duration) -> Result<()> {
    let queries = Arc::downgrade(queries);
    std::thread::Builder::new()
        .name("lakegate-limits".to_owned())
        .spawn(move || look(&queries, max_stall))
        .map(drop)
        .map_err(|e| Error::internal(format!("the watch over queries cannot start: {e}")))
}

fn look(queries: &Weak<RunningQueries>, max_stall: Duration) {
    while let Some(queries) = queries.upgrade() {
        let running: Vec<Arc<Query>> = queries.all();
        drop(queries);
        for query in running {
            if let Some(error) = query.exceeded(max_stall) {
                query.cancel(error);
            }
        }
        std::thread::sleep(EVERY);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_told_as_exactly_as_they_matter() {
        for (milliseconds, told) in [
            (60_000, "60 s"),
            (61_234, "61.2 s"),
            (9_999, "10 s"),
            (1_500, "1.5 s"),
            (1_234, "1.23 s"),
            (50, "0.05 s"),
            (0, "0 s"),
            (100_004, "100 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), told);
        }
    }

    #[test]
    fn errors_name_the_figure_the_limit_and_the_workgroup() {
        let limits = Limits {
            workgroup: "small".to_owned(),
            most: QueryLimits {
                cpu_time: Some(Duration::from_secs(60)),
                run_time: Some(Duration::from_secs(600)),
                rows_returned: Some(10),
            },
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
            limits.rows_returned(10).message(),
            "query returns more than 10 rows; workgroup \"small\" allows 10"
        );
        let none = Limits::default();
        assert!(none.cpu_time(Duration::MAX).is_none() && none.run_time(Duration::MAX).is_none());
    }
}
