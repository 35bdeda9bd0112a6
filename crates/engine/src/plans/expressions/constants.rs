//! Functions whose result for constants is a constant.

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;

/// Returns whether all arguments are constants.
pub(crate) fn are_constants(args: &[ColumnarValue]) -> bool {
    args.iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}

/// Returns the result of a function. If its arguments were `constants`, it has one row and is a
/// constant.
///
/// # Errors
///
/// Returns an error if its type has no constants.
pub(crate) fn made(values: ArrayRef, constants: bool) -> Result<ColumnarValue> {
    Ok(match constants {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
        false => ColumnarValue::Array(values),
    })
}

/// Applies `of` to an argument. The result for a constant is a constant.
///
/// # Errors
///
/// Returns the error of `of`, or an error if there is no argument.
pub(crate) fn applied(
    argument: Option<&ColumnarValue>,
    of: impl FnOnce(&ArrayRef) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    Ok(match argument {
        Some(ColumnarValue::Array(values)) => ColumnarValue::Array(of(values)?),
        Some(ColumnarValue::Scalar(value)) => {
            let values = of(&value.to_array()?)?;
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        }
        None => {
            return Err(DataFusionError::Internal(
                "a call without its argument".to_owned(),
            ));
        }
    })
}
