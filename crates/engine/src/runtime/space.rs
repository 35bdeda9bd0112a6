//! Memory of the pool and files of the spill directory, for results that are kept after their plans
//! have ended.
//!
//! A file counts toward the spill limit while it is written, is readable only by the server's user,
//! and is deleted with its last reference. Files that a killed server left are deleted at the next
//! start.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;
use lakegate_error::{Error, Result, from_engine};

/// The engine's memory pool and spill directory.
#[derive(Debug, Clone)]
pub struct Space {
    pool: Arc<dyn MemoryPool>,
    disk: Arc<DiskManager>,
}

impl Space {
    /// The space of a runtime.
    pub fn of(runtime: &RuntimeEnv) -> Self {
        Self {
            pool: Arc::clone(&runtime.memory_pool),
            disk: Arc::clone(&runtime.disk_manager),
        }
    }

    /// Returns an empty reservation of the pool.
    pub fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.pool)
    }

    /// Returns a new, empty file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be created.
    pub fn file(&self, name: &str) -> Result<Arc<dyn SpillFile>> {
        self.disk.create_tmp_file(name).map_err(from_engine)
    }

    /// Returns the maximum bytes of the pool.
    pub fn memory_limit(&self) -> usize {
        match self.pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        }
    }

    /// Returns the bytes of the pool that are reserved.
    pub fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    /// Returns the maximum bytes of spilled files.
    pub fn disk_limit(&self) -> u64 {
        self.disk.max_temp_directory_size()
    }

    /// Returns the bytes of spilled files.
    pub fn disk_used(&self) -> u64 {
        self.disk.used_disk_space()
    }
}

/// Makes the folders of spilled files accessible only by the server's user, whatever its umask.
///
/// # Errors
///
/// Returns an error if the permissions of a folder cannot be changed.
pub(crate) fn keep_private(disk: &DiskManager) -> Result<()> {
    for folder in disk.temp_dir_paths() {
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(|error| {
            Error::invalid(format!("spill directory {}: {error}", folder.display()))
        })?;
    }
    Ok(())
}
