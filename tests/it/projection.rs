//! Partition projection: what is listed, which users may read it, and where a template may lead.

use std::fmt::Write;
use std::time::Instant;

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Door, Server, through_each_door};

fn one_row(v: i64) -> Vec<u8> {
    parquet(&batch(&[("v", Values::Int(&[v]))]), 10)
}

/// TBLPROPERTIES that turn projection on; `projection.` is before the names.
fn properties(properties: &[(&str, &str)]) -> String {
    let mut text = "'projection.enabled' = 'true'".to_owned();
    for (name, value) in properties {
        write!(text, ", 'projection.{name}' = '{value}'").unwrap();
    }
    text
}

/// Creates `projected.<name> (v BIGINT)` over a folder.
async fn table(admin: &Client, name: &str, keys: &str, location: &str, properties: &str) -> String {
    admin.run("CREATE DATABASE IF NOT EXISTS projected").await;
    let table = format!("projected.{name}");
    admin
        .run(&format!(
            "CREATE EXTERNAL TABLE {table} (v BIGINT) PARTITIONED BY ({keys}) STORED AS PARQUET LOCATION '{location}' TBLPROPERTIES ({properties})"
        ))
        .await;
    table
}

const MILLION: [(&str, &str); 2] = [("id.type", "integer"), ("id.range", "1,1000000")];

#[tokio::test]
async fn only_the_folders_that_can_match_are_listed() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "projected-million");
    for id in [5, 6, 999_999] {
        folder.put(&format!("id={id}/f.parquet"), one_row(id));
    }
    let table = table(
        &admin,
        "million",
        "id INT",
        &folder.location,
        &properties(&MILLION),
    )
    .await;
    for (condition, rows, listed) in [
        ("id = 5", "5", 1),
        ("id IN (5, 7, 999999, 2000000)", "5\n999999", 3),
        ("id BETWEEN 4 AND 6", "5\n6", 3),
        ("id = 2000000", "", 0),
        ("id < 10 AND id % 5 = 0", "5", 1),
        ("id = 5 OR id > 999998", "5\n999999", 3),
    ] {
        let sql = format!("SELECT v FROM {table} WHERE {condition} ORDER BY v");
        let started = Instant::now();
        assert_eq!(admin.text(&sql).await, rows, "{condition}");
        assert!(started.elapsed().as_secs() < 5, "{condition}");
        let plan = admin.text(&format!("EXPLAIN {sql}")).await;
        assert!(
            plan.contains(&format!("partitions: {listed} of 1000000")),
            "{condition}:\n{plan}"
        );
        assert!(
            plan.contains(&format!("list requests: {listed}")),
            "{condition}:\n{plan}"
        );
    }
    // A new file needs no statement.
    folder.put("id=77/f.parquet", one_row(77));
    let new = format!("SELECT v FROM {table} WHERE id = 77");
    assert_eq!(admin.text(&new).await, "77");
    let all = admin.fails(&format!("SELECT count(*) FROM {table}")).await;
    assert_eq!(all.code, "42000");
    all.names(&["1000000", &table, "partition key \"id\""]);
}

#[tokio::test]
async fn kept_results_follow_the_files_and_the_properties() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "projected-kept");
    folder.put("id=1/f.parquet", one_row(1));
    let table = table(
        &admin,
        "kept",
        "id INT",
        &folder.location,
        &properties(&MILLION),
    )
    .await;
    let sql = format!("SELECT sum(v), count(*) FROM {table} WHERE id < 10");
    assert_eq!(admin.text(&sql).await, "1|1");
    assert_eq!(admin.text(&sql).await, "1|1");
    folder.put("id=2/f.parquet", one_row(20));
    assert_eq!(admin.text(&sql).await, "21|2");
    admin
        .run(&format!(
            "ALTER TABLE {table} SET TBLPROPERTIES ('projection.id.range' = '2,5')"
        ))
        .await;
    assert_eq!(admin.text(&sql).await, "20|1");
    // With a day that begins, the partitions of NOW change.
    let today = admin.value("SELECT CAST(CURRENT_DATE AS varchar)").await;
    folder.put(&format!("days/day={today}/f.parquet"), one_row(3));
    folder.put("days/day=2020-01-01/f.parquet", one_row(4));
    let days = properties(&[
        ("day.type", "date"),
        ("day.format", "yyyy-MM-dd"),
        ("day.range", "NOW-1DAYS,NOW+1DAYS"),
    ]);
    let location = format!("{}days/", folder.location);
    let days = self::table(&admin, "days", "day STRING", &location, &days).await;
    assert_eq!(admin.text(&format!("SELECT v FROM {days}")).await, "3");
}

