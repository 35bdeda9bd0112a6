//! Bulk ingestion: rows become files of a table, all visible at once or none, and a failed write
//! leaves nothing behind.

mod formats;
mod isolation;
mod refusals;

use std::fs;
use std::path::Path;

use arrow::array::{Date32Array, Decimal128Array, Int32Array, NullArray, UInt64Array};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    CommandStatementIngest, DoPutUpdateResult, TableDefinitionOptions, TableExistsOption,
    TableNotExistOption,
};
use futures::channel::mpsc;
use futures::{SinkExt, TryStreamExt};
use tonic::Status;

use super::*;
use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::memory::{MIB, Watch};
use crate::harness::s3::S3;
use crate::harness::{Options, lake, server};

/// ADBC's ingestion modes.
#[derive(Clone, Copy)]
enum Mode {
    Create,
    Append,
    Replace,
    CreateAppend,
}

fn into(table: &str, mode: Mode) -> CommandStatementIngest {
    let (missing, exists) = match mode {
        Mode::Create => (TableNotExistOption::Create, TableExistsOption::Fail),
        Mode::Append => (TableNotExistOption::Fail, TableExistsOption::Append),
        Mode::Replace => (TableNotExistOption::Create, TableExistsOption::Replace),
        Mode::CreateAppend => (TableNotExistOption::Create, TableExistsOption::Append),
    };
    let (schema, table) = table.split_once('.').unwrap();
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: missing.into(),
            if_exists: exists.into(),
        }),
        table: table.to_owned(),
        schema: Some(schema.to_owned()),
        ..CommandStatementIngest::default()
    }
}

/// Ingests rows and returns their number as reported by the server.
async fn ingest(
    flight: &mut Flight,
    command: CommandStatementIngest,
    batches: Vec<RecordBatch>,
) -> Result<i64, Status> {
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    flight
        .sql
        .execute_ingest(command, batches)
        .await
        .map_err(status)
}

type Rows = mpsc::Sender<Result<RecordBatch, FlightError>>;

/// Starts an ingestion whose rows are sent one by one; returns the sender and the running call.
fn slowly(
    mut flight: Flight,
    command: CommandStatementIngest,
) -> (Rows, tokio::task::JoinHandle<Result<i64, Status>>) {
    let (sender, receiver) = mpsc::channel(0);
    let call = tokio::spawn(async move {
        let written = flight.sql.execute_ingest(command, receiver).await;
        written.map_err(status)
    });
    (sender, call)
}

fn sales(days: &[i32], amounts: &[i64]) -> RecordBatch {
    batch(&[
        ("amount", Values::Int(amounts)),
        (
            "day",
            Values::Array(Arc::new(Date32Array::from(days.to_vec()))),
        ),
    ])
}

/// A memory pool that rows of [`long_sales`] do not fit in: the first files are written while others
/// come.
const LITTLE_MEMORY: &[(&str, &str)] = &[("LAKEGATE_ENGINE__MEMORY_LIMIT", "24MiB")];

/// A row of 64 KiB for each day from 0 on.
fn long_sales(days: i32) -> RecordBatch {
    let note = "long ".repeat(13_107);
    let notes = vec![note.as_str(); usize::try_from(days).unwrap()];
    batch(&[
        ("amount", Values::Int(&vec![2; notes.len()])),
        ("note", Values::Text(&notes)),
        (
            "day",
            Values::Array(Arc::new(Date32Array::from_iter_values(0..days))),
        ),
    ])
}

