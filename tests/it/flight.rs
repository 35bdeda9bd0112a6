//! The Flight SQL door, through Rust's own client.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest, Any, CommandGetDbSchemas,
    CommandGetTables, CommandStatementQuery, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightEndpoint, IpcMessage, RenewFlightEndpointRequest, Ticket,
};
use futures::StreamExt;
use prost::Message;
use tonic::Code;

use crate::harness::flight::{Fetched, status};
use crate::harness::{Client, Flight, Server, eventually};

const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";
/// Gives rows at once and without end.
const ENDLESS: &str =
    "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";

async fn state_of(client: &Client, marker: &str) -> Option<String> {
    let states = client
        .column(&format!("SELECT state FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%'"))
        .await;
    states.into_iter().next()
}

fn marked(sql: &str, marker: &str) -> String {
    sql.replacen("SELECT", &format!("SELECT /* {marker} */"), 1)
}

// Logging in

/// A user of the test's own, whose failed logins slow nobody else down.
async fn user(server: &Server, name: &str) {
    let admin = server.connect("admin").await;
    admin
        .run(&format!(
            "CREATE USER {name} WITH PASSWORD 'a secret phrase'"
        ))
        .await;
}

#[tokio::test]
async fn wrong_password_and_unknown_user_fail_at_the_handshake_with_the_same_words() {
    let server = Server::shared();
    user(server, "flier").await;
    let mut flight = server.flight_anonymous().await;
    let wrong = flight.handshake("flier", "wrong").await.unwrap_err();
    let unknown = flight.handshake("nobody", "wrong").await.unwrap_err();
    for refused in [&wrong, &unknown] {
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("password authentication failed"));
        assert_eq!(refused.metadata().get("sqlstate").unwrap(), "28P01");
    }
    assert_eq!(
        wrong.message().replace("flier", "x"),
        unknown.message().replace("nobody", "x")
    );
    let right = flight.handshake("flier", "a secret phrase").await.unwrap();
    assert!(right.starts_with("Bearer "), "{right}");
}

#[tokio::test]
async fn calls_without_or_with_unknown_credentials_are_unauthenticated() {
    let server = Server::shared();
    let mut flight = server.flight_anonymous().await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    flight
        .sql
        .set_token("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let refused = flight.fails("SELECT 1").await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("log in again"), "{refused:?}");
}

#[tokio::test]
async fn basic_credentials_are_taken_on_each_call_with_padding_and_without() {
    let server = Server::shared();
    user(server, "basicflier").await;
    for padded in [true, false] {
        let mut flight = server.flight_anonymous().await;
        flight.with_basic("basicflier", "a secret phrase", padded);
        assert_eq!(
            flight.run("SELECT current_user").await.value(),
            "basicflier"
        );
    }
    let mut flight = server.flight_anonymous().await;
    flight.with_basic("basicflier", "wrong", true);
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn token_of_a_dropped_user_is_worth_nothing() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER flown WITH PASSWORD 'a secret phrase'")
        .await;
    let mut flight = server.flight_anonymous().await;
    flight
        .sql
        .handshake("flown", "a secret phrase")
        .await
        .unwrap();
    flight.run("SELECT 1").await;
    admin.run("DROP USER flown").await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    admin
        .run("CREATE USER flown WITH PASSWORD 'a secret phrase'")
        .await;
    assert_eq!(
        flight.fails("SELECT 1").await.code(),
        Code::Unauthenticated,
        "a new user of the same name is another"
    );
    admin.run("DROP USER flown").await;
}

#[tokio::test]
async fn changed_password_ends_basic_credentials_at_once() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER flychanger WITH PASSWORD 'first secret phrase'")
        .await;
    let mut flight = server.flight_anonymous().await;
    flight.with_basic("flychanger", "first secret phrase", true);
    flight.run("SELECT 1").await;
    flight.run("SELECT 1").await;
    admin
        .run("ALTER USER flychanger WITH PASSWORD 'second secret phrase'")
        .await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    admin.run("DROP USER flychanger").await;
}

