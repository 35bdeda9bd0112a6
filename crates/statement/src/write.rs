//! Planning of writes: which table rows are appended to, created in or replace, and whether the
//! principal may do it.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use lakegate_catalog::access::{By, Privilege};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::names::check_width;
use lakegate_catalog::model::{Table, TableInput};
use lakegate_catalog::store::{CommitWrite, Discarded, ExpectedTable, Metastore, WriteLog};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::{Location, Roots};
use lakegate_lake::table::folders::Folders;
use lakegate_lake::table::table_schema;
use lakegate_lake::write::columns::Mapping;
use lakegate_lake::write::{Target, Written, check_format, sweep};
use lakegate_policy::View;
use lakegate_sql::ast::{ColumnDef, CreateTable, StorageFormat, StoredAs, TableName};

use super::StatementContext;
use super::locations::For;
use super::rights::{require_partition_keys, sees_all_columns, table_not_found};
use super::tables::definition;

/// What to do if the table does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    Fail,
    Create,
}

/// What to do if the table exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    Append,
    /// The table is redefined by the written rows, in a folder of its own. The old files are
    /// deleted after the commit.
    Replace,
}

/// The target of a write.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    pub table: TableName,
    pub if_missing: IfMissing,
    pub if_exists: IfExists,
    /// Columns that a new table is partitioned by, in order.
    pub partitioned_by: Vec<String>,
    /// The folder of a new table; `None` for one in its database's folder.
    pub location: Option<String>,
}

/// A write that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct WritePlan {
    pub target: Target,
    pub mapping: Mapping,
    expected: Option<ExpectedTable>,
    definition: Option<TableInput>,
    discard: Vec<String>,
}

impl WritePlan {
    /// The commit that makes the written rows visible. The creator of a table is granted everything
    /// on it in the same commit.
    pub fn commit(&self, written: Written, by: By) -> CommitWrite {
        let table = &self.target.table;
        CommitWrite {
            database: table.database_name.clone(),
            table: table.name.clone(),
            expected: self.expected,
            definition: self.definition.clone(),
            partitions: written.partitions,
            files: written.files,
            discard: self.discard.clone(),
            by,
        }
    }

    /// Whether the principal still holds the privileges that the write was planned with.
    ///
    /// # Errors
    ///
    /// The catalog failed.
    pub async fn may(&self, view: &View) -> Result<bool> {
        let table = &self.target.table;
        let (database, name) = (&table.database_name, &table.name);
        if self.expected.is_none() {
            return Ok(view.access.can_create_table(database));
        }
        let found = view.table(database, name).await?;
        Ok(found.is_some_and(|found| {
            let access = &found.access;
            access.insert && (self.definition.is_none() || may_replace(access))
        }))
    }
}

fn may_replace(access: &lakegate_catalog::access::TableAccess) -> bool {
    access.insert && access.delete && access.alter
}

