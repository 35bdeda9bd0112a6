//! Errors report what was wrong, where, and what was expected.

use super::*;

#[test]
fn an_error_names_the_word_and_its_place_in_the_whole_text() {
    let sql = "select 'é';\n selec 1";
    let found = error(sql);
    assert_eq!(found.message, "syntax error at or near \"selec\"");
    assert_eq!(found.hint.as_deref(), Some("expected a statement"));
    assert_eq!(found.position, Some(14));
}

#[test]
fn an_error_inside_of_a_query_has_its_place_in_the_whole_text() {
    let sql = "/* é */ show tables;\nselect a,\n  b frm t where";
    let found = error(sql);
    assert_eq!(found.message, "syntax error at or near \"t\"");
    let place = sql
        .chars()
        .take(found.position.unwrap() - 1)
        .collect::<String>();
    assert!(place.ends_with("b frm "), "{place}");
}

#[test]
fn an_error_inside_of_a_query_is_at_the_word_that_is_wrong() {
    // `^` precedes what the error is about.
    for (marked, message) in [
        (
            "SELECT * ^FRM t",
            "\"FRM\": expected the end of the statement",
        ),
        (
            "SELECT t.* ^x FROM t",
            "\"x\": expected the end of the statement",
        ),
        ("SELECT a, ^FROM t", "\"FROM\": expected an expression"),
        (
            "SELECT x FROM (SELECT DISTINCT ^FROM t) s",
            "\"FROM\": expected the columns that are distinct",
        ),
        (
            "SELECT * FROM ^WHERE a = 1",
            "\"WHERE\": expected a table or a subquery",
        ),
        (
            "SELECT * FROM t JOIN ^ON a = b",
            "\"ON\": expected a table or a subquery",
        ),
        ("SELECT * FROM t GROUP ^a", "\"a\": expected BY"),
        (
            "SELECT CASE WHEN a THEN 1 ^FROM t",
            "\"FROM\": expected END",
        ),
        (
            "SELECT CAST(a AS^) FROM t",
            "\")\": expected a data type name",
        ),
        (
            "SELECT a FROM t WHERE a = ^= 1",
            "\"=\": expected an expression",
        ),
        (
            "SELECT a FROM t^)",
            "\")\": expected the end of the statement",
        ),
        (
            "SELECT a FROM t ORDER BY a ^DSC",
            "\"DSC\": expected the end of the statement",
        ),
    ] {
        let (before, after) = marked.split_once('^').unwrap();
        let found = error(&format!("{before}{after}"));
        assert_eq!(
            found.said(),
            format!("syntax error at or near {message}"),
            "{marked}"
        );
        assert_eq!(found.position, Some(before.chars().count() + 1), "{marked}");
    }
    for open in ["SELECT a FROM (SELECT 1", "SELECT (a + (1", "VALUES (1, 2"] {
        let found = error(open);
        assert_eq!(found.said(), "syntax error at end of input: expected \")\"");
        assert_eq!(found.position, Some(open.len() + 1), "{open}");
    }
}

#[test]
fn reserved_words_are_names_only_in_quotes() {
    for (marked, near) in [
        ("SELECT FROM ^WHERE", "WHERE"),
        ("SELECT * FROM ^order", "order"),
        ("SELECT * FROM t JOIN ^select ON a = b", "select"),
        ("SELECT * FROM t AS ^where", "where"),
        ("SELECT * FROM (SELECT 1) AS ^with", "with"),
        ("SELECT a, ^end FROM t", "end"),
        ("SELECT a FROM t WHERE b = ^order.x", "order"),
        ("SELECT a FROM t WHERE b IN (SELECT ^group FROM u)", "group"),
    ] {
        let (before, after) = marked.split_once('^').unwrap();
        let found = error(&format!("{before}{after}"));
        let message = format!("syntax error at or near \"{near}\"");
        assert_eq!(found.message, message, "{marked}");
        assert_eq!(found.position, Some(before.chars().count() + 1), "{marked}");
    }
    for sql in [
        "SELECT \"end\" FROM \"order\" AS \"where\"",
        "SELECT `end` FROM `order`",
        "SELECT t.end, t.order FROM t",
        "SELECT a AS end, b AS select FROM d.table",
        "SELECT value, key, first, type FROM t",
    ] {
        assert!(matches!(one(sql), Statement::Query(_)), "{sql}");
    }
}

#[test]
fn an_early_end_is_an_error_at_the_end_of_input() {
    for sql in [
        "select * from",
        "select (1",
        "create table",
        "alter table t add",
        "grant select on",
        "select 1 +",
    ] {
        let found = error(sql);
        assert!(
            found.message.starts_with("syntax error at end of input"),
            "{sql}: {}",
            found.message
        );
        assert_eq!(found.position, Some(sql.chars().count() + 1), "{sql}");
    }
}

