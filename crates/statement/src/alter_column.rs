//! The changes of ALTER TABLE to one column: CHANGE COLUMN, RENAME COLUMN, ALTER COLUMN and DROP
//! COLUMN.
//!
//! Files stay as they are. Where columns are found by their places (text, ORC unless
//! `orc.column.index.access` is off, and Parquet if `parquet.column.index.access` is on), a change
//! that gives a column the place of another is refused; where they are found by name, a renamed
//! column reads NULL from older files.

use lakegate_catalog::model::{StorageDescriptor, Table};
use lakegate_error::{Code, Error, Result, column_not_found};
use lakegate_lake::format::TableFormat;
use lakegate_sql::ast::{AlterTableColumn, ColumnChange, ColumnPlace};

use super::alter::change_storage;
use super::postgres_types::hive_type;
use super::tables::check_names;
use super::{Output, StatementContext};

/// The SerDe property that names the key of a column of JSON objects.
const MAPPING: &str = "mapping.";

pub(super) async fn change(context: &StatementContext, alter: &AlterTableColumn) -> Result<Output> {
    if alter.if_exists {
        let visible = context.table_to_alter(&alter.table).await?;
        let mut columns = visible.table.columns();
        if !columns.any(|column| column.name == alter.column) {
            return Ok(Output::Command);
        }
    }
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |table, descriptor| {
            apply(table, descriptor, &alter.column, &alter.change)?;
            check_names(&descriptor.columns, &table.partition_keys)
        },
    )
    .await
}

fn apply(
    table: &Table,
    descriptor: &mut StorageDescriptor,
    name: &str,
    change: &ColumnChange,
) -> Result<()> {
    if table.partition_keys.iter().any(|key| key.name == name) {
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "column \"{name}\" is a partition key of {}; only its comment can change, with COMMENT ON COLUMN",
                table.full_name()
            ),
        ));
    }
    let mut columns = descriptor.columns.iter();
    let at = columns
        .position(|column| column.name == name)
        .ok_or_else(|| column_not_found(name))?;
    match change {
        ColumnChange::Rename(to) => rename(descriptor, at, name, to),
        ColumnChange::Type(data_type) => {
            let data_type = hive_type(name, data_type)?;
            if let Some(column) = descriptor.columns.get_mut(at) {
                column.data_type = data_type;
            }
        }
        ColumnChange::DropNotNull => {
            if let Some(column) = descriptor.columns.get_mut(at) {
                column.require(false);
            }
        }
        ColumnChange::Drop => drop(table, descriptor, at, name)?,
        ColumnChange::Definition { column, place } => {
            rename(descriptor, at, name, &column.name);
            if let Some(changed) = descriptor.columns.get_mut(at) {
                changed.data_type.clone_from(&column.data_type);
                if column.comment.is_some() {
                    changed.comment.clone_from(&column.comment);
                }
            }
            if let Some(place) = place {
                move_to(table, descriptor, at, place)?;
            }
        }
    }
    Ok(())
}

fn rename(descriptor: &mut StorageDescriptor, at: usize, name: &str, to: &str) {
    if name == to {
        return;
    }
    if let Some(column) = descriptor.columns.get_mut(at) {
        to.clone_into(&mut column.name);
    }
    let sorted = descriptor.sort_columns.iter_mut();
    let named = sorted.map(|sorted| &mut sorted.column);
    for column in named.chain(&mut descriptor.bucket_columns) {
        if column.as_str() == name {
            to.clone_into(column);
        }
    }
    let Some(serde) = &mut descriptor.serde_info else {
        return;
    };
    if let Some(key) = serde.parameters.remove(&format!("{MAPPING}{name}")) {
        serde.parameters.insert(format!("{MAPPING}{to}"), key);
    }
}

/// # Errors
///
/// The table is clustered by the column, has no other, or has files in which the columns behind it
/// would take its place.
fn drop(table: &Table, descriptor: &mut StorageDescriptor, at: usize, name: &str) -> Result<()> {
    let sorted = descriptor.sort_columns.iter();
    let mut named = sorted
        .map(|sorted| &sorted.column)
        .chain(&descriptor.bucket_columns);
    if named.any(|column| column == name) {
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "table {} is clustered by column \"{name}\", which therefore stays",
                table.full_name()
            ),
        ));
    }
    if descriptor.columns.len() == 1 {
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "\"{name}\" is the only column of {}; drop the table instead",
                table.full_name()
            ),
        ));
    }
    if at + 1 < descriptor.columns.len() {
        require_names(table, descriptor, "a column that is not the last")?;
    }
    descriptor.columns.remove(at);
    Ok(())
}

/// # Errors
///
/// There is no such column, or the columns between would take one another's places in files.
fn move_to(
    table: &Table,
    descriptor: &mut StorageDescriptor,
    at: usize,
    place: &ColumnPlace,
) -> Result<()> {
    let column = descriptor.columns.remove(at);
    let to = match place {
        ColumnPlace::First => 0,
        ColumnPlace::After(name) => {
            let mut columns = descriptor.columns.iter();
            let before = columns.position(|column| column.name == *name);
            before.ok_or_else(|| column_not_found(name))? + 1
        }
    };
    descriptor.columns.insert(to, column);
    match to == at {
        true => Ok(()),
        false => require_names(table, descriptor, "a column with FIRST or AFTER"),
    }
}

