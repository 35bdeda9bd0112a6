//! The columns of `UNNEST` over a map or an array of rows.
//!
//! A rewrite makes `UNNEST(x) AS u (a, b)` the call `UNNEST("$unnested"(x, 0, 2), "$unnested"(x, 1, 2))`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::bounded;
use lakegate_error::{Code, Error};

use crate::casts::below;
use crate::entry::{Entry, Function, Known};

const NAME: &str = "$unnested";

pub(crate) fn entries() -> Vec<Entry> {
    vec![Entry {
        function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(Unnested {
            signature: Signature::any(3, Volatility::Immutable),
        }))),
        known: Known::Everywhere,
        page: None,
    }]
}

/// `"$unnested"(value, index, count)`: the array of column `index` of the `count` columns that the
/// unnested value has.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unnested {
    signature: Signature,
}

impl ScalarUDFImpl for Unnested {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(Error::internal("the type of $unnested depends on its index").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (Some(value), [_, index, count]) = (args.arg_fields.first(), args.scalar_arguments)
        else {
            return Err(Error::internal("$unnested takes three arguments").into());
        };
        let constant = |value: &Option<&ScalarValue>| match value {
            Some(ScalarValue::Int64(Some(number))) => usize::try_from(*number).ok(),
            _ => None,
        };
        let (Some(index), Some(count)) = (constant(index), constant(count)) else {
            return Err(Error::internal("$unnested takes constants").into());
        };
        let item = item(value.data_type(), index, count)?;
        let list = DataType::List(Arc::new(item));
        Ok(Arc::new(Field::new(NAME, list, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        bounded::check_arguments(NAME, &args.args, args.number_rows)?;
        let [value, index, _] = args.args.as_slice() else {
            return Err(Error::internal("$unnested takes three arguments").into());
        };
        let index = index.to_array(1)?;
        let index = usize::try_from(index.as_primitive::<Int64Type>().value(0)).unwrap_or(0);
        let (array, constant) = match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(value) => (value.to_array_of_size(1)?, true),
        };
        let column = column(&array, index)?;
        let column = arrow::compute::cast(&column, args.return_field.data_type())?;
        Ok(match constant {
            true => ColumnarValue::Scalar(match column.as_list_opt::<i32>() {
                // The general way drops the metadata of a list's items.
                Some(list) => ScalarValue::List(Arc::new(list.slice(0, 1))),
                None => ScalarValue::try_from_array(&column, 0)?,
            }),
            false => ColumnarValue::Array(column),
        })
    }
}

/// The field of a column's items, with the mark of its type.
fn item(value: &DataType, index: usize, count: usize) -> Result<Field> {
    let of = |fields: &arrow::datatypes::Fields| match fields.get(index) {
        Some(field) if fields.len() == count => {
            let marks = field.metadata().iter();
            let marks = marks.filter(|(key, _)| key.starts_with("ARROW:extension:"));
            let marks = marks.map(|(key, mark)| (key.clone(), mark.clone()));
            let item = Field::new_list_field(field.data_type().clone(), true);
            Ok(item.with_metadata(marks.collect()))
        }
        _ => Err(names(count, fields.len())),
    };
    match value {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => of(fields),
            _ => Err(Error::internal("a map without entries").into()),
        },
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) => of(fields),
            _ => Err(names(count, 1)),
        },
        DataType::Null => Ok(Field::new_list_field(DataType::Null, true)),
        other => Err(Error::new(
            Code::TypeMismatch,
            format!("UNNEST takes arrays and maps, not {other}"),
        )
        .into()),
    }
}

fn names(count: usize, columns: usize) -> DataFusionError {
    Error::new(
        Code::InvalidQuery,
        format!("UNNEST has {columns} columns available but {count} columns specified"),
    )
    .with_hint(
        "name one column for an array, two for a map, and one for each field of an array of rows",
    )
    .into()
}

/// The lists of one column: keys, values, or a field of the items.
fn column(array: &ArrayRef, index: usize) -> Result<ArrayRef> {
    if let Some(maps) = array.as_map_opt() {
        let items = Arc::clone(maps.entries().column(index));
        let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
        let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
        return Ok(Arc::new(ListArray::try_new(field, offsets, items, nulls)?));
    }
    let Some(lists) = array.as_list_opt::<i32>() else {
        return Ok(Arc::clone(array));
    };
    let rows = lists.values().as_struct();
    let items = below(rows.column(index), rows)?;
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
    Ok(Arc::new(ListArray::try_new(field, offsets, items, nulls)?))
}
