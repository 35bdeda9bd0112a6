#![allow(clippy::unwrap_used)]
mod rows;

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_error::Code;
use lakegate_sql::AthenaDialect;

use super::*;

fn parsed(sql: &str) -> Statement {
    let statements = Parser::parse_sql(&AthenaDialect::default(), sql);
    statements.unwrap().remove(0)
}

/// Returns the columns of the test tables: `t` has `k` and `t`, and so on; `dup` has `k` twice.
fn columns_of(query: &Query) -> Columns {
    let text = query.to_string();
    let table = text.rsplit(' ').next().unwrap();
    Ok(match table {
        "dup" => vec!["k".to_owned(), "k".to_owned()],
        "other" => vec!["n".to_owned()],
        table => vec!["k".to_owned(), table.to_owned()],
    })
}

/// Returns the resolved statement, and the queries that were requested.
fn resolved(sql: &str) -> (Result<String, Error>, Vec<String>) {
    let statement = parsed(sql);
    let mut columns = JoinedColumns::default();
    let mut asked = Vec::new();
    loop {
        let unknown = match resolve_joins(&statement, &columns) {
            Ok(Resolution::Resolved(statement)) => {
                let text = statement.to_string().replace("FULL OUTER", "FULL");
                return (Ok(text), asked);
            }
            Ok(Resolution::Unknown(unknown)) => unknown,
            Err(error) => return (Err(error), asked),
        };
        for select in unknown {
            let relations = select.relations.iter().flatten();
            asked.extend(relations.map(ToString::to_string));
            let found = select.relations.iter().map(|query| match query {
                Some(query) => columns_of(query),
                None => Err(Error::not_supported("lateral")),
            });
            let found = found.collect();
            columns.learn(&select, found);
        }
    }
}

#[test]
fn joins_that_their_names_tell_ask_for_nothing() {
    for (sql, expected) in [
        (
            "SELECT k, l.k, r.k, l.x FROM l FULL JOIN r USING (k) WHERE l.k IS NULL ORDER BY r.k",
            "SELECT coalesce(l.k, r.k) AS \"k\u{2063}:0\", l.k, r.k, l.x FROM l FULL JOIN r ON l.k = r.k WHERE l.k IS NULL ORDER BY r.k",
        ),
        (
            "SELECT k::text FROM l FULL JOIN r USING (k) GROUP BY k ORDER BY k, -k",
            "SELECT coalesce(l.k, r.k)::TEXT AS k FROM l FULL JOIN r ON l.k = r.k GROUP BY coalesce(l.k, r.k) ORDER BY k, -coalesce(l.k, r.k)",
        ),
        (
            "SELECT l.k FROM l LEFT JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
            "SELECT l.k FROM l LEFT JOIN r ON l.k = r.k WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
        ),
        (
            "SELECT l.*, k FROM l RIGHT JOIN r USING (k)",
            "SELECT l.*, r.k FROM l RIGHT JOIN r ON l.k = r.k",
        ),
        (
            "SELECT * FROM d.z JOIN b USING (k)",
            "SELECT d.z.k, d.z.* EXCLUDE (k), b.* EXCLUDE (k) FROM d.z JOIN b ON d.z.k = b.k",
        ),
        (
            "SELECT * FROM a LEFT JOIN b USING (\"K\")",
            "SELECT a.\"K\", a.* EXCLUDE (\"K\"), b.* EXCLUDE (\"K\") FROM a LEFT JOIN b ON a.\"K\" = b.\"K\"",
        ),
        (
            "SELECT K FROM a JOIN b USING (k) JOIN c USING (k) JOIN d USING (k) ORDER BY k",
            "SELECT a.k FROM a JOIN b ON a.k = b.k JOIN c ON a.k = c.k JOIN d ON a.k = d.k ORDER BY k",
        ),
        (
            "SELECT * FROM a FULL JOIN b USING (k) FULL JOIN c USING (k)",
            "SELECT coalesce(coalesce(a.k, b.k), c.k) AS k, a.* EXCLUDE (k), b.* EXCLUDE (k), c.* EXCLUDE (k) FROM a FULL JOIN b ON a.k = b.k FULL JOIN c ON coalesce(a.k, b.k) = c.k",
        ),
        (
            "SELECT * FROM a JOIN b USING (k, m, n)",
            "SELECT a.k, a.m, a.n, a.* EXCLUDE (k, m, n), b.* EXCLUDE (k, m, n) FROM a JOIN b ON a.k = b.k AND a.m = b.m AND a.n = b.n",
        ),
        (
            "SELECT * FROM (SELECT 1 AS k) JOIN (VALUES (1)) v (k) USING (k)",
            "SELECT \"subquery 1\".k FROM (SELECT 1 AS k) AS \"subquery 1\" JOIN (VALUES (1)) v (k) ON \"subquery 1\".k = v.k",
        ),
        (
            "SELECT * FROM a JOIN b USING (k), LATERAL (SELECT k + 1 AS n) c, generate_series(1, k) g",
            "SELECT a.k, a.* EXCLUDE (k), b.* EXCLUDE (k), c.*, g.* FROM a JOIN b ON a.k = b.k, LATERAL (SELECT a.k + 1 AS n) c, generate_series(1, a.k) g",
        ),
        (
            "SELECT a.x FROM a LEFT SEMI JOIN b USING (k)",
            "SELECT a.x FROM a LEFT SEMI JOIN b ON a.k = b.k",
        ),
        (
            "SELECT * FROM a JOIN b ON a.k = b.k, c",
            "SELECT * FROM a JOIN b ON a.k = b.k, c",
        ),
    ] {
        let (text, asked) = resolved(sql);
        assert_eq!(text.unwrap(), expected, "{sql}");
        assert!(asked.is_empty(), "{sql}: {asked:?}");
    }
}

