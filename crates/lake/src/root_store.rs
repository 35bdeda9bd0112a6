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
use lakegate_error::{Code, Error, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::redaction::without_directory;
use super::roots::Backing;

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
    /// Of a remote store, its endpoint and bucket.
    place: Option<String>,
}

impl RootStore {
    pub(super) fn open(url: &str, backing: Backing) -> Result<Self> {
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

    /// The key of an object, or of one that is yet to be, without links of the file system; in a remote store, the key itself.
    ///
    /// Errors: it is not in the root, a name is not UTF-8.
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

    /// Errors: one of these, whose keys are below a folder's, lies elsewhere, as a link leads there.
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

    /// The link by which an object lies out of a folder: the names behind it are those of another folder.
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
        Ok(self.boundary.path_of(path))
    }

    /// Opens the file of an object, with its state as the store below tells it. Blocks, for as long as the file system does.
    ///
    /// # Errors
    /// It is not in the root, or not there; the root is not of this machine.
    pub(super) fn open_file(&self, path: &Path) -> object_store::Result<(File, ObjectMeta)> {
        self.guard(path)?;
        let opened = match self.boundary.path_of(path) {
            Some(file) => opened(&file, path),
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

/// Whether a directory is another, or holds it; also where one is mounted in two places. Both are real paths.
fn holds(outer: &std::path::Path, inner: &std::path::Path) -> bool {
    inner
        .ancestors()
        .any(|above| above == outer || same_directory(above, outer))
}

#[cfg(unix)]
fn same_directory(one: &std::path::Path, other: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

#[cfg(not(unix))]
fn same_directory(_: &std::path::Path, _: &std::path::Path) -> bool {
    false
}

/// Opens a file as [`LocalFileSystem`] does (`object_store`, 0.13), whose ETags are of the inode, the time in microseconds and the size.
fn opened(file: &std::path::Path, location: &Path) -> object_store::Result<(File, ObjectMeta)> {
    let not_there = |source: std::io::Error| object_store::Error::NotFound {
        path: location.to_string(),
        source: Box::new(source),
    };
    let other = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => not_there(source),
        _ => object_store::Error::Generic {
            store: "lake root",
            source: Box::new(source),
        },
    };
    let open = File::open(file).map_err(other)?;
    let metadata = open.metadata().map_err(other)?;
    if metadata.is_dir() {
        return Err(not_there(std::io::ErrorKind::IsADirectory.into()));
    }
    let modified = metadata.modified().map_err(other)?;
    let since = modified.duration_since(std::time::SystemTime::UNIX_EPOCH);
    let (inode, size) = (inode(&metadata), metadata.len());
    let e_tag = format!(
        "{inode:x}-{:x}-{size:x}",
        since.unwrap_or_default().as_micros()
    );
    let state = ObjectMeta {
        location: location.clone(),
        last_modified: modified.into(),
        size,
        e_tag: Some(e_tag),
        version: None,
    };
    Ok((open, state))
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

impl Boundary {
    /// Where an object would be in the file system; `None` in a remote store.
    fn path_of(&self, path: &Path) -> Option<PathBuf> {
        let directory = self.directory.clone()?;
        let parts = path.parts();
        Some(parts.fold(directory, |folder, part| folder.join(part.as_ref())))
    }

    /// Cheap enough for each request: a prefix comparison, and for a directory one `realpath`.
    fn check(&self, path: &Path) -> Result<()> {
        if !path.prefix_matches(&self.prefix) {
            return Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is outside its lake root"),
            ));
        }
        if self.directory.is_none() {
            return Ok(());
        }
        let (real, _) = self.resolved(path)?;
        self.check_real(path, &real)
    }

    /// The real path of the nearest ancestor of an object that is there, and what follows. What does not exist cannot lead anywhere.
    fn resolved(&self, path: &Path) -> Result<(PathBuf, PathBuf)> {
        let directory = self.directory.clone().unwrap_or_default();
        let mut target = directory.clone();
        for part in path.parts() {
            target.push(part.as_ref());
        }
        let mut existing = target.as_path();
        loop {
            match existing.canonicalize() {
                Ok(real) => {
                    let rest = target.strip_prefix(existing).unwrap_or(existing);
                    return Ok((real, rest.to_owned()));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && existing.is_symlink() => {
                    return Err(Error::new(
                        Code::LocationRefused,
                        format!("object '{path}' is refused: a symbolic link leads nowhere"),
                    ));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => match existing.parent() {
                    Some(parent) => existing = parent,
                    None => return Ok((directory, PathBuf::new())),
                },
                Err(e) => return Err(Error::new(Code::Storage, format!("object '{path}': {e}"))),
            }
        }
    }

    /// Errors: the real path of an object is not one of the root.
    fn check_real(&self, path: &Path, real: &std::path::Path) -> Result<()> {
        if self
            .excluded
            .iter()
            .any(|excluded| real.starts_with(excluded))
        {
            Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is refused: it belongs to the server, not to the lake"),
            ))
        } else if self
            .directory
            .as_ref()
            .is_some_and(|directory| real.starts_with(directory))
        {
            Ok(())
        } else {
            Err(Error::new(
                Code::LocationRefused,
                format!("object '{path}' is refused: a symbolic link leads out of its lake root"),
            ))
        }
    }

    /// An error of the store below, as users may see it.
    fn redacted(&self, error: object_store::Error) -> object_store::Error {
        match self.directory.as_ref().and_then(|path| path.to_str()) {
            Some(directory) => without_directory(error, directory),
            None => error,
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
