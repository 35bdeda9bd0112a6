#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

/// Rows of a `bigint`, an `integer` and a constant.
const ROWS: &str = "(SELECT CAST(v AS BIGINT) AS b, CAST(v AS INT) AS i, v AS c, g
    FROM (VALUES (1, 10), (1, 5), (1, NULL), (2, 7)) t(g, v)) r";

/// Rows whose sum is not a `bigint`.
const LARGE: &str = "(SELECT g, CAST(v AS BIGINT) AS b
    FROM (VALUES (1, 9223372036854775807), (2, 9223372036854775807), (3, -1), (4, NULL)) t(g, v)) r";

/// Returns the values of the first column, and the type.
async fn values(sql: &str, partitions: usize) -> Result<(Vec<String>, DataType)> {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(2);
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(NumericSums));
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_analyzer_rules(rules)
        .build();
    crate::aggregation::sum::register(&mut state)?;
    crate::aggregation::sum::register_averages(&mut state)?;
    crate::numbers::floats::register_totals(&mut state)?;
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let batches = frame.collect().await?;
    let mut values = Vec::new();
    let mut data_type = DataType::Null;
    for batch in &batches {
        let column = batch.column(0);
        data_type = column.data_type().clone();
        for row in 0..column.len() {
            values.push(array_value_to_string(column, row)?);
        }
    }
    Ok((values, data_type))
}

/// Checks the values of a query, with one and with several steps of an aggregation.
async fn gives(select: &str, expected: &[&str], data_type: DataType) {
    let sql = select.replace("rows", ROWS).replace("large", LARGE);
    let sql = format!("SELECT {sql}");
    for partitions in [1, 3] {
        let (found, of) = values(&sql, partitions).await.unwrap();
        assert_eq!(found, expected, "{sql}");
        assert_eq!(of, data_type, "{sql}");
    }
}

const PLACES_16: DataType = DataType::Decimal128(38, 16);

#[tokio::test]
async fn sums_of_bigint_are_decimals() {
    for (select, expected) in [
        ("sum(b) FROM rows", vec!["22"]),
        ("sum(b + 1) FROM rows", vec!["25"]),
        ("sum(b) FROM rows WHERE g > 5", vec![""]),
        ("sum(DISTINCT b) FILTER (WHERE b > 5) FROM rows", vec!["17"]),
        ("sum(b) FROM rows GROUP BY g ORDER BY g", vec!["15", "7"]),
        (
            "sum(b) AS s FROM rows GROUP BY ROLLUP (g) ORDER BY s",
            vec!["7", "15", "22"],
        ),
        ("sum(b) FROM rows HAVING count(DISTINCT i) > 1", vec!["22"]),
        ("sum(b) FROM large", vec!["18446744073709551613"]),
        (
            "sum(b) FROM large WHERE g < 3",
            vec!["18446744073709551614"],
        ),
        ("sum(DISTINCT b) FROM large", vec!["9223372036854775806"]),
        (
            "sum(b) OVER (ORDER BY g ROWS 1 PRECEDING) FROM large ORDER BY g",
            vec![
                "9223372036854775807",
                "18446744073709551614",
                "9223372036854775806",
                "-1",
            ],
        ),
        // Of counts and of sums, which are `bigint` if they are of integers.
        (
            "sum(n) FROM (SELECT count(*) AS n FROM rows GROUP BY g) s",
            vec!["4"],
        ),
        ("sum(sum(i)) OVER () FROM rows GROUP BY g", vec!["22", "22"]),
        (
            "sum(s) FROM (SELECT sum(b) AS s FROM rows GROUP BY g) t",
            vec!["22"],
        ),
        (
            "max(s) FROM (SELECT sum(b) AS s FROM rows GROUP BY g) t",
            vec!["15"],
        ),
        (
            "sum(x) FROM (VALUES (3000000000), (1)) t(x)",
            vec!["3000000001"],
        ),
        (
            "sum(x) FROM (SELECT CASE WHEN g > 1 THEN b ELSE 0 END AS x FROM rows) t",
            vec!["7"],
        ),
        ("(SELECT sum(b) FROM rows) FROM (VALUES (1)) t", vec!["22"]),
        (
            "sum(CASE WHEN g > 1 THEN i ELSE b END) FROM rows",
            vec!["22"],
        ),
        (
            "sum(x) FROM (SELECT i AS x FROM rows UNION ALL SELECT b FROM rows) t",
            vec!["44"],
        ),
        ("coalesce(sum(b), 0) FROM rows WHERE g > 5", vec!["0"]),
        (
            "CASE WHEN count(*) > 1 THEN sum(b) ELSE 0 END FROM rows",
            vec!["22"],
        ),
        (
            "s FROM (SELECT 1 AS s UNION ALL SELECT sum(b) FROM rows) t ORDER BY s",
            vec!["1", "22"],
        ),
    ] {
        gives(select, &expected, SUM).await;
    }
}

