//! Intervals of text, as PostgreSQL has them.
//!
//! ```text
//! CAST('100' AS INTERVAL)                  100 seconds     the engine: 100 months
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::engine::expressions;

/// A text that is to be cast to an interval, where a mere number is one of seconds.
pub(super) fn with_unit(text: Expr) -> Expr {
    let function = WithUnit {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![text])
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
        expressions::applied(args.args.first(), |texts| {
            let texts = cast(texts, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>().iter();
            let texts: StringArray = texts
                .map(|text| text.map(|text| seconds_of(text).unwrap_or_else(|| text.to_owned())))
                .collect();
            Ok(Arc::new(texts))
        })
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
