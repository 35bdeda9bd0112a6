//! CREATE TABLE AS, INSERT and UNLOAD.

use super::*;
use crate::ast::*;

fn create(sql: &str) -> CreateTableAs {
    match one(sql) {
        Statement::CreateTableAs(create) => *create,
        other => panic!("{sql}: {other:?}"),
    }
}

fn insert(sql: &str) -> Insert {
    match one(sql) {
        Statement::Insert(insert) => *insert,
        other => panic!("{sql}: {other:?}"),
    }
}

fn unload(sql: &str) -> Unload {
    match one(sql) {
        Statement::Unload(unload) => *unload,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn insert_takes_the_values_of_a_partition() {
    let given = insert(
        "INSERT OVERWRITE TABLE t PARTITION (Day = DATE '2024-01-01', n = NULL) (a, b) SELECT 1, 2",
    );
    assert!(given.overwrite);
    assert_eq!(given.columns, ["a", "b"]);
    let pairs: Vec<_> = given
        .fixed
        .iter()
        .map(|v| (v.key.as_str(), v.value.as_deref()))
        .collect();
    assert_eq!(pairs, [("day", Some("2024-01-01")), ("n", None)]);
    assert!(given.dynamic.is_empty());
    let plain = insert("INSERT INTO t SELECT 1");
    assert!(plain.fixed.is_empty() && plain.dynamic.is_empty());
}

#[test]
fn insert_takes_partition_keys_without_values() {
    for (sql, fixed, dynamic) in [
        ("INSERT INTO t PARTITION (Day) SELECT 1, 2", 0, "day"),
        (
            "INSERT OVERWRITE TABLE t PARTITION (day, `N`) SELECT 1, 2, 3",
            0,
            "day n",
        ),
        (
            "INSERT INTO t PARTITION (region = 'eu', day) (a) VALUES (1, 2)",
            1,
            "day",
        ),
    ] {
        let given = insert(sql);
        assert_eq!(given.fixed.len(), fixed, "{sql}");
        assert_eq!(given.dynamic.join(" "), dynamic, "{sql}");
    }
    for sql in [
        "INSERT INTO t PARTITION () SELECT 1",
        "INSERT INTO t PARTITION (day SELECT 1",
        "INSERT INTO t PARTITION (day,) SELECT 1",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

fn delete(sql: &str) -> Delete {
    match one(sql) {
        Statement::Delete(delete) => *delete,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn delete_takes_a_table_an_alias_and_a_condition() {
    for (sql, table, alias, condition) in [
        ("DELETE FROM D.t", "d.t", None, None),
        ("DELETE FROM ONLY d.t", "d.t", None, None),
        ("DELETE FROM only", "only", None, None),
        ("DELETE FROM only WHERE true", "only", None, Some("true")),
        (
            "DELETE FROM t AS X WHERE x.day = DATE '2024-01-01'",
            "t",
            Some("x"),
            Some("x.day = DATE '2024-01-01'"),
        ),
        (
            "delete from t x where \"Day\" in (?, ?) or f(day) between 1 and 2",
            "t",
            Some("x"),
            Some("\"day\" IN ($1, $2) OR f(day) BETWEEN 1 AND 2"),
        ),
        (
            "DELETE FROM t WHERE json_value(k, '$.a' RETURNING integer) = $1",
            "t",
            None,
            Some("= $1"),
        ),
    ] {
        let given = delete(sql);
        assert_eq!(given.table.to_string(), table, "{sql}");
        assert_eq!(given.alias.as_deref(), alias, "{sql}");
        let shown = given.condition().map(ToString::to_string);
        match condition {
            None => assert_eq!(shown, None, "{sql}"),
            Some(part) => assert!(
                shown.as_ref().is_some_and(|shown| shown.ends_with(part)),
                "{sql}: {shown:?}"
            ),
        }
    }
    let statement = one("DELETE FROM t");
    assert_eq!(statement.tag(), "DELETE");
    assert_eq!(statement.kind(), StatementKind::Dml);
    assert!(statement.is_kept_for_commit());
    for sql in [
        "DELETE t",
        "DELETE FROM t WHERE",
        "DELETE FROM t WHERE a = 1, b = 2",
        "DELETE FROM t WHERE a = 1 LIMIT 1",
        "DELETE FROM t a b",
        "DELETE FROM t, u",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn delete_is_prepared_filled_and_explained() {
    let Statement::Prepare(prepared) = one("PREPARE p AS DELETE FROM t WHERE k = $1") else {
        panic!()
    };
    assert!(matches!(*prepared.statement, Statement::Delete(_)));
    let filled = delete("EXECUTE IMMEDIATE 'DELETE FROM t WHERE k = ?' USING 'a'");
    assert_eq!(filled.condition().unwrap().to_string(), "k = 'a'");
    for (sql, writes) in [
        ("EXPLAIN DELETE FROM t WHERE k = 1", false),
        ("EXPLAIN ANALYZE DELETE FROM t WHERE k = 1", true),
    ] {
        let statement = one(sql);
        assert_eq!(statement.is_kept_for_commit(), writes, "{sql}");
        let Statement::Explain(explain) = statement else {
            panic!("{sql}")
        };
        assert_eq!(explain.writes(), writes, "{sql}");
    }
}

#[test]
fn create_table_as_takes_all_its_clauses() {
    let full = create(
        "CREATE TABLE IF NOT EXISTS D.\"T\" (A, \"b\") COMMENT 'it''s' WITH (Format = 'PARQUET', \
         compression_level = 3, is_external = true, partitioned_by = ARRAY['b'], \
         bucketed_by = ARRAY[]) AS (SELECT 1, 2) WITH NO DATA",
    );
    assert!(full.if_not_exists && !full.or_replace && !full.with_data);
    assert_eq!(full.name, TableName::in_database("d", "t"));
    assert_eq!(full.columns, ["a", "b"]);
    assert_eq!(full.comment.as_deref(), Some("it's"));
    let properties: Vec<String> = full
        .properties
        .iter()
        .map(|property| format!("{} = {}", property.name, property.value))
        .collect();
    assert_eq!(
        properties,
        [
            "format = 'PARQUET'",
            "compression_level = 3",
            "is_external = true",
            "partitioned_by = ARRAY['b']",
            "bucketed_by = ARRAY[]",
        ]
    );
    assert_eq!(full.query.to_string(), "(SELECT 1, 2)");
    assert_eq!(one("CREATE TABLE t AS SELECT 1").tag(), "CREATE TABLE AS");
}

#[test]
fn create_table_as_takes_every_query() {
    for (sql, query, with_data) in [
        ("CREATE TABLE t AS SELECT 1 AS a", "SELECT 1 AS a", true),
        (
            "CREATE TABLE t AS WITH x AS (SELECT 1 AS a) SELECT * FROM x WITH DATA",
            "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
            true,
        ),
        ("create table t as values (1), (2)", "VALUES (1), (2)", true),
        (
            "CREATE TABLE t AS TABLE u WITH NO DATA",
            "SELECT * FROM u",
            false,
        ),
        ("CREATE TABLE t (a) AS SELECT ?", "SELECT $1", true),
    ] {
        let made = create(sql);
        assert_eq!(made.query.to_string(), query, "{sql}");
        assert_eq!(made.with_data, with_data, "{sql}");
    }
    assert!(create("CREATE OR REPLACE TABLE t AS SELECT 1").or_replace);
}

#[test]
fn insert_takes_columns_and_every_query() {
    let full = insert("INSERT INTO d.t (A, b) VALUES (1, ?), (?, 2)");
    assert_eq!(full.table, TableName::in_database("d", "t"));
    assert_eq!(full.columns, ["a", "b"]);
    assert!(!full.overwrite);
    assert_eq!(full.query.to_string(), "VALUES (1, $1), ($2, 2)");
    for (sql, query) in [
        ("INSERT INTO t SELECT 1", "SELECT 1"),
        ("INSERT INTO t (SELECT 1)", "(SELECT 1)"),
        ("INSERT INTO t (a) (SELECT 1)", "(SELECT 1)"),
        (
            "INSERT INTO t ((SELECT 1) UNION ALL (SELECT 2))",
            "((SELECT 1) UNION ALL (SELECT 2))",
        ),
        ("INSERT INTO t TABLE u", "SELECT * FROM u"),
        ("INSERT INTO t AS \"T\" (a) VALUES (1)", "VALUES (1)"),
        ("INSERT INTO t AS x SELECT 1", "SELECT 1"),
        (
            "INSERT INTO t (a, b) VALUES (DEFAULT, 1), (default, 2)",
            "VALUES (NULL, 1), (NULL, 2)",
        ),
        ("INSERT INTO t (VALUES (DEFAULT))", "(VALUES (NULL))"),
        (
            "INSERT INTO t SELECT default FROM u",
            "SELECT default FROM u",
        ),
        (
            "INSERT INTO t SELECT returning FROM u",
            "SELECT returning FROM u",
        ),
        ("INSERT INTO t DEFAULT VALUES", "VALUES (NULL)"),
        (
            "INSERT INTO TABLE t WITH x AS (SELECT 1) SELECT * FROM x",
            "WITH x AS (SELECT 1) SELECT * FROM x",
        ),
    ] {
        assert_eq!(insert(sql).query.to_string(), query, "{sql}");
    }
    assert!(insert("INSERT INTO t DEFAULT VALUES").only_defaults);
    assert!(!insert("INSERT INTO t VALUES (DEFAULT)").only_defaults);
    for sql in [
        "INSERT OVERWRITE t SELECT 1",
        "INSERT OVERWRITE TABLE t SELECT 1",
        "INSERT OVERWRITE INTO t SELECT 1",
    ] {
        let replaced = insert(sql);
        assert!(replaced.overwrite, "{sql}");
        assert_eq!(replaced.table, TableName::bare("t"), "{sql}");
    }
}

#[test]
fn unload_takes_a_query_a_folder_and_properties() {
    let full = unload(
        "UNLOAD (SELECT a, ')' AS b FROM t) TO 's3://b/out/' WITH (format = 'TEXTFILE', \
         compression = 'gzip', field_delimiter = ',')",
    );
    assert_eq!(full.location, "s3://b/out/");
    assert_eq!(full.query.to_string(), "SELECT a, ')' AS b FROM t");
    assert_eq!(full.properties.len(), 3);
    assert!(
        unload("UNLOAD (SELECT 1) TO 's3://b/'")
            .properties
            .is_empty()
    );
}

#[test]
fn with_may_be_before_insert() {
    let given = insert(
        "WITH x AS (SELECT ? AS a), y (b) AS (SELECT a FROM x) INSERT INTO D.t (c) SELECT b + ? FROM y ORDER BY 1",
    );
    assert_eq!(given.table.to_string(), "d.t");
    assert_eq!(given.columns, ["c"]);
    assert_eq!(
        given.query.to_string(),
        "WITH x AS (SELECT $1 AS a), y (b) AS (SELECT a FROM x) (SELECT b + $2 FROM y ORDER BY 1)"
    );
    let given = insert("WITH x AS (SELECT 1) INSERT OVERWRITE t VALUES (1, DEFAULT)");
    assert!(given.overwrite);
    assert_eq!(
        given.query.to_string(),
        "WITH x AS (SELECT 1) (VALUES (1, NULL))"
    );
    let given = insert("INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x");
    assert_eq!(
        given.query.to_string(),
        "WITH x AS (SELECT 1) SELECT * FROM x"
    );
    for sql in [
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x ON CONFLICT DO NOTHING",
        "WITH x AS (INSERT INTO t SELECT 1) SELECT * FROM x",
    ] {
        assert!(matches!(one(sql), Statement::Unsupported(_)), "{sql}");
    }
}

#[test]
fn writes_can_be_prepared_and_filled() {
    let Statement::Prepare(prepared) = one("PREPARE p FROM INSERT INTO t SELECT ?") else {
        panic!()
    };
    assert!(matches!(*prepared.statement, Statement::Insert(_)));
    let filled = insert("EXECUTE IMMEDIATE 'INSERT INTO t VALUES (?, ?)' USING 1, 'a'");
    assert_eq!(filled.query.to_string(), "VALUES (1, 'a')");
}

#[test]
fn what_is_wrong_is_named() {
    for (sql, part) in [
        ("CREATE TABLE t AS", "expected a query"),
        ("CREATE TABLE t AS SHOW TABLES", "expected a query"),
        (
            "CREATE TABLE t WITH (format = 'ORC') SELECT 1",
            "expected AS",
        ),
        (
            "CREATE TABLE t WITH (format = 'ORC', FORMAT = 'AVRO') AS SELECT 1",
            "property format is given twice",
        ),
        (
            "CREATE TABLE t WITH (format = PARQUET) AS SELECT 1",
            "expected a string",
        ),
        (
            "CREATE TABLE t WITH () AS SELECT 1",
            "expected a property's name",
        ),
        ("INSERT t SELECT 1", "INTO or OVERWRITE"),
        ("INSERT INTO t", "expected a query"),
        ("INSERT INTO t (1, 2) SELECT 1", "expected a column's name"),
        ("UNLOAD SELECT 1 TO 's3://b/'", "a query in parentheses"),
        ("UNLOAD (SELECT 1)", "expected TO"),
        ("UNLOAD (SELECT 1) TO b", "a folder as a string"),
        ("UNLOAD (SELECT 1) TO 's3://b/' AS x", "syntax error"),
    ] {
        assert!(said(sql).contains(part), "{sql}: {}", said(sql));
    }
    assert!(refused("CREATE TABLE t AS WITH SESSION x = 1 SELECT 1").contains("WITH SESSION"));
}

#[test]
fn truncate_names_tables() {
    for sql in [
        "TRUNCATE d.t",
        "TRUNCATE TABLE D.T",
        "TRUNCATE TABLE ONLY d.t RESTART IDENTITY CASCADE",
        "TRUNCATE ONLY d.t CONTINUE IDENTITY RESTRICT",
    ] {
        let statement = crate::parse(sql).unwrap().remove(0).statement;
        assert_eq!(statement.tag(), "TRUNCATE TABLE", "{sql}");
        assert!(statement.is_kept_for_commit(), "{sql}");
        let Statement::Truncate(truncate) = statement else {
            panic!("{sql}");
        };
        assert_eq!(truncate.tables, [TableName::in_database("d", "t")], "{sql}");
    }
    let Statement::Truncate(several) = one("TRUNCATE TABLE a, ONLY d.b, only CASCADE") else {
        panic!()
    };
    let tables: Vec<String> = several.tables.iter().map(ToString::to_string).collect();
    assert_eq!(tables, ["a", "d.b", "only"]);
    assert!(crate::parse("TRUNCATE t WHERE a = 1").is_err());
    assert!(crate::parse("TRUNCATE t,").is_err());
}

#[test]
fn temporary_tables_have_columns_or_a_query() {
    let table = |sql: &str| match one(sql) {
        Statement::CreateTable(table) => *table,
        other => panic!("{sql}: {other:?}"),
    };
    for (sql, on_commit) in [
        ("CREATE TEMP TABLE t (a int)", OnCommit::PreserveRows),
        (
            "CREATE LOCAL TEMPORARY TABLE t (a int) ON COMMIT PRESERVE ROWS",
            OnCommit::PreserveRows,
        ),
        (
            "CREATE GLOBAL TEMPORARY TABLE t (a int) ON COMMIT DELETE ROWS",
            OnCommit::DeleteRows,
        ),
        (
            "create temporary table if not exists t (a int) on commit drop",
            OnCommit::Drop,
        ),
        ("CREATE TABLE pg_temp.t (a int)", OnCommit::PreserveRows),
    ] {
        let table = table(sql);
        assert_eq!(table.temporary, Some(on_commit), "{sql}");
        assert_eq!((&*table.name.table, table.columns.len()), ("t", 1));
    }
    let quoted = table("CREATE LOCAL TEMPORARY TABLE \"#Tableau_1\" (\"COL\" INTEGER)");
    assert_eq!(quoted.name.table, "#tableau_1");
    assert_eq!(quoted.columns.first().unwrap().name, "col");
    for sql in [
        "CREATE TEMP TABLE t AS SELECT 1 AS a",
        "CREATE TEMPORARY TABLE t (a) ON COMMIT DROP AS SELECT 1",
        "CREATE TEMP TABLE t AS SELECT 1 AS a WITH DATA",
        "CREATE TABLE pg_temp.t AS SELECT 1 AS a",
        "SELECT 1 AS a INTO TEMP t",
        "SELECT 1 AS a INTO TEMP t UNION SELECT 2",
        "SELECT 1 AS a INTO TEMPORARY TABLE T FROM u",
        "WITH u AS (SELECT 1 AS a) SELECT a INTO TEMP t FROM u",
    ] {
        let create = create(sql);
        assert!(create.temporary.is_some() && create.with_data, "{sql}");
        assert_eq!(create.name.table, "t");
        assert!(!create.query.to_string().contains("INTO"), "{sql}");
        assert!(one(sql).makes_temporary() && !one(sql).is_kept_for_commit());
    }
    assert!(!create("CREATE TEMP TABLE t AS SELECT 1 AS a WITH NO DATA").with_data);
    for sql in [
        "CREATE TEMP TABLE t (LIKE u)",
        "CREATE TEMP TABLE t WITH (format = 'ORC') AS SELECT 1 AS a",
        "SELECT 1 UNION SELECT 2 INTO TEMP t",
        "CREATE TABLE t AS SELECT 1 AS a INTO TEMP u",
        "CREATE VIEW v AS SELECT 1 AS a INTO TEMP u",
        "EXPLAIN CREATE TEMP TABLE t (a int)",
    ] {
        assert!(matches!(one(sql), Statement::Unsupported(_)), "{sql}");
    }
    for sql in [
        "CREATE TEMP TABLE t",
        "CREATE TEMP TABLE t (a)",
        "CREATE TEMP TABLE t (a int) AS SELECT 1",
        "CREATE TEMP TABLE t (a int) ON COMMIT",
        "CREATE TEMP TABLE t (a int) LOCATION 's3://b/t/'",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn returning_is_a_query_over_the_rows_that_are_written() {
    for (sql, rows, items, alias) in [
        (
            "INSERT INTO t VALUES (1) RETURNING *",
            "VALUES (1)",
            "*",
            "t",
        ),
        (
            "INSERT INTO d.t (a) VALUES ($1) RETURNING d.t.a, t.b AS c, d.t.*, a + $2",
            "VALUES ($1)",
            "t.a, t.b AS c, t.*, a + $2",
            "t",
        ),
        (
            "INSERT INTO awsdatacatalog.d.t AS X SELECT a FROM u WHERE a > 1 RETURNING x.a, d.t.a",
            "SELECT a FROM u WHERE a > 1",
            "x.a, d.t.a",
            "x",
        ),
    ] {
        let written = insert(sql);
        assert_eq!(written.query.to_string(), rows, "{sql}");
        let returned = written.returning.unwrap().to_string();
        let expected = format!("SELECT {items} FROM pg_temp_1.\"returning\" AS \"{alias}\"");
        assert_eq!(returned, expected, "{sql}");
    }
    for sql in [
        "INSERT INTO t SELECT returning FROM u",
        "INSERT INTO t SELECT a, returning FROM u",
        "INSERT INTO t SELECT json_value(a, '$' RETURNING integer) FROM u",
    ] {
        assert!(insert(sql).returning.is_none(), "{sql}");
    }
    for (sql, near) in [
        ("INSERT INTO t VALUES (1) RETURNING a +", "at end of input"),
        ("INSERT INTO t VALUES (1,) RETURNING a", "\")\""),
    ] {
        assert!(error(sql).message.contains(near), "{}", error(sql).message);
    }
}
