#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::Code;

use super::*;

const NAN: &str = "CAST('NaN' AS DOUBLE)";
const INFINITY: &str = "CAST('Infinity' AS DOUBLE)";

/// Returns the rows of a query, one per line.
async fn rows(sql: &str, partitions: usize) -> Result<Vec<String>> {
    let config = SessionConfig::new().with_target_partitions(partitions);
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .build();
    crate::windows::frames::register(&mut state)?;
    register_pairs(&mut state)?;
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        for row in 0..batch.num_rows() {
            let mut cells = Vec::new();
            for column in batch.columns() {
                cells.push(match column.is_null(row) {
                    true => "NULL".to_owned(),
                    false => array_value_to_string(column, row)?,
                });
            }
            rows.push(cells.join(" "));
        }
    }
    Ok(rows)
}

const ALL: &str =
    "corr(y, x), regr_slope(y, x), regr_intercept(y, x), regr_r2(y, x), regr_sxx(y, x),
    regr_syy(y, x), regr_sxy(y, x), regr_avgx(y, x), covar_pop(y, x), covar_samp(y, x)";

/// The results are those of PostgreSQL 15.
#[tokio::test]
async fn numbers_that_are_not_finite_make_nan() {
    for (pairs, expected) in [
        (
            format!("(1e0, {NAN})"),
            "NULL NaN NaN 1.0 NaN 0.0 NaN NaN NaN NULL",
        ),
        (
            format!("({NAN}, 1e0)"),
            "NULL NULL NULL NULL 0.0 NaN NaN 1.0 NaN NULL",
        ),
        (
            format!("({NAN}, {NAN})"),
            "NaN NaN NaN NaN NaN NaN NaN NaN NaN NULL",
        ),
        (
            format!("(1e0, {NAN}), (2e0, 2e0), (3e0, 5e0)"),
            "NaN NaN NaN NaN NaN 2.0 NaN NaN NaN NaN",
        ),
        (
            format!("(2e0, 2e0), (3e0, 5e0), (1e0, {INFINITY})"),
            "NaN NaN NaN NaN NaN 2.0 NaN inf NaN NaN",
        ),
        (
            format!("(2e0, 2e0), (2e0, 5e0), (2e0, {NAN})"),
            "NULL NaN NaN 1.0 NaN 0.0 NaN NaN NaN NaN",
        ),
        (
            "(2e0, 2e0), (4e0, NULL), (4e0, 4e0)".to_owned(),
            "1.0 1.0 0.0 1.0 2.0 2.0 2.0 3.0 1.0 2.0",
        ),
        (
            "(CAST(NULL AS DOUBLE), 1e0)".to_owned(),
            "NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL",
        ),
    ] {
        for partitions in [1, 4] {
            let sql = format!("SELECT {ALL} FROM (VALUES {pairs}) t(y, x)");
            assert_eq!(rows(&sql, partitions).await.unwrap(), [expected], "{sql}");
            let sql = format!("{sql} GROUP BY y > -1e300 OR y IS NULL");
            assert_eq!(rows(&sql, partitions).await.unwrap(), [expected], "{sql}");
        }
    }
}

#[tokio::test]
async fn frames_of_one_row_have_lines_too() {
    let sql = format!(
        "SELECT regr_slope(y, x) OVER w, corr(y, x) OVER w, regr_r2(y, x) OVER w
         FROM (VALUES (1, {NAN}, 1e0), (2, 2e0, {NAN}), (3, 4e0, 5e0)) t(i, y, x)
         WINDOW w AS (ORDER BY i ROWS BETWEEN CURRENT ROW AND CURRENT ROW) ORDER BY i"
    );
    let expected = ["NULL NULL NULL", "NaN NULL 1.0", "NULL NULL NULL"];
    assert_eq!(rows(&sql, 1).await.unwrap(), expected);
}

#[tokio::test]
async fn groups_keep_the_digits_of_large_numbers() {
    let sql =
        "SELECT round(corr(y, x), 10) FROM (VALUES (1, 1e9 + 1, 1e9 + 1), (1, 1e9 + 2, 1e9 + 2),
        (1, 1e9 + 3, 1e9 + 4), (2, 1e9, 5e0), (2, 1e9, 6e0)) t(g, y, x) GROUP BY g ORDER BY g";
    for partitions in [1, 4] {
        let expected = ["0.9819805061", "NULL"];
        assert_eq!(rows(sql, partitions).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn sums_that_are_too_large_are_errors() {
    for pairs in [
        "(1e200, 1e200), (2e0, -1e200)",
        "(1e308, 1e0), (1e308, 2e0)",
    ] {
        let sql = format!("SELECT corr(y, x) FROM (VALUES {pairs}) t(y, x)");
        let error = lakegate_error::from_engine(rows(&sql, 1).await.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}");
    }
}

#[test]
fn merged_sums_are_those_of_all_pairs() {
    let pairs = [(2.0, 2.0), (7.0, 5.0), (4.0, 3.5), (1.5, -2.0)];
    let (mut all, mut merged) = (Sums::default(), Sums::default());
    for (y, x) in pairs {
        all.add(y, x).unwrap();
    }
    for part in pairs.chunks(2) {
        let mut sums = Sums::default();
        for (y, x) in part {
            sums.add(*y, *x).unwrap();
        }
        merged.merge(sums).unwrap();
    }
    for (one, other) in all.columns().into_iter().zip(merged.columns()) {
        assert!((one - other).abs() < 1e-12, "{all:?} {merged:?}");
    }
}
