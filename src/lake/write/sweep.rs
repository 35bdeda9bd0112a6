//! Removing files: what an unfinished write left behind, and what a replaced table had.

use futures::{StreamExt, TryStreamExt};
use lakegate_catalog::store::WriteId;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::{Code, Error, Result};
use crate::lake::roots::{Location, Roots};

/// Deletes all files of a write that was not committed, below these folders. Gives how many.
///
/// Errors: a folder under no lake root; the store. What was deleted before stays deleted, and it can be tried again.
pub async fn remove_write(roots: &Roots, write: WriteId, folders: &[String]) -> Result<usize> {
    let prefix = write.file_prefix();
    let mut removed = 0;
    for folder in folders {
        let folder = roots.locate(folder)?;
        folder.root.remove_staged(&folder.path, &prefix).await?;
        removed += remove(&folder, |name, _| name.starts_with(&prefix)).await?;
    }
    Ok(removed)
}

/// Deletes the data files below these folders: those that a table in them would read. Gives how many.
///
/// Errors: as [`remove_write`].
pub async fn remove_data(roots: &Roots, folders: &[String]) -> Result<usize> {
    let mut removed = 0;
    for folder in folders {
        let folder = roots.locate(folder)?;
        removed += remove(&folder, |_, hidden| !hidden).await?;
    }
    Ok(removed)
}

/// Whether a folder holds no file that a table in it would read.
///
/// Errors: the store.
pub async fn is_empty(folder: &Location) -> Result<bool> {
    let mut objects = objects(folder);
    loop {
        match objects.try_next().await {
            Ok(Some(object)) if !is_hidden(&object, folder) => return Ok(false),
            Ok(Some(_)) => {}
            Ok(None) | Err(object_store::Error::NotFound { .. }) => return Ok(true),
            Err(error) => return Err(failed(folder, &error)),
        }
    }
}

/// `wanted` is asked with the file's name, and whether the file is hidden.
async fn remove(folder: &Location, wanted: impl Fn(&str, bool) -> bool) -> Result<usize> {
    let found: Vec<Path> = match objects(folder).try_collect::<Vec<_>>().await {
        Ok(found) => found
            .into_iter()
            .filter(|object| {
                let name = object.location.filename().unwrap_or_default();
                wanted(name, is_hidden(object, folder))
            })
            .map(|object| object.location)
            .collect(),
        Err(object_store::Error::NotFound { .. }) => return Ok(0),
        Err(error) => return Err(failed(folder, &error)),
    };
    let count = found.len();
    let store = folder.root.store();
    let mut deleted = store.delete_stream(futures::stream::iter(found).map(Ok).boxed());
    loop {
        match deleted.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(count),
            // Somebody else was faster.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(folder, &error)),
        }
    }
}

fn objects(
    folder: &Location,
) -> futures::stream::BoxStream<'static, object_store::Result<ObjectMeta>> {
    let prefix = (!folder.path.as_ref().is_empty()).then_some(&folder.path);
    folder.root.store().list(prefix)
}

fn is_hidden(object: &ObjectMeta, folder: &Location) -> bool {
    object
        .location
        .prefix_match(&folder.path)
        .is_none_or(|mut parts| parts.any(|part| part.as_ref().starts_with(['_', '.'])))
}

fn failed(folder: &Location, error: &object_store::Error) -> Error {
    if let Some(error) = crate::error::find(error) {
        return error;
    }
    Error::new(
        Code::Storage,
        format!(
            "cannot clear {}: {error}",
            folder.root.display_path(&folder.path)
        ),
    )
}
