use super::*;

#[test]
fn view_is_parsed_with_its_text_as_written() {
    let view_of = |sql: &str| match one(sql) {
        Statement::CreateView(create) => create,
        other => panic!("{sql}: {other:?}"),
    };
    let view = view_of("CREATE VIEW Sales.V AS\n  SELECT  a FROM \"T\" -- all\n  WHERE b = 1");
    assert_eq!(view.name.to_string(), "sales.v");
    assert_eq!(view.text, "SELECT  a FROM \"T\" -- all\n  WHERE b = 1");
    assert!(!view.or_replace && !view.if_not_exists && !view.runs_as_invoker);
    let view = view_of(
        "create or replace view v (A, b) comment 'c' security invoker as with x as (select 1, 2) select * from x",
    );
    assert_eq!(view.columns, ["a", "b"]);
    assert_eq!(view.comment.as_deref(), Some("c"));
    assert!(view.or_replace && view.runs_as_invoker);
    assert!(view_of("CREATE VIEW IF NOT EXISTS v AS VALUES 1").if_not_exists);
    assert_eq!(view_of("CREATE VIEW v AS (SELECT 1)").text, "(SELECT 1)");
}

#[test]
fn views_of_a_session_are_temporary() {
    let view_of = |sql: &str| match one(sql) {
        Statement::CreateView(create) => create,
        other => panic!("{sql}: {other:?}"),
    };
    for (sql, or_replace) in [
        ("CREATE TEMP VIEW v AS SELECT 1", false),
        ("create temporary view v (a) as select 1", false),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", true),
        ("CREATE LOCAL TEMPORARY VIEW v AS SELECT 1", false),
        ("CREATE GLOBAL TEMP VIEW v AS SELECT 1", false),
        ("CREATE VIEW pg_temp.v AS SELECT 1", false),
        ("CREATE TEMP VIEW v SECURITY DEFINER AS SELECT 1", false),
    ] {
        let view = view_of(sql);
        assert!(view.temporary && view.runs_as_invoker, "{sql}");
        assert_eq!((view.or_replace, &*view.name.table), (or_replace, "v"));
        assert!(one(sql).makes_temporary() && !one(sql).is_kept_for_commit());
        assert!(one(sql).is_refused_read_only());
    }
    assert!(!view_of("CREATE VIEW v AS SELECT 1").temporary);
    for sql in [
        "CREATE TEMP v AS SELECT 1",
        "CREATE LOCAL VIEW v AS SELECT 1",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn what_is_no_view_is_refused_by_name() {
    for (sql, what) in [
        (
            "CREATE MATERIALIZED VIEW v AS SELECT 1",
            "CREATE MATERIALIZED VIEW",
        ),
        (
            "CREATE PROTECTED MULTI DIALECT VIEW v SECURITY DEFINER AS SELECT 1",
            "CREATE PROTECTED MULTI DIALECT VIEW",
        ),
        ("ALTER VIEW v DROP DIALECT", "ALTER VIEW"),
    ] {
        match one(sql) {
            Statement::Unsupported(refused) => assert_eq!(refused.what, what, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in [
        "CREATE VIEW v",
        "CREATE VIEW v AS",
        "CREATE VIEW v AS SHOW TABLES",
        "CREATE VIEW v AS INSERT INTO t VALUES 1",
        "CREATE VIEW v SECURITY AS SELECT 1",
        "DROP VIEW",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn views_are_renamed() {
    let Statement::AlterTableRename(rename) = one("ALTER VIEW a.v RENAME TO w") else {
        panic!("not a rename");
    };
    assert_eq!(rename.table.to_string(), "a.v");
    assert_eq!(rename.new_name.table, "w");
    assert!(rename.only_view);
    assert_eq!(one("ALTER VIEW a.v RENAME TO w").tag(), "ALTER VIEW");
    match one("ALTER VIEW IF EXISTS v RENAME TO w") {
        Statement::AlterTableIfExists(alter) => {
            assert!(matches!(*alter.change, Statement::AlterTableRename(_)));
        }
        other => panic!("{other:?}"),
    }
    assert!(crate::parse("ALTER VIEW v RENAME TO").is_err());
}

#[test]
fn views_are_dropped_and_shown() {
    match one("DROP VIEW IF EXISTS a.v") {
        Statement::DropView(drop) => assert!(drop.if_exists && drop.names[0].to_string() == "a.v"),
        other => panic!("{other:?}"),
    }
    match one("DROP VIEW v, w RESTRICT") {
        Statement::DropView(drop) => assert_eq!(drop.names.len(), 2),
        other => panic!("{other:?}"),
    }
    match one("SHOW CREATE VIEW v") {
        Statement::ShowCreateView(show) => assert_eq!(show.view.to_string(), "v"),
        other => panic!("{other:?}"),
    }
}
