#![allow(clippy::unwrap_used)]
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

const MAX: &str = "99999999999999999999999999999999999999";

async fn run(sql: &str) -> Result<String> {
    // Small batches over several partitions, so that partial sums are merged and states are made
    // from rows.
    let config = SessionConfig::new()
        .with_target_partitions(3)
        .with_batch_size(2)
        .set_u64(
            "datafusion.execution.skip_partial_aggregation_probe_rows_threshold",
            2,
        );
    let mut state = SessionContext::new_with_config(config).state();
    register(&mut state)?;
    let batches = SessionContext::new_with_state(state)
        .sql(sql)
        .await?
        .collect()
        .await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

async fn is_out_of_range(sql: &str) {
    let error = lakegate_error::from_engine(run(sql).await.unwrap_err());
    assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
}

fn decimals(values: &[&str]) -> String {
    let rows: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(row, value)| format!("({row}, CAST('{value}' AS DECIMAL(38,0)))"))
        .collect();
    format!("(VALUES {}) t(n, x)", rows.join(", "))
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_an_error() {
    let minus = format!("-{MAX}");
    for values in [vec![MAX; 2], vec![MAX; 20], vec![minus.as_str(); 7]] {
        let rows = decimals(&values);
        for sql in [
            format!("SELECT sum(x) FROM {rows}"),
            format!("SELECT n % 1, sum(x) FROM {rows} GROUP BY n % 1"),
            format!("SELECT sum(x) OVER (ORDER BY n) FROM {rows}"),
            format!("SELECT sum(x) OVER (ORDER BY n ROWS 1 PRECEDING) FROM {rows}"),
        ] {
            is_out_of_range(&sql).await;
        }
    }
    let rows = decimals(&[MAX; 20]);
    is_out_of_range(&format!("SELECT sum(DISTINCT x - n) FROM {rows}")).await;
    for sql in [
        "SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) t(x)",
        "SELECT sum(x) FROM (VALUES (9223372036854775807), (NULL), (9223372036854775807)) t(x)",
        "SELECT sum(DISTINCT x) FROM (VALUES (9223372036854775807), (1), (1)) t(x)",
        "SELECT g, sum(x), count(DISTINCT x), sum(DISTINCT x)
         FROM (VALUES (1, 9223372036854775807), (1, 1), (2, 3)) t(g, x) GROUP BY g",
        "SELECT sum(x + 1) FROM (VALUES (9223372036854775806), (1)) t(x)",
        "SELECT sum(x) FILTER (WHERE x > 0) FROM (VALUES (-1), (9223372036854775807), (1)) t(x)",
        "SELECT sum(CAST(x AS BIGINT UNSIGNED)) FROM (VALUES (CAST('18446744073709551615' AS BIGINT UNSIGNED)), (1)) t(x)",
    ] {
        is_out_of_range(sql).await;
    }
}

#[tokio::test]
async fn no_order_of_rows_makes_a_sum_that_fits_an_error() {
    let minus = format!("-{MAX}");
    let values = [MAX, MAX, MAX, MAX, &minus, &minus, &minus, "5", "-7"];
    let rows = decimals(&values);
    let expected = "99999999999999999999999999999999999997";
    for sql in [
        format!("SELECT sum(x) FROM {rows}"),
        format!("SELECT n % 1, sum(x) FROM {rows} GROUP BY n % 1"),
    ] {
        let shown = run(&sql).await.unwrap();
        assert!(shown.contains(expected), "{shown}");
    }
    let shown = run("SELECT sum(x) FROM (VALUES (9223372036854775807), (9223372036854775807), (-9223372036854775808), (-9223372036854775807)) t(x)")
        .await
        .unwrap();
    assert!(shown.contains("| -1 "), "{shown}");
    // A frame that slides over rows whose running sum would not fit.
    let shown = run(
        "SELECT n, sum(x) OVER (ORDER BY n ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS s FROM
         (VALUES (1, 9223372036854775807), (2, 9223372036854775807), (3, -9223372036854775807), (4, NULL), (5, NULL), (6, NULL)) t(n, x)
         ORDER BY n",
    )
    .await
    .unwrap();
    assert!(shown.contains("| 1 | 0 "), "{shown}");
    assert!(shown.contains("| 2 | -9223372036854775807 |"), "{shown}");
    assert!(shown.contains("| 4 |        "), "{shown}");
}

#[tokio::test]
async fn sums_are_as_they_were() {
    for (sql, expected) in [
        (
            "SELECT sum(x), sum(DISTINCT x) FROM (VALUES (1), (2), (2), (NULL)) t(x)",
            "| 5 ",
        ),
        (
            "SELECT sum(DISTINCT x) FROM (VALUES (1), (2), (2), (NULL)) t(x)",
            "| 3 ",
        ),
        ("SELECT sum(x) FROM (VALUES (1.5), (2.5)) t(x)", "| 4.0 "),
        (
            "SELECT sum(CAST(x AS TINYINT)) FROM (VALUES (127), (127)) t(x)",
            "| 254 ",
        ),
        (
            "SELECT sum(CAST(x AS DECIMAL(10,2))) FROM (VALUES (99999999.99), (99999999.99)) t(x)",
            "| 199999999.98 ",
        ),
        ("SELECT sum(x) FROM (VALUES (1)) t(x) WHERE x > 1", "|   "),
        (
            "SELECT g, sum(x) FILTER (WHERE x > 1) FROM (VALUES (1, 1), (1, 2), (2, 5), (2, 6), (1, 7), (2, NULL)) t(g, x) GROUP BY g ORDER BY g",
            "| 11 ",
        ),
        (
            "SELECT sum(DISTINCT x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES (2), (2), (2), (7)) t(x)",
            "| 9 ",
        ),
    ] {
        let shown = run(sql).await.unwrap();
        assert!(shown.contains(expected), "{sql}: {shown}");
    }
}

#[test]
fn states_of_rows_follow_filters_with_and_without_nulls() {
    let sums = GroupedSum::<Int64Type, Int64Type>::new(Kind::of(&DataType::Int64).unwrap());
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
    for filter in [
        BooleanArray::from(vec![true, false, true]),
        BooleanArray::from(vec![Some(true), None, Some(true)]),
    ] {
        let state = sums.convert_to_state(&[Arc::clone(&values)], Some(&filter));
        let state = state.unwrap();
        let sums = state.first().unwrap();
        let has_value: Vec<bool> = (0..sums.len()).map(|row| sums.is_valid(row)).collect();
        assert_eq!(has_value, [true, false, false]);
    }
}
