//! Floating-point numbers as in PostgreSQL: NaN is equal to itself and greater than every other
//! number, and -0 is 0.
//!
//! The engine does this in comparisons, joins and groups, but not everywhere. This module replaces
//! what differs:
//!
//! - [`extremes`]: `min` and `max` of groups, which begin at the largest finite number and lose
//!   NaN;
//! - [`places`]: `round` and `trunc` to more or fewer places than a number has;
//! - [`canonical`]: NaNs with a sign, and -0 in windows, CASE, `nullif`, IN lists and functions
//!   over arrays;
//! - [`joins`]: -0 in the filters that joins make of their keys;
//! - [`checked`], [`spelled`], [`domains`] and [`totals`]: operators, casts and functions that fail, in
//!   PostgreSQL's sessions only;
//! - [`reals`] and [`wholes`]: functions whose results have other types in PostgreSQL's sessions.

mod canonical;
mod checked;
mod domains;
mod extremes;
mod joins;
mod places;
mod reals;
mod spelled;
mod totals;
mod wholes;

use std::cmp::Ordering;

pub(crate) use canonical::CanonicalFloats;
pub(crate) use canonical::{are_lists, one_zero};
pub(crate) use checked::{CheckedFloats, calculated, overflow};
use datafusion::error::Result;
use datafusion::execution::SessionState;
pub(crate) use domains::register_domains;
pub(crate) use joins::CanonicalJoinKeys;
pub(crate) use reals::is_sum_of_postgres;
pub(crate) use totals::register_totals;
pub(crate) use wholes::register_wholes;

/// Registers these functions in place of the engine's.
///
/// # Errors
///
/// Returns an error if the session cannot register a function.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    extremes::register(state)?;
    places::register(state)
}

/// Compares two numbers, with NaN last whatever its sign.
fn order(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests;
