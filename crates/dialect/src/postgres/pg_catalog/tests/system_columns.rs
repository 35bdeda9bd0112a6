//! System columns, and the numbers of states of the catalog.

use super::*;

#[tokio::test]
async fn rows_of_tables_have_system_columns() {
    let rows = run(
        "SELECT c.xmin, c.ctid, c.cmin, c.cmax, c.xmax, age(c.xmin), c.tableoid \
         FROM pg_class c WHERE c.relname IN ('orders', 'pg_class') ORDER BY c.oid",
    );
    assert_eq!(
        rows.await,
        [
            ["1", "(1259,1)", "0", "0", "0", "2147483647", "1259"],
            ["9", "(100003,1)", "0", "0", "0", "0", "1259"],
        ]
    );
    let rows = run(
        "SELECT ctid::text, pg_catalog.age(a.xmin), xmin::varchar::bigint \
         FROM pg_attribute a WHERE attrelid = 100003 AND attnum < 3 ORDER BY attnum",
    );
    assert_eq!(
        rows.await,
        [["(100003,2)", "0", "9"], ["(100003,3)", "0", "9"]]
    );
    for (asked, answer) in [
        ("xmin FROM pg_namespace WHERE nspname = 'curated'", "9"),
        ("xmin FROM pg_namespace WHERE nspname = 'pg_catalog'", "1"),
        ("xmin FROM pg_tables", "error"),
        ("xmin FROM information_schema.tables", "error"),
        ("txid_current()", "9"),
        ("txid_snapshot_xmin(txid_current_snapshot())", "10"),
        ("age(1::xid)", "2147483647"),
        ("age(8::xid)", "1"),
        ("pg_catalog.age((datfrozenxid)) FROM pg_database", "0"),
        ("mxid_age(datminmxid) FROM pg_database", "0"),
    ] {
        let rows = run_with(&Arc::default(), &format!("SELECT {asked}"), &[]).await;
        match answer {
            "error" => assert!(rows.is_err(), "{asked}"),
            _ => assert_eq!(rows.unwrap().1, [[answer]], "{asked}"),
        }
    }
}

#[tokio::test]
async fn a_star_without_system_columns_is_read_as_before() {
    let (names, _) = run_with(&Arc::default(), "SELECT * FROM pg_am", &[])
        .await
        .unwrap();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn states_have_increasing_numbers() {
    assert_eq!(SessionInfo::transaction_after(0), 3);
    assert_eq!(SessionInfo::transaction_after(39), 42);
    for many in [u64::from(u32::MAX) - 3, u64::from(u32::MAX), u64::MAX] {
        let transaction = SessionInfo::transaction_after(many);
        assert!(u32::try_from(transaction).is_ok() && transaction >= 3);
    }
}

#[tokio::test]
async fn types_tell_of_rows_and_domains() {
    let rows = run(
        "SELECT c.relname, t.typname, t.typtype, t.typrelid = c.oid \
         FROM pg_class c JOIN pg_type t ON t.oid = c.reltype WHERE c.oid > 16383 ORDER BY 1",
    );
    assert_eq!(
        rows.await,
        [
            ["daily_sales", "daily_sales", "c", "true"],
            ["orders", "orders", "c", "true"],
            ["users", "users", "c", "true"],
            ["v", "v", "c", "true"],
        ]
    );
    // Each relation has a type of its rows, which has a type of arrays.
    let rows = run(
        "SELECT count(*) = (SELECT count(*) FROM pg_class), count(DISTINCT t.oid) = count(*), count(DISTINCT a.oid) = count(*) \
         FROM pg_class c JOIN pg_type t ON t.oid = c.reltype AND t.typrelid = c.oid \
         JOIN pg_type a ON a.oid = t.typarray AND a.typelem = t.oid",
    );
    assert_eq!(rows.await, [["true", "true", "true"]]);
    let rows = run(
        "SELECT a.typname, a.typtype, a.typcategory, a.typelem, a.typrelid, e.typname \
         FROM pg_type a JOIN pg_type e ON e.oid = a.typelem WHERE a.typname IN ('_users', '_pg_class') ORDER BY 1",
    );
    assert_eq!(
        rows.await,
        [
            ["_pg_class", "b", "A", "83", "0", "pg_class"],
            ["_users", "b", "A", "2000025002", "0", "users"],
        ]
    );
    let rows = run(
        "SELECT typname, format_type(typbasetype, NULL), format_type(oid, NULL) \
         FROM pg_type WHERE typtype = 'd' ORDER BY 1",
    );
    assert_eq!(
        rows.await[0],
        [
            "cardinal_number",
            "integer",
            "information_schema.cardinal_number"
        ]
    );
    for (asked, answer) in [
        ("7::information_schema.cardinal_number", "7"),
        ("'x'::information_schema.yes_or_no", "x"),
        (
            "information_schema._pg_numeric_precision(1700, 655366)",
            "10",
        ),
        ("information_schema._pg_numeric_scale(1700, 655366)", "2"),
        (
            "information_schema._pg_numeric_precision_radix(23, -1)",
            "2",
        ),
        ("information_schema._pg_char_max_length(1043, 14)", "10"),
        (
            "information_schema._pg_char_octet_length(25, -1)",
            "1073741824",
        ),
        ("information_schema._pg_datetime_precision(1114, -1)", "6"),
        ("information_schema._pg_datetime_precision(1184, 3)", "3"),
        ("96::regoperator", "=(integer,integer)"),
        ("96::regoper", "pg_catalog.="),
        ("0::regoperator", "0"),
        ("950::regcollation", "\"C\""),
        ("pg_stat_get_live_tuples(100003)", "0"),
        ("pg_stat_get_last_vacuum_time(100003)", "NULL"),
        ("acldefault('r', 10)", "[lakegate=arwdDxt/lakegate]"),
        ("acldefault('s', 10)", "[lakegate=rwU/lakegate]"),
        (
            "acldefault('d', 10)",
            "[=Tc/lakegate, lakegate=CTc/lakegate]",
        ),
        ("ARRAY['a', 'b'] @> '{a}'", "true"),
        ("ARRAY['a', 'b'] <@ '{a}'", "false"),
    ] {
        assert_eq!(run(&format!("SELECT {asked}")).await, [[answer]], "{asked}");
    }
}

#[tokio::test]
async fn functions_without_rows_have_their_columns() {
    for (sql, columns) in [
        ("SELECT * FROM pg_available_extensions()", 3),
        (
            "SELECT e.c FROM pg_catalog.pg_available_extensions() e(a, b, c)",
            1,
        ),
        ("SELECT * FROM pg_options_to_table(ARRAY['a=b'])", 2),
        ("SELECT relid, level FROM pg_partition_tree(100003)", 2),
        ("SELECT pg_am.* FROM pg_am WHERE false", 4),
        (
            "SELECT schemata.* FROM information_schema.schemata WHERE false",
            7,
        ),
    ] {
        let (names, rows) = run_with(&Arc::default(), sql, &[]).await.unwrap();
        assert_eq!((names.len(), rows.len()), (columns, 0), "{sql}");
    }
}
