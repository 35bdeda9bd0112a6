//! Temporary tables and views: what they are, and how rows become those of a table.
//!
//! They belong to a session, which keeps them. They are not in the catalog, and no grant is needed
//! for what a session does with its own.

use arrow::datatypes::{Field, Schema};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::names::{TEMPORARY_SCHEMA, normalize_table};
use lakegate_catalog::model::{Column, StorageDescriptor, Table, TableInput, now};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::table_schema;
use lakegate_lake::write::columns::Mapping;
use lakegate_policy::{AtCommit, TemporaryRows, Visible};
use lakegate_sql::ast::{CreateTable, CreateTableAs, Insert, OnCommit, TableName, Truncate};

use super::StatementContext;
use super::postgres_types::hive_type;
use super::storage;
use super::tables::check_names;
use super::write::constrain;
use super::write::new_columns::check_new_columns;
use super::write::query::{insert_targets, renamed};
use super::write::types::check_columns;

/// What a statement does with rows, or without, to temporary tables.
#[derive(Debug, Clone)]
pub struct TemporaryWrite {
    pub change: TemporaryChange,
    /// How the rows become those of the table; `None` if there are none.
    pub mapping: Option<Mapping>,
}

/// Which temporary tables change, and how.
#[derive(Debug, Clone)]
pub enum TemporaryChange {
    /// A table is made of the rows.
    Create(Box<NewTemporary>),
    /// Rows are added to the table of this name.
    Append(String),
    /// The rows become all that the table of this name has.
    Replace(String),
    /// The rows are those of the table of this name that stay; the others are counted. `of`: those
    /// that it had.
    Leave { table: String, of: TemporaryRows },
    /// All rows of these tables go.
    Empty(Vec<String>),
}

/// A new temporary table.
#[derive(Debug, Clone)]
pub struct NewTemporary {
    pub input: TableInput,
    pub at_commit: AtCommit,
    /// It may take the place of a table of its name.
    pub or_replace: bool,
}

impl StatementContext {
    /// Returns the definition of a temporary table that has no rows yet.
    ///
    /// # Errors
    ///
    /// Its name is in a schema of the catalog; a column is named twice, or has a type that no column
    /// of a table has.
    pub fn temporary_table(&self, create: &CreateTable) -> Result<NewTemporary> {
        check_temporary_name(&create.name)?;
        let mut columns = Vec::with_capacity(create.columns.len());
        for column in &create.columns {
            let data_type = hive_type(&column.name, &column.data_type)?;
            columns.push(Column {
                data_type,
                ..storage::column(column)
            });
        }
        check_names(&columns, &[])?;
        let on_commit = create.temporary.unwrap_or_default();
        Ok(NewTemporary {
            input: self.temporary_input(&create.name, columns)?,
            at_commit: at_commit(on_commit),
            or_replace: false,
        })
    }

    pub(super) fn plan_temporary(
        &self,
        create: &CreateTableAs,
        rows: &Schema,
    ) -> Result<TemporaryWrite> {
        check_temporary_name(&create.name)?;
        let known = self.view.temporary.relation(&create.name.table);
        if known.is_some_and(|known| known.rows.is_none() || !create.or_replace) {
            return Err(temporary_exists(&create.name.table));
        }
        let rows = check_new_columns(&create.columns, &[], rows)?;
        let mut columns = Vec::with_capacity(rows.fields().len());
        for field in rows.fields() {
            let hive = HiveType::from_arrow(field.data_type()).map_err(|error| {
                Error::new(
                    Code::InvalidTable,
                    format!("column \"{}\" cannot be stored: {error}", field.name()),
                )
            })?;
            columns.push(Column::new(field.name(), hive.to_string()));
        }
        let input = self.temporary_input(&create.name, columns)?;
        let schema = table_schema(&Table::of_input(input.clone(), TEMPORARY_SCHEMA, now()))?;
        let mapping = Mapping::new(&create.name.table, &schema, &rows, |_| true)?;
        let new = NewTemporary {
            input,
            at_commit: at_commit(create.temporary.unwrap_or_default()),
            or_replace: create.or_replace,
        };
        Ok(TemporaryWrite {
            change: TemporaryChange::Create(Box::new(new)),
            mapping: Some(mapping),
        })
    }

    fn temporary_input(&self, name: &TableName, columns: Vec<Column>) -> Result<TableInput> {
        let mut input = TableInput {
            name: name.table.clone(),
            owner: Some(self.access().user().to_owned()),
            storage_descriptor: StorageDescriptor {
                columns,
                ..StorageDescriptor::default()
            },
            ..TableInput::default()
        };
        normalize_table(&mut input)?;
        Ok(input)
    }

