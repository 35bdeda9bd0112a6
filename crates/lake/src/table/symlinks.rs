//! Tables of `SymlinkTextInputFormat`: the files in their folders are manifests, which name the
//! data files by URL, one a line. Delta Lake writes them for engines that do not read its log.
//!
//! ```text
//!  s3://lake/orders/_symlink_format_manifest/day=1/manifest   ─ a line ─▶  s3://lake/orders/day=1/part-0.parquet
//!  └─ exposed ────┘└─ the LOCATION of the table or partition
//! ```
//!
//! A manifest may name files of the table's LOCATION and, where that has a folder
//! `_symlink_format_manifest` in its path, of the folder that holds this one. The table claims that
//! folder as another table claims its LOCATION ([`folders`](super::folders)): registering it needs
//! DATA_LOCATION, and files of another table in it stay subject to the grants on that one. So a
//! manifest, whatever it holds, shows no file that a plain table over the same folder would not
//! show.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use lakegate_catalog::model::{StorageDescriptor, Table};
use lakegate_error::{Code, Error, Result};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStoreExt};

use super::listing::failed;
use super::{DataFile, SnapshotPartition};
use crate::roots::{Location, ObjectId};

/// The folder of Delta Lake's manifests.
const MANIFESTS: &str = "_symlink_format_manifest";

/// The largest manifest, in bytes: some hundred thousand names.
const MAX_MANIFEST: u64 = 16 << 20;

/// Manifests that are read at once.
const PARALLEL_MANIFESTS: usize = 4;

/// The most files that the manifests of one query's partitions of a table may name.
const MAX_TARGETS: usize = 1_000_000;

/// Requests in flight for the sizes of files.
const PARALLEL_REQUESTS: usize = 32;

/// As many files in one folder are asked for one by one; more, and the folder is listed.
const ONE_BY_ONE: usize = 16;

/// Whether an input format is that of manifests.
pub fn is_symlink_input(input_format: &str) -> bool {
    let class = input_format.rsplit('.').next().unwrap_or_default();
    class.trim().eq_ignore_ascii_case("SymlinkTextInputFormat")
}

/// Whether the files in a descriptor's folder are manifests.
pub(crate) fn is_symlink(descriptor: &StorageDescriptor) -> bool {
    let input = descriptor.input_format.as_deref();
    input.is_some_and(is_symlink_input)
}

/// The folder whose files a LOCATION exposes.
pub fn exposed_by<'a>(descriptor: &StorageDescriptor, location: &'a str) -> &'a str {
    match is_symlink(descriptor) {
        true => exposed(location),
        false => location,
    }
}

/// The folder whose files manifests at a LOCATION may name.
pub fn exposed(location: &str) -> &str {
    let host = location.find("://").map_or(0, |at| at + 3);
    let mut end = location.len();
    loop {
        let before = location.get(host..end).unwrap_or_default();
        let Some(slash) = before.rfind('/') else {
            return location;
        };
        let slash = host + slash;
        if location.get(slash + 1..end) == Some(MANIFESTS) {
            return location.get(..=slash).unwrap_or(location);
        }
        end = slash;
    }
}

