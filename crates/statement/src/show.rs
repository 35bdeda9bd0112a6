//! SHOW DATABASES, TABLES, VIEWS, COLUMNS and TBLPROPERTIES: only what exists for the principal.

use lakegate_error::Result;
use lakegate_sql::Statement;
use lakegate_sql::ast::{
    DatabaseName, ShowColumns, ShowDatabases, ShowTables, ShowTblProperties, ShowViews,
};

use super::pattern::NamePattern;
use super::rights::{check_catalog, sees_all_columns};
use super::{Output, StatementContext, properties, rows};

pub(super) async fn databases(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowDatabases,
) -> Result<Output> {
    check_catalog(show.catalog.as_deref())?;
    let pattern = show.like.as_deref().map(NamePattern::new);
    let databases = context.view.databases().await?;
    let names = databases.iter().map(|database| database.name.clone());
    let names = names.filter(|name| NamePattern::fits(pattern.as_ref(), name));
    rows::answer_lines(statement, names.collect())
}

pub(super) async fn tables(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowTables,
) -> Result<Output> {
    let names = names(
        context,
        show.database.as_ref(),
        show.pattern.as_deref(),
        false,
    )
    .await?;
    rows::answer_lines(statement, names)
}

pub(super) async fn views(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowViews,
) -> Result<Output> {
    let names = names(
        context,
        show.database.as_ref(),
        show.pattern.as_deref(),
        true,
    )
    .await?;
    rows::answer_lines(statement, names)
}

/// Tables and views of a database, or views only.
async fn names(
    context: &StatementContext,
    database: Option<&DatabaseName>,
    pattern: Option<&str>,
    views_only: bool,
) -> Result<Vec<String>> {
    let database = context.database_name(database)?;
    let pattern = pattern.map(NamePattern::new);
    let tables = context.view.tables(database).await?;
    Ok(tables
        .iter()
        .map(|visible| &visible.table)
        .filter(|table| !views_only || table.is_view())
        .filter(|table| NamePattern::fits(pattern.as_ref(), &table.name))
        .map(|table| table.name.clone())
        .collect())
}

pub(super) async fn columns(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowColumns,
) -> Result<Output> {
    let pattern = show.like.as_deref().map(NamePattern::new);
    let visible = context.table(&show.table).await?;
    let columns = visible.access.visible_columns().into_iter();
    let columns = columns.filter(|column| NamePattern::fits(pattern.as_ref(), column));
    rows::answer_lines(statement, columns.map(str::to_owned).collect())
}

/// With a key: that property, or no row if it is not set.
pub(super) async fn table_properties(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowTblProperties,
) -> Result<Output> {
    let visible = context.table(&show.table).await?;
    let all = sees_all_columns(&visible);
    let shown: Vec<(&String, &String)> = properties::of_table(&visible.table, all)
        .filter(|(key, _)| show.key.as_ref().is_none_or(|wanted| wanted == *key))
        .collect();
    let arrays = vec![
        rows::strings(shown.iter().map(|(key, _)| Some(key)))?,
        rows::strings(shown.iter().map(|(_, value)| Some(value)))?,
    ];
    rows::answer(statement, arrays)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn listings_show_what_is_granted_and_fits_the_pattern() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE stock; CREATE EXTERNAL TABLE stock.items (a INT) STORED AS PARQUET LOCATION 's3://lake/i/';
                 CREATE EXTERNAL TABLE customers (a INT) STORED AS PARQUET LOCATION 's3://lake/c/'").await;
        assert_eq!(lake.text("admin", "SHOW DATABASES").await, "sales\nstock");
        assert_eq!(lake.text("admin", "SHOW SCHEMAS LIKE 'st*'").await, "stock");
        for databases in [
            "SHOW DATABASES 'SALES'",
            "SHOW SCHEMAS LIKE 'x|sal.*'",
            "SHOW DATABASES FROM awsdatacatalog LIKE '*ale*'",
        ] {
            assert_eq!(lake.text("admin", databases).await, "sales", "{databases}");
        }
        assert_eq!(
            lake.fails("admin", "SHOW DATABASES IN other").await.code(),
            Code::CatalogNotFound
        );
        for tables in [
            "SHOW TABLES",
            "SHOW TABLES IN sales",
            "SHOW TABLES FROM `sales`",
            "SHOW TABLES '*'",
            "SHOW TABLES LIKE '*r*'",
            "SHOW TABLES IN awsdatacatalog.sales 'customers|orders'",
        ] {
            assert_eq!(
                lake.text("admin", tables).await,
                "customers\norders",
                "{tables}"
            );
        }
        assert_eq!(lake.text("admin", "SHOW TABLES 'ord'").await, "");
        assert_eq!(
            lake.text("admin", "SHOW TABLES IN sales 'ord.*|x*'").await,
            "orders"
        );
        assert_eq!(lake.text("ann", "SHOW DATABASES").await, "");
        assert_eq!(
            lake.fails("ann", "SHOW TABLES IN sales").await.code(),
            Code::SchemaNotFound
        );
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
        assert_eq!(lake.text("ann", "SHOW DATABASES").await, "sales");
        assert_eq!(lake.text("ann", "SHOW TABLES").await, "orders");
        assert_eq!(lake.text("ann", "SHOW VIEWS IN sales").await, "");
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "id");
        assert_eq!(
            lake.fails("ann", "SHOW COLUMNS IN customers").await.code(),
            Code::TableNotFound
        );
    }

    #[tokio::test]
    async fn properties_that_may_name_columns_show_only_with_all_columns() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders SET TBLPROPERTIES ('avro.schema.literal'='{email}', 'skip.header.line.count'='0');
                 ALTER TABLE orders SET SERDEPROPERTIES ('mapping.email'='mail');
                 GRANT SELECT (id) ON TABLE orders TO ann; GRANT SELECT ON TABLE orders TO ben").await;
        assert_eq!(
            lake.text("ann", "SHOW TBLPROPERTIES orders").await,
            "EXTERNAL|TRUE\nclassification|parquet\nskip.header.line.count|0"
        );
        assert_eq!(
            lake.text("ann", "SHOW TBLPROPERTIES orders('avro.schema.literal')")
                .await,
            ""
        );
        assert!(
            lake.text("ben", "SHOW TBLPROPERTIES orders")
                .await
                .contains("avro.schema.literal")
        );
        for sql in [
            "SHOW CREATE TABLE orders",
            "DESCRIBE FORMATTED orders",
            "DESCRIBE EXTENDED orders",
            "DESCRIBE orders",
        ] {
            let shown = lake.text("ann", sql).await;
            assert!(
                shown.contains("id") && !shown.contains("email") && !shown.contains("day"),
                "{sql}:\n{shown}"
            );
            assert!(lake.text("ben", sql).await.contains("email"), "{sql}");
        }
    }
}
