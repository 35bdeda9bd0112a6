//! How many of the rows that ANALYZE counted match a query's filters, about.
//!
//! The bounds of ANALYZE are used here, and are not part of a scan's statistics. DataFusion's
//! filters take a column of which bounds and a comparison leave one value for a constant, also if
//! the bounds are inexact (`datafusion-physical-plan`, `filter.rs`, 55.2): with bounds that are out
//! of date, rows would not be sorted by such a column.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use lakegate_catalog::model::{
    ColumnStatistics, ColumnStatisticsData, DecimalNumber, TableStatistics,
};

const SECONDS_PER_DAY: f64 = 86_400.0;

/// What comparisons with constants leave of columns, by the columns' names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ranges(BTreeMap<String, Range>);

/// What comparisons leave of a column's values, as numbers of [`place`].
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    /// Single values are compared with. The engine estimates how many rows have them.
    points: bool,
}

impl Range {
    const ALL: Range = Range {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        points: false,
    };

    fn and(self, other: Range) -> Range {
        Range {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
            points: self.points || other.points,
        }
    }

    /// The share of values that match, if they are spread evenly between these bounds.
    fn share(self, low: f64, high: f64) -> f64 {
        let (from, to) = (self.low.max(low), self.high.min(high));
        if from > to {
            return 0.0;
        }
        let share = (to - from) / (high - low);
        // The bounds may be the same, or farther apart than numbers reach.
        match self.points || !share.is_finite() {
            true => 1.0,
            false => share.clamp(0.0, 1.0),
        }
    }
}

impl Ranges {
    /// Reads the comparisons of columns with constants that all rows must match.
    pub(crate) fn of(filters: &[Expr]) -> Self {
        let mut ranges = BTreeMap::new();
        for filter in filters.iter().flat_map(split_conjunction) {
            if let Some((column, range)) = compared(filter) {
                let known = ranges.entry(column.to_owned()).or_insert(Range::ALL);
                *known = known.and(range);
            }
        }
        Self(ranges)
    }

    /// Those of other columns. The rows of files with other keys are not among those that are read.
    pub(crate) fn without(mut self, keys: &Schema) -> Self {
        self.0
            .retain(|column, _| keys.column_with_name(column).is_none());
        self
    }

    /// The share of the rows that match.
    pub(crate) fn share(&self, known: &TableStatistics) -> f64 {
        if self.0.is_empty() || known.row_count == 0 {
            return 1.0;
        }
        let mut share = 1.0;
        for column in &known.columns {
            let Some(range) = self.0.get(&column.column_name) else {
                continue;
            };
            let nulls = column.nulls() as f64 / known.row_count as f64;
            share *= (1.0 - nulls).max(0.0);
            if let Some((low, high)) = bounds(column) {
                share *= range.share(low, high);
            }
        }
        share
    }

    /// Whether no NULL of a column matches.
    pub(crate) fn excludes_null(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }
}

/// A column, and what a comparison leaves of its values.
fn compared(filter: &Expr) -> Option<(&str, Range)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if let (Expr::Column(column), Expr::Literal(value, _)) = (&**left, &**right) {
                return Some((column.name.as_str(), range(*op, place(value)?)?));
            }
            if let (Expr::Literal(value, _), Expr::Column(column)) = (&**left, &**right) {
                return Some((column.name.as_str(), range(op.swap()?, place(value)?)?));
            }
            None
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let Expr::Column(column) = &**expr else {
                return None;
            };
            let (low, high) = (constant(low)?, constant(high)?);
            let range = Range {
                low,
                high,
                points: false,
            };
            Some((column.name.as_str(), range))
        }
        Expr::InList(list) if !list.negated => {
            let Expr::Column(column) = &*list.expr else {
                return None;
            };
            let values = list.list.iter().map(constant);
            let values = values.collect::<Option<Vec<f64>>>()?;
            let range = Range {
                low: values.iter().copied().reduce(f64::min)?,
                high: values.iter().copied().reduce(f64::max)?,
                points: true,
            };
            Some((column.name.as_str(), range))
        }
        _ => None,
    }
}

