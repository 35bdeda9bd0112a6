//! How drivers and psql list views, and which views each user sees.

use arrow::array::BinaryArray;
use arrow::datatypes::Schema;
use arrow_flight::IpcMessage;
use arrow_flight::sql::CommandGetTables;

use crate::clients::psql;
use crate::harness::files::Folder;
use crate::harness::flight::Fetched;
use crate::harness::{Door, Flight, Server, through_each_door};

/// Creates a database with a table, and a view of it that `scientist` may read two columns of.
async fn listed(database: &str) {
    let server = Server::shared();
    let folder = Folder::new(server, database);
    let admin = server.connect("admin").await;
    for sql in [
        "CREATE DATABASE {d}".to_owned(),
        format!(
            "CREATE EXTERNAL TABLE {{d}}.base (id BIGINT, word STRING) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ),
        "CREATE VIEW {d}.shown COMMENT 'all but three' AS SELECT id, word, CAST(id AS decimal(10, 2)) AS price FROM {d}.base WHERE id <> 3".to_owned(),
        "CREATE VIEW {d}.unseen AS SELECT id FROM {d}.base".to_owned(),
        "GRANT SELECT (id, price) ON TABLE {d}.shown TO scientist".to_owned(),
    ] {
        admin.run(&sql.replace("{d}", database)).await;
    }
}

async fn tables(flight: &mut Flight, database: &str, types: &[&str]) -> Fetched {
    let asked = CommandGetTables {
        db_schema_filter_pattern: Some(database.replace('_', "\\_")),
        table_types: types.iter().map(|name| (*name).to_owned()).collect(),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = flight.sql.get_tables(asked).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    flight.fetch(ticket).await.unwrap()
}

/// Names and types.
fn names(fetched: &Fetched) -> Vec<String> {
    let rows = fetched.rows().into_iter();
    rows.map(|row| row[2..4].join(" ")).collect()
}

fn schema(fetched: &Fetched, row: usize) -> Schema {
    let schemas = fetched.batches[0].column(4);
    let schemas = schemas.as_any().downcast_ref::<BinaryArray>().unwrap();
    Schema::try_from(IpcMessage(schemas.value(row).to_vec().into())).unwrap()
}

#[tokio::test]
async fn get_tables_lists_views_by_type_and_with_their_schemas() {
    let database = "views_in_flight";
    listed(database).await;
    let mut admin = Server::shared().flight("admin").await;
    let cases: [(&[&str], &[&str]); 5] = [
        (&["VIEW"], &["shown VIEW", "unseen VIEW"]),
        (&["TABLE"], &["base TABLE"]),
        (&["SYSTEM TABLE"], &[]),
        (
            &["VIEW", "TABLE"],
            &["base TABLE", "shown VIEW", "unseen VIEW"],
        ),
        (&[], &["base TABLE", "shown VIEW", "unseen VIEW"]),
    ];
    for (types, expected) in cases {
        let fetched = tables(&mut admin, database, types).await;
        assert_eq!(names(&fetched), expected, "{types:?}");
    }
    let info = admin.sql.get_table_types().await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let types = admin.fetch(ticket).await.unwrap();
    assert!(types.rows().contains(&vec!["VIEW".to_owned()]));

    let mut scientist = Server::shared().flight("scientist").await;
    let cases: [(&mut Flight, &[&str]); 2] = [
        (&mut admin, &["id", "word", "price"]),
        (&mut scientist, &["id", "price"]),
    ];
    for (flight, columns) in cases {
        let fetched = tables(flight, database, &["VIEW"]).await;
        let announced = schema(&fetched, 0);
        let fields = announced.fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        assert_eq!(names, columns);
        let info = flight.info("SELECT * FROM views_in_flight.shown").await;
        let selected = info.unwrap().try_decode_schema().unwrap();
        for (announced, selected) in announced.fields().iter().zip(selected.fields()) {
            assert_eq!(announced.data_type(), selected.data_type());
        }
    }
    let seen = tables(&mut scientist, database, &[]).await;
    assert_eq!(names(&seen), ["shown VIEW"]);
}

through_each_door!(catalogs_show_a_view_to_those_that_may_read_it);

async fn catalogs_show_a_view_to_those_that_may_read_it(door: Door) {
    let database = format!("views_in_catalogs_{door}");
    listed(&database).await;
    let admin = door.connect(Server::shared(), "admin").await;
    let scientist = door.connect(Server::shared(), "scientist").await;
    let definition = format!(
        "SELECT id, word, CAST(id AS decimal(10, 2)) AS price FROM {database}.base WHERE id <> 3"
    );
    let ended = format!("{definition};");
    let (definition, ended) = (definition.as_str(), ended.as_str());
    for (sql, for_admin, for_scientist) in [
        (
            "SELECT relname, relkind, relnatts FROM pg_class WHERE relnamespace = '{d}'::regnamespace ORDER BY 1",
            "base|r|2\nshown|v|3\nunseen|v|1",
            "shown|v|2",
        ),
        (
            "SELECT viewname FROM pg_views WHERE schemaname = '{d}' ORDER BY 1",
            "shown\nunseen",
            "shown",
        ),
        (
            "SELECT definition FROM pg_views WHERE schemaname = '{d}' AND viewname = 'shown'",
            definition,
            "NULL",
        ),
        (
            "SELECT view_definition FROM information_schema.views WHERE table_schema = '{d}' AND table_name = 'shown'",
            definition,
            "NULL",
        ),
        (
            "SELECT pg_get_viewdef('{d}.shown'::regclass)",
            ended,
            "NULL",
        ),
        (
            "SELECT obj_description('{d}.shown'::regclass)",
            "all but three",
            "all but three",
        ),
        (
            "SELECT count(*) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid WHERE c.relnamespace = '{d}'::regnamespace",
            "1",
            "1",
        ),
        (
            "SELECT tablename FROM pg_tables WHERE schemaname = '{d}'",
            "base",
            "",
        ),
        (
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{d}.shown'::regclass AND attnum > 0 ORDER BY attnum",
            "id|bigint\nword|text\nprice|numeric(10,2)",
            "id|bigint\nprice|numeric(10,2)",
        ),
        (
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{d}' ORDER BY 1",
            "base|BASE TABLE\nshown|VIEW\nunseen|VIEW",
            "shown|VIEW",
        ),
    ] {
        let sql = sql.replace("{d}", &database);
        assert_eq!(admin.text(&sql).await, for_admin, "{sql}");
        assert_eq!(scientist.text(&sql).await, for_scientist, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_lists_and_describes_views() {
    listed("views_in_psql").await;
    let shown = |user: &str, command: &str| {
        let text = psql(user, "awsdatacatalog", &["-c", command]);
        let lines = text.lines();
        let flat = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        flat.collect::<Vec<_>>().join("\n")
    };
    let views = shown("admin", "\\dv views_in_psql.*");
    for line in [
        "views_in_psql | shown | view |",
        "views_in_psql | unseen | view |",
    ] {
        assert!(views.contains(line), "{views}");
    }
    assert!(!views.contains("base"), "{views}");
    let tables = shown("admin", "\\dt views_in_psql.*");
    assert!(
        tables.contains("base") && !tables.contains("shown"),
        "{tables}"
    );

    let described = shown("admin", "\\d views_in_psql.shown");
    assert!(
        described.contains("View \"views_in_psql.shown\"")
            && described.contains("\nid | bigint |")
            && described.contains("\nprice | numeric(10,2) |"),
        "{described}"
    );
    let extended = shown("admin", "\\d+ views_in_psql.shown");
    assert!(
        extended.contains("View definition:\nSELECT id, word, CAST(id AS decimal(10, 2)) AS price"),
        "{extended}"
    );
    let text = shown("admin", "\\sv views_in_psql.shown");
    assert!(
        text.contains("FROM views_in_psql.base WHERE id <> 3"),
        "{text}"
    );

    let views = shown("scientist", "\\dv views_in_psql.*");
    assert!(
        views.contains("shown") && !views.contains("unseen"),
        "{views}"
    );
    for command in [
        "\\d views_in_psql.shown",
        "\\d+ views_in_psql.shown",
        "\\sv views_in_psql.shown",
        "\\dv+ views_in_psql.*",
    ] {
        let text = shown("scientist", command);
        assert!(text.contains("shown"), "{command}: {text}");
        assert!(
            !text.contains("base") && !text.contains("word") && !text.contains("<>"),
            "{command}: {text}"
        );
    }
}
