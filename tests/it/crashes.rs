//! `kill -9` at any moment: acknowledged changes survive; other changes are complete or absent.

use std::time::Duration;

use crate::harness::files::{Values, batch, parquet};
use crate::harness::{Options, Server, lake};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_ddl_survives_a_kill_and_the_rest_is_whole_or_absent() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let mut acknowledged = Vec::new();
    for round in 0..4_u64 {
        let mut server = Server::demo(&dir, &Options::small(), &[]);
        let admin = server.connect("admin").await;
        let writing = tokio::spawn(async move {
            let mut done = Vec::new();
            for i in 0.. {
                let name = format!("d_{round}_{i}");
                let sql = format!(
                    "CREATE DATABASE {name}; CREATE EXTERNAL TABLE {name}.t (id INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION 's3://datalake/tests/none/'; ALTER TABLE {name}.t ADD PARTITION (p = 1) PARTITION (p = 2)"
                );
                if admin.try_rows(&sql).await.is_err() {
                    break;
                }
                done.push(name);
            }
            done
        });
        tokio::time::sleep(Duration::from_millis(150 + 170 * round)).await;
        server.kill();
        let done = writing.await.unwrap();
        assert!(!done.is_empty());
        acknowledged.extend(done);
    }
    let server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    let databases = admin.column("SHOW DATABASES").await;
    for name in &acknowledged {
        assert!(
            databases.contains(name),
            "{name} was acknowledged and is gone"
        );
        assert_eq!(
            admin.text(&format!("SHOW PARTITIONS {name}.t")).await,
            "p=1\np=2"
        );
    }
    for name in databases
        .iter()
        .filter(|name| name.starts_with("d_") && !acknowledged.contains(name))
    {
        for table in admin.column(&format!("SHOW TABLES IN {name}")).await {
            let partitions = admin.text(&format!("SHOW PARTITIONS {name}.{table}")).await;
            assert!(
                partitions.is_empty() || partitions == "p=1\np=2",
                "half an ADD PARTITION in {name}: {partitions}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn msck_that_is_killed_adds_all_partitions_or_none_and_runs_again() {
    const PARTITIONS: usize = 3_000;
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let row = parquet(&batch(&[("id", Values::Int(&[1]))]), 10);
    let first = dir.join("tests/many/p=0/f.parquet");
    std::fs::create_dir_all(first.parent().unwrap()).unwrap();
    std::fs::write(&first, row).unwrap();
    for i in 1..PARTITIONS {
        let folder = dir.join(format!("tests/many/p={i}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::hard_link(&first, folder.join("f.parquet")).unwrap();
    }
    let mut server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE many; CREATE EXTERNAL TABLE many.t (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION 's3://datalake/tests/many/'")
        .await;
    drop(admin);
    for wait in [5, 20, 60, 120] {
        let admin = server.connect("admin").await;
        let repairing =
            tokio::spawn(async move { admin.try_rows("MSCK REPAIR TABLE many.t").await });
        tokio::time::sleep(Duration::from_millis(wait)).await;
        server.kill();
        let acknowledged = repairing.await.unwrap().is_ok();
        server = Server::demo(&dir, &Options::small(), &[]);
        let found = server
            .connect("admin")
            .await
            .rows("SHOW PARTITIONS many.t")
            .await
            .len();
        assert!(
            found == 0 || found == PARTITIONS,
            "killed after {wait} ms: {found} partitions"
        );
        assert!(
            !acknowledged || found == PARTITIONS,
            "acknowledged and gone"
        );
    }
    let admin = server.connect("admin").await;
    admin.run("MSCK REPAIR TABLE many.t").await;
    assert_eq!(
        admin.number("SELECT count(*) FROM many.t").await,
        i64::try_from(PARTITIONS).unwrap()
    );
}

#[tokio::test]
async fn users_grants_and_history_survive_a_kill() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let mut server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    admin.run("CREATE USER late WITH PASSWORD 'a long enough secret'; GRANT SELECT ON TABLE curated.products TO late").await;
    server.kill();
    let server = Server::demo(&dir, &Options::small(), &[]);
    let late = server
        .connect_as("late", "a long enough secret", "awsdatacatalog")
        .await;
    assert!(late.number("SELECT count(*) FROM curated.products").await > 0);
}
