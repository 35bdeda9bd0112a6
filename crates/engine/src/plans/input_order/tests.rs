#![allow(clippy::unwrap_used)]

use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

/// Returns a context whose operators get two rows at a time, on several threads.
fn context() -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(4)
        .with_batch_size(2);
    let settings = config.options_mut();
    settings.sql_parser.enable_subquery_sort_elimination = false;
    settings.sql_parser.default_null_ordering = "nulls_last".to_owned();
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_analyzer_rule(Arc::new(InputOrder))
        .build();
    SessionContext::new_with_state(state)
}

/// Returns the rows of a query, their columns separated by blanks.
async fn rows(sql: &str) -> Vec<String> {
    let frame = context().sql(sql).await.unwrap();
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = batch.columns().iter();
            let cells = cells.map(|column| array_value_to_string(column, row).unwrap());
            cells.collect::<Vec<_>>().join(" ")
        }));
    }
    rows
}

async fn plan(sql: &str) -> String {
    let frame = context().sql(sql).await.unwrap();
    let plan = frame.into_optimized_plan().unwrap();
    plan.display_indent().to_string()
}

/// x, y from 1 to 6 in another order, and z, which has two values and NULL.
const T: &str = "(VALUES (1, 3, 'b'), (2, 1, 'a'), (3, 6, NULL), (4, 2, 'b'), (5, 5, 'a'), (6, 4, NULL)) t(x, y, z)";

#[tokio::test]
async fn aggregates_follow_the_order_of_a_subquery() {
    for (query, list) in [
        ("SELECT x FROM t ORDER BY y", "[2, 4, 1, 6, 5, 3]"),
        ("SELECT x FROM t ORDER BY y DESC", "[3, 5, 6, 1, 4, 2]"),
        ("SELECT x, y FROM t ORDER BY y", "[2, 4, 1, 6, 5, 3]"),
        (
            "SELECT x, y AS other FROM t ORDER BY other",
            "[2, 4, 1, 6, 5, 3]",
        ),
        ("SELECT x FROM t ORDER BY z, y DESC", "[5, 2, 1, 4, 3, 6]"),
        (
            "SELECT x FROM t ORDER BY z NULLS FIRST, y",
            "[6, 3, 2, 5, 4, 1]",
        ),
        ("SELECT x FROM t ORDER BY y % 3, -y", "[3, 1, 6, 2, 5, 4]"),
        ("SELECT x FROM t ORDER BY 'a', y", "[2, 4, 1, 6, 5, 3]"),
        ("SELECT x FROM t ORDER BY y LIMIT 3", "[2, 4, 1]"),
        ("SELECT x FROM t ORDER BY y LIMIT 2 OFFSET 1", "[4, 1]"),
        (
            "SELECT x FROM (SELECT * FROM t ORDER BY y) u",
            "[2, 4, 1, 6, 5, 3]",
        ),
        (
            "SELECT x FROM (SELECT * FROM t ORDER BY y) u LIMIT 3",
            "[2, 4, 1]",
        ),
        (
            "SELECT x FROM (SELECT * FROM t ORDER BY x) u ORDER BY y",
            "[2, 4, 1, 6, 5, 3]",
        ),
        (
            "SELECT x FROM (SELECT x FROM t ORDER BY y) u WHERE x > 2",
            "[4, 6, 5, 3]",
        ),
        (
            "SELECT x + 0 AS x FROM (SELECT x FROM t ORDER BY y) u",
            "[2, 4, 1, 6, 5, 3]",
        ),
        (
            "SELECT DISTINCT ON (z) x FROM t ORDER BY z DESC NULLS LAST, y",
            "[4, 2, 6]",
        ),
        (
            "SELECT x, count(*) OVER () FROM (SELECT * FROM t ORDER BY y) u",
            "[2, 4, 1, 6, 5, 3]",
        ),
        (
            "SELECT x, row_number() OVER () FROM (SELECT * FROM t ORDER BY y) u",
            "[2, 4, 1, 6, 5, 3]",
        ),
    ] {
        let query = query.replace("FROM t", &format!("FROM {T}"));
        let sql = format!("SELECT array_agg(x) FROM ({query}) s");
        assert_eq!(rows(&sql).await, [list], "{sql}");
        let sql = format!("WITH s AS ({query}) SELECT array_agg(s.x) FROM s");
        assert_eq!(rows(&sql).await, [list], "{sql}");
    }
}

