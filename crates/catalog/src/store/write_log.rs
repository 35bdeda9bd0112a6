//! The trait of writes to tables: which files belong to a write, and which are not visible yet.
//!
//! ```text
//!  begin_write ─▶ files named lakegate-<tag>-<write>-… ─▶ Coordinator::commit_write
//!      │           in no listing while it is open           table, partitions and log together;
//!      │                                                    listings have the files from here on
//!      └─ the process dies: unfinished_writes ─▶ its files are deleted ─▶ end_write
//! ```
//!
//! A reader takes [`OpenWrites`] before it lists. What never happens: a listing shows a part of a
//! write.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use crate::error::Result;

/// The prefix of the names of all files that are written for a catalog.
const FILE_PREFIX: &str = "lakegate-";
/// What the names of files that are written end with: the format, and what compresses a whole file.
const EXTENSIONS: [&str; 6] = ["parquet", "orc", "avro", "json", "txt", "ion"];
const COMPRESSIONS: [&str; 6] = ["gz", "bz2", "zst", "snappy", "lz4", "deflate"];
/// Hexadecimal digits of the catalog's tag and of a write's number in the name of a file.
const TAG_DIGITS: usize = 8;
const NUMBER_DIGITS: usize = 16;
/// Digits of a bucket, the first of which is 0, and what is between them and the rest of a file's
/// name: Hive, Trino and Athena find a bucket by them, as the number of a task and of its attempt.
const BUCKET_DIGITS: usize = 6;
const ATTEMPT: &str = "_0_";
/// The most buckets that a table can have (Trino's bound): the digits of a bucket begin with 0.
pub const MAX_BUCKETS: u32 = 100_000;

/// A write to one table, of one catalog. Numbers only grow and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    /// Distinguishes catalogs that write into one folder.
    pub(crate) tag: u32,
    pub(crate) number: i64,
}

impl WriteId {
    /// What the names of the write's files have before their numbers: `lakegate-<8 hex>-<16 hex>-`.
    /// In the names of buckets' files it follows the bucket.
    pub fn file_prefix(self) -> String {
        format!("{FILE_PREFIX}{self}-")
    }

    /// The name of one of the write's Parquet files, counted from 0.
    pub fn file_name(self, number: u64) -> String {
        self.file_name_of(number, "parquet")
    }

    /// The name of one of the write's files, counted from 0. `extension`: of its format, such as
    /// `parquet`, `orc`, `avro`, `ion`, `json` or `txt`, and for text of what compresses it, as
    /// `json.gz`.
    pub fn file_name_of(self, number: u64, extension: &str) -> String {
        format!("{}{number:05}.{extension}", self.file_prefix())
    }

    /// The name of one of the write's files that holds a bucket: that of [`WriteId::file_name_of`]
    /// behind `<6 digits>_0_`, as in `000003_0_lakegate-…-00007.parquet`.
    ///
    /// `bucket`: less than [`MAX_BUCKETS`]. `number`: counted from 0 for all files of the write.
    pub fn bucket_file_name(self, bucket: u32, number: u64, extension: &str) -> String {
        let name = self.file_name_of(number, extension);
        format!("{bucket:0BUCKET_DIGITS$}{ATTEMPT}{name}")
    }

    /// The number of a file of the write; `None` if neither [`WriteId::file_name_of`] nor
    /// [`WriteId::bucket_file_name`] returns such a name for an extension that files are written
    /// with.
    pub fn file_number(self, name: &str) -> Option<u64> {
        let name = without_bucket(name);
        let rest = name.strip_prefix(&self.file_prefix())?;
        let (number, extension) = rest.split_once('.')?;
        let number = number.parse().ok()?;
        (is_extension(extension) && self.file_name_of(number, extension) == name).then_some(number)
    }

    /// The write that a file belongs to, by its name; `None` if it was not written for a catalog.
    pub fn of_file(name: &str) -> Option<WriteId> {
        let rest = without_bucket(name).strip_prefix(FILE_PREFIX)?;
        let (tag, rest) = rest.split_once('-')?;
        let (number, _) = rest.split_once('-')?;
        Some(WriteId {
            tag: u32::try_from(hexadecimal(tag, TAG_DIGITS)?).ok()?,
            number: i64::try_from(hexadecimal(number, NUMBER_DIGITS)?).ok()?,
        })
    }
}

/// The name of a file without the bucket before it.
fn without_bucket(name: &str) -> &str {
    let Some((bucket, rest)) = name.split_once(ATTEMPT) else {
        return name;
    };
    let is_bucket = bucket.len() == BUCKET_DIGITS
        && bucket.starts_with('0')
        && bucket.bytes().all(|digit| digit.is_ascii_digit());
    match is_bucket {
        true => rest,
        false => name,
    }
}

fn is_extension(extension: &str) -> bool {
    let (format, compression) = match extension.split_once('.') {
        Some((format, compression)) => (format, Some(compression)),
        None => (extension, None),
    };
    EXTENSIONS.contains(&format) && compression.is_none_or(|name| COMPRESSIONS.contains(&name))
}

