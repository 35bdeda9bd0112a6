//! tokio-postgres, with TLS by tokio-postgres-rustls.

use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::{SinkExt, TryStreamExt};
use rust_decimal::Decimal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use crate::demo::{Demo, forever, other_ca, passes};

const CLIENT: &str = "tokio-postgres";

pub async fn run(demo: &mut Demo) {
    macro_rules! works {
        ($capability:literal, $check:ident) => {
            let passed = passes($check(demo)).await;
            demo.judge(CLIENT, $capability, passed);
        };
    }
    works!("TLS with certificate verification", connects);
    works!("error for a wrong password", refuses_a_wrong_password);
    works!("simple query", runs_several_statements);
    works!("results of all types", reads_all_types);
    works!("parameters of all types", binds_all_types);
    works!("uuid", binds_a_uuid);
    works!("prepared statement", prepares);
    works!("reading a result in pieces", reads_in_pieces);
    works!("transaction with rollback", rolls_back);
    works!("SQLSTATE and position of an error", tells_errors);
    works!("cancel", cancels);
    works!("timeout", times_out);
    works!("columns without a grant are hidden", hides_columns);
    works!("bulk load", copies_in);
    works!("COPY TO", copies_out);
}

fn config(demo: &Demo, user: &str) -> Config {
    let mut config = Config::new();
    config
        .host(demo.host())
        .port(demo.port())
        .user(user)
        .password(demo.password(user))
        .dbname("awsdatacatalog")
        .ssl_mode(SslMode::Require);
    config
}

fn trusting(ca_file: &str) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