#[test]
fn names_are_those_of_the_tables_that_have_them() {
    for (sql, expected) in [
        (
            "SELECT * FROM a NATURAL JOIN b WHERE k = 1",
            "SELECT a.k, a.* EXCLUDE (k), b.* EXCLUDE (k) FROM a JOIN b ON a.k = b.k WHERE a.k = 1",
        ),
        (
            "SELECT a.k, b.b FROM a NATURAL FULL JOIN b",
            "SELECT a.k, b.b FROM a FULL JOIN b ON a.k = b.k",
        ),
        (
            "SELECT * FROM a NATURAL LEFT JOIN other",
            "SELECT * FROM a LEFT JOIN other ON true",
        ),
        (
            "SELECT k FROM a CROSS JOIN other NATURAL LEFT JOIN b WHERE k = 1",
            "SELECT a.k FROM a CROSS JOIN other LEFT JOIN b ON a.k = b.k WHERE a.k = 1",
        ),
        (
            "SELECT * FROM other CROSS JOIN a LEFT JOIN b USING (k)",
            "SELECT a.k, other.*, a.* EXCLUDE (k), b.* EXCLUDE (k) FROM other CROSS JOIN a LEFT JOIN b ON a.k = b.k",
        ),
        (
            "SELECT (SELECT count(*) FROM a NATURAL JOIN b WHERE k = c.c) FROM c NATURAL JOIN a WHERE k = 2",
            "SELECT (SELECT count(*) FROM a JOIN b ON a.k = b.k WHERE a.k = c.c) FROM c JOIN a ON c.k = a.k WHERE c.k = 2",
        ),
        // The column of an enclosing scope, if no table of the subquery has the name.
        (
            "SELECT 1 FROM a FULL JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM other WHERE n = k)",
            "SELECT 1 FROM a FULL JOIN b ON a.k = b.k WHERE EXISTS (SELECT 1 FROM other WHERE n = coalesce(a.k, b.k))",
        ),
        (
            "SELECT 1 FROM a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE n = k)",
            "SELECT 1 FROM a JOIN b ON a.k = b.k WHERE EXISTS (SELECT 1 FROM c WHERE n = k)",
        ),
        (
            "SELECT 1 FROM a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM c, LATERAL (SELECT n FROM other WHERE n = k) d)",
            "SELECT 1 FROM a JOIN b ON a.k = b.k WHERE EXISTS (SELECT 1 FROM c, LATERAL (SELECT n FROM other WHERE n = c.k) d)",
        ),
        // A subquery in FROM cannot see other tables.
        (
            "SELECT 1 FROM a JOIN b USING (k), (SELECT k FROM other) d",
            "SELECT 1 FROM a JOIN b ON a.k = b.k, (SELECT k FROM other) d",
        ),
        // ON sees only the tables that it joins.
        (
            "SELECT 1 FROM a JOIN other ON k = n RIGHT JOIN b USING (k)",
            "SELECT 1 FROM a JOIN other ON k = n RIGHT JOIN b ON a.k = b.k",
        ),
        (
            "SELECT 1 FROM a RIGHT JOIN b USING (k) JOIN other ON k = n",
            "SELECT 1 FROM a RIGHT JOIN b ON a.k = b.k JOIN other ON b.k = n",
        ),
        (
            "SELECT * EXCLUDE (a) REPLACE (k + 1 AS k, 2 AS b) FROM a JOIN b USING (k)",
            "SELECT a.k + 1 AS k, b.* EXCLUDE (k) REPLACE (2 AS b) FROM a JOIN b ON a.k = b.k",
        ),
    ] {
        assert_eq!(resolved(sql).0.unwrap(), expected, "{sql}");
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
            "SELECT 1 FROM a JOIN other USING (k), b JOIN c ON true JOIN other USING (n)",
            Code::ColumnNotFound,
            "\"k\" specified in USING clause does not exist in right table",
        ),
        (
            "SELECT 1 FROM a NATURAL JOIN LATERAL (SELECT * FROM b) b",
            Code::NotSupported,
            "lateral",
        ),
        (
            "SELECT 1 FROM a JOIN b USING (k, k)",
            Code::DuplicateColumn,
            "more than once in USING",
        ),
        (
            "SELECT * EXCLUDE (m) FROM a JOIN b USING (k)",
            Code::ColumnNotFound,
            "\"m\"",
        ),
        (
            "SELECT 1 FROM a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM (VALUES (1)) AS a (n) WHERE k = n)",
            Code::NotSupported,
            "\"a\"",
        ),
    ] {
        let error = resolved(sql).0.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
}

