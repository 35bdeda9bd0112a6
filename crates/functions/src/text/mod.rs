//! Functions of texts, and of values of any type: `typeof`, `format`, `greatest`, `least`.

pub(crate) mod arguments;
mod characters;
mod delegate;
mod extremes;
mod format;
mod joins;
mod positions;
mod splits;
mod trims;
mod type_names;
mod words;

pub(crate) use delegate::called;

use crate::entry::Entry;

const SECTION: &str = "String";

pub(crate) fn entries() -> Vec<Entry> {
    let families = [
        characters::entries,
        extremes::entries,
        format::entries,
        joins::entries,
        positions::entries,
        splits::entries,
        trims::entries,
        type_names::entries,
        words::entries,
    ];
    families.iter().flat_map(|family| family()).collect()
}
