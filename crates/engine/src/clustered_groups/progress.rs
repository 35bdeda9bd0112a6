//! What a partition has seen, and whether it returns its groups.

/// How many times the rows of the first half of the groups all of them may have, where each group
/// takes about as many rows as those before it: twice as many, and some more.
const LINEAR: f64 = 2.2;

/// The groups that are returned early for each row, at most.
const MOST_RETURNED: f64 = 0.75;

/// What a partition has seen since its table was empty.
#[derive(Debug)]
pub(super) struct Progress {
    /// Rows of a batch, after each of which the memory of the table is known.
    batch: usize,
    /// Rows that were added.
    rows: usize,
    /// Rows that had been added when the table had half of its memory; `None` before.
    half: Option<usize>,
    /// Rows that were added before groups were returned the last time, and these groups.
    last: Option<(usize, usize)>,
    /// Whether groups are returned early, as far as is known.
    is_on: bool,
}

impl Progress {
    /// `batch`: rows of a batch.
    pub(super) fn new(batch: usize) -> Self {
        Self {
            batch,
            rows: 0,
            half: None,
            last: None,
            is_on: true,
        }
    }

    /// Notes that rows were added.
    pub(super) fn added(&mut self, rows: usize) {
        self.rows = self.rows.saturating_add(rows);
    }

    /// Notes that groups were returned.
    pub(super) fn returned(&mut self, groups: usize) {
        if let Some((_, returned)) = &mut self.last {
            *returned = returned.saturating_add(groups);
        }
    }

    /// Notes that the table has half of its memory.
    pub(super) fn half(&mut self) {
        if self.is_on && self.half.is_none() {
            self.half = Some(self.rows);
        }
    }

    /// Returns whether groups are to be returned, when the table has all of its memory. If not, they
    /// never are.
    pub(super) fn is_full(&mut self) -> bool {
        let is_linear = self.half.is_some_and(|half| {
            let most = half as f64 * LINEAR + self.batch as f64;
            self.rows as f64 <= most
        });
        let pays = self
            .last
            .is_none_or(|(rows, returned)| returned as f64 <= rows as f64 * MOST_RETURNED);
        self.is_on &= is_linear && pays;
        if self.is_on {
            self.last = Some((self.rows, 0));
            self.rows = 0;
            self.half = None;
        }
        self.is_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 100;

    /// Adds rows until a table of `most` groups is full, and returns whether groups are returned.
    /// `groups`: how many groups so many rows have.
    fn fill(progress: &mut Progress, most: f64, groups: impl Fn(f64) -> f64) -> bool {
        let mut rows = 0;
        loop {
            progress.added(BATCH);
            rows += BATCH;
            let found = groups(rows as f64);
            if found > most {
                let is_full = progress.is_full();
                progress.returned(found as usize);
                return is_full;
            }
            if found > most / 2.0 {
                progress.half();
            }
        }
    }

    #[test]
    fn groups_that_come_as_they_came_are_returned() {
        for rows_of_group in [1.5, 2.0, 4.0, 50.0] {
            let mut progress = Progress::new(BATCH);
            for _ in 0..5 {
                let is_full = fill(&mut progress, 10_000.0, |rows| rows / rows_of_group);
                assert!(is_full, "{rows_of_group}");
            }
        }
    }

    #[test]
    fn groups_that_are_found_again_are_kept() {
        // Of so many groups, each is as likely.
        for all in [10_500.0, 12_000.0, 15_000.0] {
            let mut progress = Progress::new(BATCH);
            let is_full = fill(&mut progress, 10_000.0, |rows: f64| {
                all * (1.0 - (-rows / all).exp())
            });
            assert!(!is_full, "{all}");
            // It stays so.
            assert!(!fill(&mut progress, 10_000.0, |rows| rows / 4.0), "{all}");
        }
    }

    #[test]
    fn what_is_returned_has_to_be_less() {
        let mut progress = Progress::new(BATCH);
        assert!(fill(&mut progress, 10_000.0, |rows| rows / 1.1));
        assert!(!fill(&mut progress, 10_000.0, |rows| rows / 1.1));
        // A table that gets more than half of its memory at once.
        let mut progress = Progress::new(BATCH);
        progress.added(BATCH);
        assert!(!progress.is_full());
        progress.half();
        assert!(!progress.is_full());
    }
}
