use super::*;

#[test]
fn other_spellings_are_read() {
    for (sql, expected) in [
        (
            "SELECT COLLATION FOR (x), collation\nfor('a' || b)",
            "SELECT pg_collation_for(x), pg_collation_for('a' || b)",
        ),
        ("SELECT collation FROM t", "SELECT collation FROM t"),
        (
            "SELECT a FROM t FETCH FIRST (1 + (2)) ROWS ONLY",
            "SELECT a FROM t LIMIT (1 + (2))",
        ),
        (
            "SELECT a FROM (SELECT a FROM t FETCH NEXT (1) ROW ONLY) s OFFSET 2 FETCH NEXT ($1) ROW ONLY",
            "SELECT a FROM (SELECT a FROM t LIMIT (1)) s OFFSET 2 LIMIT ($1)",
        ),
        (
            "SELECT a FROM t FETCH FIRST (1) ROWS ONLY OFFSET 2",
            "SELECT a FROM t OFFSET 2 LIMIT (1)",
        ),
        (
            "SELECT a LIKE ALL (SELECT b FROM t), a NOT LIKE ANY (SELECT 'x')",
            "SELECT a ~~ ALL (SELECT b FROM t), a !~~ ANY (SELECT 'x')",
        ),
        (
            "SELECT a ILIKE SOME (WITH u AS (SELECT 1) SELECT b FROM u) AND a NOT ILIKE ALL (SELECT c)",
            "SELECT a ~~* SOME (WITH u AS (SELECT 1) SELECT b FROM u) AND a !~~* ALL (SELECT c)",
        ),
        (
            "SELECT a OPERATOR(pg_catalog.=) ANY (b) AND c OPERATOR (<>) ALL (SELECT 1)",
            "SELECT a = ANY(b) AND c <> ALL (SELECT 1)",
        ),
        (
            "SELECT a LIKE b ESCAPE c AND d, a LIKE b ESCAPE '#', a LIKE b ESCAPE NULL",
            "SELECT a LIKE like_escape(b, c) AND d, a LIKE b ESCAPE '#', a LIKE b ESCAPE NULL",
        ),
        (
            "SELECT a NOT ILIKE b || '%' ESCAPE upper(c) OR d",
            "SELECT a NOT ILIKE like_escape(b || '%', upper(c)) OR d",
        ),
        (
            "SELECT 1 FROM d.t * JOIN u * ON true LEFT JOIN w * ON x WHERE a = (SELECT 1 FROM \"V\" *)",
            "SELECT 1 FROM d.t JOIN u ON true LEFT JOIN w ON x WHERE a = (SELECT 1 FROM \"V\")",
        ),
        (
            "SELECT md5(ROW(t.*)::text), row(d.u.*) IS NULL, ROW(t.*), ROW(t.a, 1) FROM t",
            "SELECT md5((t.*)::text), (d.u.*) IS NULL, ROW(t.*), ROW(t.a, 1) FROM t",
        ),
    ] {
        assert_eq!(query(sql), query(expected), "{sql}");
    }
    for sql in [
        "SELECT a IS DISTINCT FROM b * left(c, 1)",
        "SELECT EXTRACT(YEAR FROM a * left(b, 1)) FROM t",
        "SELECT substring(a FROM b * 2) FROM t",
        "SELECT a LIKE ANY (ARRAY['x'])",
    ] {
        assert!(parse(sql).is_ok(), "{sql}");
    }
}

#[test]
fn question_marks_between_operands_are_operators() {
    for sql in [
        "SELECT d ? k, d ? lower('A') FROM t",
        "SELECT d::JSONB ? (SELECT 'a'), (d) ?| a, t.value ?& a FROM t",
        "SELECT d -> 'a' ? k",
    ] {
        assert_eq!(query(sql), sql);
    }
    for (sql, expected) in [
        (
            "SELECT a FROM t WHERE ? IN (a) AND b BETWEEN ? AND ? LIMIT ? OFFSET ?",
            "SELECT a FROM t WHERE $1 IN (a) AND b BETWEEN $2 AND $3 LIMIT $4 OFFSET $5",
        ),
        (
            "SELECT CASE WHEN ? THEN ? ELSE ? END, x LIKE ? ESCAPE '#'",
            "SELECT CASE WHEN $1 THEN $2 ELSE $3 END, x LIKE $4 ESCAPE '#'",
        ),
    ] {
        assert_eq!(query(sql), expected);
    }
}
