//! Planning of the statements that write: CREATE TABLE AS and INSERT, where the columns of a query
//! become those of a table, and those that other files plan.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Code, Error, Misfit, Result};
use lakegate_lake::table::table_schema;
use lakegate_lake::write::RowOrder;
use lakegate_lake::write::columns::Mapping;
use lakegate_policy::Visible;
use lakegate_sql::ast::{
    CompareOp, CopyFrom, CreateTableAs, Insert, PartitionCondition, PartitionFilter, Statement,
};

use super::create::NewTable;
use super::new_columns::check_new_columns;
use super::properties::Stored;
use super::removal::{RemovalPlan, values_of};
use super::types::check_columns;
use super::unload::UnloadPlan;
use super::{WritePlan, table_exists};
use crate::StatementContext;
use crate::partition_filter::{key_value, matching, unknown_key};
use crate::partitions::not_partitioned;
use crate::temporary::{self, TemporaryChange, TemporaryWrite};

/// What a statement does with the rows of its query.
#[derive(Debug, Clone)]
pub enum QueryWrite {
    Table(Box<WritePlan>),
    Folder(Box<UnloadPlan>),
    /// The rows are counted, and others are removed.
    Removal(Arc<RemovalPlan>),
    /// Tables of the session.
    Temporary(Box<TemporaryWrite>),
}

impl QueryWrite {
    /// The order that the rows have to come in; `None`: any.
    pub fn order(&self) -> Option<RowOrder> {
        match self {
            Self::Table(plan) => plan.order(),
            Self::Folder(_) | Self::Removal(_) | Self::Temporary(_) => None,
        }
    }

    /// How batches, in the order of [`Self::order`], become rows of a table; `None` if they do not.
    pub(crate) fn rows_of_table(&self) -> Option<Mapping> {
        match self {
            Self::Table(plan) if plan.order().is_some() => Some(plan.mapping.applied()),
            _ => self.rows_before_order(),
        }
    }

    /// How batches become rows of a table before they are put into the order; `None` if they do not.
    pub(crate) fn rows_before_order(&self) -> Option<Mapping> {
        match self {
            Self::Table(plan) => Some(plan.mapping.clone()),
            Self::Temporary(write) => write.mapping.clone(),
            Self::Folder(_) | Self::Removal(_) => None,
        }
    }
}

