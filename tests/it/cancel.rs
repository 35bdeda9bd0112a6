//! Everything that cancels a query: its user, a client that disconnects, its time limit, KILL by
//! another user, `pg_cancel_backend` and `pg_terminate_backend`.

use std::time::{Duration, Instant};

use crate::harness::{Client, Door, Server, eventually, through_each_door};

/// Returns a query that runs until it is stopped. `/* name */` identifies it in the history:
/// comments inside a statement are part of its text.
fn forever(name: &str) -> String {
    FOREVER.replace("SELECT", &format!("SELECT /* {name} */"))
}

/// Runs until it is stopped, longer than any test waits.
const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";

async fn state_of(client: &Client, marker: &str) -> Option<String> {
    let states = client
        .column(&format!("SELECT state FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%'"))
        .await;
    states.into_iter().next()
}

async fn reached(client: &Client, marker: &str, state: &str) {
    eventually(&format!("the query to be {state}"), async || {
        (state_of(client, marker).await.as_deref() == Some(state)).then_some(())
    })
    .await;
}

async fn running(client: &Client, marker: &str) {
    reached(client, marker, "RUNNING").await;
}

async fn queued(client: &Client, marker: &str) {
    reached(client, marker, "QUEUED").await;
}

async fn cancel_request_stops_a_running_query_and_the_connection_goes_on(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let victim = door.connect(server, "admin").await;
    let marker = &format!("cancelled {door}");
    let sql = forever(marker);
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, marker).await;
        victim.cancel().await;
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(victim.value("SELECT 1").await, "1");
    // The query is recorded when its last thread ends.
    reached(&admin, marker, "CANCELLED").await;
}

/// Sends cancel requests until it is dropped.
async fn cancelling(client: &Client) {
    loop {
        client.cancel().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursor_whose_query_is_not_the_last_one_is_cancelled() {
    let victim = Server::shared().connect("admin").await;
    for statement in ["FETCH ALL FROM c", "MOVE ALL IN c"] {
        let sql = forever("of a cursor");
        let declared = format!("BEGIN; DECLARE c CURSOR FOR {sql}; SELECT 1");
        victim.run(&declared).await;
        let failure = tokio::select! {
            failure = victim.fails(statement) => failure,
            () = cancelling(&victim) => panic!("requests to cancel have no end"),
        };
        assert_eq!(failure.code, "57014", "{statement}");
        victim.run("ROLLBACK").await;
        victim.run(&declared).await;
        victim.run("SET statement_timeout = '100ms'").await;
        let failure = victim.fails(statement).await;
        assert_eq!(failure.code, "57014", "{statement}");
        failure.names(&["statement timeout"]);
        // The setting goes with the block.
        victim.run("ROLLBACK").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_between_two_statements_of_a_message_cancels_the_next_one() {
    let server = Server::private(&[]);
    let victim = server.connect("admin").await;
    for statement in ["SELECT 1;", "SET a.b = 'c';"] {
        // As long as a message may be.
        let message = statement.repeat(250_000 / statement.len());
        let mut is_cancelled = false;
        // The request may come after a quick machine has run all of them.
        for delay in [1000, 300, 100, 30, 10] {
            let request = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                victim.cancel().await;
            };
            let (done, ()) = tokio::join!(victim.raw().batch_execute(&message), request);
            let Err(error) = done else {
                // The request is not waited for.
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            };
            let code = error.code().map(|code| code.code().to_owned());
            assert_eq!(code.as_deref(), Some("57014"), "{error}");
            // It does not touch the next message.
            assert_eq!(victim.value("SELECT 1").await, "1");
            is_cancelled = true;
            break;
        }
        assert!(is_cancelled, "{statement}");
    }
}

async fn cancel_key_of_one_connection_does_not_touch_another(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let victim = door.connect(server, "admin").await;
    let other = door.connect(server, "admin").await;
    // Its cancel request applies to its own query, which has ended.
    other.run("SELECT 1").await;
    let marker = &format!("untouched {door}");
    let sql = forever(marker);
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, marker).await;
        other.cancel().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(state_of(&admin, marker).await.as_deref(), Some("RUNNING"));
        victim.cancel().await;
    });
    assert_eq!(failure.code, "57014");
}

async fn statement_timeout_ends_a_query_and_is_not_a_cancel_by_the_user(door: Door) {
    let admin = door.connect(Server::shared(), "admin").await;
    admin.run("SET statement_timeout = '200ms'").await;
    let failure = admin.fails(FOREVER).await;
    assert_eq!(failure.code, "57014");
    failure.names(&["timeout"]);
    admin.run("SET statement_timeout = 0").await;
    assert_eq!(admin.value("SELECT 1").await, "1");
}

