//! What filters say about single partition keys, as sets of values: a partition outside of them
//! cannot match, one inside may.

use std::ops::Bound;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};
use lakegate_catalog::partition::projection::{KeyValue, ValueSet};

/// The set of each key, in the order of the schema.
pub(super) fn key_sets(filters: &[Expr], keys: &Schema) -> Vec<ValueSet> {
    let operands: Vec<&Expr> = filters.iter().collect();
    all_of(&operands, keys)
}

fn of_filter(filter: &Expr, keys: &Schema) -> Vec<ValueSet> {
    match filter {
        Expr::Literal(ScalarValue::Boolean(Some(false) | None), _) => nothing(keys),
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::And, ..
        }) => all_of(&operands(filter, Operator::And), keys),
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Or, ..
        }) => any_of(&operands(filter, Operator::Or), keys),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let direct = comparison(left, *op, right, keys);
            let swapped = || comparison(right, op.swap()?, left, keys);
            one_key(direct.or_else(swapped), keys)
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let low = comparison(expr, Operator::GtEq, low, keys);
            let high = comparison(expr, Operator::LtEq, high, keys);
            both(one_key(low, keys), &one_key(high, keys))
        }
        Expr::InList(list) if !list.negated => {
            let values = |operand: Operand| {
                let known = list.list.iter().map(|item| operand.constant(item));
                let known: Option<Vec<Option<KeyValue>>> = known.collect();
                Some((operand.key, ValueSet::points(known?.into_iter().flatten())))
            };
            one_key(Operand::of(&list.expr, keys).and_then(values), keys)
        }
        Expr::IsNull(operand) => {
            let key = Operand::of(operand, keys).map(|operand| (operand.key, ValueSet::null()));
            one_key(key, keys)
        }
        Expr::IsNotNull(operand) => {
            let any = || ValueSet::range(Bound::Unbounded, Bound::Unbounded);
            one_key(
                Operand::of(operand, keys).map(|operand| (operand.key, any())),
                keys,
            )
        }
        _ => everything(keys),
    }
}

fn everything(keys: &Schema) -> Vec<ValueSet> {
    vec![ValueSet::all(); keys.fields().len()]
}

fn nothing(keys: &Schema) -> Vec<ValueSet> {
    vec![ValueSet::none(); keys.fields().len()]
}

/// The sets of a condition on one key; `None` is no condition.
fn one_key(found: Option<(usize, ValueSet)>, keys: &Schema) -> Vec<ValueSet> {
    let mut sets = everything(keys);
    if let Some((key, set)) = found
        && let Some(place) = sets.get_mut(key)
    {
        *place = set;
    }
    sets
}

fn both(one: Vec<ValueSet>, two: &[ValueSet]) -> Vec<ValueSet> {
    one.iter().zip(two).map(|(one, two)| one.and(two)).collect()
}

fn all_of(operands: &[&Expr], keys: &Schema) -> Vec<ValueSet> {
    operands.iter().fold(everything(keys), |sets, operand| {
        both(sets, &of_filter(operand, keys))
    })
}

/// In pairs, so that a long list of alternatives is not merged anew for each.
fn any_of(operands: &[&Expr], keys: &Schema) -> Vec<ValueSet> {
    let mut alternatives: Vec<Vec<ValueSet>> = operands
        .iter()
        .map(|operand| of_filter(operand, keys))
        // What no partition can fulfil says nothing about the other keys.
        .filter(|sets| !sets.iter().any(ValueSet::is_none))
        .collect();
    while alternatives.len() > 1 {
        let either = |pair: &[Vec<ValueSet>]| match pair {
            [one, two] => one.iter().zip(two).map(|(one, two)| one.or(two)).collect(),
            rest => rest.first().cloned().unwrap_or_default(),
        };
        alternatives = alternatives.chunks(2).map(either).collect();
    }
    alternatives.pop().unwrap_or_else(|| nothing(keys))
}

/// The operands of a chain of one operator.
fn operands(filter: &Expr, chain: Operator) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut left_to_do = vec![filter];
    while let Some(next) = left_to_do.pop() {
        match next {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == chain => {
                left_to_do.extend([right.as_ref(), left.as_ref()]);
            }
            other => found.push(other),
        }
    }
    found
}

