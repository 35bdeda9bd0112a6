//! Databases, tables, indexes and comments: every clause of Athena's DDL grammar.

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
