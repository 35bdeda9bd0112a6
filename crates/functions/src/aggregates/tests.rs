#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

/// Values that come in two parts of a union, so that partial states are merged.
const PARTS: &str = "(SELECT * FROM (VALUES ('a', 1, 2.5), ('b', 3, -1.0), ('a', NULL, 0.5)) t(k, v, f) \
     UNION ALL SELECT * FROM (VALUES ('b', 2, NULL), ('c', 5, 7.0), (NULL, 9, 1.0)) t(k, v, f))";

async fn of(expression: &str, from: &str) -> String {
    let query = format!("SELECT {expression} FROM {from}");
    match rows(&query).await {
        Ok(rows) => rows.join("; "),
        Err(error) => format!("error: {}", error.strip_backtrace()),
    }
}

/// A query whose rows come in many small batches of several partitions.
const MANY: &str = "(SELECT value AS x, value % 7 AS g, value % 1000 AS k \
     FROM generate_series(1, 20000))";

#[tokio::test]
async fn any_value_is_one_that_is_not_null() {
    let values = "(VALUES (NULL), (NULL), (3)) t(x)";
    assert_eq!(of("any_value(x)", values).await, "3");
    assert_eq!(of("arbitrary(x)", values).await, "3");
    assert_eq!(
        of("arbitrary(x) FILTER (WHERE x > 3)", values).await,
        "NULL"
    );
    let texts = "(VALUES (NULL), ('é😀'), (NULL)) t(x)";
    assert_eq!(of("any_value(x)", texts).await, "é😀");
    let query = format!("SELECT any_value(g) - g FROM {MANY} GROUP BY g");
    assert_eq!(rows(&query).await.unwrap(), ["0"; 7]);
}

#[tokio::test]
async fn conditions_are_counted() {
    let values = "(VALUES (true), (false), (NULL), (true)) t(x)";
    assert_eq!(of("count_if(x)", values).await, "2");
    assert_eq!(
        of("count_if(x)", "(SELECT true AS x WHERE false)").await,
        "0"
    );
    assert_eq!(of("count_if(DISTINCT x)", values).await, "1");
    assert_eq!(of("count_if(NULL)", values).await, "0");
    let many = of("count_if(x > 15000)", MANY).await;
    assert_eq!(many, "5000");
    assert!(of("count_if(1)", values).await.contains("boolean"));
}

#[tokio::test]
async fn every_is_bool_and() {
    assert_eq!(
        of("every(x)", "(VALUES (true), (NULL), (false)) t(x)").await,
        "false"
    );
    assert_eq!(of("every(x)", "(VALUES (true), (NULL)) t(x)").await, "true");
}

#[tokio::test]
async fn the_value_of_the_best_row_is_found() {
    assert_eq!(of("max_by(k, v)", PARTS).await, "NULL");
    assert_eq!(of("max_by(k, f)", PARTS).await, "c");
    assert_eq!(of("min_by(k, v)", PARTS).await, "a");
    assert_eq!(
        of("min_by(v, k)", "(VALUES ('b', 1), ('a', 2)) t(k, v)").await,
        "2"
    );
    assert_eq!(
        of("max_by(v, v > 1)", "(VALUES ('b', 1), ('a', 2)) t(k, v)").await,
        "2"
    );
    assert_eq!(
        of("max_by(1, x)", "(SELECT 1 AS x WHERE false)").await,
        "NULL"
    );
    assert_eq!(
        of("max_by(x, y)", "(VALUES (1, NULL)) t(x, y)").await,
        "NULL"
    );
    let query = format!("SELECT max_by(x, -k) FROM {MANY} GROUP BY g ORDER BY 1");
    assert_eq!(rows(&query).await.unwrap().len(), 7);
    let same = format!(
        "SELECT bool_and(a = b AND c = d) FROM (SELECT max_by(x, x) AS a, max(x) AS b, \
         min_by(k, x) AS c, min(x) AS d FROM {MANY} GROUP BY k)"
    );
    assert_eq!(rows(&same).await.unwrap(), ["false"]);
    let same = format!(
        "SELECT bool_and(a = b AND c = d) FROM (SELECT max_by(x, CAST(x AS varchar)) AS a, \
         CAST(max(CAST(x AS varchar)) AS bigint) AS b, min_by(x, x) AS c, min(x) AS d \
         FROM {MANY} GROUP BY k)"
    );
    assert_eq!(rows(&same).await.unwrap(), ["true"]);
}