#[tokio::test]
async fn formats_of_texts_are_the_names_of_folders() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "projected-formats");
    folder.put("2024/01/05/eu/f.parquet", one_row(1));
    folder.put("2024/02/01/us/f.parquet", one_row(2));
    folder.put("plain/day=2024%2F01%2F05/region=eu/f.parquet", one_row(3));
    let keys = [
        ("day.type", "date"),
        ("day.format", "yyyy/MM/dd"),
        ("day.range", "2024/01/01,NOW"),
        ("region.type", "enum"),
        ("region.values", "eu,us"),
    ];
    let template = format!(
        "{}, 'storage.location.template' = '{}${{day}}/${{region}}/'",
        properties(&keys),
        folder.location
    );
    for (name, data_type, january) in [
        ("as_text", "STRING", "day < '2024/02'"),
        ("as_date", "DATE", "day < DATE '2024-02-01'"),
        (
            "as_timestamp",
            "TIMESTAMP",
            "day < TIMESTAMP '2024-02-01 00:00:00'",
        ),
    ] {
        let keys = format!("day {data_type}, region STRING");
        let table = table(&admin, name, &keys, &folder.location, &template).await;
        let sql = format!("SELECT v, region FROM {table} ORDER BY 1");
        assert_eq!(admin.text(&sql).await, "1|eu\n2|us", "{name}");
        let sql = format!("SELECT v FROM {table} WHERE {january}");
        assert_eq!(admin.text(&sql).await, "1", "{name}");
        let sql = format!("SELECT v FROM {table} WHERE region = 'us' AND NOT ({january})");
        assert_eq!(admin.text(&sql).await, "2", "{name}");
    }
    let location = format!("{}plain/", folder.location);
    let keys = "day STRING, region STRING";
    let plain = table(
        &admin,
        "plain",
        keys,
        &location,
        &properties(&[
            ("day.type", "date"),
            ("day.format", "yyyy/MM/dd"),
            ("day.range", "2024/01/01,2024/12/31"),
            ("region.type", "injected"),
        ]),
    )
    .await;
    let sql = format!("SELECT v, day FROM {plain} WHERE region = 'eu'");
    assert_eq!(admin.text(&sql).await, "3|2024/01/05");
}

async fn keys_that_are_not_granted_are_read_and_not_shown(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let folder = Folder::new(server, "projected-grants");
    folder.put("id=1/city=Ulm/f.parquet", one_row(1));
    folder.put("id=2/city=Bonn/f.parquet", one_row(2));
    let user = format!("projected_{door}");
    let name = format!("granted_{door}");
    let keys = [
        ("id.type", "integer"),
        ("id.range", "1,3"),
        ("city.type", "enum"),
        ("city.values", "Bonn,Ulm,Kiel"),
    ];
    let granted = table(
        &admin,
        &name,
        "id INT, city STRING",
        &folder.location,
        &properties(&keys),
    )
    .await;
    let injected = properties(&[
        ("id.type", "integer"),
        ("id.range", "1,3"),
        ("city.type", "injected"),
    ]);
    let hidden = table(
        &admin,
        &format!("hidden_{door}"),
        "id INT, city STRING",
        &folder.location,
        &injected,
    )
    .await;
    for statement in [
        format!("CREATE USER {user} WITH PASSWORD 'a long enough secret'"),
        format!("GRANT SELECT (v, id) ON TABLE {granted} TO {user}"),
        format!("GRANT SELECT (v, id) ON TABLE {hidden} TO {user}"),
    ] {
        admin.run(&statement).await;
    }
    let client = door
        .connect_as(server, &user, "a long enough secret", "awsdatacatalog")
        .await;
    let sql = format!("SELECT * FROM {granted} WHERE id < 3 ORDER BY 1");
    assert_eq!(client.text(&sql).await, "1|1\n2|2");
    for sql in [
        format!("SELECT city FROM {granted}"),
        format!("SELECT v FROM {granted} WHERE city = 'Ulm'"),
    ] {
        assert_eq!(client.fails(&sql).await.code, "42703", "{sql}");
    }
    let (database, name) = granted.split_once('.').unwrap();
    let sql = format!("SELECT * FROM {database}.\"{name}$partitions\"");
    assert_eq!(client.fails(&sql).await.code, "42P01");
    // An injected key that may not be selected: it is not named, nor can it be given.
    let error = client.fails(&format!("SELECT v FROM {hidden}")).await;
    assert!(!error.text().contains("city"), "{error:?}");
    let plan = client
        .text(&format!("EXPLAIN SELECT v FROM {granted} WHERE id = 1"))
        .await;
    assert!(!plan.contains("Ulm") && !plan.contains("city"), "{plan}");
}

