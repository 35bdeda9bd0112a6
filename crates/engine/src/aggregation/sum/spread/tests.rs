#![allow(clippy::unwrap_used)]
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::Code;

use super::*;

/// Returns the values of the first column, as texts.
async fn values(sql: &str) -> Result<Vec<Option<String>>> {
    let config = SessionConfig::new().with_target_partitions(3);
    let mut state = SessionContext::new_with_config(config).state();
    register_spreads(&mut state).unwrap();
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let mut values = Vec::new();
    for batch in frame.collect().await? {
        let texts = cast(batch.column(0), &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        values.extend(texts.iter().map(|text| text.map(str::to_owned)));
    }
    Ok(values)
}

fn texts(values: &[Option<&str>]) -> Vec<Option<String>> {
    let values = values.iter();
    values.map(|text| text.map(str::to_owned)).collect()
}

const CLOSE: &str = "(VALUES (1, 1000000000000000001), (1, 1000000000000000002), (1, 1000000000000000003), (1, NULL), (2, 5), (3, NULL)) t(g, x)";

// PostgreSQL 15.
#[tokio::test]
async fn numbers_beyond_those_of_doubles_are_told_apart() {
    for (call, expected) in [
        ("var_pop(x)", "0.6666666666666667"),
        ("var_samp(x)", "1.0000000000000000"),
        ("stddev_pop(x)", "0.8164965809277260"),
        ("stddev(x)", "1.0000000000000000"),
        ("var_pop(DISTINCT x / 2)", "0.2500000000000000"),
        ("stddev_pop(DISTINCT x / 2)", "0.5000000000000000"),
        ("var_pop(-x)", "0.6666666666666667"),
        (
            "var_pop(CAST(x AS DECIMAL(38,2)) + CAST(0.25 AS DECIMAL(3,2)))",
            "0.6666666666666667",
        ),
        (
            "var_samp(CAST(x - 1000000000000000000 AS DECIMAL(9,4)) / 10)",
            "0.0100000000000000",
        ),
        (
            "stddev(CAST(x - 1000000000000000000 AS DECIMAL(20,18)))",
            "1.000000000000000000",
        ),
        ("var_samp(CAST(x - 1000000000000000000 AS DOUBLE))", "1.0"),
    ] {
        let sql = format!("SELECT {call} FROM {CLOSE} WHERE g = 1");
        assert_eq!(
            values(&sql).await.unwrap(),
            texts(&[Some(expected)]),
            "{call}"
        );
    }
}

#[tokio::test]
async fn groups_and_frames_have_their_own() {
    let sql = format!("SELECT var_samp(x) FROM {CLOSE} GROUP BY g ORDER BY g");
    let one = Some("1.0000000000000000");
    let zero = Some("0.0000000000000000");
    let expected = texts(&[one, None, None]);
    assert_eq!(values(&sql).await.unwrap(), expected);
    let sql = format!("SELECT var_pop(x) FROM {CLOSE} GROUP BY g ORDER BY g");
    let expected = texts(&[Some("0.6666666666666667"), zero, None]);
    assert_eq!(values(&sql).await.unwrap(), expected);
    let sql =
        format!("SELECT var_pop(x) FILTER (WHERE x % 2 = 1) FROM {CLOSE} GROUP BY g ORDER BY g");
    let expected = texts(&[one, zero, None]);
    assert_eq!(values(&sql).await.unwrap(), expected);
    let sql = format!(
        "SELECT var_pop(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS v FROM {CLOSE} WHERE x > 5 ORDER BY x"
    );
    let quarter = Some("0.2500000000000000");
    let expected = texts(&[zero, quarter, quarter]);
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
    assert_eq!(zero.unwrap(), texts(&[Some("0.0000000000000000")]));
}

#[tokio::test]
async fn results_of_too_many_digits_are_an_error() {
    let rows = "(VALUES (0), (200000000000)) t(x)";
    let error = values(&format!("SELECT var_pop(x) FROM {rows}")).await;
    let error = lakegate_error::from_engine(error.unwrap_err());
    assert_eq!(error.code(), Code::NumericOutOfRange);
    let deviation = values(&format!("SELECT stddev_pop(x) FROM {rows}")).await;
    assert_eq!(
        deviation.unwrap(),
        texts(&[Some("100000000000.0000000000000000")])
    );
}
