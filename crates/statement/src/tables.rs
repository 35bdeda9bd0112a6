//! CREATE EXTERNAL TABLE, DROP TABLE and RENAME TO.

use std::collections::HashSet;

use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::names::is_temporary;
use lakegate_catalog::model::{Column, Database, EXTERNAL_TABLE, Parameters, Table, TableInput};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::format::TableFormat;
use lakegate_lake::table::symlinks;
use lakegate_policy::Visible;
use lakegate_sql::ast::{
    AlterTableRename, ColumnDef, CreateTable, DropTable, StorageFormat, StoredAs, TableName,
};

use super::grants::check_owners;
use super::locations::For;
use super::postgres_types::hive_type;
use super::projections::check_projection;
use super::rights::{require_lasting, resource, table_not_found};
use super::views::require_view;
use super::write::properties::Stored;
use super::{Output, StatementContext, storage};

pub(super) async fn create(context: &StatementContext, create: &CreateTable) -> Result<Output> {
    let (database, _) = context.new_table_name(&create.name)?;
    let database = context.view.require_database(database).await?;
    context.require_on_database(&database.name, Privilege::CreateTable)?;
    if !create.external && create.location.is_none() && !is_iceberg(create) {
        return create_in_free_folder(context, create, &database).await;
    }
    let location = external_location(create)?;
    check_properties(&create.properties)?;
    let exposed = match storage::is_of_manifests(create) {
        true => symlinks::exposed(location),
        false => location,
    };
    context.register(exposed, For::NewTable(&database)).await?;
    if !create.if_not_exists {
        let name = &create.name.table;
        context.check_free(&database.name, name).await?;
    }
    let input = definition(context, create, location)?;
    context
        .create_defined(&database, input, create.if_not_exists)
        .await
}

/// Creates a table in an empty folder of its database, as CREATE TABLE AS does, or in the one that
/// Trino's properties name. Its columns may have PostgreSQL's types.
async fn create_in_free_folder(
    context: &StatementContext,
    create: &CreateTable,
    database: &Database,
) -> Result<Output> {
    check_properties(&create.properties)?;
    let name = &create.name.table;
    if !create.if_not_exists {
        context.check_free(&database.name, name).await?;
    }
    let stored = Stored::of_empty_table(&create.with)?;
    let mut create = create.clone();
    for column in create.columns.iter_mut().chain(&mut create.partitioned_by) {
        column.data_type = hive_type(&column.name, &column.data_type)?;
    }
    if !create.with.is_empty() {
        create.partitioned_by = last_columns(&mut create.columns, &stored.partitioned_by)?;
        stored.define(&mut create);
    } else if create.stored_as.is_none() && create.row_format.is_none() {
        create.stored_as = Some(StoredAs::Format(StorageFormat::Parquet));
    }
    if create.columns.is_empty() {
        return Err(Error::new(
            Code::InvalidTable,
            format!("table \"{name}\" would have no columns; name at least one"),
        ));
    }
    let location = match stored.location {
        Some(location) => {
            context.register(&location, For::NewTable(database)).await?;
            location
        }
        None => context.free_folder(database, name).await?,
    };
    let input = definition(context, &create, &location)?;
    context
        .create_defined(database, input, create.if_not_exists)
        .await
}

/// Takes the partition keys from the end of a list of columns.
///
/// # Errors
///
/// The last columns are others, or in another order.
fn last_columns(columns: &mut Vec<ColumnDef>, keys: &[String]) -> Result<Vec<ColumnDef>> {
    let before = columns.len().checked_sub(keys.len());
    let before = before.filter(|before| {
        let mut last = columns.iter().skip(*before).zip(keys);
        last.all(|(column, key)| column.name == *key)
    });
    let Some(before) = before else {
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "partitioned_by names other columns than the last ones; the last columns must be {}, in this order",
                keys.join(", ")
            ),
        ));
    };
    Ok(columns.split_off(before))
}

impl StatementContext {
    /// Creates a table whose folder may be used, and is the principal's to register.
    ///
    /// # Errors
    ///
    /// A partition projection that cannot be used, or whose folder may not be; the table exists.
    pub(super) async fn create_defined(
        &self,
        database: &Database,
        input: TableInput,
        if_not_exists: bool,
    ) -> Result<Output> {
        check_projection(&database.name, &input)?;
        self.register_projected(&input, For::NewTable(database))
            .await?;
        if if_not_exists
            && self
                .view
                .table(&database.name, &input.name)
                .await?
                .is_some()
        {
            self.notices.skips_existing("relation", &input.name);
        }
        let by = self.access().by();
        self.coordinator
            .create_table_by(&database.name, input, if_not_exists, by)
            .await?;
        Ok(Output::Command)
    }

