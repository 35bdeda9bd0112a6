//! `LOCK TABLE … IN ACCESS SHARE MODE`. Readers need no lock, because what a statement reads does
//! not change while it runs; but the tables must be there.

use lakegate_catalog::model::names::{RESERVED_DATABASES, is_temporary};
use lakegate_dialect::postgres::pg_catalog;
use lakegate_error::Result;
use lakegate_sql::ast::TableName;

use super::StatementContext;

impl StatementContext {
    /// Checks that the principal sees these tables and views. Relations of built-in schemas are not
    /// looked up.
    ///
    /// # Errors
    ///
    /// One does not exist, or does not exist for this principal.
    pub async fn check_visible(&self, tables: &[TableName]) -> Result<()> {
        for name in tables {
            let is_built_in = match name.database.as_deref() {
                Some(database) => RESERVED_DATABASES.contains(&database) && !is_temporary(database),
                None => pg_catalog::has_relation(&name.table),
            };
            if !is_built_in {
                self.table(name).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::Code;

    use super::*;
    use crate::testing::Lake;

    fn named(database: Option<&str>, table: &str) -> TableName {
        TableName {
            database: database.map(str::to_owned),
            ..TableName::bare(table)
        }
    }

    #[tokio::test]
    async fn locked_tables_are_those_that_the_principal_sees() {
        let lake = Lake::with_orders().await;
        let admin = lake.context("admin").await;
        let own = [
            named(Some("sales"), "orders"),
            named(Some("pg_catalog"), "pg_class"),
            named(None, "pg_class"),
        ];
        admin.check_visible(&own).await.unwrap();
        let missing = [named(Some("sales"), "orders"), named(Some("sales"), "none")];
        let error = admin.check_visible(&missing).await.unwrap_err();
        assert_eq!(error.code(), Code::TableNotFound);
        let ann = lake.context("ann").await;
        let error = ann.check_visible(&own).await.unwrap_err();
        assert!(error.message().contains("does not exist"), "{error}");
    }
}
