//! A copy of the store while it is in use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{Inner, SqliteStore, create_private, resolve};
use crate::error::{CatalogError, Result};

impl SqliteStore {
    /// Copies the store, as of one moment, to a file that only its owner can read. Queries and
    /// changes go on meanwhile. The file has its name only when it is complete and on disk; one
    /// that had the name before is replaced.
    ///
    /// # Errors
    /// `InvalidInput` if the folder does not exist or the path is the store itself; `Storage` if it
    /// cannot be written.
    pub async fn backup_to(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref().to_owned();
        self.blocking(move |inner| inner.backup_to(&path)).await
    }
}

impl Inner {
    fn backup_to(&self, path: &Path) -> Result<()> {
        let path = resolve(path)?;
        if self.path.as_ref() == Some(&path) {
            return Err(CatalogError::invalid(format!(
                "{} is the catalog itself; name another file for the backup",
                path.display()
            )));
        }
        let temporary = temporary_beside(&path);
        let written = self.copy_to(&temporary).and_then(|()| {
            std::fs::rename(&temporary, &path)?;
            sync_folder(&path)
        });
        if written.is_err() {
            // The copy is of no use; that it could not be removed either changes nothing for the
            // caller.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    fn copy_to(&self, temporary: &Path) -> Result<()> {
        create_private(temporary)?;
        let mut target = Connection::open_with_flags(temporary, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match &self.path {
            // A connection of its own reads one moment's state, and writers go on.
            Some(path) => copy(
                &Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
                &mut target,
            )?,
            None => copy(&self.writer.lock(), &mut target)?,
        }
        // One file, without a write-ahead log beside it.
        let _mode: String =
            target.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        target.close().map_err(|(_, error)| error)?;
        std::fs::File::open(temporary)?.sync_all()?;
        Ok(())
    }
}

fn copy(source: &Connection, target: &mut Connection) -> Result<()> {
    // All pages in one step: in pieces, a change in between would start the copy again.
    Backup::new(source, target)?.run_to_completion(i32::MAX, Duration::from_millis(20), None)?;
    Ok(())
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.tmp", rand::random::<u64>()));
    PathBuf::from(name)
}

/// Makes the rename itself durable.
fn sync_folder(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
