//! Rust's own client: `FlightSqlServiceClient` of the crate arrow-flight. `tests/it/flight` tests
//! much more with it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandStatementIngest, SqlInfo, TableDefinitionOptions, TableExistsOption,
    TableNotExistOption,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, IpcMessage,
};
use futures::StreamExt;
use prost::Message;
use tonic::Code;

use super::Analyst;
use crate::harness::Flight;
use crate::harness::flight::Fetched;
use crate::harness::page::Shown;

const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";

/// Exercises each capability of the client; panics if one does not work.
pub(super) async fn shown() -> Vec<Shown> {
    let mut shown = Vec::new();
    let mut works = |capabilities: &[&str]| {
        shown.extend(capabilities.iter().map(|capability| Shown {
            client: "Rust".to_owned(),
            version: arrow::ARROW_VERSION.to_owned(),
            capability: (*capability).to_owned(),
            fails_because: None,
        }));
    };
    let Analyst {
        server,
        token,
        certified,
    } = super::analyst();
    let mut flight = server.flight("admin").await;

    assert_eq!(flight.run("SELECT current_user").await.value(), "admin");
    works(&[
        "TLS with certificate verification",
        "user and password",
        "query",
    ]);
    let mut anonymous = server.flight_anonymous().await;
    let refused = anonymous.handshake("nobody_at_all", "wrong").await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    works(&["error for a wrong password"]);
    anonymous.with_bearer(token);
    assert_eq!(
        anonymous.run("SELECT current_user").await.value(),
        "analyst"
    );
    works(&["token of an identity provider"]);
    let channel = server.flight_over(&certified.over(server.tls())).await;
    let mut flying = Flight::over(channel.unwrap());
    assert_eq!(flying.run("SELECT current_user").await.value(), "analyst");
    works(&["client certificate"]);
    results(&mut flight).await;
    works(&[
        "result as Arrow data",
        "nested types",
        "query cost in the last message",
    ]);
    pieces_and_cancel(&mut flight).await;
    works(&["reading a result in pieces", "cancel"]);
    errors(&mut flight).await;
    works(&["message and position of an error", "SQLSTATE of an error"]);
    prepared(&mut flight).await;
    works(&[
        "prepared statement",
        "parameters of all types",
        "several rows of parameters",
    ]);
    catalog(&mut flight).await;
    works(&[
        "catalogs, databases, tables",
        "columns",
        "table types",
        "primary and foreign keys (always empty)",
        "type information of the server",
        "information about the server",
    ]);
    session(&mut flight).await;
    works(&[
        "statement that returns no rows",
        "schema of a result without execution",
        "current catalog and database",
        "session settings",
        "error for a transaction",
    ]);
    ingest(&mut flight).await;
    works(&["bulk ingestion"]);
    let mut scientist = server.flight("scientist").await;
    let customers = scientist
        .run("SELECT * FROM curated.customers LIMIT 1")
        .await;
    assert_eq!(customers.batches[0].num_columns(), 3);
    works(&["columns without a grant are hidden"]);
    shown
}

async fn results(flight: &mut Flight) {
    let sql = "SELECT total, order_date, order_id FROM curated.orders LIMIT 3";
    let fetched = flight.run(sql).await;
    let schema = fetched.batches[0].schema();
    let types: Vec<&DataType> = schema.fields().iter().map(|f| f.data_type()).collect();
    assert_eq!(
        types,
        [
            &DataType::Decimal128(10, 2),
            &DataType::Date32,
            &DataType::Utf8
        ]
    );
    assert!(fetched.usage["bytes_scanned"].is_u64(), "{}", fetched.usage);
    let nested = flight
        .run("SELECT shipping, items FROM raw.orders LIMIT 1")
        .await;
    let schema = nested.batches[0].schema();
    assert!(matches!(schema.field(0).data_type(), DataType::Struct(_)));
    assert!(matches!(schema.field(1).data_type(), DataType::List(_)));
}

