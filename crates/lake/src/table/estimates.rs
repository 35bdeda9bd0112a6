//! Statistics of a scan whose files tell nothing: estimates from what ANALYZE found.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use lakegate_catalog::model::TableStatistics;

/// Estimates of a scan that reads `bytes` of a table's files, for the columns of `schema`.
///
/// Nothing is exact, because files may have changed, and bounds are left out: the estimates choose
/// between plans, and decide no answer and no file. The rows are as many per byte as ANALYZE found,
/// so that they follow the partitions that are read and the files that were added.
pub(crate) fn estimated(known: &TableStatistics, schema: &SchemaRef, bytes: u64) -> Statistics {
    let mut estimated = Statistics::new_unknown(schema);
    if known.file_bytes == 0 {
        return estimated;
    }
    let share = bytes as f64 / known.file_bytes as f64;
    // The cast saturates.
    let scaled = |count: u64| (count as f64 * share).round() as usize;
    let rows = scaled(known.row_count);
    estimated.num_rows = Precision::Inexact(rows);
    let columns = known.columns.iter();
    let columns: HashMap<&str, _> = columns
        .map(|column| (column.column_name.as_str(), column))
        .collect();
    for (field, column) in schema.fields().iter().zip(&mut estimated.column_statistics) {
        let Some(found) = columns.get(field.name().as_str()) else {
            continue;
        };
        column.null_count = Precision::Inexact(scaled(found.nulls()).min(rows));
        if let Some(distinct) = found.distinct_values() {
            let distinct = usize::try_from(distinct).unwrap_or(usize::MAX);
            column.distinct_count = Precision::Inexact(distinct.min(rows));
        }
    }
    estimated
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use lakegate_catalog::model::{ColumnStatistics, ColumnStatisticsData, RangeStatistics, now};

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

    #[test]
    fn rows_follow_the_bytes_that_are_read() {
        for (bytes, rows, nulls, distinct) in [
            (1_000, 100, 20, 60),
            (500, 50, 10, 50),
            (2_000, 200, 40, 60),
        ] {
            let found = estimated(&known(), &schema(), bytes);
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
        let found = estimated(&empty, &schema(), 1_000);
        assert_eq!(found.num_rows, Precision::Absent);
    }
}
