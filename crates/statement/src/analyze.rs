//! ANALYZE: the query that measures a table's columns, or those of one partition, and what its one
//! row says.
//!
//! The query runs as any other of the principal: within its limits, over the columns that it may
//! select.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampSecondType,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{
    BinaryStatistics, BooleanStatistics, Column, ColumnStatistics, ColumnStatisticsData,
    DecimalNumber, RangeStatistics, StringStatistics, Table, TableStatistics, now,
};
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, PartitionKey};
use lakegate_error::{Code, Error, Result, column_not_found};
use lakegate_sql::Statement;
use lakegate_sql::ast::Analyze;

use super::StatementContext;
use super::partitions::one_partition;
use super::rights::{require_all_columns, require_partition_names};

/// The most columns of one ANALYZE: each takes some kilobytes of memory per thread.
const MAX_COLUMNS: usize = 500;
const SECONDS_PER_DAY: i64 = 86_400;

/// An ANALYZE that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct AnalyzePlan {
    pub table: Arc<Table>,
    partition: Option<OnePartition>,
    columns: Vec<Measured>,
}

/// The partition that is measured.
#[derive(Debug, Clone)]
struct OnePartition {
    keys: Arc<[PartitionKey]>,
    /// As they are registered.
    values: Vec<String>,
}

/// A column that is measured.
#[derive(Debug, Clone)]
struct Measured {
    column: Column,
    kind: Kind,
}

/// How values are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Date,
    Decimal(i8),
    Double,
    Long,
    Timestamp,
    Text,
    Binary,
}

impl Kind {
    /// `None`: values of the type are not measured.
    fn of(column: &Column) -> Option<Kind> {
        let hive: HiveType = column.data_type.parse().ok()?;
        Some(match hive {
            HiveType::Boolean => Kind::Boolean,
            HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt => Kind::Long,
            HiveType::Float | HiveType::Double => Kind::Double,
            HiveType::Decimal(_, scale) => Kind::Decimal(i8::try_from(scale).ok()?),
            HiveType::Char(_) | HiveType::Varchar(_) | HiveType::String => Kind::Text,
            HiveType::Binary => Kind::Binary,
            HiveType::Date => Kind::Date,
            HiveType::Timestamp => Kind::Timestamp,
            HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => return None,
        })
    }

    /// The expressions that measure a column, in the order in which [`Values`] reads them: first
    /// how many values are not NULL. `name`: quoted.
    fn expressions(self, name: &str) -> Vec<String> {
        let mut expressions = vec![format!("count({name})")];
        match self {
            Kind::Binary => {}
            Kind::Boolean => {
                for when in [name.to_owned(), format!("NOT {name}")] {
                    expressions.push(format!("sum(CASE WHEN {when} THEN 1 ELSE 0 END)"));
                }
            }
            Kind::Text => expressions.extend([
                format!("approx_distinct({name})"),
                format!("max(length({name}))"),
                format!("avg(length({name}))"),
            ]),
            Kind::Date | Kind::Decimal(_) | Kind::Double | Kind::Long | Kind::Timestamp => {
                let distinct = match self {
                    // The engine's function takes no floating point numbers.
                    Kind::Double => format!("approx_distinct(CAST({name} AS varchar))"),
                    _ => format!("approx_distinct({name})"),
                };
                expressions.extend([distinct, format!("min({name})"), format!("max({name})")]);
            }
        }
        expressions
    }
}

impl StatementContext {
    /// Checks that the principal may analyse a table, and chooses the columns: those that are
    /// named, or all that it may select and whose type has statistics.
    ///
    /// # Errors
    ///
    /// The table or a column does not exist for the principal; it may neither ALTER the table nor
    /// INSERT into it, or select no column; a view; a column of a nested type; too many columns; a
    /// partition that is not registered, or of a table some of whose columns are hidden.
    pub fn plan_analyze<'a>(&'a self, analyze: &'a Analyze) -> BoxFuture<'a, Result<AnalyzePlan>> {
        async move {
            let visible = self.table(&analyze.table).await?;
            let table = &visible.table;
            if !visible.access.alter && !visible.access.insert {
                return Err(self.denied_on(&visible, Privilege::Alter));
            }
            if table.is_view() {
                return Err(Error::not_supported(format!(
                    "{} is a view; ANALYZE the tables that it reads",
                    table.full_name()
                )));
            }
            let selected = self.selectable(&visible)?;
            let partition = match &analyze.partition {
                None => None,
                Some(spec) => {
                    require_partition_names(&visible)?;
                    require_all_columns(&visible)?;
                    let found = one_partition(self, table, spec).await?;
                    let values = found.partition.values.iter();
                    Some(OnePartition {
                        values: values.map(ToString::to_string).collect(),
                        keys: found.keys,
                    })
                }
            };
            // The keys of one partition have one value.
            let keys: &[Column] = match &partition {
                None => &[],
                Some(_) => &table.partition_keys,
            };
            let is_key = |column: &&Column| keys.iter().any(|key| key.name == column.name);
            let columns = match &analyze.columns {
                None => {
                    let columns = selected.into_iter().filter(|column| !is_key(column));
                    columns.filter_map(measured).collect()
                }
                Some(names) => named(&selected, names)?,
            };
            if columns.len() > MAX_COLUMNS {
                return Err(too_many(table));
            }
            Ok(AnalyzePlan {
                table: Arc::clone(table),
                partition,
                columns,
            })
        }
        .boxed()
    }
}