#[test]
fn what_follows_a_whole_statement_is_an_error() {
    assert_eq!(
        said("drop table t u"),
        "syntax error at or near \"u\": expected the end of the statement"
    );
    assert!(
        error("select 1 2")
            .message
            .starts_with("syntax error at or near \"2\"")
    );
    assert!(
        error("show tables in db 'a' 'b'")
            .message
            .contains("\"'b'\"")
    );
}

#[test]
fn an_open_quote_is_named_and_not_quoted() {
    let found = error("select 1; select 'abc");
    assert_eq!(found.message, "unterminated quoted string at or near \"'\"");
    assert_eq!(found.position, Some(18));
    assert!(
        error("select \"abc")
            .message
            .contains("unterminated quoted identifier")
    );
    assert!(
        error("select /* abc")
            .message
            .contains("unterminated /* comment")
    );
    assert!(
        error("select $$abc")
            .message
            .contains("unterminated dollar-quoted string")
    );
}

#[test]
fn an_error_shows_a_bounded_part_of_a_long_word() {
    let long = "x".repeat(10_000);
    assert!(error(&format!("drop table t {long}")).message.len() < 200);
    assert!(
        error(&format!("select 1 from t where '{long}' '{long}' from"))
            .message
            .len()
            < 600
    );
}

