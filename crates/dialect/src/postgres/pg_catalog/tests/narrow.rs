//! What is read of the catalog for a query, by its joins.

use super::*;

fn named(name: &str) -> Texts {
    Texts::These([name.to_owned()].into())
}

#[tokio::test]
async fn conditions_pass_through_joins() {
    let of_users = Pins {
        tables: vec![named("users")],
        ..Pins::default()
    };
    let by_pattern = Pins {
        tables: vec![Texts::Like("user_".to_owned())],
        ..Pins::default()
    };
    let in_curated = Pins {
        databases: vec![named("curated")],
        tables: vec![named("users")],
        ..Pins::default()
    };
    for (sql, parameters, expected) in [
        (
            "SELECT a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'users'",
            vec![],
            &of_users,
        ),
        (
            "SELECT a.attname FROM pg_class c, pg_attribute a WHERE c.oid = a.attrelid AND c.relname = $1",
            vec!["users"],
            &of_users,
        ),
        (
            "SELECT a.attname FROM pg_class c LEFT JOIN pg_attribute a ON c.oid = a.attrelid AND a.attnum > 0 \
             WHERE c.relname ~ '^(users)$'",
            vec![],
            &of_users,
        ),
        (
            "SELECT a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname LIKE 'user_'",
            vec![],
            &by_pattern,
        ),
        (
            "SELECT a.attname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
             JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = 'curated' AND c.relname = 'users'",
            vec![],
            &in_curated,
        ),
    ] {
        let (rows, columns) = columns_asked(sql, &parameters).await;
        assert_eq!(rows, [["user_id"]], "{sql}");
        assert_eq!(columns.len(), 1, "{sql}");
        let Columns::Of(pins) = &columns[0] else {
            panic!("{sql}: {columns:?}")
        };
        assert_eq!(pins.tables, expected.tables, "{sql}");
        assert_eq!(pins.databases, expected.databases, "{sql}");
    }
}