async fn template_reveals_no_files_of_another_table(door: Door) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let folder = Folder::new(server, "projected-templates");
    folder.put("secret/k=1/f.parquet", one_row(42));
    let user = format!("template_{door}");
    let lab = format!("template_lab_{door}");
    let location = &folder.location;
    for statement in [
        format!("CREATE DATABASE {lab} LOCATION '{location}lab/'"),
        "CREATE DATABASE IF NOT EXISTS projected".to_owned(),
        format!(
            "CREATE EXTERNAL TABLE projected.secret_{door} (v BIGINT) PARTITIONED BY (k INT) STORED AS PARQUET LOCATION '{location}secret/'"
        ),
        format!("CREATE USER {user} WITH PASSWORD 'a long enough secret'"),
        format!("GRANT CREATE TABLE ON DATABASE {lab} TO {user}"),
        format!("GRANT DATA_LOCATION ON '{location}free/' TO {user}"),
    ] {
        admin.run(&statement).await;
    }
    let client = door
        .connect_as(server, &user, "a long enough secret", "awsdatacatalog")
        .await;
    let create = |name: &str, template: &str| {
        let keys = properties(&[("k.type", "injected")]);
        format!(
            "CREATE EXTERNAL TABLE {lab}.{name} (v BIGINT) PARTITIONED BY (k STRING) STORED AS PARQUET LOCATION '{location}lab/{name}/' TBLPROPERTIES ({keys}, 'storage.location.template' = '{template}')"
        )
    };
    for template in [
        format!("{location}secret/k=${{k}}/"),
        format!("{location}secret${{k}}/"),
        format!("{location}${{k}}/"),
        format!("{location}free/../${{k}}/"),
    ] {
        let error = client.fails(&create("spy", &template)).await;
        assert!(
            ["42501", "42P16"].contains(&error.code.as_str()),
            "{template}: {error:?}"
        );
    }
    client
        .run(&create("mine", &format!("{location}free/x${{k}}/")))
        .await;
    folder.put("free/x1/f.parquet", one_row(7));
    let read = |k: &str| format!("SELECT v FROM {lab}.mine WHERE k = '{k}'");
    assert_eq!(client.text(&read("1")).await, "7");
    for k in [
        "/../../secret/k=1",
        "1/../../../secret/k=1",
        "%2F..%2F..%2Fsecret",
        "..",
    ] {
        assert_eq!(client.text(&read(k)).await, "", "{k}");
    }
    // What an administrator puts there later is not the user's.
    admin
        .run(&format!(
            "CREATE EXTERNAL TABLE projected.later_{door} (v BIGINT) STORED AS PARQUET LOCATION '{location}free/x1/'"
        ))
        .await;
    assert_eq!(client.fails(&read("1")).await.code, "42501");
}

through_each_door!(
    keys_that_are_not_granted_are_read_and_not_shown,
    template_reveals_no_files_of_another_table
);
