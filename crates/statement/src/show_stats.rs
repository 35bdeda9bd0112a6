//! SHOW STATS: what the last ANALYZE found, or what is estimated of a query, as Trino shows it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use chrono::DateTime;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::model::{
    Column, ColumnStatistics, ColumnStatisticsData, DecimalNumber, TableStatistics,
};
use lakegate_error::{Error, Result};
use lakegate_policy::Visible;
use lakegate_sql::Statement;
use lakegate_sql::ast::ShowStats;

use super::rights::require_lasting;
use super::{Output, StatementContext, rows};

/// Of decimals in Hive and Glue.
const MAX_SCALE: usize = 38;

/// One row; what is not known is NULL.
#[derive(Debug, Default)]
struct Row {
    column_name: Option<String>,
    data_size: Option<f64>,
    distinct_values_count: Option<f64>,
    nulls_fraction: Option<f64>,
    row_count: Option<f64>,
    low_value: Option<String>,
    high_value: Option<String>,
}

/// What is estimated of a column of a query over one table.
#[derive(Debug, Clone, Default)]
pub struct EstimatedColumn {
    pub name: String,
    pub nulls: Option<u64>,
    pub distinct_values: Option<u64>,
    /// Of all texts or bytes.
    pub bytes: Option<u64>,
    pub low: Option<String>,
    pub high: Option<String>,
}

impl StatementContext {
    /// What the last ANALYZE found of the table of SHOW STATS.
    ///
    /// # Errors
    ///
    /// The table does not exist for the principal, or it may select no column; a view, whose rows may
    /// be fewer than those of the files that statistics are of.
    pub fn analyzed<'a>(
        &'a self,
        show: &'a ShowStats,
    ) -> BoxFuture<'a, Result<Option<Arc<TableStatistics>>>> {
        async move {
            let (_, known) = self.known(show).await?;
            Ok(known)
        }
        .boxed()
    }

    async fn known(&self, show: &ShowStats) -> Result<(Visible, Option<Arc<TableStatistics>>)> {
        let visible = self.table(&show.table).await?;
        require_lasting(&visible)?;
        let table = &visible.table;
        if table.is_view() {
            return Err(Error::not_supported(format!(
                "{} is a view, which has no statistics; show those of the tables that it reads",
                table.full_name()
            )));
        }
        self.selectable(&visible)?;
        let known = self.view.metastore.table_statistics(table).await?;
        Ok((visible, known))
    }
}

/// A row for each column that the principal may select, and a last one of the table.
pub(super) async fn show(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowStats,
) -> Result<Output> {
    let (visible, known) = context.known(show).await?;
    let columns = context.selectable(&visible)?;
    let known = known.as_deref();
    let shown: Vec<Row> = columns.iter().map(|column| of(column, known)).collect();
    answer(statement, shown, known.map(|known| known.row_count))
}

/// A row for each column of a query, and a last one of its rows. `known`: what the last ANALYZE found
/// of the table, or of the partitions that are read; it tells what nothing is estimated of.
///
/// # Errors
///
/// The rows do not form a batch, which is an internal error.
pub fn show_estimates(
    statement: &Statement,
    row_count: Option<u64>,
    columns: Vec<EstimatedColumn>,
    known: Option<&TableStatistics>,
) -> Result<Output> {
    let shown = columns.into_iter().map(|column| {
        let found = known.and_then(|known| known.column(&column.name));
        let nulls = column.nulls.zip(row_count);
        let nulls = nulls.map(|(nulls, rows)| nulls.min(rows));
        let values = row_count.map(|rows| rows - nulls.unwrap_or(0));
        let distinct = column
            .distinct_values
            .or_else(|| found?.distinct_values())
            .zip(values);
        let length = found.and_then(ColumnStatistics::average_length).zip(values);
        let bytes = column.bytes.map(|bytes| bytes as f64);
        let (low_value, high_value) = match (column.low, column.high, found) {
            (None, None, Some(found)) => bounds(found),
            (low, high, _) => (low, high),
        };
        Row {
            data_size: bytes.or_else(|| length.map(|(length, n)| (length * n as f64).round())),
            distinct_values_count: distinct.map(|(distinct, values)| distinct.min(values) as f64),
            nulls_fraction: match (nulls, row_count) {
                (Some(nulls), Some(rows)) if rows > 0 => Some(nulls as f64 / rows as f64),
                _ => None,
            },
            row_count: None,
            low_value,
            high_value,
            column_name: Some(column.name),
        }
    });
    answer(statement, shown.collect(), row_count)
}

