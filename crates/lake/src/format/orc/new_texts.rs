//! Texts of a new stripe: a dictionary where many of them are the same.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::error::ArrowError;

use super::emit::Integers;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// Texts of a dictionary at most.
const MAX_TEXTS: usize = 64 * 1024;

/// What a text of a dictionary takes beside its bytes at most: in a table that doubles its room, and
/// in the list in their order.
const TEXT_BYTES: usize = 128;

/// The texts of a column, each once.
#[derive(Debug)]
pub(super) struct Dictionary<'a> {
    /// In their order.
    texts: Vec<&'a str>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Dictionary<'a> {
    /// The dictionary of the texts of arrays. `None`: more than half of them differ, or too many, so
    /// that it would save little.
    pub(super) fn of(arrays: impl Iterator<Item = &'a ArrayRef> + Clone) -> Option<Self> {
        let held = arrays.clone().map(|array| array.len() - array.null_count());
        let most = (held.sum::<usize>() / 2).min(MAX_TEXTS);
        let mut places: HashMap<&'a str, u32> = HashMap::new();
        for array in arrays {
            for text in array.as_string_opt::<i32>()?.iter().flatten() {
                places.insert(text, 0);
                if places.len() > most {
                    return None;
                }
            }
        }
        if places.is_empty() {
            return None;
        }
        let mut texts: Vec<&'a str> = places.keys().copied().collect();
        texts.sort_unstable();
        for (place, text) in (0_u32..).zip(&texts) {
            places.insert(*text, place);
        }
        Some(Self { texts, places })
    }

    /// What the dictionary of so many texts takes at most, beside their bytes.
    pub(super) fn memory(texts: usize) -> usize {
        (texts / 2).min(MAX_TEXTS) * TEXT_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// # Errors
    /// The dictionary does not have the text.
    pub(super) fn place(&self, text: &str) -> Result<i64> {
        let place = self.places.get(text);
        place.map(|place| i64::from(*place)).ok_or_else(|| {
            ArrowError::InvalidArgumentError("a text is not in its dictionary".to_owned())
        })
    }

    /// The bytes of all texts, and the stream of their lengths.
    pub(super) fn streams(&self) -> (Vec<u8>, Vec<u8>) {
        let bytes = self.texts.iter().map(|text| text.len()).sum();
        let mut bytes = Vec::with_capacity(bytes);
        let mut lengths = Integers::unsigned();
        for text in &self.texts {
            bytes.extend_from_slice(text.as_bytes());
            lengths.push(text.len() as i64);
        }
        (bytes, lengths.finish())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn dictionary_is_of_texts_that_repeat() {
        let of = |texts: Vec<Option<&str>>| -> Vec<ArrayRef> {
            let (first, second) = texts.split_at(texts.len() / 2);
            vec![
                Arc::new(StringArray::from(first.to_vec())),
                Arc::new(StringArray::from(second.to_vec())),
            ]
        };
        let arrays = of(vec![Some("b"), Some("a"), None, Some("b"), Some("a")]);
        let dictionary = Dictionary::of(arrays.iter()).unwrap();
        assert_eq!(dictionary.texts, ["a", "b"]);
        assert_eq!(dictionary.place("b").unwrap(), 1);
        assert!(dictionary.place("a ").is_err());
        assert_eq!(dictionary.streams().0, b"ab");
        let different = of(vec![Some("b"), Some("a"), None, Some("b"), Some("a ")]);
        assert!(Dictionary::of(different.iter()).is_none());
        let nulls = of(vec![None, None]);
        assert!(Dictionary::of(nulls.iter()).is_none());
    }
}
