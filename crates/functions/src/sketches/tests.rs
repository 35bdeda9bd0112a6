#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows};

/// A query whose rows come in many small batches of several partitions.
const MANY: &str = "(SELECT value AS x, value % 7 AS g, value % 1000 AS k \
     FROM generate_series(1, 20000))";

async fn of(expression: &str, from: &str) -> String {
    let query = format!("SELECT {expression} FROM {from}");
    match rows(&query).await {
        Ok(rows) => rows.join("; "),
        Err(error) => format!("error: {}", error.strip_backtrace()),
    }
}

#[tokio::test]
async fn distinct_values_are_estimated() {
    assert_eq!(
        of("approx_distinct(k) BETWEEN 930 AND 1070", MANY).await,
        "true"
    );
    assert_eq!(
        of("approx_distinct(x, 0.01) BETWEEN 19400 AND 20600", MANY).await,
        "true"
    );
    assert_eq!(of("approx_distinct(x)", "(VALUES (NULL)) t(x)").await, "0");
    assert_eq!(
        of("approx_distinct(x)", "(SELECT 1 AS x WHERE false)").await,
        "0"
    );
    assert_eq!(
        of(
            "approx_distinct(x)",
            "(VALUES (0.0e0), (-0.0e0), (1.0e0)) t(x)"
        )
        .await,
        "2"
    );
    assert_eq!(
        of("approx_distinct(ARRAY[x])", "(VALUES (1), (2), (1)) t(x)").await,
        "2"
    );
    for wrong in ["0.001", "0.3"] {
        let message = of(&format!("approx_distinct(x, {wrong})"), MANY).await;
        assert!(message.contains("0.0040625"), "{message}");
    }
}

#[tokio::test]
async fn sets_are_merged_and_counted() {
    let sets = format!("(SELECT approx_set(k) AS s FROM {MANY} GROUP BY g)");
    assert_eq!(
        of("cardinality(merge(s)) BETWEEN 950 AND 1050", &sets).await,
        "true"
    );
    assert_eq!(
        of(
            "cardinality(approx_set(x))",
            "(VALUES ('a'), ('b'), ('a')) t(x)"
        )
        .await,
        "2"
    );
    assert_eq!(
        of("cardinality(approx_set(x))", "(VALUES (NULL)) t(x)").await,
        "NULL"
    );
    assert_eq!(
        of("cardinality(empty_approx_set())", "(VALUES (1)) t(x)").await,
        "0"
    );
    assert_eq!(
        of("cardinality(ARRAY[1, 2])", "(VALUES (1)) t(x)").await,
        "2"
    );
    assert!(
        of("merge(X'00')", "(VALUES (1)) t(x)")
            .await
            .contains("not other bytes")
    );
    assert!(
        of("approx_set(true)", "(VALUES (1)) t(x)")
            .await
            .contains("a number or a text")
    );
}

#[tokio::test]
async fn percentiles_have_the_type_of_the_numbers() {
    assert_eq!(
        of("abs(approx_percentile(x, 0.5) - 10000) < 100", MANY).await,
        "true"
    );
    assert_eq!(
        of("approx_percentile(x, ARRAY[0, 1.0])", MANY).await,
        "[1, 20000]"
    );
    let values = "(VALUES (1.5e0, 1), (2.5e0, 3), (NULL, 1)) t(x, w)";
    assert_eq!(of("approx_percentile(x, 1)", values).await, "2.5");
    assert_eq!(of("approx_percentile(x, w, 0)", values).await, "1.5");
    assert_eq!(
        of("approx_percentile(x, w, ARRAY[0.0, 1.0])", values).await,
        "[1.5, 2.5]"
    );
    assert_eq!(of("approx_percentile(x, w, 1, 0.01)", values).await, "2.5");
    assert_eq!(
        of("approx_percentile(x, 0.5)", "(SELECT 1 AS x WHERE false)").await,
        "NULL"
    );
    assert!(
        of("approx_percentile(x, 1.5)", values)
            .await
            .contains("from 0 to 1")
    );
    assert!(
        of("approx_percentile(x, NULL)", values)
            .await
            .contains("null")
    );
    assert!(
        of("approx_percentile(x, w, 0.5)", "(VALUES (1, 0)) t(x, w)")
            .await
            .contains("at least 1")
    );
    assert!(
        of("approx_percentile(x, x)", values)
            .await
            .contains("constant")
    );
    assert!(
        of("approx_percentile('a', 0.5)", values)
            .await
            .contains("a number")
    );
}

