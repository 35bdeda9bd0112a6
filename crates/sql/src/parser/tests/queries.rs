//! Queries of clients and of Athena users.

use super::*;

#[test]
fn what_postgres_clients_send_parses() {
    for sql in [
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3",
        "SELECT (current_schemas(true))[1]",
        "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i",
        "SELECT ARRAY(SELECT oid FROM pg_type)",
        "SELECT 'pg_class'::regclass::oid, x::pg_catalog.regtype, y::\"char\", z::text[], '{1}'::int2[]",
        "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid",
        "SELECT 1 WHERE 1 = ANY(ARRAY[1, 2])",
        "SELECT a ~ 'x', a !~ 'x', a ~* 'x', a !~* 'x' FROM t",
        "SELECT E'a\\nb', U&'d\\0061t', $1, $2::int",
        "SELECT * FROM (SELECT 1) AS CXTMPTAB_PART WHERE 1 < 2",
        "WITH RECURSIVE typeinfo_tree(oid, depth) AS (SELECT 1, 0 UNION ALL SELECT oid, depth + 1 FROM typeinfo_tree) SELECT * FROM typeinfo_tree",
        "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x) s",
        "SELECT CASE WHEN a THEN 1 ELSE 2 END, a IS NOT DISTINCT FROM b, NOT a IS NULL FROM t",
        "SELECT array_agg(a ORDER BY b) FILTER (WHERE c), count(DISTINCT a) FROM t",
        "SELECT pg_catalog.version(), current_user, session_user, current_catalog, current_schema()",
        "SELECT x.* FROM generate_series(1, 10) AS x(n)",
        "SELECT a.attname AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) as \"Type\" FROM pg_catalog.pg_attribute a",
        "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x",
        "SELECT a::text COLLATE \"C\", b[1] COLLATE \"C\" || c FROM t ORDER BY a::varchar(5) COLLATE \"C\" DESC",
        "WITH values AS (SELECT 1 AS v) SELECT values.v FROM values",
        "SELECT CAST('{}' AS text), 'a' COLLATE \"C\" FROM t WHERE a NOT IN (1, 2) AND b BETWEEN SYMMETRIC 1 AND 2",
        "SELECT interval '1 day', timestamp '2024-01-01 00:00:00', timestamptz '2024-01-01', extract(epoch from now())",
        "SELECT substring('abc' from 1 for 2), position('a' in 'abc'), trim(both ' ' from a), overlay('a' placing 'b' from 1) FROM t",
        "SELECT a IS JSON, a IS NOT JSON OBJECT WITH UNIQUE KEYS, b IS JSON ARRAY AND c IS NOT NULL FROM t WHERE a IS JSON SCALAR OR d IS TRUE",
        "SELECT concat(VARIADIC ARRAY['a']), format('%s', variadic '{a}'::text[]), f(a, VARIADIC b) FROM t",
        "SELECT a<-1, a>-1, a=-1, a<>-1, a||-1, a*-1 FROM t",
        "SELECT (VALUES (1)), a = (values (2)), (TABLE t), f((VALUES ('a'))), \"values\" FROM t WHERE a IN (VALUES (1), (2))",
    ] {
        assert_eq!(one(sql).tag(), "SELECT", "{sql}");
    }
}

