//! Frames of windows that exclude rows, which the engine does not have:
//!
//! ```text
//! sum(x) OVER (ORDER BY y ROWS 2 PRECEDING EXCLUDE TIES)
//! ```
//!
//! The function is evaluated anew for each row, over the parts of its frame that are left, as in
//! PostgreSQL: [`aggregates`] has aggregate functions, [`values`] those that return the value of a
//! row. Peers are rows with the same keys; without keys, all rows of a partition are.

mod aggregates;
mod values;

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::compute::partition;
use datafusion::error::{DataFusionError, Result};

pub use self::aggregates::excluding;
pub use self::values::value_excluding;

/// What a frame leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exclusion {
    CurrentRow,
    /// The row and its peers.
    Group,
    /// The peers of the row.
    Ties,
}

/// What follows the name of a function whose frames exclude rows: windows that differ in this only
/// are two columns.
const EXCLUDING: &str = " excluding ";

impl Exclusion {
    /// Returns the name of a function over such frames.
    fn named(self, function: &str) -> String {
        let excluded = match self {
            Self::CurrentRow => "current row",
            Self::Group => "group",
            Self::Ties => "ties",
        };
        format!("{function}{EXCLUDING}{excluded}")
    }
}

/// Returns the name of a window function as queries write it, without what its frames exclude.
pub fn written_name(name: &str) -> &str {
    name.split_once(EXCLUDING)
        .map_or(name, |(function, _)| function)
}

/// What is left of the frames of one partition, whose rows are evaluated in their order.
#[derive(Debug)]
struct Left {
    exclusion: Exclusion,
    /// The row that comes next.
    row: usize,
    /// The groups of peers, once they are known.
    peers: Vec<Range<usize>>,
    /// The group of that row, or one before it.
    group: usize,
}

impl Left {
    fn of(exclusion: Exclusion) -> Self {
        Self {
            exclusion,
            row: 0,
            peers: Vec::new(),
            group: 0,
        }
    }

    /// Returns the parts of the frame of the next row, in their order; some may be empty.
    ///
    /// `keys`: the columns of the order, for all `rows` rows of the partition.
    ///
    /// # Errors
    ///
    /// The keys cannot be compared, or are fewer than the rows.
    fn next(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        frame: &Range<usize>,
    ) -> Result<[Range<usize>; 3]> {
        let row = self.row;
        self.row += 1;
        let own = row..row + 1;
        let excluded = match self.exclusion {
            Exclusion::CurrentRow => own.clone(),
            Exclusion::Group | Exclusion::Ties => self.peers_of(row, keys, rows)?,
        };
        let kept = match self.exclusion {
            Exclusion::Ties => own,
            Exclusion::CurrentRow | Exclusion::Group => 0..0,
        };
        Ok([
            frame.start..frame.end.min(excluded.start),
            frame.start.max(kept.start)..frame.end.min(kept.end),
            frame.start.max(excluded.end)..frame.end,
        ])
    }

    /// Returns the peers of a row, itself among them.
    fn peers_of(&mut self, row: usize, keys: &[ArrayRef], rows: usize) -> Result<Range<usize>> {
        if self.peers.is_empty() {
            self.peers = match keys {
                [] => vec![Range {
                    start: 0,
                    end: rows,
                }],
                keys => partition(keys)?.ranges(),
            };
        }
        while self
            .peers
            .get(self.group)
            .is_some_and(|peers| peers.end <= row)
        {
            self.group += 1;
        }
        let peers = self.peers.get(self.group).cloned();
        peers.ok_or_else(|| DataFusionError::Internal("a row without peers".to_owned()))
    }
}

/// Returns the arguments of a window function and the keys of its order, which follow them.
///
/// # Errors
///
/// There are fewer columns than `arguments`.
fn split(values: &[ArrayRef], arguments: usize) -> Result<(&[ArrayRef], &[ArrayRef])> {
    values
        .split_at_checked(arguments)
        .ok_or_else(|| DataFusionError::Internal("a window without its arguments".to_owned()))
}