#[tokio::test]
async fn digests_are_merged_and_read() {
    let digests = format!("(SELECT tdigest_agg(x) AS d FROM {MANY} GROUP BY g)");
    let near = "abs(value_at_quantile(merge(d), 0.25) - 5000) < 100";
    assert_eq!(of(near, &digests).await, "true");
    let near = "abs(quantile_at_value(merge(d), 5000) - 0.25) < 0.01";
    assert_eq!(of(near, &digests).await, "true");
    assert_eq!(of("quantile_at_value(merge(d), -1)", &digests).await, "0.0");
    assert_eq!(
        of("values_at_quantiles(merge(d), ARRAY[1.0, 0.0])", &digests).await,
        "[20000.0, 1.0]"
    );
    let digests = format!("(SELECT qdigest_agg(x) AS d FROM {MANY} GROUP BY g)");
    assert_eq!(
        of("value_at_quantile(merge(d), 1)", &digests).await,
        "20000"
    );
    assert!(
        of("value_at_quantile(merge(d), 2)", &digests)
            .await
            .contains("from 0 to 1")
    );
    assert!(
        error("value_at_quantile(X'0102', 0.5)")
            .await
            .contains("t-digest")
    );
    assert!(
        of("tdigest_agg(x)", "(VALUES (CAST('NaN' AS double))) t(x)")
            .await
            .contains("finite")
    );
}

#[tokio::test]
async fn histograms_have_at_most_so_many_buckets() {
    assert_eq!(
        of("cardinality(numeric_histogram(10, x))", MANY).await,
        "10"
    );
    assert_eq!(
        of(
            "numeric_histogram(5, x)",
            "(VALUES (1), (2), (1), (NULL)) t(x)"
        )
        .await,
        "{1.0=2.0, 2.0=1.0}"
    );
    assert_eq!(
        of(
            "numeric_histogram(2, x, w)",
            "(VALUES (1, 3), (2, 1), (10, 1)) t(x, w)"
        )
        .await,
        "{1.25=4.0, 10.0=1.0}"
    );
    assert_eq!(
        of("numeric_histogram(2, x)", "(VALUES (NULL)) t(x)").await,
        "NULL"
    );
    assert!(
        of("numeric_histogram(1, x)", MANY)
            .await
            .contains("at least 2")
    );
}

#[tokio::test]
async fn the_most_frequent_values_are_found() {
    let skewed = format!(
        "(SELECT CASE WHEN x % 2 = 0 THEN 7 WHEN x % 3 = 0 THEN 8 ELSE x END AS v FROM {MANY})"
    );
    let counts = of("map_keys(approx_most_frequent(2, v, 1000))", &skewed).await;
    assert_eq!(counts, "[7, 8]");
    assert_eq!(
        of(
            "approx_most_frequent(3, x, 3)",
            "(VALUES ('a'), ('b'), ('a'), (NULL)) t(x)"
        )
        .await,
        "{a=2, b=1}"
    );
    assert!(
        of("approx_most_frequent(1, x, 3)", MANY)
            .await
            .contains("at least 2")
    );
    assert!(
        of("approx_most_frequent(2, x, 0)", MANY)
            .await
            .contains("capacity")
    );
}

#[tokio::test]
async fn sketches_work_over_frames() {
    let values = "(VALUES (1, 4), (2, 2), (3, 9)) t(i, x)";
    let moving = "OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    assert_eq!(
        of(&format!("approx_percentile(x, 1) {moving}"), values).await,
        "4; 4; 9"
    );
    assert_eq!(
        of("approx_distinct(x) OVER (ORDER BY i)", values).await,
        "1; 2; 3"
    );
    assert_eq!(
        of("numeric_histogram(2, x) OVER (ORDER BY i)", values).await,
        "{4.0=1.0}; {2.0=1.0, 4.0=1.0}; {3.0=2.0, 9.0=1.0}"
    );
}
