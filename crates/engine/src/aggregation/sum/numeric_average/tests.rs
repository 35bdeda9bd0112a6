#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::Code;

use super::*;

const PLACES_16: DataType = DataType::Decimal128(38, 16);

/// Returns the values of the first column, and its type.
async fn values(sql: &str, partitions: usize) -> Result<(Vec<String>, DataType)> {
    // Small batches, so that partial sums are merged and states are made from rows.
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(2)
        .set_u64(
            "datafusion.execution.skip_partial_aggregation_probe_rows_threshold",
            2,
        );
    let mut state = SessionContext::new_with_config(config).state();
    crate::aggregation::sum::register(&mut state)?;
    register_averages(&mut state)?;
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let mut values = Vec::new();
    let mut data_type = DataType::Null;
    for batch in frame.collect().await? {
        let column = batch.column(0);
        data_type = column.data_type().clone();
        for row in 0..column.len() {
            values.push(array_value_to_string(column, row)?);
        }
    }
    Ok((values, data_type))
}

async fn gives(sql: &str, expected: &[&str], data_type: &DataType) {
    for partitions in [1, 3] {
        let (found, of) = values(sql, partitions).await.unwrap();
        assert_eq!(found, expected, "{sql}");
        assert_eq!(of, *data_type, "{sql}");
    }
}

async fn is_out_of_range(sql: &str) {
    for partitions in [1, 3] {
        let error = values(sql, partitions).await.unwrap_err();
        let error = lakegate_error::from_engine(error);
        assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
    }
}

// PostgreSQL 15 has the same values, some with fewer zeros at the end.
#[tokio::test]
async fn averages_of_integers_are_exact() {
    const ROWS: &str = "(VALUES (1, 1), (1, 2), (1, 2), (2, -5), (2, NULL), (3, NULL)) t(g, x)";
    const MAX: i64 = i64::MAX;
    for (sql, expected) in [
        (
            format!("SELECT avg(x) FROM {ROWS}"),
            vec!["0.0000000000000000"],
        ),
        (
            format!("SELECT avg(x) FROM {ROWS} GROUP BY g ORDER BY g"),
            vec!["1.6666666666666667", "-5.0000000000000000", ""],
        ),
        (
            format!("SELECT avg(DISTINCT x) FROM {ROWS} GROUP BY g ORDER BY g"),
            vec!["1.5000000000000000", "-5.0000000000000000", ""],
        ),
        (
            format!("SELECT avg(x) FILTER (WHERE x < 2) FROM {ROWS} GROUP BY g ORDER BY g"),
            vec!["1.0000000000000000", "-5.0000000000000000", ""],
        ),
        (
            format!("SELECT avg(-x) FROM {ROWS} WHERE g = 1"),
            vec!["-1.6666666666666667"],
        ),
        (
            format!("SELECT avg(x) FROM {ROWS} WHERE x IS NULL"),
            vec![""],
        ),
        (
            format!("SELECT avg(CAST(x AS SMALLINT)) FROM {ROWS} WHERE g < 2"),
            vec!["1.6666666666666667"],
        ),
        (
            format!("SELECT avg(x) AS a FROM {ROWS} GROUP BY ROLLUP (g) ORDER BY a"),
            vec![
                "-5.0000000000000000",
                "0.0000000000000000",
                "1.6666666666666667",
                "",
            ],
        ),
        (
            format!("SELECT avg(x) FROM (VALUES ({MAX}), ({MAX})) t(x)"),
            vec!["9223372036854775807.0000000000000000"],
        ),
        (
            format!("SELECT avg(x) FROM (VALUES ({MAX}), ({MAX} - 1), ({MAX} - 1)) t(x)"),
            vec!["9223372036854775806.3333333333333333"],
        ),
        (
            format!("SELECT avg(x) FROM (VALUES (-{MAX} - 1), (-{MAX})) t(x)"),
            vec!["-9223372036854775807.5000000000000000"],
        ),
        // As a window.
        (
            format!(
                "SELECT avg(x) OVER (ORDER BY g ROWS 1 PRECEDING) FROM
                 (VALUES (1, {MAX}), (2, 2), (3, NULL), (4, NULL), (5, 1)) t(g, x) ORDER BY g"
            ),
            vec![
                "9223372036854775807.0000000000000000",
                "4611686018427387904.5000000000000000",
                "2.0000000000000000",
                "",
                "1.0000000000000000",
            ],
        ),
        (
            format!("SELECT avg(x) OVER (PARTITION BY g ORDER BY x) FROM {ROWS} WHERE g = 1"),
            vec![
                "1.0000000000000000",
                "1.6666666666666667",
                "1.6666666666666667",
            ],
        ),
        (
            "SELECT avg(x) FROM generate_series(1, 5000) t(x)".to_owned(),
            vec!["2500.5000000000000000"],
        ),
    ] {
        gives(&sql, &expected, &PLACES_16).await;
    }
}

fn decimals(values: &[&str], data_type: &str) -> String {
    let rows = values.iter().enumerate();
    let rows: Vec<String> = rows
        .map(|(row, value)| format!("({row}, CAST('{value}' AS {data_type}))"))
        .collect();
    format!("(VALUES {}) t(n, x)", rows.join(", "))
}