#[tokio::test]
async fn nan_is_never_the_best() {
    let values = "(VALUES ('a', 1.5), ('b', CAST('NaN' AS double)), ('c', -2.5)) t(x, y)";
    assert_eq!(of("max_by(x, y)", values).await, "a");
    assert_eq!(of("min_by(x, y)", values).await, "c");
    assert_eq!(of("max_by(x, y, 3)", values).await, "[a, c, b]");
    assert_eq!(of("min_by(x, y, 3)", values).await, "[c, a, b]");
}

#[tokio::test]
async fn the_n_best_are_in_order() {
    assert_eq!(of("max_by(k, v, 2)", PARTS).await, "[NULL, c]");
    assert_eq!(of("min_by(k, v, 3)", PARTS).await, "[a, b, b]");
    assert_eq!(of("\"$max_n\"(v, 3)", PARTS).await, "[9, 5, 3]");
    assert_eq!(of("\"$min_n\"(k, 9)", PARTS).await, "[a, a, b, b, c]");
    assert_eq!(of("\"$min_n\"(DISTINCT k, 9)", PARTS).await, "[a, b, c]");
    assert_eq!(of("\"$max_n\"(x, 3)", MANY).await, "[20000, 19999, 19998]");
    assert_eq!(
        of("\"$max_n\"(x, 1)", "(SELECT 1 AS x WHERE false)").await,
        "NULL"
    );
    let query = format!("SELECT \"$min_n\"(x, 2) FROM {MANY} GROUP BY g ORDER BY 1 LIMIT 2");
    assert_eq!(rows(&query).await.unwrap(), ["[1, 8]", "[2, 9]"]);
    for n in ["0", "-1", "10001"] {
        let message = of(&format!("max_by(k, v, {n})"), PARTS).await;
        assert!(message.contains("from 1 to 10000"), "{message}");
    }
    assert!(of("max_by(k, v, v)", PARTS).await.contains("constant"));
    assert!(
        of("max_by(v, map(ARRAY[1], ARRAY[2]))", PARTS)
            .await
            .contains("ordered")
    );
}

#[tokio::test]
async fn values_are_counted_in_a_map() {
    assert_eq!(of("histogram(k)", PARTS).await, "{a=2, b=2, c=1}");
    assert_eq!(
        of("histogram(v)", "(SELECT 1 AS v WHERE false)").await,
        "NULL"
    );
    assert_eq!(
        of("histogram(v)", "(VALUES (NULL), (NULL)) t(v)").await,
        "NULL"
    );
    assert_eq!(
        of("map_values(histogram(DISTINCT k))", PARTS).await,
        "[1, 1, 1]"
    );
    assert_eq!(
        of(
            "histogram(x)",
            "(VALUES (0.0e0), (-0.0e0), (CAST('NaN' AS double)), (-CAST('NaN' AS double))) t(x)"
        )
        .await,
        "{0.0=2, NaN=2}"
    );
    assert_eq!(
        of("histogram(ARRAY[v])", "(VALUES (1), (2), (1)) t(v)").await,
        "{[1]=2, [2]=1}"
    );
    let query = format!("SELECT cardinality(histogram(k)) FROM {MANY} GROUP BY g");
    assert_eq!(rows(&query).await.unwrap(), ["1000"; 7]);
    let query = format!("SELECT histogram(k)[5] FROM {MANY}");
    assert_eq!(rows(&query).await.unwrap(), ["20"]);
}

