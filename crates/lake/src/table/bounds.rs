//! Which files can match a query's predicate, as far as the bounds in their footers decide it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_optimizer::pruning::{PruningPredicateBuilder, PruningStatistics};

use super::plain_conditions::can_match_all;
use super::prune;
use crate::casts::with_lasting_casts;

/// For each file whether it can hold matching rows. `statistics`: of the files, in the columns of
/// `schema`.
///
/// Filters of which nothing can be said keep every file.
pub fn matching(filters: &[Expr], schema: &SchemaRef, statistics: &[Arc<Statistics>]) -> Vec<bool> {
    // The others keep every file.
    let undecided = filters.iter();
    let undecided = undecided.filter(|filter| !can_match_all(filter, schema, statistics));
    let undecided: Vec<Expr> = undecided.cloned().collect();
    match undecided.is_empty() {
        true => vec![true; statistics.len()],
        false => pruned(&undecided, schema, statistics),
    }
}

/// As [`matching`], by the engine's predicate.
pub(super) fn pruned(
    filters: &[Expr],
    schema: &SchemaRef,
    statistics: &[Arc<Statistics>],
) -> Vec<bool> {
    match predicate(filters, schema) {
        Some(predicate) => matching_parts(predicate, schema, statistics),
        None => vec![true; statistics.len()],
    }
}

/// As [`matching`], for parts of one file and a condition of the physical plan.
pub(crate) fn matching_parts(
    predicate: Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    statistics: &[Arc<Statistics>],
) -> Vec<bool> {
    let decided = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(schema))
        .build(predicate)
        .and_then(|predicate| predicate.prune(&Bounds { schema, statistics }).ok());
    decided.unwrap_or_else(|| vec![true; statistics.len()])
}

/// All of the filters that can be evaluated and mean the same each time; none if there is no such
/// filter.
fn predicate(filters: &[Expr], schema: &SchemaRef) -> Option<Arc<dyn PhysicalExpr>> {
    let columns = DFSchema::try_from(Arc::clone(schema)).ok()?;
    let usable: Vec<Arc<dyn PhysicalExpr>> = filters
        .iter()
        .filter(|filter| !filter.is_volatile())
        .filter_map(|filter| {
            let filter = prune::unqualified(filter.clone()).ok()?;
            // The bounds of a column are not those of a cast that changes the order.
            let filter = with_lasting_casts(filter, &columns).ok()?;
            prune::physical(filter, &columns).ok()
        })
        .collect();
    (!usable.is_empty()).then(|| conjunction(usable))
}

/// What is known of each file for certain; the rest is NULL.
struct Bounds<'a> {
    schema: &'a SchemaRef,
    statistics: &'a [Arc<Statistics>],
}

