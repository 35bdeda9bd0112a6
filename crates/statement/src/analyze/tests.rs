//! Which columns and partitions ANALYZE measures, and how its row becomes statistics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::HashMap;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use lakegate_catalog::model::ColumnStatisticsData;
use lakegate_sql::parse;

use super::super::testing::Lake;
use super::*;

async fn plan(lake: &Lake, user: &str, sql: &str) -> Result<AnalyzePlan> {
    let parsed = parse(sql).unwrap().remove(0).statement;
    let Statement::Analyze(analyze) = parsed else {
        panic!("{sql}")
    };
    lake.context(user).await.plan_analyze(&analyze).await
}

fn names(plan: &AnalyzePlan) -> Vec<&str> {
    let columns = plan.columns.iter();
    columns
        .map(|measured| measured.column.name.as_str())
        .collect()
}

#[tokio::test]
async fn only_columns_that_a_principal_selects_are_measured() {
    let lake = Lake::with_orders().await;
    lake.ok("ALTER TABLE orders ADD COLUMNS (tags ARRAY<STRING>)")
        .await;
    let analyze = "ANALYZE sales.orders";
    let whole = plan(&lake, "admin", analyze).await.unwrap();
    assert_eq!(names(&whole), ["id", "email", "day"]);
    let counted = "ANALYZE TABLE orders COMPUTE STATISTICS";
    let counted = plan(&lake, "admin", counted).await.unwrap();
    assert!(names(&counted).is_empty());
    let code = async |user: &str, sql: &str| plan(&lake, user, sql).await.unwrap_err().code();
    assert_eq!(
        code("admin", "ANALYZE orders (tags)").await,
        Code::NotSupported
    );
    assert_eq!(
        code("admin", "ANALYZE orders (id, id)").await,
        Code::DuplicateColumn
    );
    assert_eq!(code("ann", analyze).await, Code::TableNotFound);
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
    assert_eq!(code("ann", analyze).await, Code::PermissionDenied);
    lake.ok("GRANT ALTER ON TABLE orders TO ann; GRANT INSERT ON TABLE orders TO ben")
        .await;
    let part = plan(&lake, "ann", analyze).await.unwrap();
    assert_eq!(names(&part), ["id"]);
    for hidden in ["email", "nothing"] {
        let statement = format!("ANALYZE sales.orders ({hidden})");
        let error = plan(&lake, "ann", &statement).await.unwrap_err();
        assert_eq!(error.code(), Code::ColumnNotFound);
        assert_eq!(error.message(), column_not_found(hidden).message());
    }
    assert_eq!(code("ben", analyze).await, Code::PermissionDenied);
}

#[tokio::test]
async fn one_partition_is_measured_by_its_keys() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE p (a INT) PARTITIONED BY (n INT, s STRING, d DATE, m DECIMAL(4,1)) STORED AS PARQUET LOCATION 's3://lake/p/';
             ALTER TABLE p ADD PARTITION (n = '07', s = 'it''s', d = '2024-01-01', m = '1.5')")
        .await;
    let analyze = "ANALYZE TABLE p PARTITION (d = '2024-01-01', m = 1.5, n = 7, s = 'it''s') COMPUTE STATISTICS";
    let all = plan(&lake, "admin", &format!("{analyze} FOR COLUMNS")).await;
    let all = all.unwrap();
    assert_eq!(names(&all), ["a"]);
    assert!(all.is_of_partitions());
    let Statement::Query(query) = all.query().unwrap() else {
        panic!()
    };
    let text = query.to_string();
    for part in [
        "\"n\" = CAST('07' AS INTEGER)",
        "\"s\" = 'it''s'",
        "\"d\" = CAST('2024-01-01' AS DATE)",
        "GROUP BY \"n\", \"s\", \"d\", \"m\"",
    ] {
        assert!(
            text.to_uppercase().contains(&part.to_uppercase()),
            "{part}: {text}"
        );
    }
    let counted = plan(&lake, "admin", analyze).await.unwrap();
    assert!(names(&counted).is_empty());
    let code = async |user: &str, sql: &str| plan(&lake, user, sql).await.unwrap_err().code();
    let other =
        "ANALYZE TABLE p PARTITION (n = 8, s = 'x', d = '2024-01-01', m = 1) COMPUTE STATISTICS";
    assert_eq!(code("admin", other).await, Code::UndefinedObject);
    // What a key is called shows in no error to those that do not see it.
    lake.ok("GRANT ALTER ON TABLE p TO ann; GRANT SELECT (a) ON TABLE p TO ann")
        .await;
    assert_eq!(code("ann", analyze).await, Code::PermissionDenied);
    let unknown = "ANALYZE TABLE p PARTITION (nothing = 1) COMPUTE STATISTICS";
    assert_eq!(code("ann", unknown).await, Code::PermissionDenied);
}