#[tokio::test]
async fn the_first_value_of_a_key_is_kept() {
    let values = "(VALUES ('a', 1), ('b', 2), (NULL, 3), ('a', 4), ('c', NULL)) t(k, v)";
    assert_eq!(of("map_agg(k, v)", values).await, "{a=1, b=2, c=NULL}");
    assert_eq!(
        of("map_agg(k, v ORDER BY v DESC)", values).await,
        "{c=NULL, a=4, b=2}"
    );
    assert_eq!(
        of("map_agg(k, v) FILTER (WHERE v > 9)", values).await,
        "NULL"
    );
    assert_eq!(
        of("map_agg(k, v)", "(VALUES (NULL, 1)) t(k, v)").await,
        "NULL"
    );
    let query = format!("SELECT cardinality(map_agg(x, k)), g FROM {MANY} GROUP BY g ORDER BY g");
    assert_eq!(
        rows(&query).await.unwrap(),
        ["2857", "2858", "2857", "2857", "2857", "2857", "2857"]
    );
}

#[tokio::test]
async fn all_values_of_a_key_are_kept() {
    assert_eq!(
        of("multimap_agg(k, v ORDER BY v)", PARTS).await,
        "{a=[1, NULL], b=[2, 3], c=[5]}"
    );
    assert_eq!(
        of("multimap_agg(k, v ORDER BY v DESC NULLS LAST)", PARTS).await,
        "{c=[5], b=[3, 2], a=[1, NULL]}"
    );
    assert_eq!(
        of("multimap_agg(DISTINCT k, 1)", PARTS).await,
        "{a=[1], b=[1], c=[1]}"
    );
    let query = format!(
        "SELECT map_values(multimap_agg(g, x ORDER BY x DESC))[1] FROM {MANY} WHERE k = 5 AND x < 5000 GROUP BY g ORDER BY g"
    );
    assert_eq!(
        rows(&query).await.unwrap(),
        ["[4005]", "[3005]", "[2005]", "[1005]", "[5]"]
    );
}

#[tokio::test]
async fn maps_are_united_and_summed() {
    let maps = "(SELECT map_agg(k, v) AS m FROM (VALUES (1, 'a', 1), (2, 'a', 1), (2, 'b', NULL)) t(g, k, v) GROUP BY g)";
    assert_eq!(of("cardinality(map_union(m))", maps).await, "2");
    assert_eq!(
        of(
            "map_union_sum(m)",
            "(SELECT map_agg(k, v) AS m FROM (VALUES ('a', 1), ('b', NULL)) t(k, v))"
        )
        .await,
        "{a=1, b=0}"
    );
    assert_eq!(of("map_union(NULL)", maps).await, "NULL");
    let large = "(SELECT map_agg(k, v) AS m FROM (VALUES (1, 'a', 9223372036854775807), (2, 'a', 1)) t(g, k, v) GROUP BY g)";
    assert!(
        of("map_union_sum(m)", large)
            .await
            .contains("out of the range")
    );
    assert!(
        of("map_union_sum(m)", "(SELECT map_agg(1, 'a') AS m)")
            .await
            .contains("numbers")
    );
}

#[tokio::test]
async fn sets_have_each_value_once() {
    assert_eq!(
        of("set_agg(v ORDER BY v)", PARTS).await,
        "[1, 2, 3, 5, 9, NULL]"
    );
    assert_eq!(
        of("set_agg(v)", "(SELECT 1 AS v WHERE false)").await,
        "NULL"
    );
    let lists = "(VALUES (ARRAY[1, NULL]), (NULL), (ARRAY[1, 2])) t(x)";
    assert_eq!(of("set_union(x)", lists).await, "[1, NULL, 2]");
    let query = format!("SELECT cardinality(set_agg(k)) FROM {MANY} GROUP BY g");
    assert_eq!(rows(&query).await.unwrap(), ["1000"; 7]);
}

