//! The tables that writes create: their folders and definitions.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::names::check_width;
use lakegate_catalog::model::{Database, Table, TableInput};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::Location;
use lakegate_lake::table::table_schema;
use lakegate_lake::write::columns::Mapping;
use lakegate_lake::write::{Layout, Target, check_format, sweep};
use lakegate_sql::ast::{ColumnDef, CreateTable, TableName};

use super::properties::Stored;
use super::{WritePlan, WriteRequest, constrain};
use crate::StatementContext;
use crate::locations::For;
use crate::tables::definition;

/// What a new table is, beside the columns of its rows.
#[derive(Debug, Clone, Default)]
pub(super) struct NewTable {
    pub stored: Stored,
    pub comment: Option<String>,
}

impl NewTable {
    pub(super) fn of(request: &WriteRequest) -> Self {
        let stored = Stored {
            partitioned_by: request.partitioned_by.clone(),
            location: request.location.clone(),
            ..Stored::default()
        };
        Self {
            stored,
            comment: None,
        }
    }
}

impl StatementContext {
    /// Plans to create a table from the columns of its rows.
    ///
    /// # Errors
    ///
    /// CREATE_TABLE is not granted; a folder that holds files or may not be used; columns that
    /// tables do not have.
    pub(super) async fn plan_create(
        &self,
        table: &TableName,
        new: &NewTable,
        rows: &Schema,
    ) -> Result<WritePlan> {
        let (database, name) = self.new_table_name(table)?;
        let database = self.view.require_database(database).await?;
        self.require_on_database(&database.name, Privilege::CreateTable)?;
        self.check_free(&database.name, name).await?;
        let location = match &new.stored.location {
            Some(location) => {
                let found = self.register(location, For::NewTable(&database)).await?;
                self.check_writable(location, &found, None).await?;
                if !sweep::is_empty(&found).await? {
                    return Err(holds_files(location).with_hint(
                        "name an empty folder, or CREATE EXTERNAL TABLE over it and append",
                    ));
                }
                location.clone()
            }
            None => self.free_folder(&database, name).await?,
        };
        let input = self.define(new, name, rows, &location)?;
        self.new_table(&database.name, input, rows, None, Vec::new())
    }

    /// Where the rows of a new table go, and how.
    ///
    /// # Errors
    ///
    /// Files of its format are not written, or do not have its columns; it cannot be bucketed or
    /// sorted by its columns.
    pub(super) fn new_target(
        &self,
        input: TableInput,
        database: &str,
        rows: &Schema,
    ) -> Result<(Target, Mapping)> {
        let table = Arc::new(Table::of_input(input, database, chrono::Utc::now()));
        check_format(&table)?;
        let layout = Arc::new(Layout::of_table(&table)?);
        let schema: SchemaRef = table_schema(&table)?;
        let mut mapping = Mapping::new(&table.full_name(), &schema, rows, |_| true)?;
        constrain(&mut mapping, &table);
        let target = Target {
            table,
            partitions: None,
            roots: Arc::clone(&self.roots),
            retired: Arc::default(),
            replaces: false,
            write_log: Arc::clone(&self.write_log),
            layout,
        };
        Ok((target, mapping))
    }

    /// An empty folder for a new table of a database.
    ///
    /// # Errors
    ///
    /// The database has no folder for new tables, or a table lies there to which the principal may
    /// not add rows.
    pub(crate) async fn free_folder(&self, database: &Database, name: &str) -> Result<String> {
        let base = self.base(&database.name, database.location_uri.as_deref())?;
        let plain = format!("{base}{name}/");
        // A folder that Lakegate chooses needs no DATA_LOCATION: it holds no earlier data.
        let found = self.roots.locate(&plain)?;
        let index = self.folders().await?;
        let is_free = index.overlapping(&found.folder()?).next().is_none();
        if !is_free {
            self.check_writable(&base, &self.roots.locate(&base)?, None)
                .await?;
        }
        if is_free && sweep::is_empty(&found).await? {
            return Ok(plain);
        }
        // The folder is left over from a dropped table, or in other use.
        Ok(fresh(&base, name))
    }

