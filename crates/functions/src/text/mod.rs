//! Functions of texts, of values of any type (`typeof`, `format`, `greatest`, `least`), of colors
//! and of sizes of data.

pub(crate) mod arguments;
mod characters;
mod colors;
mod delegate;
mod extremes;
mod format;
mod joins;
mod positions;
mod replacing;
pub(crate) mod scans;
mod sizes;
mod splits;
mod trims;
mod type_names;
mod uuids;
mod words;

pub use characters::{lower as lower_letter, upper as upper_letter};
pub(crate) use delegate::called;
pub use type_names::type_name;

use crate::entry::Entry;

const SECTION: &str = "String";

pub(crate) fn entries() -> Vec<Entry> {
    let families = [
        characters::entries,
        colors::entries,
        extremes::entries,
        format::entries,
        joins::entries,
        positions::entries,
        sizes::entries,
        splits::entries,
        trims::entries,
        type_names::entries,
        uuids::entries,
        words::entries,
    ];
    families.iter().flat_map(|family| family()).collect()
}
