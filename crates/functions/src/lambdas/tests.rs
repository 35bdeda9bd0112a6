#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

#[tokio::test]
async fn arrays_keep_their_nulls_and_lambdas_may_return_any_type() {
    let query = "SELECT transform(x, i -> make_array(i, i + 1)) \
                 FROM (VALUES (ARRAY[1, NULL]), (NULL), (ARRAY[])) t(x)";
    let expected = ["[[1, 2], [NULL, NULL]]", "NULL", "[]"];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert_eq!(value("transform(NULL, x -> x)").await.unwrap(), "NULL");
    assert_eq!(
        value("transform(ARRAY['a', 'é'], x -> ROW(x, length(x)))")
            .await
            .unwrap(),
        value("ARRAY[ROW('a', length('a')), ROW('é', length('é'))]")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn lambdas_see_the_columns_of_their_row() {
    let query = "SELECT transform(x, i -> i * y) \
                 FROM (VALUES (ARRAY[1, 2], 10), (ARRAY[], 20), (ARRAY[3], 30)) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["[10, 20]", "[]", "[90]"]);
    let query = "SELECT transform(ARRAY[1, 2], i -> i * y) FROM (VALUES (10), (20)) t(y)";
    assert_eq!(rows(query).await.unwrap(), ["[10, 20]", "[20, 40]"]);
    let query =
        "SELECT filter(ARRAY['a', 'b'], i -> i = y) FROM (VALUES ('a'), ('b'), (NULL)) t(y)";
    assert_eq!(rows(query).await.unwrap(), ["[a]", "[b]", "[]"]);
}

#[tokio::test]
async fn lambdas_can_be_nested() {
    let query = "SELECT transform(x, i -> reduce(i, y, (s, j) -> s + j, s -> s * y)) \
                 FROM (VALUES (ARRAY[ARRAY[1, 2], ARRAY[3]], 10), (ARRAY[ARRAY[]], 2)) t(x, y)";
    let shown = rows(query).await;
    assert_eq!(shown.unwrap(), ["[130, 130]", "[4]"]);
    assert_eq!(
        value("transform(ARRAY[1, 2], x -> transform(ARRAY[10, 20], y -> x + y))")
            .await
            .unwrap(),
        "[[11, 21], [12, 22]]"
    );
}

#[tokio::test]
async fn items_that_no_row_shows_are_not_evaluated() {
    // CASE makes the array NULL, and LIMIT and OFFSET slice.
    let query = "SELECT transform(CASE WHEN y THEN x END, i -> 12 / i) \
                 FROM (VALUES (ARRAY[0], false), (ARRAY[3, 4], true)) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["NULL", "[4, 3]"]);
    let query = "SELECT any_match(x, i -> 12 / i = 4) FROM \
                 (SELECT x FROM (VALUES (ARRAY[0]), (ARRAY[3]), (ARRAY[0])) t(x) LIMIT 1 OFFSET 1)";
    assert_eq!(rows(query).await.unwrap(), ["true"]);
    assert!(
        error("transform(ARRAY[1, 0], x -> 1 / x)")
            .await
            .contains("ivide")
    );
}

#[tokio::test]
async fn matches_have_three_values() {
    let query = |name: &str| {
        format!(
            "SELECT {name}(x, i -> i > 1) FROM (VALUES (ARRAY[1, 2]), (ARRAY[2, NULL]), \
             (ARRAY[0, NULL]), (ARRAY[0, 1]), (ARRAY[2, 3]), (ARRAY[]), (NULL)) t(x)"
        )
    };
    assert_eq!(
        rows(&query("any_match")).await.unwrap(),
        ["true", "true", "NULL", "false", "true", "false", "NULL"]
    );
    assert_eq!(
        rows(&query("all_match")).await.unwrap(),
        ["false", "NULL", "false", "false", "true", "true", "NULL"]
    );
    assert_eq!(
        rows(&query("none_match")).await.unwrap(),
        ["false", "false", "NULL", "true", "false", "true", "NULL"]
    );
    assert!(
        error("any_match(ARRAY[1], x -> 'a')")
            .await
            .contains("boolean")
    );
    assert!(error("any_match(1, x -> true)").await.contains("an array"));
}

#[tokio::test]
async fn filter_keeps_only_what_is_true() {
    assert_eq!(
        value("filter(ARRAY[1, NULL, 3], x -> x IS NOT NULL)")
            .await
            .unwrap(),
        "[1, 3]"
    );
    assert_eq!(value("filter(ARRAY[1, 2], x -> NULL)").await.unwrap(), "[]");
    assert_eq!(
        value("filter(ARRAY['é', 'x'], x -> x = 'é')")
            .await
            .unwrap(),
        "[é]"
    );
}

#[tokio::test]
async fn shorter_arrays_are_padded() {
    let query = "SELECT zip_with(x, y, (a, b) -> coalesce(a, 0) * 10 + coalesce(b, 0)) FROM \
                 (VALUES (ARRAY[1, 2], ARRAY[3]), (ARRAY[], ARRAY[4]), (NULL, ARRAY[1]), (ARRAY[], ARRAY[])) t(x, y)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["[13, 20]", "[4]", "NULL", "[]"]
    );
    assert_eq!(
        value("zip_with(ARRAY['a', 'b'], ARRAY[1, 2], (x, y) -> concat(x, CAST(y AS varchar)))")
            .await
            .unwrap(),
        "[a1, b2]"
    );
}

#[tokio::test]
async fn reduce_adds_place_by_place() {
    let query = "SELECT reduce(x, y, (s, i) -> s * 10 + i, s -> s + y) FROM (VALUES \
                 (ARRAY[1, 2, 3], 0), (ARRAY[], 7), (NULL, 1), (ARRAY[4], 5), (ARRAY[1, NULL], 1)) t(x, y)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["123", "14", "NULL", "59", "NULL"]
    );
    let average = "reduce(ARRAY[5, 20, 50], CAST(ROW(0.0, 0) AS ROW(total DOUBLE, n INTEGER)), \
                   (s, x) -> CAST(ROW(x + s['total'], s['n'] + 1) AS ROW(total DOUBLE, n INTEGER)), \
                   s -> IF(s['n'] = 0, NULL, s['total'] / s['n']))";
    assert_eq!(value(average).await.unwrap(), "25.0");
    assert_eq!(
        value("reduce(ARRAY['a', 'b'], '', (s, x) -> concat(s, x), s -> s)")
            .await
            .unwrap(),
        "ab"
    );
    assert_eq!(
        value(
            "reduce(ARRAY[CAST(1.25 AS DECIMAL(3, 2)), CAST(2.5 AS DECIMAL(3, 2))], \
               CAST(0 AS DECIMAL(1, 0)), (s, x) -> s + x, s -> s)"
        )
        .await
        .unwrap(),
        "3.75"
    );
    assert_eq!(
        value("reduce(ARRAY[2147483647, 1], CAST(0 AS integer), (s, x) -> s + x, s -> s)")
            .await
            .unwrap(),
        "2147483648"
    );
    assert_eq!(
        value("reduce(NULL, 0, (s, x) -> s, s -> s)").await.unwrap(),
        "NULL"
    );
}

