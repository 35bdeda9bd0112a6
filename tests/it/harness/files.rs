//! Data files that a test needs and the demo lake does not have.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{Client, Server};

/// A folder for one test in a server's lake: its path, and its LOCATION.
pub(crate) struct Folder {
    pub path: PathBuf,
    pub location: String,
}

impl Folder {
    pub(crate) fn new(server: &Server, name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let path = server.dir.join("tests").join(&unique);
        fs::create_dir_all(&path).unwrap();
        Self {
            path,
            location: format!("s3://datalake/tests/{unique}/"),
        }
    }

    /// Writes a file as a whole, as object stores do, with a modification time old enough for the
    /// result cache.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        put(&self.path.join(name), bytes.as_ref())
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path.join(name)).unwrap();
    }
}

/// A table on a folder of its own, in the lake of the shared server.
pub(crate) struct FileTable {
    pub admin: Client,
    pub folder: Folder,
    /// `database.name`.
    pub table: String,
}

impl FileTable {
    /// `columns`: their definitions; `rest`: what follows them, up to LOCATION.
    pub(crate) async fn new(database: &str, name: &str, columns: &str, rest: &str) -> Self {
        let server = Server::shared();
        let admin = server.connect("admin").await;
        let folder = Folder::new(server, &format!("{database}_{name}"));
        admin
            .run(&format!("CREATE DATABASE IF NOT EXISTS {database}"))
            .await;
        let table = format!("{database}.{name}");
        admin
            .run(&format!(
                "CREATE EXTERNAL TABLE {table} ({columns}) {rest} LOCATION '{}'",
                folder.location
            ))
            .await;
        Self {
            admin,
            folder,
            table,
        }
    }
}

/// Writes a file. The cache ignores files younger than two seconds, so the file looks older; each
/// file gets a different age.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> PathBuf {
    static AGE: AtomicU32 = AtomicU32::new(0);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let partial = path.with_file_name(format!(".partial-{}", AGE.load(Ordering::Relaxed)));
    fs::write(&partial, bytes).unwrap();
    let at = SystemTime::now() - Duration::from_secs(100_000)
        + Duration::from_secs(AGE.fetch_add(1, Ordering::Relaxed).into());
    fs::File::options()
        .write(true)
        .open(&partial)
        .unwrap()
        .set_modified(at)
        .unwrap();
    fs::rename(&partial, path).unwrap();
    path.to_owned()
}

/// A column of a Parquet file.
pub(crate) enum Values<'a> {
    Int(&'a [i64]),
    Text(&'a [&'a str]),
    Array(ArrayRef),
}

pub(crate) fn batch(columns: &[(&str, Values<'_>)]) -> RecordBatch {
    let arrays: Vec<(String, ArrayRef)> = columns
        .iter()
        .map(|(name, values)| {
            let array: ArrayRef = match values {
                Values::Int(values) => Arc::new(Int64Array::from(values.to_vec())),
                Values::Text(values) => Arc::new(StringArray::from(values.to_vec())),
                Values::Array(array) => array.clone(),
            };
            ((*name).to_owned(), array)
        })
        .collect();
    let fields: Vec<Field> = arrays
        .iter()
        .map(|(name, a)| Field::new(name, a.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        arrays.into_iter().map(|(_, a)| a).collect(),
    )
    .unwrap()
}

/// Encodes a batch as Snappy Parquet, with `rows_a_group` rows per row group.
pub(crate) fn parquet(batch: &RecordBatch, rows_a_group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(rows_a_group))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Returns `rows` rows of `id` 0.. and an incompressible `note`, about 40 bytes per row.
pub(crate) fn big_batch(rows: u64) -> RecordBatch {
    let ids: Vec<i64> = (0..rows).map(|i| i64::try_from(i).unwrap()).collect();
    let notes: Vec<String> = (0..rows)
        .map(|i| format!("{:016x}{:016x}", mix(i), mix(!i)))
        .collect();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids)),
        Arc::new(StringArray::from(notes)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Mixes the bits of a number (the finaliser of splitmix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Pipes bytes through a compressor of the machine, so that not both sides are our own code.
pub(crate) fn through(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Written concurrently, because a pipe holds little.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    output.stdout
}