#[tokio::test]
async fn several_functions_filters_and_groups_have_the_order() {
    let s = format!("(SELECT x, z FROM {T} ORDER BY y) s");
    for (sql, expected) in [
        (
            format!(
                "SELECT string_agg(CAST(x AS varchar), ','), array_agg(x), array_agg(x ORDER BY x), sum(x) FROM {s}"
            ),
            vec!["2,4,1,6,5,3 [2, 4, 1, 6, 5, 3] [1, 2, 3, 4, 5, 6] 21"],
        ),
        (
            format!(
                "SELECT array_agg(x) FILTER (WHERE x > 2), first_value(x), last_value(x) FROM {s}"
            ),
            vec!["[4, 6, 5, 3] 2 3"],
        ),
        (
            format!("SELECT z, array_agg(x) AS list FROM {s} GROUP BY z ORDER BY z"),
            vec!["a [2, 5]", "b [4, 1]", " [6, 3]"],
        ),
        (
            format!("SELECT (SELECT array_agg(x) FROM {s}) AS list, 1 AS one"),
            vec!["[2, 4, 1, 6, 5, 3] 1"],
        ),
        (
            format!(
                "SELECT array_agg(list) FROM (SELECT array_agg(x) AS list FROM {s} GROUP BY z ORDER BY z) q"
            ),
            vec!["[[2, 5], [4, 1], [6, 3]]"],
        ),
    ] {
        assert_eq!(rows(&sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn windows_without_keys_follow_the_order_of_a_subquery() {
    let s = format!("(SELECT x, z FROM {T} ORDER BY y) s");
    for (list, expected) in [
        (
            "x, row_number() OVER ()",
            ["1 3", "2 1", "3 6", "4 2", "5 5", "6 4"],
        ),
        (
            "x, sum(x) OVER (ROWS UNBOUNDED PRECEDING)",
            ["1 7", "2 2", "3 21", "4 6", "5 18", "6 13"],
        ),
        (
            "x, first_value(x) OVER ()",
            ["1 2", "2 2", "3 2", "4 2", "5 2", "6 2"],
        ),
        (
            "x, lag(x) OVER ()",
            ["1 4", "2 ", "3 5", "4 2", "5 6", "6 1"],
        ),
        (
            "x, row_number() OVER (PARTITION BY z)",
            ["1 2", "2 1", "3 2", "4 1", "5 2", "6 1"],
        ),
        // Without an order, all rows are peers.
        (
            "x, rank() OVER ()",
            ["1 1", "2 1", "3 1", "4 1", "5 1", "6 1"],
        ),
        (
            "x, rank() OVER () + row_number() OVER ()",
            ["1 4", "2 2", "3 7", "4 3", "5 6", "6 5"],
        ),
        (
            "x, sum(x) OVER ()",
            ["1 21", "2 21", "3 21", "4 21", "5 21", "6 21"],
        ),
    ] {
        let sql = format!("SELECT {list} FROM {s}");
        let mut rows = rows(&sql).await;
        rows.sort();
        assert_eq!(rows, expected, "{sql}");
    }
}

#[tokio::test]
async fn distinct_on_takes_the_first_row_of_a_subquery() {
    let sql = format!("SELECT DISTINCT ON (z) z, x FROM (SELECT * FROM {T} ORDER BY y DESC) s");
    let mut rows = rows(&sql).await;
    rows.sort();
    assert_eq!(rows, [" 3", "a 5", "b 1"]);
}

#[tokio::test]
async fn the_order_of_a_subquery_is_that_of_the_result() {
    for query in [
        "SELECT x FROM (SELECT x FROM t ORDER BY y) s",
        "SELECT x FROM (SELECT x FROM t ORDER BY y) s WHERE x < 9",
        "SELECT s.x + 0 FROM (SELECT * FROM (SELECT x FROM t ORDER BY y) u) s",
        "WITH s AS (SELECT x FROM t ORDER BY y) SELECT x FROM s",
    ] {
        let sql = query.replace("FROM t", &format!("FROM {T}"));
        assert_eq!(rows(&sql).await, ["2", "4", "1", "6", "5", "3"], "{sql}");
    }
    let sql = format!("SELECT x FROM (SELECT x FROM {T} ORDER BY y) s LIMIT 2");
    assert_eq!(rows(&sql).await, ["2", "4"]);
}

#[tokio::test]
async fn volatile_keys_are_computed_once() {
    let sql = "SELECT a = b FROM (SELECT array_agg(x) AS a, array_agg(y) AS b
               FROM (SELECT value AS x, value AS y FROM generate_series(1, 50) ORDER BY random()) s) q";
    assert_eq!(rows(sql).await, ["true"]);
}

#[tokio::test]
async fn sorts_whose_order_nothing_shows_are_dropped() {
    let s = format!("(SELECT x, y FROM {T} ORDER BY y)");
    for sql in [
        format!("SELECT count(*) FROM {s} s"),
        format!("SELECT array_agg(DISTINCT x) FROM {s} s"),
        format!("SELECT DISTINCT x FROM {s} s"),
        format!("SELECT a.x FROM {s} a JOIN {s} b ON a.x = b.x"),
        format!("SELECT x FROM {s} a UNION ALL SELECT x FROM {s} b"),
        format!("SELECT 1 WHERE 1 IN (SELECT x FROM {s} s)"),
        format!("SELECT array_agg(x) FROM {s} s"),
    ] {
        let plan = plan(&sql).await;
        assert!(!plan.contains("Sort:"), "{sql}: {plan}");
    }
    let sql = format!("SELECT x FROM {s} s ORDER BY x");
    assert_eq!(plan(&sql).await.matches("Sort:").count(), 1);
    let sql = format!("SELECT count(*) FROM (SELECT * FROM {s} s LIMIT 2) q");
    assert!(plan(&sql).await.contains("Sort:"));
}

#[tokio::test]
async fn columns_keep_their_names_and_places() {
    let sql = format!("SELECT *, array_agg(s.x) OVER () FROM (SELECT x, z FROM {T} ORDER BY y) s");
    let frame = context().sql(&sql).await.unwrap();
    let plan = frame.into_optimized_plan().unwrap();
    let names = plan.schema().field_names();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(
        names.iter().all(|name| !name.contains("__order")),
        "{names:?}"
    );
}

#[tokio::test]
async fn the_order_of_a_subquery_is_as_good_as_that_of_the_function() {
    let r = "(SELECT value AS x, value % 4 AS g, value * 31 % 17 AS b,
             CASE WHEN value % 5 <> 0 THEN value * 7919 % 101 END AS a FROM generate_series(1, 300)) r";
    for key in [
        "a",
        "a DESC",
        "a NULLS FIRST",
        "b DESC, a",
        "-a, b",
        "a % 3, b DESC",
        "g DESC, a",
    ] {
        let order = format!("ORDER BY {key}, x");
        for (subquery, condition) in [
            (format!("SELECT x, g FROM {r} {order}"), "true"),
            (
                format!("SELECT * FROM (SELECT * FROM {r} {order}) q WHERE x > 7 AND b <> 3"),
                "x > 7 AND b <> 3",
            ),
            (
                format!("SELECT x, g, row_number() OVER () FROM (SELECT x, g FROM {r} {order}) q"),
                "true",
            ),
            (
                format!("SELECT g, x FROM (SELECT *, a AS c FROM {r} ORDER BY b) q {order}"),
                "true",
            ),
        ] {
            let sql = format!("SELECT g, array_agg(x) FROM ({subquery}) s GROUP BY g ORDER BY g");
            let explicit = format!(
                "SELECT g, array_agg(x {order}) FROM {r} WHERE {condition} GROUP BY g ORDER BY g"
            );
            assert_eq!(rows(&sql).await, rows(&explicit).await, "{sql}");
        }
    }
}

#[tokio::test]
async fn rows_of_sets_follow_the_order_of_a_subquery() {
    for (query, expected) in [
        (
            "SELECT unnest(make_array(x, x + 10)) FROM (SELECT x FROM t ORDER BY y DESC) s",
            "3 13 5 15 6 16 1 11 4 14 2 12",
        ),
        (
            "SELECT unnest(make_array(x, x + 10)) FROM (SELECT x FROM t ORDER BY y DESC) s LIMIT 3",
            "3 13 5",
        ),
        (
            "SELECT e FROM (SELECT unnest(make_array(x, x + 10)) AS e FROM (SELECT x FROM t ORDER BY y) s) u WHERE e < 10",
            "2 4 1 6 5 3",
        ),
        (
            "SELECT unnest(make_array(x, 0)) FROM (SELECT DISTINCT ON (z) x, z FROM t ORDER BY z DESC, y) s",
            "4 0 2 0 6 0",
        ),
        (
            "SELECT unnest(a) FROM (SELECT CASE WHEN x < 3 THEN make_array(x, x + 10) END AS a FROM t ORDER BY y) s",
            "2 12 1 11",
        ),
    ] {
        let query = query.replace(" t ", &format!(" {T} "));
        assert_eq!(rows(&query).await.join(" "), expected, "{query}");
    }
    let listed = "SELECT array_agg(e) FROM (SELECT unnest(make_array(x, -x)) AS e FROM (SELECT x FROM t ORDER BY y) s) u";
    let listed = listed.replace(" t ", &format!(" {T} "));
    let expected = ["[2, -2, 4, -4, 1, -1, 6, -6, 5, -5, 3, -3]"];
    assert_eq!(rows(&listed).await, expected);
}
