//! SHOW STATS FOR a query: what the planner estimates of its rows. It is planned, and does not run.

use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};
use futures::FutureExt;
use lakegate_catalog::model::TableStatistics;
use lakegate_dialect::postgres::ResultReuse;
use lakegate_error::{Error, Result, from_engine};
use lakegate_policy::snapshots::SnapshotPlan;
use lakegate_sql::Parsed;
use lakegate_sql::ast::{ShowStats, Statement};
use lakegate_statement::{EstimatedColumn, Output, show_estimates};
use sqlparser::ast;

use crate::Execution;
use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::parameters::check_parameters;
use crate::query::run::QueryContext;
use crate::session::Session;
use crate::session::results::rows;

impl Session {
    /// Runs SHOW STATS FOR a query over one table, which may be no view. The plan has only columns
    /// that the principal may select.
    ///
    /// # Errors
    /// The table has no statistics to show; planning the query fails.
    pub(crate) async fn show_query_stats(
        &self,
        moment: &Moment,
        parsed: &Parsed,
        show: &ShowStats,
    ) -> Result<Execution> {
        let Some(query) = &show.query else {
            return Err(Error::internal("SHOW STATS has no query"));
        };
        check_parameters(query.as_ref(), 0)?;
        let catalog = self.statement_context(moment).await?;
        let known = catalog.analyzed(show).await?;
        let statement = ast::Statement::Query(query.clone());
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        let mut context = self.query_context(&parsed.text, planning)?;
        context.reuse = ResultReuse::Off;
        let _unfinished = Unfinished::guard(&context.query);
        let shown = estimates(&context, &parsed.statement, known.as_deref());
        match shown.boxed().await {
            Ok(Output::Rows { batch }) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                let tag = parsed.statement.tag();
                Ok(rows(tag, batch.schema(), vec![batch]))
            }
            Ok(Output::Command) => Err(Error::internal("SHOW STATS has no rows")),
            Err(error) => {
                context.query.finish(0, Err(&error));
                Err(error)
            }
        }
    }
}

async fn estimates(
    context: &QueryContext,
    statement: &Statement,
    known: Option<&TableStatistics>,
) -> Result<Output> {
    let (snapshot, physical) = context.planned(&[]).await?;
    let mut tables = snapshot.tables.iter();
    if tables.any(|scanned| scanned.table.sealed_view().is_some()) {
        return Err(Error::internal("SHOW STATS reads a view"));
    }
    let of_parts = of_partitions(&snapshot);
    let known = of_parts.as_ref().or(known);
    let names = &context.planning.names;
    let columns = names.schema(snapshot.plan.schema().inner());
    let columns = columns.fields().iter().map(|field| field.name().as_str());
    let found = statistics(physical.as_ref())?;
    let estimated = columns.zip(&found.column_statistics).map(|(name, column)| {
        let is_text = |value: &Precision<ScalarValue>| {
            let value = value.get_value();
            value.is_some_and(|value| value.data_type().is_string())
        };
        let bytes = count(&column.byte_size);
        EstimatedColumn {
            name: name.to_owned(),
            nulls: count(&column.null_count),
            distinct_values: count(&column.distinct_count),
            bytes: bytes.filter(|_| is_text(&column.min_value)),
            low: bound(&column.min_value),
            high: bound(&column.max_value),
        }
    });
    let rows = count(&found.num_rows);
    show_estimates(statement, rows, estimated.collect(), known)
}

/// What ANALYZE found of the partitions that are read. `None`: it is not known of each of them.
fn of_partitions(snapshot: &SnapshotPlan) -> Option<TableStatistics> {
    let tables = snapshot.tables.iter();
    let partitions = tables.flat_map(|scanned| &scanned.snapshot.partitions);
    let known = partitions
        .filter(|partition| !partition.files.is_empty())
        .map(|partition| partition.statistics.as_deref())
        .collect::<Option<Vec<_>>>()?;
    TableStatistics::of_parts(known.into_iter())
}

/// Of all partitions of a plan.
fn statistics(physical: &dyn ExecutionPlan) -> Result<Statistics> {
    let found = StatisticsContext::new().compute(physical, &StatisticsArgs::new());
    found
        .map(|found| found.as_ref().clone())
        .map_err(from_engine)
}

fn count(known: &Precision<usize>) -> Option<u64> {
    known.get_value().map(|count| *count as u64)
}

/// The text of a bound of numbers and times; Trino shows no others.
fn bound(known: &Precision<ScalarValue>) -> Option<String> {
    let value = known.get_value().filter(|value| !value.is_null())?;
    let data_type = value.data_type();
    let is_time = matches!(data_type, DataType::Timestamp(..));
    if !is_time && !data_type.is_numeric() && data_type != DataType::Date32 {
        return None;
    }
    let array = value.to_array().ok()?;
    let text = array_value_to_string(&array, 0).ok()?;
    Some(match is_time {
        true => text.replacen('T', " ", 1),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_of_numbers_and_times() {
        let text = |value: ScalarValue| bound(&Precision::Inexact(value));
        for (value, expected) in [
            (ScalarValue::Int64(Some(-7)), Some("-7")),
            (ScalarValue::Float64(Some(9.0)), Some("9.0")),
            (ScalarValue::Decimal128(Some(-5), 9, 2), Some("-0.05")),
            (ScalarValue::Date32(Some(1)), Some("1970-01-02")),
            (
                ScalarValue::TimestampMicrosecond(Some(1_500_000), None),
                Some("1970-01-01 00:00:01.500"),
            ),
            (ScalarValue::Int64(None), None),
            (ScalarValue::Utf8(Some("secret".to_owned())), None),
            (ScalarValue::Boolean(Some(true)), None),
        ] {
            assert_eq!(text(value.clone()).as_deref(), expected, "{value}");
        }
        assert_eq!(bound(&Precision::Absent), None);
    }
}
