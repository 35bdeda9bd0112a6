//! Views that Athena, Presto and Hive wrote into the catalog, and what they read of views made here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lakegate_catalog::model::TableInput;
use lakegate_catalog::store::{Metastore, SqliteStore};
use serde_json::{Value, json};
use tokio_postgres::types::Type;

use super::{Lake, WHOLE, roots};
use crate::harness::server::serving;
use crate::harness::{Client, Door};

impl Lake {
    /// Stops the server, gives the catalog to `change` and starts the server again.
    async fn with_catalog(mut self, change: impl AsyncFnOnce(&SqliteStore)) -> Self {
        self.server.signal("TERM");
        assert!(self.server.wait().success(), "{}", self.server.log());
        let store = SqliteStore::open_existing(self.catalog()).unwrap();
        change(&store).await;
        drop(store);
        let (server, admin) = serving(self.dir.path(), &roots(self.dir.path())).await;
        Self {
            server,
            admin,
            dir: self.dir,
        }
    }
}

/// A view in Glue's shape. `columns`: names, and Hive's types.
fn view(name: &str, columns: &[(&str, &str)], texts: Value) -> TableInput {
    let columns: Vec<Value> = columns
        .iter()
        .map(|(name, hive)| json!({"Name": name, "Type": hive}))
        .collect();
    let mut input = json!({
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "StorageDescriptor": {
            "Columns": columns,
            "SerdeInfo": {"Name": "-", "SerializationLibrary": "-"},
        },
    });
    input.as_object_mut().unwrap().extend(match texts {
        Value::Object(texts) => texts,
        other => panic!("{other}"),
    });
    serde_json::from_value(input).unwrap()
}

fn encoded(document: &Value) -> String {
    format!("/* Presto View: {} */", BASE64.encode(document.to_string()))
}

/// As Athena writes a view.
fn of_athena(name: &str, sql: &str, columns: &[(&str, &str, &str)]) -> TableInput {
    let typed: Vec<Value> = columns
        .iter()
        .map(|(name, trino, _)| json!({"name": name, "type": trino}))
        .collect();
    let document = json!({
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": "v",
        "columns": typed,
    });
    let hive: Vec<_> = columns
        .iter()
        .map(|(name, _, hive)| (*name, *hive))
        .collect();
    let texts = json!({
        "ViewOriginalText": encoded(&document),
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
    });
    view(name, &hive, texts)
}

/// As Presto wrote one: with an owner, and the same text twice. Its catalog has another name.
fn of_presto(name: &str, sql: &str) -> TableInput {
    let document = json!({
        "originalSql": sql,
        "catalog": "hive",
        "schema": "V",
        "columns": [{"name": "id", "type": "bigint"}, {"name": "nickname", "type": "varchar(20)"}],
        "owner": "hadoop",
        "runAsInvoker": false,
    });
    let texts = json!({
        "ViewOriginalText": encoded(&document),
        "ViewExpandedText": encoded(&document),
        "Parameters": {"presto_view": "true"},
        "Owner": "hadoop",
    });
    view(
        name,
        &[("id", "bigint"), ("nickname", "varchar(20)")],
        texts,
    )
}

/// As Hive writes one: the query as it was written, and with all names.
fn of_hive(name: &str, columns: &[(&str, &str)], original: &str, expanded: &str) -> TableInput {
    let texts = json!({
        "ViewOriginalText": original,
        "ViewExpandedText": expanded,
        "Parameters": {"transient_lastDdlTime": "1700000000"},
    });
    view(name, columns, texts)
}

