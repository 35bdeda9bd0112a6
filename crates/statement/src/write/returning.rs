//! RETURNING of an INSERT, and WHERE of a COPY: the columns of the table that they read, and the rows
//! that are written as rows of these columns.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::names::TEMPORARY_SCHEMA;
use lakegate_catalog::model::{StorageDescriptor, Table, TableInput, now};
use lakegate_error::{Error, Result};
use lakegate_lake::table::table_schema;
use lakegate_lake::write::columns::Mapping;
use lakegate_sql::ast::{CopyFrom, Insert, RETURNED, TableName};

use crate::{QueryWrite, StatementContext};

/// How the batches of a write become the rows that RETURNING reads.
#[derive(Debug, Clone)]
pub struct ReturnedRows {
    /// Makes the batches rows of the table.
    written: Mapping,
    /// The places of the columns that are read, among those of the table.
    places: Vec<usize>,
    /// Gives these columns the schema of the definition that is read.
    read: Mapping,
}

impl StatementContext {
    /// Returns the definition of the table that RETURNING of an INSERT reads. It has the columns that
    /// the principal may select, partition keys last.
    ///
    /// # Errors
    ///
    /// The table does not exist, or is a view; INSERT is not granted, or SELECT on no column.
    pub fn returned_table<'a>(&'a self, insert: &'a Insert) -> BoxFuture<'a, Result<TableInput>> {
        self.read_table(&insert.table).boxed()
    }

    /// Returns the definition of the table that the WHERE clause of a COPY reads, likewise.
    ///
    /// # Errors
    ///
    /// As of [`StatementContext::returned_table`].
    pub fn copied_table<'a>(&'a self, copy: &'a CopyFrom) -> BoxFuture<'a, Result<TableInput>> {
        self.read_table(&copy.table).boxed()
    }

    async fn read_table(&self, name: &TableName) -> Result<TableInput> {
        let found = self.table(name).await?;
        self.require_insert(&found)?;
        if !found.access.selects_any() {
            return Err(self.denied_on(&found, Privilege::Select));
        }
        let columns = found.table.columns();
        let columns = columns.filter(|column| found.access.can_select(&column.name));
        Ok(TableInput {
            name: RETURNED.to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: columns.cloned().collect(),
                ..StorageDescriptor::default()
            },
            ..TableInput::default()
        })
    }
}

impl ReturnedRows {
    /// `read`: the definition of the table that RETURNING reads, of [`StatementContext::returned_table`].
    ///
    /// # Errors
    ///
    /// The write is not one into a table that has these columns.
    pub fn new(read: &TableInput, write: &QueryWrite) -> Result<Self> {
        Self::of(read, write.rows_of_table())
    }

    /// The same for what a client sends, of which only some rows are written: values may be missing
    /// where they are required.
    ///
    /// # Errors
    ///
    /// As of [`ReturnedRows::new`].
    pub fn sent(read: &TableInput, write: &QueryWrite) -> Result<Self> {
        let sent = write.rows_before_order();
        Self::of(read, sent.map(Mapping::without_required))
    }

    fn of(read: &TableInput, written: Option<Mapping>) -> Result<Self> {
        let written =
            written.ok_or_else(|| Error::internal("a write that is into no table returns rows"))?;
        let table = Table::of_input(read.clone(), TEMPORARY_SCHEMA, now());
        let schema = table_schema(&table)?;
        let places = schema.fields().iter();
        let places = places.map(|field| written.schema().index_of(field.name()));
        let places = places.collect::<std::result::Result<Vec<usize>, ArrowError>>();
        let places = places.map_err(other_columns)?;
        let columns = written.schema().project(&places).map_err(other_columns)?;
        let read = Mapping::new(RETURNED, &schema, &columns, |_| true)?;
        Ok(Self {
            written,
            places,
            read,
        })
    }

    /// Returns the parts of a batch that become rows at once, as [`Mapping::pieces`].
    pub fn pieces(&self, batch: RecordBatch) -> impl Iterator<Item = RecordBatch> + use<> {
        self.written.pieces(batch)
    }

    /// Returns the rows of a part of a batch as RETURNING reads them.
    ///
    /// # Errors
    ///
    /// A value does not fit its column, or is missing where one is required.
    pub fn apply(&self, piece: &RecordBatch) -> Result<RecordBatch> {
        let rows = self.written.apply(piece)?;
        let columns = rows.project(&self.places).map_err(other_columns)?;
        self.read.apply(&columns)
    }
}

fn other_columns(error: ArrowError) -> Error {
    Error::internal(format!(
        "the rows of a write do not have the columns that it returns: {error}"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int32Type;
    use lakegate_catalog::model::Column;
    use std::sync::Arc;

    use super::*;
    use crate::{TemporaryChange, TemporaryWrite};

    #[test]
    fn rows_are_those_that_are_written_with_the_columns_that_are_read() {
        let definition = |columns: &[(&str, &str)]| TableInput {
            name: RETURNED.to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: columns
                    .iter()
                    .map(|(name, data_type)| Column::new(*name, *data_type))
                    .collect(),
                ..StorageDescriptor::default()
            },
            ..TableInput::default()
        };
        let whole = definition(&[("a", "int"), ("b", "string"), ("c", "double")]);
        let table = Table::of_input(whole, TEMPORARY_SCHEMA, now());
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
        let sent = RecordBatch::try_from_iter([("b", texts), ("a", numbers)]).unwrap();
        let schema = table_schema(&table).unwrap();
        let write = QueryWrite::Temporary(Box::new(TemporaryWrite {
            change: TemporaryChange::Append("t".to_owned()),
            mapping: Some(Mapping::new("t", &schema, &sent.schema(), |_| true).unwrap()),
        }));
        let read = definition(&[("c", "double"), ("a", "int")]);
        let rows = ReturnedRows::new(&read, &write).unwrap();
        let returned = rows.apply(&sent).unwrap();
        assert_eq!(returned.schema().field(0).name(), "c");
        assert_eq!(returned.column(0).null_count(), 2, "c is not sent");
        let numbers = returned.column(1).as_primitive::<Int32Type>();
        assert_eq!(numbers.values(), &[7, 8]);
        let absent = definition(&[("d", "int")]);
        assert!(ReturnedRows::new(&absent, &write).is_err());
    }
}
