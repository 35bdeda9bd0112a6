//! Postgres' syntax and types beyond what the engine's planner accepts.

use super::*;

#[tokio::test]
async fn a_correlated_subquery_gives_its_value_nothing_or_an_error() {
    let counts = "SELECT nspname, (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'v') \
                  FROM pg_namespace n WHERE nspname IN ('curated', 'analytics') ORDER BY 1";
    assert_eq!(run(counts).await, [["analytics", "1"], ["curated", "0"]]);
    let inequality = "SELECT a.typname, (SELECT b.typname FROM pg_type b WHERE b.oid > a.oid AND b.oid < 22 ORDER BY b.oid LIMIT 1) AS next \
                      FROM pg_type a WHERE a.oid IN (19, 20, 21) ORDER BY a.oid";
    assert_eq!(
        run(inequality).await,
        [["name", "int8"], ["int8", "int2"], ["int2", "NULL"]]
    );
    let exists = "SELECT typname, EXISTS (SELECT 1 FROM pg_type e WHERE e.typelem = t.oid), oid IN (SELECT typelem FROM pg_type) \
                  FROM pg_type t WHERE oid IN (25, 1009) ORDER BY oid";
    assert_eq!(
        run(exists).await,
        [["text", "true", "true"], ["_text", "false", "false"]]
    );
    let arrays = "SELECT nspname, ARRAY(SELECT relname FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' ORDER BY 1 DESC) \
                  FROM pg_namespace n WHERE nspname LIKE 'curat%'";
    assert_eq!(run(arrays).await, [["curated", "[users, orders]"]]);
    let many = "SELECT (SELECT relname FROM pg_class c WHERE c.relnamespace = n.oid) FROM pg_namespace n WHERE nspname = 'curated'";
    let error = run_with(&Arc::default(), many, &[]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than one row returned by a subquery"),
        "{error}"
    );
}

#[tokio::test]
async fn functions_in_from_see_the_tables_before_them() {
    let rows = run(
        "SELECT t.oid, u.word, u.n FROM (SELECT 1 AS oid, ARRAY['a', 'b'] AS words UNION ALL SELECT 2, ARRAY['c']) t, \
         unnest(t.words) WITH ORDINALITY AS u(word, n) ORDER BY 1, 3",
    )
    .await;
    assert_eq!(rows, [["1", "a", "1"], ["1", "b", "2"], ["2", "c", "1"]]);
    assert_eq!(
        run("SELECT s, s * 2 FROM generate_series(1, 2) s").await,
        [["1", "2"], ["2", "4"]]
    );
    assert_eq!(run("SELECT (k).x, (k).n FROM (SELECT information_schema._pg_expandarray(ARRAY[7, 8]) AS k) q ORDER BY 2").await, [["7", "1"], ["8", "2"]]);
}

#[tokio::test]
async fn lists_of_names_are_read_as_lists_of_objects() {
    let of_schemas =
        "SELECT nspname FROM pg_namespace WHERE oid = ANY('{curated}'::regnamespace[])";
    assert_eq!(run(of_schemas).await, [["curated"]]);
    assert_eq!(
        run("SELECT ARRAY['int4', 'pg_catalog.text']::regtype[]::oid[], '23 25'::oidvector").await,
        [["[23, 25]", "[23, 25]"]]
    );
    let absent = run_with(&Arc::default(), "SELECT '{absent}'::regnamespace[]", &[]).await;
    let error = absent.unwrap_err().to_string();
    assert!(
        error.contains("schema \"absent\" does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn literals_in_quotes_take_the_type_they_are_compared_with() {
    assert_eq!(
        run("SELECT typname FROM pg_type WHERE oid = '25'").await,
        [["text"]]
    );
    assert_eq!(
        run("SELECT ARRAY[1, 2] = '{1,2}', 'a' = ANY('{a,b}'), 'c' <> ALL('{a,b}'::text[])").await,
        [["true", "true", "true"]]
    );
    let error = run_with(
        &Arc::default(),
        "SELECT 1 FROM pg_type WHERE oid = 'x'",
        &[],
    )
    .await
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("invalid input syntax for type integer"),
        "{error}"
    );
}

/// Returns the marks of the columns of a query, in its plan and after it is optimised.
async fn marks(sql: &str) -> [Vec<Option<String>>; 2] {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap()
        .remove(0);
    let references = rewrite(&mut statement, Names::Postgres).unwrap();
    let system = PgCatalog::open(
        Arc::new(session()),
        Arc::<Sample>::default() as _,
        &references,
    )
    .await
    .unwrap();
    let state = state_of(&system, &references).unwrap();
    let plan = state
        .statement_to_plan(EngineStatement::Statement(Box::new(statement)))
        .await
        .unwrap();
    let plan = system.finish(plan).unwrap();
    let optimized = state.optimize(&plan).unwrap();
    [plan, optimized].map(|plan| {
        let fields = plan.schema().fields().iter();
        let marks = fields.map(|field| field.metadata().get(crate::postgres::PG_TYPE).cloned());
        marks.collect()
    })
}

#[tokio::test]
async fn how_a_value_is_shown_does_not_survive_a_cast() {
    let sql = "SELECT oid, oid::text AS t, oid::regtype::text AS r FROM pg_type";
    for shown in marks(sql).await {
        assert_eq!(shown, [Some("oid".to_owned()), None, None]);
    }
}

#[tokio::test]
async fn values_that_are_chosen_or_gathered_have_types() {
    let sql = "SELECT array_agg(relname) AS names, min(oid) AS least, array_agg(oid) AS numbers, \
               array_agg(oid::regclass) AS tables, max(relname) AS text FROM pg_class";
    let expected = [
        Some("name[]"),
        Some("oid"),
        Some("oid[]"),
        Some("regclass[]"),
        None,
    ];
    for shown in marks(sql).await {
        let shown: Vec<Option<&str>> = shown.iter().map(Option::as_deref).collect();
        assert_eq!(shown, expected);
    }
    let sql = "SELECT coalesce(relname, 'x') AS name, CASE WHEN relpages = 0 THEN oid END AS number, \
               nullif(oid::regclass, 0) AS object, 'a'::name AS literal FROM pg_class";
    let expected = [Some("name"), Some("oid"), Some("oid"), Some("name")];
    for shown in marks(sql).await {
        let shown: Vec<Option<&str>> = shown.iter().map(Option::as_deref).collect();
        assert_eq!(shown, expected);
    }
}
