//! Arrays as PostgreSQL has them: an item that is NULL is equal to NULL and greater than every other, and functions see all items.
//!
//! The engine sorts an item that is NULL before all others, and has functions that change the first of the equal items only, or that
//! take an empty array for one of a dimension (`datafusion-functions-nested`, 55.2). What it does otherwise is replaced here:
//!
//! - `keys`: what arrays are compared, ordered and grouped by;
//! - `extremes`: `min`, `max`, `greatest` and `least` of arrays;
//! - `items`: `array_remove`, `array_replace`, `array_position`, `array_positions`;
//! - `dimensions`: `array_length`, `array_ndims`, `array_dims`, `array_lower`, `array_upper`;
//! - `subscripts`: `a[i]` and `a[i:j]`, which do not count from the end;
//! - `made`: `array_fill` and `trim_array`;
//! - `text`: `array_to_string`, whose items are written as a cast writes them.
//!
//! An array of arrays is, as in Athena, an array whose items are arrays: `a[1]` is an array, and `unnest` takes off one level.

mod dimensions;
mod extremes;
mod function;
mod items;
mod keys;
mod made;
mod subscripts;
mod text;

use datafusion::error::Result;
use datafusion::execution::SessionState;
pub(crate) use extremes::{ArrayExtreme, MovingArrayExtreme, greatest_or_least};
pub use keys::is_array;
pub(crate) use keys::{comparable, is_keyed, key, keys_of};
pub(crate) use subscripts::Subscripts;

/// Puts these functions in the place of the engine's.
///
/// # Errors
/// Functions cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    items::register(state)?;
    dimensions::register(state)?;
    made::register(state)?;
    text::register(state)
}

#[cfg(test)]
mod tests;