#[test]
fn relations_are_asked_for_with_the_common_tables_that_they_can_name() {
    let (_, asked) = resolved(
        "WITH a AS (SELECT 1), b AS (SELECT * FROM a NATURAL JOIN t), c AS (SELECT 2)
         SELECT * FROM b NATURAL JOIN (WITH c AS (SELECT 3) SELECT * FROM c) q",
    );
    let first = "WITH a AS (SELECT 1)";
    assert_eq!(
        asked,
        [
            format!("{first} SELECT * FROM a"),
            format!("{first} SELECT * FROM t"),
            format!(
                "{first}, b AS (SELECT * FROM a NATURAL JOIN t), c AS (SELECT 2) SELECT * FROM b"
            ),
            format!(
                "{first}, b AS (SELECT * FROM a NATURAL JOIN t), c AS (SELECT 2) SELECT * FROM (WITH c AS (SELECT 3) SELECT * FROM c) q"
            ),
        ]
    );
}

#[test]
fn a_table_that_is_defined_by_itself_has_the_columns_that_it_begins_with() {
    let (text, asked) = resolved(
        "WITH RECURSIVE r AS (SELECT k FROM a UNION ALL SELECT k FROM r NATURAL JOIN b) SELECT * FROM r",
    );
    assert_eq!(
        asked,
        [
            "WITH RECURSIVE r AS (SELECT k FROM a) SELECT * FROM r",
            "WITH RECURSIVE r AS (SELECT k FROM a) SELECT * FROM b",
        ]
    );
    assert!(
        text.unwrap()
            .contains("SELECT r.k FROM r JOIN b ON r.k = b.k")
    );
}

