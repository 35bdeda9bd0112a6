//! Values that have the marks of a field.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::plans::expressions;

/// Returns a value with the marks of a field, which the engine's expressions forget.
pub fn marked(value: Expr, field: &Field) -> Expr {
    let marks = field.metadata().iter();
    let function = Marked {
        marks: marks
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Marked {
    marks: BTreeMap<String, String>,
    signature: Signature,
}

impl ScalarUDFImpl for Marked {
    fn name(&self) -> &str {
        "marked"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(without_argument)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = args.arg_fields.first().ok_or_else(without_argument)?;
        let field = Field::new(self.name(), of.data_type().clone(), true);
        Ok(Arc::new(
            field.with_metadata(self.marks.clone().into_iter().collect()),
        ))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args.into_iter().next().ok_or_else(without_argument)
    }
}

fn without_argument() -> DataFusionError {
    DataFusionError::Internal("a mark without its value".to_owned())
}
