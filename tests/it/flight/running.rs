//! Queries that are cancelled, polled or abandoned.

use arrow_flight::PollInfo;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_by_flight_info_stops_the_query() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let mut flight = server.flight("admin").await;
    let mut canceller = server.flight("admin").await;
    let mut stranger = server.flight("analyst").await;
    let info = flight
        .info(&marked(FOREVER, "flight cancelled"))
        .await
        .unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let request = CancelFlightInfoRequest::new(info.clone()).encode_to_vec();
    let (ended, ()) = tokio::join!(flight.fetch(ticket), async {
        eventually("the query to run", async || {
            (state_of(&admin, "flight cancelled").await.as_deref() == Some("RUNNING")).then_some(())
        })
        .await;
        let foreign = stranger.act("CancelFlightInfo", request.clone()).await;
        assert_eq!(foreign.unwrap_err().code(), Code::NotFound);
        let answer = canceller
            .act("CancelFlightInfo", request.clone())
            .await
            .unwrap();
        let result = CancelFlightInfoResult::decode(answer[0].clone()).unwrap();
        assert_eq!(result.status(), CancelStatus::Cancelled);
    });
    assert_eq!(ended.unwrap_err().code(), Code::Cancelled);
    // The query is recorded when its last thread ends.
    eventually("the query to be recorded as cancelled", async || {
        (state_of(&admin, "flight cancelled").await.as_deref() == Some("CANCELLED")).then_some(())
    })
    .await;
    let old = ActionCancelQueryRequest {
        info: info.encode_to_vec().into(),
    };
    canceller
        .act("CancelQuery", old.as_any().encode_to_vec())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_that_is_dropped_ends_its_query() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let mut flight = server.flight("admin").await;
    let ticket = flight
        .ticket(&marked(ENDLESS, "flight dropped"))
        .await
        .unwrap();
    let mut stream = flight.sql.do_get(ticket).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(
        state_of(&admin, "flight dropped").await.as_deref(),
        Some("RUNNING")
    );
    drop(stream);
    eventually("the query to end", async || {
        (state_of(&admin, "flight dropped").await.as_deref() == Some("CANCELLED")).then_some(())
    })
    .await;
}

/// Returns the last answer of PollFlightInfo; each answer has a FlightInfo.
async fn polled_to_its_end(flight: &mut Flight, sql: &str) -> PollInfo {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let mut descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    loop {
        let request = flight.request(descriptor);
        let answer = flight.sql.inner_mut().poll_flight_info(request).await;
        let polled = answer.unwrap().into_inner();
        assert!(polled.info.is_some());
        match &polled.flight_descriptor {
            Some(next) => descriptor = next.clone(),
            None => return polled,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polled_query_runs_by_itself_and_is_read_at_its_endpoints_again_and_again() {
    let mut flight = Server::shared().flight("admin").await;
    let sql = "SELECT x, md5(CAST(x AS VARCHAR)) FROM generate_series(1, 100000) t(x)";
    let polled = polled_to_its_end(&mut flight, sql).await;
    assert_eq!(polled.progress, Some(1.0));
    let info = polled.info.unwrap();
    assert_eq!(info.total_records, 100_000);
    assert!(info.endpoint.len() > 1, "{} endpoints", info.endpoint.len());
    for _ in 0..2 {
        let mut rows = 0;
        for endpoint in &info.endpoint {
            let fetched = flight
                .fetch(endpoint.ticket.clone().unwrap())
                .await
                .unwrap();
            rows += fetched.rows().len();
        }
        assert_eq!(rows, 100_000);
    }
    let foreign = info.endpoint[0].ticket.clone().unwrap();
    let mut stranger = Server::shared().flight("analyst").await;
    assert_eq!(
        stranger.fetch(foreign).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polled_result_that_outgrows_the_store_is_read_once_as_it_runs_on() {
    let server = Server::private(&[("LAKEGATE_RESULTS__MAX_STORED_SIZE", "16MiB")]);
    let mut flight = server.flight("admin").await;
    let sql = "SELECT x, repeat(md5(CAST(x AS VARCHAR)), 10) FROM generate_series(1, 200000) t(x)";
    let info = polled_to_its_end(&mut flight, sql).await.info.unwrap();
    assert_eq!((info.endpoint.len(), info.total_records), (1, -1));
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let fetched = flight.fetch(ticket.clone()).await.unwrap();
    assert_eq!(fetched.rows().len(), 200_000);
    let again = flight.fetch(ticket).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polled_result_is_read_under_the_grants_it_was_made_under_or_not_at_all() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER pollster WITH PASSWORD 'a long enough secret'")
        .await;
    let grant = "GRANT SELECT (order_id) ON TABLE curated.orders TO pollster";
    admin.run(grant).await;
    let mut flight = server.flight_anonymous().await;
    let bearer = flight
        .handshake("pollster", "a long enough secret")
        .await
        .unwrap();
    flight
        .sql
        .set_token(bearer.strip_prefix("Bearer ").unwrap().to_owned());
    let sql = "SELECT order_id FROM curated.orders LIMIT 10";
    let info = polled_to_its_end(&mut flight, sql).await.info.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    // Changes that concern other users have no effect.
    admin.run("CREATE ROLE pollsters").await;
    for _ in 0..2 {
        let fetched = flight.fetch(ticket.clone()).await.unwrap();
        assert_eq!(fetched.rows().len(), 10);
    }
    admin
        .run(&grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        .await;
    let refused = flight.fetch(ticket.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let descriptor = info.flight_descriptor.unwrap();
    let request = flight.request(descriptor);
    let polled = flight.sql.inner_mut().poll_flight_info(request).await;
    assert_eq!(polled.unwrap_err().code(), Code::NotFound);
    // The result stays lost after the grant is restored.
    admin.run(grant).await;
    assert_eq!(
        flight.fetch(ticket).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn endpoint_is_renewed_and_listed_until_it_is_redeemed() {
    let server = Server::private(&[]);
    let mut flight = server.flight("admin").await;
    let info = flight.info("SELECT 1").await.unwrap();
    let endpoint = info.endpoint[0].clone();
    let request = RenewFlightEndpointRequest::new(endpoint.clone()).encode_to_vec();
    let answer = flight.act("RenewFlightEndpoint", request).await.unwrap();
    let renewed = FlightEndpoint::decode(answer[0].clone()).unwrap();
    assert_eq!(renewed.ticket, endpoint.ticket);
    let until = |endpoint: &FlightEndpoint| {
        let at = endpoint.expiration_time.unwrap();
        (at.seconds, at.nanos)
    };
    assert!(until(&renewed) >= until(&endpoint));
    let mut listing = async || {
        let request = flight.request(arrow_flight::Criteria::default());
        let answer = flight.sql.inner_mut().list_flights(request).await.unwrap();
        answer.into_inner().count().await
    };
    assert_eq!(listing().await, 1);
    let mut reader = server.flight("admin").await;
    reader.fetch(endpoint.ticket.unwrap()).await.unwrap();
    assert_eq!(listing().await, 0);
}
