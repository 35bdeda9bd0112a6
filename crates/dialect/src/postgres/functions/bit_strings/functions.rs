//! Functions of bit strings: those that casts, operators and calls with bit strings are planned as.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, ScalarUDF};
use lakegate_engine::bounded;
use lakegate_error::{Code, Error};

use super::value;
use crate::postgres::functions::family::{Family, udfs};
use crate::postgres::{Cell, PgFunction};

/// `$bit_cast(x, n)`: an integer or a text as `bit(n)`.
pub(in crate::postgres) const BIT_CAST: &str = "$bit_cast";
/// `$varbit_cast(x, n)`: a text as `bit varying(n)`.
pub(in crate::postgres) const VARBIT_CAST: &str = "$varbit_cast";

/// The functions of casts to `integer` and `bigint`.
pub(in crate::postgres::functions) const SHORT_NUMBER: &str = "$bit_to_integer";
pub(in crate::postgres::functions) const WIDE_NUMBER: &str = "$bit_to_bigint";

/// The functions of `&`, `|`, `#`, `~`, `<<`, `>>` and `||`.
pub(in crate::postgres::functions) const AND: &str = "$bit_and";
pub(in crate::postgres::functions) const OR: &str = "$bit_or";
pub(in crate::postgres::functions) const XOR: &str = "$bit_xor";
pub(in crate::postgres::functions) const INVERTED: &str = "$bit_not";
pub(in crate::postgres::functions) const LEFT: &str = "$bit_shift_left";
pub(in crate::postgres::functions) const RIGHT: &str = "$bit_shift_right";
pub(in crate::postgres::functions) const JOINED: &str = "$bit_cat";

/// `octet_length`, `bit_count` and `overlay` of bit strings.
pub(in crate::postgres::functions) const OCTETS: &str = "$bit_octets";
pub(in crate::postgres::functions) const ONES: &str = "$bit_ones";
pub(in crate::postgres::functions) const OVERLAID: &str = "$bit_overlay";

const TAKEN: &str = "$bit_get";
const REPLACED: &str = "$bit_set";

static FUNCTIONS: Family = Family::new(|| udfs(made()));

/// Returns all of them, to be registered.
pub(in crate::postgres::functions) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    FUNCTIONS.all()
}

/// Returns the function of a name, which is one of the constants above.
pub(in crate::postgres::functions) fn function(name: &'static str) -> Arc<ScalarUDF> {
    FUNCTIONS.named(name)
}

/// Returns `get_bit(bits, index)`.
pub(in crate::postgres::functions) fn taken_bit(args: Vec<Expr>) -> Expr {
    function(TAKEN).call(args)
}

/// Returns `set_bit(bits, index, bit)`.
pub(in crate::postgres::functions) fn with_bit(args: Vec<Expr>) -> Expr {
    function(REPLACED).call(args)
}

