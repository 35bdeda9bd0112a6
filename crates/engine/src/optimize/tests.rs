#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{LOGICAL, PHYSICAL, logical_rules, physical_rules};
use crate::joins::set_operations::CountedSetOperations;

/// Returns the rows of a query, one per line.
async fn ordered(sql: &str) -> Vec<String> {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(2))
        .with_default_features()
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .with_analyzer_rule(Arc::new(CountedSetOperations))
        .build();
    let frame = SessionContext::new_with_state(state)
        .sql(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap());
            rows.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

async fn rows(sql: &str) -> Vec<String> {
    let mut rows = ordered(sql).await;
    rows.sort();
    rows
}

#[test]
fn the_engines_rules_are_all_there_and_guarded() {
    let logical: Vec<String> = logical_rules()
        .iter()
        .map(|rule| rule.name().to_owned())
        .collect();
    assert!(logical.contains(&"push_down_filter".to_owned()));
    assert!(format!("{:?}", logical_rules()).contains("Guarded"));
    assert!(format!("{:?}", physical_rules()).contains("Guarded"));
    let physical: Vec<String> = physical_rules()
        .iter()
        .map(|rule| rule.name().to_owned())
        .collect();
    for (name, _) in LOGICAL {
        assert!(logical.iter().any(|rule| rule == name), "{name}");
    }
    let before = [
        "join_selection",
        "EnsureRequirements",
        "FilterPushdown",
        "SanityCheckPlan",
    ];
    for name in PHYSICAL.iter().map(|(name, _)| *name).chain(before) {
        assert!(physical.iter().any(|rule| rule == name), "{name}");
    }
}

#[tokio::test]
async fn a_filter_of_an_aggregate_of_nothing_stays_above_it() {
    const T: &str = "(VALUES (1), (2)) t(x)";
    const C: &str = "(SELECT max(x) FROM (VALUES (1)) c(x))";
    let nothing: [String; 0] = [];
    for sql in [
        format!("SELECT count(*) FROM {T} HAVING {C} > 2"),
        format!("SELECT count(*), max(x) FROM {T} HAVING {C} > 2 AND count(*) > 0"),
        format!("SELECT x, count(*) FROM {T} GROUP BY ROLLUP (x) HAVING {C} > 2"),
        format!("SELECT x, count(*) FROM {T} GROUP BY GROUPING SETS ((x), ()) HAVING {C} > 2"),
        format!(
            "SELECT 1 FROM (SELECT count(*) AS n FROM {T}) a JOIN {T} ON CAST(NULL AS BOOLEAN)"
        ),
        format!("SELECT * FROM (SELECT n FROM (SELECT count(*) AS n FROM {T})) a WHERE {C} > 2"),
    ] {
        assert_eq!(rows(&sql).await, nothing, "{sql}");
    }
    let joined = format!(
        "SELECT x, n FROM {T} LEFT JOIN (SELECT count(*) AS n FROM {T}) c ON CAST(NULL AS BOOLEAN)"
    );
    assert_eq!(rows(&joined).await, ["1 ", "2 "]);
    let held = format!("SELECT count(*) FROM {T} HAVING {C} > 0");
    assert_eq!(rows(&held).await, ["2"]);
    let anti = format!(
        "SELECT x FROM {T} LEFT ANTI JOIN (SELECT count(*) AS n FROM {T}) c ON CAST(NULL AS BOOLEAN)"
    );
    assert_eq!(rows(&anti).await, ["1", "2"]);
}

#[tokio::test]
async fn distinct_values_of_a_constant_are_counted() {
    const NOTHING: &str = "(SELECT 1 AS x, y FROM (VALUES (1)) t(y) LIMIT 0)";
    for (sql, count) in [
        (format!("SELECT count(DISTINCT x), count(y) FROM {NOTHING}"), "0 0"),
        (
            "SELECT count(DISTINCT x), count(y) FROM (SELECT CAST(NULL AS INT) AS x, y FROM (VALUES (1), (2)) t(y))".to_owned(),
            "0 2",
        ),
        (
            "SELECT count(DISTINCT x), count(y) FROM (SELECT 'a' AS x, y FROM (VALUES (1), (2)) t(y))".to_owned(),
            "1 2",
        ),
    ] {
        assert_eq!(rows(&sql).await, [count], "{sql}");
    }
}

