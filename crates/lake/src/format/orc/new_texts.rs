//! Texts of a new stripe: how long they may be, and a dictionary where many of them are the same.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::error::ArrowError;
use lakegate_catalog::hive_type::HiveType;

use super::emit::Integers;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// Texts of a dictionary at most.
const MAX_TEXTS: usize = 64 * 1024;

/// What a text of a dictionary takes beside its bytes at most: in a table that doubles its room, and
/// in the list in their order.
const TEXT_BYTES: usize = 128;

/// The type of a column of texts, with the characters that one has at most.
///
/// In files, `char` is `string`: the format's own has spaces up to the length, which readers take for
/// characters or for bytes, and Hive's converts from `string`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextType {
    String,
    Varchar(u32),
    Char(u32),
}

impl TextType {
    /// `declared`: the type that the table has; `None`: it has none.
    pub(super) fn of(declared: Option<&HiveType>) -> Self {
        match declared {
            Some(HiveType::Varchar(most)) => Self::Varchar(*most),
            Some(HiveType::Char(most)) => Self::Char(*most),
            _ => Self::String,
        }
    }

    /// The text as it is written. Spaces at its end that are too many are left out, as SQL has it.
    ///
    /// # Errors
    /// It is longer than the type allows; the error is an [`ArrowError::CastError`].
    pub(super) fn cut(self, text: &str) -> Result<&str> {
        let (Self::Varchar(most) | Self::Char(most)) = self else {
            return Ok(text);
        };
        let most = most as usize;
        if text.len() <= most {
            return Ok(text);
        }
        let Some((end, _)) = text.char_indices().nth(most) else {
            return Ok(text);
        };
        let (kept, rest) = text.split_at(end);
        match rest.bytes().all(|byte| byte == b' ') {
            true => Ok(kept),
            false => Err(ArrowError::CastError(format!(
                "it has {} characters",
                text.chars().count()
            ))),
        }
    }
}

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
    ///
    /// # Errors
    /// A text is longer than its type allows.
    pub(super) fn of(
        arrays: impl Iterator<Item = &'a ArrayRef> + Clone,
        text_type: TextType,
    ) -> Result<Option<Self>> {
        let held = arrays.clone().map(|array| array.len() - array.null_count());
        let most = (held.sum::<usize>() / 2).min(MAX_TEXTS);
        let mut places: HashMap<&'a str, u32> = HashMap::new();
        for array in arrays {
            let Some(array) = array.as_string_opt::<i32>() else {
                return Ok(None);
            };
            for text in array.iter().flatten() {
                places.insert(text_type.cut(text)?, 0);
                if places.len() > most {
                    return Ok(None);
                }
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        let mut texts: Vec<&'a str> = places.keys().copied().collect();
        texts.sort_unstable();
        for (place, text) in (0_u32..).zip(&texts) {
            places.insert(*text, place);
        }
        Ok(Some(Self { texts, places }))
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
    fn characters_are_counted_and_spaces_cut() {
        let varchar = TextType::Varchar(3);
        assert_eq!(varchar.cut("äöü").unwrap(), "äöü");
        assert_eq!(varchar.cut("äöü  ").unwrap(), "äöü");
        assert_eq!(varchar.cut("a  ").unwrap(), "a  ");
        assert!(varchar.cut("äöüß").is_err());
        assert!(TextType::Char(2).cut("a b").is_err());
        assert_eq!(TextType::String.cut("abcd").unwrap(), "abcd");
    }

    #[test]
    fn dictionary_is_of_texts_that_repeat() {
        let of = |texts: Vec<Option<&str>>| -> Vec<ArrayRef> {
            let (first, second) = texts.split_at(texts.len() / 2);
            vec![
                Arc::new(StringArray::from(first.to_vec())),
                Arc::new(StringArray::from(second.to_vec())),
            ]
        };
        let arrays = of(vec![Some("b"), Some("a"), None, Some("b"), Some("a ")]);
        // Two texts of four, once the spaces are cut.
        let dictionary = Dictionary::of(arrays.iter(), TextType::Varchar(1));
        let dictionary = dictionary.unwrap().unwrap();
        assert_eq!(dictionary.texts, ["a", "b"]);
        assert_eq!(dictionary.place("b").unwrap(), 1);
        assert!(dictionary.place("a ").is_err());
        assert_eq!(dictionary.streams().0, b"ab");
        let three = Dictionary::of(arrays.iter(), TextType::String).unwrap();
        assert!(three.is_none());
        let nulls = of(vec![None, None]);
        let none = Dictionary::of(nulls.iter(), TextType::String).unwrap();
        assert!(none.is_none());
        assert!(Dictionary::of(arrays.iter(), TextType::Char(0)).is_err());
    }
}
