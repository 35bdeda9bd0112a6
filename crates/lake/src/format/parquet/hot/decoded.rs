//! Arrays as the decoder gave them, on which conditions are tested.
//!
//! A decimal that the file has in 32 or 64 bits is decoded with as many: a comparison with constants needs no
//! more, and only the rows that pass are made as wide as the column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::datatypes::{
    ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type,
    Decimal64Type, Decimal128Type, Int16Type, Int32Type, Int64Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow::error::ArrowError;
use parquet::basic::Type;

use super::between::Between;
use super::flags;

/// Some rows of a column.
#[derive(Debug)]
pub(super) struct Decoded {
    array: ArrayRef,
    /// The type of the column.
    data_type: DataType,
}

impl Decoded {
    /// `array`: of the type, or a decimal of fewer bits.
    pub(super) fn new(array: ArrayRef, data_type: DataType) -> Self {
        Self { array, data_type }
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.array.len()
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.array.get_array_memory_size()
    }

    /// Rows from `from` on, as many as `count`: there are as many.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        widened(&self.array.slice(from, count), &self.data_type)
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true: there are as many.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let rows = self.array.slice(from, chosen.len());
        widened(&filter(&rows, chosen)?, &self.data_type)
    }

    /// For each of the rows from `from` on, as many as `count`: whether its number is among these. `None`: they
    /// are no whole numbers, or fewer.
    pub(super) fn among(
        &self,
        between: &Between,
        from: usize,
        count: usize,
    ) -> Option<BooleanBuffer> {
        if from.checked_add(count)? > self.array.len() {
            return None;
        }
        let rows = self.array.slice(from, count);
        let inside = match rows.data_type() {
            DataType::Int16 => inside::<Int16Type>(&rows, between),
            DataType::Int32 => inside::<Int32Type>(&rows, between),
            DataType::Int64 => inside::<Int64Type>(&rows, between),
            DataType::UInt16 => inside::<UInt16Type>(&rows, between),
            DataType::UInt32 => inside::<UInt32Type>(&rows, between),
            DataType::UInt64 => inside::<UInt64Type>(&rows, between),
            DataType::Date32 => inside::<Date32Type>(&rows, between),
            DataType::Date64 => inside::<Date64Type>(&rows, between),
            DataType::Decimal32(..) => inside::<Decimal32Type>(&rows, between),
            DataType::Decimal64(..) => inside::<Decimal64Type>(&rows, between),
            DataType::Decimal128(..) => inside::<Decimal128Type>(&rows, between),
            _ => None,
        }?;
        let among = if between.is_outside { !&inside } else { inside };
        Some(match rows.nulls() {
            Some(valid) => &among & valid.inner(),
            None => among,
        })
    }
}

/// For each row: whether its number is between the two, both included; of a NULL it says nothing.
fn inside<T>(rows: &ArrayRef, between: &Between) -> Option<BooleanBuffer>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    let rows = rows.as_primitive_opt::<T>()?;
    let least = between.least.max(T::Native::MIN_TOTAL_ORDER.into());
    let greatest = between.greatest.min(T::Native::MAX_TOTAL_ORDER.into());
    let ends = (T::Native::try_from(least), T::Native::try_from(greatest));
    Some(match ends {
        (Ok(least), Ok(greatest)) => flags::within(rows.values(), least, greatest),
        _ => BooleanBuffer::new_unset(rows.len()),
    })
}

/// The type of as few bits as a file has for a decimal. `None`: the column is not a decimal, or has as many.
pub(super) fn narrow_type(data_type: &DataType, of_file: Type) -> Option<DataType> {
    match (data_type, of_file) {
        (DataType::Decimal128(precision @ ..=9, scale), Type::INT32) => {
            Some(DataType::Decimal32(*precision, *scale))
        }
        (DataType::Decimal128(precision @ ..=18, scale), Type::INT64) => {
            Some(DataType::Decimal64(*precision, *scale))
        }
        _ => None,
    }
}

