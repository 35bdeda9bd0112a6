//! ALTER TABLE, of columns and of partitions.

use super::*;
use crate::ast::*;

#[test]
fn columns_are_added_as_postgres_writes_it() {
    let added = |sql: &str| match one(sql) {
        Statement::AlterTableAddColumns(added) => added,
        other => panic!("{sql}: {other:?}"),
    };
    for (sql, names, if_not_exists) in [
        ("ADD COLUMN a int", ["a"].as_slice(), false),
        ("ADD a int", ["a"].as_slice(), false),
        ("ADD COLUMN IF NOT EXISTS a text", ["a"].as_slice(), true),
        ("ADD IF NOT EXISTS a text", ["a"].as_slice(), true),
        (
            "ADD COLUMN a int, ADD b text COLLATE \"C\", ADD COLUMN c date",
            ["a", "b", "c"].as_slice(),
            false,
        ),
    ] {
        let found = added(&format!("ALTER TABLE t {sql}"));
        let found_names: Vec<&str> = found.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            (found_names.as_slice(), found.if_not_exists),
            (names, if_not_exists),
            "{sql}"
        );
        assert!(found.sql_types, "{sql}");
    }
    assert!(!added("ALTER TABLE t ADD COLUMNS (a int)").sql_types);
    assert!(said("ALTER TABLE t ADD a int, ADD IF NOT EXISTS b int").contains("IF NOT EXISTS"));
    assert!(matches!(
        one("ALTER TABLE t ADD IF NOT EXISTS PARTITION (a = 1)"),
        Statement::AlterTableAddPartitions(_)
    ));
    assert!(refused("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)").contains("CONSTRAINT"));
    assert!(refused("ALTER TABLE t ADD UNIQUE (a)").contains("CONSTRAINT"));
}

