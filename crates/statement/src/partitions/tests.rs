#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use lakegate_error::Code;

use super::super::testing::Lake;

async fn lake() -> Lake {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (year INT, city STRING) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
    lake
}

#[tokio::test]
async fn partitions_are_added_all_or_none() {
    let lake = lake().await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = 2023, city = 'Ulm') PARTITION (city = 'Bonn', year = 2024) LOCATION 's3://lake/bonn/'").await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t").await,
        "year=2023/city=Ulm\nyear=2024/city=Bonn"
    );
    let again = "ADD PARTITION (year = 2025, city = 'Kiel') PARTITION (year = 2023, city = 'Ulm')";
    assert_eq!(
        lake.fails("admin", &format!("ALTER TABLE t {again}"))
            .await
            .code(),
        Code::DuplicateObject
    );
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 2025)")
            .await,
        ""
    );
    lake.ok(&format!(
        "ALTER TABLE t {}",
        again.replace("ADD", "ADD IF NOT EXISTS")
    ))
    .await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 2025)")
            .await,
        "year=2025/city=Kiel"
    );
    lake.ok("ALTER TABLE t ADD PARTITION (year = NULL, city = 'a b:c')")
        .await;
    assert!(
        lake.text("admin", "SHOW PARTITIONS t")
            .await
            .contains("year=__HIVE_DEFAULT_PARTITION__/city=a b%3Ac")
    );
}

#[tokio::test]
async fn values_that_are_not_of_their_keys_type_are_refused() {
    let lake = lake().await;
    for (spec, part) in [
        ("year = 'soon', city = 'Ulm'", "soon"),
        ("year = 99999999999, city = 'Ulm'", "int"),
        ("year = 2024", "city"),
        ("year = 2024, city = 'Ulm', month = 1", "month"),
        ("year = 2024, year = 2024, city = 'Ulm'", "twice"),
        ("year = 2024, city = ''", "empty"),
    ] {
        let error = lake
            .fails("admin", &format!("ALTER TABLE t ADD PARTITION ({spec})"))
            .await;
        assert!(error.message().contains(part), "{spec}: {error}");
    }
    let error = lake
        .fails("admin", "ALTER TABLE t DROP PARTITION (year > 'soon')")
        .await;
    assert!(error.message().contains("soon"), "{error}");
    lake.ok("CREATE EXTERNAL TABLE plain (a INT) STORED AS PARQUET LOCATION 's3://lake/p/'")
        .await;
    for sql in [
        "ALTER TABLE plain ADD PARTITION (a = 1)",
        "ALTER TABLE plain DROP PARTITION (a = 1)",
        "SHOW PARTITIONS plain",
    ] {
        let error = lake.fails("admin", sql).await;
        assert!(
            error.message().contains("not partitioned"),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn partitions_are_dropped_by_typed_comparison() {
    let lake = lake().await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = 9, city = 'a') PARTITION (year = 10, city = 'b') PARTITION (year = 100, city = 'c')
             PARTITION (year = NULL, city = 'd') PARTITION (year = 7, city = NULL)").await;
    // Compared as text, 10 and 100 would be less than 9.
    assert_eq!(
        lake.text(
            "admin",
            "SHOW PARTITIONS t PARTITION (year >= 9, city <> 'c')"
        )
        .await,
        "year=10/city=b\nyear=9/city=a"
    );
    assert_eq!(
        lake.text(
            "admin",
            "SHOW PARTITIONS t PARTITION (year <> NULL, city = NULL)"
        )
        .await,
        "year=7/city=__HIVE_DEFAULT_PARTITION__"
    );
    assert_eq!(
        lake.fails("admin", "ALTER TABLE t DROP PARTITION (year < 7)")
            .await
            .code(),
        Code::UndefinedObject
    );
    lake.ok("ALTER TABLE t DROP IF EXISTS PARTITION (year < 7)")
        .await;
    // All or nothing: the second spec names no partition.
    lake.fails(
        "admin",
        "ALTER TABLE t DROP PARTITION (year = 9), PARTITION (year = 11)",
    )
    .await;
    lake.ok("ALTER TABLE t DROP PARTITION (year > 9, year < 100), PARTITION (city = 'd'), PARTITION (year = '009')").await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t").await,
        "year=100/city=c\nyear=7/city=__HIVE_DEFAULT_PARTITION__"
    );
    let error = lake
        .fails("admin", "ALTER TABLE t DROP PARTITION (month = 1)")
        .await;
    assert!(error.message().contains("year, city"), "{error}");
}

#[tokio::test]
async fn spellings_of_one_value_are_partitions_of_their_own_and_are_named_together() {
    let lake = lake().await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = '07', city = 'a') PARTITION (year = '7', city = 'a') PARTITION (year = '007', city = 'b')").await;
    let all = "year=7/city=a\nyear=07/city=a\nyear=007/city=b";
    assert_eq!(lake.text("admin", "SHOW PARTITIONS t").await, all);
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 7)")
            .await,
        all
    );
    for (spelled, folder) in [("07", "07"), ("7", "7"), ("0007", "7")] {
        let described = lake
            .text(
                "admin",
                &format!("DESCRIBE FORMATTED t PARTITION (year = '{spelled}', city = 'a')"),
            )
            .await;
        let location = format!("s3://lake/t/year={folder}/city=a/");
        assert!(described.contains(&location), "{spelled}: {described}");
    }
    lake.ok("ALTER TABLE t PARTITION (year = '07', city = 'a') RENAME TO PARTITION (year = 8, city = 'a')").await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t").await,
        "year=7/city=a\nyear=007/city=b\nyear=8/city=a"
    );
    lake.ok("ALTER TABLE t DROP PARTITION (year = 7)").await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t").await,
        "year=8/city=a"
    );
}

