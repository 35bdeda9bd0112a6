//! sqlx: queries, its pool, and what its macros ask while a program is compiled.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use rust_decimal::Decimal;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgListener, PgPoolOptions};
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, PgConnection, Row, SqlStr, Statement,
    TypeInfo,
};
use tokio::time::{Duration, timeout};
use uuid::Uuid;

use crate::demo::{Demo, forever, other_ca, passes};

const CLIENT: &str = "sqlx";

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
    works!("prepared statement", describes);
    works!("reading a result in pieces", reads_in_pieces);
    works!("transaction with rollback", rolls_back);
    works!("SQLSTATE and position of an error", tells_errors);
    works!("cancel", cancels_by_dropping);
    works!("cancel by pg_cancel_backend", cancels_by_function);
    works!("timeout", times_out);
    works!("pool", pools);
    works!("pool", listener_is_refused);
    works!("columns without a grant are hidden", hides_columns);
    works!("bulk load", copies_in);
    works!("COPY TO", copies_out);
}

async fn connect(demo: &Demo) -> PgConnection {
    PgConnection::connect_with(&demo.options("admin"))
        .await
        .unwrap()
}

fn sqlstate(error: &sqlx::Error) -> String {
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) => code.into_owned(),
        None => format!("none: {error}"),
    }
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()
}

fn at() -> NaiveDateTime {
    day().and_hms_milli_opt(12, 34, 56, 789).unwrap()
}

fn interval() -> PgInterval {
    PgInterval {
        months: 0,
        days: 1,
        microseconds: 2 * 3600 * 1_000_000,
    }
}

async fn connects(demo: &Demo) {
    let mut connection = connect(demo).await;
    connection.ping().await.unwrap();
    connection.close().await.unwrap();
    let other = demo.options("admin").ssl_root_cert(other_ca());
    let error = PgConnection::connect_with(&other).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

async fn refuses_a_wrong_password(demo: &Demo) {
    let options = demo.options("admin").password("wrong");
    let error = PgConnection::connect_with(&options).await.unwrap_err();
    assert_eq!(sqlstate(&error), "28P01");
}

async fn runs_several_statements(demo: &Demo) {
    let mut connection = connect(demo).await;
    let rows = sqlx::raw_sql("SELECT current_user; SELECT 2")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let found: (String, i32) = (rows[0].get(0), rows[1].get(0));
    assert_eq!(found, ("admin".to_owned(), 2));
}

async fn reads_all_types(demo: &Demo) {
    let mut connection = connect(demo).await;
    let sql = "SELECT NULL::int, true, (-32768)::smallint, 7::int, (-9223372036854775808)::bigint, 1.5::real, \
               2.5::double precision, CAST('12.50' AS numeric(10,2)), 'dß€😀'::text, DATE '2024-02-29', \
               TIMESTAMP '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+00'::timestamptz, \
               INTERVAL '1 day 2 hours', '\\x00ff'::bytea, '{\"a\": [1, null]}'::json, \
               ARRAY[1::int, 2::int, NULL], ARRAY['a', 'b,c', NULL], TIME '12:34:56.789'";
    // By the extended protocol the values are binary, by the simple one they are text.
    let binary = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    let text = sqlx::raw_sql(sql).fetch_one(&mut connection).await.unwrap();
    for row in [binary, text] {
        assert_eq!(row.get::<Option<i32>, _>(0), None);
        assert!(row.get::<bool, _>(1));
        assert_eq!(row.get::<i16, _>(2), i16::MIN);
        assert_eq!(row.get::<i32, _>(3), 7);
        assert_eq!(row.get::<i64, _>(4), i64::MIN);
        assert_eq!(row.get::<f32, _>(5), 1.5);
        assert_eq!(row.get::<f64, _>(6), 2.5);
        assert_eq!(row.get::<Decimal, _>(7), Decimal::new(1250, 2));
        assert_eq!(row.get::<&str, _>(8), "dß€😀");
        assert_eq!(row.get::<NaiveDate, _>(9), day());
        assert_eq!(row.get::<NaiveDateTime, _>(10), at());
        assert_eq!(row.get::<DateTime<Utc>, _>(11), at().and_utc());
        assert_eq!(row.get::<Vec<u8>, _>(13), [0, 255]);
        let document: serde_json::Value = row.get(14);
        assert_eq!(document, serde_json::json!({"a": [1, null]}));
        assert_eq!(row.get::<Vec<Option<i32>>, _>(15), [Some(1), Some(2), None]);
        let words: Vec<Option<String>> = row.get(16);
        let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
        assert_eq!(words, [Some("a"), Some("b,c"), None]);
        assert_eq!(row.get::<NaiveTime, _>(17), at().time());
    }
    // sqlx reads intervals in the binary format only.
    let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<PgInterval, _>(12), interval());
    let names: Vec<&str> = row.columns().iter().map(|c| c.type_info().name()).collect();
    assert_eq!(names[..4], ["INT4", "BOOL", "INT2", "INT4"]);
    assert_eq!(names[15..], ["INT4[]", "TEXT[]", "TIME"]);
}