/// # Errors
///
/// The argument is no bit string.
fn bits_at(args: &[Cell<'static>], place: usize) -> Result<String, Error> {
    let text = args.get(place).and_then(Cell::to_text);
    value::read(&text.unwrap_or_default())
}

fn number_at(args: &[Cell<'static>], place: usize) -> Result<i64, Error> {
    let number = args.get(place).and_then(Cell::as_int);
    number.ok_or_else(|| Error::invalid("the number is no integer"))
}

/// Returns the length of a type, the second argument of a cast.
fn length_at(args: &[Cell<'static>]) -> Result<usize, Error> {
    let length = usize::try_from(number_at(args, 1)?);
    length.map_err(|_| Error::invalid("the length is no number of bits"))
}

/// Builds a function of bit strings that returns one. `mark`: the type of the result.
fn of_bits(
    name: &str,
    arity: usize,
    mark: &'static str,
    made: impl Fn(&[Cell<'static>]) -> Result<String, Error> + Send + Sync + 'static,
) -> PgFunction {
    PgFunction::new(name, arity..=arity, DataType::Utf8, move |args| {
        Ok(Cell::text(made(args)?))
    })
    .immutable()
    .shown_as(mark)
}

/// Builds a function of bit strings that returns a number.
fn of_number(
    name: &str,
    arity: usize,
    returns: DataType,
    number: impl Fn(&[Cell<'static>]) -> Result<i64, Error> + Send + Sync + 'static,
) -> PgFunction {
    PgFunction::new(name, arity..=arity, returns, move |args| {
        Ok(Cell::Int(number(args)?))
    })
    .immutable()
}

/// Builds the function of an operator of two bit strings of one length.
fn combining(name: &str, word: &'static str, op: fn(bool, bool) -> bool) -> PgFunction {
    of_bits(name, 2, "bit", move |args| {
        value::combined(&bits_at(args, 0)?, &bits_at(args, 1)?, word, op)
    })
}

/// Builds the function of a cast to `bit(n)`, which pads values and cuts them.
fn fixed_cast() -> PgFunction {
    PgFunction::new(BIT_CAST, 2..=2, DataType::Utf8, |args| {
        let length = length_at(args)?;
        bounded::check_value("bit", length)?;
        Ok(Cell::text(match args.first() {
            Some(Cell::Int(number)) => value::of_integer(*number, length),
            Some(Cell::Text(text)) => value::resized(&value::read(text)?, length),
            _ => return Err(no_cast("bit").into()),
        }))
    })
    .immutable()
    .shown_as("bit")
}

/// Builds the function of a cast to `bit varying(n)`, which cuts values.
fn varying_cast() -> PgFunction {
    PgFunction::new(VARBIT_CAST, 2..=2, DataType::Utf8, |args| {
        let length = length_at(args)?;
        Ok(Cell::text(match args.first() {
            Some(Cell::Text(text)) => value::shortened(&value::read(text)?, length).to_owned(),
            _ => return Err(no_cast("bit varying").into()),
        }))
    })
    .immutable()
    .shown_as("varbit")
}

fn no_cast(pg_type: &str) -> Error {
    let message = format!("cannot cast the value to type {pg_type}");
    Error::new(Code::CannotCoerce, message)
}

fn made() -> Vec<PgFunction> {
    let overlaid = PgFunction::new(OVERLAID, 3..=4, DataType::Utf8, |args| {
        let (bits, with) = (bits_at(args, 0)?, bits_at(args, 1)?);
        let length = match args.len() {
            3 => i64::try_from(with.len()).unwrap_or(i64::MAX),
            _ => number_at(args, 3)?,
        };
        let made = value::overlaid(&bits, &with, number_at(args, 2)?, length)?;
        Ok(Cell::text(made))
    });
    vec![
        fixed_cast(),
        varying_cast(),
        of_number(SHORT_NUMBER, 1, DataType::Int32, |args| {
            value::to_integer(&bits_at(args, 0)?)
        }),
        of_number(WIDE_NUMBER, 1, DataType::Int64, |args| {
            value::to_bigint(&bits_at(args, 0)?)
        }),
        combining(AND, "AND", |one, other| one && other),
        combining(OR, "OR", |one, other| one || other),
        combining(XOR, "XOR", |one, other| one != other),
        of_bits(INVERTED, 1, "bit", |args| {
            Ok(value::inverted(&bits_at(args, 0)?))
        }),
        of_bits(LEFT, 2, "bit", |args| {
            Ok(value::shifted(&bits_at(args, 0)?, number_at(args, 1)?))
        }),
        of_bits(RIGHT, 2, "bit", |args| {
            let by = number_at(args, 1)?.saturating_neg();
            Ok(value::shifted(&bits_at(args, 0)?, by))
        }),
        of_bits(JOINED, 2, "varbit", |args| {
            Ok([bits_at(args, 0)?, bits_at(args, 1)?].concat())
        }),
        of_number(OCTETS, 1, DataType::Int32, |args| {
            let octets = value::octets(&bits_at(args, 0)?);
            Ok(i64::try_from(octets).unwrap_or(i64::MAX))
        }),
        of_number(ONES, 1, DataType::Int64, |args| {
            Ok(value::ones(&bits_at(args, 0)?))
        }),
        overlaid.immutable().shown_as("bit"),
        of_number(TAKEN, 2, DataType::Int32, |args| {
            value::bit_at(&bits_at(args, 0)?, number_at(args, 1)?)
        }),
        of_bits(REPLACED, 3, "bit", |args| {
            let (index, bit) = (number_at(args, 1)?, number_at(args, 2)?);
            value::replaced(&bits_at(args, 0)?, index, bit)
        }),
    ]
}
