//! Statements sent as text: tickets, rows, errors, usage.

use super::*;

#[tokio::test]
async fn statement_streams_its_rows_and_tells_what_it_cost() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let sql = "SELECT order_id, quantity, total, order_date FROM curated.orders /* flight rows */";
    let mut flight = server.flight("admin").await;
    flight.run("SET result_reuse = off").await;
    let info = flight.info(sql).await.unwrap();
    let announced = info.clone().try_decode_schema().unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    let rows = admin.number("SELECT count(*) FROM curated.orders").await;
    assert_eq!(fetched.rows().len(), usize::try_from(rows).unwrap());
    assert_eq!(fetched.batches[0].schema().as_ref(), &announced);
    let types: Vec<&DataType> = announced.fields().iter().map(|f| f.data_type()).collect();
    assert_eq!(
        types,
        [
            &DataType::Utf8,
            &DataType::Int32,
            &DataType::Decimal128(10, 2),
            &DataType::Date32
        ]
    );
    let metadata = announced.field(2).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "decimal(10,2)");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:SCALE"], "2");
    let usage = &fetched.usage;
    assert_eq!(usage["rows"], rows, "{usage}");
    assert_eq!(usage["cache_hit"], false);
    assert!(usage["bytes_scanned"].as_u64().unwrap() > 0);
    let recorded = admin
        .rows(&format!(
            "SELECT protocol, rows, bytes_scanned, state FROM system.queries WHERE query_id = '{}'",
            usage["query_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(recorded[0][0].as_deref(), Some("flight_sql"));
    assert_eq!(recorded[0][1], Some(rows.to_string()));
    assert_eq!(recorded[0][2], Some(usage["bytes_scanned"].to_string()));
    assert_eq!(recorded[0][3].as_deref(), Some("SUCCEEDED"));
}

#[tokio::test]
async fn empty_results_have_their_schema_and_their_cost() {
    let mut flight = Server::shared().flight("admin").await;
    let fetched = flight
        .run("SELECT order_id FROM curated.orders WHERE order_id = 'no such order'")
        .await;
    assert!(fetched.rows().is_empty());
    assert_eq!(fetched.batches[0].schema().field(0).name(), "order_id");
    assert_eq!(fetched.usage["rows"], 0);
}

#[tokio::test]
async fn statement_runs_once_and_a_used_ticket_says_so() {
    let mut flight = Server::shared().flight("admin").await;
    let ticket = flight.ticket("SELECT random()").await.unwrap();
    flight.fetch(ticket.clone()).await.unwrap();
    let again = flight.fetch(ticket).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert!(again.message().contains("used up"), "{again:?}");
}

#[tokio::test]
async fn stored_result_is_replayed_for_its_ticket_and_costs_nothing() {
    let mut flight = Server::shared().flight("admin").await;
    let sql = "SELECT count(*), sum(quantity) FROM curated.orders";
    // Results over files of the last two seconds are not stored, and the lake may be as new.
    let mut turns = 0;
    let (first, again) = loop {
        let ticket = flight.ticket(sql).await.unwrap();
        let first = flight.fetch(ticket.clone()).await.unwrap();
        match flight.fetch(ticket).await {
            Ok(again) => break (first, again),
            Err(refused) => assert!(turns < 100, "{refused:?}"),
        }
        turns += 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(first.rows(), again.rows());
    assert_eq!(again.usage["cache_hit"], true);
    assert_eq!(again.usage["bytes_scanned"], 0);
}

#[tokio::test]
async fn ticket_is_run_under_the_grants_of_the_moment_and_a_changed_table_is_noticed() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER bearer WITH PASSWORD 'a secret phrase'; GRANT SELECT ON TABLE curated.products TO bearer")
        .await;
    let mut flight = server.flight_anonymous().await;
    flight
        .sql
        .handshake("bearer", "a secret phrase")
        .await
        .unwrap();
    let ticket = flight
        .ticket("SELECT * FROM curated.products")
        .await
        .unwrap();
    let other = flight
        .ticket("SELECT * FROM curated.products")
        .await
        .unwrap();
    admin
        .run("REVOKE SELECT ON TABLE curated.products FROM bearer; GRANT SELECT (product_id) ON TABLE curated.products TO bearer")
        .await;
    let changed = flight.fetch(ticket).await.unwrap_err();
    assert_eq!(changed.code(), Code::FailedPrecondition, "{changed:?}");
    admin
        .run("REVOKE SELECT (product_id) ON TABLE curated.products FROM bearer")
        .await;
    let revoked = flight.fetch(other).await.unwrap_err();
    assert_eq!(revoked.code(), Code::NotFound, "{revoked:?}");
}

#[tokio::test]
async fn ticket_of_another_user_is_unknown() {
    let server = Server::shared();
    let mut admin = server.flight("admin").await;
    let mut analyst = server.flight("analyst").await;
    let ticket = admin.ticket("SELECT 1").await.unwrap();
    let foreign = analyst.fetch(ticket.clone()).await.unwrap_err();
    let made_up = TicketStatementQuery {
        statement_handle: vec![7; 32].into(),
    };
    let made_up = Ticket::new(made_up.as_any().encode_to_vec());
    let unknown = analyst.fetch(made_up).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    assert_eq!(foreign.message(), unknown.message());
    assert_eq!(admin.fetch(ticket).await.unwrap().value(), "1");
}

#[tokio::test]
async fn commands_run_by_ticket_and_by_update() {
    let server = Server::shared();
    let mut flight = server.flight("admin").await;
    let info = flight.info("CREATE DATABASE flown_in").await.unwrap();
    assert!(info.schema.is_empty(), "a command has no columns");
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    flight.fetch(ticket.clone()).await.unwrap();
    assert_eq!(
        flight.fetch(ticket).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    let exists = flight.fails("CREATE DATABASE flown_in").await;
    assert_eq!(exists.code(), Code::AlreadyExists);
    let changed = flight
        .sql
        .execute_update("DROP DATABASE flown_in".to_owned(), None)
        .await;
    assert_eq!(changed.unwrap(), 0);
    let rows = flight.sql.execute_update("SELECT 1".to_owned(), None).await;
    assert_eq!(rows.unwrap(), -1, "a query changes nothing that is counted");
}

#[tokio::test]
async fn errors_carry_code_hint_sqlstate_and_query() {
    let mut flight = Server::shared().flight("admin").await;
    let missing = flight.fails("SELECT * FROM curated.absent").await;
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(missing.metadata().get("sqlstate").unwrap(), "42P01");
    assert!(
        missing.message().contains("does not exist") && missing.message().contains("HINT: "),
        "{missing:?}"
    );
    let syntax = flight.fails("SELEC 1").await;
    assert_eq!(syntax.code(), Code::InvalidArgument);
    assert!(!syntax.details().is_empty());
    let several = flight.fails("SELECT 1; SELECT 2").await;
    assert!(several.message().contains("one by one"), "{several:?}");
    let failed = flight
        .fails("SELECT 1 / (quantity - quantity) FROM curated.orders")
        .await;
    assert_eq!(failed.code(), Code::InvalidArgument);
    assert!(
        failed.metadata().get("lakegate-query-id").is_some(),
        "{failed:?}"
    );
}

#[tokio::test]
async fn cutoff_of_the_workgroup_stops_a_stream() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE WORKGROUP flighty WITH (bytes_scanned_cutoff_per_query = 10)")
        .await;
    let mut flight = server.flight("admin").await;
    flight.run("SET result_reuse = off").await;
    flight.run("SET workgroup = 'flighty'").await;
    let stopped = flight.fails("SELECT sum(total) FROM curated.orders").await;
    assert_eq!(stopped.code(), Code::ResourceExhausted, "{stopped:?}");
    assert_eq!(stopped.metadata().get("sqlstate").unwrap(), "54000");
    flight.run("RESET workgroup").await;
    admin.run("DROP WORKGROUP flighty").await;
}

#[tokio::test]
async fn schema_is_told_without_running() {
    let mut flight = Server::shared().flight("admin").await;
    let command = CommandStatementQuery {
        query: "SELECT order_id, total FROM curated.orders /* only its schema */".to_owned(),
        transaction_id: None,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let request = flight.request(descriptor);
    let response = flight.sql.inner_mut().get_schema(request).await.unwrap();
    let schema = Schema::try_from(&response.into_inner()).unwrap();
    assert_eq!(schema.fields().len(), 2);
}
