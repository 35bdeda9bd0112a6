//! A copy of a store, also while a process uses it.
//!
//! The copy is read through its own connection that cannot write, so it needs no lock of the
//! process that has the store: with a write-ahead log readers see one moment, and writers continue.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{SqliteStore, create_private, resolve, schema};
use crate::error::{CatalogError, Result};

impl SqliteStore {
    /// Copies the store at a path, as of one moment, to a file that only its owner can read. The
    /// file gets its name when it is complete and on disk. Blocks on the disk.
    ///
    /// `overwrite`: an existing file is replaced.
    ///
    /// # Errors
    /// `InvalidInput` if there is no catalog at `store`, if `to` is the store itself or in a folder
    /// that does not exist, or, without `overwrite`, if there is a file already; `NewerSchema` if a
    /// newer program wrote the store; `Storage` if it cannot be read or the copy cannot be written.
    pub fn backup(store: impl AsRef<Path>, to: impl AsRef<Path>, overwrite: bool) -> Result<()> {
        let (store, to) = (resolve(store.as_ref())?, resolve(to.as_ref())?);
        if !store.exists() {
            return Err(CatalogError::invalid(format!(
                "there is no catalog at {}; check the path",
                store.display()
            )));
        }
        if store == to {
            return Err(CatalogError::invalid(format!(
                "{} is the catalog itself; name another file for the backup",
                to.display()
            )));
        }
        refuse_existing(&to, overwrite)?;
        let temporary = temporary_beside(&to);
        let written = copy_to(&store, &temporary).and_then(|()| {
            // Once more: another backup may have been written while copying.
            refuse_existing(&to, overwrite)?;
            std::fs::rename(&temporary, &to)?;
            sync_folder(&to)
        });
        if written.is_err() {
            // The incomplete copy is of no use. The caller gets the first error, not this one.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }
}

fn refuse_existing(to: &Path, overwrite: bool) -> Result<()> {
    // A link that leads nowhere is in the way, too.
    if overwrite || to.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(CatalogError::invalid(format!(
        "{} exists already; name another file, or allow that it is overwritten",
        to.display()
    )))
}

fn copy_to(store: &Path, temporary: &Path) -> Result<()> {
    let source = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(Duration::from_secs(5))?;
    schema::check(&source, &store.display().to_string())?;
    create_private(temporary)?;
    let mut target = Connection::open_with_flags(temporary, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // All pages in one step: in pieces, a change in between would start the copy again.
    Backup::new(&source, &mut target)?.run_to_completion(
        i32::MAX,
        Duration::from_millis(20),
        None,
    )?;
    // One file, without a write-ahead log beside it.
    let _mode: String =
        target.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    target.close().map_err(|(_, error)| error)?;
    std::fs::File::open(temporary)?.sync_all()?;
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
