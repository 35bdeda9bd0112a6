#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

async fn run(sql: &str) -> String {
    let mut state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .with_analyzer_rule(Arc::new(super::CanonicalFloats))
        .build();
    super::register(&mut state).unwrap();
    let frame = SessionContext::new_with_state(state)
        .sql(sql)
        .await
        .unwrap();
    pretty_format_batches(&frame.collect().await.unwrap())
        .unwrap()
        .to_string()
}

const VALUES: &str = "(VALUES (1, 1, 'NaN'::DOUBLE), (1, 2, 1.5), (1, 3, 2.5), (2, 1, '-Infinity'::DOUBLE), (2, 2, NULL),
    (3, 1, 'Infinity'::DOUBLE), (3, 2, 'Infinity'::DOUBLE), (4, 1, NULL)) t(g, i, x)";

fn rows(shown: &str) -> Vec<String> {
    let lines = shown.lines().skip(3).filter(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split('|').map(str::trim);
            cells.collect::<Vec<_>>().join(" ").trim_end().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn extremes_of_groups_know_infinity_and_nan() {
    let shown = run(&format!(
        "SELECT g, max(x), min(x), max(y), min(y) FROM (SELECT *, CAST(x AS REAL) AS y FROM {VALUES}) GROUP BY g ORDER BY g"
    ))
    .await;
    assert_eq!(
        rows(&shown),
        [
            "1 NaN 1.5 NaN 1.5",
            "2 -inf -inf -inf -inf",
            "3 inf inf inf inf",
            "4",
        ],
        "{shown}"
    );
    // In any order.
    for order in ["i", "i DESC"] {
        let shown = run(&format!(
            "SELECT max(x), min(x) FROM (SELECT * FROM {VALUES} WHERE g = 1 ORDER BY {order}) GROUP BY g"
        ))
        .await;
        assert_eq!(rows(&shown), ["NaN 1.5"], "{shown}");
    }
}

#[tokio::test]
async fn extremes_of_other_types_are_the_engines() {
    let shown = run("SELECT max(y), min(y), max(s) FROM (VALUES (1, 2, 'a'), (1, 3, 'b')) t(g, y, s) GROUP BY g").await;
    assert_eq!(rows(&shown), ["3 2 b"], "{shown}");
}

const ZEROS: &str = "(VALUES ('0.0'::DOUBLE, 1), ('-0.0'::DOUBLE, 2), (1.5, 3)) t(x, i)";

#[tokio::test]
async fn minus_zero_is_zero_wherever_it_is_compared() {
    for (expression, expected) in [
        ("rank() OVER (ORDER BY x)", ["1", "1", "3"]),
        ("count(*) OVER (PARTITION BY x)", ["2", "2", "1"]),
        (
            "CASE x WHEN 0 THEN 'zero' ELSE 'other' END",
            ["zero", "zero", "other"],
        ),
        (
            "CASE x WHEN '-0.0'::DOUBLE THEN 'zero' ELSE 'other' END",
            ["zero", "zero", "other"],
        ),
        ("nullif(x, 0)", ["", "", "1.5"]),
        (
            "x IN (0, 5.5, 6.5, 7.5, 8.5, 9.5)",
            ["true", "true", "false"],
        ),
        (
            "x NOT IN ('-0.0'::DOUBLE, 5.5, 6.5, 7.5, 8.5, 9.5)",
            ["false", "false", "true"],
        ),
        ("-x", ["-0.0", "0.0", "-1.5"]),
        ("x + i", ["1.0", "2.0", "4.5"]),
    ] {
        let shown = run(&format!("SELECT {expression} FROM {ZEROS} ORDER BY i")).await;
        assert_eq!(rows(&shown), expected, "{shown}");
    }
}

#[tokio::test]
async fn a_computed_nan_is_the_one_nan() {
    const INFINITE: &str = "(VALUES ('Infinity'::DOUBLE), ('Infinity'::DOUBLE)) t(x)";
    for (expression, expected) in [
        ("(x - x) > 1", "true"),
        ("(x * 0) = 'NaN'::DOUBLE", "true"),
        ("-('NaN'::DOUBLE + x) >= x", "true"),
        ("(x - x) + 1 = (x * 0 - x)", "true"),
        ("-(x - x) IS DISTINCT FROM (x - x)", "false"),
    ] {
        let shown = run(&format!("SELECT DISTINCT {expression} FROM {INFINITE}")).await;
        assert_eq!(rows(&shown), [expected], "{shown}");
    }
    let shown = run(&format!(
        "SELECT count(DISTINCT y), max(y) FROM (SELECT x - x AS y FROM {INFINITE} UNION ALL SELECT -(x - x) FROM {INFINITE})"
    ))
    .await;
    assert_eq!(rows(&shown), ["1 NaN"], "{shown}");
}

#[tokio::test]
async fn columns_keep_their_names() {
    let shown = run(&format!(
        "SELECT x * 2.0, x * 2.0 + 1.0 AS y FROM {ZEROS} GROUP BY x * 2.0 ORDER BY x * 2.0"
    ))
    .await;
    assert!(shown.contains("t.x * Float64(2)"), "{shown}");
}
