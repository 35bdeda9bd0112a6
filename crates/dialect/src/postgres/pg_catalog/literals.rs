//! Whole numbers that a query itself has: `VALUES (100003)`, `unnest(ARRAY[100003, 100005])`.

use std::collections::BTreeSet;

use arrow::array::Array;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::pins::{cast_to_oid, integer};

/// Numbers of a list or of a column that are read.
const MOST: usize = 1000;

/// Returns the number that an expression is, none for NULL. `None` if it is not a whole number.
pub(super) fn number(expr: &Expr) -> Option<BTreeSet<i64>> {
    match expr {
        Expr::Alias(alias) => number(&alias.expr),
        Expr::Cast(cast) => number(&cast.expr),
        Expr::Literal(value, _) if value.is_null() => Some(BTreeSet::new()),
        Expr::Literal(value, _) if value.data_type().is_integer() => Some([integer(value)?].into()),
        other => number(cast_to_oid(other)?),
    }
}

/// Returns the numbers of a column of these rows.
pub(super) fn of_rows(rows: &[Vec<Expr>], column: usize) -> Option<BTreeSet<i64>> {
    if rows.len() > MOST {
        return None;
    }
    let mut numbers = BTreeSet::new();
    for row in rows {
        numbers.extend(number(row.get(column)?)?);
    }
    Some(numbers)
}

/// Returns the numbers of a list.
pub(super) fn of_list(expr: &Expr) -> Option<BTreeSet<i64>> {
    let list = match expr {
        Expr::Alias(alias) => return of_list(&alias.expr),
        Expr::Cast(cast) => return of_list(&cast.expr),
        Expr::Literal(ScalarValue::List(list), _) => list.values(),
        _ => return None,
    };
    if !list.data_type().is_integer() || list.len() > MOST {
        return None;
    }
    let mut numbers = BTreeSet::new();
    for index in 0..list.len() {
        let number = ScalarValue::try_from_array(list, index).ok()?;
        numbers.extend(integer(&number));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::DataType;
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;

    #[test]
    fn only_whole_numbers_are_numbers() {
        let seven = cast(lit(7_i32), DataType::Int64).alias("oid");
        assert_eq!(number(&seven), Some([7].into()));
        assert_eq!(number(&lit(ScalarValue::Null)), Some([].into()));
        for other in [lit("7"), lit(7.0), lit(true), col("oid")] {
            assert_eq!(number(&other), None, "{other}");
        }
        let rows = [vec![lit(1), lit(7)], vec![lit("a"), lit(8)]];
        assert_eq!(of_rows(&rows, 1), Some([7, 8].into()));
        assert_eq!(of_rows(&rows, 0), None);
        assert_eq!(of_rows(&rows, 2), None);
        let many = vec![vec![lit(1)]; MOST + 1];
        assert_eq!(of_rows(&many[1..], 0), Some([1].into()));
        assert_eq!(of_rows(&many, 0), None);
    }

    #[test]
    fn lists_of_numbers_are_read() {
        let list = |values: &[ScalarValue], item: &DataType| {
            lit(ScalarValue::List(ScalarValue::new_list_nullable(
                values, item,
            )))
        };
        let numbers = [ScalarValue::Int64(Some(7)), ScalarValue::Int64(None)];
        let numbers = list(&numbers, &DataType::Int64).alias("list");
        assert_eq!(of_list(&numbers), Some([7].into()));
        assert_eq!(of_list(&list(&["7".into()], &DataType::Utf8)), None);
        assert_eq!(of_list(&lit(7)), None);
    }
}