#[tokio::test]
async fn arrays_are_sorted_by_a_comparison() {
    let by_length = "\"$array_sort\"(x, (a, b) -> IF(length(a) < length(b), -1, IF(length(a) > length(b), 1, 0)))";
    let query = format!(
        "SELECT {by_length} FROM (VALUES (ARRAY['ccc', 'a', 'bb', 'd', 'eeee', 'ff', 'g']), (ARRAY[]), (NULL), (ARRAY['x'])) t(x)"
    );
    assert_eq!(
        rows(&query).await.unwrap(),
        ["[a, d, g, bb, ff, ccc, eeee]", "[]", "NULL", "[x]"]
    );
    let nulls_first = "\"$array_sort\"(ARRAY[3, 2, NULL, 5, NULL, 1, 2], (x, y) -> \
        CASE WHEN x IS NULL THEN -1 WHEN y IS NULL THEN 1 WHEN x < y THEN 1 WHEN x = y THEN 0 ELSE -1 END)";
    assert_eq!(
        value(nulls_first).await.unwrap(),
        "[NULL, NULL, 5, 3, 2, 2, 1]"
    );
}

#[tokio::test]
async fn comparisons_that_make_no_sense_end() {
    for wrong in ["2", "NULL", "x"] {
        let call = format!("\"$array_sort\"(ARRAY[3, 2, 1], (x, y) -> {wrong})");
        assert!(error(&call).await.contains("-1, 0, or 1"), "{wrong}");
    }
    let always = "cardinality(\"$array_sort\"(sequence(1, 1000), (x, y) -> 1))";
    assert_eq!(value(always).await.unwrap(), "1000");
    let sums = "reduce(\"$array_sort\"(sequence(1, 1000), (x, y) -> IF((x * 7 + y * 13) % 3 = 0, 1, -1)), 0, (s, x) -> s + x, s -> s)";
    assert_eq!(value(sums).await.unwrap(), "500500");
}

