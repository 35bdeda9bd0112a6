#![allow(clippy::unwrap_used)]
use arrow::array::Int64Array;

use super::*;

fn quotient(left: (i128, i8), right: (i128, i8), places: i8) -> Option<i128> {
    let power = i32::from(places) - i32::from(left.1) + i32::from(right.1);
    Scaling::new(power).quotient(left.0, right.0)
}

#[test]
fn quotients_are_rounded_away_from_zero() {
    // 10.00 / 3, 2.00 / 3, -2.00 / 3, 1 / 8, with few fractional digits.
    assert_eq!(quotient((1000, 2), (3, 0), 4), Some(33_333));
    assert_eq!(quotient((200, 2), (3, 0), 4), Some(6667));
    assert_eq!(quotient((-200, 2), (3, 0), 4), Some(-6667));
    assert_eq!(quotient((1, 0), (8, 0), 2), Some(13));
    assert_eq!(quotient((1, 0), (-8, 0), 2), Some(-13));
    // The divisor has the fractional digits, or the dividend has too many.
    assert_eq!(quotient((1, 0), (4, 1), 2), Some(250));
    assert_eq!(quotient((12_345, 4), (1, 0), 2), Some(123));
}

#[test]
fn many_digits_are_kept() {
    let large = 10_i128.pow(37);
    assert_eq!(quotient((large, 37), (3, 0), 37), Some(large / 3));
    assert_eq!(
        quotient((large, 20), (large, 20), 20),
        Some(10_i128.pow(20))
    );
    assert_eq!(
        quotient((-large, 0), (3 * large, 0), 16),
        Some(-3_333_333_333_333_333)
    );
    assert_eq!(quotient((large, 0), (1, 38), 16), None);
}

#[test]
fn products_of_quotients_are_rounded() {
    // 3.3333 * 6.6667 = 22.22211111
    assert_eq!(Scaling::new(-4).product(33_333, 66_667), Some(222_221));
    assert_eq!(Scaling::new(-4).product(33_333, -66_667), Some(-222_221));
    assert_eq!(
        Scaling::new(0).product(10_i128.pow(20), 10_i128.pow(20)),
        None
    );
}

#[test]
fn only_decimals_are_planned() {
    let decimal = DataType::Decimal128;
    let one = Expr::Literal(1_i64.into(), None);
    let of = |op: BinaryOperator, left: &DataType, right: &DataType| {
        let call = planned(&op, (&one, left), (&one, right))?;
        let Expr::ScalarFunction(call) = call else {
            return None;
        };
        call.func.return_type(&[left.clone(), right.clone()]).ok()
    };
    for (op, left, right, expected) in [
        (
            BinaryOperator::Divide,
            decimal(10, 2),
            DataType::Int64,
            Some(16),
        ),
        (
            BinaryOperator::Divide,
            DataType::Int32,
            decimal(10, 2),
            Some(16),
        ),
        (
            BinaryOperator::Divide,
            decimal(38, 20),
            decimal(38, 30),
            Some(20),
        ),
        (
            BinaryOperator::Divide,
            DataType::Int64,
            DataType::Int64,
            None,
        ),
        (
            BinaryOperator::Divide,
            decimal(10, 2),
            DataType::Float64,
            None,
        ),
        (
            BinaryOperator::Multiply,
            decimal(38, 16),
            decimal(38, 16),
            Some(16),
        ),
        (
            BinaryOperator::Multiply,
            decimal(38, 10),
            decimal(38, 10),
            None,
        ),
        (
            BinaryOperator::Multiply,
            decimal(20, 16),
            decimal(20, 16),
            Some(30),
        ),
        (
            BinaryOperator::Multiply,
            decimal(18, 16),
            decimal(18, 16),
            None,
        ),
        (BinaryOperator::Plus, decimal(10, 2), decimal(10, 2), None),
    ] {
        let expected = expected.map(|places| decimal(38, places));
        assert_eq!(of(op, &left, &right), expected, "{left} {right}");
    }
}

#[test]
fn nulls_and_constants_are_operands() {
    let function = Rounded {
        operation: Operation::Quotient,
        places: 16,
        signature: Signature::any(2, Volatility::Immutable),
    };
    let left: ArrayRef = Arc::new(
        Decimal128Array::from(vec![Some(250), None, Some(-100)])
            .with_precision_and_scale(10, 2)
            .unwrap(),
    );
    let right = Int64Array::new_scalar(3);
    let values = function.values(&left, &right).unwrap();
    let values = values.as_primitive::<Decimal128Type>();
    let expected = [
        Some(8_333_333_333_333_333),
        None,
        Some(-3_333_333_333_333_333),
    ];
    assert_eq!(values.iter().collect::<Vec<_>>(), expected);
    let types = [DataType::Decimal128(10, 2), DataType::Float64];
    assert_eq!(function.return_type(&types).unwrap(), DataType::Float64);
    let zero = Int64Array::new_scalar(0);
    let error = function.values(&left, &zero).unwrap_err();
    assert!(matches!(error, ArrowError::DivideByZero));
}
