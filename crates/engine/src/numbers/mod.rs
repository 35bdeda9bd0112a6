//! Numbers as PostgreSQL and Trino have them: operators that fail instead of wrapping, digits that are
//! kept, and types that DataFusion chooses in another way.

pub(crate) mod chains;
pub(crate) mod checked;
pub(crate) mod decimal_functions;
pub(crate) mod decimal_places;
pub(crate) mod decimal_texts;
pub(crate) mod decimals;
pub(crate) mod digits;
pub(crate) mod divisors;
pub(crate) mod factorials;
mod fixed;
pub(crate) mod float_decimals;
pub(crate) mod float_digits;
pub(crate) mod floats;
pub(crate) mod halves;
pub(crate) mod integer_literals;
pub(crate) mod integer_places;
pub(crate) mod numerals;
pub(crate) mod open_numerics;
pub(crate) mod quotients;
pub(crate) mod rounding;
pub(crate) mod series;
pub(crate) mod shown_digits;
mod small_decimals;
pub(crate) mod small_shifts;
pub(crate) mod whole_decimals;
pub(crate) mod xors;
