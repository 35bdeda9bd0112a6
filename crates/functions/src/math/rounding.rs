//! `ceiling`, `floor`, `round`, `truncate` and `sign`.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    i256,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;

use super::SECTION;
use super::numbers::{MAX_PRECISION, as_decimal, binary, cast_column, number, out_of_range, unary};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static CEILING: Page = Page {
    name: "ceiling",
    section: SECTION,
    syntax: "ceiling(x)",
    sentence: "Rounds up to an integer of the same type.",
    example: "ceiling(-1.5e0)",
    result: "-1.0",
};

static FLOOR: Page = Page {
    name: "floor",
    section: SECTION,
    syntax: "floor(x)",
    sentence: "Rounds down to an integer of the same type.",
    example: "floor(-1.5e0)",
    result: "-2.0",
};

static ROUND: Page = Page {
    name: "round",
    section: SECTION,
    syntax: "round(x[, d])",
    sentence: "Rounds to d fractional digits, half away from zero.",
    example: "round(-2.345e0, 2)",
    result: "-2.35",
};

static TRUNCATE: Page = Page {
    name: "truncate",
    section: SECTION,
    syntax: "truncate(x[, d])",
    sentence: "Drops the digits after d fractional digits.",
    example: "truncate(-2.345e0, 2)",
    result: "-2.34",
};

static SIGN: Page = Page {
    name: "sign",
    section: SECTION,
    syntax: "sign(x)",
    sentence: "Returns -1, 0 or 1, in the type of x.",
    example: "sign(-2)",
    result: "-1",
};

pub(super) fn entries() -> Vec<Entry> {
    let one = || vec![TypeSignature::Any(1)];
    let two = || vec![TypeSignature::Any(1), TypeSignature::Any(2)];
    let up = |types: &[DataType]| result("ceiling", types, whole_plus_one);
    let down = |types: &[DataType]| result("floor", types, whole_plus_one);
    let nearest = |types: &[DataType]| result("round", types, rounded);
    let towards_zero = |types: &[DataType]| result("truncate", types, truncated);
    let signs = |types: &[DataType]| result("sign", types, |_, _, _| (1, 0));
    let from = Returns::From;
    vec![
        Entry::scalar(Kernel::new(&CEILING, one(), from(up), ceiling).also(&["ceil"])).in_trino(),
        Entry::scalar(Kernel::new(&FLOOR, one(), from(down), floor)).in_trino(),
        Entry::scalar(Kernel::new(&ROUND, two(), from(nearest), round)).in_trino(),
        Entry::scalar(Kernel::new(&TRUNCATE, two(), from(towards_zero), truncate)),
        Entry::scalar(Kernel::new(&SIGN, one(), from(signs), sign)).in_trino(),
    ]
}

/// Returns the type of a result; `decimal` returns the digits and the fractional digits of a
/// decimal's, from the argument's and from whether there is a number of digits.
fn result(
    name: &str,
    types: &[DataType],
    decimal: fn(u8, i8, bool) -> (u8, i8),
) -> Result<DataType> {
    let has_digits = match types {
        [_] => false,
        [_, digits] if digits.is_integer() || digits.is_null() => true,
        [_, digits] => {
            return Err(DataFusionError::Plan(format!(
                "{name} takes an integer as number of digits, not {digits}"
            )));
        }
        _ => return Err(DataFusionError::Plan(format!("{name} lacks its argument"))),
    };
    let of = types.first().unwrap_or(&DataType::Null);
    Ok(match number(name, of)? {
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = decimal(precision, scale, has_digits);
            DataType::Decimal128(precision, scale)
        }
        other => other,
    })
}

/// Digits before the point.
fn whole(precision: u8, scale: i8) -> u8 {
    precision.saturating_sub(scale.unsigned_abs())
}

fn whole_plus_one(precision: u8, scale: i8, _: bool) -> (u8, i8) {
    let carry = u8::from(scale > 0);
    ((whole(precision, scale) + carry).min(MAX_PRECISION), 0)
}

fn rounded(precision: u8, scale: i8, has_digits: bool) -> (u8, i8) {
    match has_digits {
        true => ((precision + 1).min(MAX_PRECISION), scale),
        false => whole_plus_one(precision, scale, false),
    }
}

fn truncated(precision: u8, scale: i8, has_digits: bool) -> (u8, i8) {
    match has_digits {
        true => (precision, scale),
        false => (whole(precision, scale).max(1), 0),
    }
}

