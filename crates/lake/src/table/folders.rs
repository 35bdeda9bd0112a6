//! Which table a folder belongs to: the folders of all tables, compared as the storage has them.
//!
//! ```text
//!  s3://lake/curated/orders/    ─ a table's
//!  s3://lake/curated/orders/…   ─ another's, which lies in it: it belongs to the first if that one's claim goes before
//! ```
//!
//! What never happens: a table exposes a file of another table to a user that may not read it
//! there.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::{Claim, Table};
use lakegate_catalog::partition::projection;
use lakegate_catalog::store::Metastore;
use lakegate_error::Result;
use parking_lot::Mutex;

use super::symlinks::exposed_by;
use crate::roots::Roots;

/// The folders of all tables, found again when the catalog changes. A clone is the same.
#[derive(Clone)]
pub struct Folders {
    inner: Arc<Inner>,
}

struct Inner {
    roots: Arc<Roots>,
    current: Mutex<Option<Arc<FolderIndex>>>,
    /// Of tables that have not changed since.
    known: Mutex<HashMap<i64, Known>>,
}

#[derive(Clone)]
struct Known {
    /// Of the table and of its partitions.
    versions: (u64, u64),
    folders: Arc<[Folder]>,
}

/// A folder of one table: its own, one of a partition that lies elsewhere, or the one that holds the
/// folders of its projected partitions.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The URL as [`Location::folder`](crate::roots::Location::folder) has it.
    pub url: Arc<str>,
    pub claim: Claim,
}

/// The folders of all tables at one version of the catalog.
#[derive(Debug, Default)]
pub struct FolderIndex {
    version: u64,
    by_url: BTreeMap<Arc<str>, Vec<(Arc<Table>, Claim)>>,
    by_table: HashMap<i64, Arc<[Folder]>>,
}

impl fmt::Debug for Folders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folders").finish_non_exhaustive()
    }
}

impl Folders {
    pub fn new(roots: Arc<Roots>) -> Self {
        Self {
            inner: Arc::new(Inner {
                roots,
                current: Mutex::default(),
                known: Mutex::default(),
            }),
        }
    }

    /// The folders as of now, or of a moment after this is called.
    ///
    /// # Errors
    /// The catalog.
    pub async fn index(&self, metastore: &dyn Metastore) -> Result<Arc<FolderIndex>> {
        let version = metastore.catalog_version();
        if let Some(current) = &*self.inner.current.lock()
            && current.version == version
        {
            return Ok(Arc::clone(current));
        }
        let mut index = FolderIndex {
            version,
            ..FolderIndex::default()
        };
        for database in metastore.databases().await? {
            let tables = match metastore.tables(&database.name).await {
                Ok(tables) => tables,
                // Dropped meanwhile.
                Err(CatalogError::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for table in tables {
                let folders = self.folders_of(metastore, &table).await?;
                for folder in folders.iter() {
                    let tables = index.by_url.entry(Arc::clone(&folder.url)).or_default();
                    tables.push((Arc::clone(&table), folder.claim));
                }
                index.by_table.insert(table.id, folders);
            }
        }
        let index = Arc::new(index);
        let mut known = self.inner.known.lock();
        known.retain(|table, _| index.by_table.contains_key(table));
        drop(known);
        *self.inner.current.lock() = Some(Arc::clone(&index));
        Ok(index)
    }

    async fn folders_of(&self, metastore: &dyn Metastore, table: &Table) -> Result<Arc<[Folder]>> {
        let (database, name) = (&table.database_name, &table.name);
        let of_partitions = match table.outer_claim {
            None => 0,
            Some(_) => {
                let version = metastore.table_version(database, name).await?;
                let version = version.filter(|version| version.id == table.id);
                version.map_or(0, |version| version.partitions)
            }
        };
        if let Some(known) = self.inner.known.lock().get(&table.id)
            && known.versions == (table.version_id, of_partitions)
        {
            return Ok(Arc::clone(&known.folders));
        }
        let partitions = match table.outer_claim {
            None => None,
            Some(claim) => match metastore.partitions(database, name).await {
                Ok(partitions) => Some((partitions, claim)),
                // Dropped meanwhile.
                Err(CatalogError::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        let of_partitions = partitions.as_ref().map(|(all, _)| all.version);
        let versions = (table.version_id, of_partitions.unwrap_or_default());
        let mut folders = Vec::new();
        let home = table.storage_descriptor.location.as_deref();
        let mut add = |location: &str, claim| {
            // What lies under no root (any more) cannot be read through any table.
            let located = self.inner.roots.locate(location);
            if let Ok(url) = located.and_then(|located| located.folder()) {
                folders.push(Folder {
                    url: url.into(),
                    claim,
                });
            }
        };
        if let Some(home) = home {
            add(exposed_by(&table.storage_descriptor, home), table.claim);
        }
        if let Some(projected) = projection::template_folder(&table.parameters) {
            add(&projected, table.claim);
        }
        if let Some((partitions, claim)) = partitions {
            let inside = |home: &str| home.to_owned();
            let home = home.map(inside).unwrap_or_default();
            for partition in &partitions.items {
                if home.is_empty() || !partition.is_below(&home) {
                    let location = partition.location(&partitions.keys);
                    add(exposed_by(&partition.storage_descriptor, &location), claim);
                }
            }
        }
        let folders: Arc<[Folder]> = folders.into();
        let known = Known {
            versions,
            folders: Arc::clone(&folders),
        };
        self.inner.known.lock().insert(table.id, known);
        Ok(folders)
    }
}

impl FolderIndex {
    /// The tables that have a folder which is this one, lies in it or holds it, with what they
    /// claim it by. A table may be among them more than once.
    pub fn overlapping<'a>(
        &'a self,
        url: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<Table>, Claim)> {
        let below = self
            .by_url
            .range::<str, _>((Bound::Excluded(url), Bound::Unbounded))
            .take_while(move |(other, _)| other.starts_with(url))
            .map(|(_, tables)| tables);
        self.at_or_above(url)
            .chain(below)
            .flatten()
            .map(|(table, claim)| (table, *claim))
    }

    /// The tables that have this folder, or one that holds it: files that are put there are theirs.
    pub fn holding<'a>(&'a self, url: &'a str) -> impl Iterator<Item = &'a Arc<Table>> {
        self.at_or_above(url).flatten().map(|(table, _)| table)
    }

    fn at_or_above<'a>(
        &'a self,
        url: &'a str,
    ) -> impl Iterator<Item = &'a Vec<(Arc<Table>, Claim)>> {
        url.match_indices('/')
            .filter_map(move |(at, _)| self.by_url.get(url.get(..=at)?))
    }

    /// The folders of a table; none for a table that is not there.
    pub fn of(&self, table: &Table) -> &[Folder] {
        self.by_table
            .get(&table.id)
            .map(|folders| &**folders)
            .unwrap_or_default()
    }

    /// The other tables that files of a table may belong to.
    pub fn owners(&self, table: &Table) -> Vec<Arc<Table>> {
        let mut owners: Vec<Arc<Table>> = Vec::new();
        for folder in self.of(table) {
            for (other, claim) in self.overlapping(&folder.url) {
                if other.id != table.id
                    && claim.goes_before(&folder.claim)
                    && owners.iter().all(|known| known.id != other.id)
                {
                    owners.push(Arc::clone(other));
                }
            }
        }
        owners
    }
}