fn measured(column: &Column) -> Option<Measured> {
    Some(Measured {
        kind: Kind::of(column)?,
        column: column.clone(),
    })
}

fn named(selected: &[&Column], names: &[String]) -> Result<Vec<Measured>> {
    let mut columns: Vec<Measured> = Vec::with_capacity(names.len());
    for name in names {
        let column = selected
            .iter()
            .find(|column| column.name == *name)
            .ok_or_else(|| column_not_found(name))?;
        if columns.iter().any(|known| known.column.name == *name) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("column \"{name}\" is named twice; name it once"),
            ));
        }
        let measured = measured(column).ok_or_else(|| {
            Error::not_supported(format!(
                "column \"{name}\" has type {}, of which there are no statistics; leave it out",
                column.data_type
            ))
        })?;
        columns.push(measured);
    }
    Ok(columns)
}

fn too_many(table: &Table) -> Error {
    Error::not_supported(format!(
        "{} has more columns than one ANALYZE measures, which are {MAX_COLUMNS}; name some of them: ANALYZE table (column, ..)",
        table.full_name()
    ))
}

/// The condition of the rows of a partition, for one of its keys.
fn condition(key: &PartitionKey, value: &str) -> String {
    let name = quoted(&key.name);
    if value == HIVE_DEFAULT_PARTITION {
        return format!("{name} IS NULL");
    }
    let text = format!("'{}'", value.replace('\'', "''"));
    let data_type = match &key.data_type {
        HiveType::Boolean => "boolean",
        HiveType::TinyInt | HiveType::SmallInt => "smallint",
        HiveType::Int => "integer",
        HiveType::BigInt => "bigint",
        HiveType::Float => "real",
        HiveType::Double => "double precision",
        HiveType::Decimal(precision, scale) => {
            return format!("{name} = CAST({text} AS decimal({precision}, {scale}))");
        }
        HiveType::Date => "date",
        HiveType::Timestamp => "timestamp",
        _ => return format!("{name} = {text}"),
    };
    format!("{name} = CAST({text} AS {data_type})")
}

impl AnalyzePlan {
    /// The values of the partition that is measured; `None`: the table is.
    pub fn partition(&self) -> Option<&[String]> {
        self.partition
            .as_ref()
            .map(|partition| partition.values.as_slice())
    }

    /// The query that measures the columns; it has one row.
    ///
    /// # Errors
    ///
    /// The names of the columns make it longer than queries may be.
    pub fn query(&self) -> Result<Statement> {
        let mut query = "SELECT count(*) AS n".to_owned();
        for (place, measured) in self.columns.iter().enumerate() {
            let name = quoted(&measured.column.name);
            let expressions = measured.kind.expressions(&name).into_iter();
            for (part, expression) in expressions.enumerate() {
                let _ = write!(query, ", {expression} AS c{place}_{part}");
            }
        }
        let _ = write!(
            query,
            " FROM {}.{}",
            quoted(&self.table.database_name),
            quoted(&self.table.name)
        );
        if let Some(partition) = &self.partition {
            let keys = partition.keys.iter().zip(&partition.values);
            let conditions: Vec<String> = keys.map(|(key, value)| condition(key, value)).collect();
            let _ = write!(query, " WHERE {}", conditions.join(" AND "));
        }
        let parsed = lakegate_sql::parse(&query).map_err(|_| too_many(&self.table))?;
        let mut statements = parsed.into_iter();
        let statement = statements.next().map(|parsed| parsed.statement);
        statement.ok_or_else(|| Error::internal("the query of ANALYZE is empty"))
    }

