//! Writes while the disk or the store fails: an error, nothing visible, nothing left, and the next
//! attempt succeeds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use futures::TryStreamExt;
use object_store::ObjectStore;

use crate::harness::faulty::{Fault, Faulty, Request};
use crate::harness::folder::files;
use crate::harness::s3::{BUCKET, S3};
use crate::harness::server::serving;
use crate::harness::{Server, eventually};

/// Rows of more than one part of an upload, in every format.
const LARGE: &str = "SELECT x AS id, repeat(md5(CAST(x AS varchar)) || md5(CAST(-x AS varchar)), 4) AS name FROM generate_series(1, 150000) AS t (x)";
const LARGE_ROWS: i64 = 150_000;
const SMALL: &str = "SELECT CAST(1 AS bigint) AS id, 'one' AS name";

const FORMATS: [&str; 4] = ["PARQUET", "ORC", "AVRO", "JSON"];

/// Sets the largest file that a server may write, as `prlimit` has it.
fn limit_files(server: &Server, size: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--fsize={size}:"))
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_the_disk_does_not_take_leaves_nothing() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE full LOCATION 's3://datalake/tests/full/'")
        .await;
    let folder = server.dir.join("tests/full");
    for format in FORMATS {
        let format_name = format.to_lowercase();
        let kept = format!("full.kept_{format_name}");
        let table = format!("full.t_{format_name}");
        let with = format!("WITH (format = '{format}', write_compression = 'NONE')");
        admin
            .run(&format!("CREATE TABLE {kept} {with} AS {SMALL}"))
            .await;
        let before = files(&folder);
        let unload = format!("s3://datalake/tests/full/out_{format_name}/");
        limit_files(&server, "12582912");
        for sql in [
            format!("CREATE TABLE {table} {with} AS {LARGE}"),
            format!("INSERT INTO {kept} {LARGE}"),
            format!("INSERT OVERWRITE {kept} {LARGE}"),
            format!("UNLOAD ({LARGE}) TO '{unload}' {with}")
                .replace("write_compression", "compression"),
        ] {
            let failure = admin.fails(&sql).await;
            assert_eq!(failure.code, "58030", "{sql}: {failure:?}");
            eventually("the files are gone", async || {
                (files(&folder) == before).then_some(())
            })
            .await;
            assert_eq!(
                admin.text(&format!("SELECT * FROM {kept}")).await,
                "1|one",
                "{sql}"
            );
        }
        let failure = admin.fails(&format!("SELECT * FROM {table}")).await;
        assert_eq!(failure.code, "42P01");
        limit_files(&server, "unlimited");
        admin
            .run(&format!("CREATE TABLE {table} {with} AS {LARGE}"))
            .await;
        assert_eq!(
            admin.number(&format!("SELECT count(*) FROM {table}")).await,
            LARGE_ROWS
        );
    }
}

/// The objects of the bucket.
async fn objects(s3: &S3) -> Vec<String> {
    let list = s3
        .store()
        .list(None)
        .map_ok(|object| object.location.to_string());
    let mut found: Vec<String> = list.try_collect().await.unwrap();
    found.sort();
    found
}

/// Uploads in parts that are neither finished nor stopped.
fn uploads(s3: &S3) -> usize {
    let address = s3.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /{BUCKET}?uploads HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("ListMultipartUploadsResult"), "{answer}");
    answer.matches("<Upload>").count()
}

const SLOW_DOWN: Fault = Fault::Answer(503, "SlowDown");
const INTERNAL: Fault = Fault::Answer(500, "InternalError");
const DENIED: Fault = Fault::Answer(403, "AccessDenied");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_fails_leaves_nothing() {
    let s3 = S3::start().await;
    let faulty = Faulty::before(&s3.endpoint).await;
    let temp = tempfile::tempdir().unwrap();
    let root = s3.root().replace(&s3.endpoint, &faulty.endpoint);
    let (_server, admin) = serving(temp.path(), &root).await;
    admin.run("CREATE DATABASE d").await;
    admin.run(&format!("CREATE TABLE d.kept AS {SMALL}")).await;
    for (number, (request, fault, after)) in [
        (Request::Put, DENIED, 0),
        (Request::Put, INTERNAL, 0),
        (Request::Put, Fault::Reset, 0),
        (Request::UploadPart, DENIED, 0),
        (Request::UploadPart, DENIED, 1),
        (Request::UploadPart, SLOW_DOWN, 1),
        (Request::UploadPart, Fault::Reset, 0),
        (Request::Complete, DENIED, 0),
        (Request::Complete, INTERNAL, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let case = format!("{request:?} {fault:?} {after}");
        let query = match request {
            Request::Get | Request::Put => SMALL,
            Request::UploadPart | Request::Complete => LARGE,
        };
        let format = FORMATS[number % FORMATS.len()];
        let with = format!("WITH (format = '{format}', write_compression = 'NONE')");
        // A folder of its own: tables that are dropped leave their files.
        let table = format!("d.t{number}");
        let before = objects(&s3).await;
        for sql in [
            format!("CREATE TABLE {table} {with} AS {query}"),
            format!("INSERT INTO d.kept {query}"),
        ] {
            faulty.fail(request, fault, after, usize::MAX);
            let failure = admin.fails(&sql).await;
            assert!(faulty.heal() > 0, "{case}: {sql}");
            assert_eq!(failure.code, "58030", "{case}: {failure:?}");
            failure.names(&["cannot write s3://"]);
            assert_eq!(admin.text("SELECT * FROM d.kept").await, "1|one", "{case}");
            assert_eq!(admin.text("SHOW TABLES IN d").await, "kept", "{case}");
            eventually("the objects are gone", async || {
                (objects(&s3).await == before).then_some(())
            })
            .await;
            eventually("the parts are gone", async || {
                (uploads(&s3) == 0).then_some(())
            })
            .await;
        }
        // The next attempt succeeds, even if a request has to be repeated.
        if fault != DENIED {
            faulty.fail(request, fault, after, 1);
        }
        admin
            .run(&format!("CREATE TABLE {table} {with} AS {query}"))
            .await;
        let failed = faulty.heal();
        assert_eq!(failed, usize::from(fault != DENIED), "{case}");
        let rows = match query {
            SMALL => 1,
            _ => LARGE_ROWS,
        };
        assert_eq!(
            admin.number(&format!("SELECT count(*) FROM {table}")).await,
            rows,
            "{case}"
        );
        admin.run(&format!("DROP TABLE {table}")).await;
    }
}