#[test]
fn partitions_are_added_with_values_of_every_kind() {
    let Statement::AlterTableAddPartitions(added) = one(
        "ALTER TABLE d.t ADD IF NOT EXISTS PARTITION (a='x', B = 5, c = DATE '2024-01-01') LOCATION 's3://b/1/'
         PARTITION (a=\"y\", b=-1, c=NULL), PARTITION (a=us, b=true, c=TIMESTAMP '2024-01-01 00:00:00')",
    ) else {
        panic!()
    };
    assert!(added.if_not_exists);
    let values: Vec<Vec<_>> = added
        .partitions
        .iter()
        .map(|p| {
            p.spec
                .values
                .iter()
                .map(|v| (v.key.as_str(), v.value.as_deref()))
                .collect()
        })
        .collect();
    assert_eq!(
        values[0],
        [
            ("a", Some("x")),
            ("b", Some("5")),
            ("c", Some("2024-01-01"))
        ]
    );
    assert_eq!(
        values[1],
        [("a", Some("y")), ("b", Some("-1")), ("c", None)]
    );
    assert_eq!(
        values[2],
        [
            ("a", Some("us")),
            ("b", Some("true")),
            ("c", Some("2024-01-01 00:00:00"))
        ]
    );
    assert_eq!(added.partitions[0].location.as_deref(), Some("s3://b/1/"));
    assert_eq!(added.partitions[1].location, None);
}

#[test]
fn partitions_are_dropped_by_value_and_by_comparison() {
    let Statement::AlterTableDropPartitions(dropped) = one(
        "ALTER TABLE t DROP IF EXISTS PARTITION (dt < '2024-01-01', r != 'x'), PARTITION (dt >= '2025-01-01'), PARTITION (a=1)",
    ) else {
        panic!()
    };
    assert!(dropped.if_exists);
    let first: Vec<_> = dropped.filters[0]
        .conditions
        .iter()
        .map(|c| (c.key.as_str(), c.op))
        .collect();
    assert_eq!(first, [("dt", CompareOp::Lt), ("r", CompareOp::NotEq)]);
    assert_eq!(dropped.filters[1].conditions[0].op, CompareOp::GtEq);
    assert_eq!(dropped.filters[2].conditions[0].op, CompareOp::Eq);
    assert!(said("ALTER TABLE t DROP PARTITION (a < NULL)").contains("NULL"));
    assert!(said("ALTER TABLE t ADD PARTITION (a < 1)").contains("expected \"=\""));
}

#[test]
fn alter_table_takes_its_other_forms() {
    let t = TableName::bare("t");
    let Statement::AlterTableRenamePartition(renamed) =
        one("ALTER TABLE t PARTITION (a='x') RENAME TO PARTITION (a='y')")
    else {
        panic!()
    };
    assert_eq!(renamed.from.values[0].value.as_deref(), Some("x"));
    assert_eq!(renamed.to.values[0].value.as_deref(), Some("y"));
    let Statement::AlterTableAddColumns(added) =
        one("ALTER TABLE t PARTITION (a='x') ADD COLUMNS (b array<int> COMMENT 'c', d date)")
    else {
        panic!()
    };
    assert!(added.partition.is_some() && added.columns.len() == 2);
    assert!(
        matches!(one("ALTER TABLE t REPLACE COLUMNS (b int)"), Statement::AlterTableReplaceColumns(r) if r.table == t)
    );
    assert!(matches!(
        one("ALTER TABLE t SET TBLPROPERTIES ('a'='b')"),
        Statement::AlterTableSetProperties(_)
    ));
    assert!(matches!(
        one("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('a', \"b\")"),
        Statement::AlterTableUnsetProperties(u) if u.if_exists && u.keys == ["a", "b"]
    ));
    assert!(matches!(
        one("ALTER TABLE t PARTITION (a=1) SET LOCATION 's3://b/'"),
        Statement::AlterTableSetLocation(s) if s.partition.is_some() && s.location == "s3://b/"
    ));
    assert!(matches!(
        one("ALTER TABLE t SET SERDEPROPERTIES ('field.delim' = '\\t')"),
        Statement::AlterTableSetSerdeProperties(s) if s.class.is_none() && s.properties[0].1 == "\t"
    ));
    assert!(matches!(
        one("ALTER TABLE t SET SERDE 'c' WITH SERDEPROPERTIES ('a'='b')"),
        Statement::AlterTableSetSerdeProperties(s) if s.class.as_deref() == Some("c")
    ));
    assert!(matches!(
        one("ALTER TABLE a.t RENAME TO a.u"),
        Statement::AlterTableRename(r) if r.new_name.table == "u"
    ));
    for change in [
        "RENAME TO u",
        "ADD COLUMNS (b int)",
        "DROP PARTITION (a = 1)",
        "PARTITION (a = 1) SET LOCATION 's3://b/'",
    ] {
        let Statement::AlterTableIfExists(altered) =
            one(&format!("ALTER TABLE IF EXISTS t {change}"))
        else {
            panic!("{change}")
        };
        assert_eq!(altered.table, t);
        assert_eq!(*altered.change, one(&format!("ALTER TABLE t {change}")));
    }
    assert!(refused("ALTER TABLE IF EXISTS t ARCHIVE PARTITION (a = 1)").contains("SET LOCATION"));
}

#[test]
fn one_column_is_changed_in_the_grammars_of_hive_postgres_and_trino() {
    let altered = |sql: &str| match one(sql) {
        Statement::AlterTableColumn(altered) => altered,
        other => panic!("{sql}: {other:?}"),
    };
    let definition = |name: &str, data_type: &str, comment: Option<&str>, place| {
        let column = ColumnDef {
            name: name.into(),
            data_type: data_type.into(),
            comment: comment.map(str::to_owned),
            not_null: false,
        };
        ColumnChange::Definition { column, place }
    };
    for (sql, column, change) in [
        (
            "CHANGE COLUMN A b DECIMAL(10, 2) COMMENT 'c' FIRST CASCADE",
            "a",
            definition("b", "decimal(10,2)", Some("c"), Some(ColumnPlace::First)),
        ),
        (
            "CHANGE a `column` array<int> AFTER C",
            "a",
            definition(
                "column",
                "array<int>",
                None,
                Some(ColumnPlace::After("c".into())),
            ),
        ),
        (
            "RENAME COLUMN a TO b",
            "a",
            ColumnChange::Rename("b".into()),
        ),
        ("RENAME a TO b", "a", ColumnChange::Rename("b".into())),
        (
            "RENAME column TO b",
            "column",
            ColumnChange::Rename("b".into()),
        ),
        (
            "ALTER COLUMN a SET DATA TYPE BIGINT",
            "a",
            ColumnChange::Type("bigint".into()),
        ),
        (
            "ALTER COLUMN a DROP NOT NULL",
            "a",
            ColumnChange::DropNotNull,
        ),
        (
            "ALTER a TYPE double precision",
            "a",
            ColumnChange::Type("double".into()),
        ),
        ("DROP COLUMN a CASCADE", "a", ColumnChange::Drop),
    ] {
        let found = altered(&format!("ALTER TABLE d.t {sql}"));
        assert_eq!(found.table, TableName::in_database("d", "t"), "{sql}");
        assert_eq!(
            (found.column.as_str(), &found.change),
            (column, &change),
            "{sql}"
        );
        assert!(!found.if_exists && found.partition.is_none(), "{sql}");
    }
    assert!(altered("ALTER TABLE t DROP COLUMN IF EXISTS a").if_exists);
    assert!(altered("ALTER TABLE t RENAME COLUMN IF EXISTS a TO b").if_exists);
    let of_partition = altered("ALTER TABLE t PARTITION (p = 1) CHANGE a a INT");
    assert!(of_partition.partition.is_some());
    assert!(matches!(
        one("ALTER TABLE t ADD COLUMN a INT COMMENT 'c'"),
        Statement::AlterTableAddColumns(added) if added.columns.len() == 1
    ));
    assert!(said("ALTER TABLE t CHANGE a b").contains("a type"));
    assert!(said("ALTER TABLE t ALTER a").contains("TYPE"));
}
