//! A lake for tests.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;

use crate::roots::{Backing, Roots};

/// A store in memory, and the roots of a lake that has it as `s3://lake/`.
pub(crate) fn lake() -> (Arc<InMemory>, Roots) {
    let store = Arc::new(InMemory::new());
    let backing = Backing::Remote {
        store: Arc::clone(&store) as _,
        place: "memory".to_owned(),
        prefix: Path::default(),
    };
    let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
    (store, roots)
}
