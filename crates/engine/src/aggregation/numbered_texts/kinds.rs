//! Numbers of the different texts of a column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, UInt32Array};
use datafusion::common::HashMap;

/// Different texts, at most.
const MOST: usize = 1 << 14;

/// Bytes of these, at most.
const MOST_BYTES: usize = 1 << 20;

/// Bytes of a text beside its own, about, in all that is kept of it.
const BESIDE: usize = 80;

/// Texts that were seen, with a number each: 0 is the first one.
#[derive(Debug)]
pub(super) struct Kinds {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
    /// The texts, if none was seen since.
    array: Option<ArrayRef>,
    /// Views of the array that were seen lately, each at the slot that its bits give, and their numbers.
    seen: Vec<u128>,
    numbers_of_seen: Vec<u32>,
}

/// The number of no text.
const NONE: u32 = u32::MAX;

impl Kinds {
    const SLOTS: usize = 1024;

    pub(super) fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            texts: Vec::new(),
            bytes: 0,
            array: None,
            seen: vec![0; Self::SLOTS],
            numbers_of_seen: vec![NONE; Self::SLOTS],
        }
    }

    /// Different texts.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Memory that is taken, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.texts.len() * BESIDE
    }

    /// Returns the number of each text, NULL for NULL. `None`: there are too many different texts.
    pub(super) fn numbers(&mut self, texts: &StringViewArray) -> Option<UInt32Array> {
        // Equal views of one array are of equal texts, but not those of two.
        self.numbers_of_seen.fill(NONE);
        let mut numbers = Vec::with_capacity(texts.len());
        for (row, view) in texts.views().iter().enumerate() {
            if texts.is_null(row) {
                numbers.push(0);
                continue;
            }
            let slot = slot(*view);
            let known = self.numbers_of_seen.get(slot).copied();
            if let Some(known) = known.filter(|known| *known != NONE)
                && self.seen.get(slot) == Some(view)
            {
                numbers.push(known);
                continue;
            }
            let number = self.number(texts.value(row))?;
            let seen = self.seen.get_mut(slot);
            if let Some((seen, known)) = seen.zip(self.numbers_of_seen.get_mut(slot)) {
                *seen = *view;
                *known = number;
            }
            numbers.push(number);
        }
        Some(UInt32Array::new(numbers.into(), texts.nulls().cloned()))
    }

    fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        self.bytes = self.bytes.saturating_add(text.len());
        if self.texts.len() >= MOST || self.bytes > MOST_BYTES {
            return None;
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        self.array = None;
        Some(number)
    }

    /// Returns all texts in the order of their numbers.
    pub(super) fn texts(&mut self) -> ArrayRef {
        let texts = &self.texts;
        let array = self.array.get_or_insert_with(|| {
            Arc::new(StringViewArray::from_iter_values(
                texts.iter().map(|text| &**text),
            ))
        });
        Arc::clone(array)
    }
}

/// Returns the place where a view is looked for.
fn slot(view: u128) -> usize {
    let folded = (view as u64) ^ ((view >> 64) as u64).rotate_left(23);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % Kinds::SLOTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::compute::take;

    use super::*;

    #[test]
    fn texts_have_their_numbers_in_all_batches() {
        let mut kinds = Kinds::new();
        for round in 0..3_usize {
            let texts = (0..2000_usize).map(|row| {
                let kind = (row * 31 + round * 7) % 101;
                (row % 9 != 0).then(|| format!("{kind}{}", "-of a longer text".repeat(kind % 2)))
            });
            let texts: StringViewArray = texts.collect();
            let numbers = kinds.numbers(&texts).unwrap();
            let again = take(&kinds.texts(), &numbers, None).unwrap();
            assert_eq!(again.as_string_view(), &texts);
            assert_eq!(kinds.len(), 101);
        }
    }

    #[test]
    fn too_many_texts_have_no_numbers() {
        let mut kinds = Kinds::new();
        let texts = |from: usize| {
            let texts = (from..from + 1000).map(|n| n.to_string());
            StringViewArray::from_iter_values(texts)
        };
        let batches = (0..20).map(|batch| kinds.numbers(&texts(batch * 1000)).is_some());
        let batches: Vec<bool> = batches.collect();
        assert!(batches[..16].iter().all(|is_some| *is_some));
        assert!(batches[16..].iter().all(|is_some| !*is_some));
        // Those that are known still have theirs.
        assert!(kinds.numbers(&texts(0)).is_some());
        let mut kinds = Kinds::new();
        let long = StringViewArray::from_iter_values([" ".repeat(MOST_BYTES + 1)]);
        assert!(kinds.numbers(&long).is_none());
        assert!(kinds.bytes() >= MOST_BYTES);
        assert_eq!(kinds.len(), 0);
    }
}