#[test]
fn functions_of_rows_get_the_columns_of_their_table() {
    for (sql, expected, asks) in [
        (
            "SELECT row_to_json(other) FROM other",
            "SELECT row_to_json(\"$json_row\"('n', other.n)) FROM other",
            &["SELECT * FROM other"][..],
        ),
        (
            "SELECT json_agg(a.*) FROM other AS a",
            "SELECT json_agg(\"$json_row\"('k', a.k, 'a', a.a)) FROM other AS a",
            &["SELECT * FROM other AS a"][..],
        ),
        (
            "SELECT (a.*)::text FROM other AS a",
            "SELECT named_struct('k', a.k, 'a', a.a)::TEXT AS a FROM other AS a",
            &["SELECT * FROM other AS a"][..],
        ),
        (
            "SELECT (a.*) IS NOT NULL FROM other AS a",
            "SELECT (a.k IS NOT NULL AND a.a IS NOT NULL) FROM other AS a",
            &["SELECT * FROM other AS a"][..],
        ),
        (
            "SELECT f((a.*)) FROM other AS a",
            "SELECT f(named_struct('k', a.k, 'a', a.a)) FROM other AS a",
            &["SELECT * FROM other AS a"][..],
        ),
        (
            "SELECT to_json(other) FROM a LEFT JOIN other ON a.a = other.n",
            "SELECT to_json(\"$json_row\"('n', other.n, other.n IS NOT NULL)) FROM a LEFT JOIN other ON a.a = other.n",
            &["SELECT * FROM a", "SELECT * FROM other"][..],
        ),
        (
            "SELECT to_json(l.*) FROM a LEFT JOIN LATERAL (SELECT t.* FROM other t WHERE t.n = a.a LIMIT 1) l ON true",
            "SELECT to_json(\"$json_row\"('k', l.k, 'l', l.l, l.k IS NOT NULL OR l.l IS NOT NULL)) FROM a LEFT JOIN LATERAL (SELECT t.* FROM other t WHERE t.n = a.a LIMIT 1) l ON true",
            &[
                "SELECT * FROM a",
                "SELECT * FROM (SELECT t.* FROM other t) l",
            ][..],
        ),
        // A column comes before a table of its name.
        (
            "SELECT to_jsonb(l) FROM l",
            "SELECT to_jsonb(l.l) FROM l",
            &["SELECT * FROM l"][..],
        ),
        (
            "SELECT to_json(v), to_json(x) FROM (VALUES (1)) AS v (x)",
            "SELECT to_json(\"$json_row\"('x', v.x)), to_json(x) FROM (VALUES (1)) AS v (x)",
            &[][..],
        ),
        (
            "SELECT to_json(k), to_json(r) FROM a, (SELECT 1 AS z) AS k, (SELECT 2 AS z) AS r",
            "SELECT to_json(a.k), to_json(\"$json_row\"('z', r.z)) FROM a, (SELECT 1 AS z) AS k, (SELECT 2 AS z) AS r",
            &["SELECT * FROM a"][..],
        ),
        // Also before one of a query around.
        (
            "SELECT (SELECT to_json(k) FROM a) FROM (SELECT 1 AS z) AS k",
            "SELECT (SELECT to_json(a.k) FROM a) FROM (SELECT 1 AS z) AS k",
            &["SELECT * FROM a"][..],
        ),
        (
            "SELECT (SELECT to_json(r) FROM a) FROM (SELECT 1 AS z) AS r",
            "SELECT (SELECT to_json(\"$json_row\"('z', r.z)) FROM a) FROM (SELECT 1 AS z) AS r",
            &["SELECT * FROM a"][..],
        ),
        ("SELECT lower(l) FROM l", "SELECT lower(l) FROM l", &[][..]),
    ] {
        let (text, asked) = resolved(sql);
        assert_eq!(text.unwrap(), expected);
        assert_eq!(asked, asks, "{sql}");
    }
}