/// The folder that is registered for a new location of a partition: what it exposes beyond the
/// table's own.
pub fn exposed_by_partition<'a>(table: &Table, location: &'a str) -> &'a str {
    let wanted = exposed_by(&table.storage_descriptor, location);
    let home = table.storage_descriptor.location.as_deref();
    let known = home.map(|home| exposed_by(&table.storage_descriptor, home));
    let is_known = known.is_some_and(|known| {
        let rest = wanted.strip_prefix(known.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match is_known {
        true => location,
        false => wanted,
    }
}

/// Reads the manifests of the partitions, which are their listed files, and puts the files that
/// they name in their place. A file that is named twice in a partition is read once; empty files
/// hold no rows. Returns the bytes of the manifests.
///
/// # Errors
/// A manifest that is too large or no text; a URL that is none, or leads out of the table's folder;
/// a file that is not there; the store.
pub(super) async fn resolve(partitions: &mut [SnapshotPartition]) -> Result<u64> {
    let mut manifests = Vec::new();
    for (index, partition) in partitions.iter().enumerate() {
        let base = base(&partition.location);
        base.check_below(std::iter::once(&partition.location.path))?;
        let files = partition.files.iter().cloned();
        manifests.extend(files.map(|file| (index, base.clone(), file)));
    }
    let mut bytes: u64 = 0;
    let mut count = 0;
    let mut targets: Vec<BTreeSet<Path>> = vec![BTreeSet::new(); partitions.len()];
    let mut read = futures::stream::iter(manifests.into_iter().map(
        |(index, base, manifest)| async move {
            let size = manifest.size;
            let named = targets_of(&base, &manifest).await?;
            Ok::<_, Error>((index, size, named))
        },
    ))
    .buffer_unordered(PARALLEL_MANIFESTS);
    while let Some((index, size, named)) = read.try_next().await? {
        bytes = bytes.saturating_add(size);
        count += named.len();
        if count > MAX_TARGETS {
            return Err(Error::new(
                Code::InvalidTable,
                format!("the table's manifests name more than {MAX_TARGETS} files"),
            )
            .with_hint("query fewer partitions, or write larger files"));
        }
        if let Some(of_partition) = targets.get_mut(index) {
            of_partition.extend(named);
        }
    }
    drop(read);
    let known = sizes(partitions, &targets).await?;
    for (partition, targets) in partitions.iter_mut().zip(targets) {
        let mut files = Vec::with_capacity(targets.len());
        for path in targets {
            let id = partition.location.root.object_id(&path);
            let object = known.get(&id).ok_or_else(|| {
                Error::new(
                    Code::BadData,
                    format!(
                        "a manifest in {} names {}, which does not exist",
                        shown(&partition.location),
                        partition.location.root.display_path(&path)
                    ),
                )
                .with_hint("write the manifests again after files were removed")
            })?;
            if object.size > 0 {
                files.push(DataFile::from(object.clone()));
            }
        }
        partition.files = files;
    }
    Ok(bytes)
}

fn shown(folder: &Location) -> String {
    folder.root.display_path(&folder.path)
}

/// The folder whose files manifests in this one may name.
fn base(location: &Location) -> Location {
    let parts: Vec<_> = location.path.parts().collect();
    let marker = parts.iter().rposition(|part| part.as_ref() == MANIFESTS);
    Location {
        root: Arc::clone(&location.root),
        path: match marker {
            Some(marker) => parts.into_iter().take(marker).collect(),
            None => location.path.clone(),
        },
    }
}

/// The files that a manifest names.
async fn targets_of(base: &Location, manifest: &DataFile) -> Result<Vec<Path>> {
    let root = &base.root;
    let url = root.display_path(&manifest.path);
    let file = Location {
        root: Arc::clone(root),
        path: manifest.path.clone(),
    };
    let options = GetOptions {
        if_match: manifest.e_tag.clone(),
        ..GetOptions::default()
    };
    let read = |error: object_store::Error| failed("read", &file, &error);
    let got = root.store().get_opts(&manifest.path, options).await;
    let got = got.map_err(read)?;
    if got.meta.size > MAX_MANIFEST {
        return Err(Error::new(
            Code::BadData,
            format!(
                "manifest {url} has {} bytes; {MAX_MANIFEST} are the most",
                got.meta.size
            ),
        ));
    }
    let bytes = got.bytes().await.map_err(read)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Error::new(
            Code::BadData,
            format!("manifest {url} is no text; a file of a table of SymlinkTextInputFormat names data files, one URL a line"),
        )
    })?;
    let mut named = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let path = root
            .object(line)
            .ok()
            .filter(|path| path.prefix_matches(&base.path) && *path != base.path)
            .ok_or_else(|| leads_out(&url, line, base))?;
        named.push(path);
    }
    base.check_below(named.iter())?;
    Ok(named)
}

fn leads_out(manifest: &str, line: &str, base: &Location) -> Error {
    let shown_line: String = line.chars().take(200).collect();
    Error::new(
        Code::LocationRefused,
        format!(
            "manifest {manifest} names '{shown_line}', which is no file below {}",
            shown(base)
        ),
    )
    .with_hint(format!(
        "a manifest may name files in the table's LOCATION and, where that has a folder {MANIFESTS}, in the folder that holds it"
    ))
}

