#![allow(clippy::unwrap_used)]
use chrono::DateTime;
use datafusion::logical_expr::{ident, lit};
use lakegate_catalog::model::{Column, DatabaseInput, SerDeInfo, StorageDescriptor, TableInput};
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{Metastore, OpenWrites, SqliteStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::*;
use crate::roots::{Backing, Roots};
use crate::table::{FileList, LakeTable, LakeTables, TableSnapshot};

fn roots() -> Roots {
    let backing = Backing::Remote {
        store: Arc::new(InMemory::new()),
        place: "memory".to_owned(),
        prefix: Path::default(),
    };
    Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap()
}

fn file(path: &str, size: u64, micros: i64) -> DataFile {
    DataFile {
        path: Path::from(path),
        size,
        e_tag: Some("same".to_owned()),
        modified: DateTime::from_timestamp_micros(micros).unwrap(),
        write: None,
    }
}

/// The table `d.t (a) PARTITIONED BY (day)`, or without partitions, with the listed files.
async fn table(roots: &Roots, columns: &[&str], days: &[&str], micros: i64) -> LakeTable {
    let store = SqliteStore::in_memory().unwrap();
    let database = DatabaseInput {
        name: "d".to_owned(),
        ..DatabaseInput::default()
    };
    store.create_database(database, false).await.unwrap();
    let class = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
    let keys = days.iter().take(1).map(|_| Column::new("day", "string"));
    let input = TableInput {
        name: "t".to_owned(),
        storage_descriptor: StorageDescriptor {
            columns: columns.iter().map(|it| Column::new(*it, "int")).collect(),
            location: Some("s3://lake/t/".to_owned()),
            serde_info: Some(SerDeInfo {
                serialization_library: Some(class.to_owned()),
                ..SerDeInfo::default()
            }),
            ..StorageDescriptor::default()
        },
        partition_keys: keys.collect(),
        ..TableInput::default()
    };
    store.create_table("d", input, false).await.unwrap();
    let added = days.iter().map(|day| PartitionInput::new([*day]));
    if !days.is_empty() {
        let added = store.add_partitions("d", "t", added.collect(), false);
        added.await.unwrap();
    }
    let known = store.table("d", "t").await.unwrap().unwrap();
    let loaded = LakeTables::default().load(&store, &known).await.unwrap();
    let folders = match days {
        [] => vec!["t".to_owned()],
        days => days.iter().map(|day| format!("t/day={day}")).collect(),
    };
    let listed = folders.iter().map(|folder| {
        let files = vec![
            file(&format!("{folder}/a"), 10, micros),
            file(&format!("{folder}/b"), 20, micros + 5_000),
        ];
        let folder = format!("s3://lake/{folder}/");
        (roots.locate(&folder).unwrap(), files)
    });
    LakeTable {
        index: Arc::new(FileList::new(listed)),
        ..LakeTable::clone(&loaded)
    }
}

async fn listed(table: &LakeTable, roots: &Roots, filters: &[Expr]) -> TableSnapshot {
    let pruned = table.pruned(roots, filters).unwrap();
    pruned.list(&OpenWrites::default()).await.unwrap()
}

async fn paths(table: &LakeTable, roots: &Roots, filter: Expr) -> Vec<String> {
    let snapshot = listed(table, roots, &[filter]).await;
    let files = snapshot.files();
    files.map(|file| file.path.to_string()).collect()
}

fn time(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(
        Some(micros),
        Some("UTC".into()),
    ))
}

#[tokio::test]
async fn filters_on_hidden_columns_leave_the_files_that_match() {
    let roots = roots();
    let table = table(&roots, &["a"], &["1", "2"], 7_000_999).await;
    let table = table.with_hidden_columns("UTC").unwrap();
    let path = |path: &str| ident("$path").eq(lit(format!("s3://lake/{path}")));
    let all = ["t/day=1/a", "t/day=1/b", "t/day=2/a", "t/day=2/b"];
    let [one_a, one_b, two_a, two_b] = all;
    for (filter, expected) in [
        (path(two_a), vec![two_a]),
        (path("t/day=3/a"), vec![]),
        (ident("$file_size").gt(lit(10_i64)), vec![one_b, two_b]),
        // Below the milliseconds, times are cut off.
        (
            ident("$file_modified_time").eq(time(7_000_000)),
            vec![one_a, two_a],
        ),
        (
            ident("$file_modified_time").gt(time(7_000_000)),
            vec![one_b, two_b],
        ),
        (ident("$partition").eq(lit("day=2")), vec![two_a, two_b]),
        (
            ident("$partition")
                .eq(lit("day=2"))
                .and(ident("$file_size").lt(lit(20_i64))),
            vec![two_a],
        ),
        (
            path(one_a).or(ident("day").eq(lit("2"))),
            vec![one_a, two_a, two_b],
        ),
        // The condition on `a` is left to the scan.
        (path(one_a).or(ident("a").eq(lit(1))), all.to_vec()),
        (
            path(one_a).and(ident("a").eq(lit(1)).or(path(two_a))),
            vec![one_a],
        ),
        (ident("$path").is_null(), vec![]),
    ] {
        assert_eq!(
            paths(&table, &roots, filter.clone()).await,
            expected,
            "{filter}"
        );
    }
    let by_name = table.pruned(&roots, &[ident("$partition").eq(lit("day=2"))]);
    assert_eq!(by_name.unwrap().partitions.len(), 1, "before it is listed");
}