impl StatementContext {
    /// Finds the table of a write, or defines it from the columns of the rows.
    ///
    /// # Errors
    ///
    /// The table exists or does not, contrary to the request; it is a view, or not Parquet; a
    /// missing privilege; columns that the table does not have, or of other types; no folder for a
    /// new table.
    pub fn plan_write<'a>(
        &'a self,
        request: &'a WriteRequest,
        rows: &'a Schema,
    ) -> BoxFuture<'a, Result<WritePlan>> {
        async move {
            match self.find_table(&request.table).await? {
                None if request.if_missing == IfMissing::Fail => {
                    Err(table_not_found(&request.table))
                }
                None => self.plan_create(request, rows).await,
                Some(found) => {
                    let table = &found.table;
                    let missing = |privilege| self.denied_on(&found, privilege);
                    if request.if_exists == IfExists::Fail {
                        return Err(Error::new(
                            Code::DuplicateTable,
                            format!("table \"{}\" already exists", table.full_name()),
                        )
                        .with_hint("append to it, replace it, or choose another name"));
                    }
                    if table.is_view() {
                        return Err(Error::not_supported(format!(
                            "{} is a view; rows are written to tables only",
                            table.full_name()
                        )));
                    }
                    if !found.access.insert {
                        return Err(missing(Privilege::Insert));
                    }
                    if request.if_exists == IfExists::Append {
                        require_partition_keys(&found)?;
                        check_format(table)?;
                        let schema = table_schema(table)?;
                        let name = table.full_name();
                        let mapping = Mapping::new(&name, &schema, rows, |column| {
                            found.access.is_visible(column)
                        })?;
                        return self.plan_append(Arc::clone(table), mapping).await;
                    }
                    if !found.access.delete {
                        return Err(missing(Privilege::Delete));
                    }
                    if !found.access.alter || !sees_all_columns(&found) {
                        return Err(missing(Privilege::Alter));
                    }
                    self.plan_replace(request, Arc::clone(table), rows).await
                }
            }
        }
        .boxed()
    }

    async fn plan_append(&self, table: Arc<Table>, mapping: Mapping) -> Result<WritePlan> {
        let partitions = if table.partition_keys.is_empty() {
            None
        } else {
            let metastore = &self.view.metastore;
            let known = metastore.partitions(&table.database_name, &table.name);
            Some(known.await?)
        };
        Ok(WritePlan {
            expected: Some(version_of(&table)),
            definition: None,
            discard: Vec::new(),
            mapping,
            target: Target {
                table,
                partitions,
                roots: Arc::clone(&self.roots),
                write_log: Arc::clone(&self.write_log),
            },
        })
    }

    async fn plan_create(&self, request: &WriteRequest, rows: &Schema) -> Result<WritePlan> {
        let (database, name) = self.new_table_name(&request.table)?;
        let database = self.view.require_database(database).await?;
        self.require_on_database(&database.name, Privilege::CreateTable)?;
        self.check_free(&database.name, name).await?;
        let location = match &request.location {
            Some(location) => {
                let found = self.register(location, For::NewTable(&database)).await?;
                self.check_writable(location, &found, None).await?;
                if !sweep::is_empty(&found).await? {
                    return Err(Error::new(
                        Code::InvalidTable,
                        format!("location '{location}' holds files already"),
                    )
                    .with_hint(
                        "name an empty folder, or CREATE EXTERNAL TABLE over it and append",
                    ));
                }
                location.clone()
            }
            None => {
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
                    plain
                } else {
                    // The folder is left over from a dropped table, or in other use.
                    fresh(&base, name)
                }
            }
        };
        let input = self.define(request, name, rows, &location)?;
        self.new_table(&database.name, input, rows, None, Vec::new())
    }

    async fn plan_replace(
        &self,
        request: &WriteRequest,
        old: Arc<Table>,
        rows: &Schema,
    ) -> Result<WritePlan> {
        let index = self.folders().await?;
        let discard: Vec<String> = index
            .of(&old)
            .iter()
            .map(|folder| folder.url.to_string())
            .collect();
        let folders = discard;
        if !self.view.owners(&old).await?.is_empty() {
            return Err(Error::new(
                Code::InvalidTable,
                format!("table {} cannot be replaced: files of another table lie in its folder or around it", old.full_name()),
            )
            .with_hint("drop it, which leaves all files where they are, and create it anew"));
        }
        if let Some(location) = &request.location {
            return Err(Error::not_supported(format!(
                "a table that is replaced gets a folder of its own, and location '{location}' is asked for; leave it out"
            )));
        }
        // Files that Lakegate did not write stay in place.
        self.leave(&old, None).await?;
        let database = self.view.require_database(&old.database_name).await?;
        let base = self.base(&database.name, database.location_uri.as_deref())?;
        let location = fresh(&base, &old.name);
        let found = self.roots.locate(&location)?;
        self.check_writable(&base, &found, Some(old.id)).await?;
        let mut input = self.define(request, &old.name, rows, &location)?;
        input.description = old.description.clone();
        input.owner = old.owner.clone();
        self.new_table(
            &old.database_name,
            input,
            rows,
            Some(version_of(&old)),
            folders,
        )
    }

    fn new_table(
        &self,
        database: &str,
        input: TableInput,
        rows: &Schema,
        expected: Option<ExpectedTable>,
        discard: Vec<String>,
    ) -> Result<WritePlan> {
        let created = chrono::Utc::now();
        let table = Arc::new(Table::of_input(input.clone(), database, created));
        let schema: SchemaRef = table_schema(&table)?;
        let mapping = Mapping::new(&table.full_name(), &schema, rows, |_| true)?;
        Ok(WritePlan {
            target: Target {
                table,
                partitions: None,
                roots: Arc::clone(&self.roots),
                write_log: Arc::clone(&self.write_log),
            },
            mapping,
            expected,
            definition: Some(input),
            discard,
        })
    }

    /// The folder below which new tables of a database are placed; ends in `/`.
    fn base(&self, database: &str, location: Option<&str>) -> Result<String> {
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

    /// The definition of a Parquet table with the columns of the rows.
    ///
    /// # Errors
    ///
    /// Too many columns, a column type that tables do not support, a partition key that is no
    /// column.
    fn define(
        &self,
        request: &WriteRequest,
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
            }));
        }
        let named = columns.iter().flatten().map(|column| column.name.clone());
        let places: HashMap<String, usize> = named.zip(0..).collect();
        let mut partitioned_by = Vec::with_capacity(request.partitioned_by.len());
        for key in &request.partitioned_by {
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
        let create = CreateTable {
            external: true,
            if_not_exists: false,
            name: TableName::bare(name),
            columns,
            comment: None,
            partitioned_by,
            clustered_by: None,
            row_format: None,
            stored_as: Some(StoredAs::Format(StorageFormat::Parquet)),
            location: Some(location.to_owned()),
            properties: Vec::new(),
        };
        definition(self, &create, location)
    }

    /// `own`: the table that moves there.
    ///
    /// # Errors
    ///
    /// Files in the folder would be rows of a table that the principal may not both read and write.
    async fn check_writable(
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

/// Deletes the files that Lakegate wrote to a table that has been replaced, except in folders that
/// are in use again.
///
/// # Errors
///
/// The store or the catalog failed; the call can be repeated.
pub async fn clear_discarded(
    metastore: &dyn Metastore,
    write_log: &dyn WriteLog,
    folders: &Folders,
    roots: &Roots,
    discarded: &Discarded,
) -> Result<()> {
    let index = folders.index(metastore).await?;
    for location in &discarded.locations {
        let folder = roots.locate(location)?;
        match index.overlapping(&folder.folder()?).next() {
            Some((table, _)) => tracing::warn!(
                location,
                table = table.full_name(),
                "the files of a replaced table stay: another table is in their folder"
            ),
            None => {
                let files = sweep::remove_written(&folder, &discarded.files).await?;
                tracing::info!(location, files, "the files of a replaced table are deleted");
            }
        }
    }
    write_log.forget_discarded(discarded.id).await?;
    Ok(())
}

fn version_of(table: &Table) -> ExpectedTable {
    ExpectedTable {
        id: table.id,
        version: table.version_id,
    }
}

/// A folder name that no table has had.
fn fresh(base: &str, name: &str) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{base}{name}-{unique}/")
}
