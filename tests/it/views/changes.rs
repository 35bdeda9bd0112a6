//! What ends the reading of a view, and what does not begin it: grants, other definitions, the
//! rights of the definer, results of other users. The order of its rows.

use super::PASSWORD;
use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Door, Server, through_each_door};

through_each_door!(
    grant_that_is_revoked_ends_a_prepared_statement,
    view_that_is_replaced_is_read_as_it_is_now,
    view_ends_with_the_right_of_its_definer_to_pass_it_on,
    result_of_another_user_is_not_served,
    granted_columns_of_a_view_stay_those_of_the_view,
    limit_counts_the_rows_of_a_view_in_its_order,
);

/// A database with a table of three rows, and two users of its own.
struct Base {
    database: String,
    admin: Client,
    door: Door,
}

impl Base {
    async fn new(door: Door, name: &str) -> Self {
        let server = Server::shared();
        let admin = server.connect("admin").await;
        let database = format!("views_{name}_{door}");
        let folder = Folder::new(server, &database);
        let rows = batch(&[
            ("id", Values::Int(&[1, 2, 3])),
            ("word", Values::Text(&["one", "two", "hidden"])),
        ]);
        folder.put("rows.parquet", parquet(&rows, 10));
        let base = Self {
            database,
            admin,
            door,
        };
        for sql in [
            "CREATE DATABASE {d}",
            "CREATE USER {d}_reader WITH PASSWORD 'a long enough secret'",
            "CREATE USER {d}_maker WITH PASSWORD 'a long enough secret'",
        ] {
            base.run(sql).await;
        }
        base.run(&format!(
            "CREATE EXTERNAL TABLE {{d}}.base (id BIGINT, word STRING) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
        base
    }

    /// `{d}` is the name of the database.
    fn text(&self, sql: &str) -> String {
        sql.replace("{d}", &self.database)
    }

    /// As the administrator.
    async fn run(&self, sql: &str) {
        self.admin.run(&self.text(sql)).await;
    }

    async fn connect(&self, user: &str) -> Client {
        let user = format!("{}_{user}", self.database);
        let door = self.door;
        door.connect_as(Server::shared(), &user, PASSWORD, "awsdatacatalog")
            .await
    }
}

async fn grant_that_is_revoked_ends_a_prepared_statement(door: Door) {
    let base = Base::new(door, "revoked").await;
    base.run("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base WHERE id < 3")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.v TO {d}_reader").await;
    let reader = base.connect("reader").await;
    let sql = base.text("SELECT id FROM {d}.v WHERE word <> $1");
    let prepared = reader.prepare(&sql).await;
    assert_eq!(reader.try_execute(&prepared, "one").await.unwrap(), 1);
    assert_eq!(reader.try_execute(&prepared, "none").await.unwrap(), 2);

    base.run("REVOKE SELECT ON TABLE {d}.v FROM {d}_reader")
        .await;
    let refused = reader.try_execute(&prepared, "none").await.unwrap_err();
    assert_eq!(refused.code, "42P01", "{refused:?}");

    // Of the columns that are granted now, the statement names one too many.
    base.run("GRANT SELECT (id) ON TABLE {d}.v TO {d}_reader")
        .await;
    let refused = reader.try_execute(&prepared, "none").await.unwrap_err();
    assert_eq!(refused.code, "42703", "{refused:?}");
    base.run("GRANT SELECT ON TABLE {d}.v TO {d}_reader").await;
    assert_eq!(reader.try_execute(&prepared, "none").await.unwrap(), 2);

    base.run("DROP VIEW {d}.v").await;
    base.run("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base")
        .await;
    let refused = reader.try_execute(&prepared, "none").await.unwrap_err();
    assert_eq!(refused.code, "42P01", "another view of the name");
}

async fn view_that_is_replaced_is_read_as_it_is_now(door: Door) {
    let base = Base::new(door, "replaced").await;
    base.run("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base WHERE id < 3")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.v TO {d}_reader").await;
    let reader = base.connect("reader").await;
    let sql = base.text("SELECT * FROM {d}.v WHERE word <> $1");
    let prepared = reader.prepare(&sql).await;
    assert_eq!(reader.try_execute(&prepared, "none").await.unwrap(), 2);
    for (query, error) in [
        ("SELECT id, word FROM {d}.base WHERE id = 2", None),
        // The client knows two columns.
        ("SELECT id, word, 1 AS more FROM {d}.base", Some("0A000")),
        ("SELECT id FROM {d}.base", Some("42703")),
        ("SELECT id, word FROM {d}.base WHERE id = 1", None),
    ] {
        base.run(&format!("CREATE OR REPLACE VIEW {{d}}.v AS {query}"))
            .await;
        let answer = reader.try_execute(&prepared, "none").await;
        match error {
            None => assert_eq!(answer.unwrap(), 1, "{query}"),
            Some(code) => assert_eq!(answer.unwrap_err().code, code, "{query}"),
        }
    }
}

async fn view_ends_with_the_right_of_its_definer_to_pass_it_on(door: Door) {
    let base = Base::new(door, "definer").await;
    base.run("GRANT CREATE_TABLE ON DATABASE {d} TO {d}_maker")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.base TO {d}_maker WITH GRANT OPTION")
        .await;
    let maker = base.connect("maker").await;
    maker
        .run(&base.text("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base WHERE id < 3"))
        .await;
    maker
        .run(&base.text("GRANT SELECT ON TABLE {d}.v TO {d}_reader"))
        .await;
    let reader = base.connect("reader").await;
    let sql = base.text("SELECT id FROM {d}.v WHERE word <> $1");
    let count = base.text("SELECT count(*) AS n FROM {d}.v");
    let prepared = reader.prepare(&sql).await;
    assert_eq!(reader.try_execute(&prepared, "none").await.unwrap(), 2);
    assert_eq!(reader.value(&count).await, "2");

    // The maker may still read the table, and not pass it on.
    base.run("REVOKE SELECT ON TABLE {d}.base FROM {d}_maker")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.base TO {d}_maker")
        .await;
    assert_eq!(maker.value(&count).await, "2");
    let ended = [
        reader.try_execute(&prepared, "none").await.unwrap_err(),
        reader.fails(&count).await,
    ];
    for failure in ended {
        assert_eq!(failure.code, "42P17", "{failure:?}");
        failure.names(&["cannot be read any more"]);
        assert!(!failure.text().contains("base"), "{failure:?}");
    }

    base.run("GRANT SELECT (id, word) ON TABLE {d}.base TO {d}_maker WITH GRANT OPTION")
        .await;
    assert_eq!(reader.try_execute(&prepared, "none").await.unwrap(), 2);

    // A later user of the name is another one.
    base.run("DROP USER {d}_maker").await;
    base.run("CREATE USER {d}_maker WITH PASSWORD 'a long enough secret'")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.base TO {d}_maker WITH GRANT OPTION")
        .await;
    let failure = reader.fails(&count).await;
    failure.names(&["does not exist any more"]);
}

async fn result_of_another_user_is_not_served(door: Door) {
    let base = Base::new(door, "cached").await;
    base.run("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base WHERE id < 3")
        .await;
    base.run("CREATE VIEW {d}.own AS SELECT id, word FROM {d}.base WHERE id < 3 OR current_user = 'admin'")
        .await;
    base.run("GRANT SELECT (id) ON TABLE {d}.v TO {d}_reader")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.own TO {d}_reader")
        .await;
    let (all, own) = (
        base.text("SELECT * FROM {d}.v ORDER BY id"),
        base.text("SELECT * FROM {d}.own ORDER BY id"),
    );
    let admin = door.connect(Server::shared(), "admin").await;
    for _ in 0..2 {
        assert_eq!(admin.text(&all).await, "1|one\n2|two");
        assert_eq!(admin.text(&own).await, "1|one\n2|two\n3|hidden");
    }
    let hits = base.text(
        "SELECT count(*) FROM system.queries WHERE cache_hit AND query LIKE 'SELECT * FROM {d}.%'",
    );
    assert_eq!(admin.value(&hits).await, "2");

    let (reader, maker) = (base.connect("reader").await, base.connect("maker").await);
    assert_eq!(reader.text(&all).await, "1\n2");
    assert_eq!(reader.text(&own).await, "1|one\n2|two");
    for sql in [&all, &own] {
        assert_eq!(maker.fails(sql).await.code, "42P01", "{sql}");
    }
    base.run("REVOKE SELECT ON TABLE {d}.own FROM {d}_reader")
        .await;
    assert_eq!(reader.fails(&own).await.code, "42P01");
    // The other user's statements are not in the reader's history.
    let seen = base.text("SELECT count(*) FROM system.queries WHERE user_name <> current_user");
    assert_eq!(reader.value(&seen).await, "0");
}

async fn granted_columns_of_a_view_stay_those_of_the_view(door: Door) {
    let base = Base::new(door, "columns").await;
    base.run("CREATE VIEW {d}.v AS SELECT id, word FROM {d}.base WHERE id < 3")
        .await;
    base.run("GRANT SELECT (word) ON TABLE {d}.v TO {d}_reader")
        .await;
    let reader = base.connect("reader").await;
    let all = base.text("SELECT * FROM {d}.v ORDER BY 1");
    assert_eq!(reader.text(&all).await, "one\ntwo");
    assert_eq!(
        reader
            .fails(&base.text("SELECT word FROM {d}.v WHERE id = 1"))
            .await
            .code,
        "42703"
    );
    // The column goes, and one of its name comes.
    base.run("CREATE OR REPLACE VIEW {d}.v AS SELECT id FROM {d}.base")
        .await;
    assert_eq!(reader.fails(&all).await.code, "42P01");
    base.run("CREATE OR REPLACE VIEW {d}.v AS SELECT id, word FROM {d}.base")
        .await;
    assert_eq!(reader.fails(&all).await.code, "42P01");
}

async fn limit_counts_the_rows_of_a_view_in_its_order(door: Door) {
    let base = Base::new(door, "ordered").await;
    base.run("CREATE VIEW {d}.v AS SELECT id FROM {d}.base ORDER BY word DESC")
        .await;
    base.run("GRANT SELECT ON TABLE {d}.v TO {d}_reader").await;
    let reader = base.connect("reader").await;
    for (part, expected) in [
        ("LIMIT 1", "2"),
        ("LIMIT 2", "1\n2"),
        ("OFFSET 2", "3"),
        ("OFFSET 1 LIMIT 1", "1"),
    ] {
        let sql = format!("SELECT id FROM (SELECT id FROM {{d}}.v {part}) q ORDER BY id");
        let sql = base.text(&sql);
        assert_eq!(reader.text(&sql).await, expected, "{part}");
        assert_eq!(base.admin.text(&sql).await, expected, "{part}");
    }
}
