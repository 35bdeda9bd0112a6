//! Cleanup after uncommitted writes and replaced tables.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

use lakegate_catalog::store::{Discarded, WriteId};
use lakegate_error::Result;
use lakegate_lake::write::sweep;
use lakegate_statement::clear_discarded;
use uuid::Uuid;

use crate::Gateway;

/// The interval between attempts to delete files.
const RETRY: Duration = Duration::from_secs(60);
/// The maximum time that the files of a replaced table are kept for queries that read them.
const MAX_WAIT_FOR_READERS: Duration = Duration::from_secs(3600);

impl Gateway {
    /// Deletes files that earlier processes left: those of uncommitted writes and of replaced
    /// tables. The work continues after this returns; no query sees the files meanwhile.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn recover_writes<'a>(self: &'a Arc<Self>) -> BoxFuture<'a, Result<()>> {
        async move {
        for write in self.write_log.unfinished_writes().await? {
            tracing::info!(write = %write.id, table = write.table, "a write was not finished; its files are deleted");
            tokio::spawn(clear_later(Arc::clone(self), write.id));
        }
        for discarded in self.write_log.discarded().await? {
            tokio::spawn(discard(Arc::clone(self), discarded, Vec::new()));
        }
        Ok(())
    }.boxed()
    }

    /// Deletes the files of an uncommitted write, and ends it.
    ///
    /// # Errors
    /// The files cannot be deleted; the catalog cannot be read or written.
    pub(super) async fn clear_write(&self, id: WriteId) -> Result<()> {
        let open = self.write_log.unfinished_writes().await?;
        if let Some(write) = open.iter().find(|write| write.id == id) {
            sweep::remove_write(&self.roots, id, &write.locations).await?;
            self.write_log.end_write(id).await?;
        }
        Ok(())
    }
}

/// Retries until the write is cleared, because an unreachable store may become reachable.
pub(crate) async fn clear_later(gateway: Arc<Gateway>, id: WriteId) {
    while let Err(error) = gateway.clear_write(id).await {
        tracing::warn!(write = %id, %error, "files of a write that was not committed cannot be deleted yet");
        tokio::time::sleep(RETRY).await;
    }
}

/// Deletes the files of a replaced table once `readers`, the queries that may read them, have
/// ended.
pub(crate) async fn discard(gateway: Arc<Gateway>, discarded: Discarded, readers: Vec<Uuid>) {
    let ended = async {
        for reader in readers {
            while gateway.running.get(reader).is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    if tokio::time::timeout(MAX_WAIT_FOR_READERS, ended)
        .await
        .is_err()
    {
        tracing::warn!(
            "the files of a replaced table are deleted although a query may still read them"
        );
    }
    while let Err(error) = clear_discarded(
        gateway.metastore.as_ref(),
        gateway.write_log.as_ref(),
        &gateway.folders,
        &gateway.roots,
        &discarded,
    )
    .await
    {
        tracing::warn!(%error, "the files of a replaced table cannot be deleted yet");
        tokio::time::sleep(RETRY).await;
    }
}