async fn pieces_and_cancel(flight: &mut Flight) {
    let sql = "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";
    let ticket = flight.ticket(sql).await.unwrap();
    let mut stream = flight.sql.do_get(ticket).await.unwrap();
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);

    let info = flight.info(FOREVER).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut other = flight.clone();
    let running = tokio::spawn(async move { other.fetch(ticket).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let request = CancelFlightInfoRequest::new(info).encode_to_vec();
    let answer = flight.act("CancelFlightInfo", request).await.unwrap();
    let cancelled = CancelFlightInfoResult::decode(answer[0].clone()).unwrap();
    assert_eq!(cancelled.status(), CancelStatus::Cancelled);
    assert_eq!(running.await.unwrap().unwrap_err().code(), Code::Cancelled);
}

async fn errors(flight: &mut Flight) {
    let status = flight.fails("SELECT * FROM curated.absent").await;
    assert!(
        status
            .message()
            .contains("relation \"curated.absent\" does not exist")
    );
    assert_eq!(status.metadata().get("sqlstate").unwrap(), "42P01");
}

async fn prepared(flight: &mut Flight) {
    let batch = |columns: Vec<ArrayRef>| {
        let named = columns.into_iter().enumerate();
        RecordBatch::try_from_iter(named.map(|(i, column)| (i.to_string(), column))).unwrap()
    };
    let sql = "SELECT count(*) > 0 FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ? AND order_id <> ?";
    let mut statement = flight.sql.prepare(sql.to_owned(), None).await.unwrap();
    assert_eq!(statement.parameter_schema().unwrap().fields().len(), 4);
    let total = Decimal128Array::from(vec![100_000_000]);
    let parameters = batch(vec![
        Arc::new(Date32Array::from(vec![19_848])),
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(total.with_precision_and_scale(10, 2).unwrap()),
        Arc::new(StringArray::from(vec!["x"])),
    ]);
    statement.set_parameters(parameters).unwrap();
    let info = statement.execute().await.unwrap();
    assert_eq!(read(flight, info).await.value(), "true");
    statement.close().await.unwrap();

    let mut statement = flight
        .sql
        .prepare("SELECT ? * 10".to_owned(), None)
        .await
        .unwrap();
    let numbers = batch(vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]);
    statement.set_parameters(numbers).unwrap();
    let info = statement.execute().await.unwrap();
    assert_eq!(read(flight, info).await.rows(), [["10"], ["20"], ["30"]]);
}

async fn catalog(flight: &mut Flight) {
    let info = flight.sql.get_catalogs().await.unwrap();
    assert_eq!(read(flight, info).await.value(), "awsdatacatalog");
    let info = flight
        .sql
        .get_db_schemas(CommandGetDbSchemas::default())
        .await;
    let schemas = read(flight, info.unwrap()).await.rows();
    assert!(schemas.iter().any(|row| row[1] == "curated"), "{schemas:?}");
    let asked = CommandGetTables {
        db_schema_filter_pattern: Some("curated".to_owned()),
        table_name_filter_pattern: Some("orders".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = flight.sql.get_tables(asked).await.unwrap();
    let tables = read(flight, info).await;
    let schema = tables.batches[0].column_by_name("table_schema").unwrap();
    let bytes = arrow::array::AsArray::as_binary::<i32>(schema).value(0);
    let message = IpcMessage(bytes.to_vec().into());
    let columns = arrow::datatypes::Schema::try_from(message).unwrap();
    assert_eq!(
        columns.field_with_name("total").unwrap().data_type(),
        &DataType::Decimal128(10, 2)
    );
    let info = flight.sql.get_table_types().await.unwrap();
    assert_eq!(read(flight, info).await.rows().len(), 3);
    let asked = CommandGetPrimaryKeys {
        table: "orders".to_owned(),
        ..CommandGetPrimaryKeys::default()
    };
    let info = flight.sql.get_primary_keys(asked).await.unwrap();
    assert!(read(flight, info).await.rows().is_empty());
    let asked = CommandGetXdbcTypeInfo::default();
    let info = flight.sql.get_xdbc_type_info(asked).await.unwrap();
    assert!(read(flight, info).await.rows().len() > 10);
    let asked = vec![SqlInfo::FlightSqlServerName];
    let info = flight.sql.get_sql_info(asked).await.unwrap();
    let name = read(flight, info).await.rows();
    assert!(name[0][1].contains("Lakegate"), "{name:?}");
}

async fn session(flight: &mut Flight) {
    let updated = flight.sql.execute_update("USE curated".to_owned(), None);
    assert_eq!(updated.await.unwrap(), 0);
    assert_eq!(flight.run("SHOW search_path").await.value(), "curated");
    flight.run("SET statement_timeout = '30s'").await;
    assert_eq!(flight.run("SHOW statement_timeout").await.value(), "30s");
    let schema = flight
        .info(FOREVER)
        .await
        .unwrap()
        .try_decode_schema()
        .unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Int64);
    let refused = flight.sql.begin_transaction().await.unwrap_err();
    assert!(refused.to_string().contains("transaction"), "{refused}");
}

async fn ingest(flight: &mut Flight) {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("a", numbers)]).unwrap();
    let command = CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Create.into(),
            if_exists: TableExistsOption::Fail.into(),
        }),
        table: "rust_rows".to_owned(),
        schema: Some("analytics".to_owned()),
        ..CommandStatementIngest::default()
    };
    let batches = futures::stream::iter([Ok(batch.clone()), Ok(batch)]);
    let written = flight.sql.execute_ingest(command, batches).await;
    assert_eq!(written.unwrap(), 6);
    let sum = flight.run("SELECT sum(a) FROM analytics.rust_rows").await;
    assert_eq!(sum.value(), "12");
    let dropped = flight
        .sql
        .execute_update("DROP TABLE analytics.rust_rows".to_owned(), None);
    dropped.await.unwrap();
}

async fn read(flight: &mut Flight, info: FlightInfo) -> Fetched {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    flight.fetch(ticket).await.unwrap()
}
