//! CREATE VIEW, DROP VIEW and SHOW CREATE VIEW.
//!
//! A view is stored as Athena stores it in Glue ([`ViewDefinition`]), with the id of its definer
//! beside it. What a view reads is decided when a query names it, not here.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Schema};
use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::names::{TEMPORARY_SCHEMA, normalize_table};
use lakegate_catalog::model::{
    Column, StorageDescriptor, TableInput, ViewColumn, ViewDefinition, ViewSyntax,
};
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Error, Result};
use lakegate_policy::Visible;
use lakegate_sql::Statement;
use lakegate_sql::ast::{CreateView, DropView, ShowCreateView};

use super::rights::resource;
use super::tables::{drop_all, to_drop};
use super::{Output, StatementContext, rows};

/// Creates a view, or replaces one.
///
/// `columns`: the columns of its query, as the query names them. `syntax`: the language of the
/// query.
///
/// # Errors
/// A column without a type or with the name of another; a missing privilege; a name that is taken.
pub async fn create_view(
    context: &StatementContext,
    create: &CreateView,
    columns: &Schema,
    syntax: ViewSyntax,
) -> Result<Output> {
    let (database, name) = context.new_table_name(&create.name)?;
    let database = context.view.require_database(database).await?;
    let input = input(context, &database.name, create, columns, syntax)?;
    let existing = context.view.table(&database.name, name).await?;
    let by = context.access().by();
    let Some(existing) = existing else {
        context.require_on_database(&database.name, Privilege::CreateTable)?;
        context.check_free(&database.name, name).await?;
        context
            .coordinator
            .create_table_by(&database.name, input, create.if_not_exists, by)
            .await?;
        return Ok(Output::Command);
    };
    let table = &existing.table;
    if create.if_not_exists {
        context.notices.skips_existing("relation", name);
        return Ok(Output::Command);
    }
    if !create.or_replace {
        return Err(Error::new(
            Code::DuplicateTable,
            format!("relation \"{}\" already exists", table.full_name()),
        )
        .with_hint("CREATE OR REPLACE VIEW replaces a view; another name makes a new one"));
    }
    require_view(&existing)?;
    context.require_alter(&existing)?;
    let version = Some(table.version_id);
    context
        .coordinator
        .update_table_by(&database.name, input, version, by)
        .await?;
    Ok(Output::Command)
}

/// Returns the definition of a temporary view, which is not in the catalog.
///
/// `columns`, `syntax`: as for [`create_view`].
///
/// # Errors
/// The name or a column cannot be that of a view; a column without a type or with the name of
/// another.
pub fn temporary_view(
    context: &StatementContext,
    create: &CreateView,
    columns: &Schema,
    syntax: ViewSyntax,
) -> Result<TableInput> {
    let mut input = input(context, TEMPORARY_SCHEMA, create, columns, syntax)?;
    normalize_table(&mut input)?;
    Ok(input)
}

fn input(
    context: &StatementContext,
    database: &str,
    create: &CreateView,
    columns: &Schema,
    syntax: ViewSyntax,
) -> Result<TableInput> {
    let names = names(create, columns)?;
    let mut view_columns = Vec::with_capacity(names.len());
    let mut hive_columns = Vec::with_capacity(names.len());
    for (name, field) in names.iter().zip(columns.fields()) {
        let (hive, trino) = types(name, field.data_type())?;
        hive_columns.push(Column::new(name, hive.to_string()));
        view_columns.push(ViewColumn {
            name: name.clone(),
            data_type: trino,
        });
    }
    let definition = ViewDefinition {
        sql: text(create),
        catalog: Some(CATALOG.to_owned()),
        // Athena keeps one for every view. Without a search path, no name is looked up in it.
        schema: Some(context.path.current().unwrap_or(database).to_owned()),
        columns: view_columns,
        syntax,
    };
    let access = context.access();
    let mut input = TableInput {
        name: create.name.table.clone(),
        description: create.comment.clone(),
        owner: Some(access.user().to_owned()),
        storage_descriptor: StorageDescriptor {
            columns: hive_columns,
            ..StorageDescriptor::default()
        },
        definer: (!create.runs_as_invoker).then(|| access.user_id()),
        ..TableInput::default()
    };
    definition.write(&mut input)?;
    Ok(input)
}