// Statements

#[tokio::test]
async fn statement_streams_its_rows_and_tells_what_it_cost() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let sql = "SELECT order_id, quantity, total, order_date FROM curated.orders /* flight rows */";
    let mut flight = server.flight("admin").await;
    flight.run("SET result_reuse = off").await;
    let info = flight.info(sql).await.unwrap();
    let told = info.clone().try_decode_schema().unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    let rows = admin.number("SELECT count(*) FROM curated.orders").await;
    assert_eq!(fetched.rows().len(), usize::try_from(rows).unwrap());
    assert_eq!(fetched.batches[0].schema().as_ref(), &told);
    let types: Vec<&DataType> = told.fields().iter().map(|f| f.data_type()).collect();
    assert_eq!(
        types,
        [
            &DataType::Utf8,
            &DataType::Int32,
            &DataType::Decimal128(10, 2),
            &DataType::Date32
        ]
    );
    let metadata = told.field(2).metadata();
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
    let ticket = flight.ticket(sql).await.unwrap();
    let first = flight.fetch(ticket.clone()).await.unwrap();
    let again = flight.fetch(ticket).await.unwrap();
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
    let told = flight.sql.inner_mut().get_schema(request).await.unwrap();
    let schema = Schema::try_from(&told.into_inner()).unwrap();
    assert_eq!(schema.fields().len(), 2);
}

// Sessions

#[tokio::test]
async fn set_without_a_session_is_an_error_that_says_so() {
    let server = Server::shared();
    let mut alone = server.flight_basic("admin").await;
    let refused = alone.fails("SET search_path = curated").await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("session"), "{refused:?}");
    alone.run("SELECT count(*) FROM curated.orders").await;
    let mut session = server.flight("admin").await;
    session.run("SET search_path = curated").await;
    session.run("SELECT count(*) FROM orders").await;
    session.run("USE raw").await;
    assert_eq!(session.run("SHOW search_path").await.value(), "raw");
}