    /// # Errors
    ///
    /// The name is taken by a table or view that does not exist for the principal.
    pub(super) async fn check_free(&self, database: &str, name: &str) -> Result<()> {
        let metastore = &self.view.metastore;
        let hidden = match metastore.table(database, name).await? {
            Some(table) => self.view.visible(table).await?.is_none(),
            None => false,
        };
        match hidden {
            true => Err(self.name_taken("table", &format!("{database}.{name}"))),
            false => Ok(()),
        }
    }
}

/// The catalog's definition of a new table.
///
/// # Errors
///
/// A format that is not supported, duplicate column names, keys that cannot be folder names.
pub(super) fn definition(
    context: &StatementContext,
    create: &CreateTable,
    location: &str,
) -> Result<TableInput> {
    let descriptor = storage::descriptor(create, location)?;
    let partition_keys: Vec<Column> = create.partitioned_by.iter().map(storage::column).collect();
    check_names(&descriptor.columns, &partition_keys)?;
    check_key_types(&partition_keys)?;
    let mut parameters: Parameters = create.properties.iter().cloned().collect();
    parameters.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
    if let Some(comment) = &create.comment {
        parameters.insert("comment".to_owned(), comment.clone());
    }
    if let Some(classification) = storage::classification(&descriptor) {
        parameters
            .entry("classification".to_owned())
            .or_insert_with(|| classification.to_owned());
    }
    TableFormat::detect(&descriptor, &parameters)?.check(descriptor.columns.len())?;

    Ok(TableInput {
        name: create.name.table.clone(),
        description: parameters.get("comment").cloned(),
        owner: Some(context.access().user().to_owned()),
        storage_descriptor: descriptor,
        partition_keys,
        table_type: Some(EXTERNAL_TABLE.to_owned()),
        parameters,
        ..TableInput::default()
    })
}

fn is_iceberg(create: &CreateTable) -> bool {
    create.properties.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg")
    })
}

/// The LOCATION of an external table.
///
/// # Errors
///
/// The statement is not for an external table, or it has no LOCATION.
fn external_location(create: &CreateTable) -> Result<&str> {
    if is_iceberg(create) {
        return Err(Error::not_supported(
            "Iceberg tables are not supported yet; use CREATE EXTERNAL TABLE … STORED AS PARQUET LOCATION 's3://…'",
        ));
    }
    let Some(location) = create.location.as_deref() else {
        return Err(Error::new(
            Code::InvalidTable,
            "no location was specified for the table; add LOCATION 's3://bucket/folder/'",
        ));
    };
    if !create.external {
        return Err(Error::not_supported(
            "CREATE TABLE with LOCATION and without EXTERNAL makes Iceberg tables, which are not supported yet; use CREATE EXTERNAL TABLE, or leave LOCATION out",
        ));
    }
    Ok(location)
}

/// # Errors
///
/// A table property that would change what the table is, or that requests a feature that is not
/// available.
pub(super) fn check_properties(properties: &[(String, String)]) -> Result<()> {
    for (key, value) in properties {
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "external" if !value.eq_ignore_ascii_case("true") => {
                return Err(Error::new(
                    Code::InvalidTable,
                    format!(
                        "table property 'EXTERNAL' is '{value}'; every table is external, so it must be 'TRUE'"
                    ),
                ));
            }
            "table_type" if value.eq_ignore_ascii_case("iceberg") => {
                return Err(Error::not_supported(
                    "table property 'table_type' = 'ICEBERG' is not supported yet; leave it out",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// # Errors
///
/// A column that is named twice, or that is also a partition key.
pub(super) fn check_names(columns: &[Column], keys: &[Column]) -> Result<()> {
    let mut seen = HashSet::new();
    for column in columns {
        if !seen.insert(column.name.as_str()) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("column \"{}\" is named twice; name it once", column.name),
            ));
        }
    }
    for key in keys {
        if !seen.insert(key.name.as_str()) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!(
                    "partition key \"{}\" is named twice, or is a column as well; name it once, in PARTITIONED BY",
                    key.name
                ),
            ));
        }
    }
    Ok(())
}

fn check_key_types(keys: &[Column]) -> Result<()> {
    for key in keys {
        let hive: HiveType = key.data_type.parse().map_err(|error| {
            Error::new(
                Code::InvalidTable,
                format!("partition key \"{}\": {error}", key.name),
            )
        })?;
        if hive.is_nested() {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "partition key \"{}\" has type {hive}; it must have a primitive type",
                    key.name
                ),
            ));
        }
    }
    Ok(())
}