#[tokio::test]
async fn rows_that_may_be_needed_are_read() {
    for (sql, expected) in [
        // The attributes of all relations are counted.
        (
            "SELECT count(a.attname) > 10 FROM pg_attribute a LEFT JOIN pg_class c ON a.attrelid = c.oid AND c.relname = 'users'",
            vec!["true"],
        ),
        (
            "SELECT count(*) > 10 FROM (SELECT oid FROM pg_class WHERE relname = 'users') c \
             FULL JOIN pg_attribute a ON a.attrelid = c.oid",
            vec!["true"],
        ),
        // The first attribute of all is not one of the table's.
        (
            "SELECT count(*) FROM pg_class c JOIN (SELECT attrelid FROM pg_attribute ORDER BY attrelid LIMIT 1) a \
             ON a.attrelid = c.oid WHERE c.relname = 'users'",
            vec!["0"],
        ),
        (
            "SELECT count(*) FROM pg_class c WHERE c.relname IN ('users', 'orders') \
             AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid)",
            vec!["0"],
        ),
    ] {
        assert_eq!(run(sql).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn two_readings_of_a_relation_are_restricted_one_by_one() {
    let sql = "SELECT a.attname, b.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
               JOIN pg_attribute b ON b.attnum = a.attnum AND b.attrelid = 100005 \
               WHERE c.relname = 'orders' AND a.attnum = 1";
    let (rows, columns) = columns_asked(sql, &[]).await;
    assert_eq!(rows, [["order_id", "user_id"]]);
    assert_eq!(columns.len(), 2);
    // What is read for one is not read for the other.
    assert!(
        columns.iter().any(|asked| *asked != Columns::All),
        "{columns:?}"
    );
}

/// Runs a query, which answers with these many rows and reads these tables, and the columns of
/// these.
async fn reads(sql: &str, rows: usize, loaded: &[&str], described: &[&str]) {
    let source: Arc<Sample> = Arc::default();
    let (_, found) = run_with(&source, sql, &[]).await.unwrap();
    assert_eq!(found.len(), rows, "{sql}: {found:?}");
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(&source.loaded.lock()), loaded, "{sql}");
    assert_eq!(names(&source.described.lock()), described, "{sql}");
}

#[tokio::test]
async fn questions_about_one_table_read_one_table() {
    let questions: &[(&str, usize, &[&str], &[&str])] = &[
        // psql's `\d`: the table, its kind, its columns.
        (
            "SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default \
             AND n.nspname OPERATOR(pg_catalog.~) '^(curated)$' COLLATE pg_catalog.default",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT c.relkind, tc.relname FROM pg_class c LEFT JOIN pg_class tc ON c.reltoastrelid = tc.oid \
             LEFT JOIN pg_am am ON c.relam = am.oid WHERE c.oid = '100005'",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT a.attname, (SELECT pg_get_expr(d.adbin, d.adrelid, true) FROM pg_attrdef d \
             WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) FROM pg_attribute a \
             WHERE a.attrelid = '100005' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            1,
            &["users"],
            &["users"],
        ),
        // One table with its columns; its description says whether another one hides it.
        (
            "SELECT pg_identify_object(1259, 100005, 1)",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT pg_describe_object(1259, 100005, 1)",
            1,
            &["daily_sales", "orders", "users", "v"],
            &["users"],
        ),
        // SQLAlchemy's columns: a subquery that is about the rows of several relations.
        (
            "SELECT a.attname, (SELECT pg_get_expr(f.adbin, f.adrelid) FROM pg_attrdef f \
             WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.atthasdef), e.description \
             FROM pg_class c LEFT JOIN pg_attribute a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped \
             LEFT JOIN pg_description e ON e.objoid = a.attrelid AND e.objsubid = a.attnum \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = ANY (ARRAY['r', 'v']) AND c.relname IN ('users') AND n.nspname = 'curated'",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT b.attname FROM pg_attribute a JOIN pg_attribute b ON a.attrelid = b.attrelid WHERE a.attrelid = 100005",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT attname FROM pg_attribute WHERE attrelid = ANY (ARRAY[100005, 7])",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT attname FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relname = 'users')",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT t.typname FROM pg_type t WHERE t.typrelid = 100005",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT description FROM pg_description WHERE objoid = 100003 AND objsubid = 0",
            1,
            &["orders"],
            &[],
        ),
        // The table may be known by the query itself.
        (
            "SELECT a.attname FROM (VALUES (100005), (7)) AS t(oid) JOIN pg_attribute a ON a.attrelid = t.oid",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT a.attname FROM unnest(ARRAY[100005, 7]) AS t(oid) JOIN pg_attribute a ON a.attrelid = t.oid",
            1,
            &["users"],
            &["users"],
        ),
        // Types of rows are those of tables.
        ("SELECT typname FROM pg_type WHERE oid = 25", 1, &[], &[]),
        (
            "SELECT t.typname FROM pg_type t WHERE t.typname IN ('int4', 'users')",
            2,
            &["users"],
            &[],
        ),
        (
            "SELECT t.typname FROM pg_class c JOIN pg_type t ON t.typrelid = c.oid WHERE c.relname = 'users'",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT t.typname FROM pg_class c JOIN pg_type t ON t.oid = c.reltype WHERE c.relname = 'users'",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT e.typname FROM pg_type t JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = 1007",
            1,
            &[],
            &[],
        ),
        (
            "SELECT e.typname FROM pg_type t JOIN pg_type e ON e.oid = t.typelem WHERE t.typname = '_users'",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT a.typname FROM pg_class c JOIN pg_type t ON t.oid = c.reltype JOIN pg_type a ON a.oid = t.typarray \
             WHERE c.relname = 'users'",
            1,
            &["users"],
            &[],
        ),
        // asyncpg asks for types by number.
        (
            "SELECT t.typname FROM pg_type t WHERE t.oid = ANY (ARRAY[1009, 2000025002])",
            2,
            &["users"],
            &[],
        ),
        (
            "SELECT t.typname, e.typname FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid IN (1009, 1007)",
            2,
            &[],
            &[],
        ),
        // The type of a column is made of the rows of no table, and so are those of its items.
        (
            "SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_type e ON e.oid = t.typelem WHERE a.attrelid = 100005",
            1,
            &["users"],
            &["users"],
        ),
        // Functions look up what they are called for.
        (
            "SELECT c.oid::regclass FROM pg_class c WHERE c.relname ~ '^(users)$' AND pg_table_is_visible(c.oid)",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid = '100005' AND has_table_privilege(c.oid, 'SELECT')",
            1,
            &["users"],
            &[],
        ),
        (
            "SELECT c.oid::regclass FROM pg_class c, pg_inherits i WHERE c.oid = i.inhparent AND i.inhrelid = '100005'",
            0,
            &[],
            &[],
        ),
        (
            "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass",
            1,
            &["users"],
            &["users"],
        ),
        (
            "SELECT has_table_privilege('curated.users', 'SELECT'), obj_description('users'::regclass, 'pg_class')",
            1,
            &["users"],
            &[],
        ),
    ];
    for (sql, rows, loaded, described) in questions {
        reads(sql, *rows, loaded, described).await;
    }
}

#[tokio::test]
async fn types_of_columns_need_no_tables() {
    let source: Arc<Sample> = Arc::default();
    let sql = "SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               WHERE a.attrelid = 100003 AND a.attnum = 2";
    let (_, rows) = run_with(&source, sql, &[]).await.unwrap();
    assert_eq!(rows, [["int4"]]);
    let asked = source.asked.lock();
    assert!(
        asked.iter().any(|needs| needs.tables == Pins::none()),
        "{asked:?}"
    );
}

#[tokio::test]
async fn names_in_literals_are_looked_up_alone() {
    let names = |names: &[&str]| Pins {
        tables: vec![Texts::These(
            names.iter().map(|&name| name.to_owned()).collect(),
        )],
        ..Pins::default()
    };
    let of_id = Pins {
        table_ids: Some([1].into()),
        ..Pins::default()
    };
    for (sql, expected, tables) in [
        (
            "SELECT 'orders'::regclass, 'analytics.v'::regclass::text, to_regclass('nosuch')",
            vec!["orders", "analytics.v", "NULL"],
            vec![names(&["nosuch", "orders", "v"])],
        ),
        (
            "SELECT '100003'::regclass, 25::regtype",
            vec!["orders", "text"],
            // Another table of its name may come before it.
            vec![of_id, names(&["orders"])],
        ),
        (
            "SELECT concat('or', 'ders')::regclass, 'analytics.v'::regclass::oid = 1",
            vec!["orders", "false"],
            vec![Pins::default()],
        ),
        ("SELECT 25::regtype", vec!["text"], vec![]),
    ] {
        let source: Arc<Sample> = Arc::default();
        let (_, rows) = run_with(&source, sql, &[]).await.unwrap();
        assert_eq!(rows, [expected], "{sql}");
        let asked = source.asked.lock();
        // Databases and roles come first.
        assert_eq!(asked[0].tables, Pins::none(), "{sql}");
        let of_tables: Vec<&Pins> = asked[1..].iter().map(|needs| &needs.tables).collect();
        assert_eq!(of_tables, tables.iter().collect::<Vec<_>>(), "{sql}");
    }
}

#[tokio::test]
async fn functions_of_many_tables_look_up_all_of_them() {
    for (sql, expected) in [
        (
            "SELECT count(*) FROM (SELECT oid FROM pg_class) c WHERE c.oid > 99999 AND pg_table_is_visible(c.oid)",
            "2",
        ),
        // What a table is called in a column is not known before it runs.
        (
            "SELECT count(to_regclass(nspname || '.users')) FROM pg_namespace",
            "1",
        ),
        // The argument is constant only once the plan is optimised.
        (
            "SELECT pg_table_is_visible(t.oid) FROM (SELECT 100000 + 5 AS oid) t",
            "true",
        ),
        (
            "SELECT pg_table_is_visible(t.oid) FROM (SELECT 100009 AS oid) t",
            "false",
        ),
    ] {
        assert_eq!(run(sql).await, [[expected]], "{sql}");
    }
}

#[tokio::test]
async fn the_columns_of_many_tables_are_read_in_parts() {
    for (relation, key) in [
        ("pg_attribute", "attrelid"),
        ("information_schema.columns", "table_name"),
    ] {
        let source: Arc<Sample> = Arc::default();
        let sql = format!("SELECT {key} FROM {relation}");
        let (_, rows) = run_with(&source, &sql, &[]).await.unwrap();
        let asked: Vec<Columns> = {
            let asked = source.asked.lock();
            let columns = asked.iter().map(|needs| needs.columns.clone());
            columns
                .filter(|columns| *columns != Columns::None)
                .collect()
        };
        // Those of the system, and two at a time.
        let of = |ids: &[i64]| {
            Columns::Of(Pins {
                table_ids: Some(ids.iter().copied().collect()),
                ..Pins::default()
            })
        };
        assert_eq!(asked, [of(&[]), of(&[1, 2]), of(&[3, 4])], "{relation}");
        // Each once, in their order.
        let all = run(&format!("SELECT count(*) FROM {relation}")).await;
        assert_eq!(all, [[rows.len().to_string()]], "{relation}");
        let of_lake = match key {
            "attrelid" => ["100003", "100005", "100007", "100009"],
            _ => ["orders", "users", "v", "daily_sales"],
        };
        let mut keys: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        keys.dedup();
        assert!(keys.ends_with(&of_lake), "{relation}: {keys:?}");
    }
}

#[tokio::test]
async fn queries_about_few_tables_read_few_rows() {
    let source: Arc<Sample> = Arc::default();
    for (sql, few) in [
        ("SELECT relname FROM pg_class WHERE relname = 'users'", true),
        (
            "SELECT relname FROM pg_class WHERE oid IN (100001, 100003)",
            true,
        ),
        ("SELECT nspname FROM pg_namespace", true),
        (
            "SELECT a.attname, t.typname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             JOIN pg_type t ON t.oid = a.atttypid WHERE c.relname = 'users'",
            true,
        ),
        (
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'users'",
            true,
        ),
        ("SELECT relname FROM pg_class", false),
        (
            "SELECT relname FROM pg_class WHERE relname LIKE 'user%'",
            false,
        ),
        ("SELECT attname FROM pg_attribute WHERE attnum = 1", false),
        (
            "SELECT c.relname FROM pg_class c, pg_class o WHERE o.relname = 'users' AND c.oid > o.oid",
            false,
        ),
        ("SELECT proname FROM pg_proc", false),
        ("SELECT 1", false),
    ] {
        let (plan, ..) = planned_with(&source, sql, &[]).await.unwrap();
        assert_eq!(reads_few_rows(&plan).unwrap(), few, "{sql}");
    }
}
