//! Functions of floating-point numbers in PostgreSQL's sessions: they fail where PostgreSQL's do
//! (`float.c` of PostgreSQL), and calculate with `double precision` only. The engine's return an
//! infinite number or NaN there, except `sqrt(-1)` and `power(0, -1)`, and a `real` for a `real`.
//!
//! ```text
//! ln(0), log(-1)               2201E
//! power(-1, 0.5)               2201F
//! exp(1000), exp(-1000)        22003, overflow and underflow
//! acos(2), sin(Infinity)       22003, input is out of range
//! log(1000), log(2, 8)         3, which the engine misses by the last bit
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use lakegate_error::{Code, Error};

use super::checked::{overflow, underflow};
use crate::plans::expressions;
use crate::plans::scalars::named_as_the_inner;

/// The functions, with the numbers that they are defined for.
const FUNCTIONS: [(&str, Domain); 24] = [
    ("acos", Domain::Unit),
    ("acosh", Domain::FromOne),
    ("asin", Domain::Unit),
    ("asinh", Domain::All),
    ("atan", Domain::All),
    ("atan2", Domain::All),
    ("atanh", Domain::Unit),
    ("cbrt", Domain::All),
    ("cos", Domain::Finite),
    ("cosh", Domain::All),
    ("cot", Domain::Finite),
    ("degrees", Domain::Degrees),
    ("exp", Domain::Exponents),
    ("ln", Domain::Positive),
    ("log", Domain::Logarithms),
    ("log10", Domain::Positive),
    ("log2", Domain::Positive),
    ("power", Domain::Powers),
    ("radians", Domain::Radians),
    ("signum", Domain::Signs),
    ("sin", Domain::Finite),
    ("sinh", Domain::All),
    ("sqrt", Domain::All),
    ("tan", Domain::Finite),
];

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_domains(state: &mut SessionState) -> Result<()> {
    for (name, domain) in FUNCTIONS {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            let function = Defined::new(inner, domain);
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
        }
    }
    Ok(())
}

/// The numbers that a function is defined for. NaN is among all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Domain {
    All,
    Finite,
    /// From -1 to 1.
    Unit,
    /// 1 and more.
    FromOne,
    Positive,
    /// Those whose exponential is a number.
    Exponents,
    /// A positive number, or a base before it.
    Logarithms,
    /// A number and an exponent whose power is a real number.
    Powers,
    Degrees,
    Radians,
    /// All; the sign of NaN is 0.
    Signs,
}

impl Domain {
    /// Checks the arguments and the result of a call for one row.
    fn check(self, first: f64, second: Option<f64>, result: f64) -> Result<()> {
        let is_defined = match self {
            Self::All | Self::Signs => true,
            Self::Finite => !first.is_infinite(),
            Self::Unit => first.is_nan() || first.abs() <= 1.0,
            Self::FromOne => first.is_nan() || first >= 1.0,
            Self::Positive => return positive(first),
            Self::Logarithms => return logarithms_exist(first, second),
            Self::Powers => return power(first, second, result),
            Self::Exponents | Self::Degrees | Self::Radians => {
                return in_range(first.is_finite(), first == 0.0, result);
            }
        };
        match is_defined {
            true => Ok(()),
            false => Err(Error::new(Code::NumericOutOfRange, "input is out of range").into()),
        }
    }
}

fn positive(number: f64) -> Result<()> {
    let message = if number < 0.0 {
        "cannot take logarithm of a negative number"
    } else if number == 0.0 {
        "cannot take logarithm of zero"
    } else {
        return Ok(());
    };
    Err(Error::new(Code::InvalidLogarithm, message).into())
}

/// Checks the number of a logarithm, or its base and the number.
fn logarithms_exist(first: f64, second: Option<f64>) -> Result<()> {
    if first.is_nan() || second.is_some_and(f64::is_nan) {
        return Ok(());
    }
    positive(first)?;
    let Some(second) = second else {
        return Ok(());
    };
    positive(second)?;
    match first == 1.0 {
        true => Err(Error::new(Code::DivisionByZero, "division by zero").into()),
        false => Ok(()),
    }
}

fn power(base: f64, exponent: Option<f64>, result: f64) -> Result<()> {
    let exponent = exponent.unwrap_or(1.0);
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Err(Error::new(Code::InvalidPower, message).into());
    }
    let are_finite = base.is_finite() && exponent.is_finite();
    in_range(are_finite, base == 0.0, result)
}

/// Checks a result. `are_finite`: whether the arguments are. `is_zero`: whether they make 0.
fn in_range(are_finite: bool, is_zero: bool, result: f64) -> Result<()> {
    if are_finite && result.is_infinite() {
        return Err(overflow().into());
    }
    if are_finite && result == 0.0 && !is_zero {
        return Err(underflow().into());
    }
    Ok(())
}

/// The session's function, for the numbers of its domain.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Defined {
    inner: Arc<ScalarUDF>,
    domain: Domain,
    signature: Signature,
}

