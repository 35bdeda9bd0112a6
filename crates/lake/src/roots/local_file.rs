//! Files of a root that is a directory of this machine.

use std::fs::File;
use std::path::Path as FilePath;

use object_store::ObjectMeta;
use object_store::path::Path;

/// Opens a file as [`LocalFileSystem`] does (`object_store`, 0.13), whose ETags are of the inode,
/// the time in microseconds and the size.
pub(super) fn open(file: &FilePath, location: &Path) -> object_store::Result<(File, ObjectMeta)> {
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

/// Removes files below a folder by their names; links are not followed.
pub(super) fn remove_files(
    folder: &FilePath,
    wanted: &dyn Fn(&str) -> bool,
) -> std::io::Result<()> {
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
