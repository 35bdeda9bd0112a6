//! All access checks of statements: which names exist for the principal, and which privilege a
//! statement needs.

use std::sync::Arc;

use lakegate_catalog::access::{ADMINISTRATORS, Access, Privilege, Resource, TableAccess};
use lakegate_catalog::model::names::{RESERVED_DATABASES, is_temporary};
use lakegate_catalog::model::{Column, Database, Table};
use lakegate_dialect::postgres::pg_catalog;
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Error, Result};
use lakegate_policy::Visible;
use lakegate_sql::ast::{DatabaseName, TableName};

use super::StatementContext;

impl StatementContext {
    pub(super) fn access(&self) -> &Access {
        &self.view.access
    }

    /// The named database, or the current one.
    ///
    /// # Errors
    ///
    /// A catalog that is not the lake's, a built-in schema, no current database.
    pub(super) fn database_name<'a>(&'a self, name: Option<&'a DatabaseName>) -> Result<&'a str> {
        let Some(name) = name else {
            return not_built_in(self.path.current()?);
        };
        check_catalog(name.catalog.as_deref())?;
        not_built_in(&name.database)
    }

    /// Database and table of a new table's name.
    ///
    /// # Errors
    ///
    /// As [`Self::database_name`].
    pub(super) fn new_table_name<'a>(&'a self, name: &'a TableName) -> Result<(&'a str, &'a str)> {
        check_catalog(name.catalog.as_deref())?;
        let database = match &name.database {
            Some(database) => database,
            None => self.path.current().map_err(|error| {
                error.with_hint(format!(
                    "write the name of a database before that of the table, as in database.{}, or select one with SET search_path TO database",
                    name.table
                ))
            })?,
        };
        Ok((not_built_in(database)?, &name.table))
    }

    /// The table or view that a name refers to; without a database, the first on the search path.
    /// `None` if it does not exist, or does not exist for this principal.
    ///
    /// # Errors
    ///
    /// A catalog that is not the lake's, a built-in schema.
    pub(super) async fn find_table(&self, name: &TableName) -> Result<Option<Visible>> {
        check_catalog(name.catalog.as_deref())?;
        match &name.database {
            Some(database) if is_temporary(database) => {
                self.view.table(database, &name.table).await
            }
            Some(database) => self.view.table(not_built_in(database)?, &name.table).await,
            None => {
                let found = self.view.on_path(&self.path, &name.table).await?;
                // A query would resolve the name to that built-in table.
                match self.path.visible.first() {
                    Some(first) if found.is_none() => not_built_in(first).map(|_| ())?,
                    _ => {}
                }
                if found.is_none() && pg_catalog::has_relation(&name.table) {
                    not_built_in(pg_catalog::SCHEMA)?;
                }
                Ok(found)
            }
        }
    }

    /// The name of a new database.
    ///
    /// # Errors
    ///
    /// A catalog that is not the lake's, the name of a built-in schema.
    pub(super) fn new_database_name<'a>(&'a self, name: &'a DatabaseName) -> Result<&'a str> {
        check_catalog(name.catalog.as_deref())?;
        if RESERVED_DATABASES.contains(&name.database.as_str()) {
            return Err(Error::new(
                Code::InvalidName,
                format!(
                    "\"{}\" is the name of a built-in schema; choose another one for the database",
                    name.database
                ),
            ));
        }
        Ok(&name.database)
    }

    /// # Errors
    ///
    /// The database does not exist, or does not exist for this principal.
    pub(super) async fn database(&self, name: &DatabaseName) -> Result<Arc<Database>> {
        let name = self.database_name(Some(name))?;
        self.view.require_database(name).await
    }

    /// # Errors
    ///
    /// The table or view does not exist, or does not exist for this principal.
    pub(super) async fn table(&self, name: &TableName) -> Result<Visible> {
        let found = self.find_table(name).await?;
        found.ok_or_else(|| table_not_found(name))
    }

    /// A table whose definition or partitions the principal may change.
    ///
    /// A principal from whom some columns are hidden may not change it: repairing or redefining the
    /// table would reveal them.
    pub(super) async fn table_to_alter(&self, name: &TableName) -> Result<Visible> {
        let visible = self.table(name).await?;
        self.require_alter(&visible)?;
        require_table(&visible.table)?;
        Ok(visible)
    }

    /// # Errors
    ///
    /// The principal may not change the definition of the table or view, or does not see all of its
    /// columns.
    pub(super) fn require_alter(&self, visible: &Visible) -> Result<()> {
        let table = &visible.table;
        require_lasting(visible)?;
        if !visible.access.alter {
            return Err(self.denied_on(visible, Privilege::Alter));
        }
        if !sees_all_columns(visible) {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("permission denied for {}: SELECT is granted on some of its columns only, and changing a table needs all of them", resource(table)),
            )
            .with_hint(self.who_can_grant(Privilege::Select, &resource(table))));
        }
        Ok(())
    }

    /// # Errors
    ///
    /// The principal does not hold the privilege on the database or on the catalog.
    pub(super) fn require_on_database(&self, database: &str, privilege: Privilege) -> Result<()> {
        if self.access().on_database(database, privilege) {
            return Ok(());
        }
        Err(self.denied(privilege, &Resource::Database(database.to_owned())))
    }

    /// `to`: the purpose, for the message, such as `create users`.
    ///
    /// # Errors
    ///
    /// The principal is not an administrator.
    pub(super) fn require_administrator(&self, to: &str) -> Result<()> {
        if self.access().is_administrator() {
            return Ok(());
        }
        Err(Error::new(
            Code::PermissionDenied,
            format!("permission denied: you must be an administrator to {to}"),
        )
        .with_hint(format!(
            "administrators are the members of the role {ADMINISTRATORS}"
        )))
    }

    /// The error for a missing privilege: it names the privilege, the resource, and the users that can grant
    /// it.
    pub(super) fn denied(&self, privilege: Privilege, resource: &Resource) -> Error {
        Error::new(
            Code::PermissionDenied,
            format!("permission denied for {resource}: {privilege} is needed"),
        )
        .with_hint(self.who_can_grant(privilege, resource))
    }

    /// The error for a privilege that is missing on a table, or on a table that its files belong
    /// to.
    pub(super) fn denied_on(&self, visible: &Visible, privilege: Privilege) -> Error {
        if !visible.lacks(privilege) {
            return self.denied(privilege, &resource(&visible.table));
        }
        let needed = match privilege {
            Privilege::Alter => Privilege::Select,
            other => other,
        };
        lakegate_policy::limited(&visible.table, needed)
    }

    /// The error for a name that is taken by something hidden from the principal. It does not say
    /// by what.
    pub(super) fn name_taken(&self, kind: &str, name: &str) -> Error {
        Error::new(
            Code::PermissionDenied,
            format!("permission denied: the name \"{name}\" cannot be used for a new {kind}"),
        )
        .with_hint("choose another name")
    }

    fn who_can_grant(&self, privilege: Privilege, resource: &Resource) -> String {
        let on = match resource {
            Resource::Catalog => "CATALOG".to_owned(),
            Resource::Database(name) => format!("DATABASE {name}"),
            Resource::Workgroup(name) => format!("WORKGROUP {name}"),
            Resource::Location(folder) => format!("'{}'", folder.replace('\'', "''")),
            Resource::Table { database, table }
            | Resource::Columns {
                database, table, ..
            } => format!("TABLE {database}.{table}"),
        };
        format!(
            "an administrator, or a user who holds it with grant option, can run: GRANT {privilege} ON {on} TO {}",
            self.access().user()
        )
    }
}