#[tokio::test]
async fn averages_of_decimals_have_their_digits_and_16_at_least() {
    let rows = decimals(&["1.50", "2.25", "2.25"], "DECIMAL(10,2)");
    let sql = format!("SELECT avg(x) FROM {rows}");
    gives(&sql, &["2.0000000000000000"], &PLACES_16).await;
    let sql = format!("SELECT avg(DISTINCT x) FROM {rows}");
    gives(&sql, &["1.8750000000000000"], &PLACES_16).await;
    let sql = format!("SELECT avg(x) OVER (ORDER BY n ROWS 1 PRECEDING) FROM {rows} ORDER BY n");
    let expected = [
        "1.5000000000000000",
        "1.8750000000000000",
        "2.2500000000000000",
    ];
    gives(&sql, &expected, &PLACES_16).await;
    let sql = format!("SELECT avg(x) OVER (ORDER BY n) FROM {rows} ORDER BY n");
    let expected = [
        "1.5000000000000000",
        "1.8750000000000000",
        "2.0000000000000000",
    ];
    gives(&sql, &expected, &PLACES_16).await;

    let rows = decimals(&["0.00000000000000000001", "0"], "DECIMAL(30,20)");
    let sql = format!("SELECT avg(x) FROM {rows}");
    let expected = ["0.00000000000000000001"];
    gives(&sql, &expected, &DataType::Decimal128(38, 20)).await;
}

#[tokio::test]
async fn only_averages_that_do_not_fit_are_errors() {
    const LARGEST: &str = "9999999999999999999999.999999999999999";
    let minus = format!("-{LARGEST}");
    let many = [LARGEST; 9];
    let rows = decimals(&many, "DECIMAL(37,15)");
    let largest = format!("{LARGEST}0");
    for sql in [
        format!("SELECT avg(x) FROM {rows}"),
        format!("SELECT avg(x) FROM {rows} GROUP BY n % 1"),
    ] {
        gives(&sql, &[largest.as_str()], &PLACES_16).await;
    }
    let rows = decimals(&[LARGEST, &minus, LARGEST, &minus], "DECIMAL(37,15)");
    let sql = format!("SELECT avg(x) FROM {rows}");
    gives(&sql, &["0.0000000000000000"], &PLACES_16).await;

    // Sums that 128 bits do not hold.
    const FULL: &str = "9999999999999999999999.9999999999999999";
    let rows = decimals(&[FULL; 20], "DECIMAL(38,16)");
    for sql in [
        format!("SELECT avg(x) FROM {rows}"),
        format!("SELECT avg(x) FROM {rows} GROUP BY n % 1"),
        format!("SELECT avg(x) OVER () FROM {rows} LIMIT 1"),
    ] {
        gives(&sql, &[FULL], &PLACES_16).await;
    }
    let rows = decimals(
        &["99999999999999999999999999999999999999"; 2],
        "DECIMAL(38,0)",
    );
    for sql in [
        format!("SELECT avg(x) FROM {rows}"),
        format!("SELECT avg(x) FROM {rows} GROUP BY n % 1"),
        format!("SELECT avg(DISTINCT x) FROM {rows}"),
        format!("SELECT avg(x) OVER (ORDER BY n) FROM {rows}"),
    ] {
        is_out_of_range(&sql).await;
    }
}

#[tokio::test]
async fn averages_of_other_types_stay() {
    for (sql, expected) in [
        (
            "SELECT avg(CAST(x AS DOUBLE)) FROM (VALUES (1), (2)) t(x)",
            "1.5",
        ),
        ("SELECT avg(x) FROM (VALUES (1.5), (2.5)) t(x)", "2.0"),
    ] {
        gives(sql, &[expected], &DataType::Float64).await;
    }
}

#[test]
fn small_and_large_sums_are_rounded_alike() {
    let division = Division::of(&DataType::Int64).unwrap();
    for (sum, count) in [
        (1, 3),
        (-1, 3),
        (2, 3),
        (-2, 3),
        (7, 1844),
        (0, 5),
        (-12, 7),
    ] {
        let large = division.scaling.quotient(sum, i128::from(count));
        assert_eq!(division.of_small(sum, count), large, "{sum} {count}");
    }
    // A rest that is multiplied beyond 64 bits, and a sum of more.
    assert_eq!(division.of_small(1_999, 2_000), None);
    assert_eq!(division.of_small(1 << 64, 2), None);
    let total = |sum, carries| Total { sum, carries };
    let average = |total, count| division.average(total, count).unwrap();
    assert_eq!(average(total(1_999, 0), 2_000), Some(9_995_000_000_000_000));
    assert_eq!(average(total(0, 0), 0), None);
    // 2^128 / 2^20
    assert!(division.average(total(0, 1), 1 << 20).is_err());
    // 2^128 / 2^60 = 2^68
    let expected = (1_i128 << 68) * 10_000_000_000_000_000;
    assert_eq!(average(total(0, 1), 1 << 60), Some(expected));
    assert_eq!(average(total(0, -1), 1 << 60), Some(-expected));
}
