//! Limits per query, client and user: processor time, run time, rows, slots and connections. Other
//! clients are not affected.

mod connections;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    CommandStatementIngest, TableDefinitionOptions, TableExistsOption, TableNotExistOption,
};
use futures::{SinkExt, StreamExt};

use crate::harness::flight::status;
use crate::harness::{Client, Door, Failure, Server, eventually, through_each_door};

/// Runs until it is stopped.
const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";
/// A hash join in which each row of one side matches each row of the other: 10^12 rows.
const EXPLODES: &str = "SELECT count(*) FROM (SELECT x % 1 AS k FROM generate_series(1, 1000000) t(x)) a JOIN (SELECT x % 1 AS k FROM generate_series(1, 1000000) t(x)) b ON a.k = b.k";
/// Endless rows of 320 bytes, from the start.
const WIDE: &str = "SELECT repeat(md5(CAST(a.x AS VARCHAR)), 10) FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";
/// Needs a slot, because it reads the lake.
const OF_THE_LAKE: &str = "SELECT count(*) > 0 FROM curated.orders";

fn marked(sql: &str, marker: &str) -> String {
    sql.replacen("SELECT", &format!("SELECT /* {marker} */"), 1)
}

/// Returns columns of the history of a marked query.
async fn recorded(client: &Client, columns: &str, marker: &str) -> String {
    client
        .text(&format!(
            "SELECT {columns} FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%'"
        ))
        .await
}

async fn reached(client: &Client, marker: &str, state: &str) {
    eventually(&format!("the query to be {state}"), async || {
        (recorded(client, "state", marker).await == state).then_some(())
    })
    .await;
}

/// Returns the number before a word in an error message.
fn figure(failure: &Failure, word: &str) -> f64 {
    let before = failure.message.split(word).next().unwrap();
    let number = before.split_whitespace().next_back().unwrap();
    number.parse().unwrap()
}

async fn each_limit_names_the_figure_and_the_limit_and_null_lifts_it(door: Door) {
    let server = Server::private(&[]);
    // The statements of this session have the limits of primary.
    let watch = door.connect(&server, "admin").await;
    let admin = door.connect(&server, "admin").await;
    admin
        .run_each(&[
            "CREATE WORKGROUP small WITH (cpu_time_limit_per_query = '300ms')",
            "SET result_reuse = off",
            "SET workgroup = 'small'",
        ])
        .await;
    let failure = admin.fails(&marked(FOREVER, "by cpu")).await;
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["CPU time", "workgroup \"small\" allows 0.3 s"]);
    assert!(figure(&failure, " s of CPU time") > 0.3, "{failure:?}");
    // The query is recorded when its last thread ends.
    reached(&watch, "by cpu", "CANCELLED").await;
    let record = recorded(&watch, "state, error_code, cpu_time_ms >= 300", "by cpu").await;
    assert_eq!(
        record.replace("|true", "|t"),
        "CANCELLED|EXCEEDED_CPU_LIMIT|t"
    );

    watch
        .run("ALTER WORKGROUP small SET (cpu_time_limit_per_query = NULL, run_time_limit_per_query = '300ms')")
        .await;
    let failure = admin.fails(&marked(FOREVER, "by time")).await;
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["query ran for", "workgroup \"small\" allows 0.3 s"]);
    assert!(figure(&failure, " s; workgroup") > 0.3, "{failure:?}");
    reached(&watch, "by time", "CANCELLED").await;
    assert_eq!(
        recorded(&watch, "state, error_code", "by time").await,
        "CANCELLED|EXCEEDED_RUN_TIME_LIMIT"
    );

    watch
        .run("ALTER WORKGROUP small SET (run_time_limit_per_query = NULL, rows_returned_limit_per_query = 10)")
        .await;
    let rows = |count| format!("SELECT x FROM generate_series(1, {count}) t(x)");
    assert_eq!(admin.rows(&rows(10)).await.len(), 10);
    let failure = admin.fails(&marked(&rows(11), "by rows")).await;
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["more than 10 rows", "workgroup \"small\" allows 10"]);
    reached(&watch, "by rows", "CANCELLED").await;
    assert_eq!(
        recorded(&watch, "state, error_code, rows", "by rows").await,
        "CANCELLED|EXCEEDED_ROWS_RETURNED_LIMIT|10"
    );
    // Catalog queries of tools may return more rows than the limit allows.
    assert!(
        admin
            .rows("SELECT typname FROM pg_catalog.pg_type")
            .await
            .len()
            > 10
    );
    // The session's timeout ends the query before a distant limit does.
    watch
        .run("ALTER WORKGROUP small SET (rows_returned_limit_per_query = NULL, cpu_time_limit_per_query = '1h')")
        .await;
    assert_eq!(admin.rows(&rows(11)).await.len(), 11);
    admin.run("SET statement_timeout = '500ms'").await;
    let failure = admin.fails(FOREVER).await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    failure.names(&["statement timeout"]);
}

