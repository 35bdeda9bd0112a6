//! Demo lakes: made once for each set of arguments, then copied by hard links.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use tempfile::TempDir;

use super::server::Server;

/// The demo's arguments, as a user types them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    pub scale: String,
    pub until: Option<String>,
    pub tpch: Option<String>,
    pub tpcds: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scale: "0.01".to_owned(),
            until: None,
            tpch: None,
            tpcds: None,
        }
    }
}

impl Options {
    /// Returns a tenth of the default scale: few files, so that a copy is fast.
    pub(crate) fn small() -> Self {
        Self {
            scale: "0.001".to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--scale".to_owned(), self.scale.clone()];
        for (name, value) in [
            ("--until", &self.until),
            ("--tpch", &self.tpch),
            ("--tpcds", &self.tpcds),
        ] {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value.clone()]);
            }
        }
        arguments
    }
}

/// Returns this process's folder for everything that tests write: one file system, so that hard
/// links work.
///
/// Nothing runs when a test binary ends, so the next one removes the folders of dead processes.
pub(crate) fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix("run-"));
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let path = root.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    })
}

/// Returns the folder for what later runs use again, such as compiled programs.
pub(crate) fn kept() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept");
    fs::create_dir_all(&path).unwrap();
    path
}

/// Creates a lake with these arguments in `<temp>/lake`, registered and not being served.
///
/// Data files are hard links: replace a file, never write into it.
pub(crate) fn copy(options: &Options) -> TempDir {
    let template = template(options);
    let temp = tempfile::Builder::new()
        .prefix("lake")
        .tempdir_in(scratch())
        .unwrap();
    link_tree(&template.path().join("lake"), &temp.path().join("lake"), 0);
    temp
}

/// Creates the lake with the binary itself, which is then stopped with SIGTERM.
fn template(options: &Options) -> Arc<TempDir> {
    type Templates = HashMap<Options, Arc<TempDir>>;
    static TEMPLATES: OnceLock<Mutex<Templates>> = OnceLock::new();
    let mut templates = TEMPLATES.get_or_init(Mutex::default).lock().unwrap();
    if let Some(template) = templates.get(options) {
        return template.clone();
    }
    let temp = tempfile::Builder::new()
        .prefix("template")
        .tempdir_in(scratch())
        .unwrap();
    let mut server = Server::demo(&temp.path().join("lake"), options, &[]);
    server.signal("TERM");
    let status = server.wait();
    assert!(
        status.success(),
        "SIGTERM ends with {status}\n{}",
        server.log()
    );
    let temp = Arc::new(temp);
    templates.insert(options.clone(), temp.clone());
    temp
}

/// Links zones and copies everything else (the state: databases, certificates, passwords).
fn link_tree(from: &Path, to: &Path, depth: usize) {
    const ZONES: [&str; 5] = ["raw", "curated", "analytics", "tpch", "tpcds"];
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            link_tree(&entry.path(), &target, depth + 1);
        } else if depth > 0 && in_zone(&entry.path(), depth, &ZONES) {
            fs::hard_link(entry.path(), target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn in_zone(path: &Path, depth: usize, zones: &[&str]) -> bool {
    let zone: PathBuf = path
        .ancestors()
        .nth(depth)
        .map(Path::to_owned)
        .unwrap_or_default();
    zone.file_name()
        .is_some_and(|name| zones.iter().any(|zone| name == *zone))
}
