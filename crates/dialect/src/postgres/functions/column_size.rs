//! `pg_column_size(x)`: the bytes of a value. Values of a fixed size have that of their type in
//! PostgreSQL. Others have the bytes of their text and of the 4 bytes in front of it that PostgreSQL
//! has for values that are not stored, which is PostgreSQL's size for texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_engine::as_written;

use crate::postgres::PG_TYPE;
use crate::postgres::pg_catalog::types::{by_oid, of_arrow, of_shape};

/// The bytes in front of a value of any size.
const HEADER: usize = 4;

#[derive(Debug, PartialEq, Eq, Hash)]
struct ColumnSize {
    signature: Signature,
}

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(ColumnSize {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// Returns the bytes of the values of a type, if all have the same size.
fn fixed_size(field: &Field) -> Option<i32> {
    let oid = match field.metadata().get(PG_TYPE) {
        Some(pg_type) => of_shape(pg_type),
        None => of_arrow(field.data_type()).oid,
    };
    let size = by_oid(oid)?.len;
    i32::try_from(size).ok().filter(|size| *size > 0)
}

/// Returns the sizes of values. `fixed`: that of all that are not NULL.
fn sizes(values: &ArrayRef, fixed: Option<i32>) -> Result<Int32Array> {
    if let Some(size) = fixed {
        let is_there = |row| (!values.is_null(row)).then_some(size);
        return Ok((0..values.len()).map(is_there).collect());
    }
    let size = |bytes: usize| i32::try_from(bytes.saturating_add(HEADER)).unwrap_or(i32::MAX);
    let is_bytes = matches!(
        values.data_type(),
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    );
    if is_bytes {
        let bytes = cast(values, &DataType::Binary)?;
        let bytes = bytes.as_binary::<i32>();
        return Ok(bytes
            .iter()
            .map(|value| value.map(<[u8]>::len).map(size))
            .collect());
    }
    let texts = cast(&as_written(Arc::clone(values))?, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts
        .iter()
        .map(|text| text.map(str::len).map(size))
        .collect())
}

impl ScalarUDFImpl for ColumnSize {
    fn name(&self) -> &str {
        "pg_column_size"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let fixed = args.arg_fields.first().and_then(|field| fixed_size(field));
        Ok(match args.args.first() {
            Some(ColumnarValue::Array(values)) => {
                ColumnarValue::Array(Arc::new(sizes(values, fixed)?))
            }
            Some(ColumnarValue::Scalar(value)) => {
                let sizes = sizes(&value.to_array()?, fixed)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&sizes, 0)?)
            }
            None => ColumnarValue::Scalar(ScalarValue::Int32(None)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{BinaryArray, Int64Array, NullArray, StringArray};

    use super::*;
    use crate::postgres::hinted_field;

    #[test]
    fn types_of_a_fixed_size_have_that_of_postgres() {
        let plain = |data_type| Field::new("x", data_type, true);
        for (field, size) in [
            (plain(DataType::Boolean), Some(1)),
            (plain(DataType::Int16), Some(2)),
            (plain(DataType::Int32), Some(4)),
            (plain(DataType::Int64), Some(8)),
            (plain(DataType::Float32), Some(4)),
            (plain(DataType::Date32), Some(4)),
            (plain(DataType::Decimal128(10, 2)), None),
            (plain(DataType::Utf8), None),
            (plain(DataType::Null), None),
            (plain(DataType::new_list(DataType::Int32, true)), None),
            (hinted_field("x", DataType::Int64, "oid"), Some(4)),
            (hinted_field("x", DataType::Utf8, "name"), Some(64)),
            (hinted_field("x", DataType::Utf8, "char"), Some(1)),
            (hinted_field("x", DataType::Utf8, "uuid"), Some(16)),
            (hinted_field("x", DataType::Utf8, "json"), None),
        ] {
            assert_eq!(fixed_size(&field), size, "{field:?}");
        }
    }

    #[test]
    fn other_values_have_the_bytes_of_their_texts() {
        let sizes_of = |values: ArrayRef, fixed| {
            let sizes = sizes(&values, fixed).unwrap();
            sizes.iter().collect::<Vec<_>>()
        };
        let texts = StringArray::from(vec![Some("abc"), None, Some(""), Some("é")]);
        let expected = [Some(7), None, Some(4), Some(6)];
        assert_eq!(sizes_of(Arc::new(texts), None), expected);
        let bytes = BinaryArray::from_opt_vec(vec![Some(b"\x00\xff".as_slice()), None]);
        assert_eq!(sizes_of(Arc::new(bytes), None), [Some(6), None]);
        let numbers = Int64Array::from(vec![Some(1), None]);
        assert_eq!(sizes_of(Arc::new(numbers), Some(8)), [Some(8), None]);
        assert_eq!(sizes_of(Arc::new(NullArray::new(1)), None), [None]);
    }
}