fn range(op: Operator, value: f64) -> Option<Range> {
    Some(match op {
        Operator::Eq => Range {
            low: value,
            high: value,
            points: true,
        },
        Operator::Lt | Operator::LtEq => Range {
            high: value,
            ..Range::ALL
        },
        Operator::Gt | Operator::GtEq => Range {
            low: value,
            ..Range::ALL
        },
        _ => return None,
    })
}

fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(value, _) => place(value),
        _ => None,
    }
}

/// A value as a number: a time is in seconds since 1970, as the catalog's bounds are. `None`: NULL,
/// or values of the type have no bounds in the catalog.
fn place(value: &ScalarValue) -> Option<f64> {
    let place = match value {
        ScalarValue::Int8(value) => f64::from((*value)?),
        ScalarValue::Int16(value) => f64::from((*value)?),
        ScalarValue::Int32(value) => f64::from((*value)?),
        ScalarValue::Int64(value) => (*value)? as f64,
        ScalarValue::Float32(value) => f64::from((*value)?),
        ScalarValue::Float64(value) => (*value)?,
        ScalarValue::Decimal128(value, _, scale) => scaled((*value)?, i32::from(*scale)),
        ScalarValue::Date32(value) => f64::from((*value)?) * SECONDS_PER_DAY,
        ScalarValue::TimestampSecond(value, None) => (*value)? as f64,
        ScalarValue::TimestampMillisecond(value, None) => (*value)? as f64 / 1e3,
        ScalarValue::TimestampMicrosecond(value, None) => (*value)? as f64 / 1e6,
        ScalarValue::TimestampNanosecond(value, None) => (*value)? as f64 / 1e9,
        _ => return None,
    };
    place.is_finite().then_some(place)
}

/// The least and the greatest value of a column, as numbers of [`place`].
pub(super) fn bounds(known: &ColumnStatistics) -> Option<(f64, f64)> {
    match &known.statistics_data {
        ColumnStatisticsData::Long { data } | ColumnStatisticsData::Date { data } => {
            Some((data.minimum_value? as f64, data.maximum_value? as f64))
        }
        ColumnStatisticsData::Double { data } => Some((data.minimum_value?, data.maximum_value?)),
        ColumnStatisticsData::Decimal { data } => {
            let number = |number: &DecimalNumber| Some(scaled(number.unscaled()?, number.scale));
            let low = data.minimum_value.as_ref().and_then(number)?;
            Some((low, data.maximum_value.as_ref().and_then(number)?))
        }
        ColumnStatisticsData::Boolean { .. }
        | ColumnStatisticsData::String { .. }
        | ColumnStatisticsData::Binary { .. } => None,
    }
}

