//! Visibility: nothing is visible without a grant, and objects that are not granted appear not to
//! exist.

mod changes;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Door, Server, through_each_door};

/// Two principals for one test: the administrator and a user without any grant.
struct People {
    door: Door,
    server: &'static Server,
    admin: Client,
    user: String,
}

impl People {
    async fn new(door: Door) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared();
        let admin = door.connect(server, "admin").await;
        let user = format!("person_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        admin
            .run(&format!(
                "CREATE USER {user} WITH PASSWORD 'a long enough secret'"
            ))
            .await;
        Self {
            door,
            server,
            admin,
            user,
        }
    }

    async fn connect(&self) -> Client {
        self.door
            .connect_as(
                self.server,
                &self.user,
                "a long enough secret",
                "awsdatacatalog",
            )
            .await
    }

    async fn grant(&self, what: &str) {
        self.admin
            .run(&format!("GRANT {what} TO {}", self.user))
            .await;
    }

    async fn revoke(&self, what: &str) {
        self.admin
            .run(&format!("REVOKE {what} FROM {}", self.user))
            .await;
    }
}

/// Returns everything that the catalogs show of a schema, as one text.
async fn everything_shown(client: &Client) -> String {
    let mut shown = String::new();
    for sql in [
        "SHOW DATABASES",
        "SELECT schema_name FROM information_schema.schemata",
        "SELECT table_schema, table_name FROM information_schema.tables",
        "SELECT table_schema, table_name, column_name FROM information_schema.columns",
        "SELECT nspname FROM pg_catalog.pg_namespace",
        "SELECT relname FROM pg_catalog.pg_class",
        "SELECT attname FROM pg_catalog.pg_attribute",
        "SELECT schemaname, tablename FROM pg_catalog.pg_tables",
    ] {
        shown.push_str(&client.text(sql).await);
        shown.push('\n');
    }
    shown
}

async fn nothing_is_visible_without_a_grant(door: Door) {
    let people = People::new(door).await;
    let user = people.connect().await;
    let shown = everything_shown(&user).await;
    for name in ["curated", "analytics", "sales_fact", "order_id", "segment"] {
        assert!(!shown.contains(name), "{name} shows in\n{shown}");
    }
    let refused = user.fails("SELECT * FROM curated.orders").await;
    assert_eq!(
        refused.message.replace("orders", "x"),
        user.fails("SELECT * FROM curated.no_such")
            .await
            .message
            .replace("no_such", "x"),
        "a table that is not granted and one that is not there give the same error"
    );
    assert_eq!(refused.code, "42P01");
}

