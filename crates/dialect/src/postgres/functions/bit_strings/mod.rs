//! Bit strings (`bit`, `bit varying`), which are texts of the digits 0 and 1 here. The texts compare as
//! the bit strings do: one that begins another comes before it.
//!
//! ```text
//! value.rs       reading, lengths, integers, operators and parts
//! functions.rs   the functions of casts, operators and parts
//! ```

mod functions;
mod value;

pub(super) use self::functions::{
    AND, INVERTED, JOINED, LEFT, OCTETS, ONES, OR, OVERLAID, RIGHT, SHORT_NUMBER, WIDE_NUMBER, XOR,
    all, function, taken_bit, with_bit,
};
pub(in crate::postgres) use self::functions::{BIT_CAST, VARBIT_CAST};
pub(super) use self::value::read;
