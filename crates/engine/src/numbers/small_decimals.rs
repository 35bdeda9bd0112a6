//! Sums, differences and products of decimals whose numbers have at most 64 bits.
//!
//! The kernels of `arrow-arith`, 59, calculate with 128 bits, and check each step: for a row of
//! `1 - discount`, two multiplications and a subtraction. In TPC-H 1 this takes a third of the time.
//! No step with numbers of 64 bits overflows, and no result has more than 38 digits:
//!
//! ```text
//! a * b     less than 2^126, which has 38 digits
//! a ± b     both get at most nine places: less than 2^94
//! ```
//!
//! So all rows are calculated first, and then it is known whether all numbers were small. Otherwise
//! the kernels decide, also for NULLs in whose place there is a large number. Delete this when the
//! kernels do the same.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, Operator};

/// Places that the numbers of a sum may get, to have as many as the sum has.
const MOST_PLACES: u32 = 9;

/// Returns `left op right` with this type, of which at least one is an array; `None` if the kernels
/// are to calculate it.
pub(super) fn calculated(
    op: Operator,
    left: &ColumnarValue,
    right: &ColumnarValue,
    to: &DataType,
) -> Option<ArrayRef> {
    let DataType::Decimal128(_, scale) = to else {
        return None;
    };
    let (left, right) = (Operand::of(left)?, Operand::of(right)?);
    let values = match op {
        Operator::Multiply => {
            if left.scale.checked_add(right.scale) != Some(*scale) {
                return None;
            }
            each(&left, &right, |left, right| {
                i128::from(left) * i128::from(right)
            })
        }
        Operator::Plus | Operator::Minus => {
            let of_left = unit(*scale, left.scale)?;
            let of_right = unit(*scale, right.scale)?;
            let product = |number: i64, unit: i64| i128::from(number) * i128::from(unit);
            if op == Operator::Plus {
                each(&left, &right, |left, right| {
                    product(left, of_left) + product(right, of_right)
                })
            } else {
                each(&left, &right, |left, right| {
                    product(left, of_left) - product(right, of_right)
                })
            }
        }
        _ => None,
    };
    let nulls = NullBuffer::union(left.nulls, right.nulls);
    let decimals = PrimitiveArray::<Decimal128Type>::try_new(values?.into(), nulls).ok()?;
    Some(Arc::new(decimals.with_data_type(to.clone())))
}

/// Returns the number of units of a scale in one of another scale.
fn unit(to: i8, from: i8) -> Option<i64> {
    let places = u32::try_from(to.checked_sub(from)?).ok()?;
    (places <= MOST_PLACES).then(|| 10_i64.pow(places))
}

struct Operand<'a> {
    numbers: Numbers<'a>,
    nulls: Option<&'a NullBuffer>,
    scale: i8,
}

enum Numbers<'a> {
    /// The same for all rows.
    One(i64),
    /// One for each row.
    Many(&'a [i128]),
}

impl<'a> Operand<'a> {
    fn of(value: &'a ColumnarValue) -> Option<Self> {
        match value {
            ColumnarValue::Array(array) => {
                let DataType::Decimal128(_, scale) = array.data_type() else {
                    return None;
                };
                let array = array.as_primitive_opt::<Decimal128Type>()?;
                Some(Self {
                    numbers: Numbers::Many(array.values()),
                    nulls: array.nulls(),
                    scale: *scale,
                })
            }
            ColumnarValue::Scalar(ScalarValue::Decimal128(Some(number), _, scale)) => Some(Self {
                numbers: Numbers::One(i64::try_from(*number).ok()?),
                nulls: None,
                scale: *scale,
            }),
            ColumnarValue::Scalar(_) => None,
        }
    }
}