fn answer(statement: &Statement, mut shown: Vec<Row>, row_count: Option<u64>) -> Result<Output> {
    shown.push(Row {
        row_count: row_count.map(|rows| rows as f64),
        ..Row::default()
    });
    let texts = |of: fn(&Row) -> Option<&String>| rows::strings(shown.iter().map(of));
    let numbers = |of: fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(shown.iter().map(of).collect::<Float64Array>())
    };
    rows::answer(
        statement,
        vec![
            texts(|row| row.column_name.as_ref())?,
            numbers(|row| row.data_size),
            numbers(|row| row.distinct_values_count),
            numbers(|row| row.nulls_fraction),
            numbers(|row| row.row_count),
            texts(|row| row.low_value.as_ref())?,
            texts(|row| row.high_value.as_ref())?,
        ],
    )
}

fn of(column: &Column, known: Option<&TableStatistics>) -> Row {
    let mut row = Row {
        column_name: Some(column.name.clone()),
        ..Row::default()
    };
    let Some((known, found)) = known.and_then(|known| Some((known, known.column(&column.name)?)))
    else {
        return row;
    };
    let (rows, nulls) = (known.row_count, found.nulls().min(known.row_count));
    let values = rows - nulls;
    row.data_size = found
        .average_length()
        .map(|length| (length * values as f64).round());
    row.distinct_values_count = found
        .distinct_values()
        .map(|distinct| distinct.min(values) as f64);
    row.nulls_fraction = (rows > 0).then(|| nulls as f64 / rows as f64);
    (row.low_value, row.high_value) = bounds(found);
    row
}

/// The least and the greatest value as texts.
pub(super) fn bounds(found: &ColumnStatistics) -> (Option<String>, Option<String>) {
    match &found.statistics_data {
        ColumnStatisticsData::Long { data } => {
            let is_time = found.column_type == "timestamp";
            let text = |value: &i64| match is_time {
                true => time(*value, "%Y-%m-%d %H:%M:%S"),
                false => Some(value.to_string()),
            };
            let (low, high) = (&data.minimum_value, &data.maximum_value);
            (low.as_ref().and_then(text), high.as_ref().and_then(text))
        }
        ColumnStatisticsData::Date { data } => {
            let text = |value: &i64| time(*value, "%Y-%m-%d");
            let (low, high) = (&data.minimum_value, &data.maximum_value);
            (low.as_ref().and_then(text), high.as_ref().and_then(text))
        }
        ColumnStatisticsData::Double { data } => {
            let text = |value: &f64| format!("{value:?}");
            let (low, high) = (&data.minimum_value, &data.maximum_value);
            (low.as_ref().map(text), high.as_ref().map(text))
        }
        ColumnStatisticsData::Decimal { data } => {
            let (low, high) = (&data.minimum_value, &data.maximum_value);
            (
                low.as_ref().and_then(decimal),
                high.as_ref().and_then(decimal),
            )
        }
        ColumnStatisticsData::Boolean { .. }
        | ColumnStatisticsData::String { .. }
        | ColumnStatisticsData::Binary { .. } => (None, None),
    }
}

/// A time of seconds since 1970.
fn time(seconds: i64, format: &str) -> Option<String> {
    let time = DateTime::from_timestamp(seconds, 0)?;
    Some(time.format(format).to_string())
}

