//! What Trino's dialects mean by casts and operators, where the engine's meaning is PostgreSQL's.
//!
//! ```text
//! planner     operators of decimals, by their types       operators
//!             arrays of rows, fields of maps              one_type, fields
//! rule        casts of the statement to functions         casts, scalars: their values
//!             NULLs and rows that meet other values       meeting, one_type
//!             json and other marked types stay marked     marks, flows
//!             values of different kinds are refused       comparisons, frames
//!             arrays, maps and rows with NULLs            equality
//!             NaN equals nothing                          nans
//!             maps as keys                                map_keys
//! ```

mod casts;
mod comparisons;
mod equality;
mod fields;
mod flows;
mod frames;
mod map_keys;
mod marks;
mod meeting;
mod names;
mod nans;
mod one_type;
mod operators;
mod rule;
mod scalars;

pub(crate) use meeting::of_types as common_type;
pub use one_type::{CommonType, of_one_type};
pub(crate) use operators::Operators;
pub(crate) use rule::TrinoTypes;

use crate::entry::Entry;

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = casts::entries();
    entries.extend(equality::entries());
    entries.extend(map_keys::entries());
    entries.extend(one_type::entries());
    entries.extend(fields::entries());
    entries
}
