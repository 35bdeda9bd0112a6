//! Estimates of rows, from what is known before a query runs.
//!
//! ```text
//! operator.rs     rows of an operator, and values of its columns, by statistics
//! among.rs        conditions that a column is one of several constants
//! conditions.rs   the share of rows that a condition leaves, of which no statistics tell
//! joined.rs       rows that joins of several operators have, in whatever order
//! leaves.rs       what joins join, by number
//! ```
//!
//! An estimate is a guess: what it decides may be slow, but gives the same rows.

mod among;
mod conditions;
mod joined;
mod leaves;
mod operator;

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

pub(crate) use self::joined::Joined;
pub(crate) use self::leaves::{Leaves, LeavesHasher, MOST_LEAVES, Place};
pub(crate) use self::operator::{Estimate, number};

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;
