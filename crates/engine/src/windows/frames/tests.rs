#![allow(clippy::unwrap_used)]

use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

/// Returns the rows of a query, one per line.
async fn rows(sql: &str) -> Vec<String> {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    super::register(&mut state).unwrap();
    let frame = SessionContext::new_with_state(state)
        .sql(sql)
        .await
        .unwrap();
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                match array_value_to_string(column, row).unwrap() {
                    text if text.is_empty() => "NULL".to_owned(),
                    text => text,
                }
            });
            rows.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

#[tokio::test]
async fn what_leaves_a_frame_leaves_nothing_behind() {
    for first in ["'NaN'::DOUBLE", "'Infinity'::DOUBLE", "1e300", "1e5"] {
        let rows = rows(&format!(
            "SELECT sum(x) OVER w AS s, avg(x) OVER w AS a, var_pop(x) OVER w AS v, stddev(x) OVER w AS d
             FROM (VALUES (1, {first}), (2, 1.1), (3, 1.1), (4, NULL), (5, NULL)) t(i, x)
             WINDOW w AS (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i"
        ))
        .await;
        assert_eq!(
            rows[2..],
            ["2.2 1.1 0.0 0.0", "1.1 1.1 0.0 NULL", "NULL NULL NULL NULL"],
            "{first}"
        );
    }
}

/// The results of PostgreSQL 15 for the same rows without a window.
#[tokio::test]
async fn pairs_are_compared_as_if_no_others_had_been_there() {
    let rows = rows(
        "SELECT corr(y, x) OVER w, covar_samp(y, x) OVER w, regr_slope(y, x) OVER w, regr_intercept(y, x) OVER w,
           regr_r2(y, x) OVER w, regr_count(y, x) OVER w, regr_avgx(y, x) OVER w, regr_sxx(y, x) OVER w, regr_sxy(y, x) OVER w
         FROM (VALUES (1, 0.1, 1e9), (2, 0.5, 0.25), (3, 0.5, 0.25), (4, 1.5, 2.25), (5, 2.5, 2.25), (6, NULL, 1.0), (7, 1.0, NULL))
           t (i, x, y) WINDOW w AS (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i",
    )
    .await;
    assert_eq!(
        rows[2..],
        [
            // The frame has one x.
            "NULL 0.0 NULL NULL NULL 2 0.5 0.0 0.0",
            "1.0 1.0 2.0 -0.75 1.0 2 1.0 0.5 1.0",
            // The frame has one y.
            "NULL 0.0 0.0 2.25 1.0 2 2.0 0.5 0.0",
            "NULL NULL NULL NULL NULL 1 2.5 0.0 0.0",
            "NULL NULL NULL NULL NULL 0 NULL NULL NULL",
        ]
    );
}

#[tokio::test]
async fn a_level_line_fits_wholly() {
    let sql = "SELECT regr_r2(y, x) FROM (VALUES (1.0, 5.0), (2.0, 5.0)) t (x, y)";
    assert_eq!(rows(sql).await, ["1.0"]);
    let sql = "SELECT regr_r2(y, x) FROM (VALUES (1.0, 5.0), (1.0, 6.0)) t (x, y)";
    assert_eq!(rows(sql).await, ["NULL"]);
    let sql = "SELECT regr_r2(y, x) FROM (VALUES (1.0, 5.0)) t (x, y)";
    assert_eq!(rows(sql).await, ["NULL"]);
}

#[tokio::test]
async fn a_frame_without_values_has_no_bits() {
    let sql = "SELECT bit_xor(x) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        FROM (VALUES (1, 5), (2, 3), (3, NULL), (4, NULL), (5, 4)) t (i, x) ORDER BY i";
    assert_eq!(rows(sql).await, ["5", "6", "3", "NULL", "4"]);
}

#[tokio::test]
async fn bits_of_a_moving_frame() {
    let rows = rows(
        "SELECT bool_and(x > 0) OVER w, bool_or(x > 0) OVER w, bit_and(x) OVER w, bit_or(x) OVER w
         FROM (VALUES (1, 6), (2, 3), (3, -1), (4, NULL), (5, NULL), (6, 8)) t(i, x)
         WINDOW w AS (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i",
    )
    .await;
    assert_eq!(
        rows,
        [
            "true true 6 6",
            "true true 2 7",
            "false true 3 -1",
            "false false -1 -1",
            "NULL NULL NULL NULL",
            "true true 8 8",
        ]
    );
}
