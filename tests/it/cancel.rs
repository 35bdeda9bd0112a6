//! What stops a query before its end: its user, its client's death, its time, another's KILL.

use std::time::{Duration, Instant};

use crate::harness::{Client, Server, eventually};

/// `/* name */` tells one from another in the history: comments inside a statement are part of its text.
fn forever(name: &str) -> String {
    FOREVER.replace("SELECT", &format!("SELECT /* {name} */"))
}

/// Runs until it is stopped, for all that a test waits.
const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";

async fn state_of(client: &Client, marker: &str) -> Option<String> {
    let states = client
        .column(&format!("SELECT state FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%'"))
        .await;
    states.into_iter().next()
}

async fn running(client: &Client, marker: &str) {
    eventually("the query to run", async || {
        (state_of(client, marker).await.as_deref() == Some("RUNNING")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_request_stops_a_running_query_and_the_connection_goes_on() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let victim = server.connect("admin").await;
    let sql = forever("cancelled");
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, "cancelled").await;
        victim.cancel().await;
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(victim.value("SELECT 1").await, "1");
    assert_eq!(
        state_of(&admin, "cancelled").await.as_deref(),
        Some("CANCELLED")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_key_of_one_connection_does_not_touch_another() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let victim = server.connect("admin").await;
    let other = server.connect("admin").await;
    let sql = forever("untouched");
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, "untouched").await;
        other.cancel().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            state_of(&admin, "untouched").await.as_deref(),
            Some("RUNNING")
        );
        victim.cancel().await;
    });
    assert_eq!(failure.code, "57014");
}

#[tokio::test]
async fn statement_timeout_ends_a_query_and_is_not_a_cancel_by_the_user() {
    let admin = Server::shared().connect("admin").await;
    admin.run("SET statement_timeout = '200ms'").await;
    let failure = admin.fails(FOREVER).await;
    assert_eq!(failure.code, "57014");
    failure.names(&["timeout"]);
    admin.run("SET statement_timeout = 0").await;
    assert_eq!(admin.value("SELECT 1").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_vanishes_takes_its_query_with_it_within_a_second() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let script = format!(
        "import os, psycopg\nc = psycopg.connect({:?}, autocommit=True)\nprint('connected', flush=True)\nc.execute({:?})",
        server.dsn("admin", "awsdatacatalog"),
        forever("vanished")
    );
    let mut client = tokio::process::Command::new(crate::harness::python::program("python"))
        .args(["-c", &script])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    running(&admin, "vanished").await;
    client.kill().await.unwrap();
    let gone = Instant::now();
    eventually("the query of a dead client to end", async || {
        state_of(&admin, "vanished")
            .await
            .filter(|state| state != "RUNNING")
    })
    .await;
    let took = gone.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "noticed after {took:?} only"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_query_is_for_its_owner_and_for_administrators() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let analyst = server.connect("analyst").await;
    let scientist = server.connect("scientist").await;
    let sql = forever("killed");
    let (failure, ()) = tokio::join!(analyst.fails(&sql), async {
        running(&admin, "killed").await;
        let id = admin
            .value("SELECT query_id FROM system.queries WHERE query LIKE '%/* killed */%' AND state = 'RUNNING' AND query NOT LIKE '%system.queries%'")
            .await;
        let refused = scientist.fails(&format!("KILL QUERY '{id}'")).await;
        let missing = scientist
            .fails("KILL QUERY '00000000-0000-0000-0000-000000000000'")
            .await;
        assert_eq!(
            refused.code, missing.code,
            "what is another's looks as if it were not there"
        );
        assert_eq!(state_of(&admin, "killed").await.as_deref(), Some("RUNNING"));
        admin.run(&format!("KILL QUERY '{id}'")).await;
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(analyst.value("SELECT 1").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_beyond_the_concurrency_limit_wait_and_those_beyond_the_queue_are_refused() {
    let limits = [
        ("LAKEGATE_QUERIES__MAX_CONCURRENT", "1"),
        ("LAKEGATE_QUERIES__MAX_QUEUED", "1"),
    ];
    let server = Server::private(&limits);
    let first = server.connect("admin").await;
    let second = server.connect("admin").await;
    let third = server.connect("admin").await;
    let sql = "SELECT sum(quantity) > 0 FROM curated.orders";

    // One of the two runs, the other waits, and then there is no place to wait in.
    third.run("SET statement_timeout = '300ms'").await;
    let (one, other) = (forever("one"), forever("other"));
    let (one, other, ()) = tokio::join!(first.fails(&one), second.fails(&other), async {
        eventually("a query to be refused", async || {
            let failure = third.try_rows(sql).await.err()?;
            (failure.code == "53400").then_some(())
        })
        .await;
        // Who looks for the reason does not queue behind it.
        let queries = "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* o%' AND query NOT LIKE '%system.queries%'";
        assert_eq!(third.number(queries).await, 1);
        first.cancel().await;
        second.cancel().await;
    });
    assert_eq!((one.code.as_str(), other.code.as_str()), ("57014", "57014"));

    // Who waits gets an answer as soon as there is a place.
    third.run("RESET statement_timeout").await;
    let busy = forever("busy");
    let (stopped, answer, ()) = tokio::join!(first.fails(&busy), third.value(sql), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.cancel().await;
    });
    assert_eq!((stopped.code.as_str(), answer.as_str()), ("57014", "t"));
}
