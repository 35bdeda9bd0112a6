//! Planning and parsing stop too, and keep nobody else waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{MANY, MEDIAN, SOON, WORST};
use crate::harness::{Server, eventually};

/// Returns a statement of 200 KB that takes long to plan.
fn hard_to_plan(name: &str) -> String {
    let condition: String = (0..400)
        .map(|n| format!("(a.x + {n}) % 7 = b.k OR "))
        .collect();
    let tables: String = (0..40).map(|n| format!(", b AS b{n}")).collect();
    let columns: String = (0..16)
        .map(|n| format!("{condition}a.x = {n} AS c{n}, "))
        .collect();
    format!("EXPLAIN {MANY}SELECT /* {name} */ {columns}1 FROM a, b{tables} WHERE {condition}false")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_stops_and_nobody_waits_for_it() {
    let limit = [("LAKEGATE_QUERIES__MAX_PLANNING_TIME", "1s")];
    let server = Server::private(&limit);
    let admin = Arc::new(server.connect("admin").await);
    let other = server.connect("analyst").await;
    let before = Instant::now();
    let planned = tokio::spawn({
        let admin = Arc::clone(&admin);
        async move { admin.try_rows(&hard_to_plan("hard")).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..3 {
        let asked = Instant::now();
        other.value("SELECT 1").await;
        assert_eq!(server.http_get("/health/live").0, 200);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
    let answer = planned.await.unwrap();
    assert!(
        before.elapsed() < Duration::from_secs(4),
        "{:?}",
        before.elapsed()
    );
    if let Err(failure) = answer {
        assert_eq!(failure.code, "57014", "{failure:?}");
        failure.names(&["max_planning_time"]);
    }
    server.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_of_what_is_no_query_yet_is_found_and_killed() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("analyst").await;
    for by_name in [false, true] {
        let name = format!("prepared_{by_name}");
        let hard = hard_to_plan("hard").replacen("EXPLAIN ", "", 1);
        let hard = hard.replacen("1 FROM a", &format!("1 AS {name} FROM a"), 1);
        let preparing = async {
            match by_name {
                true => other.fails(&format!("PREPARE hard AS {hard}")).await.code,
                false => {
                    let failed = other.raw().prepare(&hard).await.unwrap_err();
                    failed.code().unwrap().code().to_owned()
                }
            }
        };
        let found = format!(
            "SELECT query_id FROM system.queries WHERE query LIKE '%AS {name} %' AND query NOT LIKE '%system.queries%' AND completed_at IS NULL"
        );
        let killing = async {
            let id = eventually("the planning to be shown", async || {
                admin.column(&found).await.into_iter().next()
            })
            .await;
            admin.run(&format!("KILL QUERY '{id}'")).await;
            id
        };
        let (code, id) = tokio::join!(preparing, killing);
        assert_eq!(code, "57014");
        server.quiet().await;
        let state = format!("SELECT state FROM system.queries WHERE query_id = '{id}'");
        assert_eq!(admin.value(&state).await, "CANCELLED");
        assert_eq!(other.value("SELECT 1").await, "1");
    }
}

/// The texts have the maximum length, which takes long to parse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_long_texts_to_be_parsed() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut senders = Vec::new();
    for _ in 0..6 {
        let (client, stop) = (server.connect("analyst").await, Arc::clone(&stop));
        senders.push(tokio::spawn(async move {
            let text = format!("SELECT {}~", "a,".repeat(125_000));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(client.fails(&text).await.code, "42601");
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut waits = Vec::new();
    for _ in 0..10 {
        let before = Instant::now();
        admin.run("SHOW DATABASES").await;
        waits.push(before.elapsed());
        let before = Instant::now();
        assert_eq!(server.http_get("/health/live").0, 200);
        waits.push(before.elapsed());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    waits.sort();
    let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    assert!(median < MEDIAN, "{median:?} at the median");
    assert!(worst < WORST, "{worst:?} at the worst");
}

/// Expressions of the maximum depth are planned, run and dropped, or refused; no thread's stack
/// overflows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_expressions_end_no_thread() {
    let server = Server::private(&[]);
    let client = server.connect("analyst").await;
    let row = |operator: &str| ["x"; 1_900].join(operator);
    let chain = |operator: &str, steps: usize| {
        let mut sql = "WITH c0 AS (SELECT x, x AS y FROM t)".to_owned();
        for step in 1..=steps {
            let rest = ["y"; 1_500].join(operator);
            sql += &format!(
                ", c{step} AS (SELECT x {operator} {rest} AS x, y FROM c{})",
                step - 1
            );
        }
        format!("{sql} SELECT count(*) FROM c{steps} WHERE x IS NOT NULL")
    };
    for kind in ["bigint", "varchar"] {
        let operator = if kind == "varchar" { " || " } else { " + " };
        let source =
            format!("(SELECT CAST(x % 2 AS {kind}) AS x FROM generate_series(1, 100) s(x)) t");
        for sql in [
            format!("SELECT max({}) FROM {source}", row(operator)),
            chain(operator, 3).replace("FROM t)", &format!("FROM {source})")),
        ] {
            if let Err(failure) = client.try_rows(&sql).await {
                assert!(
                    ["54001", "22003", "54000", "57014", "42601"].contains(&&*failure.code),
                    "{kind}: {failure:?}"
                );
            }
        }
        let condition = ["x = x"; 900].join(" AND ");
        client
            .rows(&format!("SELECT count(*) FROM {source} WHERE {condition}"))
            .await;
        let condition = ["x < x"; 900].join(" OR ");
        client
            .rows(&format!("SELECT count(*) FROM {source} WHERE {condition}"))
            .await;
    }
    assert_eq!(client.value("SELECT 1").await, "1");
}