/// Creates a partitioned table with one row, on 2024-01-01, and returns its folder.
async fn sales_table(server: &Server, admin: &Client, database: &str) -> Folder {
    let folder = Folder::new(server, database);
    admin
        .run(&format!(
            "CREATE DATABASE {database} LOCATION '{location}new/';
             CREATE EXTERNAL TABLE {database}.sales (amount BIGINT, note STRING) PARTITIONED BY (day DATE)
             STORED AS PARQUET LOCATION '{location}sales/'",
            location = folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    let first = sales(&[19_723], &[1]);
    let written = ingest(
        &mut flight,
        into(&format!("{database}.sales"), Mode::Append),
        vec![first],
    );
    assert_eq!(written.await.unwrap(), 1);
    folder
}

/// Lists all files below a folder, including hidden ones and uploads in progress.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn rows_go_to_the_folders_of_projected_partitions() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_projected");
    let location = &folder.location;
    admin
        .run(&format!(
            "CREATE DATABASE ing_projected LOCATION '{location}new/';
             CREATE EXTERNAL TABLE ing_projected.sales (amount BIGINT, note STRING) PARTITIONED BY (day DATE)
             STORED AS PARQUET LOCATION '{location}sales/'
             TBLPROPERTIES ('projection.enabled' = 'true', 'projection.day.type' = 'date', 'projection.day.format' = 'yyyy/MM/dd',
             'projection.day.range' = '2024/01/01,2024/12/31', 'storage.location.template' = '{location}days/${{day}}/')"
        ))
        .await;
    let append = || into("ing_projected.sales", Mode::Append);
    let mut flight = server.flight("admin").await;
    let rows = sales(&[19_723, 19_724, 19_723], &[1, 20, 300]);
    let written = ingest(&mut flight, append(), vec![rows]).await;
    assert_eq!(written.unwrap(), 3);
    let sql = "SELECT day, sum(amount) FROM ing_projected.sales GROUP BY 1 ORDER BY 1";
    assert_eq!(admin.text(sql).await, "2024-01-01|301\n2024-01-02|20");
    assert_eq!(files(&folder.path.join("days/2024/01/01")).len(), 1);
    assert!(!folder.path.join("sales").exists());
    let registered = admin.text("SHOW PARTITIONS ing_projected.sales").await;
    assert_eq!(registered, "");
    // A value that the projection does not have could not be read again: nothing is written.
    let before = files(&folder.path);
    let outside = sales(&[19_723, 20_454], &[4_000, 50_000]);
    let refused = ingest(&mut flight, append(), vec![outside])
        .await
        .unwrap_err();
    assert!(
        refused.message().contains("outside of the projection"),
        "{refused:?}"
    );
    assert_eq!(files(&folder.path), before);
    assert_eq!(admin.text(sql).await, "2024-01-01|301\n2024-01-02|20");
}

#[tokio::test]
async fn rows_are_added_to_the_partitions_of_their_keys() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = sales_table(server, &admin, "ing_append").await;
    let total = "SELECT count(*), sum(amount) FROM ing_append.sales";
    assert_eq!(admin.text(total).await, "1|1");
    let mut flight = server.flight("admin").await;
    // Columns in another order and case, of narrower types; one column fewer, in two batches.
    let rows = |n: i32| {
        batch(&[
            (
                "DAY",
                Values::Array(Arc::new(Date32Array::from(vec![
                    Some(19_723),
                    Some(19_724),
                    None,
                ]))),
            ),
            (
                "Amount",
                Values::Array(Arc::new(Int32Array::from(vec![n, n * 10, n * 100]))),
            ),
        ])
    };
    let command = into("ing_append.sales", Mode::Append);
    let written = ingest(&mut flight, command, vec![rows(2), rows(3)]).await;
    assert_eq!(written.unwrap(), 6);
    assert_eq!(admin.text(total).await, "7|556");
    assert_eq!(
        admin
            .text("SELECT day, sum(amount), count(note) FROM ing_append.sales GROUP BY day ORDER BY day")
            .await,
        "2024-01-01|6|0\n2024-01-02|50|0\nNULL|500|0"
    );
    assert_eq!(
        admin.text("SHOW PARTITIONS ing_append.sales").await,
        "day=2024-01-01\nday=2024-01-02\nday=__HIVE_DEFAULT_PARTITION__"
    );
    let explained = admin
        .text("EXPLAIN SELECT * FROM ing_append.sales WHERE day = DATE '2024-01-02'")
        .await;
    assert!(explained.contains("partitions: 1 of 3"), "{explained}");
    let found = files(&folder.path);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found
            .iter()
            .all(|file| file.contains("/sales/day=") && file.ends_with(".parquet")),
        "{found:?}"
    );
    let recorded = admin
        .rows("SELECT state, rows, protocol FROM system.queries WHERE query LIKE 'INSERT INTO ing_append.sales%' ORDER BY submitted_at DESC LIMIT 1")
        .await;
    let shown: Vec<&str> = recorded[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(shown, ["SUCCEEDED", "6", "flight_sql"]);
}

