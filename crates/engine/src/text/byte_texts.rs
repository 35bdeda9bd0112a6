//! `CAST(bytes AS VARCHAR)` writes bytes in hex, as in PostgreSQL: `\x01ff`. DataFusion's cast
//! decodes them as UTF-8, which `convert_from(bytes, 'UTF8')` does.
//!
//! An analyzer rule that runs before type coercion, so that each cast is one of the statement.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::{limits::bounded, plans::expressions};

const NAME: &str = "bytes_as_text";

/// Puts [`InHex`] into casts of bytes to texts. Not for Trino's dialects, which refuse them.
#[derive(Debug)]
pub(crate) struct ByteTexts;

impl AnalyzerRule for ByteTexts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, is_to_text, rewritten)
    }

    fn name(&self) -> &str {
        "byte_texts"
    }
}

fn is_to_text(expr: &Expr) -> bool {
    expressions::cast_type(expr).is_some_and(DataType::is_string)
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    if !is_to_text(&expr) {
        return Transformed::no(expr);
    }
    let is_bytes = |inner: &Expr| inner.get_type(schema).is_ok_and(|of| of.is_binary());
    expressions::with_operand(expr, is_bytes, in_hex)
}

fn in_hex(expr: Expr) -> Expr {
    let function = InHex {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InHex {
    signature: Signature,
}

pub(crate) fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    let bytes = cast(values, &DataType::Binary)?;
    let bytes = bytes.as_binary::<i32>();
    let lengths = bytes.iter().flatten().map(<[u8]>::len);
    let size: usize = lengths.map(|length| 2 + 2 * length).sum();
    bounded::check_batch(NAME, size)?;
    let mut texts = StringBuilder::with_capacity(bytes.len(), size);
    for value in bytes {
        texts.append_option(value.map(hex));
    }
    Ok(Arc::new(texts.finish()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

impl ScalarUDFImpl for InHex {
    fn name(&self) -> &str {
        NAME
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
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
        expressions::applied(args.args.first(), texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[]), "\\x");
        assert_eq!(hex(&[0, 1, 0xab, 0xff]), "\\x0001abff");
    }
}
