#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::{Code, from_engine};

use super::*;

async fn batches(sql: &str) -> Result<Vec<RecordBatch>> {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_type_planner(Arc::new(MicrosecondTypes {
            time_zone: Some("UTC".to_owned()),
        }))
        .with_analyzer_rule(Arc::new(Microseconds))
        .build();
    register(&mut state)?;
    SessionContext::new_with_state(state)
        .sql(sql)
        .await?
        .collect()
        .await
}

/// Returns the rows as text. Also checks that all timestamp columns are in microseconds.
async fn rows(sql: &str) -> Vec<String> {
    let batches = match batches(sql).await {
        Ok(batches) => batches,
        Err(error) => return vec![format!("{sql}: {error}")],
    };
    for batch in &batches {
        for field in batch.schema().fields() {
            let other = types::all_in_microseconds(field.data_type());
            assert!(other.is_none(), "{sql}: {field}");
        }
    }
    let shown = pretty_format_batches(&batches).unwrap().to_string();
    shown
        .lines()
        .skip(3)
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.join(" ; ")
        })
        .collect()
}

const FAR: &str = "(VALUES (1, TIMESTAMP '9999-12-31 23:59:59.999999', DATE '9999-12-31'), (2, TIMESTAMP '0001-01-01 00:00:00', DATE '0001-01-01')) v(n, t, d)";

#[tokio::test]
async fn times_beyond_nanoseconds_are_values_like_others() {
    for (select, expected) in [
        (
            "count(*) FROM far WHERE t < TIMESTAMP '9999-12-31 23:59:59'",
            "1",
        ),
        ("count(*) FROM far WHERE t < '9999-12-31 23:59:59'", "1"),
        ("count(*) FROM far WHERE t >= '0001-01-01'", "2"),
        ("count(*) FROM far WHERE t > DATE '9999-12-31'", "1"),
        (
            "count(*) FROM far WHERE d = TIMESTAMP '9999-12-31 00:00:00'",
            "1",
        ),
        (
            "count(*) FROM far WHERE t BETWEEN '0001-01-01' AND DATE '9999-12-31'",
            "1",
        ),
        (
            "count(*) FROM far WHERE t IN (TIMESTAMP '0001-01-01', '9999-12-31 23:59:59.999999')",
            "2",
        ),
        (
            "coalesce(t, TIMESTAMP '2000-01-01') FROM far WHERE n = 1",
            "9999-12-31T23:59:59.999999",
        ),
        (
            "coalesce(NULL, t, now()) IS NULL FROM far WHERE n = 1",
            "false",
        ),
        ("nullif(t, d) FROM far WHERE n = 2", ""),
        (
            "CASE WHEN n = 1 THEN t ELSE d END FROM far WHERE n = 2",
            "0001-01-01T00:00:00",
        ),
        ("greatest(t, d) FROM far WHERE n = 2", "0001-01-01T00:00:00"),
        ("max(t) FROM far", "9999-12-31T23:59:59.999999"),
        (
            "TIMESTAMP '9999-12-30 23:59:59' + (t - TIMESTAMP '9999-12-30 23:59:59') = t FROM far WHERE n = 1",
            "true",
        ),
        (
            "t - INTERVAL '1 day' FROM far WHERE n = 1",
            "9999-12-30T23:59:59.999999",
        ),
        (
            "t + INTERVAL '1 month' FROM far WHERE n = 2",
            "0001-02-01T00:00:00",
        ),
        (
            "date_trunc('year', t) FROM far WHERE n = 1",
            "9999-01-01T00:00:00",
        ),
        (
            "date_trunc('week', t) FROM far WHERE n = 1",
            "9999-12-27T00:00:00",
        ),
        (
            "date_trunc('quarter', d) FROM far WHERE n = 1",
            "9999-10-01T00:00:00",
        ),
        (
            "date_trunc('hour', t) FROM far WHERE n = 1",
            "9999-12-31T23:00:00",
        ),
        (
            "date_bin(INTERVAL '15 minutes', t) FROM far WHERE n = 1",
            "9999-12-31T23:45:00",
        ),
        (
            "date_bin(INTERVAL '1 month', t, TIMESTAMP '2000-01-01') FROM far WHERE n = 1",
            "9999-12-01T00:00:00",
        ),
        ("extract(year FROM t) FROM far WHERE n = 1", "9999"),
        (
            "to_timestamp('9999-12-31 23:59:59')",
            "9999-12-31T23:59:59Z",
        ),
        ("to_timestamp(253402300799)", "9999-12-31T23:59:59Z"),
        ("to_timestamp(-62135596800.5)", "0000-12-31T23:59:59.500Z"),
        ("from_unixtime(253402300799)", "9999-12-31T23:59:59"),
        (
            "CAST(DATE '9999-12-31' AS TIMESTAMP)",
            "9999-12-31T00:00:00",
        ),
        ("DATE '9999-12-31' + TIME '12:00:00'", "9999-12-31T12:00:00"),
        (
            "TIMESTAMP '9999-12-31 12:00:00' AT TIME ZONE 'UTC'",
            "9999-12-31T12:00:00Z",
        ),
        (
            "TIMESTAMP WITH TIME ZONE '9999-12-31 12:00:00+02'",
            "9999-12-31T10:00:00Z",
        ),
        (
            "CAST('9999-12-31' AS TIMESTAMP) FROM far LIMIT 1",
            "9999-12-31T00:00:00",
        ),
        (
            "make_array(t, d) FROM far WHERE n = 2",
            "[0001-01-01T00:00:00, 0001-01-01T00:00:00]",
        ),
        (
            "CAST(make_array('9999-12-31') AS TIMESTAMP[])",
            "[9999-12-31T00:00:00]",
        ),
        ("(SELECT max(t) FROM far) = t FROM far WHERE n = 1", "true"),
        (
            "count(*) FROM far f WHERE EXISTS (SELECT 1 FROM far g WHERE g.d = f.t)",
            "1",
        ),
        ("count(*) FROM far f JOIN far g ON g.d = f.t", "1"),
        (
            "x FROM (SELECT t AS x FROM far UNION ALL SELECT d FROM far) u ORDER BY 1 LIMIT 1",
            "0001-01-01T00:00:00",
        ),
        (
            "x FROM (VALUES (TIMESTAMP '9999-12-31'), (DATE '0001-01-01')) v(x) ORDER BY 1 LIMIT 1",
            "0001-01-01T00:00:00",
        ),
        (
            "lag(t, 1, TIMESTAMP '2000-01-01') OVER (ORDER BY n) FROM far ORDER BY n LIMIT 1",
            "2000-01-01T00:00:00",
        ),
    ] {
        let sql = format!("WITH far AS (SELECT * FROM {FAR}) SELECT {select}");
        let shown = rows(&sql).await;
        assert_eq!(shown, [expected], "{sql}");
    }
}