async fn binds_all_types(demo: &Demo) {
    let mut connection = connect(demo).await;
    let row = sqlx::query(
        "SELECT $1::boolean, $2::smallint, $3::int, $4::bigint, $5::double precision, $6::text, $7::date, \
         $8::timestamp, $9::timestamptz, $10::bytea, $11::int[], $12::text[], $13::int IS NULL, $14::interval, \
         $15::numeric, $16::real, $17::json, $18::time",
    )
    .bind(true)
    .bind(i16::MAX)
    .bind(i32::MIN)
    .bind(9_007_199_254_740_993_i64)
    .bind(2.5_f64)
    .bind("d'ß\\")
    .bind(day())
    .bind(at())
    .bind(at().and_utc())
    .bind(&[0_u8, 255][..])
    .bind(vec![1_i32, 2])
    .bind(vec!["a", "b\"c"])
    .bind(None::<i32>)
    .bind(interval())
    .bind(Decimal::new(12_345_678, 3))
    .bind(1.5_f32)
    .bind(serde_json::json!({"a": [1, null]}))
    .bind(at().time())
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(row.get::<bool, _>(0));
    assert_eq!(row.get::<i16, _>(1), i16::MAX);
    assert_eq!(row.get::<i32, _>(2), i32::MIN);
    assert_eq!(row.get::<i64, _>(3), 9_007_199_254_740_993);
    assert_eq!(row.get::<f64, _>(4), 2.5);
    assert_eq!(row.get::<&str, _>(5), "d'ß\\");
    assert_eq!(row.get::<NaiveDate, _>(6), day());
    assert_eq!(row.get::<NaiveDateTime, _>(7), at());
    assert_eq!(row.get::<DateTime<Utc>, _>(8), at().and_utc());
    assert_eq!(row.get::<Vec<u8>, _>(9), [0, 255]);
    assert_eq!(row.get::<Vec<i32>, _>(10), [1, 2]);
    assert_eq!(row.get::<Vec<String>, _>(11), ["a", "b\"c"]);
    assert!(row.get::<bool, _>(12));
    assert_eq!(row.get::<PgInterval, _>(13), interval());
    assert_eq!(row.get::<Decimal, _>(14), Decimal::new(12_345_678, 3));
    assert_eq!(row.get::<f32, _>(15), 1.5);
    let document: serde_json::Value = row.get(16);
    assert_eq!(document, serde_json::json!({"a": [1, null]}));
    assert_eq!(row.get::<NaiveTime, _>(17), at().time());
    let condition = "SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND order_id = ANY($3)";
    let count: i64 = sqlx::query_scalar(condition)
        .bind(NaiveDate::from_ymd_opt(2024, 5, 5).unwrap())
        .bind(1_i32)
        .bind(vec!["no"])
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 0);
}

async fn binds_a_uuid(demo: &Demo) {
    let id = Uuid::new_v4();
    let found: (Uuid, String) = sqlx::query_as("SELECT $1::uuid, $1::uuid::text")
        .bind(id)
        .fetch_one(&demo.admin)
        .await
        .unwrap();
    assert_eq!(found, (id, id.to_string()));
}

async fn prepares(demo: &Demo) {
    let mut connection = connect(demo).await;
    for n in 0..3_i32 {
        let sum: i32 = sqlx::query_scalar("SELECT $1::int + 1")
            .bind(n)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(sum, n + 1);
    }
    assert_eq!(connection.cached_statements_size(), 1);
    connection.clear_cached_statements().await.unwrap();
    let twice: i32 = sqlx::query_scalar("SELECT 2 * $1::int")
        .bind(21_i32)
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(twice, 42);
}

