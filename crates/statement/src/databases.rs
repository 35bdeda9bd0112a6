//! CREATE, ALTER and DROP DATABASE.

use lakegate_catalog::access::{Privilege, Resource};
use lakegate_catalog::model::DatabaseInput;
use lakegate_error::Result;
use lakegate_policy::database_not_found;
use lakegate_sql::ast::{AlterDatabaseSetProperties, CreateDatabase, DropDatabase};

use super::locations::For;
use super::{Output, StatementContext};

pub(super) async fn create(context: &StatementContext, create: &CreateDatabase) -> Result<Output> {
    let name = context.new_database_name(&create.name)?;
    if !context.access().can_create_database() {
        return Err(context.denied(Privilege::CreateDatabase, &Resource::Catalog));
    }
    let folder = match &create.location {
        Some(location) => Some(context.register(location, For::Database).await?.folder()?),
        None => None,
    };
    let metastore = &context.view.metastore;
    let hidden =
        context.view.database(name).await?.is_none() && metastore.database(name).await?.is_some();
    if hidden && !create.if_not_exists {
        return Err(context.name_taken("database", name));
    }
    let input = DatabaseInput {
        name: name.to_owned(),
        description: create.comment.clone(),
        location_uri: create.location.clone(),
        parameters: create.properties.iter().cloned().collect(),
    };
    if create.if_not_exists && context.view.database(name).await?.is_some() {
        context.notices.skips_existing("schema", name);
    }
    let by = context.access().by();
    context
        .coordinator
        .create_database_by(input, create.if_not_exists, by, folder)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn set_properties(
    context: &StatementContext,
    alter: &AlterDatabaseSetProperties,
) -> Result<Output> {
    let database = context.database(&alter.name).await?;
    context.require_on_database(&database.name, Privilege::Alter)?;
    let mut input = database.to_input();
    input.parameters.extend(alter.properties.iter().cloned());
    context.view.metastore.update_database(input).await?;
    Ok(Output::Command)
}

pub(super) async fn drop(context: &StatementContext, drop: &DropDatabase) -> Result<Output> {
    let name = context.database_name(Some(&drop.name))?;
    let Some(database) = context.view.database(name).await? else {
        if !drop.if_exists {
            return Err(database_not_found(name));
        }
        context.notices.skips_missing("schema", name);
        return Ok(Output::Command);
    };
    // Dropping a database needs DROP on the database, which covers all of its tables.
    context.require_on_database(&database.name, Privilege::Drop)?;
    let metastore = &context.view.metastore;
    if drop.cascade && !context.access().is_administrator() {
        for table in metastore.tables(&database.name).await? {
            context.leave(&table, None).await?;
        }
    }
    context
        .coordinator
        .drop_database_and_grants(&database.name, drop.if_exists, drop.cascade)
        .await?;
    Ok(Output::Command)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::store::Metastore;
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn database_is_made_changed_and_dropped() {
        let lake = Lake::new().await;
        lake.ok("CREATE DATABASE Raw COMMENT 'as it came' LOCATION 's3://lake/raw/' WITH DBPROPERTIES ('owner'='ann');
                 CREATE DATABASE IF NOT EXISTS raw COMMENT 'another';
                 ALTER DATABASE raw SET DBPROPERTIES ('tier'='1')")
            .await;
        let raw = lake.store.database("raw").await.unwrap().unwrap();
        assert_eq!(raw.description.as_deref(), Some("as it came"));
        assert_eq!(raw.location_uri.as_deref(), Some("s3://lake/raw/"));
        let keys: Vec<&str> = raw.parameters.keys().map(String::as_str).collect();
        assert_eq!(keys, ["owner", "tier"]);
        assert_eq!(
            lake.fails("admin", "CREATE DATABASE raw").await.code(),
            Code::DuplicateDatabase
        );
        lake.ok("DROP DATABASE raw; DROP DATABASE IF EXISTS raw")
            .await;
        assert_eq!(
            lake.fails("admin", "DROP DATABASE raw").await.code(),
            Code::SchemaNotFound
        );
    }

    #[tokio::test]
    async fn built_in_schemas_are_neither_made_nor_changed() {
        let lake = Lake::with_orders().await;
        for schema in ["pg_catalog", "INFORMATION_SCHEMA", "system"] {
            for sql in [
                format!("CREATE DATABASE {schema}"),
                format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
            ] {
                let error = lake.fails("admin", &sql).await;
                assert_eq!(error.code(), Code::InvalidName, "{sql}");
                assert!(
                    error.message().contains(&schema.to_lowercase()),
                    "{sql}: {error}"
                );
            }
            for sql in [
                format!("DROP DATABASE {schema} CASCADE"),
                format!("DROP DATABASE IF EXISTS {schema}"),
                format!("ALTER DATABASE {schema} SET DBPROPERTIES ('a' = 'b')"),
                format!("DROP TABLE {schema}.queries"),
                format!("DROP TABLE IF EXISTS {schema}.queries"),
                format!("ALTER TABLE {schema}.queries ADD COLUMNS (a INT)"),
                format!("ALTER TABLE IF EXISTS {schema}.queries RENAME TO q"),
                format!("ALTER TABLE orders RENAME TO {schema}.orders"),
                format!(
                    "CREATE EXTERNAL TABLE {schema}.t (a INT) STORED AS PARQUET LOCATION 's3://lake/t/'"
                ),
                format!("MSCK REPAIR TABLE {schema}.queries"),
                format!("GRANT SELECT ON TABLE {schema}.queries TO ann"),
                format!("GRANT SELECT ON DATABASE {schema} TO ann"),
                format!("DESCRIBE {schema}.queries"),
                format!("SHOW TABLES IN {schema}"),
            ] {
                let error = lake.fails("admin", &sql).await;
                assert_eq!(error.code(), Code::NotSupported, "{sql}: {error}");
                assert!(
                    error.message().contains("built-in schema"),
                    "{sql}: {error}"
                );
            }
        }
        // Names that a query resolves without a schema.
        for sql in ["DROP TABLE pg_class", "DROP TABLE IF EXISTS pg_class"] {
            let error = lake.fails("admin", sql).await;
            assert!(error.message().contains("\"pg_catalog\""), "{sql}: {error}");
        }
        lake.ok("DROP TABLE IF EXISTS pg_nothing").await;
    }

    #[tokio::test]
    async fn database_with_tables_is_dropped_only_with_cascade() {
        let lake = Lake::with_orders().await;
        let error = lake.fails("admin", "DROP DATABASE sales").await;
        assert_eq!(error.code(), Code::ObjectInUse);
        lake.ok("DROP DATABASE sales CASCADE").await;
        assert_eq!(lake.text("admin", "SHOW DATABASES").await, "");
    }

    #[tokio::test]
    async fn each_right_on_databases_is_asked_for_by_name() {
        let lake = Lake::with_orders().await;
        let error = lake.fails("ann", "CREATE DATABASE mine").await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(error.message().contains("CREATE_DATABASE"), "{error}");
        // The statement in the hint works.
        let hint = error
            .hint()
            .unwrap()
            .split_once("run: ")
            .unwrap()
            .1
            .to_owned();
        lake.ok(&hint).await;
        lake.ok_as("ann", "CREATE DATABASE mine").await;

        // A database that is not visible is treated as missing.
        let hidden = lake.fails("ben", "DROP DATABASE sales").await;
        assert_eq!(hidden.code(), Code::SchemaNotFound);
        let missing = lake.fails("ben", "DROP DATABASE salad").await;
        assert_eq!(
            hidden.message().replace("sales", "salad"),
            missing.message()
        );
        lake.ok_as("ben", "DROP DATABASE IF EXISTS sales").await;

        lake.ok("GRANT DESCRIBE ON DATABASE sales TO ben").await;
        for (sql, privilege) in [
            ("DROP DATABASE sales CASCADE", "DROP"),
            ("ALTER DATABASE sales SET DBPROPERTIES ('a'='b')", "ALTER"),
        ] {
            let error = lake.fails("ben", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied);
            assert!(error.message().contains(privilege), "{error}");
        }
        assert_eq!(lake.text("admin", "SHOW TABLES IN sales").await, "orders");
    }

    #[tokio::test]
    async fn creator_owns_the_database_and_nobody_else_sees_it() {
        let lake = Lake::new().await;
        lake.ok("GRANT CREATE_DATABASE ON CATALOG TO ann").await;
        lake.ok_as(
            "ann",
            "CREATE DATABASE mine; CREATE DATABASE IF NOT EXISTS sales",
        )
        .await;
        // IF NOT EXISTS grants nothing on a database that already existed.
        assert_eq!(lake.text("ann", "SHOW DATABASES").await, "mine");
        assert_eq!(lake.text("ben", "SHOW DATABASES").await, "");
        lake.ok_as("ann", "GRANT DESCRIBE ON DATABASE mine TO ben")
            .await;
        assert_eq!(lake.text("ben", "SHOW DATABASES").await, "mine");
        lake.ok_as("ann", "DROP DATABASE mine").await;
    }

    #[tokio::test]
    async fn names_of_other_catalogs_and_built_in_schemas_are_refused() {
        let lake = Lake::with_orders().await;
        assert_eq!(
            lake.text("admin", "SHOW TABLES IN awsdatacatalog.sales")
                .await,
            "orders"
        );
        assert_eq!(
            lake.fails("admin", "SHOW TABLES IN hive.sales")
                .await
                .code(),
            Code::CatalogNotFound
        );
        for sql in [
            "CREATE DATABASE system",
            "DROP DATABASE pg_catalog",
            "DESCRIBE system.queries",
            "DROP TABLE information_schema.tables",
        ] {
            let error = lake.fails("admin", sql).await;
            assert!(error.message().contains("built-in"), "{sql}: {error}");
        }
    }
}
