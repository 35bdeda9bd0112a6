//! Arrays with PostgreSQL's semantics: a NULL item equals NULL and is greater than every other
//! item, and functions process all items.
//!
//! The engine sorts NULL items before all others. Some of its functions change only the first of
//! several equal items, or report one dimension for an empty array (`datafusion-functions-nested`,
//! 55.2). This module replaces what differs:
//!
//! - `keys`: the keys by which arrays are compared, ordered and grouped;
//! - `extremes`: `min`, `max`, `greatest` and `least` of arrays;
//! - `items`: `array_remove`, `array_replace`, `array_position`, `array_positions`;
//! - `dimensions`: `array_length`, `array_ndims`, `array_dims`, `array_lower`, `array_upper`;
//! - `subscripts`: `a[i]` and `a[i:j]`, which never count from the end;
//! - `made`: `array_fill` and `trim_array`;
//! - `item_casts`: casts of items to text, and to times with and without a zone;
//! - `text`: `array_to_string`, which formats items as PostgreSQL does.
//!
//! As in Athena, an array of arrays is an array whose items are arrays: `a[1]` is an array, and
//! `unnest` removes one level.

pub(crate) mod containment;
mod dimensions;
mod extremes;
mod function;
pub(crate) mod hidden_values;
mod item_casts;
mod items;
mod keys;
mod made;
mod subscripts;
mod text;

use datafusion::error::Result;
use datafusion::execution::SessionState;
pub(crate) use extremes::{ArrayExtreme, MovingArrayExtreme, greatest_or_least};
pub use item_casts::{is_other_cast, item_cast};
pub use keys::is_array;
pub(crate) use keys::{comparable, is_keyed, key, keys_of};
pub(crate) use subscripts::Subscripts;
pub use subscripts::item_of;

/// Registers these functions in place of the engine's.
///
/// # Errors
///
/// Returns an error if the session cannot register a function.
pub fn register(state: &mut SessionState) -> Result<()> {
    items::register(state)?;
    dimensions::register(state)?;
    made::register(state)?;
    text::register(state)
}

#[cfg(test)]
mod tests;
