//! The store of one root: every request passes it, and what leaves the root is refused.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::roots::Backing;
use crate::error::{Code, Error, Result};

/// The store of one root: whatever is asked outside the root is refused before it is sent.
#[derive(Debug)]
pub struct RootStore {
    inner: Arc<dyn ObjectStore>,
    boundary: Arc<Boundary>,
}

/// What lies in a root.
#[derive(Debug)]
struct Boundary {
    /// Keys must start with this; empty for a directory, which is its own boundary.
    prefix: Path,
    /// For a directory: its real path, which no link may leave.
    directory: Option<PathBuf>,
    excluded: Vec<PathBuf>,
}

impl RootStore {
    pub(super) fn open(url: &str, backing: Backing) -> Result<Self> {
        match backing {
            Backing::Remote { store, prefix } => Ok(Self {
                inner: store,
                boundary: Arc::new(Boundary {
                    prefix,
                    directory: None,
                    excluded: Vec::new(),
                }),
            }),
            Backing::Directory {
                path: directory,
                excluded,
            } => {
                let real = directory.canonicalize().map_err(|e| {
                    Error::new(
                        Code::Storage,
                        format!("lake root {url}: directory {}: {e}", directory.display()),
                    )
                })?;
                let inner = LocalFileSystem::new_with_prefix(&real)
                    .map_err(|e| Error::new(Code::Storage, format!("lake root {url}: {e}")))?;
                Ok(Self {
                    // A partition's folder goes with its last file.
                    inner: Arc::new(inner.with_automatic_cleanup(true)),
                    boundary: Arc::new(Boundary {
                        prefix: Path::default(),
                        directory: Some(real),
                        // What does not exist yet is compared by name.
                        excluded: excluded
                            .into_iter()
                            .map(|path| path.canonicalize().unwrap_or(path))
                            .collect(),
                    }),
                })
            }
        }
    }

    /// The key in the store of a path below the root.
    pub(super) fn absolute(&self, within: &Path) -> Path {
        self.boundary.prefix.parts().chain(within.parts()).collect()
    }

    /// A key as the path below the root.
    pub(super) fn relative(&self, path: &Path) -> String {
        path.prefix_match(&self.boundary.prefix)
            .map(|parts| parts.collect::<Path>().to_string())
            .unwrap_or_default()
    }

    /// Files of this machine, not objects of a remote store.
    pub(super) fn is_local(&self) -> bool {
        self.boundary.directory.is_some()
    }

    /// Errors: the object is not in the root.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        self.boundary.check(path)
    }

    fn guard(&self, path: &Path) -> object_store::Result<()> {
        self.boundary.guard(path)
    }

    fn guard_prefix(&self, prefix: Option<&Path>) -> object_store::Result<()> {
        self.guard(prefix.unwrap_or(&Path::default()))
    }

    /// The file of an object; `None` in a remote store. Errors: it is not in the root.
    fn file(&self, path: &Path) -> Result<Option<PathBuf>> {
        self.check(path)?;
        Ok(self.boundary.directory.as_ref().map(|directory| {
            let parts = path.parts();
            parts.fold(directory.clone(), |folder, part| folder.join(part.as_ref()))
        }))
    }

    /// Waits until an object is on disk, with its name. What a remote store has taken is kept.
    pub(super) fn persist(&self, path: &Path) -> Result<()> {
        let Some(file) = self.file(path)? else {
            return Ok(());
        };
        let synced = File::open(&file).and_then(|open| open.sync_all());
        let synced = synced.and_then(|()| match file.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        });
        synced.map_err(|error| {
            Error::new(
                Code::Storage,
                format!("object '{path}' is not on disk: {error}"),
            )
        })
    }

    /// Removes what uploads that died have left below a folder, of files whose names begin so: `<name>#<n>`, which listings do not
    /// show. Of a remote store, the bucket's rules clear what uploads leave.
    pub(super) fn remove_staged(&self, folder: &Path, prefix: &str) -> Result<()> {
        let Some(folder) = self.file(folder)? else {
            return Ok(());
        };
        let staged = |name: &str| name.starts_with(prefix) && name.contains('#');
        remove_files(&folder, &staged).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("folder {} cannot be cleared: {error}", folder.display()),
            )
        })
    }
}

/// Removes files below a folder by their names; links are not followed.
fn remove_files(folder: &std::path::Path, wanted: &dyn Fn(&str) -> bool) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_files(&entry.path(), wanted)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(wanted) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Boundary {
    /// Cheap enough for each request: a prefix comparison, and for a directory one `realpath`.
    fn check(&self, path: &Path) -> Result<()> {
        if !path.prefix_matches(&self.prefix) {
            return Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is outside its lake root"),
            ));
        }
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let mut target = directory.clone();
        for part in path.parts() {
            target.push(part.as_ref());
        }
        // What does not exist cannot lead anywhere: the nearest existing ancestor decides.
        let mut existing = target.as_path();
        let real = loop {
            match existing.canonicalize() {
                Ok(real) => break real,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => match existing.parent() {
                    Some(parent) => existing = parent,
                    None => break directory.clone(),
                },
                Err(e) => return Err(Error::new(Code::Storage, format!("object '{path}': {e}"))),
            }
        };
        if self
            .excluded
            .iter()
            .any(|excluded| real.starts_with(excluded))
        {
            Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is refused: it belongs to the server, not to the lake"),
            ))
        } else if real.starts_with(directory) {
            Ok(())
        } else {
            Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is refused: a symbolic link leads out of its lake root"),
            ))
        }
    }

    fn guard(&self, path: &Path) -> object_store::Result<()> {
        self.check(path).map_err(|e| object_store::Error::Generic {
            store: "lake root",
            source: Box::new(e),
        })
    }
}

impl fmt::Display for RootStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lake root over {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for RootStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.guard(location)?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.guard(location)?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.guard(location)?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.guard(location)?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let boundary = Arc::clone(&self.boundary);
        let checked = locations.map(move |location| {
            let location = location?;
            boundary.guard(&location)?;
            Ok(location)
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if let Err(refusal) = self.guard_prefix(prefix) {
            return futures::stream::once(async { Err(refusal) }).boxed();
        }
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if let Err(refusal) = self.guard_prefix(prefix) {
            return futures::stream::once(async { Err(refusal) }).boxed();
        }
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.guard_prefix(prefix)?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.guard(from)?;
        self.guard(to)?;
        self.inner.copy_opts(from, to, options).await
    }
}