/// `<tag>-<number>`, in hexadecimal.
impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:0tag$x}-{:0number$x}",
            self.tag,
            self.number,
            tag = TAG_DIGITS,
            number = NUMBER_DIGITS
        )
    }
}

fn hexadecimal(text: &str, digits: usize) -> Option<u64> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == digits && text.bytes().all(lower))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

/// The writes that were not committed at one moment.
#[derive(Debug, Clone, Default)]
pub struct OpenWrites {
    pub(crate) tag: u32,
    pub(crate) open: Arc<BTreeSet<i64>>,
    /// The last number that was issued at that moment.
    pub(crate) last: i64,
    /// The last number that has been issued by now.
    pub(crate) issued: Arc<AtomicI64>,
    pub(crate) commits: u64,
}

impl OpenWrites {
    /// Whether a file belongs to a write that was open, or had not begun.
    pub fn hides(&self, file_name: &str) -> bool {
        WriteId::of_file(file_name).is_some_and(|write| {
            // A number beyond the last issued one is of a server with a copy of this catalog.
            let began_later =
                || write.number > self.last && write.number <= self.issued.load(Ordering::Acquire);
            write.tag == self.tag && (self.open.contains(&write.number) || began_later())
        })
    }

    /// How many writes were committed since the process began. Names that were resolved and files
    /// that were listed at the same count belong to one state of the catalog.
    pub fn commits(&self) -> u64 {
        self.commits
    }
}

/// The files of a committed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenFiles {
    pub write: WriteId,
    pub files: u64,
}

impl WrittenFiles {
    /// Whether a file is one of them, by its name.
    pub fn contains(&self, file_name: &str) -> bool {
        let number = self.write.file_number(file_name);
        number.is_some_and(|number| number < self.files)
    }
}

/// A write that is not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedWrite {
    pub id: WriteId,
    /// `database.table`, for messages.
    pub table: String,
    /// The folders that hold its files.
    pub locations: Vec<String>,
}

/// Files that are to be deleted, and the folders that they lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    pub id: i64,
    pub locations: Vec<String>,
    /// No other file is to be deleted.
    pub files: Vec<WrittenFiles>,
}

/// The folders that hold files which are to be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetiredFolders {
    /// Each ends in `/`.
    folders: BTreeSet<String>,
}

impl RetiredFolders {
    pub(crate) fn new(locations: impl IntoIterator<Item = String>) -> Self {
        let folders = locations.into_iter().map(|location| as_folder(&location));
        Self {
            folders: folders.collect(),
        }
    }

    /// Whether one of them is this folder or lies in it: rows of a partition there would be those
    /// of its files again.
    pub fn are_in(&self, folder: &str) -> bool {
        let folder = as_folder(folder);
        let first = self.folders.range(folder.clone()..).next();
        first.is_some_and(|first| first.starts_with(&folder))
    }
}

fn as_folder(location: &str) -> String {
    format!("{}/", location.trim_end_matches('/'))
}

/// What the commit of a write records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRecord {
    /// The id of the table whose files they are from here on.
    pub table_id: i64,
    /// How many files the write made: `<prefix>00000.parquet` and so on, of whatever bucket.
    pub files: u64,
    /// The folders of a table, or of partitions, that the write replaced: files of earlier writes
    /// to the table are discarded there.
    pub discard: Vec<String>,
    /// Earlier writes have files outside of these folders, which stay the table's.
    pub rest_stays: bool,
}

/// The writes to tables that are not committed, and what commits recorded. A change is durable
/// before it returns.
///
/// Definitions and partitions are the metastore's; [`Coordinator`](super::Coordinator) commits them
/// together with the log.
#[async_trait]
pub trait WriteLog: Debug + Send + Sync {
    /// The writes that are not committed now, from memory.
    fn open_writes(&self) -> OpenWrites;

