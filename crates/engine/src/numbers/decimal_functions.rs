//! `exp`, `ln`, `log`, `log10`, `power`, `sqrt` and `sign` of decimals are decimals in PostgreSQL's
//! sessions; DataFusion calculates with floating-point numbers. They have 16 fractional digits. Those
//! that PostgreSQL does not calculate are 0:
//!
//! ```text
//! ln(2.25)              0.8109302162163288
//! sqrt(2.0)             1.4142135623730950     1.414213562373095 in PostgreSQL
//! exp(50.0)             5184705528587072464087.5000000000000000
//! power(1.05, 10)       1.6288946267774414
//! log(2, 8)             3.0000000000000000     also of integers
//! sign(-1.5)            -1
//! ```
//!
//! How many digits those are is a rule of `numeric.c` of PostgreSQL 15.

use std::f64::consts::{LN_10, LOG10_E};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal128Builder};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, i256};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass,
};
use lakegate_error::{Code, Error};

use super::checked::fits;
use super::fixed::Fixed;
use crate::plans::expressions;
use crate::plans::scalars::named_as_the_inner;

/// Fractional digits of a result.
const PLACES: u32 = 16;
/// Significant digits that PostgreSQL calculates at least.
const SIGNIFICANT: i32 = 16;
const RESULT: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 16);
const SIGN: DataType = DataType::Decimal128(1, 0);
/// The decimals of integers.
const INTEGERS: DataType = DataType::Decimal128(20, 0);

/// The natural logarithms of the smallest result with a digit, and of the largest result.
const LEAST_EXPONENT: f64 = -40.0;
const MAX_EXPONENT: f64 = 51.0;
/// The smallest logarithm of a base, and the largest exponent beside it, whose results have exact
/// digits.
const LEAST_LOGARITHM: f64 = 1e-6;
const MAX_POWER: f64 = 1e12;

const FUNCTIONS: [(&str, Function); 7] = [
    ("exp", Function::Exp),
    ("ln", Function::Ln),
    ("log", Function::Log),
    ("log10", Function::Log10),
    ("power", Function::Power),
    ("signum", Function::Sign),
    ("sqrt", Function::Sqrt),
];

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    for (name, function) in FUNCTIONS {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            let function = OfDecimals {
                signature: function.signature(inner.signature()),
                inner,
                function,
            };
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Exp,
    Ln,
    /// To the base 10, or to the first of two arguments.
    Log,
    Log10,
    Power,
    Sign,
    Sqrt,
}

impl Function {
    /// Returns the signature with decimals, and integers beside them, before the others. Arguments
    /// that fit several become those of the first one.
    fn signature(self, others: &Signature) -> Signature {
        use TypeSignatureClass::{Decimal, Integer};
        let pairs = [(Decimal, Decimal), (Decimal, Integer), (Integer, Decimal)];
        let of_two = pairs.into_iter().map(|(first, second)| vec![first, second]);
        let own: Vec<Vec<TypeSignatureClass>> = match self {
            Self::Power => of_two.collect(),
            Self::Log => {
                let further = [vec![Integer, Integer], vec![Decimal]];
                of_two.chain(further).collect()
            }
            _ => vec![vec![Decimal]],
        };
        let exact = |classes: Vec<TypeSignatureClass>| {
            TypeSignature::Coercible(classes.into_iter().map(Coercion::new_exact).collect())
        };
        let mut signature = others.clone();
        let others = match signature.type_signature {
            TypeSignature::OneOf(all) => all,
            one => vec![one],
        };
        let all = own.into_iter().map(exact).chain(others);
        signature.type_signature = TypeSignature::OneOf(all.collect());
        signature
    }

    /// Returns whether arguments of these types are taken as decimals.
    fn is_of_decimals(self, types: &[DataType]) -> bool {
        let is_decimal = |of: &DataType| matches!(of, DataType::Decimal128(..));
        let is_exact = |of: &DataType| is_decimal(of) || of.is_integer() || of.is_null();
        let are_integers = || {
            // PostgreSQL has no such function of floating-point numbers.
            self == Self::Log && types.len() == 2 && types.iter().any(DataType::is_integer)
        };
        types.iter().all(is_exact) && (types.iter().any(is_decimal) || are_integers())
    }

    fn returns(self) -> DataType {
        match self {
            Self::Sign => SIGN,
            _ => RESULT,
        }
    }

    /// Returns the result for one or two decimals, in units of its last digit.
    fn of(self, first: Decimal, second: Option<Decimal>) -> Result<i128, Error> {
        match (self, second) {
            (Self::Exp, _) => exp(first),
            (Self::Ln, _) => ln(first),
            (Self::Sign, _) => Ok(first.value.signum()),
            (Self::Sqrt, _) => sqrt(first),
            (Self::Log10, _) | (Self::Log, None) => log(Decimal::TEN, first),
            (Self::Log, Some(number)) => log(first, number),
            (Self::Power, Some(exponent)) => power(first, exponent),
            (Self::Power, None) => Err(Error::internal("a power without an exponent")),
        }
    }
}

