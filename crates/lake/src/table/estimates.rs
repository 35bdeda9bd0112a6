//! Statistics of a scan whose files tell nothing: estimates from what ANALYZE found.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use lakegate_catalog::model::{ColumnStatistics, TableStatistics};

/// What is known of the rows of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnalyzedPart<'a> {
    /// Of the files that a scan reads.
    pub(crate) bytes: u64,
    /// `None`: nothing is.
    pub(crate) statistics: Option<&'a TableStatistics>,
}

/// Statistics, and how much of what they are of is read.
#[derive(Clone, Copy)]
struct Share<'a> {
    known: &'a TableStatistics,
    share: f64,
}

impl<'a> Share<'a> {
    /// `None`: they say nothing of files.
    fn of(known: Option<&'a TableStatistics>, bytes: u64) -> Option<Self> {
        let known = known.filter(|known| known.file_bytes > 0)?;
        let share = bytes as f64 / known.file_bytes as f64;
        Some(Self { known, share })
    }
}

/// What is summed up of a column.
#[derive(Clone, Copy, Default)]
struct OfColumn {
    /// How many statistics have the column.
    found: usize,
    nulls: f64,
    /// `None`: one does not say.
    distinct: Option<Distinct>,
}

#[derive(Clone, Copy, Default)]
struct Distinct {
    sum: u64,
    most: u64,
}

/// Estimates of a scan that reads `parts` of a table, for the columns of `schema`.
///
/// Nothing is exact, because files may have changed, and bounds are left out: the estimates choose
/// between plans, and decide no answer and no file. The rows are as many per byte as ANALYZE found
/// of the partitions that are read, so that they follow the files that were added. Partitions of
/// which nothing is known are estimated by the table, or else by the other partitions.
pub(crate) fn estimated(
    table: Option<&TableStatistics>,
    parts: &[AnalyzedPart<'_>],
    schema: &SchemaRef,
) -> Statistics {
    let mut estimated = Statistics::new_unknown(schema);
    let mut shares = Vec::new();
    let (mut known, mut rest): (u64, u64) = (0, 0);
    for part in parts {
        match Share::of(part.statistics, part.bytes) {
            Some(share) => {
                known = known.saturating_add(part.bytes);
                shares.push(share);
            }
            None => rest = rest.saturating_add(part.bytes),
        }
    }
    let mut scale = 1.0;
    if rest > 0 || shares.is_empty() {
        match Share::of(table, rest) {
            Some(share) => shares.push(share),
            None if known > 0 => scale = (known as f64 + rest as f64) / known as f64,
            None => return estimated,
        }
    }
    // The cast saturates.
    let scaled = |count: f64| (count * scale).round() as usize;
    let rows = shares
        .iter()
        .map(|part| part.known.row_count as f64 * part.share);
    let rows = scaled(rows.sum());
    estimated.num_rows = Precision::Inexact(rows);
    let columns = of_columns(&shares, schema);
    for ((field, column), found) in schema
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
        let of_table = table.and_then(|table| table.column(field.name()));
        let distinct = match of_table.and_then(ColumnStatistics::distinct_values) {
            Some(of_table) => distinct.sum.min(of_table),
            None => distinct.most,
        };
        let distinct = usize::try_from(distinct).unwrap_or(usize::MAX);
        column.distinct_count = Precision::Inexact(distinct.min(rows));
    }
    estimated
}

/// Sums up what is known of each column of `schema`.
fn of_columns(shares: &[Share<'_>], schema: &SchemaRef) -> Vec<OfColumn> {
    let fields = schema.fields().iter().enumerate();
    let places: HashMap<&str, usize> = fields
        .map(|(place, field)| (field.name().as_str(), place))
        .collect();
    let mut columns = vec![OfColumn::default(); schema.fields().len()];
    for Share { known, share } in shares {
        for found in &known.columns {
            let place = places.get(found.column_name.as_str());
            let Some(column) = place.and_then(|place| columns.get_mut(*place)) else {
                continue;
            };
            let earlier = match column.found {
                0 => Some(Distinct::default()),
                _ => column.distinct,
            };
            column.found += 1;
            column.nulls += found.nulls() as f64 * share;
            column.distinct = earlier
                .zip(found.distinct_values())
                .map(|(earlier, distinct)| Distinct {
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
    use lakegate_catalog::model::{ColumnStatisticsData, RangeStatistics, now};

    use super::*;

    fn known() -> TableStatistics {
        let column = |name: &str| ColumnStatistics {
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
        AnalyzedPart { bytes, statistics }
    }

    #[test]
    fn partitions_are_estimated_by_their_own_statistics() {
        let of_part = TableStatistics {
            row_count: 40,
            file_bytes: 200,
            ..known()
        };
        let rows = |table: Option<&TableStatistics>, parts: &[AnalyzedPart<'_>]| {
            let found = estimated(table, parts, &schema());
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
            let found = estimated(Some(&known()), &[part(bytes, None)], &schema());
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
        let found = estimated(Some(&empty), &[part(1_000, None)], &schema());
        assert_eq!(found.num_rows, Precision::Absent);
    }
}
