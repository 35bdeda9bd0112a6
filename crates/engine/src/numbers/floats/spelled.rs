//! Casts of texts to floating-point numbers that fail where no number is near the one that the text
//! spells, as in PostgreSQL. The engine's results are infinite or 0 there.
//!
//! ```text
//! x::real    read_real(x)      '1e39' and '1e-50' are out of range; 'Infinity' and '0e9' are values
//! ```
//!
//! Constants are looked at where a statement is rewritten, before it is planned.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use crate::plans::expressions;

/// Returns the cast of a text to `real` or `double precision` that fails for what is out of range.
pub(super) fn call(text: Expr, to: &DataType) -> Expr {
    expressions::call(Spelled::new(to.clone()), vec![text])
}

/// Returns whether the value of an expression is known when a statement is rewritten.
pub(super) fn is_known(text: &Expr) -> bool {
    matches!(text, Expr::Literal(..) | Expr::Placeholder(_))
}

/// Reads a floating-point number.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Spelled {
    /// Single or double precision.
    to: DataType,
    signature: Signature,
}

impl Spelled {
    fn new(to: DataType) -> Self {
        Self {
            to,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Spelled {
    fn name(&self) -> &str {
        match self.to {
            DataType::Float32 => "read_real",
            _ => "read_double",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = Field::new(self.name(), self.to.clone(), nullable);
        Ok(Arc::new(field))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |texts| read(texts, &self.to))
    }
}

/// Reads a column of texts.
///
/// # Errors
///
/// Returns an error if a text is not a number, or one that is out of range.
fn read(texts: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let numbers = cast_with_options(texts, to, &options)?;
    let (name, odd) = match to {
        DataType::Float32 => {
            let numbers = numbers.as_primitive::<Float32Type>().iter();
            ("real", odd(numbers.map(|number| number.map(f64::from))))
        }
        _ => {
            let numbers = numbers.as_primitive::<Float64Type>().iter();
            ("double precision", odd(numbers))
        }
    };
    if odd.is_empty() {
        return Ok(numbers);
    }
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    for (row, number) in odd {
        let text = texts.value(row);
        if !is_meant(text, number) {
            let message = format!("\"{text}\" is out of range for type {name}");
            return Err(Error::new(Code::NumericOutOfRange, message).into());
        }
    }
    Ok(numbers)
}

/// Returns the rows whose numbers are infinite or 0.
fn odd(numbers: impl Iterator<Item = Option<f64>>) -> Vec<(usize, f64)> {
    let rows = numbers.enumerate();
    let odd = rows.filter_map(|(row, number)| Some((row, number?)));
    odd.filter(|(_, number)| *number == 0.0 || number.is_infinite())
        .collect()
}

/// Returns whether a text spells this infinite number or 0.
fn is_meant(text: &str, number: f64) -> bool {
    let digits = text.split(['e', 'E']).next().unwrap_or(text);
    match number == 0.0 {
        true => !digits.contains(|digit: char| matches!(digit, '1'..='9')),
        // The words for it have no digits.
        false => !digits.contains(|digit: char| digit.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{StringArray, StringViewArray};

    use super::*;

    fn read_as(texts: &[Option<&str>], to: &DataType) -> Result<Vec<Option<f64>>> {
        let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let views: ArrayRef = Arc::new(StringViewArray::from(texts.to_vec()));
        let numbers = cast(&read(&plain, to)?, &DataType::Float64)?;
        assert_eq!(
            &numbers,
            &cast(&read(&views, to).unwrap(), &DataType::Float64)?
        );
        Ok(numbers.as_primitive::<Float64Type>().iter().collect())
    }

    #[test]
    fn words_and_zeros_are_values() {
        let texts = ["Infinity", "-inf", "0", "-0.00e9", "0e-400", "1e30"];
        let mut given: Vec<Option<&str>> = texts.into_iter().map(Some).collect();
        given.push(None);
        let mut expected = vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 0.0, 1e30];
        let read = read_as(&given, &DataType::Float64).unwrap();
        assert_eq!(read.last(), Some(&None));
        let read: Vec<f64> = read.into_iter().flatten().collect();
        assert_eq!(read, expected);
        expected[5] = f64::from(1e30_f32);
        let read = read_as(&given, &DataType::Float32).unwrap();
        assert_eq!(read.into_iter().flatten().collect::<Vec<f64>>(), expected);
    }

    #[test]
    fn what_is_out_of_range_fails() {
        let (real, double) = (DataType::Float32, DataType::Float64);
        for (text, to, name) in [
            ("1e39", &real, "real"),
            ("-1e-50", &real, "real"),
            ("1e400", &double, "double precision"),
            ("-1e400", &double, "double precision"),
            ("0.1e-400", &double, "double precision"),
        ] {
            let error = read_as(&[Some("1"), Some(text)], to).unwrap_err();
            let error = lakegate_error::from_engine(error);
            assert_eq!(error.code(), Code::NumericOutOfRange, "{text}");
            let message = format!("\"{text}\" is out of range for type {name}");
            assert_eq!(error.message(), message);
        }
        let error = read_as(&[Some("x")], &double).unwrap_err();
        let error = lakegate_error::from_engine(error);
        assert_eq!(error.code(), Code::InvalidCast, "{error}");
    }
}
