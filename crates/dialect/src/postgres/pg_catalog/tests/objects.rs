//! Relations of the catalog, and the functions about objects.

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
    let Columns::Of(tables) = one else { panic!() };
    assert!(
        asked.iter().all(|needs| needs.tables == tables),
        "{asked:?}"
    );
}

#[tokio::test]
async fn two_readings_of_a_relation_are_not_restricted_to_what_one_needs() {
    let rows = run(
        "SELECT a.attname, (SELECT count(*) FROM pg_attribute WHERE attrelid = 100005) FROM pg_class c \
         JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders' AND a.attnum = 1",
    );
    assert_eq!(rows.await, [["order_id", "1"]]);
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
    // Databases and roles come first.
    assert_eq!(asked[0].tables, Pins::none());
    assert!(
        asked[1..].iter().all(|needs| *needs == Needs::default()),
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
         pg_has_role('data_analysts', 'USAGE'), has_table_privilege('data_analysts', 'orders', 'SELECT'), \
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
async fn objects_are_found_by_name_and_by_number() {
    for (asked, answer) in [
        ("has_table_privilege(16400, 100003, 'SELECT')", "true"),
        ("has_table_privilege(16401, 100003, 'SELECT')", "NULL"),
        ("has_table_privilege(100001, 'SELECT')", "NULL"),
        (
            "has_table_privilege('analytics.daily_sales', 'DELETE')",
            "true",
        ),
        (
            "has_table_privilege('analytics.daily_sales', 'UPDATE')",
            "true",
        ),
        (
            "has_table_privilege('analytics.daily_sales', 'TRUNCATE')",
            "false",
        ),
        ("has_table_privilege('pg_class', 'SELECT')", "true"),
        (
            "has_table_privilege('information_schema.tables', 'INSERT')",
            "false",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 1, 'SELECT')",
            "true",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 2, 'SELECT')",
            "false",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 8, 'SELECT')",
            "NULL",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 'sale_date', 'SELECT')",
            "true",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 'total', 'SELECT')",
            "false",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 'total', 'INSERT')",
            "true",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 'total', 'UPDATE')",
            "true",
        ),
        (
            "has_column_privilege('analytics.daily_sales', 'total', 'REFERENCES')",
            "false",
        ),
        ("has_schema_privilege(100002, 'CREATE')", "false"),
        (
            "has_database_privilege('awsdatacatalog', 'CREATE')",
            "false",
        ),
        ("has_database_privilege(16384, 'CONNECT')", "true"),
        ("has_database_privilege(1, 'CONNECT')", "NULL"),
        ("has_database_privilege('awsdatacatalog', 'TEMP')", "true"),
        ("has_any_column_privilege('orders', 'SELECT')", "true"),
        (
            "has_column_privilege('pg_class', 'relname', 'SELECT')",
            "true",
        ),
        ("has_column_privilege('pg_class', 99, 'SELECT')", "NULL"),
        ("has_column_privilege('orders', -1, 'SELECT')", "NULL"),
        ("has_function_privilege('now()', 'EXECUTE')", "true"),
        ("has_function_privilege(0, 'EXECUTE')", "NULL"),
        ("has_type_privilege('analyst', 'numeric', 'USAGE')", "true"),
        ("has_type_privilege(0, 'USAGE')", "NULL"),
        ("has_language_privilege('sql', 'USAGE')", "false"),
        ("has_tablespace_privilege(1663, 'CREATE')", "false"),
        ("has_server_privilege(1, 'USAGE')", "NULL"),
        ("has_sequence_privilege(1, 'USAGE')", "NULL"),
        ("has_table_privilege('public', 'orders', 'SELECT')", "NULL"),
        ("pg_has_role(1, 'USAGE')", "NULL"),
        ("pg_has_role('pg_read_all_stats', 'USAGE')", "false"),
        ("pg_has_role('analyst', 'pg_monitor', 'MEMBER')", "false"),
        ("pg_has_role(16401, 'USAGE')", "true"),
        ("pg_has_role('everyone', 'USAGE')", "true"),
        ("pg_has_role('lakegate', 'USAGE')", "false"),
        ("1259::regclass", "pg_class"),
        (
            "'information_schema.tables'::regclass",
            "information_schema.tables",
        ),
        ("'awsdatacatalog.curated.orders'::regclass", "orders"),
        ("to_regclass('elsewhere.curated.orders')", "NULL"),
        ("0::regclass", "-"),
        ("CASE WHEN true THEN 1259::regclass END", "pg_class"),
        ("coalesce(NULL, 23::regtype)", "integer"),
        (
            "(CASE WHEN true THEN 11::regnamespace END)::text",
            "pg_catalog",
        ),
        ("array_agg(23::regtype)", "[integer]"),
        ("ARRAY[1259::regclass, 0::regclass]", "[pg_class, -]"),
        (
            "x FROM (SELECT 23::regtype AS x UNION ALL SELECT NULL) t WHERE x IS NOT NULL",
            "integer",
        ),
        ("'orders'::regtype", "orders"),
        ("'analytics.v'::regtype", "analytics.v"),
        ("'orders'::regtype::oid", "2000025001"),
        ("'pg_class'::regtype::oid", "83"),
        ("'-'::regclass::oid", "0"),
        ("'pg_catalog'::regnamespace::oid", "11"),
        ("'information_schema'::regnamespace::oid", "13000"),
        ("11::regnamespace", "pg_catalog"),
        ("13000::regnamespace", "information_schema"),
        ("'data_analysts'::regrole::oid", "16401"),
        ("'lakegate'::regrole::oid", "10"),
        ("to_regrole('somebody')", "NULL"),
        ("'int4in'::regproc::oid", "42"),
        ("42::regproc", "int4in"),
        ("to_regproc('generate_series')", "NULL"),
        ("to_regproc('nosuch')", "NULL"),
        ("to_regtype('')", "NULL"),
        ("to_regclass('a.b.c.d')", "NULL"),
        ("to_regoper('+')", "NULL"),
        ("to_regoperator('+(int4,int4)')", "+(integer,integer)"),
        ("'lower(text)'::regprocedure::oid", "870"),
        ("'-(NONE,integer)'::regoperator", "-(NONE,integer)"),
        ("1067::regproc", "pg_catalog.generate_series"),
        ("pg_type_is_visible(0)", "NULL"),
        ("pg_function_is_visible(0)", "NULL"),
        ("pg_function_is_visible(1299)", "true"),
        ("pg_operator_is_visible(551)", "true"),
        ("pg_collation_is_visible(950)", "true"),
        ("pg_opclass_is_visible(1)", "NULL"),
        ("pg_describe_object(1259, 100003, 0)", "table orders"),
        (
            "pg_describe_object(1259, 'orders'::regclass, 1)",
            "column order_id of table orders",
        ),
        ("pg_describe_object(1259, 100001, 0)", "NULL"),
        ("pg_describe_object(1247, 2000025001, 0)", "type orders"),
        ("pg_describe_object(1247, 1850025001, 0)", "type orders[]"),
        (
            "identity FROM pg_identify_object(1247, 1850025003, 0)",
            "analytics.v[]",
        ),
        ("name FROM pg_identify_object(1247, 1850025003, 0)", "_v"),
        (
            "identity FROM pg_identify_object(1259, 100003, 1)",
            "curated.orders.order_id",
        ),
        (
            "type || schema FROM pg_identify_object('pg_class'::regclass, 'analytics.v'::regclass, 0) WITH ORDINALITY",
            "viewanalytics",
        ),
        (
            "object_names FROM pg_identify_object_as_address(1260, 16401, 0)",
            "[data_analysts]",
        ),
        (
            "makeaclitem(16401, 10, 'select, INSERT', true)",
            "data_analysts=a*r*/lakegate",
        ),
        ("makeaclitem(0, 99, 'USAGE', false)", "=U/99"),
        (
            "aclcontains(acldefault('n', 10), makeaclitem(10, 10, 'USAGE', false))",
            "true",
        ),
        ("acldefault('n', 10)", "[lakegate=UC/lakegate]"),
        ("pg_get_function_result(42)", "integer"),
        ("pg_get_function_arguments(750)", "cstring, oid, integer"),
        ("pg_get_function_result(1)", "NULL"),
        (
            "oidvectortypes(proargtypes) FROM pg_proc WHERE oid = 750",
            "cstring, oid, integer",
        ),
    ] {
        assert_eq!(run(&format!("SELECT {asked}")).await, [[answer]], "{asked}");
    }
    // Together with a function that is not about objects.
    let rows = run("SELECT 'orders'::regclass, has_table_privilege('orders', 'SELECT'), abs(-1)");
    assert_eq!(rows.await, [["orders", "true", "1"]]);
    for refused in [
        "has_table_privilege('orders')",
        "has_table_privilege('orders', 'FLY')",
        "has_table_privilege('pg_class', 'FLY')",
        "has_column_privilege('orders', 'nosuch', 'SELECT')",
        "has_column_privilege('pg_class', 'nosuch', 'SELECT')",
        "has_column_privilege('orders', 'order_id', 'DELETE')",
        "has_any_column_privilege('orders', 'DELETE')",
        "has_table_privilege('somebody', 'orders', 'SELECT')",
        "has_database_privilege('elsewhere', 'CONNECT')",
        "has_function_privilege('nosuch()', 'EXECUTE')",
        "has_function_privilege('now', 'EXECUTE')",
        "has_type_privilege('nosuch', 'USAGE')",
        "has_language_privilege('nosuch', 'USAGE')",
        "has_tablespace_privilege('nosuch', 'CREATE')",
        "has_server_privilege('nosuch', 'USAGE')",
        "has_foreign_data_wrapper_privilege('nosuch', 'USAGE')",
        "has_sequence_privilege('orders', 'USAGE')",
        "has_sequence_privilege('nosuch', 'USAGE')",
        "pg_has_role('somebody', 'USAGE')",
        "'somebody'::regrole",
        "'nosuch'::regtype",
        "'pg_class'::regtype",
    ] {
        let sql = format!("SELECT {refused}");
        assert!(
            run_with(&Arc::default(), &sql, &[]).await.is_err(),
            "{refused}"
        );
    }
}

#[test]
fn pg_catalog_is_searched_first_unless_the_path_names_it() {
    for (path, searched) in [
        (vec![], vec!["pg_catalog"]),
        (vec!["curated"], vec!["pg_catalog", "curated"]),
        (vec!["curated", "pg_catalog"], vec!["curated", "pg_catalog"]),
    ] {
        let session = SessionInfo {
            search_path: path.into_iter().map(str::to_owned).collect(),
            ..session()
        };
        let lookup = Lookup::complete(Arc::new(sample()), Arc::new(session));
        assert_eq!(lookup.search_path().collect::<Vec<_>>(), searched);
    }
}