impl Bounds<'_> {
    fn values(
        &self,
        column: &Column,
        of: impl Fn(&ColumnStatistics) -> &Precision<ScalarValue>,
    ) -> Option<ArrayRef> {
        let (index, field) = self.schema.column_with_name(column.name())?;
        let unknown = ScalarValue::try_from(field.data_type()).ok()?;
        let values =
            self.statistics
                .iter()
                .map(|file| match file.column_statistics.get(index).map(&of) {
                    // Inexact bounds are of truncated texts: they hold, though no row has them.
                    Some(Precision::Exact(value) | Precision::Inexact(value))
                        if value.data_type() == *field.data_type() =>
                    {
                        value.clone()
                    }
                    _ => unknown.clone(),
                });
        ScalarValue::iter_to_array(values).ok()
    }

    fn counts(&self, of: impl Fn(&Statistics) -> Precision<usize>) -> Option<ArrayRef> {
        let counts = self.statistics.iter().map(|file| match of(file) {
            Precision::Exact(count) => u64::try_from(count).ok(),
            _ => None,
        });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |known| &known.min_value)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |known| &known.max_value)
    }

    fn num_containers(&self) -> usize {
        self.statistics.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let index = self.schema.index_of(column.name()).ok()?;
        self.counts(|file| {
            file.column_statistics
                .get(index)
                .map_or(Precision::Absent, |known| known.null_count)
        })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        self.counts(|file| file.num_rows)
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use datafusion::logical_expr::{cast, col, lit, try_cast};

    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8View, true),
        ]))
    }

    fn file(id: Option<(i64, i64)>, nulls: usize) -> Arc<Statistics> {
        let mut statistics = Statistics::new_unknown(&schema());
        statistics.num_rows = Precision::Exact(10);
        let known = &mut statistics.column_statistics[0];
        if let Some((min, max)) = id {
            known.min_value = Precision::Exact(ScalarValue::from(min));
            known.max_value = Precision::Exact(ScalarValue::from(max));
        }
        known.null_count = Precision::Exact(nulls);
        Arc::new(statistics)
    }

    #[test]
    fn file_whose_bounds_exclude_a_match_is_left_out() {
        let files = [
            file(None, 0),
            file(Some((0, 9)), 0),
            file(Some((10, 19)), 3),
            file(None, 10),
        ];
        let x = lit(ScalarValue::Utf8View(Some("x".to_owned())));
        let matching = |filters: &[Expr]| matching(filters, &schema(), &files);
        assert_eq!(matching(&[]), [true; 4]);
        assert_eq!(
            matching(&[col("id").gt(lit(9_i64))]),
            [true, false, true, false]
        );
        assert_eq!(
            matching(&[col("t.id").eq(lit(5_i64)), col("name").eq(x.clone())]),
            [true, true, false, false]
        );
        assert_eq!(matching(&[col("id").is_null()]), [false, false, true, true]);
        // Nothing is known of names, and these cannot be compared.
        assert_eq!(matching(&[col("name").eq(x.clone())]), [true; 4]);
        assert_eq!(matching(&[col("id").gt(col("nowhere"))]), [true; 4]);
    }

    #[test]
    fn bounds_of_another_type_are_unknown_and_spoil_no_others() {
        let mut odd = Statistics::clone(&file(None, 0));
        odd.column_statistics[0].min_value = Precision::Exact(ScalarValue::from(0_i32));
        odd.column_statistics[0].max_value = Precision::Exact(ScalarValue::from(9_i32));
        let files = [Arc::new(odd), file(Some((0, 9)), 0)];
        let above = [col("id").gt(lit(9_i64))];
        assert_eq!(matching(&above, &schema(), &files), [true, false]);
        assert_eq!(matching(&above, &schema(), &files[..1]), [true]);
    }

    #[test]
    fn casts_that_change_the_order_leave_out_no_file() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let schema = Arc::new(Schema::new(vec![Field::new("at", micros, true)]));
        let hour = 3_600_000_000_i64;
        let file = |min: i64, max: i64| {
            let mut statistics = Statistics::new_unknown(&schema);
            let known = &mut statistics.column_statistics[0];
            let bound = |hours| {
                Precision::Exact(ScalarValue::TimestampMicrosecond(Some(hours * hour), None))
            };
            (known.min_value, known.max_value) = (bound(min), bound(max));
            Arc::new(statistics)
        };
        // From one o'clock to eight in the evening, and from nine in the evening to noon two days later.
        let files = [file(1, 20), file(21, 60)];
        let of_day = DataType::Time64(TimeUnit::Microsecond);
        let two = lit(ScalarValue::Time64Microsecond(Some(2 * hour)));
        for time in [
            cast(col("t.at"), of_day.clone()),
            try_cast(col("at"), of_day),
        ] {
            let filters = [time.lt(two.clone())];
            assert_eq!(matching(&filters, &schema, &files), [true, true]);
        }
        let date = |days| lit(ScalarValue::Date32(Some(days)));
        let filters = [cast(col("at"), DataType::Date32).gt(date(0))];
        assert_eq!(matching(&filters, &schema, &files), [false, true]);
    }
}