impl Defined {
    fn new(inner: Arc<ScalarUDF>, domain: Domain) -> Self {
        let of = |count| TypeSignature::Uniform(count, vec![DataType::Float64]);
        let takes = match (domain, inner.name()) {
            (Domain::Powers, _) | (_, "atan2") => of(2),
            (Domain::Logarithms, _) => TypeSignature::OneOf(vec![of(1), of(2)]),
            _ => of(1),
        };
        Self {
            inner,
            domain,
            signature: Signature::new(takes, Volatility::Immutable),
        }
    }

    fn results(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of: fn(f64) -> f64 = match self.domain {
            Domain::Degrees => |radians| radians / RADIANS_PER_DEGREE,
            Domain::Radians => |degrees| degrees * RADIANS_PER_DEGREE,
            Domain::Signs => |x| f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            Domain::Logarithms if args.args.len() == 1 => f64::log10,
            Domain::Logarithms => return logarithms(&args),
            _ => return self.inner.invoke_with_args(args),
        };
        expressions::applied(args.args.first(), |values| {
            let values = cast(values, &DataType::Float64)?;
            let made: Float64Array = values.as_primitive::<Float64Type>().unary(of);
            let made: ArrayRef = Arc::new(made);
            Ok(made)
        })
    }
}

/// As in PostgreSQL, whose last digit differs from that of `f64::to_degrees`.
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

/// Returns the logarithms to a base, which is the first argument.
fn logarithms(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let constants = expressions::are_constants(&args.args);
    let rows = if constants { 1 } else { args.number_rows };
    let columns = args.args.iter().map(|arg| doubles(&arg.to_array(rows)?));
    let columns: Vec<Float64Array> = columns.collect::<Result<_>>()?;
    let [bases, numbers] = columns.as_slice() else {
        return Err(Error::internal("a logarithm without its two arguments").into());
    };
    let rows = bases.iter().zip(numbers);
    let made: Float64Array = rows
        .map(|(base, number)| Some(logarithm(base?, number?)))
        .collect();
    expressions::made(Arc::new(made), constants)
}

/// Returns the logarithm of a number, which is exact for powers of the base.
fn logarithm(base: f64, number: f64) -> f64 {
    let quotient = number.ln() / base.ln();
    let whole = quotient.round();
    match whole.abs() <= 1024.0 && base.powi(whole as i32) == number {
        true => whole,
        false => quotient,
    }
}

fn doubles(values: &ArrayRef) -> Result<Float64Array> {
    let values = cast(values, &DataType::Float64)?;
    Ok(values.as_primitive::<Float64Type>().clone())
}

/// An argument of a call: a number a row, or one for all rows.
struct Argument {
    numbers: Float64Array,
    is_one: bool,
}

