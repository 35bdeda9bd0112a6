//! The store of one root: every request passes it, and what leaves the root is refused.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakegate_catalog::store::WriteId;
use lakegate_error::{Code, Error, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::boundary::{Boundary, holds};
use super::local_file::{open, remove_files};

/// Where the bytes of a root are.
#[derive(Debug, Clone)]
pub enum Backing {
    /// A directory of this machine. The URL's path below the prefix is the path below the
    /// directory. What lies at or below an excluded path is never served.
    Directory {
        path: PathBuf,
        excluded: Vec<PathBuf>,
    },
    /// A store whose keys are the URL's path, restricted to `prefix`.
    Remote {
        store: Arc<dyn ObjectStore>,
        /// The endpoint and the bucket: the same for two stores that hold the same objects.
        place: String,
        prefix: Path,
    },
}

/// The store of one root: requests outside the root are refused before they are sent.
#[derive(Debug)]
pub struct RootStore {
    inner: Arc<dyn ObjectStore>,
    boundary: Arc<Boundary>,
}

impl RootStore {
    pub(crate) fn open(url: &str, backing: Backing) -> Result<Self> {
        match backing {
            Backing::Remote {
                store,
                place,
                prefix,
            } => Ok(Self {
                inner: store,
                boundary: Arc::new(Boundary {
                    prefix,
                    directory: None,
                    excluded: Vec::new(),
                    place: Some(place),
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
                        place: None,
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

    /// The key of an object, or of one that is yet to be, without links of the file system; in a
    /// remote store, the key itself.
    ///
    /// # Errors
    /// The object is not in the root; a name is not UTF-8.
    pub(super) fn real(&self, path: &Path) -> Result<Path> {
        let Some(directory) = &self.boundary.directory else {
            return Ok(path.clone());
        };
        let (real, rest) = self.boundary.resolved(path)?;
        self.boundary.check_real(path, &real)?;
        let below = real.strip_prefix(directory).unwrap_or(&real).join(rest);
        let below = below.to_str().ok_or_else(|| {
            Error::new(
                Code::LocationRefused,
                format!("object '{path}' is refused: its name is not UTF-8"),
            )
        })?;
        Path::parse(below)
            .map_err(|e| Error::new(Code::LocationRefused, format!("object '{path}': {e}")))
    }

    /// # Errors
    /// A symbolic link leads to one of these objects, whose keys are below a folder's, from
    /// elsewhere.
    pub(super) fn check_below<'a>(
        &self,
        folder: &Path,
        objects: impl Iterator<Item = &'a Path>,
    ) -> Result<()> {
        let Some(directory) = &self.boundary.directory else {
            return Ok(());
        };
        let base = self.real(folder)?;
        let check = |path: &Path| match self.real(path)?.prefix_matches(&base) {
            true => Ok(()),
            false => Err(Error::new(
                Code::LocationRefused,
                format!(
                    "object '{}' is refused: a symbolic link leads out of its table's location",
                    self.link(path, &base)
                ),
            )
            .with_hint("give the folder that it leads to as a LOCATION")),
        };
        let mut known = HashSet::new();
        for object in objects {
            let parent = object
                .as_ref()
                .rsplit_once('/')
                .map_or("", |(parent, _)| parent);
            if known.insert(parent) {
                check(&Path::parse(parent).map_err(|e| Error::internal(e.to_string()))?)?;
            }
            let file = object
                .parts()
                .fold(directory.clone(), |file, part| file.join(part.as_ref()));
            if file.is_symlink() {
                check(object)?;
            }
        }
        Ok(())
    }

    /// The link by which an object lies out of a folder: the names behind it are those of another
    /// folder.
    fn link(&self, object: &Path, folder: &Path) -> Path {
        let mut link = Path::default();
        for part in object.parts() {
            link = link.join(part);
            let leads_out = self
                .real(&link)
                .is_ok_and(|real| !real.prefix_matches(folder) && !folder.prefix_matches(&real));
            if leads_out {
                break;
            }
        }
        link
    }

    /// Whether a place in the storage is in both, under whatever URLs.
    pub(super) fn overlaps(&self, other: &RootStore) -> bool {
        let (one, other) = (&self.boundary, &other.boundary);
        match (&one.directory, &other.directory) {
            (Some(one), Some(other)) => holds(one, other) || holds(other, one),
            (None, None) => {
                let nested = one.prefix.prefix_matches(&other.prefix)
                    || other.prefix.prefix_matches(&one.prefix);
                one.place == other.place && nested
            }
            _ => false,
        }
    }

    /// Whether objects are files of this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.boundary.directory.is_some()
    }

    /// # Errors
    /// The object is not in the root.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        self.boundary.check(path)
    }

    fn guard(&self, path: &Path) -> object_store::Result<()> {
        self.boundary.guard(path)
    }

    fn guard_prefix(&self, prefix: Option<&Path>) -> object_store::Result<()> {
        self.guard(prefix.unwrap_or(&Path::default()))
    }

    /// The file of an object; `None` in a remote store.
    ///
    /// # Errors
    /// The object is not in the root.
    fn file(&self, path: &Path) -> Result<Option<PathBuf>> {
        self.check(path)?;
        Ok(self.boundary.path_of(path))
    }

    /// Opens the file of an object, with its state as the store below reports it. Blocks, for as
    /// long as the file system does.
    ///
    /// # Errors
    /// It is not in the root, or not there; the root is not of this machine.
    pub(crate) fn open_file(&self, path: &Path) -> object_store::Result<(File, ObjectMeta)> {
        self.guard(path)?;
        let opened = match self.boundary.path_of(path) {
            Some(file) => open(&file, path),
            None => Err(object_store::Error::NotSupported {
                source: "an object of a remote store is no file".into(),
            }),
        };
        opened.map_err(|error| self.boundary.redacted(error))
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

    /// Removes what interrupted uploads of a write left below a folder: files `<name>#<n>`, which
    /// listings do not show. In a remote store, the bucket's rules clear what uploads leave.
    pub(super) fn remove_staged(&self, folder: &Path, write: WriteId) -> Result<()> {
        let Some(folder) = self.file(folder)? else {
            return Ok(());
        };
        let staged = |name: &str| WriteId::of_file(name) == Some(write) && name.contains('#');
        remove_files(&folder, &staged).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("folder {} cannot be cleared: {error}", folder.display()),
            )
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
        let got = self.inner.get_opts(location, options).await;
        got.map_err(|error| self.boundary.redacted(error))
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.guard(location)?;
        let got = self.inner.get_ranges(location, ranges).await;
        got.map_err(|error| self.boundary.redacted(error))
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
        let boundary = Arc::clone(&self.boundary);
        self.inner
            .list(prefix)
            .map_err(move |error| boundary.redacted(error))
            .boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if let Err(refusal) = self.guard_prefix(prefix) {
            return futures::stream::once(async { Err(refusal) }).boxed();
        }
        let boundary = Arc::clone(&self.boundary);
        self.inner
            .list_with_offset(prefix, offset)
            .map_err(move |error| boundary.redacted(error))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.guard_prefix(prefix)?;
        let listed = self.inner.list_with_delimiter(prefix).await;
        listed.map_err(|error| self.boundary.redacted(error))
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
