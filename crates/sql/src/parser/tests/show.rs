//! SHOW and DESCRIBE.

use super::*;
use crate::ast::*;

#[test]
fn shows_of_the_catalog_take_patterns_and_databases() {
    let like = |text: &str| Some(text.to_owned());
    for (sql, expected) in [
        (
            "SHOW DATABASES",
            Statement::ShowDatabases(ShowDatabases {
                catalog: None,
                like: None,
            }),
        ),
        (
            "SHOW SCHEMAS LIKE 'a*|b*'",
            Statement::ShowDatabases(ShowDatabases {
                catalog: None,
                like: like("a*|b*"),
            }),
        ),
        (
            "show tables",
            Statement::ShowTables(ShowTables {
                database: None,
                pattern: None,
            }),
        ),
        (
            "SHOW TABLES IN `D` '.*x'",
            Statement::ShowTables(ShowTables {
                database: Some(DatabaseName::bare("d")),
                pattern: like(".*x"),
            }),
        ),
        (
            "SHOW TABLES FROM d LIKE \"x*\"",
            Statement::ShowTables(ShowTables {
                database: Some(DatabaseName::bare("d")),
                pattern: like("x*"),
            }),
        ),
        (
            "SHOW VIEWS IN d LIKE 'x'",
            Statement::ShowViews(ShowViews {
                database: Some(DatabaseName::bare("d")),
                pattern: like("x"),
            }),
        ),
        (
            "SHOW COLUMNS FROM t IN d",
            Statement::ShowColumns(ShowColumns {
                table: TableName::in_database("d", "t"),
                like: None,
            }),
        ),
        (
            "SHOW COLUMNS IN d.t LIKE '%id'",
            Statement::ShowColumns(ShowColumns {
                table: TableName::in_database("d", "t"),
                like: like("%id"),
            }),
        ),
        (
            "SHOW CREATE TABLE d.t",
            Statement::ShowCreateTable(ShowCreateTable {
                table: TableName::in_database("d", "t"),
            }),
        ),
        (
            "SHOW TBLPROPERTIES t ('a.B')",
            Statement::ShowTblProperties(ShowTblProperties {
                table: TableName::bare("t"),
                key: like("a.B"),
            }),
        ),
        (
            "SHOW DATABASES IN AwsDataCatalog 'x'",
            Statement::ShowDatabases(ShowDatabases {
                catalog: like("awsdatacatalog"),
                like: like("x"),
            }),
        ),
        (
            "SHOW FUNCTIONS",
            Statement::ShowFunctions(ShowFunctions { like: None }),
        ),
        (
            "SHOW FUNCTIONS LIKE 'array*'",
            Statement::ShowFunctions(ShowFunctions {
                like: like("array*"),
            }),
        ),
    ] {
        assert_eq!(one(sql), expected, "{sql}");
    }
    assert!(
        error("SHOW COLUMNS IN d.t IN e")
            .message
            .contains("two databases")
    );
}

#[test]
fn show_partitions_takes_a_filter() {
    let Statement::ShowPartitions(shown) = one("SHOW PARTITIONS d.t PARTITION (a = 'x', b > 5)")
    else {
        panic!()
    };
    let filter = shown.filter.unwrap();
    assert_eq!(filter.conditions.len(), 2);
    assert_eq!(filter.conditions[1].op, CompareOp::Gt);
    assert!(matches!(one("SHOW PARTITIONS t"), Statement::ShowPartitions(s) if s.filter.is_none()));
}

#[test]
fn describe_takes_partitions_columns_and_fields() {
    let described = |sql: &str| match one(sql) {
        Statement::Describe(described) => described,
        other => panic!("{other:?}"),
    };
    let plain = described("DESCRIBE d.t");
    assert_eq!(plain.detail, DescribeDetail::Plain);
    assert!(plain.partition.is_none() && plain.column.is_empty());
    let full = described("DESC FORMATTED `d`.`t` PARTITION (a='x') C.d.'$elem$'");
    assert_eq!(full.detail, DescribeDetail::Formatted);
    assert!(full.partition.is_some());
    assert_eq!(full.column, ["c", "d", "$elem$"]);
    assert_eq!(
        described("DESCRIBE EXTENDED t").detail,
        DescribeDetail::Extended
    );
    assert_eq!(
        described("DESCRIBE extended").table,
        TableName::bare("extended")
    );
    assert_eq!(described("DESCRIBE TABLE t").table, TableName::bare("t"));
}

#[test]
fn settings_and_things_of_one_name_are_told_apart() {
    assert_eq!(
        one("SHOW workgroup"),
        Statement::Show(Show::Setting("workgroup".to_owned()))
    );
    assert!(matches!(one("SHOW WORKGROUP w"), Statement::ShowWorkgroup(s) if !s.create));
    assert!(matches!(one("SHOW CREATE WORKGROUP w"), Statement::ShowWorkgroup(s) if s.create));
    assert_eq!(one("SHOW WORKGROUPS"), Statement::ShowWorkgroups);
    assert_eq!(
        one("SHOW role"),
        Statement::Show(Show::Setting("role".to_owned()))
    );
}

#[test]
fn listings_of_trino_are_queries() {
    for (sql, expected) in [
        (
            "SHOW CATALOGS",
            "SELECT current_catalog AS \"Catalog\" ORDER BY 1",
        ),
        (
            "SHOW CATALOGS LIKE 'a''%'",
            "SELECT current_catalog AS \"Catalog\" WHERE current_catalog LIKE 'a''%' ORDER BY 1",
        ),
    ] {
        assert_eq!(query(sql), expected, "{sql}");
    }
    assert!(query("SHOW SESSION LIKE 'dialect'").ends_with("WHERE name LIKE 'dialect' ORDER BY 1"));
    assert!(query("show session").contains("FROM pg_catalog.pg_settings"));
}
