//! SHOW CREATE TABLE: the statement that recreates the table, as far as the principal may see it.

use lakegate_catalog::model::{Column, StorageDescriptor, Table};
use lakegate_error::{Error, Result};
use lakegate_policy::Visible;
use lakegate_sql::Statement;
use lakegate_sql::ast::ShowCreateTable;

use super::rights::{require_lasting, sees_all_columns};
use super::{Output, StatementContext, properties, rows, storage};

pub(super) async fn show(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowCreateTable,
) -> Result<Output> {
    let visible = context.table(&show.table).await?;
    require_lasting(&visible)?;
    if visible.table.is_view() {
        return Err(Error::not_supported(format!(
            "{} is a view, which SHOW CREATE TABLE does not show; use SHOW CREATE VIEW {}",
            visible.table.full_name(),
            visible.table.full_name()
        )));
    }
    rows::answer_lines(statement, lines(&visible))
}

/// The statement in Hive's layout, one entry per line. Columns hidden from the principal are left
/// out, and so is everything that could name them.
fn lines(visible: &Visible) -> Vec<String> {
    let table: &Table = &visible.table;
    let descriptor = &table.storage_descriptor;
    let all = sees_all_columns(visible);
    let seen = |column: &&Column| visible.access.is_visible(&column.name);
    let mut lines = Vec::new();

    let columns: Vec<&Column> = descriptor.columns.iter().filter(seen).collect();
    let name = format!(
        "{}.{}",
        quoted_name(&table.database_name),
        quoted_name(&table.name)
    );
    list(
        &mut lines,
        &format!("CREATE EXTERNAL TABLE {name}"),
        columns.iter().map(|column| definition(column)),
    );
    let comment = table
        .parameters
        .get("comment")
        .or(table.description.as_ref());
    if let Some(comment) = comment {
        lines.push(format!("COMMENT {}", quoted_text(comment)));
    }
    let keys: Vec<&Column> = table.partition_keys.iter().filter(seen).collect();
    list(
        &mut lines,
        "PARTITIONED BY",
        keys.iter().map(|key| definition(key)),
    );
    let mut named = descriptor
        .bucket_columns
        .iter()
        .chain(descriptor.sort_columns.iter().map(|sorted| &sorted.column));
    if named.all(|column| visible.access.is_visible(column)) {
        lines.extend(buckets(descriptor));
    }
    if let Some(class) = storage::serde_class(descriptor) {
        lines.push("ROW FORMAT SERDE".to_owned());
        lines.push(format!("  {}", quoted_text(class)));
        list(
            &mut lines,
            "WITH SERDEPROPERTIES",
            properties::of_serde(descriptor, all).map(pair),
        );
    }
    if let (Some(input), Some(output)) = (&descriptor.input_format, &descriptor.output_format) {
        lines.push("STORED AS INPUTFORMAT".to_owned());
        lines.push(format!("  {}", quoted_text(input)));
        lines.push("OUTPUTFORMAT".to_owned());
        lines.push(format!("  {}", quoted_text(output)));
    }
    if let Some(location) = &descriptor.location {
        lines.push("LOCATION".to_owned());
        lines.push(format!("  {}", quoted_text(location)));
    }
    // EXTERNAL and COMMENT already state these two.
    let parameters = properties::of_table(table, all)
        .filter(|(key, _)| !matches!(key.as_str(), "EXTERNAL" | "comment"));
    list(&mut lines, "TBLPROPERTIES", parameters.map(pair));
    lines
}

/// `HEAD (`, one item per line, `)` after the last. Adds nothing if there are no items.
fn list(lines: &mut Vec<String>, head: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    let Some(last) = items.len().checked_sub(1) else {
        // A table that has partition keys only has an empty column list.
        if head.starts_with("CREATE") {
            lines.push(format!("{head} ("));
            lines.push(")".to_owned());
        }
        return;
    };
    lines.push(format!("{head} ("));
    for (position, item) in items.into_iter().enumerate() {
        let end = if position == last { ")" } else { "," };
        lines.push(format!("  {item}{end}"));
    }
}

fn definition(column: &Column) -> String {
    let name = quoted_name(&column.name);
    let required = match column.is_required() {
        true => " NOT NULL",
        false => "",
    };
    match &column.comment {
        None => format!("{name} {}{required}", column.data_type),
        Some(comment) => format!(
            "{name} {}{required} COMMENT {}",
            column.data_type,
            quoted_text(comment)
        ),
    }
}

