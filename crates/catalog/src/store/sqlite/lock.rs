//! One process at a time: an operating-system lock on a file beside the store.
//!
//! The lock ends with the process, however that ends. The file stays, because removing it would let
//! two processes lock two files of one name; its text is the holder's process id, for the message
//! only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{CatalogError, Result};

/// Holds the lock until dropped.
#[derive(Debug)]
pub(super) struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Locks `<store>.lock`.
    ///
    /// # Errors
    /// `Locked`, naming the holder, if another process (or another handle of this one) has it.
    pub(super) fn acquire(store: &Path) -> Result<StoreLock> {
        let path = lock_path(store);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| {
                CatalogError::Storage(format!(
                    "the lock file {} cannot be opened: {error}",
                    path.display()
                ))
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CatalogError::Locked {
                    path: store.display().to_string(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(CatalogError::Storage(format!(
                    "the lock file {} cannot be locked: {error}",
                    path.display()
                )));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(StoreLock { file })
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child process that is just being started has a copy of the
        // open file. If this fails, the lock ends with the last copy.
        let _ = self.file.unlock();
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}
