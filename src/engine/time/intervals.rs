//! Intervals of text, as PostgreSQL has them.
//!
//! ```text
//! CAST('100' AS INTERVAL)                  100 seconds     the engine: 100 months
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// A text that is to be cast to an interval, where a mere number is one of seconds.
pub(super) fn with_unit(text: Expr) -> Expr {
    let function = WithUnit {
        signature: Signature::any(1, Volatility::Immutable),
    };
    Expr::ScalarFunction(ScalarFunction {
        func: Arc::new(ScalarUDF::new_from_impl(function)),
        args: vec![text],
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WithUnit {
    signature: Signature,
}

impl ScalarUDFImpl for WithUnit {
    fn name(&self) -> &str {
        "interval_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args.as_slice(), [ColumnarValue::Scalar(_)]);
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(values) = values.first() else {
            return Err(DataFusionError::Internal(
                "an interval of nothing".to_owned(),
            ));
        };
        let texts = cast(values, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().iter();
        let texts: StringArray = texts
            .map(|text| text.map(|text| seconds_of(text).unwrap_or_else(|| text.to_owned())))
            .collect();
        let texts: ArrayRef = Arc::new(texts);
        match scalar {
            true => ScalarValue::try_from_array(&texts, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(texts)),
        }
    }
}

/// A number with its unit; `None`: the text is none.
fn seconds_of(text: &str) -> Option<String> {
    let number = text.trim();
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{number} seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_without_unit_is_one_of_seconds() {
        for (text, with_unit) in [
            ("100", Some("100 seconds")),
            (" -4.5 ", Some("-4.5 seconds")),
            ("1 day", None),
            ("", None),
            (".", None),
            ("1:30", None),
        ] {
            assert_eq!(seconds_of(text).as_deref(), with_unit, "{text}");
        }
    }
}
