//! Lake roots: the only places that a LOCATION may name.
//!
//! A root binds a URL prefix (`s3://datalake/`, `file:///srv/lake/`) to a store. Every request
//! passes [`RootStore`], which refuses what leaves the root, so that neither a LOCATION, a listing
//! nor a symbolic link reaches anything else.

use std::sync::Arc;

use datafusion::datasource::object_store::ObjectStoreUrl;
use lakegate_catalog::store::WriteId;
use lakegate_error::{Code, Error, Result};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

mod boundary;
mod config;
mod local_file;
mod location_url;
mod redaction;
pub mod root_store;
pub mod s3;

pub use self::config::RootConfig;
use self::location_url::{normal_url, refused};
pub use self::root_store::Backing;
use self::root_store::RootStore;

/// An object: the URL of its root and its key.
pub type ObjectId = (Arc<str>, Path);

/// Wraps our error so that it comes back whole from under the engine.
pub(crate) fn store_error(error: Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "lake",
        source: Box::new(error),
    }
}

/// What identifies one state of an object: its ETag, or its size and modification time where a
/// store has no ETags.
pub(crate) fn object_version(object: &ObjectMeta) -> String {
    match &object.e_tag {
        Some(e_tag) => e_tag.clone(),
        None => format!(
            "{}-{}",
            object.size,
            object.last_modified.timestamp_micros()
        ),
    }
}

/// One configured root, opened.
#[derive(Debug)]
pub struct Root {
    /// Ends in `/`, such as `s3://datalake/`.
    url: Arc<str>,
    store: Arc<RootStore>,
    engine_url: ObjectStoreUrl,
}

impl Root {
    /// The URL, which ends in `/`, such as `s3://datalake/`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The store, which refuses every path outside of the root.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store) as _
    }

    /// The store under the root's checks, for readers and writers of this crate.
    pub(crate) fn root_store(&self) -> &Arc<RootStore> {
        &self.store
    }

    /// Whether objects are files of this machine.
    pub fn is_local(&self) -> bool {
        self.store.is_local()
    }

    /// Waits until an object and its name are on disk.
    ///
    /// # Errors
    /// The file system.
    pub async fn persist(&self, path: Path) -> Result<()> {
        let store = Arc::clone(&self.store);
        blocking(move || store.persist(&path)).await
    }

    /// Removes what interrupted uploads left below a folder, of files of a write.
    ///
    /// # Errors
    /// The folder is not in the root; the file system.
    pub(crate) async fn remove_staged(&self, folder: &Path, write: WriteId) -> Result<()> {
        let (store, folder) = (Arc::clone(&self.store), folder.clone());
        blocking(move || store.remove_staged(&folder, write)).await
    }

    /// Identifies an object across roots.
    pub fn object_id(&self, path: &Path) -> ObjectId {
        (Arc::clone(&self.url), path.clone())
    }

    /// The name under which the engine's registry knows this root.
    pub fn engine_url(&self) -> &ObjectStoreUrl {
        &self.engine_url
    }

    /// The key of an object of this root by its URL, whether or not there is one.
    ///
    /// # Errors
    /// It is not a URL, or that of another root, or it could leave the root.
    pub fn object(&self, url: &str) -> Result<Path> {
        let normal = normal_url(url)?;
        let within = normal
            .strip_prefix(&*self.url)
            .ok_or_else(|| refused(url, &format!("it is not under {}", self.url)))?;
        let within =
            Path::parse(within.trim_end_matches('/')).map_err(|e| refused(url, &e.to_string()))?;
        let path = self.store.absolute(&within);
        self.store.check(&path)?;
        Ok(path)
    }

    /// The URL of an object of this root, as a user would write it.
    pub(crate) fn display_path(&self, path: &Path) -> String {
        let within = self.store.relative(path);
        format!("{}{within}", self.url)
    }
}

async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let task = tokio::task::spawn_blocking(work).await;
    task.map_err(|error| Error::internal(format!("a file task died: {error}")))?
}