async fn connect_with(config: &Config, tls: MakeRustlsConnect) -> Result<Client, Error> {
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect(demo: &Demo, user: &str) -> Client {
    let tls = trusting(demo.ca_file());
    connect_with(&config(demo, user), tls).await.unwrap()
}

fn sqlstate(error: &Error) -> &str {
    error.code().map_or("none", |state| state.code())
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()
}

fn at() -> NaiveDateTime {
    day().and_hms_milli_opt(12, 34, 56, 789).unwrap()
}

async fn connects(demo: &Demo) {
    let row = connect(demo, "admin")
        .await
        .query_one("SELECT current_user::text", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "admin");
    let other = connect_with(&config(demo, "admin"), trusting(&other_ca())).await;
    let Err(error) = other else {
        panic!("a certificate of another authority was accepted");
    };
    let text = format!("{error:?}");
    assert!(text.to_lowercase().contains("certificate"), "{text}");
}

async fn refuses_a_wrong_password(demo: &Demo) {
    let mut config = config(demo, "admin");
    config.password("wrong");
    let Err(error) = connect_with(&config, trusting(demo.ca_file())).await else {
        panic!("a wrong password was accepted");
    };
    assert_eq!(sqlstate(&error), "28P01");
}

async fn runs_several_statements(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let messages = client
        .simple_query("SELECT current_user; SELECT 2")
        .await
        .unwrap();
    let found: Vec<&str> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(found, ["admin", "2"]);
}

async fn reads_all_types(demo: &Demo) {
    let sql = "SELECT NULL::int, true, (-32768)::smallint, 7::int, (-9223372036854775808)::bigint, 1.5::real, \
               2.5::double precision, CAST('12.50' AS numeric(10,2)), 'dß€😀'::text, DATE '2024-02-29', \
               TIMESTAMP '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+00'::timestamptz, '\\x00ff'::bytea, \
               '{\"a\": [1, null]}'::json, ARRAY[1::int, 2::int, NULL], ARRAY['a', 'b,c', NULL], TIME '12:34:56.789'";
    let row = connect(demo, "admin")
        .await
        .query_one(sql, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<i32>>(0), None);
    assert!(row.get::<_, bool>(1));
    assert_eq!(row.get::<_, i16>(2), i16::MIN);
    assert_eq!(row.get::<_, i32>(3), 7);
    assert_eq!(row.get::<_, i64>(4), i64::MIN);
    assert_eq!(row.get::<_, f32>(5), 1.5);
    assert_eq!(row.get::<_, f64>(6), 2.5);
    assert_eq!(row.get::<_, Decimal>(7), Decimal::new(1250, 2));
    assert_eq!(row.get::<_, &str>(8), "dß€😀");
    assert_eq!(row.get::<_, NaiveDate>(9), day());
    assert_eq!(row.get::<_, NaiveDateTime>(10), at());
    assert_eq!(row.get::<_, DateTime<Utc>>(11), at().and_utc());
    assert_eq!(row.get::<_, Vec<u8>>(12), [0, 255]);
    let document: serde_json::Value = row.get(13);
    assert_eq!(document, serde_json::json!({"a": [1, null]}));
    assert_eq!(row.get::<_, Vec<Option<i32>>>(14), [Some(1), Some(2), None]);
    assert_eq!(
        row.get::<_, Vec<Option<&str>>>(15),
        [Some("a"), Some("b,c"), None]
    );
    assert_eq!(row.get::<_, NaiveTime>(16), at().time());
}

async fn binds_all_types(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let sql = "SELECT $1::boolean, $2::smallint, $3::int, $4::bigint, $5::double precision, $6::text, $7::date, \
               $8::timestamp, $9::timestamptz, $10::bytea, $11::int[], $12::text[], $13::int IS NULL, $14::numeric, \
               $15::real, $16::json, $17::time";
    let document = serde_json::json!({"a": [1, null]});
    let bytes: &[u8] = &[0, 255];
    let parameters: [&(dyn ToSql + Sync); 17] = [
        &true,
        &i16::MAX,
        &i32::MIN,
        &9_007_199_254_740_993_i64,
        &2.5_f64,
        &"d'ß\\",
        &day(),
        &at(),
        &at().and_utc(),
        &bytes,
        &vec![1_i32, 2],
        &vec!["a", "b\"c"],
        &None::<i32>,
        &Decimal::new(12_345_678, 3),
        &1.5_f32,
        &document,
        &at().time(),
    ];
    let row = client.query_one(sql, &parameters).await.unwrap();
    assert!(row.get::<_, bool>(0));
    assert_eq!(row.get::<_, i16>(1), i16::MAX);
    assert_eq!(row.get::<_, i32>(2), i32::MIN);
    assert_eq!(row.get::<_, i64>(3), 9_007_199_254_740_993);
    assert_eq!(row.get::<_, f64>(4), 2.5);
    assert_eq!(row.get::<_, &str>(5), "d'ß\\");
    assert_eq!(row.get::<_, NaiveDate>(6), day());
    assert_eq!(row.get::<_, NaiveDateTime>(7), at());
    assert_eq!(row.get::<_, DateTime<Utc>>(8), at().and_utc());
    assert_eq!(row.get::<_, Vec<u8>>(9), [0, 255]);
    assert_eq!(row.get::<_, Vec<i32>>(10), [1, 2]);
    assert_eq!(row.get::<_, Vec<&str>>(11), ["a", "b\"c"]);
    assert!(row.get::<_, bool>(12));
    assert_eq!(row.get::<_, Decimal>(13), Decimal::new(12_345_678, 3));
    assert_eq!(row.get::<_, f32>(14), 1.5);
    assert_eq!(row.get::<_, serde_json::Value>(15), document);
    assert_eq!(row.get::<_, NaiveTime>(16), at().time());
    let condition = "SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND order_id = ANY($3)";
    let date = NaiveDate::from_ymd_opt(2024, 5, 5).unwrap();
    let row = client
        .query_one(condition, &[&date, &1_i32, &vec!["no"]])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

async fn binds_a_uuid(demo: &Demo) {
    let id = Uuid::new_v4();
    let row = connect(demo, "admin")
        .await
        .query_one("SELECT $1::uuid, $1::uuid::text", &[&id])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Uuid>(0), id);
    assert_eq!(row.get::<_, &str>(1), id.to_string());
}

async fn prepares(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let statement = client.prepare("SELECT $1::int AS given").await.unwrap();
    assert_eq!(statement.params(), [Type::INT4]);
    assert_eq!(statement.columns()[0].name(), "given");
    for n in 0..3_i32 {
        let row = client.query_one(&statement, &[&n]).await.unwrap();
        assert_eq!(row.get::<_, i32>("given"), n);
    }
}

async fn reads_in_pieces(demo: &Demo) {
    let mut client = connect(demo, "admin").await;
    let transaction = client.transaction().await.unwrap();
    let statement = transaction
        .prepare("SELECT x::int FROM generate_series(1, 250) t(x) ORDER BY x")
        .await
        .unwrap();
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    let mut pieces = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 100).await.unwrap();
        if rows.is_empty() {
            break;
        }
        pieces.push(rows.len());
    }
    assert_eq!(pieces, [100, 100, 50]);
    transaction.commit().await.unwrap();
    // Rows are read as they are asked for; those that are left are discarded with the connection.
    let sql = "SELECT /* tokio-postgres-stream */ x FROM generate_series(1, 100000000) t(x)";
    let rows = client.query_raw(sql, Vec::<i32>::new()).await.unwrap();
    {
        let mut rows = pin!(rows);
        for _ in 0..1000 {
            assert!(rows.try_next().await.unwrap().is_some());
        }
        let token = client.cancel_token();
        token.cancel_query(trusting(demo.ca_file())).await.unwrap();
        let error = loop {
            match rows.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("all rows were sent"),
                Err(error) => break error,
            }
        };
        assert_eq!(sqlstate(&error), "57014");
    }
    demo.running("tokio-postgres-stream", 0).await;
}

