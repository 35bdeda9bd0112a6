//! `factorial` is a `numeric` in PostgreSQL's sessions; DataFusion's is a `bigint`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Int64Type};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use lakegate_error::{Code, Error};

use super::checked::fits;
use crate::plans::expressions;

const NAME: &str = "factorial";
const NUMERIC: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// Replaces a session's function with this one.
///
/// # Errors
///
/// Returns an error if it cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.scalar_functions().get(NAME).cloned() {
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(Factorial { inner })))?;
    }
    Ok(())
}

/// The session's function, whose result is a decimal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Factorial {
    inner: Arc<ScalarUDF>,
}

fn factorial(number: i64) -> Result<i128, Error> {
    if number < 0 {
        let message = "factorial of a negative number is undefined";
        return Err(Error::new(Code::NumericOutOfRange, message));
    }
    let mut result = 1_i128;
    // Ends with the 35th number at the latest.
    for factor in 2..=number {
        let next = result.checked_mul(i128::from(factor));
        result = next.filter(|next| fits(*next)).ok_or_else(|| {
            let message = format!("the factorial of {number} has more than 38 digits");
            Error::new(Code::NumericOutOfRange, message)
        })?;
    }
    Ok(result)
}

impl ScalarUDFImpl for Factorial {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(NUMERIC)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |numbers| {
            let numbers = numbers.as_primitive::<Int64Type>();
            let results: Decimal128Array = numbers.try_unary(factorial)?;
            let results: ArrayRef = Arc::new(results.with_data_type(NUMERIC));
            Ok(results)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn factorials_have_up_to_38_digits() {
        assert_eq!(factorial(0).unwrap(), 1);
        assert_eq!(factorial(5).unwrap(), 120);
        let largest = 8_683_317_618_811_886_495_518_194_401_280_000_000;
        assert_eq!(factorial(33).unwrap(), largest);
        for number in [-1, 34, i64::MAX, i64::MIN] {
            let error = factorial(number).unwrap_err();
            assert_eq!(error.code(), Code::NumericOutOfRange, "{number}");
        }
    }
}