impl StatementContext {
    /// Plans the write of a statement whose query has the columns `rows`.
    ///
    /// # Errors
    ///
    /// As [`StatementContext::plan_unload`]; the table exists or does not, contrary to the
    /// statement, or is a view; a missing privilege; columns whose number or types do not fit.
    pub fn plan_query_write<'a>(
        &'a self,
        statement: &'a Statement,
        rows: &'a Schema,
    ) -> BoxFuture<'a, Result<QueryWrite>> {
        async move {
            match statement {
                Statement::CreateTableAs(create) if create.temporary.is_some() => {
                    let write = self.plan_temporary(create, rows)?;
                    Ok(QueryWrite::Temporary(Box::new(write)))
                }
                Statement::CreateTableAs(create) => {
                    let plan = self.plan_create_as(create, rows).await?;
                    Ok(QueryWrite::Table(Box::new(plan)))
                }
                Statement::Insert(insert) => self.plan_insert(insert, rows).await,
                Statement::Truncate(truncate) => {
                    if let Some(write) = self.plan_temporary_truncate(truncate).await? {
                        return Ok(QueryWrite::Temporary(Box::new(write)));
                    }
                    let plan = self.plan_truncate(truncate).await?;
                    Ok(QueryWrite::Removal(Arc::new(plan)))
                }
                Statement::Delete(delete) => {
                    let found = self.table(&delete.table).await?;
                    if found.is_temporary() {
                        let name = &found.table.name;
                        let known = self.view.temporary.relation(name);
                        let rows_now = known.and_then(|known| known.rows.clone());
                        let stay = TemporaryChange::Leave {
                            table: name.clone(),
                            of: rows_now.unwrap_or_default(),
                        };
                        let write = temporary::into_columns(&found, rows, stay)?;
                        return Ok(QueryWrite::Temporary(Box::new(write)));
                    }
                    let plan = self.plan_delete(delete).await?;
                    Ok(QueryWrite::Removal(Arc::new(plan)))
                }
                Statement::Unload(unload) => {
                    let plan = self.plan_unload(unload, rows).await?;
                    Ok(QueryWrite::Folder(Box::new(plan)))
                }
                other => Err(Error::internal(format!("{} writes no rows", other.tag()))),
            }
        }
        .boxed()
    }

    /// Whether the statement has nothing to do, because the table of its IF NOT EXISTS exists.
    ///
    /// # Errors
    ///
    /// The name is that of a built-in schema or of another catalog; the catalog failed.
    pub fn is_done<'a>(&'a self, statement: &'a Statement) -> BoxFuture<'a, Result<bool>> {
        async move {
            match statement {
                Statement::CreateTableAs(create)
                    if create.if_not_exists && create.temporary.is_some() =>
                {
                    let temporary = &self.view.temporary;
                    Ok(temporary.relation(&create.name.table).is_some())
                }
                Statement::CreateTableAs(create) if create.if_not_exists => {
                    let (database, name) = self.new_table_name(&create.name)?;
                    Ok(self.view.table(database, name).await?.is_some())
                }
                _ => Ok(false),
            }
        }
        .boxed()
    }

    async fn plan_create_as(&self, create: &CreateTableAs, rows: &Schema) -> Result<WritePlan> {
        let stored = Stored::of_table(&create.properties)?;
        let rows = check_new_columns(&create.columns, &stored.partitioned_by, rows)?;
        let names: Vec<&str> = rows
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        stored.check_clustering(&names)?;
        let new = NewTable {
            stored,
            comment: create.comment.clone(),
        };
        let (database, name) = self.new_table_name(&create.name)?;
        match self.view.table(database, name).await? {
            None => self.plan_create(&create.name, &new, &rows).await,
            Some(found) if create.or_replace => self.plan_replace(&new, &found, &rows).await,
            Some(found) => Err(table_exists(&found.table).with_hint(
                "write CREATE TABLE IF NOT EXISTS or CREATE OR REPLACE TABLE, or choose another name",
            )),
        }
    }

    async fn plan_insert(&self, insert: &Insert, rows: &Schema) -> Result<QueryWrite> {
        let found = self.table(&insert.table).await?;
        self.require_insert(&found)?;
        if found.is_temporary() {
            let write = temporary::plan_insert(&found, insert, rows)?;
            return Ok(QueryWrite::Temporary(Box::new(write)));
        }
        let targets = insert_targets(&found, insert)?;
        let name = found.table.full_name();
        let fields: Vec<&Field> = targets.fields().iter().map(AsRef::as_ref).collect();
        check_columns(&name, &fields, rows)?;
        let rows = renamed(rows, fields.iter().map(|field| field.name().as_str()));
        let mut plan = match insert.overwrite {
            true => self.plan_overwrite(&found, &rows).await?,
            false => self.plan_append(&found, &rows).await?,
        };
        fix_keys(&mut plan, insert)?;
        Ok(QueryWrite::Table(Box::new(plan)))
    }

    /// The columns of a table that an INSERT writes, in the order of its query's.
    ///
    /// # Errors
    ///
    /// The table does not exist, or is a view; INSERT is not granted; a column that it does not
    /// have, or that is named twice.
    pub fn insert_columns<'a>(&'a self, insert: &'a Insert) -> BoxFuture<'a, Result<SchemaRef>> {
        async move {
            let found = self.table(&insert.table).await?;
            self.require_insert(&found)?;
            insert_targets(&found, insert)
        }
        .boxed()
    }

    /// Plans COPY .. FROM: returns the columns that the client sends, and the write of their rows.
    ///
    /// # Errors
    ///
    /// As for [`StatementContext::insert_columns`]; a partition key is hidden; files of the table's
    /// format are not written.
    pub fn plan_copy<'a>(
        &'a self,
        copy: &'a CopyFrom,
    ) -> BoxFuture<'a, Result<(SchemaRef, QueryWrite)>> {
        async move {
            let found = self.table(&copy.table).await?;
            self.require_insert(&found)?;
            let columns = targets(&found, &copy.columns, &[], &[])?;
            if found.is_temporary() {
                let added = TemporaryChange::Append(found.table.name.clone());
                let write = temporary::into_columns(&found, &columns, added)?;
                return Ok((columns, QueryWrite::Temporary(Box::new(write))));
            }
            let plan = self.plan_append(&found, &columns).await?;
            Ok((columns, QueryWrite::Table(Box::new(plan))))
        }
        .boxed()
    }
}

/// The columns that an INSERT writes: see [`targets`].
pub(crate) fn insert_targets(found: &Visible, insert: &Insert) -> Result<SchemaRef> {
    let fixed = fixed_keys(found, insert)?;
    targets(found, &insert.columns, &fixed, &insert.dynamic)
}

/// Gives all rows the values of a PARTITION clause. An overwrite empties the partitions that have
/// them, unless the query gives values of other keys of the clause, as in Hive.
///
/// # Errors
///
/// A value that is not of its key's type.
fn fix_keys(plan: &mut WritePlan, insert: &Insert) -> Result<()> {
    if insert.fixed.is_empty() {
        return Ok(());
    }
    let table = Arc::clone(&plan.target.table);
    let conditions = insert.fixed.iter().map(|pair| PartitionCondition {
        key: pair.key.clone(),
        op: CompareOp::Eq,
        value: pair.value.clone(),
    });
    let filter = PartitionFilter {
        conditions: conditions.collect(),
    };
    if let Some(known) = &plan.target.partitions {
        // Checks the values, too.
        let places = matching(&table, known, &filter)?;
        if plan.target.replaces && insert.dynamic.is_empty() {
            let old = places
                .into_iter()
                .filter_map(|place| known.items.get(place));
            plan.emptied = old.map(|old| values_of(old)).collect();
        }
    }
    for pair in &insert.fixed {
        let value = key_value(&table, &pair.key, pair.value.as_deref())?;
        plan.mapping.fix(&pair.key, value)?;
    }
    Ok(())
}

