//! Clients that send nonsense or too much, and a server that stops.

use super::*;

#[tokio::test]
async fn nonsense_is_refused_and_the_server_goes_on() {
    let mut flight = Server::shared().flight("admin").await;
    let mut state: u64 = 42;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    };
    for length in [0, 1, 5, 31, 32, 33, 34, 100, 1000] {
        let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
        assert!(flight.fetch(Ticket::new(bytes.clone())).await.is_err());
        let ticket = TicketStatementQuery {
            statement_handle: bytes.clone().into(),
        };
        let ticket = Ticket::new(ticket.as_any().encode_to_vec());
        assert!(flight.fetch(ticket).await.is_err());
        for action in [
            "CreatePreparedStatement",
            "CancelFlightInfo",
            "RenewFlightEndpoint",
            "SetSessionOptions",
            "NoSuchAction",
        ] {
            // By chance, bytes may be a message that asks for nothing.
            let _ = flight.act(action, bytes.clone()).await;
        }
    }
    flight.run("SELECT 1").await;
}

#[tokio::test]
async fn tickets_that_nobody_redeems_do_no_harm() {
    let server = Server::private(&[]);
    let mut flight = server.flight("admin").await;
    let first = flight.ticket("SELECT 'first'").await.unwrap();
    for _ in 0..2_000 {
        flight.ticket("SELECT 1").await.unwrap();
    }
    assert_eq!(flight.fetch(first).await.unwrap().value(), "first");
}

#[tokio::test]
async fn messages_that_are_too_long_are_refused() {
    let server = Server::private(&[("LAKEGATE_FLIGHT__MAX_MESSAGE_SIZE", "64KiB")]);
    let mut flight = server.flight("admin").await;
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    let refused = flight.fails(&long).await;
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    flight.run("SELECT 1").await;
}

#[tokio::test]
async fn headers_have_a_limit_that_is_configured() {
    for (size, fits) in [("16KiB", false), ("128KiB", true)] {
        let server = Server::private(&[("LAKEGATE_FLIGHT__MAX_HEADER_SIZE", size)]);
        let mut long = server.flight("admin").await;
        for n in 0..10 {
            long.sql
                .set_header(format!("x-property-{n}"), "x".repeat(5_000));
        }
        match long.try_run("SELECT 1").await {
            Ok(fetched) => assert!(fits && fetched.value() == "1", "{size}"),
            Err(refused) => assert!(!fits && refused.code() == Code::Unknown, "{refused:?}"),
        }
        server.flight("admin").await.run("SELECT 1").await;
    }
}

#[tokio::test]
async fn messages_of_results_have_the_size_that_is_configured() {
    const SIZE: usize = 64 * 1024;
    let server = Server::private(&[("LAKEGATE_FLIGHT__RESULT_MESSAGE_SIZE", "64KiB")]);
    let mut flight = server.flight("admin").await;
    let text = "x".repeat(100);
    let sql = format!("SELECT x, '{text}' FROM generate_series(1, 20000) a(x)");
    let ticket = flight.ticket(&sql).await.unwrap();
    let request = flight.request(ticket);
    let answer = flight.sql.inner_mut().do_get(request).await.unwrap();
    let mut sizes: Vec<usize> = answer
        .into_inner()
        .map(|message| message.unwrap().data_body.len())
        .collect()
        .await;
    sizes.sort_unstable();
    assert!(*sizes.last().unwrap() < 2 * SIZE, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() > 30 * SIZE, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_streams_end_and_refuses_new_calls_clearly() {
    let mut server = Server::private(&[("LAKEGATE_SERVER__GRACE_PERIOD", "50s")]);
    let admin = server.connect("admin").await;
    let mut busy = server.flight("admin").await;
    let mut idle = server.flight("admin").await;
    let slow = "SELECT /* flight drained */ count(*) FROM generate_series(1, 30000) a(x), generate_series(1, 30000) b(y) WHERE x + y > 100";
    let (answer, ()) = tokio::join!(busy.run(slow), async {
        eventually("the query to run", async || {
            (state_of(&admin, "flight drained").await.as_deref() == Some("RUNNING")).then_some(())
        })
        .await;
        server.signal("TERM");
        // Nobody asks over an open transaction of the other door.
        let mut refused = idle.try_run("SELECT 1").await.err();
        while refused.is_none() {
            refused = idle.try_run("SELECT 1").await.err();
        }
        let refused = refused.unwrap();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    });
    assert_eq!(answer.rows().len(), 1, "the running query got its answer");
    assert!(server.wait().success(), "{}", server.log());
}
