//! ANALYZE: the query that measures a table's columns, or those of each of some partitions, and
//! what its rows say.
//!
//! The query runs as any other of the principal: within its limits, over the columns that it may
//! select.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{
    Column, ColumnStatistics, MAX_COLUMNS_OF_PARTITIONS, Table, TableStatistics, now,
};
use lakegate_error::{Code, Error, Result, column_not_found};
use lakegate_sql::Statement;
use lakegate_sql::ast::Analyze;

use self::partitions::MeasuredPartitions;
use self::values::Values;
use super::StatementContext;
use super::rights::{require_all_columns, require_lasting, require_partition_names};

mod partitions;
mod values;

/// The most columns of one ANALYZE: each takes some kilobytes of memory per thread.
const MAX_COLUMNS: usize = 500;

/// An ANALYZE that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct AnalyzePlan {
    pub table: Arc<Table>,
    /// `None`: the table is measured.
    partitions: Option<MeasuredPartitions>,
    columns: Vec<Measured>,
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
    /// INSERT into it, or select no column; a view; a column of a nested type; too many columns or
    /// partitions; a partition that is not registered, or of a table some of whose columns are
    /// hidden.
    pub fn plan_analyze<'a>(&'a self, analyze: &'a Analyze) -> BoxFuture<'a, Result<AnalyzePlan>> {
        async move {
            let visible = self.table(&analyze.table).await?;
            require_lasting(&visible)?;
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
            let partitions = match &analyze.partitions {
                None => None,
                Some(analyzed) => {
                    require_partition_names(&visible)?;
                    require_all_columns(&visible)?;
                    let (spec, open) = (&analyzed.spec, &analyzed.open);
                    Some(MeasuredPartitions::find(self, table, spec, open).await?)
                }
            };
            // The keys of a partition have one value.
            let keys: &[Column] = match &partitions {
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
            let measured = partitions.as_ref().map_or(0, MeasuredPartitions::len);
            if measured.saturating_mul(columns.len().max(1)) > MAX_COLUMNS_OF_PARTITIONS {
                return Err(Error::not_supported(format!(
                    "{measured} partitions of {} have more columns than one ANALYZE measures, which are {MAX_COLUMNS_OF_PARTITIONS}; give a key a value, or name fewer columns",
                    table.full_name()
                )));
            }
            Ok(AnalyzePlan {
                table: Arc::clone(table),
                partitions,
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

impl AnalyzePlan {
    /// Whether partitions are measured, and not the table.
    pub fn is_of_partitions(&self) -> bool {
        self.partitions.is_some()
    }

    /// The query that measures the columns. It has one row, or one for each partition with rows.
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
        if let Some(partitions) = &self.partitions {
            query.push_str(&partitions.columns());
        }
        let _ = write!(
            query,
            " FROM {}.{}",
            quoted(&self.table.database_name),
            quoted(&self.table.name)
        );
        if let Some(partitions) = &self.partitions {
            query.push_str(&partitions.groups());
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
        self.measured(&mut Values::of_row(row), file_bytes)
    }

    /// Reads what was measured, from the first value on.
    fn measured(&self, values: &mut Values<'_>, file_bytes: u64) -> Result<TableStatistics> {
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

#[cfg(test)]
mod tests;