impl Argument {
    fn of(value: &ColumnarValue) -> Result<Self> {
        let (values, is_one) = match value {
            ColumnarValue::Array(values) => (Arc::clone(values), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        let numbers = doubles(&values)?;
        Ok(Self { numbers, is_one })
    }

    fn at(&self, row: usize) -> f64 {
        self.numbers.value(if self.is_one { 0 } else { row })
    }
}

impl ScalarUDFImpl for Defined {
    named_as_the_inner!();

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given: Vec<Argument> = args.args.iter().map(Argument::of).collect::<Result<_>>()?;
        let value = self.results(args)?;
        if matches!(self.domain, Domain::All | Domain::Signs) {
            return Ok(value);
        }
        let results = Argument::of(&value)?.numbers;
        let [first, rest @ ..] = given.as_slice() else {
            return Ok(value);
        };
        let second = rest.first();
        for row in 0..results.len() {
            if results.is_valid(row) {
                let second = second.map(|second| second.at(row));
                self.domain
                    .check(first.at(row), second, results.value(row))?;
            }
        }
        Ok(value)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Result<Vec<Option<f64>>> {
        let mut state = SessionContext::new().state();
        register_domains(&mut state).unwrap();
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            values.extend(doubles(batch.column(0))?.iter());
        }
        Ok(values)
    }

    const INFINITY: &str = "CAST('Infinity' AS DOUBLE)";
    const NAN: &str = "CAST('NaN' AS DOUBLE)";

    #[tokio::test]
    async fn numbers_outside_of_the_domain_are_errors() {
        const RANGE: &str = "input is out of range";
        const OVERFLOW: &str = "value out of range: overflow";
        const UNDERFLOW: &str = "value out of range: underflow";
        const ZERO: &str = "cannot take logarithm of zero";
        const NEGATIVE: &str = "cannot take logarithm of a negative number";
        const COMPLEX: &str =
            "a negative number raised to a non-integer power yields a complex result";
        for (call, code, message) in [
            ("ln(x - 2)", Code::InvalidLogarithm, ZERO),
            ("ln(-x)", Code::InvalidLogarithm, NEGATIVE),
            ("log(x * 0)", Code::InvalidLogarithm, ZERO),
            ("log10(-x)", Code::InvalidLogarithm, NEGATIVE),
            ("log(2, -x)", Code::InvalidLogarithm, NEGATIVE),
            ("log(0, -x)", Code::InvalidLogarithm, ZERO),
            ("log(x - 1, 5)", Code::DivisionByZero, "division by zero"),
            (
                "sqrt(-x)",
                Code::InvalidPower,
                "cannot take square root of a negative number",
            ),
            (
                "power(x - 2, -1)",
                Code::InvalidPower,
                "zero raised to a negative power is undefined",
            ),
            ("pow(-x, 0.5)", Code::InvalidPower, COMPLEX),
            ("power(x, 5000)", Code::NumericOutOfRange, OVERFLOW),
            ("power(x, -5000)", Code::NumericOutOfRange, UNDERFLOW),
            ("exp(x * 500)", Code::NumericOutOfRange, OVERFLOW),
            ("exp(x * -500)", Code::NumericOutOfRange, UNDERFLOW),
            ("degrees(x * 1e307)", Code::NumericOutOfRange, OVERFLOW),
            ("radians(x * 5e-324)", Code::NumericOutOfRange, UNDERFLOW),
            ("acos(x)", Code::NumericOutOfRange, RANGE),
            ("asin(-x)", Code::NumericOutOfRange, RANGE),
            ("atanh(x)", Code::NumericOutOfRange, RANGE),
            ("acosh(x - 2)", Code::NumericOutOfRange, RANGE),
            ("sin(x / 0e0)", Code::NumericOutOfRange, RANGE),
            ("cot(x / 0e0)", Code::NumericOutOfRange, RANGE),
        ] {
            let sql = format!("SELECT {call} FROM (VALUES (2)) t(x)");
            let error = lakegate_error::from_engine(values(&sql).await.unwrap_err());
            assert_eq!((error.code(), error.message()), (code, message), "{call}");
        }
    }

    #[tokio::test]
    async fn other_numbers_have_results() {
        for (call, expected) in [
            ("ln(x)".to_owned(), Some(2f64.ln())),
            ("ln(NULL)".to_owned(), None),
            (format!("ln({INFINITY})"), Some(f64::INFINITY)),
            ("log(x * 500)".to_owned(), Some(3.0)),
            ("log(2, 8)".to_owned(), Some(3.0)),
            ("log(10, 0.001)".to_owned(), Some(-3.0)),
            ("log(3, 243)".to_owned(), Some(5.0)),
            ("log(2, 10)".to_owned(), Some(10f64.ln() / 2f64.ln())),
            ("log(NULL, 10)".to_owned(), None),
            ("power(x, 10)".to_owned(), Some(1024.0)),
            ("power(-x, 3)".to_owned(), Some(-8.0)),
            ("power(0, 0)".to_owned(), Some(1.0)),
            (format!("power(1, {NAN})"), Some(1.0)),
            (format!("power({NAN}, 0)"), Some(1.0)),
            (format!("power(-1, {INFINITY})"), Some(1.0)),
            (format!("power(-x, -{INFINITY})"), Some(0.0)),
            (format!("power(-{INFINITY}, 3)"), Some(f64::NEG_INFINITY)),
            ("power(NULL, -1)".to_owned(), None),
            (format!("exp(-{INFINITY})"), Some(0.0)),
            ("exp(0)".to_owned(), Some(1.0)),
            ("exp(-740)".to_owned(), Some((-740f64).exp())),
            ("atanh(1)".to_owned(), Some(f64::INFINITY)),
            ("signum(-x)".to_owned(), Some(-1.0)),
            (format!("signum({NAN})"), Some(0.0)),
            (format!("signum({INFINITY})"), Some(1.0)),
            ("signum(x - 2)".to_owned(), Some(0.0)),
            ("cot(0)".to_owned(), Some(f64::INFINITY)),
            ("cosh(1000)".to_owned(), Some(f64::INFINITY)),
            ("radians(180)".to_owned(), Some(std::f64::consts::PI)),
            (
                "sqrt(CAST(0.1 AS REAL))".to_owned(),
                Some(f64::from(0.1f32).sqrt()),
            ),
            ("sqrt(CAST(2.25 AS DECIMAL(5,2)))".to_owned(), Some(1.5)),
        ] {
            let sql = format!("SELECT {call} FROM (VALUES (2)) t(x)");
            let shown = values(&sql).await.unwrap();
            assert_eq!(shown, [expected], "{call}");
        }
        for call in [
            "ln", "exp", "acos", "sin", "sqrt", "degrees", "log", "acosh",
        ] {
            let shown = values(&format!("SELECT {call}({NAN})")).await.unwrap();
            assert!(shown.iter().flatten().all(|value| value.is_nan()), "{call}");
        }
    }

    #[tokio::test]
    async fn rows_without_numbers_are_not_checked() {
        let sql = "SELECT ln(x) FROM (VALUES (1), (NULL), (1)) t(x)";
        assert_eq!(values(sql).await.unwrap(), [Some(0.0), None, Some(0.0)]);
        let sql = "SELECT power(x, y) FROM (VALUES (0, NULL), (3, 2), (NULL, -1)) t(x, y)";
        assert_eq!(values(sql).await.unwrap(), [None, Some(9.0), None]);
    }
}