#[tokio::test]
async fn tables_are_made_replaced_and_found_there() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = sales_table(server, &admin, "ing_modes").await;
    let mut flight = server.flight("admin").await;
    let price = Decimal128Array::from(vec![1_250, 99])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let rows = batch(&[
        ("Item", Values::Text(&["pen", "ink"])),
        ("price", Values::Array(Arc::new(price))),
    ]);
    let missing = ingest(
        &mut flight,
        into("ing_modes.items", Mode::Append),
        vec![rows.clone()],
    );
    let missing = missing.await.unwrap_err();
    assert_eq!(missing.metadata().get("sqlstate").unwrap(), "42P01");
    assert!(missing.message().contains("items"), "{missing}");

    let create = into("ing_modes.items", Mode::Create);
    let made = ingest(&mut flight, create.clone(), vec![rows.clone()]).await;
    assert_eq!(made.unwrap(), 2);
    let items = "SELECT item, price FROM ing_modes.items ORDER BY item";
    assert_eq!(admin.text(items).await, "ink|0.99\npen|12.50");
    let text = admin.text("SHOW CREATE TABLE ing_modes.items").await;
    assert!(text.contains("`price` decimal(10,2)"), "{text}");
    let again = ingest(&mut flight, create, vec![rows.clone()])
        .await
        .unwrap_err();
    assert_eq!(again.metadata().get("sqlstate").unwrap(), "42P07");

    let both = into("ing_modes.items", Mode::CreateAppend);
    let added = ingest(&mut flight, both.clone(), vec![rows.clone()]).await;
    assert_eq!(added.unwrap(), 2);
    assert_eq!(
        admin.text("SELECT count(*) FROM ing_modes.items").await,
        "4"
    );

    let old = files(&folder.path.join("new/items"));
    assert_eq!(old.len(), 2, "{old:?}");
    let other = batch(&[
        ("name", Values::Text(&["nib"])),
        ("kind", Values::Text(&["steel"])),
    ]);
    let mut replace = into("ing_modes.items", Mode::Replace);
    replace.options = [("partition_by".to_owned(), "kind".to_owned())].into();
    assert_eq!(ingest(&mut flight, replace, vec![other]).await.unwrap(), 1);
    assert_eq!(
        admin.text("SELECT * FROM ing_modes.items").await,
        "nib|steel"
    );
    assert_eq!(
        admin.text("SHOW PARTITIONS ing_modes.items").await,
        "kind=steel"
    );
    eventually("the old files are gone", async || {
        files(&folder.path.join("new/items"))
            .is_empty()
            .then_some(())
    })
    .await;
    // A table without rows still has its columns.
    let empty = RecordBatch::new_empty(rows.schema());
    let command = into("ing_modes.nothing", Mode::Create);
    assert_eq!(ingest(&mut flight, command, vec![empty]).await.unwrap(), 0);
    assert_eq!(
        admin
            .text("SELECT count(price) FROM ing_modes.nothing")
            .await,
        "0"
    );
    // The folder of a dropped table keeps its files, and the next table of the same name gets
    // another folder.
    admin.run("DROP TABLE ing_modes.items").await;
    let left = files(&folder.path.join("new")).len();
    let command = into("ing_modes.items", Mode::Create);
    assert_eq!(ingest(&mut flight, command, vec![rows]).await.unwrap(), 2);
    assert_eq!(admin.text(items).await, "ink|0.99\npen|12.50");
    assert_eq!(files(&folder.path.join("new")).len(), left + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_for_a_sorted_table_are_sorted_in_their_file() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_sorted");
    admin
        .run(&format!(
            "CREATE DATABASE ing_sorted LOCATION '{location}new/';
             CREATE EXTERNAL TABLE ing_sorted.t (name STRING, n BIGINT) SORTED BY (n DESC, name) STORED AS PARQUET LOCATION '{location}t/'",
            location = folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    let rows =
        |n: &[i64], names: &[&str]| batch(&[("n", Values::Int(n)), ("name", Values::Text(names))]);
    let batches = vec![
        rows(&[1, 3], &["d", "b"]),
        rows(&[2], &["c"]),
        rows(&[3, 1], &["a", "e"]),
    ];
    let append = into("ing_sorted.t", Mode::Append);
    assert_eq!(ingest(&mut flight, append, batches).await.unwrap(), 5);
    assert_eq!(files(&folder.path.join("t")).len(), 1);
    assert_eq!(
        admin.text("SELECT n, name FROM ing_sorted.t").await,
        "3|a\n3|b\n2|c\n1|d\n1|e"
    );
}

/// Other tools write to the table's folder as well, and no catalog records their files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_table_loses_only_what_was_written_to_it() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_shared");
    let rows = || batch(&[("n", Values::Int(&[1]))]);
    let foreign = parquet(&rows(), 10);
    // One of these files looks like a file of a write.
    let forged = "lakegate-00000000-0000000000000001-00000.parquet";
    for name in ["theirs.parquet", "deep/theirs.parquet", forged, "notes.txt"] {
        folder.put(&format!("data/{name}"), &foreign);
    }
    admin
        .run(&format!(
            "CREATE DATABASE ing_shared LOCATION '{location}new/';
             CREATE EXTERNAL TABLE ing_shared.t (n BIGINT) STORED AS PARQUET LOCATION '{location}data/'",
            location = folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    for _ in 0..2 {
        let append = into("ing_shared.t", Mode::Append);
        assert_eq!(ingest(&mut flight, append, vec![rows()]).await.unwrap(), 1);
    }
    let data = folder.path.join("data");
    let own = files(&data).len() - 4;
    assert_eq!(own, 2);
    let replace = into("ing_shared.t", Mode::Replace);
    assert_eq!(ingest(&mut flight, replace, vec![rows()]).await.unwrap(), 1);
    let left = eventually("what was written is gone", async || {
        let left = files(&data);
        (left.len() == 4).then_some(left)
    })
    .await;
    for name in ["theirs.parquet", forged, "notes.txt"] {
        assert!(left.iter().any(|file| file.ends_with(name)), "{left:?}");
    }
    assert_eq!(admin.value("SELECT count(*) FROM ing_shared.t").await, "1");
}

/// A column of structs, sent as NULLs in a few bytes, is written as many columns.
#[tokio::test]
async fn nulls_of_wide_structs_are_made_by_pieces() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let folder = Folder::new(&server, "ing_wide");
    let fields: Vec<String> = (0..400).map(|n| format!("f{n}: BIGINT")).collect();
    admin
        .run(&format!(
            "CREATE DATABASE ing_wide LOCATION '{location}';
             CREATE EXTERNAL TABLE ing_wide.t (id BIGINT, x STRUCT<{}>) STORED AS PARQUET LOCATION '{location}t/'",
            fields.join(", "),
            location = folder.location
        ))
        .await;
    let watch = Watch::over(&server);
    let mut flight = server.flight("admin").await;
    let rows = 1_000_000;
    let nulls = batch(&[("x", Values::Array(Arc::new(NullArray::new(rows))))]);
    let written = ingest(&mut flight, into("ing_wide.t", Mode::Append), vec![nulls]).await;
    assert_eq!(written.unwrap(), rows as i64);
    watch.stayed_under(768 * MIB, "3.2 GB of NULLs");
    let counted = "SELECT count(*), count(x), count(id) FROM ing_wide.t";
    assert_eq!(admin.text(counted).await, "1000000|0|0");
}

#[tokio::test]
async fn stream_whose_descriptor_is_a_path_is_added_to_the_table() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    sales_table(server, &admin, "ing_path").await;
    let mut flight = server.flight("admin").await;
    let put = |path: &[&str]| {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        let rows = futures::stream::iter([Ok(sales(&[19_723], &[41]))]);
        FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(FlightDescriptor::new_path(path)))
            .build(rows)
            .map(|data| data.unwrap())
    };
    let request = flight.request(put(&["ing_path", "sales"]));
    let answer = flight.sql.inner_mut().do_put(request).await.unwrap();
    let results: Vec<_> = answer.into_inner().try_collect().await.unwrap();
    let written = DoPutUpdateResult::decode(results[0].app_metadata.clone()).unwrap();
    assert_eq!(written.record_count, 1);
    assert_eq!(
        admin.text("SELECT sum(amount) FROM ing_path.sales").await,
        "42"
    );
    let request = flight.request(put(&["a", "b", "c", "d"]));
    let refused = flight.sql.inner_mut().do_put(request).await.unwrap_err();
    assert!(
        refused.message().contains("[database, table]"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_to_s3_in_parts() {
    let s3 = S3::start().await;
    let temp = tempfile::tempdir().unwrap();
    let (server, admin) = server::serving(temp.path(), &s3.root()).await;
    admin.run("CREATE DATABASE d").await;
    let mut flight = server.flight("admin").await;
    // Some 20 MB that do not compress: more than one part.
    let rows = crate::harness::files::big_batch(500_000);
    let slices = (0..50).map(|n| rows.slice(n * 10_000, 10_000)).collect();
    let command = into("d.t", Mode::Create);
    assert_eq!(ingest(&mut flight, command, slices).await.unwrap(), 500_000);
    assert_eq!(
        admin.text("SELECT count(*), max(id) FROM d.t").await,
        "500000|499999"
    );
    // A failed write leaves nothing there either.
    let large = UInt64Array::from(vec![u64::MAX]);
    let large = batch(&[("id", Values::Array(Arc::new(large)))]);
    let command = into("d.t", Mode::Append);
    let refused = ingest(&mut flight, command, vec![large]).await.unwrap_err();
    assert_eq!(refused.metadata().get("sqlstate").unwrap(), "22003");
    assert_eq!(admin.text("SELECT count(*) FROM d.t").await, "500000");
    let command = into("d.t", Mode::Replace);
    let written = ingest(&mut flight, command, vec![rows.slice(0, 10)]).await;
    assert_eq!(written.unwrap(), 10);
    assert_eq!(admin.text("SELECT count(*) FROM d.t").await, "10");
}
