//! TRUNCATE and DELETE: rows go by whole tables and partitions, and none is written.
//!
//! ```text
//!  DELETE ─ delete_query ─▶ rows of each partition ─ count ─▶ Found ─ removals ─▶ commits
//!  TRUNCATE ─────────────────────────────────────────────────────────────────────▶ commits
//! ```
//!
//! A partition that loses its rows stays registered, with a new folder: without it, an INSERT would
//! register the old folder again, with the files that wait there to be deleted.

use std::borrow::Cow;
use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use lakegate_catalog::access::Privilege;
use lakegate_catalog::partition::{Partition, projection};
use lakegate_error::{Error, Result};
use lakegate_lake::table::prune::partition_batch;
use lakegate_lake::table::table_schema;
use lakegate_policy::Visible;
use lakegate_sql::ast::{Delete, Truncate};

use super::WritePlan;
use crate::StatementContext;
use crate::partition_filter::key_schema;
use crate::rights::sees_all_columns;

/// Partitions that are compared with what was found at once.
const PIECE: usize = 8192;

/// A removal of rows that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct RemovalPlan {
    /// Each of another table.
    tables: Vec<WritePlan>,
    which: Which,
}

/// The rows that go.
#[derive(Debug, Clone)]
enum Which {
    All,
    /// All if the query counts any: its condition has no columns.
    AllIfAny,
    /// Those of the partitions for which the query counts any. Their values are those of the keys.
    Partitions(SchemaRef),
}

/// What the query of a DELETE has counted so far.
#[derive(Debug, Default)]
pub struct Found {
    pub rows: u64,
    /// The values of the partitions with rows, as they are compared.
    keys: HashSet<Box<[u8]>>,
}

impl RemovalPlan {
    /// Takes rows of the query of a DELETE: the values of the keys, and how many rows have them.
    ///
    /// # Errors
    ///
    /// The rows are not those of the query, which is an internal error.
    pub fn count(&self, found: &mut Found, batch: &RecordBatch) -> Result<()> {
        let Some((counts, keys)) = batch.columns().split_last() else {
            return Err(Error::internal("the query of a DELETE has no columns"));
        };
        let counts = cast(counts, &DataType::Int64).map_err(failed)?;
        let rows = sum(counts.as_primitive::<Int64Type>()).unwrap_or_default();
        found.rows += u64::try_from(rows).unwrap_or_default();
        if let Which::Partitions(schema) = &self.which {
            let rows = key_rows(schema, keys)?;
            let rows = rows.iter().map(|row| Box::<[u8]>::from(row.data()));
            found.keys.extend(rows);
        }
        Ok(())
    }

    /// The writes that remove what was found. None: nothing was.
    ///
    /// # Errors
    ///
    /// A partition has a value that is not of its key's type.
    pub fn removals(&self, found: &Found) -> Result<Vec<Cow<'_, WritePlan>>> {
        match &self.which {
            Which::AllIfAny if found.rows == 0 => Ok(Vec::new()),
            Which::All | Which::AllIfAny => Ok(self.tables.iter().map(Cow::Borrowed).collect()),
            Which::Partitions(schema) => {
                let mut removals = Vec::new();
                for plan in &self.tables {
                    let emptied = partitions_of(plan, schema, found)?;
                    if !emptied.is_empty() {
                        let mut removal = plan.clone();
                        removal.emptied = emptied;
                        removals.push(Cow::Owned(removal));
                    }
                }
                Ok(removals)
            }
        }
    }
}

/// The registered partitions whose values were found, in whatever spelling.
fn partitions_of(plan: &WritePlan, schema: &SchemaRef, found: &Found) -> Result<Vec<Vec<String>>> {
    let Some(known) = &plan.target.partitions else {
        return Ok(Vec::new());
    };
    let mut emptied = Vec::new();
    for piece in known.items.chunks(PIECE) {
        let values = piece.iter().map(|partition| &*partition.values);
        let batch = partition_batch(schema, values)?;
        let rows = key_rows(schema, batch.columns())?;
        for (partition, row) in piece.iter().zip(rows.iter()) {
            if found.keys.contains(row.data()) {
                emptied.push(values_of(partition));
            }
        }
    }
    Ok(emptied)
}