#[tokio::test]
async fn functions_and_literals_are_microseconds() {
    for sql in [
        "SELECT now(), current_timestamp, to_timestamp(1.5), to_timestamp_seconds(1), to_timestamp_millis(1), to_timestamp_nanos(1)",
        "SELECT generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '1 day')",
        "SELECT date_trunc('day', '2024-01-01 10:00:00'), date_bin(INTERVAL '1 day', now())",
        "SELECT CAST(1 AS TIMESTAMP), CAST('2024-01-01' AS TIMESTAMP(0)) AS a, CAST('2024-01-01' AS TIMESTAMP(12)) AS b",
        "WITH RECURSIVE r AS (SELECT TIMESTAMP '2024-01-01' AS t UNION ALL SELECT t + INTERVAL '1 day' FROM r WHERE t < '2024-01-03') SELECT * FROM r",
    ] {
        let shown = rows(sql).await;
        assert!(
            !shown.is_empty() && !shown[0].starts_with("SELECT"),
            "{shown:?}"
        );
    }
    assert_eq!(
        rows("SELECT CAST(1 AS TIMESTAMP)").await,
        ["1970-01-01T00:00:01"]
    );
}

#[tokio::test]
async fn what_is_finer_is_rounded_half_up() {
    for (text, expected) in [
        ("2024-01-01 00:00:00.1234564", "2024-01-01T00:00:00.123456"),
        ("2024-01-01 00:00:00.1234565", "2024-01-01T00:00:00.123457"),
        ("2024-12-31 23:59:59.9999995", "2025-01-01T00:00:00"),
        ("1969-12-31 23:59:59.999999500", "1970-01-01T00:00:00"),
        (
            "2024-01-01 00:00:00.123456499999",
            "2024-01-01T00:00:00.123456",
        ),
        (
            "2024-01-01T00:00:00.123456789Z",
            "2024-01-01T00:00:00.123457",
        ),
    ] {
        for sql in [
            format!("SELECT TIMESTAMP '{text}'"),
            format!("SELECT CAST(x AS TIMESTAMP) FROM (VALUES ('{text}'), (NULL)) t(x) LIMIT 1"),
            format!("SELECT TRY_CAST('{text}' AS TIMESTAMP(9))"),
        ] {
            assert_eq!(rows(&sql).await, [expected], "{sql}");
        }
    }
    assert_eq!(rows("SELECT TRY_CAST('x' AS TIMESTAMP)").await, [""]);
    let error = from_engine(batches("SELECT TIMESTAMP 'x'").await.unwrap_err());
    assert_eq!(error.code(), Code::InvalidDatetime, "{error}");
}