async fn rolls_back(demo: &Demo) {
    demo.make_things("of_tokio_postgres").await;
    let mut client = connect(demo, "admin").await;
    let insert = "INSERT INTO of_tokio_postgres.things (id) VALUES ($1)";
    let transaction = client.transaction().await.unwrap();
    assert_eq!(transaction.execute(insert, &[&1_i32]).await.unwrap(), 1);
    transaction.rollback().await.unwrap();
    let mut transaction = client.transaction().await.unwrap();
    let savepoint = transaction.transaction().await.unwrap();
    let error = savepoint.execute("SELECT 1 / 0", &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), "22012");
    savepoint.rollback().await.unwrap();
    transaction.execute(insert, &[&2_i32]).await.unwrap();
    transaction.commit().await.unwrap();
    let rows = client
        .query("SELECT id FROM of_tokio_postgres.things", &[])
        .await
        .unwrap();
    let ids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids, [2]);
    demo.drop_things("of_tokio_postgres").await;
}

async fn tells_errors(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let sql = "SELECT order_id, no_such FROM curated.orders";
    let error = client.query(sql, &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), "42703");
    let position = error.as_db_error().unwrap().position();
    assert_eq!(position, Some(&ErrorPosition::Original(18)));
    client.batch_execute("SELECT 1").await.unwrap();
}

async fn cancels(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let sql = forever("tokio-postgres-cancel");
    let cancel = async {
        demo.running("tokio-postgres-cancel", 1).await;
        let token = client.cancel_token();
        token.cancel_query(trusting(demo.ca_file())).await.unwrap();
    };
    let (ended, ()) = tokio::join!(client.batch_execute(&sql), cancel);
    assert_eq!(sqlstate(&ended.unwrap_err()), "57014");
    demo.running("tokio-postgres-cancel", 0).await;
    client.batch_execute("SELECT 1").await.unwrap();
}

async fn times_out(demo: &Demo) {
    let mut config = config(demo, "admin");
    config.options("-c statement_timeout=300");
    let tls = trusting(demo.ca_file());
    let client = connect_with(&config, tls).await.unwrap();
    let sql = forever("tokio-postgres-timeout");
    let error = client.batch_execute(&sql).await.unwrap_err();
    assert_eq!(sqlstate(&error), "57014");
}

async fn hides_columns(demo: &Demo) {
    let client = connect(demo, "scientist").await;
    let statement = client
        .prepare("SELECT * FROM curated.customers LIMIT 1")
        .await
        .unwrap();
    let names: Vec<&str> = statement.columns().iter().map(|c| c.name()).collect();
    assert_eq!(names, ["customer_id", "segment", "region"]);
}

async fn copies_in(demo: &Demo) {
    demo.make_things("of_tokio_postgres").await;
    let client = connect(demo, "admin").await;
    {
        let sql = "COPY of_tokio_postgres.things (id, name) FROM STDIN (FORMAT csv)";
        let mut sink = pin!(client.copy_in::<_, &'static [u8]>(sql).await.unwrap());
        sink.send(b"1,one\n2,".as_slice()).await.unwrap();
        sink.send(b"\n".as_slice()).await.unwrap();
        assert_eq!(sink.as_mut().finish().await.unwrap(), 2);
    }
    let names = "SELECT string_agg(id::text || coalesce(name, '-'), ' ' ORDER BY id) FROM of_tokio_postgres.things";
    let row = client.query_one(names, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "1one 2-");
    demo.drop_things("of_tokio_postgres").await;
}

async fn copies_out(demo: &Demo) {
    let client = connect(demo, "admin").await;
    let stream = client
        .copy_out("COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv)")
        .await
        .unwrap();
    let chunks: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"1,\"a,b\",\n");
}
