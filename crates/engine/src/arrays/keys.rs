//! Comparison keys of arrays and the structs in them: bytes that sort in the order of the values.
//!
//! ```text
//! a < b             array_key(a) < array_key(b)
//! ORDER BY a        ORDER BY array_key(a)
//! ```
//!
//! A key is the engine's row sort format, with NULL after all other items, floating-point numbers
//! with one NaN and one zero, and intervals ordered by length. The key of NULL is NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, StructArray};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Field};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::numbers::floats;
use crate::{plans::expressions, time};

/// Returns whether values of a type are arrays.
pub fn is_array(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    )
}

/// Returns whether values of a type are ordered by keys: arrays and structs, except those that hold
/// maps.
pub(crate) fn is_keyed(data_type: &DataType) -> bool {
    data_type.is_nested() && has_key(data_type)
}

fn has_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            has_key(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().all(|field| has_key(field.data_type())),
        other => !other.is_nested(),
    }
}

/// Returns the key of an expression of a type that [`is_keyed`].
pub(crate) fn key(expr: Expr) -> Expr {
    let is_key = |expr: &Expr| match expr {
        Expr::ScalarFunction(call) => call.func.inner().is::<Key>(),
        _ => false,
    };
    if is_key(&expr) {
        return expr;
    }
    let function = Key {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    signature: Signature,
}

impl ScalarUDFImpl for Key {
    fn name(&self) -> &str {
        "array_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| {
            Ok(Arc::new(key_column(values)?))
        })
    }
}

fn key_column(values: &ArrayRef) -> Result<BinaryArray> {
    let keys = keys_of(values)?.try_into_binary()?;
    let (offsets, bytes, _) = keys.into_parts();
    Ok(BinaryArray::try_new(
        offsets,
        bytes,
        values.logical_nulls(),
    )?)
}

/// Returns the key of each value, of any type. Equal values have equal keys, including NULL.
///
/// # Errors
///
/// Returns an error if the type has no order.
pub(crate) fn keys_of(values: &ArrayRef) -> Result<Rows> {
    let values = plain(values)?;
    let options = SortOptions {
        descending: false,
        nulls_first: false,
    };
    let field = SortField::new_with_options(values.data_type().clone(), options);
    Ok(RowConverter::new(vec![field])?.convert_columns(&[values])?)
}

/// Returns values that the engine compares in the right order: keys for arrays and structs, and
/// replacements for floating-point numbers and intervals. Other values are returned unchanged.
///
/// # Errors
///
/// Returns an error if the type has no order.
pub(crate) fn comparable(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        nested if is_keyed(nested) => Ok(Arc::new(key_column(values)?)),
        _ => plain(values),
    }
}

/// Replaces floating-point numbers and intervals, at every depth, by values that are identical if
/// they are equal and that sort in the right order.
fn plain(values: &ArrayRef) -> Result<ArrayRef> {
    let renewed = |item: &Field, values: &ArrayRef| {
        Arc::new(item.clone().with_data_type(values.data_type().clone()))
    };
    Ok(match values.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => floats::one_zero(values)?,
        DataType::Interval(_) | DataType::Duration(_) => Arc::new(time::lengths(values)?),
        DataType::List(item) => {
            let list = values.as_list::<i32>();
            let items = plain(list.values())?;
            Arc::new(ListArray::try_new(
                renewed(item, &items),
                list.offsets().clone(),
                items,
                list.nulls().cloned(),
            )?)
        }
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            plain(&cast(values, &DataType::List(Arc::clone(item)))?)?
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let structs = values.as_struct();
            let columns = structs.columns().iter().map(plain);
            let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
            let fields = fields.iter().zip(&columns);
            let fields = fields.map(|(field, column)| renewed(field, column));
            Arc::new(StructArray::try_new(
                fields.collect(),
                columns,
                structs.nulls().cloned(),
            )?)
        }
        _ => Arc::clone(values),
    })
}
