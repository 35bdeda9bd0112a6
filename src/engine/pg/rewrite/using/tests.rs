#![allow(clippy::unwrap_used)]
use super::*;
use crate::error::Code;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

fn rewritten(sql: &str) -> String {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap()
        .remove(0);
    rewrite(&mut statement, &JoinedColumns::default()).unwrap();
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
    ] {
        assert_eq!(rewritten(sql).replace("FULL OUTER", "FULL"), expected);
    }
}

/// What tables have: `t` has `k` and `t`, and so on; `dup` has `k` twice.
fn columns_of(query: &Query) -> Result<Vec<String>, Error> {
    let text = query.to_string();
    let table = text.rsplit(' ').next().unwrap();
    Ok(match table {
        "dup" => vec!["k".to_owned(), "k".to_owned()],
        "other" => vec!["n".to_owned()],
        table => vec!["k".to_owned(), table.to_owned()],
    })
}

/// The statement with what was learned, and the queries that were asked for.
fn learned(sql: &str) -> (Result<String, Error>, Vec<String>) {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap()
        .remove(0);
    let mut columns = JoinedColumns::default();
    let mut asked = Vec::new();
    while let Some(unknown) = columns.unknown(&statement).unwrap() {
        let relations = unknown.relations.iter().flatten();
        asked.extend(relations.map(ToString::to_string));
        let found = unknown.relations.iter().map(|query| match query {
            Some(query) => columns_of(query),
            None => Err(Error::not_supported("lateral")),
        });
        let found = found.collect();
        if let Err(error) = columns.learn(&mut statement, &unknown, found) {
            return (Err(error), asked);
        }
    }
    let written = rewrite(&mut statement, &columns).map(|()| statement.to_string());
    (written, asked)
}

#[test]
fn natural_joins_are_by_the_columns_that_both_sides_have() {
    for (sql, expected) in [
        (
            "SELECT * FROM a NATURAL JOIN b WHERE k = 1",
            "SELECT a.\"k\", a.* EXCLUDE (\"k\"), b.* EXCLUDE (\"k\") FROM a JOIN b USING(\"k\") WHERE a.k = 1",
        ),
        (
            "SELECT a.k, b.b FROM a NATURAL FULL JOIN b",
            "SELECT own_column(a.k) AS k, b.b FROM a FULL JOIN b USING(\"k\")",
        ),
        (
            "SELECT a.* FROM a NATURAL RIGHT JOIN b",
            "SELECT a.* REPLACE (own_column(a.\"k\") AS \"k\") FROM a RIGHT JOIN b USING(\"k\")",
        ),
        (
            "SELECT * FROM a NATURAL LEFT JOIN other",
            "SELECT * FROM a LEFT JOIN other ON true",
        ),
        (
            "SELECT k FROM a CROSS JOIN other NATURAL LEFT JOIN b WHERE k = 1",
            "SELECT a.k FROM a CROSS JOIN other LEFT JOIN b USING(\"k\") WHERE a.k = 1",
        ),
        (
            "SELECT * FROM other CROSS JOIN a LEFT JOIN b USING (k)",
            "SELECT a.\"k\", other.*, a.* EXCLUDE (\"k\"), b.* EXCLUDE (\"k\") FROM other CROSS JOIN a LEFT JOIN b USING(k)",
        ),
        (
            "SELECT x.k FROM (a NATURAL JOIN b) AS x",
            "SELECT x.k FROM (a JOIN b USING(\"k\")) AS x",
        ),
        (
            "SELECT (SELECT count(*) FROM a NATURAL JOIN b WHERE k = c.c) FROM c NATURAL JOIN a WHERE k = 2",
            "SELECT (SELECT count(*) FROM a JOIN b USING(\"k\") WHERE a.k = c.c) FROM c JOIN a USING(\"k\") WHERE c.k = 2",
        ),
    ] {
        let written = learned(sql).0.unwrap().replace("FULL OUTER", "FULL");
        assert_eq!(written, expected, "{sql}");
    }
}

#[test]
fn what_cannot_be_joined_by_name_is_an_error() {
    for (sql, code, part) in [
        (
            "SELECT 1 FROM a NATURAL JOIN dup",
            Code::AmbiguousColumn,
            "right",
        ),
        (
            "SELECT 1 FROM a JOIN b ON true NATURAL JOIN c",
            Code::AmbiguousColumn,
            "left",
        ),
        (
            "SELECT 1 FROM a NATURAL JOIN LATERAL (SELECT 1) b",
            Code::NotSupported,
            "lateral",
        ),
    ] {
        let error = learned(sql).0.unwrap_err();
        assert_eq!(error.code(), code, "{sql}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
}

#[test]
fn relations_are_asked_for_with_the_common_tables_that_they_can_name() {
    let (_, asked) = learned(
        "WITH a AS (SELECT 1), b AS (SELECT * FROM a NATURAL JOIN t), c AS (SELECT 2)
         SELECT * FROM b NATURAL JOIN (WITH c AS (SELECT 3) SELECT * FROM c) q",
    );
    let first = "WITH a AS (SELECT 1)";
    let second = "WITH a AS (SELECT 1), b AS (SELECT a.\"k\"";
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(asked[0], format!("{first} SELECT * FROM a"));
    assert_eq!(asked[1], format!("{first} SELECT * FROM t"));
    assert!(
        asked[2].ends_with(", c AS (SELECT 2) SELECT * FROM b"),
        "{}",
        asked[2]
    );
    assert!(
        asked[3].ends_with("SELECT * FROM (WITH c AS (SELECT 3) SELECT * FROM c) q"),
        "{}",
        asked[3]
    );
    assert!(
        !asked[2].starts_with(second),
        "nothing is rewritten before all is known"
    );
}

#[test]
fn joins_that_their_names_tell_ask_for_nothing() {
    for sql in [
        "SELECT * FROM a JOIN b USING (k)",
        "SELECT * FROM a JOIN b USING (k) JOIN c USING (k)",
        "SELECT * FROM a JOIN b ON a.k = b.k, c",
    ] {
        assert!(learned(sql).1.is_empty(), "{sql}");
    }
}