/// The first argument, in the type that the function calculates with.
fn argument(call: &Call<'_>) -> Result<(Column, DataType)> {
    let column = &call.columns[0];
    let of = number(call.name, column.array.data_type())?;
    Ok((cast_column(column, &of)?, of))
}

/// The fractional digits of a decimal.
fn scale_of(of: &DataType) -> i8 {
    as_decimal(of).map_or(0, |(_, scale)| scale)
}

/// Returns 10 to a power; more than the largest decimal if the power is larger than that.
fn ten_to(power: i64) -> i128 {
    let power = u32::try_from(power).unwrap_or(0);
    10i128.checked_pow(power).unwrap_or(i128::MAX)
}

/// The way to round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    Nearest,
    TowardsZero,
}

/// Divides by a power of ten. `unit` is more than the number if that has no such digit.
fn divided(number: i128, unit: i128, way: Way) -> i128 {
    let (quotient, rest) = (number / unit, number % unit);
    let step = match way {
        Way::Up => i128::from(rest > 0),
        Way::Down => -i128::from(rest < 0),
        Way::Nearest if rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs() => {
            rest.signum()
        }
        Way::Nearest | Way::TowardsZero => 0,
    };
    quotient + step
}

/// Rounds to an integer.
fn to_whole(call: &Call<'_>, way: Way, doubles: fn(f64) -> f64) -> Result<ArrayRef> {
    let (column, of) = argument(call)?;
    match of {
        DataType::Float64 => unary::<Float64Type, Float64Type>(call, &column, |x| Ok(doubles(x))),
        DataType::Float32 => {
            unary::<Float32Type, Float32Type>(call, &column, |x| Ok(narrow(doubles(f64::from(x)))))
        }
        DataType::Decimal128(_, scale) => {
            let unit = ten_to(i64::from(scale));
            unary::<Decimal128Type, Decimal128Type>(call, &column, |x| Ok(divided(x, unit, way)))
        }
        _ => as_it_is(call, &column),
    }
}

/// The nearest `f32`.
fn narrow(number: f64) -> f32 {
    number as f32
}

/// Integers are round.
fn as_it_is(call: &Call<'_>, column: &Column) -> Result<ArrayRef> {
    call.work.builds(column.array.len().saturating_mul(8))?;
    match column.constant && call.rows != 1 {
        false => Ok(Arc::clone(&column.array)),
        true => match column.array.data_type() {
            DataType::Int8 => unary::<Int8Type, Int8Type>(call, column, Ok),
            DataType::Int16 => unary::<Int16Type, Int16Type>(call, column, Ok),
            DataType::Int32 => unary::<Int32Type, Int32Type>(call, column, Ok),
            _ => unary::<Int64Type, Int64Type>(call, column, Ok),
        },
    }
}

fn ceiling(call: &Call<'_>) -> Result<ArrayRef> {
    to_whole(call, Way::Up, f64::ceil)
}

fn floor(call: &Call<'_>) -> Result<ArrayRef> {
    to_whole(call, Way::Down, f64::floor)
}

fn round(call: &Call<'_>) -> Result<ArrayRef> {
    match call.optional(1) {
        None => to_whole(call, Way::Nearest, f64::round),
        Some(digits) => to_digits(call, digits, Way::Nearest, f64::round),
    }
}

fn truncate(call: &Call<'_>) -> Result<ArrayRef> {
    match call.optional(1) {
        None => to_whole(call, Way::TowardsZero, f64::trunc),
        Some(digits) => to_digits(call, digits, Way::TowardsZero, f64::trunc),
    }
}

/// Doubles from which each is an integer.
const INTEGERS: f64 = 4_503_599_627_370_496.0;

/// The power of ten of the last row, which is usually that of the next one too.
#[derive(Debug, Default)]
struct Power(Cell<Option<(i64, f64)>>);

impl Power {
    fn of(&self, digits: i64) -> f64 {
        match self.0.get() {
            Some((known, power)) if known == digits => power,
            _ => {
                let power = 10f64.powf(digits.clamp(-400, 400) as f64);
                self.0.set(Some((digits, power)));
                power
            }
        }
    }
}

fn double_to_digits(number: f64, factor: f64, whole: fn(f64) -> f64) -> f64 {
    let scaled = number * factor;
    if !scaled.is_finite() || scaled.abs() >= INTEGERS {
        return number;
    }
    // The factor is 0 for numbers that have no such digit.
    if factor == 0.0 {
        return scaled;
    }
    whole(scaled) / factor
}