/// The array with the type of its column, of which it has all or, of a decimal, fewer bits.
///
/// # Errors
/// The type is none.
pub(super) fn widened(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let DataType::Decimal128(precision, scale) = data_type else {
        return Ok(Arc::clone(array));
    };
    let wide: Decimal128Array = match array.data_type() {
        DataType::Decimal32(..) => array.as_primitive::<Decimal32Type>().unary(i128::from),
        DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().unary(i128::from),
        _ => return Ok(Arc::clone(array)),
    };
    Ok(Arc::new(wide.with_precision_and_scale(*precision, *scale)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Decimal64Array, Int16Array, Int64Array, UInt64Array};
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
    use datafusion::physical_plan::PhysicalExpr;

    use super::*;

    fn between(operator: Operator, constant: ScalarValue) -> Between {
        let data_type = constant.data_type();
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("n", 0));
        let compared: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(column, operator, lit(constant)));
        Between::of(&compared, &data_type).unwrap().0
    }

    fn rows(decoded: &Decoded, between: &Between) -> Vec<usize> {
        let among = decoded.among(between, 0, decoded.len()).unwrap();
        among.set_indices().collect()
    }

    #[test]
    fn numbers_are_compared_up_to_their_ends() {
        use Operator as O;
        let values = vec![Some(i64::MIN), None, Some(-1), Some(7), Some(i64::MAX)];
        let values: ArrayRef = Arc::new(Int64Array::from(values));
        let decoded = Decoded::new(values, DataType::Int64);
        for (operator, constant, expected) in [
            (O::Lt, 7, vec![0, 2]),
            (O::LtEq, 7, vec![0, 2, 3]),
            (O::GtEq, -1, vec![2, 3, 4]),
            (O::Eq, i64::MIN, vec![0]),
            (O::NotEq, 7, vec![0, 2, 4]),
            (O::Lt, i64::MIN, vec![]),
            (O::Gt, i64::MAX, vec![]),
            (O::GtEq, i64::MIN, vec![0, 2, 3, 4]),
        ] {
            let between = between(operator, ScalarValue::Int64(Some(constant)));
            assert_eq!(rows(&decoded, &between), expected, "{operator} {constant}");
        }
        let all = between(O::Lt, ScalarValue::Int64(Some(0)));
        assert_eq!(decoded.among(&all, 2, 3).unwrap().count_set_bits(), 1);
        assert!(decoded.among(&all, 2, 4).is_none());
        assert!(decoded.among(&all, usize::MAX, 1).is_none());
    }

    #[test]
    fn constants_that_no_number_of_the_type_reaches_are_compared() {
        let wide = |operator, constant: i128| {
            between(operator, ScalarValue::Decimal128(Some(constant), 38, 0))
        };
        let arrays: [(ArrayRef, DataType); 3] = [
            (Arc::new(Int16Array::from(vec![-5, 5])), DataType::Int16),
            (Arc::new(UInt64Array::from(vec![0, 5])), DataType::UInt64),
            (
                Arc::new(Decimal64Array::from(vec![-5, 5])),
                DataType::Decimal128(18, 0),
            ),
        ];
        for (array, data_type) in arrays {
            let decoded = Decoded::new(array, data_type);
            assert_eq!(rows(&decoded, &wide(Operator::Lt, i128::MAX)), [0, 1]);
            assert_eq!(rows(&decoded, &wide(Operator::Gt, i128::MIN)), [0, 1]);
            assert!(rows(&decoded, &wide(Operator::Gt, i128::MAX - 1)).is_empty());
            assert!(rows(&decoded, &wide(Operator::Lt, i128::MIN + 1)).is_empty());
            assert_eq!(rows(&decoded, &wide(Operator::NotEq, 1 << 70)), [0, 1]);
            assert_eq!(rows(&decoded, &wide(Operator::GtEq, 1)), [1]);
        }
    }

    #[test]
    fn decimals_become_as_wide_as_their_column() {
        let narrowed =
            |precision, of_file| narrow_type(&DataType::Decimal128(precision, 2), of_file);
        assert_eq!(narrowed(7, Type::INT32), Some(DataType::Decimal32(7, 2)));
        assert_eq!(narrowed(7, Type::INT64), Some(DataType::Decimal64(7, 2)));
        assert_eq!(narrowed(10, Type::INT32), None);
        assert_eq!(narrowed(19, Type::INT64), None);
        assert_eq!(narrowed(7, Type::FIXED_LEN_BYTE_ARRAY), None);
        assert_eq!(narrow_type(&DataType::Int64, Type::INT64), None);

        let values = Decimal64Array::from(vec![Some(i64::MIN), None, Some(12)]);
        let values = values.with_precision_and_scale(15, 2).unwrap();
        let data_type = DataType::Decimal128(15, 2);
        let decoded = Decoded::new(Arc::new(values), data_type.clone());
        let expected = |values: Vec<Option<i128>>| -> ArrayRef {
            let values = Decimal128Array::from(values);
            Arc::new(values.with_precision_and_scale(15, 2).unwrap())
        };
        let all = [Some(i128::from(i64::MIN)), None, Some(12)];
        assert_eq!(&decoded.rows(0, 3).unwrap(), &expected(all.to_vec()));
        let chosen = BooleanArray::from(vec![false, true]);
        let last = decoded.chosen(1, &chosen).unwrap();
        assert_eq!(&last, &expected(vec![Some(12)]));
        // What is wide, or no decimal, stays.
        let wide = expected(vec![Some(1)]);
        assert_eq!(&widened(&wide, &data_type).unwrap(), &wide);
    }
}