#[tokio::test]
async fn sums_of_integers_stay() {
    for (select, expected) in [
        ("sum(i) FROM rows", "22"),
        ("sum(c) FROM rows", "22"),
        ("sum(i * 2) FROM rows", "44"),
        ("sum(1) FROM rows", "4"),
        ("sum(CASE WHEN b > 6 THEN 1 ELSE 0 END) FROM rows", "2"),
        (
            "sum(CASE WHEN b > 6 THEN 1 ELSE 0 END) / count(*) FROM rows",
            "0",
        ),
        ("sum(x) FROM (SELECT 1 AS x UNION ALL SELECT 2) t", "3"),
        ("sum(x) FROM generate_series(1, 3) t(x)", "6"),
        (
            "sum(CASE WHEN g > 1 THEN i ELSE CAST(b AS SMALLINT) END) FROM rows",
            "22",
        ),
        ("sum(x) FROM (VALUES (CAST(1 AS SMALLINT)), (3)) t(x)", "4"),
        (
            "sum(n) FROM (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t) u",
            "6",
        ),
    ] {
        gives(select, &[expected], DataType::Int64).await;
    }
}

#[tokio::test]
async fn operators_on_sums_are_those_of_decimals() {
    for (select, expected, data_type) in [
        (
            "sum(b) / count(*) FROM rows",
            "5.5000000000000000",
            PLACES_16,
        ),
        ("sum(b) / 4 FROM rows", "5.5000000000000000", PLACES_16),
        ("sum(b) / sum(b) FROM rows", "1.0000000000000000", PLACES_16),
        (
            "1 / sum(b) FROM rows WHERE g > 1",
            "0.1428571428571429",
            PLACES_16,
        ),
        (
            "100.0 * sum(b) / sum(b) FROM rows",
            "100.0000000000000000",
            PLACES_16,
        ),
        (
            "s / 4 FROM (SELECT sum(b) AS s FROM rows) t",
            "5.5000000000000000",
            PLACES_16,
        ),
        (
            "s / 4 FROM (SELECT sum(b) AS s FROM rows UNION ALL SELECT 1 WHERE false) t",
            "5.5000000000000000",
            PLACES_16,
        ),
        (
            "s * 100.0 / sum(s) OVER () FROM (SELECT sum(b) AS s FROM rows) t",
            "100.0000000000000000",
            PLACES_16,
        ),
        (
            "(SELECT sum(b) FROM rows) / 4 FROM (VALUES (1)) t",
            "5.5000000000000000",
            PLACES_16,
        ),
        ("CAST(sum(b) AS INT) / 4 FROM rows", "5", DataType::Int64),
        (
            "CAST(sum(b) AS DOUBLE) / 4 FROM rows",
            "5.5",
            DataType::Float64,
        ),
        (
            "avg(s) FROM (SELECT sum(b) AS s FROM rows GROUP BY g) t",
            "11.0000000000000000",
            PLACES_16,
        ),
        (
            "count(*) FROM rows HAVING sum(b) > 21",
            "4",
            DataType::Int64,
        ),
        ("sum(b) + 1 FROM rows WHERE g > 1", "8", SUM),
    ] {
        let sql = select.replace("rows", ROWS);
        let (found, of) = values(&format!("SELECT {sql}"), 1).await.unwrap();
        assert_eq!(found, [expected], "{sql}");
        match (&of, &data_type) {
            // Sums of decimals have a digit more, up to the most.
            (DataType::Decimal128(_, places), DataType::Decimal128(_, expected)) => {
                assert_eq!(places, expected, "{sql}");
            }
            (of, expected) => assert_eq!(of, expected, "{sql}"),
        }
    }
}