/// The values of a partition as they were registered.
pub(super) fn values_of(partition: &Partition) -> Vec<String> {
    partition.values.iter().map(ToString::to_string).collect()
}

/// Values of keys in a form in which equal ones are equal bytes.
fn key_rows(keys: &SchemaRef, columns: &[ArrayRef]) -> Result<Rows> {
    let fields = keys.fields().iter();
    let sorted = fields.map(|key| SortField::new(key.data_type().clone()));
    let converter = RowConverter::new(sorted.collect()).map_err(failed)?;
    let columns = keys.fields().iter().zip(columns);
    let columns = columns
        .map(|(key, column)| cast(column, key.data_type()))
        .collect::<std::result::Result<Vec<ArrayRef>, ArrowError>>();
    let columns = columns.map_err(failed)?;
    converter.convert_columns(&columns).map_err(failed)
}

fn failed(error: ArrowError) -> Error {
    Error::internal(format!("the rows of partitions cannot be counted: {error}"))
}

impl StatementContext {
    /// Plans to remove all rows of tables.
    ///
    /// # Errors
    ///
    /// A table does not exist; as of [`Self::require_removal`] and [`Self::plan_overwrite`].
    pub(super) async fn plan_truncate(&self, truncate: &Truncate) -> Result<RemovalPlan> {
        let mut known = HashSet::new();
        let mut tables = Vec::with_capacity(truncate.tables.len());
        for name in &truncate.tables {
            let found = self.table(name).await?;
            if known.insert(found.table.id) {
                let mut plan = self.plan_removal("TRUNCATE", &found).await?;
                empty_all(&mut plan);
                tables.push(plan);
            }
        }
        Ok(RemovalPlan {
            tables,
            which: Which::All,
        })
    }

    /// Plans to remove the rows that the query of a DELETE counts.
    ///
    /// # Errors
    ///
    /// As of [`Self::plan_truncate`].
    pub(super) async fn plan_delete(&self, delete: &Delete) -> Result<RemovalPlan> {
        let found = self.table(&delete.table).await?;
        let mut plan = self.plan_removal("DELETE", &found).await?;
        let which = match delete.condition() {
            None => {
                empty_all(&mut plan);
                Which::All
            }
            Some(_) if found.table.partition_keys.is_empty() => Which::AllIfAny,
            Some(_) => Which::Partitions(key_schema(&found.table)?),
        };
        Ok(RemovalPlan {
            tables: vec![plan],
            which,
        })
    }

    /// Plans to remove rows of a table: all, unless it is partitioned.
    async fn plan_removal(&self, what: &str, found: &Visible) -> Result<WritePlan> {
        self.require_removal(what, found)?;
        let rows = table_schema(&found.table)?;
        let mut plan = self.plan_overwrite(found, &rows).await?;
        plan.only_empties = true;
        Ok(plan)
    }

    /// `what`: the statement, for messages.
    ///
    /// # Errors
    ///
    /// It is a view; DELETE is not granted, or a column is hidden; partitions are projected.
    pub(crate) fn require_removal(&self, what: &str, found: &Visible) -> Result<()> {
        let table = &found.table;
        if table.is_view() {
            return Err(Error::not_supported(format!(
                "{} is a view; {what} removes rows of tables only",
                table.full_name()
            )));
        }
        if !found.access.delete {
            return Err(self.denied_on(found, Privilege::Delete));
        }
        if !sees_all_columns(found) {
            return Err(self.denied_on(found, Privilege::Select));
        }
        if projection::is_enabled(&table.parameters) {
            return Err(Error::not_supported(format!(
                "{what} does not empty projected partitions, whose folders table {} fixes by its properties",
                table.full_name()
            ))
            .with_hint("delete the files, or DROP TABLE"));
        }
        Ok(())
    }
}

/// Empties all partitions of a table, those among them that are registered until the commit.
fn empty_all(plan: &mut WritePlan) {
    if let Some(known) = &plan.target.partitions {
        let values = known.items.iter().map(|partition| values_of(partition));
        plan.emptied = values.collect();
        plan.empties_rest = true;
    }
}

#[cfg(test)]
mod tests;
