#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lakegate_catalog::access::{ColumnSelection, Privilege, Resource};
use lakegate_error::Code;

use super::super::testing::Lake;

fn create(name: &str, location: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE {name} (a INT) PARTITIONED BY (b INT) STORED AS PARQUET LOCATION '{location}'"
    )
}

/// A user's effective privileges on a table, one letter each: select (`s`: some columns),
/// insert, delete, alter.
async fn rights(lake: &Lake, user: &str, database: &str, table: &str) -> String {
    let view = lake.context(user).await.view;
    let Some(visible) = view.table(database, table).await.unwrap() else {
        return "none".to_owned();
    };
    let access = visible.access;
    let mut rights = String::new();
    match access.select {
        ColumnSelection::All => rights.push('S'),
        ColumnSelection::Some(_) => rights.push('s'),
        ColumnSelection::None => {}
    }
    for (held, letter) in [
        (access.insert, 'I'),
        (access.delete, 'D'),
        (access.alter, 'A'),
    ] {
        rights.extend(held.then_some(letter));
    }
    rights
}

/// Privileges granted on a table that have no effect.
async fn lacking(lake: &Lake, user: &str, database: &str, table: &str) -> Vec<Privilege> {
    let view = lake.context(user).await.view;
    let visible = view.table(database, table).await.unwrap().unwrap();
    let all = Resource::table(database, table).privileges().iter();
    all.copied()
        .filter(|privilege| visible.lacks(*privilege))
        .collect()
}

/// Runs the statement in an error's hint.
async fn remedy(lake: &Lake, error: &lakegate_error::Error) {
    lake.ok(error.hint().unwrap().split_once("run: ").unwrap().1)
        .await;
}

#[tokio::test]
async fn registering_and_moving_a_folder_needs_data_location_on_it() {
    let lake = Lake::with_orders().await;
    lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-01');
                 GRANT CREATE_DATABASE ON CATALOG TO ann; GRANT CREATE TABLE, ALTER, SELECT ON DATABASE sales TO ann")
        .await;
    for (sql, location) in [
        (create("mine", "s3://lake/one/t"), "s3://lake/one/t/"),
        (
            "CREATE DATABASE d LOCATION 's3://lake/two/'".to_owned(),
            "s3://lake/two/",
        ),
        (
            "ALTER TABLE orders ADD PARTITION (day = '2024-01-02') LOCATION 's3://lake/three/'"
                .to_owned(),
            "s3://lake/three/",
        ),
        (
            "ALTER TABLE orders PARTITION (day = '2024-01-01') SET LOCATION 's3://lake/four/'"
                .to_owned(),
            "s3://lake/four/",
        ),
        (
            "ALTER TABLE orders SET LOCATION 's3://lake/five/'".to_owned(),
            "s3://lake/five/",
        ),
    ] {
        let error = lake.fails("ann", &sql).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
        assert_eq!(
            error.message(),
            format!("permission denied for location '{location}': DATA_LOCATION is needed")
        );
        assert_eq!(
            error.hint().unwrap(),
            format!(
                "an administrator, or a user who holds it with grant option, can run: GRANT DATA_LOCATION ON '{location}' TO ann"
            )
        );
        // The grant covers neither a sibling folder, nor a nested one, nor another spelling.
        let beside = location.replace("lake/", "lake/beside-");
        let within = format!("{location}within/");
        lake.ok(&format!(
            "GRANT DATA_LOCATION ON '{beside}' TO ann; GRANT DATA_LOCATION ON '{within}' TO ann"
        ))
        .await;
        assert_eq!(lake.fails("ann", &sql).await.message(), error.message());
        remedy(&lake, &error).await;
        lake.ok_as("ann", &sql).await;
    }
    lake.ok("CREATE ROLE makers; GRANT makers TO ben; GRANT CREATE TABLE ON DATABASE sales TO ben; GRANT DATA_LOCATION ON 's3://lake/six' TO makers").await;
    lake.ok_as("ben", &create("theirs", "s3a://lake//six/deep/"))
        .await;
    lake.ok("REVOKE DATA_LOCATION ON 's3://lake//six/' FROM ROLE makers")
        .await;
    let error = lake
        .fails("ben", &create("more", "s3://lake/six/other/"))
        .await;
    assert!(
        error.message().contains("DATA_LOCATION is needed"),
        "{error}"
    );
    // A partition in its own table's folder needs no DATA_LOCATION.
    lake.ok_as("ann", "ALTER TABLE orders ADD PARTITION (day = '2024-01-05') LOCATION 's3://lake/five/day-5/'; ALTER TABLE orders ADD PARTITION (day = '2024-01-06')").await;
}

