//! Conditions that are true for the whole numbers between two.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, Literal};
use datafusion::physical_plan::PhysicalExpr;

use crate::key_set::KeyLookup;

/// How deep AND is looked into.
const DEEPEST: usize = 32;

/// Whole numbers between two, both included, or those that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Between {
    pub least: i128,
    pub greatest: i128,
    /// Whether all others are meant.
    pub is_outside: bool,
}

impl Between {
    /// The numbers for which a condition of one column, which has this type, may be true, and whether it
    /// is true for all of them; numbers outside of two are returned in this case only. The condition is
    /// not true for NULL. `None`: not known.
    pub(super) fn of(
        condition: &Arc<dyn PhysicalExpr>,
        data_type: &DataType,
    ) -> Option<(Self, bool)> {
        Self::within(condition, data_type, DEEPEST)
    }

    fn within(
        condition: &Arc<dyn PhysicalExpr>,
        data_type: &DataType,
        deepest: usize,
    ) -> Option<(Self, bool)> {
        if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
            let (left, right) = (binary.left(), binary.right());
            if *binary.op() == Operator::And {
                let deepest = deepest.checked_sub(1)?;
                let (left, is_left) = Self::within(left, data_type, deepest)?;
                let (right, is_right) = Self::within(right, data_type, deepest)?;
                return Some((left.and(&right)?, is_left && is_right));
            }
            let (operator, constant) = match (left.is::<Column>(), right.is::<Column>()) {
                (true, false) => (*binary.op(), right),
                (false, true) => (binary.op().swap()?, left),
                _ => return None,
            };
            let constant = constant.downcast_ref::<Literal>()?.value();
            return Self::compared(operator, whole(constant, data_type)?).map(|all| (all, true));
        }
        if let Some(lookup) = condition.downcast_ref::<KeyLookup>() {
            let mut keys = condition.children().into_iter();
            if !keys.all(|key| key.is::<Column>()) {
                return None;
            }
            let (least, greatest) = lookup.set().bounds()?;
            let between = Self::from_to(whole(&least, data_type)?, whole(&greatest, data_type)?);
            return Some((between, lookup.set().is_full()));
        }
        let list = condition.downcast_ref::<InListExpr>()?;
        if list.negated() || !list.expr().is::<Column>() {
            return None;
        }
        let mut between: Option<Self> = None;
        for item in list.list() {
            let item = item.downcast_ref::<Literal>()?.value();
            // Equal to nothing.
            if item.is_null() {
                continue;
            }
            let item = whole(item, data_type)?;
            let known = between.get_or_insert(Self::from_to(item, item));
            *known = Self::from_to(known.least.min(item), known.greatest.max(item));
        }
        Some((between?, false))
    }

    fn from_to(least: i128, greatest: i128) -> Self {
        Self {
            least,
            greatest,
            is_outside: false,
        }
    }

    fn compared(operator: Operator, with: i128) -> Option<Self> {
        Some(match operator {
            Operator::Eq => Self::from_to(with, with),
            Operator::NotEq => Self {
                is_outside: true,
                ..Self::from_to(with, with)
            },
            Operator::Lt => Self::from_to(i128::MIN, with.checked_sub(1)?),
            Operator::LtEq => Self::from_to(i128::MIN, with),
            Operator::Gt => Self::from_to(with.checked_add(1)?, i128::MAX),
            Operator::GtEq => Self::from_to(with, i128::MAX),
            _ => return None,
        })
    }

    /// The numbers that are among both. `None`: they are not between two.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        if self.is_outside || other.is_outside {
            return None;
        }
        let least = self.least.max(other.least);
        Some(Self::from_to(least, self.greatest.min(other.greatest)))
    }
}

