//! Workgroups: the limits that a query runs under.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::CatalogError;

/// The built-in workgroup: every user may use it, and it cannot be dropped.
pub const PRIMARY_WORKGROUP: &str = "primary";

/// Whether a workgroup takes queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkgroupState {
    /// Takes queries.
    #[default]
    Enabled,
    /// Refuses new queries.
    Disabled,
}

impl fmt::Display for WorkgroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WorkgroupState::Enabled => "ENABLED",
            WorkgroupState::Disabled => "DISABLED",
        })
    }
}

impl FromStr for WorkgroupState {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        match text.to_ascii_uppercase().as_str() {
            "ENABLED" => Ok(WorkgroupState::Enabled),
            "DISABLED" => Ok(WorkgroupState::Disabled),
            _ => Err(CatalogError::invalid(format!(
                "workgroup state {text:?} is not known; use ENABLED or DISABLED"
            ))),
        }
    }
}

/// What a caller passes to create or change a workgroup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkgroupInput {
    pub name: String,
    pub description: Option<String>,
    pub state: WorkgroupState,
    /// The most bytes that one query may scan; `None` is no limit. At most `i64::MAX`, not 0.
    pub bytes_scanned_cutoff_per_query: Option<u64>,
    /// The maximum age of a stored result that may answer a query although files have changed. In
    /// whole milliseconds.
    pub max_staleness: Duration,
    pub limits: QueryLimits,
}

/// Limits of one query beside bytes scanned; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryLimits {
    /// Processor time of all threads together. In whole milliseconds, not 0.
    pub cpu_time: Option<Duration>,
    /// Time since it was submitted, without the time in the queue. In whole milliseconds, not 0.
    pub run_time: Option<Duration>,
    /// Rows that are returned to its client. At most `i64::MAX`, not 0.
    pub rows_returned: Option<u64>,
    /// Bytes of the files that it writes. At most `i64::MAX`, not 0.
    pub bytes_written: Option<u64>,
}

/// A workgroup as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workgroup {
    /// Never reused.
    pub id: i64,
    /// Lower case.
    pub name: String,
    pub description: Option<String>,
    pub state: WorkgroupState,
    /// The most bytes that one query may scan; `None` is no limit.
    pub bytes_scanned_cutoff_per_query: Option<u64>,
    /// The maximum age of a stored result that may answer a query although files have changed.
    pub max_staleness: Duration,
    pub limits: QueryLimits,
    pub created: DateTime<Utc>,
}

impl Workgroup {
    /// The input that would create this workgroup again: start from it to change one property.
    pub fn to_input(&self) -> WorkgroupInput {
        WorkgroupInput {
            name: self.name.clone(),
            description: self.description.clone(),
            state: self.state,
            bytes_scanned_cutoff_per_query: self.bytes_scanned_cutoff_per_query,
            max_staleness: self.max_staleness,
            limits: self.limits,
        }
    }
}
