//! Statements as users paste them.

use crate::harness::{Options, Server, lake};

const CREATE: &str = "CREATE DATABASE IF NOT EXISTS analytics;";
const CREATE_TABLE: &str = "CREATE EXTERNAL TABLE analytics.orders (order_id STRING, customer_id STRING, product_id STRING, quantity INT, price DECIMAL(10,2), total DECIMAL(10,2), created_at TIMESTAMP)
      PARTITIONED BY (order_date DATE) STORED AS PARQUET LOCATION 's3://datalake/curated/orders/' TBLPROPERTIES ('parquet.compression'='SNAPPY');";
const REPAIR: &str = "MSCK REPAIR TABLE analytics.orders;";
const TOP_CUSTOMERS: &str =
    "SELECT customer_id, SUM(total) AS total_spent, COUNT(*) AS order_count FROM analytics.orders
      WHERE order_date BETWEEN DATE '2024-01-01' AND DATE '2024-01-31' GROUP BY customer_id ORDER BY total_spent DESC LIMIT 100;";
const LAST_DAYS: &str = "SELECT sale_date, COUNT(*) AS total_orders, SUM(total_amount) AS total_sales FROM sales_fact WHERE sale_date >= CURRENT_DATE - INTERVAL '30' DAY GROUP BY sale_date ORDER BY sale_date DESC;";

#[tokio::test]
async fn orders_are_registered_repaired_and_asked() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    for statement in [CREATE, CREATE_TABLE, REPAIR] {
        admin.run(statement).await;
    }
    assert_eq!(
        admin.rows("SHOW PARTITIONS analytics.orders").await.len(),
        366
    );
    let rows = admin.rows(TOP_CUSTOMERS).await;
    // A small lake may have fewer customers than the query's limit.
    let customers = admin
        .value("SELECT count(DISTINCT customer_id) FROM curated.orders WHERE order_date BETWEEN DATE '2024-01-01' AND DATE '2024-01-31'")
        .await;
    assert_eq!(rows.len(), customers.parse::<usize>().unwrap().min(100));
    assert!(!rows.is_empty());
    let spent: Vec<f64> = rows
        .iter()
        .map(|row| row[1].as_ref().unwrap().parse().unwrap())
        .collect();
    assert!(spent.is_sorted_by(|a, b| a >= b), "{spent:?}");
    assert_eq!(
        admin.text(TOP_CUSTOMERS).await.lines().next(),
        admin
            .text(&TOP_CUSTOMERS.replace("analytics.orders", "curated.orders"))
            .await
            .lines()
            .next()
    );
}

#[tokio::test]
async fn sales_of_the_last_thirty_days_are_there_on_a_demo_until_today() {
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let today = chrono::Utc::now().date_naive();
    let options = Options {
        scale: "0.002".to_owned(),
        until: Some(today.to_string()),
        ..Options::default()
    };
    let server = Server::demo(&temp.path().join("lake"), &options, &[]);
    let admin = server.connect_to("admin", "analytics").await;
    for statement in [CREATE, CREATE_TABLE, REPAIR, TOP_CUSTOMERS] {
        admin.run(statement).await;
    }
    let days = admin.column(LAST_DAYS).await;
    // 31 days, or 30 if midnight has passed since the lake was created.
    assert!(days.len() == 31 || days.len() == 30, "{days:?}");
    assert_eq!(days[0], today.to_string());
    assert!(days.is_sorted_by(|a, b| a > b), "{days:?}");
}