#[test]
fn operators_of_postgres_that_sqlparser_lacks_are_others() {
    for (sql, plain) in [
        (
            "SELECT a ISNULL, b AS isnull",
            "SELECT a IS NULL, b AS isnull",
        ),
        ("SELECT a = b ISNULL OR c", "SELECT a = b IS NULL OR c"),
        (
            "SELECT a BETWEEN SYMMETRIC b AND c AND d",
            "SELECT (a BETWEEN b AND c OR a BETWEEN c AND b) AND d",
        ),
        (
            "SELECT a NOT BETWEEN SYMMETRIC b AND c",
            "SELECT (a NOT BETWEEN b AND c AND a NOT BETWEEN c AND b)",
        ),
        (
            "SELECT a BETWEEN ASYMMETRIC b AND c",
            "SELECT a BETWEEN b AND c",
        ),
        (
            "SELECT (a BETWEEN b AND c) BETWEEN SYMMETRIC d AND e",
            "SELECT ((a BETWEEN b AND c) BETWEEN d AND e OR (a BETWEEN b AND c) BETWEEN e AND d)",
        ),
        (
            "SELECT trim(LEADING a, 'x'), trim(FROM a, 'x')",
            "SELECT trim(LEADING 'x' FROM a), trim(BOTH 'x' FROM a)",
        ),
        (
            "SELECT a FROM t ORDER BY a USING >, b USING <",
            "SELECT a FROM t ORDER BY a DESC, b ASC",
        ),
        (
            "SELECT pg_lsn '0/0', INET\n'::1', a.oid, oid, a::inet",
            "SELECT CAST('0/0' AS pg_lsn), CAST('::1' AS INET), a.oid, oid, a::inet",
        ),
        (
            "SELECT pg_catalog.int4 '3', pg_catalog.\"char\" 'a', pg_catalog.now(), pg_catalog.pg_class.oid, a::pg_catalog.oid",
            "SELECT CAST('3' AS pg_catalog.int4), CAST('a' AS pg_catalog.\"char\"), pg_catalog.now(), pg_catalog.pg_class.oid, a::pg_catalog.oid",
        ),
    ] {
        assert_eq!(shown(sql), shown(plain), "{sql}");
    }
    assert_eq!(
        shown("SELECT a&<b, a &> b, a -|- b, a & b, a | b, int4range '[1,2)'"),
        "SELECT a &< b, a &> b, a -|- b, a & b, a | b, CAST('[1,2)' AS int4range)"
    );
    assert_eq!(
        shown("SELECT point '1,2', path, line FROM t"),
        "SELECT CAST('1,2' AS point), path, line FROM t"
    );
    // Operators of networks; blanks make two of them, which is an error.
    assert_eq!(
        shown("SELECT a<<=b, a >>= b, a << b"),
        "SELECT a <<= b, a >>= b, a << b"
    );
    // Columns with the names of the keywords.
    assert_eq!(
        shown("SELECT a BETWEEN symmetric AND b, \"isnull\""),
        "SELECT a BETWEEN symmetric AND b, \"isnull\""
    );
}

#[test]
fn locks_of_rows_are_refused() {
    for lock in [
        "FOR UPDATE",
        "FOR SHARE",
        "FOR NO KEY UPDATE",
        "FOR KEY SHARE",
        "FOR UPDATE OF t SKIP LOCKED",
    ] {
        for query in ["SELECT a FROM t", "SELECT 1"] {
            let statement = one(&format!("{query} {lock}"));
            assert!(
                matches!(
                    &statement,
                    Statement::Unsupported(refused)
                        if lock.starts_with(&refused.what) && refused.locking_query().is_some()
                ),
                "{lock}: {statement:?}"
            );
        }
    }
}