#[tokio::test]
async fn intersect_all_and_except_all_keep_count() {
    const LEFT: &str = "SELECT x, y FROM (VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, NULL), (2, NULL), (3, 'c')) l(x, y)";
    const RIGHT: &str = "SELECT * FROM (VALUES (1, 'a'), (1, 'a'), (2, NULL), (4, 'd')) r(x, y)";
    for (op, expected) in [
        ("INTERSECT ALL", vec!["1 a", "1 a", "2 "]),
        ("EXCEPT ALL", vec!["1 a", "2 ", "3 c"]),
        ("INTERSECT", vec!["1 a", "2 "]),
        ("EXCEPT", vec!["3 c"]),
    ] {
        let sql = format!("{LEFT} {op} {RIGHT}");
        assert_eq!(rows(&sql).await, expected, "{sql}");
        let nested = format!("SELECT * FROM ({sql}) t WHERE x IN (SELECT x FROM ({sql}) u)");
        assert_eq!(rows(&nested).await, expected, "{nested}");
    }
    // One table with different types, and several operations in a row.
    for (sql, expected) in [
        (
            "WITH t AS (SELECT * FROM (VALUES (1), (1), (2)) t(x)) SELECT x FROM t EXCEPT ALL SELECT x FROM t WHERE x > 1",
            vec!["1", "1"],
        ),
        (
            "SELECT x FROM (VALUES (1), (1)) t(x) INTERSECT ALL SELECT CAST(x AS SMALLINT) FROM (VALUES (1), (1), (1)) t(x)",
            vec!["1", "1"],
        ),
        (
            "SELECT 1 AS x UNION ALL SELECT 1 EXCEPT ALL SELECT 1 INTERSECT ALL SELECT 1",
            vec!["1"],
        ),
    ] {
        assert_eq!(rows(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn set_operations_look_up_each_value_once() {
    const LEFT: &str = "SELECT (i % 70)::int AS a, CASE WHEN i % 7 > 0 THEN (i % 7)::text END AS b
         FROM generate_series(0, 999) t(i)";
    const RIGHT: &str = "SELECT (i % 40)::int, CASE WHEN i % 5 > 0 THEN (i % 5)::text END
         FROM generate_series(0, 1999) t(i)";
    for (operation, kept) in [("INTERSECT", true), ("EXCEPT", false)] {
        let plan = ordered(&format!("EXPLAIN {LEFT} {operation} {RIGHT}")).await;
        let plan = plan.concat();
        assert!(plan.contains("as key_0"), "{plan}");
        let right: HashSet<(i32, i32)> = (0..2000).map(|i| (i % 40, i % 5)).collect();
        let expected: HashSet<(i32, i32)> = (0..1000)
            .map(|i| (i % 70, i % 7))
            .filter(|row| right.contains(row) == kept)
            .collect();
        let mut expected: Vec<String> = expected
            .into_iter()
            .map(|(a, b)| match b {
                0 => format!("{a} "),
                b => format!("{a} {b}"),
            })
            .collect();
        expected.sort();
        assert_eq!(rows(&format!("{LEFT} {operation} {RIGHT}")).await, expected);
    }
    // Groups are not grouped again, and other joins look up what they did.
    for sql in [
        format!("{LEFT} INTERSECT SELECT DISTINCT * FROM ({RIGHT}) r(a, b)"),
        format!("SELECT * FROM ({LEFT}) l WHERE a IN (SELECT a FROM ({RIGHT}) r(a, b))"),
    ] {
        let plan = ordered(&format!("EXPLAIN {sql}")).await.concat();
        assert!(!plan.contains("key_0"), "{plan}");
    }
}

#[tokio::test]
async fn filters_of_columns_of_one_name_stay_with_their_own() {
    let sql = "SELECT a.x, b.x FROM (VALUES ('a', 1)) a(k, x)
        FULL JOIN (VALUES ('a', 12, 'a')) b(j, x, y) ON a.k = b.j WHERE b.y > b.j OR (a.x < 5 AND 14 >= b.x)";
    assert_eq!(rows(sql).await, ["1 12"]);
    let sql = "SELECT t.x, c.x FROM (SELECT a.k AS j, b.k, a.x AS w, b.x FROM (VALUES (1, 10)) a(k, x), (VALUES (2, 20)) b(k, x)) t
        JOIN (VALUES (2, 30)) c(k, x) ON t.k = c.k";
    assert_eq!(rows(sql).await, ["20 30"]);
    // Several joins of a table with itself, whose keys have the same name.
    let t = "(SELECT * FROM (VALUES (1, 2), (2, 3), (3, 4), (4, 5)) v(id, next))";
    let sql = format!(
        "SELECT a.id, b.id, c.id, d.id FROM {t} a JOIN {t} b ON a.next = b.id JOIN {t} c ON b.next = c.id LEFT JOIN {t} d ON c.next = d.id
         WHERE a.id = 1 OR c.id = 4"
    );
    assert_eq!(rows(&sql).await, ["1 2 3 4", "2 3 4 "]);
}

#[tokio::test]
async fn nothing_is_computed_for_rows_that_a_filter_drops() {
    const T: &str = "(VALUES (1, 4, 2), (2, 9, 3), (0, 1, 0)) t(x, y, z)";
    let divided = format!("SELECT x, y / z FROM {T} WHERE x > 0");
    assert_eq!(rows(&divided).await, ["1 2", "2 3"]);
    let grouped = format!(
        "SELECT z, (x + y) / z FROM (SELECT x, max(y) AS y, max(z) AS z FROM {T} GROUP BY x) s WHERE z > 0"
    );
    assert_eq!(rows(&grouped).await, ["2 2", "3 3"]);
}

#[tokio::test]
async fn nulls_are_equal_to_joins_that_say_so_and_to_no_others() {
    const A: &str = "(VALUES (1), (NULL)) a(k)";
    const B: &str = "(VALUES (1), (NULL)) b(k)";
    const C: &str = "(VALUES (1), (NULL)) c(k)";
    for (sql, expected) in [
        (
            format!(
                "SELECT a.k, b.k FROM {A} JOIN {B} ON a.k IS NOT DISTINCT FROM b.k CROSS JOIN (VALUES (0)) v(x)"
            ),
            vec![" ", "1 1"],
        ),
        (
            format!(
                "SELECT a.k, b.k, c.k FROM {A} JOIN {B} ON a.k = b.k JOIN {C} ON a.k IS NOT DISTINCT FROM c.k"
            ),
            vec!["1 1 1"],
        ),
        (
            format!(
                "SELECT a.k, b.k, c.k FROM {A} JOIN {B} ON a.k IS NOT DISTINCT FROM b.k JOIN {C} ON b.k = c.k"
            ),
            vec!["1 1 1"],
        ),
        (
            format!(
                "SELECT a.k, b.k, c.k FROM {A}, {B}, {C} WHERE (a.k IS NOT DISTINCT FROM b.k) AND (b.k IS NOT DISTINCT FROM c.k)"
            ),
            vec!["  ", "1 1 1"],
        ),
        (
            format!("SELECT a.k, b.k, c.k FROM {A}, {B}, {C} WHERE a.k = b.k AND b.k = c.k"),
            vec!["1 1 1"],
        ),
    ] {
        assert_eq!(rows(&sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn keys_of_grouping_sets_are_sorted_by_though_they_are_constant() {
    const T: &str = "(SELECT 7 AS x, y FROM (VALUES (1), (2)) t(y))";
    for (sql, expected) in [
        (
            format!(
                "SELECT x, y, count(*) FROM {T} GROUP BY CUBE (x, y) ORDER BY x NULLS FIRST, y NULLS FIRST"
            ),
            vec!["||2", "|1|1", "|2|1", "7||2", "7|1|1", "7|2|1"],
        ),
        (
            format!(
                "SELECT x, y, count(*) FROM {T} GROUP BY ROLLUP (x, y) ORDER BY x DESC NULLS LAST, y DESC NULLS LAST"
            ),
            vec!["7|2|1", "7|1|1", "7||2", "||2"],
        ),
        (
            format!(
                "SELECT x, y, count(*) FROM {T} GROUP BY GROUPING SETS ((y), (x)) ORDER BY x NULLS FIRST, y LIMIT 2"
            ),
            vec!["|1|1", "|2|1"],
        ),
    ] {
        let shown: Vec<String> = ordered(&sql)
            .await
            .iter()
            .map(|row| row.replace(' ', "|"))
            .collect();
        assert_eq!(shown, expected, "{sql}");
    }
}

#[tokio::test]
async fn first_rows_are_merged_by_keys_that_a_filter_makes_constant() {
    const T: &str = "(VALUES (3, 1), (1, 1), (1, 2), (2, 1)) t(x, y)";
    let groups = format!(
        "(SELECT x, y, CAST(GROUPING(x, y) AS INT) AS g FROM {T} GROUP BY ROLLUP (x, y) HAVING count(*) > 0) q"
    );
    for (sql, expected) in [
        (
            format!("SELECT x, g FROM {groups} WHERE g = 1 ORDER BY x, g, y LIMIT 2"),
            vec!["1 1", "2 1"],
        ),
        (
            format!("SELECT x, g FROM {groups} WHERE g = 1 ORDER BY g, x DESC LIMIT 2"),
            vec!["3 1", "2 1"],
        ),
        (
            format!("SELECT x, y, g FROM {groups} WHERE g = 0 ORDER BY x DESC, g, y LIMIT 3"),
            vec!["3 1 0", "2 1 0", "1 1 0"],
        ),
        (
            format!(
                "SELECT x, g, w FROM (SELECT x, g, count(*) OVER (PARTITION BY x ORDER BY x, g) AS w FROM {groups} WHERE g = 1) q ORDER BY g, x DESC, w LIMIT 2"
            ),
            vec!["3 1 1", "2 1 1"],
        ),
    ] {
        assert_eq!(ordered(&sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn fields_of_structs_are_read_beside_a_correlated_subquery() {
    let sql = "SELECT count(DISTINCT a.r['f']), count(*) FROM
        (SELECT 1 AS k, named_struct('f', 1, 'g', 'a') AS r UNION ALL SELECT 2, named_struct('f', 1, 'g', 'a')) a
        WHERE 10 > (SELECT count(b.c) FROM (VALUES (1, 2)) b(k, c) WHERE b.k = a.k)";
    assert_eq!(rows(sql).await, ["1 2"]);
}

#[tokio::test]
async fn columns_of_unions_within_unions_have_places() {
    const FIRST: &str = "SELECT x, y FROM (VALUES (1, 2)) t(x, y)";
    for second in [
        "SELECT DISTINCT y, x FROM (VALUES (3, 4)) t(x, y)",
        "(SELECT y, x FROM (VALUES (3, 4)) t(x, y) ORDER BY x LIMIT 1)",
        "(SELECT y, x FROM (VALUES (3, 4)) t(x, y) INTERSECT SELECT 4, 3)",
        "SELECT DISTINCT y % 5 AS a, x AS b FROM (VALUES (3, 4)) t(x, y)",
    ] {
        for (one, other) in [
            ("UNION ALL", "UNION ALL"),
            ("UNION", "UNION ALL"),
            ("UNION ALL", "UNION"),
            ("UNION", "UNION"),
        ] {
            let sql = format!("{FIRST} {one} {second} {other} SELECT 5.5, 6.5");
            assert_eq!(rows(&sql).await, ["1.0 2.0", "4.0 3.0", "5.5 6.5"], "{sql}");
        }
    }
    let nested = "SELECT a FROM ((SELECT x, y FROM (VALUES (1, 2)) t(x, y) WHERE x > 0) UNION
            ((SELECT y, x FROM (VALUES (3, 4), (3, 4)) t(x, y) WHERE x > 0) UNION ALL (SELECT y, y % 2 FROM (VALUES (5, 6)) t(x, y)))
            INTERSECT SELECT z, z - 1 FROM (VALUES (4), (1)) u(z)) AS q(a, b) WHERE a = 4";
    assert_eq!(rows(nested).await, ["4"], "{nested}");
}

#[tokio::test]
async fn a_union_of_columns_that_are_equal_is_sorted() {
    let sql = "SELECT a.n AS x0, a.d AS x1, a.d AS x2 FROM
            (SELECT CAST(NULL AS BOOLEAN) AS n, CAST(b.d AS DECIMAL(38,2)) AS d
             FROM (SELECT CAST('-45.4594' AS DECIMAL(18,4)) AS d, CAST('-65.47' AS DECIMAL(38,2)) AS k UNION ALL
                   SELECT CAST('-99.9999' AS DECIMAL(18,4)), CAST('-29.77' AS DECIMAL(38,2))) b
             JOIN (SELECT CAST('-65.47' AS DECIMAL(38,2)) AS k) c ON b.k = c.k) a
        UNION ALL (SELECT TRUE, CAST('-0.01' AS DECIMAL(38,2)), CAST('0.01' AS DECIMAL(38,2))) ORDER BY x2 DESC NULLS LAST";
    assert_eq!(ordered(sql).await, ["true -0.01 0.01", " -45.46 -45.46"]);
}

#[tokio::test]
async fn a_repeated_key_of_an_aggregate_is_one_key() {
    let t = "(VALUES (1, 'x', 2), (1, 'y', 1), (2, 'z', 3), (2, 'v', 2)) t(a, b, c)";
    let distinct = format!("SELECT DISTINCT ON (a) a, b FROM {t} ORDER BY a, a DESC, c");
    assert_eq!(ordered(&distinct).await, ["1 y", "2 v"]);
    let lists = format!("SELECT array_agg(b ORDER BY a DESC, a, c) FROM {t}");
    assert_eq!(ordered(&lists).await, ["[v, z, y, x]"]);
}
