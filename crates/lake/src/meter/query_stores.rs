//! The engine's registry of one query.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreRegistry;
use lakegate_error::{Code, Error};
use object_store::ObjectStore;
use url::Url;

use super::{MeteredStore, QueryMeter};
use crate::roots::Roots;

/// The engine's registry of one query: knows the lake's roots and nothing else.
#[derive(Debug)]
pub struct QueryStores {
    roots: Arc<Roots>,
    meter: Arc<QueryMeter>,
}

impl QueryStores {
    pub fn new(roots: Arc<Roots>, meter: Arc<QueryMeter>) -> Self {
        Self { roots, meter }
    }

    /// A registry without stores, for plans that read nothing yet.
    pub fn none() -> Self {
        Self::new(Arc::default(), Arc::new(QueryMeter::new(None)))
    }
}

impl ObjectStoreRegistry for QueryStores {
    /// Nothing can be added: a store that is not a root has no way in.
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> datafusion::error::Result<Arc<dyn ObjectStore>> {
        let root = self.roots.by_engine_url(url.as_str()).ok_or_else(|| {
            DataFusionError::from(Error::new(
                Code::LocationRefused,
                format!("'{url}' is not a configured lake root"),
            ))
        })?;
        Ok(Arc::new(MeteredStore::new(root, Arc::clone(&self.meter))))
    }
}