fn of_others() -> Vec<TableInput> {
    vec![
        of_athena(
            "athena",
            "SELECT id, upper(nickname) AS \"Upper\", cardinality(split(nickname, 'n')) parts, day_of_week(DATE '2024-01-07') AS sunday
             FROM personnel -- of the schema
             WHERE clearance < 5",
            &[
                ("id", "bigint", "bigint"),
                ("upper", "varchar", "string"),
                ("parts", "bigint", "bigint"),
                ("sunday", "bigint", "bigint"),
            ],
        ),
        of_athena(
            "numbers",
            "SELECT 1 one, CASE WHEN id > 1 THEN 1 ELSE 0 END flag, CAST(2 AS smallint) small, sum(CAST(0.5 AS real)) half,
                    CAST(10 AS decimal(10, 2)) / 4 AS fourth, count(*) n
             FROM awsdatacatalog.v.personnel WHERE id = 2 GROUP BY id",
            &[
                ("one", "integer", "int"),
                ("flag", "integer", "int"),
                ("small", "smallint", "smallint"),
                ("half", "real", "float"),
                ("fourth", "decimal(10,2)", "decimal(10,2)"),
                ("n", "bigint", "bigint"),
            ],
        ),
        of_athena(
            "too_large",
            "SELECT id + 3000000000 AS large FROM \"v\".\"personnel\"",
            &[("large", "integer", "int")],
        ),
        of_athena(
            "rows_of_array",
            "SELECT p.id, u.part FROM personnel p CROSS JOIN UNNEST(split(p.nickname, 'n')) AS u (part)",
            &[("id", "bigint", "bigint"), ("part", "varchar", "string")],
        ),
        of_athena(
            "times",
            "SELECT from_unixtime(0) AS epoch, date_parse('2024-02-29', '%Y-%m-%d') AS leap",
            &[
                ("epoch", "timestamp(3) with time zone", "timestamp"),
                ("leap", "timestamp(3)", "timestamp"),
            ],
        ),
        of_athena(
            "over_view",
            "SELECT upper FROM athena WHERE id = 1",
            &[("upper", "varchar", "string")],
        ),
        of_presto("presto", "SELECT ID, Nickname FROM Personnel WHERE clearance < 5"),
        of_presto(
            "presto_named",
            "SELECT p.id, p.nickname FROM \"hive\".v.personnel p JOIN hive.v.presto USING (id)",
        ),
        of_presto("presto_elsewhere", "SELECT id, nickname FROM mysql.v.personnel"),
        of_hive(
            "hive",
            &[("id", "bigint"), ("nickname", "string")],
            "select id, nickname from personnel where clearance < 5",
            "SELECT `personnel`.`id`, `personnel`.`nickname` FROM `v`.`personnel` WHERE `personnel`.`clearance` < 5",
        ),
        of_hive(
            "hive_named",
            &[("number", "int"), ("word", "string")],
            "select id, nickname from personnel where region = 'eu'",
            "SELECT `id` AS `number`, `nickname` AS `word` FROM (select `personnel`.`id`, `personnel`.`nickname` from `v`.`personnel` where `personnel`.`region` = 'eu') `v.hive_named`",
        ),
        of_hive(
            "hive_strings",
            &[("id", "bigint"), ("word", "string")],
            "select id, concat(nickname, \"-\", 'it\\'s') word from personnel where nickname = \"ann\"",
            "SELECT `p`.`id`, concat(`p`.`nickname`, \"-\", 'it\\'s') AS `word` FROM `v`.`personnel` `p` WHERE `p`.`nickname` = \"ann\"",
        ),
        view("broken", &[("id", "bigint")], json!({"ViewOriginalText": "/* Presto View: %%% */"})),
        view("empty", &[("id", "bigint")], json!({})),
    ]
}