/// Returns what is calculated of the numbers of each row; `None` if a number has more than 64 bits.
fn each(
    left: &Operand<'_>,
    right: &Operand<'_>,
    result: impl Fn(i64, i64) -> i128,
) -> Option<Vec<i128>> {
    // Bits of numbers that are not those of their lower half with its sign.
    let mut beyond = 0_i64;
    let mut lower = |number: i128| {
        let lower = number as i64;
        beyond |= (number >> 64) as i64 ^ (lower >> 63);
        lower
    };
    // Loops, because adapters of iterators are calls where units of compilation are many.
    let values = match (&left.numbers, &right.numbers) {
        (Numbers::Many(left), Numbers::Many(right)) if left.len() == right.len() => {
            let mut values = vec![0_i128; left.len()];
            for ((value, left), right) in values.iter_mut().zip(left.iter()).zip(right.iter()) {
                *value = result(lower(*left), lower(*right));
            }
            values
        }
        (Numbers::One(left), Numbers::Many(right)) => {
            let mut values = vec![0_i128; right.len()];
            for (value, right) in values.iter_mut().zip(right.iter()) {
                *value = result(*left, lower(*right));
            }
            values
        }
        (Numbers::Many(left), Numbers::One(right)) => {
            let mut values = vec![0_i128; left.len()];
            for (value, left) in values.iter_mut().zip(left.iter()) {
                *value = result(lower(*left), *right);
            }
            values
        }
        _ => return None,
    };
    (beyond == 0).then_some(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Decimal128Array;
    use arrow::compute::kernels::numeric::{add, mul, sub};
    use datafusion::physical_expr_common::datum::apply;

    use super::*;

    /// Small numbers, and the ends of 64 bits.
    const NUMBERS: [i128; 9] = [
        0,
        1,
        -1,
        5,
        -1_234_567,
        i64::MAX as i128,
        i64::MIN as i128,
        9_999_999_999,
        -100,
    ];

    fn decimals(numbers: &[Option<i128>], precision: u8, scale: i8) -> ColumnarValue {
        let decimals: Decimal128Array = numbers.iter().copied().collect();
        let decimals = decimals.with_data_type(DataType::Decimal128(precision, scale));
        ColumnarValue::Array(Arc::new(decimals))
    }

    fn one(number: i128, precision: u8, scale: i8) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::Decimal128(Some(number), precision, scale))
    }

    fn check(op: Operator, left: &ColumnarValue, right: &ColumnarValue) {
        let kernel = match op {
            Operator::Plus => add,
            Operator::Minus => sub,
            _ => mul,
        };
        let expected = apply(left, right, kernel).unwrap().into_array(1).unwrap();
        let found = calculated(op, left, right, expected.data_type()).unwrap();
        assert_eq!(&found, &expected, "{op}");
    }

    #[test]
    fn small_numbers_have_the_results_of_the_kernels() {
        let pairs = NUMBERS
            .iter()
            .flat_map(|left| NUMBERS.iter().map(move |right| (*left, *right)));
        let (left, right): (Vec<_>, Vec<_>) = pairs
            .enumerate()
            .map(|(row, (left, right))| {
                let left = (row % 7 != 0).then_some(left);
                (left, (row % 5 != 0).then_some(right))
            })
            .unzip();
        for op in [Operator::Plus, Operator::Minus, Operator::Multiply] {
            for (of_left, of_right) in [(2, 2), (0, 2), (2, 0), (0, 9), (4, -2)] {
                let lefts = decimals(&left, 19, of_left);
                let rights = decimals(&right, 19, of_right);
                check(op, &lefts, &rights);
                for number in NUMBERS {
                    check(op, &lefts, &one(number, 19, of_right));
                    check(op, &one(number, 19, of_left), &rights);
                }
            }
            check(op, &decimals(&[], 5, 1), &decimals(&[], 5, 1));
            check(op, &decimals(&[None], 5, 1), &one(3, 5, 1));
        }
    }

    #[test]
    fn large_numbers_are_left_to_the_kernels() {
        let to = DataType::Decimal128(38, 2);
        let small = decimals(&[Some(1), Some(2)], 38, 2);
        for number in [
            i64::MAX as i128 + 1,
            i64::MIN as i128 - 1,
            1 << 64,
            1 << 120,
        ] {
            let large = decimals(&[Some(1), Some(number)], 38, 2);
            for (left, right) in [(&small, &large), (&large, &small)] {
                assert!(calculated(Operator::Plus, left, right, &to).is_none());
            }
            let one = one(number, 38, 2);
            assert!(calculated(Operator::Minus, &small, &one, &to).is_none());
        }
        // Sums that get many places, other scales, NULL, and operators that are not here.
        let whole = decimals(&[Some(1), Some(2)], 20, 0);
        let places = decimals(&[Some(1), Some(2)], 38, 10);
        let of_places = DataType::Decimal128(38, 10);
        assert!(calculated(Operator::Plus, &whole, &places, &of_places).is_none());
        assert!(calculated(Operator::Multiply, &small, &whole, &of_places).is_none());
        let null = ColumnarValue::Scalar(ScalarValue::Decimal128(None, 38, 2));
        assert!(calculated(Operator::Plus, &small, &null, &to).is_none());
        assert!(calculated(Operator::Divide, &small, &small, &to).is_none());
        let two = one(2, 38, 2);
        assert!(calculated(Operator::Plus, &two, &two, &to).is_none());
    }
}