/// The number `value` · 10^-`scale`.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    value: i128,
    scale: u32,
}

impl Decimal {
    const TEN: Self = Self {
        value: 10,
        scale: 0,
    };

    /// Returns how many of the number are one; `None` if they are more than an integer holds.
    fn one(self) -> Option<i128> {
        10_i128.checked_pow(self.scale)
    }

    fn to_f64(self) -> f64 {
        Fixed::decimal(self.value, self.scale).to_f64()
    }

    fn is_one(self) -> bool {
        self.one() == Some(self.value)
    }

    /// Returns the integer; `None` if there are digits after the point.
    fn whole(self) -> Option<i128> {
        let one = self.one()?;
        (self.value % one == 0).then(|| self.value / one)
    }

    /// Returns the natural logarithm.
    fn logarithm(self) -> Result<Fixed, Error> {
        let message = match self.value {
            0 => "cannot take logarithm of zero",
            ..0 => "cannot take logarithm of a negative number",
            _ => return Ok(Fixed::ln(self.value.unsigned_abs(), self.scale)),
        };
        Err(Error::new(Code::InvalidLogarithm, message))
    }

    /// Returns how many digits the natural logarithm has before the point; without one of those after
    /// it, less than 0. `logarithm`: of this number.
    fn logarithm_digits(self, logarithm: f64) -> i32 {
        let number = self.to_f64();
        if !(0.9..=1.1).contains(&number) {
            return logarithm.abs().log10() as i32;
        }
        let beside_one = self.one().map_or(0, |one| self.value - one);
        match beside_one {
            0 => 0,
            _ => {
                let beside_one = Fixed::decimal(beside_one, self.scale).to_f64();
                beside_one.abs().log10().floor() as i32
            }
        }
    }
}

/// Returns the number of fractional digits that are calculated of a result. `before`: its digits
/// before the point, about.
fn places(before: i32, of: &[Decimal]) -> u32 {
    let given = of.iter().map(|decimal| decimal.scale).max();
    let significant = u32::try_from(SIGNIFICANT - before).unwrap_or_default();
    significant.max(given.unwrap_or_default()).min(PLACES)
}

/// Returns a result in units of its last digit.
fn rounded(result: Fixed, places: u32) -> Result<i128, Error> {
    let value = result.to_decimal(places);
    with_zeros(value, places)
}

/// Returns a number of so many fractional digits in units of the last digit of a result.
fn with_zeros(value: Option<i128>, places: u32) -> Result<i128, Error> {
    let factor = 10_i128.checked_pow(PLACES.saturating_sub(places));
    let value = value.zip(factor);
    let value = value.and_then(|(value, factor)| value.checked_mul(factor));
    value.filter(|value| fits(*value)).ok_or_else(overflow)
}

fn overflow() -> Error {
    Error::new(Code::NumericOutOfRange, "value overflows numeric format")
        .with_hint("cast to double precision: a result has 22 digits before the point at most")
}

fn exp(number: Decimal) -> Result<i128, Error> {
    let size = number.to_f64();
    if size > MAX_EXPONENT {
        return Err(overflow());
    }
    if size < LEAST_EXPONENT {
        return Ok(0);
    }
    let result = Fixed::decimal(number.value, number.scale).exp();
    rounded(result, places((size * LOG10_E) as i32, &[number]))
}

fn ln(number: Decimal) -> Result<i128, Error> {
    let result = number.logarithm()?;
    let digits = number.logarithm_digits(result.to_f64());
    rounded(result, places(digits, &[number]))
}

fn log(base: Decimal, number: Decimal) -> Result<i128, Error> {
    let of_base = match base.value {
        10 if base.scale == 0 => Fixed::ln_ten(),
        _ => base.logarithm()?,
    };
    let of_number = number.logarithm()?;
    if base.is_one() {
        return Err(Error::new(Code::DivisionByZero, "division by zero"));
    }
    let size = of_base.to_f64();
    if size.abs() < LEAST_LOGARITHM {
        return Err(too_near());
    }
    let digits = number.logarithm_digits(of_number.to_f64()) - base.logarithm_digits(size);
    rounded(of_number.over(of_base), places(digits, &[base, number]))
}

fn too_near() -> Error {
    Error::not_supported("logarithms and powers of numbers so near 1 are not supported")
        .with_hint("cast to double precision")
}