    /// The folder below which new tables of a database are placed; ends in `/`.
    pub(super) fn base(&self, database: &str, location: Option<&str>) -> Result<String> {
        if let Some(location) = location.filter(|location| !location.is_empty()) {
            return Ok(format!("{}/", location.trim_end_matches('/')));
        }
        let mut roots = self.roots.iter();
        match (roots.next(), roots.next()) {
            (Some(only), None) => Ok(format!("{}{database}/", only.url())),
            _ => Err(Error::new(
                Code::InvalidTable,
                format!("database \"{database}\" has no location, so there is no folder for a new table"),
            )
            .with_hint("name a location for the table, or make the database with CREATE DATABASE … LOCATION 's3://bucket/folder/'")),
        }
    }

    /// The definition of a table with the columns of the rows.
    ///
    /// # Errors
    ///
    /// Too many columns, a column type that tables do not support, a partition key that is no
    /// column.
    pub(super) fn define(
        &self,
        new: &NewTable,
        name: &str,
        rows: &Schema,
        location: &str,
    ) -> Result<TableInput> {
        check_width(name, rows.fields().len())?;
        let mut columns = Vec::with_capacity(rows.fields().len());
        for field in rows.fields() {
            let data_type = HiveType::from_arrow(field.data_type()).map_err(|error| {
                Error::new(
                    Code::InvalidTable,
                    format!("column \"{}\" cannot be stored: {error}", field.name()),
                )
                .with_hint("cast the column before it is sent, or leave it out")
            })?;
            columns.push(Some(ColumnDef {
                name: field.name().to_lowercase(),
                data_type: data_type.to_string(),
                comment: None,
                not_null: false,
            }));
        }
        let named = columns.iter().flatten().map(|column| column.name.clone());
        let places: HashMap<String, usize> = named.zip(0..).collect();
        let keys = &new.stored.partitioned_by;
        let mut partitioned_by = Vec::with_capacity(keys.len());
        for key in keys {
            let place = places.get(&key.to_lowercase());
            let column = place.and_then(|place| columns.get_mut(*place)?.take());
            partitioned_by.push(column.ok_or_else(|| {
                Error::new(
                    Code::ColumnNotFound,
                    format!("partition key \"{key}\" is not among the columns that are sent, or is named twice"),
                )
            })?);
        }
        let columns: Vec<ColumnDef> = columns.into_iter().flatten().collect();
        if columns.is_empty() {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "table \"{name}\" would have no columns beside its partition keys; send at least one"
                ),
            ));
        }
        let mut create = CreateTable {
            external: true,
            columns,
            comment: new.comment.clone(),
            partitioned_by,
            location: Some(location.to_owned()),
            ..CreateTable::named(TableName::bare(name))
        };
        new.stored.define(&mut create);
        definition(self, &create, location)
    }

    /// `own`: the table that moves there.
    ///
    /// # Errors
    ///
    /// Files in the folder would be rows of a table that the principal may not both read and write.
    pub(super) async fn check_writable(
        &self,
        location: &str,
        folder: &Location,
        own: Option<i64>,
    ) -> Result<()> {
        let url = folder.folder()?;
        let index = self.folders().await?;
        // Only tables whose folder contains this one: the write adds no files to tables below it.
        let around = index.holding(&url);
        for table in around.filter(|table| Some(table.id) != own) {
            let visible = self.view.visible(Arc::clone(table)).await?;
            let writes = visible
                .is_some_and(|visible| visible.access.selects_all() && visible.access.insert);
            if !writes {
                return Err(Error::new(
                    Code::PermissionDenied,
                    format!("permission denied for location '{location}': a table lies there or around it to which you may not add rows"),
                )
                .with_hint("name a location elsewhere"));
            }
        }
        Ok(())
    }
}

/// The error for a folder that must be empty.
pub(super) fn holds_files(location: &str) -> Error {
    Error::new(
        Code::InvalidTable,
        format!("location '{location}' holds files already"),
    )
}

/// A folder name that no table has had.
pub(super) fn fresh(base: &str, name: &str) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{base}{name}-{unique}/")
}