/// CLUSTERED BY and SORTED BY, or one of them.
fn buckets(descriptor: &StorageDescriptor) -> Vec<String> {
    let is_bucketed = !descriptor.bucket_columns.is_empty() && descriptor.number_of_buckets > 0;
    let mut lines = Vec::new();
    if is_bucketed {
        let columns = descriptor.bucket_columns.iter();
        let columns: Vec<String> = columns.map(|name| quoted_name(name)).collect();
        lines.push(format!("CLUSTERED BY ({})", columns.join(", ")));
    }
    if !descriptor.sort_columns.is_empty() {
        let sorted: Vec<String> = descriptor
            .sort_columns
            .iter()
            .map(|sorted| {
                let order = if sorted.sort_order == 0 {
                    "DESC"
                } else {
                    "ASC"
                };
                format!("{} {order}", quoted_name(&sorted.column))
            })
            .collect();
        lines.push(format!("SORTED BY ({})", sorted.join(", ")));
    }
    if is_bucketed {
        lines.push(format!("INTO {} BUCKETS", descriptor.number_of_buckets));
    }
    lines
}

fn pair((key, value): (&String, &String)) -> String {
    format!("{}={}", quoted_text(key), quoted_text(value))
}

fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a string for the DDL dialect, which has backslash escapes.
fn quoted_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Control characters, such as Hive's delimiters, are written as Unicode escapes.
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::store::Metastore;
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn shown_statement_makes_the_same_table_again() {
        let lake = Lake::new().await;
        for sql in [
            "CREATE EXTERNAL TABLE t (id INT COMMENT 'it''s \"the\" key', `odd name` STRING, n STRUCT<a:INT,b:ARRAY<DECIMAL(3,1)>>)
             COMMENT 'two\\nlines; and \\\\ one' PARTITIONED BY (d DATE COMMENT 'day', h INT)
             CLUSTERED BY (id) SORTED BY (id DESC) INTO 4 BUCKETS STORED AS PARQUET LOCATION 's3://lake/it/' TBLPROPERTIES ('a'='1', 'b\\'c'='\\\\N')",
            "CREATE EXTERNAL TABLE t (a INT NOT NULL COMMENT 'c', b STRING NOT NULL) PARTITIONED BY (k INT NOT NULL) STORED AS PARQUET LOCATION 's3://lake/n/'",
            "CREATE EXTERNAL TABLE t (a INT, b STRING) SORTED BY (b, a DESC) STORED AS PARQUET LOCATION 's3://lake/s/'",
            "CREATE EXTERNAL TABLE t (a STRING, m MAP<STRING,INT>) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' ESCAPED BY '\\\\'
             COLLECTION ITEMS TERMINATED BY '\\t' NULL DEFINED AS '\\\\N' LOCATION 's3://lake/t/'",
            "CREATE EXTERNAL TABLE t (a STRING) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('mapping.a'='A', 'ignore.malformed.json'='true') LOCATION 's3://lake/j'",
            "CREATE EXTERNAL TABLE t (a INT, b STRING) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('separatorChar'='\\t', 'quoteChar'='\\'') LOCATION 's3://lake/c/' TBLPROPERTIES ('skip.header.line.count'='1')",
        ] {
            lake.ok(sql).await;
            let made = lake.table("t").await;
            let shown = lake.text("admin", "SHOW CREATE TABLE t").await;
            lake.ok(&format!("DROP TABLE t; {shown}")).await;
            let again = lake.table("t").await;
            assert_eq!(made.to_input(), again.to_input(), "{shown}");
            lake.ok("DROP TABLE t").await;
        }
    }

    #[tokio::test]
    async fn statement_is_laid_out_a_line_a_row() {
        let lake = Lake::with_orders().await;
        let shown = lake.text("admin", "SHOW CREATE TABLE orders").await;
        assert!(shown.starts_with("CREATE EXTERNAL TABLE `sales`.`orders` (\n  `id` int,\n  `email` string COMMENT 'of the customer')\nPARTITIONED BY (\n  `day` date)\nROW FORMAT SERDE\n"), "{shown}");
        assert!(
            shown.ends_with(
                "LOCATION\n  's3://lake/orders/'\nTBLPROPERTIES (\n  'classification'='parquet')"
            ),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn view_is_refused() {
        let lake = Lake::new().await;
        let view = lakegate_catalog::model::TableInput {
            name: "v".to_owned(),
            table_type: Some(lakegate_catalog::model::VIRTUAL_VIEW.to_owned()),
            storage_descriptor: lakegate_catalog::model::StorageDescriptor {
                columns: vec![lakegate_catalog::model::Column::new("a", "int")],
                ..Default::default()
            },
            ..Default::default()
        };
        lake.store.create_table("sales", view, false).await.unwrap();
        assert_eq!(lake.text("admin", "SHOW VIEWS").await, "v");
        for sql in [
            "SHOW CREATE TABLE v",
            "ALTER TABLE v SET TBLPROPERTIES ('a'='b')",
        ] {
            assert_eq!(
                lake.fails("admin", sql).await.code(),
                Code::NotSupported,
                "{sql}"
            );
        }
        lake.ok("DROP VIEW v").await;
    }
}
