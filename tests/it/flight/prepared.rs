//! Prepared statements and their parameters.

use super::*;

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
