//! [`SqliteStore`]: the catalog, its write log and its control data in one SQLite file.
//!
//! ```text
//!   reads   ── from memory: an immutable snapshot that is swapped after each commit
//!              (a table's partitions are read from the file on first use, then kept)
//!   writes  ── one at a time: transaction ▸ commit (fsync) ▸ swap the snapshot ▸ acknowledge
//!
//!   metastore   control   write_log        the traits
//!        └────────┐ │ ┌────────┘
//!            coordinator                   changes of several stores, each one transaction
//!   tables  partitions  grants  principals steps of a change: rows, and what memory becomes
//!        └──────── write ───────┘          the transaction and its commit
//!                  draft                   changes that are held back until all are committed
//!              load, state                 the file → memory
//! ```
//!
//! What never happens: memory shows what is not committed; an acknowledged change is lost to `kill
//! -9` or a power cut; two processes write one file.

mod backup;
mod control;
mod coordinator;
mod draft;
mod grants;
mod load;
mod lock;
mod metastore;
mod partition_rows;
mod partition_statistics;
mod partitions;
mod principals;
mod schema;
mod state;
mod tables;
mod vacated;
mod write;
mod write_log;

use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OpenFlags};

use self::draft::DraftLog;
use self::lock::StoreLock;
use self::state::{CachedPartitions, Ids, State};
use crate::access::ControlSnapshot;
use crate::error::{CatalogError, Result};
use crate::store::Stores;

/// The embedded store: [`Metastore`](super::Metastore), [`WriteLog`](super::WriteLog),
/// [`Control`](super::Control) and their [`Coordinator`](super::Coordinator) on one SQLite file. A
/// clone is the same store.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
    /// Changes that are seen through this handle and by nobody else.
    draft: Option<Arc<DraftLog>>,
}

struct Inner {
    /// `None`: in memory, for tests.
    path: Option<PathBuf>,
    writer: Mutex<Connection>,
    state: RwLock<Arc<State>>,
    control: RwLock<Arc<ControlSnapshot>>,
    /// By table id; only tables whose partitions have been used. Changed under `writer` only.
    partitions: Mutex<HashMap<i64, CachedPartitions>>,
    /// Issued to changes before they are committed, so that what is kept in memory by id is never
    /// of two tables.
    ids: Mutex<Ids>,
    /// How many versions of drafts there were.
    draft_versions: AtomicU64,
    /// Last, so that the file is closed before the lock is released.
    _lock: Option<StoreLock>,
}

impl SqliteStore {
    /// Opens the store at a path, creating it if there is none, and locks it for as long as a clone
    /// of it lives. Its folder must exist. Blocks on the disk.
    ///
    /// # Errors
    /// `Locked` if a process has it open, `NewerSchema` if a newer program wrote it, `InvalidInput`
    /// if the file is not a catalog, `Storage` if it cannot be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteStore> {
        SqliteStore::open_file(path.as_ref(), true)
    }

    /// Opens an existing store, for commands that repair or inspect one offline.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; `InvalidInput` if there is no file.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<SqliteStore> {
        SqliteStore::open_file(path.as_ref(), false)
    }

    /// A store without a file, for tests.
    ///
    /// # Errors
    /// `Storage` if SQLite fails.
    pub fn in_memory() -> Result<SqliteStore> {
        let connection = Connection::open_in_memory()?;
        SqliteStore::start(connection, None, None)
    }

    /// All stores of the catalog, which are this one.
    pub fn stores(&self) -> Stores {
        Stores {
            metastore: Arc::new(self.clone()),
            write_log: Arc::new(self.clone()),
            control: Arc::new(self.clone()),
            coordinator: Arc::new(self.clone()),
        }
    }

    /// Where the file is, links resolved; `None` for a store in memory.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    fn open_file(path: &Path, create: bool) -> Result<SqliteStore> {
        let path = resolve(path)?;
        if !create && !path.exists() {
            return Err(CatalogError::invalid(format!(
                "there is no catalog at {}; check the path",
                path.display()
            )));
        }
        let lock = StoreLock::acquire(&path)?;
        create_private(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        SqliteStore::start(connection, Some(path), Some(lock))
    }

    fn start(
        mut connection: Connection,
        path: Option<PathBuf>,
        lock: Option<StoreLock>,
    ) -> Result<SqliteStore> {
        let shown = path
            .as_deref()
            .unwrap_or(Path::new(":memory:"))
            .display()
            .to_string();
        schema::check(&connection, &shown)?;
        configure(&connection)?;
        schema::migrate(&mut connection)?;
        let state = load::state(&connection)?;
        let control = load::control(&connection)?;
        let ids = load::ids(&connection)?;
        let inner = Inner {
            path,
            writer: Mutex::new(connection),
            state: RwLock::new(Arc::new(state)),
            control: RwLock::new(Arc::new(control)),
            partitions: Mutex::default(),
            ids: Mutex::new(ids),
            draft_versions: AtomicU64::new(0),
            _lock: lock,
        };
        Ok(SqliteStore {
            inner: Arc::new(inner),
            draft: None,
        })
    }

    fn state(&self) -> Arc<State> {
        match &self.draft {
            Some(draft) => Arc::clone(&draft.view().state),
            None => Arc::clone(&self.inner.state.read()),
        }
    }

    /// Runs work on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || work(&inner));
        task.await
            .map_err(|error| CatalogError::Storage(format!("the catalog's task died: {error}")))?
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

/// Settings that make a commit durable and enforce the file's constraints.
fn configure(connection: &Connection) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // In memory the answer is "memory".
    let _mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// The path without links, so that one file has one lock. The folder must exist, the file need not.
fn resolve(path: &Path) -> Result<PathBuf> {
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let name = path.file_name().ok_or_else(|| {
        CatalogError::invalid(format!("{} is not the path of a file", path.display()))
    })?;
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().map_err(|error| {
        CatalogError::invalid(format!(
            "the folder {} cannot be used for the catalog: {error}",
            parent.display()
        ))
    })?;
    Ok(parent.join(name))
}

/// Creates an empty file that only its owner can read (it will hold password verifiers), if there
/// is none.
fn create_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(CatalogError::Storage(format!(
            "the file {} cannot be made: {error}",
            path.display()
        ))),
    }
}
