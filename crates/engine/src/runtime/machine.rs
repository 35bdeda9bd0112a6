//! The memory of the machine and of this process, as Linux reports it.

use std::path::{Path, PathBuf};

/// Bytes assumed if the machine does not report its memory.
const UNKNOWN: u64 = 4 << 30;

/// Returns the bytes that this process may use: those of the machine, or of its control group if
/// that has fewer.
pub fn memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kib(&text, "MemTotal:"))
        .unwrap_or(UNKNOWN);
    let group = group_limit();
    group.map_or(machine, |limit| limit.min(machine))
}

/// Returns the bytes of anonymous memory of this process: what is allocated, and what the allocator
/// retains.
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kib(&status, "RssAnon:").or_else(|| kib(&status, "VmRSS:"))
}

/// Parses a line such as `MemTotal:  16384 kB` into bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// Returns the lowest limit of the process's control group and its ancestors; `None` if there is
/// none.
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        if controllers.is_empty() {
            files.extend(limits_above(
                Path::new("/sys/fs/cgroup"),
                path,
                "memory.max",
            ));
        } else if controllers.split(',').any(|name| name == "memory") {
            let root = Path::new("/sys/fs/cgroup/memory");
            files.extend(limits_above(root, path, "memory.limit_in_bytes"));
        }
    }
    let limits = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    // "max" means no limit and is skipped.
    limits
        .filter_map(|text| text.trim().parse().ok())
        .filter(|limit| *limit > 0)
        .min()
}

/// Returns the limit files of a group and its ancestors. Inside a container, the group may be the
/// root of the mounted hierarchy.
fn limits_above(root: &Path, group: &str, file: &str) -> Vec<PathBuf> {
    let mut folders = vec![root.to_owned()];
    for part in Path::new(group).components().skip(1) {
        let below = folders.last().map(|folder| folder.join(part));
        folders.extend(below);
    }
    folders.iter().map(|folder| folder.join(file)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_is_reported_in_bytes() {
        let text = "MemTotal:       16 kB\nMemFree: 1 kB\nRssAnon:\t     12 kB\n";
        assert_eq!(kib(text, "MemTotal:"), Some(16 * 1024));
        assert_eq!(kib(text, "RssAnon:"), Some(12 * 1024));
        assert_eq!(kib(text, "VmRSS:"), None);
        let held = resident().unwrap();
        assert!(held > 0 && held < memory());
    }

    #[test]
    fn groups_are_looked_at_up_to_the_root() {
        let files = limits_above(Path::new("/g"), "/a/b", "memory.max");
        let files: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
        assert_eq!(
            files,
            ["/g/memory.max", "/g/a/memory.max", "/g/a/b/memory.max"]
        );
    }
}