#[tokio::test]
async fn a_timestamp_as_text_is_as_postgres_writes_it() {
    for (select, expected) in [
        (
            "CAST(TIMESTAMP '2000-01-01 10:00:00' AS VARCHAR)",
            "2000-01-01 10:00:00",
        ),
        (
            "TIMESTAMP '2000-01-01 10:00:00.250' || 'x'",
            "2000-01-01 10:00:00.25x",
        ),
        (
            "concat(TIMESTAMP '2000-01-01 10:00:00', 'x')",
            "2000-01-01 10:00:00x",
        ),
        (
            "CAST(TIMESTAMP WITH TIME ZONE '2000-01-01 10:00:00' AS TEXT)",
            "2000-01-01 10:00:00+00",
        ),
        (
            "CAST(make_array(TIMESTAMP '2000-01-01 10:00:00', NULL) AS VARCHAR)",
            "{\"2000-01-01 10:00:00\",NULL}",
        ),
        (
            "CAST(CAST('2000-01-01T10:00:00' AS TIMESTAMP) AS VARCHAR)",
            "2000-01-01 10:00:00",
        ),
        ("CAST(DATE '2000-01-01' AS VARCHAR)", "2000-01-01"),
        (
            "string_agg(CAST(x AS VARCHAR), ',') FROM (VALUES (TIMESTAMP '2000-01-01')) t(x)",
            "2000-01-01 00:00:00",
        ),
    ] {
        assert_eq!(
            rows(&format!("SELECT {select}")).await,
            [expected],
            "{select}"
        );
    }
}

#[tokio::test]
async fn intervals_are_compared_by_their_length() {
    for (select, expected) in [
        ("INTERVAL '25 hours' > INTERVAL '1 day'", "true"),
        ("INTERVAL '1 month' = INTERVAL '30 days'", "true"),
        (
            "INTERVAL '31 days' BETWEEN INTERVAL '1 month' AND INTERVAL '1 year'",
            "true",
        ),
        (
            "TIMESTAMP '9999-12-31' - TIMESTAMP '2000-01-01' > INTERVAL '1 day'",
            "true",
        ),
        (
            "x - TIMESTAMP '2000-01-01' < INTERVAL '1 day' FROM (VALUES (TIMESTAMP '2000-01-01 23:59:59')) t(x)",
            "true",
        ),
        ("INTERVAL '1 day' > NULL", ""),
    ] {
        let shown = rows(&format!("SELECT {select}")).await;
        assert_eq!(shown, [expected], "{select}");
    }
}

#[tokio::test]
async fn ages_are_compared_by_their_length_in_plans_without_other_intervals() {
    // 1 month, 30 days, 30 days and 5 hours.
    let age =
        "age_between(make_timestamp(2020, m, d, h, 0, 0), make_timestamp(2020, 1, 1, 0, 0, 0))";
    let rows_of = "(VALUES (1, 2, 1, 0), (2, 1, 31, 0), (3, 1, 31, 5)) v(n, m, d, h)";
    let month =
        "age_between(make_timestamp(2020, 2, 1, 0, 0, 0), make_timestamp(2020, 1, 1, 0, 0, 0))";
    for (sql, expected) in [
        (
            format!("count(*) FROM {rows_of} WHERE {age} = {month}"),
            "2",
        ),
        (format!("n FROM {rows_of} WHERE {age} > {month}"), "3"),
        (format!("n FROM {rows_of} ORDER BY {age} DESC LIMIT 1"), "3"),
        (
            format!("n FROM (SELECT max({age}) AS a FROM {rows_of}) x JOIN {rows_of} ON {age} = a"),
            "3",
        ),
    ] {
        let shown = rows(&format!("SELECT {sql}")).await;
        assert_eq!(shown, [expected], "{sql}");
    }
}

#[tokio::test]
async fn bins_begin_at_their_origin() {
    for (select, expected) in [
        (
            "date_bin(INTERVAL '15 minutes', TIMESTAMP '2024-02-29 12:34:56.789', TIMESTAMP '2001-01-01')",
            "2024-02-29T12:30:00",
        ),
        (
            "date_bin(INTERVAL '1 day', x, TIMESTAMP '2001-01-01 06:00:00') FROM (VALUES (TIMESTAMP '1969-12-31 05:00:00')) t(x)",
            "1969-12-30T06:00:00",
        ),
        (
            "date_bin(INTERVAL '3 months', TIMESTAMP '2024-02-29', TIMESTAMP '2001-01-15')",
            "2024-01-15T00:00:00",
        ),
    ] {
        let shown = rows(&format!("SELECT {select}")).await;
        assert_eq!(shown, [expected], "{select}");
    }
}

#[tokio::test]
async fn what_leaves_the_range_is_an_error() {
    for sql in [
        "SELECT to_timestamp(1e300)",
        "SELECT to_timestamp(9223372036854775807)",
        "SELECT TIMESTAMP '9999-12-31' + INTERVAL '1000000 years'",
    ] {
        let error = from_engine(batches(sql).await.unwrap_err());
        assert_ne!(error.code(), Code::Internal, "{sql}: {error}");
    }
}