fn create_of_manifests(name: &str, location: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE {name} (a INT) PARTITIONED BY (b INT)
             ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
             STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
             OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
             LOCATION '{location}'"
    )
}

#[tokio::test]
async fn manifests_need_data_location_on_the_folder_whose_files_they_name() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT CREATE TABLE, ALTER, SELECT ON DATABASE sales TO ann;
                 GRANT DATA_LOCATION ON 's3://lake/delta/_symlink_format_manifest/' TO ann;
                 GRANT DATA_LOCATION ON 's3://lake/other/_symlink_format_manifest/' TO ann;
                 GRANT DATA_LOCATION ON 's3://lake/plain/' TO ann")
        .await;
    let delta = create_of_manifests("delta", "s3://lake/delta/_symlink_format_manifest/");
    let error = lake.fails("ann", &delta).await;
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(error.message().contains("'s3://lake/delta/'"), "{error}");
    remedy(&lake, &error).await;
    lake.ok_as("ann", &delta).await;
    // Its own manifests need nothing more, others do.
    lake.ok_as("ann", "ALTER TABLE delta ADD PARTITION (b = 1) LOCATION 's3://lake/delta/_symlink_format_manifest/b=1/'").await;
    for sql in [
        "ALTER TABLE delta ADD PARTITION (b = 2) LOCATION 's3://lake/other/_symlink_format_manifest/b=2/'",
        "ALTER TABLE delta SET LOCATION 's3://lake/other/_symlink_format_manifest/'",
    ] {
        let error = lake.fails("ann", sql).await;
        assert!(
            error.message().contains("'s3://lake/other/'"),
            "{sql}: {error}"
        );
    }
    lake.ok_as("ann", &create_of_manifests("plain", "s3://lake/plain/"))
        .await;
    // A table over the data files is one in the folder of the table of manifests.
    lake.ok("GRANT CREATE TABLE ON DATABASE sales TO ben; GRANT DATA_LOCATION ON 's3://lake/delta/b=1/' TO ben").await;
    let error = lake
        .fails("ben", &create("peek", "s3://lake/delta/b=1/"))
        .await;
    assert!(
        error.message().contains("data of a table lies there"),
        "{error}"
    );
}

#[tokio::test]
async fn below_the_folder_of_a_database_its_tables_need_nothing_more() {
    let lake = Lake::new().await;
    lake.ok("CREATE DATABASE lab LOCATION 's3://lake/lab/'; GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT CREATE TABLE ON DATABASE sales TO ben").await;
    lake.ok_as("ann", &create("lab.mine", "s3://lake/lab/mine/"))
        .await;
    for (user, sql) in [
        ("ann", create("lab.whole", "s3://lake/lab/")),
        ("ann", create("lab.beside", "s3://lake/laboratory/")),
        ("ben", create("sales.other", "s3://lake/lab/other/")),
    ] {
        let error = lake.fails(user, &sql).await;
        assert!(
            error.message().contains("DATA_LOCATION is needed"),
            "{sql}: {error}"
        );
    }
    // The error does not reveal that ann may not read a table in that folder.
    lake.ok(&create("lab.hidden", "s3://lake/lab/hidden/"))
        .await;
    let hidden = lake
        .fails("ann", &create("lab.peek", "s3://lake/lab/hidden/"))
        .await;
    assert!(
        hidden.message().contains("DATA_LOCATION is needed"),
        "{hidden}"
    );
    assert!(!hidden.to_string().contains("lab.hidden"), "{hidden}");
    // The creator of a database may use its folder while the database exists.
    lake.ok("GRANT CREATE_DATABASE ON CATALOG TO ben; GRANT DATA_LOCATION ON 's3://lake/people/' TO ben").await;
    lake.ok_as(
        "ben",
        "CREATE DATABASE bens LOCATION 's3://lake/people/bens/'",
    )
    .await;
    lake.ok("REVOKE DATA_LOCATION ON 's3://lake/people/' FROM ben")
        .await;
    lake.ok_as("ben", &create("bens.t", "s3://lake/people/bens/t/"))
        .await;
    assert_eq!(
        lake.text("ben", "SHOW GRANTS FOR ben ON 's3://lake/people/bens/'")
            .await,
        "ben|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/people/bens/|NULL|false"
    );
    lake.ok_as("ben", "DROP DATABASE bens CASCADE").await;
    assert!(!lake.text("ben", "SHOW GRANTS").await.contains("s3://"));
}

