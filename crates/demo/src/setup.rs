//! The SQL that registers the lake and its grants.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Schema};

use crate::BUCKET;
use crate::options::DemoOptions;
use crate::tpc::{TpcTable, tpcds_tables, tpch_tables};
use crate::zones::schemas::{ZONE_TABLES, ZoneTable};

/// A user of the demo. The server generates the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoUser {
    pub name: &'static str,
    pub roles: &'static [&'static str],
}

/// The demo's users and their roles. `administrators` is the server's own role, the others are
/// created by [`setup_sql`].
#[must_use]
pub fn demo_users() -> &'static [DemoUser] {
    &[
        DemoUser {
            name: "admin",
            roles: &["administrators"],
        },
        DemoUser {
            name: "engineer",
            roles: &["data_engineers"],
        },
        DemoUser {
            name: "analyst",
            roles: &["data_analysts"],
        },
        DemoUser {
            name: "scientist",
            roles: &["data_scientists"],
        },
    ]
}

/// One statement each, without a semicolon, to be run in order by an administrator. They can be run
/// again, as after an interrupted start: objects are created `IF NOT EXISTS`.
#[must_use]
pub fn setup_sql(options: &DemoOptions) -> Vec<String> {
    let mut statements = zones();
    let mut databases = vec!["raw", "curated", "analytics"];
    if options.tpch.is_some() {
        statements.extend(benchmark("tpch", &tpch_tables()));
        databases.push("tpch");
    }
    if options.tpcds.is_some() {
        statements.extend(benchmark("tpcds", &tpcds_tables()));
        databases.push("tpcds");
    }
    statements.extend(grants(&databases));
    statements
}

fn zones() -> Vec<String> {
    let mut statements = vec![
        database("raw", "as it arrived: JSON lines and CSV"),
        database("curated", "cleaned and typed: Parquet"),
        database("analytics", "summed up for reports: Parquet"),
        format!("{RAW_ORDERS} LOCATION 's3://{BUCKET}/raw/orders/' {JSON_GZIP_PROPERTIES}"),
        format!("{RAW_USERS} LOCATION 's3://{BUCKET}/raw/users/' {JSON_PROPERTIES}"),
        format!("{RAW_PRODUCTS} LOCATION 's3://{BUCKET}/raw/products/' {CSV_PROPERTIES}"),
    ];
    statements.extend(ZONE_TABLES.iter().map(zone_table));
    statements.push("MSCK REPAIR TABLE raw.orders".to_owned());
    let partitioned = ZONE_TABLES.iter().filter(|table| table.partition.is_some());
    statements.extend(
        partitioned.map(|table| format!("MSCK REPAIR TABLE {}.{}", table.database, table.name)),
    );
    statements
}

const RAW_ORDERS: &str = "\
CREATE EXTERNAL TABLE IF NOT EXISTS raw.orders (
  order_id STRING,
  customer_id STRING,
  product_id STRING,
  quantity INT,
  price DECIMAL(10,2),
  total DECIMAL(10,2),
  status STRING,
  created_at TIMESTAMP,
  items ARRAY<STRUCT<sku:STRING,colour:STRING,quantity:INT,price:DECIMAL(10,2)>>,
  shipping STRUCT<method:STRING,address:STRUCT<city:STRING,postal_code:STRING,country:STRING>>,
  attributes MAP<STRING,STRING>,
  note STRING
)
PARTITIONED BY (year INT, month INT, day INT, hour INT)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";

const RAW_USERS: &str = "\
CREATE EXTERNAL TABLE IF NOT EXISTS raw.users (
  user_id STRING,
  customer_id STRING,
  name STRUCT<given:STRING,family:STRING>,
  email STRING,
  country STRING,
  active BOOLEAN,
  created_at TIMESTAMP,
  devices ARRAY<STRING>,
  preferences MAP<STRING,STRING>
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";

/// OpenCSVSerde reads every column as text; casts are left to the queries, as with any raw file.
const RAW_PRODUCTS: &str = "\
CREATE EXTERNAL TABLE IF NOT EXISTS raw.products (
  product_id STRING,
  name STRING,
  category STRING,
  brand STRING,
  price STRING,
  weight_grams STRING,
  description STRING,
  active STRING,
  launched_on STRING
)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
WITH SERDEPROPERTIES ('separatorChar'=',', 'quoteChar'='\"')";

const JSON_GZIP_PROPERTIES: &str =
    "TBLPROPERTIES ('classification'='json', 'compressionType'='gzip')";
const JSON_PROPERTIES: &str = "TBLPROPERTIES ('classification'='json')";
const CSV_PROPERTIES: &str = "TBLPROPERTIES ('classification'='csv', 'skip.header.line.count'='1')";

fn database(name: &str, comment: &str) -> String {
    format!(
        "CREATE DATABASE IF NOT EXISTS {name} COMMENT '{comment}' LOCATION 's3://{BUCKET}/{name}/'"
    )
}

fn zone_table(table: &ZoneTable) -> String {
    let partition = table
        .partition
        .map(|column| format!("PARTITIONED BY ({column} DATE)\n"))
        .unwrap_or_default();
    parquet_table(table.database, table.name, &(table.schema)(), &partition)
}

