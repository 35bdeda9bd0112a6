//! `system.queries`: every query with its measurements, for the users that may see it.

use crate::harness::Server;

#[tokio::test]
async fn every_query_is_recorded_with_its_figures() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin.run("SET result_reuse = off").await;
    let sql = "SELECT customer_id FROM curated.customers WHERE segment IS NOT NULL LIMIT 7";
    admin.run(sql).await;
    let record = admin
        .text(&format!(
            "SELECT user_name, state, rows, bytes_scanned > 0, cache_hit, error_code, query_id IS NOT NULL, submitted_at <= now(), workgroup IS NOT NULL
             FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await;
    assert_eq!(record, "admin|SUCCEEDED|7|t|f|NULL|t|t|t");
    let failing = "SELECT no_such_column_here FROM curated.customers";
    admin.fails(failing).await;
    assert_eq!(
        admin
            .text(&format!(
                "SELECT state, error_code FROM system.queries WHERE query = '{failing}'"
            ))
            .await,
        "FAILED|COLUMN_NOT_FOUND"
    );
    let syntax = "SELEC no_syntax";
    admin.fails(syntax).await;
    assert_eq!(
        admin
            .text(&format!(
                "SELECT state, error_code FROM system.queries WHERE query = '{syntax}'"
            ))
            .await,
        "FAILED|SYNTAX_ERROR"
    );
}

#[tokio::test]
async fn statement_of_literals_is_recorded_each_time() {
    let admin = Server::shared().connect("admin").await;
    let sql = "SELECT 7 AS n, 'known answer' AS t, NULL AS x";
    for text in [
        sql,
        sql,
        "SELECT 7 AS n, 'known answer' AS t, NULL AS x;",
        sql,
    ] {
        assert_eq!(admin.text(text).await, "7|known answer|NULL");
    }
    admin.run("SET plan_cache_mode = force_custom_plan").await;
    assert_eq!(admin.text(sql).await, "7|known answer|NULL");
    let recorded = format!(
        "SELECT count(*), count(DISTINCT query_id), min(state), max(state), min(rows), max(rows), max(completed_at) <= now()
         FROM system.queries WHERE query = '{}'",
        sql.replace('\'', "''")
    );
    assert_eq!(admin.text(&recorded).await, "5|5|SUCCEEDED|SUCCEEDED|1|1|t");
}

#[tokio::test]
async fn users_see_their_own_queries_and_administrators_all() {
    let server = Server::shared();
    let (admin, analyst, scientist) = (
        server.connect("admin").await,
        server.connect("analyst").await,
        server.connect("scientist").await,
    );
    analyst.run("SELECT 'of the analyst'").await;
    scientist.run("SELECT 'of the scientist'").await;
    assert_eq!(
        analyst
            .column("SELECT DISTINCT user_name FROM system.queries")
            .await,
        ["analyst"]
    );
    assert_eq!(scientist.number("SELECT count(*) FROM system.queries WHERE query LIKE '%of the analyst%' AND query NOT LIKE '%LIKE%'").await, 0);
    let users = admin
        .column("SELECT DISTINCT user_name FROM system.queries ORDER BY 1")
        .await;
    assert!(
        users.contains(&"analyst".to_owned()) && users.contains(&"scientist".to_owned()),
        "{users:?}"
    );
}

#[tokio::test]
async fn phases_have_their_times_and_ddl_is_recorded_too() {
    let admin = Server::shared().connect("admin").await;
    let columns = admin.columns("SELECT * FROM system.queries LIMIT 1").await;
    for column in [
        "query_id",
        "user_name",
        "workgroup",
        "state",
        "query",
        "submitted_at",
        "bytes_scanned",
        "rows",
        "cache_hit",
        "error_code",
    ] {
        assert!(
            columns.contains(&column.to_owned()),
            "{column} is missing of {columns:?}"
        );
    }
    assert!(
        columns
            .iter()
            .filter(|name| name.ends_with("_ms")
                || name.ends_with("_us")
                || name.ends_with("_millis"))
            .count()
            >= 3,
        "{columns:?}"
    );
    let ddl = "CREATE DATABASE IF NOT EXISTS recorded";
    admin.run(ddl).await;
    assert_eq!(
        admin
            .value(&format!(
                "SELECT state FROM system.queries WHERE query = '{ddl}'"
            ))
            .await,
        "SUCCEEDED"
    );
}

#[tokio::test]
async fn columns_are_shown_by_the_names_that_postgres_gives_them() {
    let admin = Server::shared().connect("admin").await;
    for (sql, names) in [
        ("SELECT * FROM (SELECT 1 AS a, 2 AS a) t", vec!["a", "a"]),
        (
            "WITH q AS (SELECT 1 AS \"Key\", 2 AS \"Key\") SELECT *, 3 FROM q",
            vec!["Key", "Key", "?column?"],
        ),
        (
            "SELECT * FROM (SELECT 1, 2, count(*), '1'::text::int, CASE WHEN true THEN 1 END) t",
            vec!["?column?", "?column?", "count", "int4", "case"],
        ),
        (
            "SELECT * FROM (SELECT * FROM (VALUES (1)) v (k), (VALUES (2)) w (k)) t",
            vec!["k", "k"],
        ),
        ("SELECT 1 AS k, 2 AS k UNION SELECT 3, 4", vec!["k", "k"]),
        (
            "SELECT k, *, v.* FROM (VALUES (1, 2)) v (k)",
            vec!["k", "k", "column2", "k", "column2"],
        ),
    ] {
        assert_eq!(admin.columns(sql).await, names, "{sql}");
    }
}
