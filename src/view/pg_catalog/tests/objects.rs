//! Relations of the catalog, and the functions that ask about objects.

use super::*;

#[tokio::test]
async fn a_query_for_one_table_asks_for_one_tables_columns() {
    let source: Arc<Sample> = Arc::default();
    let sql = "SELECT attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a \
               WHERE a.attrelid = '100003' AND a.attnum > 0 ORDER BY attnum";
    let (_, rows) = run_with(&source, sql, &[]).await.unwrap();
    assert_eq!(rows[0], ["order_id", "the key"]);
    assert_eq!(rows[6], ["order_date", "partition key"]);
    let asked = source.asked.lock();
    let one = Columns::Of(Pins {
        table_ids: Some([1].into()),
        ..Pins::default()
    });
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|needs| needs.columns == one), "{asked:?}");
}

#[tokio::test]
async fn names_are_asked_for_without_columns() {
    let source: Arc<Sample> = Arc::default();
    run_with(
        &source,
        "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid)",
        &[],
    )
    .await
    .unwrap();
    let asked = source.asked.lock();
    assert!(
        asked.iter().all(|needs| *needs == Needs::default()),
        "{asked:?}"
    );
}

#[tokio::test]
async fn numbers_of_objects_are_shown_as_their_names() {
    let rows = run(
        "SELECT 'orders'::regclass, 'analytics.v'::regclass::text, 'orders'::regclass::oid AS number, 25::regtype, \
         'curated'::regnamespace, to_regclass('nosuch'), '_int4'::regtype::text",
    )
    .await;
    assert_eq!(
        rows,
        [[
            "orders",
            "analytics.v",
            "100003",
            "text",
            "curated",
            "NULL",
            "integer[]"
        ]]
    );
    let error = run_with(&Arc::default(), "SELECT 'nosuch'::regclass", &[])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("relation \"nosuch\" does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn privileges_are_the_truth() {
    let rows = run(
        "SELECT has_table_privilege('orders', 'SELECT'), has_table_privilege('analyst', 'curated.orders', 'INSERT'), \
         has_schema_privilege('curated', 'CREATE'), has_schema_privilege('curated', 'USAGE'), \
         pg_has_role('data_analysts', 'USAGE'), has_table_privilege('somebody', 'orders', 'SELECT'), \
         has_column_privilege('orders', 'price', 'SELECT')",
    )
    .await;
    assert_eq!(
        rows,
        [["true", "false", "false", "true", "true", "NULL", "true"]]
    );
}

#[tokio::test]
async fn information_schema_has_athenas_columns() {
    let rows = run(
        "SELECT column_name, data_type, udt_name, extra_info, comment FROM information_schema.columns \
         WHERE table_schema = 'curated' AND table_name = 'orders' AND ordinal_position IN (1, 5, 7) ORDER BY ordinal_position",
    )
    .await;
    let expected = [
        ["order_id", "text", "text", "NULL", "the key"],
        ["tags", "ARRAY", "_text", "NULL", "NULL"],
        ["order_date", "date", "date", "partition key", "NULL"],
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn every_relation_can_be_read_whole() {
    for shapes in [&PG_CATALOG, &INFORMATION_SCHEMA] {
        for shape in &shapes.relations {
            run(&format!(
                "SELECT * FROM {}.{}",
                shapes.namespace, shape.name
            ))
            .await;
        }
    }
}
