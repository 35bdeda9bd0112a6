//! Numbers of the different texts of a column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, UInt32Array, UInt64Array};
use datafusion::common::HashMap;

/// Different texts, at most.
const MOST: usize = 1 << 14;

/// Bits of a number in a code: numbers from 1 to [`MOST`], and 0.
pub(super) const BITS: u32 = 15;

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

    /// Adds the number of each text to the code of its row, in the [`BITS`] from `shift` on: 0 for NULL, and
    /// one more than the number for a text. `None`: there are too many different texts.
    pub(super) fn number(
        &mut self,
        texts: &StringViewArray,
        shift: u32,
        codes: &mut [u64],
    ) -> Option<()> {
        // Equal views of one array are of equal texts, but not those of two.
        self.numbers_of_seen.fill(NONE);
        let nulls = texts.nulls();
        for (row, (view, code)) in texts.views().iter().zip(codes).enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let slot = slot(*view);
            let known = self.numbers_of_seen.get(slot).copied();
            let number = match known.filter(|known| *known != NONE) {
                Some(known) if self.seen.get(slot) == Some(view) => known,
                _ => {
                    let number = self.number_of(texts.value(row))?;
                    let seen = self.seen.get_mut(slot);
                    if let Some((seen, known)) = seen.zip(self.numbers_of_seen.get_mut(slot)) {
                        *seen = *view;
                        *known = number;
                    }
                    number
                }
            };
            *code |= (u64::from(number) + 1) << shift;
        }
        Some(())
    }

    fn number_of(&mut self, text: &str) -> Option<u32> {
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

/// Returns the numbers that codes have from the bit `shift` on, NULL for 0.
pub(super) fn numbers(codes: &UInt64Array, shift: u32) -> UInt32Array {
    const OF_ONE: u64 = (1 << BITS) - 1;
    let numbers = codes.values().iter().map(|code| (code >> shift) & OF_ONE);
    let numbers = numbers.map(|number| u32::try_from(number).ok()?.checked_sub(1));
    numbers.collect()
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
            for shift in [0, BITS, 3 * BITS] {
                // The numbers of another column stay.
                let mut codes = vec![7_u64 << (2 * BITS); texts.len()];
                kinds.number(&texts, shift, &mut codes).unwrap();
                let codes = UInt64Array::from(codes);
                let again = take(&kinds.texts(), &numbers(&codes, shift), None).unwrap();
                assert_eq!(again.as_string_view(), &texts);
                let others = numbers(&codes, 2 * BITS);
                assert!(others.iter().all(|number| number == Some(6)));
                assert_eq!(kinds.len(), 101);
            }
        }
    }

    #[test]
    fn too_many_texts_have_no_numbers() {
        let mut kinds = Kinds::new();
        let texts = |from: usize| {
            let texts = (from..from + 1000).map(|n| n.to_string());
            StringViewArray::from_iter_values(texts)
        };
        let is_numbered = |kinds: &mut Kinds, texts: StringViewArray| {
            let mut codes = vec![0; texts.len()];
            kinds.number(&texts, 0, &mut codes).is_some()
        };
        let batches = (0..20).map(|batch| is_numbered(&mut kinds, texts(batch * 1000)));
        let batches: Vec<bool> = batches.collect();
        assert!(batches[..16].iter().all(|is_some| *is_some));
        assert!(batches[16..].iter().all(|is_some| !*is_some));
        // Those that are known still have theirs.
        assert!(is_numbered(&mut kinds, texts(0)));
        let mut kinds = Kinds::new();
        let long = StringViewArray::from_iter_values([" ".repeat(MOST_BYTES + 1)]);
        assert!(!is_numbered(&mut kinds, long));
        assert!(kinds.bytes() >= MOST_BYTES);
        assert_eq!(kinds.len(), 0);
    }
}
