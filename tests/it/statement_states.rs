//! The states that statements are planned in serve later statements, of other sessions and users.

use crate::harness::Server;

#[tokio::test]
async fn a_statement_sees_nothing_of_those_that_its_state_served_before() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run(
            "CREATE USER reader WITH PASSWORD 'a long enough secret';
             GRANT SELECT (order_id) ON TABLE curated.orders TO reader",
        )
        .await;
    let reader = server
        .connect_as("reader", "a long enough secret", "curated")
        .await;
    admin.run("CREATE TEMP TABLE mine AS SELECT 1 AS n").await;
    admin.run("SET datestyle TO 'ISO, DMY'").await;
    admin.run("BEGIN").await;
    let began = admin.value("SELECT now()::text").await;
    // More statements than states that are kept, one after the other.
    for _ in 0..6 {
        assert_eq!(admin.value("SELECT date '01/02/2003'").await, "2003-02-01");
        assert_eq!(admin.value("SELECT sum(n) FROM mine").await, "1");
        assert_eq!(admin.value("SELECT now()::text").await, began);
        assert_eq!(admin.value("SELECT current_user::text").await, "admin");

        assert_eq!(reader.value("SELECT date '01/02/2003'").await, "2003-01-02");
        assert_eq!(reader.fails("SELECT sum(n) FROM mine").await.code, "42P01");
        assert_eq!(reader.fails("SELECT total FROM orders").await.code, "42703");
        assert_ne!(reader.value("SELECT now()::text").await, began);
        let times = "SELECT (statement_timestamp() = now())::text";
        assert_eq!(reader.value(times).await, "true");
        assert_eq!(reader.value("SELECT current_user::text").await, "reader");
    }
    admin.run("COMMIT").await;
}