/// # Errors
///
/// Columns of the files are found by their places. `what`: that is not dropped or moved then.
fn require_names(table: &Table, descriptor: &StorageDescriptor, what: &str) -> Result<()> {
    let format = TableFormat::detect(descriptor, &table.parameters)?;
    if !format.has_columns_by_place() {
        return Ok(());
    }
    Err(Error::not_supported(format!(
        "the files of {} have their columns by place, so that {what} cannot be dropped or moved: others would take its values; use ALTER TABLE .. REPLACE COLUMNS if the files are new",
        table.full_name()
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::Output;
    use super::super::testing::Lake;

    #[tokio::test]
    async fn columns_are_renamed_retyped_moved_and_dropped() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders ADD COLUMN note STRING COMMENT 'free';
                 ALTER TABLE orders CHANGE COLUMN note remark VARCHAR(20) AFTER id;
                 ALTER TABLE orders CHANGE email email STRING FIRST;
                 ALTER TABLE orders RENAME COLUMN id TO key;
                 ALTER TABLE orders ALTER COLUMN key SET DATA TYPE BIGINT")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "email\nkey\nremark\nday"
        );
        assert_eq!(
            lake.text("admin", "DESCRIBE orders remark").await,
            "remark|varchar(20)|free"
        );
        assert_eq!(
            lake.text("admin", "DESCRIBE orders email").await,
            "email|string|of the customer"
        );
        assert_eq!(
            lake.text("admin", "DESCRIBE orders key").await,
            "key|bigint|NULL"
        );
        lake.ok(
            "ALTER TABLE orders DROP COLUMN email; ALTER TABLE orders DROP COLUMN IF EXISTS email",
        )
        .await;
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "key\nremark\nday"
        );
        let version = lake.table("orders").await.version_id;
        for (sql, code) in [
            ("ALTER TABLE orders DROP COLUMN email", Code::ColumnNotFound),
            ("ALTER TABLE orders DROP COLUMN day", Code::InvalidTable),
            (
                "ALTER TABLE orders RENAME COLUMN day TO d",
                Code::InvalidTable,
            ),
            (
                "ALTER TABLE orders RENAME COLUMN key TO remark",
                Code::DuplicateColumn,
            ),
            (
                "ALTER TABLE orders CHANGE key day INT",
                Code::DuplicateColumn,
            ),
            (
                "ALTER TABLE orders CHANGE key key INT AFTER nothing",
                Code::ColumnNotFound,
            ),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
        lake.ok("ALTER TABLE orders DROP COLUMN key").await;
        let last = lake
            .fails("admin", "ALTER TABLE orders DROP COLUMN remark")
            .await;
        assert_eq!(last.code(), Code::InvalidTable);
        assert_eq!(lake.table("orders").await.version_id, version + 1);
    }

    #[tokio::test]
    async fn columns_that_files_have_by_place_keep_their_places() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE t (a STRING, b STRING, c STRING) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://lake/t/';
                 CREATE EXTERNAL TABLE named (a STRING, b STRING) STORED AS ORC LOCATION 's3://lake/named/';
                 CREATE EXTERNAL TABLE placed (a STRING, b STRING) STORED AS PARQUET LOCATION 's3://lake/placed/' TBLPROPERTIES ('parquet.column.index.access' = 'true');
                 CREATE EXTERNAL TABLE j (a STRING, b STRING) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('mapping.a' = 'A-1') LOCATION 's3://lake/j/'")
            .await;
        for sql in [
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t CHANGE b b STRING FIRST",
            "ALTER TABLE t CHANGE a a STRING AFTER c",
            "ALTER TABLE named DROP COLUMN a",
            "ALTER TABLE placed DROP COLUMN a",
        ] {
            let error = lake.fails("admin", sql).await;
            assert_eq!(error.code(), Code::NotSupported, "{sql}: {error}");
        }
        lake.ok("ALTER TABLE t CHANGE a first INT FIRST;
                 ALTER TABLE t CHANGE b second STRING AFTER first;
                 ALTER TABLE t DROP COLUMN c;
                 ALTER TABLE named SET SERDEPROPERTIES ('orc.column.index.access' = 'false');
                 ALTER TABLE named DROP COLUMN a;
                 ALTER TABLE j CHANGE a renamed STRING AFTER b")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN t").await,
            "first\nsecond"
        );
        assert_eq!(lake.text("admin", "SHOW COLUMNS IN j").await, "b\nrenamed");
        let serde = lake.table("j").await.storage_descriptor.serde_info.clone();
        assert_eq!(serde.unwrap().parameters["mapping.renamed"], "A-1");
    }

    #[tokio::test]
    async fn grants_on_a_renamed_column_end() {
        let lake = Lake::with_orders().await;
        lake.ok(
            "GRANT SELECT (id) ON TABLE orders TO ann; GRANT SELECT (email) ON TABLE orders TO ben;
                 ALTER TABLE orders RENAME COLUMN id TO key;
                 ALTER TABLE orders RENAME COLUMN email TO id",
        )
        .await;
        // The grants still restrict both to columns of these names, which are gone.
        for user in ["ann", "ben"] {
            let shown = lake.run(user, "SHOW COLUMNS IN sales.orders").await;
            match shown {
                Ok(Output::Rows { batch }) => assert_eq!(batch.num_rows(), 0, "{user}"),
                other => assert_eq!(other.unwrap_err().code(), Code::TableNotFound, "{user}"),
            }
        }
    }

    #[tokio::test]
    async fn changing_a_column_needs_alter_and_all_columns() {
        let lake = Lake::with_orders().await;
        let statements = [
            "ALTER TABLE sales.orders DROP COLUMN IF EXISTS email",
            "ALTER TABLE sales.orders RENAME COLUMN id TO x",
            "ALTER TABLE sales.orders ALTER COLUMN id TYPE BIGINT",
            "ALTER TABLE sales.orders CHANGE id id BIGINT",
            "ALTER TABLE sales.orders ADD COLUMN x INT",
        ];
        lake.needs_alter_and_all_columns(&statements).await;
    }
}
