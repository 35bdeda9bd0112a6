//! BEGIN, COMMIT and ROLLBACK as drivers send them.

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
async fn ddl_in_an_explicit_block_fails_and_names_autocommit() {
    let admin = Server::shared().connect("admin").await;
    for sql in [
        "CREATE DATABASE in_block",
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
            .column("SHOW DATABASES")
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