async fn grant_on_a_database_covers_present_and_future_tables(door: Door) {
    let people = People::new(door).await;
    let database = format!("future_{door}");
    let folder = Folder::new(people.server, "future");
    folder.put(
        "f.parquet",
        parquet(&batch(&[("id", Values::Int(&[5]))]), 10),
    );
    people
        .admin
        .run(&format!("CREATE DATABASE {database}"))
        .await;
    people
        .grant(&format!("SELECT ON DATABASE {database}"))
        .await;
    let user = people.connect().await;
    people
        .admin
        .run(&format!(
            "CREATE EXTERNAL TABLE {database}.t (id BIGINT) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
    let sql = format!("SELECT id FROM {database}.t");
    assert_eq!(user.value(&sql).await, "5");
    people
        .revoke(&format!("SELECT ON DATABASE {database}"))
        .await;
    assert_eq!(user.fails(&sql).await.code, "42P01");
}

async fn ungranted_column_is_absent_from_every_listing_and_gives_the_error_of_a_missing_one(
    door: Door,
) {
    let scientist = door.connect(Server::shared(), "scientist").await;
    assert_eq!(
        scientist
            .columns("SELECT * FROM curated.customers LIMIT 1")
            .await,
        ["customer_id", "segment", "region"]
    );
    assert_eq!(
        scientist.text("SELECT column_name FROM information_schema.columns WHERE table_schema = 'curated' AND table_name = 'customers' ORDER BY ordinal_position").await,
        "customer_id\nsegment\nregion"
    );
    assert_eq!(
        scientist
            .text("SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'curated' AND c.relname = 'customers' AND a.attnum > 0 ORDER BY a.attnum")
            .await,
        "customer_id\nsegment\nregion"
    );
    for listing in [
        "DESCRIBE curated.customers",
        "SHOW COLUMNS IN curated.customers",
        "SHOW CREATE TABLE curated.customers",
        "EXPLAIN SELECT * FROM curated.customers",
        "EXPLAIN ANALYZE SELECT * FROM curated.customers",
    ] {
        match scientist.try_rows(listing).await {
            Ok(rows) => {
                let text = format!("{rows:?}");
                for column in ["email", "phone", "address"] {
                    assert!(!text.contains(column), "{listing} shows {column}: {text}");
                }
            }
            // A listing may be refused altogether, as SHOW CREATE TABLE is if a column is not
            // granted.
            Err(failure) => assert_eq!(failure.code, "42501", "{listing}: {failure:?}"),
        }
    }
    for sql in [
        "SELECT {} FROM curated.customers",
        "SELECT c.{} FROM curated.customers c",
        "SELECT customer_id FROM curated.customers WHERE {} = 'x'",
        "SELECT customer_id FROM curated.customers ORDER BY {}",
        "SELECT count(*) FROM curated.customers GROUP BY {}",
        "SELECT o.order_id FROM curated.orders o JOIN curated.customers c ON o.customer_id = c.{}",
        "EXPLAIN SELECT {} FROM curated.customers",
        "SELECT (SELECT max({}) FROM curated.customers)",
        "WITH c AS (SELECT * FROM curated.customers) SELECT {} FROM c",
        "SELECT * FROM curated.customers WHERE EXISTS (SELECT 1 FROM curated.customers i WHERE i.{} = 'x')",
    ] {
        let hidden = scientist.fails(&sql.replace("{}", "email")).await;
        let missing = scientist.fails(&sql.replace("{}", "e_ail")).await;
        assert_eq!(hidden.code, "42703", "{sql}: {hidden:?}");
        assert_eq!(hidden.code, missing.code);
        assert_eq!(
            hidden.text().replace("email", "x"),
            missing.text().replace("e_ail", "x"),
            "{sql}"
        );
        assert_eq!(hidden.position, missing.position, "{sql}");
    }
}

async fn scientist_reads_what_is_granted_and_nothing_else(door: Door) {
    let server = Server::shared();
    let scientist = door.connect(server, "scientist").await;
    let admin = door.connect(server, "admin").await;
    let sql = "SELECT segment, count(*) FROM curated.customers c JOIN curated.orders o ON c.customer_id = o.customer_id GROUP BY 1 ORDER BY 1";
    assert_eq!(scientist.text(sql).await, admin.text(sql).await);
    let shown = scientist.text("SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('raw', 'curated', 'analytics') ORDER BY 1").await;
    assert_eq!(shown, "curated.customers\ncurated.orders");
    assert_eq!(
        scientist.fails("SELECT * FROM curated.products").await.code,
        "42P01"
    );
    assert_eq!(
        scientist
            .fails("SELECT * FROM analytics.sales_fact")
            .await
            .code,
        "42P01"
    );
}

async fn analyst_selects_but_does_not_define(door: Door) {
    let analyst = door.connect(Server::shared(), "analyst").await;
    assert!(
        analyst
            .number("SELECT count(*) FROM curated.customers WHERE email IS NOT NULL")
            .await
            > 0
    );
    assert!(
        analyst
            .number("SELECT count(*) FROM analytics.daily_sales")
            .await
            > 0
    );
    assert!(
        analyst
            .text("DESCRIBE curated.customers")
            .await
            .contains("email")
    );
    assert_eq!(
        analyst.fails("SELECT * FROM raw.orders").await.code,
        "42P01"
    );
    for sql in [
        "DROP TABLE curated.orders",
        "ALTER TABLE curated.orders ADD COLUMNS (x INT)",
        "ALTER TABLE curated.orders SET TBLPROPERTIES ('a'='b')",
        "MSCK REPAIR TABLE curated.orders",
        "ALTER TABLE curated.orders DROP PARTITION (order_date = '2024-01-01')",
        "CREATE EXTERNAL TABLE curated.mine (id INT) STORED AS PARQUET LOCATION 's3://datalake/curated/orders/'",
        "DROP DATABASE curated CASCADE",
        "CREATE DATABASE mine",
        "CREATE USER friend WITH PASSWORD 'a long enough secret'",
        "CREATE ROLE friends",
        "GRANT SELECT ON TABLE curated.orders TO scientist",
        "GRANT data_engineers TO analyst",
        "ALTER USER scientist WITH PASSWORD 'a long enough secret'",
        "DROP USER scientist",
        "CREATE WORKGROUP free",
    ] {
        assert_eq!(analyst.fails(sql).await.code, "42501", "{sql}");
    }
}

async fn partition_column_that_is_not_granted_cannot_be_named_but_the_rest_reads(door: Door) {
    let people = People::new(door).await;
    people
        .grant("SELECT (order_id, total) ON TABLE curated.orders")
        .await;
    let user = people.connect().await;
    assert_eq!(
        user.value("SELECT sum(total) FROM curated.orders").await,
        people
            .admin
            .value("SELECT sum(total) FROM curated.orders")
            .await
    );
    assert_eq!(
        user.fails("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-01-01'")
            .await
            .code,
        "42703"
    );
}

async fn describe_without_select_shows_names_and_no_rows(door: Door) {
    let people = People::new(door).await;
    people.grant("DESCRIBE ON TABLE curated.products").await;
    let user = people.connect().await;
    assert!(
        user.text("DESCRIBE curated.products")
            .await
            .contains("product_id")
    );
    assert_eq!(
        user.fails("SELECT * FROM curated.products").await.code,
        "42501"
    );
    assert_eq!(
        user.fails("SELECT count(*) FROM curated.products")
            .await
            .code,
        "42501"
    );
}

async fn alter_and_drop_are_granted_each_on_its_own(door: Door) {
    let people = People::new(door).await;
    let folder = Folder::new(people.server, "ddl_grants");
    let table = format!("ddl_grants_{door}.t");
    people
        .admin
        .run(&format!("CREATE DATABASE ddl_grants_{door}"))
        .await;
    let create = format!(
        "CREATE EXTERNAL TABLE {table} (id INT) STORED AS PARQUET LOCATION '{}'",
        folder.location
    );
    people.admin.run(&create).await;
    let user = people.connect().await;
    people
        .grant(&format!("DESCRIBE, ALTER ON TABLE {table}"))
        .await;
    user.run(&format!("ALTER TABLE {table} ADD COLUMNS (more STRING)"))
        .await;
    let drop = format!("DROP TABLE {table}");
    assert_eq!(user.fails(&drop).await.code, "42501");
    people.grant(&format!("DROP ON TABLE {table}")).await;
    user.run(&drop).await;
    let select = format!("SELECT * FROM {table}");
    assert_eq!(people.admin.fails(&select).await.code, "42P01");
    // A later table of the same name is a different table: the grants of the old one are gone.
    people.admin.run(&create).await;
    assert_eq!(user.fails(&drop).await.code, "42P01");
}

async fn show_grants_tells_who_may_do_what(door: Door) {
    let people = People::new(door).await;
    people
        .grant("SELECT (order_id) ON TABLE curated.orders")
        .await;
    people.grant("ALL ON DATABASE analytics").await;
    let shown = people
        .admin
        .text(&format!("SHOW GRANTS FOR {}", people.user))
        .await
        .to_lowercase();
    assert!(
        shown.contains("orders") && shown.contains("order_id") && shown.contains("analytics"),
        "{shown}"
    );
    let mine = people
        .connect()
        .await
        .text("SHOW GRANTS")
        .await
        .to_lowercase();
    assert!(mine.contains("order_id"), "{mine}");
}

async fn privileges_that_postgres_functions_tell_are_the_true_ones(door: Door) {
    let scientist = door.connect(Server::shared(), "scientist").await;
    for (sql, expected) in [
        ("has_table_privilege('curated.orders', 'SELECT')", "t"),
        ("has_table_privilege('curated.orders', 'INSERT')", "f"),
        (
            "has_column_privilege('curated.customers', 'segment', 'SELECT')",
            "t",
        ),
        ("has_schema_privilege('curated', 'USAGE')", "t"),
        ("has_schema_privilege('curated', 'CREATE')", "f"),
    ] {
        assert_eq!(
            scientist.value(&format!("SELECT {sql}")).await,
            expected,
            "{sql}"
        );
    }
}

through_each_door!(
    nothing_is_visible_without_a_grant,
    grant_on_a_database_covers_present_and_future_tables,
    ungranted_column_is_absent_from_every_listing_and_gives_the_error_of_a_missing_one,
    scientist_reads_what_is_granted_and_nothing_else,
    analyst_selects_but_does_not_define,
    partition_column_that_is_not_granted_cannot_be_named_but_the_rest_reads,
    describe_without_select_shows_names_and_no_rows,
    alter_and_drop_are_granted_each_on_its_own,
    show_grants_tells_who_may_do_what,
    privileges_that_postgres_functions_tell_are_the_true_ones,
);
