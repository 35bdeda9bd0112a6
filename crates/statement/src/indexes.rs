//! CREATE INDEX and DROP INDEX. Tables of files have no indexes: the first makes nothing, once it is
//! known that PostgreSQL would make an index, and the second finds none.

use std::collections::HashSet;

use lakegate_error::{Code, Error, Result, column_not_found};
use lakegate_sql::ast::{CreateIndex, DropIndex};

use super::{Output, StatementContext};

/// # Errors
///
/// The table does not exist, or is a view; ALTER is not granted, or a column is hidden; a column that
/// the table does not have.
pub(super) async fn create(context: &StatementContext, create: &CreateIndex) -> Result<Output> {
    let found = context.table(&create.table).await?;
    let visible = match found.is_temporary() && !found.table.is_view() {
        true => found,
        false => context.table_to_alter(&create.table).await?,
    };
    let known: HashSet<&str> = visible.table.column_names().into_iter().collect();
    let mut columns = create.columns.iter();
    match columns.find(|name| !known.contains(name.as_str())) {
        Some(missing) => Err(column_not_found(missing)),
        None => Ok(Output::Command),
    }
}

/// # Errors
///
/// Without IF EXISTS: there is no index.
pub(super) fn drop(drop: &DropIndex) -> Result<Output> {
    match drop.names.first() {
        Some(name) if !drop.if_exists => Err(Error::new(
            Code::UndefinedObject,
            format!("index \"{name}\" does not exist"),
        )
        .with_hint(
            "tables have no indexes, and CREATE INDEX makes none; use IF EXISTS to pass over it",
        )),
        _ => Ok(Output::Command),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn index_is_not_made_and_needs_what_making_one_would() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE INDEX by_id ON orders (id);
                 CREATE INDEX CONCURRENTLY IF NOT EXISTS by_id ON ONLY sales.orders USING btree (id DESC NULLS LAST, day, lower(email));
                 DROP INDEX IF EXISTS by_id, sales.other CASCADE")
            .await;
        assert_eq!(lake.table("orders").await.version_id, 0);
        for (sql, code) in [
            (
                "CREATE INDEX i ON orders (id, absent)",
                Code::ColumnNotFound,
            ),
            ("CREATE INDEX i ON absent (id)", Code::TableNotFound),
            ("DROP INDEX by_id", Code::UndefinedObject),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
        lake.needs_alter_and_all_columns(&[
            "CREATE INDEX i ON sales.orders (id)",
            "CREATE INDEX i ON sales.orders (email)",
            "CREATE INDEX i ON sales.orders (absent)",
        ])
        .await;
    }
}
