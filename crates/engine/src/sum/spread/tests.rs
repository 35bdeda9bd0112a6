#![allow(clippy::unwrap_used)]
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::Code;

use super::*;

/// Returns the values of the first column.
async fn values(sql: &str) -> Result<Vec<Option<f64>>> {
    let config = SessionConfig::new().with_target_partitions(3);
    let mut state = SessionContext::new_with_config(config).state();
    register_spreads(&mut state).unwrap();
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let mut values = Vec::new();
    for batch in frame.collect().await? {
        values.extend(
            batch
                .column(0)
                .as_primitive::<arrow::datatypes::Float64Type>(),
        );
    }
    Ok(values)
}

const CLOSE: &str = "(VALUES (1, 1000000000000000001), (1, 1000000000000000002), (1, 1000000000000000003), (1, NULL), (2, 5), (3, NULL)) t(g, x)";

// PostgreSQL 15.
#[tokio::test]
async fn numbers_beyond_those_of_doubles_are_told_apart() {
    for (call, expected) in [
        ("var_pop(x)", Some(2.0 / 3.0)),
        ("var_samp(x)", Some(1.0)),
        ("stddev_pop(x)", Some((2.0f64 / 3.0).sqrt())),
        ("stddev(x)", Some(1.0)),
        ("var_pop(DISTINCT x / 2)", Some(0.25)),
        ("var_pop(-x)", Some(2.0 / 3.0)),
        (
            "var_pop(CAST(x AS DECIMAL(38,2)) + CAST(0.25 AS DECIMAL(3,2)))",
            Some(2.0 / 3.0),
        ),
        (
            "var_samp(CAST(x - 1000000000000000000 AS DECIMAL(9,4)) / 10)",
            Some(0.01),
        ),
        (
            "var_samp(CAST(x - 1000000000000000000 AS DOUBLE))",
            Some(1.0),
        ),
    ] {
        let sql = format!("SELECT {call} FROM {CLOSE} WHERE g = 1");
        assert_eq!(values(&sql).await.unwrap(), [expected], "{call}");
    }
}

#[tokio::test]
async fn groups_and_frames_have_their_own() {
    let sql = format!("SELECT var_samp(x) FROM {CLOSE} GROUP BY g ORDER BY g");
    assert_eq!(values(&sql).await.unwrap(), [Some(1.0), None, None]);
    let sql = format!("SELECT var_pop(x) FROM {CLOSE} GROUP BY g ORDER BY g");
    let expected = [Some(2.0 / 3.0), Some(0.0), None];
    assert_eq!(values(&sql).await.unwrap(), expected);
    let sql =
        format!("SELECT var_pop(x) FILTER (WHERE x % 2 = 1) FROM {CLOSE} GROUP BY g ORDER BY g");
    assert_eq!(values(&sql).await.unwrap(), [Some(1.0), Some(0.0), None]);
    let sql = format!(
        "SELECT var_pop(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS v FROM {CLOSE} WHERE x > 5 ORDER BY x"
    );
    let expected = [Some(0.0), Some(0.25), Some(0.25)];
    assert_eq!(values(&sql).await.unwrap(), expected);
}

#[tokio::test]
async fn squares_that_do_not_fit_are_an_error() {
    let largest = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))";
    let rows = vec![format!("({largest})"); 8].join(", ");
    let error = values(&format!("SELECT var_pop(x) FROM (VALUES {rows}) t(x)")).await;
    let error = lakegate_error::from_engine(error.unwrap_err());
    assert_eq!(error.code(), Code::NumericOutOfRange);
    let rows = vec![format!("({largest})"); 4].join(", ");
    let zero = values(&format!("SELECT var_pop(x) FROM (VALUES {rows}) t(x)")).await;
    assert_eq!(zero.unwrap(), [Some(0.0)]);
}
