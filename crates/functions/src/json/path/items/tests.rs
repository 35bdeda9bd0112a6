#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn integers_do_not_overflow() {
    let max = Num::Whole(i32::MAX.into(), false);
    assert!(max.apply(Operator::Add, Num::Whole(1, false)).is_err());
    let big = Num::Whole(1, true);
    assert_eq!(
        max.apply(Operator::Add, big).unwrap(),
        Num::Whole(2147483648, true)
    );
    let min = Num::Whole(i64::MIN, true);
    assert!(min.negated().is_err());
    assert!(min.abs().is_err());
    let minus = Num::Whole(-1, true);
    assert!(min.apply(Operator::Divide, minus).is_err());
    assert_eq!(
        min.apply(Operator::Modulo, minus).unwrap(),
        Num::Whole(0, true)
    );
    assert!(min.apply(Operator::Divide, Num::Whole(0, false)).is_err());
}

#[test]
fn decimals_are_those_of_sql() {
    let a = Num::decimal("1.5").unwrap();
    let b = Num::decimal("0.25").unwrap();
    let apply = |operator| a.apply(operator, b).unwrap();
    assert_eq!(apply(Operator::Add), Num::Decimal(175, 2));
    assert_eq!(apply(Operator::Subtract), Num::Decimal(125, 2));
    assert_eq!(apply(Operator::Multiply), Num::Decimal(375, 3));
    assert_eq!(apply(Operator::Divide), Num::Decimal(600, 2));
    assert_eq!(apply(Operator::Modulo), Num::Decimal(0, 2));
    let third = Num::decimal("2.0").unwrap();
    let third = third.apply(Operator::Divide, Num::Whole(3, false)).unwrap();
    assert_eq!(third, Num::Decimal(7, 1));
    assert!(
        a.apply(Operator::Divide, Num::decimal("0.0").unwrap())
            .is_err()
    );
    assert_eq!(
        Num::Decimal(-15, 1).rounded(true).unwrap(),
        Num::Decimal(-1, 0)
    );
    assert_eq!(
        Num::Decimal(-15, 1).rounded(false).unwrap(),
        Num::Decimal(-2, 0)
    );
    assert_eq!(Num::Decimal(15, 1).index().unwrap(), 2);
    let large = Num::Decimal(10i128.pow(37), 0);
    assert!(large.apply(Operator::Multiply, large).is_err());
    assert_eq!(large.compare(Num::Decimal(1, 38)), Some(Ordering::Greater));
}

#[test]
fn quotients_have_the_digits_of_numeric() {
    let whole = |number| Num::Whole(number, true);
    for (a, b, quotient) in [
        (whole(7), whole(2), (35_000_000_000_000_000, 16)),
        (whole(1), whole(3), (33_333_333_333_333_333_333, 20)),
        (whole(12345), whole(2), (61_725_000_000_000_000_000, 16)),
        (whole(-2), whole(3), (-66_666_666_666_666_666_667, 20)),
        (
            Num::Decimal(5, 1),
            whole(4),
            (12_500_000_000_000_000_000, 20),
        ),
    ] {
        let (value, scale) = quotient;
        assert_eq!(
            a.apply_exactly(Operator::Divide, b).unwrap(),
            Num::Decimal(value, scale)
        );
    }
    let large = whole(i64::MAX);
    assert_eq!(
        large.apply_exactly(Operator::Add, whole(1)).unwrap(),
        Num::Decimal(i128::from(i64::MAX) + 1, 0)
    );
    assert!(large.apply_exactly(Operator::Modulo, whole(0)).is_err());
    assert_eq!(Num::Decimal(-19, 1).whole_index().unwrap(), -1);
    assert!(large.whole_index().is_err());
}

#[test]
fn items_of_other_types_cannot_be_compared() {
    let one = Item::Number(Num::Whole(1, false));
    let text = Item::Text("1".into());
    assert_eq!(one.compare(Comparison::Equal, &text), None);
    assert_eq!(one.compare(Comparison::Equal, &Item::Null), Some(false));
    assert_eq!(one.compare(Comparison::NotEqual, &Item::Null), Some(true));
    assert_eq!(
        Item::Null.compare(Comparison::Equal, &Item::Null),
        Some(true)
    );
    assert_eq!(Item::Array("[]").compare(Comparison::Equal, &one), None);
    let double = Item::Number(Num::Double(1.0));
    assert_eq!(one.compare(Comparison::GreaterOrEqual, &double), Some(true));
}

#[test]
fn doubles_are_decimals_of_their_digits() {
    for (number, expected) in [
        (2.0, Some(Num::Whole(2, true))),
        (-0.0, Some(Num::Whole(0, true))),
        (1e15, Some(Num::Whole(1_000_000_000_000_000, true))),
        (-1.50, Some(Num::Decimal(-15, 1))),
        (0.1 + 0.2, Some(Num::Decimal(3, 1))),
        (1e-7, Some(Num::Decimal(1, 7))),
        (1e20, None),
        (1e-40, None),
        (f64::MAX, None),
        (f64::INFINITY, None),
        (f64::NAN, None),
    ] {
        assert_eq!(Num::of_double(number), expected, "{number}");
    }
}
