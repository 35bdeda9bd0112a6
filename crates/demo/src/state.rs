//! The state of the directory: empty, unfinished, finished, or not ours.
//!
//! ```text
//! (nothing) --begin--> demo.partial + files --finish (one rename)--> demo.json + files
//! ```
//!
//! A process that writes holds a file lock on the marker, so two of them never mix their files.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::options::DemoOptions;

const MANIFEST: &str = "demo.json";
const MARKER: &str = "demo.partial";

/// Increased whenever the same arguments produce other bytes than before.
const GENERATOR_VERSION: u32 = 1;

/// The folders that this crate writes, and removes when it starts over.
const ZONES: [&str; 5] = ["raw", "curated", "analytics", "tpch", "tpcds"];

/// Files of the server beside the zones. Names that begin with a dot are ignored as well.
const SERVER_FILES: [&str; 1] = ["credentials.json"];

/// The arguments as the manifest records them. Numbers are text, so that they compare exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Arguments {
    generator_version: u32,
    scale: String,
    until: String,
    tpch: Option<String>,
    tpcds: Option<String>,
}

impl Arguments {
    fn of(options: &DemoOptions) -> Self {
        Self {
            generator_version: GENERATOR_VERSION,
            scale: options.scale.to_string(),
            until: options.until.to_string(),
            tpch: options.tpch.map(|scale| scale.to_string()),
            tpcds: options.tpcds.map(|scale| scale.to_string()),
        }
    }
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--scale {} --until {}", self.scale, self.until)?;
        if let Some(scale) = &self.tpch {
            write!(f, " --tpch {scale}")?;
        }
        if let Some(scale) = &self.tpcds {
            write!(f, " --tpcds {scale}")?;
        }
        Ok(())
    }
}

/// The right to write into the directory, until [`Generation::finish`].
#[derive(Debug)]
pub(crate) struct Generation {
    dir: PathBuf,
    arguments: Arguments,
    /// Locked until it is dropped.
    marker: File,
}

/// `None` if the finished lake already exists. Otherwise the directory has no old files.
pub(crate) fn begin(options: &DemoOptions) -> Result<Option<Generation>> {
    let dir = options.dir.as_path();
    let arguments = Arguments::of(options);
    fs::create_dir_all(dir).map_err(Error::io("create the directory", dir))?;
    if is_finished(dir, &arguments)? {
        return Ok(None);
    }
    let marker_path = dir.join(MARKER);
    if !exists(&marker_path)? {
        refuse_foreign_entries(dir)?;
    }
    let marker = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&marker_path)
        .map_err(Error::io("create", &marker_path))?;
    match marker.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::Busy {
                dir: dir.to_path_buf(),
            });
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::Io {
                action: "lock",
                path: marker_path,
                source,
            });
        }
    }
    // The previous holder of the lock may have finished and renamed the marker while this process
    // waited.
    if is_finished(dir, &arguments)? {
        return Ok(None);
    }
    remove_zones(dir)?;
    Ok(Some(Generation {
        dir: dir.to_path_buf(),
        arguments,
        marker,
    }))
}

impl Generation {
    /// Marks the lake as finished. Everything else must be written before.
    pub(crate) fn finish(mut self) -> Result<()> {
        let marker_path = self.dir.join(MARKER);
        let mut text =
            serde_json::to_string_pretty(&self.arguments).map_err(|source| Error::Json {
                path: marker_path.clone(),
                source,
            })?;
        text.push('\n');
        self.marker
            .set_len(0)
            .and_then(|()| self.marker.write_all(text.as_bytes()))
            .and_then(|()| self.marker.sync_all())
            .map_err(Error::io("write", &marker_path))?;
        let manifest_path = self.dir.join(MANIFEST);
        fs::rename(&marker_path, &manifest_path).map_err(Error::io("create", &manifest_path))
    }
}