    /// Plans TRUNCATE of temporary tables. Returns `None` if none of the names is that of one.
    ///
    /// # Errors
    ///
    /// Some are temporary and others are not; one does not exist, or is a view.
    pub(super) async fn plan_temporary_truncate(
        &self,
        truncate: &Truncate,
    ) -> Result<Option<TemporaryWrite>> {
        let mut own = Vec::with_capacity(truncate.tables.len());
        let mut others = false;
        for name in &truncate.tables {
            let found = self.table(name).await?;
            match found.is_temporary() {
                true => {
                    self.require_removal("TRUNCATE", &found)?;
                    own.push(found.table.name.clone());
                }
                false => others = true,
            }
        }
        if own.is_empty() {
            return Ok(None);
        }
        if others {
            return Err(Error::not_supported(
                "TRUNCATE of temporary tables together with others is not supported; name them in statements of their own",
            ));
        }
        Ok(Some(TemporaryWrite {
            change: TemporaryChange::Empty(own),
            mapping: None,
        }))
    }
}

/// Plans an INSERT into a temporary table.
///
/// # Errors
///
/// Columns whose number or types do not fit, or that the table does not have.
pub(super) fn plan_insert(
    found: &Visible,
    insert: &Insert,
    rows: &Schema,
) -> Result<TemporaryWrite> {
    let targets = insert_targets(found, insert)?;
    let fields: Vec<&Field> = targets.fields().iter().map(AsRef::as_ref).collect();
    check_columns(&found.table.name, &fields, rows)?;
    let rows = renamed(rows, fields.iter().map(|field| field.name().as_str()));
    let name = found.table.name.clone();
    let change = match insert.overwrite {
        true => TemporaryChange::Replace(name),
        false => TemporaryChange::Append(name),
    };
    into_columns(found, &rows, change)
}

/// Plans a write of rows that have columns of a temporary table, by name.
///
/// # Errors
///
/// Columns that the table does not have, or of other types.
pub(super) fn into_columns(
    found: &Visible,
    rows: &Schema,
    change: TemporaryChange,
) -> Result<TemporaryWrite> {
    let schema = table_schema(&found.table)?;
    let mut mapping = Mapping::new(&found.table.name, &schema, rows, |_| true)?;
    constrain(&mut mapping, &found.table);
    Ok(TemporaryWrite {
        change,
        mapping: Some(mapping),
    })
}

/// Checks the schema of a new temporary table or view.
///
/// # Errors
///
/// It is one of the catalog.
pub fn check_temporary_name(name: &TableName) -> Result<()> {
    if name.database.is_none() || name.is_temporary() {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidTable,
        "cannot create temporary relation in non-temporary schema",
    )
    .with_hint("leave out the schema, or leave out TEMP"))
}

/// Returns the error for the name of a temporary table or view that is taken.
pub fn temporary_exists(name: &str) -> Error {
    Error::new(
        Code::DuplicateTable,
        format!("relation \"{name}\" already exists"),
    )
    .with_hint("DROP it first, or choose another name")
}

