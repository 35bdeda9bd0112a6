//! Clients that hold resources: they never read, vanish, never close, or log in endlessly. The
//! resources that they hold are bounded and are freed again, and other clients are not affected.

use std::time::Duration;

use arrow_flight::sql::ActionCreatePreparedStatementRequest;

use super::*;

/// The maximum memory, in bytes, of a statement that a client does not close.
const PER_STATEMENT: u64 = 32 * 1024;
/// The longest wait of a test's client.
const WAIT: Duration = Duration::from_secs(30);

/// Endless rows of 320 bytes, from the start.
const WIDE: &str = "SELECT repeat(md5(CAST(a.x AS VARCHAR)), 10) FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";

async fn in_time<T>(what: &str, doing: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(WAIT, doing).await;
    done.unwrap_or_else(|_| panic!("waited {WAIT:?} for: {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_hold_their_scans_back_and_are_cut_off() {
    let server = Server::private(&[("LAKEGATE_QUERIES__MAX_STALL", "3s")]);
    let admin = server.connect("admin").await;
    let mut analyst = server.flight("analyst").await;
    let before = server.resident();
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut flight = server.flight("admin").await;
        let ticket = flight.ticket(&marked(WIDE, "flight unread")).await.unwrap();
        let mut stream = flight.sql.do_get(ticket).await.unwrap();
        stream.next().await.unwrap().unwrap();
        unread.push((flight, stream));
    }
    let count = "SELECT count(*) FROM curated.orders";
    in_time("another user's query", analyst.run(count)).await;
    let states = "SELECT DISTINCT state FROM system.queries WHERE query LIKE '%/* flight unread */%' AND query NOT LIKE '%system.queries%'";
    let most = std::cell::Cell::new(0);
    eventually("the unread streams to end", async || {
        most.set(server.resident().saturating_sub(before).max(most.get()));
        (admin.text(states).await == "CANCELLED").then_some(())
    })
    .await;
    let most = most.get();
    assert!(
        most < 512 << 20,
        "{most} bytes more while nothing was read of 8 streams"
    );
    for (_, mut stream) in unread {
        let mut ended = None;
        while let Some(next) = in_time("the end of an unread stream", stream.next()).await {
            if let Err(error) = next {
                ended = Some(status(error));
            }
        }
        let ended = ended.unwrap();
        assert!(ended.message().contains("did not read"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_vanishes_in_the_middle_of_a_stream_frees_its_place() {
    let server = Server::private(&[
        ("LAKEGATE_QUERIES__MAX_CONCURRENT", "1"),
        ("LAKEGATE_QUERIES__MAX_QUEUED", "1"),
    ]);
    let admin = server.connect("admin").await;
    let ended = std::thread::scope(|scope| {
        let vanishing = scope.spawn(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let mut flight = server.flight("analyst").await;
                let query = marked(ENDLESS, "flight vanished");
                let ticket = flight.ticket(&query).await.unwrap();
                let mut stream = flight.sql.do_get(ticket).await.unwrap();
                stream.next().await.unwrap().unwrap();
                // No orderly close: the sockets close when the runtime ends.
                std::mem::forget(stream);
            });
            runtime.shutdown_background();
        });
        vanishing.join()
    });
    ended.unwrap();
    eventually("the vanished client's query to end", async || {
        (state_of(&admin, "flight vanished").await.as_deref() == Some("CANCELLED")).then_some(())
    })
    .await;
    let mut next = server.flight("scientist").await;
    let count = next.run("SELECT count(*) FROM curated.orders");
    in_time("the place that came free", count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_statements_that_nobody_closes_are_bounded_and_end_with_their_session() {
    const EACH: usize = 10_000;
    let server = Server::private(&[]);
    let mut other = server.flight("analyst").await;
    let flight = server.flight("admin").await;
    let before = server.resident();

    let first = flight.clone().ticket("SELECT 'first'").await.unwrap();
    let tickets = futures::stream::iter(0..EACH).map(|_| {
        let mut flight = flight.clone();
        async move { flight.ticket("SELECT 1").await.map(drop) }
    });
    let refused: Vec<_> = tickets
        .buffer_unordered(64)
        .filter_map(async |asked| asked.err())
        .collect()
        .await;
    assert!(refused.is_empty(), "{refused:?}");
    let evicted = flight.clone().fetch(first).await.unwrap_err();
    assert_eq!(evicted.code(), Code::NotFound, "the oldest made room");

    let create = ActionCreatePreparedStatementRequest {
        query: "SELECT 1".to_owned(),
        transaction_id: None,
    };
    let create = create.as_any().encode_to_vec();
    let prepared = futures::stream::iter(0..EACH + 3).map(|_| {
        let (mut flight, create) = (flight.clone(), create.clone());
        async move { flight.act("CreatePreparedStatement", create).await }
    });
    let refused: Vec<_> = prepared
        .buffer_unordered(64)
        .filter_map(async |made| made.err())
        .collect()
        .await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    for refused in refused {
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        assert!(refused.message().contains("too many prepared statements"));
        assert!(refused.message().contains("HINT: close those"));
    }

    let held = server.resident().saturating_sub(before);
    let most = 2 * EACH as u64 * PER_STATEMENT;
    assert!(held < most, "{held} bytes for {} statements", 2 * EACH);
    let theirs = other.act("CreatePreparedStatement", create.clone()).await;
    theirs.expect("another user's are counted by themselves");
    other.run("SELECT count(*) FROM curated.orders").await;

    flight
        .clone()
        .act("CloseSession", Vec::new())
        .await
        .unwrap();
    let mut again = server.flight("admin").await;
    let made = again.act("CreatePreparedStatement", create).await;
    made.expect("the places of a closed session are free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_wrong_passwords_is_refused_and_keeps_nobody_else_out() {
    let server = Server::private(&[]);
    let mut working = server.flight("analyst").await;
    let before = server.resident();
    let mut doors = Vec::new();
    for _ in 0..4 {
        doors.push(server.flight_anonymous().await);
    }
    let knocks = futures::stream::iter(0..400).map(|n: usize| {
        let mut flight = doors[n % doors.len()].clone();
        async move {
            // Half of them for one user, half for users that do not exist.
            let user = match n % 2 {
                0 => "admin".to_owned(),
                _ => format!("nobody_{n}"),
            };
            flight.handshake(&user, "a wrong password").await
        }
    });
    let mut knocks = knocks.buffer_unordered(400);
    let mut refused = 0;
    // The remaining logins wait ever longer, and end with this client.
    while refused < 300 {
        let answer = in_time("a handshake to be refused", knocks.next()).await;
        let status = answer.unwrap().unwrap_err();
        assert!(
            matches!(
                status.code(),
                Code::Unauthenticated | Code::ResourceExhausted
            ),
            "{status:?}"
        );
        refused += 1;
    }
    let count = "SELECT count(*) FROM curated.orders";
    in_time("a session that was there before", working.run(count)).await;
    in_time("another user to log in", server.flight("scientist")).await;
    drop(knocks);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes more");
}