/// The query as Athena would be given it: the names of the columns become part of it.
fn text(create: &CreateView) -> String {
    if create.columns.is_empty() {
        return create.text.clone();
    }
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<String> = create.columns.iter().map(quoted).collect();
    // The query may end in a comment.
    format!(
        "SELECT * FROM (\n{}\n) AS \"{}\" ({})",
        create.text,
        create.name.table.replace('"', "\"\""),
        columns.join(", ")
    )
}

/// The names of the view's columns, in lower case.
///
/// # Errors
/// More names than columns; a name that is given twice.
fn names(create: &CreateView, columns: &Schema) -> Result<Vec<String>> {
    let count = columns.fields().len();
    let names: Vec<String> = match create.columns.len() {
        0 => columns
            .fields()
            .iter()
            .map(|field| field.name().to_lowercase())
            .collect(),
        given if given == count => create.columns.clone(),
        given => {
            return Err(Error::new(
                Code::InvalidView,
                format!("CREATE VIEW names {given} columns, and its query has {count}"),
            ));
        }
    };
    let mut seen = HashSet::new();
    for name in &names {
        if !seen.insert(name) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("column \"{name}\" is named twice"),
            )
            .with_hint("give one of them another name with AS"));
        }
    }
    Ok(names)
}

/// # Errors
/// A column without a type, or with one that no view can have.
fn types(name: &str, data_type: &DataType) -> Result<(HiveType, String)> {
    let error = match ViewColumn::types_of(data_type) {
        Ok(types) => return Ok(types),
        Err(error) => error,
    };
    if *data_type == DataType::Null {
        let message = format!("column \"{name}\" of the view has no type");
        return Err(Error::new(Code::InvalidView, message)
            .with_hint("write CAST(NULL AS varchar), or another type"));
    }
    let message = format!("column \"{name}\" of the view: {error}");
    Err(Error::new(Code::InvalidView, message))
}

/// # Errors
/// The relation is a table.
pub(super) fn require_view(visible: &Visible) -> Result<()> {
    if visible.table.is_view() {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidParameter,
        format!("\"{}\" is not a view", visible.table.full_name()),
    )
    .with_hint("it is a table; use the statements for tables, or choose another name"))
}

pub(super) async fn drop(context: &StatementContext, drop: &DropView) -> Result<Output> {
    let dropped = to_drop(context, "view", &drop.names, drop.if_exists).await?;
    for visible in &dropped {
        require_view(visible)?;
        if !visible.access.drop {
            return Err(context.denied(Privilege::Drop, &resource(&visible.table)));
        }
    }
    drop_all(context, &dropped, drop.if_exists).await
}

