//! The lake as its readers find it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimeUnit};
use flate2::read::GzDecoder;
use lakegate_demo::{DemoOptions, Error, Outcome, generate, tpcds_tables, tpch_tables};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

const SCALE: f64 = 0.002;

fn make(dir: &Path) -> DemoOptions {
    let options = DemoOptions {
        scale: SCALE,
        ..DemoOptions::new(dir)
    };
    assert_eq!(generate(&options, &mut |_| {}).unwrap(), Outcome::Created);
    options
}

/// One lake for all tests that only read.
fn lake() -> &'static Path {
    static LAKE: LazyLock<TempDir> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        dir
    });
    LAKE.path()
}

/// The files under a directory, by their path below it.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(dir).unwrap().to_path_buf(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

fn parquet(dir: &Path) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for name in files(dir).into_keys() {
        let file = File::open(dir.join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        batches.extend(reader.map(Result::unwrap));
    }
    batches
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn sum_of_cents(batches: &[RecordBatch], column: &str) -> i128 {
    let values = |batch: &RecordBatch| {
        let column = batch
            .column_by_name(column)
            .unwrap()
            .as_primitive::<Decimal128Type>()
            .clone();
        column.iter().flatten().sum::<i128>()
    };
    batches.iter().map(values).sum()
}

fn sum_of_bigints(batches: &[RecordBatch], column: &str) -> i64 {
    let values = |batch: &RecordBatch| {
        let column = batch
            .column_by_name(column)
            .unwrap()
            .as_primitive::<Int64Type>()
            .clone();
        column.iter().flatten().sum::<i64>()
    };
    batches.iter().map(values).sum()
}

fn raw_orders(dir: &Path) -> Vec<Value> {
    let mut orders = Vec::new();
    for content in files(&dir.join("raw/orders")).into_values() {
        let mut text = String::new();
        GzDecoder::new(content.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        orders.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    orders
}

fn cents(amount: &Value) -> i128 {
    (amount.as_f64().unwrap() * 100.0).round() as i128
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let again = tempfile::tempdir().unwrap();
    make(again.path());
    let (one, other) = (files(lake()), files(again.path()));
    assert!(one.keys().eq(other.keys()));
    assert!(one.len() > 2 * 366);
    for (path, content) in one {
        assert!(content == other[&path], "{} differs", path.display());
    }
}

#[test]
fn raw_curated_and_analytics_tell_of_the_same_orders() {
    let dir = lake();
    let raw = raw_orders(dir);
    let curated = parquet(&dir.join("curated/orders"));
    let facts = parquet(&dir.join("analytics/sales_fact"));
    let daily = parquet(&dir.join("analytics/daily_sales"));
    let by_customer = parquet(&dir.join("analytics/customer_360"));
    let by_product = parquet(&dir.join("analytics/product_performance"));

    let orders = 2_000;
    assert_eq!(raw.len(), orders);
    assert_eq!(rows(&curated), orders);
    assert_eq!(rows(&facts), orders);
    assert_eq!(rows(&daily), 366);
    for totals in [&daily, &by_customer, &by_product] {
        assert_eq!(sum_of_bigints(totals, "total_orders"), orders as i64);
    }

    let revenue: i128 = raw.iter().map(|order| cents(&order["total"])).sum();
    assert!(revenue > 0);
    assert_eq!(sum_of_cents(&curated, "total"), revenue);
    assert_eq!(sum_of_cents(&facts, "total_amount"), revenue);
    assert_eq!(sum_of_cents(&daily, "total_sales"), revenue);
    assert_eq!(sum_of_cents(&by_customer, "total_spent"), revenue);
    assert_eq!(sum_of_cents(&by_product, "revenue"), revenue);

    let ids: BTreeSet<&str> = raw
        .iter()
        .map(|order| order["order_id"].as_str().unwrap())
        .collect();
    let curated_ids: BTreeSet<&str> = curated
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten())
        .collect();
    assert_eq!(ids.len(), orders);
    assert_eq!(ids, curated_ids);
}

#[test]
fn an_order_is_consistent_in_itself() {
    let dir = lake();
    let mut with_coupon = 0;
    for order in raw_orders(dir) {
        let quantity = order["quantity"].as_i64().unwrap();
        let items = order["items"].as_array().unwrap();
        assert!((1..=3).contains(&items.len()), "{order}");
        let pieces: i64 = items
            .iter()
            .map(|item| item["quantity"].as_i64().unwrap())
            .sum();
        assert_eq!(pieces, quantity, "{order}");
        assert_eq!(
            cents(&order["total"]),
            i128::from(quantity) * cents(&order["price"]),
            "{order}"
        );
        with_coupon += usize::from(order["attributes"].get("coupon").is_some());
    }
    assert!((100..500).contains(&with_coupon), "{with_coupon}");
}

#[test]
fn orders_lie_in_the_partition_of_their_time() {
    let dir = lake();
    for (path, content) in files(&dir.join("raw/orders")) {
        let mut text = String::new();
        GzDecoder::new(content.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        for line in text.lines() {
            let order: Value = serde_json::from_str(line).unwrap();
            let at = order["created_at"].as_str().unwrap();
            let (year, month) = (&at[..4], &at[5..7]);
            let (day, hour) = (&at[8..10], &at[11..13]);
            let expected =
                format!("year={year}/month={month}/day={day}/hour={hour}/part-0000.json.gz");
            assert_eq!(path.to_str().unwrap(), expected);
        }
    }
    let days = files(&dir.join("curated/orders"))
        .into_keys()
        .collect::<Vec<_>>();
    assert_eq!(days.len(), 366);
    assert_eq!(
        days[0].to_str().unwrap(),
        "order_date=2024-01-01/part-0000.parquet"
    );
    assert_eq!(
        days[365].to_str().unwrap(),
        "order_date=2024-12-31/part-0000.parquet"
    );
}

#[test]
fn parquet_is_read_with_the_types_of_the_issue() {
    let dir = lake();
    let orders = parquet(&dir.join("curated/orders"));
    let schema = orders[0].schema();
    let columns: Vec<(&str, &DataType)> = schema
        .fields()
        .iter()
        .map(|field| (field.name().as_str(), field.data_type()))
        .collect();
    assert_eq!(
        columns,
        [
            ("order_id", &DataType::Utf8),
            ("customer_id", &DataType::Utf8),
            ("product_id", &DataType::Utf8),
            ("quantity", &DataType::Int32),
            ("price", &DataType::Decimal128(10, 2)),
            ("total", &DataType::Decimal128(10, 2)),
            (
                "created_at",
                &DataType::Timestamp(TimeUnit::Microsecond, None)
            ),
        ]
    );
    let customers = parquet(&dir.join("curated/customers"));
    let schema = customers[0].schema();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        [
            "customer_id",
            "segment",
            "region",
            "email",
            "phone",
            "address"
        ]
    );
}

#[test]
fn products_have_a_header_and_names_that_need_quotes() {
    let dir = lake();
    let text = fs::read_to_string(dir.join("raw/products/products.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("product_id,name,category,brand,price,"));
    assert_eq!(
        lines.len() - 1,
        rows(&parquet(&dir.join("curated/products")))
    );
    assert!(text.contains("\"\""), "no doubled quote");
    assert!(
        lines.iter().any(|line| line.contains(", black\"")),
        "no comma inside quotes"
    );
    assert!(
        !text.contains('\\'),
        "the csv serde would take it for an escape"
    );
}

#[test]
fn a_finished_lake_is_kept_and_other_arguments_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = make(dir.path());
    let canary = dir.path().join("raw/users/part-0000.json");
    fs::write(&canary, "touched").unwrap();
    assert_eq!(generate(&options, &mut |_| {}).unwrap(), Outcome::Reused);
    assert_eq!(fs::read_to_string(&canary).unwrap(), "touched");

    let more = DemoOptions {
        scale: 0.003,
        ..options
    };
    let error = generate(&more, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::OtherArguments { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("--scale 0.002 ") && message.contains("--scale 0.003 "),
        "{message}"
    );
}

#[test]
fn a_lake_that_was_interrupted_is_made_again_as_if_nothing_had_been() {
    let broken = tempfile::tempdir().unwrap();
    let options = make(broken.path());
    // What a killed process leaves: a marker, files missing, half or from other arguments.
    fs::rename(
        broken.path().join("demo.json"),
        broken.path().join("demo.partial"),
    )
    .unwrap();
    fs::remove_dir_all(broken.path().join("analytics")).unwrap();
    fs::write(
        broken
            .path()
            .join("curated/orders/order_date=2024-01-01/part-0000.parquet"),
        "half",
    )
    .unwrap();
    fs::write(broken.path().join("curated/orders/stray.parquet"), "stray").unwrap();

    assert_eq!(generate(&options, &mut |_| {}).unwrap(), Outcome::Created);
    assert!(files(lake()) == files(broken.path()));
}

#[test]
fn arguments_out_of_bounds_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let lake = dir.path().join("lake");
    let options = DemoOptions::new(&lake);
    for (bad, option) in [
        (
            DemoOptions {
                scale: 0.0,
                ..options.clone()
            },
            "--scale",
        ),
        (
            DemoOptions {
                scale: f64::NAN,
                ..options.clone()
            },
            "--scale",
        ),
        (
            DemoOptions {
                tpch: Some(-1.0),
                ..options.clone()
            },
            "--tpch",
        ),
        (
            DemoOptions {
                tpcds: Some(f64::INFINITY),
                ..options.clone()
            },
            "--tpcds",
        ),
        (
            DemoOptions {
                until: chrono::NaiveDate::MAX,
                ..options.clone()
            },
            "--until",
        ),
    ] {
        let message = generate(&bad, &mut |_| {}).unwrap_err().to_string();
        assert!(message.starts_with(option), "{message}");
    }
    assert!(!lake.exists());
}

#[test]
fn tpch_has_the_row_counts_of_its_scale_factor() {
    let dir = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        scale: 0.000_4,
        tpch: Some(0.001),
        ..DemoOptions::new(dir.path())
    };
    generate(&options, &mut |_| {}).unwrap();
    let expected = [
        ("lineitem", 6_005),
        ("orders", 1_500),
        ("partsupp", 800),
        ("part", 200),
        ("customer", 150),
        ("supplier", 10),
        ("nation", 25),
        ("region", 5),
    ];
    let tables = tpch_tables();
    assert_eq!(tables.len(), expected.len());
    for (table, (name, count)) in tables.iter().zip(expected) {
        assert_eq!(table.name, name);
        let batches = parquet(&dir.path().join("tpch").join(name));
        assert_eq!(rows(&batches), count, "{name}");
        assert_eq!(
            batches[0].schema().fields(),
            table.schema.fields(),
            "{name}"
        );
    }
}

#[test]
fn tpcds_has_all_tables_with_the_registered_columns() {
    let dir = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        scale: 0.000_4,
        tpcds: Some(0.001),
        ..DemoOptions::new(dir.path())
    };
    generate(&options, &mut |_| {}).unwrap();
    let tables = tpcds_tables();
    assert_eq!(tables.len(), 24);
    let mut counts = BTreeMap::new();
    for table in &tables {
        let batches = parquet(&dir.path().join("tpcds").join(table.name));
        let schema = batches.first().map(RecordBatch::schema);
        assert_eq!(
            schema.unwrap().fields(),
            table.schema.fields(),
            "{}",
            table.name
        );
        counts.insert(table.name, rows(&batches));
    }
    // These do not depend on the scale factor.
    for (name, count) in [
        ("date_dim", 73_049),
        ("time_dim", 86_400),
        ("customer_demographics", 1_920_800),
        ("household_demographics", 7_200),
        ("income_band", 20),
        ("ship_mode", 20),
        ("reason", 75),
    ] {
        assert_eq!(counts[name], count, "{name}");
    }
    assert!(counts["store_sales"] > counts["store_returns"]);
    let keys = parquet(&dir.path().join("tpcds/customer_demographics"));
    let distinct: BTreeSet<i32> = keys
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int32Type>()
                .values()
                .to_vec()
        })
        .collect();
    assert_eq!(distinct.len(), 1_920_800, "files of one table overlap");
}