#[tokio::test]
async fn moments_are_those_of_all_rows() {
    let values = "(VALUES (1.0), (2.0), (4.0), (8.0), (16.0), (NULL)) t(x)";
    assert_eq!(of("round(geometric_mean(x), 9)", values).await, "4.0");
    assert_eq!(of("round(skewness(x), 9)", values).await, "0.889048135");
    assert_eq!(of("round(kurtosis(x), 9)", values).await, "1.303763441");
    assert_eq!(of("skewness(x)", "(VALUES (1), (2)) t(x)").await, "NULL");
    assert_eq!(
        of("kurtosis(x)", "(VALUES (1), (2), (3)) t(x)").await,
        "NULL"
    );
    assert_eq!(
        of("geometric_mean(x)", "(VALUES (NULL)) t(x)").await,
        "NULL"
    );
    assert_eq!(
        of("skewness(x)", "(VALUES (1), (1), (1)) t(x)").await,
        "NaN"
    );
    assert_eq!(of("round(kurtosis(x), 6)", MANY).await, "-1.2");
    assert_eq!(of("abs(round(skewness(x), 6))", MANY).await, "0.0");
    assert_eq!(
        of("entropy(x)", "(VALUES (1), (1), (1), (1), (0)) t(x)").await,
        "2.0"
    );
    assert!(
        of("entropy(x)", "(VALUES (-1)) t(x)")
            .await
            .contains("negative")
    );
    assert!(
        of("kurtosis(x)", "(VALUES ('a')) t(x)")
            .await
            .contains("number")
    );
}

#[tokio::test]
async fn a_checksum_depends_on_the_values_only() {
    let one = of("checksum(x)", "(VALUES (1), (2), (NULL)) t(x)").await;
    let other = of("checksum(x)", "(VALUES (2), (NULL), (1)) t(x)").await;
    assert_eq!(one, other);
    assert_ne!(one, of("checksum(x)", "(VALUES (1), (2)) t(x)").await);
    assert_eq!(
        of("checksum(x)", "(SELECT 1 AS x WHERE false)").await,
        "NULL"
    );
    // NULL counts as xxHash64's first prime.
    assert_eq!(
        of("checksum(x)", "(VALUES (CAST(NULL AS bigint))) t(x)").await,
        "87 ca eb 85 b1 79 37 9e"
    );
    for column in [
        "'a'",
        "1.5",
        "DATE '2020-01-01'",
        "ARRAY[1, NULL]",
        "true",
        "map(ARRAY['a'], ARRAY[1])",
    ] {
        let sum = of(
            "length(checksum(x)) IS NOT NULL",
            &format!("(SELECT {column} AS x)"),
        )
        .await;
        assert!(!sum.starts_with("error") || sum.contains("length"), "{sum}");
    }
}

#[tokio::test]
async fn all_work_over_frames() {
    let values = "(VALUES (1, 'a', 3), (2, 'b', 1), (3, 'a', 2)) t(i, k, v)";
    let over = "OVER (ORDER BY i)";
    let growing = [
        ("histogram(k)", "{a=1}; {a=1, b=1}; {a=2, b=1}"),
        ("map_agg(k, v)", "{a=3}; {a=3, b=1}; {a=3, b=1}"),
        ("max_by(k, v)", "a; a; a"),
        ("min_by(k, v)", "a; b; b"),
        ("max_by(k, v, 2)", "[a]; [a, b]; [a, a]"),
        ("count_if(v > 1)", "1; 1; 2"),
        ("any_value(k)", "a; a; a"),
        ("set_agg(k)", "[a]; [a, b]; [a, b]"),
    ];
    for (call, expected) in growing {
        assert_eq!(
            of(&format!("{call} {over}"), values).await,
            expected,
            "{call}"
        );
    }
    let over = "OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    let moving = [
        ("histogram(k)", "{a=1}; {a=1, b=1}; {b=1, a=1}"),
        (
            "multimap_agg(k, v)",
            "{a=[3]}; {a=[3], b=[1]}; {b=[1], a=[2]}",
        ),
        ("max_by(k, v)", "a; a; a"),
        ("min_by(v, v)", "3; 1; 1"),
        ("count_if(v > 1)", "1; 1; 1"),
    ];
    for (call, expected) in moving {
        assert_eq!(
            of(&format!("{call} {over}"), values).await,
            expected,
            "{call}"
        );
    }
}

#[tokio::test]
async fn wrong_arguments_are_errors_of_planning() {
    assert!(error("map_agg(1)").await.contains("a key and a value"));
    assert!(error("map_union(1)").await.contains("a map"));
    assert!(error("set_union(1)").await.contains("an array"));
    assert!(value("histogram(NULL)").await.is_ok());
}
