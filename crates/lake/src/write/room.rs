//! What a write holds in memory, and which files it ends where that is too much.

use std::cmp::Reverse;

use lakegate_error::Result;

use super::PartitionedWriter;
use super::folders::Folder;

/// Folders whose waiting rows are copied at once, some MiB.
const DETACHED_AT_ONCE: usize = 64;

impl PartitionedWriter {
    /// Ends files until the others are within the write's bounds of memory and of open files.
    ///
    /// # Errors
    /// The store; values that the format cannot hold.
    pub(super) async fn bound(&mut self) -> Result<()> {
        let folders = self.folders.iter().enumerate();
        let mut open: Vec<(u64, usize)> = folders
            .filter(|(_, folder)| folder.open.is_some())
            .map(|(index, folder)| (folder.used, index))
            .collect();
        if open.len() > self.limits.open {
            open.sort_unstable();
            let kept = self.limits.open / 2;
            for (_, index) in open.iter().take(open.len() - kept) {
                self.end(*index).await?;
            }
        }
        if self.fits() {
            return Ok(());
        }
        self.closing.all().await?;
        // Encoded rows are a fraction of what was sent: files need not become small for them.
        for file in self.folders.iter_mut().filter_map(|f| f.open.as_mut()) {
            file.encode().await?;
        }
        if self.splitter.has_buckets() {
            self.flush().await?;
            self.fits();
            return Ok(());
        }
        // A part at a time, as what is left grows on to larger files.
        let all: usize = self.folders.iter().map(Folder::memory).sum();
        for goal in [all / 4, 0] {
            if self.fits() {
                return Ok(());
            }
            self.end_largest(goal).await?;
        }
        self.fits();
        Ok(())
    }

    /// Sends the rows of buckets to their files, which stay open: a bucket has one.
    ///
    /// # Errors
    /// The store; values that the format cannot hold.
    async fn flush(&mut self) -> Result<()> {
        for index in 0..self.folders.len() {
            let folder = self.folders.get(index)?;
            if folder.memory() == 0 {
                continue;
            }
            let waiting = folder.waiting.take();
            let open = self.opened(index)?;
            for rows in &waiting.batches {
                open.write(rows).await?;
            }
            open.flush().await?;
        }
        Ok(())
    }

    /// Ends the files of the folders that hold the most, until all hold no more than `goal` bytes.
    /// What still waits then keeps nothing else in memory.
    async fn end_largest(&mut self, goal: usize) -> Result<()> {
        let folders = self.folders.iter().enumerate();
        let mut largest: Vec<(usize, usize)> = folders
            .map(|(index, folder)| (folder.memory(), index))
            .filter(|(memory, _)| *memory > 0)
            .collect();
        // Of those that hold the same, the oldest: rows often come in the order of their keys.
        largest.sort_unstable_by_key(|(memory, index)| (Reverse(*memory), *index));
        let mut held: usize = largest.iter().map(|(memory, _)| memory).sum();
        for (memory, index) in largest {
            if held <= goal {
                break;
            }
            self.end(index).await?;
            held = held.saturating_sub(memory);
        }
        self.closing.all().await?;
        for (index, folder) in self.folders.iter_mut().enumerate() {
            folder.waiting.detach(&self.waiting)?;
            if index % DETACHED_AT_ONCE == 0 {
                // Where the write may be stopped.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Bytes that the write holds in memory.
    pub(super) fn held(&self) -> usize {
        let open: usize = self.folders.open().map(|file| file.memory()).sum();
        let splitting = self.splitting.as_ref().map_or(0, |rows| rows.bytes);
        // Staged rows are copied when they are split, and a quarter of those that wait where memory
        // is short.
        let waiting = self.waiting.bytes();
        2 * (self.staged.bytes + splitting) + waiting + waiting / 4 + open + self.closing.memory()
    }

    /// Whether what is held is within the write's bound and the pool has room for it.
    pub(super) fn fits(&mut self) -> bool {
        let held = self.held();
        held <= self.limits.memory && self.memory.try_resize(held).is_ok()
    }
}