async fn join_that_explodes_is_stopped_by_its_processor_time(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run_each(&[
            "CREATE WORKGROUP small WITH (cpu_time_limit_per_query = '1s')",
            "SET workgroup = 'small'",
        ])
        .await;
    let failure = admin.fails(EXPLODES).await;
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["CPU time", "allows 1 s"]);
}

/// Returns the user and system time of a process, in milliseconds.
fn process_time(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks * 10.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_of_many_threads_is_counted_whole() {
    let server = Server::private(&[("LAKEGATE_ENGINE__THREADS", "4")]);
    let admin = server.connect("admin").await;
    let work = "SELECT x % 1000, count(*), sum(length(repeat(md5(CAST(x AS VARCHAR)), 3))) FROM generate_series(1, 1500000) t(x) GROUP BY 1";
    let before = process_time(server.pid());
    assert_eq!(admin.rows(&marked(work, "whole")).await.len(), 1000);
    let used = process_time(server.pid()) - before;
    let counted: f64 = recorded(&admin, "cpu_time_ms", "whole")
        .await
        .parse()
        .unwrap();
    assert!(
        counted > used * 0.7 && counted < used * 1.1 + 50.0,
        "{counted} ms counted of {used} ms"
    );
    let plan = admin.text(&format!("EXPLAIN ANALYZE {work}")).await;
    let line = plan
        .lines()
        .find_map(|line| line.strip_prefix("CPU time: "))
        .unwrap();
    let shown: f64 = line.strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(
        shown > counted * 0.3,
        "{shown} ms shown, {counted} ms before"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_up_to_the_limit_are_given_and_the_error_comes_in_the_place_of_the_next() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE WORKGROUP small WITH (rows_returned_limit_per_query = 10); SET workgroup = 'small'")
        .await;
    let sql = "SELECT x FROM generate_series(1, 100) t(x)";
    let mut given = 0;
    let no_parameters: [&str; 0] = [];
    let mut rows = std::pin::pin!(admin.raw().query_raw(sql, no_parameters).await.unwrap());
    let failure = loop {
        match rows.next().await.unwrap() {
            Ok(_) => given += 1,
            Err(error) => break Failure::of(&error),
        }
    };
    assert_eq!((given, failure.code.as_str()), (10, "54000"), "{failure:?}");

    // All rows of a cursor count together.
    admin
        .run(&format!("BEGIN; DECLARE c CURSOR FOR {sql}"))
        .await;
    assert_eq!(admin.rows("FETCH 6 FROM c").await.len(), 6);
    assert_eq!(admin.rows("FETCH 4 FROM c").await.len(), 4);
    assert_eq!(admin.fails("FETCH 1 FROM c").await.code, "54000");
    admin.run("ROLLBACK").await;

    // The same through the other door.
    let mut flight = server.flight("admin").await;
    flight
        .sql
        .execute_update("SET workgroup = 'small'".to_owned(), None)
        .await
        .unwrap();
    let ticket = flight.ticket(sql).await.unwrap();
    let mut stream = flight.sql.do_get(ticket).await.unwrap();
    let (mut given, mut failure) = (0, None);
    while let Some(next) = stream.next().await {
        match next {
            Ok(batch) => given += batch.num_rows(),
            Err(error) => failure = Some(status(error)),
        }
    }
    let failure = failure.unwrap();
    assert_eq!(
        (given, failure.code()),
        (10, tonic::Code::ResourceExhausted),
        "{failure:?}"
    );
}

async fn one_user_does_not_take_all_places(door: Door) {
    let server = Server::private(&[("LAKEGATE_QUERIES__MAX_CONCURRENT", "2")]);
    let first = door.connect(&server, "analyst").await;
    let second = door.connect(&server, "analyst").await;
    let admin = door.connect(&server, "admin").await;
    let other = door.connect(&server, "scientist").await;
    let (one, two) = (marked(FOREVER, "first"), marked(FOREVER, "second"));
    let second_in_turn = async {
        reached(&admin, "first", "RUNNING").await;
        second.fails(&two).await
    };
    let (_, _, ()) = tokio::join!(first.fails(&one), second_in_turn, async {
        reached(&admin, "second", "QUEUED").await;
        assert_eq!(other.value(OF_THE_LAKE).await, "t");
        assert_eq!(recorded(&admin, "state", "second").await, "QUEUED");
        // When one of the user's queries ends, the next of the same user runs.
        first.cancel().await;
        reached(&admin, "second", "RUNNING").await;
        second.cancel().await;
    });
}

fn one_permit() -> Server {
    Server::private(&[
        ("LAKEGATE_QUERIES__MAX_CONCURRENT", "1"),
        ("LAKEGATE_QUERIES__MAX_STALL", "1s"),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_portals_and_results_that_nobody_reads_give_their_place_back() {
    let server = one_permit();
    let other = server.connect("scientist").await;
    other.run("SET result_reuse = off").await;

    let holder = server.connect("analyst").await;
    holder
        .run(&format!(
            "BEGIN; DECLARE c CURSOR FOR {}",
            marked(WIDE, "cursor")
        ))
        .await;
    assert_eq!(holder.rows("FETCH 1 FROM c").await.len(), 1);
    assert_eq!(other.value(OF_THE_LAKE).await, "t");
    let failure = holder.fails("FETCH 100000 FROM c").await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    failure.names(&["did not read for 1 s"]);
    let admin = server.connect("admin").await;
    assert_eq!(
        recorded(&admin, "state, error_code", "cursor").await,
        "CANCELLED|CLIENT_STALLED"
    );

    let mut holder = server.connect("analyst").await;
    let transaction = holder.raw_mut().transaction().await.unwrap();
    let portal = transaction
        .bind(&marked(WIDE, "portal"), &[])
        .await
        .unwrap();
    assert_eq!(transaction.query_portal(&portal, 1).await.unwrap().len(), 1);
    assert_eq!(other.value(OF_THE_LAKE).await, "t");
    let failure = transaction
        .query_portal(&portal, 100_000)
        .await
        .err()
        .unwrap();
    assert_eq!(Failure::of(&failure).code, "57014", "{failure:?}");
    drop(transaction);

    // Like psql while its user looks at the first page.
    let holder = server.connect("analyst").await;
    let no_parameters: [&str; 0] = [];
    let mut rows = std::pin::pin!(holder.raw().query_raw(WIDE, no_parameters).await.unwrap());
    rows.next().await.unwrap().unwrap();
    assert_eq!(other.value(OF_THE_LAKE).await, "t");
    let failure = loop {
        if let Err(error) = rows.next().await.unwrap() {
            break Failure::of(&error);
        }
    };
    failure.names(&["did not read for"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_that_nobody_reads_by_flight_give_their_place_back() {
    let server = one_permit();
    let other = server.connect("scientist").await;
    other.run("SET result_reuse = off").await;
    let mut flight = server.flight("analyst").await;
    let ticket = flight.ticket(WIDE).await.unwrap();
    let mut unread = flight.sql.do_get(ticket).await.unwrap();
    unread.next().await.unwrap().unwrap();
    assert_eq!(other.value(OF_THE_LAKE).await, "t");
    let failure = loop {
        if let Err(error) = unread.next().await.unwrap() {
            break status(error);
        }
    };
    assert!(failure.message().contains("did not read"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_whose_clients_stop_sending_give_their_places_back() {
    let server = one_permit();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE stalled LOCATION 's3://datalake/tests/stalled/'")
        .await;
    let rows = || {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        RecordBatch::try_from_iter([("id", ids)]).unwrap()
    };
    let into = |table: &str| CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Create.into(),
            if_exists: TableExistsOption::Append.into(),
        }),
        table: table.to_owned(),
        schema: Some("stalled".to_owned()),
        ..CommandStatementIngest::default()
    };
    // More calls than there are slots.
    let mut calls = Vec::new();
    for number in 0..5 {
        let mut flight = server.flight("admin").await;
        let command = into(&format!("t{number}"));
        let (mut sender, receiver) =
            futures::channel::mpsc::channel::<Result<RecordBatch, FlightError>>(1);
        sender.send(Ok(rows())).await.unwrap();
        let call = tokio::spawn(async move { flight.sql.execute_ingest(command, receiver).await });
        calls.push((sender, call));
    }
    for (sender, call) in calls {
        let failure = status(call.await.unwrap().unwrap_err());
        assert!(
            failure.message().contains("did not send for"),
            "{failure:?}"
        );
        drop(sender);
    }
    let mut flight = server.flight("admin").await;
    let all = futures::stream::iter([Ok(rows())]);
    let written = flight.sql.execute_ingest(into("whole"), all).await.unwrap();
    assert_eq!(written, 3);
    assert_eq!(admin.value("SELECT count(*) FROM stalled.whole").await, "3");
}

/// Returns a query that runs longer than any test waits and can be cached, so equal queries wait
/// for it.
fn shared(marker: &str) -> String {
    let orders = "(SELECT total FROM curated.orders ORDER BY order_id LIMIT 1000)";
    let pairs = format!("(SELECT a.total + b.total AS t FROM {orders} a, {orders} b)");
    format!("SELECT /* {marker} */ count(*) FROM {pairs} l, {pairs} r WHERE l.t + r.t > 0")
}

async fn run_whose_leader_leaves_is_charged_to_who_waits_for_it(door: Door) {
    let server = Server::private(&[]);
    let leader = door.connect(&server, "admin").await;
    let follower = door.connect(&server, "admin").await;
    let admin = door.connect(&server, "admin").await;
    follower
        .run_each(&[
            "CREATE WORKGROUP small WITH (cpu_time_limit_per_query = '600ms')",
            "SET workgroup = 'small'",
        ])
        .await;
    // Results over files younger than two seconds are not stored, so they are not shared.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (one, other) = (shared("leads"), shared("follows"));
    let follows = async {
        reached(&admin, "leads", "RUNNING").await;
        follower.fails(&other).await
    };
    let (_, failure, ()) = tokio::join!(leader.fails(&one), follows, async {
        reached(&admin, "follows", "QUEUED").await;
        // Waits until the run has used more processor time than the follower's limit allows.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(recorded(&admin, "state", "follows").await, "QUEUED");
        leader.cancel().await;
    });
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["CPU time", "allows 0.6 s"]);
    let record = recorded(&admin, "cache_hit OR cpu_time_ms < 600", "follows").await;
    assert!(record == "f" || record == "false", "{record}");
}

through_each_door!(
    each_limit_names_the_figure_and_the_limit_and_null_lifts_it,
    join_that_explodes_is_stopped_by_its_processor_time,
    one_user_does_not_take_all_places,
    run_whose_leader_leaves_is_charged_to_who_waits_for_it,
);
