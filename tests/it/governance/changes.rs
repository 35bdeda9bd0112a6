//! Grants that come and go while sessions are open.

use super::People;
use crate::harness::{Door, through_each_door};

async fn column_grant_through_a_role_comes_and_goes_with_membership(door: Door) {
    let people = People::new(door).await;
    let user = people.connect().await;
    let role = format!("readers_by_{door}");
    people
        .admin
        .run_each(&[
            &format!("CREATE ROLE {role}"),
            &format!("GRANT SELECT (order_id, total) ON TABLE curated.orders TO {role}"),
        ])
        .await;
    assert_eq!(
        user.fails("SELECT * FROM curated.orders").await.code,
        "42P01"
    );
    people.grant(&role).await;
    assert_eq!(
        user.columns("SELECT * FROM curated.orders LIMIT 1").await,
        ["order_id", "total"]
    );
    // A second grant adds to the first.
    people
        .grant("SELECT (quantity) ON TABLE curated.orders")
        .await;
    assert_eq!(
        user.columns("SELECT * FROM curated.orders LIMIT 1").await,
        ["order_id", "quantity", "total"]
    );
    people
        .revoke("SELECT (quantity) ON TABLE curated.orders")
        .await;
    people
        .admin
        .run(&format!(
            "REVOKE SELECT (total) ON TABLE curated.orders FROM {role}"
        ))
        .await;
    assert_eq!(
        user.columns("SELECT * FROM curated.orders LIMIT 1").await,
        ["order_id"]
    );
    people.revoke(&role).await;
    assert_eq!(
        user.fails("SELECT * FROM curated.orders").await.code,
        "42P01"
    );
}

async fn revoked_column_disappears_from_a_prepared_statement_too(door: Door) {
    let people = People::new(door).await;
    people
        .grant("SELECT (order_id, total) ON TABLE curated.orders")
        .await;
    let user = people.connect().await;
    let statement = user
        .prepare("SELECT total FROM curated.orders WHERE order_id = $1")
        .await;
    assert_eq!(user.try_execute(&statement, "x").await.unwrap(), 0);
    people
        .revoke("SELECT (total) ON TABLE curated.orders")
        .await;
    let refused = user.try_execute(&statement, "x").await.unwrap_err();
    assert_eq!(refused.code, "42703");
}

async fn statement_that_runs_again_sees_what_has_changed_since(door: Door) {
    let people = People::new(door).await;
    let admin = &people.admin;
    let database = format!("again_{}", people.user);
    let (table, view) = (format!("{database}.t"), format!("{database}.v"));
    admin.run(&format!("CREATE DATABASE {database}")).await;
    admin
        .run(&format!(
            "CREATE TABLE {table} AS SELECT 1 AS id, 10 AS secret"
        ))
        .await;
    admin
        .run(&format!("CREATE VIEW {view} AS SELECT id FROM {table}"))
        .await;
    people.grant(&format!("SELECT ON TABLE {table}")).await;
    people.grant(&format!("SELECT ON TABLE {view}")).await;

    let user = people.connect().await;
    let of_table = format!("SELECT * FROM {table} ORDER BY id");
    let of_view = format!("SELECT * FROM {view} ORDER BY id");
    for _ in 0..3 {
        assert_eq!(user.text(&of_table).await, "1|10");
        assert_eq!(user.text(&of_view).await, "1");
    }
    admin
        .run(&format!("INSERT INTO {table} VALUES (2, 20)"))
        .await;
    for _ in 0..2 {
        assert_eq!(user.text(&of_table).await, "1|10\n2|20");
        assert_eq!(user.text(&of_view).await, "1\n2");
    }
    admin
        .run(&format!(
            "CREATE OR REPLACE VIEW {view} AS SELECT id + 100 AS id FROM {table} WHERE id = 1"
        ))
        .await;
    for _ in 0..2 {
        assert_eq!(user.text(&of_view).await, "101");
    }
    people.revoke(&format!("SELECT ON TABLE {table}")).await;
    assert_eq!(user.fails(&of_table).await.code, "42P01");
    people.grant(&format!("SELECT (id) ON TABLE {table}")).await;
    for _ in 0..2 {
        assert_eq!(user.text(&of_table).await, "1\n2");
        assert_eq!(admin.text(&of_table).await, "1|10\n2|20");
    }
    people.revoke(&format!("SELECT ON TABLE {view}")).await;
    assert_eq!(user.fails(&of_view).await.code, "42P01");
    // A table of the same name is another one, on which nothing is granted.
    admin.run(&format!("DROP TABLE {table}")).await;
    admin
        .run(&format!(
            "CREATE TABLE {table} AS SELECT 5 AS id, 50 AS secret"
        ))
        .await;
    assert_eq!(user.fails(&of_table).await.code, "42P01");
    assert_eq!(admin.text(&of_table).await, "5|50");
}

async fn dropped_user_is_out_at_once_and_does_not_come_back_with_old_grants(door: Door) {
    let people = People::new(door).await;
    people.grant("SELECT ON DATABASE curated").await;
    let user = people.connect().await;
    user.run("SELECT 1").await;
    people
        .admin
        .run(&format!("DROP USER {}", people.user))
        .await;
    assert!(
        user.try_rows("SELECT count(*) FROM curated.orders")
            .await
            .is_err()
    );
    people
        .admin
        .run(&format!(
            "CREATE USER {} WITH PASSWORD 'a long enough secret'",
            people.user
        ))
        .await;
    assert_eq!(
        people
            .connect()
            .await
            .fails("SELECT * FROM curated.orders")
            .await
            .code,
        "42P01"
    );
}

through_each_door!(
    column_grant_through_a_role_comes_and_goes_with_membership,
    revoked_column_disappears_from_a_prepared_statement_too,
    statement_that_runs_again_sees_what_has_changed_since,
    dropped_user_is_out_at_once_and_does_not_come_back_with_old_grants,
);
