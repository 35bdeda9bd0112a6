//! Ranges (`int4range`, `daterange` and the like), which are texts here, as PostgreSQL writes them:
//! `[1,10)`, `["2024-01-01 00:00:00",)`, `empty`. Multiranges do not exist.
//!
//! ```text
//! kind.rs         the types, and those of their bounds
//! number.rs       bounds of a `numrange`
//! point.rs        bounds of all types: reading, writing, keys
//! value.rs        a range: reading, writing, its canonical form, keys
//! relations.rs    what contains, overlaps or is next to what; sums, differences, intersections
//! functions.rs    functions that operators, casts and calls are planned as
//! conditions.rs   `x <@ range` of a column and a constant as comparisons
//! ```

mod conditions;
mod functions;
mod kind;
mod number;
mod point;
mod relations;
mod value;

use datafusion::config::ConfigOptions;
use lakegate_error::Error;

pub(super) use self::functions::{RangeOp, all, function};
pub use self::kind::RangeType;
pub use self::number::RangeNumber;
pub use self::point::RangePoint;
use self::point::Reading;
pub use self::value::{RangeBound, RangeValue};

/// Returns a range as PostgreSQL writes it, with the session's clock.
///
/// # Errors
///
/// The text is not a range of the type.
pub(super) fn read(of: RangeType, options: &ConfigOptions, text: &str) -> Result<String, Error> {
    let reading = Reading::of(options)?;
    RangeValue::read_with(of, text, reading)?.text_with(of, reading)
}

/// Returns a text that compares as the range does.
///
/// # Errors
///
/// As of [`read`].
pub(super) fn key(of: RangeType, options: &ConfigOptions, text: &str) -> Result<String, Error> {
    Ok(RangeValue::read_with(of, text, Reading::of(options)?)?.key())
}