#[tokio::test]
async fn renamed_partition_keeps_its_place() {
    let lake = lake().await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = 1, city = 'a') PARTITION (year = 2, city = 'b');
             ALTER TABLE t PARTITION (year = 1, city = 'a') RENAME TO PARTITION (year = 3, city = 'c')").await;
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS t").await,
        "year=2/city=b\nyear=3/city=c"
    );
    let described = lake
        .text(
            "admin",
            "DESCRIBE FORMATTED t PARTITION (year = 3, city = 'c')",
        )
        .await;
    assert!(
        described.contains("s3://lake/t/year=1/city=a/"),
        "{described}"
    );
    for sql in [
        "PARTITION (year = 3, city = 'c') RENAME TO PARTITION (year = 2, city = 'b')",
        "PARTITION (year = 9, city = 'c') RENAME TO PARTITION (year = 8, city = 'b')",
    ] {
        lake.fails("admin", &format!("ALTER TABLE t {sql}")).await;
    }
}

#[tokio::test]
async fn values_of_a_hidden_key_do_not_show() {
    let lake = lake().await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = 2024, city = 'secret'); GRANT SELECT (a, year) ON TABLE t TO ann").await;
    lake.ok("ALTER TABLE t ADD PARTITION (year = 2024, city = 'other') PARTITION (year = 2023, city = 'zz')").await;
    assert_eq!(
        lake.text("ann", "SHOW PARTITIONS sales.t").await,
        "year=2023\nyear=2024"
    );
    let hidden = "SHOW PARTITIONS sales.t PARTITION (city = 'secret')";
    let missing = hidden.replace("city", "town");
    assert_eq!(
        lake.fails("ann", hidden).await.message(),
        lake.fails("ann", &missing)
            .await
            .message()
            .replace("town", "city")
    );
    let error = lake
        .fails(
            "ann",
            "DESCRIBE sales.t PARTITION (year = 2024, city = 'secret')",
        )
        .await;
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(!error.to_string().contains("city"), "{error}");
    // Without any visible key, the table looks unpartitioned.
    lake.ok("GRANT SELECT (a) ON TABLE t TO ben").await;
    lake.ok("CREATE EXTERNAL TABLE plain (a INT, b INT) STORED AS PARQUET LOCATION 's3://lake/p/'; GRANT SELECT (a) ON TABLE plain TO ben").await;
    for sql in [
        "SHOW PARTITIONS sales.t",
        "DESCRIBE sales.t PARTITION (year = 2024)",
        "DESCRIBE FORMATTED sales.t PARTITION (year = 2024)",
    ] {
        assert_eq!(
            lake.fails("ben", sql).await.to_string(),
            lake.fails("ben", &sql.replace(".t", ".plain"))
                .await
                .to_string()
                .replace("sales.plain", "sales.t"),
            "{sql}"
        );
    }
    lake.ok("ALTER TABLE t DROP PARTITION (city = 'other'), PARTITION (city = 'zz')")
        .await;
    lake.ok("GRANT SELECT (city) ON TABLE t TO ann").await;
    assert_eq!(
        lake.text("ann", "SHOW PARTITIONS sales.t").await,
        "year=2024/city=secret"
    );
}
