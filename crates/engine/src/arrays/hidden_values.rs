//! Removes the items behind NULL lists and structs.
//!
//! DataFusion's CASE and `nullif` mark a value as NULL and leave its items in place
//! (`arrow-select`, `zip` and `nullif`, 59.3). Functions that read items do not check whether the
//! value is NULL (`general_append_and_prepend` and `get_field` of `datafusion-functions`, 55.2):
//!
//! ```text
//! CASE WHEN false THEN ARRAY[1, 2] END || 7       DataFusion: {1,2,7}; correct: {7}
//! (CASE WHEN false THEN s END).f                  DataFusion: the field of s; correct: NULL
//! ```
//!
//! An analyzer rule, which runs after type coercion. Delete this when all such functions check.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Wraps expressions that produce NULLs in [`Emptied`].
#[derive(Debug)]
pub(crate) struct EmptyNulls;

impl AnalyzerRule for EmptyNulls {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, |expr| makes_nulls(expr) || is_emptied(expr), emptied)
    }

    fn name(&self) -> &str {
        "empty_nulls"
    }
}

fn makes_nulls(expr: &Expr) -> bool {
    match expr {
        Expr::Case(_) => true,
        Expr::ScalarFunction(call) => call.func.name() == "nullif",
        _ => false,
    }
}

fn is_emptied(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<Emptied>())
}

fn emptied(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    if makes_nulls(&expr) && expr.get_type(schema).is_ok_and(|it| it.is_nested()) {
        let function = Emptied {
            signature: Signature::any(1, Volatility::Immutable),
        };
        return Transformed::yes(expressions::call(function, vec![expr]));
    }
    // A plan may be analyzed twice.
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, mut args })
            if func.inner().is::<Emptied>() && args.iter().all(is_emptied) =>
        {
            match args.pop() {
                Some(inner) => Transformed::yes(inner),
                None => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
            }
        }
        expr => Transformed::no(expr),
    }
}

/// Returns its argument without the items behind NULLs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Emptied {
    signature: Signature,
}

impl ScalarUDFImpl for Emptied {
    fn name(&self) -> &str {
        "emptied"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = args.arg_fields.first().cloned();
        field.ok_or_else(|| DataFusionError::Internal("emptied of nothing".to_owned()))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), without_hidden)
    }
}

fn without_hidden(values: &ArrayRef) -> Result<ArrayRef> {
    if values.null_count() == 0 {
        return Ok(Arc::clone(values));
    }
    let rows = (0..values.len()).map(|row| values.is_valid(row).then_some(row as u64));
    Ok(take(values, &UInt64Array::from_iter(rows), None)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, Int32Array, ListArray, StructArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{Field, Fields, Int32Type};

    use super::*;

    #[test]
    fn nulls_are_empty() {
        let items: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let nulls = || Some(NullBuffer::from(vec![false, true]));
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let offsets = OffsetBuffer::new(vec![0, 2, 3].into());
        let lists = ListArray::new(item, offsets, Arc::clone(&items), nulls());
        let empty = without_hidden(&(Arc::new(lists) as ArrayRef)).unwrap();
        let empty = empty.as_list::<i32>();
        assert_eq!(empty.value_offsets(), [0, 0, 1]);
        assert!(empty.is_null(0));
        let fields = Fields::from(vec![Field::new("f", DataType::Int32, true)]);
        let structs = StructArray::new(fields, vec![items.slice(0, 2)], nulls());
        let empty = without_hidden(&(Arc::new(structs) as ArrayRef)).unwrap();
        let field = empty.as_struct().column(0).as_primitive::<Int32Type>();
        assert!(empty.is_null(0) && field.is_null(0) && field.value(1) == 2);
    }
}
