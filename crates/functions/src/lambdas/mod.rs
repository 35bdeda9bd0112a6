//! Functions that take lambdas.
//!
//! ```text
//! call.rs      a function as plain data, and the evaluation of a lambda for many items at once
//! items.rs     transform, filter, any_match, all_match, none_match, zip_with
//! reduce.rs    reduce: the lambda runs for all rows at once, place by place
//! sorting.rs   array_sort with a comparison: a merge sort in rounds, one comparison a merge
//! regexps.rs   regexp_replace
//! maps.rs      map_filter, transform_keys, transform_values, map_zip_with
//! ```
//!
//! A lambda sees the items that a row shows and no others: what is below a NULL array or outside of
//! a slice could make it fail.

mod call;
mod items;
mod maps;
mod reduce;
mod regexps;
mod sorting;
#[cfg(test)]
mod tests;

use crate::entry::Entry;

const SECTION: &str = "Lambda";

pub(crate) fn entries() -> Vec<Entry> {
    let parts = [
        items::entries(),
        reduce::entries(),
        sorting::entries(),
        maps::entries(),
        regexps::entries(),
    ];
    parts.into_iter().flatten().collect()
}
