//! Statistics of a scan whose files tell nothing: estimates from what ANALYZE found.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use lakegate_catalog::model::{ColumnStatistics as Analyzed, TableStatistics};

use super::selectivity::{Ranges, bounds};

/// What is known of the rows of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnalyzedPart<'a> {
    /// Of the files that a scan reads.
    pub(crate) bytes: u64,
    /// The value of each partition key.
    pub(crate) keys: &'a [ScalarValue],
    /// `None`: nothing is.
    pub(crate) statistics: Option<&'a TableStatistics>,
}

/// Statistics, and how much of what they are of is read.
#[derive(Clone, Copy)]
struct Share<'a> {
    known: &'a TableStatistics,
    share: f64,
    /// The share of the rows that match the query's filters.
    matching: f64,
}

impl<'a> Share<'a> {
    /// `None`: they say nothing of files.
    fn of(known: Option<&'a TableStatistics>, bytes: u64, wanted: &Ranges) -> Option<Self> {
        let known = known.filter(|known| known.file_bytes > 0)?;
        Some(Self {
            known,
            share: bytes as f64 / known.file_bytes as f64,
            matching: wanted.share(known),
        })
    }

    /// How many of `count` rows of all of the files are read.
    fn read(&self, count: u64) -> f64 {
        count as f64 * self.share
    }
}

/// What is summed up of a column.
#[derive(Clone, Default)]
struct OfColumn {
    /// How many statistics have the column.
    found: usize,
    nulls: f64,
    /// `None`: one does not say.
    distinct: Option<Distinct>,
    /// The bounds, in the order of the statistics that have some.
    bounds: Vec<(f64, f64)>,
}

impl OfColumn {
    /// Whether no value can be in two parts.
    fn is_disjoint(&mut self) -> bool {
        self.bounds
            .sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let mut pairs = self.bounds.iter().zip(self.bounds.iter().skip(1));
        self.bounds.len() == self.found && pairs.all(|(before, next)| before.1 < next.0)
    }
}

#[derive(Clone, Copy, Default)]
struct Distinct {
    sum: u64,
    most: u64,
}

