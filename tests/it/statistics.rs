//! Statistics of ANALYZE choose between plans.

use crate::harness::Server;

const FILTERED: &str =
    "SELECT b.x, m.z FROM analyzed.big b JOIN analyzed.middle m ON b.k = m.k WHERE b.x > 1990";
const JOIN: &str = "SELECT b.x, s.y FROM analyzed.big b JOIN analyzed.small s ON b.k = s.k";

#[tokio::test]
async fn the_smaller_side_of_a_join_is_built_after_analyze() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    // Files of text tell nothing of their rows.
    admin
        .run_each(&[
            "CREATE DATABASE analyzed LOCATION 's3://datalake/tests/analyzed/'",
            "CREATE TABLE analyzed.big WITH (format = 'TEXTFILE') AS SELECT n AS k, n AS x FROM generate_series(1, 2000) AS t (n)",
            "CREATE TABLE analyzed.middle WITH (format = 'TEXTFILE') AS SELECT n AS k, n AS z FROM generate_series(1, 200) AS t (n)",
            "CREATE TABLE analyzed.small WITH (format = 'TEXTFILE') AS SELECT * FROM (VALUES (7, 8)) AS t (k, y)",
        ])
        .await;
    let is_first = async |query: &str, first: &str, second: &str| {
        let plan = admin
            .text(&format!("EXPLAIN (TYPE DISTRIBUTED) {query}"))
            .await;
        let place = |column: &str| {
            plan.find(&format!("projection=[k, {column}]"))
                .unwrap_or_else(|| panic!("no scan of {column} in\n{plan}"))
        };
        place(first) < place(second)
    };
    // As the query has them.
    assert!(is_first(JOIN, "x", "y").await);
    admin
        .run_each(&[
            "ANALYZE analyzed.big (k)",
            "ANALYZE analyzed.middle",
            "ANALYZE analyzed.small",
        ])
        .await;
    assert!(is_first(JOIN, "y", "x").await);
    // The bounds tell that ten rows of the larger table match.
    assert!(is_first(FILTERED, "z", "x").await);
    admin.run("ANALYZE analyzed.big").await;
    assert!(is_first(FILTERED, "x", "z").await);
    assert_eq!(admin.text(JOIN).await, "7|8");
    admin.run("DROP DATABASE analyzed CASCADE").await;
}
