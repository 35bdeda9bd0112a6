#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

async fn check(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (call, expected) in cases {
        let shown = value(call).await;
        let shown = shown.unwrap_or_else(|error| format!("error: {}", error.strip_backtrace()));
        if shown != *expected {
            wrong.push(format!("{call} = {shown}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check_errors(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (call, expected) in cases {
        let shown = error(call).await;
        if !shown.contains(expected) {
            wrong.push(format!("{call}: {shown}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn searches_have_three_values() {
    check(&[
        ("contains(ARRAY[1, 2], 3)", "false"),
        ("contains(ARRAY[1, NULL], 1)", "true"),
        ("contains(ARRAY[1, NULL], 3)", "NULL"),
        ("contains(ARRAY[1, 2], NULL)", "NULL"),
        ("contains(NULL, 1)", "NULL"),
        ("contains(ARRAY[], 1)", "false"),
        ("contains(ARRAY[1, 2], 2.0)", "true"),
        ("contains(ARRAY[nan()], nan())", "false"),
        ("contains(ARRAY[0e0], -0e0)", "true"),
        ("contains(ARRAY[ARRAY[1], ARRAY[2]], ARRAY[2])", "true"),
        ("contains(ARRAY[ROW(1, 'a')], ROW(1, 'a'))", "true"),
        ("contains('abc', 'b')", "true"),
        ("array_position(ARRAY[1, 2, 2], 2)", "2"),
        ("array_position(ARRAY[1, NULL], 3)", "0"),
        ("array_position(ARRAY[1, 2], NULL)", "NULL"),
        ("array_remove(ARRAY[1, NULL, 2, 1], 1)", "[NULL, 2]"),
        ("array_remove(ARRAY[1, 2], NULL)", "NULL"),
        ("arrays_overlap(ARRAY[1, 2], ARRAY[3])", "false"),
        ("arrays_overlap(ARRAY[1, NULL], ARRAY[3])", "NULL"),
        ("arrays_overlap(ARRAY[1, NULL], ARRAY[NULL, 1])", "true"),
        ("arrays_overlap(ARRAY[NULL], ARRAY[])", "false"),
        (
            "contains_sequence(ARRAY[1, NULL, 2], ARRAY[NULL, 2])",
            "true",
        ),
        ("contains_sequence(ARRAY[1, 2, 3], ARRAY[1, 3])", "false"),
        ("contains_sequence(ARRAY[1], ARRAY[])", "true"),
        ("array_max(ARRAY[1, NULL])", "NULL"),
        ("array_max(ARRAY[])", "NULL"),
        ("array_max(ARRAY['a', 'é', 'z'])", "é"),
        ("array_max(ARRAY[1e0, nan(), 3e0])", "3.0"),
        ("array_min(ARRAY[nan(), 1e0])", "1.0"),
        ("array_min(ARRAY[true, false])", "false"),
    ])
    .await;
    check_errors(&[
        ("contains(ARRAY[1], 'a')", "cannot be applied"),
        ("contains(1, 2)", "contains takes"),
        ("contains(ARRAY[ROW(1, NULL)], ROW(1, 2))", "contain NULL"),
    ])
    .await;
}

#[tokio::test]
async fn columns_are_searched_by_row() {
    let query = "SELECT contains(x, y) FROM (VALUES (ARRAY['a', 'b'], 'b'), (ARRAY['c'], 'b'), \
                 (NULL, 'a'), (ARRAY['é'], NULL)) t(x, y)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["true", "false", "NULL", "NULL"]
    );
    let query = "SELECT contains(x, CAST('b' AS varchar)) FROM (VALUES (ARRAY['a', 'b']), (ARRAY['c'])) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["true", "false"]);
    let query = "SELECT contains(ARRAY[1, 2], y) FROM (VALUES (1), (3)) t(y)";
    assert_eq!(rows(query).await.unwrap(), ["true", "false"]);
    let query = "SELECT contains('abc', y) FROM (VALUES ('a'), ('x'), (NULL)) t(y)";
    assert_eq!(rows(query).await.unwrap(), ["true", "false", "NULL"]);
}

#[tokio::test]
async fn sets_have_no_item_twice() {
    check(&[
        ("array_distinct(ARRAY[2, NULL, 1, NULL, 2])", "[2, NULL, 1]"),
        ("array_distinct(ARRAY[ARRAY[1], ARRAY[1]])", "[[1]]"),
        (
            "array_distinct(ARRAY[0e0, -0e0, nan(), nan()])",
            "[0.0, NaN]",
        ),
        ("array_distinct(NULL)", "NULL"),
        (
            "cardinality(array_distinct(concat(sequence(1, 100), sequence(50, 150))))",
            "150",
        ),
        (
            "array_union(ARRAY[1, NULL], ARRAY[NULL, 2])",
            "[1, NULL, 2]",
        ),
        ("array_union(ARRAY[1], NULL)", "NULL"),
        ("array_union(ARRAY['a'], ARRAY[])", "[a]"),
        ("array_union(ARRAY[1], ARRAY[1.5])", "[1.0, 1.5]"),
        (
            "array_intersect(ARRAY[1, NULL, 3], ARRAY[NULL, 1, 1])",
            "[1, NULL]",
        ),
        ("array_intersect(ARRAY[2], ARRAY[3, 2, 1])", "[2]"),
        ("array_except(ARRAY[1, NULL, 2, 1], ARRAY[2])", "[1, NULL]"),
        ("array_except(ARRAY[1, NULL], ARRAY[NULL])", "[1]"),
        ("array_histogram(ARRAY[1, NULL, 2, 1])", "{1=2, 2=1}"),
        (
            "array_sort(ARRAY['b', NULL, 'a', 'é', ''])",
            "[, a, b, é, NULL]",
        ),
        ("array_sort(ARRAY[nan(), 1e0, -1e0])", "[-1.0, 1.0, NaN]"),
        (
            "array_sort(ARRAY[DATE '2020-02-01', DATE '1960-01-01'])",
            "[1960-01-01, 2020-02-01]",
        ),
        ("array_sort(ARRAY[ARRAY[2], ARRAY[1, 5]])", "[[1, 5], [2]]"),
        ("array_sort(NULL)", "NULL"),
    ])
    .await;
    let query = "SELECT array_union(x, y) FROM (VALUES (ARRAY['a'], ARRAY['b', 'a']), (NULL, ARRAY['b'])) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["[a, b]", "NULL"]);
    check_errors(&[("array_union(ARRAY[1], ARRAY['a'])", "cannot be applied")]).await;
}

#[tokio::test]
async fn items_are_counted_from_one_or_from_the_end() {
    check(&[
        ("element_at(ARRAY[1, 2], 3)", "NULL"),
        ("element_at(ARRAY[1, 2], -3)", "NULL"),
        ("element_at(ARRAY['a', 'b'], -2)", "a"),
        ("element_at(ARRAY[1], NULL)", "NULL"),
        ("element_at(ARRAY[1], 9223372036854775807)", "NULL"),
        ("\"$subscript\"(ARRAY['a', 'b'], 2)", "b"),
        ("\"$subscript\"(ARRAY[1], NULL)", "NULL"),
        ("slice(ARRAY[1, 2, 3], -2, 5)", "[2, 3]"),
        ("slice(ARRAY[1, 2, 3], -4, 5)", "[]"),
        ("slice(ARRAY[1, 2, 3], 4, 1)", "[]"),
        ("slice(ARRAY[1, 2, 3], 2, 0)", "[]"),
        ("slice(ARRAY[1, 2, 3], 1, 9223372036854775807)", "[1, 2, 3]"),
        ("slice(ARRAY[1], NULL, 1)", "NULL"),
        ("array_first(ARRAY[])", "NULL"),
        ("array_last(ARRAY[1, NULL])", "NULL"),
        ("array_last(ARRAY['x', 'y'])", "y"),
        ("cardinality(ARRAY[])", "0"),
        ("cardinality(NULL)", "NULL"),
        (
            "flatten(ARRAY[ARRAY[1], NULL, ARRAY[], ARRAY[NULL, 2]])",
            "[1, NULL, 2]",
        ),
        (
            "flatten(ARRAY[ARRAY[ARRAY[1]], ARRAY[ARRAY[2]]])",
            "[[1], [2]]",
        ),
    ])
    .await;
    check_errors(&[
        ("element_at(ARRAY[1], 0)", "SQL array indices start at 1"),
        (
            "\"$subscript\"(ARRAY[1], 0)",
            "SQL array indices start at 1",
        ),
        (
            "\"$subscript\"(ARRAY[1], -1)",
            "Array subscript is negative: -1",
        ),
        (
            "\"$subscript\"(ARRAY[1], 2)",
            "Array subscript must be less than or equal to array length: 2 > 1",
        ),
        ("slice(ARRAY[1], 0, 1)", "SQL array indices start at 1"),
        ("slice(ARRAY[1], 1, -1)", "length must be greater"),
        ("element_at(ARRAY[1], 'a')", "an integer"),
        ("flatten(ARRAY[1])", "an array"),
    ])
    .await;
}

#[tokio::test]
async fn arrays_made_of_values() {
    check(&[
        ("repeat(NULL, 2)", "[NULL, NULL]"),
        ("repeat('x', 0)", "[]"),
        ("repeat(ARRAY[1], 2)", "[[1], [1]]"),
        ("repeat(1, NULL)", "NULL"),
        (
            "combinations(ARRAY[1, 2, 3, 4], 2)",
            "[[1, 2], [1, 3], [2, 3], [1, 4], [2, 4], [3, 4]]",
        ),
        ("combinations(ARRAY[1, 2], 0)", "[[]]"),
        ("combinations(ARRAY[1, 2], 3)", "[]"),
        ("combinations(ARRAY[], 0)", "[[]]"),
        ("ngrams(ARRAY[1, 2, 3], 5)", "[[1, 2, 3]]"),
        ("ngrams(ARRAY[1, NULL, 3], 1)", "[[1], [NULL], [3]]"),
        ("ngrams(ARRAY[], 2)", "[[]]"),
        ("array_sort(shuffle(ARRAY[3, 1, 2]))", "[1, 2, 3]"),
        ("shuffle(NULL)", "NULL"),
        (
            "zip(ARRAY[1], ARRAY['a', 'b'], ARRAY[true])",
            "[{field0=1, field1=a, field2=true}, {field0=NULL, field1=b, field2=NULL}]",
        ),
        ("zip(ARRAY[1], NULL)", "NULL"),
        ("array_join(ARRAY[1, NULL, 3], '-')", "1-3"),
        ("array_join(ARRAY['a', NULL], '', '?')", "a?"),
        ("array_join(ARRAY['a'], NULL)", "NULL"),
        ("array_join(ARRAY['a', NULL], ',', NULL)", "NULL"),
        ("array_join(ARRAY[], ',')", ""),
        ("array_join(ARRAY[NULL, 'b'], ',')", "b"),
        ("array_join(ARRAY[true, false], ' ')", "true false"),
        ("array_join(ARRAY[DATE '2020-01-02'], ',')", "2020-01-02"),
        (
            "array_join(ARRAY[TIMESTAMP '2020-01-02 03:04:05'], ',')",
            "2020-01-02 03:04:05.000",
        ),
        ("dot_product(ARRAY[1, 2], ARRAY[3, NULL])", "3.0"),
        ("dot_product(ARRAY[], ARRAY[])", "0.0"),
    ])
    .await;
    check_errors(&[
        ("repeat(1, -1)", "greater than or equal to 0"),
        ("repeat(1, 10001)", "less than or equal to 10000"),
        ("combinations(ARRAY[1], -1)", "must not be negative"),
        ("combinations(ARRAY[1], 6)", "must not exceed 5"),
        ("combinations(sequence(1, 100), 4)", "exceed max size"),
        ("ngrams(ARRAY[1], 0)", "must be positive"),
        ("dot_product(ARRAY[1], ARRAY[1, 2])", "the same length"),
    ])
    .await;
}

#[tokio::test]
async fn sequences_of_numbers_dates_and_timestamps() {
    check(&[
        ("sequence(1, 3)", "[1, 2, 3]"),
        ("sequence(3, 1)", "[3, 2, 1]"),
        ("sequence(1, 6, 2)", "[1, 3, 5]"),
        ("sequence(1, 1)", "[1]"),
        ("sequence(1, NULL)", "NULL"),
        ("cardinality(sequence(1, 10000))", "10000"),
        ("sequence(9223372036854775806, 9223372036854775807)", "[9223372036854775806, 9223372036854775807]"),
        ("sequence(DATE '2020-02-28', DATE '2020-03-01')", "[2020-02-28, 2020-02-29, 2020-03-01]"),
        (
            "sequence(DATE '2020-01-31', DATE '2020-03-31', INTERVAL '1' MONTH)",
            "[2020-01-31, 2020-02-29, 2020-03-31]",
        ),
        (
            "sequence(DATE '2020-01-01', DATE '2020-01-10', INTERVAL '7' DAY)",
            "[2020-01-01, 2020-01-08]",
        ),
        (
            "sequence(TIMESTAMP '2020-01-01 10:00:00', TIMESTAMP '2020-01-01 11:00:00', INTERVAL '30' MINUTE)",
            "[2020-01-01 10:00:00.000, 2020-01-01 10:30:00.000, 2020-01-01 11:00:00.000]",
        ),
        (
            "sequence(TIMESTAMP '2020-03-31 10:00:00', TIMESTAMP '2020-01-01 00:00:00', INTERVAL '-1' MONTH)",
            "[2020-03-31 10:00:00.000, 2020-02-29 10:00:00.000, 2020-01-31 10:00:00.000]",
        ),
    ])
    .await;
    check_errors(&[
        ("sequence(1, 3, 0)", "step must not be zero"),
        ("sequence(1, 3, -1)", "sequence stop value"),
        ("sequence(1, 10001)", "more than 10000 entries"),
        (
            "sequence(-9223372036854775807, 9223372036854775807)",
            "more than 10000 entries",
        ),
        (
            "sequence(DATE '2020-01-01', DATE '2020-01-02', INTERVAL '1' HOUR)",
            "day interval",
        ),
        ("sequence('a', 'b')", "sequence takes"),
        (
            "sequence(TIMESTAMP '2020-01-01 10:00:00', TIMESTAMP '2020-01-01 11:00:00')",
            "sequence takes",
        ),
    ])
    .await;
}

#[tokio::test]
async fn constants_and_columns_give_the_same() {
    let query = "SELECT slice(x, 2, 1), cardinality(x) FROM (VALUES (ARRAY[1, 2, 3]), (NULL), (ARRAY[])) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["[2]", "NULL", "[]"]);
    let query = "SELECT repeat(x, 2) FROM (VALUES ('a'), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["[a, a]", "[NULL, NULL]"]);
    let query = "SELECT zip(x, ARRAY[1]) FROM (VALUES (ARRAY['a', 'b']), (NULL)) t(x)";
    let expected = ["[{field0=a, field1=1}, {field0=b, field1=NULL}]", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    let query = "SELECT array_sort(x) FROM (SELECT x FROM (VALUES (ARRAY[9]), (ARRAY[3, 1]), (ARRAY[8])) t(x) LIMIT 1 OFFSET 1)";
    assert_eq!(rows(query).await.unwrap(), ["[1, 3]"]);
}

#[tokio::test]
async fn texts_are_joined_to_a_bound() {
    check(&[
        (
            "\"$listagg\"(ARRAY['a', 'b', 'c'], ',', '~', true)",
            "a,b,c",
        ),
        (
            "\"$listagg\"(ARRAY[rpad('a', 1048577, 'b')], ',', '~', true)",
            "~(1)",
        ),
        (
            "right(\"$listagg\"(ARRAY['a', rpad('a', 1048574, 'b'), 'c', 'd'], ',', '~', true), 7)",
            "bb,~(2)",
        ),
        (
            "right(\"$listagg\"(ARRAY['a', rpad('a', 1048574, 'b'), 'c'], ',', '~', false), 3)",
            "b,~",
        ),
        ("\"$listagg\"(NULL, ',', '~', false)", "NULL"),
    ])
    .await;
}

#[tokio::test]
async fn one_value_is_found_as_a_value_of_each_row() {
    for (arrays, values) in [
        (
            "(ARRAY[1, 2, 3]), (ARRAY[]), (NULL), (ARRAY[3]), (ARRAY[-3, 33]), (ARRAY[2, 3, 3, 1])",
            ["3", "-3", "7", "2.0", "CAST(NULL AS bigint)"],
        ),
        (
            "(ARRAY[1, NULL]), (ARRAY[NULL]), (NULL), (ARRAY[3])",
            ["3", "1", "7", "2.0", "CAST(NULL AS bigint)"],
        ),
        (
            "(ARRAY[1e0, nan()]), (ARRAY[0e0]), (NULL), (ARRAY[-0e0, 3e0])",
            ["0e0", "-0e0", "nan()", "3", "CAST(NULL AS double)"],
        ),
        (
            "(ARRAY[DATE '2024-01-01']), (ARRAY[DATE '1969-12-31', DATE '2024-01-02']), (NULL)",
            [
                "DATE '2024-01-02'",
                "DATE '1969-12-31'",
                "DATE '2024-01-01'",
                "DATE '1970-01-01'",
                "NULL",
            ],
        ),
    ] {
        for value in values {
            let query = format!("SELECT contains(x, {value}) FROM (VALUES {arrays}) t(x)");
            let one = rows(&query).await.unwrap();
            let query = format!("SELECT array_position(x, {value}) FROM (VALUES {arrays}) t(x)");
            let places = rows(&query).await.unwrap();
            assert_eq!(one.len(), places.len());
            for (found, place) in one.iter().zip(&places) {
                // The place is that of the first one, and 0 where a NULL makes it unknown.
                let expected: &[&str] = match place.as_str() {
                    "NULL" => &["NULL"],
                    "0" => &["false", "NULL"],
                    _ => &["true"],
                };
                assert!(
                    expected.contains(&found.as_str()),
                    "{value} in {arrays}: {one:?}, {places:?}"
                );
            }
            let unknown = one.iter().filter(|found| *found == "NULL").count();
            let null = places.iter().filter(|place| *place == "NULL").count();
            assert!(unknown == null || arrays.contains("NULL]"), "{query}");
        }
    }
}