/// Estimates of the rows of a scan that match `wanted`, for the columns of `schema`: the partition
/// keys are those from `first_key` on. The scan reads `parts` of a table.
///
/// Nothing is exact, because files may have changed, and only partition keys have bounds, which do
/// not depend on what ANALYZE found: the estimates choose between plans, and decide no answer and no
/// file. The rows are as many per byte as ANALYZE found of the partitions that are read, so that
/// they follow the files that were added. Partitions of which nothing is known are estimated by the
/// table, or else by the other partitions.
pub(crate) fn estimated(
    table: Option<&TableStatistics>,
    parts: &[AnalyzedPart<'_>],
    schema: &SchemaRef,
    first_key: usize,
    wanted: &Ranges,
) -> Statistics {
    let mut estimated = Statistics::new_unknown(schema);
    let mut shares = Vec::new();
    let (mut known, mut rest): (u64, u64) = (0, 0);
    for part in parts {
        match Share::of(part.statistics, part.bytes, wanted) {
            Some(share) => {
                known = known.saturating_add(part.bytes);
                shares.push(share);
            }
            None => rest = rest.saturating_add(part.bytes),
        }
    }
    let mut scale = 1.0;
    if rest > 0 || shares.is_empty() {
        match Share::of(table, rest, wanted) {
            Some(share) => shares.push(share),
            None if known > 0 => scale = (known as f64 + rest as f64) / known as f64,
            None => return estimated,
        }
    }
    // The cast saturates.
    let scaled = |count: f64| (count * scale).round() as usize;
    let read = shares.iter().map(|part| part.read(part.known.row_count));
    let matching = shares
        .iter()
        .map(|part| part.read(part.known.row_count) * part.matching);
    // Filters may match a row although the bounds that ANALYZE found say that they do not.
    let least = scaled(read.sum()).min(1);
    let rows = scaled(matching.sum()).max(least);
    estimated.num_rows = Precision::Inexact(rows);
    let columns = of_columns(&shares, schema, wanted);
    for ((field, column), mut found) in schema
        .fields()
        .iter()
        .zip(&mut estimated.column_statistics)
        .zip(columns)
    {
        if found.found < shares.len() {
            continue;
        }
        column.null_count = Precision::Inexact(scaled(found.nulls).min(rows));
        let Some(distinct) = found.distinct else {
            continue;
        };
        // Partitions may have the same values or others.
        let is_disjoint = found.is_disjoint();
        let of_table = table.and_then(|table| table.column(field.name()));
        let distinct = match of_table.and_then(Analyzed::distinct_values) {
            Some(of_table) => distinct.sum.min(of_table),
            None if is_disjoint => distinct.sum,
            None => distinct.most,
        };
        let distinct = usize::try_from(distinct).unwrap_or(usize::MAX);
        column.distinct_count = Precision::Inexact(distinct.min(rows));
    }
    for (key, column) in estimated
        .column_statistics
        .iter_mut()
        .skip(first_key)
        .enumerate()
    {
        if let Some(known) = of_key(parts, key, rows) {
            *column = known;
        }
    }
    estimated
}

/// What the partitions that have files tell of a key. `None`: the column is not a key, or nothing is
/// read. `rows`: about how many are read.
fn of_key(parts: &[AnalyzedPart<'_>], key: usize, rows: usize) -> Option<ColumnStatistics> {
    let mut values: Vec<&ScalarValue> = Vec::new();
    let (mut bytes, mut null_bytes): (u64, u64) = (0, 0);
    for part in parts.iter().filter(|part| part.bytes > 0) {
        let value = part.keys.get(key)?;
        bytes = bytes.saturating_add(part.bytes);
        if value.is_null() {
            null_bytes = null_bytes.saturating_add(part.bytes);
        } else {
            values.push(value);
        }
    }
    if bytes == 0 {
        return None;
    }
    values.sort_unstable_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    values.dedup();
    let nulls = (rows as f64 * (null_bytes as f64 / bytes as f64)).round() as usize;
    let mut known = ColumnStatistics::new_unknown();
    known.null_count = Precision::Inexact(nulls.min(rows));
    known.distinct_count = Precision::Inexact(values.len().min(rows));
    // The engine's intervals of floating-point numbers have no NaN.
    if let (Some(first), Some(last)) = (values.first(), values.last())
        && !first.data_type().is_floating()
    {
        known.min_value = Precision::Inexact((*first).clone());
        known.max_value = Precision::Inexact((*last).clone());
    }
    Some(known)
}

/// Sums up what is known of each column of `schema`.
fn of_columns(shares: &[Share<'_>], schema: &SchemaRef, wanted: &Ranges) -> Vec<OfColumn> {
    let fields = schema.fields().iter().enumerate();
    let places: HashMap<&str, usize> = fields
        .map(|(place, field)| (field.name().as_str(), place))
        .collect();
    let mut columns = vec![OfColumn::default(); schema.fields().len()];
    for part in shares {
        for found in &part.known.columns {
            let place = places.get(found.column_name.as_str());
            let Some(column) = place.and_then(|place| columns.get_mut(*place)) else {
                continue;
            };
            let earlier = match column.found {
                0 => Some(Distinct::default()),
                _ => column.distinct,
            };
            column.found += 1;
            column.bounds.extend(bounds(found));
            if !wanted.excludes_null(&found.column_name) {
                column.nulls += part.read(found.nulls()) * part.matching;
            }
            let distinct = match part.matching > 0.0 {
                true => found.distinct_values(),
                false => Some(0),
            };
            column.distinct = earlier.zip(distinct).map(|(earlier, distinct)| Distinct {
                sum: earlier.sum.saturating_add(distinct),
                most: earlier.most.max(distinct),
            });
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::{Expr, col, lit};
    use lakegate_catalog::model::{ColumnStatisticsData, RangeStatistics, now};

    use super::*;

    fn known() -> TableStatistics {
        let column = |name: &str| Analyzed {
            column_name: name.to_owned(),
            column_type: "int".to_owned(),
            analyzed_time: now(),
            statistics_data: ColumnStatisticsData::Long {
                data: RangeStatistics {
                    minimum_value: Some(1),
                    maximum_value: Some(9),
                    number_of_nulls: 20,
                    number_of_distinct_values: 60,
                },
            },
        };
        TableStatistics {
            row_count: 100,
            file_bytes: 1_000,
            version: 0,
            analyzed_time: now(),
            columns: vec![column("a"), column("hidden")],
        }
    }

    fn schema() -> SchemaRef {
        let field = |name: &str| Field::new(name, DataType::Int32, true);
        Arc::new(Schema::new(vec![field("b"), field("a")]))
    }

    fn part(bytes: u64, statistics: Option<&TableStatistics>) -> AnalyzedPart<'_> {
        AnalyzedPart {
            bytes,
            keys: &[],
            statistics,
        }
    }

    /// Estimates of a table without partition keys.
    fn of_table(
        table: Option<&TableStatistics>,
        parts: &[AnalyzedPart<'_>],
        filters: &[Expr],
    ) -> Statistics {
        estimated(table, parts, &schema(), 2, &Ranges::of(filters))
    }

    #[test]
    fn partitions_are_estimated_by_their_own_statistics() {
        let of_part = TableStatistics {
            row_count: 40,
            file_bytes: 200,
            ..known()
        };
        let rows = |table: Option<&TableStatistics>, parts: &[AnalyzedPart<'_>]| {
            let found = of_table(table, parts, &[]);
            let [_, a] = found.column_statistics.as_slice() else {
                unreachable!()
            };
            (found.num_rows, a.distinct_count)
        };
        let of = |rows, distinct| (Precision::Inexact(rows), Precision::Inexact(distinct));
        let own = || part(200, Some(&of_part));
        assert_eq!(rows(None, &[own()]), of(40, 40));
        assert_eq!(rows(Some(&known()), &[own()]), of(40, 40));
        // The values of two partitions are the same, or are bounded by those of the table.
        assert_eq!(rows(None, &[own(), own()]), of(80, 60));
        assert_eq!(rows(Some(&known()), &[own(), own()]), of(80, 60));
        // Of the others the table tells, or else the partition.
        assert_eq!(rows(Some(&known()), &[own(), part(500, None)]), of(90, 60));
        assert_eq!(rows(None, &[own(), part(100, None)]), of(60, 60));
        assert_eq!(
            rows(None, &[part(100, None)]),
            (Precision::Absent, Precision::Absent)
        );
        // A partition that had no file when it was analysed has some now.
        let empty = TableStatistics {
            row_count: 0,
            file_bytes: 0,
            ..known()
        };
        assert_eq!(rows(None, &[own(), part(200, Some(&empty))]), of(80, 60));
    }

    #[test]
    fn rows_follow_the_bytes_that_are_read() {
        for (bytes, rows, nulls, distinct) in [
            (1_000, 100, 20, 60),
            (500, 50, 10, 50),
            (2_000, 200, 40, 60),
        ] {
            let found = of_table(Some(&known()), &[part(bytes, None)], &[]);
            assert_eq!(found.num_rows, Precision::Inexact(rows));
            let [b, a] = found.column_statistics.as_slice() else {
                unreachable!()
            };
            assert_eq!(b.distinct_count, Precision::Absent);
            assert_eq!(a.null_count, Precision::Inexact(nulls));
            assert_eq!(a.distinct_count, Precision::Inexact(distinct));
            assert_eq!(
                (&a.min_value, &a.max_value),
                (&Precision::Absent, &Precision::Absent)
            );
        }
    }

    #[test]
    fn an_empty_table_tells_nothing_of_files_that_were_added() {
        let empty = TableStatistics {
            row_count: 0,
            file_bytes: 0,
            ..known()
        };
        let found = of_table(Some(&empty), &[part(1_000, None)], &[]);
        assert_eq!(found.num_rows, Precision::Absent);
    }

    #[test]
    fn rows_that_do_not_match_the_bounds_are_not_counted() {
        // 100 rows with a from 1 to 9, of which 20 are NULL; 40 rows with a from 101 to 109.
        let later = TableStatistics {
            row_count: 40,
            file_bytes: 200,
            columns: vec![Analyzed {
                statistics_data: ColumnStatisticsData::Long {
                    data: RangeStatistics {
                        minimum_value: Some(101),
                        maximum_value: Some(109),
                        number_of_nulls: 0,
                        number_of_distinct_values: 5,
                    },
                },
                ..known().columns.remove(0)
            }],
            ..known()
        };
        let early = known();
        let parts = [part(1_000, Some(&early)), part(200, Some(&later))];
        let found = |filter: Expr| {
            let found = of_table(None, &parts, &[filter]);
            let [_, a] = found.column_statistics.as_slice() else {
                unreachable!()
            };
            // No bound: filters above the scan would take them for facts.
            assert_eq!(a.min_value, Precision::Absent);
            assert_eq!(a.max_value, Precision::Absent);
            (found.num_rows, a.null_count, a.distinct_count)
        };
        let of = |rows, nulls, distinct| {
            (
                Precision::Inexact(rows),
                Precision::Inexact(nulls),
                Precision::Inexact(distinct),
            )
        };
        assert_eq!(found(col("a").gt(lit(100))), of(40, 0, 5));
        assert_eq!(found(col("a").gt(lit(105))), of(20, 0, 5));
        assert_eq!(found(col("a").lt(lit(5))), of(40, 0, 40));
        // No value is in both.
        assert_eq!(found(col("b").lt(lit(5))), of(140, 20, 65));
        // What ANALYZE did not see may be there by now.
        assert_eq!(found(col("a").gt(lit(1_000))), of(1, 0, 0));
    }

    #[test]
    fn keys_are_known_by_the_partitions_that_are_read() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("k", DataType::Int32, true),
            Field::new("d", DataType::Float64, true),
        ]));
        let known = known();
        let keys: Vec<[ScalarValue; 2]> = [Some(3), Some(7), None, Some(9)]
            .into_iter()
            .map(|key| [ScalarValue::Int32(key), ScalarValue::Float64(Some(1.5))])
            .collect();
        let bytes = [500, 400, 100, 0];
        let parts: Vec<AnalyzedPart<'_>> = keys
            .iter()
            .zip(bytes)
            .map(|(keys, bytes)| AnalyzedPart {
                bytes,
                keys,
                statistics: None,
            })
            .collect();
        let found = estimated(Some(&known), &parts, &schema, 1, &Ranges::default());
        assert_eq!(found.num_rows, Precision::Inexact(100));
        let [_, k, d] = found.column_statistics.as_slice() else {
            unreachable!()
        };
        assert_eq!(k.null_count, Precision::Inexact(10));
        assert_eq!(k.distinct_count, Precision::Inexact(2));
        let bound = |key| Precision::Inexact(ScalarValue::Int32(Some(key)));
        assert_eq!((&k.min_value, &k.max_value), (&bound(3), &bound(7)));
        assert_eq!(d.distinct_count, Precision::Inexact(1));
        assert_eq!(d.min_value, Precision::Absent);
        let none = estimated(Some(&known), &parts[3..], &schema, 1, &Ranges::default());
        let [_, k, _] = none.column_statistics.as_slice() else {
            unreachable!()
        };
        assert_eq!(k.distinct_count, Precision::Absent);
    }
}