/// The set of the key that a comparison with a constant is about.
fn comparison(left: &Expr, op: Operator, right: &Expr, keys: &Schema) -> Option<(usize, ValueSet)> {
    let operand = Operand::of(left, keys)?;
    let Some(value) = operand.constant(right)? else {
        // A comparison with NULL is never true.
        let is_comparison = matches!(
            op,
            Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
        );
        return is_comparison.then(|| (operand.key, ValueSet::none()));
    };
    let below = || Bound::Excluded(value.clone());
    let set = match op {
        Operator::Eq | Operator::IsNotDistinctFrom => ValueSet::points([value]),
        Operator::NotEq if !operand.rounded => {
            let above = ValueSet::range(below(), Bound::Unbounded);
            ValueSet::range(Bound::Unbounded, below()).or(&above)
        }
        Operator::Lt if !operand.rounded => ValueSet::range(Bound::Unbounded, below()),
        Operator::Gt if !operand.rounded => ValueSet::range(below(), Bound::Unbounded),
        Operator::Lt | Operator::LtEq => ValueSet::range(Bound::Unbounded, Bound::Included(value)),
        Operator::Gt | Operator::GtEq => ValueSet::range(Bound::Included(value), Bound::Unbounded),
        _ => return None,
    };
    Some((operand.key, set))
}

/// A key in a comparison.
struct Operand<'a> {
    key: usize,
    data_type: &'a DataType,
    /// A date or timestamp that is compared in a finer unit: the day or microsecond that the
    /// constant lies in is one that may match.
    rounded: bool,
}

impl<'a> Operand<'a> {
    fn of(expr: &Expr, keys: &'a Schema) -> Option<Operand<'a>> {
        let (column, cast) = match expr {
            Expr::Column(column) => (column, None),
            Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
                Expr::Column(column) => (column, Some(field.data_type())),
                _ => return None,
            },
            _ => return None,
        };
        let (key, field) = keys.column_with_name(&column.name)?;
        let data_type = field.data_type();
        let rounded = match cast {
            None => false,
            Some(DataType::Timestamp(_, None)) if *data_type == DataType::Date32 => true,
            Some(DataType::Timestamp(TimeUnit::Nanosecond, None))
                if *data_type == DataType::Timestamp(TimeUnit::Microsecond, None) =>
            {
                true
            }
            // Values stay as they are.
            Some(DataType::Utf8View | DataType::LargeUtf8) if *data_type == DataType::Utf8 => false,
            Some(DataType::Int64) if data_type.is_signed_integer() => false,
            Some(_) => return None,
        };
        Some(Operand {
            key,
            data_type,
            rounded,
        })
    }

    /// A constant as a value of the key. `None`: it is not a constant, or of another type;
    /// `Some(None)`: it is NULL.
    fn constant(&self, expr: &Expr) -> Option<Option<KeyValue>> {
        let Expr::Literal(scalar, _) = expr else {
            return None;
        };
        if scalar.is_null() {
            return Some(None);
        }
        let value = match (scalar, self.data_type) {
            (
                ScalarValue::Utf8(Some(text))
                | ScalarValue::Utf8View(Some(text))
                | ScalarValue::LargeUtf8(Some(text)),
                DataType::Utf8,
            ) => KeyValue::text(text.as_str()),
            (ScalarValue::Date32(Some(days)), DataType::Date32) if !self.rounded => {
                KeyValue::Int((*days).into())
            }
            (scalar, DataType::Date32) if self.rounded => KeyValue::Int(days(scalar)?),
            (
                ScalarValue::TimestampMicrosecond(Some(micros), None),
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ) => KeyValue::Int(*micros),
            (
                ScalarValue::TimestampNanosecond(Some(nanos), None),
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ) if self.rounded => KeyValue::Int(nanos.div_euclid(1_000)),
            (scalar, data_type) if data_type.is_signed_integer() => KeyValue::Int(match scalar {
                ScalarValue::Int8(Some(number)) => (*number).into(),
                ScalarValue::Int16(Some(number)) => (*number).into(),
                ScalarValue::Int32(Some(number)) => (*number).into(),
                ScalarValue::Int64(Some(number)) => *number,
                _ => return None,
            }),
            _ => return None,
        };
        Some(Some(value))
    }
}