    /// Begins a write to a table that exists or will. Until it is committed or ended, listings skip
    /// files with its prefix.
    ///
    /// `locations`: the folders that its files will lie in, for recovery after the process dies.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn begin_write(
        &self,
        database: &str,
        table: &str,
        locations: Vec<String>,
    ) -> Result<WriteId>;

    /// Adds folders to a write, before the first file is in them.
    ///
    /// # Errors
    /// `InvalidInput` if the write is not open.
    async fn extend_write(&self, id: WriteId, locations: Vec<String>) -> Result<()>;

    /// Closes a write and makes its files visible. Returns what the commit discards. What the
    /// metastore needs to know of the write must be there before.
    ///
    /// # Errors
    /// `InvalidInput` if the write is not open.
    async fn record_commit(&self, id: WriteId, record: WriteRecord) -> Result<Option<Discarded>>;

    /// Removes a write that was not committed, once its files are deleted.
    ///
    /// # Errors
    /// `InvalidInput` if the write is not open.
    async fn end_write(&self, id: WriteId) -> Result<()>;

    /// The writes that are open, including those that a dead process left.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn unfinished_writes(&self) -> Result<Vec<UnfinishedWrite>>;

    /// What commits discarded and is not deleted yet.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn discarded(&self) -> Result<Vec<Discarded>>;

    /// The folders of what commits discarded and is not deleted yet.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn retired_folders(&self) -> Result<RetiredFolders>;

    /// Removes what commits recorded for a table that was dropped. Its files stay where they are.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn forget_table(&self, table_id: i64) -> Result<()>;

    /// Removes an entry of [`WriteLog::discarded`], once its files are deleted.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn forget_discarded(&self, id: i64) -> Result<()>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_file_names_its_write() {
        let id = WriteId {
            tag: 0xab,
            number: 0x1234,
        };
        assert_eq!(id.file_prefix(), "lakegate-000000ab-0000000000001234-");
        let name = format!("{}00001.parquet", id.file_prefix());
        assert_eq!(WriteId::of_file(&name), Some(id));
        for other in [
            "part-0.parquet",
            "lakegate-",
            "lakegate-ab-1234-0.parquet",
            "lakegate-000000AB-0000000000001234-0.parquet",
            "lakegate-000000ab-0000000000001234.parquet",
            "lakegate-000000ab-ffffffffffffffff-0.parquet",
            "lakegate-+00000ab-0000000000001234-0.parquet",
            "100003_0_lakegate-000000ab-0000000000001234-0.parquet",
            "00003_0_lakegate-000000ab-0000000000001234-0.parquet",
            "000003_1_lakegate-000000ab-0000000000001234-0.parquet",
            "000003_0_000003_0_lakegate-000000ab-0000000000001234-0.parquet",
            "000003_0",
        ] {
            assert_eq!(WriteId::of_file(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_of_a_bucket_names_its_write_too() {
        let id = WriteId { tag: 1, number: 2 };
        let name = id.bucket_file_name(3, 7, "txt.gz");
        assert_eq!(
            name,
            "000003_0_lakegate-00000001-0000000000000002-00007.txt.gz"
        );
        let last = id.bucket_file_name(MAX_BUCKETS - 1, 7, "orc");
        assert!(last.starts_with("099999_0_lakegate-"), "{last}");
        for name in [name, last] {
            assert_eq!(WriteId::of_file(&name), Some(id));
            assert_eq!(WriteId::of_file(&format!("{name}#1")), Some(id));
            assert_eq!(id.file_number(&name), Some(7));
            let files = WrittenFiles {
                write: id,
                files: 8,
            };
            assert!(files.contains(&name));
            assert!(!WrittenFiles { files: 7, ..files }.contains(&name));
            let other = WriteId { tag: 1, number: 3 };
            assert_eq!(other.file_number(&name), None);
        }
    }

    #[test]
    fn files_of_every_format_have_numbers() {
        let id = WriteId { tag: 1, number: 2 };
        for extension in [
            "parquet", "orc", "avro", "ion", "json", "txt.gz", "json.zst",
        ] {
            let name = id.file_name_of(100_000, extension);
            assert_eq!(id.file_number(&name), Some(100_000), "{name}");
        }
        for end in [
            "00001",
            "00001.",
            "00001.exe",
            "00001.gz",
            "00001.txt.",
            "00001.txt.gz.gz",
            "1.txt",
            "+0001.txt",
        ] {
            let name = format!("{}{end}", id.file_prefix());
            assert_eq!(id.file_number(&name), None, "{name}");
        }
    }

    #[test]
    fn retired_folders_are_found_in_those_around_them() {
        let retired = ["s3://lake/t/k=1/", "s3://lake/t/k=2/w"].map(str::to_owned);
        let retired = RetiredFolders::new(retired);
        for folder in [
            "s3://lake/t/k=1",
            "s3://lake/t/k=2/",
            "s3://lake/t/k=2/w/",
            "s3://lake/t",
        ] {
            assert!(retired.are_in(folder), "{folder}");
        }
        for folder in [
            "s3://lake/t/k=1/w/",
            "s3://lake/t/k=",
            "s3://lake/t/k=10/",
            "s3://lake/u/",
        ] {
            assert!(!retired.are_in(folder), "{folder}");
        }
        assert!(!RetiredFolders::default().are_in("s3://lake/"));
    }

    #[test]
    fn files_of_open_and_later_writes_are_hidden() {
        let issued = Arc::new(AtomicI64::new(12));
        let writes = OpenWrites {
            tag: 7,
            open: Arc::new(BTreeSet::from([5])),
            last: 10,
            issued: Arc::clone(&issued),
            commits: 0,
        };
        let hides = |tag, number| {
            let id = WriteId { tag, number };
            writes.hides(&format!("{}0.parquet", id.file_prefix()))
        };
        assert!(hides(7, 5) && hides(7, 11) && hides(7, 12));
        let of_bucket = WriteId { tag: 7, number: 5 }.bucket_file_name(0, 0, "parquet");
        assert!(writes.hides(&of_bucket));
        // Committed, of another catalog, of a copy of this one.
        assert!(!hides(7, 4) && !hides(7, 10) && !hides(8, 5) && !hides(7, 13));
        issued.store(13, Ordering::Release);
        assert!(hides(7, 13));
        assert!(!writes.hides("part-0.parquet"));
    }
}