fn power(base: Decimal, exponent: Decimal) -> Result<i128, Error> {
    let whole = exponent.whole();
    if base.value == 0 && exponent.value < 0 {
        let message = "zero raised to a negative power is undefined";
        return Err(Error::new(Code::InvalidPower, message));
    }
    if base.value < 0 && whole.is_none() {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Err(Error::new(Code::InvalidPower, message));
    }
    if exponent.value == 0 || base.is_one() {
        return with_zeros(Some(1), 0);
    }
    if base.value == 0 {
        return Ok(0);
    }
    let is_negative = base.value < 0 && whole.is_some_and(|whole| whole % 2 != 0);
    let logarithm = Fixed::ln(base.value.unsigned_abs(), base.scale);
    let factor = exponent.to_f64();
    let size = logarithm.to_f64() * factor;
    if size > MAX_EXPONENT {
        return Err(overflow());
    }
    if size < LEAST_EXPONENT {
        return Ok(0);
    }
    if factor.abs() > MAX_POWER {
        return Err(too_near());
    }
    let of_exponent = Fixed::decimal(exponent.value, exponent.scale);
    let result = logarithm.times(of_exponent).exp();
    let is_small = whole.is_some_and(|whole| i32::try_from(whole).is_ok());
    let digits = if is_small { 0 } else { (size / LN_10) as i32 };
    let value = rounded(result, places(digits, &[base, exponent]))?;
    Ok(if is_negative { -value } else { value })
}

fn sqrt(number: Decimal) -> Result<i128, Error> {
    if number.value < 0 {
        let message = "cannot take square root of a negative number";
        return Err(Error::new(Code::InvalidPower, message));
    }
    // In digits to the base 10,000.
    let digits = match number.value.checked_ilog10() {
        Some(digits) => {
            let digits = i64::from(digits) - i64::from(number.scale);
            i32::try_from(digits.div_euclid(4)).unwrap_or_default()
        }
        None => 0,
    };
    let kept = places(2 * digits + 1, &[number]);
    with_zeros(scaled(number, 2 * kept).and_then(root), kept)
}

/// Returns the number in units of 10^-`places`, cut off.
fn scaled(number: Decimal, places: u32) -> Option<i256> {
    let value = i256::from_i128(number.value);
    let power = i256::from_i128(10).checked_pow(places.abs_diff(number.scale))?;
    match places >= number.scale {
        true => value.checked_mul(power),
        false => value.checked_div(power),
    }
}

/// Returns the square root of an integer of at most 2^240, rounded.
fn root(square: i256) -> Option<i128> {
    if square == i256::ZERO {
        return Some(0);
    }
    // From above, as Newton's method needs it.
    let bits = square.checked_ilog2()? / 2 + 1;
    let mut found = i256::from_i128(1_i128.checked_shl(bits).filter(|first| *first > 0)?);
    loop {
        let next = square.checked_div(found)?.checked_add(found)?;
        let next = next.checked_div(i256::from_i128(2))?;
        if next >= found {
            break;
        }
        found = next;
    }
    let rest = square.checked_sub(found.checked_mul(found)?)?;
    let is_above_half = rest > found;
    let found = found.to_i128()?;
    Some(if is_above_half { found + 1 } else { found })
}

/// The session's function, except of decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfDecimals {
    inner: Arc<ScalarUDF>,
    function: Function,
    signature: Signature,
}

impl OfDecimals {
    fn values(&self, columns: &[Decimal128Array], rows: usize) -> Result<ArrayRef> {
        let mut values = Decimal128Builder::with_capacity(rows);
        let at = |column: &Decimal128Array, row: usize| {
            column.is_valid(row).then(|| Decimal {
                value: column.value(row),
                scale: u32::try_from(column.scale()).unwrap_or_default(),
            })
        };
        for row in 0..rows {
            let result = match columns {
                [first] => at(first, row).map(|first| self.function.of(first, None)),
                [first, second] => at(first, row)
                    .zip(at(second, row))
                    .map(|(first, second)| self.function.of(first, Some(second))),
                _ => None,
            };
            values.append_option(result.transpose()?);
        }
        let values = values.finish();
        Ok(Arc::new(values.with_data_type(self.function.returns())))
    }
}

fn decimals(values: &ArrayRef) -> Result<Decimal128Array> {
    let values = match values.data_type() {
        DataType::Decimal128(_, 0..) => Arc::clone(values),
        _ => cast(values, &INTEGERS)?,
    };
    Ok(values.as_primitive::<Decimal128Type>().clone())
}

impl ScalarUDFImpl for OfDecimals {
    named_as_the_inner!();

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match self.function.is_of_decimals(types) {
            true => Ok(self.function.returns()),
            false => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let returns = self.return_type(&types)?;
        Ok(Arc::new(Field::new(self.name(), returns, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        if !self.function.is_of_decimals(&types) {
            for arg in &mut args.args {
                // Such as a NULL beside an integer.
                if arg.data_type() != DataType::Float64 {
                    *arg = arg.cast_to(&DataType::Float64, None)?;
                }
            }
            return self.inner.invoke_with_args(args);
        }
        let constants = expressions::are_constants(&args.args);
        let rows = if constants { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| decimals(&arg.to_array(rows)?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        expressions::made(self.values(&columns, rows)?, constants)
    }
}

#[cfg(test)]
mod tests;