#[tokio::test]
async fn entries_of_maps() {
    let map = "map(ARRAY['a', 'b', 'c'], ARRAY[1, NULL, 3])";
    assert_eq!(
        value(&format!("map_filter({map}, (k, v) -> v > 1 OR k = 'a')"))
            .await
            .unwrap(),
        "{a=1, c=3}"
    );
    assert_eq!(
        value(&format!(
            "transform_values({map}, (k, v) -> concat(k, coalesce(CAST(v AS varchar), '?')))"
        ))
        .await
        .unwrap(),
        "{a=a1, b=b?, c=c3}"
    );
    assert_eq!(
        value(&format!("transform_keys({map}, (k, v) -> upper(k))"))
            .await
            .unwrap(),
        "{A=1, B=NULL, C=3}"
    );
    assert!(
        error(&format!("transform_keys({map}, (k, v) -> 'x')"))
            .await
            .contains("Duplicate map keys (x)")
    );
    assert!(
        error(&format!("transform_keys({map}, (k, v) -> v)"))
            .await
            .contains("cannot be null")
    );
    let query = "SELECT map_filter(x, (k, v) -> v > y) FROM (VALUES \
                 (map(ARRAY[1, 2], ARRAY[10, 20]), 10), (NULL, 1), (map(ARRAY[3], ARRAY[5]), 9)) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["{2=20}", "NULL", "{}"]);
}

#[tokio::test]
async fn maps_are_zipped_by_their_keys() {
    let call = "map_zip_with(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['c', 'b'], ARRAY[30, 20]), \
                (k, v, w) -> concat(k, coalesce(CAST(v AS varchar), '-'), coalesce(CAST(w AS varchar), '-')))";
    assert_eq!(value(call).await.unwrap(), "{a=a1-, b=b220, c=c-30}");
}

#[tokio::test]
async fn many_items_are_evaluated_in_parts() {
    let query = "SELECT sum(reduce(transform(sequence(1, 9000), i -> i + y), 0, (s, i) -> s + i, s -> s)) \
                 FROM unnest(sequence(1, 20)) t(y)";
    let sum: i64 = (1..=20).map(|y| 9000 * y + 9000 * 9001 / 2).sum();
    assert_eq!(rows(query).await.unwrap(), [sum.to_string()]);
}

#[tokio::test]
async fn arguments_in_the_wrong_place_are_errors() {
    for call in [
        "transform(x -> x, ARRAY[1])",
        "transform(ARRAY[1], 1)",
        "transform(ARRAY[1])",
        "transform(ARRAY[1], (x, y) -> x)",
        "reduce(ARRAY[1], 0, (s, x) -> s)",
        "map_filter(ARRAY[1], (k, v) -> true)",
    ] {
        assert!(value(call).await.is_err(), "{call}");
    }
}

#[tokio::test]
async fn a_lambdas_constant_is_not_copied_without_bound() {
    let call = "transform(sequence(1, 9000), x -> repeat(repeat('aaaaaaaaaaaaaaaa', 100), 100))";
    assert!(error(call).await.contains("would make"));
}