#[tokio::test]
async fn folder_that_a_table_leaves_unread_is_not_free() {
    for leaving in [
        "ALTER TABLE sales.orders SET LOCATION 's3://lake/sales/elsewhere/'",
        "DROP TABLE sales.orders",
        "ALTER TABLE sales.orders DROP PARTITION (day = '2024-01-02')",
        "DROP DATABASE sales CASCADE",
    ] {
        let lake = Lake::new().await;
        lake.ok("DROP DATABASE sales; CREATE DATABASE sales LOCATION 's3://lake/sales/'; CREATE DATABASE lab LOCATION 's3://lake/'").await;
        lake.ok("CREATE EXTERNAL TABLE sales.orders (id INT) PARTITIONED BY (day DATE) STORED AS PARQUET LOCATION 's3://lake/sales/all/orders/';
                     ALTER TABLE sales.orders ADD PARTITION (day = '2024-01-02') LOCATION 's3://lake/sales/all/second/';
                     GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT CREATE TABLE, ALTER, DROP ON DATABASE sales TO ann").await;
        lake.ok_as("ann", leaving).await;
        let left = match leaving.contains("PARTITION") {
            true => "s3://lake/sales/all/second/",
            false => "s3://lake/sales/all/orders/",
        };
        for taken in [left, &format!("{left}below/"), "s3://lake/sales/all/"] {
            let error = lake.fails("ann", &create("lab.mine", taken)).await;
            assert!(
                error.message().contains("DATA_LOCATION is needed"),
                "{leaving}, {taken}: {error}"
            );
        }
        lake.ok_as("ann", &create("lab.mine", "s3://lake/sales/third/"))
            .await;
    }
    // An older table over the same files does not get them either.
    for leaving in [
        "DROP TABLE sales.orders",
        "ALTER TABLE sales.orders SET LOCATION 's3://lake/sales/elsewhere/'",
    ] {
        let lake = Lake::with_orders().await;
        lake.ok("DROP TABLE sales.orders; DROP DATABASE sales; CREATE DATABASE sales LOCATION 's3://lake/sales/'; CREATE DATABASE lab;
                     GRANT CREATE TABLE, ALTER, DROP ON DATABASE sales TO ann; GRANT CREATE TABLE ON DATABASE lab TO ann;
                     GRANT DATA_LOCATION ON 's3://lake/sales/' TO ann").await;
        lake.ok(&create("sales.orders", "s3://lake/sales/deep/orders/"))
            .await;
        lake.ok("GRANT SELECT ON TABLE sales.orders TO ann").await;
        let tables = [
            ("mine", "s3://lake/sales/deep/orders/", ""),
            ("below", "s3://lake/sales/deep/orders/below/", ""),
            ("around", "s3://lake/sales/deep/", ""),
            ("beside", "s3://lake/sales/deep/orders-2/", "SIDA"),
        ];
        for (table, location, _) in tables {
            lake.ok_as("ann", &create(&format!("lab.{table}"), location))
                .await;
        }
        // Neither a partition elsewhere nor another vacated folder closes the tables.
        lake.ok_as(
            "ann",
            "ALTER TABLE lab.mine ADD PARTITION (b = 1) LOCATION 's3://lake/sales/apart/'",
        )
        .await;
        lake.ok(&create("sales.others", "s3://lake/others/")).await;
        lake.ok_as("ann", "DROP TABLE sales.others").await;
        lake.ok("REVOKE SELECT ON TABLE sales.orders FROM ann; REVOKE DATA_LOCATION ON 's3://lake/sales/' FROM ann").await;
        lake.ok_as("ann", leaving).await;
        for (table, _, left) in tables {
            assert_eq!(
                rights(&lake, "ann", "lab", table).await,
                left,
                "{leaving}, {table}"
            );
        }
    }
    // A table that the user could read can be created again.
    let lake = Lake::new().await;
    lake.ok(
        "CREATE DATABASE lab LOCATION 's3://lake/lab/'; GRANT CREATE TABLE ON DATABASE lab TO ann",
    )
    .await;
    lake.ok_as("ann", &create("lab.t", "s3://lake/lab/t/"))
        .await;
    lake.ok_as("ann", "DROP TABLE lab.t").await;
    lake.ok_as("ann", &create("lab.t", "s3://lake/lab/t/"))
        .await;
}

#[tokio::test]
async fn table_over_the_files_of_another_gives_no_more_than_that_one_does() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE lab; GRANT CREATE TABLE ON DATABASE lab TO ann;
                 GRANT DATA_LOCATION ON 's3://lake/orders/' TO ann; GRANT SELECT ON TABLE orders TO ann").await;
    lake.ok_as("ann", &create("lab.mine", "s3://lake/orders/"))
        .await;
    lake.ok_as(
        "ann",
        &create("lab.part", "s3://lake/orders/day=2024-01-01/"),
    )
    .await;
    for table in ["mine", "part"] {
        assert_eq!(rights(&lake, "ann", "lab", table).await, "SA");
        let error = lake
            .fails("ann", &format!("GRANT SELECT ON TABLE lab.{table} TO ben"))
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(!error.to_string().contains("orders"), "{error}");
        lake.ok_as(
            "ann",
            &format!("GRANT DESCRIBE ON TABLE lab.{table} TO ben"),
        )
        .await;
        // A grant that reaches the table in another way has no effect either.
        lake.ok(&format!("GRANT SELECT, INSERT ON TABLE lab.{table} TO ben"))
            .await;
        assert_eq!(rights(&lake, "ben", "lab", table).await, "");
    }
    lake.ok("GRANT INSERT ON TABLE orders TO ann").await;
    assert_eq!(rights(&lake, "ann", "lab", "mine").await, "SIA");
    lake.ok_as("ann", "SHOW PARTITIONS lab.mine").await;
    assert_eq!(
        lacking(&lake, "ann", "lab", "mine").await,
        [Privilege::Delete]
    );
    for (revoke, left) in [
        (
            "REVOKE SELECT ON TABLE orders FROM ann; GRANT SELECT (id) ON TABLE orders TO ann",
            "I",
        ),
        ("REVOKE SELECT (id) ON TABLE orders FROM ann", "I"),
        ("REVOKE INSERT ON TABLE orders FROM ann", ""),
    ] {
        lake.ok(revoke).await;
        assert_eq!(rights(&lake, "ann", "lab", "mine").await, left, "{revoke}");
        for sql in [
            "SHOW PARTITIONS lab.mine",
            "MSCK REPAIR TABLE lab.mine",
            "ALTER TABLE lab.mine ADD COLUMNS (email STRING)",
        ] {
            let error = lake.fails("ann", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(
                error
                    .message()
                    .contains("its files belong to another table, on which SELECT is needed too"),
                "{error}"
            );
            assert!(!error.to_string().contains("orders"), "{error}");
        }
    }
    assert_eq!(
        lacking(&lake, "ann", "lab", "mine").await,
        [
            Privilege::Select,
            Privilege::Insert,
            Privilege::Delete,
            Privilege::Alter
        ]
    );
    assert_eq!(
        lacking(&lake, "ben", "lab", "mine").await,
        [Privilege::Select, Privilege::Insert]
    );
    // Readers of the first table are not affected.
    lake.ok("GRANT SELECT ON TABLE orders TO ben").await;
    assert_eq!(rights(&lake, "ben", "sales", "orders").await, "S");
    // The table's own folder is closed, folders elsewhere are not.
    lake.ok("ALTER TABLE lab.mine SET LOCATION 's3://lake/moved/'")
        .await;
    assert_eq!(rights(&lake, "ann", "lab", "mine").await, "SIDA");
}

#[tokio::test]
async fn who_came_first_reads_nothing_that_an_administrator_puts_below() {
    let lake = Lake::new().await;
    lake.ok("CREATE DATABASE lab; GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT DATA_LOCATION ON 's3://lake/landing/' TO ann").await;
    lake.ok_as("ann", &create("lab.all_of_it", "s3://lake/landing/"))
        .await;
    lake.fails("ann", &create("lab.beside", "s3://lake/landing-2/"))
        .await;
    assert_eq!(rights(&lake, "ann", "lab", "all_of_it").await, "SIDA");
    lake.ok(&create("sales.secret", "s3://lake/landing/secret/"))
        .await;
    lake.ok("GRANT SELECT ON TABLE sales.secret TO ben").await;
    assert_eq!(rights(&lake, "ann", "lab", "all_of_it").await, "");
    assert_eq!(
        rights(&lake, "ben", "sales", "secret").await,
        "S",
        "it is not in the way"
    );
    lake.ok("DROP TABLE sales.secret").await;
    assert_eq!(rights(&lake, "ann", "lab", "all_of_it").await, "SIDA");
    // Nor can it be registered as a partition.
    lake.ok("CREATE EXTERNAL TABLE sales.parts (a INT) PARTITIONED BY (b INT) STORED AS PARQUET LOCATION 's3://lake/parts/';
                 ALTER TABLE sales.parts ADD PARTITION (b = 1) LOCATION 's3://lake/landing/b1/'").await;
    assert_eq!(rights(&lake, "ann", "lab", "all_of_it").await, "");
}

#[tokio::test]
async fn folders_are_compared_as_the_storage_has_them() {
    let lake = Lake::with_orders().await;
    lake.folders(&["orders/day=2024-01-01", "links"]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(lake.path().join(to), lake.path().join(name)).unwrap();
    };
    link("orders", "links/same");
    link("orders/day=2024-01-01", "links/part");
    link(".", "links/all");
    link("nowhere", "links/dangling");
    lake.ok("CREATE DATABASE lab LOCATION 's3://lake/links/'; GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT DATA_LOCATION ON 's3://lake/free/' TO ann").await;
    for location in [
        "s3://lake/links/same/",
        "s3://lake/links/same/day=2024-01-01/",
        "s3://lake/links/part",
        "s3a://lake//links///part/",
        "s3://lake/links/all/",
        "s3://lake/links/all/orders/",
        "s3://lake/links/all/free/../orders/",
        "s3://lake/links/dangling/",
        "s3://lake/free%2F..%2Forders/",
        "S3://lake/Orders/",
    ] {
        let error = lake.fails("ann", &create("lab.spy", location)).await;
        assert!(
            [Code::PermissionDenied, Code::LocationRefused].contains(&error.code()),
            "{location}: {error}"
        );
    }
    // A grant applies to the target of a symbolic link.
    lake.folders(&["free"]);
    link("free", "links/free");
    lake.ok("GRANT DATA_LOCATION ON 's3://lake/links/free/' TO ben")
        .await;
    assert_eq!(
        lake.text("ben", "SHOW GRANTS").await,
        "ben|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/free/|NULL|false"
    );
    lake.ok_as("ann", &create("lab.mine", "s3://lake/links/all/free/mine/"))
        .await;
}

#[tokio::test]
async fn data_of_a_table_that_may_not_be_read_is_not_registered_anew() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT DATA_LOCATION ON 's3://lake/' TO ann;
                 ALTER TABLE orders ADD PARTITION (day = '2024-01-01');
                 ALTER TABLE orders ADD PARTITION (day = '2024-01-02') LOCATION 's3://lake/elsewhere/second/';
                 ALTER TABLE orders SET LOCATION 's3://lake/moved/';
                 GRANT CREATE TABLE ON DATABASE sales TO ann")
        .await;
    lake.ok_as("ann", &create("mine", "s3://lake/free/")).await;
    for taken in [
        // The table's folder, folders in it, and folders that contain it.
        "s3://lake/moved/",
        "s3://lake/moved/day=2024-01-03/",
        "s3://lake/",
        // A partition that kept its location when its table moved.
        "s3://lake/orders/",
        "s3://lake/orders/day=2024-01-01/",
        // A partition with a location of its own.
        "s3://lake/elsewhere/",
        "s3://lake/elsewhere/second",
        "s3://lake/elsewhere/second/part/",
    ] {
        for sql in [
            create("theirs", taken),
            format!("ALTER TABLE mine SET LOCATION '{taken}'"),
            format!("ALTER TABLE mine ADD PARTITION (b = 1) LOCATION '{taken}'"),
        ] {
            let error = lake.fails("ann", &sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(error.message().contains("may not read in full"), "{error}");
        }
    }
    for free in ["s3://lake/elsewhere/seconds/", "s3://lake/order/"] {
        lake.ok_as("ann", &format!("ALTER TABLE mine SET LOCATION '{free}'"))
            .await;
    }
    // A grant of some columns does not cover the data.
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
    let error = lake
        .fails("ann", &create("theirs", "s3://lake/elsewhere/"))
        .await;
    assert_eq!(error.code(), Code::PermissionDenied);
    lake.ok("GRANT SELECT ON TABLE orders TO ann").await;
    lake.ok_as("ann", &create("theirs", "s3://lake/elsewhere/"))
        .await;
}
