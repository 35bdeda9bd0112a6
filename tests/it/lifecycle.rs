//! Starting, draining and limits.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::harness::{Server, eventually, server};

const SLOW: &str = "SELECT count(*) FROM generate_series(1, 30000) a(x), generate_series(1, 30000) b(y) WHERE x + y > 100";
const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";

async fn is_running(client: &crate::harness::Client, marker: &str) {
    eventually("the query to run", async || {
        let count = client
            .number(&format!("SELECT count(*) FROM system.queries WHERE query LIKE '%/* {marker} */%' AND state = 'RUNNING' AND query NOT LIKE '%system.queries%'"))
            .await;
        (count > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_running_queries_end_and_refuses_new_ones_clearly() {
    let mut server = Server::private(&[("LAKEGATE_SERVER__GRACE_PERIOD", "50s")]);
    let busy = server.connect("admin").await;
    let idle = server.connect("admin").await;
    let sql = SLOW.replace("SELECT", "SELECT /* drained */");
    let (answer, ()) = tokio::join!(busy.rows(&sql), async {
        is_running(&idle, "drained").await;
        server.signal("TERM");
        let refused = eventually("new queries to be refused", async || {
            idle.try_rows("SELECT 1").await.err()
        })
        .await;
        assert!(
            refused.code == "57P01" || refused.code == "none",
            "{refused:?}"
        );
        let new = server
            .try_connect("admin", server.password("admin"), "awsdatacatalog")
            .await;
        assert!(new.is_err(), "a draining server takes no new connections");
    });
    assert_eq!(answer.len(), 1, "the running query got its answer");
    assert!(server.wait().success(), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_period_ends_for_a_query_that_does_not() {
    let mut server = Server::private(&[("LAKEGATE_SERVER__GRACE_PERIOD", "1s")]);
    let busy = server.connect("admin").await;
    let watcher = server.connect("admin").await;
    let sql = FOREVER.replace("SELECT", "SELECT /* too long */");
    let (failure, ()) = tokio::join!(busy.fails(&sql), async {
        is_running(&watcher, "too long").await;
        server.signal("TERM");
    });
    assert!(
        ["57P01", "57014", "none"].contains(&failure.code.as_str()),
        "{failure:?}"
    );
    assert!(server.wait().success(), "{}", server.log());
}

#[tokio::test]
async fn readiness_ends_with_sigterm_before_the_process_does() {
    let mut server = Server::private(&[("LAKEGATE_SERVER__GRACE_PERIOD", "20s")]);
    assert_eq!(server.http_get("/health/ready").0, 200);
    server.signal("TERM");
    assert!(server.wait().success());
}

#[tokio::test]
async fn connections_beyond_the_limit_get_a_clear_error() {
    let server = Server::private(&[("LAKEGATE_SERVER__MAX_CONNECTIONS", "3")]);
    let mut open = Vec::new();
    let refused = loop {
        match server
            .try_connect("admin", server.password("admin"), "awsdatacatalog")
            .await
        {
            Ok(client) => open.push(client),
            Err(failure) => break failure,
        }
        assert!(open.len() <= 3, "no limit");
    };
    assert_eq!(refused.code, "53300", "{refused:?}");
    assert_eq!(open.len(), 3);
    open.pop();
    // The slot is free once the server has noticed the disconnect.
    eventually("a place", async || {
        server
            .try_connect("admin", server.password("admin"), "awsdatacatalog")
            .await
            .ok()
    })
    .await;
}

#[tokio::test]
async fn history_persists_over_a_restart() {
    let temp = crate::harness::lake::copy(&crate::harness::Options::small());
    let dir = temp.path().join("lake");
    let mut first = Server::demo(&dir, &crate::harness::Options::small(), &[]);
    first
        .connect("admin")
        .await
        .run("SELECT 'remember me'")
        .await;
    first.signal("TERM");
    first.wait();
    let second = Server::demo(&dir, &crate::harness::Options::small(), &[]);
    let admin = second.connect("admin").await;
    let sql = "SELECT state FROM system.queries WHERE query = 'SELECT ''remember me'''";
    assert_eq!(admin.value(sql).await, "SUCCEEDED");
}

#[tokio::test]
async fn backup_of_a_running_server_is_a_catalog_to_serve_from() {
    let temp = tempfile::tempdir().unwrap();
    let lake = temp.path().join("lake");
    std::fs::create_dir(&lake).unwrap();
    let roots = format!("[[lake.roots]]\nurl = \"s3://datalake/\"\npath = {lake:?}\n");
    let (mut server, admin) = server::serving(temp.path(), &roots).await;
    admin
        .run("CREATE DATABASE kept; CREATE EXTERNAL TABLE kept.t (a INT) PARTITIONED BY (b INT) STORED AS PARQUET LOCATION 's3://datalake/t/'; ALTER TABLE kept.t ADD PARTITION (b = 1)")
        .await;
    let configuration = temp.path().join("lakegate.toml");
    let copy = temp.path().join("copy.db");
    let backup = |more: &[&str]| {
        let mut arguments = vec!["backup", "--config", configuration.to_str().unwrap()];
        arguments.extend(["--to", copy.to_str().unwrap()]);
        arguments.extend(more);
        let (status, _, stderr) = Server::command(&arguments, "");
        (status.success(), stderr)
    };
    let (done, why) = backup(&[]);
    assert!(done, "{why}");
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The server still runs. An existing file is replaced only on request.
    admin.run("CREATE DATABASE also_kept").await;
    let (done, why) = backup(&[]);
    assert!(!done && why.contains("--overwrite"), "{why}");
    let (done, why) = backup(&["--overwrite"]);
    assert!(done, "{why}");
    admin.run("CREATE DATABASE later").await;
    let password = server.password("admin").to_owned();
    drop(admin);
    server.signal("TERM");
    assert!(server.wait().success());

    let second = temp.path().join("second");
    std::fs::create_dir_all(second.join("state")).unwrap();
    std::fs::rename(&copy, second.join("state/catalog.db")).unwrap();
    let text = std::fs::read_to_string(&configuration).unwrap();
    let text = text.replace(
        &format!("{:?}", temp.path().join("state")),
        &format!("{:?}", second.join("state")),
    );
    let configuration = second.join("lakegate.toml");
    std::fs::write(&configuration, text).unwrap();
    let restored = Server::serve(&second, &configuration, &[]);
    let admin = restored
        .connect_as("admin", &password, "awsdatacatalog")
        .await;
    assert_eq!(
        admin
            .text("SHOW DATABASES")
            .await
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["also_kept", "kept"]
    );
    assert_eq!(admin.value("SHOW PARTITIONS kept.t").await, "b=1");
    assert_eq!(admin.value("SELECT count(*) FROM kept.t").await, "0");
}

#[tokio::test]
async fn unknown_setting_and_missing_configuration_are_errors_that_name_them() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("lakegate.toml");
    std::fs::write(&file, "[engine]\nbatchsize = 3\n").unwrap();
    let (status, _, stderr) = Server::command(&["serve", "--config", file.to_str().unwrap()], "");
    assert!(
        !status.success() && stderr.contains("batchsize"),
        "{stderr}"
    );
    let (status, _, stderr) = Server::command(&["serve", "--config", "/no/such/file.toml"], "");
    assert!(
        !status.success() && stderr.contains("/no/such/file.toml"),
        "{stderr}"
    );
}

#[tokio::test]
async fn memory_limit_is_a_clear_error_or_a_spill_and_never_the_end_of_the_server() {
    let server = Server::private(&[
        ("LAKEGATE_ENGINE__MEMORY_LIMIT", "24MiB"),
        ("LAKEGATE_ENGINE__SPILL_LIMIT", "64MiB"),
    ]);
    let admin = server.connect("admin").await;
    // Sorts and joins spill, up to a limit.
    let sorted = "SELECT sum(rn) FROM (SELECT row_number() OVER (ORDER BY md5(CAST(x AS VARCHAR))) rn FROM generate_series(1, 300000) t(x)) s";
    match admin.try_rows(sorted).await {
        Ok(rows) => assert_eq!(rows[0][0].as_deref(), Some("45000150000")),
        Err(failure) => assert!(
            failure.code == "53200" || failure.code == "53100",
            "{failure:?}"
        ),
    }
    let joined = "SELECT count(*) FROM (SELECT x, repeat(md5(CAST(x AS VARCHAR)), 20) p FROM generate_series(1, 300000) t(x)) a
                  JOIN (SELECT x, repeat(md5(CAST(x AS VARCHAR)), 20) p FROM generate_series(1, 300000) t(x)) b ON a.x = b.x AND a.p <> b.p || 'z'";
    let failure = tokio::time::timeout(Duration::from_secs(60), admin.fails(joined))
        .await
        .unwrap();
    assert!(
        failure.code == "53200" || failure.code == "53100",
        "{failure:?}"
    );
    assert_eq!(admin.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn joins_of_more_rows_than_memory_spill() {
    let server = Server::private(&[("LAKEGATE_ENGINE__MEMORY_LIMIT", "48MiB")]);
    let admin = server.connect("admin").await;
    // More than 60 MB on each side, and more than 30 MB in each of two partitions.
    let side = |from: u32, name: &str| {
        format!(
            "(SELECT x, repeat(md5(CAST(x AS VARCHAR)) || md5(CAST(x + 1 AS VARCHAR)), 5) AS p
              FROM generate_series({from}, {from} + 199999) t(x)) {name}"
        )
    };
    let (left, right) = (side(1, "a"), side(101, "b"));
    for (joined, expected) in [
        (
            format!(
                "SELECT count(*), min(a.x), max(b.x), sum(length(a.p || b.p))
                 FROM {left} JOIN {right} ON a.x = b.x WHERE a.p <> b.p || 'z'"
            ),
            ["199900", "101", "200000", "127936000"],
        ),
        (
            format!(
                "SELECT count(*), count(a.x), count(b.x), sum(length(coalesce(a.p, b.p)))
                 FROM {left} FULL JOIN {right} ON a.x = b.x"
            ),
            ["200100", "200000", "200000", "64032000"],
        ),
    ] {
        let rows = tokio::time::timeout(Duration::from_secs(300), admin.try_rows(&joined));
        let rows = rows.await.unwrap().unwrap();
        let row: Vec<Option<&str>> = rows[0].iter().map(Option::as_deref).collect();
        assert_eq!(row, expected.map(Some));
    }
}
