//! The trait of changes that become visible together.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Discarded, Stores};
use crate::error::Result;

/// Changes of the catalog that only its own stores show until it is committed. Dropped without
/// commit, it changed nothing.
///
/// Changes are made through the coordinator, the metastore, and the grants of [`Self::stores`].
/// Their other methods (those of users, roles and workgroups, and those that begin, extend and end
/// writes) have their effect at once, as in the stores that the draft is of.
///
/// The stores show what others commit meanwhile after [`Self::refresh`] or the draft's next change.
/// They have a [`catalog_version`](super::Metastore::catalog_version) of their own, and ids that
/// nothing else gets. Versions of tables and partitions are those that others may get too, so what
/// is kept by them must not be shared with what is read through other stores.
#[async_trait]
pub trait Draft: Debug + Send + Sync {
    fn stores(&self) -> Stores;

    /// How many changes were made.
    fn changes(&self) -> usize;

    /// Makes the changes on what the catalog is now.
    ///
    /// # Errors
    /// `Outdated` if one does not apply any more.
    async fn refresh(&self) -> Result<()>;

    /// Takes all but the first changes back.
    ///
    /// # Errors
    /// As [`Self::refresh`]; they are taken back then, too.
    async fn truncate(&self, changes: usize) -> Result<()>;

    /// Makes all changes durable and visible, or none. Returns what commits of writes among them
    /// discard. Afterwards the draft takes no more changes.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    async fn commit(&self) -> Result<Vec<Discarded>>;
}
