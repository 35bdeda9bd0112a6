#![allow(clippy::unwrap_used, clippy::panic)]
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn parsed(sql: &str) -> Statement {
    let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
    statements.remove(0)
}

/// The statement with the hidden column `$path` of `t` and `d.t`, which have two others.
fn hidden(sql: &str) -> Result<String, Error> {
    let mut statement = parsed(sql);
    let columns = TableColumns {
        shown: 2,
        hidden: vec!["$path"],
    };
    let tables = starred_tables(&statement)?
        .into_iter()
        .filter(|name| ["t", "d.t"].contains(&name.to_string().as_str()))
        .map(|name| (name, columns.clone()));
    hide_columns(&mut statement, &tables.collect())?;
    Ok(statement.to_string())
}

#[test]
fn hidden_columns_are_those_that_an_expression_names() {
    for (sql, names) in [
        (r#"SELECT "$path" FROM t"#, true),
        (r#"SELECT 1 FROM t ORDER BY t."$file_size""#, true),
        (
            r#"SELECT 1 WHERE 1 IN (SELECT length(d.t."$partition") FROM d.t)"#,
            true,
        ),
        (r#"SELECT 1 AS "$path" FROM "$path""#, false),
        (r#"SELECT "$paths", '$path', "path" FROM t"#, false),
        (r#"SELECT "$Path" FROM t"#, false),
    ] {
        assert_eq!(NamedApart::of(&parsed(sql)).hidden, names, "{sql}");
    }
}

#[test]
fn system_columns_are_those_that_an_expression_names() {
    for (sql, names) in [
        ("SELECT n.XMIN FROM pg_namespace n", true),
        ("SELECT 1 FROM pg_class ORDER BY age(\"xmax\")", true),
        ("SELECT ctid FROM pg_class", true),
        ("SELECT 1 AS xmin FROM xmax", false),
        ("SELECT \"XMIN\", 'xmin', tableoid FROM pg_class", false),
    ] {
        assert_eq!(NamedApart::of(&parsed(sql)).system, names, "{sql}");
        assert!(!NamedApart::of(&parsed(sql)).hidden, "{sql}");
    }
}

#[test]
fn columns_of_both_kinds_are_named_by_one_statement() {
    let named = NamedApart::of(&parsed(r#"SELECT "$path", a FROM t WHERE xmin = 1"#));
    assert!(named.hidden && named.system && named.any());
    assert!(!NamedApart::of(&parsed("SELECT a, path FROM t")).any());
}

#[test]
fn tables_are_those_that_are_no_common_table() {
    let of = |sql: &str| -> Vec<String> {
        let found = starred_tables(&parsed(sql)).unwrap();
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        of("SELECT * FROM a JOIN d.b ON EXISTS (SELECT 1 FROM c), (SELECT * FROM a) AS x"),
        ["a", "d.b", "c"]
    );
    assert_eq!(
        of("WITH a AS (SELECT * FROM a) SELECT * FROM a, f(1)"),
        ["a"]
    );
    assert_eq!(
        of("WITH RECURSIVE a AS (SELECT * FROM b UNION ALL SELECT * FROM a) SELECT * FROM a"),
        ["b"]
    );
    assert_eq!(
        of("SELECT 1 IN (WITH a AS (SELECT 1) SELECT * FROM a), 2 IN (SELECT * FROM a) FROM d.a"),
        ["d.a", "a"]
    );
}

#[test]
fn stars_leave_hidden_columns_out() {
    let hides = r#"EXCLUDE ("$path")"#;
    for (sql, expected) in [
        ("SELECT *, 1 FROM t", format!("SELECT * {hides}, 1 FROM t")),
        (
            "SELECT * EXCLUDE (a) FROM t",
            r#"SELECT * EXCLUDE (a, "$path") FROM t"#.to_owned(),
        ),
        (
            "SELECT x.* FROM d.t AS x",
            format!("SELECT x.* {hides} FROM d.t AS x"),
        ),
        (
            "SELECT t.* FROM d.t",
            format!("SELECT t.* {hides} FROM d.t"),
        ),
        ("SELECT e.t.* FROM d.t", "SELECT e.t.* FROM d.t".to_owned()),
        (
            "SELECT * FROM t, u",
            format!("SELECT t.* {hides}, u.* FROM t, u"),
        ),
        (
            "SELECT * FROM (t CROSS JOIN u), (SELECT 1)",
            format!(
                "SELECT t.* {hides}, u.*, \"unnamed 1\".* FROM (t CROSS JOIN u), (SELECT 1) AS \"unnamed 1\""
            ),
        ),
        (
            "SELECT * FROM t LEFT SEMI JOIN u ON true",
            format!("SELECT * {hides} FROM t LEFT SEMI JOIN u ON true"),
        ),
        (
            "SELECT * FROM u LEFT ANTI JOIN t ON true",
            "SELECT * FROM u LEFT ANTI JOIN t ON true".to_owned(),
        ),
        (
            "WITH t AS (SELECT * FROM t) SELECT * FROM t, d.t AS x",
            format!("WITH t AS (SELECT * {hides} FROM t) SELECT t.*, x.* {hides} FROM t, d.t AS x"),
        ),
        (
            "SELECT 1 FROM u WHERE EXISTS (SELECT * FROM t) UNION (SELECT * FROM t LIMIT (SELECT * FROM t))",
            format!(
                "SELECT 1 FROM u WHERE EXISTS (SELECT * {hides} FROM t) UNION (SELECT * {hides} FROM t LIMIT (SELECT * {hides} FROM t))"
            ),
        ),
        (
            "SELECT a FROM t AS x (a, b)",
            "SELECT a FROM t AS x (a, b)".to_owned(),
        ),
    ] {
        assert_eq!(hidden(sql).unwrap(), expected, "{sql}");
    }
}

#[test]
fn too_many_aliases_and_options_over_several_tables_are_errors() {
    let error = hidden("SELECT c FROM t AS x (a, b, c)").unwrap_err();
    assert_eq!(error.code(), Code::InvalidColumnReference);
    assert!(error.message().contains("2 columns"), "{error}");
    let error = hidden("SELECT * EXCLUDE (a) FROM t, u").unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert!(hidden("SELECT * EXCLUDE (a) FROM u, v").is_ok());
}