/// The same message whether the table is missing or not granted.
pub(super) fn table_not_found(name: &TableName) -> Error {
    let name = TableName {
        catalog: None,
        ..name.clone()
    };
    lakegate_error::table_not_found(&name.to_string())
}

/// # Errors
///
/// It is a temporary table or view, which is not in the catalog.
pub(super) fn require_lasting(visible: &Visible) -> Result<()> {
    if !visible.is_temporary() {
        return Ok(());
    }
    let kind = match visible.table.is_view() {
        true => "view",
        false => "table",
    };
    Err(Error::not_supported(format!(
        "\"{}\" is a temporary {kind}, for which there is no such statement; drop it, and make it as it should be",
        visible.table.name
    )))
}

/// # Errors
///
/// It is a view.
pub(super) fn require_table(table: &Table) -> Result<()> {
    if !table.is_view() {
        return Ok(());
    }
    Err(Error::not_supported(format!(
        "{} is a view; this statement changes tables only",
        table.full_name()
    )))
}

/// The resource of a table or view.
pub(super) fn resource(table: &Table) -> Resource {
    Resource::table(&table.database_name, &table.name)
}

impl StatementContext {
    /// Returns the columns that the principal may select.
    ///
    /// # Errors
    ///
    /// There are none.
    pub(super) fn selectable<'a>(&self, visible: &'a Visible) -> Result<Vec<&'a Column>> {
        let columns = visible.table.columns();
        let columns = columns.filter(|column| visible.access.can_select(&column.name));
        let columns: Vec<&Column> = columns.collect();
        match columns.is_empty() {
            true => Err(self.denied_on(visible, Privilege::Select)),
            false => Ok(columns),
        }
    }
}

/// Whether no column of the table is hidden from the principal.
pub(super) fn sees_all_columns(visible: &Visible) -> bool {
    sees_columns(&visible.access, &visible.table)
}

fn sees_columns(access: &TableAccess, table: &Table) -> bool {
    table
        .columns()
        .all(|column| access.is_visible(&column.name))
}

/// The message is the same whether the hidden column is a partition key or the table has none.
///
/// # Errors
///
/// Some column of the table is hidden from the principal.
pub(super) fn require_all_columns(visible: &Visible) -> Result<()> {
    if sees_all_columns(visible) {
        return Ok(());
    }
    Err(Error::new(
        Code::PermissionDenied,
        format!(
            "permission denied for a partition of {}: SELECT on the whole table is needed",
            resource(&visible.table)
        ),
    ))
}