fn benchmark(name: &str, tables: &[TpcTable]) -> Vec<String> {
    let create = database(name, "generated benchmark tables: Parquet");
    let tables = tables
        .iter()
        .map(|table| parquet_table(name, table.name, &table.schema, ""));
    std::iter::once(create).chain(tables).collect()
}

fn parquet_table(database: &str, table: &str, schema: &Schema, partition: &str) -> String {
    let mut columns = String::new();
    for (position, field) in schema.fields().iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let kind = hive_type(field.data_type());
        // Writing to a string cannot fail.
        let _ = write!(columns, "{comma}\n  {} {kind}", field.name());
    }
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS {database}.{table} ({columns}\n)\n{partition}\
         STORED AS PARQUET\nLOCATION 's3://{BUCKET}/{database}/{table}/'\n\
         TBLPROPERTIES ('parquet.compression'='SNAPPY')"
    )
}

/// Covers the types that the generators use; a test checks that there are no others.
fn hive_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Utf8 => "STRING".to_owned(),
        other => format!("{other}"),
    }
}

/// Engineers get everything, analysts get the reporting tables, scientists get data without
/// personal details.
fn grants(databases: &[&str]) -> Vec<String> {
    let mut statements: Vec<String> = ["data_engineers", "data_analysts", "data_scientists"]
        .map(|role| format!("CREATE ROLE IF NOT EXISTS {role}"))
        .into();
    statements.push("GRANT ALL ON CATALOG TO data_engineers".to_owned());
    for database in databases {
        statements.push(format!(
            "GRANT ALL ON DATABASE {database} TO data_engineers"
        ));
        if *database != "raw" {
            statements.push(format!(
                "GRANT SELECT, DESCRIBE ON DATABASE {database} TO data_analysts"
            ));
        }
    }
    statements.push(
        "GRANT SELECT (customer_id, segment, region) ON TABLE curated.customers TO data_scientists"
            .to_owned(),
    );
    statements.push("GRANT SELECT ON TABLE curated.orders TO data_scientists".to_owned());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> DemoOptions {
        DemoOptions {
            tpch: Some(1.0),
            tpcds: Some(1.0),
            ..DemoOptions::new("")
        }
    }

    #[test]
    fn every_column_has_a_hive_type() {
        const KNOWN: [&str; 7] = [
            "BOOLEAN",
            "INT",
            "BIGINT",
            "DATE",
            "TIMESTAMP",
            "STRING",
            "DECIMAL",
        ];
        let zones = ZONE_TABLES.iter().map(|table| (table.schema)());
        let tpc = tpch_tables()
            .into_iter()
            .chain(tpcds_tables())
            .map(|table| table.schema);
        let mut columns = 0;
        for schema in zones.chain(tpc) {
            for field in schema.fields() {
                let kind = hive_type(field.data_type());
                let base = kind.split('(').next().unwrap_or_default();
                assert!(KNOWN.contains(&base), "{}: {kind}", field.name());
                columns += 1;
            }
        }
        assert!(columns > 400, "{columns}");
    }

    #[test]
    fn curated_orders_is_registered_as_its_files_are() {
        let sql = setup_sql(&full());
        let create = sql
            .iter()
            .find(|statement| statement.contains("curated.orders ("));
        assert_eq!(
            create.map(String::as_str),
            Some(
                "CREATE EXTERNAL TABLE IF NOT EXISTS curated.orders (\n  order_id STRING,\n  \
                 customer_id STRING,\n  product_id STRING,\n  quantity INT,\n  \
                 price DECIMAL(10,2),\n  total DECIMAL(10,2),\n  created_at TIMESTAMP\n)\n\
                 PARTITIONED BY (order_date DATE)\nSTORED AS PARQUET\n\
                 LOCATION 's3://datalake/curated/orders/'\n\
                 TBLPROPERTIES ('parquet.compression'='SNAPPY')"
            )
        );
    }

    #[test]
    fn analytics_orders_is_left_for_the_newcomer_to_create() {
        assert!(
            setup_sql(&full())
                .iter()
                .all(|statement| !statement.contains("analytics.orders"))
        );
    }

    #[test]
    fn the_benchmark_databases_are_there_only_when_asked_for() {
        let count = |options: &DemoOptions, part: &str| {
            setup_sql(options)
                .iter()
                .filter(|statement| statement.contains(part))
                .count()
        };
        let plain = DemoOptions::new("");
        assert_eq!(count(&plain, "tpch"), 0);
        assert_eq!(count(&plain, "tpcds"), 0);
        assert_eq!(count(&full(), "EXISTS tpch."), 8);
        assert_eq!(count(&full(), "EXISTS tpcds."), 24);
        assert_eq!(count(&full(), "ON DATABASE tpch TO data_analysts"), 1);
    }

    #[test]
    fn scientists_get_neither_addresses_nor_other_tables() {
        let sql = setup_sql(&full());
        let granted: Vec<&str> = sql
            .iter()
            .filter(|statement| statement.ends_with("TO data_scientists"))
            .map(String::as_str)
            .collect();
        assert_eq!(
            granted,
            [
                "GRANT SELECT (customer_id, segment, region) ON TABLE curated.customers \
                 TO data_scientists",
                "GRANT SELECT ON TABLE curated.orders TO data_scientists",
            ]
        );
    }
}
