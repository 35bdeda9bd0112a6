//! Processor time of a server's threads.

use std::fs;
use std::time::{Duration, Instant};

use super::Server;

/// Linux counts the time of threads in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// The interval over which threads are watched.
const WINDOW: Duration = Duration::from_millis(250);

impl Server {
    /// Returns the processor time so far of the threads that plan queries and run them.
    pub(crate) fn worked(&self) -> Duration {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid())) else {
            return Duration::ZERO;
        };
        let ticks: u32 = tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("stat")).ok())
            .filter_map(|stat| {
                // pid (name) state …, and the times are the 12th and 13th after the name.
                let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
                let counts = ["lakegate-query", "lakegate-catal", "lakegate-plan"];
                counts
                    .iter()
                    .any(|count| name.starts_with(count))
                    .then_some(())?;
                let fields: Vec<&str> = rest.split_whitespace().collect();
                let time = |index: usize| fields.get(index)?.parse::<u32>().ok();
                Some(time(11)? + time(12)?)
            })
            .sum();
        TICK * ticks
    }

    /// Waits until these threads are idle. Returns the processor time that they have used until
    /// then, which other processes on the machine do not lengthen.
    pub(crate) async fn quiet(&self) -> Duration {
        let (start, at_first) = (Instant::now(), self.worked());
        loop {
            let before = self.worked();
            tokio::time::sleep(WINDOW).await;
            // The tests themselves query the states of queries.
            if self.worked().saturating_sub(before) <= 4 * TICK {
                return before.saturating_sub(at_first);
            }
            assert!(
                start.elapsed() < super::PATIENCE,
                "threads still work\n{}",
                self.log()
            );
        }
    }
}
