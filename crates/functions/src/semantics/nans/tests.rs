#![allow(clippy::unwrap_used)]
use crate::testing::trino::{rows, value};

// Expected values: Trino 476.
#[tokio::test]
async fn nan_is_no_number_in_comparisons() {
    for (expression, expected) in [
        ("nan() = nan()", "false"),
        ("nan() <> nan()", "true"),
        ("nan() IS DISTINCT FROM nan()", "false"),
        ("nan() > 1", "false"),
        ("1 < nan()", "false"),
        ("nan() >= nan()", "false"),
        ("nan() <= nan()", "false"),
        ("NOT (nan() > CAST(NULL AS double))", "NULL"),
        ("nan() IN (nan(), 1)", "false"),
        ("nan() NOT IN (nan(), 1)", "true"),
        ("nan() IN (nan(), NULL)", "NULL"),
        ("nan() BETWEEN 1 AND NULL", "false"),
        ("nan() NOT BETWEEN DOUBLE '1' AND nan()", "true"),
        ("CASE nan() WHEN nan() THEN 1 ELSE 2 END", "2"),
        ("nullif(nan(), nan())", "NaN"),
        ("ARRAY[nan()] = ARRAY[nan()]", "false"),
        ("filter(ARRAY[DOUBLE '1', nan()], x -> x > 0)", "[1.0]"),
    ] {
        assert_eq!(value(expression).await.unwrap(), expected, "{expression}");
    }
}

#[tokio::test]
async fn columns_are_compared_row_by_row() {
    let values = "(VALUES (1, nan(), NULL), (2, NULL, nan()), (3, nan(), DOUBLE '1'), (4, DOUBLE '1', nan()), (5, nan(), nan()), (6, DOUBLE '2', DOUBLE '1')) t(i, x, y)";
    for (expression, expected) in [
        ("x > y", ["NULL", "NULL", "false", "false", "false", "true"]),
        (
            "NOT (x >= y)",
            ["NULL", "NULL", "true", "true", "true", "false"],
        ),
        ("x <> y", ["NULL", "NULL", "true", "true", "true", "true"]),
        (
            "x = y",
            ["NULL", "NULL", "false", "false", "false", "false"],
        ),
    ] {
        let query = format!("SELECT {expression} FROM {values} ORDER BY i");
        assert_eq!(rows(&query).await.unwrap(), expected, "{expression}");
        let query = format!("SELECT i FROM {values} WHERE {expression} AND i > 0 ORDER BY i");
        let kept = expected.iter().zip(1..).filter(|(of, _)| **of == "true");
        let kept: Vec<String> = kept.map(|(_, i)| i.to_string()).collect();
        assert_eq!(rows(&query).await.unwrap(), kept, "{expression}");
    }
}

#[tokio::test]
async fn joins_and_groups_have_their_own_equality() {
    let both = "(VALUES nan(), DOUBLE '1') t(x)";
    for (from, expected) in [
        ("t(x) JOIN u(x) ON t.x = u.x", "1"),
        ("t(x) JOIN u(x) USING (x)", "1"),
        ("t(x) LEFT JOIN u(x) ON t.x = u.x", "2"),
        ("t(x) FULL JOIN u(x) USING (x)", "3"),
        ("t(x) JOIN u(x) ON t.x IS NOT DISTINCT FROM u.x", "2"),
    ] {
        let from = from
            .replace("t(x) ", &format!("{both} "))
            .replace("u(x)", &both.replace("t(x)", "u(x)"));
        let count = rows(&format!("SELECT count(*) FROM {from}")).await;
        assert_eq!(count.unwrap(), [expected], "{from}");
    }
    let groups =
        "SELECT count(*) FROM (VALUES nan(), nan(), DOUBLE '1') t(x) GROUP BY x ORDER BY 1";
    assert_eq!(rows(groups).await.unwrap(), ["1", "2"]);
}

#[tokio::test]
async fn max_and_min_are_numbers_if_there_are_any() {
    let values =
        "(VALUES (1, nan()), (1, DOUBLE '2'), (1, DOUBLE '1'), (2, nan()), (3, NULL)) t(g, x)";
    for (call, expected) in [
        ("max(x)", ["2.0", "NaN", "NULL"]),
        ("min(x)", ["1.0", "NaN", "NULL"]),
        ("max(x) + 1", ["3.0", "NaN", "NULL"]),
        ("max(x) FILTER (WHERE x < 2)", ["1.0", "NULL", "NULL"]),
    ] {
        let query = format!("SELECT {call} FROM {values} GROUP BY g ORDER BY g");
        assert_eq!(rows(&query).await.unwrap(), expected, "{call}");
    }
    let sets = format!(
        "SELECT m FROM (SELECT max(x) + grouping(g) AS m, grouping(g) AS o, g FROM {values} GROUP BY ROLLUP (g)) ORDER BY o, g"
    );
    assert_eq!(rows(&sets).await.unwrap(), ["2.0", "NaN", "NULL", "3.0"]);
    let moving = "SELECT max(x) OVER (ORDER BY i ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM (VALUES (1, nan()), (2, DOUBLE '1'), (3, nan()), (4, nan())) t(i, x) ORDER BY i";
    assert_eq!(rows(moving).await.unwrap(), ["1.0", "1.0", "NaN", "NaN"]);
}