#[derive(Clone, PartialEq, Message)]
struct OptionValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(sfixed64, optional, tag = "3")]
    number: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(btree_map = "string, message", tag = "1")]
    values: std::collections::BTreeMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionErrors {
    #[prost(btree_map = "string, message", tag = "1")]
    errors: std::collections::BTreeMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionError {
    /// 1: the name, 2: the value.
    #[prost(int32, tag = "1")]
    value: i32,
}

fn options(values: &[(&str, &str)]) -> Vec<u8> {
    let values = values.iter().map(|(name, value)| {
        let value = OptionValue {
            text: Some((*value).to_owned()),
            number: None,
        };
        ((*name).to_owned(), value)
    });
    Options {
        values: values.collect(),
    }
    .encode_to_vec()
}

#[tokio::test]
async fn session_options_are_set_told_and_refused_one_by_one() {
    let mut flight = Server::shared().flight("admin").await;
    let body = options(&[
        ("schema", "curated"),
        ("statement_timeout", "5min"),
        ("no_such_option", "1"),
        ("workgroup", "no_such_workgroup"),
        ("batch_size", "100"),
        ("compression", "rot13"),
    ]);
    let answer = flight.act("SetSessionOptions", body).await.unwrap();
    let refused = OptionErrors::decode(answer[0].clone()).unwrap().errors;
    let refused: Vec<(&str, i32)> = refused.iter().map(|(n, e)| (n.as_str(), e.value)).collect();
    assert_eq!(
        refused,
        [("compression", 2), ("no_such_option", 1), ("workgroup", 2)]
    );
    let answer = flight.act("GetSessionOptions", Vec::new()).await.unwrap();
    let told = Options::decode(answer[0].clone()).unwrap().values;
    let of = |name: &str| told[name].text.clone().unwrap();
    assert_eq!(of("catalog"), "awsdatacatalog");
    assert_eq!(
        (of("schema"), of("batch_size")),
        ("curated".into(), "100".into())
    );
    assert_eq!(of("statement_timeout"), "300000");
    let fetched = flight.run("SELECT order_id FROM orders").await;
    let (last, others) = fetched.batches.split_last().unwrap();
    assert!(others.len() > 1 && last.num_rows() <= 100);
    assert!(others.iter().all(|batch| batch.num_rows() == 100));
}

#[tokio::test]
async fn compressed_and_native_results_are_the_same_rows() {
    let server = Server::shared();
    let sql = "SELECT * FROM curated.products ORDER BY 1";
    let mut flight = server.flight("admin").await;
    let plain = flight.run(sql).await;
    for values in [
        [("compression", "lz4"), ("arrow_types", "plain")],
        [("compression", "zstd"), ("arrow_types", "native")],
    ] {
        flight
            .act("SetSessionOptions", options(&values))
            .await
            .unwrap();
        assert_eq!(flight.run(sql).await.rows(), plain.rows());
    }
    let native = flight
        .run("SELECT order_id FROM curated.orders LIMIT 1")
        .await;
    assert_eq!(
        native.batches[0].schema().field(0).data_type(),
        &DataType::Utf8View
    );
}

#[tokio::test]
async fn cookie_is_a_session_for_clients_that_keep_it() {
    let server = Server::shared();
    let mut flight = server.flight_basic("admin").await;
    let none = flight
        .act("GetSessionOptions", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::FailedPrecondition);
    let mut request = tonic::Request::new(arrow_flight::Action::new(
        "SetSessionOptions",
        options(&[("schema", "curated")]),
    ));
    let basic = {
        use base64::Engine;
        let plain = format!("admin:{}", server.password("admin"));
        base64::engine::general_purpose::STANDARD.encode(plain)
    };
    request
        .metadata_mut()
        .insert("authorization", format!("Basic {basic}").parse().unwrap());
    let answer = flight.sql.inner_mut().do_action(request).await.unwrap();
    let set = answer
        .metadata()
        .get("set-cookie")
        .unwrap()
        .to_str()
        .unwrap();
    let (cookie, attributes) = set.split_once(';').unwrap();
    assert!(cookie.starts_with("lakegate_session=") && attributes.contains("HttpOnly"));
    flight.sql.set_header("cookie", cookie);
    flight.run("SELECT count(*) FROM orders").await;
    flight.run("SET search_path = raw").await;
    assert_eq!(flight.run("SHOW search_path").await.value(), "raw");
    let mut other = server.flight_basic("analyst").await;
    other.sql.set_header("cookie", cookie);
    assert_eq!(
        other.fails("SELECT 1").await.code(),
        Code::Unauthenticated,
        "a cookie is its principal's"
    );
    flight.act("CloseSession", Vec::new()).await.unwrap();
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn closed_session_takes_its_token_and_its_statements_with_it() {
    let server = Server::shared();
    let mut flight = server.flight("admin").await;
    let mut other = server.flight("admin").await;
    let ticket = flight.ticket("SELECT 1").await.unwrap();
    flight.act("CloseSession", Vec::new()).await.unwrap();
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    assert_eq!(
        other.fetch(ticket).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn transactions_are_answered_honestly() {
    let mut flight = Server::shared().flight("admin").await;
    let refused = flight.sql.begin_transaction().await.map_err(status);
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(
        refused.message().contains("commits by itself"),
        "{refused:?}"
    );
    let info = flight
        .sql
        .get_sql_info(vec![SqlInfo::FlightSqlServerTransaction])
        .await
        .unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert_eq!(fetched.rows().len(), 1);
}

// Prepared statements

fn parameters(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

#[tokio::test]
async fn prepared_statement_takes_typed_parameters() {
    let server = Server::shared();
    let mut flight = server.flight("admin").await;
    let sql = "SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ?";
    let mut prepared = flight.sql.prepare(sql.to_owned(), None).await.unwrap();
    let types: Vec<DataType> = prepared
        .parameter_schema()
        .unwrap()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    assert_eq!(types, [DataType::Date32, DataType::Int32]);
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 1);
    let unbound = prepared.execute().await.map_err(status).unwrap_err();
    assert!(unbound.message().contains("none were bound"), "{unbound:?}");
    let day = || Arc::new(StringArray::from(vec!["2024-05-05"])) as ArrayRef;
    prepared
        .set_parameters(parameters(vec![
            ("0", day()),
            ("1", Arc::new(Int64Array::from(vec![1]))),
        ]))
        .unwrap();
    let info = prepared.execute().await.unwrap();
    let counted = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    let same = flight
        .run("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'")
        .await;
    assert_eq!(counted.value(), same.value());
    for (wrong, part) in [
        (
            parameters(vec![
                ("0", day()),
                (
                    "1",
                    Arc::new(Int64Array::from(vec![1i64 << 40])) as ArrayRef,
                ),
            ]),
            "$2",
        ),
        (
            parameters(vec![
                (
                    "0",
                    Arc::new(StringArray::from(vec!["someday"])) as ArrayRef,
                ),
                ("1", Arc::new(Int64Array::from(vec![1]))),
            ]),
            "$1",
        ),
        (parameters(vec![("0", day())]), "takes 2 parameters"),
    ] {
        prepared.set_parameters(wrong).unwrap();
        let refused = prepared.execute().await.map_err(status).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(part), "{refused:?}");
    }
    prepared.close().await.unwrap();
}

#[tokio::test]
async fn rows_of_parameters_give_as_many_results_one_after_the_other() {
    let mut flight = Server::shared().flight("admin").await;
    let sql = "SELECT ? AS given, x FROM generate_series(1, 2) t(x) ORDER BY x";
    let mut prepared = flight.sql.prepare(sql.to_owned(), None).await.unwrap();
    prepared
        .set_parameters(parameters(vec![(
            "0",
            Arc::new(Int64Array::from(vec![Some(10), None, Some(30)])) as ArrayRef,
        )]))
        .unwrap();
    let info = prepared.execute().await.unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert_eq!(
        fetched.batches[0].schema().field(0).data_type(),
        &DataType::Int64,
        "a parameter that nothing types takes the type of its value"
    );
    let rows: Vec<String> = fetched.rows().iter().map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["10 1", "10 2", " 1", " 2", "30 1", "30 2"]);
    assert_eq!(fetched.usage["rows"], 6);
}

#[tokio::test]
async fn prepared_statement_is_its_principals_and_gone_when_closed() {
    let server = Server::shared();
    let mut admin = server.flight("admin").await;
    let mut analyst = server.flight("analyst").await;
    let create = arrow_flight::sql::ActionCreatePreparedStatementRequest {
        query: "SELECT 1".to_owned(),
        transaction_id: None,
    };
    let body = create.as_any().encode_to_vec();
    let answer = admin.act("CreatePreparedStatement", body).await.unwrap();
    let created: arrow_flight::sql::ActionCreatePreparedStatementResult =
        Any::decode(answer[0].clone())
            .unwrap()
            .unpack()
            .unwrap()
            .unwrap();
    let handle = created.prepared_statement_handle;
    let command = arrow_flight::sql::CommandPreparedStatementQuery {
        prepared_statement_handle: handle.clone(),
    };
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    assert_eq!(
        analyst.fetch(ticket.clone()).await.unwrap_err().code(),
        Code::NotFound
    );
    let close = ActionClosePreparedStatementRequest {
        prepared_statement_handle: handle,
    };
    let close = close.as_any().encode_to_vec();
    analyst
        .act("ClosePreparedStatement", close.clone())
        .await
        .unwrap();
    assert_eq!(admin.fetch(ticket.clone()).await.unwrap().value(), "1");
    assert_eq!(
        admin.fetch(ticket.clone()).await.unwrap().value(),
        "1",
        "a handle runs anew each time"
    );
    admin.act("ClosePreparedStatement", close).await.unwrap();
    assert_eq!(
        admin.fetch(ticket).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn ingestion_says_that_it_is_not_there() {
    let mut flight = Server::shared().flight("admin").await;
    let command = arrow_flight::sql::CommandStatementIngest {
        table: "t".to_owned(),
        ..Default::default()
    };
    let batch = parameters(vec![("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let refused = flight
        .sql
        .execute_ingest(command, futures::stream::iter([Ok(batch)]))
        .await
        .map_err(status)
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

// The catalog

async fn tables(flight: &mut Flight, asked: CommandGetTables) -> Fetched {
    let info = flight.sql.get_tables(asked).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    flight.fetch(ticket).await.unwrap()
}

#[tokio::test]
async fn scientist_is_told_of_three_columns_and_of_no_hidden_table() {
    let mut flight = Server::shared().flight("scientist").await;
    let asked = CommandGetTables {
        db_schema_filter_pattern: Some("curated".to_owned()),
        table_name_filter_pattern: Some("customers".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let fetched = tables(&mut flight, asked).await;
    let bytes = fetched.batches[0]
        .column(4)
        .as_any()
        .downcast_ref::<arrow::array::BinaryArray>()
        .unwrap();
    let schema = Schema::try_from(IpcMessage(bytes.value(0).to_vec().into())).unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["customer_id", "segment", "region"]);
    let metadata = schema.field(0).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "string");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TABLE_NAME"], "customers");
    let selected = flight.run("SELECT * FROM curated.customers LIMIT 1").await;
    assert_eq!(selected.batches[0].num_columns(), 3);
    let all = tables(&mut flight, CommandGetTables::default()).await;
    let listed: Vec<String> = all
        .rows()
        .into_iter()
        .map(|row| row[1..3].join("."))
        .collect();
    assert!(
        listed.contains(&"curated.customers".to_owned()),
        "{listed:?}"
    );
    assert!(
        listed.iter().all(|name| !name.starts_with("raw.")),
        "{listed:?}"
    );
}

#[tokio::test]
async fn tables_are_filtered_by_pattern_type_and_catalog() {
    let mut flight = Server::shared().flight("admin").await;
    let listed = async |flight: &mut Flight, asked: CommandGetTables| -> Vec<String> {
        let fetched = tables(flight, asked).await;
        let rows = fetched.rows().into_iter();
        rows.map(|row| row[1..].join(" ")).collect()
    };
    let pattern = |table: &str| CommandGetTables {
        table_name_filter_pattern: Some(table.to_owned()),
        ..CommandGetTables::default()
    };
    assert_eq!(
        listed(&mut flight, pattern(r"sales\_fac_")).await,
        ["analytics sales_fact TABLE"]
    );
    assert!(listed(&mut flight, pattern(r"sales\%")).await.is_empty());
    let system = CommandGetTables {
        table_types: vec!["SYSTEM TABLE".to_owned()],
        ..CommandGetTables::default()
    };
    assert_eq!(
        listed(&mut flight, system).await,
        ["system queries SYSTEM TABLE"]
    );
    for nowhere in [
        CommandGetTables {
            catalog: Some("no_such_catalog".to_owned()),
            ..CommandGetTables::default()
        },
        CommandGetTables {
            table_types: vec!["NO SUCH TYPE".to_owned()],
            ..CommandGetTables::default()
        },
    ] {
        assert!(listed(&mut flight, nowhere).await.is_empty());
    }
    let info = flight
        .sql
        .get_db_schemas(CommandGetDbSchemas {
            catalog: None,
            db_schema_filter_pattern: Some("c%".to_owned()),
        })
        .await
        .unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert_eq!(fetched.rows(), [["awsdatacatalog", "curated"]]);
}

#[tokio::test]
async fn everything_that_a_driver_asks_for_is_answered() {
    let mut flight = Server::shared().flight("admin").await;
    let mut infos = Vec::new();
    infos.push(flight.sql.get_catalogs().await.unwrap());
    infos.push(flight.sql.get_table_types().await.unwrap());
    infos.push(flight.sql.get_sql_info(Vec::new()).await.unwrap());
    infos.push(
        flight
            .sql
            .get_xdbc_type_info(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_primary_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_exported_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_imported_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_cross_reference(Default::default())
            .await
            .unwrap(),
    );
    let mut rows = Vec::new();
    for info in infos {
        let told = info.clone().try_decode_schema().unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let fetched = flight.fetch(ticket).await.unwrap();
        assert_eq!(fetched.batches[0].schema().as_ref(), &told);
        rows.push(
            fetched
                .batches
                .iter()
                .map(RecordBatch::num_rows)
                .sum::<usize>(),
        );
    }
    assert_eq!((rows[0], rows[1]), (1, 3));
    assert!(rows[2] > 80 && rows[3] > 10, "{rows:?}");
    assert_eq!(rows[4..], [0, 0, 0, 0]);
}

// Cancelling, polling, renewing

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
    assert_eq!(
        state_of(&admin, "flight cancelled").await.as_deref(),
        Some("CANCELLED")
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_does_not_read_holds_the_scan_back_and_is_cut_off() {
    let server = Server::private(&[("LAKEGATE_FLIGHT__STALL_TIMEOUT", "3s")]);
    let admin = server.connect("admin").await;
    let mut flight = server.flight("admin").await;
    let ticket = flight
        .ticket(&marked(ENDLESS, "flight unread"))
        .await
        .unwrap();
    let mut stream = flight.sql.do_get(ticket).await.unwrap();
    stream.next().await.unwrap().unwrap();
    eventually("the unread stream to end", async || {
        (state_of(&admin, "flight unread").await.as_deref() == Some("CANCELLED")).then_some(())
    })
    .await;
    let mut ended = None;
    while let Some(next) = stream.next().await {
        if let Err(error) = next {
            ended = Some(status(error));
        }
    }
    assert!(ended.unwrap().message().contains("did not read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polled_query_runs_by_itself_and_is_read_at_its_endpoints_again_and_again() {
    let mut flight = Server::shared().flight("admin").await;
    let sql = "SELECT x, md5(CAST(x AS VARCHAR)) FROM generate_series(1, 100000) t(x)";
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let mut descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let info = loop {
        let request = flight.request(descriptor);
        let answer = flight.sql.inner_mut().poll_flight_info(request).await;
        let polled = answer.unwrap().into_inner();
        let info = polled.info.unwrap();
        match polled.flight_descriptor {
            Some(next) => descriptor = next,
            None => {
                assert_eq!(polled.progress, Some(1.0));
                break info;
            }
        }
    };
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
    let mut flight = Server::shared().flight("admin").await;
    let sql = "SELECT x, repeat(md5(CAST(x AS VARCHAR)), 10) FROM generate_series(1, 200000) t(x)";
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let mut descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let info = loop {
        let request = flight.request(descriptor);
        let answer = flight.sql.inner_mut().poll_flight_info(request).await;
        let polled = answer.unwrap().into_inner();
        match polled.flight_descriptor {
            Some(next) => descriptor = next,
            None => break polled.info.unwrap(),
        }
    };
    assert_eq!((info.endpoint.len(), info.total_records), (1, -1));
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let fetched = flight.fetch(ticket.clone()).await.unwrap();
    assert_eq!(fetched.rows().len(), 200_000);
    let again = flight.fetch(ticket).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
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

// Hostile and unlucky clients

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