/// Checks the keys of a PARTITION clause, and returns those that have a value there.
///
/// # Errors
///
/// One that the table does not have, or that is named twice; one that is not named, if the query
/// gives the values of others by position.
fn fixed_keys<'a>(found: &Visible, insert: &'a Insert) -> Result<Vec<&'a str>> {
    let fixed: Vec<&str> = insert.fixed.iter().map(|pair| pair.key.as_str()).collect();
    let dynamic = insert.dynamic.iter().map(String::as_str);
    let named: Vec<&str> = fixed.iter().copied().chain(dynamic).collect();
    if named.is_empty() {
        return Ok(fixed);
    }
    if found.table.partition_keys.is_empty() {
        return Err(not_partitioned(&found.table));
    }
    let keys = found.table.partition_keys.iter();
    let known: Vec<&str> = keys
        .map(|key| key.name.as_str())
        .filter(|key| found.access.is_visible(key))
        .collect();
    for (place, key) in named.iter().enumerate() {
        if !known.contains(key) {
            return Err(unknown_key(key, &known));
        }
        if named.iter().take(place).any(|before| before == key) {
            return Err(named_twice(key));
        }
    }
    let missing = known.iter().find(|key| !named.contains(*key));
    if let Some(missing) = missing.filter(|_| !insert.dynamic.is_empty()) {
        return Err(Error::new(
            Code::InvalidParameter,
            format!(
                "the PARTITION clause names keys without values, and leaves out \"{missing}\"; name all keys of table {}",
                found.table.full_name()
            ),
        ));
    }
    Ok(fixed)
}

fn named_twice(name: &str) -> Error {
    Error::new(
        Code::DuplicateColumn,
        format!("column \"{name}\" is named twice; name it once"),
    )
    .with_misfit(Misfit::Twice {
        column: name.to_owned(),
    })
}

/// The named columns of a table, or all that the principal sees: partition keys last. `fixed`: keys
/// that a PARTITION clause gives values. `dynamic`: those that it names without a value; they are
/// the last ones, in its order, unless they are among the named columns.
///
/// # Errors
///
/// A column that the table does not have, or that is named twice.
fn targets(
    found: &Visible,
    names: &[String],
    fixed: &[&str],
    dynamic: &[String],
) -> Result<SchemaRef> {
    let schema = table_schema(&found.table)?;
    let fields = schema.fields().iter();
    let mut columns: Vec<FieldRef> = fields
        .filter(|field| found.access.is_visible(field.name()))
        .filter(|field| !fixed.contains(&field.name().as_str()))
        .cloned()
        .collect();
    columns.sort_by_key(|field| dynamic.iter().position(|key| key == field.name()));
    if names.is_empty() {
        return Ok(Arc::new(Schema::new(columns)));
    }
    let mut seen = HashSet::new();
    let mut chosen = Vec::with_capacity(names.len());
    for name in names {
        if fixed.contains(&name.as_str()) {
            return Err(named_twice(name));
        }
        let mut known = columns.iter();
        let column = known.find(|column| column.name() == name).ok_or_else(|| {
            let known: Vec<&str> = columns
                .iter()
                .map(|column| column.name().as_str())
                .collect();
            Error::new(
                Code::ColumnNotFound,
                format!(
                    "column \"{name}\" of table {} does not exist",
                    found.table.full_name()
                ),
            )
            .with_hint(format!("its columns are {}", known.join(", ")))
            .with_misfit(Misfit::Missing {
                column: name.clone(),
                table: found.table.name.clone(),
            })
        })?;
        if !seen.insert(name) {
            return Err(named_twice(name));
        }
        chosen.push(Arc::clone(column));
    }
    let is_last =
        |column: &&FieldRef| dynamic.contains(column.name()) && !seen.contains(column.name());
    chosen.extend(columns.iter().filter(is_last).cloned());
    Ok(Arc::new(Schema::new(chosen)))
}

/// A query's columns under other names.
pub(crate) fn renamed<'a>(query: &Schema, names: impl Iterator<Item = &'a str>) -> Schema {
    let fields = query.fields().iter().zip(names);
    let fields = fields.map(|(field, name)| field.as_ref().clone().with_name(name));
    Schema::new(fields.collect::<Vec<Field>>())
}

#[cfg(test)]
mod tests;
