//! Functions of arrays.
//!
//! - `types`: the types of items, what several types have in common, casts;
//! - `lists`: arrays and maps of arguments, and arrays built from items of others;
//! - `keys`: values as keys that are compared and hashed;
//! - `rows`: the fields of rows by position;
//! - `search`, `sets`, `parts`, `made`, `sequences`, `joined`, `vectors`: the functions.

mod joined;
pub(crate) mod keys;
pub(crate) mod lists;
mod made;
mod parts;
mod rows;
mod search;
mod sequences;
mod sets;
#[cfg(test)]
mod tests;
pub(crate) mod types;
mod vectors;

use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use lakegate_error::{Code, Error};
pub(crate) use parts::shown;

use crate::entry::Entry;
use crate::kernel::Call;

const SECTION: &str = "Array";

pub(crate) fn entries() -> Vec<Entry> {
    let parts = [
        search::entries(),
        sets::entries(),
        parts::entries(),
        made::entries(),
        sequences::entries(),
        joined::entries(),
        vectors::entries(),
    ];
    parts.into_iter().flatten().collect()
}

/// The planned type of an argument; `Null` if there is none.
pub(crate) fn field_type<'a>(call: &'a Call<'_>, index: usize) -> &'a DataType {
    call.fields
        .get(index)
        .map_or(&DataType::Null, |field| field.data_type())
}

/// An argument is outside of what a function takes.
pub(crate) fn invalid(message: String) -> DataFusionError {
    Error::new(Code::InvalidParameter, message).into()
}