    /// What the row of the query says. `file_bytes`: the size of the files that hold the rows.
    ///
    /// # Errors
    ///
    /// The row is not that of the query, which is an internal error.
    pub fn statistics(&self, row: &RecordBatch, file_bytes: u64) -> Result<TableStatistics> {
        let mut values = Values { row, next: 0 };
        let row_count = values.count()?;
        let analyzed_time = now();
        let mut columns = Vec::with_capacity(self.columns.len());
        for measured in &self.columns {
            columns.push(ColumnStatistics {
                column_name: measured.column.name.clone(),
                column_type: measured.column.data_type.clone(),
                analyzed_time,
                statistics_data: values.of(measured.kind, row_count)?,
            });
        }
        Ok(TableStatistics {
            row_count,
            file_bytes,
            version: self.table.version_id,
            analyzed_time,
            columns,
        })
    }
}

/// A name in double quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Reads the values of a row from left to right. Their types are those that the engine gives to
/// aggregates, and are cast.
struct Values<'a> {
    row: &'a RecordBatch,
    next: usize,
}

impl Values<'_> {
    fn of(&mut self, kind: Kind, rows: u64) -> Result<ColumnStatisticsData> {
        let number_of_nulls = rows.saturating_sub(self.count()?);
        Ok(match kind {
            Kind::Boolean => ColumnStatisticsData::Boolean {
                data: BooleanStatistics {
                    number_of_trues: self.count()?,
                    number_of_falses: self.count()?,
                    number_of_nulls,
                },
            },
            Kind::Binary => ColumnStatisticsData::Binary {
                data: BinaryStatistics {
                    maximum_length: None,
                    average_length: None,
                    number_of_nulls,
                },
            },
            Kind::Text => ColumnStatisticsData::String {
                data: StringStatistics {
                    number_of_distinct_values: self.count()?,
                    maximum_length: self.count()?,
                    average_length: self.double()?.unwrap_or(0.0),
                    number_of_nulls,
                },
            },
            Kind::Long => ColumnStatisticsData::Long {
                data: self.range(number_of_nulls, Self::long)?,
            },
            Kind::Timestamp => ColumnStatisticsData::Long {
                data: self.range(number_of_nulls, Self::seconds)?,
            },
            Kind::Date => ColumnStatisticsData::Date {
                data: self.range(number_of_nulls, Self::days)?,
            },
            Kind::Double => ColumnStatisticsData::Double {
                // JSON has no other numbers.
                data: self.range(number_of_nulls, |values| {
                    Ok(values.double()?.filter(|value| value.is_finite()))
                })?,
            },
            Kind::Decimal(scale) => ColumnStatisticsData::Decimal {
                data: self.range(number_of_nulls, |values| values.decimal(scale))?,
            },
        })
    }

    fn range<T>(
        &mut self,
        number_of_nulls: u64,
        bound: impl Fn(&mut Self) -> Result<Option<T>>,
    ) -> Result<RangeStatistics<T>> {
        Ok(RangeStatistics {
            number_of_distinct_values: self.count()?,
            minimum_value: bound(self)?,
            maximum_value: bound(self)?,
            number_of_nulls,
        })
    }

    fn count(&mut self) -> Result<u64> {
        let count = self.long()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn long(&mut self) -> Result<Option<i64>> {
        self.value::<Int64Type>(&DataType::Int64)
    }

    fn double(&mut self) -> Result<Option<f64>> {
        self.value::<Float64Type>(&DataType::Float64)
    }

    /// A date, as seconds since 1970.
    fn days(&mut self) -> Result<Option<i64>> {
        let days = self.long()?;
        Ok(days.map(|days| days.saturating_mul(SECONDS_PER_DAY)))
    }

    /// A timestamp, as seconds since 1970.
    fn seconds(&mut self) -> Result<Option<i64>> {
        self.value::<TimestampSecondType>(&DataType::Timestamp(TimeUnit::Second, None))
    }

    fn decimal(&mut self, scale: i8) -> Result<Option<DecimalNumber>> {
        let unscaled = self.value::<Decimal128Type>(&DataType::Decimal128(38, scale))?;
        Ok(unscaled.map(|unscaled| DecimalNumber::new(unscaled, i32::from(scale))))
    }

    fn value<T: ArrowPrimitiveType>(&mut self, data_type: &DataType) -> Result<Option<T::Native>> {
        let unexpected = || Error::internal("the query of ANALYZE has other columns");
        let column = self.row.columns().get(self.next).ok_or_else(unexpected)?;
        self.next += 1;
        let cast = arrow::compute::cast(column, data_type)
            .map_err(|error| Error::internal(format!("a value of ANALYZE: {error}")))?;
        let typed = cast.as_primitive_opt::<T>().ok_or_else(unexpected)?;
        let is_value = typed.len() == 1 && typed.is_valid(0);
        Ok(is_value.then(|| typed.value(0)))
    }
}

#[cfg(test)]
mod tests;