/// A LOCATION that lies under a root.
#[derive(Debug, Clone)]
pub struct Location {
    pub root: Arc<Root>,
    /// The key prefix in the root's store, without a trailing `/`; empty for the whole store.
    pub path: Path,
}

impl Location {
    /// The URL of the folder as the storage has it: links of a directory are resolved, so that two
    /// folders are the same if and only if their texts are, and one lies in another if its text
    /// begins with the other's. Ends in `/`.
    ///
    /// # Errors
    /// A link that leads out of the root, a name that is not UTF-8.
    pub fn folder(&self) -> Result<String> {
        let real = self.root.store.real(&self.path)?;
        let url = self.root.display_path(&real);
        Ok(format!("{}/", url.trim_end_matches('/')))
    }

    /// Checks that objects or folders whose paths are below this folder's are stored below it, too.
    ///
    /// # Errors
    /// A symbolic link leads elsewhere.
    pub fn check_below<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<()> {
        self.root.store.check_below(&self.path, paths)
    }
}

/// All configured roots; none holds another.
#[derive(Debug, Default)]
pub struct Roots {
    roots: Vec<Arc<Root>>,
}

impl Roots {
    /// # Errors
    /// A URL that is not `s3://bucket/…` or `file:///…`, a missing directory, two roots of which
    /// one holds the other, by their URLs or in the storage.
    pub fn open(configured: Vec<(String, Backing)>) -> Result<Self> {
        let mut roots: Vec<Arc<Root>> = Vec::with_capacity(configured.len());
        for (index, (url, backing)) in configured.into_iter().enumerate() {
            let url = normal_url(&url)?;
            let url = if url.ends_with('/') {
                url
            } else {
                format!("{url}/")
            };
            if roots.iter().any(|root| *root.url == *url) {
                return Err(Error::invalid(format!(
                    "lake root {url} is configured twice; remove one of the two"
                )));
            }
            let store = Arc::new(RootStore::open(&url, backing)?);
            for root in &roots {
                let nested = root.url.starts_with(&url) || url.starts_with(&*root.url);
                if nested || root.store.overlaps(&store) {
                    return Err(Error::invalid(format!(
                        "lake roots {} and {url} overlap: what lies in both would have two names, and grants hold for one of them",
                        root.url
                    ))
                    .with_hint("configure the one that holds the other, or give each a folder of its own"));
                }
            }
            let engine_url = ObjectStoreUrl::parse(format!("lake://root{index}/"))
                .map_err(|e| Error::internal(format!("lake root {url} has no engine url: {e}")))?;
            roots.push(Arc::new(Root {
                url: url.into(),
                store,
                engine_url,
            }));
        }
        Ok(Self { roots })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Root>> {
        self.roots.iter()
    }

    pub(crate) fn by_engine_url(&self, url: &str) -> Option<&Arc<Root>> {
        self.roots.iter().find(|root| {
            root.engine_url.as_str().trim_end_matches('/') == url.trim_end_matches('/')
        })
    }

    /// Finds the root of a LOCATION.
    ///
    /// # Errors
    /// The location is under no root, or could leave it; the error names it.
    pub fn locate(&self, location: &str) -> Result<Location> {
        let url = normal_url(location)?;
        let folder = if url.ends_with('/') {
            url.clone()
        } else {
            format!("{url}/")
        };
        let Some(root) = self
            .roots
            .iter()
            .find(|root| folder.starts_with(&*root.url))
        else {
            let known: Vec<&str> = self.roots.iter().map(|root| root.url()).collect();
            return Err(Error::new(
                Code::LocationRefused,
                format!("location '{location}' is not under a configured lake root"),
            )
            .with_hint(if known.is_empty() {
                "no lake root is configured; add one to [[lake.roots]]".to_owned()
            } else {
                format!(
                    "the lake roots are {}; an administrator can add one to the configuration",
                    known.join(", ")
                )
            }));
        };
        let within = folder
            .get(root.url.len()..)
            .unwrap_or_default()
            .trim_end_matches('/');
        let within = Path::parse(within).map_err(|e| refused(location, &e.to_string()))?;
        let path = root.store.absolute(&within);
        root.store.check(&path)?;
        Ok(Location {
            root: Arc::clone(root),
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::StreamExt;
    use object_store::GetOptions;

    use super::*;

    fn lake() -> (tempfile::TempDir, Roots) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("lake/a")).unwrap();
        std::fs::create_dir_all(dir.path().join("secret")).unwrap();
        std::fs::write(dir.path().join("secret/s.txt"), "s").unwrap();
        let roots = Roots::open(vec![(
            "s3://datalake/".into(),
            Backing::Directory {
                path: dir.path().join("lake"),
                excluded: vec![dir.path().join("lake/state")],
            },
        )])
        .unwrap();
        (dir, roots)
    }

    #[test]
    fn location_under_a_root_is_found() {
        let (_dir, roots) = lake();
        let location = roots.locate("S3://datalake//a/").unwrap();
        assert_eq!(location.path.as_ref(), "a");
        assert_eq!(
            location.root.display_path(&location.path),
            "s3://datalake/a"
        );
        assert_eq!(roots.locate("s3://datalake").unwrap().path.as_ref(), "");
        let encoded = roots.locate("s3://datalake/a/city=a%2Fb%5C%25/").unwrap();
        assert_eq!(encoded.path.as_ref(), "a/city=a%2Fb%5C%25");
    }

    #[test]
    fn locations_outside_every_root_are_refused_by_name() {
        let (_dir, roots) = lake();
        for bad in [
            "file:///etc",
            "s3://datalake/../secret/",
            "s3://datalake/a/%2e%2e/%2E%2E/secret/",
            "s3://datalake2/a/",
            "s3://data/",
            "http://169.254.169.254/latest/",
            "/etc/passwd",
            "s3:///a/",
            "file://host/a/",
            "s3://datalake/a%2f..%2f../secret",
            "s3://datalake/a/b%2F%2e%2E",
            "s3://datalake/a/..%5Csecret",
        ] {
            let error = roots.locate(bad).unwrap_err();
            assert_eq!(error.code(), Code::LocationRefused, "{bad}");
            assert!(error.message().contains(bad), "{bad}: {error}");
        }
    }

    #[test]
    fn excluded_paths_are_refused() {
        let (dir, roots) = lake();
        std::fs::create_dir_all(dir.path().join("lake/state/tls")).unwrap();
        for bad in ["s3://datalake/state", "s3://datalake/state/tls/"] {
            assert_eq!(
                roots.locate(bad).unwrap_err().code(),
                Code::LocationRefused,
                "{bad}"
            );
        }
        assert!(roots.locate("s3://datalake/statement").is_ok());
    }

    #[tokio::test]
    async fn symbolic_link_out_of_the_root_is_refused() {
        let (dir, roots) = lake();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("lake/out")).unwrap();
        assert_eq!(
            roots.locate("s3://datalake/out/").unwrap_err().code(),
            Code::LocationRefused
        );
        let store = roots.iter().next().unwrap().store();
        let error = store
            .get_opts(&Path::from("out/s.txt"), GetOptions::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }

    #[tokio::test]
    async fn an_error_names_neither_what_lies_behind_a_link_nor_directories() {
        let (dir, roots) = lake();
        let lake = dir.path().join("lake");
        std::fs::create_dir_all(lake.join("own")).unwrap();
        std::fs::create_dir_all(lake.join("hidden/name")).unwrap();
        std::os::unix::fs::symlink(lake.join("hidden"), lake.join("own/link")).unwrap();
        std::os::unix::fs::symlink(lake.join("own"), lake.join("own/loop")).unwrap();
        let own = roots.locate("s3://datalake/own/").unwrap();
        let object = Path::from("own/link/name/f.parquet");
        let refused = own.check_below(std::iter::once(&object)).unwrap_err();
        assert!(refused.message().contains("'own/link'"), "{refused}");
        let store = roots.iter().next().unwrap().store();
        let missing = store
            .get_opts(&Path::from("own/none"), GetOptions::default())
            .await
            .unwrap_err();
        assert!(matches!(missing, object_store::Error::NotFound { .. }));
        let listed: Vec<_> = store.list(Some(&Path::from("own"))).collect().await;
        let looped = listed.into_iter().find_map(Result::err).unwrap();
        for error in [missing, looped] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(dir.path().to_str().unwrap()), "{shown}");
            assert!(shown.contains("own/"), "{shown}");
        }
    }