fn truncated_double(number: f64, factor: f64) -> f64 {
    let result = double_to_digits(number, factor, f64::trunc);
    // The product of 2.3 and 10 may be 22.999…: the next digit counts if it is exact.
    let next = result + number.signum() / factor;
    match next.abs() <= number.abs() {
        true => double_to_digits(next, factor, f64::round),
        false => result,
    }
}

/// Rounds an integer to a unit.
fn integer_to_unit(number: i64, digits: i64, way: Way) -> i128 {
    let number = i128::from(number);
    match digits {
        0.. => number,
        _ => {
            let unit = ten_to(digits.checked_neg().unwrap_or(i64::MAX));
            divided(number, unit, way) * unit
        }
    }
}

/// Rounds to `digits` fractional digits.
fn to_digits(
    call: &Call<'_>,
    digits: &Column,
    way: Way,
    doubles: fn(f64) -> f64,
) -> Result<ArrayRef> {
    let (column, of) = argument(call)?;
    let digits = &cast_column(digits, &DataType::Int64)?;
    let power = Power::default();
    let double = |number: f64, digits: i64| match way {
        Way::TowardsZero => truncated_double(number, power.of(digits)),
        _ => double_to_digits(number, power.of(digits), doubles),
    };
    let overflow = |shown: String| {
        let name = call.name;
        out_of_range(format!("{name} of {shown} is out of range"))
    };
    macro_rules! integers {
        ($of:ty, $native:ty) => {
            binary::<$of, Int64Type, $of>(call, &column, digits, |x, digits| {
                let result = integer_to_unit(i64::from(x), digits, way);
                <$native>::try_from(result).map_err(|_| overflow(x.to_string()))
            })
        };
    }
    match of {
        DataType::Float64 => {
            binary::<Float64Type, Int64Type, Float64Type>(call, &column, digits, |x, digits| {
                Ok(double(x, digits))
            })
        }
        DataType::Float32 => {
            binary::<Float32Type, Int64Type, Float32Type>(call, &column, digits, |x, digits| {
                Ok(narrow(double(f64::from(x), digits)))
            })
        }
        DataType::Int8 => integers!(Int8Type, i8),
        DataType::Int16 => integers!(Int16Type, i16),
        DataType::Int32 => integers!(Int32Type, i32),
        DataType::Decimal128(..) => {
            let scale = i64::from(scale_of(&of));
            let precision = as_decimal(call.returns).map_or(MAX_PRECISION, |(digits, _)| digits);
            let limit = ten_to(i64::from(precision));
            binary::<Decimal128Type, Int64Type, Decimal128Type>(call, &column, digits, |x, d| {
                if d >= scale {
                    return Ok(x);
                }
                let dropped = scale.saturating_sub(d);
                // Half of the unit is more than any decimal.
                if dropped > i64::from(MAX_PRECISION) {
                    return Ok(0);
                }
                let unit = ten_to(dropped);
                let result = i256::from_i128(divided(x, unit, way));
                let result = result.checked_mul(i256::from_i128(unit));
                let result = result.and_then(i256::to_i128);
                result
                    .filter(|result| result.unsigned_abs() < limit.unsigned_abs())
                    .ok_or_else(|| overflow("a decimal".to_owned()))
            })
        }
        _ => integers!(Int64Type, i64),
    }
}

fn sign(call: &Call<'_>) -> Result<ArrayRef> {
    let (column, of) = argument(call)?;
    match of {
        DataType::Float64 => unary::<Float64Type, Float64Type>(call, &column, |x| {
            Ok(if x == 0.0 || x.is_nan() {
                x
            } else {
                x.signum()
            })
        }),
        DataType::Float32 => unary::<Float32Type, Float32Type>(call, &column, |x| {
            Ok(if x == 0.0 || x.is_nan() {
                x
            } else {
                x.signum()
            })
        }),
        DataType::Int8 => unary::<Int8Type, Int8Type>(call, &column, |x| Ok(x.signum())),
        DataType::Int16 => unary::<Int16Type, Int16Type>(call, &column, |x| Ok(x.signum())),
        DataType::Int32 => unary::<Int32Type, Int32Type>(call, &column, |x| Ok(x.signum())),
        DataType::Decimal128(..) => {
            unary::<Decimal128Type, Decimal128Type>(call, &column, |x| Ok(x.signum()))
        }
        _ => unary::<Int64Type, Int64Type>(call, &column, |x| Ok(x.signum())),
    }
}
