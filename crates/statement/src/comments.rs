//! COMMENT ON a database, a table, a view or a column.

use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::{Table, TableInput};
use lakegate_error::{Code, Error, Result, column_not_found};
use lakegate_sql::ast::{CommentOn, Commented};

use super::alter::change_relation;
use super::{Output, StatementContext};

pub(super) async fn comment(context: &StatementContext, on: &CommentOn) -> Result<Output> {
    let comment = on.comment.as_ref();
    match &on.object {
        Commented::Database(name) => {
            let database = context.database(name).await?;
            context.require_on_database(&database.name, Privilege::Alter)?;
            let mut input = database.to_input();
            input.description = comment.cloned();
            context.view.metastore.update_database(input).await?;
            Ok(Output::Command)
        }
        Commented::Table(name) => {
            change_relation(context, name, |table, input| {
                require_kind(table, false)?;
                of_table(input, comment);
                Ok(())
            })
            .await
        }
        Commented::View(name) => {
            change_relation(context, name, |table, input| {
                require_kind(table, true)?;
                // Its parameter `comment` is the mark of a view of Presto's.
                input.description = comment.cloned();
                Ok(())
            })
            .await
        }
        Commented::Column { table, column } => {
            change_relation(context, table, |_, input| of_column(input, column, comment)).await
        }
    }
}

/// Glue and Hive keep the comment of a table in two places.
fn of_table(input: &mut TableInput, comment: Option<&String>) {
    input.description = comment.cloned();
    match comment {
        Some(text) => input.parameters.insert("comment".to_owned(), text.clone()),
        None => input.parameters.remove("comment"),
    };
}

/// A column or partition key.
///
/// # Errors
///
/// The table has no such column.
fn of_column(input: &mut TableInput, name: &str, comment: Option<&String>) -> Result<()> {
    let columns = input.storage_descriptor.columns.iter_mut();
    let column = columns
        .chain(&mut input.partition_keys)
        .find(|column| column.name == name)
        .ok_or_else(|| column_not_found(name))?;
    column.comment = comment.cloned();
    Ok(())
}

/// # Errors
///
/// It is a view where a table is named, or a table where a view is.
fn require_kind(table: &Table, is_view: bool) -> Result<()> {
    if table.is_view() == is_view {
        return Ok(());
    }
    let (wanted, hint) = match is_view {
        true => ("a view", "it is a table; use COMMENT ON TABLE"),
        false => ("a table", "it is a view; use COMMENT ON VIEW"),
    };
    Err(Error::new(
        Code::InvalidParameter,
        format!("\"{}\" is not {wanted}", table.full_name()),
    )
    .with_hint(hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::store::Metastore;
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn comments_are_set_and_removed() {
        let lake = Lake::with_orders().await;
        lake.ok("COMMENT ON SCHEMA sales IS 'what is sold';
                 COMMENT ON TABLE orders IS 'it''s ours';
                 COMMENT ON COLUMN sales.orders.id IS 'key';
                 COMMENT ON COLUMN orders.day IS 'of the order'")
            .await;
        let database = lake.store.database("sales").await.unwrap().unwrap();
        assert_eq!(database.description.as_deref(), Some("what is sold"));
        let orders = lake.table("orders").await;
        assert_eq!(orders.description.as_deref(), Some("it's ours"));
        assert_eq!(orders.parameters["comment"], "it's ours");
        let described = lake.text("admin", "DESCRIBE orders").await;
        assert!(described.starts_with("id|int|key\n"), "{described}");
        assert!(described.contains("day|date|of the order"), "{described}");
        let shown = lake.text("admin", "SHOW CREATE TABLE orders").await;
        assert!(shown.contains("COMMENT 'it\\'s ours'"), "{shown}");

        lake.ok("COMMENT ON SCHEMA sales IS NULL; COMMENT ON TABLE orders IS ''; COMMENT ON COLUMN orders.id IS NULL")
            .await;
        let database = lake.store.database("sales").await.unwrap().unwrap();
        assert_eq!(database.description, None);
        let orders = lake.table("orders").await;
        assert_eq!(orders.description, None);
        assert!(!orders.parameters.contains_key("comment"));
        assert_eq!(
            lake.text("admin", "DESCRIBE orders id").await,
            "id|int|NULL"
        );
        for (sql, code) in [
            (
                "COMMENT ON COLUMN orders.nothing IS 'x'",
                Code::ColumnNotFound,
            ),
            ("COMMENT ON TABLE nothing IS 'x'", Code::TableNotFound),
            ("COMMENT ON VIEW orders IS 'x'", Code::InvalidParameter),
            ("COMMENT ON SCHEMA nothing IS 'x'", Code::SchemaNotFound),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
    }

    #[tokio::test]
    async fn comments_need_alter_and_all_columns() {
        let lake = Lake::with_orders().await;
        let statements = [
            "COMMENT ON TABLE sales.orders IS 'x'",
            "COMMENT ON COLUMN sales.orders.id IS 'x'",
            "COMMENT ON COLUMN sales.orders.email IS 'x'",
        ];
        lake.needs_alter_and_all_columns(&statements).await;
        let error = lake.fails("ann", "COMMENT ON SCHEMA sales IS 'x'").await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert_eq!(lake.table("orders").await.version_id, 0);
    }
}
