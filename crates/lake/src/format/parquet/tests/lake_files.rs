//! Files as other writers make them, each with the rows that it holds.

use super::*;

/// A file or all files of a folder of the tests' data.
async fn lake(columns: &[(&str, &str)], folder: &str) -> Lake {
    let lake = Lake::new(columns);
    let folder = format!(
        "{}/../../tests/data/lake/{folder}",
        env!("CARGO_MANIFEST_DIR")
    );
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        lake.put(&name, std::fs::read(path).unwrap()).await;
    }
    lake
}

/// The rows of a query, whether footers are read while it is planned or not.
async fn both(lake: &mut Lake, sql: &str) -> Vec<Vec<String>> {
    lake.max_statistics_files = 0;
    let late = lake.rows(sql).await;
    lake.max_statistics_files = 4096;
    assert_eq!(lake.rows(sql).await, late, "{sql}");
    late
}

#[tokio::test]
async fn int96_holds_years_from_1600_to_9999_and_is_rounded_down() {
    let mut lake = lake(&[("id", "int"), ("ts", "timestamp")], "int96-range").await;
    let rows = both(&mut lake, "SELECT id, ts FROM t ORDER BY id").await;
    assert_eq!(
        rows,
        [
            ["1", "1600-02-29T12:00:00"],
            ["2", "1677-09-21T00:12:42"],
            ["3", "1899-12-31T23:59:59.999999"],
            ["4", "1969-12-31T23:59:59.500"],
            ["5", "2024-05-05T12:30:00.000001"],
            ["6", "2262-04-11T23:47:17"],
            ["7", "9999-12-31T23:59:59.999999"],
            ["8", "NULL"],
        ]
    );
}

#[tokio::test]
async fn decimals_of_every_physical_type_are_found_by_conditions() {
    let columns = [("src", "string"), ("amount", "decimal(10,2)")];
    let mut lake = lake(&columns, "decimal-physical").await;
    let sql = "SELECT src, amount FROM t WHERE amount < 0 OR amount >= CAST('9999999.99' AS DECIMAL(10,2)) ORDER BY src, amount";
    assert_eq!(
        both(&mut lake, sql).await,
        [
            ["binary", "-1.28"],
            ["fixed16", "-0.01"],
            ["fixed16", "12345678.90"],
            ["fixed5", "-1.00"],
            ["fixed5", "99999999.99"],
            ["int32", "-123.45"],
            ["int32", "9999999.99"],
            ["int64", "-543.21"],
            ["int64", "99999999.99"],
        ]
    );
}

#[tokio::test]
async fn nan_that_statistics_do_not_show_is_found() {
    let mut lake = lake(&[("id", "int"), ("x", "double")], "nan-statistics").await;
    for (condition, ids) in [
        ("x = 1.0", vec!["1", "3"]),
        ("x <> 1.0", vec!["2"]),
        ("NOT (x < 10.0)", vec!["2"]),
        ("x > 1.0", vec!["2"]),
        ("x IS NOT NULL", vec!["1", "2", "3"]),
    ] {
        let sql = format!("SELECT id FROM t WHERE {condition} ORDER BY id");
        assert_eq!(both(&mut lake, &sql).await.concat(), ids, "{condition}");
    }
    let rows = both(&mut lake, "SELECT min(x), max(x), count(x) FROM t").await;
    assert_eq!(rows, [["1.0", "NaN", "3"]]);
    let rows = both(&mut lake, "SELECT id FROM t ORDER BY x DESC LIMIT 1").await;
    assert_eq!(rows, [["2"]]);
}

#[tokio::test]
async fn null_of_a_row_group_that_does_not_count_them_is_found() {
    let mut lake = lake(&[("k", "int")], "topk-null-count").await;
    for (sql, rows) in [
        (
            "SELECT k FROM t ORDER BY k ASC NULLS FIRST LIMIT 1",
            vec!["NULL"],
        ),
        (
            "SELECT k FROM t ORDER BY k DESC NULLS FIRST LIMIT 1",
            vec!["NULL"],
        ),
        ("SELECT count(*) FROM t WHERE k IS NULL", vec!["1"]),
        ("SELECT count(k) FROM t", vec!["8"]),
    ] {
        assert_eq!(both(&mut lake, sql).await.concat(), rows, "{sql}");
    }
}
#[tokio::test]
async fn hadoops_lz4_is_read_in_any_number_of_frames() {
    let mut lake = lake(&[("n", "bigint")], "lz4-in-frames").await;
    let rows = both(
        &mut lake,
        "SELECT count(*), sum(n), min(n), max(n) FROM t WHERE n IS NOT NULL",
    )
    .await;
    assert_eq!(rows, [["40000", "799980000", "0", "39999"]]);
}
