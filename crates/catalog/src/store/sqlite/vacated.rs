//! Folders that a table left by the hand of a user that could not read all of it: the right to
//! create tables does not extend to them.
//!
//! They are kept for good, so their number is bounded. A folder makes those within it superfluous.
//! Of more than [`MOST`], folders of one parent become the parent, which withholds more from users
//! than before and never less. Administrators, and users with `DATA_LOCATION` on such a folder, use
//! it as before.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use crate::error::Result;

/// Folders that are kept.
const MOST: usize = 10_000;

/// All folders, and since when.
pub(super) fn load(connection: &Connection) -> Result<BTreeMap<String, i64>> {
    let mut statement = connection.prepare("SELECT folder, since FROM vacated")?;
    let folders = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(folders.collect::<rusqlite::Result<_>>()?)
}

/// Records folders as of `since`, in milliseconds since 1970.
pub(super) fn note(tx: &Transaction<'_>, folders: Vec<String>, since: i64) -> Result<()> {
    let before = load(tx)?;
    let mut known = before.clone();
    for folder in folders {
        add(&mut known, folder, since);
    }
    gather(&mut known, MOST);
    for folder in before.keys().filter(|folder| !known.contains_key(*folder)) {
        tx.execute("DELETE FROM vacated WHERE folder = ?1", [folder])?;
    }
    let changed = known.iter();
    for (folder, since) in changed.filter(|(folder, since)| before.get(*folder) != Some(*since)) {
        let sql = "INSERT INTO vacated (folder, since) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET since = excluded.since";
        tx.execute(sql, params![folder, since])?;
    }
    Ok(())
}

/// Adds a folder, which covers those within it.
fn add(known: &mut BTreeMap<String, i64>, folder: String, since: i64) {
    let within = |other: &String| other.starts_with(&folder) && *other != folder;
    known.retain(|other, _| !within(other));
    known.insert(folder, since);
}

/// Replaces folders by their parents until at most `most` are left, the parent of most folders
/// first.
fn gather(known: &mut BTreeMap<String, i64>, most: usize) {
    while known.len() > most {
        let mut parents: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
        for (folder, since) in known.iter() {
            if let Some(parent) = parent(folder) {
                let entry = parents.entry(parent).or_insert((0, *since));
                *entry = (entry.0 + 1, entry.1.max(*since));
            }
        }
        let largest = parents.iter().max_by_key(|(_, (folders, _))| *folders);
        let Some((parent, (_, since))) = largest else {
            return;
        };
        let (parent, since) = ((*parent).to_owned(), *since);
        add(known, parent, since);
    }
}

/// `s3://bucket/a/` of `s3://bucket/a/b/`; `None` for a bucket.
fn parent(folder: &str) -> Option<&str> {
    let path = folder.find("://")? + 3;
    let inner = folder.trim_end_matches('/');
    let end = inner.rfind('/').filter(|end| *end >= path)?;
    folder.get(..=end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(known: &BTreeMap<String, i64>) -> Vec<(&str, i64)> {
        let known = known.iter();
        known
            .map(|(folder, since)| (folder.as_str(), *since))
            .collect()
    }

    #[test]
    fn a_folder_covers_those_within_it() {
        let mut known = BTreeMap::new();
        for (folder, since) in [
            ("s3://b/a/x/", 1),
            ("s3://b/ab/", 2),
            ("s3://b/a/", 3),
            ("s3://b/a/y/", 4),
        ] {
            add(&mut known, folder.to_owned(), since);
        }
        assert_eq!(
            folders(&known),
            [("s3://b/a/", 3), ("s3://b/a/y/", 4), ("s3://b/ab/", 2)]
        );
    }

    #[test]
    fn too_many_folders_become_their_parents() {
        let mut known = BTreeMap::new();
        for number in 0..50 {
            add(&mut known, format!("s3://b/many/{number}/"), number);
        }
        add(&mut known, "s3://b/few/1/".to_owned(), 7);
        gather(&mut known, 10);
        assert_eq!(
            folders(&known),
            [("s3://b/few/1/", 7), ("s3://b/many/", 49)]
        );
        // A bucket has no parent.
        let mut roots: BTreeMap<String, i64> =
            (0..5).map(|n| (format!("s3://bucket{n}/"), n)).collect();
        gather(&mut roots, 2);
        assert_eq!(roots.len(), 5);
    }
}
