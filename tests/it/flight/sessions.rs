//! Sessions by bearer token and by cookie, and their options.

use arrow::array::{Array, Int32Array};
use lakegate_proto::arrow::flight::protocol::session_option_value::OptionValue;
use lakegate_proto::arrow::flight::protocol::set_session_options_result::ErrorValue;
use lakegate_proto::arrow::flight::protocol::{
    GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};

use super::*;
use crate::staleness::{one_row, stale};

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

fn options(values: &[(&str, &str)]) -> Vec<u8> {
    let values = values.iter().map(|(name, value)| {
        let value = SessionOptionValue {
            option_value: Some(OptionValue::StringValue((*value).to_owned())),
        };
        ((*name).to_owned(), value)
    });
    SetSessionOptionsRequest {
        session_options: values.collect(),
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
    let refused = SetSessionOptionsResult::decode(answer[0].clone()).unwrap();
    let refused: Vec<(&str, ErrorValue)> = refused
        .errors
        .iter()
        .map(|(name, error)| (name.as_str(), error.value()))
        .collect();
    assert_eq!(
        refused,
        [
            ("compression", ErrorValue::InvalidValue),
            ("no_such_option", ErrorValue::InvalidName),
            ("workgroup", ErrorValue::InvalidValue)
        ]
    );
    let answer = flight.act("GetSessionOptions", Vec::new()).await.unwrap();
    let current = GetSessionOptionsResult::decode(answer[0].clone()).unwrap();
    let of = |name: &str| match &current.session_options[name].option_value {
        Some(OptionValue::StringValue(text)) => text.clone(),
        other => panic!("{name} is {other:?}"),
    };
    assert_eq!(of("catalog"), "awsdatacatalog");
    assert_eq!(
        (of("schema"), of("batch_size")),
        ("curated".into(), "100".into())
    );
    assert_eq!(of("statement_timeout"), "5min");
    let fetched = flight.run("SELECT order_id FROM orders").await;
    let (last, others) = fetched.batches.split_last().unwrap();
    assert!(others.len() > 1 && last.num_rows() <= 100);
    assert!(others.iter().all(|batch| batch.num_rows() == 100));
}

#[tokio::test]
async fn staleness_is_an_option_that_the_workgroup_bounds() {
    let (server, admin, folder) = stale("stale_flight", "10min").await;
    let sql = "SELECT sum(id) FROM stale.stale_flight";
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/a.parquet", one_row(2));
    let mut flight = server.flight("admin").await;
    for (values, refused) in [
        (&[("staleness", "1d"), ("workgroup", "stale_flight")][..], 1),
        (&[("staleness", "10min")], 0),
    ] {
        let answer = flight.act("SetSessionOptions", options(values)).await;
        let answer = SetSessionOptionsResult::decode(answer.unwrap()[0].clone()).unwrap();
        assert_eq!(answer.errors.len(), refused, "{answer:?}");
    }
    let fetched = flight.run(sql).await;
    assert_eq!(fetched.value(), "1");
    assert_eq!(fetched.usage["cache_hit"], true);
    flight.run("SET staleness = 0").await;
    assert_eq!(flight.run(sql).await.value(), "2");
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

/// Large results are encoded on other threads than small ones.
#[tokio::test]
async fn large_results_arrive_whole_and_in_order() {
    let mut flight = Server::shared().flight("admin").await;
    for values in [
        [("compression", "none"), ("batch_size", "0")],
        [("compression", "zstd"), ("batch_size", "50000")],
        [("compression", "lz4"), ("batch_size", "1000000")],
    ] {
        let set = flight.act("SetSessionOptions", options(&values)).await;
        set.unwrap();
        let fetched = flight
            .run("SELECT x, 'row ' || x AS t FROM generate_series(1, 1000000) a(x) ORDER BY x")
            .await;
        assert_eq!(fetched.usage["rows"], 1_000_000, "{values:?}");
        let mut next = 1;
        for batch in &fetched.batches {
            let numbers = batch.column(0).as_any().downcast_ref::<Int32Array>();
            for number in numbers.unwrap().values() {
                assert_eq!(*number, next);
                next += 1;
            }
            // No message is longer than clients accept.
            let columns = batch.columns().iter();
            let bytes = columns.map(|column| column.to_data().get_slice_memory_size().unwrap());
            assert!(bytes.sum::<usize>() <= 3 << 20, "{values:?}");
        }
        assert_eq!(next, 1_000_001);
    }
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
