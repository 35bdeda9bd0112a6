//! The statements that a new user runs, verbatim.

use super::*;
use crate::ast::*;

const SCRIPT: &str = "
    CREATE DATABASE IF NOT EXISTS analytics;
    CREATE EXTERNAL TABLE analytics.orders (order_id STRING, customer_id STRING, product_id STRING, quantity INT, price DECIMAL(10,2), total DECIMAL(10,2), created_at TIMESTAMP)
      PARTITIONED BY (order_date DATE) STORED AS PARQUET LOCATION 's3://datalake/curated/orders/' TBLPROPERTIES ('parquet.compression'='SNAPPY');
    MSCK REPAIR TABLE analytics.orders;
    SELECT customer_id, SUM(total) AS total_spent, COUNT(*) AS order_count FROM analytics.orders
      WHERE order_date BETWEEN DATE '2024-01-01' AND DATE '2024-01-31' GROUP BY customer_id ORDER BY total_spent DESC LIMIT 100;
    SELECT sale_date, COUNT(*) AS total_orders, SUM(total_amount) AS total_sales FROM sales_fact WHERE sale_date >= CURRENT_DATE - INTERVAL '30' DAY GROUP BY sale_date ORDER BY sale_date DESC;
";

#[test]
fn the_script_of_the_issue_parses_into_its_five_statements() {
    let parsed = parse(SCRIPT).unwrap();
    let tags: Vec<_> = parsed.iter().map(|p| p.statement.tag()).collect();
    assert_eq!(
        tags,
        [
            "CREATE DATABASE",
            "CREATE TABLE",
            "MSCK REPAIR TABLE",
            "SELECT",
            "SELECT"
        ]
    );
    for statement in &parsed {
        let start = SCRIPT.char_indices().nth(statement.position - 1).unwrap().0;
        assert!(
            SCRIPT[start..].starts_with(&statement.text),
            "{}",
            statement.text
        );
        assert!(!statement.text.ends_with(';'));
    }
}

#[test]
fn the_table_of_the_issue_has_all_its_clauses() {
    let Statement::CreateTable(table) = &parse(SCRIPT).unwrap()[1].statement else {
        panic!()
    };
    assert!(table.external && !table.if_not_exists);
    assert_eq!(table.name, TableName::in_database("analytics", "orders"));
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.data_type.as_str()))
        .collect();
    assert_eq!(
        columns,
        [
            ("order_id", "string"),
            ("customer_id", "string"),
            ("product_id", "string"),
            ("quantity", "int"),
            ("price", "decimal(10,2)"),
            ("total", "decimal(10,2)"),
            ("created_at", "timestamp")
        ]
    );
    assert_eq!(table.partitioned_by[0].name, "order_date");
    assert_eq!(table.partitioned_by[0].data_type, "date");
    assert_eq!(
        table.stored_as,
        Some(StoredAs::Format(StorageFormat::Parquet))
    );
    assert_eq!(
        table.location.as_deref(),
        Some("s3://datalake/curated/orders/")
    );
    assert_eq!(
        table.properties,
        [("parquet.compression".to_owned(), "SNAPPY".to_owned())]
    );
}

#[test]
fn every_statement_that_the_issue_names_parses() {
    for (sql, tag) in [
        ("CREATE USER u WITH PASSWORD 'p'", "CREATE USER"),
        ("ALTER USER u PASSWORD 'q'", "ALTER USER"),
        ("DROP USER u", "DROP USER"),
        ("SELECT current_user", "SELECT"),
        ("CREATE ROLE r", "CREATE ROLE"),
        ("DROP ROLE r", "DROP ROLE"),
        ("GRANT r TO u", "GRANT ROLE"),
        ("GRANT SELECT (a, b) ON TABLE db.t TO r", "GRANT"),
        ("GRANT SELECT ON DATABASE d TO r", "GRANT"),
        (
            "GRANT SELECT, DESCRIBE, INSERT, ALTER, DROP ON TABLE db.t TO r",
            "GRANT",
        ),
        ("GRANT ALL ON DATABASE d TO r", "GRANT"),
        ("REVOKE SELECT ON TABLE db.t FROM r", "REVOKE"),
        ("REVOKE r FROM u", "REVOKE ROLE"),
        ("SHOW GRANTS", "SHOW"),
        (
            "CREATE WORKGROUP w WITH (bytes_scanned_cutoff_per_query = 1048576)",
            "CREATE WORKGROUP",
        ),
        (
            "ALTER WORKGROUP w SET (bytes_scanned_cutoff_per_query = 5)",
            "ALTER WORKGROUP",
        ),
        ("DROP WORKGROUP w", "DROP WORKGROUP"),
        ("SHOW WORKGROUPS", "SHOW"),
        ("SHOW WORKGROUP w", "SHOW"),
        ("ALTER USER u SET WORKGROUP w", "ALTER USER"),
        ("SET workgroup = 'w'", "SET"),
        ("GRANT USAGE ON WORKGROUP w TO u", "GRANT"),
        ("SET result_reuse = off", "SET"),
        ("SET result_reuse = fresh", "SET"),
        ("KILL QUERY 'id'", "KILL"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("USE curated", "USE"),
        ("DROP DATABASE d CASCADE", "DROP DATABASE"),
        (
            "ALTER DATABASE d SET DBPROPERTIES ('a'='b')",
            "ALTER DATABASE",
        ),
        ("DROP TABLE IF EXISTS t", "DROP TABLE"),
        (
            "ALTER TABLE t ADD PARTITION (dt='2024-01-01') LOCATION 's3://b/x/'",
            "ALTER TABLE",
        ),
        (
            "ALTER TABLE t DROP PARTITION (dt='2024-01-01')",
            "ALTER TABLE",
        ),
        (
            "ALTER TABLE t PARTITION (dt='a') RENAME TO PARTITION (dt='b')",
            "ALTER TABLE",
        ),
        ("ALTER TABLE t ADD COLUMNS (a int)", "ALTER TABLE"),
        ("ALTER TABLE t SET TBLPROPERTIES ('a'='b')", "ALTER TABLE"),
        ("ALTER TABLE t SET LOCATION 's3://b/x/'", "ALTER TABLE"),
        ("SHOW DATABASES", "SHOW"),
        ("SHOW TABLES", "SHOW"),
        ("SHOW COLUMNS IN t", "SHOW"),
        ("SHOW PARTITIONS t", "SHOW"),
        ("SHOW CREATE TABLE t", "SHOW"),
        ("SHOW TBLPROPERTIES t", "SHOW"),
        ("DESCRIBE t", "DESCRIBE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN"),
    ] {
        assert_eq!(one(sql).tag(), tag, "{sql}");
    }
}

#[test]
fn empty_statements_vanish_and_positions_count_characters() {
    let parsed = parse(" ;; /* é */ select 'é' ; -- x\n ;\tshow tables").unwrap();
    let places: Vec<_> = parsed
        .iter()
        .map(|p| (p.position, p.text.as_str()))
        .collect();
    assert_eq!(places, [(13, "select 'é'"), (34, "show tables")]);
    assert_eq!(parse(" -- nothing\n ; ").unwrap(), []);
}
