//! Removing files: what an unfinished write left behind, and what a replaced table had.

use futures::{StreamExt, TryStreamExt, future};
use lakegate_catalog::store::{WriteId, WrittenFiles};
use lakegate_error::Result;
use object_store::ObjectStore;
use object_store::path::Path;

use crate::roots::{Location, Roots};
use crate::table::listing::{failed, is_hidden, objects};

/// Deletes all files of a write that was not committed, below these folders. Returns how many.
///
/// # Errors
/// A folder under no lake root; the store. What was deleted before stays deleted, and it can be
/// tried again.
pub async fn remove_write(roots: &Roots, write: WriteId, folders: &[String]) -> Result<usize> {
    let mut removed = 0;
    for folder in folders {
        let folder = roots.locate(folder)?;
        folder.root.remove_staged(&folder.path, write).await?;
        removed += remove(&folder, |name| write.file_number(name).is_some()).await?;
    }
    Ok(removed)
}

/// Deletes the files of these writes below a folder, and no other. Returns how many.
///
/// # Errors
/// The store. What was deleted before stays deleted, as in [`remove_write`].
pub async fn remove_written(folder: &Location, written: &[WrittenFiles]) -> Result<usize> {
    remove(folder, |name| {
        written.iter().any(|files| files.contains(name))
    })
    .await
}

/// Whether a folder holds no file that a table in it would read.
///
/// # Errors
/// The store.
pub async fn is_empty(folder: &Location) -> Result<bool> {
    let shown = objects(folder)
        .try_filter(|object| future::ready(!is_hidden(&object.location, &folder.path)));
    Ok(std::pin::pin!(shown).try_next().await?.is_none())
}

/// `wanted` is asked with the file's name. Links that lead out of the folder are not followed.
async fn remove(folder: &Location, wanted: impl Fn(&str) -> bool) -> Result<usize> {
    let mut found: Vec<Path> = objects(folder)
        .map_ok(|object| object.location)
        .try_collect()
        .await?;
    found.retain(|path| {
        let name = path.filename().unwrap_or_default();
        wanted(name) && folder.check_below(std::iter::once(path)).is_ok()
    });
    let count = found.len();
    let store = folder.root.store();
    let mut deleted = store.delete_stream(futures::stream::iter(found).map(Ok).boxed());
    loop {
        match deleted.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(count),
            // Deleted by another process meanwhile.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed("clear", folder, &error)),
        }
    }
}
