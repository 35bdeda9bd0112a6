//! What lies in a root, as keys and as real paths of its directory.

use std::path::PathBuf;

use lakegate_error::{Code, Error, Result};
use object_store::path::Path;

use super::redaction::without_directory;

/// What lies in a root.
#[derive(Debug)]
pub(super) struct Boundary {
    /// Keys must start with this; empty for a directory, which is its own boundary.
    pub prefix: Path,
    /// For a directory: its real path, which no link may leave.
    pub directory: Option<PathBuf>,
    pub excluded: Vec<PathBuf>,
    /// Of a remote store, its endpoint and bucket.
    pub place: Option<String>,
}

impl Boundary {
    /// Where an object would be in the file system; `None` in a remote store.
    pub(super) fn path_of(&self, path: &Path) -> Option<PathBuf> {
        let directory = self.directory.clone()?;
        let parts = path.parts();
        Some(parts.fold(directory, |folder, part| folder.join(part.as_ref())))
    }

    /// Checks that an object is in the root. Cheap enough for each request: a prefix comparison,
    /// and for a directory one `realpath`.
    ///
    /// # Errors
    /// It is not, or an excluded path holds it; the file system.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
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

    /// The real path of the nearest ancestor of an object that is there, and what follows. What
    /// does not exist cannot lead anywhere.
    pub(super) fn resolved(&self, path: &Path) -> Result<(PathBuf, PathBuf)> {
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

    /// Checks that the real path of an object is in the root.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check_real(&self, path: &Path, real: &std::path::Path) -> Result<()> {
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
    pub(super) fn redacted(&self, error: object_store::Error) -> object_store::Error {
        match self.directory.as_ref().and_then(|path| path.to_str()) {
            Some(directory) => without_directory(error, directory),
            None => error,
        }
    }

    pub(super) fn guard(&self, path: &Path) -> object_store::Result<()> {
        self.check(path).map_err(|e| object_store::Error::Generic {
            store: "lake root",
            source: Box::new(e),
        })
    }
}

/// Whether a directory is another, or holds it; also where one is mounted in two places. Both are
/// real paths.
pub(super) fn holds(outer: &std::path::Path, inner: &std::path::Path) -> bool {
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