#[tokio::test]
async fn keys_without_a_value_mean_every_partition_of_them() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE p (a INT) PARTITIONED BY (n INT, s STRING) STORED AS PARQUET LOCATION 's3://lake/p/';
             ALTER TABLE p ADD PARTITION (n = '07', s = 'x') PARTITION (n = 7, s = NULL) PARTITION (n = 8, s = 'x')")
        .await;
    let analyze = "ANALYZE TABLE p PARTITION (n = 7, s) COMPUTE STATISTICS FOR COLUMNS";
    let some = plan(&lake, "admin", analyze).await.unwrap();
    let long = |values: [i64; 1]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let row = |count: i64, n: &str, s: &str| {
        let values = [[count], [count], [2], [1], [5]].map(long);
        let values = values.into_iter().chain([text(n), text(s)]);
        let names = (0..).map(|place: u8| place.to_string());
        RecordBatch::try_from_iter(names.zip(values)).unwrap()
    };
    let bytes = HashMap::from([
        (Arc::from("n=07/s=x"), 50),
        (Arc::from("n=7/s=__HIVE_DEFAULT_PARTITION__"), 60),
        (Arc::from("n=8/s=x"), 70),
    ]);
    // A partition without rows has statistics; rows of a partition that came later have none.
    let rows = [row(10, "7", "x"), row(20, "7", "later")];
    let found = some.statistics_of_partitions(&rows, &bytes).unwrap();
    let mut found: Vec<_> = found
        .iter()
        .map(|(values, found)| (values.join("/"), found.row_count, found.file_bytes))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("07/x".to_owned(), 10, 50),
            ("7/__HIVE_DEFAULT_PARTITION__".to_owned(), 0, 60),
        ]
    );
    let all = plan(
        &lake,
        "admin",
        "ANALYZE TABLE p PARTITION (n, s) COMPUTE STATISTICS",
    )
    .await;
    let Statement::Query(query) = all.unwrap().query().unwrap() else {
        panic!()
    };
    assert!(!query.to_string().contains("WHERE"), "{query}");
    for (spec, message) in [
        ("s", "partition key \"n\" has no value"),
        ("n = 7, n, s", "partition key \"n\" is given twice"),
        ("n, s, s", "partition key \"s\" is given twice"),
        ("n, other", "\"other\" is no partition key"),
    ] {
        let sql = format!("ANALYZE TABLE p PARTITION ({spec}) COMPUTE STATISTICS");
        let error = plan(&lake, "admin", &sql).await.unwrap_err();
        assert!(error.message().starts_with(message), "{spec}: {error}");
    }
}

#[tokio::test]
async fn the_row_of_the_query_becomes_statistics() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE t (b BOOLEAN, \"a\"\"b\" INT, d DOUBLE, m DECIMAL(10,2), s STRING, day DATE, at TIMESTAMP, x BINARY) STORED AS PARQUET LOCATION 's3://lake/t/'")
        .await;
    let plan = plan(&lake, "admin", "ANALYZE t").await.unwrap();
    let Statement::Query(query) = plan.query().unwrap() else {
        panic!()
    };
    let text = query.to_string();
    assert!(text.contains("min(\"a\"\"b\")"), "{text}");
    assert!(text.ends_with("FROM \"sales\".\"t\""), "{text}");
    let long = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let values: Vec<ArrayRef> = vec![
        long(10),
        // b
        long(9),
        long(4),
        long(5),
        // a"b
        long(10),
        Arc::new(UInt64Array::from(vec![7])),
        Arc::new(Int32Array::from(vec![-3])),
        Arc::new(Int32Array::from(vec![40])),
        // d
        long(10),
        long(3),
        Arc::new(Float64Array::from(vec![0.5])),
        Arc::new(Float64Array::from(vec![f64::NAN])),
        // m
        long(10),
        long(3),
        Arc::new(
            Decimal128Array::from(vec![150])
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        Arc::new(
            Decimal128Array::from(vec![12_345])
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        // s
        long(8),
        long(6),
        Arc::new(Int32Array::from(vec![12])),
        Arc::new(Float64Array::from(vec![4.5])),
        // day
        long(0),
        long(0),
        Arc::new(Date32Array::from(vec![None::<i32>])),
        Arc::new(Date32Array::from(vec![Some(1)])),
        // at
        long(10),
        long(2),
        Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
        Arc::new(TimestampMicrosecondArray::from(vec![2_000_000])),
        // x
        long(1),
    ];
    let names = (0..values.len()).map(|place| place.to_string());
    let row = RecordBatch::try_from_iter_with_nullable(
        names.zip(values).map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let found = plan.statistics(&row, 99).unwrap();
    assert_eq!((found.row_count, found.file_bytes), (10, 99));
    let nulls: Vec<u64> = found.columns.iter().map(ColumnStatistics::nulls).collect();
    assert_eq!(nulls, [1, 0, 0, 0, 2, 10, 0, 9]);
    let distinct: Vec<_> = found
        .columns
        .iter()
        .map(ColumnStatistics::distinct_values)
        .collect();
    let expected = [2, 7, 3, 3, 6, 0, 2].map(Some);
    assert_eq!(distinct, [expected.as_slice(), &[None]].concat());
    let shown = format!("{found:?}");
    for part in [
        "Long { data: RangeStatistics { minimum_value: Some(-3), maximum_value: Some(40)",
        "Double { data: RangeStatistics { minimum_value: Some(0.5), maximum_value: None",
        "Date { data: RangeStatistics { minimum_value: None, maximum_value: Some(86400)",
        "Long { data: RangeStatistics { minimum_value: Some(1), maximum_value: Some(2)",
        "maximum_length: 12, average_length: 4.5",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let ColumnStatisticsData::Decimal { data } = &found.columns[3].statistics_data else {
        panic!()
    };
    let maximum = data.maximum_value.as_ref().unwrap();
    assert_eq!((maximum.unscaled(), maximum.scale), (Some(12_345), 2));
    assert!(plan.statistics(&row.project(&[0]).unwrap(), 0).is_err());
}