fn shown(sql: &str) -> String {
    match one(sql) {
        Statement::Query(query) => query.to_string(),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn what_athena_users_write_parses() {
    for sql in [
        "SELECT x FROM t CROSS JOIN UNNEST(items) AS u(x)",
        "SELECT x, n FROM t CROSS JOIN UNNEST(items) WITH ORDINALITY AS u(x, n)",
        "SELECT transform(items, x -> x + 1), reduce(items, 0, (s, x) -> s + x, s -> s) FROM t",
        "SELECT a, b, sum(c) FROM t GROUP BY GROUPING SETS ((a), (b), ())",
        "SELECT a, sum(c) FROM t GROUP BY ROLLUP (a), CUBE (b)",
        "SELECT a, count(*) FROM t GROUP BY ALL",
        "SELECT \"$path\", \"$partition\" FROM t",
        "SELECT * FROM \"db\".\"t$partitions\"",
        "SELECT date_add('day', -30, current_date), date '2024-01-01' + interval '1' month",
        "SELECT `a`, \"b\" FROM `db`.`t`",
        "SELECT ROW(1, 2), MAP(ARRAY['a'], ARRAY[1]), ARRAY[1, 2][1], m['a'] FROM t",
        "SELECT CAST(a AS double), CAST(a AS varchar(10)), CAST(a AS decimal(10, 2)), TRY_CAST(a AS bigint), CAST(a AS timestamp(3)) FROM t",
        "SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
        "SELECT a FROM t WHERE dt >= CURRENT_DATE - INTERVAL '30' DAY AND a LIKE 'x%' ESCAPE '!'",
        "SELECT listagg(a, ',') WITHIN GROUP (ORDER BY a) FROM t",
        "SELECT a AT TIME ZONE 'UTC' FROM t",
        "SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4",
        "VALUES (1, 'a'), (2, 'b')",
        "(SELECT 1) UNION (SELECT 2)",
        "((SELECT 1))",
        "SELECT * FROM (VALUES (1, 'a')) AS v(x, y)",
        "SELECT a.b.c FROM t ORDER BY a NULLS LAST OFFSET 5 LIMIT 10",
        "SELECT approx_percentile(a, 0.5), first_value(a) IGNORE NULLS OVER (ORDER BY b) FROM t",
        "SELECT a FROM t WHERE (a, b) IN (SELECT 1, 2) AND EXISTS (SELECT 1)",
        "SELECT * FROM a NATURAL JOIN b LEFT JOIN c USING (x)",
        "SELECT count(*) FILTER (WHERE a > 1) FROM t HAVING count(*) > 1",
    ] {
        assert_eq!(one(sql).tag(), "SELECT", "{sql}");
    }
}

#[test]
fn limit_and_offset_may_come_in_either_order() {
    let first = query("SELECT 1 OFFSET 2 LIMIT 1");
    assert_eq!(first, query("SELECT 1 LIMIT 1 OFFSET 2"));
    assert_eq!(query("SELECT 1 LIMIT ALL"), "SELECT 1");
    let nested =
        "SELECT 1 OFFSET (SELECT 3 OFFSET 2 FETCH FIRST ROW ONLY) ROWS FETCH NEXT 2 ROWS ONLY";
    for sql in [
        "SELECT 1 FETCH NEXT 2 ROWS ONLY OFFSET (SELECT 3 FETCH FIRST ROW ONLY OFFSET 2) ROWS",
        "SELECT 1 FETCH NEXT 2 ROWS ONLY OFFSET (SELECT 3 OFFSET 2 FETCH FIRST ROW ONLY) ROWS",
    ] {
        assert_eq!(query(sql), query(nested), "{sql}");
    }
}

#[test]
fn fetch_first_is_a_limit() {
    assert_eq!(
        query("SELECT 1 FETCH FIRST 5 ROWS ONLY"),
        "SELECT 1 LIMIT 5"
    );
    assert_eq!(
        query("SELECT 1 OFFSET 2 ROWS FETCH NEXT ROW ONLY"),
        "SELECT 1 LIMIT 1 OFFSET 2 ROWS"
    );
}

#[test]
fn table_is_short_for_select_star() {
    assert_eq!(query("TABLE db.t"), "SELECT * FROM db.t");
    assert_eq!(query("table t order by 1"), "SELECT * FROM t ORDER BY 1");
    assert_eq!(
        query("SELECT 1 UNION ALL TABLE t"),
        "SELECT 1 UNION ALL SELECT * FROM t"
    );
    assert_eq!(
        query("SELECT * FROM (TABLE t) x"),
        "SELECT * FROM (SELECT * FROM t) x"
    );
}

#[test]
fn question_marks_become_numbered_parameters() {
    assert_eq!(
        query("SELECT ? WHERE a = ? OFFSET ? LIMIT ?"),
        "SELECT $1 WHERE a = $2 LIMIT $4 OFFSET $3"
    );
    assert_eq!(query("SELECT '?' WHERE a=?"), "SELECT '?' WHERE a = $1");
    assert!(error("SELECT ?, $1").message.contains("not both"));
}

#[test]
fn quoted_names_of_tables_fold_and_aliases_keep_their_spelling() {
    assert_eq!(
        query("SELECT * FROM \"Db\".\"Orders\""),
        "SELECT * FROM \"db\".\"orders\""
    );
    assert_eq!(query("SELECT * FROM `Orders`"), "SELECT * FROM `orders`");
    assert_eq!(
        query("SELECT \"Order_ID\" AS \"Order\" FROM t ORDER BY \"Order\""),
        "SELECT \"order_id\" AS \"Order\" FROM t ORDER BY \"Order\""
    );
    assert_eq!(
        query("SELECT \"X\".\"Y\" FROM (SELECT a AS \"Y\" FROM t) AS \"X\""),
        "SELECT \"X\".\"Y\" FROM (SELECT a AS \"Y\" FROM t) AS \"X\""
    );
    assert_eq!(
        query("WITH \"Totals\" AS (SELECT 1) SELECT * FROM \"Totals\""),
        "WITH \"totals\" AS (SELECT 1) SELECT * FROM \"totals\""
    );
    assert_eq!(
        query("SELECT \"T\".* FROM \"T\" JOIN u USING (\"Id\")"),
        "SELECT \"t\".* FROM \"t\" JOIN u USING(\"id\")"
    );
}

#[test]
fn an_alias_does_not_hide_the_column_of_the_same_spelling_in_its_own_select_list() {
    assert_eq!(
        query("SELECT sum(\"Total\") AS \"Total\" FROM t WHERE \"Total\" > 0 ORDER BY \"Total\""),
        "SELECT sum(\"total\") AS \"Total\" FROM t WHERE \"total\" > 0 ORDER BY \"Total\""
    );
}

#[test]
fn a_query_that_writes_is_refused() {
    assert!(
        refused("WITH x AS (SELECT 1) UPDATE t SET a = 1")
            .starts_with("UPDATE is not supported; use ")
    );
    for sql in [
        "SELECT * INTO UNLOGGED t FROM u",
        "SELECT * FROM (SELECT 1 INTO t) u",
        "SELECT 1 UNION SELECT 2 INTO t",
        "INSERT INTO v SELECT * INTO t FROM u",
        "CREATE TABLE v AS SELECT * INTO t FROM u",
    ] {
        let message = refused(sql);
        assert!(
            message.starts_with("SELECT INTO is not supported"),
            "{sql}: {message}"
        );
    }
}

#[test]
fn select_into_makes_a_table() {
    for (sql, table, query) in [
        (
            "SELECT a, 1 AS b INTO D.\"T\" FROM u WHERE a > 1",
            "d.t",
            "SELECT a, 1 AS b FROM u WHERE a > 1",
        ),
        (
            "SELECT 1 AS a INTO TABLE t UNION SELECT 2",
            "t",
            "SELECT 1 AS a UNION SELECT 2",
        ),
        (
            "WITH x AS (SELECT 1 AS a) SELECT * INTO t FROM x",
            "t",
            "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        ),
    ] {
        let Statement::CreateTableAs(create) = one(sql) else {
            panic!("{sql}")
        };
        assert!(create.select_into && create.with_data, "{sql}");
        assert_eq!(create.name.to_string(), table);
        assert_eq!(create.query.to_string(), query);
    }
    // It is not a word of a query's own.
    assert_eq!(query("SELECT \"into\" FROM t"), "SELECT \"into\" FROM t");
    assert!(said("SELECT 1 INTO a.b.c.d").contains("too many dotted names"));
}

#[test]
fn explain_takes_the_options_of_athena_and_postgres() {
    let explain = |sql: &str| match one(sql) {
        Statement::Explain(explain) => explain,
        other => panic!("{other:?}"),
    };
    let plain = explain("EXPLAIN SELECT 1");
    assert!(!plain.analyze && !plain.verbose && plain.format.is_none());
    assert!(matches!(*plain.statement, Statement::Query(_)));
    let athena = explain("EXPLAIN (FORMAT json, TYPE LOGICAL) SELECT 1");
    assert_eq!(athena.format.as_deref(), Some("JSON"));
    assert_eq!(athena.plan_type.as_deref(), Some("LOGICAL"));
    assert!(explain("EXPLAIN ANALYZE (FORMAT TEXT) SELECT 1").analyze);
    assert!(explain("EXPLAIN (FORMAT TEXT, ANALYZE, COSTS OFF, BUFFERS) SELECT 1").analyze);
    assert!(!explain("EXPLAIN (ANALYZE false) SELECT 1").analyze);
    assert!(explain("EXPLAIN ANALYZE VERBOSE SELECT 1").verbose);
    assert_eq!(
        explain("EXPLAIN FORMAT TREE SELECT 1").format.as_deref(),
        Some("TREE")
    );
    assert!(!explain("EXPLAIN (SELECT 1)").analyze);
    let postgres = explain("EXPLAIN (COSTS off, TIMING 0, SUMMARY, BUFFERS 'on') SELECT 1");
    assert!(!postgres.costs);
    assert_eq!(
        (postgres.timing, postgres.summary),
        (Some(false), Some(true))
    );
    for (options, message) in [
        ("COSTS, Foo on", "unrecognized EXPLAIN option \"foo\""),
        ("COSTS 2", "costs requires a Boolean value"),
        ("ANALYZE none", "analyze requires a Boolean value"),
    ] {
        let error = crate::parse(&format!("EXPLAIN ({options}) SELECT 1")).unwrap_err();
        assert_eq!(error.message, message);
    }
    assert!(matches!(
        *explain("EXPLAIN EXECUTE p (1)").statement,
        Statement::Execute(_)
    ));
    for writes in [
        "INSERT INTO t SELECT 1 AS a",
        "CREATE TABLE t AS SELECT 1 AS a",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/'",
    ] {
        let explained = explain(&format!("EXPLAIN {writes}"));
        match *explained.statement {
            Statement::Query(query) => assert_eq!(query.to_string(), "SELECT 1 AS a"),
            other => panic!("{other:?}"),
        }
        let analyzed = explain(&format!("EXPLAIN ANALYZE {writes}"));
        assert!(analyzed.statement.written_query().is_some());
        let analyzed = Statement::Explain(analyzed);
        let unloads = writes.starts_with("UNLOAD");
        assert_eq!(analyzed.is_refused_in_transaction(), unloads);
        assert_eq!(analyzed.is_kept_for_commit(), !unloads);
    }
    assert!(refused("EXPLAIN DROP TABLE t").starts_with("EXPLAIN DROP TABLE is not supported"));
}

#[test]
fn what_datafusion_would_leave_out_in_silence_is_refused() {
    for sql in [
        "SELECT * FROM t AS x TABLESAMPLE SYSTEM (101)",
        "SELECT 1 WHERE EXISTS (SELECT * FROM t TABLESAMPLE SYSTEM (100.5))",
    ] {
        assert!(refused(sql).contains(" is not supported; use "), "{sql}");
    }
}

#[test]
fn strings_of_every_kind_become_ones_that_datafusion_knows() {
    assert_eq!(query("SELECT U&'d\\0061ta', N'x'"), "SELECT 'data', 'x'");
    assert_eq!(query("SELECT $$it's$$, $q$x$q$"), "SELECT 'it''s', 'x'");
}

#[test]
fn question_marks_before_keys_are_operators_of_json() {
    for (sql, expected) in [
        ("SELECT d ? 'a' FROM t", "SELECT d ? 'a' FROM t"),
        (
            "SELECT d ?| ARRAY['a'], d ?& '{a}' FROM t",
            "SELECT d ?| ARRAY['a'], d ?& '{a}' FROM t",
        ),
        ("SELECT d ? $1 FROM t", "SELECT d ? $1 FROM t"),
        ("SELECT (d) ? ? FROM t", "SELECT (d) ? $1 FROM t"),
        (
            "SELECT d ? k, x::jsonb ? lower(k), t.data ?| (a), \"d\" ?& a FROM t",
            "SELECT d ? k, x::JSONB ? lower(k), t.data ?| (a), \"d\" ?& a FROM t",
        ),
        (
            "SELECT a FROM t WHERE a = ? | ? AND b IN (?, 'x') LIMIT ?",
            "SELECT a FROM t WHERE a = $1 | $2 AND b IN ($3, 'x') LIMIT $4",
        ),
    ] {
        assert_eq!(query(sql), expected);
    }
}