/// # Errors
///
/// The folders belong to another table, whose rows the principal may not read.
pub(super) fn require_partition_names(visible: &Visible) -> Result<()> {
    if visible.withheld {
        return Err(lakegate_policy::limited(&visible.table, Privilege::Select));
    }
    Ok(())
}

/// # Errors
///
/// A partition key is hidden from the principal; the partitions' names would show its values.
pub(super) fn require_partition_keys(visible: &Visible) -> Result<()> {
    let mut keys = visible.table.partition_keys.iter();
    if keys.all(|key| visible.access.is_visible(&key.name)) {
        return Ok(());
    }
    Err(Error::new(
        Code::PermissionDenied,
        format!(
            "permission denied for the partitions of {}: SELECT is needed on every partition key",
            resource(&visible.table)
        ),
    )
    .with_hint("rows without a value for a key have no folder; an administrator can grant SELECT on the keys, or write the rows"))
}

pub(super) fn check_catalog(catalog: Option<&str>) -> Result<()> {
    match catalog {
        None | Some(CATALOG) => Ok(()),
        Some(other) => Err(Error::new(
            Code::CatalogNotFound,
            format!("catalog \"{other}\" does not exist; the only catalog is {CATALOG}"),
        )),
    }
}

fn not_built_in(database: &str) -> Result<&str> {
    if RESERVED_DATABASES.contains(&database) {
        return Err(Error::not_supported(format!(
            "\"{database}\" is a built-in schema: what is in it can be queried, and not changed, described or granted"
        ))
        .with_hint(lakegate_error::built_in_hint(database)));
    }
    Ok(database)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::datatypes::{DataType, Field, Schema};

    use super::super::testing::Lake;
    use super::*;
    use crate::write::{IfExists, IfMissing, WriteRequest};

    #[tokio::test]
    async fn names_in_another_catalog_are_not_those_of_the_lake() {
        let lake = Lake::with_orders().await;
        for sql in [
            "DESCRIBE other.sales.orders",
            "DROP TABLE other.sales.orders",
            "CREATE DATABASE other.fresh",
            "DROP DATABASE other.sales CASCADE",
            "CREATE EXTERNAL TABLE other.sales.fresh (a INT) STORED AS PARQUET LOCATION 's3://lake/fresh/'",
        ] {
            let error = lake.fails("admin", sql).await;
            assert_eq!(error.code(), Code::CatalogNotFound, "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn built_in_schema_at_the_head_of_the_path_takes_what_nobody_else_has() {
        let lake = Lake::with_orders().await;
        let (orders, none) = (TableName::bare("orders"), TableName::bare("none"));
        let context = lake
            .context_on("admin", ["information_schema", "sales"])
            .await;
        assert!(context.find_table(&orders).await.unwrap().is_some());
        let error = context.find_table(&none).await.unwrap_err();
        assert!(error.message().contains("is a built-in schema"), "{error}");
        let context = lake.context("admin").await;
        assert!(context.find_table(&none).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn files_are_told_of_where_every_column_may_be_read() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT (id, email) ON TABLE orders TO ann; GRANT DESCRIBE ON TABLE orders TO ben").await;
        for (user, whole) in [("admin", true), ("ann", false), ("ben", false)] {
            let context = lake.context(user).await;
            let found = context.find_table(&TableName::bare("orders")).await;
            assert_eq!(found.unwrap().unwrap().sight().is_whole(), whole, "{user}");
        }
    }

    #[tokio::test]
    async fn rows_are_not_added_to_partitions_whose_keys_are_hidden() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT INSERT ON TABLE orders TO ann; GRANT INSERT ON TABLE orders TO ben; GRANT SELECT (id) ON TABLE orders TO ann; GRANT SELECT (id, day) ON TABLE orders TO ben").await;
        let append = WriteRequest {
            table: TableName::bare("orders"),
            if_missing: IfMissing::Fail,
            if_exists: IfExists::Append,
            partitioned_by: Vec::new(),
            location: None,
        };
        let rows = Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("day", DataType::Date32, true),
        ]);
        let ann = lake.context("ann").await;
        let error = ann.plan_write(&append, &rows).await.unwrap_err();
        assert_eq!(
            error.message(),
            "permission denied for the partitions of table sales.orders: SELECT is needed on every partition key"
        );
        let ben = lake.context("ben").await;
        ben.plan_write(&append, &rows).await.unwrap();
        // SELECT on one of two keys is not enough.
        lake.ok("CREATE EXTERNAL TABLE sales.hours (id INT) PARTITIONED BY (day DATE, hour INT) STORED AS PARQUET LOCATION 's3://lake/hours/';
                 GRANT INSERT ON TABLE hours TO ben; GRANT SELECT (id, day) ON TABLE hours TO ben").await;
        let append = WriteRequest {
            table: TableName::bare("hours"),
            ..append
        };
        let ben = lake.context("ben").await;
        let error = ben.plan_write(&append, &rows).await.unwrap_err();
        assert!(error.message().contains("every partition key"), "{error}");
    }
}
