//! Objects in archive storage classes, such as S3 Glacier: the store lists them, and refuses to read
//! them until they are restored.

use crate::harness::faulty::{Fault, Faulty, Request};
use crate::harness::s3::S3;
use crate::harness::server::serving;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_object_is_an_error_that_names_it_until_it_is_restored() {
    let s3 = S3::start().await;
    let faulty = Faulty::before(&s3.endpoint).await;
    let temp = tempfile::tempdir().unwrap();
    let root = s3.root().replace(&s3.endpoint, &faulty.endpoint);
    let (_server, admin) = serving(temp.path(), &root).await;
    admin.run("CREATE DATABASE d").await;
    for format in ["parquet", "orc", "avro", "json", "textfile", "ion"] {
        let table = format!("d.cold_{format}");
        admin
            .run(&format!(
                "CREATE TABLE {table} WITH (format = '{format}') AS SELECT 1 AS id, 'one' AS name"
            ))
            .await;
        let query = format!("SELECT * FROM {table}");
        let archived = Fault::Answer(403, "InvalidObjectState");
        faulty.fail(Request::Get, archived, 0, usize::MAX);
        let failure = admin.fails(&query).await;
        assert!(faulty.heal() > 0, "{format}");
        assert_eq!(failure.code, "58030", "{failure:?}");
        let folder = format!("cold_{format}/");
        failure.names(&[&folder, "is archived", "restore"]);
        assert_eq!(admin.text(&query).await, "1|one", "{format}");
    }
}
