//! Times are microseconds, as the lake's columns are: the years 0001 to 9999 and far beyond.
//!
//! The engine's literals, casts and functions make nanoseconds, which hold the years 1677 to 2262, and it casts a column to
//! them where the two meet. Three things together keep nanoseconds out of plans:
//!
//! ```text
//! planning   TIMESTAMP, TIMESTAMP(p)             microseconds                        MicrosecondTypes
//! planning   date + INTERVAL '1 hour'            a timestamp                         IntervalArithmetic
//! planning   now(), to_timestamp(…), date_bin(…) microseconds                        functions
//! analysis   CAST(x AS Timestamp(ns))            CAST(x AS Timestamp(µs))            Microseconds, after type coercion
//!            CAST('…' AS Timestamp(µs))          timestamp('…')                      rounds what is finer, half up
//!            CAST(timestamp AS VARCHAR)          varchar(timestamp)                  2000-01-01 10:00:00
//!            CAST(interval AS VARCHAR)           varchar(interval)                   26:00:00
//!            CAST('100' AS INTERVAL)             CAST(interval_text('100') AS …)     seconds, not months
//! ```

mod arithmetic;
mod bins;
mod extremes;
mod functions;
mod input;
mod intervals;
mod length;
mod output;
mod parts;
mod precision;
mod rule;
mod series;
#[cfg(test)]
mod tests;
mod types;
mod zones;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};

pub(in crate::engine) use length::{are_lists, compares, length, lengths};
pub(in crate::engine) use output::texts as texts_of_timestamps;
pub use precision::PRECISION_FUNCTION;
pub use rule::{Microseconds, WindowsByLength};
pub use types::MicrosecondTypes;
pub(in crate::engine) use types::with_texts;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Puts functions that give microseconds in the place of those of the engine.
pub fn register(state: &mut SessionState) -> Result<()> {
    functions::register(state)?;
    state.register_expr_planner(Arc::new(arithmetic::IntervalArithmetic))?;
    precision::register(state)
}
