//! BEGIN, COMMIT and ROLLBACK as drivers send them.

mod changes;

use crate::harness::Server;

#[tokio::test]
async fn failed_block_refuses_everything_until_it_ends() {
    let admin = Server::shared().connect("admin").await;
    admin.run("BEGIN").await;
    assert_eq!(
        admin.fails("SELECT * FROM no_such_table").await.code,
        "42P01"
    );
    assert_eq!(admin.fails("SELECT 1").await.code, "25P02");
    assert_eq!(admin.fails("SHOW DATABASES").await.code, "25P02");
    admin.run("ROLLBACK").await;
    assert_eq!(admin.value("SELECT 1").await, "1");
    admin.run("BEGIN").await;
    admin.fails("SELEC 1").await;
    assert_eq!(admin.fails("SELECT 1").await.code, "25P02");
    // COMMIT of a failed block rolls back and succeeds.
    admin.run("COMMIT").await;
    assert_eq!(admin.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn savepoint_takes_a_block_back_to_before_the_error() {
    let admin = Server::shared().connect("admin").await;
    admin.run("BEGIN; SAVEPOINT s").await;
    admin.fails("SELECT 1/0").await;
    assert_eq!(admin.fails("SELECT 1").await.code, "25P02");
    admin.run("ROLLBACK TO SAVEPOINT s").await;
    assert_eq!(admin.value("SELECT 1").await, "1");
    admin.run("RELEASE SAVEPOINT s; COMMIT").await;
    assert!(admin.try_rows("ROLLBACK TO SAVEPOINT s").await.is_err());
}

#[tokio::test]
async fn what_takes_effect_at_once_fails_in_a_block_and_names_autocommit() {
    let admin = Server::shared().connect("admin").await;
    for sql in [
        "CREATE ROLE in_block",
        "CREATE USER in_block WITH PASSWORD 'a long enough secret'",
        "MSCK REPAIR TABLE curated.orders",
    ] {
        admin.run("BEGIN").await;
        let failure = admin.fails(sql).await;
        assert_eq!(failure.code, "25001", "{sql}: {failure:?}");
        failure.names(&["autocommit"]);
        admin.run("ROLLBACK").await;
    }
    assert!(
        !admin
            .column("SHOW ROLES")
            .await
            .contains(&"in_block".to_owned())
    );
}

#[tokio::test]
async fn queries_in_a_block_run_and_the_status_byte_follows() {
    // tokio-postgres' own transactions depend on the status byte and on the tags.
    let mut admin = Server::shared().connect("admin").await;
    let transaction = admin.raw_mut().transaction().await.unwrap();
    let count: i64 = transaction
        .query_one("SELECT count(*) FROM curated.orders", &[])
        .await
        .unwrap()
        .get(0);
    assert!(count > 0);
    transaction.commit().await.unwrap();
    let transaction = admin.raw_mut().transaction().await.unwrap();
    assert!(
        transaction
            .query_one("SELECT no_such_column FROM curated.orders", &[])
            .await
            .is_err()
    );
    drop(transaction);
    assert_eq!(admin.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn prepared_statements_see_the_time_at_which_their_block_began() {
    let mut admin = Server::shared().connect("admin").await;
    let sql = "SELECT now()::text, (statement_timestamp() > now())::text";
    let times = admin.raw_mut().prepare(sql).await.unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for _ in 0..2 {
        let transaction = admin.raw_mut().transaction().await.unwrap();
        for _ in 0..2 {
            let row = transaction.query_one(&times, &[]).await.unwrap();
            found.push((row.get(0), row.get(1)));
        }
        transaction.commit().await.unwrap();
        let row = admin.raw_mut().query_one(&times, &[]).await.unwrap();
        found.push((row.get(0), row.get(1)));
    }
    let later: Vec<&str> = found.iter().map(|(_, later)| later.as_str()).collect();
    assert_eq!(later, ["true", "true", "false", "true", "true", "false"]);
    let mut began: Vec<&str> = found.iter().map(|(began, _)| began.as_str()).collect();
    assert_eq!((began[0], began[3]), (began[1], began[4]));
    began.dedup();
    assert_eq!(began.len(), 4, "{found:?}");
}

#[tokio::test]
async fn error_stops_the_rest_of_a_multi_statement_query() {
    let admin = Server::shared().connect("admin").await;
    let failure = admin
        .fails("SELECT 1; SELECT 1/0; CREATE DATABASE after_error")
        .await;
    assert_eq!(failure.code, "22012");
    assert!(
        !admin
            .column("SHOW DATABASES")
            .await
            .contains(&"after_error".to_owned())
    );
    assert_eq!(admin.value("SELECT 1; SELECT 2").await, "2");
}

#[tokio::test]
async fn statements_of_one_message_are_one_transaction() {
    let admin = Server::shared().connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE one_message LOCATION 's3://datalake/tests/one_message/'",
            "CREATE TABLE one_message.t AS SELECT 1 AS a",
        ])
        .await;
    let count = || admin.number("SELECT count(*) FROM one_message.t");
    let insert = |a: i32| format!("INSERT INTO one_message.t VALUES ({a})");
    let lost = format!("{}; SET application_name = 'lost'; SELECT 1/0", insert(2));
    assert_eq!(admin.fails(&lost).await.code, "22012");
    assert_eq!(count().await, 1);
    assert_ne!(admin.value("SHOW application_name").await, "lost");
    admin.run(&format!("{}; {}", insert(2), insert(3))).await;
    assert_eq!(count().await, 3);
    // COMMIT keeps what is before it, and BEGIN takes it into its block.
    let kept = format!("{}; COMMIT; {}; SELECT 1/0", insert(4), insert(5));
    assert_eq!(admin.fails(&kept).await.code, "22012");
    assert_eq!(count().await, 4);
    admin.run(&format!("{}; BEGIN", insert(6))).await;
    assert_eq!(count().await, 5);
    admin.run("ROLLBACK").await;
    assert_eq!(count().await, 4);
    // What no block could take back stands alone.
    admin.fails("CREATE ROLE one_message; SELECT 1/0").await;
    admin.run("DROP ROLE one_message; SELECT 1").await;
    assert_eq!(admin.fails("SELECT 1; SAVEPOINT s").await.code, "25P01");
    admin.run("DROP DATABASE one_message CASCADE").await;
}

#[tokio::test]
async fn begin_twice_and_commit_without_begin_are_warnings_as_in_postgres() {
    let admin = Server::shared().connect("admin").await;
    admin.run("BEGIN; BEGIN; COMMIT; COMMIT; ROLLBACK").await;
    for sql in [
        "BEGIN READ ONLY",
        "COMMIT",
        "START TRANSACTION",
        "END",
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        "ABORT",
    ] {
        admin.run(sql).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_transactions_change_nothing() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE read_only LOCATION 's3://datalake/tests/read_only/'; CREATE TABLE read_only.t AS SELECT 1 AS id")
        .await;
    for begin in [
        "BEGIN READ ONLY",
        "START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
        "BEGIN; SET TRANSACTION READ ONLY",
        "BEGIN; SET LOCAL transaction_read_only = on",
        "SET default_transaction_read_only = on; BEGIN",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ] {
        for write in [
            "TRUNCATE read_only.t",
            "DELETE FROM read_only.t",
            "INSERT INTO read_only.t VALUES (2)",
            "COPY read_only.t FROM STDIN",
            "EXPLAIN ANALYZE DELETE FROM read_only.t",
            "CREATE TABLE read_only.u AS SELECT 1 AS id",
            "DROP TABLE read_only.t",
            "GRANT SELECT ON TABLE read_only.t TO analyst",
            "EXECUTE empties",
            "SELECT id FROM read_only.t FOR UPDATE",
            "DECLARE c CURSOR FOR SELECT id FROM read_only.t FOR KEY SHARE",
        ] {
            admin
                .run("PREPARE empties AS DELETE FROM read_only.t")
                .await;
            admin.run(begin).await;
            assert_eq!(admin.value("SELECT id FROM read_only.t").await, "1");
            let failure = admin.fails(write).await;
            assert_eq!(failure.code, "25006", "{begin}; {write}");
            admin.run("ROLLBACK; DISCARD ALL").await;
        }
    }
    admin
        .run("SET default_transaction_read_only = on; BEGIN READ WRITE; DELETE FROM read_only.t; COMMIT; RESET default_transaction_read_only")
        .await;
    assert_eq!(admin.value("SELECT count(*) FROM read_only.t").await, "0");
}
