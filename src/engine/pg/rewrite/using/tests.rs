#![allow(clippy::unwrap_used)]
use super::*;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

fn rewritten(sql: &str) -> String {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap()
        .remove(0);
    rewrite(&mut statement).unwrap();
    statement.to_string()
}

#[test]
fn names_say_which_column_they_mean() {
    for (sql, expected) in [
        (
            "SELECT k, l.k, r.k, l.x FROM l FULL JOIN r USING (k) WHERE l.k IS NULL ORDER BY r.k",
            "SELECT l.k, own_column(l.k), own_column(r.k), l.x FROM l FULL JOIN r USING(k) WHERE own_column(l.k) IS NULL ORDER BY own_column(r.k)",
        ),
        (
            "SELECT l.k FROM l LEFT JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
            "SELECT l.k FROM l LEFT JOIN r USING(k) WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
        ),
        (
            "SELECT r.k FROM l LEFT JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM l WHERE l.k = r.k)",
            "SELECT r.k FROM l LEFT JOIN r USING(k) WHERE EXISTS (SELECT 1 FROM l WHERE l.k = r.k)",
        ),
        (
            "SELECT l.k FROM l RIGHT JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
            "SELECT own_column(l.k) AS k FROM l RIGHT JOIN r USING(k) WHERE EXISTS (SELECT 1 FROM r WHERE r.k = own_column(l.k))",
        ),
        (
            "SELECT l.*, 1 FROM l RIGHT JOIN r USING (k)",
            "SELECT l.* REPLACE (own_column(l.\"k\") AS \"k\"), 1 FROM l RIGHT JOIN r USING(k)",
        ),
        (
            "SELECT * FROM d.z JOIN b USING (k)",
            "SELECT d.z.\"k\", d.z.* EXCLUDE (\"k\"), b.* EXCLUDE (\"k\") FROM d.z JOIN b USING(k)",
        ),
        (
            "SELECT K FROM a JOIN b USING (k) JOIN c USING (k) ORDER BY k",
            "SELECT a.K FROM a JOIN b USING(k) JOIN c USING(k) ORDER BY k",
        ),
        (
            "SELECT * FROM a FULL JOIN b USING (k) FULL JOIN c USING (k)",
            "SELECT a.\"k\", a.* EXCLUDE (\"k\"), b.* EXCLUDE (\"k\"), c.* EXCLUDE (\"k\") FROM a FULL JOIN b USING(k) FULL JOIN c USING(k)",
        ),
        (
            "SELECT * FROM a JOIN b ON a.k = b.k",
            "SELECT * FROM a JOIN b ON a.k = b.k",
        ),
        (
            "SELECT a.x FROM a NATURAL FULL JOIN b",
            "SELECT own_column(a.x) AS x FROM a NATURAL FULL JOIN b",
        ),
    ] {
        assert_eq!(rewritten(sql).replace("FULL OUTER", "FULL"), expected);
    }
}
