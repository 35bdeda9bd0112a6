//! Files that get their last rows, and are sent and put on disk while others are written.

use datafusion::common::runtime::JoinSet;
use lakegate_error::{Error, Result};
use tokio::task::JoinError;

use super::waiting::Taken;
use crate::format::{ClosedFile, FileWriter};

/// Files that are encoded and sent at once.
const PARALLEL_FILES: usize = 4;

/// The tasks run on after the future that added them is dropped, until this is dropped or
/// [`Closing::stop`] has waited for them.
#[derive(Debug, Default)]
pub(super) struct Closing {
    // As the engine spawns, so that they are charged to the write.
    writing: JoinSet<Ended>,
    persisting: JoinSet<Result<()>>,
    /// What the files that are under way hold in memory, and their bytes as far as they are known.
    memory: usize,
    bytes: u64,
    /// Bytes of the files that are in the store.
    closed: u64,
    /// Files that were added.
    added: usize,
}

#[derive(Debug)]
struct Ended {
    /// The number of the file among those that were added.
    number: usize,
    memory: usize,
    bytes: u64,
    file: Result<ClosedFile>,
}

impl Closing {
    /// Ends a file after these rows. Waits while too many are under way. `memory`: what the file
    /// takes.
    ///
    /// # Errors
    /// One of the files that were added before could not be written: of several, the first.
    pub(super) async fn add(
        &mut self,
        file: Box<dyn FileWriter>,
        rows: Taken,
        memory: usize,
    ) -> Result<()> {
        while self.writing.len() >= PARALLEL_FILES {
            self.next().await?;
        }
        let bytes = file.bytes() as u64;
        self.memory += memory;
        self.bytes += bytes;
        let number = self.added;
        self.added += 1;
        self.writing.spawn(async move {
            Ended {
                number,
                memory,
                bytes,
                file: ended(file, rows).await,
            }
        });
        Ok(())
    }

    /// Waits until all files are in the store.
    ///
    /// # Errors
    /// One of them could not be written.
    pub(super) async fn all(&mut self) -> Result<()> {
        while !self.writing.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<()> {
        let Some(ended) = self.writing.join_next().await else {
            return Ok(());
        };
        let ended = ended.map_err(died)?;
        self.memory = self.memory.saturating_sub(ended.memory);
        self.bytes = self.bytes.saturating_sub(ended.bytes);
        let ClosedFile { location, bytes } = match ended.file {
            Ok(closed) => closed,
            Err(error) => return Err(self.first_error(ended.number, error).await),
        };
        self.closed += bytes;
        self.persisting
            .spawn(async move { location.root.persist(location.path).await });
        Ok(())
    }

    /// The error of the file that was added first, of this one and of those that are under way: the
    /// same rows fail with the same error, whichever file ends first.
    async fn first_error(&mut self, number: usize, error: Error) -> Error {
        let mut first = (number, error);
        while let Some(ended) = self.writing.join_next().await {
            if let Ok(Ended {
                number,
                file: Err(error),
                ..
            }) = ended
                && number < first.0
            {
                first = (number, error);
            }
        }
        first.1
    }

    /// Waits until all files are on disk.
    ///
    /// # Errors
    /// One of them could not be written.
    pub(super) async fn persisted(&mut self) -> Result<()> {
        self.all().await?;
        while let Some(persisted) = self.persisting.join_next().await {
            persisted.map_err(died)??;
        }
        Ok(())
    }

    /// Waits until nothing is under way to the store any more, whatever becomes of it.
    pub(super) async fn stop(mut self) {
        while self.writing.join_next().await.is_some() {}
    }

    /// Bytes that the files under way hold in memory.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Bytes of the files, of those under way as far as they are known.
    pub(super) fn bytes(&self) -> u64 {
        self.closed + self.bytes
    }
}

async fn ended(mut file: Box<dyn FileWriter>, rows: Taken) -> Result<ClosedFile> {
    for batch in &rows.batches {
        if let Err(error) = file.write(batch).await {
            file.abort().await;
            return Err(error);
        }
    }
    file.close().await
}

fn died(error: JoinError) -> Error {
    Error::internal(format!("a file task died: {error}"))
}
