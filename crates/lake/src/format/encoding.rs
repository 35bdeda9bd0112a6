//! Values as bytes of a digest, so that two sequences of values have the same bytes only if they
//! are equal. The bytes do not depend on `Debug`, on the machine or on the version of the compiler.

use sha2::{Digest, Sha256};

/// Feeds values to a digest. Texts and lists are preceded by their lengths, variants by a tag.
#[derive(Debug)]
pub(crate) struct Encoding<'a>(pub &'a mut Sha256);

impl Encoding<'_> {
    /// A variant of an enum. Tags are never reused or renumbered.
    pub(crate) fn tag(&mut self, tag: u8) {
        self.0.update([tag]);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.tag(u8::from(flag));
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text);
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, encode: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            encode(self, value);
        }
    }
}