async fn client_that_vanishes_takes_its_query_with_it_within_a_second(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let marker = &format!("vanished {door}");
    let sql = forever(marker);
    let script = match door {
        Door::Postgres => format!(
            "import psycopg\nc = psycopg.connect({:?}, autocommit=True)\nc.execute({sql:?})",
            server.dsn("admin", "awsdatacatalog"),
        ),
        Door::Flight => format!(
            "import adbc_driver_flightsql.dbapi as f\nfrom adbc_driver_flightsql import DatabaseOptions as O\n\
             c = f.connect({:?}, db_kwargs={{'username': 'admin', 'password': {:?}, O.TLS_ROOT_CERTS.value: open({:?}).read()}}, autocommit=True)\n\
             r = c.cursor()\nr.execute({sql:?})\nr.fetchall()",
            server.flight_uri(),
            server.password("admin"),
            server.ca_file(),
        ),
    };
    let mut client = tokio::process::Command::new(crate::harness::python::program("python"))
        .args(["-c", &script])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    running(&admin, marker).await;
    client.kill().await.unwrap();
    let gone = Instant::now();
    eventually("the query of a dead client to end", async || {
        state_of(&admin, marker)
            .await
            .filter(|state| state != "RUNNING")
    })
    .await;
    let took = gone.elapsed();
    // One second is allowed; the other absorbs disturbances of the test machine.
    assert!(took < Duration::from_secs(2), "noticed after {took:?} only");
}

async fn kill_query_is_for_its_owner_and_for_administrators(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let analyst = door.connect(server, "analyst").await;
    let scientist = door.connect(server, "scientist").await;
    let marker = &format!("killed {door}");
    let sql = forever(marker);
    let (failure, ()) = tokio::join!(analyst.fails(&sql), async {
        running(&admin, marker).await;
        let id = admin
            .value(&format!("SELECT query_id FROM system.queries WHERE query LIKE '%/* {marker} */%' AND state = 'RUNNING' AND query NOT LIKE '%system.queries%'"))
            .await;
        let refused = scientist.fails(&format!("KILL QUERY '{id}'")).await;
        let missing = scientist
            .fails("KILL QUERY '00000000-0000-0000-0000-000000000000'")
            .await;
        assert_eq!(
            refused.code, missing.code,
            "what is another's looks as if it were not there"
        );
        assert_eq!(state_of(&admin, marker).await.as_deref(), Some("RUNNING"));
        admin.run(&format!("KILL QUERY '{id}'")).await;
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(analyst.value("SELECT 1").await, "1");
}

async fn queries_beyond_the_concurrency_limit_wait_and_those_beyond_the_queue_are_refused(
    door: Door,
) {
    let limits = [
        ("LAKEGATE_QUERIES__MAX_CONCURRENT", "1"),
        ("LAKEGATE_QUERIES__MAX_QUEUED", "1"),
    ];
    let server = Server::private(&limits);
    let first = door.connect(&server, "admin").await;
    let second = door.connect(&server, "admin").await;
    let third = door.connect(&server, "admin").await;
    let sql = "SELECT sum(quantity) > 0 FROM curated.orders";

    // One query runs, the other waits, and the queue is full.
    let (one, other) = (forever("one"), forever("other"));
    let second_in_turn = async {
        running(&third, "one").await;
        second.fails(&other).await
    };
    let (one, other, ()) = tokio::join!(first.fails(&one), second_in_turn, async {
        // A query of the history does not queue behind them.
        queued(&third, "other").await;
        assert_eq!(third.fails(sql).await.code, "53400");
        assert_eq!(state_of(&third, "one").await.as_deref(), Some("RUNNING"));
        assert_eq!(state_of(&third, "other").await.as_deref(), Some("QUEUED"));
        second.cancel().await;
        first.cancel().await;
    });
    assert_eq!((one.code.as_str(), other.code.as_str()), ("57014", "57014"));
    eventually("both places to be free again", async || {
        third
            .try_rows("SELECT count(*) FROM curated.orders")
            .await
            .ok()
    })
    .await;

    // A waiting query runs as soon as a slot is free.
    let busy = forever("busy");
    let third_in_turn = async {
        running(&second, "busy").await;
        third
            .value(&sql.replace("SELECT", "SELECT /* patient */"))
            .await
    };
    let (stopped, answer, ()) = tokio::join!(first.fails(&busy), third_in_turn, async {
        queued(&second, "patient").await;
        first.cancel().await;
    });
    assert_eq!((stopped.code.as_str(), answer.as_str()), ("57014", "t"));
}

async fn session_is_cancelled_by_its_process_id(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let other = door.connect(server, "analyst").await;
    let victim = door.connect(server, "analyst").await;
    let pid = victim.number("SELECT pg_backend_pid()").await;
    let marker = &format!("cancelled by pid {door}");
    let sql = forever(marker);
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, marker).await;
        let active = format!(
            "SELECT state, usename, wait_event IS NULL, query LIKE '%{marker}%' FROM pg_stat_activity WHERE pid = {pid}"
        );
        assert_eq!(other.text(&active).await, "active|analyst|t|t");
        let cancel =
            format!("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = '{pid}'");
        assert_eq!(other.value(&cancel).await, "t");
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(victim.value("SELECT 1").await, "1");
    assert_eq!(victim.number("SELECT pg_backend_pid()").await, pid);
    reached(&admin, marker, "CANCELLED").await;
}

async fn session_is_terminated_by_its_process_id(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let victim = door.connect(server, "analyst").await;
    let pid = victim.number("SELECT pg_backend_pid()").await;
    let marker = &format!("terminated by pid {door}");
    let sql = forever(marker);
    let terminate = format!("SELECT pg_terminate_backend({pid}, 5000)");
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, marker).await;
        assert_eq!(admin.value(&terminate).await, "t");
        assert_eq!(admin.value(&terminate).await, "f", "it is over at once");
    });
    assert_eq!(failure.code, "57P01");
    if door == Door::Postgres {
        assert_eq!(failure.severity, "FATAL");
    }
    victim.fails("SELECT 1").await;
    reached(&admin, marker, "CANCELLED").await;
    let shown = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    assert_eq!(admin.number(&shown).await, 0);
}