/// `prepare`, and `describe`, which the macros call: they read where columns come from as an array
/// of records.
async fn describes(demo: &Demo) {
    let options = demo
        .options("admin")
        .options([("struct_output", "composite")]);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let sql = "SELECT o.order_id, p.name, count(*) AS n FROM curated.orders o \
               LEFT JOIN curated.products p ON p.product_id = o.product_id \
               WHERE o.quantity > $1 AND o.order_date = $2 GROUP BY 1, 2";
    let statement = (&mut connection)
        .prepare(SqlStr::from_static(sql))
        .await
        .unwrap();
    let names: Vec<&str> = statement.columns().iter().map(Column::name).collect();
    assert_eq!(names, ["order_id", "name", "n"]);
    let described = (&mut connection)
        .describe(SqlStr::from_static(sql))
        .await
        .unwrap();
    let types: Vec<&str> = described
        .columns()
        .iter()
        .map(|column| column.type_info().name())
        .collect();
    assert_eq!(types, ["TEXT", "TEXT", "INT8"]);
    let Some(Either::Left(parameters)) = described.parameters() else {
        panic!("no types of parameters");
    };
    let parameters: Vec<&str> = parameters.iter().map(TypeInfo::name).collect();
    assert_eq!(parameters, ["INT4", "DATE"]);
    let nullable: Vec<Option<bool>> = (0..3).map(|column| described.nullable(column)).collect();
    assert_eq!(nullable, [Some(true), Some(true), None]);
}

async fn reads_in_pieces(demo: &Demo) {
    let mut connection = connect(demo).await;
    {
        let mut rows =
            sqlx::query("SELECT /* sqlx-stream */ x FROM generate_series(1, 100000000) t(x)")
                .fetch(&mut connection);
        for _ in 0..1000 {
            assert!(rows.try_next().await.unwrap().is_some());
        }
    }
    // The rows that were not read are still to come.
    connection.close_hard().await.unwrap();
    demo.running("sqlx-stream", 0).await;
    let mut transaction = demo.admin.begin().await.unwrap();
    sqlx::query(
        "DECLARE pieces CURSOR FOR SELECT x::int FROM generate_series(1, 250) t(x) ORDER BY x",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    let mut seen = 0;
    loop {
        let piece: Vec<i32> = sqlx::query_scalar("FETCH 100 FROM pieces")
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        if piece.is_empty() {
            break;
        }
        seen += piece.len();
    }
    assert_eq!(seen, 250);
    transaction.rollback().await.unwrap();
}

async fn rolls_back(demo: &Demo) {
    demo.make_things("of_sqlx").await;
    let insert = "INSERT INTO of_sqlx.things (id) VALUES ($1)";
    let mut transaction = demo.admin.begin().await.unwrap();
    let inserted = sqlx::query(insert)
        .bind(1_i32)
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(inserted.rows_affected(), 1);
    transaction.rollback().await.unwrap();
    // A transaction that goes out of scope is rolled back.
    let mut transaction = demo.admin.begin().await.unwrap();
    sqlx::query(insert)
        .bind(2_i32)
        .execute(&mut *transaction)
        .await
        .unwrap();
    drop(transaction);
    let mut transaction = demo.admin.begin().await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    let error = sqlx::query("SELECT 1 / 0")
        .execute(&mut *savepoint)
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&error), "22012");
    savepoint.rollback().await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    sqlx::query(insert)
        .bind(3_i32)
        .execute(&mut *savepoint)
        .await
        .unwrap();
    savepoint.commit().await.unwrap();
    transaction.commit().await.unwrap();
    let ids: Vec<i32> = sqlx::query_scalar("SELECT id FROM of_sqlx.things")
        .fetch_all(&demo.admin)
        .await
        .unwrap();
    assert_eq!(ids, [3]);
    demo.drop_things("of_sqlx").await;
}

async fn tells_errors(demo: &Demo) {
    let error = sqlx::query("SELECT order_id, no_such FROM curated.orders")
        .fetch_all(&demo.admin)
        .await
        .unwrap_err();
    let error = error.into_database_error().unwrap();
    let error = error.downcast_ref::<PgDatabaseError>();
    assert_eq!(error.code(), "42703");
    assert!(matches!(
        error.position(),
        Some(PgErrorPosition::Original(18))
    ));
    let found: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&demo.admin)
        .await
        .unwrap();
    assert_eq!(found, 1);
}

