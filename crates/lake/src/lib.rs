//! The lake: object stores under configured roots, the byte meter, file listing, and scans of
//! exactly the files that a query was planned against.
//!
//! What never happens: a request outside a configured root, a read that the query's meter does not
//! see, a scan that lists.

pub mod casts;
pub mod float_text;
pub mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod key_set;
pub mod leaves;
mod lengths;
pub mod meter;
pub mod roots;
pub mod scan;
pub mod scanned;
pub mod sight;
pub mod sizes;
pub mod table;
#[cfg(test)]
mod testing;
mod texts;
pub mod timestamp_text;
pub mod write;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use lakegate_catalog::hive_type::HiveType;

pub use lengths::TextLength;
pub use texts::each_text;

/// Casts that fail on a value that does not fit, instead of making it NULL.
pub const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// Casts the values. An all-NULL array casts to any type.
///
/// # Errors
/// A value that does not fit; types without a cast.
pub(crate) fn cast_strictly(
    array: &ArrayRef,
    data_type: &DataType,
) -> std::result::Result<ArrayRef, ArrowError> {
    if array.null_count() == array.len() {
        return Ok(new_null_array(data_type, array.len()));
    }
    if data_type.is_string() && texts::is_written(array.data_type()) {
        return cast_with_options(&texts::texts(array)?, data_type, &STRICT);
    }
    cast_with_options(array, data_type, &STRICT)
}

/// The digits after the point of a decimal type; `None` for another type.
pub fn decimal_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// The name of an Arrow type in a table definition; Arrow's own where Hive has no such type.
pub fn type_name(data_type: &DataType) -> String {
    HiveType::from_arrow(data_type).map_or_else(|_| data_type.to_string(), |hive| hive.to_string())
}