/// Drops tables from the catalog, all or none. Their files stay: tables are external.
pub(super) async fn drop(context: &StatementContext, drop: &DropTable) -> Result<Output> {
    let dropped = to_drop(context, "table", &drop.names, drop.if_exists).await?;
    for visible in &dropped {
        if !visible.access.drop {
            return Err(context.denied(Privilege::Drop, &resource(&visible.table)));
        }
        if visible.table.is_view() {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("\"{}\" is not a table", visible.table.full_name()),
            )
            .with_hint("it is a view; use DROP VIEW"));
        }
    }
    for visible in &dropped {
        context.leave(&visible.table, None).await?;
    }
    drop_all(context, &dropped, drop.if_exists).await
}

/// The tables and views that names refer to, each once, without those that do not exist. `kind`: what
/// they are, for notices.
///
/// # Errors
///
/// One does not exist, without IF EXISTS.
pub(super) async fn to_drop(
    context: &StatementContext,
    kind: &str,
    names: &[TableName],
    if_exists: bool,
) -> Result<Vec<Visible>> {
    let mut known = HashSet::new();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match context.find_table(name).await? {
            Some(visible) if known.insert(visible.table.id) => {
                require_lasting(&visible)?;
                found.push(visible);
            }
            None if !if_exists => return Err(table_not_found(name)),
            None => match missing_schema(context, name).await? {
                Some(schema) => context.notices.skips_missing("schema", schema),
                None => context.notices.skips_missing(kind, &name.table),
            },
            Some(_) => {}
        }
    }
    Ok(found)
}

/// The schema of a table's name, if it is written and there is none of its name.
///
/// # Errors
///
/// The catalog failed.
async fn missing_schema<'a>(
    context: &StatementContext,
    name: &'a TableName,
) -> Result<Option<&'a str>> {
    let schema = name.database.as_deref();
    let Some(schema) = schema.filter(|schema| !is_temporary(schema)) else {
        return Ok(None);
    };
    let known = context.view.database(schema).await?;
    Ok(known.is_none().then_some(schema))
}

/// Drops tables and views in one change of the catalog.
///
/// # Errors
///
/// One was dropped meanwhile, without IF EXISTS; the catalog failed.
pub(super) async fn drop_all(
    context: &StatementContext,
    dropped: &[Visible],
    if_exists: bool,
) -> Result<Output> {
    if !dropped.is_empty() {
        let names = dropped.iter().map(|visible| {
            let table = &visible.table;
            (table.database_name.clone(), table.name.clone())
        });
        let names: Vec<(String, String)> = names.collect();
        let coordinator = &context.coordinator;
        coordinator.drop_tables_and_grants(names, if_exists).await?;
    }
    Ok(Output::Command)
}

pub(super) async fn rename(
    context: &StatementContext,
    rename: &AlterTableRename,
) -> Result<Output> {
    let visible = context.table(&rename.table).await?;
    context.require_alter(&visible)?;
    if rename.only_view {
        require_view(&visible)?;
    }
    let table = &visible.table;
    let mut target = rename.new_name.clone();
    target
        .database
        .get_or_insert_with(|| table.database_name.clone());
    let (database, new_name) = context.new_table_name(&target)?;
    if database != table.database_name {
        // Before anything else is said of a database that may be hidden.
        context.view.require_database(database).await?;
        require_movable(context, table).await?;
    }
    context.require_on_database(database, Privilege::CreateTable)?;
    context.check_free(database, new_name).await?;
    let metastore = &context.view.metastore;
    metastore.rename_table(table, database, new_name).await?;
    Ok(Output::Command)
}

/// A move to another database gives the table to the users with privileges on that database, the
/// principal among them, and takes it from those with privileges on the former one only. It is
/// therefore for those that could grant the same.
///
/// # Errors
///
/// The principal may not grant every privilege on the table.
async fn require_movable(context: &StatementContext, table: &Table) -> Result<()> {
    let moved = resource(table);
    if !context.access().can_grant(Privilege::All, &moved) {
        return Err(Error::new(
            Code::PermissionDenied,
            format!(
                "permission denied for {moved}: moving it to another database needs ALL on it with grant option"
            ),
        )
        .with_hint("an administrator can move it, or a user who holds ALL on it with grant option"));
    }
    check_owners(context, Privilege::All, &moved).await
}

#[cfg(test)]
mod tests;