/// The views that can be read, with a query of each.
const ANSWERS: [(&str, &str); 10] = [
    (
        "SELECT id, upper, parts, sunday FROM v.athena ORDER BY id",
        "1|ANN|3|7\n2|BOB|1|7",
    ),
    (
        "SELECT one, flag, small, half, fourth, n FROM v.numbers",
        "1|1|2|0.5|2.50|1",
    ),
    (
        "SELECT part FROM v.rows_of_array WHERE id = 1 ORDER BY 1 DESC LIMIT 1",
        "a",
    ),
    (
        "SELECT epoch = TIMESTAMP '1970-01-01 00:00:00 UTC', leap = TIMESTAMP '2024-02-29 00:00:00' FROM v.times",
        "t|t",
    ),
    ("SELECT * FROM v.over_view", "ANN"),
    ("SELECT * FROM v.presto ORDER BY id", "1|ann\n2|bob"),
    ("SELECT * FROM v.presto_named ORDER BY id", "1|ann\n2|bob"),
    ("SELECT * FROM v.hive ORDER BY id", "1|ann\n2|bob"),
    (
        "SELECT * FROM v.hive_named WHERE number < 3 ORDER BY number",
        "1|ann\n2|bob",
    ),
    ("SELECT * FROM v.hive_strings", "1|ann-it's"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_of_athena_presto_and_hive_answer_at_both_doors() {
    let lake = Lake::with(&WHOLE).await;
    let lake = lake
        .with_catalog(async |store: &SqliteStore| {
            for input in of_others() {
                store.create_table("v", input, false).await.unwrap();
            }
        })
        .await;
    for door in [Door::Postgres, Door::Flight] {
        let admin = door.connect(&lake.server, "admin").await;
        for (sql, rows) in ANSWERS {
            assert_eq!(admin.text(sql).await, rows, "{door}: {sql}");
        }
        // In the dialect of the view, whatever that of the session is.
        admin.run("SET dialect = 'athena'").await;
        for (sql, rows) in ANSWERS {
            assert_eq!(admin.text(sql).await, rows, "{door}: {sql}");
        }
        for (view, part) in [
            ("too_large", "range"),
            ("presto_elsewhere", "v.personnel"),
            ("broken", "v.broken"),
            ("empty", "v.empty"),
        ] {
            let failure = admin.fails(&format!("SELECT * FROM v.{view}")).await;
            failure.names(&[part]);
        }
        is_listed(&admin).await;
        runs_with_the_rights_of_its_reader(&lake, door).await;
    }
    // Clients see the types that Athena has.
    let statement = lake
        .admin
        .raw()
        .prepare("SELECT one, small, half, n FROM v.numbers")
        .await
        .unwrap();
    let types: Vec<Type> = statement
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    assert_eq!(types, [Type::INT4, Type::INT2, Type::FLOAT4, Type::INT8]);
}

async fn is_listed(admin: &Client) {
    let listed = admin
        .column("SELECT table_name FROM information_schema.tables WHERE table_schema = 'v' AND table_type = 'VIEW' ORDER BY 1")
        .await;
    for input in of_others() {
        assert!(listed.contains(&input.name), "{listed:?}");
    }
    for (view, text) in [
        (
            "presto",
            "SELECT ID, Nickname FROM Personnel WHERE clearance < 5",
        ),
        ("broken", "NULL"),
    ] {
        let sql = format!(
            "SELECT definition FROM pg_views WHERE schemaname = 'v' AND viewname = '{view}'"
        );
        assert_eq!(admin.value(&sql).await, text);
    }
    let shown = admin.text("SHOW CREATE VIEW v.hive").await;
    assert!(
        shown.starts_with("CREATE VIEW v.hive SECURITY INVOKER AS\nSELECT `personnel`.`id`"),
        "{shown}"
    );
}

/// The catalog does not say which user of Lakegate made such a view.
async fn runs_with_the_rights_of_its_reader(lake: &Lake, door: Door) {
    let eve = lake.eve(door).await;
    for view in ["athena", "presto", "hive"] {
        let sql = format!("SELECT count(id) AS n FROM v.{view}");
        assert_eq!(eve.fails(&sql).await.code, "42P01", "{view}");
        lake.admin
            .run(&format!("GRANT SELECT ON TABLE v.{view} TO eve"))
            .await;
        assert_eq!(eve.fails(&sql).await.code, "42P17", "{view}");
        lake.admin
            .run("GRANT SELECT ON TABLE v.personnel TO eve")
            .await;
        assert_eq!(eve.value(&sql).await, "2", "{view}");
        lake.admin
            .run(&format!(
                "REVOKE SELECT ON TABLE v.personnel FROM eve; REVOKE SELECT ON TABLE v.{view} FROM eve"
            ))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_made_here_are_stored_as_athena_reads_them() {
    let lake = Lake::with(&WHOLE).await;
    let select = "SELECT id, nickname AS \"Name\", CAST(2.5 AS decimal(10, 2)) AS d, ARRAY[id] AS ids, CAST(1 AS int) AS i, current_timestamp AS now FROM v.personnel WHERE region = 'eu'";
    for door in [Door::Postgres, Door::Flight] {
        let admin = door.connect(&lake.server, "admin").await;
        admin.run("SET dialect = 'athena'").await;
        admin
            .run(&format!("CREATE VIEW v.made_by_{door} AS {select}"))
            .await;
    }
    let in_path = lake
        .server
        .connect_as("admin", lake.server.password("admin"), "v")
        .await;
    in_path
        .run("CREATE VIEW named (number) AS SELECT id FROM personnel")
        .await;
    let lake = lake
        .with_catalog(async |store: &SqliteStore| {
            for door in [Door::Postgres, Door::Flight] {
                let view = stored(store, &format!("made_by_{door}")).await;
                is_of_athena(&view, select);
            }
            let document = decoded(&stored(store, "named").await);
            assert_eq!(document["schema"], "v");
            let sql = document["originalSql"].as_str().unwrap();
            assert!(sql.contains("SELECT id FROM personnel"), "{sql}");
            assert!(sql.contains("(\"number\")"), "{sql}");
        })
        .await;
    let count = lake.admin.value("SELECT count(*) FROM v.named").await;
    assert_eq!(count, "5");
}

/// A table as Glue's clients get it.
async fn stored(store: &SqliteStore, name: &str) -> Value {
    let table = store.table("v", name).await.unwrap().unwrap();
    serde_json::to_value(table.as_ref()).unwrap()
}

fn decoded(view: &Value) -> Value {
    let text = view["ViewOriginalText"].as_str().unwrap();
    let encoded = text.strip_prefix("/* Presto View: ").unwrap();
    let encoded = encoded.strip_suffix(" */").unwrap();
    serde_json::from_slice(&BASE64.decode(encoded).unwrap()).unwrap()
}

fn is_of_athena(view: &Value, select: &str) {
    assert_eq!(view["TableType"], "VIRTUAL_VIEW");
    assert_eq!(view["ViewExpandedText"], "/* Presto View */");
    assert_eq!(view["Parameters"]["presto_view"], "true");
    assert_eq!(view["Parameters"]["comment"], "Presto View");
    assert_eq!(view["PartitionKeys"], json!([]));
    let columns: Vec<(&str, &str, &str)> = vec![
        ("id", "bigint", "bigint"),
        ("name", "varchar", "string"),
        ("d", "decimal(10,2)", "decimal(10,2)"),
        ("ids", "array(bigint)", "array<bigint>"),
        ("i", "integer", "int"),
        ("now", "timestamp(6) with time zone", "timestamp"),
    ];
    let trino: Vec<Value> = columns
        .iter()
        .map(|(name, trino, _)| json!({"name": name, "type": trino}))
        .collect();
    let hive: Vec<Value> = columns
        .iter()
        .map(|(name, _, hive)| json!({"Name": name, "Type": hive}))
        .collect();
    assert_eq!(view["StorageDescriptor"]["Columns"], json!(hive));
    assert_eq!(
        decoded(view),
        json!({
            "originalSql": select,
            "catalog": "awsdatacatalog",
            "schema": "v",
            "columns": trino,
        })
    );
}