/// The objects at some paths, as the stores have them now.
async fn sizes(
    partitions: &[SnapshotPartition],
    targets: &[BTreeSet<Path>],
) -> Result<HashMap<ObjectId, ObjectMeta>> {
    let mut by_folder: BTreeMap<(Arc<str>, Path), Wanted> = BTreeMap::new();
    for (partition, targets) in partitions.iter().zip(targets) {
        let root = &partition.location.root;
        for path in targets {
            let parent: Path = path
                .parts()
                .take(path.parts().count().saturating_sub(1))
                .collect();
            let of_folder = by_folder
                .entry(root.object_id(&parent))
                .or_insert_with(|| Wanted {
                    folder: Location {
                        root: Arc::clone(root),
                        path: parent,
                    },
                    paths: BTreeSet::new(),
                });
            of_folder.paths.insert(path.clone());
        }
    }
    let found: Vec<Vec<(ObjectId, ObjectMeta)>> =
        futures::stream::iter(by_folder.into_values().map(Wanted::objects))
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect()
            .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Objects of one folder.
struct Wanted {
    folder: Location,
    paths: BTreeSet<Path>,
}

impl Wanted {
    /// Those that are there.
    async fn objects(self) -> Result<Vec<(ObjectId, ObjectMeta)>> {
        let Self { folder, paths } = self;
        let store = folder.root.store();
        let keyed = |object: ObjectMeta| (folder.root.object_id(&object.location), object);
        if paths.len() > ONE_BY_ONE {
            let prefix = (!folder.path.as_ref().is_empty()).then_some(&folder.path);
            let listed = match store.list_with_delimiter(prefix).await {
                Ok(listed) => listed.objects,
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                Err(error) => return Err(failed("list", &folder, &error)),
            };
            let wanted = listed
                .into_iter()
                .filter(|object| paths.contains(&object.location));
            return Ok(wanted.map(keyed).collect());
        }
        let mut objects = Vec::with_capacity(paths.len());
        for path in &paths {
            match store.head(path).await {
                Ok(object) => objects.push(keyed(object)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("read", &folder, &error)),
            }
        }
        Ok(objects)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use object_store::memory::InMemory;

    use super::*;
    use crate::format::TableFormat;
    use crate::format::parquet::ParquetFormat;
    use crate::roots::Roots;
    use crate::testing::lake;

    /// The partition at a location, whose files are these manifests.
    async fn partition(
        store: &InMemory,
        roots: &Roots,
        location: &str,
        manifests: &[&str],
    ) -> SnapshotPartition {
        let location = roots.locate(location).unwrap();
        let mut files = Vec::new();
        for (index, text) in manifests.iter().enumerate() {
            let path: Path = format!("{}/m{index}", location.path).into();
            store.put(&path, (*text).to_owned().into()).await.unwrap();
            files.push(store.head(&path).await.unwrap().into());
        }
        SnapshotPartition {
            values: Vec::new(),
            name: Arc::from(""),
            location,
            format: TableFormat::Parquet(ParquetFormat::default()),
            files,
            statistics: None,
        }
    }

    #[test]
    fn delta_manifests_expose_the_folder_that_holds_them() {
        for (location, folder) in [
            ("s3://b/t/_symlink_format_manifest/", "s3://b/t/"),
            ("s3://b/t/_symlink_format_manifest", "s3://b/t/"),
            ("s3://b/t/_symlink_format_manifest/d=1/e=2/", "s3://b/t/"),
            (
                "s3://b/_symlink_format_manifest/x/_symlink_format_manifest/",
                "s3://b/_symlink_format_manifest/x/",
            ),
            ("s3://b/t/", "s3://b/t/"),
            (
                "s3://b/t/_symlink_format_manifest_2/",
                "s3://b/t/_symlink_format_manifest_2/",
            ),
            (
                "s3://_symlink_format_manifest/t/",
                "s3://_symlink_format_manifest/t/",
            ),
            ("s3://b", "s3://b"),
        ] {
            assert_eq!(exposed(location), folder, "{location}");
        }
    }

    #[tokio::test]
    async fn files_that_manifests_name_are_read_in_their_place() {
        let (store, roots) = lake();
        for name in ["t/d=1/a", "t/d=1/b", "t/d=2/c", "t/d=1/other"] {
            store.put(&Path::from(name), "data".into()).await.unwrap();
        }
        store.put(&Path::from("t/empty"), "".into()).await.unwrap();
        let first = "s3a://lake/t/d=1/b\n\n s3://lake/t//d=1/a \r\ns3://lake/t/d=1/b\n";
        let mut partitions = [
            partition(
                &store,
                &roots,
                "s3://lake/t/_symlink_format_manifest/d=1/",
                &[first, "s3://lake/t/empty"],
            )
            .await,
            partition(
                &store,
                &roots,
                "s3://lake/t/_symlink_format_manifest/d=2/",
                &["s3://lake/t/d=2/c"],
            )
            .await,
        ];
        let bytes = resolve(&mut partitions).await.unwrap();
        assert_eq!(bytes, (first.len() + 2 * 17) as u64);
        let names = |partition: &SnapshotPartition| -> Vec<String> {
            partition
                .files
                .iter()
                .map(|file| file.path.to_string())
                .collect()
        };
        assert_eq!(names(&partitions[0]), ["t/d=1/a", "t/d=1/b"]);
        assert_eq!(names(&partitions[1]), ["t/d=2/c"]);
    }

    #[tokio::test]
    async fn many_files_of_a_folder_are_listed_at_once() {
        let (store, roots) = lake();
        let mut text = String::new();
        for file in 0..40 {
            let name = format!("t/f{file:02}");
            store
                .put(&Path::from(name.as_str()), "x".into())
                .await
                .unwrap();
            if file != 7 {
                text.push_str(&format!("s3://lake/{name}\n"));
            }
        }
        let location = "s3://lake/t/_symlink_format_manifest/";
        let mut partitions = [partition(&store, &roots, location, &[&text]).await];
        resolve(&mut partitions).await.unwrap();
        assert_eq!(partitions[0].files.len(), 39);
    }

    #[tokio::test]
    async fn manifests_cannot_lead_out_of_the_folder_of_their_table() {
        let (store, roots) = lake();
        for name in ["t/a", "other/secret", "t2/b", "m/c"] {
            store.put(&Path::from(name), "data".into()).await.unwrap();
        }
        let delta = "s3://lake/t/_symlink_format_manifest/";
        for (location, text, code, part) in [
            (
                delta,
                "s3://lake/other/secret",
                Code::LocationRefused,
                "other/secret",
            ),
            (delta, "s3://lake/t2/b", Code::LocationRefused, "t2/b"),
            (
                delta,
                "s3://lake/t/../other/secret",
                Code::LocationRefused,
                "..",
            ),
            (
                delta,
                "s3://elsewhere/t/a",
                Code::LocationRefused,
                "elsewhere",
            ),
            (delta, "file:///etc/passwd", Code::LocationRefused, "passwd"),
            (delta, "s3://lake/t/", Code::LocationRefused, "no file"),
            (delta, "t/a", Code::LocationRefused, "'t/a'"),
            (delta, "a,b\n1,2", Code::LocationRefused, "'a,b'"),
            (delta, "s3://lake/t/gone", Code::BadData, "does not exist"),
            // Without the folder of that name, the LOCATION alone.
            (
                "s3://lake/m/",
                "s3://lake/t/a",
                Code::LocationRefused,
                "t/a",
            ),
        ] {
            let mut partitions = [partition(&store, &roots, location, &[text]).await];
            let error = resolve(&mut partitions).await.unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.message().contains(part), "{text}: {error}");
        }
        let mut within = [partition(&store, &roots, "s3://lake/m/", &["s3://lake/m/c"]).await];
        resolve(&mut within).await.unwrap();
        assert_eq!(within[0].files.len(), 1);
    }

    #[tokio::test]
    async fn large_and_binary_manifests_are_refused() {
        let (store, roots) = lake();
        let large = "x".repeat(usize::try_from(MAX_MANIFEST).unwrap() + 1);
        for (text, part) in [
            (large.as_str(), "are the most"),
            ("a\u{0}b", "no file below"),
        ] {
            let location = "s3://lake/t/_symlink_format_manifest/";
            let mut partitions = [partition(&store, &roots, location, &[text]).await];
            let error = resolve(&mut partitions).await.unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
