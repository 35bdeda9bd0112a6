#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

#[tokio::test]
async fn maps_are_made_of_two_arrays() {
    let query = "SELECT map(x, y) FROM (VALUES (ARRAY['a', 'b'], ARRAY[1, NULL]), \
                 (ARRAY[], ARRAY[]), (NULL, ARRAY[1])) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["{a=1, b=NULL}", "{}", "NULL"]);
    assert_eq!(value("\"$map\"()").await.unwrap(), "{}");
    assert!(
        error("map(ARRAY['a', 'a'], ARRAY[1, 2])")
            .await
            .contains("Duplicate map keys (a) are not allowed")
    );
    assert!(
        error("map(ARRAY['a', NULL], ARRAY[1, 2])")
            .await
            .contains("map key cannot be null")
    );
    assert!(
        error("map(ARRAY['a'], ARRAY[1, 2])")
            .await
            .contains("the same length")
    );
    assert_eq!(
        value("map(ARRAY[ARRAY[1], ARRAY[2]], ARRAY['x', 'y'])")
            .await
            .unwrap(),
        "{[1]=x, [2]=y}"
    );
}

#[tokio::test]
async fn literals_are_still_maps() {
    assert_eq!(value("MAP {'a': 1, 'b': 2}").await.unwrap(), "{a=1, b=2}");
}

#[tokio::test]
async fn the_last_of_equal_keys_wins() {
    let query = "SELECT map_concat(x, y) FROM (VALUES \
                 (map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b', 'c'], ARRAY[3, 4])), \
                 (NULL, map(ARRAY['x'], ARRAY[1]))) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["{b=3, c=4, a=1}", "NULL"]);
    assert_eq!(
        value("map_concat(map(ARRAY[1], ARRAY['x']), map(ARRAY[1], ARRAY['y']), map(ARRAY[2], ARRAY['z']))")
            .await
            .unwrap(),
        "{2=z, 1=y}"
    );
}

#[tokio::test]
async fn entries_and_back() {
    let query = "SELECT map_entries(x) FROM (VALUES (map(ARRAY['a'], ARRAY[1])), (NULL)) t(x)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["[{field0=a, field1=1}]", "NULL"]
    );
    assert_eq!(
        value("map_from_entries(map_entries(map(ARRAY['a', 'b'], ARRAY[1, 2])))")
            .await
            .unwrap(),
        "{a=1, b=2}"
    );
    assert!(
        error("map_from_entries(ARRAY[ROW('a', 1), ROW('a', 2)])")
            .await
            .contains("Duplicate")
    );
    assert!(
        error("map_from_entries(ARRAY[ROW('a', 1), NULL])")
            .await
            .contains("map entry cannot be null")
    );
    assert!(
        error("map_from_entries(ARRAY[ROW(NULL, 1), ROW('b', 1)])")
            .await
            .contains("map key cannot be null")
    );
    let query = "SELECT multimap_from_entries(x) FROM (VALUES \
                 (ARRAY[ROW('a', 1), ROW('b', 2), ROW('a', NULL)]), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["{a=[1, NULL], b=[2]}", "NULL"]);
}

#[tokio::test]
async fn keys_and_values() {
    assert_eq!(
        value("map_keys(map(ARRAY['a', 'b'], ARRAY[1, 2]))")
            .await
            .unwrap(),
        "[a, b]"
    );
    assert_eq!(
        value("map_values(map(ARRAY['a', 'b'], ARRAY[1, 2]))")
            .await
            .unwrap(),
        "[1, 2]"
    );
    let query = "SELECT element_at(x, 'b') FROM (VALUES \
                 (map(ARRAY['a', 'b'], ARRAY[1, 2])), (map(ARRAY['a'], ARRAY[1])), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["2", "NULL", "NULL"]);
    assert_eq!(
        value("cardinality(map(ARRAY['a', 'b'], ARRAY[1, 2]))")
            .await
            .unwrap(),
        "2"
    );
    assert_eq!(
        value("\"$subscript\"(map(ARRAY['a'], ARRAY[1]), 'a')")
            .await
            .unwrap(),
        "1"
    );
    assert!(
        error("\"$subscript\"(map(ARRAY['a'], ARRAY[1]), 'z')")
            .await
            .contains("Key not present in map: z")
    );
    assert_eq!(
        value("element_at(map(ARRAY[1e0], ARRAY['x']), 1)")
            .await
            .unwrap(),
        "x"
    );
}
