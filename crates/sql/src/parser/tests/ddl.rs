//! Every clause of Athena's DDL grammar.

use super::*;
use crate::ast::*;

fn table(sql: &str) -> CreateTable {
    match one(sql) {
        Statement::CreateTable(table) => *table,
        other => panic!("{sql}: {other:?}"),
    }
}

fn properties(list: &[(&str, &str)]) -> Properties {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn create_database_takes_all_its_clauses() {
    let created = |sql: &str| match one(sql) {
        Statement::CreateDatabase(created) => created,
        other => panic!("{other:?}"),
    };
    let full = created(
        "CREATE SCHEMA IF NOT EXISTS `My_DB` COMMENT 'c' LOCATION \"s3://b/\" WITH DBPROPERTIES ('k'='v', \"l\"=\"w\")",
    );
    assert!(full.if_not_exists);
    assert_eq!(full.name, DatabaseName::bare("my_db"));
    assert_eq!(full.comment.as_deref(), Some("c"));
    assert_eq!(full.location.as_deref(), Some("s3://b/"));
    assert_eq!(full.properties, properties(&[("k", "v"), ("l", "w")]));
    assert_eq!(
        created("create database awsdatacatalog.d")
            .name
            .catalog
            .as_deref(),
        Some("awsdatacatalog")
    );
}

#[test]
fn databases_are_dropped_altered_and_used() {
    let Statement::DropDatabase(dropped) = one("DROP SCHEMA IF EXISTS d CASCADE") else {
        panic!()
    };
    assert!(dropped.if_exists && dropped.cascade);
    let Statement::DropDatabase(dropped) = one("DROP DATABASE d RESTRICT") else {
        panic!()
    };
    assert!(!dropped.if_exists && !dropped.cascade);
    let Statement::AlterDatabaseSetProperties(altered) =
        one("ALTER SCHEMA d SET DBPROPERTIES ('K'='V')")
    else {
        panic!()
    };
    assert_eq!(altered.properties, properties(&[("K", "V")]));
    let Statement::Use(used) = one("USE \"Curated\"") else {
        panic!()
    };
    assert_eq!(used.database, DatabaseName::bare("curated"));
    assert!(refused("ALTER DATABASE d SET LOCATION 's3://b/'").contains("SET DBPROPERTIES"));
}

#[test]
fn create_table_takes_the_full_grammar() {
    let full = table(
        "CREATE EXTERNAL TABLE IF NOT EXISTS `Db`.`T` (`A` INT COMMENT 'the a', b string)
         COMMENT 'c' PARTITIONED BY (y INT COMMENT 'year', `m` string) CLUSTERED BY (a, b) SORTED BY (a DESC, b ASC) INTO 8 BUCKETS
         ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY '\\002'
           MAP KEYS TERMINATED BY '\\u0003' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\N'
         STORED AS TEXTFILE LOCATION 's3://b/f/' TBLPROPERTIES ('skip.header.line.count'='1', 'has_encrypted_data'=false, 'n'=5)",
    );
    assert!(full.external && full.if_not_exists);
    assert_eq!(full.name, TableName::in_database("db", "t"));
    assert_eq!(full.columns[0].name, "a");
    assert_eq!(full.columns[0].comment.as_deref(), Some("the a"));
    assert_eq!(full.comment.as_deref(), Some("c"));
    assert_eq!(full.partitioned_by[0].comment.as_deref(), Some("year"));
    assert_eq!(full.partitioned_by[1].name, "m");
    let clustered = full.clustered_by.clone().unwrap();
    assert_eq!(
        (clustered.columns, clustered.buckets),
        (vec!["a".to_owned(), "b".to_owned()], 8)
    );
    let ascending = |table: &CreateTable| -> Vec<bool> {
        let columns = table.sorted_by.iter();
        columns.map(|column| column.ascending).collect()
    };
    assert_eq!(ascending(&full), [false, true]);
    let sorted =
        table("CREATE EXTERNAL TABLE t (a INT, b INT) SORTED BY (b, a DESC) LOCATION 's3://b/'");
    assert_eq!(ascending(&sorted), [true, false]);
    assert_eq!(sorted.clustered_by, None);
    assert_eq!(
        full.row_format,
        Some(RowFormat::Delimited(Delimited {
            fields: Some("\t".to_owned()),
            escaped: Some("\\".to_owned()),
            collection_items: Some("\u{2}".to_owned()),
            map_keys: Some("\u{3}".to_owned()),
            lines: Some("\n".to_owned()),
            null_defined_as: Some("\\N".to_owned()),
        }))
    );
    assert_eq!(
        full.properties,
        properties(&[
            ("skip.header.line.count", "1"),
            ("has_encrypted_data", "false"),
            ("n", "5")
        ])
    );
}

#[test]
fn create_table_takes_serdes_formats_and_any_order() {
    let serde = table(
        "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/' TBLPROPERTIES (\"a\"=\"b\") STORED AS INPUTFORMAT 'i' OUTPUTFORMAT \"o\"
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json'='true', \"q\"=\"\\\"\")",
    );
    assert_eq!(
        serde.row_format,
        Some(RowFormat::SerDe {
            class: "org.openx.data.jsonserde.JsonSerDe".to_owned(),
            properties: properties(&[("ignore.malformed.json", "true"), ("q", "\"")]),
        })
    );
    assert_eq!(
        serde.stored_as,
        Some(StoredAs::InputOutput {
            input: "i".to_owned(),
            output: "o".to_owned()
        })
    );
    for (word, format) in [
        ("SEQUENCEFILE", StorageFormat::SequenceFile),
        ("textfile", StorageFormat::TextFile),
        ("JSONFILE", StorageFormat::JsonFile),
        ("RCFILE", StorageFormat::RcFile),
        ("ORC", StorageFormat::Orc),
        ("PARQUET", StorageFormat::Parquet),
        ("AVRO", StorageFormat::Avro),
        ("ION", StorageFormat::Ion),
    ] {
        let table = table(&format!("CREATE TABLE t (a int) STORED AS {word}"));
        assert_eq!(table.stored_as, Some(StoredAs::Format(format)));
        assert!(!table.external);
    }
    assert!(said("CREATE TABLE t (a int) STORED AS CSV").contains("PARQUET"));
    assert!(
        said("CREATE TABLE t (a int) LOCATION 'a' LOCATION 'b'")
            .contains("LOCATION is given twice")
    );
    assert!(
        error("CREATE TABLE t (a int) PARTITIONED BY (a)")
            .hint
            .unwrap()
            .contains("Iceberg")
    );
    assert!(
        error("CREATE TABLE t (a int) PARTITIONED BY (bucket(16, a))")
            .hint
            .unwrap()
            .contains("Iceberg")
    );
}

#[test]
fn types_are_kept_as_canonical_text() {
    for (written, kept) in [
        ("INT", "int"),
        ("INTEGER", "int"),
        ("DECIMAL ( 10 , 2 )", "decimal(10,2)"),
        ("varchar(20)", "varchar(20)"),
        ("DOUBLE PRECISION", "double"),
        ("ARRAY<STRING>", "array<string>"),
        ("map<string, array<int>>", "map<string,array<int>>"),
        (
            "STRUCT<A:INT COMMENT 'x, y', `b`:Array<Map<String,Decimal(10, 2)>>, `c d`: struct<e:integer>>",
            "struct<a:int,b:array<map<string,decimal(10,2)>>,`c d`:struct<e:int>>",
        ),
        (
            "struct<date:date,comment:string>",
            "struct<date:date,comment:string>",
        ),
        ("timestamp with time zone", "timestamp with time zone"),
        (
            "TIMESTAMP(6) WITHOUT TIME ZONE",
            "timestamp(6) without time zone",
        ),
        ("CHARACTER VARYING(5)", "varchar(5)"),
        ("character varying", "varchar"),
        ("TEXT[]", "array<text>"),
        ("int ARRAY[3]", "array<int>"),
        ("int NULL", "int"),
        ("int NOT NULL", "int"),
        ("int DEFAULT NULL NOT NULL", "int"),
        ("int CONSTRAINT some NOT NULL", "int"),
        ("text COLLATE \"C\" DEFAULT NULL::text", "text"),
        ("text COLLATE pg_catalog.\"default\"", "text"),
        ("TIME(3) WITHOUT TIME ZONE", "time(3) without time zone"),
        ("time with time zone", "time with time zone"),
    ] {
        let sql = format!("CREATE TABLE t (a {written} COMMENT 'c', b int)");
        let table = table(&sql);
        assert_eq!(table.columns[0].data_type, kept);
        assert_eq!(table.columns[0].comment.as_deref(), Some("c"));
        assert_eq!(table.columns[1].data_type, "int");
    }
    for broken in [
        "array<int",
        "array<int>>",
        "struct<a int>",
        "struct<a:int b>",
        "decimal(x)",
        "'int'",
        "",
        "int NOT",
        "int[",
    ] {
        error(&format!("CREATE TABLE t (a {broken})"));
    }
    assert!(said("CREATE TABLE t ()").contains("at least one column"));
}

#[test]
fn columns_of_postgres_have_values_and_no_other_constraints() {
    let made = table("CREATE TABLE t (a int NOT NULL, b int, c int NULL)");
    let required: Vec<bool> = made.columns.iter().map(|column| column.not_null).collect();
    assert_eq!(required, [true, false, false]);
    for (constraint, what) in [
        ("a int PRIMARY KEY", "PRIMARY KEY"),
        ("a int NOT NULL UNIQUE", "UNIQUE"),
        ("a int REFERENCES u (a)", "REFERENCES"),
        ("a int CHECK (a > 0)", "CHECK"),
        ("a int DEFAULT 5 NOT NULL", "DEFAULT other than NULL"),
        ("a int GENERATED ALWAYS AS IDENTITY", "GENERATED"),
        ("a text COLLATE \"de_DE\"", "COLLATE other than"),
        ("a int, PRIMARY KEY (a)", "PRIMARY KEY"),
        ("a int, CONSTRAINT k PRIMARY KEY (a)", "PRIMARY KEY"),
        (
            "a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a)",
            "FOREIGN KEY",
        ),
        ("a int, UNIQUE (a)", "UNIQUE"),
        ("a int, CHECK (a > 0 AND (a < 9))", "CHECK"),
        ("a int, EXCLUDE USING gist (a WITH =)", "EXCLUDE"),
    ] {
        let message = refused(&format!("CREATE TABLE t ({constraint})"));
        assert!(message.starts_with(what), "{constraint}: {message}");
        assert!(
            message.contains("is not supported; use the column without it"),
            "{message}"
        );
    }
    // Their words are names, too.
    let named =
        table("CREATE EXTERNAL TABLE t (unique int, check string, constraint date, primary int)");
    assert_eq!(named.columns.len(), 4);
    for change in [
        "ADD COLUMN a int NOT NULL",
        "REPLACE COLUMNS (a int NOT NULL)",
    ] {
        let message = refused(&format!("ALTER TABLE t {change}"));
        assert!(message.contains("NOT NULL"), "{message}");
    }
    assert!(refused("ALTER TABLE t ALTER COLUMN a SET NOT NULL").contains("SET NOT NULL"));
}

#[test]
fn trinos_create_table_has_properties() {
    let made = table(
        "CREATE TABLE IF NOT EXISTS t (a bigint, b varchar) COMMENT 'c' WITH (format = 'ORC', partitioned_by = ARRAY['b'])",
    );
    assert!(made.if_not_exists && !made.external);
    assert_eq!(made.comment.as_deref(), Some("c"));
    assert_eq!(made.with.len(), 2);
    for other in [
        "STORED AS ORC",
        "PARTITIONED BY (k int)",
        "TBLPROPERTIES ('a'='b')",
    ] {
        let sql = format!("CREATE TABLE t (a int) {other} WITH (format = 'ORC')");
        assert!(said(&sql).contains("exclude each other"), "{sql}");
    }
    for sql in [
        "CREATE EXTERNAL TABLE t (a int) WITH (format = 'ORC')",
        "CREATE TABLE t (a int) WITH (format = 'ORC') AS SELECT 1",
    ] {
        assert!(refused(sql).contains("WITH (external_location"), "{sql}");
    }
}

#[test]
fn index_has_a_table_and_columns() {
    let made = |sql: &str| match one(sql) {
        Statement::CreateIndex(index) => index,
        other => panic!("{sql}: {other:?}"),
    };
    for (sql, columns) in [
        ("CREATE INDEX ix_d_t_a ON D.t (A)", ["a"].as_slice()),
        ("CREATE INDEX ON d.t (a, \"B\")", ["a", "b"].as_slice()),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY d.t USING btree (a text_ops COLLATE \"C\" DESC NULLS LAST, lower(b), (a || b), c)",
            ["a", "c"].as_slice(),
        ),
        (
            "CREATE INDEX i ON d.t (a) INCLUDE (b) WHERE a > 0",
            ["a"].as_slice(),
        ),
    ] {
        let index = made(sql);
        assert_eq!(index.table, TableName::in_database("d", "t"), "{sql}");
        assert_eq!(index.columns, columns, "{sql}");
    }
    let Statement::DropIndex(dropped) = one("DROP INDEX CONCURRENTLY IF EXISTS d.i, j CASCADE")
    else {
        panic!()
    };
    assert!(dropped.if_exists);
    assert_eq!(shown(&dropped.names), "d.i, j");
    for broken in [
        "CREATE INDEX i",
        "CREATE INDEX i ON t",
        "CREATE INDEX i ON t ()",
        "CREATE INDEX i ON t (a",
        "CREATE INDEX i ON t (a,)",
        "CREATE INDEX i ON t (a) garbage",
        "DROP INDEX",
    ] {
        assert!(crate::parse(broken).is_err(), "{broken}");
    }
    assert!(refused("CREATE UNIQUE INDEX i ON t (a)").starts_with("CREATE UNIQUE INDEX"));
}

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
fn hive_strings_take_backslash_escapes_and_doubled_quotes() {
    let table = table(
        "CREATE TABLE t (a int COMMENT 'it\\'s; fine') COMMENT 'it''s' LOCATION 's3://b/\\u0041\\101'",
    );
    assert_eq!(table.columns[0].comment.as_deref(), Some("it's; fine"));
    assert_eq!(table.comment.as_deref(), Some("it's"));
    assert_eq!(table.location.as_deref(), Some("s3://b/AA"));
}

fn shown(names: &[TableName]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[test]
fn drop_table_and_msck_take_qualified_names() {
    let Statement::DropTable(dropped) = one("DROP TABLE IF EXISTS awsdatacatalog.`D`.\"T\"") else {
        panic!()
    };
    assert!(dropped.if_exists);
    assert_eq!(shown(&dropped.names), "awsdatacatalog.d.t");
    for sql in [
        "DROP TABLE a, D.b, \"c\"",
        "DROP TABLE a, d.b, c CASCADE",
        "DROP TABLE a, d.b, c PURGE",
    ] {
        let Statement::DropTable(dropped) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(shown(&dropped.names), "a, d.b, c", "{sql}");
    }
    assert!(crate::parse("DROP TABLE a,").is_err());
    assert!(crate::parse("DROP TABLE a b").is_err());
    assert!(said("DROP TABLE a.b.c.d").contains("too many dotted names"));
    for (sql, mode) in [
        ("MSCK REPAIR TABLE d.t", MsckMode::Add),
        ("MSCK TABLE d.t", MsckMode::Add),
        ("MSCK REPAIR TABLE d.t ADD PARTITIONS", MsckMode::Add),
        ("MSCK REPAIR TABLE d.t DROP PARTITIONS", MsckMode::Drop),
        ("MSCK REPAIR TABLE d.t SYNC PARTITIONS", MsckMode::Sync),
    ] {
        let table = TableName::in_database("d", "t");
        assert_eq!(one(sql), Statement::MsckRepair(MsckRepair { table, mode }));
    }
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

#[test]
fn create_table_like_is_hives_trinos_or_postgres() {
    let like = |sql: &str| match one(sql) {
        Statement::CreateTableLike(like) => *like,
        other => panic!("{sql}: {other:?}"),
    };
    let hive = like(
        "CREATE EXTERNAL TABLE IF NOT EXISTS d.t LIKE e.s LOCATION 's3://b/' TBLPROPERTIES ('a'='b')",
    );
    assert!(hive.if_not_exists && hive.with_properties);
    assert_eq!(hive.source, TableName::in_database("e", "s"));
    assert_eq!(hive.location.as_deref(), Some("s3://b/"));
    assert_eq!(hive.properties, properties(&[("a", "b")]));
    for (options, with_properties) in [
        ("", false),
        ("INCLUDING PROPERTIES", true),
        ("EXCLUDING PROPERTIES", false),
        ("INCLUDING ALL", true),
        ("INCLUDING ALL EXCLUDING PROPERTIES", false),
        ("INCLUDING COMMENTS EXCLUDING INDEXES", false),
    ] {
        let trino = like(&format!("CREATE TABLE t (LIKE s {options}) COMMENT 'c'"));
        assert_eq!(trino.with_properties, with_properties, "{options}");
        assert_eq!(trino.source, TableName::bare("s"));
        assert_eq!(trino.comment.as_deref(), Some("c"));
    }
    let placed = like("CREATE TABLE t (LIKE s) WITH (external_location = 's3://b/f/')");
    assert_eq!(placed.location.as_deref(), Some("s3://b/f/"));
    assert!(matches!(
        one("CREATE TABLE t (like) AS SELECT 1"),
        Statement::CreateTableAs(_)
    ));
    for sql in [
        "CREATE TABLE t LIKE",
        "CREATE TABLE t (LIKE s",
        "CREATE TABLE t (LIKE s INCLUDING)",
        "CREATE TABLE t LIKE s LOCATION 'a' LOCATION 'b'",
        "CREATE TABLE t LIKE s WITH (format = 'ORC')",
    ] {
        assert!(!error(sql).message.is_empty(), "{sql}");
    }
}

#[test]
fn comments_are_on_databases_tables_views_and_columns() {
    let on = |sql: &str| match one(sql) {
        Statement::CommentOn(on) => on,
        other => panic!("{sql}: {other:?}"),
    };
    let table = TableName::in_database("d", "t");
    for (sql, object) in [
        ("TABLE D.T", Commented::Table(table.clone())),
        ("VIEW d.t", Commented::View(table.clone())),
        ("SCHEMA d", Commented::Database(DatabaseName::bare("d"))),
        ("DATABASE d", Commented::Database(DatabaseName::bare("d"))),
        (
            "COLUMN d.t.C",
            Commented::Column {
                table,
                column: "c".into(),
            },
        ),
    ] {
        let commented = on(&format!("COMMENT ON {sql} IS 'it''s'"));
        assert_eq!(commented.object, object, "{sql}");
        assert_eq!(commented.comment.as_deref(), Some("it's"));
        assert_eq!(on(&format!("COMMENT ON {sql} IS NULL")).comment, None);
        assert_eq!(on(&format!("COMMENT ON {sql} IS ''")).comment, None);
    }
    for sql in [
        "COMMENT ON COLUMN c IS 'x'",
        "COMMENT ON COLUMN a.b.c.d.e IS 'x'",
        "COMMENT ON TABLE t",
        "COMMENT ON TABLE t IS x",
        "COMMENT ON t IS 'x'",
    ] {
        assert!(!error(sql).message.is_empty(), "{sql}");
    }
}

#[test]
fn analyze_is_hives_postgres_or_trinos() {
    let columns = |sql: &str| match one(sql) {
        Statement::Analyze(analyze) => {
            assert_eq!(analyze.table, TableName::in_database("d", "t"), "{sql}");
            analyze.columns
        }
        other => panic!("{sql}: {other:?}"),
    };
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for (sql, expected) in [
        ("ANALYZE d.t", None),
        ("ANALYSE VERBOSE D.T", None),
        ("ANALYZE (VERBOSE, SKIP_LOCKED off) d.t", None),
        ("ANALYZE TABLE d.t", None),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS", named(&[])),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS NOSCAN", named(&[])),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS FOR COLUMNS", None),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS FOR ALL COLUMNS", None),
        (
            "ANALYZE TABLE d.t COMPUTE STATISTICS FOR COLUMNS A, b",
            named(&["a", "b"]),
        ),
        ("ANALYZE d.t (A, \"b\")", named(&["a", "b"])),
        (
            "ANALYZE d.t WITH (columns = ARRAY['A', 'b'])",
            named(&["a", "b"]),
        ),
        ("ANALYZE d.t WITH (columns = ARRAY[])", named(&[])),
    ] {
        assert_eq!(columns(sql), expected, "{sql}");
    }
    assert!(refused("ANALYZE").contains("ANALYZE table"));
    assert!(refused("ANALYZE t, u").contains("ANALYZE of each"));
    assert!(refused("ANALYZE t WITH (partitions = ARRAY[ARRAY['1']])").contains("PARTITION (key"));
    let analyzed = one(
        "ANALYZE TABLE d.t PARTITION (Year = 2024, city = 'B') COMPUTE STATISTICS FOR COLUMNS a",
    );
    let Statement::Analyze(analyzed) = analyzed else {
        panic!("{analyzed:?}")
    };
    let partitions = analyzed.partitions.unwrap();
    let partition = partitions
        .spec
        .values
        .iter()
        .map(|value| (value.key.as_str(), value.value.as_deref()));
    let partition: Vec<_> = partition.collect();
    assert_eq!(partition, [("year", Some("2024")), ("city", Some("B"))]);
    assert!(partitions.open.is_empty());
    assert_eq!(analyzed.columns, named(&["a"]));
    let several = "ANALYZE TABLE t PARTITION (year = 2024, City) COMPUTE STATISTICS";
    let Statement::Analyze(several) = one(several) else {
        panic!("{several}")
    };
    let several = several.partitions.unwrap();
    assert_eq!(several.spec.values.len(), 1);
    assert_eq!(several.open, ["city"]);
    assert!(
        !error("ANALYZE TABLE t PARTITION (year = 2024)")
            .message
            .is_empty()
    );
    for sql in [
        "ANALYZE t ()",
        "ANALYZE t COMPUTE",
        "ANALYZE t WITH (a = 1)",
    ] {
        assert!(!error(sql).message.is_empty(), "{sql}");
    }
    assert!(matches!(
        one("SHOW STATS FOR d.t"),
        Statement::ShowStats(show)
            if show.table == TableName::in_database("d", "t") && show.query.is_none()
    ));
}

#[test]
fn stats_are_shown_of_a_table_or_of_columns_of_one() {
    for (sql, query) in [
        ("SHOW STATS FOR (SELECT * FROM d.t)", "SELECT * FROM d.t"),
        (
            "SHOW STATS FOR ((SELECT a, x.b FROM d.\"T\" AS x WHERE a > 1 AND b < 2))",
            "SELECT a, x.b FROM d.\"t\" AS x WHERE a > 1 AND b < 2",
        ),
        (
            "SHOW STATS FOR (SELECT t.a FROM d.t)",
            "SELECT t.a FROM d.t",
        ),
    ] {
        let Statement::ShowStats(show) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(show.table, TableName::in_database("d", "t"), "{sql}");
        assert_eq!(show.query.unwrap().to_string(), query);
    }
    for (query, what) in [
        ("SELECT a FROM t JOIN u ON true", "joins"),
        ("SELECT a FROM t, u", "several tables"),
        ("SELECT 1", "several tables, or none"),
        ("SELECT a FROM (SELECT a FROM t) x", "anything but a table"),
        (
            "SELECT a FROM unnest(ARRAY[1]) t (a)",
            "anything but a table",
        ),
        ("SELECT b FROM t (b)", "anything but a table"),
        ("WITH x AS (SELECT 1) SELECT a FROM t", "WITH"),
        ("SELECT DISTINCT a FROM t", "DISTINCT"),
        ("SELECT a FROM t GROUP BY a", "GROUP BY"),
        ("SELECT a FROM t ORDER BY a", "ORDER BY"),
        ("(SELECT a FROM t) LIMIT 1", "LIMIT"),
        (
            "SELECT a FROM t UNION SELECT a FROM u",
            "more than a SELECT",
        ),
        ("SELECT a + 1 FROM t", "anything but columns"),
        ("SELECT a AS b FROM t", "anything but columns"),
        ("SELECT r.a FROM t", "anything but columns"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM u)", "subqueries"),
    ] {
        let message = refused(&format!("SHOW STATS FOR ({query})"));
        let expected = format!("SHOW STATS FOR a query with {what}");
        assert!(message.starts_with(&expected), "{query}: {message}");
    }
    assert!(!error("SHOW STATS FOR (SELECT a FROM t").message.is_empty());
}
