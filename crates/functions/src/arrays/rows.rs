//! Subscripts of rows: `ROW(4, 'b')[2]` is the second field.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{is_null, nullif};
use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use lakegate_error::{Code, Error};

use crate::entry::{Entry, Function, Known};
use crate::kernel::Kernel;

/// Returns the subscript of arrays and maps as one of rows too.
pub(super) fn subscript(of_arrays: Kernel) -> Entry {
    let inner = Arc::new(of_arrays.into_udf());
    Entry {
        function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(Subscript { inner }))),
        known: Known::Everywhere,
        page: None,
    }
}

#[derive(Debug)]
struct Subscript {
    /// The function of arrays and maps.
    inner: Arc<ScalarUDF>,
}

impl PartialEq for Subscript {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Subscript {}

impl Hash for Subscript {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Subscript {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let row = args.arg_fields.first().map(|field| field.data_type());
        match row {
            Some(DataType::Struct(fields)) => {
                let index = args.scalar_arguments.get(1).copied().flatten();
                let (_, field) = chosen(index, fields)?;
                Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
            }
            _ => self.inner.return_field_from_args(args),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [row, index] = args.args.as_slice() else {
            return self.inner.invoke_with_args(args);
        };
        let DataType::Struct(fields) = row.data_type() else {
            return self.inner.invoke_with_args(args);
        };
        let index = match index {
            ColumnarValue::Scalar(index) => Some(index),
            ColumnarValue::Array(_) => None,
        };
        let (place, _) = chosen(index, &fields)?;
        Ok(match row {
            ColumnarValue::Array(rows) => ColumnarValue::Array(column(rows, place)?),
            ColumnarValue::Scalar(row) => {
                let field = column(&row.to_array()?, place)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&field, 0)?)
            }
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Returns the field at a constant index, counted from 1, with its place.
fn chosen<'a>(index: Option<&ScalarValue>, fields: &'a Fields) -> Result<(usize, &'a FieldRef)> {
    let wrong = |message: String| Error::new(Code::TypeMismatch, message);
    let index = index.and_then(|index| match index.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(index)) => index,
        _ => None,
    });
    let Some(index) = index else {
        let message = "the index of a row must be a constant number".to_owned();
        return Err(wrong(message).into());
    };
    let place = usize::try_from(index).ok().and_then(|at| at.checked_sub(1));
    let field = place.and_then(|place| Some((place, fields.get(place)?)));
    field.ok_or_else(|| {
        let count = fields.len();
        wrong(format!("a row of {count} fields has no field {index}")).into()
    })
}

/// Returns a field of rows; it is NULL where the row is.
fn column(rows: &ArrayRef, place: usize) -> Result<ArrayRef> {
    let field = rows.as_struct().column(place);
    Ok(match rows.is_nullable() {
        true => nullif(field, &is_null(rows)?)?,
        false => Arc::clone(field),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn fields_of_rows_are_counted_from_one() {
        let second = "\"$subscript\"(ROW(4, 'b'), 2)";
        assert_eq!(value(second).await.unwrap(), "b");
        let query = "SELECT \"$subscript\"(r, 1) FROM (SELECT CASE WHEN x > 1 THEN ROW(x, 'b') END AS r FROM (VALUES (4), (1)) t(x)) u";
        assert_eq!(rows(query).await.unwrap(), ["4", "NULL"]);
        for (index, expected) in [
            ("0", "has no field 0"),
            ("3", "has no field 3"),
            ("NULL", "constant number"),
        ] {
            let call = format!("\"$subscript\"(ROW(4, 'b'), {index})");
            assert!(error(&call).await.contains(expected), "{index}");
        }
    }
}