fn at_commit(on_commit: OnCommit) -> AtCommit {
    match on_commit {
        OnCommit::PreserveRows => AtCommit::Keep,
        OnCommit::DeleteRows => AtCommit::DeleteRows,
        OnCommit::Drop => AtCommit::Drop,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::datatypes::DataType;
    use lakegate_sql::Statement;

    use super::super::QueryWrite;
    use super::super::testing::Lake;
    use super::*;

    /// A context of ann's, in whose session there are `t (a int, b string)` and the view `v`.
    async fn context(lake: &Lake) -> StatementContext {
        let mut context = lake.context("ann").await;
        let Statement::CreateTable(create) = statement("CREATE TEMP TABLE t (a int4, b text)")
        else {
            panic!("no table");
        };
        let new = context.temporary_table(&create).unwrap();
        let view = TableInput {
            name: "v".to_owned(),
            table_type: Some("VIRTUAL_VIEW".to_owned()),
            ..TableInput::default()
        };
        let temporary = &context.view.temporary;
        let temporary = temporary.with_table(new.input, None, new.at_commit);
        let temporary = temporary.unwrap().with_view(view, Vec::new()).unwrap();
        context.view.temporary = Arc::new(temporary);
        context
    }

    fn statement(sql: &str) -> Statement {
        lakegate_sql::parse(sql).unwrap().remove(0).statement
    }

    fn rows(columns: &[(&str, DataType)]) -> Schema {
        let fields = columns.iter();
        let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    async fn planned(
        context: &StatementContext,
        sql: &str,
        rows: &Schema,
    ) -> Result<TemporaryChange> {
        match context.plan_query_write(&statement(sql), rows).await? {
            QueryWrite::Temporary(write) => Ok(write.change),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn writes_to_tables_of_the_session_need_no_grant() {
        let lake = Lake::with_orders().await;
        let context = context(&lake).await;
        let both = rows(&[("x", DataType::Int64), ("y", DataType::Utf8View)]);
        for sql in ["INSERT INTO t SELECT 1", "INSERT INTO pg_temp.t SELECT 1"] {
            let change = planned(&context, sql, &both).await.unwrap();
            assert!(
                matches!(change, TemporaryChange::Append(name) if name == "t"),
                "{sql}"
            );
        }
        let one = rows(&[("x", DataType::Int64)]);
        let change = planned(&context, "INSERT OVERWRITE t (a) SELECT 1", &one).await;
        assert!(matches!(change.unwrap(), TemporaryChange::Replace(_)));
        let change = planned(&context, "TRUNCATE t", &one).await;
        assert!(matches!(change.unwrap(), TemporaryChange::Empty(names) if names == ["t"]));
        let all = rows(&[("a", DataType::Int32), ("b", DataType::Utf8)]);
        let change = planned(&context, "DELETE FROM t WHERE a = 1", &all).await;
        assert!(matches!(change.unwrap(), TemporaryChange::Leave { table, .. } if table == "t"));
        let Statement::Delete(delete) = statement("DELETE FROM t AS x WHERE x.a = 1") else {
            panic!("no DELETE");
        };
        assert_eq!(
            context.delete_query(&delete).await.unwrap().to_string(),
            "SELECT * FROM \"pg_temp_1\".\"t\" AS \"x\" WHERE (x.a = 1) IS NOT TRUE"
        );
        let sql = "CREATE TEMP TABLE new ON COMMIT DROP AS SELECT 1";
        let TemporaryChange::Create(new) = planned(&context, sql, &both).await.unwrap() else {
            panic!("no table");
        };
        let columns = new.input.storage_descriptor.columns.iter();
        let columns: Vec<String> = columns
            .map(|column| format!("{} {}", column.name, column.data_type))
            .collect();
        assert_eq!(columns, ["x bigint", "y string"]);
        assert_eq!(new.at_commit, AtCommit::Drop);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused() {
        let lake = Lake::with_orders().await;
        let context = context(&lake).await;
        let one = rows(&[("x", DataType::Int64)]);
        let text = rows(&[("x", DataType::Utf8)]);
        for (sql, rows, code) in [
            ("INSERT INTO t SELECT 1", &one, Code::TypeMismatch),
            ("INSERT INTO t (a) SELECT 1", &text, Code::TypeMismatch),
            ("INSERT INTO t (z) SELECT 1", &one, Code::ColumnNotFound),
            ("INSERT INTO v SELECT 1", &one, Code::NotSupported),
            ("INSERT INTO pg_temp.u SELECT 1", &one, Code::TableNotFound),
            (
                "CREATE TEMP TABLE t AS SELECT 1",
                &one,
                Code::DuplicateTable,
            ),
            (
                "CREATE TEMP TABLE sales.u AS SELECT 1",
                &one,
                Code::InvalidTable,
            ),
            ("TRUNCATE v", &one, Code::NotSupported),
            // ann sees no table of the catalog.
            ("INSERT INTO orders SELECT 1", &one, Code::TableNotFound),
        ] {
            let error = context.plan_query_write(&statement(sql), rows).await;
            assert_eq!(error.unwrap_err().code(), code, "{sql}");
        }
        for sql in [
            "ALTER TABLE t ADD COLUMNS (c int)",
            "DROP TABLE t",
            "SHOW CREATE TABLE t",
            "COMMENT ON TABLE t IS 'c'",
        ] {
            let error = super::super::execute(&context, &statement(sql)).await;
            assert_eq!(error.unwrap_err().code(), Code::NotSupported, "{sql}");
        }
        let Statement::CreateTable(twice) = statement("CREATE TEMP TABLE u (a int, A int)") else {
            panic!("no table");
        };
        let error = context.temporary_table(&twice).unwrap_err();
        assert_eq!(error.code(), Code::DuplicateColumn);
    }
}