fn is_finished(dir: &Path, requested: &Arguments) -> Result<bool> {
    let path = dir.join(MANIFEST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(Error::Io {
                action: "read",
                path,
                source,
            });
        }
    };
    let existing: Arguments = match serde_json::from_str(&text) {
        Ok(existing) => existing,
        Err(error) => {
            return Err(Error::Manifest {
                path,
                reason: error.to_string(),
            });
        }
    };
    if existing.generator_version != requested.generator_version {
        let reason = format!(
            "it is of version {} of the generator and this is version {}",
            existing.generator_version, requested.generator_version
        );
        return Err(Error::Manifest { path, reason });
    }
    if existing != *requested {
        return Err(Error::OtherArguments {
            dir: dir.to_path_buf(),
            existing: existing.to_string(),
            requested: requested.to_string(),
        });
    }
    Ok(true)
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(Error::io("look for", path))
}

fn refuse_foreign_entries(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !SERVER_FILES.contains(&name.as_ref()) {
            return Err(Error::Foreign {
                dir: dir.to_path_buf(),
                entry: name.into_owned(),
            });
        }
    }
    Ok(())
}

fn remove_zones(dir: &Path) -> Result<()> {
    for zone in ZONES {
        let path = dir.join(zone);
        match fs::remove_dir_all(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Error::Io {
                    action: "remove the unfinished",
                    path,
                    source,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn finish(options: &DemoOptions) {
        begin(options)
            .unwrap()
            .expect("nothing is there yet")
            .finish()
            .unwrap();
    }

    #[test]
    fn other_arguments_are_an_error_that_names_both() {
        let dir = tempfile::tempdir().unwrap();
        let options = DemoOptions::new(dir.path());
        finish(&options);
        assert!(begin(&options).unwrap().is_none());

        let with_tpch = DemoOptions {
            tpch: Some(0.1),
            ..options.clone()
        };
        let message = begin(&with_tpch).unwrap_err().to_string();
        assert!(
            message.contains("made with --scale 1 --until 2024-12-31, but"),
            "{message}"
        );
        assert!(
            message.contains("--scale 1 --until 2024-12-31 --tpch 0.1 was"),
            "{message}"
        );
    }

    #[test]
    fn a_directory_with_foreign_files_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("raw")).unwrap();
        fs::write(dir.path().join("raw/mine.txt"), "mine").unwrap();
        let error = begin(&DemoOptions::new(dir.path())).unwrap_err();
        assert!(
            matches!(&error, Error::Foreign { entry, .. } if entry == "raw"),
            "{error}"
        );
        assert_eq!(
            fs::read_to_string(dir.path().join("raw/mine.txt")).unwrap(),
            "mine"
        );
        assert!(!dir.path().join(MARKER).exists());
    }

    #[test]
    fn the_servers_own_files_are_not_foreign_and_survive() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".lakegate")).unwrap();
        fs::write(dir.path().join(".lakegate/catalog.db"), "state").unwrap();
        fs::write(dir.path().join("credentials.json"), "{}").unwrap();
        finish(&DemoOptions::new(dir.path()));
        assert_eq!(
            fs::read_to_string(dir.path().join(".lakegate/catalog.db")).unwrap(),
            "state"
        );
        assert!(dir.path().join("credentials.json").exists());
    }

    #[test]
    fn an_unfinished_generation_is_begun_again_from_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let options = DemoOptions::new(dir.path());
        let interrupted = begin(&options).unwrap().unwrap();
        fs::create_dir_all(dir.path().join("curated/orders")).unwrap();
        fs::write(dir.path().join("curated/orders/part-0000.parquet"), "half").unwrap();
        drop(interrupted);

        let again = begin(&options)
            .unwrap()
            .expect("an unfinished lake is not reused");
        assert!(!dir.path().join("curated").exists());
        again.finish().unwrap();
        assert!(!dir.path().join(MARKER).exists());
        assert!(begin(&options).unwrap().is_none());
    }

    #[test]
    fn a_second_process_is_told_that_the_lake_is_being_made() {
        let dir = tempfile::tempdir().unwrap();
        let options = DemoOptions::new(dir.path());
        let first = begin(&options).unwrap().unwrap();
        assert!(matches!(begin(&options), Err(Error::Busy { .. })));
        first.finish().unwrap();
    }

    #[test]
    fn a_damaged_manifest_is_an_error_and_not_an_empty_lake() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MANIFEST), "{").unwrap();
        let error = begin(&DemoOptions::new(dir.path())).unwrap_err();
        assert!(matches!(error, Error::Manifest { .. }), "{error}");
    }
}