/// The number that a constant is kept as in a column of a type. `None`: it is NULL, or of another type,
/// or columns of the type are kept otherwise.
fn whole(constant: &ScalarValue, data_type: &DataType) -> Option<i128> {
    use ScalarValue as S;
    let is_same = match (constant, data_type) {
        // How many digits there may be does not change what is kept.
        (S::Decimal32(_, _, scale), DataType::Decimal32(_, of_column))
        | (S::Decimal64(_, _, scale), DataType::Decimal64(_, of_column))
        | (S::Decimal128(_, _, scale), DataType::Decimal128(_, of_column)) => scale == of_column,
        _ => constant.data_type() == *data_type,
    };
    if !is_same {
        return None;
    }
    match constant {
        S::Int16(value) => value.map(i128::from),
        S::UInt16(value) => value.map(i128::from),
        S::UInt32(value) => value.map(i128::from),
        S::UInt64(value) => value.map(i128::from),
        S::Int32(value)
        | S::Date32(value)
        | S::Time32Second(value)
        | S::Time32Millisecond(value)
        | S::Decimal32(value, ..) => value.map(i128::from),
        S::Int64(value)
        | S::Date64(value)
        | S::Time64Microsecond(value)
        | S::Time64Nanosecond(value)
        | S::TimestampSecond(value, _)
        | S::TimestampMillisecond(value, _)
        | S::TimestampMicrosecond(value, _)
        | S::TimestampNanosecond(value, _)
        | S::DurationSecond(value)
        | S::DurationMillisecond(value)
        | S::DurationMicrosecond(value)
        | S::DurationNanosecond(value)
        | S::Decimal64(value, ..) => value.map(i128::from),
        S::Decimal128(value, ..) => *value,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema};
    use datafusion::physical_expr::expressions::{binary, in_list, lit};

    use super::*;

    fn column() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new("n", 0))
    }

    fn compared(operator: Operator, value: ScalarValue) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(column(), operator, lit(value)))
    }

    fn numbers(least: i128, greatest: i128) -> Option<(Between, bool)> {
        Some((Between::from_to(least, greatest), true))
    }

    #[test]
    fn comparisons_are_between_numbers() {
        use Operator as O;
        let of = |condition: &Arc<dyn PhysicalExpr>| Between::of(condition, &DataType::Int32);
        let five = || ScalarValue::Int32(Some(5));
        assert_eq!(of(&compared(O::Eq, five())), numbers(5, 5));
        assert_eq!(of(&compared(O::Lt, five())), numbers(i128::MIN, 4));
        assert_eq!(of(&compared(O::LtEq, five())), numbers(i128::MIN, 5));
        assert_eq!(of(&compared(O::Gt, five())), numbers(6, i128::MAX));
        assert_eq!(of(&compared(O::GtEq, five())), numbers(5, i128::MAX));
        let (outside, is_all) = of(&compared(O::NotEq, five())).unwrap();
        assert!(outside.is_outside && is_all);
        let turned: Arc<dyn PhysicalExpr> = Arc::new(BinaryExpr::new(lit(five()), O::Lt, column()));
        assert_eq!(of(&turned), numbers(6, i128::MAX));
        let both =
            |one, other| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(one, O::And, other)) };
        let seven = || compared(O::Lt, ScalarValue::Int32(Some(7)));
        assert_eq!(of(&both(compared(O::GtEq, five()), seven())), numbers(5, 6));
        assert_eq!(of(&both(compared(O::NotEq, five()), seven())), None);
        assert_eq!(of(&compared(O::IsDistinctFrom, five())), None);
        assert_eq!(of(&compared(O::Eq, ScalarValue::Int32(None))), None);
        assert_eq!(of(&compared(O::Eq, ScalarValue::Int64(Some(5)))), None);
        assert_eq!(of(&column()), None);
    }

    #[test]
    fn ends_of_the_widest_numbers_are_not_passed() {
        let data_type = DataType::Decimal128(38, 2);
        let end = |value| ScalarValue::Decimal128(Some(value), 20, 2);
        let below = compared(Operator::Lt, end(i128::MIN));
        assert_eq!(Between::of(&below, &data_type), None);
        let above = compared(Operator::Gt, end(i128::MAX));
        assert_eq!(Between::of(&above, &data_type), None);
        let one = compared(Operator::Eq, end(100));
        assert_eq!(Between::of(&one, &data_type), numbers(100, 100));
        assert_eq!(Between::of(&one, &DataType::Decimal128(38, 3)), None);
    }

    #[test]
    fn lists_have_bounds() {
        let schema = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
        let list = |items: &[Option<i32>], negated| {
            let items = items.iter().map(|item| lit(ScalarValue::Int32(*item)));
            let list = in_list(column(), items.collect(), &negated, &schema).unwrap();
            Between::of(&list, &DataType::Int32)
        };
        let found = list(&[Some(9), None, Some(-3)], false);
        assert_eq!(found, Some((Between::from_to(-3, 9), false)));
        assert_eq!(list(&[Some(9)], true), None);
        let both = binary(column(), Operator::Lt, lit(5_i32), &schema).unwrap();
        assert_eq!(Between::of(&both, &DataType::Int32), numbers(i128::MIN, 4));
    }
}