/// The day of a timestamp.
fn days(scalar: &ScalarValue) -> Option<i64> {
    const SECONDS: i64 = 86_400;
    Some(match scalar {
        ScalarValue::TimestampSecond(Some(at), None) => at.div_euclid(SECONDS),
        ScalarValue::TimestampMillisecond(Some(at), None) => at.div_euclid(SECONDS * 1_000),
        ScalarValue::TimestampMicrosecond(Some(at), None) => at.div_euclid(SECONDS * 1_000_000),
        ScalarValue::TimestampNanosecond(Some(at), None) => at.div_euclid(SECONDS * 1_000_000_000),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::logical_expr::{cast, col, lit, not};

    use super::*;

    fn keys() -> Schema {
        Schema::new(vec![
            Field::new("year", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("day", DataType::Date32, true),
        ])
    }

    fn int(value: i64) -> KeyValue {
        KeyValue::Int(value)
    }

    fn day(days: i32) -> Expr {
        lit(ScalarValue::Date32(Some(days)))
    }

    fn years(filter: Expr) -> ValueSet {
        key_sets(&[filter], &keys()).swap_remove(0)
    }

    #[test]
    fn conditions_on_one_key_are_sets_of_its_values() {
        let at_least = |value| ValueSet::range(Bound::Included(int(value)), Bound::Unbounded);
        let below = |value| ValueSet::range(Bound::Unbounded, Bound::Excluded(int(value)));
        let year = || col("t.year");
        assert_eq!(years(year().eq(lit(5))), ValueSet::points([int(5)]));
        assert_eq!(years(lit(5).lt_eq(year())), at_least(5));
        assert_eq!(years(year().lt(lit(5))), below(5));
        assert_eq!(
            years(year().between(lit(5), lit(7))),
            ValueSet::range(Bound::Included(int(5)), Bound::Included(int(7)))
        );
        let list = vec![lit(7), lit(ScalarValue::Int32(None)), lit(5)];
        let points = ValueSet::points([int(5), int(7)]);
        assert_eq!(years(year().in_list(list, false)), points);
        assert_eq!(years(year().eq(lit(7)).or(year().eq(lit(5)))), points);
        let other = year().not_eq(lit(5));
        assert!(!years(other.clone()).contains(&int(5)));
        assert!(years(other).contains(&int(4)));
        assert_eq!(years(year().is_null()), ValueSet::null());
        assert_eq!(
            years(year().eq(lit(ScalarValue::Int32(None)))),
            ValueSet::none()
        );
        assert_eq!(
            years(cast(year(), DataType::Int64).eq(lit(5i64))),
            ValueSet::points([int(5)])
        );
        for nothing in [lit(false), lit(ScalarValue::Boolean(None))] {
            assert_eq!(
                years(nothing.or(year().eq(lit(5)))),
                ValueSet::points([int(5)])
            );
        }
    }

    #[test]
    fn what_is_not_about_one_key_is_not_narrowed() {
        let year = || col("year");
        for filter in [
            (year() % lit(2)).eq(lit(0)),
            year().eq(col("other")),
            col("other").eq(lit(5)),
            not(year().eq(lit(5))),
            year().eq(lit(5)).or(col("other").eq(lit(1))),
            year().in_list(vec![lit(5), col("other")], false),
            year().in_list(vec![lit(5)], true),
            cast(year(), DataType::Utf8).eq(lit("5")),
            lit(true),
        ] {
            assert_eq!(
                key_sets(std::slice::from_ref(&filter), &keys()),
                everything(&keys()),
                "{filter}"
            );
        }
    }

    #[test]
    fn keys_are_narrowed_each_by_itself() {
        let one = col("year").eq(lit(1)).and(col("name").eq(lit("a")));
        let two = col("year").eq(lit(2)).and(col("name").eq(lit("b")));
        let never = col("year").eq(lit(3)).and(col("year").eq(lit(4)));
        let sets = key_sets(&[one.or(two).or(never), col("other").is_null()], &keys());
        assert_eq!(sets[0], ValueSet::points([int(1), int(2)]));
        let names = [KeyValue::text("a"), KeyValue::text("b")];
        assert_eq!(sets[1], ValueSet::points(names));
        assert_eq!(sets[2], ValueSet::all());
    }

    #[test]
    fn date_that_is_compared_as_a_timestamp_is_narrowed_to_its_day() {
        let timestamp = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let noon = lit(ScalarValue::TimestampNanosecond(
            Some(43_200_000_000_000),
            None,
        ));
        let days = |filter: Expr| key_sets(&[filter], &keys()).swap_remove(2);
        let at = || cast(col("day"), timestamp.clone());
        assert_eq!(days(col("day").eq(day(3))), ValueSet::points([int(3)]));
        let later = days(at().gt(noon.clone()));
        assert!(later.contains(&int(0)) && later.contains(&int(1)) && !later.contains(&int(-1)));
        let earlier = days(at().lt(noon));
        assert!(earlier.contains(&int(0)) && !earlier.contains(&int(1)));
    }

    #[test]
    fn long_lists_of_alternatives_are_merged() {
        let alternatives = (0..2_000).map(|year| col("year").eq(lit(year)));
        let filter = alternatives.reduce(Expr::or).unwrap_or_else(|| lit(true));
        assert_eq!(years(filter), ValueSet::points((0..2_000).map(int)));
    }
}