#[tokio::test]
async fn files_beyond_one_chunk_are_all_decided() {
    let roots = roots();
    let mut table = table(&roots, &["a"], &[], 0).await;
    let files = (0..CHUNK + 3).map(|number| {
        let size = u64::try_from(number).unwrap() + 1;
        file(&format!("t/{number:05}"), size, 0)
    });
    let folder = roots.locate("s3://lake/t/").unwrap();
    table.index = Arc::new(FileList::new([(folder, files.collect())]));
    let table = table.with_hidden_columns("UTC").unwrap();
    let last = i64::try_from(CHUNK + 3).unwrap();
    for (size, expected) in [(1, "t/00000"), (last, "t/08194")] {
        let filter = ident("$file_size").eq(lit(size));
        assert_eq!(paths(&table, &roots, filter).await, [expected]);
    }
}

#[tokio::test]
async fn values_are_those_of_the_file() {
    let roots = roots();
    let table = table(&roots, &["a"], &["1"], 7_000_999).await;
    let table = table.with_hidden_columns("Asia/Tokyo").unwrap();
    let snapshot = listed(&table, &roots, &[]).await;
    let partition = &snapshot.partitions[0];
    let hidden = table.hidden.as_ref().unwrap();
    let values: Vec<ScalarValue> = hidden.values(partition, &partition.files[0]).collect();
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let expected = [
        text("s3://lake/t/day=1/a"),
        ScalarValue::Int64(Some(10)),
        ScalarValue::TimestampMicrosecond(Some(7_000_000), Some("Asia/Tokyo".into())),
        text("day=1"),
    ];
    assert_eq!(values, expected);
    let fields = table.schema.fields().iter().skip(2);
    for (field, value) in fields.zip(&expected) {
        assert_eq!(field.data_type(), &value.data_type());
    }
}

#[tokio::test]
async fn columns_depend_on_the_table_and_on_what_may_be_seen() {
    let roots = roots();
    let names = |table: &LakeTable| -> Vec<&'static str> {
        let table = table.with_hidden_columns("UTC").unwrap();
        table.hidden.iter().flat_map(HiddenColumns::names).collect()
    };
    let unpartitioned = table(&roots, &["a"], &[], 0).await;
    assert_eq!(
        names(&unpartitioned),
        ["$path", "$file_size", "$file_modified_time"]
    );
    let own = table(&roots, &["a", "$path"], &["1"], 0).await;
    assert_eq!(
        names(&own),
        ["$file_size", "$file_modified_time", "$partition"]
    );
    let mut bucketed = own.clone();
    let mut known = own.table.as_ref().clone();
    known.storage_descriptor.number_of_buckets = 4;
    bucketed.table = Arc::new(known);
    assert_eq!(names(&bucketed).last(), Some(&"$bucket"));
    let part = own.granted(&[1, 2]).unwrap();
    assert!(part.with_hidden_columns("UTC").is_none());
}

#[tokio::test]
async fn time_of_a_file_is_part_of_the_digest_where_it_can_be_a_value() {
    let roots = roots();
    let mut digests = Vec::new();
    for micros in [1_000_000, 2_000_000] {
        let table = table(&roots, &["a"], &["1"], micros).await;
        let hidden = table.with_hidden_columns("UTC").unwrap();
        for table in [table, hidden] {
            let mut digest = Sha256::new();
            listed(&table, &roots, &[]).await.digest(&mut digest);
            digests.push(digest.finalize());
        }
    }
    assert_eq!(digests[0], digests[2], "the ETag is the same");
    assert_ne!(digests[1], digests[3]);
}
