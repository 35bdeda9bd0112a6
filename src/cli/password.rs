//! Generated passwords, and files that contain passwords.

use std::io::Write;
use std::path::Path;

use lakegate_error::{Error, Result};
use rand::Rng;

/// Excludes characters that look like others, or that a shell or a URL would change.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Returns 24 random characters of 56: 139 bits.
pub(super) fn random_password() -> String {
    let mut random = rand::rng();
    (0..24)
        .filter_map(|_| ALPHABET.get(random.random_range(0..ALPHABET.len())))
        .map(|b| char::from(*b))
        .collect()
}

/// Writes a file that only its owner can read, atomically.
pub(super) fn write_secret_file(file: &Path, content: &str) -> Result<()> {
    write_file(file, content, 0o600)
}

/// Writes a file under a temporary name and renames it, so that readers never see a part of it.
pub(super) fn write_file(file: &Path, content: &str, mode: u32) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::invalid(format!("cannot write {}: {e}", file.display()));
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
        .tempfile_in(folder)
        .map_err(failed)?;
    temporary.write_all(content.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Creates a folder that only its owner can enter.
pub(super) fn private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| Error::invalid(format!("cannot create {}: {e}", dir.display())))
}