#[test]
fn refused_statements_name_the_nearest_that_works() {
    for (sql, message) in [
        (
            "ALTER TABLE t EXCHANGE PARTITION (dt='a') WITH TABLE u",
            "ALTER TABLE .. EXCHANGE PARTITION is not supported; use ALTER TABLE .. DROP PARTITION and ADD PARTITION",
        ),
        (
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT 5",
            "ALTER TABLE .. ALTER COLUMN other than TYPE is not supported; use ALTER TABLE .. ALTER COLUMN .. SET DATA TYPE",
        ),
        (
            "WITH w AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM w",
            "INSERT in WITH is not supported; use INSERT as a statement of its own",
        ),
        (
            "WITH v AS (SELECT 1), w AS MATERIALIZED (DELETE FROM t) SELECT 1",
            "DELETE in WITH is not supported; use DELETE as a statement of its own",
        ),
        (
            "LISTEN c",
            "LISTEN is not supported; use a query, repeated, of what changes",
        ),
        (
            "NOTIFY c, 'x'",
            "NOTIFY is not supported; use a query, repeated, of what changes",
        ),
        (
            "SHOW STATS FOR (SELECT * FROM t JOIN u ON t.a = u.a)",
            "SHOW STATS FOR a query with joins is not supported; use SHOW STATS FOR (SELECT column, .. FROM table WHERE condition)",
        ),
    ] {
        assert_eq!(refused(sql), message);
    }
    for sql in [
        "INSERT OVERWRITE DIRECTORY 's3://b/' SELECT 1",
        "INSERT OVERWRITE t SELECT a FROM u RETURNING a AS b",
        "INSERT OVERWRITE t DEFAULT VALUES RETURNING *",
        "INSERT INTO t VALUES (1) RETURNING (SELECT 1)",
        "INSERT INTO t VALUES (?) RETURNING a + ?",
        "INSERT INTO t VALUES (1) RETURNING a IN (SELECT 1)",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "UPDATE t SET a = 1",
        "DELETE FROM t USING u WHERE t.a = u.a",
        "DELETE FROM t WHERE a = 1 RETURNING a",
        "DELETE FROM t RETURNING *",
        "DELETE FROM t WHERE CURRENT OF c",
        "DELETE FROM t WHERE a IN (SELECT a FROM u)",
        "DELETE FROM t WHERE a = 1 OR EXISTS (SELECT 1)",
        "DELETE FROM t WHERE a = ANY (SELECT a FROM u)",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "CREATE EXTERNAL TABLE t AS SELECT 1",
        "CREATE OR REPLACE TABLE t (a int)",
        "CREATE TABLE t (LIKE u, a INT)",
        "CREATE TABLE t LOCATION 's3://b/' AS SELECT 1",
        "CREATE PROTECTED MULTI DIALECT VIEW v SECURITY DEFINER AS SELECT 1",
        "ALTER VIEW v ADD DIALECT AS SELECT 1",
        "VACUUM t",
        "OPTIMIZE t REWRITE DATA USING BIN_PACK",
        "ALTER TABLE t DROP COLUMNS (a, b)",
        "ALTER TABLE t ARCHIVE PARTITION (dt='a')",
        "ALTER TABLE t SET FILEFORMAT ORC",
        "ALTER TABLE t TOUCH",
        "DESCRIBE DATABASE d",
        "EXPORT TABLE t TO 's3://b/'",
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE FUNCTION f() RETURNS int AS 'x'",
        "USING EXTERNAL FUNCTION f(x int) RETURNS int LAMBDA 'l' SELECT f(1)",
        "PREPARE p FROM UPDATE t SET a = 1",
        "COMMENT ON FUNCTION f IS 'x'",
    ] {
        assert!(
            refused(sql).contains(" is not supported; use "),
            "{sql}: {}",
            refused(sql)
        );
    }
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_read() {
    let sql = format!("select '{}'", "é".repeat(crate::MAX_TEXT_CHARS));
    assert!(error(&sql).message.contains("262144"));
    let fits = format!("select '{}'", "é".repeat(crate::MAX_TEXT_CHARS - 9));
    assert_eq!(one(&fits).tag(), "SELECT");
}

#[test]
fn a_principals_name_that_is_left_out_is_said_to_be_missing() {
    for (sql, near, what) in [
        ("CREATE USER WITH PASSWORD 'x'", "WITH", "a user's name"),
        ("CREATE USER PASSWORD 'x'", "PASSWORD", "a user's name"),
        (
            "CREATE USER IF NOT EXISTS PASSWORD 'x'",
            "PASSWORD",
            "a user's name",
        ),
        ("CREATE USER IF PASSWORD 'x'", "PASSWORD", "NOT"),
        ("ALTER USER PASSWORD 'x'", "PASSWORD", "a user's name"),
        ("ALTER USER SET WORKGROUP w", "SET", "a user's name"),
        (
            "ALTER USER u SET WORKGROUP TO SET",
            "SET",
            "a workgroup's name",
        ),
        ("DROP USER IF", "IF", "a user's name"),
        ("CREATE ROLE IF EXISTS r", "EXISTS", "NOT"),
        ("CREATE ROLE WITH LOGIN", "WITH", "a role's name"),
        ("DROP ROLE IF", "IF", "a role's name"),
        (
            "CREATE WORKGROUP WITH (a = 1)",
            "WITH",
            "a workgroup's name",
        ),
        ("ALTER WORKGROUP SET (a = 1)", "SET", "a workgroup's name"),
        ("ALTER WORKGROUP ENABLE", "ENABLE", "a workgroup's name"),
        (
            "GRANT r TO WITH ADMIN OPTION",
            "WITH",
            "a user's or role's name",
        ),
        (
            "GRANT SELECT ON t TO WITH GRANT OPTION",
            "WITH",
            "a user's or role's name",
        ),
    ] {
        let said = said(sql);
        let start = format!("syntax error at or near \"{near}\": expected {what}");
        assert!(said.starts_with(&start), "{sql}: {said}");
    }
    assert!(
        error("CREATE USER WITH PASSWORD 'x'")
            .hint
            .unwrap()
            .contains("double quotes")
    );
    assert!(
        matches!(one("CREATE USER \"with\" PASSWORD 'x'"), Statement::CreateUser(u) if u.name == "with")
    );
    assert!(matches!(one("DROP USER 'if'"), Statement::DropUser(u) if u.name == "if"));
}

#[test]
fn errors_about_passwords_do_not_show_them() {
    for sql in [
        "CREATE USER u PASSWORD hunter2",
        "CREATE USER u 'hunter2'",
        "CREATE USER u PASSWORD 'a' 'hunter2'",
        "CREATE USER u WITH 'hunter2'",
        "ALTER USER u PASSWORD 'hunter2' x 'hunter2'",
        "ALTER USER u PASSWORD hunter2 x",
        "ALTER USER u IDENTIFIED BY 'hunter2'",
        "CREATE USER u PASSWORD 'hunter2",
        "CREATE USER u PASSWORD $$hunter2",
        "CREATE USER u PASSWORD $$a$$ hunter2",
        "CREATE USER u PASSWORD 'it'hunter2'",
        "CREATE USER u PASSWORD B'hunter2'",
        "CREATE USER u PASSWORD 1hunter2",
    ] {
        let found = error(sql);
        assert!(
            !format!("{found:?}").contains("hunter2"),
            "{sql}: {found:?}"
        );
    }
}

#[test]
fn letters_after_a_number_are_no_alias() {
    for (sql, junk) in [
        ("SELECT 123abc", "123abc"),
        ("SELECT 1.5e", "1.5e"),
        ("SELECT 1x, 2", "1x"),
        ("SELECT a FROM t WHERE a = 1AND b = 2", "1AND"),
    ] {
        let found = error(sql);
        let message = format!("trailing junk after numeric literal at or near \"{junk}\"");
        assert_eq!(found.message, message, "{sql}");
        let place = sql.find(junk).map(|place| place + 1);
        assert_eq!(found.position, place, "{sql}");
    }
    for sql in [
        "SELECT 123 abc",
        "SELECT 1\"abc\"",
        "SELECT 1e5, 0x1f, 0o17, 0b11, 1_000",
        "SELECT 1/**/abc",
    ] {
        assert!(crate::parse(sql).is_ok(), "{sql}");
    }
}