fn decimal(number: &DecimalNumber) -> Option<String> {
    let unscaled = number.unscaled()?;
    let scale = usize::try_from(number.scale)
        .ok()
        .filter(|scale| *scale <= MAX_SCALE)?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(scale)?)?;
    Some(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::model::{RangeStatistics, StringStatistics, now};
    use lakegate_catalog::store::Metastore;
    use lakegate_error::Code;

    use super::super::testing::Lake;
    use super::*;

    #[test]
    fn decimals_have_their_scale() {
        for (unscaled, scale, text) in [
            (12_345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (0, 3, "0.000"),
            (7, 0, "7"),
        ] {
            let number = DecimalNumber::new(unscaled, scale);
            assert_eq!(decimal(&number).as_deref(), Some(text));
        }
        assert_eq!(decimal(&DecimalNumber::new(1, i32::MIN)), None);
    }

    async fn analyzed() -> Lake {
        let lake = Lake::with_orders().await;
        let column = |name: &str, column_type: &str, statistics_data| ColumnStatistics {
            column_name: name.to_owned(),
            column_type: column_type.to_owned(),
            analyzed_time: now(),
            statistics_data,
        };
        let day = ColumnStatisticsData::Date {
            data: RangeStatistics {
                minimum_value: Some(0),
                maximum_value: Some(86_400),
                number_of_nulls: 0,
                number_of_distinct_values: 2,
            },
        };
        let id = ColumnStatisticsData::Long {
            data: RangeStatistics {
                minimum_value: Some(-1),
                maximum_value: Some(9),
                number_of_nulls: 5,
                number_of_distinct_values: 30,
            },
        };
        let email = ColumnStatisticsData::String {
            data: StringStatistics {
                maximum_length: 9,
                average_length: 4.5,
                number_of_nulls: 0,
                number_of_distinct_values: 7,
            },
        };
        let found = TableStatistics {
            row_count: 20,
            file_bytes: 99,
            version: 0,
            analyzed_time: now(),
            columns: vec![
                column("id", "int", id),
                column("email", "string", email),
                column("day", "date", day),
            ],
        };
        let orders = lake.table("orders").await;
        let stored = lake.store.update_table_statistics(&orders, found);
        stored.await.unwrap();
        lake
    }

    #[tokio::test]
    async fn statistics_of_columns_that_are_granted_are_shown() {
        let lake = analyzed().await;
        assert_eq!(
            lake.text("admin", "SHOW STATS FOR orders").await,
            "id|NULL|15.0|0.25|NULL|-1|9\n\
             email|90.0|7.0|0.0|NULL|NULL|NULL\n\
             day|NULL|2.0|0.0|NULL|1970-01-01|1970-01-02\n\
             NULL|NULL|NULL|NULL|20.0|NULL|NULL"
        );
        let show = "SHOW STATS FOR sales.orders";
        let hidden = lake.fails("ann", show).await;
        assert_eq!(hidden.code(), Code::TableNotFound);
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann; GRANT DESCRIBE ON TABLE orders TO ben")
            .await;
        assert_eq!(
            lake.text("ann", show).await,
            "id|NULL|15.0|0.25|NULL|-1|9\nNULL|NULL|NULL|NULL|20.0|NULL|NULL"
        );
        // Statistics tell of values, which DESCRIBE does not show.
        let described = lake.fails("ben", show).await;
        assert_eq!(described.code(), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn a_column_that_takes_the_name_of_another_has_no_statistics() {
        let lake = analyzed().await;
        lake.ok(
            "ALTER TABLE orders DROP COLUMN email; ALTER TABLE orders RENAME COLUMN id TO email",
        )
        .await;
        let shown = lake.text("admin", "SHOW STATS FOR orders").await;
        assert!(
            shown.starts_with("email|NULL|NULL|NULL|NULL|NULL|NULL\n"),
            "{shown}"
        );
        lake.ok("DROP TABLE orders; CREATE EXTERNAL TABLE orders (id INT) STORED AS PARQUET LOCATION 's3://lake/orders/'")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW STATS FOR orders").await,
            "id|NULL|NULL|NULL|NULL|NULL|NULL\nNULL|NULL|NULL|NULL|NULL|NULL|NULL"
        );
    }
}
