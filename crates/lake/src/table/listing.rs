//! Listing: the files of the partitions that a query wants, in as few requests as the store allows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future};
use lakegate_error::{Code, Error, Result};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::{DataFile, Listing};
use crate::roots::Location;

/// LIST requests in flight for one table.
const PARALLEL_LISTS: usize = 32;

/// Lists folders of a table.
///
/// `wanted` are the folders to list; `of` is how many the table has below `table`. Where at least
/// half of them are wanted, one recursive LIST of the table's folder serves all that lie in it.
///
/// Files whose path below the folder has a part that begins with `_` or `.` are hidden; empty files
/// hold no rows.
///
/// # Errors
/// The store; a file that a symbolic link leads to from its folder.
pub async fn list(table: Option<&Location>, wanted: &[Location], of: usize) -> Result<Listing> {
    let listed_at = SystemTime::now();
    let mut files: Vec<Vec<DataFile>> = vec![Vec::new(); wanted.len()];
    let mut requests = 0;
    let mut single: Vec<usize> = Vec::new();
    let mut below: HashMap<Path, usize> = HashMap::new();

    let recursive = table.filter(|_| wanted.len() > 1 && wanted.len() * 2 >= of);
    for (index, folder) in wanted.iter().enumerate() {
        let inside = recursive.is_some_and(|table| {
            Arc::ptr_eq(&table.root, &folder.root)
                && folder.path.prefix_matches(&table.path)
                && folder.path != table.path
        });
        // Two partitions may share a folder: only the first can ride on the recursive LIST.
        if inside && !below.contains_key(&folder.path) {
            below.insert(folder.path.clone(), index);
        } else {
            single.push(index);
        }
    }
    if let Some(table) = recursive
        && !below.is_empty()
    {
        requests += 1;
        let store = table.root.store();
        let mut objects = store.list(Some(&table.path));
        while let Some(object) = objects
            .try_next()
            .await
            .map_err(|e| failed("list", table, &e))?
        {
            if let Some(index) = owner(&object.location, &below)
                && visible(&object, &wanted[index].path)
            {
                files[index].push(object.into());
            }
        }
    }
    requests += single.len();
    let mut lists = futures::stream::iter(single.into_iter().map(|index| {
        let folder = wanted[index].clone();
        async move { folder_files(&folder).await.map(|files| (index, files)) }
    }))
    .buffer_unordered(PARALLEL_LISTS);
    while let Some((index, found)) = lists.try_next().await? {
        files[index] = found;
    }
    for (folder, found) in wanted.iter().zip(&mut files) {
        folder.check_below(found.iter().map(|file| &file.path))?;
        found.sort_by(|one, other| one.path.cmp(&other.path));
    }
    Ok(Listing {
        files,
        requests,
        listed_at,
    })
}

/// The nearest wanted folder above an object.
fn owner(object: &Path, folders: &HashMap<Path, usize>) -> Option<usize> {
    let text = object.as_ref();
    let mut end = text.rfind('/')?;
    loop {
        let folder = Path::parse(text.get(..end)?).ok()?;
        if let Some(index) = folders.get(&folder) {
            return Some(*index);
        }
        end = text.get(..end)?.rfind('/')?;
    }
}

async fn folder_files(folder: &Location) -> Result<Vec<DataFile>> {
    objects(folder)
        .try_filter(|object| future::ready(visible(object, &folder.path)))
        .map_ok(DataFile::from)
        .try_collect()
        .await
}

/// All objects below a folder, including hidden and empty files. A folder that does not exist has
/// none.
pub(crate) fn objects(folder: &Location) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = (!folder.path.as_ref().is_empty()).then_some(&folder.path);
    let folder = folder.clone();
    let listed = folder.root.store().list(prefix);
    listed
        .take_while(|object| {
            let is_gone = matches!(object, Err(object_store::Error::NotFound { .. }));
            future::ready(!is_gone)
        })
        .map_err(move |error| failed("list", &folder, &error))
        .boxed()
}

fn visible(object: &ObjectMeta, folder: &Path) -> bool {
    object.size > 0 && !is_hidden(&object.location, folder)
}

/// Whether the path below the folder has a part that begins with `_` or `.`, or is not below it.
pub(crate) fn is_hidden(object: &Path, folder: &Path) -> bool {
    object
        .prefix_match(folder)
        .is_none_or(|mut parts| parts.any(|part| part.as_ref().starts_with(['_', '.'])))
}

/// The error of a request to the store. `to`: the request, as a verb.
pub(crate) fn failed(to: &str, folder: &Location, error: &object_store::Error) -> Error {
    if let Some(error) = lakegate_error::find(error) {
        return error;
    }
    Error::new(
        Code::Storage,
        format!(
            "cannot {to} {}: {error}",
            folder.root.display_path(&folder.path)
        ),
    )
}

/// The folders in `folder` that are not hidden, ordered by path, for MSCK REPAIR TABLE.
///
/// # Errors
/// The store.
pub async fn folders(folder: &Location) -> Result<Vec<Path>> {
    let prefix = (!folder.path.as_ref().is_empty()).then_some(&folder.path);
    let listed = folder.root.store().list_with_delimiter(prefix).await;
    let mut found = listed
        .map_err(|e| failed("list", folder, &e))?
        .common_prefixes;
    found.retain(|path| {
        path.filename()
            .is_some_and(|name| !name.starts_with(['_', '.']))
    });
    found.sort();
    Ok(found)
}
