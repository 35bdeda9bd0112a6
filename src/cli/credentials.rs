//! The demo's `credentials.json`: its users and their passwords, readable by the user that started it.

use std::path::Path;

use lakegate_error::{Error, Result};

use super::connection_file::UserEntry;
use super::password::write_secret_file;

/// The file of credentials, in the lake's folder.
pub(super) const CREDENTIALS: &str = "credentials.json";
/// The state directory, in the lake's folder. Queries cannot read it.
pub(super) const STATE: &str = ".lakegate";
/// A file in the state directory. If it exists, the lake is registered and its users are created.
pub(super) const READY: &str = "demo-ready";

/// Reads the credentials. `dir`: the lake's folder.
///
/// # Errors
/// The file does not exist or has been damaged.
pub(super) fn read(dir: &Path) -> Result<Vec<UserEntry>> {
    let file = dir.join(CREDENTIALS);
    let text = std::fs::read_to_string(&file)
        .map_err(|e| Error::invalid(format!("{}: {e}", file.display())))?;
    serde_json::from_str(&text).map_err(|e| Error::invalid(format!("{}: {e}", file.display())))
}

/// Writes the credentials. `dir`: the lake's folder.
pub(super) fn write(dir: &Path, users: &[UserEntry]) -> Result<()> {
    let text = serde_json::to_string_pretty(users).map_err(|e| Error::internal(e.to_string()))?;
    write_secret_file(&dir.join(CREDENTIALS), &format!("{text}\n"))
}

/// Stores a new password in the file, if the state directory belongs to a demo and the user is one
/// of the demo's. Returns whether it was stored.
pub(super) fn remember(state_dir: &Path, user: &str, password: &str) -> Result<bool> {
    if !state_dir.join(READY).exists() {
        return Ok(false);
    }
    let state_dir = state_dir
        .canonicalize()
        .map_err(|e| Error::invalid(format!("{}: {e}", state_dir.display())))?;
    let Some(dir) = state_dir
        .parent()
        .filter(|dir| dir.join(CREDENTIALS).exists())
    else {
        return Ok(false);
    };
    let mut users = read(dir)?;
    let Some(entry) = users.iter_mut().find(|entry| entry.name == user) else {
        return Ok(false);
    };
    entry.password = password.to_owned();
    write(dir, &users)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn user(name: &str) -> UserEntry {
        UserEntry {
            name: name.to_owned(),
            password: "old".to_owned(),
            roles: vec!["analysts".to_owned()],
        }
    }

    #[test]
    fn new_password_of_a_demos_user_is_remembered_and_nothing_else_changes() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(STATE);
        std::fs::create_dir(&state).unwrap();
        write(dir.path(), &[user("ann"), user("ben")]).unwrap();
        // Not a demo, or not a ready one.
        assert!(!remember(&state, "ann", "new").unwrap());
        std::fs::write(state.join(READY), "").unwrap();
        assert!(remember(&state, "ann", "new").unwrap());
        assert!(!remember(&state, "eve", "new").unwrap());
        let users = read(dir.path()).unwrap();
        let passwords: Vec<&str> = users.iter().map(|user| user.password.as_str()).collect();
        assert_eq!(passwords, ["new", "old"]);
        let mode = std::fs::metadata(dir.path().join(CREDENTIALS))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(CREDENTIALS), "{").unwrap();
        assert!(remember(&state, "ann", "new").is_err());
        std::fs::remove_file(dir.path().join(CREDENTIALS)).unwrap();
        assert!(!remember(&state, "ann", "new").unwrap());
    }
}