async fn anothers_session_is_no_session(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let victim = door.connect(server, "analyst").await;
    let scientist = door.connect(server, "scientist").await;
    let pid = victim.number("SELECT pg_backend_pid()").await;
    let marker = &format!("not by strangers {door}");
    let sql = forever(marker);
    let (failure, ()) = tokio::join!(victim.fails(&sql), async {
        running(&admin, marker).await;
        for pid in [pid, 0, -1, i64::from(u32::MAX) + 1] {
            for function in ["pg_cancel_backend", "pg_terminate_backend"] {
                let call = format!("SELECT {function}({pid})");
                assert_eq!(scientist.value(&call).await, "f", "{call}");
            }
        }
        assert_eq!(
            scientist
                .number("SELECT count(*) FROM pg_stat_activity WHERE usename <> 'scientist'")
                .await,
            0
        );
        let ssl = format!("SELECT count(*) FROM pg_stat_ssl WHERE pid = {pid}");
        assert_eq!(scientist.number(&ssl).await, 0);
        assert_eq!(admin.number(&ssl).await, 1);
        assert_eq!(state_of(&admin, marker).await.as_deref(), Some("RUNNING"));
        victim.cancel().await;
    });
    assert_eq!(failure.code, "57014");
    assert_eq!(victim.value("SELECT 1").await, "1");
}

async fn query_of_a_view_neither_stops_its_readers_sessions_nor_sets_their_parameters(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    for (name, query) in [
        (
            "stops",
            "SELECT pg_terminate_backend(pid) AS sent FROM pg_stat_activity",
        ),
        (
            "sets",
            "SELECT set_config('search_path', 'raw', false) AS path",
        ),
    ] {
        let view = format!("analytics.{name}_of_{door}");
        admin.run(&format!("CREATE VIEW {view} AS {query}")).await;
        let refused = admin.fails(&format!("SELECT * FROM {view}")).await;
        assert_eq!(refused.code, "42501", "{view}: {refused:?}");
        refused.names(&["query of a view"]);
        admin.run(&format!("DROP VIEW {view}")).await;
    }
    assert_eq!(admin.value("SHOW search_path").await, "default");
}

through_each_door!(
    cancel_request_stops_a_running_query_and_the_connection_goes_on,
    cancel_key_of_one_connection_does_not_touch_another,
    statement_timeout_ends_a_query_and_is_not_a_cancel_by_the_user,
    client_that_vanishes_takes_its_query_with_it_within_a_second,
    kill_query_is_for_its_owner_and_for_administrators,
    queries_beyond_the_concurrency_limit_wait_and_those_beyond_the_queue_are_refused,
    session_is_cancelled_by_its_process_id,
    session_is_terminated_by_its_process_id,
    anothers_session_is_no_session,
    query_of_a_view_neither_stops_its_readers_sessions_nor_sets_their_parameters,
);
