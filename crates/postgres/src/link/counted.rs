//! The memory of what a client sends: large messages that arrive, and the values that they bind.

use bytes::{Buf, Bytes, BytesMut};
use lakegate_error::Error;

use super::{Ended, Frame, Link};
use crate::inbox::{Share, UNCOUNTED};

/// A message that is dropped as it arrives.
#[derive(Debug)]
pub(super) struct Dropped {
    tag: u8,
    /// Bytes that are still to be dropped.
    left: usize,
    error: Error,
}

impl Link {
    /// Counts from now on what the client sends.
    pub(crate) fn count_in(&mut self, share: Share) {
        self.share = Some(share);
    }

    /// Returns whether values that wait for their execution are counted.
    pub(crate) fn counts_values(&self) -> bool {
        self.values > UNCOUNTED
    }

    /// Counts the values that wait for their execution, in bytes, instead of those before.
    ///
    /// # Errors
    ///
    /// All clients together hold too much. The count stays as it is.
    pub(crate) fn count_values(&mut self, bytes: usize) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.values, bytes);
        let counted = self.count();
        if counted.is_err() {
            self.values = before;
        }
        counted
    }

    fn count(&mut self) -> Result<(), Error> {
        let bytes = self
            .input
            .len()
            .saturating_add(self.message)
            .saturating_add(self.values);
        match &mut self.share {
            Some(share) => share.hold(bytes),
            None => Ok(()),
        }
    }

    /// Takes a complete message from the input buffer. One that all clients together have no memory
    /// for is dropped as it arrives.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, Ended> {
        self.message = 0;
        if self.dropped.is_none() {
            if let Some(frame) = self.buffered_frame()? {
                self.message = frame.body.len();
                // It was counted while it arrived, but for its last bytes.
                let _ = self.count();
                return Ok(Some(frame));
            }
            match (self.count(), &self.input[..]) {
                (Err(error), [tag, a, b, c, d, ..]) if self.input.len() > UNCOUNTED => {
                    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                    self.dropped = Some(Dropped {
                        tag: *tag,
                        left: length.saturating_add(1),
                        error,
                    });
                }
                _ => return Ok(None),
            }
        }
        Ok(self.dropped_frame())
    }

    /// Drops what has arrived of a message, and returns it in name once it has ended.
    fn dropped_frame(&mut self) -> Option<Frame> {
        let dropped = self.dropped.as_mut()?;
        let arrived = dropped.left.min(self.input.len());
        self.input.advance(arrived);
        dropped.left -= arrived;
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        let has_ended = dropped.left == 0;
        // It only gives back.
        let _ = self.count();
        let dropped = self.dropped.take_if(|_| has_ended)?;
        Some(Frame {
            tag: dropped.tag,
            body: Bytes::new(),
            refused: Some(dropped.error),
        })
    }
}
