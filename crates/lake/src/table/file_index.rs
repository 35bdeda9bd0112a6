//! Where the files of a table's partitions are known from.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;
use lakegate_catalog::store::OpenWrites;
use lakegate_error::Result;

use super::{DataFile, listing};
use crate::roots::{Location, ObjectId};

/// Which files a query asks an index for.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    /// The folder of the table. `None`: it has none under a lake root.
    pub table: Option<&'a Location>,
    /// The folders of the wanted partitions.
    pub partitions: &'a [Location],
    /// How many partitions the table has.
    pub total: usize,
    /// The writes that were open when the query's names were resolved.
    pub writes: &'a OpenWrites,
}

/// The files of partitions, at one moment.
#[derive(Debug)]
pub struct Listing {
    /// For each wanted partition, in the order of the request; its files by path.
    pub files: Vec<Vec<DataFile>>,
    /// LIST calls made, not counting pages.
    pub requests: usize,
    /// Before the first request: later changes are not in the listing.
    pub listed_at: SystemTime,
}

/// Knows the files of a table's partitions.
#[async_trait]
pub trait FileIndex: Debug + Send + Sync {
    /// The files that a query reads: no file of a write that is open to it, and no empty file.
    ///
    /// # Errors
    /// The store; a file that a symbolic link leads to from its partition's folder.
    async fn list(&self, request: ListRequest<'_>) -> Result<Listing>;
}

/// Every visible file in the folders of the partitions, as the store lists them: Hive's tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct FolderListing;

#[async_trait]
impl FileIndex for FolderListing {
    async fn list(&self, request: ListRequest<'_>) -> Result<Listing> {
        let ListRequest {
            table,
            partitions,
            total,
            writes,
        } = request;
        let mut listing = listing::list(table, partitions, total).await?;
        for files in &mut listing.files {
            files.retain(|file| {
                let name = file.path.filename();
                !name.is_some_and(|name| writes.hides(name))
            });
        }
        Ok(listing)
    }
}

/// A fixed list of files: what a manifest says, whatever else is in the folders. No store is asked.
///
/// The list is of committed files, so open writes hide none of them.
#[derive(Debug, Default)]
pub struct FileList {
    /// By the folder of the partition.
    files: HashMap<ObjectId, Vec<DataFile>>,
}

impl FileList {
    /// A list of partitions' folders and their files. Folders that are there twice have the files
    /// of both.
    pub fn new(partitions: impl IntoIterator<Item = (Location, Vec<DataFile>)>) -> Self {
        let mut files: HashMap<ObjectId, Vec<DataFile>> = HashMap::new();
        for (folder, listed) in partitions {
            let known = files
                .entry(folder.root.object_id(&folder.path))
                .or_default();
            known.extend(listed.into_iter().filter(|file| file.size > 0));
        }
        for listed in files.values_mut() {
            listed.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Self { files }
    }
}

#[async_trait]
impl FileIndex for FileList {
    async fn list(&self, request: ListRequest<'_>) -> Result<Listing> {
        let listed_at = SystemTime::now();
        let mut files = Vec::with_capacity(request.partitions.len());
        for folder in request.partitions {
            let listed = self.files.get(&folder.root.object_id(&folder.path));
            let listed = listed.cloned().unwrap_or_default();
            folder.check_below(listed.iter().map(|file| &file.path))?;
            files.push(listed);
        }
        Ok(Listing {
            files,
            requests: 0,
            listed_at,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lakegate_catalog::store::{Metastore, SqliteStore, WriteLog};
    use object_store::ObjectStoreExt;
    use object_store::path::Path;

    use super::*;
    use crate::testing::lake;

    fn names(listing: &Listing) -> Vec<Vec<&str>> {
        let files = listing.files.iter();
        files
            .map(|files| files.iter().map(|file| file.path.as_ref()).collect())
            .collect()
    }

    #[tokio::test]
    async fn folders_are_listed_and_a_list_is_what_it_says() {
        let (store, roots) = lake();
        for name in ["t/a/1", "t/a/2", "t/a/_hidden", "t/b/1", "t/b/.x/1"] {
            store.put(&Path::from(name), "x".into()).await.unwrap();
        }
        store
            .put(&Path::from("t/b/empty"), "".into())
            .await
            .unwrap();
        let locate = |name: &str| roots.locate(&format!("s3://lake/{name}/")).unwrap();
        let (table, a, b, c) = (locate("t"), locate("t/a"), locate("t/b"), locate("t/c"));
        let wanted = [b.clone(), a.clone(), c];
        let writes = OpenWrites::default();
        let request = ListRequest {
            table: Some(&table),
            partitions: &wanted,
            total: 3,
            writes: &writes,
        };
        let listed = FolderListing.list(request).await.unwrap();
        let expected: Vec<Vec<&str>> = vec![vec!["t/b/1"], vec!["t/a/1", "t/a/2"], vec![]];
        assert_eq!(names(&listed), expected);

        let first = listed.files[1][0].clone();
        let mut gone = first.clone();
        gone.path = Path::from("t/a/0");
        let mut empty = first.clone();
        empty.size = 0;
        let list = FileList::new([
            (a.clone(), vec![first.clone(), empty]),
            (a, vec![gone.clone()]),
        ]);
        let listed = list.list(request).await.unwrap();
        assert_eq!(listed.files, [vec![], vec![gone, first], vec![]]);
        assert_eq!(listed.requests, 0);
    }

    #[tokio::test]
    async fn files_of_open_writes_are_hidden_from_folders_alone() {
        let (store, roots) = lake();
        let catalog = SqliteStore::in_memory().unwrap();
        let database = lakegate_catalog::model::DatabaseInput {
            name: "d".to_owned(),
            ..Default::default()
        };
        catalog.create_database(database, false).await.unwrap();
        let write = catalog.begin_write("d", "t", Vec::new()).await.unwrap();
        let path = Path::from("t").join(write.file_name(0));
        store.put(&path, "x".into()).await.unwrap();
        let folder = roots.locate("s3://lake/t/").unwrap();
        let partitions = std::slice::from_ref(&folder);
        let writes = catalog.open_writes();
        let request = |writes| ListRequest {
            table: None,
            partitions,
            total: 1,
            writes,
        };
        let hidden = FolderListing.list(request(&writes)).await.unwrap();
        assert_eq!(hidden.files, [vec![]]);
        let closed = OpenWrites::default();
        let shown = FolderListing.list(request(&closed)).await.unwrap();
        assert_eq!(shown.files[0][0].write, Some(write));
        let list = FileList::new([(folder.clone(), shown.files[0].clone())]);
        let listed = list.list(request(&writes)).await.unwrap();
        assert_eq!(listed.files, shown.files);
    }
}