fn scaled(unscaled: i128, scale: i32) -> f64 {
    unscaled as f64 / 10f64.powi(scale)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};
    use datafusion::logical_expr::{col, lit};
    use lakegate_catalog::model::{RangeStatistics, now};

    use super::*;

    fn column(name: &str, column_type: &str, data: ColumnStatisticsData) -> ColumnStatistics {
        ColumnStatistics {
            column_name: name.to_owned(),
            column_type: column_type.to_owned(),
            analyzed_time: now(),
            statistics_data: data,
        }
    }

    fn range<T>(low: T, high: T, nulls: u64) -> RangeStatistics<T> {
        RangeStatistics {
            minimum_value: Some(low),
            maximum_value: Some(high),
            number_of_nulls: nulls,
            number_of_distinct_values: 10,
        }
    }

    /// 100 rows: `a` from 0 to 100, `half` NULL in half of them, `day` of 1970-01-02 to 1970-01-12,
    /// `price` from 1.00 to 2.00, `one` always 5.
    fn known() -> TableStatistics {
        let long = |low, high, nulls| ColumnStatisticsData::Long {
            data: range(low, high, nulls),
        };
        let day = ColumnStatisticsData::Date {
            data: range(86_400, 11 * 86_400, 0),
        };
        let price = ColumnStatisticsData::Decimal {
            data: range(DecimalNumber::new(100, 2), DecimalNumber::new(200, 2), 0),
        };
        TableStatistics {
            row_count: 100,
            file_bytes: 1_000,
            version: 0,
            analyzed_time: now(),
            columns: vec![
                column("a", "bigint", long(0, 100, 0)),
                column("half", "bigint", long(0, 100, 50)),
                column("day", "date", day),
                column("price", "decimal(9,2)", price),
                column("one", "int", long(5, 5, 0)),
            ],
        }
    }

    fn share(filters: &[Expr]) -> f64 {
        Ranges::of(filters).share(&known())
    }

    #[test]
    fn ranges_are_shares_of_the_bounds() {
        let day = |days| lit(ScalarValue::Date32(Some(days)));
        let price = |cents| lit(ScalarValue::Decimal128(Some(cents), 9, 2));
        for (filter, expected) in [
            (col("a").gt(lit(25_i64)), 0.75),
            (lit(25_i64).gt(col("a")), 0.25),
            (col("a").lt_eq(lit(-1_i64)), 0.0),
            (col("a").gt(lit(1_000_i64)), 0.0),
            (col("a").lt(lit(1_000_i64)), 1.0),
            (col("a").between(lit(10_i64), lit(30_i64)), 0.2),
            (col("a").gt(lit(10_i64)).and(col("a").lt(lit(20_i64))), 0.1),
            (col("a").gt(lit(20_i64)).and(col("a").lt(lit(10_i64))), 0.0),
            (col("half").gt(lit(50_i64)), 0.25),
            (col("day").gt_eq(day(6)), 0.5),
            (col("day").lt(day(0)), 0.0),
            (col("price").gt(price(175)), 0.25),
            (col("one").gt(lit(3_i32)), 1.0),
            (col("one").gt(lit(6_i32)), 0.0),
            // Of single values the engine estimates how many rows have them.
            (col("a").eq(lit(7_i64)), 1.0),
            (col("a").eq(lit(700_i64)), 0.0),
            (col("a").in_list(vec![lit(7_i64), lit(700_i64)], false), 1.0),
            (
                col("a").in_list(vec![lit(700_i64), lit(701_i64)], false),
                0.0,
            ),
            // Nothing is known of these.
            (col("a").in_list(vec![lit(700_i64)], true), 1.0),
            (col("a").not_eq(lit(700_i64)), 1.0),
            (col("a").gt(lit(ScalarValue::Int64(None))), 1.0),
            (col("a").gt(lit(f64::NAN)), 1.0),
            (col("a").gt(lit("x")), 1.0),
            (col("other").gt(lit(7_i64)), 1.0),
            (col("a").gt(lit(700_i64)).or(col("a").lt(lit(7_i64))), 1.0),
        ] {
            let found = share(std::slice::from_ref(&filter));
            assert!((found - expected).abs() < 1e-9, "{filter}: {found}");
        }
    }

    #[test]
    fn filters_are_independent() {
        let filters = [col("a").gt(lit(50_i64)), col("half").gt(lit(50_i64))];
        assert!((share(&filters) - 0.125).abs() < 1e-9);
        let ranges = Ranges::of(&filters);
        assert!(ranges.excludes_null("half"));
        assert!(!ranges.excludes_null("day"));
        assert!((share(&[]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn keys_are_not_counted_twice() {
        let keys = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        let filters = [col("a").gt(lit(50_i64)), col("half").gt(lit(50_i64))];
        let ranges = Ranges::of(&filters).without(&keys);
        assert!((ranges.share(&known()) - 0.25).abs() < 1e-9);
    }
}