async fn cancels_by_dropping(demo: &Demo) {
    let mut connection = connect(demo).await;
    let sql = forever("sqlx-drop");
    let stopped = timeout(Duration::from_secs(60), async {
        tokio::select! {
            ended = sqlx::query(AssertSqlSafe(sql.as_str())).execute(&mut connection) => panic!("{ended:?}"),
            () = demo.running("sqlx-drop", 1) => {}
        }
    });
    stopped.await.unwrap();
    drop(connection);
    demo.running("sqlx-drop", 0).await;
}

async fn cancels_by_function(demo: &Demo) {
    let mut connection = connect(demo).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let sql = forever("sqlx-cancel");
    let cancel = async {
        demo.running("sqlx-cancel", 1).await;
        let cancelled: bool = sqlx::query_scalar("SELECT pg_cancel_backend($1)")
            .bind(pid)
            .fetch_one(&demo.admin)
            .await
            .unwrap();
        assert!(cancelled);
    };
    let query = sqlx::query(AssertSqlSafe(sql.as_str())).execute(&mut connection);
    let (ended, ()) = tokio::join!(query, cancel);
    assert_eq!(sqlstate(&ended.unwrap_err()), "57014");
    connection.ping().await.unwrap();
}

async fn times_out(demo: &Demo) {
    let options = demo
        .options("admin")
        .options([("statement_timeout", "300")]);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let error = sqlx::query(AssertSqlSafe(forever("sqlx-timeout")))
        .execute(&mut connection)
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&error), "57014");
    demo.running("sqlx-timeout", 0).await;
}

async fn pools(demo: &Demo) {
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .connect_with(demo.options("admin"))
        .await
        .unwrap();
    let sums = (0..6_i32).map(|n| {
        sqlx::query_scalar::<_, i32>("SELECT $1::int + 1")
            .bind(n)
            .fetch_one(&pool)
    });
    let sum: i32 = join_all(sums).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(sum, 21);
    assert!(pool.size() <= 3, "{}", pool.size());
    pool.close().await;
}

/// There are no notifications: the error says so at once, and a listener does not wait for ever.
async fn listener_is_refused(demo: &Demo) {
    let mut listener = PgListener::connect_with(&demo.admin).await.unwrap();
    let error = listener.listen("events").await.unwrap_err();
    assert_eq!(sqlstate(&error), "0A000");
    listener.unlisten_all().await.unwrap();
}

async fn hides_columns(demo: &Demo) {
    let mut connection = PgConnection::connect_with(&demo.options("scientist"))
        .await
        .unwrap();
    let row = sqlx::query("SELECT * FROM curated.customers LIMIT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let names: Vec<&str> = row.columns().iter().map(Column::name).collect();
    assert_eq!(names, ["customer_id", "segment", "region"]);
}

async fn copies_in(demo: &Demo) {
    demo.make_things("of_sqlx").await;
    let mut connection = connect(demo).await;
    let mut copy = connection
        .copy_in_raw("COPY of_sqlx.things (id, name) FROM STDIN (FORMAT csv)")
        .await
        .unwrap();
    copy.send("1,one\n2,".as_bytes()).await.unwrap();
    copy.send("\n".as_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let copy = connection
        .copy_in_raw("COPY of_sqlx.things (id) FROM STDIN")
        .await
        .unwrap();
    copy.abort("stopped").await.unwrap();
    sqlx::query(
        "INSERT INTO of_sqlx.things (id, name) SELECT * FROM unnest($1::int[], $2::text[])",
    )
    .bind(vec![3_i32, 4])
    .bind(vec!["three", "four"])
    .execute(&mut connection)
    .await
    .unwrap();
    let names: String = sqlx::query_scalar(
        "SELECT string_agg(id::text || coalesce(name, '-'), ' ' ORDER BY id) FROM of_sqlx.things",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(names, "1one 2- 3three 4four");
    demo.drop_things("of_sqlx").await;
}

async fn copies_out(demo: &Demo) {
    let mut connection = connect(demo).await;
    let chunks: Vec<_> = connection
        .copy_out_raw("COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv)")
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(chunks.concat(), b"1,\"a,b\",\n");
    connection.ping().await.unwrap();
}
