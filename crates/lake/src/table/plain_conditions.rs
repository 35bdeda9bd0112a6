//! Conditions that can be true in all files by their bounds, decided without the engine's pruning
//! predicate. To build one takes longer than to read the bounds of a few files, and the filters of most
//! queries leave out no file.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

/// How deep a condition is read.
const MOST_LEVELS: usize = 16;

/// Whether the bounds of each file leave a value for which the condition is true. Of other
/// conditions than comparisons of columns with constants, nothing is decided: the answer is `false`.
///
/// `files`: their statistics, in the columns of `schema`.
pub(super) fn can_match_all(
    condition: &Expr,
    schema: &SchemaRef,
    files: &[Arc<Statistics>],
) -> bool {
    files
        .iter()
        .all(|known| File { schema, known }.can_match(condition, 0))
}

struct File<'a> {
    schema: &'a SchemaRef,
    known: &'a Statistics,
}

impl File<'_> {
    fn can_match(&self, condition: &Expr, level: usize) -> bool {
        if level > MOST_LEVELS {
            return false;
        }
        let can = |part: &Expr| self.can_match(part, level + 1);
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => can(left) && can(right),
                Operator::Or => can(left) || can(right),
                _ => self.can_compare(left, *op, right),
            },
            Expr::Between(Between {
                expr,
                negated: false,
                low,
                high,
            }) => {
                self.can_compare(expr, Operator::GtEq, low)
                    && self.can_compare(expr, Operator::LtEq, high)
            }
            Expr::InList(InList {
                expr,
                list,
                negated: false,
            }) => list
                .iter()
                .any(|item| self.can_compare(expr, Operator::Eq, item)),
            _ => false,
        }
    }

    /// As [`Self::can_match`], of a comparison.
    fn can_compare(&self, left: &Expr, op: Operator, right: &Expr) -> bool {
        match (left, right) {
            (Expr::Column(column), Expr::Literal(value, _)) => {
                self.has_value(&column.name, op, value)
            }
            (Expr::Literal(value, _), Expr::Column(column)) => op
                .swap()
                .is_some_and(|op| self.has_value(&column.name, op, value)),
            _ => false,
        }
    }

    fn has_value(&self, column: &str, op: Operator, value: &ScalarValue) -> bool {
        let Some((index, field)) = self.schema.column_with_name(column) else {
            return false;
        };
        let Some(known) = self.known.column_statistics.get(index) else {
            return false;
        };
        let is_decided = !value.is_null() && value.data_type() == *field.data_type();
        // No row has a value.
        let is_null =
            known.null_count.get_value().is_some() && known.null_count == self.known.num_rows;
        if !is_decided || is_null {
            return false;
        }
        // What is not known excludes nothing. Inexact bounds are of truncated texts, and hold.
        let fits = |bound: &Precision<ScalarValue>,
                    compare: fn(&ScalarValue, &ScalarValue) -> bool| {
            let bound = bound.get_value();
            let bound = bound.filter(|bound| bound.data_type() == *field.data_type());
            bound.is_none_or(|bound| compare(bound, value))
        };
        match op {
            Operator::Eq => {
                fits(&known.min_value, |min, value| min <= value)
                    && fits(&known.max_value, |max, value| max >= value)
            }
            Operator::Lt => fits(&known.min_value, |min, value| min < value),
            Operator::LtEq => fits(&known.min_value, |min, value| min <= value),
            Operator::Gt => fits(&known.max_value, |max, value| max > value),
            Operator::GtEq => fits(&known.max_value, |max, value| max >= value),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::{col, lit};

    use super::*;
    use crate::table::bounds::pruned;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8View, true),
        ]))
    }

    /// A file of ten rows, with these bounds of `id`.
    fn file(bounds: Option<(i64, i64)>, nulls: usize) -> Arc<Statistics> {
        let mut statistics = Statistics::new_unknown(&schema());
        statistics.num_rows = Precision::Exact(10);
        if let Some(known) = statistics.column_statistics.first_mut() {
            known.null_count = Precision::Exact(nulls);
            if let Some((min, max)) = bounds {
                known.min_value = Precision::Exact(ScalarValue::from(min));
                known.max_value = Precision::Exact(ScalarValue::from(max));
            }
        }
        Arc::new(statistics)
    }

    /// Conditions, and whether files with ids from 10 to 19 can match them.
    fn conditions() -> Vec<(Expr, bool)> {
        let id = || col("id");
        let text = ScalarValue::Utf8View(Some("x".to_owned()));
        vec![
            (id().eq(lit(10_i64)), true),
            (id().eq(lit(19_i64)), true),
            (id().eq(lit(9_i64)), false),
            (id().eq(lit(20_i64)), false),
            (id().lt(lit(10_i64)), false),
            (id().lt(lit(11_i64)), true),
            (id().lt_eq(lit(10_i64)), true),
            (id().lt_eq(lit(9_i64)), false),
            (id().gt(lit(19_i64)), false),
            (id().gt(lit(18_i64)), true),
            (id().gt_eq(lit(19_i64)), true),
            (id().gt_eq(lit(20_i64)), false),
            // The same, with the constant first.
            (lit(11_i64).gt(id()), true),
            (lit(10_i64).gt(id()), false),
            (col("t.id").eq(lit(15_i64)), true),
            (id().between(lit(0_i64), lit(10_i64)), true),
            (id().between(lit(0_i64), lit(9_i64)), false),
            (id().not_between(lit(0_i64), lit(9_i64)), false),
            (id().in_list(vec![lit(5_i64), lit(15_i64)], false), true),
            (id().in_list(vec![lit(5_i64), lit(25_i64)], false), false),
            (id().in_list(vec![lit(5_i64), lit(25_i64)], true), false),
            (id().gt(lit(5_i64)).and(id().lt(lit(15_i64))), true),
            (id().gt(lit(5_i64)).and(id().lt(lit(5_i64))), false),
            (id().lt(lit(5_i64)).or(id().gt(lit(15_i64))), true),
            (id().lt(lit(5_i64)).or(id().gt(lit(25_i64))), false),
            // Nothing is known of names.
            (col("name").eq(lit(text)), true),
            // Nothing is decided of these.
            (id().not_eq(lit(5_i64)), false),
            (id().is_null(), false),
            (id().is_not_null(), false),
            (id().eq(lit(15_i32)), false),
            (id().eq(lit(ScalarValue::Int64(None))), false),
            ((id() + lit(1_i64)).gt(lit(5_i64)), false),
            (id().eq(id()), false),
            (col("nowhere").eq(lit(15_i64)), false),
            (lit(true), false),
        ]
    }

    #[test]
    fn comparisons_are_decided_by_bounds() {
        let files = [file(Some((10, 19)), 9)];
        for (condition, expected) in conditions() {
            let found = can_match_all(&condition, &schema(), &files);
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[test]
    fn what_is_decided_keeps_all_files_as_the_pruning_predicate_does() {
        let files = [
            file(Some((10, 19)), 0),
            file(Some((0, 100)), 5),
            file(None, 3),
        ];
        let mut decided = 0;
        for (condition, _) in conditions() {
            let predicate = pruned(std::slice::from_ref(&condition), &schema(), &files);
            if can_match_all(&condition, &schema(), &files) {
                assert_eq!(predicate, [true; 3], "{condition}");
                decided += 1;
            }
        }
        assert!(decided > 10, "{decided}");
    }

    #[test]
    fn each_file_counts() {
        let condition = col("id").gt(lit(15_i64));
        let can_match = |files: &[Arc<Statistics>]| can_match_all(&condition, &schema(), files);
        let (high, low) = (|| file(Some((10, 19)), 0), || file(Some((0, 9)), 0));
        assert!(can_match(&[]));
        assert!(can_match(&[high(), high()]));
        assert!(!can_match(&[high(), low()]));
        assert!(can_match(&[high(), file(None, 0)]));
        // Bounds of nothing.
        assert!(!can_match(&[high(), file(None, 10)]));
        let mut other = Statistics::clone(&low());
        if let Some(known) = other.column_statistics.first_mut() {
            known.max_value = Precision::Exact(ScalarValue::from(9_i32));
        }
        assert!(
            can_match(&[Arc::new(other)]),
            "a bound of another type is unknown"
        );
    }
}