/// The statement that creates the view, one line a row.
///
/// Its query names tables and columns that the principal may not be able to see, so it is shown to
/// principals that may change it.
pub(super) async fn show_create(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowCreateView,
) -> Result<Output> {
    let visible = context.table(&show.view).await?;
    require_view(&visible)?;
    if !visible.shows_definition() {
        return Err(context.denied(Privilege::Alter, &resource(&visible.table)));
    }
    let view = &visible.table;
    let definition = ViewDefinition::of(view)?;
    let security = match view.definer {
        Some(_) => "",
        None => " SECURITY INVOKER",
    };
    let text = format!(
        "CREATE VIEW {}.{}{security} AS\n{}",
        view.database_name, view.name, definition.sql
    );
    rows::answer_lines(statement, text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::datatypes::{Field, TimeUnit};
    use lakegate_catalog::store::Control;

    use super::super::testing::Lake;
    use super::*;

    fn columns() -> Schema {
        Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("Name", DataType::Utf8View, true),
            Field::new(
                "at",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                true,
            ),
        ])
    }

    async fn create(lake: &Lake, user: &str, sql: &str, columns: &Schema) -> Result<Output> {
        let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
        let Statement::CreateView(create) = parsed.statement else {
            panic!("{sql}");
        };
        let context = lake.context(user).await;
        create_view(&context, &create, columns, ViewSyntax::Trino).await
    }

    #[tokio::test]
    async fn view_is_stored_as_athena_stores_it() {
        let lake = Lake::with_orders().await;
        let sql = "CREATE VIEW v COMMENT 'all' AS SELECT id, name AS \"Name\", at FROM orders";
        create(&lake, "admin", sql, &columns()).await.unwrap();
        let view = lake.table("v").await;
        assert!(view.is_view());
        let hive = view
            .columns()
            .map(|c| format!("{} {}", c.name, c.data_type));
        let hive: Vec<String> = hive.collect();
        assert_eq!(hive, ["id int", "name string", "at timestamp"]);
        assert_eq!(view.parameters["presto_view"], "true");
        assert_eq!(
            view.view_expanded_text.as_deref(),
            Some("/* Presto View */")
        );
        assert_eq!(view.description.as_deref(), Some("all"));
        let definition = ViewDefinition::of(&view).unwrap();
        assert_eq!(
            definition.sql,
            "SELECT id, name AS \"Name\", at FROM orders"
        );
        assert_eq!(definition.schema.as_deref(), Some("sales"));
        assert_eq!(
            definition
                .columns
                .iter()
                .map(|c| &*c.data_type)
                .collect::<Vec<_>>(),
            ["integer", "varchar", "timestamp(6) with time zone"]
        );
        let access = lake.store.snapshot().access("admin").unwrap();
        assert_eq!(view.definer, Some(access.user_id()));
        assert_eq!(
            lake.text("admin", "SHOW CREATE VIEW v").await,
            "CREATE VIEW sales.v AS\nSELECT id, name AS \"Name\", at FROM orders"
        );
        assert_eq!(lake.text("admin", "SHOW VIEWS").await, "v");
        assert!(lake.text("admin", "SHOW TABLES").await.contains('v'));
        let invoker = "CREATE OR REPLACE VIEW v SECURITY INVOKER AS SELECT 1";
        let one = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
        create(&lake, "admin", invoker, &one).await.unwrap();
        let view = lake.table("v").await;
        assert_eq!((view.definer, view.version_id), (None, 1));
        lake.ok("DROP VIEW v; DROP VIEW IF EXISTS v").await;
        assert_eq!(lake.text("admin", "SHOW VIEWS").await, "");
    }

    #[tokio::test]
    async fn names_of_a_views_columns_are_distinct_and_typed() {
        let lake = Lake::new().await;
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let twice = Schema::new(vec![field("a", DataType::Int8), field("A", DataType::Int8)]);
        let error = create(&lake, "admin", "CREATE VIEW v AS SELECT 1", &twice).await;
        assert_eq!(error.unwrap_err().code(), Code::DuplicateColumn);
        create(&lake, "admin", "CREATE VIEW v (x, y) AS SELECT 1", &twice)
            .await
            .unwrap();
        let definition = ViewDefinition::of(&*lake.table("v").await).unwrap();
        assert_eq!(
            definition.sql,
            "SELECT * FROM (\nSELECT 1\n) AS \"v\" (\"x\", \"y\")"
        );
        let error = create(&lake, "admin", "CREATE VIEW w (x) AS SELECT 1", &twice).await;
        assert_eq!(error.unwrap_err().code(), Code::InvalidView);
        let none = Schema::new(vec![field("a", DataType::Null)]);
        let error = create(&lake, "admin", "CREATE VIEW w AS SELECT 1", &none).await;
        assert!(error.unwrap_err().hint().unwrap().contains("CAST"));
    }

    #[tokio::test]
    async fn views_need_the_rights_of_tables() {
        let lake = Lake::with_orders().await;
        let one = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
        let sql = "CREATE VIEW v AS SELECT 1 AS x";
        // Something must be visible of the database.
        lake.ok("GRANT SELECT ON TABLE orders TO ann").await;
        let denied = create(&lake, "ann", sql, &one).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        create(&lake, "admin", sql, &one).await.unwrap();
        let taken = create(&lake, "admin", sql, &one).await.unwrap_err();
        assert_eq!(taken.code(), Code::DuplicateTable);
        lake.ok("GRANT CREATE_TABLE ON DATABASE sales TO ann").await;
        // The name is taken by a view that ann does not see.
        let hidden = create(&lake, "ann", sql, &one).await.unwrap_err();
        assert_eq!(hidden.code(), Code::PermissionDenied);
        lake.ok("GRANT SELECT ON TABLE v TO ann").await;
        let replace = "CREATE OR REPLACE VIEW v AS SELECT 1 AS x";
        for sql in [replace, "CREATE OR REPLACE VIEW orders AS SELECT 1"] {
            let denied = create(&lake, "ann", sql, &one).await.unwrap_err();
            assert!(!denied.message().is_empty(), "{sql}");
        }
        for sql in ["DROP VIEW v", "SHOW CREATE VIEW v"] {
            let denied = lake.fails("ann", sql).await;
            assert_eq!(denied.code(), Code::PermissionDenied, "{sql}");
        }
        assert_eq!(lake.table("v").await.version_id, 0);
        // A view of ann's belongs to ann.
        create(&lake, "ann", "CREATE VIEW own AS SELECT 1", &one)
            .await
            .unwrap();
        lake.ok_as("ann", "SHOW CREATE VIEW own; DROP VIEW own")
            .await;
    }

    #[tokio::test]
    async fn a_view_is_moved_by_those_that_could_grant_it_and_keeps_its_definer() {
        let lake = Lake::with_orders().await;
        let one = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
        create(&lake, "admin", "CREATE VIEW v AS SELECT 1", &one)
            .await
            .unwrap();
        lake.ok("CREATE DATABASE shelf; GRANT ALL ON DATABASE shelf TO ann; GRANT ALL ON TABLE v TO ann").await;
        let old = lake.table("v").await;
        for moving in [
            "ALTER VIEW v RENAME TO shelf.w",
            "ALTER TABLE v RENAME TO shelf.w",
        ] {
            let error = lake.fails("ann", moving).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{error}");
            assert!(error.message().contains("with grant option"), "{error}");
        }
        lake.ok("GRANT ALL ON TABLE v TO ann WITH GRANT OPTION")
            .await;
        lake.ok_as("ann", "ALTER VIEW v RENAME TO shelf.w").await;
        let metastore = lake.context("admin").await.view.metastore;
        let found = metastore.table("shelf", "w").await.unwrap().unwrap();
        assert_eq!((found.id, found.definer), (old.id, old.definer));
        assert_eq!(
            lake.text("ann", "SHOW CREATE VIEW shelf.w").await,
            "CREATE VIEW shelf.w AS\nSELECT 1"
        );
    }

    #[tokio::test]
    async fn tables_and_views_are_told_apart() {
        let lake = Lake::with_orders().await;
        let one = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
        create(&lake, "admin", "CREATE VIEW v AS SELECT 1", &one)
            .await
            .unwrap();
        for sql in [
            "DROP VIEW orders",
            "SHOW CREATE VIEW orders",
            "DROP TABLE v",
            "SHOW CREATE TABLE v",
            "ALTER TABLE v SET TBLPROPERTIES ('a' = 'b')",
            "ALTER VIEW orders RENAME TO w",
            "MSCK REPAIR TABLE v",
        ] {
            let error = lake.fails("admin", sql).await;
            let (message, name) = (
                error.message(),
                if sql.contains("orders") {
                    "orders"
                } else {
                    "v"
                },
            );
            assert!(
                (message.contains("view") || message.contains("not a table"))
                    && message.contains(name),
                "{sql}: {error}"
            );
        }
        let error = create(
            &lake,
            "admin",
            "CREATE OR REPLACE VIEW orders AS SELECT 1",
            &one,
        )
        .await;
        assert!(error.unwrap_err().message().contains("is not a view"));
        assert_eq!(lake.text("admin", "DESCRIBE v").await, "x|bigint|NULL");
    }
}