    fn directory(path: std::path::PathBuf) -> Backing {
        Backing::Directory {
            path,
            excluded: Vec::new(),
        }
    }

    fn bucket(place: &str, prefix: &str) -> Backing {
        Backing::Remote {
            store: Arc::new(object_store::memory::InMemory::new()),
            place: place.to_owned(),
            prefix: Path::from(prefix),
        }
    }

    #[test]
    fn roots_that_overlap_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/b", "c"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("a/b"), dir.path().join("link")).unwrap();
        let open = |one: (&str, Backing), other: (&str, Backing)| {
            let named = |(url, backing): (&str, Backing)| (url.to_owned(), backing);
            Roots::open(vec![named(one), named(other)])
        };
        let at = |name: &str| directory(dir.path().join(name));
        for (one, other) in [
            (("s3://one/", at("a")), ("s3://two/", at("a"))),
            (("s3://one/", at("a")), ("s3://two/", at("a/b"))),
            (("s3://one/", at("a/b")), ("file:///two/", at("a/../a"))),
            (("s3://one/", at("a")), ("s3://two/", at("link"))),
            (("s3://one/", at("a")), ("s3://one/part/", at("c"))),
            (
                ("s3://one/", bucket("h/b", "")),
                ("s3://two/", bucket("h/b", "x")),
            ),
            (
                ("s3://one/", bucket("h/b", "x/y")),
                ("s3://two/", bucket("h/b", "x")),
            ),
        ] {
            let urls = [one.0, other.0];
            let error = open(one, other).unwrap_err();
            assert!(
                urls.iter().all(|url| error.message().contains(url))
                    && error.message().contains("overlap"),
                "{error}"
            );
        }
        for (one, other) in [
            (("s3://one/", at("a")), ("s3://two/", at("c"))),
            (
                ("s3://one/", bucket("h/b", "x")),
                ("s3://two/", bucket("h/b", "xy")),
            ),
            (
                ("s3://one/", bucket("h/b", "")),
                ("s3://two/", bucket("h/c", "")),
            ),
            (("s3://one/", bucket("h/b", "")), ("s3://two/", at("a"))),
        ] {
            open(one, other).unwrap();
        }
    }

    #[test]
    fn folder_is_where_links_lead() {
        let (dir, roots) = lake();
        let lake = dir.path().join("lake");
        std::os::unix::fs::symlink(lake.join("a"), lake.join("to-a")).unwrap();
        std::os::unix::fs::symlink(lake.join("nowhere"), lake.join("dangling")).unwrap();
        let folder = |location: &str| roots.locate(location).and_then(|found| found.folder());
        for (location, real) in [
            ("s3://datalake/a", "s3://datalake/a/"),
            ("s3a://datalake//a//", "s3://datalake/a/"),
            ("s3://datalake/to-a/new/part", "s3://datalake/a/new/part/"),
            ("s3://datalake/new/part/", "s3://datalake/new/part/"),
            ("s3://datalake/A/", "s3://datalake/A/"),
            ("s3://datalake/", "s3://datalake/"),
        ] {
            assert_eq!(folder(location).unwrap(), real, "{location}");
        }
        for location in ["s3://datalake/dangling/", "s3://datalake/dangling/part/"] {
            assert_eq!(folder(location).unwrap_err().code(), Code::LocationRefused);
        }
        let base = roots.locate("s3://datalake/to-a/").unwrap();
        let below = |path: &str| base.check_below(std::iter::once(&Path::from(path)));
        assert!(below("to-a/x").is_ok() && below("a/x").is_ok() && below("to-b/x").is_err());
    }
}
