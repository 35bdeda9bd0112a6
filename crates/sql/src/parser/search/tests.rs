#![allow(clippy::unwrap_used, clippy::panic)]
use crate::Statement;

fn query(sql: &str) -> String {
    match crate::parse(sql).unwrap().remove(0).statement {
        Statement::Query(query) => query.to_string(),
        other => panic!("no query: {other:?}"),
    }
}

#[test]
fn clauses_add_columns_to_both_sides() {
    let read = "SELECT g.id, g.p FROM g, t WHERE g.p = t.id";
    for (clause, expected) in [
        (
            "SEARCH DEPTH FIRST BY id SET ord",
            "WITH RECURSIVE t (id, p, ord) AS (SELECT searched.*, ARRAY[ROW(\"searched\".id)] FROM (SELECT 1, 2) AS searched (id, p) UNION ALL SELECT g.id, g.p, t.ord || ROW((g.id)) FROM g, t WHERE g.p = t.id) SELECT * FROM t",
        ),
        (
            "search breadth first by p, id set ord",
            "WITH RECURSIVE t (id, p, ord) AS (SELECT searched.*, ROW(0, \"searched\".p, \"searched\".id) FROM (SELECT 1, 2) AS searched (id, p) UNION ALL SELECT g.id, g.p, ROW(get_field(t.ord, 'c0') + 1, (g.p), (g.id)) FROM g, t WHERE g.p = t.id) SELECT * FROM t",
        ),
        (
            "CYCLE id SET c USING path",
            "WITH RECURSIVE t (id, p, c, path) AS (SELECT searched.*, nullif(false, NULL), ARRAY[ROW(\"searched\".id)] FROM (SELECT 1, 2) AS searched (id, p) UNION ALL SELECT g.id, g.p, CASE WHEN ROW((g.id)) = ANY(t.path) THEN true ELSE false END, t.path || ROW((g.id)) FROM g, t WHERE (g.p = t.id) AND (t.c <> true)) SELECT * FROM t",
        ),
    ] {
        let sql = format!(
            "WITH RECURSIVE t(id, p) AS (SELECT 1, 2 UNION ALL {read}) {clause} SELECT * FROM t"
        );
        assert_eq!(query(&sql), expected, "{clause}");
    }
}

#[test]
fn both_clauses_and_values_of_the_mark_go_together() {
    let sql = "WITH RECURSIVE t AS (SELECT 1 AS id UNION ALL SELECT q.id + 1 FROM t AS q) SEARCH DEPTH FIRST BY id SET ord CYCLE id SET c TO 'Y' DEFAULT 'N' USING path, u AS (SELECT 1) SELECT * FROM t";
    let made = query(sql);
    for part in [
        "t (id, ord, c, path)",
        "q.ord || ROW((q.id + 1))",
        "THEN 'Y' ELSE 'N' END",
        "WHERE (q.c <> 'Y')",
        "u AS (SELECT 1)",
    ] {
        assert!(made.contains(part), "{part}: {made}");
    }
}

#[test]
fn columns_are_added_beside_stars() {
    for (read, expected) in [
        (
            "SELECT * FROM t WHERE id < 3",
            "UNION ALL SELECT t.id, t.p, t.ord || ROW((t.id)) FROM t WHERE id < 3)",
        ),
        (
            "SELECT q.* FROM t AS q",
            "UNION ALL SELECT q.id, q.p, q.ord || ROW((q.id)) FROM t AS q)",
        ),
        (
            "SELECT g.* FROM g JOIN t ON g.p = t.id WHERE g.x",
            "UNION ALL SELECT \"found\".id, \"found\".p, \"found\".ord || ROW((\"found\".id)) FROM (SELECT g.*, t.ord FROM g JOIN t ON g.p = t.id WHERE g.x) AS found (id, p, ord))",
        ),
        (
            "SELECT * FROM g, t",
            "FROM (SELECT g.*, t.id, t.p, t.ord FROM g, t) AS found (id, p, ord))",
        ),
    ] {
        let sql = format!(
            "WITH RECURSIVE t(id, p) AS (SELECT 1, 2 UNION ALL {read}) SEARCH DEPTH FIRST BY id SET ord SELECT * FROM t"
        );
        let made = query(&sql);
        assert!(made.contains(expected), "{made}");
    }
}

#[test]
fn other_queries_are_refused_and_the_words_stay_names() {
    for query in [
        "SELECT 1 AS a",
        "SELECT 1 AS a UNION ALL SELECT * FROM g JOIN t USING (a)",
        "SELECT 1 AS a UNION ALL SELECT * EXCLUDE (b) FROM t",
        "SELECT 1 AS a UNION ALL SELECT 2",
        "SELECT 1 UNION ALL SELECT a FROM t",
    ] {
        let sql =
            format!("WITH RECURSIVE t AS ({query}) SEARCH DEPTH FIRST BY a SET o SELECT * FROM t");
        let statement = crate::parse(&sql).unwrap().remove(0).statement;
        assert!(matches!(statement, Statement::Unsupported(_)), "{sql}");
    }
    let sql = "SELECT search, cycle FROM (SELECT 1 AS search, 2 AS cycle) AS search";
    assert_eq!(query(sql), sql);
}
